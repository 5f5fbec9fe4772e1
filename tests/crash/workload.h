/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Things that programs do on a volume, at random. */
#ifndef TESTS_CRASH_WORKLOAD_H
#define TESTS_CRASH_WORKLOAD_H

#include "ext4/ext4.h"

struct workload {
	struct e4_fs *fs;
	uint64_t random;
	const char *kind; /* one of workload_kinds */
	unsigned step;
	struct e4_inode *open; /* a deleted file that is still open, or NULL */
	/* Called after every change of what the volume shows; synced: all of it is on the medium. */
	void (*changed)(void *ctx, bool synced);
	void *ctx;
};

extern const char *const workload_kinds[]; /* NULL at the end */

/* What must be there first; nothing is open, all of it synced. */
void workload_begin(struct workload *w);
/* One operation; failures for lack of space are fine. */
void workload_step(struct workload *w);
void workload_end(struct workload *w);

#endif
