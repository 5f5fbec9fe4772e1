/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Every loss has a number, rising over the volume. An inode keeps that of its last one, and whether
 * anybody has been told; an open file keeps a mark, the number up to which it knows. Who opens a
 * file after a loss that nobody knows of hears of it, too.
 *
 * Lock: dataloss->lock, a leaf.
 */
#include "ext4/dataloss.h"

#include <errno.h>
#include <stdlib.h>

#include "ext4/inode.h"

enum { FLUSH_TRIES = 3 };

struct loss {
	uint32_t ino;
	bool known;
	uint64_t number;
};

struct dataloss {
	pthread_mutex_t lock;
	struct loss *losses;
	size_t room;
	_Atomic size_t count;
	uint64_t last;
};

int dataloss_start(struct e4_fs *fs)
{
	fs->dataloss = calloc(1, sizeof(*fs->dataloss));
	if (!fs->dataloss)
		return -ENOMEM;
	pthread_mutex_init(&fs->dataloss->lock, NULL);
	return 0;
}

void dataloss_stop(struct e4_fs *fs)
{
	struct dataloss *d = fs->dataloss;

	if (!d)
		return;
	pthread_mutex_destroy(&d->lock);
	free(d->losses);
	free(d);
	fs->dataloss = NULL;
}

struct blkdev_write dataloss_how(const struct e4_inode *inode, bool may_clobber)
{
	return (struct blkdev_write){.may_clobber = may_clobber, .owner = inode->ino};
}

/* Lock held. */
static struct loss *find(struct dataloss *d, uint32_t ino)
{
	for (size_t i = 0; i < d->count; i++)
		if (d->losses[i].ino == ino)
			return &d->losses[i];
	return NULL;
}

static int add(struct dataloss *d, uint32_t ino)
{
	struct loss *loss = find(d, ino);

	if (!loss) {
		if (d->count == d->room) {
			size_t room = d->room ? 2 * d->room : 16;
			struct loss *more = realloc(d->losses, room * sizeof(*more));

			if (!more)
				return -ENOMEM;
			d->losses = more;
			d->room = room;
		}
		loss = &d->losses[d->count++];
		loss->ino = ino;
	}
	loss->number = ++d->last;
	loss->known = false;
	return 0;
}

void dataloss_forget(struct e4_fs *fs, uint32_t ino)
{
	struct dataloss *d = fs->dataloss;
	struct loss *loss;

	if (atomic_load(&d->count) == 0)
		return;
	pthread_mutex_lock(&d->lock);
	loss = find(d, ino);
	if (loss)
		*loss = d->losses[--d->count];
	pthread_mutex_unlock(&d->lock);
}

/* ---- finding out --------------------------------------------------------------------------- */

struct taking {
	struct e4_fs *fs;
	unsigned count;
	bool fatal; /* metadata, or nobody knows what */
};

static void take(void *ctx, const struct blkdev_lost *lost)
{
	struct taking *taking = ctx;
	struct dataloss *d = taking->fs->dataloss;
	int r = -EIO;

	taking->count++;
	if (lost->owner != 0 && lost->len != UINT64_MAX) {
		pthread_mutex_lock(&d->lock);
		r = add(d, lost->owner);
		pthread_mutex_unlock(&d->lock);
	}
	if (r < 0) {
		/* Now, not by our caller: others, who commit, are told of no failure any more. */
		taking->fatal = true;
		fs_io_error(taking->fs, -EIO, "flush");
		return;
	}
	if (taking->fs->options.on_loss)
		taking->fs->options.on_loss(taking->fs->options.on_error_ctx, lost->owner);
}

int fs_flush(struct e4_fs *fs)
{
	unsigned nothing = 0;

	for (;;) {
		struct taking taking = {.fs = fs};
		int r = blkdev_flush(fs->dev);

		if (r != -EIO || blkdev_lost(fs->dev, take, &taking) < 0)
			return r;
		/* Somebody else may have taken it over, who is as careful as we are. */
		nothing += taking.count == 0;
		if (taking.fatal || nothing == FLUSH_TRIES)
			return -EIO;
	}
}

/* ---- telling ------------------------------------------------------------------------------- */

int dataloss_untold(struct e4_fs *fs)
{
	struct dataloss *d = fs->dataloss;
	int r = 0;

	pthread_mutex_lock(&d->lock);
	for (size_t i = 0; i < d->count; i++)
		if (!d->losses[i].known)
			r = -SDE_DATA_LOST;
	pthread_mutex_unlock(&d->lock);
	return r;
}

uint64_t e4_loss_mark(struct e4_inode *inode)
{
	struct dataloss *d = inode->fs->dataloss;
	const struct loss *loss;
	uint64_t mark = 0;

	if (atomic_load(&d->count) == 0)
		return 0;
	pthread_mutex_lock(&d->lock);
	loss = find(d, inode->ino);
	if (loss)
		mark = loss->known ? loss->number : loss->number - 1;
	pthread_mutex_unlock(&d->lock);
	return mark;
}

int e4_loss_check(struct e4_inode *inode, uint64_t *mark)
{
	struct dataloss *d = inode->fs->dataloss;
	struct loss *loss;
	int r = 0;

	if (atomic_load(&d->count) == 0)
		return 0;
	pthread_mutex_lock(&d->lock);
	loss = find(d, inode->ino);
	if (loss && loss->number > *mark) {
		*mark = loss->number;
		loss->known = true;
		r = -EIO;
	}
	pthread_mutex_unlock(&d->lock);
	return r;
}
