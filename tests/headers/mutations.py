# SPDX-License-Identifier: LGPL-2.1-or-later
"""The table of headers with one fault (or oddity) each: name -> function that changes an Image."""
import json

TABLE = {}

MISSING = object()
U64 = 1 << 64


def mutation(name):
    def add(function):
        assert name not in TABLE, name
        TABLE[name] = function
        return function
    return add


def put(name, path, value):
    """doc[path] = value, or gone when value is MISSING."""
    def change(image):
        at = image.doc
        *parents, last = path.split("/")
        for key in parents:
            at = at[key]
        if value is MISSING:
            del at[last]
        else:
            at[last] = value
    mutation(name)(change)


def each(prefix, path, values):
    for label, value in values.items():
        put("%s %s" % (prefix, label), path, value)


def fields(prefix, base, names, values):
    for name in names:
        each("%s.%s" % (prefix, name), base + name, values)


WRONG_FOR_OBJECT = {"missing": MISSING, "array": [], "string": "x", "null": None, "number": 1}
WRONG_FOR_STRING = {"missing": MISSING, "empty": "", "number": 1, "null": None, "object": {},
                    "array": [], "true": True}
WRONG_FOR_ARRAY = {"missing": MISSING, "object": {}, "string": "0", "null": None, "number": 0}
WRONG_FOR_INT = {"missing": MISSING, "string": "64", "real": 64.0, "null": None, "negative": -1,
                 "zero": 0, "2^32": 1 << 32, "2^31": 1 << 31, "true": True, "array": [64]}
# a count of 2^31 is legal, and takes minutes
WRONG_FOR_COUNT = {k: v for k, v in WRONG_FOR_INT.items() if not k.startswith("2^3")}
WRONG_FOR_U64 = {"missing": MISSING, "number": 4096, "empty": "", "negative": "-4096",
                 "hexadecimal": "0x1000", "letters": "12a", "2^64": str(U64),
                 "huge": "9" * 40, "null": None, "plus": "+%d", "space": " %d", "zeroes": "000%d",
                 "trailing space": "%d ", "real": "%d.0"}


def u64_fields(prefix, base, names):
    """Strings with %d get the right value, so that only their form is odd."""
    for name in names:
        for label, value in WRONG_FOR_U64.items():
            def change(image, path=base + name, value=value):
                at = image.doc
                *parents, last = path.split("/")
                for key in parents:
                    at = at[key]
                if value is MISSING:
                    del at[last]
                elif isinstance(value, str) and "%d" in value:
                    at[last] = value % int(at[last])
                else:
                    at[last] = value
            mutation("%s.%s %s" % (prefix, name, label))(change)


# --- top level ----------------------------------------------------------------------------------
mutation("unchanged")(lambda image: None)
fields("top", "", ("keyslots", "tokens", "segments", "digests", "config"), WRONG_FOR_OBJECT)
put("top unknown member", "future", {"x": [1, {"y": None}]})
put("no segments at all", "segments", {})
put("no digests at all", "digests", {})


@mutation("no keyslots at all")
def _(image):
    image.doc["keyslots"] = {}
    image.doc["digests"]["0"]["keyslots"] = []


# --- config -------------------------------------------------------------------------------------
u64_fields("config", "config/", ("json_size", "keyslots_size"))
each("config.json_size", "config/json_size", {"other": "28672", "zero": "0", "not in the table": "8192",
                                              "wraps": str(U64 - 4096)})
each("config.keyslots_size", "config/keyslots_size", {
    "zero": "0", "not aligned": "524800", "reaches into the data": "1048576", "too small": "4096",
    "over 128 MiB": str((128 << 20) + 4096), "wraps": str(U64 - 4096)})
each("config.flags", "config/flags", {
    "unknown": ["future-flag"], "known": ["allow-discards"], "object": {}, "string": "x",
    "of numbers": [1], "empty": [], "null": None, "null inside": [None]})
each("config.requirements", "config/requirements", {
    "empty": {}, "array": [], "array of strings": ["x"], "string": "x", "null": None,
    "mandatory empty": {"mandatory": []}, "mandatory unknown": {"mandatory": ["future"]},
    "mandatory offline": {"mandatory": ["offline-reencrypt"]},
    "mandatory online without keyslot": {"mandatory": ["online-reencrypt-v2"]},
    "mandatory online v1 without keyslot": {"mandatory": ["online-reencrypt"]},
    "mandatory online v3 without keyslot": {"mandatory": ["online-reencrypt-v3"]},
    "mandatory number": {"mandatory": [1]}, "mandatory object": {"mandatory": {}},
    "mandatory null": {"mandatory": None}, "optional": {"optional": ["x"]}})
