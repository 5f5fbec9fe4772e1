/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/hostile/play.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "tests/dev/volume.h"

enum { INODES_MAX = 120, NAMES_MAX = 200, DEPTH_MAX = 12, BUFFER = 9000, CHANGES = 24, LIST_MAX = 70000 };

struct player {
	struct e4_fs *fs;
	uint64_t *random;
	unsigned visited;
	bool brief; /* a few names only: what has shown its damage is read-only, and nothing more is changed */
	bool fine;
	struct place {
		struct e4_inode *dir;
		char name[E4_NAME_MAX + 1];
		size_t name_len;
	} places[INODES_MAX]; /* names seen, each with its folder */
	unsigned place_count;
};

static uint32_t pick(struct player *p, uint32_t below)
{
	return volume_random(p->random, below);
}

bool play_answer_ok(const char *what, int64_t r)
{
	static const int allowed[] = {EUCLEAN, EIO, ENOENT, EEXIST, ENOSPC, ENOTEMPTY, ENOTDIR, EISDIR, EMLINK, EINVAL,
		EFBIG, EOPNOTSUPP, EROFS, EPERM, ENODATA, ERANGE, ENXIO, ENAMETOOLONG, EXDEV, ELOOP, E2BIG, ENOTTY,
		EOVERFLOW, EBUSY, EDQUOT};

	for (size_t i = 0; r < 0 && i < sizeof(allowed) / sizeof(allowed[0]); i++)
		if (r == -allowed[i])
			return true;
	if (r < 0)
		printf("# %s: %lld\n", what, (long long)r);
	return r >= 0;
}

static int64_t told(struct player *p, const char *what, int64_t r)
{
	p->fine &= play_answer_ok(what, r);
	return r;
}

/* ---- reading ------------------------------------------------------------------------------- */

static uint64_t some_offset(struct player *p, uint64_t size)
{
	switch (pick(p, 4)) {
	case 0:
		return 0;
	case 1:
		return size > 5000 ? size - 5000 : size / 2;
	case 2:
		return (uint64_t)pick(p, 0x7fffffff) << pick(p, 20);
	default:
		return size ? pick(p, (uint32_t)min_u64(size, 0x7fffffff)) : 0;
	}
}

static void read_data(struct player *p, struct e4_inode *inode, uint64_t size)
{
	static uint8_t buffer[BUFFER];
	uint64_t at;

	for (unsigned i = 0; i < 4; i++) {
		uint64_t off = i == 0 ? 0 : some_offset(p, size);

		told(p, "read", e4_read(inode, buffer, 1 + pick(p, BUFFER - 1), off));
		told(p, "seek", e4_seek(inode, off, i & 1 ? SEEK_DATA : SEEK_HOLE, &at));
	}
	at = 0;
	for (unsigned i = 0; i < 20; i++)
		if (told(p, "seek", e4_seek(inode, at, i & 1 ? SEEK_HOLE : SEEK_DATA, &at)) < 0)
			break;
}

static void read_xattrs(struct player *p, struct e4_inode *inode)
{
	char *list = malloc(LIST_MAX), *value = malloc(LIST_MAX);
	int64_t len = told(p, "listxattr", e4_listxattr(inode, list, LIST_MAX, E4_LIST_TRUSTED));

	for (int64_t at = 0; at < len; at += (int64_t)strlen(list + at) + 1)
		told(p, "getxattr", e4_getxattr(inode, list + at, value, LIST_MAX));
	told(p, "listxattr", e4_listxattr(inode, NULL, 0, 0));
	told(p, "getxattr", e4_getxattr(inode, "user.name2", value, 3));
	told(p, "getxattr", e4_getxattr(inode, "system.posix_acl_access", value, LIST_MAX));
	free(list);
	free(value);
}

struct listing {
	struct {
		char name[E4_NAME_MAX + 1];
		size_t len;
	} names[NAMES_MAX];
	unsigned count;
	uint64_t cookie;
	bool bad;
};

static bool take_name(void *ctx, const struct e4_dirent *entry)
{
	struct listing *l = ctx;

	if (l->count == NAMES_MAX)
		return true;
	if (entry->name_len == 0 || entry->name_len > E4_NAME_MAX || memchr(entry->name, '/', entry->name_len) ||
		memchr(entry->name, 0, entry->name_len)) {
		printf("# a name that no program can take\n");
		l->bad = true;
		return true;
	}
	memcpy(l->names[l->count].name, entry->name, entry->name_len);
	l->names[l->count].len = entry->name_len;
	l->count++;
	l->cookie = entry->next_cookie;
	return false;
}

