#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The audit's page in a browser: light, dark, on a phone, printed; sorting and filtering; hostile drives.
. "$(dirname "$0")/lib.sh"
need_command cryptsetup
for chromium in chromium chromium-browser google-chrome; do
	command -v $chromium >/dev/null && break
done
command -v $chromium >/dev/null || skip_all "no Chromium to look at the page with"
cd "$T/home" || exit 99

esc=$'<script>alert(1)</script>"\' onload=x \e[31m\u202e&'
truncate -s 20M 'h<b>"'"'"'#%41.img' other.img
for image in *.img; do
	must "a drive" cryptsetup --disable-locks luksFormat -q --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 \
		--label "${esc:0:40}" "$image" "$PASS"
done
check "a hostile token" bash -c 'printf "%s" "{\"type\":\"<img src=http://x.example/ onerror=alert(2)>\",\"keyslots\":[\"0\"]}" |
	cryptsetup --disable-locks token import other.img'
must "a better drive" sealdrive format good.img --size 32M --passphrase-file "$PASS" --pbkdf argon2id --iterations 4 --memory 65536 --parallel 1 --label 'Kế toán'
printf '{"schema": 1, "waivers": [{"id": "<b>W", "check": "H-09", "uuid": "%s", "reason": "</section><script>alert(3)</script>", "approved_by": "\\"x", "expires": "2099-01-01"}]}' \
	"$(cryptsetup luksUUID other.img)" >w
for lang in en vi; do
	LC_ALL=C.UTF-8 LANGUAGE=$lang "$top_builddir/sealdrive-here" audit ./*.img --waivers w --format html --output page.$lang.html
	timeout 100 "$PYTHON" "$top_srcdir/tests/audit/browser.py" $chromium page.$lang.html >looked 2>&1
	is $? 0 "the browser looked at it ($lang)"
	while IFS= read -r line; do
		case $line in
		"ok - "*) ok "$lang: ${line#ok - }" ;;
		"not ok - "*) not_ok "$lang: ${line#not ok - }" ;;
		*) diag "$line" ;;
		esac
	done <looked
	is "$(grep -c 'ok - ' looked)" 17 "... at all of it"
done
done_testing
