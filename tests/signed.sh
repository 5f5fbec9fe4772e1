#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Signatures against openssl and certtool, both ways; a policy that binds only when it is signed, and never
# in an older version.
. "$(dirname "$0")/lib.sh"
need_command openssl cryptsetup
cd "$T/home" || exit 99

# ---- a CA, signers, a stranger, and a certificate that has run out ----
umask 077
new_cert() { # NAME KEY-OPTIONS... : issued by the CA
	local name=$1
	shift
	openssl genpkey "${@}" -out "$name.key" 2>/dev/null &&
		openssl req -new -key "$name.key" -subj "/O=Office/CN=$name" -out "$name.csr" &&
		openssl x509 -req -in "$name.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -days "${DAYS:-30}" -out "$name.pem" 2>/dev/null
}
ec=(-algorithm EC -pkeyopt ec_paramgen_curve:P-256)
must "a CA" bash -c 'openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out ca.key &&
	openssl req -x509 -new -key ca.key -subj "/O=Office/CN=CA" -days 30 -out ca.pem'
must "a signer, P-256" new_cert ec "${ec[@]}"
must "a signer, RSA" new_cert rsa -algorithm RSA -pkeyopt rsa_keygen_bits:2048
must "a stranger" bash -c 'openssl req -x509 -newkey rsa:2048 -nodes -keyout stranger.key -subj /CN=stranger -out stranger.pem -days 30 2>/dev/null'
must "a certificate that has run out" bash -c 'openssl req -new -x509 -key ec.key -subj /CN=old -days -1 -out old.pem 2>/dev/null ||
	openssl x509 -req -in ec.csr -signkey ec.key -days -1 -out old.pem 2>/dev/null'
cp ec.key old.key
check "every byte of signatures" env CMS_FLIPS_KEYS="$PWD" "$top_builddir/cms-flips"

# ---- policies ----
printf '{"schema": 1, "id": "ours", "version": 2, "inherits": "baseline", "title": {"en": "Ours", "vi": "Của ta"}, "checks": {}}\n' >p.json
for who in ec rsa; do
	check "sign ($who)" sealdrive policy sign p.json --sign-key $who.key --sign-cert $who.pem
	check "... verify, by his certificate" sealdrive policy verify p.json --trust $who.pem
	said "Good signature of policy ours, version 2, by .*$who" "... says who"
	said 'baseline is not covered.*' "... and what he has not signed"
	check "... verify, by his CA" sealdrive policy verify p.json --trust ca.pem
	check "... openssl agrees" openssl cms -verify -binary -inform DER -in p.json.p7s -content p.json -CAfile ca.pem -purpose any -out verified
	check "... about these bytes" cmp verified p.json
	if command -v certtool >/dev/null; then
		check "... certtool agrees" certtool --p7-verify --inder --infile p.json.p7s --load-data p.json --load-ca-certificate ca.pem
	else
		skip "... certtool agrees" "certtool is not installed"
	fi
	refused 1 p.json 'not the one that is trusted' "... but not a stranger's" sealdrive policy verify p.json --trust stranger.pem
done
check "openssl signs" openssl cms -sign -binary -in p.json -signer rsa.pem -inkey rsa.key -outform DER -out p.json.p7s -md sha256
check "... verify" sealdrive policy verify p.json --trust ca.pem
check "openssl signs with PSS" openssl cms -sign -binary -in p.json -signer rsa.pem -inkey rsa.key -keyopt rsa_padding_mode:pss -keyopt rsa_pss_saltlen:digest -outform DER -out pss.p7s -md sha256
check "... verify" sealdrive policy verify p.json --trust rsa.pem --signature pss.p7s
if command -v certtool >/dev/null; then
	check "certtool signs" certtool --p7-detached-sign --outder --infile p.json --outfile p.json.p7s --load-certificate ec.pem --load-privkey ec.key
	check "... verify" sealdrive policy verify p.json --trust ca.pem
fi
sed 's/Ours/Hers/' p.json >q.json
cp p.json.p7s q.json.p7s
refused 1 q.json 'not a signature of these bytes' "another text" sealdrive policy verify q.json --trust ca.pem
rm q.json.p7s
refused 1 q.json 'there is no signature' "no signature" sealdrive policy verify q.json --trust ca.pem
cp p.json q.json.p7s
refused 1 q.json 'signature' "no signature in the file" sealdrive policy verify q.json --trust ca.pem
check_status 1 "a key that is not the certificate's" sealdrive policy sign p.json --sign-key ec.key --sign-cert rsa.pem
echo '{' >broken.json
refused 1 broken.json 'line 2, column 1' "what is no policy is not signed" sealdrive policy sign broken.json --sign-key ec.key --sign-cert ec.pem
check_status 2 "sign without a key" sealdrive policy sign p.json

