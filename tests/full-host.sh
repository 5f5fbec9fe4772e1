#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A container on a file system that runs full under it: what fsync has promised is there, everything else is
# told; on the full host it can be read; with room again it opens as if nothing had been.
. "$(dirname "$0")/lib.sh"
need_fuse
need_command cryptsetup e2fsck dumpe2fs
need_root "makes a small file system for the container"

# Numbered blocks, each synced, until one is not taken; prints how many were.
fill='import os, sys
n = 0
try:
    fd = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT, 0o600)
    while n < 1000:
        os.write(fd, b"%08d" % n * 32768)
        os.fsync(fd)
        n += 1
except OSError:
    pass
print(n)'
# At least so many of them are there.
proof='import sys
data = open(sys.argv[1], "rb").read()
n = int(sys.argv[2])
assert len(data) >= n << 18, len(data)
for i in range(n):
    assert data[i << 18:i + 1 << 18] == b"%08d" % i * 32768, i'

round() { # NAME: the host is at $T/host
	local n
	must "$1: format" new_drive "$T/host/a.img" 300M
	must "$1: mount" drive_mount "$T/host/a.img" "$T/mnt"
	n=$("$PYTHON" -c "$fill" "$T/mnt/file")
	check "$1: it ran full ($n blocks)" test "$n" -gt 10 -a "$n" -lt 300
	check "$1: what was synced can be read" "$PYTHON" -c "$proof" "$T/mnt/file" "$n"
	check_status 1 "$1: unmount tells" drive_unmount "$T/mnt"
	said 'is unmounted, but not everything could be written.*no space left on device' "$1: why"
	said 'free some space where the container lies' "$1: and what to do now"
	if drive_mount "$T/host/a.img" "$T/mnt" >"$T/out" 2>&1; then # the log needs no more room
		drive_unmount "$T/mnt" >"$T/out" 2>&1 || said 'no space left on device' "$1: unmount tells again"
	else
		said 'free some space' "$1: opening says what to do"
	fi
	must "$1: for reading it opens" drive_mount "$T/host/a.img" "$T/mnt" --read-only
	check "$1: what was synced is there" "$PYTHON" -c "$proof" "$T/mnt/file" "$n"
	check "$1: unmount" drive_unmount "$T/mnt"
	make_room
	must "$1: with room it opens" drive_mount "$T/host/a.img" "$T/mnt"
	is "$(grep -ci 'read-only\|repair' "$T/out")" 0 "$1: for writing"
	check "$1: what was synced is still there" "$PYTHON" -c "$proof" "$T/mnt/file" "$n"
	n=$("$PYTHON" -c "$fill" "$T/mnt/more")
	check "$1: more can be written ($n blocks)" test "$n" -gt 100
	check "$1: unmount again" drive_unmount "$T/mnt"
	check "$1: perfect" judge "$T/host/a.img"
}

mkdir "$T/host"
if mount -t tmpfs -o size=48M tmpfs "$T/host"; then
	make_room() { mount -o remount,size=400M "$T/host"; }
	round "through the page cache"
	umount "$T/host"
else
	skip "through the page cache" "no tmpfs can be mounted"
fi
if have_loop; then
	truncate -s 400M "$T/host.img"
	mke2fs -q -t ext4 -m 0 -N 64 "$T/host.img"
	loop_mount "$T/host.img" "$T/host"
	fallocate -l 330M "$T/host/other"
	make_room() { rm "$T/host/other"; }
	round "past the page cache"
	umount "$T/host"
else
	skip "past the page cache" "$NO_LOOP"
fi
done_testing
