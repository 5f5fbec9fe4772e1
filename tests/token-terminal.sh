#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A user with tokens at a terminal: what is asked, and how the terminal is left. (The security keys are in software.)
. "$(dirname "$0")/lib.sh"
module=$top_builddir/mock-pkcs11.so
[ -e "$module" ] || make -s -C "$top_builddir" mock-pkcs11.so
export SOFTFIDO=$T/keys
mkdir "$T/keys"
plug() { printf 'pin=%s retries=8 uv=0 touch=0\n' "$2" >"$T/keys/$1"; } # NAME PIN
left() { sed -n 's/.*retries=\([0-9]*\).*/\1/p' "$T/keys/$1"; } # NAME: tries
drive=$T/a.img
(umask 077 && printf '1234\n' >"$T/pin")
user() { # ACTION... -- COMMAND...
	"$PYTHON" "$top_srcdir/tests/terminal.py" "$@" >"$T/screen" 2>&1
}
ended() { # HOW DESCRIPTION: and the terminal is as it was
	is "$(tail -n 2 "$T/screen" | tr '\n' ' ')" "$1 echo on " "$2" || diag <"$T/screen"
}
shown() { # PATTERN DESCRIPTION
	check "$2" grep -qE "$1" "$T/screen"
}
must "a drive" new_drive "$drive" 32M
plug Blue 1234
must "a key is enrolled" sealdrive-soft key enroll "$drive" --token fido2 --passphrase-file "$PASS" --pin-file "$T/pin"

# ---- whoever ends it while the PIN is typed ----
for signal in SIGTERM SIGHUP SIGINT; do
	user 'wait:PIN of' echo:off "kill:$signal" -- sealdrive-soft key test "$drive" --token
	ended "killed by $signal" "$signal to the program that does not ask itself"
done
for _ in 1 2 3 4 5; do
	user 'wait:PIN of' echo:off 'keys:12\x03' -- sealdrive-soft key test "$drive" --token
	ended "killed by SIGINT" "Ctrl-C"
done
for _ in 1 2 3; do
	user 'wait:PIN of' echo:off 'kill:SIGKILL' echo:on -- sealdrive-soft key test "$drive" --token
	ended "killed by SIGKILL" "SIGKILL to it"
	user 'wait:PIN of' echo:off 'child:SIGKILL' echo:on -- sealdrive-soft key test "$drive" --token
	ended "exit 3" "SIGKILL to the one that asks"
done
user 'wait:PIN of' 'keys:12\x1a' stopped echo:on signal:SIGCONT 'wait:PIN of' echo:off 'type:1234' -- sealdrive-soft key test "$drive" --token
ended "exit 0" "Ctrl-Z, and on"
is "$(left Blue)" 8 "none of that has cost a try"

# ---- a token that is plugged in is offered ----
user 'wait:Just Enter: a passphrase' 'wait:PIN of Blue' echo:off 'type:1234' -- sealdrive-soft key test "$drive"
ended "exit 0" "a token that is plugged in"
user 'wait:PIN of Blue' 'type:' 'wait:Passphrase for' "type:$(cat "$PASS")" -- sealdrive-soft key test "$drive"
ended "exit 0" "... or a passphrase, after just Enter"
user 'wait:PIN of Blue' 'type:9999' 'wait:The PIN is wrong' 'wait:Passphrase for' "type:$(cat "$PASS")" -- sealdrive-soft key test "$drive"
ended "exit 0" "... or after a wrong PIN"
is "$(left Blue)" 7 "... which was tried once"
user 'wait:PIN of Blue' 'type:1234' -- sealdrive-soft key test "$drive" --token
check_status 1 "nothing else is offered when a token is demanded" grep -q 'Just Enter' "$T/screen"

user 'wait:Passphrase for' "type:$(cat "$PASS")" -- sealdrive-soft key test "$drive" --no-token
ended "exit 0" "no token is asked for"
check_status 1 "... not even offered" grep -q 'PIN of' "$T/screen"
check_status 2 "with and without" sealdrive-soft key test "$drive" --token --no-token

# ---- a key that is not touched ----
sed -i 's/touch=0/touch=3/' "$T/keys/Blue"
user 'wait:PIN of' 'type:1234' 'wait:Touch the security key' "file:$T/keys/Blue=touch=5" 'keys:\x03' -- sealdrive-soft key test "$drive" --token
ended "killed by SIGINT" "Ctrl-C while it blinks"
is "$(grep -o 'touch=.*' "$T/keys/Blue")" "touch=4" "... ends that"
sed -i 's/touch=.*/touch=0/' "$T/keys/Blue"

# ---- each PIN for its own token ----
plug Red 4321
(umask 077 && printf '4321\n' >"$T/pin.red")
mv "$T/keys/Blue" "$T/Blue"
must "a second key" sealdrive-soft key enroll "$drive" --token fido2 --passphrase-file "$PASS" --pin-file "$T/pin.red"
mv "$T/keys/Red" "$T/Red"
plug Green 9876
(umask 077 && printf '9876\n' >"$T/pin.green")
mv "$T/Red" "$T/keys/Red"
user 'wait:PIN of Red' 'type:4321' 'wait:leave only one in' -- sealdrive-soft key enroll "$drive" --token fido2 --pin-file "$T/pin.green"
ended "exit 3" "an enrolled key is asked for its own PIN when another is enrolled"
is "$(left Red)" 8 "... and does not get that of the new one"
rm "$T/keys/Green" "$T/keys/Red"
mv "$T/Blue" "$T/keys/Blue"

sed -i 's/retries=8/retries=1/' "$T/keys/Blue"
check_status 3 "the last try" sealdrive-soft key test "$drive" --token --pin-file "$T/pin"
said 'none from a file is tried' "... is not for a PIN from a file"
is "$(left Blue)" 1 "... which may be wrong"
user 'wait:LAST TRY' echo:off 'type:1234' -- sealdrive-soft key test "$drive" --token
ended "exit 0" "... but for one that is typed"
is "$(left Blue)" 8 "... and right"

printf '{"type":"systemd-pkcs11","keyslots":["0"],"pkcs11-uri":"pkcs11:manufacturer=Sealdrive%%20tests","pkcs11-key":"%s"}' \
	"$(head -c 256 /dev/zero | base64 -w0)" >"$T/token"
check "a card, too" cryptsetup token import --json-file "$T/token" "$drive"
MOCK=hang user 'wait:PIN of' 'type:4711' 'wait:has not answered for 10 seconds' 'keys:\x03' -- sealdrive-soft key test "$drive" --pkcs11-module "$module"
ended "killed by SIGINT" "a module that hangs is told of"
shown 'no-token' "... with what helps"
MOCK=hang user 'wait:PIN of' 'type:4711' 'wait:not answering' 'keys:\x03' -- sealdrive-soft key test "$drive" --token --pkcs11-module "$module"
ended "killed by SIGINT" "Ctrl-C while a module hangs that wants no signals"
done_testing
