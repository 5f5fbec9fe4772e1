#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The cable is pulled and nobody waits (--grace 0): every access to the drive fails, and goes on failing. What needs the drive
# gets an error, nothing hangs, status says what happened, and the mount can be taken away at once.
. "$(dirname "$0")/lib.sh"
need_fuse
need_command cryptsetup
gone=$top_builddir/tests/dev/gone.so
[ -e "$gone" ] || skip_all "$gone is not built (make check builds it)"
DRIVE_GONE=$T/gone
export DRIVE_GONE
pulled() { # COMMAND...: with a drive that can be pulled out
	LD_PRELOAD=$gone "$@"
}
[ "$(pulled sealdrive --version 2>&1)" = "$(sealdrive --version)" ] ||
	skip_all "this build cannot be preloaded (sanitizers)"

must "format" new_drive "$T/a.img" 64M
mkdir "$T/mnt"
must "mount" pulled sealdrive mount "$T/a.img" "$T/mnt" --grace 0 --passphrase-file "$PASS"
pid=$(daemons | head -n 1)
check "files" fill_tree "$T/mnt/tree"
check "... that are safe" "$PYTHON" -c 'import os, sys
fd = os.open(sys.argv[1], os.O_WRONLY); os.fsync(fd)' "$T/mnt/tree/size-65536"
check "unmount" drive_unmount "$T/mnt"
cp "$T/a.img" "$T/good.img"

# pulled while nothing was changed
must "mount" pulled sealdrive mount "$T/a.img" "$T/mnt" --grace 0 --passphrase-file "$PASS"
pid=$(daemons | head -n 1)
touch "$DRIVE_GONE"
check_status 1 "a file that nobody has read yet" timeout 20 cat "$T/mnt/tree/size-65536"
said 'input/output error' "... is an input/output error"
timeout 20 ls -lR "$T/mnt" >/dev/null 2>&1
check "listing does not hang (status $?)" test $? -ne 124
timeout 20 sealdrive status >/dev/null
check "nor does status" test $? -ne 124
start=$SECONDS
timeout 30 sealdrive unmount "$T/mnt" >"$T/out" 2>&1
status=$?
check "unmount returns (status $status)" test $status -ne 124
check "at once" test $((SECONDS - start)) -lt 10
check_status 1 "nothing is mounted" is_mounted "$T/mnt"
check "its program is gone" wait_gone "$pid" 5
rm "$DRIVE_GONE"

# pulled in the middle of work
cp "$T/good.img" "$T/a.img"
must "mount" pulled sealdrive mount "$T/a.img" "$T/mnt" --grace 0 --passphrase-file "$PASS"
pid=$(daemons | head -n 1)
(for i in {1..5000}; do
	echo "$i" >"$T/mnt/f$i" || exit 1
done) 2>/dev/null &
writer=$!
sleep 0.5
touch "$DRIVE_GONE"
check_status 1 "what must reach the drive fails" timeout 20 dd if=/dev/zero of="$T/mnt/sync" bs=64k count=16 conv=fsync
kill $writer 2>/dev/null
wait $writer 2>/dev/null
for i in {1..60}; do # the next commit, at the latest, finds out
	sealdrive status | grep -q Read-only && break
	sleep 0.2
done
check "status" timeout 20 sealdrive status
said 'read-only' "... says that it is read-only now"
said 'error' "... and why"
start=$SECONDS
check_status 7 "unmount says that not everything was written" timeout 30 sealdrive unmount "$T/mnt"
said 'not everything' "... in words"
check "at once" test $((SECONDS - start)) -lt 10
check_status 1 "nothing is mounted" is_mounted "$T/mnt"
check "its program is gone" wait_gone "$pid" 5

# pulled before and while mounting
check_status 7 "mounting a drive that is gone" pulled sealdrive mount "$T/a.img" "$T/mnt" --grace 0 --passphrase-file "$PASS"
check_status 1 "nothing is mounted" is_mounted "$T/mnt"
rm "$DRIVE_GONE"
cp "$T/good.img" "$T/a.img"
check "plugged in again, it mounts" drive_mount "$T/a.img" "$T/mnt"
check "unmount" drive_unmount "$T/mnt"
done_testing
