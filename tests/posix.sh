#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What POSIX and the Linux manual pages promise of a file system. The kernel's ext4 must pass every
# case, which proves the suite; then our mount, as root with stored owners and as an ordinary user,
# but for what tests/posix/differences lists with its reasons.
. "$(dirname "$0")/lib.sh"
need_fuse
need_command cryptsetup e2fsck dumpe2fs
differences=$T/differences
cp "$top_srcdir/tests/posix/differences" "$differences"
# Only later kernels keep their cache in step with what is written past it (fuse/ops-open.c).
kernel_before 6.6 && cat >>"$differences" <<-E
	all full/write_at_once FUSE, write-back: the kernel takes the bytes before it asks; full/write shows that fsync says ENOSPC
E
size=192M
mkdir -m 1777 "$T/other"
user_ready
cp "$top_builddir/posix-suite" "$T/user/bin/"

# Our numbers, and where it was, on the lines of the suite.
relay() { # WHERE
	local line rest
	while IFS= read -r line; do
		case $line in
		"ok "* | "not ok "*)
			tap_count=$((tap_count + 1))
			rest=${line#* - }
			printf '%s %d - %s: %s\n' "${line%% [0-9]*}" $tap_count "$1" "$rest"
			;;
		1..*) planned=${line#1..} ;;
		*) printf '%s\n' "$line" ;;
		esac
	done
}

suite() { # WHERE COMMAND...: the suite's cases become ours, and it must come to its end
	local where=$1 before=$tap_count planned=0
	shift
	"$@" >"$T/suite" 2>&1
	relay "$where" <"$T/suite"
	is $((tap_count - before)) "$planned" "$where: the suite came to its end"
	[ "$planned" -gt 0 ] || not_ok "$where: there are cases"
}

run_kernel() {
	truncate -s $size "$T/kernel.img"
	mke2fs -q -t ext4 -b 4096 "$T/kernel.img"
	loop_mount "$T/kernel.img" "$T/kernel" nodev,nosuid || return 1
	suite "kernel, root" posix-suite -o "$T/other" "$T/kernel"
	install -d -o "$USER_ID" -g "$USER_GROUP" "$T/kernel/user"
	suite "kernel, user" as_user posix-suite -o "$T/other" "$T/kernel/user"
	check "kernel: prepared for reading only" posix-suite -p "$T/kernel"
	mount -o remount,ro "$T/kernel"
	suite "kernel, read-only" posix-suite "$T/kernel"
	umount "$T/kernel"
	rm "$T/kernel.img"
}

if have_loop; then
	run_kernel || not_ok "the kernel's ext4 was tried"
else
	skip "the kernel's ext4 passes every case" "$NO_LOOP"
fi

if is_root; then
	must "format" new_drive "$T/a.img" $size
	must "mount with stored owners" drive_mount "$T/a.img" "$T/mnt" --owner disk
	suite "root" posix-suite -o "$T/other" -k "$differences" -w disk "$T/mnt"
	check "prepared for reading only" posix-suite -p "$T/mnt"
	check "unmount" drive_unmount "$T/mnt"
	check "perfect" judge "$T/a.img"
	must "mount read-only" drive_mount "$T/a.img" "$T/mnt" --owner disk --read-only
	suite "read-only" posix-suite -k "$differences" -w disk "$T/mnt"
	check "unmount" drive_unmount "$T/mnt"
	rm "$T/a.img"
else
	skip "with stored owners" "needs root"
fi

must "format" as_user sealdrive format "$T/user/b.img" --size $size --passphrase-file "$T/user/pass" \
	"${FAST_KDF[@]}"
as_user mkdir "$T/user/mnt"
must "mount as a user" as_user sealdrive mount "$T/user/b.img" "$T/user/mnt" \
	--passphrase-file "$T/user/pass"
suite "user" as_user posix-suite -o "$T/other" -k "$differences" -w me "$T/user/mnt"
check "unmount" as_user sealdrive unmount "$T/user/mnt"
check "perfect" judge "$T/user/b.img"
done_testing
