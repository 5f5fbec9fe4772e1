#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Random operations on our file system and on the kernel's, in lockstep: no difference in results,
# errno, attributes, contents; and after a remount. The seed is printed; SEALDRIVE_SEED sets it. A
# failure leaves its script behind for tests/lockstep/shrink.sh. Hours of it: make soak.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lockstep/sides.sh"
need_sides

seed=$(test_seed)
operations=${SEALDRIVE_LONG:+60000}
diag "seed $seed"

keep_script() { # NAME
	local kept=$top_builddir/lockstep-$seed.script
	[ -s "$T/script" ] || return
	cp "$T/script" "$kept"
	diag "to be shortened with: tests/lockstep/shrink.sh $kept"
}

leave_out=()
round() { # NAME THREADS OPERATIONS MKE2FS-OPTIONS...
	local name=$1 threads=$2 n=${operations:-$3}
	shift 3
	check "$name: format" sides_format "$@"
	check "$name: mount" sides_mount || return
	rm -f "$T/script"
	check "$name: no difference (seed $seed)" sides_run 600 -s "$seed" -t "$threads" -n "$n" \
		"${leave_out[@]}" -r "$T/script" || keep_script
	# said in the log of every run: what was not compared, and how much was
	grep -aE "^# (LEFT OUT|equal)" "$T/out"
	check "$name: unmount" sides_unmount
	check "$name: perfect" judge "$T/a.img"
	check "$name: mount again" sides_mount
	check "$name: no difference after remount" sides_run 600 --compare || keep_script
	check "$name: unmount again" sides_unmount
	seed=$((seed + 1000))
}

round "our format, 4 threads" 4 6000
round "1 KiB blocks, 1 thread" 1 5000 -t ext4 -b 1024
round "inodes of 128 bytes, 3 threads" 3 2000 -t ext4 -b 2048 -I 128 -O large_dir
round "block maps, 2 threads" 2 4000 -t ext4 -b 1024 -O ^extent,^64bit,^flex_bg,^huge_file,^metadata_csum,^dir_nlink
# The kernel's ext4 itself loses what is near the data that these move out of an inode (docs/DIFFERENCES.md).
leave_out=(-x fallocate -x punch -x zero-range)
round "inline data, 2 threads" 2 3000 -t ext4 -b 1024 -O inline_data
done_testing
