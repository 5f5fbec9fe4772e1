#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Token objects with every field absurd: tokens.py DIR

writes each into a file of DIR, and prints a line for each: file, and what is wrong with it: the name of the field that must
be refused, "uri" for a PKCS #11 URI, "-" where it is fine, "?" for what is not a token of ours."""
import base64
import copy
import json
import os
import sys

SALT = base64.b64encode(bytes(32)).decode()
KEY = base64.b64encode(bytes(256)).decode()
CREDENTIAL = base64.b64encode(bytes(range(64))).decode()
DIGEST = base64.b64encode(bytes(16)).decode()
PKCS11 = {"type": "systemd-pkcs11", "keyslots": ["1"], "pkcs11-uri": "pkcs11:manufacturer=Sealdrive%20tests", "pkcs11-key": KEY}
FIDO2 = {"type": "systemd-fido2", "keyslots": ["1"], "fido2-credential": CREDENTIAL, "fido2-salt": SALT,
         "fido2-rp": "io.systemd.cryptsetup", "fido2-clientPin-required": True, "fido2-up-required": True,
         "fido2-uv-required": False}
SHARES = {"type": "sealdrive-shares", "keyslots": ["1"], "set": "cbdefghijklnrtuv", "shares": 3, "threshold": 2,
          "made": "2026-11-30", "digests": [DIGEST] * 3}
BOTH = {"type": "sealdrive-both", "keyslots": ["1"], "salt": SALT,
        "parts": [{k: v for k, v in PKCS11.items() if k != "keyslots"}, {"type": "passphrase"}]}
CUSTODY = {"type": "sealdrive-custody", "keyslots": ["1"], "owner": "A", "serial": "1", "label": "L", "enrolled": "2026-11-30"}
MISSING = object()
# what no field of ours may be
ANYWHERE = [MISSING, None, True, 7, -1, 1e300, [], ["x"], {}, {"a": {"b": []}}, "", "\x00", "a\x00b", "\x1b[2J", "\u202e", "%s%n",
            "A" * 1023, "A" * 1024, "A" * 3000, "=" * 44, "A===", "A" * 43, " " + SALT, SALT + "\n", SALT[:-1] + "!"]
BASE64_LONG = base64.b64encode(bytes(1025)).decode()
DEEP = 0
for _ in range(60):
    DEEP = [DEEP]


def variants():
    """name, object, what is refused"""
    for name, token in (("pkcs11", PKCS11), ("fido2", FIDO2), ("shares", SHARES), ("both", BOTH), ("custody", CUSTODY)):
        yield name, token, "?" if name in ("shares", "custody") else "-"

    def put(base, field, value):
        token = copy.deepcopy(base)
        if value is MISSING:
            del token[field]
        else:
            token[field] = value
        return token

    for value in ANYWHERE + [BASE64_LONG, DEEP]:
        # "AAA..." is base64 where its length is a multiple of four, and not longer than what there is room for
        short = value == "A" * 1024
        yield "pkcs11-key", put(PKCS11, "pkcs11-key", value), "-" if short else "pkcs11-key"
        yield "fido2-credential", put(FIDO2, "fido2-credential", value), "-" if short else "fido2-credential"
        yield "fido2-salt", put(FIDO2, "fido2-salt", value), "fido2-salt"
        uri = isinstance(value, str) and "\x00" not in value and len(value.encode()) < 1024
        yield "pkcs11-uri", put(PKCS11, "pkcs11-uri", value), "uri" if uri else "pkcs11-uri"
        yield "both-salt", put(BOTH, "salt", value), "salt"
        yield "both-parts", put(BOTH, "parts", value), "parts"
        for part in (0, 1):
            parts = copy.deepcopy(BOTH["parts"])
            parts[part] = None if value is MISSING else value
            yield "both-part", put(BOTH, "parts", parts), "parts"
        for field in ("set", "shares", "threshold", "made", "digests"):
            yield "shares-" + field, put(SHARES, field, value), "?"
        for field in ("owner", "serial", "label", "enrolled"):
            yield "custody-" + field, put(CUSTODY, field, value), "?"
    for value in ANYWHERE[1:]:
        if value is not True:
            for field in ("fido2-clientPin-required", "fido2-up-required", "fido2-uv-required"):
                yield field, put(FIDO2, field, value), field
        yield "pkcs11-padding", put(PKCS11, "pkcs11-padding", value), "pkcs11-padding"
        named = isinstance(value, str) and value and "\x00" not in value and len(value.encode()) < 256
        yield "fido2-rp", put(FIDO2, "fido2-rp", value), "-" if named else "fido2-rp"
    for bad in ("pkcs11:token=a?pin-value=1234", "pkcs11:token=a?pin-source=file:/etc/passwd", "pkcs11:token=a?module-path=/tmp/x.so",
                "pkcs11:token=a?module-name=x", "pkcs11:pin-value=1234", "pkcs11:token=a;pin-value=1", "pkcs11:module-path=/tmp/x.so",
                "pkcs11:token=a;slot-id=1", "pkcs11:library-manufacturer=x", "pkcs11:token=a;x-new=1", "pkcs11:?", "pkcs11:token=a?",
                "pkcs11:=", "pkcs11:token", "pkcs11:token=%", "pkcs11:token=%zz", "pkcs11:;;", "PKCS11:token=a", "file:/etc/passwd",
                "pkcs11:id=" + "%00" * 340, " pkcs11:token=a"):
        yield "uri", put(PKCS11, "pkcs11-uri", bad), "uri" if len(bad) < 1024 else "pkcs11-uri"
        parts = copy.deepcopy(BOTH["parts"])
        parts[0]["pkcs11-uri"] = bad
        yield "both-uri", put(BOTH, "parts", parts), "uri" if len(bad) < 1024 else "pkcs11-uri"
    parts = BOTH["parts"]
    for bad in ([], parts[:1], parts + parts[:1], parts[::-1], [parts[1]] * 2, [BOTH, parts[1]], [parts[0], SHARES],
                [parts[0]] * 1000):
        yield "both-parts", put(BOTH, "parts", bad), "parts"
    for shares, threshold, digests in ((1, 1, 1), (33, 2, 33), (3, 4, 3), (3, 1, 3), (3, 2, 2), (3, 2, 400), (2 ** 40, 2, 3),
                                       (-3, 2, 3), (3, -2, 3), (3.0, 2, 3)):
        token = put(SHARES, "shares", shares)
        yield "shares-numbers", dict(token, threshold=threshold, digests=[DIGEST] * digests), "?"


for number, (name, token, wrong) in enumerate(variants()):
    path = "%04d-%s.json" % (number, name)
    with open(os.path.join(sys.argv[1], path), "w") as file:
        json.dump(token, file)
    print(path, wrong)