put("config unknown member", "config/future", [1, 2])

# --- segments -----------------------------------------------------------------------------------
fields("segment", "segments/", ("0",), WRONG_FOR_OBJECT)
fields("segment", "segments/0/", ("type", "encryption"), WRONG_FOR_STRING)
u64_fields("segment", "segments/0/", ("offset", "iv_tweak"))
each("segment.type", "segments/0/type", {"unknown": "future", "linear": "linear"})
each("segment.offset", "segments/0/offset", {
    "not aligned": "1048577", "inside the header": "16384", "zero": "0", "behind the end": "1073741824",
    "at the end": "2097152", "2^64-512": str(U64 - 512), "512-aligned": str((1 << 20) + 512)})
each("segment.size", "segments/0/size", {
    "missing": MISSING, "number": 1048576, "empty": "", "zero": "0", "fixed": "1048576",
    "fixed smaller": "524288", "not aligned": "1000", "beyond the end": "10737418240",
    "2^64": str(U64), "2^64-4096": str(U64 - 4096), "negative": "-512", "word": "static",
    "Dynamic": "Dynamic", "null": None, "letters": "512x"})
each("segment.sector_size", "segments/0/sector_size", WRONG_FOR_INT)
each("segment.sector_size", "segments/0/sector_size", {
    "512": 512, "1024": 1024, "2048": 2048, "1536": 1536, "256": 256, "8192": 8192, "513": 513})
each("segment.flags", "segments/0/flags", {
    "empty": [], "unknown": ["future"], "number": [1], "object": {}, "null": None,
    "backup": ["backup-final"], "backup previous": ["backup-previous"],
    "in-reencryption": ["in-reencryption"]})
INTEGRITY = {"type": "hmac(sha256)", "journal_encryption": "none", "journal_integrity": "none"}
each("segment.integrity", "segments/0/integrity", {
    "whole": INTEGRITY, "empty": {}, "null": None, "string": "x",
    "without type": {k: v for k, v in INTEGRITY.items() if k != "type"},
    "type number": dict(INTEGRITY, type=1), "type empty": dict(INTEGRITY, type="")})
each("segment.encryption", "segments/0/encryption", {
    "null cipher": "cipher_null-ecb", "null word": "null", "ecb": "aes-ecb", "unknown": "future-xts-plain64",
    "long": "a" * 300, "cbc": "aes-cbc-essiv:sha256", "plain": "aes-xts-plain"})
put("segment unknown member", "segments/0/future", {"x": 1})


def segment_named(name):
    def change(image):
        image.doc["segments"] = {name: image.doc["segments"]["0"]}
        image.doc["digests"]["0"]["segments"] = [name]
    mutation("segment is named %r" % name)(change)


for segment_name in ("1", "00", "x", "", "-0", "4294967296", "31", "32"):
    segment_named(segment_name)


def segments(name, *parts):
    """parts: (id, offset, size, flags) of further segments; the first is made 512 KiB long."""
    def change(image):
        first = image.doc["segments"]["0"]
        first["size"] = "524288"
        for key, offset, size, flags in parts:
            image.doc["segments"][key] = dict(first, offset=str(offset), size=size)
            if flags:
                image.doc["segments"][key]["flags"] = flags
            image.doc["digests"]["0"]["segments"].append(key)
    mutation("segments: " + name)(change)


M = 1 << 20
segments("a second behind the first", ("1", M + 524288, "524288", None))
segments("a second, dynamic", ("1", M + 524288, "dynamic", None))
segments("a gap between them", ("1", M + 786432, "262144", None))
segments("overlapping", ("1", M + 4096, "524288", None))
segments("the second before the first", ("1", M - 4096, "4096", None))
segments("a number left out", ("2", M + 524288, "524288", None))
segments("dynamic before fixed", ("1", M + 524288, "dynamic", None), ("2", M + 786432, "4096", None))
segments("wrapping around", ("1", U64 - 4096, "8192", None))
segments("ending at 2^64", ("1", U64 - 4096, "4096", None))
segments("a backup behind", ("1", M, "524288", ["backup-final"]))
segments("a backup between", ("1", M, "524288", ["backup-final"]), ("2", M + 524288, "dynamic", None))
segments("a backup far behind", ("7", M, "524288", ["backup-previous"]))
segments("an unknown backup flag", ("1", M, "524288", ["backup-future"]))


