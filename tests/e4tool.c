/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The file system core on an image file or drive, without FUSE.
 *
 *	e4tool [-r] IMAGE COMMAND ARGUMENT...	one command
 *	e4tool [-r] IMAGE < SCRIPT		one command per line, words separated by blanks
 *
 * Paths on the volume are absolute; "." and ".." work, symbolic links are not followed. The first
 * command that fails ends the run with exit status 1. -r mounts read-only.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/cleanup.h"
#include "ext4/ext4.h"
#include "kernel-shim/filedev.h"

enum {
	WORDS_MAX = 8,
	IO_BYTES = 1 << 20,
	STRESS_NAMES = 400,
};

static struct e4_fs *fs;

static void cleanup_inode(struct e4_inode **inode)
{
	if (*inode)
		e4_iput(*inode);
}
#define CLEANUP_INODE CLEANUP(cleanup_inode)

/* ---- paths ---- */

static int walk(const char *path, size_t len, struct e4_inode **ret_inode)
{
	CLEANUP_INODE struct e4_inode *at = NULL;
	const char *end = path + len;
	int r = e4_iget(fs, E4_ROOT_INO, &at);

	while (r == 0) {
		struct e4_inode *next;

		while (path < end && *path == '/')
			path++;
		if (path == end) {
			*ret_inode = take_ptr(at);
			return 0;
		}

		const char *slash = memchr(path, '/', (size_t)(end - path));
		size_t name_len = (size_t)((slash ? slash : end) - path);

		r = e4_lookup(at, path, name_len, &next);
		if (r < 0)
			break;
		e4_iput(at);
		at = next;
		path += name_len;
	}
	return r;
}

static int lookup(const char *path, struct e4_inode **ret_inode)
{
	return walk(path, strlen(path), ret_inode);
}

/* The directory of path, and its last word. */
static int lookup_parent(const char *path, struct e4_inode **ret_dir, const char **ret_name)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return -EINVAL;
	*ret_name = slash + 1;
	return walk(path, (size_t)(slash - path), ret_dir);
}

/* ---- listing ---- */

struct names {
	struct name {
		char *text;
		size_t len;
		uint32_t ino;
		uint8_t type;
	} * list;
	size_t count, room;
};

static void cleanup_names(struct names *names)
{
	for (size_t i = 0; i < names->count; i++)
		free(names->list[i].text);
	free(names->list);
}

static bool collect(void *ctx, const struct e4_dirent *entry)
{
	struct names *names = ctx;

	if (names->count == names->room) {
		names->room = names->room ? 2 * names->room : 64;
		names->list = realloc(names->list, names->room * sizeof(*names->list));
		if (!names->list)
			abort();
	}

	char *text = malloc(entry->name_len + 1);

	if (!text)
		abort();
	memcpy(text, entry->name, entry->name_len);
	text[entry->name_len] = 0;
	names->list[names->count++] = (struct name){text, entry->name_len, entry->ino, entry->type};
	return false;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(((const struct name *)a)->text, ((const struct name *)b)->text);
}

static int do_ls(char **args)
{
	CLEANUP_INODE struct e4_inode *dir = NULL;
	struct names names CLEANUP(cleanup_names) = {0};
	int r = lookup(args[0], &dir);

	if (r == 0)
		r = e4_readdir(dir, 0, collect, &names);
	if (r < 0)
		return r;
	if (names.count)
		qsort(names.list, names.count, sizeof(*names.list), by_text);
	for (size_t i = 0; i < names.count; i++)
		puts(names.list[i].text);
	return 0;
}

static void print_time(const char *what, struct timespec t)
{
	printf("%s %lld.%09ld\n", what, (long long)t.tv_sec, t.tv_nsec);
}

static int do_stat(char **args)
{
	CLEANUP_INODE struct e4_inode *inode = NULL;
	struct e4_attr a;
	int r = lookup(args[0], &inode);

	if (r < 0)
		return r;
	e4_getattr(inode, &a);
	printf("ino %" PRIu32 " generation %" PRIu32 " mode %o nlink %" PRIu32 " uid %" PRIu32
	       " gid %" PRIu32 " flags %#" PRIx32 "\n",
		a.ino, a.generation, a.mode, a.nlink, a.uid, a.gid, a.flags);
	printf("size %" PRIu64 " blocks %" PRIu64 " rdev %u:%u\n", a.size, a.blocks_512,
		major(a.rdev), minor(a.rdev));
	print_time("atime", a.atime);
	print_time("mtime", a.mtime);
	print_time("ctime", a.ctime);
	print_time("crtime", a.crtime);
	return 0;
}

