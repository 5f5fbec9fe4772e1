#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# LUKS2 headers of cryptsetup opened by keymgr, and the other way round: the same volume key.
. "$(dirname "$0")/lib.sh"
need_command cryptsetup

IMG=$T/a.img
CHEAP=(--pbkdf pbkdf2 --pbkdf-force-iterations 1000)
tool() {
	luks2tool "$@"
}
cs() {
	cryptsetup --disable-locks -q "$@"
}
cs_key() { # IMAGE: the volume key in hexadecimal
	cs luksDump --dump-volume-key --key-file "$PASS" "$1" 2>/dev/null |
		sed -n '/MK dump/,$p' | sed 's/MK dump://' | tr -d ' \t\n'
}
our_key() { # IMAGE [DATA-BYTES]
	tool key "$PASS" "$@" | cut -d ' ' -f 1
}
fresh() { # FILE SIZE
	rm -f "$1" && truncate -s "$2" "$1"
}
same_key() { # WHAT IMAGE [DATA-BYTES]
	local theirs
	theirs=$(cs_key "$2")
	[ -n "$theirs" ] || { not_ok "$1: cryptsetup shows no key"; return; }
	is "$(our_key "${@:2}" 2>&1)" "$theirs" "$1: the same volume key"
}

# ---- theirs, opened by us ----
theirs() { # WHAT [OPTIONS of luksFormat...]
	local what=$1
	shift
	fresh "$IMG" 40M
	cs luksFormat --type luks2 "$@" "$IMG" "$PASS" >"$T/out" 2>&1 || {
		not_ok "$what: cryptsetup cannot make it"
		diag <"$T/out"
		return
	}
	same_key "theirs, $what" "$IMG"
}

theirs "argon2id" --pbkdf argon2id --pbkdf-memory 65536 --pbkdf-force-iterations 4 --pbkdf-parallel 2
theirs "argon2i" --pbkdf argon2i --pbkdf-memory 32768 --pbkdf-force-iterations 4 --pbkdf-parallel 1
theirs "argon2id of 32 KiB" --pbkdf argon2id --pbkdf-memory 32 --pbkdf-force-iterations 5 --pbkdf-parallel 4
for hash in sha1 sha224 sha256 sha384 sha512 ripemd160 sha3-224 sha3-256 sha3-384 sha3-512 \
	blake2b-512 blake2s-256 sm3; do
	theirs "pbkdf2 and splitter with $hash" "${CHEAP[@]}" --hash $hash
done
for hash in whirlpool stribog512 stribog256; do
	fresh "$IMG" 40M
	if cs luksFormat --type luks2 "${CHEAP[@]}" --hash $hash "$IMG" "$PASS" >"$T/out" 2>&1; then
		same_key "theirs, pbkdf2 and splitter with $hash" "$IMG"
	else
		skip "theirs, pbkdf2 and splitter with $hash" "this cryptsetup lacks $hash"
	fi
done
for bits in 256 512; do
	theirs "key of $bits bits" "${CHEAP[@]}" -s $bits
done
for sector in 512 1024 2048 4096; do
	theirs "sectors of $sector" "${CHEAP[@]}" --sector-size $sector
done
theirs "aes-cbc-essiv:sha256" "${CHEAP[@]}" -c aes-cbc-essiv:sha256 -s 256
theirs "aes-cbc-plain64, 128 bits" "${CHEAP[@]}" -c aes-cbc-plain64 -s 128
theirs "aes-xts-plain" "${CHEAP[@]}" -c aes-xts-plain
theirs "keyslot under another cipher" "${CHEAP[@]}" --keyslot-cipher aes-cbc-essiv:sha256 --keyslot-key-size 128
for size in 16k 32k 64k 128k 256k 512k 1m 2m 4m; do
	theirs "headers of $size" "${CHEAP[@]}" --luks2-metadata-size $size
done
theirs "a small keyslots area" "${CHEAP[@]}" --luks2-keyslots-size 512k
theirs "data at 8 MiB" "${CHEAP[@]}" --offset 16384
theirs "labels" "${CHEAP[@]}" --label 'Hồ sơ mật' --subsystem 'cơ quan' \
	--uuid 01234567-89ab-cdef-0123-456789abcdef
is "$(tool info "$IMG" | sed 's/ seqid.*//')" \
	"label=Hồ sơ mật subsystem=cơ quan uuid=01234567-89ab-cdef-0123-456789abcdef" \
	"theirs, labels and UUID are read"

fresh "$IMG" 40M
fresh "$T/header" 20M
check "theirs: a detached header" cs luksFormat --type luks2 "${CHEAP[@]}" --header "$T/header" "$IMG" "$PASS"
same_key "theirs, detached header" "$T/header" $((40 << 20))

fresh "$IMG" 40M
check "theirs: 3 keyslots" cs luksFormat --type luks2 "${CHEAP[@]}" "$IMG" "$PASS"
for pass in second third; do
	printf '%s passphrase' $pass >"$T/$pass"
	cs luksAddKey "${CHEAP[@]}" --key-file "$PASS" "$IMG" "$T/$pass" || exit 99
