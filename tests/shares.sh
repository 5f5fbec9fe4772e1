#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Keys that several people share: any M of N open the drive, fewer do not; libgfshare's gfcombine and coreutils make the
# passphrase of what is on the sheets, and cryptsetup opens with it; what is wrong with a share is said.
. "$(dirname "$0")/lib.sh"
need_command cryptsetup gfcombine

cs() {
	cryptsetup --disable-locks -q "$@"
}
terminal() {
	"$PYTHON" "$top_srcdir/tests/terminal.py" "$@" >"$T/out" 2>&1
}
opens() { # IMAGE FILE...
	local image=$1 file options=()
	shift
	for file; do options+=(--share "$file"); done
	sealdrive key test "$image" "${options[@]}"
}
GROUPS_RE='([cbdefghijklnrtuv]{8}-?)+'
# The lines of a sheet that are the share, as bytes in hexadecimal digits.
share_hex() { # SHEET
	grep -xE " *$GROUPS_RE" "$1" | tr -d ' ' | tr '-' '\n' | sed 's/.$//' | tr -d '\n' | tr cbdefghijklnrtuv 0-9a-f
}

IMG=$T/a.img
new_drive "$IMG" 40M --label "LƯU <TRỮ> & 7"
must "a key is divided" sealdrive key add "$IMG" --passphrase-file "$PASS" --shares 4 --threshold 3 --share-out "$T/out.d"
said 'any 3 of the 4 shares open .* key slot 1' "in the next key slot"
is "$(stat -c %a "$T/out.d" "$T"/out.d/* | sort -u | tr '\n' ' ') $(find "$T/out.d" -name '*.txt' | wc -l) $(find "$T/out.d" -name '*.svg' | wc -l)" "600 700  4 4" "two files for each share, for their owner alone"
S=()
for i in 1 2 3 4; do S[i]=$(echo "$T"/out.d/share-$i-of-4-*.txt); done
is "$(cs luksDump "$IMG" | grep -cE '^ +[0-9]+: luks2') $(cs luksDump "$IMG" | grep -c sealdrive-shares)" "2 1" "one key slot more, and one token"
check "cryptsetup opens with the passphrase still" cs open --test-passphrase --key-file "$PASS" --key-slot 0 "$IMG"

# ---- who opens ----
for set in "1 2 3" "1 2 4" "1 3 4" "2 3 4" "4 2 1" "1 2 3 4"; do
	files=()
	for i in $set; do files+=("${S[i]}"); done
	check "shares $set" opens "$IMG" "${files[@]}"
done
said 'key slot 1 opens' "by their key slot"
for set in "1 2" "1 3" "1 4" "2 3" "2 4" "3 4" "1"; do
	files=()
	for i in $set; do files+=("${S[i]}"); done
	check_status 3 "shares $set do not" opens "$IMG" "${files[@]}"
done
said '3 are needed, and only 1' "and how many are needed is said"
check "from standard input, too" sealdrive key test "$IMG" --share "${S[1]}" --share - --share "${S[3]}" <"${S[2]}"
check_status 3 "not for another key slot" sealdrive key test "$IMG" --slot 0 --share "${S[1]}" --share "${S[2]}" --share "${S[3]}"
said 'opens key slot 1' "and that is said"
check_status 2 "not with another source besides" sealdrive key test "$IMG" --share "${S[1]}" --passphrase-file "$PASS"

# ---- judges ----
# as docs/SHARES.md tells people
eval "$(sed -n '/^    value() {/,/}$/p' "$top_srcdir/docs/SHARES.md")"
for i in 2 3 4; do value "${S[i]}" >"$T/raw.00$i"; done
gfcombine -o "$T/raw" "$T/raw.002" "$T/raw.003" "$T/raw.004" >"$T/out" 2>&1
is "$(stat -c %s "$T/raw") $(share_hex "${S[2]}" | cut -c1-2,19-24)" "32 01020304" "gfcombine combines the values that are on the sheets"
od -An -v -tx1 "$T/raw" | tr -d ' \n' >"$T/passphrase"
check "cryptsetup opens with their digits" cs open --test-passphrase --key-file "$T/passphrase" --key-slot 1 "$IMG"
for i in 1 2 3 4; do
	hex=$(share_hex "${S[i]}")
	is "${hex:88:10}" "$({ printf 'sealdrive share'; printf '%b' "$(sed 's/../\\x&/g' <<<"${hex:0:88}")"; } | sha256sum | cut -c1-10)" "sha256sum has the checksum of share $i"
done
if "$PYTHON" "$JUDGE/qr-read.py" --check 2>/dev/null; then
	is "$("$PYTHON" "$JUDGE/qr-read.py" "${S[1]%.txt}.svg")" "$(grep -xE " *$GROUPS_RE" "${S[1]}" | tr -d ' ' | paste -sd-)" "a reader of QR codes reads the share"
else
	skip "a reader of QR codes reads the share" "libzbar is not installed"
