# SPDX-License-Identifier: LGPL-2.1-or-later
"""Where we deliberately judge otherwise than cryptsetup 2.6: name -> (our verdict, reason)."""

DIFFERENCES = {}


def differ(verdict, reason, *names):
    for name in names:
        DIFFERENCES[name] = verdict, reason


# What `open --test-passphrase` does not look at, because it activates nothing.
differ("loaded", "a requirement we do not know forbids activation (format, section 3.5)",
       "config.requirements mandatory unknown", "config.requirements mandatory offline")
differ("loaded", "there are no encrypted data to activate",
       "segment.type unknown", "segment.type linear")
differ("loaded", "the data would lie behind the end of the drive",
       "segment.offset behind the end", "segment.offset at the end", "segment.offset 2^64-512",
       "segment.size beyond the end", "segment.size 2^64-4096", "cut to headers and keyslots area",
       "cut to the data offset")
differ("loaded", "dm-crypt takes whole sectors only", "segment.offset 512-aligned",
       "cut to half a sector of data")
differ("loaded", "dm-crypt takes sectors of 512, 1024, 2048 and 4096 bytes only",
       "segment.sector_size 2^31", "segment.sector_size 1536", "segment.sector_size 8192")
differ("loaded", "needs dm-integrity", "segment.integrity whole")
differ("loaded", "not on the allow-list of ciphers",
       "segment.encryption null cipher", "segment.encryption null word", "segment.encryption ecb",
       "segment.encryption unknown", "segment.encryption long")
differ("loaded", "several segments mean a reencryption, which we do not do",
       "segments: a second behind the first", "segments: a second, dynamic",
       "segments: a gap between them", "segments: the second before the first",
       "segments: a backup behind", "segments: an unknown backup flag")
differ("loaded", "the state of a reencryption is not judged: nothing opens while it is required",
       *("reencrypt keyslot " + v for v in (
           "whole", "v1", "v3", "key size 2", "area checksum", "area datashift",
           "area datashift-journal", "area datashift-checksum", "area journal")))

# What the format or RFC 4648 does not have, and no program writes.
differ("refused", "not a number in decimal notation",
       "config.json_size plus", "config.json_size space",
       "config.keyslots_size plus", "config.keyslots_size space")
differ("loaded", "not Base64 as RFC 4648 has it",
       "digest.salt line break inside", "digest.salt space at the end")
differ("loaded", "only 4000 stripes are defined; cryptsetup does not look",
       *("keyslot.af.stripes " + v for v in ("negative", "zero", "2^32", "2^31", "3999", "4001", "1")))
differ("loaded", "an area that is not aligned or too small may overlap what lies beside it",
       "keyslot.area.offset not aligned", "keyslot.area.size too small for the key",
       "keyslot.area.size one less")
differ("loaded", "no program gives such a number, and the model ends at 31 keyslots, 7 digests",
       "keyslot is named '32'", "digest is named 8")
differ("opened", "a token that is never used does not stop a passphrase", "token is named 32", "tokens 33",
       "token is named '18446744073709551616'")

# A seal says that the header must not change unnoticed, and none of these is right.
from mutations import TABLE  # noqa: E402
differ("loaded", "a seal that is not right", *(
    name for name in TABLE if name.startswith("seal ") and "nobody looks" not in name))
differ("opened", "a token that is never used does not stop a passphrase", "seal is named 32, where nobody looks")

# json-c takes more than JSON.
differ("refused", "not JSON as RFC 8259 has it",
       *("text: " + v for v in (
           "comma at the end", "comment", "comment after", "single quotes", "NaN", "Infinity",
           "literal in upper case", "number with leading zero", "control character",
           "line break in a string", "half a surrogate pair", "bad UTF-8", "overlong UTF-8")))
differ("refused", "a NUL hides what follows it",
       "text: NUL escape in a value", "text: NUL escape in a type", "text: NUL escape in a key")
differ("refused", "which of the two counts is anybody's guess", "text: duplicate top-level member",
       "text: duplicate keyslot", "text: duplicate field")
