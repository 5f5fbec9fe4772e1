/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Extended attributes of files: random changes against a model, blocks that are shared, what does not
 * fit, faults of the drive, many threads at once. e2fsck judges, counts of owners and hashes included. */
#include <errno.h>
#include <pthread.h>
#include <sys/xattr.h>

#include "ext4/ialloc.h"
#include "ext4/xattr-block.h"
#include "tests/dev/faultdev.h"
#include "tests/dev/image.h"
#include "tests/dev/memdev.h"
#include "tests/dev/volume.h"
#include "tests/unit.h"

enum { MIB = 1 << 20, FILES = 6, NAMES = 14, VALUE_MAX = 3000, THREADS = 4 };

static const char *const names[NAMES] = {"user.a", "user.bb", "user.ccc", "trusted.a", "trusted.x",
	"security.selinux", "security.capability", "user.z123456789", "user.y", "user.x", "user.w",
	"user.another-name-that-is-longer", "trusted.another-name-that-is-longer", "security.a"};

static struct volume volume;
static struct e4_inode *file[FILES];
static uint64_t random_state;
static uint8_t want[FILES][NAMES][VALUE_MAX];
static int want_len[FILES][NAMES]; /* < 0: it is not there */

static uint32_t pick(uint32_t below)
{
	return volume_random(&random_state, below);
}

static struct e4_inode *get_file(unsigned i)
{
	char name[16];
	struct e4_inode *inode = NULL;

	snprintf(name, sizeof(name), "f%u", i);
	CU_ASSERT_EQUAL_FATAL(e4_lookup(volume.root, name, strlen(name), &inode), 0);
	return inode;
}

static void setup(uint64_t size, const char *options, uint64_t seed)
{
	random_state = seed;
	CU_ASSERT_EQUAL_FATAL(volume_make(&volume, size, options, NULL), 0);
	for (unsigned i = 0; i < FILES; i++) {
		char name[16];

		snprintf(name, sizeof(name), "f%u", i);
		CU_ASSERT_EQUAL_FATAL(volume_create(volume.root, name, S_IFREG | 0644), 0);
		file[i] = get_file(i);
		for (unsigned n = 0; n < NAMES; n++)
			want_len[i][n] = -1;
	}
}

static void put_files(void)
{
	for (unsigned i = 0; i < FILES; i++)
		e4_iput(file[i]);
}

static void judge(void)
{
	put_files();
	CU_ASSERT_EQUAL_FATAL(volume_judge(&volume), 0);
	for (unsigned i = 0; i < FILES; i++)
		file[i] = get_file(i);
}

static void teardown(void)
{
	put_files();
	CU_ASSERT_EQUAL(volume_judge(&volume), 0);
	CU_ASSERT_EQUAL(volume.errors, 0);
	volume_close(&volume);
}

static void check_one(unsigned i, unsigned n)
{
	uint8_t got[VALUE_MAX + 1];
	int len = want_len[i][n];

	if (len < 0) {
		CU_ASSERT_EQUAL_FATAL(e4_getxattr(file[i], names[n], got, sizeof(got)), -ENODATA);
		return;
	}
	CU_ASSERT_EQUAL_FATAL(e4_getxattr(file[i], names[n], got, sizeof(got)), len);
	CU_ASSERT_EQUAL_FATAL(memcmp(got, want[i][n], (size_t)len), 0);
	CU_ASSERT_EQUAL(e4_getxattr(file[i], names[n], NULL, 0), len);
	if (len > 1)
		CU_ASSERT_EQUAL(e4_getxattr(file[i], names[n], got, (size_t)len - 1), -ERANGE);
}

static void check_list(unsigned i)
{
	char list[1024];
	size_t all = 0, untrusted = 0;
	ssize_t len = e4_listxattr(file[i], list, sizeof(list), E4_LIST_TRUSTED);

	CU_ASSERT_FATAL(len >= 0);
	for (unsigned n = 0; n < NAMES; n++) {
		bool found = false;

		for (const char *at = list; at < list + len; at += strlen(at) + 1)
			found |= strcmp(at, names[n]) == 0;
		CU_ASSERT_EQUAL(found, want_len[i][n] >= 0);
		if (found)
			all += strlen(names[n]) + 1;
		if (found && strncmp(names[n], "trusted.", 8) != 0)
			untrusted += strlen(names[n]) + 1;
	}
	CU_ASSERT_EQUAL(len, (ssize_t)all);
	CU_ASSERT_EQUAL(e4_listxattr(file[i], NULL, 0, E4_LIST_TRUSTED), (ssize_t)all);
	CU_ASSERT_EQUAL(e4_listxattr(file[i], list, sizeof(list), 0), (ssize_t)untrusted);
	if (all > 1)
		CU_ASSERT_EQUAL(e4_listxattr(file[i], list, all - 1, E4_LIST_TRUSTED), -ERANGE);
}

