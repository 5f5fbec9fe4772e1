/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "keymgr/luks2-wipe.h"

#include <errno.h>
#include <gcrypt.h>
#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "base/secret.h"
#include "keymgr/luks2-rules.h"

enum { CHUNK_BYTES = 1024 * 1024, AREAS_MAX = 64 };

static const char token_type[] = "sealdrive-wipe";

/* ---- random bytes over a range ---- */

/* The keystream of a key that nobody keeps. */
struct stream {
	gcry_cipher_hd_t cipher;
	uint8_t *chunk, *found;
};

static void stream_close(struct stream *stream)
{
	gcry_cipher_close(stream->cipher);
	free(stream->chunk);
	free(stream->found);
}

static int stream_open(struct stream *stream)
{
	CLEANUP_SECRET struct secret *key = NULL;
	int r = secret_new(32, &key);

	if (r)
		return r;
	stream->chunk = malloc(CHUNK_BYTES);
	stream->found = malloc(CHUNK_BYTES);
	if (!stream->chunk || !stream->found)
		return -ENOMEM;
	gcry_randomize(secret_data(key), secret_len(key), GCRY_STRONG_RANDOM);
	if (gcry_cipher_open(&stream->cipher, GCRY_CIPHER_AES256, GCRY_CIPHER_MODE_CTR, GCRY_CIPHER_SECURE) ||
		gcry_cipher_setkey(stream->cipher, secret_data(key), secret_len(key)))
		return -SDE_CRYPTO;
	return 0;
}

static int stream_next(struct stream *stream, size_t len)
{
	memset(stream->chunk, 0, len);
	return gcry_cipher_encrypt(stream->cipher, stream->chunk, len, NULL, 0) ? -SDE_CRYPTO : 0;
}

static int stream_write(struct stream *stream, struct blkdev *dev, uint64_t start, uint64_t end)
{
	int r = gcry_cipher_setctr(stream->cipher, NULL, 0) ? -SDE_CRYPTO : 0;

	for (uint64_t at = start, len; !r && at < end; at += len) {
		len = min_u64(end - at, CHUNK_BYTES);
		r = stream_next(stream, len);
		if (!r)
			r = blkdev_write_clobber(dev, stream->chunk, len, at);
	}
	return r;
}

static int stream_compare(struct stream *stream, struct blkdev *dev, uint64_t start, uint64_t end)
{
	int r = gcry_cipher_setctr(stream->cipher, NULL, 0) ? -SDE_CRYPTO : 0;

	for (uint64_t at = start, len; !r && at < end; at += len) {
		len = min_u64(end - at, CHUNK_BYTES);
		r = stream_next(stream, len);
		if (!r)
			r = blkdev_refresh(dev, len, at);
		if (!r)
			r = blkdev_read(dev, stream->found, len, at);
		if (!r && memcmp(stream->chunk, stream->found, len))
			r = -EIO;
	}
	return r;
}

int luks2_wipe_random(struct blkdev *dev, uint64_t start, uint64_t end, bool read_back)
{
	CLEANUP(stream_close) struct stream stream = {0};
	int r = stream_open(&stream);

	if (!r)
		r = stream_write(&stream, dev, start, end);
	if (!r && read_back)
		r = blkdev_flush(dev);
	if (!r && read_back)
		r = stream_compare(&stream, dev, start, end);
	return r;
}

/* ---- areas to be overwritten ---- */

int luks2_wipe_add(json_t *wipes, uint64_t offset, uint64_t size)
{
	json_t *area = json_pack("[o, o]", json_sprintf("%" PRIu64, offset), json_sprintf("%" PRIu64, size));

	return json_array_append_new(wipes, area) ? -ENOMEM : 0;
}

/* What a token says may be anything: areas that make no sense are left out when it comes to it. */
int luks2_wipe_take(json_t *doc, json_t *wipes)
{
	json_t *tokens = json_object_get(doc, "tokens"), *token;
	const char *id;
	void *next;

	json_object_foreach_safe(tokens, next, id, token)
	{
		if (strcmp(get_string(token, "type"), token_type))
			continue;
		json_t *areas = json_object_get(token, "areas");

		if (json_is_array(areas) && json_array_size(areas) <= AREAS_MAX &&
			json_array_extend(wipes, areas))
			return -ENOMEM;
		json_object_del(tokens, id);
	}
	return 0;
}

int luks2_wipe_note(json_t *doc, const json_t *wipes)
{
	json_t *tokens = json_object_get(doc, "tokens");
	char id[16];

	for (int i = LUKS2_TOKENS_MAX - 1; i >= 0; i--) {
		snprintf(id, sizeof(id), "%d", i);
		if (json_object_get(tokens, id))
			continue;
		json_t *token = json_pack("{s:s, s:[], s:o}", "type", token_type, "keyslots", "areas",
			json_deep_copy(wipes));

		return json_object_set_new(tokens, id, token) ? -ENOMEM : 0;
	}
	return 0;
}

static bool meets_keyslot(const json_t *doc, uint64_t start, uint64_t end)
{
	const char *id;
	json_t *slot;

	json_object_foreach(json_object_get(doc, "keyslots"), id, slot)
	{
		const json_t *area = json_object_get(slot, "area");
		uint64_t at = get_number(area, "offset"), size = get_number(area, "size");

		if (at < end && start < at + size)
			return true;
	}
	return false;
}

int luks2_wipe_run(struct blkdev *dev, const struct luks2 *hdr, const json_t *wipes)
{
	uint64_t first = 2 * hdr->hdr_bytes, last = first + hdr->keyslots_size, start, size, end;
	json_t *area;
	size_t i;
	int r = 0;

	json_array_foreach(wipes, i, area)
	{
		if (!luks2_json_u64(json_array_get(area, 0), &start) ||
			!luks2_json_u64(json_array_get(area, 1), &size) || !add_u64(start, size, &end) ||
			start < first || end > last || meets_keyslot(hdr->json, start, end))
			continue;
		r = luks2_wipe_random(dev, start, end, true);
		if (r)
			return r;
	}
	return r;
}
