/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Threads that share files: through the kernel's cache, past it and through mappings, with holes, copies
 * and ends that move.
 *
 *	mixed [-f] [-p THREADS] [-t SECONDS] [-s SEED] DIR RECORD
 *	mixed -v DIR RECORD		compares what is there with what was recorded
 *
 * Each slot of a file (mixed-slots.h) is one thread's, which therefore knows what is in it. Slots of different
 * threads share pages and blocks where they are small, so what one does must never touch the other's.
 *
 * -f: calls may fail (a host that is full, a daemon that is killed).
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "tests/mixed-slots.h"

enum {
	THREADS_MAX = 8,
	BUFFER = 1 << 20,
	SCAN = 48,
	TAIL = 200000, /* behind the slots: the first thread's */
};

struct worker {
	pthread_t thread;
	unsigned number;
	uint64_t random, version;
	int fd[FILES], direct_fd[FILES];
	uint8_t *map[FILES], *buf;
};

static const char *dir;
static unsigned threads = 4;
static double seconds = 8;
static bool may_fail;
static atomic_bool wrong;
static atomic_ulong done, failed, synced;

/* ---- calls --------------------------------------------------------------------------------- */

static void check_slot(const char *how, unsigned file, unsigned k, const void *buf, bool any)
{
	const struct slot *slot = &slots[file][k];
	size_t words = layouts[file].bytes / 8, i = 0;
	const uint64_t *got = buf;

	if (slot_shows(slot, (uint64_t)k * layouts[file].bytes, got, words, any))
		return;
	while (got[i] == slot_word(&slot->states[slot->count - 1], i))
		i++;
	printf("%s: file %u, slot %u at %zu: word %zu is %016llx, not as in the last of %d states\n", how, file, k,
		k * layouts[file].bytes, i, (unsigned long long)got[i], slot->count);
	wrong = true;
}

static uint32_t below(struct worker *w, uint32_t n)
{
	w->random ^= w->random << 13;
	w->random ^= w->random >> 7;
	w->random ^= w->random << 17;
	return (uint32_t)(w->random * 0x2545f4914f6cdd1dULL >> 33) % n;
}

static bool went_well(const char *call, bool success)
{
	if (success)
		return true;
	failed++;
	usleep(1000); /* there is nothing to be gained by failing quickly */
	if (!may_fail) {
		printf("%s: %s\n", call, strerror(errno));
		wrong = true;
	}
	return false;
}

static _Thread_local sigjmp_buf no_page;
static _Thread_local volatile sig_atomic_t in_map;

static void on_bus_error(int number)
{
	if (!in_map)
		abort();
	siglongjmp(no_page, 1);
}

static bool map_copy(void *to, const void *from, size_t len)
{
	bool success = false;

	in_map = 1;
	if (sigsetjmp(no_page, 1) == 0) {
		memcpy(to, from, len);
		success = true;
	}
	in_map = 0;
	errno = EFAULT;
	return success;
}

static unsigned own_slot(const struct worker *w, unsigned file, uint32_t n)
{
	return n % (layouts[file].slots / threads) * threads + w->number;
}

static void write_slot(struct worker *w, unsigned file, unsigned k)
{
	const struct layout *l = &layouts[file];
	struct state state = {file, (uint64_t)k * l->bytes, ++w->version * THREADS_MAX + w->number};
	uint32_t how = below(w, l->direct ? 3 : 2);
	bool success;

	for (size_t i = 0; i < l->bytes / 8; i++)
		((uint64_t *)(void *)w->buf)[i] = slot_word(&state, i);
	if (how == 0)
		success = map_copy(w->map[file] + state.off, w->buf, l->bytes);
	else
		success = pwrite(how == 1 ? w->fd[file] : w->direct_fd[file], w->buf, l->bytes,
				  (off_t)state.off) == (ssize_t)l->bytes;
	slot_wrote(&slots[file][k], &state, went_well("write", success));
}

