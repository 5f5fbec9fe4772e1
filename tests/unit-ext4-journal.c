/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The journal in use: what it says when the volume has failed, how full it may get, how often it flushes. */
#include <errno.h>

#include "ext4/fs.h"
#include "ext4/inode.h"
#include "ext4/journal.h"
#include "ext4/txn.h"
#include "tests/dev/faultdev.h"
#include "tests/dev/image.h"
#include "tests/dev/memdev.h"
#include "tests/dev/volume.h"
#include "tests/unit.h"

static struct volume volume;
static struct blkdev *dev;

static void setup_size(uint64_t size, const char *options)
{
	struct blkdev *mem;

	volume = (struct volume){0};
	CU_ASSERT_EQUAL_FATAL(image_make(size, options, &mem), 0);
	CU_ASSERT_EQUAL_FATAL(faultdev_new(mem, &dev), 0);
	volume.dev = mem;
	volume.top = dev;
	CU_ASSERT_EQUAL_FATAL(volume_mount(&volume), 0);
	CU_ASSERT_PTR_NOT_NULL_FATAL(volume.fs->journal);
}

static void setup(const char *options)
{
	setup_size(24 << 20, options);
}

/* The first write that fails ends all writing, and the next one who opens the drive is told. */
static void test_failure_is_recorded(void)
{
	setup("-b 1024 -J size=1");
	CU_ASSERT_EQUAL(volume_create(volume.root, "synced", S_IFREG | 0600), 0);
	CU_ASSERT_EQUAL(e4_sync(volume.fs), 0);
	CU_ASSERT_EQUAL(volume_create(volume.root, "lost", S_IFREG | 0600), 0);
	faultdev_fail_once(dev, FAULT_WRITE, 1, -EIO);
	CU_ASSERT_EQUAL(e4_sync(volume.fs), -EIO);
	CU_ASSERT_EQUAL(volume.errors, 1);
	CU_ASSERT_EQUAL(volume_create(volume.root, "more", S_IFREG | 0600), -EROFS);
	CU_ASSERT_EQUAL(e4_sync(volume.fs), -EIO);
	CU_ASSERT_EQUAL(volume_unmount(&volume), -EIO);

	CU_ASSERT_EQUAL_FATAL(volume_mount(&volume), 0);
	CU_ASSERT_STRING_EQUAL(e4_read_only_reason(volume.fs),
		"errors were found in the file system and must be repaired");
	CU_ASSERT(volume_ino(volume.root, "synced") > 0);
	CU_ASSERT_EQUAL(volume_ino(volume.root, "lost"), -ENOENT);
	volume_close(&volume);
}

/* A container on a full host: nothing is wrong with it, and it opens as ever when there is room again. */
static void test_full_host(void)
{
	static const int errors[] = {-ENOSPC, -EDQUOT, -EFBIG};

	setup("-b 1024 -J size=1");
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		char synced[] = "synced0";

		synced[6] += (char)i;
		CU_ASSERT_EQUAL(volume_create(volume.root, synced, S_IFREG | 0600), 0);
		CU_ASSERT_EQUAL(e4_sync(volume.fs), 0);
		CU_ASSERT_EQUAL(volume_create(volume.root, "lost", S_IFREG | 0600), 0);
		faultdev_fail_from(dev, FAULT_WRITE, 1 + i % 2, errors[i]);
		CU_ASSERT_EQUAL(e4_sync(volume.fs), errors[i]);
		CU_ASSERT_EQUAL(volume_create(volume.root, "more", S_IFREG | 0600), -EROFS);
		CU_ASSERT_EQUAL(volume_unmount(&volume), errors[i]);
		CU_ASSERT_EQUAL(volume_mount(&volume), errors[i]);

		faultdev_fail_from(dev, FAULT_WRITE, 0, 0);
		CU_ASSERT_EQUAL_FATAL(volume_mount(&volume), 0);
		CU_ASSERT_FALSE(e4_is_read_only(volume.fs));
		CU_ASSERT(volume_ino(volume.root, synced) > 0);
		CU_ASSERT_EQUAL(volume_ino(volume.root, "lost"), -ENOENT);
	}
	CU_ASSERT_EQUAL(volume_unmount(&volume), 0);
	volume_close(&volume);
}

