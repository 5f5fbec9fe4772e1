# SPDX-License-Identifier: LGPL-2.1-or-later
"""File handles, for tests/fuse-handles.sh: fuse-handles.py FOLDER take|open|forge|gone

take    stores the handles of all that is in the folder next to it
open    opens each of them again, and reads it
forge   tries handles that nobody was given
gone    removes files right after their handles were used: nothing finds them any more
"""
import ctypes
import errno
import os
import pickle
import struct
import sys

libc = ctypes.CDLL(None, use_errno=True)


class Handle(ctypes.Structure):
    _fields_ = [("bytes", ctypes.c_uint), ("type", ctypes.c_int), ("data", ctypes.c_ubyte * 128)]


def take(path):
    handle, mount = Handle(bytes=128), ctypes.c_int()
    if libc.name_to_handle_at(-100, os.fsencode(path), ctypes.byref(handle), ctypes.byref(mount), 0) < 0:
        raise OSError(ctypes.get_errno(), path)
    return handle.type, bytes(handle.data[: handle.bytes])


def open_handle(top, kind, data, flags=os.O_RDONLY):
    handle = Handle(bytes=len(data), type=kind)
    handle.data[: len(data)] = data
    fd = os.open(top, os.O_RDONLY)
    try:
        opened = libc.open_by_handle_at(fd, ctypes.byref(handle), flags)
        return (opened, 0) if opened >= 0 else (-1, ctypes.get_errno())
    finally:
        os.close(fd)


def everything(top):
    return [os.path.join(folder, name) for folder, dirs, files in os.walk(top) for name in dirs + files]


def read_back(top, path, kind, data):
    fd, err = open_handle(top, kind, data)
    if fd < 0:
        sys.exit(f"{path}: {errno.errorcode[err]}")
    try:
        if os.fstat(fd).st_ino != os.stat(path).st_ino:
            sys.exit(f"{path}: another file")
        if os.path.isfile(path) and os.read(fd, 100) != path.encode()[-50:]:
            sys.exit(f"{path}: other bytes")
    finally:
        os.close(fd)


def forge(top):
    kind, data = take(everything(top)[0])
    # FUSE: the node id in two halves, high one first, then the generation
    for node in [2, 3, 7, 8, 9, 10, 500, 1 << 20, 0xFFFFFFFF, 1 << 32, 1 << 63]:
        for generation in [0, 1]:
            forged = struct.pack("=III", node >> 32, node & 0xFFFFFFFF, generation)
            fd, err = open_handle(top, kind, forged + data[len(forged):])
            if fd >= 0 or err not in (errno.ESTALE, errno.EINVAL):
                sys.exit(f"node {node}: {fd} {err}")


def gone(top):
    """The kernel keeps an inode until RELEASE is answered, which it does not wait for: hence a few."""
    path, late = os.path.join(top, "gone"), 0
    for _ in range(1000):
        with open(path, "w") as f:
            f.write("text")
        handle = take(path)
        fd, err = open_handle(top, *handle)
        if fd < 0:
            sys.exit(f"while it is there: {errno.errorcode[err]}")
        os.close(fd)
        os.unlink(path)
        fd, err = open_handle(top, *handle)
        if fd >= 0:
            os.close(fd)
            late += 1
        elif err != errno.ESTALE:
            sys.exit(errno.errorcode[err])
    if late > 20:
        sys.exit(f"{late} of 1000 were found again")


def main():
    top, what = sys.argv[1:]
    kept = top.rstrip("/") + ".handles"
    if what == "take":
        for path in everything(top):
            if os.path.isfile(path):
                with open(path, "w") as f:
                    f.write(path[-50:])
        with open(kept, "wb") as f:
            pickle.dump([(path, *take(path)) for path in everything(top)], f)
    elif what == "open":
        with open(kept, "rb") as f:
            for path, kind, data in pickle.load(f):
                read_back(top, path, kind, data)
    elif what == "gone":
        gone(top)
    else:
        forge(top)


main()
