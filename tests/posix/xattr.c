/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xattr(7), acl(5). */
#include "tests/posix/posix.h"

#include <linux/capability.h>
#include <sys/syscall.h>
#include <sys/xattr.h>

static bool xattr_is(const char *path, const char *name, const char *value)
{
	char got[1000];
	ssize_t len = lgetxattr(path, name, got, sizeof(got));

	return len == (ssize_t)strlen(value) && memcmp(got, value, (size_t)len) == 0;
}

CASE(xattr, set_get_remove, 0, "set, get, replace, remove; by path and by descriptor")
{
	int fd;

	make_file("file");
	fd = open_ok("file", O_RDONLY);
	OK(setxattr("file", "user.one", "value", 5, 0));
	HOLDS(xattr_is("file", "user.one", "value"));
	OK(fsetxattr(fd, "user.one", "other value", 11, 0));
	HOLDS(xattr_is("file", "user.one", "other value"));
	OK(setxattr("file", "user.empty", "", 0, 0));
	SAME(getxattr("file", "user.empty", NULL, 0), 0);
	OK(removexattr("file", "user.one"));
	FAILS(ENODATA, getxattr("file", "user.one", NULL, 0));
	OK(fremovexattr(fd, "user.empty"));
	SAME(flistxattr(fd, NULL, 0), 0);
}

CASE(xattr, flags, 0, "XATTR_CREATE of an old one: EEXIST, XATTR_REPLACE of none: ENODATA")
{
	make_file("file");
	FAILS(ENODATA, setxattr("file", "user.one", "v", 1, XATTR_REPLACE));
	OK(setxattr("file", "user.one", "v", 1, XATTR_CREATE));
	FAILS(EEXIST, setxattr("file", "user.one", "w", 1, XATTR_CREATE));
	OK(setxattr("file", "user.one", "w", 1, XATTR_REPLACE));
	HOLDS(xattr_is("file", "user.one", "w"));
	FAILS(EINVAL, setxattr("file", "user.one", "w", 1, 77));
	FAILS(ENODATA, removexattr("file", "user.two"));
}

CASE(xattr, sizes, 0, "get and list: the size with no buffer, ERANGE with a short one")
{
	char value[10], names[100];

	make_file("file");
	OK(setxattr("file", "user.one", "12345", 5, 0));
	SAME(getxattr("file", "user.one", NULL, 0), 5);
	FAILS(ERANGE, getxattr("file", "user.one", value, 4));
	SAME(getxattr("file", "user.one", value, 10), 5);
	SAME(listxattr("file", NULL, 0), 9);
	FAILS(ERANGE, listxattr("file", names, 8));
	SAME(listxattr("file", names, sizeof(names)), 9);
	SAME(memcmp(names, "user.one", 9), 0);
}

CASE(xattr, names, 0, "bad names: ERANGE too long, EOPNOTSUPP no name space, EINVAL only a prefix")
{
	char *name;

	make_file("file");
	OK(asprintf(&name, "user.%s", repeat('n', 250)));
	OK(setxattr("file", name, "v", 1, 0));
	OK(asprintf(&name, "user.%s", repeat('n', 251)));
	FAILS(ERANGE, setxattr("file", name, "v", 1, 0));
	FAILS(ERANGE, getxattr("file", name, NULL, 0));
	FAILS(ERANGE, setxattr("file", "", "v", 1, 0));
	FAILS(EOPNOTSUPP, setxattr("file", "nonsense.name", "v", 1, 0));
	FAILS(EOPNOTSUPP, getxattr("file", "nonsense.name", NULL, 0));
	FAILS(EOPNOTSUPP, removexattr("file", "nonsense.name"));
	FAILS(EINVAL, setxattr("file", "user.", "v", 1, 0));
}