fi
for word in 'LƯU <TRỮ> & 7' "$(cs luksUUID "$IMG")" '2 of 4; 3 are needed' 'Key slot: 1'; do
	check "the sheet has: ${word:0:12}" grep -qF -- "$word" "${S[2]}"
done

# ---- what the header says ----
set=$(grep -oE 'Set: .*' "${S[1]}" | cut -c6-)
sealdrive key list "$IMG" >"$T/out"
said "key slot 1 opens with any 3 of 4 shares, set: $set, made: $(date -u +%Y)" "key list names the set"
sealdrive info "$IMG" >"$T/out"
said '4, of which 3 are needed' "info, too"
is "$(sealdrive info "$IMG" --json | "$PYTHON" -c 'import json, sys
print(*[t["shares"].values() for t in json.load(sys.stdin)["tokens"] if t["type"] == "sealdrive-shares"][0])' | cut -d' ' -f1-3)" "$set 4 3" "and its JSON"
# its cheap key derivation is explained
sealdrive audit "$IMG" >"$T/out" 2>&1
is "$(grep -c '^ *H-10' "$T/out") $(grep '^ *H-10' "$T/out" | grep -c FAIL)" "1 0" "an audit knows what the key slot is for"

# ---- what is wrong with a share ----
letters=$(grep -xE " *$GROUPS_RE" "${S[1]}" | tr -d ' ')
wrong() { # FILE PATTERN DESCRIPTION
	check_status 3 "$3" opens "$IMG" "${S[2]}" "$1" "${S[3]}"
	said "$2" "... and it is named"
}
tr 'cbdefghijklnrtuv' 'bdefghijklnrtuvc' <<<"${letters:2:1}" >"$T/c"
{ printf '%s' "${letters:0:2}"; cat "$T/c"; } | tr -d '\n' >"$T/letter" && printf '%s\n' "${letters:3}" >>"$T/letter"
wrong "$T/letter" "letter'?: group 1 of 14 is wrong" "a wrong letter"
sed -E "s/^( +[a-z]{8}-[a-z]{3})[a-z]/\1?/" "${S[1]}" >"$T/sign"
wrong "$T/sign" "sign'?: group 2 of 14 has a character" "a sign on the sheet"
sed '/^ *[cbdefghijklnrtuv]\{8\}-[cbdefghijklnrtuv]\{8\}$/d' "${S[1]}" >"$T/short"
wrong "$T/short" "short'?: it has 96 letters of 112" "a line that is missing"
printf '%s\n%s\n' "$letters" "$letters" >"$T/twice"
wrong "$T/twice" "twice'?: it is longer" "too much"
printf 'hello\n' >"$T/hello"
wrong "$T/hello" "hello'?: group 1 of 14 has a character" "another text"
: >"$T/empty"
wrong "$T/empty" "empty'?: it has 0 letters" "an empty file"
cp "${S[2]}" "$T/copy"
wrong "$T/copy" "copy' is the same share as '.*share-2" "a share twice"
check "another key is divided" sealdrive key add "$IMG" --passphrase-file "$PASS" --shares 2 --threshold 2 --share-out "$T/two.d"
wrong "$(echo "$T"/two.d/share-1-*.txt)" "share-1-of-2.*' is of the set .* but '.*' of the set $set" "a share of another set"
check "that opens, too" opens "$IMG" "$T"/two.d/*.txt
said 'key slot 2 opens' "its own key slot"
new_drive "$T/other.img" 40M
sealdrive key add "$T/other.img" --passphrase-file "$PASS" --shares 2 --threshold 2 --share-out "$T/other.d" >"$T/out"
check_status 3 "shares of another drive" opens "$IMG" "$T"/other.d/*.txt
said 'share-1-of-2.* is of the set .* which is not of this drive' "... and that is said"
# whole, of the right set and number, and with another value
forge() { # SHEET: a new last byte of the value, and what belongs to it
	"$PYTHON" - "$1" <<-'EOF'
		import hashlib, re, sys
		letters = "cbdefghijklnrtuv"
		text = "".join(re.findall("^ *((?:[%s]{8}-?)+)$" % letters, open(sys.argv[1]).read(), re.M)).replace("-", "")
		digits = [letters.index(c) for i, c in enumerate(text) if i % 8 < 7]
		data = bytearray(a << 4 | b for a, b in zip(digits[::2], digits[1::2]))
		data[43] ^= 1
		data[44:] = hashlib.sha256(b"sealdrive share" + data[:44]).digest()[:5]
		digits = [d for byte in data for d in (byte >> 4, byte & 15)]
		def group(n):
		    check, part = n, digits[7 * n:7 * n + 7]
		    for d in part + [0]:
		        check = (check << 1 & 15 ^ (3 if check & 8 else 0)) ^ d
		    return "".join(letters[d] for d in part + [check])
		print("-".join(group(n) for n in range(14)))
	EOF
}
forge "${S[1]}" >"$T/forged"
wrong "$T/forged" "forged' is forged: it is not the share 1" "a forged share"
check_status 3 "also when others are enough" opens "$IMG" "$T/forged" "${S[2]}" "${S[3]}" "${S[4]}"
cp "$IMG" "$T/bare.img"
for id in $(cs luksDump "$IMG" | sed -n 's/^  \([0-9]*\): sealdrive-shares/\1/p'); do cs token remove --token-id "$id" "$T/bare.img"; done
check_status 3 "without the token the forged one opens nothing" sealdrive key test --accept-header-change "$T/bare.img" --share "$T/forged" --share "${S[2]}" --share "${S[3]}"
check "and the right ones open" sealdrive key test --accept-header-change "$T/bare.img" --share "${S[1]}" --share "${S[2]}" --share "${S[3]}"
rm "$T/bare.img"

# ---- from the terminal ----
mapfile -t lines < <(grep -xE " *$GROUPS_RE" "${S[1]}" | tr -d ' ')
check "what is missing is asked for, a wrong line again" terminal "wait:Another share" "type:${lines[0]}" "wait:group 5" "type:cccccccc" \
	"wait:group 5 of 14 is wrong" "wait:group 5:" "type:${lines[1]^^}" "wait:group 9" "type:${lines[2]//-/ }" "wait:group 13" "type:${lines[3]}" -- sealdrive key test "$IMG" --share "${S[2]}" --share "${S[4]}"
said 'group 5 of 14 is wrong' "the wrong one is named"
said 'Share 1 of 4 is right' "the right one is told"
is "$(grep -c "${lines[0]}" "$T/out")" 0 "and nothing typed is shown"

check "new ones are shown one after the other" env TERM=xterm "$PYTHON" "$top_srcdir/tests/terminal.py" "wait:Share 1 of 2" "wait:Press Enter" "type:" \
	"wait:Share 2 of 2" "wait:Press Enter" "type:" -- sealdrive key add "$T/other.img" --passphrase-file "$PASS" --shares 2 --threshold 2
tr -d '\r' <"$T/out" | grep -oE "^ +$GROUPS_RE" | head -n 4 >"$T/shown1"
tr -d '\r' <"$T/out" | grep -oE "^ +$GROUPS_RE" | tail -n 4 >"$T/shown2"
check "they open the drive" opens "$T/other.img" "$T/shown1" "$T/shown2"
said 'key slot 2 opens' "by their key slot"
before=$(unchanged_sum "$T/other.img")
terminal "wait:Share 1 of 2" "wait:Press Enter" "type:" "wait:Share 2 of 2" "signal:SIGINT" -- sealdrive key add "$T/other.img" --passphrase-file "$PASS" --shares 2 --threshold 2
is "$(unchanged_sum "$T/other.img")" "$before" "whoever goes away before the last has added nothing"

# ---- what goes wrong leaves neither key slot nor file ----
before=$(unchanged_sum "$IMG")
check_status 2 "a threshold above" sealdrive key add "$IMG" --passphrase-file "$PASS" --shares 2 --threshold 3 --share-out "$T/no"
check_status 2 "a threshold of one" sealdrive key add "$IMG" --passphrase-file "$PASS" --shares 2 --threshold 1 --share-out "$T/no"
check_status 2 "no threshold" sealdrive key add "$IMG" --passphrase-file "$PASS" --shares 2 --share-out "$T/no"
check_status 2 "too many" sealdrive key add "$IMG" --passphrase-file "$PASS" --shares 33 --threshold 2 --share-out "$T/no"
check_status 2 "nowhere to show them" sealdrive key add "$IMG" --passphrase-file "$PASS" --shares 3 --threshold 2
check_status 3 "a wrong passphrase" sealdrive key add "$IMG" --passphrase-file "$T/hello" --shares 3 --threshold 2 --share-out "$T/no"
check_status 1 "a folder that cannot be" sealdrive key add "$IMG" --passphrase-file "$PASS" --shares 3 --threshold 2 --share-out "$T/absent/no"
is "$(unchanged_sum "$IMG") $(ls -d "$T/no" 2>/dev/null)" "$before " "nothing was changed, and no folder is left"

# ---- and used ----
check "shares authorise another key" sealdrive key add "$IMG" --share "${S[1]}" --share "${S[2]}" --share "${S[4]}" --new-passphrase-file "$T/passphrase" "${FAST_KDF[@]}"
check "a set is removed with its key slot" sealdrive key remove "$IMG" --passphrase-file "$PASS" --slot 1
is "$(cs luksDump "$IMG" | grep -c sealdrive-shares)" 1 "its token, too"
check_status 3 "and its shares open nothing" opens "$IMG" "${S[1]}" "${S[2]}" "${S[3]}"
if fuse_ready; then
	mkdir "$T/mnt"
	check "the drive mounts with shares" sealdrive mount "$IMG" "$T/mnt" --share "$T"/two.d/share-1-*.txt --share "$T"/two.d/share-2-*.txt
	drive_unmount "$T/mnt" >"$T/out"
fi
done_testing
