#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Drives that open with a security key (in software: tests/softfido/).
. "$(dirname "$0")/lib.sh"
need_fuse
export SOFTFIDO=$T/keys
mkdir "$T/keys" "$T/drawer" "$T/mnt"
plug() { printf 'pin=%s retries=8 uv=%s touch=0\n' "$2" "${3:-0}" >"$T/keys/$1"; } # NAME PIN [UV]
drive=$T/a.img
printf '1234\n' >"$T/pin"
printf '9999\n' >"$T/wrong"
printf 'known to nobody 4711\n' >"$T/phrase"
chmod 600 "$T/pin" "$T/wrong" "$T/phrase"
soft() { sealdrive-soft "$@"; }

check "a drive" soft format "$drive" --size 48M "${FAST_KDF[@]}" --passphrase-file "$T/phrase"
check_status 3 "no key is plugged in" soft key enroll "$drive" --token fido2 --passphrase-file "$T/phrase" --pin-file "$T/pin"
said 'no security key is plugged in' "... is said"
plug Blue 1234
before=$(sha256sum <"$drive")
check_status 3 "a wrong PIN" soft key enroll "$drive" --token fido2 --passphrase-file "$T/phrase" --pin-file "$T/wrong"
said 'The PIN is wrong' "... is said"
is "$(sha256sum <"$drive")" "$before" "... and changes nothing"
check "a key is enrolled" soft key enroll "$drive" --token fido2 --passphrase-file "$T/phrase" --pin-file "$T/pin" \
	--owner 'Nguyễn Văn A' --serial YK-7 --expires 2030-06-30
said 'Touch the security key now' "... the user is told when to touch it"
check "it is listed" soft key list "$drive"
said 'owner: Nguyễn Văn A.*serial number: YK-7.*expires: 2030-06-30' "... with who has it"
is "$(cryptsetup luksDump --dump-json-metadata "$drive" | $PYTHON -c 'import json, sys
t = [t for t in json.load(sys.stdin)["tokens"].values() if t["type"] == "systemd-fido2"][0]
print(t["type"], len(t["fido2-salt"]), t["fido2-rp"], t["fido2-clientPin-required"], t["fido2-up-required"], t["fido2-uv-required"])')" \
	"systemd-fido2 44 io.systemd.cryptsetup True True False" "systemd's members are there"
check "it opens the drive" soft mount "$drive" "$T/mnt" --token --pin-file "$T/pin"
echo hello >"$T/mnt/file"
check "... for one more key meanwhile" soft key test "$drive" --token fido2 --pin-file "$T/pin"
check "... unmounted" soft unmount "$drive"
for text in '' '123' '12\0013' "$(head -c 300 /dev/zero | tr '\0' 1)"; do
	(umask 077 && printf '%b\n' "$text" >"$T/none")
	check_status 3 "no PIN: '${text:0:8}'" soft key test "$drive" --token --pin-file "$T/none"
	said 'cannot be the PIN' "... is not tried"
	is "$(grep -o 'retries=.' "$T/keys/Blue")" retries=8 "... and costs nothing"
done
(umask 077 && printf '1234\r\n' >"$T/none")
check "a file from Windows" soft key test "$drive" --token --pin-file "$T/none"
check_status 2 "nobody to ask" setsid sealdrive-soft key test "$drive" --token
said '--pin-file for the PIN' "... is told what else there is"
check_status 3 "a wrong PIN" soft mount "$drive" "$T/mnt" --token --pin-file "$T/wrong"
is "$(grep -o 'retries=.' "$T/keys/Blue")" retries=7 "... was tried once"
sed -i 's/touch=0/touch=1/' "$T/keys/Blue"
check_status 1 "not touched" soft mount "$drive" "$T/mnt" --token --pin-file "$T/pin"
said 'was not touched' "... is said"
sed -i 's/touch=1/touch=0/' "$T/keys/Blue"

