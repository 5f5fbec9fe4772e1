#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# File handles (what NFS servers and backup programs remember of a file): they find it again when the kernel has
# forgotten it; and one that belongs to nothing is refused, and harms nobody.
. "$(dirname "$0")/lib.sh"
need_fuse
need_root "open_by_handle_at"
need_command cryptsetup e2fsck

handles() { timeout 60 "$PYTHON" "$top_srcdir/tests/fuse-handles.py" "$T/mnt" "$1"; }
fill() { mkdir -p "$T/mnt/a/b" && touch "$T/mnt/file" "$T/mnt/a/file" "$T/mnt/a/b/file"; }
writable() { touch "$T/mnt/still-writable" && sealdrive status --json >"$T/status" && grep -q "\"error\": \"\"" "$T/status"; }

must "format" new_drive "$T/a.img" 64M
must "mount" drive_mount "$T/a.img" "$T/mnt"
check "some files" fill
must "their handles" handles take
check "find them" handles open
check "files that are gone are found no more" handles gone
check "unmount" drive_unmount "$T/mnt"
must "mount" drive_mount "$T/a.img" "$T/mnt"
check "the kernel knows nothing of them now, and they find them" handles open
check "forged ones are refused" handles forge
check "and the drive is as it was" writable
check "unmount" drive_unmount "$T/mnt"
check "perfect" judge "$T/a.img"
done_testing
