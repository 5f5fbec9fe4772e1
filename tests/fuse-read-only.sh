#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A read-only mount changes not one byte; what cannot be written is not mounted read-write.
. "$(dirname "$0")/lib.sh"
need_fuse
need_command cryptsetup

must "format" new_drive "$T/a.img" 64M
must "mount" drive_mount "$T/a.img" "$T/mnt"
check "a tree" fill_tree "$T/mnt/tree"
check "unmount" drive_unmount "$T/mnt"
before=$(unchanged_sum "$T/a.img")

check "mount --read-only" drive_mount "$T/a.img" "$T/mnt" --read-only
said 'read-only' "... is told"
check "everything can be read" bash -c 'find "$1" -type f -exec cat {} + >/dev/null; ls -lR "$1" >/dev/null' - "$T/mnt"
for c in "touch new" "rm tree/size-1" "mkdir d" "mv tree t" "ln tree/size-1 l" "chmod 700 tree" \
	"truncate -s 0 tree/size-1" "touch tree/size-1"; do
	check_status 1 "$c" bash -c 'cd "$1" && $2' - "$T/mnt" "$c"
	said 'read-only' "... is refused as read-only"
done
check "sync" sync -f "$T/mnt"
check "unmount" drive_unmount "$T/mnt"
is "$(unchanged_sum "$T/a.img")" "$before" "not one byte changed"

check "mount --read-only" drive_mount "$T/a.img" "$T/mnt" --read-only
pid=$(daemons | head -n 1)
kill -KILL "$pid"
wait_gone "$pid" 10
check "a killed read-only service" sealdrive unmount "$T/mnt"
is "$(unchanged_sum "$T/a.img")" "$before" "changes nothing either"

# A file that the user may only read.
user_ready
cp "$T/a.img" "$T/user/a.img"
is_root && chown 0:0 "$T/user/a.img"
chmod 444 "$T/user/a.img"
before=$(unchanged_sum "$T/user/a.img")
as_user mkdir "$T/user/mnt"
check_status 1 "a file that cannot be written" as_user sealdrive mount "$T/user/a.img" "$T/user/mnt" \
	--passphrase-file "$T/user/pass"
said '--read-only' "... the remedy is named"
check "--read-only" as_user sealdrive mount "$T/user/a.img" "$T/user/mnt" --read-only \
	--passphrase-file "$T/user/pass"
check_status 1 "nothing is created" as_user touch "$T/user/mnt/new"
check "unmount" as_user sealdrive unmount "$T/user/mnt"
is "$(unchanged_sum "$T/user/a.img")" "$before" "not one byte changed"
done_testing
