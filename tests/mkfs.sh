#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# mkfs without encryption, judged by e2fsprogs and the kernel. The old content is random bytes, as
# under a fresh volume key: nothing may rely on zeroes.
. "$(dirname "$0")/lib.sh"
need_command mke2fs e2fsck dumpe2fs debugfs

mkfstool=$top_builddir/mkfstool

# All that dumpe2fs says of a volume but what is random or a time.
layout() { # IMAGE
	dumpe2fs "$1" 2>/dev/null | grep -vE 'UUID|created|write time|Last checked|Hash Seed|[Cc]hecksum:|csum 0x|Lifetime'
}

like_mke2fs() { # SIZE SECTOR
	local options=(-t ext4 -L Đĩa)
	[ "$2" = 4096 ] && options+=(-b 4096)
	rm -f "$T/ours" "$T/theirs"
	truncate -s "$1" "$T/ours" "$T/theirs"
	check "$1, sectors of $2: made" "$mkfstool" "$T/ours" "$2" Đĩa
	check "... e2fsck finds nothing" e2fsck -fn "$T/ours"
	mke2fs -q -F "${options[@]}" "$T/theirs" >/dev/null 2>&1
	diff <(layout "$T/ours") <(layout "$T/theirs") >"$T/diff"
	is "$(head -n 20 "$T/diff")" "" "... every block lies where mke2fs puts it"
	is "$(layout "$T/ours" | grep -c '^Group ')" "$(layout "$T/theirs" | grep -c '^Group ')" \
		"... the same groups"
}

# mke2fs of another version, or configured otherwise, has other defaults.
if mke2fs -V 2>&1 | grep -q '^mke2fs 1\.47\.0 ' &&
	sha256sum /etc/mke2fs.conf | grep -q '^e4fc6a645c530a04'; then
	for size in 1M 1536K 2M 3M 8M 17M 100000K 511M 512M 513M 5G 100G; do
		like_mke2fs $size 512
		like_mke2fs $size 4096
	done
	rm -f "$T/ours" "$T/theirs"
else
	skip "compared with mke2fs" "needs mke2fs 1.47.0 and its mke2fs.conf of Debian 12"
fi

kernel_uses() { # IMAGE: mounts, writes, checks
	loop_mount "$1" "$T/mnt" || return 1
	cp -r "$top_srcdir/tests" "$T/mnt/" && diff -r "$top_srcdir/tests" "$T/mnt/tests" &&
		[ "$(stat -c '%u:%g %a' "$T/mnt")" = "1234:70000 755" ]
	local r=$?
	umount "$T/mnt" && e2fsck -fn "$1" && return $r
}

for size in 1M 20M 600M; do
	for sector in 512 4096; do
		rm -f "$T/random"
		head -c $size /dev/urandom >"$T/random"
		check "$size of random bytes, sectors of $sector: made" "$mkfstool" "$T/random" $sector Nhãn 1234 70000
		check "... e2fsck finds nothing" e2fsck -fn "$T/random"
		is "$(debugfs -R 'ls -p /' "$T/random" 2>/dev/null | cut -d/ -f3-6 | grep -v '^$' | tr '\n' ' ')" \
			"040755/1234/70000/. 040755/1234/70000/.. 040700/0/0/lost+found " "... root and lost+found"
		if [ $size = 1M ]; then
			continue
		elif have_loop; then
			check "... the kernel uses it" kernel_uses "$T/random"
		else
			skip "... the kernel uses it" "$NO_LOOP"
		fi
	done
done

# The content of the journal and of inode tables in no use is random, and nobody minds.
check "the journal is recovered by e2fsck" bash -c \
	'debugfs -w -R "feature +needs_recovery" "$1" && e2fsck -fy "$1"; [ $? -le 1 ] && e2fsck -fn "$1"' - "$T/random"
rm -f "$T/random"

if truncate -s 15T "$T/huge" 2>/dev/null; then
	check "15 TiB" "$mkfstool" "$T/huge" 4096
	kib=$(du -k "$T/huge" | cut -f1)
	check "... writes less than 300 MiB ($kib KiB)" test "$kib" -lt 300000
	check "... e2fsck finds nothing" e2fsck -fn "$T/huge"
else
	skip "15 TiB" "files of 15 TiB are not possible in ${TMPDIR:-/tmp}"
fi
rm -f "$T/huge"

truncate -s 1023K "$T/small"
check_status 1 "below 1 MiB: refused" "$mkfstool" "$T/small" 512
truncate -s 10M "$T/label"
check_status 2 "a label of 17 bytes: refused" "$mkfstool" "$T/label" 512 12345678901234567
is "$(tr -d '\0' <"$T/label" | wc -c)" 0 "... nothing was written"
check "a label of 16 bytes" "$mkfstool" "$T/label" 512 1234567890123456
is "$(dumpe2fs -h "$T/label" 2>/dev/null | sed -n 's/^Filesystem volume name: *//p')" 1234567890123456 "... is there"
uuid() { dumpe2fs -h "$T/label" 2>/dev/null | grep -E 'UUID|Hash Seed'; }
before=$(uuid)
"$mkfstool" "$T/label" 512
is "$(grep -cxFf <(printf '%s\n' "$before") <(uuid))" 0 "UUID and hash seed are new each time"
check "... and the UUID is of version 4" grep -qE 'UUID: +.{14}4.{4}[89ab]' <(uuid)
done_testing
