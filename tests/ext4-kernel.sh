#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The file system core and the kernel's ext4 take turns on one image, without encryption and FUSE:
# every kind of block map, extended attributes that must survive, sizes of blocks and inodes.
. "$(dirname "$0")/lib.sh"
have_loop || skip_all "needs root and loop devices"
need_command mke2fs e2fsck debugfs

IMAGE=$T/image

# Files whose maps are deep, sparse or preallocated, and attributes in the inode and outside.
fill_maps() { # DIR
	"$PYTHON" - "$1" <<'PY'
import os, sys
d = sys.argv[1]
def put(name, size):
    path = os.path.join(d, name)
    with open(path, "wb") as f:
        f.write(bytes((i * 7 + size) % 251 for i in range(size)))
    return path
with open(os.path.join(d, "fragments"), "wb") as f:
    for i in range(3000):
        f.seek(i * 8192)
        f.write(b"%05d" % i * 200)
with open(os.path.join(d, "far"), "wb") as f:
    for off in (0, 70000, 5 << 20, 70 << 20, 300 << 20):
        f.seek(off)
        f.write(b"at %d" % off)
f = os.open(os.path.join(d, "preallocated"), os.O_RDWR | os.O_CREAT)
try:
    os.posix_fallocate(f, 0, 1 << 20)
except OSError:
    os.truncate(f, 1 << 20)
os.pwrite(f, b"middle" * 1000, 300000)
os.close(f)
for name in ("attr-small", "attr-large", "attr-gone", "attr-shared-1", "attr-shared-2"):
    path = put(name, 9000)
    os.setxattr(path, "user.small", name.encode())
    if name != "attr-small":
        value = b"shared" if "shared" in name else name.encode()
        os.setxattr(path, "user.large", value * 60)
        os.setxattr(path, "user.small", b"same")
os.mknod(os.path.join(d, "char"), 0o20600, os.makedev(5, 1))
os.mknod(os.path.join(d, "block"), 0o60600, os.makedev(300, 70000))
PY
}

attributes() { # DIR
	"$PYTHON" - "$1" <<'PY'
import os, sys
for name in sorted(os.listdir(sys.argv[1])):
    path = os.path.join(sys.argv[1], name)
    if name.startswith("attr-"):
        print(name, [(a, os.getxattr(path, a)) for a in sorted(os.listxattr(path))])
PY
}

# Every regular file below DIR, read by us from the image. (A script has no names with blanks.)
same_files() { # DIR
	local file bad=0
	while IFS= read -r -d '' file; do
		e4tool -r "$IMAGE" cat "/$file" 2>&1 | cmp - "$1/$file" || bad=1
	done < <(cd "$1" && find . -type f -path '* *' -printf '%P\0')
	(cd "$1" && find . -type f ! -path '* *' -printf '%P\n' | sort) >"$T/files"
	sed 's|^|cat /|' "$T/files" | e4tool -r "$IMAGE" >"$T/ours" || bad=1
	(cd "$1" && xargs cat <"$T/files") | cmp - "$T/ours" || bad=1
	rm -f "$T/ours"
	return $bad
}

# Names, modes, owners, sizes, link targets and device numbers as e4tool prints them.
our_names() {
	e4tool -r "$IMAGE" tree / | grep -v ' /lost+found$' |
		awk '$1 ~ /^10/ { $5 = "-" } $1 ~ /^04/ { $4 = "-" } { print }' | sort
}
their_names() { # DIR
	"$PYTHON" - "$1" <<'PY' | sort
import os, stat, sys
top = sys.argv[1]
for folder, dirs, files in os.walk(top):
    for name in dirs + files:
        path = os.path.join(folder, name)
        st = os.lstat(path)
        inner = path[len(top):]
        if inner == "/lost+found":
            continue
        links, size, rest = st.st_nlink, st.st_size, "-"
        if stat.S_ISDIR(st.st_mode):
            links, size = 0, "-"
        elif stat.S_ISLNK(st.st_mode):
            rest = os.readlink(path)
        elif not stat.S_ISREG(st.st_mode):
            size = "%d:%d" % (os.major(st.st_rdev), os.minor(st.st_rdev))
        print("%06o %d %d:%d %s %s %s" % (st.st_mode, links, st.st_uid, st.st_gid, size, rest, inner))
PY
}

