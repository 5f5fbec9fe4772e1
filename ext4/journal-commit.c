/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One transaction into the log:
 *
 *	revoke blocks, descriptor blocks with the blocks they describe	-> flush
 *	commit block							-> flush
 *
 * The first flush also brings the file data that the transaction's metadata refers to onto the
 * medium: it was written before. The commit block is written only then, so a transaction that can be
 * replayed is whole, and its file data is there.
 *
 * The commit block's place is zeroed before the first flush: then its write changes one sector only,
 * and power failure leaves either no commit block or a whole one, with its checksum right.
 */
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "ext4/blockrun.h"
#include "ext4/journal.h"
#include "ext4/revoke.h"

struct log_writer {
	struct journal *j;
	uint32_t at, written; /* next block of the log; blocks so far */
	uint32_t sequence;
};

/* ---- sizes --------------------------------------------------------------------------------- */

/* Tags in one descriptor block; the first is followed by a UUID. */
static uint32_t tags_per_block(const struct journal *j)
{
	return (j->fs->block_bytes - sizeof(struct jbd2_header) - journal_tail_bytes(j) -
		JBD2_UUID_BYTES) / j->format.tag_bytes;
}

static uint32_t revoke_bytes(const struct journal *j)
{
	return j->format.wide ? sizeof(be64) : sizeof(be32);
}

static uint32_t revokes_per_block(const struct journal *j)
{
	return (j->fs->block_bytes - sizeof(struct jbd2_revoke_header) - journal_tail_bytes(j)) /
		revoke_bytes(j);
}

uint32_t journal_need(const struct journal *j, size_t blocks, size_t revokes)
{
	uint64_t need = 1 + blocks + div_round_up_u64(blocks, tags_per_block(j)) +
		div_round_up_u64(revokes, revokes_per_block(j));

	return (uint32_t)min_u64(need, UINT32_MAX);
}

/* ---- writing ------------------------------------------------------------------------------- */

static void header_put(void *block, enum jbd2_block_type type, uint32_t sequence)
{
	*(struct jbd2_header *)block = (struct jbd2_header){
		.magic = be32_make((uint32_t)JBD2_MAGIC),
		.type = be32_make(type),
		.sequence = be32_make(sequence),
	};
}

static int log_next(struct log_writer *w, uint8_t **ret_data)
{
	int r = blockrun_next(&w->j->run, journal_block(w->j, w->at), ret_data);

	if (r < 0)
		return r;
	w->at = journal_wrap(w->j, w->at + 1ULL);
	w->written++;
	return 0;
}

static void tail_put(const struct journal *j, uint8_t *block)
{
	be32 sum;

	if (!journal_tail_bytes(j))
		return;
	sum = be32_make(journal_tail_checksum(j, block));
	memcpy(block + j->fs->block_bytes - JBD2_TAIL_BYTES, &sum, sizeof(sum));
}

/* ---- revokes ------------------------------------------------------------------------------- */

static uint8_t *revoke_put(const struct journal *j, uint8_t *to, uint64_t block)
{
	if (j->format.wide)
		memcpy(to, &(be64){be64_make(block).raw}, sizeof(be64));
	else
		memcpy(to, &(be32){be32_make((uint32_t)block).raw}, sizeof(be32));
	return to + revoke_bytes(j);
}

/* One block of revokes, from slot *at on. */
static int write_revoke_block(struct log_writer *w, const struct revokes *revokes, size_t *at)
{
	struct journal *j = w->j;
	uint32_t left = revokes_per_block(j);
	uint8_t *block, *to;
	int r = log_next(w, &block);

	if (r < 0)
		return r;
	memset(block, 0, j->fs->block_bytes);
	header_put(block, JBD2_REVOKE, w->sequence);
	to = block + sizeof(struct jbd2_revoke_header);
	for (; *at < revokes->slot_count && left > 0; ++*at) {
		if (revokes->slots[*at].block == UINT64_MAX)
			continue;
		to = revoke_put(j, to, revokes->slots[*at].block);
		left--;
	}
	((struct jbd2_revoke_header *)block)->bytes = be32_make((uint32_t)(to - block));
	tail_put(j, block);
	return 0;
}

static int write_revokes(struct log_writer *w, const struct revokes *revokes)
{
	size_t blocks = (size_t)div_round_up_u64(revokes->count, revokes_per_block(w->j)), at = 0;
	int r = 0;

	while (r == 0 && blocks-- > 0)
		r = write_revoke_block(w, revokes, &at);
	return r;
}

/* ---- blocks -------------------------------------------------------------------------------- */

static uint8_t *tag_put(const struct journal *j, uint8_t *to, const struct commit_block *b,
	uint32_t flags, uint32_t checksum)
{
	if (j->format.csum == JOURNAL_CSUM_V3) {
		struct jbd2_tag3 tag = {
			.block = be32_make((uint32_t)b->block),
			.flags = be32_make(flags),
			.block_high = be32_make((uint32_t)(b->block >> 32)),
			.checksum = be32_make(checksum),
		};
		memcpy(to, &tag, sizeof(tag));
	} else {
		struct jbd2_tag tag = {
			.block = be32_make((uint32_t)b->block),
			.flags = be16_make((uint16_t)flags),
			.block_high = be32_make((uint32_t)(b->block >> 32)),
		};
		memcpy(to, &tag, j->format.tag_bytes);
	}
	return to + j->format.tag_bytes;
}

