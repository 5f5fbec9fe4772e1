#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A block device instead of a container: format, mount, use, and who may have it at the same time.
. "$(dirname "$0")/lib.sh"
need_root "block devices belong to it"
need_fuse
need_command cryptsetup e2fsck dumpe2fs
have_loop || skip_all "$NO_LOOP"

truncate -s 96M "$T/disk"
for try in 1 2 3 4 5 6; do # parallel tests share the few loop devices
	dev=$(losetup --find --show "$T/disk") && break
	sleep $try
done
[ -b "${dev:-}" ] || skip_all "no free loop device"

check "format" sealdrive format "$dev" --passphrase-file "$PASS" "${FAST_KDF[@]}" --label Stick
refused 1 "" 'already holds' "format again needs --force" \
	sealdrive format "$dev" --passphrase-file "$PASS" "${FAST_KDF[@]}"
refused 2 "" 'size' "the size of a drive is what it is" \
	sealdrive format "$dev" --size 64M --force --passphrase-file "$PASS" "${FAST_KDF[@]}"
check "list --all shows it" sealdrive list --all --json
said "\"$dev\"" "... by its name"
said 'Stick' "... with its label"
check "mount" drive_mount "$dev" "$T/mnt"
check "a tree is copied in" cp -a "$top_srcdir/tests" "$T/mnt/"
refused 6 "" 'mounted' "mounted once only" \
	sealdrive mount "$dev" "$T/mnt2" --passphrase-file "$PASS"
refused 6 "" 'mounted|in use' "not formatted meanwhile" \
	sealdrive format "$dev" --force --passphrase-file "$PASS" "${FAST_KDF[@]}"
check_status 32 "the kernel does not get it meanwhile" mount -t ext4 "$dev" "$T/run"
check "status names the device" sealdrive status
said "$dev" "... by its name"
check "info while it is mounted" sealdrive info "$dev"
check "unmount" sealdrive unmount "$dev"
check "perfect" judge "$T/disk"
check "mount again" drive_mount "$dev" "$T/mnt"
check "every file is there" diff -r "$top_srcdir/tests" "$T/mnt/tests"
check "unmount" drive_unmount "$T/mnt"

# The kernel has it: ours is refused.
check "a plain file system" mke2fs -q -F -t ext4 "$dev"
check "the kernel mounts it" mount -t ext4 "$dev" "$T/mnt"
refused 6 "" 'in use' "what the kernel has mounted is not formatted" \
	sealdrive format "$dev" --force --passphrase-file "$PASS" "${FAST_KDF[@]}"
check "it is as it was" e2fsck -fn "$dev"
umount "$T/mnt"

# Write protection.
check "format" sealdrive format "$dev" --force --passphrase-file "$PASS" "${FAST_KDF[@]}"
losetup -d "$dev"
dev=$(losetup --find --show --read-only "$T/disk") || exit 99
before=$(unchanged_sum "$T/disk")
refused 1 "" 'cannot be written' "a write-protected drive" \
	sealdrive mount "$dev" "$T/mnt" --passphrase-file "$PASS"
refused 1 "" 'cannot be written' "... is not formatted" \
	sealdrive format "$dev" --force --passphrase-file "$PASS" "${FAST_KDF[@]}"
check "... opens with --read-only" drive_mount "$dev" "$T/mnt" --read-only
check "unmount" drive_unmount "$T/mnt"
is "$(unchanged_sum "$T/disk")" "$before" "not one byte changed"
losetup -d "$dev"
done_testing
