/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ext4/inode-disk.h"

#include <errno.h>
#include <ext2fs/ext2_ext_attr.h>
#include <sys/stat.h>

#include "ext4/extent-node.h"
#include "ext4/ialloc.h"
#include "ext4/inode-check.h"
#include "ext4/super.h"

enum {
	BASE_BYTES = 128,
	ATTRIBUTES_BYTES_MIN = 8, /* the magic number and an end; smaller areas hold nothing */
	CSUM_LO = offsetof(struct ext2_inode_large, osd2.linux2.l_i_checksum_lo),
	CSUM_HI = offsetof(struct ext2_inode_large, i_checksum_hi),
};

/* Whether the record of this inode has the field: all of it lies before the end of its extra
 * part. */
#define HAS_FIELD(inode, field)                                                                    \
	((inode)->fs->inode_bytes > BASE_BYTES &&                                                  \
		offsetof(struct ext2_inode_large, field) +                                         \
				sizeof(((struct ext2_inode_large *)NULL)->field) <=                \
			(size_t)BASE_BYTES + (inode)->extra_isize)

bool inode_disk_has_crtime(const struct e4_inode *inode)
{
	return HAS_FIELD(inode, i_crtime);
}

/* ---- times: 32-bit seconds, then 2 bits of epoch and 30 bits of nanoseconds ---------------- */

static struct timespec time_decode(uint32_t seconds, uint32_t extra)
{
	struct timespec time = {
		.tv_sec = (int32_t)seconds + ((int64_t)(extra & EXT4_EPOCH_MASK) << 32),
		.tv_nsec = extra >> EXT4_EPOCH_BITS,
	};

	if (time.tv_nsec > 999999999)
		time.tv_nsec = 999999999;
	return time;
}

static uint32_t time_extra(struct timespec time)
{
	uint64_t epoch = ((uint64_t)time.tv_sec - (uint64_t)(int64_t)(int32_t)time.tv_sec) >> 32;

	return (uint32_t)(epoch & EXT4_EPOCH_MASK) | (uint32_t)time.tv_nsec << EXT4_EPOCH_BITS;
}

struct timespec inode_disk_time(const struct e4_inode *inode, struct timespec time)
{
	bool wide = HAS_FIELD(inode, i_mtime_extra) && HAS_FIELD(inode, i_atime_extra);
	int64_t max = wide ? ((int64_t)1 << 34) - 1 + INT32_MIN : INT32_MAX;

	if (time.tv_sec >= max)
		return (struct timespec){.tv_sec = max};
	if (time.tv_sec <= INT32_MIN)
		return (struct timespec){.tv_sec = INT32_MIN};
	if (!wide)
		time.tv_nsec = 0;
	return time;
}

/* ---- checksum ------------------------------------------------------------------------------ */

static uint32_t checksum(const struct e4_inode *inode, const uint8_t *raw)
{
	static const uint8_t zero[2];
	const struct ext2_inode_large *disk = (const void *)raw;
	size_t bytes = inode->fs->inode_bytes;
	uint32_t sum = fs_inode_seed(inode->fs, inode->ino, le32toh(disk->i_generation));

	sum = fs_crc32c(sum, raw, CSUM_LO);
	sum = fs_crc32c(sum, zero, sizeof(zero));
	if (!HAS_FIELD(inode, i_checksum_hi))
		return fs_crc32c(sum, raw + CSUM_LO + 2, bytes - CSUM_LO - 2);
	sum = fs_crc32c(sum, raw + CSUM_LO + 2, CSUM_HI - CSUM_LO - 2);
	sum = fs_crc32c(sum, zero, sizeof(zero));
	return fs_crc32c(sum, raw + CSUM_HI + 2, bytes - CSUM_HI - 2);
}

static bool checksum_ok(const struct e4_inode *inode, const uint8_t *raw)
{
	const struct ext2_inode_large *disk = (const void *)raw;
	uint32_t sum;

	if (!fs_has_csum(inode->fs))
		return true;
	sum = checksum(inode, raw);
	if (le16toh(disk->osd2.linux2.l_i_checksum_lo) != (uint16_t)sum)
		return false;
	return !HAS_FIELD(inode, i_checksum_hi) || le16toh(disk->i_checksum_hi) == sum >> 16;
}

