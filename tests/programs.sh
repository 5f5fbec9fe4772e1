#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Real programs on a drive of an ordinary user, with the view --owner me: a build of this project's
# own sources, git with everything packed twice, SQLite under several processes and a killed one,
# tar and rsync with attributes and access control lists. tests/fuse-tools.sh has the everyday ones.
. "$(dirname "$0")/lib.sh"
need_fuse
need_command cryptsetup e2fsck dumpe2fs git sqlite3 tar rsync gcc make setfattr setfacl
user_ready || exit 99
seconds=${SEALDRIVE_LONG:+300}

if is_root; then
	CHOWN_USER=(chown -R "$USER_ID:$USER_GROUP")
else
	CHOWN_USER=(true)
fi

# The core's sources with what they include, and a Makefile of their own: the same objects must come
# out on the drive and outside.
make_project() { # DIR
	mkdir -p "$1" && cp -r "$top_srcdir/base" "$top_srcdir/ext4" "$top_builddir/config.h" "$1/" || return 1
	cat >"$1/Makefile" <<'MAKE'
CFLAGS = -O0 -w -std=gnu11 -include config.h -I. -I/usr/include/ext2fs -I/usr/include/et
objects = $(patsubst %.c,%.o,$(wildcard base/*.c ext4/*.c))
core.a: $(objects)
	rm -f $@
	ar rcD $@ $(objects)
MAKE
}

build_project() { # DIR
	make -C "$1" -j2 && make -C "$1" -q && rm "$1"/ext4/[a-e]*.o && make -C "$1" -j2
}

git_work() { # DIR: a history of many commits, cloned, packed, checked, changed in a work tree
	export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
	git init -q "$1/origin" && cd "$1/origin" || return 1
	for i in {1..25}; do
		mkdir -p "part-$((i % 5))" && seq "$i" $((i * 400)) >"part-$((i % 5))/file-$i" &&
			git add -A && git commit -qm "change $i" || return 1
	done
	git clone -q --no-hardlinks . ../clone && git clone -q . ../linked && cd ../clone &&
		git repack -qadf && git gc -q --prune=now && git fsck --strict --full &&
		git checkout -q HEAD~10 && git checkout -q - && git worktree add -q ../tree HEAD~5 &&
		git -C ../tree status --porcelain | diff /dev/null - &&
		git -C ../linked fsck --strict && git pull -q && git stash list &&
		git archive HEAD | tar -t >/dev/null
}

# Transfers between rows of one table by several processes, some killed in the middle: what is in
# the table stays the same in sum.
sqlite_work() { # DIR JOURNAL-MODE SECONDS
	local db=$1/$2.db i pids=()
	sqlite3 "$db" "PRAGMA journal_mode=$2; CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER, pad BLOB);
		INSERT INTO t SELECT value, 1000, randomblob(300) FROM generate_series(1, 200);" >/dev/null || return 1
	for i in 1 2 3; do
		while :; do
			echo ".timeout 20000
BEGIN IMMEDIATE; UPDATE t SET n = n - 7, pad = randomblob(900) WHERE id = abs(random()) % 100 + 1;
UPDATE t SET n = n + 7 WHERE id = abs(random()) % 100 + 101; COMMIT; SELECT sum(n) FROM t;"
		done | sqlite3 "$db" >"$1/$2.$i" 2>&1 &
		pids+=($!)
	done
	sleep "$3"
	kill -KILL "${pids[@]}"
	wait 2>/dev/null
	sort -u "$1/$2".[123] | grep -vE '^200000$' | head -n 3 | grep . && return 1
	[ "$(sort "$1/$2".[123] | wc -l)" -gt 10 ] || { echo "nothing was done"; return 1; }
	[ "$(sqlite3 "$db" 'PRAGMA integrity_check; SELECT sum(n), count(*) FROM t;')" = $'ok\n200000|200' ]
}

tar_work() { # DIR: attributes and lists go round
	mkdir -p "$1/from/sub" "$1/to" && seq 1000 >"$1/from/sub/file" && setfattr -n user.color -v blue "$1/from/sub/file" &&
		setfacl -m u:1:r,m::rw "$1/from/sub/file" && setfacl -d -m g:2:rx "$1/from/sub" &&
		tar -C "$1/from" --xattrs --acls -cf "$1/all.tar" . &&
		tar -C "$1/to" --xattrs --acls -xpf "$1/all.tar" &&
		diff <(cd "$1/from" && getfattr -R -d . && getfacl -R .) \
			<(cd "$1/to" && getfattr -R -d . && getfacl -R .) &&
		getfacl -cnp "$1/to/sub/file" | grep -q user:1:r
}

rsync_work() { # DIR: out and in again, with lists, attributes, hard links and holes
	mkdir -p "$1/from/sub" && seq 5000 >"$1/from/sub/file" && ln "$1/from/sub/file" "$1/from/linked" &&
		setfattr -n user.color -v green "$1/from/sub/file" && setfacl -m u:1:r,m::rw "$1/from/sub" &&
		truncate -s 20M "$1/from/holes" && echo end >>"$1/from/holes" && ln -s sub/file "$1/from/link" &&
		touch -d '2001-02-03 04:05:06.789012345' "$1/from/linked" || return 1
	rsync -aAXHS "$1/from/" "$2/" && rsync -aAXHS "$2/" "$1/to/" && rm -r "$2" || return 1
	[ -z "$(rsync -aAXHSnci --delete "$1/from/" "$1/to/")" ] && [ "$1/to/linked" -ef "$1/to/sub/file" ] &&
		[ "$(du -k "$1/to/holes" | cut -f 1)" -lt 1000 ] &&
		[ "$(stat -c %y "$1/to/linked")" = "$(stat -c %y "$1/from/linked")" ] &&
		getfattr -n user.color "$1/to/sub/file" && getfacl -cnp "$1/to/sub" | grep -q user:1:r
}

run() { # DESCRIPTION FUNCTION ARGUMENTS...
	local what=$1
	shift
	check "$what" as_user timeout 300 bash -c "$(declare -f "$1"); \"\$@\"" - "$@"
}

must "format" new_drive "$T/user/a.img" 512M
must "sources" make_project "$T/user/outside"
"${CHOWN_USER[@]}" "$T/user/a.img" "$T/user/outside"
as_user mkdir "$T/user/mnt"
must "mount as a user" as_user sealdrive mount "$T/user/a.img" "$T/user/mnt" --passphrase-file "$T/user/pass"
d=$T/user/mnt
as_user cp -r "$T/user/outside" "$d/project"
run "build outside" build_project "$T/user/outside"
run "build on the drive" build_project "$d/project"
check "the same archive comes out" cmp "$T/user/outside/core.a" <(as_user cat "$d/project/core.a")
as_user mkdir "$d/git" "$d/db" "$d/tar" "$d/rsync"
run "git" git_work "$d/git"
for mode in wal delete truncate persist; do
	run "SQLite, journal_mode=$mode, three processes, killed" sqlite_work "$d/db" $mode "${seconds:-2}"
done
run "tar --xattrs --acls" tar_work "$d/tar"
run "rsync -aAXHS, out and in again" rsync_work "$d/rsync" "$T/user/rsync"
check "unmount" as_user sealdrive unmount "$T/user/a.img"
check "perfect" judge "$T/user/a.img"
must "mount again" as_user sealdrive mount "$T/user/a.img" "$T/user/mnt" --passphrase-file "$T/user/pass"
check "the archive is still the same" cmp "$T/user/outside/core.a" <(as_user cat "$d/project/core.a")
check "nothing is left to build" as_user make -C "$d/project" -q
check "git is still whole" as_user git -C "$d/git/clone" fsck --strict --full
for mode in wal delete truncate persist; do
	is "$(as_user sqlite3 "$d/db/$mode.db" 'PRAGMA integrity_check; SELECT sum(n), count(*) FROM t;' | tr '\n' ' ')" \
		"ok 200000|200 " "SQLite, $mode: whole after a remount"
done
check "unmount at the end" as_user sealdrive unmount "$T/user/a.img"
done_testing