check_fsck() { # DESCRIPTION
	check "$1: e2fsck finds nothing" e2fsck -fn "$IMAGE"
}

# We change what the kernel made: the same on the reference by ordinary tools.
change_all() {
	local script="rm /attr-gone
rm /attr-shared-1
truncate /far 299000001
truncate /fragments 10000001
rm /size-65536
mv /size-4097 /folder/moved
rm /folder/hard-1
truncate /preallocated 300100
truncate /attr-large 20000
truncate /size-511 100000
put $T/new /new
symlink /somewhere/else /new-link"
	rm "$T/ref/attr-gone" "$T/ref/attr-shared-1" "$T/ref/size-65536" "$T/ref/folder/hard-1"
	truncate -s 299000001 "$T/ref/far"
	truncate -s 10000001 "$T/ref/fragments"
	truncate -s 300100 "$T/ref/preallocated"
	mv "$T/ref/size-4097" "$T/ref/folder/moved"
	truncate -s 20000 "$T/ref/attr-large"
	truncate -s 100000 "$T/ref/size-511"
	cp "$T/new" "$T/ref/new"
	ln -s /somewhere/else "$T/ref/new-link"
	e4tool "$IMAGE" <<<"$script"
}

take_turns() { # NAME MKE2FS-OPTIONS...
	local name=$1
	shift
	rm -rf "$T/ref"
	check "$name: a reference tree" fill_tree "$T/ref"
	check "$name: and hard cases" fill_maps "$T/ref"
	rm -f "$IMAGE"
	truncate -s 160M "$IMAGE"
	check "$name: mke2fs" mke2fs -q -F -t ext4 "$@" "$IMAGE"
	check "$name: the kernel mounts" loop_mount "$IMAGE" "$T/kernel" || return
	check "$name: the kernel fills" cp -a --sparse=always "$T/ref/." "$T/kernel/"
	their_names "$T/kernel" >"$T/names"
	umount "$T/kernel"
	our_names >"$T/names2"
	check "$name: every name and its attributes" diff "$T/names" "$T/names2"
	check "$name: every byte" same_files "$T/ref"
	check "$name: we make changes" change_all
	check_fsck "$name"
	check "$name: the kernel mounts again" loop_mount "$IMAGE" "$T/kernel" || return
	check "$name: the kernel reads every byte" same_output tree_sums "$T/ref" "$T/kernel"
	check "$name: extended attributes are as they were" same_output attributes "$T/ref" "$T/kernel"
	check "$name: the kernel removes everything" find "$T/kernel" -mindepth 1 -delete
	umount "$T/kernel"
	check_fsck "$name, emptied"
}

pattern 3000000 5 >"$T/new"
take_turns 4k
take_turns 1k -b 1024
take_turns 2k -b 2048 -I 512 -O ^metadata_csum,^64bit
take_turns small-inodes -b 1024 -I 128
take_turns block-maps -b 1024 -O ^extent,^64bit,^flex_bg
take_turns block-maps-4k -b 4096 -O ^extent,^64bit,^flex_bg

# Inline data: small files and folders, by the kernel and by us, each changed by the other.
inline_tree() { # DIR
	local i
	mkdir -p "$1/few" "$1/many" "$1/nested/deep"
	for i in 0 1 59 60 61 100 127 128 129 150 400 800 900 5000; do
		pattern "$i" "$i" >"$1/size-$i"
	done
	for i in {1..6}; do echo "$i" >"$1/few/n$i"; done
	for i in {1..60}; do echo "$i" >"$1/many/name-$i"; done
	ln -s "$(printf 'l%.0s' {1..90})" "$1/link"
	ln -s "$(printf 's%.0s' {1..59})" "$1/short-link"
}

# Growing, shrinking, removing, moving: the same on the reference by ordinary tools.
inline_changes() { # PREFIX
	local i
	for i in 1 59 60 61 100 128 400; do
		echo "truncate /$1size-$i $((i / 2))"
		truncate -s $((i / 2)) "$T/ref/$1size-$i"
	done
	for i in 127 150; do
		echo "truncate /$1size-$i $((i * 2))"
		truncate -s $((i * 2)) "$T/ref/$1size-$i"
	done
	for i in {7..20}; do
		echo "put $T/small /$1few/n$i"
		cp "$T/small" "$T/ref/$1few/n$i"
	done
	for i in {1..60}; do
		echo "rm /$1many/name-$i"
		rm "$T/ref/$1many/name-$i"
	done
	echo "rm /$1few/n3"
	rm "$T/ref/$1few/n3"
	echo "mv /$1nested/deep /$1few/moved"
	mv "$T/ref/$1nested/deep" "$T/ref/$1few/moved"
	echo "put $T/small /$1few/moved/new"
	cp "$T/small" "$T/ref/$1few/moved/new"
}

