# SPDX-License-Identifier: LGPL-2.1-or-later
# What programs may expect of an open file, one case per call: fuse-files.py CASE FOLDER
# Cases whose name begins with check_ look at what an earlier case left behind, after a remount.
import errno
import fcntl
import mmap
import os
import stat
import subprocess
import sys
import threading
import time

MIB = 1 << 20


def fails(code, call, *args, **kwargs):
    try:
        call(*args, **kwargs)
    except OSError as e:
        assert e.errno == code, f"{call.__name__}{args}: {e}, wanted {errno.errorcode[code]}"
        return
    raise AssertionError(f"{call.__name__}{args} worked, wanted {errno.errorcode[code]}")


def drop_caches():
    if os.geteuid() == 0:
        with open("/proc/sys/vm/drop_caches", "w") as f:
            f.write("3\n")


def open_rw(name, flags=0, mode=0o644):
    return os.open(name, os.O_RDWR | os.O_CREAT | flags, mode)


def unlinked():
    """An open file without a name keeps its bytes, takes more, and goes when it is closed."""
    free = os.statvfs(".").f_bfree
    fd = open_rw("u")
    data = os.urandom(3 * MIB)
    os.write(fd, data)
    os.unlink("u")
    assert os.fstat(fd).st_nlink == 0
    os.fsync(fd)
    drop_caches()
    assert os.pread(fd, 4 * MIB, 0) == data
    os.pwrite(fd, b"more", 5 * MIB)
    os.fsync(fd)
    drop_caches()
    assert os.pread(fd, 100, 5 * MIB - 2) == b"\0\0more"
    other = open_rw("other")  # must not get the inode's number or blocks
    os.write(other, b"z" * MIB)
    os.fsync(other)
    assert os.fstat(other).st_ino != os.fstat(fd).st_ino
    assert os.pread(fd, MIB, 0) == data[:MIB]
    os.ftruncate(fd, 10)
    assert os.pread(fd, 100, 0) == data[:10]
    os.close(fd)
    os.close(other)
    os.unlink("other")
    for _ in range(100):
        if os.statvfs(".").f_bfree >= free:
            return
        time.sleep(0.1)
    raise AssertionError(f"{free - os.statvfs('.').f_bfree} blocks are lost")


def unlinked_links():
    """Two names, both removed, one process each way of opening."""
    fd = open_rw("l1")
    os.write(fd, b"hello")
    os.link("l1", "l2")
    assert os.fstat(fd).st_nlink == 2
    fd2 = os.open("l2", os.O_RDONLY)
    os.unlink("l1")
    os.unlink("l2")
    assert os.read(fd2, 10) == b"hello"
    os.write(fd, b" again")
    assert os.pread(fd2, 20, 0) == b"hello again"
    os.close(fd)
    os.close(fd2)


def renamed_over():
    """A file that another is renamed over stays readable where it is open."""
    fd = open_rw("old")
    os.write(fd, b"old bytes")
    with open("new", "w") as f:
        f.write("new bytes")
    os.rename("new", "old")
    assert os.pread(fd, 20, 0) == b"old bytes"
    assert open("old").read() == "new bytes"
    assert os.fstat(fd).st_nlink == 0
    os.close(fd)


def removed_folder():
    """A removed folder that is somebody's current one is empty and takes no names."""
    os.mkdir("gone")
    fd = os.open("gone", os.O_RDONLY | os.O_DIRECTORY)
    os.rmdir("gone")
    assert os.listdir(fd) == []
    fails(errno.ENOENT, os.open, "x", os.O_CREAT | os.O_WRONLY, dir_fd=fd)
    fails(errno.ENOENT, os.mkdir, "x", dir_fd=fd)
    os.close(fd)


def truncate_at_open():
    with open("t", "wb") as f:
        f.write(b"x" * 100000)
    reader = os.open("t", os.O_RDONLY)
    fd = os.open("t", os.O_WRONLY | os.O_TRUNC)
    assert os.fstat(reader).st_size == 0
    assert os.read(reader, 10) == b""
    os.write(fd, b"short")
    os.close(fd)
    assert open("t").read() == "short"
    os.close(reader)


