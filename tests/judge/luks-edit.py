#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes LUKS2 headers with one fault each, checksums right, for tests of what is refused.

    luks-edit.py list                   names of all faults, one a line, with what they deserve
    luks-edit.py make NAME GOOD BAD     BAD becomes a copy of GOOD with that fault

A fault is a function on the JSON document `j`, on its text, or on the binary header.
It deserves: "refused" (status 4, or 8 for what looks like an unknown kind of thing, and
cryptsetup refuses it too), "strict" (status 4; cryptsetup
lets it pass), "feature" (status 8), "fine" (must open), or "any" of these.
"""
import hashlib
import json
import os
import shutil
import struct
import sys

FAULTS = []
# cryptsetup does not look at these.
LENIENT = ("digests.0.salt is an object", "no digests.0.digest", "digests.0.digest is an object",
           "digests.0.hash is an object", "keyslots.0.af.stripes is negative")


def fault(name, deserves, statement):
    FAULTS.append((name, "any" if name in LENIENT else deserves, statement, "json"))


def text_fault(name, deserves, statement):
    FAULTS.append((name, deserves, statement, "text"))


def binary_fault(name, deserves, statement):
    FAULTS.append((name, deserves, statement, "binary"))


SLOT = 'j["keyslots"]["0"]'
AREA = SLOT + '["area"]'
KDF = SLOT + '["kdf"]'
AF = SLOT + '["af"]'
SEG = 'j["segments"]["0"]'
DIGEST = 'j["digests"]["0"]'
CONFIG = 'j["config"]'

# What must stay fine.
fault("nothing changed", "fine", "pass")
fault("unknown member at the top", "fine", 'j["x-note"] = {"a": [1, 2]}')
fault("unknown member in a keyslot", "fine", SLOT + '["x"] = 1')
fault("unknown member in a segment", "fine", SEG + '["x"] = "y"')
fault("unknown token type", "fine",
      'j["tokens"]["3"] = {"type": "x-unknown", "keyslots": ["0"], "data": {"b": "c"}}')
fault("unused token", "fine", 'j["tokens"]["0"] = {"type": "x", "keyslots": []}')
fault("unknown config flag", "fine", CONFIG + '["flags"] = ["some-new-flag"]')
fault("discards are allowed", "fine", CONFIG + '["flags"] = ["allow-discards"]')
fault("priority of the slot is high", "fine", SLOT + '["priority"] = 2')

# Missing, doubled, of the wrong type.
for what in ("keyslots", "tokens", "segments", "digests", "config"):
    fault("no " + what, "refused", 'del j["%s"]' % what)
    fault(what + " is an array", "refused", 'j["%s"] = []' % what)
    fault(what + " is a string", "refused", 'j["%s"] = "x"' % what)
    fault(what + " is null", "refused", 'j["%s"] = None' % what)
for path, members in ((SLOT, ("type", "key_size", "area", "kdf", "af")),
                      (AREA, ("type", "offset", "size", "encryption", "key_size")),
                      (KDF, ("type", "salt", "hash", "iterations")),
                      (AF, ("type", "stripes", "hash")),
                      (SEG, ("type", "offset", "size", "iv_tweak", "encryption", "sector_size")),
                      (DIGEST, ("type", "keyslots", "segments", "salt", "digest", "hash", "iterations")),
                      (CONFIG, ("json_size", "keyslots_size"))):
    where = path.replace('j["', "").replace('"]["', ".").replace('"]', "")
    for member in members:
        fault("no %s.%s" % (where, member), "refused", "del %s['%s']" % (path, member))
        fault("%s.%s is an object" % (where, member) if member not in ("area", "kdf", "af")
              else "%s.%s is a number" % (where, member), "refused",
              "%s['%s'] = %s" % (path, member, 1 if member in ("area", "kdf", "af") else "{}"))
for path, member in ((AREA, "offset"), (AREA, "size"), (SEG, "offset"), (SEG, "iv_tweak"),
                     (CONFIG, "json_size"), (CONFIG, "keyslots_size")):
    where = path.replace('j["', "").replace('"]["', ".").replace('"]', "")
    for value in ('-1', ' 1', '1x', '0x10', '', '18446744073709551616', '99999999999999999999999'):
        fault("%s.%s is '%s'" % (where, member, value), "refused",
              "%s['%s'] = %r" % (path, member, value))
    fault("%s.%s is a number, not a string" % (where, member), "refused",
          "%s['%s'] = int(%s['%s'])" % (path, member, path, member))
for path, member in ((SLOT, "key_size"), (AREA, "key_size"), (AF, "stripes"), (SEG, "sector_size")):
    where = path.replace('j["', "").replace('"]["', ".").replace('"]', "")
    fault("%s.%s is a string" % (where, member), "refused",
          "%s['%s'] = str(%s['%s'])" % (path, member, path, member))
    fault("%s.%s is negative" % (where, member), "refused", "%s['%s'] = -1" % (path, member))
    fault("%s.%s is a fraction" % (where, member), "refused", "%s['%s'] = 1.5" % (path, member))

# Values that contradict each other or the drive.
fault("area overlaps the header", "refused", AREA + '["offset"] = "4096"')
fault("area behind the keyslots area", "refused", AREA + '["offset"] = str(16 << 20)')
fault("area of size 0", "refused", AREA + '["size"] = "0"')
fault("area too small for its stripes", "any", AREA + '["size"] = "4096"')
fault("area wraps around", "refused", AREA + '["offset"] = "18446744073709547520"')
fault("area size wraps around", "refused", AREA + '["size"] = "18446744073709547520"')
fault("two slots in one area", "refused",
      'j["keyslots"]["1"] = dict(%s); %s["keyslots"].append("1")' % (SLOT, DIGEST))
fault("two slots in overlapping areas", "refused",
      'import copy; k = copy.deepcopy(%s); k["area"]["offset"] = str(int(k["area"]["offset"]) + 4096); '
      'j["keyslots"]["1"] = k; %s["keyslots"].append("1")' % (SLOT, DIGEST))
fault("keyslot id 32", "any", 'j["keyslots"]["32"] = j["keyslots"].pop("0"); %s["keyslots"] = ["32"]' % DIGEST)
fault("keyslot id -1", "refused", 'j["keyslots"]["-1"] = j["keyslots"]["0"]')
fault("keyslot id x", "refused", 'j["keyslots"]["x"] = j["keyslots"]["0"]')
fault("segment id x", "refused", 'j["segments"]["x"] = j["segments"].pop("0")')
fault("digest names a slot that is not there", "refused", DIGEST + '["keyslots"].append("7")')
fault("digest names a segment that is not there", "refused", DIGEST + '["segments"].append("7")')
fault("token names a slot that is not there", "refused",
      'j["tokens"]["0"] = {"type": "x", "keyslots": ["5"]}')
fault("token without type", "refused", 'j["tokens"]["0"] = {"keyslots": []}')
fault("token without keyslots", "refused", 'j["tokens"]["0"] = {"type": "x"}')
fault("slot in no digest", "refused", DIGEST + '["keyslots"] = []')
fault("segment in no digest", "refused", DIGEST + '["segments"] = []')
fault("no digest at all", "refused", 'j["digests"] = {}')
fault("no segment at all", "refused", 'j["segments"] = {}')
fault("no keyslot at all", "refused", 'j["keyslots"] = {}; %s["keyslots"] = []' % DIGEST)
fault("segment begins inside the header", "refused", SEG + '["offset"] = "4096"')
fault("segment not on a sector", "refused", SEG + '["offset"] = str((16 << 20) + 100)')
fault("segment behind the end of the drive", "strict", SEG + '["offset"] = str(1 << 40)')
fault("segment of fixed size", "fine", SEG + '["size"] = str(4 << 20)')
fault("segment of fixed size larger than the drive", "strict", SEG + '["size"] = str(1 << 40)')
fault("segment size 0", "refused", SEG + '["size"] = "0"')
fault("segment size not whole sectors", "refused", SEG + '["size"] = "1000000"')
for size in (0, 1, 256, 1000, 8192, 65536):
    fault("sector size %d" % size, "strict" if size > 4096 else "refused", SEG + '["sector_size"] = %d' % size)
fault("json_size of another header size", "refused", CONFIG + '["json_size"] = "28672"')
fault("keyslots_size beyond the data", "refused", CONFIG + '["keyslots_size"] = str(1 << 30)')
fault("keyslots_size not whole 4 KiB", "refused", CONFIG + '["keyslots_size"] = "1000000"')
fault("key size 0", "refused", SLOT + '["key_size"] = 0')
fault("key size huge", "refused", SLOT + '["key_size"] = 2147483647')
fault("stripes 0", "any", AF + '["stripes"] = 0')
fault("stripes huge", "any", AF + '["stripes"] = 2147483647')
fault("iterations 0", "refused", KDF + '["iterations"] = 0')
fault("iterations negative", "refused", KDF + '["iterations"] = -5')
fault("unknown kdf", "refused", KDF + '["type"] = "md5crypt"')
fault("salt is no base64", "refused", KDF + '["salt"] = "***"')
fault("digest is no base64", "refused", DIGEST + '["digest"] = "***"')
fault("digest salt empty", "any", DIGEST + '["salt"] = ""')
fault("argon2 without memory", "refused",
      KDF + ' = {"type": "argon2id", "salt": %s["salt"], "time": 4, "cpus": 1}' % KDF)
fault("argon2 with no time", "refused",
      KDF + ' = {"type": "argon2id", "salt": %s["salt"], "time": 0, "memory": 65536, "cpus": 1}' % KDF)
fault("argon2 with no threads", "refused",
      KDF + ' = {"type": "argon2id", "salt": %s["salt"], "time": 4, "memory": 65536, "cpus": 0}' % KDF)
fault("priority 3", "refused", SLOT + '["priority"] = 3')
fault("config flags is a string", "refused", CONFIG + '["flags"] = "x"')
fault("config flags holds a number", "refused", CONFIG + '["flags"] = [1]')

# What we do not have, or do not want.
fault("unknown requirement", "feature", CONFIG + '["requirements"] = {"mandatory": ["time-travel"]}')
fault("a reencryption is going on", "any",
      CONFIG + '["requirements"] = {"mandatory": ["online-reencrypt-v2"]}')
for cipher in ("cipher_null-ecb", "aes-ecb", "aes-cbc-null", "serpent-xts-plain64", "", "aes",
               "aes-xts", "aes-xts-random", "capi:xts(aes)-plain64", "../../x", "a" * 5000):
    fault("data cipher '%s'" % (cipher[:24]), "feature" if cipher else "any",
          SEG + '["encryption"] = %r' % cipher)
fault("segment of type linear", "any", SEG + '["type"] = "linear"')
fault("integrity", "feature", SEG + '["integrity"] = {"type": "hmac(sha256)", '
      '"journal_encryption": "none", "journal_integrity": "none"}')

# The text of the JSON area.
text_fault("bytes after the document", "refused", 't + b"\\0x"')
text_fault("a second document", "refused", "t + t")
text_fault("doubled member", "any", "t.replace(b'{\"keyslots\"', b'{\"config\":{},\"keyslots\"', 1)")
text_fault("no final brace", "refused", "t[:-1]")
text_fault("not terminated", "refused", 't.ljust(area, b" ")')
text_fault("empty", "refused", 'b""')
text_fault("an array", "refused", 'b"[]"')
text_fault("a number", "refused", 'b"1"')
text_fault("no UTF-8", "refused", "t.replace(b'\"luks2\"', b'\"luks\\xff\"', 1)")
text_fault("a NUL in a string", "strict", "t.replace(b'\"luks2\"', b'\"luks2\\\\u0000\"', 1)")
text_fault("very deep", "refused", 'b"[" * (area // 2) + b"]" * (area // 2 - 1)')
text_fault("a number of 3000 digits", "any", "t.replace(b'\"stripes\":4000', b'\"stripes\":' + b'9' * 3000, 1)")
text_fault("a very long key", "any", "t[:-1] + b',\"' + b'k' * 5000 + b'\":1}'")

# The binary header; offsets of the specification.
binary_fault("version 3", "any", 'put(6, ">H", 3)')
binary_fault("version 0", "any", 'put(6, ">H", 0)')
binary_fault("header size 0", "refused", 'put(8, ">Q", 0)')
binary_fault("header size 8 KiB", "refused", 'put(8, ">Q", 8192)')
binary_fault("header size not in the list", "refused", 'put(8, ">Q", 20480)')
binary_fault("header size 4 EiB", "refused", 'put(8, ">Q", 1 << 62)')
binary_fault("header offset of another place", "refused", 'put(256, ">Q", 8192)')
binary_fault("unknown checksum algorithm", "refused", 'raw(72, b"crc99".ljust(32, b"\\0"))')
binary_fault("checksum algorithm not terminated", "refused", 'raw(72, b"s" * 32)')


def areas(f):
    """Offset and size of both copies."""
    size = struct.unpack(">Q", os.pread(f, 8, 8))[0]
    return ((0, size), (size, size))


def seal(binary, text, area):
    blob = bytearray(binary)
    blob[448:512] = bytes(64)
    body = bytes(blob) + text.ljust(area, b"\0")
    blob[448:480] = hashlib.sha256(body).digest()
    return bytes(blob) + body[4096:]


def make(name, good, bad):
    (statement, kind) = next((f[2], f[3]) for f in FAULTS if f[0] == name)
    shutil.copyfile(good, bad + ".tmp")
    os.rename(bad + ".tmp", bad)
    f = os.open(bad, os.O_RDWR)
    for offset, size in areas(f):
        binary = bytearray(os.pread(f, 4096, offset))
        area = size - 4096
        text = os.pread(f, area, offset + 4096).split(b"\0", 1)[0]
        if kind == "json":
            j = json.loads(text)
            exec(statement, {"j": j})
            text = json.dumps(j, separators=(",", ":"), ensure_ascii=False).encode()
        elif kind == "text":
            text = eval(statement, {"t": text, "area": area})
        else:
            def put(at, form, value):
                struct.pack_into(form, binary, at, value)

            def raw(at, data):
                binary[at:at + len(data)] = data
            exec(statement, {"put": put, "raw": raw})
        if len(text) > area:
            sys.exit("luks-edit: the fault '%s' does not fit the JSON area" % name)
        os.pwrite(f, seal(binary, text, area), offset)
    os.close(f)


if sys.argv[1] == "list":
    assert len({f[0] for f in FAULTS}) == len(FAULTS)
    for f in FAULTS:
        print(f[1] + "\t" + f[0])
else:
    make(*sys.argv[2:5])
