#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Where passphrases come from: a terminal (a pseudo-terminal here), a line, a key file.
. "$(dirname "$0")/lib.sh"
need_command cryptsetup

user() { # ACTION... -- COMMAND...
	"$PYTHON" "$top_srcdir/tests/terminal.py" "$@" >"$T/screen" 2>&1
}
ended() { # HOW DESCRIPTION: "exit 0", and the terminal is as it was
	is "$(tail -n 2 "$T/screen" | tr '\n' ' ')" "$1 echo on " "$2" || diag <"$T/screen"
}
opens() { # IMAGE PASSPHRASE
	printf '%s' "$2" >"$T/try"
	cryptsetup --disable-locks open --test-passphrase --key-file "$T/try" "$1"
}
fmt() { # FILE OPTIONS...: format, with nothing said of a passphrase
	local file=$1
	shift
	printf '%s\n' sealdrive format "$file" --size 20M "${FAST_KDF[@]}" "$@"
}

# ---- one that is easy to guess ----
mapfile -t make_w < <(fmt "$T/w.img")
user 'wait:New passphrase' 'type:matkhau1' 'wait:again' 'type:matkhau1' 'wait:easy to guess' 'wait:New passphrase' \
	'type:bốn con mèo đen' 'wait:again' 'type:bốn con mèo đen' -- "${make_w[@]}"
ended "exit 0" "an easy one: another one is asked for"
check "... and is taken" opens "$T/w.img" 'bốn con mèo đen'
rm "$T/w.img"
user 'wait:New passphrase' 'type:one' 'wait:again' 'type:one' 'wait:New passphrase' 'type:two' 'wait:again' 'type:two' \
	'wait:New passphrase' 'type:x' 'wait:again' 'type:x' -- "${make_w[@]}"
ended "exit 5" "three easy ones"
check_status 1 "... make nothing" test -e "$T/w.img"
# the rest is about how a passphrase comes here, whatever it is
FAST_KDF+=(--allow-weak)

# ---- the terminal ----
mapfile -t make_a < <(fmt "$T/a.img")
user 'wait:New passphrase for' echo:off 'type:Mật khẩu 1' 'wait:again' echo:off 'type:Mật khẩu 1' -- "${make_a[@]}"
ended "exit 0" "typed twice"
check "it opens the drive" opens "$T/a.img" 'Mật khẩu 1'
is "$(grep -c 'Mật' "$T/screen")" 0 "it was never shown"
check "... and says what to do next" grep -q 'sealdrive mount' "$T/screen"

mapfile -t make_b < <(fmt "$T/b.img")
user 'wait:New passphrase' 'type:one' 'wait:again' 'type:two' -- "${make_b[@]}"
ended "exit 1" "two different ones"
check "... that is what it says" grep -q 'not the same' "$T/screen"
check_status 1 "... and makes nothing" test -e "$T/b.img"
user 'wait:New passphrase' 'type:' 'wait:New passphrase' 'type:' 'wait:New passphrase' 'type:' -- "${make_b[@]}"
ended "exit 2" "an empty one, three times"
long=$(printf 'x%.0s' {1..513})
user 'wait:New passphrase' "type:$long" -- "${make_b[@]}"
ended "exit 2" "513 bytes"
user 'wait:New passphrase' 'keys:\x04' -- "${make_b[@]}"
ended "exit 1" "end of input"
for signal in SIGINT SIGTERM SIGHUP SIGQUIT; do
	user 'wait:New passphrase' echo:off 'keys:half' signal:$signal -- "${make_b[@]}"
	ended "killed by $signal" "$signal while it asks"
done
user 'wait:New passphrase' echo:off 'keys:half\x03' -- "${make_b[@]}"
ended "killed by SIGINT" "Ctrl-C"
check_status 1 "none of those made a file" test -e "$T/b.img"
user 'wait:New passphrase' echo:off 'keys:half' signal:SIGTSTP echo:on signal:SIGCONT \
	'wait:New passphrase' echo:off 'type:whole' 'wait:again' 'type:whole' -- "${make_b[@]}"
