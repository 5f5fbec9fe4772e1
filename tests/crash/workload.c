/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/crash/workload.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { NAMES = 12, FILE_MAX = 60000, WRITE_MAX = 20000, LONG_NAME = 120, DEEP_NAME = 240, DEEP_NAMES = 480,
	NAME_BYTES = 256 };

const char *const workload_kinds[] = {"mixed", "overwrite", "folders", "many", "full", "safe", "deep", "xattrs", "space",
	NULL};

static uint32_t pick(struct workload *w, uint32_t below)
{
	w->random ^= w->random << 13;
	w->random ^= w->random >> 7;
	w->random ^= w->random << 17;
	return (uint32_t)((w->random * 0x2545f4914f6cdd1d) >> 33) % below;
}

static bool kind_is(const struct workload *w, const char *kind)
{
	return strcmp(w->kind, kind) == 0;
}

/* What an operation may answer besides success. */
static int fine(int r)
{
	static const int allowed[] = {-EEXIST, -ENOENT, -ENOSPC, -ENOTEMPTY, -ENOTDIR, -EISDIR, -EMLINK,
		-EINVAL, -EFBIG, -EOPNOTSUPP, -ENODATA, -EPERM};

	for (size_t i = 0; r < 0 && i < sizeof(allowed) / sizeof(allowed[0]); i++)
		if (r == allowed[i])
			return r;
	if (r < 0)
		printf("# operation failed: %d\n", r);
	assert(r >= 0);
	return r;
}

/* Four of them fill a block of 1 KiB, a hundred and twenty blocks an index of one level. */
static void deep_name(unsigned n, char name[NAME_BYTES])
{
	sprintf(name, "%04u-%0*d", n, DEEP_NAME, 7);
}

static void choose_name(struct workload *w, char *name)
{
	uint32_t n = pick(w, NAMES);

	/* Long names fill folders quickly, so that their trees split. */
	if (kind_is(w, "folders"))
		sprintf(name, "%03u-%0*d", pick(w, 300), LONG_NAME, 7);
	else if (kind_is(w, "deep"))
		deep_name(pick(w, 2 * DEEP_NAMES), name);
	else if (kind_is(w, "many"))
		sprintf(name, "small-%u", pick(w, 80));
	else
		sprintf(name, "f%u", n);
}

static struct e4_inode *get_root(struct workload *w)
{
	struct e4_inode *root;

	if (e4_iget(w->fs, E4_ROOT_INO, &root) != 0)
		abort();
	return root;
}

/* The root, or one of its folders. */
static struct e4_inode *choose_folder(struct workload *w)
{
	struct e4_inode *root = get_root(w), *dir;
	char name[20];

	sprintf(name, "d%u", pick(w, 3));
	if (pick(w, 3) == 0 || e4_lookup(root, name, strlen(name), &dir) != 0)
		return root;
	e4_iput(root);
	return dir;
}

static void put(struct e4_inode *inode)
{
	if (inode)
		e4_iput(inode);
}

/* ---- operations ---------------------------------------------------------------------------- */

static struct e4_inode *get_file(struct workload *w, struct e4_inode *dir, const char *name)
{
	struct e4_create what = {.mode = S_IFREG | 0600 | pick(w, 64), .uid = pick(w, 5)};
	struct e4_inode *inode = NULL;
	struct e4_attr attr;

	if (e4_lookup(dir, name, strlen(name), &inode) != 0 &&
		fine(e4_create(dir, name, strlen(name), &what, &inode)) < 0)
		return NULL;
	e4_getattr(inode, &attr);
	if (S_ISREG(attr.mode))
		return inode;
	e4_iput(inode);
	return NULL;
}

/* Whether it wrote something, which is then in the running transaction. */
static bool do_write(struct workload *w, struct e4_inode *file)
{
	static uint8_t bytes[WRITE_MAX];
	uint32_t len = 1 + pick(w, kind_is(w, "many") ? 900 : WRITE_MAX), off = pick(w, FILE_MAX);
	struct e4_attr attr;

	e4_getattr(file, &attr);
	if (kind_is(w, "many") || pick(w, 3) == 0)
		off = (uint32_t)attr.size % FILE_MAX;
	else if (kind_is(w, "overwrite") && attr.size > len)
		off = pick(w, (uint32_t)attr.size - len);
	for (uint32_t i = 0; i < len; i += 4)
		memcpy(bytes + i, &(uint32_t){w->step << 16 | pick(w, 65536)}, len - i < 4 ? len - i : 4);
	return fine((int)e4_write(file, bytes, len, off, 0)) > 0;
}

