/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a lockstep run consists of: two roots ("sides"), threads that work in folders of their own
 * ("t0", "t1", ...) and, one operation at a time, in the folder "shared", and each thread's open
 * files ("slots"). Slot N is the same file on both sides.
 */
#ifndef LOCKSTEP_WORLD_H
#define LOCKSTEP_WORLD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "tests/lockstep/op.h"

enum {
	SIDES = 2,
	SLOTS = 8,
	THREADS_MAX = 64,
	IO_BYTES = 200000,
	FILE_BYTES = 3000000,
	ALIGNMENT = 4096,    /* of requests with O_DIRECT */
	OTHER_USER = 12345,  /* who does what is marked as done by an ordinary user */
	CLOCK_SLACK = 20,    /* seconds by which both sides' "now" may differ on a busy machine */
};

struct slot {
	bool used;
	bool shared; /* reachable by other threads: only under the lock */
	bool direct;
	int fd[SIDES];
	uint8_t *map[SIDES];
	size_t map_bytes;
	bool map_writable;
};

struct worker {
	unsigned number;
	uint64_t state; /* xorshift */
	unsigned long count;
	char what[OP_LINE];
	struct slot slot[SLOTS];
	uint8_t *buf[SIDES];
};

extern int root_fd[SIDES];
extern atomic_bool failed; /* a difference has been printed: everybody stops */
extern unsigned capabilities;
extern bool alone; /* one thread: totals of the file system are predictable */

int worker_init(struct worker *w, unsigned number, uint64_t seed);
void worker_free(struct worker *w);

uint64_t random_next(struct worker *w);
uint32_t random_below(struct worker *w, uint32_t n);

/* The folder that an operation's path is relative to, on one side. */
int dir_fd(const struct worker *w, int side, int dir);
/* A path that calls without a folder argument take. */
const char *dir_path(const struct worker *w, int side, int dir, const char *path, char *out);

void slot_close(struct slot *slot);
bool slot_regular(const struct slot *slot);

/* ---- differences -------------------------------------------------------------------------- */

__attribute__((format(printf, 2, 3))) void differ(struct worker *w, const char *fmt, ...);
/* Both sides' results and errno; true when both succeeded. */
bool same_result(struct worker *w, const long long r[SIDES], const int err[SIDES]);

#define BOTH(w, call)                                                                              \
	({                                                                                         \
		long long r_[SIDES];                                                               \
		int e_[SIDES];                                                                     \
		for (int side = 0; side < SIDES; side++) {                                         \
			errno = 0;                                                                 \
			r_[side] = (call);                                                         \
			e_[side] = errno;                                                          \
		}                                                                                  \
		same_result(w, r_, e_);                                                            \
	})

#endif
