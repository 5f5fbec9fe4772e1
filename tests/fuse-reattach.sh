#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A drive is pulled out in the middle of work and put back: programs notice a pause, nothing is lost. It
# is given up: errors for all, at once. What was used elsewhere meanwhile is refused.
. "$(dirname "$0")/lib.sh"
need_fuse
need_command cryptsetup e2fsck dumpe2fs
gone=$top_builddir/tests/dev/gone.so
[ -e "$gone" ] || skip_all "$gone is not built (make check builds it)"
DRIVE_GONE=$T/gone
export DRIVE_GONE
pulled() { # COMMAND...: with a drive that can be pulled out
	LD_PRELOAD=$gone "$@"
}
[ "$(pulled sealdrive --version 2>&1)" = "$(sealdrive --version)" ] ||
	skip_all "this build cannot be preloaded (sanitizers)"

mount_pulled() { # [OPTION]...
	mkdir -p "$T/mnt" && pulled sealdrive mount "$T/a.img" "$T/mnt" --passphrase-file "$PASS" "$@"
}
write_all() { # PREFIX [UNTIL]: 40 files, each synced; more until the file UNTIL has been there
	"$PYTHON" - "$T/mnt/$1" "${2:-/}" <<'PY'
import os, sys
seen, i = False, -1
while not seen or i < 39:
    seen |= os.path.exists(sys.argv[2])
    i += 1
    path = "%s-%d" % (sys.argv[1], i % 40)
    fd = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    os.write(fd, (b"%d " % (i % 40)) * 20000)
    os.fsync(fd)
    os.close(fd)
PY
}
all_there() { # PREFIX
	local i
	for i in {0..39}; do
		[ "$(sha1sum <"$T/mnt/$1-$i")" = "$("$PYTHON" -c 'import sys; sys.stdout.write("%s " % sys.argv[1] * 20000)' "$i" | sha1sum)" ] || return 1
	done
}
status_says() { # MEMBER WANTED
	[ "$(sealdrive status --json | "$PYTHON" -c 'import json, sys
print(json.load(sys.stdin)["drives"][0][sys.argv[1]])' "$1")" = "$2" ]
}
wait_away() { # until the daemon has noticed
	local i
	for i in {1..100}; do
		status_says away True && return 0
		sleep 0.1
	done
	return 1
}

# What the desktop would show, as a library in libnotify's place writes it down.
NOTIFIED=$T/notified
mkdir "$T/lib" && cp "$top_builddir/tests/dev/notify.so" "$T/lib/libnotify.so.4"
export NOTIFIED LD_LIBRARY_PATH=$T/lib

must "format" new_drive "$T/a.img" 64M
must "mount" mount_pulled

# ---- pulled out and put back, while files are written
for round in 1 2 3; do
	write_all "back-$round" "$T/pulled-$round" &
	writer=$!
	sleep "0.$round"
	touch "$DRIVE_GONE" "$T/pulled-$round"
	sleep 1
	[ $round -gt 1 ] || check "round $round: status answers, and says that it is away" wait_away
	rm "$DRIVE_GONE"
	wait $writer
	is $? 0 "round $round: nothing failed"
	check "round $round: every byte is there" all_there "back-$round"
done
check "status" sealdrive status
check "it is not away any more" status_says away False
check "no error was recorded" status_says error ""
check "unmount" drive_unmount "$T/mnt"
check "e2fsck finds nothing" judge "$T/a.img"

cp "$NOTIFIED" "$T/out"
said '^Put the drive back: .*/a.img: .*60 seconds' "the desktop has said what to do"

# ---- read-only
must "mount read-only" mount_pulled --read-only
touch "$DRIVE_GONE"
(sleep 1.5 && rm "$DRIVE_GONE") &
check "a read waits" all_there back-2
wait
check "unmount" drive_unmount "$T/mnt"

# ---- given up
must "mount" mount_pulled
pid=$(daemons | head -n 1)
touch "$DRIVE_GONE"
write_all lost 2>/dev/null &
writer=$!
check "it is away" wait_away
check "status" sealdrive status
said 'put it back, [0-9]+ s left' "... says what to do"
start=$SECONDS
check_status 7 "unmount --give-up says that not everything was written" timeout 30 sealdrive unmount --give-up "$T/mnt"
check "at once" test $((SECONDS - start)) -lt 10
wait $writer
check "the program has got an error" test $? -ne 0
check_status 1 "nothing is mounted" is_mounted "$T/mnt"
check "its program is gone" wait_gone "$pid" 5
rm "$DRIVE_GONE"

# ---- too late
must "mount" mount_pulled --grace 2
touch "$DRIVE_GONE"
start=$SECONDS
check_status 1 "a program that waits gets an error" timeout 20 cat "$T/mnt/back-1-7"
check "after two seconds" test $((SECONDS - start)) -ge 2 -a $((SECONDS - start)) -lt 10
rm "$DRIVE_GONE"
check_status 1 "putting it back does not help any more" timeout 5 cat "$T/mnt/back-1-8"
timeout 30 sealdrive unmount "$T/mnt" >"$T/out" 2>&1
check "unmount does not hang (status $?)" test $? -ne 124
check_status 1 "nothing is mounted" is_mounted "$T/mnt"

# ---- SIGTERM
must "mount" mount_pulled
pid=$(daemons | head -n 1)
touch "$DRIVE_GONE"
cat "$T/mnt/back-1-7" >/dev/null 2>&1 &
check "it is away" wait_away
kill -TERM "$pid"
check "SIGTERM ends the daemon at once" wait_gone "$pid" 10
check_status 1 "nothing is mounted" is_mounted "$T/mnt"
rm "$DRIVE_GONE"
wait

# ---- SIGTERM when the mount was taken away already, and what was written waits for the drive
must "mount" mount_pulled
pid=$(daemons | head -n 1)
check "work" cp "$T/mnt/back-1-7" "$T/mnt/copy"
touch "$DRIVE_GONE"
cat "$T/mnt/back-1-8" >/dev/null 2>&1 &
check "it is away" wait_away
umount -l "$T/mnt" 2>/dev/null || fusermount3 -uz "$T/mnt"
sleep 0.5
kill -TERM "$pid"
check "SIGTERM ends the daemon at once" wait_gone "$pid" 15
rm "$DRIVE_GONE"
wait

# ---- used elsewhere meanwhile: a copy that was mounted and unmounted takes its place
must "mount" mount_pulled --grace 4
touch "$T/mnt/new" && sync "$T/mnt/new"
touch "$DRIVE_GONE"
cat "$T/mnt/back-1-9" >/dev/null 2>&1 &
check "it is away" wait_away
cp "$T/a.img" "$T/b.img"
must "elsewhere it mounts" drive_mount "$T/b.img" "$T/mnt2"
check "... and is used" touch "$T/mnt2/elsewhere"
check "... and unmounts" drive_unmount "$T/mnt2"
before=$(b2sum <"$T/b.img")
mv "$T/b.img" "$T/a.img"
rm "$DRIVE_GONE"
for i in {1..30}; do
	sealdrive status >"$T/out" 2>&1
	grep -q 'another one, or was changed' "$T/out" && break
	sleep 0.1
done
said 'another one, or was changed' "status says that it was changed"
wait
cp "$NOTIFIED" "$T/out"
said '^This drive is not taken: .*changed' "... and the desktop, too"
said '^The drive is gone: ' "... and that it is gone, then"
timeout 30 sealdrive unmount "$T/mnt" >"$T/out" 2>&1
check "unmount does not hang (status $?)" test $? -ne 124
is "$(b2sum <"$T/a.img")" "$before" "not one byte of it was changed"
check "perfect" judge "$T/a.img"

for bad in -1 3601 x; do
	check_status 2 "--grace $bad" sealdrive mount "$T/a.img" "$T/mnt" --grace "$bad"
	said 'from 0 to 3600' "... says what is possible"
done
done_testing