# ---- two keys ----
mv "$T/keys/Blue" "$T/drawer"
plug Red 4321
printf '4321\n' >"$T/pin2"
chmod 600 "$T/pin2"
check_status 3 "another key" soft mount "$drive" "$T/mnt" --token --pin-file "$T/pin2"
said 'No token that opens this drive is plugged in' "... is not the one"
check "... enrolled too" soft key enroll "$drive" --token fido2 --passphrase-file "$T/phrase" --pin-file "$T/pin2" --serial YK-8
mv "$T/drawer/Blue" "$T/keys"
check_status 3 "with two plugged in nothing is enrolled" soft key enroll "$drive" --token fido2 --passphrase-file "$T/phrase" \
	--pin-file "$T/pin"
said 'leave only one in' "... because it is not clear which"
check "the first opens it" soft key test "$drive" --token --pin-file "$T/pin"
check "a lost key is revoked" soft key revoke "$drive" --serial YK-7 --passphrase-file "$T/phrase"
check_status 3 "... and opens nothing" soft key test "$drive" --token --pin-file "$T/pin"
mv "$T/keys/Blue" "$T/drawer"
check "... but the other does" soft key test "$drive" --token --pin-file "$T/pin2"
is "$(cryptsetup luksDump "$drive" | grep -c systemd-fido2)" 1 "nothing of it is left in the header"
check_status 2 "an unknown token" soft key enroll "$drive" --token usb --passphrase-file "$T/phrase"
check_status 2 "no serial number is not that of all keys without one" soft key revoke "$drive" --serial '' --passphrase-file "$T/phrase"
check_status 2 "a day that is none" soft key enroll "$drive" --token fido2 --expires 2030-02-30 --passphrase-file "$T/phrase"
check "the files are there" soft mount "$drive" "$T/mnt" --token --pin-file "$T/pin2"
is "$(cat "$T/mnt/file")" hello "... as they were"
check "... unmounted" soft unmount "$drive"

# ---- another key in its key slot ----
slot=$(cryptsetup luksDump --dump-json-metadata "$drive" | $PYTHON -c 'import json, sys
print([t for t in json.load(sys.stdin)["tokens"].values() if t["type"] == "systemd-fido2"][0]["keyslots"][0])')
printf 'nor is this one 1174\n' >"$T/phrase2"
chmod 600 "$T/phrase2"
check "its key slot gets a passphrase" soft key change "$drive" --slot "$slot" --passphrase-file "$T/phrase" \
	--new-passphrase-file "$T/phrase2" "${FAST_KDF[@]}"
check_status 3 "the security key opens nothing now" soft key test "$drive" --token --pin-file "$T/pin2"
check_status 1 "nor is its serial number one to revoke" soft key revoke "$drive" --serial YK-8 --passphrase-file "$T/phrase"
check "so that the passphrase stays" soft key test "$drive" --passphrase-file "$T/phrase2"
check "a security key is enrolled again" soft key enroll "$drive" --token fido2 --passphrase-file "$T/phrase" --pin-file "$T/pin2" --serial YK-8
check "its key slot is removed" soft key remove "$drive" --token --pin-file "$T/pin2"
is "$(cryptsetup luksDump "$drive" | grep -cE 'systemd-fido2|sealdrive-custody')" 0 "and nothing of it is left in the header"
check "... and once more" soft key enroll "$drive" --token fido2 --passphrase-file "$T/phrase" --pin-file "$T/pin2" \
	--serial YK-8 --new-slot 9
check "its key slot is erased" soft erase "$drive" --slot 9 --confirm "$(cryptsetup luksUUID "$drive")" \
	--passphrase-file "$T/phrase"
is "$(cryptsetup luksDump "$drive" | grep -cE 'systemd-fido2|sealdrive-custody')" 0 "and nothing of it is left in the header"

# ---- nothing secret is left ----
is "$(grep -c -e 1234 -e 4321 "$T/out")" 0 "no PIN is shown"
done_testing
