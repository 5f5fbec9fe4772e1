/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A drive that is pulled out and put back (kernel-shim/reattach.c; the numbers are its invariants), on a
 * drive in memory that loses what it had in its cache.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "kernel-shim/reattach.h"
#include "tests/dev/stick.h"
#include "tests/unit.h"

enum { SIZE = 1 << 20, SENTINEL = 8192, SENTINEL_LEN = 4096, OPS = 120, WRITE_MAX = 20000 };

static atomic_bool no_calloc, no_realloc;

void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);

void *__wrap_calloc(size_t count, size_t size)
{
	return no_calloc ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
	return no_realloc ? NULL : __real_realloc(old, size);
}

/* What looks for the drive, and what it was told. */
static struct finder {
	struct stick *stick, *other; /* other: offered first, NULL: nothing is */
	bool mends; /* the drive takes what it did not take at first */
	int plug_after; /* looks until somebody puts it back; -1: never */
	_Atomic unsigned away, back, lost, refused;
} finder;
static struct blkdev *dev;

static bool finder_is_gone(void *ctx, struct blkdev *d)
{
	return stick_is_dead(d);
}

static void finder_forget_error(void *ctx, struct blkdev *d)
{
	struct finder *f = ctx;

	stick_forget_error(d);
	if (f->mends)
		stick_set_bad(f->stick, 0, 0);
}

static int finder_candidate(void *ctx, unsigned n, struct blkdev **ret_dev)
{
	struct finder *f = ctx;

	if (n == 0 && f->other)
		return stick_open(f->other, ret_dev) < 0 ? -ENXIO : 1;
	if (n == (f->other ? 1 : 0)) {
		if (f->plug_after >= 0 && f->plug_after-- == 0)
			stick_plug(f->stick);
		return stick_open(f->stick, ret_dev) < 0 ? -ENXIO : 1;
	}
	return -ENOENT;
}

static void finder_accepted(void *ctx, unsigned n, struct blkdev *d)
{
}

static void finder_event(void *ctx, enum reattach_event event, int err)
{
	struct finder *f = ctx;

	f->away += event == REATTACH_AWAY;
	f->back += event == REATTACH_BACK;
	f->lost += event == REATTACH_LOST;
	f->refused += event == REATTACH_REFUSED;
}

static const struct reattach_ops finder_ops = {
	.is_gone = finder_is_gone,
	.forget_error = finder_forget_error,
	.candidate = finder_candidate,
	.accepted = finder_accepted,
	.event = finder_event,
};

static void begin_held(uint64_t seed, unsigned grace_ms, size_t hold_bytes)
{
	struct reattach_params params = {
		.ops = &finder_ops,
		.ctx = &finder,
		.poll_ms = 1,
		.suspect_ms = 100,
		.hold_bytes = hold_bytes,
	};
	struct blkdev *lower;

	finder = (struct finder){.plug_after = -1};
	CU_ASSERT_EQUAL_FATAL(stick_new(SIZE, seed, &finder.stick), 0);
	CU_ASSERT_EQUAL_FATAL(stick_open(finder.stick, &lower), 0);
	CU_ASSERT_EQUAL_FATAL(reattach_new(lower, &params, &dev), 0);
	reattach_set_grace(dev, grace_ms);
	CU_ASSERT_EQUAL(blkdev_watch(dev, SENTINEL_LEN, SENTINEL), 0);
}

static void begin(uint64_t seed, unsigned grace_ms)
{
	begin_held(seed, grace_ms, 0);
}

static void end(void)
{
	blkdev_close(dev);
	stick_free(finder.stick);
	stick_free(finder.other);
}

static uint64_t random_state;

static uint32_t pick(uint32_t below)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t)((random_state * 0x2545f4914f6cdd1d) >> 33) % below;
}

/* For blkdev_write_from(). */
static struct source {
	const uint8_t *data;
	size_t whole, brought;
	unsigned pieces, fails; /* fails: at which piece, from 1; 0: never */
} source;

