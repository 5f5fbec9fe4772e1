#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Headers of LUKS version 1 with one fault each: cryptsetup and luks2tool agree. Prints TAP.

luks1.py LUKS2TOOL BASE-IMAGE PASS-FILE WORK-DIR
"""
import concurrent.futures
import os
import struct
import subprocess
import sys

KEYSLOT, KEYSLOT_BYTES, HDR_BYTES = 208, 48, 592
ACTIVE, INACTIVE = 0x00ac71f3, 0xdead
# Offsets and lengths of the fields, LUKS On-Disk Format 1.2.3, figures 1 and 2.
FIELDS = {"magic": (0, 6), "version": (6, 2), "cipher name": (8, 32), "cipher mode": (40, 32),
          "hash": (72, 32), "data offset": (104, 4), "key bytes": (108, 4), "digest": (112, 20),
          "digest salt": (132, 32), "digest iterations": (164, 4), "uuid": (168, 40)}
SLOT_FIELDS = {"active": (0, 4), "iterations": (4, 4), "salt": (8, 32), "area": (40, 4),
               "stripes": (44, 4)}

TABLE = {}
# What cryptsetup says where we say something else, and why.
DIFFERENT = {
    "cipher name = AES": ("loaded", "names of ciphers are written in small letters"),
}


def put(name, at, data):
    assert name not in TABLE, name
    TABLE[name] = [(at, data)]


def numbers(name, at, values):
    for value in sorted(set(values)):
        put("%s = %#x" % (name, value), at, struct.pack(">I", value))


def text(name, values):
    at, room = FIELDS[name]
    for value in values:
        put("%s = %s" % (name, value.decode("ascii", "backslashreplace")), at,
            value.ljust(room, b"\0")[:room])


def make_table(base):
    area = struct.unpack(">I", base[KEYSLOT + 40:KEYSLOT + 44])[0]
    step = struct.unpack(">I", base[KEYSLOT + 88:KEYSLOT + 92])[0] - area
    end = os.stat(sys.argv[2]).st_size // 512
    TABLE["nothing changed"] = []
    for version in (0, 3, 0x100, 0xffff):
        put("version = %#x" % version, 6, struct.pack(">H", version))
    put("magic of a second copy", 0, b"SKUL\xba\xbe")
    put("magic damaged", 3, b"X")
    text("cipher name", [b"cipher_null", b"serpent", b"", b"A" * 32, b"\xff\xfe", b"aes\0x", b"AES",
                         b"aes-xts"])
    text("cipher mode", [b"ecb", b"xts-plain", b"cbc-plain64", b"cbc-essiv:sha256", b"", b"x" * 32,
                         b"xts-plain64be", b"\x1b[2J", b"xts-plain64\0y"])
    text("hash", [b"sha1", b"sha512", b"ripemd160", b"md5", b"crc32", b"", b"h" * 32, b"SHA256",
                  b"sha256\0x", b"whirlpool", b"sha3-256", b"\xff"])
    text("uuid", [b"", b"u" * 40, b"\x1b]0;x\x07", b"\xff" * 40])
    last = area + 7 * step
    numbers("data offset", 104, (0, 1, 8, 9, area, area + 1, last, last + step - 4, last + step - 5,
                                 last + 1, 2, 4095, 4097, end - 1, end, end + 1, 1 << 23, (1 << 32) - 1))
    numbers("key bytes", 108, (0, 1, 16, 20, 31, 33, 63, 64, 65, 66, 512, 513, 1 << 20, 1 << 31,
                               (1 << 32) - 1))
    numbers("digest iterations", 164, (0, 1, 999, 1001))
    put("digest changed", 112, b"\x55")
    put("digest salt changed", 132, b"\x55\x55")
    for slot in (0, 1, 6, 7):
        at = KEYSLOT + slot * KEYSLOT_BYTES
        numbers("slot %d active" % slot, at, (0, 1, ACTIVE if slot else INACTIVE, 0xffffffff))
        numbers("slot %d iterations" % slot, at + 4, (0, 1) if slot == 0 else (0, 0xffffffff))
        put("slot %d salt changed" % slot, at + 8, b"\x55\x55")
        here = area + slot * step
        numbers("slot %d area" % slot, at + 40,
                sorted({0, 1, 2, 3, 7, here - 1, here + 1, here + 4, here + 5, here - 4, area + step,
                        last, last + step, end - 1, end, 4096, 4097, 1 << 23, 1 << 31, (1 << 32) - 1,
                        (1 << 32) - step} - {here}))
        numbers("slot %d stripes" % slot, at + 44, (0, 1, 3999, 4001, 1 << 31, (1 << 32) - 1))
    for size in (0, 100, 512, 591, 592, 1024, 4096, area * 512 + 1, (last + step) * 512 - 1,
                 (last + step - 4) * 512, 4096 * 512, 4097 * 512):
        TABLE["cut off at %d bytes" % size] = size
    # what nobody thought of: every byte, with one bit or all bits turned
    for at in range(6, HDR_BYTES, 1 if os.environ.get("SEALDRIVE_LONG") else 3):
        TABLE["byte %d turned" % at] = [(at, bytes([base[at] ^ (0xff if at % 2 else 1)]))]
    # iterations that would take hours, in cryptsetup too
    for at in (164, 165, KEYSLOT + 4, KEYSLOT + 5):
        TABLE.pop("byte %d turned" % at, None)


def cryptsetup(*args):
    try:
        return subprocess.run(("cryptsetup", "--disable-locks", "-q") + args,
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, timeout=20).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def oracle(path, passphrase):
    if not cryptsetup("luksDump", path):
        return "refused"
    return "opened" if cryptsetup("open", "--test-passphrase", "-d", passphrase, path) else "loaded"


def ours(tool, paths, passphrase):
    out = subprocess.run([tool, "verdict", passphrase] + paths, stdout=subprocess.PIPE, check=True,
                         timeout=600).stdout.decode("utf-8", "replace")
    verdicts = {}
    for line in out.splitlines():
        path, load, use, unlock, *why = line.split(" ", 4)
        # a size that has no room for data is found when the drive is used, by cryptsetup too
        verdict = "refused" if int(load) else "opened" if int(unlock) == 0 else "loaded"
        verdicts[path] = verdict, "%s %s %s %s" % (load, use, unlock, " ".join(why))
    return verdicts


def main():
    tool, base_path, passphrase, work = sys.argv[1:5]
    with open(base_path, "rb") as file:
        base = file.read()
    make_table(base)
    names = list(TABLE)
    paths, before = {}, {}
    for number, name in enumerate(names):
        change = TABLE[name]
        image = bytearray(base[:change] if isinstance(change, int) else base)
        for at, data in change if isinstance(change, list) else ():
            image[at:at + len(data)] = data
        paths[name] = os.path.join(work, "%d.img" % number)
        with open(paths[name], "wb") as file:
            file.write(image)
        before[name] = bytes(image)
    verdicts = ours(tool, list(paths.values()), passphrase)
    changed = [name for name in names if open(paths[name], "rb").read() != before[name]]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        judged = list(pool.map(lambda name: oracle(paths[name], passphrase), names))
    bad, same = [], 0
    for name, theirs in zip(names, judged):
        mine, detail = verdicts[paths[name]]
        expected, _ = DIFFERENT.get(name, (theirs, None))
        # data that begin behind the end are looked for by us before a passphrase is, and by
        # cryptsetup only after it
        if int.from_bytes(before[name][104:108], "big") * 512 >= len(before[name]) and theirs == "opened":
            expected = "loaded"
        same += mine == theirs
        if mine != expected:
            bad.append("%s: cryptsetup: %s, ours: %s (%s)" % (name, theirs, mine, detail))
        os.unlink(paths[name])
    print("1..3")
    print("%sok 1 - %d headers of version 1 with a fault: cryptsetup and we agree on %d"
          % ("not " if bad else "", len(names), same))
    for line in bad:
        print("# " + line)
    print("%sok 2 - loading changed no byte" % ("not " if changed else ""))
    counts = {kind: judged.count(kind) for kind in ("refused", "loaded", "opened")}
    print("%sok 3 - of every kind there were some: %s"
          % ("" if min(counts.values()) > 20 else "not ", counts))
    return 1 if bad or changed else 0


sys.exit(main())
