# SPDX-License-Identifier: LGPL-2.1-or-later
"""A user at a terminal: runs a command on a pseudo-terminal of its own and acts by a script.

    terminal.py [--stdin FILE] ACTION... -- COMMAND...

Actions, in order:
    wait:TEXT     until TEXT has appeared behind the last one waited for (20 s at most)
    type:TEXT     types TEXT and Enter
    keys:TEXT     types TEXT alone
    signal:NAME   sends the signal to the command's process group
    kill:NAME     sends it to the command alone
    child:NAME    sends it to the command's child
    stopped       until the command has been stopped
    file:F=TEXT   until TEXT is in the file F
    echo:on|off   the terminal's echo must be that now

The output is printed, and the last line is "exit N" or "killed by N", and "echo on" or "echo off"
as the terminal is found afterwards. Exit status 1 when an action did not succeed.
"""
import fcntl
import os
import pty
import select
import signal
import sys
import termios
import time

TIMEOUT = 20


def fail(text, seen):
    print(seen.decode(errors="replace"))
    print("FAILED:", text)
    sys.exit(1)


def echo_is_on(fd):
    return bool(termios.tcgetattr(fd)[3] & termios.ECHO)


def run_command(command, stdin, slave):
    """In the place of a shell's child: a process group of its own, in the foreground."""
    os.setpgid(0, 0)
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    os.tcsetpgrp(slave, os.getpid())
    signal.signal(signal.SIGTTOU, signal.SIG_DFL)
    os.dup2(os.open(stdin, os.O_RDONLY) if stdin else slave, 0)
    os.dup2(slave, 1)
    os.dup2(slave, 2)
    os.closerange(3, 32)
    os.execvp(command[0], command)


def run_shell(command, stdin, slave, report):
    """What a shell is to the command: leader of the session, or stopping would have no effect."""
    os.setsid()
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        run_command(command, stdin, slave)
    os.write(report, b"%d\n" % pid)
    os.write(report, b"%d\n" % os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    os._exit(0)


def start(command, stdin):
    master, slave = pty.openpty()
    results, report = os.pipe()
    if os.fork() == 0:
        run_shell(command, stdin, slave, report)
    os.close(report)
    results = os.fdopen(results)
    # with our slave open its settings outlive the command
    return int(results.readline()), results, master, slave


def main():
    args = sys.argv[1:]
    stdin = None
    if args[0] == "--stdin":
        stdin = args[1]
        args = args[2:]
    split = args.index("--")
    actions, command = args[:split], args[split + 1:]
    pid, results, fd, slave = start(command, stdin)
    seen = b""
    new = b""

    def pump(seconds):
        nonlocal seen, new
        if select.select([fd], [], [], seconds)[0]:
            try:
                data = os.read(fd, 4096)
            except OSError:
                return
            seen += data
            new += data

    def wait_for(condition, what):
        deadline = time.monotonic() + TIMEOUT
        while not condition():
            if time.monotonic() > deadline:
                os.kill(pid, signal.SIGKILL)
                fail(what, seen)
            pump(0.05)

    for action in actions:
        verb, _, text = action.partition(":")
        if verb == "wait":
            wait_for(lambda: text.encode() in new, f"'{text}' did not appear")
            new = new.partition(text.encode())[2]
        elif verb == "type":
            os.write(fd, text.encode() + b"\n")
        elif verb == "keys":
            os.write(fd, text.encode().decode("unicode_escape").encode("latin-1"))
        elif verb == "signal":
            os.killpg(pid, getattr(signal, text))
        elif verb == "kill":
            os.kill(pid, getattr(signal, text))
        elif verb == "child":
            os.kill(int(open(f"/proc/{pid}/task/{pid}/children").read().split()[0]), getattr(signal, text))
        elif verb == "stopped":
            wait_for(lambda: open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[0] == "T",
                     "it was not stopped")
        elif verb == "file":
            path, _, wanted = text.partition("=")
            wait_for(lambda: wanted in open(path).read(), f"'{wanted}' is not in {path}")
        elif verb == "echo":
            wait_for(lambda: echo_is_on(slave) == (text == "on"), f"echo is not {text}")

    wait_for(lambda: select.select([results], [], [], 0)[0], "it did not end")
    code = int(results.readline())
    pump(0.2)
    print(seen.decode(errors="replace"))
    print(f"exit {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}")
    print("echo on" if echo_is_on(slave) else "echo off")


main()
