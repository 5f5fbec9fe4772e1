/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libFuzzer on what a header says of tokens, and on shares: `make fuzz-token && ./fuzz-token CORPUS-DIR` (clang).
 * tests/token-hostile.sh runs the same function on a corpus without libFuzzer.
 *
 * An input is the JSON text of one token object, or of a share for a token; if it is no JSON, it is read as a share. What is read is within its
 * limits, and the same when it is written and read again.
 */
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "kernel-shim/cryptdev.h"
#include "keymgr/both.h"
#include "keymgr/custody.h"
#include "keymgr/luks2-json.h"
#include "keymgr/share-file.h"
#include "keymgr/share-set.h"
#include "keymgr/share-wrapped.h"
#include "tests/dev/tokenheader.h"
#include "token/pkcs11-uri.h"

enum { SLOT = TOKENHEADER_SLOT };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand_true(bool condition)
{
	if (!condition)
		abort();
}

static void try_uri(const char *text)
{
	CLEANUP_PKCS11_URI P11KitUri *uri = NULL;
	struct diag diag = {0};

	/* what could name a PIN, a file or a module is refused, whatever p11-kit makes of it */
	if (pkcs11_uri_parse(text, &uri, &diag) == 0)
		demand_true(!p11_kit_uri_get_pin_value(uri) && !p11_kit_uri_get_pin_source(uri) &&
			    !p11_kit_uri_get_module_name(uri) && !p11_kit_uri_get_module_path(uri));
}

static void try_again(char *text, const struct luks2 *before);

/* write: the first time; what is read the second time must be the same. */
static void try_readers(const struct luks2 *hdr, bool write)
{
	struct token_pkcs11 pkcs11;
	struct token_fido2 fido2;
	struct share_set set;
	struct custody custody;
	struct both both;
	struct diag diag = {0};
	char *text = NULL;
	int slot;
	bool any;

	if (token_read_pkcs11(hdr, 0, &pkcs11, &diag) == 0) {
		demand_true(pkcs11.wrapped_len > 0 && pkcs11.wrapped_len <= sizeof(pkcs11.wrapped) &&
			    memchr(pkcs11.uri, 0, sizeof(pkcs11.uri)));
		try_uri(pkcs11.uri);
		if (write && token_write_pkcs11(&pkcs11, SLOT, &text) == 0)
			try_again(text, hdr);
	}
	if (token_read_fido2(hdr, 0, &fido2, &diag) == 0) {
		demand_true(fido2.credential_len > 0 && fido2.credential_len <= sizeof(fido2.credential) &&
			    memchr(fido2.rp, 0, sizeof(fido2.rp)) && fido2.rp[0]);
		if (write && token_write_fido2(&fido2, SLOT, &text) == 0)
			try_again(text, hdr);
	}
	if (both_read(hdr, 0, &both, &diag) == 0 && write && both_write(&both, SLOT, &text) == 0)
		try_again(text, hdr);
	demand_true(share_set_of_keyslot(hdr, SLOT, &set) == share_set_read(hdr, 0, &set));
	if (share_set_read(hdr, 0, &set)) {
		demand_true(set.threshold >= 2 && set.threshold <= set.count && set.count <= SHAMIR_SHARES_MAX &&
			    share_set_find(hdr, set.set, &set, &slot, &any) && slot == SLOT && any &&
			    (!set.made[0] || text_is_date(set.made)));
		if (write && share_set_write(&set, SLOT, &text) == 0)
			try_again(text, hdr);
	}
	if (custody_of_keyslot(hdr, SLOT, &custody))
		demand_true(memchr(custody.owner, 0, sizeof(custody.owner)) &&
			    memchr(custody.serial, 0, sizeof(custody.serial)) &&
			    memchr(custody.label, 0, sizeof(custody.label)) &&
			    (!custody.expires[0] || text_is_date(custody.expires)));
}

