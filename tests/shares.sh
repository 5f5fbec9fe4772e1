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

# ---- as editors, mail and people keep it ----
lines=$(grep -xE " *$GROUPS_RE" "${S[1]}")
like() { # DESCRIPTION: what is in $T/kept opens as the sheet does
	check "a share as $1" opens "$IMG" "$T/kept" "${S[2]}" "${S[3]}"
}
sed 's/$/\r/' "${S[1]}" >"$T/kept" && like "Windows ends lines"
{ printf '\xef\xbb\xbf'; sed 's/$/\r/' <<<"$lines"; } >"$T/kept" && like "Windows marks UTF-8"
{ printf '\xff\xfe'; iconv -t UTF-16LE "${S[1]}"; } >"$T/kept" && like "Windows has UTF-16"
{ printf '\xfe\xff'; tr -d ' \n' <<<"$lines" | iconv -t UTF-16BE; } >"$T/kept" && like "others have it"
sed 's/-/–/g; s/^    /\xc2\xa0\xe2\x80\x89/' "${S[1]}" >"$T/kept" && like "a word processor has it"
sed 's/^/> /' "${S[1]}" >"$T/kept" && like "mail quotes it"
tr -d '-' <"${S[1]}" >"$T/kept" && like "a sheet without dashes"
tr '-' ' ' <"${S[1]}" | tr a-z A-Z >"$T/kept" && like "a sheet in capitals and with spaces"
tr -d ' \n-' <<<"$lines" >"$T/kept" && like "one line"
tr -d ' \n-' <<<"$lines" | fold -w 9 >"$T/kept" && like "lines of any length"
cp "${S[1]%.txt}.svg" "$T/kept" && like "the page that is printed"
is "$(sed 's/^Drive: .*/Drive: cccccccc-cccccccc-cccccccc/' "${S[1]}" >"$T/kept"; opens "$IMG" "$T/kept" "${S[2]}" "${S[3]}" 2>&1 | grep -c opens)" 1 "whatever the drive is called"

sealdrive audit "$IMG" --share "${S[1]}" --share "${S[2]}" --share "${S[4]}" >"$T/out" 2>&1
is "$(grep -cE '^ *U-0[1246] +(pass|fail)' "$T/out") $(grep -cE '^ *U-0[126] +pass' "$T/out")" "4 3" "an audit unlocks with them, too"
sealdrive audit "$IMG" --share "${S[1]}" --share "${S[2]}" >"$T/out" 2>&1
is "$(grep -cE '^ *U-0[126] +unknown' "$T/out")" 3 "... and not with fewer"
said 'not unlocked' "... and says so"

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
"$PYTHON" -B "$JUDGE/share_text.py" forge "${S[1]}" >"$T/forged"
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

# a header that is written when the medium, or somebody, says no
if command -v strace >/dev/null; then
	disturbed() { # INJECTION: makes two shares
		rm -rf "$T/d.d"
		ASAN_OPTIONS=detect_leaks=0 strace -f -o "$T/trace" -e trace=fsync,fdatasync -e "inject=$1" \
			sealdrive key add "$IMG" --passphrase-file "$PASS" --shares 2 --threshold 2 --share-out "$T/d.d" >"$T/out" 2>&1
		echo "$? $(find "$T/d.d" -type f 2>/dev/null | wc -l) $(cs luksDump "$IMG" | grep -c sealdrive-shares)"
	}
	had=$(cs luksDump "$IMG" | grep -c sealdrive-shares)
	cp "$IMG" "$T/kept.img"
	is "$(disturbed fsync:error=EIO:when=4)" "7 0 $had" "the folder's medium fails: no file, no key slot"
	is "$(disturbed fdatasync:error=EIO:when=1+)" "7 0 $had" "the drive fails before its header: the same"
	is "$(disturbed fdatasync:error=EIO:when=2+)" "7 0 $had" "the drive fails at its header: the same"
	is "$(disturbed fsync:signal=INT:when=4)" "130 0 $had" "Ctrl-C while the files are written: the same"
	is "$(ls -d "$T/d.d" 2>/dev/null)" "" "and no folder"
	is "$(disturbed fdatasync:error=EIO:when=4+)" "7 4 $((had + 1))" "the drive fails when one copy of its header is new: the files stay"
	said "shares stay in '.*/d.d', because the drive may have their key slot" "... and it is said"
	check "... and they open it" opens "$IMG" "$T"/d.d/*.txt
	cp "$T/kept.img" "$IMG"
	is "$(disturbed fdatasync:signal=INT:when=3)" "0 4 $((had + 1))" "Ctrl-C while the header is written comes too late"
	check "... and they open it" opens "$IMG" "$T"/d.d/*.txt
	cp "$T/kept.img" "$IMG"
	is "$(disturbed fsync:signal=KILL:when=4)" "137 4 $had" "killed: files that open nothing, and no key slot"
	check_status 3 "... which is said of them" opens "$IMG" "$T"/d.d/share-1-*.txt
	rm "$T/kept.img"
else
	skip "a header that is written when the medium says no" "strace is not installed"
fi

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
