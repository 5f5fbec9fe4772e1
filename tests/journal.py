# SPDX-License-Identifier: LGPL-2.1-or-later
"""For journal.sh: a busy folder, and journals that are damaged on purpose.

busy DIR SEED STEPS     works below DIR, says "ready", and keeps some deleted files open until its
                        standard input ends
log IMAGE               what is in the journal, a line per block
damage IMAGE WHAT NTH   changes the nth (from the end: negative) block of the kind WHAT in the log
"""

import os
import random
import struct
import subprocess
import sys

MAGIC = bytes.fromhex("c03b3998")

# ---- busy ----------------------------------------------------------------------------------


def sync(path):
    fd = os.open(path, os.O_RDONLY)
    os.fsync(fd)
    os.close(fd)


def busy(top, seed, steps):
    rnd = random.Random(seed)
    opened, folders = [], []

    def some(suffix=""):
        return os.path.join(top, f"{rnd.randrange(60)}{suffix}")

    for step in range(steps):
        what = rnd.randrange(12)
        path = some()
        if what < 3:
            with open(path, "ab") as f:
                f.seek(rnd.randrange(100000))
                f.write(MAGIC + rnd.randbytes(rnd.randrange(30000)))
                if rnd.randrange(3) == 0:
                    f.flush()
                    os.fsync(f.fileno())
        elif what < 5:
            folder = some(f"-folder-{step}")
            os.mkdir(folder)
            folders.append(folder)
            for i in range(rnd.randrange(60)):
                open(f"{folder}/a-name-that-takes-some-room-{i:04}", "w").close()
            if rnd.randrange(2):
                sync(folder)
        elif what < 7 and folders:
            # its blocks were in the log: they are revoked, and then hold data
            folder = folders.pop(rnd.randrange(len(folders)))
            for name in os.listdir(folder):
                os.unlink(f"{folder}/{name}")
            os.rmdir(folder)
            sync(top)
        elif what == 7 and os.path.exists(path):
            f = open(path, "rb")
            os.unlink(path)
            if len(opened) < 5:
                opened.append(f)
        elif what == 8:
            # metadata that looks like the journal's own
            os.symlink(MAGIC + b"x" * rnd.randrange(60, 900), os.fsencode(some(f"-link-{step}")))
        elif what == 9:
            if os.path.exists(path):
                os.truncate(path, rnd.randrange(60000))
        elif what == 10:
            if os.path.exists(path):
                try:
                    os.setxattr(path, "user.much", MAGIC + rnd.randbytes(rnd.randrange(700)))
                except OSError:
                    pass
        else:
            with open(some(f"-sparse-{step}"), "wb") as f:
                for i in range(30):
                    f.seek(i * 20000)
                    f.write(rnd.randbytes(100))
                f.flush()
                os.fsync(f.fileno())
    # Deleted, but open: on the list of orphans when the drive is pulled.
    for i in range(4):
        f = open(f"{top}/deleted-{i}", "wb")
        f.write(rnd.randbytes(50000 * (i + 1)))
        f.flush()
        os.unlink(f.name)
        opened.append(f)
    for i in range(3):
        with open(f"{top}/last-{i}", "wb") as f:
            f.write(MAGIC + rnd.randbytes(9000))
    sync(top)
    print("ready", flush=True)
    sys.stdin.read()


# ---- the log -------------------------------------------------------------------------------


def crc32c_table():
    table = []
    for n in range(256):
        for _ in range(8):
            n = n >> 1 ^ (0x82F63B78 if n & 1 else 0)
        table.append(n)
    return table


TABLE = crc32c_table()


def crc32c(seed, data):
    for byte in data:
        seed = TABLE[(seed ^ byte) & 255] ^ seed >> 8
    return seed


