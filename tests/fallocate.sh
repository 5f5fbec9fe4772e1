#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# fallocate, holes and limits: programs see the same as on the kernel's ext4, and one file goes
# through thousands of random operations of every kind.
. "$(dirname "$0")/lib.sh"
need_fuse
need_command cryptsetup mke2fs e2fsck dumpe2fs chattr
SEED=$(test_seed)
ops=2500
[ -n "${SEALDRIVE_LONG:-}" ] && ops=200000
diag "SEALDRIVE_SEED=$SEED"

drive_with() { # FILE MKE2FS-OPTIONS...: what mke2fs makes, on a drive of ours
	local file=$1
	shift
	rm -f "$file" "$T/plain"
	new_drive "$file" 96M && truncate -s 80M "$T/plain" && mke2fs -q -t ext4 "$@" "$T/plain" &&
		"$PYTHON" "$JUDGE/luks-plain.py" encrypt "$file" "$PASS" "$T/plain"
}

kernels_output() { # the kernel's ext4 does what was asked for, and zeroes nothing instead
	local loop status
	loop_mount "$T/plain" "$T/kernel" || return 1
	loop=$(findmnt -n -o SOURCE "$T/kernel")
	echo 0 >"/sys/fs/ext4/${loop#/dev/}/extent_max_zeroout_kb"
	"$PYTHON" "$top_srcdir/tests/fallocate.py" "$T/kernel" "$SEED" >"$T/theirs" 2>&1
	status=$?
	umount "$T/kernel"
	return $status
}

compare() { # NAME MKE2FS-OPTIONS...
	local name=$1
	shift
	must "$name: a drive by mke2fs $*" drive_with "$T/a.img" "$@"
	must "$name: mount" drive_mount "$T/a.img" "$T/mnt" --owner disk
	"$PYTHON" "$top_srcdir/tests/fallocate.py" "$T/mnt" "$SEED" >"$T/ours" 2>&1
	is $? 0 "$name: all of it was done" || tail -n 5 "$T/ours" | diag
	check "$name: unmount" drive_unmount "$T/mnt"
	check "$name: perfect" judge "$T/a.img"
	if have_loop; then
		check "$name: the kernel's ext4" kernels_output
		check "$name: it gives the same" diff "$T/theirs" "$T/ours"
	else
		skip "$name: the kernel's ext4" "$NO_LOOP"
	fi
}

one_file() { # NAME FSX-OPTIONS...
	local name=$1
	shift
	must "$name: mount" drive_mount "$T/a.img" "$T/mnt" --owner disk
	check "$name: fsx $*" fsx "$@" "$T/mnt/one-file"
	check "$name: unmount" drive_unmount "$T/mnt"
	check "$name: perfect" judge "$T/a.img"
	must "$name: mount again" drive_mount "$T/a.img" "$T/mnt" --read-only
	check "$name: the file is what it was" cmp "$T/mnt/one-file" "$T/one-file.good"
	check "$name: unmount" drive_unmount "$T/mnt"
}

compare "4 KiB" -b 4096
one_file "4 KiB" -s "$SEED" -n $ops -g "$T/one-file.good"
compare "1 KiB" -b 1024
one_file "1 KiB" -s $((SEED + 1)) -n $ops -g "$T/one-file.good"
one_file "on what is there" -s $((SEED + 2)) -n $((ops / 5)) -g "$T/one-file.good"
done_testing