static void checksum_set(const struct e4_inode *inode, uint8_t *raw)
{
	struct ext2_inode_large *disk = (void *)raw;
	uint32_t sum;

	if (!fs_has_csum(inode->fs))
		return;
	sum = checksum(inode, raw);
	disk->osd2.linux2.l_i_checksum_lo = htole16((uint16_t)sum);
	if (HAS_FIELD(inode, i_checksum_hi))
		disk->i_checksum_hi = htole16((uint16_t)(sum >> 16));
}

/* ---- fields -------------------------------------------------------------------------------- */

/* i_size_high is something else in what is neither a file nor a directory of any size. */
static bool has_size_high(const struct e4_inode *inode)
{
	return inode_is_reg(inode) || (inode_is_dir(inode) &&
		fs_has_incompat(inode->fs, EXT4_FEATURE_INCOMPAT_LARGEDIR));
}

static bool has_huge_blocks(const struct e4_inode *inode)
{
	return fs_has_ro_compat(inode->fs, EXT4_FEATURE_RO_COMPAT_HUGE_FILE);
}

static uint64_t blocks_decode(const struct e4_inode *inode, const struct ext2_inode_large *disk)
{
	uint64_t blocks = le32toh(disk->i_blocks);

	if (!has_huge_blocks(inode))
		return blocks;
	blocks |= (uint64_t)le16toh(disk->osd2.linux2.l_i_blocks_hi) << 32;
	if (inode->flags & EXT4_HUGE_FILE_FL)
		blocks <<= inode->fs->block_bits - 9;
	return blocks;
}

static void blocks_encode(struct e4_inode *inode, struct ext2_inode_large *disk)
{
	uint64_t blocks = inode->blocks;

	inode->flags &= ~(uint32_t)EXT4_HUGE_FILE_FL;
	if (blocks >> 48) {
		inode->flags |= EXT4_HUGE_FILE_FL;
		blocks >>= inode->fs->block_bits - 9;
	}
	disk->i_blocks = htole32((uint32_t)blocks);
	if (has_huge_blocks(inode))
		disk->osd2.linux2.l_i_blocks_hi = htole16((uint16_t)(blocks >> 32));
}

/* Device numbers: 8:8 bits in the first word, larger ones as makedev() in the second. */
static uint32_t rdev_decode(const struct e4_inode *inode)
{
	uint32_t old = le32toh(inode->i_block32[0]);

	if (!S_ISCHR(inode->mode) && !S_ISBLK(inode->mode))
		return 0;
	return old ? old & 0xffff : le32toh(inode->i_block32[1]);
}

static void times_decode(struct e4_inode *inode, const struct ext2_inode_large *disk)
{
	uint32_t ctime_extra = HAS_FIELD(inode, i_ctime_extra) ? le32toh(disk->i_ctime_extra) : 0;
	uint32_t mtime_extra = HAS_FIELD(inode, i_mtime_extra) ? le32toh(disk->i_mtime_extra) : 0;
	uint32_t atime_extra = HAS_FIELD(inode, i_atime_extra) ? le32toh(disk->i_atime_extra) : 0;

	inode->ctime = time_decode(le32toh(disk->i_ctime), ctime_extra);
	inode->mtime = time_decode(le32toh(disk->i_mtime), mtime_extra);
	inode->atime = time_decode(le32toh(disk->i_atime), atime_extra);
	if (HAS_FIELD(inode, i_crtime_extra))
		inode->crtime = time_decode(le32toh(disk->i_crtime), le32toh(disk->i_crtime_extra));
	else if (HAS_FIELD(inode, i_crtime))
		inode->crtime = time_decode(le32toh(disk->i_crtime), 0);
}

static void times_encode(struct e4_inode *inode, struct ext2_inode_large *disk)
{
	inode->atime = inode_disk_time(inode, inode->atime);
	inode->mtime = inode_disk_time(inode, inode->mtime);
	inode->ctime = inode_disk_time(inode, inode->ctime);
	disk->i_atime = htole32((uint32_t)inode->atime.tv_sec);
	disk->i_mtime = htole32((uint32_t)inode->mtime.tv_sec);
	disk->i_ctime = htole32((uint32_t)inode->ctime.tv_sec);
	if (HAS_FIELD(inode, i_ctime_extra))
		disk->i_ctime_extra = htole32(time_extra(inode->ctime));
	if (HAS_FIELD(inode, i_mtime_extra))
		disk->i_mtime_extra = htole32(time_extra(inode->mtime));
	if (HAS_FIELD(inode, i_atime_extra))
		disk->i_atime_extra = htole32(time_extra(inode->atime));
	if (HAS_FIELD(inode, i_crtime))
		disk->i_crtime = htole32((uint32_t)inode->crtime.tv_sec);
	if (HAS_FIELD(inode, i_crtime_extra))
		disk->i_crtime_extra = htole32(time_extra(inode->crtime));
}

