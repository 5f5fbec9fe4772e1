#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Journals that the kernel's ext4 left in use are replayed as the kernel and e2fsck do it, ours by them
# as we do it, and damaged ones get the kernel's verdict.
. "$(dirname "$0")/lib.sh"
need_command mke2fs e2fsck debugfs dumpe2fs
have_loop || skip_all "$NO_LOOP"
helper=$top_srcdir/tests/journal.py
seed=$(test_seed)
diag "seed $seed"
steps=${SEALDRIVE_LONG:+600}
steps=${steps:-100}

kernel_shows() { # IMAGE OUT [OPTIONS]: OUT.list, OUT.sums as the kernel sees it
	loop_mount "$1" "$T/kernel" "${3:-}" || return 1
	tree_list "$T/kernel" >"$2.list" && tree_sums "$T/kernel" >"$2.sums"
	local r=$?
	umount "$T/kernel" || return 1
	return $r
}

same_shown() { # A B
	diff "$1.list" "$2.list" >"$T/same" && diff "$1.sums" "$2.sums" >"$T/same" && return 0
	head -n 20 "$T/same"
	return 1
}

needs_recovery() { # IMAGE
	dumpe2fs -h "$1" 2>/dev/null | grep -q '^Filesystem features:.*needs_recovery'
}

# FILE: a volume in the middle of its life, as if it had been pulled out.
pulled() { # FILE MKE2FS-OPTIONS MOUNT-OPTIONS [SIZE]
	local file=$1 options=() pid line
	read -ra options <<<"$2"
	[ "${options[0]}" = -t ] || options=(-t ext4 "${options[@]}")
	rm -f "$T/live" && truncate -s 48M "$T/live" && mke2fs -q "${options[@]}" "$T/live" ${4:-} || return 1
	loop_mount "$T/live" "$T/kernel" "commit=300${3:+,$3}" || return 1
	rm -f "$T/to" "$T/from"
	mkfifo "$T/to" "$T/from"
	"$PYTHON" "$helper" busy "$T/kernel" $((seed++)) "$steps" <"$T/to" >"$T/from" 2>"$T/busy.err" &
	pid=$!
	exec 8>"$T/to"
	read -r line <"$T/from"
	cp "$T/live" "$file"
	exec 8>&-
	wait $pid
	umount "$T/kernel"
	cat "$T/busy.err"
	[ "$line" = ready ]
}

foreign() { # NAME MKE2FS-OPTIONS MOUNT-OPTIONS [SIZE]
	local name=$1 before
	check "$name: pulled while the kernel used it" pulled "$T/dirty" "$2" "$3" "${@:4}" || return
	check "$name: its journal is in use" needs_recovery "$T/dirty"
	"$PYTHON" "$helper" log "$T/dirty" >"$T/log" 2>/dev/null
	cut -d' ' -f1 "$T/log" | sort | uniq -c | xargs echo | diag
	for who in theirs e2fsck ours; do
		cp "$T/dirty" "$T/$who"
	done
	check "$name: recovered by the kernel" kernel_shows "$T/theirs" "$T/shown.kernel"
	check_status 1 "$name: recovered by e2fsck" e2fsck -fy "$T/e2fsck"
	check "$name: which the kernel reads" kernel_shows "$T/e2fsck" "$T/shown.e2fsck" ro
	before=$(unchanged_sum "$T/ours")
	check "$name: read-only by us" e4tool -r "$T/ours" tree /
	cp "$T/out" "$T/tree"
	is "$(unchanged_sum "$T/ours")" "$before" "$name: not one byte changed"
	check "$name: recovered by us" e4tool "$T/ours" tree /
	cp "$T/out" "$T/tree2"
	check "$name: what was seen read-only" cmp "$T/tree" "$T/tree2"
	check "$name: e2fsck finds nothing" judge_plain "$T/ours"
	check "$name: which the kernel reads, too" kernel_shows "$T/ours" "$T/shown.ours" ro
	check "$name: the same as by the kernel" same_shown "$T/shown.kernel" "$T/shown.ours"
	# Seen once, with journalled data: e2fsck came to another state than the kernel and we.
	if same_shown "$T/shown.e2fsck" "$T/shown.kernel" >/dev/null; then
		check "$name: the same as by e2fsck" same_shown "$T/shown.e2fsck" "$T/shown.ours"
	else
		diff "$T/shown.e2fsck.list" "$T/shown.kernel.list" | sed -n '1,3p;/^---/,+3p' | diag
		skip "$name: the same as by e2fsck" "the kernel and e2fsck disagree about this journal"
	fi
}

