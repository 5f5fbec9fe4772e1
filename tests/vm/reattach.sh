#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# USB sticks of a virtual machine are pulled out in mid-write under our daemon: put back in time, nothing
# fails and nothing is lost; changed meanwhile, too late or not at all, programs get errors, and what was
# synced is there. SEALDRIVE_LONG=1: more often.
. "$(dirname "$0")/lib.sh"
need_vm
need_fuse
need_command cryptsetup e2fsck dumpe2fs
rounds=4
[ -z "${SEALDRIVE_LONG:-}" ] || rounds=25
mkdir "$T/guest"

# What the guest's scripts share.
cat >"$T/guest/stick.sh" <<'E2'
. "$top_srcdir/tests/vm/guest.sh"
set +E
node() { # usbN: the device it is now; fails when it is not plugged in
	local block dir
	for block in /sys/block/sd*; do
		dir=$(readlink -f "$block/device") || continue
		while [ -n "$dir" ] && [ ! -e "$dir/serial" ]; do dir=${dir%/*}; done
		[ "$(cat "$dir/serial" 2>/dev/null)" = "VM$1" ] && [ "$(cat "$block/size" 2>/dev/null)" -gt 0 ] &&
			[ -b "/dev/${block##*/}" ] && echo "/dev/${block##*/}" && return 0
	done
	return 1
}
wait_for() { # SECONDS COMMAND...
	local i n=$1
	shift
	for ((i = 0; i < n * 20; i++)); do
		"$@" >/dev/null && return 0
		sleep 0.05
	done
	echo "waited in vain: $*"
	return 1
}
not_there() { ! node "$1"; }
pull() { echo "@@UNPLUG ${1#usb}@@" && wait_for 60 not_there "$1"; }
plug() { echo "@@REPLUG ${1#usb}@@" && wait_for 60 node "$1"; }
member() { # NAME
	sealdrive status --json | "$PYTHON" -c 'import json, sys
print(json.load(sys.stdin)["drives"][0][sys.argv[1]])' "$1"
}
wait_member() { # NAME VALUE
	local i
	for i in {1..300}; do
		[ "$(member "$1")" = "$2" ] && return 0
		sleep 0.1
	done
	echo "$1 did not become $2: $(sealdrive status)"
	return 1
}
# Files, each synced, for as long as $T/stop is not there; fails at the first error.
write_files() { # DIR
	"$PYTHON" - "$1" "$T/stop" <<'PY'
import os, sys
folder, stop = sys.argv[1:]
os.mkdir(folder)
n = 0
while not os.path.exists(stop):
    fd = os.open("%s/%d" % (folder, n), os.O_WRONLY | os.O_CREAT, 0o600)
    os.write(fd, b"%08d" % n * (1 + n * 977 % 40000))
    if n % 3 == 0:
        os.fsync(fd)
    os.close(fd)
    if n % 7 == 6:
        os.unlink("%s/%d" % (folder, n - 3))
    n += 1
    print(n, flush=True)
PY
}
check_files() { # DIR COUNT
	"$PYTHON" - "$1" "$2" <<'PY'
import os, sys
folder, count = sys.argv[1], int(sys.argv[2])
for n in range(count):
    path = "%s/%d" % (folder, n)
    gone = (n + 3) % 7 == 6 and n + 3 < count
    if gone != (not os.path.exists(path)):
        sys.exit("%s: %s" % (path, "still there" if gone else "lost"))
    if not gone and open(path, "rb").read() != b"%08d" % n * (1 + n * 977 % 40000):
        sys.exit("%s: other content" % path)
print("%d files are right" % count)
PY
}
E2

must "format" new_drive "$T/a.img" 96M
cp "$T/a.img" "$T/fresh.img"

# ---- put back in time
check "pulled out in mid-write $rounds times and put back" guest --timeout $((200 + 20 * rounds)) --usb "$T/a.img" <<-G
	. "\$OUT/stick.sh"
	drive_mount "\$(node usb0)" "\$T/mnt"
	for ((round = 0; round < $rounds; round++)); do
		rm -f "\$T/stop"
		write_files "\$T/mnt/round-\$round" >"\$T/written" & writer=\$!
		sleep 0.\$((round * 37 % 9))5
		pull usb0
		sleep \$((round % 3))
		plug usb0
		wait_member away False
		sleep 1
		touch "\$T/stop"
		wait \$writer
		n=\$(tail -n 1 "\$T/written")
		echo "round \$round: \$n files, \$(node usb0), status says \$(member target)"
		[ "\$(member error)" = "" ]
		[ "\$(member target)" = "\$(node usb0)" ]
		check_files "\$T/mnt/round-\$round" "\$n"
		[ \$round -lt 1 ] || rm -r "\$T/mnt/round-\$((round - 1))"
	done
	cp "\$T/written" "\$OUT/written"
	sealdrive unmount "\$(node usb0)"
	umount "\$T/mnt" 2>/dev/null && exit 3
	exit 0
G
grep '^round' "$T/out" | diag
check "perfect" judge "$T/a.img"
must "we open it here" drive_mount "$T/a.img" "$T/mnt"
check "all files of the last round are there" test "$(find "$T/mnt/round-$((rounds - 1))" -type f | wc -l)" -gt 3
check "unmount" drive_unmount "$T/mnt"

# ---- not at all, too late, given up
cp "$T/fresh.img" "$T/a.img"
check "not put back: errors, unmounted at once; put back later: mounted again" guest --usb "$T/a.img" <<-G
	. "\$OUT/stick.sh"
	drive_mount "\$(node usb0)" "\$T/mnt" --grace 3
	write_files "\$T/mnt/late" >"\$T/written" 2>/dev/null & writer=\$!
	sleep 1.5
	pull usb0
	! wait \$writer
	timeout 20 ls -lR "\$T/mnt" >/dev/null 2>&1 || [ \$? -ne 124 ]
	status=0; timeout 20 sealdrive unmount "\$T/mnt" || status=\$?
	[ \$status -eq 7 ]
	! is_mounted "\$T/mnt"
	[ -z "\$(daemons)" ]
	plug usb0
	drive_mount "\$(node usb0)" "\$T/mnt"
	# what was synced before the cable was pulled: every third file but those that were removed
	n=\$(tail -n 1 "\$T/written")
	for ((i = 0; i < n; i += 3)); do
		[ \$(((i + 3) % 7)) -eq 6 ] || [ -s "\$T/mnt/late/\$i" ]
	done
	echo "round: \$n files were written until then"

	write_files "\$T/mnt/given-up" >"\$T/written" 2>/dev/null & writer=\$!
	sleep 1
	pull usb0
	wait_member away True
	status=0; timeout 30 sealdrive unmount --give-up "\$T/mnt" || status=\$?
	[ \$status -eq 7 ]
	! wait \$writer
	! is_mounted "\$T/mnt"
G
check "we open it here" drive_mount "$T/a.img" "$T/mnt"
check "unmount" drive_unmount "$T/mnt"
check "perfect" judge "$T/a.img"

# ---- another stick, and the right one used elsewhere
cp "$T/fresh.img" "$T/a.img"
check "another stick is not taken, nor is the right one after it was changed" guest --usb "$T/a.img" --usb "$T/fresh.img" <<-G
	. "\$OUT/stick.sh"
	pull usb1
	drive_mount "\$(node usb0)" "\$T/mnt" --grace 40
	write_files "\$T/mnt/files" >"\$T/written" 2>/dev/null & writer=\$!
	sleep 1
	pull usb0
	wait_member away True
	# the same header, but another state: a copy made earlier
	plug usb1
	for i in {1..100}; do [ -z "\$(member refused)" ] || break; sleep 0.1; done
	[ -n "\$(member refused)" ]
	[ "\$(member away)" = True ]
	# somebody uses the right one while it is away
	pull usb1
	kill -STOP \$(daemons | head -n 1)
	plug usb0
	kernel_mount "\$(node usb0)" "\$T/kernel"
	echo used >"\$T/kernel/elsewhere"
	kernel_unmount "\$T/kernel"
	before=\$(sha1sum <"\$(node usb0)")
	kill -CONT \$(daemons | head -n 1)
	sleep 3
	[ "\$(member away)" = True ]
	[ "\$(sha1sum <"\$(node usb0)")" = "\$before" ]
	status=0; timeout 30 sealdrive unmount --give-up "\$T/mnt" || status=\$?
	[ \$status -eq 7 ]
	! wait \$writer
	[ "\$(sha1sum <"\$(node usb0)")" = "\$before" ]
G
check "it is as the kernel left it" judge "$T/a.img"
done_testing
