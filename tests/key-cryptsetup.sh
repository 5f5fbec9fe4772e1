#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Key slots and tokens changed by cryptsetup and by us in turns: each opens, lists and changes what the
# other has made, and neither loses what only the other knows.
. "$(dirname "$0")/lib.sh"
need_command cryptsetup

IMG=$T/a.img
CHEAP=(--pbkdf pbkdf2 --pbkdf-force-iterations 1000)
cs() {
	cryptsetup -q "$@"
}
phrase() { # NAME
	(umask 077 && printf 'the %s phrase 77' "$1" >"$T/$1")
}
for name in one two three four five six; do
	phrase $name
done
ours() { # COMMAND [ARGUMENTS]: of sealdrive key, on the image
	local command=$1
	shift
	# what cryptsetup changes meanwhile breaks the seal, which is tests/header-seal.sh's business
	[ "$command" = list ] || set -- --accept-header-change "$@"
	sealdrive key "$command" "$IMG" "$@"
}
both_open() { # NAME SLOT
	[ "$(ours test --passphrase-file "$T/$1")" = "Key slot $2 opens the drive." ] &&
		cs open --test-passphrase --key-slot "$2" --key-file "$T/$1" "$IMG"
}
neither_opens() { # NAME
	! ours test --passphrase-file "$T/$1" && ! cs open --test-passphrase --key-file "$T/$1" "$IMG"
}
our_view() { # what we say of each key slot
	ours list --json | "$PYTHON" -c 'import json, sys
for s in json.load(sys.stdin)["keyslots"]:
    k = s["kdf"]
    print(s["id"], s["priority"], k["type"], k.get("iterations", k.get("time")), k.get("memory_kib", 0),
          k.get("threads", 0), s["area"]["offset_bytes"], s["area"]["size_bytes"])'
}
their_view() { # the same from their JSON
	cs luksDump --dump-json-metadata "$IMG" | "$PYTHON" -c 'import json, sys
for i, s in sorted(json.load(sys.stdin)["keyslots"].items(), key=lambda x: int(x[0])):
    k, a = s["kdf"], s["area"]
    print(i, ("ignore", "normal", "high")[s.get("priority", 1)], k["type"], k.get("iterations", k.get("time")),
          k.get("memory", 0), k.get("cpus", 0), a["offset"], a["size"])'
}
same_view() { # DESCRIPTION
	is "$(our_view | sort)" "$(their_view | sort)" "$1: both say the same of the key slots"
}
copies_good() { # both copies are whole, and say the same
	sealdrive header check "$IMG" >"$T/check" 2>&1 || { cat "$T/check"; return 1; }
	cmp <(dd if="$IMG" bs=4096 skip=1 count=3 status=none) <(dd if="$IMG" bs=4096 skip=5 count=3 status=none)
}
token_json() { # ID: byte for byte
	cs token export --token-id "$1" "$IMG"
}

truncate -s 20M "$IMG"
must "a drive of cryptsetup" cs luksFormat --type luks2 "${CHEAP[@]}" "$IMG" "$T/one"

# ---- theirs, then ours ----
check "theirs: luksAddKey" cs luksAddKey "${CHEAP[@]}" --key-file "$T/one" "$IMG" "$T/two"
check "both open it" both_open two 1
check "ours: add by their key" ours add --passphrase-file "$T/two" --new-passphrase-file "$T/three" "${FAST_KDF[@]}"
check "both open it" both_open three 2
same_view "added"
check "theirs: luksAddKey by our key, argon2id" cs luksAddKey --pbkdf argon2id --pbkdf-memory 1024 --pbkdf-parallel 2 \
	--pbkdf-force-iterations 4 --key-slot 7 --key-file "$T/three" "$IMG" "$T/four"
check "both open it" both_open four 7
same_view "argon2id"
check "theirs: luksKillSlot of ours" cs luksKillSlot --key-file "$T/one" "$IMG" 2
check "neither opens it" neither_opens three
check "ours: remove theirs" ours remove --passphrase-file "$T/one" --slot 7
check "neither opens it" neither_opens four
check "copies" copies_good
check "theirs: luksChangeKey" cs luksChangeKey "${CHEAP[@]}" --key-file "$T/two" "$IMG" "$T/five"
check "both open it" both_open five 1
check "neither opens the old one" neither_opens two
check "ours: change theirs" ours change --passphrase-file "$T/five" --new-passphrase-file "$T/six" "${FAST_KDF[@]}"
check "both open it" both_open six 1
check "neither opens the old one" neither_opens five
check "theirs: luksChangeKey of ours" cs luksChangeKey "${CHEAP[@]}" --key-file "$T/six" "$IMG" "$T/two"
check "both open it" both_open two 1
check "theirs: luksConvertKey" cs luksConvertKey --key-file "$T/two" --key-slot 1 --pbkdf argon2i --pbkdf-memory 512 \
	--pbkdf-parallel 1 --pbkdf-force-iterations 4 "$IMG"
