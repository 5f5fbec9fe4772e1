/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* POSIX ACLs: both forms, what is refused, mode and ACL that follow each other, what is inherited. */
#include <errno.h>

#include "ext4/acl.h"
#include "tests/dev/image.h"
#include "tests/dev/volume.h"
#include "tests/unit.h"

enum { MIB = 1 << 20, U = 1, UN = 2, G = 4, GN = 8, M = 16, O = 32 };

static const char access_name[] = "system.posix_acl_access", default_name[] = "system.posix_acl_default";

static struct volume volume;
static struct e4_inode *a;

static void setup(void)
{
	CU_ASSERT_EQUAL_FATAL(volume_make(&volume, 24 * MIB, "-b 1024 -I 256", NULL), 0);
	CU_ASSERT_EQUAL_FATAL(volume_mkdir(volume.root, "a", &a), 0);
}

static void teardown(void)
{
	e4_iput(a);
	CU_ASSERT_EQUAL(volume_judge(&volume), 0);
	CU_ASSERT_EQUAL(volume.errors, 0);
	volume_close(&volume);
}

/* entries: tag, permissions, id; ended by tag 0. */
static size_t value_make(const int entries[][3], uint8_t *value)
{
	struct acl acl = {0};

	for (; entries[acl.count][0]; acl.count++)
		acl.entry[acl.count] = (struct acl_entry){(uint16_t)entries[acl.count][0],
			(uint16_t)entries[acl.count][1], (uint32_t)entries[acl.count][2]};
	return acl_to_xattr(&acl, value);
}

static int acl_set(struct e4_inode *inode, const char *name, const int entries[][3])
{
	uint8_t value[ACL_BYTES_MAX];
	size_t len = value_make(entries, value);

	return e4_setxattr(inode, name, value, len, 0);
}

static void acl_is(struct e4_inode *inode, const char *name, const int entries[][3])
{
	uint8_t value[ACL_BYTES_MAX], got[ACL_BYTES_MAX];
	size_t len = value_make(entries, value);

	CU_ASSERT_EQUAL(e4_getxattr(inode, name, got, sizeof(got)), (ssize_t)len);
	CU_ASSERT_EQUAL(memcmp(got, value, len), 0);
}

static uint32_t mode_of(struct e4_inode *inode)
{
	struct e4_attr attr;

	e4_getattr(inode, &attr);
	return attr.mode & 07777;
}

static const int minimal[][3] = {{U, 6, -1}, {G, 4, -1}, {O, 0, -1}, {0}};
static const int named[][3] = {
	{U, 6, -1}, {UN, 7, 1234}, {G, 4, -1}, {GN, 1, 99}, {M, 5, -1}, {O, 0, -1}, {0}};

static void test_refused(void)
{
	static const int bad[][8][3] = {
		{{U, 6, -1}, {G, 4, -1}, {0}},
		{{G, 6, -1}, {U, 4, -1}, {O, 0, -1}, {0}},
		{{U, 6, -1}, {U, 6, -1}, {G, 4, -1}, {O, 0, -1}, {0}},
		{{U, 6, -1}, {UN, 6, 5}, {G, 4, -1}, {O, 0, -1}, {0}},
		{{U, 6, -1}, {GN, 6, 5}, {G, 4, -1}, {M, 7, -1}, {O, 0, -1}, {0}},
		{{U, 6, -1}, {G, 4, -1}, {M, 7, -1}, {M, 7, -1}, {O, 0, -1}, {0}},
		{{U, 6, -1}, {G, 4, -1}, {O, 0, -1}, {O, 0, -1}, {0}},
		{{U, 8, -1}, {G, 4, -1}, {O, 0, -1}, {0}},
		{{U, 6, -1}, {G, 4, -1}, {O, 0, -1}, {64, 0, -1}, {0}},
		{{U, 6, -1}, {UN, 6, -1}, {G, 4, -1}, {M, 7, -1}, {O, 0, -1}, {0}},
	};
	uint8_t value[ACL_BYTES_MAX];
	size_t len;

	setup();
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		CU_ASSERT_EQUAL(acl_set(a, access_name, bad[i]), -EINVAL);
	len = value_make(minimal, value);
	CU_ASSERT_EQUAL(e4_setxattr(a, access_name, value, len - 1, 0), -EINVAL);
	CU_ASSERT_EQUAL(e4_setxattr(a, access_name, value, 3, 0), -EINVAL);
	value[0] = 1;
	CU_ASSERT_EQUAL(e4_setxattr(a, access_name, value, len, 0), -EOPNOTSUPP);
	CU_ASSERT_EQUAL(e4_getxattr(a, access_name, value, sizeof(value)), -ENODATA);
	CU_ASSERT_EQUAL(mode_of(a), 0755);
	teardown();
}

