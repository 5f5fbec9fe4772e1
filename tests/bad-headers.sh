#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# LUKS2 headers with one fault each and right checksums: refused with the contract's status, no
# byte changed, and the same judgement as cryptsetup's. Then damaged copies and their repair.
. "$(dirname "$0")/lib.sh"
need_fuse
need_command cryptsetup

edit() {
	"$PYTHON" "$JUDGE/luks-edit.py" "$@"
}

cs_opens() { # IMAGE
	timeout -s KILL 5 cryptsetup --disable-locks open --test-passphrase --key-file "$PASS" "$1" >"$T/cs" 2>&1
}

mkdir "$T/mnt"
check "a good drive" new_drive "$T/good.img" 20M
edit list >"$T/faults" || exit 99
check "a table of faults" test "$(wc -l <"$T/faults")" -gt 150
bad=$T/bad.img info_bad=0
while IFS=$'\t' read -r deserves name <&8; do
	if ! edit make "$name" "$T/good.img" "$bad" >"$T/out"; then
		not_ok "$name: cannot be made"
		diag <"$T/out"
		continue
	fi
	before=$(unchanged_sum "$bad")
	theirs=unasked
	if [ -z "${SEALDRIVE_SANITIZED:-}" ]; then # which is about us only
		cs_opens "$bad" && theirs=opens || theirs=refuses # it hangs on some
	fi
	timeout 20 sealdrive info "$bad" >"$T/out" 2>&1
	[ $? -lt 10 ] || { not_ok "info dies on: $name"; info_bad=$((info_bad + 1)); }
	grep -qP '[\x00-\x08\x0b-\x1f\x7f]' "$T/out" && { not_ok "info prints raw bytes: $name"; info_bad=$((info_bad + 1)); }
	timeout 20 sealdrive mount "$bad" "$T/mnt" --accept-header-change --passphrase-file "$PASS" >"$T/out" 2>&1
	status=$?
	if is_mounted "$T/mnt"; then
		drive_unmount "$T/mnt" || exit 99
	fi
	wrong=
	case $deserves:$status in
	fine:0) ;;
	refused:4 | refused:8 | strict:4 | feature:8 | any:[0348]) ;;
	*) wrong="deserves '$deserves', got exit status $status" ;;
	esac
	if [ $deserves = refused ] && [ $theirs = opens ]; then
		wrong="$wrong; cryptsetup opens it"
	elif [ $deserves = fine ] && [ $theirs = refuses ]; then
		wrong="$wrong; cryptsetup refuses it"
	fi
	if [ $status != 0 ]; then
		[ "$(unchanged_sum "$bad")" = "$before" ] || wrong="$wrong; DRIVE CHANGED"
		grep -q 'bad.img' "$T/out" || wrong="$wrong; the message does not name the drive"
	fi
	if [ -z "$wrong" ]; then
		ok "$name: $deserves"
	else
		not_ok "$name: $deserves"
		diag "${wrong#; }"
		diag <"$T/out"
		diag <"$T/cs"
	fi
done 8<"$T/faults"
is $info_bad 0 "info neither dies nor prints control characters on any of them"

# ---- and every one of them is noticed without a look at what it says ----
# (accepting a change is what lets the faults above be judged at all)
edit make "segment of fixed size" "$T/good.img" "$bad" >/dev/null || exit 99
refused 4 "$bad" 'data segment 0 was changed' "a harmless change by somebody without a key" \
	sealdrive mount "$bad" "$T/mnt" --passphrase-file "$PASS"

# ---- damaged copies ----
hdr=16384
smash() { # OFFSET
	printf 'garbage!' | dd of="$bad" bs=1 seek="$1" conv=notrunc status=none
}
fresh() {
	cp --sparse=always "$T/good.img" "$bad"
}
# Whether a copy is good is for cryptsetup to say, which gets this copy alone.
good_alone() { # OFFSET OF THE OTHER COPY
	cp --sparse=always "$bad" "$T/alone.img" &&
		dd if=/dev/zero of="$T/alone.img" bs=4096 seek=$(($1 / 4096)) count=4 conv=notrunc status=none &&
		cs_opens "$T/alone.img"
}
for at in 0 80 5000 $hdr $((hdr + 80)) $((hdr + 5000)); do
	fresh
	smash "$at"
	before=$(unchanged_sum "$bad")
	check "copy damaged at $at: opens read-only" drive_mount "$bad" "$T/mnt" --read-only
	check "unmount" drive_unmount "$T/mnt"
	is "$(unchanged_sum "$bad")" "$before" "a read-only mount repairs nothing"
	check "copy damaged at $at: opens read-write" drive_mount "$bad" "$T/mnt"
	check "unmount" drive_unmount "$T/mnt"
	check "the first copy is good" good_alone $hdr
	check "the second copy is good" good_alone 0
done
fresh
smash 5000
smash $((hdr + 5000))
before=$(unchanged_sum "$bad")
check_status 4 "both copies damaged: refused" drive_mount "$bad" "$T/mnt"
said 'damaged' "... and it says so"
is "$(unchanged_sum "$bad")" "$before" "... not one byte changed"
fresh
dd if=/dev/zero of="$bad" bs=1M count=1 conv=notrunc status=none
check_status 4 "header and keyslots zeroed: refused" drive_mount "$bad" "$T/mnt"
done_testing
