#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# sealdrive header restore and repair: what is shown, what is refused, what opens afterwards, with our backups and
# cryptsetup's. (tests/unit-restore.c has the power failures.)
. "$(dirname "$0")/lib.sh"
need_command cryptsetup

img=$T/a.img
FAST=(--pbkdf pbkdf2 --pbkdf-force-iterations 1000)
cs() {
	cryptsetup --disable-locks -q "$@"
}
opens() { # IMAGE PASS-FILE
	cs open --test-passphrase --key-file "$2" "$1"
}
restore() {
	sealdrive header restore "$@"
}
fresh() {
	cp --sparse=always "$T/good.img" "$img"
}
on_terminal() { # ANSWER COMMAND...
	local answer=$1
	shift
	"$PYTHON" "$top_srcdir/tests/terminal.py" "wait:Type 'yes'" "type:$answer" -- "$@"
}
printf 'second passphrase' >"$T/second"
printf 'third passphrase' >"$T/third"

# ---- a passphrase that was removed comes back ----
must "a drive" new_drive "$T/good.img" 20M --label Mine
fresh
cs luksAddKey "${FAST[@]}" --key-file "$PASS" "$img" "$T/second" || exit 99
check "a backup of ours" sealdrive header backup "$img" "$T/two.hdr"
check "a backup of theirs" cs luksHeaderBackup "$img" --header-backup-file "$T/two.theirs"
check "nothing to do" restore "$img" "$T/two.hdr"
said 'Nothing to do' "... is said"
cs luksKillSlot "$img" 1 --key-file "$PASS" && cs luksAddKey "${FAST[@]}" --key-slot 3 --key-file "$PASS" "$img" "$T/third" &&
	cs config --label Other "$img" || exit 99
for backup in two.hdr two.theirs; do
	cp --sparse=always "$img" "$T/b.img"
	before=$(unchanged_sum "$T/b.img")
	check_status 1 "$backup, which is older: refused" restore "$T/b.img" "$T/$backup"
	said 'key slot 1 comes back to life' "... says what would come back"
	said 'key slot 3 is destroyed' "... what would be lost"
	said 'the label becomes' "... and what else"
	said 'changed after it was made.*|--force' "... and why not"
	is "$(unchanged_sum "$T/b.img")" "$before" "... nothing changed"
	check "--force restores it" restore "$T/b.img" "$T/$backup" --force
	check "... the first passphrase opens" opens "$T/b.img" "$PASS"
	check "... the second does again" opens "$T/b.img" "$T/second"
	check_status 2 "... the third does not" opens "$T/b.img" "$T/third"
	cs luksDump "$T/b.img" >"$T/out"
	said 'Label:[[:space:]]+Mine' "... the label is the old one"
	check "... the header is in order" sealdrive header check "$T/b.img"
	check "... nothing to do then" restore "$T/b.img" "$T/$backup"
	is "$(plain_of "$T/b.img" "$T/1" && b2sum <"$T/1")" "$(plain_of "$img" "$T/2" && b2sum <"$T/2")" "... the data are what they were"
	rm -f "$T/1" "$T/2"
done

# ---- asking ----
check "a newer backup" sealdrive header backup "$img" "$T/now.hdr"
cp --sparse=always "$T/good.img" "$T/b.img"
check_status 2 "nobody to ask" restore "$T/b.img" "$T/now.hdr"
said 'confirm' "... is said"
before=$(unchanged_sum "$T/b.img")
on_terminal no sealdrive header restore "$T/b.img" "$T/now.hdr" >"$T/out" 2>&1
said '^exit 1' "no"
is "$(unchanged_sum "$T/b.img")" "$before" "... changes nothing"
on_terminal yes sealdrive header restore "$T/b.img" "$T/now.hdr" >"$T/out" 2>&1
said '^exit 0' "yes"
check "... restores it" opens "$T/b.img" "$T/third"

# ---- a header that is gone, one of another drive, what is no backup ----
fresh
dd if=/dev/urandom of="$img" bs=1M count=1 conv=notrunc status=none
check_status 4 "a drive without a header" sealdrive info "$img"
check "gets it back" restore "$img" "$T/two.hdr" --force
check "... and opens" opens "$img" "$T/second"
must "another drive" new_drive "$T/other.img" 20M
before=$(unchanged_sum "$T/other.img")
check_status 1 "a backup of another drive" restore "$T/other.img" "$T/two.hdr"
said 'another drive: the UUIDs differ' "... is refused"
is "$(unchanged_sum "$T/other.img")" "$before" "... nothing changed"
check "... unless it is forced" restore "$T/other.img" "$T/two.hdr" --force
said 'nothing that is on the drive can be read' "... and then that is said"
fresh
head -c 1M /dev/zero | dd of="$img" conv=notrunc status=none
mke2fs -q -F -t ext4 "$T/fs" 12M >/dev/null && dd if="$T/fs" of="$img" conv=notrunc status=none
check_status 1 "a drive with something else on it" restore "$img" "$T/two.hdr"
said 'ext[24]' "... is refused, and named"
fresh
printf x | dd of="$T/two.hdr" bs=1 seek=5000 conv=notrunc status=none
check "a backup with one damaged copy is still one" restore "$img" "$T/two.hdr" --force
check "... and the drive has two whole ones" sealdrive header check "$img"
printf x | dd of="$T/two.hdr" bs=1 seek=21000 conv=notrunc status=none
before=$(unchanged_sum "$img")
check_status 4 "a backup with two damaged copies" restore "$img" "$T/two.hdr" --force
said 'two.hdr' "... is named"
check_status 4 "no backup at all" restore "$img" "$PASS" --force
check_status 1 "no file" restore "$img" "$T/none" --force
truncate -s 10M "$T/cut.hdr" && dd if="$T/now.hdr" of="$T/cut.hdr" bs=1M count=10 conv=notrunc status=none
check_status 4 "a backup that is cut off" restore "$img" "$T/cut.hdr" --force
truncate -s 40M "$T/large.img" && cs luksFormat --type luks2 --offset 65536 "${FAST[@]}" "$T/large.img" "$PASS" >/dev/null &&
	cs luksHeaderBackup "$T/large.img" --header-backup-file "$T/large.hdr" || exit 99
