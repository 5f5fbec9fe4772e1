/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A whole life of a volume with a journal, again and again, and each time something else fails: the n-th
 * read, write or flush (once, or that one and all that follow), the whole drive, or the n-th allocation
 * of memory. Nothing crashes or hangs, errors are told, the volume takes nothing more after the first
 * failed write of the journal or of metadata, and what was synced before is there after recovery.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ext4/ext4.h"
#include "tests/dev/faultdev.h"
#include "tests/dev/image.h"
#include "tests/dev/memdev.h"
#include "tests/unit.h"

enum { STEPS = 60, BYTES_MAX = 9000, SIZE = 6 << 20, JUDGE_EVERY = 9, PIECES = 700 };
/* The super block is written as a whole (docs/JOURNAL.md). */
enum { TORN = 1024 };

static struct blkdev *mem, *dev;
static uint8_t *fresh; /* the volume before its life */
static struct e4_fs *fs;
static unsigned reports; /* calls of on_error */
static int first_error;

/* What the program was told about file i. */
static struct file {
	bool there, synced, doubtful;
	size_t len;
} files[STEPS];
static unsigned failed; /* operations */
static int gone_at;	/* file before which the cable is pulled; 0: none */

/* ---- memory that runs out ------------------------------------------------------------------ */

static _Atomic uint64_t allocations, fail_allocation; /* 0: none */
static atomic_bool fail_from_there; /* and all that follow */

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_reallocarray(void *old, size_t count, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_reallocarray(void *old, size_t count, size_t size);

static bool no_memory(void)
{
	uint64_t nth = atomic_fetch_add(&allocations, 1) + 1, fail = atomic_load(&fail_allocation);

	return nth == fail || (fail && nth > fail && atomic_load(&fail_from_there));
}

void *__wrap_malloc(size_t size)
{
	return no_memory() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return no_memory() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
	return no_memory() ? NULL : __real_realloc(old, size);
}

void *__wrap_reallocarray(void *old, size_t count, size_t size)
{
	return no_memory() ? NULL : __real_reallocarray(old, count, size);
}

/* ---- one life ------------------------------------------------------------------------------ */

static void on_error(void *ctx, int err, const char *what)
{
	reports++;
	if (reports == 1)
		first_error = err;
}

static int mount(struct blkdev *on)
{
	struct e4_mount_options options = {.commit_ms = 3600 * 1000, .cache_bytes = 300 << 10, .on_error = on_error};
	struct diag diag = {0};

	return e4_mount(on, &options, &fs, &diag);
}

static uint8_t byte_of(int i, size_t at)
{
	return (uint8_t)(i * 31 + at * 7 + at / 256 + 1);
}

static int note(int r)
{
	failed += r < 0;
	return r;
}

static void name_of(int i, char *name)
{
	sprintf(name, "file-%d", i);
}

static void make_file(struct e4_inode *root, int i)
{
	struct e4_create what = {.mode = S_IFREG | 0600};
	static uint8_t bytes[BYTES_MAX];
	struct e4_inode *inode;
	char name[20];
	ssize_t n;

	files[i].len = (size_t)(i * 977 % BYTES_MAX) + 1;
	for (size_t at = 0; at < files[i].len; at++)
		bytes[at] = byte_of(i, at);
	name_of(i, name);
	if (note(e4_create(root, name, strlen(name), &what, &inode)) < 0)
		return;
	files[i].there = true;
	n = e4_write(inode, bytes, files[i].len, 0, 0);
	if (note(n < 0 ? (int)n : 0) < 0 || (size_t)n < files[i].len)
		files[i].doubtful = true;
	else if (i % 3 == 0 && note(e4_fsync(inode, false)) == 0)
		files[i].synced = true;
	e4_iput(inode);
}

static void remove_file(struct e4_inode *root, int i)
{
	struct e4_inode *gone = NULL;
	char name[20];

	name_of(i, name);
	if (!files[i].there || files[i].synced || note(e4_unlink(root, name, strlen(name), &gone)) < 0)
		return;
	files[i].there = false;
	e4_iput(gone);
}

/* Its blocks are revoked when it goes, and hold data afterwards. */
static void folder(struct e4_inode *root, int i)
{
	struct e4_create what = {.mode = S_IFDIR | 0700}, link = {.mode = S_IFLNK | 0777};
	struct e4_inode *dir, *made, *gone;
	char target[200], name[20];

	memset(target, 'x', sizeof(target) - 1);
	target[sizeof(target) - 1] = '\0';
	link.symlink_target = target;
	if (note(e4_create(root, "folder", 6, &what, &dir)) < 0)
		return;
	for (int n = 0; n < 12; n++) {
		sprintf(name, "link-%d", n);
		made = gone = NULL;
		if (note(e4_create(dir, name, strlen(name), &link, &made)) == 0)
			e4_iput(made);
		if ((n != 5 || i % 2) && note(e4_unlink(dir, name, strlen(name), &gone)) == 0)
			e4_iput(gone);
	}
	gone = NULL;
	if (i % 2 == 0 && e4_unlink(dir, "link-5", 6, &gone) == 0)
		e4_iput(gone);
	e4_iput(dir);
	gone = NULL;
	if (note(e4_rmdir(root, "folder", 6, &gone)) == 0)
		e4_iput(gone);
}

static void live(void)
{
	struct e4_inode *root;

	if (note(e4_iget(fs, E4_ROOT_INO, &root)) < 0)
		return;
	for (int i = 0; i < STEPS; i++) {
		if (i > 0 && i == gone_at)
			faultdev_set_gone(dev, true);
		make_file(root, i);
		if (i % 4 == 3)
			remove_file(root, i - 2);
		if (i % 10 == 9)
			folder(root, i);
		if (i % 20 == 19)
			note(e4_sync(fs));
	}
	e4_iput(root);
}

/* ---- judging ------------------------------------------------------------------------------- */

static bool file_right(struct e4_inode *root, int i)
{
	static uint8_t bytes[BYTES_MAX + 1];
	struct e4_inode *inode;
	char name[20];
	ssize_t n;

	name_of(i, name);
	if (e4_lookup(root, name, strlen(name), &inode) != 0)
		return false;
	n = e4_read(inode, bytes, sizeof(bytes), 0);
	e4_iput(inode);
	for (size_t at = 0; at < files[i].len; at++)
		if (n != (ssize_t)files[i].len || bytes[at] != byte_of(i, at))
			return false;
	return true;
}

static bool file_exists(struct e4_inode *root, int i)
{
	struct e4_inode *inode;
	char name[20];

	name_of(i, name);
	if (e4_lookup(root, name, strlen(name), &inode) != 0)
		return false;
	e4_iput(inode);
	return true;
}

/* all: nothing was lost; else at least what was synced is there. */
static bool shows(bool all)
{
	struct e4_inode *root;
	bool right = true;

	if (e4_iget(fs, E4_ROOT_INO, &root) != 0)
		return false;
	for (int i = 0; i < STEPS; i++) {
		if (files[i].synced || (all && files[i].there && !files[i].doubtful))
			right &= file_right(root, i);
		if (all)
			right &= file_exists(root, i) == files[i].there;
	}
	e4_iput(root);
	return right;
}

/* Nothing more is written once the volume has failed. */
static bool silent(void)
{
	struct e4_create what = {.mode = S_IFREG | 0600};
	uint64_t before = faultdev_calls(dev, FAULT_WRITE);
	struct e4_inode *root, *inode;
	int r = e4_iget(fs, E4_ROOT_INO, &root);

	if (r == 0) {
		r = e4_create(root, "late", 4, &what, &inode);
		e4_iput(root);
	}
	return r < 0 && e4_sync(fs) < 0 && faultdev_calls(dev, FAULT_WRITE) == before;
}

struct fault {
	enum { NOTHING, ONCE, FROM, GONE, MEMORY } how;
	enum fault_op op;
	uint64_t nth;
	size_t torn;
};

static void arm(const struct fault *f)
{
	if (f->how == ONCE)
		faultdev_fail_once(dev, f->op, f->nth, -EIO);
	if (f->how == FROM)
		faultdev_fail_from(dev, f->op, f->nth, -EIO);
	gone_at = f->how == GONE ? (int)f->nth : 0;
	faultdev_set_torn(dev, f->torn);
	atomic_store(&allocations, 0);
	atomic_store(&fail_allocation, f->how == MEMORY ? f->nth : 0);
}

static void disarm(void)
{
	for (int op = 0; op < FAULT_OPS; op++) {
		faultdev_fail_once(dev, (enum fault_op)op, 0, 0);
		faultdev_fail_from(dev, (enum fault_op)op, 0, 0);
	}
	faultdev_set_gone(dev, false);
	gone_at = 0;
	atomic_store(&fail_allocation, 0);
}

/* e2fsck -fy, which may correct what a failed volume says about itself, and nothing may be left. */
static bool repair(void)
{
	char path[] = "/tmp/sealdrive-faults-XXXXXX", command[200];
	int fd = mkstemp(path), status = 255;

	snprintf(command, sizeof(command), "e2fsck -fy %s >/dev/null 2>&1", path);
	if (fd >= 0 && image_save(mem, path) == 0) {
		status = system(command);
		status = WIFEXITED(status) ? WEXITSTATUS(status) : 255;
		close(fd);
		fd = open(path, O_RDONLY);
	}
	if (fd < 0 || status > 1 || read(fd, memdev_data(mem), SIZE) != SIZE)
		status = 255;
	close(fd);
	unlink(path);
	if (status > 1)
		printf("# e2fsck -fy: %d\n", status);
	return status <= 1;
}

/* What was synced is there, or all: seen by us, and after a repair when one was asked for. */
static bool recovers(bool all, bool judge)
{
	int r = mount(mem);
	bool right, refused;

	if (r < 0) {
		printf("# recovery: %d\n", r);
		return false;
	}
	refused = e4_read_only_reason(fs);
	right = shows(all) && !(refused && all);
	right &= e4_unmount(fs) == 0;
	if (!judge || !right)
		return right;
	if (!refused)
		return image_check(mem) == 0;
	return repair() && recovers(all, true);
}

/* Whether everything was as it must be; calls of op, or allocations, until the end. */
static bool one_life(const struct fault *f, uint64_t *ret_calls)
{
	uint64_t before = faultdev_calls(dev, f->op);
	bool right = true, lost = false;
	int r;

	memset(files, 0, sizeof(files));
	failed = reports = 0;
	memcpy(memdev_data(mem), fresh, SIZE);
	arm(f);
	r = note(mount(dev));
	if (r == 0) {
		live();
		if (e4_read_only_reason(fs)) {
			lost = true;
			/* Want of memory is no reason to write nothing any more. */
			right &= silent() && reports == 1 && f->how != MEMORY;
		}
		r = note(e4_unmount(fs));
	}
	lost |= r < 0;
	*ret_calls = f->how == MEMORY ? atomic_load(&allocations) : faultdev_calls(dev, f->op) - before;
	disarm();
	/* What failed was told, one way or the other. Not so for what is only read ahead, or can wait for
	 * memory. */
	if (f->nth && f->how != MEMORY && f->op != FAULT_READ)
		right &= failed > 0 || *ret_calls < f->nth;
	if (!f->nth)
		right &= failed == 0;
	return right & recovers(!lost, f->nth % JUDGE_EVERY == 0);
}

static void begin(const char *options)
{
	CU_ASSERT_EQUAL_FATAL(image_make(SIZE, options, &mem), 0);
	CU_ASSERT_EQUAL_FATAL(faultdev_new(mem, &dev), 0);
	fresh = malloc(SIZE);
	CU_ASSERT_PTR_NOT_NULL_FATAL(fresh);
	memcpy(fresh, memdev_data(mem), SIZE);
}

static void end(void)
{
	blkdev_close(dev);
	free(fresh);
}

/* Where it is the n-th time for every n (but for steps, in a short run). */
static void again_and_again(struct fault f, uint64_t step)
{
	struct fault none = {.how = f.how == MEMORY ? MEMORY : NOTHING, .op = f.op};
	uint64_t total, calls;

	step = getenv("SEALDRIVE_LONG") ? 1 : step * unit_step();
	CU_ASSERT(one_life(&none, &total));
	if (f.how == GONE)
		total = STEPS - 1;
	for (f.nth = 1; f.nth <= total; f.nth += step) {
		bool right = one_life(&f, &calls);

		CU_ASSERT(right);
		if (!right)
			printf("# how %d, op %d, number %llu of %llu; failed %u, error %d\n", f.how, f.op,
				(unsigned long long)f.nth, (unsigned long long)total, failed, first_error);
	}
	printf("# how %d, op %d: %llu places\n", f.how, f.op, (unsigned long long)(total / step));
}

static const char options[] = "-b 1024 -J size=1 -N 200";

static void test_no_fault(void)
{
	uint64_t calls;

	begin(options);
	CU_ASSERT(one_life(&(struct fault){.how = NOTHING, .op = FAULT_WRITE}, &calls));
	CU_ASSERT(calls > 100);
	end();
}

static void test_reads(void)
{
	begin(options);
	again_and_again((struct fault){.how = ONCE, .op = FAULT_READ}, 3);
	again_and_again((struct fault){.how = FROM, .op = FAULT_READ}, 7);
	end();
}

static void test_writes(void)
{
	begin(options);
	again_and_again((struct fault){.how = ONCE, .op = FAULT_WRITE}, 3);
	again_and_again((struct fault){.how = ONCE, .op = FAULT_WRITE, .torn = TORN}, 5);
	again_and_again((struct fault){.how = FROM, .op = FAULT_WRITE, .torn = TORN}, 5);
	end();
}

static void test_flushes(void)
{
	begin(options);
	again_and_again((struct fault){.how = ONCE, .op = FAULT_FLUSH}, 1);
	again_and_again((struct fault){.how = FROM, .op = FAULT_FLUSH}, 3);
	end();
}

static void test_gone(void)
{
	begin(options);
	again_and_again((struct fault){.how = GONE, .op = FAULT_WRITE}, 3);
	end();
}

static void test_memory(void)
{
	begin(options);
	again_and_again((struct fault){.how = MEMORY, .op = FAULT_WRITE}, 11);
	end();
}

/* ---- trees that are cut ---- */

/* A file of so many pieces that its tree has blocks of its own. */
static struct e4_inode *make_pieces(void)
{
	struct e4_create what = {.mode = S_IFREG | 0600};
	struct e4_inode *root, *inode = NULL;
	uint8_t byte = 1;

	CU_ASSERT_EQUAL_FATAL(mount(dev), 0);
	CU_ASSERT_EQUAL_FATAL(e4_iget(fs, E4_ROOT_INO, &root), 0);
	CU_ASSERT_EQUAL_FATAL(e4_create(root, "pieces", 6, &what, &inode), 0);
	for (uint64_t i = 0; i < PIECES; i++)
		CU_ASSERT_EQUAL_FATAL(e4_write(inode, &byte, 1, i * 2048, 0), 1);
	CU_ASSERT_EQUAL_FATAL(e4_sync(fs), 0);
	e4_iput(root);
	return inode;
}

static uint64_t free_blocks(void)
{
	struct e4_statfs statfs;

	CU_ASSERT_EQUAL_FATAL(mount(mem), 0);
	e4_statfs(fs, &statfs);
	CU_ASSERT_EQUAL(e4_unmount(fs), 0);
	return statfs.blocks_free;
}

/* It is cut off while the n-th allocation fails. Whether the volume was given up: what cannot be
 * undone must not reach the drive. */
static bool cut_pieces(uint64_t nth, uint64_t *ret_allocations)
{
	const struct e4_attr cut = {.size = 1};
	struct e4_inode *inode;
	bool lost;
	int r;

	memcpy(memdev_data(mem), fresh, SIZE);
	memset(files, 0, sizeof(files));
	reports = 0;
	inode = make_pieces();
	arm(&(struct fault){.how = MEMORY, .nth = nth});
	r = e4_setattr(inode, &cut, E4_SET_SIZE);
	*ret_allocations = atomic_load(&allocations);
	disarm();
	lost = e4_read_only_reason(fs);
	if (r < 0 && !lost)
		r = e4_setattr(inode, &cut, E4_SET_SIZE);
	e4_iput(inode);
	r = e4_unmount(fs) < 0 ? -EIO : r;
	CU_ASSERT_EQUAL(r < 0, lost);
	CU_ASSERT_EQUAL(reports, lost);
	return lost;
}

/* A block that is lost without a word would be missing among the free ones. */
static void test_memory_of_trees(void)
{
	uint64_t total, expected, lost = 0, ignored;

	begin(options);
	CU_ASSERT(!cut_pieces(0, &total));
	CU_ASSERT_EQUAL(image_check(mem), 0);
	expected = free_blocks();
	for (uint64_t nth = 1; nth <= total; nth += getenv("SEALDRIVE_LONG") ? 1 : 3 * unit_step()) {
		if (cut_pieces(nth, &ignored)) {
			lost++;
			CU_ASSERT(recovers(false, nth % 2));
		} else {
			CU_ASSERT_EQUAL(free_blocks(), expected);
		}
	}
	printf("# %llu places; given up in %llu\n", (unsigned long long)total, (unsigned long long)lost);
	CU_ASSERT(total > 100 && lost * 10 < total);
	end();
}

/* Pieces are added while there is no memory from the n-th allocation on. */
static void grow_pieces(uint64_t nth, uint64_t *ret_allocations)
{
	struct e4_inode *inode;
	uint8_t byte = 1;

	memcpy(memdev_data(mem), fresh, SIZE);
	reports = 0;
	inode = make_pieces();
	atomic_store(&fail_from_there, true);
	arm(&(struct fault){.how = MEMORY, .nth = nth});
	for (uint64_t i = PIECES; i < PIECES + 100; i++)
		(void)!e4_write(inode, &byte, 1, i * 2048, 0);
	*ret_allocations = atomic_load(&allocations);
	disarm();
	atomic_store(&fail_from_there, false);
	CU_ASSERT_EQUAL(e4_setattr(inode, &(struct e4_attr){.size = 1}, E4_SET_SIZE), 0);
	e4_iput(inode);
	CU_ASSERT_EQUAL(e4_unmount(fs), 0);
	CU_ASSERT_EQUAL(reports, 0);
}

/* What was allocated for them in vain is free again. */
static void test_no_memory_for_trees(void)
{
	uint64_t total, expected, ignored;

	begin(options);
	grow_pieces(0, &total);
	CU_ASSERT_EQUAL(image_check(mem), 0);
	expected = free_blocks();
	CU_ASSERT(total > 200);
	for (uint64_t nth = 1; nth <= total; nth += unit_step() > 1 ? 200 : 1) {
		grow_pieces(nth, &ignored);
		CU_ASSERT_EQUAL(free_blocks(), expected);
	}
	printf("# %llu places\n", (unsigned long long)total);
	end();
}

/* ---- recovery ---- */

/* The drive is pulled in the middle, and then again at every write of its recovery. */
static void test_recovery(void)
{
	struct fault f = {.how = FROM, .op = FAULT_WRITE, .torn = TORN};
	uint64_t total = 0;

	begin(options);
	gone_at = STEPS - 5;
	memset(files, 0, sizeof(files));
	CU_ASSERT_EQUAL_FATAL(mount(dev), 0);
	live();
	CU_ASSERT(e4_unmount(fs) < 0);
	disarm();
	memcpy(fresh, memdev_data(mem), SIZE);
	for (f.nth = 0; f.nth <= total; f.nth++) {
		uint64_t before = faultdev_calls(dev, FAULT_WRITE);

		memcpy(memdev_data(mem), fresh, SIZE);
		arm(&f);
		if (mount(dev) == 0)
			(void)!e4_unmount(fs);
		if (f.nth == 0)
			total = faultdev_calls(dev, FAULT_WRITE) - before;
		disarm();
		CU_ASSERT(recovers(false, f.nth % 3 == 0));
	}
	CU_ASSERT(total > 5);
	printf("# %llu places\n", (unsigned long long)total);
	end();
}

int main(void)
{
	alarm(600);
	return UNIT_RUN(UNIT(test_no_fault), UNIT(test_reads), UNIT(test_writes), UNIT(test_flushes),
		UNIT(test_gone), UNIT(test_memory), UNIT(test_memory_of_trees), UNIT(test_no_memory_for_trees),
		UNIT(test_recovery));
}
