/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Two directories in lockstep: every operation is done in both, and results, errno, attributes,
 * contents and listings must agree. One is on the file system under test, the other on the kernel's,
 * both mounted with noatime.
 *
 *	lockstep [-s SEED] [-t THREADS] [-n OPERATIONS] [-r SCRIPT] [-x KIND]... A B	at random; appends to SCRIPT
 *	lockstep --replay SCRIPT A B	does what is in the script, in its order, in one thread
 *	lockstep --compare A B		compares the two trees only (after a remount)
 *
 * Exits with 1 at the first difference, 2 when something else is wrong. Each thread works in a
 * folder of its own with the seed SEED + its number; in the folder "shared" all threads work.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lockstep/probe.h"
#include "tests/lockstep/script.h"
#include "tests/lockstep/totals.h"
#include "tests/lockstep/tree.h"
#include "tests/lockstep/world.h"

enum { EXIT_DIFFERENCE = 1, EXIT_TROUBLE = 2 };

struct options {
	unsigned threads;
	unsigned long operations;
	uint64_t seed;
	const char *record, *replay;
	bool compare;
};

static int usage(void)
{
	fprintf(stderr, "usage: lockstep [-s SEED] [-t THREADS] [-n OPERATIONS] [-r SCRIPT] A B\n"
			"       lockstep --replay SCRIPT A B\n"
			"       lockstep --compare A B\n");
	return EXIT_TROUBLE;
}

static int parse(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = {{"replay", required_argument, NULL, 'p'},
		{"compare", no_argument, NULL, 'c'}, {NULL, 0, NULL, 0}};
	int opt;

	while ((opt = getopt_long(argc, argv, "s:t:n:r:x:", longs, NULL)) != -1)
		switch (opt) {
		case 's':
			o->seed = strtoull(optarg, NULL, 0);
			break;
		case 't':
			o->threads = strtoul(optarg, NULL, 0);
			break;
		case 'n':
			o->operations = strtoul(optarg, NULL, 0);
			break;
		case 'r':
			o->record = optarg;
			break;
		case 'x':
			probe_leave_out(optarg);
			break;
		case 'p':
			o->replay = optarg;
			break;
		case 'c':
			o->compare = true;
			break;
		default:
			return -1;
		}
	return argc - optind == SIDES && o->threads > 0 && o->threads <= THREADS_MAX ? 0 : -1;
}

static int open_roots(char **dirs)
{
	for (int side = 0; side < SIDES; side++) {
		root_fd[side] = open(dirs[side], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (root_fd[side] < 0) {
			perror(dirs[side]);
			return -1;
		}
	}
	return 0;
}

static int make_shared(void)
{
	for (int side = 0; side < SIDES; side++)
		if (mkdirat(root_fd[side], "shared", 0777) < 0 && errno != EEXIST) {
			perror("shared");
			return -1;
		}
	return 0;
}

static int compare_all(bool after_run)
{
	struct worker w;
	unsigned long seen;

	if (worker_init(&w, THREADS_MAX, 0) < 0)
		return EXIT_TROUBLE;
	strcpy(w.what, "at the end");
	if (after_run && !atomic_load(&failed))
		totals_compare(&w);
	seen = atomic_load(&failed) ? 0 : tree_compare(&w, ".");
	worker_free(&w);
	if (atomic_load(&failed))
		return EXIT_DIFFERENCE;
	printf("# equal: %lu files and folders\n", seen);
	return seen > 0 ? 0 : EXIT_TROUBLE;
}

int main(int argc, char **argv)
{
	struct options o = {.threads = 4, .operations = 2000, .seed = (uint64_t)getpid() * 2654435761u};
	int err;

	if (parse(argc, argv, &o) < 0)
		return usage();
	umask(0);
	signal(SIGPIPE, SIG_IGN); /* FIFOs without a reader */
	if (open_roots(argv + optind) < 0)
		return EXIT_TROUBLE;
	if (!probe_sides())
		return EXIT_DIFFERENCE;
	if (o.compare)
		return compare_all(false);
	alone = o.threads == 1 || o.replay;
	if (make_shared() < 0)
		return EXIT_TROUBLE;
	totals_start();
	if (o.replay)
		err = script_replay(o.replay);
	else
		err = script_random(o.threads, o.operations, o.seed, o.record);
	return err < 0 ? EXIT_TROUBLE : compare_all(true);
}
