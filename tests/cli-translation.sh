#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Vietnamese is complete, up to date with the sources, and is what a Vietnamese user gets.
. "$(dirname "$0")/lib.sh"
need_command msgfmt msgcmp msgattrib xgettext msgfilter
po=$top_srcdir/po/vi.po

check "po/vi.po is well-formed" msgfmt --check -o /dev/null "$po"
is "$(msgattrib --untranslated --no-wrap "$po" | grep '^msgid' | tail -n +2)" "" "nothing is untranslated"
is "$(msgattrib --only-fuzzy --no-wrap "$po" | grep '^msgid' | tail -n +2)" "" "nothing is fuzzy"
check "the texts of the sources" sh "$top_srcdir/po/extract" "$top_srcdir" "$T/now.pot"
check "each is translated" msgcmp "$po" "$T/now.pot"
is "$(msgattrib --no-obsolete "$po" | grep -c '^msgid')" "$(grep -c '^msgid' "$T/now.pot")" \
	"nothing is translated that is not there ('make update-po' brings it up to date)"
is "$(msgattrib --only-obsolete "$po" | grep -c '^#~')" 0 "nothing old is left"

# printf's conversions, option names and newlines at the ends are the same on both sides.
is "$("$PYTHON" - "$po" <<'PY'
import re, sys
text = open(sys.argv[1], encoding="utf-8").read()
def unquote(block):
    return "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', block))
for entry in text.split("\n\n")[1:]:
    m = re.search(r'^msgid (.*?)^msgstr (.*)', entry, re.S | re.M)
    if not m:
        continue
    a, b = unquote(m.group(1)), unquote(m.group(2))
    for what, pattern in (("options", r"--[a-z-]+"), ("conversions", r"%[-.*0-9lhz]*[a-zA-Z%]"),
                          ("end", r"(?:\\n|[.:])(?= *$)"), ("start", r"^(?:\\n|\s)+")):
        if set(re.findall(pattern, a)) != set(re.findall(pattern, b)):
            print(what, "differ:", a[:60])
PY
)" "" "options, conversions and line ends agree"

# ---- what a user gets ----
check "it is installed" make -C "$top_builddir" install-data-local localedir="$T/locale"
is "$(cd "$T/locale" && find . -type f)" ./vi/LC_MESSAGES/sealdrive.mo "... where gettext looks"
mkdir "$T/locales"
if ! localedef -i vi_VN -f UTF-8 "$T/locales/vi_VN.UTF-8" >/dev/null 2>&1; then
	skip "a Vietnamese user" "the locale vi_VN cannot be made here"
	done_testing
fi
vi() { # ARGUMENT...: of a program whose catalogues are in the build folder
	LOCPATH=$T/locales LC_ALL=vi_VN.UTF-8 "$top_builddir/sealdrive-here" "$@"
}
wider_than() { # COLUMNS FILE
	"$PYTHON" -c 'import sys
for line in open(sys.argv[2], encoding="utf-8"):
    if len(line.rstrip("\n")) > int(sys.argv[1]):
        print(line, end="")' "$1" "$2"
}
value_columns() { # FILE: where the values of an indented list of names and values start
	"$PYTHON" -c 'import re, sys
print(*{m.end() for m in (re.match("  +\\S[^:]*: +", l) for l in open(sys.argv[1], encoding="utf-8")) if m})' "$1"
}
check "help" vi --help
said '^Cách dùng: sealdrive LỆNH' "... in Vietnamese"
for c in list format mount unmount status info check resize; do
	check "$c --help" vi $c --help
	said '^Tùy chọn' "... in Vietnamese"
	is "$(wider_than 80 "$T/out")" "" "... no line is longer than 80 columns"
done
check "list --help has no catalogue header in it" test "$(vi list --help | grep -c Project-Id)" = 0
check_status 2 "an unknown command" vi abc
said "không có lệnh 'abc'" "... in Vietnamese"
check "format" vi format "$T/a.img" --size 20M --passphrase-file "$PASS" "${FAST_KDF[@]}" --label 'Đĩa của tôi'
check "info" vi info "$T/a.img"
said '^  Nhãn: +Đĩa của tôi$' "... in Vietnamese"
is "$(value_columns "$T/out" | wc -w)" 1 "... its columns are straight"
LOCPATH=$T/locales LC_ALL=vi_VN.UTF-8 "$PYTHON" "$top_srcdir/tests/terminal.py" 'wait:TOÀN BỘ' "wait:Gõ 'có'" 'type:CÓ' \
	'wait:sẵn sàng' -- "$top_builddir/sealdrive-here" format "$T/a.img" --passphrase-file "$PASS" "${FAST_KDF[@]}" >"$T/out" 2>&1
said '^exit 0' "a Vietnamese yes is taken"
LOCPATH=$T/locales LC_ALL=vi_VN.UTF-8 "$PYTHON" "$top_srcdir/tests/terminal.py" "wait:Gõ 'có'" 'type:không' \
	-- "$top_builddir/sealdrive-here" format "$T/a.img" --passphrase-file "$PASS" "${FAST_KDF[@]}" >"$T/out" 2>&1
said '^exit 1' "a Vietnamese no is taken"
check "JSON is the same in every language" bash -c 'diff <(LOCPATH=$1 LC_ALL=vi_VN.UTF-8 "$2" info "$3" --json) <("$2" info "$3" --json)' \
	- "$T/locales" "$top_builddir/sealdrive-here" "$T/a.img"
LC_ALL=C "$top_builddir/sealdrive-here" --help >"$T/out"
said '^Usage: ' "the C locale stays English"
done_testing
