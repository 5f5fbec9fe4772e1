/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* e4_mkfs() on devices that fail, and with parameters that cannot be. */
#include <errno.h>
#include <string.h>

#include "ext4/ext4.h"
#include "tests/dev/faultdev.h"
#include "tests/dev/memdev.h"
#include "tests/unit.h"

enum { MIB = 1 << 20 };

static struct blkdev *faulty_new(uint64_t bytes)
{
	struct blkdev *memory = NULL, *dev = NULL;

	if (memdev_new(bytes, 4096, &memory) < 0 || faultdev_new(memory, &dev) < 0)
		abort();
	return dev;
}

static int mkfs(struct blkdev *dev, struct diag *diag)
{
	struct e4_mkfs_params params = {.label = "x", .min_block_bytes = 4096, .journal = true};

	return e4_mkfs(dev, &params, NULL, NULL, diag);
}

/* Whichever call fails, the failure is reported as what it was. */
static void each_call_fails(enum fault_op op, int err)
{
	struct blkdev *dev = faulty_new(64 * MIB);
	uint64_t calls;

	CU_ASSERT_EQUAL(mkfs(dev, NULL), 0);
	calls = faultdev_calls(dev, op);
	CU_ASSERT(calls > 0);
	for (uint64_t nth = 1; nth <= calls; nth++) {
		struct diag diag = {0};

		faultdev_fail_from(dev, op, nth, err);
		int r = mkfs(dev, &diag);

		if (r != err)
			printf("# call %llu: %d %s\n", (unsigned long long)nth, r, diag.detail);
		CU_ASSERT_EQUAL(r, err);
	}
	faultdev_fail_from(dev, op, 0, 0);
	CU_ASSERT_EQUAL(mkfs(dev, NULL), 0);
	blkdev_close(dev);
}

static void test_write_errors(void)
{
	each_call_fails(FAULT_WRITE, -EIO);
	each_call_fails(FAULT_WRITE, -ENOSPC);
}

static void test_read_errors(void)
{
	each_call_fails(FAULT_READ, -EIO);
}

static void test_flush_errors(void)
{
	each_call_fails(FAULT_FLUSH, -EIO);
}

static void test_device_gone(void)
{
	struct blkdev *dev = faulty_new(64 * MIB);

	faultdev_set_gone(dev, true);
	CU_ASSERT_EQUAL(mkfs(dev, NULL), -ENODEV);
	blkdev_close(dev);
}

static void test_flushed(void)
{
	struct blkdev *dev = faulty_new(64 * MIB);
	const struct fault_record *records;
	size_t count = 0;

	faultdev_record(dev, true);
	CU_ASSERT_EQUAL(mkfs(dev, NULL), 0);
	records = faultdev_records(dev, &count);
	CU_ASSERT_FATAL(count > 0);
	CU_ASSERT_EQUAL(records[count - 1].op, FAULT_FLUSH);
	blkdev_close(dev);
}

static void refused(uint64_t bytes, struct e4_mkfs_params params, int err)
{
	struct blkdev *dev = faulty_new(bytes);
	struct diag diag = {0};

	CU_ASSERT_EQUAL(e4_mkfs(dev, &params, NULL, NULL, &diag), err);
	CU_ASSERT_NOT_EQUAL(diag.detail[0], '\0');
	CU_ASSERT_EQUAL(faultdev_calls(dev, FAULT_WRITE), 0);
	blkdev_close(dev);
}

static void test_parameters(void)
{
	refused(64 * MIB, (struct e4_mkfs_params){.block_bytes = 512}, -SDE_USAGE);
	refused(64 * MIB, (struct e4_mkfs_params){.block_bytes = 3000}, -SDE_USAGE);
	refused(64 * MIB, (struct e4_mkfs_params){.block_bytes = 65536}, -SDE_USAGE);
	refused(64 * MIB, (struct e4_mkfs_params){.block_bytes = 1024, .min_block_bytes = 4096},
		-SDE_USAGE);
	refused(64 * MIB, (struct e4_mkfs_params){.label = "12345678901234567"}, -SDE_USAGE);
	refused(MIB - 4096, (struct e4_mkfs_params){0}, -SDE_TOO_SMALL);
}

struct steps {
	int last, calls;
	bool ordered;
};

static void note_step(void *ctx, int percent)
{
	struct steps *steps = ctx;

	steps->ordered = steps->ordered && percent >= steps->last && percent <= 100;
	steps->last = percent;
	steps->calls++;
}

static void test_progress(void)
{
	struct blkdev *dev = faulty_new(64 * MIB);
	struct e4_mkfs_params params = {.journal = true};
	struct steps steps = {.ordered = true};

	CU_ASSERT_EQUAL(e4_mkfs(dev, &params, note_step, &steps, NULL), 0);
	CU_ASSERT_TRUE(steps.ordered);
	CU_ASSERT_EQUAL(steps.last, 100);
	blkdev_close(dev);
}

int main(void)
{
	return UNIT_RUN(UNIT(test_write_errors), UNIT(test_read_errors), UNIT(test_flush_errors),
		UNIT(test_device_gone), UNIT(test_flushed), UNIT(test_parameters),
		UNIT(test_progress));
}
