/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kernel-shim/pool.h"

#include <assert.h>
#include <stddef.h>

void pool_init(struct pool *pool, unsigned max, void *(*make)(void))
{
	assert(max > 0 && max <= POOL_MAX);
	pthread_mutex_init(&pool->lock, NULL);
	pthread_cond_init(&pool->returned, NULL);
	pool->free_count = pool->made = 0;
	pool->max = max;
	pool->make = make;
}

void pool_add(struct pool *pool, void *thing)
{
	pthread_mutex_lock(&pool->lock);
	assert(pool->made < pool->max);
	pool->made++;
	pool->free[pool->free_count++] = thing;
	pthread_mutex_unlock(&pool->lock);
}

/* lock held; on failure nothing has changed */
static void *make_one(struct pool *pool)
{
	if (!pool->make || pool->made == pool->max)
		return NULL;
	void *thing = pool->make();

	if (thing)
		pool->made++;
	return thing;
}

void *pool_get(struct pool *pool)
{
	void *thing = NULL;

	pthread_mutex_lock(&pool->lock);
	if (pool->free_count == 0)
		thing = make_one(pool);
	while (!thing && pool->free_count == 0) {
		assert(pool->made > 0);
		pthread_cond_wait(&pool->returned, &pool->lock);
	}
	if (!thing)
		thing = pool->free[--pool->free_count];
	pthread_mutex_unlock(&pool->lock);
	return thing;
}

void pool_put(struct pool *pool, void *thing)
{
	pthread_mutex_lock(&pool->lock);
	pool->free[pool->free_count++] = thing;
	pthread_cond_signal(&pool->returned);
	pthread_mutex_unlock(&pool->lock);
}

void pool_end(struct pool *pool, void (*drop)(void *thing))
{
	assert(pool->free_count == pool->made);
	while (pool->free_count > 0)
		drop(pool->free[--pool->free_count]);
	pthread_cond_destroy(&pool->returned);
	pthread_mutex_destroy(&pool->lock);
}
