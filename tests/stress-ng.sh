#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A judge from elsewhere: stress-ng's stressors of file systems, with its own verification, all at once
# on one drive, which is perfect afterwards.
. "$(dirname "$0")/lib.sh"
need_fuse
need_command cryptsetup e2fsck dumpe2fs stress-ng

stressors=(access chattr chdir chmod chown copy-file dentry dir dirdeep dirmany dup fallocate fcntl
	filename flock fpunch fstat getdent handle hdd inode-flags io lease link locka lockf lockofd mknod
	open rename symlink sync-file touch utime xattr)
args=()
for s in "${stressors[@]}"; do
	args+=("--$s" 1)
done

must "format" new_drive "$T/a.img" 2G
must "mount" drive_mount "$T/a.img" "$T/mnt" --owner disk
check "${#stressors[@]} stressors at once" timeout 900 stress-ng "${args[@]}" --timeout "${SEALDRIVE_LONG:+30}6" \
	--hdd-bytes 32M --fallocate-bytes 32M --copy-file-bytes 128M --temp-path "$T/mnt" --verify --oomable --no-rand-seed
said "successful run completed" "stress-ng found nothing"
is "$(ls -A "$T/mnt")" "lost+found" "nothing is left behind"
check "unmount" drive_unmount "$T/mnt"
check "perfect" judge "$T/a.img"
done_testing
