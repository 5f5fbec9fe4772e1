/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Directories that are damaged or hostile, or cannot be read: what is whole is found, nothing is made worse. */
#include <dirent.h>
#include <errno.h>
#include <ext2fs/ext2fs.h>
#include <ext2fs/ext3_extents.h>

#include "ext4/dir.h"
#include "ext4/extent.h"
#include "tests/dev/faultdev.h"
#include "tests/dev/image.h"
#include "tests/dev/memdev.h"
#include "tests/ext4-dir-model.h"

enum { MIB = 1 << 20 };

/* The bytes of a directory's block on the device; unmounted in between. */
static uint8_t *block_of(struct volume *volume, const char *name, uint32_t lblk)
{
	struct e4_inode *dir;
	struct extent_run run = {0};
	uint32_t bytes = 0;

	CU_ASSERT_EQUAL_FATAL(e4_lookup(volume->root, name, strlen(name), &dir), 0);
	pthread_rwlock_rdlock(&dir->lock);
	CU_ASSERT_EQUAL_FATAL(extent_map(dir, lblk, &run), 0);
	pthread_rwlock_unlock(&dir->lock);
	bytes = dir->fs->block_bytes;
	e4_iput(dir);
	return (uint8_t *)memdev_data(volume->dev) + run.pblk * bytes;
}

static void make_indexed(struct volume *volume, const char *options)
{
	struct e4_inode *dir;
	char name[256];

	CU_ASSERT_EQUAL_FATAL(volume_make(volume, 16 * MIB, options, NULL), 0);
	CU_ASSERT_EQUAL_FATAL(volume_mkdir(volume->root, "dir", &dir), 0);
	for (unsigned i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "name%u", i);
		CU_ASSERT_EQUAL(volume_create(dir, name, S_IFREG | 0644), 0);
	}
	e4_iput(dir);
}

/* A root that makes no sense: names are found and listed all the same, none is added. */
static void test_damaged_index(void)
{
	static const struct {
		unsigned off;
		uint8_t value;
	} faults[] = {
		{24, 1},	    /* reserved_zero */
		{28, 3},	    /* hash version */
		{28, 6},	    /* SipHash */
		{29, 12},	    /* info length */
		{30, 2},	    /* levels */
		{30, 255}, {31, 1}, /* unused flags */
		{32, 0x7d},	    /* limit */
		{34, 0},	    /* count: none */
		{35, 0xff},	    /* count above limit */
		{36, 0},	    /* first child is the root itself */
	};

	for (size_t i = 0; i < ARRAY_SIZE(faults); i++) {
		struct volume volume;
		struct e4_inode *dir;
		struct reader l = {.take = 1000};
		struct model model;

		make_indexed(&volume, "-b 1024 -O ^metadata_csum,^metadata_csum_seed");

		uint8_t *root = block_of(&volume, "dir", 0);

		CU_ASSERT_EQUAL(volume_unmount(&volume), 0);
		root[faults[i].off] = faults[i].value;
		CU_ASSERT_EQUAL_FATAL(volume_mount(&volume), 0);
		CU_ASSERT_EQUAL_FATAL(e4_lookup(volume.root, "dir", 3, &dir), 0);
		CU_ASSERT(volume_ino(dir, "name77") > 0);
		CU_ASSERT_EQUAL(volume_ino(dir, "name200"), -ENOENT);
		model_init(&model, 200, name_mixed);
		for (unsigned n = 0; n < 200; n++)
			snprintf(model.names[n], 256, "name%u", n);
		l.model = &model;
		l.order = model_sorted(&model);
		if (faults[i].off != 36) { /* found when descending */
			CU_ASSERT_FALSE(list_step(dir, &l));
			for (unsigned n = 0; n < 200; n++)
				CU_ASSERT_EQUAL(model.seen[n], 1);
		}

		/* the last one is in the way of some names only */
		int r = 0;

		for (unsigned n = 0; r == 0 && n < (faults[i].off == 36 ? 50 : 1); n++) {
			snprintf(model.names[0], 256, "new%u", n);
			r = volume_create(dir, model.names[0], S_IFREG | 0644);
		}
		CU_ASSERT_EQUAL(r, -EUCLEAN);
		CU_ASSERT(e4_is_read_only(volume.fs));
		free((void *)l.order);
		model_free(&model);
		e4_iput(dir);
		volume_close(&volume);
	}
}

