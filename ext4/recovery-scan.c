/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reading the log of a journal that was in use when the volume was left.
 *
 * From the oldest transaction on: descriptor and revoke blocks, then a commit block, all with the
 * expected sequence number. What a transaction says counts when its commit block is found; the
 * first block that does not fit ends the log. Nothing in it is trusted: a transaction is never longer
 * than the log, and every block number is inside the drive and outside the journal.
 *
 * Checksums are judged as the kernel judges them: a descriptor whose checksum is wrong is an old
 * block that lies behind the end of the log when its commit block is older than the one before;
 * else, as every other wrong checksum of a whole transaction, it is damage, and nothing is replayed.
 */
#include <errno.h>
#include <ext2fs/ext2fs.h>
#include <stdlib.h>

#include "base/i18n.h"
#include "ext4/recovery.h"
#include "ext4/revoke.h"

struct place {
	uint64_t first, end;
};

struct scan {
	struct journal *j;
	struct diag *diag;
	struct place *places; /* where the journal lies, sorted, apart from each other */
	size_t place_count;
	uint8_t *block, *data; /* one block each */
	uint32_t at;	       /* next block of the log */
	uint32_t seen;	       /* blocks of this transaction so far */
	uint64_t tid;

	struct replay_block *found; /* in the order of the log */
	size_t found_count, found_room, committed;
	struct revokes revokes;
	uint64_t *pending; /* revokes of this transaction */
	size_t pending_count, pending_room;

	uint64_t last_seconds; /* time of the last commit */
	uint32_t crc;	       /* JOURNAL_CSUM_V1: of this transaction's blocks */
	bool doubtful;	       /* a descriptor or revoke block of it has a wrong checksum */
	bool wrong;	       /* a block of it has, or belongs nowhere */
};

enum step { STEP_GO_ON, STEP_END };

static int damaged(struct scan *s)
{
	return diag_set(s->diag, -SDE_FS_DAMAGED, _("transaction %u of the journal is damaged"),
		(uint32_t)s->tid);
}

/* Grows *array of items of `size` bytes so that one more fits. */
static int make_room(void *array, size_t count, size_t *room, size_t size)
{
	void **items = array;
	size_t more = *room ? *room * 2 : 256;
	void *grown;

	if (count < *room)
		return 0;
	grown = reallocarray(*items, more, size);
	if (!grown)
		return -ENOMEM;
	*items = grown;
	*room = more;
	return 0;
}

/* The next block of the log; -EUCLEAN when the transaction is longer than the log. */
static int next_block(struct scan *s, uint8_t *to, uint64_t *ret_pblk)
{
	struct journal *j = s->j;
	uint32_t lblk = s->at;

	if (++s->seen > j->format.end - j->format.first)
		return -EUCLEAN;
	s->at = journal_wrap(j, lblk + 1ULL);
	if (ret_pblk)
		*ret_pblk = journal_block(j, lblk);
	return journal_read(j, lblk, to);
}

static bool tail_right(const struct scan *s)
{
	const struct journal *j = s->j;
	be32 sum;

	if (!journal_tail_bytes(j))
		return true;
	memcpy(&sum, s->block + j->fs->block_bytes - JBD2_TAIL_BYTES, sizeof(sum));
	return be32_get(sum) == journal_tail_checksum(j, s->block);
}

/* ---- descriptors --------------------------------------------------------------------------- */

struct tag {
	uint64_t block;
	uint32_t flags, checksum;
};

static struct tag tag_get(const struct journal *j, const uint8_t *from)
{
	struct tag tag;

