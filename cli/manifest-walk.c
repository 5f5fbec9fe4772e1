/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * First all names and sizes, then all contents: so the threads always have work, and how far it has come
 * is known. Folders are walked with a list of those still to be read, not by recursion.
 */
#include "cli/manifest-walk.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <search.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"

enum { THREADS_MAX = 8, READ_BYTES = 1024 * 1024, LINK_BYTES = 4097 };

struct walk {
	struct e4_fs *fs;
	struct manifest *manifest;
	uint32_t *inos; /* of the entries, in the same order until they are sorted */
	size_t inos_room;
	const char *folder; /* whose entries are being read */
	void *seen;	    /* inode numbers of folders (tsearch) */
	int err;
};

static int by_number(const void *a, const void *b)
{
	return (uintptr_t)a < (uintptr_t)b ? -1 : (uintptr_t)a > (uintptr_t)b;
}

static void forget_number(void *number)
{
}

/* A folder has one place. On a damaged drive it may have more, and even lie in itself. */
static int note_folder(struct walk *walk, uint32_t ino)
{
	void *number = (void *)(uintptr_t)ino;

	if (tfind(number, &walk->seen, by_number))
		return -EUCLEAN;
	return tsearch(number, &walk->seen, by_number) ? 0 : -ENOMEM;
}

static char kind_of(uint32_t mode)
{
	return S_ISREG(mode)   ? '-'
	       : S_ISDIR(mode) ? 'd'
	       : S_ISLNK(mode) ? 'l'
	       : S_ISBLK(mode) ? 'b'
	       : S_ISCHR(mode) ? 'c'
	       : S_ISFIFO(mode) ? 'p'
				: 's';
}

static int add_entry(struct walk *walk, const char *name, size_t name_len, uint32_t ino)
{
	struct manifest_entry entry = {0};
	struct e4_inode *inode;
	struct e4_attr attr;
	int r = e4_iget(walk->fs, ino, &inode);

	if (r < 0)
		return r;
	e4_getattr(inode, &attr);
	e4_iput(inode);
	if (asprintf(&entry.path, "%s%s%.*s", walk->folder, walk->folder[0] ? "/" : "", (int)name_len, name) < 0)
		return -ENOMEM;
	entry.kind = kind_of(attr.mode);
	entry.mode = attr.mode & 07777;
	entry.size = S_ISREG(attr.mode) || S_ISLNK(attr.mode) ? attr.size : 0;
	entry.mtime = attr.mtime;
	entry.ctime = attr.ctime;
	entry.has_ctime = true;
	if (walk->manifest->count == walk->inos_room) {
		size_t room = walk->inos_room ? 2 * walk->inos_room : 256;
		uint32_t *more = reallocarray(walk->inos, room, sizeof(*more));

		if (!more) {
			free(entry.path);
			return -ENOMEM;
		}
		walk->inos = more;
		walk->inos_room = room;
	}
	walk->inos[walk->manifest->count] = ino;
	r = manifest_add(walk->manifest, &entry);
	if (r < 0)
		free(entry.path);
	return r;
}

static bool see_name(void *ctx, const struct e4_dirent *entry)
{
	struct walk *walk = ctx;
	bool dots = entry->name[0] == '.' && (entry->name_len == 1 || (entry->name_len == 2 && entry->name[1] == '.'));

	if (!dots)
		walk->err = add_entry(walk, entry->name, entry->name_len, entry->ino);
	return walk->err < 0;
}

static int read_folder(struct walk *walk, uint32_t ino, const char *path)
{
	struct e4_inode *dir;
	int r = note_folder(walk, ino);

	if (r == 0)
		r = e4_iget(walk->fs, ino, &dir);
	if (r < 0)
		return r;
	walk->folder = path;
	r = e4_readdir(dir, 0, see_name, walk);
	e4_iput(dir);
	return walk->err < 0 ? walk->err : r;
}

/* Entries grow behind the one that is being looked at: every folder comes up once. */
static int read_names(struct walk *walk, char **ret_path)
{
	int r = read_folder(walk, E4_ROOT_INO, "");

	for (size_t i = 0; r == 0 && i < walk->manifest->count; i++) {
		CLEANUP_FREE char *path = NULL;

		if (walk->manifest->entries[i].kind != 'd')
			continue;
		path = strdup(walk->manifest->entries[i].path);
		r = path ? read_folder(walk, walk->inos[i], path) : -ENOMEM;
		if (r < 0)
			*ret_path = take_ptr(path);
	}
	return r;
}

