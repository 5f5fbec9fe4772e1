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

/* As described in docs/JSON.md. */
void info_print_json(const struct info *info);

#endif
