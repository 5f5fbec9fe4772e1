/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The commands of the key. Section numbers are those of CTAP 2.0. */
#include "tests/softfido/softfido.h"

#include <cbor.h>
#include <stdlib.h>
#include <string.h>

enum {
	MAKE_CREDENTIAL = 1,
	GET_ASSERTION = 2,
	GET_INFO = 4,
	CLIENT_PIN = 6,

	OK = 0x00,
	ERR_INVALID_CBOR = 0x12,
	ERR_MISSING_PARAMETER = 0x14,
	ERR_CREDENTIAL_EXCLUDED = 0x19,
	ERR_NO_CREDENTIALS = 0x2e,
	ERR_USER_ACTION_TIMEOUT = 0x2f,
	ERR_OPERATION_DENIED = 0x27,
	ERR_UNSUPPORTED_OPTION = 0x2b,
	ERR_INVALID_OPTION = 0x2c,
	ERR_PIN_INVALID = 0x31,
	ERR_PIN_BLOCKED = 0x32,
	ERR_PIN_AUTH_INVALID = 0x33,
	ERR_PIN_AUTH_BLOCKED = 0x34,
	ERR_PIN_NOT_SET = 0x35,
	ERR_PIN_REQUIRED = 0x36,

	FLAG_UP = 1 << 0,
	FLAG_UV = 1 << 2,
	FLAG_ATTESTED = 1 << 6,
	FLAG_EXTENSIONS = 1 << 7,

	NONCE = 16,
	CREDENTIAL_ID = NONCE + SOFTFIDO_HASH,
	RETRIES = 8,
	WRONG_IN_ROW = 3,
	PROTECTED = 1, /* in the first byte of the nonce: only for who is verified (CTAP 2.1 section 12.1) */
	PROTECT_UV_REQUIRED = 3,
};

static const uint8_t aaguid[16] = "sealdrive-soft";

/* ---- CBOR ---- */

/* The value of an unsigned or negative key; NULL. */
static cbor_item_t *get(const cbor_item_t *map, int key)
{
	if (!map || !cbor_isa_map(map))
		return NULL;
	for (size_t i = 0; i < cbor_map_size(map); i++) {
		cbor_item_t *k = cbor_map_handle(map)[i].key;

		if ((key >= 0 && cbor_isa_uint(k) && cbor_get_int(k) == (uint64_t)key) ||
			(key < 0 && cbor_isa_negint(k) && cbor_get_int(k) == (uint64_t)(-1 - key)))
			return cbor_map_handle(map)[i].value;
	}
	return NULL;
}

static cbor_item_t *get_named(const cbor_item_t *map, const char *name)
{
	if (!map || !cbor_isa_map(map))
		return NULL;
	for (size_t i = 0; i < cbor_map_size(map); i++) {
		cbor_item_t *k = cbor_map_handle(map)[i].key;

		if (cbor_isa_string(k) && cbor_string_length(k) == strlen(name) &&
			memcmp(cbor_string_handle(k), name, strlen(name)) == 0)
			return cbor_map_handle(map)[i].value;
	}
	return NULL;
}

static bool bytes(const cbor_item_t *item, const uint8_t **ret_data, size_t *ret_len)
{
	if (!item || !cbor_isa_bytestring(item) || !cbor_bytestring_is_definite(item))
		return false;
	*ret_data = cbor_bytestring_handle(item);
	*ret_len = cbor_bytestring_length(item);
	return true;
}

static int option(const cbor_item_t *options, const char *name, int missing)
{
	const cbor_item_t *value = get_named(options, name);

	return value && cbor_is_bool(value) ? cbor_get_bool(value) : missing;
}

static void put(cbor_item_t *map, cbor_item_t *key, cbor_item_t *value)
{
	if (!cbor_map_add(map, (struct cbor_pair){cbor_move(key), cbor_move(value)}))
		abort();
}

static cbor_item_t *integer(int value)
{
	return value >= 0 ? cbor_build_uint8(value) : cbor_build_negint8(-1 - value);
}

static int answer(struct softfido *key, cbor_item_t *map)
{
	size_t n = cbor_serialize(map, key->answer + 1, sizeof(key->answer) - 1);

	cbor_decref(&map);
	if (n == 0)
		abort();
	key->answer_len = n + 1;
	return OK;
}

