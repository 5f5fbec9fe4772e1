#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The measurement works: all of it, so small that the figures mean nothing.
. "$(dirname "$0")/lib.sh"
need_fuse

bench() { # OPTIONS...: with what is built here, and nothing installed
	"$PYTHON" "$top_srcdir/tests/bench/bench.py" --build "$top_builddir" --dir "$T" --quick --gentle --rounds 1 --set 8 --files 50 "$@"
}

check "Sealdrive and the file system that does nothing are measured" \
	bench --peers null,sealdrive --json "$T/json" --svg "$T/svg"
check "no work is missing" "$PYTHON" - "$T/json" <<'PY'
import json, sys
results = json.load(open(sys.argv[1]))["results"]
bad = [r["work"] for r in results if not all(rate and rate > 0 for rate in r["rates"].values())]
sys.exit(f"no figures for: {bad}" if bad or len(results) < 20 else 0)
PY
check "the chart is well-formed" "$PYTHON" -c 'import sys, xml.dom.minidom; xml.dom.minidom.parse(sys.argv[1])' "$T/svg"
cat >"$T/scale" <<'LOG'
# create             1000     21864/s  looks   16.4  read        0  written      393 bytes
# create             2000     17563/s  looks   18.2  read        0  written      751 bytes
# memory of the daemon, 2000 files in one folder: at most 38 MiB, now 20 MiB
LOG
check "growth is drawn" "$PYTHON" "$top_srcdir/tests/bench/growth.py" "$T/scale" "$T/growth"
check "... and well-formed" "$PYTHON" -c 'import sys, xml.dom.minidom; xml.dom.minidom.parse(sys.argv[1])' "$T/growth"
check_status 1 "what is no such log is refused" "$PYTHON" "$top_srcdir/tests/bench/growth.py" "$T/json" "$T/growth"
check_status 1 "an unknown file system is refused" bench --peers nosuchfs
left=$(find "$T" -name 'sealdrive-bench-*')
is "$left" "" "nothing is left behind"
done_testing
