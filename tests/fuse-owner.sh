#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The two ownership views, seen from inside and on the drive.
. "$(dirname "$0")/lib.sh"
need_root "it needs files of several owners"
need_fuse
need_command cryptsetup debugfs e2fsck dumpe2fs

must "format" new_drive "$T/a.img" 64M
must "mount --owner disk" drive_mount "$T/a.img" "$T/mnt" --owner disk
echo theirs >"$T/mnt/theirs" && chown 4321:4322 "$T/mnt/theirs"
mkdir "$T/mnt/group" "$T/mnt/everybody"
chown 1234:5678 "$T/mnt/group" && chmod 2777 "$T/mnt/group" && chmod 1777 "$T/mnt/everybody"
is "$(stat -c '%u %g' "$T/mnt/theirs")" "4321 4322" "disk: owners are shown as stored"
as_nobody() {
	setpriv --reuid="$USER_ID" --regid="$USER_GROUP" --clear-groups "$@"
}
check "disk: another user writes where the modes let him" as_nobody touch "$T/mnt/everybody/own"
is "$(stat -c '%u %g' "$T/mnt/everybody/own")" "$USER_ID $USER_GROUP" "disk: the file is its maker's"
check_status 1 "disk: and nowhere else" as_nobody touch "$T/mnt/x"
check_status 1 "disk: nor over others' files" as_nobody bash -c ': >"$1"' - "$T/mnt/theirs"
check "disk: in a setgid folder" as_nobody mkdir "$T/mnt/group/sub"
is "$(stat -c '%u %g %a' "$T/mnt/group/sub")" "$USER_ID 5678 2755" "disk: the group is inherited"
check_status 1 "disk: sticky folders protect" as_nobody rm -f "$T/mnt/everybody/none" "$T/mnt/theirs"
chown 777:888 "$T/mnt"
check "unmount" drive_unmount "$T/mnt"

check "mount --owner me" drive_mount "$T/a.img" "$T/mnt" --owner me
is "$(find "$T/mnt" -printf '%U:%G\n' | sort -u)" "0:0" "me: everything is shown as mine"
echo new >"$T/mnt/new"
mkdir "$T/mnt/group/newdir"
check "me: chown to myself" chown 0:0 "$T/mnt/theirs"
check "me: chown to others is accepted" chown 4321 "$T/mnt/new"
check "me: chgrp to others too" chgrp 4322 "$T/mnt/new"
is "$(stat -c '%u %g' "$T/mnt/new")" "0 0" "me: without effect"
check "me: chmod" chmod 640 "$T/mnt/theirs"
check "me: cp -a" cp -a "$T/mnt/theirs" "$T/mnt/copy"
check "unmount" drive_unmount "$T/mnt"

check "decrypted by others" plain_of "$T/a.img" "$T/plain"
check "perfect" judge_plain "$T/plain"
stored() { # PATH: owner, group, mode
	debugfs -R "stat $1" "$T/plain" 2>/dev/null | awk '/Mode:/ { mode = $6 } /User:/ { print $2, $4, mode; exit }'
}
is "$(stored theirs)" "4321 4322 0640" "stored: the owner stays, the mode changed"
is "$(stored new)" "777 888 0644" "stored: a new file under the drive's owner"
is "$(stored group/newdir)" "777 5678 02755" "stored: a new folder too, with group and setgid of its parent"
is "$(stored copy)" "777 888 0640" "stored: a copy too"
done_testing