/* One small file: two flushes, whatever else is waiting. */
static void test_flushes_of_fsync(void)
{
	struct e4_inode *file;
	char name[20], byte = 'x';
	uint64_t before;

	setup("-b 1024 -J size=1");
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "file-%d", i);
		CU_ASSERT_EQUAL(volume_create(volume.root, name, S_IFREG | 0600), 0);
	}
	CU_ASSERT_EQUAL_FATAL(e4_lookup(volume.root, "file-50", 7, &file), 0);
	CU_ASSERT_EQUAL(e4_write(file, &byte, 1, 0, 0), 1);
	before = faultdev_calls(dev, FAULT_FLUSH);

	CU_ASSERT_EQUAL(e4_fsync(file, false), 0);
	CU_ASSERT_EQUAL(faultdev_calls(dev, FAULT_FLUSH) - before, 2);
	/* Nothing to commit: only the data that may have been written over. */
	CU_ASSERT_EQUAL(e4_fsync(file, false), 0);
	CU_ASSERT_EQUAL(faultdev_calls(dev, FAULT_FLUSH) - before, 3);
	e4_iput(file);
	volume_close(&volume);
}

/* Transactions that fill the smallest journal again and again never find it full. */
static void test_smallest_journal(void)
{
	char name[40];

	setup("-b 1024 -J size=1 -N 4000");
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 700; i++) {
			snprintf(name, sizeof(name), "%0*d", 30, i);
			CU_ASSERT_EQUAL_FATAL(volume_create(volume.root, name, S_IFREG | 0600), 0);
			CU_ASSERT(volume.fs->journal->used < volume.fs->journal->format.end);
		}
		for (int i = 0; i < 700; i++) {
			snprintf(name, sizeof(name), "%0*d", 30, i);
			CU_ASSERT_EQUAL_FATAL(volume_unlink(volume.root, name), 0);
		}
	}
	CU_ASSERT(volume.fs->journal->next_tid > 3);
	CU_ASSERT_EQUAL(txn_overdrawn(volume.fs), 0);
	CU_ASSERT_EQUAL(volume.errors, 0);
	CU_ASSERT_EQUAL(volume_judge(&volume), 0);
	volume_close(&volume);
}

/*
 * Each block of metadata that is freed costs room in the log, too: a folder's, say. It takes long to make
 * one that is large enough, so a file is taken for a link.
 */
static void remove_large(const char *options)
{
	static uint8_t data[1 << 20];
	struct e4_inode *inode, *gone;

	setup_size(80 << 20, options);
	CU_ASSERT_EQUAL_FATAL(volume_create(volume.root, "large", S_IFREG | 0600), 0);
	CU_ASSERT_EQUAL_FATAL(e4_lookup(volume.root, "large", 5, &inode), 0);
	for (uint64_t off = 0; off < 64 << 20; off += sizeof(data))
		CU_ASSERT_EQUAL_FATAL(e4_write(inode, data, sizeof(data), off, 0), sizeof(data));
	CU_ASSERT_EQUAL_FATAL(e4_unlink(volume.root, "large", 5, &gone), 0);
	e4_iput(gone);
	/* The log is as full as it gets without a checkpoint. */
	for (unsigned i = 0; volume.fs->journal->used < volume.fs->journal->format.end * 15 / 32; i++) {
		CU_ASSERT_EQUAL_FATAL(volume_create(volume.root, i % 2 ? "b" : "a", S_IFREG | 0600), 0);
		CU_ASSERT_EQUAL_FATAL(e4_sync(volume.fs), 0);
		CU_ASSERT_EQUAL_FATAL(volume_unlink(volume.root, i % 2 ? "b" : "a"), 0);
	}
	inode->type = S_IFLNK;
	e4_iput(inode);
	CU_ASSERT_EQUAL(e4_sync(volume.fs), 0);
	CU_ASSERT_EQUAL(volume.errors, 0);
	CU_ASSERT_EQUAL(volume_judge(&volume), 0);
	volume_close(&volume);
}

static void test_large_folder(void)
{
	remove_large("-b 1024 -J size=1");
}

static void test_large_folder_of_ext3(void)
{
	remove_large("-b 1024 -J size=1 -O ^extent,^64bit");
}

int main(void)
{
	return UNIT_RUN(UNIT(test_failure_is_recorded), UNIT(test_full_host), UNIT(test_flushes_of_fsync),
		UNIT(test_smallest_journal), UNIT(test_large_folder), UNIT(test_large_folder_of_ext3));
}
