/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Inodes that come and go, their fields, links; and what a damaged record or extent tree does. */
#include <ext2fs/ext2_fs.h>
#include <ext2fs/ext2_ext_attr.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/stat.h>

#include "ext4/extent-node.h"
#include "ext4/ialloc.h"
#include "ext4/symlink.h"
#include "tests/ext4-model.h"

/* The folder's flags: a file takes the first, not the second. */
enum { INHERITED = EXT2_NODUMP_FL | EXT2_DIRSYNC_FL };

static struct e4_inode *new_inode(uint32_t mode, uint32_t rdev)
{
	struct e4_create what = {.mode = mode, .uid = 70000, .gid = 80000, .rdev = rdev};
	struct e4_inode *made;
	struct handle h;
	uint32_t ino;

	CU_ASSERT_EQUAL_FATAL(handle_begin(fs, IALLOC_CREDITS + INODE_CREDITS, &h), 0);
	CU_ASSERT_EQUAL_FATAL(ialloc_alloc(&h, E4_ROOT_INO, S_ISDIR(mode), &ino), 0);
	CU_ASSERT_EQUAL_FATAL(inode_new(&h, ino, &what, INHERITED, &made), 0);
	handle_end(&h);
	return made;
}

/* Without a name an inode is gone with its last reference: blocks, number and all. */
static void test_evict(void)
{
	struct e4_statfs before, after;

	setup(24 << 20, "-b 1024", 12);
	e4_statfs(fs, &before);
	for (unsigned i = 0; i < 50; i++) {
		struct e4_inode *made = new_inode(S_IFREG | 0644, 0);
		struct e4_inode *again;
		uint32_t ino = e4_ino(made);

		memset(scratch, 1, 100000);
		CU_ASSERT_EQUAL(e4_write(made, scratch, 100000 * (i % 5), 2048 * i, 0),
			100000 * (i % 5));
		CU_ASSERT_EQUAL(e4_fallocate(made, FALLOC_FL_KEEP_SIZE, 1 << 20, 50000), 0);
		e4_iput(made);
		CU_ASSERT_EQUAL(e4_iget(fs, ino, &again), -ENOENT);
	}
	CU_ASSERT_EQUAL(e4_sync(fs), 0);
	e4_statfs(fs, &after);
	CU_ASSERT_EQUAL(after.blocks_free, before.blocks_free);
	CU_ASSERT_EQUAL(after.inodes_free, before.inodes_free);
	finish();
}

/* A number that is used again starts from zeroes, whatever lay behind its last owner's fields. */
static void test_reuse(void)
{
	uint8_t *data = memdev_data((setup(24 << 20, "-b 1024", 21), mem));
	struct e4_inode *made = new_inode(S_IFREG | 0600, 0);
	uint32_t ino = e4_ino(made), offset, generation = e4_generation(made);
	struct buf *buf;
	uint64_t at;

	e4_iput(made);
	CU_ASSERT_EQUAL_FATAL(ialloc_table_block(fs, ino, &buf, &offset), 0);
	at = buf->block * 1024 + offset;
	buf_put(buf);
	close_all();
	memset(data + at, 0xff, 256);
	open_all();
	made = new_inode(S_IFREG | 0600, 0);
	CU_ASSERT_EQUAL_FATAL(e4_ino(made), ino);
	CU_ASSERT_NOT_EQUAL(e4_generation(made), generation);
	CU_ASSERT_EQUAL(txn_drain(fs), 0);
	CU_ASSERT(bytes_all_zero(data + at + 160, 256 - 160));
	e4_iput(made);
	finish();
}

static void test_new_fields(void)
{
	struct e4_inode *file, *chr, *big;
	struct e4_attr attr;

	setup(24 << 20, "-b 4096", 13);
	file = new_inode(S_IFREG | 0640, 0);
	e4_getattr(file, &attr);
	CU_ASSERT_EQUAL(attr.mode, S_IFREG | 0640);
	CU_ASSERT_EQUAL(attr.uid, 70000);
	CU_ASSERT_EQUAL(attr.gid, 80000);
	CU_ASSERT_EQUAL(attr.flags, EXT4_EXTENTS_FL | EXT2_NODUMP_FL);
	CU_ASSERT_EQUAL(attr.nlink, 0);
	CU_ASSERT(attr.crtime.tv_sec > 1600000000);
	chr = new_inode(S_IFCHR | 0600, 5 << 8 | 1);
	CU_ASSERT_EQUAL(le32toh(chr->i_block32[0]), 0x501);
	big = new_inode(S_IFBLK | 0600, 0x12345678);
	CU_ASSERT_EQUAL(le32toh(big->i_block32[0]), 0);
	CU_ASSERT_EQUAL(le32toh(big->i_block32[1]), 0x12345678);
	e4_iput(file);
	e4_iput(chr);
	e4_iput(big);
	finish();
}

