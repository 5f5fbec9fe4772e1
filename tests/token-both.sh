#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Key slots that need two things together: a card of SoftHSM, a security key in software, a passphrase. HKDF of Python makes
# the passphrase of the key slot once more, and cryptsetup opens with it.
. "$(dirname "$0")/lib.sh"
need_command softhsm2-util pkcs11-tool cryptsetup
module=$(find /usr/lib -name libsofthsm2.so 2>/dev/null | head -n 1)
[ -n "$module" ] || skip_all "SoftHSM's module is not there"
mkdir "$T/tokens" "$T/keys" "$T/drawer"
printf 'directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\n' "$T/tokens" >"$T/softhsm.conf"
export SOFTHSM2_CONF=$T/softhsm.conf SOFTFIDO=$T/keys
for file in pin:135790 pin2:4321 wrong:999999 phrase:'known to nobody 4711' second:'mật khẩu thứ hai 88'; do
	printf '%s\n' "${file#*:}" >"$T/${file%%:*}"
done
chmod 600 "$T"/pin* "$T/wrong" "$T/phrase" "$T/second"
soft() { # COMMAND...
	sealdrive-soft "$@" --pkcs11-module "$module"
}
plug() { printf 'pin=%s retries=8 uv=0 touch=0\n' "$2" >"$T/keys/$1"; } # NAME PIN
for label in Officer Auditor; do
	must "a card: $label" softhsm2-util --init-token --free --label $label --pin 135790 --so-pin 24681012
	must "... with a key" pkcs11-tool --module "$module" --token-label $label --login --pin 135790 --keypairgen --id 02 \
		--key-type EC:prime256v1 --label key
done
check "the cards are listed" soft mount --token list
is "$(grep -cE '^(Officer|Auditor) \(SoftHSM' "$T/out") $(grep -c '^    pkcs11:.*token=' "$T/out")" "2 2" "by name and URI"
if [ -e /usr/share/p11-kit/modules/softhsm2.module ] && [ -e /usr/share/p11-kit/modules/p11-kit-trust.module ]; then
	check "those of all modules of the system are listed" sealdrive-soft mount --token list
	said '^Officer ' "... these cards"
	check_status 1 "... and not the system's certificates" grep -q 'System Trust' "$T/out"
else
	skip "those of all modules of the system are listed" "p11-kit does not know both modules"
fi
plug Green 1
check "a security key, too" soft key enroll --token list
said 'Green' "by its name"
rm "$T/keys/Green"
mkdir "$T/none"
sed "s|$T/tokens|$T/none|" "$T/softhsm.conf" >"$T/none.conf"
check_status 3 "nothing is plugged in" env SOFTHSM2_CONF="$T/none.conf" sealdrive-soft mount --token=list --pkcs11-module "$module"

drive=$T/a.img
must "a drive" sealdrive format "$drive" --size 40M "${FAST_KDF[@]}" --passphrase-file "$T/phrase"
enroll() { # OPTIONS...
	soft key enroll "$drive" --passphrase-file "$T/phrase" --pin-file "$T/pin" "$@"
}
by_token() { # OPTIONS...
	soft key test "$drive" --token --pin-file "$T/pin" "$@"
}

# ---- a card and a passphrase ----
check "a card and a passphrase" enroll --token 'pkcs11:token=Officer;id=%02' --and-passphrase --new-passphrase-file "$T/second" --new-slot 1
said "'Officer' and the passphrase open the drive together now, in key slot 1" "are enrolled together"
check "they open it together" by_token --passphrase-file "$T/second"
said 'Key slot 1 opens' "by their key slot"
check_status 3 "not with another passphrase" by_token --passphrase-file "$T/phrase"
check_status 3 "not the second passphrase alone" sealdrive key test "$drive" --passphrase-file "$T/second"
check_status 3 "nor with a wrong PIN" soft key test "$drive" --token --pin-file "$T/wrong" --passphrase-file "$T/second"
said 'The PIN is wrong' "... which is said"
iconv -f utf-8 -t utf-8 "$T/second" | "$PYTHON" -c 'import sys, unicodedata
sys.stdout.write(unicodedata.normalize("NFD", sys.stdin.read()))' >"$T/nfd"
chmod 600 "$T/nfd"
check "typed with another input method" by_token --passphrase-file "$T/nfd"
check "on the terminal: PIN, then passphrase" "$PYTHON" "$top_srcdir/tests/terminal.py" "wait:PIN of" "type:135790" "wait:Passphrase for" \
	"type:mật khẩu thứ hai 88" -- sealdrive-soft key test "$drive" --pkcs11-module "$module"
soft audit "$drive" --token --pin-file "$T/pin" --passphrase-file "$T/second" >"$T/out" 2>&1
is "$(grep -cE '^ *U-0[126] +pass' "$T/out")" 3 "an audit unlocks with them"
is "$(cryptsetup luksDump --disable-locks "$drive" | sed -n '/^  1: luks2/,/AF stripes/p' | grep -c argon2id)" 1 "to guess the passphrase is slow"

