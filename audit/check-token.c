/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Each kind of token by its own rules. A drive without tokens of the kind: not applicable. */
#include <ctype.h>
#include <string.h>

#include "audit/checks.h"
#include "audit/tokens.h"
#include "base/i18n.h"

static void each_token(const struct check_input *in, struct finding *f, enum token_kind kind,
	void (*see)(const struct check_input *in, const struct luks2_token *token, const json_t *json, const char *at,
		struct finding *f))
{
	char at[64];

	FOR_EACH_TOKEN(in, token)
	{
		if (token_kind_of(token->type) != kind)
			continue;
		see(in, token, token_json(in->doc, token), finding_at(at, "tokens", token->id, ""), f);
	}
}

/* ---- smart cards: section 1.2 of what systemd writes ---- */

/* Uncompressed points of P-256, P-384 and P-521: 04 and two coordinates. */
static unsigned ec_bits(long bytes)
{
	return bytes == 65 ? 256 : bytes == 97 ? 384 : bytes == 133 ? 521 : 0;
}

static void see_wrap(const struct check_input *in, const struct luks2_token *token, const json_t *json, const char *at,
	struct finding *f)
{
	long bytes = token_base64_bytes(json, "pkcs11-key");
	unsigned ec = ec_bits(bytes);

	if (bytes <= 0)
		finding_saw(f, VERDICT_BAD, at, _("token %d: its wrapped key cannot be read"), token->id);
	else if (ec)
		finding_saw(f, ec < rule_number(in->rule, "min_ec_bits") ? VERDICT_BAD : VERDICT_GOOD, at,
			_("token %d: elliptic curve, %u bits"), token->id, ec);
	else
		finding_saw(f, (uint64_t)bytes * 8 < rule_number(in->rule, "min_rsa_bits")	 ? VERDICT_BAD
			       : (uint64_t)bytes * 8 < rule_number(in->rule, "advised_rsa_bits") ? VERDICT_ADVICE
												 : VERDICT_GOOD,
			at, _("token %d: RSA, %ld bits"), token->id, bytes * 8);
}

void check_wrap_size(const struct check_input *in, struct finding *f)
{
	finding_want(f, _("RSA %llu bits, better %llu; elliptic curves %llu bits"),
		(unsigned long long)rule_number(in->rule, "min_rsa_bits"),
		(unsigned long long)rule_number(in->rule, "advised_rsa_bits"),
		(unsigned long long)rule_number(in->rule, "min_ec_bits"));
	each_token(in, f, TOKEN_PKCS11, see_wrap);
}

static void see_padding(const struct check_input *in, const struct luks2_token *token, const json_t *json,
	const char *at, struct finding *f)
{
	const char *padding = token_string(json, "pkcs11-padding");

	if (ec_bits(token_base64_bytes(json, "pkcs11-key")))
		return; /* no padding with elliptic curves */
	finding_saw(f, padding[0] && words_match(rule_words(in->rule, "allow"), padding) ? VERDICT_GOOD : VERDICT_BAD, at,
		_("token %d: %s"), token->id, padding[0] ? padding : "PKCS#1 v1.5");
}

void check_padding(const struct check_input *in, struct finding *f)
{
	CLEANUP_FREE char *allow = words_text(rule_words(in->rule, "allow"));

	finding_want(f, "%s", allow ? allow : "");
	each_token(in, f, TOKEN_PKCS11, see_padding);
}

/* Whether the URI has attribute name, "" included; the parts end with ; ? or &. */
static bool uri_has(const char *uri, const char *name, const char *value)
{
	size_t len = strlen(name);

	for (const char *p = uri; *p; p += strcspn(p, ";?&")) {
		if (*p == ';' || *p == '?' || *p == '&' || p == uri)
			p += p != uri;
		if (strncmp(p, name, len) == 0 && p[len] == '=') {
			size_t n = strcspn(p + len + 1, ";?&");

			return value ? n == strlen(value) && strncmp(p + len + 1, value, n) == 0 : n > 0;
		}
	}
	return false;
}

static void see_uri(const struct check_input *in, const struct luks2_token *token, const json_t *json, const char *at,
	struct finding *f)
{
	static const char *const forbidden[] = {"pin-value", "pin-source", "module-path", "module-name"};
	const char *uri = token_string(json, "pkcs11-uri");

