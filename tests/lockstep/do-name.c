/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Operations that make, move and remove names. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "tests/lockstep/probe.h"
#include "tests/lockstep/world.h"

enum { TARGET_BYTES = 700 };

#define AT(op) dir_fd(w, side, (op)->dir)
#define AT2(op) dir_fd(w, side, (op)->dir2)

static void choose_mkdir(struct worker *w, struct op *op)
{
	op->n[0] = random_below(w, 3) ? 0777 : choose_mode(w);
}

static void run_mkdir(struct worker *w, const struct op *op)
{
	BOTH(w, mkdirat(AT(op), op->path, (mode_t)op->n[0]));
}

static void run_rmdir(struct worker *w, const struct op *op)
{
	BOTH(w, unlinkat(AT(op), op->path, AT_REMOVEDIR));
}

static void run_unlink(struct worker *w, const struct op *op)
{
	BOTH(w, unlinkat(AT(op), op->path, 0));
}

static void run_rename(struct worker *w, const struct op *op)
{
	BOTH(w, renameat2(AT(op), op->path, AT2(op), op->path2, (unsigned)op->n[0]));
}

static void choose_rename(struct worker *w, struct op *op)
{
	static const unsigned flags[] = {0, 0, 0, RENAME_NOREPLACE, RENAME_EXCHANGE, RENAME_EXCHANGE};

	op->n[0] = flags[random_below(w, 6)];
	if (random_below(w, 40) == 0)
		op->n[0] = RENAME_EXCHANGE | RENAME_NOREPLACE;
}

static void run_link(struct worker *w, const struct op *op)
{
	BOTH(w, linkat(AT(op), op->path, AT2(op), op->path2, (int)op->n[0]));
}

static void choose_link(struct worker *w, struct op *op)
{
	op->n[0] = random_below(w, 2) ? AT_SYMLINK_FOLLOW : 0;
}

/* Short texts lie in the inode, long ones in a block; some lead to names that may be there. */
static void run_symlink(struct worker *w, const struct op *op)
{
	char target[TARGET_BYTES + 1];
	size_t len = (size_t)op->n[0] % TARGET_BYTES;

	if (op->n[1] < 0) {
		memset(target, 'x', len);
		target[len] = '\0';
	} else {
		snprintf(target, sizeof(target), "%c%lld", op->n[0] % 2 ? 'd' : 'f', op->n[1]);
	}
	BOTH(w, symlinkat(target, AT(op), op->path));
}

static void choose_symlink(struct worker *w, struct op *op)
{
	op->n[0] = random_below(w, 2) ? random_below(w, 64) : random_below(w, TARGET_BYTES);
	op->n[1] = random_below(w, 2) ? (long long)random_below(w, 20) : -1;
}

static void run_readlink(struct worker *w, const struct op *op)
{
	ssize_t n[SIDES] = {0};
	char text[SIDES][TARGET_BYTES * 2];

	if (BOTH(w, n[side] = readlinkat(AT(op), op->path, text[side], (size_t)op->n[0])) &&
		memcmp(text[0], text[1], (size_t)n[0]) != 0)
		differ(w, "texts of the link differ");
}

static void choose_readlink(struct worker *w, struct op *op)
{
	op->n[0] = random_below(w, 4) ? TARGET_BYTES : 1 + random_below(w, 40);
}

static void run_mknod(struct worker *w, const struct op *op)
{
	BOTH(w, mknodat(AT(op), op->path, (mode_t)op->n[0], makedev(op->n[1], op->n[2])));
}

static void choose_mknod(struct worker *w, struct op *op)
{
	static const mode_t types[] = {S_IFIFO, S_IFIFO, S_IFSOCK, S_IFREG, S_IFCHR, S_IFBLK};

	op->n[0] = types[random_below(w, 6)] | random_below(w, 01000);
	op->n[1] = random_below(w, 2) ? 0 : random_below(w, 4000);
	op->n[2] = random_below(w, 2) ? 0 : random_below(w, 1 << 20);
}

/* Whether a file is immutable the kernel knows of its own file systems only: EPERM counts for nothing. */
static void compare_access(struct worker *w, const struct op *op)
{
	long long r[SIDES];
	int err[SIDES];

	for (int side = 0; side < SIDES; side++) {
		r[side] = faccessat(AT(op), op->path, (int)op->n[0], AT_EACCESS);
		err[side] = errno;
	}
	if (!(r[1] < 0 && err[1] == EPERM && probe_has(CAN_FLAGS)))
		same_result(w, r, err);
}

static void run_lookup(struct worker *w, const struct op *op)
{
	struct stat st[SIDES];

	BOTH(w, fstatat(AT(op), op->path, &st[side], 0));
	compare_access(w, op);
}

static void choose_lookup(struct worker *w, struct op *op)
{
	op->n[0] = random_below(w, 8);
}

const struct op_kind name_kinds[] = {
	{"mkdir", "p", {"mode"}, 14, 0, run_mkdir, choose_mkdir},
	{"rmdir", "p", {NULL}, 8, 0, run_rmdir, NULL},
	{"unlink", "p", {NULL}, 12, 0, run_unlink, NULL},
	{"rename", "pq", {"flags"}, 20, 0, run_rename, choose_rename},
	{"link", "pq", {"flags"}, 10, 0, run_link, choose_link},
	{"symlink", "p", {"len", "to"}, 6, 0, run_symlink, choose_symlink},
	{"readlink", "p", {"size"}, 4, 0, run_readlink, choose_readlink},
	{"mknod", "p", {"mode", "major", "minor"}, 5, 0, run_mknod, choose_mknod},
	{"lookup", "p", {"access"}, 8, 0, run_lookup, choose_lookup},
	{NULL},
};