/* Calls fn for the whole content, in order. */
static int for_data(
	struct e4_inode *inode, void (*fn)(void *ctx, const uint8_t *data, size_t len), void *ctx)
{
	CLEANUP_FREE uint8_t *buf = malloc(IO_BYTES);
	uint64_t off = 0;
	ssize_t n;

	if (!buf)
		return -ENOMEM;
	while ((n = e4_read(inode, buf, IO_BYTES, off)) > 0) {
		fn(ctx, buf, (size_t)n);
		off += (uint64_t)n;
	}
	return (int)n;
}

static void print_data(void *ctx, const uint8_t *data, size_t len)
{
	fwrite(data, 1, len, stdout);
}

static void hash_data(void *ctx, const uint8_t *data, size_t len)
{
	uint64_t *hash = ctx; /* FNV-1a */

	for (size_t i = 0; i < len; i++)
		*hash = (*hash ^ data[i]) * 0x100000001b3;
}

static int do_cat(char **args)
{
	CLEANUP_INODE struct e4_inode *inode = NULL;
	int r = lookup(args[0], &inode);

	return r < 0 ? r : for_data(inode, print_data, NULL);
}

static int tree_one(struct e4_inode *dir, const char *path, const struct name *name);

static int tree_of(struct e4_inode *dir, const char *path)
{
	struct names names CLEANUP(cleanup_names) = {0};
	int r = e4_readdir(dir, 0, collect, &names);

	if (names.count)
		qsort(names.list, names.count, sizeof(*names.list), by_text);
	for (size_t i = 0; r == 0 && i < names.count; i++)
		if (strcmp(names.list[i].text, ".") && strcmp(names.list[i].text, ".."))
			r = tree_one(dir, path, &names.list[i]);
	return r;
}

/* mode, links, owner, size or device, checksum or target, path */
static int tree_one(struct e4_inode *dir, const char *path, const struct name *name)
{
	CLEANUP_INODE struct e4_inode *inode = NULL;
	CLEANUP_FREE char *full = NULL;
	char target[4097];
	struct e4_attr a;
	int r = e4_lookup(dir, name->text, name->len, &inode);

	if (r < 0)
		return r;
	if (asprintf(&full, "%s/%s", path, name->text) < 0)
		return -ENOMEM;
	e4_getattr(inode, &a);
	printf("%06o %u %u:%u ", a.mode, S_ISDIR(a.mode) ? 0 : a.nlink, a.uid, a.gid);
	if (S_ISREG(a.mode)) {
		uint64_t hash = 0xcbf29ce484222325;

		r = for_data(inode, hash_data, &hash);
		printf("%" PRIu64 " %016" PRIx64 " %s\n", a.size, hash, full);
	} else if (S_ISLNK(a.mode)) {
		r = (int)e4_readlink(inode, target, sizeof(target));
		printf("%" PRIu64 " %s %s\n", a.size, r < 0 ? "?" : target, full);
	} else {
		printf("%u:%u - %s\n", major(a.rdev), minor(a.rdev), full);
	}
	if (r >= 0 && S_ISDIR(a.mode))
		r = tree_of(inode, full);
	return r < 0 ? r : 0;
}

static int do_tree(char **args)
{
	CLEANUP_INODE struct e4_inode *dir = NULL;
	int r = lookup(args[0], &dir);

	return r < 0 ? r : tree_of(dir, strcmp(args[0], "/") ? args[0] : "");
}

/* ---- changing ---- */

static int make(const char *path, uint32_t mode, const char *target, struct e4_inode **ret_inode)
{
	CLEANUP_INODE struct e4_inode *dir = NULL;
	const char *name = "";
	int r = lookup_parent(path, &dir, &name);

	if (r < 0)
		return r;
	return e4_create(dir, name, strlen(name),
		&(struct e4_create){.mode = mode, .symlink_target = target}, ret_inode);
}

static int do_extents(char **args)
{
	CLEANUP_INODE struct e4_inode *inode = NULL;
	int r = lookup(args[0], &inode);

	return r < 0 ? r : e4_set_extents(inode, args[1][0] == '+');
}

static int do_mkdir(char **args)
{
	CLEANUP_INODE struct e4_inode *inode = NULL;

	return make(args[0], S_IFDIR | 0755, NULL, &inode);
}

static int do_symlink(char **args)
{
	CLEANUP_INODE struct e4_inode *inode = NULL;

	return make(args[1], S_IFLNK | 0777, args[0], &inode);
}

static int do_mkfifo(char **args)
{
	CLEANUP_INODE struct e4_inode *inode = NULL;

	return make(args[0], S_IFIFO | 0644, NULL, &inode);
}

