/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ext4/xattr-share.h"

#include <errno.h>
#include <stdlib.h>

enum { ENTRIES = 256 };

struct xattr_share {
	pthread_mutex_t lock;
	unsigned next; /* the entry that goes when another one comes */
	struct {
		uint32_t hash;
		struct buf *buf;
	} entry[ENTRIES];
};

int xattr_share_start(struct e4_fs *fs)
{
	struct xattr_share *share = calloc(1, sizeof(*share));

	if (!share)
		return -ENOMEM;
	pthread_mutex_init(&share->lock, NULL);
	fs->xattr_share = share;
	return 0;
}

void xattr_share_stop(struct e4_fs *fs)
{
	struct xattr_share *share = fs->xattr_share;

	if (!share)
		return;
	for (unsigned i = 0; i < ENTRIES; i++)
		buf_put(share->entry[i].buf);
	pthread_mutex_destroy(&share->lock);
	free(share);
	fs->xattr_share = NULL;
}

/* The entry of buf, or ENTRIES. */
static unsigned find(const struct xattr_share *share, const struct buf *buf)
{
	unsigned i = 0;

	while (i < ENTRIES && share->entry[i].buf != buf)
		i++;
	return i;
}

void xattr_share_add(struct e4_fs *fs, struct buf *buf, uint32_t hash)
{
	struct xattr_share *share = fs->xattr_share;
	struct buf *old = NULL;

	pthread_mutex_lock(&share->lock);
	unsigned at = find(share, buf);

	if (at == ENTRIES) {
		at = share->next;
		share->next = (at + 1) % ENTRIES;
		old = share->entry[at].buf;
		share->entry[at].buf = buf_ref(buf);
	}
	share->entry[at].hash = hash;
	pthread_mutex_unlock(&share->lock);
	buf_put(old);
}

void xattr_share_remove(struct e4_fs *fs, struct buf *buf)
{
	struct xattr_share *share = fs->xattr_share;
	struct buf *old = NULL;

	pthread_mutex_lock(&share->lock);
	unsigned at = find(share, buf);

	if (at < ENTRIES) {
		old = share->entry[at].buf;
		share->entry[at].buf = NULL;
		share->entry[at].hash = 0;
	}
	pthread_mutex_unlock(&share->lock);
	buf_put(old);
}

struct buf *xattr_share_next(struct e4_fs *fs, uint32_t hash, unsigned *turn)
{
	struct xattr_share *share = fs->xattr_share;
	struct buf *found = NULL;

	pthread_mutex_lock(&share->lock);
	while (!found && *turn < ENTRIES) {
		if (share->entry[*turn].buf && share->entry[*turn].hash == hash)
			found = buf_ref(share->entry[*turn].buf);
		++*turn;
	}
	pthread_mutex_unlock(&share->lock);
	return found;
}
