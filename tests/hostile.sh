#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Images made to do harm: metadata of good ones changed at random, checksums repaired. Nothing crashes,
# hangs, leaks or, on a read-only mount, writes. SEALDRIVE_LONG=1: an hour. What a log names is repeated
# by: hostile -s SEED -r ROUND. The build with sanitizers sees most.
. "$(dirname "$0")/lib.sh"
need_command mke2fs
hostile=$top_builddir/hostile
[ -x "$hostile" ] || skip_all "hostile is not built (make check builds it)"

seed=$(test_seed)
seconds=20
[ -z "${SEALDRIVE_LONG:-}" ] || seconds=3600
diag "seed $seed"
# Reports belong into the log, and this program may be traced: the leak check works.
export ASAN_OPTIONS='' UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
check "nothing that $seconds seconds of bad images did" timeout $((seconds + 300)) "$hostile" -s "$seed" -t $seconds
diag <"$T/out"
rounds=$(sed -n 's/^# seed .*: \([0-9]*\) rounds.*/\1/p' "$T/out")
grep -qE '[1-9][0-9]* mounts \([1-9][0-9]* writable' "$T/out"
written=$?
check "at least 100 rounds were done" test "${rounds:-0}" -ge 100
is $written 0 "some were changed to the end"
done_testing
