#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# sealdrive key recovery: cryptsetup opens with what it makes, we open with what systemd-cryptenroll
# makes, however it is typed; sheets, files, the terminal.
. "$(dirname "$0")/lib.sh"
need_command cryptsetup

cs() {
	cryptsetup --disable-locks -q "$@"
}
terminal() {
	"$PYTHON" "$top_srcdir/tests/terminal.py" "$@" >"$T/out" 2>&1
}
opens_theirs() { # IMAGE KEY [OPTIONS]
	printf '%s' "$2" | cs open --test-passphrase --key-file - "${@:3}" "$1"
}
opens_ours() { # IMAGE KEY
	printf '%s\n' "$2" | sealdrive key test "$1" --accept-header-change --passphrase-file -
}
KEY='([cbdefghijklnrtuv]{8}-){7}[cbdefghijklnrtuv]{8}'

# ---- into a file ----
IMG=$T/a.img
new_drive "$IMG" 40M --label "LƯU <TRỮ> & 7"
check "a recovery key is made" sealdrive key recovery "$IMG" --passphrase-file "$PASS" --output "$T/key" --sheet "$T/sheet.txt"
said 'key slot 1' "in the next key slot"
is "$(grep -cxE "$KEY" "$T/key") $(wc -l <"$T/key") $(stat -c %a "$T/key" "$T/sheet.txt" | tr '\n' ' ')" "1 1 600 600 " "it is one line of modhex, for its owner alone"
key=$(cat "$T/key")
check "it is not said elsewhere" test "$(grep -cE "$KEY" "$T/out")" = 0
check "cryptsetup opens with it" opens_theirs "$IMG" "$key" --key-slot 1
check "and with the passphrase" cs open --test-passphrase --key-file "$PASS" --key-slot 0 "$IMG"
is "$(cs token export --token-id 1 "$IMG" | tr -d ' \n')" '{"type":"systemd-recovery","keyslots":["1"]}' "the token is systemd's"
is "$(cs luksDump "$IMG" | sed -n '/^  1: luks2/,/AF stripes/p' | grep -oE 'pbkdf2|sha512|Iterations: 1000' | tr '\n' ' ')" "pbkdf2 sha512 Iterations: 1000 " "its derivation too"
check "typed as it is" opens_ours "$IMG" "$key"
check "in capitals" opens_ours "$IMG" "${key^^}"
check "without dashes" opens_ours "$IMG" "${key//-/}"
check "in capitals and with spaces" opens_ours "$IMG" "$(tr 'a-z-' 'A-Z ' <<<"$key")"
printf '%s\n' "${key^^}" >"$T/upper" && chmod 600 "$T/upper"
sealdrive audit "$IMG" --passphrase-file "$T/upper" >"$T/out" 2>&1
is "$? $(grep -c 'not unlocked' "$T/out")" "9 0" "for an audit, too"
last=${key: -1}
check_status 3 "another last letter" opens_ours "$IMG" "${key%?}$([ "$last" = c ] && echo b || echo c)"
check_status 3 "one letter less" opens_ours "$IMG" "${key%?}"
if fuse_ready; then
	mkdir "$T/mnt"
	check "the drive mounts with it" sealdrive mount "$IMG" "$T/mnt" --passphrase-file "$T/upper"
	check "another one is made while it is mounted" sealdrive key recovery "$IMG" --passphrase-file "$PASS" --output "$T/key2"
	said 'older recovery key' "and the older one is not forgotten"
	check "it opens" opens_theirs "$IMG" "$(cat "$T/key2")"
	drive_unmount "$T/mnt" >"$T/out"
fi
check "they are replaced" sealdrive key recovery "$IMG" --passphrase-file "$PASS" --output "$T/key3" --replace
check_status 2 "the old one opens nothing any more" opens_theirs "$IMG" "$key"
check_status 3 "not here either" opens_ours "$IMG" "$key"
check "the new one does" opens_theirs "$IMG" "$(cat "$T/key3")"
check "and the passphrase" cs open --test-passphrase --key-file "$PASS" "$IMG"
is "$(cs luksDump "$IMG" | grep -c systemd-recovery) $(cs luksDump "$IMG" | grep -cE '^ +[0-9]+: luks2')" "1 2" "there are one such token and two key slots"
check "it authorises its own replacement" sealdrive key recovery "$IMG" --passphrase-file "$T/key3" --output "$T/key4" --replace
check "without locking itself out" opens_theirs "$IMG" "$(cat "$T/key4")"
check_status 2 "... and opens nothing itself any more" opens_theirs "$IMG" "$(cat "$T/key3")"
check "one that authorises another without that" sealdrive key recovery "$IMG" --passphrase-file "$T/key4" --output "$T/key4b"
said 'older recovery key opens it, too' "... is named as well"
check "both are replaced" sealdrive key recovery "$IMG" --passphrase-file "$T/key4b" --output "$T/key4d" --replace
mv "$T/key4d" "$T/key4"

cp "$IMG" "$T/c.img"
printf 'of an officer, 8 stones\n' >"$T/officer" && chmod 600 "$T/officer"
check "its key slot gets a passphrase" sealdrive key change "$T/c.img" --passphrase-file "$T/key4" --new-passphrase-file "$T/officer" "${FAST_KDF[@]}"
check "a new recovery key is made" sealdrive key recovery "$T/c.img" --passphrase-file "$PASS" --output "$T/key4c" --replace
check "the passphrase is not taken for an older one" sealdrive key test "$T/c.img" --passphrase-file "$T/officer"
rm "$T/c.img"

