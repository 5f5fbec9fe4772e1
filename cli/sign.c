/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/sign.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "audit/strict.h"
#include "base/cleanup.h"
#include "base/i18n.h"

/* Replaced as a whole, or not at all. */
static int write_whole(const char *path, const uint8_t *data, size_t len)
{
	CLEANUP_FREE char *temp = NULL;
	FILE *out;
	int r = 0;

	if (asprintf(&temp, "%s.new", path) < 0)
		return -ENOMEM;
	out = fopen(temp, "we");
	if (!out)
		return -errno;
	if (fwrite(data, 1, len, out) != len || fflush(out) != 0 || fsync(fileno(out)) < 0)
		r = errno ? -errno : -EIO;
	if (fclose(out) != 0 && r == 0)
		r = -errno;
	if (r == 0 && rename(temp, path) < 0)
		r = -errno;
	if (r < 0)
		unlink(temp);
	return r;
}

static char *signature_path(const char *path)
{
	char *name;

	return asprintf(&name, "%s.p7s", path) < 0 ? NULL : name;
}

int sign_file(const char *path, const char *key, const char *cert, const char *output, struct diag *diag)
{
	CLEANUP_FREE char *text = NULL;
	CLEANUP_FREE char *beside = NULL;
	CLEANUP_FREE uint8_t *der = NULL;
	size_t len, der_len;
	int r = strict_read_file(path, STRICT_BYTES_MAX, &text, &len);

	if (r == 0)
		r = cms_sign(text, len, key, cert, &der, &der_len, diag);
	if (r == 0 && !output)
		output = beside = signature_path(path);
	if (r == 0)
		r = output ? write_whole(output, der, der_len) : -ENOMEM;
	return r;
}

int verify_file(const char *path, const char *signature, const char *trust, struct cms_signer *ret_signer,
	char **ret_text, size_t *ret_len, struct diag *diag)
{
	CLEANUP_FREE char *text = NULL;
	CLEANUP_FREE char *der = NULL;
	CLEANUP_FREE char *beside = NULL;
	size_t len, der_len;
	int r = strict_read_file(path, STRICT_BYTES_MAX, &text, &len);

	if (r < 0)
		return r;
	if (!signature)
		signature = beside = signature_path(path);
	if (!signature)
		return -ENOMEM;
	r = strict_read_file(signature, CMS_BYTES_MAX, &der, &der_len);
	if (r == -ENOENT)
		return diag_set(diag, -SDE_SIGNATURE, _("there is no signature: %s"), signature);
	if (r == 0)
		r = cms_verify(text, len, (const uint8_t *)der, der_len, trust, ret_signer, diag);
	if (r == 0 && ret_text) {
		*ret_text = take_ptr(text);
		*ret_len = len;
	}
	return r;
}
