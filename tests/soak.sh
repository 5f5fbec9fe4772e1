#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# soak.sh [HOURS]: lockstep for hours (make soak): rounds with random options of mke2fs, random
# numbers of threads and operations, several remounts each, judged after every unmount. Stops at the
# first difference and keeps the script, the log and both images in soak-SEED/ in the build folder.
# SEALDRIVE_SEED sets the first round's seed. Not a part of make check.
hours=${1:-4}
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/lockstep/sides.sh"
need_sides

seed=${SEALDRIVE_SEED:-$(date +%s)}
end=$((SECONDS + hours * 3600))
rounds=0 total=0

# Depends on the seed alone, so that a round can be repeated.
pick() { # WORD...: one of them
	pick_state=$(((pick_state * 1103515245 + 12345) & 0x7fffffff))
	shift $(((pick_state >> 8) % $#))
	picked=$1
}

options_of_round() {
	pick_state=$seed
	pick 1024 2048 4096 4096
	options=(-t ext4 -b "$picked")
	pick 128 256 256 512 1024
	options+=(-I "$picked")
	pick 4096 8192 32768
	options+=(-i "$picked")
	pick ^flex_bg flex_bg flex_bg
	options+=(-O "$picked")
	pick ^metadata_csum,uninit_bg metadata_csum metadata_csum,metadata_csum_seed
	options+=(-O "$picked")
	pick ^64bit 64bit 64bit
	options+=(-O "$picked")
	pick ^dir_index large_dir dir_index
	options+=(-O "$picked")
	# what ext3 has, and ext4 without a journal, with data in inodes, or with orphans in a file
	pick extent extent ^extent,^64bit,^huge_file,^dir_nlink ^has_journal inline_data orphan_file
	options+=(-O "$picked")
	[ "$picked" != inline_data ] || [[ ${options[*]} != *"-I 128"* ]] || options+=(-I 256)
	pick 1 2 4 8
	threads=$picked
	pick 3000 10000 30000
	operations=$((picked * 2 / threads))
}

keep() { # WHY
	local folder=$top_builddir/soak-$seed
	mkdir -p "$folder"
	cp -f --sparse=always "$T/a.img" "$T/kernel.img" "$T/script" "$T/out" "$folder" 2>/dev/null
	printf 'Bail out! round %d, seed %d: %s; see %s\n' $rounds "$seed" "$1" "$folder"
	tail -n 20 "$T/out" | diag
	diag "options: ${options[*]}"
	diag "shorten with: tests/lockstep/shrink.sh $folder/script ${options[*]}"
	exit 1
}

one_round() {
	local again
	sides_format "${options[@]}" >"$T/out" 2>&1 || keep "format"
	: >"$T/script"
	for again in 1 2 3; do
		sides_mount >"$T/out" 2>&1 || keep "mount $again"
		sides_run 3600 -s $((seed * 10 + again)) -t "$threads" -n "$operations" -r "$T/script" \
			>"$T/out" 2>&1 || keep "run $again"
		[ $again != 1 ] || grep '^# LEFT OUT' "$T/out"
		sides_unmount >"$T/out" 2>&1 || keep "unmount $again"
		judge "$T/a.img" >"$T/out" 2>&1 || keep "e2fsck after run $again"
		sides_mount >"$T/out" 2>&1 || keep "mount after run $again"
		sides_run 3600 --compare >"$T/out" 2>&1 || keep "comparison after run $again"
		sides_unmount >"$T/out" 2>&1 || keep "unmount after comparison $again"
		total=$((total + threads * operations))
	done
}

while [ $SECONDS -lt $end ]; do
	options_of_round
	rounds=$((rounds + 1))
	one_round
	ok "round $rounds, seed $seed: $threads threads, ${options[*]}; $total operations so far"
	seed=$((seed + 1))
done
done_testing
