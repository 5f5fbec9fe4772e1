#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Drives go to and fro between us and a Linux kernel with dm-crypt: clean, and pulled out of either
# in the middle of a write. Nobody loses a byte that was synced.
. "$(dirname "$0")/lib.sh"
need_vm
need_fuse
need_command cryptsetup e2fsck dumpe2fs mke2fs
helper=$top_srcdir/tests/kill.py
seed=$(test_seed)
diag "seed $seed"

same_shown() { # A B: what `shown` left of them
	diff "$T/guest/$1.list" "$T/guest/$2.list" >"$T/same" && diff "$T/guest/$1.sums" "$T/guest/$2.sums" >"$T/same" &&
		return 0
	head -n 20 "$T/same"
	return 1
}

shown() { # DIR NAME
	tree_list "$1" >"$T/guest/$2.list" && tree_sums "$1" >"$T/guest/$2.sums"
}

mkdir "$T/guest"

# ---- clean ------------------------------------------------------------------------------------
must "ours: format" new_drive "$T/ours.img" 96M
must "ours: mount" drive_mount "$T/ours.img" "$T/mnt"
check "ours: filled" fill_tree "$T/mnt"
check "ours: listed" shown "$T/mnt" ours
check "ours: unmount" drive_unmount "$T/mnt"
truncate -s 96M "$T/theirs.img" "$T/theirs4k.img"
check "the kernel: reads ours and changes it; makes and fills two of its own" guest --disk "$T/ours.img" \
	--disk "$T/theirs.img" --disk "$T/theirs4k.img" <<'G'
. "$top_srcdir/tests/vm/guest.sh"
cryptsetup open --readonly --key-file "$PASS" /dev/disk0 judged
e2fsck -fn /dev/mapper/judged
cryptsetup close judged
kernel_mount /dev/disk0 "$T/mnt"
shown "$T/mnt" theirs
rm -r "$T/mnt/folder" "$T/mnt/sparse"
echo more >>"$T/mnt/size-4095"
truncate -s 100 "$T/mnt/size-65536"
mkdir "$T/mnt/new"
pattern 3000000 9 >"$T/mnt/new/data"
setfattr -n user.who -v kernel "$T/mnt/new/data"
mv "$T/mnt/deep/level-1" "$T/mnt/new/"
shown "$T/mnt" theirs-changed
kernel_unmount "$T/mnt"
kernel_format /dev/disk1 -b 4096
kernel_format /dev/disk2 -b 4096 -J size=4 -O orphan_file -N 2000
for n in 1 2; do
	kernel_mount /dev/disk$n "$T/mnt"
	fill_tree "$T/mnt"
	shown "$T/mnt" made$n
	kernel_unmount "$T/mnt"
done
G
check "ours: the kernel saw what we wrote" same_shown ours theirs
check "ours: mount again" drive_mount "$T/ours.img" "$T/mnt"
check "ours: listed again" shown "$T/mnt" ours-changed
check "ours: we see what the kernel wrote" same_shown theirs-changed ours-changed
is "$(getfattr --only-values -n user.who "$T/mnt/new/data" 2>/dev/null)" kernel "ours: its extended attribute"
check "ours: unmount again" drive_unmount "$T/mnt"
check "ours: perfect" judge "$T/ours.img"
n=0
for image in theirs theirs4k; do
	n=$((n + 1))
	check "$image: mount" drive_mount "$T/$image.img" "$T/mnt" --owner disk
	check "$image: listed" shown "$T/mnt" by-us$n
	check "$image: we see what the kernel wrote" same_shown made$n by-us$n
	check "$image: changed" rm -r "$T/mnt/folder"
	check "$image: filled again" cp -a "$T/mnt/deep" "$T/mnt/folder"
	check "$image: listed again" shown "$T/mnt" changed$n
	check "$image: unmount" drive_unmount "$T/mnt"
	check "$image: perfect" judge "$T/$image.img"
done

# ---- ours, killed in mid-write; the kernel recovers -------------------------------------------
must "killed: format" new_drive "$T/killed.img" 96M
must "killed: mount" drive_mount "$T/killed.img" "$T/mnt"
writers=()
for w in 1 2; do
	"$PYTHON" "$helper" write "$T/mnt" "$T/guest/log.$w" $((seed + w)) >"$T/writer.$w" &
	writers+=($!)
done
sleep 2.3
kill -KILL "$(daemons | head -n 1)"
wait "${writers[@]}"
sealdrive unmount "$T/mnt"
cat "$T"/guest/log.? >"$T/guest/log"
plain_of "$T/killed.img" "$T/plain"
check "killed: its journal is in use" grep -q needs_recovery <(dumpe2fs -h "$T/plain" 2>/dev/null)
cp "$T/killed.img" "$T/killed-ours.img"
check "killed: the kernel recovers it, with all that was synced; and reads what we changed" guest --disk "$T/killed.img" \
	--disk "$T/theirs.img" --disk "$T/theirs4k.img" <<'G'
. "$top_srcdir/tests/vm/guest.sh"
kernel_mount /dev/disk0 "$T/mnt"
"$PYTHON" "$top_srcdir/tests/kill.py" check "$T/mnt" "$OUT/log"
shown "$T/mnt" killed-theirs
kernel_unmount "$T/mnt"
cryptsetup open --readonly --key-file "$PASS" /dev/disk0 judged
e2fsck -fn /dev/mapper/judged
cryptsetup close judged
for n in 1 2; do
	kernel_mount /dev/disk$n "$T/mnt"
	shown "$T/mnt" changed-theirs$n
	kernel_unmount "$T/mnt"
done
G
tail -n 3 "$T/out" | diag
check "killed: we recover it" drive_mount "$T/killed-ours.img" "$T/mnt"
check "killed: with all that was synced" "$PYTHON" "$helper" check "$T/mnt" "$T/guest/log"
check "killed: listed" shown "$T/mnt" killed-ours
check "killed: the same as by the kernel" same_shown killed-theirs killed-ours
check "killed: unmount" drive_unmount "$T/mnt"
check "killed: perfect" judge "$T/killed-ours.img"
check "killed: perfect as the kernel left it" judge "$T/killed.img"
for n in 1 2; do
	check "changed $n: the kernel saw what we wrote" same_shown changed$n changed-theirs$n
done

# ---- the kernel's, its power cut in mid-write; we recover -------------------------------------
rm -f "$T"/guest/log*
for round in 1 2; do
	check_status 99 "cut $round: the kernel's power goes" guest --disk "$T/theirs.img" <<-G
		. "\$top_srcdir/tests/vm/guest.sh"
		kernel_mount /dev/disk0 "\$T/mnt"
		write_until_cut "\$T/mnt" $((seed + 10 * round)) $((4 * round)).6
	G
	cat "$T"/guest/log.? >"$T/guest/log"
	plain_of "$T/theirs.img" "$T/plain"
	check "cut $round: its journal is in use" grep -q needs_recovery <(dumpe2fs -h "$T/plain" 2>/dev/null)
	check "cut $round: we recover it" drive_mount "$T/theirs.img" "$T/mnt" --owner disk
	check "cut $round: with all that was synced" "$PYTHON" "$helper" check "$T/mnt" "$T/guest/log"
	tail -n 1 "$T/out" | diag
	check "cut $round: unmount" drive_unmount "$T/mnt"
	check "cut $round: perfect" judge "$T/theirs.img"
done
done_testing
