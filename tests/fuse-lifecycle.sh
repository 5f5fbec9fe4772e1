#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Mounting, status, unmounting: what is said, where, with which exit status, and that a drive is
# closed, whole and free whichever way its service ends.
. "$(dirname "$0")/lib.sh"
need_fuse
need_command cryptsetup e2fsck dumpe2fs mke2fs
the_daemon() {
	daemons | head -n 1
}
status_of() { # MEMBER: of the only drive
	sealdrive status --json | "$PYTHON" -c 'import json, sys
drives = json.load(sys.stdin)["drives"]
mine = [d for d in drives if d["target"].startswith(sys.argv[2])]
assert len(mine) == 1, drives
print(mine[0][sys.argv[1]])' "$1" "$T"
}

must "format" new_drive "$T/a.img" 64M --label 'Hồ sơ'
uuid=$(cryptsetup luksUUID "$T/a.img")
cp "$T/a.img" "$T/twin.img"

# ---- said and done
check "mount" drive_mount "$T/a.img" "$T/mnt"
said "$T/mnt" "... it says where the files are"
said 'sealdrive unmount' "... and how to unmount"
pid=$(the_daemon)
is "$(status_of state)" mounted "status: state"
is "$(status_of mount_point)" "$T/mnt" "status: mount point"
is "$(status_of target)" "$T/a.img" "status: target"
is "$(status_of label)" 'Hồ sơ' "status: label"
is "$(status_of pid)" "$pid" "status: process"
is "$(status_of uuid)" "$uuid" "status: UUID"
is "$(status_of cipher)" aes-xts-plain64 "status: cipher"
is "$(status_of read_only)" False "status: writable"
is "$(stat -f -c '%a' "$T/mnt")" "$(($(status_of free_bytes) / $(stat -f -c %S "$T/mnt")))" "status: free space"
echo text >"$T/mnt/counted" && sync "$T/mnt/counted" && rm "$T/mnt/counted"
is "$(status_of counters | "$PYTHON" -c 'import ast, sys
c = ast.literal_eval(sys.stdin.read())
print([n for n in ("requests_create", "requests_write", "requests_fsync", "requests_unlink", "cache_hits",
    "cache_misses", "commits", "drive_reads", "drive_read_bytes", "drive_writes", "drive_flushes") if c.get(n, 0) < 1],
    c["requests_create"])')" "[] 1" "status: what it has done"
check "status in words" sealdrive status
said "$T/a.img .*Hồ sơ" "... names drive and label"
check_status 6 "mounting it again" drive_mount "$T/a.img" "$T/mnt2"
said "already mounted: $T/mnt" "... says where it is"
check_status 6 "formatting it meanwhile" sealdrive format "$T/a.img" --force --passphrase-file "$PASS" "${FAST_KDF[@]}"
said "already mounted: $T/mnt" "... says so, too"
ln -s a.img "$T/alias.img"
check_status 6 "under another name" drive_mount "$T/alias.img" "$T/mnt2"
check_status 6 "formatting it" new_drive "$T/a.img" 64M --force
check_status 1 "another drive on the same folder" drive_mount "$T/mnt2" "$T/mnt"

# ---- a daemon that holds nothing of where it came from
is "$(readlink "/proc/$pid/cwd")" / "its folder is /"
is "$(readlink "/proc/$pid/fd/0" "/proc/$pid/fd/1" "/proc/$pid/fd/2" | sort -u)" /dev/null "standard descriptors lead nowhere"
is "$(ps -o sid=,tty= -p "$pid" | xargs)" "$pid ?" "a session of its own, no terminal"
is "$(find "/proc/$pid/fd" -lname 'pipe:*' | wc -l)" 0 "no pipe of its caller"
check "unmount" drive_unmount "$T/mnt"
said 'pull the drive out' "... says that it may be pulled out"
check "its daemon is gone" wait_gone "$pid" 5
check_status 1 "unmounting it again" drive_unmount "$T/mnt"
check_status 1 "by its drive" drive_unmount "$T/a.img"
said 'nothing is mounted' "... says so"
check_status 1 "what is not there" drive_unmount "$T/nonsense"
is "$(ls "$T/run/sealdrive")" "" "no socket is left"
left=$( (exec 9>&1; sealdrive mount "$T/a.img" "$T/mnt" --passphrase-file "$PASS" >/dev/null 9>&9) | timeout 10 cat; echo "${PIPESTATUS[1]}")
is "$left" 0 "a pipe that it inherits does not stay open"
check "unmount by the drive's name" sealdrive unmount "$T/alias.img"

