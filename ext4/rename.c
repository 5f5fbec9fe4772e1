/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Renaming, replacing and exchanging. Order of work as in namei.c.
 *
 * Locks
 * 1. Between two directories: rename_lock, so that the tree keeps its shape while we find out
 *    which parent is above the other; the upper parent is locked first.
 * 2. Then directories that are moved to another parent (their ".." changes) and one that is
 *    replaced (it must be empty and stay so): namei_lock_child(). Both are children of locked
 *    parents, and neither is above the other's parent, or the rename is refused before.
 *
 * A directory never gets below itself: the way from each parent up to the root is walked first.
 */
#include <errno.h>
#include <stdio.h>

#include "ext4/balloc.h"
#include "ext4/namei.h"

#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE (1 << 0)
#endif
#ifndef RENAME_EXCHANGE
#define RENAME_EXCHANGE (1 << 1)
#endif

struct rename_end {
	struct e4_inode *dir;
	const char *name;
	size_t name_len;
	struct e4_inode *inode; /* what the name stands for; NULL: nothing */
	uint32_t above_other;	/* child of dir that is the other parent or above it; 0: none */
	bool locked;		/* inode's dir_lock */
};

struct rename {
	struct rename_end from, to;
	bool exchange, noreplace, use_reserve;
	struct e4_inode *mark; /* what from's name stands for afterwards; NULL: nothing */
};

static bool rename_is_across(const struct rename *rename)
{
	return rename->from.dir != rename->to.dir;
}

static bool end_is_dir(const struct rename_end *end)
{
	return end->inode && inode_is_dir(end->inode);
}

/* ---- the shape of the tree (rename_lock held) ---- */

static int parent_of(struct e4_inode *dir, struct e4_inode **ret_parent)
{
	uint32_t ino;
	uint8_t type;

	pthread_rwlock_rdlock(&dir->dir_lock);
	int r = dir_find(dir, "..", 2, &ino, &type);
	pthread_rwlock_unlock(&dir->dir_lock);
	if (r == -ENOENT)
		return fs_damaged(dir->fs, "directory %u: no '..'", dir->ino);
	if (r < 0)
		return r;
	r = e4_iget(dir->fs, ino, ret_parent);
	if (r == -ENOENT || (r == 0 && !inode_is_dir(*ret_parent))) {
		if (r == 0)
			e4_iput(*ret_parent);
		return fs_damaged(dir->fs, "directory %u: '..' is no directory", dir->ino);
	}
	return r;
}

/* If `above` is above dir: the number of its child on the way down to dir (maybe dir), else 0. */
static int find_above(struct e4_inode *dir, const struct e4_inode *above, uint32_t *ret_child)
{
	struct e4_inode *at = e4_iref(dir);
	uint32_t child = 0, mark = 0;
	uint64_t steps = 0, next_mark = 1;
	int r = 0;

	while (at->ino != above->ino && at->ino != E4_ROOT_INO) {
		struct e4_inode *parent;

		/* A loop is noticed when the way comes back to the last mark (Brent). */
		if (at->ino == mark) {
			r = fs_damaged(dir->fs, "directory %u: its parents form a loop", dir->ino);
			break;
		}
		if (++steps == next_mark) {
			mark = at->ino;
			next_mark *= 2;
		}
		r = parent_of(at, &parent);
		if (r < 0)
			break;
		child = at->ino;
		e4_iput(at);
		at = parent;
	}
	if (r == 0)
		*ret_child = at->ino == above->ino ? child : 0;
	e4_iput(at);
	return r;
}

static int lock_parents(struct rename *rename)
{
	struct rename_end *from = &rename->from, *to = &rename->to;
	int r = 0;

	if (!rename_is_across(rename)) {
		pthread_rwlock_wrlock(&from->dir->dir_lock);
		return 0;
	}
	pthread_mutex_lock(&from->dir->fs->rename_lock);
	r = find_above(to->dir, from->dir, &from->above_other);
	if (r == 0 && !from->above_other)
		r = find_above(from->dir, to->dir, &to->above_other);
	if (r < 0) {
		pthread_mutex_unlock(&from->dir->fs->rename_lock);
		return r;
	}

	bool to_first = to->above_other || (!from->above_other && to->dir->ino < from->dir->ino);

	pthread_rwlock_wrlock(to_first ? &to->dir->dir_lock : &from->dir->dir_lock);
	pthread_rwlock_wrlock(to_first ? &from->dir->dir_lock : &to->dir->dir_lock);
	return 0;
}

static void unlock_parents(struct rename *rename)
{
	pthread_rwlock_unlock(&rename->from.dir->dir_lock);
	if (!rename_is_across(rename))
		return;
	pthread_rwlock_unlock(&rename->to.dir->dir_lock);
	pthread_mutex_unlock(&rename->from.dir->fs->rename_lock);
}

/* ---- checks ---- */

