/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuse/refused.h"

#include <errno.h>

#include "fuse/marks.h"
#include "fuse/seek.h"

void refused_set(struct front *front, fuse_ino_t node, int err)
{
	marks_set(front->refused, node, (uint64_t)-err);
	seeker_forget_attributes(front->seeker, node);
}

/* Whoever has made room goes on writing; of what was lost fsync and close tell all the same. */
static bool has_room(struct front *front)
{
	struct e4_statfs fs;

	e4_statfs(front->fs, &fs);
	return fs.blocks_avail * fs.block_bytes > FRONT_REQUEST_MAX;
}

int refused_take(struct front *front, fuse_ino_t node, const struct fuse_file_info *fi)
{
	int err;

	if (!front_handle_writes(fi))
		return 0;
	err = -(int)marks_drop(front->refused, node);
	return err == -ENOSPC && has_room(front) ? 0 : err;
}

void refused_drop(struct front *front, fuse_ino_t node, const struct fuse_file_info *fi)
{
	if (front_handle_writes(fi))
		marks_drop(front->refused, node);
}