static void changed(struct workload *w, bool synced)
{
	w->changed(w->ctx, synced);
}

static void step_write(struct workload *w, struct e4_inode *dir, const char *name)
{
	struct e4_inode *file = get_file(w, dir, name);

	if (!file)
		return;
	changed(w, false);
	if (do_write(w, file) && pick(w, 4) == 0) {
		changed(w, false);
		fine(e4_fsync(file, false));
		changed(w, true);
	}
	e4_iput(file);
}

static void step_truncate(struct workload *w, struct e4_inode *dir, const char *name)
{
	struct e4_attr attr = {.size = pick(w, FILE_MAX)};
	struct e4_inode *file = get_file(w, dir, name);

	if (!file)
		return;
	if (pick(w, 3) == 0)
		fine(e4_fallocate(file, pick(w, 2) ? FALLOC_FL_KEEP_SIZE : 0, pick(w, FILE_MAX),
			1 + pick(w, WRITE_MAX)));
	else if (pick(w, 3) == 0)
		fine(e4_fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, pick(w, FILE_MAX),
			1 + pick(w, WRITE_MAX)));
	else
		fine(e4_setattr(file, &attr, E4_SET_SIZE));
	e4_iput(file);
}

static void step_remove(struct workload *w, struct e4_inode *dir, const char *name)
{
	struct e4_inode *gone = NULL;

	if (fine(e4_unlink(dir, name, strlen(name), &gone)) < 0)
		return;
	/* Sometimes it stays open, and is written once more. */
	if (pick(w, 2) || !gone) {
		put(gone);
		return;
	}
	put(w->open);
	w->open = gone;
}

static void step_folder(struct workload *w)
{
	struct e4_create what = {.mode = S_IFDIR | 0700};
	struct e4_inode *root = get_root(w), *made = NULL, *gone = NULL;
	char name[20];

	sprintf(name, "d%u", pick(w, 3));
	if (pick(w, 2))
		fine(e4_create(root, name, strlen(name), &what, &made));
	else
		fine(e4_rmdir(root, name, strlen(name), &gone));
	put(made);
	put(gone);
	e4_iput(root);
}

static void step_link(struct workload *w, struct e4_inode *dir, const char *name)
{
	struct e4_create what = {.mode = S_IFLNK | 0777};
	struct e4_inode *made = NULL, *file = NULL;
	char target[1200], other[NAME_BYTES];

	if (pick(w, 2)) {
		memset(target, 't', sizeof(target));
		target[pick(w, 2) ? 20 : 1 + pick(w, 800)] = '\0';
		what.symlink_target = target;
		fine(e4_create(dir, name, strlen(name), &what, &made));
	} else {
		choose_name(w, other);
		if (e4_lookup(dir, name, strlen(name), &file) == 0) {
			struct e4_attr attr;

			e4_getattr(file, &attr);
			if (!S_ISDIR(attr.mode))
				fine(e4_link(file, dir, other, strlen(other), false));
		}
	}
	put(made);
	put(file);
}

/* Small ones live in the inode, the others in a block that several files may share. */
static void step_xattr(struct workload *w, struct e4_inode *dir, const char *name)
{
	struct e4_inode *file = get_file(w, dir, name);
	char key[20], value[600];

	if (!file)
		return;
	sprintf(key, "user.k%u", pick(w, 3));
	memset(value, 'a' + (int)pick(w, 2), sizeof(value));
	if (pick(w, 4) == 0)
		fine(e4_removexattr(file, key, 0));
	else
		fine(e4_setxattr(file, key, value, pick(w, 2) ? 20 : 400 + 100 * pick(w, 2), 0));
	e4_iput(file);
}

