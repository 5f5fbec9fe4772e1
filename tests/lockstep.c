/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Two directories in lockstep: every random operation is done in both, and results, errno,
 * attributes, contents and listings must agree. One is on the file system under test, the other on
 * the kernel's.
 *
 *	lockstep [-s SEED] [-t THREADS] [-n OPERATIONS] DIR_A DIR_B
 *	lockstep -c DIR_A DIR_B		compares the two trees only (after a remount)
 *
 * Each thread works in a folder of its own with the seed SEED + its number, so what differs can be
 * reproduced; in the folder "shared" all threads work, one operation at a time. Prints the first
 * difference with the operation's number and exits with 1.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
	SIDES = 2,
	OPEN_MAX_PER_THREAD = 6,
	NAMES = 24,
	DEPTH = 3,
	PATH_BYTES = 1024,
	IO_BYTES = 200000,
	FILE_BYTES = 3000000,
};

static const char *root_of[SIDES];
static pthread_mutex_t shared_lock = PTHREAD_MUTEX_INITIALIZER;
static atomic_bool failed;
static unsigned long operations = 2000;

struct worker {
	unsigned number;
	uint64_t state; /* xorshift */
	unsigned long op;
	bool shared; /* this operation works in the shared folder */
	char what[PATH_BYTES * 3];
	struct {
		int fd[SIDES];
		bool used;
	} open[OPEN_MAX_PER_THREAD];
	uint8_t *buf[SIDES];
};

static uint64_t random_next(struct worker *w)
{
	w->state ^= w->state << 13;
	w->state ^= w->state >> 7;
	w->state ^= w->state << 17;
	return w->state * 0x2545f4914f6cdd1dULL >> 11;
}

static uint32_t random_below(struct worker *w, uint32_t n)
{
	return random_next(w) % n;
}

