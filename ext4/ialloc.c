/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Inode allocator.
 *
 * Directories of the root folder spread over groups with more free space than most, so that trees
 * grow apart; other directories stay with their parent while its group has some room, and files
 * stay in or behind their folder's group.
 *
 * Invariant: of a table that mkfs has not written (no EXT2_BG_INODE_ZEROED), every block that holds
 * a used inode has been written whole, as zeroes first, by the allocation that used it first. So a
 * table block of a used inode can always be read from the drive.
 */
#include "ext4/ialloc.h"

#include <errno.h>

enum {
	NEARBY_GROUPS = 64,
	READAHEAD_BYTES = 64 * 1024, /* of the inode table, aligned */
};

static const struct buf_type table_type = {.name = "inode table"};

static bool block_is_unused(const struct e4_fs *fs, const struct group *group, const uint8_t *bits, uint32_t bit)
{
	uint32_t first = bit - bit % fs->inodes_per_block;

	for (uint32_t i = first; i < first + fs->inodes_per_block && i < fs->inodes_per_group; i++)
		if (bitmap_test(bits, i) || (group->pending_inodes && bitmap_test(group->pending_inodes, i)))
			return false;
	return true;
}

/* Writes the table block of `bit` as zeroes where nothing but garbage can be in it. */
static int init_table_block(struct handle *h, const struct group *group, const struct group_desc *desc,
	const uint8_t *bits, uint32_t bit)
{
	struct e4_fs *fs = h->fs;
	CLEANUP_BUF struct buf *buf = NULL;
	int r;

	if (!group_has_desc_csum(fs) || desc->flags & EXT2_BG_INODE_ZEROED ||
		!block_is_unused(fs, group, bits, bit))
		return 0;
	r = buf_get_zeroed(fs, desc->inode_table + bit / fs->inodes_per_block, &table_type, 0, 0, &buf);
	if (r < 0)
		return r;
	return buf_modify(h, buf);
}

/* The kernel does so too: a group with inodes in use has a real block bitmap. */
static int init_block_bitmap(struct handle *h, struct group *group, struct group_desc *desc)
{
	CLEANUP_BUF struct buf *bitmap = NULL;
	int r;

	if (!(desc->flags & EXT2_BG_BLOCK_UNINIT))
		return 0;
	r = group_block_bitmap(h->fs, group, desc, &bitmap);
	if (r < 0)
		return r;
	r = buf_modify(h, bitmap);
	if (r < 0)
		return r;
	desc->flags &= ~EXT2_BG_BLOCK_UNINIT;
	group_block_bitmap_seal(h->fs, bitmap, desc);
	return 0;
}

static bool find_free(const struct e4_fs *fs, const struct group *group, const uint8_t *bits, uint32_t *ret_bit)
{
	uint64_t before = (uint64_t)group->index * fs->inodes_per_group;
	uint32_t bit = before < fs->first_ino - 1 ? fs->first_ino - 1 - before : 0;

	bit = bitmap_next(bits, group->pending_inodes, bit, fs->inodes_per_group, true);
	if (bit >= fs->inodes_per_group)
		return false;
	*ret_bit = bit;
	return true;
}

/* Everything is checked and declared before the first byte changes. */
static int take_locked(struct handle *h, struct group *group, struct group_desc *desc, struct buf *bitmap,
	uint32_t bit, bool directory)
{
	struct e4_fs *fs = h->fs;
	CLEANUP_BUF struct buf *pin = NULL;
	int r = init_table_block(h, group, desc, bitmap->data, bit);

	if (r == 0)
		r = init_block_bitmap(h, group, desc);
	if (r == 0)
		r = group_desc_pin(fs, group->index, &pin);
	if (r == 0)
		r = buf_modify(h, bitmap);
	if (r < 0)
		return r;
	bitmap_set(bitmap->data, bit);
	desc->free_inodes--;
	desc->used_dirs += directory;
	desc->flags &= ~EXT2_BG_INODE_UNINIT;
	if (group_has_desc_csum(fs) && bit >= fs->inodes_per_group - desc->itable_unused)
		desc->itable_unused = fs->inodes_per_group - bit - 1;
	group_inode_bitmap_seal(fs, bitmap, desc);
	return group_desc_store(h, group->index, desc);
}

/* What a group must have left. */
struct need {
	uint32_t inodes; /* at least 1 */
	uint32_t blocks;
};

