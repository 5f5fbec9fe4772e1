#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# policy list, show, check and diff.
. "$(dirname "$0")/lib.sh"

json() { # EXPRESSION: of the document j on $T/out
	"$PYTHON" -c 'import json, sys
j = json.load(open(sys.argv[1], encoding="utf-8"))
print(eval(sys.argv[2]))' "$T/out" "$1"
}

check "list" sealdrive policy list
for id in baseline nist bsi vn-qcvn; do
	said "^$id " "... has $id"
done
said 'vn-qcvn.*provisional' "... and says what is provisional"
cp "$SEALDRIVE" "$T/alone"
if "$T/alone" policy list >/dev/null 2>&1; then
	skip "without a folder of profiles" "they are installed here"
else
	check_status 1 "without a folder of profiles" "$T/alone" policy list
	said "the folder of the policies: .*/policy" "... it is named"
fi
check "list --json" sealdrive policy list --json
is "$(json '[(p["id"], p["provisional"], p["inherits"]) for p in j["policies"]]')" \
	"[('baseline', False, None), ('bsi', False, 'baseline'), ('nist', False, 'baseline'), ('vn-qcvn', True, 'nist')]" \
	"... as data, in order"

check "show" sealdrive policy show vn-qcvn
said '^H-04  warn' "... a check that the profile adds"
said 'QCVN 15:2023/BQP' "... with its clause"
said 'pbkdf2_floor=10000' "... and a threshold of the profile between"
check "show --json" sealdrive policy show vn-qcvn --json
is "$(json '(j["checks"]["H-04"]["mode"], j["checks"]["H-09"]["params"]["pbkdf2_floor"], j["checks"]["H-01"]["mode"])')" \
	"('warn', 10000, 'fail')" "... resolved"
check "show, in Vietnamese" env LC_ALL=C.UTF-8 LANGUAGE=vi "$top_builddir/sealdrive-here" policy show nist
said '\[quản lý: sổ kiểm kê\]' "... also the clauses"
check_status 0 "a computer that no policy binds" sealdrive policy show

check_status 9 "diff" sealdrive policy diff nist vn-qcvn
said '^H-18 +min_rsa_bits +2048 +-> +3072' "... names check, parameter, old and new value"
check_status 0 "diff of a policy and itself" sealdrive policy diff bsi bsi
is "$(cat "$T/out")" "Both demand the same." "... says so"

