#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Decrypts or encrypts the data of a LUKS2 volume with none of the project's code.

    luks-plain.py [--header FILE] [--skip-holes] decrypt IMAGE PASSPHRASE_FILE PLAIN
    luks-plain.py [--header FILE] encrypt IMAGE PASSPHRASE_FILE PLAIN

decrypt writes the whole data segment to PLAIN; encrypt writes PLAIN over the start of the data
segment. cryptsetup reads the header and opens the keyslot, libcrypto is the cipher. Sectors that
were never written are decrypted like any others (to noise), because that is what a drive shows;
--skip-holes leaves holes of a sparse IMAGE as holes, for images far larger than their content.
"""
import argparse
import ctypes
import ctypes.util
import hashlib
import json
import os
import subprocess
import sys
import tempfile

CHUNK = 1 << 20
crypto = ctypes.CDLL(ctypes.util.find_library("crypto") or "libcrypto.so.3")
for name in ("EVP_CIPHER_CTX_new", "EVP_aes_128_xts", "EVP_aes_256_xts", "EVP_aes_128_cbc",
             "EVP_aes_256_cbc", "EVP_aes_256_ecb"):
    getattr(crypto, name).restype = ctypes.c_void_p
crypto.EVP_CipherInit_ex.argtypes = [ctypes.c_void_p] * 3 + [ctypes.c_char_p] * 2 + [ctypes.c_int]
crypto.EVP_CipherUpdate.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p,
                                    ctypes.c_void_p, ctypes.c_int]
crypto.EVP_CIPHER_CTX_set_padding.argtypes = [ctypes.c_void_p, ctypes.c_int]


class Engine:
    """One cipher with its key; whole sectors through a reusable buffer."""

    def __init__(self, cipher, key, encrypt):
        self.ctx = crypto.EVP_CIPHER_CTX_new()
        self.encrypt = encrypt
        if crypto.EVP_CipherInit_ex(self.ctx, cipher, None, key, None, encrypt) != 1:
            sys.exit("luks-plain: libcrypto refuses the key")
        crypto.EVP_CIPHER_CTX_set_padding(self.ctx, 0)
        self.written = ctypes.c_int()
        self.written_at = ctypes.byref(self.written)

    def run(self, iv, out, src, length):
        if (crypto.EVP_CipherInit_ex(self.ctx, None, None, None, iv, self.encrypt) != 1 or
                crypto.EVP_CipherUpdate(self.ctx, out, self.written_at, src, length) != 1 or
                self.written.value != length):
            sys.exit("luks-plain: libcrypto failed")


def dump(*args):
    return subprocess.run(["cryptsetup", "--disable-locks", "luksDump", *args], check=True,
                          stdout=subprocess.PIPE).stdout.decode()


def luks2_segment(header):
    (segment,) = json.loads(dump("--dump-json-metadata", header))["segments"].values()
    return segment


def luks1_segment(header):
    """What the segment of a LUKS version 1 volume would be in version 2; None: not version 1."""
    fields = dict(line.split(":", 1) for line in dump(header).splitlines() if ":" in line)
    if fields["Version"].strip() != "1":
        return None
    return {"type": "crypt", "size": "dynamic", "sector_size": 512, "iv_tweak": "0",
            "offset": int(fields["Payload offset"]) * 512,
            "encryption": fields["Cipher name"].strip() + "-" + fields["Cipher mode"].strip()}


class Volume:
    """What the header says, and the volume key, as cryptsetup tells them."""

    def __init__(self, header, passphrase):
        segment = luks1_segment(header) or luks2_segment(header)
        if segment["type"] != "crypt" or "integrity" in segment:
            sys.exit("luks-plain: not one plain crypt segment")
        self.offset = int(segment["offset"])
        self.size = segment["size"]
        self.sector = segment["sector_size"]
        self.first_iv = int(segment["iv_tweak"])
        self.cipher = segment["encryption"]
        with tempfile.TemporaryDirectory() as folder:
            key_file = folder + "/key"
            subprocess.run(
                ["cryptsetup", "--disable-locks", "luksDump", "--batch-mode", "--dump-volume-key",
                 "--volume-key-file", key_file, "--key-file", passphrase, header],
                check=True, stdout=subprocess.DEVNULL)
            with open(key_file, "rb") as f:
                self.key = f.read()

    def transform(self, encrypt):
        """A function(source, target, length, offset) over whole sectors."""
        bits = len(self.key) * 8
        essiv = None
        if self.cipher in ("aes-xts-plain64", "aes-xts-plain"):
            cipher = {256: crypto.EVP_aes_128_xts, 512: crypto.EVP_aes_256_xts}[bits]()
        elif self.cipher in ("aes-cbc-essiv:sha256", "aes-cbc-plain64", "aes-cbc-plain"):
            cipher = {128: crypto.EVP_aes_128_cbc, 256: crypto.EVP_aes_256_cbc}[bits]()
            if "essiv" in self.cipher:
                essiv = Engine(crypto.EVP_aes_256_ecb(), hashlib.sha256(self.key).digest(), 1)
        else:
            sys.exit("luks-plain: no such cipher here: " + self.cipher)
        engine = Engine(cipher, self.key, encrypt)
        counter_bytes = 4 if self.cipher.endswith("plain") else 8
        iv_out = ctypes.create_string_buffer(16)

        def run(source, target, length, offset):
            iv = self.first_iv + offset // 512
            for at in range(0, length, self.sector):
                counter = (iv & ((1 << 8 * counter_bytes) - 1)).to_bytes(16, "little")
                if essiv:
                    plain = ctypes.create_string_buffer(counter, 16)
                    essiv.run(None, iv_out, plain, 16)
                    counter = iv_out.raw
                engine.run(counter, target + at, source + at, self.sector)
                iv += self.sector // 512
        return run


def parts(fd, start, length, skip_holes):
    """(offset, length) of what has to be worked on, relative to start, in chunks."""
    at = start
    while at < start + length:
        end = start + length
        if skip_holes:
            try:
                at = max(at, os.lseek(fd, at, os.SEEK_DATA))
                end = min(end, os.lseek(fd, at, os.SEEK_HOLE))
            except OSError:
                return
            at -= (at - start) % 4096
            end += -(end - start) % 4096
            end = min(end, start + length)
        while at < end:
            size = min(CHUNK, end - at)
            yield at - start, size
            at += size


def work(volume, args, length, worker, workers):
    """One worker's share of the chunks."""
    encrypt = args.mode == "encrypt"
    run = volume.transform(int(encrypt))
    image = os.open(args.image, os.O_RDWR if encrypt else os.O_RDONLY)
    plain = os.open(args.plain, os.O_RDONLY if encrypt else os.O_RDWR)
    src, dst = bytearray(CHUNK), bytearray(CHUNK)
    src_at, dst_at = (ctypes.addressof((ctypes.c_char * CHUNK).from_buffer(b)) for b in (src, dst))
    fd_in, base_in, fd_out, base_out = ((plain, 0, image, volume.offset) if encrypt else
                                        (image, volume.offset, plain, 0))
    for i, (offset, size) in enumerate(parts(fd_in, base_in, length, args.skip_holes)):
        if i % workers != worker:
            continue
        if os.preadv(fd_in, [memoryview(src)[:size]], base_in + offset) != size:
            sys.exit("luks-plain: short read at %d" % offset)
        run(src_at, dst_at, size, offset)
        if os.pwritev(fd_out, [memoryview(dst)[:size]], base_out + offset) != size:
            sys.exit("luks-plain: short write at %d" % offset)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--header")
    parser.add_argument("--skip-holes", action="store_true")
    parser.add_argument("mode", choices=("decrypt", "encrypt"))
    parser.add_argument("image")
    parser.add_argument("passphrase")
    parser.add_argument("plain")
    args = parser.parse_args()

    volume = Volume(args.header or args.image, args.passphrase)
    room = os.stat(args.image).st_size - volume.offset
    if volume.size != "dynamic":
        room = min(room, int(volume.size))
    room -= room % volume.sector
    if args.mode == "encrypt":
        length = os.stat(args.plain).st_size
        if length > room or length % volume.sector:
            sys.exit("luks-plain: PLAIN does not fit into the segment")
    else:
        length = room
        with open(args.plain, "wb") as f:
            f.truncate(length)

    workers = 2
    children = []
    for worker in range(workers):
        pid = os.fork()
        if pid == 0:
            work(volume, args, length, worker, workers)
            os._exit(0)
        children.append(pid)
    if any([os.waitpid(pid, 0)[1] for pid in children]):
        sys.exit("luks-plain: failed")


main()
