#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# sealdrive key: what each command does, what it refuses, what the user is told.
. "$(dirname "$0")/lib.sh"
need_command cryptsetup

IMG=$T/a.img
key() { # COMMAND [ARGUMENTS]
	local command=$1
	shift
	sealdrive key "$command" "$@"
}
phrase() { # NAME TEXT: $T/NAME holds it
	(umask 077 && printf '%s' "$2" >"$T/$1")
}
opens() { # FILE-OF-PASSPHRASE [SLOT]: as cryptsetup sees it
	cryptsetup open --test-passphrase --key-file "$1" ${2:+--key-slot "$2"} "$IMG" 2>/dev/null
}
opens_not() {
	! opens "$@"
}
slots() {
	sealdrive key list "$IMG" --json | "$PYTHON" -c 'import json, sys
print(*[s["id"] for s in json.load(sys.stdin)["keyslots"]])'
}
field() { # SLOT PYTHON-EXPRESSION of s
	sealdrive key list "$IMG" --json | "$PYTHON" -c 'import json, sys
for s in json.load(sys.stdin)["keyslots"]:
    if s["id"] == int(sys.argv[1]): print(eval(sys.argv[2]))' "$@"
}
OLD=(--passphrase-file "$PASS")
phrase second "second phrase 2"
phrase third "third phrase 33"
phrase wrong "wrong phrase 1"
phrase empty ""

must "a drive" new_drive "$IMG" 32M --label Contracts

check_status 2 "an option with two values" key add "$IMG" "${OLD[@]}" --new-slot 3 --new-passphrase-file "$T/second" --new-slot=4
said "option '--new-slot' is given twice" "... is no option"
check "what is done is done when nobody can be told" bash -c 'sealdrive key add "$@" >/dev/full' - "$IMG" "${OLD[@]}" \
	--new-passphrase-file "$T/third" "${FAST_KDF[@]}"
said 'warning: standard output: .*what was to be done is done' "... which is said"
check "... and removed again" bash -c 'sealdrive key remove "$@" >/dev/full' - "$IMG" --passphrase-file "$T/third"

# ---- add and list ----
check "add: a second passphrase" key add "$IMG" "${OLD[@]}" --new-passphrase-file "$T/second" "${FAST_KDF[@]}"
said "key slot 1" "add: says which key slot"
check "add: cryptsetup opens with it" opens "$T/second" 1
check "add: the first one still opens" opens "$PASS" 0
check "add: a chosen slot and priority" key add "$IMG" --passphrase-file "$T/second" \
	--new-passphrase-file "$T/third" --new-slot 9 --priority high "${FAST_KDF[@]}"
check "add: it opens there" opens "$T/third" 9
is "$(slots)" "0 1 9" "list: the slots"
is "$(field 9 's["priority"], s["kdf"]["type"], s["opens"]')" "('high', 'pbkdf2', True)" "list: what is in one"
check "list: as a table" key list "$IMG"
said "^9 +yes +high +pbkdf2, sha256, 1000 iterations +-" "list: a line of the table"
check "add: argon2id with given costs" key add "$IMG" "${OLD[@]}" --new-passphrase-file "$T/third" \
	--pbkdf argon2id --iterations 4 --memory 1024 --parallel 2
is "$(field 2 '[s["kdf"][k] for k in ("type", "time", "memory_kib", "threads")]')" \
	"['argon2id', 4, 1024, 2]" "add: these costs"
check "add: both passphrases from standard input" bash -c \
	"printf 'correct horse 9\nfifth phrase 5\n' | sealdrive key add '$IMG' --passphrase-file - --new-passphrase-file - ${FAST_KDF[*]}"
printf 'fifth phrase 5' >"$T/fifth"
check "add: the second line was the new one" opens "$T/fifth" 3

# ---- test ----
check "test: opens" key test "$IMG" "${OLD[@]}"
said "key slot 0" "test: says which key slot"
check "test: a certain slot" key test "$IMG" --slot 1 --passphrase-file "$T/second"
check_status 3 "test: not that slot" key test "$IMG" --slot 0 --passphrase-file "$T/second"
check_status 3 "test: wrong passphrase" key test "$IMG" --passphrase-file "$T/wrong"
check_status 1 "test: no such slot" key test "$IMG" --slot 31 "${OLD[@]}"

