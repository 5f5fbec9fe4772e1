#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# sealdrive erase: nothing opens any more, by cryptsetup's judgement and with the old header put back;
# the certificate; what is refused.
. "$(dirname "$0")/lib.sh"
need_command cryptsetup

cs() {
	cryptsetup --disable-locks -q "$@"
}
terminal() {
	"$PYTHON" "$top_srcdir/tests/terminal.py" "$@" >"$T/out" 2>&1
}
# Blocks in the first BYTES that are what they were, and not zero.
blocks_left() { # BEFORE AFTER BYTES
	"$PYTHON" - "$@" <<'PY'
import sys
a, b = (open(p, "rb").read(int(sys.argv[3])) for p in sys.argv[1:3])
print(sum(a[i:i + 512] == b[i:i + 512] and any(a[i:i + 512]) for i in range(0, len(a), 512)))
PY
}
is_erased() { # WHAT FILE BEFORE HEADERS-BYTES DATA-OFFSET
	local what=$1 file=$2 before=$3 headers=$4 offset=$5
	check_status 1 "$what: cryptsetup finds nothing" cs isLuks "$file"
	check_status 4 "$what: neither do we" sealdrive info "$file"
	is "$(blkid -p -o value -s TYPE "$file")" "" "$what: nor does blkid"
	is "$(blocks_left "$before" "$file" "$offset")" 0 "$what: no block of header or key slots is left"
	is "$(tail -c +$((offset + 1)) "$file" | b2sum)" "$(tail -c +$((offset + 1)) "$before" | b2sum)" "$what: the encrypted data are not touched"
	cp "$file" "$T/again" && dd if="$before" of="$T/again" bs="$headers" count=1 conv=notrunc status=none
	check "$what: with its old header back" cs isLuks "$T/again"
	check_status 2 "$what: the passphrase opens nothing" cs open --test-passphrase --key-file "$PASS" "$T/again"
}

# ---- the usual drive ----
new_drive "$T/a.img" 40M --label "LƯU TRỮ"
cp "$T/a.img" "$T/before"
check "a drive is erased" sealdrive erase "$T/a.img" --confirm "LƯU TRỮ" --certificate "$T/cert.json"
said 'is erased' "that is said"
said 'flash' "and what it means on flash"
is "$(($(blocks_left "$T/before" "$T/before" 16777216) > 30000))" 1 "of the many blocks that were there"
is_erased "a drive" "$T/a.img" "$T/before" 32768 16777216
is "$(stat -c %s "$T/a.img")" 41943040 "the container has its size"
is "$(($(stat -c '%b * 512' "$T/a.img") + 16000000 < $(stat -c '%b * 512' "$T/before") + 1000000))" 1 "the host has its space back"
is "$("$PYTHON" -c 'import json, sys
c = json.load(open(sys.argv[1]))
m, v, s = c["media"], c["volume"], c["sanitization"]
print(c["standard"], m["type"], m["size_bytes"], v["label"], v["format"], v["cipher"], v["key_bits"],
      s["description"], s["method"], s["tool"], s["keyslots_destroyed"], s["overwritten_bytes"],
      s["verification"]["method"], s["verification"]["overwritten_read_back"], s["started"] <= s["ended"], "flash" in s["limits"])' "$T/cert.json")" \
	"NIST SP 800-88 file 41943040 LƯU TRỮ luks2 aes-xts-plain64 512 Clear cryptographic erase sealdrive 1 16777216 full True True True" "the certificate in JSON"
is "$(stat -c '%a' "$T/cert.json" "$T/cert.html" | tr '\n' ' ')" "600 600 " "its files are their owner's"
for word in 'LƯU TRỮ' Manufacturer 'Serial number' 'Property number' 'Signature' 'Clear' 'Verified by'; do
	check "the page says $word" grep -qF "$word" "$T/cert.html"
done
check "the page is well-formed" "$PYTHON" -c 'import sys, html.parser
class P(html.parser.HTMLParser):
    stack = []
    def handle_starttag(self, tag, attrs):
        tag == "meta" or self.stack.append(tag)
    def handle_endtag(self, tag):
        assert self.stack.pop() == tag, tag
p = P(); p.feed(open(sys.argv[1]).read()); assert not p.stack' "$T/cert.html"
check "cryptsetup restores a backup: backups are not erased" cs luksHeaderBackup "$T/before" --header-backup-file "$T/backup"
check "as the program says" cs luksHeaderRestore "$T/a.img" --header-backup-file "$T/backup"
check "and then it opens" cs open --test-passphrase --key-file "$PASS" "$T/a.img"

