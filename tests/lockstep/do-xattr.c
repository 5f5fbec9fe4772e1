/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Operations on extended attributes and access control lists. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "tests/lockstep/probe.h"
#include "tests/lockstep/tree.h"
#include "tests/lockstep/world.h"

enum { VALUE_BYTES = 5000, XATTR_NAMES = 8, ACL_ENTRIES = 6 };

/* Names by number: user.a0 ..., then those that need privileges. */
static const char *xattr_name(long long n, char out[300])
{
	static const char *const spaces[] = {"user.", "user.", "trusted.", "security."};
	long long kind = n / XATTR_NAMES % 4, i = n % XATTR_NAMES;

	if (n == 4 * XATTR_NAMES)
		return "unknown.name";
	if (i == XATTR_NAMES - 1)
		snprintf(out, 300, "%s%0*d", spaces[kind], 240, 1);
	else
		snprintf(out, 300, "%sa%lld", spaces[kind], i);
	return out;
}

/* Who plays another user keeps CAP_SYS_ADMIN, of which a FUSE daemon does not hear. */
static void choose_xattr_name(struct worker *w, struct op *op)
{
	unsigned kinds = probe_has(CAN_TRUSTED) ? 4 : 2;

	op->n[0] = random_below(w, 60) ? random_below(w, kinds * XATTR_NAMES) : 4 * XATTR_NAMES;
	if (op->n[0] >= 2 * XATTR_NAMES)
		op->user = false;
}

static void choose_all(struct worker *w, struct op *op)
{
	op->user = false;
}

/* Never the value that is there already: ext4 does nothing then, but over FUSE the kernel moves the
 * time of change. Returns the length. */
static size_t fill(uint8_t *buf, const struct op *op)
{
	size_t len = sizeof(op->n[3]) + (size_t)op->n[1] % VALUE_BYTES;

	for (size_t i = 0; i < len; i++)
		buf[i] = (uint8_t)(op->n[1] + i * 3);
	memcpy(buf, &op->n[3], sizeof(op->n[3]));
	return len;
}

#define PATH(op) dir_path(w, side, (op)->dir, (op)->path, path[side])

static void run_setxattr(struct worker *w, const struct op *op)
{
	char path[SIDES][PATH_BYTES * 2], name[300];
	size_t len = fill(w->buf[0], op);

	BOTH(w, lsetxattr(PATH(op), xattr_name(op->n[0], name), w->buf[0], len, (int)op->n[2]));
}

static void run_fsetxattr(struct worker *w, const struct op *op)
{
	size_t len = fill(w->buf[0], op);
	char name[300];

	BOTH(w, fsetxattr(w->slot[op->slot].fd[side], xattr_name(op->n[0], name), w->buf[0], len,
			(int)op->n[2]));
}

static void choose_setxattr(struct worker *w, struct op *op)
{
	static const unsigned most[] = {1, 20, 20, 100, 900, VALUE_BYTES};
	static const int flags[] = {0, 0, 0, XATTR_CREATE, XATTR_REPLACE};

	choose_xattr_name(w, op);
	op->n[1] = random_below(w, most[random_below(w, 6)]);
	op->n[2] = flags[random_below(w, 5)];
	op->n[3] = (long long)(random_next(w) >> 1);
}

static void run_getxattr(struct worker *w, const struct op *op)
{
	char path[SIDES][PATH_BYTES * 2], name[300];
	ssize_t n[SIDES] = {0};

	if (BOTH(w, n[side] = lgetxattr(PATH(op), xattr_name(op->n[0], name), w->buf[side],
			    (size_t)op->n[1])) &&
		op->n[1] > 0 && memcmp(w->buf[0], w->buf[1], (size_t)n[0]) != 0)
		differ(w, "values differ");
}

static void choose_getxattr(struct worker *w, struct op *op)
{
	choose_xattr_name(w, op);
	op->n[1] = random_below(w, 3) ? 65536 : random_below(w, 100);
}

static void run_removexattr(struct worker *w, const struct op *op)
{
	char path[SIDES][PATH_BYTES * 2], name[300];

	BOTH(w, lremovexattr(PATH(op), xattr_name(op->n[0], name)));
}