static void check_model(void)
{
	for (unsigned i = 0; i < FILES; i++) {
		for (unsigned n = 0; n < NAMES; n++)
			check_one(i, n);
		check_list(i);
	}
}

static int set(unsigned i, unsigned n, const void *value, int len, unsigned flags)
{
	int r = e4_setxattr(file[i], names[n], value, (size_t)len, flags);

	if (r == 0) {
		memcpy(want[i][n], value, (size_t)len);
		want_len[i][n] = len;
	}
	return r;
}

static int unset(unsigned i, unsigned n)
{
	int r = e4_removexattr(file[i], names[n], 0);

	if (r == 0)
		want_len[i][n] = -1;
	return r;
}

/* One operation with the result it must have; room decides about -ENOSPC. */
static void random_change(unsigned longest)
{
	unsigned i = pick(FILES), n = pick(NAMES), flags = 0;
	bool there = want_len[i][n] >= 0;
	uint8_t value[VALUE_MAX];
	int len = (int)(pick(8) ? pick(60) : pick(longest)), r, refused = 0;

	if (pick(3) == 0) {
		CU_ASSERT_EQUAL(unset(i, n), there ? 0 : -ENODATA);
		return;
	}
	/* few different bytes, so that files come to have the same attributes */
	memset(value, 'a' + (int)pick(2), sizeof(value));
	if (pick(2))
		len = 700;
	if (pick(4) == 0)
		flags = pick(2) ? E4_XATTR_CREATE : E4_XATTR_REPLACE;
	r = set(i, n, value, len, flags);
	if (flags == E4_XATTR_CREATE && there)
		refused = -EEXIST;
	if (flags == E4_XATTR_REPLACE && !there)
		refused = -ENODATA;
	CU_ASSERT(refused ? r == refused : r == 0 || r == -ENOSPC);
}

static void random_on(const char *options, unsigned rounds)
{
	setup(24 * MIB, options, 11);
	for (unsigned round = 1; round <= rounds; round++) {
		random_change(VALUE_MAX);
		check_model();
		if (round % (rounds / 4) == 0)
			judge();
	}
	check_model();
	teardown();
}

static void test_random(void)
{
	random_on("-b 1024 -I 128", 400);
	random_on("-b 1024 -I 256", 400);
	random_on("-b 4096 -I 256", 400);
	random_on("-b 4096 -I 1024", 400);
	random_on("-b 2048 -I 256 -O ^metadata_csum,^extent,^64bit", 400);
}

/* The kernel's order: what fits goes into the inode, else into the block, never into both. */
static void test_places(void)
{
	uint8_t value[2100] = {0};
	struct e4_attr attr;

	setup(24 * MIB, "-b 4096 -I 256", 1);
	CU_ASSERT_EQUAL(set(0, 0, value, 20, 0), 0);
	e4_getattr(file[0], &attr);
	CU_ASSERT_EQUAL(attr.blocks_512, 0);
	CU_ASSERT_EQUAL(set(0, 0, value, 2000, 0), 0);
	e4_getattr(file[0], &attr);
	CU_ASSERT_EQUAL(attr.blocks_512, 8);
	CU_ASSERT_EQUAL(set(0, 1, value, 32, 0), 0);
	CU_ASSERT_EQUAL(set(0, 0, value, 10, 0), 0);
	e4_getattr(file[0], &attr);
	CU_ASSERT_EQUAL(attr.blocks_512, 0);
	CU_ASSERT_EQUAL(set(0, 2, value, 2000, 0), 0);
	CU_ASSERT_EQUAL(set(0, 3, value, 2100, 0), -ENOSPC);
	CU_ASSERT_EQUAL(set(0, 2, value, 1500, 0), 0);
	CU_ASSERT_EQUAL(set(0, 3, value, 2100, 0), 0);
	CU_ASSERT_EQUAL(unset(0, 3), 0);
	CU_ASSERT_EQUAL(unset(0, 2), 0);
	e4_getattr(file[0], &attr);
	CU_ASSERT_EQUAL(attr.blocks_512, 0);
	check_model();
	teardown();
}

