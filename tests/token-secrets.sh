#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# After every command with tokens and shares: no PIN, no token's secret, no derived passphrase and no share in what it printed,
# in the files of the run, in the drive, in the log, or in the memory of the daemon that is left.
. "$(dirname "$0")/lib.sh"
need_fuse
need_command softhsm2-util pkcs11-tool cryptsetup
module=$(find /usr/lib -name libsofthsm2.so 2>/dev/null | head -n 1)
[ -n "$module" ] || skip_all "SoftHSM's module is not there"
mkdir "$T/run.d" "$T/tokens" "$T/mnt" "$T/secret"
cd "$T/run.d" || exit 99
# the log of sealdrive-bound is there
mkdir log etc
printf 'directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\n' "$T/tokens" >"$T/softhsm.conf"
export SOFTHSM2_CONF=$T/softhsm.conf
pin=73915550284 phrase='Kh0ng-ai-biet-cau-nay-7f3a9c51' second='Cau-thu-hai-rat-dai-5512'
printf '%s' $pin >"$T/secret/pin"
printf '%s' "$phrase" >"$T/secret/phrase"
printf '%s' "$second" >"$T/secret/second"
chmod 600 "$T"/secret/*
must "a card" softhsm2-util --init-token --free --label Officer --pin $pin --so-pin 24681012
must "... with a key" pkcs11-tool --module "$module" --token-label Officer --login --pin $pin --keypairgen --id 02 --key-type EC:prime256v1 --label key
drive=$T/a.img
said_all=$T/run.d/said
say() { # COMMAND...: all that it prints is kept
	printf '%s\n' "== $*" >>"$T/commands"
	sealdrive-bound "$@" >>"$said_all" 2>&1
}
card=(--pin-file "$T/secret/pin" --pkcs11-module "$module")
must "a drive" say format "$drive" --size 48M "${FAST_KDF[@]}" --passphrase-file "$T/secret/phrase"

# ---- what is to be found nowhere ----
share_value() { # SHEET: the 32 bytes
	eval "$(sed -n '/^    value() {/,/}$/p' "$top_srcdir/docs/SHARES.md")"
	value "$1"
}
needles() { # writes what is secret so far to files of $T/secret, for searching
	local sheet
	for sheet in "$T"/shares/*.txt; do
		[ -e "$sheet" ] || continue
		share_value "$sheet" >"$T/secret/$(basename "$sheet" .txt).raw"
		grep -xE ' *([cbdefghijklnrtuv]{8}-?)+' "$sheet" | head -n 3 | tail -n 1 | tr -d ' \n' >"$T/secret/$(basename "$sheet" .txt).text"
	done
}
cat >"$T/search.py" <<-'EOF'
	"""Pieces of 12 bytes of each secret, also as digits and base64, in files (of a drive: up to where its data begin)."""
	import base64, os, sys
	pieces = {}
	for name in os.listdir(sys.argv[1]):
	    data = open(os.path.join(sys.argv[1], name), "rb").read().strip(b"\n")
	    for form in (data, data.hex().encode(), base64.b64encode(data)):
	        # one after the other: whatever has 23 bytes of it has one of them
	        for i in range(0, max(1, len(form) - 11), 12):
	            if len(form) >= 8:
	                pieces[form[i:i + 12]] = name
	found = 0
	for root in sys.argv[2:]:
	    for folder, _, files in os.walk(root) if os.path.isdir(root) else [(os.path.dirname(root), [], [os.path.basename(root)])]:
	        for file in files:
	            path = os.path.join(folder, file)
	            if not os.path.isfile(path):
	                continue
	            data = open(path, "rb").read(17 << 20)
	            for piece, name in pieces.items():
	                if piece in data:
	                    print("%s is in %s" % (name, path))
	                    found = 1
	                    break
	sys.exit(found)
EOF
nowhere() { # DESCRIPTION
	needles
	check "$1: nothing secret is left" "$PYTHON" "$T/search.py" "$T/secret" "$T/run.d" "$T/run" "$drive"
}
cat "$T/secret/phrase" >"$T/run.d/planted"
check_status 1 "the search finds what is there" "$PYTHON" "$T/search.py" "$T/secret" "$T/run.d"
rm "$T/run.d/planted"

# ---- commands ----
check "a card is enrolled" say key enroll "$drive" --token 'pkcs11:token=Officer;id=%02' --passphrase-file "$T/secret/phrase" "${card[@]}" --owner 'Nguyễn Văn A'
"$PYTHON" - "$(cryptsetup luksDump --disable-locks --dump-json-metadata "$drive")" >"$T/wrapped" <<-'EOF'
	import json, sys
	print([t for t in json.loads(sys.argv[1])["tokens"].values() if t["type"] == "systemd-pkcs11"][0]["pkcs11-key"])
EOF
{
	printf '\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00'
	base64 -d "$T/wrapped"
} >"$T/point"
check "its secret, by pkcs11-tool" pkcs11-tool --module "$module" --token-label Officer --login --pin $pin --derive -m ECDH1-DERIVE --id 02 \
	--input-file "$T/point" --output-file "$T/secret/derived"
base64 -w0 "$T/secret/derived" >"$T/secret/passphrase"
check "which opens the drive" cryptsetup open --disable-locks --test-passphrase --key-file "$T/secret/passphrase" "$drive"
nowhere "key enroll"
check "two of two" say key enroll "$drive" --token 'pkcs11:token=Officer;id=%02' --and-passphrase --new-passphrase-file "$T/secret/second" \
	--passphrase-file "$T/secret/phrase" "${card[@]}" --new-slot 5
nowhere "key enroll --and-passphrase"
mkdir "$T/shares"
check "shares" say key add "$drive" --shares 3 --threshold 2 --share-out "$T/shares" --passphrase-file "$T/secret/phrase"
nowhere "key add --shares"
is "$(find "$T/secret" -name 'share-[123]*' -size +0 | wc -l)" 6 "the shares were looked for"
share_value "$T"/shares/share-1-*.txt >"$T/r.001" && share_value "$T"/shares/share-2-*.txt >"$T/r.002"
if command -v gfcombine >/dev/null; then
	gfcombine -o "$T/r" "$T/r.001" "$T/r.002" >"$T/out" 2>&1
	od -An -v -tx1 "$T/r" | tr -d ' \n' >"$T/secret/of-shares"
	check "their passphrase opens the drive" cryptsetup open --disable-locks --test-passphrase --key-file "$T/secret/of-shares" "$drive"
else
	skip "their passphrase opens the drive" "libgfshare-bin is not installed"
fi
check "shares, one of them for a card" say key add "$drive" --shares 2 --threshold 2 --share-out "$T/run.d/wrapped" --share-for 'pkcs11:token=Officer;id=%02' \
	--share-pin-file "$T/secret/pin" --pkcs11-module "$module" --passphrase-file "$T/secret/phrase" --new-slot 9
mv "$T"/run.d/wrapped/*.txt "$T/shares/share-9.txt" && rm "$T"/run.d/wrapped/*.svg
check "a test with them" say key test "$drive" --share "$T"/run.d/wrapped/*.json --share "$T/shares/share-9.txt" "${card[@]}"
nowhere "key add --share-for"
two=(--share "$T"/shares/share-1-*.txt --share "$T"/shares/share-3-*.txt)
check "a test with shares" say key test "$drive" "${two[@]}"
check "a test with the card" say key test "$drive" --token "${card[@]}"
check "a test with two things" say key test "$drive" --slot 5 --token "${card[@]}" --passphrase-file "$T/secret/second"
printf '99999999999\n' >"$T/wrong"
chmod 600 "$T/wrong"
say key test "$drive" --token --pin-file "$T/wrong" --pkcs11-module "$module"
say key test "$drive" --share "$T"/shares/share-2-*.txt
tr 'c' 'b' <"$(echo "$T"/shares/share-2-*.txt)" >"$T/damaged"
say key test "$drive" --share "$T"/shares/share-1-*.txt --share "$T/damaged"
say key list "$drive"
say info "$drive" --json
say audit "$drive"
nowhere "key test, list, info, audit"

# ---- what is left behind in memory ----
scan() {
	"$PYTHON" "$JUDGE/memory-scan.py" "$@"
}
left() { # the processes of this test that go on
	local p
	for p in /proc/[0-9]*; do
		{
			[[ $(<"$p/comm") = sealdrive* ]] && tr '\0' '\n' <"$p/environ" | grep -qxF "T=$T" && echo "${p#/proc/}"
		} 2>/dev/null
	done
	return 0
}
# The volume key is the daemon's business; all that opened the drive is nobody's any more.
forgotten=("$T"/secret/pin "$T"/secret/derived "$T"/secret/passphrase "$T"/secret/second)
for how in card shares both; do
	case $how in
	card) options=(--token "${card[@]}") ;;
	shares) options=("${two[@]}") forgotten+=("$T"/secret/share-*) ;;
	both)
		say key remove "$drive" --passphrase-file "$T/secret/phrase" --slot 1 --force
		options=(--token "${card[@]}" --passphrase-file "$T/secret/second")
		;;
	esac
	check "mounted with $how" say mount "$drive" "$T/mnt" "${options[@]}"
	mapfile -t pids < <(left)
	is "${#pids[@]}" 1 "one process is left"
	if grep -qa __asan_init "$SEALDRIVE"; then
		skip "... and it knows nothing of them" "memory of a build with sanitizers has no end"
	elif is_root && [ ${#pids[@]} = 1 ]; then
		check "... and it knows nothing of them" scan "${pids[0]}" "${forgotten[@]}" || diag <"$T/out"
	else
		skip "... and it knows nothing of them" "needs root to look"
	fi
	check "... unmounted" say unmount "$T/mnt"
	nowhere "mount with $how"
done
check "the log has what was done" grep -rq unlock "$T/run.d/log"
is "$(grep -cF -e $pin -e "$phrase" "$T/commands")" 0 "no command had one on its command line"
done_testing
