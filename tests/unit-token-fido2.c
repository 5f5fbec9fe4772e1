/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Security keys: libfido2 and token/fido2.c against keys in software. */
#include <string.h>

#include "kernel-shim/cryptdev.h"
#include "tests/softfido/softfido-devices.h"
#include "tests/unit.h"
#include "token/fido2.h"
#include "token/pkcs11-unlock.h"

static struct softfido keys[2];
static const char *typed_pin = "1234";
static size_t typed_zeros; /* behind it */
static int asked, told, last_retries;
static enum token_pin_state last_state;

static int ask_pin(void *ctx, const char *name, enum token_pin_state state, int retries,
	struct secret **ret_pin, struct diag *diag)
{
	asked++;
	last_retries = retries;
	last_state = state;
	return typed_pin ? secret_new_copy(typed_pin, strlen(typed_pin) + typed_zeros, ret_pin) : -SDE_CANCELLED;
}

static void tell(void *ctx, const char *name, const char *text)
{
	told++;
}

void softfido_load(void)
{
}

void softfido_save(void)
{
}

static const struct token_ui ui = {ask_pin, tell, NULL};
static const struct fido2_params usual = {.user = "0a1b2c3d-uuid", .drive = "contracts"};

static void plug_in(size_t count)
{
	CU_ASSERT_EQUAL_FATAL(crypto_init(), 0);
	memset(keys, 0, sizeof(keys));
	for (size_t i = 0; i < 2; i++) {
		snprintf(keys[i].name, sizeof(keys[i].name), "Key %zu", i);
		memset(keys[i].master, (int)i + 1, sizeof(keys[i].master));
		snprintf(keys[i].pin, sizeof(keys[i].pin), "1234");
		keys[i].retries = 8;
		keys[i].unplug_after = -1;
		softfido_plugged[i] = &keys[i];
	}
	softfido_plugged_count = count;
	typed_pin = "1234";
	asked = told = 0;
}

static void enroll(const struct fido2_params *params, struct fido2_enrolled *enrolled, struct secret **passphrase)
{
	CU_ASSERT_EQUAL_FATAL(fido2_enroll(params, &ui, enrolled, passphrase, NULL), 0);
	CU_ASSERT_EQUAL(secret_len(*passphrase), 44); /* base64 of 32 bytes */
}

/* What comes back; the passphrase is compared with wanted where it is there. */
static int unlock(const struct token_fido2 *token, const struct secret *wanted)
{
	CLEANUP_SECRET struct secret *passphrase = NULL;
	size_t index = 99;
	int r = fido2_unlock(token, 1, &ui, &index, &passphrase, NULL);

	if (r == 0) {
		CU_ASSERT_EQUAL(index, 0);
		CU_ASSERT(secret_equal(passphrase, wanted));
	}
	return r;
}

static void test_round(void)
{
	CLEANUP_SECRET struct secret *passphrase = NULL;
	struct fido2_enrolled enrolled;
	struct token_fido2 other;

	plug_in(1);
	enroll(&usual, &enrolled, &passphrase);
	CU_ASSERT_EQUAL(enrolled.token.pin, TOKEN_YES);
	CU_ASSERT_EQUAL(enrolled.token.presence, TOKEN_YES);
	CU_ASSERT_EQUAL(enrolled.token.verification, TOKEN_NO);
	CU_ASSERT_STRING_EQUAL(enrolled.token.rp, "io.systemd.cryptsetup");
	CU_ASSERT_EQUAL(asked, 1);
	CU_ASSERT_EQUAL(keys[0].touches, 2);
	CU_ASSERT_EQUAL(unlock(&enrolled.token, passphrase), 0);
	CU_ASSERT_EQUAL(asked, 2);
	CU_ASSERT_EQUAL(told, 3);
	/* another salt, another secret */
	other = enrolled.token;
	other.salt[5] ^= 1;
	{
		CLEANUP_SECRET struct secret *differs = NULL;
		size_t index;

		CU_ASSERT_EQUAL(fido2_unlock(&other, 1, &ui, &index, &differs, NULL), 0);
		CU_ASSERT(!secret_equal(differs, passphrase));
	}
}

