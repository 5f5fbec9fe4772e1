#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# sealdrive check: clean, not unmounted and damaged drives, as root and as an ordinary user; nothing is
# changed without --repair, nothing plain stays behind.
. "$(dirname "$0")/lib.sh"
need_fuse
need_command cryptsetup debugfs e2fsck
mkdir "$T/tmp" && chmod 1777 "$T/tmp"

check_drive() { # FILE [OPTION...]
	sealdrive check "$1" --passphrase-file "$PASS" "${@:2}"
}

leftovers() { # what a check might leave: mounts and folders, and files of these names
	mounts_below "$T" | grep sealdrive-volume
	ls -d "$T"/run/sealdrive-volume-* "$T"/user/run/sealdrive-volume-* 2>/dev/null
	return 0
}

damage() { # IMAGE DEBUGFS_COMMAND...
	local image=$1 plain=$T/plain c
	shift
	plain_of "$image" "$plain" || return 1
	for c; do
		debugfs -w -R "$c" "$plain" 2>/dev/null || return 1
	done
	! e2fsck -fn "$plain" >/dev/null 2>&1 || { echo "e2fsck sees no damage"; return 1; }
	"$PYTHON" "$JUDGE/luks-plain.py" encrypt "$image" "$PASS" "$plain"
	rm -f "$plain"
}

must "format" new_drive "$T/a.img" 32M
must "mount" drive_mount "$T/a.img" "$T/mnt"
check "a tree" fill_tree "$T/mnt/tree"
check_status 6 "a mounted drive is refused" check_drive "$T/a.img"
said "already mounted" "... with the reason"
check_status 6 "... also with --repair" check_drive "$T/a.img" --repair
tree_sums "$T/mnt" >"$T/sums"
mark=Mark$RANDOM$RANDOM # in a name that no list of this test has, and in content
echo "$mark-content" >"$T/mnt/$mark-name"
must "unmount" drive_unmount "$T/mnt"

# ---- clean ----
before=$(unchanged_sum "$T/a.img")
check "a clean drive" check_drive "$T/a.img"
is "$(cat "$T/out")" "The file system has no errors." "... is all that is said"
check "a container that may only be read" bash -c 'chmod 400 "$1" && sealdrive check "$1" --passphrase-file "$2"; s=$?; chmod 600 "$1"; exit $s' - "$T/a.img" "$PASS"
is "$(unchanged_sum "$T/a.img")" "$before" "not one byte changed"
is "$(leftovers)" "" "nothing is left over"
check "--repair on a clean drive" check_drive "$T/a.img" --repair
check_status 3 "a wrong passphrase" sealdrive check "$T/a.img" --key-file /etc/hostname
check_status 2 "two targets" check_drive "$T/a.img" "$T/a.img"
truncate -s 20M "$T/zero.img"
check_status 4 "no LUKS" check_drive "$T/zero.img"
check "an empty drive" bash -c 'truncate -s 20M "$1" && cryptsetup -q luksFormat --pbkdf pbkdf2 --pbkdf-force-iterations 1000 "$1" "$2"' - "$T/empty.img" "$PASS"
check_status 4 "no file system" check_drive "$T/empty.img"
said "holds no ext4" "... is said"

# ---- not unmounted: a journal to replay and an orphan ----
cp "$T/a.img" "$T/b.img"
must "mount" drive_mount "$T/b.img" "$T/mnt"
bash -c 'exec 5>"$1/orphan"; head -c 3000000 /dev/urandom >&5; rm "$1/orphan"; echo new >"$1/new"; sync -f "$1/new"; sleep 1.5
	kill -KILL "$2"; sleep 0.2' - "$T/mnt" "$(daemons | head -n 1)" 2>/dev/null
check "the service was killed" sealdrive unmount "$T/mnt"
plain_of "$T/b.img" "$T/plain"
check "the journal must be replayed" bash -c 'dumpe2fs -h "$1" 2>/dev/null | grep needs_recovery' - "$T/plain"
rm -f "$T/plain"
before=$(unchanged_sum "$T/b.img")
check "a drive that was not unmounted has no errors" check_drive "$T/b.img"
said "replayed at the next mount" "... its journal is named"
is "$(unchanged_sum "$T/b.img")" "$before" "not one byte changed"
check "--repair replays it" check_drive "$T/b.img" --repair
check "... and it is clean" judge "$T/b.img"
check "checked again" check_drive "$T/b.img"
is "$(grep -c journal "$T/out")" 0 "... without a journal to replay"

