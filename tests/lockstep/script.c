/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Invariants: what touches the shared folder, or a file opened there, is done under shared_lock, so
 * both sides see the threads' operations in one order; an operation is recorded before it is done,
 * those under the lock in the order in which they are done.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/lockstep/script.h"
#include "tests/lockstep/world.h"

enum { HOME_FOLDERS = 3 };

static pthread_mutex_t shared_lock = PTHREAD_MUTEX_INITIALIZER;
/* Where one of several runs on the same file systems begins: nothing is open then. */
static const char run_line[] = "# run";
static FILE *recording;
static unsigned long operations_each;

static void record(const struct op *op)
{
	char line[OP_LINE];

	if (!recording)
		return;
	op_print(op, line);
	fprintf(recording, "%s\n", line); /* one call: stdio's own lock keeps lines whole */
}

/* With a few folders, as most of the first operations would find nothing otherwise. */
static void make_home(struct worker *w)
{
	char name[32];

	snprintf(name, sizeof(name), "t%u", w->number);
	snprintf(w->what, sizeof(w->what), "mkdir %s", name);
	BOTH(w, mkdirat(root_fd[side], name, 0777));
	for (int i = 0; i < HOME_FOLDERS; i++) {
		snprintf(name, sizeof(name), "t%u/d%d", w->number, i);
		BOTH(w, mkdirat(root_fd[side], name, 0777));
	}
}

static void *work(void *arg)
{
	struct worker *w = arg;
	struct op op;
	bool shared;

	make_home(w);
	for (unsigned long i = 0; i < operations_each && !atomic_load(&failed); i++) {
		op_choose(w, &op);
		shared = op_shared(w, &op);
		if (shared)
			pthread_mutex_lock(&shared_lock);
		record(&op);
		op_run(w, &op);
		if (shared)
			pthread_mutex_unlock(&shared_lock);
	}
	return NULL;
}

static int run_workers(struct worker *workers, unsigned threads, uint64_t seed)
{
	pthread_t ids[THREADS_MAX];
	unsigned started = 0;
	int err = 0;

	for (; started < threads && err == 0; started++) {
		err = worker_init(&workers[started], started, seed);
		if (err == 0)
			err = -pthread_create(&ids[started], NULL, work, &workers[started]);
		if (err < 0)
			break;
	}
	for (unsigned i = 0; i < started; i++) {
		pthread_join(ids[i], NULL);
		worker_free(&workers[i]);
	}
	return err;
}

int script_random(unsigned threads, unsigned long operations, uint64_t seed, const char *record_to)
{
	struct worker *workers = calloc(threads, sizeof(*workers));
	int err = workers ? 0 : -ENOMEM;

	printf("# seed %llu, %u threads, %lu operations each\n", (unsigned long long)seed, threads,
		operations);
	operations_each = operations;
	if (record_to) {
		recording = fopen(record_to, "a");
		if (!recording)
			err = -errno;
		else
			fprintf(recording, "%s\n", run_line);
	}
	if (err == 0)
		err = run_workers(workers, threads, seed);
	if (recording)
		fclose(recording);
	free(workers);
	return err;
}

static int replay_line(char *line, struct worker *workers[THREADS_MAX])
{
	struct worker **w;
	struct op op;
	int err = 0;

	if (!op_parse(line, &op))
		return -EINVAL;
	w = &workers[op.thread];
	if (!*w) {
		*w = calloc(1, sizeof(**w));
		err = *w ? worker_init(*w, op.thread, 0) : -ENOMEM;
		if (err == 0)
			make_home(*w);
	}
	if (err == 0)
		op_run(*w, &op);
	return err;
}

static void free_workers(struct worker *workers[THREADS_MAX])
{
	for (unsigned i = 0; i < THREADS_MAX; i++) {
		if (workers[i])
			worker_free(workers[i]);
		free(workers[i]);
		workers[i] = NULL;
	}
}

int script_replay(const char *file)
{
	struct worker *workers[THREADS_MAX] = {NULL};
	FILE *f = fopen(file, "r");
	char line[OP_LINE];
	int err = f ? 0 : -errno;

	for (unsigned long n = 1; f && err == 0 && !atomic_load(&failed) && fgets(line, sizeof(line), f); n++) {
		if (strncmp(line, run_line, strlen(run_line)) == 0)
			free_workers(workers);
		if (line[0] == '#' || line[0] == '\n')
			continue;
		err = replay_line(line, workers);
		if (err < 0)
			fprintf(stderr, "%s: line %lu: %s\n", file, n, strerror(-err));
	}
	if (f)
		fclose(f);
	free_workers(workers);
	return err;
}
