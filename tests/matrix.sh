#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Volumes of every kind that mke2fs can make, as tests/matrix.rows lists them: filled by others,
# encrypted by others, read and changed by us, judged by e2fsck, read back by the kernel.
#
#	tests/matrix.sh [NAME...]	only these rows
. "$(dirname "$0")/lib.sh"
need_root "mounts volumes with the kernel's ext4, and makes devices"
need_fuse
have_loop || skip_all "$NO_LOOP"
need_command cryptsetup mke2fs e2fsck dumpe2fs debugfs

ROWS=$top_srcdir/tests/matrix.rows
tree() { # fill|change|digest DIR [-x]
	"$PYTHON" "$top_srcdir/tests/matrix.py" "$@"
}

mkdir "$T/ref" "$T/ref2" "$T/ours" "$T/kernel"
must "a reference tree" tree fill "$T/ref"
tree digest "$T/ref" >"$T/filled"
cp -a "$T/ref/." "$T/ref2/"
must "and how it looks after all changes" tree change "$T/ref2"
tree digest "$T/ref2" >"$T/changed"
truncate -s 42M "$T/header.img"
must "one header for all" cryptsetup luksFormat -q --disable-locks --type luks2 --key-file "$PASS" \
	--pbkdf pbkdf2 --pbkdf-force-iterations 1000 --luks2-metadata-size 16k \
	--luks2-keyslots-size 256k --sector-size 1024 "$T/header.img"

digest_is() { # FILE DIR
	tree digest "$2" >"$T/digest" || return 1
	diff "$1" "$T/digest"
}

# $PLAIN of SIZE, by mke2fs and debugfs. A journal device or 64 KiB blocks need no tree inside.
make_plain() { # SIZE FILLED-BY REQUESTS MKE2FS-OPTIONS...
	local size=$1 by=$2 requests=$3 request tree=() type=(-t ext4)
	shift 3
	[[ " $* " = *" -t "* ]] && type=()
	[[ $by = mke2fs && "$*" != *journal_dev* ]] && tree=(-d "$T/ref")
	rm -f "$PLAIN"
	truncate -s "$size" "$PLAIN" && mke2fs -q -F "${type[@]}" "${tree[@]}" "$@" "$PLAIN" || return 1
	while IFS= read -r request; do
		request=${request#"${request%%[! ]*}"}
		[ -z "$request" ] || debugfs -w -R "$request" "$PLAIN" 2>&1 || return 1
	done <<<"${requests//;/$'\n'}"
	[ "$by" = kernel ] || return 0
	loop_mount "$PLAIN" "$T/kernel" || return 1
	tree fill "$T/kernel" && digest_is "$T/filled" "$T/kernel" &&
		tree digest "$T/kernel" -x >"$T/attributes"
	umount "$T/kernel"
}

encrypt_plain() {
	cp --sparse=always "$T/header.img" "$IMAGE" &&
		"$PYTHON" "$JUDGE/luks-plain.py" encrypt "$IMAGE" "$PASS" "$PLAIN"
}

# The plain volume as it is in the container, without what lies behind it.
decrypt_plain() {
	local bytes
	bytes=$(stat -c %s "$PLAIN") && plain_of "$IMAGE" "$PLAIN" && truncate -s "$bytes" "$PLAIN"
}

mount_ours() { # [OPTIONS]
	drive_mount "$IMAGE" "$T/ours" --owner disk "$@"
}

# What a volume must look like that we have changed, to others.
judge_row() { # NAME FILLED-BY
	check "$1: decrypted by others" decrypt_plain || return
	check "$1: e2fsck finds nothing" judge_plain "$PLAIN"
	[ "$2" = kernel ] || return
	check "$1: the kernel mounts it" loop_mount "$PLAIN" "$T/kernel" || return
	check "$1: the kernel reads what we wrote" digest_is "$T/changed" "$T/kernel"
	tree digest "$T/kernel" -x | grep '^[^ ]* \[' >"$T/attributes2"
	check "$1: extended attributes stay" \
		diff <(grep '^[^ ]* \[' "$T/attributes") "$T/attributes2"
	if [ -n "${SEALDRIVE_LONG:-}" ]; then
		check "$1: the kernel removes everything" find "$T/kernel" -mindepth 1 -delete
	fi
	umount "$T/kernel"
	if [ -n "${SEALDRIVE_LONG:-}" ]; then
		check "$1: e2fsck finds nothing after that" e2fsck -fn "$PLAIN"
	fi
}

row_rw() { # NAME FILLED-BY
	check "$1: mount" mount_ours || return
	check "$1: every name and byte" digest_is "$T/filled" "$T/ours"
	check "$1: changes" tree change "$T/ours"
	check "$1: unmount" drive_unmount "$T/ours"
	check "$1: mount again" mount_ours --read-only || return
	check "$1: our own changes" digest_is "$T/changed" "$T/ours"
	check "$1: unmount again" drive_unmount "$T/ours"
	judge_row "$1" "$2"
}

row_ro() { # NAME PATTERN
	local sum
	sum=$(unchanged_sum "$IMAGE")
	check "$1: mount" mount_ours || return
	said "read-only.*$2" "$1: read-only, and why"
	check "$1: every name and byte" digest_is "$T/filled" "$T/ours"
	check_status 1 "$1: no change" touch "$T/ours/new"
	check "$1: status" sealdrive status --json
	said "read_only_reason.*$2" "$1: status says why, too"
	check "$1: unmount" drive_unmount "$T/ours"
	is "$(unchanged_sum "$IMAGE")" "$sum" "$1: not one byte has changed"
}

row_refused() { # NAME STATUS PATTERN
	refused "$2" "$IMAGE" "$3" "$1: refused" mount_ours
}

one_row() { # NAME SIZE FILLED-BY EXPECTED REQUESTS MKE2FS-OPTIONS...
	local name=$1 size=$2 by=$3 expected=$4 requests=$5
	PLAIN=$T/plain
	IMAGE=$T/$name.img
	shift 5
	check "$name: made by mke2fs $*" make_plain "$size" "$by" "$requests" "$@" || return
	check "$name: encrypted" encrypt_plain || return
	case $expected in
	rw) row_rw "$name" "$by" ;;
	ro:*) row_ro "$name" "${expected#ro:}" ;;
	no:*) IFS=: read -r _ status pattern <<<"$expected"
		row_refused "$name" "$status" "$pattern" ;;
	*) not_ok "$name: nothing is called '$expected'" ;;
	esac
	rm -f "$IMAGE" "$PLAIN"
}

while read -r name when size by expected rest; do
	[[ $name = \#* || -z $name ]] && continue
	if [ $# -gt 0 ]; then
		[[ " $* " = *" $name "* ]] || continue
	elif [ "$when" != quick ] && [ -z "${SEALDRIVE_LONG:-}" ]; then
		continue
	fi
	requests=''
	[[ $rest = *"|"* ]] && requests=${rest#*|}
	read -ra options <<<"${rest%%|*}"
	one_row "$name" "$size" "$by" "$expected" "$requests" "${options[@]}"
done <"$ROWS"
done_testing
