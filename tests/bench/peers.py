# SPDX-License-Identifier: LGPL-2.1-or-later
"""The file systems that scripts/bench compares. Each has a folder of its own on the same disk."""
import glob
import os
import shutil
import subprocess
import time

PASSWORD = "bench"
KERNEL, NULL, GOCRYPTFS, SEALDRIVE = "kernel", "null", "gocryptfs", "sealdrive"


def run(*command, **options):
    options.setdefault("stdin", subprocess.DEVNULL)
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stdout.strip()[-500:]}")
    return done.stdout


def sync(path, whole):
    """Makes what lies at path durable: the file, or the whole file system under it."""
    fd = os.open(path, os.O_RDONLY)
    try:
        if whole:
            run("sync", "-f", path)
        else:
            os.fsync(fd)
    finally:
        os.close(fd)


class Peer:
    needs, root, title = (), False, ""

    def __init__(self, folder, size_mib, build, gentle):
        self.folder, self.size_mib, self.build, self.gentle = folder, size_mib, build, gentle
        self.store, self.dir = f"{folder}/store", f"{folder}/mnt"
        self.image = f"{self.store}/image"
        self.password_file = f"{folder}/password"

    @classmethod
    def missing(cls):
        """Why it cannot take part here; None when it can."""
        for program in cls.needs:
            if not shutil.which(program):
                return f"{program} is not installed"
        return "needs root" if cls.root and os.geteuid() != 0 else None

    def start(self):
        os.makedirs(self.store)
        os.makedirs(self.dir)
        with open(self.password_file, "w") as f:
            f.write(PASSWORD)
        self.make()
        self.mount()

    def unmount(self):
        """Returns when the daemon has ended: some still write then."""
        pid = self.daemon()
        run("fusermount3", "-u", self.dir)
        for _ in range(600):
            if pid is None or not os.path.exists(f"/proc/{pid}"):
                return
            time.sleep(.05)
        raise RuntimeError("its daemon does not end")

    def settle(self):
        """Nothing of earlier work is left to be written."""
        run("sync", "-f", self.dir)
        if os.path.exists(self.image):
            sync(self.image, whole=False)
        else:
            sync(self.store, whole=True)

    def forget(self):
        self.settle()
        self.unmount()
        drop_caches(self.store, self.gentle)
        self.mount()

    def stop(self):
        if os.path.ismount(self.dir):
            self.unmount()

    def daemon(self):
        """The process that serves, or None."""
        for path in glob.glob("/proc/[0-9]*/cmdline"):
            pid = path.split("/")[2]
            try:
                if self.dir.encode() in open(path, "rb").read() and any(
                        os.readlink(fd) == "/dev/fuse" for fd in glob.glob(f"/proc/{pid}/fd/*")):
                    return int(pid)
            except OSError:
                pass
        return None

    def cpu_seconds(self):
        pid = self.daemon()
        if pid is None:
            return None
        fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory_mib(self):
        """The most that its process has had in memory so far."""
        pid = self.daemon()
        if pid is None:
            return None
        for line in open(f"/proc/{pid}/status"):
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
        return None


def drop_caches(store, gentle):
    if os.geteuid() == 0 and not gentle:
        with open("/proc/sys/vm/drop_caches", "w") as f:
            f.write("3\n")
        return
    for folder, _, files in os.walk(store):
        for name in files:
            fd = os.open(os.path.join(folder, name), os.O_RDONLY)
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(fd)


def image_new(path, mib):
    with open(path, "wb") as f:
        f.truncate(mib << 20)


class Kernel(Peer):
    name, title = KERNEL, "kernel's ext4, not encrypted"
    needs, root = ("mkfs.ext4", "losetup"), True
    loop = None

    def make(self):
        image_new(self.image, self.size_mib)
        run("mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", self.image)
        self.loop = run("losetup", "--direct-io=on", "--find", "--show", self.image).strip()

    def mount(self):
        run("mount", self.loop, self.dir)

    def unmount(self):
        run("umount", self.dir)

    def stop(self):
        super().stop()
        if self.loop:
            run("losetup", "--detach", self.loop)

    def daemon(self):
        return None


class Null(Peer):
    name, title = NULL, "FUSE that does nothing"
    needs = ("fusermount3",)

    def make(self):
        pass

    def mount(self):
        run(f"{self.build}/bench-nullfs", self.dir)
        if os.geteuid() == 0:  # as Sealdrive does
            device = os.stat(self.dir).st_dev
            with open(f"/sys/class/bdi/{os.major(device)}:{os.minor(device)}/read_ahead_kb", "w") as f:
                f.write("1024\n")

    def forget(self):
        """It has nothing to be read from; what the kernel knows of it goes."""
        self.settle()
        drop_caches(self.store, self.gentle)


class Gocryptfs(Peer):
    name, title = GOCRYPTFS, "gocryptfs"
    needs = ("gocryptfs",)

    def make(self):
        run("gocryptfs", "-init", "-q", "-scryptn", "10", "-passfile", self.password_file, self.store)

    def mount(self):
        run("gocryptfs", "-q", "-passfile", self.password_file, self.store, self.dir)


class Securefs(Peer):
    name, title = "securefs", "securefs"
    needs = ("securefs",)

    def make(self):
        run("securefs", "create", "--pass", PASSWORD, "--rounds", "1", self.store)

    def mount(self):
        run("securefs", "mount", "-b", "--pass", PASSWORD, self.store, self.dir)


class Cryfs(Peer):
    name, title = "cryfs", "cryfs"
    needs = ("cryfs",)

    def make(self):
        pass  # the first mount does

    def mount(self):
        environment = dict(os.environ, CRYFS_FRONTEND="noninteractive", CRYFS_NO_UPDATE_CHECK="true",
                           CRYFS_LOCAL_STATE_DIR=f"{self.folder}/state")
        run("cryfs", self.store, self.dir, stdin=open(self.password_file), env=environment)


class Encfs(Peer):
    name, title = "encfs", "encfs"
    needs = ("encfs",)

    def make(self):
        pass

    def mount(self):
        run("encfs", "--standard", "--stdinpass", self.store, self.dir, stdin=open(self.password_file))


class Fuse2fs(Peer):
    name, title = "fuse2fs", "fuse2fs, not encrypted"
    needs = ("fuse2fs", "mkfs.ext4")

    def make(self):
        image_new(self.image, self.size_mib)
        run("mkfs.ext4", "-q", self.image)

    def mount(self):
        run("fuse2fs", self.image, self.dir, "-o", "rw,fakeroot")


class Sealdrive(Peer):
    name, title = SEALDRIVE, "Sealdrive"
    needs = ("fusermount3",)

    def make(self):
        run(f"{self.build}/sealdrive", "format", self.image, "--size", f"{self.size_mib}M", "--pbkdf", "pbkdf2",
            "--iterations", "1000", "--passphrase-file", self.password_file)

    def mount(self):
        run(f"{self.build}/sealdrive", "mount", self.image, self.dir, "--passphrase-file", self.password_file)

    def unmount(self):
        run(f"{self.build}/sealdrive", "unmount", self.dir)


ALL = (Kernel, Null, Gocryptfs, Fuse2fs, Securefs, Cryfs, Encfs, Sealdrive)
