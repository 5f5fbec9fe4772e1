#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# info and list: what they show, as text and as JSON, also of drives that mean harm.
. "$(dirname "$0")/lib.sh"
need_command cryptsetup

json() { # EXPRESSION: of the document j on $T/out
	"$PYTHON" -c 'import json, sys
with open(sys.argv[1], encoding="utf-8") as f:
    j = json.load(f)
print(eval(sys.argv[2]))' "$T/out" "$1"
}
info_json() {
	sealdrive info "$1" --json >"$T/out" 2>"$T/err"
}

# ---- a drive of our own, against cryptsetup's own JSON ----
check "a drive" new_drive "$T/a.img" 32M --label 'Kế toán'
check "info" sealdrive info "$T/a.img"
for line in 'Label: +Kế toán' "UUID: +$(cryptsetup luksUUID "$T/a.img")" 'Primary copy: +good' \
	'Secondary copy: +good' 'Cipher: +aes-xts-plain64' 'Key derivation: +pbkdf2' 'Opens here: +yes'; do
	said "^ +$line\$" "it says: $line"
done
before=$(unchanged_sum "$T/a.img")
check "info --json" info_json "$T/a.img"
is "$(json 'j["uuid"]')" "$(cryptsetup luksUUID "$T/a.img")" "uuid"
is "$(json '(j["label"], j["format"], j["usable"], j["size_bytes"], j["sequence"])')" \
	"('Kế toán', 'luks2', True, 33554432, 1)" "label, format, usable, size, sequence"
is "$(json 'sorted(j["header"].items())')" "[('checksum', 'sha256'), ('copy_bytes', 16384), ('keyslots_area_bytes', 16744448), ('primary', 'ok'), ('secondary', 'ok')]" "header"
against_cryptsetup() { # IMAGE DESCRIPTION
	cryptsetup --disable-locks luksDump --dump-json-metadata "$1" >"$T/theirs"
	info_json "$1"
	is "$("$PYTHON" - "$T/out" "$T/theirs" <<'PY'
import json, sys
ours, theirs = (json.load(open(f, encoding="utf-8")) for f in sys.argv[1:])
def differ(what, a, b):
    if a != b:
        print(what, a, b)
for kind in ("keyslots", "segments", "digests", "tokens"):
    differ(kind, sorted(str(o["id"]) for o in ours[kind]), sorted(theirs[kind]))
for o in ours["keyslots"]:
    t = theirs["keyslots"][str(o["id"])]
    differ("type", o["type"], t["type"])
    differ("key", o["key_bits"], t["key_size"] * 8)
    differ("area", o["area"], {"offset_bytes": int(t["area"]["offset"]), "size_bytes": int(t["area"]["size"]),
        "cipher": t["area"]["encryption"], "key_bits": t["area"]["key_size"] * 8})
    differ("af", o["af"], {"hash": t["af"]["hash"], "stripes": t["af"]["stripes"]})
    k = t["kdf"]
    differ("kdf type", o["kdf"]["type"], k["type"])
    if k["type"] == "pbkdf2":
        differ("kdf", (o["kdf"]["hash"], o["kdf"]["iterations"]), (k["hash"], k["iterations"]))
    else:
        differ("kdf", (o["kdf"]["time"], o["kdf"]["memory_kib"], o["kdf"]["threads"]),
            (k["time"], k["memory"], k["cpus"]))
    differ("priority", o["priority"], {0: "ignore", 1: "normal", 2: "high"}[t.get("priority", 1)])
for o in ours["segments"]:
    t = theirs["segments"][str(o["id"])]
    differ("segment", (o["type"], o["offset_bytes"], o["cipher"], o["sector_bytes"], o["iv_tweak"]),
        (t["type"], int(t["offset"]), t["encryption"], t["sector_size"], int(t["iv_tweak"])))
    differ("size", "dynamic" if o["size_bytes"] is None else str(o["size_bytes"]), t["size"])
for o in ours["digests"]:
    t = theirs["digests"][str(o["id"])]
    differ("digest", (o["type"], o["hash"], o["iterations"], o["keyslots"], o["segments"]),
        (t["type"], t["hash"], t["iterations"], sorted(map(int, t["keyslots"])), sorted(map(int, t["segments"]))))
for o in ours["tokens"]:
    t = theirs["tokens"][str(o["id"])]
    differ("token", (o["type"], o["keyslots"]), (t["type"], sorted(map(int, t["keyslots"]))))
differ("flags", ours["flags"], theirs["config"].get("flags", []))
PY
)" "" "$2: the same as cryptsetup says"
}
against_cryptsetup "$T/a.img" "ours"

