# SPDX-License-Identifier: LGPL-2.1-or-later
"""What scripts/bench measures. A work is done by every file system in turn before the next begins."""
import glob
import os
import subprocess
import time


class Sizes:
    def __init__(self, set_mib, copy_mib, files, names, singles):
        self.set_mib, self.copy_mib = set_mib, copy_mib  # of the large file, of the file that is copied
        self.files = files      # of the tree
        self.names = names      # created and removed in one folder
        self.singles = singles  # operations on single pages


class Work:
    """unit: MiB/s, or so many per second; targets: against gocryptfs and the kernel; cold: with nothing
    in memory, warm: with all of it (done once before)."""

    def __init__(self, name, unit, action, targets=(None, None), cold=False, warm=False, null_target=None):
        self.name, self.unit, self.action, self.cold, self.warm = name, unit, action, cold, warm
        self.gocryptfs_target, self.kernel_target = targets
        self.null_target = null_target


def timed(amount, *command):
    start = time.monotonic()
    subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)
    return amount, time.monotonic() - start


def tree_new(archive, files):
    """An archive of that many real files, small ones, as they lie in folders of the system; how many entries."""
    chosen, folders = [], set()
    for root in ("/usr/include", "/usr/share/doc", "/usr/lib/python3", "/usr/share/perl", "/usr/share"):
        for folder, _, names in sorted(os.walk(root)):
            for path in (os.path.join(folder, name) for name in sorted(names)):
                if len(chosen) < files and not os.path.islink(path) and path not in folders and \
                        0 < os.path.getsize(path) < 1 << 20:
                    chosen.append(path)
                    folders.add(path)
    entries = sorted({parent for path in chosen for parent in parents(path)}) + chosen
    subprocess.run(["tar", "-cf", archive, "--no-recursion", "-C", "/", "-T", "-"], check=True,
                   input="\n".join(entry.lstrip("/") for entry in entries), text=True)
    return len(entries)


def parents(path):
    while (path := os.path.dirname(path)) != "/":
        yield path


def works(build, scratch, sizes):
    """The list of works, in the order in which they must be done; each leaves what the next needs."""
    archive = f"{scratch}/tree.tar"
    entries = tree_new(archive, sizes.files)

    def program(verb, name, *numbers):
        def action(folder):
            out = subprocess.run([f"{build}/bench-work", verb, f"{folder}/{name}", *map(str, numbers)], check=True,
                                 stdout=subprocess.PIPE, text=True).stdout.split()
            return int(out[0]), float(out[1])
        return action

    def untar(folder):
        os.mkdir(f"{folder}/tree")
        return timed(entries, "tar", "-xf", archive, "-C", f"{folder}/tree")

    def listing(folder):
        return timed(entries, "ls", "-lR", f"{folder}/tree")

    def remove(folder):
        return timed(entries, "rm", "-rf", f"{folder}/tree")

    def copy(folder):
        for path in glob.glob(f"{folder}/part-*"):
            os.unlink(path)
        amount, first = timed(sizes.copy_mib << 20, "cp", f"{folder}/large", f"{folder}/copy")
        second = timed(0, "sync", f"{folder}/copy")[1]
        os.unlink(f"{folder}/copy")
        os.unlink(f"{folder}/large")
        return amount, first + second

    mib = sizes.set_mib
    return [
        Work("write, new file, fsync", "MiB/s", program("write", "large", mib), (4, .7)),
        Work("overwrite, fsync", "MiB/s", program("overwrite", "large", mib), (4, .7)),
        Work("read, cold", "MiB/s", program("read", "large"), (2, .8), cold=True),
        Work("read, warm", "MiB/s", program("read", "large"), warm=True),
        Work("direct write, depth 4", "MiB/s", program("direct-write", "large", mib), (5, .5)),
        Work("direct read, depth 4", "MiB/s", program("direct-read", "large", mib), (2, 1.2), cold=True),
        Work("random read 4 KiB, cold", "per s", program("random-read", "large", mib, sizes.singles, 1), (1.3, .85),
             cold=True),
        Work("the same, 4 threads", "per s", program("random-read", "large", mib, sizes.singles, 4), (1.3, .85),
             cold=True),
        Work("random write 4 KiB, fsync", "MiB/s", program("random-write", "large", mib, sizes.singles), (8, .5)),
        Work("append 4 KiB + fsync", "per s", program("append", "log", sizes.singles // 4), (1.5, .7)),
        Work("4 writers, fsync", "MiB/s", program("parallel-write", "part", mib), (4, .7)),
        Work("write through a map", "MiB/s", program("map", "large", mib)),
        Work("copy of a file", "MiB/s", copy),
        Work("untar", "files/s", untar, (6, .45), null_target=.7),
        Work("ls -lR, cold", "files/s", listing, (3.5, .5), cold=True, null_target=.7),
        Work("ls -lR, warm", "files/s", listing, warm=True, null_target=.7),
        Work("reading the tree, cold", "files/s", program("tree-read", "tree"), (2, .7), cold=True, null_target=.7),
        Work("rm -rf", "files/s", remove, (5, None), null_target=.7),
        Work("creates in one folder", "per s", program("create", "names", sizes.names), (3, None), null_target=.7),
        Work("unlinks in one folder", "per s", program("unlink", "names", sizes.names), (3, None), null_target=.7),
    ]
