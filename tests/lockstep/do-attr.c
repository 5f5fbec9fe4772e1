/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Operations on modes, owners, times, sizes by name, and flags. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lockstep/probe.h"
#include "tests/lockstep/world.h"

#define AT(op) dir_fd(w, side, (op)->dir)

static void run_chmod(struct worker *w, const struct op *op)
{
	BOTH(w, fchmodat(AT(op), op->path, (mode_t)op->n[0], 0));
}

static void run_fchmod(struct worker *w, const struct op *op)
{
	BOTH(w, fchmod(w->slot[op->slot].fd[side], (mode_t)op->n[0]));
}

static void choose_chmod(struct worker *w, struct op *op)
{
	op->n[0] = choose_mode(w) | (random_below(w, 3) ? 0600 : 0);
}

static void run_chown(struct worker *w, const struct op *op)
{
	BOTH(w, fchownat(AT(op), op->path, (uid_t)op->n[0], (gid_t)op->n[1], (int)op->n[2]));
}

static void run_fchown(struct worker *w, const struct op *op)
{
	BOTH(w, fchown(w->slot[op->slot].fd[side], (uid_t)op->n[0], (gid_t)op->n[1]));
}

static long long choose_id(struct worker *w)
{
	static const long long ids[] = {-1, 0, OTHER_USER, OTHER_USER, 70000, 0xfffffffe};

	return geteuid() == 0 ? ids[random_below(w, 6)] : (long long)geteuid();
}

static void choose_chown(struct worker *w, struct op *op)
{
	op->n[0] = choose_id(w);
	op->n[1] = geteuid() == 0 ? choose_id(w) : (long long)getegid();
	/* of a set-user-id file of another user the kernel asks for its owner then, but not over FUSE */
	if (op->n[0] == -1 && op->n[1] == -1)
		op->user = false;
	op->n[2] = random_below(w, 2) ? AT_SYMLINK_NOFOLLOW : 0;
}

/* A time far from now, so that witness.c can tell it from one; -1: now, -2: as it is. */
static long long choose_time(struct worker *w)
{
	switch (random_below(w, 6)) {
	case 0:
		return -1;
	case 1:
		return -2;
	case 2:
		return probe_has(CAN_LATE) ? RECENT_TO + random_below(w, 2000000000) : 0;
	default:
		return random_below(w, RECENT_FROM);
	}
}

static struct timespec time_of(long long chosen)
{
	if (chosen == -1)
		return (struct timespec){.tv_nsec = UTIME_NOW};
	if (chosen == -2)
		return (struct timespec){.tv_nsec = UTIME_OMIT};
	return (struct timespec){.tv_sec = chosen, .tv_nsec = (chosen * 7919) % 1000000000};
}

/* A page that is dirty and mapped takes more bytes without moving the time of modification; whether
 * it still is dirty is the kernel's affair. So none is when a time is set that is not now. */
static void clean_pages(void)
{
	for (int side = 0; side < SIDES; side++)
		syncfs(root_fd[side]);
}

static void run_utimens(struct worker *w, const struct op *op)
{
	struct timespec times[2] = {time_of(op->n[0]), time_of(op->n[1])};

	clean_pages();
	BOTH(w, utimensat(AT(op), op->path, times, (int)op->n[2]));
}

static void run_futimens(struct worker *w, const struct op *op)
{
	struct timespec times[2] = {time_of(op->n[0]), time_of(op->n[1])};

	clean_pages();
	BOTH(w, futimens(w->slot[op->slot].fd[side], op->n[2] ? times : NULL));
}

static void choose_utimens(struct worker *w, struct op *op)
{
	op->n[0] = choose_time(w);
	op->n[1] = choose_time(w);
	op->n[2] = random_below(w, 2) ? AT_SYMLINK_NOFOLLOW : 0;
}

static void run_truncate(struct worker *w, const struct op *op)
{
	char path[SIDES][PATH_BYTES * 2];

	/* opening a FIFO for writing would block; truncate() does not open */
	BOTH(w, truncate(dir_path(w, side, op->dir, op->path, path[side]), op->n[0]));
}

static void choose_truncate(struct worker *w, struct op *op)
{
	op->n[0] = random_below(w, random_below(w, 2) ? 20000 : FILE_BYTES);
}

