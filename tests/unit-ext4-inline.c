/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Files that live in their inode, against a model in memory: how they grow, shrink and get blocks,
 * with and without other attributes, on inodes of all sizes; no space, faults, power cuts, damage.
 */
#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/stat.h>

#include "ext4/ialloc.h"
#include "ext4/inline.h"
#include "ext4/xattr-body.h"
#include "tests/ext4-model.h"

static const struct xattr_name other_name = {XATTR_INDEX_USER, 5, "other"};

static bool in_blocks; /* what the rules say: the file does not live in its inode any more */

static bool is_inline(void)
{
	struct e4_attr attr;

	e4_getattr(inode, &attr);
	return attr.flags & EXT4_INLINE_DATA_FL;
}

static size_t capacity(void)
{
	size_t bytes = 0;

	pthread_rwlock_rdlock(&inode->lock);
	CU_ASSERT_EQUAL_FATAL(inline_capacity(inode, &bytes), 0);
	pthread_rwlock_unlock(&inode->lock);
	return bytes;
}

/* /f goes away and a new one comes. */
static void renew(void)
{
	struct e4_create what = {.mode = S_IFREG | 0644};
	struct e4_inode *root, *gone;

	e4_iput(inode);
	CU_ASSERT_EQUAL_FATAL(e4_iget(fs, E4_ROOT_INO, &root), 0);
	CU_ASSERT_EQUAL_FATAL(e4_unlink(root, "f", 1, &gone), 0);
	e4_iput(gone);
	CU_ASSERT_EQUAL_FATAL(e4_create(root, "f", 1, &what, &inode), 0);
	e4_iput(root);
	memset(model, 0, model_size);
	model_size = 0;
	in_blocks = false;
}

static void mount_again(void)
{
	struct e4_mount_options mount = {0};
	struct e4_inode *root;

	CU_ASSERT_EQUAL_FATAL(e4_mount(dev, &mount, &fs, NULL), 0);
	CU_ASSERT_EQUAL_FATAL(e4_iget(fs, E4_ROOT_INO, &root), 0);
	CU_ASSERT_EQUAL_FATAL(e4_lookup(root, "f", 1, &inode), 0);
	e4_iput(root);
}

/* The judges, then our own eyes once more. */
static void judge(void)
{
	CLEANUP_FREE uint8_t *data = NULL;
	size_t len;

	close_all();
	CU_ASSERT_EQUAL_FATAL(image_check(mem), 0);
	CU_ASSERT_EQUAL_FATAL(image_dump(mem, "/f", &data, &len), 0);
	/* debugfs stops where the inode's bytes end, though the file's end may lie behind */
	CU_ASSERT_FATAL(len <= model_size);
	CU_ASSERT_EQUAL_FATAL(memcmp(data, model, len), 0);
	CU_ASSERT_FATAL(bytes_all_zero(model + len, model_size - len));
	mount_again();
	/* An empty file that comes from the drive starts with blocks, as in the kernel. */
	if (!is_inline())
		in_blocks = true;
	check_all();
}

static void begin(const char *options, unsigned new_seed)
{
	setup(8 << 20, options, new_seed);
	renew();
}

/* Another attribute beside the data; len 0: none. */
static int set_other(size_t len)
{
	uint8_t value[1024];
	struct handle h;
	int r;

	memset(value, 'v', sizeof(value));
	CU_ASSERT_EQUAL_FATAL(handle_begin(fs, INODE_CREDITS, &h), 0);
	pthread_rwlock_wrlock(&inode->lock);
	r = len ? xattr_body_put(&h, inode, &other_name, value, len)
		: xattr_body_drop(&h, inode, &other_name);
	if (r == 0)
		r = inode_store(&h, inode, false);
	pthread_rwlock_unlock(&inode->lock);
	handle_end(&h);
	return r;
}

/* ---- random operations ---------------------------------------------------------------------- */

static void step_write(size_t room)
{
	uint64_t off = pick((uint32_t)room + 8);
	size_t len = 1 + pick(pick(4) ? (uint32_t)room / 3 + 2 : (uint32_t)room + 20);

	if (pick(60) == 0)
		len += 3 * fs->block_bytes;
	if (off + len > room)
		in_blocks = true;
	do_write(off, len);
	CU_ASSERT_EQUAL_FATAL(is_inline(), !in_blocks);
}

