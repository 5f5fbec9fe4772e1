# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# What all system tests share: TAP, a temporary folder that cleans up after itself, drives and
# containers, an ordinary user, loop devices, judges from outside the project.
#
#	. "$(dirname "$0")/lib.sh"
#	check "a container is made" new_drive $T/a.img 64M
#	done_testing
#
# A test is parallel-safe: it works in its own $T, and its daemons' sockets are there too. A test
# that dies before done_testing prints no plan, which the TAP driver reports as an error.

set -u
exec </dev/null 2>&1
LC_ALL=C.UTF-8
unset LANGUAGE
umask 022

top_srcdir=$(cd "${top_srcdir:-$(dirname "${BASH_SOURCE[0]}")/..}" && pwd)
top_builddir=$(cd "${top_builddir:-$top_srcdir/build}" && pwd)
PATH=$top_builddir:$PATH:/usr/sbin:/sbin
SEALDRIVE=$top_builddir/sealdrive
JUDGE=$top_srcdir/tests/judge
PYTHON=/usr/bin/python3
[ -x $PYTHON ] || PYTHON=python3
export LC_ALL PATH top_srcdir top_builddir

# A key derivation that costs nothing: these tests are about everything else.
FAST_KDF=(--pbkdf pbkdf2 --iterations 1000)

# ---- TAP --------------------------------------------------------------------------------------

tap_count=0

