/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The seam of the project: everything is a block device on top of a block device.
 *
 *	file or drive -> AES-XTS -> ext4
 *
 * Offsets and lengths are in bytes and may be arbitrary; transfers aligned to block_bytes are the
 * fast path, others cost the device a read-modify-write that is atomic against other unaligned
 * writers of the same block. A transfer is whole or it failed: no short counts. All calls but
 * close may come from many threads at once; overlapping concurrent transfers are the callers' own
 * business (either content may win, block by block).
 *
 * Errors: -EIO and friends from the medium, -ENODEV when the device is gone for good, -ENOSPC when
 * a container's own file system is full, -EROFS on a read-only device, -EINVAL outside the size.
 */
#ifndef BASE_BLKDEV_H
#define BASE_BLKDEV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"

struct blkdev;

struct blkdev_write {
	/* The buffer's content is of no use to the caller afterwards: a layer may transform it in
	 * place instead of copying it. */
	bool may_clobber;
	/* Whose data it is, a number of the caller's own, for blkdev_lost(). 0: the caller cannot do
	 * without it. */
	uint32_t owner;
};

/* A range of which something that was written is not on the medium. */
struct blkdev_lost {
	uint64_t off, len; /* len UINT64_MAX: nobody knows what */
	uint32_t owner;
};
typedef void (*blkdev_lost_fn)(void *ctx, const struct blkdev_lost *lost);

/* Brings len bytes of a write, those from its byte at on, to where a device wants to have them. */
typedef int (*blkdev_fill_fn)(void *ctx, void *to, size_t len, size_t at);

/* Is handed len bytes of a read, those from its byte at on; they are there during the call only. */
typedef int (*blkdev_take_fn)(void *ctx, const void *from, size_t len, size_t at);

/* Called only with ranges inside size_bytes, len > 0, and no writes when read_only. */
struct blkdev_ops {
	int (*read)(struct blkdev *dev, void *buf, size_t len, uint64_t off);
	/* Instead of read, for a device that may have the bytes in memory of its own: fn takes them from there,
	 * or from buf (of len bytes), each once, or all once more after a failure below. */
	int (*read_to)(struct blkdev *dev, void *buf, blkdev_take_fn fn, void *ctx, size_t len,
		uint64_t off);
	int (*write)(struct blkdev *dev, void *buf, size_t len, uint64_t off,
		const struct blkdev_write *how);
	/* Instead of write, for a device that keeps what is written in memory of its own: fn brings it there,
	 * in order, each byte once, in pieces of whole 4096 bytes but for the last; its failure is the
	 * result, and that piece then was not written. */
	int (*write_from)(struct blkdev *dev, blkdev_fill_fn fn, void *ctx, size_t len, uint64_t off,
		const struct blkdev_write *how);
	/* Returns when everything written before the call is on the medium. */
	int (*flush)(struct blkdev *dev);
	/* After a flush has failed with -EIO: what was lost; all else is on the medium, and the next flush is
	 * not about this any more. No flush succeeds while fn is being called, so fn must not flush. NULL: not
	 * known; every later flush fails, too. */
	int (*lost)(struct blkdev *dev, blkdev_lost_fn fn, void *ctx);
	/* Advice; the range reads as anything afterwards. NULL: not supported. */
	int (*discard)(struct blkdev *dev, uint64_t off, uint64_t len);
	/* The next read of the range comes from the medium, not from a cache that somebody who shares
	 * the medium does not know of. NULL: no cache. */
	int (*refresh)(struct blkdev *dev, size_t len, uint64_t off);
	/* Keeps other programs from changing what may change while the device is in use elsewhere (the
	 * header), and waits for those that do; calls nest. On a read-only device others may hold it too.
	 * NULL: nobody else can. */
	int (*lock)(struct blkdev *dev);
	void (*unlock)(struct blkdev *dev);
	/* Nobody can use the medium without changing this range: see kernel-shim/sentinel.h. What was
	 * written before is flushed. NULL: of no interest. */
	int (*watch)(struct blkdev *dev, uint64_t len, uint64_t off);
	/* Frees dev itself; does not close a lower device unless the layer owns it. */
	void (*close)(struct blkdev *dev);
};

/* Every device embeds this as its first member and fills it before handing itself out. */
struct blkdev {
	const struct blkdev_ops *ops;
	uint64_t size_bytes;  /* fixed while open */
	uint32_t block_bytes; /* preferred alignment: a power of two, 512 to 65536 */
	bool read_only;
	bool discards; /* blkdev_discard() does something */
};

int blkdev_read(struct blkdev *dev, void *buf, size_t len, uint64_t off) MUST_CHECK;
/* What buf holds then is what fn has made of it. */
int blkdev_read_to(struct blkdev *dev, void *buf, blkdev_take_fn fn, void *ctx, size_t len,
	uint64_t off) MUST_CHECK;
/* buf is not changed. */
int blkdev_write(struct blkdev *dev, const void *buf, size_t len, uint64_t off) MUST_CHECK;
/* buf's content is garbage afterwards, whatever the result. */
int blkdev_write_clobber(struct blkdev *dev, void *buf, size_t len, uint64_t off) MUST_CHECK;
/* buf is not changed unless how says so. */
int blkdev_write_how(struct blkdev *dev, void *buf, size_t len, uint64_t off,
	const struct blkdev_write *how) MUST_CHECK;
/* -EOPNOTSUPP where the device does not offer it. */
int blkdev_write_from(struct blkdev *dev, blkdev_fill_fn fn, void *ctx, size_t len, uint64_t off,
	const struct blkdev_write *how) MUST_CHECK;
int blkdev_flush(struct blkdev *dev) MUST_CHECK;
/* -EOPNOTSUPP where nobody knows. */
int blkdev_lost(struct blkdev *dev, blkdev_lost_fn fn, void *ctx) MUST_CHECK;
int blkdev_watch(struct blkdev *dev, uint64_t len, uint64_t off) MUST_CHECK;
/* -EOPNOTSUPP where the device cannot. */
int blkdev_discard(struct blkdev *dev, uint64_t off, uint64_t len) MUST_CHECK;
int blkdev_refresh(struct blkdev *dev, size_t len, uint64_t off) MUST_CHECK;
/* -SDE_BUSY when somebody else holds the lock for too long, -errno. Closing unlocks. */
int blkdev_lock(struct blkdev *dev) MUST_CHECK;
void blkdev_unlock(struct blkdev *dev);
void blkdev_close(struct blkdev *dev); /* NULL is fine */

static inline void cleanup_blkdev(struct blkdev **dev)
{
	blkdev_close(*dev);
}
#define CLEANUP_BLKDEV CLEANUP(cleanup_blkdev)

#endif
