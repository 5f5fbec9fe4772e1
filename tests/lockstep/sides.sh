# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# The two sides of a lockstep run: ours on an encrypted drive, the kernel's ext4 on a loop device.
# Sourced after tests/lib.sh by lockstep.sh, soak.sh and lockstep/shrink.sh.

LOCKSTEP=$top_builddir/lockstep
SIDE_SIZE=512M
# what our format takes before the file system begins, with its default header
SIDE_PLAIN=496M

need_sides() {
	need_fuse
	need_command cryptsetup mke2fs e2fsck dumpe2fs
	have_loop || skip_all "the other side is the kernel's ext4: $NO_LOOP"
	[ -x "$LOCKSTEP" ] || skip_all "lockstep is not built (make check builds it)"
}

# $T/a.img and $T/kernel.img; without options of mke2fs ours is of our own format.
sides_format() { # [MKE2FS-OPTIONS...]
	rm -f "$T/a.img" "$T/kernel.img" "$T/plain"
	new_drive "$T/a.img" $SIDE_SIZE || return 1
	if [ $# -gt 0 ]; then
		truncate -s $SIDE_PLAIN "$T/plain" && mke2fs -q "$@" "$T/plain" &&
			"$PYTHON" "$JUDGE/luks-plain.py" encrypt "$T/a.img" "$PASS" "$T/plain" || return 1
		rm -f "$T/plain"
	fi
	[ $# -gt 0 ] || set -- -t ext4 -b 4096
	truncate -s $SIDE_PLAIN "$T/kernel.img" && mke2fs -q "$@" "$T/kernel.img"
}

sides_mount() { # [OPTIONS OF mount...]
	# what is read from the kernel's page cache moves no time of access on our side
	drive_mount "$T/a.img" "$T/ours" --owner disk --atime noatime "$@" &&
		loop_mount "$T/kernel.img" "$T/theirs" nodev,nosuid,noatime || return 1
	# writing into preallocated blocks writes no zeroes around, as on our side
	{ echo 0 >"/sys/fs/ext4/$(basename "$(findmnt -no SOURCE "$T/theirs")")/extent_max_zeroout_kb"; } 2>/dev/null
	return 0
}

sides_unmount() {
	local status=0
	drive_unmount "$T/ours" || status=1
	umount "$T/theirs" || status=1
	return $status
}

sides_run() { # SECONDS LOCKSTEP-ARGUMENTS...
	local limit=$1
	shift
	timeout "$limit" "$LOCKSTEP" "$@" "$T/ours" "$T/theirs"
}
