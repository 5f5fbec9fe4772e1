/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Requests about file data. A request's bytes are moved once in this process, as they are encrypted: a
 * write is handed to ext4 in the thread's buffer, where rawops.c has put it, and a read is answered
 * from there. Pages of the kernel become whole pages of that buffer, and these go to the drive.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "fuse/caller.h"
#include "base/iomem.h"
#include "fuse/killpriv.h"
#include "fuse/marks.h"
#include "fuse/rawops.h"
#include "fuse/refused.h"
#include "fuse/reply.h"
#include "fuse/seek.h"

static pthread_key_t buffer_key;
static pthread_once_t buffer_once = PTHREAD_ONCE_INIT;

static void buffer_free(void *buffer)
{
	iomem_unmap(buffer, FRONT_BUFFER_BYTES);
}

static void buffer_key_make(void)
{
	if (pthread_key_create(&buffer_key, buffer_free) != 0)
		abort(); /* PTHREAD_KEYS_MAX is 1024; we make one */
}

char *front_buffer(void)
{
	char *buffer;

	pthread_once(&buffer_once, buffer_key_make);
	buffer = pthread_getspecific(buffer_key);
	if (buffer)
		return buffer;
	buffer = iomem_map(FRONT_BUFFER_BYTES);
	if (buffer && pthread_setspecific(buffer_key, buffer) != 0) {
		buffer_free(buffer);
		return NULL;
	}
	return buffer;
}

static ssize_t data_read(struct front *front, fuse_ino_t node, char *buffer, size_t size, off_t off,
	const struct fuse_file_info *fi)
{
	CLEANUP_INODE struct e4_inode *inode = NULL;
	int err;

	/* The kernel keeps to the limit that was agreed on; a short answer would mean end of file. */
	if (!buffer || size > FRONT_REQUEST_MAX)
		return -ENOMEM;
	err = front_iget(front, node, &inode);
	if (err < 0)
		return err;
	/* A file that is only written is read by the kernel, to fill up a page. */
	if (!(fi->flags & O_NOATIME) && (fi->flags & O_ACCMODE) != O_WRONLY)
		e4_accessed(inode);
	return e4_read_room(inode, buffer, size, FRONT_REQUEST_MAX, (uint64_t)off);
}

void op_read(fuse_req_t req, fuse_ino_t node, size_t size, off_t off, struct fuse_file_info *fi)
{
	char *buffer = front_buffer();
	ssize_t len = data_read(front_of(req), node, buffer, size, off, fi);

	if (len < 0)
		reply_err(req, (int)len);
	else
		fuse_reply_buf(req, buffer, (size_t)len);
}

/*
 * A write that did not fit is never answered with what did: the kernel's write-back takes any count
 * for all of it, so the rest would be lost without a word, and makes EIO of a short direct write.
 */
static ssize_t data_write_back(struct front *front, struct e4_inode *inode, char *buf, size_t size,
	off_t off)
{
	unsigned flags = E4_WRITE_MAY_CLOBBER | E4_WRITE_WHOLE | E4_WRITE_HELD;
	struct e4_attr attr;

	/* Nobody knows any more who wrote it: most likely the file's owner. */
	e4_getattr(inode, &attr);
	owner_show(&front->owner, &attr);
	if (owner_may_use_reserve(&front->owner, attr.uid, attr.gid))
		flags |= E4_WRITE_USE_RESERVE;
	return e4_write(inode, buf, size, (uint64_t)off, flags);
}

int front_fsync(struct front *front, struct e4_inode *inode, const struct fuse_file_info *fi,
	bool datasync)
{
	uint64_t knew = marks_get(front->marks, fi->fh), mark = knew;
	int err = e4_fsync(inode, datasync), lost = e4_loss_check(inode, &mark);

	if (mark != knew)
		marks_set(front->marks, fi->fh, mark);
	return err < 0 ? err : lost;
}

/* A write past the cache. The kernel brings no FSYNC with it where one would be due. */
static ssize_t data_write_through(fuse_req_t req, fuse_ino_t node, struct e4_inode *inode, char *buf,
	size_t size, off_t off, const struct fuse_file_info *fi)
{
	unsigned flags = E4_WRITE_MAY_CLOBBER | E4_WRITE_WHOLE |
		(caller_may_use_reserve(req) ? E4_WRITE_USE_RESERVE : 0);
	ssize_t len = front_check_write(inode, fi);
	int err = 0;

	if (len == 0)
		len = killpriv_write(req, node, inode);
	if (len == 0)
		len = e4_write(inode, buf, size, (uint64_t)off, flags);
	if (len > 0 && (fi->flags & O_DSYNC))
		err = front_fsync(front_of(req), inode, fi, (fi->flags & O_SYNC) != O_SYNC);
	return err < 0 ? err : len;
}

static ssize_t data_write(fuse_req_t req, fuse_ino_t node, char *buf, size_t size, off_t off,
	const struct fuse_file_info *fi)
{
	CLEANUP_INODE struct e4_inode *inode = NULL;
	ssize_t err = front_iget(front_of(req), node, &inode);

	if (err < 0)
		return err;
	return fi->writepage ? data_write_back(front_of(req), inode, buf, size, off)
			     : data_write_through(req, node, inode, buf, size, off, fi);
}

void op_write(fuse_req_t req, fuse_ino_t node, const char *buf, size_t size, off_t off,
	struct fuse_file_info *fi)
{
	/* The thread's own buffer, which nobody reads after us. */
	ssize_t len = data_write(req, node, rawops_write_data(buf), size, off, fi);

	if (len < 0 && fi->writepage)
		refused_set(front_of(req), node, (int)len);
	if (len < 0)
		reply_err(req, (int)len);
	else if (len > 0 && !fi->writepage && front_handle_direct(fi))
		seeker_add_written(front_of(req)->seeker, req, node, off, (size_t)len);
	else
		fuse_reply_write(req, (size_t)len);
}

void op_fsync(fuse_req_t req, fuse_ino_t node, int datasync, struct fuse_file_info *fi)
{
	CLEANUP_INODE struct e4_inode *inode = NULL;
	int err = front_iget(front_of(req), node, &inode);

	if (err == 0)
		err = front_fsync(front_of(req), inode, fi, datasync);
	reply_err(req, err);
}

void op_fallocate(fuse_req_t req, fuse_ino_t node, int mode, off_t off, off_t len,
	struct fuse_file_info *fi)
{
	CLEANUP_INODE struct e4_inode *inode = NULL;
	int err = front_iget(front_of(req), node, &inode);

	if (caller_may_use_reserve(req))
		mode |= E4_FALLOC_USE_RESERVE;
	if (err == 0)
		err = killpriv_write(req, node, inode);
	if (err == 0)
		err = e4_fallocate(inode, mode, (uint64_t)off, (uint64_t)len);
	reply_err(req, err);
}

void op_lseek(fuse_req_t req, fuse_ino_t node, off_t off, int whence, struct fuse_file_info *fi)
{
	seeker_add(front_of(req)->seeker, req, node, off, whence);
}
