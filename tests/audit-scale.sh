#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# audit: the work grows with the number of drives, and no faster (tests/audit/scale.py).
. "$(dirname "$0")/lib.sh"
need_command cryptsetup

truncate -s 4M "$T/base"
must "a drive" cryptsetup --disable-locks -q luksFormat --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --offset 5120 \
	--luks2-keyslots-size 2528k --luks2-metadata-size 16k "$T/base" "$PASS"
mkdir "$T/drives"
"$PYTHON" "$top_srcdir/tests/audit/scale.py" "$T/base" "$T/drives" >"$T/scale" 2>&1 || not_ok "the script ends well"
while IFS= read -r line; do
	case $line in
	"ok - "*) ok "${line#ok - }" ;;
	"not ok - "*) not_ok "${line#not ok - }" ;;
	*) diag "${line#\# }" ;;
	esac
done <"$T/scale"
is "$(grep -c 'ok - ' "$T/scale")" 7 "everything was compared"
done_testing