in_log() { # KIND...
	local kind
	for kind; do
		grep -q "^$kind " "$T/log" || return 1
	done
}

# 0: mounted, and OUT.* as it shows; 1: refused.
kernel_accepts() { # IMAGE OUT
	local loop result=1
	loop=$(losetup -f --show "$1") || return 2
	if mount -t ext4 "$loop" "$T/kernel" 2>/dev/null; then
		tree_list "$T/kernel" >"$2.list" && tree_sums "$T/kernel" >"$2.sums" && result=0
		umount "$T/kernel"
	fi
	losetup -d "$loop"
	return $result
}

# The kernel's verdict on a journal that is damaged in this way.
damaged() { # WHAT NTH KIND
	local name="$3, $1 $2" before verdict
	cp "$T/dirty.$3" "$T/theirs" && check "$name: done" "$PYTHON" "$helper" damage "$T/theirs" "$1" "$2" || return
	cp "$T/theirs" "$T/ours"
	before=$(unchanged_sum "$T/ours")
	kernel_accepts "$T/theirs" "$T/shown.kernel"
	verdict=$?
	check_status $verdict "$name: the kernel's verdict ($verdict)" e4tool "$T/ours" tree / || return
	if [ $verdict = 0 ]; then
		check "$name: e2fsck finds nothing" judge_plain "$T/ours"
		kernel_accepts "$T/ours" "$T/shown.ours"
		check "$name: the same as by the kernel" same_shown "$T/shown.kernel" "$T/shown.ours"
	else
		said "journal is damaged" "$name: it says why"
		is "$(unchanged_sum "$T/ours")" "$before" "$name: not one byte changed"
	fi
}

foreign "1K blocks" "-b 1024 -J size=1" "" 40M
cp "$T/dirty" "$T/dirty.1k"
check "all kinds of blocks were in the log" in_log descriptor data escaped revoke commit
foreign "no checksums" "-b 1024 -J size=1 -O ^metadata_csum" ""
cp "$T/dirty" "$T/dirty.none"
foreign "old checksums" "-b 1024 -J size=1 -O ^metadata_csum" journal_checksum
cp "$T/dirty" "$T/dirty.old"
foreign "an orphan file" "-b 4096 -J size=4 -O orphan_file" ""
foreign "journalled data" "-b 1024 -J size=8" data=journal
if [ -n "${SEALDRIVE_LONG:-}" ]; then
	foreign "4K blocks" "-b 4096 -J size=4" ""
	cp "$T/dirty" "$T/dirty.4k"
	foreign "asynchronous commits" "-b 1024 -J size=1 -O ^metadata_csum,^64bit" journal_async_commit,data=writeback
	cp "$T/dirty" "$T/dirty.async"
	foreign "32 bits" "-b 2048 -J size=2 -O ^64bit" ""
	foreign "ext3" "-t ext3 -b 1024 -J size=1" ""
fi

