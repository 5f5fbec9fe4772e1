#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# audit: unlocked drives, saved facts, waivers, all formats, nothing written. The checks themselves: audit-table.sh.
. "$(dirname "$0")/lib.sh"
need_command cryptsetup

cs() {
	cryptsetup --disable-locks -q "$@"
}
json() { # EXPRESSION: of the document j on $T/out
	"$PYTHON" -c 'import json, sys
j = json.load(open(sys.argv[1], encoding="utf-8"))
print(eval(sys.argv[2]))' "$T/out" "$1"
}
states() { # FILE DRIVE: "H-01=pass ..." of a report
	"$PYTHON" -c 'import json, sys
j = json.load(open(sys.argv[1], encoding="utf-8"))
print(*(f["id"] + "=" + f["state"] for f in j["drives"][int(sys.argv[2])]["findings"]))' "$1" "$2"
}

new_base() { # FILE [OPTION...]
	dd if=/dev/urandom of="$1" bs=1M count=4 status=none
	cs luksFormat --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --offset 5120 --luks2-keyslots-size 2528k \
		--luks2-metadata-size 16k --key-size 512 "${@:2}" "$1" "$PASS"
}
must "a drive" new_base "$T/base"
must "a stranger" new_base "$T/stranger"

# ---- unlocked, on drives ----
fast=(--type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --key-size 512)
truncate -s 20M "$T/equal" "$T/published"
"$PYTHON" -c 'import sys; sys.stdout.buffer.write(bytes(range(32)) * 2)' >"$T/key1"
"$PYTHON" -c 'import sys, hashlib; sys.stdout.buffer.write(bytes.fromhex("27182818284590452353602874713526") + hashlib.sha384(b"x").digest())' >"$T/key2"
must "a key of two equal halves" cs luksFormat "${fast[@]}" --volume-key-file "$T/key1" "$T/equal" "$PASS"
must "a published key" cs luksFormat "${fast[@]}" --volume-key-file "$T/key2" "$T/published" "$PASS"
must "a drive of ours" new_drive "$T/ours" 32M
check_status 9 "three drives, unlocked" sealdrive audit "$T/equal" "$T/published" "$T/ours" --passphrase-file "$PASS" --format json \
	--output "$T/report"
like() { # DRIVE REGEX DESCRIPTION
	if states "$T/report" "$1" | grep -qE "$2"; then ok "$3"; else
		not_ok "$3"
		states "$T/report" "$1" | diag
	fi
}
like 0 'U-01=fail' "equal halves fail U-01"
like 1 'U-01=pass U-02=fail' "a published key fails U-02"
like 2 'U-01=pass U-02=pass U-03=unknown U-04=pass' "a drive of ours passes both, and its file system is clean"
printf wrong >"$T/wrong" && chmod 600 "$T/wrong"
sealdrive audit "$T/ours" --passphrase-file "$T/wrong" --format json >"$T/report" 2>"$T/err"
like 0 'U-01=unknown U-02=unknown' "a wrong passphrase: unknown, not pass"
is "$(grep -c 'not unlocked' "$T/err")" 1 "... and it says so"

