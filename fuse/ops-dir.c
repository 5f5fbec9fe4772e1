/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Listing folders. Names are gathered first and their inodes read afterwards, so that nobody waits
 * for the folder's lock while an inode table is read.
 */
#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/bytes.h"
#include "fuse/reply.h"

enum {
	LISTING_MAX = FRONT_REQUEST_MAX / 2, /* the buffer holds the answer and what is gathered */
};

void op_opendir(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi)
{
	if (front_of(req)->opendir_needless) {
		reply_err(req, -ENOSYS);
		return;
	}
	fi->keep_cache = 1;
	fi->cache_readdir = 1;
	fuse_reply_open(req, fi);
}

struct listing {
	fuse_req_t req;
	bool plus;
	char *answer;
	size_t answer_len, answer_max;
	char *items; /* plus: struct item after struct item */
	size_t items_len;
	bool full;
};

/* A name with its terminating zero, at the next multiple of 8. */
struct item {
	uint64_t next_cookie;
	uint32_t ino;
	uint8_t type, name_len;
	bool counted; /* the kernel is told of the inode */
	char name[];
};

static size_t item_bytes(size_t name_len)
{
	return round_up_u64(offsetof(struct item, name) + name_len + 1, 8);
}

/* Names that the kernel would refuse, and with them the whole folder. */
static bool name_usable(const struct e4_dirent *entry)
{
	return entry->name_len > 0 && entry->name_len <= E4_NAME_MAX &&
		!memchr(entry->name, '\0', entry->name_len) &&
		!memchr(entry->name, '/', entry->name_len);
}

static bool listing_add_plain(struct listing *list, const struct e4_dirent *entry)
{
	struct stat st = {.st_ino = entry->ino, .st_mode = DTTOIF(entry->type)};
	char name[E4_NAME_MAX + 1];
	size_t room = list->answer_max - list->answer_len, used;

	memcpy(name, entry->name, entry->name_len);
	name[entry->name_len] = '\0';
	used = fuse_add_direntry(list->req, list->answer + list->answer_len, room, name, &st,
		(off_t)entry->next_cookie);
	if (used > room)
		return false;
	list->answer_len += used;
	return true;
}

static bool listing_add_item(struct listing *list, const struct e4_dirent *entry)
{
	struct item *item = (struct item *)(list->items + list->items_len);
	size_t room = list->answer_max - list->answer_len, used;

	/* An item is smaller than its place in the answer, so it fits where the answer does. */
	memset(item, 0, sizeof(*item));
	item->next_cookie = entry->next_cookie;
	item->ino = entry->ino;
	item->type = entry->type;
	item->name_len = (uint8_t)entry->name_len;
	memcpy(item->name, entry->name, entry->name_len);
	item->name[entry->name_len] = '\0';
	used = fuse_add_direntry_plus(list->req, NULL, 0, item->name, NULL, 0);
	if (used > room)
		return false;
	list->answer_len += used;
	list->items_len += item_bytes(entry->name_len);
	return true;
}

static bool listing_entry(void *ctx, const struct e4_dirent *entry)
{
	struct listing *list = ctx;

	if (!name_usable(entry))
		return false;
	list->full = list->plus ? !listing_add_item(list, entry) : !listing_add_plain(list, entry);
	return list->full;
}

static bool is_dot_or_dotdot(const struct item *item)
{
	return item->name[0] == '.' &&
		(item->name_len == 1 || (item->name_len == 2 && item->name[1] == '.'));
}

/* The inode's attributes; without them (it is gone, or damaged) the name alone is listed. */
static void item_entry(struct front *front, struct item *item, struct fuse_entry_param *e)
{
	CLEANUP_INODE struct e4_inode *inode = NULL;

	if (!is_dot_or_dotdot(item) && e4_iget(front->fs, item->ino, &inode) == 0 &&
		entry_fill(front, inode, e) == 0) {
		item->counted = true;
		return;
	}
	*e = (struct fuse_entry_param){
		.attr = {.st_ino = item->ino, .st_mode = DTTOIF(item->type)},
	};
}

static struct item *item_next(struct item *item)
{
	return (struct item *)((char *)item + item_bytes(item->name_len));
}

/* Second pass of READDIRPLUS: the names become entries. */
static void listing_fill(struct listing *list)
{
	struct item *end = (struct item *)(list->items + list->items_len);
	struct fuse_entry_param e;
	size_t len = 0;

	for (struct item *item = (struct item *)list->items; item < end; item = item_next(item)) {
		item_entry(front_of(list->req), item, &e);
		len += fuse_add_direntry_plus(list->req, list->answer + len, list->answer_len - len,
			item->name, &e, (off_t)item->next_cookie);
	}
}

static void listing_forget(struct front *front, struct listing *list)
{
	struct item *end = (struct item *)(list->items + list->items_len);

	for (struct item *item = (struct item *)list->items; item < end; item = item_next(item))
		if (item->counted)
			entry_forget(front, item->ino);
}

static int listing_make(struct front *front, fuse_ino_t node, off_t off, struct listing *list)
{
	CLEANUP_INODE struct e4_inode *dir = NULL;
	int err;

	if (!list->answer)
		return -ENOMEM;
	err = front_iget(front, node, &dir);
	if (err < 0)
		return err;
	e4_accessed(dir);
	err = e4_readdir(dir, (uint64_t)off, listing_entry, list);
	if (err < 0)
		return err;
	if (list->full && list->answer_len == 0)
		return -EINVAL; /* no room for a single name */
	if (list->plus)
		listing_fill(list);
	return 0;
}

static void reply_listing(fuse_req_t req, fuse_ino_t node, size_t size, off_t off, bool plus)
{
	struct front *front = front_of(req);
	char *buffer = front_buffer();
	struct listing list = {
		.req = req,
		.plus = plus,
		.answer = buffer,
		.answer_max = min_u64(size, LISTING_MAX),
		.items = buffer + LISTING_MAX,
	};
	int err = listing_make(front, node, off, &list);

	if (err < 0) {
		reply_err(req, err);
		return;
	}
	if (fuse_reply_buf(req, list.answer, list.answer_len) == -ENOENT && plus)
		listing_forget(front, &list);
}

void op_readdir(fuse_req_t req, fuse_ino_t node, size_t size, off_t off, struct fuse_file_info *fi)
{
	reply_listing(req, node, size, off, false);
}

void op_readdirplus(fuse_req_t req, fuse_ino_t node, size_t size, off_t off,
	struct fuse_file_info *fi)
{
	reply_listing(req, node, size, off, true);
}
