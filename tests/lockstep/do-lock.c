/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Locks on open files. Those of open file descriptions conflict within one process, too. */
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "tests/lockstep/world.h"

static void run_flock(struct worker *w, const struct op *op)
{
	BOTH(w, flock(w->slot[op->slot].fd[side], (int)op->n[0] | LOCK_NB));
}

static void choose_flock(struct worker *w, struct op *op)
{
	static const int how[] = {LOCK_SH, LOCK_EX, LOCK_UN};

	op->n[0] = how[random_below(w, 3)];
}

static struct flock lock_of(const struct op *op)
{
	static const short type[] = {F_RDLCK, F_WRLCK, F_UNLCK};

	return (struct flock){.l_type = type[op->n[0] % 3], .l_whence = SEEK_SET, .l_start = op->n[1],
		.l_len = op->n[2]};
}

static void run_lock(struct worker *w, const struct op *op)
{
	struct flock lock = lock_of(op);

	BOTH(w, fcntl(w->slot[op->slot].fd[side], F_OFD_SETLK, &lock));
}

static void run_get_lock(struct worker *w, const struct op *op)
{
	struct flock lock[SIDES] = {lock_of(op), lock_of(op)};

	if (BOTH(w, fcntl(w->slot[op->slot].fd[side], F_OFD_GETLK, &lock[side])) &&
		(lock[0].l_type != lock[1].l_type || lock[0].l_start != lock[1].l_start ||
			lock[0].l_len != lock[1].l_len))
		differ(w, "locks %d %lld+%lld and %d %lld+%lld", lock[0].l_type,
			(long long)lock[0].l_start, (long long)lock[0].l_len, lock[1].l_type,
			(long long)lock[1].l_start, (long long)lock[1].l_len);
}

static void choose_lock(struct worker *w, struct op *op)
{
	op->n[0] = random_below(w, 3);
	op->n[1] = random_below(w, 1000);
	op->n[2] = random_below(w, 4) ? random_below(w, 300) : 0;
}

const struct op_kind lock_kinds[] = {
	{"flock", "s", {"how"}, 3, 0, run_flock, choose_flock},
	{"lock", "s", {"type", "start", "len"}, 4, 0, run_lock, choose_lock},
	{"get-lock", "s", {"type", "start", "len"}, 3, 0, run_get_lock, choose_lock},
	{NULL},
};
