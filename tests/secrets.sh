#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# No byte of a key or passphrase where it does not belong: the daemon's memory while it serves and
# when it ends, core dumps, command lines, the environment, files, output.
. "$(dirname "$0")/lib.sh"
need_fuse
need_command cryptsetup
scan() {
	"$PYTHON" "$JUDGE/memory-scan.py" "$@"
}
the_daemon() { # the process id of the only daemon of this test
	local pids
	mapfile -t pids < <(daemons)
	[ ${#pids[@]} = 1 ] && echo "${pids[0]}"
}

# Long and unmistakable, so that a finding is no accident; and new each time, because this file is
# itself among those that are copied to the drive and pass through the daemon's buffers.
random() {
	od -An -tx1 -N8 /dev/urandom | tr -d ' \n'
}
phrase="Kh0ng-ai-biet-$(random)"
printf '%s\n' "$phrase" >"$T/line.pass"
printf '%s' "$phrase" >"$PASS"
mkdir "$T/mnt" "$T/said"
say() { # COMMAND...: keeps all that it prints
	"$@" >>"$T/said/output" 2>&1
}
must "format" say sealdrive format "$T/a.img" --size 64M --label Secret \
	--passphrase-file "$T/line.pass" "${FAST_KDF[@]}"
check "the volume key, by cryptsetup" cryptsetup --disable-locks luksDump --batch-mode \
	--dump-volume-key --volume-key-file "$T/key" --key-file "$PASS" "$T/a.img"
is "$(stat -c %s "$T/key")" 64 "it has 512 bits"

# The tool must find what is there: a process that holds key and passphrase.
"$PYTHON" -c 'import sys, time
held = [open(f, "rb").read() for f in sys.argv[1:]]
time.sleep(60)' "$T/key" "$T/line.pass" &
holder=$!
sleep 1
if is_root; then
	check_status 1 "the scan finds secrets where they are" scan $holder "$T/key" "$T/line.pass"
	is "$(grep -c '^key\[' "$T/out"),$(grep -c '^line.pass' "$T/out")" 4,1 "... each of them"
fi
kill $holder

must "mount" say sealdrive mount "$T/a.img" "$T/mnt" --passphrase-file "$T/line.pass"
pid=$(the_daemon)
check "one daemon serves it (${pid:-none})" test -n "$pid" || { done_testing; }
check "work" cp -r "$top_srcdir/tests" "$T/mnt/"

check "no core dumps" bash -c 'grep -E "^Max core file size +0 +0 " "/proc/$1/limits"' - "$pid"
check_status 1 "nothing secret in its command line" grep -qF "$phrase" "/proc/$pid/cmdline"
if is_root; then
	check_status 1 "nothing secret in its environment" grep -qF "$phrase" "/proc/$pid/environ"
	check "no passphrase in its memory while it serves" scan "$pid" "$T/line.pass" || diag <"$T/out"
	check "no key outside locked memory while it serves" scan --locked-ok "$pid" "$T/key" || diag <"$T/out"
else
	skip "memory while it serves" "needs root to look"
fi

# Keys that change while the drive is mounted do not go through the daemon.
(umask 077 && printf 'Mot-cau-moi-%s' "$(random)" >"$T/new.pass")
check "a new passphrase" say sealdrive key add "$T/a.img" --passphrase-file "$T/line.pass" \
	--new-passphrase-file "$T/new.pass" "${FAST_KDF[@]}"
if is_root; then
	check "neither is in the daemon's memory" scan "$pid" "$T/line.pass" "$T/new.pass" || diag <"$T/out"
	check "no key outside locked memory" scan --locked-ok "$pid" "$T/key" || diag <"$T/out"
fi

# The user's own programs may not look into it.
user_ready
cp "$T/a.img" "$T/user/b.img"
cp "$T/line.pass" "$T/user/"
is_root && chown -R "$USER_ID:$USER_GROUP" "$T/user"
check "mount as an ordinary user" as_user sealdrive mount "$T/user/b.img" --passphrase-file "$T/user/line.pass"
theirs=$(daemons | grep -vx "$pid")
check "its daemon (${theirs:-none})" test -n "$theirs"
check_status 1 "its memory is closed to the same user" as_user cat "/proc/$theirs/mem"
said 'permission denied' "... because it is not dumpable"
check_status 1 "so is its environment" as_user cat "/proc/$theirs/environ"
check "unmount" as_user sealdrive unmount "$T/user/b.img"

if is_root; then
	check "no key and no passphrase in its memory when it ends" \
		scan --at-exit "$pid" "$T/key" "$T/line.pass" -- sealdrive unmount "$T/mnt" || diag <"$T/out"
	check "the same after SIGTERM: mount" say sealdrive mount "$T/a.img" "$T/mnt" --passphrase-file "$T/line.pass"
	pid=$(the_daemon)
	check "no key and no passphrase in its memory when it ends" \
		scan --at-exit "$pid" "$T/key" "$T/line.pass" -- kill -TERM "$pid" || diag <"$T/out"
else
	skip "memory at the end" "needs root to look"
	check "unmount" say sealdrive unmount "$T/mnt"
fi

# The commands say nothing secret, whatever happens.
printf 'Kh0ng-phai-cau-nay-55' >"$T/wrong.pass"
say sealdrive mount "$T/a.img" "$T/mnt" --passphrase-file "$T/wrong.pass"
say sealdrive info "$T/a.img"
say sealdrive info --json "$T/a.img"
say sealdrive status
for text in "$phrase" Kh0ng-phai "$(od -An -tx1 "$T/key" | tr -d ' \n' | cut -c1-40)" "$(base64 -w0 "$T/key" | cut -c1-40)"; do
	check_status 1 "not in the output: ${text:0:6}..." grep -rqF -e "$text" "$T/said" "$T/run"
done
check_status 1 "no raw piece of the key in the output" "$PYTHON" -c 'import sys
key, data = open(sys.argv[1], "rb").read(), open(sys.argv[2], "rb").read()
sys.exit(not any(key[i:i + 8] in data for i in range(56)))' "$T/key" "$T/said/output"
check_status 1 "nor in the container" "$PYTHON" -c 'import sys
key, data = open(sys.argv[1], "rb").read(), open(sys.argv[2], "rb").read()
sys.exit(not any(key[i:i + 8] in data for i in range(56)))' "$T/key" "$T/a.img"
check_status 1 "no passphrase in the container" grep -qaF "$phrase" "$T/a.img"

# A daemon that crashes leaves no core, and its mount can be taken away.
must "mount" say sealdrive mount "$T/a.img" "$T/mnt" --passphrase-file "$T/line.pass"
pid=$(the_daemon)
kill -SEGV "$pid"
check "it is gone" wait_gone "$pid" 10
is "$(find "$T" -xdev -name 'core*' -size +0 | wc -l)" 0 "no core file"
check "unmount of what is left" sealdrive unmount "$T/mnt"
check_status 1 "nothing is mounted" is_mounted "$T/mnt"
done_testing
