/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The super block: who may come in, and what it says afterwards. */
#include <errno.h>
#include <ext2fs/ext2_fs.h>
#include <ext2fs/ext2fs.h>

#include "ext4/fs.h"
#include "tests/dev/image.h"
#include "tests/dev/memdev.h"
#include "tests/unit.h"

enum { IMAGE_BYTES = 16 << 20 };

static struct blkdev *mem;
static struct ext2_super_block *super; /* of the image */
static struct e4_fs *fs;
static struct diag diag;

static void make(const char *options)
{
	CU_ASSERT_EQUAL_FATAL(image_make(IMAGE_BYTES, options, &mem), 0);
	super = (void *)((uint8_t *)memdev_data(mem) + 1024);
}

static int mount(bool read_only)
{
	struct e4_mount_options options = {.read_only = read_only, .commit_ms = 60000};

	diag = (struct diag){0};
	return e4_mount(mem, &options, &fs, &diag);
}

static void write_file(const char *name, size_t bytes)
{
	uint8_t *data = calloc(1, bytes);
	struct e4_inode *root, *made;

	CU_ASSERT_EQUAL_FATAL(e4_iget(fs, E4_ROOT_INO, &root), 0);
	CU_ASSERT_EQUAL_FATAL(e4_create(root, name, strlen(name), &(struct e4_create){.mode = 0100644}, &made), 0);
	CU_ASSERT_EQUAL(e4_write(made, data, bytes, 0, 0), (ssize_t)bytes);
	e4_iput(made);
	e4_iput(root);
	free(data);
}

/* RFC 3720, appendix B.4 (whose sums are inverted before and after), then any bytes, as libext2fs has it. */
static void test_crc32c(void)
{
	uint8_t bytes[300];

	memset(bytes, 0, sizeof(bytes));
	CU_ASSERT_EQUAL(~fs_crc32c(~0u, bytes, 32), 0x8a9136aa);
	memset(bytes, 0xff, sizeof(bytes));
	CU_ASSERT_EQUAL(~fs_crc32c(~0u, bytes, 32), 0x62a8ab43);
	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)i;
	CU_ASSERT_EQUAL(~fs_crc32c(~0u, bytes, 32), 0x46dd794e);
	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 197 + (i >> 3));
	for (unsigned at = 0; at < 9; at++)
		for (unsigned len = 0; at + len <= sizeof(bytes); len++)
			CU_ASSERT_EQUAL(fs_crc32c(at * 0x9e3779b1u, bytes + at, len),
				ext2fs_crc32c_le(at * 0x9e3779b1u, bytes + at, len));
}

/* What tune2fs -l and e2fsck look at. */
static void test_fields(void)
{
	uint32_t before = (uint32_t)time(NULL), last_check;
	uint64_t written;

	make("-b 1024");
	super->s_kbytes_written = htole64(1000);
	super->s_flags = htole32(EXT2_FLAGS_TEST_FILESYS);
	super->s_mtime_hi = super->s_wtime_hi = 1;
	super->s_checksum = htole32(fs_crc32c(~0u, super, offsetof(struct ext2_super_block, s_checksum)));
	last_check = super->s_lastcheck;
	CU_ASSERT_EQUAL_FATAL(mount(false), 0);
	e4_set_mounted_on(fs, "/home/an/Sealdrive/Hồ sơ");
	CU_ASSERT(le32toh(super->s_feature_incompat) & EXT3_FEATURE_INCOMPAT_RECOVER);
	write_file("file", 3 << 20);
	CU_ASSERT_EQUAL(e4_unmount(fs), 0);
	CU_ASSERT_FALSE(le32toh(super->s_feature_incompat) & EXT3_FEATURE_INCOMPAT_RECOVER);
	CU_ASSERT(le16toh(super->s_state) & EXT2_VALID_FS);
	CU_ASSERT_EQUAL(le16toh(super->s_mnt_count), 1);
	CU_ASSERT(le32toh(super->s_mtime) >= before && le32toh(super->s_wtime) >= before);
	CU_ASSERT_EQUAL(super->s_mtime_hi, 0);
	CU_ASSERT_EQUAL(super->s_wtime_hi, 0);
	CU_ASSERT_EQUAL(super->s_lastcheck, last_check);
	written = le64toh(super->s_kbytes_written);
	CU_ASSERT(written >= 1000 + 3072 && written < 1000 + 3072 + 512);
	CU_ASSERT_STRING_EQUAL((const char *)super->s_last_mounted, "/home/an/Sealdrive/Hồ sơ");
	CU_ASSERT_EQUAL(le32toh(super->s_flags), EXT2_FLAGS_TEST_FILESYS | EXT2_FLAGS_SIGNED_HASH);
	CU_ASSERT_EQUAL(image_check(mem), 0);
	blkdev_close(mem);
}