/* The key's two secrets: a header in which the demand was changed opens nothing. */
static void test_demands(void)
{
	CLEANUP_SECRET struct secret *with = NULL;
	CLEANUP_SECRET struct secret *without = NULL;
	CLEANUP_SECRET struct secret *now = NULL;
	struct fido2_params params = usual;
	struct fido2_enrolled enrolled, no_pin;
	size_t index;

	plug_in(1);
	enroll(&usual, &enrolled, &with);
	params.no_pin = true;
	enroll(&params, &no_pin, &without);
	CU_ASSERT_EQUAL(no_pin.token.pin, TOKEN_NO);
	asked = 0;
	CU_ASSERT_EQUAL(unlock(&no_pin.token, without), 0);
	CU_ASSERT_EQUAL(asked, 0);
	enrolled.token.pin = TOKEN_NO;
	CU_ASSERT_EQUAL(fido2_unlock(&enrolled.token, 1, &ui, &index, &now, NULL), 0);
	CU_ASSERT(!secret_equal(now, with));
	/* left open by old headers: as the key is set up */
	enrolled.token.pin = enrolled.token.presence = enrolled.token.verification = TOKEN_UNSET;
	CU_ASSERT_EQUAL(unlock(&enrolled.token, with), 0);
	CU_ASSERT_EQUAL(asked, 1);
}

static void test_no_touch(void)
{
	CLEANUP_SECRET struct secret *passphrase = NULL;
	struct fido2_params params = usual;
	struct fido2_enrolled enrolled;
	int touches;

	plug_in(1);
	params.no_touch = true;
	enroll(&params, &enrolled, &passphrase);
	CU_ASSERT_EQUAL(enrolled.token.presence, TOKEN_NO);
	touches = keys[0].touches;
	CU_ASSERT_EQUAL(unlock(&enrolled.token, passphrase), 0);
	CU_ASSERT_EQUAL(keys[0].touches, touches);
}

static void test_verification(void)
{
	CLEANUP_SECRET struct secret *passphrase = NULL;
	CLEANUP_SECRET struct secret *none = NULL;
	struct fido2_params params = usual;
	struct fido2_enrolled enrolled;

	plug_in(1);
	params.verification = true;
	CU_ASSERT_EQUAL(fido2_enroll(&params, &ui, &enrolled, &none, NULL), -SDE_TOKEN);
	keys[0].uv = true;
	enroll(&params, &enrolled, &passphrase);
	CU_ASSERT_EQUAL(asked, 0);
	CU_ASSERT_EQUAL(unlock(&enrolled.token, passphrase), 0);
	/* it does not tell before it has seen a finger; another one may have to be asked first */
	keys[1].uv = true;
	softfido_plugged[0] = &keys[1];
	softfido_plugged[1] = &keys[0];
	softfido_plugged_count = 2;
	CU_ASSERT_EQUAL(unlock(&enrolled.token, passphrase), 0);
	CU_ASSERT_EQUAL(asked, 0);
	softfido_plugged_count = 1;
	CU_ASSERT_EQUAL(unlock(&enrolled.token, NULL), -SDE_NO_TOKEN);
	softfido_plugged[0] = &keys[0];
	keys[0].uv = false;
	CU_ASSERT(unlock(&enrolled.token, passphrase) < 0);
}

static void test_pins(void)
{
	CLEANUP_SECRET struct secret *passphrase = NULL;
	struct fido2_enrolled enrolled;

	plug_in(1);
	enroll(&usual, &enrolled, &passphrase);
	/* one that is not the PIN as a whole costs no try */
	typed_zeros = 1;
	CU_ASSERT_EQUAL(unlock(&enrolled.token, NULL), -SDE_NOT_A_PIN);
	CU_ASSERT_EQUAL(keys[0].retries, 8);
	typed_zeros = 0;
	typed_pin = "123";
	CU_ASSERT_EQUAL(unlock(&enrolled.token, NULL), -SDE_NOT_A_PIN);
	typed_pin = "1234567890123456789012345678901234567890123456789012345678901234";
	CU_ASSERT_EQUAL(unlock(&enrolled.token, NULL), -SDE_NOT_A_PIN);
	CU_ASSERT_EQUAL(keys[0].retries, 8);
	typed_pin = "9999";
	asked = 0;
	CU_ASSERT_EQUAL(unlock(&enrolled.token, NULL), -SDE_PIN);
	CU_ASSERT_EQUAL(asked, 1);
	CU_ASSERT_EQUAL(keys[0].retries, 7);
	for (int left = 6; left > 0; left--) {
		CU_ASSERT_EQUAL(unlock(&enrolled.token, NULL), -SDE_PIN);
		CU_ASSERT_EQUAL(last_retries, left + 1);
		CU_ASSERT_EQUAL(last_state, TOKEN_PIN_FINE);
	}
	CU_ASSERT_EQUAL(unlock(&enrolled.token, NULL), -SDE_PIN_LOCKED);
	CU_ASSERT_EQUAL(last_state, TOKEN_PIN_FINAL);
	asked = 0;
	typed_pin = "1234";
	CU_ASSERT_EQUAL(unlock(&enrolled.token, NULL), -SDE_PIN_LOCKED);
	CU_ASSERT_EQUAL(asked, 0);
	typed_pin = NULL;
	keys[0].retries = 8;
	CU_ASSERT_EQUAL(unlock(&enrolled.token, NULL), -SDE_CANCELLED);
	CU_ASSERT_EQUAL(keys[0].retries, 8);
}

