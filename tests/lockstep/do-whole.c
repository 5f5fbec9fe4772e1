/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Operations on the file systems as a whole. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "tests/lockstep/probe.h"
#include "tests/lockstep/totals.h"
#include "tests/lockstep/world.h"

/* The kernel forgets what it can; the machine's other programs pay for it, so it is rare. */
static void run_drop_caches(struct worker *w, const struct op *op)
{
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	for (int side = 0; side < SIDES; side++)
		syncfs(root_fd[side]);
	if (write(fd, "3\n", 2) < 0)
		differ(w, "drop_caches cannot be written");
	close(fd);
}

static void run_totals(struct worker *w, const struct op *op)
{
	if (alone)
		totals_compare(w);
}

const struct op_kind whole_kinds[] = {
	{"drop-caches", "", {NULL}, 1, CAN_BE_USER, run_drop_caches, NULL},
	{"totals", "", {NULL}, 1, 0, run_totals, NULL},
	{NULL},
};
