/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Multiple mount protection: one block of the volume holds a number that whoever has it mounted for
 * writing raises every few seconds.
 *
 *	free     CLEAN, or a number that stays the same for the whole waiting time
 *	checked  FSCK: e2fsck works on it, for as long as it takes
 *	used     a number that changes
 *
 * Invariants:
 * 1. Unless the number is CLEAN, we wait for more than twice as long as the slowest user takes to
 *    raise it, before ours is written and after. After CLEAN it is enough to wait for those who have
 *    read it at the same time: whose number does not stay gives up. The number that ends the waiting
 *    is a new one, so that whoever came meanwhile sees a change.
 * 2. Before it is raised the number must be the one that we wrote. If it is not, the volume has
 *    failed, and nothing is written to it any more, this block included.
 * 3. Nothing is written when mounted read-only. A volume in use elsewhere is refused even so: what
 *    the cache holds would not be what is on the drive.
 *
 * The block belongs to no transaction. Lock: mmp->lock, for `stop`; block and number are the
 * mounting thread's, then the thread's, then the unmounting thread's.
 *
 * Source: struct mmp_struct and its comment in ext2fs/ext2_fs.h; mmp_check_interval in the kernel's
 * Documentation/filesystems/ext4/mmp.rst
 */
#include "ext4/mmp.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/i18n.h"
#include "ext4/group.h"

enum {
	CHECK_MULTIPLE = 2, /* of the time that the last update took, pause included */
	WAIT_MORE_SECONDS = 60,
	AFTER_CLEAN_SECONDS = 1,
};

struct mmp {
	pthread_mutex_t lock;
	pthread_cond_t tick;
	bool stop; /* under lock */
	bool running;
	pthread_t thread;
	uint64_t block;
	uint32_t seq; /* what we wrote last; 0: nothing yet */
	unsigned update_seconds;
	char node[sizeof(((struct mmp_struct *)0)->mmp_nodename)];
	struct mmp_struct *data; /* a whole block */
};

/* ---- the block ------------------------------------------------------------------------- */

static uint32_t block_csum(const struct e4_fs *fs, const struct mmp *mmp)
{
	return fs_crc32c(fs->csum_seed, mmp->data, offsetof(struct mmp_struct, mmp_checksum));
}

/* From the medium, whatever caches hold. */
static int block_read(struct e4_fs *fs, struct mmp *mmp)
{
	uint64_t off = fs_blocks_to_bytes(fs, mmp->block);
	int r = blkdev_refresh(fs->dev, fs->block_bytes, off);

	r = r < 0 ? r : blkdev_read(fs->dev, mmp->data, fs->block_bytes, off);
	if (r < 0)
		return r;
	if (le32toh(mmp->data->mmp_magic) != EXT4_MMP_MAGIC ||
		(fs_has_csum(fs) && le32toh(mmp->data->mmp_checksum) != block_csum(fs, mmp)))
		return -EUCLEAN;
	return 0;
}

static int block_write(struct e4_fs *fs, struct mmp *mmp, uint32_t seq)
{
	int r;

	mmp->data->mmp_seq = htole32(seq);
	mmp->data->mmp_time = htole64((uint64_t)time(NULL));
	memcpy(mmp->data->mmp_nodename, mmp->node, sizeof(mmp->data->mmp_nodename));
	memset(mmp->data->mmp_bdevname, 0, sizeof(mmp->data->mmp_bdevname));
	memcpy(mmp->data->mmp_bdevname, "sealdrive", sizeof("sealdrive"));
	if (fs_has_csum(fs))
		mmp->data->mmp_checksum = htole32(block_csum(fs, mmp));
	r = blkdev_write(fs->dev, mmp->data, fs->block_bytes, fs_blocks_to_bytes(fs, mmp->block));
	mmp->seq = seq;
	return r < 0 ? r : fs_flush(fs);
}

static bool block_is_ours(const struct mmp *mmp)
{
	return le32toh(mmp->data->mmp_seq) == mmp->seq &&
	       memcmp(mmp->data->mmp_nodename, mmp->node, sizeof(mmp->node)) == 0;
}

/* Seconds after which a user would have raised the number. A drive can ask for an hour; it is not
 * heard beyond what a user may set. */
static unsigned wait_seconds(const struct mmp *mmp)
{
	uint32_t check = max_u64(mmp->update_seconds, EXT4_MMP_MIN_CHECK_INTERVAL);

	check = max_u64(check, min_u64(le16toh(mmp->data->mmp_check_interval),
		EXT4_MMP_MAX_UPDATE_INTERVAL));
	return min_u64(2 * check + 1, check + WAIT_MORE_SECONDS);
}