static void test_errors(void)
{
	char longest[300], value[70000] = {0};

	setup(24 * MIB, "-b 4096 -I 256", 1);
	memset(longest, 'n', sizeof(longest));
	memcpy(longest, "user.", 5);
	longest[256] = 0;
	CU_ASSERT_EQUAL(e4_setxattr(file[0], longest, "x", 1, 0), -ERANGE);
	longest[255] = 0;
	CU_ASSERT_EQUAL(e4_setxattr(file[0], longest, "x", 1, 0), 0);
	CU_ASSERT_EQUAL(e4_getxattr(file[0], longest, value, 100), 1);
	CU_ASSERT_EQUAL(e4_removexattr(file[0], longest, 0), 0);
	CU_ASSERT_EQUAL(e4_setxattr(file[0], "user.", "x", 1, 0), -EINVAL);
	CU_ASSERT_EQUAL(e4_setxattr(file[0], "user", "x", 1, 0), -EOPNOTSUPP);
	CU_ASSERT_EQUAL(e4_setxattr(file[0], "system.data", "x", 1, 0), -EOPNOTSUPP);
	CU_ASSERT_EQUAL(e4_getxattr(file[0], "system.data", value, 1), -EOPNOTSUPP);
	CU_ASSERT_EQUAL(e4_setxattr(file[0], "user.x", value, 65537, 0), -E2BIG);
	CU_ASSERT_EQUAL(e4_setxattr(file[0], "user.x", value, 65536, 0), -ENOSPC);
	CU_ASSERT_EQUAL(e4_setxattr(file[0], "user.x", value, 4096, 0), -ENOSPC);
	CU_ASSERT_EQUAL(e4_removexattr(file[0], "user.x", 0), -ENODATA);
	CU_ASSERT_EQUAL(e4_setxattr(file[0], "user.x", "", 0, 0), 0);
	CU_ASSERT_EQUAL(e4_getxattr(file[0], "user.x", value, 100), 0);
	teardown();
}

static uint32_t owners(unsigned i)
{
	struct xattr_block block;
	uint32_t count = 0;

	CU_ASSERT_EQUAL(xattr_block_load(file[i], &block), 0);
	if (block.buf)
		count = le32toh(((const struct ext2_ext_attr_header *)block.buf->data)->h_refcount);
	xattr_block_put(&block);
	return count;
}

/* Files with the same attributes have one block, and part from it when one of them changes. */
static void test_shared(void)
{
	uint8_t value[600] = {1, 2, 3};
	struct e4_statfs before, after;

	setup(24 * MIB, "-b 1024 -I 256", 1);
	e4_statfs(volume.fs, &before);
	for (unsigned i = 0; i < FILES; i++)
		CU_ASSERT_EQUAL(set(i, 0, value, 600, 0), 0);
	e4_statfs(volume.fs, &after);
	CU_ASSERT_EQUAL(before.blocks_free - after.blocks_free, 1);
	CU_ASSERT_EQUAL(owners(0), FILES);
	judge();
	CU_ASSERT_EQUAL(owners(0), FILES);
	value[0] = 9;
	CU_ASSERT_EQUAL(set(0, 0, value, 600, 0), 0);
	CU_ASSERT_EQUAL(owners(0), 1);
	CU_ASSERT_EQUAL(owners(1), FILES - 1);
	check_model();
	CU_ASSERT_EQUAL(set(1, 0, value, 600, 0), 0);
	CU_ASSERT_EQUAL(owners(0), 2);
	CU_ASSERT_EQUAL(unset(0, 0), 0);
	CU_ASSERT_EQUAL(owners(0), 0);
	CU_ASSERT_EQUAL(owners(1), 1);
	judge();
	check_model();
	/* gone with its last file */
	for (unsigned i = 0; i < FILES; i++) {
		char name[16];

		snprintf(name, sizeof(name), "f%u", i);
		CU_ASSERT_EQUAL(volume_unlink(volume.root, name), 0);
	}
	put_files();
	CU_ASSERT_EQUAL(volume_judge(&volume), 0);
	e4_statfs(volume.fs, &after);
	CU_ASSERT_EQUAL(after.blocks_free, before.blocks_free);
	volume_close(&volume);
}