static void step_size(size_t room)
{
	uint64_t size = pick(pick(20) ? (uint32_t)room + 1 : 20000);
	bool was_inline = is_inline();

	if (was_inline && size > model_size && pick(6))
		size = pick((uint32_t)model_size + 1);
	if (was_inline && size > model_size)
		in_blocks = true;
	do_size(size);
	CU_ASSERT_EQUAL_FATAL(is_inline(), was_inline && !in_blocks);
}

static void random_step(void)
{
	size_t room = capacity();
	uint32_t op = pick(100);
	uint64_t off = pick((uint32_t)room + 20);

	if (op < 60) {
		step_write(room);
	} else if (op < 78) {
		step_size(room);
	} else if (op < 80 && fs_has_incompat(fs, EXT3_FEATURE_INCOMPAT_EXTENTS)) {
		in_blocks = true;
		do_fallocate(off, 1 + pick(300), pick(2) ? FALLOC_FL_KEEP_SIZE : 0);
		CU_ASSERT_FALSE(is_inline());
	} else if (op < 90) {
		int r = set_other(pick(3) ? pick((uint32_t)fs->inode_bytes / 3) : 0);

		CU_ASSERT(r == 0 || r == -ENOSPC);
	} else {
		check_read(off, 1 + pick(200));
	}
}

static void random_run(const char *options, unsigned new_seed)
{
	struct e4_statfs before, after;

	begin(options, new_seed);
	e4_statfs(fs, &before);
	for (unsigned round = 0; round < unit_times(60, 12); round++) {
		for (unsigned i = 0; i < 25; i++) {
			random_step();
			check_all();
		}
		if (round % 6 == 5)
			judge();
		renew();
	}
	CU_ASSERT_EQUAL(e4_sync(fs), 0);
	e4_statfs(fs, &after);
	CU_ASSERT_EQUAL(after.blocks_free, before.blocks_free);
	finish();
}

static void test_random_256(void)
{
	random_run("-b 1024 -I 256 -O inline_data", 1);
	random_run("-b 4096 -I 256 -O inline_data", 2);
	random_run("-b 2048 -I 256 -O inline_data,^metadata_csum", 3);
}

static void test_random_512(void)
{
	random_run("-b 1024 -I 512 -O inline_data", 4);
	random_run("-b 4096 -I 512 -O inline_data", 5);
}

static void test_random_1024(void)
{
	random_run("-b 1024 -I 1024 -O inline_data", 6);
	random_run("-b 4096 -I 1024 -O inline_data", 7);
}

static void test_random_block_map(void)
{
	random_run("-b 1024 -I 256 -O inline_data,^extent,^64bit,^flex_bg", 8);
	random_run("-b 4096 -I 512 -O inline_data,^extent,^64bit", 9);
}

/* ---- the rules ------------------------------------------------------------------------------ */

static void test_rules(void)
{
	struct e4_attr attr;

	begin("-b 1024 -I 256 -O inline_data", 8);
	CU_ASSERT_FALSE(is_inline());
	CU_ASSERT_EQUAL(capacity(), 128);
	do_write(0, 1);
	CU_ASSERT(is_inline());
	do_write(1, 127);
	CU_ASSERT(is_inline());
	e4_getattr(inode, &attr);
	CU_ASSERT_EQUAL(attr.blocks_512, 1);
	do_size(0);
	CU_ASSERT(is_inline());
	do_write(100, 28);
	CU_ASSERT(is_inline());
	do_write(128, 1);
	CU_ASSERT_FALSE(is_inline());
	e4_getattr(inode, &attr);
	CU_ASSERT_EQUAL(attr.blocks_512, 2);
	/* never back */
	do_size(0);
	do_write(0, 10);
	CU_ASSERT_FALSE(is_inline());
	judge();

	/* longer by truncation: with data a block, without none */
	renew();
	do_size(50);
	do_write(5, 5);
	CU_ASSERT(is_inline());
	do_size(51);
	CU_ASSERT_FALSE(is_inline());
	judge();

	/* no room beside another attribute, or only some */
	renew();
	CU_ASSERT_EQUAL(set_other(44), 0);
	CU_ASSERT_EQUAL(capacity(), 0);
	do_write(0, 1);
	CU_ASSERT_FALSE(is_inline());
	judge();
	renew();
	do_write(0, 100);
	CU_ASSERT_EQUAL(set_other(5), -ENOSPC);
	do_size(60);
	CU_ASSERT_EQUAL(set_other(24), 0);
	CU_ASSERT_EQUAL(capacity(), 60 + 68 - 24 - 24);
	do_write(0, capacity());
	CU_ASSERT(is_inline());
	do_write(0, capacity() + 1);
	CU_ASSERT_FALSE(is_inline());
	judge();
	check_all();
	finish();
}

