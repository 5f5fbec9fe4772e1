#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What programs may expect of the kernel's ext4 beyond plain files: on the kernel's first where
# there is one (so that the expectations are right), then on ours.
. "$(dirname "$0")/lib.sh"
need_fuse
need_command cryptsetup e2fsck dumpe2fs

kernel_since() { # MAJOR MINOR
	local major minor
	IFS=. read -r major minor _ < <(uname -r)
	[ "$major" -gt "$1" ] || { [ "$major" -eq "$1" ] && [ "${minor%%[!0-9]*}" -ge "$2" ]; }
}

# Where this kernel's FUSE cannot pass on a request, nothing that we do would help.
beyond_fuse() { # CASE: says why, if so
	case $1 in
	*tmpfile*) kernel_since 6 2 || echo "this kernel's FUSE has no O_TMPFILE" ;;
	*birth*) kernel_since 6 6 || echo "this kernel's FUSE has no time of birth" ;;
	esac
}

cases="birth tmpfile tmpfile_removed flags flags_inherited converted xflags version"
root_cases="tmpfile_group immutable append_only past_the_cache held"
root_after="check_held"
after="check_birth check_tmpfile check_flags check_converted"

run_case() { # WHO PROGRAM... CASE DIR
	local who=$1 case=${*: -2:1} why
	shift
	why=$(beyond_fuse "$case")
	if [ "$who" != "the kernel" ] && [ -n "$why" ]; then
		skip "$who: ${case//_/ }" "$why"
	else
		check "$who: ${case//_/ }" timeout 120 "$@"
	fi
}

run_cases() { # WHO DIR CASES
	local c
	for c in $3; do
		run_case "$1" "$PYTHON" "$top_srcdir/tests/fuse-native.py" "$c" "$2"
	done
}

if have_loop; then
	truncate -s 200M "$T/kernel.img"
	mke2fs -q -t ext4 -b 4096 "$T/kernel.img"
	loop_mount "$T/kernel.img" "$T/kernel" nodev
	mkdir "$T/kernel/work"
	run_cases "the kernel" "$T/kernel/work" "$cases $root_cases $after $root_after"
	umount "$T/kernel"
else
	skip "the kernel's ext4 fulfils the expectations" "$NO_LOOP"
fi

if is_root; then
	must "format" new_drive "$T/a.img" 256M
	must "mount" drive_mount "$T/a.img" "$T/mnt" --owner disk
	mkdir "$T/mnt/work"
	run_cases "root" "$T/mnt/work" "$cases $root_cases"
	check "unmount" drive_unmount "$T/mnt"
	check "perfect" judge "$T/a.img"
	must "mount again" drive_mount "$T/a.img" "$T/mnt" --owner disk
	run_cases "after remount" "$T/mnt/work" "$after $root_after"
	check "unmount again" drive_unmount "$T/mnt"
fi

# Access times, as far as the kernel lets us see accesses: its caches are emptied each time.
for policy in relatime noatime strictatime; do
	if have_loop; then
		loop_mount "$T/kernel.img" "$T/kernel" nodev,$policy
		run_cases "the kernel" "$T/kernel/work" atime_$policy
		umount "$T/kernel"
	fi
	is_root || continue
	must "mount --atime $policy" drive_mount "$T/a.img" "$T/mnt" --atime $policy
	run_cases root "$T/mnt/work" atime_$policy
	check "unmount" drive_unmount "$T/mnt"
done
if is_root; then
	must "mount --atime lazytime" drive_mount "$T/a.img" "$T/mnt" --atime lazytime
	run_cases root "$T/mnt/work" atime_lazytime
	replayed_plain_of "$T/a.img" "$T/before"
	check "unmount" drive_unmount "$T/mnt"
	plain_of "$T/a.img" "$T/after"
	stored_atime() { # PLAIN
		debugfs -R "stat work/atime_lazytime/file" "$1" 2>/dev/null | awk '$1 == "atime:" { print $2 }'
	}
	check "lazytime: the time was not stored before" \
		[ "$(stored_atime "$T/before")" != "$(stored_atime "$T/after")" ]
	must "mount again" drive_mount "$T/a.img" "$T/mnt"
	run_cases "after remount" "$T/mnt/work" check_atime_lazytime
	check "unmount" drive_unmount "$T/mnt"
	check "perfect" judge "$T/a.img"
fi
check_status 2 "another word is not understood" sealdrive mount --atime sometimes "$T/x.img"

# What must be on the drive when a call returns: looked for in a copy made at that moment.
must "format a small one" new_drive "$T/s.img" 32M
must "mount it" drive_mount "$T/s.img" "$T/sync"
snapshot() { # DEBUGFS COMMAND
	cp --sparse=always "$T/s.img" "$T/s.copy" && replayed_plain_of "$T/s.copy" "$T/s.plain" &&
		debugfs -R "$1" "$T/s.plain" 2>/dev/null
}
mkdir "$T/sync/dirsync" "$T/sync/plain"
chattr +D "$T/sync/dirsync"
write_with() { # FLAGS FILE
	"$PYTHON" -c 'import os, sys
fd = os.open(sys.argv[2], os.O_WRONLY | os.O_CREAT | eval(sys.argv[1]), 0o644)
assert os.write(fd, b"on the medium") == 13
os.system("cp --sparse=always \"$T/s.img\" \"$T/s.copy\"")' "$1" "$2" &&
		replayed_plain_of "$T/s.copy" "$T/s.plain"
}
mkdir "$T/sync/dirsync/new"
snapshot "ls dirsync" >"$T/seen"
check "chattr +D: a new folder is on the drive" grep -qw new "$T/seen"
mv "$T/sync/plain" "$T/sync/dirsync/moved"
snapshot "ls dirsync" >"$T/seen"
check "chattr +D: a moved one too" grep -qw moved "$T/seen"
rmdir "$T/sync/dirsync/new"
snapshot "ls dirsync" >"$T/seen"
check_status 1 "chattr +D: a removed one is gone" grep -qw new "$T/seen"
for flags in os.O_SYNC os.O_DSYNC "os.O_SYNC | os.O_APPEND"; do
	rm -f "$T/sync/file"
	sync -f "$T/sync" && touch "$T/sync/file"
	check "$flags: written" write_with "$flags" "$T/sync/file"
	is "$(debugfs -R "cat file" "$T/s.plain" 2>/dev/null)" "on the medium" "$flags: is on the drive"
done
touch "$T/sync/s" && chattr +S "$T/sync/s"
check "chattr +S: written" write_with 0 "$T/sync/s"
is "$(debugfs -R "cat s" "$T/s.plain" 2>/dev/null)" "on the medium" "chattr +S: is on the drive"
check "unmount it" drive_unmount "$T/sync"
check "perfect" judge "$T/s.img"

user_ready
cp "$top_srcdir/tests/fuse-native.py" "$T/user/"
chmod 644 "$T/user/fuse-native.py"
must "format" as_user sealdrive format "$T/user/b.img" --size 256M --passphrase-file "$T/user/pass" \
	"${FAST_KDF[@]}"
as_user mkdir "$T/user/mnt"
must "mount as a user" as_user sealdrive mount "$T/user/b.img" "$T/user/mnt" \
	--passphrase-file "$T/user/pass"
for c in $cases $after; do
	run_case user setpriv --reuid="$USER_ID" --regid="$USER_GROUP" --clear-groups \
		"$PYTHON" "$T/user/fuse-native.py" "$c" "$T/user/mnt"
done
check "unmount" as_user sealdrive unmount "$T/user/mnt"
check "perfect" judge "$T/user/b.img"
done_testing