static void decode(struct e4_inode *inode, const struct ext2_inode_large *disk)
{
	uint64_t size_high = le32toh(disk->i_size_high);

	inode->mode = le16toh(disk->i_mode);
	inode->type = inode->mode & S_IFMT;
	inode->uid = le16toh(disk->i_uid) | (uint32_t)le16toh(disk->i_uid_high) << 16;
	inode->gid = le16toh(disk->i_gid) | (uint32_t)le16toh(disk->i_gid_high) << 16;
	inode->nlink = le16toh(disk->i_links_count);
	inode->flags = le32toh(disk->i_flags);
	inode->generation = le32toh(disk->i_generation);
	inode->size = le32toh(disk->i_size);
	if (has_size_high(inode))
		inode->size |= size_high << 32;
	else
		inode->dir_acl_or_unused = (uint32_t)size_high;
	inode->blocks = blocks_decode(inode, disk);
	inode->file_acl = le32toh(disk->i_file_acl) |
		(uint64_t)le16toh(disk->osd2.linux2.l_i_file_acl_high) << 32;
	memcpy(inode->i_block, disk->i_block, sizeof(inode->i_block));
	inode->rdev = rdev_decode(inode);
	times_decode(inode, disk);
}

static void encode(struct e4_inode *inode, struct ext2_inode_large *disk)
{
	disk->i_mode = htole16(inode->mode);
	disk->i_uid = htole16((uint16_t)inode->uid);
	disk->i_uid_high = htole16((uint16_t)(inode->uid >> 16));
	disk->i_gid = htole16((uint16_t)inode->gid);
	disk->i_gid_high = htole16((uint16_t)(inode->gid >> 16));
	disk->i_links_count = htole16((uint16_t)inode->nlink);
	disk->i_generation = htole32(inode->generation);
	disk->i_size = htole32((uint32_t)inode->size);
	disk->i_size_high = htole32(has_size_high(inode) ? (uint32_t)(inode->size >> 32) :
		inode->dir_acl_or_unused);
	blocks_encode(inode, disk);
	disk->i_flags = htole32(inode->flags);
	disk->i_file_acl = htole32((uint32_t)inode->file_acl);
	disk->osd2.linux2.l_i_file_acl_high = htole16((uint16_t)(inode->file_acl >> 32));
	memcpy(disk->i_block, inode->i_block, sizeof(inode->i_block));
	if (inode->fs->inode_bytes > BASE_BYTES)
		disk->i_extra_isize = htole16(inode->extra_isize);
	times_encode(inode, disk);
}

/* ---- the record ---------------------------------------------------------------------------- */

int inode_disk_record(struct e4_inode *inode, struct buf **ret_buf, uint32_t *ret_offset)
{
	int r;

	if (inode->table_block)
		return ialloc_table_block_at(inode->fs, inode->ino, inode->table_block, ret_buf, ret_offset);
	r = ialloc_table_block(inode->fs, inode->ino, ret_buf, ret_offset);
	if (r == 0)
		inode->table_block = (*ret_buf)->block;
	return r;
}

uint32_t inode_disk_attributes_offset(const struct e4_inode *inode)
{
	uint32_t at = BASE_BYTES + inode->extra_isize;

	if (!inode->extra_isize || at + ATTRIBUTES_BYTES_MIN > inode->fs->inode_bytes)
		return 0;
	return at;
}

static bool has_attributes(const struct e4_inode *inode, const uint8_t *raw)
{
	uint32_t at = inode_disk_attributes_offset(inode);
	le32 magic;

	if (!at)
		return false;
	memcpy(&magic, raw + at, sizeof(magic));
	return le32_get(magic) == EXT2_EXT_ATTR_MAGIC;
}

static int load_extra_isize(struct e4_inode *inode, const struct ext2_inode_large *disk)
{
	if (inode->fs->inode_bytes <= BASE_BYTES)
		return 0;
	inode->extra_isize = le16toh(disk->i_extra_isize);
	if (inode->extra_isize > inode->fs->inode_bytes - BASE_BYTES || inode->extra_isize & 3)
		return fs_damaged(inode->fs, "inode %u: bad extra size", inode->ino);
	return 0;
}

