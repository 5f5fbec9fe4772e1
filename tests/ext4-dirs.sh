#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Directories that we and the kernel fill, list, search and empty in turn: each hash, with and
# without index, names of one hash, three levels of index.
. "$(dirname "$0")/lib.sh"
have_loop || skip_all "needs root and loop devices"
need_command mke2fs tune2fs e2fsck debugfs

IMAGE=$T/image

# make|remove: every STEPth name from FIRST to LAST in DIR; all: names must be exactly the list's.
kernel_names='import os, sys
what, folder, kind, first, last, step = sys.argv[1:4] + [int(a) for a in sys.argv[4:7]]
def name(i):
    if kind == "tea":  # pairs of top bits that the hash does not see
        b = bytearray(b"c" * 96)
        for bit in range(12):
            if i >> bit & 1:
                b[bit * 8] ^= 0x80
                b[bit * 8 + 4] ^= 0x80
        return bytes(b)
    return (b"%s-%d-" % (kind.encode(), i)) + b"\xc4\x91" * (i % 90)
os.makedirs(folder, exist_ok=True)
os.chdir(folder)
for i in range(first, last, step):
    if what == "make":
        os.close(os.open(name(i), os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644))
    elif what == "remove":
        os.unlink(name(i))
    elif what == "find":
        os.stat(name(i))
    else:
        sys.stdout.buffer.write(what.encode() + b" /" + os.path.basename(folder).encode() + b"/" + name(i) + b"\n")'

kernel() { # make|remove|find DIR KIND FIRST LAST STEP
	local what=$1 dir=$2
	shift 2
	"$PYTHON" -c "$kernel_names" "$what" "$T/kernel/$dir" "$@"
}

# The same by us; COMMAND is e4tool's.
ours() { # COMMAND DIR KIND FIRST LAST STEP
	local what=$1 dir=$2
	shift 2
	mkdir -p "$T/names/$dir"
	"$PYTHON" -c "$kernel_names" "$what" "$T/names/$dir" "$@" | e4tool "$IMAGE"
}

list_kernel() { # DIR...
	local dir
	for dir; do
		(cd "$T/kernel/$dir" && ls -Aa | LC_ALL=C sort)
	done
}

list_ours() { # DIR...
	local dir
	for dir; do
		e4tool -r "$IMAGE" ls "/$dir" | LC_ALL=C sort
	done
}

fsck() { # DESCRIPTION
	check "$1: e2fsck finds nothing" e2fsck -fn "$IMAGE"
}

mount_kernel() { # DESCRIPTION
	check "$1: the kernel mounts" loop_mount "$IMAGE" "$T/kernel"
}

take_turns() { # NAME KIND COUNT
	local name=$1 kind=$2 n=$3
	check "$name: we make a folder" e4tool "$IMAGE" mkdir /ours
	check "$name: we fill it" ours mkfifo ours "$kind" 0 "$n" 1
	fsck "$name, ours"
	list_ours ours >"$T/list"
	mount_kernel "$name" || return
	list_kernel ours >"$T/list2"
	check "$name: the kernel lists what we list" cmp "$T/list" "$T/list2"
	check "$name: and finds every name" kernel find ours "$kind" 0 "$n" 1
	check "$name: the kernel removes some of ours" kernel remove ours "$kind" 0 "$n" 3
	check "$name: the kernel adds to ours" kernel make ours "$kind" "$n" $((n + n / 2)) 1
	check "$name: the kernel fills a folder" kernel make theirs "$kind" 0 "$n" 1
	list_kernel ours theirs >"$T/list"
	umount "$T/kernel"
	list_ours ours theirs >"$T/list2"
	check "$name: we list what the kernel lists" cmp "$T/list" "$T/list2"
	check "$name: and find every name" ours stat theirs "$kind" 0 "$n" 1
	check "$name: we remove some of theirs" ours rm theirs "$kind" 0 "$n" 2
	check "$name: we add to theirs" ours mkfifo theirs "$kind" "$n" $((n + n / 2)) 1
	check "$name: we remove the rest of ours" ours rm ours "$kind" 1 "$n" 3
	fsck "$name, theirs"
	list_ours ours theirs >"$T/list"
	mount_kernel "$name, again" || return
	list_kernel ours theirs >"$T/list2"
	check "$name: the same in the end" cmp "$T/list" "$T/list2"
	check "$name: the kernel finds the rest of theirs" kernel find theirs "$kind" 1 "$n" 2
	check "$name: and what we added" kernel find theirs "$kind" "$n" $((n + n / 2)) 1
	check "$name: the kernel removes all" rm -r "$T/kernel/ours" "$T/kernel/theirs"
	umount "$T/kernel"
	fsck "$name, emptied"
}

make_image() { # MKE2FS-OPTIONS...
	rm -f "$IMAGE"
	truncate -s 96M "$IMAGE"
	mke2fs -q -F -t ext4 -N 20000 "$@" "$IMAGE"
}

for hash in legacy half_md4 tea; do
	must "$hash: mke2fs" make_image -b 1024
	must "$hash: tune2fs" tune2fs -E hash_alg=$hash "$IMAGE"
	take_turns $hash name 2000
done
must "linear: mke2fs" make_image -b 2048 -O ^dir_index
take_turns linear name 500
must "no checksums: mke2fs" make_image -b 1024 -O ^metadata_csum
take_turns "no checksums" name 2000
must "no file types: mke2fs" make_image -b 4096 -O ^filetype
take_turns "no file types" name 2000
must "one hash: mke2fs" make_image -b 1024
must "one hash: tune2fs" tune2fs -E hash_alg=tea "$IMAGE"
take_turns "one hash" tea 1000

# Three levels of index take tens of thousands of long names in small blocks.
prefix=$(printf 'lang%.0s' {1..60})
rm -f "$IMAGE"
truncate -s 128M "$IMAGE"
must "three levels: mke2fs" mke2fs -q -F -t ext4 -b 1024 -N 40000 -O large_dir "$IMAGE"
check "three levels: a folder" e4tool "$IMAGE" mkdir /deep
check "three levels: 30 000 names" e4tool "$IMAGE" fill /deep "$prefix" 30000
check "three levels: what debugfs says of the index" debugfs -R "htree_dump /deep" "$IMAGE"
said 'Indirect levels: 2' "there are three"
fsck "three levels"
if mount_kernel "three levels"; then
	is "$(ls -U "$T/kernel/deep" | sort -u | wc -l)" 30000 "three levels: the kernel lists all"
	check "three levels: the kernel finds names" \
		stat "$T/kernel/deep/$prefix"{0,1,77,12345,20000,29999}
	check "three levels: the kernel adds names" \
		bash -c 'cd "$1" && for ((i = 0; i < 500; i++)); do echo > "$2-$i" || exit 1; done' \
		- "$T/kernel/deep" "${prefix:0:200}"
	check "three levels: the kernel removes names" rm "$T/kernel/deep/$prefix"1{0..9}{0..9}{0..9}
	umount "$T/kernel"
	fsck "three levels, changed by the kernel"
	is "$(e4tool -r "$IMAGE" ls /deep | sort -u | wc -l)" 29502 "three levels: we list all"
	check "three levels: we find theirs" e4tool -r "$IMAGE" stat "/deep/${prefix:0:200}-499"
	check_status 1 "three levels: and not what is gone" e4tool -r "$IMAGE" stat "/deep/${prefix}1000"
fi
done_testing
