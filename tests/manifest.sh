#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# manifest: against sha256sum and find on the mounted drive; what was added, removed and changed.
. "$(dirname "$0")/lib.sh"
need_fuse
cd "$T/home" || exit 99
mkdir m
must "a drive" new_drive a.img 64M
must "mount" drive_mount a.img m
mkdir -p m/deep/er/est m/empty
printf 'x' >m/one
head -c 3000000 /dev/urandom >m/deep/big
truncate -s 5M m/sparse
ln -s ../one m/deep/link
ln m/one m/hard
printf 'y' >"m/$(printf 'caf\351')" # no UTF-8
printf 'z' >"m/Kế toán \"2026\""
mkfifo m/fifo
for i in $(seq 300); do printf '%s' "$i" >"m/deep/er/$i"; done
(cd m && find . -mindepth 1 -type f -print0 | sort -z | xargs -0 sha256sum -z) >sums
(cd m && find . -mindepth 1 -printf '%P\0%y\0%s\0%m\0%T@\0%C@\0') >found
must "unmount" drive_unmount m
before=$(unchanged_sum a.img)
check "manifest" sealdrive manifest a.img --passphrase-file "$PASS" --output list
is "$(unchanged_sum a.img)" "$before" "the drive is as it was"
check "as find and sha256sum see it" "$PYTHON" - <<'PY'
import hashlib, json
lines = open("list", "rb").read().split(b"\n")
assert lines.pop() == b""
last = json.loads(lines.pop())
assert last == {"entries": len(lines) - 1, "sha256": hashlib.sha256(b"".join(l + b"\n" for l in lines)).hexdigest()}
entries = {}
order = []
for line in lines[1:]:
    e = json.loads(line)
    assert json.dumps(e, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode() == line
    path = e["path"].encode() if "path" in e else bytes.fromhex(e["path_hex"])
    order.append(path)
    entries[path] = e
assert order == sorted(order)
f = open("found", "rb").read().split(b"\0")[:-1]
kinds = {b"f": "file", b"d": "folder", b"l": "link", b"p": "fifo"}
found = [f[i:i + 6] for i in range(0, len(f), 6)]
assert {p for p, *_ in found} == set(entries), set(entries) ^ {p for p, *_ in found}
for path, kind, size, mode, mtime, ctime in found:
    e = entries[path]
    assert e["kind"] == kinds[kind] and int(e["mode"], 8) == int(mode, 8), (path, e)
    assert (e["mtime"], e["ctime"]) == (mtime.decode()[:-1], ctime.decode()[:-1]), (path, mtime, ctime, e)
    assert kind not in b"fl" or e["size"] == size.decode(), (path, e)
for line in open("sums", "rb").read().split(b"\0")[:-1]:
    digest, path = line.split(b"  ", 1)
    assert entries[path[2:]]["sha256"] == digest.decode(), path
assert entries[b"deep/link"]["sha256"] == hashlib.sha256(b"../one").hexdigest()
PY
check "verify: all is as it was" sealdrive manifest verify list a.img --passphrase-file "$PASS"
said 'all as they were' "... and it says so"
cp a.img other.img
check "another drive with the same files" cryptsetup luksUUID --batch-mode other.img --uuid 12345678-1234-4234-8234-123456789abc
check "... its new header accepted" drive_mount other.img m --accept-header-change
check "... unmount" drive_unmount m
check_status 9 "... is not the same" sealdrive manifest verify list other.img --passphrase-file "$PASS"
said 'manifest is of another drive' "... and it says so"
is "$(grep -c 'all as they were' "$T/out")" 0 "... and nothing else"
check "another one, changed by another program" cryptsetup config other.img --label changed
check_status 4 "... is not opened" sealdrive manifest other.img --passphrase-file "$PASS" --output other
header=$(head -c 32768 other.img | sha256sum)
check "... but when whoever asks knows" sealdrive manifest other.img --passphrase-file "$PASS" --output other --accept-header-change
is "$(head -c 32768 other.img | sha256sum)" "$header" "... and its header stays as it is"
rm other.img
must "mount" drive_mount a.img m
printf 'X' >m/one
rm m/deep/er/7
printf new >m/new
chmod 600 m/deep/er/8
touch -d 2001-01-01 m/deep/er/9
cp -p m/deep/er/10 saved && printf '11' >m/deep/er/10 && printf '10' >m/deep/er/10 && touch -r saved m/deep/er/10
must "unmount" drive_unmount m
sealdrive manifest verify list a.img --passphrase-file "$PASS" >out
is $? 9 "verify: exit status 9"
is "$(sort out)" "$(printf '%s\n' 'added     new' 'changed   deep/er  (mtime, ctime)' 'changed   deep/er/10  (ctime)' 'changed   deep/er/8  (mode, ctime)' \
	'changed   deep/er/9  (mtime, ctime)' \
	'changed   hard  (mtime, ctime, sha256)' 'changed   one  (mtime, ctime, sha256)' 'removed   deep/er/7' | sort)" "... what was added, removed, changed"
sed '3s/"mode":"0/"mode":"1/' list >forged
refused 1 forged 'changed after' "a changed manifest" sealdrive manifest verify forged a.img --passphrase-file "$PASS"
"$PYTHON" - <<'PY' # as manifests were before they had it
import hashlib, json
lines = open("list", "rb").read().splitlines()
out = b"\n".join([lines[0]] + [json.dumps({k: v for k, v in json.loads(l).items() if k != "ctime"}, sort_keys=True,
    ensure_ascii=False, separators=(",", ":")).encode() for l in lines[1:-1]]) + b"\n"
open("old-list", "wb").write(out + json.dumps({"entries": len(lines) - 2, "sha256": hashlib.sha256(out).hexdigest()},
    separators=(",", ":")).encode() + b"\n")
PY
sealdrive manifest verify old-list a.img --passphrase-file "$PASS" >out
is "$(grep -c ctime out) $(grep -c 'er/10' out) $(grep -c 'one  (mtime, sha256)' out)" "0 0 1" "an older manifest, without the ctime"
head -n -1 list >short-list
refused 1 short-list 'end is missing' "one that was cut off" sealdrive manifest verify short-list a.img --passphrase-file "$PASS"
refused 1 "$PASS" 'end is missing|not a' "what is none" sealdrive manifest verify "$PASS" a.img --passphrase-file "$PASS"
check_status 1 "a file that is there is not overwritten" sealdrive manifest a.img --passphrase-file "$PASS" --output list
printf 'wrong wrong' >wrong && chmod 600 wrong
check_status 3 "a wrong passphrase" sealdrive manifest a.img --passphrase-file wrong
must "mount" drive_mount a.img m
check_status 6 "a mounted drive" sealdrive manifest a.img --passphrase-file "$PASS"
must "unmount" drive_unmount m
check_status 2 "no target" sealdrive manifest
check_status 2 "a signature of what is made" sealdrive manifest a.img --trust x
check_status 2 "verify signs nothing" sealdrive manifest verify list a.img --sign-key x --sign-cert y
check_status 2 "sign without a key" sealdrive manifest sign list
check_status 2 "two operands" sealdrive manifest a.img b.img
done_testing
