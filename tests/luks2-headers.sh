#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A table of headers with one fault each, judged by cryptsetup and by keymgr: the verdicts agree,
# but for the listed differences. (tests/headers/: the table, the differences, the comparison.)
. "$(dirname "$0")/lib.sh"
need_command cryptsetup

mkdir "$T/headers" && truncate -s 2M "$T/base.img" || exit 99
cryptsetup luksFormat -q --type luks2 --disable-locks --pbkdf pbkdf2 --pbkdf-force-iterations 1000 \
	-s 256 --luks2-metadata-size 16k --luks2-keyslots-size 512k --offset 2048 --sector-size 4096 \
	"$T/base.img" "$PASS" >"$T/out" || { diag <"$T/out"; exit 99; }
"$PYTHON" -B "$top_srcdir/tests/headers/compare.py" "$top_builddir/luks2tool" "$T/base.img" "$PASS" \
	"$T/headers"
exit 0