# ---- places
mkdir "$T/full" "$T/dir with space"
touch "$T/full/x"
echo >"$T/plainfile"
check_status 1 "a folder that is not empty" drive_mount "$T/a.img" "$T/full"
said 'not empty' "... says why"
check_status 1 "a file" sealdrive mount "$T/a.img" "$T/plainfile" --passphrase-file "$PASS"
check_status 1 "a folder that does not exist" sealdrive mount "$T/a.img" "$T/none" --passphrase-file "$PASS"
check "a folder with a space" drive_mount "$T/a.img" "$T/dir with space"
said "unmount '$T/dir with space'" "... is quoted for the shell"
check "unmount it" drive_unmount "$T/dir with space"
mkdir -p "$T/rel" && check "relative names" bash -c \
	'cd "$T/rel" && mkdir m && sealdrive mount ../a.img m --passphrase-file "$T/pass" && sealdrive unmount ./m'

check "without a folder" sealdrive mount "$T/a.img" --passphrase-file "$PASS"
check "it is in ~/Sealdrive" is_mounted "$T/home/Sealdrive/Hồ\\040sơ"
is "$(stat -c %a "$T/home/Sealdrive")" 700 "... which is closed to others"
check "a second one of the same label" sealdrive mount "$T/twin.img" --passphrase-file "$PASS"
check "gets a number" is_mounted "$T/home/Sealdrive/Hồ\\040sơ-2"
check "unmount" sealdrive unmount "$T/home/Sealdrive/Hồ sơ"
check "unmount the second" sealdrive unmount "$T/twin.img"
check_status 1 "all folders are removed" test -e "$T/home/Sealdrive"
hostile=('../../evil:____evil' '.hidden:_hidden' '/:_' $'a\nb:a\xef\xbf\xbdb' '  x  :x')
for pair in "${hostile[@]}"; do
	label=${pair%:*} want=${pair##*:}
	truncate -s 40M "$T/plain"
	mke2fs -q -t ext4 -L "$label" "$T/plain"
	new_drive "$T/label.img" 60M >/dev/null 2>&1
	"$PYTHON" "$JUDGE/luks-plain.py" encrypt "$T/label.img" "$PASS" "$T/plain" >/dev/null
	check "a drive with a strange label" sealdrive mount "$T/label.img" --passphrase-file "$PASS"
	is "$(ls -A "$T/home/Sealdrive")" "$(printf '%s' "$want" | sed 's/____evil/.._.._evil/; s/^\./_/')" "... stays in its folder"
	sealdrive unmount "$T/label.img" >/dev/null
	rm -f "$T/label.img" "$T/plain"
done

# ---- in use
must "mount" drive_mount "$T/a.img" "$T/mnt"
(cd "$T/mnt" && exec sleep 60) &
user=$!
sleep 0.2
check_status 6 "unmounting what is in use" drive_unmount "$T/mnt"
said "sleep \\($user\\)" "... names the program"
check "it is still mounted" touch "$T/mnt/x"
is "$(status_of state)" mounted "status agrees"
kill $user
wait $user 2>/dev/null
exec 7>"$T/mnt/open"
check_status 6 "an open file" drive_unmount "$T/mnt"
said "\\($$\\)" "... names its program"
echo kept >&7
# A file on its way through a socket is open, and nobody is seen to have it.
passing='import os, socket, sys, time
a, b = socket.socketpair()
fd = os.open(sys.argv[1], os.O_RDONLY)
socket.send_fds(a, [b"x"], [fd])
os.close(fd)
print(flush=True)
time.sleep(float(sys.argv[2]))'
must "another drive" new_drive "$T/b.img" 32M
must "mounted" drive_mount "$T/b.img" "$T/b"
touch "$T/b/file"
pass_for() { # SECONDS
	exec 8< <(exec "$PYTHON" -c "$passing" "$T/b/file" "$1")
	read -r -u 8
}
pass_for 0.4
check "who is only passing is waited for" drive_unmount "$T/b"
must "mounted again" drive_mount "$T/b.img" "$T/b"
pass_for 20
check_status 6 "... not who stays" drive_unmount "$T/b"
kill $!
check "until he ends" drive_unmount "$T/b"
pid=$(the_daemon)
start=$SECONDS
kill -TERM "$pid"
check "SIGTERM ends the service of a drive in use" wait_gone "$pid" 20
check "soon" test $((SECONDS - start)) -lt 15
check_status 1 "and takes the mount away" is_mounted "$T/mnt"
exec 7>&-
check "perfect" judge "$T/a.img"
must "mount" drive_mount "$T/a.img" "$T/mnt"
is "$(cat "$T/mnt/open")" kept "what was written to the open file is there"
rm "$T/mnt/open"
for signal in TERM INT HUP; do
	pid=$(the_daemon)
	echo "$signal" >"$T/mnt/signal"
	kill -$signal "$pid"
	check "SIG$signal" wait_gone "$pid" 10
	check_status 1 "... unmounts" is_mounted "$T/mnt"
	check "... properly" judge "$T/a.img"
	must "mount" drive_mount "$T/a.img" "$T/mnt"
	is "$(cat "$T/mnt/signal")" "$signal" "... with everything written"
done

# A copy of the mount in another namespace keeps the drive open, and nobody says otherwise. (The copies of
# other tests' mounts go at once: they would keep those open.)
if is_root && unshare -m true 2>/dev/null; then
	unshare -m --propagation private bash -c 'awk -v top="$T/" "/ - fuse/ && index(\$5, top) != 1 { print \$5 }" \
		/proc/self/mountinfo | while read -r m; do umount -l "$m"; done
		: >"$T/namespace" && exec sleep 60' &
	user=$!
	for i in {1..100}; do
		[ -e "$T/namespace" ] && break
		sleep 0.1
	done
	check_status 6 "a mount that has a copy elsewhere" drive_unmount "$T/mnt"
	check_status 1 "... is gone here" is_mounted "$T/mnt"
	check_status 6 "... but the drive is not closed" sealdrive unmount "$T/a.img"
	pid=$(the_daemon)
	kill $user
	wait $user 2>/dev/null
	check "... until the copy is gone" wait_gone "$pid" 10
	check "perfect" judge "$T/a.img"
	must "mount" drive_mount "$T/a.img" "$T/mnt"
else
	skip "a mount that has a copy elsewhere" "needs root and mount namespaces"
fi

# A target whose name is gone (a device that was pulled out, a container that was removed).
mv "$T/a.img" "$T/moved.img"
check "unmount by a name that is gone" sealdrive unmount "$T/a.img"
mv "$T/moved.img" "$T/a.img"
odd="$T/odd, name\\ with#all.img"
cp "$T/a.img" "$odd"
check "a strange name" drive_mount "$odd" "$T/mnt"
is "$(status_of target)" "$odd" "... is shown as it is"
check_status 6 "... and found" drive_mount "$odd" "$T/mnt2"
check "... also without its socket" env XDG_RUNTIME_DIR=/nonexistent sealdrive unmount "$odd"
rm -f "$odd"
must "mount" drive_mount "$T/a.img" "$T/mnt"

# ---- killed
pid=$(the_daemon)
kill -KILL "$pid"
wait_gone "$pid" 10
is "$(status_of state)" dead "status knows a dead one"
check "status in words" sealdrive status
said 'has died' "... says so"
check_status 1 "another drive at a dead mount point" sealdrive mount "$T/twin.img" "$T/mnt" --passphrase-file "$PASS"
said "sealdrive unmount $T/mnt" "... is told how to get it free"
check "unmount takes it away" sealdrive unmount "$T/mnt"
said 'had died' "... and says what was lost"
check_status 1 "nothing is mounted" is_mounted "$T/mnt"
check "the dead one's socket does no harm" drive_mount "$T/a.img" "$T/mnt"
pid=$(the_daemon)
kill -KILL "$pid"
wait_gone "$pid" 10
check "mounting it again is enough" sealdrive mount "$T/a.img" "$T/mnt" --passphrase-file "$PASS"
said 'had died' "... and says what was lost"
is "$(grep -cF " $T/mnt " /proc/self/mounts)" 1 "one mount is there"
cd "$T/mnt" || exit
sleep 100 &
sitter=$!
cd "$OLDPWD" || exit
pid=$(the_daemon)
kill -KILL "$pid"
wait_gone "$pid" 10
check "... also while somebody sits in it" sealdrive mount "$T/a.img" "$T/mnt" --passphrase-file "$PASS"
check "... and it is the new one" test -d "$T/mnt/lost+found"
kill $sitter
check "unmount" drive_unmount "$T/mnt"

# ---- foreground
mkdir "$T/fg"
sealdrive mount "$T/twin.img" "$T/fg" --foreground --passphrase-file "$PASS" >"$T/fg.out" 2>&1 &
pid=$!
for i in {1..100}; do
	is_mounted "$T/fg" && grep -q unmount "$T/fg.out" && break
	sleep 0.1
done
check "--foreground" touch "$T/fg/x"
is "$(status_of pid)" "$pid" "... is served by the command itself"
check "unmount" drive_unmount "$T/fg"
wait $pid
is $? 0 "... which ends with 0"

# ---- many at once, one at a time
for i in {1..8}; do
	sealdrive mount "$T/twin.img" "$T/fg" --passphrase-file "$PASS" >"$T/many.$i" 2>&1 &
done
ok_count=0
for job in $(jobs -p); do
	wait "$job" && ok_count=$((ok_count + 1))
done
is $ok_count 1 "of eight mounts at once one wins" || cat "$T"/many.* | diag
for i in {1..8}; do
	sealdrive unmount "$T/twin.img" >/dev/null 2>&1 &
done
wait
check_status 1 "eight unmounts at once" is_mounted "$T/fg"
check "perfect" judge "$T/twin.img"
done_testing
