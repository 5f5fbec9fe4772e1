# SPDX-License-Identifier: LGPL-2.1-or-later
"""Shares as text, made and read without any of our code (keymgr/share.h says what they are).

    share_text.py forge SHEET       the same share with another value, and all that belongs to it right
    share_text.py bytes SHEET       its 49 bytes, as hexadecimal digits
"""
import hashlib
import re
import sys

LETTERS = "cbdefghijklnrtuv"


def encode(data):
    """49 bytes as text: groups of seven letters with a check letter."""
    digits = [d for byte in data for d in (byte >> 4, byte & 15)]

    def group(number):
        check, part = number, digits[7 * number:7 * number + 7]
        for digit in part + [0]:
            check = (check << 1 & 15 ^ (3 if check & 8 else 0)) ^ digit
        return "".join(LETTERS[digit] for digit in part + [check])

    return "-".join(group(number) for number in range(14))


def decode(sheet):
    """The bytes of what the lines of a sheet say."""
    text = "".join(re.findall("^ *((?:[%s]{8}-?)+)$" % LETTERS, sheet, re.M)).replace("-", "")
    digits = [LETTERS.index(letter) for place, letter in enumerate(text) if place % 8 < 7]
    return bytes(a << 4 | b for a, b in zip(digits[::2], digits[1::2]))


def seal(data):
    """The first 44 bytes of a share with their checksum."""
    return bytes(data) + hashlib.sha256(b"sealdrive share" + bytes(data)).digest()[:5]


def forge(data):
    """The share with another last byte of the value."""
    return seal(data[:43] + bytes([data[43] ^ 1]))


def main():
    data = decode(open(sys.argv[2]).read())
    print(encode(forge(data)) if sys.argv[1] == "forge" else data.hex())


if __name__ == "__main__":
    main()
