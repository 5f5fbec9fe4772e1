#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Other tests of ours, whole, in a virtual machine with Debian's kernel: its FUSE, its ext4 as the
# judge. The machine is emulated, some ten times slower than this one. SEALDRIVE_VM_TESTS: which.
. "$(dirname "$0")/lib.sh"
need_vm
tests=${SEALDRIVE_VM_TESTS:-posix.sh names.sh fallocate.sh fuse-files.sh fuse-details.sh fuse-xattr.sh fuse-native.sh
	fuse-owner.sh fuse-read-only.sh fuse-lifecycle.sh mmp.sh unplugged.sh ordinary-user.sh kill.sh lockstep.sh stress.sh}

for test in $tests; do
	guest --timeout 3000 <<-G >"$T/log"
		echo "kernel \$(uname -r)"
		"\$top_srcdir/tests/$test"
	G
	status=$?
	passed=$(grep -ac '^ok ' "$T/log")
	diag "$test: $(grep -am1 '^kernel' "$T/log"), $passed cases hold, $(grep -ac '# SKIP' "$T/log") of them skipped"
	grep -aE '^(not ok|Bail out)' -A 12 "$T/log" | grep -avE '^ok ' | head -n 40 | diag
	grep -a '# SKIP' "$T/log" | head -n 10 | diag
	if [ $status = 0 ] && ! grep -qaE '^(not ok|Bail out)' "$T/log" && grep -qa '^1\.\.[1-9]' "$T/log"; then
		ok "$test"
	else
		not_ok "$test"
		tail -n 5 "$T/log" | diag
	fi
done
done_testing
