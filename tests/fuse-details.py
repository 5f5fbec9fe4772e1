# SPDX-License-Identifier: LGPL-2.1-or-later
# What happens to modes, groups and limits in many small operations: one line per operation, for
# tests/fuse-details.sh to compare between two file systems. fuse-details.py FOLDER
import ctypes
import errno
import mmap
import os
import socket
import stat
import sys

libc = ctypes.CDLL(None, use_errno=True)
libc.fallocate.argtypes = ctypes.c_int, ctypes.c_int, ctypes.c_long, ctypes.c_long
KEEP_SIZE, PUNCH_HOLE = 1, 2


def show(label, call):
    try:
        print(f"{label}: {call()}")
    except OSError as e:
        print(f"{label}: {errno.errorcode[e.errno]}")


def mode(name):
    return oct(stat.S_IMODE(os.lstat(name).st_mode))


def file_with_mode(name, bits, size=100):
    fd = os.open(name, os.O_CREAT | os.O_RDWR | os.O_TRUNC, 0o644)
    os.write(fd, b"x" * size)
    os.close(fd)
    os.chmod(name, bits)


def with_fd(name, flags, use):
    fd = os.open(name, flags)
    try:
        return use(fd)
    finally:
        os.close(fd)


def allocate(flags):
    def use(fd):
        result = libc.fallocate(fd, flags, 0, 10000)
        return errno.errorcode[ctypes.get_errno()] if result < 0 else "done"
    return use


def map_and_write(fd):
    with mmap.mmap(fd, 10) as m:
        m[0:1] = b"q"
        m.flush()


def copy_into(fd):
    with_fd("source", os.O_RDONLY, lambda source: os.copy_file_range(source, fd, 10))


def write_direct(fd):
    buf = mmap.mmap(-1, 4096)
    os.pwrite(fd, buf, 0)


# Who clears set-user-id and set-group-id bits, and when.
CHANGES = {
    "write": lambda f: with_fd(f, os.O_WRONLY, lambda fd: os.pwrite(fd, b"y", 0) and None),
    "write directly": lambda f: with_fd(f, os.O_WRONLY | os.O_DIRECT, write_direct),
    "append": lambda f: with_fd(f, os.O_WRONLY | os.O_APPEND, lambda fd: os.write(fd, b"y") and None),
    "write nothing": lambda f: with_fd(f, os.O_WRONLY, lambda fd: os.pwrite(fd, b"", 0)),
    "truncate": lambda f: os.truncate(f, 5),
    "truncate to the same": lambda f: os.truncate(f, 100),
    "extend": lambda f: os.truncate(f, 500),
    "ftruncate": lambda f: with_fd(f, os.O_WRONLY, lambda fd: os.ftruncate(fd, 3)),
    "open and truncate": lambda f: with_fd(f, os.O_WRONLY | os.O_TRUNC, lambda fd: None),
    "fallocate": lambda f: with_fd(f, os.O_WRONLY, allocate(0)),
    "fallocate, same size": lambda f: with_fd(f, os.O_WRONLY, allocate(KEEP_SIZE)),
    "punch": lambda f: with_fd(f, os.O_WRONLY, allocate(KEEP_SIZE | PUNCH_HOLE)),
    "map": lambda f: with_fd(f, os.O_RDWR, map_and_write),
    "copy_file_range": lambda f: with_fd(f, os.O_WRONLY, copy_into),
    "chown -1": lambda f: os.chown(f, -1, -1),
    "chown to the same": lambda f: os.chown(f, os.geteuid(), -1),
    "chgrp to the same": lambda f: os.chown(f, -1, os.getegid()),
    "link": lambda f: (os.link(f, "other"), os.unlink("other")) and None,
    "rename": lambda f: (os.rename(f, "other"), os.rename("other", f)) and None,
    "utime": lambda f: os.utime(f),
    "read": lambda f: with_fd(f, os.O_RDONLY, lambda fd: len(os.read(fd, 200))),
}


def set_id_bits():
    file_with_mode("source", 0o644)
    for bits in 0o6755, 0o6745, 0o2755, 0o2745, 0o4755, 0o2644, 0o7777:
        for name, change in CHANGES.items():
            file_with_mode("f", bits)
            show(f"{bits:o} {name}", lambda: (change("f"), mode("f")))


