/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A whole life of a volume on a drive that is pulled out at its n-th call, loses a part of what it had in its
 * cache, and is put back: no operation fails, nothing is lost, e2fsck finds nothing. And drives that were
 * used elsewhere meanwhile are told from those that were not.
 */
#include <errno.h>
#include <ext2fs/ext2_fs.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "ext4/ext4.h"
#include "kernel-shim/reattach.h"
#include "tests/dev/image.h"
#include "tests/dev/memdev.h"
#include "tests/dev/stick.h"
#include "tests/unit.h"

enum { SIZE = 6 << 20, STEPS = 40, BYTES_MAX = 9000, JUDGE_EVERY = 16 };

static struct blkdev *image; /* fresh, in memory */
static struct stick *stick;
static struct blkdev *dev;
static struct e4_fs *fs;
static int plug_after;
static unsigned away, back, refused, reports;

static bool is_gone(void *ctx, struct blkdev *d)
{
	return stick_is_dead(d);
}

static void forget_error(void *ctx, struct blkdev *d)
{
	stick_forget_error(d);
}

static int candidate(void *ctx, unsigned n, struct blkdev **ret_dev)
{
	if (n > 0)
		return -ENOENT;
	if (plug_after >= 0 && plug_after-- == 0)
		stick_plug(stick);
	return stick_open(stick, ret_dev) < 0 ? -ENXIO : 1;
}

static void accepted(void *ctx, unsigned n, struct blkdev *d)
{
}

static void event(void *ctx, enum reattach_event what, int err)
{
	away += what == REATTACH_AWAY;
	back += what == REATTACH_BACK;
	refused += what == REATTACH_REFUSED;
}

static const struct reattach_ops ops = {
	.is_gone = is_gone,
	.forget_error = forget_error,
	.candidate = candidate,
	.accepted = accepted,
	.event = event,
};

static void (*while_reported)(void); /* NULL: nothing */

static void on_error(void *ctx, int err, const char *what)
{
	reports++;
	if (while_reported)
		while_reported();
	printf("# volume error %d: %s\n", err, what);
}

/* A fresh drive, mounted. */
static bool begin(uint64_t seed, unsigned grace_ms)
{
	struct reattach_params params = {.ops = &ops, .poll_ms = 1, .suspect_ms = 60, .hold_bytes = 4 << 20};
	struct e4_mount_options options = {
		.commit_ms = 3600 * 1000, .cache_bytes = 300 << 10, .on_error = on_error};
	struct blkdev *lower;

	plug_after = -1;
	away = back = refused = reports = 0;
	if (stick_new(SIZE, seed, &stick) < 0)
		return false;
	memcpy(stick_medium(stick), memdev_data(image), SIZE);
	if (stick_open(stick, &lower) < 0 || reattach_new(lower, &params, &dev) < 0)
		return false;
	reattach_set_grace(dev, grace_ms);
	return e4_mount(dev, &options, &fs, NULL) == 0;
}

static void end(void)
{
	blkdev_close(dev);
	stick_free(stick);
}

static int make_file(struct e4_inode *root, int i)
{
	struct e4_create what = {.mode = S_IFREG | 0600};
	static uint8_t bytes[BYTES_MAX];
	struct e4_inode *inode;
	size_t len = (size_t)(i * 977 % BYTES_MAX) + 1;
	char name[20];
	ssize_t n;
	int r;

	memset(bytes, i + 1, len);
	sprintf(name, "file-%d", i);
	r = e4_create(root, name, strlen(name), &what, &inode);
	if (r < 0)
		return r;
	n = e4_write(inode, bytes, len, 0, 0);
	r = n < 0 ? (int)n : (size_t)n == len ? 0 : -EIO;
	if (r == 0 && i % 3 == 0)
		r = e4_fsync(inode, false);
	e4_iput(inode);
	return r;
}

static int remove_file(struct e4_inode *root, int i)
{
	struct e4_inode *gone = NULL;
	char name[20];
	int r;

	sprintf(name, "file-%d", i);
	r = e4_unlink(root, name, strlen(name), &gone);
	if (r == 0 && gone)
		e4_iput(gone);
	return r;
}