static void test_mode(void)
{
	struct e4_attr attr = {.mode = 0751};
	static const int after[][3] = {{U, 7, -1}, {UN, 7, 1234}, {G, 4, -1}, {GN, 1, 99}, {M, 5, -1},
		{O, 1, -1}, {0}};

	setup();
	CU_ASSERT_EQUAL(acl_set(a, access_name, minimal), 0);
	CU_ASSERT_EQUAL(mode_of(a), 0640);
	CU_ASSERT_EQUAL(e4_getxattr(a, access_name, NULL, 0), -ENODATA);
	CU_ASSERT_EQUAL(acl_set(a, access_name, named), 0);
	CU_ASSERT_EQUAL(mode_of(a), 0650);
	acl_is(a, access_name, named);
	CU_ASSERT_EQUAL(e4_setattr(a, &attr, E4_SET_MODE), 0);
	CU_ASSERT_EQUAL(mode_of(a), 0751);
	acl_is(a, access_name, after);
	CU_ASSERT_EQUAL(e4_removexattr(a, access_name, 0), 0);
	CU_ASSERT_EQUAL(mode_of(a), 0751);
	CU_ASSERT_EQUAL(e4_removexattr(a, access_name, 0), 0);
	attr.mode = 02750;
	CU_ASSERT_EQUAL(e4_setattr(a, &attr, E4_SET_MODE), 0);
	CU_ASSERT_EQUAL(acl_set(a, access_name, named), 0);
	CU_ASSERT_EQUAL(mode_of(a), 02650);
	uint8_t value[ACL_BYTES_MAX];
	size_t len = value_make(named, value);

	CU_ASSERT_EQUAL(e4_setxattr(a, access_name, value, len, E4_XATTR_KILL_SGID), 0);
	CU_ASSERT_EQUAL(mode_of(a), 0650);
	/* one without entries takes it away */
	CU_ASSERT_EQUAL(e4_setxattr(a, access_name, value, 4, 0), 0);
	CU_ASSERT_EQUAL(e4_getxattr(a, access_name, NULL, 0), -ENODATA);
	teardown();
}

static struct e4_inode *make(const char *name, uint32_t mode, uint32_t mask)
{
	struct e4_create what = {.mode = mode, .umask = mask, .symlink_target = "x"};
	struct e4_inode *made = NULL;

	CU_ASSERT_EQUAL_FATAL(e4_create(a, name, strlen(name), &what, &made), 0);
	return made;
}