# The fingerprint of a key that we know, by a key of the office's.
head -c 32 /dev/urandom >"$T/office-key"
want=$("$PYTHON" -c 'import hmac, sys
print(hmac.new(open(sys.argv[1], "rb").read(), open(sys.argv[2], "rb").read(), "sha256").hexdigest())' "$T/office-key" "$T/key2")
fingerprint() { # DRIVE...: with the inventory
	sealdrive audit "$@" --passphrase-file "$PASS" --fingerprint-key "$T/office-key" --inventory "$T/inventory" --format json \
		--output "$T/report" --force >/dev/null 2>&1
}
printf '{"schema": 1, "drives": [{"uuid": "%s", "key_fingerprint": "%s"}]}' "$(cryptsetup luksUUID "$T/published")" "$want" >"$T/inventory"
fingerprint "$T/published" "$T/ours"
like 0 'U-03=pass' "a fingerprint as Python computes it passes U-03"
like 1 'U-03=warn' "a drive that is not on record does not"
cp "$T/published" "$T/again"
must "a drive with the same key, formatted anew" cs luksFormat "${fast[@]}" --volume-key-file "$T/key2" "$T/again" "$PASS"
fingerprint "$T/published" "$T/again"
like 0 'H-27=pass.*U-03=warn' "... is found out by U-03, where H-27 sees nothing"
check_status 2 "a key for fingerprints, and nothing to unlock with" sealdrive audit "$T/ours" --fingerprint-key "$T/office-key"
printf short >"$T/short"
check_status 1 "one that could be guessed" sealdrive audit "$T/ours" --fingerprint-key "$T/short" --passphrase-file "$PASS"
sealdrive audit "$T/published" --passphrase-file "$PASS" --fingerprint-key "$T/office-key" --facts "$T/prints" >/dev/null
sealdrive audit "$T/prints" --inventory "$T/inventory" --format json --output "$T/report" --force
like 0 'U-03=pass' "... also from saved facts"

# ---- LUKS version 1: what its header says ----
luks1() { # FILE OPTION...
	truncate -s 8M "$1" && cs luksFormat --type luks1 "${@:2}" "$1" "$PASS"
}
must "LUKS1, good" luks1 "$T/one" --cipher aes-xts-plain64 --key-size 512 --hash sha256 --pbkdf-force-iterations 700000
must "LUKS1, bad" luks1 "$T/two" --cipher aes-cbc-plain --key-size 128 --hash sha1 --pbkdf-force-iterations 1000
must "... with a copy" cp "$T/two" "$T/three"
must "LUKS1, a backup of the header" cs luksHeaderBackup "$T/one" --header-backup-file "$T/one.header"
for profile in baseline nist vn-qcvn; do
	sealdrive audit "$T/one" "$T/two" "$T/three" "$T/one.header" --profile $profile --facts "$T/facts1" --force --format json >"$T/report"
	case $profile in # H-24 and H-04 are not in all of them
	baseline) h08=warn h08bad=' H-08=warn' h05=warn h23=warn h24='' h10=warn ;;
	nist) h08=pass h08bad='' h05=fail h23=fail h24=' H-24=warn' h10=fail ;;
	vn-qcvn) h08=pass h08bad='' h05=fail h23=fail h24=' H-24=fail' h10=fail ;;
	esac
	is "$(states "$T/report" 0 | tr ' ' '\n' | grep -v '^[DU]\|H-04' | xargs)" "H-01=fail H-02=pass H-03=pass H-05=pass H-06=pass H-07=pass \
H-08=$h08 H-09=pass H-10=pass H-11=pass H-12=pass H-13=pass H-14=pass H-15=pass H-16=pass H-17=pass H-18=not-applicable \
H-19=not-applicable H-20=not-applicable H-21=not-applicable H-22=not-applicable H-23=$h23$h24 H-25=pass H-26=pass H-27=pass" "LUKS1, good ($profile)"
	is "$(states "$T/report" 1 | tr ' ' '\n' | grep '^H' | grep -v 'pass$\|not-app\|H-04' | xargs)" "H-01=fail H-03=fail H-05=$h05 H-07=fail$h08bad \
H-09=fail H-10=$h10 H-11=fail H-12=fail H-13=fail H-23=$h23$h24 H-27=fail" "LUKS1, bad ($profile)"
	sealdrive audit "$T/facts1" --profile $profile --format json >"$T/again.json"
	check "... the same from saved facts" cmp "$T/report" "$T/again.json"
done
is "$(sha256sum <"$T/facts1" | wc -w) $("$PYTHON" -c 'import hashlib, json, sys
d = json.load(open(sys.argv[1]))["drives"][0]["luks1"]
b = open(sys.argv[2], "rb").read(592)
print(d["bytes"] == b.hex(), d["sha256"] == hashlib.sha256(b).hexdigest())' "$T/facts1" "$T/one")" "2 True True" "... which hold its header"
sealdrive audit "$T/one" --passphrase-file "$PASS" --format json >"$T/report"
like 0 'D-01=pass.* U-01=pass U-02=pass' "... and it is unlocked like any other"

# ---- nothing is written, nobody is stopped ----
before=$(unchanged_sum "$T/ours")
exec 9<"$T/ours"
flock -x 9
check_status 9 "a drive that somebody has locked" sealdrive audit "$T/ours"
exec 9<&-
is "$(unchanged_sum "$T/ours")" "$before" "an audit changes nothing"
user_ready
cp -r "$top_srcdir/policy" "$T/user/bin/policy"
install -m 444 "$T/ours" "$T/user/ours"
check_status 9 "a drive that cannot be written" as_user sealdrive audit ours
if command -v strace >/dev/null; then
	strace -f -e trace=openat,flock -o "$T/trace" sealdrive audit "$T/ours" >/dev/null 2>&1
	is "$(grep -E "\"$T/ours\"" "$T/trace" | grep -cE 'O_RDWR|O_WRONLY|O_EXCL')" 0 "it is opened for reading only"
