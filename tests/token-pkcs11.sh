#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Keys on PKCS #11 tokens (SoftHSM, in a folder of its own) against those of systemd-cryptenroll.
. "$(dirname "$0")/lib.sh"
need_command softhsm2-util pkcs11-tool certtool cryptsetup
module=$(find /usr/lib -name libsofthsm2.so 2>/dev/null | head -n 1)
[ -n "$module" ] || skip_all "SoftHSM's module is not there"

mkdir "$T/tokens"
printf 'directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\n' "$T/tokens" >"$T/softhsm.conf"
export SOFTHSM2_CONF=$T/softhsm.conf
pin=135790
check "a token" softhsm2-util --init-token --free --label Officer --pin $pin --so-pin 24681012
tool() { pkcs11-tool --module "$module" --token-label Officer --login --pin $pin "$@"; }
make_key() { # ID TYPE: with a certificate
	tool --keypairgen --id "$1" --key-type "$2" --label "key $1" &&
		printf 'cn = "Officer"\nexpiration_days = 30\nserial = 1\n' >"$T/template" &&
		GNUTLS_PIN=$pin certtool --provider "$module" --generate-self-signed --outder --template "$T/template" \
			--load-privkey "pkcs11:token=Officer;id=%$1;type=private" \
			--load-pubkey "pkcs11:token=Officer;id=%$1;type=public" --outfile "$T/cert.$1" &&
		tool --write-object "$T/cert.$1" --type cert --id "$1" --label "key $1"
}
for key in 01:rsa:2048 02:EC:prime256v1 03:EC:secp384r1 04:rsa:3072; do
	check "a key: ${key#*:}" make_key "${key%%:*}" "${key#*:}"
done
field() { sed -n "s/^$1: //p" "$T/enrolled"; }
enroll() { tokentool enroll "$module" "pkcs11:token=Officer;id=%$1" $pin "$2" >"$T/enrolled"; }
unlock() { # PIN: what field() has
	tokentool unlock "$module" "$(field uri)" "$(field padding)" "$(field wrapped)" "$1"
}

# ---- what is wrapped is unwrapped ----
for id in 01 02 03 04; do
	check "key $id: a secret for it" enroll $id any
	check "... which it gives back" unlock $pin
	is "$(sed -n 's/^passphrase: //p' "$T/out")" "$(field passphrase)" "... unchanged"
done
# another implementation unwraps, too
check "RSA, PKCS #1 v1.5" enroll 04 v15
field wrapped | base64 -d >"$T/wrapped"
check "... pkcs11-tool decrypts it" tool --decrypt -m RSA-PKCS --id 04 --input-file "$T/wrapped" --output-file "$T/d"
is "$(base64 -w0 "$T/d")" "$(field passphrase)" "... to the same"
check "EC" enroll 02 any
# SubjectPublicKeyInfo of a point on P-256
{
	printf '\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00'
	field wrapped | base64 -d
} >"$T/point"
check "... pkcs11-tool derives" tool --derive -m ECDH1-DERIVE --id 02 --input-file "$T/point" --output-file "$T/d"
is "$(base64 -w0 "$T/d")" "$(field passphrase)" "... the same"

# ---- systemd's slots ----
systemd_slots() {
	drive=$T/systemd.img
	printf 'officer' >"$T/key"
	truncate -s 32M "$drive"
	check "a drive by cryptsetup" cryptsetup luksFormat -q --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 \
		"$drive" "$T/key"
	check "systemd-cryptenroll enrols a key" env PIN=$pin PASSWORD=officer \
		systemd-cryptenroll --pkcs11-token-uri="pkcs11:token=Officer;id=%04" "$drive"
	cryptsetup token export --token-id 0 "$drive" >"$T/token"
	json() { $PYTHON -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$T/token" "$1"; }
	check "we unwrap its secret" tokentool unlock "$module" "$(json pkcs11-uri)" 0 "$(json pkcs11-key)" $pin
	sed -n 's/^passphrase: //p' "$T/out" | tr -d '\n' >"$T/phrase"
	check "... which opens the slot" cryptsetup open --test-passphrase --key-slot 1 --key-file "$T/phrase" "$drive"

	# ours, for its plugin
	check "a secret for systemd" enroll 01 v15
	field passphrase | tr -d '\n' >"$T/phrase"
	check "... as a slot" cryptsetup luksAddKey -q --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --key-file "$T/key" \
		--new-key-slot 5 "$drive" "$T/phrase"
	printf '{"type":"systemd-pkcs11","keyslots":["5"],"pkcs11-uri":"%s","pkcs11-key":"%s"}' \
		"$(field uri)" "$(field wrapped)" | cryptsetup token import --token-id 5 "$drive"
	check "systemd's plugin opens it" sh -c "printf %s $pin |
		cryptsetup open --test-passphrase --token-only --token-id 5 '$drive'"
}
if command -v systemd-cryptenroll >/dev/null; then
	systemd_slots
else
	skip "slots of systemd-cryptenroll" "systemd-cryptenroll is not installed"
fi

# ---- what goes wrong ----
check "..." enroll 02 any
check_status 3 "a wrong PIN" unlock 000000
said 'The PIN is wrong' "... is said"
is "$(grep -c '^asked for' "$T/out")" 1 "... and asked for once"
check_status 3 "... the next time" unlock 000001
said 'state 1' "... the user is warned"
check "the right one" unlock $pin
check_status 3 "another key's secret" tokentool unlock "$module" "$(field uri | sed 's/id=%02/id=%01/')" 1 \
	"$(field wrapped)" $pin
check_status 3 "a point that is not on the curve" tokentool unlock "$module" "$(field uri)" 0 \
	"$( (printf '\004'; head -c 64 /dev/zero | tr '\0' '\1') | base64 -w0)" $pin
check_status 3 "a token that is not there" tokentool unlock "$module" "pkcs11:token=Other;id=%02" 0 "$(field wrapped)" $pin
said 'No token that opens this drive is plugged in' "... is said"
check_status 3 "a key that is not there" tokentool unlock "$module" "pkcs11:token=Officer;id=%77" 0 "$(field wrapped)" $pin
check_status 3 "a token with several keys" tokentool enroll "$module" "pkcs11:token=Officer" $pin any
said 'several keys' "... needs an id"
check_status 3 "a module that is none" tokentool unlock /bin/true "$(field uri)" 0 "$(field wrapped)" $pin
for uri in 'pkcs11:token=Officer?pin-value=1' 'pkcs11:token=Officer;id=%02?module-path=/tmp/x.so' \
	'pkcs11:token=Officer;id=%02?pin-source=/etc/passwd' 'pkcs11:library-description=x' 'pkcs11:slot-id=0' \
	'pkcs11:x-vendor=1' 'pkcs11:token' 'http://x' 'pkcs11:id=%zz'; do
	check_status 3 "refused: $uri" tokentool unlock "$module" "$uri" 0 "$(field wrapped)" $pin
	is "$(grep -c '^asked for' "$T/out")" 0 "... before any PIN is asked for"
done
done_testing