static void check_link(size_t len, ssize_t want)
{
	struct e4_inode *made = new_inode(S_IFLNK | 0777, 0);
	char target[5000], got[5000];
	struct handle h;
	int r;

	memset(target, 'x', sizeof(target));
	CU_ASSERT_EQUAL_FATAL(handle_begin(fs, SYMLINK_CREDITS + INODE_CREDITS, &h), 0);
	pthread_rwlock_wrlock(&made->lock);
	r = symlink_store(&h, made, target, len);
	CU_ASSERT_EQUAL(r, want < 0 ? want : 0);
	CU_ASSERT_EQUAL(inode_store(&h, made, true), 0);
	pthread_rwlock_unlock(&made->lock);
	handle_end(&h);
	if (want >= 0) {
		CU_ASSERT_EQUAL(e4_readlink(made, got, sizeof(got)), want);
		CU_ASSERT_EQUAL(memcmp(got, target, len), 0);
		CU_ASSERT_EQUAL(got[len], 0);
		CU_ASSERT_EQUAL(made->blocks, len < 60 ? 0 : 8);
	}
	e4_iput(made);
}

static void test_symlinks(void)
{
	char got[4097];

	setup(24 << 20, "-b 4096", 14);
	check_link(0, -ENOENT);
	check_link(1, 1);
	check_link(59, 59);
	check_link(60, 60);
	check_link(4095, 4095);
	check_link(4096, -ENAMETOOLONG);
	CU_ASSERT_EQUAL(e4_readlink(inode, got, sizeof(got)), -EINVAL);
	finish();
}

static void check_time(struct timespec set, struct timespec want)
{
	struct e4_attr attr = {.atime = set, .mtime = set};

	CU_ASSERT_EQUAL(e4_setattr(inode, &attr, E4_SET_ATIME | E4_SET_MTIME), 0);
	close_all();
	open_all();
	e4_getattr(inode, &attr);
	CU_ASSERT_EQUAL(attr.atime.tv_sec, want.tv_sec);
	CU_ASSERT_EQUAL(attr.atime.tv_nsec, want.tv_nsec);
	CU_ASSERT_EQUAL(attr.mtime.tv_sec, want.tv_sec);
	CU_ASSERT_EQUAL(attr.mtime.tv_nsec, want.tv_nsec);
}

static void test_times(void)
{
	static const struct timespec same[] = {{0, 1}, {-1, 999999999}, {-2147483647, 5},
		{2147483647, 7}, {2147483648, 8}, {4294967295, 9}, {4294967296, 1}, {6442450944, 2},
		{15032385534, 999999999}};
	int64_t max = (1ll << 34) - 1 - (1ll << 31);

	setup(24 << 20, "-b 4096", 15);
	for (size_t i = 0; i < ARRAY_SIZE(same); i++)
		check_time(same[i], same[i]);
	check_time((struct timespec){1ll << 40, 5}, (struct timespec){max, 0});
	check_time((struct timespec){-(1ll << 40), 5}, (struct timespec){-(1ll << 31), 0});
	finish();
	setup(24 << 20, "-b 1024 -I 128", 16);
	check_time((struct timespec){1700000000, 5}, (struct timespec){1700000000, 0});
	check_time((struct timespec){1ll << 33, 5}, (struct timespec){2147483647, 0});
	finish();
}

static void test_setattr(void)
{
	struct e4_attr attr = {.mode = S_IFDIR | 04711, .uid = 0x12345, .gid = 0x23456}, got;

	setup(24 << 20, "-b 4096", 17);
	CU_ASSERT_EQUAL(e4_setattr(inode, &attr, E4_SET_MODE | E4_SET_UID | E4_SET_GID), 0);
	close_all();
	open_all();
	e4_getattr(inode, &got);
	CU_ASSERT_EQUAL(got.mode, S_IFREG | 04711);
	CU_ASSERT_EQUAL(got.uid, 0x12345);
	CU_ASSERT_EQUAL(got.gid, 0x23456);
	attr.atime.tv_nsec = 1000000000;
	CU_ASSERT_EQUAL(e4_setattr(inode, &attr, E4_SET_ATIME), -EINVAL);
	finish();
}

/* ---- damage ---- */

