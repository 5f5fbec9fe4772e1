# SPDX-License-Identifier: LGPL-2.1-or-later
"""For power-cut.sh: what dm-log-writes recorded (drivers/md/dm-log-writes.c).

choose RECORD N SEED                          N places after mark 0, one a line
cut RECORD IMAGE PLACE SEED LOG PROMISED      IMAGE as a power failure there leaves it: all writes before
                                              the last flush, any of those after it, torn between sectors;
                                              PROMISED: what kill.py had noted in LOG by then
"""

import random
import struct
import sys

MAGIC = 0x6a736677736872
FLUSH, FUA, DISCARD, MARK = 1, 2, 4, 8
DRIVE_SECTOR = 512


def entries(record):
    """Yields (flags, place on the drive in bytes, data)."""
    magic, version, count, unit = struct.unpack("<QQQI", record.read(28))
    if magic != MAGIC or version != 1:
        sys.exit("not a record of dm-log-writes")
    at = unit
    for _ in range(count):
        record.seek(at)
        sector, sectors, flags, length = struct.unpack("<QQQQ", record.read(32))
        at += unit
        if flags & MARK:
            yield flags, 0, record.read(length).rstrip(b"\0")
            continue
        data = b""
        if sectors and not flags & DISCARD:
            record.seek(at)
            data = record.read(sectors * unit)
            at += sectors * unit
        elif sectors:
            sys.exit("a discard was recorded, which nobody asked for")
        yield flags, sector * unit, data


def lose(image, rnd, off, data):
    how = rnd.randrange(4)
    if how == 0:
        return
    for at in range(0, len(data), DRIVE_SECTOR):
        if how == 1 or rnd.randrange(2):
            image.seek(off + at)
            image.write(data[at:at + DRIVE_SECTOR])


def cut(record, image, place, seed, log, promised):
    rnd = random.Random(seed * 1000003 + place)
    waiting, mark = [], 0
    for i, (flags, off, data) in enumerate(entries(record)):
        if i >= place:
            break
        if flags & MARK:
            mark = int(data)
            continue
        if flags & FLUSH:
            for off_before, data_before in waiting:
                image.seek(off_before)
                image.write(data_before)
            waiting = []
        if flags & FUA:
            image.seek(off)
            image.write(data)
        elif data:
            waiting.append((off, data))
    for off, data in waiting:
        lose(image, rnd, off, data)
    # what was promised, and what was under way
    lines = log.readlines()
    end = mark
    while end < len(lines) and lines[end].startswith("?"):
        end += 1
    promised.writelines(lines[:end])


def choose(record, number, seed):
    first = flushes = count = 0
    for i, (flags, _, data) in enumerate(entries(record)):
        if flags & MARK and data == b"0":
            first = i
        flushes += bool(flags & FLUSH)
        count = i + 1
    rnd = random.Random(seed)
    for place in sorted(rnd.sample(range(first + 1, count), min(number, count - first - 1))):
        print(place)
    print(f"of {count} records, {flushes} of them flushes")


if __name__ == "__main__":
    with open(sys.argv[2], "rb") as source:
        if sys.argv[1] == "choose":
            choose(source, int(sys.argv[3]), int(sys.argv[4]))
        else:
            with open(sys.argv[3], "r+b") as drive, open(sys.argv[6]) as notes, open(sys.argv[7], "w") as out:
                cut(source, drive, int(sys.argv[4]), int(sys.argv[5]), notes, out)
