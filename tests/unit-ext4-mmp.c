/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Multiple mount protection: what is on the drive before, during and after, and who gives up. */
#include <ext2fs/ext2_fs.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "ext4/fs.h"
#include "tests/dev/image.h"
#include "tests/dev/memdev.h"
#include "tests/unit.h"

static struct blkdev *mem;
static struct e4_fs *fs;
static struct diag diag;
static unsigned waits;
static atomic_uint errors; /* counted last, by whichever thread found it */
static int error_seen;
static bool (*meanwhile)(void);

static bool on_wait(void *ctx, unsigned seconds_left)
{
	waits++;
	CU_ASSERT(seconds_left > 0 && seconds_left <= 360);
	return meanwhile ? meanwhile() : true;
}

static void on_error(void *ctx, int err, const char *what)
{
	error_seen = err;
	errors++;
}

static void make(const char *options)
{
	waits = 0;
	errors = 0;
	meanwhile = NULL;
	CU_ASSERT_EQUAL_FATAL(image_make(16 << 20, options, &mem), 0);
}

static int mount(bool read_only)
{
	struct e4_mount_options options = {.read_only = read_only, .on_wait = on_wait,
		.on_error = on_error, .mmp_second_ms = 2, .commit_ms = 60000};

	diag = (struct diag){0};
	waits = 0;
	return e4_mount(mem, &options, &fs, &diag);
}

static struct mmp_struct *block(void)
{
	uint8_t *data = memdev_data(mem);
	struct ext2_super_block *super = (void *)(data + 1024);

	return (void *)(data + (le64toh(super->s_mmp_block) << (10 + le32toh(super->s_log_block_size))));
}

/* Another computer writes. The seed of checksums is the UUID's. */
static void other(uint32_t seq)
{
	struct ext2_super_block *super = (void *)((uint8_t *)memdev_data(mem) + 1024);
	uint32_t seed = fs_crc32c(~0u, super->s_uuid, sizeof(super->s_uuid));

	block()->mmp_seq = htole32(seq);
	memcpy(block()->mmp_nodename, "elsewhere\033[2J", sizeof("elsewhere\033[2J"));
	memcpy(block()->mmp_bdevname, "sdz9", sizeof("sdz9"));
	block()->mmp_checksum =
		htole32(fs_crc32c(seed, block(), offsetof(struct mmp_struct, mmp_checksum)));
}

static uint32_t seq(void)
{
	return le32toh(block()->mmp_seq);
}

static bool other_counts(void)
{
	other(seq() + 1);
	return true;
}

static bool give_up(void)
{
	return waits < 3;
}

static bool give_up_at_once(void)
{
	return false;
}

static void close_all(void)
{
	CU_ASSERT_EQUAL(image_check(mem), 0);
	blkdev_close(mem);
}

static void test_use(void)
{
	uint32_t first;

	make("-O mmp -E mmp_update_interval=1");
	CU_ASSERT_EQUAL(seq(), EXT4_MMP_SEQ_CLEAN);
	CU_ASSERT_EQUAL_FATAL(mount(false), 0);
	CU_ASSERT_EQUAL(waits, 1);
	first = seq();
	CU_ASSERT(first > 0 && first <= EXT4_MMP_SEQ_MAX);
	CU_ASSERT(le16toh(block()->mmp_check_interval) >= EXT4_MMP_MIN_CHECK_INTERVAL);
	for (int i = 0; i < 1000 && seq() == first; i++)
		usleep(10000);
	CU_ASSERT_NOT_EQUAL(seq(), first);
	CU_ASSERT_EQUAL(e4_unmount(fs), 0);
	CU_ASSERT_EQUAL(seq(), EXT4_MMP_SEQ_CLEAN);
	CU_ASSERT_EQUAL(errors, 0);
	close_all();
}

static void test_in_use(void)
{
	make("-O mmp");
	other(77);
	meanwhile = other_counts;
	for (int read_only = 0; read_only < 2; read_only++) {
		CU_ASSERT_EQUAL(mount(read_only), -SDE_FS_IN_USE);
		CU_ASSERT_PTR_NOT_NULL(strstr(diag.detail, "elsewhere"));
		CU_ASSERT_PTR_NOT_NULL(strstr(diag.detail, "sdz9"));
	}
	other(EXT4_MMP_SEQ_FSCK);
	CU_ASSERT_EQUAL(mount(false), -SDE_FS_IN_USE);
	CU_ASSERT_EQUAL(waits, 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(diag.detail, "e2fsck"));
	other(EXT4_MMP_SEQ_FSCK + 5);
	CU_ASSERT_EQUAL(mount(false), -SDE_FS_IN_USE);
	CU_ASSERT_EQUAL(seq(), EXT4_MMP_SEQ_FSCK + 5);
	other(EXT4_MMP_SEQ_CLEAN);
	close_all();
}

