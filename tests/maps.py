#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What programs see of files with block maps: prints it, so that two file systems can be compared.

    maps.py DIR BLOCK-BYTES
"""
import ctypes
import errno
import hashlib
import os
import sys

top, block = sys.argv[1], int(sys.argv[2])
pointers = block // 4
PAGE = 4096
# Where one more level of tables begins.
borders = [12 * block, (12 + pointers) * block, (12 + pointers + pointers ** 2) * block]
limit = {1024: 17247252480, 2048: 275415851008, 4096: 2196873666560}[block]
libc = ctypes.CDLL(None, use_errno=True)


def result(call, *args):
    try:
        return call(*args)
    except OSError as error:
        return errno.errorcode[error.errno]


def fallocate(fd, mode, off, length):
    if libc.fallocate(fd, mode, ctypes.c_long(off), ctypes.c_long(length)) < 0:
        raise OSError(ctypes.get_errno(), "fallocate")
    return 0


def runs(fd):
    """Where data is, from the first to the last byte. The page cache knows whole pages only."""
    found, at, size = [], 0, os.fstat(fd).st_size
    while True:
        start = result(os.lseek, fd, at, os.SEEK_DATA)
        if not isinstance(start, int):
            return found + [start]
        at = os.lseek(fd, start, os.SEEK_HOLE)
        found.append((start // PAGE * PAGE, min((at + PAGE - 1) // PAGE * PAGE, size)))


def show(name, fd, blocks=block == PAGE):
    """Blocks only where they are pages: FUSE writes whole pages."""
    os.fsync(fd)
    os.close(os.dup(fd))  # FUSE counts blocks anew after a close
    st = os.fstat(fd)
    parts = [os.pread(fd, min(end - start, 1 << 20), start) for start, end in runs(fd)[:-1]]
    print(name, st.st_size, st.st_blocks if blocks else "-", runs(fd), hash_of(parts))


def hash_of(parts):
    return hashlib.sha1(b"".join(parts)).hexdigest()[:12]


def data(seed, length):
    return (bytes((i * 7 + seed) % 251 + 1 for i in range(251)) * (length // 251 + 1))[:length]


def new(name):
    return os.open(os.path.join(top, name), os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o644)


def sparse_files():
    for number, border in enumerate(borders):
        for name, off, length in (
            ("before", border - PAGE, PAGE), ("after", border, 10), ("across", border - 777, 2000),
            ("far", border + 3 * pointers * PAGE + 5, 3 * PAGE),
        ):
            fd = new(f"{name}-{number}")
            os.pwrite(fd, data(number, length), off)
            show(f"{name}-{number}", fd)
            # Shorter, longer, and written again in the middle.
            os.ftruncate(fd, off + length // 2)
            show(" shorter", fd)
            os.ftruncate(fd, off + 10 * PAGE)
            os.pwrite(fd, data(9, PAGE), off // PAGE * PAGE + 9 * PAGE)
            show(" longer", fd)
            os.ftruncate(fd, 1)
            show(" one byte", fd)
            os.close(fd)
            fd = os.open(os.path.join(top, f"{name}-{number}"), os.O_RDWR | os.O_TRUNC)
            show(" emptied", fd)
            os.close(fd)


def dense_file():
    """Written in pieces from the end to the start."""
    fd = new("dense")
    end = borders[1] + 3 * pointers * block
    for off in reversed(range(0, end, 1 << 19)):
        os.pwrite(fd, data(off >> 19, 1 << 19), off)
    show("dense", fd)
    for size in (borders[1] + block, borders[1], borders[0] + 1, 5):
        os.ftruncate(fd, size)
        show(f" {size}", fd)
    os.close(fd)


def holes():
    fd = new("holes")
    for start in (0, borders[0] + 20 * PAGE, borders[1] - 5 * PAGE, borders[2] - 5 * PAGE):
        os.pwrite(fd, data(1, 20 * PAGE), start)
    show("holes", fd)
    for off, length in (
        (PAGE // 2, 10), (3 * PAGE + 5, 5 * PAGE), (borders[0] - 2 * PAGE, 9 * PAGE),
        (borders[1] - PAGE - 3, borders[2] - borders[1]), (borders[2], 1 << 20),
    ):
        # Which of the tables that become empty go at once is nobody's business.
        print("punch", off, length, result(fallocate, fd, 3, off, length))
        show(" punched", fd, blocks=False)
    os.ftruncate(fd, 0)
    show("no holes", fd)
    for mode in (0, 1, 2, 8, 16, 17, 32):
        print("fallocate", mode, result(fallocate, fd, mode, 0, 4 * block))
    os.close(fd)


def limits():
    fd = new("limits")
    for size in (limit + 1, 1 << 50, limit, limit - 1):
        print("truncate", size, result(os.ftruncate, fd, size))
    os.pwrite(fd, b"last", limit - 4)
    show("limits", fd)
    print(os.pread(fd, 10, limit - 5))
    os.close(fd)


def names():
    folder = os.path.join(top, "names")
    os.mkdir(folder)
    for i in range(1500):
        os.close(os.open(os.path.join(folder, f"a rather long name, number {i}"), os.O_CREAT, 0o600))
    os.mkdir(os.path.join(folder, "sub"))
    os.symlink("t" * (block - 1 if block < 4096 else 4000), os.path.join(folder, "longest"))
    print("link", result(os.symlink, "t" * (block if block < 4096 else 4095), folder + "/too long"))
    for i in range(0, 1500, 3):
        os.unlink(os.path.join(folder, f"a rather long name, number {i}"))
    print(len(os.listdir(folder)), os.stat(folder).st_nlink)
    print(len(os.readlink(os.path.join(folder, "longest"))))


def times():
    """For a look after the next mount: until then the kernel may show what was set."""
    for number, seconds in enumerate((
        0, -1, -(1 << 31), (1 << 31) - 1, 1 << 31, (1 << 34) - (1 << 31) - 1, 1 << 34,
        -(1 << 31) - 1, 1 << 40,
    )):
        path = os.path.join(top, f"time-{number}")
        os.close(os.open(path, os.O_CREAT, 0o600))
        ns = seconds * 10 ** 9 + 123456789
        os.utime(path, ns=(ns, ns))


sparse_files()
dense_file()
holes()
limits()
names()
times()