static void set_check_interval(struct mmp *mmp, uint64_t took_seconds)
{
	uint64_t check = max_u64(CHECK_MULTIPLE * took_seconds, EXT4_MMP_MIN_CHECK_INTERVAL);

	mmp->data->mmp_check_interval = htole16(min_u64(check, EXT4_MMP_MAX_UPDATE_INTERVAL));
}

/* ---- at mount -------------------------------------------------------------------------- */

static unsigned second_ms(const struct e4_fs *fs)
{
	return fs->options.mmp_second_ms ? fs->options.mmp_second_ms : 1000;
}

static int wait_for_others(struct e4_fs *fs, unsigned seconds)
{
	struct timespec second = {second_ms(fs) / 1000, second_ms(fs) % 1000 * 1000000L};

	for (; seconds > 0; seconds--) {
		if (fs->options.on_wait && !fs->options.on_wait(fs->options.on_wait_ctx, seconds))
			return -SDE_CANCELLED;
		nanosleep(&second, NULL);
	}
	return 0;
}

static int damaged(struct diag *diag)
{
	return diag_set(diag, -SDE_FS_DAMAGED,
		_("the block that says whether another computer uses it (MMP) cannot be read"));
}

static int in_use(const struct mmp *mmp, struct diag *diag)
{
	const struct mmp_struct *data = mmp->data;

	if (le32toh(data->mmp_seq) == EXT4_MMP_SEQ_FSCK)
		return diag_set(diag, -SDE_FS_IN_USE, _("it is being checked by e2fsck on computer %.64s"),
			(const char *)data->mmp_nodename);
	return diag_set(diag, -SDE_FS_IN_USE, _("computer %.64s, device %.32s"),
		(const char *)data->mmp_nodename, (const char *)data->mmp_bdevname);
}

/* Reads the block again after the waiting time; another number than expected is another user. */
static int wait_and_compare(struct e4_fs *fs, struct mmp *mmp, unsigned seconds, struct diag *diag)
{
	uint32_t seq = le32toh(mmp->data->mmp_seq);
	int r = wait_for_others(fs, seconds);

	r = r < 0 ? r : block_read(fs, mmp);
	if (r < 0)
		return r == -EUCLEAN ? damaged(diag) : r;
	return le32toh(mmp->data->mmp_seq) == seq ? 0 : in_use(mmp, diag);
}

static uint32_t next_seq(uint32_t seq)
{
	return seq >= EXT4_MMP_SEQ_MAX ? 1 : seq + 1;
}

static int new_seq(uint32_t *ret_seq)
{
	uint32_t seq;

	do {
		if (getrandom(&seq, sizeof(seq), 0) != sizeof(seq))
			return -EIO;
	} while (seq == 0 || seq > EXT4_MMP_SEQ_MAX);
	*ret_seq = seq;
	return 0;
}

/* A volume that is not going to be written. */
static bool only_looks(const struct e4_fs *fs)
{
	return e4_is_read_only(fs);
}

static int acquire(struct e4_fs *fs, struct mmp *mmp, struct diag *diag)
{
	unsigned seconds = AFTER_CLEAN_SECONDS;
	uint32_t seq;
	int r = block_read(fs, mmp);

	if (r < 0)
		return r == -EUCLEAN ? damaged(diag) : r;
	seq = le32toh(mmp->data->mmp_seq);
	if (seq != EXT4_MMP_SEQ_CLEAN && seq > EXT4_MMP_SEQ_MAX)
		return in_use(mmp, diag);
	if (seq != EXT4_MMP_SEQ_CLEAN) {
		seconds = wait_seconds(mmp);
		r = wait_and_compare(fs, mmp, seconds, diag);
	}
	if (r < 0 || only_looks(fs))
		return r;
	r = new_seq(&seq);
	r = r < 0 ? r : block_write(fs, mmp, seq);
	r = r < 0 ? r : wait_and_compare(fs, mmp, seconds, diag);
	if (r < 0)
		return r;
	if (!block_is_ours(mmp))
		return in_use(mmp, diag);
	set_check_interval(mmp, mmp->update_seconds);
	return block_write(fs, mmp, next_seq(seq));
}

/* Free again, if it was ours. */
static int release(struct e4_fs *fs, struct mmp *mmp)
{
	int r;

	if (mmp->seq == 0)
		return 0;
	r = block_read(fs, mmp);
	if (r == 0 && !block_is_ours(mmp))
		return -SDE_FS_IN_USE;
	return r < 0 ? r : block_write(fs, mmp, EXT4_MMP_SEQ_CLEAN);
}

/* ---- while mounted --------------------------------------------------------------------- */