def truncate_zeroes():
    """Shrinking and growing leaves zeroes, also inside of a block and a page."""
    fd = open_rw("tz")
    os.write(fd, b"x" * 10000)
    os.ftruncate(fd, 5000)
    os.ftruncate(fd, 10000)
    os.fsync(fd)
    drop_caches()
    assert os.pread(fd, 10000, 0) == b"x" * 5000 + bytes(5000)
    os.close(fd)


def mapped():
    fd = open_rw("m")
    os.ftruncate(fd, 2 * MIB)
    with mmap.mmap(fd, 2 * MIB) as m:
        m[0:5] = b"start"
        m[MIB - 3:MIB + 3] = b"middle"
        m[2 * MIB - 3:] = b"end"
        assert os.pread(fd, 6, MIB - 3) == b"middle"
        os.pwrite(fd, b"written", 4096)
        assert m[4096:4103] == b"written"
        m.flush()
        drop_caches()
        assert m[0:5] == b"start"
    os.close(fd)


def check_mapped():
    data = open("m", "rb").read()
    assert len(data) == 2 * MIB
    assert data[0:5] == b"start" and data[MIB - 3:MIB + 3] == b"middle" and data[-3:] == b"end"
    assert data[4096:4103] == b"written"


def mapped_after_close():
    """A mapping outlives its descriptor and even the name."""
    fd = open_rw("mc")
    os.ftruncate(fd, 65536)
    m = mmap.mmap(fd, 65536)
    os.close(fd)
    m[100:105] = b"later"
    assert open("mc", "rb").read()[100:105] == b"later"
    os.unlink("mc")
    m[200:205] = b"still"
    m.flush()
    drop_caches()
    assert m[100:105] == b"later" and m[200:205] == b"still"
    m.close()


def appended():
    """Several processes append; every line is there once and whole."""
    open("log", "w").close()
    code = ("import os, sys\nfd = os.open('log', os.O_WRONLY | os.O_APPEND)\n"
            "for i in range(2000): os.write(fd, b'%s line %d\\n' % (sys.argv[1].encode(), i))\n")
    jobs = [subprocess.Popen([sys.executable, "-c", code, n]) for n in "abcd"]
    assert all(job.wait() == 0 for job in jobs)
    check_appended()


def check_appended():
    lines = open("log").read().splitlines()
    assert len(lines) == 8000 and len(set(lines)) == 8000
    for n in "abcd":
        own = [line for line in lines if line[0] == n]
        assert own == [f"{n} line {i}" for i in range(2000)]


def dirty_holes():
    """What the kernel has not written yet is data, not a hole."""
    fd = open_rw("sparse")
    os.write(fd, b"z" * 8192)
    assert os.lseek(fd, 0, os.SEEK_DATA) == 0
    assert os.lseek(fd, 0, os.SEEK_HOLE) == 8192
    os.pwrite(fd, b"tail", 4 * MIB)
    assert os.lseek(fd, 8192, os.SEEK_DATA) // 4096 * 4096 == 4 * MIB
    assert os.lseek(fd, 4 * MIB, os.SEEK_HOLE) == 4 * MIB + 4
    os.pwrite(fd, b"between", 2 * MIB)
    assert os.lseek(fd, 10000, os.SEEK_DATA) // 4096 * 4096 == 2 * MIB
    fails(errno.ENXIO, os.lseek, fd, 4 * MIB + 4, os.SEEK_DATA)
    fails(errno.ENXIO, os.lseek, fd, 5 * MIB, os.SEEK_HOLE)
    os.pwrite(fd, b"late", 3 * MIB)
    subprocess.run(["cp", "sparse", "copy"], check=True)
    assert open("sparse", "rb").read() == open("copy", "rb").read()
    assert os.stat("copy").st_blocks * 512 < MIB
    os.close(fd)


