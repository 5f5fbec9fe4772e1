/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Security keys with the hmac-secret extension (CTAP 2.0 section 9.1, through libfido2), used as
 * systemd-cryptenroll uses them: the passphrase of a key slot is base64 of the 32 bytes that the key
 * makes of the header's salt. In a helper process only.
 */
#ifndef TOKEN_FIDO2_H
#define TOKEN_FIDO2_H

#include <fido.h>

#include "keymgr/token.h"
#include "token/ui.h"

enum { FIDO2_DEVICES_MAX = 16, FIDO2_NAME_MAX = 128 };

struct fido2_device {
	fido_dev_t *dev; /* open */
	char name[FIDO2_NAME_MAX]; /* maker and product, safe to show */
};

/* Opens what is plugged in; returns the number. Another implementation stands in for it in tests. */
size_t fido2_devices_open(struct fido2_device devices[FIDO2_DEVICES_MAX]);
void fido2_devices_close(struct fido2_device *devices, size_t count);

/*
 * The first of tokens whose credential is on a key that is plugged in. -SDE_NO_TOKEN: on none.
 * -SDE_PIN, -SDE_PIN_LOCKED, -SDE_CANCELLED (not touched in time), -SDE_TOKEN.
 */
int fido2_unlock(const struct token_fido2 *tokens, size_t count, const struct token_ui *ui,
	size_t *ret_index, struct secret **ret_passphrase, struct diag *diag) MUST_CHECK;

struct fido2_params {
	bool no_pin, no_touch; /* default: both are demanded, where the key has them */
	bool verification;     /* fingerprint or the like */
	const struct token_fido2 *const *others; /* not the keys that have these credentials */
	size_t other_count;
	const char *user;      /* UUID of the drive */
	const char *drive;     /* what the key may show */
};

struct fido2_enrolled {
	struct token_fido2 token;
	char name[FIDO2_NAME_MAX];
};

/* Makes a credential on the one key that is plugged in, and a first passphrase with it. */
int fido2_enroll(const struct fido2_params *params, const struct token_ui *ui,
	struct fido2_enrolled *ret_enrolled, struct secret **ret_passphrase, struct diag *diag) MUST_CHECK;

/* After it came from another process: lengths and ends of texts are inside of the arrays, choices are among those
 * that there are. */
bool fido2_enrolled_valid(const struct fido2_enrolled *enrolled);

#endif
