#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Wrong input of every kind: the contract's exit status, a message that names drive, cause and
# remedy, and not one byte of the target changed.
. "$(dirname "$0")/lib.sh"
need_fuse
need_command cryptsetup mke2fs debugfs

mount_refused() { # STATUS TARGET PATTERN DESCRIPTION [OPTIONS...]
	local status=$1 target=$2 pattern=$3 what=$4
	shift 4
	refused "$status" "$target" "$pattern" "$what" \
		sealdrive mount "$target" "$T/mnt" --passphrase-file "$PASS" "$@"
	if is_mounted "$T/mnt"; then
		not_ok "$what: nothing is mounted"
		drive_unmount "$T/mnt"
	fi
}

format_refused() { # STATUS TARGET PATTERN DESCRIPTION OPTIONS...
	local status=$1 target=$2 pattern=$3 what=$4
	shift 4
	refused "$status" "$target" "$pattern" "$what" \
		sealdrive format "$target" --passphrase-file "$PASS" "${FAST_KDF[@]}" "$@"
}

mkdir "$T/mnt"
check "a good drive" new_drive "$T/good.img" 64M
good=$T/good.img
plain=$T/plain
check "its plain text" plain_of "$good" "$plain"

# ---- passphrases ----
printf 'wrong' >"$T/wrong"
refused 3 "$good" 'passphrase' "wrong passphrase" \
	sealdrive mount "$good" "$T/mnt" --passphrase-file "$T/wrong"
printf 'correct horse 9\nsecond line' >"$T/lines"
check "only the first line of a passphrase file counts" \
	sealdrive mount "$good" "$T/mnt" --passphrase-file "$T/lines"
check "unmount" drive_unmount "$T/mnt"
check "a passphrase from standard input" bash -c 'printf "correct horse 9\n" |
	sealdrive mount "$1" "$2" --passphrase-file -' - "$good" "$T/mnt"
check "unmount" drive_unmount "$T/mnt"
: >"$T/empty-pass"
refused 2 "" 'empty|passphrase' "empty passphrase" \
	sealdrive mount "$good" "$T/mnt" --passphrase-file "$T/empty-pass"
refused 1 "$T/no-such-file" 'passphrase, key, PIN or share cannot be read: .*no such file' "no passphrase file" \
	sealdrive mount "$good" "$T/mnt" --passphrase-file "$T/no-such-file"
refused 1 "$T" 'Is a directory' "a folder as passphrase file" \
	sealdrive mount "$good" "$T/mnt" --passphrase-file "$T"
refused 2 "" 'terminal' "no terminal to ask on" setsid sealdrive mount "$good" "$T/mnt"

# ---- what is not a LUKS2 drive ----
: >"$T/empty.img"
mount_refused 4 "$T/empty.img" 'not an encrypted|LUKS' "empty file"
dd if=/dev/urandom of="$T/random.img" bs=1M count=20 status=none
mount_refused 4 "$T/random.img" 'not an encrypted' "random file"
head -c 3000 "$good" >"$T/short.img"
mount_refused 4 "$T/short.img" 'LUKS|damaged' "truncated inside the header"
head -c 20000 "$good" >"$T/short2.img"
mount_refused 4 "$T/short2.img" 'LUKS|damaged' "truncated inside the second header"
head -c $((16 << 20)) "$good" >"$T/short3.img"
mount_refused 4 "$T/short3.img" '.' "truncated before the data"
head -c $((40 << 20)) "$good" >"$T/short4.img"
mount_refused 4 "$T/short4.img" 'larger than the drive' "truncated inside the data"
truncate -s 20M "$T/ext4.img"
mke2fs -q -t ext4 "$T/ext4.img"
mount_refused 4 "$T/ext4.img" 'not an encrypted' "a plain ext4"
truncate -s 20M "$T/luks1.img"
cryptsetup luksFormat -q --disable-locks --type luks1 --pbkdf-force-iterations 1000 --key-file "$PASS" "$T/luks1.img"
mount_refused 4 "$T/luks1.img" 'holds no ext4' "LUKS1 with nothing in it"
must "a drive with its header elsewhere" new_drive "$T/bare.img" 20M --header "$T/bare.hdr"
mount_refused 4 "$T/bare.hdr" 'header of a drive, and not the drive' "a header without its drive"
mount_refused 4 "$T/bare.img" 'not an encrypted' "the drive without its header"
mount_refused 1 "$T/absent.img" 'no such file' "no such drive"
mount_refused 1 "$T/home" 'drive, a partition or a container' "a folder"
mount_refused 1 /dev/null 'drive, a partition or a container' "a character device"