/* ---- contents ---- */

struct work {
	struct walk *walk;
	atomic_size_t next;
	atomic_int err;
	atomic_size_t failed; /* which entry */
	atomic_ullong bytes_done;
	unsigned long long bytes_all;
	pthread_mutex_t lock; /* of the progress */
	struct progress *progress;
};

static void report(struct work *work, uint64_t bytes)
{
	unsigned long long done = atomic_fetch_add(&work->bytes_done, bytes) + bytes;

	if (!work->bytes_all || pthread_mutex_trylock(&work->lock) != 0)
		return;
	progress_show(work->progress, (int)(done * 100 / work->bytes_all));
	pthread_mutex_unlock(&work->lock);
}

static int hash_file(struct work *work, struct e4_inode *inode, struct hash256 *hash, void *buf,
	struct manifest_entry *entry)
{
	for (uint64_t at = 0; at < entry->size;) {
		ssize_t n = e4_read(inode, buf, min_u64(READ_BYTES, entry->size - at), at);

		if (n <= 0)
			return n < 0 ? (int)n : -EIO;
		hash256_update(hash, buf, (size_t)n);
		at += (uint64_t)n;
		report(work, (uint64_t)n);
	}
	hash256_hex(hash, entry->sha256);
	return 0;
}

static int hash_entry(struct work *work, size_t i, struct hash256 *hash, void *buf)
{
	struct manifest_entry *entry = &work->walk->manifest->entries[i];
	struct e4_inode *inode;
	int r;

	if (entry->kind != '-' && entry->kind != 'l')
		return 0;
	r = e4_iget(work->walk->fs, work->walk->inos[i], &inode);
	if (r < 0)
		return r;
	if (entry->kind == '-') {
		r = hash_file(work, inode, hash, buf, entry);
	} else {
		ssize_t n = e4_readlink(inode, buf, LINK_BYTES);

		r = n < 0 ? (int)n : 0;
		if (r == 0) {
			hash256_update(hash, buf, (size_t)n);
			hash256_hex(hash, entry->sha256);
		}
	}
	e4_iput(inode);
	return r;
}

static void *hash_some(void *ctx)
{
	struct work *work = ctx;
	CLEANUP_HASH256 struct hash256 hash = {0};
	CLEANUP_FREE void *buf = NULL;
	int r = hash256_begin(&hash);
	size_t i;

	if (r == 0 && posix_memalign(&buf, 4096, READ_BYTES) != 0) {
		buf = NULL;
		r = -ENOMEM;
	}
	while (r == 0 && atomic_load(&work->err) == 0 && (i = atomic_fetch_add(&work->next, 1)) < work->walk->manifest->count) {
		r = hash_entry(work, i, &hash, buf);
		if (r < 0)
			atomic_store(&work->failed, i);
	}
	if (r < 0)
		atomic_store(&work->err, r);
	return NULL;
}

static int read_contents(struct walk *walk, struct progress *progress, char **ret_path)
{
	struct work work = {.walk = walk, .progress = progress, .failed = SIZE_MAX, .lock = PTHREAD_MUTEX_INITIALIZER};
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	pthread_t threads[THREADS_MAX];
	size_t started = 0;
	int r;

	for (size_t i = 0; i < walk->manifest->count; i++)
		if (walk->manifest->entries[i].kind == '-')
			work.bytes_all += walk->manifest->entries[i].size;
	while (started < THREADS_MAX && (long)started + 1 < cpus &&
		pthread_create(&threads[started], NULL, hash_some, &work) == 0)
		started++;
	hash_some(&work);
	while (started)
		pthread_join(threads[--started], NULL);
	r = atomic_load(&work.err);
	if (r < 0 && atomic_load(&work.failed) < walk->manifest->count)
		*ret_path = strdup(walk->manifest->entries[atomic_load(&work.failed)].path);
	return r;
}

int manifest_walk(struct e4_fs *fs, struct manifest *manifest, struct progress *progress, char **ret_path)
{
	struct walk walk = {.fs = fs, .manifest = manifest};
	int r;

	*ret_path = NULL;
	r = read_names(&walk, ret_path);
	if (r == 0)
		r = read_contents(&walk, progress, ret_path);
	free(walk.inos);
	tdestroy(walk.seen, forget_number);
	manifest_sort(manifest);
	return r;
}
