/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Images that somebody has made to do harm: good ones of all kinds, with metadata changed at random
 * in its own terms and checksums repaired, are mounted, read and written. Whatever is on them,
 * nothing may crash, hang, take much memory or leak, and a read-only mount writes nothing.
 *
 *	hostile [-s SEED] [-t SECONDS | -n ROUNDS | -r ROUND] [-k KIND] [-g]
 *
 * Each round depends on seed and number alone; -r does one and says what it changes; -g goes on
 * after a failure. Prints TAP comments; exit status 0: nothing was found.
 *
 * Rounds run in a child, many in a row, so that one that dies is known by its number.
 */
#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/dev/volume.h"
#include "tests/hostile/base.h"
#include "tests/hostile/mapdev.h"
#include "tests/hostile/mutate.h"
#include "tests/hostile/play.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>

const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "max_allocation_size_mb=400:hard_rss_limit_mb=1200:quarantine_size_mb=16";
}

static bool leaks(void)
{
	return __lsan_do_recoverable_leak_check();
}
#else
static bool leaks(void)
{
	return false;
}
#endif

enum { KINDS_MAX = 32, BATCH = 100, CPU_SECONDS = 20, WALL_SECONDS = 120, MEMORY_MIB = 500 };

static uint64_t seed = 1;
static unsigned long rounds_wanted = 1000, first_round;
static unsigned seconds_wanted;
static const char *only_kind;
static bool show, go_on;

static struct base {
	const struct base_kind *kind;
	char path[160];
	struct spots *spots;
} bases[KINDS_MAX];
static unsigned base_count;

/* What a child tells while it works. */
static struct progress {
	unsigned long round; /* under way */
	unsigned long mounted, refused, stayed_writable;
} *progress;

/* ---- bases ----------------------------------------------------------------------------------- */

/* Repairing what is right changes nothing: this proves the checksums that we repair with. */
static void prove_repairs(const struct base *base, struct blkdev *dev)
{
	uint8_t *good = malloc(dev->size_bytes);

	assert(good);
	memcpy(good, mapdev_data(dev), dev->size_bytes);
	for (size_t i = 0; i < base->spots->count; i++) {
		const struct spot *spot = &base->spots->all[i];

		spot_repair(base->spots, spot, mapdev_data(dev));
		if (memcmp(good, mapdev_data(dev), dev->size_bytes) == 0)
			continue;
		printf("# %s: the repair of kind %d, number %u, at %llu is wrong\n", base->kind->name,
			(int)spot->kind, spot->number, (unsigned long long)spot->at);
		abort();
	}
	free(good);
}

static void make_bases(const char *dir)
{
	for (const struct base_kind *kind = base_kinds; kind->name; kind++) {
		struct base *base = &bases[base_count];
		struct blkdev *dev;

		if (only_kind && strcmp(only_kind, kind->name) != 0)
			continue;
		assert(base_count < KINDS_MAX);
		base->kind = kind;
		snprintf(base->path, sizeof(base->path), "%s/%s", dir, kind->name);
		base_make(kind, base->path);
		if (mapdev_new(base->path, true, &dev) < 0)
			abort();
		base->spots = spots_find(base->path, mapdev_data(dev));
		assert(base->spots);
		prove_repairs(base, dev);
		/* A folder in its inode has no block to revoke. */
		assert(!kind->dirty || strstr(kind->options, "inline_data") ||
			base->spots->of_kind[SPOT_LOG_REVOKE]);
		blkdev_close(dev);
		base_count++;
	}
	assert(base_count);
}

static void drop_bases(const char *dir)
{
	for (unsigned i = 0; i < base_count; i++) {
		unlink(bases[i].path);
		spots_free(bases[i].spots);
	}
	rmdir(dir);
}

/* ---- one round ------------------------------------------------------------------------------- */

static bool stop_waiting(void *ctx, unsigned seconds_left)
{
	(void)ctx;
	return seconds_left < 600;
}

static bool mount_and_play(struct blkdev *dev, bool read_only, uint64_t *random)
{
	struct e4_mount_options options = {.read_only = read_only, .commit_ms = volume_random(random, 2) ? 1 : 0,
		.on_wait = stop_waiting, .mmp_second_ms = 1};
	struct diag diag = {0};
	struct e4_fs *fs = NULL;
	unsigned long before = mapdev_changes(dev);
	int r = e4_mount(dev, &options, &fs, &diag);
	bool fine;

	if (r < 0) {
		progress->refused++;
		fine = (r <= -SDE_FIRST && r > -SDE_END) || play_answer_ok("mount", r);
	} else {
		progress->mounted++;
		fine = read_only ? play_read(fs, random) : play_change(fs, random);
		progress->stayed_writable += !e4_is_read_only(fs);
		r = e4_unmount(fs);
		fine &= play_answer_ok("unmount", r);
	}
	if (!read_only || mapdev_changes(dev) == before)
		return fine;
	printf("# a read-only mount has written\n");
	return false;
}