check "both open it" both_open two 1
same_view "converted"
check "ours: change its costs" ours change --passphrase-file "$T/two" --new-passphrase-file "$T/two" \
	--pbkdf argon2id --memory 2048 --iterations 5 --parallel 3
check "both open it" both_open two 1
same_view "costs"
check "theirs: luksRemoveKey" cs luksRemoveKey "$IMG" "$T/two"
check "neither opens it" neither_opens two
check "copies" copies_good

# ---- priorities ----
check "a second one" ours add --passphrase-file "$T/one" --new-passphrase-file "$T/two" "${FAST_KDF[@]}"
for priority in prefer:high normal:normal ignore:ignore; do
	check "theirs: priority ${priority%:*}" cs config --priority "${priority%:*}" --key-slot 1 "$IMG"
	same_view "priority ${priority%:*}"
	check "ours: back to normal" ours change --passphrase-file "$T/one" --slot 1 --priority normal
	check "ours: ${priority#*:}" ours change --passphrase-file "$T/one" --slot 1 --priority "${priority#*:}"
	same_view "priority ${priority#*:}"
done
check "ours: normal" ours change --passphrase-file "$T/one" --slot 1 --priority normal

# ---- labels and flags of theirs stay ----
check "theirs: label and subsystem" cs config --label 'Hồ sơ' --subsystem 'cơ quan' "$IMG"
check "ours: add" ours add --passphrase-file "$T/one" --new-passphrase-file "$T/three" --new-slot 31 "${FAST_KDF[@]}"
check "they are there" bash -c "cryptsetup luksDump '$IMG' | grep -q 'Label:.*Hồ sơ' && cryptsetup luksDump '$IMG' | grep -q 'cơ quan'"

cp "$IMG" "$T/ignored.img"
for slot in $(cs luksDump --dump-json-metadata "$T/ignored.img" | "$PYTHON" -c 'import json, sys; print(*json.load(sys.stdin)["keyslots"])'); do
	cs config --priority ignore --key-slot "$slot" "$T/ignored.img"
done
check_status 4 "theirs: every key slot is ignored" sealdrive key test "$T/ignored.img" --passphrase-file "$T/one" --accept-header-change
said 'set to be ignored' "nobody takes the drive for erased"

# ---- tokens that nobody here knows ----
cat >"$T/token" <<'JSON'
{"type":"their-own","keyslots":["0","1"],"big":9223372036854775807,"negative":-5,"text":"Hồ sơ \"x\" / \\ \t","list":[1,[2,{"deep":null}],true,false],"empty":{},"number":"18446744073709551615"}
JSON
check "theirs: token import" cs token import --token-id 4 --json-file "$T/token" "$IMG"
theirs=$(token_json 4)
check "ours: change" ours change --passphrase-file "$T/two" --new-passphrase-file "$T/four" "${FAST_KDF[@]}"
check "ours: remove" ours remove --passphrase-file "$T/one" --slot 31
check "ours: priority" ours change --passphrase-file "$T/one" --slot 1 --priority high
is "$(token_json 4)" "$theirs" "their token is the same to the byte"
check "ours: remove a key slot of the token" ours remove --passphrase-file "$T/one" --slot 1
is "$(token_json 4)" "${theirs/\"0\",\"1\"/\"0\"}" "the token does not name it any more, and is else the same"
check "theirs: token remove" cs token remove --token-id 4 "$IMG"
check "theirs: a token of the keyring" cs token add --token-id 2 --key-description some:key --key-slot 0 "$IMG"
theirs=$(token_json 2)
check "ours: change" ours change --passphrase-file "$T/one" --new-passphrase-file "$T/one" "${FAST_KDF[@]}"
is "$(token_json 2)" "$theirs" "it is the same, and still names the key slot"
check "theirs: a key slot that is bound to nothing" cs luksAddKey "${CHEAP[@]}" --unbound --key-size 256 --key-slot 5 "$IMG" "$T/five"
check "ours: list it" ours list
said '^5 +no ' "it does not open the drive"
check_status 3 "ours: it opens nothing" ours test --passphrase-file "$T/five"
check "ours: add beside it" ours add --passphrase-file "$T/one" --new-passphrase-file "$T/six" "${FAST_KDF[@]}"
check "both open the new one" both_open six 1
check "theirs: the other one is whole" cs luksDump --unbound --key-slot 5 --key-file "$T/five" "$IMG"
check "ours: remove it" ours remove --passphrase-file "$T/one" --slot 5
is "$(cs luksDump --dump-json-metadata "$IMG" | "$PYTHON" -c 'import json, sys; print(*json.load(sys.stdin)["digests"])')" 0 \
	"the digest of its key went with it"
