/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* chown(2) and its kin, who may change what, and when set-id bits go. */
#include "tests/posix/posix.h"

#include <sys/uio.h>

static void owner_is(const char *path, uid_t uid, gid_t gid)
{
	SAME(stat_of(path).st_uid, uid);
	SAME(stat_of(path).st_gid, gid);
}

CASE(chown, ids, NEEDS_ROOT, "owner and group up to 32 bits; -1 leaves one")
{
	make_file("file");
	OK(chown("file", 1001, 1002));
	owner_is("file", 1001, 1002);
	OK(chown("file", 70000, (gid_t)-1));
	owner_is("file", 70000, 1002);
	OK(chown("file", (uid_t)-1, 0xfffffffe));
	owner_is("file", 70000, 0xfffffffe);
	OK(chown("file", 0xfffffffe, 65536));
	owner_is("file", 0xfffffffe, 65536);
	OK(chown("file", (uid_t)-1, (gid_t)-1));
	owner_is("file", 0xfffffffe, 65536);
}

CASE(chown, links, NEEDS_ROOT, "chown follows links, lchown and AT_SYMLINK_NOFOLLOW do not")
{
	make_file("file");
	OK(symlink("file", "link"));
	OK(chown("link", 1001, 1001));
	owner_is("file", 1001, 1001);
	owner_is("link", 0, 0);
	OK(lchown("link", 1002, 1002));
	owner_is("link", 1002, 1002);
	OK(fchownat(AT_FDCWD, "link", 1003, 1003, AT_SYMLINK_NOFOLLOW));
	owner_is("link", 1003, 1003);
	owner_is("file", 1001, 1001);
	OK(fchownat(open_ok("file", O_RDONLY), "", 1004, 1004, AT_EMPTY_PATH));
	OK(fchown(open_ok("file", O_RDONLY), 1005, (gid_t)-1));
	owner_is("file", 1005, 1004);
}

CASE(chown, bad_arguments, 0, "EBADF; unknown flags: EINVAL")
{
	make_file("file");
	FAILS(EBADF, fchown(-1, 0, 0));
	FAILS(EBADF, fchownat(-5, "file", 0, 0, 0));
	FAILS(EINVAL, fchownat(AT_FDCWD, "file", geteuid(), getegid(), 0x20000000));
}

CASE(chown, to_self, 0, "the owner may name himself and his group")
{
	make_file("file");
	become_ordinary();
	if (geteuid() != stat_of("file").st_uid) {
		become_root();
		OK(chown("file", 1001, 1001));
		become_ordinary();
	}
	OK(chown("file", geteuid(), getegid()));
	OK(chown("file", (uid_t)-1, getegid()));
	OK(chown("file", (uid_t)-1, (gid_t)-1));
}

CASE(chown, give_away, 0, "nobody but root gives a file away: EPERM")
{
	OK(chmod(".", 0777));
	become_ordinary();
	make_file("file");
	FAILS(EPERM, chown("file", geteuid() + 1, (gid_t)-1));
	FAILS(EPERM, chown("file", (uid_t)-1, getegid() + 1));
	FAILS(EPERM, chown("file", 0, 0));
	owner_is("file", geteuid(), getegid());
}

CASE(chown, to_other_group, NEEDS_ROOT, "the owner may give it to another of his groups, nobody else")
{
	make_file("file");
	OK(chown("file", 1001, 1001));
	become_with_group(1001, 1001, 1005);
	OK(chown("file", (uid_t)-1, 1005));
	owner_is("file", 1001, 1005);
	FAILS(EPERM, chown("file", (uid_t)-1, 1006));
	become_with_group(1002, 1002, 1005);
	FAILS(EPERM, chown("file", (uid_t)-1, 1002));
	FAILS(EPERM, chown("file", 1002, (gid_t)-1));
}

CASE(chmod, not_owner, NEEDS_ROOT, "chmod and fchmod of another's file: EPERM")
{
	int fd;

	make_file("file");
	fd = open_ok("file", O_RDONLY);
	become(1001, 1001);
	FAILS(EPERM, chmod("file", 0777));
	FAILS(EPERM, fchmod(fd, 0777));
	SAME(mode_of("file"), 0644);
}

CASE(chmod, setgid_not_member, NEEDS_ROOT, "who is not in the file's group cannot set its set-group-id bit")
{
	make_file("file");
	OK(chown("file", 1001, 1005));
	become(1001, 1001);
	OK(chmod("file", 02755));
	SAME(mode_of("file"), 0755);
	become_with_group(1001, 1001, 1005);
	OK(chmod("file", 02755));
	SAME(mode_of("file"), 02755);
	become_root();
	OK(chown("file", 1001, 1006));
	OK(chmod("file", 02755));
	SAME(mode_of("file"), 02755);
}

CASE(chmod, sticky_file, NEEDS_ROOT, "an ordinary user may set the sticky bit on a file of his")
{
	make_file("file");
	OK(chown("file", 1001, 1001));
	become(1001, 1001);
	OK(chmod("file", 01755));
	SAME(mode_of("file"), 01755);
}

/* ---- set-id bits ---- */

static void make_set_id(mode_t mode)
{
	OK(chmod(".", 0777));
	write_file("file", "text");
	OK(chown("file", 1001, 1001));
	OK(chmod("file", mode));
	SAME(mode_of("file"), mode);
}

CASE(setid, write_clears, NEEDS_ROOT, "another's write clears set-user-id and set-group-id")
{
	int fd;

	make_set_id(06777);
	become(1002, 1002);
	fd = open_ok("file", O_WRONLY);
	SAME(mode_of("file"), 06777);
	SAME(write(fd, "x", 1), 1);
	SAME(mode_of("file"), 0777);
}

