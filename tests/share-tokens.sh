#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Shares that only the tokens of their holders can read: two cards of SoftHSM, a security key in software, and a sheet.
# pkcs11-tool and Python open one as keymgr/share-wrapped.h says.
. "$(dirname "$0")/lib.sh"
need_command softhsm2-util pkcs11-tool cryptsetup
module=$(find /usr/lib -name libsofthsm2.so 2>/dev/null | head -n 1)
[ -n "$module" ] || skip_all "SoftHSM's module is not there"
mkdir "$T/tokens" "$T/keys" "$T/drawer"
printf 'directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\n' "$T/tokens" >"$T/softhsm.conf"
export SOFTHSM2_CONF=$T/softhsm.conf SOFTFIDO=$T/keys
(umask 077; printf '135790\n' >"$T/pin"; printf '246801\n' >"$T/pin2"; printf '4321\n' >"$T/pin3"; printf '999999\n' >"$T/wrong")
soft() { # COMMAND...
	sealdrive-soft "$@" --pkcs11-module "$module"
}
card() { # LABEL PIN TYPE
	softhsm2-util --init-token --free --label "$1" --pin "$2" --so-pin 24681012 &&
		pkcs11-tool --module "$module" --token-label "$1" --login --pin "$2" --keypairgen --id 02 --key-type "$3" --label key
}
drawer() { # LABEL: takes a card out, or puts it back
	local card
	card=$(dirname "$(grep -l "$1" -r "$T/tokens" "$T/drawer" | head -n 1)")
	case $card in
	"$T/tokens"/*) mv "$card" "$T/drawer/" ;;
	*) mv "$card" "$T/tokens/" ;;
	esac
}
tries() { sed -n 's/.*retries=\([0-9]*\).*/\1/p' "$T/keys/Green"; }
must "a card with an EC key" card Officer 135790 EC:prime256v1
must "a card with an RSA key" card Auditor 246801 rsa:2048
printf 'pin=4321 retries=8 uv=0 touch=0\n' >"$T/keys/Green"
drive=$T/a.img
must "a drive" new_drive "$drive" 40M --label Contracts
opens() { # OPTION...
	soft key test "$drive" "$@"
}

# ---- made ----
before=$(unchanged_sum "$drive")
add=(key add "$drive" --passphrase-file "$PASS" --shares 4 --threshold 2 --share-out "$T/s")
three=(--share-for 'pkcs11:token=Officer;id=%02' --share-for 'pkcs11:token=Auditor;id=%02' --share-for fido2)
pins=(--share-pin-file "$T/pin" --share-pin-file "$T/pin2" --share-pin-file "$T/pin3")
check_status 3 "a holder's token that is not there" soft "${add[@]}" --share-for 'pkcs11:token=Nobody' --share-pin-file "$T/pin"
said 'cannot be enrolled: no card' "... is said"
check_status 3 "a wrong PIN" soft "${add[@]}" "${three[@]}" --share-pin-file "$T/pin" --share-pin-file "$T/pin2" --share-pin-file "$T/wrong"
is "$(tries)" 7 "... costs one try"
check_status 3 "one card for two shares" soft "${add[@]}" --share-for 'pkcs11:token=Officer' --share-pin-file "$T/pin" \
	--share-for 'pkcs11:token=Officer;id=%02' --share-pin-file "$T/pin"
said 'both are the same key' "... is refused"
check_status 3 "one security key for two shares" soft "${add[@]}" --share-for fido2 --share-pin-file "$T/pin3" --share-for fido2 --share-pin-file "$T/pin3"
said 'no other security key' "... is refused"
check_status 2 "more tokens than shares" soft "${add[@]}" "${three[@]}" --share-for fido2 --share-for fido2
check_status 2 "more PINs than tokens" soft "${add[@]}" --share-for fido2 --share-pin-file "$T/pin" --share-pin-file "$T/pin"
check_status 2 "no token at all" soft "${add[@]}" --share-for usb
check_status 2 "a PIN in a URI" soft "${add[@]}" --share-for 'pkcs11:token=Officer?pin-value=1'
check_status 2 "nowhere to put them" soft key add "$drive" --passphrase-file "$PASS" --shares 2 --threshold 2 --share-for fido2
is "$(unchanged_sum "$drive") $(ls -d "$T/s" 2>/dev/null)" "$before " "nothing was changed, and no folder is left"
check "three shares for tokens, one on paper" soft "${add[@]}" "${three[@]}" "${pins[@]}"
said "Share 2 is for 'Auditor' alone" "who has which is said"
is "$(cd "$T/s" && echo share-*.json | wc -w) $(cd "$T/s" && echo share-*.txt share-*.svg | wc -w) $(stat -c %a "$T"/s/* | sort -u)" "3 2 600" "three files and a sheet"
W=()
for i in 1 2 3; do W[i]=$(echo "$T"/s/share-$i-of-4-*.json); done
sheet=$(echo "$T"/s/share-4-of-4-*.txt)

# ---- opened ----
check "the sheet and a card" opens --share "$sheet" --share "${W[1]}" --pin-file "$T/pin"
said 'Key slot 1 opens' "by their key slot"
check "two cards, a PIN for each" opens --share "${W[2]}" --share "${W[1]}" --pin-file "$T/pin2" --and-pin-file "$T/pin"
check "a security key and a card" opens --share "${W[3]}" --share "${W[2]}" --pin-file "$T/pin3" --and-pin-file "$T/pin2"
check "a Windows editor has saved it" bash -c 'printf "\xef\xbb\xbf" | cat - "$1" | sed "s/$/\r/" >"$2"' - "${W[1]}" "$T/bom"
check "... and it opens" opens --share "$sheet" --share "$T/bom" --pin-file "$T/pin"
drawer Officer
check_status 3 "without the card" opens --share "$sheet" --share "${W[1]}" --pin-file "$T/pin"
said "share-1-of-4-.*.json': the token of the holder of share 1 is not plugged in" "... which is said"
cat >"$T/plug" <<-'EOF'
	import os, sys
	pid, fd = os.forkpty()
	if pid == 0:
	    os.execvp(sys.argv[3], sys.argv[3:])
	seen, steps = b"", [(b"Plug in the token of the holder of share 1", lambda: os.rename(sys.argv[1], sys.argv[2]), b"\n"),
	         (b"PIN of Officer", lambda: None, b"135790\n"), (b"PIN of Green", lambda: None, b"4321\n")]
	while True:
	    try:
	        data = os.read(fd, 4096)
	    except OSError:
	        break
	    if not data:
	        break
	    seen += data
	    sys.stdout.buffer.write(data)
	    sys.stdout.flush()
	    if steps and steps[0][0] in seen:
	        steps[0][1]()
	        os.write(fd, steps.pop(0)[2])
	sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
EOF
out=$(dirname "$(grep -l Officer -r "$T/drawer" | head -n 1)")
check "it is waited for, and the next holder's PIN asked for" "$PYTHON" "$T/plug" "$out" "$T/tokens/officer" \
	sealdrive-soft key test "$drive" --pkcs11-module "$module" --share "${W[1]}" --share "${W[3]}"

# ---- another implementation ----
object=$("$PYTHON" -c 'import json, sys; print(json.load(open(sys.argv[1]))["token"]["pkcs11-key"])' "${W[1]}")
{
	printf '\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00'
	base64 -d <<<"$object"
} >"$T/point"
check "pkcs11-tool derives the card's secret" pkcs11-tool --module "$module" --token-label Officer --login --pin 135790 --derive \
	-m ECDH1-DERIVE --id 02 --input-file "$T/point" --output-file "$T/d"
check "Python and libcrypto open the share" "$PYTHON" -B "$JUDGE/share-unwrap.py" "${W[1]}" "$T/d"
cp "$T/out" "$T/plain" && chmod 600 "$T/plain"
check "which is the share" opens --share "$T/plain" --share "$sheet"
check_status 1 "the secret of another token opens nothing" "$PYTHON" -B "$JUDGE/share-unwrap.py" "${W[2]}" "$T/d"

# ---- what is wrong with one ----
edit() { # EXPRESSION: on the object s
	"$PYTHON" -c 'import base64, json, sys
s = json.load(open(sys.argv[1]))
exec(sys.argv[2])
print(json.dumps(s))' "${W[1]}" "$1" >"$T/edited" && chmod 600 "$T/edited"
}
flip() { # NAME: one bit of its last byte
	edit "b = bytearray(base64.b64decode(s['$1'])); b[-1] ^= 1; s['$1'] = base64.b64encode(bytes(b)).decode()"
}
wrong() { # PATTERN DESCRIPTION [OPTION...]: the edited one
	local pattern=$1 what=$2
	shift 2
	check_status 3 "$what" opens --share "$sheet" --share "$T/edited" "$@"
	said "edited'?:? ?$pattern" "... is named"
}
for name in sealed salt; do
	flip $name && wrong 'it is damaged, or the token is not the one' "a bit of $name" --pin-file "$T/pin"
done
edit "s['share'] = 2" && wrong 'somebody has changed which share' "another number" --pin-file "$T/pin"
edit "s['threshold'] = 3" && wrong "and '.*' do not agree|.* do not agree" "another threshold" --pin-file "$T/absent"
edit "s['set'] = 'c' * 16" && wrong 'is of the set cccccccccccccccc' "another set, before any PIN" --pin-file "$T/absent"
edit "s['share'] = 4" && wrong 'is the same share as' "the number of another, before any PIN" --pin-file "$T/absent"
edit "s['token']['pkcs11-uri'] += '?pin-source=/etc/passwd'" && check_status 3 "a PIN source in it" opens --share "$sheet" --share "$T/edited" --pin-file "$T/absent"
said "not allowed" "... is refused"
for change in "del s['token']" "s['token'] = {'type': 'passphrase'}" "s['sealed'] = ''" "s['sealed'] = 'A' * 99999" "s['share'] = 33" \
	"s['shares'] = 1" "s['share'] = -1" "s['share'] = 1 << 70" "s['set'] = 7" "s['salt'] = 'AAAA'" "s['type'] = 'x'" "s['token']['pkcs11-key'] = '?'"; do
	edit "$change" && wrong '' "$change" --pin-file "$T/absent"
done
head -c 200 "${W[1]}" >"$T/edited" && wrong 'it is neither a share nor one for a token' "one that is cut off"
check_status 3 "a wrong PIN" opens --share "$sheet" --share "${W[3]}" --pin-file "$T/wrong"
said "The PIN is wrong: '.*share-3-of-4" "... is said of its file"
is "$(tries)" 7 "... and costs one try"
check "the right one" opens --share "$sheet" --share "${W[3]}" --pin-file "$T/pin3"
check_status 2 "a token besides" opens --share "$sheet" --token
check_status 3 "no PIN for a third token" opens --share "${W[1]}" --share "$T/plain" --pin-file "$T/pin"

# ---- removed ----
check "another set" sealdrive key add "$drive" --passphrase-file "$PASS" --shares 2 --threshold 2 --share-out "$T/s2"
check "the set is removed" sealdrive key remove "$drive" --passphrase-file "$PASS" --slot 1
check_status 3 "... and a share of it, before any PIN" opens --share "${W[3]}" --pin-file "$T/absent"
said 'of the set .* not of this drive' "... is said"
is "$(tries)" 8 "... without a try"
done_testing
