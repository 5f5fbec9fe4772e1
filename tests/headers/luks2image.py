# SPDX-License-Identifier: LGPL-2.1-or-later
"""A LUKS2 image taken apart and put together again, with right checksums whatever it then says."""
import copy
import hashlib
import json
import struct

BIN = struct.Struct(">6sHQQ48s32s64s40s48sQ184s64s3584s")
FIELDS = ("magic", "version", "hdr_size", "seqid", "label", "csum_alg", "salt", "uuid",
          "subsystem", "hdr_offset", "padding", "csum", "padding4096")
CSUM_AT = 448
MAGICS = (b"LUKS\xba\xbe", b"SKUL\xba\xbe")


class Image:
    """bins: both binary headers as dictionaries; doc: the JSON document; text: overrides doc;
    tail: bytes after the text; rest: everything behind the two headers."""

    def __init__(self, data):
        size = struct.unpack_from(">Q", data, 8)[0]
        self.hdr_size = size
        self.bins = [dict(zip(FIELDS, BIN.unpack_from(data, at))) for at in (0, size)]
        self.doc = json.loads(data[4096:size].rstrip(b"\0"))
        self.text = None
        self.tail = b""
        self.rest = bytearray(data[2 * size:])
        self.size = len(data)
        self.keep_csum = False
        self.after = None

    def clone(self):
        other = copy.copy(self)
        other.bins = copy.deepcopy(self.bins)
        other.doc = copy.deepcopy(self.doc)
        other.rest = bytearray(self.rest)
        return other

    def json_bytes(self):
        text = self.text
        if text is None:
            text = json.dumps(self.doc, separators=(",", ":"))
        if isinstance(text, str):
            text = text.encode()
        return text + self.tail

    def build(self):
        out = bytearray()
        for fields in self.bins:
            text = self.json_bytes()
            area = text + b"\0" * (self.hdr_size - 4096 - len(text))
            assert len(area) == self.hdr_size - 4096, "the JSON text does not fit"
            out += seal(fields, area, self.keep_csum)
        out += self.rest
        data = out[:self.size] + b"\0" * (self.size - len(out))
        if self.after:
            self.after(data)
        return data


def seal(fields, area, keep_csum):
    """One copy, with the checksum that its algorithm gives."""
    fields = dict(fields)
    if not keep_csum:
        fields["csum"] = b""
        name = fields["csum_alg"].split(b"\0")[0].decode("latin-1").lower()
        try:
            digest = hashlib.new(name)
            digest.update(BIN.pack(*(fields[f] for f in FIELDS)) + area)
            fields["csum"] = digest.digest()[:64]
        except (ValueError, TypeError):
            pass
    return BIN.pack(*(fields[f] for f in FIELDS)) + area