/* Whatever input method typed it. */
static void test_pin_forms(void)
{
	CLEANUP_SECRET struct secret *passphrase = NULL;
	struct fido2_enrolled enrolled;

	plug_in(1);
	snprintf(keys[0].pin, sizeof(keys[0].pin), "m\u1eadt m\u00e3");
	typed_pin = "m\u1eadt m\u00e3";
	enroll(&usual, &enrolled, &passphrase);
	typed_pin = "ma\u0323\u0302t ma\u0303";
	CU_ASSERT_EQUAL(unlock(&enrolled.token, passphrase), 0);
	CU_ASSERT_EQUAL(keys[0].retries, 8);
}

/* Whoever has typed a PIN for one key has not typed it for another. */
static void test_one_pin(void)
{
	CLEANUP_SECRET struct secret *first = NULL;
	CLEANUP_SECRET struct secret *second = NULL;
	CLEANUP_SECRET struct secret *got = NULL;
	struct fido2_enrolled enrolled[2];
	struct token_fido2 tokens[2];
	size_t index;

	plug_in(1);
	enroll(&usual, &enrolled[0], &first);
	softfido_plugged[0] = &keys[1];
	enroll(&usual, &enrolled[1], &second);
	tokens[0] = enrolled[0].token;
	tokens[1] = enrolled[1].token;
	plug_in(2);
	snprintf(keys[1].pin, sizeof(keys[1].pin), "4321");
	keys[0].forgetful = true;
	CU_ASSERT_EQUAL(fido2_unlock(tokens, 2, &ui, &index, &got, NULL), -SDE_TOKEN);
	CU_ASSERT_EQUAL(asked, 1);
	CU_ASSERT_EQUAL(keys[1].retries, 8);
	CU_ASSERT_PTR_NULL(got);
}

static void test_refusals(void)
{
	CLEANUP_SECRET struct secret *passphrase = NULL;
	CLEANUP_SECRET struct secret *none = NULL;
	struct fido2_enrolled enrolled, unused;

	plug_in(1);
	enroll(&usual, &enrolled, &passphrase);
	keys[0].touch = SOFTFIDO_DENIED;
	CU_ASSERT_EQUAL(unlock(&enrolled.token, NULL), -SDE_CANCELLED);
	keys[0].touch = SOFTFIDO_TIMEOUT;
	CU_ASSERT_EQUAL(unlock(&enrolled.token, NULL), -SDE_CANCELLED);
	keys[0].touch = SOFTFIDO_TOUCHED;
	CU_ASSERT_EQUAL(unlock(&enrolled.token, passphrase), 0);
	/* one that has no PIN yet, or no extension */
	keys[0].pin[0] = '\0';
	CU_ASSERT_EQUAL(fido2_enroll(&usual, &ui, &unused, &none, NULL), -SDE_TOKEN);
	asked = 0;
	CU_ASSERT_EQUAL(unlock(&enrolled.token, NULL), -SDE_TOKEN);
	CU_ASSERT_EQUAL(asked, 0);
	snprintf(keys[0].pin, sizeof(keys[0].pin), "1234");
	keys[0].no_hmac_secret = true;
	CU_ASSERT_EQUAL(fido2_enroll(&usual, &ui, &unused, &none, NULL), -SDE_TOKEN);
	softfido_plugged_count = 0;
	CU_ASSERT_EQUAL(fido2_enroll(&usual, &ui, &unused, &none, NULL), -SDE_NO_TOKEN);
	CU_ASSERT_EQUAL(unlock(&enrolled.token, NULL), -SDE_NO_TOKEN);
	softfido_plugged_count = 2;
	keys[0].no_hmac_secret = false;
	CU_ASSERT_EQUAL(fido2_enroll(&usual, &ui, &unused, &none, NULL), -SDE_TOKEN);
	CU_ASSERT_PTR_NULL(none);
}