ended "exit 0" "stopped and continued: asked anew"
check "... what was typed before does not count" opens "$T/b.img" whole
exact=$(printf 'y%.0s' {1..512})
mapfile -t make_c < <(fmt "$T/c.img")
user 'wait:New passphrase' "type:$exact" 'wait:again' "type:$exact" -- "${make_c[@]}"
ended "exit 0" "512 bytes"
user --stdin /dev/null 'wait:New passphrase' 'type:tty' 'wait:again' 'type:tty' -- "${make_c[@]}" --force
ended "exit 0" "the terminal is asked although standard input is not one"
user 'wait:Passphrase' echo:off 'type:line' -- sealdrive format "$T/c.img" "${FAST_KDF[@]}" --force --passphrase-file -
ended "exit 0" "standard input that is a terminal"
check "... is read without echo" opens "$T/c.img" line
check_status 2 "no terminal" setsid -w "${make_c[@]}" --force

# ---- a file's first line, standard input ----
line() { # EXPECTED-PASSPHRASE DESCRIPTION: of $T/line
	rm -f "$T/l.img"
	check "$2" sealdrive format "$T/l.img" --size 20M "${FAST_KDF[@]}" --passphrase-file "$T/line"
	check "... is the passphrase" opens "$T/l.img" "$1"
}
umask 077
printf 'abc\n' >"$T/line" && line abc "a line"
printf 'abc' >"$T/line" && line abc "a line without newline"
printf ' a\tb \r\n' >"$T/line" && line $' a\tb \r' "blanks and carriage return count"
printf 'abc\ndef\n' >"$T/line" && line abc "the first of two lines"
{ printf '%s' "$exact"; echo; } >"$T/line" && line "$exact" "512 bytes and a newline"
refuse() { # DESCRIPTION OPTION...: exit status 2, no file
	local what=$1
	shift
	rm -f "$T/l.img"
	check_status 2 "$what" sealdrive format "$T/l.img" --size 20M "${FAST_KDF[@]}" "$@"
	check_status 1 "... makes nothing" test -e "$T/l.img"
}
printf '%s' "$long" >"$T/line" && refuse "513 bytes" --passphrase-file "$T/line"
: >"$T/line" && refuse "an empty file" --passphrase-file "$T/line"
printf '\nabc\n' >"$T/line" && refuse "an empty first line" --passphrase-file "$T/line"
refuse "two sources" --passphrase-file "$T/line" --key-file "$T/line"
rm -f "$T/l.img"
rest=$(printf 'first\nsecond\n' | { sealdrive format "$T/l.img" --size 20M "${FAST_KDF[@]}" --passphrase-file -; cat; })
is "$rest" second "no more than one line of standard input is read"
check "... and it is the passphrase" opens "$T/l.img" first
check_status 1 "a passphrase file that is not there" \
	sealdrive format "$T/x.img" --size 20M --passphrase-file "$T/absent"
check_status 1 "... a folder" sealdrive format "$T/x.img" --size 20M --passphrase-file "$T"
check_status 1 "... makes nothing" test -e "$T/x.img"

# ---- key files ----
head -c 5000 /dev/urandom >"$T/key"
printf 'a\n\0b\n' >>"$T/key"
rm -f "$T/l.img"
check "a binary key file" sealdrive format "$T/l.img" --size 20M "${FAST_KDF[@]}" --key-file "$T/key"
check "... is used whole" cryptsetup --disable-locks open --test-passphrase --key-file "$T/key" "$T/l.img"
rm -f "$T/l.img"
check "a key through a pipe" bash -c 'cat "$1" | sealdrive format "$2" --size 20M --pbkdf pbkdf2 --iterations 1000 --key-file -' - "$T/key" "$T/l.img"
check "... is the same" cryptsetup --disable-locks open --test-passphrase --key-file "$T/key" "$T/l.img"
head -c $((8 << 20)) /dev/zero >"$T/key"
rm -f "$T/l.img"
check "a key of 8 MiB" sealdrive format "$T/l.img" --size 20M "${FAST_KDF[@]}" --key-file "$T/key"
check "... opens it" cryptsetup --disable-locks open --test-passphrase --key-file "$T/key" "$T/l.img"
printf x >>"$T/key" && refuse "a key of 8 MiB and a byte" --key-file "$T/key"
: >"$T/key" && refuse "an empty key file" --key-file "$T/key"
refuse "an endless key file" --key-file /dev/zero

# ---- files that others may read ----
printf 'abc\n' >"$T/line"
rm -f "$T/l.img"
check "a private file" sealdrive format "$T/l.img" --size 20M "${FAST_KDF[@]}" --passphrase-file "$T/line"
is "$(cat "$T/out")" "" "... no warning"
chmod 644 "$T/line"
rm -f "$T/l.img"
check "a public file" sealdrive format "$T/l.img" --size 20M "${FAST_KDF[@]}" --passphrase-file "$T/line"
said 'other users may read' "... is warned of"
done_testing
