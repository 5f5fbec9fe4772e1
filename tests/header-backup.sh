#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# sealdrive header backup: a file that is complete, for its owner alone, and that cryptsetup takes;
# and the backups that cryptsetup makes.
. "$(dirname "$0")/lib.sh"
need_command cryptsetup

img=$T/a.img
cs() {
	cryptsetup --disable-locks -q "$@"
}
opens() { # IMAGE: for cryptsetup
	cs open --test-passphrase --key-file "$PASS" "$1"
}
area() { # FILE: from the first keyslot on, as far as a header goes
	tail -c +$((32768 + 1)) "$1" | head -c $(((16 << 20) - 32768)) | b2sum
}

check "a drive" new_drive "$img" 20M --label Backed
before=$(unchanged_sum "$img")
check "a backup" sealdrive header backup "$img" "$T/a.hdr"
said 'a\.hdr' "... says where it is"
is "$(unchanged_sum "$img")" "$before" "... changes nothing"
is "$(stat -c '%a %s' "$T/a.hdr")" "600 $((16 << 20))" "... is for its owner alone and has the size of the header"
is "$(area "$T/a.hdr")" "$(area "$img")" "... holds the key slots"
check "cryptsetup reads it" cs luksDump "$T/a.hdr"
check "... and opens it" opens "$T/a.hdr"
check "we read it" sealdrive info "$T/a.hdr"
said 'Label: +Backed' "... label and all"
said 'Opens here: +no: .*such as a backup.*--header' "... and why it cannot be mounted alone"
refused 4 "$T/a.hdr" 'such as a backup.*--header' "which mount says, too" \
	sealdrive mount "$T/a.hdr" --passphrase-file "$PASS"
check "we check it" sealdrive header check "$T/a.hdr"
saved=$(unchanged_sum "$T/a.hdr")
refused 1 "$T/a.hdr" 'exists.*never overwritten|never overwritten' "a second one does not overwrite it" \
	sealdrive header backup "$img" "$T/a.hdr"
refused 4 "$img" 'header file .*pass' "a header file that is none is named" \
	sealdrive mount "$img" --header "$PASS" --passphrase-file "$PASS"
refused 4 "$img" 'header file .*pass' "... by the key commands, too" sealdrive key list "$img" --header "$PASS"
ln -s nowhere "$T/link"
check_status 1 "nor does it follow a link" sealdrive header backup "$img" "$T/link"
[ ! -e "$T/nowhere" ]
is $? 0 "... which leads nowhere still"

# ---- restored by cryptsetup ----
cp --sparse=always "$img" "$T/b.img"
dd if=/dev/urandom of="$T/b.img" bs=64k count=8 conv=notrunc status=none
check_status 1 "a header that is gone" opens "$T/b.img"
check "cryptsetup restores our backup" cs luksHeaderRestore "$T/b.img" --header-backup-file "$T/a.hdr"
check "... and the drive opens" opens "$T/b.img"
is "$(plain_of "$T/b.img" "$T/1" && b2sum <"$T/1")" "$(plain_of "$img" "$T/2" && b2sum <"$T/2")" "... with its data"

# ---- theirs ----
check "cryptsetup makes a backup" cs luksHeaderBackup "$img" --header-backup-file "$T/theirs.hdr"
is "$(stat -c %s "$T/theirs.hdr")" "$(stat -c %s "$T/a.hdr")" "... as large as ours"
is "$(area "$T/theirs.hdr")" "$(area "$T/a.hdr")" "... with the same key slots"
check "we check theirs" sealdrive header check "$T/theirs.hdr"
for size in 32k 4m; do
	truncate -s 40M "$T/c.img" && cs luksFormat --type luks2 --luks2-metadata-size $size --luks2-keyslots-size 1m \
		--pbkdf pbkdf2 --pbkdf-force-iterations 1000 "$T/c.img" "$PASS" >/dev/null || exit 99
	check "headers of $size: a backup" sealdrive header backup "$T/c.img" "$T/c-$size.hdr"
	check "... opens" opens "$T/c-$size.hdr"
	check "... as theirs" cs luksHeaderBackup "$T/c.img" --header-backup-file "$T/c-$size.theirs"
	is "$(stat -c %s "$T/c-$size.hdr")" "$(stat -c %s "$T/c-$size.theirs")" "... and as long"
	rm -f "$T/c.img"
done

for bits in 256 512; do
	truncate -s 8M "$T/1.img" && cs luksFormat --type luks1 --pbkdf-force-iterations 1000 -s $bits "$T/1.img" "$PASS" >/dev/null || exit 99
	check "LUKS1, $bits bits: a check" sealdrive header check "$T/1.img"
	check "... a backup" sealdrive header backup "$T/1.img" "$T/1-$bits.hdr"
	check "... of theirs" cs luksHeaderBackup "$T/1.img" --header-backup-file "$T/1-$bits.theirs"
	check "... the same bytes" cmp "$T/1-$bits.hdr" "$T/1-$bits.theirs"
done

# ---- of a damaged header the backup is whole ----
cp --sparse=always "$img" "$T/d.img"
dd if=/dev/zero of="$T/d.img" bs=4096 count=1 conv=notrunc status=none
check "a drive without its primary header" sealdrive header backup "$T/d.img" "$T/d.hdr"
check "... the backup has both" sealdrive header check "$T/d.hdr"
printf x | dd of="$T/d.img" bs=1 seek=20000 conv=notrunc status=none
refused 4 "$T/d.img" 'damaged' "no header, no backup" sealdrive header backup "$T/d.img" "$T/e.hdr"
[ ! -e "$T/e.hdr" ]
is $? 0 "... and no file"

# ---- detached, mounted ----
check "a drive with its header elsewhere" new_drive "$T/data.img" 20M --header "$T/h"
check "--header" sealdrive header backup "$T/data.img" "$T/h.hdr" --header "$T/h"
check "... opens" opens "$T/h.hdr"
if fuse_ready; then
	check "mount" drive_mount "$img" "$T/mnt"
	check "a backup of a mounted drive" sealdrive header backup "$img" "$T/m.hdr"
	check "... opens" opens "$T/m.hdr"
	check "a check of a mounted drive" sealdrive header check "$img"
	check "unmount" drive_unmount "$T/mnt"
else
	skip "a backup of a mounted drive" "no /dev/fuse or no fusermount3 here"
fi

# ---- no room: nothing is left behind ----
if is_root && mkdir "$T/small" && mount -t tmpfs -o size=4m none "$T/small" 2>/dev/null; then
	check_status 1 "no room for it" sealdrive header backup "$img" "$T/small/a.hdr"
	is "$(ls "$T/small")" "" "... leaves nothing behind"
	umount "$T/small"
else
	skip "no room for it" "needs root"
fi
check_status 2 "a file is missing" sealdrive header backup "$img"
done_testing
