#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The daemon is killed under load, again and again: every byte that was synced is there afterwards, and
# e2fsck finds nothing. Rounds build on one another. SEALDRIVE_LONG=1: hundreds of them.
. "$(dirname "$0")/lib.sh"
need_fuse
need_command cryptsetup e2fsck dumpe2fs
helper=$top_srcdir/tests/kill.py
rounds=8
[ -z "${SEALDRIVE_LONG:-}" ] || rounds=300
seed=$(test_seed)
diag "seed $seed"
RANDOM=$((seed % 32768))

must "format" new_drive "$T/a.img" 96M
for ((i = 0; i < rounds; i++)); do
	must "round $i: mount" drive_mount "$T/a.img" "$T/mnt"
	[ ! -s "$T/log" ] || check "round $i: all that was synced before is there" "$PYTHON" "$helper" check "$T/mnt" "$T/log"
	rm -rf "$T/mnt"/round-*/noise
	pid=$(daemons | head -n 1)
	writers=()
	for w in 1 2; do
		"$PYTHON" "$helper" write "$T/mnt" "$T/log.$w" $((seed + i * 2 + w)) >"$T/writer.$w" &
		writers+=($!)
	done
	sleep $((RANDOM % 2)).$((RANDOM % 10))7
	kill -KILL "$pid"
	wait "${writers[@]}"
	cat "$T"/log.? >"$T/log" 2>/dev/null
	check "round $i: unmount" sealdrive unmount "$T/mnt"
	# the last rounds' folders only, so that the drive does not fill up
	if ((i % 4 == 3)); then
		must "round $i: mount" drive_mount "$T/a.img" "$T/mnt"
		check "round $i: all that was synced is there" "$PYTHON" "$helper" check "$T/mnt" "$T/log"
		tail -n 1 "$T/out" | diag
		check "round $i: the old folders go" rm -rf "$T/mnt"/round-*
		rm -f "$T"/log*
		check "round $i: unmount" drive_unmount "$T/mnt"
		check "round $i: e2fsck finds nothing" judge "$T/a.img"
	fi
done
done_testing