static bool is_dot(const char *name, size_t len)
{
	return (len == 1 || (len == 2 && name[1] == '.')) && name[0] == '.';
}

static void remember(struct player *p, struct e4_inode *dir, const char *name, size_t len)
{
	struct place *place = &p->places[p->place_count < INODES_MAX ? p->place_count++ : pick(p, INODES_MAX)];

	if (place->dir)
		e4_iput(place->dir);
	place->dir = e4_iref(dir);
	memcpy(place->name, name, len);
	place->name_len = len;
}

static void visit(struct player *p, struct e4_inode *inode, unsigned depth);

static void visit_folder(struct player *p, struct e4_inode *dir, unsigned depth)
{
	struct listing *l = calloc(1, sizeof(*l));

	/* On from where it stopped, as who lists a large folder does. */
	for (unsigned rounds = 0; rounds < 4; rounds++) {
		l->count = 0;
		if (told(p, "readdir", e4_readdir(dir, l->cookie, take_name, l)) < 0 || !l->count)
			break;
		for (unsigned i = 0; i < l->count && p->visited < INODES_MAX * 3; i += 1 + pick(p, l->count / 20 + 1)) {
			struct e4_inode *inode;

			p->visited++;
			if (p->brief && pick(p, 6))
				continue;
			if (told(p, "lookup", e4_lookup(dir, l->names[i].name, l->names[i].len, &inode)) < 0)
				continue;
			if (!is_dot(l->names[i].name, l->names[i].len)) {
				remember(p, dir, l->names[i].name, l->names[i].len);
				visit(p, inode, depth + 1);
			}
			e4_iput(inode);
		}
	}
	told(p, "readdir", e4_readdir(dir, (uint64_t)pick(p, 0x7fffffff) << pick(p, 33), take_name, l));
	p->fine &= !l->bad;
	free(l);
}

static void visit(struct player *p, struct e4_inode *inode, unsigned depth)
{
	char target[5000];
	struct e4_attr attr;

	e4_getattr(inode, &attr);
	if (p->brief) {
		if (S_ISDIR(attr.mode) && depth < DEPTH_MAX)
			visit_folder(p, inode, depth);
		return;
	}
	e4_accessed(inode);
	read_xattrs(p, inode);
	told(p, "readlink", e4_readlink(inode, target, sizeof(target)));
	if (!S_ISDIR(attr.mode))
		read_data(p, inode, attr.size);
	else if (depth < DEPTH_MAX)
		visit_folder(p, inode, depth);
}

static void forget(struct player *p)
{
	for (unsigned i = 0; i < p->place_count; i++)
		e4_iput(p->places[i].dir);
	p->place_count = 0;
}

static void read_all(struct player *p)
{
	struct e4_statfs st;
	struct e4_inode *inode;

	e4_statfs(p->fs, &st);
	if (told(p, "root", e4_iget(p->fs, E4_ROOT_INO, &inode)) == 0) {
		visit(p, inode, 0);
		e4_iput(inode);
	}
	for (unsigned i = 0; i < 10 && !p->brief; i++) {
		if (told(p, "iget", e4_iget(p->fs, pick(p, 600), &inode)) < 0)
			continue;
		visit(p, inode, DEPTH_MAX);
		e4_iput(inode);
	}
}

bool play_read(struct e4_fs *fs, uint64_t *random)
{
	struct player p = {.fs = fs, .random = random, .fine = true};

	read_all(&p);
	forget(&p);
	return p.fine;
}

/* ---- changing ------------------------------------------------------------------------------ */

static struct place *some_place(struct player *p)
{
	return &p->places[pick(p, p->place_count)];
}

static void put(struct e4_inode *inode)
{
	if (inode)
		e4_iput(inode);
}