# ---- another implementation ----
object() { cryptsetup luksDump --disable-locks --dump-json-metadata "$drive" >"$T/json"; }
object
"$PYTHON" - "$T/json" >"$T/parts" <<-'EOF'
	import base64, json, sys
	token = [t for t in json.load(open(sys.argv[1]))["tokens"].values() if t["type"] == "sealdrive-both"][0]
	print(token["salt"], token["parts"][0]["pkcs11-key"], token["parts"][1]["type"], *token["keyslots"])
EOF
read -r salt wrapped kind slot <"$T/parts"
is "$kind $slot" "passphrase 1" "the token object says what is needed"
{
	printf '\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00'
	base64 -d <<<"$wrapped"
} >"$T/point"
check "pkcs11-tool derives the card's secret" pkcs11-tool --module "$module" --token-label Officer --login --pin 135790 --derive \
	-m ECDH1-DERIVE --id 02 --input-file "$T/point" --output-file "$T/d"
"$PYTHON" - "$salt" "$T/d" "$T/second" >"$T/combined" <<-'EOF'
	import base64, hashlib, hmac, struct, sys
	first, second = base64.b64encode(open(sys.argv[2], "rb").read()), open(sys.argv[3], "rb").read().rstrip(b"\n")
	key = b"".join(struct.pack(">I", len(s)) + s for s in (first, second))
	prk = hmac.new(base64.b64decode(sys.argv[1]), key, hashlib.sha256).digest()
	sys.stdout.write(hmac.new(prk, b"sealdrive two of two 1\1", hashlib.sha256).hexdigest())
EOF
check "cryptsetup opens with HKDF of both" cryptsetup open --disable-locks --test-passphrase --key-file "$T/combined" --key-slot 1 "$drive"

# ---- two tokens ----
check_status 3 "the second is not there" enroll --token 'pkcs11:token=Officer;id=%02' --and-token fido2
said 'no security key is plugged in' "... is said"
check_status 3 "twice the same" enroll --token 'pkcs11:token=Officer;id=%02' --and-token 'pkcs11:token=Officer'
said 'both are the same key' "... is said"
check "two cards" enroll --token 'pkcs11:token=Officer;id=%02' --and-token 'pkcs11:token=Auditor;id=%02' --new-slot 2 \
	--owner 'Nguyễn Văn A' --and-owner 'Trần Thị B' --and-serial C-22
said "'Officer' and 'Auditor' open the drive together now, in key slot 2" "are enrolled together"
sealdrive key remove "$drive" --slot 1 --passphrase-file "$T/phrase" >"$T/out"
check "they open it" by_token
said 'Key slot 2 opens' "by their key slot"
check "who has them" sealdrive key list "$drive"
said 'Key slot 2, owner: Nguyễn Văn A, token: Officer' "is listed"
said 'Key slot 2, owner: Trần Thị B, token: Auditor, serial number: C-22' "of both"
is "$(sealdrive key list "$drive" --json | "$PYTHON" -c 'import json, sys
s = [s for s in json.load(sys.stdin)["keyslots"] if s["id"] == 2][0]
print(s["custody"]["label"], *[c["serial"] for c in s["more_custody"]])')" "Officer C-22" "for programs, too"
cp "$drive" "$T/copy.img"
check "revoking the second one" sealdrive key revoke "$T/copy.img" --serial C-22 --passphrase-file "$T/phrase"
is "$(cryptsetup luksDump --disable-locks "$T/copy.img" | grep -cE 'sealdrive-(both|custody)')" 0 "... takes the pair away"
cp "$drive" "$T/copy.img"
number=$(pkcs11-tool --module "$module" --list-token-slots | tr -d '\0' | grep -aF -A 6 "token label        : Auditor" | sed -n 's/.*serial num  *: //p' | head -n 1)
check "... by the number that the card itself has, too" sealdrive key revoke "$T/copy.img" --serial "$number" --passphrase-file "$T/phrase"
rm "$T/copy.img"
mv "$(dirname "$(grep -l Auditor -r "$T/tokens" | head -n 1)")" "$T/drawer/auditor"
check_status 3 "one is not enough" by_token
said 'needs two tokens, and the second one is missing' "... which is said"
sealdrive key remove "$drive" --slot 2 --passphrase-file "$T/phrase" >"$T/out"
plug Blue 4321
check "a card and a security key" enroll --token 'pkcs11:token=Officer;id=%02' --and-token fido2 --and-pin-file "$T/pin2" --serial C-7 --new-slot 3
check "they open it" by_token --and-pin-file "$T/pin2"
check_status 3 "not with one PIN for both" by_token
check "key list says so" sealdrive key list "$drive"
said 'Key slot 3 needs two together: a smart card and a security key' "in words"
# the second key is plugged in when it is asked for
cat >"$T/two" <<-'EOF'
	import os, pathlib, sys
	pid, fd = os.forkpty()
	if pid == 0:
	    os.execvp(sys.argv[3], sys.argv[3:])
	seen = b""
	while True:
	    try:
	        data = os.read(fd, 4096)
	    except OSError:
	        break
	    if not data:
	        break
	    seen += data
	    if b"Plug in the second" in seen:
	        os.rename(sys.argv[1], sys.argv[2])
	        os.write(fd, b"\n")
	        seen = b""
	    sys.stdout.buffer.write(data)
	    sys.stdout.flush()
	sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
