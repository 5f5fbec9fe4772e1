#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# sealdrive resize: containers and drives that have grown, judged by e2fsck, cryptsetup and the kernel.
. "$(dirname "$0")/lib.sh"
need_fuse
need_command cryptsetup debugfs e2fsck resize2fs

resize() { # FILE [OPTION...]
	sealdrive resize "$1" --passphrase-file "$PASS" "${@:2}"
}

leftovers() {
	mounts_below "$T" | grep sealdrive-volume
	ls -d "$T"/run/sealdrive-volume-* "$T"/user/run/sealdrive-volume-* 2>/dev/null
	return 0
}

fs_bytes() { # IMAGE
	plain_of "$1" "$T/plain" && dumpe2fs -h "$T/plain" 2>/dev/null |
		awk -F': *' '/^Block count:/ { n = $2 } /^Block size:/ { s = $2 } END { print n * s }'
	rm -f "$T/plain"
}

same_files() { # IMAGE: it has all files of the tree
	drive_mount "$1" "$T/mnt" --read-only || return 1
	tree_sums "$T/mnt" >"$T/now" && tree_list "$T/mnt" >>"$T/now"
	drive_unmount "$T/mnt" && cmp "$T/now" "$T/before"
}

must "format" new_drive "$T/a.img" 32M
must "mount" drive_mount "$T/a.img" "$T/mnt"
check "a tree" fill_tree "$T/mnt/tree"
check_status 6 "a mounted drive is refused" resize "$T/a.img" --size 64M
tree_sums "$T/mnt" >"$T/before" && tree_list "$T/mnt" >>"$T/before"
must "unmount" drive_unmount "$T/mnt"

# ---- nothing to do, and what is refused ----
before=$(unchanged_sum "$T/a.img")
check "a file system that fills its container" resize "$T/a.img"
said "^Nothing to do: .* 16 MiB" "... is told"
check "--size as it is" resize "$T/a.img" --size 32M
said "^Nothing to do" "... is told"
refused 2 "$T/a.img" "never made smaller" "a smaller --size" resize "$T/a.img" --size 24M
check_status 2 "a wrong --size" sealdrive resize "$T/a.img" --size much --passphrase-file "$PASS"
said "--size: 'much' is not a size" "... is named"
check_status 3 "a wrong passphrase" sealdrive resize "$T/a.img" --size 64M --key-file /etc/hostname
is "$(unchanged_sum "$T/a.img")" "$before" "not one byte changed"

# ---- by --size ----
check "--size 100M" resize "$T/a.img" --size 100M
said "^Before: .*16 MiB .*84 MiB" "... the sizes before"
said "^Now: .*84 MiB .*84 MiB" "... and after"
is "$(stat -c %s "$T/a.img")" $((100 << 20)) "the container has the size"
is "$(fs_bytes "$T/a.img")" $((84 << 20)) "the file system fills it"
check "e2fsck finds nothing" judge "$T/a.img"
check "all files are as before" same_files "$T/a.img"
check "cryptsetup opens it" cryptsetup --disable-locks --test-passphrase open "$T/a.img" --key-file "$PASS"
before=$(unchanged_sum "$T/a.img")
check "once more" resize "$T/a.img"
said "^Nothing to do" "... there is nothing to do"
is "$(unchanged_sum "$T/a.img")" "$before" "not one byte changed"
if have_loop; then
	plain_of "$T/a.img" "$T/plain"
	check "the kernel mounts it" loop_mount "$T/plain" "$T/kernel"
	check "... and fills it" bash -c 'head -c 40M /dev/zero | tr "\0" x >"$1/fill" && sync -f "$1"' - "$T/kernel"
	tree_sums "$T/kernel" | grep -v '/fill$' >"$T/now" && tree_list "$T/kernel" | grep -v '^fill|' >>"$T/now"
	check "all files are as before" cmp "$T/now" "$T/before"
	check "unmount" umount "$T/kernel"
	check "e2fsck finds nothing" judge_plain "$T/plain"
	rm -f "$T/plain"
else
	skip "the kernel mounts it" "$NO_LOOP"
fi

# ---- a container that was made larger otherwise; a journal in use ----
truncate -s 150M "$T/a.img"
must "mount" drive_mount "$T/a.img" "$T/mnt"
echo new >"$T/mnt/new" && sync -f "$T/mnt/new" && sleep 1.5
kill -KILL "$(daemons | head -n 1)"
check "not unmounted" sealdrive unmount "$T/mnt"
check "resize" resize "$T/a.img"
is "$(fs_bytes "$T/a.img")" $((134 << 20)) "the file system fills it"
check "e2fsck finds nothing" judge "$T/a.img"
must "mount" drive_mount "$T/a.img" "$T/mnt"
is "$(cat "$T/mnt/new")" new "what the journal held is there"
rm "$T/mnt/new"
must "unmount" drive_unmount "$T/mnt"
check "all files are as before" same_files "$T/a.img"

