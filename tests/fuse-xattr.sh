#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Extended attributes and ACLs through the mount: results, errors and what is shown afterwards are
# those of the kernel's ext4; each then reads what the other one wrote.
. "$(dirname "$0")/lib.sh"
need_root "it takes several users, and attributes that only root may set"
have_loop || skip_all "$NO_LOOP"
need_fuse
need_command cryptsetup e2fsck dumpe2fs mke2fs getfacl setfacl getfattr setfattr tar
CASES="names users acls inherited access privileges tree"
SEEDS="1 2 3"
[ -z "${SEALDRIVE_LONG:-}" ] || SEEDS=$(seq -s ' ' 1 60)

cp "$top_srcdir/tests/fuse-xattr.py" "$T/xattr.py"
chmod 644 "$T/xattr.py"

run() { # DIR OUTPUT: all cases
	local c
	for c in $CASES; do
		timeout 300 "$PYTHON" "$T/xattr.py" "$c" "$1/$c" >"$2.$c" 2>&1 || return 1
	done
	for c in $SEEDS; do
		timeout 300 "$PYTHON" "$T/xattr.py" shuffled "$1/shuffled-$c" "$c" >"$2.shuffled-$c" 2>&1 || return 1
	done
}

# What getfattr and getfacl show of everything below DIR.
shown() { # DIR
	(cd "$1" && {
		find . ! -type l -print0 | sort -z | xargs -0 getfacl -n -p 2>&1
		find . -exec sh -c 'getfattr -h -d -m - -e hex "$1" | sed "s|^|$1 |"' - {} \; 2>&1 | sort
	})
}

must "format" new_drive "$T/a.img" 176M
must "mount" drive_mount "$T/a.img" "$T/mnt" --owner disk
must "a file system for the kernel" bash -c 'truncate -s 160M "$1" && mke2fs -q -t ext4 -b 4096 "$1"' - "$T/kernel.img"
must "the kernel mounts" loop_mount "$T/kernel.img" "$T/kernel" nosuid,nodev
mkdir "$T/mnt/tree" "$T/kernel/tree"
chmod 755 "$T/mnt" "$T/kernel"
check "the kernel's ext4" run "$T/kernel/tree" "$T/theirs"
check "ours" run "$T/mnt/tree" "$T/ours"
for c in $CASES $(printf 'shuffled-%s ' $SEEDS); do
	check "the same: $c" diff "$T/theirs.$c" "$T/ours.$c"
done
shown "$T/kernel/tree" >"$T/shown.kernel"
shown "$T/mnt/tree" >"$T/shown"
check "the same is shown in the end" diff "$T/shown.kernel" "$T/shown"
check "unmount" drive_unmount "$T/mnt"
check "perfect" judge "$T/a.img"
must "mount again" drive_mount "$T/a.img" "$T/mnt" --owner disk
shown "$T/mnt/tree" >"$T/shown.again"
check "the same after mounting again" diff "$T/shown" "$T/shown.again"

# Labels of SELinux: kept as they are; who asks for those of files without is told to stop asking.
if [ -e /sys/fs/selinux ]; then
	skip "labels nobody heeds" "this kernel has SELinux"
else
	mkdir "$T/mnt/labels" && touch "$T/mnt/labels/"{1..200}
	setfattr -n security.selinux -v system_u:object_r:etc_t:s0 "$T/mnt/labels/7"
	is "$(getfattr --only-values -n security.selinux "$T/mnt/labels/7")" system_u:object_r:etc_t:s0 "a label is kept"
	check_status 1 "a file without" getfattr -n security.selinux "$T/mnt/labels/8"
	said "Operation not supported" "... says so"
	asked() {
		sealdrive status --json | "$PYTHON" -c 'import json, sys
print(json.load(sys.stdin)["drives"][0]["counters"].get("requests_getxattr", 0))'
	}
	ls -l "$T/mnt/labels" >"$T/out"
	before=$(asked)
	ls -l "$T/mnt/labels" >"$T/out"
	is "$(wc -l <"$T/out")" 201 "ls -l again"
	check "... asks for next to nothing" test $(($(asked) - before)) -lt 10
	rm -r "$T/mnt/labels"
fi
check "unmount" drive_unmount "$T/mnt"