fi

# ---- order, determinism, number of threads ----
targets=("$T/ours" "$T/equal" "$T/published" "$T/base" "$T/stranger" "$T/pass" "$T/nothing")
audit_all() { sealdrive audit "${targets[@]}" --format "$1" --date 2026-11-30 2>/dev/null; }
for format in text json sarif html; do
	audit_all $format >"$T/once"
	audit_all $format >"$T/twice"
	check "$format: the same each time" cmp "$T/once" "$T/twice"
done
audit_all json >"$T/out"
is "$(json '[d["target"].rsplit("/", 1)[1] for d in j["drives"]]')" \
	"['ours', 'equal', 'published', 'base', 'stranger', 'pass', 'nothing']" "the order of the command line"
is "$(json '[d["header"] for d in j["drives"]][-2:]')" "['not-luks', 'unreadable']" "what is no drive, and what is not there"
is "$(json '[f["state"] for f in j["drives"][-1]["findings"] if f["id"][0] == "H" and f["state"] != "unknown"]')" "[]" \
	"nothing passes on a drive that cannot be read"
refused 1 "$T/nothing" 'no such file' "a drive that is not there" bash -c 'sealdrive audit "$1" >/dev/null' - "$T/nothing"

ln -s ours "$T/link"
check_status 9 "a drive that is named three times" sealdrive audit "$T/base" "$T/ours" "$T/link" "$T/../${T##*/}/ours" --format json --output "$T/report" --force
is "$("$PYTHON" -c 'import json, sys
print(*(d["target"].rsplit("/", 1)[1] for d in json.load(open(sys.argv[1]))["drives"]))' "$T/report")" "base ours" "... is audited once"
like 1 'H-27=pass' "... and not held for its own copy"
said 'ours: this is .*ours once more, which is audited once' "... which is said"