# ---- a damaged file system is not resized ----
cp "$T/a.img" "$T/d.img"
plain_of "$T/d.img" "$T/plain"
debugfs -w -R "clri /tree/folder" "$T/plain" 2>/dev/null
check "encrypt" "$PYTHON" "$JUDGE/luks-plain.py" encrypt "$T/d.img" "$PASS" "$T/plain"
rm -f "$T/plain"
check_status 4 "a damaged file system" resize "$T/d.img" --size 200M
said "not resized before it is repaired" "... is not resized"
said "sealdrive check --repair" "... the remedy is named"
is "$(stat -c %s "$T/d.img")" $((150 << 20)) "... the container is as large as before"
check_status 9 "repaired" sealdrive check "$T/d.img" --repair --passphrase-file "$PASS"
check "... it is resized" resize "$T/d.img" --size 200M
check "e2fsck finds nothing" judge "$T/d.img"
rm -f "$T/d.img"

# ---- a segment of a fixed size, and a detached header ----
must "format" new_drive "$T/g.img" 20M
check "a header with a fixed size" "$PYTHON" "$JUDGE/luks-edit.py" make "segment of fixed size" "$T/g.img" "$T/f.img"
rm -f "$T/g.img"
check "... which its user knows of" drive_mount "$T/f.img" "$T/mnt" --accept-header-change
check "unmount" drive_unmount "$T/mnt"
truncate -s 60M "$T/f.img"
check "a larger container is of no use to it" resize "$T/f.img"
said "fixed size" "... is said"
said "^Nothing to do" "... and nothing done"
refused 2 "$T/f.img" "fixed size" "nor --size" resize "$T/f.img" --size 200M
check "e2fsck finds nothing" judge "$T/f.img"
rm -f "$T/f.img"
must "a detached header" new_drive "$T/h.img" 20M --header "$T/h.hdr"
check "resize" resize "$T/h.img" --header "$T/h.hdr" --size 60M
check "e2fsck finds nothing" judge "$T/h.img" --header "$T/h.hdr"
rm -f "$T/h.img"

# ---- the container's own disk is full; Ctrl-C ----
refused 1 "$T/a.img" "no space left where the container" "no space for it" resize "$T/a.img" --size 200T
mkdir "$T/slow"
cat >"$T/slow/resize2fs" <<EOF
#!/bin/sh
touch "$T/started"
sleep 2
exec $(command -v resize2fs) "\$@"
EOF
chmod 755 "$T/slow/resize2fs"
PATH=$T/slow:$PATH env --default-signal sealdrive resize "$T/a.img" --size 160M --passphrase-file "$PASS" >"$T/out" 2>&1 &
pid=$!
for i in {1..100}; do [ -e "$T/started" ] && break; sleep 0.1; done
is "$(tr '\0' ' ' <"/proc/$pid/cmdline" | grep -c 'correct horse')" 0 "the passphrase is not in argv"
kill -INT $pid
sleep 0.3
kill -TERM $pid
wait $pid
is "$?" 0 "signals do not end it half-way"
said "must not be left half-way" "... which is said"
said "^Now: .*144 MiB" "... and it is done"
check "e2fsck finds nothing" judge "$T/a.img"
is "$(leftovers)" "" "nothing is left over"

# ---- a drive that has grown ----
if have_loop && losetup -f >/dev/null 2>&1; then
	loop=$(losetup -f --show "$T/a.img")
	check "a drive" resize "$loop"
	said "^Nothing to do" "... that is filled"
	check_status 2 "--size of a drive" resize "$loop" --size 300M
	said "not for drives" "... is refused"
	truncate -s 200M "$T/a.img" && losetup -c "$loop"
	check "the drive has grown" resize "$loop"
	said "^Now: .*184 MiB" "... the file system as well"
	losetup -d "$loop"
	check "e2fsck finds nothing" judge "$T/a.img"
	check "all files are as before" same_files "$T/a.img"
else
	skip "a drive" "$NO_LOOP"
fi

# ---- an ordinary user ----
must "a user's drive" user_ready
cp --sparse=always "$T/a.img" "$T/user/a.img"
is_root && chown "$USER_ID:$USER_GROUP" "$T/user/a.img"
check "as a user" as_user env PATH="$T/user/bin:/usr/bin:/bin" sealdrive resize "$T/user/a.img" --size 220M --passphrase-file "$T/user/pass"
check "e2fsck finds nothing" judge "$T/user/a.img"
check "all files are as before" same_files "$T/user/a.img"
is "$(leftovers)" "" "nothing is left over"
done_testing
