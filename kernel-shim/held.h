/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Copies of the writes that a drive may still lose, in the order in which they were made.
 *
 * Writes belong to eras: each flush ends one. A flush that succeeds has brought to the medium what was
 * written in the eras before it, as far as those writes had returned when it began. No locking: the
 * owner's lock is held at every call. Nothing but ciphertext comes here. Private to kernel-shim/.
 */
#ifndef KERNEL_SHIM_HELD_H
#define KERNEL_SHIM_HELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct held;
struct held_era;

struct held_write {
	uint64_t off;
	uint32_t len, owner; /* owner: as in struct blkdev_write */
	uint8_t *data;	     /* begins with a page when it is one or more */
};

/* bytes_max: of memory, at least 4 MiB. -ENOMEM. */
int held_new(size_t bytes_max, struct held **ret_held) MUST_CHECK;
void held_free(struct held *held); /* NULL is fine */
/*
 * A place for the first bytes (write->len of them, whole blocks of 4096 unless it is all) of a write. The
 * caller copies the data there and then writes it, and calls held_wrote() when that has returned.
 * NULL: no room before something was flushed.
 */
struct held_write *held_add(struct held *held, size_t len, uint64_t off, uint32_t owner,
	struct held_era **ret_era);
void held_wrote(struct held_era *era);
/* Instead: there is no data, and nothing was written. */
void held_cancel(struct held_era *era, struct held_write *write);
/* More than half of the room is taken: time to flush. */
bool held_is_pressed(const struct held *held);

/* A flush begins; the number to give to held_drop() when it has succeeded. */
uint64_t held_begin_flush(struct held *held);
/* Drops what that flush has brought to the medium; fn sees each write before, in order. */
typedef void (*held_fn)(void *ctx, const struct held_write *write);
void held_drop(struct held *held, uint64_t number, held_fn fn, void *ctx);
/* The writes in order; stops at the first negative result and returns it. */
int held_each(const struct held *held, int (*fn)(void *ctx, const struct held_write *write),
	void *ctx);
size_t held_count(const struct held *held);

#endif
