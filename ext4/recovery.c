/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A volume that was left with a journal in use. It happens while the volume is being opened: what was
 * read so far may be older than the journal, and must be read again afterwards.
 */
#include "ext4/recovery.h"

#include <errno.h>

#include "base/i18n.h"

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
