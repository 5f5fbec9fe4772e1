/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Operations that open and close files. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "tests/lockstep/probe.h"
#include "tests/lockstep/world.h"

/* The files opened on both sides take the place of what the slot held. */
static void slot_fill(struct worker *w, int n, const int fd[SIDES], bool shared, bool direct)
{
	struct slot *slot = &w->slot[n];

	slot_close(slot);
	*slot = (struct slot){.used = true, .shared = shared, .direct = direct, .fd = {fd[0], fd[1]}};
}

/* One side alone is a difference already; nothing may stay open. */
static void close_all(const int fd[SIDES])
{
	for (int side = 0; side < SIDES; side++)
		if (fd[side] >= 0)
			close(fd[side]);
}

static void run_open(struct worker *w, const struct op *op)
{
	/* a FIFO would block */
	const int flags = (int)op->n[0] | O_NONBLOCK | O_CLOEXEC;
	const bool shared = op_path_shared(w, op); /* whatever the slot held before */
	int fd[SIDES] = {-1, -1};

	if (BOTH(w, (fd[side] = openat(dir_fd(w, side, op->dir), op->path, flags, (mode_t)op->n[1])) < 0
			    ? -1
			    : 0))
		slot_fill(w, op->fresh, fd, shared, flags & O_DIRECT);
	else
		close_all(fd);
}

static void choose_open(struct worker *w, struct op *op)
{
	static const int access[] = {O_RDWR, O_RDWR, O_RDWR, O_RDONLY, O_WRONLY};
	static const struct {
		int flag;
		unsigned one_in;
	} extra[] = {{O_TRUNC, 6}, {O_EXCL, 6}, {O_APPEND, 8}, {O_NOFOLLOW, 4}, {O_DIRECT, 15}, {O_SYNC, 30},
		{O_DSYNC, 30}, {O_NOATIME, 15}};
	int flags = access[random_below(w, 5)];

	if (random_below(w, 4) != 0)
		flags |= O_CREAT;
	for (size_t i = 0; i < sizeof(extra) / sizeof(extra[0]); i++)
		flags |= random_below(w, extra[i].one_in) == 0 ? extra[i].flag : 0;
	/* the end of the file is rarely where O_DIRECT may write */
	op->n[0] = flags & O_DIRECT ? flags & ~O_APPEND : flags;
	op->n[1] = random_below(w, 4) ? 0644 : choose_mode(w);
}

static void choose_open_folder(struct worker *w, struct op *op)
{
	op->n[0] = O_RDONLY | O_DIRECTORY;
	op->n[1] = 0;
}

static void choose_tmpfile(struct worker *w, struct op *op)
{
	op->n[0] = (random_below(w, 4) ? O_RDWR : O_WRONLY) | O_TMPFILE |
		   (random_below(w, 5) ? 0 : O_EXCL);
	op->n[1] = random_below(w, 01000) | 0600;
}

static void run_dup(struct worker *w, const struct op *op)
{
	const struct slot from = w->slot[op->slot];
	int fd[SIDES] = {-1, -1};

	if (BOTH(w, (fd[side] = fcntl(from.fd[side], F_DUPFD_CLOEXEC, 3)) < 0 ? -1 : 0))
		slot_fill(w, op->fresh, fd, from.shared, from.direct);
	else
		close_all(fd);
}

static void run_close(struct worker *w, const struct op *op)
{
	slot_close(&w->slot[op->slot]);
}

/* A name for what is open, with or without another name. */
static void run_link_open(struct worker *w, const struct op *op)
{
	char link[SIDES][64];

	for (int side = 0; side < SIDES; side++)
		snprintf(link[side], sizeof(link[side]), "/proc/self/fd/%d", w->slot[op->slot].fd[side]);
	BOTH(w, linkat(AT_FDCWD, link[side], dir_fd(w, side, op->dir), op->path, AT_SYMLINK_FOLLOW));
}

const struct op_kind open_kinds[] = {
	{"open", "pn", {"flags", "mode"}, 40, 0, run_open, choose_open},
	{"open-folder", "pn", {"flags", "mode"}, 6, 0, run_open, choose_open_folder},
	{"open-tmpfile", "pn", {"flags", "mode"}, 4, CAN_TMPFILE, run_open, choose_tmpfile},
	{"dup", "sn", {NULL}, 3, 0, run_dup, NULL},
	{"close", "s", {NULL}, 6, 0, run_close, NULL},
	{"link-open", "sp", {NULL}, 4, 0, run_link_open, NULL},
	{NULL},
};
