/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/audit-unlock.h"

#include <errno.h>

#include "base/i18n.h"
#include "cli/event.h"
#include "keymgr/luks2-seal.h"
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
	return e4_peek(plain, &peek) < 0 ? -1 : !peek.needs_recovery && peek.size_bytes <= plain->size_bytes;
}

struct unlocking {
	struct facts *facts;
	const struct secret *fingerprint_key; /* NULL: none */
};

static bool seal_broken(const struct facts *facts)
{
	const struct facts_unlocked *found = &facts->unlocked;

	return found->seal_known && (found->seal == LUKS2_SEAL_BROKEN || found->seal == LUKS2_SEAL_REMOVED);
}

static int unlock_one(void *ctx, const struct secret *passphrase, int slot, struct diag *diag)
{
	const struct unlocking *unlocking = ctx;
	struct facts *facts = unlocking->facts;
	CLEANUP_BLKDEV struct blkdev *dev = NULL;
	CLEANUP_SECRET struct secret *key = NULL;
	int r = filedev_open(facts->target, FILEDEV_NO_LOCK, 0, &dev, diag);

	/* a broken seal is a finding here, and no reason to stop */
	facts->hdr->accept_change = true;

	if (r == 0)
		r = luks2_unlock(facts->hdr, dev, passphrase, slot, &key, NULL, diag);
	if (r == 0 || r == -SDE_WEAK_KEY) {
		int err = facts_add_key(facts, key, r == -SDE_WEAK_KEY, unlocking->fingerprint_key);

		if (err < 0)
			return err;
	}
	/* whoever has changed the header may have said where the file system is */
	if (r == 0 && !seal_broken(facts) && facts->kind != FACTS_HEADER && luks2_check_usable(facts->hdr, dev->size_bytes, NULL) == 0)
		facts->unlocked.clean = look_inside(&dev, facts->hdr, key);
	return r == -SDE_WEAK_KEY ? 0 : r;
}

/*
 * Of saved facts, target says where a drive was, on some computer: what is there now may be another one, and whoever
 * made the file could have a PIN tried on what he likes.
 */
static bool can_unlock(const struct facts *facts)
{
	return !facts->saved && facts->hdr && facts->device.known;
}

/* What is asked for each drive: tokens enrolled for it, shares of its keys. */
static bool is_each(const struct cli_passphrase_source *source)
{
	return source->token.wanted || source->shares.count > 0;
}

static void unlock_drive(struct facts *facts, const struct cli_passphrase_source *source, const struct secret *passphrase,
	const struct secret *fingerprint_key)
{
	struct unlocking unlocking = {facts, fingerprint_key};
	struct diag why = {0};
	int err;

	if (is_each(source))
		err = cli_unlock(source, facts->target, facts->hdr, -1, unlock_one, &unlocking, &why);
	else
		err = source->key_file ? unlock_one(&unlocking, passphrase, -1, &why)
				       : cli_unlock_forms(passphrase, unlock_one, &unlocking, &why);
	if (err < 0) {
		cli_warn(facts->target, _("not unlocked: %s"), error_text(err));
		cli_event("unlock", facts->target, facts->hdr->uuid, err, NULL);
	}
	if (err == 0 && seal_broken(facts))
		cli_warn(facts->target, "%s: %s", error_text(-SDE_HEADER_SEAL),
			facts->unlocked.changed ? facts->unlocked.changed : "?");
}

int audit_unlock(struct facts *const *facts, size_t count, const struct cli_passphrase_source *source,
	const struct secret *fingerprint_key, struct diag *diag)
{
	CLEANUP_SECRET struct secret *passphrase = NULL;
	size_t can = 0, saved = 0;
	int r = 0;

	for (size_t i = 0; i < count; i++) {
		can += can_unlock(facts[i]);
		saved += facts[i]->saved && !facts[i]->unlocked.known;
	}
	if (saved)
		cli_warn(NULL, _("saved facts are not unlocked: give the drives themselves for the checks U-01 to U-04 and U-06"));
	if (can && !is_each(source))
		r = cli_read_passphrase(source, NULL, false, &passphrase, diag);
	for (size_t i = 0; r == 0 && i < count; i++)
		if (can_unlock(facts[i]))
			unlock_drive(facts[i], source, passphrase, fingerprint_key);
	return r;
}