# What inline_tree() made, as a script for e4tool.
inline_script() { # DIR PREFIX
	(cd "$1" && find . -mindepth 1 -type d -printf "mkdir /$2%P\n" | sort)
	(cd "$1" && find . -type f -printf "put $1/%P /$2%P\n")
	(cd "$1" && find . -type l -printf "symlink %l /$2%P\n")
}

inline_turns() { # MKE2FS-OPTIONS...
	local name="inline data, $*"
	rm -rf "$T/ref" "$IMAGE"
	inline_tree "$T/ref"
	truncate -s 32M "$IMAGE"
	check "$name: mke2fs" mke2fs -q -F -t ext4 "$@" "$IMAGE"
	check "$name: the kernel mounts" loop_mount "$IMAGE" "$T/kernel" || return
	cp -r --preserve=mode,links "$T/ref/." "$T/kernel/"
	their_names "$T/kernel" >"$T/names"
	umount "$T/kernel"
	our_names >"$T/names2"
	check "$name: every name" diff "$T/names" "$T/names2"
	check "$name: every byte" same_files "$T/ref"
	inline_tree "$T/ref/ours"
	{
		echo "mkdir /ours"
		inline_script "$T/ref/ours" ours/
		inline_changes ""
	} >"$T/script"
	check "$name: we make changes, and the same again" e4tool "$IMAGE" <"$T/script"
	check_fsck "$name"
	check "$name: we read them" same_files "$T/ref"
	check "$name: the kernel mounts again" loop_mount "$IMAGE" "$T/kernel" || return
	check "$name: the kernel reads every byte" same_output tree_sums "$T/ref" "$T/kernel"
	inline_changes ours/ >"$T/script"
	for file in size-1 size-59 size-60 size-61 size-100 size-128 size-400; do
		truncate -s "$(stat -c %s "$T/ref/ours/$file")" "$T/kernel/ours/$file"
	done
	make_alike "$T/ref/ours" "$T/kernel/ours"
	their_names "$T/kernel" >"$T/names"
	umount "$T/kernel"
	check_fsck "$name, changed by the kernel"
	our_names >"$T/names2"
	check "$name: every name again" diff "$T/names" "$T/names2"
	check "$name: every byte again" same_files "$T/ref"
	check "$name: the kernel mounts once more" loop_mount "$IMAGE" "$T/kernel" || return
	check "$name: the kernel removes everything" find "$T/kernel" -mindepth 1 -delete
	umount "$T/kernel"
	check_fsck "$name, emptied"
}

# Makes COPY what MODEL is, with the kernel's calls.
make_alike() { # MODEL COPY
	"$PYTHON" - "$1" "$2" <<'PY'
import os, shutil, sys
model, copy = sys.argv[1:]
for top, dirs, files in os.walk(copy, topdown=False):
    for name in files + dirs:
        path = os.path.join(top, name)
        if not os.path.lexists(os.path.join(model, os.path.relpath(path, copy))):
            os.rmdir(path) if os.path.isdir(path) and not os.path.islink(path) else os.unlink(path)
for top, dirs, files in os.walk(model):
    there = os.path.join(copy, os.path.relpath(top, model))
    os.makedirs(there, exist_ok=True)
    for name in files:
        if os.path.islink(os.path.join(top, name)):
            continue
        with open(os.path.join(top, name), "rb") as f:
            data = f.read()
        with open(os.path.join(there, name), "r+b" if os.path.exists(os.path.join(there, name)) else "wb") as f:
            f.write(data)
            f.truncate()
PY
}

echo small >"$T/small"
inline_turns -I 256 -O inline_data
inline_turns -b 1024 -I 512 -O inline_data,^metadata_csum,^dir_index
inline_turns -b 4096 -I 1024 -O inline_data
done_testing
