/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/crash/world.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/bytes.h"

enum { PATH_BYTES = 1200, SECTOR = 512, ITEMS_MAX = 4096 };

struct blob {
	unsigned refs;
	size_t len;
	uint8_t bytes[];
};

struct item {
	char *path;
	struct e4_attr attr;
	struct blob *data; /* of a file, or a link's target */
	uint32_t xattrs; /* a sum over all of them */
};

struct world {
	struct item *items; /* sorted by path */
	size_t count;
	struct item open; /* data NULL: none */
};

size_t world_count(const struct world *world)
{
	return world->count;
}

static int by_path(const void *a, const void *b)
{
	const struct item *x = a, *y = b;

	return strcmp(x->path, y->path);
}

static const struct item *find_inode(const struct world *world, const struct e4_attr *attr)
{
	for (size_t i = 0; world && i < world->count; i++)
		if (world->items[i].attr.ino == attr->ino &&
			world->items[i].attr.generation == attr->generation)
			return &world->items[i];
	if (world && world->open.data && world->open.attr.ino == attr->ino &&
		world->open.attr.generation == attr->generation)
		return &world->open;
	return NULL;
}

/* ---- reading ------------------------------------------------------------------------------- */

struct names {
	char *name[ITEMS_MAX];
	size_t count;
};

static bool take_name(void *ctx, const struct e4_dirent *entry)
{
	struct names *names = ctx;

	if ((entry->name_len == 1 && entry->name[0] == '.') ||
		(entry->name_len == 2 && memcmp(entry->name, "..", 2) == 0))
		return false;
	assert(names->count < ITEMS_MAX);
	names->name[names->count++] = strndup(entry->name, entry->name_len);
	return false;
}

static struct blob *read_data(struct e4_inode *inode, const struct e4_attr *attr)
{
	size_t len = S_ISLNK(attr->mode) ? 4097 : (size_t)attr->size;
	struct blob *blob = malloc(sizeof(*blob) + len);
	ssize_t n = 0;

	assert(blob);
	if (S_ISLNK(attr->mode))
		n = e4_readlink(inode, (char *)blob->bytes, len);
	else if (S_ISREG(attr->mode) && len)
		n = e4_read(inode, blob->bytes, len, 0);
	assert(n >= 0);
	blob->refs = 1;
	blob->len = (size_t)n;
	return blob;
}

static struct blob *share(struct blob *data, const struct item *old)
{
	if (!old || old->data->len != data->len || memcmp(old->data->bytes, data->bytes, data->len) != 0)
		return data;
	free(data);
	old->data->refs++;
	return old->data;
}

static uint32_t sum_of(uint32_t sum, const char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		sum = sum * 31 + (uint8_t)bytes[i];
	return sum;
}

static uint32_t read_xattrs(struct e4_inode *inode)
{
	char names[1000], value[2000];
	ssize_t len = e4_listxattr(inode, names, sizeof(names), 0), n;
	uint32_t sum = 0;

	assert(len >= 0);
	for (char *name = names; name < names + len; name += strlen(name) + 1) {
		n = e4_getxattr(inode, name, value, sizeof(value));
		assert(n >= 0);
		sum += sum_of(sum_of(1, name, strlen(name)), value, (size_t)n);
	}
	return sum;
}

static void read_folder(struct world *world, struct e4_inode *dir, const char *path, struct world *before)
{
	struct names *names = calloc(1, sizeof(*names));
	int r = e4_readdir(dir, 0, take_name, names);

	assert(r == 0);
	for (size_t i = 0; i < names->count; i++) {
		struct item *item = &world->items[world->count++];
		struct e4_inode *inode;
		char below[PATH_BYTES];

		assert(world->count < ITEMS_MAX);
		snprintf(below, sizeof(below), "%s/%s", path, names->name[i]);
		r = e4_lookup(dir, names->name[i], strlen(names->name[i]), &inode);
		if (r != 0)
			printf("# %s: %d\n", below, r);
		assert(r == 0);
		item->path = strdup(below);
		e4_getattr(inode, &item->attr);
		item->xattrs = read_xattrs(inode);
		item->data = share(read_data(inode, &item->attr), find_inode(before, &item->attr));
		if (S_ISDIR(item->attr.mode))
			read_folder(world, inode, below, before);
		e4_iput(inode);
		free(names->name[i]);
	}
	free(names);
}

struct world *world_read(struct e4_fs *fs, struct world *before, struct e4_inode *open)
{
	struct world *world = calloc(1, sizeof(*world));
	struct e4_inode *root;

