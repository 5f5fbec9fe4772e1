#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The event log from outside: what is in it, that it is checked by somebody else's arithmetic, that no
# secret is in it; and what a policy of the computer (etc/ and log/ of the current folder) forbids.
. "$(dirname "$0")/lib.sh"
need_command cryptsetup
mkdir "$T/office" && cd "$T/office" || exit 99
mkdir etc log
bound() { sealdrive-bound "$@"; }
ops() { # what is in the log: "op:result ..."
	"$PYTHON" -c 'import json, sys
print(*(r["op"] + ":" + r["result"] for r in map(json.loads, open(sys.argv[1], encoding="utf-8"))))' log/events.jsonl
}

# ---- no policy: everything is logged, nothing refused ----
check "format" bound format a.img --size 32M --passphrase-file "$PASS" "${FAST_KDF[@]}"
printf 'wrong but long enough' >wrong && chmod 600 wrong
mkdir m
if fuse_ready; then
	check "mount" bound mount a.img m --passphrase-file "$PASS"
	mv a.img taken-away # what is unmounted is not opened any more, not even to see which drive it was
	check "unmount" bound unmount m
	check "... is in the log" timeout 10 sh -c 'until grep -q unmount log/events.jsonl; do sleep 0.1; done'
	mv taken-away a.img
	check_status 3 "a wrong passphrase" bound mount a.img m --passphrase-file wrong
	check_status 3 "... for the test of a key" bound key test a.img --passphrase-file wrong
	check_status 3 "... for a check" bound check a.img --passphrase-file wrong
	check_status 2 "no passphrase at all, and nobody to ask" bound mount a.img m
else
	skip "mount, unmount, a wrong passphrase" "nothing can be mounted here"
fi
check_status 9 "audit" bound audit a.img
if fuse_ready; then
	is "$(ops)" "format:done mount:done unmount:done unlock:failed unlock:failed unlock:failed audit:done" "all of it is in the log"
	is "$("$PYTHON" -c 'import json; print(len({r["uuid"] for r in map(json.loads, open("log/events.jsonl"))}),
		{r["target"] for r in map(json.loads, open("log/events.jsonl"))})')" "1 {'$T/office/a.img'}" "with path and UUID"
fi
is "$(grep -cE 'correct horse|wrong but' log/events.jsonl)" 0 "no passphrase is in it"
is "$(stat -c %a log/events.jsonl)" 600 "nobody else reads it"
check "show" bound log show --op format
said 'format +done .*a.img' "... an operation"
check "show, of another time" bound log show --until 2020
is "$(cat "$T/out")" "" "... nothing"
shown() { # DESCRIPTION NUMBER OPTION...: how many records
	local what=$1 number=$2
	shift 2
	bound log show "$@" >shown 2>&1
	is "$(wc -l <shown)" "$number" "$what"
}
count=$(wc -l <log/events.jsonl)
first=$(sed -n '1s/.*"ts":"\([^"]*\)".*/\1/p' log/events.jsonl)
shown "show: the minute that it begins in" "$count" --since "${first:0:16}Z"
shown "... written with a space" "$count" --since "${first:0:10} ${first:11:5}"
check "show: up to the end of its second" bound log show --until "${first:0:19}Z"
said ' format ' "... has it"
shown "show: a drive by a path that begins here" "$count" --drive ./a.img
shown "... by its UUID in capitals" "$count" --drive "$(cryptsetup luksUUID a.img | tr a-f A-F)"
for wrong in "--since yesterday" "--since 2026-13" "--until 2026-02-30" "--until 2026-12-01T04:5" "--since 2026-12-01T24" "--op burn" "--op k" \
	"--checkpoint x" "--trust x" "--output x" "--since 2027 --until 2026"; do
	# shellcheck disable=SC2086
	check_status 2 "show $wrong" bound log show $wrong
done
check_status 2 "verify: a signature without a checkpoint" bound log verify --trust x
said 'needs --checkpoint' "... is asked what it means"
bound log show >shown
if fuse_ready; then
	is "$(grep -c "unlock  *failed .*exit=3  reason='The passphrase does not open this drive'" shown)" 3 "show says why something failed"
fi
bound log show --json >shown
check "show, as it is, byte for byte" cmp shown log/events.jsonl
check "show by UUID" bound log show --drive "$(cryptsetup luksUUID a.img)"
is "$(wc -l <"$T/out")" "$(wc -l <log/events.jsonl)" "... everything was about this drive"