# ---- a damaged file system ----
cp "$T/a.img" "$T/c.img"
must "damage" damage "$T/c.img" "clri /tree/size-4097" "set_inode_field /tree/size-65536 links_count 7" "freeb 5000 200"
before=$(unchanged_sum "$T/c.img")
check_status 9 "a damaged drive" check_drive "$T/c.img"
said "size-4097" "... what e2fsck says is shown"
said "nothing was changed" "... and that nothing was done"
is "$(grep -c "sealdrive-volume" "$T/out")" 0 "... under the drive's own name"
is "$(unchanged_sum "$T/c.img")" "$before" "not one byte changed"
check_status 9 "--repair" check_drive "$T/c.img" --repair
said "they were repaired" "... says so"
check "it is clean by e2fsck" judge "$T/c.img"
check "... and by check" check_drive "$T/c.img"
check "mount" drive_mount "$T/c.img" "$T/mnt"
is "$(tree_sums "$T/mnt" | grep -v "$mark" | diff - "$T/sums" | grep -c '^>')" 1 "all files but the damaged one are there"
check "unmount" drive_unmount "$T/mnt"

# ---- a super block that is gone: e2fsck finds a copy ----
must "format" new_drive "$T/d.img" 200M
check "decrypt" plain_of "$T/d.img" "$T/plain"
dd if=/dev/zero of="$T/plain" bs=1024 seek=1 count=1 conv=notrunc status=none
check "encrypt" "$PYTHON" "$JUDGE/luks-plain.py" encrypt "$T/d.img" "$PASS" "$T/plain"
rm -f "$T/plain"
check_status 9 "a drive without super block" check_drive "$T/d.img"
check_status 9 "--repair" check_drive "$T/d.img" --repair
check "it is clean by e2fsck" judge "$T/d.img"

# ---- the header ----
for copy in 0 1; do
	cp "$T/a.img" "$T/e.img"
	printf 'XXXX' | dd of="$T/e.img" bs=1 seek=$((copy * 16384 + 300)) conv=notrunc status=none
	before=$(unchanged_sum "$T/e.img")
	check_status 9 "copy $copy of the header is damaged" check_drive "$T/e.img"
	said "copy of the LUKS header is damaged; the other one is good" "... is said"
	is "$(unchanged_sum "$T/e.img")" "$before" "not one byte changed"
	check_status 9 "--repair" check_drive "$T/e.img" --repair
	said "repaired from the other one" "... says so"
	check "both are good now" check_drive "$T/e.img"
	check "... for cryptsetup, too" cryptsetup --disable-locks luksDump "$T/e.img"
done

