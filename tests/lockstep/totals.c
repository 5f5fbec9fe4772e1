/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdbool.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "tests/lockstep/totals.h"
#include "tests/lockstep/world.h"

enum { WAIT_MS = 5000, STEP_MS = 20, QUIET_MS = 300 };

static long long used_at_start[SIDES];

static long long used(int side)
{
	struct statvfs st;

	return fstatvfs(root_fd[side], &st) < 0 ? -1 : (long long)st.f_files - (long long)st.f_ffree;
}

/* Once nothing has been freed for a while. */
static long long used_settled(int side)
{
	long long last = used(side), now;

	for (int quiet = 0; quiet < QUIET_MS; quiet += STEP_MS) {
		usleep(STEP_MS * 1000);
		now = used(side);
		if (now != last)
			quiet = 0;
		last = now;
	}
	return last;
}

void totals_start(void)
{
	for (int side = 0; side < SIDES; side++)
		used_at_start[side] = used_settled(side);
}

void totals_compare(struct worker *w)
{
	long long taken[SIDES];

	for (int waited = 0; waited < WAIT_MS; waited += STEP_MS) {
		for (int side = 0; side < SIDES; side++)
			taken[side] = used(side) - used_at_start[side];
		if (taken[0] == taken[1])
			return;
		usleep(STEP_MS * 1000);
	}
	differ(w, "inodes taken since the start: %lld and %lld", taken[0], taken[1]);
}
