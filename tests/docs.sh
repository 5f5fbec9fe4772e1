#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What people read is true: man page, README, help texts and scripts.
. "$(dirname "$0")/lib.sh"
cd "$top_srcdir" || exit 99

if command -v groff >/dev/null; then
	for page in man/*.1; do
		check "$page renders" bash -c 'groff -man -Tutf8 -ww -z "$1" 2>&1 | tee "$2"; test ! -s "$2"' - "$page" "$T/warnings"
	done
else
	skip "the man pages render" "groff is not installed"
fi
plain=$(sed 's/\\-/-/g; s/\\f[BIRP]//g; s/\\//g' man/*.1)
for page in man/*-*.1; do
	name=${page#man/} name=${name%.1}
	check "sealdrive(1) names $name(1)" grep -qE "BR ${name//-/\\\\-} \(1\)" man/sealdrive.1
	check "$page is installed" grep -qF "$page" man/Makefile.inc
done

scripts=(scripts/start scripts/check scripts/build scripts/install scripts/bench .ci/run tests/*.sh)
for s in "${scripts[@]}"; do
	bash -n "$s" || not_ok "$s: syntax"
done
ok "the scripts' syntax"
if command -v shellcheck >/dev/null; then
	check "shellcheck" shellcheck -S warning -s bash -e SC1091,SC2154,SC2034,SC2155,SC2012,SC2010 "${scripts[@]}"
else
	skip "shellcheck" "it is not installed"
fi

commands=$(sealdrive --help | awk '/^Commands:/ { on = 1; next } /^$/ { on = 0 } on { print $1 }')
check "--help lists commands" test "$(wc -w <<<"$commands")" -ge 6
for c in $commands; do
	check "README explains $c" grep -q "sealdrive $c" README.md
	check "the man page explains $c" grep -qE "(sealdrive |^\.(BR?|TP|SS) *\"?)$c" <<<"$plain"
	# a family of commands, with a help text each
	for sub in $(sealdrive "$c" --help | awk '/^Commands:/ { on = 1; next } /^$/ { on = 0 } on { print $1 }'); do
		check "the man page explains $c $sub" grep -qE "^\.(SS|TP|SY) *\"?sealdrive $c $sub" <<<"$plain"
		for option in $(sealdrive "$c" "$sub" --help | grep -oE '(^|[ ,[])--[a-z][a-z-]+' | grep -oE -- '--[a-z-]+' | sort -u); do
			[ "$option" = --help ] || grep -qF -- "$option" <(sed 's/\\-/-/g' "man/sealdrive-$c.1") ||
				not_ok "the man page explains $c $sub $option"
		done
	done
	for option in $(sealdrive "$c" --help | grep -oE '(^|[ ,[])--[a-z][a-z-]+' | grep -oE -- '--[a-z-]+' | sort -u); do
		grep -qF -- "$option" <<<"$plain" || not_ok "the man page explains $c $option"
	done
done
ok "the man page was searched for every option"
unknown=$(grep -ohE '`sealdrive [a-z]+' README.md docs/*.md 2>/dev/null | awk '{ print $2 }' | sort -u |
	grep -vxF "$commands" | tr '\n' ' ')
is "$unknown" "" "the documents name no command that does not exist"

# The exit statuses of base/error.h stand in README and man page.
for n in $(sed -n 's/^\tEXIT_[A-Z_]* = \([0-9]\),$/\1/p' base/error.h); do
	check "README has exit status $n" grep -qE "^\| *$n +\|" README.md
	check "the man page has exit status $n" grep -qE "^(\.(B|BR|IP) *)?\"?$n\"?( |$)" <<<"$plain"
done

# Links to files of the repository lead somewhere.
dead=$(grep -ohE '\]\([^)#]+' README.md ARCHITECTURE.md docs/*.md | sed 's/](//' | grep -v '://' | sort -u |
	while read -r link; do [ -e "$link" ] || [ -e "docs/$link" ] || echo "$link"; done)
is "$dead" "" "no dead links"
check "ARCHITECTURE names every folder" bash -c 'for d in base kernel-shim keymgr ext4 fuse audit cli policy tests scripts man po docs; do
	grep -qF "$d/" ARCHITECTURE.md || { echo "$d"; exit 1; }; done'
missing=$(grep -ohE '`(base|kernel-shim|keymgr|ext4|fuse|cli|tests|scripts|po|man|docs)/[A-Za-z0-9_./-]+`' \
	ARCHITECTURE.md README.md docs/*.md | tr -d '\140' | sort -u |
	while read -r f; do [ -e "$f" ] || echo "$f"; done)
is "$missing" "" "every file that the documents name exists"
done_testing
