/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Times cannot be equal on both sides, unless a program has set them. Those are far from now (see
 * RECENT_*), so a time is either equal on both sides or, on both, about when the same operation was
 * done. Which times an operation changes is looked at for some operations, after a pause that is
 * longer than the clock's step. Not for FIFOs: what is written to one is no business of the file
 * system, and the kernel's FUSE layer leaves its times alone.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lockstep/probe.h"
#include "tests/lockstep/witness.h"

static const char *const witness_name[WITNESSES] = {"the path", "its folder", "the second path",
	"its folder", "the slot", "the second slot", "the fresh slot"};

static void parent_of(const char *path, char parent[PATH_BYTES])
{
	char *last;
	size_t len;

	strcpy(parent, path);
	for (len = strlen(parent); len > 0 && parent[len - 1] == '/'; len--)
		parent[len - 1] = '\0';
	last = strrchr(parent, '/');
	if (last)
		*last = '\0';
	else
		strcpy(parent, ".");
}

static void look_at_path(struct worker *w, int dir, const char *path, struct sight *sight)
{
	sight->asked = true;
	for (int side = 0; side < SIDES; side++) {
		sight->result[side] = fstatat(dir_fd(w, side, dir), path, &sight->st[side],
			AT_SYMLINK_NOFOLLOW);
		sight->err[side] = errno;
	}
}

static void look_at_slot(struct worker *w, int slot, struct sight *sight)
{
	if (slot == NONE || !w->slot[slot].used)
		return;
	sight->asked = true;
	for (int side = 0; side < SIDES; side++) {
		sight->result[side] = fstat(w->slot[slot].fd[side], &sight->st[side]);
		sight->err[side] = errno;
	}
}

void witness_take(struct worker *w, const struct op *op, struct witness *ret)
{
	char parent[PATH_BYTES];

	for (int i = 0; i < WITNESSES; i++)
		ret->sight[i].asked = false;
	if (strchr(op->kind->uses, 'p')) {
		parent_of(op->path, parent);
		look_at_path(w, op->dir, op->path, &ret->sight[OF_PATH]);
		look_at_path(w, op->dir, parent, &ret->sight[OF_PARENT]);
	}
	if (strchr(op->kind->uses, 'q')) {
		parent_of(op->path2, parent);
		look_at_path(w, op->dir2, op->path2, &ret->sight[OF_PATH2]);
		look_at_path(w, op->dir2, parent, &ret->sight[OF_PARENT2]);
	}
	look_at_slot(w, op->slot, &ret->sight[OF_SLOT]);
	look_at_slot(w, op->slot2, &ret->sight[OF_SLOT2]);
	look_at_slot(w, op->fresh, &ret->sight[OF_FRESH]);
}

static bool time_recent(const struct timespec *t)
{
	return t->tv_sec >= RECENT_FROM && t->tv_sec < RECENT_TO;
}

static void compare_time(struct worker *w, const char *whose, const char *which,
	const struct timespec *a, const struct timespec *b)
{
	bool same;

	if (time_recent(a) && time_recent(b))
		same = llabs((long long)a->tv_sec - b->tv_sec) <= CLOCK_SLACK;
	else
		same = a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
	if (!same)
		differ(w, "%s of %s: %lld.%09ld and %lld.%09ld", which, whose, (long long)a->tv_sec,
			a->tv_nsec, (long long)b->tv_sec, b->tv_nsec);
}

void stat_compare(struct worker *w, const char *whose, const struct stat st[SIDES])
{
	const struct stat *a = &st[0], *b = &st[1];

	if (a->st_mode != b->st_mode)
		differ(w, "modes of %s: %o and %o", whose, a->st_mode, b->st_mode);
	if (a->st_nlink != b->st_nlink)
		differ(w, "links of %s: %lu and %lu", whose, (unsigned long)a->st_nlink,
			(unsigned long)b->st_nlink);
	if (a->st_uid != b->st_uid || a->st_gid != b->st_gid)
		differ(w, "owners of %s: %u:%u and %u:%u", whose, a->st_uid, a->st_gid, b->st_uid,
			b->st_gid);
	if (!S_ISDIR(a->st_mode) && a->st_size != b->st_size)
		differ(w, "sizes of %s: %lld and %lld", whose, (long long)a->st_size,
			(long long)b->st_size);
	if (a->st_rdev != b->st_rdev)
		differ(w, "device numbers of %s: %llx and %llx", whose, (long long)a->st_rdev,
			(long long)b->st_rdev);
	if (S_ISFIFO(a->st_mode))
		return;
	compare_time(w, whose, "time of modification", &a->st_mtim, &b->st_mtim);
	compare_time(w, whose, "time of change", &a->st_ctim, &b->st_ctim);
	compare_time(w, whose, "time of access", &a->st_atim, &b->st_atim);
}

void witness_compare(struct worker *w, const struct witness *witness)
{
	for (int i = 0; i < WITNESSES; i++) {
		const struct sight *sight = &witness->sight[i];

		if (sight->asked && same_result(w, sight->result, sight->err))
			stat_compare(w, witness_name[i], sight->st);
	}
}

static long long moved_ns(const struct timespec *a, const struct timespec *b)
{
	return (b->tv_sec - a->tv_sec) * 1000000000LL + b->tv_nsec - a->tv_nsec;
}

/* By more than what lies between the kernel's and our own look at the clock in one request; where whole seconds
 * are stored a new one may have begun in between. */
static bool moved(const struct timespec *a, const struct timespec *b)
{
	long long slack = probe_has(CAN_LATE) ? WITNESS_PAUSE_US * 1000LL / 4 : 1000000000LL;

	return llabs(moved_ns(a, b)) > slack;
}

/* Is it the same file as before? The names may mean another one now. */
static bool same_file(const struct sight *a, const struct sight *b)
{
	for (int side = 0; side < SIDES; side++)
		if (!a->asked || !b->asked || a->result[side] < 0 || b->result[side] < 0 ||
			a->st[side].st_ino != b->st[side].st_ino)
			return false;
	return true;
}

/* One of the times, before and after the operation. */
static void compare_moves(struct worker *w, const char *whose, const char *which,
	const struct timespec before[SIDES], const struct timespec after[SIDES])
{
	if (moved(&before[0], &after[0]) != moved(&before[1], &after[1]))
		differ(w, "%s of %s moved by %lld and %lld ns", which, whose, moved_ns(&before[0], &after[0]),
			moved_ns(&before[1], &after[1]));
}

void witness_compare_times(struct worker *w, const struct witness *before, const struct witness *after)
{
	for (int i = 0; i < WITNESSES; i++) {
		const struct stat *a = before->sight[i].st, *b = after->sight[i].st;
		if (!same_file(&before->sight[i], &after->sight[i]) || S_ISFIFO(b[0].st_mode))
			continue;
		compare_moves(w, witness_name[i], "time of modification",
			(struct timespec[]){a[0].st_mtim, a[1].st_mtim},
			(struct timespec[]){b[0].st_mtim, b[1].st_mtim});
		compare_moves(w, witness_name[i], "time of change",
			(struct timespec[]){a[0].st_ctim, a[1].st_ctim},
			(struct timespec[]){b[0].st_ctim, b[1].st_ctim});
		compare_moves(w, witness_name[i], "time of access",
			(struct timespec[]){a[0].st_atim, a[1].st_atim},
			(struct timespec[]){b[0].st_atim, b[1].st_atim});
	}
}