static bool kept(int i)
{
	return !((i + 2) % 4 == 3 && i + 2 < STEPS);
}

static int live(void)
{
	struct e4_inode *root;
	int r = e4_iget(fs, E4_ROOT_INO, &root);

	for (int i = 0; r == 0 && i < STEPS; i++) {
		r = make_file(root, i);
		if (r == 0 && i % 4 == 3)
			r = remove_file(root, i - 2);
		if (r == 0 && i % 15 == 14)
			r = e4_sync(fs);
	}
	e4_iput(root);
	return r;
}

static bool file_right(struct e4_inode *root, int i)
{
	static uint8_t bytes[BYTES_MAX + 1];
	size_t len = (size_t)(i * 977 % BYTES_MAX) + 1;
	struct e4_inode *inode;
	char name[20];
	ssize_t n;

	sprintf(name, "file-%d", i);
	if (e4_lookup(root, name, strlen(name), &inode) != 0)
		return !kept(i);
	n = e4_read(inode, bytes, sizeof(bytes), 0);
	e4_iput(inode);
	for (size_t at = 0; n == (ssize_t)len && at < len; at++)
		if (bytes[at] != (uint8_t)(i + 1))
			return false;
	return n == (ssize_t)len && kept(i);
}

/* What lies on the medium, seen without anything of ours in between. */
static bool medium_right(bool judge)
{
	struct blkdev *copy;
	struct e4_inode *root;
	bool right = memdev_new(SIZE, 4096, &copy) == 0;

	if (!right)
		return false;
	memcpy(memdev_data(copy), stick_medium(stick), SIZE);
	right = !judge || image_check(copy) == 0;
	if (right && e4_mount(copy, &(struct e4_mount_options){.read_only = true}, &fs, NULL) == 0) {
		right = e4_iget(fs, E4_ROOT_INO, &root) == 0;
		for (int i = 0; right && i < STEPS; i++)
			right = file_right(root, i);
		e4_iput(root);
		right &= e4_unmount(fs) == 0;
	} else {
		right = false;
	}
	blkdev_close(copy);
	return right;
}

static void make_image(void)
{
	CU_ASSERT_EQUAL_FATAL(image_make(SIZE, "-b 1024 -J size=1 -N 200", &image), 0);
}

static void test_every_call(void)
{
	uint64_t calls, from, step = getenv("SEALDRIVE_LONG") ? 1 : 3;
	unsigned places = 0, never = 0;

	make_image();
	CU_ASSERT_FATAL(begin(1, 60000));
	from = stick_calls(stick);
	CU_ASSERT_EQUAL(live(), 0);
	CU_ASSERT_EQUAL(e4_unmount(fs), 0);
	calls = stick_calls(stick) - from;
	CU_ASSERT(calls > 50);
	CU_ASSERT(medium_right(true));
	end();
	for (uint64_t n = 1; n <= calls; n += step, places++) {
		bool right = begin(n, 60000);

		plug_after = (int)(n % 3);
		stick_pull_at(stick, n, n % 2);
		right = right && live() == 0;
		right &= e4_unmount(fs) == 0 && reports == 0;
		right = right && away == back && refused == 0;
		never += away == 0;
		right = right && medium_right(places % JUDGE_EVERY == 0);
		CU_ASSERT(right);
		if (!right)
			printf("# pulled at call %llu of %llu: away %u, back %u, refused %u\n",
				(unsigned long long)n, (unsigned long long)calls, away, back, refused);
		end();
	}
	CU_ASSERT(never < 5);
	printf("# pulled at %u of %llu calls\n", places, (unsigned long long)calls);
	blkdev_close(image);
}

