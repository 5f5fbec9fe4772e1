/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Changing a LUKS2 header that is in use: key slots, tokens. See luks2-update.c for what holds when
 * power fails.
 *
 *	luks2_update_begin(dev, seen, &update, diag);	locked, read again, compared
 *	luks2_keyslot_add(update, ...);			any number of changes, to memory and unused areas
 *	luks2_update_commit(update, volume_key, diag);	on the medium; more changes may follow
 *	luks2_update_end(update);			unlocked; what was not committed is forgotten
 *
 * What takes long (a passphrase, a key derivation) comes before begin: others wait.
 */
#ifndef KEYMGR_LUKS2_UPDATE_H
#define KEYMGR_LUKS2_UPDATE_H

#include "keymgr/luks2.h"

struct luks2_update;

/*
 * Whether we know enough of the header to change it: no requirement that we do not know, no
 * re-encryption under way, one data segment under a cipher that we use. The data need not be
 * there (a header file, a backup). -SDE_LUKS1, -SDE_REQUIREMENT, -SDE_CIPHER, -SDE_HEADER_INVALID.
 */
int luks2_check_changeable(const struct luks2 *hdr, struct diag *diag) MUST_CHECK;

/*
 * Locks dev against all others that change headers, and reads the header again. seen: what the
 * caller has read before and acts on; -SDE_HEADER_CHANGED when that is not what is there now. NULL:
 * whatever is there. Also -SDE_BUSY, -EROFS, and all of luks2_load() and luks2_check_changeable().
 */
int luks2_update_begin(struct blkdev *dev, const struct luks2 *seen, struct luks2_update **ret_update,
	struct diag *diag) MUST_CHECK;
/* NULL is fine. */
void luks2_update_end(struct luks2_update *update);

static inline void cleanup_luks2_update(struct luks2_update **update)
{
	luks2_update_end(*update);
}
#define CLEANUP_LUKS2_UPDATE CLEANUP(cleanup_luks2_update)

/* The header as changed so far. Valid until the next change. */
const struct luks2 *luks2_update_header(const struct luks2_update *update);
struct blkdev *luks2_update_dev(const struct luks2_update *update);

/*
 * Writes what was changed, flushes, reads it back, and then destroys the key material that the header
 * does not name any more. volume_key is checked against the header's digest; NULL when the caller
 * does not have it: then a seal is not renewed, and is wrong if anything was changed. With nothing
 * changed, a seal that was wrong is made right. After an error the update can only be ended; the medium holds the header as it
 * was, or as it should be, or (repaired by the next load) one copy of each.
 * -SDE_HEADER_FULL, -SDE_HEADER_CHANGED, -SDE_PASSPHRASE (not the volume key), I/O errors.
 */
int luks2_update_commit(struct luks2_update *update, const struct secret *volume_key,
	struct diag *diag) MUST_CHECK;

/* ---- key slots ---- */

struct luks2_keyslot_params {
	struct luks2_kdf kdf; /* costs that are 0 are measured; salt is made */
	bool kdf_default;     /* argon2id, everything measured */
	uint32_t iter_time_ms; /* 0: 2000 */
	uint64_t weakest_bytes; /* memory of the weakest computer that shall open it; 0: 4 GiB */
	enum luks2_priority priority;
};

/* A key slot that is not on any drive yet. */
struct luks2_new_keyslot;

/*
 * Measures and derives: slow, needs no lock. hdr gives ciphers and sizes. -SDE_USAGE (costs outside of
 * the limits), -SDE_KDF_MEMORY, ...
 */
int luks2_keyslot_prepare(const struct luks2 *hdr, const struct luks2_keyslot_params *params,
	const struct secret *passphrase, struct luks2_new_keyslot **ret_slot, struct diag *diag) MUST_CHECK;
void luks2_new_keyslot_free(struct luks2_new_keyslot *slot);

static inline void cleanup_luks2_new_keyslot(struct luks2_new_keyslot **slot)
{
	luks2_new_keyslot_free(*slot);
}
#define CLEANUP_LUKS2_NEW_KEYSLOT CLEANUP(cleanup_luks2_new_keyslot)

/*
 * Writes the volume key into a free area, flushes, reads it back and unlocks it with passphrase (the
 * one it was prepared with); then names it in the header. id -1: the first free number.
 * -SDE_SLOT: the number is taken or none is free; -SDE_HEADER_FULL: no area is free.
 */
int luks2_keyslot_add(struct luks2_update *update, const struct luks2_new_keyslot *slot,
	const struct secret *passphrase, const struct secret *volume_key, int id, int *ret_id,
	struct diag *diag) MUST_CHECK;
/* The same in the place of key slot id, whose number, priority and tokens it takes over: until commit
 * the old one opens the drive, from then on the new one, and at no moment neither. */
int luks2_keyslot_replace(struct luks2_update *update, int id, const struct luks2_new_keyslot *slot,
	const struct secret *passphrase, const struct secret *volume_key, struct diag *diag) MUST_CHECK;
/* Tokens that name it stay, without it. Whether it is the last one is the caller's question. */
int luks2_keyslot_remove(struct luks2_update *update, int id, struct diag *diag) MUST_CHECK;
int luks2_keyslot_set_priority(
	struct luks2_update *update, int id, enum luks2_priority priority, struct diag *diag) MUST_CHECK;

const struct luks2_keyslot *luks2_keyslot_by_id(const struct luks2 *hdr, int id);
/* The slot opens the data with a passphrase (whatever its priority says). */
bool luks2_keyslot_opens(const struct luks2 *hdr, const struct luks2_keyslot *slot);
/* How many key slots outside of `except` (bits) do so by themselves. Those whose area on dev cannot be read, or holds what
 * no key slot does, are not counted; what has become of passphrases, tokens and shares nobody can tell. */
int luks2_keyslots_opening(const struct luks2 *hdr, struct blkdev *dev, uint32_t except);
/* Whether a slot of this number can be added (-1: of any), or is there. -SDE_SLOT. */
int luks2_keyslot_check_free(const struct luks2 *hdr, int id, struct diag *diag) MUST_CHECK;
int luks2_keyslot_check_used(const struct luks2 *hdr, int id, struct diag *diag) MUST_CHECK;
/* How many more the header has numbers and areas for. */
int luks2_keyslots_room(const struct luks2 *hdr);

/* ---- tokens ---- */

/*
 * Adds a token (id -1: the first free number) or puts it in the place of token id. text is one JSON
 * object with the members type and keyslots. -SDE_USAGE: it is not; -SDE_HEADER_FULL: all numbers are taken; -SDE_SLOT.
 */
int luks2_token_put(struct luks2_update *update, int id, const char *text, int *ret_id,
	struct diag *diag) MUST_CHECK;
int luks2_token_remove(struct luks2_update *update, int id, struct diag *diag) MUST_CHECK;
/* The token's JSON text; the caller frees. -SDE_SLOT. */
int luks2_token_text(const struct luks2 *hdr, int id, char **ret_text) MUST_CHECK;

#endif