static void test_inherit(void)
{
	static const int parent[][3] = {
		{U, 7, -1}, {UN, 7, 1234}, {G, 5, -1}, {M, 7, -1}, {O, 5, -1}, {0}};
	static const int as_file[][3] = {
		{U, 6, -1}, {UN, 7, 1234}, {G, 5, -1}, {M, 6, -1}, {O, 4, -1}, {0}};
	static const int plain[][3] = {{U, 7, -1}, {G, 5, -1}, {O, 0, -1}, {0}};
	struct e4_inode *made;

	setup();
	made = make("masked", S_IFREG | 0666, 027);
	CU_ASSERT_EQUAL(mode_of(made), 0640);
	CU_ASSERT_EQUAL(acl_set(made, default_name, parent), -EACCES);
	CU_ASSERT_EQUAL(e4_removexattr(made, default_name, 0), 0);
	e4_iput(made);
	CU_ASSERT_EQUAL(acl_set(a, default_name, parent), 0);
	CU_ASSERT_EQUAL(mode_of(a), 0755);
	made = make("file", S_IFREG | 0666, 077);
	CU_ASSERT_EQUAL(mode_of(made), 0664);
	acl_is(made, access_name, as_file);
	CU_ASSERT_EQUAL(e4_getxattr(made, default_name, NULL, 0), -ENODATA);
	e4_iput(made);
	made = make("folder", S_IFDIR | 0777, 077);
	CU_ASSERT_EQUAL(mode_of(made), 0775);
	acl_is(made, access_name, parent);
	acl_is(made, default_name, parent);
	e4_iput(made);
	made = make("fifo", S_IFIFO | 0600, 0);
	CU_ASSERT_EQUAL(mode_of(made), 0600);
	e4_iput(made);
	made = make("link", S_IFLNK | 0777, 077);
	CU_ASSERT_EQUAL(mode_of(made), 0777);
	CU_ASSERT_EQUAL(acl_set(made, access_name, minimal), -EOPNOTSUPP);
	CU_ASSERT_EQUAL(e4_getxattr(made, access_name, NULL, 0), -EOPNOTSUPP);
	e4_iput(made);
	/* one that says no more than a mode leaves none */
	CU_ASSERT_EQUAL(acl_set(a, default_name, plain), 0);
	made = make("plain", S_IFREG | 0666, 0);
	CU_ASSERT_EQUAL(mode_of(made), 0640);
	CU_ASSERT_EQUAL(e4_getxattr(made, access_name, NULL, 0), -ENODATA);
	e4_iput(made);
	teardown();
}

/* Large ACLs live in a block, which new files share as long as they are the same. */
static void test_large(void)
{
	int many[60][3] = {{U, 7, -1}};
	struct e4_statfs before, after;
	struct e4_inode *made;
	char name[8];
	unsigned n = 1;

	for (; n < 50; n++)
		memcpy(many[n], (int[3]){UN, 5, 1000 + (int)n}, sizeof(many[n]));
	memcpy(many[n++], (int[3]){G, 5, -1}, sizeof(many[0]));
	memcpy(many[n++], (int[3]){M, 7, -1}, sizeof(many[0]));
	memcpy(many[n++], (int[3]){O, 0, -1}, sizeof(many[0]));
	setup();
	CU_ASSERT_EQUAL(acl_set(a, default_name, many), 0);
	e4_statfs(volume.fs, &before);
	for (unsigned i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "f%u", i);
		made = make(name, S_IFREG | 0660, 022);
		CU_ASSERT_EQUAL(mode_of(made), 0660);
		e4_iput(made);
	}
	e4_statfs(volume.fs, &after);
	CU_ASSERT_EQUAL(before.blocks_free - after.blocks_free, 1);
	made = make("d", S_IFDIR | 0770, 0);
	acl_is(made, default_name, many);
	acl_is(made, access_name, many);
	e4_iput(made);
	teardown();
}

/* What a drive calls an ACL may be anything. */
static void test_disk(void)
{
	uint64_t state = 9;
	uint8_t bytes[64], again[ACL_BYTES_MAX];
	unsigned accepted = 0;
	struct acl acl;

	for (unsigned round = 0; round < 100000; round++) {
		size_t len = volume_random(&state, sizeof(bytes) + 1);
		int r;

		for (size_t i = 0; i < sizeof(bytes); i++)
			bytes[i] = 0;
		bytes[0] = volume_random(&state, 10) ? 1 : 2;
		for (size_t i = 4; i < len; i += 2)
			bytes[i] = (uint8_t)(1 << volume_random(&state, 8));
		r = acl_from_disk(bytes, len, &acl);
		CU_ASSERT(r == 0 || r == -EINVAL);
		if (r < 0)
			continue;
		accepted++;
		CU_ASSERT_EQUAL(acl_to_disk(&acl, again), len);
		(void)acl_valid(&acl);
	}
	CU_ASSERT(accepted > 100);
}

int main(void)
{
	return UNIT_RUN(UNIT(test_refused), UNIT(test_mode), UNIT(test_inherit), UNIT(test_large),
		UNIT(test_disk));
}