static int get_inodes(struct rename *rename)
{
	struct rename_end *from = &rename->from, *to = &rename->to;
	int r = namei_get(from->dir, from->name, from->name_len, &from->inode);

	if (r < 0)
		return r;
	if (to->dir->deleted)
		return -ENOENT;
	r = namei_get(to->dir, to->name, to->name_len, &to->inode);
	if (r == -ENOENT && !rename->exchange)
		return 0;
	if (r == 0 && rename->noreplace)
		return -EEXIST;
	return r;
}

static int check_types(const struct rename *rename)
{
	if (!rename->to.inode || rename->exchange)
		return 0;
	if (end_is_dir(&rename->from))
		return end_is_dir(&rename->to) ? 0 : -ENOTDIR;
	return end_is_dir(&rename->to) ? -EISDIR : 0;
}

static int check_loops(const struct rename *rename)
{
	const struct rename_end *from = &rename->from, *to = &rename->to;

	if (from->above_other && from->inode->ino == from->above_other)
		return -EINVAL;
	if (to->above_other && to->inode && to->inode->ino == to->above_other)
		return rename->exchange ? -EINVAL : -ENOTEMPTY;
	return 0;
}

static int check_permitted(const struct rename *rename)
{
	int r = namei_may_remove(rename->from.dir, rename->from.inode);

	if (r == 0)
		r = rename->to.inode ? namei_may_remove(rename->to.dir, rename->to.inode)
				     : namei_may_add(rename->to.dir);
	return r;
}

/* A parent that gets one directory more. */
static int check_links(const struct rename *rename)
{
	bool from_dir = end_is_dir(&rename->from), to_dir = end_is_dir(&rename->to);
	int r = 0;

	if (!rename_is_across(rename) || from_dir == to_dir)
		return 0;
	if (from_dir)
		r = namei_may_add_dir(rename->to.dir);
	else if (rename->exchange)
		r = namei_may_add_dir(rename->from.dir);
	return r;
}

/* Locks a directory whose entries matter; if it moves, its ".." must be what we shall replace. */
static int lock_end(struct rename_end *end, bool moves)
{
	uint32_t ino;
	uint8_t type;
	int r = namei_lock_child(end->inode);

	if (r < 0)
		return r;
	end->locked = true;
	if (!moves)
		return 0;
	r = dir_find(end->inode, "..", 2, &ino, &type);
	if (r == -ENOENT || (r == 0 && ino != end->dir->ino))
		return fs_damaged(
			end->dir->fs, "directory %u: '..' is not its parent", end->inode->ino);
	return r;
}

static int lock_children(struct rename *rename)
{
	bool across = rename_is_across(rename), empty = true;
	int r = 0;

	if (end_is_dir(&rename->from) && across)
		r = lock_end(&rename->from, true);
	if (r == 0 && end_is_dir(&rename->to) && (across || !rename->exchange))
		r = lock_end(&rename->to, rename->exchange);
	if (r == 0 && end_is_dir(&rename->to) && !rename->exchange)
		r = dir_is_empty(rename->to.inode, &empty);
	return r < 0 ? r : empty ? 0 : -ENOTEMPTY;
}

static void unlock_children(struct rename *rename)
{
	if (rename->from.locked)
		pthread_rwlock_unlock(&rename->from.inode->dir_lock);
	if (rename->to.locked)
		pthread_rwlock_unlock(&rename->to.inode->dir_lock);
}

/* ---- the change ---- */

static unsigned rename_credits(const struct rename *rename)
{
	/* two entries, two "..", four inodes, the mark */
	return dir_insert_credits(rename->to.dir) + DIR_REMOVE_CREDITS + 2 + 5 * INODE_CREDITS;
}

static int end_replace(struct handle *h, struct rename_end *end, struct e4_inode *by)
{
	return dir_replace(
		h, end->dir, end->name, end->name_len, by->ino, namei_mode_type(by->type));
}

/* to stands for from's inode; the only step that may find no space. */
static int take_name(struct handle *h, struct rename_end *to, struct e4_inode *inode)
{
	if (to->inode)
		return end_replace(h, to, inode);
	return dir_insert(
		h, to->dir, to->name, to->name_len, inode->ino, namei_mode_type(inode->type));
}

static int give_name(struct handle *h, struct rename_end *from, struct e4_inode *instead)
{
	if (instead)
		return end_replace(h, from, instead);
	return dir_remove(h, from->dir, from->name, from->name_len);
}

/* What has come under another parent. */
static int moved(
	struct handle *h, struct e4_inode *inode, const struct e4_inode *parent, bool across)
{
	if (across && inode_is_dir(inode)) {
		int r = dir_replace(h, inode, "..", 2, parent->ino, EXT2_FT_DIR);

		if (r < 0)
			return r;
	}
	return namei_touch(h, inode);
}

