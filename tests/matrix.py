#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The tree of tests/matrix.sh, the same on every file system.

    matrix.py fill DIR          lays it down
    matrix.py change DIR        creates, deletes, grows, shrinks, renames, links
    matrix.py digest DIR [-x]   prints all of it, with -x extended attributes as well

All times are whole seconds, which every size of inode can store.
"""
import hashlib
import os
import random
import stat
import sys

EPOCH = 1600000000


def data(size, seed):
    return random.Random(seed).randbytes(size)


def put(path, content, at=0):
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    while content:
        done = os.pwrite(fd, content, at)
        content, at = content[done:], at + done
    os.close(fd)


def settle(top):
    """Times of everything, the same for all names of a file, whatever order folders list them in."""
    for folder, dirs, files in os.walk(top):
        for name in files + dirs:
            path = os.path.join(folder, name)
            st = os.lstat(path)
            when = EPOCH + (len(name) if stat.S_ISDIR(st.st_mode) else st.st_size)
            os.utime(path, (when, when), follow_symlinks=False)
    os.utime(top, (EPOCH, EPOCH))


def fill(top):
    os.makedirs(top + "/folder/sub/deeper")
    os.mkdir(top + "/many")
    os.mkdir(top + "/empty")
    os.mkdir(top + "/set-id", 0o755)
    os.chmod(top + "/set-id", 0o3770)
    for size in (0, 1, 59, 60, 156, 500, 1023, 1024, 4096, 4097, 12288, 65537, 1500000):
        put("%s/size-%d" % (top, size), data(size, size))
    put(top + "/sparse", data(3000, 1), 5000)
    put(top + "/sparse", data(3000, 2), 700000)
    os.truncate(top + "/sparse", 900001)
    put(top + "/far", data(10, 3), 20 << 20)
    for i in range(20):
        put(top + "/fragments", data(1024, i), i * 16384)
    for i in range(260):
        put("%s/many/%s-%d" % (top, "n" * (i % 40), i), data(i % 7, i))
    put("%s/%s" % (top, "ế" * 85), b"long name")
    put(top + "/folder/sub/deeper/Công văn số 12 (đã ký).txt", b"xin chao")
    os.symlink("size-1", top + "/link-fast")
    os.symlink("s" * 59, top + "/link-59")
    os.symlink("s" * 60, top + "/link-60")
    os.symlink("long/" * 120, top + "/link-slow")
    os.link(top + "/size-4096", top + "/folder/hard")
    os.mkfifo(top + "/fifo")
    os.mknod(top + "/char", 0o20640, os.makedev(5, 1))
    os.mknod(top + "/block", 0o60640, os.makedev(300, 70000))
    os.chmod(top + "/size-60", 0o4751)
    os.chown(top + "/size-1024", 70000, 80000)
    os.chown(top + "/folder", 1000, 1000)


def attributes(top):
    """Where the file system has them."""
    try:
        os.setxattr(top + "/size-500", "user.small", b"small")
        os.setxattr(top + "/size-500", "user.large", data(700, 9))
        os.setxattr(top + "/folder", "user.folder", b"on a folder")
    except OSError:
        pass


def change(top):
    for size in (0, 1, 5000, 70000, 1700000):
        put("%s/new-%d" % (top, size), data(size, -size - 1))
    put(top + "/new-sparse", data(3000, 11), 333333)
    os.truncate(top + "/new-sparse", 777777)
    for size in (0, 156, 12288):
        os.unlink("%s/size-%d" % (top, size))
    os.unlink(top + "/link-slow")
    os.unlink(top + "/link-60")
    os.unlink(top + "/fifo")
    os.unlink(top + "/char")
    os.rmdir(top + "/empty")
    change_old(top)
    os.rename(top + "/size-4097", top + "/folder/moved")
    os.rename(top + "/size-1023", top + "/size-1024")
    os.rename(top + "/folder/sub", top + "/many/sub")
    os.mkdir(top + "/folder/new")
    os.rename(top + "/folder/new", top + "/set-id/new")
    os.link(top + "/new-5000", top + "/set-id/new/hard-1")
    os.link(top + "/folder/hard", top + "/hard-2")
    os.symlink("t" * 59, top + "/folder/link-59")
    os.symlink("t" * 900, top + "/folder/link-900")
    os.mkfifo(top + "/folder/fifo")
    os.mknod(top + "/folder/char", 0o20600, os.makedev(1, 300))
    for i in range(0, 260, 2):
        os.unlink("%s/many/%s-%d" % (top, "n" * (i % 40), i))
    for i in range(300):
        put("%s/many/%s+%d" % (top, "ư" * (i % 50), i), data(i % 5, i))
    for i in range(40):
        os.mkdir("%s/set-id/new/dir-%d" % (top, i))
    os.chmod(top + "/size-59", 0o600)
    os.chown(top + "/hard-2", 123456, 654321)


def change_old(top):
    """Files that were there before: their maps grow and shrink."""
    put(top + "/size-65537", data(100000, 21), 65537)
    put(top + "/size-1500000", data(5000, 22), 700000)
    put(top + "/sparse", data(9000, 23), 300000)
    put(top + "/size-59", data(3000, 24), 59)
    os.truncate(top + "/size-1500000", 1000001)
    os.truncate(top + "/fragments", 100000)
    os.truncate(top + "/far", 1 << 20)
    os.truncate(top + "/size-60", 10)


def one(path, st):
    if stat.S_ISREG(st.st_mode):
        with open(path, "rb") as f:
            digest = hashlib.blake2b(digest_size=16)
            while chunk := f.read(1 << 20):
                digest.update(chunk)
        return "%d %s" % (st.st_size, digest.hexdigest())
    if stat.S_ISLNK(st.st_mode):
        return os.readlink(path)
    if stat.S_ISDIR(st.st_mode):
        return "-"
    return "%d:%d" % (os.major(st.st_rdev), os.minor(st.st_rdev))


def digest(top, with_attributes):
    for folder, dirs, files in os.walk(top):
        dirs[:] = sorted(d for d in dirs if (folder, d) != (top, "lost+found"))
        for name in sorted(files + dirs):
            path = os.path.join(folder, name)
            st = os.lstat(path)
            print(os.path.relpath(path, top), oct(st.st_mode), st.st_nlink,
                  "%d:%d" % (st.st_uid, st.st_gid), st.st_mtime_ns, one(path, st))
    if with_attributes:
        for name in ("size-500", "folder"):
            path = os.path.join(top, name)
            print(name, sorted((a, os.getxattr(path, a)) for a in os.listxattr(path)))


command, top = sys.argv[1:3]
if command == "fill":
    fill(top)
    attributes(top)
    settle(top)
elif command == "change":
    change(top)
    settle(top)
else:
    digest(top, "-x" in sys.argv)