static void run_all_xattrs(struct worker *w, const struct op *op)
{
	tree_compare_xattrs(w, op->dir, op->path);
}

/* Appends one entry of the form that acl(5) programs pass to the kernel. */
static size_t acl_entry(uint8_t *at, unsigned tag, unsigned permissions, uint32_t id)
{
	const uint8_t bytes[8] = {tag, 0, permissions & 7, 0, id, id >> 8, id >> 16, id >> 24};

	memcpy(at, bytes, sizeof(bytes));
	return sizeof(bytes);
}

/* shape: bit 0 a named user, 1 a named group, 2 the mask is forgotten, 3 nothing but a head */
static size_t acl_make(uint8_t *acl, long long permissions, long long shape)
{
	const uint32_t nobody = UINT32_MAX;
	size_t at = 4;

	memcpy(acl, "\2\0\0\0", 4);
	if (shape & 8)
		return at;
	at += acl_entry(acl + at, 0x01, permissions, nobody);
	if (shape & 1)
		at += acl_entry(acl + at, 0x02, permissions >> 3, OTHER_USER);
	at += acl_entry(acl + at, 0x04, permissions >> 6, nobody);
	if (shape & 2)
		at += acl_entry(acl + at, 0x08, permissions >> 9, OTHER_USER);
	if ((shape & 3) && !(shape & 4))
		at += acl_entry(acl + at, 0x10, permissions >> 12, nobody);
	return at + acl_entry(acl + at, 0x20, permissions >> 15, nobody);
}

static const char *acl_name(long long is_default)
{
	return is_default ? "system.posix_acl_default" : "system.posix_acl_access";
}

/* Taking a list away where there is none is done as well, and moves the time of change if the kernel's
 * FUSE layer keeps it, but not on ext4. So it moves anyhow. */
static void touch(struct worker *w, const struct op *op)
{
	struct stat st[SIDES];

	if (BOTH(w, fstatat(dir_fd(w, side, op->dir), op->path, &st[side], 0)))
		BOTH(w, fchmodat(dir_fd(w, side, op->dir), op->path, st[side].st_mode & 07777, 0));
}

static void run_setacl(struct worker *w, const struct op *op)
{
	char path[SIDES][PATH_BYTES * 2];
	uint8_t acl[4 + 8 * ACL_ENTRIES];
	size_t len = acl_make(acl, op->n[1], op->n[2]);

	if (BOTH(w, setxattr(PATH(op), acl_name(op->n[0]), acl, len, 0)))
		touch(w, op);
}

static void choose_setacl(struct worker *w, struct op *op)
{
	op->n[0] = random_below(w, 2);
	op->n[1] = random_below(w, 1 << 18) | 6;
	op->n[2] = random_below(w, 4) | (random_below(w, 12) ? 0 : 4) | (random_below(w, 20) ? 0 : 8);
}

static void run_removeacl(struct worker *w, const struct op *op)
{
	char path[SIDES][PATH_BYTES * 2];

	if (BOTH(w, removexattr(PATH(op), acl_name(op->n[0]))))
		touch(w, op);
}

const struct op_kind xattr_kinds[] = {
	{"setxattr", "p", {"name", "len", "flags", "nonce"}, 14, CAN_XATTR, run_setxattr, choose_setxattr},
	{"fsetxattr", "s", {"name", "len", "flags", "nonce"}, 6, CAN_XATTR, run_fsetxattr, choose_setxattr},
	{"getxattr", "p", {"name", "size"}, 6, CAN_XATTR, run_getxattr, choose_getxattr},
	{"removexattr", "p", {"name"}, 6, CAN_XATTR, run_removexattr, choose_getxattr},
	{"all-xattrs", "p", {NULL}, 6, CAN_XATTR, run_all_xattrs, choose_all},
	{"setacl", "p", {"default", "permissions", "shape"}, 12, CAN_ACL, run_setacl, choose_setacl},
	{"removeacl", "p", {"default"}, 3, CAN_ACL, run_removeacl, choose_setacl},
	{NULL},
};
