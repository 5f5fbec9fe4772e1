#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Large values of attributes, which the kernel keeps in inodes of their own: shown as it shows them, on
# a drive that is mounted read-only and says why.
. "$(dirname "$0")/lib.sh"
have_loop || skip_all "$NO_LOOP"
need_fuse
need_command cryptsetup mke2fs e2fsck setfattr getfattr

fill() { # DIR
	"$PYTHON" - "$1" <<'PY'
import os, sys
os.chdir(sys.argv[1])
for i in range(12):
    open("f%d" % i, "w").close()
    os.setxattr("f%d" % i, "user.big", bytes(j * 7 % 256 for j in range((0, 900, 4000, 5000, 30000, 65536)[i % 6])))
    os.setxattr("f%d" % i, "user.small", b"%d" % i)
    os.setxattr("f%d" % i, "trusted.large", b"%d" % (i // 6) * 20000)
os.mkdir("d")
os.setxattr("d", "user.big", b"d" * 65536)
PY
}

shown() { # DIR
	(cd "$1" && find . -name lost+found -prune -o -print | sort | while read -r f; do
		echo "$f"
		getfattr -d -m - -e hex "$f" | LC_ALL=C sort
	done)
}

for size in 1024 4096; do
	rm -f "$T/plain" "$T/a.img"
	truncate -s 48M "$T/plain"
	must "$size: mke2fs" mke2fs -q -t ext4 -b $size -O ea_inode "$T/plain"
	must "$size: the kernel mounts" loop_mount "$T/plain" "$T/kernel"
	check "$size: the kernel fills" fill "$T/kernel"
	shown "$T/kernel" >"$T/theirs"
	umount "$T/kernel"
	must "$size: a drive" new_drive "$T/a.img" 80M
	must "$size: holds it" "$PYTHON" "$JUDGE/luks-plain.py" encrypt "$T/a.img" "$PASS" "$T/plain"
	check "$size: mount" drive_mount "$T/a.img" "$T/mnt" --owner disk
	said "ea_inode" "$size: it says why it is read-only"
	check_status 1 "$size: and is" touch "$T/mnt/new"
	shown "$T/mnt" >"$T/ours"
	check "$size: all attributes" diff "$T/theirs" "$T/ours"
	is "$(grep -c trusted.large "$T/ours")" 12 "$size: all are there"
	check "$size: unmount" drive_unmount "$T/mnt"
	check "$size: perfect" judge_plain "$T/plain"
done
done_testing
