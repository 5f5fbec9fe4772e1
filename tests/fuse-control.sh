#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The control socket: for its user and root alone, in a folder that nobody else can put anything
# into, and deaf to everything but its few requests.
. "$(dirname "$0")/lib.sh"
need_fuse
need_command cryptsetup
say() { # SOCKET CASE
	timeout 60 "$PYTHON" "$top_srcdir/tests/fuse-control.py" "$@"
}
sockets() { # DIR
	find "$1" -name '*.socket'
}

must "format" new_drive "$T/a.img" 64M
must "mount" drive_mount "$T/a.img" "$T/mnt"
socket=$(sockets "$T/run")
is "$(stat -c '%a %F' "$socket")" "700 socket" "one socket, closed to others"
is "$(stat -c %a "$T/run/sealdrive")" 700 "in a folder that is closed to others"
check "it answers" say "$socket" status
check "garbage gets no answer" say "$socket" garbage
check "silent clients do not block" say "$socket" silent
if is_root; then
	chmod 711 "$T/run" "$T/run/sealdrive"
	chmod 666 "$socket"
	cp "$top_srcdir/tests/fuse-control.py" "$T/" && chmod 644 "$T/fuse-control.py"
	check "another user is not heard, even where he can connect" \
		setpriv --reuid="$USER_ID" --regid="$USER_GROUP" --clear-groups \
		"$PYTHON" "$T/fuse-control.py" "$socket" refused
	chmod 700 "$T/run" "$T/run/sealdrive"
else
	skip "another user is not heard" "needs root to be another user"
fi
check "the drive is still served" touch "$T/mnt/x"

# Found in another environment: no socket there, the drive is closed all the same.
mkdir -m 700 "$T/run2"
check "unmount without its runtime folder" env XDG_RUNTIME_DIR="$T/run2" sealdrive unmount "$T/mnt"
check "the drive is free at once" flock -xn "$T/a.img" true
check_status 1 "nothing is mounted" is_mounted "$T/mnt"

# Folders that somebody else could have prepared are not used.
mkdir -m 777 "$T/run3" && mkdir -m 700 "$T/elsewhere" && ln -s "$T/elsewhere" "$T/run3/sealdrive"
check "mount with an unsafe runtime folder" env XDG_RUNTIME_DIR="$T/run3" sealdrive mount "$T/a.img" "$T/mnt" --passphrase-file "$PASS"
is "$(ls -A "$T/elsewhere")" "" "a link is not followed"
check "unmount" env XDG_RUNTIME_DIR="$T/run3" sealdrive unmount "$T/mnt"
mkdir -m 700 "$T/run4" && mkdir -m 755 "$T/run4/sealdrive"
check "mount with an open folder" env XDG_RUNTIME_DIR="$T/run4" sealdrive mount "$T/a.img" "$T/mnt" --passphrase-file "$PASS"
is "$(ls -A "$T/run4/sealdrive")" "" "a folder that others may enter is not used"
check "unmount" env XDG_RUNTIME_DIR="$T/run4" sealdrive unmount "$T/mnt"

if is_root; then
	# A user without any runtime folder, and an enemy who was first in /tmp: a user of its own, as other tests
	# that run meanwhile make the folder of the usual one.
	USER_ID=$(id -u daemon) USER_GROUP=$(id -g daemon)
	rmdir "/tmp/sealdrive-$USER_ID" 2>/dev/null
	user_ready
	cp "$T/a.img" "$T/user/a.img"
	chown "$USER_ID" "$T/user/a.img"
	as_user mkdir "$T/user/mnt" "$T/user/roots"
	check "root mounts a drive at a user's folder" sealdrive mount "$T/a.img" "$T/user/roots" --passphrase-file "$PASS"
	check_status 1 "the user does not unmount it" as_user sealdrive unmount "$T/user/roots"
	said 'Another user has mounted this drive: root' "... and is told why"
	check_status 1 "nobody mounts inside of another drive" as_user sealdrive mount "$T/user/a.img" \
		"$T/user/roots/lost+found" --passphrase-file "$T/user/pass"
	check "root unmounts it" sealdrive unmount "$T/user/roots"
	if mkdir -m 777 "/tmp/sealdrive-$USER_ID" 2>/dev/null; then
		check_status 1 "a folder in /tmp that belongs to somebody else" as_user env -u XDG_RUNTIME_DIR \
			sealdrive mount "$T/user/a.img" "$T/user/mnt" --passphrase-file "$T/user/pass"
		check_status 1 "... nothing is mounted" is_mounted "$T/user/mnt"
		rmdir "/tmp/sealdrive-$USER_ID"
		check "without it" as_user env -u XDG_RUNTIME_DIR \
			sealdrive mount "$T/user/a.img" "$T/user/mnt" --passphrase-file "$T/user/pass"
		is "$(stat -c '%a %u' "/tmp/sealdrive-$USER_ID")" "700 $USER_ID" "the folder is made"
		check "root unmounts a user's drive" sealdrive unmount "$T/user/mnt"
		rmdir "/tmp/sealdrive-$USER_ID"
	else
		skip "folders in /tmp" "/tmp/sealdrive-$USER_ID is in use"
	fi
else
	skip "folders in /tmp" "needs root to be somebody else"
fi
done_testing
