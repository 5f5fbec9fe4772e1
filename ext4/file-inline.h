/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files whose data lives in their inode, and how they get blocks. */
#ifndef EXT4_FILE_INLINE_H
#define EXT4_FILE_INLINE_H

#include "ext4/file.h"

/* Whether the file lives in its inode, or is new and might: then whoever is about to give it
 * blocks asks here first. False never becomes true. */
bool file_may_be_inline(struct e4_inode *inode);

/* Of an inline file; io_lock held. As e4_read(). */
ssize_t file_inline_read(struct e4_inode *inode, uint8_t *buf, size_t len, uint64_t off) MUST_CHECK;

/* All below: io_lock held exclusively, no handle. */

/* As e4_write() where the inode has room for it; 0: the file does not live there any more, so the
 * data goes to blocks. */
ssize_t file_inline_write(struct e4_inode *inode, const uint8_t *buf, size_t len, uint64_t off,
	bool use_reserve) MUST_CHECK;
/* An inline file's new size, not above the old one. */
int file_inline_shrink(struct e4_inode *inode, uint64_t size) MUST_CHECK;
/* The file lives in blocks from now on. -ENOSPC or any other failure: nothing changed. */
int file_inline_leave(struct e4_inode *inode, bool use_reserve) MUST_CHECK;

#endif
