#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Drives that open with a smart card (SoftHSM, in a folder of its own), from enrolling to revoking.
. "$(dirname "$0")/lib.sh"
need_command softhsm2-util pkcs11-tool cryptsetup
module=$(find /usr/lib -name libsofthsm2.so 2>/dev/null | head -n 1)
[ -n "$module" ] || skip_all "SoftHSM's module is not there"
mkdir "$T/tokens"
printf 'directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\n' "$T/tokens" >"$T/softhsm.conf"
export SOFTHSM2_CONF=$T/softhsm.conf
pin=135790
(umask 077 && printf '%s\n' $pin >"$T/pin")
drive=$T/a.img
card() { # LABEL: with a key on P-256
	softhsm2-util --init-token --free --label "$1" --pin $pin --so-pin 24681012 &&
		pkcs11-tool --module "$module" --token-label "$1" --login --pin $pin --keypairgen --id 01 --key-type EC:prime256v1 --label key
}
serial() { # LABEL
	pkcs11-tool --module "$module" --list-token-slots | tr -d '\0' | grep -aF -A 6 "token label        : $1" |
		sed -n 's/.*serial num  *: //p' | head -n 1
}
enroll() { # URI [OPTION...]
	sealdrive key enroll "$drive" --token "$@" --pkcs11-module "$module" --passphrase-file "$PASS" --pin-file "$T/pin"
}
opens() { # [OPTION...]
	case ${1-} in
	--token=*) ;;
	*) set -- --token "$@" ;;
	esac
	sealdrive key test "$drive" --pkcs11-module "$module" --pin-file "$T/pin" "$@"
}
slots() { # how many key slots there are
	sealdrive key list "$drive" --json | "$PYTHON" -c 'import json, sys; print(len(json.load(sys.stdin)["keyslots"]))'
}
must "a card" card Officer
must "another card, with a name in another character set" card $'Th\xe9 B'
must "a drive" new_drive "$drive" 32M --label Contracts

# ---- enrolling ----
sum=$(unchanged_sum "$drive")
check_status 3 "a card that is not plugged in" enroll 'pkcs11:token=Nobody;id=%01'
said 'cannot be enrolled: no card .* plugged in' "... is said"
said 'p11tool --list-all' "... with what shows those that are"
for uri in 'pkcs11:token=Officer?pin-value=1' 'pkcs11:token=Officer;id=%zz' 'pkcs11:slot-id=0'; do
	check_status 2 "wrong usage: $uri" enroll "$uri"
done
check_status 2 "a card without a PIN" enroll 'pkcs11:token=Officer;id=%01' --no-pin
said 'for security keys, not for cards' "... is nothing that we could promise"
check_status 2 "padding for a security key" sealdrive key enroll "$drive" --token fido2 --padding oaep --passphrase-file "$PASS"
check_status 2 "a day that has passed" enroll 'pkcs11:token=Officer;id=%01' --expires 2020-02-29
check_status 2 "a token of a kind that there is not" opens --token=usb
is "$(unchanged_sum "$drive")" "$sum" "the drive is as it was"
check "a card is enrolled" enroll 'pkcs11:token=Officer;id=%01' --owner 'Nguyễn Văn A' --serial 'KHO 7'
check "... and opens the drive" opens
check "... another time" enroll 'pkcs11:token=Officer;id=%01'
said 'opens the drive already, in key slot 1' "... which is worth a word"
check "the other card" enroll 'pkcs11:id=%01;token=Th%E9%20B' --owner $'\xff\e[31mX\u202e'
check "who has what" sealdrive key list "$drive"
said 'Key slot 1, owner: Nguyễn Văn A, token: Officer, serial number: KHO 7, enrolled: ' "... is listed"
said 'Key slot 3, owner: ..\[31mX., token: Th. B' "... as far as it can be shown"
is "$(grep -c $'\e' "$T/out")" 0 "... and does not reach the terminal otherwise"
sealdrive key list "$drive" --json >"$T/json"
is "$("$PYTHON" -c 'import json, sys
c = [s["custody"] for s in json.load(open(sys.argv[1]))["keyslots"]]
print(c[0], c[1]["owner"], c[1]["serial"], c[1]["label"], c[1]["model"], c[1]["expires"] == "", len(c[1]["enrolled"]))' "$T/json")" \
	"None Nguyễn Văn A KHO 7 Officer SoftHSM v2 True 10" "... for programs"

# ---- priorities ----
check "a key slot is set to be ignored" sealdrive key change "$drive" --slot 1 --priority ignore --passphrase-file "$PASS"
check "... then the other one of the card opens the drive" opens
said 'Key slot 2 ' "... by itself"
check "... and that one when it is named" opens --slot 1
check "one comes first" sealdrive key change "$drive" --slot 1 --priority high --passphrase-file "$PASS"
check "... before the others" opens
said 'Key slot 1 ' "... of the card"