static void test_long_path(void)
{
	char path[300];

	memset(path, 'p', sizeof(path));
	path[sizeof(path) - 1] = '\0';
	make("-b 1024");
	CU_ASSERT_EQUAL_FATAL(mount(false), 0);
	e4_set_mounted_on(fs, path);
	CU_ASSERT_EQUAL(e4_unmount(fs), 0);
	CU_ASSERT_EQUAL(memcmp(super->s_last_mounted, path, sizeof(super->s_last_mounted)), 0);
	CU_ASSERT_EQUAL(image_check(mem), 0);
	blkdev_close(mem);
}

/* A compatible feature that nobody knows yet is kept and does no harm. */
static void test_compat(void)
{
	make("-b 1024 -O ^metadata_csum");
	super->s_feature_compat |= htole32(1u << 29);
	CU_ASSERT_EQUAL_FATAL(mount(false), 0);
	CU_ASSERT_FALSE(e4_is_read_only(fs));
	write_file("file", 1000);
	CU_ASSERT_EQUAL(e4_unmount(fs), 0);
	CU_ASSERT(le32toh(super->s_feature_compat) & 1u << 29);
	super->s_feature_compat &= ~htole32(1u << 29);
	CU_ASSERT_EQUAL(image_check(mem), 0);
	blkdev_close(mem);
}

static void read_only_for(uint32_t ro_compat, const char *words)
{
	uint8_t *before = malloc(IMAGE_BYTES);

	make("-b 1024 -O ^metadata_csum");
	super->s_feature_ro_compat |= htole32(ro_compat);
	memcpy(before, memdev_data(mem), IMAGE_BYTES);
	CU_ASSERT_EQUAL_FATAL(mount(false), 0);
	CU_ASSERT(e4_is_read_only(fs));
	CU_ASSERT_PTR_NOT_NULL(strstr(e4_read_only_reason(fs), words));
	e4_set_mounted_on(fs, "/somewhere");
	CU_ASSERT_EQUAL(e4_unmount(fs), 0);
	CU_ASSERT_EQUAL(memcmp(before, memdev_data(mem), IMAGE_BYTES), 0);
	blkdev_close(mem);
	free(before);
}

static void test_ro_compat(void)
{
	read_only_for(EXT4_FEATURE_RO_COMPAT_QUOTA, "keeps account");
	read_only_for(EXT4_FEATURE_RO_COMPAT_QUOTA | EXT4_FEATURE_RO_COMPAT_PROJECT, "'quota, project'");
	read_only_for(EXT4_FEATURE_RO_COMPAT_READONLY, "'read-only'");
	read_only_for(1u << 29, "'0x20000000'");
	read_only_for(0xfff00000u | EXT4_FEATURE_RO_COMPAT_QUOTA, "'quota, 0x100000, ");
}

static void refused_for(int err, const char *words)
{
	uint8_t *before = malloc(IMAGE_BYTES);

	memcpy(before, memdev_data(mem), IMAGE_BYTES);
	CU_ASSERT_EQUAL(mount(false), err);
	CU_ASSERT_PTR_NOT_NULL(strstr(diag.detail, words));
	CU_ASSERT_EQUAL(memcmp(before, memdev_data(mem), IMAGE_BYTES), 0);
	blkdev_close(mem);
	free(before);
}

static void test_incompat(void)
{
	make("-b 1024 -O ^metadata_csum");
	super->s_feature_incompat |= htole32(EXT4_FEATURE_INCOMPAT_ENCRYPT | 1u << 30);
	refused_for(-SDE_FS_FEATURE, "'encrypt, 0x40000000'");
	make("-b 1024 -O ^metadata_csum");
	super->s_feature_incompat = htole32(~0u);
	refused_for(-SDE_FS_FEATURE, "'compression, journal_dev, ");
	make("-b 1024 -O ^metadata_csum,^has_journal");
	super->s_feature_incompat |= htole32(EXT3_FEATURE_INCOMPAT_RECOVER);
	refused_for(-SDE_FS_DAMAGED, "s_feature_incompat");
}

