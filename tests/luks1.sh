#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# LUKS version 1: headers of cryptsetup give the same volume key, damaged ones are judged as by
# cryptsetup, and every command that reads a header takes them.
. "$(dirname "$0")/lib.sh"
need_command cryptsetup

IMG=$T/a.img
cs() {
	cryptsetup --disable-locks -q "$@"
}
theirs() { # FILE SIZE [OPTIONS of luksFormat...]
	local file=$1 size=$2
	shift 2
	rm -f "$file" && truncate -s "$size" "$file" &&
		cs luksFormat --type luks1 --pbkdf-force-iterations 1000 "$@" "$file" "$PASS"
}
same_key() { # WHAT [OPTIONS of luksFormat...]
	local what=$1 key
	shift
	theirs "$IMG" 4M "$@" >"$T/out" 2>&1 || { not_ok "$what: cryptsetup cannot make it"; diag <"$T/out"; return; }
	key=$(cs luksDump --dump-volume-key --key-file "$PASS" "$IMG" 2>/dev/null |
		sed -n '/MK dump/,$p' | sed 's/MK dump://' | tr -d ' \t\n')
	is "$(luks2tool key "$PASS" "$IMG" 2>&1 | cut -d ' ' -f 1)" "${key:-none}" "$what: the same volume key"
}

# ---- what cryptsetup makes ----
for hash in sha1 sha256 sha512 ripemd160 sha3-256; do
	same_key "$hash" --hash $hash
done
for cipher in aes-xts-plain64:256 aes-xts-plain64:512 aes-xts-plain:512 aes-cbc-essiv:sha256:128 \
	aes-cbc-essiv:sha256:256 aes-cbc-plain64:192 aes-cbc-plain:256; do
	same_key "$cipher" -c "${cipher%:*}" -s "${cipher##*:}"
done
same_key "data that are not aligned" --align-payload 1 -s 256
theirs "$IMG" 4M && for slot in 3 7; do
	printf 'slot %s' $slot >"$T/pass$slot" && chmod 600 "$T/pass$slot"
	cs luksAddKey --key-slot $slot --pbkdf-force-iterations 1000 --key-file "$PASS" "$IMG" "$T/pass$slot"
done
is "$(luks2tool key "$T/pass7" "$IMG" | cut -d' ' -f2)" 7 "another slot's passphrase"
check "a slot is removed" cs luksKillSlot --key-file "$PASS" "$IMG" 3
check_status 3 "and opens nothing any more" luks2tool key "$T/pass3" "$IMG"
check_status 3 "a wrong passphrase" luks2tool key <(echo -n wrong) "$IMG"
for cipher in serpent-xts-plain64 aes-ecb cipher_null-ecb; do # that cryptsetup only makes with the kernel's help
	theirs "$IMG" 4M && "$PYTHON" -c 'import sys
name, mode = (s.encode().ljust(32, b"\0") for s in sys.argv[2].split("-", 1))
open(sys.argv[1], "r+b").write(b"LUKS\xba\xbe\0\1" + name + mode)' "$IMG" $cipher
	refused 8 "$IMG" "$cipher" "$cipher is refused" sealdrive mount "$IMG" --passphrase-file "$PASS"
done

# ---- hostile ones ----
mkdir "$T/headers"
theirs "$T/base.img" 3M -s 256 --align-payload 4096
"$PYTHON" -B "$top_srcdir/tests/headers/luks1.py" "$top_builddir/luks2tool" "$T/base.img" "$PASS" \
	"$T/headers" >"$T/headers.tap" || diag "luks1.py has failed"
while read -r line; do
	case $line in
	"ok "*) ok "${line#* - }" ;;
	"not ok "*) not_ok "${line#* - }" ;;
	"#"*) echo "$line" ;;
	esac
done <"$T/headers.tap"
is "$(head -n 1 "$T/headers.tap")" 1..3 "the table was gone through"

# ---- commands ----
truncate -s 40M "$T/d.img" && cs luksFormat --type luks1 --pbkdf-force-iterations 1000 "$T/d.img" "$PASS"
truncate -s 38M "$T/plain" && mke2fs -q -t ext4 "$T/plain" && "$PYTHON" "$JUDGE/luks-plain.py" encrypt "$T/d.img" "$PASS" "$T/plain"
check "info" sealdrive info "$T/d.img"
said 'Format: +LUKS1' "it says which version"
said 'Key slot 0' "and the key slot"
check "info --json" sealdrive info --json "$T/d.img"
said '"format": "luks1"' "it says which version"
is "$("$PYTHON" -c 'import json,sys; j=json.load(sys.stdin); print(j["usable"], j["header"]["secondary"], [k["id"] for k in j["keyslots"]], j["segments"][0]["cipher"])' <"$T/out")" \
	"True None [0] aes-xts-plain64" "the JSON"
check "check" sealdrive check "$T/d.img" --passphrase-file "$PASS"
if fuse_ready; then
	check "mount" drive_mount "$T/d.img" "$T/mnt"
	pattern 3000000 1 >"$T/mnt/file" && sum=$(b2sum <"$T/mnt/file")
	check "unmount" drive_unmount "$T/mnt"
	check "an independent program decrypts a perfect file system" judge "$T/d.img"
	truncate -s 60M "$T/d.img"
	check "resize of a container that has grown" sealdrive resize "$T/d.img" --passphrase-file "$PASS"
	check "and mount" drive_mount "$T/d.img" "$T/mnt"
	is "$(b2sum <"$T/mnt/file")" "$sum" "the file is whole"
	is "$(($(stat -f -c '%b * %S' "$T/mnt") > 45000000))" 1 "the file system has grown"
	check "unmount again" drive_unmount "$T/mnt"
	check "and it is perfect" judge "$T/d.img"
else
	skip "mount, unmount, resize" "no FUSE here"
fi

# ---- detached ----
truncate -s 40M "$T/bare.img" && truncate -s 3M "$T/h.img"
check "cryptsetup makes a detached header" cs luksFormat --type luks1 --pbkdf-force-iterations 1000 --header "$T/h.img" "$T/bare.img" "$PASS"
check "info of the header file" sealdrive info "$T/h.img"
check_status 4 "the drive opens with it; there is no file system" sealdrive mount "$T/bare.img" --header "$T/h.img" --passphrase-file "$PASS"
said 'holds no ext4' "and that is said"
done_testing