static int load_record(struct e4_inode *inode, const uint8_t *raw, bool orphan)
{
	const struct ext2_inode_large *disk = (const void *)raw;
	int r;

	/* A record that was never used may be all zeroes, without a checksum. */
	if (!disk->i_links_count && !disk->i_mode)
		return -ENOENT;
	r = load_extra_isize(inode, disk);
	if (r < 0)
		return r;
	if (!checksum_ok(inode, raw))
		return fs_damaged(inode->fs, "inode %u: bad checksum", inode->ino);
	if (!disk->i_links_count && !orphan)
		return -ENOENT;
	decode(inode, disk);
	inode->has_attributes = has_attributes(inode, raw);
	if (orphan)
		inode->orphan_next = le32toh(disk->i_dtime);
	return 0;
}

int inode_disk_load(struct e4_inode *inode, bool orphan)
{
	CLEANUP_BUF struct buf *buf = NULL;
	uint32_t offset;
	int r = inode_disk_record(inode, &buf, &offset);

	if (r < 0)
		return r;
	pthread_mutex_lock(&buf->lock);
	r = load_record(inode, buf->data + offset, orphan);
	pthread_mutex_unlock(&buf->lock);
	return r < 0 ? r : inode_check(inode);
}

int inode_reserve(struct handle *h, struct e4_inode *inode)
{
	CLEANUP_BUF struct buf *buf = NULL;
	uint32_t offset;
	int r = inode_disk_record(inode, &buf, &offset);

	return r < 0 ? r : buf_modify(h, buf);
}

int inode_disk_clear(struct handle *h, struct e4_inode *inode)
{
	CLEANUP_BUF struct buf *buf = NULL;
	uint32_t offset;
	int r = inode_disk_record(inode, &buf, &offset);

	if (r == 0)
		r = buf_modify(h, buf);
	if (r < 0)
		return r;
	pthread_mutex_lock(&buf->lock);
	memset(buf->data + offset, 0, inode->fs->inode_bytes);
	pthread_mutex_unlock(&buf->lock);
	return 0;
}

static int store(struct handle *h, struct e4_inode *inode, uint32_t dtime)
{
	CLEANUP_BUF struct buf *buf = NULL;
	uint32_t offset;
	int r = inode_disk_record(inode, &buf, &offset);

	if (r == 0)
		r = buf_modify(h, buf);
	if (r == 0 && inode_is_reg(inode) && inode->size > INT32_MAX &&
		!fs_has_ro_compat(inode->fs, EXT2_FEATURE_RO_COMPAT_LARGE_FILE))
		r = super_add_ro_compat(h, EXT2_FEATURE_RO_COMPAT_LARGE_FILE);
	if (r < 0)
		return r;
	pthread_mutex_lock(&buf->lock);
	struct ext2_inode_large *disk = (void *)(buf->data + offset);

	encode(inode, disk);
	if (dtime)
		disk->i_dtime = htole32(dtime);
	checksum_set(inode, buf->data + offset);
	pthread_mutex_unlock(&buf->lock);
	return 0;
}

int inode_store(struct handle *h, struct e4_inode *inode, bool data_changed)
{
	int r = store(h, inode, 0);

	if (r < 0)
		return r;
	atomic_store(&inode->lazy_time, false);
	inode->sync_txn = h->txn_id;
	if (data_changed)
		inode->datasync_txn = h->txn_id;
	return 0;
}

int inode_disk_delete(struct handle *h, struct e4_inode *inode)
{
	uint32_t now = (uint32_t)inode_now().tv_sec;

	return store(h, inode, now ? now : 1);
}

int inode_disk_set_dtime(struct handle *h, struct e4_inode *inode, uint32_t dtime)
{
	CLEANUP_BUF struct buf *buf = NULL;
	uint32_t offset;
	int r = inode_disk_record(inode, &buf, &offset);

	if (r == 0)
		r = buf_modify(h, buf);
	if (r < 0)
		return r;
	pthread_mutex_lock(&buf->lock);
	((struct ext2_inode_large *)(buf->data + offset))->i_dtime = htole32(dtime);
	checksum_set(inode, buf->data + offset);
	pthread_mutex_unlock(&buf->lock);
	return 0;
}
