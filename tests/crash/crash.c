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
 * -e: judge every n-th place (1: all). Every tenth drive is also given to e2fsck -fy first, and must
 * then show an allowed state, too. Prints TAP and how many drives were judged.
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
#include "tests/crash/workload.h"
#include "tests/crash/world.h"
#include "tests/dev/faultdev.h"
#include "tests/dev/image.h"
#include "tests/dev/memdev.h"

enum { SECTOR = 512, WORLDS_MAX = 20000, SUPER_FIRST = 2, SUPER_SECTORS = 2 };

static uint64_t seed = 1;
static unsigned steps = 150, every = 1, size_mib = 8;
static const char *mke2fs_options = "-b 1024 -J size=1 -N 256", *kind = "mixed";
static char image_path[128];
static struct blkdev *base, *work; /* before the workload; the drive being judged */
static struct blkdev *recorder;
static struct world *worlds[WORLDS_MAX];
static struct moment {
	size_t records; /* written when this world was there */
	bool synced;
} moments[WORLDS_MAX];
static size_t world_total;
static struct e4_fs *live;
static unsigned long judged, judged_by_e2fsck;

static uint32_t pick(uint32_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)((seed * 0x2545f4914f6cdd1d) >> 33) % below;
}

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

	assert(r == 0);
	r = memdev_new(mem->size_bytes, 512, &base);
	assert(r == 0);
	r = memdev_new(mem->size_bytes, 512, &work);
	assert(r == 0);
	r = faultdev_new(mem, &recorder);
	assert(r == 0);
	live = mount(recorder);
	assert(live);
	memcpy(memdev_data(base), memdev_data(mem), mem->size_bytes);
	faultdev_record(recorder, true);
	w.fs = live;
	w.ctx = &w;
	remember(&w, true);
	for (unsigned i = 0; i < steps; i++)
		workload_step(&w);
	workload_end(&w);
	remember(&w, false);
	r = e4_unmount(live);
	assert(r == 0);
}

/* ---- one drive ----------------------------------------------------------------------------- */

/* The stream as a drive sees it: whole sectors. Who writes a part of one has read the rest before. */
static struct fault_record *whole_sectors(const struct fault_record *records, size_t count)
{
	struct fault_record *whole = calloc(count + 1, sizeof(*whole));
	uint8_t *now = malloc(base->size_bytes);

	assert(whole && now);
	memcpy(now, memdev_data(base), base->size_bytes);
	for (size_t i = 0; i < count; i++) {
		uint64_t from = records[i].off / SECTOR * SECTOR;
		uint64_t end = round_up_u64(records[i].off + records[i].len, SECTOR);

		whole[i].op = records[i].op;
		if (records[i].op != FAULT_WRITE)
			continue;
		memcpy(now + records[i].off, records[i].data, records[i].len);
		whole[i] = (struct fault_record){FAULT_WRITE, from, end - from, malloc(end - from)};
		assert(whole[i].data);
		memcpy(whole[i].data, now + from, end - from);
	}
	free(now);
	return whole;
}

static void put_sectors(const struct fault_record *record, uint64_t from, uint64_t to)
{
	memcpy((uint8_t *)memdev_data(work) + record->off + from, record->data + from, to - from);
}

/* A write that was not flushed: all of it, nothing, or some of its sectors. The super block's two sectors
 * stay together: a drive that tears those tears everybody's file systems. */
static void put_maybe(const struct fault_record *record)
{
	uint32_t how = pick(4);

	if (how == 0)
		return;
	if (how == 1) {
		put_sectors(record, 0, record->len);
		return;
	}
	for (uint64_t at = 0, len; at < record->len; at += len) {
		uint64_t sector = (record->off + at) / SECTOR;

		len = min_u64((sector == SUPER_FIRST ? SUPER_SECTORS : 1) * SECTOR, record->len - at);
		if (how == 2 ? pick(2) : at * 4 < record->len * (uint64_t)pick(5))
			put_sectors(record, at, at + len);
	}
}

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

/* Whether what is mounted is allowed for a cut after `cut` records. */
static bool shows_allowed(struct e4_fs *fs, size_t cut)
{
	size_t from = 0, to = 0;
	struct world *got = world_read(fs, NULL, NULL);
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
	world_free(got);
	return !why;
}

static bool judge_ours(size_t cut)
{
	struct e4_fs *fs = mount(work);
	bool right;
	int r;

	if (!fs)
		return false;
	right = shows_allowed(fs, cut);
	r = e4_unmount(fs);
	if (r < 0)
		printf("# unmount: %d\n", r);
	save_image();
	r = r < 0 ? r : e2fsck("-fn");
	if (r) {
		printf("# e2fsck -fn: %d\n", r);
		show_e2fsck();
	}
	return right && r == 0;
}

/* The same drive, recovered by e2fsck. */
static bool judge_theirs(size_t cut)
{
	struct e4_fs *fs;
	bool right;
	int r = e2fsck("-fy"), fd;

	judged_by_e2fsck++;
	if (r > 1) {
		printf("# e2fsck -fy: %d\n", r);
		show_e2fsck();
		return false;
	}
	fd = open(image_path, O_RDONLY);
	assert(fd >= 0);
	if (read(fd, memdev_data(work), work->size_bytes) != (ssize_t)work->size_bytes)
		abort();
	close(fd);
	fs = mount(work);
	if (!fs)
		return false;
	right = shows_allowed(fs, cut);
	return e4_unmount(fs) == 0 && right;
}

/* The drive as it may be after `cut` records, `flushed` of which are on the medium for certain. */
static bool judge(const struct fault_record *records, size_t flushed, size_t cut)
{
	bool right;

	memcpy(memdev_data(work), memdev_data(base), base->size_bytes);
	for (size_t i = flushed; i < cut; i++)
		if (records[i].op == FAULT_WRITE)
			put_maybe(&records[i]);
	judged++;
	if (judged % 10 == 0) {
		save_image();
		right = judge_theirs(cut);
	} else {
		right = judge_ours(cut);
	}
	if (!right)
		printf("# power failure after write %zu of it, last flush before %zu\n", cut, flushed);
	return right;
}

static bool judge_all(void)
{
	size_t count, flushed = 0;
	const struct fault_record *records = faultdev_records(recorder, &count);

	records = whole_sectors(records, count);
	for (size_t cut = 0; cut <= count; cut++) {
		if (cut > 0 && records[cut - 1].op == FAULT_FLUSH) {
			/* From now on these are there for certain. */
			for (size_t i = flushed; i < cut; i++)
				if (records[i].op == FAULT_WRITE)
					memcpy((uint8_t *)memdev_data(base) + records[i].off, records[i].data,
						records[i].len);
			flushed = cut;
		}
		if (pick(every) == 0 && !judge(records, flushed, cut))
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
	run_workload();
	faultdev_records(recorder, &count);
	right = judge_all();
	printf("# %zu writes and flushes, %zu states, %lu drives judged (%lu recovered by e2fsck)\n", count,
		world_total, judged, judged_by_e2fsck);
	if (right) {
		unlink(image_path);
		strcat(image_path, ".out");
		unlink(image_path);
	} else {
		printf("# the drive: %s\n", image_path);
	}
	return right ? 0 : 1;
}
