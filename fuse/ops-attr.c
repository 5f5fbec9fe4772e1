/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Requests about one inode, but for its data: attributes, link targets, forgetting. */
#include <errno.h>
#include <sys/stat.h>
#include <time.h>

#include "fuse/killpriv.h"
#include "fuse/refused.h"
#include "fuse/reply.h"

int front_iget(struct front *front, fuse_ino_t node, struct e4_inode **ret_inode)
{
	uint32_t ino = node == FUSE_ROOT_ID ? E4_ROOT_INO : (uint32_t)node;
	int err;

	if (node_of_ino(ino) != node || ino == 0)
		return -ESTALE;
	/* The kernel may have it from a program's file handle. */
	err = e4_iget_handle(front->fs, ino, ret_inode);
	return err == -ENOENT ? -ESTALE : err;
}

static void forget(struct front *front, fuse_ino_t node, uint64_t count)
{
	if (node != FUSE_ROOT_ID && node <= UINT32_MAX)
		nodes_forget(front->nodes, (uint32_t)node, count);
}

void op_forget(fuse_req_t req, fuse_ino_t node, uint64_t count)
{
	forget(front_of(req), node, count);
	fuse_reply_none(req);
}

void op_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
	struct front *front = front_of(req);

	for (size_t i = 0; i < count; i++)
		forget(front, forgets[i].ino, forgets[i].nlookup);
	fuse_reply_none(req);
}

void op_getattr(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi)
{
	CLEANUP_INODE struct e4_inode *inode = NULL;
	int err = front_iget(front_of(req), node, &inode);

	if (err == 0)
		err = refused_take(front_of(req), node, fi);
	if (err < 0)
		reply_err(req, err);
	else
		reply_attr(req, inode);
}

/* FUSE's fields and mask to ext4's. "Now" is our own clock, which is the kernel's. */
static unsigned attr_of_stat(const struct stat *st, int to_set, struct e4_attr *attr)
{
	static const struct {
		int fuse;
		unsigned e4;
	} fields[] = {
		{FUSE_SET_ATTR_MODE, E4_SET_MODE},
		{FUSE_SET_ATTR_UID, E4_SET_UID},
		{FUSE_SET_ATTR_GID, E4_SET_GID},
		{FUSE_SET_ATTR_SIZE, E4_SET_SIZE},
		{FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_ATIME_NOW, E4_SET_ATIME},
		{FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_MTIME_NOW, E4_SET_MTIME},
		{FUSE_SET_ATTR_CTIME, E4_SET_CTIME},
	};
	unsigned mask = 0;

	*attr = (struct e4_attr){
		.mode = st->st_mode,
		.uid = st->st_uid,
		.gid = st->st_gid,
		.size = (uint64_t)st->st_size,
		.atime = st->st_atim,
		.mtime = st->st_mtim,
		.ctime = st->st_ctim,
	};
	if (to_set & FUSE_SET_ATTR_ATIME_NOW)
		clock_gettime(CLOCK_REALTIME_COARSE, &attr->atime);
	if (to_set & FUSE_SET_ATTR_MTIME_NOW)
		clock_gettime(CLOCK_REALTIME_COARSE, &attr->mtime);
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		if (to_set & fields[i].fuse)
			mask |= fields[i].e4;
	return mask;
}

/* Times that are not both "now", one alone included; the kernel brings a file's mtime of now as a time of
 * its own. */
static bool gives_times(const struct e4_attr *stored, int to_set)
{
	const int times = FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_MTIME;

	if ((to_set & times) != times)
		return to_set & times;
	return !(to_set & FUSE_SET_ATTR_ATIME_NOW) ||
		(!S_ISREG(stored->mode) && !(to_set & FUSE_SET_ATTR_MTIME_NOW));
}

/* With write-back caching the kernel keeps mtime and ctime of files itself, and brings them later;
 * with an open file if it has one, else only for a new ctime. */
static bool is_held(const struct e4_attr *stored, const struct e4_attr *attr, unsigned mask,
	const struct fuse_file_info *fi)
{
	if (mask != (E4_SET_MTIME | E4_SET_CTIME))
		return false;
	return front_handle_writes(fi) || (stored->mtime.tv_sec == attr->mtime.tv_sec &&
						  stored->mtime.tv_nsec == attr->mtime.tv_nsec);
}

static int setattr(struct e4_inode *inode, const struct e4_attr *attr, unsigned mask, int to_set,
	const struct fuse_file_info *fi)
{
	struct e4_attr stored;

	e4_getattr(inode, &stored);
	if (is_held(&stored, attr, mask, fi))
		mask |= E4_SET_HELD;
	else if (gives_times(&stored, to_set))
		mask |= E4_SET_GIVEN_TIMES;
	return e4_setattr(inode, attr, mask);
}

/* A chown that names no owner only moves ctime: of files the kernel brings it, else it brings nothing. When
 * it has taken capabilities off a file it brings nothing either, but then not of anything else. */
static bool is_chown(struct e4_inode *inode, unsigned asked)
{
	struct e4_attr attr;

	if (asked & (E4_SET_UID | E4_SET_GID) || asked == E4_SET_CTIME)
		return true;
	if (asked)
		return false;
	e4_getattr(inode, &attr);
	return !S_ISREG(attr.mode);
}

void op_setattr(fuse_req_t req, fuse_ino_t node, struct stat *st, int to_set,
	struct fuse_file_info *fi)
{
	struct front *front = front_of(req);
	CLEANUP_INODE struct e4_inode *inode = NULL;
	struct e4_attr attr;
	unsigned asked = attr_of_stat(st, to_set, &attr), mask = owner_change(&front->owner, asked);
	int err = front_iget(front, node, &inode);

	if (err == 0 && is_chown(inode, asked))
		mask |= killpriv_mask(req, inode, true);
	else if (err == 0 && (mask & E4_SET_SIZE))
		mask |= killpriv_mask(req, inode, false);
	/* Without anything to set as well: it is a chown that changes no owner, and moves ctime. */
	if (err == 0)
		err = setattr(inode, &attr, mask, to_set, fi);
	if (err < 0)
		reply_err(req, err);
	else
		reply_attr(req, inode);
}

void op_readlink(fuse_req_t req, fuse_ino_t node)
{
	CLEANUP_INODE struct e4_inode *inode = NULL;
	char target[4097];
	ssize_t len = front_iget(front_of(req), node, &inode);

	if (len == 0) {
		e4_accessed(inode);
		len = e4_readlink(inode, target, sizeof(target));
	}
	if (len < 0)
		reply_err(req, (int)len);
	else
		fuse_reply_readlink(req, target);
}

void op_statfs(fuse_req_t req, fuse_ino_t node)
{
	struct e4_statfs fs;

	e4_statfs(front_of(req)->fs, &fs);
	fuse_reply_statfs(req, &(struct statvfs){
				       .f_bsize = fs.block_bytes,
				       .f_frsize = fs.block_bytes,
				       .f_blocks = fs.blocks,
				       .f_bfree = fs.blocks_free,
				       .f_bavail = fs.blocks_avail,
				       .f_files = fs.inodes,
				       .f_ffree = fs.inodes_free,
				       .f_favail = fs.inodes_free,
				       .f_namemax = E4_NAME_MAX,
			       });
}
