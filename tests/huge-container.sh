#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Format and mount take the same time for any size: a sparse container of 15 TiB.
. "$(dirname "$0")/lib.sh"
need_fuse
need_command cryptsetup dumpe2fs

if ! truncate -s 15T "$T/probe" 2>/dev/null; then
	skip_all "files of 15 TiB are not possible in ${TMPDIR:-/tmp}"
fi
rm -f "$T/probe"

timed() { # DESCRIPTION LIMIT_MS COMMAND...: runs it under /proc's eyes
	local what=$1 limit=$2 start ms
	shift 2
	start=$(date +%s%N)
	check "$what" "$@" || return
	ms=$((($(date +%s%N) - start) / 1000000))
	diag "$what: $ms ms"
	check "$what: in less than $limit ms" test $ms -lt "$limit"
}
rss_kib() {
	awk '/VmHWM/ { print $2 }' "/proc/$(daemons | head -n 1)/status"
}

timed "format 1 GiB" 5000 new_drive "$T/small.img" 1G
timed "mount 1 GiB" 3000 drive_mount "$T/small.img" "$T/mnt"
diag "memory of the daemon, 1 GiB: $(rss_kib) KiB"
check "unmount" drive_unmount "$T/mnt"
timed "format 15 TiB" 60000 new_drive "$T/huge.img" 15T
diag "space taken by the container: $(du -k "$T/huge.img" | cut -f1) KiB"
check "it stays sparse" test "$(du -k "$T/huge.img" | cut -f1)" -lt $((2 << 20))
timed "mount 15 TiB" 3000 drive_mount "$T/huge.img" "$T/mnt"
kib=$(rss_kib)
diag "memory of the daemon, 15 TiB: $kib KiB"
check "memory does not follow the size" test "$kib" -lt 200000
size=$(stat -f -c '%b' "$T/mnt")
check "its size is there ($size blocks)" test "$size" -gt $((14 * 268435456))
timed "files" 30000 cp -r "$top_srcdir/tests" "$T/mnt/"
timed "listing and df" 3000 bash -c 'ls -lR "$1" >/dev/null; df "$1"' - "$T/mnt"
check "bytes" diff -r "$top_srcdir/tests" "$T/mnt/tests"
timed "unmount" 10000 drive_unmount "$T/mnt"
must "mount again" drive_mount "$T/huge.img" "$T/mnt"
check "bytes after remount" diff -r "$top_srcdir/tests" "$T/mnt/tests"
check "unmount again" drive_unmount "$T/mnt"
check "cryptsetup opens it" cryptsetup --disable-locks open --test-passphrase --key-file "$PASS" "$T/huge.img"
if [ -n "${SEALDRIVE_LONG:-}" ]; then
	check "perfect" judge "$T/huge.img" --skip-holes
else
	skip "e2fsck of 15 TiB" "takes minutes; make check-long does it"
fi
done_testing