/* A file without a name, which gets one or not. */
static void step_tmpfile(struct workload *w, struct e4_inode *dir, const char *name)
{
	struct e4_create what = {.mode = S_IFREG | 0600};
	struct e4_inode *file;

	if (fine(e4_tmpfile(dir, &what, &file)) < 0)
		return;
	do_write(w, file);
	if (pick(w, 2))
		fine(e4_link(file, dir, name, strlen(name), false));
	e4_iput(file);
}

static void step_rename(struct workload *w, struct e4_inode *dir, const char *name)
{
	struct e4_inode *to = choose_folder(w), *gone = NULL;
	char other[NAME_BYTES];

	choose_name(w, other);
	fine(e4_rename(dir, name, strlen(name), to, other, strlen(other), 0, &gone));
	put(gone);
	e4_iput(to);
}

/* As editors save: a new file beside the old one, synced, renamed over it. */
static void step_safe_save(struct workload *w, struct e4_inode *dir, const char *name)
{
	struct e4_inode *file = get_file(w, dir, "new"), *gone = NULL;

	if (!file)
		return;
	changed(w, false);
	if (do_write(w, file)) {
		changed(w, false);
		fine(e4_fsync(file, false));
		changed(w, true);
	}
	fine(e4_rename(dir, "new", 3, dir, name, strlen(name), 0, &gone));
	put(gone);
	e4_iput(file);
	changed(w, false);
	if (pick(w, 3) == 0) {
		fine(e4_sync(w->fs));
		changed(w, true);
	}
}

/* A name comes or goes, of one file that has them all. */
static void step_deep(struct workload *w, const char *name)
{
	struct e4_inode *root = get_root(w), *file = get_file(w, root, "file"), *gone = NULL;

	if (fine(e4_unlink(root, name, strlen(name), &gone)) == -ENOENT && file)
		fine(e4_link(file, root, name, strlen(name), false));
	put(gone);
	put(file);
	e4_iput(root);
}

void workload_begin(struct workload *w)
{
	struct e4_inode *root = get_root(w), *file = NULL;
	char name[NAME_BYTES];

	if (kind_is(w, "deep"))
		file = get_file(w, root, "file");
	for (unsigned i = 0; file && i < DEEP_NAMES; i++) {
		deep_name(2 * i, name);
		fine(e4_link(file, root, name, strlen(name), false));
	}
	put(file);
	e4_iput(root);
	fine(e4_sync(w->fs));
}

void workload_step(struct workload *w)
{
	struct e4_inode *dir = choose_folder(w);
	char name[NAME_BYTES];
	uint32_t what = pick(w, 100);

	if (kind_is(w, "deep") && pick(w, 3)) { /* few of its names are free, so that all kinds of steps meet some */
		e4_iput(dir);
		dir = get_root(w);
	}
	choose_name(w, name);
	w->step++;
	if (w->open && pick(w, 3) == 0) {
		do_write(w, w->open);
		changed(w, false);
	}
	if (kind_is(w, "safe"))
		step_safe_save(w, dir, name);
	else if (kind_is(w, "overwrite") && what < 80)
		step_write(w, dir, name);
	else if (kind_is(w, "deep") && what < 60)
		step_deep(w, name);
	else if (kind_is(w, "xattrs") && what < 70)
		step_xattr(w, dir, name);
	else if (kind_is(w, "space") && what < 70)
		step_truncate(w, dir, name);
	else if (what < 40)
		step_write(w, dir, name);
	else if (what < 55)
		step_truncate(w, dir, name);
	else if (what < 68)
		step_remove(w, dir, name);
	else if (what < 75)
		step_folder(w);
	else if (what < 80)
		step_link(w, dir, name);
	else if (what < 87)
		step_xattr(w, dir, name);
	else if (what < 90)
		step_tmpfile(w, dir, name);
	else if (what < 95)
		step_rename(w, dir, name);
	else
		fine(e4_sync(w->fs));
	e4_iput(dir);
	changed(w, what >= 95 && !kind_is(w, "safe") && !kind_is(w, "overwrite"));
	/* Else they happen in memory only. */
	if ((kind_is(w, "deep") || kind_is(w, "xattrs") || kind_is(w, "space")) && pick(w, 6) == 0) {
		fine(e4_sync(w->fs));
		changed(w, true);
	}
}

void workload_end(struct workload *w)
{
	put(w->open);
	w->open = NULL;
}