@mutation("segments: without a digest")
def _(image):
    image.doc["digests"]["0"]["segments"] = []


@mutation("segments: unknown type without a digest")
def _(image):
    image.doc["digests"]["0"]["segments"] = []
    image.doc["segments"]["0"]["type"] = "future"


# --- digests ------------------------------------------------------------------------------------
fields("digest", "digests/", ("0",), WRONG_FOR_OBJECT)
fields("digest", "digests/0/", ("type", "hash", "salt", "digest"), WRONG_FOR_STRING)
fields("digest", "digests/0/", ("keyslots", "segments"), WRONG_FOR_ARRAY)
each("digest.iterations", "digests/0/iterations", WRONG_FOR_COUNT)
each("digest.keyslots", "digests/0/keyslots", {
    "names none": [], "names what is not there": ["0", "5"], "of numbers": [0],
    "of objects": [{}], "twice": ["0", "0"], "of nulls": [None], "names nothing": [""]})
each("digest.segments", "digests/0/segments", {
    "names none": [], "names what is not there": ["0", "5"], "of numbers": [0], "twice": ["0", "0"]})
each("digest.type", "digests/0/type", {"unknown": "future"})
each("digest.hash", "digests/0/hash", {"unknown": "future", "other": "sha512", "upper case": "SHA256"})
BASE64 = {"bad character": "!" + "A" * 42 + "=", "no padding": "A" * 43, "short": "AAAA",
          "long": "A" * 200, "too much padding": "A" * 41 + "===", "inner padding": "AA==" + "A" * 40,
          "one character": "A", "31 bytes": "A" * 40 + "AA==", "33 bytes": "A" * 44}
each("digest.salt", "digests/0/salt", BASE64)
each("digest.digest", "digests/0/digest", BASE64)


def digest_respelled(name, spell):
    def change(image):
        image.doc["digests"]["0"]["salt"] = spell(image.doc["digests"]["0"]["salt"])
    mutation("digest.salt " + name)(change)


digest_respelled("line break inside", lambda text: text[:20] + "\n" + text[20:])
digest_respelled("space at the end", lambda text: text + " ")
digest_respelled("padding gone", lambda text: text.rstrip("="))
digest_respelled("unused bits set", lambda text: text[:-2] + chr(ord(text[-2]) + 1) + "=")
put("digest unknown member", "digests/0/future", 1)


@mutation("digest is named x")
def _(image):
    image.doc["digests"] = {"x": image.doc["digests"]["0"]}


@mutation("digest is named 7")
def _(image):
    image.doc["digests"] = {"7": image.doc["digests"]["0"]}


@mutation("digest is named 8")
def _(image):
    image.doc["digests"] = {"8": image.doc["digests"]["0"]}


@mutation("a second digest for nothing")
def _(image):
    image.doc["digests"]["1"] = dict(image.doc["digests"]["0"], keyslots=[], segments=[])


@mutation("a second digest for the keyslot only")
def _(image):
    image.doc["digests"]["1"] = dict(image.doc["digests"]["0"], segments=[])


@mutation("keyslot and segment have different digests")
def _(image):
    image.doc["digests"]["1"] = dict(image.doc["digests"]["0"], segments=[])
    image.doc["digests"]["0"]["keyslots"] = []


# --- keyslots -----------------------------------------------------------------------------------
fields("keyslot", "keyslots/", ("0",), WRONG_FOR_OBJECT)
fields("keyslot", "keyslots/0/", ("type",), WRONG_FOR_STRING)
fields("keyslot", "keyslots/0/", ("area", "kdf", "af"), WRONG_FOR_OBJECT)
each("keyslot.key_size", "keyslots/0/key_size", WRONG_FOR_INT)
each("keyslot.key_size", "keyslots/0/key_size", {"larger": 64, "smaller": 16, "odd": 31, "512": 512})
put("keyslot.type unknown", "keyslots/0/type", "future")
put("keyslot.type reencrypt", "keyslots/0/type", "reencrypt")
each("keyslot.priority", "keyslots/0/priority", {
    "ignore": 0, "normal": 1, "high": 2, "3": 3, "negative": -1, "string": "1", "null": None})