/* No block has more than 1024 owners. */
static void test_owners_max(void)
{
	uint8_t value[300] = {7};
	char name[16];

	CU_ASSERT_EQUAL_FATAL(volume_make(&volume, 24 * MIB, "-b 1024 -I 128 -N 2400", NULL), 0);
	for (unsigned i = 0; i < 1100; i++) {
		struct e4_inode *inode;

		snprintf(name, sizeof(name), "f%u", i);
		CU_ASSERT_EQUAL_FATAL(volume_create(volume.root, name, S_IFREG | 0644), 0);
		CU_ASSERT_EQUAL_FATAL(e4_lookup(volume.root, name, strlen(name), &inode), 0);
		CU_ASSERT_EQUAL_FATAL(e4_setxattr(inode, "user.x", value, 300, 0), 0);
		e4_iput(inode);
	}
	for (unsigned i = 0; i < FILES; i++)
		file[i] = get_file(i);
	CU_ASSERT_EQUAL(owners(0), 1024);
	put_files();
	CU_ASSERT_EQUAL(volume_judge(&volume), 0);
	volume_close(&volume);
}

/* A full volume: what needs a block fails and changes nothing; what does not, works. */
static void full_volume(const char *options, bool reserve)
{
	uint8_t value[600] = {1}, chunk[4096] = {0};
	struct e4_inode *filler;
	uint64_t off = 0;

	setup(8 * MIB, options, 1);
	CU_ASSERT_EQUAL(set(0, 0, value, 600, 0), 0);
	CU_ASSERT_EQUAL(set(1, 0, value, 600, 0), 0);
	CU_ASSERT_EQUAL_FATAL(volume_create(volume.root, "filler", S_IFREG | 0644), 0);
	CU_ASSERT_EQUAL_FATAL(e4_lookup(volume.root, "filler", 6, &filler), 0);
	while (e4_write(filler, chunk, sizeof(chunk), off, 0) > 0)
		off += sizeof(chunk);
	while (e4_write(filler, chunk, 1, off, 0) > 0)
		off += 1024;
	value[0] = 2;
	CU_ASSERT_EQUAL(set(0, 0, value, 600, 0), -ENOSPC);
	CU_ASSERT_EQUAL(set(2, 0, value, 600, 0), -ENOSPC);
	CU_ASSERT_EQUAL(set(2, 1, value, 30, 0), 0);
	value[0] = 1;
	CU_ASSERT_EQUAL(set(2, 0, value, 600, 0), 0);
	check_model();
	value[0] = 4;
	CU_ASSERT_EQUAL(set(3, 0, value, 600, E4_XATTR_USE_RESERVE), reserve ? 0 : -ENOSPC);
	check_model();
	e4_iput(filler);
	CU_ASSERT_EQUAL(volume_unlink(volume.root, "filler"), 0);
	value[0] = 3;
	CU_ASSERT_EQUAL(set(0, 0, value, 600, 0), 0);
	check_model();
	teardown();
}

static void test_full(void)
{
	full_volume("-b 1024 -I 256 -m 0", false);
	full_volume("-b 1024 -I 256 -m 5", true);
}

/* The feature is switched on with the first attribute. */
static void test_feature(void)
{
	setup(24 * MIB, "-b 1024 -O ^ext_attr", 1);
	CU_ASSERT(!fs_has_compat(volume.fs, EXT2_FEATURE_COMPAT_EXT_ATTR));
	CU_ASSERT_EQUAL(set(0, 0, "x", 1, 0), 0);
	CU_ASSERT(fs_has_compat(volume.fs, EXT2_FEATURE_COMPAT_EXT_ATTR));
	judge();
	CU_ASSERT(fs_has_compat(volume.fs, EXT2_FEATURE_COMPAT_EXT_ATTR));
	check_model();
	teardown();
}

/* ---- faults ------------------------------------------------------------------------------- */