CASE(xattr, too_large, 0, "a value beyond what fits: ENOSPC; beyond 64 KiB: E2BIG")
{
	char *value = repeat('v', 65537);

	make_file("file");
	FAILS(E2BIG, setxattr("file", "user.one", value, 65537, 0));
	FAILS(ENOSPC, setxattr("file", "user.one", value, 65536, 0));
	FAILS(ENOSPC, setxattr("file", "user.one", value, 4096, 0));
	SAME(listxattr("file", NULL, 0), 0);
	OK(setxattr("file", "user.one", value, 3000, 0));
	SAME(getxattr("file", "user.one", NULL, 0), 3000);
}

CASE(xattr, many, 0, "many attributes: all listed, each with its value, all removed")
{
	char name[40], value[40], list[4000];
	ssize_t len;
	int count = 0;

	make_file("file");
	for (int i = 0; i < 50; i++) {
		snprintf(name, sizeof(name), "user.name-%d", i);
		snprintf(value, sizeof(value), "value-%d", i * i);
		OK(setxattr("file", name, value, strlen(value), 0));
	}
	len = OK(listxattr("file", list, sizeof(list)));
	for (ssize_t at = 0; at < len; at += (ssize_t)strlen(list + at) + 1)
		count++;
	SAME(count, 50);
	for (int i = 0; i < 50; i++) {
		snprintf(name, sizeof(name), "user.name-%d", i);
		snprintf(value, sizeof(value), "value-%d", i * i);
		HOLDS(xattr_is("file", name, value));
		OK(removexattr("file", name));
	}
	SAME(listxattr("file", NULL, 0), 0);
}

CASE(xattr, user_on_what, 0, "user attributes: files and folders only: EPERM on links, FIFOs")
{
	OK(mkdir("folder", 0755));
	OK(symlink("x", "link"));
	OK(mkfifo("fifo", 0644));
	OK(setxattr("folder", "user.one", "v", 1, 0));
	FAILS(EPERM, lsetxattr("link", "user.one", "v", 1, 0));
	FAILS(EPERM, setxattr("fifo", "user.one", "v", 1, 0));
	FAILS(ENODATA, lgetxattr("link", "user.one", NULL, 0));
	FAILS(ENODATA, getxattr("fifo", "user.one", NULL, 0));
}

CASE(xattr, follows, 0, "setxattr follows links, lsetxattr does not")
{
	make_file("file");
	OK(symlink("file", "link"));
	OK(setxattr("link", "user.one", "v", 1, 0));
	HOLDS(xattr_is("file", "user.one", "v"));
	SAME(llistxattr("link", NULL, 0), 0);
}

CASE(xattr, rights, NEEDS_ROOT, "user attributes go by the file's rights: EACCES")
{
	make_file("file");
	OK(setxattr("file", "user.one", "v", 1, 0));
	OK(chmod("file", 0604));
	become(1001, 1001);
	SAME(getxattr("file", "user.one", NULL, 0), 1);
	FAILS(EACCES, setxattr("file", "user.one", "w", 1, 0));
	FAILS(EACCES, removexattr("file", "user.one"));
	become_root();
	OK(chmod("file", 0600));
	become(1001, 1001);
	FAILS(EACCES, getxattr("file", "user.one", NULL, 0));
}

CASE(xattr, trusted, NEEDS_ROOT, "trusted attributes are root's: others neither see nor set them")
{
	char list[100];

	make_file("file");
	OK(chmod("file", 0666));
	OK(setxattr("file", "trusted.one", "v", 1, 0));
	HOLDS(xattr_is("file", "trusted.one", "v"));
	SAME(listxattr("file", list, sizeof(list)), 12);
	become(1001, 1001);
	FAILS(ENODATA, getxattr("file", "trusted.one", NULL, 0));
	FAILS(EPERM, setxattr("file", "trusted.one", "v", 1, 0));
	SAME(listxattr("file", list, sizeof(list)), 0);
}

/* Of the one thread that asks. */
static void drop_sys_admin(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct sets[2];

	OK(syscall(SYS_capget, &head, sets));
	sets[CAP_TO_INDEX(CAP_SYS_ADMIN)].effective &= ~CAP_TO_MASK(CAP_SYS_ADMIN);
	OK(syscall(SYS_capset, &head, sets));
}

