/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The journal's place on the drive, its super block and the ring of its log.
 *
 * The journal is a file without a name. Its block 0 is its super block; [first, end) is the log, a
 * ring of transactions from tail to head. Sequence numbers never go back while the super block
 * lives, so that an old block in the log is never taken for a new one.
 *
 * Of the super block only its first 256 bytes change, checksum included: one sector of any drive.
 */
#include "ext4/journal.h"

#include <errno.h>
#include <stdlib.h>

#include "base/i18n.h"
#include "ext4/extent.h"
#include "ext4/group.h"

static const uint32_t incompat_known = JBD2_INCOMPAT_REVOKE | JBD2_INCOMPAT_64BIT |
	JBD2_INCOMPAT_ASYNC_COMMIT | JBD2_INCOMPAT_CSUM_V2 | JBD2_INCOMPAT_CSUM_V3 |
	JBD2_INCOMPAT_FAST_COMMIT;

static int damaged(struct diag *diag, const char *what)
{
	return diag_set(diag, -SDE_FS_DAMAGED, _("the journal is damaged (%s)"), what);
}

/* ---- where it lies ------------------------------------------------------------------------- */

static int add_run(struct journal *j, const struct extent_run *run)
{
	struct journal_run *runs = reallocarray(j->runs, j->run_count + 1, sizeof(*runs));

	if (!runs)
		return -ENOMEM;
	j->runs = runs;
	runs[j->run_count++] = (struct journal_run){run->lblk, run->count, run->pblk};
	return 0;
}

/* The blocks [0, count) of the journal's inode: no holes, all inside the volume. */
static int map_blocks(struct journal *j, struct e4_inode *inode, uint32_t count)
{
	uint64_t lblk = 0;

	while (lblk < count) {
		struct extent_run run;
		int r;

		pthread_rwlock_rdlock(&inode->lock);
		r = extent_map(inode, (uint32_t)lblk, &run);
		pthread_rwlock_unlock(&inode->lock);
		if (r < 0)
			return r;
		if (!run.pblk || !range_inside(run.pblk, run.count, j->fs->blocks_count))
			return -EUCLEAN;
		run.count = (uint32_t)min_u64(run.count, count - lblk);
		r = add_run(j, &run);
		if (r < 0)
			return r;
		lblk += run.count;
	}
	return 0;
}

uint64_t journal_block(const struct journal *j, uint32_t lblk)
{
	size_t low = 0, high = j->run_count;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (j->runs[middle].lblk <= lblk)
			low = middle;
		else
			high = middle;
	}
	return j->runs[low].pblk + (lblk - j->runs[low].lblk);
}

int journal_read(struct journal *j, uint32_t lblk, void *data)
{
	return blkdev_read(j->fs->dev, data, j->fs->block_bytes,
		fs_blocks_to_bytes(j->fs, journal_block(j, lblk)));
}

uint32_t journal_wrap(const struct journal *j, uint64_t lblk)
{
	uint32_t len = j->format.end - j->format.first;

	return (uint32_t)(j->format.first + (lblk - j->format.first) % len);
}

/* ---- checksums ----------------------------------------------------------------------------- */

uint32_t journal_tail_bytes(const struct journal *j)
{
	return j->format.csum >= JOURNAL_CSUM_V2 ? JBD2_TAIL_BYTES : 0;
}

uint32_t journal_tail_checksum(const struct journal *j, const uint8_t *block)
{
	static const uint8_t zero[JBD2_TAIL_BYTES];
	uint32_t sum = fs_crc32c(j->format.csum_seed, block, j->fs->block_bytes - JBD2_TAIL_BYTES);

	return fs_crc32c(sum, zero, sizeof(zero));
}

uint32_t journal_data_checksum(const struct journal *j, uint32_t sequence, const uint8_t *block)
{
	be32 number = be32_make(sequence);
	uint32_t sum = fs_crc32c(j->format.csum_seed, &number, sizeof(number));

	return fs_crc32c(sum, block, j->fs->block_bytes);
}

