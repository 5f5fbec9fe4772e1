#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# shrink.sh SCRIPT [MKE2FS-OPTIONS...]: the shortest script that it finds which still makes our file
# system differ from the kernel's, is not perfect afterwards, or differs after a remount. Every try
# is made on fresh file systems (delta debugging: halves, quarters, ... are left out while the
# difference stays). Needs what lockstep.sh needs. The result is SCRIPT.short.
script=$(realpath "${1:?usage: shrink.sh SCRIPT [MKE2FS-OPTIONS...]}")
shift
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/sides.sh"
need_sides

tries=0

# Exit status 0: the script still shows a difference.
differs() { # SCRIPT
	local status=0
	tries=$((tries + 1))
	cp --sparse=always "$T/a.fresh" "$T/a.img" && cp --sparse=always "$T/kernel.fresh" "$T/kernel.img" &&
		sides_mount >/dev/null || exit 99
	sides_run 300 --replay "$1" >"$T/out" 2>&1 || status=$?
	sides_unmount >/dev/null 2>&1 || status=1
	if [ $status = 0 ]; then
		judge "$T/a.img" >>"$T/out" 2>&1 || return 0
		sides_mount >/dev/null || return 0
		sides_run 300 --compare >"$T/out" 2>&1 || status=$?
		sides_unmount >/dev/null 2>&1
	fi
	[ $status != 0 ] && [ $status != 2 ]
}

# All lines but those from FIRST on, N of them.
without() { # SCRIPT FIRST N
	awk -v first="$2" -v n="$3" 'NR < first || NR >= first + n' "$1"
}

sides_format "$@" || exit 99
mv "$T/a.img" "$T/a.fresh" && mv "$T/kernel.img" "$T/kernel.fresh"
grep -av '^# [^r]' "$script" >"$T/now"
differs "$T/now" || {
	echo "The script shows no difference when it is replayed."
	exit 1
}
lines=$(wc -l <"$T/now")
piece=$(((lines + 1) / 2))
while [ $piece -ge 1 ]; do
	# from the end: what comes last is what showed it, what comes before it most likely goes
	for ((at = lines - piece + 1; at > -piece + 1; at -= piece)); do
		without "$T/now" $((at < 1 ? 1 : at)) $((at < 1 ? piece + at - 1 : piece)) >"$T/try"
		if [ -s "$T/try" ] && differs "$T/try"; then
			mv "$T/try" "$T/now"
			cp "$T/now" "$script.short"
		fi
	done
	lines=$(wc -l <"$T/now")
	echo "pieces of $piece: $lines operations left, $tries tries"
	if [ $piece = 1 ]; then
		[ "${last:-}" = "$lines" ] && break
		last=$lines
	else
		piece=$((piece / 2 > lines ? lines : piece / 2))
	fi
done
cp "$T/now" "$script.short"
differs "$T/now"
grep -a '^# difference' "$T/out" || cat "$T/out"
echo "The shortest script is $script.short:"
cat "$script.short"