/* 1: taken, 0: the group does not suit, < 0 failure */
static int try_group(struct handle *h, uint32_t index, bool directory, const struct need *need, uint32_t *ret_ino)
{
	struct e4_fs *fs = h->fs;
	CLEANUP_BUF struct buf *bitmap = NULL;
	struct group_desc desc;
	struct group *group;
	uint32_t bit;
	int r = group_get(fs, index, &group);

	if (r < 0)
		return r;
	pthread_mutex_lock(&group->lock);
	r = group_desc_load(fs, index, &desc);
	if (r == 0 && desc.free_inodes >= (uint64_t)group->pending_inode_count + need->inodes &&
		desc.free_blocks >= need->blocks) {
		r = group_inode_bitmap(fs, group, &desc, &bitmap);
		if (r == 0 && find_free(fs, group, bitmap->data, &bit)) {
			r = take_locked(h, group, &desc, bitmap, bit, directory);
			if (r == 0) {
				*ret_ino = index * fs->inodes_per_group + bit + 1;
				r = 1;
			}
		}
	}
	pthread_mutex_unlock(&group->lock);
	return r;
}

/* Where the search begins, and what a group should have. */
static uint32_t choose_group(struct e4_fs *fs, uint32_t parent_ino, bool directory, struct need *ret_need)
{
	uint32_t parent = (parent_ino - 1) / fs->inodes_per_group % fs->group_count;
	uint32_t inodes = atomic_load(&fs->free_inodes) / fs->group_count;
	uint64_t blocks = atomic_load(&fs->free_blocks) / fs->group_count;
	bool top = directory && parent_ino == E4_ROOT_INO;

	*ret_need = (struct need){.inodes = 1, .blocks = 1};
	if (directory) {
		ret_need->inodes = max_u64(1, top ? inodes : inodes / 4);
		ret_need->blocks = top ? blocks : blocks / 4;
	}
	if (!top)
		return parent;
	/* Multiplication by an odd constant walks over the groups without clustering. */
	return atomic_fetch_add(&fs->folder_turn, 1) * 2654435761u % fs->group_count;
}

/* Tries count groups from start on; results as try_group(). */
static int search_groups(struct handle *h, uint32_t start, uint32_t count, bool directory,
	const struct need *need, uint32_t *ret_ino)
{
	struct e4_fs *fs = h->fs;
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < min_u64(count, fs->group_count); i++)
		r = try_group(h, ((uint64_t)start + i) % fs->group_count, directory, need, ret_ino);
	return r;
}

/* A super block that counts too few must not make the counter wrap. */
static void count_taken(struct e4_fs *fs)
{
	uint32_t now = atomic_load(&fs->free_inodes);

	while (now && !atomic_compare_exchange_weak(&fs->free_inodes, &now, now - 1))
		;
}

int ialloc_alloc(struct handle *h, uint32_t parent_ino, bool directory, uint32_t *ret_ino)
{
	struct e4_fs *fs = h->fs;
	struct need need, any = {.inodes = 1};
	uint32_t start = choose_group(fs, parent_ino, directory, &need);
	int r;

	if (atomic_load(&fs->free_inodes) == 0)
		return -ENOSPC;
	r = search_groups(h, start, NEARBY_GROUPS, directory, &need, ret_ino);
	if (r == 0)
		r = search_groups(h, start, NEARBY_GROUPS, directory, &any, ret_ino);
	if (r == 0 && fs->group_count > NEARBY_GROUPS) {
		r = search_groups(h, atomic_load(&fs->far_inode_group) % fs->group_count,
			fs->group_count, directory, &any, ret_ino);
		if (r > 0)
			atomic_store(&fs->far_inode_group, (*ret_ino - 1) / fs->inodes_per_group);
	}
	if (r <= 0)
		return r < 0 ? r : -ENOSPC;
	count_taken(fs);
	return 0;
}

int ialloc_alloc_child(struct handle *h, struct e4_inode *dir, bool directory, uint32_t *ret_ino)
{
	const struct need any = {.inodes = 1, .blocks = 1};
	struct e4_fs *fs = h->fs;
	uint32_t hint = directory ? 0 : atomic_load(&dir->child_group);
	int r = 0;

	/* A folder of a million files would pass all the groups that it has filled, for each file. */
	if (hint)
		r = try_group(h, hint - 1, false, &any, ret_ino);
	if (r > 0)
		count_taken(fs);
	if (r != 0)
		return r < 0 ? r : 0;
	r = ialloc_alloc(h, dir->ino, directory, ret_ino);
	if (r == 0 && !directory)
		atomic_store(&dir->child_group, (*ret_ino - 1) / fs->inodes_per_group + 1);
	return r;
}

static int check_number(struct e4_fs *fs, uint32_t ino)
{
	return ino == 0 || ino > fs->inodes_count ? -EUCLEAN : 0;
}