/* As if the place of the checksum held zero. */
static uint32_t checksum_without(uint32_t seed, const uint8_t *data, size_t len, size_t offset)
{
	static const uint8_t zero[sizeof(be32)];
	uint32_t sum = fs_crc32c(seed, data, offset);

	sum = fs_crc32c(sum, zero, sizeof(zero));
	return fs_crc32c(sum, data + offset + sizeof(zero), len - offset - sizeof(zero));
}

uint32_t journal_commit_checksum(const struct journal *j, const uint8_t *block)
{
	return checksum_without(j->format.csum_seed, block, j->fs->block_bytes,
		offsetof(struct jbd2_commit, checksum));
}

static uint32_t super_checksum(const struct jbd2_super *super)
{
	return checksum_without(~0u, (const uint8_t *)super, sizeof(*super),
		offsetof(struct jbd2_super, checksum));
}

/* ---- super block --------------------------------------------------------------------------- */

static void format_features(struct journal_format *f, const struct jbd2_super *super)
{
	uint32_t incompat = be32_get(super->incompat);

	f->wide = incompat & JBD2_INCOMPAT_64BIT;
	f->async_commit = incompat & JBD2_INCOMPAT_ASYNC_COMMIT;
	f->csum = JOURNAL_CSUM_NONE;
	if (be32_get(super->compat) & JBD2_COMPAT_CHECKSUM)
		f->csum = JOURNAL_CSUM_V1;
	if (incompat & JBD2_INCOMPAT_CSUM_V2)
		f->csum = JOURNAL_CSUM_V2;
	if (incompat & JBD2_INCOMPAT_CSUM_V3)
		f->csum = JOURNAL_CSUM_V3;
	f->csum_seed = fs_crc32c(~0u, super->uuid, sizeof(super->uuid));
	f->tag_bytes = sizeof(struct jbd2_tag3);
	if (f->csum == JOURNAL_CSUM_V3)
		return;
	f->tag_bytes = f->wide ? sizeof(struct jbd2_tag) : sizeof(struct jbd2_tag) - sizeof(be32);
	if (f->csum == JOURNAL_CSUM_V2)
		f->tag_bytes += sizeof(be16);
}

static int check_features(const struct journal *j, const struct jbd2_super *super, struct diag *diag)
{
	uint32_t incompat = be32_get(super->incompat);

	if (incompat & ~incompat_known || be32_get(super->ro_compat))
		return diag_set(diag, -SDE_FS_FEATURE, _("a journal with the feature 0x%x"),
			(incompat & ~incompat_known) | be32_get(super->ro_compat));
	if ((incompat & JBD2_INCOMPAT_CSUM_V2) && (incompat & JBD2_INCOMPAT_CSUM_V3))
		return damaged(diag, "s_feature_incompat");
	if (!(incompat & (JBD2_INCOMPAT_CSUM_V2 | JBD2_INCOMPAT_CSUM_V3)))
		return 0;
	if (super->checksum_type != JBD2_CHECKSUM_CRC32C)
		return damaged(diag, "s_checksum_type");
	if (be32_get(super->checksum) != super_checksum(super))
		return damaged(diag, "s_checksum");
	return 0;
}

/* Blocks at the end that belong to fast commits and not to the log. */
static uint32_t fast_commit_blocks(const struct jbd2_super *super)
{
	uint32_t blocks = be32_get(super->fc_blocks);

	if (!(be32_get(super->incompat) & JBD2_INCOMPAT_FAST_COMMIT))
		return 0;
	return blocks ? blocks : JBD2_DEFAULT_FC_BLOCKS;
}