/* The drive fails at the n-th read: the operation is done or not, or the volume has stopped. */
static void test_faults(void)
{
	uint8_t value[700] = {5};

	for (unsigned nth = 1; nth < 14; nth++) {
		struct e4_inode *inode;
		struct blkdev *fault;
		int r;

		setup(24 * MIB, "-b 1024 -I 256", nth);
		for (unsigned i = 0; i < FILES; i++)
			CU_ASSERT_EQUAL_FATAL(set(i, 0, value, 700, 0), 0);
		put_files();
		CU_ASSERT_EQUAL_FATAL(volume_unmount(&volume), 0);
		CU_ASSERT_EQUAL_FATAL(faultdev_new(volume.dev, &fault), 0);
		volume.top = fault;
		CU_ASSERT_EQUAL_FATAL(volume_mount(&volume), 0);
		faultdev_fail_once(fault, FAULT_READ, nth, -EIO);
		r = e4_lookup(volume.root, "f0", 2, &inode);
		if (r == 0) {
			value[0] = 6;
			r = e4_setxattr(inode, names[0], value, 700, 0);
			CU_ASSERT(r == 0 || r == -EIO || r == -EROFS);
			value[0] = r == 0 ? 6 : 5;
			faultdev_fail_once(fault, FAULT_READ, 0, 0);
			CU_ASSERT_EQUAL(e4_getxattr(inode, names[0], want[0][0], VALUE_MAX), 700);
			CU_ASSERT_EQUAL(memcmp(want[0][0], value, 700), 0);
			e4_iput(inode);
		}
		value[0] = 5;
		(void)!volume_unmount(&volume);
		CU_ASSERT_EQUAL(image_check(volume.dev), 0);
		volume_close(&volume);
	}
}

/* ---- values in inodes of their own -------------------------------------------------------- */

enum { BIG = 1024 }; /* debugfs takes no more than a block */

static void value_volume(const char *request)
{
	char path[] = "/tmp/sealdrive-value-XXXXXX", set[128];
	int fd = mkstemp(path);
	FILE *f = fdopen(fd, "w");

	CU_ASSERT_FATAL(f != NULL);
	for (unsigned i = 0; i < BIG; i++)
		putc((int)(i % 251), f);
	fclose(f);
	volume = (struct volume){0};
	snprintf(set, sizeof(set), "ea_set -f %s f user.big", path);
	CU_ASSERT_EQUAL_FATAL(image_make(24 * MIB, "-b 1024 -O ea_inode", &volume.dev), 0);
	CU_ASSERT_EQUAL_FATAL(image_debugfs(volume.dev, "write /dev/null f", true), 0);
	CU_ASSERT_EQUAL_FATAL(image_debugfs(volume.dev, set, true), 0);
	if (request)
		CU_ASSERT_EQUAL_FATAL(image_debugfs(volume.dev, request, true), 0);
	unlink(path);
	volume.top = volume.dev;
	CU_ASSERT_EQUAL_FATAL(volume_mount(&volume), 0);
	CU_ASSERT_EQUAL_FATAL(e4_lookup(volume.root, "f", 1, &file[0]), 0);
}

/* The first file is inode 12, its value 13. */
static void test_values(void)
{
	static const char *const harms[] = {"sif <13> atime @5", "sif <13> size 1023", "clri <13>",
		"sif <13> flags 0x80000", "sif <13> mode 040700"};
	static uint8_t got[BIG + 1];
	struct e4_inode *inode;

	value_volume(NULL);
	CU_ASSERT(e4_is_read_only(volume.fs));
	CU_ASSERT_EQUAL(e4_getxattr(file[0], "user.big", got, 0), BIG);
	CU_ASSERT_EQUAL(e4_getxattr(file[0], "user.big", got, BIG - 1), -ERANGE);
	CU_ASSERT_EQUAL_FATAL(e4_getxattr(file[0], "user.big", got, sizeof(got)), BIG);
	for (unsigned i = 0; i < BIG; i++)
		CU_ASSERT_EQUAL_FATAL(got[i], i % 251);
	CU_ASSERT_EQUAL(e4_setxattr(file[0], "user.x", "x", 1, 0), -EROFS);
	e4_iput(file[0]);
	volume_close(&volume);
	for (size_t i = 0; i < ARRAY_SIZE(harms); i++) {
		value_volume(harms[i]);
		CU_ASSERT_EQUAL(e4_getxattr(file[0], "user.big", got, sizeof(got)), -EUCLEAN);
		e4_iput(file[0]);
		volume_close(&volume);
	}
	value_volume("link <13> named");
	CU_ASSERT_EQUAL(e4_lookup(volume.root, "named", 5, &inode), -EUCLEAN);
	e4_iput(file[0]);
	volume_close(&volume);
}

/* ---- what a drive says may be anything --------------------------------------------------- */