/* Somebody mounts it, and unmounts it properly: ours, the kernel and e2fsck all leave such traces. */
static void test_used_elsewhere(void)
{
	CLEANUP_FREE uint8_t *before = malloc(SIZE);
	struct e4_fs *other;
	struct blkdev *copy;

	make_image();
	CU_ASSERT_FATAL(begin(1, 200));
	CU_ASSERT_EQUAL(live(), 0);
	CU_ASSERT_EQUAL(e4_sync(fs), 0);
	stick_pull(stick);
	CU_ASSERT_EQUAL_FATAL(memdev_new(SIZE, 4096, &copy), 0);
	memcpy(memdev_data(copy), stick_medium(stick), SIZE);
	CU_ASSERT_EQUAL(e4_mount(copy, &(struct e4_mount_options){0}, &other, NULL), 0);
	CU_ASSERT_EQUAL(e4_unmount(other), 0);
	memcpy(stick_medium(stick), memdev_data(copy), SIZE);
	memcpy(before, memdev_data(copy), SIZE);
	stick_plug(stick);
	CU_ASSERT(e4_sync(fs) < 0);
	CU_ASSERT(e4_unmount(fs) < 0);
	CU_ASSERT_EQUAL(refused, 1);
	CU_ASSERT_EQUAL(back, 0);
	CU_ASSERT_EQUAL(memcmp(before, stick_medium(stick), SIZE), 0);
	end();
	blkdev_close(copy);
	blkdev_close(image);
}

/* Two drives were copied from one, and both were pulled out in their first use: the other one's super
 * blocks are like ours. */
static void test_twin(void)
{
	struct e4_fs *ours, *other;
	CLEANUP_FREE uint8_t *before = malloc(SIZE);
	struct blkdev *copy;

	make_image();
	CU_ASSERT_EQUAL_FATAL(memdev_new(SIZE, 4096, &copy), 0);
	memcpy(memdev_data(copy), memdev_data(image), SIZE);
	CU_ASSERT_EQUAL_FATAL(e4_mount(copy, &(struct e4_mount_options){0}, &other, NULL), 0);
	CU_ASSERT_FATAL(begin(1, 200));
	CU_ASSERT_EQUAL(live(), 0);
	CU_ASSERT_EQUAL(e4_sync(fs), 0);
	stick_pull(stick);
	ours = fs;
	fs = other;
	CU_ASSERT_EQUAL(live(), 0);
	CU_ASSERT_EQUAL(e4_sync(fs), 0);
	fs = ours;
	memcpy(stick_medium(stick), memdev_data(copy), SIZE);
	memcpy(before, memdev_data(copy), SIZE);
	CU_ASSERT_EQUAL(e4_unmount(other), 0);
	stick_plug(stick);
	CU_ASSERT(e4_sync(fs) < 0);
	CU_ASSERT(e4_unmount(fs) < 0);
	CU_ASSERT_EQUAL(refused, 1);
	CU_ASSERT_EQUAL(back, 0);
	CU_ASSERT_EQUAL(memcmp(before, stick_medium(stick), SIZE), 0);
	end();
	blkdev_close(copy);
	blkdev_close(image);
}

/* ---- a drive that does not take some data ---- */

static int open_file(const char *name, struct e4_inode **ret_inode)
{
	struct e4_create what = {.mode = S_IFREG | 0600};
	struct e4_inode *root;
	int r = e4_iget(fs, E4_ROOT_INO, &root);

	if (r == 0) {
		r = e4_create(root, name, strlen(name), &what, ret_inode);
		e4_iput(root);
	}
	return r;
}

static uint64_t place_of(uint8_t byte)
{
	uint8_t block[1024];

	memset(block, byte, sizeof(block));
	for (uint64_t off = 0; off < SIZE; off += sizeof(block))
		if (memcmp(stick_shown(stick) + off, block, sizeof(block)) == 0)
			return off;
	return 0;
}

static uint32_t lost_ino;

static void on_loss(void *ctx, uint32_t ino)
{
	lost_ino = ino;
}

