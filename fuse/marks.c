/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuse/marks.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

struct mark {
	uint64_t key, value;
};

struct marks {
	pthread_mutex_t lock;
	struct mark *list;
	size_t room;
	_Atomic size_t count;
};

int marks_new(struct marks **ret_marks)
{
	struct marks *marks = calloc(1, sizeof(*marks));

	if (!marks)
		return -ENOMEM;
	pthread_mutex_init(&marks->lock, NULL);
	*ret_marks = marks;
	return 0;
}

void marks_free(struct marks *marks)
{
	if (!marks)
		return;
	pthread_mutex_destroy(&marks->lock);
	free(marks->list);
	free(marks);
}

/* Lock held. */
static struct mark *find(struct marks *marks, uint64_t key)
{
	for (size_t i = 0; i < marks->count; i++)
		if (marks->list[i].key == key)
			return &marks->list[i];
	return NULL;
}

uint64_t marks_get(struct marks *marks, uint64_t key)
{
	const struct mark *mark;
	uint64_t value = 0;

	if (atomic_load(&marks->count) == 0)
		return 0;
	pthread_mutex_lock(&marks->lock);
	mark = find(marks, key);
	if (mark)
		value = mark->value;
	pthread_mutex_unlock(&marks->lock);
	return value;
}

/* Lock held. NULL: no memory. */
static struct mark *add(struct marks *marks, uint64_t key)
{
	if (marks->count == marks->room) {
		size_t room = marks->room ? 2 * marks->room : 16;
		struct mark *more = realloc(marks->list, room * sizeof(*more));

		if (!more)
			return NULL;
		marks->list = more;
		marks->room = room;
	}
	marks->list[marks->count].key = key;
	return &marks->list[marks->count++];
}

void marks_set(struct marks *marks, uint64_t key, uint64_t mark)
{
	struct mark *at;

	pthread_mutex_lock(&marks->lock);
	at = find(marks, key);
	if (!at)
		at = add(marks, key);
	if (at)
		at->value = mark;
	pthread_mutex_unlock(&marks->lock);
}

uint64_t marks_drop(struct marks *marks, uint64_t key)
{
	struct mark *at;
	uint64_t value = 0;

	if (atomic_load(&marks->count) == 0)
		return 0;
	pthread_mutex_lock(&marks->lock);
	at = find(marks, key);
	if (at) {
		value = at->value;
		*at = marks->list[--marks->count];
	}
	pthread_mutex_unlock(&marks->lock);
	return value;
}
