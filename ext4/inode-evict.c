/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ext4/inode-evict.h"

#include <errno.h>

#include "ext4/balloc.h"
#include "ext4/file.h"
#include "ext4/ialloc.h"
#include "ext4/inode-disk.h"
#include "ext4/orphan.h"
#include "ext4/xattr-block.h"

/* What cannot be finished is an orphan again before the handle ends. */
static int release_number(struct handle *h, struct e4_inode *inode)
{
	bool directory = inode_is_dir(inode);
	int r = orphan_remove(h, inode), back;

	if (r < 0)
		return r;
	r = inode_disk_delete(h, inode);
	r = r < 0 ? r : ialloc_free(h, inode->ino, directory);
	if (r != -ENOMEM)
		return r;
	back = orphan_add(h, inode);
	return back < 0 ? fs_io_error(inode->fs, back, "an orphan") : r;
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

/* A file that could not be made, say, is on no list yet. */
static bool leave_as_orphan(struct e4_inode *inode)
{
	struct handle h;
	int r = handle_begin(inode->fs, INODE_CREDITS + ORPHAN_CREDITS, &h);

	if (r < 0)
		return false;
	pthread_rwlock_wrlock(&inode->lock);
	r = orphan_add(&h, inode);
	pthread_rwlock_unlock(&inode->lock);
	handle_end(&h);
	return r == 0 && orphan_is_listed(inode);
}

bool inode_evict(struct e4_inode *inode)
{
	if (fs_check_writable(inode->fs) < 0)
		return true;
	int r = file_free_all(inode);

	if (r == 0)
		r = release(inode);
	if (r == -ENOMEM && leave_as_orphan(inode))
		return false;
	/* An inode without a name must not survive on a volume that says it is clean. */
	if (r < 0)
		fs_io_error(inode->fs, r, "removal of a deleted file");
	return true;
}