	if (j->format.csum == JOURNAL_CSUM_V3) {
		struct jbd2_tag3 disk;

		memcpy(&disk, from, sizeof(disk));
		tag = (struct tag){be32_get(disk.block), be32_get(disk.flags), be32_get(disk.checksum)};
		if (j->format.wide)
			tag.block |= (uint64_t)be32_get(disk.block_high) << 32;
	} else {
		struct jbd2_tag disk = {0};

		memcpy(&disk, from, min_u64(sizeof(disk), j->format.tag_bytes));
		tag = (struct tag){be32_get(disk.block), be16_get(disk.flags), be16_get(disk.checksum)};
		if (j->format.wide)
			tag.block |= (uint64_t)be32_get(disk.block_high) << 32;
	}
	return tag;
}

static bool data_right(const struct scan *s, const struct tag *tag)
{
	uint32_t sum;

	if (s->j->format.csum < JOURNAL_CSUM_V2)
		return true;
	sum = journal_data_checksum(s->j, (uint32_t)s->tid, s->data);
	return tag->checksum == (s->j->format.csum == JOURNAL_CSUM_V3 ? sum : sum & 0xffff);
}

static int by_place(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	return x->first < y->first ? -1 : x->first > y->first;
}

/* Where the journal itself lies, sorted, for place_right(); its runs may touch or overlap. */
static int places_make(struct scan *s)
{
	const struct journal *j = s->j;
	size_t kept = 0;

	s->places = calloc(j->run_count, sizeof(*s->places));
	if (!s->places)
		return -ENOMEM;
	for (size_t i = 0; i < j->run_count; i++)
		s->places[i] = (struct place){j->runs[i].pblk, j->runs[i].pblk + j->runs[i].count};
	qsort(s->places, j->run_count, sizeof(*s->places), by_place);
	for (size_t i = 1; i < j->run_count; i++)
		if (s->places[i].first <= s->places[kept].end)
			s->places[kept].end = max_u64(s->places[kept].end, s->places[i].end);
		else
			s->places[++kept] = s->places[i];
	s->place_count = kept + 1;
	return 0;
}

/* Neither outside the drive nor in the journal itself. A volume that was growing has its new size
 * perhaps only in the log, and blocks behind the old one. */
static bool place_right(const struct scan *s, uint64_t block)
{
	const struct e4_fs *fs = s->j->fs;
	size_t low = 0, high = s->place_count;

	if (block >= fs->dev->size_bytes >> fs->block_bits)
		return false;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (s->places[middle].end <= block)
			low = middle + 1;
		else
			high = middle;
	}
	return low == s->place_count || block < s->places[low].first;
}

/* What is wrong with a block counts only if its transaction was committed: see commit_seen(). */
static int tag_seen(struct scan *s, const struct tag *tag)
{
	struct replay_block block = {
		.block = tag->block,
		.tid = s->tid,
		.escaped = tag->flags & JBD2_TAG_ESCAPE,
	};
	int r = make_room(&s->found, s->found_count, &s->found_room, sizeof(*s->found));

	if (r == 0)
		r = next_block(s, s->data, &block.in_log);
	if (r < 0)
		return r;
	if (s->j->format.csum == JOURNAL_CSUM_V1)
		s->crc = ext2fs_crc32_be(s->crc, s->data, s->j->fs->block_bytes);
	if (!data_right(s, tag) || !place_right(s, tag->block))
		s->wrong = true;
	s->found[s->found_count++] = block;
	return 0;
}

static int descriptor_seen(struct scan *s)
{
	const struct journal *j = s->j;
	uint32_t at = sizeof(struct jbd2_header);
	uint32_t end = j->fs->block_bytes - journal_tail_bytes(j);
	struct tag tag = {0};
	int r = 0;

	if (!tail_right(s))
		s->doubtful = true;
	if (j->format.csum == JOURNAL_CSUM_V1)
		s->crc = ext2fs_crc32_be(s->crc, s->block, j->fs->block_bytes);
	while (r == 0 && !(tag.flags & JBD2_TAG_LAST) && at + j->format.tag_bytes <= end) {
		tag = tag_get(j, s->block + at);
		at += j->format.tag_bytes;
		if (!(tag.flags & JBD2_TAG_SAME_UUID))
			at += JBD2_UUID_BYTES;
		r = tag_seen(s, &tag);
	}
	return r;
}

