/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Recovery: what a journal holds becomes what the volume holds, on the drive or, for whoever may
 * write nothing, in memory only.
 */
#ifndef EXT4_RECOVERY_H
#define EXT4_RECOVERY_H

#include "ext4/journal.h"

/*
 * fs says that its journal is in use (needs_recovery) and is open as far as inodes can be read. After
 * 0, fs->recovered is set, and everything must be read again, through fs->replayed if it is there.
 */
int recovery_run(struct e4_fs *fs, struct diag *diag) MUST_CHECK;
/* After that: the kernel stores the counters of the super block only when it unmounts, so they are
 * taken from the groups. -EUCLEAN, I/O. */
int recovery_count_free(struct e4_fs *fs) MUST_CHECK;

/* One block that is to be replayed: its last copy in the log that no revoke covers. */
struct replay_block {
	uint64_t block;
	uint64_t in_log; /* block on the drive */
	uint64_t tid;
	bool escaped;
};

struct replay {
	struct replay_block *blocks; /* sorted by block, each once */
	size_t count;
	uint64_t next_tid; /* of the first transaction after recovery */
};

/*
 * Reads the log of a dirty journal, all checksums verified; changes nothing. -SDE_FS_DAMAGED where
 * the kernel would not mount; -SDE_JOURNAL_DIRTY where fast commits would have to be replayed.
 */
int replay_read(struct journal *j, struct replay *ret_replay, struct diag *diag) MUST_CHECK;
/* Puts the blocks in their places, flushed, and then empties the log. May be repeated. */
int replay_write(struct journal *j, const struct replay *replay) MUST_CHECK;
void replay_free(struct replay *replay);

/*
 * A read-only device that shows lower as it would be after replay_write(). Takes replay over, on
 * success; lower stays the caller's and must outlive it.
 */
int replaydev_new(struct blkdev *lower, uint32_t block_bytes, struct replay *replay,
	struct blkdev **ret_dev) MUST_CHECK;

#endif