# ---- nothing secret is left ----
scan() {
	"$PYTHON" "$JUDGE/memory-scan.py" "$@"
}
long='Ma-so-cua-the-7f3a9c51'
(umask 077 && printf '%s\n' "$long" >"$T/long.pass")
secrets() { # what a mount leaves, as root sees it
	check "a card with a PIN that cannot be mistaken" softhsm2-util --init-token --free --label Long --pin "$long" --so-pin 24681012
	check "... and a key" pkcs11-tool --module "$module" --token-label Long --login --pin "$long" --keypairgen --id 01 --key-type EC:prime256v1
	check "... is enrolled" sealdrive key enroll "$drive" --token 'pkcs11:token=Long;id=%01' --pkcs11-module "$module" \
		--passphrase-file "$PASS" --pin-file "$T/long.pass" --new-slot 20 --serial LONG
	cryptsetup luksDump --dump-json-metadata "$drive" | "$PYTHON" -c 'import json, sys
t = [t for t in json.load(sys.stdin)["tokens"].values() if t["type"] == "systemd-pkcs11" and "20" in t["keyslots"]][0]
print(t["pkcs11-uri"], t["pkcs11-key"])' >"$T/fields"
	read -r uri key <"$T/fields"
	check "what it makes of its PIN" tokentool unlock "$module" "$uri" 0 "$key" "$long"
	(umask 077 && sed -n 's/^passphrase: //p' "$T/out" >"$T/derived.pass")
	is "$(wc -c <"$T/derived.pass")" 45 "... is a passphrase"
	check "it mounts the drive" sealdrive mount "$drive" "$T/mnt" --token 'pkcs11:token=Long' --pkcs11-module "$module" --pin-file "$T/long.pass"
	mapfile -t pids < <(daemons)
	is ${#pids[@]} 1 "one process is left, and none of the token"
	check "neither PIN nor passphrase is in its memory" scan "${pids[0]}" "$T/long.pass" "$T/derived.pass"
	check_status 1 "nor in its environment and command line" grep -qaF "$long" "/proc/${pids[0]}/environ" "/proc/${pids[0]}/cmdline"
	is "$(find "/proc/${pids[0]}/fd" -lname '*pkcs11*' -o -lname '*softhsm*' -o -lname "$T/tokens/*" | wc -l)" 0 "nothing of the module is open in it"
	check_status 1 "nor mapped" grep -qi softhsm "/proc/${pids[0]}/maps"
	check "unmounted" sealdrive unmount "$drive"
	check "the card is revoked" sealdrive key revoke "$drive" --serial LONG --passphrase-file "$PASS"
	check_status 1 "neither is in the drive or in files" grep -rqaF -f "$T/long.pass" -f "$T/derived.pass" "$drive" "$T/run" "$T/home"
}
mkdir "$T/mnt"
if grep -qa __asan_init "$SEALDRIVE"; then
	skip "memory of what is left" "that of a build with sanitizers has no end"
elif is_root && [ -e /dev/fuse ]; then
	secrets
else
	skip "memory of what is left" "needs root to look, and FUSE"
fi

# ---- revoking ----
check_status 1 "a serial number that only begins like it" sealdrive key revoke "$drive" --serial 'KHO' --passphrase-file "$PASS"
check_status 1 "... or differs in its case" sealdrive key revoke "$drive" --serial 'kho 7' --passphrase-file "$PASS"
is "$(slots)" 4 "... revokes nothing"
number=$(serial Officer)
check "(the card says that its number is ${number:-unknown})" test -n "$number"
# somebody enrolled it with another program, which keeps no notes, or with several
printf 'another one of these 5' >"$T/phrase" && chmod 600 "$T/phrase"
check "a key slot by cryptsetup" cryptsetup luksAddKey -q --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --key-file "$PASS" \
	--new-key-slot 7 "$drive" "$T/phrase"
printf '{"type":"systemd-pkcs11","keyslots":["7"],"pkcs11-uri":"pkcs11:serial=%s;token=Officer?pin-source=x","pkcs11-key":"BBBB"}' \
	"$number" >"$T/token"
check "... for the same card" cryptsetup token import --json-file "$T/token" "$drive"
printf '{"type":"sealdrive-custody","keyslots":["3"],"serial":"KHO 7"}' >"$T/token"
check "... and a second note for a key slot" cryptsetup token import --json-file "$T/token" "$drive"
check "what is noted of key slot 3" sealdrive key list "$drive"
is "$(grep -c '^Key slot 3, .*serial number' "$T/out")" 2 "... is listed, all of it"
check "revoked by the number that it says" sealdrive key revoke "$drive" --serial "$number" --passphrase-file "$PASS" --accept-header-change
is "$(grep -o 'Key slot [0-9]*' "$T/out" | tr '\n' ' ')" "Key slot 1 Key slot 2 Key slot 7 " "... are all its key slots"
check_status 3 "it opens nothing any more" opens --slot 0
check "revoked by the other number" sealdrive key revoke "$drive" --serial 'KHO 7' --passphrase-file "$PASS"
is "$(grep -o 'Key slot [0-9]*' "$T/out" | tr '\n' ' ')" "Key slot 3 " "... is what any of the notes names"
is "$(slots),$(cryptsetup luksDump "$drive" | grep -cE 'systemd-pkcs11|custody')" "1,0" "nothing of them is left"
check "the passphrase opens it" sealdrive key test "$drive" --passphrase-file "$PASS"

# ---- more than there is room for ----
many() { # until it is refused
	local n
	for n in $(seq 1 20); do
		enroll 'pkcs11:token=Officer;id=%01' --serial "N$n" || return $((100 + n))
	done
}
check_status 116 "the sixteenth token" many
said 'header of the drive has no room' "... has no room"
said 'key remove' "... and it is said what makes room"
check "the fifteenth opens the drive" opens --slot 15
for n in $(seq 2 15); do
	sealdrive key revoke "$drive" --serial "N$n" --passphrase-file "$PASS" >/dev/null || not_ok "revoke N$n"
done
check "the last of them" sealdrive key revoke "$drive" --serial N1 --passphrase-file "$PASS"
is "$(slots)" 1 "all are revoked"

# ---- the last ones ----
check "a card" enroll 'pkcs11:token=Officer;id=%01'
check "without the passphrase" sealdrive key remove "$drive" --passphrase-file "$PASS"
check_status 1 "nothing else opens it" sealdrive key revoke "$drive" --serial "$number" --token --pkcs11-module "$module" --pin-file "$T/pin"
said 'nothing but this token opens the drive' "... is said"
check "it opens still" opens
done_testing
