#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# --commit SECONDS: how much a busy drive loses when its program is killed, and a quiet one; what is refused.
. "$(dirname "$0")/lib.sh"
need_fuse

# Never a fifth of a second of quiet, which would commit by itself. Prints how many folders were made in the
# first second of three, and how many of those are there after the daemon was killed.
survivors() { # SECONDS
	local i made early there=0 pid
	drive_mount "$T/a.img" "$T/mnt" --commit "$1" >/dev/null || return 1
	pid=$(daemons | head -n 1)
	read -r made early < <("$PYTHON" -c 'import os, sys, time
start, made, early = time.monotonic(), 0, 0
while time.monotonic() < start + 3:
    os.mkdir("%s-%d" % (sys.argv[1], made))
    made += 1
    early = made if time.monotonic() < start + 1 else early
    time.sleep(0.02)
print(made, early)' "$T/mnt/$1") || return 1
	kill -KILL "$pid"
	wait_gone "$pid" 10
	sealdrive unmount "$T/mnt" >/dev/null && drive_mount "$T/a.img" "$T/mnt" >/dev/null || return 1
	for ((i = 0; i < early; i++)); do
		[ -d "$T/mnt/$1-$i" ] && there=$((there + 1))
	done
	diag "--commit $1: $made made, $early in the first second, $there of those are there" >&3
	drive_unmount "$T/mnt" >/dev/null || return 1
	echo "$early $there"
}
exec 3>&1

must "format" new_drive "$T/a.img" 32M
read -r early there < <(survivors 1)
check "folders were made" test "${early:-0}" -ge 3
is "${there:-}" "$early" "--commit 1: what is two seconds old is there"
read -r early there < <(survivors 300)
check "folders were made" test "${early:-0}" -ge 3
is "${there:-}" 0 "--commit 300: nothing of a busy drive is there yet"
# What is quiet is on the drive soon, also when nothing had been done for long before.
must "mount" drive_mount "$T/a.img" "$T/mnt" --commit 300
for i in 1 2 3; do
	sleep 0.5
	mkdir "$T/mnt/quiet-$i"
done
sleep 1
pid=$(daemons | head -n 1)
kill -KILL "$pid"
wait_gone "$pid" 10
sealdrive unmount "$T/mnt" >/dev/null 2>&1
must "mount again" drive_mount "$T/a.img" "$T/mnt"
check "a second after the last change all of it is on the drive" test -d "$T/mnt/quiet-3" -a -d "$T/mnt/quiet-1"
must "unmount" drive_unmount "$T/mnt"
for bad in 0 301 -1 1.5 x ''; do
	check_status 2 "--commit '$bad'" sealdrive mount "$T/a.img" "$T/mnt" --commit "$bad"
	said 'from 1 to 300' "... says what is possible"
done
check "perfect" judge "$T/a.img"
done_testing