/* Whose data it was hears of it, each once; the volume goes on. */
static void test_data_loss(void)
{
	struct e4_mount_options options = {.commit_ms = 3600 * 1000, .on_error = on_error, .on_loss = on_loss};
	uint64_t mark1, mark2, mark_b, late;
	static uint8_t bytes[8192];
	struct e4_inode *a, *b;

	make_image();
	CU_ASSERT_FATAL(begin(1, 1000));
	CU_ASSERT_EQUAL(e4_unmount(fs), 0);
	CU_ASSERT_EQUAL_FATAL(e4_mount(dev, &options, &fs, NULL), 0);
	CU_ASSERT_EQUAL_FATAL(open_file("a", &a), 0);
	CU_ASSERT_EQUAL_FATAL(open_file("b", &b), 0);
	mark1 = e4_loss_mark(a);
	mark2 = e4_loss_mark(a);
	mark_b = e4_loss_mark(b);
	memset(bytes, 0xa1, sizeof(bytes));
	CU_ASSERT_EQUAL(e4_write(a, bytes, sizeof(bytes), 0, 0), sizeof(bytes));
	memset(bytes, 0xb2, sizeof(bytes));
	CU_ASSERT_EQUAL(e4_write(b, bytes, sizeof(bytes), 0, 0), sizeof(bytes));
	CU_ASSERT_FATAL(place_of(0xa1) > 0);
	stick_set_bad(stick, place_of(0xa1) + 512, 512);

	CU_ASSERT_EQUAL(e4_fsync(b, false), 0);
	CU_ASSERT_EQUAL(e4_loss_check(b, &mark_b), 0);
	CU_ASSERT_EQUAL(lost_ino, e4_ino(a));
	late = e4_loss_mark(a); /* nobody has been told yet */
	CU_ASSERT_EQUAL(e4_fsync(a, false), 0);
	CU_ASSERT_EQUAL(e4_loss_check(a, &mark1), -EIO);
	CU_ASSERT_EQUAL(e4_loss_check(a, &mark1), 0);
	CU_ASSERT_EQUAL(e4_loss_check(a, &mark2), -EIO);
	CU_ASSERT_EQUAL(e4_loss_check(a, &mark2), 0);
	CU_ASSERT_EQUAL(e4_loss_check(a, &late), -EIO);
	late = e4_loss_mark(a); /* everybody knows */
	CU_ASSERT_EQUAL(e4_loss_check(a, &late), 0);
	CU_ASSERT_PTR_NULL(e4_read_only_reason(fs));

	/* again, and then not any more */
	memset(bytes, 0xa1, sizeof(bytes));
	CU_ASSERT_EQUAL(e4_write(a, bytes, sizeof(bytes), 0, 0), sizeof(bytes));
	CU_ASSERT_EQUAL(e4_fsync(a, false), 0);
	CU_ASSERT_EQUAL(e4_loss_check(a, &mark1), -EIO);
	CU_ASSERT_EQUAL(e4_loss_check(a, &mark1), 0);
	stick_set_bad(stick, 0, 0);
	memset(bytes, 0xa1, sizeof(bytes));
	CU_ASSERT_EQUAL(e4_write(a, bytes, sizeof(bytes), 0, 0), sizeof(bytes));
	CU_ASSERT_EQUAL(e4_fsync(a, false), 0);
	CU_ASSERT_EQUAL(e4_loss_check(a, &mark1), 0);
	CU_ASSERT_EQUAL(stick_medium(stick)[place_of(0xa1) + 700], 0xa1);
	e4_iput(a);
	e4_iput(b);
	CU_ASSERT_EQUAL(e4_unmount(fs), 0);
	CU_ASSERT_EQUAL(reports, 0);
	end();
	blkdev_close(image);
}