static cbor_item_t *cose_key(const uint8_t point[SOFTFIDO_POINT], int algorithm)
{
	cbor_item_t *map = cbor_new_definite_map(5);

	put(map, integer(1), integer(2)); /* EC2 */
	put(map, integer(3), integer(algorithm));
	put(map, integer(-1), integer(1)); /* P-256 */
	put(map, integer(-2), cbor_build_bytestring(point + 1, 32));
	put(map, integer(-3), cbor_build_bytestring(point + 33, 32));
	return map;
}

static bool shared_secret(struct softfido *key, const cbor_item_t *cose, uint8_t shared[SOFTFIDO_HASH])
{
	uint8_t point[SOFTFIDO_POINT] = {4};
	const uint8_t *x, *y;
	size_t x_len, y_len;

	if (!bytes(get(cose, -2), &x, &x_len) || !bytes(get(cose, -3), &y, &y_len) || x_len != 32 || y_len != 32)
		return false;
	memcpy(point + 1, x, 32);
	memcpy(point + 33, y, 32);
	return soft_ecdh(key->scalar, point, shared);
}

/* ---- 5.4 authenticatorGetInfo ---- */

static int get_info(struct softfido *key)
{
	cbor_item_t *map = cbor_new_definite_map(6), *versions = cbor_new_definite_array(1);
	cbor_item_t *extensions = cbor_new_definite_array(1), *options = cbor_new_definite_map(4);
	cbor_item_t *protocols = cbor_new_definite_array(1);

	if (!cbor_array_push(versions, cbor_move(cbor_build_string("FIDO_2_0"))) ||
		!cbor_array_push(extensions, cbor_move(cbor_build_string(key->no_hmac_secret ? "other" : "hmac-secret"))) ||
		!cbor_array_push(protocols, cbor_move(cbor_build_uint8(1))))
		abort();
	put(options, cbor_build_string("rk"), cbor_build_bool(false));
	put(options, cbor_build_string("up"), cbor_build_bool(true));
	if (key->uv)
		put(options, cbor_build_string("uv"), cbor_build_bool(true));
	put(options, cbor_build_string("clientPin"), cbor_build_bool(key->pin[0] != '\0'));
	put(map, integer(1), versions);
	put(map, integer(2), extensions);
	put(map, integer(3), cbor_build_bytestring(aaguid, sizeof(aaguid)));
	put(map, integer(4), options);
	put(map, integer(5), cbor_build_uint16(1200));
	put(map, integer(6), protocols);
	return answer(key, map);
}

/* ---- 5.5 authenticatorClientPIN ---- */

static int wrong_pin(struct softfido *key)
{
	/* what was agreed on is not used again */
	soft_random(key->scalar, sizeof(key->scalar));
	key->scalar[0] = 0;
	soft_public(key->scalar, key->point);
	if (key->retries == 0)
		return ERR_PIN_BLOCKED;
	return ++key->wrong_in_row >= WRONG_IN_ROW ? ERR_PIN_AUTH_BLOCKED : ERR_PIN_INVALID;
}

static int get_pin_token(struct softfido *key, const cbor_item_t *request)
{
	uint8_t shared[SOFTFIDO_HASH], given[16], wanted[SOFTFIDO_HASH], token[SOFTFIDO_HASH];
	const uint8_t *encrypted;
	cbor_item_t *map;
	size_t len;

	if (!key->pin[0])
		return ERR_PIN_NOT_SET;
	if (key->retries == 0)
		return ERR_PIN_BLOCKED;
	if (key->wrong_in_row >= WRONG_IN_ROW)
		return ERR_PIN_AUTH_BLOCKED;
	if (!shared_secret(key, get(request, 3), shared) || !bytes(get(request, 6), &encrypted, &len) || len != 16)
		return ERR_MISSING_PARAMETER;
	key->retries--;
	memcpy(given, encrypted, 16);
	soft_aes(shared, given, 16, false);
	soft_sha256((const uint8_t *)key->pin, strlen(key->pin), wanted);
	if (memcmp(given, wanted, 16) != 0)
		return wrong_pin(key);
	key->retries = RETRIES;
	key->wrong_in_row = 0;
	memcpy(token, key->pin_token, sizeof(token));
	soft_aes(shared, token, sizeof(token), true);
	map = cbor_new_definite_map(1);
	put(map, integer(2), cbor_build_bytestring(token, sizeof(token)));
	return answer(key, map);
}