# ---- sheets ----
for word in 'LƯU <TRỮ> & 7' "$(cs luksUUID "$IMG")" "$(date +%Y-%m-%d)" "${key:0:35}" "${key:36}" 'Key slot: 1'; do
	check "the sheet has: ${word:0:8}..." grep -qF -- "$word" "$T/sheet.txt"
done
check "a sheet with a QR code" sealdrive key recovery "$IMG" --passphrase-file "$PASS" --output "$T/key5" --sheet "$T/sheet.svg" --replace
check "is XML with label, key and code" "$PYTHON" -c 'import sys, xml.etree.ElementTree as ET
text = [t.text for t in ET.parse(sys.argv[1]).iter("{http://www.w3.org/2000/svg}text")]
key = open(sys.argv[2]).read().strip()
assert any("LƯU <TRỮ> & 7" in t for t in text), text
assert key[:35] in text and key[36:] in text, text' "$T/sheet.svg" "$T/key5"
if "$PYTHON" "$JUDGE/qr-read.py" --check 2>/dev/null; then
	is "$("$PYTHON" "$JUDGE/qr-read.py" "$T/sheet.svg")" "$(cat "$T/key5")" "a reader of QR codes reads the key"
else
	skip "a reader of QR codes reads the key" "libzbar is not installed"
fi

# ---- what goes wrong leaves neither key nor file ----
before=$(unchanged_sum "$IMG")
printf wrong >"$T/wrong" && chmod 600 "$T/wrong"
check_status 3 "a wrong passphrase" sealdrive key recovery "$IMG" --passphrase-file "$T/wrong" --output "$T/no" --sheet "$T/no.svg"
check_status 1 "a file that exists" sealdrive key recovery "$IMG" --passphrase-file "$PASS" --output "$T/no" --sheet "$T/sheet.svg"
said 'exists' "and that is said"
check_status 1 "a folder that does not" sealdrive key recovery "$IMG" --passphrase-file "$PASS" --output "$T/absent/key"
check_status 1 "no file at all" sealdrive key recovery "$IMG" --passphrase-file "$PASS" --output /dev/full
check_status 2 "no terminal and no file" setsid sealdrive key recovery "$IMG" --passphrase-file "$PASS"
said 'terminal' "and that is said"
is "$(unchanged_sum "$IMG") $(ls "$T"/no* 2>/dev/null)" "$before " "the drive is what it was, and no file is there"

# the medium says no while the header is written
if command -v strace >/dev/null; then
	disturbed() { # INJECTION: a key, with its sheet
		rm -f "$T/dis.key" "$T/dis.svg"
		ASAN_OPTIONS=detect_leaks=0 strace -f -o "$T/trace" -e trace=fdatasync -e "inject=fdatasync:$1" \
			sealdrive key recovery "$IMG" --passphrase-file "$PASS" --output "$T/dis.key" --sheet "$T/dis.svg" >"$T/out" 2>&1
		echo "$? $(find "$T"/dis.* 2>/dev/null | wc -l) $(cs luksDump "$IMG" | grep -c systemd-recovery)"
	}
	had=$(cs luksDump "$IMG" | grep -c systemd-recovery)
	cp "$IMG" "$T/kept.img"
	is "$(disturbed error=EIO:when=2+)" "7 0 $had" "the drive fails at its header: no file, no key slot"
	is "$(disturbed error=EIO:when=4+)" "7 2 $((had + 1))" "the drive fails when one copy of its header is new: the files stay"
	said "stays in its file, because the drive may have its key slot" "... and it is said"
	check "... and the key opens it" opens_ours "$IMG" "$(cat "$T/dis.key")"
	mv "$T/kept.img" "$IMG"
else
	skip "the medium says no while the header is written" "strace is not installed"
fi

# ---- on the terminal ----
TERM=xterm terminal "wait:shown only now" "wait:Press Enter" "type:" -- sealdrive key recovery "$IMG" --passphrase-file "$PASS"
said 'exit 0' "shown on the terminal"
unshown=$(grep -c $'\033\[J' "$T/out")
shown=$(grep -oE '([cbdefghijklnrtuv]{8}-){3}[cbdefghijklnrtuv]{8}' "$T/out" | paste -sd-)
check "it opens" opens_theirs "$IMG" "$shown"
is "$unshown" 1 "and was taken off the screen again"
before=$(unchanged_sum "$IMG")
TERM=xterm terminal "wait:Press Enter" "signal:SIGINT" -- sealdrive key recovery "$IMG" --passphrase-file "$PASS"
said 'killed by' "interrupted while it is shown"
is "$(unchanged_sum "$IMG")" "$before" "it opens nothing"

# ---- systemd's ----
if command -v systemd-cryptenroll >/dev/null; then
	theirs=$(PASSWORD=$(cat "$PASS") systemd-cryptenroll --recovery-key "$IMG" 2>/dev/null | grep -oxE "$KEY")
	if [ -n "$theirs" ]; then
		check "a recovery key of systemd-cryptenroll opens" opens_ours "$IMG" "$theirs"
		check "in capitals and without dashes, too" opens_ours "$IMG" "$(tr -d - <<<"${theirs^^}")"
	else
		skip "a recovery key of systemd-cryptenroll opens" "systemd-cryptenroll cannot make one here"
	fi
else
	skip "a recovery key of systemd-cryptenroll opens" "systemd-cryptenroll is not installed"
fi
check "a LUKS version 1 drive" truncate -s 20M "$T/one.img"
cs luksFormat --type luks1 --pbkdf-force-iterations 1000 "$T/one.img" "$PASS"
check_status 8 "has to be converted first" sealdrive key recovery "$T/one.img" --passphrase-file "$PASS" --output "$T/no"
said 'header convert' "and that is said"
done_testing