/* Whoever unmounts hears of what no fsync has told. */
static void test_untold_loss(void)
{
	static uint8_t bytes[4096];
	struct e4_inode *a;

	make_image();
	CU_ASSERT_FATAL(begin(1, 1000));
	CU_ASSERT_EQUAL_FATAL(open_file("a", &a), 0);
	memset(bytes, 0xa1, sizeof(bytes));
	CU_ASSERT_EQUAL(e4_write(a, bytes, sizeof(bytes), 0, 0), sizeof(bytes));
	CU_ASSERT_FATAL(place_of(0xa1) > 0);
	stick_set_bad(stick, place_of(0xa1), 512);
	e4_iput(a);
	CU_ASSERT_EQUAL(e4_unmount(fs), -SDE_DATA_LOST);
	CU_ASSERT_EQUAL(reports, 0);
	memcpy(memdev_data(image), stick_medium(stick), SIZE);
	CU_ASSERT_EQUAL(image_check(image), 0);
	CU_ASSERT_EQUAL_FATAL(e4_mount(dev, &(struct e4_mount_options){0}, &fs, NULL), 0);
	CU_ASSERT_EQUAL(e4_unmount(fs), 0);
	end();
	blkdev_close(image);
}

/* With chattr +S a write is on the medium, or its program is told at once. */
static void test_sync_file(void)
{
	static uint8_t bytes[4096];
	struct e4_inode *a;

	make_image();
	CU_ASSERT_FATAL(begin(1, 1000));
	CU_ASSERT_EQUAL_FATAL(open_file("a", &a), 0);
	CU_ASSERT_EQUAL(e4_set_flags(a, e4_get_flags(a) | EXT2_SYNC_FL), 0);
	memset(bytes, 0xa1, sizeof(bytes));
	CU_ASSERT_EQUAL(e4_write(a, bytes, sizeof(bytes), 0, 0), sizeof(bytes));
	CU_ASSERT_FATAL(place_of(0xa1) > 0);
	stick_set_bad(stick, place_of(0xa1), 512);
	memset(bytes, 0xb2, sizeof(bytes));
	CU_ASSERT_EQUAL(e4_write(a, bytes, sizeof(bytes), 0, 0), -EIO);
	stick_set_bad(stick, 0, 0);
	memset(bytes, 0xb2, sizeof(bytes));
	CU_ASSERT_EQUAL(e4_write(a, bytes, sizeof(bytes), 0, 0), sizeof(bytes));
	CU_ASSERT_PTR_NULL(e4_read_only_reason(fs));
	e4_iput(a);
	CU_ASSERT_EQUAL(e4_unmount(fs), 0);
	end();
	blkdev_close(image);
}

static pthread_t flusher;
static atomic_bool flush_ended;
static bool ended_before;

static void *flush_meanwhile(void *arg)
{
	(void)!blkdev_flush(dev);
	flush_ended = true;
	return NULL;
}

static void flush_and_wait(void)
{
	const struct timespec while_told = {.tv_nsec = 300 * 1000000L};

	CU_ASSERT_EQUAL_FATAL(pthread_create(&flusher, NULL, flush_meanwhile, NULL), 0);
	nanosleep(&while_told, NULL);
	ended_before = flush_ended;
}

/* A journal that the drive does not take is another matter. No flush that somebody else waits for
 * succeeds before the volume has turned read-only: it might be a commit's. */
static void test_metadata_loss(void)
{
	struct e4_inode *a;

	make_image();
	CU_ASSERT_FATAL(begin(1, 1000));
	CU_ASSERT_EQUAL_FATAL(open_file("a", &a), 0);
	stick_set_bad(stick, 0, SIZE);
	while_reported = flush_and_wait;
	CU_ASSERT(e4_fsync(a, false) < 0);
	while_reported = NULL;
	pthread_join(flusher, NULL);
	CU_ASSERT_FALSE(ended_before);
	CU_ASSERT_PTR_NOT_NULL(e4_read_only_reason(fs));
	CU_ASSERT_EQUAL(reports, 1);
	e4_iput(a);
	CU_ASSERT(e4_unmount(fs) < 0);
	end();
	blkdev_close(image);
}

int main(void)
{
	alarm(300);
	return UNIT_RUN(UNIT(test_every_call), UNIT(test_used_elsewhere), UNIT(test_twin), UNIT(test_data_loss),
		UNIT(test_untold_loss), UNIT(test_sync_file), UNIT(test_metadata_loss));
}
