/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What holds:
 *
 * 1. A key makes two secrets of one salt, one with and one without its PIN (or fingerprint). So a slot
 *    made with the PIN is always asked for with it, and what the header demands is done or refused,
 *    never left out.
 * 2. A PIN is asked for once, after the key has been seen to hold the credential, and never tried again:
 *    neither on the same key nor on another one.
 */
#include "token/fido2.h"

#include <errno.h>
#include <fido/es256.h>
#include <gcrypt.h>
#include <stdlib.h>
#include <string.h>

#include "base/i18n.h"
#include "keymgr/unicode.h"
#include "token/pubkey.h"
#include "token/touch.h"

enum { CLIENT_DATA_HASH = 32, HMAC_SECRET = 32, PIN_CHARS_MIN = 4, PIN_BYTES_MAX = 63 };

static const uint8_t client_data_hash[CLIENT_DATA_HASH]; /* zeros, as systemd's */

static void assert_cleanup(fido_assert_t **assert)
{
	fido_assert_free(assert);
}

static void cred_cleanup(fido_cred_t **cred)
{
	fido_cred_free(cred);
}

static int fido2_error(int err, struct diag *diag)
{
	switch (err) {
	case FIDO_OK:
		return 0;
	case FIDO_ERR_NO_CREDENTIALS:
	case FIDO_ERR_INVALID_CREDENTIAL:
		return -SDE_NO_TOKEN;
	case FIDO_ERR_CREDENTIAL_EXCLUDED:
		return diag_set(diag, -SDE_NO_TOKEN, _("no other security key is plugged in"));
	case FIDO_ERR_PIN_INVALID:
		return -SDE_PIN;
	case FIDO_ERR_PIN_BLOCKED:
		return -SDE_PIN_LOCKED;
	case FIDO_ERR_PIN_AUTH_BLOCKED:
		return diag_set(diag, -SDE_PIN,
			_("after several wrong PINs the security key must be pulled out and plugged in again"));
	case FIDO_ERR_UV_BLOCKED:
	case FIDO_ERR_UV_INVALID:
		return diag_set(diag, -SDE_TOKEN, _("the security key did not recognise you"));
	case FIDO_ERR_ACTION_TIMEOUT:
	case FIDO_ERR_USER_ACTION_TIMEOUT:
	case FIDO_ERR_OPERATION_DENIED:
	case FIDO_ERR_KEEPALIVE_CANCEL:
		return diag_set(diag, -SDE_CANCELLED, _("the security key was not touched"));
	case FIDO_ERR_PIN_NOT_SET:
		return diag_set(diag, -SDE_TOKEN, _("the security key has no PIN yet"));
	case FIDO_ERR_PIN_REQUIRED:
		return diag_set(diag, -SDE_TOKEN, _("the security key demands a PIN"));
	case FIDO_ERR_TX:
	case FIDO_ERR_RX:
		return diag_set(diag, -SDE_NO_TOKEN, _("the security key was pulled out"));
	default:
		return diag_set(diag, -SDE_TOKEN, _("the security key reports: %s"), fido_strerr(err));
	}
}

/* -1: no such option; else whether it is set up. */
static int device_option(fido_dev_t *dev, const char *name)
{
	fido_cbor_info_t *info = fido_cbor_info_new();
	int found = -1;

	if (info && fido_dev_get_cbor_info(dev, info) == FIDO_OK) {
		char **names = fido_cbor_info_options_name_ptr(info);
		const bool *values = fido_cbor_info_options_value_ptr(info);

		for (size_t i = 0; i < fido_cbor_info_options_len(info); i++)
			if (strcmp(names[i], name) == 0)
				found = values[i];
	}
	fido_cbor_info_free(&info);
	return found;
}

static bool device_has_hmac_secret(fido_dev_t *dev)
{
	fido_cbor_info_t *info = fido_cbor_info_new();
	bool found = false;

	if (info && fido_dev_get_cbor_info(dev, info) == FIDO_OK) {
		char **names = fido_cbor_info_extensions_ptr(info);

		for (size_t i = 0; i < fido_cbor_info_extensions_len(info); i++)
			found |= strcmp(names[i], "hmac-secret") == 0;
	}
	fido_cbor_info_free(&info);
	return found;
}