CASE(setid, writev_clears, NEEDS_ROOT, "pwrite and writev clear them, too")
{
	struct iovec vec = {.iov_base = (char[]){'x'}, .iov_len = 1};

	make_set_id(06777);
	become(1002, 1002);
	SAME(pwrite(open_ok("file", O_WRONLY), "x", 1, 100), 1);
	SAME(mode_of("file"), 0777);
	become_root();
	OK(chmod("file", 06777));
	become(1002, 1002);
	SAME(writev(open_ok("file", O_WRONLY), &vec, 1), 1);
	SAME(mode_of("file"), 0777);
}

CASE(setid, own_write_clears, NEEDS_ROOT, "the owner's own write clears them as well")
{
	make_set_id(06755);
	become(1001, 1001);
	SAME(write(open_ok("file", O_WRONLY), "x", 1), 1);
	SAME(mode_of("file"), 0755);
}

CASE(setid, root_write_keeps, NEEDS_ROOT, "root's write keeps them")
{
	make_set_id(06755);
	SAME(write(open_ok("file", O_WRONLY), "x", 1), 1);
	SAME(mode_of("file"), 06755);
}

CASE(setid, write_nothing_keeps, NEEDS_ROOT, "a write of no bytes keeps them")
{
	make_set_id(06777);
	become(1002, 1002);
	SAME(write(open_ok("file", O_WRONLY), "", 0), 0);
	SAME(mode_of("file"), 06777);
}

CASE(setid, truncate_clears, NEEDS_ROOT, "truncate, ftruncate and O_TRUNC clear them")
{
	make_set_id(06777);
	become(1002, 1002);
	OK(truncate("file", 2));
	SAME(mode_of("file"), 0777);
	become_root();
	OK(chmod("file", 06777));
	become(1002, 1002);
	OK(ftruncate(open_ok("file", O_WRONLY), 1));
	SAME(mode_of("file"), 0777);
	become_root();
	OK(chmod("file", 06777));
	become(1002, 1002);
	OK(close(open_ok("file", O_WRONLY | O_TRUNC)));
	SAME(mode_of("file"), 0777);
}

CASE(setid, mandatory_lock_bit, NEEDS_ROOT, "set-group-id without group execution: stays at the owner's write")
{
	make_set_id(02666);
	become(1001, 1001);
	SAME(write(open_ok("file", O_WRONLY), "x", 1), 1);
	SAME(mode_of("file"), 02666);
}

CASE(setid, mandatory_bit_not_member, NEEDS_ROOT, "... and goes when one writes who is not in the group")
{
	make_set_id(02666);
	become(1002, 1002);
	SAME(write(open_ok("file", O_WRONLY), "x", 1), 1);
	SAME(mode_of("file"), 0666);
}

CASE(setid, chown_clears, NEEDS_ROOT, "chown of a file clears them, even root's")
{
	make_set_id(06755);
	OK(chown("file", 1002, 1002));
	SAME(mode_of("file"), 0755);
	OK(chmod("file", 06755));
	OK(chown("file", (uid_t)-1, 1003));
	SAME(mode_of("file"), 0755);
	OK(chmod("file", 02644));
	OK(chown("file", 1002, 1002));
	SAME(mode_of("file"), 02644);
}

CASE(setid, chown_by_owner_clears, NEEDS_ROOT, "the owner's chgrp clears them")
{
	make_set_id(06755);
	become_with_group(1001, 1001, 1005);
	OK(chown("file", (uid_t)-1, 1005));
	SAME(mode_of("file"), 0755);
}


CASE(setid, chown_folder_keeps, NEEDS_ROOT, "chown of a folder keeps its bits")
{
	OK(mkdir("folder", 0755));
	OK(chmod("folder", 06755));
	OK(chown("folder", 1001, 1001));
	SAME(mode_of("folder"), 06755);
}

CASE(setid, rename_and_link_keep, NEEDS_ROOT, "rename, link and utimens keep them")
{
	make_set_id(06755);
	become(1001, 1001);
	OK(rename("file", "new"));
	OK(link("new", "file"));
	OK(utimensat(AT_FDCWD, "file", NULL, 0));
	OK(chmod("file", 06700));
	SAME(mode_of("new"), 06700);
}

/* ---- access(2) ---- */

CASE(access, modes, 0, "access: rights, EACCES, EINVAL")
{
	make_file("file");
	OK(chmod("file", 0400));
	OK(access("file", F_OK));
	OK(access("file", R_OK));
	FAILS(EACCES, access("file", X_OK));
	FAILS(EINVAL, access("file", 8));
	FAILS(EBADF, faccessat(-5, "file", F_OK, 0));
	if (geteuid() != 0)
		FAILS(EACCES, access("file", W_OK));
	else
		OK(access("file", W_OK));
	OK(chmod("file", 0100));
	OK(access("file", X_OK));
	OK(access(".", R_OK | W_OK | X_OK));
}

CASE(access, real_identity, NEEDS_ROOT, "access asks for the real identity, AT_EACCESS for the effective")
{
	make_file("file");
	OK(chmod("file", 0600));
	become(1001, 1001);
	OK(access("file", R_OK)); /* the real user is root */
	FAILS(EACCES, faccessat(AT_FDCWD, "file", R_OK, AT_EACCESS));
}

CASE(access, link_itself, 0, "AT_SYMLINK_NOFOLLOW: the link itself, which everybody may do all with")
{
	OK(symlink("nowhere", "link"));
	FAILS(ENOENT, access("link", F_OK));
	OK(faccessat(AT_FDCWD, "link", F_OK, AT_SYMLINK_NOFOLLOW));
}