put("keyslot unknown member", "keyslots/0/future", [])
fields("keyslot.area", "keyslots/0/area/", ("type", "encryption"), WRONG_FOR_STRING)
u64_fields("keyslot.area", "keyslots/0/area/", ("offset", "size"))
each("keyslot.area.key_size", "keyslots/0/area/key_size", WRONG_FOR_INT)
each("keyslot.area.key_size", "keyslots/0/area/key_size", {"larger": 64, "smaller": 16, "odd": 33})
each("keyslot.area.type", "keyslots/0/area/type", {"unknown": "future", "none": "none"})
each("keyslot.area.encryption", "keyslots/0/area/encryption", {
    "null cipher": "cipher_null-ecb", "null word": "null", "ecb": "aes-ecb", "long": "a" * 300,
    "unknown": "future-xts-plain64", "no mode": "aes", "cbc": "aes-cbc-essiv:sha256"})
each("keyslot.area.offset", "keyslots/0/area/offset", {
    "zero": "0", "inside the headers": "16384", "behind the area": str(1 << 20),
    "not aligned": "32769", "other place": "180224", "2^64-4096": str(U64 - 4096)})
each("keyslot.area.size", "keyslots/0/area/size", {
    "zero": "0", "over the end": str(1 << 20), "wraps": str(U64 - 32768), "2^64-1": str(U64 - 1),
    "too small for the key": "4096", "not aligned": "131071", "exact": "128000", "one less": "127999"})
put("keyslot.area unknown member", "keyslots/0/area/future", 1)
fields("keyslot.af", "keyslots/0/af/", ("type", "hash"), WRONG_FOR_STRING)
each("keyslot.af.stripes", "keyslots/0/af/stripes", WRONG_FOR_INT)
each("keyslot.af.stripes", "keyslots/0/af/stripes", {"3999": 3999, "4001": 4001, "1": 1})
each("keyslot.af.type", "keyslots/0/af/type", {"unknown": "future", "luks2": "luks2"})
each("keyslot.af.hash", "keyslots/0/af/hash", {"unknown": "future", "other": "sha512", "long": "a" * 300})
put("keyslot.af unknown member", "keyslots/0/af/future", 1)
fields("keyslot.kdf", "keyslots/0/kdf/", ("type", "hash", "salt"), WRONG_FOR_STRING)
each("keyslot.kdf.iterations", "keyslots/0/kdf/iterations", WRONG_FOR_COUNT)
each("keyslot.kdf.iterations", "keyslots/0/kdf/iterations", {"other": 1001, "one": 1})
each("keyslot.kdf.type", "keyslots/0/kdf/type", {"unknown": "future", "argon2d": "argon2d",
                                                 "argon2id": "argon2id"})
each("keyslot.kdf.hash", "keyslots/0/kdf/hash", {"unknown": "future", "other": "sha512"})
each("keyslot.kdf.salt", "keyslots/0/kdf/salt", BASE64)
put("keyslot.kdf unknown member", "keyslots/0/kdf/future", 1)
ARGON2 = {"type": "argon2id", "time": 4, "memory": 32, "cpus": 1, "salt": "A" * 43 + "="}


def argon2(name, **changes):
    kdf = dict(ARGON2, **changes)
    put("argon2 " + name, "keyslots/0/kdf", {k: v for k, v in kdf.items() if v is not MISSING})


argon2("whole")
for argon2_field in ("time", "memory", "cpus", "salt"):
    argon2("without " + argon2_field, **{argon2_field: MISSING})
for argon2_field in ("time", "memory", "cpus"):
    argon2(argon2_field + " string", **{argon2_field: "4"})
    argon2(argon2_field + " zero", **{argon2_field: 0})
    argon2(argon2_field + " negative", **{argon2_field: -4})
    argon2(argon2_field + " real", **{argon2_field: 4.5})
argon2("memory too little for its cpus", memory=32, cpus=64)
argon2("memory beyond this machine", memory=(1 << 31) - 1)
argon2("memory of 2^32-1 KiB", memory=(1 << 32) - 1)
argon2("cpus of 2^24", memory=4096, cpus=1 << 24)
argon2("unknown member", future=1)


def keyslot_named(name):
    def change(image):
        image.doc["keyslots"] = {name: image.doc["keyslots"]["0"]}
        image.doc["digests"]["0"]["keyslots"] = [name]
    mutation("keyslot is named %r" % name)(change)


for keyslot_name in ("1", "00", "x", "", "-0", "31", "32", "4294967296", " 0", "0x0"):
    keyslot_named(keyslot_name)


def second_keyslot(name, offset, size, digest=True, **changes):
    def change(image):
        slot = json.loads(json.dumps(image.doc["keyslots"]["0"]))
        slot["area"].update(offset=str(offset), size=str(size))
        slot.update(changes)
        image.doc["keyslots"]["1"] = slot
        if digest:
            image.doc["digests"]["0"]["keyslots"].append("1")
    mutation("second keyslot " + name)(change)