# Journals that debugfs writes, of kinds that kernels of today do not: two blocks, one of them escaped; two more, of which
# one is revoked.
by_debugfs() { # NAME MKE2FS-OPTIONS JO-OPTIONS
	local name=$1 options block who i
	read -ra options <<<"$2"
	truncate -s 24M "$T/written" && mke2fs -q -F -t ext4 -J size=4 "${options[@]}" "$T/written" >/dev/null 2>&1
	local bytes=${options[1]}
	block=$(((24 << 20) / bytes - 100))
	pattern $((bytes * 2)) 5 >"$T/two"
	printf '\xc0\x3b\x39\x98' | dd of="$T/two" bs=1 seek="$bytes" conv=notrunc status=none
	printf '%s\n' "jo $3" "jw -b $block,$((block + 1)) $T/two" "jw -b $((block + 2)),$((block + 3)) $T/two" \
		"jw -r $((block + 2))" jc >"$T/requests"
	check "$name: written by debugfs" debugfs -w -f "$T/requests" "$T/written"
	check "$name: its journal is in use" needs_recovery "$T/written"
	for who in ours e2fsck; do
		cp "$T/written" "$T/$who"
	done
	check "$name: recovered by us" e4tool "$T/ours" ls /
	check "$name: recovered by e2fsck" bash -c 'e2fsck -fy "$1"; [ $? -le 1 ]' - "$T/e2fsck"
	for who in ours e2fsck; do
		for i in 0 1 2 3; do
			dd if="$T/$who" bs="$bytes" skip=$((block + i)) count=1 status=none | b2sum
		done >"$T/sums.$who"
	done
	check "$name: the same as by e2fsck" cmp "$T/sums.ours" "$T/sums.e2fsck"
	is "$(sed -n '2p;4p' "$T/sums.ours" | uniq | wc -l) $(uniq "$T/sums.ours" | wc -l)" "1 4" "$name: which is all but what was revoked"
}
for bits in "" " -O ^64bit"; do
	by_debugfs "checksums of version 2$bits" "-b 1024$bits" "-c -v 2"
	by_debugfs "checksums of version 3$bits" "-b 1024$bits" "-c -v 3"
done
by_debugfs "checksums of version 2, 4K" "-b 4096" "-c -v 2"
by_debugfs "no checksums, 4K" "-b 4096 -O ^metadata_csum" ""

# Files that were synced through fast commits are lost if the log alone is replayed.
fast_commits() {
	local n
	truncate -s 48M "$T/live" && mke2fs -q -F -t ext4 -b 1024 -J size=4 -O fast_commit "$T/live" &&
		loop_mount "$T/live" "$T/kernel" commit=300 && echo 0 >"$T/kernel/f0" && sync -f "$T/kernel" || return 1
	for n in 1 2 3; do
		echo $n >"$T/kernel/f$n" && sync "$T/kernel/f$n" || return 1
	done
	cp "$T/live" "$T/fast"
	umount "$T/kernel"
}
check "fast commits: pulled while the kernel used it" fast_commits
before=$(unchanged_sum "$T/fast")
check_status 1 "fast commits: refused" e4tool "$T/fast" ls /
said "fast commits" "fast commits: it says why"
check_status 1 "fast commits: refused for reading, too" e4tool -r "$T/fast" ls /
is "$(unchanged_sum "$T/fast")" "$before" "fast commits: not one byte changed"
check "fast commits: recovered by e2fsck" bash -c 'e2fsck -fy "$1"; [ $? -le 1 ]' - "$T/fast"
check "fast commits: then we open it" e4tool "$T/fast" cat /f3
is "$(cat "$T/out")" 3 "fast commits: with what was synced"
check "fast commits: e2fsck finds nothing" judge_plain "$T/fast"

# A volume that was growing: its new size is only in the log, and blocks behind the old one are, too.
cp "$T/dirty.1k" "$T/ours"
check "a block behind the volume is in the log" "$PYTHON" "$helper" damage "$T/ours" descriptor-behind -1
cp "$T/ours" "$T/theirs"
check "the kernel mounts that" kernel_accepts "$T/theirs" "$T/shown.kernel"
check "and so do we" e4tool -r "$T/ours" ls /
kinds=(1k)
[ -z "${SEALDRIVE_LONG:-}" ] || kinds+=(4k)
for kind in "${kinds[@]}"; do
	for what in descriptor data revoke commit; do
		damaged $what -1 $kind
		damaged $what-older -1 $kind
	done
	for what in commit-gone commit-half escaped descriptor-next revoke-next commit-next descriptor-outside revoke-long; do
		damaged $what -1 $kind
	done
done
# Without checksums only what has no commit block is seen to be half written.
kinds=(old)
[ -z "${SEALDRIVE_LONG:-}" ] || kinds+=(none async)
for kind in "${kinds[@]}"; do
	for what in commit-gone commit-half revoke-gone; do
		damaged $what -1 $kind
	done
done
[ -z "${SEALDRIVE_LONG:-}" ] || damaged data -1 async
damaged data -1 old
damaged descriptor-outside -1 none
done_testing
