#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Multiple mount protection, with the kernel as the other computer: we leave alone what it uses,
# and it leaves alone what we use. (Most of the time is waiting, as the format wants it.)
. "$(dirname "$0")/lib.sh"
need_root "needs the kernel's ext4 as the other user"
need_fuse
have_loop || skip_all "$NO_LOOP"
need_command cryptsetup mke2fs e2fsck debugfs losetup

make_plain() { # FILE
	truncate -s 16M "$1" && mke2fs -q -t ext4 -b 1024 -O mmp,^metadata_csum -E mmp_update_interval=1 "$1"
}

mmp_of() { # FILE FIELD
	debugfs -c -R dump_mmp "$1" 2>/dev/null | sed -n "s/^$2: //p"
}

patch() { # FILE OFFSET-IN-MMP-BLOCK TEXT: as another computer would
	local at=$(($(mmp_of "$1" block_number) * 1024 + $2))
	printf "$3" | dd of="$1" bs=1 seek=$at conv=notrunc status=none
}

# ---- two volumes, one used by the kernel, one by us ----
check "a volume for the kernel" make_plain "$T/theirs"
check "a volume for us" make_plain "$T/ours"
mkfifo "$T/commands"
e4tool "$T/ours" <"$T/commands" >"$T/e4tool.log" 2>&1 &
tool=$!
exec 7>"$T/commands"
echo "mkdir /ours" >&7
must "the kernel mounts its own" loop_mount "$T/theirs" "$T/kernel"
for _ in {1..300}; do
	[ "$(mmp_of "$T/ours" device_name)" = sealdrive ] && break
	sleep 0.1
done
loop=$(losetup -f --show "$T/ours")
mkdir "$T/second"
mount -t ext4 "$loop" "$T/second" >"$T/second.log" 2>&1 &
second=$!
check_status 1 "we do not even read what the kernel uses" e4tool -r "$T/theirs" ls /
said "Another computer.*$(hostname)" "and say who uses it"
wait $second
is $? 32 "the kernel does not mount what we use"
is "$(cat "$T/e4tool.log")" "" "which disturbs nobody here"
exec 7>&-
wait $tool
is $? 0 "we end"
umount "$T/kernel"
losetup -d "$loop"
is "$(mmp_of "$T/ours" sequence)" ff4d4d50 "our volume is free again"
check "our volume is in order" judge_plain "$T/ours"
is "$(debugfs -R 'stat /ours' "$T/ours" 2>/dev/null | grep -c 'Type: directory')" 1 "with what we made"
check "and so is the kernel's" judge_plain "$T/theirs"

# ---- on a drive, while e2fsck is at work ----
check "a volume in a container" make_plain "$T/plain"
check "which e2fsck works on" patch "$T/plain" 4 '\x50\x4d\x4d\xe2'
check "and e2fsck's computer is known" patch "$T/plain" 16 'office-7\0'
truncate -s 20M "$T/drive.img"
check "luksFormat" cryptsetup luksFormat -q --disable-locks --type luks2 --key-file "$PASS" \
	--pbkdf pbkdf2 --pbkdf-force-iterations 1000 --luks2-metadata-size 16k \
	--luks2-keyslots-size 256k "$T/drive.img"
check "encrypted" "$PYTHON" "$JUDGE/luks-plain.py" encrypt "$T/drive.img" "$PASS" "$T/plain"
refused 6 "$T/drive.img" "another computer.*e2fsck on computer office-7" "not while e2fsck works on it" \
	drive_mount "$T/drive.img" "$T/mnt"
refused 6 "$T/drive.img" "another computer.*e2fsck on computer office-7" "nor read-only" \
	drive_mount "$T/drive.img" "$T/mnt" --read-only
done_testing