# ---- headers of cryptsetup ----
theirs() { # WHAT HEADERS-BYTES [OPTIONS of luksFormat...]
	local what=$1 headers=$2 offset
	shift 2
	rm -f "$T/a.img" && truncate -s 40M "$T/a.img"
	cs luksFormat --pbkdf-force-iterations 1000 "$@" "$T/a.img" "$PASS" || { not_ok "$what: cryptsetup cannot make it"; return; }
	cs luksAddKey --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --key-file "$PASS" "$T/a.img" <(printf second)
	pattern 1000000 1 | dd of="$T/a.img" bs=4096 oflag=seek_bytes seek=20000000 conv=notrunc status=none
	cp "$T/a.img" "$T/before"
	offset=$("$PYTHON" -c 'import json, sys; print(json.load(sys.stdin)["segments"][0]["offset_bytes"])' < <(sealdrive info --json "$T/a.img"))
	check "$what: erased" sealdrive erase "$T/a.img" --confirm "$(cs luksUUID "$T/a.img")"
	is_erased "$what" "$T/a.img" "$T/before" "$headers" "$offset"
}
theirs "LUKS2 of cryptsetup" 32768 --type luks2 --pbkdf pbkdf2
theirs "with the largest header" 8388608 --type luks2 --pbkdf pbkdf2 --luks2-metadata-size 4m --luks2-keyslots-size 8m
theirs "LUKS version 1" 1024 --type luks1

truncate -s 20M "$T/bare.img"
check "a drive with a detached header" sealdrive format "$T/bare.img" --header "$T/h.img" --passphrase-file "$PASS" "${FAST_KDF[@]}" --label D
cp "$T/h.img" "$T/before" && sum=$(b2sum <"$T/bare.img")
check "is erased" sealdrive erase "$T/bare.img" --header "$T/h.img" --confirm D
new_drive "$T/own.img" 40M --label OWN
check "a backup of a header" sealdrive header backup "$T/own.img" "$T/own.backup"
own_sum=$(sha256sum "$T/own.img" "$T/own.backup")
check_status 2 "is not erased in the place of the drive's own" sealdrive erase "$T/own.img" --header "$T/own.backup" --confirm OWN \
	--certificate "$T/false.json"
said 'header of its own' "because that would go on opening it"
is "$(sha256sum "$T/own.img" "$T/own.backup")" "$own_sum" "and nothing was touched"
check "nor certified" test ! -e "$T/false.json"
is "$(b2sum <"$T/bare.img")" "$sum" "only in its header file"
check_status 1 "where nothing is found" cs isLuks "$T/h.img"
is "$(blocks_left "$T/before" "$T/h.img" 999999999)" 0 "and nothing is left"

# ---- refused, and asked ----
new_drive "$T/b.img" 40M --label ARCHIVE
refused 2 "$T/b.img" 'no terminal' "without a terminal, nobody confirms" sealdrive erase "$T/b.img"
refused 1 "$T/b.img" "label is 'ARCHIVE'" "another label" sealdrive erase "$T/b.img" --confirm archive
refused 1 "$T/b.img" 'exist' "a certificate that exists" sealdrive erase "$T/b.img" --confirm ARCHIVE --certificate "$T/cert.json"
touch "$T/c2.html"
refused 1 "$T/b.img" 'exist' "or its page" sealdrive erase "$T/b.img" --confirm ARCHIVE --certificate "$T/c2.json"
is "$(ls "$T/c2.json" 2>&1 | grep -c 'No such')" 1 "of which nothing is left then"
refused 1 "$T/b.img" 'cannot be written' "a certificate that cannot be written" sealdrive erase "$T/b.img" --confirm ARCHIVE --certificate "$T/absent/c.json"
(flock -x 9 && refused 6 "$T/b.img" 'in use' "in use" sealdrive erase "$T/b.img" --confirm ARCHIVE) 9<"$T/b.img"
tap_count=$((tap_count + 1))
if fuse_ready; then
	drive_mount "$T/b.img" "$T/mnt" >/dev/null
	check_status 6 "mounted" sealdrive erase "$T/b.img" --confirm ARCHIVE
	drive_unmount "$T/mnt" >/dev/null