static void test_damaged_entries(void)
{
	static const struct {
		unsigned off;
		uint8_t value;
	} faults[] = {
		{24 + 4, 0},		  /* rec_len 0 */
		{24 + 4, 6},		  /* not a multiple of 4 */
		{24 + 4, 8},		  /* below the least */
		{24 + 5, 4},		  /* over the end */
		{24 + 6, 200},		  /* name longer than the record */
		{24 + 6, 0},		  /* no name */
		{24 + 8, '/'},		  /* impossible names */
		{24 + 8, 0}, {24 + 3, 1}, /* inode number out of range */
	};

	for (size_t i = 0; i < ARRAY_SIZE(faults); i++) {
		struct volume volume;
		struct e4_inode *dir;

		CU_ASSERT_EQUAL_FATAL(
			volume_make(&volume, 16 * MIB,
				"-b 1024 -O ^metadata_csum,^metadata_csum_seed", NULL),
			0);
		CU_ASSERT_EQUAL_FATAL(volume_mkdir(volume.root, "dir", &dir), 0);
		CU_ASSERT_EQUAL(volume_create(dir, "first", S_IFREG | 0644), 0);
		CU_ASSERT_EQUAL(volume_create(dir, "second", S_IFREG | 0644), 0);
		e4_iput(dir);

		uint8_t *block = block_of(&volume, "dir", 0);

		CU_ASSERT_EQUAL(volume_unmount(&volume), 0);
		block[faults[i].off] = faults[i].value;
		CU_ASSERT_EQUAL_FATAL(volume_mount(&volume), 0);
		CU_ASSERT_EQUAL_FATAL(e4_lookup(volume.root, "dir", 3, &dir), 0);
		CU_ASSERT_EQUAL(volume_ino(dir, "second"), -EUCLEAN);
		CU_ASSERT_EQUAL(volume_create(dir, "third", S_IFREG | 0644), -EUCLEAN);
		e4_iput(dir);
		volume_close(&volume);
	}
}

/* With checksums any flipped bit in any kind of block is noticed. */
static void test_checksums(void)
{
	for (unsigned i = 0; i < 24; i++) {
		struct volume volume;
		struct e4_inode *dir;
		struct e4_attr attr;
		struct model model;

		make_indexed(&volume, "-b 1024");

		uint8_t *block = block_of(&volume, "dir", i % 3);
		unsigned off = i % 3 ? i * 41 : 24 + i % 20; /* root: what is in use */

		CU_ASSERT_EQUAL(volume_unmount(&volume), 0);
		block[off] ^= 1u << i % 8;
		CU_ASSERT_EQUAL_FATAL(volume_mount(&volume), 0);
		CU_ASSERT_EQUAL_FATAL(e4_lookup(volume.root, "dir", 3, &dir), 0);
		e4_getattr(dir, &attr);
		model_init(&model, 1, name_mixed);

		unsigned order = 0;
		struct reader l = {.model = &model, .order = &order, .take = 10000};

		CU_ASSERT_EQUAL(e4_readdir(dir, 0, list_one, &l), -EUCLEAN);
		CU_ASSERT(e4_is_read_only(volume.fs));
		model_free(&model);
		e4_iput(dir);
		volume_close(&volume);
	}
}

/* More blocks than the volume has: nobody walks that far. */
static void test_absurd_size(void)
{
	struct volume volume;
	struct e4_inode *dir;

	CU_ASSERT_EQUAL_FATAL(volume_make(&volume, 8 * MIB, "-b 1024", NULL), 0);
	CU_ASSERT_EQUAL_FATAL(volume_mkdir(volume.root, "dir", &dir), 0);
	CU_ASSERT_EQUAL(volume_create(dir, "first", S_IFREG | 0644), 0);
	pthread_rwlock_wrlock(&dir->lock);
	dir->size = 9 * MIB;
	pthread_rwlock_unlock(&dir->lock);
	CU_ASSERT_EQUAL(volume_ino(dir, "first"), -EUCLEAN);
	e4_iput(dir);
	volume_close(&volume);
}

