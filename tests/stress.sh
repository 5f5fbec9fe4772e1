#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Many processes in one tree without minding each other, on a roomy drive, on one that is full all
# the time, and on one with small blocks and a small journal, while the kernel forgets what it knows: no error
# that this does not explain, no foreign byte; the drive is perfect afterwards, and everything can be read after
# a remount. At the end several remove what is there at once, from a drive of which nothing has been read yet.
# SEALDRIVE_SEED sets the seed, SEALDRIVE_LONG makes it last for minutes.
. "$(dirname "$0")/lib.sh"
need_fuse
need_command cryptsetup mke2fs e2fsck dumpe2fs
stress=$top_builddir/tests/stress
[ -x "$stress" ] || skip_all "stress is not built (make check builds it)"

seed=$(test_seed)
seconds=${SEALDRIVE_LONG:+300}

ours() { # SIZE
	new_drive "$T/a.img" "$1"
}
theirs() { # SIZE MKE2FS-OPTIONS...
	truncate -s "$1" "$T/plain" && truncate -s "$1" "$T/a.img" && truncate -s +16M "$T/a.img" &&
		mke2fs -q -t ext4 "${@:2}" "$T/plain" &&
		cryptsetup luksFormat -q --disable-locks --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 \
			--key-file "$PASS" "$T/a.img" &&
		"$PYTHON" "$JUDGE/luks-plain.py" encrypt "$T/a.img" "$PASS" "$T/plain" && rm "$T/plain"
}

# Where nobody may, the kernel forgets nothing.
forgetting() { # COMMAND...: while the kernel forgets
	local forgetter result
	while is_root; do
		echo 2 >/proc/sys/vm/drop_caches
		sleep 0.2
	done 2>/dev/null &
	forgetter=$!
	"$@"
	result=$?
	kill "$forgetter" 2>/dev/null
	wait "$forgetter" 2>/dev/null
	return $result
}

remove_at_once() {
	find "$T/mnt/tree" -mindepth 1 -maxdepth 1 -print0 | xargs -0 -P 6 -n 3 rm -rf && rmdir "$T/mnt/tree"
}

round() { # NAME PROCESSES COMMAND THAT MAKES IT...
	local name=$1 processes=$2
	shift 2
	check "$name: made" "$@"
	check "$name: mount" drive_mount "$T/a.img" "$T/mnt" || return
	mkdir "$T/mnt/tree"
	check "$name: work (seed $seed)" forgetting timeout 600 "$stress" -p "$processes" -t "${seconds:-6}" -s "$seed" "$T/mnt/tree"
	grep '^#' "$T/out"
	check "$name: every byte, at once" "$stress" -v "$T/mnt/tree"
	check "$name: unmount" drive_unmount "$T/mnt"
	check "$name: perfect" judge "$T/a.img"
	check "$name: mount again" drive_mount "$T/a.img" "$T/mnt"
	check "$name: every byte, after remount" "$stress" -v "$T/mnt/tree"
	grep '^#' "$T/out"
	check "$name: unmount once more" drive_unmount "$T/mnt"
	check "$name: mount once more" drive_mount "$T/a.img" "$T/mnt"
	check "$name: everything goes" forgetting remove_at_once
	check "$name: unmount at the end" drive_unmount "$T/mnt"
	check "$name: perfect at the end" judge "$T/a.img"
	rm -f "$T/a.img"
}

round "room for all" 8 ours 768M
round "always full" 6 ours 64M
round "small" 6 theirs 96M -b 1024 -J size=1 -g 2048
done_testing