/* how: names[how] */
static void read_slot(struct worker *w, unsigned file, unsigned k, uint32_t how)
{
	static const char *const names[] = {"mapped", "read", "read past the cache"};
	const struct layout *l = &layouts[file];
	off_t off = (off_t)(k * l->bytes);
	bool success;

	if (how == 0)
		success = map_copy(w->buf, w->map[file] + off, l->bytes);
	else
		success = pread(how == 1 ? w->fd[file] : w->direct_fd[file], w->buf, l->bytes, off) ==
			(ssize_t)l->bytes;
	/* What could not be written may have left the cache: anything may be in its place until it is known. */
	if (went_well(names[how], success) && !may_fail)
		check_slot(names[how], file, k, w->buf, false);
}

/* Reads that follow each other, for which more is read ahead; and some of that is written meanwhile. */
static void scan_slots(struct worker *w, unsigned file, unsigned k)
{
	for (unsigned i = 0; i < SCAN && k + 2 * threads < layouts[file].slots / threads * threads; i++, k += threads) {
		if (below(w, 4) == 0)
			write_slot(w, file, k + threads * below(w, 3));
		read_slot(w, file, k, layouts[file].direct ? 2 : 1);
	}
}

static void clear_slot(struct worker *w, unsigned file, unsigned k)
{
	const struct layout *l = &layouts[file];
	int mode = below(w, 2) ? FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE : FALLOC_FL_ZERO_RANGE;
	bool success = fallocate(w->fd[file], mode, (off_t)(k * l->bytes), (off_t)l->bytes) == 0;

	slot_wrote(&slots[file][k], &(struct state){0}, went_well("fallocate", success));
}

static void copy_slot(struct worker *w, unsigned file, unsigned k)
{
	unsigned to = own_slot(w, file, below(w, UINT16_MAX));
	const struct slot *from = &slots[file][k];
	size_t left = layouts[file].bytes;
	off_t in = (off_t)(k * left), out = (off_t)(to * left);

	if (to == k || (may_fail && from->unsure >= 0))
		return;
	while (left > 0) {
		ssize_t n = copy_file_range(w->fd[file], &in, w->fd[file], &out, left, 0);

		if (n <= 0)
			break;
		left -= (size_t)n;
	}
	slot_wrote(&slots[file][to], &from->states[from->count - 1], went_well("copy_file_range", left == 0));
}

static void sync_file(struct worker *w, unsigned file)
{
	bool success = (below(w, 2) ? fsync(w->fd[file]) : fdatasync(w->fd[file])) == 0;

	synced += went_well("fsync", success);
	for (unsigned k = w->number; k < layouts[file].slots / threads * threads; k += threads)
		slot_synced(&slots[file][k], success);
}

/* The end moves, and what is written behind it leaves zeroes in between. */
static void move_end(struct worker *w, unsigned file)
{
	off_t base = (off_t)(layouts[file].slots * layouts[file].bytes), len = below(w, TAIL), gap = below(w, TAIL);
	size_t bytes = (size_t)gap + 8;
	bool success;

	success = ftruncate(w->fd[file], base + len) == 0 &&
		pwrite(w->fd[file], "the end", 8, base + len + gap) == 8 &&
		pread(w->fd[file], w->buf, bytes, base + len) == (ssize_t)bytes;
	if (went_well("ftruncate", success) && !may_fail)
		for (size_t i = 0; i < bytes; i++)
			if (w->buf[i] != (i < (size_t)gap ? 0 : (uint8_t)"the end"[i - (size_t)gap])) {
				printf("file %u: byte %zu of the gap\n", file, i);
				wrong = true;
				break;
			}
	went_well("ftruncate", ftruncate(w->fd[file], base) == 0);
}

