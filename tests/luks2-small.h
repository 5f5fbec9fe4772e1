/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A small LUKS2 volume in memory, and changes of its header, for the tests of luks2-update.h. */
#ifndef TESTS_LUKS2_SMALL_H
#define TESTS_LUKS2_SMALL_H

#include <stdint.h>
#include <string.h>

#include "keymgr/luks2-update-doc.h"
#include "tests/dev/memdev.h"
#include "tests/unit.h"

#define MIB (UINT64_C(1) << 20)

/* Room for three key slots: small enough to be copied for every state of a recording. */
enum { SLOT_AREA = 258048, HDR_BYTES = 16384, AREAS = 3, SIZE_BYTES = 2 * 1024 * 1024 };

static const struct luks2_format_params small = {
	.kdf = {.type = LUKS2_KDF_PBKDF2, .iterations = 1000},
	.keyslots_bytes = AREAS * SLOT_AREA,
	.data_offset = MIB,
};
static const struct luks2_keyslot_params cheap = {
	.kdf = {.type = LUKS2_KDF_PBKDF2, .hash = "sha256", .iterations = 1000},
	.priority = LUKS2_PRIORITY_NORMAL,
};

static inline struct secret *secret_of(const char *text)
{
	struct secret *secret = NULL;

	CU_ASSERT_EQUAL_FATAL(secret_new_copy(text, strlen(text), &secret), 0);
	return secret;
}

static inline struct blkdev *memory(void)
{
	struct blkdev *dev = NULL;

	CU_ASSERT_EQUAL_FATAL(memdev_new(SIZE_BYTES, 512, &dev), 0);
	return dev;
}

static inline struct luks2 *load(struct blkdev *dev)
{
	struct luks2 *hdr = NULL;

	CU_ASSERT_EQUAL_FATAL(luks2_load(dev, 0, &hdr, NULL), 0);
	return hdr;
}

/* Of the latest volume(): every change seals the header. */
static struct secret *volume_key;

/* A volume with passphrase "first" in key slot 0. */
static inline struct blkdev *volume(struct secret **ret_key)
{
	CLEANUP_BLKDEV struct blkdev *dev = memory();
	CLEANUP_SECRET struct secret *passphrase = secret_of("first"), *key = NULL;
	CLEANUP_LUKS2 struct luks2 *hdr = NULL;

	CU_ASSERT_EQUAL_FATAL(
		luks2_format(dev, SIZE_BYTES, &small, passphrase, &hdr, &key, NULL), 0);
	secret_free(volume_key);
	CU_ASSERT_EQUAL_FATAL(
		secret_new_copy(secret_data_const(key), secret_len(key), &volume_key), 0);
	if (ret_key)
		*ret_key = take_ptr(key);
	return take_ptr(dev);
}

/* The slot that opens with text, or an error. */
static inline int opens(struct blkdev *dev, const char *text)
{
	CLEANUP_SECRET struct secret *passphrase = secret_of(text), *key = NULL;
	CLEANUP_LUKS2 struct luks2 *hdr = NULL;
	int slot, r = luks2_load(dev, 0, &hdr, NULL);

	if (!r)
		r = luks2_check_usable(hdr, dev->size_bytes, NULL);
	if (!r)
		r = luks2_unlock(hdr, dev, passphrase, -1, &key, &slot, NULL);
	return r ? r : slot;
}

static inline uint64_t area_of(struct blkdev *dev, int id)
{
	CLEANUP_LUKS2 struct luks2 *hdr = load(dev);
	const struct luks2_keyslot *slot = luks2_keyslot_by_id(hdr, id);

	return slot ? slot->area_offset : 0;
}

/* Operations, each a whole update. */

static inline int add_slot(struct blkdev *dev, const char *text, const struct secret *key, int id)
{
	CLEANUP_LUKS2_UPDATE struct luks2_update *update = NULL;
	CLEANUP_LUKS2_NEW_KEYSLOT struct luks2_new_keyslot *new = NULL;
	CLEANUP_SECRET struct secret *passphrase = secret_of(text);
	int r = luks2_update_begin(dev, NULL, &update, NULL);

	if (!r)
		r = luks2_keyslot_prepare(luks2_update_header(update), &cheap, passphrase, &new, NULL);
	if (!r)
		r = luks2_keyslot_add(update, new, passphrase, key, id, NULL, NULL);
	return r ? r : luks2_update_commit(update, key, NULL);
}

static inline int replace_slot(struct blkdev *dev, const char *text, const struct secret *key, int id)
{
	CLEANUP_LUKS2_UPDATE struct luks2_update *update = NULL;
	CLEANUP_LUKS2_NEW_KEYSLOT struct luks2_new_keyslot *new = NULL;
	CLEANUP_SECRET struct secret *passphrase = secret_of(text);
	int r = luks2_update_begin(dev, NULL, &update, NULL);

	if (!r)
		r = luks2_keyslot_prepare(luks2_update_header(update), &cheap, passphrase, &new, NULL);
	if (!r)
		r = luks2_keyslot_replace(update, id, new, passphrase, key, NULL);
	return r ? r : luks2_update_commit(update, key, NULL);
}

static inline int remove_slot(struct blkdev *dev, int id, const struct secret *key)
{
	CLEANUP_LUKS2_UPDATE struct luks2_update *update = NULL;
	int r = luks2_update_begin(dev, NULL, &update, NULL);

	if (!r)
		r = luks2_keyslot_remove(update, id, NULL);
	return r ? r : luks2_update_commit(update, key, NULL);
}

static inline int set_priority(struct blkdev *dev, int id, enum luks2_priority priority)
{
	CLEANUP_LUKS2_UPDATE struct luks2_update *update = NULL;
	int r = luks2_update_begin(dev, NULL, &update, NULL);

	if (!r)
		r = luks2_keyslot_set_priority(update, id, priority, NULL);
	return r ? r : luks2_update_commit(update, volume_key, NULL);
}

static inline int put_token(struct blkdev *dev, const char *text)
{
	CLEANUP_LUKS2_UPDATE struct luks2_update *update = NULL;
	int r = luks2_update_begin(dev, NULL, &update, NULL);

	if (!r)
		r = luks2_token_put(update, -1, text, NULL, NULL);
	return r ? r : luks2_update_commit(update, volume_key, NULL);
}

#endif
