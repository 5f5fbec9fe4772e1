/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Invariants:
 * 1. A block's bytes belong to buf->lock; those behind the header change only while it has one
 *    owner, who holds his inode's lock.
 * 2. Whoever takes a share, changes in place or frees decides by the count of owners and acts under
 *    the same hold of buf->lock; a count of 0 says that the block is being freed.
 * 3. The checksum is put in when the block is written (seal).
 */
#include "ext4/xattr-block.h"

#include <errno.h>

#include "ext4/xattr-share.h"

enum {
	HEADER_BYTES = sizeof(struct ext2_ext_attr_header),
	OWNERS_MAX = 1024, /* as the kernel's limit */
};

/* ---- on the drive ---------------------------------------------------------------------- */

static uint32_t checksum(struct e4_fs *fs, uint64_t block, const uint8_t *data)
{
	static const uint8_t zero[4];
	size_t at = offsetof(struct ext2_ext_attr_header, h_checksum);
	le64 number = le64_make(block);
	uint32_t sum = fs_crc32c(fs->csum_seed, &number, sizeof(number));

	sum = fs_crc32c(sum, data, at);
	sum = fs_crc32c(sum, zero, sizeof(zero));
	return fs_crc32c(sum, data + at + sizeof(zero), fs->block_bytes - at - sizeof(zero));
}

static int xattr_block_verify(struct e4_fs *fs, struct buf *buf)
{
	const struct ext2_ext_attr_header *header = (const void *)buf->data;
	int r = group_check_data_blocks(fs, buf->block, 1);

	if (r == -EUCLEAN)
		return fs_damaged(fs, "attribute block %llu: over file system metadata",
			(unsigned long long)buf->block);
	if (r < 0)
		return r;
	if (le32toh(header->h_magic) != EXT2_EXT_ATTR_MAGIC || le32toh(header->h_blocks) != 1 ||
		!header->h_refcount)
		return fs_damaged(fs, "attribute block %llu: bad header",
			(unsigned long long)buf->block);
	if (fs_has_csum(fs) && le32toh(header->h_checksum) != checksum(fs, buf->block, buf->data))
		return fs_damaged(fs, "attribute block %llu: bad checksum",
			(unsigned long long)buf->block);
	return 0;
}

static void xattr_block_seal(struct e4_fs *fs, struct buf *buf, void *data)
{
	struct ext2_ext_attr_header *header = data;

	if (fs_has_csum(fs))
		header->h_checksum = htole32(checksum(fs, buf->block, data));
}

const struct buf_type xattr_block_type = {
	.name = "attribute block",
	.verify = xattr_block_verify,
	.seal = xattr_block_seal,
};

static struct ext2_ext_attr_header *header_of(uint8_t *data)
{
	return (void *)data;
}

/* Source: the kernel documentation: over the entries' hashes; none when one of them has none. */
static uint32_t block_hash(const struct xattr_area *area)
{
	const struct ext2_ext_attr_entry *entry = NULL;
	uint32_t hash = 0;

	while ((entry = xattr_area_next(area, entry))) {
		if (!entry->e_hash)
			return 0;
		hash = (hash << 16 | hash >> 16) ^ le32toh(entry->e_hash);
	}
	return hash;
}

/* ---- a copy ---------------------------------------------------------------------------- */

static struct xattr_area area_over(const struct e4_fs *fs, uint8_t *data)
{
	return (struct xattr_area){
		.base = data, .first = HEADER_BYTES, .end = fs->block_bytes, .sorted = true};
}

int xattr_block_load(struct e4_inode *inode, struct xattr_block *ret_block)
{
	struct e4_fs *fs = inode->fs;
	struct buf *buf;
	int r;

	ret_block->buf = NULL;
	ret_block->area = area_over(fs, ret_block->data);
	if (!inode->file_acl) {
		memset(ret_block->data, 0, fs->block_bytes);
		return 0;
	}
	r = buf_get(fs, inode->file_acl, &xattr_block_type, 0, 0, &ret_block->buf);
	if (r < 0)
		return r;
	buf = ret_block->buf;
	pthread_mutex_lock(&buf->lock);
	memcpy(ret_block->data, buf->data, fs->block_bytes);
	pthread_mutex_unlock(&buf->lock);
	if (xattr_area_check(fs, &ret_block->area) < 0)
		return fs_damaged(fs, "attribute block %llu: bad attributes",
			(unsigned long long)buf->block);
	return 0;
}

