#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Mounting by somebody who sits at a terminal: the passphrase is asked for, three times at most,
# before anything is mounted; Ctrl-C stops it; what can fail without a passphrase fails before.
. "$(dirname "$0")/lib.sh"
need_fuse
need_command cryptsetup
typed() { # ANSWERS COMMAND...: answers separated by |
	local answers=$1
	shift
	printf '%s|' "$answers" | tr '|' '\n' | timeout 90 "$PYTHON" "$top_srcdir/tests/fuse-terminal.py" "$@"
}
right=$(cat "$PASS")

must "format" new_drive "$T/a.img" 64M
mkdir "$T/mnt" "$T/full"
touch "$T/full/x"
check "the right passphrase" typed "$right" sealdrive mount "$T/a.img" "$T/mnt"
said 'files are here' "... mounts"
check "it is mounted" is_mounted "$T/mnt"
check_status 1 "the passphrase is not shown" grep -qF "$right" "$T/out"
check "unmount" drive_unmount "$T/mnt"
check "two wrong ones and the right one" typed "no|nono|$right" sealdrive mount "$T/a.img" "$T/mnt"
said 'prompts: 3' "... were asked for"
said 'does not open this drive' "... and called wrong"
check "unmount" drive_unmount "$T/mnt"
check_status 3 "three wrong ones" typed "no|nono|nonono|$right" sealdrive mount "$T/a.img" "$T/mnt"
said 'prompts: 3' "... are enough"
check_status 1 "nothing is mounted" is_mounted "$T/mnt"
check_status 130 "Ctrl-C" typed "^C" sealdrive mount "$T/a.img" "$T/mnt"
check_status 1 "nothing is mounted" is_mounted "$T/mnt"
check "no program is left" test -z "$(daemons)"
check_status 1 "a folder that is not empty" typed "$right" sealdrive mount "$T/a.img" "$T/full"
said 'prompts: 0' "... is refused before anything is typed"
must "mount" drive_mount "$T/a.img" "$T/mnt"
check_status 6 "a drive that is mounted" typed "$right" sealdrive mount "$T/a.img"
said 'prompts: 0' "... too"
check "unmount" drive_unmount "$T/mnt"
truncate -s 1M "$T/empty.img"
check_status 4 "no drive" typed "$right" sealdrive mount "$T/empty.img" "$T/mnt"
said 'prompts: 0' "... too"
check_status 2 "without a terminal" setsid -w sealdrive mount "$T/a.img" "$T/mnt"
said 'no terminal' "... says that there is none"
done_testing