static int super_check(struct journal *j, uint64_t file_blocks, struct diag *diag)
{
	struct jbd2_super *super = journal_super(j);
	struct journal_format *f = &j->format;
	uint32_t max_len = be32_get(super->max_len), type = be32_get(super->header.type);
	uint32_t fast;
	int r;

	if (be32_get(super->header.magic) != (uint32_t)JBD2_MAGIC ||
		(type != JBD2_SUPER_V1 && type != JBD2_SUPER_V2))
		return damaged(diag, "s_header");
	/* The oldest version has no features, whatever lies in their place. */
	if (type == JBD2_SUPER_V1)
		memset(&super->compat, 0, sizeof(*super) - offsetof(struct jbd2_super, compat));
	r = check_features(j, super, diag);
	if (r < 0)
		return r;
	if (be32_get(super->block_bytes) != j->fs->block_bytes)
		return damaged(diag, "s_blocksize");
	if (max_len < JBD2_MIN_BLOCKS || max_len > file_blocks)
		return damaged(diag, "s_maxlen");
	format_features(f, super);
	fast = fast_commit_blocks(super);
	f->first = be32_get(super->first);
	if (f->first < 1 || f->first >= max_len || fast > max_len - f->first ||
		max_len - f->first - fast < JBD2_MIN_BLOCKS / 2)
		return damaged(diag, "s_first");
	f->end = max_len - fast;
	/* One block lies between: the kernel's j_fc_first is j_last + 1. */
	f->fast_first = fast > 1 ? f->end + 1 : 0;
	f->sequence = be32_get(super->sequence);
	f->start = be32_get(super->start);
	f->error = (int)be32_get(super->error);
	if (f->start && (f->start < f->first || f->start >= f->end))
		return damaged(diag, "s_start");
	return 0;
}

int journal_super_write(struct journal *j, uint32_t start, uint64_t tid)
{
	struct e4_fs *fs = j->fs;
	struct jbd2_super *super = journal_super(j);
	int r;

	super->sequence = be32_make((uint32_t)tid);
	super->start = be32_make(start);
	super->head = be32_make(0);
	if (j->format.csum >= JOURNAL_CSUM_V2)
		super->checksum = be32_make(super_checksum(super));
	r = blkdev_write(fs->dev, j->super, fs->block_bytes, fs_blocks_to_bytes(fs, journal_block(j, 0)));
	if (r == 0)
		r = fs_flush(fs);
	if (r < 0)
		return r;
	j->format.start = start;
	j->format.sequence = (uint32_t)tid;
	return 0;
}

/* ---- opening ------------------------------------------------------------------------------- */

static int load_inode(struct journal *j, struct e4_inode *inode, struct diag *diag)
{
	uint64_t blocks = inode->size >> j->fs->block_bits;
	int r;

	if (!inode_is_reg(inode) || inode->nlink == 0 || inode->flags & EXT4_INLINE_DATA_FL ||
		blocks < JBD2_MIN_BLOCKS)
		return damaged(diag, "inode");
	/* Only what its own super block says is its length needs to be there; that is block 0. */
	r = map_blocks(j, inode, 1);
	if (r == 0)
		r = journal_read(j, 0, j->super);
	if (r == 0)
		r = super_check(j, blocks, diag);
	if (r < 0)
		return r == -EUCLEAN ? damaged(diag, "inode") : r;
	j->run_count = 0;
	r = map_blocks(j, inode, be32_get(journal_super(j)->max_len));
	return r == -EUCLEAN ? damaged(diag, "inode") : r;
}

int journal_open(struct e4_fs *fs, struct journal **ret_journal, struct diag *diag)
{
	struct journal *j = calloc(1, sizeof(*j));
	struct e4_inode *inode;
	int r = -ENOMEM;

	if (!j)
		return r;
	j->fs = fs;
	list_init(&j->txns);
	j->super = calloc(1, fs->block_bytes);
	if (j->super)
		r = inode_get_system(fs, le32toh(fs->super.s_journal_inum), &inode);
	if (r == 0) {
		r = load_inode(j, inode, diag);
		e4_iput(inode);
	} else if (r == -EUCLEAN || r == -ENOENT) {
		r = damaged(diag, "inode");
	}
	if (r < 0) {
		journal_close(j);
		return r;
	}
	*ret_journal = j;
	return 0;
}

void journal_close(struct journal *j)
{
	if (!j)
		return;
	while (!list_empty(&j->txns)) {
		struct journal_txn *txn = list_first(&j->txns, struct journal_txn, link);

		list_remove(&txn->link);
		free(txn);
	}
	blockrun_free(&j->run);
	free(j->descriptor);
	free(j->spare);
	free(j->runs);
	free(j->super);
	free(j);
}

