#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Threads that share files in all ways that there are: through the kernel's cache, past it, mapped, with holes, copies
# and moving ends. Each finds what it wrote, at once and after a remount; after the daemon was killed, and
# after the host had no room, everything that fsync has promised. SEALDRIVE_SEED sets the seed.
. "$(dirname "$0")/lib.sh"
need_fuse
need_command cryptsetup e2fsck dumpe2fs
mixed=$top_builddir/tests/mixed
[ -x "$mixed" ] || skip_all "mixed is not built (make check builds it)"
seed=$(test_seed)
seconds=${SEALDRIVE_LONG:+120}
seconds=${seconds:-4}

look() { # NAME
	check "$1" timeout 120 "$mixed" -v "$T/mnt" "$T/record"
	grep '^#' "$T/out"
}
after() { # NAME IMAGE: once more, as whoever opens it next finds it
	must "$1: mount again" drive_mount "$2" "$T/mnt"
	look "$1: afterwards"
	check "$1: unmount again" drive_unmount "$T/mnt"
	check "$1: perfect" judge "$2"
}
together() { # NAME [OPTION OF format]...
	local name=$1
	shift
	must "$name: format" new_drive "$T/a.img" 300M "$@"
	must "$name: mount" drive_mount "$T/a.img" "$T/mnt"
	check "$name: each finds what it wrote (seed $seed)" \
		timeout 300 "$mixed" -t "$seconds" -s "$seed" "$T/mnt" "$T/record"
	grep '^#' "$T/out"
	look "$name: at once"
	check "$name: unmount" drive_unmount "$T/mnt"
	after "$name" "$T/a.img"
	rm -f "$T/a.img"
}

together "sectors of 4096 bytes"
together "sectors of 512 bytes" --sector-size 512

must "killed: format" new_drive "$T/a.img" 300M
must "killed: mount" drive_mount "$T/a.img" "$T/mnt"
timeout 300 "$mixed" -f -t "$seconds" -s "$seed" "$T/mnt" "$T/record" >"$T/killed" 2>&1 &
run=$!
sleep $((seconds / 2))
for pid in $(daemons); do
	kill -KILL "$pid"
done
wait $run
is $? 0 "killed: nothing was wrong before"
diag <"$T/killed"
check "killed: the folder is free" umount -l "$T/mnt"
after "killed" "$T/a.img"
rm -f "$T/a.img"

mkdir "$T/host"
if is_root && mount -t tmpfs -o size=36M tmpfs "$T/host"; then
	must "full host: format" new_drive "$T/host/a.img" 300M
	must "full host: mount" drive_mount "$T/host/a.img" "$T/mnt"
	check "full host: it runs full" timeout 300 "$mixed" -f -t "$seconds" -s "$seed" "$T/mnt" "$T/record"
	grep '^#' "$T/out"
	check "full host: something failed" test "$(sed -n 's/.* \([0-9]*\) of them failed.*/\1/p' "$T/out")" -gt 0
	look "full host: at once"
	# only data, or the log, too: the program knows of the one, the other is told now
	drive_unmount "$T/mnt" >"$T/out" 2>&1 || said 'no space left on device' "full host: unmount tells"
	mount -o remount,size=400M "$T/host"
	after "full host" "$T/host/a.img"
	umount "$T/host"
else
	skip "full host" "only root can make a small file system"
fi
done_testing
