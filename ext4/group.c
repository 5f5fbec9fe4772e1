/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Block groups.
 *
 * Invariants:
 * 1. Nothing here is proportional to the volume: a record exists for groups that were touched, in
 *    pages of GROUPS_PER_PAGE; descriptors and bitmaps live in the block cache.
 * 2. Several descriptors share a block. Each group's bytes change under that group's lock only, and
 *    where its bitmaps and inode table lie never changes, so it may be read without the lock.
 * 3. A bit that is clear in a bitmap but set in pending_* was freed by a transaction that is not on
 *    the medium yet; it is given out only after group_pend()'s commit callback has cleared it.
 *
 * Source: kernel Documentation/filesystems/ext4/{group_descr,bitmaps,blockgroup}.rst
 */
#include "ext4/group.h"

#include <errno.h>
#include <stdlib.h>

enum { GROUPS_PER_PAGE = 64 };

struct group_table {
	pthread_mutex_t lock; /* pages */
	struct group **pages;
	uint32_t page_count;
	_Atomic uint64_t pending; /* blocks and inodes */
};

int groups_start(struct e4_fs *fs)
{
	struct group_table *table = calloc(1, sizeof(*table));

	if (!table)
		return -ENOMEM;
	table->page_count = div_round_up_u64(fs->group_count, GROUPS_PER_PAGE);
	table->pages = calloc(table->page_count, sizeof(*table->pages));
	if (!table->pages) {
		free(table);
		return -ENOMEM;
	}
	pthread_mutex_init(&table->lock, NULL);
	fs->groups = table;
	return 0;
}

void groups_stop(struct e4_fs *fs)
{
	struct group_table *table = fs->groups;

	if (!table)
		return;
	for (uint32_t i = 0; i < table->page_count; i++) {
		for (uint32_t j = 0; table->pages[i] && j < GROUPS_PER_PAGE; j++) {
			free(table->pages[i][j].pending_blocks);
			free(table->pages[i][j].pending_inodes);
			pthread_mutex_destroy(&table->pages[i][j].lock);
		}
		free(table->pages[i]);
	}
	free(table->pages);
	pthread_mutex_destroy(&table->lock);
	free(table);
	fs->groups = NULL;
}

static struct group *page_new(uint32_t first)
{
	struct group *page = calloc(GROUPS_PER_PAGE, sizeof(*page));

	for (uint32_t i = 0; page && i < GROUPS_PER_PAGE; i++) {
		page[i].index = first + i;
		page[i].longest_free_hint = UINT32_MAX;
		pthread_mutex_init(&page[i].lock, NULL);
	}
	return page;
}

int group_get(struct e4_fs *fs, uint32_t index, struct group **ret_group)
{
	struct group_table *table = fs->groups;
	struct group *page;

	if (index >= fs->group_count)
		return fs_damaged(fs, "block group %u does not exist", index);
	pthread_mutex_lock(&table->lock);
	page = table->pages[index / GROUPS_PER_PAGE];
	if (!page)
		page = table->pages[index / GROUPS_PER_PAGE] = page_new(index - index % GROUPS_PER_PAGE);
	pthread_mutex_unlock(&table->lock);
	if (!page)
		return -ENOMEM;
	*ret_group = &page[index % GROUPS_PER_PAGE];
	return 0;
}

bool groups_have_pending(struct e4_fs *fs)
{
	return atomic_load(&fs->groups->pending) > 0;
}

/* ---- geometry -------------------------------------------------------------------------- */

uint64_t group_first_block(const struct e4_fs *fs, uint32_t index)
{
	return fs->first_data_block + (uint64_t)index * fs->blocks_per_group;
}

uint32_t group_blocks(const struct e4_fs *fs, uint32_t index)
{
	return min_u64(fs->blocks_per_group, fs->blocks_count - group_first_block(fs, index));
}

static bool is_power_of(uint32_t value, uint32_t base)
{
	while (value > 1 && value % base == 0)
		value /= base;
	return value == 1;
}

