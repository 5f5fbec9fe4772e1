#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Drives made and filled by us, judged by cryptsetup, e2fsck and the kernel's own ext4.
. "$(dirname "$0")/lib.sh"
need_fuse
need_command cryptsetup e2fsck dumpe2fs

cs() {
	cryptsetup --disable-locks "$@"
}

header_says() { # IMAGE PATTERN...
	local image=$1 p
	shift
	cs luksDump "$image" >"$T/dump" || return 1
	for p; do
		grep -qE "$p" "$T/dump" || { echo "luksDump does not say: $p"; cat "$T/dump"; return 1; }
	done
}

opens() { # IMAGE [PASSPHRASE FILE]
	cs open --test-passphrase --key-file "${2:-$PASS}" "$1"
}

owner=()
is_root && owner=(--owner disk)
check "a reference tree is filled" fill_tree "$T/ref"
if is_root; then
	chown 1234:5678 "$T/ref/size-511" "$T/ref/folder"
	chown -h 70000:70001 "$T/ref/link-fast"
fi
for dir in "$T/ref" "$T/ref/folder" "$T/ref/folder/sub"; do
	touch -d '2022-01-01 01:02:03.456' "$dir"
done

# What `cp -a` must bring over bit by bit; the root's own time is set by the copy as well.
one_drive() { # NAME OPTIONS OF format...
	local name=$1 image=$T/$1.img dir=$T/mnt-$1
	shift
	check "$name: format" new_drive "$image" 200M --label "Tài liệu" "$@" || return
	check "$name: cryptsetup finds LUKS2" cs isLuks --type luks2 "$image"
	check "$name: header as expected" header_says "$image" 'Version:\s+2' 'offset: 16777216 \[bytes\]' 'cipher: aes-xts-plain64'
	check "$name: cryptsetup opens it with the passphrase" opens "$image"
	printf 'wrong' >"$T/wrong"
	check_status 2 "$name: and not with another" opens "$image" "$T/wrong"
	check "$name: the empty drive is perfect" judge "$image"
	check "$name: mount" drive_mount "$image" "$dir" "${owner[@]}" || return
	check "$name: a tree is copied in" cp -a "$T/ref/." "$dir/"
	check "$name: while mounted it looks the same" same_output tree_list "$T/ref" "$dir"
	check "$name: unmount" drive_unmount "$dir"
	check "$name: decrypted by others" plain_of "$image" "$T/plain"
	check "$name: e2fsck finds nothing" judge_plain "$T/plain"
	if have_loop; then
		check "$name: the kernel mounts it" loop_mount "$T/plain" "$T/kernel" || return
		check "$name: the kernel shows the same names, owners, modes, times, links" \
			same_output tree_list "$T/ref" "$T/kernel"
		check "$name: the kernel shows the same bytes" same_output tree_sums "$T/ref" "$T/kernel"
		check "$name: the kernel shows the same holes" same_output tree_holes "$T/ref" "$T/kernel"
		is "$(stat -c %y "$T/kernel")" "$(stat -c %y "$T/ref")" "$name: time of the root folder"
		umount "$T/kernel"
		check "$name: after the kernel's visit e2fsck finds nothing" judge_plain "$T/plain"
	else
		skip "$name: the kernel shows the same" "$NO_LOOP"
	fi
	rm -f "$T/plain"
	check "$name: mount again" drive_mount "$image" "$dir" "${owner[@]}" || return
	check "$name: we show the same names" same_output tree_list "$T/ref" "$dir"
	check "$name: we show the same bytes" same_output tree_sums "$T/ref" "$dir"
	check "$name: we show the same holes" same_output tree_holes "$T/ref" "$dir"
	check "$name: everything deleted" bash -c 'rm -rf "$1"/* && [ "$(ls "$1")" = lost+found -o -z "$(ls "$1")" ]' - "$dir"
	check "$name: unmount again" drive_unmount "$dir"
	check "$name: the emptied drive is perfect" judge "$image"
}

one_drive usual
check "usual: sectors of 4096 bytes, 512-bit key, label" \
	header_says "$T/usual.img" 'sector: 4096 \[bytes\]' 'Key:\s+512 bits' 'Label:\s+Tài liệu'
rm -f "$T/usual.img"
one_drive sector-512 --sector-size 512
check "sector-512: luksDump says so" header_says "$T/sector-512.img" 'sector: 512 \[bytes\]'
rm -f "$T/sector-512.img"
one_drive key-256 --key-size 256
check "key-256: luksDump says so" header_says "$T/key-256.img" 'Key:\s+256 bits'
rm -f "$T/key-256.img"

# The default key derivation, which takes its time.
check "default: format" sealdrive format "$T/default.img" --size 64M --passphrase-file "$PASS"
check "default: argon2id" header_says "$T/default.img" 'PBKDF:\s+argon2id'
check "default: cryptsetup opens it" opens "$T/default.img"
memory=$(awk '/Memory:/ { print $2 }' "$T/dump")
check "default: opens on a machine of 4 GiB (memory cost ${memory:-?} KiB)" \
	test "${memory:-0}" -ge 65536 -a "${memory:-0}" -le 1048576
check "default: mount" drive_mount "$T/default.img" "$T/mnt-default"
check "default: unmount" drive_unmount "$T/mnt-default"

check "detached: format" new_drive "$T/detached.img" 64M --header "$T/detached.hdr"
check "detached: mount" drive_mount "$T/detached.img" "$T/mnt-detached" --header "$T/detached.hdr"
check "detached: write" cp "$T/ref/size-1048579" "$T/mnt-detached/"
check "detached: unmount" drive_unmount "$T/mnt-detached"
check "detached: cryptsetup opens it" opens "$T/detached.hdr"
check "detached: perfect" judge "$T/detached.img" --header "$T/detached.hdr"
is "$(cs isLuks "$T/detached.img" 2>/dev/null; echo $?)" 1 "detached: the data carry no header"
done_testing
