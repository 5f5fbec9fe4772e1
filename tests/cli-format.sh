#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# format: what its options do, what it asks, what it leaves behind when it does not succeed.
. "$(dirname "$0")/lib.sh"
need_command cryptsetup dumpe2fs debugfs blkid mke2fs

dump() { # IMAGE: cryptsetup's view, in one line per field
	cryptsetup --disable-locks luksDump "$1" | sed 's/^[ \t]*//; s/[ \t]\+/ /g'
}
user() { # ACTION... -- COMMAND...
	"$PYTHON" "$top_srcdir/tests/terminal.py" "$@" >"$T/out" 2>&1
}
made() { # DESCRIPTION OPTIONS...: $T/o.img, judged
	local what=$1
	shift
	rm -f "$T/o.img"
	check "$what" new_drive "$T/o.img" 32M "$@" && check "... perfect" judge "$T/o.img"
}
has() { # LINE DESCRIPTION: cryptsetup says so of $T/o.img
	dump "$T/o.img" >"$T/out"
	said "^$1\$" "$2"
}
super_of() { # IMAGE FIELD
	plain_of "$1" "$T/plain" && dumpe2fs -h "$T/plain" 2>/dev/null | sed -n "s/^$2: *//p"
}

# ---- options ----
made "a label" --label 'Ổ đĩa của phòng kế toán'
has 'Label: Ổ đĩa của phòng kế toán' "... stands in the header"
is "$(super_of "$T/o.img" 'Filesystem volume name')" 'Ổ đĩa của' "... and as much as fits in the file system"
is "$(super_of "$T/o.img" 'Block size')" 4096 "... whose blocks are not smaller than the sectors"
made "sectors of 512 bytes" --sector-size 512
has 'sector: 512 \[bytes\]' "... stand in the header"
is "$(super_of "$T/o.img" 'Block size')" 1024 "... and a small volume has small blocks"
made "AES-128" --key-size 256
has 'Key: 256 bits' "... stands in the header"
made "aes-xts-plain" --cipher aes-xts-plain
has 'cipher: aes-xts-plain' "... stands in the header"
made "a header of 64 KiB" --metadata-size 64K
has 'Metadata area: 65536 \[bytes\]' "... stands in the header"
rm -f "$T/o.img"
check "argon2i" sealdrive format "$T/o.img" --size 32M --passphrase-file "$PASS" --pbkdf argon2i \
	--iterations 4 --memory 1024 --parallel 1
has 'PBKDF: argon2i' "... stands in the header"
has 'Time cost: 4' "... with its time cost"
has 'Memory: 1024' "... its memory"
has 'Threads: 1' "... its threads"
rm -f "$T/o.img"
check "--iter-time" sealdrive format "$T/o.img" --size 32M --passphrase-file "$PASS" --iter-time 100
has 'PBKDF: argon2id' "... of argon2id"
check "options before and after the operand, abbreviated" sealdrive format --forc "$T/o.img" \
	--passphrase-file "$PASS" --pbkdf=pbkdf2 --iterations 1000
touch -- "$T/-x"
check "an operand after --" bash -c 'cd "$1" && sealdrive format --size 20M --passphrase-file pass --pbkdf pbkdf2 \
	--iterations 1000 -- -x' - "$T"
is "$(stat -c %s "$T/-x")" $((20 << 20)) "an empty file gets its size"
is "$(umask 000; new_drive "$T/umask.img" 20M; stat -c %a "$T/umask.img")" 600 "a new container is its owner's alone"
check "an odd size" new_drive "$T/odd.img" 30000001
is "$(stat -c %s "$T/odd.img")" 29999104 "... is rounded down"
check "... perfect" judge "$T/odd.img"

