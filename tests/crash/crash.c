/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Power failures, all of them: a workload runs on a device that records every write and flush. Then,
 * for every place in that stream, the drive is put together as a power failure there could leave it:
 * all writes before the last flush, and of those after it any that may have got there, whole or torn
 * between sectors. Each such drive is mounted, and must show a state that the rules allow (world.h);
 * after unmounting, e2fsck -fn must find nothing.
 *
 *	crash [-s SEED] [-n STEPS] [-e EVERY] [-m MKE2FS-OPTIONS] [-b MIB] [-k KIND]
 *
 * -e: judge every n-th place (1: all). Of every tenth drive e2fsck -fy recovers a copy, which must show the
 * same; of every seventh our own recovery is cut short by a second power failure. Prints how
 * many drives were judged.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bytes.h"
#include "tests/crash/power.h"
#include "tests/crash/workload.h"
#include "tests/crash/world.h"
#include "tests/dev/faultdev.h"
#include "tests/dev/image.h"
#include "tests/dev/memdev.h"

enum { WORLDS_MAX = 20000 };

static uint64_t seed = 1;
static unsigned steps = 150, every = 1, size_mib = 8;
static const char *mke2fs_options = "-b 1024 -J size=1 -N 256", *kind = "mixed";
static char image_path[128];
static struct blkdev *base, *work; /* before the workload; the drive being judged */
static struct blkdev *recorder, *again; /* the latter on top of work */
static uint8_t *spare; /* as large as a drive */
static struct world *worlds[WORLDS_MAX];
static struct moment {
	size_t records; /* written when this world was there */
	bool synced;
} moments[WORLDS_MAX];
static size_t world_total;
static struct e4_fs *live;
static unsigned long judged, by_e2fsck, cut_short;

/* ---- the workload -------------------------------------------------------------------------- */

static void remember(void *ctx, bool synced)
{
	const struct workload *load = ctx;
	size_t count;

	assert(world_total < WORLDS_MAX);
	/* Read first: a commit in between belongs to what was there before. */
	worlds[world_total] = world_read(live, world_total ? worlds[world_total - 1] : NULL, load->open);
	faultdev_records(recorder, &count);
	moments[world_total++] = (struct moment){count, synced};
}

static struct e4_fs *mount(struct blkdev *dev)
{
	struct e4_mount_options options = {.commit_ms = 3600 * 1000};
	struct diag diag = {0};
	struct e4_fs *fs;
	int r = e4_mount(dev, &options, &fs, &diag);

	if (r < 0) {
		printf("# mount: %d %s\n", r, diag.detail);
		return NULL;
	}
	if (e4_read_only_reason(fs)) {
		printf("# read-only: %s\n", e4_read_only_reason(fs));
		(void)!e4_unmount(fs);
		return NULL;
	}
	return fs;
}

static void run_workload(void)
{
	struct workload w = {.random = seed, .kind = kind, .changed = remember};
	struct blkdev *mem;
	int r = image_make((uint64_t)size_mib << 20, mke2fs_options, &mem);

	r = r < 0 ? r : memdev_new(mem->size_bytes, 512, &base);
	r = r < 0 ? r : memdev_new(mem->size_bytes, 512, &work);
	r = r < 0 ? r : faultdev_new(mem, &recorder);
	r = r < 0 ? r : faultdev_new(work, &again);
	spare = malloc(mem->size_bytes);
	assert(r == 0 && spare);
	live = mount(recorder);
	assert(live);
	w.fs = live;
	w.ctx = &w;
	workload_begin(&w);
	memcpy(memdev_data(base), memdev_data(mem), mem->size_bytes);
	faultdev_record(recorder, true);
	remember(&w, true);
	for (unsigned i = 0; i < steps; i++)
		workload_step(&w);
	workload_end(&w);
	remember(&w, false);
	r = e4_unmount(live);
	assert(r == 0);
}

/* ---- one drive ----------------------------------------------------------------------------- */

static void save_image(void)
{
	int r = image_save(work, image_path);

	assert(r == 0);
}

