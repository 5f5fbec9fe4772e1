#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The cipher device against OpenSSL's AES: each cipher, key length and sector size, and sector
numbers around 2^32 and 2^64, in both directions. Prints TAP."""
import ctypes
import ctypes.util
import hashlib
import os
import subprocess
import sys

name = ctypes.util.find_library("crypto") or "libcrypto.so.3"
try:
    lib = ctypes.CDLL(name)
except OSError:
    print("1..0 # SKIP OpenSSL's libcrypto is not installed")
    sys.exit(0)


def evp(cipher, key, iv, data):
    get = getattr(lib, "EVP_" + cipher)
    get.restype = ctypes.c_void_p
    lib.EVP_CIPHER_CTX_new.restype = ctypes.c_void_p
    ctx = ctypes.c_void_p(lib.EVP_CIPHER_CTX_new())
    out = ctypes.create_string_buffer(len(data) + 32)
    n = ctypes.c_int()
    ok = lib.EVP_EncryptInit_ex(ctx, ctypes.c_void_p(get()), None, key, iv)
    lib.EVP_CIPHER_CTX_set_padding(ctx, 0)
    ok = ok and lib.EVP_EncryptUpdate(ctx, out, ctypes.byref(n), data, len(data))
    lib.EVP_CIPHER_CTX_free(ctx)
    assert ok == 1 and n.value == len(data)
    return out.raw[:n.value]


def expected(cipher, key, sector_bytes, iv_offset, data):
    _, mode, iv_name = cipher.split("-")
    aes = len(key) * 8 // (2 if mode == "xts" else 1)
    out = b""
    for at in range(0, len(data), sector_bytes):
        number = (iv_offset + at // 512) % 2**64
        if iv_name == "plain":
            number %= 2**32
        iv = number.to_bytes(16, "little")
        if iv_name == "essiv:sha256":
            iv = evp("aes_256_ecb", hashlib.sha256(key).digest(), None, iv)
        out += evp("aes_%d_%s" % (aes, mode), key, iv, data[at:at + sector_bytes])
    return out


def ours(direction, cipher, key, sector_bytes, iv_offset, data):
    return subprocess.run(["./cryptdev-pipe", direction, cipher, key.hex(), str(sector_bytes),
                           str(iv_offset)], input=data, stdout=subprocess.PIPE, check=True).stdout


keys = {"aes-xts-plain64": (32, 64), "aes-xts-plain": (32, 64),
        "aes-cbc-essiv:sha256": (16, 24, 32), "aes-cbc-plain64": (16, 24, 32),
        "aes-cbc-plain": (16, 24, 32)}
cases = [(cipher, key_bytes, sector_bytes) for cipher in keys for key_bytes in keys[cipher]
         for sector_bytes in (512, 1024, 2048, 4096)]
print("1..%d" % len(cases))
failed = False
for number, (cipher, key_bytes, sector_bytes) in enumerate(cases, 1):
    key, data = os.urandom(key_bytes), os.urandom(16 * 4096)
    good = True
    for iv_offset in (0, 2**32 - 24, 2**40 + 8, 2**64 - 64):
        cipher_text = expected(cipher, key, sector_bytes, iv_offset, data)
        good = good and ours("encrypt", cipher, key, sector_bytes, iv_offset, data) == cipher_text
        good = good and ours("decrypt", cipher, key, sector_bytes, iv_offset, cipher_text) == data
    failed = failed or not good
    print("%s %d - %s, key of %d bytes, sectors of %d bytes"
          % ("ok" if good else "not ok", number, cipher, key_bytes, sector_bytes))
sys.exit(failed)
