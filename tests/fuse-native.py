# SPDX-License-Identifier: LGPL-2.1-or-later
# What programs may expect of the kernel's ext4 beyond plain files, one case per call:
# fuse-native.py CASE FOLDER. Cases whose name begins with check_ look at what an earlier case left
# behind, after a remount.
import ctypes
import errno
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


def main():
    case, folder = sys.argv[1:]
    folder = os.path.join(folder, case.removeprefix("check_"))
    if not case.startswith("check_"):
        os.mkdir(folder)
    os.chdir(folder)
    globals()[case]()


main()