# ---- owner ----
owner_of() { # IMAGE
	plain_of "$1" "$T/plain" && debugfs -R 'stat /' "$T/plain" 2>/dev/null | grep -oE 'User: +[0-9]+ +Group: +[0-9]+' |
		tr -s ' '
}
is "$(owner_of "$T/odd.img")" "User: $(id -u) Group: $(id -g)" "the top folder is the user's"
made "--owner" --owner 100000:50
is "$(owner_of "$T/o.img")" "User: 100000 Group: 50" "... is who it says"
if is_root; then
	rm -f "$T/o.img"
	SUDO_UID=1001 SUDO_GID=1002 new_drive "$T/o.img" 32M
	is "$(owner_of "$T/o.img")" "User: 1001 Group: 1002" "through sudo: the user who runs it"
else
	skip "through sudo" "needs root"
fi
for owner in '' : 1: :1 x -1 4294967295 1:2:3 '1 '; do
	check_status 2 "--owner '$owner': refused" new_drive "$T/x.img" 32M --owner "$owner"
done

# ---- a detached header ----
check "a detached header" new_drive "$T/d.img" 32M --header "$T/d.hdr"
is "$(stat -c '%s %a' "$T/d.hdr")" "$((16 << 20)) 600" "... is a private file of 16 MiB"
check "cryptsetup opens it" cryptsetup --disable-locks open --test-passphrase --header "$T/d.hdr" --key-file "$PASS" "$T/d.img"
check "perfect" judge "$T/d.img" --header "$T/d.hdr"
is "$(blkid -p -o value -s TYPE "$T/d.img")" "" "nothing on the drive shows what it is"
check_status 1 "the header is not overwritten" setsid -w sealdrive format "$T/d2.img" --size 32M \
	--header "$T/d.hdr" --passphrase-file "$PASS" "${FAST_KDF[@]}"
said 'd.hdr.*already holds' "... it is named"
check_status 1 "... no container is left" test -e "$T/d2.img"
check_status 2 "header and drive in one file: refused" sealdrive format "$T/d.img" --force \
	--header "$T/../${T##*/}/d.img" --passphrase-file "$PASS" "${FAST_KDF[@]}"
check "a drive with an old header on it" new_drive "$T/was.img" 32M
check "... gets a detached one" sealdrive format "$T/was.img" --force --header "$T/was.hdr" \
	--passphrase-file "$PASS" "${FAST_KDF[@]}"
check_status 1 "... and the old one is gone" cryptsetup isLuks "$T/was.img"

# ---- what was there before ----
gpt() { # IMAGE: an empty GUID partition table, at both ends
	truncate -s 40M "$1" && "$PYTHON" - "$1" <<'PY'
import struct, sys, zlib
last = (40 << 11) - 1
entries = bytes(128 * 128)
def header(here, other, table):
    fields = struct.pack("<8sIIIIQQQQ16sQIII", b"EFI PART", 0x10000, 92, 0, 0, here, other, 34,
                         last - 33, b"\x42" * 16, table, 128, 128, zlib.crc32(entries))
    return fields[:16] + struct.pack("<I", zlib.crc32(fields)) + fields[20:]
with open(sys.argv[1], "r+b") as f:
    f.seek(446)
    f.write(struct.pack("<B3sB3sII", 0, b"", 0xee, b"", 1, last) + bytes(48) + b"\x55\xaa")
    f.write(header(1, last, 2))
    f.seek(last * 512)
    f.write(header(last, 1, last - 32))
PY
}
check "a drive with a partition table" gpt "$T/gpt.img"
check "... which libblkid finds" test "$(blkid -p -o value -s PTTYPE "$T/gpt.img")" = gpt
check "... format" sealdrive format "$T/gpt.img" --force --passphrase-file "$PASS" "${FAST_KDF[@]}"
is "$(blkid -p -o value -s TYPE -s PTTYPE "$T/gpt.img")" crypto_LUKS "... only LUKS is left"
is "$(tail -c 1048576 "$T/gpt.img" | grep -c 'EFI PART')" 0 "... also at the end"
printf 'A letter of one line.\n' >"$T/letter.txt"
truncate -s 20M "$T/letter.txt"
before=$(unchanged_sum "$T/letter.txt")
check_status 1 "a file that holds something unknown: refused" setsid -w sealdrive format "$T/letter.txt" \
	--passphrase-file "$PASS" "${FAST_KDF[@]}"
