# SPDX-License-Identifier: LGPL-2.1-or-later
"""For kill.sh: a program that knows what was synced, and one that looks for it.

write DIR LOG SEED   until DIR fails; a line in LOG after each sync that succeeded
check DIR LOG        exit status 1 unless everything in LOG is there (LOG names it as seen from DIR)

RECORDED in the environment names a device of dm-log-writes: the number of lines in LOG is marked there.
"""

import hashlib
import os
import random
import subprocess
import sys

RECORDED = os.environ.get("RECORDED")
lines = 0


def note(log, *words):
    # before the next operation: what is not in the log was never promised
    os.write(log, (" ".join(map(str, words)) + "\n").encode())
    global lines
    lines += 1
    if RECORDED and words[0] != "?":
        subprocess.run(["dmsetup", "message", RECORDED, "0", "mark", str(lines)], check=True)


def synced(path):
    fd = os.open(path, os.O_RDONLY)
    os.fsync(fd)
    os.close(fd)


def write(top, log, rnd, round_name):
    folder = f"{top}/{round_name}"
    os.mkdir(folder)
    synced(top)
    content = {}
    step = 0
    while True:
        step += 1
        what = rnd.randrange(10)
        name = f"f{rnd.randrange(40)}"
        where = f"{round_name}/{name}"
        path = f"{top}/{where}"
        if what < 5:  # a part changes
            data = bytearray(content.get(name, b""))
            at, new = rnd.randrange(len(data) + 1), rnd.randbytes(rnd.randrange(1, 30000))
            note(log, "?", where)
            fd = os.open(path, os.O_RDWR | os.O_CREAT)
            os.pwrite(fd, new, at)
            data[at:at + len(new)] = new
            os.fsync(fd)
            os.close(fd)
            synced(folder)
        elif what < 8:  # as editors save
            data = rnd.randbytes(rnd.randrange(50000))
            note(log, "?", where, hashlib.sha1(data).hexdigest())
            with open(path + ".new", "wb") as f:
                f.write(data)
                f.flush()
                os.fsync(f.fileno())
            os.rename(path + ".new", path)
            synced(folder)
        elif what == 8 and name in content:
            note(log, "?", where, "-")
            os.unlink(path)
            synced(folder)
            del content[name]
            note(log, "-", where)
            continue
        else:  # things that nobody synced
            os.makedirs(f"{folder}/noise/{step % 7}", exist_ok=True)
            for i in range(20):
                with open(f"{folder}/noise/{step % 7}/{i}", "wb") as f:
                    f.write(rnd.randbytes(2000))
            if step % 5 == 0:
                for i in range(20):
                    os.unlink(f"{folder}/noise/{step % 7}/{i}")
            continue
        content[name] = bytes(data)
        note(log, "+", where, len(data), hashlib.sha1(data).hexdigest())


def check(top, log):
    want, open_end = {}, {}
    for line in open(log):
        words = line.split()
        if words[0] == "+":
            want[words[1]] = (int(words[2]), words[3])
            open_end.pop(words[1], None)
        elif words[0] == "-":
            want[words[1]] = None
            open_end.pop(words[1], None)
        else:
            open_end[words[1]] = words[2:]
    bad = count = 0
    for path, promise in want.items():
        try:
            with open(f"{top}/{path}", "rb") as f:
                data = f.read()
            got = len(data), hashlib.sha1(data).hexdigest()
        except FileNotFoundError:
            got = None
        count += 1
        if got == promise:
            continue
        if path in open_end:
            # what was under way: the whole old or the whole new file, or any state of a part
            under_way = open_end[path]
            if not under_way and got is not None:
                continue
            if under_way == ["-"] and got is None:
                continue
            if under_way and got is not None and got[1] == under_way[0]:
                continue
        print(f"{path}: {got} instead of {promise}")
        bad += 1
    print(f"{count} files")
    return bad


if __name__ == "__main__":
    if sys.argv[1] == "check":
        sys.exit(check(sys.argv[2], sys.argv[3]) != 0)
    try:
        write(sys.argv[2], os.open(sys.argv[3], os.O_WRONLY | os.O_APPEND | os.O_CREAT),
              random.Random(int(sys.argv[4])), f"round-{sys.argv[4]}")
    except OSError as error:
        print(f"it ended with: {error}")
