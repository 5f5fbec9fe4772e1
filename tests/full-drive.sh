#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A drive filled to the last block and the last inode, and emptied again.
. "$(dirname "$0")/lib.sh"
need_fuse
need_command cryptsetup e2fsck dumpe2fs

free_counts() {
	stat -f -c '%f %d' "$T/mnt"
}

# What a deleted file had is free when the kernel has forgotten the file, a moment after rm has returned.
all_is_back() { # DESCRIPTION
	local i
	for ((i = 0; i < 100; i++)); do
		[ "$(free_counts)" = "$before" ] && break
		sleep 0.1
	done
	is "$(free_counts)" "$before" "$1"
}

remount() { # WHAT
	check "unmount, $1" drive_unmount "$T/mnt"
	check "perfect, $1" judge "$T/a.img"
	must "mount again, $1" drive_mount "$T/a.img" "$T/mnt"
}

must "format" new_drive "$T/a.img" 80M
must "mount" drive_mount "$T/a.img" "$T/mnt"
before=$(free_counts)
check "the drive is not tiny" test "${before%% *}" -gt 10000

# One large file: an error must reach somebody, and what was promised must be there.
dd if=/dev/urandom of="$T/random" bs=1M count=100 status=none
check_status 1 "more than fits is not swallowed" \
	dd if="$T/random" of="$T/mnt/large" bs=1M conv=fsync status=none
said 'No space left' "the error is 'no space'"
check_status 1 "nor is one block more" \
	dd if=/dev/urandom of="$T/mnt/one-more" bs=1M count=8 conv=fsync status=none
check "what is full can be read" cat "$T/mnt/large"
remount "full"
# What was accepted before the drive was full is there; the kernel's write-back cache accepts more
# than fits, and tells at fsync or close. Those bytes are a hole, never something else.
check "what is there is right, the rest is a hole" "$PYTHON" -c 'import os, sys
fd, right = os.open(sys.argv[1], os.O_RDONLY), open(sys.argv[2], "rb").read()
size, at, data = os.fstat(fd).st_size, 0, 0
got = b"".join(iter(lambda: os.read(fd, 1 << 20), b""))
assert len(got) == size <= len(right)
while True:
    try:
        start = os.lseek(fd, at, os.SEEK_DATA)
    except OSError:
        break
    at = os.lseek(fd, start, os.SEEK_HOLE)
    assert got[start:at] == right[start:at], start
    data += at - start
print(data, "bytes of data")
assert data > 40000000
for i in range(0, size, 4096):
    assert got[i:i + 4096] in (right[i:i + len(got[i:i + 4096])], bytes(len(got[i:i + 4096]))), i' \
	"$T/mnt/large" "$T/random"
check "full drives list" ls -l "$T/mnt"
check "and delete" rm -f "$T/mnt/large" "$T/mnt/one-more"
sync -f "$T/mnt"
all_is_back "all blocks and inodes are back"

# Nobody may write on and on because the kernel still takes it: the next write tells, after the first that was refused.
for flags in '' conv=notrunc; do
	check_status 1 "writing until it is full ends ${flags:-(a new file)}" \
		timeout 60 dd if=/dev/zero of="$T/mnt/endless" bs=64k $flags
	said 'error writing.*No space left' "a write says 'no space'"
done
# On a full drive what is new is refused at once: a shell does not mind what close says.
if kernel_before 6.6; then
	skip "a small new file" "before Linux 6.6 only close tells"
else
	check_status 1 "a small new file" bash -c 'echo line >"$1"' - "$T/mnt/new"
	check_status 1 "a line more" bash -c 'echo line >>"$1"' - "$T/mnt/new"
	is "$(stat -c %s "$T/mnt/new")" 0 "has nothing that was not taken"
fi
check "who makes room goes on with the same file" "$PYTHON" -c 'import errno, os, sys
def fill(fd):
    try:
        while True:
            os.write(fd, bytes(1 << 16))
    except OSError as e:
        assert e.errno == errno.ENOSPC, e
f = os.open(sys.argv[1] + "/goes-on", os.O_RDWR | os.O_CREAT)
fill(f)
os.ftruncate(f, 0)
try:
    os.fsync(f)
except OSError:
    pass # what was refused is told once
os.unlink(sys.argv[1] + "/endless")
os.sync()
for i in range(100):
    os.pwrite(f, b"%08d" % i * 8192, i << 16)
os.fsync(f)
fill(os.open(sys.argv[1] + "/goes-on", os.O_WRONLY | os.O_APPEND))
for i in range(100):
    assert os.pread(f, 1 << 16, i << 16) == b"%08d" % i * 8192, i' "$T/mnt"
check "and delete again" rm -f "$T/mnt/endless" "$T/mnt/new" "$T/mnt/goes-on"
sync -f "$T/mnt"
all_is_back "and again all blocks and inodes are back"

# The last inode: small files until it does not go on.
fill='import os, sys
os.makedirs(sys.argv[1], exist_ok=True)
n = 0
try:
    while True:
        with open("%s/f%d" % (sys.argv[1], n), "w") as f:
            f.write("%d\n" % n)
        n += 1
except OSError as e:
    print(n, e.errno)'
result=$("$PYTHON" -c "$fill" "$T/mnt/many")
is "${result#* }" 28 "small files end with ENOSPC"
check "thousands of them fit (${result% *})" test "${result% *}" -gt 3000
remount "with small files"
n=$(find "$T/mnt/many" -type f | wc -l)
check "they are there after remount ($n)" test "$n" -ge "${result% *}"
wrong=$("$PYTHON" -c 'import sys
print(sum(open("%s/f%d" % (sys.argv[1], i)).read() != "%d\n" % i for i in range(int(sys.argv[2]))))' \
	"$T/mnt/many" "${result% *}")
is "$wrong" 0 "each holds its number"
check "all deleted" rm -rf "$T/mnt/many"
sync -f "$T/mnt"
all_is_back "again all blocks and inodes are back"

# In the holes that small files leave a large one must still fit.
"$PYTHON" -c "$fill" "$T/mnt/holes" >"$T/out"
check "every second file deleted" bash -c 'cd "$1" && rm -f f*[02468]' - "$T/mnt/holes"
check "a file in the gaps" dd if="$T/random" of="$T/mnt/gaps" bs=1M count=4 conv=fsync status=none
remount "with gaps"
check "the file in the gaps is right" cmp -n 4194304 "$T/mnt/gaps" "$T/random"
check "all deleted at the end" rm -rf "$T/mnt/holes" "$T/mnt/gaps"
remount "empty"
all_is_back "free counts as on the first day"
check "unmount" drive_unmount "$T/mnt"
done_testing
