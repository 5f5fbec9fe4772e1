#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# sealdrive key with a user at a terminal, and what is left of secrets afterwards.
. "$(dirname "$0")/lib.sh"
need_command cryptsetup

IMG=$T/a.img
OLD="correct horse 9"
NEW="bốn con mèo đen"
user() { # ACTION... -- COMMAND...
	"$PYTHON" "$top_srcdir/tests/terminal.py" "$@" >"$T/screen" 2>&1
}
ended() { # HOW DESCRIPTION: "exit 0", and the terminal is as it was
	is "$(tail -n 2 "$T/screen" | tr '\n' ' ')" "$1 echo on " "$2" || diag <"$T/screen"
}
shown() { # PATTERN DESCRIPTION
	check "$2" grep -qE "$1" "$T/screen"
}
opens() { # PASSPHRASE
	printf '%s' "$1" >"$T/try"
	cryptsetup open --test-passphrase --key-file "$T/try" "$IMG" 2>/dev/null
}
must "a drive" new_drive "$IMG" 32M --label 'Hồ sơ 1'
sum=$(unchanged_sum "$IMG")

# ---- nothing changes ----
user 'wait:Passphrase for' echo:off "type:$OLD" 'wait:New passphrase' echo:off 'type:one thing here' 'wait:again' 'type:another thing' \
	-- sealdrive key add "$IMG" "${FAST_KDF[@]}"
ended "exit 1" "two different new passphrases"
shown "not the same" "... that is what it says"
user 'wait:Passphrase for' "type:$OLD" 'wait:New passphrase' 'type:' 'wait:New passphrase' 'type:' 'wait:New passphrase' 'type:' \
	-- sealdrive key add "$IMG" "${FAST_KDF[@]}"
ended "exit 2" "an empty new passphrase, three times"
user 'wait:Passphrase for' 'type:wrong' 'wait:does not open' 'wait:Passphrase for' 'type:wrong' 'wait:Passphrase for' 'type:wrong' \
	-- sealdrive key change "$IMG" "${FAST_KDF[@]}"
ended "exit 3" "three wrong passphrases"
user 'wait:Passphrase for' "type:$OLD" 'wait:New passphrase' 'keys:half\x03' -- sealdrive key change "$IMG" "${FAST_KDF[@]}"
ended "killed by SIGINT" "Ctrl-C"
user 'wait:Passphrase for' "type:$OLD" 'wait:lost for good' "wait:Type 'Hồ sơ 1'" 'type:yes' -- sealdrive key remove "$IMG" --force
ended "exit 1" "the last key slot, and not the label but yes"
user 'wait:Passphrase for' "type:$OLD" 'wait:lost for good' 'keys:\x04' -- sealdrive key remove "$IMG" --force
ended "exit 1" "the last key slot, and nothing typed"
user 'wait:Passphrase for' "type:$OLD" -- sealdrive key remove "$IMG"
ended "exit 1" "the last key slot without --force"
is "$(unchanged_sum "$IMG")" "$sum" "none of those has changed the drive"

# ---- what works ----
user 'wait:Passphrase for' "type:$OLD" 'wait:New passphrase' "type:$NEW" 'wait:again' "type:$NEW" -- sealdrive key add "$IMG" "${FAST_KDF[@]}"
ended "exit 0" "add"
check "it opens" opens "$NEW"
user 'wait:Passphrase for' 'type:' 'wait:Passphrase for' 'type:wrong' 'wait:Passphrase for' "type:$NEW" -- sealdrive key remove "$IMG"
ended "exit 0" "remove, mistyped once, and Enter once too often"
check "it does not open" eval '! opens "$NEW"'
user 'wait:Passphrase for' "type:$OLD" 'wait:New passphrase' "type:$NEW" 'wait:again' "type:$NEW" -- sealdrive key change "$IMG" "${FAST_KDF[@]}"
ended "exit 0" "change"
check "the new one opens" opens "$NEW"
for secret in "$OLD" "$NEW"; do
	check_status 1 "never on the screen" grep -qF "$secret" "$T/screen"
	check_status 1 "nor in the container" grep -qaF "$secret" "$IMG"
done
user 'wait:Passphrase for' "type:$NEW" "wait:Type 'Hồ sơ 1'" 'type:Hồ sơ 1' -- sealdrive key remove "$IMG" --force
ended "exit 0" "the last key slot, with the label typed"
check_status 4 "nothing opens it any more" sealdrive key test "$IMG" --passphrase-file "$PASS"

# ---- what a change of keys leaves in files ----
must "a drive" new_drive "$T/b.img" 32M
check "the volume key, by cryptsetup" cryptsetup luksDump --batch-mode --dump-volume-key --volume-key-file "$T/key" --key-file "$PASS" "$T/b.img"
(umask 077 && printf 'Kh0ng-ai-biet-cau-nay-7f3a' >"$T/secret" && printf 'Cau-khac-nua-881c-lau' >"$T/other")
{
	sealdrive key add "$T/b.img" --passphrase-file "$PASS" --new-passphrase-file "$T/secret" "${FAST_KDF[@]}"
	sealdrive key list "$T/b.img"
	sealdrive key list "$T/b.img" --json
	sealdrive key test "$T/b.img" --passphrase-file "$T/secret"
	sealdrive key change "$T/b.img" --passphrase-file "$T/secret" --new-passphrase-file "$T/other" "${FAST_KDF[@]}"
	sealdrive key test "$T/b.img" --passphrase-file "$T/secret"
	sealdrive key remove "$T/b.img" --passphrase-file "$T/other"
} >"$T/said" 2>&1
for text in Kh0ng-ai-biet Cau-khac "$(od -An -tx1 "$T/key" | tr -d ' \n' | cut -c1-40)" "$(base64 -w0 "$T/key" | cut -c1-40)"; do
	check_status 1 "not in the output: ${text:0:6}..." grep -qF -e "$text" "$T/said"
	check_status 1 "not in the drive or the runtime folder" grep -rqaF -e "$text" "$T/b.img" "$T/run" "$T/home"
done
check "no piece of the volume key is in the drive" "$PYTHON" -c 'import sys
key, now = (open(f, "rb").read() for f in sys.argv[1:])
assert not any(key[i:i + 8] in now for i in range(56)), "a piece of the key"' "$T/key" "$T/b.img"
done_testing
