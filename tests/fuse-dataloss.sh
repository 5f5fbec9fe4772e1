#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A drive with a bad sector under a file: fsync tells each who has it open, once; everybody else, and the
# drive as a whole, go on.
. "$(dirname "$0")/lib.sh"
need_fuse
need_command cryptsetup e2fsck dumpe2fs debugfs
gone=$top_builddir/tests/dev/gone.so
[ -e "$gone" ] || skip_all "$gone is not built (make check builds it)"
DRIVE_GONE=$T/never
DRIVE_BAD=$T/bad
export DRIVE_GONE DRIVE_BAD
[ "$(LD_PRELOAD=$gone sealdrive --version 2>&1)" = "$(sealdrive --version)" ] ||
	skip_all "this build cannot be preloaded (sanitizers)"

must "format" new_drive "$T/a.img" 64M
must "mount" drive_mount "$T/a.img" "$T/mnt"
check "two files" bash -c 'head -c 300000 /dev/zero | tee "$1/a" >"$1/b"' - "$T/mnt"
check "unmount" drive_unmount "$T/mnt"
check "decrypted by others" plain_of "$T/a.img" "$T/plain"
block=$(debugfs -R 'blocks /a' "$T/plain" 2>/dev/null | awk '{ print $1 }')
start=$(cryptsetup luksDump "$T/a.img" | awk '/offset:.*\[bytes\]/ { print $2; exit }')
check "where the file lies" test "${block:-0}" -gt 0 -a "${start:-0}" -gt 0
bad="$((start + block * 4096)) 4096"

mkdir -p "$T/mnt"
must "mount" env LD_PRELOAD="$gone" sealdrive mount "$T/a.img" "$T/mnt" --passphrase-file "$PASS"
"$PYTHON" - "$T/mnt" "$DRIVE_BAD" "$bad" <<'PY' >"$T/py" 2>&1
import errno, os, sys
mnt, bad, where = sys.argv[1:]
def sync(fd):
    try:
        os.fsync(fd)
    except OSError as e:
        return errno.errorcode[e.errno]
    return "ok"
def expect(what, got, wanted):
    print("%s: %s" % (what, got))
    if got != wanted:
        sys.exit("wanted %s" % wanted)
one, two = (os.open(mnt + "/a", os.O_RDWR) for i in range(2))
other = os.open(mnt + "/b", os.O_RDWR)
open(bad, "w").write(where)
os.pwrite(one, b"x" * 300000, 0)
os.pwrite(other, b"y" * 300000, 0)
expect("the file beside it", sync(other), "ok")
expect("the file", sync(one), "EIO")
expect("the file, again", sync(one), "ok")
expect("the other descriptor", sync(two), "EIO")
expect("the other descriptor, again", sync(two), "ok")
late = os.open(mnt + "/a", os.O_RDONLY)
expect("opened when all know", sync(late), "ok")
os.pwrite(two, b"z" * 10, 0)
expect("written again", sync(two), "EIO")
expect("the first one", sync(one), "EIO")
expect("the late one", sync(late), "EIO")
os.unlink(bad)
os.pwrite(one, b"x" * 300000, 0)
for name, fd in ("one", one), ("two", two), ("late", late), ("other", other):
    expect("%s, after the drive has found another sector" % name, sync(fd), "ok")
PY
is $? 0 "fsync tells each once"
diag <"$T/py"
check "a new file" bash -c 'echo new >"$1/new" && sync "$1/new"' - "$T/mnt"
check "status" sealdrive status --json
said '"read_only": false' "... the drive is writable"
said '"error": ""' "... and well"
check "unmount" drive_unmount "$T/mnt"
check "perfect" judge "$T/a.img"
must "mount" drive_mount "$T/a.img" "$T/mnt"
is "$(sha1sum <"$T/mnt/a")" "$(head -c 300000 /dev/zero | tr '\0' x | sha1sum)" "what was written last is there"
is "$(sha1sum <"$T/mnt/b")" "$(head -c 300000 /dev/zero | tr '\0' y | sha1sum)" "and in the other file"
check "unmount" drive_unmount "$T/mnt"

mkdir -p "$T/mnt"
must "mount" env LD_PRELOAD="$gone" sealdrive mount "$T/a.img" "$T/mnt" --passphrase-file "$PASS"
echo "$bad" >"$DRIVE_BAD"
check "written, and nobody asks whether it arrived" dd if=/dev/urandom of="$T/mnt/a" bs=300000 count=1 \
	iflag=fullblock conv=notrunc status=none
check_status 7 "unmount says that something was not written" sealdrive unmount "$T/mnt"
said "some files are incomplete" "... in words"
rm "$DRIVE_BAD"
check "perfect" judge "$T/a.img"
done_testing
