#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reads the QR code of a sheet with libzbar, after drawing its SVG path.

    qr-read.py --check     whether libzbar is there (exit status)
    qr-read.py SHEET.svg   prints what the code says
"""
import ctypes
import ctypes.util
import re
import sys
import xml.etree.ElementTree as ET

SCALE, QUIET = 6, 4


def library():
    name = ctypes.util.find_library("zbar") or "libzbar.so.0"
    try:
        zbar = ctypes.CDLL(name)
    except OSError:
        sys.exit(1)
    for function in ("zbar_image_scanner_create", "zbar_image_create", "zbar_image_first_symbol"):
        getattr(zbar, function).restype = ctypes.c_void_p
    zbar.zbar_symbol_get_data.restype = ctypes.c_char_p
    return zbar


def draw(path):
    """The path's rectangles as a grey image, white around it."""
    runs = [tuple(map(int, m)) for m in re.findall(r"M(\d+) (\d+)h(\d+)v1h-\d+z", path)]
    width = max(x + run for x, _, run in runs)
    side = (width + 2 * QUIET) * SCALE
    image = bytearray(b"\xff" * (side * side))
    for x, y, run in runs:
        for row in range((y + QUIET) * SCALE, (y + QUIET + 1) * SCALE):
            at = row * side + (x + QUIET) * SCALE
            image[at:at + run * SCALE] = bytes(run * SCALE)
    return side, bytes(image)


def main():
    zbar = library()
    if sys.argv[1] == "--check":
        return
    (path,) = ET.parse(sys.argv[1]).iter("{http://www.w3.org/2000/svg}path")
    side, pixels = draw(path.get("d"))
    scanner = ctypes.c_void_p(zbar.zbar_image_scanner_create())
    image = ctypes.c_void_p(zbar.zbar_image_create())
    zbar.zbar_image_set_format(image, ctypes.c_ulong(int.from_bytes(b"Y800", "little")))
    zbar.zbar_image_set_size(image, side, side)
    zbar.zbar_image_set_data(image, pixels, ctypes.c_ulong(len(pixels)), None)
    if zbar.zbar_scan_image(scanner, image) < 1:
        sys.exit("no QR code found")
    symbol = ctypes.c_void_p(zbar.zbar_image_first_symbol(image))
    print(zbar.zbar_symbol_get_data(symbol).decode())


main()