/* Two logical blocks that are one: an index block that is its own leaf. */
static void test_doubly_mapped(void)
{
	struct volume volume;
	struct e4_inode *dir;
	char name[256];
	int r = 0;

	make_indexed(&volume, "-b 1024 -O ^metadata_csum,^metadata_csum_seed");
	CU_ASSERT_EQUAL_FATAL(e4_lookup(volume.root, "dir", 3, &dir), 0);

	struct ext3_extent_header *header = (struct ext3_extent_header *)dir->i_block;
	struct ext3_extent *extent = (struct ext3_extent *)(header + 1);
	struct e4_attr attr;

	e4_getattr(dir, &attr);
	/* blocks 0 and 1 from one place, the others from the next two */
	pthread_rwlock_wrlock(&dir->lock);
	CU_ASSERT_EQUAL_FATAL(header->eh_depth, 0);
	header->eh_entries = htole16(3);
	extent[2] = extent[1] = extent[0];
	extent[0].ee_len = htole16(1);
	extent[1].ee_block = htole32(1);
	extent[1].ee_len = htole16(1);
	extent[2].ee_block = htole32(2);
	extent[2].ee_len = htole16((uint16_t)(attr.size / 1024 - 2));
	pthread_rwlock_unlock(&dir->lock);
	for (unsigned i = 0; r == 0 && i < 1000; i++) {
		snprintf(name, sizeof(name), "new%u", i);
		r = volume_create(dir, name, S_IFREG | 0644);
	}
	CU_ASSERT_EQUAL(r, -EUCLEAN);

	/* no name went into the index block */
	struct buf *root;

	CU_ASSERT_EQUAL_FATAL(dir_block_get(dir, 0, &root), 0);
	CU_ASSERT_EQUAL(le16_get(((struct dirent_disk *)(root->data + 12))->rec_len), 1024 - 12);
	buf_put(root);
	e4_iput(dir);
	volume_close(&volume);
}

/* Names in blocks where their hash does not belong: still listed, each once, at any pace. */
static void test_misplaced_names(void)
{
	struct volume volume;
	struct model model;
	struct e4_inode *dir;
	uint8_t *blocks[4];
	unsigned changed = 0;

	make_indexed(&volume, "-b 1024 -O ^metadata_csum,^metadata_csum_seed");
	for (unsigned i = 0; i < ARRAY_SIZE(blocks); i++)
		blocks[i] = block_of(&volume, "dir", i + 1);
	CU_ASSERT_EQUAL(volume_unmount(&volume), 0);
	model_init(&model, 200, name_short);
	for (unsigned i = 0; i < model.count; i++) {
		char old[256];
		uint8_t *found;

		snprintf(model.names[i], 256, "name%u", i);
		strcpy(old, model.names[i]);
		if (i < 100)
			continue;
		for (unsigned n = 0; n < ARRAY_SIZE(blocks); n++) {
			found = memmem(blocks[n], 1024, old, strlen(old));
			if (!found)
				continue;
			*found = *model.names[i] = 'N';
			changed++;
		}
	}
	CU_ASSERT(changed > 50);
	CU_ASSERT_EQUAL_FATAL(volume_mount(&volume), 0);
	CU_ASSERT_EQUAL_FATAL(e4_lookup(volume.root, "dir", 3, &dir), 0);
	memset(model.inos, 0xff, model.count * sizeof(*model.inos));
	for (unsigned take = 1; take < 12; take += 5) {
		unsigned *order = model_sorted(&model), bad = 0;
		struct reader l = {.model = &model, .order = order, .take = take};

		memset(model.seen, 0, model.count * sizeof(*model.seen));
		while (list_step(dir, &l))
			;
		for (unsigned i = 0; i < model.count; i++)
			bad += model.seen[i] != 1;
		CU_ASSERT_EQUAL(bad, 0);
		CU_ASSERT_EQUAL(l.unknown, 0);
		free(order);
	}
	model_free(&model);
	e4_iput(dir);
	volume_close(&volume);
}