/* An extent tree of one index block, as the drive has it, changed by hand. */
static void damaged(void (*harm)(uint8_t *root, uint8_t *node))
{
	uint8_t *data = memdev_data((setup(24 << 20, "-b 1024 -O ^metadata_csum", 20), mem));
	uint64_t node, table;
	uint32_t offset;
	struct buf *buf;
	ssize_t n;

	for (unsigned i = 0; i < 100; i++)
		do_write(i * 4096, 100);
	CU_ASSERT_EQUAL_FATAL(extent_node_depth(inode->i_block), 1);
	node = extent_index_child(extent_node_index(inode->i_block, 0));
	CU_ASSERT_EQUAL_FATAL(ialloc_table_block(fs, FILE_INO, &buf, &offset), 0);
	table = buf->block;
	buf_put(buf);
	close_all();
	harm(data + table * 1024 + offset + 40, data + node * 1024);

	struct e4_mount_options mount = {0};

	CU_ASSERT_EQUAL_FATAL(e4_mount(dev, &mount, &fs, NULL), 0);
	n = e4_iget(fs, FILE_INO, &inode);
	if (n == 0) {
		n = e4_read(inode, scratch, 400000, 0);
		CU_ASSERT(e4_write(inode, scratch, 400000, 0, 0) < 0);
		e4_iput(inode);
	}
	CU_ASSERT_EQUAL(n, -EUCLEAN);
	CU_ASSERT(e4_is_read_only(fs));
	(void)!e4_unmount(fs);
	blkdev_close(dev);
}

static void harm_magic(uint8_t *root, uint8_t *node)
{
	node[0] ^= 1;
}

static void harm_root_magic(uint8_t *root, uint8_t *node)
{
	root[0] ^= 1;
}

static void harm_entries(uint8_t *root, uint8_t *node)
{
	node[2] = node[3] = 0xff;
}

static void harm_empty(uint8_t *root, uint8_t *node)
{
	node[2] = node[3] = 0;
}

static void harm_max(uint8_t *root, uint8_t *node)
{
	node[4] = 85;
}

static void harm_root_max(uint8_t *root, uint8_t *node)
{
	root[2] = root[4] = 5;
}

static void harm_depth(uint8_t *root, uint8_t *node)
{
	node[6] = 1;
}

static void harm_root_depth(uint8_t *root, uint8_t *node)
{
	root[6] = 6;
}

/* The child is the index block itself, under a right depth: two levels of one block. */
static void harm_cycle(uint8_t *root, uint8_t *node)
{
	memcpy(node, root, 24);
	node[4] = 84;
	root[6] = 2;
}

static void harm_order(uint8_t *root, uint8_t *node)
{
	uint8_t entry[12];

	memcpy(entry, node + 24, 12);
	memcpy(node + 24, node + 36, 12);
	memcpy(node + 36, entry, 12);
}

static void harm_key(uint8_t *root, uint8_t *node)
{
	root[12] = 1;
}

static void harm_length(uint8_t *root, uint8_t *node)
{
	node[12 + 4] = 0;
	node[12 + 5] = 0;
}

static void harm_overlap(uint8_t *root, uint8_t *node)
{
	node[12 + 4] = 50;
}

/* The last extent of the first leaf reaches into the second leaf. */
static void harm_overlap_leaf(uint8_t *root, uint8_t *node)
{
	node[12 * node[2] + 4] = 50;
}

static void harm_far_block(uint8_t *root, uint8_t *node)
{
	node[12 + 6] = 0xff;
}

static void harm_far_child(uint8_t *root, uint8_t *node)
{
	root[12 + 8] = 0xff;
}

static void harm_metadata(uint8_t *root, uint8_t *node)
{
	memset(node + 12 + 6, 0, 6);
	node[12 + 8] = 1;
}

/* A block of an inode table that no inode needs yet, some way behind the inode's own. */
static uint32_t table_block(uint8_t *root, uint8_t **ret_data)
{
	uint8_t *data = memdev_data(mem);
	uint32_t block = (uint32_t)((root - data) / 1024 + 100);

	*ret_data = data + block * 1024;
	return block;
}

static void harm_child_in_table(uint8_t *root, uint8_t *node)
{
	uint8_t *place;
	uint32_t block = htole32(table_block(root, &place));

	memcpy(place, node, 1024);
	memcpy(root + 12 + 4, &block, sizeof(block));
}

static void harm_mode(uint8_t *root, uint8_t *node)
{
	root[1 - 40] = 0x30;
}

static void harm_size(uint8_t *root, uint8_t *node)
{
	root[0x6f - 40] = 0x7f;
}

static void harm_extra_isize(uint8_t *root, uint8_t *node)
{
	root[0x80 - 40] = 130;
}

static void harm_file_acl(uint8_t *root, uint8_t *node)
{
	root[0x6b - 40] = 0x7f;
}

