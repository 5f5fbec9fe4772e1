#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The daemon is killed in the middle of work: what was synced is there, a read-only mount shows it
# without a byte being written, the next mount replays the journal and is as good as new; so it is for
# e2fsck and the kernel. And the daemon ends cleanly when it is asked to.
. "$(dirname "$0")/lib.sh"
need_fuse
need_command cryptsetup e2fsck dumpe2fs
same_as_now() { # FILE: what the mount shows
	tree_names "$T/mnt" >"$1"
}

the_daemon() {
	daemons | head -n 1
}

must "format" new_drive "$T/a.img" 128M
must "mount" drive_mount "$T/a.img" "$T/mnt"
check "work that is synced" bash -c 'cd "$1" && mkdir -p a/b && for i in {1..200}; do
	echo "synced $i" >a/b/f$i || exit 1; done; sync a/b/* a/b a' - "$T/mnt"
(cd "$T/mnt" && for i in {1..2000}; do
	mkdir -p "c$((i % 7))" && echo "$i" >"c$((i % 7))/f$i" && rm -f "c$((i % 5))/f$((i - 9))"
done) 2>/dev/null &
writer=$!
sleep 1
kill -KILL "$(the_daemon)"
wait $writer 2>/dev/null
check_status 1 "what is left of the mount answers with an error" touch "$T/mnt/x"
check "and can be unmounted" sealdrive unmount "$T/mnt"
check_status 1 "it is gone" is_mounted "$T/mnt"

before=$(unchanged_sum "$T/a.img")
check "decrypted by others" plain_of "$T/a.img" "$T/plain"
check "the journal is in use" grep -q needs_recovery <(dumpe2fs -h "$T/plain" 2>/dev/null)
check "the drive opens read-only" drive_mount "$T/a.img" "$T/mnt" --read-only
check_status 1 "... nothing can be written" touch "$T/mnt/new"
check "... what it shows" same_as_now "$T/seen"
n=$(cat "$T/mnt/a/b"/f* 2>/dev/null | grep -c '^synced ')
is "$n" 200 "everything that was synced is there"
check "unmount" drive_unmount "$T/mnt"
is "$(unchanged_sum "$T/a.img")" "$before" "not one byte changed"

# The same drive, opened by the kernel and by e2fsck.
if have_loop; then
	cp "$T/plain" "$T/plain.kernel"
	check "the kernel replays the journal" loop_mount "$T/plain.kernel" "$T/kernel"
	check "... and shows the same" diff "$T/seen" <(tree_names "$T/kernel")
	umount "$T/kernel"
	check "... perfect" judge_plain "$T/plain.kernel"
else
	skip "the kernel replays the journal" "$NO_LOOP"
fi
e2fsck -fy "$T/plain" >"$T/fsck" 2>&1
status=$?
check "e2fsck replays the journal and finds nothing else (status $status)" \
	bash -c 'test "$1" -le 1 && ! grep -qE "Fix|Clear\?|yes$" <(grep -v "^.*recovering journal" "$2")' - "$status" "$T/fsck" ||
	diag <"$T/fsck"

must "mount" drive_mount "$T/a.img" "$T/mnt"
check "it shows the same" diff "$T/seen" <(tree_names "$T/mnt")
check "it is writable" touch "$T/mnt/new"
n=$(cat "$T/mnt/a/b"/f* 2>/dev/null | grep -c '^synced ')
is "$n" 200 "everything that was synced is still there"
check "unmount" drive_unmount "$T/mnt"
check "perfect" judge "$T/a.img"
must "mount" drive_mount "$T/a.img" "$T/mnt"

# SIGTERM is a clean unmount.
check "work" cp -r "$top_srcdir/tests" "$T/mnt/copy"
pid=$(the_daemon)
kill -TERM "$pid"
check "SIGTERM ends the daemon" wait_gone "$pid" 20
check_status 1 "nothing is mounted" is_mounted "$T/mnt"
check "perfect" judge "$T/a.img"
must "mount" drive_mount "$T/a.img" "$T/mnt"
check "the work is there" diff -r "$top_srcdir/tests" "$T/mnt/copy"

# A file that is open and deleted when the drive is unmounted by force of a signal.
exec 7>"$T/mnt/open-and-deleted"
echo text >&7
rm "$T/mnt/open-and-deleted"
check_status 6 "an open file keeps the drive mounted" drive_unmount "$T/mnt"
check "... and it still works" touch "$T/mnt/alive"
exec 7>&-
check "closed, it unmounts" drive_unmount "$T/mnt"
check "perfect" judge "$T/a.img"

# umount(8) and fusermount3 -u are as good.
must "mount" drive_mount "$T/a.img" "$T/mnt"
check "work" cp -r "$top_srcdir/tests" "$T/mnt/copy2"
pid=$(the_daemon)
check "fusermount3 -u" fusermount3 -u "$T/mnt"
check "the daemon ends" wait_gone "$pid" 20
check "perfect" judge "$T/a.img"

# The mount is ready when the command returns, and the drive is free when unmount returns.
bad=0
for i in {1..10}; do
	drive_mount "$T/a.img" "$T/mnt" >/dev/null && echo "$i" >"$T/mnt/count" &&
		drive_unmount "$T/mnt" >/dev/null && flock -xn "$T/a.img" true || bad=$((bad + 1))
done
is $bad 0 "ten times mounted, used, unmounted, free"
check "perfect" judge "$T/a.img"
done_testing
