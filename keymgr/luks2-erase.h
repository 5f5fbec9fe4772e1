/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Destroying a header with all its keyslots, so that nothing opens the data any more: cryptographic
 * erase as NIST SP 800-88 has it (Clear; what a drive's flash keeps elsewhere is beyond it).
 */
#ifndef KEYMGR_LUKS2_ERASE_H
#define KEYMGR_LUKS2_ERASE_H

#include "base/blkdev.h"
#include "keymgr/luks2.h"

struct luks2_erasure {
	uint64_t bytes; /* overwritten with random bytes, from the start of the device */
	bool discarded; /* and then discarded: given back to the drive's firmware or the file's host */
};

/* How much luks2_erase() would overwrite: everything before the data, but not more than there can
 * be of headers and keyslots. */
uint64_t luks2_erase_bytes(const struct luks2 *hdr, const struct blkdev *dev);
/*
 * hdr, of either version, was loaded from dev, which nobody else uses. Keyslots go first, so that
 * what was interrupted can be found and repeated. All is read back after a flush; at the end no header
 * is found any more. -EIO when something else is read, I/O errors: then it is not erased.
 */
int luks2_erase(struct blkdev *dev, const struct luks2 *hdr, struct luks2_erasure *ret_erasure,
	struct diag *diag) MUST_CHECK;

/*
 * Destroys one keyslot, whose id is in hdr, in the same way; the others stay. volume_key is that of
 * the volume. Whether something still opens it then is the caller's question.
 */
int luks2_erase_keyslot(struct blkdev *dev, const struct luks2 *hdr, int id,
	const struct secret *volume_key, struct diag *diag) MUST_CHECK;

#endif
