#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Whoever can write a header can write any token object: each field of each type absurd (tests/headers/tokens.py). What is
# refused is refused by its name before any PIN is asked for, commands that show tokens show them, and nothing dies. The
# same objects are the corpus of fuzz-token.
. "$(dirname "$0")/lib.sh"
module=$top_builddir/mock-pkcs11.so
[ -e "$module" ] || make -s -C "$top_builddir" mock-pkcs11.so
mkdir "$T/objects"
must "the objects" bash -c '"$1" -B "$2/tests/headers/tokens.py" "$3" >"$4"' - "$PYTHON" "$top_srcdir" "$T/objects" "$T/wanted"
check "more than six hundred" test "$(wc -l <"$T/wanted")" -gt 600

# ---- what the readers say ----
check "they are read" timeout 60 tokenread "$T"/objects/*
is "$(diff "$T/wanted" "$T/out")" "" "what is wrong is refused, by its name, and what is right is not"
check "the fuzzer's function on them" timeout 120 fuzz-token-replay "$T"/objects/*
mkdir "$T/shares"
"$PYTHON" -B - "$T/shares" "$JUDGE" <<-'EOF'
	import base64, json, sys
	sys.path.insert(0, sys.argv[2])
	from share_text import encode, seal
	def share(version, index, threshold, count):
	    return encode(seal(bytes([version]) + bytes(range(8)) + bytes([index, threshold, count]) + bytes(range(32))))
	rows = [share(*row) for row in ((1, 1, 2, 3), (1, 0, 2, 3), (1, 4, 2, 3), (1, 1, 0, 0), (1, 255, 255, 255), (0, 1, 2, 3))]
	rows += [rows[0].upper(), rows[0].replace("-", "\n"), rows[0][:-1], rows[0] + "c", rows[0] * 9, "-" * 9999, "\0" * 99, ""]
	# those for tokens: one that is right, and each of its members absurd
	def wrapped(**changes):
	    token = {"type": "systemd-pkcs11", "pkcs11-uri": "pkcs11:token=A", "pkcs11-key": "QUJD"}
	    share = {"type": "sealdrive-share", "set": "c" * 16, "share": 1, "shares": 3, "threshold": 2, "token": token,
	             "salt": base64.b64encode(bytes(32)).decode(), "sealed": base64.b64encode(bytes(65)).decode()}
	    share.update(changes)
	    return json.dumps({name: value for name, value in share.items() if value is not Ellipsis})
	rows += [wrapped(), " \n" + wrapped(), "\ufeff" + wrapped(), wrapped()[:-1], "{", "{" * 9999, wrapped(token={"type": "passphrase"}),
	         wrapped(token={"type": "systemd-fido2"}), wrapped(token=[]), wrapped(threshold=4), wrapped(share=4), wrapped(shares=33)]
	rows += [wrapped(**{name: value}) for name in ("type", "set", "share", "shares", "threshold", "token", "salt", "sealed")
	         for value in (..., None, -1, 0, 1 << 62, 1.5, "", "A" * 70000, "QUJD", [], {}, True)]
	for number, row in enumerate(rows):
	    open("%s/%d" % (sys.argv[1], number), "w").write(row)
EOF
check "and on $(find "$T/shares" -type f | wc -l) shares" timeout 60 fuzz-token-replay "$T"/shares/*

# ---- the program, on one of each kind ----
new_drive "$T/a.img" 20M
{ sort -t- -k2 -u "$T/wanted"; awk "NR % 16 == 0" "$T/wanted"; } | sort -u >"$T/rows"
cat >"$T/put.py" <<-'EOF'
	import json, sys
	sys.path.insert(0, sys.argv[1])
	from luks2image import Image
	base = Image(open(sys.argv[2], "rb").read(4 << 20))
	for path in sys.argv[4:]:
	    image = base.clone()
	    token = json.load(open(path))
	    token["keyslots"] = ["0"]
	    image.doc["tokens"]["7"] = token
	    if len(image.json_bytes()) < base.hdr_size - 4096:
	        open("%s/%s" % (sys.argv[3], path.rsplit("/", 1)[1]), "wb").write(image.build()[:2 * base.hdr_size])
EOF
mkdir "$T/headers"
mapfile -t files < <(awk -v dir="$T/objects/" '{ print dir $1 }' "$T/rows")
must "headers with them" "$PYTHON" -B "$T/put.py" "$top_srcdir/tests/headers" "$T/a.img" "$T/headers" "${files[@]}"
bad=0 count=0
failed() { # FILE WHAT
	diag "$1: $2"
	head -c 600 "$T/out" | cat -v | diag
	bad=$((bad + 1))
}
while read -r file wrong; do
	image=$T/a.img count=$((count + 1))
	# one that is too long for a header is none
	[ -e "$T/headers/$file" ] || continue
	dd if="$T/headers/$file" of="$image" conv=notrunc status=none
	# the PIN file is not there: asking for a PIN says so
	timeout 20 sealdrive key test "$image" --token --pin-file "$T/absent" --pkcs11-module "$module" >"$T/out" 2>&1 </dev/null
	status=$?
	case $wrong in
	-) [ $status = 1 ] && grep -q 'absent' "$T/out" || [ $status = 3 ] || failed "$file" "fine, but status $status" ;;
	*) [ $status = 3 ] || [ $status = 4 ] || failed "$file" "status $status" ;;
	esac
	[ "$wrong" = - ] || ! grep -q absent "$T/out" || failed "$file" "a PIN was asked for"
	grep -qP '[\x00-\x08\x0b-\x1f\x7f]' "$T/out" && failed "$file" "control characters"
	for command in "key list" info "info --json" audit "header check"; do
		# shellcheck disable=SC2086
		timeout 20 sealdrive $command "$image" >"$T/out" 2>&1 </dev/null
		status=$?
		[ $status -lt 10 ] || failed "$file" "$command: status $status"
		grep -qP '[\x00-\x08\x0b-\x1f\x7f]' "$T/out" && failed "$file" "$command: control characters"
	done
	cmp -s -n "$(stat -c %s "$T/headers/$file")" "$image" "$T/headers/$file" || failed "$file" "changed"
done <"$T/rows"
is "$bad" 0 "$count drives: refused or asked, shown, unchanged"
done_testing