# ---- saved facts ----
check_status 9 "facts are saved" sealdrive audit "$T/ours" "$T/base" --facts "$T/facts" --format json --output "$T/a"
check_status 9 "... and judged again" sealdrive audit "$T/facts" --format json --output "$T/b"
check "... with the same result" cmp "$T/a" "$T/b"
rm "$T/a"
check_status 9 "... or by another policy, without the drives" sealdrive audit "$T/facts" --profile vn-qcvn --format json --output "$T/a"
is "$("$PYTHON" -c 'import hashlib, json, sys
text = open(sys.argv[1], encoding="utf-8").read()
doc = json.loads(text)
canonical = lambda o: json.dumps(o, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
whole = canonical(doc) + "\n" == text
digest = doc.pop("sha256")
header = open(sys.argv[2], "rb").read(32768)
print(whole, hashlib.sha256(canonical(doc).encode()).hexdigest() == digest,
    hashlib.sha256(header).hexdigest() == doc["drives"][0]["header"]["sha256"])' "$T/facts" "$T/ours")" "True True True" \
	"they are canonical, their checksum is right, and so is the hash of the header"
sed 's/"sector_size\\":4096/"sector_size\\":1024/' "$T/facts" >"$T/forged"
refused 1 "$T/forged" 'changed after' "facts that were changed" sealdrive audit "$T/forged"

sealdrive audit "$T/facts" --passphrase-file "$PASS" --format json >"$T/report" 2>"$T/err"
like 0 'U-01=unknown U-02=unknown U-03=unknown U-04=unknown U-06=unknown' "the drive that facts name is not unlocked, although it could be"
is "$(grep -c 'saved facts are not unlocked' "$T/err")" 1 "... which is said"
"$PYTHON" - "$T/facts" "$T/none" <<'PY'
import hashlib, json, sys
canonical = lambda o: json.dumps(o, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
doc = json.load(open(sys.argv[1], encoding="utf-8"))
del doc["sha256"]
doc["drives"] = []
doc["sha256"] = hashlib.sha256(canonical(doc).encode()).hexdigest()
open(sys.argv[2], "w").write(canonical(doc) + "\n")
PY
sed 's/"collected":"[^"]*"/"collected":"2026-01-02T03:04:05Z"/' "$T/facts" >"$T/early"
"$PYTHON" - "$T/early" <<'PY'
import hashlib, json, sys
canonical = lambda o: json.dumps(o, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
doc = json.load(open(sys.argv[1], encoding="utf-8"))
del doc["sha256"]
doc["sha256"] = hashlib.sha256(canonical(doc).encode()).hexdigest()
open(sys.argv[1], "w").write(canonical(doc) + "\n")
PY
sealdrive audit "$T/early" "$T/equal" --facts "$T/together" >/dev/null
sealdrive audit "$T/together" --facts "$T/together2" >/dev/null
is "$("$PYTHON" -c 'import json, sys
d = json.load(open(sys.argv[1]))["drives"]
print(len(d), [x["collected"][:10] for x in d[:-1]], d[-1]["collected"] == json.load(open(sys.argv[2]))["collected"])' "$T/together2" "$T/together")" \
	"3 ['2026-01-02', '2026-01-02'] True" "facts that are saved again keep their time"
refused 1 "$T/none" 'no drive in it' "facts of no drive are not within policy" sealdrive audit "$T/none"
check "every byte of a facts file matters" env UNIT_AUDIT_DRIVE="$T/ours" "$top_builddir/unit-audit"

# ---- waivers ----
cat >"$T/waivers" <<EOF
{"schema": 1, "waivers": [
 {"id": "W-7", "check": "H-09", "reason": "replaced next month", "approved_by": "CISO", "expires": "2026-12-31"},
 {"id": "W-8", "check": "H-23", "uuid": "00000000-0000-0000-0000-000000000000", "reason": "x", "approved_by": "y", "expires": "2099-01-01"}]}
EOF
check "a waiver" sealdrive audit "$T/ours" --waivers "$T/waivers" --date 2026-12-31 --format json --output "$T/report" --force
like 0 'H-09=waived' "... is a state of its own"
like 0 'H-23=warn' "... and holds for its drive only"
check_status 9 "... until it expires" sealdrive audit "$T/ours" --waivers "$T/waivers" --date 2027-01-01
waiver() { # MEMBERS
	printf '{"schema": 1, "waivers": [{"id": "W", "check": "H-09", "reason": "r", "approved_by": "a", "expires": "2099-01-01"%s}]}' "$1" >"$T/waiver"
}
waiver ', "uuid": ""'
refused 1 "$T/waiver" 'uuid is empty' "an empty UUID is not all drives" sealdrive audit "$T/ours" --waivers "$T/waiver"
waiver ', "uuid": "00000000"'
refused 1 "$T/waiver" "'00000000' is not a UUID" "a part of a UUID is none" sealdrive audit "$T/ours" --waivers "$T/waiver"
waiver ", \"uuid\": \"$(cryptsetup luksUUID "$T/ours" | tr a-f A-F)\""
refused 1 "$T/waiver" 'is not a UUID' "one that would match no drive is not taken" sealdrive audit "$T/ours" --waivers "$T/waiver"
waiver '}, {"id": "W", "check": "H-23", "reason": "r", "approved_by": "a", "expires": "2099-01-01"'
refused 1 "$T/waiver" "there is another waiver 'W'" "two of one id" sealdrive audit "$T/ours" --waivers "$T/waiver"
printf '{"schema": 1, "waivers": [{"id": "W", "check": "H-01", "reason": "r", "approved_by": "a", "expires": "2099-01-01"}]}' >"$T/waiver"
truncate -s 1M "$T/no-drive"
check_status 9 "a waiver of all drives is none of what is no drive" sealdrive audit "$T/no-drive" --waivers "$T/waiver"
cat >"$T/some" <<EOF
{"schema": 1, "waivers": [
 {"id": "W-1", "check": "H-09", "reason": "r", "approved_by": "a", "expires": "2026-12-31"},
 {"id": "W-2", "check": "H-06", "reason": "r", "approved_by": "a", "expires": "2099-01-01"},
 {"id": "W-3", "check": "H-09", "reason": "r", "approved_by": "a", "expires": "2020-01-01"}]}
EOF
check "waivers that nothing needs" sealdrive audit "$T/ours" --waivers "$T/some" --date 2026-12-31
said 'Waiver W-2 .* was needed by no drive' "... are named"
said 'Waiver W-3 .* expired on 2020-01-01' "... and those that have expired"
is "$(grep -c 'Waiver W-1' "$T/out")" 0 "... not those that count"
check "an earlier day" sealdrive audit "$T/ours" --waivers "$T/some" --date 2019-12-31 --format json
is "$(json '[(w["id"], w["state"], w["findings"]) for w in j["waivers"]]')" "[('W-1', 'used', 1), ('W-2', 'unused', 0), ('W-3', 'unused', 0)]" \
	"... waivers in JSON"
sed -i 's/2026-12-31/2019-12-31/' "$T/some"
check "a waiver that has expired, as of an earlier day" sealdrive audit "$T/ours" --waivers "$T/some" --date 2019-12-31
said "warning: waiver 'W-1' expired on 2019-12-31 and counts only because of --date 2019-12-31" "... does not count in silence"
waiver ''
sed -i 's/"r"/"r\\u001b[2J"/' "$T/waiver"
refused 1 "$T/waiver" 'cannot be shown' "a reason that would clear the screen" sealdrive audit "$T/ours" --waivers "$T/waiver"
waiver ''
sed -i 's/"H-09"/"H-*"/' "$T/waiver"
refused 1 "$T/waiver" "no check 'H-\*'" "a waiver of many checks" sealdrive audit "$T/ours" --waivers "$T/waiver"
sed -i 's/"reason": "x", //' "$T/waivers"
refused 1 "$T/waivers" 'line 3, column 2: .*reason is missing' "a waiver without a reason" sealdrive audit "$T/ours" --waivers "$T/waivers"

# ---- the page and the others ----
esc=$'<script>alert(1)</script>"\' onload=x \e[31m\u202e&'
cp "$T/base" "$T/hostile"
check "a hostile label" cs config --label "${esc:0:40}" "$T/hostile"
check "a hostile token" bash -c 'printf "%s" "{\"type\":\"<img src=http://x.example/ onerror=alert(2)>\",\"keyslots\":[\"0\"]}" |
	cryptsetup --disable-locks token import "$1"' - "$T/hostile"
cp "$T/hostile" "$T/h<b>\"'.img"
for lang in en vi; do
	LC_ALL=C.UTF-8 LANGUAGE=$lang "$top_builddir/sealdrive-here" audit "$T/h<b>\"'.img" "$T/ours" --format html \
		--profile vn-qcvn --output "$T/page.html" --force
	check "the page ($lang)" "$PYTHON" "$top_srcdir/tests/audit/page.py" "$T/page.html"
done
sealdrive audit "$T/hostile" >"$T/out" 2>&1
is "$(grep -c $'\e\|\u202e' "$T/out")" 0 "text: nothing hostile reaches the terminal"
sealdrive audit "$T/hostile" "$T/ours" --format sarif >"$T/out"
is "$(json '(j["version"], j["runs"][0]["tool"]["driver"]["name"], len(j["runs"][0]["results"]) > 50,
	{r["kind"] for r in j["runs"][0]["results"]} <= {"pass", "fail", "open", "notApplicable"},
	all(r["level"] == "none" or r["kind"] == "fail" for r in j["runs"][0]["results"]))')" \
	"('2.1.0', 'sealdrive', True, True, True)" "sarif"
check_status 9 "a full disk" bash -c 'sealdrive audit "$1" >/dev/full' - "$T/ours"
said 'standard output: .*space' "... is noticed"
check_status 1 "a report that cannot be written" sealdrive audit "$T/ours" --output "$T/no/such/folder"
truncate -s 1M "$T/empty"
check_status 9 "what is no drive of ours" sealdrive audit "$T/empty"
said 'not an encrypted LUKS drive' "... and why"
is "$(wc -l <"$T/out" | awk '{ print ($1 < 20) }') $(grep -c 'no header that' "$T/out")" "1 1" "... without a page of what is not known"
printf mine >"$T/mine"
refused 1 "$T/mine" 'exists' "a report does not replace a file" sealdrive audit "$T/ours" --output "$T/mine"
refused 1 "$T/mine" 'exists' "... nor do facts" sealdrive audit "$T/ours" --facts "$T/mine"
ln -s "$T/mine" "$T/link"
refused 1 "$T/link" 'exists' "... through a link" sealdrive audit "$T/ours" --output "$T/link"
refused 1 "$T/link" 'not a regular file' "... and a link itself is not replaced" sealdrive audit "$T/ours" --output "$T/link" --force
mkfifo "$T/fifo"
check_status 1 "... nor a device, say" sealdrive audit "$T/ours" --output "$T/fifo" --force
is "$(cat "$T/mine")" mine "... all is as it was"
before=$(unchanged_sum "$T/ours")
refused 1 "$T/ours" 'what the command is to read' "... and never the drive itself" sealdrive audit "$T/ours" --output "$T/ours" --force
refused 1 "$T/ours" 'what the command is to read' "... not by facts" sealdrive audit "$T/empty" "$T/ours" --facts "$T/ours" --force
refused 1 "$PASS" 'what the command is to read' "... nor the passphrase" \
	sealdrive audit "$T/ours" --passphrase-file "$PASS" --output "$PASS" --force
is "$(unchanged_sum "$T/ours")" "$before" "... which is as it was"
check_status 9 "... unless that is wanted" sealdrive audit "$T/ours" --output "$T/mine" --force
check "... when it is the report" grep -q H-01 "$T/mine"
is "$(compgen -G "$T/mine.*")" "" "... and nothing else is left"
sealdrive audit "$T/nothing" "$T/nothing2" >"$T/out" 2>"$T/err"
is "$(wc -c <"$T/out") $(grep -c 'nothing.*o such file' "$T/err")" "0 2" "drives that are not there: a sentence for each, and no table"
check_status 1 "a fifo among the targets stops nobody" timeout 20 sealdrive audit "$T/fifo"
check_status 9 "... and the others are audited" timeout 20 sealdrive audit "$T/fifo" "$T/ours"

# ---- a way in that cannot be judged ----
check "a drive" new_drive "$T/side" 32M
printf 1234 >"$T/weak"
check "a key slot of another kind" cryptsetup luksAddKey "$T/side" "$T/weak" --key-file "$PASS" --pbkdf pbkdf2 \
	--pbkdf-force-iterations 1000 --keyslot-cipher aes-xts-plain64be --keyslot-key-size 512
sealdrive audit "$T/side" --format json >"$T/report"
is "$(states "$T/report" 0 | tr ' ' '\n' | grep H-02)" H-02=fail "... is a finding"
sealdrive audit "$T/side" >"$T/out"
said 'key slot 1 is of a kind that cannot be judged' "... which names it"
check "a drive that fails nothing but its key derivation" new_drive "$T/changed" 32M
printf '{"schema": 1, "id": "lenient", "version": 1, "inherits": "baseline", "title": {"en": "x", "vi": "y"}, "checks":
 {"H-08": {"mode": "off"}, "H-09": {"mode": "off"}, "H-10": {"mode": "off"}, "H-01": {"mode": "off"}}}' >"$T/lenient.json"
sealdrive audit "$T/changed" --profile "$T/lenient.json" --passphrase-file "$PASS" >"$T/out"
unlocked=$?
check "... changed by another program" cryptsetup config "$T/changed" --priority prefer --key-slot 0
sealdrive audit "$T/changed" --profile "$T/lenient.json" --passphrase-file "$PASS" >"$T/out" 2>&1
is "$unlocked $?" "0 9" "... is a finding once it is unlocked"
said 'changed by somebody' "... and said"
said 'U-06  FAIL' "... in the report"
said 'key slot 0 was changed' "... with what was changed"
for format in json sarif html; do
	sealdrive audit "$T/changed" --profile "$T/lenient.json" --passphrase-file "$PASS" --format $format --output "$T/changed.$format" >/dev/null 2>&1
done
is "$("$PYTHON" -c 'import json, sys
f, = [f for f in json.load(open(sys.argv[1]))["drives"][0]["findings"] if f["id"] == "U-06"]
r, = [r for r in json.load(open(sys.argv[2]))["runs"][0]["results"] if r["ruleId"] == "U-06"]
print(f["state"], f["severity"], f["evidence"], r["kind"], r["level"], r["properties"]["evidence"])' "$T/changed.json" "$T/changed.sarif")" \
	"fail critical ['/tokens/0'] fail error ['/tokens/0']" "... with evidence, for programs"
is "$(grep -c 'key slot 0 was changed' "$T/changed.html")" 1 "... and on the page"
sealdrive audit "$T/changed" --profile "$T/lenient.json" --passphrase-file "$PASS" --facts "$T/changed.facts" >/dev/null 2>&1
check_status 9 "... and in saved facts" sealdrive audit "$T/changed.facts" --profile "$T/lenient.json"
said 'U-06  FAIL' "... as what it is"
check "a changed drive, its seal gone as well" new_drive "$T/bare" 32M
check "... which has the token of the seal" cryptsetup token remove "$T/bare" --token-id 0
sealdrive audit "$T/bare" --profile "$T/lenient.json" --passphrase-file "$PASS" >"$T/out" 2>&1
said 'U-06  FAIL' "... is missed"
check_status 2 "report and facts in one file" sealdrive audit "$T/ours" --output "$T/one" --facts "$T/one"
check_status 2 "no target" sealdrive audit
check_status 2 "an unknown format" sealdrive audit "$T/ours" --format pdf
check_status 1 "an unknown profile" sealdrive audit "$T/ours" --profile nosuch
done_testing