static int do_put(char **args)
{
	CLEANUP_INODE struct e4_inode *inode = NULL;
	CLEANUP_FILE FILE *from = fopen(args[0], "r");
	CLEANUP_FREE char *buf = malloc(IO_BYTES);
	uint64_t off = 0;
	size_t n;

	if (!from || !buf)
		return -errno;

	int r = make(args[1], S_IFREG | 0644, NULL, &inode);

	while (r >= 0 && (n = fread(buf, 1, IO_BYTES, from)) > 0) {
		r = (int)e4_write(inode, buf, n, off, 0);
		off += n;
	}
	return r;
}

static int do_rm(char **args)
{
	CLEANUP_INODE struct e4_inode *dir = NULL, *gone = NULL;
	const char *name = "";
	int r = lookup_parent(args[0], &dir, &name);

	return r < 0 ? r : e4_unlink(dir, name, strlen(name), &gone);
}

static int do_rmdir(char **args)
{
	CLEANUP_INODE struct e4_inode *dir = NULL, *gone = NULL;
	const char *name = "";
	int r = lookup_parent(args[0], &dir, &name);

	return r < 0 ? r : e4_rmdir(dir, name, strlen(name), &gone);
}

static int move(char **args, unsigned flags)
{
	CLEANUP_INODE struct e4_inode *from_dir = NULL, *to_dir = NULL, *gone = NULL;
	const char *from = "", *to = "";
	int r = lookup_parent(args[0], &from_dir, &from);

	if (r == 0)
		r = lookup_parent(args[1], &to_dir, &to);
	if (r < 0)
		return r;
	return e4_rename(from_dir, from, strlen(from), to_dir, to, strlen(to), flags, &gone);
}

static int do_mv(char **args)
{
	return move(args, 0);
}

static int do_exchange(char **args)
{
	return move(args, RENAME_EXCHANGE);
}

static int do_ln(char **args)
{
	CLEANUP_INODE struct e4_inode *inode = NULL, *dir = NULL;
	const char *name = "";
	int r = lookup(args[0], &inode);

	if (r == 0)
		r = lookup_parent(args[1], &dir, &name);
	return r < 0 ? r : e4_link(inode, dir, name, strlen(name), false);
}

static int do_truncate(char **args)
{
	CLEANUP_INODE struct e4_inode *inode = NULL;
	int r = lookup(args[0], &inode);

	if (r < 0)
		return r;
	return e4_setattr(
		inode, &(struct e4_attr){.size = strtoull(args[1], NULL, 0)}, E4_SET_SIZE);
}

static int do_sync(char **args)
{
	return e4_sync(fs);
}

/* N files DIR/PREFIX0 ... */
static int do_fill(char **args)
{
	CLEANUP_INODE struct e4_inode *dir = NULL;
	unsigned long count = strtoul(args[2], NULL, 0);
	int r = lookup(args[0], &dir);

	for (unsigned long i = 0; r == 0 && i < count; i++) {
		CLEANUP_INODE struct e4_inode *inode = NULL;
		char name[256];
		int n = snprintf(name, sizeof(name), "%s%lu", args[1], i);

		r = e4_create(
			dir, name, (size_t)n, &(struct e4_create){.mode = S_IFREG | 0644}, &inode);
	}
	return r;
}

/* ---- random operations ---- */

static uint64_t random_state;

static uint32_t random_below(uint32_t n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t)((random_state * 0x2545f4914f6cdd1d) >> 33) % n;
}

static void random_path(char *path, size_t room)
{
	unsigned depth = random_below(3), number = random_below(STRESS_NAMES);
	size_t n = 0;

	for (unsigned i = 0; i < depth; i++)
		n += (size_t)snprintf(path + n, room - n, "/dir%u", random_below(4));
	snprintf(path + n, room - n, random_below(4) ? "/name%u" : "/dir%u",
		number % (4 + 396 * (number & 1)));
}

static int stress_write(const char *path)
{
	CLEANUP_INODE struct e4_inode *inode = NULL;
	size_t len = random_below(60000);
	CLEANUP_FREE char *data = malloc(len + 1);
	int r = lookup(path, &inode);

	if (!data)
		return -ENOMEM;
	memset(data, (int)random_below(256), len);
	if (r == 0)
		r = (int)e4_write(inode, data, len, random_below(200000), 0);
	return r;
}

static int stress_truncate(const char *path)
{
	CLEANUP_INODE struct e4_inode *inode = NULL;
	int r = lookup(path, &inode);

	if (r < 0)
		return r;
	return e4_setattr(inode, &(struct e4_attr){.size = random_below(100000)}, E4_SET_SIZE);
}

