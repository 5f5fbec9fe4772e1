#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Signatures by keys on a PKCS #11 token (SoftHSM, in a folder of its own) under policies, checkpoints, facts and
# manifests; openssl and certtool verify them.
. "$(dirname "$0")/lib.sh"
need_command softhsm2-util pkcs11-tool certtool openssl cryptsetup
module=$(find /usr/lib -name libsofthsm2.so 2>/dev/null | head -n 1)
[ -n "$module" ] || skip_all "SoftHSM's module is not there"
cd "$T/home" || exit 99

mkdir "$T/tokens"
printf 'directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\n' "$T/tokens" >"$T/softhsm.conf"
export SOFTHSM2_CONF=$T/softhsm.conf
pin=135790
(umask 077 && printf %s $pin >pin && printf 000000 >wrong)
must "a token" softhsm2-util --init-token --free --label Auditor --pin $pin --so-pin 24681012
tool() { pkcs11-tool --module "$module" --token-label Auditor --login --pin $pin "$@"; }
make_key() { # ID TYPE [OPTION...]: its certificate, by the CA, lies on the token as well
	local id=$1 type=$2
	shift 2
	tool --keypairgen --id "$id" --key-type "$type" --label "key $id" --usage-sign "$@" &&
		printf 'cn = "Auditor %s"\nexpiration_days = 30\nserial = 1%s\nsigning_key\n' "$id" "$id" >template &&
		GNUTLS_PIN=$pin certtool --provider "$module" --generate-certificate --outder --template template \
			--load-ca-certificate ca.pem --load-ca-privkey ca.key \
			--load-pubkey "pkcs11:token=Auditor;id=%$id;type=public" --outfile "cert.$id" &&
		openssl x509 -inform DER -in "cert.$id" -out "cert.$id.pem"
}
store_cert() { # ID
	tool --write-object "cert.$1" --type cert --id "$1" --label "key $1"
}
must "a CA" bash -c 'openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out ca.key &&
	openssl req -x509 -new -key ca.key -subj "/O=Office/CN=CA" -days 30 -out ca.pem'
for key in 01:rsa:2048 02:EC:prime256v1 03:EC:secp384r1; do
	must "a key: ${key#*:}" make_key "${key%%:*}" "${key#*:}"
	must "... its certificate" store_cert "${key%%:*}"
done
must "a key that wants the PIN for each use" make_key 04 EC:prime256v1 --always-auth
must "... its certificate" store_cert 04
must "a key without a certificate on the token" make_key 05 EC:prime256v1
uri() { echo "pkcs11:token=Auditor;id=%$1"; }
card=(--pkcs11-module "$module" --pin-file pin)

# ---- everything that is signed ----
judged() { # FILE DESCRIPTION
	check "... $2: openssl agrees" openssl cms -verify -binary -inform DER -in "$1.p7s" -content "$1" -CAfile ca.pem -purpose any -out verified
	check "... about these bytes" cmp verified "$1"
	check "... certtool agrees" certtool --p7-verify --inder --infile "$1.p7s" --load-data "$1" --load-ca-certificate ca.pem
}
printf '{"schema": 1, "id": "ours", "version": 2, "inherits": "baseline", "title": {"en": "Ours", "vi": "Của ta"}, "checks": {}}\n' >p.json
for id in 01 02 03 04; do
	check "policy sign, key $id" sealdrive policy sign p.json --sign-key "$(uri $id)" "${card[@]}"
	judged p.json "key $id"
	check "... verify" sealdrive policy verify p.json --trust ca.pem
	said "by .*Auditor $id" "... says who"
	rm p.json.p7s
done
check "the PIN is typed" "$PYTHON" "$top_srcdir/tests/terminal.py" "wait:PIN of Auditor" "type:$pin" -- \
	sealdrive policy sign p.json --sign-key "$(uri 02)" --pkcs11-module "$module"