static bool equal(const struct luks2 *a, const struct luks2 *b)
{
	struct token_pkcs11 pkcs11[2] = {0};
	struct token_fido2 fido2[2] = {0};
	struct share_set set[2] = {0};

	/* field by field: bytes between them may be anything */
	return token_read_pkcs11(a, 0, &pkcs11[0], NULL) == token_read_pkcs11(b, 0, &pkcs11[1], NULL) &&
	       !strcmp(pkcs11[0].uri, pkcs11[1].uri) && pkcs11[0].padding == pkcs11[1].padding &&
	       pkcs11[0].wrapped_len == pkcs11[1].wrapped_len &&
	       !memcmp(pkcs11[0].wrapped, pkcs11[1].wrapped, sizeof(pkcs11[0].wrapped)) &&
	       token_read_fido2(a, 0, &fido2[0], NULL) == token_read_fido2(b, 0, &fido2[1], NULL) &&
	       fido2[0].credential_len == fido2[1].credential_len &&
	       !memcmp(fido2[0].credential, fido2[1].credential, sizeof(fido2[0].credential)) &&
	       !memcmp(fido2[0].salt, fido2[1].salt, sizeof(fido2[0].salt)) && !strcmp(fido2[0].rp, fido2[1].rp) &&
	       share_set_read(a, 0, &set[0]) == share_set_read(b, 0, &set[1]) &&
	       !memcmp(set[0].set, set[1].set, sizeof(set[0].set)) && set[0].count == set[1].count &&
	       set[0].threshold == set[1].threshold && !strcmp(set[0].made, set[1].made) &&
	       !memcmp(set[0].digests, set[1].digests, sizeof(set[0].digests));
}

static void try_again(char *text, const struct luks2 *before)
{
	CLEANUP_JSON json_t *token = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	struct luks2 *hdr = token ? tokenheader_new(token) : NULL;

	demand_true(hdr != NULL);
	try_readers(hdr, false);
	demand_true(equal(before, hdr));
	tokenheader_free(hdr);
	free(text);
}

static void try_wrapped(const uint8_t *data, size_t size)
{
	CLEANUP_FREE char *text = NULL;
	struct share_wrapped wrapped, again;
	struct diag diag = {0};

	if (share_wrapped_read(data, size, &wrapped, &diag) < 0)
		return;
	demand_true(wrapped.claim.index >= 1 && wrapped.claim.index <= wrapped.claim.count &&
		    wrapped.claim.count <= SHAMIR_SHARES_MAX && wrapped.claim.threshold >= 2 &&
		    wrapped.claim.threshold <= wrapped.claim.count && !wrapped.claim.value);
	demand_true(wrapped.token.kind == TOKEN_PKCS11 || wrapped.token.kind == TOKEN_FIDO2);
	demand_true(share_is_wrapped(data, size));
	demand_true(share_wrapped_write(&wrapped, &text) == 0);
	demand_true(share_wrapped_read(text, strlen(text), &again, &diag) == 0);
	demand_true(memcmp(&wrapped.claim, &again.claim, sizeof(again.claim)) == 0 &&
		    memcmp(wrapped.sealed, again.sealed, sizeof(again.sealed)) == 0 &&
		    memcmp(wrapped.salt, again.salt, sizeof(again.salt)) == 0 && wrapped.token.kind == again.token.kind);
}

static void try_share(const uint8_t *data, size_t size)
{
	CLEANUP_SECRET struct secret *again = NULL;
	struct share share = {0};
	struct diag diag = {0};

	if (share_from_file(data, size, &share, &diag) < 0)
		return;
	demand_true(share.index >= 1 && share.index <= share.count && share.count <= SHAMIR_SHARES_MAX &&
		    share.threshold >= 2 && share.threshold <= share.count);
	demand_true(share_encode(&share, &again) == 0);
	share_clear(&share);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP_JSON json_t *token =
		json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
	struct luks2 *hdr;

	if (crypto_init() < 0)
		return 0;
	try_wrapped(data, size);
	if (!json_is_object(token)) {
		try_share(data, size);
		return 0;
	}
	hdr = tokenheader_new(token);
	demand_true(hdr != NULL);
	try_readers(hdr, true);
	tokenheader_free(hdr);
	return 0;
}
