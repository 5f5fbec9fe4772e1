#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Hundreds of small operations, as root and as an ordinary user, give the same results, modes and
# groups as on the kernel's ext4.
. "$(dirname "$0")/lib.sh"
need_fuse
need_command cryptsetup e2fsck dumpe2fs
have_loop || skip_all "$NO_LOOP"

cp "$top_srcdir/tests/fuse-details.py" "$T/"
chmod 644 "$T/fuse-details.py"
run_all() { # DIR RESULT
	mkdir -p "$1/root" "$1/user" && chown "$USER_ID:$USER_GROUP" "$1/user" &&
		timeout 120 "$PYTHON" "$T/fuse-details.py" "$1/root" >"$2.root" &&
		timeout 120 setpriv --reuid="$USER_ID" --regid="$USER_GROUP" --clear-groups \
			"$PYTHON" "$T/fuse-details.py" "$1/user" >"$2.user"
}

truncate -s 300M "$T/kernel.img"
mke2fs -q -t ext4 -b 4096 "$T/kernel.img"
must "the kernel's ext4" loop_mount "$T/kernel.img" "$T/kernel" nosuid,nodev
check "operations on it" run_all "$T/kernel" "$T/theirs"
umount "$T/kernel"

must "format" new_drive "$T/a.img" 300M
must "mount" drive_mount "$T/a.img" "$T/mnt" --owner disk
check "operations on ours" run_all "$T/mnt" "$T/ours"
for who in root user; do
	check "$who: enough of them" [ "$(wc -l <"$T/theirs.$who")" -gt 200 ]
	check "$who: the same results" diff -U0 "$T/theirs.$who" "$T/ours.$who"
done
check "unmount" drive_unmount "$T/mnt"
check "perfect" judge "$T/a.img"
done_testing