static int e2fsck(const char *how)
{
	char command[400];
	int status;

	snprintf(command, sizeof(command), "e2fsck %s %s >%s.out 2>&1", how, image_path, image_path);
	status = system(command);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

static void show_e2fsck(void)
{
	char command[400];

	fflush(stdout);
	snprintf(command, sizeof(command), "head -n 20 %s.out | sed 's/^/# /'", image_path);
	(void)!system(command);
}

/* Whether what was found is allowed for a cut after `cut` records. */
static bool is_allowed(const struct world *got, size_t cut)
{
	size_t from = 0, to = 0;
	const char *why;

	for (size_t i = 0; i < world_total; i++) {
		if (moments[i].synced && moments[i].records <= cut)
			from = i;
		if (moments[i].records <= cut)
			to = i;
	}
	/* The operation that was under way. */
	to = min_u64(to + 1, world_total - 1);
	why = world_allowed(got, worlds, from, to);
	if (why)
		printf("# states %zu to %zu: %s\n", from, to, why);
	return !why;
}

/* What the drive shows, then unmounted, for e2fsck to find nothing; NULL when any of this fails. */
static struct world *recovered_by_us(void)
{
	struct e4_fs *fs = mount(work);
	struct world *got;
	int r;

	if (!fs)
		return NULL;
	got = world_read(fs, NULL, NULL);
	r = e4_unmount(fs);
	if (r < 0)
		printf("# unmount: %d\n", r);
	save_image();
	r = r < 0 ? r : e2fsck("-fn");
	if (r == 0)
		return got;
	printf("# e2fsck -fn: %d\n", r);
	show_e2fsck();
	world_free(got);
	return NULL;
}

/* The same drive, as it was: recovered by e2fsck. */
static struct world *recovered_by_e2fsck(void)
{
	struct world *got = NULL;
	struct e4_fs *fs;
	int r, fd;

	memcpy(memdev_data(work), spare, work->size_bytes);
	save_image();
	r = e2fsck("-fy");
	if (r > 1) {
		printf("# e2fsck -fy: %d\n", r);
		show_e2fsck();
		return NULL;
	}
	fd = open(image_path, O_RDONLY);
	assert(fd >= 0);
	if (read(fd, memdev_data(work), work->size_bytes) != (ssize_t)work->size_bytes)
		abort();
	close(fd);
	fs = mount(work);
	if (fs) {
		got = world_read(fs, NULL, NULL);
		r = e4_unmount(fs);
		assert(r == 0);
	}
	return got;
}

static bool same_by_e2fsck(const struct world *ours)
{
	struct world *theirs = recovered_by_e2fsck();
	const char *why = theirs ? world_allowed(ours, &theirs, 0, 0) : "not recovered";

	by_e2fsck++;
	if (why)
		printf("# not as e2fsck recovers it: %s\n", why);
	world_free(theirs);
	return !why;
}

/* The power fails again while we recover the drive, or just after. */
static bool cut_recovery(bool super_whole)
{
	const struct fault_record *records;
	struct fault_record *whole;
	struct e4_fs *fs;
	size_t count;
	int r;

	memcpy(spare, memdev_data(work), work->size_bytes);
	faultdev_record(again, true);
	fs = mount(again);
	if (!fs)
		return false;
	r = e4_unmount(fs);
	assert(r == 0);
	records = faultdev_records(again, &count);
	whole = power_sectors(records, count, spare, work->size_bytes);
	memcpy(memdev_data(work), spare, work->size_bytes);
	power_fail(memdev_data(work), whole, 0, power_pick((uint32_t)count + 1), super_whole);
	power_sectors_free(whole, count);
	faultdev_record(again, false);
	cut_short++;
	return true;
}

/* The drive as it may be after `cut` records, `flushed` of which are on the medium for certain. */
static bool judge(const struct fault_record *records, size_t flushed, size_t cut)
{
	bool for_e2fsck = ++judged % 10 == 0, right;
	struct world *got;

	memcpy(memdev_data(work), memdev_data(base), base->size_bytes);
	power_fail(memdev_data(work), records, flushed, cut, for_e2fsck);
	right = judged % 7 != 0 || cut_recovery(for_e2fsck);
	memcpy(spare, memdev_data(work), work->size_bytes);
	got = right ? recovered_by_us() : NULL;
	right = got && is_allowed(got, cut);
	if (right && for_e2fsck)
		right = same_by_e2fsck(got);
	world_free(got);
	if (!right)
		printf("# power failure after write %zu of it, last flush before %zu\n", cut, flushed);
	return right;
}

static bool judge_all(void)
{
	size_t count, flushed = 0;
	const struct fault_record *records = faultdev_records(recorder, &count);

	records = power_sectors(records, count, memdev_data(base), base->size_bytes);
	for (size_t cut = 0; cut <= count; cut++) {
		if (cut > 0 && records[cut - 1].op == FAULT_FLUSH) {
			/* From now on these are there for certain. */
			for (size_t i = flushed; i < cut; i++)
				if (records[i].op == FAULT_WRITE)
					memcpy((uint8_t *)memdev_data(base) + records[i].off, records[i].data,
						records[i].len);
			flushed = cut;
		}
		if (power_pick(every) == 0 && !judge(records, flushed, cut))
			return false;
	}
	return true;
}

static void parse(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "s:n:e:m:b:k:")) != -1) {
		switch (c) {
		case 's':
			seed = strtoull(optarg, NULL, 0);
			break;
		case 'n':
			steps = (unsigned)atoi(optarg);
			break;
		case 'e':
			every = (unsigned)atoi(optarg);
			break;
		case 'm':
			mke2fs_options = optarg;
			break;
		case 'b':
			size_mib = (unsigned)atoi(optarg);
			break;
		case 'k':
			kind = optarg;
			break;
		default:
			exit(2);
		}
	}
}

int main(int argc, char **argv)
{
	const char *tmp = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
	size_t count;
	bool right;

	parse(argc, argv);
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("# seed %llu, %s, %s\n", (unsigned long long)seed, kind, mke2fs_options);
	seed = seed * 0x9e3779b97f4a7c15ULL + 1;
	snprintf(image_path, sizeof(image_path), "%s/sealdrive-crash-%d", tmp, (int)getpid());
	power_seed(seed);
	run_workload();
	faultdev_records(recorder, &count);
	right = judge_all();
	printf("# %zu writes and flushes, %zu states, %lu drives judged (%lu by e2fsck, too; %lu cut twice)\n", count,
		world_total, judged, by_e2fsck, cut_short);
	if (right) {
		unlink(image_path);
		strcat(image_path, ".out");
		unlink(image_path);
	} else {
		printf("# the drive: %s\n", image_path);
	}
	return right ? 0 : 1;
}