bool group_has_super(const struct e4_fs *fs, uint32_t index)
{
	if (index == 0)
		return true;
	if (fs_has_compat(fs, EXT4_FEATURE_COMPAT_SPARSE_SUPER2))
		return index == le32toh(fs->super.s_backup_bgs[0]) ||
		       index == le32toh(fs->super.s_backup_bgs[1]);
	if (!fs_has_ro_compat(fs, EXT2_FEATURE_RO_COMPAT_SPARSE_SUPER))
		return true;
	return is_power_of(index, 3) || is_power_of(index, 5) || is_power_of(index, 7);
}

/* ---- pending frees --------------------------------------------------------------------- */

struct pend {
	struct e4_fs *fs;
	struct group *group;
	uint64_t txn_id;
	bool inodes;
	uint32_t start, count;
};

/* What the group's last free was, for the next one to join: files go in the order in which they came. */
static struct pend **last_pend(struct group *group, bool inodes)
{
	return inodes ? &group->last_inodes : &group->last_blocks;
}

static int pend_bits(struct e4_fs *fs, struct group *group, bool inodes, uint32_t start, uint32_t count)
{
	uint8_t **bits = inodes ? &group->pending_inodes : &group->pending_blocks;

	if (!*bits)
		*bits = calloc(1, fs->block_bytes);
	if (!*bits)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++)
		bitmap_set(*bits, start + i);
	if (inodes)
		group->pending_inode_count += count;
	else
		group->pending_block_count += count;
	return 0;
}

static void unpend_bits(struct group *group, bool inodes, uint32_t start, uint32_t count)
{
	uint8_t **bits = inodes ? &group->pending_inodes : &group->pending_blocks;
	uint32_t *left = inodes ? &group->pending_inode_count : &group->pending_block_count;

	for (uint32_t i = 0; i < count; i++)
		bitmap_clear(*bits, start + i);
	*left -= count;
	if (*left == 0) {
		free(*bits);
		*bits = NULL;
	}
	if (!inodes)
		group->longest_free_hint = UINT32_MAX;
}

/* The transaction is on the medium. When it failed the volume is read-only, and nothing that was
 * freed is given out ever again. */
static void pend_done(void *ctx, int err)
{
	struct pend *p = ctx;
	struct group *g = p->group;

	pthread_mutex_lock(&g->lock);
	if (*last_pend(g, p->inodes) == p)
		*last_pend(g, p->inodes) = NULL;
	if (err == 0) {
		unpend_bits(g, p->inodes, p->start, p->count);
		atomic_fetch_sub(&p->fs->groups->pending, p->count);
	}
	pthread_mutex_unlock(&g->lock);
	free(p);
}

static int pend_new(struct handle *h, struct group *group, bool inodes, uint32_t start, uint32_t count)
{
	struct pend *p = malloc(sizeof(*p));
	int r;

	if (!p)
		return -ENOMEM;
	*p = (struct pend){h->fs, group, h->txn_id, inodes, start, count};
	r = txn_on_commit(h, pend_done, p);
	if (r < 0) {
		free(p);
		return r;
	}
	*last_pend(group, inodes) = p;
	return 0;
}

int group_pend(struct handle *h, struct group *group, bool inodes, uint32_t start, uint32_t count)
{
	struct pend *last = *last_pend(group, inodes);
	int r = pend_bits(h->fs, group, inodes, start, count);

	if (r < 0)
		return r;
	if (last && last->txn_id == h->txn_id && last->start + last->count == start)
		last->count += count;
	else
		r = pend_new(h, group, inodes, start, count);
	if (r < 0)
		unpend_bits(group, inodes, start, count);
	else
		atomic_fetch_add(&h->fs->groups->pending, count);
	return r;
}

int group_hold(struct e4_fs *fs, struct group *group, uint32_t start, uint32_t count)
{
	return pend_bits(fs, group, false, start, count);
}

void group_release(struct group *group, uint32_t start, uint32_t count)
{
	unpend_bits(group, false, start, count);
}
