/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Mounting and unmounting, and what happens when a volume fails.
 *
 * States: mounted read-write -> (damage found, or a metadata write failed) -> failed: read-only for
 * good, fs->error keeps the first reason, the drive keeps "not cleanly unmounted", and nothing is
 * written any more, but for "errors were found" in the super block at unmount. A volume mounted
 * read-only never changes a byte of the device.
 */
#include "ext4/fs.h"

#include <errno.h>
#include <ext2fs/ext2fs.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/i18n.h"
#include "ext4/balloc.h"
#include "ext4/cache.h"
#include "ext4/dataloss.h"
#include "ext4/inode.h"
#include "ext4/journal.h"
#include "ext4/mmp.h"
#include "ext4/orphan.h"
#include "ext4/recovery.h"
#include "ext4/super.h"
#include "ext4/xattr-share.h"

enum { WATCHED_LOG_BLOCKS = 8 };

uint32_t fs_inode_seed(const struct e4_fs *fs, uint32_t ino, uint32_t generation)
{
	uint32_t le_ino = htole32(ino), le_generation = htole32(generation);

	return fs_crc32c(fs_crc32c(fs->csum_seed, &le_ino, sizeof(le_ino)), &le_generation,
		sizeof(le_generation));
}

/* ---- failure --------------------------------------------------------------------------- */

static void fs_fail(struct e4_fs *fs, int err, const char *what)
{
	int none = 0;

	if (!atomic_compare_exchange_strong(&fs->error, &none, err))
		return;
	pthread_mutex_lock(&fs->super_lock);
	if (!fs->read_only_reason && asprintf(&fs->read_only_reason, "%s", error_text(err)) < 0)
		fs->read_only_reason = NULL;
	pthread_mutex_unlock(&fs->super_lock);
	atomic_store(&fs->read_only, true);
	if (fs->options.on_error)
		fs->options.on_error(fs->options.on_error_ctx, err, what);
}

int fs_damaged(struct e4_fs *fs, const char *what, ...)
{
	char text[200];
	va_list ap;

	va_start(ap, what);
	vsnprintf(text, sizeof(text), what, ap);
	va_end(ap);
	fs_fail(fs, -EUCLEAN, text);
	return -EUCLEAN;
}

int fs_io_error(struct e4_fs *fs, int err, const char *what)
{
	fs_fail(fs, err, what);
	return err;
}

int fs_check_writable(struct e4_fs *fs)
{
	return atomic_load(&fs->read_only) ? -EROFS : 0;
}

bool e4_is_read_only(const struct e4_fs *fs)
{
	return atomic_load(&fs->read_only);
}

bool e4_has_journal(const struct e4_fs *fs)
{
	return fs_has_journal(fs);
}

const char *e4_read_only_reason(const struct e4_fs *fs)
{
	if (!atomic_load(&fs->read_only))
		return NULL;
	return fs->read_only_reason ? fs->read_only_reason : "";
}

/* ---- mount ----------------------------------------------------------------------------- */

static int check_root(struct e4_fs *fs, struct diag *diag)
{
	struct e4_inode *root;
	int r = e4_iget(fs, E4_ROOT_INO, &root);
	bool is_dir;

	if (r == 0) {
		is_dir = inode_is_dir(root);
		e4_iput(root);
		if (is_dir)
			return 0;
	}
	if (r == 0 || r == -EUCLEAN || r == -ENOENT)
		return diag_set(diag, -SDE_FS_DAMAGED, _("the root folder cannot be read"));
	return r;
}

static void parts_stop(struct e4_fs *fs)
{
	if (fs->inodes)
		inodes_stop(fs);
	groups_stop(fs);
	xattr_share_stop(fs);
	cache_free(fs->cache);
	fs->cache = NULL;
}

static void fs_free(struct e4_fs *fs)
{
	parts_stop(fs);
	journal_close(fs->journal);
	blkdev_close(fs->replayed);
	dataloss_stop(fs);
	pthread_mutex_destroy(&fs->rename_lock);
	pthread_mutex_destroy(&fs->orphan_lock);
	pthread_mutex_destroy(&fs->trim_lock);
	pthread_mutex_destroy(&fs->super_lock);
	free(fs->read_only_reason);
	free(fs);
}