EOF
printf 'pin=4321 retries=8 uv=0 touch=0\n' >"$T/drawer/Red"
check "two security keys" "$PYTHON" "$T/two" "$T/drawer/Red" "$T/keys/Red" sealdrive-soft key enroll "$drive" --passphrase-file "$T/phrase" \
	--pin-file "$T/pin2" --token fido2 --and-token fido2 --new-slot 4
said 'Blue.* and .*Red.* open the drive together now, in key slot 4' "the second plugged in when it was asked for"
check "both plugged in open it" sealdrive-soft key test "$drive" --slot 4 --token --pin-file "$T/pin2"
mv "$T/keys/Red" "$T/drawer"
check_status 3 "one of them does not" sealdrive-soft key test "$drive" --slot 4 --token --pin-file "$T/pin2"
check "one after the other does" "$PYTHON" "$T/two" "$T/drawer/Red" "$T/keys/Red" sealdrive-soft key test "$drive" --slot 4 --token --pin-file "$T/pin2"
# keys that recognise their users say nothing of what they hold before
rm "$T/keys/Red"
mv "$T/keys/Blue" "$T/drawer/Blue"
for name in Eye Thumb; do printf 'pin=1 retries=8 uv=1 touch=0\n' >"$T/drawer/$name"; done
mv "$T/drawer/Eye" "$T/keys"
both_eyes=(sealdrive-soft key enroll "$drive" --passphrase-file "$T/phrase" --token fido2 --and-token fido2 --user-verification)
check_status 3 "one key that recognises its user, twice" "${both_eyes[@]}" </dev/null
said 'no other security key is plugged in' "... is said by the key itself"
check "two of them, one after the other" "$PYTHON" "$T/two" "$T/drawer/Thumb" "$T/keys/Thumb" "${both_eyes[@]}" --new-slot 6
said 'Eye.* and .*Thumb.* open the drive together now, in key slot 6' "are enrolled together"
check "both plugged in open it" sealdrive-soft key test "$drive" --slot 6 --token
mv "$T/keys/Thumb" "$T/drawer"
check_status 3 "one of them does not" sealdrive-soft key test "$drive" --slot 6 --token
check "one after the other does" "$PYTHON" "$T/two" "$T/drawer/Thumb" "$T/keys/Thumb" sealdrive-soft key test "$drive" --slot 6 --token
sealdrive key remove "$drive" --slot 6 --passphrase-file "$T/phrase" >"$T/out"
rm "$T/keys/Eye" "$T/keys/Thumb"
mv "$T/drawer/Blue" "$T/keys/Blue"

# priorities: now a card with a security key is in key slot 3, and two security keys are in 4
check "a second pair with the card" enroll --token 'pkcs11:token=Officer;id=%02' --and-token fido2 --and-pin-file "$T/pin2" --new-slot 7 --priority high
check "the one that comes first" by_token --and-pin-file "$T/pin2"
said 'Key slot 7 opens' "is used"
sealdrive key change "$drive" --slot 7 --priority ignore --passphrase-file "$T/phrase" >"$T/out"
check "set to be ignored" by_token --and-pin-file "$T/pin2"
said 'Key slot 3 opens' "it is left alone"
check "but not when it is named" by_token --and-pin-file "$T/pin2" --slot 7
sealdrive key remove "$drive" --slot 7 --passphrase-file "$T/phrase" >"$T/out"

before=$(unchanged_sum "$drive")
rm "$T/keys/Blue"
check_status 3 "a card alone opens nothing" by_token
is "$(unchanged_sum "$drive")" "$before" "nothing was changed"
check "the card is revoked" sealdrive key revoke "$drive" --serial C-7 --passphrase-file "$T/phrase"
is "$(cryptsetup luksDump --disable-locks "$drive" | grep -c sealdrive-both)" 1 "only the other pair is left"
check_status 2 "two seconds" enroll --token fido2 --and-token fido2 --and-passphrase
check_status 2 "an owner of a second that there is not" enroll --token fido2 --and-passphrase --and-owner X
check_status 2 "an unknown second" enroll --token fido2 --and-token usb
done_testing
