#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The machine's own files: at least 20 000 of them and a gigabyte, copied in with cp and tar,
# compared by checksum after a remount, changed, deleted; judged after each step.
# SEALDRIVE_LONG=1 (make check-long) takes everything there is.
. "$(dirname "$0")/lib.sh"
need_fuse
need_command cryptsetup e2fsck dumpe2fs tar

WANT_FILES=20000
WANT_BYTES=$((1100 << 20))
[ -n "${SEALDRIVE_LONG:-}" ] && WANT_FILES=1000000000

remount() { # WHAT
	check "unmount: $1" drive_unmount "$T/mnt"
	check "perfect: $1" judge "$T/a.img"
	must "mount: $1" drive_mount "$T/a.img" "$T/mnt"
}

# /usr/include goes in with cp; a list of files of /usr/share, and of /usr/lib if that is not
# enough, with tar.
cd /usr || exit 99
find include -type f -printf '%s\n' >"$T/sizes"
find share lib \( -type f -readable -o -type l \) -printf '%y\t%s\t%p\n' 2>/dev/null |
	awk -F'\t' -v files="$WANT_FILES" -v bytes="$WANT_BYTES" -v real="$T/list.files" '
	FILENAME == ARGV[1] { sum += $1; n++; included = n; included_bytes = sum; next }
	$2 < 200000000 && (n < files || sum < bytes) {
		print $3
		if ($1 == "f") { sum += $2; n++; print $3 >real }
	}
	END { printf "%d %d %d %d\n", included, included_bytes, n - included, sum - included_bytes >ARGV[1] }' \
	"$T/sizes" - >"$T/list"
read -r count bytes list_count list_bytes <"$T/sizes"
# A bare machine has too few files: the list goes in several times.
for ((copies = 0; count < 20000 || bytes < 1 << 30; copies++)); do
	count=$((count + list_count)) bytes=$((bytes + list_bytes))
	[ $copies -lt 20 ] || break
done
diag "$count files, $((bytes >> 20)) MiB, the list $copies times"
check "there are real files enough here" test "$count" -ge 20000 -a "$bytes" -ge 1073741824

must "format" new_drive "$T/a.img" $(((bytes >> 20) * 5 / 4 + 600))M
must "mount" drive_mount "$T/a.img" "$T/mnt"
start=$(date +%s%N)
check "cp -a /usr/include" cp -a include "$T/mnt/"
for ((i = 1; i <= copies; i++)); do
	mkdir "$T/mnt/copy-$i"
	check "tar in, tar out, $i" bash -c 'set -o pipefail
		tar -c --no-recursion -T "$1" | tar -x -C "$2"' - "$T/list" "$T/mnt/copy-$i"
done
sync -f "$T/mnt"
ms=$((($(date +%s%N) - start) / 1000000))
diag "copied in $ms ms: $((bytes / 1048576 * 1000 / (ms + 1))) MiB/s, $((count * 1000 / (ms + 1))) files/s"
remount "filled"

sums_of() { # DIR LIST
	(cd "$1" && tr '\n' '\0' <"$2" | xargs -0 -n 500 -P 2 b2sum -l 160) | sort
}
links_of() { # DIR: those of the list, with their targets
	(cd "$1" && tr '\n' '\0' <"$T/list" | find -files0-from - -maxdepth 0 -type l -printf '%p -> %l\n')
}
(cd /usr && find include -type f) >"$T/list.include"
sums_of /usr "$T/list.include" >"$T/sums.include"
sums_of /usr "$T/list.files" >"$T/sums"
check "checksums of the originals" \
	test "$(wc -l <"$T/sums")" -eq "$(wc -l <"$T/list.files")" -a -s "$T/sums.include"
start=$(date +%s%N)
check "every file that cp brought has its checksum" cmp "$T/sums.include" <(sums_of "$T/mnt" "$T/list.include")
for ((i = 1; i <= copies; i++)); do
	check "every file that tar brought has its checksum, $i" cmp "$T/sums" <(sums_of "$T/mnt/copy-$i" "$T/list.files")
	check "symbolic links have their targets, $i" cmp <(links_of /usr) <(links_of "$T/mnt/copy-$i")
done
ms=$((($(date +%s%N) - start) / 1000000))
diag "read and compared in $ms ms: $((bytes / 1048576 * 1000 / (ms + 1))) MiB/s"
check "cp -a brought modes and times" bash -c \
	'diff <(cd /usr/include && find . -type f -printf "%P %m %T@ %s\n" | sort) \
	<(cd "$1/include" && find . -type f -printf "%P %m %T@ %s\n" | sort)' - "$T/mnt"

# The same changes to the copy of /usr/include on the drive and to one elsewhere.
change='import os, random, sys
r = random.Random(11)
os.chdir(sys.argv[1])
files = sorted(os.path.join(d, f) for d, _, fs in os.walk(".") for f in fs
               if not os.path.islink(os.path.join(d, f)))
for k, path in enumerate(files):
    what = r.randrange(8)
    size = os.path.getsize(path)
    os.chmod(path, 0o644)
    if what == 0:
        os.unlink(path)
    elif what == 1:
        with open(path, "ab") as f:
            f.write(r.randbytes(r.randrange(20000)))
    elif what == 2:
        os.truncate(path, r.randrange(size + 1))
    elif what == 3:
        with open(path, "r+b") as f:
            f.seek(r.randrange(size + 100000))
            f.write(r.randbytes(r.randrange(1, 5000)))
    elif what == 4:
        os.rename(path, "moved-%d" % k)
    elif what == 5:
        os.link(path, path + "~")
dirs = sorted(d for d in os.listdir(".") if os.path.isdir(d) and not os.path.islink(d))
for k, d in enumerate(dirs):
    if k % 3 == 0:
        os.rename(d, "folder-%d" % k)'
check "a copy elsewhere" cp -a include "$T/ref"
check "changes to the copy" "$PYTHON" -c "$change" "$T/ref"
check "the same changes on the drive" "$PYTHON" -c "$change" "$T/mnt/include"
remount "changed"
check "same names and sizes" same_output tree_names "$T/ref" "$T/mnt/include"
check "same bytes" same_output tree_sums "$T/ref" "$T/mnt/include"

check "half of the rest deleted" bash -c \
	'cd "$1" && find copy-* -type f | awk "NR % 2" | tr "\n" "\0" | xargs -0 -r rm -f' - "$T/mnt"
remount "half deleted"
is "$(cd "$T/mnt" && find . | wc -l)" "$(cd "$T/mnt" && find . -print0 | xargs -0 stat -c x | wc -l)" \
	"what is listed is there"
check "everything deleted" bash -c 'rm -rf "$1/include" "$1"/copy-*' - "$T/mnt"
remount "empty again"
left=$(find "$T/mnt" -mindepth 1 -not -name lost+found | wc -l)
is "$left" 0 "nothing is left"
check "unmount at the end" drive_unmount "$T/mnt"
done_testing