/* As far as inodes can be read. */
static int parts_start(struct e4_fs *fs, struct diag *diag)
{
	int r = super_load(fs, diag);

	r = r < 0 ? r : cache_new(fs, fs->options.cache_bytes, &fs->cache);
	r = r < 0 ? r : groups_start(fs);
	r = r < 0 ? r : xattr_share_start(fs);
	return r < 0 ? r : inodes_start(fs);
}

/* All that was read so far may be older than the journal: it is read again. */
static int recover(struct e4_fs *fs, struct diag *diag)
{
	int r = recovery_run(fs, diag);

	if (r < 0)
		return r;
	parts_stop(fs);
	if (fs->replayed)
		fs->dev = fs->replayed;
	free(fs->read_only_reason);
	fs->read_only_reason = NULL;
	fs->feature_compat = fs->feature_incompat = 0;
	atomic_store(&fs->feature_ro_compat, 0);
	atomic_store(&fs->read_only, false);
	atomic_store(&fs->error, 0);
	r = parts_start(fs, diag);
	r = r < 0 ? r : recovery_count_free(fs);
	/* What is damaged there makes the volume read-only, not unreadable. */
	return r == -EUCLEAN ? 0 : r;
}

/* From the first change on: "in use" on the drive, then the journal. */
static int go_live(struct e4_fs *fs, struct diag *diag)
{
	struct journal *j = NULL;
	int r = fs_has_journal(fs) ? journal_open(fs, &j, diag) : 0;

	if (r == 0 && j)
		r = journal_prepare(j);
	r = r < 0 ? r : super_mark_mounted(fs);
	if (r == 0 && j)
		r = journal_start(j);
	if (r < 0) {
		journal_close(j);
		return r;
	}
	txn_set_journal(fs, j);
	fs->was_writable = true;
	r = super_count_mount(fs);
	r = r < 0 ? r : orphans_finish(fs);
	/* What is damaged there makes the volume read-only, not unreadable. */
	return r == -EUCLEAN ? 0 : r;
}

/* Where the log begins: as much of it as lies together, a few blocks. */
static int watch_log(struct e4_fs *fs)
{
	const struct journal *j = fs->journal;
	uint64_t first = journal_block(j, j->format.first);
	uint32_t count = 1, most = (uint32_t)min_u64(WATCHED_LOG_BLOCKS, j->format.end - j->format.first);

	while (count < most && journal_block(j, j->format.first + count) == first + count)
		count++;
	return blkdev_watch(fs->dev, fs_blocks_to_bytes(fs, count), fs_blocks_to_bytes(fs, first));
}

/* Nobody can mount or repair the volume without changing the super blocks. A copy of the drive that was
 * used as often has the same ones; its log has other times and other data. */
static int watch(struct e4_fs *fs)
{
	int r = blkdev_watch(fs->dev, sizeof(fs->super), SUPERBLOCK_OFFSET);

	if (r < 0 || !fs->journal)
		return r;
	r = blkdev_watch(fs->dev, fs->block_bytes, fs_blocks_to_bytes(fs, journal_block(fs->journal, 0)));
	return r < 0 ? r : watch_log(fs);
}

static int start(struct e4_fs *fs, struct diag *diag)
{
	int r = parts_start(fs, diag);

	r = r < 0 ? r : mmp_start(fs, diag);
	if (r == 0 && fs_has_incompat(fs, EXT3_FEATURE_INCOMPAT_RECOVER))
		r = recover(fs, diag);
	r = r < 0 ? r : txn_start(fs);
	r = r < 0 ? r : check_root(fs, diag);
	if (r == 0 && !e4_is_read_only(fs))
		r = go_live(fs, diag);
	return r < 0 ? r : watch(fs);
}

int e4_mount(struct blkdev *dev, const struct e4_mount_options *options, struct e4_fs **ret_fs,
	struct diag *diag)
{
	struct e4_fs *fs = calloc(1, sizeof(*fs));
	int r;