static int client_pin(struct softfido *key, const cbor_item_t *request)
{
	const cbor_item_t *sub = get(request, 2);
	cbor_item_t *map;

	if (!sub || !cbor_isa_uint(sub))
		return ERR_MISSING_PARAMETER;
	switch (cbor_get_int(sub)) {
	case 1: /* getRetries */
		map = cbor_new_definite_map(1);
		put(map, integer(3), cbor_build_uint8(key->retries));
		return answer(key, map);
	case 2: /* getKeyAgreement */
		map = cbor_new_definite_map(1);
		put(map, integer(1), cose_key(key->point, -25));
		return answer(key, map);
	case 5:
		return get_pin_token(key, request);
	default:
		return ERR_UNSUPPORTED_OPTION;
	}
}

/* pinAuth over the hash of the client data. */
static int check_pin_auth(struct softfido *key, const cbor_item_t *pin_auth, const uint8_t *hash, size_t hash_len,
	bool *ret_verified)
{
	uint8_t wanted[SOFTFIDO_HASH];
	const uint8_t *auth;
	size_t len;

	*ret_verified = false;
	if (!pin_auth)
		return OK;
	if (!key->pin[0])
		return ERR_PIN_NOT_SET;
	soft_hmac(key->pin_token, hash, hash_len, "", 0, wanted);
	if (!bytes(pin_auth, &auth, &len) || len != 16 || memcmp(auth, wanted, 16) != 0)
		return ERR_PIN_AUTH_INVALID;
	*ret_verified = true;
	return OK;
}

static int touch(struct softfido *key)
{
	key->touches++;
	key->blinks = key->touch == SOFTFIDO_WAITS;
	return key->touch == SOFTFIDO_TOUCHED || key->blinks ? OK
	       : key->touch == SOFTFIDO_DENIED ? ERR_OPERATION_DENIED
					       : ERR_USER_ACTION_TIMEOUT;
}

/* ---- credentials ---- */

static void derive(const struct softfido *key, const char *what, const uint8_t nonce[NONCE], uint8_t out[SOFTFIDO_HASH])
{
	soft_hmac(key->master, what, strlen(what), nonce, NONCE, out);
}

static void credential_mac(const struct softfido *key, const uint8_t nonce[NONCE],
	const uint8_t rp_hash[SOFTFIDO_HASH], uint8_t out[SOFTFIDO_HASH])
{
	soft_hmac(key->master, nonce, NONCE, rp_hash, SOFTFIDO_HASH, out);
}

static void sign_scalar(const struct softfido *key, const uint8_t nonce[NONCE], uint8_t scalar[SOFTFIDO_HASH])
{
	derive(key, "sign", nonce, scalar);
	scalar[0] = 0; /* smaller than the order */
}

static void sign_answer(const uint8_t scalar[SOFTFIDO_HASH], const uint8_t *data, size_t len, const uint8_t *hash,
	cbor_item_t **ret_signature)
{
	uint8_t both[SOFTFIDO_MESSAGE_MAX], digest[SOFTFIDO_HASH], der[80];

	memcpy(both, data, len);
	memcpy(both + len, hash, SOFTFIDO_HASH);
	soft_sha256(both, len + SOFTFIDO_HASH, digest);
	*ret_signature = cbor_build_bytestring(der, soft_sign(scalar, digest, der));
}

static size_t put_data(uint8_t *data, const uint8_t rp_hash[SOFTFIDO_HASH], uint8_t flags)
{
	memcpy(data, rp_hash, SOFTFIDO_HASH);
	data[32] = flags;
	memset(data + 33, 0, 4); /* no counter */
	return 37;
}

/* The nonce of the first listed credential that is ours. */
static const uint8_t *find_credential(const struct softfido *key, const cbor_item_t *list,
	const uint8_t rp_hash[SOFTFIDO_HASH])
{
	for (size_t i = 0; list && cbor_isa_array(list) && i < cbor_array_size(list); i++) {
		uint8_t mac[SOFTFIDO_HASH];
		const uint8_t *id;
		size_t len;

		if (!bytes(get_named(cbor_array_handle(list)[i], "id"), &id, &len) || len != CREDENTIAL_ID)
			continue;
		credential_mac(key, id, rp_hash, mac);
		if (memcmp(mac, id + NONCE, sizeof(mac)) == 0)
			return id;
	}
	return NULL;
}

