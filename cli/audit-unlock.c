/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/audit-unlock.h"

#include <errno.h>

#include "base/i18n.h"
#include "ext4/ext4.h"
#include "kernel-shim/cryptdev.h"
#include "kernel-shim/filedev.h"

/* 1 clean, 0 not, -1 unknown. Takes the device. */
static int look_inside(struct blkdev **dev, const struct luks2 *hdr, const struct secret *key)
{
	const struct luks2_segment *segment = luks2_data_segment(hdr);
	struct cryptdev_params params = {
		.cipher = segment->cipher,
		.sector_bytes = segment->sector_bytes,
		.iv_offset = segment->iv_tweak,
		.offset_bytes = segment->offset,
		.size_bytes = segment->size,
		.read_only = true,
	};
	CLEANUP_BLKDEV struct blkdev *plain = NULL;
	struct e4_peek peek;

	if (cryptdev_open(*dev, &params, key, &plain, NULL) < 0)
		return -1;
	*dev = NULL;
	return e4_peek(plain, &peek) < 0 ? -1 : !peek.needs_recovery;
}

struct unlocking {
	struct facts *facts;
	const struct secret *fingerprint_key; /* NULL: none */
};

static int unlock_one(void *ctx, const struct secret *passphrase, int slot, struct diag *diag)
{
	const struct unlocking *unlocking = ctx;
	struct facts *facts = unlocking->facts;
	CLEANUP_BLKDEV struct blkdev *dev = NULL;
	CLEANUP_SECRET struct secret *key = NULL;
	int r = filedev_open(facts->target, FILEDEV_NO_LOCK, 0, &dev, diag);

	if (r == 0)
		r = luks2_unlock(facts->hdr, dev, passphrase, slot, &key, NULL, diag);
	if (r == 0 || r == -SDE_WEAK_KEY) {
		int err = facts_add_key(facts, key, r == -SDE_WEAK_KEY, unlocking->fingerprint_key);

		if (err < 0)
			return err;
	}
	if (r == 0 && facts->kind != FACTS_HEADER && luks2_check_usable(facts->hdr, dev->size_bytes, NULL) == 0)
		facts->unlocked.clean = look_inside(&dev, facts->hdr, key);
	return r == -SDE_WEAK_KEY ? 0 : r;
}

int audit_unlock(struct facts *const *facts, size_t count, const struct cli_passphrase_source *source,
	const struct secret *fingerprint_key, size_t *ret_changed, const char **ret_failed, struct diag *diag)
{
	CLEANUP_SECRET struct secret *passphrase = NULL;
	int r;

	*ret_failed = NULL;
	*ret_changed = 0;
	r = source->token.wanted ? 0 : cli_read_passphrase(source, NULL, false, &passphrase, diag);
	for (size_t i = 0; r == 0 && i < count; i++) {
		struct unlocking unlocking = {facts[i], fingerprint_key};
		struct diag why = {0};
		int err;

		/* known already: from a file of facts, which says nothing about where the drive is now */
		if (!facts[i]->hdr || facts[i]->unlocked.known || !facts[i]->device.known)
			continue;
		if (source->token.wanted)
			err = cli_unlock(source, facts[i]->target, facts[i]->hdr, -1, unlock_one, &unlocking, &why);
		else
			err = source->key_file ? unlock_one(&unlocking, passphrase, -1, &why)
					       : cli_unlock_forms(passphrase, unlock_one, &unlocking, &why);
		if (err < 0)
			cli_warn(facts[i]->target, _("not unlocked: %s"), error_text(err));
		*ret_changed += err == -SDE_HEADER_SEAL;
	}
	return r;
}