def created(make, name):
    make()
    st = os.lstat(name)
    return mode(name), "own group" if st.st_gid == os.getegid() else st.st_gid


def set_group_folder():
    os.mkdir("s")
    if os.geteuid() == 0:
        os.chown("s", -1, 4242)
    os.chmod("s", 0o2777)

    def open_new(name, bits):
        return created(lambda: with_fd(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, lambda fd: None)
                       if bits is None else os.close(os.open(name, os.O_CREAT, bits)), name)

    for i, bits in enumerate((0o644, 0o755, 0o2644, 0o2755, 0o6775)):
        show(f"setgid folder: file {bits:o}", lambda: open_new(f"s/f{i}", bits))
        show(f"setgid folder: folder {bits:o}",
             lambda: created(lambda: os.mkdir(f"s/d{i}", bits), f"s/d{i}"))
        show(f"setgid folder: fifo {bits:o}",
             lambda: created(lambda: os.mkfifo(f"s/p{i}", bits), f"s/p{i}"))
        show(f"plain folder: file {bits:o}", lambda: open_new(f"plain{i}", bits))
        show(f"plain folder: folder {bits:o}",
             lambda: created(lambda: os.mkdir(f"plaind{i}", bits), f"plaind{i}"))
    show("setgid folder: link", lambda: created(lambda: os.symlink("x", "s/l"), "s/l"))
    show("setgid folder: chmod", lambda: (os.chmod("s/f0", 0o2755), mode("s/f0")))
    show("setgid folder: hard link", lambda: created(lambda: os.link("plain0", "s/h"), "s/h"))


def times():
    def utimens(*values):
        if libc.utimensat(-100, b"t", (ctypes.c_long * 4)(*values), 0) < 0:
            raise OSError(ctypes.get_errno(), "utimensat")
        st = os.stat("t")
        return st.st_atime_ns if st.st_atime < 10**9 else "now", \
            st.st_mtime_ns if st.st_mtime < 10**9 else "now"

    now, omit = 0x3fffffff, 0x3ffffffe
    file_with_mode("t", 0o644)
    for values in ((1, 2, 3, 4), (0, omit, 5, 6), (7, 8, 0, omit), (0, omit, 0, omit),
                   (0, -1, 0, 0), (0, 10**9, 0, 0), (0, 0, 0, 10**9), (-5, 999999999, -7, 1),
                   (0, now, 9, 9), (9, 9, 0, now), (0, now, 0, now)):
        show(f"utimensat {values}", lambda: utimens(*values))


def limits():
    show("name of 255", lambda: os.mkdir("n" * 255))
    show("name of 256", lambda: os.mkdir("n" * 256))
    show("stat of 256", lambda: os.stat("n" * 256))
    show("name of 258 in UTF-8", lambda: os.mkdir("ế" * 86))
    show("path of 4096", lambda: os.stat("./" * 2048))
    for length in 1, 59, 60, 61, 4094, 4095, 4096:
        show(f"link of {length}", lambda: (os.symlink("s" * length, f"l{length}"),
                                           len(os.readlink(f"l{length}")),
                                           os.lstat(f"l{length}").st_size))
    vfs = os.statvfs(".")
    print(f"statvfs: {vfs.f_namemax} {vfs.f_bsize} {vfs.f_frsize}")
    show("empty link", lambda: os.symlink("", "empty"))


def special_files():
    def socket_talk():
        with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
            server.bind("socket")
            server.listen(1)
            client.connect("socket")
            client.send(b"hello")
            return server.accept()[0].recv(9)

    def fifo_talk():
        os.mkfifo("fifo")
        reader = os.open("fifo", os.O_RDONLY | os.O_NONBLOCK)
        with_fd("fifo", os.O_WRONLY, lambda fd: os.write(fd, b"hello"))
        return os.read(reader, 9), os.close(reader)

    def device():
        os.mknod("null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
        assert os.stat("null").st_rdev == os.makedev(1, 3)
        with_fd("null", os.O_RDWR, lambda fd: None)

    show("socket", socket_talk)
    show("fifo", fifo_talk)
    show("device", device)


def main():
    os.umask(0o022)
    os.chdir(sys.argv[1])
    for part in set_id_bits, set_group_folder, times, limits, special_files:
        os.mkdir(part.__name__)
        os.chdir(part.__name__)
        part()
        os.chdir("..")


main()
