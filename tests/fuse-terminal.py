# SPDX-License-Identifier: LGPL-2.1-or-later
# Runs a command on a terminal of its own: fuse-terminal.py COMMAND... ; the lines of standard input
# are typed, one at every passphrase prompt ("^C" is Ctrl-C). Prints what the terminal showed;
# exit status is the command's, or 128 + the signal.
import os
import pty
import select
import sys
import termios
import time

answers = sys.stdin.read().split("\n")[:-1]
pid, fd = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
seen, asked, end = b"", 0, time.monotonic() + 60
while True:
    assert time.monotonic() < end, ("it hangs", seen)
    if not select.select([fd], [], [], 0.1)[0]:
        continue
    try:
        piece = os.read(fd, 4096)
    except OSError:
        break
    if not piece:
        break
    seen += piece
    if seen.split(b"\n")[-1].startswith(b"Passphrase for ") and seen.endswith(b": ") and asked < len(answers):
        echo = termios.tcgetattr(fd)[3] & termios.ECHO
        assert not echo, "the terminal shows what is typed"
        text = answers[asked]
        asked += 1
        os.write(fd, b"\x03" if text == "^C" else text.encode() + b"\n")
sys.stdout.write(seen.decode(errors="replace").replace("\r", ""))
status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
print(f"prompts: {asked}")
sys.exit(128 - status if status < 0 else status)