/* The kernel makes such files: the end lies behind what the inode could hold. */
static void test_far_end(void)
{
	begin("-b 1024 -I 256 -O inline_data", 9);
	do_size(50000);
	CU_ASSERT_FALSE(is_inline());
	do_write(10, 20);
	CU_ASSERT(is_inline());
	check_all();
	do_write(70, 20);
	CU_ASSERT(is_inline());
	judge();
	do_write(40000, 10);
	CU_ASSERT_FALSE(is_inline());
	judge();
	finish();
}

/* Bytes that an earlier writer left behind the end are not shown when it moves. */
static void test_stale_bytes(void)
{
	begin("-b 1024 -I 256 -O inline_data", 10);
	do_write(0, 20);
	memset(inode->i_block + 20, JUNK, 40);
	do_write(40, 2);
	check_all();
	memset(inode->i_block + 42, JUNK, 18);
	do_size(45);
	CU_ASSERT_FALSE(is_inline());
	check_all();
	judge();
	finish();
}

/* ---- what fails changes nothing ------------------------------------------------------------- */

static void fill_volume(void)
{
	struct e4_create what = {.mode = S_IFREG | 0644};
	struct e4_inode *root, *filler;
	uint64_t off = 0;
	ssize_t n;

	CU_ASSERT_EQUAL_FATAL(e4_iget(fs, E4_ROOT_INO, &root), 0);
	CU_ASSERT_EQUAL_FATAL(e4_create(root, "filler", 6, &what, &filler), 0);
	e4_iput(root);
	do {
		memset(scratch, JUNK, sizeof(scratch));
		n = e4_write(filler, scratch, MODEL, off, 0);
		off += n > 0 ? (uint64_t)n : 0;
	} while (n > 0);
	CU_ASSERT_EQUAL(n, -ENOSPC);
	e4_iput(filler);
}

static void shrink_filler(void)
{
	struct e4_inode *root, *filler;

	CU_ASSERT_EQUAL_FATAL(e4_iget(fs, E4_ROOT_INO, &root), 0);
	CU_ASSERT_EQUAL_FATAL(e4_lookup(root, "filler", 6, &filler), 0);
	CU_ASSERT_EQUAL(file_set_size(filler, 5000), 0);
	e4_iput(filler);
	e4_iput(root);
}

static void test_no_space(void)
{
	struct e4_attr attr = {.size = 1000};

	begin("-b 1024 -I 256 -O inline_data", 11);
	do_write(0, 100);
	fill_volume();
	memset(scratch, 1, 4096);
	CU_ASSERT_EQUAL(e4_write(inode, scratch, 50, 100, 0), -ENOSPC);
	CU_ASSERT_EQUAL(e4_write(inode, scratch, 4000, 0, 0), -ENOSPC);
	CU_ASSERT_EQUAL(e4_setattr(inode, &attr, E4_SET_SIZE), -ENOSPC);
	CU_ASSERT_EQUAL(e4_fallocate(inode, 0, 0, 10), -ENOSPC);
	CU_ASSERT(is_inline());
	check_all();
	do_write(90, 38);
	CU_ASSERT(is_inline());
	judge();
	/* what is freed is found, before its commit too */
	shrink_filler();
	do_write(100, 50);
	judge();
	finish();
}

static void test_write_fails(void)
{
	begin("-b 1024 -I 256 -O inline_data", 12);
	do_write(0, 100);
	for (unsigned i = 0; i < 3; i++) {
		CU_ASSERT_EQUAL_FATAL(e4_sync(fs), 0);
		faultdev_fail_once(dev, FAULT_WRITE, 1, -EIO);
		memset(scratch, 1, 4096);
		CU_ASSERT_EQUAL(e4_write(inode, scratch, 50, 100, 0), -EIO);
		faultdev_fail_once(dev, FAULT_WRITE, 0, 0);
		CU_ASSERT(is_inline());
		check_all();
	}
	do_write(100, 50);
	judge();
	finish();
}