	if (strncmp(uri, "pkcs11:", 7) != 0) {
		finding_saw(f, VERDICT_BAD, at, _("token %d has no address of a key"), token->id);
		return;
	}
	uri += 7;
	finding_saw(f, VERDICT_GOOD, at, "%s", "");
	if (!uri_has(uri, "id", NULL))
		finding_saw(f, VERDICT_BAD, at, _("token %d: no id="), token->id);
	if (!uri_has(uri, "serial", NULL) && !uri_has(uri, "token", NULL))
		finding_saw(f, VERDICT_BAD, at, _("token %d: neither serial= nor token="), token->id);
	if (!uri_has(uri, "type", "private"))
		finding_saw(f, VERDICT_BAD, at, _("token %d: no type=private"), token->id);
	for (size_t i = 0; i < ARRAY_SIZE(forbidden); i++)
		if (uri_has(uri, forbidden[i], NULL))
			finding_saw(f, VERDICT_BAD, at, _("token %d: has %s="), token->id, forbidden[i]);
}

void check_uri(const struct check_input *in, struct finding *f)
{
	finding_want(f, _("id=, serial= or token=, type=private, no PIN and no module"));
	each_token(in, f, TOKEN_PKCS11, see_uri);
}

/* ---- security keys ---- */

static void see_fido2(const struct check_input *in, const struct luks2_token *token, const json_t *json, const char *at,
	struct finding *f)
{
	static const char *const flags[] = {"fido2-up-required", "fido2-clientPin-required", "fido2-uv-required"};
	const char *rp = token_string(json, "fido2-rp");
	bool verified = token_two_factor(TOKEN_FIDO2, json);

	finding_saw(f, VERDICT_GOOD, at, _("token %d: %s"), token->id, token->type);
	if (!words_match(rule_words(in->rule, "rp"), rp))
		finding_saw(f, VERDICT_BAD, at, _("relying party '%s'"), rp);
	if (token_base64_bytes(json, "fido2-salt") != 32)
		finding_saw(f, VERDICT_BAD, at, _("its salt does not have 32 bytes"));
	if (token_base64_bytes(json, "fido2-credential") <= 0)
		finding_saw(f, VERDICT_BAD, at, _("no credential"));
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		if (!json_is_boolean(json_object_get(json, flags[i])))
			finding_saw(f, VERDICT_BAD, at, _("%s is not said"), flags[i]);
	if (!json_is_true(json_object_get(json, flags[0])))
		finding_saw(f, VERDICT_BAD, at, _("no touch"));
	if (!verified)
		finding_saw(f, rule_flag(in->rule, "require_verification") ? VERDICT_BAD : VERDICT_GOOD, at, _("no PIN"));
}

void check_fido2(const struct check_input *in, struct finding *f)
{
	CLEANUP_FREE char *rp = words_text(rule_words(in->rule, "rp"));

	if (rule_flag(in->rule, "require_verification"))
		finding_want(f, _("relying party %s, salt of 32 bytes, touch, and PIN or biometrics"), rp ? rp : "");
	finding_want(f, _("relying party %s, salt of 32 bytes, touch"), rp ? rp : "");
	each_token(in, f, TOKEN_FIDO2, see_fido2);
}

/* ---- TPM ---- */

static void see_tpm2(const struct check_input *in, const struct luks2_token *token, const json_t *json, const char *at,
	struct finding *f)
{
	const char *bank = token_string(json, "tpm2-pcr-bank");
	uint32_t others = 0;

	finding_saw(f, VERDICT_GOOD, at, _("token %d: %s"), token->id, token->type);
	if (!json_array_size(json_object_get(json, "tpm2-pcrs")) && !token_string(json, "tpm2_pubkey")[0] &&
		!json_is_true(json_object_get(json, "tpm2_pcrlock")))
		finding_saw(f, VERDICT_BAD, at, _("bound to no state of the computer"));
	if (!json_is_true(json_object_get(json, "tpm2-pin")))
		finding_saw(f, VERDICT_BAD, at, _("no PIN"));
	if (strcmp(bank, "sha1") == 0)
		finding_saw(f, VERDICT_BAD, at, _("PCR bank sha1"));
	for (int i = 0; i < in->hdr->keyslot_count; i++)
		others |= UINT32_C(1) << in->hdr->keyslots[i].id;
	if (!(others & ~token->keyslots))
		finding_saw(f, VERDICT_BAD, at, _("the only way to open the drive"));
}

void check_tpm2(const struct check_input *in, struct finding *f)
{
	finding_want(f, _("PCRs or a signed policy, bank sha256, PIN, another key slot"));
	each_token(in, f, TOKEN_TPM2, see_tpm2);
}