static int assert_new(const struct token_fido2 *token, fido_assert_t **ret_assert, struct diag *diag)
{
	CLEANUP(assert_cleanup) fido_assert_t *assert = fido_assert_new();
	int err;

	if (!assert)
		return -ENOMEM;
	err = fido_assert_set_rp(assert, token->rp);
	if (err == FIDO_OK)
		err = fido_assert_set_clientdata_hash(assert, client_data_hash, sizeof(client_data_hash));
	if (err == FIDO_OK)
		err = fido_assert_allow_cred(assert, token->credential, token->credential_len);
	if (err != FIDO_OK)
		return fido2_error(err, diag);
	*ret_assert = take_ptr(assert);
	return 0;
}

enum holds { HOLDS_NOT, HOLDS_PERHAPS, HOLDS };

/*
 * Whether the credential is on the device, without touch or PIN. Some devices cannot tell, and none tells
 * before it has recognised its user where the credential is protected like that (CTAP 2.1 section 12.1).
 */
static enum holds device_holds(fido_dev_t *dev, const struct token_fido2 *token)
{
	CLEANUP(assert_cleanup) fido_assert_t *assert = NULL;

	if (assert_new(token, &assert, NULL) < 0)
		return HOLDS_NOT;
	if (device_option(dev, "up") >= 0 && fido_assert_set_up(assert, FIDO_OPT_FALSE) != FIDO_OK)
		return HOLDS_NOT;
	switch (fido_dev_get_assert(dev, assert, NULL)) {
	case FIDO_OK:
		return HOLDS;
	case FIDO_ERR_NO_CREDENTIALS:
	case FIDO_ERR_INVALID_CREDENTIAL:
		return token->verification == TOKEN_YES && device_option(dev, "uv") == 1 ? HOLDS_PERHAPS : HOLDS_NOT;
	case FIDO_ERR_TX:
	case FIDO_ERR_RX:
		return HOLDS_NOT;
	default:
		return HOLDS_PERHAPS;
	}
}

static int ask_pin(const struct fido2_device *device, const struct token_ui *ui, struct secret **ret_pin,
	struct diag *diag)
{
	int retries = -1;

	if (device_option(device->dev, "clientPin") == 0) /* what was set up may have been reset */
		return diag_set(diag, -SDE_TOKEN, _("the security key has no PIN yet"));
	if (fido_dev_get_retry_count(device->dev, &retries) != FIDO_OK)
		retries = -1;
	if (retries == 0)
		return -SDE_PIN_LOCKED;
	return ui->ask_pin(ui->ctx, device->name, retries == 1 ? TOKEN_PIN_FINAL : TOKEN_PIN_FINE, retries, ret_pin,
		diag);
}

/*
 * As the key got it when it was set (CTAP 2.1 section 6.5.1: UTF-8 in form NFC, 4 characters to 63 bytes) and
 * as libfido2 wants it. What can be no PIN is not tried: that would cost one of the tries that are left.
 */
static int pin_text(const struct secret *pin, struct secret **ret_text, struct diag *diag)
{
	CLEANUP_SECRET struct secret *nfc = NULL;
	int r = unicode_form(pin, UNICODE_NFC, &nfc);

	if (r < 0 && r != -EILSEQ)
		return r;
	pin = nfc ? nfc : pin;
	if (memchr(secret_data_const(pin), '\0', secret_len(pin)))
		return diag_set(diag, -SDE_NOT_A_PIN, _("it has a control character in it"));
	if (unicode_length(pin) < PIN_CHARS_MIN || secret_len(pin) > PIN_BYTES_MAX)
		return diag_set(diag, -SDE_NOT_A_PIN, _("that of a security key has %d to %d characters"),
			PIN_CHARS_MIN, PIN_BYTES_MAX);
	r = secret_new(secret_len(pin) + 1, ret_text);
	if (r == 0)
		memcpy(secret_data(*ret_text), secret_data_const(pin), secret_len(pin));
	return r;
}

