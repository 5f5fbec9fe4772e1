/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The journal of a mounted volume (docs/JOURNAL.md). Private to ext4/.
 *
 * journal_open() only reads. A journal is then replayed (recovery.h) or started: from then on
 * txn.c writes transactions through it, and journal_stop() leaves it empty.
 *
 * Between start and stop everything here belongs to the one thread that commits or checkpoints
 * (`committing` in txn.c), but for what says otherwise.
 */
#ifndef EXT4_JOURNAL_H
#define EXT4_JOURNAL_H

#include "ext4/blockrun.h"
#include "ext4/cache.h"
#include "ext4/jbd2.h"

struct journal;
struct revokes;

enum journal_checksum { JOURNAL_CSUM_NONE, JOURNAL_CSUM_V1, JOURNAL_CSUM_V2, JOURNAL_CSUM_V3 };

/* A run of the log on the drive. */
struct journal_run {
	uint32_t lblk, count;
	uint64_t pblk;
};

/* What the journal's super block says, checked. */
struct journal_format {
	uint32_t first, end;	  /* the log: blocks [first, end) of the journal */
	uint32_t sequence, start; /* of the oldest transaction; start 0: the log is empty */
	uint32_t tag_bytes;	  /* without UUID */
	uint32_t csum_seed;
	enum journal_checksum csum;
	bool wide; /* 64-bit block numbers */
	bool async_commit;
	uint32_t fast_first; /* the first block of fast commits; 0: there are none */
	int error; /* nonzero: an error was recorded when it was used last */
};

/* A committed transaction in the log. */
struct journal_txn {
	struct list link;
	uint64_t tid;
	uint32_t start, blocks;
};

struct journal {
	struct e4_fs *fs;
	struct journal_run *runs;
	size_t run_count;
	uint8_t *super; /* one block, as it lies on the drive */
	struct journal_format format;

	/* ---- live ---- */
	uint64_t next_tid; /* of the next transaction to be written; the drive has the low 32 bits */
	uint32_t head;	   /* log block where it will begin */
	uint32_t used;	   /* blocks of the transactions in the list */
	struct list txns;  /* in the log, oldest first: tail to head */
	/* Memory for commits, so that none fails half-way for want of it. */
	struct journal_txn *spare; /* of the next commit */
	uint8_t *descriptor;	   /* one block */
	struct blockrun run;
};

/* -SDE_FS_DAMAGED and -SDE_FS_FEATURE with diag; I/O. */
int journal_open(struct e4_fs *fs, struct journal **ret_journal, struct diag *diag) MUST_CHECK;
void journal_close(struct journal *j); /* frees; NULL is fine */

static inline bool journal_is_dirty(const struct journal *j)
{
	return j->format.start != 0;
}

static inline struct jbd2_super *journal_super(struct journal *j)
{
	return (struct jbd2_super *)j->super;
}

/* Where block lblk of the journal lies. */
uint64_t journal_block(const struct journal *j, uint32_t lblk);
int journal_read(struct journal *j, uint32_t lblk, void *data) MUST_CHECK;
/* lblk + n inside the log, which is a ring. */
uint32_t journal_wrap(const struct journal *j, uint64_t lblk);
/* Writes and flushes the super block: the log begins at start (0: it is empty) with tid. */
int journal_super_write(struct journal *j, uint32_t start, uint64_t tid) MUST_CHECK;
/* The whole block of a descriptor or revoke block but its tail. */
uint32_t journal_tail_checksum(const struct journal *j, const uint8_t *block);
/* Checksum of one block in the log, as tags hold it. */
uint32_t journal_data_checksum(const struct journal *j, uint32_t sequence, const uint8_t *block);
uint32_t journal_commit_checksum(const struct journal *j, const uint8_t *block);
/* Room for the checksum at the end of descriptor and revoke blocks. */
uint32_t journal_tail_bytes(const struct journal *j);

/* What can fail before anything is written: its blocks are nobody else's, memory. */
int journal_prepare(struct journal *j) MUST_CHECK;
/* The empty journal goes into use, after that: format as the volume's features ask, super block written. */
int journal_start(struct journal *j) MUST_CHECK;
/* Everything has been checkpointed: the log is empty for whoever comes next. */
int journal_stop(struct journal *j) MUST_CHECK;

/* The volume has failed: says so in the journal, where replaying it cannot undo that. The log stays. */
int journal_mark_error(struct journal *j, int err) MUST_CHECK;

/* Blocks of the log that a transaction of so many blocks and revokes takes. */
uint32_t journal_need(const struct journal *j, size_t blocks, size_t revokes);
/* Most blocks that one transaction may change. Constant; any thread. */
uint32_t journal_max_blocks(const struct journal *j);
/* Blocks that nothing in the log occupies. */
uint32_t journal_free(const struct journal *j);
/* Whether the largest transaction would fit behind one that takes `need` now. */
bool journal_fits_another(const struct journal *j, uint32_t need);

/* What the next commit needs in memory. -ENOMEM: nothing has happened. */
int journal_commit_prepare(struct journal *j) MUST_CHECK;
/*
 * Writes a transaction: revokes, list, commit block, with the flushes between them (JOURNAL.md,
 * "Order of a commit"). When it returns 0 the transaction is on the medium, and so is all file data
 * written before the call. The list's copies may be changed by it. After journal_commit_prepare().
 */
int journal_commit(struct journal *j, const struct commit_list *list, struct revokes *revokes) MUST_CHECK;
/* All transactions older than tid are at their home places, flushed: their part of the log is free. */
int journal_move_tail(struct journal *j, uint64_t tid) MUST_CHECK;

#endif