void xattr_block_put(struct xattr_block *block)
{
	buf_put(block->buf);
	block->buf = NULL;
}

/* ---- owners ---------------------------------------------------------------------------- */

/* Takes one owner away; *ret_last: it was the only one, and the block is to be freed. Then the count of 0
 * is never written, but it is a change like any other until then: no checkpoint may see it. */
static int drop_share(struct handle *h, struct buf *buf, bool *ret_last)
{
	struct ext2_ext_attr_header *header = header_of(buf->data);

	pthread_mutex_lock(&buf->lock);
	uint32_t owners = le32toh(header->h_refcount);
	int r = buf_modify(h, buf);

	if (r == 0) {
		*ret_last = owners <= 1;
		header->h_refcount = htole32(*ret_last ? 0 : owners - 1);
	}
	pthread_mutex_unlock(&buf->lock);
	return r;
}

static int drop(struct handle *h, struct buf *buf)
{
	bool last = false;
	int r = drop_share(h, buf, &last);

	if (r < 0 || !last)
		return r;
	r = balloc_free(h, buf->block, 1, true);
	if (r == 0) {
		xattr_share_remove(h->fs, buf);
		return 0;
	}
	pthread_mutex_lock(&buf->lock);
	header_of(buf->data)->h_refcount = htole32(1);
	pthread_mutex_unlock(&buf->lock);
	return r;
}

static bool same_entry(const struct xattr_area *a, const struct ext2_ext_attr_entry *x,
	const struct xattr_area *b, const struct ext2_ext_attr_entry *y)
{
	const uint8_t *value = xattr_area_value(a, x), *other = xattr_area_value(b, y);

	if (x->e_name_len != y->e_name_len || x->e_name_index != y->e_name_index ||
		x->e_hash != y->e_hash || x->e_value_size != y->e_value_size ||
		x->e_value_inum != y->e_value_inum || memcmp(x + 1, y + 1, x->e_name_len) != 0)
		return false;
	return !value || memcmp(value, other, le32toh(x->e_value_size)) == 0;
}

static bool same_attributes(const struct xattr_area *a, const struct xattr_area *b)
{
	const struct ext2_ext_attr_entry *x = NULL, *y = NULL;

	do {
		x = xattr_area_next(a, x);
		y = xattr_area_next(b, y);
	} while (x && y && same_entry(a, x, b, y));
	return !x && !y;
}

/* 1: inode's block may be buf from now on; 0: it does not fit. */
static int take_share(struct handle *h, const struct xattr_block *block, struct buf *buf)
{
	struct ext2_ext_attr_header *header = header_of(buf->data);
	struct xattr_area area = area_over(h->fs, buf->data);
	int r = 0;

	pthread_mutex_lock(&buf->lock);
	uint32_t owners = le32toh(header->h_refcount);

	if (owners && owners < OWNERS_MAX && xattr_area_check(h->fs, &area) == 0 &&
		same_attributes(&block->area, &area)) {
		r = buf_modify(h, buf);
		if (r == 0)
			header->h_refcount = htole32(owners + 1);
		r = r < 0 ? r : 1;
	}
	pthread_mutex_unlock(&buf->lock);
	return r;
}

/* A block with the same attributes, shared from now on; *ret_buf stays NULL when there is none. */
static int find_share(struct handle *h, const struct xattr_block *block, uint32_t hash,
	struct buf **ret_buf)
{
	unsigned turn = 0;
	struct buf *buf;