static fido_opt_t demand(enum token_demand demand)
{
	return demand == TOKEN_UNSET ? FIDO_OPT_OMIT : demand == TOKEN_YES ? FIDO_OPT_TRUE : FIDO_OPT_FALSE;
}

static int set_demands(fido_dev_t *dev, const struct token_fido2 *token, fido_assert_t *assert, struct diag *diag)
{
	int err = fido_assert_set_extensions(assert, FIDO_EXT_HMAC_SECRET);

	if (err == FIDO_OK)
		err = fido_assert_set_hmac_salt(assert, token->salt, sizeof(token->salt));
	if (err == FIDO_OK && device_option(dev, "up") >= 0)
		err = fido_assert_set_up(assert, demand(token->presence));
	if (err == FIDO_OK && token->verification == TOKEN_YES && device_option(dev, "uv") != 1)
		return diag_set(diag, -SDE_TOKEN, _("the security key cannot recognise its user any more"));
	if (err == FIDO_OK && device_option(dev, "uv") >= 0)
		err = fido_assert_set_uv(assert, demand(token->verification));
	return fido2_error(err, diag);
}

static int take_secret(const fido_assert_t *assert, struct secret **ret_passphrase, struct diag *diag)
{
	CLEANUP_SECRET struct secret *secret = NULL;
	int r;

	if (fido_assert_count(assert) != 1 || fido_assert_hmac_secret_len(assert, 0) != HMAC_SECRET)
		return diag_set(diag, -SDE_TOKEN, _("the security key did not return its secret"));
	r = secret_new_copy(fido_assert_hmac_secret_ptr(assert, 0), HMAC_SECRET, &secret);
	return r < 0 ? r : token_passphrase(secret, ret_passphrase);
}

/* pin: what was asked for already; NULL: ask where it is needed. */
static int device_secret(const struct fido2_device *device, const struct token_fido2 *token,
	const struct secret *pin, const struct token_ui *ui, struct secret **ret_passphrase, struct diag *diag)
{
	CLEANUP(assert_cleanup) fido_assert_t *assert = NULL;
	CLEANUP_SECRET struct secret *asked = NULL;
	CLEANUP_SECRET struct secret *text = NULL;
	bool needs_pin = token->pin == TOKEN_YES ||
			 (token->pin == TOKEN_UNSET && device_option(device->dev, "clientPin") == 1);
	struct touch touch;
	int r = assert_new(token, &assert, diag);

	r = r < 0 ? r : set_demands(device->dev, token, assert, diag);
	if (r == 0 && needs_pin && !pin) {
		r = ask_pin(device, ui, &asked, diag);
		pin = asked;
	}
	if (r == 0 && needs_pin)
		r = pin_text(pin, &text, diag);
	if (r < 0)
		return r;
	if (token->presence != TOKEN_NO)
		ui->tell(ui->ctx, device->name, _("Touch the security key now."));
	touch_begin(device->dev, &touch);
	r = fido_dev_get_assert(device->dev, assert, text ? secret_data(text) : NULL);
	touch_end(&touch);
	r = fido2_error(r, diag);
	if (r == -SDE_NO_TOKEN && text)
		return diag_set(diag, -SDE_TOKEN,
			_("the security key does not have this drive's key after all: leave only the right one in"));
	return r < 0 ? r : take_secret(assert, ret_passphrase, diag);
}

int fido2_unlock(const struct token_fido2 *tokens, size_t count, const struct token_ui *ui,
	size_t *ret_index, struct secret **ret_passphrase, struct diag *diag)
{
	struct fido2_device devices[FIDO2_DEVICES_MAX] = {0};
	size_t device_count = fido2_devices_open(devices);
	int r = -SDE_NO_TOKEN;

	/* one that surely has it before those that may */
	for (enum holds wanted = HOLDS; wanted > HOLDS_NOT && r == -SDE_NO_TOKEN; wanted--) {
		for (size_t i = 0; i < count * device_count && r == -SDE_NO_TOKEN; i++) {
			const struct fido2_device *device = &devices[i % device_count];
			const struct token_fido2 *token = &tokens[i / device_count];

			if (device_holds(device->dev, token) != wanted)
				continue;
			r = device_secret(device, token, NULL, ui, ret_passphrase, diag);
			*ret_index = i / device_count;
		}
	}
	fido2_devices_close(devices, device_count);
	return r;
}

