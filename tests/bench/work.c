/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The work that scripts/bench measures, where a program of the system would not do.
 *
 *	bench-work VERB PATH [NUMBER...]
 *
 * Prints "AMOUNT SECONDS": bytes for data, else operations. Ends with 1 and a message when a call
 * fails: half a measurement is none.
 */
#include <err.h>
#include <fcntl.h>
#include <fts.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { MIB = 1 << 20, PAGE = 4096, THREADS = 4 };

struct job {
	const char *path;
	uint64_t numbers[3];
	unsigned thread; /* which of its threads this is */
	int fd;
};

static char *buffer_new(size_t bytes)
{
	uint64_t state = 88172645463325252u;
	uint64_t *words;

	if (posix_memalign((void **)&words, PAGE, bytes))
		err(1, "memory");
	for (size_t i = 0; i < bytes / 8; i++) {
		state ^= state << 13, state ^= state >> 7, state ^= state << 17;
		words[i] = state;
	}
	return (char *)words;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int open_or_die(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0644);

	if (fd < 0)
		err(1, "%s", path);
	return fd;
}

static void must(bool fine, const char *what)
{
	if (!fine)
		err(1, "%s", what);
}

/* Threads run fn on a copy of the job each. */
static void in_threads(const struct job *job, unsigned count, void *(*fn)(void *))
{
	pthread_t threads[16];
	struct job jobs[16];

	for (unsigned i = 0; i < count; i++) {
		jobs[i] = *job;
		jobs[i].thread = i;
		must(pthread_create(&threads[i], NULL, fn, &jobs[i]) == 0, "thread");
	}
	for (unsigned i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
}

/* ---- streams: numbers[0] is MiB ---- */

static uint64_t stream_write(const struct job *job, int flags)
{
	char *buf = buffer_new(MIB);
	int fd = open_or_die(job->path, O_WRONLY | flags);

	for (uint64_t i = 0; i < job->numbers[0]; i++)
		must(write(fd, buf, MIB) == MIB, "write");
	must(fsync(fd) == 0, "fsync");
	close(fd);
	free(buf);
	return job->numbers[0] * MIB;
}

static uint64_t work_write(struct job *job)
{
	return stream_write(job, O_CREAT | O_TRUNC);
}

static uint64_t work_overwrite(struct job *job)
{
	return stream_write(job, 0);
}

static uint64_t work_read(struct job *job)
{
	char *buf = buffer_new(MIB);
	int fd = open_or_die(job->path, O_RDONLY);
	uint64_t total = 0;
	ssize_t n;

	while ((n = read(fd, buf, MIB)) > 0)
		total += (uint64_t)n;
	must(n == 0, "read");
	close(fd);
	return total;
}

static void *direct_thread(void *arg, bool writes)
{
	struct job *job = arg;
	char *buf = buffer_new(MIB);

	for (uint64_t i = job->thread; i < job->numbers[0]; i += THREADS) {
		off_t off = (off_t)(i * MIB);

		must((writes ? pwrite(job->fd, buf, MIB, off) : pread(job->fd, buf, MIB, off)) == MIB,
			"direct");
	}
	free(buf);
	return NULL;
}

static void *direct_write_thread(void *arg)
{
	return direct_thread(arg, true);
}

static void *direct_read_thread(void *arg)
{
	return direct_thread(arg, false);
}

static uint64_t work_direct_write(struct job *job)
{
	job->fd = open_or_die(job->path, O_WRONLY | O_DIRECT);
	in_threads(job, THREADS, direct_write_thread);
	return job->numbers[0] * MIB;
}

static uint64_t work_direct_read(struct job *job)
{
	job->fd = open_or_die(job->path, O_RDONLY | O_DIRECT);
	in_threads(job, THREADS, direct_read_thread);
	return job->numbers[0] * MIB;
}

static void *parallel_thread(void *arg)
{
	struct job job = *(struct job *)arg;
	char path[4096];

	snprintf(path, sizeof(path), "%s-%u", job.path, job.thread);
	job.path = path;
	job.numbers[0] /= THREADS;
	stream_write(&job, O_CREAT | O_TRUNC);
	return NULL;
}

static uint64_t work_parallel_write(struct job *job)
{
	in_threads(job, THREADS, parallel_thread);
	return job->numbers[0] * MIB;
}

static uint64_t work_map(struct job *job)
{
	size_t bytes = job->numbers[0] * MIB;
	int fd = open_or_die(job->path, O_RDWR);
	char *map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	must(map != MAP_FAILED, "mmap");
	for (size_t i = 0; i < bytes; i += 64)
		map[i]++;
	must(msync(map, bytes, MS_SYNC) == 0, "msync");
	munmap(map, bytes);
	close(fd);
	return bytes;
}

/* ---- single pages of a file: numbers are MiB, operations, threads ---- */

static void *random_read_thread(void *arg)
{
	struct job *job = arg;
	unsigned short seed[3] = {1, 2, (unsigned short)job->thread};
	char *buf = buffer_new(PAGE);

	for (uint64_t i = 0; i < job->numbers[1] / job->numbers[2]; i++) {
		uint64_t page = (uint64_t)nrand48(seed) % (job->numbers[0] * MIB / PAGE);

		must(pread(job->fd, buf, PAGE, (off_t)(page * PAGE)) == PAGE, "pread");
	}
	free(buf);
	return NULL;
}

static uint64_t work_random_read(struct job *job)
{
	job->fd = open_or_die(job->path, O_RDONLY);
	posix_fadvise(job->fd, 0, 0, POSIX_FADV_RANDOM);
	in_threads(job, (unsigned)job->numbers[2], random_read_thread);
	return job->numbers[1];
}

static uint64_t work_random_write(struct job *job)
{
	unsigned short seed[3] = {3, 4, 5};
	char *buf = buffer_new(PAGE);
	int fd = open_or_die(job->path, O_WRONLY);

	for (uint64_t i = 0; i < job->numbers[1]; i++) {
		uint64_t page = (uint64_t)nrand48(seed) % (job->numbers[0] * MIB / PAGE);

		must(pwrite(fd, buf, PAGE, (off_t)(page * PAGE)) == PAGE, "pwrite");
	}
	must(fsync(fd) == 0, "fsync");
	return job->numbers[1] * PAGE;
}

/* numbers[0]: how often */
static uint64_t work_append(struct job *job)
{
	char *buf = buffer_new(PAGE);
	int fd = open_or_die(job->path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND);

	for (uint64_t i = 0; i < job->numbers[0]; i++)
		must(write(fd, buf, PAGE) == PAGE && fsync(fd) == 0, "append");
	return job->numbers[0];
}

/* ---- names: numbers[0] of them ---- */

static uint64_t work_create(struct job *job)
{
	char name[64];

	must(mkdir(job->path, 0755) == 0 && chdir(job->path) == 0, job->path);
	for (uint64_t i = 0; i < job->numbers[0]; i++) {
		snprintf(name, sizeof(name), "document-%06llu.txt", (unsigned long long)i);
		close(open_or_die(name, O_WRONLY | O_CREAT | O_EXCL));
	}
	return job->numbers[0];
}

static uint64_t work_unlink(struct job *job)
{
	char name[64];

	must(chdir(job->path) == 0, job->path);
	for (uint64_t i = 0; i < job->numbers[0]; i++) {
		snprintf(name, sizeof(name), "document-%06llu.txt", (unsigned long long)i);
		must(unlink(name) == 0, "unlink");
	}
	must(rmdir(job->path) == 0, "rmdir");
	return job->numbers[0];
}

static void file_read(const char *path)
{
	static char buf[128 * 1024];
	int fd = open_or_die(path, O_RDONLY);
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) > 0)
		;
	must(n == 0, path);
	close(fd);
}

