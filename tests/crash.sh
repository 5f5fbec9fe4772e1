#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Power failures at every place of many workloads: the journal's rules hold (docs/JOURNAL.md), after
# recovery by us and by e2fsck. SEALDRIVE_LONG=1: every place, more seeds. SEALDRIVE_ROUNDS=N: N seeds of each
# kind; make check-crash takes a hundred.
. "$(dirname "$0")/lib.sh"
need_command mke2fs e2fsck
crash=$top_builddir/crash
[ -x "$crash" ] || skip_all "crash is not built (make check builds it)"

seed=$(test_seed)
every=12 rounds=1
[ -z "${SEALDRIVE_LONG:-}" ] || every=1 rounds=${SEALDRIVE_ROUNDS:-10}
diag "seed $seed"
total=0

round() { # KIND STEPS [OPTIONS OF crash...]
	local kind=$1 steps=$2
	shift 2
	check "$kind $*" timeout 1200 "$crash" -s "$seed" -k "$kind" -n "$steps" -e "$every" "$@"
	diag <"$T/out"
	total=$((total + $(sed -n 's/.* \([0-9]*\) drives judged.*/\1/p' "$T/out")))
	seed=$((seed + 1))
}

for ((i = 0; i < rounds; i++)); do
	for kind in mixed overwrite folders many safe; do
		round $kind 200
	done
	round deep 100 -b 16
	round xattrs 200 -b 4
	round space 150 -b 4 -m "-b 1024 -J size=1 -N 128"
	round full 300 -b 4 -m "-b 1024 -J size=1 -N 128"
	round mixed 200 -m "-b 4096 -J size=4 -N 256" -b 16
	round folders 200 -m "-b 2048 -J size=2 -N 400 -O ^metadata_csum,uninit_bg" -b 12
	round mixed 150 -m "-b 1024 -J size=1 -N 256 -O ^extent,^64bit,^metadata_csum"
	round deep 60 -b 16 -m "-b 1024 -J size=1 -N 256 -O ^64bit,^metadata_csum"
	round mixed 150 -m "-b 1024 -J size=1 -N 256 -O orphan_file"
	round space 100 -m "-b 1024 -J size=1 -N 256 -O ^extent,^64bit"
	round mixed 150 -m "-b 1024 -J size=1 -N 256 -O inline_data"
	round mixed 150 -m "-b 1024 -J size=1 -N 256 -I 128 -q"
done
check "at least 300 drives were judged" test "$total" -ge 400
diag "$total drives judged"
done_testing
