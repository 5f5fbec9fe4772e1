#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Names at the limits, and files larger than 4 GiB.
. "$(dirname "$0")/lib.sh"
need_fuse
need_command cryptsetup e2fsck dumpe2fs

must "format" new_drive "$T/a.img" 512M
must "mount" drive_mount "$T/a.img" "$T/mnt"
cd "$T/mnt" || exit 99

n255=$(printf 'a%.0s' {1..255})
viet=$(printf 'ữ%.0s' {1..85})
check "a name of 255 bytes" touch "$n255"
check "a Vietnamese name of 255 bytes" touch "$viet"
check "a folder with a name of 255 bytes" mkdir "d${n255:1}"
check_status 1 "a name of 256 bytes is refused" touch "${n255}b"
said 'File name too long' "... as too long"
check_status 1 "rename to 256 bytes is refused" mv "$n255" "${n255}b"
check_status 1 "a symbolic link of 256 bytes is refused" ln -s x "${n255}b"
check "bytes that are no UTF-8" touch $'\xff\xfe bytes'
check "a newline and a quote" touch $'line\nbreak "quoted" \\'
# The same word in composed and decomposed form is two names.
check "composed" bash -c 'echo 1 >"$1"' - $'ti\u1ebfng'
check "decomposed" bash -c 'echo 2 >"$1"' - $'tie\u0302\u0301ng'
is "$(cat $'ti\u1ebfng' $'tie\u0302\u0301ng' | tr -d '\n')" 12 "composed and decomposed names differ"
check "a folder for case" mkdir case
check "upper and lower case" bash -c 'cd "$1" && touch Đ đ A a' - case
is "$(ls case | wc -l)" 4 "upper and lower case differ"

# 200 levels of 100 bytes: paths far longer than PATH_MAX, reached step by step.
level=$(printf 'thư-mục-%.0s' {1..9})x
check "200 levels deep" "$PYTHON" -c 'import os, sys
for i in range(200):
    os.mkdir(sys.argv[1])
    os.chdir(sys.argv[1])
open("bottom", "w").write("deep")' "$level"
walk='import os, sys
for i in range(200):
    os.chdir(sys.argv[1])
assert open("bottom").read() == "deep"
for i in range(200):
    os.chdir("..")
assert os.stat(".").st_ino == int(sys.argv[2])'
check "down and up again" "$PYTHON" -c "$walk" "$level" "$(stat -c %i .)"
check "a link of 4095 bytes" ln -s "$(printf 'p%.0s' {1..4095})" long-link
is "$(readlink long-link | wc -c)" 4096 "it reads back whole"

# Three data runs: at the start, across 4 GiB, at the end of a 5 GiB file; and the same by memory map.
big='import hashlib, mmap, os, random, sys
G = 1 << 30
runs = [(0, 8 << 20), (4 * G - (4 << 20), 8 << 20), (5 * G - 12345, 12345)]
name, mode = sys.argv[1:]
r = random.Random(5)
fd = os.open(name, os.O_RDWR | os.O_CREAT, 0o644)
for at, size in runs:
    data = r.randbytes(size)
    if mode == "write":
        for i in range(0, size, 1 << 20):
            os.pwrite(fd, data[i:i + (1 << 20)], at + i)
    else:
        got = b"".join(os.pread(fd, 1 << 20, at + i) for i in range(0, size, 1 << 20))
        assert got == data, at
assert os.fstat(fd).st_size == 5 * G
assert os.pread(fd, 4096, 2 * G) == bytes(4096)
assert os.lseek(fd, 1 * G, os.SEEK_DATA) == 4 * G - (4 << 20)
assert os.lseek(fd, 4 * G, os.SEEK_HOLE) == 4 * G + (4 << 20)
assert os.fstat(fd).st_blocks * 512 < 20 << 20
os.close(fd)'
check "a file of 5 GiB with holes" "$PYTHON" -c "$big" big write
check "it reads back" "$PYTHON" -c "$big" big read

ls -A >"$T/before"
cd "$T" || exit 99
check "unmount" drive_unmount "$T/mnt"
check "perfect" judge "$T/a.img"
must "mount again" drive_mount "$T/a.img" "$T/mnt"
cd "$T/mnt" || exit 99
ls -A >"$T/after"
check "all names are there" cmp "$T/before" "$T/after"
check "the large file is whole" "$PYTHON" -c "$big" big read
check "the deep folder is whole" "$PYTHON" -c "$walk" "$level" "$(stat -c %i .)"
check "the large file becomes short" truncate -s 1000 big
check "the deep folder is removed" rm -rf "$level"
is "$(ls -A "$T/mnt" | grep -c thư-mục)" 0 "it is gone"
cd "$T" || exit 99
check "unmount again" drive_unmount "$T/mnt"
check "still perfect" judge "$T/a.img"
done_testing
