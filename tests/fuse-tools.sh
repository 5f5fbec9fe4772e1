#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Everyday tools on a roaming drive (--owner me), whose files were made by others: for an ordinary
# user in several groups, and for root. None of them may complain.
. "$(dirname "$0")/lib.sh"
need_root "it needs files of several owners"
need_fuse
need_command cryptsetup e2fsck dumpe2fs rsync git sqlite3 tar

GROUPS_OF_USER=$USER_GROUP,4242,27

as_member() { # COMMAND...: the ordinary user, in some more groups
	(cd "$T/user" && setpriv --reuid="$USER_ID" --regid="$USER_GROUP" --groups "$GROUPS_OF_USER" \
		--inh-caps=-all env -i T="$T" HOME="$T/user/home" XDG_RUNTIME_DIR="$T/user/run" \
		LC_ALL="$LC_ALL" ASAN_OPTIONS="$ASAN_OPTIONS" UBSAN_OPTIONS="$UBSAN_OPTIONS" \
		PATH="$T/user/bin:/usr/sbin:/usr/bin:/sbin:/bin" "$@")
}

# A tree of several owners and groups, as a server's backup has it.
make_source() { # DIR
	mkdir -p "$1/shared" "$1/private"
	fill_tree "$1/tree"
	chmod 644 "$1"/tree/size-* && chmod 755 "$1/tree/folder"
	echo a >"$1/shared/a" && chown -R 1234:4242 "$1/shared" && chmod 2775 "$1/shared"
	echo b >"$1/private/b" && chown 1:27 "$1/private/b" && chmod 664 "$1/private/b"
	ln -s b "$1/private/link" && chown -h "$USER_ID:27" "$1/private/link"
}

# Everything but owners: what rsync would have to change. Where cp(1) may not keep an owner it drops
# the special bits of the mode, on any file system.
same_tree() { # RUN DIR1 DIR2 [OPTION OF rsync]
	local changes
	changes=$("$1" rsync -rlptc --specials --itemize-changes --dry-run --delete "${@:4}" "$2/" "$3/") || return 1
	[ -z "$changes" ] && return 0
	printf '%s\n' "$changes" | head
	return 1
}

sqlite_check() { # DIR: a journal in WAL mode, with two writers and a reader
	local db=$1/test.db i
	sqlite3 "$db" 'PRAGMA journal_mode=WAL; CREATE TABLE t (writer, n);' || return 1
	for i in 1 2; do
		for n in {1..25}; do
			echo "PRAGMA busy_timeout=20000; INSERT INTO t VALUES ($i, $n);"
		done | sqlite3 "$db" >/dev/null &
	done
	wait
	[ "$(sqlite3 "$db" 'SELECT count(*) FROM t; PRAGMA integrity_check;')" = $'50\nok' ] &&
		sqlite3 "$db" 'PRAGMA journal_mode=DELETE; DELETE FROM t WHERE n > 5; VACUUM;' &&
		[ "$(sqlite3 "$db" 'SELECT count(*) FROM t; PRAGMA integrity_check;')" = $'10\nok' ]
}

git_check() { # DIR
	export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
	git init -q "$1/repo" && cp -r "$T/user/source/tree/folder" "$1/repo/" &&
		git -C "$1/repo" add -A && git -C "$1/repo" commit -qm first &&
		git clone -q "$1/repo" "$1/clone" && git -C "$1/clone" gc -q --prune=now &&
		git -C "$1/clone" fsck --strict && [ -z "$(git -C "$1/clone" status --porcelain)" ]
}

