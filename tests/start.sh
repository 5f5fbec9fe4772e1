#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# scripts/start: the main job with one command, unattended and on a terminal, again and again.
. "$(dirname "$0")/lib.sh"
need_fuse
[ "$top_builddir" = "$top_srcdir/build" ] || skip_all "scripts/start builds in build/, this is another build folder"
start=$top_srcdir/scripts/start
img=$HOME/sealdrive.img

check "with nothing but a passphrase file" "$start" --passphrase-file "$PASS"
place=$(sed -n 's/^Your files are in  *//p' "$T/out")
is "$place" "$HOME/Sealdrive/Sealdrive" "it says where the files are"
unmount=$(sed -n 's/^When you are done:  *//p' "$T/out")
check "the container is there" test -f "$img"
check "files can be stored" cp "$start" "$place/"
check "again: nothing is done twice" "$start" --passphrase-file "$PASS"
said 'mounted already' "... and it says so"
is "$(sed -n 's/^Your files are in  *//p' "$T/out")" "$place" "... and where"
check "the command that it names unmounts" bash -c "$unmount"
check_status 1 "it is unmounted" is_mounted "$place"
check "again: the same container is mounted" "$start" --passphrase-file "$PASS"
check "the files are still there" cmp "$start" "$place/start"
check "unmounted" bash -c "$unmount"
check "perfect" judge "$img"
rm -f "$img"

check "target and folder of one's own" "$start" "$T/my drive's {\"1\\2\"}.img" "$T/ổ đĩa của tôi" --passphrase-file "$PASS"
is "$(sed -n 's/^Your files are in  *//p' "$T/out")" "$T/ổ đĩa của tôi" "it says where the files are"
check "it is there" is_mounted "$T/ổ đĩa của tôi"
check "again" "$start" "$T/my drive's {\"1\\2\"}.img" --passphrase-file "$PASS"
is "$(sed -n 's/^Your files are in  *//p' "$T/out")" "$T/ổ đĩa của tôi" "still there"
check "unmounted" sealdrive unmount "$T/my drive's {\"1\\2\"}.img"

printf 'wrong' >"$T/wrong"
check_status 3 "a wrong passphrase" "$start" "$T/my drive's {\"1\\2\"}.img" --passphrase-file "$T/wrong"
check_status 2 "no terminal and no passphrase" setsid "$start" "$T/my drive's {\"1\\2\"}.img"
check_status 2 "wrong usage" "$start" a b c
check "--help" "$start" --help

# On a terminal: it asks twice for a new container, and once to open it.
typed='import os, pty, select, sys, time
pid, fd = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
seen, asked, end = b"", 0, time.time() + 60
while time.time() < end:
    if select.select([fd], [], [], 0.2)[0]:
        try:
            data = os.read(fd, 4096)
        except OSError:
            break
        if not data:
            break
        seen += data
    elif seen.rstrip(b" ").endswith(b":") and seen.count(b":") != asked:
        asked = seen.count(b":")
        os.write(fd, b"typed by hand 1\n")
status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
sys.stdout.write(seen.decode())
assert b"typed by hand" not in seen, "the passphrase is shown"
sys.exit(status)'
check "on a terminal" "$PYTHON" -c "$typed" "$start" "$T/typed.img" "$T/typed"
check "mounted" is_mounted "$T/typed"
check "unmounted" sealdrive unmount "$T/typed"
printf 'typed by hand 1' >"$PASS"
check "what was typed opens it" "$start" "$T/typed.img" --passphrase-file "$PASS"
check "unmounted" sealdrive unmount "$T/typed.img"
done_testing
