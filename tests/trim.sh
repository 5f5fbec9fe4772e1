#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# fstrim: a container becomes small again, when that is allowed, and keeps every byte that counts.
. "$(dirname "$0")/lib.sh"
need_fuse
need_command cryptsetup e2fsck dumpe2fs fstrim

used_kib() {
	sync "$1"
	du -k "$1" | cut -f1
}

# What ioctl(FITRIM) says: bytes, or the errno's name.
fitrim() { # PATH START LEN MINLEN
	"$PYTHON" -c 'import errno, fcntl, os, struct, sys
fd = os.open(sys.argv[1], os.O_RDONLY)
try:
    got = fcntl.ioctl(fd, 0xC0185879, struct.pack("QQQ", *map(int, sys.argv[2:])))
    print(struct.unpack("QQQ", got)[1])
except OSError as e:
    print(errno.errorcode[e.errno])' "$@"
}
ALL=18446744073709551615

must "format" new_drive "$T/a.img" 128M
must "mount" drive_mount "$T/a.img" "$T/mnt"
check "a tree" cp -a "$top_srcdir/tests" "$T/mnt/"
check "a large file" dd if=/dev/urandom of="$T/mnt/large" bs=1M count=60 conv=fsync status=none
full=$(used_kib "$T/a.img")
check "deleted" rm "$T/mnt/large"
is "$(fitrim "$T/mnt" 0 $ALL 0)" ENOTSUP "nothing is discarded unless it is allowed"
check "unmount" drive_unmount "$T/mnt"
check "the container is as large as it was" test "$(used_kib "$T/a.img")" -ge "$full"

# The permission in the header, as cryptsetup stores it.
check "the header allows it" "$JUDGE/luks-edit.py" make "discards are allowed" "$T/a.img" "$T/b.img"
must "mount" drive_mount "$T/b.img" "$T/mnt" --accept-header-change
check "fstrim" fstrim -v "$T/mnt"
check "the container is small again" test "$(used_kib "$T/b.img")" -lt $((full - 45000))
is "$(fitrim "$T/mnt/tests/lib.sh" 0 $ALL 0)" "$(fitrim "$T/mnt/tests" 0 $ALL 0)" \
	"a file stands for its file system as a folder does"
is "$(fitrim "$T/mnt" 0 1 0)" EINVAL "less than a block"
is "$(fitrim "$T/mnt" $((1 << 40)) $ALL 0)" EINVAL "behind the end"
is "$(fitrim "$T/mnt" 0 $ALL $((1 << 40)))" EINVAL "runs longer than a group"
is "$(fitrim "$T/mnt" 0 $ALL $((127 << 20)))" 0 "no run is that long"
if is_root; then
	is "$(as_user "$PYTHON" -c 'import fcntl, os, sys
try:
    fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0xC0185879, bytes(24))
except OSError as e:
    print(e.errno)' "$T/mnt")" 1 "another user may not"
else
	skip "another user may not" "there is only one here"
fi
is "$("$PYTHON" -c 'import fcntl, os, sys
try:
    fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x12345678, bytes(8))
except OSError as e:
    print(e.errno)' "$T/mnt")" 25 "an ioctl that nobody knows"
check "unmount" drive_unmount "$T/mnt"
check "perfect" judge "$T/b.img"
must "mount" drive_mount "$T/b.img" "$T/mnt" --read-only
is "$(fitrim "$T/mnt" 0 $ALL 0)" ENOTSUP "nothing is discarded on a read-only mount"
check "every file is there" diff -r "$top_srcdir/tests" "$T/mnt/tests"
check "unmount" drive_unmount "$T/mnt"

# The permission of whoever mounts, who need not be root.
cp "$T/a.img" "$T/c.img"
user_ready
if is_root; then
	chown "$USER_ID" "$T/c.img"
fi
mkdir "$T/user/mnt" && chown "$USER_ID" "$T/user/mnt"
must "mount as a user" as_user sealdrive mount "$T/c.img" "$T/user/mnt" --discard --passphrase-file "$T/user/pass"
check "fstrim as that user" as_user fstrim "$T/user/mnt"
check "small as well" test "$(used_kib "$T/c.img")" -lt $((full - 45000))

# Discarding all the time, while files come and go.
touch "$T/go-on"
as_user bash -c 'while [ -e "$1" ]; do fstrim "$2" || exit 1; done' - "$T/go-on" "$T/user/mnt" &
trimmer=$!
dd if=/dev/urandom of="$T/random" bs=1M count=20 status=none
chmod 644 "$T/random"
for i in 1 2 3 4 5 6; do
	check "written while trimming ($i)" as_user cp "$T/random" "$T/user/mnt/file-$i"
	check "synced ($i)" as_user sync "$T/user/mnt/file-$i"
	[ $i -lt 4 ] || as_user rm "$T/user/mnt/file-$((i - 3))"
done
rm "$T/go-on"
check "the trimming went well" wait $trimmer
check "unmount" as_user sealdrive unmount "$T/user/mnt"
must "mount again" as_user sealdrive mount "$T/c.img" "$T/user/mnt" --passphrase-file "$T/user/pass"
for i in 4 5 6; do
	check "file-$i is right" as_user cmp "$T/random" "$T/user/mnt/file-$i"
done
check "unmount" as_user sealdrive unmount "$T/user/mnt"
check "perfect" judge "$T/c.img"

# A drive that can: the loop device passes it on as a hole in its file.
if have_loop; then
	for try in 1 2 3 4 5 6; do
		dev=$(losetup --find --show "$T/a.img") && break
		sleep $try
	done
	must "mount a drive" drive_mount "$dev" "$T/mnt" --discard
	check "fstrim" fstrim "$T/mnt"
	check "unmount" drive_unmount "$T/mnt"
	check "the drive knows" test "$(used_kib "$T/a.img")" -lt $((full - 45000))
	losetup -d "$dev"
	check "perfect" judge "$T/a.img"
else
	skip "a drive that can" "$NO_LOOP"
fi
done_testing
