#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Costs do not grow with the number of files or the size of the drive, nor does memory. Takes long:
# in make check-long. SCALE_FILES is how many files (1 000 000).
. "$(dirname "$0")/lib.sh"
need_fuse
need_command e2fsck dumpe2fs
files=${SCALE_FILES:-1000000}
memory_mib=150 # of the daemon, whatever happens

rss_kib() { # VmHWM|VmRSS
	awk -v name="$1:" '$1 == name { print $2 }' "/proc/$(daemons | head -n 1)/status"
}
memory() { # WHEN
	diag "memory of the daemon, $1: at most $(($(rss_kib VmHWM) >> 10)) MiB, now $(($(rss_kib VmRSS) >> 10)) MiB"
	check "memory: $1" test "$(rss_kib VmHWM)" -lt $((memory_mib << 10))
}
scale() { # DESCRIPTION WORK COUNT [FOLDER]
	check "$1" "$PYTHON" "$top_srcdir/tests/scale.py" "$SEALDRIVE" "$T/mnt" "$T/mnt/${4:-}" "$2" "$3"
	diag <"$T/out"
}
remount() {
	must "unmount" drive_unmount "$T/mnt"
	must "mount" drive_mount "$T/a.img" "$T/mnt"
}

# ---- sizes: what has to be read to mount, and how long that takes
sparse_file() {
	truncate -s 15T "$T/mnt/sparse" && echo middle |
		dd of="$T/mnt/sparse" bs=1M seek=7000000 conv=notrunc status=none && sync "$T/mnt/sparse"
	is "$(stat -c '%s' "$T/mnt/sparse")" $((15 << 40)) "a sparse file of 15 TiB"
	is "$(dd if="$T/mnt/sparse" bs=1M skip=7000000 count=1 status=none | tr -d '\0')" middle "... and what is in it"
	check "... is removed" rm "$T/mnt/sparse"
	memory "a sparse file of 15 TiB"
}
drive_of() { # SIZE FOLDER
	local size=$1 image=$2/$1.img start formatted mounted reads bytes
	if ! truncate -s "$size" "$image" 2>/dev/null; then
		skip "a drive of $size" "such files are not possible in ${TMPDIR:-/tmp}"
		return
	fi
	rm -f "$image"
	start=$(date +%s%N)
	must "format $size" new_drive "$image" "$size"
	formatted=$(date +%s%N)
	must "mount $size" drive_mount "$image" "$T/mnt"
	mounted=$(date +%s%N)
	read -r reads bytes < <(sealdrive status --json | "$PYTHON" -c 'import json, sys
c = json.load(sys.stdin)["drives"][0]["counters"]
print(c["drive_reads"], c["drive_read_bytes"])')
	diag "$size: format $(((formatted - start) / 1000000)) ms, mount $(((mounted - formatted) / 1000000)) ms, $reads reads of $bytes bytes"
	check "mounting $size reads little" test "$bytes" -lt 1000000
	memory "$size"
	case $size in
	15T | 64T) sparse_file ;;
	esac
	check "files on $size" cp -r "$top_srcdir/tests" "$T/mnt/"
	must "unmount $size" drive_unmount "$T/mnt"
	must "mount $size again" drive_mount "$image" "$T/mnt"
	check "... are all there" diff -r "$top_srcdir/tests" "$T/mnt/tests"
	must "unmount $size" drive_unmount "$T/mnt"
	check "decrypted by others" plain_of "$image" "$2/plain" --skip-holes
	check "e2fsck finds nothing" judge_plain "$2/plain"
	if have_loop; then
		check "the kernel mounts it" loop_mount "$2/plain" "$T/kernel"
		check "... and has the same files" diff -r "$top_srcdir/tests" "$T/kernel/tests"
		umount "$T/kernel"
	fi
	rm -f "$image" "$2/plain"
}
for size in 1G 1T 15T; do
	drive_of $size "$T"
done
# Files of ext4 end at 16 TiB, those of XFS do not.
mkdir "$T/xfs"
if is_root && command -v mkfs.xfs >/dev/null && truncate -s 32G "$T/xfs.img" && mkfs.xfs -q "$T/xfs.img" &&
	mount -o loop "$T/xfs.img" "$T/xfs" 2>/dev/null; then
	drive_of 64T "$T/xfs"
	umount "$T/xfs"
else
	skip "a drive of 64T" "needs root, mkfs.xfs and the kernel's XFS"
fi
rm -f "$T/xfs.img"

# ---- files
must "format" new_drive "$T/a.img" $((files / 1000 * 33 + 2048))M # an inode for 16 KiB, two for each file
must "mount" drive_mount "$T/a.img" "$T/mnt"
mkdir "$T/mnt/one" "$T/mnt/tree" "$T/mnt/open"
scale "$files files in one folder" create "$files" one
memory "$files files in one folder"
scale "$files files in many folders" tree-create "$files" tree
memory "$files files in many folders"
scale "10 000 open files" open 10000 open
memory "10 000 open files"
remount
scale "looking at each, in no order" stat "$files" one
memory "$files inodes looked up"
scale "looking at each of the tree" tree-stat "$files" tree
memory "$((2 * files)) inodes looked up"
start=$(date +%s%N)
is "$(find "$T/mnt/one" -type f | wc -l)" "$files" "all are listed"
diag "listing: $((($(date +%s%N) - start) / 1000000)) ms"
memory "listing"
if is_root; then
	echo 2 >/proc/sys/vm/drop_caches
	sleep 2
	memory "inodes forgotten"
fi
scale "removing from one folder" unlink "$files" one
scale "removing from the tree" tree-unlink "$files" tree
memory "files removed"
must "unmount" drive_unmount "$T/mnt"
check "perfect" judge "$T/a.img" --skip-holes
done_testing