static int bring(void *ctx, void *to, size_t len, size_t at)
{
	struct source *s = ctx;

	if (++s->pieces == s->fails)
		return -ENOMEM;
	/* In order, and whole pages but for the last. */
	CU_ASSERT_EQUAL(at, s->brought);
	CU_ASSERT(at + len <= s->whole && (len % 4096 == 0 || at + len == s->whole));
	CU_ASSERT(len < 4096 || (uintptr_t)to % 4096 == 0);
	memcpy(to, s->data + at, len);
	s->brought += len;
	return 0;
}

/* Whole blocks, some of them in the sentinel. */
static int random_write(uint8_t *model)
{
	static uint8_t data[WRITE_MAX + 512];
	size_t len = (pick(WRITE_MAX / 512) + 1) * 512;
	uint64_t off = pick(8) == 0 ? SENTINEL + pick(6) * 512 : pick((SIZE - WRITE_MAX) / 512) * 512;

	if (pick(3) == 0)
		len = 512;
	for (size_t i = 0; i < len; i++)
		data[i] = (uint8_t)pick(256);
	memcpy(model + off, data, len);
	switch (pick(3)) {
	case 0:
		return blkdev_write(dev, data, len, off);
	case 1:
		return blkdev_write_clobber(dev, data, len, off);
	default:
		source = (struct source){.data = data, .whole = len};
		return blkdev_write_from(dev, bring, &source, len, off, &(struct blkdev_write){0});
	}
}

static bool random_read(const uint8_t *model)
{
	static uint8_t data[WRITE_MAX];
	uint64_t off = pick(SIZE - WRITE_MAX);

	return blkdev_read(dev, data, WRITE_MAX, off) == 0 && memcmp(data, model + off, WRITE_MAX) == 0;
}

/* Whether nothing failed, and everything is where it belongs at the end. */
static bool workload(uint64_t seed)
{
	CLEANUP_FREE uint8_t *model = calloc(1, SIZE);
	bool right = model;

	random_state = seed * 2 + 1;
	for (int i = 0; right && i < OPS; i++) {
		right = random_write(model) == 0;
		if (pick(4) == 0)
			right &= random_read(model);
		if (pick(10) == 0)
			right &= blkdev_flush(dev) == 0;
	}
	right = right && blkdev_flush(dev) == 0;
	return right && memcmp(stick_medium(finder.stick), model, SIZE) == 0;
}

/* Invariants 1, 2, 3: pulled at every call, before and after the kernel knows. */
static void test_every_call(void)
{
	uint64_t calls;
	unsigned away = 0;

	begin(1, 10000);
	CU_ASSERT(workload(1));
	calls = stick_calls(finder.stick);
	CU_ASSERT(calls > OPS);
	CU_ASSERT_EQUAL(finder.away, 0);
	end();
	for (uint64_t n = 1; n < calls; n++) {
		bool right;

		begin(n, 10000);
		finder.plug_after = (int)(n % 3);
		stick_pull_at(finder.stick, n, n % 2);
		right = workload(1) && finder.away == finder.back && finder.lost == 0 && finder.refused == 0;
		CU_ASSERT(right);
		if (!right)
			printf("# pulled at call %llu of %llu\n", (unsigned long long)n,
				(unsigned long long)calls);
		away += finder.away;
		end();
	}
	CU_ASSERT(away + 5 > calls); /* the first few belong to watch() */
	printf("# pulled at each of %llu calls\n", (unsigned long long)calls);
}

static void *pull_and_plug(void *arg)
{
	atomic_bool *stop = arg;
	const struct timespec pause = {.tv_nsec = 3000000};

	while (!*stop) {
		nanosleep(&pause, NULL);
		stick_pull(finder.stick);
		nanosleep(&pause, NULL);
		stick_plug(finder.stick);
	}
	return NULL;
}

enum { WORKERS = 6, PART = SIZE / 8, ROUNDS = 300, PULLS = 5 };

struct worker {
	pthread_t thread;
	unsigned number;
	bool right;
};