# ---- everything a header may hold ----
truncate -s 40M "$T/b.img"
cs() {
	cryptsetup --disable-locks -q "$@"
}
fast=(--pbkdf pbkdf2 --pbkdf-force-iterations 1000)
check "theirs: format" cs luksFormat --type luks2 "${fast[@]}" --key-file "$PASS" --label L --subsystem S \
	--luks2-metadata-size 32k --integrity-no-journal "$T/b.img"
printf second >"$T/pass2"
check "theirs: a second slot" cs luksAddKey --pbkdf argon2i --pbkdf-force-iterations 4 --pbkdf-memory 64 --pbkdf-parallel 2 \
	--key-file "$PASS" --key-slot 7 "$T/b.img" "$T/pass2"
check "theirs: a preferred slot" cs config --key-slot 7 --priority prefer "$T/b.img"
check "theirs: a slot to ignore" cs config --key-slot 0 --priority ignore "$T/b.img"
check "theirs: a token" bash -c 'printf "%s" "{\"type\":\"some-vendor\",\"keyslots\":[\"7\"],\"x\":1}" |
	cryptsetup --disable-locks token import "$1"' - "$T/b.img"
against_cryptsetup "$T/b.img" "theirs"
check "info" sealdrive info "$T/b.img"
said 'Priority: +ignore' "text: a slot to ignore"
said 'Token 0' "text: the token"
said 'some-vendor' "text: its type"
said 'Subsystem: +S' "text: the subsystem"

# ---- one copy damaged, read-only, mounted, locked ----
for copy in 0 16384; do
	cp --sparse=always "$T/a.img" "$T/d.img"
	printf x | dd of="$T/d.img" bs=1 seek=$((copy + 4200)) conv=notrunc status=none
	before=$(unchanged_sum "$T/d.img")
	check "a copy is damaged" info_json "$T/d.img"
	is "$(json '(j["header"]["primary"], j["header"]["secondary"])')" \
		"$([ $copy = 0 ] && echo "('damaged', 'ok')" || echo "('ok', 'damaged')")" "... which one"
	check "... as text" sealdrive info "$T/d.img"
	said 'warning: .*d.img: .*DAMAGED' "... with a warning"
	is "$(unchanged_sum "$T/d.img")" "$before" "... and unchanged"
done
exec 9<"$T/a.img"
flock -x 9
check "a drive that is locked" sealdrive info "$T/a.img"
exec 9<&-
user_ready
install -m 444 "$T/a.img" "$T/user/a.img"
check "a drive without write permission" as_user sealdrive info a.img
check "a header file" bash -c 'head -c 16M "$1" >"$2" && sealdrive info "$2"' - "$T/a.img" "$T/header"

# ---- what is no drive ----
refused 4 "$T/pass" 'not an encrypted' "a text file" sealdrive info "$T/pass"
refused 1 "$T/absent" 'no such file' "nothing" sealdrive info "$T/absent"
refused 1 "$T/home" 'drive, a partition' "a folder" sealdrive info "$T/home"
check_status 2 "two operands" sealdrive info "$T/a.img" "$T/b.img"

