#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What fallocate, holes and limits look like to programs, on the file system of a folder.

    fallocate.py DIR SEED

The output must be the same on the kernel's ext4 and on ours.
"""
import ctypes
import errno
import hashlib
import mmap
import os
import random
import resource
import signal
import subprocess
import sys

KEEP, PUNCH, NO_HIDE, COLLAPSE, ZERO, INSERT = 1, 2, 4, 8, 16, 32
libc = ctypes.CDLL(None, use_errno=True)
libc.fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]
top, seed = sys.argv[1], int(sys.argv[2])


def call(fn, *args):
    try:
        return fn(*args)
    except OSError as e:
        return errno.errorcode[e.errno]


def fallocate(fd, mode, off, length):
    if libc.fallocate(fd, mode, off, length) < 0:
        raise OSError(ctypes.get_errno(), "fallocate")
    return 0


def seek_map(fd):
    found, at = [], 0
    while True:
        try:
            start = os.lseek(fd, at, os.SEEK_DATA)
        except OSError as e:
            return found + [errno.errorcode[e.errno]]
        at = os.lseek(fd, start, os.SEEK_HOLE)
        found.append((start, at))


def content(fd):
    digest, at = hashlib.sha256(), 0
    while True:
        data = os.pread(fd, 1 << 20, at)
        if not data:
            return digest.hexdigest()[:16]
        digest.update(data)
        at += len(data)


def show(what, fd, *more, tree=False):
    """Only what is on the drive: pages read ahead of unwritten blocks are data to the kernel. FUSE
    writes whole pages, so with smaller blocks it has more of them. tree: the kernel may have kept
    a block of the extent tree that is not needed any more."""
    first = content(fd)
    os.fsync(fd)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(os.dup(fd)) # FUSE in the kernel asks for st_blocks again after a close
    st = os.fstat(fd)
    blocks = ()
    if os.statvfs(top).f_bsize == mmap.PAGESIZE:
        blocks = (0 if tree else st.st_blocks, seek_map(fd))
    print(what, *more, st.st_size, *blocks, content(fd), first)


def new(name, flags=0):
    return os.open(top + "/" + name, os.O_RDWR | os.O_CREAT | os.O_TRUNC | flags, 0o644)


def pattern(length, salt):
    return bytes((i * 7 + salt) % 251 + 1 for i in range(length))


def test_modes():
    fd = new("modes")
    os.pwrite(fd, pattern(5000, 1), 0)
    for mode in (0, KEEP, PUNCH | KEEP, ZERO, ZERO | KEEP, PUNCH, PUNCH | ZERO | KEEP, NO_HIDE, COLLAPSE | KEEP,
                 INSERT | KEEP, 1 << 20):
        print("mode", mode, [call(fallocate, fd, mode, off, length) for off, length in
                             ((0, 0), (-1, 5), (5, -1), (1 << 62, 1 << 62), (1 << 60, 5))])
    print("read-only", call(fallocate, os.open(top + "/modes", os.O_RDONLY), 0, 0, 10))
    print("folder", call(fallocate, os.open(top, os.O_RDONLY), 0, 0, 10))
    show("after all", fd)


def test_behind_end():
    fd = new("end")
    os.pwrite(fd, pattern(5000, 2), 0)
    for mode, off, length in ((KEEP, 0, 100000), (PUNCH | KEEP, 8192, 50000), (PUNCH | KEEP, 4000, 50000),
                              (ZERO | KEEP, 3000, 20000), (ZERO, 3000, 20000), (PUNCH | KEEP, 0, 1 << 40),
                              (0, 30000, 5), (KEEP, 1 << 20, 1 << 16)):
        show("end", fd, mode, off, length, call(fallocate, fd, mode, off, length))
    os.ftruncate(fd, 40000)
    show("grown", fd)
    os.ftruncate(fd, 1000)
    show("shrunk", fd)


def test_random():
    rand = random.Random(seed)
    limit, fd = 600000, new("random")
    for step in range(150):
        off = rand.randrange(limit)
        length = rand.choice((1, 100, 4096, 5000, 20000, 100000)) + rand.randrange(3)
        if rand.random() < 0.4:
            off, length = off & ~4095, (length + 4095) & ~4095
        kind = rand.randrange(10)
        if kind < 3:
            os.pwrite(fd, pattern(length, step), off)
        elif kind == 3:
            os.ftruncate(fd, off)
        elif kind == 4:
            os.fsync(fd)
        else:
            mode = rand.choice((0, KEEP, PUNCH | KEEP, PUNCH | KEEP, ZERO, ZERO | KEEP))
            print("random", step, mode, off, length, call(fallocate, fd, mode, off, length),
                  os.fstat(fd).st_size, content(fd))
        if step % 7 == 0:
            show("random", fd, step, tree=True)
    show("random", fd, tree=True)


def test_mapped():
    fd = new("mapped")
    os.pwrite(fd, pattern(65536, 3), 0)
    with mmap.mmap(fd, 65536) as view:
        view[10000:20000] = pattern(10000, 4)
        print("punch under a mapping", call(fallocate, fd, PUNCH | KEEP, 12000, 20000))
        print(hashlib.sha256(view[:]).hexdigest()[:16], view[11999], view[12000], view[31999], view[32000])
        view[15000:15003] = b"abc"
        print("zero under a mapping", call(fallocate, fd, ZERO, 14000, 5000), view[15000:15003])
        view[40000] = 7
        view.flush()
        os.fsync(fd)
    print("mapped", os.fstat(fd).st_size, content(fd)) # which blocks depends on the folios' size


def test_direct():
    fd, direct = new("direct"), os.open(top + "/direct", os.O_RDWR | os.O_DIRECT)
    buf = mmap.mmap(-1, 65536)
    buf[:] = pattern(65536, 5)
    print(call(fallocate, fd, 0, 0, 200000), call(os.pwritev, direct, [buf], 65536))
    show("direct", fd)
    print(call(fallocate, fd, PUNCH | KEEP, 70000, 30000), call(os.preadv, direct, [buf], 65536))
    print(hashlib.sha256(buf[:]).hexdigest()[:16])
    show("direct", fd)


def test_limits():
    block = os.statvfs(top).f_bsize
    biggest = ((1 << 32) - 1) * block
    fd = new("limits")
    direct = os.open(top + "/limits", os.O_RDWR | os.O_DIRECT)
    buf = mmap.mmap(-1, 8192)
    print("truncate", call(os.ftruncate, fd, biggest + 1), call(os.ftruncate, fd, biggest),
          os.fstat(fd).st_size == biggest)
    print("at the end", call(os.pread, fd, 5, biggest), call(os.pread, fd, 5, biggest + 5),
          call(os.pwrite, fd, b"", biggest))
    print("direct", call(os.pwritev, direct, [buf], biggest + block if block == 4096 else biggest + 1024))
    start = biggest - 4096
    # The kernel makes EIO of a FUSE server's short direct write, so ours says why instead.
    print("cut off", call(os.pwritev, direct, [buf], start) in (4096, "EFBIG"))
    print("last byte", call(os.pwrite, fd, b"z", biggest - 1), call(os.pread, fd, 10, biggest - 1))
    print("fallocate", call(fallocate, fd, KEEP, biggest - 4096, 4096), call(fallocate, fd, KEEP, biggest - 4096, 4097),
          call(fallocate, fd, PUNCH | KEEP, biggest - 4096, 4096), call(fallocate, fd, ZERO, biggest, 1))
    # The kernel's ext4 punches nothing behind the reach of block maps, up to 6.15 and wherever that was not mended.
    old = tuple(map(int, os.uname().release.split("-")[0].split(".")[:2])) < (6, 16)
    punched = call(os.pread, fd, 10, biggest - 1)
    print(os.fstat(fd).st_size == biggest, punched == b"\0" or (old and punched == b"z"))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    fd = new("rlimit")
    resource.setrlimit(resource.RLIMIT_FSIZE, (100000, resource.RLIM_INFINITY))
    print("rlimit", call(fallocate, fd, 0, 0, 100001), call(fallocate, fd, KEEP, 0, 100001), call(fallocate, fd, ZERO, 0, 100001),
          call(os.ftruncate, fd, 100001), call(os.pwrite, fd, bytes(10), 99995), call(os.pwrite, fd, b"x", 100000))
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    show("rlimit", fd)


def test_flags():
    for flag in ("a", "i"):
        fd = new("flag-" + flag)
        os.pwrite(fd, pattern(9000, 6), 0)
        os.fsync(fd)
        subprocess.run(["chattr", "+" + flag, top + "/flag-" + flag], check=True)
        print("chattr +" + flag, [call(fallocate, fd, mode, 0, 20000) for mode in (0, KEEP, PUNCH | KEEP, ZERO)])
        subprocess.run(["chattr", "-" + flag, top + "/flag-" + flag], check=True)
        show("flag", fd)


def test_times():
    fd = new("times")
    os.pwrite(fd, pattern(9000, 7), 0)
    for mode in (0, KEEP, PUNCH | KEEP, ZERO):
        os.utime(fd, (1, 1))
        print("times", mode, call(fallocate, fd, mode, 0, 5000), os.fstat(fd).st_mtime > 1e9, os.fstat(fd).st_atime)


for test in (test_modes, test_behind_end, test_random, test_mapped, test_direct, test_limits, test_flags, test_times):
    test()