/* Each in a part of its own: what it has written is what it reads. */
static void *work(void *arg)
{
	struct worker *w = arg;
	uint64_t off = (uint64_t)(w->number + 1) * PART;
	uint8_t *data = malloc(PART), *got = malloc(PART);

	w->right = true;
	for (unsigned i = 0; (i < ROUNDS || finder.back < PULLS) && w->right; i++) {
		size_t len = (i * 37 % (PART / 512) + 1) * 512;

		memset(data, (int)(i * 7 + w->number), len);
		w->right &= blkdev_write(dev, data, len, off) == 0;
		w->right &= blkdev_read(dev, got, len, off) == 0 && memcmp(data, got, len) == 0;
		if (i % 8 == w->number)
			w->right &= blkdev_flush(dev) == 0;
	}
	free(data);
	free(got);
	return NULL;
}

static void test_threads(void)
{
	struct worker workers[WORKERS];
	atomic_bool stop = false;
	pthread_t puller;

	begin_held(5, 10000, 4 << 20);
	CU_ASSERT_EQUAL_FATAL(pthread_create(&puller, NULL, pull_and_plug, &stop), 0);
	for (unsigned i = 0; i < WORKERS; i++) {
		workers[i] = (struct worker){.number = i};
		CU_ASSERT_EQUAL_FATAL(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
	}
	for (unsigned i = 0; i < WORKERS; i++) {
		pthread_join(workers[i].thread, NULL);
		CU_ASSERT(workers[i].right);
	}
	stop = true;
	pthread_join(puller, NULL);
	CU_ASSERT_EQUAL(blkdev_flush(dev), 0);
	CU_ASSERT(finder.back >= PULLS);
	CU_ASSERT_EQUAL(finder.lost, 0);
	CU_ASSERT_EQUAL(finder.refused, 0);
	printf("# pulled %u times\n", finder.away);
	end();
}

/* More than is held is flushed on the way. */
static void test_bound(void)
{
	static uint8_t data[65536];
	uint64_t calls;

	begin_held(3, 10000, 4 << 20);
	calls = stick_calls(finder.stick);
	for (int i = 0; i < 1000; i++) {
		memset(data, i, sizeof(data));
		CU_ASSERT_EQUAL_FATAL(blkdev_write(dev, data, sizeof(data), (uint64_t)(i % 8) * sizeof(data)), 0);
	}
	calls = stick_calls(finder.stick) - calls;
	CU_ASSERT(calls > 1020 && calls < 1100);
	printf("# 62 MiB of writes, %llu flushes\n", (unsigned long long)calls - 1000);
	finder.plug_after = 0;
	stick_pull(finder.stick);
	CU_ASSERT_EQUAL(blkdev_read(dev, data, sizeof(data), 7 * sizeof(data)), 0);
	CU_ASSERT_EQUAL(data[0], (uint8_t)999);
	CU_ASSERT_EQUAL(finder.back, 1);
	CU_ASSERT_EQUAL(stick_medium(finder.stick)[7 * sizeof(data)], (uint8_t)999);
	end();
}

/* Nothing works any more, and at once. Invariant 5. */
static void all_fails(void)
{
	struct reattach_state state;
	uint8_t data[512] = {0};

	CU_ASSERT_EQUAL(blkdev_read(dev, data, 512, 0), -ENODEV);
	CU_ASSERT_EQUAL(blkdev_write(dev, data, 512, 0), -ENODEV);
	CU_ASSERT_EQUAL(blkdev_flush(dev), -ENODEV);
	CU_ASSERT_EQUAL(blkdev_refresh(dev, 512, 0), -ENODEV);
	reattach_get_state(dev, &state);
	CU_ASSERT(state.lost && !state.away);
	CU_ASSERT_EQUAL(finder.lost, 1);
	CU_ASSERT_EQUAL(finder.back, 0);
}

static void test_too_late(void)
{
	uint8_t data[512] = {7};

	begin(1, 50);
	CU_ASSERT_EQUAL(blkdev_write(dev, data, 512, 0), 0);
	stick_pull(finder.stick);
	CU_ASSERT_EQUAL(blkdev_flush(dev), -ENODEV);
	CU_ASSERT_EQUAL(finder.away, 1);
	stick_plug(finder.stick);
	all_fails();
	end();
}

static void test_no_grace(void)
{
	begin(1, 0);
	stick_pull(finder.stick);
	finder.plug_after = 0;
	all_fails();
	CU_ASSERT_EQUAL(finder.away, 0);
	end();
}

static void *read_once(void *arg)
{
	uint8_t data[512];

	*(int *)arg = blkdev_read(dev, data, 512, 0);
	return NULL;
}

static void test_give_up(void)
{
	const struct timespec pause = {.tv_nsec = 5000000};
	struct reattach_state state = {0};
	pthread_t thread;
	int r = 1;

	begin(1, 60000);
	reattach_give_up(dev); /* it is there: nothing happens */
	stick_pull(finder.stick);
	CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, read_once, &r), 0);
	while (!state.away) {
		nanosleep(&pause, NULL);
		reattach_get_state(dev, &state);
	}
	CU_ASSERT(state.seconds_left > 50 && state.seconds_left <= 60);
	reattach_give_up(dev);
	pthread_join(thread, NULL);
	CU_ASSERT_EQUAL(r, -ENODEV);
	all_fails();
	end();
}

