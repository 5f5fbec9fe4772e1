/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Access times: which accesses count, and where those that are kept in memory get to the drive. */
#include "ext4/inode.h"
#include "tests/dev/volume.h"
#include "tests/unit.h"

enum { DAY = 24 * 60 * 60, FILES = 6000 /* more than stay in memory */ };

static struct volume volume;

static void setup(enum e4_atime atime)
{
	CU_ASSERT_EQUAL_FATAL(volume_make(&volume, 64 << 20, "-b 1024 -N 8000", NULL), 0);
	volume.atime = atime; /* from the next mount on */
	CU_ASSERT_EQUAL_FATAL(volume_judge(&volume), 0);
}

static void teardown(void)
{
	CU_ASSERT_EQUAL(volume_judge(&volume), 0);
	volume_close(&volume);
}

static struct e4_inode *get(const char *name)
{
	struct e4_inode *inode = NULL;

	CU_ASSERT_EQUAL_FATAL(e4_lookup(volume.root, name, strlen(name), &inode), 0);
	return inode;
}

static void set_times(struct e4_inode *inode, int64_t atime, int64_t mtime, int64_t ctime)
{
	const struct e4_attr attr = {
		.atime.tv_sec = atime,
		.mtime.tv_sec = mtime,
		.ctime.tv_sec = ctime,
	};

	CU_ASSERT_EQUAL(e4_setattr(inode, &attr, E4_SET_ATIME | E4_SET_MTIME | E4_SET_CTIME), 0);
}

static int64_t atime_of(struct e4_inode *inode)
{
	struct e4_attr attr;

	e4_getattr(inode, &attr);
	return attr.atime.tv_sec;
}

static bool counts(struct e4_inode *inode, int64_t atime, int64_t mtime, int64_t ctime)
{
	set_times(inode, atime, mtime, ctime);
	e4_accessed(inode);
	return atime_of(inode) != atime;
}

static void test_policies(void)
{
	const int64_t now = inode_now().tv_sec;
	const struct {
		enum e4_atime policy;
		bool unchanged_since, changed_since, status_changed, day_old, from_the_future;
	} policies[] = {
		{E4_ATIME_RELATIVE, false, true, true, true, false},
		{E4_ATIME_NEVER, false, false, false, false, false},
		{E4_ATIME_ALWAYS, true, true, true, true, true},
		{E4_ATIME_LAZY, true, true, true, true, true},
	};

	for (size_t i = 0; i < ARRAY_SIZE(policies); i++) {
		struct e4_inode *file;

		setup(policies[i].policy);
		CU_ASSERT_EQUAL(volume_create(volume.root, "file", S_IFREG | 0644), 0);
		file = get("file");
		CU_ASSERT_EQUAL(counts(file, now - 50, now - 60, now - 60), policies[i].unchanged_since);
		CU_ASSERT_EQUAL(counts(file, now - 60, now - 60, now - 70), policies[i].changed_since);
		CU_ASSERT_EQUAL(counts(file, now - 60, now - 70, now - 60), policies[i].status_changed);
		CU_ASSERT_EQUAL(counts(file, now - DAY - 1, 0, 0), policies[i].day_old);
		CU_ASSERT_EQUAL(counts(file, now + 500, 0, 0), policies[i].from_the_future);
		CU_ASSERT_EQUAL(e4_set_flags(file, EXT4_EXTENTS_FL | EXT2_NOATIME_FL), 0);
		CU_ASSERT_FALSE(counts(file, now - 60, now, now));
		e4_iput(file);
		teardown();
	}
}

/* In memory, whatever is dropped from it meanwhile; on the drive after unmounting. */
static void test_lazy(void)
{
	char name[32];
	int64_t now;

	setup(E4_ATIME_LAZY);
	for (unsigned i = 0; i < FILES; i++) {
		snprintf(name, sizeof(name), "file%u", i);
		CU_ASSERT_EQUAL(volume_create(volume.root, name, S_IFREG | 0644), 0);
	}
	now = inode_now().tv_sec;
	for (unsigned i = 0; i < FILES; i++) {
		struct e4_inode *file;

		snprintf(name, sizeof(name), "file%u", i);
		file = get(name);
		set_times(file, 1000, 1000, 1000);
		e4_accessed(file);
		CU_ASSERT(atime_of(file) >= now);
		CU_ASSERT_TRUE(file->lazy_time);
		e4_iput(file);
	}
	CU_ASSERT_EQUAL(volume_judge(&volume), 0);
	for (unsigned i = 0; i < FILES; i++) {
		struct e4_inode *file;

		snprintf(name, sizeof(name), "file%u", i);
		file = get(name);
		CU_ASSERT(atime_of(file) >= now);
		e4_iput(file);
	}
	teardown();
}

/* Each way to the drive by itself. */
static void test_lazy_stored(void)
{
	struct e4_inode *file, *other;

	setup(E4_ATIME_LAZY);
	CU_ASSERT_EQUAL(volume_create(volume.root, "file", S_IFREG | 0644), 0);
	CU_ASSERT_EQUAL(volume_create(volume.root, "other", S_IFREG | 0644), 0);
	file = get("file");
	other = get("other");
	set_times(file, 1000, 1000, 1000);
	set_times(other, 1000, 1000, 1000);
	e4_accessed(file);
	e4_accessed(other);
	CU_ASSERT_EQUAL(e4_fsync(file, true), 0);
	CU_ASSERT_TRUE(file->lazy_time);
	CU_ASSERT_EQUAL(e4_fsync(file, false), 0);
	CU_ASSERT_FALSE(file->lazy_time);
	CU_ASSERT_TRUE(other->lazy_time);
	CU_ASSERT_EQUAL(e4_sync(volume.fs), 0);
	CU_ASSERT_FALSE(other->lazy_time);

	set_times(file, 1000, 1000, 1000);
	e4_accessed(file);
	atomic_store(&volume.fs->lazy_since, inode_now().tv_sec - DAY);
	set_times(other, 1000, 1000, 1000);
	e4_accessed(other);
	CU_ASSERT_FALSE(file->lazy_time);
	CU_ASSERT_FALSE(other->lazy_time);
	e4_iput(file);
	e4_iput(other);
	teardown();
}

int main(void)
{
	return UNIT_RUN(UNIT(test_policies), UNIT(test_lazy), UNIT(test_lazy_stored));
}