said 'already holds.*unknown' "... it says so"
is "$(unchanged_sum "$T/letter.txt")" "$before" "... and is unchanged"
for size in 10M 64M; do
	check_status 2 "another size for a file that has one" sealdrive format "$T/letter.txt" --size $size --force \
		--passphrase-file "$PASS" "${FAST_KDF[@]}"
done
is "$(unchanged_sum "$T/letter.txt")" "$before" "... it is unchanged"

# ---- questions ----
ask=(sealdrive format "$T/gpt.img" --passphrase-file "$PASS" "${FAST_KDF[@]}")
before=$(unchanged_sum "$T/gpt.img")
for answer in no '' n 'yes please' Y3S $'\x04'; do
	user "wait:Type 'yes'" "type:$answer" -- "${ask[@]}"
	said '^exit 1' "answer '${answer/$'\x04'/end of input}': not formatted"
done
said 'crypto_LUKS' "it names what will be lost"
said '40 MiB' "... and its size"
user "wait:Type 'yes'" 'keys:\x03' -- "${ask[@]}"
said 'killed by SIGINT' "Ctrl-C at the question"
is "$(unchanged_sum "$T/gpt.img")" "$before" "not one byte has changed"
uuid=$(cryptsetup luksUUID "$T/gpt.img")
user "wait:Type 'yes'" 'type:YES' 'wait:ready' -- "${ask[@]}"
said '^exit 0' "answer 'YES': formatted"
check "... anew" test "$(cryptsetup luksUUID "$T/gpt.img")" != "$uuid"
user --stdin /dev/null -- "${ask[@]}"
said '^exit 1' "standard input that is no terminal: a script is not asked, but refused"

# ---- ended before its end ----
for signal in TERM HUP KILL; do
	rm -f "$T/s.img"
	sealdrive format "$T/s.img" --size 64M --passphrase-file "$PASS" --iter-time 3000 &
	pid=$!
	for ((i = 0; i < 100; i++)); do
		[ -e "$T/s.img" ] && break
		sleep 0.05
	done
	check "a container is being made (SIG$signal)" test -e "$T/s.img"
	kill -$signal $pid
	wait $pid 2>/dev/null
	if [ $signal = KILL ]; then
		check_status 1 "... killed: what is left is no drive" cryptsetup isLuks "$T/s.img"
	else
		check_status 1 "... nothing is left" test -e "$T/s.img"
	fi
done
rm -f "$T/s.img"
user 'wait:Formatting' 'keys:\x03' -- sealdrive format "$T/s.img" --size 64M --passphrase-file "$PASS" --iter-time 3000
said 'killed by SIGINT' "Ctrl-C while it works"
check_status 1 "... nothing is left" test -e "$T/s.img"
check "a drive" new_drive "$T/half.img" 64M
check_status 1 "formatting it anew fails half-way" bash -c 'ulimit -f 20480 && sealdrive format "$1" --force \
	--passphrase-file "$2" --pbkdf pbkdf2 --iterations 1000' - "$T/half.img" "$PASS"
check_status 1 "... neither the old header nor a new one is left" cryptsetup --disable-locks luksDump "$T/half.img"
is "$(LC_ALL=C grep -c -a -F -e $'LUKS\xba\xbe' -e $'SKUL\xba\xbe' "$T/half.img")" 0 "... at no place"
if is_root; then
	mkdir "$T/small"
	mount -t tmpfs -o size=16400k none "$T/small"
	check_status 1 "no room for the file system" new_drive "$T/small/a.img" 1G
	said 'a.img.*no space left' "... it says where"
	is "$(ls "$T/small")" "" "... nothing is left"
	truncate -s 1G "$T/small/a.img"
	check_status 1 "... in a file that was there" new_drive "$T/small/a.img" 1G
	check_status 1 "... which is no drive then" cryptsetup isLuks "$T/small/a.img"
	: >"$T/small/b.img"
	rm "$T/small/a.img"
	check_status 1 "... in a file that was empty" new_drive "$T/small/b.img" 1G
	is "$(stat -c %s "$T/small/b.img")" 0 "... and is empty again"
	umount "$T/small"