/* Whichever read of metadata fails: the old bytes or the new ones, and nothing else. */
static void test_read_fails(void)
{
	begin("-b 1024 -I 256 -O inline_data", 13);
	do_write(0, 100);
	judge();
	for (unsigned nth = 1; nth < 14; nth++) {
		ssize_t n;

		faultdev_fail_once(dev, FAULT_READ, nth, -EIO);
		memset(scratch, 7, 50);
		n = e4_write(inode, scratch, 50, 100, 0);
		faultdev_fail_once(dev, FAULT_READ, 0, 0);
		CU_ASSERT_FATAL(n == 50 || n == -EIO);
		if (n == 50) {
			memset(model + 100, 7, 50);
			model_size = 150;
		}
		e4_iput(inode);
		CU_ASSERT(e4_unmount(fs) == 0 || n == -EIO);
		mount_again();
		check_all();
		if (n == 50)
			break;
		if (e4_is_read_only(fs)) {
			close_all();
			CU_ASSERT_EQUAL_FATAL(image_debugfs(mem, "set_super_value state 1", true), 0);
			mount_again();
		}
	}
	CU_ASSERT_EQUAL(model_size, 150);
	finish();
}

/* ---- power cuts ----------------------------------------------------------------------------- */

/* What /f is after the first count writes of the record, on top of old: 0 old, 1 new. */
static int after_cut(const uint8_t *old, const struct fault_record *records, size_t count,
	const uint8_t *new_data, uint64_t new_size)
{
	struct e4_mount_options mount = {.read_only = true};
	struct blkdev *cut;
	struct e4_inode *root, *f;
	struct e4_fs *cut_fs;
	ssize_t n;

	CU_ASSERT_EQUAL_FATAL(memdev_new(mem->size_bytes, 512, &cut), 0);
	uint8_t *data = memdev_data(cut);

	memcpy(data, old, mem->size_bytes);
	for (size_t i = 0; i < count; i++)
		if (records[i].op == FAULT_WRITE)
			memcpy(data + records[i].off, records[i].data, records[i].len);
	CU_ASSERT_EQUAL_FATAL(e4_mount(cut, &mount, &cut_fs, NULL), 0);
	CU_ASSERT_EQUAL_FATAL(e4_iget(cut_fs, E4_ROOT_INO, &root), 0);
	CU_ASSERT_EQUAL_FATAL(e4_lookup(root, "f", 1, &f), 0);
	n = e4_read(f, scratch, MODEL, 0);
	e4_iput(f);
	e4_iput(root);
	CU_ASSERT_EQUAL(e4_unmount(cut_fs), 0);
	blkdev_close(cut);
	if (n == (ssize_t)model_size && !memcmp(scratch, model, model_size))
		return 0;
	if (n == (ssize_t)new_size && !memcmp(scratch, new_data, new_size))
		return 1;
	return -1;
}

static void cut_everywhere(uint64_t off, size_t len)
{
	CLEANUP_FREE uint8_t *old = malloc(mem->size_bytes), *new_data = malloc(MODEL);
	uint64_t new_size = max_u64(model_size, off + len);
	const struct fault_record *records;
	int last = 0, state = 0;
	size_t count;

	CU_ASSERT_EQUAL_FATAL(e4_sync(fs), 0);
	memcpy(old, memdev_data(mem), mem->size_bytes);
	memcpy(new_data, model, MODEL);
	memset(new_data + off, 9, len);
	faultdev_record(dev, true);
	memset(scratch, 9, len);
	CU_ASSERT_EQUAL_FATAL(e4_write(inode, scratch, len, off, 0), (ssize_t)len);
	CU_ASSERT_EQUAL_FATAL(e4_fsync(inode, true), 0);
	records = faultdev_records(dev, &count);
	for (size_t i = 0; i <= count; i++) {
		state = after_cut(old, records, i, new_data, new_size);
		CU_ASSERT_FATAL(state >= last);
		last = state;
	}
	CU_ASSERT_EQUAL(state, 1); /* fsync has returned */
	faultdev_record(dev, false);
	memcpy(model, new_data, MODEL);
	model_size = new_size;
}

static void test_power_cut(void)
{
	begin("-b 1024 -I 256 -O inline_data", 14);
	cut_everywhere(0, 30);
	cut_everywhere(20, 100);
	CU_ASSERT(is_inline());
	/* the conversion leaves the bytes as they are: before it, and before the write to the block */
	CU_ASSERT_EQUAL_FATAL(e4_fallocate(inode, FALLOC_FL_KEEP_SIZE, 0, 1), 0);
	CU_ASSERT_EQUAL_FATAL(e4_sync(fs), 0);
	check_all();
	renew();
	do_write(0, 90);
	CU_ASSERT_EQUAL_FATAL(e4_sync(fs), 0);
	CU_ASSERT(is_inline());
	cut_everywhere(1024, 300);
	CU_ASSERT_FALSE(is_inline());
	judge();
	finish();
}