/* Closing does not wait for it. */
static void test_close_while_away(void)
{
	const struct timespec pause = {.tv_nsec = 5000000};
	struct reattach_state state = {0};
	pthread_t thread;
	int r = 1;

	begin(1, 60000);
	stick_pull(finder.stick);
	CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, read_once, &r), 0);
	while (!state.away) {
		nanosleep(&pause, NULL);
		reattach_get_state(dev, &state);
	}
	reattach_give_up(dev);
	pthread_join(thread, NULL);
	end();
	CU_ASSERT_EQUAL(finder.lost, 1);
}

/* Another drive first, then the right one. Invariant 4. */
static void test_another_drive(void)
{
	uint8_t data[512] = {7};
	CLEANUP_FREE uint8_t *before = malloc(SIZE);

	begin(1, 10000);
	CU_ASSERT_EQUAL_FATAL(stick_new(SIZE, 1, &finder.other), 0);
	memset(stick_medium(finder.other), 0x55, SIZE);
	memcpy(before, stick_medium(finder.other), SIZE);
	finder.plug_after = 3;
	CU_ASSERT_EQUAL(blkdev_write(dev, data, 512, 0), 0);
	stick_pull(finder.stick);
	CU_ASSERT_EQUAL(blkdev_flush(dev), 0);
	CU_ASSERT_EQUAL(finder.refused, 1);
	CU_ASSERT_EQUAL(finder.back, 1);
	CU_ASSERT_EQUAL(memcmp(before, stick_medium(finder.other), SIZE), 0);
	CU_ASSERT_EQUAL(stick_medium(finder.stick)[0], 7);
	end();
}

/* One bit is enough. */
static void test_changed(void)
{
	CLEANUP_FREE uint8_t *before = malloc(SIZE);
	struct reattach_state state;
	uint8_t data[512] = {7};
	uint8_t *medium;

	begin(1, 100);
	medium = stick_medium(finder.stick);
	CU_ASSERT_EQUAL(blkdev_write(dev, data, 512, SENTINEL + 512), 0);
	CU_ASSERT_EQUAL(blkdev_flush(dev), 0);
	CU_ASSERT_EQUAL(blkdev_write(dev, data, 512, 0), 0);
	stick_pull(finder.stick);
	medium[SENTINEL + SENTINEL_LEN - 1] ^= 1;
	memcpy(before, medium, SIZE);
	stick_plug(finder.stick);
	CU_ASSERT_EQUAL(blkdev_flush(dev), -ENODEV);
	CU_ASSERT_EQUAL(finder.refused, 1);
	CU_ASSERT_EQUAL(memcmp(before, medium, SIZE), 0);
	reattach_get_state(dev, &state);
	CU_ASSERT(state.lost);
	all_fails();
	end();
}