# ---- what is inside ----
inside() { # NAME: $T/NAME.img is the good drive with $T/inside as its data
	cp --sparse=always "$good" "$T/$1.img" &&
		"$PYTHON" "$JUDGE/luks-plain.py" encrypt "$T/$1.img" "$PASS" "$T/inside"
}
dd if=/dev/urandom of="$T/inside" bs=1M count=8 status=none
inside noise
mount_refused 4 "$T/noise.img" 'no ext4' "noise inside"
cp "$plain" "$T/inside" && debugfs -w -R 'ssv feature_incompat 0x8000' "$T/inside" 2>/dev/null
"$PYTHON" - "$T/inside" <<'PY'
import struct, sys
with open(sys.argv[1], "r+b") as f:
    f.seek(1024 + 96)
    f.write(struct.pack("<I", 0x2c2 | 0x80000000))
PY
e2fsck -fy "$T/inside" >/dev/null 2>&1
inside unknown
mount_refused 4 "$T/unknown.img" '.' "a super block with a wrong checksum"
edit_super() { # STATEMENTS on bytearray s: rewrites the super block with a right checksum
	cp "$plain" "$T/inside" && "$PYTHON" - "$T/inside" "$1" <<'PY'
import struct, sys
def crc32c(data, crc=0xffffffff):
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82f63b78 & -(crc & 1))
    return crc
def put(at, fmt, value):
    struct.pack_into("<" + fmt, s, at, value)
def get(at, fmt):
    return struct.unpack_from("<" + fmt, s, at)[0]
with open(sys.argv[1], "r+b") as f:
    f.seek(1024)
    s = bytearray(f.read(1024))
    exec(sys.argv[2])
    put(1020, "I", crc32c(s[:1020]))
    f.seek(1024)
    f.write(s)
PY
}
super() { # STATUS PATTERN DESCRIPTION STATEMENTS
	edit_super "$4" && inside super && mount_refused "$1" "$T/super.img" "$2" "$3"
}
edit_super 'pass' && inside super
check "a rewritten super block is fine" drive_mount "$T/super.img" "$T/mnt"
check "unmount" drive_unmount "$T/mnt"
super 8 'feature|encrypt' "unknown incompatible feature" 'put(96, "I", get(96, "I") | 0x10000)'
super 8 'feature' "an incompatible feature of the future" 'put(96, "I", get(96, "I") | 0x40000000)'
super 8 'casefold' "casefold" 'put(96, "I", get(96, "I") | 0x20000)'
super 8 'compress' "compression" 'put(96, "I", get(96, "I") | 0x1)'
super 8 'journal' "an external journal" 'put(96, "I", get(96, "I") | 0x8)'
super 4 'no ext4' "no ext4 magic" 'put(56, "H", 0x1234)'
super 4 'damaged|larger' "more blocks than the drive" 'put(4, "I", get(4, "I") * 2)'
super 4 'damaged|larger' "an absurd number of blocks" 'put(0x150, "I", 0xffffffff)'
super 4 'damaged' "block size out of range" 'put(24, "I", 25)'
super 4 'damaged' "no blocks per group" 'put(32, "I", 0)'
super 4 'damaged' "too many blocks per group" 'put(32, "I", 0xfffffff8)'
super 4 'damaged' "no inodes per group" 'put(40, "I", 0)'
super 4 'damaged' "too many inodes per group" 'put(40, "I", 0x7fffffff)'
super 4 'damaged' "inode size 0" 'put(88, "H", 0)'
super 4 'damaged' "inode size 100" 'put(88, "H", 100)'
super 4 'damaged' "inode size larger than a block" 'put(88, "H", 32768)'
super 4 'damaged' "descriptor size 7" 'put(254, "H", 7)'
super 4 'damaged' "descriptor size 40000" 'put(254, "H", 40000)'
super 4 'damaged' "first data block behind the end" 'put(20, "I", 0xfffffff0)'
super 4 'damaged' "inode count does not fit the groups" 'put(0, "I", 11)'
super 4 'damaged' "unknown checksum algorithm" 's[0x175] = 9'
edit_super 'put(100, "I", get(100, "I") | 0x80000000)' && inside ro
before=$(unchanged_sum "$T/ro.img")
check "unknown ro_compat feature: mounted read-only" drive_mount "$T/ro.img" "$T/mnt"
said 'read-only' "... and it says so"
check_status 1 "... nothing can be written" touch "$T/mnt/x"
check "unmount" drive_unmount "$T/mnt"
is "$(unchanged_sum "$T/ro.img")" "$before" "... not one byte changed"
cp "$plain" "$T/inside"
"$PYTHON" -c 'import sys
with open(sys.argv[1], "r+b") as f:
    f.seek(4096)
    f.write(bytes(4096))' "$T/inside"