second_keyslot("beside the first", 32768 + 131072, 131072)
second_keyslot("without a digest", 32768 + 131072, 131072, digest=False)
second_keyslot("of an unknown type, without a digest", 32768 + 131072, 131072, digest=False, type="future")
second_keyslot("in the same place", 32768, 131072)
second_keyslot("overlapping by a byte", 32768 + 131071, 131072)
second_keyslot("inside the first", 36864, 4096)
second_keyslot("around the first", 32768, 262144)
second_keyslot("empty", 32768 + 131072, 0)
second_keyslot("over the end by a byte", 32768 + 524288 - 131072 + 1, 131072)
second_keyslot("up to the end", 32768 + 524288 - 131072, 131072)
second_keyslot("of an unknown type", 32768 + 131072, 131072, type="future")
second_keyslot("of an unknown type, overlapping", 32768, 131072, type="future")
second_keyslot("without a kdf", 32768 + 131072, 131072, kdf=None)


@mutation("second keyslot of an unknown type without an area")
def _(image):
    image.doc["keyslots"]["1"] = {"type": "future", "key_size": 32}


def reencrypt(name, requirement="online-reencrypt-v2", count=1, area=None, **changes):
    def change(image):
        for number in range(1, count + 1):
            slot = {"type": "reencrypt", "key_size": 1, "mode": "reencrypt", "direction": "forward",
                    "area": {"type": "none", "offset": str(32768 + 131072 * number), "size": "4096"}}
            slot["area"].update(area or {})
            slot.update(changes)
            image.doc["keyslots"][str(number)] = slot
            image.doc["digests"][str(number)] = dict(
                image.doc["digests"]["0"], keyslots=[str(number)], segments=[])
        if requirement:
            image.doc["config"]["requirements"] = {"mandatory": [requirement]}
    mutation("reencrypt keyslot " + name)(change)


reencrypt("whole")
reencrypt("v1", requirement="online-reencrypt")
reencrypt("v3", requirement="online-reencrypt-v3")
reencrypt("without requirement", requirement=None)
reencrypt("with another requirement", requirement="future")
reencrypt("twice", count=2)
reencrypt("bad mode", mode="future")
reencrypt("bad direction", direction="sideways")
reencrypt("mode number", mode=1)
reencrypt("key size 2", key_size=2)
reencrypt("area unknown", area={"type": "future"})
reencrypt("area checksum", area={"type": "checksum", "hash": "sha256", "sector_size": 512})
reencrypt("area checksum without hash", area={"type": "checksum", "sector_size": 512})
reencrypt("area checksum sector 1536", area={"type": "checksum", "hash": "sha256", "sector_size": 1536})
reencrypt("area checksum sector 256", area={"type": "checksum", "hash": "sha256", "sector_size": 256})
reencrypt("area datashift", area={"type": "datashift", "shift_size": "4096"})
reencrypt("area datashift odd", area={"type": "datashift", "shift_size": "4097"})
reencrypt("area datashift zero", area={"type": "datashift", "shift_size": "0"})
reencrypt("area datashift missing", area={"type": "datashift"})
reencrypt("area datashift-journal", area={"type": "datashift-journal", "shift_size": "4096"})
reencrypt("area datashift-checksum", area={"type": "datashift-checksum", "hash": "sha256",
                                           "sector_size": 512, "shift_size": "4096"})
reencrypt("area datashift-checksum without shift", area={
    "type": "datashift-checksum", "hash": "sha256", "sector_size": 512})
reencrypt("area journal", area={"type": "journal"})

# --- tokens -------------------------------------------------------------------------------------
TOKEN = {"type": "future", "keyslots": ["0"], "anything": {"x": [1]}}
each("token", "tokens/0", {
    "of an unknown type": TOKEN, "null": None, "string": "x", "empty": {},
    "without type": {"keyslots": []}, "type number": {"type": 1, "keyslots": []},
    "type empty": {"type": "", "keyslots": []}, "without keyslots": {"type": "future"},
    "keyslots object": {"type": "future", "keyslots": {}},
    "keyslots number": {"type": "future", "keyslots": [0]},
    "keyslots not there": {"type": "future", "keyslots": ["9"]},
    "keyring": {"type": "luks2-keyring", "keyslots": ["0"], "key_description": "x"},
    "keyring without description": {"type": "luks2-keyring", "keyslots": ["0"]},
    "reserved name": {"type": "luks2-future", "keyslots": ["0"]}})