diag() { # [TEXT]: the arguments, or standard input, as comments
	if [ $# -gt 0 ]; then
		printf '# %s\n' "$*"
	else
		sed 's/^/# /'
	fi
}

ok() { # DESCRIPTION
	tap_count=$((tap_count + 1))
	printf 'ok %d - %s\n' $tap_count "$1"
}

not_ok() { # DESCRIPTION
	tap_count=$((tap_count + 1))
	printf 'not ok %d - %s\n' $tap_count "$1"
}

skip() { # DESCRIPTION REASON
	tap_count=$((tap_count + 1))
	printf 'ok %d - %s # SKIP %s\n' $tap_count "$1" "$2"
}

skip_all() { # REASON
	printf '1..0 # SKIP %s\n' "$1"
	exit 0
}

is() { # GOT WANTED DESCRIPTION
	if [ "$1" = "$2" ]; then
		ok "$3"
	else
		not_ok "$3"
		diag "got:    $1"
		diag "wanted: $2"
		return 1
	fi
}

# Runs a command and wants exit status 0; its output is shown only when it fails, and stays in
# $T/out until the next one.
check() { # DESCRIPTION COMMAND...
	check_status 0 "$@"
}

check_status() { # STATUS DESCRIPTION COMMAND...
	local want=$1 what=$2 got
	shift 2
	"$@" >"$T/out" 2>&1
	got=$?
	if [ $got -eq "$want" ]; then
		ok "$what"
		return 0
	fi
	not_ok "$what"
	diag "command: $*"
	diag "exit status $got, wanted $want; output:"
	tail -n 40 "$T/out" | diag
	return 1
}

# The command must fail with STATUS, leave TARGET as it was, and say on standard error: the
# target's name, PATTERN (extended regular expression), and a second line with what to do.
refused() { # STATUS TARGET PATTERN DESCRIPTION COMMAND...
	local status=$1 target=$2 pattern=$3 what=$4 before='' got bad=''
	shift 4
	[ -f "$target" ] && before=$(unchanged_sum "$target")
	"$@" >"$T/out" 2>"$T/err"
	got=$?
	[ $got -eq "$status" ] || bad="exit status $got, wanted $status"
	grep -qF "${target##*/}" "$T/err" || bad="$bad; the message does not name the target"
	grep -qiE "$pattern" "$T/err" || bad="$bad; the message does not say: $pattern"
	[ "$(tr -d '\n' <"$T/err" | wc -c)" -gt 60 ] || bad="$bad; no remedy"
	[ ! -s "$T/out" ] || bad="$bad; something on standard output"
	if [ -n "$before" ]; then
		[ "$(unchanged_sum "$target")" = "$before" ] || bad="$bad; TARGET CHANGED"
	elif [ -e "$target" ] && [ ! -d "$target" ] && [ ! -c "$target" ]; then
		bad="$bad; the target was created"
	fi
	if [ -z "$bad" ]; then
		ok "$what"
	else
		not_ok "$what"
		diag "${bad#; }"
		diag "command: $*"
		cat "$T/out" "$T/err" | diag
	fi
}

# What nothing that follows makes sense without.
must() { # DESCRIPTION COMMAND...
	check "$@" && return 0
	printf 'Bail out! %s\n' "$1"
	exit 1
}

# The command before, in check or check_status, has said this (extended regular expression).
said() { # PATTERN DESCRIPTION
	if grep -qiE -e "$1" "$T/out"; then
		ok "$2"
	else
		not_ok "$2"
		diag "it did not say: $1"
		tail -n 20 "$T/out" | diag
	fi
}

done_testing() {
	if compgen -G "$T/reports/*" >/dev/null; then
		not_ok "the sanitizers found nothing"
		head -n 60 "$T"/reports/* | diag
	fi
	printf '1..%d\n' $tap_count
	exit 0
}

# ---- temporary folder ---------------------------------------------------------------------------

T=$(mktemp -d "${TMPDIR:-/tmp}/sealdrive-test.XXXXXX") || exit 99
chmod 755 "$T"
mkdir -m 700 "$T/home" "$T/run"
HOME=$T/home
XDG_RUNTIME_DIR=$T/run
export T HOME XDG_RUNTIME_DIR
PASS=$T/pass
# A daemon's standard error is nowhere: a build with sanitizers reports into files, which
# done_testing looks for. (The leak check needs a process that may be traced, which ours may not.)
mkdir "$T/reports" && chmod 1777 "$T/reports"
export ASAN_OPTIONS="detect_leaks=0:handle_abort=1:log_path=$T/reports/asan" UBSAN_OPTIONS="print_stacktrace=1:log_path=$T/reports/ubsan"
export TSAN_OPTIONS="log_path=$T/reports/tsan"
(umask 077 && printf "correct horse 9" >"$PASS")

mounts_below() { # DIR: its mount points, innermost first
	awk -v top="$1/" 'index($5, top) == 1 { print $5 }' /proc/self/mountinfo | tac
}

loops_below() { # DIR
	losetup -l -n -O NAME,BACK-FILE 2>/dev/null | awk -v top="$1/" 'index($2, top) == 1 { print $1 }'
}

# One test can be stopped at any place; nothing of it may stay mounted or attached.
test_cleanup() {
	local m pid
	for m in $(mounts_below "$T"); do
		umount "$m" 2>/dev/null || fusermount3 -u "$m" 2>/dev/null ||
			umount -l "$m" 2>/dev/null || fusermount3 -u -z "$m" 2>/dev/null
	done
	for m in $(loops_below "$T"); do
		losetup -d "$m"
	done
	for pid in $(daemons); do
		wait_gone "$pid" 10 || kill -KILL "$pid"
	done
	rm -rf --one-file-system "$T"
}
trap test_cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# Process ids of the sealdrive daemons that this test started (they hold something of $T).
daemons() {
	local p
	for p in /proc/[0-9]*; do
		{
			[ "$(<"$p/comm")" = sealdrive ] &&
				tr '\0' '\n' <"$p/environ" | grep -qxF "T=$T" && echo "${p#/proc/}"
		} 2>/dev/null
	done
	return 0
}

wait_gone() { # PID SECONDS
	local i
	for ((i = 0; i < $2 * 10; i++)); do
		[ -d "/proc/$1" ] || return 0
		sleep 0.1
	done
	return 1
}

# Where random tests begin: the same for everybody, so that what failed here fails there; SEALDRIVE_SEED
# gives another one, and the long forms take one that nobody has tried.
test_seed() {
	if [ -n "${SEALDRIVE_SEED:-}" ]; then
		echo "$SEALDRIVE_SEED"
	elif [ -n "${SEALDRIVE_LONG:-}" ]; then
		date +%s
	else
		echo 2026
	fi
}

kernel_before() { # VERSION
	[ "$(printf '%s\n' "$1" "$(uname -r)" | sort -V | head -n 1)" != "$1" ]
}

is_root() {
	[ "$(id -u)" = 0 ]
}

need_root() { # REASON
	is_root || skip_all "needs root: $1"
}

need_command() { # COMMAND...
	local c
	for c; do
		command -v "$c" >/dev/null || skip_all "$c is not installed"
	done
}

# ---- ordinary user ------------------------------------------------------------------------------

if is_root; then
	USER_ID=$(id -u nobody)
	USER_GROUP=$(id -g nobody)
else
	USER_ID=$(id -u)
	USER_GROUP=$(id -g)
fi

# Every distribution lets users open /dev/fuse; a bare test machine may not.
fuse_ready() {
	[ -c /dev/fuse ] || return 1
	command -v fusermount3 >/dev/null || return 1
	if is_root && [ -z "$(find /dev/fuse -perm -666)" ]; then
		chmod 666 /dev/fuse
	fi
	return 0
}

need_fuse() {
	fuse_ready || skip_all "no /dev/fuse or no fusermount3 here"
	[ -r /dev/fuse ] && [ -w /dev/fuse ] || skip_all "no permission to open /dev/fuse"
}

# Makes $T/user: a home, a runtime folder, and the program where the user may run it (the build
# may lie in a folder that only its owner can enter).
user_ready() {
	[ -d "$T/user" ] && return 0
	mkdir -p "$T/user/home" "$T/user/run" "$T/user/bin" || return 1
	cp "$SEALDRIVE" "$T/user/bin/" || return 1
	cp "$PASS" "$T/user/pass" || return 1
	chmod 700 "$T/user/home" "$T/user/run"
	if is_root; then
		chown -R "$USER_ID:$USER_GROUP" "$T/user" || return 1
	fi
	return 0
}

as_user() { # COMMAND...: without any privilege, with a home and a runtime folder of its own
	user_ready || return 99
	local env=(env -i T="$T" ASAN_OPTIONS="$ASAN_OPTIONS" UBSAN_OPTIONS="$UBSAN_OPTIONS" TSAN_OPTIONS="$TSAN_OPTIONS" HOME="$T/user/home" XDG_RUNTIME_DIR="$T/user/run" LC_ALL="$LC_ALL"
		PATH="$T/user/bin:/usr/sbin:/usr/bin:/sbin:/bin")
	if is_root; then
		(cd "$T/user" && setpriv --reuid="$USER_ID" --regid="$USER_GROUP" --clear-groups \
			--inh-caps=-all "${env[@]}" "$@")
	else
		(cd "$T/user" && "${env[@]}" "$@")
	fi
}

# ---- drives -------------------------------------------------------------------------------------

new_drive() { # FILE SIZE [OPTIONS OF format...]
	local file=$1 size=$2
	shift 2
	sealdrive format "$file" --size "$size" --passphrase-file "$PASS" "${FAST_KDF[@]}" "$@"
}

drive_mount() { # TARGET DIR [OPTIONS OF mount...]
	local target=$1 dir=$2
	shift 2
	mkdir -p "$dir" && sealdrive mount "$target" "$dir" --passphrase-file "$PASS" "$@"
}

drive_unmount() { # DIR
	sealdrive unmount "$1"
}

is_mounted() { # DIR
	grep -qF " ${1// /\\040} " <(cut -d' ' -f 4-6 /proc/self/mountinfo)
}

# Decrypts the data of a drive with none of our code.
plain_of() { # IMAGE OUT [--header FILE] [--skip-holes]
	local image=$1 out=$2
	shift 2
	"$PYTHON" "$JUDGE/luks-plain.py" "$@" decrypt "$image" "$PASS" "$out"
}

# The same of a drive in use: as whoever opens it after a power failure finds it.
replayed_plain_of() { # IMAGE OUT
	plain_of "$1" "$2" || return 1
	e2fsck -fy "$2" >/dev/null 2>&1
	[ $? -le 1 ]
}

# Is a file system image perfect? e2fsck finds nothing, and the counters of the super block are
# the sums of the groups' counters (e2fsck would silently correct those).
judge_plain() { # PLAIN
	local out
	out=$(e2fsck -fn "$1" 2>&1) || { printf '%s\n' "$out"; return 1; }
	dumpe2fs "$1" 2>/dev/null | awk -F': *' '
		/^Free blocks:/ && !seen { sb_blocks = $2; have++ }
		/^Free inodes:/ && !seen { sb_inodes = $2; have++ }
		/^Group 0:/ { seen = 1 }
		/^  [0-9]+ free blocks, [0-9]+ free inodes/ {
			split($0, f, /[ ,]+/); blocks += f[2]; inodes += f[5]; groups++
		}
		END {
			if (have != 2 || !groups) { print "dumpe2fs output not understood"; exit 1 }
			if (sb_blocks != blocks || sb_inodes != inodes) {
				printf "super block counts %d blocks, %d inodes free; groups %d, %d\n",
					sb_blocks, sb_inodes, blocks, inodes
				exit 1
			}
		}'
}

judge() { # IMAGE [OPTIONS OF plain_of...]: decrypt and judge; leaves nothing behind
	local plain=$T/judge.plain image=$1 result
	shift
	plain_of "$image" "$plain" "$@" && judge_plain "$plain"
	result=$?
	rm -f "$plain"
	return $result
}

# ---- the kernel's ext4 --------------------------------------------------------------------------

loop_mount() { # PLAIN DIR [OPTIONS]: needs have_loop
	local try
	mkdir -p "$2"
	for try in 1 2 3 4 5 6; do # parallel tests share the few loop devices
		mount -t ext4 -o "loop${3:+,$3}" "$1" "$2" && return 0
		sleep $try
	done
	return 1
}

have_loop() {
	[ -n "${loop_works:-}" ] || {
		loop_works=no
		if is_root && [ -e /dev/loop-control ]; then
			truncate -s 4M "$T/loop.img" && mke2fs -q -t ext4 "$T/loop.img" &&
				mount -t ext4 -o loop "$T/loop.img" "$T/run" 2>/dev/null &&
				umount "$T/run" && loop_works=yes
			rm -f "$T/loop.img"
		fi
	}
	[ $loop_works = yes ]
}

NO_LOOP="needs root, a loop device and the kernel's ext4"

# ---- comparing trees ----------------------------------------------------------------------------

# Everything that a tree shows but its bytes: type, mode, owner, size (not of folders), time, links.
tree_list() { # DIR
	(cd "$1" && find . -mindepth 1 \( -name lost+found -prune \) -o \
		\( -type d -printf '%P|%y|%m|%U:%G|%T@\n' -o \
		-printf '%P|%y|%m|%U:%G|%s|%T@|%n|%l\n' \)) | sort
}

tree_names() { # DIR: names, types and sizes only
	(cd "$1" && find . -mindepth 1 \( -name lost+found -prune \) -o \
		\( -type d -printf '%P|d\n' -o -printf '%P|%y|%s|%l\n' \)) | sort
}

tree_sums() { # DIR
	(cd "$1" && find . -name lost+found -prune -o -type f -print0 | sort -z | xargs -0 -r b2sum -l 160)
}

same_output() { # COMMAND DIR1 DIR2
	diff <("$1" "$2") <("$1" "$3") >"$T/same" && return 0
	head -n 20 "$T/same"
	return 1
}

# A small tree with everything that a file system can hold, the same at every call.
fill_tree() { # DIR
	local d=$1 i deep
	mkdir -p "$d/folder/sub" "$d/sticky" "$d/Hồ sơ/Tài liệu mật" || return 1
	for i in 0 1 511 512 4095 4096 4097 65536 1048579; do
		pattern $i "$i" >"$d/size-$i" || return 1
	done
	printf 'Công văn số 12/2024' >"$d/Hồ sơ/Tài liệu mật/Công văn số 12 (đã ký).txt"
	printf x >"$d/$(printf 'n%.0s' {1..255})"
	printf y >"$d/$(printf 'ế%.0s' {1..85})" # 255 bytes
	pattern 100000 7 >"$d/sparse" && truncate -s 9000000 "$d/sparse" &&
		pattern 5000 8 | dd of="$d/sparse" bs=1000 seek=5000 conv=notrunc status=none &&
		truncate -s 3000000 "$d/all-hole" || return 1
	ln -s size-1 "$d/link-fast" && ln -s "$(printf 'long/%.0s' {1..50})" "$d/link-slow" &&
		ln -s /nonexistent "$d/link-dangling" && ln "$d/size-512" "$d/folder/hard-1" &&
		ln "$d/size-512" "$d/folder/sub/hard-2" && mkfifo "$d/fifo" || return 1
	deep=$d/deep
	for i in {1..20}; do
		deep=$deep/level-$i
	done
	mkdir -p "$deep" && echo bottom >"$deep/bottom" || return 1
	for i in {1..300}; do
		echo "$i" >"$d/folder/file-$i" || return 1
	done
	chmod 4755 "$d/size-1" && chmod 400 "$d/size-4096" && chmod 1777 "$d/sticky" &&
		chmod 2750 "$d/folder" || return 1
	find "$d" -mindepth 1 -depth -exec touch -h -d '2021-02-03 04:05:06.123456789' {} + &&
		touch -h -d '1965-04-03 02:01:00.5' "$d/size-0" &&
		touch -h -d '2100-01-01 00:00:00.999999999' "$d/size-4097"
}

# LENGTH bytes that differ all along and from SEED to SEED.
pattern() { # LENGTH SEED
	"$PYTHON" -c 'import random, sys; r = random.Random(int(sys.argv[2]))
sys.stdout.buffer.write(r.randbytes(int(sys.argv[1])))' "$1" "$2"
}

# Where the data of sparse files is.
tree_holes() { # DIR
	"$PYTHON" - "$1" <<'PY'
import os, sys
for folder, dirs, files in os.walk(sys.argv[1]):
    dirs.sort()
    for name in sorted(files):
        path = os.path.join(folder, name)
        st = os.lstat(path)
        if (st.st_mode & 0o170000) != 0o100000 or st.st_blocks * 512 >= st.st_size:
            continue
        try:
            fd, at, runs = os.open(path, os.O_RDONLY), 0, []
        except PermissionError:
            continue
        while True:
            try:
                start = os.lseek(fd, at, os.SEEK_DATA)
            except OSError:
                break
            at = os.lseek(fd, start, os.SEEK_HOLE)
            runs.append((start, at))
        os.close(fd)
        print(os.path.relpath(path, sys.argv[1]), runs)
PY
}

unchanged_sum() { # FILE: fingerprint of content, size and time of change
	printf '%s %s' "$(b2sum -l 160 <"$1")" "$(stat -c '%s %Y %a' "$1")"
}