"$PYTHON" - <<'PY' # of somebody who wishes the auditor's terminal ill
import json
evil = "\x1b[2J\u202e"
json.dump({"v": 1, "seq": 1, "prev": evil, "ts": evil, "actor": {"name": evil}, "op": evil, "result": evil, "target": evil,
    "uuid": evil}, open("evil.jsonl", "w"))
open("evil.jsonl", "a").write("\n[[\n")
PY
bound log show --log evil.jsonl >shown 2>&1
is "$(grep -c $'\e\|\u202e' shown) $(wc -l <shown)" "0 2" "a hostile log is shown and does nothing"

# ---- audits: of each drive, and of saved facts ----
cp a.img a2.img
before=$(wc -l <log/events.jsonl)
bound audit a.img a2.img --facts facts >/dev/null
bound audit facts >/dev/null
is "$(tail -n +$((before + 1)) log/events.jsonl | "$PYTHON" -c 'import json, sys
for r in map(json.loads, sys.stdin): print(r["op"], r["target"].rsplit("/", 1)[1], len(r["uuid"]), r["detail"]["drives"], r["detail"]["failures"])' | xargs -n 5 | paste -sd,)" \
	"audit a.img 36 2 3,audit a2.img 36 2 3,audit facts 36 2 3,audit facts 36 2 3" "an audit is one record for each drive"
before=$(wc -l <log/events.jsonl)
bash -c 'sealdrive-bound audit a.img --passphrase-file "$1" --format json | head -c 1' - "$PASS" >/dev/null
bound audit a.img --passphrase-file wrong >/dev/null 2>&1
is "$(tail -n +$((before + 1)) log/events.jsonl | "$PYTHON" -c 'import json, sys
print(*(r["op"] + ":" + r["result"] + ":" + str(r["detail"].get("unlocked", r["detail"].get("reason"))) for r in map(json.loads, sys.stdin)), sep=", ")')" \
	"audit:done:True, unlock:failed:The passphrase does not open this drive, audit:done:None" \
	"also when nobody reads its report; that it unlocked, or tried to"
before=$(wc -l <log/events.jsonl)
bound audit nothing-here a.img . >/dev/null 2>&1
is "$(tail -n +$((before + 1)) log/events.jsonl | "$PYTHON" -c 'import json, sys
print(*(r["target"].rsplit("/", 1)[1] + ":" + r["result"] + ":" + str(r.get("exit")) + ":" + str("reason" in r["detail"]) for r in map(json.loads, sys.stdin) if r["target"][-1] != "/"), sep=", ")')" \
	"nothing-here:failed:1:True, a.img:done:None:False, ${PWD##*/}:failed:1:True" "a drive that could not be read was not audited"
rm a2.img facts

# ---- by somebody else's arithmetic ----
for _ in 1 2 3 4 5 6; do bound audit a.img >/dev/null; done
check "checkpoint" bound log checkpoint --output checkpoint
check_status 1 "... is not overwritten" bound log checkpoint --output checkpoint
said '^sealdrive: checkpoint: File exists\.$' "... which is said of it, once"
check_status 1 "a checkpoint in a folder that is not there" bound log checkpoint --output none/checkpoint
said '^sealdrive: none/checkpoint: No such file or directory\.$' "... is not said of the log"
for n in 1 2 7 $(wc -l <log/events.jsonl); do
	check "a proof of record $n" bound log prove "$n" --output "proof$n"
	check "... holds" bound log verify-proof "proof$n" --checkpoint checkpoint
	said '"seq":'"$n"',' "... and shows the record"