/* Of two keys the right one is found, and only that is asked for its PIN and touched. */
static void test_two(void)
{
	CLEANUP_SECRET struct secret *first = NULL;
	CLEANUP_SECRET struct secret *second = NULL;
	CLEANUP_SECRET struct secret *got = NULL;
	struct fido2_enrolled a, b;
	struct token_fido2 both[2];
	size_t index;

	plug_in(1);
	enroll(&usual, &a, &first);
	softfido_plugged[0] = &keys[1];
	enroll(&usual, &b, &second);
	plug_in(2);
	CU_ASSERT_EQUAL(unlock(&b.token, second), 0);
	CU_ASSERT_EQUAL(keys[0].touches, 0);
	CU_ASSERT_EQUAL(keys[1].touches, 1);
	both[0] = a.token;
	both[1] = b.token;
	softfido_plugged[0] = &keys[1];
	softfido_plugged_count = 1;
	CU_ASSERT_EQUAL(fido2_unlock(both, 2, &ui, &index, &got, NULL), 0);
	CU_ASSERT_EQUAL(index, 1);
	CU_ASSERT(secret_equal(got, second));
	CU_ASSERT_EQUAL(unlock(&a.token, NULL), -SDE_NO_TOKEN);
}

/* Pulled out after any message: an error, and no secret. */
static void test_unplugged(void)
{
	CLEANUP_SECRET struct secret *passphrase = NULL;
	struct fido2_enrolled enrolled;
	int messages = 0, r;

	plug_in(1);
	enroll(&usual, &enrolled, &passphrase);
	do {
		keys[0].unplug_after = ++messages;
		r = unlock(&enrolled.token, passphrase);
		CU_ASSERT(r == 0 || r == -SDE_NO_TOKEN || r == -SDE_TOKEN);
	} while (r != 0 && messages < 200);
	CU_ASSERT_EQUAL(r, 0);
	CU_ASSERT(messages > 10);
}

/* What a process sends that ran a module: not to be believed. */
static void test_not_valid(void)
{
	struct pkcs11_enrolled card = {.token = {.wrapped_len = 1, .uri = "pkcs11:token=A;id=%01"}};
	struct fido2_enrolled key = {.token = {.credential_len = TOKEN_CREDENTIAL_MAX}};

	CU_ASSERT(pkcs11_enrolled_valid(&card));
	CU_ASSERT(fido2_enrolled_valid(&key));
	card.token.wrapped_len = TOKEN_WRAPPED_MAX + 1;
	CU_ASSERT(!pkcs11_enrolled_valid(&card));
	card.token.wrapped_len = TOKEN_WRAPPED_MAX;
	memset(card.serial, 'x', sizeof(card.serial));
	CU_ASSERT(!pkcs11_enrolled_valid(&card));
	snprintf(card.token.uri, sizeof(card.token.uri), "pkcs11:token=A?pin-value=1");
	card.serial[0] = '\0';
	CU_ASSERT(!pkcs11_enrolled_valid(&card));
	snprintf(card.token.uri, sizeof(card.token.uri), "pkcs11:token=A");
	CU_ASSERT(pkcs11_enrolled_valid(&card));
	card.token.padding = 7;
	CU_ASSERT(!pkcs11_enrolled_valid(&card));
	key.token.pin = 9;
	CU_ASSERT(!fido2_enrolled_valid(&key));
	key.token.pin = TOKEN_YES;
	CU_ASSERT(fido2_enrolled_valid(&key));
	key.token.credential_len++;
	CU_ASSERT(!fido2_enrolled_valid(&key));
	key.token.credential_len = 0;
	CU_ASSERT(!fido2_enrolled_valid(&key));
	key.token.credential_len = 1;
	memset(key.name, 'x', sizeof(key.name));
	CU_ASSERT(!fido2_enrolled_valid(&key));
}

int main(void)
{
	return UNIT_RUN(UNIT(test_round), UNIT(test_demands), UNIT(test_no_touch), UNIT(test_verification),
		UNIT(test_pins), UNIT(test_pin_forms),
		UNIT(test_one_pin), UNIT(test_refusals), UNIT(test_two), UNIT(test_unplugged), UNIT(test_not_valid));
}