# ---- text that would play tricks on a terminal ----
esc=$'\e[31mred\e[0m\u202eevil'
check "theirs: a label with escape sequences" cs config --label "$esc" "$T/b.img"
sealdrive info "$T/b.img" >"$T/out" 2>&1
is "$(grep -c $'\e\|\u202e' "$T/out")" 0 "none of them reaches the terminal"
said 'Label: .*red' "... the rest does"
check "... in JSON" info_json "$T/b.img"
is "$(json 'ascii(j["label"])')" "'\\ufffd[31mred\\ufffd[0m\\ufffdevil'" "... they are replaced there, too"
cp --sparse=always "$T/a.img" "$T/$esc\"\\.img"
check "a path with quotes and escape sequences" info_json "$T/$esc\"\\.img"
is "$(json 'j["path"].endswith("evil\"\\.img")')" True "... is proper JSON"
sealdrive info "$T/nothing$esc" >"$T/out" 2>&1
is "$(grep -c $'\e' "$T/out")" 0 "... and so are names in messages"

# ---- list ----
check "list" sealdrive list
check "list --all" sealdrive list --all
check "list --json" bash -c 'sealdrive list --all --json >"$1"' - "$T/list"
cp "$T/list" "$T/out"
is "$(json 'type(j["drives"]).__name__')" list "... is an object with a list of drives"
if have_loop && loop=$(losetup -r -f --show "$T/b.img"); then
	check "with a LUKS drive" bash -c 'sealdrive list --json >"$1"' - "$T/list"
	cp "$T/list" "$T/out"
	is "$(json "[(d['content'], d['content_version'], d['size_bytes'], d['read_only'], d['uuid'] != '') for d in j['drives'] if d['path'] == '$loop']")" \
		"[('crypto_LUKS', '2', 41943040, True, True)]" "... it is in the list"
	is "$(json "ascii([d['label'] for d in j['drives'] if d['path'] == '$loop'][0])" | grep -c 'u202e\|x1b')" 0 "... its label is harmless"
	check "... as text" sealdrive list
	said "^$loop +40 MiB.*LUKS2" "... with size and kind"
	losetup -d "$loop"
else
	skip "with a LUKS drive" "$NO_LOOP"
fi
# ---- docs/JSON.md says what is printed ----
same_members() { # NUMBER-OF-EXAMPLE: against $T/out
	"$PYTHON" - "$top_srcdir/docs/JSON.md" "$1" "$T/out" <<'PY'
import json, re, sys
text = open(sys.argv[1], encoding="utf-8").read()
documented = json.loads(re.findall(r"```json\n(.*?)```", text, re.S)[int(sys.argv[2])])
printed = json.load(open(sys.argv[3], encoding="utf-8"))
def shape(x):
    if isinstance(x, dict):
        return {k: shape(v) for k, v in x.items()}
    if isinstance(x, list):
        return [shape(v) for v in x[:1]]
    return type(x).__name__
def compare(a, b, at):
    if type(a) is not type(b):
        print(at, a, b)
    elif at.endswith(".counters"): # an open list: those that are not 0
        if not b or not all(type(v) is type(a["drive_flushes"]) for v in b.values()):
            print(at, b)
    elif isinstance(a, dict):
        if list(a) != list(b):
            print(at, list(a), list(b))
        for k in a:
            if k in b:
                compare(a[k], b[k], at + "." + k)
    elif isinstance(a, list) and a and b:
        compare(a[0], b[0], at + "[]")
    elif not isinstance(a, list) and a != b:
        print(at, a, b)
compare(shape(documented), shape(printed), "")
PY
}
cp "$T/list" "$T/out"
is "$(same_members 0)" "" "list --json: as documented"
check "a drive with argon2" sealdrive format "$T/argon.img" --size 20M --passphrase-file "$PASS" --pbkdf argon2id \
	--iterations 4 --memory 64 --parallel 1
info_json "$T/argon.img"
is "$(same_members 2)" "" "info --json: as documented"
if fuse_ready && drive_mount "$T/argon.img" "$T/mnt" >/dev/null; then
	sealdrive status --json >"$T/out"
	is "$(same_members 1)" "" "status --json: as documented"
	info_json "$T/argon.img"
	is "$(json 'j["usable"]')" True "info of a mounted drive"
	drive_unmount "$T/mnt" >/dev/null
else
	skip "status --json: as documented" "nothing can be mounted here"
fi

check_status 2 "list with an operand" sealdrive list x
check_status 1 "a full disk is noticed" bash -c 'sealdrive info "$1" >/dev/full' - "$T/a.img"
done_testing