	if (!fs)
		return -ENOMEM;
	fs->dev = dev;
	fs->options = *options;
	pthread_mutex_init(&fs->rename_lock, NULL);
	pthread_mutex_init(&fs->orphan_lock, NULL);
	list_init(&fs->orphans);
	pthread_mutex_init(&fs->trim_lock, NULL);
	pthread_mutex_init(&fs->super_lock, NULL);
	r = dataloss_start(fs);
	r = r < 0 ? r : start(fs, diag);
	if (r < 0) {
		(void)!txn_stop(fs);
		(void)!mmp_stop(fs);
		fs_free(fs);
		return r;
	}
	*ret_fs = fs;
	return 0;
}

/* Everything at its place, the journal empty and out of use, and only then "clean". */
static int go_clean(struct e4_fs *fs)
{
	struct journal *j = fs->journal;
	int r = txn_drain(fs);

	if (r == 0 && j) {
		r = journal_stop(j);
		if (r < 0)
			return fs_io_error(fs, r, "journal");
		txn_set_journal(fs, NULL);
		journal_close(j);
	}
	return r < 0 ? r : super_mark_clean(fs);
}

/* The file system that holds the container has no room, or may hold no more: the drive is as good as it was. */
static bool host_is_full(int err)
{
	return err == -ENOSPC || err == -EDQUOT || err == -EFBIG;
}

/* On the drive, for whoever opens it next. What fails here changes nothing: without a journal the drive
 * says that it must be checked in any case, with one the state of the last commit is whole. */
static void mark_failed(struct e4_fs *fs, int err)
{
	/* Who has taken the volume from us finds not one byte of ours, whatever failed first. */
	if (!mmp_still_ours(fs))
		return;
	if (fs->journal && !host_is_full(err))
		(void)!journal_mark_error(fs->journal, err);
	if (err == -EUCLEAN)
		(void)!super_mark_errors(fs);
}

int e4_unmount(struct e4_fs *fs)
{
	int lazy = inodes_store_lazy(fs);
	int r = e4_is_read_only(fs) ? atomic_load(&fs->error) : go_clean(fs);
	int stopped = txn_stop(fs), failed = atomic_load(&fs->error), untold = dataloss_untold(fs), released;

	if (fs->was_writable && failed < 0)
		mark_failed(fs, failed);
	released = mmp_stop(fs);
	fs_free(fs);
	if (r == 0)
		r = lazy;
	r = r < 0 ? r : stopped;
	r = r < 0 ? r : released;
	/* The volume is clean, but who unmounts it believes that all is there. */
	return r < 0 ? r : untold;
}

int e4_sync(struct e4_fs *fs)
{
	int r = inodes_store_lazy(fs);

	return r < 0 ? r : txn_commit(fs, txn_running_id(fs));
}

void e4_statfs(struct e4_fs *fs, struct e4_statfs *ret_statfs)
{
	uint64_t free_blocks = min_u64(atomic_load(&fs->free_blocks), fs->blocks_count);

	*ret_statfs = (struct e4_statfs){
		.block_bytes = fs->block_bytes,
		.blocks = fs->blocks_count,
		.blocks_free = free_blocks,
		.blocks_avail = min_u64(balloc_available(fs, false), free_blocks),
		.inodes = fs->inodes_count,
		.inodes_free = min_u64(atomic_load(&fs->free_inodes), fs->inodes_count),
		.time_gran_ns = fs->inode_bytes > EXT2_GOOD_OLD_INODE_SIZE ? 1 : 1000000000,
	};
	pthread_mutex_lock(&fs->super_lock);
	ret_statfs->reserve_uid = le16toh(fs->super.s_def_resuid);
	ret_statfs->reserve_gid = le16toh(fs->super.s_def_resgid);
	memcpy(ret_statfs->uuid, fs->super.s_uuid, sizeof(ret_statfs->uuid));
	memcpy(ret_statfs->label, fs->super.s_volume_name, sizeof(ret_statfs->label) - 1);
	pthread_mutex_unlock(&fs->super_lock);
}