check_status 4 "a header that would lie over the data" restore "$img" "$T/large.hdr" --force
is "$(unchanged_sum "$img")" "$before" "... none of them changed anything"

# ---- LUKS1, detached headers, mounted drives ----
truncate -s 8M "$T/1.img" && cs luksFormat --type luks1 --pbkdf-force-iterations 1000 "$T/1.img" "$PASS" >/dev/null || exit 99
check "LUKS1: a backup" sealdrive header backup "$T/1.img" "$T/1.hdr"
dd if=/dev/zero of="$T/1.img" bs=64k count=4 conv=notrunc status=none
check "... restored" restore "$T/1.img" "$T/1.hdr" --force
check "... opens" opens "$T/1.img" "$PASS"
must "a drive with its header elsewhere" new_drive "$T/d.img" 20M --header "$T/h"
check "... a backup" sealdrive header backup "$T/d.img" "$T/h.hdr" --header "$T/h"
cs luksAddKey "${FAST[@]}" --key-file "$PASS" "$T/h" "$T/second" || exit 99
check "... restored" restore "$T/d.img" "$T/h.hdr" --header "$T/h" --force
check_status 2 "... without the key slot" opens "$T/h" "$T/second"
check "... opens" opens "$T/h" "$PASS"
before=$(unchanged_sum "$T/d.img")
check_status 2 "... is not written over the data, not even with --force" restore "$T/d.img" "$T/h.hdr" --force
said 'over the data: name that file with --header' "... which is explained"
is "$(unchanged_sum "$T/d.img")" "$before" "... nothing changed"
truncate -s 16M "$T/h.new"
check "... goes into a header file that is new" restore "$T/h.new" "$T/h.hdr" --force
check "... which opens" opens "$T/h.new" "$PASS"
truncate -s 2M "$T/h1" && truncate -s 20M "$T/d1.img" &&
	cs luksFormat --type luks1 --pbkdf-force-iterations 1000 --header "$T/h1" "$T/d1.img" "$PASS" >/dev/null || exit 99
check "LUKS1: a backup of a header in a file" sealdrive header backup "$T/d1.img" "$T/h1.hdr" --header "$T/h1"
check_status 2 "... is not written over the data either" restore "$T/d1.img" "$T/h1.hdr" --force
if fuse_ready; then
	fresh
	check "mount" drive_mount "$img" "$T/mnt"
	check_status 6 "a mounted drive" restore "$img" "$T/now.hdr" --force
	printf x | dd of="$img" bs=1 seek=5000 conv=notrunc status=none
	check "is repaired, though" sealdrive header repair "$img"
	check "... and good" sealdrive header check "$img"
	check "unmount" drive_unmount "$T/mnt"
else
	skip "a mounted drive" "no /dev/fuse or no fusermount3 here"
fi

# ---- repair ----
for at in 0 5000 16384 21000; do
	fresh
	printf xxxxxx | dd of="$img" bs=1 seek=$at conv=notrunc status=none
	check_status 9 "damage at $at" sealdrive header check "$img"
	check "... is repaired" sealdrive header repair "$img"
	said 'copy.*will be written anew' "... after it was shown"
	check "... the header is in order" sealdrive header check "$img"
	check "... and opens" opens "$img" "$PASS"
done
before=$(unchanged_sum "$img")
check "nothing to repair" sealdrive header repair "$img"
said 'Nothing to do' "... is said"
is "$(unchanged_sum "$img")" "$before" "... nothing changed"
fresh
printf x | dd of="$img" bs=1 seek=5000 conv=notrunc status=none
before=$(unchanged_sum "$img")
on_terminal no sealdrive header repair "$img" >"$T/out" 2>&1
said '^exit 1' "no is taken"
is "$(unchanged_sum "$img")" "$before" "... nothing changed"
printf x | dd of="$img" bs=1 seek=21000 conv=notrunc status=none
check_status 4 "both damaged" sealdrive header repair "$img"
fresh
dd if="$T/fs" of="$img" bs=1024 skip=1 seek=1 count=2 conv=notrunc status=none
before=$(unchanged_sum "$img")
check_status 4 "a file system over the first copy" sealdrive header repair "$img"
is "$(unchanged_sum "$img")" "$before" "... nothing changed"
check "... --force" sealdrive header repair "$img" --force
check "... opens" opens "$img" "$PASS"
done_testing