put("token is named x", "tokens/x", TOKEN)
put("token is named 32", "tokens/32", TOKEN)
each("token", "tokens/0", {
    "keyslots twice": {"type": "future", "keyslots": ["0", "0"]},
    "keyslots forty times": {"type": "future", "keyslots": ["0"] * 40},
    "keyslots of numbers": {"type": "future", "keyslots": [0, 0]},
    "keyslots of nulls": {"type": "future", "keyslots": [None]},
    "keyslots of objects": {"type": "future", "keyslots": [{}]},
    "keyslots null": {"type": "future", "keyslots": None},
    "keyslots string": {"type": "future", "keyslots": "0"},
    "keyslots 00": {"type": "future", "keyslots": ["00"]},
    "type null": {"type": None, "keyslots": []}, "type array": {"type": [], "keyslots": []},
    "type object": {"type": {"a": 1}, "keyslots": []},
    "type of 500 bytes": {"type": "t" * 500, "keyslots": ["0"]},
    "type with escapes": {"type": "a\x1b[2J\r\n", "keyslots": []},
    "type in Vietnamese": {"type": "thẻ bài", "keyslots": []},
    "of clevis": {"type": "clevis", "keyslots": ["0"], "jwe": {"ciphertext": "x", "protected": 1}},
    "of 8 KiB": dict(TOKEN, anything="y" * 8192), "nested 25 deep": dict(TOKEN, anything=eval("[" * 25 + "]" * 25)),
    "with a member of every kind": dict(TOKEN, a=None, b=True, c=1.5, d=-7, e=[], f={}, g="", h=1e300)})
each("tokens", "tokens", {
    "31": {str(n): TOKEN for n in range(31)}, "32": {str(n): TOKEN for n in range(32)},
    "33": {str(n): TOKEN for n in range(33)}, "array of tokens": [TOKEN]})
for token_name in ("00", "-1", "+1", " 1", "1 ", "0x1", "4294967296", "18446744073709551616", "", "١"):
    put("token is named %r" % token_name, "tokens/" + token_name, TOKEN)

# Seals that whoever has no key can make: all are wrong, and nothing of them is believed.
B32 = "A" * 43 + "="
SEAL = {"type": "sealdrive-integrity", "keyslots": [], "version": 1, "salt": B32, "mac": B32}
TAGS = {"label": "AAAAAAAAAAA=", "uuid": "AAAAAAAAAAA=", "keyslots": {"0": "AAAAAAAAAAA="}}
SEALS = {"with a wrong MAC": {}, "with tags": {"parts": TAGS}}
for seal_field in ("salt", "mac"):
    SEALS.update({"%s %s" % (seal_field, k): {seal_field: v} for k, v in BASE64.items()})
    SEALS.update({"%s %s" % (seal_field, k): {seal_field: v} for k, v in WRONG_FOR_STRING.items()})
SEALS.update({"version " + k: {"version": v} for k, v in WRONG_FOR_INT.items()})
SEALS.update({"version 2": {"version": 2}, "for key slot 0": {"keyslots": ["0"]},
              "with unknown members": {"future": [1, {"x": None}]}})
SEALS.update({"parts " + k: {"parts": v} for k, v in {
    "empty": {}, "array": [], "string": "x", "number": 1, "null": None, "true": True,
    "label number": {"label": 1}, "label object": {"label": {}}, "label short": {"label": "AAAA"},
    "keyslots array": {"keyslots": []}, "keyslots string": {"keyslots": "x"},
    "keyslots of numbers": {"keyslots": {"0": 1, "1": None}}, "config object": {"config": {}},
    "of keyslots that are not there": {"keyslots": {str(n): "AAAAAAAAAAA=" for n in range(300)}},
    "with long names": {"tokens": {"n" * 3000: "x"}, "segments": {"\x1b[2J\n": "x", "%n%s": "y"}},
    "unknown": {"future": {"0": "x"}}, "deep": {"keyslots": {"0": {"0": {"0": {}}}}}}.items()})
for seal_name, seal_changes in SEALS.items():
    put("seal " + seal_name, "tokens/0",
        {k: v for k, v in dict(SEAL, **seal_changes).items() if v is not MISSING})
put("seal twice", "tokens", {"0": SEAL, "1": SEAL})
put("seal is named 31", "tokens/31", SEAL)
put("seal behind a token", "tokens", {"0": TOKEN, "9": SEAL})
put("seal is named 32, where nobody looks", "tokens/32", SEAL)

# --- JSON as text -------------------------------------------------------------------------------


