#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Volumes of ext2 and ext3, where files have block maps: the same programs see the same on our mount
# and on the kernel's, and conversions to extents and back end as the kernel's do.
. "$(dirname "$0")/lib.sh"
need_fuse
need_command cryptsetup mke2fs tune2fs e2fsck dumpe2fs debugfs chattr lsattr
have_loop || skip_all "the other side is the kernel's ext4: $NO_LOOP"

view() { # DIR BLOCK-BYTES OUT
	"$PYTHON" "$top_srcdir/tests/maps.py" "$1" "$2" >"$3"
}

times_of() { # DIR
	stat -c '%n %.9X %.9Y' "$1"/time-* | sed 's|.*/||'
}

same_views() { # NAME BLOCK-BYTES MKE2FS-OPTIONS...
	local name=$1 block=$2
	shift 2
	check "$name: a drive" new_drive "$T/a.img" 66M
	truncate -s 50M "$T/plain"
	check "$name: mke2fs" mke2fs -q -F -b "$block" "$@" "$T/plain"
	cp --sparse=always "$T/plain" "$T/kernel.img"
	check "$name: encrypted by others" "$PYTHON" "$JUDGE/luks-plain.py" encrypt "$T/a.img" "$PASS" "$T/plain"
	rm -f "$T/plain"
	check "$name: our side" drive_mount "$T/a.img" "$T/ours" --owner disk || return
	check "$name: the kernel's side" loop_mount "$T/kernel.img" "$T/theirs" || return
	check "$name: used on our side" view "$T/ours" "$block" "$T/our-view"
	check "$name: used on the kernel's" view "$T/theirs" "$block" "$T/their-view"
	check "$name: no difference" diff "$T/their-view" "$T/our-view"
	check "$name: the same trees" same_output tree_names "$T/ours" "$T/theirs"
	check "$name: unmount" drive_unmount "$T/ours"
	umount "$T/theirs"
	check "$name: perfect" judge "$T/a.img"
	check "$name: our side again" drive_mount "$T/a.img" "$T/ours" --owner disk
	check "$name: the kernel's side again" loop_mount "$T/kernel.img" "$T/theirs"
	# The kernel lets times of revision 0 wrap around; ours stop at the first and the last one.
	[ "$name" = "revision 0" ] ||
		check "$name: the same times" same_output times_of "$T/ours" "$T/theirs"
	check "$name: unmount again" drive_unmount "$T/ours"
	umount "$T/theirs"
	rm -f "$T/a.img" "$T/kernel.img"
}

same_views "revision 0" 1024 -t ext2 -r 0 -O none
same_views "ext2" 4096 -t ext2 -I 128
[ -z "${SEALDRIVE_LONG:-}" ] || same_views "ext3" 2048 -t ext3
same_views "ext3, bare" 1024 -t ext3 -I 128 -O ^dir_index,^filetype,^large_file,^sparse_super,^resize_inode

# A file of more than 2 GiB makes the volume say so, as the first of them does for the kernel.
truncate -s 32M "$T/image"
mke2fs -q -F -t ext2 -r 0 -O none "$T/image"
: >"$T/empty"
check "2 GiB: a file" e4tool "$T/image" <<<"put $T/empty /f
truncate /f 2147483647"
check_status 1 "2 GiB: not yet" sh -c "dumpe2fs -h '$T/image' 2>&1 | grep -w large_file"
check "2 GiB: one byte more" e4tool "$T/image" truncate /f 2147483648
check "2 GiB: the feature is on" sh -c "dumpe2fs -h '$T/image' 2>&1 | grep -w large_file"
check "2 GiB: e2fsck finds nothing" e2fsck -fn "$T/image"
check "2 GiB: the kernel mounts" loop_mount "$T/image" "$T/theirs" &&
	is "$(stat -c %s "$T/theirs/f")" 2147483648 "2 GiB: and sees it"
umount "$T/theirs"

# ---- conversions ------------------------------------------------------------------------------

# Flags and blocks of everything that is not a link.
flags_of() { # DIR
	(cd "$1" && find . -path ./lost+found -prune -o \( -type f -o -type d \) -print0 | sort -z >"$T/found" &&
		xargs -0 lsattr -d <"$T/found" && xargs -0 stat -c '%b %n' <"$T/found")
}

rm -f "$T/image"
truncate -s 100M "$T/image"
check "conversion: an ext3 volume" mke2fs -q -F -t ext3 -b 1024 "$T/image"
check "conversion: the kernel mounts" loop_mount "$T/image" "$T/theirs" || done_testing
"$PYTHON" - "$T/theirs" <<'PY'
import os, sys
os.chdir(sys.argv[1])
def put(name, *pieces):
    with open(name, "wb") as f:
        for off, length in pieces:
            f.seek(off)
            f.write(bytes((off + i) % 253 for i in range(length)))
put("empty")
put("small", (0, 12288))
put("more", (0, 12289))
put("gap", (3000, 100), (9000, 100))
put("large", (0, 20 << 20))
put("far", (5 << 20, 5000), (80 << 20, 300000), (3 << 30, 5000))
put("fragments", *((i * 2048, 1000) for i in range(2000)))
os.makedirs("many/few")
for i in range(900):
    put("many/with-a-name-that-fills-blocks-%d" % i, (0, 1))
PY
tree_sums "$T/theirs" >"$T/sums"
umount "$T/theirs"
check "conversion: it gets extents" tune2fs -O extent "$T/image"
cp --sparse=always "$T/image" "$T/kernel.img"

files="empty small more gap large far fragments many many/few"
loop_mount "$T/kernel.img" "$T/theirs"
for way in + -; do
	for file in $files; do
		# chattr says why it fails, and fails; we must fail likewise.
		(cd "$T/theirs" && chattr "${way}e" "$file") >>"$T/said" 2>&1
		got=$?
		check_status $got "conversion: chattr ${way}e $file" \
			e4tool "$T/image" extents "/$file" $way
	done
	sync -f "$T/theirs"
	flags_of "$T/theirs" >"$T/flags$way"
	check "conversion: e2fsck finds nothing after ${way}e" e2fsck -fn "$T/image"
	check "conversion: the kernel mounts what we made" loop_mount "$T/image" "$T/ours"
	check "conversion: same flags and blocks" diff "$T/flags$way" <(flags_of "$T/ours")
	check "conversion: same bytes" diff "$T/sums" <(tree_sums "$T/ours")
	umount "$T/ours"
done
umount "$T/theirs"
check_status 1 "conversion: ours refuses what is so already" e4tool "$T/image" extents /large +
done_testing
