#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Several threads of random operations on our file system and on the kernel's, in lockstep: no
# difference in results, errno, attributes, contents. The seed is printed; SEALDRIVE_SEED sets it.
. "$(dirname "$0")/lib.sh"
need_fuse
need_command cryptsetup mke2fs e2fsck dumpe2fs
have_loop || skip_all "the other side is the kernel's ext4: $NO_LOOP"
lockstep=$top_builddir/lockstep
[ -x "$lockstep" ] || skip_all "lockstep is not built (make check builds it)"

seed=${SEALDRIVE_SEED:-$(date +%s)}
operations=${SEALDRIVE_LONG:+60000}
diag "seed $seed"

round() { # NAME MKE2FS-OPTIONS...
	local name=$1
	shift
	check "$name: format" new_drive "$T/a.img" 256M
	if [ $# -gt 0 ]; then
		truncate -s 240M "$T/plain"
		check "$name: mke2fs $*" mke2fs -q -t ext4 "$@" "$T/plain"
		check "$name: encrypted by others" "$PYTHON" "$JUDGE/luks-plain.py" encrypt "$T/a.img" "$PASS" "$T/plain"
		rm -f "$T/plain"
	fi
	truncate -s 240M "$T/kernel.img"
	mke2fs -q -t ext4 "${@:--b4096}" "$T/kernel.img"
	check "$name: our side" drive_mount "$T/a.img" "$T/ours" --owner disk || return
	check "$name: the kernel's side" loop_mount "$T/kernel.img" "$T/theirs" || return
	check "$name: no difference (seed $seed)" timeout 300 "$lockstep" -s "$seed" -t 4 \
		-n "${operations:-4000}" "$T/ours" "$T/theirs" || diag <"$T/out"
	check "$name: unmount" drive_unmount "$T/ours"
	check "$name: perfect" judge "$T/a.img"
	check "$name: mount again" drive_mount "$T/a.img" "$T/ours" --owner disk
	check "$name: no difference after remount" "$lockstep" -c "$T/ours" "$T/theirs" || diag <"$T/out"
	check "$name: unmount again" drive_unmount "$T/ours"
	umount "$T/theirs"
	rm -f "$T/a.img" "$T/kernel.img"
	seed=$((seed + 1000))
}

round "our format"
round "1 KiB blocks" -b 1024
round "block maps" -b 1024 -O ^extent,^64bit,^flex_bg,^huge_file,^metadata_csum,^dir_nlink
done_testing
