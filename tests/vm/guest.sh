# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# What scripts in the guest have in common: they end at the first command that fails, and open drives
# with cryptsetup, dm-crypt and the kernel's ext4.
. "$top_srcdir/tests/lib.sh"
set -eE
trap 'echo "in the guest: status $?: $BASH_COMMAND"' ERR

kernel_mount() { # DEVICE DIR
	mkdir -p "$2" && cryptsetup open --key-file "$PASS" "$1" judged && mount -t ext4 /dev/mapper/judged "$2"
}

kernel_unmount() { # DIR
	umount "$1" && cryptsetup close judged
}

kernel_format() { # DEVICE MKE2FS-OPTIONS...
	local device=$1
	shift
	cryptsetup luksFormat -q --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --key-file "$PASS" \
		"$device" && cryptsetup open --key-file "$PASS" "$device" judged &&
		mke2fs -q -t ext4 "$@" /dev/mapper/judged && cryptsetup close judged
}

shown() { # DIR NAME: what it shows, as files in $OUT
	tree_list "$1" >"$OUT/$2.list" && tree_sums "$1" >"$OUT/$2.sums"
}

# Files with promises written down in $OUT/log, until the power goes.
write_until_cut() { # DIR SEED SECONDS
	local w
	for w in 1 2; do
		"$PYTHON" "$top_srcdir/tests/kill.py" write "$1" "$OUT/log.$w" $(($2 * 2 + w)) &
	done
	sleep "$3"
	echo @@POWERCUT@@
	sleep 60
	echo "the power did not go"
	exit 1
}
