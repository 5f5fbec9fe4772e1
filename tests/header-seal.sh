#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The seal of a header: what cryptsetup changes is noticed and named, the seal survives cryptsetup,
# and accepting a change makes it right again. (tests/unit-header.c has every kind of change.)
. "$(dirname "$0")/lib.sh"
need_fuse
need_command cryptsetup

img=$T/a.img
FAST=(--pbkdf pbkdf2 --pbkdf-force-iterations 1000)
cs() {
	cryptsetup --disable-locks -q "$@"
}
seal() { # IMAGE: the token as it stands in the JSON
	cs luksDump --dump-json-metadata "$1" | "$PYTHON" -c 'import json, sys
print(*(json.dumps(t) for t in json.load(sys.stdin)["tokens"].values() if t["type"] == "sealdrive-integrity"))'
}
fresh() {
	cp --sparse=always "$T/good.img" "$img"
}
mounts() { # [OPTION...]: mounts and unmounts $img
	drive_mount "$img" "$T/mnt" "$@" && drive_unmount "$T/mnt"
}
noticed() { # PATTERN DESCRIPTION: refused, named; accepted once, and then as good as before
	local was
	was=$(seal "$img")
	refused 4 "$img" "$1" "$2: refused" sealdrive mount "$img" "$T/mnt" --passphrase-file "$PASS"
	check_status 4 "... by check, too" sealdrive check "$img" --passphrase-file "$PASS"
	check "... accepted read-only" mounts --read-only --accept-header-change
	is "$(seal "$img")" "$was" "... which seals nothing"
	check "... accepted" mounts --accept-header-change
	check "... and sealed" mounts
	check "... for cryptsetup as good as ever" cs open --test-passphrase --key-file "$PASS" "$img"
}

mkdir "$T/mnt"
must "a drive" new_drive "$T/good.img" 20M
fresh
is "$(seal "$img" | wc -l)" 1 "format seals"
check "cryptsetup opens a sealed drive" cs open --test-passphrase --key-file "$PASS" "$img"
check "it mounts" mounts
before=$(unchanged_sum "$img")
check "accepting what was not changed" mounts --accept-header-change --read-only
is "$(unchanged_sum "$img")" "$before" "... changes nothing"

# ---- with cryptsetup, each on purpose ----
printf 'another passphrase' >"$T/other"
was=$(seal "$img")
cs luksAddKey "${FAST[@]}" --key-file "$PASS" "$img" "$T/other" || exit 99
is "$(seal "$img")" "$was" "cryptsetup keeps the seal as it is"
noticed 'key slot 1 was added' "a key slot was added"
[ "$(seal "$img")" != "$was" ]
is $? 0 "... and the seal is another one now"
cs luksKillSlot "$img" 1 --key-file "$PASS" || exit 99
noticed 'key slot 1 was removed, digest 0 was changed' "a key slot was removed"
cs luksChangeKey "${FAST[@]}" --key-file "$PASS" "$img" "$PASS" || exit 99
noticed 'key slot 0 was changed|key slot 1 was added, key slot 0 was removed' "a passphrase was changed"
cs config --label "not so" "$img" || exit 99
noticed 'the label was changed' "the label"
cs luksUUID --uuid 01234567-89ab-cdef-0123-456789abcdef "$img" || exit 99
noticed 'the UUID was changed' "the UUID"
cs config --priority prefer --key-slot "$(cs luksDump "$img" | sed -n 's/^  \([0-9]\): luks2$/\1/p')" "$img" || exit 99
noticed 'key slot [01] was changed' "a priority"
printf '{"type":"of-theirs","keyslots":[],"x":1}' >"$T/token"
cs token import --json-file "$T/token" "$img" || exit 99
noticed 'token 1 was added' "a token"
cs token remove --token-id 1 "$img" || exit 99
noticed 'token 1 was removed' "a token less"
cs token remove --token-id 0 "$img" || exit 99
is "$(seal "$img")" "" "cryptsetup removes the seal"
noticed 'the seal was removed' "the seal itself"

# ---- repaired and rewritten without a change of meaning ----
fresh
dd if=/dev/zero of="$img" bs=4096 count=1 conv=notrunc status=none
check "cryptsetup repairs a copy" cs luksDump "$img"
check "... which breaks no seal" mounts
cs luksHeaderBackup "$img" --header-backup-file "$T/b" && cs luksHeaderRestore "$img" --header-backup-file "$T/b" || exit 99
check "nor does restoring its own backup" mounts

# ---- a header in another file ----
must "a drive with its header elsewhere" new_drive "$T/d.img" 20M --header "$T/h"
cs config --label changed "$T/h" || exit 99
check_status 4 "--header: noticed" drive_mount "$T/d.img" "$T/mnt" --header "$T/h"
said 'label' "... and named"
check "... accepted" drive_mount "$T/d.img" "$T/mnt" --header "$T/h" --accept-header-change
check "unmount" drive_unmount "$T/mnt"
check "... and sealed" drive_mount "$T/d.img" "$T/mnt" --header "$T/h"
check "unmount" drive_unmount "$T/mnt"
done_testing