# ---- certificates that are not for this ----
refused 1 p.json 'not valid today' "nobody signs with a certificate that has run out" \
	sealdrive policy sign p.json --sign-key old.key --sign-cert old.pem --signature new.p7s
check "openssl does" openssl cms -sign -binary -in p.json -signer old.pem -inkey old.key -outform DER -out old.p7s -md sha256
refused 1 p.json 'not valid today' "... which is refused, pinned as it is" sealdrive policy verify p.json --trust old.pem --signature old.p7s
purpose() { # NAME EXTENSIONS...: a certificate of the CA, and a signature by it
	local name=$1
	shift
	openssl genpkey "${ec[@]}" -out "$name.key" 2>/dev/null && openssl req -new -key "$name.key" -subj "/CN=$name" -out "$name.csr" &&
		openssl x509 -req -in "$name.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -out "$name.pem" \
			-extfile <(printf '%s\n' "$@") 2>/dev/null &&
		openssl cms -sign -binary -in p.json -signer "$name.pem" -inkey "$name.key" -outform DER -out "$name.p7s" -md sha256
}
for mail in extendedKeyUsage=emailProtection keyUsage=digitalSignature keyUsage=nonRepudiation \
	extendedKeyUsage=serverAuth,1.3.6.1.5.5.7.3.36; do
	check "a certificate with $mail" purpose mail "$mail"
	check "... is one for signatures" sealdrive policy verify p.json --trust ca.pem --signature mail.p7s
done
for server in extendedKeyUsage=serverAuth,clientAuth keyUsage=keyEncipherment,dataEncipherment; do
	check "a certificate with $server" purpose server "$server"
	refused 1 p.json 'not one for signatures' "... is none" sealdrive policy verify p.json --trust ca.pem --signature server.p7s
	refused 1 p.json 'not one for signatures' "... and nobody signs with it" sealdrive policy sign p.json --sign-key server.key --sign-cert server.pem \
		--signature server2.p7s
done
check "one that a signer has issued, who is no CA" bash -c 'openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out child.key 2>/dev/null &&
	openssl req -new -key child.key -subj /CN=child -out child.csr &&
	openssl x509 -req -in child.csr -CA mail.pem -CAkey mail.key -CAcreateserial -days 30 -out child.pem 2>/dev/null &&
	openssl cms -sign -binary -in p.json -signer child.pem -inkey child.key -outform DER -out child.p7s -md sha256'
refused 1 p.json 'not the one that is trusted' "... is not trusted because he is pinned" sealdrive policy verify p.json --trust mail.pem --signature child.p7s
check "a signature with SHA-1" openssl cms -sign -binary -in p.json -signer rsa.pem -inkey rsa.key -outform DER -out sha1.p7s -md sha1
refused 1 p.json 'hash function is not good enough' "... is not good enough" sealdrive policy verify p.json --trust rsa.pem --signature sha1.p7s
check "a signature with SHA-512" openssl cms -sign -binary -in p.json -signer rsa.pem -inkey rsa.key -outform DER -out sha512.p7s -md sha512
check "... is" sealdrive policy verify p.json --trust rsa.pem --signature sha512.p7s
check "a signature by two" openssl cms -sign -binary -in p.json -signer rsa.pem -inkey rsa.key -signer stranger.pem -inkey stranger.key \
	-outform DER -out two.p7s -md sha256
refused 1 p.json 'not the one' "... of whom one is a stranger" sealdrive policy verify p.json --trust ca.pem --signature two.p7s