static bool do_round(unsigned long round)
{
	uint64_t random = (seed * 0x9e3779b97f4a7c15ULL ^ (round + 1) * 0xd1342543de82ef95ULL) | 1;
	const struct base *base;
	struct blkdev *dev;
	bool fine;

	for (unsigned i = 0; i < 5; i++)
		volume_random(&random, 2);
	base = &bases[volume_random(&random, base_count)];
	if (mapdev_new(base->path, true, &dev) < 0)
		abort();
	if (show)
		printf("# %s\n", base->kind->name);
	mutate(base->spots, mapdev_data(dev), &random, show);
	fine = mount_and_play(dev, true, &random);
	fine &= mount_and_play(dev, false, &random);
	/* Once more: what we have made of it. */
	if (volume_random(&random, 4) == 0)
		fine &= mount_and_play(dev, volume_random(&random, 2), &random);
	blkdev_close(dev);
	return fine;
}

/* ---- children ---------------------------------------------------------------------------------- */

static void limit_time(void)
{
	struct itimerval cpu = {.it_value.tv_sec = CPU_SECONDS};

	setitimer(ITIMER_PROF, &cpu, NULL);
	alarm(WALL_SECONDS);
}

static _Noreturn void child(unsigned long from, unsigned long to)
{
	for (unsigned long round = from; round < to; round++) {
		progress->round = round;
		limit_time();
		if (!do_round(round)) {
			fflush(stdout);
			_exit(1);
		}
	}
	alarm(0);
	setitimer(ITIMER_PROF, &(struct itimerval){.it_value.tv_sec = 0}, NULL);
	fflush(stdout);
	_exit(leaks() ? 2 : 0);
}

/* Runs rounds [from, to): 0, or what happened in round progress->round. */
static const char *run(unsigned long from, unsigned long to)
{
	static char why[100];
	struct rusage usage;
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	assert(pid >= 0);
	if (pid == 0)
		child(from, to);
	if (wait4(pid, &status, 0, &usage) != pid)
		abort();
	if (WIFSIGNALED(status))
		snprintf(why, sizeof(why), "%s", WTERMSIG(status) == SIGALRM || WTERMSIG(status) == SIGPROF ?
			"does not end" : strsignal(WTERMSIG(status)));
	else if (WEXITSTATUS(status) == 2)
		snprintf(why, sizeof(why), "leak in one of %lu rounds up to this", to - from);
	else if (WEXITSTATUS(status) != 0)
		snprintf(why, sizeof(why), "exit status %d", WEXITSTATUS(status));
	else if (usage.ru_maxrss > MEMORY_MIB * 1024L)
		snprintf(why, sizeof(why), "%ld MiB of memory", usage.ru_maxrss / 1024);
	else
		return NULL;
	return why;
}

static bool run_all(void)
{
	unsigned long round = first_round, end = first_round + rounds_wanted, failures = 0;
	time_t stop = time(NULL) + seconds_wanted;

	while (seconds_wanted ? time(NULL) < stop : round < end) {
		unsigned long to = round + BATCH;
		const char *why;

		if (!seconds_wanted && to > end)
			to = end;
		why = run(round, to);
		round = why ? progress->round + 1 : to;
		if (!why)
			continue;
		failures++;
		printf("# FAILED: -s %llu -r %lu: %s\n", (unsigned long long)seed, progress->round, why);
		if (!go_on)
			break;
	}
	printf("# seed %llu: %lu rounds, %lu mounts (%lu writable to the end), %lu refused, %lu failures\n",
		(unsigned long long)seed, round - first_round, progress->mounted, progress->stayed_writable,
		progress->refused, failures);
	return failures == 0;
}

static void parse(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "s:t:n:r:k:g")) != -1) {
		switch (c) {
		case 's':
			seed = strtoull(optarg, NULL, 0);
			break;
		case 't':
			seconds_wanted = (unsigned)atoi(optarg);
			break;
		case 'n':
			rounds_wanted = strtoul(optarg, NULL, 0);
			break;
		case 'r':
			first_round = strtoul(optarg, NULL, 0);
			rounds_wanted = 1;
			show = true;
			break;
		case 'k':
			only_kind = optarg;
			break;
		case 'g':
			go_on = true;
			break;
		default:
			exit(2);
		}
	}
}

int main(int argc, char **argv)
{
	char dir[] = "/dev/shm/sealdrive-hostile-XXXXXX", other[] = "/tmp/sealdrive-hostile-XXXXXX", *at;
	bool fine;

	parse(argc, argv);
	setvbuf(stdout, NULL, _IOLBF, 0);
	at = mkdtemp(dir);
	at = at ? at : mkdtemp(other);
	assert(at);
	progress = mmap(NULL, sizeof(*progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert(progress != MAP_FAILED);
	make_bases(at);
	fine = run_all();
	drop_bases(at);
	return fine ? 0 : 1;
}