else
	skip "no room" "needs root to make a small file system"
fi

# ---- in use, not writable ----
if have_loop; then
	loop=$(losetup -f --show "$T/odd.img")
	if [ -n "$loop" ]; then
		before=$(b2sum <"$T/odd.img")
		check_status 6 "a file behind a loop device" sealdrive format "$T/odd.img" --force --passphrase-file "$PASS" "${FAST_KDF[@]}"
		is "$(b2sum <"$T/odd.img")" "$before" "... unchanged"
		check_status 2 "--size for a drive" sealdrive format "$loop" --size 20M --force --passphrase-file "$PASS" "${FAST_KDF[@]}"
		user "wait:Type 'yes'" 'type:no' -- sealdrive format "$loop" --passphrase-file "$PASS"
		said '^exit 1' "a drive: asked"
		check "a drive: formatted" sealdrive format "$loop" --force --passphrase-file "$PASS" "${FAST_KDF[@]}"
		losetup -d "$loop"
		check "... perfect" judge "$T/odd.img"
		truncate -s 20M "$T/fs.img"
		mke2fs -q "$T/fs.img" && loop_mount "$T/fs.img" "$T/mnt"
		loop=$(findmnt -n -o SOURCE "$T/mnt")
		check_status 6 "a mounted drive" sealdrive format "$loop" --force --passphrase-file "$PASS" "${FAST_KDF[@]}"
		umount "$T/mnt"
		loop=$(losetup -r -f --show "$T/odd.img")
		check_status 1 "a write-protected drive" sealdrive format "$loop" --force --passphrase-file "$PASS" "${FAST_KDF[@]}"
		said 'cannot be written' "... it says so"
		losetup -d "$loop"
	else
		skip "drives" "no loop device is free"
	fi
else
	skip "drives" "$NO_LOOP"
fi
user_ready
if is_root; then
	install -m 444 "$T/odd.img" "$T/user/ro.img"
	check_status 1 "a file without write permission" as_user sealdrive format ro.img --force --passphrase-file pass "${FAST_KDF[@]}"
	said 'ro.img: .*cannot be written' "... it says so"
	check_status 1 "a folder without write permission" as_user sealdrive format /usr/a.img --size 20M --passphrase-file pass "${FAST_KDF[@]}"
fi
check_status 1 "an absurd size" new_drive "$T/over.img" 15E
said 'over.img: ' "... it says where"
check_status 1 "... and leaves nothing" test -e "$T/over.img"
free=$(($(stat -f -c '%a * %S' "$T")))
if truncate -s $((free * 2)) "$T/probe" 2>/dev/null; then
	check "a container larger than the space for it" new_drive "$T/wide.img" $((free * 2))
	said 'warning: .*wide.img: only .* free' "... is warned of"
	rm -f "$T/probe" "$T/wide.img"
else
	skip "a container larger than the space for it" "the file system has no files of that size"
fi
check_status 1 "a container that is too small" new_drive "$T/small.img" 1M
said 'at least 17 MiB are needed' "... is told what is needed"
check_status 1 "in a folder that is not there" new_drive "$T/absent/a.img" 20M
check_status 8 "a cipher of older drives" new_drive "$T/old.img" 20M --cipher aes-cbc-essiv:sha256
said "'aes-cbc-essiv:sha256' is not for new drives" "... is not taken"
check_status 1 "... and nothing is made" test -e "$T/old.img"
check_status 1 "without --size nothing is made" sealdrive format "$T/absent.img" --passphrase-file "$PASS"
said '--size' "... it says how to"
check_status 1 "output that cannot be written" bash -c 'sealdrive --help >/dev/full'
done_testing
