/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Random numbers, open files, and the message about a difference. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lockstep/probe.h"
#include "tests/lockstep/world.h"

int root_fd[SIDES];
atomic_bool failed;
unsigned capabilities;
bool alone;

uint64_t random_next(struct worker *w)
{
	w->state ^= w->state << 13;
	w->state ^= w->state >> 7;
	w->state ^= w->state << 17;
	return w->state * 0x2545f4914f6cdd1dULL >> 11;
}

uint32_t random_below(struct worker *w, uint32_t n)
{
	return random_next(w) % n;
}

int worker_init(struct worker *w, unsigned number, uint64_t seed)
{
	*w = (struct worker){.number = number, .state = (seed * 1000003 + number) * 0x9e3779b97f4a7c15ULL | 1};
	for (int side = 0; side < SIDES; side++)
		if (posix_memalign((void **)&w->buf[side], ALIGNMENT, IO_BYTES + ALIGNMENT) != 0)
			return -ENOMEM;
	for (int i = 0; i < 10; i++)
		random_next(w);
	return 0;
}

void worker_free(struct worker *w)
{
	for (int i = 0; i < SLOTS; i++)
		slot_close(&w->slot[i]);
	for (int side = 0; side < SIDES; side++)
		free(w->buf[side]);
}

int dir_fd(const struct worker *w, int side, int dir)
{
	return dir == NONE ? root_fd[side] : w->slot[dir].fd[side];
}

const char *dir_path(const struct worker *w, int side, int dir, const char *path, char *out)
{
	int n = snprintf(out, PATH_BYTES * 2, "/proc/self/fd/%d/%s", dir_fd(w, side, dir), path);

	return n < PATH_BYTES * 2 ? out : "";
}

void slot_close(struct slot *slot)
{
	if (!slot->used)
		return;
	for (int side = 0; side < SIDES; side++) {
		if (slot->map[side])
			munmap(slot->map[side], slot->map_bytes);
		close(slot->fd[side]);
	}
	*slot = (struct slot){.used = false};
}

bool slot_regular(const struct slot *slot)
{
	struct stat st;

	return fstat(slot->fd[0], &st) == 0 && S_ISREG(st.st_mode);
}

void differ(struct worker *w, const char *fmt, ...)
{
	va_list ap;

	if (atomic_exchange(&failed, true))
		return;
	printf("# difference: thread %u, operation %lu: %s: ", w->number, w->count, w->what);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	fflush(stdout);
}

/* Over FUSE the kernel does not know chattr's flags, for which it refuses before it looks at anything
 * else; ours only hears of what has passed the kernel's other checks. */
static bool same_refusal(int ours, int kernels)
{
	static const int checked_before[] = {EACCES, EBUSY, EEXIST, EINVAL, EISDIR, ENODATA, ENOENT, ENOTDIR,
		ENOTEMPTY, EOPNOTSUPP};

	for (size_t i = 0; i < sizeof(checked_before) / sizeof(checked_before[0]); i++)
		if (probe_has(CAN_FLAGS) && kernels == EPERM && ours == checked_before[i])
			return true;
	return ours == kernels;
}

bool same_result(struct worker *w, const long long r[SIDES], const int err[SIDES])
{
	if (r[0] != r[1])
		differ(w, "results %lld and %lld (errno %d %s, %d %s)", r[0], r[1], err[0],
			r[0] < 0 ? strerror(err[0]) : "-", err[1], r[1] < 0 ? strerror(err[1]) : "-");
	else if (r[0] < 0 && !same_refusal(err[0], err[1]))
		differ(w, "errno %d (%s) and %d (%s)", err[0], strerror(err[0]), err[1],
			strerror(err[1]));
	return r[0] >= 0 && r[1] >= 0;
}
