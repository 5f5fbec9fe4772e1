#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Our daemon in a virtual machine whose power is cut in mid-write, again and again; and every write
# and flush of it as a block device of another kernel sees them (dm-log-writes), cut everywhere, with
# what was not flushed lost at random. Every byte that was synced is there. `power-cut.sh recorded`
# does only the latter.
. "$(dirname "$0")/lib.sh"
need_vm
need_fuse
need_command cryptsetup e2fsck dumpe2fs
helper=$top_srcdir/tests/kill.py
seed=$(test_seed)
diag "seed $seed"
mkdir "$T/guest"

# ---- the computer's power goes, the drive keeps what it got ---------------------------------------
cut_power() {
	must "format" new_drive "$T/a.img" 96M
	for round in 1 2 3 4; do
		[ ! -s "$T/guest/log" ] || cp "$T/a.img" "$T/b.img"
		check_status 99 "cut $round: found whole, and the power goes" guest --disk "$T/a.img" <<-G
			. "\$top_srcdir/tests/vm/guest.sh"
			drive_mount /dev/disk0 "\$T/mnt"
			[ ! -s "\$OUT/log" ] || "\$PYTHON" "\$top_srcdir/tests/kill.py" check "\$T/mnt" "\$OUT/log"
			rm -rf "\$T/mnt"/round-*/noise "\$OUT"/log*
			write_until_cut "\$T/mnt" $((seed + 10 * round)) $((2 + round * 2)).4
		G
		cat "$T"/guest/log.? >"$T/guest/log"
		cp "$T/a.img" "$T/b.img"
		check "cut $round: we open it elsewhere" drive_mount "$T/b.img" "$T/mnt"
		check "cut $round: all that was synced is there" "$PYTHON" "$helper" check "$T/mnt" "$T/guest/log"
		tail -n 1 "$T/out" | diag
		check "cut $round: unmount" drive_unmount "$T/mnt"
		check "cut $round: perfect" judge "$T/b.img"
	done
}

# ---- the drive loses what was not flushed -----------------------------------------------------
judge_cut() { # NTH
	local kept=0
	cp "$T/before.img" "$T/b.img" && "$PYTHON" "$top_srcdir/tests/vm/log-writes.py" cut "$T/log.img" "$T/b.img" \
		"$1" "$seed" "$T/guest/log" "$T/promised" && drive_mount "$T/b.img" "$T/mnt" || return 1
	"$PYTHON" "$helper" check "$T/mnt" "$T/promised" || kept=1
	drive_unmount "$T/mnt" && judge "$T/b.img" && return $kept
}

recorded() {
	local cut cuts=60
	rm -f "$T"/guest/log*
	rm -f "$T/a.img"
	must "recorded: format" new_drive "$T/a.img" 48M
	cp "$T/a.img" "$T/before.img"
	truncate -s 600M "$T/log.img"
	check "recorded: our daemon writes to a drive that is recorded" guest --disk "$T/a.img" --disk "$T/log.img" <<-G
		. "\$top_srcdir/tests/vm/guest.sh"
		dmsetup create recorded --table "0 \$(blockdev --getsz /dev/disk0) log-writes /dev/disk0 /dev/disk1"
		drive_mount /dev/mapper/recorded "\$T/mnt"
		dmsetup message recorded 0 mark 0
		RECORDED=recorded timeout 25 "\$PYTHON" "\$top_srcdir/tests/kill.py" write "\$T/mnt" "\$OUT/log" $seed || true
		cp /dev/null "\$T/mnt/last"
		drive_unmount "\$T/mnt"
		dmsetup remove recorded
	G
	grep -ac '^+' "$T/guest/log" | sed 's/$/ promises/' | diag
	"$PYTHON" "$top_srcdir/tests/vm/log-writes.py" choose "$T/log.img" $cuts "$seed" >"$T/cuts"
	tail -n 1 "$T/cuts" | diag
	is "$(grep -c '^[0-9]' "$T/cuts")" $cuts "recorded: enough was recorded"
	while read -r cut; do
		check "recorded: power failure after write $cut" judge_cut "$cut"
	done < <(grep '^[0-9]' "$T/cuts")
}

[ "${1:-}" = recorded ] || cut_power
recorded
done_testing