static void act(struct worker *w)
{
	unsigned file = below(w, FILES), k = own_slot(w, file, below(w, UINT16_MAX)), what = below(w, 100);

	if (what < 40)
		write_slot(w, file, k);
	else if (what < 78)
		read_slot(w, file, k, below(w, layouts[file].direct ? 3 : 2));
	else if (what < 80)
		scan_slots(w, file, k);
	else if (what < 86)
		clear_slot(w, file, k);
	else if (what < 93)
		copy_slot(w, file, k);
	else if (what < 95 && w->number == 0)
		move_end(w, file);
	else if (what < 97)
		sync_file(w, file);
	else if (what < 98)
		posix_fadvise(w->fd[file], 0, 0, POSIX_FADV_DONTNEED);
	done++;
}

/* ---- running ------------------------------------------------------------------------------- */

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void *work(void *arg)
{
	double end = now() + seconds;

	while (!wrong && now() < end)
		act(arg);
	return NULL;
}

static int open_file(unsigned file, int flags)
{
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/mixed-%u", dir, file);
	fd = open(path, flags | O_CLOEXEC, 0600);
	if (fd < 0) {
		printf("%s: %s\n", path, strerror(errno));
		exit(2);
	}
	return fd;
}

static void worker_open(struct worker *w, unsigned number, uint64_t seed)
{
	w->number = number;
	w->random = (seed + 1) * 0x9e3779b97f4a7c15ULL + number;
	w->buf = allocated(mmap(NULL, BUFFER, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	for (unsigned f = 0; f < FILES; f++) {
		size_t bytes = layouts[f].slots * layouts[f].bytes;

		w->fd[f] = open_file(f, O_RDWR | O_CREAT);
		w->direct_fd[f] = open_file(f, O_RDWR | O_DIRECT);
		if (number == 0 && (ftruncate(w->fd[f], (off_t)bytes) < 0 || fsync(w->fd[f]) < 0))
			exit(2);
		w->map[f] = allocated(mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, w->fd[f], 0));
	}
}

static void run(uint64_t seed)
{
	static struct worker workers[THREADS_MAX];

	for (unsigned i = 0; i < threads; i++)
		worker_open(&workers[i], i, seed);
	for (unsigned i = 0; i < threads; i++)
		pthread_create(&workers[i].thread, NULL, work, &workers[i]);
	for (unsigned i = 0; i < threads; i++)
		pthread_join(workers[i].thread, NULL);
	for (unsigned i = 0; i < threads * FILES; i++)
		sync_file(&workers[i / FILES], i % FILES);
	printf("# %lu calls, %lu of them failed, %lu syncs succeeded\n", done, failed, synced);
}

static void verify(void)
{
	void *buf = allocated(malloc(BUFFER));
	unsigned sure = 0, all = 0;

	for (unsigned f = 0; f < FILES; f++) {
		int fd = open_file(f, O_RDONLY);

		for (unsigned k = 0; k < layouts[f].slots; k++, all++) {
			size_t bytes = layouts[f].bytes;

			sure += slots[f][k].count == 1;
			if (went_well("read", pread(fd, buf, bytes, (off_t)(k * bytes)) == (ssize_t)bytes))
				check_slot("afterwards", f, k, buf, slots[f][k].count > 1);
		}
		close(fd);
	}
	free(buf);
	printf("# %u slots, %u of them with what was synced last\n", all, sure);
}

int main(int argc, char **argv)
{
	bool verifies = false;
	uint64_t seed = 1;
	FILE *record;
	int c;

	while ((c = getopt(argc, argv, "fvp:t:s:")) != -1) {
		may_fail |= c == 'f';
		verifies |= c == 'v';
		if (c == 'p')
			threads = (unsigned)atoi(optarg);
		else if (c == 't')
			seconds = atof(optarg);
		else if (c == 's')
			seed = strtoull(optarg, NULL, 0);
		else if (c == '?')
			return 2;
	}
	if (optind != argc - 2 || threads < 1 || threads > THREADS_MAX)
		return 2;
	dir = argv[optind];
	signal(SIGBUS, on_bus_error);
	slots_start();
	if (!verifies)
		run(seed);
	record = fopen(argv[optind + 1], verifies ? "re" : "we");
	if (!record)
		return 2;
	slots_record(record, !verifies);
	if (verifies)
		verify();
	return fclose(record) != 0 || wrong;
}