# ---- Ctrl-C, and what can be seen meanwhile ----
cat >"$T/slow-e2fsck" <<'EOF'
#!/bin/sh
trap 'exit 32' INT
for last; do :; done
echo "$last" >"$SEEN"
stat -f -c %T "$last" >/dev/null
head -c 1082 "$last" | tail -c 2 | od -An -tx1 >>"$SEEN.magic"
while :; do sleep 0.1; done
EOF
mkdir "$T/slow" && sed "s|\$SEEN|$T/tmp/seen|g" "$T/slow-e2fsck" >"$T/slow/e2fsck" && chmod 755 "$T/slow/e2fsck"
for sig in INT TERM HUP; do
	rm -f "$T/tmp/seen"*
	PATH=$T/slow:$PATH env --default-signal sealdrive check "$T/a.img" --passphrase-file "$PASS" >"$T/out" 2>&1 &
	pid=$!
	for i in {1..100}; do [ -s "$T/tmp/seen.magic" ] && break; sleep 0.1; done
	path=$(cat "$T/tmp/seen")
	if [ $sig = INT ]; then
		is "$(cat "$T/tmp/seen.magic")" " 53 ef" "the program sees the plain file system"
		is "$(stat -c %a "$(dirname "$path")"), $(stat -c '%a %u' "$path")" "500, 400 $(id -u)" "... which is the user's alone"
		is "$(awk -v d="${path%/*}" '$5 == d { print $6 }' /proc/self/mountinfo)" "ro,nosuid,nodev,noexec,noatime" \
			"... in a mount of its own"
		if is_root; then
			check_status 1 "another user cannot enter it" as_user cat "$path"
		fi
		is "$(tr '\0' ' ' <"/proc/$pid/cmdline" | grep -c 'correct horse')" 0 "the passphrase is not in argv"
		check_status 6 "the drive is locked meanwhile" drive_mount "$T/a.img" "$T/mnt"
	fi
	kill -$sig $pid
	wait $pid 2>/dev/null
	is "$?" $((128 + $(kill -l $sig))) "SIG$sig ends it"
	is "$(leftovers)" "" "... and nothing is left over"
	is "$(pgrep -f "$T/slow/e2fsck" | wc -l)" 0 "... nor the program"
done

# ---- a container that was cut off: what is missing is nothing to repair ----
head -c 26M "$T/a.img" >"$T/cut.img"
before=$(sha256sum <"$T/cut.img")
check_status 4 "a container that was cut off" check_drive "$T/cut.img"
said 'larger than the drive that holds it' "... is not called whole"
check_status 4 "... nor repaired" check_drive "$T/cut.img" --repair
is "$(sha256sum <"$T/cut.img")" "$before" "... and nothing was changed"
sealdrive audit "$T/cut.img" --passphrase-file "$PASS" --format json >"$T/json" 2>"$T/out"
is "$("$PYTHON" -c 'import json, sys
print(*[f["state"] for d in json.load(open(sys.argv[1]))["drives"] for f in d["findings"] if f["id"] == "U-04"])' "$T/json")" \
	warn "... nor clean for the auditor"

# ---- the super block is gone, and e2fsck takes the copy of it ----
must "a drive with copies of its super block" new_drive "$T/s.img" 200M
must "mount" drive_mount "$T/s.img" "$T/mnt"
check "a tree" fill_tree "$T/mnt/tree"
tree_sums "$T/mnt" >"$T/sums.s"
check "unmount" drive_unmount "$T/mnt"
dd if=/dev/urandom of="$T/s.img" bs=4096 seek=4096 count=1 conv=notrunc status=none
check_status 9 "a destroyed super block" check_drive "$T/s.img" --repair
said 'errors; they were repaired' "... is repaired by one command"
check "mount" drive_mount "$T/s.img" "$T/mnt"
tree_sums "$T/mnt" | grep -v lost+found >"$T/sums.s2"
check "... and all files are there" diff <(grep -v lost+found "$T/sums.s") "$T/sums.s2"
check "unmount" drive_unmount "$T/mnt"
rm -f "$T/s.img" "$T/cut.img"

# ---- as an ordinary user ----
must "a user's drive" user_ready
cp "$T/a.img" "$T/user/a.img" && cp "$T/c.img" "$T/user/c.img"
must "damage" damage "$T/user/c.img" "clri /tree/size-512"
is_root && chown "$USER_ID:$USER_GROUP" "$T/user/a.img" "$T/user/c.img"
check "as a user" as_user env PATH="$T/user/bin:/usr/bin:/bin" sealdrive check "$T/user/a.img" --passphrase-file "$T/user/pass"
check_status 9 "... a damaged drive" as_user sealdrive check "$T/user/c.img" --passphrase-file "$T/user/pass"
check_status 9 "... repaired" as_user sealdrive check "$T/user/c.img" --repair --passphrase-file "$T/user/pass"
check "... is clean" as_user sealdrive check "$T/user/c.img" --passphrase-file "$T/user/pass"
check "without a runtime folder" as_user env -u XDG_RUNTIME_DIR sealdrive check "$T/user/a.img" --passphrase-file "$T/user/pass"
is "$(leftovers)" "" "nothing is left over"
is "$(grep -rlF "$mark" "$T" /var/tmp /tmp/sealdrive-volume-* 2>/dev/null)" "" "nothing plain is in any file"
done_testing