check "check" sealdrive policy check "$top_srcdir"/policy/*.json
printf '{"schema": 1, "id": "ours", "version": 1, "inherits": "bsi",\n "title": {"en": "Ours", "vi": "Của ta"},\n "checks": {"H-14": {"params": {"max_slots": 2}}}}\n' >"$T/ours.json"
check "check: one of our own" sealdrive policy check "$T/ours.json"
sed 's/"version": 1/"version": 1, "require_log": true, "not_after": "2030-01-01"/' "$T/ours.json" >"$T/dated.json"
check_status 9 "diff: what is not in a check" sealdrive policy diff "$T/ours.json" "$T/dated.json"
said 'require_log +false +-> +true' "... is a difference"
check_status 9 "... and what it changes" sealdrive policy diff bsi "$T/ours.json"
is "$(cat "$T/out")" "H-14  max_slots             4  ->  2" "... is one line"
sed 's/max_slots/max_slot/' "$T/ours.json" >"$T/typing.json"
refused 1 "$T/typing.json" 'line 3, column 45: .*max_slot is not known' "a mistyped parameter" sealdrive policy check "$T/typing.json"
mkfifo "$T/pipe"
check_status 1 "a policy that is a pipe" timeout 10 sealdrive policy check "$T/pipe"
refused 1 /dev/zero 'not a regular file' "a policy that is a device" sealdrive policy check /dev/zero
sed 's/"inherits": "bsi"/"inherits": "ours"/' "$T/ours.json" >"$T/home/ours.json"
refused 1 "$T/home/ours.json" 'not valid: line [0-9, a-z]+: policies .*circle' "a policy that inherits from itself" sealdrive policy check "$T/home/ours.json"
strict() { # DESCRIPTION PATTERN SED: what is not taken, and where
	sed "$3" "$T/ours.json" >"$T/strict.json"
	refused 1 "$T/strict.json" "$2" "$1" sealdrive policy check "$T/strict.json"
}
strict "a text that would move the cursor" 'line 2, column .*cannot be shown' 's/Ours/\\u001b[2J/'
strict "... or turn the direction of writing" 'cannot be shown' 's/Ours/\\u202e/'
strict "... or begin a line of its own" 'cannot be shown' 's/Ours/a\\nb/'
strict "a zero byte" 'line 2' 's/Ours/\\u0000/'
strict "bytes that are no UTF-8" 'line 2' 's/Ours/\xc3\x28/'
strict "a number that is too large" 'line 1' 's/"version": 1/"version": 99999999999999999999/'
strict "a negative number" 'line 1.*version' 's/"version": 1/"version": -1/'
strict "a fraction" 'line 1.*version' 's/"version": 1/"version": 1.0/'
strict "a clause in one language" 'line 3.*clause/vi is missing' 's/"checks": {/&"H-05": {"clause": {"en": "x"}}, /'
strict "a clause that is none" 'line 3.*a string, or an object' 's/"checks": {/&"H-05": {"clause": 5}, /'
strict "a policy that ends before it begins" 'line 1.*ends before' 's/"version": 1/"version": 1, "not_before": "2027-01-01", "not_after": "2026-12-31"/'
strict "a floor above the minimum" 'line 3.*pbkdf2_floor is 700000, more than pbkdf2_min_sha256' 's/"checks": {/&"H-09": {"params": {"pbkdf2_floor": 700000}}, /'
strict "more demanded than advised" 'line 3.*min_bytes is 65' 's/"checks": {/&"H-05": {"params": {"min_bytes": 65}}, /'
strict "a member twice" 'line 1.*twice|duplicate' 's/"version": 1/"version": 1, "version": 2/'
strict "a member twice, written differently" 'line 1.*twice|duplicate' 's/"version": 1/"version": 1, "vers\\u0069on": 2/'
printf '{"schema": %s1%s}' "$(printf '[%.0s' $(seq 200000))" "$(printf ']%.0s' $(seq 200000))" >"$T/deep.json"
refused 1 "$T/deep.json" 'line 1' "200000 arrays in each other" sealdrive policy check "$T/deep.json"

# What is inherited can be demanded by its hash.
bsi=$(sealdrive policy show bsi | sed -n 's/^SHA-256: //p')
sed "s/\"inherits\": \"bsi\"/\"inherits\": \"bsi\", \"inherits_sha256\": \"$bsi\"/" "$T/ours.json" >"$T/pinned.json"
check "a policy that demands the hash of what it inherits from" sealdrive policy show "$T/pinned.json"
said "it demands: $bsi" "... and says so"
cp "$top_srcdir/policy/bsi.json" "$T/bsi.json"
check "... which may lie beside it" sealdrive policy check "$T/pinned.json"
sed -i 's/"version": 1/"version": 2/' "$T/bsi.json"
refused 1 "$T/pinned.json" 'another one: its SHA-256' "... but not be another" sealdrive policy check "$T/pinned.json"
cp "$top_srcdir/policy/bsi.json" "$T/bsi.json"
sed 's/"max_slots": 8/"max_slots": 31/' "$top_srcdir/policy/baseline.json" >"$T/baseline.json"
if cmp -s "$T/baseline.json" "$top_srcdir/policy/baseline.json"; then not_ok "the baseline has that threshold"; fi
refused 1 "$T/pinned.json" 'another one: its SHA-256' "... nor inherit from another one" sealdrive policy check "$T/pinned.json"
rm "$T/bsi.json" "$T/baseline.json"
sed 's/"inherits": "bsi"/"inherits": "bsi", "inherits_sha256": "abc"/' "$T/ours.json" >"$T/strict.json"
refused 1 "$T/strict.json" '64 small hexadecimal' "no hash" sealdrive policy check "$T/strict.json"

refused 1 "$T/nothing.json" 'no such file' "no file" sealdrive policy check "$T/nothing.json"
refused 1 "$T/home" 'directory' "a folder" sealdrive policy show "$T/home/"
refused 1 nosuch "no profile 'nosuch'" "no profile" sealdrive policy show nosuch
head -c 2M /dev/zero | tr '\0' ' ' >"$T/big.json"
refused 1 "$T/big.json" 'too large' "a file that is too large" sealdrive policy check "$T/big.json"
check_status 2 "no verb" sealdrive policy
check_status 2 "an unknown verb" sealdrive policy burn
check_status 2 "check without a file" sealdrive policy check
check_status 2 "diff of one" sealdrive policy diff nist
said 'sealdrive policy diff POLICY POLICY' "... is told what it is used with"
check "help for one of them" sealdrive policy show --help
said '^Usage: sealdrive policy show \[--json\] \[POLICY\]$' "... is about it"
check "help for all of them" sealdrive policy --help
said 'list *the profiles' "... is about all"

# What binds a computer: this program's configuration folder is etc/ where it is started.
mkdir "$T/home/etc"
cp "$T/ours.json" "$T/home/etc/policy.json"
check "a bound computer" bash -c 'cd "$1" && exec sealdrive-bound policy show' - "$T/home"
said '^Policy ours, version 1' "... shows its policy"
check "... and lists it" bash -c 'cd "$1" && exec sealdrive-bound policy list' - "$T/home"
said '^ours .*binds this computer' "... as what binds it"
done_testing