static void test_journal_place(void)
{
	make("-b 1024 -O ^metadata_csum");
	super->s_journal_inum = 0;
	super->s_journal_dev = htole32(0x801);
	memcpy(super->s_journal_uuid, "0123456789abcdef", 16);
	refused_for(-SDE_FS_FEATURE, "30313233-3435-3637-3839-616263646566");
	make("-b 1024 -O ^metadata_csum");
	super->s_journal_inum = 0;
	refused_for(-SDE_FS_DAMAGED, "s_journal_inum");
}

static void test_size(void)
{
	make("-b 1024 -O ^metadata_csum");
	super->s_blocks_count = htole32(le32toh(super->s_blocks_count) + 1);
	refused_for(-SDE_FS_SIZE, "16778240 bytes, the device 16777216");
}

/* Damage that was met is told to whoever checks the volume. (With a journal, its super block says so,
 * too, and nothing is written before a check.) */
static void test_errors(void)
{
	uint32_t before = (uint32_t)time(NULL);

	make("-b 1024 -O ^has_journal");
	for (int round = 0; round < 2; round++) {
		super->s_state = htole16(EXT2_VALID_FS);
		super->s_checksum =
			htole32(fs_crc32c(~0u, super, offsetof(struct ext2_super_block, s_checksum)));
		CU_ASSERT_EQUAL_FATAL(mount(false), 0);
		CU_ASSERT_EQUAL(fs_damaged(fs, "by a test"), -EUCLEAN);
		CU_ASSERT_EQUAL(e4_unmount(fs), -EUCLEAN);
		CU_ASSERT_EQUAL(le16toh(super->s_state), EXT2_ERROR_FS);
		CU_ASSERT_EQUAL(le32toh(super->s_error_count), (uint32_t)round + 1);
		CU_ASSERT(le32toh(super->s_first_error_time) >= before);
		CU_ASSERT_STRING_EQUAL((const char *)super->s_first_error_func, "sealdrive");
		CU_ASSERT_STRING_EQUAL((const char *)super->s_last_error_func, "sealdrive");
	}
	CU_ASSERT_EQUAL(mount(false), 0);
	CU_ASSERT(e4_is_read_only(fs));
	CU_ASSERT_EQUAL(e4_unmount(fs), 0);
	blkdev_close(mem);
}

/* Power failed at mount or unmount, when one of the super block's two sectors was written. */
static void test_torn(void)
{
	enum { SECTOR = 512 };
	struct ext2_super_block clean, used, *const states[] = {&clean, &used};

	make("-b 1024");
	CU_ASSERT_EQUAL_FATAL(mount(false), 0);
	write_file("file", 1000);
	CU_ASSERT_EQUAL(e4_unmount(fs), 0);
	clean = used = *super;
	used.s_feature_incompat |= htole32(EXT3_FEATURE_INCOMPAT_RECOVER);
	used.s_checksum = htole32(fs_crc32c(~0u, &used, offsetof(struct ext2_super_block, s_checksum)));
	for (int i = 0; i < 4; i++) {
		memcpy(super, states[i & 1], SECTOR);
		memcpy((uint8_t *)super + SECTOR, (uint8_t *)states[i >> 1] + SECTOR, SECTOR);
		CU_ASSERT_EQUAL_FATAL(mount(true), 0);
		CU_ASSERT_EQUAL(e4_unmount(fs), 0);
		CU_ASSERT_EQUAL_FATAL(mount(false), 0);
		CU_ASSERT_FALSE(e4_is_read_only(fs));
		CU_ASSERT_EQUAL(e4_unmount(fs), 0);
		CU_ASSERT_EQUAL(image_check(mem), 0);
	}
	/* Anything else is damage, with that bit turned or not. */
	super->s_inodes_count ^= htole32(1);
	CU_ASSERT_EQUAL(mount(false), -SDE_FS_DAMAGED);
	super->s_feature_incompat ^= htole32(EXT3_FEATURE_INCOMPAT_RECOVER);
	CU_ASSERT_EQUAL(mount(false), -SDE_FS_DAMAGED);
	blkdev_close(mem);
}

int main(void)
{
	return UNIT_RUN(UNIT(test_crc32c), UNIT(test_fields), UNIT(test_long_path), UNIT(test_compat), UNIT(test_ro_compat),
		UNIT(test_incompat), UNIT(test_journal_place), UNIT(test_size), UNIT(test_errors),
		UNIT(test_torn));
}