done
check_status 2 "a record that is not there" bound log prove 999
check "chain, root and proofs, computed by Python" "$PYTHON" - <<'PY'
import hashlib, json
H = lambda b: hashlib.sha256(b).digest()
lines = open("log/events.jsonl", "rb").read().split(b"\n")
assert lines.pop() == b""
prev = "0" * 64
for n, line in enumerate(lines, 1):
    r = json.loads(line)
    assert json.dumps(r, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode() == line
    assert r["seq"] == n and r["prev"] == prev
    prev = H(b"\0" + line).hex()
def mth(leaves):
    if len(leaves) == 1:
        return H(b"\0" + leaves[0])
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return H(b"\1" + mth(leaves[:k]) + mth(leaves[k:]))
c = json.load(open("checkpoint"))
assert c["size"] == len(lines) and c["root"] == mth(lines).hex()
p = json.load(open("proof2"))
assert p["record"].encode() == lines[1]
node, at, last = H(b"\0" + lines[1]), 1, len(lines) - 1
for sibling in map(bytes.fromhex, p["path"]):
    if at & 1 or at == last:
        node = H(b"\1" + sibling + node)
        while not at & 1 and at:
            at >>= 1
            last >>= 1
    else:
        node = H(b"\1" + node + sibling)
    at >>= 1
    last >>= 1
assert node.hex() == c["root"]
PY
# ---- from one checkpoint to the next ----
earlier=$(wc -l <log/events.jsonl)
for _ in 1 2 3 4 5; do bound audit a.img >/dev/null; done
check "a later checkpoint" bound log checkpoint --output later
check "a proof that its log goes on from the earlier one's" bound log prove --from "$earlier" --output goes-on
check "... holds, without the log" bound log verify-proof goes-on --earlier checkpoint --checkpoint later
said "The $earlier records .* first of the $((earlier + 5))" "... and says what it proves"
check "... for whoever computes it himself" "$PYTHON" - <<'PY'
import hashlib, json
node = lambda a, b: hashlib.sha256(b"\1" + a + b).digest()
proof, old, new = (json.load(open(f)) for f in ("goes-on", "checkpoint", "later"))
assert proof["first"] == old["size"] and proof["size"] == new["size"]
path = [bytes.fromhex(h) for h in proof["path"]]
m, n = old["size"] - 1, new["size"] - 1
while m & 1:
    m, n = m >> 1, n >> 1
a = b = path.pop(0) if old["size"] & (old["size"] - 1) else bytes.fromhex(old["root"])
for h in path:
    if m & 1 or m == n:
        a, b = node(h, a), node(h, b)
        while m and not m & 1:
            m, n = m >> 1, n >> 1
    else:
        b = node(b, h)
    m, n = m >> 1, n >> 1
assert n == 0 and a.hex() == old["root"] and b.hex() == new["root"]
PY
check_status 2 "... and needs both" bound log verify-proof goes-on --checkpoint later
check_status 9 "the wrong way round" bound log verify-proof goes-on --earlier later --checkpoint checkpoint
said 'The proof does not hold: .*other checkpoints' "... is told from a damaged log"
sed 's/"root":"[0-9a-f]\{4\}/"root":"0000/' checkpoint >other
check_status 9 "from another beginning" bound log verify-proof goes-on --earlier other --checkpoint later
cp log/events.jsonl whole
"$PYTHON" - <<'PY' # somebody rewrites the past, and chains it anew
import hashlib, json
prev, out = "0" * 64, []
for line in open("whole", encoding="utf-8"):
    r = json.loads(line)
    r["prev"] = prev
    if r["seq"] == 2:
        r["actor"]["name"] = "somebody else"
    text = json.dumps(r, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
    prev = hashlib.sha256(b"\0" + text).hexdigest()
    out.append(text + b"\n")
open("log/events.jsonl", "wb").write(b"".join(out))
PY
check "a log that was rewritten from the start looks whole" bound log verify
check "... and has a checkpoint and a proof" bound log checkpoint --output rewritten
check "... of its own" bound log prove --from "$earlier" --output goes-on2
check_status 9 "... which do not go on from the earlier checkpoint" bound log verify-proof goes-on2 --earlier checkpoint --checkpoint rewritten
check_status 2 "from more records than there are" bound log prove --from 999
check_status 2 "a record and a beginning" bound log prove 3 --from 2
cp whole log/events.jsonl

check "verify" bound log verify --checkpoint checkpoint
sed -i '$d' log/events.jsonl
check "verify: a tail that was cut off does not show" bound log verify
said 'only against a checkpoint' "... and verify says so"
check_status 9 "... but against the checkpoint" bound log verify --checkpoint later
said 'its end was cut off' "... it does"
sed '2s/done/dome/' whole >log/events.jsonl
check_status 9 "a changed record" bound log verify
said 'record [23]:' "... is named"
sed 2d whole >log/events.jsonl
check_status 9 "a removed record" bound log verify
said 'record 2: its number is 3' "... is named"
sed 's/"seq":1,/"seq":5,/' proof1 >forged
check_status 9 "a proof for another number" bound log verify-proof forged --checkpoint checkpoint
cp whole log/events.jsonl
printf '{"actor":{"na' >>log/events.jsonl
check_status 9 "a half-written line" bound log verify
said 'the next event repairs' "... is told from a forged one"
bound audit a.img >/dev/null
check "... and is repaired" bound log verify --checkpoint checkpoint
is "$(ops | tr ' ' '\n' | grep -c log-repaired)" 1 "... and marked"
check "verify" bound log verify
said "cut off and noted, in record $(grep -n log-repaired log/events.jsonl | cut -d: -f1)\." "... says so"
check_status 1 "verify: a log that is not there" bound log verify --log nosuch
said 'Check the name of the file' "... is no drive that is missing"
check_status 1 "verify: what is no checkpoint" bound log verify --checkpoint "$PASS"
said "^sealdrive: $PASS: " "... is named"
check_status 2 "a proof of a record leads from no earlier checkpoint" bound log verify-proof proof1 --checkpoint checkpoint --earlier checkpoint

if command -v strace >/dev/null; then
	strace -f -e trace=openat,pwrite64,fsync,close -o trace sealdrive-bound audit a.img >/dev/null 2>&1
	is "$(sed -n '/events.jsonl.*O_RDWR/,$p' trace | grep -oE 'pwrite64|fsync|close' | sed '/pwrite64/,/close/!d' | xargs)" \
		"pwrite64 fsync close" "a record is on the disk before the command goes on"
fi
# a volume that is full, and the clock of a computer whose battery is empty
cp log/events.jsonl whole
check "a full disk" bash -c 'ulimit -f $(($(stat -c %s log/events.jsonl) / 1024)); trap "" XFSZ; sealdrive-bound audit a.img >/dev/null; true'
said 'event log was not written' "... is a warning"
check "... and the log is as it was" cmp whole log/events.jsonl
tail -n 1 log/events.jsonl | grep -q '"ts":"20' && sed -i '$s/"ts":"20/"ts":"19/' log/events.jsonl
check "a clock that was set back" bound log verify
said 'clock went back before 1 of them' "... is told"
cp whole log/events.jsonl

# ---- a log that cannot be written stops nobody ----
mv log gone
printf x >log
check "a log that cannot be written" env -u HOME sealdrive-bound format b.img --size 32M --passphrase-file "$PASS" "${FAST_KDF[@]}"
said 'event log was not written' "... is a warning"
rm log && mv gone log
cat >etc/policy.json <<'EOF'
{"schema": 1, "id": "ours", "version": 4, "inherits": "baseline", "require_log": true,
 "title": {"en": "Ours", "vi": "Của ta"}, "checks": {"U-05": {"mode": "fail"}, "D-02": {"mode": "off"}}}
EOF
mv log gone
refused 5 c.img 'log is required' "... unless the policy requires it" env -u HOME sealdrive-bound format c.img --size 32M --passphrase-file "$PASS"
check_status 5 "... which holds for audits" env -u HOME sealdrive-bound audit a.img
mv gone log

# ---- what the policy forbids ----
refused 5 c.img 'H-09 \(policy ours/4\).*pbkdf2-sha256, 1000 iterations.*600000.*OWASP.*sealdrive format --help' "format: a weak key derivation" \
	bound format c.img --size 32M --passphrase-file "$PASS" "${FAST_KDF[@]}"
refused 5 c.img 'H-05.*16|H-05.*32 bytes|H-05' "format: a short key" sh -c 'sed -i "s/\"checks\": {/\"checks\": {\"H-05\": {\"params\": {\"min_bytes\": 64}},/" etc/policy.json
	exec sealdrive-bound format c.img --size 32M --key-size 256 --passphrase-file "$1" --pbkdf argon2id --iterations 4 --memory 65536 --parallel 1' - "$PASS"
printf short >short && chmod 600 short
refused 5 c.img 'U-05.*at least 12 characters' "format: a short passphrase" \
	bound format c.img --size 32M --passphrase-file short --pbkdf argon2id --iterations 4 --memory 65536
is "$(grep -c '5 characters' "$T/err")" 0 "... whose length nobody is told"
cp a.img d.img
before=$(unchanged_sum d.img)
refused 5 d.img 'H-09' "mount: a drive from before" bound mount d.img m --passphrase-file "$PASS"
is "$(unchanged_sum d.img)" "$before" "... which is as it was"
printf '{"schema":1,"waivers":[{"id":"W","check":"H-09","reason":"r","approved_by":"a","expires":"2999-01-01"}]}' >etc/waivers.json
if fuse_ready; then
	check "... or with a waiver" bound mount d.img m --passphrase-file "$PASS"
	check "... unmount" bound unmount m
	rm etc/waivers.json
	check "format: as the policy wants it" bound format c.img --size 32M --passphrase-file "$PASS" --pbkdf argon2id --iterations 4 \
		--memory 65536 --parallel 1
	check "mount: it" bound mount c.img m --passphrase-file "$PASS"
	check "... unmount" bound unmount m
fi
is "$(ops | tr ' ' '\n' | grep -c refused)" 4 "what was refused is in the log"
is "$(grep -c '"policy":"ours/4"' log/events.jsonl | awk '{ print ($1 > 5) }')" 1 "... with the policy"
check "show" bound log show --op format
said "refused .*c.img .*policy=ours/4  exit=5  check=H-09  reason='Refused by your organisation's policy'|refused .*policy=ours/4  exit=5  check=H-09" \
	"... names policy and check"
mv etc/policy.json kept
bound audit a.img >/dev/null
bound audit a.img >/dev/null
is "$("$PYTHON" -c 'import json; print([r["detail"] for r in map(json.loads, open("log/events.jsonl")) if r["op"] == "policy"][-1],
	sum(r["op"] == "policy" and "removed" in r["detail"] for r in map(json.loads, open("log/events.jsonl"))))')" \
	"{'id': 'ours', 'removed': True, 'version': 4} 1" "... which is an event, once"
sed 's/"id": "ours", "version": 4/"id": "other", "version": 4/' kept >etc/policy.json
refused 5 a.img 'version 4 of another one was in force' "another name is no way back" bound mount a.img m --passphrase-file "$PASS"
mv kept etc/policy.json
bound audit a.img >/dev/null
is "$("$PYTHON" -c 'import json; print(*[r["detail"].get("removed") for r in map(json.loads, open("log/events.jsonl")) if r["op"] == "policy"][-2:])')" \
	"True None" "that it is there again is an event, too"
echo '{' >etc/policy.json
refused 5 d.img 'policy of this computer cannot be used: line' "a damaged policy forbids" bound mount d.img m --passphrase-file "$PASS"
printf '{"schema": 1, "id": "old", "version": 5, "inherits": "baseline", "not_after": "2020-01-01", "title": {"en": "x", "vi": "y"}, "checks": {}}' >etc/policy.json
refused 5 d.img 'H-09' "one that has ended still binds" bound mount d.img m --passphrase-file "$PASS"
# ---- keys: what was fulfilled stays so, and what was not may come ----
cat >etc/policy.json <<'EOF'
{"schema": 1, "id": "keys", "version": 6, "inherits": "baseline", "title": {"en": "x", "vi": "y"}, "checks":
 {"H-23": {"mode": "fail"}, "H-09": {"mode": "off"}, "H-14": {"params": {"max_slots": 2}}}}
EOF
check "a drive without a recovery key" bound format k.img --size 32M --passphrase-file "$PASS" "${FAST_KDF[@]}"
refused 5 k.img 'H-23' "... is not mounted" bound mount k.img m --passphrase-file "$PASS"
check "... gets one" bound key recovery k.img --passphrase-file "$PASS" --output recovery
printf 'another long phrase 77' >new && chmod 600 new
before=$(head -c 32768 k.img | sha256sum)
check_status 5 "a key slot too many" bound key add k.img --passphrase-file "$PASS" --new-passphrase-file new "${FAST_KDF[@]}"
said 'H-14.*3 key slots.*at most 2' "... is refused, and why"
is "$(head -c 32768 k.img | sha256sum)" "$before" "... the header is as it was"
refused 5 k.img 'H-23.*0 recovery keys' "the recovery key may not go" bound key remove k.img --slot 1 --passphrase-file "$PASS" --force
check "what breaks nothing is done" bound key change k.img --passphrase-file "$PASS" --new-passphrase-file new "${FAST_KDF[@]}"
is "$("$PYTHON" -c 'import json; print(*(r["op"] + ":" + r["result"] for r in map(json.loads, open("log/events.jsonl")) if r["op"].startswith("key")), sep=", ")')" \
	"key recovery:done, key add:refused, key remove:refused, key change:done" "all of it is in the log"
rm etc/policy.json
uuid=$(cryptsetup luksUUID d.img)
check "erase" bound erase d.img --force
is "$(tail -n 1 log/events.jsonl | "$PYTHON" -c 'import json; r = json.loads(input()); print(r["op"], r["result"], r["target"], r["uuid"])')" \
	"erase done $T/office/d.img $uuid" "... is in the log, with the UUID of what is gone"
bound header backup a.img backup >/dev/null
bound header check a.img >/dev/null
bound header backup --help >/dev/null
is "$("$PYTHON" -c 'import json; print([r["op"] for r in map(json.loads, open("log/events.jsonl")) if r["op"].startswith("header")])')" \
	"['header backup']" "what is done with headers, too; what only looks is no event"
check_status 1 "a drive that is not there" bound key add ./m/../gone.img --passphrase-file "$PASS"
check "show" bound log show --drive "$T/office/gone.img"
said "key add +failed .* $T/office/gone.img .*reason=ENOENT" "... has it where it was looked for"
check "the whole log" bound log verify
done_testing
