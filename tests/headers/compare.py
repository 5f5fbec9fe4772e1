#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Judges every header of the table with cryptsetup and with luks2tool; prints TAP.

compare.py LUKS2TOOL BASE-IMAGE PASS-FILE WORK-DIR [NAME-PART]
"""
import concurrent.futures
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from differences import DIFFERENCES  # noqa: E402
from luks2image import Image  # noqa: E402
from mutations import TABLE  # noqa: E402


def cryptsetup(*args):
    """Whether it says yes; None when it does not come back (iterations of 0 or less)."""
    try:
        return subprocess.run(("cryptsetup", "--disable-locks", "-q") + args,
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, timeout=5).returncode == 0
    except subprocess.TimeoutExpired:
        return None


def oracle(path, passphrase):
    """refused: no header. loaded: a header that this passphrase does not open. opened. fooled:
    opened by a wrong passphrase too, because the digest cannot be computed. hangs."""
    if not cryptsetup("luksDump", path):
        return "refused"
    right = cryptsetup("open", "--test-passphrase", "-d", passphrase, path)
    if not right:
        return "hangs" if right is None else "loaded"
    wrong = cryptsetup("open", "--test-passphrase", "-d", passphrase + ".wrong", path)
    return "fooled" if wrong else "opened"


def ours(tool, paths, passphrase):
    out = subprocess.run([tool, "verdict", passphrase] + paths, stdout=subprocess.PIPE, check=True,
                         timeout=600).stdout.decode("utf-8", "replace")
    verdicts = {}
    for line in out.splitlines():
        path, load, use, unlock, *why = line.split(" ", 4)
        verdict = "refused" if int(load) else "opened" if int(unlock) == 0 else "loaded"
        verdicts[path] = verdict, "%s %s %s %s" % (load, use, unlock, " ".join(why))
    return verdicts


def main():
    tool, base, passphrase, work = sys.argv[1:5]
    wanted = sys.argv[5] if len(sys.argv) > 5 else ""
    with open(base, "rb") as file:
        whole = Image(file.read())
    names = [name for name in TABLE if wanted in name]
    paths = {}
    print("1..%d" % (len(names) + 2))
    for number, name in enumerate(names):
        image = whole.clone()
        TABLE[name](image)
        paths[name] = os.path.join(work, "%d.img" % number)
        with open(paths[name], "wb") as file:
            file.write(image.build())
    before = {name: open(paths[name], "rb").read() for name in names}
    verdicts = ours(tool, list(paths.values()), passphrase)
    changed = [name for name in names if open(paths[name], "rb").read() != before[name]]
    with open(passphrase + ".wrong", "wb") as file:
        file.write(b"another passphrase")
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        judged = list(pool.map(lambda name: oracle(paths[name], passphrase), names))
    bad = 0
    for number, (name, theirs) in enumerate(zip(names, judged), 1):
        mine, detail = verdicts[paths[name]]
        expected, reason = DIFFERENCES.get(name, (theirs, None))
        if expected in ("fooled", "hangs"):
            expected, reason = "loaded", "a digest or a cost that proves nothing opens nothing"
        ok = mine == expected and not (reason and mine == theirs)
        bad += not ok
        print("%sok %d - %s: %s%s" % ("" if ok else "not ", number, name, theirs,
                                      " (ours: %s: %s)" % (mine, reason) if reason else ""))
        if not ok:
            print("# cryptsetup: %s, ours: %s (%s), expected: %s" % (theirs, mine, detail, expected))
        os.unlink(paths[name])
    print("%sok %d - loading changed no byte" % ("not " if changed else "", len(names) + 1))
    unknown = [name for name in DIFFERENCES if name not in TABLE]
    print("%sok %d - every listed difference is in the table" % ("not " if unknown else "", len(names) + 2))
    return 1 if bad or changed or unknown else 0


sys.exit(main())
