/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What `info` knows of a drive. */
#ifndef CLI_INFO_H
#define CLI_INFO_H

#include "keymgr/luks2.h"

struct info {
	const char *path;
	uint64_t size_bytes;
	const struct luks2 *hdr;
	int usable; /* what luks2_check_usable() says */
	struct diag why_not;
};

struct jsonout;
/* One key slot, as an element of an array. */
void info_json_keyslot(struct jsonout *out, const struct luks2 *hdr, const struct luks2_keyslot *slot);

/*
 * "needs 1 GiB of free memory and about 2 s on this computer; not on one in FIPS mode", translated; the
 * caller frees. NULL: nothing can be said. Takes a fraction of a second.
 */
char *info_portability(const struct luks2_keyslot *slot);

/* As described in docs/JSON.md. */
void info_print_json(const struct info *info);

#endif