/* What was flushed there is not what was written before. */
static void test_older_state(void)
{
	CLEANUP_FREE uint8_t *before = malloc(SIZE);
	uint8_t data[512] = {7};

	begin(1, 100);
	memcpy(before, stick_medium(finder.stick), SIZE);
	CU_ASSERT_EQUAL(blkdev_write(dev, data, 512, SENTINEL), 0);
	CU_ASSERT_EQUAL(blkdev_flush(dev), 0);
	stick_pull(finder.stick);
	memcpy(stick_medium(finder.stick), before, SIZE); /* a copy made earlier */
	stick_plug(finder.stick);
	CU_ASSERT_EQUAL(blkdev_read(dev, data, 512, 0), -ENODEV);
	CU_ASSERT_EQUAL(finder.refused, 1);
	end();
}

static void test_too_small(void)
{
	uint8_t data[512];

	begin(1, 100);
	CU_ASSERT_EQUAL_FATAL(stick_new(SIZE / 2, 1, &finder.other), 0);
	stick_pull(finder.stick);
	CU_ASSERT_EQUAL(blkdev_read(dev, data, 512, 0), -ENODEV);
	CU_ASSERT_EQUAL(finder.refused, 1);
	end();
}

/* ---- a drive that is there, but does not take everything. Invariant 6 ---- */

struct losses {
	struct blkdev_lost list[16];
	unsigned count;
};

static void note_loss(void *ctx, const struct blkdev_lost *lost)
{
	struct losses *losses = ctx;

	if (losses->count < 16)
		losses->list[losses->count] = *lost;
	losses->count++;
}

static void test_bad_sectors(void)
{
	CLEANUP_FREE uint8_t *model = calloc(1, SIZE);
	struct losses losses = {0};
	uint8_t data[1024];

	begin(1, 10000);
	stick_set_bad(finder.stick, 100 * 1024 + 512, 512);
	for (uint32_t i = 1; i < 400; i++) {
		struct blkdev_write how = {.owner = i};

		memset(data, (int)i, sizeof(data));
		memcpy(model + i * 1024, data, sizeof(data));
		CU_ASSERT_EQUAL_FATAL(blkdev_write_how(dev, data, sizeof(data), i * 1024, &how), 0);
	}
	CU_ASSERT_EQUAL(blkdev_flush(dev), -EIO);
	CU_ASSERT_EQUAL(blkdev_flush(dev), -EIO); /* until somebody has asked */
	CU_ASSERT_EQUAL(blkdev_lost(dev, note_loss, &losses), 0);
	CU_ASSERT_EQUAL(losses.count, 1);
	CU_ASSERT_EQUAL(losses.list[0].owner, 100);
	CU_ASSERT_EQUAL(losses.list[0].off, 100 * 1024);
	CU_ASSERT_EQUAL(losses.list[0].len, 1024);
	CU_ASSERT_EQUAL(blkdev_flush(dev), 0);
	memset(model + 100 * 1024 + 512, 0, 512);
	CU_ASSERT_EQUAL(memcmp(model, stick_medium(finder.stick), SIZE), 0);
	CU_ASSERT_EQUAL(finder.away, 0);

	/* the drive has found a spare sector */
	stick_set_bad(finder.stick, 0, 0);
	CU_ASSERT_EQUAL(blkdev_write(dev, data, sizeof(data), 100 * 1024), 0);
	CU_ASSERT_EQUAL(blkdev_flush(dev), 0);
	end();
}

/* Without memory to find out, or to remember what it was, it is anything; it is never nothing. */
static void test_loss_without_memory(void)
{
	uint8_t data[512] = {9};

	for (int list = 0; list < 2; list++) {
		struct losses losses = {0};

		begin(1, 10000);
		stick_set_bad(finder.stick, 4096, 512);
		CU_ASSERT_EQUAL(blkdev_write(dev, data, 512, 4096), 0);
		CU_ASSERT_EQUAL(blkdev_write(dev, data, 512, 8192), 0);
		no_realloc = list;
		no_calloc = !list;
		CU_ASSERT_EQUAL(blkdev_flush(dev), -EIO);
		CU_ASSERT_EQUAL(blkdev_lost(dev, note_loss, &losses), 0);
		no_realloc = no_calloc = false;
		CU_ASSERT_EQUAL(losses.count, 1);
		CU_ASSERT_EQUAL(losses.list[0].len, UINT64_MAX);
		CU_ASSERT_EQUAL(losses.list[0].owner, 0);
		end();
	}
}

