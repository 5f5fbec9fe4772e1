#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Many processes in one tree without minding each other, on a roomy drive and on one that is full all
# the time: no error that this does not explain, no foreign byte; the drive is perfect afterwards,
# and everything can be read after a remount. SEALDRIVE_SEED sets the seed.
. "$(dirname "$0")/lib.sh"
need_fuse
need_command cryptsetup e2fsck dumpe2fs
stress=$top_builddir/tests/stress
[ -x "$stress" ] || skip_all "stress is not built (make check builds it)"

seed=$(test_seed)
seconds=${SEALDRIVE_LONG:+300}

round() { # NAME SIZE PROCESSES
	local name=$1 size=$2 processes=$3
	check "$name: format" new_drive "$T/a.img" "$size"
	check "$name: mount" drive_mount "$T/a.img" "$T/mnt" || return
	mkdir "$T/mnt/tree"
	check "$name: work (seed $seed)" timeout 600 "$stress" -p "$processes" -t "${seconds:-8}" -s "$seed" "$T/mnt/tree"
	grep '^#' "$T/out"
	check "$name: every byte, at once" "$stress" -v "$T/mnt/tree"
	check "$name: unmount" drive_unmount "$T/mnt"
	check "$name: perfect" judge "$T/a.img"
	check "$name: mount again" drive_mount "$T/a.img" "$T/mnt"
	check "$name: every byte, after remount" "$stress" -v "$T/mnt/tree"
	grep '^#' "$T/out"
	check "$name: everything goes" rm -rf "$T/mnt/tree"
	check "$name: unmount at the end" drive_unmount "$T/mnt"
	check "$name: perfect at the end" judge "$T/a.img"
	rm -f "$T/a.img"
}

round "room for all" 768M 8
round "always full" 64M 6
done_testing
