# SPDX-License-Identifier: LGPL-2.1-or-later
# Says things to a control socket: fuse-control.py SOCKET CASE; prints what comes back.
import json
import socket
import struct
import sys


def talk(path, data, close=True):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(10)
    s.connect(path)
    try:
        s.sendall(data)
        if close:
            s.shutdown(socket.SHUT_WR)
        got = b""
        while True:
            piece = s.recv(65536)
            if not piece:
                return got
            got += piece
    except (BrokenPipeError, ConnectionResetError):
        return b""


def message(text):
    return struct.pack(">I", len(text)) + text


def garbage(path):
    status = json.dumps({"request": "status"}).encode()
    wrong = [
        b"", b"\0", b"\0\0\0\0", struct.pack(">I", 0xffffffff), struct.pack(">I", 65537) + b"x" * 100,
        struct.pack(">I", 1000) + status, message(b"{"), message(b"[]"), message(b"null"), message(b"{}"),
        message(b'{"request": 1}'), message(b'{"request": "format"}'), message(b'{"request": "status", "x": 1}'),
        message(b'{"request": "status", "request": "unmount"}'), message(status + b"x"),
        message(b'{"request": "status\\u0000"}'), message(b"\xff" * 50), message(b"[" * 60000),
    ]
    for data in wrong:
        answer = talk(path, data)
        assert answer == b"", (data[:60], answer)


def silent(path):
    """Clients that say nothing do not keep others from being heard."""
    open_ones = []
    for _ in range(3):
        s = socket.socket(socket.AF_UNIX)
        s.connect(path)
        open_ones.append(s)
    status(path)


def status(path):
    answer = talk(path, message(b'{"request": "status"}'), close=False)
    (length,) = struct.unpack(">I", answer[:4])
    assert length == len(answer) - 4
    print(json.loads(answer[4:])["status"]["pid"])


def refused(path):
    try:
        answer = talk(path, message(b'{"request": "status"}'))
    except PermissionError:
        return
    assert answer == b"", answer


globals()[sys.argv[2]](sys.argv[1])