# ---- change ----
check "change: the slot that the passphrase opens" key change "$IMG" --passphrase-file "$T/second" \
	--new-passphrase-file "$T/third" "${FAST_KDF[@]}"
said "flash media" "change: tells about flash"
check "change: the new one opens" opens "$T/third" 1
check "change: the old one does not" opens_not "$T/second"
check "change: a slot, by another one's passphrase" key change "$IMG" "${OLD[@]}" --slot 1 \
	--new-passphrase-file "$T/second" "${FAST_KDF[@]}"
check "change: it opens" opens "$T/second" 1
check "change: the other one is as it was" opens "$PASS" 0
check "change: the priority alone" key change "$IMG" "${OLD[@]}" --slot 1 --priority ignore
is "$(field 1 's["priority"]')" ignore "change: it is that"
check "change: the passphrase is as before" opens "$T/second" 1
check_status 3 "an ignored slot is not tried" key test "$IMG" --passphrase-file "$T/second"
check "but when it is named" key test "$IMG" --slot 1 --passphrase-file "$T/second"
check "change: back to normal" key change "$IMG" "${OLD[@]}" --slot 1 --priority normal

# ---- remove ----
check "remove: by number" key remove "$IMG" "${OLD[@]}" --slot 9
said "flash media" "remove: tells about flash"
check "remove: by passphrase" key remove "$IMG" --passphrase-file "$T/second"
check "remove: it does not open any more" opens_not "$T/second"
check "remove" key remove "$IMG" "${OLD[@]}" --slot 2
check "remove" key remove "$IMG" "${OLD[@]}" --slot 3
is "$(slots)" "0" "remove: the others are left"

# ---- one passphrase in several key slots ----
cp "$IMG" "$T/one.img"
for slot in 4 5 6; do
	must "the same passphrase in key slot $slot" key add "$IMG" "${OLD[@]}" --new-slot $slot \
		--new-passphrase-file "$T/second" "${FAST_KDF[@]}"
done
check "an ignored one" key change "$IMG" "${OLD[@]}" --slot 6 --priority ignore
check "remove: from one of them" key remove "$IMG" --passphrase-file "$T/second"
said 'old key still opens the drive: key slot 5 ' "... and it is said where it still is"
said "key remove --slot 6'" "... also of one that is not tried by itself"
check "change: in another" key change "$IMG" --passphrase-file "$T/second" --new-passphrase-file "$T/third" "${FAST_KDF[@]}"
said 'old key still opens the drive: key slot 6 ' "... the same"
check "remove: the last one" key remove "$IMG" "${OLD[@]}" --slot 6
check_status 1 "... nothing is said" grep -q 'still opens' "$T/out"
check "remove: it does not open any more" opens_not "$T/second"
mv "$T/one.img" "$IMG"
cp "$IMG" "$T/order.img"
check "list: an added slot" key add "$T/order.img" "${OLD[@]}" --new-slot 5 --new-passphrase-file "$T/third" "${FAST_KDF[@]}"
check "list: one with a lower number" key add "$T/order.img" "${OLD[@]}" --new-slot 2 --new-passphrase-file "$T/second" "${FAST_KDF[@]}"
is "$(sealdrive key list "$T/order.img" | awk '$1 ~ /^[0-9]+$/ { printf "%s ", $1 }')" "0 2 5 " "list: slots are in the order of their numbers"
check "cryptsetup repairs nothing" cryptsetup luksDump "$IMG"

