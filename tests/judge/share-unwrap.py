#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Opens a share that is wrapped for a token, with none of the project's code: keymgr/share-wrapped.h says how.

    share-unwrap.py FILE SECRET     SECRET: a file with the bytes that the token gave; prints the share as text

HMAC is Python's, AES-GCM libcrypto's.
"""
import base64
import ctypes
import ctypes.util
import hashlib
import hmac
import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from share_text import encode

SET_IVLEN, SET_TAG = 9, 17
crypto = ctypes.CDLL(ctypes.util.find_library("crypto") or "libcrypto.so.3")
for name in ("EVP_CIPHER_CTX_new", "EVP_aes_256_gcm"):
    getattr(crypto, name).restype = ctypes.c_void_p


def gcm_open(key, nonce, sealed, tag):
    ctx = ctypes.c_void_p(crypto.EVP_CIPHER_CTX_new())
    out, length = ctypes.create_string_buffer(len(sealed) + 16), ctypes.c_int()
    assert crypto.EVP_DecryptInit_ex(ctx, ctypes.c_void_p(crypto.EVP_aes_256_gcm()), None, None, None) == 1
    assert crypto.EVP_CIPHER_CTX_ctrl(ctx, SET_IVLEN, len(nonce), None) == 1
    assert crypto.EVP_DecryptInit_ex(ctx, None, None, key, nonce) == 1
    assert crypto.EVP_DecryptUpdate(ctx, out, ctypes.byref(length), sealed, len(sealed)) == 1
    plain = out.raw[:length.value]
    assert crypto.EVP_CIPHER_CTX_ctrl(ctx, SET_TAG, len(tag), tag) == 1
    if crypto.EVP_DecryptFinal_ex(ctx, out, ctypes.byref(length)) != 1:
        sys.exit("share-unwrap: not authentic")
    return plain


def main():
    share = json.load(open(sys.argv[1]))
    secret = base64.b64encode(open(sys.argv[2], "rb").read())
    prk = hmac.new(base64.b64decode(share["salt"]), secret, hashlib.sha256).digest()
    key = hmac.new(prk, b"sealdrive wrapped share 1\1", hashlib.sha256).digest()
    sealed = base64.b64decode(share["sealed"])
    data = gcm_open(key, bytes(12), sealed[:-16], sealed[-16:])
    assert (data[9], data[10], data[11]) == (share["share"], share["threshold"], share["shares"])
    print(encode(data))


main()