static uint64_t work_tree_read(struct job *job)
{
	char *roots[] = {(char *)(uintptr_t)job->path, NULL};
	FTS *tree = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	uint64_t count = 0;
	FTSENT *entry;

	must(tree != NULL, job->path);
	while ((entry = fts_read(tree))) {
		must(entry->fts_info != FTS_ERR && entry->fts_info != FTS_NS, entry->fts_path);
		if (entry->fts_info == FTS_F)
			file_read(entry->fts_accpath);
		count += entry->fts_info != FTS_DP;
	}
	fts_close(tree);
	return count;
}

static const struct {
	const char *verb;
	int numbers;
	uint64_t (*work)(struct job *job);
} works[] = {
	{"write", 1, work_write},
	{"overwrite", 1, work_overwrite},
	{"read", 0, work_read},
	{"direct-write", 1, work_direct_write},
	{"direct-read", 1, work_direct_read},
	{"parallel-write", 1, work_parallel_write},
	{"map", 1, work_map},
	{"random-read", 3, work_random_read},
	{"random-write", 2, work_random_write},
	{"append", 1, work_append},
	{"create", 1, work_create},
	{"unlink", 1, work_unlink},
	{"tree-read", 0, work_tree_read},
};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc > 2 && i < sizeof(works) / sizeof(works[0]); i++) {
		struct job job = {.path = argv[2]};
		uint64_t amount;
		double start;

		if (strcmp(argv[1], works[i].verb) != 0 || argc != 3 + works[i].numbers)
			continue;
		for (int n = 0; n < works[i].numbers; n++)
			job.numbers[n] = strtoull(argv[3 + n], NULL, 10);
		free(buffer_new(MIB));
		start = now();
		amount = works[i].work(&job);
		printf("%llu %.6f\n", (unsigned long long)amount, now() - start);
		return 0;
	}
	fprintf(stderr, "usage: bench-work VERB PATH [NUMBER...]\n");
	return 2;
}