__attribute__((format(printf, 2, 3))) static void differ(struct worker *w, const char *fmt, ...)
{
	va_list ap;

	if (atomic_exchange(&failed, true))
		return;
	printf("# difference: thread %u, operation %lu: %s: ", w->number, w->op, w->what);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

/* Notes what is being done, for the message. */
__attribute__((format(printf, 2, 3))) static void doing(struct worker *w, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(w->what, sizeof(w->what), fmt, ap);
	va_end(ap);
}

/* Both sides' results and errno; true when both succeeded. */
static bool same_result(struct worker *w, const long long r[SIDES], const int err[SIDES])
{
	if (r[0] != r[1])
		differ(w, "results %lld and %lld (errno %d %s, %d %s)", r[0], r[1], err[0],
			r[0] < 0 ? strerror(err[0]) : "-", err[1], r[1] < 0 ? strerror(err[1]) : "-");
	else if (r[0] < 0 && err[0] != err[1])
		differ(w, "errno %d (%s) and %d (%s)", err[0], strerror(err[0]), err[1],
			strerror(err[1]));
	return r[0] >= 0 && r[1] >= 0;
}

#define BOTH(w, call)                                                                              \
	({                                                                                         \
		long long r_[SIDES];                                                               \
		int e_[SIDES];                                                                     \
		for (int side = 0; side < SIDES; side++) {                                         \
			errno = 0;                                                                 \
			r_[side] = (call);                                                         \
			e_[side] = errno;                                                          \
		}                                                                                  \
		same_result(w, r_, e_);                                                            \
	})

/* A random path below the worker's (or the shared) folder; long and Vietnamese names included. */
static void random_path(struct worker *w, char *path)
{
	unsigned depth = 1 + random_below(w, DEPTH);
	size_t at;

	at = w->shared ? (size_t)sprintf(path, "shared") : (size_t)sprintf(path, "t%u", w->number);
	for (unsigned i = 0; i < depth; i++) {
		unsigned n = random_below(w, NAMES);

		if (i + 1 < depth)
			at += sprintf(path + at, "/d%u", n % 5);
		else if (n == 0)
			at += sprintf(path + at, "/tài liệu mật %u", random_below(w, 3));
		else if (n == 1)
			at += sprintf(path + at, "/%0*u", 255, random_below(w, 3));
		else if (n == 2)
			at += sprintf(path + at, "/%0*u", 256, 1);
		else if (n < 8)
			at += sprintf(path + at, "/d%u", n % 5);
		else
			at += sprintf(path + at, "/f%u", n);
	}
}

/* The path below one side's root; too long a path gives "", which no system call takes. */
static const char *full_path(int side, const char *path, char out[PATH_BYTES])
{
	int n = snprintf(out, PATH_BYTES, "%s/%s", root_of[side], path);

	return n < PATH_BYTES ? out : "";
}

#define FULL(path) full_path(side, path, full[side])
#define FULL2(path) full_path(side, path, full2[side])

static void compare_stat(struct worker *w, const struct stat st[SIDES])
{
	const struct stat *a = &st[0], *b = &st[1];

	if (a->st_mode != b->st_mode)
		differ(w, "modes %o and %o", a->st_mode, b->st_mode);
	else if (a->st_nlink != b->st_nlink)
		differ(w, "links %lu and %lu", (unsigned long)a->st_nlink, (unsigned long)b->st_nlink);
	else if (a->st_uid != b->st_uid || a->st_gid != b->st_gid)
		differ(w, "owners %u:%u and %u:%u", a->st_uid, a->st_gid, b->st_uid, b->st_gid);
	else if (!S_ISDIR(a->st_mode) && a->st_size != b->st_size)
		differ(w, "sizes %lld and %lld", (long long)a->st_size, (long long)b->st_size);
	else if (a->st_rdev != b->st_rdev)
		differ(w, "devices %llx and %llx", (long long)a->st_rdev, (long long)b->st_rdev);
}

static void op_stat(struct worker *w)
{
	char path[PATH_BYTES], full[SIDES][PATH_BYTES];
	struct stat st[SIDES];

	random_path(w, path);
	doing(w, "lstat %s", path);
	if (BOTH(w, lstat(FULL(path), &st[side])))
		compare_stat(w, st);
}

static void op_create(struct worker *w)
{
	char path[PATH_BYTES], full[SIDES][PATH_BYTES];
	mode_t mode = random_below(w, 512) | 0600;
	int flags = O_RDWR | O_CREAT | O_NOFOLLOW, fd[SIDES] = {-1, -1};
	unsigned slot = random_below(w, OPEN_MAX_PER_THREAD);

	flags |= random_below(w, 4) == 0 ? O_TRUNC : 0;
	flags |= random_below(w, 4) == 0 ? O_EXCL : 0;
	flags |= random_below(w, 6) == 0 ? O_APPEND : 0;
	random_path(w, path);
	doing(w, "open %s flags %x mode %o", path, flags, mode);
	/* a FIFO would block */
	flags |= O_NONBLOCK;
	if (!BOTH(w, (fd[side] = open(FULL(path), flags, mode)) < 0 ? -1 : 0) || w->shared) {
		for (int side = 0; side < SIDES; side++)
			if (fd[side] >= 0)
				close(fd[side]);
		return;
	}
	for (int side = 0; side < SIDES; side++) {
		if (w->open[slot].used)
			close(w->open[slot].fd[side]);
		w->open[slot].fd[side] = fd[side];
	}
	w->open[slot].used = true;
}

static int open_slot(struct worker *w)
{
	unsigned slot = random_below(w, OPEN_MAX_PER_THREAD);

	return w->open[slot].used ? (int)slot : -1;
}

static void op_write(struct worker *w)
{
	int slot = open_slot(w);

	if (slot < 0)
		return;
	size_t len = 1 + random_below(w, random_below(w, 3) ? 9000 : IO_BYTES);
	off_t off = random_below(w, random_below(w, 3) ? 100000 : FILE_BYTES);
	uint8_t fill = random_next(w);

	if (random_below(w, 2))
		off &= ~4095;
	for (size_t i = 0; i < len; i++)
		w->buf[0][i] = fill + i * 7;
	doing(w, "pwrite slot %d len %zu off %lld", slot, len, (long long)off);
	BOTH(w, pwrite(w->open[slot].fd[side], w->buf[0], len, off));
}

static void op_read(struct worker *w)
{
	int slot = open_slot(w);

	if (slot < 0)
		return;
	size_t len = 1 + random_below(w, IO_BYTES);
	off_t off = random_below(w, FILE_BYTES);
	ssize_t got[SIDES] = {0};

	doing(w, "pread slot %d len %zu off %lld", slot, len, (long long)off);
	if (BOTH(w, got[side] = pread(w->open[slot].fd[side], w->buf[side], len, off)) &&
		memcmp(w->buf[0], w->buf[1], got[0]) != 0)
		differ(w, "data differ");
}

static void op_mmap(struct worker *w)
{
	int slot = open_slot(w);
	struct stat st;
	void *map[SIDES];

	if (slot < 0 || fstat(w->open[slot].fd[0], &st) < 0 || !S_ISREG(st.st_mode) || st.st_size < 10)
		return;
	size_t at = random_below(w, st.st_size - 1), len = st.st_size - at;

	if (len > 5000)
		len = 5000;
	doing(w, "mmap slot %d: write %zu at %zu", slot, len, at);
	if (!BOTH(w, (map[side] = mmap(NULL, st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED,
			      w->open[slot].fd[side], 0)) == MAP_FAILED ? -1 : 0))
		return;
	for (int side = 0; side < SIDES; side++)
		memset((uint8_t *)map[side] + at, (int)(w->op & 0xff), len);
	if (memcmp(map[0], map[1], st.st_size) != 0)
		differ(w, "mapped data differ");
	for (int side = 0; side < SIDES; side++)
		munmap(map[side], st.st_size);
}

static void op_fd_misc(struct worker *w)
{
	int slot = open_slot(w);
	struct stat st[SIDES];
	off_t size = random_below(w, FILE_BYTES), len = 1 + random_below(w, IO_BYTES);

	if (slot < 0)
		return;
	switch (random_below(w, 5)) {
	case 0:
		doing(w, "ftruncate slot %d to %lld", slot, (long long)size);
		BOTH(w, ftruncate(w->open[slot].fd[side], size));
		break;
	case 1:
		doing(w, "fallocate slot %d off %lld len %lld", slot, (long long)size, (long long)len);
		BOTH(w, fallocate(w->open[slot].fd[side], 0, size, len));
		break;
	case 2:
		doing(w, "fallocate keep slot %d off %lld len %lld", slot, (long long)size,
			(long long)len);
		BOTH(w, fallocate(w->open[slot].fd[side], FALLOC_FL_KEEP_SIZE, size, len));
		break;
	case 3:
		doing(w, "fsync slot %d", slot);
		BOTH(w, fsync(w->open[slot].fd[side]));
		break;
	default:
		doing(w, "fstat slot %d", slot);
		if (BOTH(w, fstat(w->open[slot].fd[side], &st[side])))
			compare_stat(w, st);
	}
}

static void op_name(struct worker *w)
{
	char path[PATH_BYTES], other[PATH_BYTES];
	char full[SIDES][PATH_BYTES], full2[SIDES][PATH_BYTES];
	mode_t mode = random_below(w, 512) | 0700;

	random_path(w, path);
	random_path(w, other);
	switch (random_below(w, 12)) {
	case 0:
	case 1:
		doing(w, "mkdir %s", path);
		BOTH(w, mkdir(FULL(path), mode));
		break;
	case 2:
		doing(w, "rmdir %s", path);
		BOTH(w, rmdir(FULL(path)));
		break;
	case 3:
	case 4:
		doing(w, "unlink %s", path);
		BOTH(w, unlink(FULL(path)));
		break;
	case 5:
	case 6:
		doing(w, "rename %s to %s", path, other);
		BOTH(w, rename(FULL(path), FULL2(other)));
		break;
	case 7:
		doing(w, "rename noreplace %s to %s", path, other);
		BOTH(w, renameat2(AT_FDCWD, FULL(path), AT_FDCWD, FULL2(other), RENAME_NOREPLACE));
		break;
	case 8:
		doing(w, "rename exchange %s with %s", path, other);
		BOTH(w, renameat2(AT_FDCWD, FULL(path), AT_FDCWD, FULL2(other), RENAME_EXCHANGE));
		break;
	case 9:
		doing(w, "link %s to %s", path, other);
		BOTH(w, link(FULL(path), FULL2(other)));
		break;
	case 10: {
		/* short ones in the inode, long ones in a block */
		char target[600];
		size_t len = random_below(w, 2) ? 1 + random_below(w, 58) : 60 + random_below(w, 500);

		memset(target, 'x', len);
		target[len] = '\0';
		doing(w, "symlink of %zu at %s", len, path);
		BOTH(w, symlink(target, FULL(path)));
		break;
	}
	default:
		doing(w, "mknod fifo %s", path);
		BOTH(w, mknod(FULL(path), S_IFIFO | (mode & 0777), 0));
	}
}

static void op_attr(struct worker *w)
{
	char path[PATH_BYTES], full[SIDES][PATH_BYTES], link_text[SIDES][PATH_BYTES];
	struct timespec times[2];
	struct stat st[SIDES];

	random_path(w, path);
	switch (random_below(w, 5)) {
	case 0: {
		mode_t mode = random_below(w, 4096) | 0600;

		doing(w, "chmod %o %s", mode, path);
		BOTH(w, fchmodat(AT_FDCWD, FULL(path), mode, 0));
		break;
	}
	case 1: {
		uid_t uid = geteuid() ? geteuid() : random_below(w, 100000);

		doing(w, "lchown %u %s", uid, path);
		BOTH(w, lchown(FULL(path), uid, getegid()));
		break;
	}
	case 2:
		for (int i = 0; i < 2; i++)
			times[i] = (struct timespec){random_next(w) & 0x1ffffffff, random_below(w, 1000000000)};
		doing(w, "utimens %s", path);
		if (BOTH(w, utimensat(AT_FDCWD, FULL(path), times, AT_SYMLINK_NOFOLLOW)) &&
			BOTH(w, lstat(FULL(path), &st[side])))
			for (int side = 0; side < SIDES; side++)
				if (st[side].st_mtim.tv_sec != times[1].tv_sec ||
					st[side].st_mtim.tv_nsec != times[1].tv_nsec ||
					st[side].st_atim.tv_sec != times[0].tv_sec)
					differ(w, "times of side %d not as set", side);
		break;
	case 3: {
		off_t size = random_below(w, FILE_BYTES);

		doing(w, "truncate %s to %lld", path, (long long)size);
		/* opening a FIFO for writing would block; truncate() does not open */
		BOTH(w, truncate(FULL(path), size));
		break;
	}
	default: {
		ssize_t n[SIDES] = {0};

		doing(w, "readlink %s", path);
		if (BOTH(w, n[side] = readlink(FULL(path), link_text[side], PATH_BYTES)) &&
			memcmp(link_text[0], link_text[1], n[0]) != 0)
			differ(w, "link texts differ");
	}
	}
}

static int entry_compare(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

/* Sorted listings of one folder on both sides; true when both could be listed and agree. */
static bool compare_listing(struct worker *w, const char *path, struct dirent ***ret_list, int *ret_n)
{
	char full[SIDES][PATH_BYTES];
	struct dirent **list[SIDES] = {NULL, NULL};
	long long n[SIDES];
	bool same;

	same = BOTH(w, n[side] = scandir(FULL(path), &list[side], NULL, entry_compare));
	if (same)
		for (int i = 0; i < n[0] && !atomic_load(&failed); i++) {
			if (strcmp(list[0][i]->d_name, list[1][i]->d_name) != 0)
				differ(w, "names '%s' and '%s'", list[0][i]->d_name, list[1][i]->d_name);
			else if (list[0][i]->d_type != list[1][i]->d_type)
				differ(w, "types of '%s': %d and %d", list[0][i]->d_name,
					list[0][i]->d_type, list[1][i]->d_type);
		}
	for (int side = 0; side < SIDES; side++) {
		if (side == 0 && ret_list && same) {
			*ret_list = list[0];
			*ret_n = n[0];
			continue;
		}
		for (int i = 0; list[side] && i < n[side]; i++)
			free(list[side][i]);
		free(list[side]);
	}
	return same && !atomic_load(&failed);
}

static void op_list(struct worker *w)
{
	char path[PATH_BYTES];

	random_path(w, path);
	doing(w, "list %s", path);
	compare_listing(w, path, NULL, NULL);
}

static void compare_contents(struct worker *w, const char *path)
{
	char full[SIDES][PATH_BYTES];
	int fd[SIDES] = {-1, -1};

	doing(w, "contents of %s", path);
	if (BOTH(w, (fd[side] = open(FULL(path), O_RDONLY | O_NOFOLLOW)) < 0 ? -1 : 0))
		for (;;) {
			ssize_t n[SIDES] = {0};

			if (!BOTH(w, n[side] = read(fd[side], w->buf[side], IO_BYTES)) || n[0] == 0 ||
				atomic_load(&failed))
				break;
			if (memcmp(w->buf[0], w->buf[1], n[0]) != 0) {
				differ(w, "data differ");
				break;
			}
		}
	for (int side = 0; side < SIDES; side++)
		if (fd[side] >= 0)
			close(fd[side]);
}

static unsigned long compare_tree(struct worker *w, const char *path)
{
	struct dirent **list = NULL;
	unsigned long seen = 1;
	int n = 0;

	doing(w, "list %s", path);
	if (!compare_listing(w, path, &list, &n))
		n = 0;
	for (int i = 0; i < n; i++) {
		char sub[PATH_BYTES], full[SIDES][PATH_BYTES];
		struct stat st[SIDES];
		const char *name = list[i]->d_name;

		if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strcmp(name, "lost+found") == 0 ||
			atomic_load(&failed))
			continue;
		snprintf(sub, sizeof(sub), "%s/%s", path, name);
		doing(w, "lstat %s", sub);
		if (!BOTH(w, lstat(FULL(sub), &st[side])))
			continue;
		compare_stat(w, st);
		seen++;
		if (S_ISDIR(st[0].st_mode))
			seen += compare_tree(w, sub);
		else if (S_ISREG(st[0].st_mode))
			compare_contents(w, sub);
	}
	for (int i = 0; i < n; i++)
		free(list[i]);
	free(list);
	return seen;
}

static void operate(struct worker *w)
{
	static void (*const ops[])(struct worker *) = {op_create, op_create, op_name, op_name, op_name,
		op_write, op_write, op_write, op_read, op_read, op_mmap, op_fd_misc, op_fd_misc, op_stat,
		op_attr, op_list};

	w->shared = random_below(w, 10) == 0;
	if (w->shared)
		pthread_mutex_lock(&shared_lock);
	ops[random_below(w, sizeof(ops) / sizeof(ops[0]))](w);
	if (w->shared)
		pthread_mutex_unlock(&shared_lock);
	w->shared = false;
}

static int worker_init(struct worker *w, unsigned number, uint64_t seed)
{
	*w = (struct worker){.number = number, .state = (seed + number) * 0x9e3779b97f4a7c15ULL | 1};
	for (int side = 0; side < SIDES; side++) {
		w->buf[side] = malloc(IO_BYTES);
		if (!w->buf[side])
			return -1;
	}
	for (int i = 0; i < 10; i++)
		random_next(w);
	return 0;
}

static void *work(void *arg)
{
	struct worker *w = arg;
	char path[PATH_BYTES], full[SIDES][PATH_BYTES];

	snprintf(path, sizeof(path), "t%u", w->number);
	doing(w, "mkdir %s", path);
	BOTH(w, mkdir(FULL(path), 0755));
	for (w->op = 1; w->op <= operations && !atomic_load(&failed); w->op++)
		operate(w);
	for (int i = 0; i < OPEN_MAX_PER_THREAD; i++)
		for (int side = 0; side < SIDES && w->open[i].used; side++)
			close(w->open[i].fd[side]);
	return NULL;
}

static int run_threads(unsigned threads, uint64_t seed)
{
	struct worker *workers = calloc(threads, sizeof(*workers));
	pthread_t *ids = calloc(threads, sizeof(*ids));

	if (!workers || !ids)
		return -1;
	for (int side = 0; side < SIDES; side++) {
		char full[PATH_BYTES];

		snprintf(full, sizeof(full), "%s/shared", root_of[side]);
		if (mkdir(full, 0755) < 0) {
			perror(full);
			return -1;
		}
	}
	for (unsigned i = 0; i < threads; i++)
		if (worker_init(&workers[i], i, seed) < 0 ||
			pthread_create(&ids[i], NULL, work, &workers[i]) != 0)
			return -1;
	for (unsigned i = 0; i < threads; i++) {
		pthread_join(ids[i], NULL);
		for (int side = 0; side < SIDES; side++)
			free(workers[i].buf[side]);
	}
	free(workers);
	free(ids);
	return 0;
}

int main(int argc, char **argv)
{
	unsigned threads = 4;
	uint64_t seed = (uint64_t)getpid() * 2654435761u;
	bool compare_only = false;
	struct worker checker;
	unsigned long seen;
	int opt;

	while ((opt = getopt(argc, argv, "s:t:n:c")) != -1)
		switch (opt) {
		case 's':
			seed = strtoull(optarg, NULL, 0);
			break;
		case 't':
			threads = strtoul(optarg, NULL, 0);
			break;
		case 'n':
			operations = strtoul(optarg, NULL, 0);
			break;
		case 'c':
			compare_only = true;
			break;
		default:
			return 2;
		}
	if (argc - optind != SIDES || threads == 0) {
		fprintf(stderr, "usage: lockstep [-s SEED] [-t THREADS] [-n OPERATIONS] [-c] A B\n");
		return 2;
	}
	umask(022);
	for (int side = 0; side < SIDES; side++)
		root_of[side] = argv[optind + side];
	printf("# seed %llu, %u threads, %lu operations each\n", (unsigned long long)seed, threads,
		operations);
	if (!compare_only && run_threads(threads, seed) < 0)
		return 2;
	if (atomic_load(&failed) || worker_init(&checker, 999, seed) < 0)
		return 1;
	seen = compare_tree(&checker, ".");
	if (atomic_load(&failed))
		return 1;
	printf("# equal: %lu files and folders\n", seen);
	return seen > 1 ? 0 : 1;
}