inside descriptors
mount_refused 4 "$T/descriptors.img" 'damaged' "group descriptors zeroed"

# ---- targets that cannot be used ----
cp --sparse=always "$good" "$T/busy.img"
exec 9<"$T/busy.img"
flock -x 9
mount_refused 6 "$T/busy.img" 'in use' "locked by another program"
format_refused 6 "$T/busy.img" 'in use' "format of a locked container" --force
flock -u 9
exec 9<&-
must "mount" drive_mount "$T/busy.img" "$T/mnt"
mkdir "$T/mnt2"
refused 6 "" 'already mounted' "mounting twice" \
	sealdrive mount "$T/busy.img" "$T/mnt2" --passphrase-file "$PASS"
refused 6 "" 'mounted|in use' "formatting what is mounted" \
	sealdrive format "$T/busy.img" --force --passphrase-file "$PASS" "${FAST_KDF[@]}"
refused 1 "" 'cannot be mounted' "mounting over a mount" \
	sealdrive mount "$good" "$T/mnt" --passphrase-file "$PASS"
check "the mounted drive still works" touch "$T/mnt/alive"
check "unmount" drive_unmount "$T/mnt"
check "perfect after all that" judge "$T/busy.img"
mkdir "$T/full" && touch "$T/full/file"
refused 1 "$good" 'cannot be mounted|empty' "a mount point that is not empty" \
	sealdrive mount "$good" "$T/full" --passphrase-file "$PASS"
refused 1 "$good" 'cannot be mounted|folder' "a mount point that is a file" \
	sealdrive mount "$good" "$T/full/file" --passphrase-file "$PASS"
refused 1 "$T/mnt" 'nothing is mounted' "unmounting what is not mounted" sealdrive unmount "$T/mnt"
refused 1 "$good" 'nothing is mounted' "unmounting a drive that is not mounted" sealdrive unmount "$good"
user_ready
cp --sparse=always "$good" "$T/user/locked.img"
chmod 444 "$T/user/locked.img"
mkdir "$T/user/mnt"
if is_root; then
	chown "$USER_ID:$USER_GROUP" "$T/user/locked.img" "$T/user/mnt"
	mkdir -m 755 "$T/not-ours"
	refused 1 "$T/user/locked.img" 'cannot be mounted|permission' "a mount point that is not ours" \
		as_user sealdrive mount "$T/user/locked.img" "$T/not-ours" --read-only --passphrase-file "$T/user/pass"
else
	skip "a mount point that is not ours" "needs root to make one"
fi
refused 1 "$T/user/locked.img" 'cannot be written|--read-only' "a file without write permission" \
	as_user sealdrive mount "$T/user/locked.img" "$T/user/mnt" --passphrase-file "$T/user/pass"
before=$(unchanged_sum "$T/user/locked.img")
check "... opens with --read-only" as_user sealdrive mount "$T/user/locked.img" "$T/user/mnt" \
	--read-only --passphrase-file "$T/user/pass"
check "... and unmounts" as_user sealdrive unmount "$T/user/mnt"
is "$(unchanged_sum "$T/user/locked.img")" "$before" "... not one byte changed"

check "options may stand after operands and before" bash -c \
	'sealdrive mount --passphrase-file "$1" "$2" --read-only "$3"' - "$PASS" "$good" "$T/mnt"
check "unmount" drive_unmount "$T/mnt"
done_testing
