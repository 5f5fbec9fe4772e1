/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "keymgr/luks2-backup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/i18n.h"
#include "keymgr/luks1.h"
#include "keymgr/luks2-disk.h"
#include "keymgr/luks2-examine.h"
#include "keymgr/luks2-json.h"

enum { CHUNK_BYTES = 1024 * 1024, LUKS1_FIRST_BYTES = 4096 };

/* What is copied before the header itself. */
static uint64_t keyslots_start(const struct luks2 *hdr)
{
	return hdr->version == 1 ? LUKS1_FIRST_BYTES : 2 * hdr->hdr_bytes;
}

static int copy_keyslots(struct blkdev *dev, const struct luks2 *hdr, struct blkdev *file)
{
	CLEANUP_FREE uint8_t *chunk = malloc(CHUNK_BYTES);
	uint64_t end = luks2_areas_bytes(hdr);
	int r = chunk ? 0 : -ENOMEM;

	for (uint64_t at = keyslots_start(hdr), len; !r && at < end; at += len) {
		len = min_u64(end - at, CHUNK_BYTES);
		r = blkdev_read(dev, chunk, len, at);
		if (!r)
			r = blkdev_write_clobber(file, chunk, len, at);
	}
	return r ? r : blkdev_flush(file);
}

static bool same_header(const struct luks2 *a, const struct luks2 *b)
{
	return a->version == b->version && a->hdr_bytes == b->hdr_bytes && a->seqid == b->seqid &&
	       !strcmp(a->label, b->label) && !strcmp(a->subsystem, b->subsystem) &&
	       !strcmp(a->uuid, b->uuid) && (a->version == 1 || json_equal(a->json, b->json));
}

static int copy_luks1_header(struct blkdev *dev, struct blkdev *file)
{
	uint8_t first[LUKS1_FIRST_BYTES];
	int r = blkdev_read(dev, first, sizeof(first), 0);

	if (!r)
		r = blkdev_write(file, first, sizeof(first), 0);
	return r ? r : blkdev_flush(file);
}

static int copy_headers(struct blkdev *dev, const struct luks2 *hdr, struct blkdev *file)
{
	CLEANUP_LUKS2_COPY struct luks2_copy copy = {0};
	bool primary = hdr->copies[0] == LUKS2_COPY_OK;
	int r = luks2_disk_read(dev, primary ? 0 : hdr->hdr_bytes, &copy);

	if (!r)
		r = luks2_disk_write(file, &copy, true);
	return r ? r : luks2_disk_write(file, &copy, false);
}

static int compare_keyslots(struct blkdev *dev, const struct luks2 *hdr, struct blkdev *file,
	struct diag *diag)
{
	CLEANUP_FREE uint8_t *ours = malloc(CHUNK_BYTES), *theirs = malloc(CHUNK_BYTES);
	uint64_t end = luks2_areas_bytes(hdr);
	int r = ours && theirs ? 0 : -ENOMEM;

	for (uint64_t at = hdr->version == 1 ? 0 : 2 * hdr->hdr_bytes, len; !r && at < end; at += len) {
		len = min_u64(end - at, CHUNK_BYTES);
		r = blkdev_read(dev, ours, len, at);
		if (!r)
			r = blkdev_read(file, theirs, len, at);
		if (!r && memcmp(ours, theirs, len))
			r = diag_set(diag, -EIO, _("the backup reads otherwise than it was written"));
	}
	return r;
}

static int verify(struct blkdev *dev, const struct luks2 *hdr, struct blkdev *file,
	struct diag *diag)
{
	CLEANUP_LUKS2 struct luks2 *now = NULL, *saved = NULL;
	int r = blkdev_refresh(file, luks2_areas_bytes(hdr), 0);

	if (!r)
		r = luks2_load(dev, LUKS2_FOREIGN_OK, &now, diag);
	if (r)
		return r;
	if (!same_header(now, hdr))
		return diag_set(diag, -SDE_BUSY, _("its header was changed meanwhile"));
	r = luks2_load(file, LUKS2_FOREIGN_OK, &saved, diag);
	if (!r && (!same_header(saved, hdr) || saved->copies[0] != LUKS2_COPY_OK ||
			  saved->copies[1] != LUKS2_COPY_OK))
		r = diag_set(diag, -EIO, _("the backup reads otherwise than it was written"));
	return r ? r : compare_keyslots(dev, hdr, file, diag);
}

int luks2_backup(
	struct blkdev *dev, const struct luks2 *hdr, struct blkdev *file, struct diag *diag)
{
	if (hdr->version == 1)
		return luks1_backup(dev, hdr, file, diag);
	int r = copy_keyslots(dev, hdr, file);

	if (!r)
		r = hdr->version == 1 ? copy_luks1_header(dev, file) : copy_headers(dev, hdr, file);
	return r ? r : verify(dev, hdr, file, diag);
}