static int raise_number(struct e4_fs *fs, struct mmp *mmp, uint64_t took_seconds)
{
	int r = block_read(fs, mmp);

	if (r < 0)
		return fs_io_error(fs, r, "multiple mount protection");
	if (!block_is_ours(mmp)) {
		char text[160];

		snprintf(text, sizeof(text), "computer %.64s, device %.32s",
			(const char *)mmp->data->mmp_nodename, (const char *)mmp->data->mmp_bdevname);
		return fs_io_error(fs, -SDE_FS_IN_USE, text);
	}
	set_check_interval(mmp, took_seconds);
	r = block_write(fs, mmp, next_seq(mmp->seq));
	return r < 0 ? fs_io_error(fs, r, "multiple mount protection") : 0;
}

/* false: time to end */
static bool sleep_seconds(struct e4_fs *fs, struct mmp *mmp)
{
	uint64_t ms = (uint64_t)mmp->update_seconds * second_ms(fs);
	struct timespec until = clock_after_ms(ms);
	bool stop;
	int r = 0;

	pthread_mutex_lock(&mmp->lock);
	while (!mmp->stop && r == 0)
		r = pthread_cond_timedwait(&mmp->tick, &mmp->lock, &until);
	stop = mmp->stop;
	pthread_mutex_unlock(&mmp->lock);
	return !stop;
}

static void *mmp_thread(void *arg)
{
	struct e4_fs *fs = arg;
	time_t last = time(NULL);
	int r = 0;

	while (r == 0 && sleep_seconds(fs, fs->mmp) && atomic_load(&fs->error) == 0) {
		time_t now = time(NULL);

		r = raise_number(fs, fs->mmp, now > last ? (uint64_t)(now - last) : 0);
		last = now;
	}
	return NULL;
}

/* ---- */

static void mmp_free(struct mmp *mmp)
{
	pthread_cond_destroy(&mmp->tick);
	pthread_mutex_destroy(&mmp->lock);
	free(mmp->data);
	free(mmp);
}

static struct mmp *mmp_new(const struct e4_fs *fs)
{
	struct mmp *mmp = calloc(1, sizeof(*mmp));
	pthread_condattr_t attr;

	if (!mmp)
		return NULL;
	pthread_mutex_init(&mmp->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&mmp->tick, &attr);
	pthread_condattr_destroy(&attr);
	mmp->data = calloc(1, max_u64(fs->block_bytes, sizeof(*mmp->data)));
	mmp->block = le64toh(fs->super.s_mmp_block);
	mmp->update_seconds = max_u64(1, min_u64(le16toh(fs->super.s_mmp_update_interval),
		EXT4_MMP_MAX_UPDATE_INTERVAL));
	gethostname(mmp->node, sizeof(mmp->node) - 1);
	if (mmp->data)
		return mmp;
	mmp_free(mmp);
	return NULL;
}

int mmp_start(struct e4_fs *fs, struct diag *diag)
{
	struct mmp *mmp;
	int r;

	if (!fs_has_incompat(fs, EXT4_FEATURE_INCOMPAT_MMP))
		return 0;
	mmp = mmp_new(fs);
	if (!mmp)
		return -ENOMEM;
	r = group_check_data_blocks(fs, mmp->block, 1);
	if (r == -EUCLEAN)
		r = diag_set(diag, -SDE_FS_DAMAGED, _("super block field %s is wrong"), "s_mmp_block");
	r = r < 0 ? r : acquire(fs, mmp, diag);
	if (r == -SDE_CANCELLED)
		(void)!release(fs, mmp);
	if (r < 0 || only_looks(fs)) {
		mmp_free(mmp);
		return r;
	}
	fs->mmp = mmp;
	mmp->running = pthread_create(&mmp->thread, NULL, mmp_thread, fs) == 0;
	return mmp->running ? 0 : -EAGAIN;
}

/* Ends the thread; from then on the block in memory is the caller's. */
static void halt(struct mmp *mmp)
{
	pthread_mutex_lock(&mmp->lock);
	mmp->stop = true;
	pthread_cond_signal(&mmp->tick);
	pthread_mutex_unlock(&mmp->lock);
	if (mmp->running)
		pthread_join(mmp->thread, NULL);
	mmp->running = false;
}

bool mmp_still_ours(struct e4_fs *fs)
{
	struct mmp *mmp = fs->mmp;

	if (!mmp)
		return true;
	halt(mmp);
	return block_read(fs, mmp) == 0 && block_is_ours(mmp);
}

int mmp_stop(struct e4_fs *fs)
{
	struct mmp *mmp = fs->mmp;
	int r = 0;

	if (!mmp)
		return 0;
	halt(mmp);
	fs->mmp = NULL;
	if (atomic_load(&fs->error) == 0)
		r = release(fs, mmp);
	mmp_free(mmp);
	return r;
}