/* Some writes fail at once, some at the flush: nobody is blamed for another's. */
static void test_both_errors(void)
{
	struct losses losses = {0};
	uint8_t data[512] = {9};

	begin(1, 10000);
	for (uint32_t i = 1; i < 4; i++) {
		struct blkdev_write how = {.owner = i};

		CU_ASSERT_EQUAL(blkdev_write_how(dev, data, 512, i * 4096, &how), 0);
	}
	stick_set_bad(finder.stick, 2 * 4096, 512);
	stick_set_refused(finder.stick, 3 * 4096, 512);
	CU_ASSERT_EQUAL(blkdev_flush(dev), -EIO);
	CU_ASSERT_EQUAL(blkdev_lost(dev, note_loss, &losses), 0);
	CU_ASSERT_EQUAL(losses.count, 2);
	CU_ASSERT_EQUAL(losses.list[0].owner, 2);
	CU_ASSERT_EQUAL(losses.list[1].owner, 3);
	CU_ASSERT_EQUAL(stick_medium(finder.stick)[4096], 9);
	CU_ASSERT_EQUAL(blkdev_flush(dev), 0);
	end();
}

static atomic_bool flush_ended;

static void *flush_meanwhile(void *arg)
{
	int *r = arg;

	*r = blkdev_flush(dev);
	flush_ended = true;
	return NULL;
}

struct telling {
	pthread_t thread;
	int flushed;
	bool ended_before;
};

static void tell_slowly(void *ctx, const struct blkdev_lost *lost)
{
	const struct timespec while_told = {.tv_nsec = 300 * 1000000L};
	struct telling *t = ctx;

	CU_ASSERT_EQUAL_FATAL(pthread_create(&t->thread, NULL, flush_meanwhile, &t->flushed), 0);
	nanosleep(&while_told, NULL);
	t->ended_before = flush_ended;
}

/* Who flushes while somebody else is being told goes on when all is known that was lost. */
static void test_flush_while_told(void)
{
	struct blkdev_write how = {.owner = 7};
	struct telling t = {.flushed = 1};
	uint8_t data[512] = {9};

	begin(1, 10000);
	flush_ended = false;
	stick_set_bad(finder.stick, 4096, 512);
	CU_ASSERT_EQUAL(blkdev_write_how(dev, data, 512, 4096, &how), 0);
	CU_ASSERT_EQUAL(blkdev_flush(dev), -EIO);
	CU_ASSERT_EQUAL(blkdev_lost(dev, tell_slowly, &t), 0);
	pthread_join(t.thread, NULL);
	CU_ASSERT_FALSE(t.ended_before);
	CU_ASSERT_EQUAL(t.flushed, 0);
	end();
}

/* Writing it again was enough: the drive has found a spare sector. */
static void test_passing_error(void)
{
	uint8_t data[512] = {9};

	begin(1, 10000);
	finder.mends = true;
	CU_ASSERT_EQUAL(blkdev_write(dev, data, 512, 4096), 0);
	stick_set_bad(finder.stick, 4096, 512);
	CU_ASSERT_EQUAL(blkdev_flush(dev), 0);
	CU_ASSERT_EQUAL(stick_medium(finder.stick)[4096], 9);
	CU_ASSERT_EQUAL(finder.away, 0);
	end();
}