CASE(xattr, trusted_capability, NEEDS_ROOT, "they are for CAP_SYS_ADMIN: root without it neither sees nor sets them")
{
	char list[100];

	make_file("file");
	OK(setxattr("file", "trusted.one", "v", 1, 0));
	OK(setxattr("file", "user.two", "v", 1, 0));
	drop_sys_admin();
	FAILS(ENODATA, getxattr("file", "trusted.one", NULL, 0));
	FAILS(EPERM, setxattr("file", "trusted.one", "v", 1, 0));
	SAME(listxattr("file", list, sizeof(list)), 9);
}

CASE(xattr, times, 0, "setting and removing moves ctime only; reading nothing")
{
	struct stamps before;

	make_file("file");
	before = stamps_set("file");
	OK(setxattr("file", "user.one", "v", 1, 0));
	STAMPS("file", before, "c");
	before = stamps_set("file");
	SAME(getxattr("file", "user.one", NULL, 0), 1);
	SAME(listxattr("file", NULL, 0), 9);
	STAMPS("file", before, "");
	OK(removexattr("file", "user.one"));
	STAMPS("file", before, "c");
}

CASE(xattr, follow_the_inode, 0, "attributes go with links and renames, not with copies")
{
	make_file("file");
	OK(setxattr("file", "user.one", "v", 1, 0));
	OK(link("file", "link"));
	HOLDS(xattr_is("link", "user.one", "v"));
	OK(rename("file", "new"));
	HOLDS(xattr_is("new", "user.one", "v"));
	write_file("new", "text");
	HOLDS(xattr_is("link", "user.one", "v"));
}

CASE(xattr, capability_cleared, NEEDS_ROOT, "a write removes security.capability")
{
	static const uint8_t capability[20] = {0, 0, 0, 2, 0, 4};

	make_file("file");
	OK(setxattr("file", "security.capability", capability, sizeof(capability), 0));
	SAME(getxattr("file", "security.capability", NULL, 0), 20);
	write_file("file", "text");
	FAILS(ENODATA, getxattr("file", "security.capability", NULL, 0));
}

/* ---- ACLs, as bytes of their attribute ---- */

enum acl_tag { USER_OBJ = 1, USER = 2, GROUP_OBJ = 4, GROUP = 8, MASK = 16, OTHER = 32 };

struct acl {
	size_t count;
	uint8_t bytes[4 + 8 * 10];
};

static void acl_add(struct acl *acl, enum acl_tag tag, unsigned rights, uint32_t id)
{
	uint8_t *at = acl->bytes + 4 + 8 * acl->count++;

	acl->bytes[0] = 2;
	at[0] = (uint8_t)tag;
	at[2] = (uint8_t)rights;
	for (int i = 0; i < 4; i++)
		at[4 + i] = (uint8_t)(id >> 8 * i);
}

static int acl_set(const char *path, const char *name, const struct acl *acl)
{
	return setxattr(path, name, acl->bytes, 4 + 8 * acl->count, 0);
}

static const char access_acl[] = "system.posix_acl_access", default_acl[] = "system.posix_acl_default";

/* user::rw- user:1001:rw- group::r-- mask::MASK other::--- */
static struct acl named_user(unsigned mask)
{
	struct acl acl = {0};

	acl_add(&acl, USER_OBJ, 6, ~0u);
	acl_add(&acl, USER, 6, 1001);
	acl_add(&acl, GROUP_OBJ, 4, ~0u);
	acl_add(&acl, MASK, mask, ~0u);
	acl_add(&acl, OTHER, 0, ~0u);
	return acl;
}