fi
truncate -s 1M "$T/empty"
refused 4 "$T/empty" 'not an encrypted' "nothing to erase" sealdrive erase "$T/empty" --force
before=$(unchanged_sum "$T/b.img")
terminal "wait:ARCHIVE" "wait:Type 'ARCHIVE'" "type:archive" -- sealdrive erase "$T/b.img" --certificate "$T/c3.json"
said 'exit 1' "a label mistyped on the terminal"
is "$(unchanged_sum "$T/b.img") $(ls "$T"/c3.* 2>/dev/null)" "$before " "erases nothing, certifies nothing"
terminal "wait:ARCHIVE" "wait:Type 'ARCHIVE'" "type:ARCHIVE" -- sealdrive erase "$T/b.img" --certificate "$T/c3.json"
said 'exit 0' "the label typed on the terminal"
check_status 1 "erases it" cs isLuks "$T/b.img"
check "and certifies it" test -s "$T/c3.json" -a -s "$T/c3.html"
rm -f "$T/b.img" && new_drive "$T/b.img" 40M --label ARCHIVE
terminal "wait:Type 'ARCHIVE'" "signal:SIGINT" -- sealdrive erase "$T/b.img" --certificate "$T/c5.json"
said 'killed by' "interrupted at the question"
is "$(ls "$T"/c5.* 2>/dev/null)" "" "it leaves no empty certificate"
check "--force asks nothing" sealdrive erase "$T/b.img" --force
check_status 1 "and erases" cs isLuks "$T/b.img"

# ---- one key slot ----
one_slot() { # WHAT FILE AREA-OFFSET AREA-BYTES
	local what=$1 file=$2
	cp "$file" "$T/before"
	check_status 1 "$what: without the passphrase of another one" sealdrive erase "$file" --slot 1 --confirm "$(cs luksUUID "$file")" --passphrase-file "$T/second"
	said 'key slot 1 itself' "$what: which is said"
	check_status 3 "$what: with none" sealdrive erase "$file" --slot 1 --confirm "$(cs luksUUID "$file")" --passphrase-file "$T/wrong"
	check_status 1 "$what: one that is not there" sealdrive erase "$file" --slot 5 --confirm "$(cs luksUUID "$file")" --passphrase-file "$PASS"
	check "$what: nothing has changed" cmp "$file" "$T/before"
	rm -f "$T/slot.json" "$T/slot.html"
	check "$what: destroyed" sealdrive erase "$file" --slot 1 --confirm "$(cs luksUUID "$file")" --passphrase-file "$PASS" --certificate "$T/slot.json"
	check "$what: the other one opens" cs open --test-passphrase --key-file "$PASS" "$file"
	check_status 2 "$what: this one does not" cs open --test-passphrase --key-file "$T/second" "$file"
	is "$(blocks_left <(tail -c +$(($3 + 1)) "$T/before") <(tail -c +$(($3 + 1)) "$file") "$4")" 0 "$what: nothing of it is left"
	is "$(grep -cE '"scope": "keyslot"|"keyslot": 1|"description": null' "$T/slot.json")" 3 "$what: the certificate says which"
	check_status 1 "$what: the last one stays" sealdrive erase "$file" --slot 0 --confirm "$(cs luksUUID "$file")" --passphrase-file "$PASS"
	check_status 2 "$what: with --force alone, too" sealdrive erase "$file" --slot 0 --force --passphrase-file "$PASS"
	check "$what: it opens the drive" cs open --test-passphrase --key-file "$PASS" "$file"
	cp "$file" "$T/last.img"
	check "$what: confirmed, it is destroyed" sealdrive erase "$T/last.img" --slot 0 --force --confirm "$(cs luksUUID "$file")" --passphrase-file "$PASS"
	check_status 1 "$what: then nothing opens the drive" cs open --test-passphrase --key-file "$PASS" "$T/last.img"
}
(umask 077 && printf second >"$T/second" && printf wrong >"$T/wrong")
new_drive "$T/s.img" 40M && sealdrive key add "$T/s.img" --passphrase-file "$PASS" --new-passphrase-file "$T/second" \
	--allow-weak "${FAST_KDF[@]}"
one_slot "LUKS2" "$T/s.img" $((32768 + 258048)) 256000
truncate -s 4M "$T/s1.img" && cs luksFormat --type luks1 --pbkdf-force-iterations 1000 "$T/s1.img" "$PASS" &&
	cs luksAddKey --pbkdf-force-iterations 1000 --key-file "$PASS" "$T/s1.img" "$T/second"
one_slot "LUKS version 1" "$T/s1.img" $((4096 + 258048)) 256000

# ---- a block device ----
if have_loop; then
	new_drive "$T/b.img" 40M --label LOOP && loop=$(losetup -f --show "$T/b.img")
	check "a block device" sealdrive erase "$loop" --confirm LOOP --certificate "$T/c4.json"
	losetup -d "$loop"
	is "$(grep -c '"type": "drive"\|"discarded": true' "$T/c4.json")" 2 "which takes discards"
	check_status 1 "is erased" cs isLuks "$T/b.img"
else
	skip "a block device" "$NO_LOOP"
fi
done_testing