done
is "$(tool key "$T/third" "$IMG")" "$(cs_key "$IMG") 2" "the third passphrase opens keyslot 2"
head -c 3000 /dev/urandom >"$T/binary"
check "theirs: a binary key file" cs luksAddKey "${CHEAP[@]}" --key-file "$PASS" "$IMG" "$T/binary"
is "$(tool key "$T/binary" "$IMG")" "$(cs_key "$IMG") 3" "a binary key file opens keyslot 3"
check "priorities" cs config --priority ignore --key-slot 2 "$IMG"
check_status 3 "a keyslot to ignore is not tried" tool key "$T/third" "$IMG"
cs luksKillSlot "$IMG" 1 --key-file "$PASS" || exit 99
check_status 3 "a killed keyslot opens nothing" tool key "$T/second" "$IMG"
printf 'wrong' >"$T/wrong"
check_status 3 "a wrong passphrase" tool key "$T/wrong" "$IMG"
check "an unbound key" cs luksAddKey --unbound --key-size 256 "${CHEAP[@]}" --key-file "$PASS" "$IMG" "$T/second"
check_status 3 "an unbound key is not the volume's" tool key "$T/second" "$IMG"
same_key "beside an unbound key" "$IMG"
for slot in 0 3; do
	cs luksKillSlot "$IMG" $slot >"$T/out" 2>&1
done
check_status 4 "no keyslot left" tool key "$PASS" "$IMG"

theirs "before a reencryption" "${CHEAP[@]}"
if cs reencrypt --init-only --key-file "$PASS" "${CHEAP[@]}" --resilience none "$IMG" >"$T/out" 2>&1; then
	check_status 8 "a reencryption in progress is refused" tool key "$PASS" "$IMG"
else
	skip "a reencryption in progress is refused" "cryptsetup cannot start one here"
fi

# ---- ours, opened by them ----
ours() { # WHAT [NAME=VALUE...]
	local what=$1
	shift
	fresh "$IMG" 40M
	check "ours, $what" tool format "$PASS" "$IMG" "$@" || return
	check "ours, $what: luksDump" cs luksDump "$IMG"
	check "ours, $what: opens" cs open --test-passphrase --key-file "$PASS" "$IMG"
	check_status 2 "ours, $what: not with another passphrase" \
		cs open --test-passphrase --key-file "$T/wrong" "$IMG"
	same_key "ours, $what" "$IMG"
}

ours "pbkdf2"
ours "argon2id" kdf=argon2id time=4 memory=65536 cpus=2
ours "argon2i" kdf=argon2i time=4 memory=32 cpus=1
ours "sha512" hash=sha512
ours "256-bit key" key=32
ours "sectors of 512" sector=512
ours "sectors of 2048" sector=2048
ours "cbc" cipher=aes-cbc-essiv:sha256
ours "largest headers" metadata=$((4 << 20))
ours "headers of 64 KiB, keyslots of 1 MiB" metadata=65536 keyslots=$((1 << 20))
ours "data at 32 MiB" offset=$((32 << 20))
ours "labels" label='Ổ đĩa mật' subsystem=sealdrive uuid=01234567-89ab-cdef-0123-456789abcdef
cs luksDump "$IMG" >"$T/dump"
check "ours, labels are shown" grep -q 'Label:.*Ổ đĩa mật' "$T/dump"
check "ours, UUID is shown" grep -q 'UUID:.*01234567-89ab-cdef-0123-456789abcdef' "$T/dump"
cp "$IMG" "$T/grown"
check "ours, cryptsetup adds a key" cs luksAddKey "${CHEAP[@]}" --key-file "$PASS" "$IMG" "$T/third"
check_status 4 "ours, which we notice" tool key "$T/third" "$IMG"
said 'key slot 1 was added' "... and name"
is "$(tool key-changed "$T/third" "$IMG")" "$(our_key "$T/grown") 1" "ours, and its passphrase opens for us"

ours "default geometry"
cs luksDump "$IMG" >"$T/dump"
fresh "$T/b.img" 40M
cs luksFormat --type luks2 "${CHEAP[@]}" --sector-size 4096 "$T/b.img" "$PASS"
cs luksDump "$T/b.img" >"$T/dump2"
usual() {
	grep -E 'Metadata|Keyslots area|offset|length|cipher|sector|Key:|Cipher|AF|Area|Priority|Digest ID' "$1"
}
is "$(usual "$T/dump")" "$(usual "$T/dump2")" "ours has the geometry of theirs"

fresh "$T/header" 16M
check "ours, detached header" tool format "$PASS" "$T/header" detached=1 data=$((100 << 20))
same_key "ours, detached header" "$T/header" $((100 << 20))

# The real default: calibrated, within its limits, and it opens.
fresh "$IMG" 40M
check "ours, default key derivation" tool format "$PASS" "$IMG" default=1 iter-time=200
check "... opens" cs open --test-passphrase --key-file "$PASS" "$IMG"
cs luksDump "$IMG" >"$T/dump"
check "... is argon2id" grep -q 'PBKDF: *argon2id' "$T/dump"
memory=$(sed -n 's/.*Memory: *//p' "$T/dump") time=$(sed -n 's/.*Time cost: *//p' "$T/dump")
check "... of 32 KiB to 1 GiB ($memory KiB)" test "$memory" -ge 32 -a "$memory" -le 1048576
check "... of at least 4 passes ($time)" test "$time" -ge 4

# ---- a header of ours over one of theirs: nothing old comes back ----
fresh "$IMG" 40M
cs luksFormat --type luks2 "${CHEAP[@]}" --luks2-metadata-size 4m "$IMG" "$PASS"
check "ours over theirs with large headers" tool format "$T/third" "$IMG"
dd if=/dev/zero of="$IMG" bs=32k count=1 conv=notrunc status=none
check_status 1 "both our copies gone: cryptsetup finds no other" cs luksDump "$IMG"
check_status 4 "... and neither do we" tool info "$IMG"

# ---- not enough room ----
fresh "$IMG" 10M
check_status 1 "too small a drive is refused" tool format "$PASS" "$IMG"
is "$(tr -d '\0' <"$IMG" | wc -c)" 0 "... and not written to"
done_testing