check "copies" copies_good

# ---- all key slots ----
for ((i = 0; i < 30; i++)); do
	if [ $((i % 2)) = 0 ]; then
		cs luksAddKey "${CHEAP[@]}" --key-file "$T/one" "$IMG" "$T/two" || break
	else
		ours add --passphrase-file "$T/one" --new-passphrase-file "$T/two" "${FAST_KDF[@]}" >"$T/out" 2>&1 || break
	fi
done
is "$(our_view | wc -l)" 32 "32 key slots, in turns"
same_view "32"
refused 1 "$IMG" "all 32 key slots are in use" "a 33rd is refused" ours add --passphrase-file "$T/one" \
	--new-passphrase-file "$T/three" "${FAST_KDF[@]}"
check "one of them is changed nevertheless" ours change --passphrase-file "$T/one" --slot 17 \
	--new-passphrase-file "$T/three" "${FAST_KDF[@]}"
check "both open it" both_open three 17
check "copies" copies_good
check "theirs: repair finds nothing to do" cs repair "$IMG"

# ---- header sizes and ciphers ----
for options in "--luks2-metadata-size 64k" "--luks2-metadata-size 4m --luks2-keyslots-size 8m" "--luks2-keyslots-size 1m" \
	"-c aes-cbc-essiv:sha256 -s 256" "-s 256" "--sector-size 512"; do
	rm -f "$IMG" && truncate -s 20M "$IMG"
	# shellcheck disable=SC2086
	check "theirs, $options" cs luksFormat --type luks2 "${CHEAP[@]}" $options "$IMG" "$T/one"
	check "ours: add" ours add --passphrase-file "$T/one" --new-passphrase-file "$T/two" "${FAST_KDF[@]}"
	check "both open it" both_open two 1
	check "ours: change" ours change --passphrase-file "$T/one" --new-passphrase-file "$T/three" "${FAST_KDF[@]}"
	check "both open it" both_open three 0
	check "theirs: remove" cs luksKillSlot --key-file "$T/three" "$IMG" 1
	same_view "$options"
done

# ---- a key slots area that is full ----
rm -f "$IMG" && truncate -s 20M "$IMG"
check "theirs: room for two" cs luksFormat --type luks2 "${CHEAP[@]}" --luks2-keyslots-size 516096 "$IMG" "$T/one"
check "ours: the second" ours add --passphrase-file "$T/one" --new-passphrase-file "$T/two" "${FAST_KDF[@]}"
refused 1 "$IMG" "area for key slots is full" "ours: a third is refused" ours add --passphrase-file "$T/one" \
	--new-passphrase-file "$T/three" "${FAST_KDF[@]}"
refused 1 "$IMG" "area for key slots is full" "ours: nothing is changed where the old one would be overwritten" \
	ours change --passphrase-file "$T/one" --new-passphrase-file "$T/three" "${FAST_KDF[@]}"
is "$(ours list --json | "$PYTHON" -c 'import json, sys; print(json.load(sys.stdin)["room"])')" 0 "ours: no room"

# ---- a re-encryption that was begun ----
rm -f "$IMG" && truncate -s 40M "$IMG"
check "a drive" cs luksFormat --type luks2 "${CHEAP[@]}" "$IMG" "$T/one"
check "theirs: begin to re-encrypt" cs reencrypt --init-only "${CHEAP[@]}" --key-file "$T/one" "$IMG"
for command in "add --new-passphrase-file $T/two" "change --new-passphrase-file $T/two" "remove --force"; do
	# shellcheck disable=SC2086
	refused 8 "$IMG" "reencrypt" "ours: refused meanwhile: ${command%% *}" ours $command --passphrase-file "$T/one"
done
done_testing