static int prepare_cred(const struct fido2_params *params, fido_cred_t *cred)
{
	int err = fido_cred_set_type(cred, COSE_ES256);

	if (err == FIDO_OK)
		err = fido_cred_set_clientdata_hash(cred, client_data_hash, sizeof(client_data_hash));
	if (err == FIDO_OK)
		err = fido_cred_set_rp(cred, "io.systemd.cryptsetup", "Encrypted Volume");
	if (err == FIDO_OK)
		err = fido_cred_set_user(cred, (const unsigned char *)params->user, strlen(params->user), params->user,
			params->drive, NULL);
	if (err == FIDO_OK)
		err = fido_cred_set_extensions(cred, FIDO_EXT_HMAC_SECRET | (params->verification ? FIDO_EXT_CRED_PROTECT : 0));
	if (err == FIDO_OK && params->verification)
		err = fido_cred_set_prot(cred, FIDO_CRED_PROT_UV_REQUIRED);
	if (err == FIDO_OK && params->verification)
		err = fido_cred_set_uv(cred, FIDO_OPT_TRUE);
	if (err == FIDO_OK)
		err = fido_cred_set_rk(cred, FIDO_OPT_FALSE);
	/* the key itself knows best, once it has recognised its user */
	for (size_t i = 0; err == FIDO_OK && i < params->other_count; i++)
		err = fido_cred_exclude(cred, params->others[i]->credential, params->others[i]->credential_len);
	return err;
}

/* What is demanded of the key from now on, as far as it can. */
static int choose_demands(const struct fido2_device *device, const struct fido2_params *params,
	struct token_fido2 *token, struct diag *diag)
{
	int pin = device_option(device->dev, "clientPin"), uv = device_option(device->dev, "uv");

	if (!device_has_hmac_secret(device->dev))
		return diag_set(diag, -SDE_TOKEN, _("the security key lacks the hmac-secret extension"));
	if (params->verification && uv != 1)
		return diag_set(diag, -SDE_TOKEN, _("the security key cannot recognise its user, or was not taught to"));
	if (!params->no_pin && !params->verification && pin != 1)
		return diag_set(diag, -SDE_TOKEN, _("the security key has no PIN yet"));
	token->pin = params->no_pin || params->verification ? TOKEN_NO : TOKEN_YES;
	token->presence = params->no_touch && device_option(device->dev, "up") >= 0 ? TOKEN_NO : TOKEN_YES;
	token->verification = params->verification ? TOKEN_YES : TOKEN_NO;
	return 0;
}

static int make_credential(const struct fido2_device *device, const struct fido2_params *params,
	const struct secret *pin, const struct token_ui *ui, struct token_fido2 *token, struct diag *diag)
{
	CLEANUP(cred_cleanup) fido_cred_t *cred = fido_cred_new();
	CLEANUP_SECRET struct secret *text = NULL;
	struct touch touch;
	int err, r;

	if (!cred)
		return -ENOMEM;
	r = pin ? pin_text(pin, &text, diag) : 0;
	if (r < 0)
		return r;
	err = prepare_cred(params, cred);
	if (err == FIDO_OK) {
		ui->tell(ui->ctx, device->name, _("Touch the security key now."));
		touch_begin(device->dev, &touch);
		err = fido_dev_make_cred(device->dev, cred, text ? secret_data(text) : NULL);
		touch_end(&touch);
	}
	if (err != FIDO_OK)
		return fido2_error(err, diag);
	if (fido_cred_id_len(cred) == 0 || fido_cred_id_len(cred) > sizeof(token->credential))
		return diag_set(diag, -SDE_TOKEN, _("the security key's credential is too long"));
	memcpy(token->credential, fido_cred_id_ptr(cred), fido_cred_id_len(cred));
	token->credential_len = fido_cred_id_len(cred);
	return 0;
}

static int enroll_on(const struct fido2_device *device, const struct fido2_params *params,
	const struct token_ui *ui, struct fido2_enrolled *enrolled, struct secret **ret_passphrase,
	struct diag *diag)
{
	CLEANUP_SECRET struct secret *pin = NULL;
	struct token_fido2 *token = &enrolled->token;
	int r = choose_demands(device, params, token, diag);