	world->items = calloc(ITEMS_MAX, sizeof(*world->items));
	if (e4_iget(fs, E4_ROOT_INO, &root) != 0)
		abort();
	read_folder(world, root, "", before);
	e4_iput(root);
	if (open) {
		e4_getattr(open, &world->open.attr);
		world->open.data = share(read_data(open, &world->open.attr),
			find_inode(before, &world->open.attr));
	}
	qsort(world->items, world->count, sizeof(*world->items), by_path);
	return world;
}

void world_free(struct world *world)
{
	for (size_t i = 0; world && i < world->count; i++) {
		free(world->items[i].path);
		if (--world->items[i].data->refs == 0)
			free(world->items[i].data);
	}
	if (world && world->open.data && --world->open.data->refs == 0)
		free(world->open.data);
	if (world)
		free(world->items);
	free(world);
}

/* ---- comparing ----------------------------------------------------------------------------- */

static char why[PATH_BYTES + 200];

/* What belongs to names and attributes, not to data. */
static bool same_names(const struct world *got, const struct world *want)
{
	if (got->count != want->count) {
		snprintf(why, sizeof(why), "%zu names instead of %zu", got->count, want->count);
		return false;
	}
	for (size_t i = 0; i < got->count; i++) {
		const struct item *a = &got->items[i], *b = &want->items[i];

		if (strcmp(a->path, b->path) != 0 || a->attr.ino != b->attr.ino ||
			a->attr.generation != b->attr.generation || a->attr.mode != b->attr.mode ||
			a->attr.nlink != b->attr.nlink || a->attr.uid != b->attr.uid || a->xattrs != b->xattrs ||
			(S_ISLNK(a->attr.mode) && (a->data->len != b->data->len ||
				memcmp(a->data->bytes, b->data->bytes, a->data->len) != 0))) {
			snprintf(why, sizeof(why), "%s differs: ino %u %u, mode %o %o, links %u %u, xattrs %x %x",
				a->path, a->attr.ino, b->attr.ino, a->attr.mode, b->attr.mode,
				a->attr.nlink, b->attr.nlink, a->xattrs, b->xattrs);
			return false;
		}
	}
	return true;
}

/* Whether [off, off + len) of got's data is as in old. */
static bool sector_as(const struct item *got, const struct item *old, size_t off, size_t len)
{
	static const uint8_t zero[SECTOR];
	size_t have = old->data->len > off ? min_u64(old->data->len - off, len) : 0;

	return memcmp(got->data->bytes + off, old->data->bytes + off, have) == 0 &&
		memcmp(got->data->bytes + off + have, zero, len - have) == 0;
}

/* Every sector as in one of the worlds, byte for byte. */
static bool sector_allowed(const struct item *got, struct world *const *worlds, size_t from, size_t to,
	size_t off, size_t len)
{
	static const uint8_t zero[SECTOR];
	bool grew = false;

	for (size_t i = from; i <= to; i++) {
		const struct item *old = find_inode(worlds[i], &got->attr);

		if (old && sector_as(got, old, off, len))
			return true;
		grew |= !old || old->data->len < off + len;
	}
	return grew && memcmp(got->data->bytes + off, zero, len) == 0;
}

static bool file_allowed(const struct item *got, struct world *const *worlds, size_t from, size_t to)
{
	size_t least = SIZE_MAX, most = 0;

	for (size_t i = from; i <= to; i++) {
		const struct item *old = find_inode(worlds[i], &got->attr);

		if (!old)
			continue;
		if (old->data == got->data ||
			(old->data->len == got->data->len &&
				memcmp(old->data->bytes, got->data->bytes, got->data->len) == 0))
			return true;
		least = min_u64(least, old->data->len);
		most = max_u64(most, old->data->len);
	}
	if (got->data->len < least || got->data->len > most) {
		snprintf(why, sizeof(why), "%s has %zu bytes; allowed %zu to %zu", got->path,
			got->data->len, least, most);
		return false;
	}
	for (size_t off = 0; off < got->data->len; off += SECTOR)
		if (!sector_allowed(got, worlds, from, to, off, min_u64(SECTOR, got->data->len - off))) {
			snprintf(why, sizeof(why), "%s: data at %zu was never there", got->path, off);
			return false;
		}
	return true;
}

const char *world_allowed(const struct world *got, struct world *const *worlds, size_t from, size_t to)
{
	bool names = false;

	for (size_t j = from; !names && j <= to; j++)
		names = same_names(got, worlds[j]);
	if (!names)
		return why;
	for (size_t i = 0; i < got->count; i++)
		if (S_ISREG(got->items[i].attr.mode) && !file_allowed(&got->items[i], worlds, from, to))
			return why;
	return NULL;
}
