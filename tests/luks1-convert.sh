#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# sealdrive header convert, judged by cryptsetup: what it makes of LUKS version 1 headers of
# cryptsetup, and that every moment of a conversion is a header that every passphrase opens.
. "$(dirname "$0")/lib.sh"
need_command cryptsetup

IMG=$T/a.img
cs() {
	cryptsetup --disable-locks -q "$@"
}
theirs() { # FILE SIZE SLOTS [OPTIONS of luksFormat...]: slot 0 opens with $PASS, slot N with $T/passN
	local file=$1 size=$2 slots=$3 slot
	shift 3
	rm -f "$file" && truncate -s "$size" "$file" &&
		cs luksFormat --type luks1 --pbkdf-force-iterations 1000 "$@" "$file" "$PASS" || return 1
	cp "$PASS" "$T/pass0"
	for slot in $slots; do
		[ "$slot" = 0 ] || { (umask 077 && printf 'slot %s' "$slot" >"$T/pass$slot") &&
			cs luksAddKey --key-slot "$slot" --pbkdf-force-iterations 1000 --key-file "$PASS" "$file" "$T/pass$slot"; } || return 1
	done
}
key_of() { # IMAGE
	cs luksDump --dump-volume-key --key-file "$PASS" "$1" 2>/dev/null | sed -n '/MK dump/,$p' | sed 's/MK dump://' | tr -d ' \t\n'
}
facts() { # IMAGE: what both versions say, as cryptsetup prints it
	cs luksDump "$1" | sed -nE 's/^UUID:\s*/uuid /p'
	key_of "$1"
}
opens_all() { # IMAGE SLOTS
	local slot
	for slot in $2; do
		cs open --test-passphrase --key-file "$T/pass$slot" "$1" || { echo "slot $slot does not open"; return 1; }
	done
}
opens_exactly() { # IMAGE SLOTS: each with its number
	local slot
	for slot in $2; do
		cs open --test-passphrase --key-slot "$slot" --key-file "$T/pass$slot" "$1" || { echo "slot $slot does not open"; return 1; }
	done
	[ "$(cs luksDump "$1" | grep -cE '^ +[0-9]+: luks2')" = "$(wc -w <<<"$2")" ] || { echo "other slots"; return 1; }
}
converts() { # WHAT SIZE SLOTS [OPTIONS of luksFormat...]
	local what=$1 size=$2 slots=$3 before data
	shift 3
	theirs "$IMG" "$size" "$slots" "$@" >"$T/out" 2>&1 || { not_ok "$what: cryptsetup cannot make it"; diag <"$T/out"; return; }
	before=$(facts "$IMG")
	data=$(($(cs luksDump "$IMG" | sed -n 's/^Payload offset:\s*//p') * 512))
	pattern 100000 1 | dd of="$IMG" bs=4096 oflag=seek_bytes seek=$data conv=notrunc status=none
	local sum
	sum=$(tail -c +$((data + 1)) "$IMG" | b2sum)
	check "$what: converted" sealdrive header convert "$IMG" --force
	check "$what: cryptsetup shows it as LUKS2" cs isLuks --type luks2 "$IMG"
	is "$(facts "$IMG")" "$before" "$what: the same UUID and key"
	check "$what: every key slot opens under its number" opens_exactly "$IMG" "$slots"
	is "$(tail -c +$((data + 1)) "$IMG" | b2sum)" "$sum" "$what: the data are what they were"
	# without free space there is room for seven
	[ "$(wc -w <<<"$slots")" -lt 7 ] || check "$what: cryptsetup removes a slot" cs luksKillSlot --key-file "$PASS" "$IMG" 5
	check "$what: cryptsetup can change it" cs luksAddKey --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --key-file "$PASS" "$IMG" <(printf new)
	check "$what: and it still opens here" luks2tool key "$PASS" "$IMG"
	check "$what: nothing to do a second time" sealdrive header convert "$IMG" --force
	said 'nothing to do' "$what: and that is said"
}

converts "512 bits" 4M "0 1 7"
converts "256 bits" 4M "0 3" -s 256
converts "cbc-essiv and sha1" 4M "0 6" -c aes-cbc-essiv:sha256 -s 256 --hash sha1
converts "into the seventh slot" 4M "0 1 2 3 4 5 7"
converts "all slots, free space" 8M "0 1 2 3 4 5 6 7" --align-payload 8192

# ---- every moment ----
moments() { # WHAT SLOTS [OPTIONS of luksFormat...]
	local what=$1 slots=$2 image bad=0 count=0 versions
	shift 2
	theirs "$IMG" 3M "$slots" "$@" >"$T/out" 2>&1 || { not_ok "$what: cryptsetup cannot make it"; return; }
	rm -rf "$T/cuts" && mkdir "$T/cuts"
	luks2tool convert-cuts "$IMG" "$T/cuts"
	versions=$(for image in "$T/cuts"/*.img; do od -An -tu1 -j7 -N1 "$image"; done | tr -d ' ' | uniq | tr -d '\n')
	for image in "$T/cuts"/*.img; do
		count=$((count + 1))
		opens_all "$image" "$slots" >"$T/out" 2>&1 || { bad=1; diag "${image##*/}"; diag <"$T/out"; }
		sealdrive header convert --force "$image" >"$T/out" 2>&1 || { bad=1; diag "${image##*/}: does not go on"; diag <"$T/out"; }
		opens_exactly "$image" "$slots" >"$T/out" 2>&1 || { bad=1; diag "${image##*/}: afterwards"; diag <"$T/out"; }
	done
	is "$bad $versions $((count > 15))" "0 12 1" "$what: at each of $count moments cryptsetup opens it, and we go on"
}
moments "free space" "0 2" -s 256
moments "no free space" "0 7"

# ---- refused ----
theirs "$IMG" 3M "0 1 2 3 4 5 6 7"
refused 1 "$IMG" 'all eight' "no room at all" sealdrive header convert --force "$IMG"
theirs "$IMG" 3M 0
refused 2 "$IMG" 'confirmed' "nobody to ask" sealdrive header convert "$IMG"
check_status 2 "another version" sealdrive header convert --to luks3 "$IMG"
truncate -s 1M "$T/empty"
refused 4 "$T/empty" 'not an encrypted' "not LUKS" sealdrive header convert --force "$T/empty"
(flock -x 9 && refused 6 "$IMG" 'in use' "in use" sealdrive header convert --force "$IMG") 9<"$IMG"
tap_count=$((tap_count + 1))
check "it is backed up" sealdrive header backup "$IMG" "$T/backup"
cs luksHeaderBackup "$IMG" --header-backup-file "$T/theirs"
check "as by cryptsetup" cmp "$T/backup" "$T/theirs"
is "$(stat -c %a "$T/backup")" 600 "for its owner alone"
check "then converted" sealdrive header convert --force "$IMG"
check "cryptsetup restores the backup" cs luksHeaderRestore "$IMG" --header-backup-file "$T/backup"
check "and the old header opens again" cs open --test-passphrase --key-file "$PASS" --type luks1 "$IMG"

# ---- a header file ----
truncate -s 20M "$T/bare.img" && truncate -s 3M "$T/h.img"
cs luksFormat --type luks1 --pbkdf-force-iterations 1000 --header "$T/h.img" "$T/bare.img" "$PASS"
sum=$(b2sum <"$T/bare.img") before=$(key_of "$T/h.img")
check "a detached header" sealdrive header convert --force "$T/bare.img" --header "$T/h.img"
is "$(b2sum <"$T/bare.img")" "$sum" "the drive is left alone"
is "$(key_of "$T/h.img")" "$before" "the header holds the same key"
done_testing
