# SPDX-License-Identifier: LGPL-2.1-or-later
"""What grows with the number of files, on a mounted drive: scale.py STATUS-COMMAND DIR WORK COUNT.

Does WORK in ten parts and prints for each part: operations per second, and what one operation cost in
looks into the metadata cache, bytes read from and written to the drive. Those do not depend on what
else the machine does. Ends with 1 when the last part cost more than FACTOR times the first.
"""
import json
import os
import resource
import subprocess
import sys
import time

FACTOR, PARTS, SLACK_LOOKS, SLACK_BYTES = 2, 10, 10, 16384


def counters(status, folder):
    drives = json.loads(subprocess.check_output([status, "status", "--json"]))["drives"]
    return next(d for d in drives if d["mount_point"] == folder)["counters"]


def spread(folder, i):
    return f"{folder}/{i // 10000 % 100:02}/{i // 100 % 100:02}/{i % 100:02}-{i}"


def create(path):
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))


def create_spread(path):
    try:
        create(path)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path))
        create(path)


OPEN = []


def create_open(path):
    OPEN.append(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    os.write(OPEN[-1], b"x")


# name: (what is done with each path, the path of number i)
WORKS = {
    "create": (create, lambda d, i: f"{d}/file-{i:08}"),
    "stat": (os.stat, lambda d, i: f"{d}/file-{(i * 7919) % COUNT:08}"),
    "unlink": (os.unlink, lambda d, i: f"{d}/file-{i:08}"),
    "tree-create": (create_spread, spread),
    "tree-stat": (os.stat, spread),
    "tree-unlink": (os.unlink, spread),
    "open": (create_open, lambda d, i: f"{d}/open-{i}"),
}


def part(status, top, work, first, last, folder):
    act, path = WORKS[work]
    before, start = counters(status, top), time.monotonic()
    for i in range(first, last):
        act(path(folder, i))
    seconds, after = time.monotonic() - start, counters(status, top)
    one = {name: (after.get(name, 0) - before.get(name, 0)) / (last - first)
           for name in ("cache_hits", "cache_misses", "drive_read_bytes", "drive_write_bytes", "commit_waits")}
    print(f"{work:12} {last:9}  {(last - first) / seconds:8.0f}/s  looks {one['cache_hits'] + one['cache_misses']:6.1f}"
          f"  read {one['drive_read_bytes']:8.0f}  written {one['drive_write_bytes']:8.0f} bytes", flush=True)
    return one


def main():
    global COUNT
    status, top, folder, work, COUNT = *sys.argv[1:5], int(sys.argv[5])
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    step = max(COUNT // PARTS, 1)
    costs = [part(status, top, work, i, i + step, folder) for i in range(0, step * PARTS, step)]
    # the first part may have been paid by a cache that had nothing to do yet
    looks = [c["cache_hits"] + c["cache_misses"] for c in costs]
    moved = [c["drive_read_bytes"] + c["drive_write_bytes"] for c in costs]
    return int(looks[-1] > FACTOR * max(looks[:2]) + SLACK_LOOKS or moved[-1] > FACTOR * max(moved[:2]) + SLACK_BYTES)


sys.exit(main())
