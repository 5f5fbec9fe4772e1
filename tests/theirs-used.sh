#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Drives made by cryptsetup and mke2fs and filled by the kernel, used by us.
. "$(dirname "$0")/lib.sh"
need_fuse
need_command cryptsetup mke2fs e2fsck dumpe2fs

owner=()
is_root && owner=(--owner disk)
check "a reference tree is filled" fill_tree "$T/ref"

# Plain image FILE of SIZE with the reference tree inside, laid down by the kernel where that is
# possible, else by mke2fs -d; and what it shows, in $T/shown.*.
make_plain() { # FILE SIZE MKE2FS-OPTIONS...
	local file=$1 size=$2 tree=$T/ref
	shift 2
	rm -f "$file"
	truncate -s "$size" "$file" || return 1
	if have_loop; then
		mke2fs -q -t ext4 "$@" "$file" && loop_mount "$file" "$T/kernel" &&
			cp -a "$T/ref/." "$T/kernel/" && umount "$T/kernel" &&
			loop_mount "$file" "$T/kernel" ro || return 1
		tree=$T/kernel
	else
		mke2fs -q -t ext4 -d "$T/ref" "$@" "$file" || return 1
	fi
	tree_list "$tree" >"$T/shown.list"
	tree_sums "$tree" >"$T/shown.sums"
	tree_holes "$tree" >"$T/shown.holes"
	[ "$tree" = "$T/ref" ] || umount "$tree"
	cmp <(tree_sums "$T/ref") "$T/shown.sums"
}

# cryptsetup's own command lays the header, the judge's cipher the data.
one_drive() { # NAME "luksFormat OPTIONS" "mke2fs OPTIONS" [detached]
	local name=$1 luks=() ext4=() image=$T/$1.img header=() hdr=() dir=$T/mnt
	read -ra luks <<<"$2"
	read -ra ext4 <<<"$3"
	check "$name: a file system by mke2fs ${ext4[*]}" make_plain "$T/plain" 96M "${ext4[@]}" || return
	truncate -s 128M "$image"
	if [ "${4:-}" = detached ]; then
		header=(--header "$T/$name.hdr")
		hdr=(--header "$T/$name.hdr")
		truncate -s 96M "$image"
		truncate -s 16M "$T/$name.hdr"
	fi
	check "$name: luksFormat ${luks[*]}" cryptsetup luksFormat -q --disable-locks --type luks2 \
		--key-file "$PASS" "${luks[@]}" "${hdr[@]}" "$image" || return
	check "$name: encrypted by others" "$PYTHON" "$JUDGE/luks-plain.py" "${hdr[@]}" encrypt \
		"$image" "$PASS" "$T/plain" || return
	check "$name: mount" drive_mount "$image" "$dir" "${owner[@]}" "${header[@]}" || return
	check "$name: every name, owner, mode, time, link" diff "$T/shown.list" <(tree_list "$dir")
	check "$name: every byte" cmp "$T/shown.sums" <(tree_sums "$dir")
	check "$name: every hole" diff "$T/shown.holes" <(tree_holes "$dir")
	check "$name: a copy inside it" cp -a "$dir/folder" "$dir/copy"
	check "$name: a file changes in the middle" bash -c \
		'printf changed | dd of="$1" bs=1 seek=70000 conv=notrunc status=none' - "$dir/size-1048579"
	check "$name: a file grows" bash -c 'echo more >>"$1"' - "$dir/sparse"
	check "$name: a folder goes away" rm -rf "$dir/folder"
	check "$name: a folder moves" mv "$dir/deep/level-1" "$dir/moved"
	check "$name: unmount" drive_unmount "$dir"
	# what is on the drive, which may keep times less exactly than the running mount
	check "$name: mount again" drive_mount "$image" "$dir" "${owner[@]}" "${header[@]}" --read-only
	tree_list "$dir" >"$T/list"
	tree_sums "$dir" >"$T/sums"
	check "$name: unmount again" drive_unmount "$dir"
	check "$name: decrypted by others" plain_of "$image" "$T/plain" "${hdr[@]}"
	check "$name: e2fsck finds nothing" judge_plain "$T/plain"
	if have_loop; then
		check "$name: the kernel mounts it" loop_mount "$T/plain" "$T/kernel" || return
		tree_list "$T/kernel" >"$T/list2"
		tree_sums "$T/kernel" >"$T/sums2"
		umount "$T/kernel"
		check "$name: the kernel reads the names that we wrote" diff "$T/list" "$T/list2"
		check "$name: the kernel reads the bytes that we wrote" diff "$T/sums" "$T/sums2"
	else
		skip "$name: the kernel reads what we wrote" "$NO_LOOP"
	fi
	rm -f "$image"
}

pbkdf2="--pbkdf pbkdf2 --pbkdf-force-iterations 1000"
argon2="--pbkdf-memory 65536 --pbkdf-force-iterations 4 --pbkdf-parallel 2"
one_drive pbkdf2 "$pbkdf2 --key-size 512 --sector-size 4096" "-b 4096"
one_drive pbkdf2-sha512 "$pbkdf2 --hash sha512 --key-size 256 --sector-size 512" "-b 1024"
one_drive argon2id "--pbkdf argon2id $argon2 --key-size 512 --sector-size 512" "-b 2048"
one_drive argon2i "--pbkdf argon2i $argon2 --key-size 256 --sector-size 4096" "-b 4096 -O ^metadata_csum"
one_drive metadata-64k "$pbkdf2 --luks2-metadata-size 64k --luks2-keyslots-size 512k" "-b 4096 -O ^64bit,^flex_bg"
one_drive metadata-4m "$pbkdf2 --luks2-metadata-size 4m --luks2-keyslots-size 4m" "-b 4096 -O ^dir_index -I 128"
one_drive detached "$pbkdf2" "-b 4096 -O orphan_file" detached
one_drive essiv "$pbkdf2 --cipher aes-cbc-essiv:sha256 --key-size 256" "-O ^orphan_file,^has_journal"
one_drive whirlpool "$pbkdf2 --hash whirlpool --cipher aes-xts-plain" "-b 4096 -O large_dir"
one_drive inline "$pbkdf2 --hash sha384" "-b 4096 -O inline_data"
done_testing
