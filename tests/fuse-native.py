# SPDX-License-Identifier: LGPL-2.1-or-later
# What programs may expect of the kernel's ext4 beyond plain files, one case per call:
# fuse-native.py CASE FOLDER. Cases whose name begins with check_ look at what an earlier case left
# behind, after a remount.
import ctypes
import errno
import fcntl
import mmap
import os
import stat
import struct
import sys
import time

libc = ctypes.CDLL(None, use_errno=True)
AT_FDCWD, AT_SYMLINK_NOFOLLOW, AT_SYMLINK_FOLLOW, AT_EMPTY_PATH = -100, 0x100, 0x400, 0x1000
STATX_BASIC_STATS, STATX_BTIME = 0x7ff, 0x800


def fails(code, call, *args, **kwargs):
    try:
        call(*args, **kwargs)
    except OSError as e:
        assert e.errno == code, f"{call.__name__}{args}: {e}, wanted {errno.errorcode[code]}"
        return
    raise AssertionError(f"{call.__name__}{args} worked, wanted {errno.errorcode[code]}")


def checked(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


# ---- statx ----


def statx(path, mask=STATX_BASIC_STATS | STATX_BTIME):
    """(mask, birth time, modification time, mode, links, size), times in nanoseconds."""
    buf = ctypes.create_string_buffer(256)
    checked(libc.statx(AT_FDCWD, path.encode(), AT_SYMLINK_NOFOLLOW, mask, buf))
    filled, = struct.unpack_from("=I", buf.raw, 0)
    nlink, = struct.unpack_from("=I", buf.raw, 16)
    mode, = struct.unpack_from("=H", buf.raw, 28)
    size, = struct.unpack_from("=Q", buf.raw, 40)
    birth = struct.unpack_from("=qI", buf.raw, 80)
    modified = struct.unpack_from("=qI", buf.raw, 112)
    return (filled, birth[0] * 10**9 + birth[1], modified[0] * 10**9 + modified[1], mode, nlink,
            size)


def birth():
    """The time of birth is that of making, whatever happens to the file."""
    before = time.time_ns() - 10**8  # the clock of file systems ticks slowly
    with open("born", "w") as f:
        f.write("12345")
    os.mkdir("born.dir")
    os.symlink("born", "born.link")
    after = time.time_ns()
    for name in "born", "born.dir", "born.link":
        filled, born, modified, mode, nlink, size = statx(name)
        st = os.lstat(name)
        assert filled & STATX_BTIME, f"{name}: no time of birth"
        assert filled & STATX_BASIC_STATS == STATX_BASIC_STATS
        assert before <= born <= after, f"{name}: {before} {born} {after}"
        assert born <= modified
        assert (mode, nlink, size) == (st.st_mode, st.st_nlink, st.st_size)
    born = statx("born")[1]
    os.utime("born", (1, 1))
    with open("born", "a") as f:
        f.write("6")
    assert statx("born")[1] == born and statx("born")[5] == 6
    with open("born.time", "w") as f:
        f.write(str(born))


def check_birth():
    assert statx("born")[1] == int(open("born.time").read())


# ---- files without a name ----


def linkat(fd, name, by_proc):
    if by_proc:
        checked(libc.linkat(AT_FDCWD, f"/proc/self/fd/{fd}".encode(), AT_FDCWD, name.encode(),
                            AT_SYMLINK_FOLLOW))
    else:
        checked(libc.linkat(fd, b"", AT_FDCWD, name.encode(), AT_EMPTY_PATH))


def open_tmpfile(flags=0, mode=0o666, folder="."):
    return os.open(folder, os.O_TMPFILE | os.O_RDWR | flags, mode)


def tmpfile():
    """Made without a name, written, named, and all of it is there."""
    os.umask(0o026)
    free = os.statvfs(".").f_ffree
    fd = open_tmpfile()
    st = os.fstat(fd)
    assert (stat.S_IMODE(st.st_mode), st.st_nlink, st.st_size) == (0o640, 0, 0)
    assert (st.st_uid, st.st_gid) == (os.geteuid(), os.getegid())
    data = os.urandom(3000000)
    os.write(fd, data)
    assert os.pread(fd, 4000000, 0) == data
    assert os.listdir(".") == []
    linkat(fd, "named", True)
    assert os.fstat(fd).st_nlink == 1 and os.stat("named").st_ino == st.st_ino
    os.link("named", "second")
    assert os.fstat(fd).st_nlink == 2
    os.unlink("second")
    os.unlink("named")
    fails(errno.ENOENT, linkat, fd, "again", True)
    os.write(fd, b"more")
    assert os.pread(fd, 10, 3000000) == b"more"
    os.close(fd)
    fd = open_tmpfile(os.O_EXCL)
    fails(errno.ENOENT, linkat, fd, "never", True)
    os.close(fd)
    for _ in range(100):
        if os.statvfs(".").f_ffree >= free:
            break
        time.sleep(0.1)
    else:
        raise AssertionError("an inode is lost")
    fails(errno.EINVAL, os.open, ".", os.O_TMPFILE | os.O_RDONLY)
    fails(errno.ENOTDIR, open_tmpfile, folder="/dev/null")
    fd = open_tmpfile()
    os.write(fd, b"kept")
    linkat(fd, "kept", True)
    fails(errno.EEXIST, linkat, fd, "kept", True)
    os.close(fd)
    if os.geteuid() == 0:  # needs CAP_DAC_READ_SEARCH
        fd = open_tmpfile()
        linkat(fd, "kept.empty-path", False)
        os.close(fd)


def check_tmpfile():
    assert open("kept").read() == "kept" and os.stat("kept").st_nlink == 1


def tmpfile_group():
    """The group of a set-group-id folder, as for a file with a name."""
    os.mkdir("sgid")
    os.chown("sgid", -1, 4242)
    os.chmod("sgid", 0o2777)
    fd = open_tmpfile(folder="sgid")
    assert os.fstat(fd).st_gid == 4242
    os.close(fd)


def tmpfile_removed():
    """Not in a folder that is gone."""
    os.mkdir("gone")
    fd = os.open("gone", os.O_RDONLY | os.O_DIRECTORY)
    os.rmdir("gone")
    fails(errno.EPERM, os.open, ".", os.O_TMPFILE | os.O_RDWR, 0o600, dir_fd=fd)
    os.close(fd)


# ---- chattr ----

FS_IOC_GETFLAGS, FS_IOC_SETFLAGS = 0x80086601, 0x40086602
FS_IOC_FSGETXATTR, FS_IOC_FSSETXATTR = 0x801c581f, 0x401c5820
FS_IOC_GETVERSION, FS_IOC_SETVERSION = 0x80087601, 0x40087602
SECRM, UNRM, COMPR, SYNC, IMMUTABLE, APPEND, NODUMP, NOATIME = (1 << i for i in range(8))
JOURNAL_DATA, NOTAIL, DIRSYNC, TOPDIR, EXTENTS = 0x4000, 0x8000, 0x10000, 0x20000, 0x80000
EOFBLOCKS, DAX, PROJINHERIT, CASEFOLD = 0x400000, 0x2000000, 0x20000000, 0x40000000
XFLAG_IMMUTABLE, XFLAG_APPEND, XFLAG_SYNC, XFLAG_NOATIME, XFLAG_NODUMP = 8, 16, 32, 64, 128


def get_flags(path):
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        return struct.unpack("=I", fcntl.ioctl(fd, FS_IOC_GETFLAGS, bytes(4)))[0]
    finally:
        os.close(fd)


def set_flags(path, flags):
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        fcntl.ioctl(fd, FS_IOC_SETFLAGS, struct.pack("=I", flags))
    finally:
        os.close(fd)


def write_file(name, text="12345"):
    with open(name, "w") as f:
        f.write(text)


def flags():
    """Every bit: set, ignored, or refused, in files and folders."""
    write_file("file")
    os.mkdir("folder")
    root_only = IMMUTABLE | APPEND
    both = SECRM | UNRM | COMPR | SYNC | NODUMP | NOATIME | NOTAIL | EOFBLOCKS | DAX
    if os.geteuid() == 0:
        both |= root_only
    folder_only = DIRSYNC | TOPDIR | PROJINHERIT
    ignored = 0x100 | 0x200 | 0x400 | 0x800 | 0x1000 | 0x100000 | 0x10000000
    for name, settable in ("file", both), ("folder", both | folder_only):
        start = get_flags(name)
        assert start == EXTENTS, hex(start)
        for bit in (1 << i for i in range(32)):
            if bit & (JOURNAL_DATA | EXTENTS):
                continue
            if bit & settable:
                set_flags(name, start | bit)
                assert get_flags(name) == start | bit, hex(bit)
                set_flags(name, start)
            elif bit & ignored:
                set_flags(name, start | bit)
            elif bit & root_only:
                fails(errno.EPERM, set_flags, name, start | bit)
            else:
                fails(errno.EOPNOTSUPP, set_flags, name, start | bit)
            assert get_flags(name) == start, hex(bit)
    os.symlink("file", "link")
    os.mkfifo("fifo")
    fails(errno.ENOTTY, get_flags, "fifo")
    set_flags("file", EXTENTS | NODUMP | NOATIME)
    set_flags("folder", EXTENTS | NODUMP | TOPDIR)


def check_flags():
    assert get_flags("file") == EXTENTS | NODUMP | NOATIME
    assert get_flags("folder") == EXTENTS | NODUMP | TOPDIR


def flags_inherited():
    """New files and folders take over what the kernel's take over."""
    os.mkdir("parent")
    some = SECRM | UNRM | COMPR | SYNC | NODUMP | NOATIME | NOTAIL
    set_flags("parent", EXTENTS | some | DIRSYNC | TOPDIR | PROJINHERIT)
    write_file("parent/file")
    os.mkdir("parent/folder")
    assert get_flags("parent/file") == EXTENTS | some, hex(get_flags("parent/file"))
    assert get_flags("parent/folder") == EXTENTS | some | DIRSYNC | PROJINHERIT


def converted():
    """chattr -e and +e: how the blocks are mapped, under data not yet written back."""
    write_file("c", "data " * 2000)
    set_flags("c", NODUMP)
    assert get_flags("c") == NODUMP
    assert open("c").read() == "data " * 2000
    with open("c", "a") as f:
        f.write("more")
    set_flags("c", EXTENTS)
    assert get_flags("c") == EXTENTS
    assert open("c").read() == "data " * 2000 + "more"


def check_converted():
    assert open("c").read() == "data " * 2000 + "more"


def xflags():
    """The same flags through the interface that came from XFS."""
    write_file("x")
    fd = os.open("x", os.O_RDWR)

    def get():
        return struct.unpack("=5I8x", fcntl.ioctl(fd, FS_IOC_FSGETXATTR, bytes(28)))

    def put(xflags, project=0):
        fcntl.ioctl(fd, FS_IOC_FSSETXATTR, struct.pack("=5I8x", xflags, 0, 0, project, 0))

    assert get() == (0, 0, 0, 0, 0)
    set_flags("x", EXTENTS | NODUMP | NOTAIL)
    assert get() == (XFLAG_NODUMP, 0, 0, 0, 0)
    put(XFLAG_NOATIME | XFLAG_SYNC)
    assert get_flags("x") == EXTENTS | NOTAIL | NOATIME | SYNC
    put(0)
    assert get_flags("x") == EXTENTS | NOTAIL
    fails(errno.EOPNOTSUPP, put, 0, 77)
    if os.geteuid() != 0:
        fails(errno.EPERM, put, XFLAG_IMMUTABLE)
    os.close(fd)


def version():
    """The generation: an int, whatever the request's number says."""
    write_file("v")
    fd = os.open("v", os.O_RDONLY)
    buf = bytearray(b"\0\0\0\0guard...")
    fcntl.ioctl(fd, FS_IOC_GETVERSION, buf)
    assert buf[4:] == b"guard...", buf
    fails(errno.ENOTTY, fcntl.ioctl, fd, FS_IOC_SETVERSION, struct.pack("=Q", 5))
    fails(errno.ENOTTY, fcntl.ioctl, fd, 0x1234, bytes(8))
    os.close(fd)


def touch(name, atime=None, mtime=None):
    """utimensat(); None: now, False: left alone."""
    utime_now, utime_omit = 0x3fffffff, 0x3ffffffe
    times = b""
    for t in atime, mtime:
        special = utime_now if t is None else utime_omit
        times += struct.pack("=qq", 0, special) if t in (None, False) else struct.pack("=qq", t, 0)
    checked(libc.utimensat(AT_FDCWD, name.encode(), times, 0))


def protected_names(name):
    """What neither immutable nor append-only lets happen to a name."""
    write_file("other")
    fails(errno.EPERM, os.link, name, "link")
    fails(errno.EPERM, os.rename, name, "renamed")
    fails(errno.EPERM, os.rename, "other", name)
    fails(errno.EPERM, os.unlink, name)
    fails(errno.EPERM, os.chmod, name, 0o600)
    fails(errno.EPERM, os.chown, name, 1, 1)
    fails(errno.EPERM, os.truncate, name, 2)
    fails(errno.EPERM, os.truncate, name, 20)
    fails(errno.EPERM, touch, name, 1, 1)
    fails(errno.EPERM, touch, name, False, 1)
    fails(errno.EPERM, touch, name, 1, False)
    fails(errno.EPERM, touch, name, None, False)
    for flags in (os.O_WRONLY, os.O_RDWR, os.O_RDONLY | os.O_TRUNC, os.O_WRONLY | os.O_CREAT,
                  os.O_WRONLY | os.O_APPEND | os.O_TRUNC):
        fails(errno.EPERM, os.open, name, flags)


def immutable():
    """Nothing of it can be changed, by root either, and the open says so, not the write."""
    write_file("i")
    before = os.open("i", os.O_RDWR)
    os.write(before, b"held!")
    set_flags("i", EXTENTS | IMMUTABLE)
    try:
        protected_names("i")
        fails(errno.EPERM, os.open, "i", os.O_WRONLY | os.O_APPEND)
        fails(errno.EPERM, touch, "i")
        fails(errno.EPERM, set_flags, "i", EXTENTS | IMMUTABLE | NODUMP)
        fails(errno.EPERM, os.ftruncate, before, 1)
        fails(errno.EPERM, os.posix_fallocate, before, 0, 100)
        os.fsync(before)  # what was written before is not lost
        os.close(before)
        assert open("i").read() == "held!"
        assert os.open("i", os.O_RDONLY | os.O_NOATIME)
    finally:
        set_flags("i", EXTENTS)
    write_file("i", "and again")
    os.mkdir("d")
    write_file("d/f")
    os.mkdir("d/e")
    set_flags("d", EXTENTS | IMMUTABLE)
    try:
        for call, *args in ((write_file, "d/new"), (os.mkdir, "d/new"), (os.mkfifo, "d/new"),
                            (os.symlink, "x", "d/new"), (os.link, "i", "d/new"),
                            (os.rename, "i", "d/new"), (os.rename, "d/f", "new"),
                            (os.unlink, "d/f"), (os.rmdir, "d/e"), (os.rmdir, "d"),
                            (os.rename, "d", "d2"), (os.chmod, "d", 0o700), (touch, "d")):
            fails(errno.EPERM, call, *args)
        write_file("d/f", "files in it may change")
    finally:
        set_flags("d", EXTENTS)


def held():
    """What was written and mapped before a file became immutable gets to the drive."""
    fd = os.open("h", os.O_RDWR | os.O_CREAT, 0o644)
    os.ftruncate(fd, 12288)
    mapped = mmap.mmap(fd, 12288)
    os.pwrite(fd, b"written", 0)
    mapped[4096:4102] = b"mapped"
    set_flags("h", EXTENTS | IMMUTABLE)
    mapped.close()
    os.close(fd)
    fd = os.open("h2", os.O_RDWR | os.O_CREAT, 0o644)
    os.write(fd, b"before it was append-only")
    set_flags("h2", EXTENTS | APPEND)
    os.close(fd)


def check_held():
    data = open("h", "rb").read()
    assert data == b"written".ljust(4096, b"\0") + b"mapped".ljust(8192, b"\0")
    assert open("h2").read() == "before it was append-only"
    assert get_flags("h") == EXTENTS | IMMUTABLE and get_flags("h2") == EXTENTS | APPEND
    set_flags("h", EXTENTS)
    set_flags("h2", EXTENTS)


def append_only():
    """Only the end can grow, and no descriptor or mapping gets around that."""
    write_file("a")
    set_flags("a", EXTENTS | APPEND)
    try:
        protected_names("a")
        touch("a")
        fd = os.open("a", os.O_RDWR | os.O_APPEND)
        os.write(fd, b"67")
        os.pwrite(fd, b"89", 0)
        fails(errno.EPERM, os.ftruncate, fd, 1)
        assert os.pread(fd, 20, 0) == b"123456789" and os.fstat(fd).st_size == 9
        for prot in mmap.PROT_READ | mmap.PROT_WRITE, mmap.PROT_READ:
            try:
                mmap.mmap(fd, 9, prot=prot)
            except OSError as e:  # FUSE has another name for it
                assert e.errno in (errno.EACCES, errno.ENODEV), e
            else:
                raise AssertionError("mapped for writing")
        assert mmap.mmap(fd, 9, flags=mmap.MAP_PRIVATE)[:] == b"123456789"
        try:
            fcntl.fcntl(fd, fcntl.F_SETFL, 0)
        except PermissionError:
            pass
        else:  # FUSE lets it go on, but not write
            fails(errno.EPERM, os.pwrite, fd, b"x", 0)
            fails(errno.EPERM, os.write, fd, b"x")
        os.close(fd)
        assert open("a").read() == "123456789"
    finally:
        set_flags("a", EXTENTS)
    os.mkdir("d")
    write_file("d/f")
    os.mkdir("d/e")
    set_flags("d", EXTENTS | APPEND)
    try:
        write_file("d/new")
        os.mkdir("d/newer")
        os.link("a", "d/a")
        touch("d")
        for call, *args in ((os.rename, "d/f", "new"), (os.rename, "d/f", "d/g"),
                            (os.unlink, "d/f"), (os.rmdir, "d/e"), (os.rmdir, "d"),
                            (os.rename, "d", "d2"), (os.chmod, "d", 0o700), (touch, "d", 1, 1)):
            fails(errno.EPERM, call, *args)
    finally:
        set_flags("d", EXTENTS)


def past_the_cache():
    """What is written to append-only and synchronous files is what others read, whatever they have read before."""
    write_file("p")
    reader = os.open("p", os.O_RDONLY)
    assert os.pread(reader, 20, 0) == b"12345"
    mapped = mmap.mmap(reader, 5, prot=mmap.PROT_READ)
    set_flags("p", EXTENTS | SYNC)
    writer = os.open("p", os.O_WRONLY)
    assert os.pwrite(writer, b"ab", 1) == 2
    assert os.pread(reader, 20, 0) == b"1ab45" and mapped[:] == b"1ab45"
    assert os.pwrite(writer, b"x" * 5000, 5) == 5000
    assert os.pread(reader, 5010, 0) == b"1ab45" + b"x" * 5000
    assert os.pwrite(writer, b"", 0) == 0
    os.close(writer)
    set_flags("p", EXTENTS | APPEND)
    try:
        for n in range(100):
            with open("p", "ab") as f:
                f.write(b"%03d\n" % n)
            assert os.pread(reader, 4096, 4900)[105:] == b"".join(b"%03d\n" % i for i in range(n + 1)), n
    finally:
        set_flags("p", EXTENTS)
    # Somebody has it open, and what he has written is still in the kernel alone.
    held = os.open("q", os.O_RDWR | os.O_CREAT, 0o644)
    os.write(held, b"held")
    set_flags("q", EXTENTS | APPEND)
    try:
        with open("q", "ab") as f:
            f.write(b"more")
        assert os.pread(held, 20, 0) == b"heldmore"
        os.fsync(held)
        drop_caches()
        assert os.pread(held, 20, 0) == b"heldmore"
    finally:
        set_flags("q", EXTENTS)
    set_flags("q", EXTENTS | SYNC)
    os.pwrite(held, b"cached", 0)
    writer = os.open("q", os.O_WRONLY)
    os.pwrite(writer, b"XY", 2)
    os.close(writer)
    assert os.pread(held, 20, 0) == b"caXYedre"
    os.fsync(held)
    drop_caches()
    assert os.pread(held, 20, 0) == b"caXYedre"
    os.close(held)
    set_flags("q", EXTENTS)


# ---- access times ----

HOUR = 3600


def drop_caches():
    os.sync()
    with open("/proc/sys/vm/drop_caches", "w") as f:
        f.write("3\n")


def accessed(use, name, atime_age, mtime_age):
    """Whether using it changes a time of access of that age; the kernel's caches are empty."""
    now = time.time()
    os.utime(name, (now - atime_age, now - mtime_age), follow_symlinks=False)
    before = os.lstat(name)
    drop_caches()
    use(name)
    after = os.lstat(name)
    assert after.st_mtime_ns == before.st_mtime_ns
    if after.st_atime_ns == before.st_atime_ns:
        return False
    assert after.st_atime >= now - 1, f"{name}: {after.st_atime}, at {now}"
    return True


def read_file(name):
    assert open(name).read() == "12345"


def read_noatime(name):
    fd = os.open(name, os.O_RDONLY | os.O_NOATIME)
    assert os.read(fd, 10) == b"12345"
    os.close(fd)


def atime_objects():
    write_file("file")
    os.mkdir("folder")
    write_file("folder/inside")
    os.symlink("file", "link")
    return (read_file, "file"), (os.listdir, "folder"), (os.readlink, "link")


def atime_relatime():
    for use, name in atime_objects():
        # a change of the inode is younger than what utime() sets, so all but the last are due
        assert accessed(use, name, 48 * HOUR, 1 * HOUR), name
        assert accessed(use, name, 48 * HOUR, 72 * HOUR), name
        os.utime(name, (time.time() + HOUR, time.time() - HOUR), follow_symlinks=False)
        before = os.lstat(name).st_atime_ns
        drop_caches()
        use(name)
        assert os.lstat(name).st_atime_ns == before, name
    assert not accessed(read_noatime, "file", 48 * HOUR, HOUR)
    set_flags("file", EXTENTS | NOATIME)
    assert not accessed(read_file, "file", 48 * HOUR, HOUR)


def atime_noatime():
    for use, name in atime_objects():
        assert not accessed(use, name, 48 * HOUR, 1 * HOUR), name


def atime_strictatime():
    for use, name in atime_objects():
        assert accessed(use, name, 48 * HOUR, 72 * HOUR), name
        os.utime(name, (time.time() + HOUR, 0), follow_symlinks=False)
        drop_caches()
        use(name)
        assert os.lstat(name).st_atime < time.time() + 1, name
    assert not accessed(read_noatime, "file", 48 * HOUR, HOUR)
    set_flags("file", EXTENTS | NOATIME)
    assert not accessed(read_file, "file", 48 * HOUR, HOUR)


def atime_lazytime():
    for use, name in atime_objects():
        assert accessed(use, name, 48 * HOUR, 72 * HOUR), name
    with open("times", "w") as f:
        f.write(" ".join(str(os.lstat(n).st_atime_ns) for n in ("file", "folder", "link")))


def check_atime_lazytime():
    assert open("times").read() == " ".join(
        str(os.lstat(n).st_atime_ns) for n in ("file", "folder", "link"))


def main():
    case, folder = sys.argv[1:]
    folder = os.path.join(folder, case.removeprefix("check_"))
    if not case.startswith("check_"):
        os.mkdir(folder)
    os.chdir(folder)
    globals()[case]()


main()
