#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# format on wrong targets, and wrong usage of every command: the contract's exit status, a message
# that names drive, cause and remedy, and not one byte of the target changed.
. "$(dirname "$0")/lib.sh"
need_fuse
need_command cryptsetup mke2fs debugfs

format_refused() { # STATUS TARGET PATTERN DESCRIPTION OPTIONS...
	local status=$1 target=$2 pattern=$3 what=$4
	shift 4
	refused "$status" "$target" "$pattern" "$what" \
		sealdrive format "$target" --passphrase-file "$PASS" "${FAST_KDF[@]}" "$@"
}

# ---- format ----
check "a good drive" new_drive "$T/good.img" 64M
truncate -s 20M "$T/ext4.img" "$T/luks1.img"
mke2fs -q -t ext4 "$T/ext4.img"
cryptsetup luksFormat -q --disable-locks --type luks1 --pbkdf-force-iterations 1000 --key-file "$PASS" "$T/luks1.img"
for kind in ext4 luks1 good; do
	format_refused 1 "$T/$kind.img" 'already holds|--force' "format over $kind without --force"
done
truncate -s 20M "$T/swap.img" && mkswap -q "$T/swap.img" 2>/dev/null
format_refused 1 "$T/swap.img" 'swap' "format over swap names it"
format_refused 1 "$T/ext4.img" 'ext4' "format over ext4 names it"
dd if=/dev/zero of="$T/tiny.img" bs=1M count=4 status=none
format_refused 1 "$T/tiny.img" 'too small' "a target that is too small" --force
format_refused 1 "$T/tiny-new.img" 'too small' "a size that is too small" --size 1M
if truncate -s 200T "$T/probe" 2>/dev/null; then
	skip "a size that no file can have" "such files are possible in ${TMPDIR:-/tmp}"
else
	format_refused 1 "$T/huge-new.img" 'too large' "a size that no file can have" --size 200T
fi
rm -f "$T/probe"
bad_option() { # PATTERN DESCRIPTION OPTIONS...
	local pattern=$1 what=$2
	shift 2
	refused 2 "" "$pattern" "$what" sealdrive format "$T/nan.img" --passphrase-file "$PASS" "$@"
}
bad_option 'size.*many' "a size that is no number" --size many
bad_option 'size.*99999' "a size that overflows" --size 99999999999T
bad_option 'size.*-5' "a negative size" --size=-5
bad_option 'sector' "a sector size that is no power of two" --size 64M --sector-size 1000
bad_option 'pbkdf' "an unknown key derivation" --size 64M --pbkdf md5
bad_option 'label' "a label that is too long" --size 64M --label "$(printf 'x%.0s' {1..60})"
bad_option 'label|UTF-8' "a label that is no UTF-8" --size 64M --label $'\xff\xfe'
format_refused 8 "$T/null.img" 'cipher' "null cipher" --size 64M --cipher cipher_null-ecb
format_refused 8 "$T/ecb.img" 'cipher' "ECB" --size 64M --cipher aes-ecb
format_refused 8 "$T/odd.img" 'cipher' "an unknown cipher" --size 64M --cipher rot13-xts-plain64
check "none of those was created" \
	bash -c 'cd "$1" && for f in nan null ecb odd tiny-new; do [ ! -e $f.img ] || exit 1; done' - "$T"
if is_root; then
	mkdir "$T/small" && mount -t tmpfs -o size=4m none "$T/small" &&
		format_refused 1 "$T/small/full.img" 'space' "no room for the header" --size 64M
	umount "$T/small"
fi
check "format --force over ext4" new_drive "$T/ext4.img" 20M --force
check "which is a drive now" judge "$T/ext4.img"

# ---- usage ----
usage() { # DESCRIPTION ARGUMENTS...
	local what=$1
	shift
	check_status 2 "usage: $what" sealdrive "$@"
}
usage "no command"
usage "no such command" frobnicate
usage "no such option" mount --frobnicate "$T/good.img"
usage "mount without a target" mount
usage "mount with too many operands" mount a b c
usage "unmount without a target" unmount
usage "format without a target" format
usage "info without a target" info
usage "an owner that is neither" mount "$T/good.img" --owner everybody
usage "an option without its value" mount "$T/good.img" --passphrase-file
for command in format mount unmount status info list; do
	check "$command --help" sealdrive $command --help
	said "sealdrive $command" "... on standard output"
done
check "--help" sealdrive --help
check "--version" sealdrive --version
done_testing
