/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A bounded pool of things that threads borrow one at a time: whoever comes when all are out
 * waits. The one put back last is given out first, because it is still in the CPU's cache.
 */
#ifndef KERNEL_SHIM_POOL_H
#define KERNEL_SHIM_POOL_H

#include <pthread.h>

enum { POOL_MAX = 32 };

struct pool {
	pthread_mutex_t lock;
	pthread_cond_t returned;
	void *free[POOL_MAX];
	unsigned free_count;
	unsigned made, max;  /* made <= max <= POOL_MAX; made > 0 before the first pool_get() */
	void *(*make)(void); /* one more while made < max; NULL when there is no memory for it */
};

void pool_init(struct pool *pool, unsigned max, void *(*make)(void));
/* Adds a thing made by the caller; room (max) must be left. */
void pool_add(struct pool *pool, void *thing);
void *pool_get(struct pool *pool); /* never NULL */
void pool_put(struct pool *pool, void *thing);
/* Hands every thing to drop() and ends the pool; all must have been put back. */
void pool_end(struct pool *pool, void (*drop)(void *thing));

#endif