/* ---- in use -------------------------------------------------------------------------------- */

/* What this mount writes: checksums and wide block numbers as the volume has them, revokes. */
static void choose_format(struct journal *j)
{
	struct jbd2_super *super = journal_super(j);
	uint32_t incompat = JBD2_INCOMPAT_REVOKE;

	if (fs_has_incompat(j->fs, EXT4_FEATURE_INCOMPAT_64BIT))
		incompat |= JBD2_INCOMPAT_64BIT;
	if (fs_has_csum(j->fs)) {
		incompat |= JBD2_INCOMPAT_CSUM_V3;
		super->checksum_type = JBD2_CHECKSUM_CRC32C;
	}
	super->header.type = be32_make(JBD2_SUPER_V2);
	super->incompat = be32_make(incompat);
	super->compat = be32_make(be32_get(super->compat) & ~(uint32_t)JBD2_COMPAT_CHECKSUM);
	super->error = be32_make(0);
	format_features(&j->format, super);
	j->format.end = be32_get(super->max_len);
}

/* What the log overwrites must be the journal's own. */
static int check_blocks(struct journal *j)
{
	for (size_t i = 0; i < j->run_count; i++) {
		int r = group_check_data_blocks(j->fs, j->runs[i].pblk, j->runs[i].count);

		if (r == -EUCLEAN)
			return fs_damaged(j->fs, "the journal lies on other metadata");
		if (r < 0)
			return r;
	}
	return 0;
}

int journal_prepare(struct journal *j)
{
	int r = check_blocks(j);

	r = r < 0 ? r : blockrun_init(&j->run, j->fs);
	j->descriptor = malloc(j->fs->block_bytes);
	return r == 0 && !j->descriptor ? -ENOMEM : r;
}

int journal_start(struct journal *j)
{
	choose_format(j);
	/* 0 is a number like any other, but not the one a fresh journal is begun with. */
	j->next_tid = j->format.sequence ? j->format.sequence : 1;
	/* Transactions that somebody has decided not to replay: none of them may be taken for ours. */
	if (journal_is_dirty(j))
		j->next_tid += j->format.end;
	j->head = j->format.first;
	return journal_super_write(j, j->head, j->next_tid);
}

int journal_stop(struct journal *j)
{
	return journal_super_write(j, 0, j->next_tid);
}

int journal_mark_error(struct journal *j, int err)
{
	/* As the kernel: a negative number. */
	journal_super(j)->error = be32_make((uint32_t)(err > -4096 ? err : -EIO));
	return journal_super_write(j, j->format.start, j->format.sequence);
}

uint32_t journal_max_blocks(const struct journal *j)
{
	return (j->format.end - j->format.first) / 4;
}

uint32_t journal_free(const struct journal *j)
{
	return j->format.end - j->format.first - j->used;
}

bool journal_fits_another(const struct journal *j, uint32_t need)
{
	uint32_t most = journal_max_blocks(j);

	/* A block stays free, so that head and tail never meet; a sixteenth is for miscounts. */
	return (uint64_t)need + journal_need(j, most, 0) + most / 4 + 1 <= journal_free(j);
}

int journal_move_tail(struct journal *j, uint64_t tid)
{
	struct list *at;
	uint32_t start = j->head;
	int r;

	list_for_each(at, &j->txns) {
		struct journal_txn *txn = list_entry(at, struct journal_txn, link);

		if (txn->tid < tid)
			continue;
		start = txn->start;
		tid = txn->tid;
		break;
	}
	if (at == &j->txns)
		tid = j->next_tid;
	if (list_empty(&j->txns) || list_first(&j->txns, struct journal_txn, link)->tid >= tid)
		return 0;
	r = journal_super_write(j, start, tid);
	if (r < 0)
		return r;
	while (!list_empty(&j->txns)) {
		struct journal_txn *txn = list_first(&j->txns, struct journal_txn, link);

		if (txn->tid >= tid)
			break;
		j->used -= txn->blocks;
		list_remove(&txn->link);
		free(txn);
	}
	return 0;
}
