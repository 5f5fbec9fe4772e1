#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# audit: the table of drives, good and bad in each check, and what each profile says of them (tests/audit/table.py).
. "$(dirname "$0")/lib.sh"
need_command cryptsetup

cs() {
	cryptsetup --disable-locks -q "$@"
}
new_base() { # FILE [OPTION...]
	dd if=/dev/urandom of="$1" bs=1M count=4 status=none
	cs luksFormat --type luks2 --pbkdf argon2id --pbkdf-force-iterations 4 --pbkdf-memory 32 --pbkdf-parallel 1 \
		--offset 5120 --luks2-keyslots-size 2528k --luks2-metadata-size 16k --key-size 512 "${@:2}" "$1" "$PASS"
}
must "a drive" new_base "$T/base"
for n in 1 2; do
	must "key slot $n" cs luksAddKey --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --hash sha512 --key-file "$PASS" "$T/base" "$PASS"
done
mkdir "$T/rows"
must "a stranger" new_base "$T/rows/stranger"
"$PYTHON" "$top_srcdir/tests/audit/table.py" "$T/base" "$T/rows" >"$T/table" 2>&1 || not_ok "the table's script ends well"
while IFS= read -r line; do
	case $line in
	"ok - "*) ok "${line#ok - }" ;;
	"not ok - "*) not_ok "${line#not ok - }" ;;
	*) diag "$line" ;;
	esac
done <"$T/table"
check "the table was long enough" test "$(grep -c 'ok - ' "$T/table")" -gt 130
done_testing
