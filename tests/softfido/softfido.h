/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A security key in software, for tests: CTAP 2.0 (authenticatorGetInfo, ClientPIN with protocol 1,
 * MakeCredential, GetAssertion) with the hmac-secret extension, spoken to through libfido2's transport
 * hooks. It keeps nothing but what is in struct softfido: credentials are made of the master key.
 */
#ifndef TESTS_SOFTFIDO_H
#define TESTS_SOFTFIDO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SOFTFIDO_MESSAGE_MAX = 2048, SOFTFIDO_HASH = 32, SOFTFIDO_POINT = 65 };

/* WAITS: until it is cancelled; meanwhile it BLINKS, then it is CANCELLED */
enum softfido_touch {
	SOFTFIDO_TOUCHED, SOFTFIDO_DENIED, SOFTFIDO_TIMEOUT, SOFTFIDO_WAITS, SOFTFIDO_CANCELLED, SOFTFIDO_BLINKS
};

struct softfido {
	char name[32];
	uint8_t master[SOFTFIDO_HASH];
	char pin[64];	  /* "": none is set */
	int retries;	  /* of 8; 0: blocked */
	int wrong_in_row; /* 3: has to be plugged in again */
	bool uv;	  /* a built-in method, which always recognises */
	bool no_hmac_secret;
	bool forgetful; /* has the credential until the PIN is there */
	enum softfido_touch touch;
	int unplug_after; /* messages; -1: never */
	int touches;	  /* how often it was asked to be touched */
	bool blinks;	  /* waits for it now */

	/* of the session */
	uint8_t scalar[SOFTFIDO_HASH], point[SOFTFIDO_POINT]; /* key agreement */
	uint8_t pin_token[SOFTFIDO_HASH];
	uint8_t answer[SOFTFIDO_MESSAGE_MAX];
	size_t answer_len;
	uint8_t answer_command;
};

/* One CTAP command (the byte and its CBOR); fills answer. */
void softfido_command(struct softfido *key, const uint8_t *message, size_t len);
/* A new key agreement and PIN token, as after plugging in. */
void softfido_reset_session(struct softfido *key);

/* ---- primitives (softfido-crypto.c) ---- */
void soft_random(uint8_t *out, size_t len);
void soft_sha256(const uint8_t *data, size_t len, uint8_t out[SOFTFIDO_HASH]);
void soft_hmac(const uint8_t key[SOFTFIDO_HASH], const void *a, size_t a_len, const void *b, size_t b_len,
	uint8_t out[SOFTFIDO_HASH]);
/* AES-256-CBC with a zero IV, whole blocks, in place. */
void soft_aes(const uint8_t key[SOFTFIDO_HASH], uint8_t *data, size_t len, bool encrypt);
void soft_public(const uint8_t scalar[SOFTFIDO_HASH], uint8_t point[SOFTFIDO_POINT]);
/* SHA-256 of the x coordinate; false when the point is not on the curve. */
bool soft_ecdh(const uint8_t scalar[SOFTFIDO_HASH], const uint8_t point[SOFTFIDO_POINT],
	uint8_t shared[SOFTFIDO_HASH]);
/* ECDSA over SHA-256, as DER; returns its length. */
size_t soft_sign(const uint8_t scalar[SOFTFIDO_HASH], const uint8_t hash[SOFTFIDO_HASH], uint8_t out[80]);

#endif
