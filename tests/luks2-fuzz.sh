#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The fuzzer's corpus once more: the table of headers, on a base of cryptsetup's and on a sealed one
# of ours, and what the fuzzer has found in its time (tests/headers/found/). Nothing dies, hangs, or
# wakes a sanitizer.
. "$(dirname "$0")/lib.sh"
need_command cryptsetup

replay() { # DIR
	timeout 300 fuzz-luks2-replay "$1"/*
}

truncate -s 2M "$T/theirs.img" "$T/ours.img" && mkdir "$T/theirs" "$T/ours" || exit 99
must "a base of cryptsetup's" cryptsetup luksFormat -q --type luks2 --disable-locks --pbkdf pbkdf2 \
	--pbkdf-force-iterations 1000 -s 256 --luks2-metadata-size 16k --luks2-keyslots-size 512k --offset 2048 \
	--sector-size 4096 "$T/theirs.img" "$PASS"
must "a base of ours" luks2tool format "$PASS" "$T/ours.img" key=32 keyslots=524288 offset=1048576
for base in theirs ours; do
	must "a corpus" "$PYTHON" -B "$top_srcdir/tests/headers/corpus.py" "$T/$base.img" "$T/$base"
	check "on $base" replay "$T/$base"
	is "$(tail -n 1 "$T/out")" "$(find "$T/$base" -type f | wc -l)" "... to the end, $(find "$T/$base" -type f | wc -l) inputs"
done
check "more than a thousand" test "$(find "$T/theirs" "$T/ours" -type f | wc -l)" -gt 1000
check "what the fuzzer found" replay "$top_srcdir/tests/headers/found"
done_testing
