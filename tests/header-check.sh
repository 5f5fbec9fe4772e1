#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# sealdrive header check: what is wrong with a header is found and named, and nothing is changed.
. "$(dirname "$0")/lib.sh"
need_command cryptsetup

img=$T/a.img
hdr=16384
slot=$((2 * hdr))
cs() {
	cryptsetup --disable-locks -q "$@"
}
codes() { # the findings of --json, sorted, on one line
	sealdrive header check "$img" --json 2>"$T/err" |
		"$PYTHON" -c 'import json, sys
print(*sorted(f["code"] + (":%s" % f.get("copy", f.get("keyslot", ""))).rstrip(":") for f in json.load(sys.stdin)["findings"]))'
}
fresh() {
	cp --sparse=always "$T/good.img" "$img"
}
put() { # OFFSET: standard input goes there
	dd of="$img" bs=1 seek="$1" conv=notrunc status=none
}
finds() { # CODES PATTERN DESCRIPTION: status 9, the codes, a sentence that says it; nothing changed
	local before
	before=$(unchanged_sum "$img")
	is "$(codes)" "$1" "$3: found"
	check_status 9 "$3: exit status 9" sealdrive header check "$img"
	said "$2" "... in words"
	is "$(unchanged_sum "$img")" "$before" "... nothing changed"
}

check "a good drive" new_drive "$T/good.img" 20M
fresh
check "of ours: in order" sealdrive header check "$img"
said 'sequence number 1;.*key slots: 1,' "... and it says so"
is "$(codes)" "" "... no findings in JSON"
cs luksFormat --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 "$img" "$PASS" || exit 99
for n in 1 2 3; do
	cs luksAddKey --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --key-file "$PASS" "$img" <(printf 'pass %s' $n) || exit 99
done
check "of cryptsetup, 4 key slots: in order" sealdrive header check "$img"
said 'key slots: 4,' "... all four"

# ---- the copies ----
fresh
head -c 4096 /dev/zero | put 0
finds copy-missing:primary 'first copy.*missing' "no primary"
fresh
printf x | put 5000
finds copy-damaged:primary 'first copy.*damaged: .*checksum' "primary damaged"
fresh
printf x | put $((hdr + 5000))
finds copy-damaged:secondary 'second copy.*damaged: .*checksum' "secondary damaged"
fresh
head -c $hdr "$img" >"$T/old"
cs config --label newer "$img" || exit 99
put 0 <"$T/old"
finds copy-old:primary 'first copy.*older' "primary out of date"
# the same age, another content: both copies good for themselves
fresh
cs config --label other "$img" && cp "$img" "$T/other.img" && fresh && cs config --label this "$img" || exit 99
dd if="$T/other.img" bs=$hdr skip=1 count=1 status=none | put $hdr
finds copies-differ 'same age' "copies that differ"

# ---- the key slots ----
fresh
head -c 4096 /dev/zero | put $((slot + 8192))
finds keyslot-damaged:0 "Key slot 0 was overwritten.*8 sectors, the first at byte $((slot + 8192))" "zeroes in a key slot"
fresh
yes 'the quick brown fox jumps over the lazy dog' | head -c 512 | put $((slot + 512))
finds keyslot-damaged:0 "1 sectors, the first at byte $((slot + 512))" "text in a key slot"
fresh
head -c 256000 /dev/urandom | put $slot
check "random bytes over a key slot cannot be told" sealdrive header check "$img"

# ---- what lies about ----
fresh
mke2fs -q -t ext4 -O ^has_journal "$T/fs" 16M >/dev/null && dd if="$T/fs" bs=1024 skip=1 count=2 status=none | put 1024
finds "copy-damaged:primary foreign" 'Something else than LUKS.*ext' "a file system over the primary"
fresh
truncate -s $(((16 << 20) + 512)) "$img"
finds unusable 'cannot be opened.*not a multiple' "cut in the middle of a sector"
fresh
truncate -s 16M "$img"
check "cut to its header it is a backup like any other" sealdrive header check "$img"
fresh
cs config --priority ignore --key-slot 0 "$img" || exit 99
check "a slot to ignore is no fault" sealdrive header check "$img"

# ---- no header at all ----
fresh
printf x | put 5000
printf x | put $((hdr + 5000))
check_status 4 "both copies damaged" sealdrive header check "$img"
said 'first copy.*damaged' "... the first"
said 'second copy.*damaged' "... the second"
is "$(codes)" "copy-damaged:primary copy-damaged:secondary" "... in JSON"
truncate -s 20M "$T/empty.img"
check_status 4 "an empty file" sealdrive header check "$T/empty.img"

# ---- detached headers, header files, wrong usage ----
truncate -s 20M "$T/data.img"
check "a drive with its header elsewhere" new_drive "$T/data.img" 20M --header "$T/h" --force
check "--header: in order" sealdrive header check "$T/data.img" --header "$T/h"
check "info --header" sealdrive info "$T/data.img" --header "$T/h"
said 'Opens here: +yes' "... opens"
check "the header file alone" sealdrive header check "$T/h"
printf x | dd of="$T/h" bs=1 seek=5000 conv=notrunc status=none
check_status 9 "--header: damage is found" sealdrive header check "$T/data.img" --header "$T/h"
check_status 4 "the drive without it has no header" sealdrive header check "$T/data.img"
check_status 1 "no such header file" sealdrive header check "$T/data.img" --header "$T/none"
said 'none' "... and it is named"
check_status 2 "no target" sealdrive header check
check_status 2 "no command" sealdrive header
check_status 2 "an unknown command" sealdrive header examine "$img"
check "help" sealdrive header --help
said '^  check ' "... lists the commands"
done_testing
