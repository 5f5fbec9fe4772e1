/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "keymgr/keyslot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/i18n.h"
#include "kernel-shim/cryptdev.h"
#include "keymgr/af.h"
#include "keymgr/hash.h"
#include "keymgr/kdf.h"

uint64_t keyslot_area_bytes(uint32_t key_bytes)
{
	return round_up_u64(af_bytes(key_bytes, AF_STRIPES), KEYSLOT_ALIGN);
}

static int unusable(const struct luks2_keyslot *slot, const char *why, struct diag *diag)
{
	return diag_set(diag, -SDE_HEADER_INVALID, _("key slot %d: %s"), slot->id, why);
}

int keyslot_check(const struct luks2_keyslot *slot, struct diag *diag)
{
	if (strcmp(slot->type, "luks2"))
		return unusable(slot, _("its type is not luks2"), diag);
	if (!slot->key_bytes || slot->key_bytes > KEYSLOT_KEY_BYTES_MAX)
		return unusable(slot, _("its key size is not supported"), diag);
	if (slot->af_stripes != AF_STRIPES || !hash_algo(slot->af_hash))
		return unusable(slot, _("its splitter is not supported"), diag);
	if (slot->area_offset % AF_SECTOR_BYTES ||
		af_bytes(slot->key_bytes, slot->af_stripes) > slot->area_size)
		return unusable(slot, _("its area is too small or not aligned"), diag);
	if (slot->kdf.salt_len != KDF_SALT_BYTES ||
		(slot->kdf.type == LUKS2_KDF_PBKDF2 && !hash_algo(slot->kdf.hash)))
		return unusable(slot, _("its key derivation is not supported"), diag);
	return cryptdev_check_cipher(slot->area_cipher, slot->area_key_bytes, diag);
}

/* The device below, lent to a layer that thinks it owns it. */
struct borrowed {
	struct blkdev dev;
	struct blkdev *lower;
};

static int borrowed_read(struct blkdev *dev, void *buf, size_t len, uint64_t off)
{
	return blkdev_read(container_of(dev, struct borrowed, dev)->lower, buf, len, off);
}

static int borrowed_write(struct blkdev *dev, void *buf, size_t len, uint64_t off,
	const struct blkdev_write *how)
{
	return blkdev_write_how(container_of(dev, struct borrowed, dev)->lower, buf, len, off, how);
}

static int borrowed_flush(struct blkdev *dev)
{
	return blkdev_flush(container_of(dev, struct borrowed, dev)->lower);
}

static void borrowed_close(struct blkdev *dev)
{
	free(container_of(dev, struct borrowed, dev));
}

static const struct blkdev_ops borrowed_ops = {
	.read = borrowed_read,
	.write = borrowed_write,
	.flush = borrowed_flush,
	.close = borrowed_close,
};

/* The keyslot's area as a device of its own, decrypted under key. */
static int area_open(const struct luks2_keyslot *slot, struct blkdev *lower,
	const struct secret *key, struct blkdev **ret_area, struct diag *diag)
{
	struct cryptdev_params params = {
		.cipher = slot->area_cipher,
		.sector_bytes = AF_SECTOR_BYTES,
		.offset_bytes = slot->area_offset,
		.size_bytes = af_bytes(slot->key_bytes, slot->af_stripes),
		.read_only = lower->read_only,
	};
	struct borrowed *borrowed = calloc(1, sizeof(*borrowed));

	if (!borrowed)
		return -ENOMEM;
	borrowed->dev = *lower;
	borrowed->dev.ops = &borrowed_ops;
	borrowed->dev.discards = false;
	borrowed->lower = lower;
	int r = cryptdev_open(&borrowed->dev, &params, key, ret_area, diag);

	if (r)
		free(borrowed);
	return r;
}

int keyslot_derive(const struct luks2_keyslot *slot, const struct secret *passphrase,
	struct secret **ret_area_key, struct diag *diag)
{
	CLEANUP_SECRET struct secret *area_key = NULL;
	int r = secret_new(slot->area_key_bytes, &area_key);

	if (!r)
		r = kdf_derive(&slot->kdf, passphrase, area_key, diag);
	if (r == -EINVAL) /* costs or a salt that the algorithm does not take */
		return unusable(slot, _("its key derivation is not supported"), diag);
	if (!r)
		*ret_area_key = take_ptr(area_key);
	return r;
}

int keyslot_read(const struct luks2_keyslot *slot, struct blkdev *dev,
	const struct secret *area_key, struct secret **ret_key, struct diag *diag)
{
	CLEANUP_SECRET struct secret *material = NULL;
	CLEANUP_BLKDEV struct blkdev *area = NULL;
	int r = area_open(slot, dev, area_key, &area, diag);

	if (!r)
		r = secret_new(af_bytes(slot->key_bytes, slot->af_stripes), &material);
	if (!r)
		r = blkdev_read(area, secret_data(material), secret_len(material), 0);
	return r ? r
		 : af_merge(material, slot->key_bytes, slot->af_stripes, slot->af_hash, ret_key);
}

int keyslot_write(const struct luks2_keyslot *slot, struct blkdev *dev,
	const struct secret *area_key, const struct secret *key, struct diag *diag)
{
	CLEANUP_SECRET struct secret *material = NULL;
	CLEANUP_BLKDEV struct blkdev *area = NULL;
	int r = af_split(key, slot->af_stripes, slot->af_hash, &material);

	if (!r)
		r = area_open(slot, dev, area_key, &area, diag);
	/* encrypted where it lies: the plain material is never copied */
	return r ? r : blkdev_write_clobber(area, secret_data(material), secret_len(material), 0);
}
