/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A volume that was left with a journal in use. It happens while the volume is being opened: what was
 * read so far may be older than the journal, and must be read again afterwards.
 */
#include "ext4/recovery.h"

#include <errno.h>

#include "base/i18n.h"
#include "ext4/group.h"

static int recover_dirty(struct e4_fs *fs, struct journal *j, struct diag *diag)
{
	struct replay replay;
	int r = replay_read(j, &replay, diag);

	if (r < 0)
		return r;
	if (fs->read_only)
		r = replaydev_new(fs->dev, fs->block_bytes, &replay, &fs->replayed);
	else
		r = replay_write(j, &replay);
	replay_free(&replay);
	return r;
}

int recovery_run(struct e4_fs *fs, struct diag *diag)
{
	struct journal *j;
	int r = journal_open(fs, &j, diag);

	if (r < 0)
		return r;
	fs->journal_error = j->format.error != 0;
	if (journal_is_dirty(j))
		r = recover_dirty(fs, j, diag);
	else if (fs->super_doubtful)
		r = diag_set(diag, -SDE_FS_DAMAGED, _("wrong checksum of the super block"));
	journal_close(j);
	if (r == 0)
		fs->recovered = true;
	return r;
}

int recovery_count_free(struct e4_fs *fs)
{
	uint64_t blocks = 0, inodes = 0;

	for (uint32_t i = 0; i < fs->group_count; i++) {
		struct group_desc desc;
		int r = group_desc_load(fs, i, &desc);

		if (r < 0)
			return r;
		blocks += desc.free_blocks;
		inodes += desc.free_inodes;
	}
	atomic_store(&fs->free_blocks, blocks);
	atomic_store(&fs->free_inodes, (uint32_t)inodes);
	return 0;
}