def many_seeks():
    """Many processes ask where data is while others write: nobody waits for ever."""
    def one(n):
        fd = open_rw(f"seek{n}")
        for i in range(100):
            os.pwrite(fd, b"x" * 5000, i * 50000)
            assert os.lseek(fd, i * 50000, os.SEEK_DATA) == i * 50000
            assert os.lseek(fd, i * 50000, os.SEEK_HOLE) <= i * 50000 + 8192
        os.close(fd)
        os.unlink(f"seek{n}")

    errors = []

    def run(n):
        try:
            one(n)
        except BaseException as e:
            errors.append(e)

    threads = [threading.Thread(target=run, args=(n,), daemon=True) for n in range(24)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(60)
        assert not t.is_alive(), "it hangs"
    assert not errors, errors


def times():
    """Times that are set stay, also right after a write that is not on the drive yet."""
    fd = open_rw("times")
    os.write(fd, b"x" * 100000)
    os.utime("times", ns=(1600000000123456789, 1500000000987654321))
    os.close(fd)
    fd = open_rw("written")
    os.utime("written", ns=(1, 1))
    os.write(fd, b"new")
    os.close(fd)
    assert abs(os.stat("written").st_mtime - time.time()) < 60
    before = os.stat("times").st_ctime_ns
    time.sleep(0.02)
    os.chmod("times", 0o600)
    assert os.stat("times").st_ctime_ns > before
    assert os.stat("times").st_mtime_ns == 1500000000987654321
    os.mkdir("dtimes")
    old = os.stat("dtimes").st_mtime_ns
    time.sleep(0.02)
    open("dtimes/f", "w").close()
    assert os.stat("dtimes").st_mtime_ns > old
    os.utime("dtimes", ns=(5, 6))
    os.symlink("nowhere", "ltimes")
    os.utime("ltimes", ns=(7, 8), follow_symlinks=False)


def check_times():
    st = os.stat("times")
    assert (st.st_atime_ns, st.st_mtime_ns) == (1600000000123456789, 1500000000987654321)
    assert stat.S_IMODE(st.st_mode) == 0o600 and st.st_size == 100000
    assert abs(os.stat("written").st_mtime - time.time()) < 600
    assert (os.stat("dtimes").st_atime_ns, os.stat("dtimes").st_mtime_ns) == (5, 6)
    assert os.lstat("ltimes").st_mtime_ns == 8


def modes():
    """A file is open for what it was opened for, whatever its mode says by then."""
    fd = os.open("ro", os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o444)
    os.write(fd, b"fits")
    os.fchmod(fd, 0)
    assert os.pread(fd, 10, 0) == b"fits"
    os.close(fd)
    fails(errno.EEXIST, os.open, "ro", os.O_CREAT | os.O_EXCL | os.O_WRONLY)
    old = os.umask(0o027)
    os.close(open_rw("masked", mode=0o777))
    os.mkdir("maskeddir", 0o777)
    os.umask(old)
    assert stat.S_IMODE(os.stat("masked").st_mode) == 0o750
    assert stat.S_IMODE(os.stat("maskeddir").st_mode) == 0o750
    os.close(open_rw("suid"))
    os.chmod("suid", 0o6755)
    if os.geteuid() != 0:
        with open("suid", "w") as f:
            f.write("x")
        assert stat.S_IMODE(os.stat("suid").st_mode) & 0o6000 == 0


def names():
    open("n" * 255, "w").close()
    assert os.path.exists("n" * 255)
    fails(errno.ENAMETOOLONG, os.open, "n" * 256, os.O_CREAT | os.O_WRONLY)
    fails(errno.ENAMETOOLONG, os.stat, "n" * 256)
    fails(errno.ENAMETOOLONG, os.mkdir, "n" * 256)
    fails(errno.ENAMETOOLONG, os.rename, "n" * 255, "n" * 256)
    os.symlink("t" * 4000, "longlink")
    assert os.readlink("longlink") == "t" * 4000
    os.mkdir("full")
    open("full/f", "w").close()
    fails(errno.ENOTEMPTY, os.rmdir, "full")
    fails(errno.ENOTDIR, os.stat, "full/f/x")
    fails(errno.EISDIR, os.open, "full", os.O_WRONLY)
    fails(errno.EINVAL, os.rename, "full", "full/inside")
    assert not os.path.exists("absent")  # remembered by the kernel
    open("absent", "w").close()
    assert os.path.exists("absent")


def special_files():
    os.mkfifo("fifo")
    assert stat.S_ISFIFO(os.stat("fifo").st_mode)
    if os.geteuid() == 0:
        os.mknod("null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
        os.mknod("big", stat.S_IFBLK | 0o600, os.makedev(259, 70000))
        fails(errno.EACCES, os.open, "null", os.O_RDONLY)  # mounted nodev


def check_special_files():
    assert stat.S_ISFIFO(os.stat("fifo").st_mode)
    if os.geteuid() == 0:
        assert os.stat("null").st_rdev == os.makedev(1, 3)
        assert os.stat("big").st_rdev == os.makedev(259, 70000)


def locks():
    a, b = open_rw("lock"), open_rw("lock")
    fcntl.flock(a, fcntl.LOCK_EX)
    fails(errno.EWOULDBLOCK, fcntl.flock, b, fcntl.LOCK_EX | fcntl.LOCK_NB)
    fcntl.flock(a, fcntl.LOCK_UN)
    fcntl.flock(b, fcntl.LOCK_EX | fcntl.LOCK_NB)
    fcntl.lockf(a, fcntl.LOCK_EX)
    code = "import fcntl\ntry: fcntl.lockf(open('lock', 'r+'), fcntl.LOCK_EX | fcntl.LOCK_NB)\n" \
           "except BlockingIOError: raise SystemExit(7)\n"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 7
    os.close(a)
    os.close(b)


def allocated():
    fd = open_rw("alloc")
    os.posix_fallocate(fd, 0, MIB)
    st = os.fstat(fd)
    assert st.st_size == MIB and st.st_blocks * 512 >= MIB
    assert os.pread(fd, MIB, 0) == bytes(MIB)
    os.pwrite(fd, b"in it", 1000)
    os.fsync(fd)
    os.fdatasync(fd)
    os.close(fd)
    folder = os.open(".", os.O_RDONLY | os.O_DIRECTORY)
    os.fsync(folder)
    os.close(folder)


def direct():
    """O_DIRECT and the page cache see each other's bytes."""
    fd = open_rw("direct", os.O_DIRECT)
    block = mmap.mmap(-1, 65536)
    block[:] = b"d" * 65536
    assert os.write(fd, block) == 65536
    cached = os.open("direct", os.O_RDWR)
    assert os.pread(cached, 65536, 0) == b"d" * 65536
    os.pwrite(cached, b"cached", 4096)
    assert os.preadv(fd, [block], 0) == 65536
    assert block[4096:4102] == b"cached"
    os.close(fd)
    os.close(cached)


def listing():
    """Names that exist throughout are listed exactly once while others come and go."""
    os.mkdir("list")
    stay = {f"stay-{i}" for i in range(3000)}
    for name in stay:
        open("list/" + name, "w").close()
    stop = threading.Event()

    def churn():
        i = 0
        while not stop.is_set():
            name = f"list/come-and-go-{i % 500}"
            open(name, "w").close()
            if i % 3:
                os.unlink(name)
            i += 1

    t = threading.Thread(target=churn)
    t.start()
    try:
        for _ in range(20):
            drop_caches()
            seen = [n for n in os.listdir("list") if n.startswith("stay")]
            assert len(seen) == len(set(seen)), "doubled"
            assert set(seen) == stay, "missing"
            with os.scandir("list") as entries:
                assert all(e.stat().st_size == 0 for e in entries if e.name in stay)
    finally:
        stop.set()
        t.join()


def forgotten():
    """Thousands of inodes looked up, dropped by the kernel, looked up again."""
    os.mkdir("forget")
    for i in range(5000):
        with open(f"forget/{i}", "w") as f:
            f.write(str(i))
    for _ in range(3):
        drop_caches()
        for i in range(0, 5000, 7):
            assert open(f"forget/{i}").read() == str(i)
    for i in range(5000):
        os.unlink(f"forget/{i}")
    os.rmdir("forget")


if __name__ == "__main__":
    os.chdir(sys.argv[2])
    globals()[sys.argv[1]]()