/* ---- damage --------------------------------------------------------------------------------- */

enum { RECORD_ATTRS = 128 + 32 + 4 };

struct damage {
	const char *what;
	size_t at; /* in the record */
	uint8_t bytes[4];
	unsigned len;
};

static const struct damage damages[] = {
	{"no attributes", 128 + 32, {0}, 4},
	{"a name longer than the record", RECORD_ATTRS, {255}, 1},
	{"another name", RECORD_ATTRS + 16, {'d', 'a', 't', 'e'}, 4},
	{"a value outside", RECORD_ATTRS + 2, {0xf0, 0xff}, 2},
	{"a value half outside", RECORD_ATTRS + 2, {88, 0}, 2},
	{"a value over the entries", RECORD_ATTRS + 2, {4, 0}, 2},
	{"a value longer than the record", RECORD_ATTRS + 8, {0xa0, 0x0f}, 4},
	{"a value of 4 GiB", RECORD_ATTRS + 8, {0xff, 0xff, 0xff, 0xff}, 4},
	{"a value elsewhere", RECORD_ATTRS + 4, {12}, 4},
	{"extents as well", 0x20, {0, 0, 8, 0x10}, 4},
	{"fields that fill the record", 128, {128, 0}, 2},
};

static void check_damaged(const struct damage *damage)
{
	struct e4_attr attr = {.size = 10};
	uint8_t buf[300] = {0};
	struct e4_inode *root, *f;
	int r;

	CU_ASSERT_EQUAL_FATAL(e4_mount(dev, &(struct e4_mount_options){0}, &fs, NULL), 0);
	CU_ASSERT_EQUAL_FATAL(e4_iget(fs, E4_ROOT_INO, &root), 0);
	r = e4_lookup(root, "f", 1, &f);
	if (r == 0) {
		ssize_t n = e4_write(f, buf, sizeof(buf), 0, 0);

		if (n != -EUCLEAN)
			printf("# %s: write: %zd\n", damage->what, n);
		CU_ASSERT_EQUAL(n, -EUCLEAN);
		CU_ASSERT_EQUAL(e4_read(f, buf, sizeof(buf), 0), -EUCLEAN);
		r = e4_setattr(f, &attr, E4_SET_SIZE);
		CU_ASSERT(r == -EROFS || r == -EUCLEAN);
		e4_iput(f);
	} else {
		CU_ASSERT_EQUAL(r, -EUCLEAN);
	}
	CU_ASSERT(e4_is_read_only(fs));
	e4_iput(root);
	CU_ASSERT_EQUAL(e4_unmount(fs), -EUCLEAN);
}

static void test_damage(void)
{
	CLEANUP_FREE uint8_t *good = NULL;
	struct buf *buf;
	uint64_t at;
	uint32_t offset;

	begin("-b 1024 -I 256 -O inline_data,^metadata_csum", 15);
	do_write(0, 100);
	CU_ASSERT_EQUAL_FATAL(ialloc_table_block(fs, e4_ino(inode), &buf, &offset), 0);
	at = buf->block * fs->block_bytes + offset;
	buf_put(buf);
	close_all();
	good = malloc(mem->size_bytes);
	memcpy(good, memdev_data(mem), mem->size_bytes);
	for (size_t i = 0; i < ARRAY_SIZE(damages); i++) {
		uint8_t *data = memdev_data(mem);

		memcpy(data, good, mem->size_bytes);
		memcpy(data + at + damages[i].at, damages[i].bytes, damages[i].len);
		check_damaged(&damages[i]);
	}
	memcpy(memdev_data(mem), good, mem->size_bytes);
	mount_again();
	judge();
	finish();
}

int main(void)
{
	return UNIT_RUN(UNIT(test_random_256), UNIT(test_random_512), UNIT(test_random_1024),
		UNIT(test_random_block_map),
		UNIT(test_rules), UNIT(test_far_end), UNIT(test_stale_bytes), UNIT(test_no_space),
		UNIT(test_write_fails), UNIT(test_read_fails), UNIT(test_power_cut),
		UNIT(test_damage));
}