# Each reads what the other one wrote.
must "decrypted by others" plain_of "$T/a.img" "$T/plain"
must "the kernel mounts ours" loop_mount "$T/plain" "$T/kernel2" nosuid,nodev
shown "$T/kernel2/tree" >"$T/shown.2"
check "the kernel shows what we showed" diff "$T/shown" "$T/shown.2"
check "the kernel changes ours" "$PYTHON" "$T/xattr.py" shuffled "$T/kernel2/tree/shuffled-1" 77
umount "$T/kernel2"
check "e2fsck finds nothing in what both changed" e2fsck -fn "$T/plain"
umount "$T/kernel"
must "format" new_drive "$T/b.img" 192M
must "the kernel's file system in a drive" "$PYTHON" "$JUDGE/luks-plain.py" encrypt "$T/b.img" "$PASS" "$T/kernel.img"
must "mount theirs" drive_mount "$T/b.img" "$T/mnt" --owner disk
shown "$T/mnt/tree" >"$T/shown.3"
check "we show what the kernel showed" diff "$T/shown.kernel" "$T/shown.3"
check "we change theirs" "$PYTHON" "$T/xattr.py" shuffled "$T/mnt/tree/shuffled-1" 78
check "we remove theirs" rm -r "$T/mnt/tree"
check "unmount" drive_unmount "$T/mnt"
check "perfect" judge "$T/b.img"

# One person on a drive that names others: nothing is denied to him, nothing is lost.
user_ready
must "format" as_user sealdrive format "$T/user/c.img" --size 64M --passphrase-file "$T/user/pass" "${FAST_KDF[@]}"
must "mount --owner disk" drive_mount "$T/user/c.img" "$T/mnt" --owner disk
mkdir "$T/mnt/d"
echo text >"$T/mnt/d/f"
chown -R 4000:4000 "$T/mnt/d"
setfattr -n user.note -v kept "$T/mnt/d/f"
setfattr -n trusted.note -v hidden "$T/mnt/d/f"
must "a list of others" setfacl -m u:"$USER_ID":---,g:"$USER_GROUP":---,u:4001:rwx,m::rwx "$T/mnt/d/f"
must "and of a folder" setfacl -m u:"$USER_ID":---,u:4001:rwx -m d:u:"$USER_ID":---,d:u:4001:rwx "$T/mnt/d"
getfacl -n -p --omit-header "$T/mnt/d/f" >"$T/acl"
check "unmount" drive_unmount "$T/mnt"
chown "$USER_ID" "$T/user/c.img"
as_user mkdir "$T/user/mnt"
must "me: mount" as_user sealdrive mount "$T/user/c.img" "$T/user/mnt" --passphrase-file "$T/user/pass" --owner me
check "me: reads" as_user grep -q text "$T/user/mnt/d/f"
check "me: writes" as_user bash -c 'echo more >>"$1"' - "$T/user/mnt/d/f"
check "me: makes files" as_user touch "$T/user/mnt/d/new"
check "me: the list is shown" bash -c '"$@" >"$T/acl2"; diff "$T/acl" "$T/acl2"' - \
	setpriv --reuid="$USER_ID" --regid="$USER_GROUP" --clear-groups getfacl -n -p --omit-header "$T/user/mnt/d/f"
check "me: cp -a" as_user cp -a "$T/user/mnt/d" "$T/user/mnt/copy"
check "me: tar --acls packs" as_user tar --xattrs --acls -C "$T/user/mnt" -cf "$T/user/t.tar" d
check "me: and unpacks" as_user bash -c 'mkdir "$1/tar" && tar --xattrs --acls -xpf "$2" -C "$1/tar"' - \
	"$T/user/mnt" "$T/user/t.tar"
check "me: names a user" as_user setfacl -m u:1234:r "$T/user/mnt/d/new"
check_status 1 "me: no capabilities for who may not give any" as_user setfattr -n security.capability \
	-v 0x0100000200040000000000000000000000000000 "$T/user/mnt/d/f"
check "me: what is there" as_user getfattr -d -m - "$T/user/mnt/d/f"
said 'user.note="kept"' "... is shown"
is "$(grep -c trusted "$T/out")" 0 "... but nothing of trusted"
check "me: unmount" as_user sealdrive unmount "$T/user/mnt"
check "perfect" judge "$T/user/c.img"
must "mount --owner disk again" drive_mount "$T/user/c.img" "$T/mnt" --owner disk
for f in d/f copy/f tar/d/f; do
	check "stored: the list of $f" bash -c 'getfacl -n -p --omit-header "$2" | diff "$1" -' - "$T/acl" "$T/mnt/$f"
	is "$(getfattr --only-values -n user.note "$T/mnt/$f")" kept "stored: the attribute of $f"
done
check "unmount" drive_unmount "$T/mnt"
done_testing