/* ---- revokes ------------------------------------------------------------------------------- */

static int revoke_seen(struct scan *s)
{
	const struct journal *j = s->j;
	uint32_t bytes = be32_get(((const struct jbd2_revoke_header *)s->block)->bytes);
	uint32_t each = j->format.wide ? sizeof(be64) : sizeof(be32);

	if (!tail_right(s) || bytes > j->fs->block_bytes - journal_tail_bytes(j)) {
		s->doubtful = true;
		return 0;
	}
	for (uint32_t at = sizeof(struct jbd2_revoke_header); at + each <= bytes; at += each) {
		int r = make_room(&s->pending, s->pending_count, &s->pending_room, sizeof(*s->pending));
		be64 wide;
		be32 narrow;

		if (r < 0)
			return r;
		if (j->format.wide) {
			memcpy(&wide, s->block + at, sizeof(wide));
			s->pending[s->pending_count++] = be64_get(wide);
		} else {
			memcpy(&narrow, s->block + at, sizeof(narrow));
			s->pending[s->pending_count++] = be32_get(narrow);
		}
	}
	return 0;
}

/* ---- commits ------------------------------------------------------------------------------- */

/* The sector that matters was written when power failed, and the rest, which is zero, was not. */
static bool commit_half_right(const struct scan *s)
{
	const struct jbd2_commit *commit = (const struct jbd2_commit *)s->block;

	memset(s->data, 0, s->j->fs->block_bytes);
	memcpy(s->data, commit, sizeof(*commit));
	return be32_get(commit->checksum[0]) == journal_commit_checksum(s->j, s->data);
}

static bool commit_right(const struct scan *s)
{
	const struct jbd2_commit *commit = (const struct jbd2_commit *)s->block;

	if (s->j->format.csum >= JOURNAL_CSUM_V2)
		return be32_get(commit->checksum[0]) == journal_commit_checksum(s->j, s->block) ||
			commit_half_right(s);
	if (s->j->format.csum == JOURNAL_CSUM_NONE)
		return true;
	/* Written by a mount without checksums. */
	if (commit->checksum_type == 0 && commit->checksum_bytes == 0 && be32_get(commit->checksum[0]) == 0)
		return true;
	return commit->checksum_type == JBD2_CHECKSUM_CRC32 && commit->checksum_bytes == sizeof(be32) &&
		be32_get(commit->checksum[0]) == s->crc;
}

static int take_pending(struct scan *s)
{
	int r = revokes_reserve(&s->revokes, s->pending_count);

	if (r < 0)
		return r;
	for (size_t i = 0; i < s->pending_count; i++) {
		if (s->pending[i] != UINT64_MAX)
			revokes_add(&s->revokes, s->pending[i], s->tid);
		else
			revokes_release(&s->revokes, 1);
	}
	return 0;
}

static int commit_seen(struct scan *s, enum step *ret_step)
{
	const struct jbd2_commit *commit = (const struct jbd2_commit *)s->block;
	uint64_t seconds = be64_get(commit->seconds);
	bool right = commit_right(s);
	int r;

	if (s->doubtful || s->wrong || !right) {
		*ret_step = STEP_END;
		/* Older than what came before it: left over from an earlier turn of the ring. */
		if ((s->doubtful || !right) && seconds < s->last_seconds)
			return 0;
		/* Asynchronous commits: the commit block may be there before the rest is. */
		if (!s->doubtful && s->j->format.async_commit)
			return 0;
		return damaged(s);
	}
	r = take_pending(s);
	if (r < 0)
		return r;
	s->committed = s->found_count;
	s->last_seconds = seconds;
	s->tid++;
	s->seen = 0;
	s->pending_count = 0;
	s->crc = ~0u;
	*ret_step = STEP_GO_ON;
	return 0;
}