# As vim, LibreOffice and most others save: a new file with the old one's owner and mode takes
# its place; a lock file says who edits.
editors_check() { # DIR
	/usr/bin/python3 - "$1" <<'PY'
import fcntl, os, sys
os.chdir(sys.argv[1])
with open("document", "w") as f:
    f.write("old")
os.chmod("document", 0o640)
lock = os.open(".~lock.document#", os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o666)
fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
os.write(lock, b",user,host,;")
old = os.stat("document")
fd = os.open(".document.new", os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
os.write(fd, b"new")
os.fchown(fd, old.st_uid, old.st_gid)
os.fchmod(fd, old.st_mode & 0o7777)
os.fsync(fd)
os.close(fd)
os.link("document", "document~")
os.rename(".document.new", "document")
folder = os.open(".", os.O_RDONLY)
os.fsync(folder)
os.close(lock)
os.unlink(".~lock.document#")
new = os.stat("document")
assert (new.st_uid, new.st_gid, new.st_mode) == (old.st_uid, old.st_gid, old.st_mode)
assert open("document").read() == "new" and open("document~").read() == "old"
PY
}

tools() { # WHO RUN DIR
	local who=$1 run=$2 d=$3 source=$T/user/source
	mkdir_all() { "$run" mkdir -p "$d/cp" "$d/rsync" "$d/tar" "$d/db" "$d/git" "$d/edit"; }
	check "$who: folders" mkdir_all
	check "$who: cp -a" "$run" cp -a "$source/." "$d/cp/"
	[ -s "$T/out" ] && { not_ok "$who: cp -a says nothing"; diag <"$T/out"; }
	check "$who: cp -a copied all" same_tree "$run" "$source" "$d/cp" ${plain_modes:+--no-perms}
	check "$who: rsync -a" "$run" rsync -a "$source/" "$d/rsync/"
	[ -s "$T/out" ] && { not_ok "$who: rsync says nothing"; diag <"$T/out"; }
	check "$who: rsync -a again" "$run" rsync -a --delete "$source/" "$d/rsync/"
	check "$who: rsync copied all" same_tree "$run" "$source" "$d/rsync"
	check "$who: tar x" "$run" tar -C "$d/tar" --warning=no-timestamp -xpf "$T/user/source.tar"
	[ -s "$T/out" ] && { not_ok "$who: tar says nothing"; diag <"$T/out"; }
	check "$who: tar extracted all" same_tree "$run" "$source" "$d/tar"
	check "$who: chgrp to one of the user's groups" "$run" chgrp 27 "$d/cp/shared/a"
	for c in sqlite git editors; do
		case $c in sqlite) sub=db ;; git) sub=git ;; editors) sub=edit ;; esac
		check "$who: $c" "$run" env T="$T" bash -c "$(declare -f ${c}_check); ${c}_check \"\$1\"" - "$d/$sub"
	done
	check "$who: mv out and in again" "$run" bash -c 'mv "$1/cp/tree" "$2" && mv "$2" "$1/cp/tree"' - "$d" "$T/user/moved"
	check "$who: nothing is lost" same_tree "$run" "$source" "$d/cp" --omit-dir-times \
		${plain_modes:+--no-perms}
	check "$who: rm -r" "$run" rm -r "$d/cp" "$d/tar" "$d/git"
}

user_ready
make_source "$T/user/source"
tar -C "$T/user/source" --numeric-owner -cf "$T/user/source.tar" .

# The drive comes from elsewhere, with files of others.
must "format" new_drive "$T/user/b.img" 256M
must "fill it elsewhere" drive_mount "$T/user/b.img" "$T/mnt" --owner disk
chown 777:888 "$T/mnt"
mkdir -m 700 "$T/mnt/theirs" && echo secret >"$T/mnt/theirs/file" && chmod 600 "$T/mnt/theirs/file"
chown -R 4321:4322 "$T/mnt/theirs"
must "unmount it" drive_unmount "$T/mnt"
chown "$USER_ID" "$T/user/b.img"

as_member mkdir "$T/user/mnt"
must "mount as a user" as_member sealdrive mount "$T/user/b.img" "$T/user/mnt" \
	--passphrase-file "$T/user/pass"
is "$(as_member cat "$T/user/mnt/theirs/file")" secret "user: others' files are mine to read"
check "user: and to change" as_member bash -c 'echo more >>"$1/theirs/file" && rm -r "$1/theirs"' - "$T/user/mnt"
plain_modes=yes tools user as_member "$T/user/mnt"
check "unmount" as_member sealdrive unmount "$T/user/mnt"
check "perfect" judge "$T/user/b.img"

must "format" new_drive "$T/a.img" 256M
must "mount as root, --owner me" drive_mount "$T/a.img" "$T/mnt" --owner me
tools root env "$T/mnt"
check "unmount" drive_unmount "$T/mnt"
check "perfect" judge "$T/a.img"
done_testing