static int touch_parents(struct handle *h, const struct rename *rename)
{
	bool from_dir = end_is_dir(&rename->from), to_dir = end_is_dir(&rename->to);
	bool across = rename_is_across(rename);
	int subdirs = across ? from_dir - to_dir : rename->exchange ? 0 : -to_dir;
	int r = namei_touch_dir(h, rename->to.dir, subdirs);

	if (r < 0 || !across)
		return r;
	return namei_touch_dir(h, rename->from.dir, rename->exchange ? -subdirs : -from_dir);
}

static int rename_under(struct handle *h, struct rename *rename)
{
	struct rename_end *from = &rename->from, *to = &rename->to;
	bool across = rename_is_across(rename);
	int r = take_name(h, to, from->inode);

	if (r < 0)
		return r;
	r = give_name(h, from, rename->exchange ? to->inode : rename->mark);
	if (r == 0 && rename->mark)
		r = namei_first_link(h, rename->mark);
	if (r == 0)
		r = moved(h, from->inode, to->dir, across);
	if (r == 0 && rename->exchange)
		r = moved(h, to->inode, from->dir, across);
	else if (r == 0 && to->inode)
		r = namei_drop_link(h, to->inode);
	if (r == 0)
		r = touch_parents(h, rename);
	return dir_half_done(h, r);
}

static int rename_checked(struct rename *rename)
{
	struct handle h;
	int r = lock_children(rename);

	if (r == 0)
		r = handle_begin(rename->from.dir->fs, rename_credits(rename), &h);
	if (r == 0) {
		h.use_reserve = rename->use_reserve;
		r = rename_under(&h, rename);
		handle_end(&h);
	}
	unlock_children(rename);
	return r;
}

/* Parents are locked. 1: both names are one inode, nothing to do. */
static int rename_locked(struct rename *rename)
{
	int r = get_inodes(rename);

	if (r == 0)
		r = check_loops(rename);
	if (r < 0)
		return r;
	if (rename->from.inode == rename->to.inode)
		return 1;
	r = check_permitted(rename);
	if (r == 0)
		r = check_types(rename);
	if (r == 0)
		r = check_links(rename);
	return r < 0 ? r : rename_checked(rename);
}

static int check_arguments(const struct rename *rename, unsigned flags)
{
	const struct rename_end *from = &rename->from, *to = &rename->to;
	int r = namei_check_dir(from->dir);

	if (flags & ~(unsigned)(RENAME_NOREPLACE | RENAME_EXCHANGE | E4_RENAME_USE_RESERVE))
		return -EINVAL;
	if (rename->exchange && (rename->noreplace || rename->mark))
		return -EINVAL;
	if (from->dir->fs != to->dir->fs)
		return -EXDEV;
	if (r == 0)
		r = namei_check_dir(to->dir);
	if (r == 0)
		r = name_check(from->name, from->name_len, -EBUSY);
	if (r == 0)
		r = name_check(to->name, to->name_len, rename->noreplace ? -EEXIST : -EBUSY);
	return r;
}

/* Takes no reference with it unless it succeeds: then to.inode, if the name stood for something. */
static int rename_once(struct rename *rename)
{
	int r = lock_parents(rename);

	if (r < 0)
		return r;
	r = rename_locked(rename);
	unlock_parents(rename);
	if (rename->from.inode)
		e4_iput(take_ptr(rename->from.inode));
	if (rename->to.inode && (r != 0 || rename->exchange))
		e4_iput(take_ptr(rename->to.inode));
	return r;
}

int e4_rename_marked(struct e4_inode *from_dir, const char *from, size_t from_len,
	struct e4_inode *to_dir, const char *to, size_t to_len, unsigned flags,
	struct e4_inode *mark, struct e4_inode **ret_gone)
{
	const struct rename wanted = {
		.from = {.dir = from_dir, .name = from, .name_len = from_len},
		.to = {.dir = to_dir, .name = to, .name_len = to_len},
		.exchange = flags & RENAME_EXCHANGE,
		.noreplace = flags & RENAME_NOREPLACE,
		.use_reserve = flags & E4_RENAME_USE_RESERVE,
		.mark = mark,
	};
	struct rename rename;
	unsigned tries = 0;
	int r = check_arguments(&wanted, flags);

	if (r < 0)
		return r;
	do {
		rename = wanted;
		r = rename_once(&rename);
	} while (r == -ENOSPC && balloc_retry(from_dir->fs, &tries));
	if (r < 0)
		return r;
	r = namei_sync(from_dir);
	if (r == 0 && to_dir != from_dir)
		r = namei_sync(to_dir);
	if (r == 0)
		*ret_gone = rename.to.inode;
	else if (rename.to.inode)
		e4_iput(rename.to.inode);
	return r;
}

int e4_rename(struct e4_inode *from_dir, const char *from, size_t from_len, struct e4_inode *to_dir,
	const char *to, size_t to_len, unsigned flags, struct e4_inode **ret_gone)
{
	return e4_rename_marked(from_dir, from, from_len, to_dir, to, to_len, flags, NULL,
		ret_gone);
}
