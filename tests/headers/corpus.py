#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The table of headers as a corpus for fuzz-luks2 and fuzz-replay: corpus.py BASE-IMAGE DIR

The first byte of an input: 1 JSON text, else the start of a device; 2 repair; 4 change; 8 seal; 16 backup; 32 examine."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from luks2image import Image  # noqa: E402
from mutations import TABLE  # noqa: E402

with open(sys.argv[1], "rb") as file:
    BASE = Image(file.read())
for number, name in enumerate(TABLE):
    image = BASE.clone()
    TABLE[name](image)
    with open(os.path.join(sys.argv[2], "%d-json" % number), "wb") as file:
        file.write(bytes([5 + (32, 8, 40, 56)[number % 4]]) + image.json_bytes())
    if name.startswith(("binary", "damaged", "unchanged")):
        with open(os.path.join(sys.argv[2], "%d-device" % number), "wb") as file:
            file.write(bytes([2 + (32, 8, 40, 56)[number % 4]]) + image.build()[:2 * image.hdr_size])