/* It is pulled while that is being found out. */
static void test_pulled_while_mending(void)
{
	uint8_t data[512] = {9};

	for (uint64_t n = 1; n < 12; n++) {
		struct losses losses = {0};

		begin(n, 10000);
		for (unsigned i = 1; i < 5; i++)
			CU_ASSERT_EQUAL(blkdev_write(dev, data, 512, i * 4096), 0);
		stick_set_bad(finder.stick, 4096, 512);
		finder.plug_after = 2;
		stick_pull_at(finder.stick, n, n % 2);
		CU_ASSERT_EQUAL(blkdev_flush(dev), -EIO);
		CU_ASSERT_EQUAL(blkdev_lost(dev, note_loss, &losses), 0);
		CU_ASSERT_EQUAL(losses.count, 1);
		CU_ASSERT_EQUAL(losses.list[0].off, 4096);
		CU_ASSERT_EQUAL(blkdev_flush(dev), 0);
		for (unsigned i = 2; i < 5; i++)
			CU_ASSERT_EQUAL(stick_medium(finder.stick)[i * 4096], 9);
		CU_ASSERT_EQUAL(finder.away, finder.back);
		end();
	}
}

/* What could not be brought is not written, then or when the drive comes back. */
static void test_not_brought(void)
{
	static uint8_t data[SIZE / 2], old[SIZE / 2];
	const uint64_t off = SIZE / 2;

	for (unsigned fails = 1; fails <= 2; fails++) {
		size_t written = 0;

		begin_held(1, 10000, 4 << 20);
		memset(data, 7, sizeof(data));
		/* Until the next one does not fit into what is left of the memory in one piece. */
		for (int i = 0; i < 3; i++)
			CU_ASSERT_EQUAL(blkdev_write(dev, data, sizeof(data), off), 0);
		CU_ASSERT_EQUAL(blkdev_write(dev, data, 200 * 1024, off), 0);
		memcpy(old, stick_shown(finder.stick) + off, sizeof(old));
		memset(data, 8, sizeof(data));
		source = (struct source){.data = data, .whole = sizeof(data), .fails = fails};
		CU_ASSERT_EQUAL(blkdev_write_from(dev, bring, &source, sizeof(data), off,
			&(struct blkdev_write){0}), -ENOMEM);
		written = source.brought;
		CU_ASSERT((written > 0) == (fails == 2) && written < sizeof(data));
		finder.plug_after = 1;
		stick_pull(finder.stick);
		CU_ASSERT_EQUAL(blkdev_flush(dev), 0);
		CU_ASSERT_EQUAL(finder.back, 1);
		CU_ASSERT_EQUAL(memcmp(stick_medium(finder.stick) + off, data, written), 0);
		CU_ASSERT_EQUAL(memcmp(stick_medium(finder.stick) + off + written, old + written,
			sizeof(old) - written), 0);
		end();
	}
}

/* More of them than there are places for, though not for their bytes. */
static void test_many_small(void)
{
	uint8_t data[512];

	begin_held(1, 10000, 4 << 20);
	for (unsigned i = 0; i < 5000; i++) {
		memset(data, (int)(i % 251), sizeof(data));
		CU_ASSERT_EQUAL(blkdev_write(dev, data, sizeof(data), i % 100 * 4096 + 16384), 0);
	}
	finder.plug_after = 1;
	stick_pull(finder.stick);
	CU_ASSERT_EQUAL(blkdev_flush(dev), 0);
	for (unsigned i = 4900; i < 5000; i++)
		CU_ASSERT_EQUAL(stick_medium(finder.stick)[i % 100 * 4096 + 16384], i % 251);
	end();
}

int main(void)
{
	alarm(300);
	return UNIT_RUN(UNIT(test_every_call), UNIT(test_threads), UNIT(test_bound), UNIT(test_too_late),
		UNIT(test_no_grace), UNIT(test_give_up), UNIT(test_close_while_away),
		UNIT(test_another_drive), UNIT(test_changed), UNIT(test_older_state), UNIT(test_too_small),
		UNIT(test_bad_sectors), UNIT(test_loss_without_memory), UNIT(test_both_errors),
		UNIT(test_flush_while_told), UNIT(test_passing_error), UNIT(test_pulled_while_mending),
		UNIT(test_not_brought), UNIT(test_many_small));
}