/* ---- the log ------------------------------------------------------------------------------- */

static int scan_block(struct scan *s, enum step *ret_step)
{
	const struct jbd2_header *header = (const struct jbd2_header *)s->block;
	int r = next_block(s, s->block, NULL);

	*ret_step = STEP_END;
	if (r < 0)
		return r;
	if (be32_get(header->magic) != (uint32_t)JBD2_MAGIC || be32_get(header->sequence) != (uint32_t)s->tid)
		return 0;
	*ret_step = STEP_GO_ON;
	switch (be32_get(header->type)) {
	case JBD2_DESCRIPTOR:
		return descriptor_seen(s);
	case JBD2_REVOKE:
		return revoke_seen(s);
	case JBD2_COMMIT:
		return commit_seen(s, ret_step);
	default:
		*ret_step = STEP_END;
		return 0;
	}
}

static int scan_log(struct scan *s)
{
	enum step step = STEP_GO_ON;
	int r = 0;

	while (r == 0 && step == STEP_GO_ON)
		r = scan_block(s, &step);
	return r == -EUCLEAN ? 0 : r; /* longer than the log: it never was committed */
}

/* Fast commits lie behind the log; their first block says whether there are any for this moment. */
static int check_fast_commits(struct scan *s)
{
	struct journal *j = s->j;
	struct {
		le16 tag, len;
		le32 features, tid;
	} head;
	enum { TAG_HEAD = 9 };
	int r;

	if (!j->format.fast_first)
		return 0;
	r = journal_read(j, j->format.fast_first, s->data);
	if (r < 0)
		return r;
	memcpy(&head, s->data, sizeof(head));
	if (le16_get(head.tag) == TAG_HEAD && le32_get(head.tid) == (uint32_t)s->tid)
		return diag_set(s->diag, -SDE_JOURNAL_DIRTY, "fast_commit");
	return 0;
}

/* ---- the result ---------------------------------------------------------------------------- */

/* By block, then as in the log: in_log does not tell, the ring may have turned. */
static int by_block(const void *a, const void *b)
{
	const struct replay_block *x = a, *y = b;

	if (x->block != y->block)
		return x->block < y->block ? -1 : 1;
	return x->tid < y->tid ? -1 : x->tid > y->tid;
}

static void reduce(struct scan *s, struct replay *ret_replay)
{
	size_t count = 0, kept = 0;

	for (size_t i = 0; i < s->committed; i++)
		if (!revokes_cover(&s->revokes, s->found[i].block, s->found[i].tid))
			s->found[count++] = s->found[i];
	if (count)
		qsort(s->found, count, sizeof(*s->found), by_block);
	for (size_t i = 0; i < count; i++)
		if (i + 1 == count || s->found[i].block != s->found[i + 1].block)
			s->found[kept++] = s->found[i];
	*ret_replay = (struct replay){
		.blocks = take_ptr(s->found),
		.count = kept,
		/* One more, so that what was left half written is never taken for its successor. */
		.next_tid = s->tid + 1,
	};
}

int replay_read(struct journal *j, struct replay *ret_replay, struct diag *diag)
{
	struct scan s = {
		.j = j,
		.diag = diag,
		.at = j->format.start,
		.tid = j->format.sequence,
		.block = malloc(j->fs->block_bytes),
		.data = malloc(j->fs->block_bytes),
		.crc = ~0u,
	};
	int r = s.block && s.data ? 0 : -ENOMEM;

	r = r < 0 ? r : places_make(&s);
	r = r < 0 ? r : scan_log(&s);
	r = r < 0 ? r : check_fast_commits(&s);
	if (r == 0)
		reduce(&s, ret_replay);
	revokes_free(&s.revokes);
	free(s.places);
	free(s.pending);
	free(s.found);
	free(s.block);
	free(s.data);
	return r;
}

void replay_free(struct replay *replay)
{
	free(replay->blocks);
	*replay = (struct replay){0};
}
