/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 *	           fewer than `enough` wait             the read ends
 *	idle -----------------------------> WAITING ------------------> WORKING --> idle
 *	  |                                    ^
 *	  +-----> PARKED ----------------------+
 *	   enough wait       the last one that waited has got a request
 *
 * 1. While a thread is parked, at least one waits. So no request waits for the end of another one
 *    as long as there are threads, and a drive that is asked one thing after another is served
 *    by two threads, without any other one being woken.
 * 2. As many as work at the same time are enough, at least two: then none is parked only to be woken again.
 *    What was needed once is forgotten slowly.
 * 3. `waiting` includes those that have been woken and are on their way.
 *
 * Parked threads are woken last in, first out. The place of one that is cancelled stays taken: waking
 * it is void, and nobody asks any more then.
 */
#include "fuse/turns.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdlib.h>

enum {
	ENOUGH_MIN = 2,
	FORGET_AFTER = 256, /* requests */
};

struct place {
	sem_t woken;
	struct place *next;
};

struct turns {
	pthread_mutex_t lock;
	unsigned waiting, working, enough;
	unsigned taken; /* requests since enough was changed */
	struct place *parked, *free;
	unsigned count;
	struct place places[];
};

static _Thread_local bool works;

int turns_new(unsigned threads, struct turns **ret_turns)
{
	struct turns *turns = calloc(1, sizeof(*turns) + threads * sizeof(turns->places[0]));

	if (!turns)
		return -ENOMEM;
	pthread_mutex_init(&turns->lock, NULL);
	turns->enough = ENOUGH_MIN;
	for (; turns->count < threads; turns->count++) {
		struct place *place = &turns->places[turns->count];

		sem_init(&place->woken, 0, 0);
		place->next = turns->free;
		turns->free = place;
	}
	*ret_turns = turns;
	return 0;
}

void turns_free(struct turns *turns)
{
	if (!turns)
		return;
	for (unsigned i = 0; i < turns->count; i++)
		sem_destroy(&turns->places[i].woken);
	pthread_mutex_destroy(&turns->lock);
	free(turns);
}

/* Lock held. */
static struct place *place_take(struct turns *turns)
{
	struct place *place = turns->free;

	if (place) {
		turns->free = place->next;
		place->next = turns->parked;
		turns->parked = place;
	}
	return place;
}

/* Not under the lock: cancelled, the thread must hold nothing. */
static void place_wait(struct turns *turns, struct place *place)
{
	while (sem_wait(&place->woken) < 0)
		;
	pthread_mutex_lock(&turns->lock);
	place->next = turns->free;
	turns->free = place;
	pthread_mutex_unlock(&turns->lock);
}

void turns_begin(struct turns *turns)
{
	struct place *place = NULL;

	pthread_mutex_lock(&turns->lock);
	if (works)
		turns->working--;
	works = false;
	if (turns->waiting >= turns->enough)
		place = place_take(turns);
	if (!place)
		turns->waiting++;
	pthread_mutex_unlock(&turns->lock);
	if (place)
		place_wait(turns, place);
}

/* Lock held; the caller works. */
static void count_work(struct turns *turns)
{
	works = true;
	turns->working++;
	if (turns->working >= turns->enough) {
		turns->enough = turns->working;
		turns->taken = 0;
	} else if (++turns->taken >= FORGET_AFTER && turns->enough > ENOUGH_MIN) {
		turns->enough--;
		turns->taken = 0;
	}
}

void turns_end(struct turns *turns)
{
	struct place *woken = NULL;

	pthread_mutex_lock(&turns->lock);
	count_work(turns);
	if (--turns->waiting == 0 && turns->parked) {
		woken = turns->parked;
		turns->parked = woken->next;
		turns->waiting++;
	}
	pthread_mutex_unlock(&turns->lock);
	if (woken)
		sem_post(&woken->woken);
}