static int stress_one(void)
{
	char path[256], other[256], target[3000];
	char *args[] = {path, other}, *link[] = {target, path};
	CLEANUP_INODE struct e4_inode *inode = NULL;

	random_path(path, sizeof(path));
	random_path(other, sizeof(other));
	memset(target, 't', sizeof(target));
	target[random_below(2) ? 40 : 900] = 0;
	switch (random_below(12)) {
	case 0:
	case 1:
	case 2:
		return make(path, S_IFREG | 0644, NULL, &inode);
	case 3:
		return do_mkdir(args);
	case 4:
		return do_symlink(link);
	case 5:
		return do_rm(args);
	case 6:
		return do_rmdir(args);
	case 7:
		return do_mv(args);
	case 8:
		return random_below(4) ? do_ln(args) : do_exchange(args);
	case 9:
		return stress_truncate(path);
	default:
		return stress_write(path);
	}
}

/* Errors that such operations meet on a sound volume are no failure. */
static int do_stress(char **args)
{
	unsigned long count = strtoul(args[1], NULL, 0);

	random_state = strtoull(args[0], NULL, 0) * 0x9e3779b97f4a7c15 | 1;
	for (unsigned long i = 0; i < count; i++) {
		int r = stress_one();

		if (r == -EUCLEAN || r == -EIO || r == -EROFS || r == -ENOMEM || r == -EFAULT)
			return r;
	}
	return 0;
}

/* ---- */

static const struct command {
	const char *name;
	int args;
	int (*fn)(char **args);
	const char *usage;
} commands[] = {
	{"cat", 1, do_cat, "FILE"},
	{"exchange", 2, do_exchange, "PATH PATH"},
	{"extents", 2, do_extents, "PATH +|-"},
	{"fill", 3, do_fill, "DIR PREFIX COUNT"},
	{"ln", 2, do_ln, "PATH NEW"},
	{"ls", 1, do_ls, "DIR"},
	{"mkdir", 1, do_mkdir, "DIR"},
	{"mkfifo", 1, do_mkfifo, "PATH"},
	{"mv", 2, do_mv, "PATH NEW"},
	{"put", 2, do_put, "HOSTFILE NEW"},
	{"rm", 1, do_rm, "PATH"},
	{"rmdir", 1, do_rmdir, "DIR"},
	{"stat", 1, do_stat, "PATH"},
	{"stress", 2, do_stress, "SEED COUNT"},
	{"symlink", 2, do_symlink, "TARGET NEW"},
	{"sync", 0, do_sync, ""},
	{"tree", 1, do_tree, "DIR"},
	{"truncate", 2, do_truncate, "FILE SIZE"},
};

static int usage(void)
{
	fputs("usage: e4tool [-r] IMAGE [COMMAND ARGUMENT...]\n", stderr);
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		fprintf(stderr, "\t%s %s\n", commands[i].name, commands[i].usage);
	return 2;
}

static int run(int argc, char **argv)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (strcmp(argv[0], commands[i].name) || argc - 1 != commands[i].args)
			continue;

		int r = commands[i].fn(argv + 1);

		if (r < 0)
			fprintf(stderr, "e4tool: %s %s: %s\n", argv[0], argc > 1 ? argv[1] : "",
				error_text(r));
		return r;
	}
	usage();
	return -EINVAL;
}

static int run_script(FILE *script)
{
	CLEANUP_FREE char *line = NULL;
	size_t room = 0;
	int r = 0;

	while (r >= 0 && getline(&line, &room, script) > 0) {
		char *words[WORDS_MAX], *save;
		int count = 0;

		for (char *word = strtok_r(line, " \t\n", &save); word && count < WORDS_MAX;
			word = strtok_r(NULL, " \t\n", &save))
			words[count++] = word;
		if (count && words[0][0] != '#')
			r = run(count, words);
	}
	return r;
}

static void on_error(void *ctx, int err, const char *what)
{
	fprintf(stderr, "e4tool: %s (%s)\n", what, error_text(err));
}

int main(int argc, char **argv)
{
	bool read_only = argc > 1 && !strcmp(argv[1], "-r");
	struct e4_mount_options options = {.read_only = read_only, .on_error = on_error};
	struct diag diag = {0};
	struct blkdev *dev = NULL;

	argc -= read_only;
	argv += read_only;
	if (argc < 2)
		return usage();

	int r = filedev_open(argv[1], read_only ? FILEDEV_READ_ONLY : 0, 0, &dev, &diag);

	if (r == 0)
		r = e4_mount(dev, &options, &fs, &diag);
	if (r < 0) {
		fprintf(stderr, "e4tool: %s: %s %s\n", argv[1], error_text(r), diag.detail);
		blkdev_close(dev);
		return 1;
	}
	r = argc > 2 ? run(argc - 2, argv + 2) : run_script(stdin);

	int unmounted = e4_unmount(fs);

	if (unmounted < 0)
		fprintf(stderr, "e4tool: unmount: %s\n", error_text(unmounted));
	blkdev_close(dev);
	return r < 0 || unmounted < 0;
}