def text(name, change):
    def apply(image):
        image.text = change(json.dumps(image.doc, separators=(",", ":")))
    mutation("text: " + name)(apply)


def nested(levels):
    return lambda t: t[:-1] + ',"x":' + "[" * levels + "]" * levels + "}"


text("empty", lambda t: "")
text("not JSON", lambda t: "hello")
text("an array", lambda t: "[" + t + "]")
text("white space before", lambda t: " " + t)
text("white space after", lambda t: t + " \n")
text("white space inside", lambda t: t.replace(":", " : "))
text("byte order mark", lambda t: "\ufeff" + t)
text("cut off", lambda t: t[:-1])
text("closed twice", lambda t: t + "}")
text("second document", lambda t: t + "{}")
text("letters after", lambda t: t + "x")
text("bytes after the end", lambda t: t.encode() + b"\0x")
text("bytes at the very end", lambda t: t.encode() + b"\0" * (12288 - len(t) - 1) + b"x")
text("fills the area", lambda t: t[:-1] + ',"x":"' + "y" * (12288 - len(t) - 8) + '"}')
text("fills the area but one", lambda t: t[:-1] + ',"x":"' + "y" * (12288 - len(t) - 9) + '"}')
text("comma at the end", lambda t: t[:-1] + ",}")
text("comment", lambda t: "{/* x */" + t[1:])
text("comment after", lambda t: t + "/* x */")
text("single quotes", lambda t: t.replace('"config"', "'config'"))
text("key without quotes", lambda t: t.replace('"config"', "config"))
text("NaN", lambda t: t[:-1] + ',"x":NaN}')
text("Infinity", lambda t: t[:-1] + ',"x":Infinity}')
text("literal in upper case", lambda t: t[:-1] + ',"x":TRUE}')
text("number with leading zero", lambda t: t[:-1] + ',"x":007}')
text("number with plus", lambda t: t[:-1] + ',"x":+7}')
text("number beyond 64 bits", lambda t: t[:-1] + ',"x":123456789012345678901234567890}')
text("number with huge exponent", lambda t: t[:-1] + ',"x":1e999}')
text("control character", lambda t: t[:-1] + ',"x":"\x01"}')
text("line break in a string", lambda t: t[:-1] + ',"x":"\n"}')
text("bad escape", lambda t: t[:-1] + ',"x":"\\q"}')
text("escaped slash", lambda t: t.replace("/", "\\/"))
text("unicode escape", lambda t: t.replace('"config"', '"\\u0063onfig"'))
text("half a surrogate pair", lambda t: t[:-1] + ',"x":"\\ud800"}')
text("NUL escape in a value", lambda t: t[:-1] + ',"x":"a\\u0000b"}')
text("NUL escape in a type", lambda t: t.replace('"type":"crypt"', '"type":"crypt\\u0000x"'))
text("NUL escape in a key", lambda t: t[:-1] + ',"x\\u0000y":1}')
text("bad UTF-8", lambda t: t[:-1].encode() + b',"x":"\xff\xfe"}')
text("overlong UTF-8", lambda t: t[:-1].encode() + b',"x":"\xc0\x80"}')
text("good UTF-8", lambda t: t[:-1] + ',"x":"đĩa mã hoá"}')
text("duplicate top-level member", lambda t: t[:-1] + ',"tokens":{}}')
text("duplicate keyslot", lambda t: t.replace('"keyslots":{"0":', '"keyslots":{"0":{},"0":', 1))
text("duplicate field", lambda t: t.replace('"type":"crypt"', '"type":"linear","type":"crypt"'))
text("nested 28 deep", nested(28))
text("nested 29 deep", nested(29))
text("nested 30 deep", nested(30))
text("nested 31 deep", nested(31))
text("nested 32 deep", nested(32))
text("nested 3000 deep", nested(3000))
text("1000 members", lambda t: t[:-1] + "".join(',"m%d":1' % n for n in range(1000)) + "}")

# --- binary header ------------------------------------------------------------------------------


def binary(name, **changes):
    """changes: field -> value, or function of (old value, number of the copy)."""
    def change(image):
        for number, fields_of in enumerate(image.bins):
            for field, value in changes.items():
                fields_of[field] = value(fields_of[field], number) if callable(value) else value
    mutation("binary: " + name)(change)


