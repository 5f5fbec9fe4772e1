#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Tokens and modules that misbehave: a clear answer each time, and no PIN is tried that was not typed.
. "$(dirname "$0")/lib.sh"
module=$top_builddir/mock-pkcs11.so
[ -e "$module" ] || make -s -C "$top_builddir" mock-pkcs11.so
uri='pkcs11:manufacturer=Sealdrive%20tests'
wrapped=$(head -c 256 /dev/zero | base64 -w0)
unlock() { # MODE [PIN]
	MOCK=$1 timeout 30 tokentool unlock "$module" "$uri" 0 "$wrapped" "${2:-4711}"
}
wanted=$(head -c 128 /dev/zero | tr '\0' D | base64 -w0)

check "a token that works" unlock ''
is "$(sed -n 's/^passphrase: //p' "$T/out")" "$wanted" "... gives its secret"
is "$(grep -c $'\033' "$T/out")" 0 "... and no control characters of its name get through"
check_status 3 "a wrong PIN" unlock '' 1111
said 'The PIN is wrong' "... is said"
check "a PIN was wrong before" unlock low
said 'state 1' "... the user is told before it is asked for"
check "the last try" unlock final
said 'state 2' "... the user is told before it is asked for"
check_status 3 "the last try, wrong" unlock final 1111
said 'locked after too many' "... locks it"
check_status 3 "a locked token" unlock locked
said 'locked after too many' "... is said"
is "$(grep -c '^asked for' "$T/out")" 0 "... without asking for a PIN"
check "a keypad of its own" unlock protected -
said "own keypad" "... the user is told"
is "$(grep -c '^asked for' "$T/out")" 0 "... and not asked here"
check_status 3 "two tokens that cannot be told apart" unlock twins
said 'leave only one in' "... neither is used"
is "$(grep -c '^asked for' "$T/out")" 0 "... nor asked for its PIN"
check "a slow one" unlock slow
check_status 3 "pulled out while it decrypts" unlock removed
said 'cannot be used: the token was pulled out' "... is said, and not that there is none: its PIN was typed"
check_status 3 "a module that dies" unlock crash
said 'ended unexpectedly' "... is said"
check_status 3 "a module that answers in our place" unlock forge
said 'gave a wrong answer' "... is not believed"
check_status 3 "one that dies and leaves a process behind" env MOCK=spawn timeout 15 \
	tokentool unlock "$module" "$uri" 0 "$wrapped" 4711
said 'ended unexpectedly' "... is not waited for"
check_status 3 "a PIN that has expired" unlock expired
said 'expired' "... is said"
check_status 1 "nobody there to ask" unlock '' -
for mode in huge empty garbage many attributes novalue slots; do
	check_status 3 "an absurd answer: $mode" unlock $mode
done
check_status 3 "attributes that grow" env MOCK=grow tokentool enroll "$module" "$uri" 4711 any
check_status 3 "a key that gives back something else" env MOCK= tokentool enroll "$module" "$uri" 4711 any
done_testing