/* ---- 5.1 authenticatorMakeCredential ---- */

static int make_credential(struct softfido *key, const cbor_item_t *request)
{
	const cbor_item_t *id = get_named(get(request, 2), "id"), *extensions = get(request, 6);
	uint8_t rp_hash[SOFTFIDO_HASH], scalar[SOFTFIDO_HASH], point[SOFTFIDO_POINT], data[512];
	const uint8_t *hash, *excluded;
	cbor_item_t *map, *cose, *made, *statement, *signature;
	const cbor_item_t *protect = get_named(extensions, "credProtect");
	bool verified, hmac = option(extensions, "hmac-secret", 0);
	size_t hash_len, n;
	int err;

	if (!bytes(get(request, 1), &hash, &hash_len) || hash_len != SOFTFIDO_HASH || !id || !cbor_isa_string(id))
		return ERR_MISSING_PARAMETER;
	if (option(get(request, 7), "rk", 0))
		return ERR_UNSUPPORTED_OPTION;
	err = check_pin_auth(key, get(request, 8), hash, hash_len, &verified);
	if (err)
		return err;
	if (option(get(request, 7), "uv", 0))
		verified = key->uv;
	if (key->pin[0] && !verified)
		return ERR_PIN_REQUIRED;
	err = touch(key);
	if (err)
		return err;
	soft_sha256(cbor_string_handle(id), cbor_string_length(id), rp_hash);
	excluded = find_credential(key, get(request, 5), rp_hash);
	if (excluded && (!(excluded[0] & PROTECTED) || verified))
		return ERR_CREDENTIAL_EXCLUDED;
	n = put_data(data, rp_hash,
		FLAG_UP | FLAG_ATTESTED | (verified ? FLAG_UV : 0) | (hmac ? FLAG_EXTENSIONS : 0));
	memcpy(data + n, aaguid, sizeof(aaguid));
	n += sizeof(aaguid);
	data[n++] = 0;
	data[n++] = CREDENTIAL_ID;
	soft_random(data + n, NONCE);
	data[n] &= ~PROTECTED;
	if (protect && cbor_isa_uint(protect) && cbor_get_int(protect) == PROTECT_UV_REQUIRED)
		data[n] |= PROTECTED;
	credential_mac(key, data + n, rp_hash, data + n + NONCE);
	sign_scalar(key, data + n, scalar);
	n += CREDENTIAL_ID;
	soft_public(scalar, point);
	cose = cose_key(point, -7);
	n += cbor_serialize(cose, data + n, sizeof(data) - n);
	cbor_decref(&cose);
	if (hmac) {
		made = cbor_new_definite_map(1);
		put(made, cbor_build_string("hmac-secret"), cbor_build_bool(true));
		n += cbor_serialize(made, data + n, sizeof(data) - n);
		cbor_decref(&made);
	}
	sign_answer(scalar, data, n, hash, &signature);
	statement = cbor_new_definite_map(2);
	put(statement, cbor_build_string("alg"), integer(-7));
	put(statement, cbor_build_string("sig"), signature);
	map = cbor_new_definite_map(3);
	put(map, integer(1), cbor_build_string("packed"));
	put(map, integer(2), cbor_build_bytestring(data, n));
	put(map, integer(3), statement);
	return answer(key, map);
}

/* ---- 5.2 authenticatorGetAssertion ---- */

/* 9.1: one or two salts of 32 bytes. */
static int hmac_secret(struct softfido *key, const cbor_item_t *input, const uint8_t nonce[NONCE], bool verified,
	uint8_t out[64], size_t *ret_len)
{
	uint8_t shared[SOFTFIDO_HASH], mac[SOFTFIDO_HASH], secret[SOFTFIDO_HASH], salts[64];
	const uint8_t *encrypted, *auth;
	size_t len, auth_len;

	if (!shared_secret(key, get(input, 1), shared) || !bytes(get(input, 2), &encrypted, &len) ||
		(len != 32 && len != 64) || !bytes(get(input, 3), &auth, &auth_len) || auth_len != 16)
		return ERR_MISSING_PARAMETER;
	soft_hmac(shared, encrypted, len, "", 0, mac);
	if (memcmp(mac, auth, 16) != 0)
		return ERR_INVALID_OPTION;
	memcpy(salts, encrypted, len);
	soft_aes(shared, salts, len, false);
	derive(key, verified ? "with" : "without", nonce, secret);
	for (size_t i = 0; i < len; i += 32)
		soft_hmac(secret, salts + i, 32, "", 0, out + i);
	soft_aes(shared, out, len, true);
	*ret_len = len;
	return OK;
}