is "$(grep -c 'Just Enter' "$T/out")" 0 "... and no passphrase is offered in its place"
judged p.json "that, too"
rm p.json.p7s
check "a certificate in a file" sealdrive policy sign p.json --sign-key "$(uri 05)" --sign-cert cert.05.pem "${card[@]}"
judged p.json "that one"
check_status 1 "another key's certificate" sealdrive policy sign p.json --sign-key "$(uri 05)" --sign-cert cert.02.pem "${card[@]}"
said 'not the certificate of the key' "... is refused"
must "a drive" new_drive a.img 32M
sealdrive audit a.img --facts facts --sign-key "$(uri 02)" "${card[@]}" >/dev/null
judged facts "facts"
check_status 9 "... audited as such" sealdrive audit facts --trust ca.pem
check "a checkpoint" sealdrive log checkpoint --output cp --sign-key "$(uri 01)" "${card[@]}"
judged cp "checkpoint"
check "... verify" sealdrive log verify --checkpoint cp --trust ca.pem
if fuse_ready; then
	check "a manifest" sealdrive manifest a.img --passphrase-file "$PASS" --output list --sign-key "$(uri 03)" "${card[@]}"
	judged list "manifest"
	check "... verify" sealdrive manifest verify list a.img --passphrase-file "$PASS" --trust ca.pem
	check_status 3 "a manifest, and a wrong PIN at its end" sealdrive manifest a.img --passphrase-file "$PASS" --output late --sign-key "$(uri 03)" \
		--pkcs11-module "$module" --pin-file wrong
	said 'written and whole, but not signed' "... is there"
	check "... and is signed later" sealdrive manifest sign late --sign-key "$(uri 03)" "${card[@]}"
	judged late "manifest"
	head -n -1 late >shortened
	refused 1 shortened 'end is missing' "what was cut off is not signed" sealdrive manifest sign shortened --sign-key "$(uri 03)" "${card[@]}"
else
	skip "a manifest" "no /dev/fuse or no fusermount3 here"
fi

# ---- what goes wrong: nothing is written ----
rm -f p.json.p7s
bad() { # STATUS PATTERN DESCRIPTION URI [OPTION...]
	local status=$1 pattern=$2 what=$3 key=$4
	shift 4
	check_status "$status" "$what" sealdrive policy sign p.json --sign-key "$key" "$@"
	said "$pattern" "... is said"
	check "... and nothing is written" test ! -e p.json.p7s
}
bad 3 'PIN is wrong' "a wrong PIN" "$(uri 02)" --pkcs11-module "$module" --pin-file wrong
bad 3 'PIN is wrong' "... before each use" "$(uri 04)" --pkcs11-module "$module" --pin-file wrong
bad 1 'not plugged in' "a token that is not there" 'pkcs11:token=Other;id=%02' "${card[@]}"
bad 1 'no certificate of that key' "a key that is not there" "$(uri 77)" "${card[@]}"
bad 1 'no such key' "... with a certificate in a file" "$(uri 77)" --sign-cert cert.02.pem "${card[@]}"
bad 1 'several keys' "several keys" 'pkcs11:token=Auditor' "${card[@]}"
bad 1 'module .* cannot be loaded' "a module that is none" "$(uri 02)" --pkcs11-module /bin/true --pin-file pin
for more in '?pin-value=135790' '?pin-source=/etc/passwd' '?module-path=/tmp/x.so' ';slot-id=0' ';x-vendor=1'; do
	bad 1 'not allowed' "refused: $more" "$(uri 02)$more" "${card[@]}"
done
check_status 1 "a manifest whose key is not there is not begun" sealdrive manifest a.img --passphrase-file "$PASS" --output list2 \
	--sign-key "$(uri 77)" "${card[@]}"
check "... and not written" test ! -e list2

# ---- a drive that a token opens is audited with it ----
must "a key to open drives with" tool --keypairgen --id 06 --key-type rsa:2048 --label "key 06" --usage-decrypt
(umask 077 && printf 'cn = "Auditor"\nexpiration_days = 30\nserial = 1\n' >template)
must "... its certificate" bash -c 'GNUTLS_PIN='$pin' certtool --provider "$0" --generate-certificate --outder --template template \
	--load-ca-certificate ca.pem --load-ca-privkey ca.key --load-pubkey "pkcs11:token=Auditor;id=%06;type=public" --outfile cert.06' "$module"
must "... on it" store_cert 06
must "it opens the drive" sealdrive key enroll a.img --token "$(uri 06)" --passphrase-file "$PASS" "${card[@]}"
sealdrive audit a.img --token "${card[@]}" --format json >report 2>err
is "$("$PYTHON" -c 'import json
print(*(f["id"] + "=" + f["state"] for f in json.load(open("report"))["drives"][0]["findings"] if f["id"][0] == "U"))')" \
	"U-01=pass U-02=pass U-03=unknown U-04=pass U-06=pass" "an audit unlocks with the token"
done_testing
