/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Cleanup attributes: a local variable that frees itself when it goes out of scope.
 *
 *	CLEANUP_FREE char *name = strdup(x);
 *	CLEANUP_FD int fd = open(...);
 *	return take_fd(&fd);		// hands it out instead
 */
#ifndef BASE_CLEANUP_H
#define BASE_CLEANUP_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CLEANUP(fn) __attribute__((cleanup(fn)))

static inline void cleanup_free(void *p)
{
	free(*(void **)p);
}

static inline void cleanup_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void cleanup_file(FILE **f)
{
	if (*f)
		fclose(*f);
}

#define CLEANUP_FREE CLEANUP(cleanup_free)
#define CLEANUP_FD CLEANUP(cleanup_fd)
#define CLEANUP_FILE CLEANUP(cleanup_file)

static inline int take_fd(int *fd)
{
	int out = *fd;

	*fd = -1;
	return out;
}

/* take_ptr(p): the value of p, which becomes NULL, so that its cleanup does nothing. */
#define take_ptr(p)                                                                                \
	({                                                                                         \
		__typeof__(p) *from_ = &(p), taken_ = *from_;                                      \
		*from_ = NULL;                                                                     \
		taken_;                                                                            \
	})

#define container_of(ptr, type, member)                                                            \
	((type *)((char *)(ptr) - __builtin_offsetof(type, member)))

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#endif
