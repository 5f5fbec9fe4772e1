/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The flags of chattr(1): what may be changed, and what they forbid. */
#include <errno.h>
#include <linux/falloc.h>
#include <sys/stat.h>

#include "ext4/inode-disk.h"

enum {
	EOFBLOCKS = 0x00400000, /* of no meaning any more, but kept */
	FILE_OR_DIR = EXT2_SECRM_FL | EXT2_UNRM_FL | EXT2_COMPR_FL | EXT2_SYNC_FL |
		EXT2_IMMUTABLE_FL | EXT2_APPEND_FL | EXT2_NODUMP_FL | EXT2_NOATIME_FL |
		EXT3_JOURNAL_DATA_FL | EXT2_NOTAIL_FL | EXT4_EXTENTS_FL | EOFBLOCKS | FS_DAX_FL,
	DIR_ONLY = EXT2_DIRSYNC_FL | EXT2_TOPDIR_FL | EXT4_PROJINHERIT_FL | EXT4_CASEFOLD_FL,
	MODIFIABLE = FILE_OR_DIR | DIR_ONLY,
	/* What may be asked for without an error, though it changes nothing. */
	VISIBLE = MODIFIABLE | EXT2_DIRTY_FL | EXT2_COMPRBLK_FL | EXT2_NOCOMPR_FL |
		EXT4_ENCRYPT_FL | EXT2_INDEX_FL | EXT4_VERITY_FL | EXT4_INLINE_DATA_FL,
};

static uint32_t flags_of(struct e4_inode *inode)
{
	pthread_rwlock_rdlock(&inode->lock);
	uint32_t flags = inode->flags;
	pthread_rwlock_unlock(&inode->lock);
	return flags;
}

uint32_t e4_get_flags(struct e4_inode *inode)
{
	uint32_t flags = flags_of(inode) & VISIBLE;

	return inode_is_reg(inode) ? flags & ~(uint32_t)EXT4_PROJINHERIT_FL : flags;
}

/* What this kind of inode can have, and this volume can do. */
static int check_possible(const struct e4_inode *inode, uint32_t old, uint32_t new)
{
	uint32_t changed = (old ^ new) & MODIFIABLE;

	if (inode_is_reg(inode) && (new & DIR_ONLY))
		return -EOPNOTSUPP;
	if (!inode_is_reg(inode) && !inode_is_dir(inode) &&
		(new & ~(uint32_t)(EXT2_NODUMP_FL | EXT2_NOATIME_FL)))
		return -EOPNOTSUPP;
	/* As the kernel: also where only what nobody may set makes the difference, an index or inline data. */
	if ((old & new & EXT2_IMMUTABLE_FL) && old != new)
		return -EPERM;
	if (changed & (EXT3_JOURNAL_DATA_FL | EXT4_CASEFOLD_FL))
		return -EOPNOTSUPP;
	return 0;
}

/* All but how the blocks are mapped, which is a conversion. inode->lock held for writing. */
static int flags_store(struct handle *h, struct e4_inode *inode, uint32_t flags)
{
	const uint32_t stored = MODIFIABLE & ~(uint32_t)EXT4_EXTENTS_FL;
	uint32_t old = inode->flags;
	int r = check_possible(inode, old, flags);

	if (r == 0)
		r = inode_reserve(h, inode);
	if (r < 0)
		return r;
	inode->flags = (old & ~stored) | (flags & stored);
	inode->ctime = inode_disk_time(inode, inode_now());
	return inode_store(h, inode, false);
}

int e4_set_flags(struct e4_inode *inode, uint32_t flags)
{
	struct handle h;
	int r = fs_check_writable(inode->fs);

	if (r == 0 && (flags & ~(uint32_t)VISIBLE))
		r = -EOPNOTSUPP;
	if (r == 0)
		r = handle_begin(inode->fs, INODE_CREDITS + 1, &h);
	if (r < 0)
		return r;
	pthread_rwlock_wrlock(&inode->lock);
	r = flags_store(&h, inode, flags & MODIFIABLE);
	pthread_rwlock_unlock(&inode->lock);
	handle_end(&h);
	if (r == 0 && ((flags_of(inode) ^ flags) & EXT4_EXTENTS_FL))
		r = e4_set_extents(inode, flags & EXT4_EXTENTS_FL);
	return r < 0 ? r : inode_sync(inode, EXT2_SYNC_FL);
}

/* With checksums, the generation is part of those of all that belongs to the inode. */
int e4_set_generation(struct e4_inode *inode, uint32_t generation)
{
	struct handle h;
	int r = fs_has_csum(inode->fs) ? -ENOTTY : fs_check_writable(inode->fs);

	if (r == 0)
		r = handle_begin(inode->fs, INODE_CREDITS + 1, &h);
	if (r < 0)
		return r;
	pthread_rwlock_wrlock(&inode->lock);
	r = inode_reserve(&h, inode);
	if (r == 0) {
		inode->generation = generation;
		inode->ctime = inode_disk_time(inode, inode_now());
		r = inode_store(&h, inode, false);
	}
	pthread_rwlock_unlock(&inode->lock);
	handle_end(&h);
	return r;
}

int inode_check_mutable(struct e4_inode *inode)
{
	return flags_of(inode) & EXT2_IMMUTABLE_FL ? -EPERM : 0;
}

int inode_check_fallocate(struct e4_inode *inode, int mode)
{
	uint32_t forbids = EXT2_IMMUTABLE_FL;

	if (mode & ~FALLOC_FL_KEEP_SIZE)
		forbids |= EXT2_APPEND_FL;
	return flags_of(inode) & forbids ? -EPERM : 0;
}

int inode_sync(struct e4_inode *inode, uint32_t which)
{
	return flags_of(inode) & which ? e4_fsync(inode, false) : 0;
}
