#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# All of it as an ordinary user, through fusermount3: format, mount, work, status, unmount.
. "$(dirname "$0")/lib.sh"
need_fuse
need_command cryptsetup e2fsck dumpe2fs debugfs
fill=$(declare -f fill_tree pattern)
U=$T/user

user_sh() { # SCRIPT ARGUMENTS...
	as_user PYTHON="$PYTHON" bash -c "$fill"$'\n'"$1" - "${@:2}"
}

must "format" as_user sealdrive format "$T/user/a.img" --size 128M --label Work \
	--passphrase-file "$T/user/pass" "${FAST_KDF[@]}"
is "$(stat -c '%U %a' "$T/user/a.img")" "$(id -nu "$USER_ID") 600" "the container is its owner's alone"
check "mount without a folder" as_user sealdrive mount "$U/a.img" --passphrase-file "$U/pass"
dir=$U/home/Sealdrive/Work
check "it is at ~/Sealdrive/LABEL" is_mounted "$dir"
check "status lists it" as_user sealdrive status
said "$dir" "... with its folder"
as_user sealdrive status --json >"$T/json"
check "... that names drive and folder" "$PYTHON" -c 'import json, sys
text = json.dumps(json.load(open(sys.argv[1])))
assert sys.argv[2] in text and sys.argv[3] in text, text' "$T/json" "$U/a.img" "$dir"
check "a tree is filled" user_sh 'fill_tree "$1" && fill_tree "$2"' "$dir/tree" "$U/ref"
is "$(as_user find "$dir/tree" -not -user "$USER_ID" | wc -l)" 0 "everything belongs to the user"
user_list() {
	as_user bash -c "$(declare -f tree_list)"'; tree_list "$1"' - "$1"
}
user_sums() {
	as_user bash -c "$(declare -f tree_sums)"'; tree_sums "$1"' - "$1"
}
check "names, modes, times, links" same_output user_list "$U/ref" "$dir/tree"
check "bytes" same_output user_sums "$U/ref" "$dir/tree"
if is_root; then
	check_status 1 "others do not get in" test -e "$dir"
fi
if ! is_root || grep -q '^user_allow_other' /etc/fuse.conf; then
	skip "--allow-other" "it is allowed here, or may be"
else
	as_user cp "$U/a.img" "$U/others.img"
	check_status 1 "--allow-other where the administrator does not allow it" \
		as_user sealdrive mount "$U/others.img" --allow-other --passphrase-file "$U/pass"
	said 'user_allow_other' "... what to do about it"
fi
check "unmount by the drive's name" as_user sealdrive unmount "$U/a.img"
check_status 1 "it is not mounted any more" is_mounted "$dir"
check_status 1 "its folder is removed" test -e "$dir"
check "perfect" judge "$U/a.img"

as_user mkdir "$U/place"
check "mount at a folder" as_user sealdrive mount "$U/a.img" "$U/place" --passphrase-file "$U/pass"
check "names, modes, times, links after remount" same_output user_list "$U/ref" "$U/place/tree"
check "bytes after remount" same_output user_sums "$U/ref" "$U/place/tree"
check_status 6 "a second mount is refused" as_user sealdrive mount "$U/a.img" --passphrase-file "$U/pass"
check "unmount by the folder's name" as_user sealdrive unmount "$U/place"
check "the folder was the user's: it stays" test -d "$U/place"

check "mount read-only" as_user sealdrive mount "$U/a.img" "$U/place" --read-only \
	--passphrase-file "$U/pass"
check_status 1 "nothing can be created" as_user touch "$U/place/new"
said 'read-only' "... and the reason is 'read-only'"
check_status 1 "nothing can be deleted" as_user rm -f "$U/place/tree/size-1"
check "bytes of the read-only mount" same_output user_sums "$U/ref" "$U/place/tree"
check "unmount" as_user sealdrive unmount "$U/place"

# A drive that was filled on a computer with other user ids.
truncate -s 48M "$T/plain"
check "a foreign file system" bash -c 'mke2fs -q -t ext4 -E root_owner=4321:4322 "$1" &&
	echo secret >"$2" && debugfs -w -R "write $2 theirs" "$1" &&
	debugfs -w -R "sif theirs uid 4321" "$1" && debugfs -w -R "sif theirs gid 4322" "$1" &&
	debugfs -w -R "sif theirs mode 0100600" "$1"' - "$T/plain" "$T/content"
as_user sealdrive format "$U/b.img" --size 64M --passphrase-file "$U/pass" "${FAST_KDF[@]}" >/dev/null
check "on a drive" "$PYTHON" "$JUDGE/luks-plain.py" encrypt "$U/b.img" "$PASS" "$T/plain"
must "mount" as_user sealdrive mount "$U/b.img" "$U/place" --passphrase-file "$U/pass"
is "$(as_user stat -c %u "$U/place/theirs")" "$USER_ID" "their file is shown as the user's"
is "$(as_user cat "$U/place/theirs")" secret "and can be read"
check "a new file" as_user cp "$U/pass" "$U/place/ours"
check "unmount" as_user sealdrive unmount "$U/place"
check "decrypted by others" plain_of "$U/b.img" "$T/plain"
check "still perfect" judge_plain "$T/plain"
is "$(debugfs -R 'stat ours' "$T/plain" 2>/dev/null | awk '/User:/ { print $2, $4 }')" "4321 4322" \
	"the new file is stored under the drive's owner"
check "mount --owner disk" as_user sealdrive mount "$U/b.img" "$U/place" --owner disk \
	--passphrase-file "$U/pass"
is "$(as_user stat -c '%u %g' "$U/place/theirs")" "4321 4322" "--owner disk shows what is stored"
check "unmount" as_user sealdrive unmount "$U/place"
done_testing
