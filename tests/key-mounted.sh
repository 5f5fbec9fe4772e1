#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Keys of drives that are in use, and several programs that change one header at once.
. "$(dirname "$0")/lib.sh"
need_fuse
need_command cryptsetup

IMG=$T/a.img
CHEAP=(--pbkdf pbkdf2 --pbkdf-force-iterations 1000)
phrase() { # NAME
	(umask 077 && printf 'the %s phrase 77' "$1" >"$T/$1")
}
for name in one two three four five; do
	phrase $name
done
# cryptsetup changes the header in between, which is what this is about.
add() { # TARGET OLD NEW [OPTIONS]
	sealdrive key add "$1" --accept-header-change --passphrase-file "$2" --new-passphrase-file "$T/$3" "${FAST_KDF[@]}" "${@:4}"
}
change() { # TARGET OLD NEW [OPTIONS]
	sealdrive key change "$1" --accept-header-change --passphrase-file "$2" --new-passphrase-file "$T/$3" "${FAST_KDF[@]}" "${@:4}"
}
opens() { # TARGET FILE-OF-PASSPHRASE
	sealdrive key test "$1" --accept-header-change --passphrase-file "$2"
}
loop_of() { # FILE
	losetup -f --show "$1"
}

# ---- while a container is mounted ----
must "a drive" new_drive "$IMG" 48M
must "mounted" drive_mount "$IMG" "$T/mnt"
check "files" fill_tree "$T/mnt/tree"
tree_sums "$T/mnt/tree" >"$T/sums"
pattern 8000000 3 >"$T/mnt/growing" &
check "mounted: add" add "$IMG" "$PASS" one
check "mounted: list" sealdrive key list "$IMG"
said '^1 +yes' "mounted: it is there"
check "mounted: test" opens "$IMG" "$T/one"
check "mounted: change" change "$IMG" "$T/one" two
check "mounted: remove" sealdrive key remove "$IMG" --passphrase-file "$T/two"
check "mounted: add" add "$IMG" "$PASS" three
wait
check "the files are as before" diff "$T/sums" <(tree_sums "$T/mnt/tree")
# cryptsetup waits for the daemon's lock on the file
check_status 124 "mounted: cryptsetup is kept out" timeout 1 cryptsetup -q luksAddKey "${CHEAP[@]}" --key-file "$PASS" "$IMG" "$T/four"
check "unmounted" drive_unmount "$T/mnt"
check "cryptsetup: both keys" bash -c "cryptsetup open --test-passphrase --key-file '$T/three' '$IMG' && cryptsetup open --test-passphrase --key-file '$PASS' '$IMG'"
check "mounted with the new key" sealdrive mount "$IMG" "$T/mnt" --passphrase-file "$T/three"
check "unmounted" drive_unmount "$T/mnt"
check "the file system is perfect" judge "$IMG"
check "mounted read-only" drive_mount "$IMG" "$T/mnt" --read-only
check "read-only: change" change "$IMG" "$T/three" four
check "unmounted" drive_unmount "$T/mnt"
check "it opens" opens "$IMG" "$T/four"
check "an ordinary user's drive" bash -c "cp '$IMG' '$T/u.img' && chmod 666 '$T/u.img'"
user_ready && cp "$T/u.img" "$T/one" "$T/four" "$T/user/" && { ! is_root || chown "$USER_ID:$USER_GROUP" "$T"/user/*; }
check "user: mounted" as_user sealdrive mount "$T/user/u.img" --passphrase-file "$T/user/pass"
check "user: add" as_user sealdrive key add "$T/user/u.img" --passphrase-file "$T/user/pass" \
	--new-passphrase-file "$T/user/one" "${FAST_KDF[@]}"
check "user: remove" as_user sealdrive key remove "$T/user/u.img" --passphrase-file "$T/user/four"
check "user: unmounted" as_user sealdrive unmount "$T/user/u.img"
check "user: the new key" opens "$T/user/u.img" "$T/user/one"
check_status 3 "user: not the old one" opens "$T/user/u.img" "$T/user/four"

# ---- a detached header, its drive mounted ----
check "a drive with a header file" new_drive "$T/d.img" 32M --header "$T/h.img"
check "mounted" drive_mount "$T/d.img" "$T/mnt" --header "$T/h.img"
check "detached: add" sealdrive key add "$T/d.img" --header "$T/h.img" --passphrase-file "$PASS" \
	--new-passphrase-file "$T/one" "${FAST_KDF[@]}"
check "unmounted" drive_unmount "$T/mnt"
check "detached: the new key" sealdrive mount "$T/d.img" "$T/mnt" --header "$T/h.img" --passphrase-file "$T/one"
check "unmounted" drive_unmount "$T/mnt"

# ---- others that hold the file ----
(
	flock -x 9
	touch "$T/held"
	sleep 1.5
) 9<>"$IMG" &
until [ -e "$T/held" ]; do sleep 0.1; done
check "cryptsetup is at work: waits for it" add "$IMG" "$PASS" one
wait
check "it opens" opens "$IMG" "$T/one"
check "remove" sealdrive key remove "$IMG" --passphrase-file "$T/one"

# ---- many at once ----
at_once() { # TARGET: four of ours and two of cryptsetup's add and remove; no change is lost
	local target=$1 i lost=''
	for i in 1 2 3 4; do
		(
			for ((n = 0; n < 4; n++)); do
				phrase "ours-$i-$n"
				until add "$target" "$PASS" "ours-$i-$n" >"$T/log-$i" 2>&1; do
					# refused because of what another one has done meanwhile, and for no other reason
					grep -qE "changed by another program|in use" "$T/log-$i" || { cp "$T/log-$i" "$T/failed-$i"; exit 1; }
				done
				[ $((n % 2)) = 1 ] || until sealdrive key remove "$target" --accept-header-change --passphrase-file "$T/ours-$i-$n" >"$T/log-$i" 2>&1; do
					grep -qE "changed by another program|in use" "$T/log-$i" || { cp "$T/log-$i" "$T/failed-$i"; exit 1; }
				done
			done
		) &
	done
	for i in 5 6; do
		(
			for ((n = 0; n < 4; n++)); do
				phrase "theirs-$i-$n"
				for ((tries = 0; tries < 50; tries++)); do
					cryptsetup -q luksAddKey "${CHEAP[@]}" --key-file "$PASS" "$target" "$T/theirs-$i-$n" >"$T/log-$i" 2>&1 && break
				done
			done
		) &
	done
	wait
	cat "$T"/failed-* 2>/dev/null && return 1
	for i in 1 2 3 4; do
		for n in 1 3; do
			opens "$target" "$T/ours-$i-$n" >/dev/null || lost="$lost ours-$i-$n"
		done
		for n in 0 2; do
			! opens "$target" "$T/ours-$i-$n" 2>/dev/null || lost="$lost ours-$i-$n(still)"
		done
	done
	for n in 0 1 2 3; do
		opens "$target" "$T/theirs-5-$n" >/dev/null && opens "$target" "$T/theirs-6-$n" >/dev/null || lost="$lost theirs-$n"
	done
	[ -z "$lost" ] || { echo "lost:$lost"; sealdrive key list "$target"; return 1; }
	sealdrive header check "$target"
}
must "a drive" new_drive "$T/b.img" 32M
check "six programs change a container's header at once" at_once "$T/b.img"

# ---- a mount ends while keys change ----
must "a drive" new_drive "$T/c.img" 32M
for i in 1 2 3; do
	check "mounted" drive_mount "$T/c.img" "$T/mnt"
	phrase "last-$i"
	(sleep 0.0$i; add "$T/c.img" "$PASS" "last-$i") >"$T/log" 2>&1 &
	check "unmounted" drive_unmount "$T/mnt"
	wait
	check "the new key opens" opens "$T/c.img" "$T/last-$i"
done
check "a slow change" bash -c "sealdrive key add '$T/c.img' --passphrase-file '$PASS' --new-passphrase-file '$T/one' \
	--pbkdf pbkdf2 --iterations 3000000 & sleep 0.3; sealdrive mount '$T/c.img' '$T/mnt' --passphrase-file '$PASS'; r=\$?; wait; exit \$r"
check "the mount that came meanwhile" is_mounted "$T/mnt"
check "unmounted" drive_unmount "$T/mnt"
check "both are there" opens "$T/c.img" "$T/one"

# ---- block devices ----
if have_loop && loop=$(loop_of "$IMG"); then
	check "device: mounted" drive_mount "$loop" "$T/mnt"
	check "device: add" add "$loop" "$PASS" one
	check "device: cryptsetup at the same time" cryptsetup -q luksAddKey "${CHEAP[@]}" --key-file "$PASS" "$loop" "$T/two"
	check "device: remove" sealdrive key remove "$loop" --accept-header-change --passphrase-file "$T/one"
	check "device: theirs opens" opens "$loop" "$T/two"
	check "device: unmounted" drive_unmount "$T/mnt"
	refused 6 "$IMG" "loop device uses the file" "the file below a loop device" add "$IMG" "$PASS" one
	losetup -d "$loop"
	must "a drive" new_drive "$T/e.img" 32M
	loop=$(loop_of "$T/e.img")
	check "six programs change a device's header at once" at_once "$loop"
	losetup -d "$loop"
	check "no lock file is left" bash -c "! ls /run/cryptsetup/L_$(stat -c '%Hr:%Lr' "$loop") 2>/dev/null"
else
	skip "block devices" "$NO_LOOP"
fi
done_testing