/* Where the attributes of the first file lie on the device. */
static void find_places(uint64_t *ret_block_at, uint64_t *ret_body_at)
{
	struct buf *buf;
	uint32_t offset;

	*ret_block_at = file[0]->file_acl * 1024;
	CU_ASSERT_EQUAL_FATAL(ialloc_table_block(volume.fs, e4_ino(file[0]), &buf, &offset), 0);
	*ret_body_at = buf->block * 1024 + offset + 160;
	buf_put(buf);
}

/* The volume is found damaged, or works as ever. */
static void use_all(void)
{
	uint8_t value[900] = {1};
	char list[4000];
	struct e4_inode *inode;

	for (unsigned i = 0; i < 2; i++) {
		ssize_t r = e4_lookup(volume.root, i ? "f1" : "f0", 2, &inode);

		if (r < 0)
			continue;
		r = e4_listxattr(inode, list, sizeof(list), E4_LIST_TRUSTED);
		CU_ASSERT(r >= 0 || r == -EUCLEAN);
		for (unsigned n = 0; n < NAMES; n++) {
			r = e4_getxattr(inode, names[n], value, sizeof(value));
			CU_ASSERT(r >= 0 || r == -ENODATA || r == -EUCLEAN || r == -ERANGE);
			r = e4_setxattr(inode, names[n], value, pick(sizeof(value)), 0);
			CU_ASSERT(r == 0 || r == -ENOSPC || r == -EUCLEAN || r == -EROFS);
		}
		r = e4_removexattr(inode, names[pick(NAMES)], 0);
		CU_ASSERT(r == 0 || r == -ENODATA || r == -EUCLEAN || r == -EROFS);
		e4_iput(inode);
		(void)!volume_unlink(volume.root, i ? "f1" : "f0");
	}
}

static void harm(uint8_t *data, uint64_t block_at, uint64_t body_at)
{
	static const uint16_t header[] = {0, 4, 5, 8, 12, 13}; /* magic, owners, blocks, hash */

	for (unsigned flips = 1 + pick(3); flips; flips--) {
		unsigned where = pick(4);

		if (where == 0)
			data[block_at + header[pick(ARRAY_SIZE(header))]] = (uint8_t)pick(256);
		else if (where == 1)
			data[body_at + pick(96)] = (uint8_t)pick(256);
		else
			data[block_at + 32 + pick(where == 2 ? 100 : 992)] = (uint8_t)pick(256);
	}
}

static void test_hostile(void)
{
	enum { BYTES = 8 * MIB };
	uint8_t value[300] = {3}, *data, *good = malloc(BYTES);
	uint64_t block_at, body_at;
	unsigned damaged = 0;

	CU_ASSERT_FATAL(good != NULL);
	setup(BYTES, "-b 1024 -I 256 -O ^metadata_csum,^has_journal", 21);
	for (unsigned i = 0; i < 2; i++) {
		CU_ASSERT_EQUAL(set(i, 1, "small", 5, 0), 0);
		CU_ASSERT_EQUAL(set(i, 2, value, 300, 0), 0);
		CU_ASSERT_EQUAL(set(i, 3, value, 100, 0), 0);
	}
	CU_ASSERT_EQUAL(owners(0), 2);
	find_places(&block_at, &body_at);
	put_files();
	CU_ASSERT_EQUAL_FATAL(volume_unmount(&volume), 0);
	data = memdev_data(volume.dev);
	memcpy(good, data, BYTES);
	for (unsigned round = 0; round < 500; round++) {
		memcpy(data, good, BYTES);
		harm(data, block_at, body_at);
		CU_ASSERT_EQUAL_FATAL(volume_mount(&volume), 0);
		use_all();
		damaged += volume.errors;
		(void)!volume_unmount(&volume);
	}
	CU_ASSERT(damaged > 100);
	CU_ASSERT(damaged < 500);
	volume_close(&volume);
	free(good);
}

/* ---- threads ------------------------------------------------------------------------------ */

/* Each thread has files of its own, but all of them share blocks. */
static void *change_mine(void *arg)
{
	unsigned i = *(unsigned *)arg;
	uint64_t state = 100 + i;

	for (unsigned round = 0; round < 600; round++) {
		uint8_t value[400];
		unsigned n = volume_random(&state, 2);

		memset(value, 'a' + (int)volume_random(&state, 3), sizeof(value));
		if (volume_random(&state, 4) == 0)
			(void)!unset(i, n);
		else
			CU_ASSERT_EQUAL(set(i, n, value, 400, 0), 0);
		check_one(i, n);
	}
	return NULL;
}