	while (hash && (buf = xattr_share_next(h->fs, hash, &turn))) {
		int r = take_share(h, block, buf);

		if (r > 0) {
			*ret_buf = buf;
			return 0;
		}
		buf_put(buf);
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- storing --------------------------------------------------------------------------- */

/* 1: done; 0: others own the block as well. */
static int change_in_place(struct handle *h, const struct xattr_block *block)
{
	struct buf *buf = block->buf;
	int r = 0;

	pthread_mutex_lock(&buf->lock);
	if (le32toh(header_of(buf->data)->h_refcount) == 1) {
		r = buf_modify(h, buf);
		if (r == 0)
			memcpy(buf->data, block->data, h->fs->block_bytes);
		r = r < 0 ? r : 1;
	}
	pthread_mutex_unlock(&buf->lock);
	return r;
}

static int new_block(struct handle *h, struct e4_inode *inode, const struct xattr_block *block,
	struct buf **ret_buf)
{
	struct balloc_request request = {
		.ino = inode->ino, .wanted = 1, .use_reserve = h->use_reserve};
	struct buf *buf = NULL;
	uint64_t number;
	uint32_t count;
	int r = balloc_alloc(h, &request, &number, &count);

	if (r < 0)
		return r;
	r = buf_get_zeroed(h->fs, number, &xattr_block_type, 0, 0, &buf);
	if (r == 0)
		r = buf_modify(h, buf);
	if (r == 0) {
		memcpy(buf->data, block->data, h->fs->block_bytes);
		*ret_buf = buf;
		return 0;
	}
	buf_put(buf);
	return balloc_undo(h, number, 1, true, r);
}

/* *ret_buf: the block that has the attributes of the copy, one owner of which is inode. */
static int find_place(struct handle *h, struct e4_inode *inode, const struct xattr_block *block,
	uint32_t hash, struct buf **ret_buf)
{
	int r = find_share(h, block, hash, ret_buf);

	if (r < 0 || *ret_buf)
		return r;
	if (block->buf) {
		r = change_in_place(h, block);
		if (r > 0)
			*ret_buf = buf_ref(block->buf);
	}
	if (r != 0)
		return r < 0 ? r : 0;
	return new_block(h, inode, block, ret_buf);
}

static void header_fill(struct xattr_block *block, uint32_t hash)
{
	*header_of(block->data) = (struct ext2_ext_attr_header){
		.h_magic = htole32(EXT2_EXT_ATTR_MAGIC),
		.h_refcount = htole32(1),
		.h_blocks = htole32(1),
		.h_hash = htole32(hash),
	};
}

static int leave_old(struct handle *h, struct xattr_block *block, struct buf *now)
{
	int r, undo;

	if (!block->buf || block->buf == now)
		return 0;
	r = drop(h, block->buf);
	if (r == 0 || !now)
		return r;
	undo = drop(h, now);
	return undo < 0 ? fs_io_error(h->fs, undo, "share of an attribute block taken back") : r;
}

int xattr_block_store(struct handle *h, struct e4_inode *inode, struct xattr_block *block)
{
	CLEANUP_BUF struct buf *now = NULL;
	uint64_t units = 1ull << (inode->fs->block_bits - 9);
	bool empty = !xattr_area_next(&block->area, NULL);
	uint32_t hash = block_hash(&block->area);
	int r = 0;

	header_fill(block, hash);
	if (!empty)
		r = find_place(h, inode, block, hash, &now);
	if (r == 0)
		r = leave_old(h, block, now);
	if (r < 0)
		return r;
	if (now && hash)
		xattr_share_add(h->fs, now, hash);
	if (now && !block->buf)
		inode->blocks += units;
	if (!now && block->buf)
		inode->blocks -= min_u64(inode->blocks, units);
	inode->file_acl = now ? now->block : 0;
	return 0;
}

int xattr_block_release(struct handle *h, struct e4_inode *inode)
{
	CLEANUP_BUF struct buf *buf = NULL;
	uint64_t units = 1ull << (inode->fs->block_bits - 9);
	int r;

	if (!inode->file_acl)
		return 0;
	r = buf_get(inode->fs, inode->file_acl, &xattr_block_type, 0, 0, &buf);
	if (r == 0)
		r = drop(h, buf);
	if (r < 0)
		return r;
	inode->blocks -= min_u64(inode->blocks, units);
	inode->file_acl = 0;
	return 0;
}
