/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/sign.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "audit/strict.h"
#include "base/cleanup.h"
#include "base/i18n.h"
#include "cli/outfile.h"
#include "cli/sign-token.h"

enum { CERTIFICATE_MAX = 16 * 1024 };

struct bytes {
	const uint8_t *data;
	size_t len;
};

static int put_bytes(void *ctx, FILE *out)
{
	const struct bytes *bytes = ctx;

	return fwrite(bytes->data, 1, bytes->len, out) == bytes->len ? 0 : -EIO;
}

static char *signature_path(const char *path)
{
	char *name;

	return asprintf(&name, "%s.p7s", path) < 0 ? NULL : name;
}

bool sign_option(int option, struct sign_args *args)
{
	switch (option) {
	case SIGN_KEY:
		args->key = optarg;
		return true;
	case SIGN_CERT:
		args->cert = optarg;
		return true;
	default:
		return cli_token_option(option, &args->token);
	}
}

bool sign_wanted(const struct sign_args *args)
{
	return args->key || args->cert;
}

bool sign_complete(const struct sign_args *args)
{
	return args->key && (args->cert || sign_token_wanted(args));
}

/* der: room for the certificate of a token. */
static int find_identity(const struct sign_args *args, uint8_t *der, size_t room, struct cms_identity *ret_identity,
	struct diag *diag)
{
	struct cms_identity identity = {.key_path = args->key, .cert_path = args->cert};

	if (sign_token_wanted(args)) {
		identity.key_path = NULL;
		identity.sign = sign_token_sign;
		identity.ctx = (void *)(uintptr_t)args;
	}
	if (!args->cert) {
		int r = sign_token_certificate(args, der, room, &identity.cert_der_len, diag);

		if (r < 0)
			return r;
		identity.cert_der = der;
	}
	*ret_identity = identity;
	return 0;
}

int sign_check(const struct sign_args *args, struct diag *diag)
{
	uint8_t der[CERTIFICATE_MAX];
	struct cms_identity identity;
	int r = sign_wanted(args) ? find_identity(args, der, sizeof(der), &identity, diag) : 0;

	return r == 0 && sign_wanted(args) ? cms_check_identity(&identity, diag) : r;
}

int sign_file(const char *path, const struct sign_args *args, const char *output, struct diag *diag)
{
	CLEANUP_FREE char *text = NULL;
	CLEANUP_FREE char *beside = NULL;
	CLEANUP_FREE uint8_t *der = NULL;
	uint8_t certificate[CERTIFICATE_MAX];
	struct cms_identity identity;
	size_t len, der_len;
	int r = strict_read_file(path, SIZE_MAX / 4, &text, &len);

	if (r == 0)
		r = find_identity(args, certificate, sizeof(certificate), &identity, diag);
	if (r == 0)
		r = cms_sign(text, len, &identity, &der, &der_len, diag);
	if (r == 0 && !output)
		output = beside = signature_path(path);
	if (r == 0) {
		struct bytes bytes = {der, der_len};

		r = output ? outfile_write(output, true, put_bytes, &bytes, diag) : -ENOMEM;
	}
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