/* Somebody comes while we wait for just that; nothing of ours stays. */
static void test_race(void)
{
	make("-O mmp");
	meanwhile = other_counts;
	CU_ASSERT_EQUAL(mount(false), -SDE_FS_IN_USE);
	CU_ASSERT_STRING_EQUAL((const char *)block()->mmp_bdevname, "sdz9");
	other(EXT4_MMP_SEQ_CLEAN);
	meanwhile = give_up_at_once;
	CU_ASSERT_EQUAL(mount(false), -SDE_CANCELLED);
	CU_ASSERT_EQUAL(seq(), EXT4_MMP_SEQ_CLEAN);
	other(5);
	meanwhile = give_up;
	CU_ASSERT_EQUAL(mount(false), -SDE_CANCELLED);
	CU_ASSERT_EQUAL(waits, 3);
	CU_ASSERT_EQUAL(seq(), 5);
	other(EXT4_MMP_SEQ_CLEAN);
	close_all();
}

/* Left by a computer that was switched off: the number stays. */
static void test_left_over(void)
{
	make("-O mmp");
	other(1234);
	CU_ASSERT_EQUAL(mount(true), 0);
	CU_ASSERT_EQUAL(waits, 11);
	CU_ASSERT_EQUAL(e4_unmount(fs), 0);
	CU_ASSERT_EQUAL(seq(), 1234);
	CU_ASSERT_EQUAL(mount(false), 0);
	CU_ASSERT_EQUAL(waits, 22);
	CU_ASSERT_EQUAL(e4_unmount(fs), 0);
	CU_ASSERT_EQUAL(seq(), EXT4_MMP_SEQ_CLEAN);
	close_all();
}

/* Somebody else took the volume while it was ours: not one more byte is written. */
static void test_taken(void)
{
	struct e4_inode *root, *made;
	uint8_t *before = malloc(16 << 20);

	make("-O mmp -E mmp_update_interval=1");
	CU_ASSERT_EQUAL_FATAL(mount(false), 0);
	CU_ASSERT_EQUAL(e4_iget(fs, E4_ROOT_INO, &root), 0);
	CU_ASSERT_EQUAL(e4_create(root, "new", 3, &(struct e4_create){.mode = 0100644}, &made), 0);
	e4_iput(made);
	other(4321);
	for (int i = 0; i < 1000 && errors == 0; i++)
		usleep(10000);
	CU_ASSERT_EQUAL(errors, 1);
	CU_ASSERT_EQUAL(error_seen, -SDE_FS_IN_USE);
	CU_ASSERT_STRING_EQUAL(e4_read_only_reason(fs), error_text(-SDE_FS_IN_USE));
	memcpy(before, memdev_data(mem), 16 << 20);
	CU_ASSERT_EQUAL(e4_create(root, "more", 4, &(struct e4_create){.mode = 0100644}, &made), -EROFS);
	CU_ASSERT_EQUAL(e4_sync(fs), -SDE_FS_IN_USE);
	e4_iput(root);
	CU_ASSERT_EQUAL(e4_unmount(fs), -SDE_FS_IN_USE);
	CU_ASSERT_EQUAL(memcmp(before, memdev_data(mem), 16 << 20), 0);
	blkdev_close(mem);
	free(before);
}

/* The volume has failed for another reason, and then somebody takes it. */
static void test_failed_and_taken(void)
{
	uint8_t *before = malloc(16 << 20);

	make("-O mmp -E mmp_update_interval=1");
	CU_ASSERT_EQUAL_FATAL(mount(false), 0);
	CU_ASSERT_EQUAL(fs_damaged(fs, "by a test"), -EUCLEAN);
	other(4321);
	memcpy(before, memdev_data(mem), 16 << 20);
	CU_ASSERT_EQUAL(e4_unmount(fs), -EUCLEAN);
	CU_ASSERT_EQUAL(memcmp(before, memdev_data(mem), 16 << 20), 0);
	blkdev_close(mem);
	free(before);
}

static void test_damaged(void)
{
	struct ext2_super_block *super;

	make("-O mmp,^metadata_csum");
	super = (void *)((uint8_t *)memdev_data(mem) + 1024);
	block()->mmp_magic = 0;
	CU_ASSERT_EQUAL(mount(true), -SDE_FS_DAMAGED);
	block()->mmp_magic = htole32(EXT4_MMP_MAGIC);
	block()->mmp_check_interval = htole16(65535);
	block()->mmp_seq = htole32(7);
	super->s_mmp_update_interval = htole16(65535);
	meanwhile = give_up;
	CU_ASSERT_EQUAL(mount(false), -SDE_CANCELLED);
	for (uint64_t bad = 0; bad < 4; bad++) {
		static const uint64_t places[] = {0, 1, 1ULL << 40, UINT64_MAX};
		uint64_t good = super->s_mmp_block;

		super->s_mmp_block = htole64(places[bad]);
		CU_ASSERT_EQUAL(mount(false), -SDE_FS_DAMAGED);
		super->s_mmp_block = good;
	}
	blkdev_close(mem);
	make("-O mmp");
	block()->mmp_time ^= 1;
	CU_ASSERT_EQUAL(mount(false), -SDE_FS_DAMAGED);
	blkdev_close(mem);
}

int main(void)
{
	return UNIT_RUN(UNIT(test_use), UNIT(test_in_use), UNIT(test_race), UNIT(test_left_over),
		UNIT(test_taken), UNIT(test_failed_and_taken),
		UNIT(test_damaged));
}