/* A block that looks like one of the journal's own must not be taken for one. */
static bool escape(uint8_t *data)
{
	be32 magic = be32_make((uint32_t)JBD2_MAGIC);

	if (memcmp(data, &magic, sizeof(magic)) != 0)
		return false;
	memset(data, 0, sizeof(magic));
	return true;
}

/*
 * A descriptor block and the blocks it describes. The run's memory moves on while they are added, so
 * the descriptor is put together first.
 */
static int write_group(struct log_writer *w, const struct commit_block *blocks, size_t count)
{
	struct journal *j = w->j;
	uint8_t *to = j->descriptor + sizeof(struct jbd2_header), *place;
	int r;

	memset(j->descriptor, 0, j->fs->block_bytes);
	header_put(j->descriptor, JBD2_DESCRIPTOR, w->sequence);
	for (size_t i = 0; i < count; i++) {
		uint8_t *data = blocks[i].data;
		uint32_t flags = escape(data) ? JBD2_TAG_ESCAPE : 0, sum = 0;

		if (j->format.csum == JOURNAL_CSUM_V3)
			sum = journal_data_checksum(j, w->sequence, data);
		flags |= (i > 0 ? JBD2_TAG_SAME_UUID : 0) | (i + 1 == count ? JBD2_TAG_LAST : 0);
		to = tag_put(j, to, &blocks[i], flags, sum);
		if (i == 0) {
			memcpy(to, journal_super(j)->uuid, JBD2_UUID_BYTES);
			to += JBD2_UUID_BYTES;
		}
	}
	tail_put(j, j->descriptor);
	r = log_next(w, &place);
	if (r == 0)
		memcpy(place, j->descriptor, j->fs->block_bytes);
	for (size_t i = 0; r == 0 && i < count; i++) {
		r = log_next(w, &place);
		if (r == 0)
			memcpy(place, blocks[i].data, j->fs->block_bytes);
	}
	return r;
}

static int write_blocks(struct log_writer *w, const struct commit_list *list)
{
	size_t most = tags_per_block(w->j);
	int r = 0;

	for (size_t at = 0; r == 0 && at < list->count; at += most)
		r = write_group(w, &list->blocks[at], (size_t)min_u64(most, list->count - at));
	return r;
}

/* Where the commit block will be; it is not written yet, so the place stays the next one. */
static int clear_commit(struct log_writer *w)
{
	uint8_t *block;
	int r = blockrun_next(&w->j->run, journal_block(w->j, w->at), &block);

	if (r < 0)
		return r;
	memset(block, 0, w->j->fs->block_bytes);
	return blockrun_write(&w->j->run);
}

static int write_commit(struct log_writer *w)
{
	struct journal *j = w->j;
	struct jbd2_commit *commit;
	struct timespec now;
	uint8_t *block;
	int r = log_next(w, &block);

	if (r < 0)
		return r;
	clock_gettime(CLOCK_REALTIME, &now);
	memset(block, 0, j->fs->block_bytes);
	header_put(block, JBD2_COMMIT, w->sequence);
	commit = (struct jbd2_commit *)block;
	commit->seconds = be64_make((uint64_t)now.tv_sec);
	commit->nanoseconds = be32_make((uint32_t)now.tv_nsec);
	if (j->format.csum >= JOURNAL_CSUM_V2)
		commit->checksum[0] = be32_make(journal_commit_checksum(j, block));
	return blockrun_write(&w->j->run);
}

static int write_all(struct log_writer *w, const struct commit_list *list, const struct revokes *revokes)
{
	struct e4_fs *fs = w->j->fs;
	int r = write_revokes(w, revokes);

	r = r < 0 ? r : write_blocks(w, list);
	r = r < 0 ? r : clear_commit(w);
	r = r < 0 ? r : fs_flush(fs);
	/* The volume may have failed meanwhile, or been taken by another computer. */
	r = r < 0 ? r : atomic_load(&fs->error);
	r = r < 0 ? r : write_commit(w);
	return r < 0 ? r : fs_flush(fs);
}

int journal_commit_prepare(struct journal *j)
{
	if (!j->spare)
		j->spare = malloc(sizeof(*j->spare));
	return j->spare ? 0 : -ENOMEM;
}

int journal_commit(struct journal *j, const struct commit_list *list, struct revokes *revokes)
{
	struct log_writer w = {.j = j, .at = j->head, .sequence = (uint32_t)j->next_tid};
	struct journal_txn *txn;
	int r;

	if (list->count == 0 && revokes->count == 0)
		return fs_flush(j->fs);
	if (journal_need(j, list->count, revokes->count) >= journal_free(j))
		return -ENOSPC; /* txn.c lets no transaction grow so large */
	r = write_all(&w, list, revokes);
	if (r < 0)
		return r;
	txn = take_ptr(j->spare);
	*txn = (struct journal_txn){.tid = j->next_tid++, .start = j->head, .blocks = w.written};
	list_add_tail(&j->txns, &txn->link);
	j->used += w.written;
	j->head = w.at;
	return 0;
}