CASE(acl, named_user, NEEDS_ROOT, "a named user's rights hold, within the mask")
{
	struct acl acl = named_user(6);

	write_file("file", "text");
	OK(acl_set("file", access_acl, &acl));
	SAME(mode_of("file"), 0660);
	become(1001, 1001);
	OK(close(open_ok("file", O_RDWR)));
	become(1002, 1002);
	FAILS(EACCES, open("file", O_RDONLY));
	become_root();
	OK(chmod("file", 0640));
	become(1001, 1001);
	OK(close(open_ok("file", O_RDONLY)));
	FAILS(EACCES, open("file", O_WRONLY));
}

CASE(acl, chmod_sets_mask, NEEDS_ROOT, "chmod changes the mask, the ACL changes the mode")
{
	struct acl acl = named_user(6);
	uint8_t got[100];

	make_file("file");
	OK(acl_set("file", access_acl, &acl));
	OK(chmod("file", 0604));
	SAME(getxattr("file", access_acl, got, sizeof(got)), 44);
	SAME(got[4 + 8 * 3 + 2], 0); /* mask */
	SAME(got[4 + 8 * 2 + 2], 4); /* group */
	SAME(got[4 + 8 * 4 + 2], 4); /* other */
	acl = named_user(4);
	OK(acl_set("file", access_acl, &acl));
	SAME(mode_of("file"), 0640);
}

CASE(acl, minimal_is_mode, 0, "an ACL that says no more than a mode is not stored")
{
	struct acl acl = {0};

	make_file("file");
	acl_add(&acl, USER_OBJ, 7, ~0u);
	acl_add(&acl, GROUP_OBJ, 5, ~0u);
	acl_add(&acl, OTHER, 1, ~0u);
	OK(acl_set("file", access_acl, &acl));
	SAME(mode_of("file"), 0751);
	FAILS(ENODATA, getxattr("file", access_acl, NULL, 0));
}

CASE(acl, inherited, NEEDS_ROOT, "a default ACL is inherited, in place of the umask")
{
	struct acl acl = {0};

	OK(mkdir("folder", 0755));
	acl_add(&acl, USER_OBJ, 7, ~0u);
	acl_add(&acl, USER, 7, 1001);
	acl_add(&acl, GROUP_OBJ, 5, ~0u);
	acl_add(&acl, MASK, 7, ~0u);
	acl_add(&acl, OTHER, 0, ~0u);
	OK(acl_set("folder", default_acl, &acl));
	umask(077);
	OK(close((int)OK(open("folder/file", O_WRONLY | O_CREAT, 0666))));
	OK(mkdir("folder/sub", 0777));
	SAME(mode_of("folder/file"), 0660);
	SAME(mode_of("folder/sub"), 0770);
	SAME(getxattr("folder/file", access_acl, NULL, 0), 44);
	FAILS(ENODATA, getxattr("folder/file", default_acl, NULL, 0));
	SAME(getxattr("folder/sub", default_acl, NULL, 0), 44);
	OK(removexattr("folder", default_acl));
	OK(close((int)OK(open("folder/file-2", O_WRONLY | O_CREAT, 0666))));
	SAME(mode_of("folder/file-2"), 0600);
}

CASE(acl, errors, 0, "a default ACL of a file: EACCES; a broken one: EINVAL")
{
	struct acl acl = named_user(6), broken = {0};

	make_file("file");
	FAILS(EACCES, acl_set("file", default_acl, &acl));
	acl_add(&broken, USER_OBJ, 7, ~0u);
	FAILS(EINVAL, acl_set("file", access_acl, &broken));
	acl.bytes[0] = 3;
	FAILS(EOPNOTSUPP, acl_set("file", access_acl, &acl));
	FAILS(EINVAL, setxattr("file", access_acl, "xx", 2, 0));
	SAME(mode_of("file"), 0644);
}

CASE(acl, not_owner, NEEDS_ROOT, "only the owner sets an ACL: EPERM")
{
	struct acl acl = named_user(6);

	make_file("file");
	OK(chmod("file", 0666));
	become(1001, 1001);
	FAILS(EPERM, acl_set("file", access_acl, &acl));
}