/* The feature was switched off: an index that nobody keeps up must go. */
static void test_index_left_over(void)
{
	struct volume volume;
	struct e4_inode *dir;
	struct e4_attr attr;
	char name[256];

	make_indexed(&volume, "-b 1024 -O ^metadata_csum,^metadata_csum_seed");
	CU_ASSERT_EQUAL(volume_unmount(&volume), 0);
	CU_ASSERT_EQUAL(image_debugfs(volume.dev, "feature -dir_index", true), 0);
	CU_ASSERT_EQUAL_FATAL(volume_mount(&volume), 0);
	CU_ASSERT_EQUAL_FATAL(e4_lookup(volume.root, "dir", 3, &dir), 0);
	e4_getattr(dir, &attr);
	CU_ASSERT(attr.flags & EXT2_INDEX_FL);
	CU_ASSERT(volume_ino(dir, "name150") > 0);
	for (unsigned i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "more%u", i);
		CU_ASSERT_EQUAL(volume_create(dir, name, S_IFREG | 0644), 0);
	}
	e4_getattr(dir, &attr);
	CU_ASSERT_FALSE(attr.flags & EXT2_INDEX_FL);
	CU_ASSERT(volume_ino(dir, "name150") > 0);
	CU_ASSERT(volume_ino(dir, "more99") > 0);
	e4_iput(dir);
	CU_ASSERT_EQUAL(volume_judge(&volume), 0);
	volume_close(&volume);
}

/* Entries that name what they must not. */
static void test_hostile_targets(void)
{
	static const uint32_t targets[] = {1, 3, 7, 8, 10};

	for (size_t i = 0; i <= ARRAY_SIZE(targets) + 1; i++) {
		struct volume volume;
		struct e4_inode *dir;
		uint32_t ino;

		CU_ASSERT_EQUAL_FATAL(
			volume_make(&volume, 16 * MIB,
				"-b 1024 -O ^metadata_csum,^metadata_csum_seed", NULL),
			0);
		CU_ASSERT_EQUAL_FATAL(volume_mkdir(volume.root, "dir", &dir), 0);
		CU_ASSERT_EQUAL(volume_create(dir, "first", S_IFREG | 0644), 0);
		/* then: the directory itself, and an inode that is free */
		ino = i < ARRAY_SIZE(targets) ? targets[i]
					      : e4_ino(dir) + (i > ARRAY_SIZE(targets) ? 99 : 0);
		e4_iput(dir);

		uint8_t *block = block_of(&volume, "dir", 0);

		CU_ASSERT_EQUAL(volume_unmount(&volume), 0);
		memcpy(block + 24, &(le32){htole32(ino)}, 4);
		CU_ASSERT_EQUAL_FATAL(volume_mount(&volume), 0);
		CU_ASSERT_EQUAL_FATAL(e4_lookup(volume.root, "dir", 3, &dir), 0);
		CU_ASSERT_EQUAL(volume_ino(dir, "first"), -EUCLEAN);
		CU_ASSERT_EQUAL(volume_unlink(dir, "first"), -EUCLEAN);
		CU_ASSERT_EQUAL(volume_rmdir(dir, "first"), -EUCLEAN);
		CU_ASSERT_EQUAL(volume_rename(dir, "first", volume.root, "new", 0), -EUCLEAN);
		e4_iput(dir);
		volume_close(&volume);
	}
}

static bool count_one(void *ctx, const struct e4_dirent *entry)
{
	unsigned *left = ctx;

	return (*left)-- == 0;
}

/* Random bytes in the blocks of a directory: any result, but no crash, no endless loop. */
static void test_random_damage(void)
{
	struct volume volume;
	uint8_t *content, *blocks[6];
	uint64_t random = 4711;

	make_indexed(&volume, "-b 1024 -O ^metadata_csum,^metadata_csum_seed");
	for (unsigned i = 0; i < ARRAY_SIZE(blocks); i++)
		blocks[i] = block_of(&volume, "dir", i % 5);
	CU_ASSERT_EQUAL(volume_unmount(&volume), 0);
	content = malloc(volume.dev->size_bytes);
	memcpy(content, memdev_data(volume.dev), volume.dev->size_bytes);
	for (unsigned round = 0; round < unit_times(400, 20); round++) {
		struct e4_inode *dir;

		memcpy(memdev_data(volume.dev), content, volume.dev->size_bytes);
		for (unsigned n = 0; n <= round % 4; n++) {
			uint8_t *block = blocks[volume_random(&random, ARRAY_SIZE(blocks))];

			block[volume_random(&random, volume_random(&random, 2) ? 80 : 1024)] =
				(uint8_t)volume_random(&random, 256);
		}
		CU_ASSERT_EQUAL_FATAL(volume_mount(&volume), 0);
		if (e4_lookup(volume.root, "dir", 3, &dir) == 0) {
			unsigned left = 5000;
			char name[32];

			(void)!e4_readdir(dir, 0, count_one, &left);
			for (unsigned n = 0; n < 40; n++) {
				snprintf(name, sizeof(name), "name%u", volume_random(&random, 220));
				volume_ino(dir, name);
				volume_create(dir, name, S_IFREG | 0644);
				volume_unlink(dir, name);
				snprintf(name, sizeof(name), "new%u", n);
				volume_create(dir, name, S_IFDIR | 0755);
			}
			left = 5000;
			(void)!e4_readdir(dir, 0, count_one, &left);
			e4_iput(dir);
		}
		e4_iput(volume.root);
		(void)!e4_unmount(volume.fs);
		volume.fs = NULL;
	}
	free(content);
	volume_close(&volume);
}