static int get_assertion(struct softfido *key, const cbor_item_t *request)
{
	const cbor_item_t *id = get(request, 1), *options = get(request, 5);
	const cbor_item_t *input = get_named(get(request, 4), "hmac-secret");
	uint8_t rp_hash[SOFTFIDO_HASH], scalar[SOFTFIDO_HASH], data[512], output[64];
	bool verified, up = option(options, "up", 1);
	cbor_item_t *map, *credential, *made, *signature;
	const uint8_t *hash, *nonce;
	size_t hash_len, n, output_len = 0;
	int err;

	if (!id || !cbor_isa_string(id) || !bytes(get(request, 2), &hash, &hash_len) || hash_len != SOFTFIDO_HASH)
		return ERR_MISSING_PARAMETER;
	err = check_pin_auth(key, get(request, 6), hash, hash_len, &verified);
	if (err)
		return err;
	if (option(options, "uv", 0)) {
		if (!key->uv)
			return ERR_UNSUPPORTED_OPTION;
		verified = true;
	}
	soft_sha256(cbor_string_handle(id), cbor_string_length(id), rp_hash);
	nonce = find_credential(key, get(request, 3), rp_hash);
	if (!nonce || ((nonce[0] & PROTECTED) && !verified))
		return ERR_NO_CREDENTIALS;
	if (key->forgetful && verified)
		return ERR_NO_CREDENTIALS;
	err = up ? touch(key) : OK;
	if (!err && input)
		err = hmac_secret(key, input, nonce, verified, output, &output_len);
	if (err)
		return err;
	n = put_data(data, rp_hash, (up ? FLAG_UP : 0) | (verified ? FLAG_UV : 0) | (input ? FLAG_EXTENSIONS : 0));
	if (input) {
		made = cbor_new_definite_map(1);
		put(made, cbor_build_string("hmac-secret"), cbor_build_bytestring(output, output_len));
		n += cbor_serialize(made, data + n, sizeof(data) - n);
		cbor_decref(&made);
	}
	sign_scalar(key, nonce, scalar);
	sign_answer(scalar, data, n, hash, &signature);
	credential = cbor_new_definite_map(2);
	put(credential, cbor_build_string("id"), cbor_build_bytestring(nonce, CREDENTIAL_ID));
	put(credential, cbor_build_string("type"), cbor_build_string("public-key"));
	map = cbor_new_definite_map(3);
	put(map, integer(1), credential);
	put(map, integer(2), cbor_build_bytestring(data, n));
	put(map, integer(3), signature);
	return answer(key, map);
}

void softfido_reset_session(struct softfido *key)
{
	soft_random(key->scalar, sizeof(key->scalar));
	key->scalar[0] = 0; /* smaller than the order */
	soft_public(key->scalar, key->point);
	soft_random(key->pin_token, sizeof(key->pin_token));
	key->wrong_in_row = 0;
}

void softfido_command(struct softfido *key, const uint8_t *message, size_t len)
{
	struct cbor_load_result loaded;
	cbor_item_t *request = len > 1 ? cbor_load(message + 1, len - 1, &loaded) : NULL;
	int status = ERR_INVALID_CBOR;

	key->answer_len = 1;
	if (len > 0 && message[0] == GET_INFO)
		status = get_info(key);
	else if (request && message[0] == CLIENT_PIN)
		status = client_pin(key, request);
	else if (request && message[0] == MAKE_CREDENTIAL)
		status = make_credential(key, request);
	else if (request && message[0] == GET_ASSERTION)
		status = get_assertion(key, request);
	key->answer[0] = status;
	if (status != OK)
		key->answer_len = 1;
	if (request)
		cbor_decref(&request);
}