static void test_threads(void)
{
	pthread_t threads[THREADS];
	unsigned numbers[THREADS];

	setup(24 * MIB, "-b 1024 -I 256", 5);
	for (unsigned i = 0; i < THREADS; i++) {
		numbers[i] = i;
		CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, change_mine, &numbers[i]), 0);
	}
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	judge();
	check_model();
	teardown();
}

/* ---- a checkpoint at the worst moment ------------------------------------------------------ */

/* A device that tells of each read. */
struct telling {
	struct blkdev dev;
	struct blkdev *lower;
	void (*on_read)(void);
};

static int telling_read(struct blkdev *dev, void *buf, size_t len, uint64_t off)
{
	struct telling *t = container_of(dev, struct telling, dev);

	if (t->on_read)
		t->on_read();
	return blkdev_read(t->lower, buf, len, off);
}

static int telling_write(struct blkdev *dev, void *buf, size_t len, uint64_t off,
	const struct blkdev_write *how)
{
	return blkdev_write(container_of(dev, struct telling, dev)->lower, buf, len, off);
}

static int telling_flush(struct blkdev *dev)
{
	return blkdev_flush(container_of(dev, struct telling, dev)->lower);
}

static void telling_close(struct blkdev *dev)
{
	blkdev_close(container_of(dev, struct telling, dev)->lower);
}

static const struct blkdev_ops telling_ops = {
	.read = telling_read, .write = telling_write, .flush = telling_flush, .close = telling_close};

static struct telling telling;
static uint64_t watched; /* block */
static unsigned times_read, times_without_owner;

/* What a checkpoint would write home now. */
static void checkpoint_now(void)
{
	struct checkpoint_list list;
	uint8_t data[1024];

	times_read++;
	CU_ASSERT_EQUAL_FATAL(cache_checkpoint_begin(volume.fs, &list), 0);
	for (size_t i = 0; i < list.count; i++)
		if (cache_checkpoint_copy(volume.fs, &list.blocks[i], data) &&
			list.blocks[i].buf->block == watched &&
			!((const struct ext2_ext_attr_header *)data)->h_refcount)
			times_without_owner++;
	cache_checkpoint_end(volume.fs, &list, false);
}

/* Its transaction may never be committed: until then the block belongs to the file. */
static void test_freed_during_checkpoint(void)
{
	uint8_t value[600] = {1};

	volume = (struct volume){0};
	CU_ASSERT_EQUAL_FATAL(image_make(24 * MIB, "-b 1024 -I 256", &volume.dev), 0);
	telling = (struct telling){.dev = *volume.dev, .lower = volume.dev};
	telling.dev.ops = &telling_ops;
	volume.top = &telling.dev;
	CU_ASSERT_EQUAL_FATAL(volume_mount(&volume), 0);
	CU_ASSERT_EQUAL_FATAL(volume_create(volume.root, "f0", S_IFREG | 0644), 0);
	file[0] = get_file(0);
	CU_ASSERT_EQUAL(set(0, 0, value, 600, 0), 0);
	e4_iput(file[0]);
	CU_ASSERT_EQUAL_FATAL(volume_judge(&volume), 0);
	/* In the log, not at home; and to free it, its group's bitmap has to be read. */
	file[0] = get_file(0);
	value[0] = 2;
	CU_ASSERT_EQUAL(set(0, 0, value, 600, 0), 0);
	CU_ASSERT_EQUAL(e4_sync(volume.fs), 0);
	watched = file[0]->file_acl;
	telling.on_read = checkpoint_now;
	CU_ASSERT_EQUAL(unset(0, 0), 0);
	telling.on_read = NULL;
	CU_ASSERT(times_read > 0);
	CU_ASSERT_EQUAL(times_without_owner, 0);
	e4_iput(file[0]);
	CU_ASSERT_EQUAL(volume_judge(&volume), 0);
	volume_close(&volume);
}

int main(void)
{
	return UNIT_RUN(UNIT(test_random), UNIT(test_places), UNIT(test_errors), UNIT(test_shared),
		UNIT(test_owners_max), UNIT(test_full), UNIT(test_feature), UNIT(test_faults), UNIT(test_values), UNIT(test_hostile),
		UNIT(test_threads), UNIT(test_freed_during_checkpoint));
}
