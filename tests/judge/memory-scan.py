#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Looks for secrets in the memory of a running process (needs the right to trace it).

    memory-scan.py [--locked-ok] PID FILE...            now
    memory-scan.py --at-exit PID FILE... -- COMMAND...  runs COMMAND, which makes PID end, and looks
                                                        when it has reached its end but still has
                                                        its memory

A FILE's content is the secret; a key of 32 or 64 bytes is looked for in pieces of 16, raw, and
whole in hex and base64. --locked-ok: findings in memory that is locked (and so never swapped) do
not count. Prints each finding; exit status 1 if there was one, 2 if nothing could be looked at.
"""
import base64
import ctypes
import os
import re
import signal
import subprocess
import sys

PTRACE_SEIZE, PTRACE_CONT, PTRACE_DETACH = 0x4206, 7, 17
PTRACE_O_TRACEEXIT, PTRACE_EVENT_EXIT = 0x40, 6
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]


def patterns(files):
    found = {}
    for name in files:
        with open(name, "rb") as f:
            secret = f.read().rstrip(b"\n") if name.endswith("pass") else f.read()
        if len(secret) in (32, 64):
            for at in range(0, len(secret), 16):
                found["%s[%d..]" % (os.path.basename(name), at)] = secret[at:at + 16]
            found[os.path.basename(name) + " in hex"] = secret.hex().encode()
            found[os.path.basename(name) + " in base64"] = base64.b64encode(secret)[:-4]
        else:
            found[os.path.basename(name)] = secret
    return found


def regions(pid):
    """(start, end, description, locked) of what can be read."""
    current, locked = None, 0
    with open("/proc/%d/smaps" % pid) as f:
        for line in f:
            m = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \S+\s*(.*)", line)
            if m:
                current = (int(m[1], 16), int(m[2], 16), m[3], m[4].strip())
            elif line.startswith("VmFlags:"):
                locked = " lo " in line + " "
                if current[2][0] == "r" and current[3] not in ("[vvar]", "[vsyscall]"):
                    yield current[0], current[1], "%s %s" % (current[2], current[3]), locked


def scan(pid, wanted, locked_ok):
    looked = findings = 0
    memory = os.open("/proc/%d/mem" % pid, os.O_RDONLY)
    for start, end, what, locked in regions(pid):
        if locked and locked_ok:
            continue
        at, tail = start, b""
        while at < end:
            size = min(1 << 24, end - at)
            try:
                data = os.pread(memory, size, at)
            except OSError:
                break
            if not data:
                break
            looked += len(data)
            window = tail + data
            for name, secret in wanted.items():
                pos = window.find(secret)
                if pos >= 0:
                    print("%s at %#x in %s%s" % (name, at - len(tail) + pos, what,
                                                 " (locked)" if locked else ""))
                    findings += 1
            tail = window[-128:]
            at += len(data)
    os.close(memory)
    return looked, findings


def at_exit(pid, wanted, command):
    """Stops the main thread in its exit, where the address space still stands."""
    if libc.ptrace(PTRACE_SEIZE, pid, None, PTRACE_O_TRACEEXIT) != 0:
        sys.exit("memory-scan: ptrace: " + os.strerror(ctypes.get_errno()))
    helper = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    signal.alarm(60)
    while True:
        _, status = os.waitpid(pid, 0x40000000)
        if os.WIFEXITED(status) or os.WIFSIGNALED(status):
            print("memory-scan: it was gone before it could be looked at")
            return 0, 0
        if status >> 8 == signal.SIGTRAP | PTRACE_EVENT_EXIT << 8:
            break
        sig = os.WSTOPSIG(status) if status >> 16 == 0 else 0
        libc.ptrace(PTRACE_CONT, pid, None, sig)
    result = scan(pid, wanted, False)
    libc.ptrace(PTRACE_DETACH, pid, None, None)
    if helper.wait() != 0:
        sys.exit("memory-scan: the command failed")
    return result


def main(args):
    locked_ok = at_end = False
    command = []
    if "--" in args:
        command = args[args.index("--") + 1:]
        args = args[:args.index("--")]
    while args and args[0].startswith("--"):
        locked_ok |= args[0] == "--locked-ok"
        at_end |= args[0] == "--at-exit"
        args = args[1:]
    pid, wanted = int(args[0]), patterns(args[1:])
    looked, findings = at_exit(pid, wanted, command) if at_end else scan(pid, wanted, locked_ok)
    print("looked at %d KiB, %d findings" % (looked >> 10, findings))
    sys.exit(2 if looked < 1 << 20 else findings != 0)


main(sys.argv[1:])
