/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How fast is the cipher device, compared with libgcrypt's bare loop over the same sectors, and does it
 * grow with the cores?
 *
 *	bench-cryptdev [MIB]
 *
 * Not a test. Both move bytes between a request's buffer and 4 MiB of memory per thread; the device below
 * the cipher device only says where they are, as a mounted drive's does (base/blkdev.h: read_to, write_from).
 * Bare loop and device take turns, and the best turn counts, as others may use the machine:
 * - alone: by the thread's own CPU time, so per core;
 * - one thread for each core, at the same time: by the time that passes.
 */
#include <gcrypt.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "kernel-shim/cryptdev.h"

enum { REQUEST = 1024 * 1024, REGION = 4 * REQUEST, ROUNDS = 64, THREADS_MAX = 64 };

enum way { DECRYPT, ENCRYPT, READ, WRITE, WAYS };

static uint8_t key_bytes[64];

struct worker {
	enum way way;
	unsigned requests;
	uint32_t sector_bytes;
	struct blkdev *dev;
	uint64_t start; /* its region of dev */
	uint8_t *buffer, *memory; /* memory: the device's region */
	pthread_barrier_t *ready;
	double begun, ended, cpu_seconds; /* of its own; negative: failed */
};

static double now(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* ---- memory that lies below the cipher device ---- */

struct sink {
	struct blkdev dev;
	uint8_t *memory;
};

static int sink_read_to(struct blkdev *dev, void *buf, blkdev_take_fn fn, void *ctx, size_t len, uint64_t off)
{
	return fn(ctx, container_of(dev, struct sink, dev)->memory + off, len, 0);
}

static int sink_write_from(struct blkdev *dev, blkdev_fill_fn fn, void *ctx, size_t len, uint64_t off,
	const struct blkdev_write *how)
{
	return fn(ctx, container_of(dev, struct sink, dev)->memory + off, len, 0);
}

static void sink_close(struct blkdev *dev)
{
}

static const struct blkdev_ops sink_ops = {
	.read_to = sink_read_to,
	.write_from = sink_write_from,
	.close = sink_close,
};

/* ---- the work ---- */

/* One pass over a request. */
static gcry_error_t bare(const struct worker *w, gcry_cipher_hd_t handle, unsigned nth)
{
	uint8_t *memory = w->memory + nth % (REGION / REQUEST) * (size_t)REQUEST;
	gcry_error_t err = 0;

	for (uint32_t off = 0; off < REQUEST && !err; off += w->sector_bytes) {
		le64 iv[2] = {le64_make(off / 512), le64_make(0)};

		err = gcry_cipher_setiv(handle, iv, sizeof(iv));
		if (!err && w->way == ENCRYPT)
			err = gcry_cipher_encrypt(handle, memory + off, w->sector_bytes, w->buffer + off,
				w->sector_bytes);
		else if (!err)
			err = gcry_cipher_decrypt(handle, w->buffer + off, w->sector_bytes, memory + off,
				w->sector_bytes);
	}
	return err;
}

static int device(const struct worker *w, unsigned nth)
{
	uint64_t off = w->start + nth % (REGION / REQUEST) * (uint64_t)REQUEST;

	return w->way == READ ? blkdev_read(w->dev, w->buffer, REQUEST, off) :
		blkdev_write_clobber(w->dev, w->buffer, REQUEST, off);
}

static void *worker_run(void *arg)
{
	struct worker *w = arg;
	gcry_cipher_hd_t handle;
	bool failed = gcry_cipher_open(&handle, GCRY_CIPHER_AES256, GCRY_CIPHER_MODE_XTS, 0) ||
		gcry_cipher_setkey(handle, key_bytes, sizeof(key_bytes));
	double start;

	pthread_barrier_wait(w->ready);
	w->begun = now(CLOCK_MONOTONIC);
	start = now(CLOCK_THREAD_CPUTIME_ID);
	for (unsigned i = 0; i < w->requests && !failed; i++)
		failed = w->way <= ENCRYPT ? bare(w, handle, i) != 0 : device(w, i) < 0;
	w->cpu_seconds = failed ? -1 : now(CLOCK_THREAD_CPUTIME_ID) - start;
	w->ended = now(CLOCK_MONOTONIC);
	gcry_cipher_close(handle);
	return NULL;
}

/* MiB/s of all together; alone: by CPU time. 0: failed. */
static double turn(struct worker *workers, unsigned count, enum way way)
{
	pthread_t threads[THREADS_MAX];
	pthread_barrier_t ready;
	double begun = 0, ended = 0;
	bool failed = false;

	pthread_barrier_init(&ready, NULL, count);
	for (unsigned i = 0; i < count; i++) {
		workers[i].way = way;
		workers[i].ready = &ready;
		if (pthread_create(&threads[i], NULL, worker_run, &workers[i]) != 0)
			abort();
	}
	for (unsigned i = 0; i < count; i++) {
		pthread_join(threads[i], NULL);
		failed |= workers[i].cpu_seconds < 0;
		begun = i == 0 || workers[i].begun < begun ? workers[i].begun : begun;
		ended = workers[i].ended > ended ? workers[i].ended : ended;
	}
	pthread_barrier_destroy(&ready);
	if (failed)
		return 0;
	return count * workers[0].requests / (count == 1 ? workers[0].cpu_seconds : ended - begun);
}

static bool measure(struct worker *workers, unsigned count, uint32_t sector_bytes)
{
	double best[WAYS] = {0};

	for (unsigned i = 0; i < count; i++)
		workers[i].sector_bytes = sector_bytes;
	for (unsigned round = 0; round < ROUNDS; round++) {
		for (enum way way = 0; way < WAYS; way++) {
			double rate = turn(workers, count, way);

			if (!(rate > 0))
				return false;
			best[way] = rate > best[way] ? rate : best[way];
		}
	}
	printf("sector %4u, %2u %s bare decrypt %6.0f encrypt %6.0f | read %6.0f (%.2f)  write %6.0f (%.2f) MiB/s\n",
		sector_bytes, count, count == 1 ? "thread: " : "threads:", best[DECRYPT], best[ENCRYPT],
		best[READ], best[READ] / best[DECRYPT], best[WRITE], best[WRITE] / best[ENCRYPT]);
	return true;
}

static int device_new(struct sink *sink, uint32_t sector_bytes, struct blkdev **ret_dev)
{
	struct cryptdev_params params = {.cipher = "aes-xts-plain64", .sector_bytes = sector_bytes};
	CLEANUP_SECRET struct secret *key = NULL;
	int r = secret_new_copy(key_bytes, sizeof(key_bytes), &key);

	return r < 0 ? r : cryptdev_open(&sink->dev, &params, key, ret_dev, NULL);
}

int main(int argc, char **argv)
{
	unsigned mib = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 2048;
	unsigned count = (unsigned)min_u64((uint64_t)sysconf(_SC_NPROCESSORS_ONLN), THREADS_MAX);
	struct worker workers[THREADS_MAX] = {0};
	struct sink sink = {.dev = {.ops = &sink_ops, .size_bytes = count * (uint64_t)REGION, .block_bytes = 512}};

	if (crypto_init() < 0 || mib < ROUNDS)
		return 1;
	sink.memory = aligned_alloc(4096, sink.dev.size_bytes);
	if (!sink.memory)
		return 1;
	memset(sink.memory, 1, sink.dev.size_bytes);
	for (size_t i = 0; i < sizeof(key_bytes); i++)
		key_bytes[i] = (uint8_t)(i * 7 + 1);
	for (unsigned i = 0; i < count; i++) {
		workers[i].requests = mib / ROUNDS;
		workers[i].start = i * (uint64_t)REGION;
		workers[i].buffer = aligned_alloc(4096, REQUEST);
		workers[i].memory = sink.memory + workers[i].start;
		if (!workers[i].buffer)
			return 1;
		memset(workers[i].buffer, 1, REQUEST);
	}
	for (uint32_t sector = 512; sector <= 4096; sector *= 2) {
		CLEANUP_BLKDEV struct blkdev *dev = NULL;

		if (device_new(&sink, sector, &dev) < 0)
			return 1;
		for (unsigned i = 0; i < count; i++)
			workers[i].dev = dev;
		if (!measure(workers, 1, sector) || (count > 1 && !measure(workers, count, sector)))
			return 1;
	}
	return 0;
}
