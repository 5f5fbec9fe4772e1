#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What programs may expect of open files, on the kernel's ext4 first where there is one (so that the
# expectations are right), then on ours.
. "$(dirname "$0")/lib.sh"
need_fuse
need_command cryptsetup e2fsck dumpe2fs
cases="unlinked unlinked_links renamed_over removed_folder truncate_at_open truncate_zeroes mapped
	mapped_after_close appended dirty_holes many_seeks times modes names special_files locks
	allocated direct listing forgotten"
after="check_mapped check_appended check_times check_special_files"

run_cases() { # WHERE DIR CASES
	local c
	for c in $3; do
		check "$1: ${c//_/ }" timeout 120 "$PYTHON" "$top_srcdir/tests/fuse-files.py" "$c" "$2"
	done
}

if have_loop; then
	truncate -s 200M "$T/kernel.img"
	mke2fs -q -t ext4 -b 4096 "$T/kernel.img"
	loop_mount "$T/kernel.img" "$T/kernel" nodev
	mkdir "$T/kernel/work"
	run_cases "the kernel" "$T/kernel/work" "$cases $after"
	umount "$T/kernel"
else
	skip "the kernel's ext4 fulfils the expectations" "$NO_LOOP"
fi

must "format" new_drive "$T/a.img" 256M
must "mount" drive_mount "$T/a.img" "$T/mnt"
mkdir "$T/mnt/work"
run_cases "root" "$T/mnt/work" "$cases"
check "unmount" drive_unmount "$T/mnt"
check "perfect" judge "$T/a.img"
must "mount again" drive_mount "$T/a.img" "$T/mnt"
run_cases "after remount" "$T/mnt/work" "$after"
check "unmount again" drive_unmount "$T/mnt"

# As an ordinary user: other rights, no readahead beyond the default.
user_ready
cp "$top_srcdir/tests/fuse-files.py" "$T/user/"
chmod 644 "$T/user/fuse-files.py"
must "format" as_user sealdrive format "$T/user/b.img" --size 256M --passphrase-file "$T/user/pass" \
	"${FAST_KDF[@]}"
as_user mkdir "$T/user/mnt"
must "mount as a user" as_user sealdrive mount "$T/user/b.img" "$T/user/mnt" \
	--passphrase-file "$T/user/pass"
for c in $cases $after; do
	check "user: ${c//_/ }" timeout 120 setpriv --reuid="$USER_ID" --regid="$USER_GROUP" \
		--clear-groups "$PYTHON" "$T/user/fuse-files.py" "$c" "$T/user/mnt"
done
check "unmount" as_user sealdrive unmount "$T/user/mnt"
check "perfect" judge "$T/user/b.img"
done_testing
