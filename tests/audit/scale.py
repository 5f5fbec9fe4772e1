#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Whether the work of an audit grows with the number of drives, and no faster.

    scale.py BASE FOLDER     BASE: a LUKS2 image that cryptsetup made

No clock is asked: processor time and memory of two audits of one run are compared, one of eight times as many
drives as the other. Linear work takes eight times as much at most; comparing all key slots in pairs, say, takes twenty
times as much. What is over the line is measured once more, as noise only ever adds. Prints TAP lines without plan and numbers.
"""
import base64
import hashlib
import os
import subprocess
import sys
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "headers"))
from luks2image import Image

FEW, FACTOR, LIMIT = 250, 8, 12
DATA = 5120 * 512  # where the data begin: a backup of the header ends there

base_path, folder = sys.argv[1:]
base = Image(open(base_path, "rb").read(2 * 16384))
salt = lambda *what: base64.b64encode(hashlib.sha256(repr(what).encode()).digest()).decode()


def write(path, image):
    with open(path, "wb") as f:
        f.write(image.build())
        f.truncate(DATA)


def different(n):
    """A drive that has nothing in common with the others."""
    im = base.clone()
    for bin in im.bins:
        bin["uuid"] = str(uuid.UUID(int=n + 1)).encode().ljust(40, b"\0")
    for i, slot in im.doc["keyslots"].items():
        slot["kdf"]["salt"] = salt("slot", n, i)
    im.doc["digests"]["0"].update(salt=salt("digest", n), digest=salt("key", n))
    return im


def used(arguments):
    """Processor seconds and kilobytes."""
    with open(os.devnull, "wb") as null:
        child = subprocess.Popen(["sealdrive", "audit"] + arguments, stdout=null, stderr=null)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 9:
        raise SystemExit("exit status %d" % child.returncode)
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss


def compare(what, few, many):
    (seconds, few_kb), (more_seconds, many_kb) = used(few), used(many)
    if more_seconds > LIMIT * seconds:
        more_seconds = min(more_seconds, used(many)[0])
    # (the kernel counts this program's memory of before exec, too: so what is compared is all of it)
    bad = more_seconds > LIMIT * seconds or many_kb > (FACTOR + 1) * few_kb
    print("%sok - %s: %d times as many drives are %d times the work at most" % ("not " if bad else "", what, FACTOR, LIMIT))
    print("# %.3f s and %.3f s of a processor, %d KiB and %d KiB" % (seconds, more_seconds, few_kb, many_kb))


paths = [os.path.join(folder, "h%d" % n) for n in range(FEW * FACTOR)]
for n, path in enumerate(paths):
    write(path, different(n))
for form in "text", "json", "sarif", "html":
    option = "--format=" + form
    compare(form, [option] + paths[:FEW], [option] + paths)
facts = [os.path.join(folder, name) for name in ("few.facts", "many.facts")]
used(["--facts", facts[0]] + paths[:FEW])
used(["--facts", facts[1]] + paths)
compare("saved facts", facts[:1], facts[1:])
for path in paths:  # every one is the copy of every other
    write(path, base)
compare("copies", paths[:FEW], paths)
compare("one drive under one name", paths[:1] * FEW, paths[:1] * FEW * FACTOR)