	snprintf(token->rp, sizeof(token->rp), "io.systemd.cryptsetup");
	snprintf(enrolled->name, sizeof(enrolled->name), "%s", device->name);
	gcry_randomize(token->salt, sizeof(token->salt), GCRY_STRONG_RANDOM);
	/* a key with a PIN wants it to make a credential, even one that is used without */
	if (r == 0 && !params->verification && device_option(device->dev, "clientPin") == 1)
		r = ask_pin(device, ui, &pin, diag);
	r = r < 0 ? r : make_credential(device, params, pin, ui, token, diag);
	return r < 0 ? r : device_secret(device, token, pin, ui, ret_passphrase, diag);
}

/* Whether the device has one of the credentials that it must not have. */
static enum holds device_holds_other(const struct fido2_device *device, const struct fido2_params *params)
{
	enum holds most = HOLDS_NOT;

	for (size_t i = 0; i < params->other_count && most != HOLDS; i++) {
		enum holds holds = device_holds(device->dev, params->others[i]);

		most = holds > most ? holds : most;
	}
	return most;
}

/*
 * Devices that may be meant: the one that surely is none of the others, or, when their users have to be recognised first,
 * those that cannot tell, which are asked one after the other. Which of several it is nobody guesses otherwise: a PIN
 * would be tried on the wrong one.
 */
static int choose_devices(const struct fido2_device *devices, size_t count, const struct fido2_params *params,
	const struct fido2_device *chosen[FIDO2_DEVICES_MAX], size_t *ret_count, struct diag *diag)
{
	const struct fido2_device *sure[FIDO2_DEVICES_MAX];
	size_t sure_count = 0, perhaps_count = 0;

	for (size_t i = 0; i < count; i++)
		switch (device_holds_other(&devices[i], params)) {
		case HOLDS_NOT:
			sure[sure_count++] = &devices[i];
			break;
		case HOLDS_PERHAPS:
			chosen[perhaps_count++] = &devices[i];
			break;
		case HOLDS:
			break;
		}
	if (sure_count > 1 || (sure_count == 0 && perhaps_count > 1 && !params->verification))
		return diag_set(diag, -SDE_TOKEN, _("several security keys are plugged in: leave only one in"));
	if (sure_count + perhaps_count == 0)
		return diag_set(diag, -SDE_NO_TOKEN, params->other_count ? _("no other security key is plugged in")
									 : _("no security key is plugged in"));
	if (sure_count == 1)
		chosen[0] = sure[0];
	*ret_count = sure_count == 1 ? 1 : perhaps_count;
	return 0;
}

int fido2_enroll(const struct fido2_params *params, const struct token_ui *ui,
	struct fido2_enrolled *ret_enrolled, struct secret **ret_passphrase, struct diag *diag)
{
	struct fido2_device devices[FIDO2_DEVICES_MAX] = {0};
	const struct fido2_device *chosen[FIDO2_DEVICES_MAX];
	struct fido2_enrolled enrolled = {0};
	size_t chosen_count = 0, count = fido2_devices_open(devices);
	int r = choose_devices(devices, count, params, chosen, &chosen_count, diag);

	if (r == 0)
		r = -SDE_NO_TOKEN;
	for (size_t i = 0; i < chosen_count && r == -SDE_NO_TOKEN; i++)
		r = enroll_on(chosen[i], params, ui, &enrolled, ret_passphrase, diag);
	fido2_devices_close(devices, count);
	if (r == 0)
		*ret_enrolled = enrolled;
	return r;
}

bool fido2_enrolled_valid(const struct fido2_enrolled *enrolled)
{
	const struct token_fido2 *token = &enrolled->token;

	if (token->pin > TOKEN_YES || token->presence > TOKEN_YES || token->verification > TOKEN_YES)
		return false;
	return token->credential_len > 0 && token->credential_len <= sizeof(token->credential) &&
	       memchr(token->rp, 0, sizeof(token->rp)) && memchr(enrolled->name, 0, sizeof(enrolled->name));
}