/* A series of operations of every kind; stops at the first that fails. */
static int some_operations(struct volume *volume)
{
	struct e4_inode *dir, *sub;
	char name[32];
	unsigned left = 1000;
	int r = e4_lookup(volume->root, "dir", 3, &dir);

	if (r < 0)
		return r;
	r = volume_mkdir(dir, "sub", &sub);
	if (r == 0) {
		for (unsigned i = 0; r == 0 && i < 120; i++) {
			snprintf(name, sizeof(name), "name%u", i + 150);
			r = i < 50 ? volume_unlink(dir, name)
				   : volume_create(sub, name, S_IFREG | 0644);
		}
		if (r == 0)
			r = volume_rename(dir, "sub", volume->root, "moved", 0);
		if (r == 0)
			r = volume_create(volume->root, "empty", S_IFDIR | 0755);
		if (r == 0)
			r = volume_rename(dir, "name1", sub, "name2", 0);
		if (r == 0)
			r = volume_rename(volume->root, "empty", sub, "name2", RENAME_EXCHANGE);
		if (r == 0)
			r = volume_rmdir(sub, "name2");
		if (r == 0)
			r = e4_readdir(dir, 0, count_one, &left);
		e4_iput(sub);
	}
	e4_iput(dir);
	return r;
}

/* Every read fails once: the operation says so, and what was on the drive before stays sound. */
static void test_read_errors(void)
{
	struct volume volume;
	struct blkdev *fault;
	uint8_t *content;
	unsigned failures = 0;

	make_indexed(&volume, "-b 1024");
	CU_ASSERT_EQUAL(volume_unmount(&volume), 0);
	CU_ASSERT_EQUAL_FATAL(faultdev_new(volume.dev, &fault), 0);
	volume.top = fault;
	volume.cache_bytes = 1;
	content = malloc(volume.dev->size_bytes);
	memcpy(content, memdev_data(volume.dev), volume.dev->size_bytes);
	for (unsigned nth = 1; nth < 10000; nth++) {
		memcpy(memdev_data(volume.dev), content, volume.dev->size_bytes);
		CU_ASSERT_EQUAL_FATAL(volume_mount(&volume), 0);

		uint64_t before = faultdev_calls(fault, FAULT_READ);

		faultdev_fail_from(fault, FAULT_READ, nth, -EIO);

		int r = some_operations(&volume);
		bool reached = faultdev_calls(fault, FAULT_READ) - before >= nth;

		faultdev_fail_from(fault, FAULT_READ, 0, 0);
		CU_ASSERT_EQUAL(r, reached ? -EIO : 0);
		failures += r < 0;
		e4_iput(volume.root);

		bool failed = e4_unmount(volume.fs) < 0;

		volume.fs = NULL;
		/* what failed and still could go on has left nothing half done */
		if (!failed)
			CU_ASSERT_EQUAL(image_check(volume.dev), 0);
		if (!reached)
			break;
	}
	CU_ASSERT(failures > 5);
	CU_ASSERT_EQUAL(image_check(volume.dev), 0);
	free(content);
	volume_close(&volume);
}

int main(void)
{
	return UNIT_RUN(UNIT(test_damaged_index), UNIT(test_damaged_entries), UNIT(test_checksums),
		UNIT(test_doubly_mapped), UNIT(test_absurd_size), UNIT(test_misplaced_names),
		UNIT(test_index_left_over), UNIT(test_hostile_targets), UNIT(test_random_damage),
		UNIT(test_read_errors));
}