binary("version 0", version=0)
binary("version 1", version=1)
binary("version 3", version=3)
binary("version 512", version=512)
binary("magic other", magic=b"XUKS\xba\xbe")
binary("magic swapped", magic=lambda old, n: (b"SKUL\xba\xbe", b"LUKS\xba\xbe")[n])
binary("hdr_size 0", hdr_size=0)
binary("hdr_size 4096", hdr_size=4096)
binary("hdr_size 8192", hdr_size=8192)
binary("hdr_size 16385", hdr_size=16385)
binary("hdr_size 32768", hdr_size=32768)
binary("hdr_size 4 MiB", hdr_size=4 << 20)
binary("hdr_size over 4 MiB", hdr_size=8 << 20)
binary("hdr_size 2^64-1", hdr_size=U64 - 1)
binary("hdr_size 2^63", hdr_size=1 << 63)
binary("hdr_offset zero in both", hdr_offset=0)
binary("hdr_offset one off", hdr_offset=lambda old, n: old + 1)
binary("hdr_offset 2^64-1", hdr_offset=U64 - 1)
binary("seqid 0", seqid=0)
binary("seqid 2^64-1", seqid=U64 - 1)
binary("seqid differs, primary newer", seqid=lambda old, n: 9 - n)
binary("seqid differs, secondary newer", seqid=lambda old, n: 9 + n)
binary("label full, without end", label=b"x" * 48)
binary("label not UTF-8", label=b"\xff\xfe\x1b[2J")
binary("uuid without end", uuid=b"x" * 40)
binary("uuid empty", uuid=b"")
binary("uuid no UUID", uuid=b"hello")
binary("subsystem full, without end", subsystem=b"x" * 48)
binary("csum_alg sha512", csum_alg=b"sha512")
binary("csum_alg sha1", csum_alg=b"sha1")
binary("csum_alg sha3-256", csum_alg=b"sha3-256")
binary("csum_alg upper case", csum_alg=b"SHA256")
binary("csum_alg empty", csum_alg=b"")
binary("csum_alg unknown", csum_alg=b"future")
binary("csum_alg without end", csum_alg=b"s" * 32)
binary("padding not zero", padding=b"x" * 184)
binary("padding to 4096 not zero", padding4096=b"x" * 3584)
binary("salts equal", salt=b"s" * 64)


@mutation("binary: bytes behind the checksum")
def _(image):
    image.keep_csum = True
    for number, fields_of in enumerate(image.bins):
        fields_of["csum"] = fields_of["csum"][:32] + b"x" * 32


@mutation("checksum wrong in both copies")
def _(image):
    image.keep_csum = True
    for fields_of in image.bins:
        fields_of["csum"] = b"\0" * 64


def damaged(name, change):
    """change(data) is done to the finished image."""
    def apply(image):
        image.after = change
    mutation("damaged: " + name)(apply)


def zero(*ranges):
    def change(data):
        for start, end in ranges:
            data[start:end] = b"\0" * (end - start)
    return change


damaged("primary zeroed", zero((0, 4096)))
damaged("primary JSON zeroed", zero((4096, 16384)))
damaged("primary wholly zeroed", zero((0, 16384)))
damaged("secondary zeroed", zero((16384, 20480)))
damaged("secondary JSON zeroed", zero((20480, 32768)))
damaged("both binary headers zeroed", zero((0, 4096), (16384, 20480)))
damaged("both JSON areas zeroed", zero((4096, 16384), (20480, 32768)))
damaged("primary magic and secondary checksum", lambda d: (zero((0, 6))(d), zero((16384 + 448, 16384 + 512))(d)))
damaged("one bit of the primary", lambda d: d.__setitem__(5000, d[5000] ^ 1))
damaged("one bit of the secondary", lambda d: d.__setitem__(16384 + 5000, d[16384 + 5000] ^ 1))
damaged("the keyslot area", zero((32768, 65536)))
damaged("everything", lambda d: zero((0, len(d)))(d))
damaged("random-looking bytes", lambda d: d.__setitem__(slice(0, 32768), bytes((i * 7919 >> 5) & 255 for i in range(32768))))


def cut(name, size):
    def apply(image):
        image.size = size
    mutation("cut to " + name)(apply)


cut("0 bytes", 0)
cut("512 bytes", 512)
cut("4096 bytes", 4096)
cut("the primary header", 16384)
cut("the primary header and a bit", 16384 + 100)
cut("both headers", 32768)
cut("the keyslot", 32768 + 131072)
cut("headers and keyslots area, less a byte", 32768 + 524288 - 1)
cut("headers and keyslots area", 32768 + 524288)
cut("the data offset", 1 << 20)
cut("one sector of data", (1 << 20) + 4096)
cut("half a sector of data", (1 << 20) + 512)
