/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ext4/inode-evict.h"

#include "ext4/balloc.h"
#include "ext4/file.h"
#include "ext4/ialloc.h"
#include "ext4/inode-disk.h"
#include "ext4/orphan.h"
#include "ext4/xattr-block.h"

static int release_number(struct handle *h, struct e4_inode *inode)
{
	bool directory = inode_is_dir(inode);
	int r = orphan_remove(h, inode);

	r = r < 0 ? r : inode_disk_delete(h, inode);
	return r < 0 ? r : ialloc_free(h, inode->ino, directory);
}

static int release(struct e4_inode *inode)
{
	struct handle h;
	int r = handle_begin(inode->fs,
		INODE_CREDITS + ORPHAN_CREDITS + XATTR_BLOCK_RELEASE_CREDITS + IALLOC_CREDITS, &h);

	if (r < 0)
		return r;
	pthread_rwlock_wrlock(&inode->lock);
	r = xattr_block_release(&h, inode);
	if (r == 0)
		r = release_number(&h, inode);
	pthread_rwlock_unlock(&inode->lock);
	handle_end(&h);
	return r;
}

void inode_evict(struct e4_inode *inode)
{
	if (fs_check_writable(inode->fs) < 0)
		return;
	int r = file_free_all(inode);

	if (r == 0)
		r = release(inode);
	/* An inode without a name must not survive on a volume that says it is clean. */
	if (r < 0)
		fs_io_error(inode->fs, r, "removal of a deleted file");
}