# ---- wrong use: nothing changes ----
cp "$IMG" "$T/whole.img"
must "another key slot" key add "$IMG" "${OLD[@]}" --new-slot 7 --new-passphrase-file "$T/second" "${FAST_KDF[@]}"
area=$(sealdrive info "$IMG" --json | "$PYTHON" -c 'import json, sys
print(*[s["area"]["offset_bytes"] for s in json.load(sys.stdin)["keyslots"] if s["id"] == 7])')
dd if=/dev/zero of="$IMG" bs=512 seek=$((area / 512)) count=3 conv=notrunc status=none
opens_not "$T/second" && ok "its area is damaged" || not_ok "its area is damaged"
refused 1 "$IMG" "last one" "a damaged one does not count beside the last slot" key remove "$IMG" "${OLD[@]}"
refused 1 "$IMG" "no other key slot" "... nor for an ignored one" key change "$IMG" "${OLD[@]}" --slot 0 --priority ignore
mv "$T/whole.img" "$IMG"
refused 1 "$IMG" "last one" "the last slot stays" key remove "$IMG" "${OLD[@]}"
refused 1 "$IMG" "last one" "the last slot stays, by number" key remove "$IMG" "${OLD[@]}" --slot 0
refused 2 "$IMG" "terminal" "forced, nobody to type the label" key remove "$IMG" "${OLD[@]}" --force
refused 1 "$IMG" "no other key slot" "the last slot is not to be ignored" \
	key change "$IMG" "${OLD[@]}" --priority ignore
refused 3 "$IMG" "passphrase does not open" "wrong old passphrase" \
	key add "$IMG" --passphrase-file "$T/wrong" --new-passphrase-file "$T/second" "${FAST_KDF[@]}"
refused 3 "$IMG" "passphrase does not open" "wrong old passphrase" \
	key change "$IMG" --passphrase-file "$T/wrong" --new-passphrase-file "$T/second" "${FAST_KDF[@]}"
refused 3 "$IMG" "passphrase does not open" "wrong passphrase, nothing removed" \
	key remove "$IMG" --passphrase-file "$T/wrong" --slot 0
refused 2 "$IMG" "passphrase is empty" "empty new passphrase" \
	key add "$IMG" "${OLD[@]}" --new-passphrase-file "$T/empty" "${FAST_KDF[@]}"
refused 2 "$IMG" "passphrase is empty" "empty old passphrase" \
	key add "$IMG" --passphrase-file "$T/empty" --new-passphrase-file "$T/second" "${FAST_KDF[@]}"
refused 1 "$IMG" "no key slot 5" "a slot that is not there" key remove "$IMG" "${OLD[@]}" --slot 5
refused 1 "$IMG" "no key slot 5" "a slot that is not there" \
	key change "$IMG" "${OLD[@]}" --slot 5 --new-passphrase-file "$T/second"
refused 1 "$IMG" "key slot 0 is in use" "a slot that is taken" \
	key add "$IMG" "${OLD[@]}" --new-slot 0 --new-passphrase-file "$T/second"
refused 2 "$IMG" "must lie between" "costs outside of the limits" key add "$IMG" "${OLD[@]}" \
	--new-passphrase-file "$T/second" --pbkdf pbkdf2 --iterations 999
refused 2 "$IMG" "must lie between" "more threads than the format has" key add "$IMG" "${OLD[@]}" \
	--new-passphrase-file "$T/second" --pbkdf argon2id --parallel 5
for bad in "--slot 32" "--slot -1" "--slot x" "--priority low" "--pbkdf scrypt" "--key-file $PASS" \
	"--new-key-file $PASS --new-passphrase-file $PASS" "--pbkdf pbkdf2 --memory 32" "--iterations 5 --iter-time 5" \
	"--weakest-computer 1M" "--json"; do
	# shellcheck disable=SC2086
	check_status 2 "wrong usage: $bad" key change "$IMG" "${OLD[@]}" $bad
done
check_status 2 "a command is missing" sealdrive key
check_status 2 "an unknown command" key destroy "$IMG"
check "help" key --help
for command in list add change remove test; do
	said "^  $command " "help: $command"
	check "help of $command" key $command --help
	check "help" key --help
done

# ---- key files ----
head -c 512 /dev/urandom >"$T/key512"
head -c 8388608 /dev/urandom >"$T/key8m"
printf 'a\0b\nc\0\n' >"$T/keynul"
chmod 600 "$T"/key*
for file in key512 key8m keynul; do
	check "$file: added" key add "$IMG" "${OLD[@]}" --new-key-file "$T/$file" "${FAST_KDF[@]}"
	check "$file: opens with cryptsetup" opens "$T/$file"
	check "$file: opens" key test "$IMG" --key-file "$T/$file"
	check "$file: authorises its removal" key remove "$IMG" --key-file "$T/$file"
	check "$file: is gone" opens_not "$T/$file"
done
(umask 077 && head -c 8388609 /dev/urandom >"$T/key8m1" && head -c 513 /dev/zero | tr '\0' x >"$T/long")
refused 2 "$IMG" "larger than 8 MiB" "a key file that is too large" key add "$IMG" "${OLD[@]}" --new-key-file "$T/key8m1"
refused 2 "$IMG" "longer than 512" "a passphrase that is too long" key add "$IMG" "${OLD[@]}" --new-passphrase-file "$T/long"

# ---- weak passphrases, forms of letters ----
weak() { # TEXT
	phrase weak "$1"
	check "weak: $1" key add "$IMG" "${OLD[@]}" --new-passphrase-file "$T/weak" "${FAST_KDF[@]}"
	said "warning: .*${2:-easy to guess}" "... is taken from a file with a warning"
	check "... and removed" key remove "$IMG" --passphrase-file "$T/weak"
}
weak 12345678
weak short "fewer than 8 characters"
weak aaaaaaaaaaaaaaaa
weak MatKhau123
weak "mật khẩu 2024"
weak "Contracts 2025" "name of the drive"
weak abcdefgh1
check_status 2 "a new passphrase without a terminal" setsid sealdrive key add "$IMG" --passphrase-file "$PASS" </dev/null
said "new-passphrase-file" "... is told where it can come from"
check "weak, forced" key add "$IMG" "${OLD[@]}" --new-passphrase-file "$T/weak" --allow-weak "${FAST_KDF[@]}"
check "and removed" key remove "$IMG" --passphrase-file "$T/weak"
phrase nfd "$("$PYTHON" -c 'import unicodedata; print(unicodedata.normalize("NFD", "Hồ sơ mật của tôi"), end="")')"
phrase nfc "$("$PYTHON" -c 'import unicodedata; print(unicodedata.normalize("NFC", "Hồ sơ mật của tôi"), end="")')"
check "letters typed as several characters" key add "$IMG" "${OLD[@]}" --new-passphrase-file "$T/nfd" "${FAST_KDF[@]}"
check "are stored as one (NFC)" opens "$T/nfc" 1
check "open as typed" key test "$IMG" --passphrase-file "$T/nfd"
check "open as one" key test "$IMG" --passphrase-file "$T/nfc"
check "remove" key remove "$IMG" --passphrase-file "$T/nfd"
check "a passphrase that cryptsetup has set from several characters" cryptsetup luksAddKey -q \
	--pbkdf pbkdf2 --pbkdf-force-iterations 1000 --key-file "$PASS" "$IMG" "$T/nfd"
check "... which is accepted" sealdrive key change "$IMG" --accept-header-change --passphrase-file "$PASS" \
	--new-passphrase-file "$PASS" "${FAST_KDF[@]}" --allow-weak
check "opens when it is typed as one" key test "$IMG" --passphrase-file "$T/nfc"
check "and as it is" key test "$IMG" --passphrase-file "$T/nfd"
check "and the drive mounts check" bash -c "sealdrive check '$IMG' --passphrase-file '$T/nfc'"
check_status 3 "a key file is bytes, in no form" key test "$IMG" --key-file "$T/nfc"
check "remove" key remove "$IMG" --passphrase-file "$T/nfc"

# ---- what a key slot asks of a computer ----
check "sized for a computer with 256 MiB" key add "$IMG" "${OLD[@]}" --new-passphrase-file "$T/second" \
	--iter-time 50 --weakest-computer 256M
is "$(field 1 's["kdf"]["type"], s["kdf"]["memory_kib"] <= 65536')" "('argon2id', True)" "a quarter of that at most"
check "info" sealdrive info "$IMG"
said "Opening it: +needs [0-9.]+ [MK]iB of free memory and takes .* FIPS" "info: what argon2id needs"
said "Opening it: +takes .* hardly any memory" "info: what pbkdf2 needs"
check "remove" key remove "$IMG" "${OLD[@]}" --slot 1
rm -f "$T/big.img"
check "a drive that is made on a terminal" "$PYTHON" "$top_srcdir/tests/terminal.py" 'wait:New passphrase' \
	'type:correct horse 9' 'wait:again' 'type:correct horse 9' -- sealdrive format "$T/big.img" --size 32M --iter-time 50 \
	--weakest-computer 128M
said "Opening it needs 32 MiB of free memory" "format: what opening needs"

# ---- no memory for the key derivation ----
check "a slot of 64 MiB" key add "$IMG" "${OLD[@]}" --new-passphrase-file "$T/second" \
	--pbkdf argon2id --iterations 4 --memory 65536 --parallel 1
if grep -q __asan_init "$SEALDRIVE"; then
	skip "no memory" "a build with sanitizers needs it all"
else
	(ulimit -v 60000 && sealdrive key test "$IMG" --passphrase-file "$T/second" --slot 1) >"$T/out" 2>&1
	is $? 1 "no memory: the exit status"
	said "not enough memory" "no memory: says so"
fi
check "remove" key remove "$IMG" --passphrase-file "$T/second"

# ---- a header elsewhere, a header backup ----
check "a drive with its header in a file" new_drive "$T/data.img" 16M --header "$T/header.img"
sum=$(unchanged_sum "$T/data.img")
check "detached: add" key add "$T/data.img" --header "$T/header.img" "${OLD[@]}" --new-passphrase-file "$T/second" "${FAST_KDF[@]}"
check "detached: test" key test "$T/data.img" --header "$T/header.img" --passphrase-file "$T/second"
check "detached: the header file alone" key change "$T/header.img" --passphrase-file "$T/second" --new-passphrase-file "$T/third" "${FAST_KDF[@]}"
check "detached: remove" key remove "$T/data.img" --header "$T/header.img" "${OLD[@]}" --slot 1
is "$(unchanged_sum "$T/data.img")" "$sum" "detached: the drive itself was not touched"
refused 4 "$T/data.img" "not an encrypted" "detached: without --header" key list "$T/data.img"
check "a header backup" cryptsetup luksHeaderBackup "$IMG" --header-backup-file "$T/backup"
cp "$T/backup" "$T/copy"
check "backup: a key slot is added to it" key add "$IMG" --header "$T/copy" "${OLD[@]}" --new-passphrase-file "$T/second" "${FAST_KDF[@]}"
said 'a header of its own, which stays as it is' "... and whoever means the drive is warned"
check "backup: add" key add "$T/backup" "${OLD[@]}" --new-passphrase-file "$T/second" "${FAST_KDF[@]}"
check "backup: list" key list "$T/backup"
check "backup: cryptsetup takes it" cryptsetup luksHeaderRestore -q "$IMG" --header-backup-file "$T/backup"
check "backup: the key of the backup opens" opens "$T/second" 1
check "remove" key remove "$IMG" --passphrase-file "$T/second"

# ---- drives that must not be changed ----

"$PYTHON" "$JUDGE/luks-edit.py" make 'unknown requirement' "$IMG" "$T/req.img"
refused 8 "$T/req.img" "demands a feature" "a header with an unknown requirement" \
	key add "$T/req.img" "${OLD[@]}" --new-passphrase-file "$T/second"
truncate -s 20M "$T/v1.img"
check "a drive of LUKS version 1" cryptsetup luksFormat -q --type luks1 --pbkdf-force-iterations 1000 "$T/v1.img" "$PASS"
check "version 1: list" key list "$T/v1.img"
check "version 1: test" key test "$T/v1.img" "${OLD[@]}"
for command in "add --new-passphrase-file $T/second" "change --new-passphrase-file $T/second" "remove --force"; do
	# shellcheck disable=SC2086
	refused 8 "$T/v1.img" "version 1" "version 1: refused: ${command%% *}" key ${command%% *} "$T/v1.img" "${OLD[@]}" ${command#* }
done
chmod 400 "$IMG"
if ! is_root; then
	refused 1 "$IMG" "cannot be written" "a file that cannot be written" key remove "$IMG" "${OLD[@]}" --slot 0
fi
chmod 600 "$IMG"

judge "$IMG" >"$T/out" 2>&1
is $? 0 "the file system is as it was made"
done_testing