class Journal:
    """The log of an image, as far as these tests need it."""

    def __init__(self, path):
        self.file = open(path, "r+b")
        out = subprocess.run(["debugfs", "-R", "blocks <8>", path], capture_output=True, text=True).stdout
        self.file.seek(1024)
        self.head = self.file.read(1024)
        self.bytes = 1024 << struct.unpack("<I", self.head[24:28])[0]
        # what debugfs calls the blocks of the file are its tables, too
        found = [int(b) for b in out.split()]
        while True:
            sb = self.at(found[0])
            if sb[:4] == MAGIC and struct.unpack(">I", sb[4:8])[0] in (3, 4):
                break
            found.pop(0)
        self.blocks = found
        (self.block_bytes, self.max_len, self.first, self.sequence, self.start, self.error, self.compat,
         self.incompat, _) = struct.unpack(">9I", sb[12:48])
        self.seed = crc32c(0xFFFFFFFF, sb[48:64])
        self.wide = bool(self.incompat & 2)
        self.v2, self.v3 = bool(self.incompat & 8), bool(self.incompat & 16)

    def at(self, block):
        self.file.seek(block * self.bytes)
        return bytearray(self.file.read(self.bytes))

    def read(self, lblk):
        return self.at(self.blocks[lblk])

    def write(self, lblk, data):
        assert len(data) == self.bytes
        self.file.seek(self.blocks[lblk] * self.bytes)
        self.file.write(data)

    def next(self, lblk):
        return lblk + 1 if lblk + 1 < self.max_len else self.first

    def log(self):
        """(kind, lblk, sequence, block on the volume) of each block that recovery would see"""
        at, tid, seen = self.start, self.sequence, 0
        pending = []
        while at and seen < self.max_len:
            data = self.read(at)
            magic, kind, sequence = data[:4], *struct.unpack(">II", data[4:12])
            if magic != MAGIC or sequence != tid:
                return
            here, at, seen = at, self.next(at), seen + 1
            if kind == 1:
                pending.append(("descriptor", here, tid, 0))
                for block, flags in self.tags(data):
                    pending.append(("escaped" if flags & 1 else "data", at, tid, block))
                    at, seen = self.next(at), seen + 1
            elif kind == 5:
                pending.append(("revoke", here, tid, 0))
            elif kind == 2:
                yield from pending
                yield ("commit", here, tid, 0)
                pending, tid = [], (tid + 1) & 0xFFFFFFFF
            else:
                return

    def tags(self, data):
        size = 16 if self.v3 else (12 if self.wide else 8) + (2 if self.v2 else 0)
        end = self.bytes - (4 if self.v2 or self.v3 else 0)
        at = 12
        while at + size <= end:
            if self.v3:
                block, flags, high = struct.unpack(">III", data[at:at + 12])
            else:
                block, flags = struct.unpack(">IxxH", data[at:at + 8])
                high = struct.unpack(">I", data[at + 8:at + 12])[0] if self.wide else 0
            at += size + (0 if flags & 2 else 16)
            yield block | (high << 32 if self.wide else 0), flags
            if flags & 8:
                break

    def seal(self, data):
        """Right checksum at the end of a descriptor or revoke block."""
        if self.v2 or self.v3:
            data[-4:] = bytes(4)
            data[-4:] = struct.pack(">I", crc32c(self.seed, data))

    def seal_commit(self, data):
        if self.v2 or self.v3:
            data[16:20] = bytes(4)
            data[16:20] = struct.pack(">I", crc32c(self.seed, data))


def damage(path, what, nth):
    j = Journal(path)
    kind, _, how = what.partition("-")
    entry = [e for e in j.log() if e[0] == kind][nth]
    lblk = entry[1]
    data = j.read(lblk)
    if how == "":  # its checksum is wrong
        at = {"commit": 40, "revoke": 19, "descriptor": 15, "data": 200, "escaped": 200}[kind]
        data[at] ^= 0x40
    elif how == "older":  # left from an earlier turn of the ring
        data[100 if kind == "commit" else 19] ^= 0x40
        commit = [e for e in j.log() if e[0] == "commit" and e[2] == entry[2]][0][1]
        block = data if commit == lblk else j.read(commit)
        block[48:56] = struct.pack(">Q", 1000000000)
        if commit != lblk:
            j.seal_commit(block)
            j.write(commit, block)
    elif how == "half":  # power failed while it was written
        data[512:] = os.urandom(len(data) - 512)
    elif how == "gone":
        data[:] = bytes(len(data))
    elif how == "next":  # numbers of a transaction that was never there
        data[8:12] = struct.pack(">I", entry[2] + 1)
        (j.seal_commit if kind == "commit" else j.seal)(data)
    elif how == "outside":  # a descriptor that names a block behind the volume
        data[12:16] = struct.pack(">I", 0x7FFFFFFF)
        j.seal(data)
    elif how == "behind":  # ... that the volume will have when it has grown
        data[12:16] = struct.pack(">I", struct.unpack("<I", j.head[4:8])[0] + 5)
        j.seal(data)
    elif how == "long":  # more revokes than fit
        data[12:16] = struct.pack(">I", j.bytes * 4)
        j.seal(data)
    else:
        sys.exit(f"damage: {what}?")
    j.write(lblk, data)


if __name__ == "__main__":
    if sys.argv[1] == "busy":
        busy(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
    elif sys.argv[1] == "log":
        journal = Journal(sys.argv[2])
        print("volume", 0, 0, struct.unpack("<I", journal.head[4:8])[0])
        for line in journal.log():
            print(*line)
    else:
        damage(sys.argv[2], sys.argv[3], int(sys.argv[4]))
