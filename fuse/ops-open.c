/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Opening files. No request needs a handle; what opening is for are chattr's flags, which the
 * kernel's FUSE does not know. A write that is refused must be refused when the program makes it,
 * not when the kernel writes back what it has taken: then nobody would hear of it.
 *
 * 1. immutable: not opened for writing.
 * 2. append-only: opened for writing only with O_APPEND, and past the kernel's cache, so that each
 *    write comes here at once, with the flags that the descriptor has by then. A shared mapping is
 *    refused by the kernel.
 * 3. synchronous: opened for writing past the cache, so that no write returns before it is on
 *    the medium.
 * 4. only written, and new or with O_APPEND, on a drive that is nearly full: past the cache, so that the write that
 *    does not fit is the one that fails. (Who writes into the middle of a file is left out, and kernels
 *    before 6.6: they would lay what a mapping of it held before over what is written past the cache.)
 * 5. What was opened before a flag was set goes on as it was opened: what the kernel has taken, in
 *    its cache or in a mapping, is always written (E4_WRITE_HELD, E4_SET_HELD).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/stat.h>

#include "base/bytes.h"
#include "fuse/marks.h"
#include "fuse/refused.h"
#include "fuse/reply.h"

/* In a handle's number: that the kernel may have taken data to write; that it writes past its cache. */
enum { HANDLE_WRITES = 1, HANDLE_DIRECT = 2, HANDLE_STEP = 4 };
enum { LOW_SPACE_BYTES = 16 << 20, LOW_SPACE_SHARE = 16 };

static bool opens_for_writing(int flags)
{
	return (flags & O_ACCMODE) != O_RDONLY;
}

uint64_t front_handle_new(struct front *front, struct e4_inode *inode, int flags, bool direct)
{
	uint64_t number = HANDLE_STEP * (atomic_fetch_add(&front->handles, 1) + 1) +
		(opens_for_writing(flags) ? HANDLE_WRITES : 0) + (direct ? HANDLE_DIRECT : 0);
	uint64_t mark = e4_loss_mark(inode);

	if (mark)
		marks_set(front->marks, number, mark);
	return number;
}

bool front_handle_writes(const struct fuse_file_info *fi)
{
	return fi && (fi->fh & HANDLE_WRITES);
}

bool front_handle_direct(const struct fuse_file_info *fi)
{
	return fi->fh & HANDLE_DIRECT;
}

/* Less is left than the kernel may be holding back. */
static bool is_nearly_full(struct front *front)
{
	struct e4_statfs fs;
	uint64_t limit;

	e4_statfs(front->fs, &fs);
	limit = min_u64(LOW_SPACE_BYTES / fs.block_bytes, fs.blocks / LOW_SPACE_SHARE);
	return fs.blocks_avail < limit;
}

bool front_open_direct(struct front *front, uint32_t inode_flags, int flags, bool is_new)
{
	if (!opens_for_writing(flags))
		return false;
	if (inode_flags & (FS_APPEND_FL | FS_SYNC_FL))
		return true;
	return front->mixes_direct && (flags & O_ACCMODE) == O_WRONLY && (is_new || flags & O_APPEND) &&
		is_nearly_full(front);
}

static int check_open(uint32_t inode_flags, int flags)
{
	if (!opens_for_writing(flags))
		return 0;
	if (inode_flags & FS_IMMUTABLE_FL)
		return -EPERM;
	return (inode_flags & FS_APPEND_FL) && !(flags & O_APPEND) ? -EPERM : 0;
}

int front_check_write(struct e4_inode *inode, const struct fuse_file_info *fi)
{
	if (!(e4_get_flags(inode) & FS_APPEND_FL))
		return 0;
	return fi->flags & O_APPEND ? 0 : -EPERM;
}

static void file_info_fill(struct front *front, struct e4_inode *inode, uint32_t inode_flags, bool is_new,
	struct fuse_file_info *fi)
{
	bool direct = front_open_direct(front, inode_flags, fi->flags, is_new);

	fi->fh = front_handle_new(front, inode, fi->flags, direct);
	/* What others have written to the cache must not be written over what this one writes past it. */
	fi->keep_cache = !direct;
	fi->direct_io = direct;
}

void op_open(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi)
{
	CLEANUP_INODE struct e4_inode *inode = NULL;
	uint32_t inode_flags = 0;
	int err = front_iget(front_of(req), node, &inode);

	if (err == 0) {
		inode_flags = e4_get_flags(inode);
		err = check_open(inode_flags, fi->flags);
	}
	if (err < 0) {
		reply_err(req, err);
		return;
	}
	file_info_fill(front_of(req), inode, inode_flags, false, fi);
	if (fuse_reply_open(req, fi) == -ENOENT)
		marks_drop(front_of(req)->marks, fi->fh);
}

/* Making a file and opening it in one round; nobody may be kept from his own new file. */
void op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
	struct fuse_file_info *fi)
{
	struct e4_create what = {.mode = S_IFREG | (mode & 07777)};
	CLEANUP_INODE struct e4_inode *inode = NULL;
	struct fuse_entry_param e;
	int err = front_create(req, parent, name, &what, &inode);

	if (err == 0)
		err = entry_fill(front_of(req), inode, &e);
	if (err < 0) {
		reply_err(req, err);
		return;
	}
	file_info_fill(front_of(req), inode, e4_get_flags(inode), true, fi);
	if (fuse_reply_create(req, &e, fi) == -ENOENT)
		entry_forget(front_of(req), e4_ino(inode));
}

void op_release(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi)
{
	marks_drop(front_of(req)->marks, fi->fh);
	refused_drop(front_of(req), node, fi);
	reply_err(req, 0);
}

/* Everything that must reach us at close(2) already has, as WRITE requests. */
void op_flush(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi)
{
	reply_err(req, -ENOSYS);
}
