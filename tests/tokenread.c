/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is wrong with token objects, for tests/token-hostile.sh: tokenread FILE... prints for each the file's name and the field
 * that is refused, "uri" for a PKCS #11 URI, "-" when it could be used, "?" for a type that gives nothing to ask.
 */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "keymgr/both.h"
#include "tests/dev/tokenheader.h"
#include "token/pkcs11-uri.h"

/* The name between the first two ' of a message. */
static void field_of(const struct diag *diag, char out[64])
{
	const char *from = strchr(diag->detail, '\''), *to = from ? strchr(from + 1, '\'') : NULL;

	snprintf(out, 64, "%.*s", to ? (int)(to - from - 1) : 7, to ? from + 1 : "unnamed");
}

static int check_uri(const char *text)
{
	CLEANUP_PKCS11_URI P11KitUri *uri = NULL;

	return pkcs11_uri_parse(text, &uri, NULL);
}

static void read_one(const struct luks2 *hdr, char out[64])
{
	const char *type = hdr->tokens[0].type;
	struct token_pkcs11 pkcs11 = {0};
	struct token_fido2 fido2;
	struct both both;
	struct diag diag = {0};
	bool card = true;
	int r;

	if (strcmp(type, BOTH_TYPE) == 0) {
		r = both_read(hdr, 0, &both, &diag);
		card = r == 0 && both.parts[0].kind == TOKEN_PKCS11;
		if (card)
			pkcs11 = both.parts[0].pkcs11;
	} else if (token_kind(type) == TOKEN_PKCS11) {
		r = token_read_pkcs11(hdr, 0, &pkcs11, &diag);
	} else if (token_kind(type) == TOKEN_FIDO2) {
		r = token_read_fido2(hdr, 0, &fido2, &diag);
		card = false;
	} else {
		strcpy(out, "?");
		return;
	}
	if (r < 0)
		field_of(&diag, out);
	else
		strcpy(out, card && check_uri(pkcs11.uri) < 0 ? "uri" : "-");
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		json_t *token = json_load_file(argv[i], JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
		struct luks2 *hdr = token ? tokenheader_new(token) : NULL;
		char out[64];

		if (!hdr)
			return 2;
		read_one(hdr, out);
		printf("%s %s\n", strrchr(argv[i], '/') + 1, out);
		tokenheader_free(hdr);
		json_decref(token);
	}
	return 0;
}
