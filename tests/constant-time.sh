#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Secrets are compared in a time that does not depend on them.
. "$(dirname "$0")/lib.sh"
need_command valgrind
[ -x "$top_builddir/constant-time" ] || skip_all "valgrind/memcheck.h was not there when this was built"
grep -q __asan_init "$top_builddir/constant-time" && skip_all "valgrind cannot run a build with sanitizers"
under_valgrind() { # WHAT
	valgrind -q --error-exitcode=9 --track-origins=no "$top_builddir/constant-time" "$1"
}
check_status 9 "a comparison that stops at the first difference is found out" under_valgrind memcmp
said 'depends on uninitialised value' "... for that reason"
check "ours does not depend on what it compares" under_valgrind ours
check "and its answers are right" "$top_builddir/constant-time" ours
check_status 9 "a table that a secret is the index of is found out" under_valgrind table
check "shares are made, combined and read without one" under_valgrind shares
check "... rightly" "$top_builddir/constant-time" shares
done_testing
