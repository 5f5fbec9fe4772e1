/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The certificate of an erasure, with the fields of NIST SP 800-88 revision 1, section 4.8: JSON for
 * programs, and a page to print, complete by hand and sign.
 */
#ifndef CLI_CERTIFICATE_H
#define CLI_CERTIFICATE_H

#include <time.h>

#include "cli/newfile.h"
#include "kernel-shim/discover.h"
#include "keymgr/luks2-erase.h"

enum { CERTIFICATE_CIPHER_BYTES = 64 };

struct certificate {
	const struct drive *drive; /* what holds the data */
	bool is_file;
	const char *header_path; /* NULL: the header was on the drive */
	/* Copied from the header before it was erased. */
	unsigned version;
	char label[48], uuid[40], cipher[CERTIFICATE_CIPHER_BYTES];
	unsigned key_bits, keyslots, tokens;
	int slot; /* the only keyslot that was erased; -1: everything */
	struct luks2_erasure erasure;
	time_t started, ended;
};

/* Fills what the header says. */
void certificate_header(struct certificate *certificate, const struct luks2 *hdr);

/* The two files: FILE and, with .html instead of .json or in addition to what it ends with, the page. */
struct certificate_files {
	struct newfile json, page;
};
#define CERTIFICATE_FILES_NONE {NEWFILE_NONE, NEWFILE_NONE}

/* Makes both, empty. */
int certificate_open(const char *path, struct certificate_files *ret_files, struct diag *diag) MUST_CHECK;
int certificate_write(const struct certificate *certificate, struct certificate_files *files,
	struct diag *diag) MUST_CHECK;
/* Removes what was not written. */
void certificate_discard(struct certificate_files *files);

/* What it means on flash memory, translated. */
const char *certificate_limits(void);

#endif