/* Not FS_SYNC_FL, nor FS_APPEND_FL of files: such files are written past the kernel's cache on our
 * side, where its FUSE layer moves no time of modification and maps nothing shared. Nor
 * FS_IMMUTABLE_FL of files: what has them open already goes on writing on our side. */
enum {
	FLAGS = FS_NODUMP_FL | FS_NOATIME_FL | FS_DIRSYNC_FL | FS_TOPDIR_FL | FS_APPEND_FL | FS_IMMUTABLE_FL,
	FLAGS_HARMLESS = FS_NODUMP_FL | FS_NOATIME_FL | FS_DIRSYNC_FL | FS_TOPDIR_FL,
};

/* The kernel does not hear of a time of change that our side moves at an ioctl. So it moves anyhow,
 * unless the file is immutable both before and afterwards. */
static void touch(int fd, const struct stat *st)
{
	if (fchmod(fd, st->st_mode & 07777) < 0)
		return;
}

static int change_flags(int fd, int wanted)
{
	struct stat st;
	int flags, r;

	if (ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0 || fstat(fd, &st) < 0)
		return -1;
	if (!S_ISDIR(st.st_mode))
		wanted &= ~(FS_APPEND_FL | FS_IMMUTABLE_FL);
	flags = (flags & ~FLAGS) | wanted;
	touch(fd, &st);
	r = ioctl(fd, FS_IOC_SETFLAGS, &flags);
	touch(fd, &st);
	return r;
}

static int get_flags(int fd)
{
	int flags;

	return ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0 ? -1 : flags & FLAGS;
}

static void run_flags(struct worker *w, const struct op *op)
{
	int fd[SIDES] = {-1, -1};

	if (BOTH(w, (fd[side] = openat(AT(op), op->path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW)) < 0 ? -1
												    : 0)) {
		BOTH(w, change_flags(fd[side], (int)op->n[0]));
		BOTH(w, get_flags(fd[side]));
	}
	for (int side = 0; side < SIDES; side++)
		if (fd[side] >= 0)
			close(fd[side]);
}

static void choose_flags(struct worker *w, struct op *op)
{
	op->timed = false;
	op->user = false;
	op->n[0] = random_below(w, 2) ? 0 : (long long)(random_next(w) & FLAGS_HARMLESS);
	if (random_below(w, 10) == 0)
		op->n[0] |= random_below(w, 2) ? FS_APPEND_FL : FS_IMMUTABLE_FL;
}

static void run_get_flags(struct worker *w, const struct op *op)
{
	BOTH(w, get_flags(w->slot[op->slot].fd[side]));
}

static void run_birth(struct worker *w, const struct op *op)
{
	struct statx stx[SIDES];

	if (BOTH(w, statx(AT(op), op->path, AT_SYMLINK_NOFOLLOW, STATX_ALL, &stx[side])) &&
		llabs(stx[0].stx_btime.tv_sec - stx[1].stx_btime.tv_sec) > CLOCK_SLACK)
		differ(w, "birth times %lld and %lld", (long long)stx[0].stx_btime.tv_sec,
			(long long)stx[1].stx_btime.tv_sec);
}

const struct op_kind attr_kinds[] = {
	{"chmod", "p", {"mode"}, 10, 0, run_chmod, choose_chmod},
	{"fchmod", "s", {"mode"}, 3, 0, run_fchmod, choose_chmod},
	{"chown", "p", {"uid", "gid", "flags"}, 8, 0, run_chown, choose_chown},
	{"fchown", "s", {"uid", "gid"}, 3, 0, run_fchown, choose_chown},
	{"utimens", "p", {"atime", "mtime", "flags"}, 6, 0, run_utimens, choose_utimens},
	{"futimens", "s", {"atime", "mtime", "given"}, 3, 0, run_futimens, choose_utimens},
	{"truncate", "p", {"size"}, 6, 0, run_truncate, choose_truncate},
	{"flags", "p", {"flags"}, 12, CAN_FLAGS, run_flags, choose_flags},
	{"get-flags", "s", {NULL}, 2, CAN_FLAGS, run_get_flags, NULL},
	{"birth", "p", {NULL}, 2, CAN_BTIME, run_birth, NULL},
	{NULL},
};