static void test_damaged(void)
{
	static void (*const harms[])(uint8_t *, uint8_t *) = {harm_magic, harm_root_magic,
		harm_entries, harm_empty, harm_max, harm_root_max, harm_depth, harm_root_depth,
		harm_cycle, harm_order, harm_key, harm_length, harm_overlap,
		harm_overlap_leaf, harm_far_block,
		harm_far_child, harm_metadata, harm_child_in_table, harm_mode, harm_size, harm_extra_isize,
		harm_file_acl};

	for (size_t i = 0; i < ARRAY_SIZE(harms); i++) {
		unsigned before = CU_get_number_of_failures();

		damaged(harms[i]);
		if (CU_get_number_of_failures() != before)
			printf("# failed: harm %zu\n", i);
	}
}

/* An attribute block like any other, but in an inode table. */
static void test_attributes_in_table(void)
{
	struct ext2_ext_attr_header header = {
		.h_magic = htole32(EXT2_EXT_ATTR_MAGIC), .h_refcount = htole32(1), .h_blocks = htole32(1)};
	struct e4_mount_options mount = {0};
	uint8_t *record, *place;
	uint32_t offset, block;
	struct buf *buf;

	setup(24 << 20, "-b 1024 -O ^metadata_csum", 20);
	CU_ASSERT_EQUAL_FATAL(ialloc_table_block(fs, FILE_INO, &buf, &offset), 0);
	record = (uint8_t *)memdev_data(mem) + buf->block * 1024 + offset;
	buf_put(buf);
	close_all();
	block = htole32(table_block(record, &place));
	memcpy(place, &header, sizeof(header));
	memcpy(record + 0x68, &block, sizeof(block));

	CU_ASSERT_EQUAL_FATAL(e4_mount(dev, &mount, &fs, NULL), 0);
	CU_ASSERT_EQUAL_FATAL(e4_iget(fs, FILE_INO, &inode), 0);
	CU_ASSERT_EQUAL(e4_getxattr(inode, "user.a", NULL, 0), -EUCLEAN);
	CU_ASSERT(e4_is_read_only(fs));
	e4_iput(inode);
	(void)!e4_unmount(fs);
	blkdev_close(dev);
}

/* Reads of single blocks while n numbers from first on are looked at, in order or not. */
static uint64_t single_reads(uint32_t first, uint32_t n, bool in_order)
{
	struct e4_counts before, after;
	unsigned state = 20261201;

	e4_counts(fs, &before);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t at = in_order ? i : (uint32_t)rand_r(&state) % n;
		struct e4_inode *one;

		CU_ASSERT_EQUAL_FATAL(e4_iget(fs, first + at, &one), 0);
		e4_iput(one);
	}
	e4_counts(fs, &after);
	return after.cache_misses - before.cache_misses;
}

/* Many inodes in an order that is not the table's: what is read ahead is dropped before it is asked for, so
 * nothing is, until it pays again. What was read ahead counts as no miss. */
static void test_read_ahead(void)
{
	enum { FILES = 6000, HALF = FILES / 2 };
	struct e4_mount_options mount = {.cache_bytes = 1};
	struct e4_inode *root;
	uint32_t first = 0;

	setup(24 << 20, "-b 1024 -N 8192 -I 256", 12);
	CU_ASSERT_EQUAL_FATAL(e4_iget(fs, E4_ROOT_INO, &root), 0);
	for (unsigned i = 0; i < FILES; i++) {
		struct e4_create what = {.mode = S_IFREG | 0600};
		struct e4_inode *one;
		char name[16];
		size_t len = (size_t)snprintf(name, sizeof(name), "%u", i);

		CU_ASSERT_EQUAL_FATAL(e4_create(root, name, len, &what, &one), 0);
		first = i ? first : e4_ino(one);
		CU_ASSERT_EQUAL_FATAL(e4_ino(one), first + i);
		e4_iput(one);
	}
	e4_iput(root);
	close_all();
	CU_ASSERT_EQUAL_FATAL(e4_mount(dev, &mount, &fs, NULL), 0);
	CU_ASSERT(single_reads(first, HALF, false) > HALF / 12);
	CU_ASSERT(single_reads(first + HALF, HALF, true) < HALF / 16);
	CU_ASSERT_EQUAL(e4_unmount(fs), 0);
	blkdev_close(dev);
}

int main(void)
{
	return UNIT_RUN(UNIT(test_evict), UNIT(test_reuse), UNIT(test_new_fields),
		UNIT(test_symlinks), UNIT(test_times), UNIT(test_setattr), UNIT(test_damaged),
		UNIT(test_attributes_in_table), UNIT(test_read_ahead));
}