static void change_name(struct player *p, struct place *at)
{
	static const uint32_t modes[] = {S_IFREG, S_IFDIR, S_IFLNK, S_IFIFO, S_IFREG};
	struct place *to = some_place(p);
	struct e4_create what = {.mode = modes[pick(p, 5)] | 0644, .symlink_target = "somewhere"};
	struct e4_inode *gone = NULL, *made = NULL;
	char name[E4_NAME_MAX + 1];
	size_t len = 1 + pick(p, pick(p, 2) ? 12 : E4_NAME_MAX);

	for (size_t i = 0; i < len; i++)
		name[i] = (char)('a' + pick(p, 26));
	switch (pick(p, 6)) {
	case 0:
		told(p, "unlink", e4_unlink(at->dir, at->name, at->name_len, &gone));
		break;
	case 1:
		told(p, "rmdir", e4_rmdir(at->dir, at->name, at->name_len, &gone));
		break;
	case 2:
		told(p, "rename", e4_rename(at->dir, at->name, at->name_len, to->dir, to->name, to->name_len,
			pick(p, 3), &gone));
		break;
	case 3:
		told(p, "rename", e4_rename(at->dir, at->name, at->name_len, to->dir, name, len, 0, &gone));
		break;
	default:
		for (unsigned i = pick(p, 3); told(p, "create", e4_create(at->dir, name, len, &what, &made)) == 0 && i > 0;
			i--) {
			put(take_ptr(made));
			name[pick(p, (uint32_t)len)] ^= 1;
		}
	}
	put(gone);
	put(made);
}

static void change_data(struct player *p, struct e4_inode *inode)
{
	static const int modes[] = {0, FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		FALLOC_FL_ZERO_RANGE, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE};
	static uint8_t buffer[BUFFER];
	struct e4_attr attr;
	uint64_t off;

	e4_getattr(inode, &attr);
	if (S_ISDIR(attr.mode) || S_ISLNK(attr.mode))
		return;
	off = some_offset(p, attr.size);
	switch (pick(p, 4)) {
	case 0:
		attr.size = off;
		told(p, "truncate", e4_setattr(inode, &attr, E4_SET_SIZE));
		break;
	case 1:
		told(p, "fallocate", e4_fallocate(inode, modes[pick(p, 5)], off, 1 + pick(p, 100000)));
		break;
	default:
		told(p, "write", e4_write(inode, buffer, 1 + pick(p, BUFFER - 1), off, 0));
	}
}

static void change_attr(struct player *p, struct e4_inode *inode)
{
	struct e4_attr attr = {.mode = S_IFREG | pick(p, 07777), .uid = pick(p, 5)};
	char name[20];
	uint8_t value[2500];

	snprintf(name, sizeof(name), "user.name%u", pick(p, 5));
	memset(value, 'x', sizeof(value));
	switch (pick(p, 6)) {
	case 0:
		told(p, "setattr", e4_setattr(inode, &attr, E4_SET_MODE | E4_SET_UID));
		break;
	case 1:
		told(p, "removexattr", e4_removexattr(inode, name, 0));
		break;
	case 2:
		told(p, "set_flags", e4_set_flags(inode, e4_get_flags(inode) ^ 1u << pick(p, 8)));
		break;
	case 3:
		told(p, "set_extents", e4_set_extents(inode, pick(p, 2)));
		break;
	default:
		told(p, "setxattr", e4_setxattr(inode, name, value, pick(p, pick(p, 2) ? 50 : 2500), 0));
	}
}

static void change_inode(struct player *p, struct place *at)
{
	struct place *to = some_place(p);
	struct e4_inode *inode;

	if (told(p, "lookup", e4_lookup(at->dir, at->name, at->name_len, &inode)) < 0)
		return;
	switch (pick(p, 4)) {
	case 0:
		change_attr(p, inode);
		break;
	case 1:
		told(p, "link", e4_link(inode, to->dir, "new link", 8, false));
		break;
	default:
		change_data(p, inode);
		if (pick(p, 6) == 0)
			told(p, "fsync", e4_fsync(inode, false));
	}
	e4_iput(inode);
}

static void change_whole(struct player *p)
{
	struct e4_trim trim = {.len = UINT64_MAX};
	uint64_t bytes;

	if (pick(p, 3) == 0)
		told(p, "trim", e4_trim(p->fs, &trim, &bytes));
	else
		told(p, "sync", e4_sync(p->fs));
}

bool play_change(struct e4_fs *fs, uint64_t *random)
{
	struct player p = {.fs = fs, .random = random, .fine = true, .brief = true};

	read_all(&p);
	for (unsigned i = 0; i < CHANGES && p.place_count; i++) {
		uint32_t what = pick(&p, 20);

		if (what < 8)
			change_name(&p, some_place(&p));
		else if (what < 19)
			change_inode(&p, some_place(&p));
		else
			change_whole(&p);
	}
	p.brief = false;
	if (pick(&p, 3) == 0)
		read_all(&p);
	forget(&p);
	return p.fine;
}
