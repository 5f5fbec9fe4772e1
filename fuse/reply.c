/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuse/reply.h"

#include <errno.h>

/* The kernel takes 0 and positive errnos below 512. */
int reply_errno(int err)
{
	switch (err) {
	case -ENODEV: /* the drive is gone for good */
	case -ENXIO:
	case -ENOMEDIUM:
		return EIO;
	default:
		return err <= 0 && err > -512 ? -err : EIO;
	}
}

void reply_err(fuse_req_t req, int err)
{
	fuse_reply_err(req, reply_errno(err));
}

static void stat_fill(const struct front *front, const struct e4_attr *stored, struct stat *st)
{
	struct e4_attr attr = *stored;

	owner_show(&front->owner, &attr);
	*st = (struct stat){
		.st_ino = attr.ino,
		.st_mode = attr.mode,
		.st_nlink = attr.nlink,
		.st_uid = attr.uid,
		.st_gid = attr.gid,
		.st_rdev = attr.rdev,
		.st_size = (off_t)attr.size,
		.st_blocks = (blkcnt_t)attr.blocks_512,
		.st_atim = attr.atime,
		.st_mtim = attr.mtime,
		.st_ctim = attr.ctime,
	};
}

void reply_attr(fuse_req_t req, struct e4_inode *inode)
{
	struct e4_attr attr;
	struct stat st;

	e4_getattr(inode, &attr);
	stat_fill(front_of(req), &attr, &st);
	fuse_reply_attr(req, &st, REPLY_CACHE_SECONDS);
}

int entry_fill(struct front *front, struct e4_inode *inode, struct fuse_entry_param *e)
{
	uint32_t ino = e4_ino(inode);
	struct e4_attr attr;
	int err;

	if (ino == FUSE_ROOT_ID) /* only a damaged folder names it */
		return -EUCLEAN;
	/* Counted before the links are looked at: see invariant 2 of the node table. */
	err = ino == E4_ROOT_INO ? 0 : nodes_add(front->nodes, ino);
	if (err < 0)
		return err;
	e4_getattr(inode, &attr);
	if (attr.nlink == 0)
		nodes_pin(front->nodes, inode);
	*e = (struct fuse_entry_param){
		.ino = node_of_ino(ino),
		.generation = attr.generation,
		.attr_timeout = REPLY_CACHE_SECONDS,
		.entry_timeout = REPLY_CACHE_SECONDS,
	};
	stat_fill(front, &attr, &e->attr);
	return 0;
}

void entry_forget(struct front *front, uint32_t ino)
{
	if (ino != E4_ROOT_INO)
		nodes_forget(front->nodes, ino, 1);
}

void reply_entry(fuse_req_t req, struct e4_inode *inode)
{
	struct front *front = front_of(req);
	struct fuse_entry_param e;
	int err = entry_fill(front, inode, &e);

	if (err < 0) {
		reply_err(req, err);
		return;
	}
	if (fuse_reply_entry(req, &e) == -ENOENT) /* interrupted: the kernel did not take it */
		entry_forget(front, e4_ino(inode));
}

void reply_negative(fuse_req_t req)
{
	struct fuse_entry_param e = {.entry_timeout = REPLY_CACHE_SECONDS};

	fuse_reply_entry(req, &e);
}