static int free_locked(struct handle *h, struct group *group, uint32_t bit, bool directory)
{
	struct e4_fs *fs = h->fs;
	CLEANUP_BUF struct buf *bitmap = NULL, *pin = NULL;
	struct group_desc desc;
	int r = group_desc_load(fs, group->index, &desc);

	if (r < 0)
		return r;
	if (desc.flags & EXT2_BG_INODE_UNINIT)
		return fs_damaged(fs, "group %u: inode freed in an unused table", group->index);
	r = group_inode_bitmap(fs, group, &desc, &bitmap);
	if (r == 0)
		r = group_desc_pin(fs, group->index, &pin);
	if (r < 0)
		return r;
	if (!bitmap_test(bitmap->data, bit) || desc.free_inodes >= fs->inodes_per_group ||
		(directory && desc.used_dirs == 0))
		return fs_damaged(fs, "group %u: inode %u freed twice", group->index, bit);
	r = buf_modify(h, bitmap);
	if (r == 0)
		r = group_pend(h, group, true, bit, 1);
	if (r < 0)
		return r;
	bitmap_clear(bitmap->data, bit);
	desc.free_inodes++;
	desc.used_dirs -= directory;
	group_inode_bitmap_seal(fs, bitmap, &desc);
	return group_desc_store(h, group->index, &desc);
}

int ialloc_free(struct handle *h, uint32_t ino, bool directory)
{
	struct e4_fs *fs = h->fs;
	struct group *group;
	int r = check_number(fs, ino);

	if (r < 0 || ino < fs->first_ino)
		return fs_damaged(fs, "reserved inode %u freed", ino);
	r = group_get(fs, (ino - 1) / fs->inodes_per_group, &group);
	if (r < 0)
		return r;
	pthread_mutex_lock(&group->lock);
	r = free_locked(h, group, (ino - 1) % fs->inodes_per_group, directory);
	pthread_mutex_unlock(&group->lock);
	if (r == 0)
		atomic_fetch_add(&fs->free_inodes, 1);
	return r;
}

int ialloc_in_use(struct e4_fs *fs, uint32_t ino, bool *ret_used)
{
	CLEANUP_BUF struct buf *bitmap = NULL;
	struct group_desc desc;
	struct group *group;
	int r = check_number(fs, ino);

	if (r < 0)
		return r;
	r = group_get(fs, (ino - 1) / fs->inodes_per_group, &group);
	if (r < 0)
		return r;
	pthread_mutex_lock(&group->lock);
	r = group_desc_load(fs, group->index, &desc);
	if (r == 0 && desc.flags & EXT2_BG_INODE_UNINIT) {
		*ret_used = false;
	} else if (r == 0) {
		r = group_inode_bitmap(fs, group, &desc, &bitmap);
		if (r == 0)
			*ret_used = bitmap_test(bitmap->data, (ino - 1) % fs->inodes_per_group);
	}
	pthread_mutex_unlock(&group->lock);
	return r;
}

/* The used part of the table from a block on that is about to be read. */
static void read_table_ahead(struct e4_fs *fs, const struct group_desc *desc, uint32_t at)
{
	uint32_t used = div_round_up_u64(fs->inodes_per_group - desc->itable_unused, fs->inodes_per_block);
	uint32_t window = READAHEAD_BYTES >> fs->block_bits;
	struct buf *cached = buf_peek(fs, desc->inode_table + at);

	if (!cached && at < used)
		buf_readahead(fs, desc->inode_table + at, min_u64(window - at % window, used - at),
			&table_type);
	buf_put(cached);
}

static uint32_t index_in_group(const struct e4_fs *fs, uint32_t ino)
{
	return (ino - 1) % fs->inodes_per_group;
}

int ialloc_table_block(struct e4_fs *fs, uint32_t ino, struct buf **ret_buf, uint32_t *ret_offset)
{
	struct group_desc desc;
	struct group *group;
	uint32_t at;
	int r = check_number(fs, ino);

	if (r < 0)
		return r;
	r = group_get(fs, (ino - 1) / fs->inodes_per_group, &group);
	if (r < 0)
		return r;
	pthread_mutex_lock(&group->lock);
	r = group_desc_load(fs, group->index, &desc);
	pthread_mutex_unlock(&group->lock);
	if (r < 0)
		return r;
	at = index_in_group(fs, ino) / fs->inodes_per_block;
	read_table_ahead(fs, &desc, at);
	return ialloc_table_block_at(fs, ino, desc.inode_table + at, ret_buf, ret_offset);
}

int ialloc_table_block_at(struct e4_fs *fs, uint32_t ino, uint64_t block, struct buf **ret_buf,
	uint32_t *ret_offset)
{
	int r = buf_get(fs, block, &table_type, 0, 0, ret_buf);

	if (r == 0)
		*ret_offset = index_in_group(fs, ino) % fs->inodes_per_block * fs->inode_bytes;
	return r;
}