# ---- facts, checkpoints ----
check "a drive" new_drive a.img 32M
sealdrive audit a.img --facts facts --sign-key ec.key --sign-cert ec.pem >/dev/null
check "facts are signed" openssl cms -verify -binary -inform DER -in facts.p7s -content facts -CAfile ca.pem -purpose any -out verified
check_status 9 "... and audited as such" sealdrive audit facts --trust ca.pem
refused 1 facts 'not the one' "... but not under a stranger" sealdrive audit facts --trust stranger.pem
check "a signed checkpoint" sealdrive log checkpoint --output cp --sign-key ec.key --sign-cert ec.pem
check "... openssl agrees" openssl cms -verify -binary -inform DER -in cp.p7s -content cp -CAfile ca.pem -purpose any -out verified
check "... verify" sealdrive log verify --checkpoint cp --trust ca.pem
sed 's/"ts":"2/"ts":"1/' cp >cp2 && cp cp.p7s cp2.p7s
check_status 9 "... a changed one" sealdrive log verify --checkpoint cp2 --trust ca.pem
said '^sealdrive: cp2: ' "... which is named"
check_status 9 "... a stranger's" sealdrive log verify --checkpoint cp --trust stranger.pem
sealdrive audit a.img --trust ca.pem >"$T/out" 2>&1
said 'had nothing to verify' "--trust, and only drives, is told that it means nothing"
printf '{"schema": 1, "waivers": []}' >w
refused 1 w 'no signature' "waivers without a signature" sealdrive audit facts --trust ca.pem --waivers w
printf '{"schema": 1, "drives": []}' >inventory
refused 1 inventory 'no signature' "an inventory without a signature" sealdrive audit facts --trust ca.pem --inventory inventory
check "one with a signature" openssl cms -sign -binary -in inventory -signer ec.pem -inkey ec.key -outform DER -out inventory.p7s -md sha256
check_status 9 "... is taken" sealdrive audit facts --trust ca.pem --inventory inventory

# ---- a policy that binds when it is signed ----
mkdir etc log
cp p.json etc/policy.json
cp ca.pem etc/policy-signer.pem
try() { sealdrive-bound format "$T/home/n.img" --size 32M --passphrase-file "$PASS" "${FAST_KDF[@]}"; }
refused 5 n.img 'there is no signature' "a policy without the signature that is asked for" try
cp p.json.p7s etc/policy.json.p7s
refused 5 n.img 'H-09 \(policy ours/2\)' "a signed one binds" try
sed -i 's/"version": 2/"version": 1/' etc/policy.json
refused 5 n.img 'not a signature of these bytes' "a changed one forbids" try
sealdrive policy sign etc/policy.json --sign-key ec.key --sign-cert ec.pem >/dev/null
refused 5 n.img 'the older version 1' "an older one, signed, forbids" try
sed -i 's/"version": 1/"version": 3/; s/"checks": {}/"checks": {"H-09": {"mode": "warn"}}/' etc/policy.json
sealdrive policy sign etc/policy.json --sign-key ec.key --sign-cert ec.pem >/dev/null
check "a newer one is what binds from then on" try
is "$("$PYTHON" -c 'import json; print(*(r["detail"]["version"] for r in map(json.loads, open("log/events.jsonl")) if r["op"] == "policy"))')" \
	"2 3" "each change of the policy is in the log"
rm etc/policy.json.p7s
printf '{"schema": 1, "id": "other", "version": 1, "inherits": "baseline", "title": {"en": "x", "vi": "y"}, "checks": {"H-09": {"mode": "warn"}}}' >etc/policy.json
sealdrive policy sign etc/policy.json --sign-key ec.key --sign-cert ec.pem >/dev/null
refused 5 n3.img 'version 3 of another one was in force' "another policy is no way back" sealdrive-bound format n3.img --size 32M --passphrase-file "$PASS" "${FAST_KDF[@]}"
sed -i 's/"version": 1/"version": 4/' etc/policy.json
sealdrive policy sign etc/policy.json --sign-key ec.key --sign-cert ec.pem >/dev/null
check "sealdrive policy list" sealdrive-bound policy list
said 'other +4 +binds, signed' "... a policy whose signature is good"
said 'inherits from baseline is not covered' "... and what it does not cover"
check "another policy" sealdrive-bound format "$T/home/n3.img" --size 32M --passphrase-file "$PASS" "${FAST_KDF[@]}"
cp p.json etc/policy.json && cp p.json.p7s etc/policy.json.p7s
sealdrive policy sign etc/policy.json --sign-key ec.key --sign-cert ec.pem >/dev/null
refused 5 n.img 'the older version 2' "... is no way back to an older version of the first" try
rm etc/policy.json
refused 5 n2.img 'policy' "a signer without a policy forbids" sealdrive-bound format n2.img --size 32M --passphrase-file "$PASS" "${FAST_KDF[@]}"
done_testing
