/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Making a new header. Every step is on the medium before the next begins:
 *
 *	old headers erased -> keyslots area random -> keyslot written -> secondary -> primary
 *
 * Interrupted before the first step is through, an old header may still be whole, and so are its
 * keyslots; after it and until the secondary is written, no header is there; from then on the new
 * one is, and opens.
 */
#include <errno.h>
#include <gcrypt.h>
#include <uuid.h>

#include "base/bytes.h"
#include "base/i18n.h"
#include "base/text.h"
#include "kernel-shim/cryptdev.h"
#include "keymgr/af.h"
#include "keymgr/digest.h"
#include "keymgr/judge.h"
#include "keymgr/hash.h"
#include "keymgr/kdf.h"
#include "keymgr/keyslot.h"
#include "keymgr/luks2-disk.h"
#include "keymgr/luks2-json.h"
#include "keymgr/luks2-wipe.h"
#include "keymgr/luks2-seal.h"

#define MIB (UINT64_C(1) << 20)

enum { ITER_TIME_MS = 2000, DIGEST_ITER_TIME_MS = 125, WIPE_CHUNK_BYTES = 1024 * 1024 };
static const uint64_t default_areas_bytes = 16 * MIB; /* headers and keyslots */
static const uint64_t keyslots_bytes_max = 128 * MIB;

/* What params come to when every default is filled in. */
struct plan {
	const char *cipher;
	uint32_t key_bytes, sector_bytes;
	uint64_t hdr_bytes, keyslots_bytes, data_offset;
};

static int plan_cipher(
	const struct luks2_format_params *params, struct plan *plan, struct diag *diag)
{
	plan->cipher = params->cipher ? params->cipher : "aes-xts-plain64";
	plan->key_bytes = params->key_bytes		  ? params->key_bytes
			  : strstr(plan->cipher, "-xts-") ? 64
							  : 32;
	if (strlen(plan->cipher) >= sizeof(((struct luks2_segment *)0)->cipher))
		return diag_set(diag, -SDE_CIPHER, _("its name is too long"));
	return cryptdev_check_cipher(plan->cipher, plan->key_bytes, diag);
}

static int plan_areas(
	const struct luks2_format_params *params, struct plan *plan, struct diag *diag)
{
	uint64_t end;

	plan->hdr_bytes = params->metadata_bytes ? params->metadata_bytes : LUKS2_HDR_BYTES_MIN;
	if (!luks2_disk_size_valid(plan->hdr_bytes))
		return diag_set(diag, -SDE_USAGE,
			_("the header size must be a power of two from 16 KiB to 4 MiB"));
	end = params->data_offset && !params->detached ? params->data_offset : default_areas_bytes;
	if (!params->keyslots_bytes && end < 2 * plan->hdr_bytes)
		return diag_set(
			diag, -SDE_USAGE, _("the data offset leaves no room for the header"));
	plan->keyslots_bytes =
		params->keyslots_bytes
			? params->keyslots_bytes
			: min_u64(round_down_u64(end - 2 * plan->hdr_bytes, KEYSLOT_ALIGN),
				  keyslots_bytes_max);
	if (plan->keyslots_bytes > keyslots_bytes_max || plan->keyslots_bytes % KEYSLOT_ALIGN ||
		plan->keyslots_bytes < keyslot_area_bytes(plan->key_bytes))
		return diag_set(diag, -SDE_USAGE,
			_("the key slots area must be a multiple of 4096 bytes, "
			  "at most 128 MiB, and hold at least one key slot"));
	end = 2 * plan->hdr_bytes + plan->keyslots_bytes;
	plan->data_offset = params->data_offset;
	if (!plan->data_offset && !params->detached)
		plan->data_offset = max_u64(default_areas_bytes, round_up_u64(end, MIB));
	if (plan->data_offset && plan->data_offset < end)
		return diag_set(
			diag, -SDE_USAGE, _("the data offset leaves no room for the key slots"));
	return 0;
}

static int plan_data(const struct luks2_format_params *params, uint64_t data_bytes,
	struct plan *plan, struct diag *diag)
{
	uint64_t room = data_bytes > plan->data_offset ? data_bytes - plan->data_offset : 0;

	plan->sector_bytes = params->sector_bytes ? params->sector_bytes : room % 4096 ? 512 : 4096;
	if (!is_power_of_2(plan->sector_bytes) || plan->sector_bytes < 512 ||
		plan->sector_bytes > 4096)
		return diag_set(diag, -SDE_USAGE,
			_("the sector size must be 512, 1024, 2048 or 4096 bytes"));
	if (plan->data_offset % plan->sector_bytes)
		return diag_set(diag, -SDE_USAGE,
			_("the data offset is not a multiple of the sector size"));
	if (room < plan->sector_bytes)
		return diag_set(diag, -SDE_TOO_SMALL, _("%llu bytes are needed at least"),
			(unsigned long long)(plan->data_offset + plan->sector_bytes));
	if (room % plan->sector_bytes)
		return diag_set(diag, -SDE_USAGE,
			_("the size of the data is not a multiple of the sector size"));
	return 0;
}

static int check_label(const char *label, struct diag *diag)
{
	CLEANUP_FREE char *clean = NULL;

	if (!label)
		return 0;
	if (strlen(label) > LUKS2_LABEL_MAX)
		return diag_set(diag, -SDE_USAGE, _("a label may have %d bytes"), LUKS2_LABEL_MAX);
	int r = text_sanitize(label, strlen(label), &clean);

	if (r)
		return r;
	if (strcmp(label, clean))
		return diag_set(
			diag, -SDE_USAGE, _("the label holds characters that cannot be shown"));
	return 0;
}

static int plan_make(const struct luks2_format_params *params, uint64_t data_bytes,
	struct plan *ret_plan, struct diag *diag)
{
	struct plan plan = {0};
	uuid_t uuid;
	int r = plan_cipher(params, &plan, diag);

	if (!r)
		r = plan_areas(params, &plan, diag);
	if (!r)
		r = plan_data(params, data_bytes, &plan, diag);
	if (!r)
		r = check_label(params->label, diag);
	if (!r)
		r = check_label(params->subsystem, diag);
	if (!r && !params->kdf_default)
		r = kdf_check_costs(&params->kdf, diag);
	if (!r && params->uuid && uuid_parse(params->uuid, uuid))
		r = diag_set(diag, -SDE_USAGE, _("the UUID is not one"));
	if (!r)
		*ret_plan = plan;
	return r;
}

int luks2_format_check(
	const struct luks2_format_params *params, uint64_t data_bytes, struct diag *diag)
{
	struct plan plan;
	int r = crypto_init();

	return r ? r : plan_make(params, data_bytes, &plan, diag);
}

/* A key whose halves are equal would make XTS unsafe, and means a broken random generator. */
static int volume_key_make(const struct plan *plan, struct secret **ret_key)
{
	CLEANUP_SECRET struct secret *key = NULL;
	int r = secret_new(plan->key_bytes, &key);

	if (r)
		return r;
	for (int tries = 0; tries < 8; tries++) {
		uint8_t *data = secret_data(key);

		gcry_randomize(data, plan->key_bytes, GCRY_VERY_STRONG_RANDOM);
		if (!bytes_equal_ct(data, data + plan->key_bytes / 2, plan->key_bytes / 2)) {
			*ret_key = take_ptr(key);
			return 0;
		}
	}
	return -SDE_WEAK_KEY;
}

/* Costs that the user has fixed: then nothing is measured on this machine, the digest neither. */
static bool costs_given(const struct luks2_format_params *params)
{
	const struct luks2_kdf *kdf = &params->kdf;

	return !params->kdf_default &&
	       (kdf->type == LUKS2_KDF_PBKDF2 ? kdf->iterations : kdf->time && kdf->memory_kib);
}

static int keyslot_plan(const struct luks2_format_params *params, const struct plan *plan,
	struct luks2_keyslot *slot)
{
	*slot = (struct luks2_keyslot){
		.type = "luks2",
		.usable = true,
		.priority = LUKS2_PRIORITY_NORMAL,
		.key_bytes = plan->key_bytes,
		.area_key_bytes = plan->key_bytes,
		.area_offset = 2 * plan->hdr_bytes,
		.area_size = keyslot_area_bytes(plan->key_bytes),
		.af_hash = "sha256",
		.af_stripes = AF_STRIPES,
	};
	strcpy(slot->area_cipher, plan->cipher);
	if (params->kdf_default)
		slot->kdf.type = LUKS2_KDF_ARGON2ID;
	else
		slot->kdf = params->kdf;
	slot->kdf.salt_len = KDF_SALT_BYTES;
	gcry_randomize(slot->kdf.salt, KDF_SALT_BYTES, GCRY_STRONG_RANDOM);
	return kdf_calibrate(&slot->kdf, plan->key_bytes,
		params->iter_time_ms ? params->iter_time_ms : ITER_TIME_MS, params->weakest_bytes);
}

static void identity_fill(const struct luks2_format_params *params, struct luks2 *hdr)
{
	uuid_t uuid;

	if (params->label)
		strcpy(hdr->label, params->label);
	if (params->subsystem)
		strcpy(hdr->subsystem, params->subsystem);
	strcpy(hdr->csum_alg, "sha256");
	/* plan_make() has seen that it parses */
	if (!params->uuid || uuid_parse(params->uuid, uuid))
		uuid_generate_random(uuid);
	uuid_unparse_lower(uuid, hdr->uuid);
}

static int model_make(const struct luks2_format_params *params, const struct plan *plan,
	const struct secret *key, struct luks2 *hdr)
{
	uint8_t salt[LUKS2_SEAL_SALT_BYTES];
	int r = keyslot_plan(params, plan, &hdr->keyslots[0]);

	if (!r)
		r = luks2_seal_salt(key, salt);
	if (!r)
		r = digest_make_salted(key, costs_given(params) ? 0 : DIGEST_ITER_TIME_MS, salt,
			&hdr->digests[0]);
	if (r)
		return r;
	identity_fill(params, hdr);
	hdr->version = 2;
	hdr->hdr_bytes = plan->hdr_bytes;
	hdr->keyslots_size = plan->keyslots_bytes;
	hdr->seqid = 1;
	hdr->keyslot_count = hdr->segment_count = hdr->digest_count = 1;
	hdr->digests[0].keyslots = hdr->digests[0].segments = 1;
	hdr->segments[0] = (struct luks2_segment){
		.type = "crypt",
		.offset = plan->data_offset,
		.sector_bytes = plan->sector_bytes,
	};
	strcpy(hdr->segments[0].cipher, plan->cipher);
	hdr->flags = calloc(1, sizeof(*hdr->flags));
	hdr->requirements = calloc(1, sizeof(*hdr->requirements));
	return hdr->flags && hdr->requirements ? 0 : -ENOMEM;
}

static int wipe_zero(struct blkdev *dev, uint64_t end)
{
	CLEANUP_FREE uint8_t *zeroes = calloc(1, WIPE_CHUNK_BYTES);
	int r = zeroes ? 0 : -ENOMEM;

	for (uint64_t at = 0, len; !r && at < end; at += len) {
		len = min_u64(end - at, WIPE_CHUNK_BYTES);
		r = blkdev_write(dev, zeroes, len, at);
	}
	return r;
}

static int wipe_areas(struct blkdev *dev, const struct plan *plan)
{
	uint64_t headers_end = 2 * plan->hdr_bytes;
	int r = luks2_disk_erase(dev);

	if (!r)
		r = wipe_zero(dev, headers_end);
	if (!r)
		r = luks2_wipe_random(dev, headers_end, headers_end + plan->keyslots_bytes, false);
	return r ? r : blkdev_flush(dev);
}

static int write_headers(struct blkdev *dev, const struct luks2 *hdr)
{
	CLEANUP_LUKS2_COPY struct luks2_copy copy = {
		.hdr_bytes = hdr->hdr_bytes, .seqid = hdr->seqid};
	int r = luks2_json_print(hdr->json, luks2_copy_json_bytes(&copy), &copy.json);

	if (r)
		return r;
	memcpy(copy.label, hdr->label, sizeof(copy.label));
	memcpy(copy.subsystem, hdr->subsystem, sizeof(copy.subsystem));
	memcpy(copy.uuid, hdr->uuid, sizeof(copy.uuid));
	memcpy(copy.csum_alg, hdr->csum_alg, sizeof(copy.csum_alg));
	r = luks2_disk_write(dev, &copy, true);
	return r ? r : luks2_disk_write(dev, &copy, false);
}

static int document_make(struct luks2 *hdr, const struct secret *key, struct diag *diag)
{
	json_t *doc = NULL;
	int r = luks2_json_from_model(hdr, &doc);

	hdr->json = doc;
	if (!r)
		r = luks2_seal_put(hdr, doc, key);
	if (r)
		return r;
	hdr->token_count = 1;
	hdr->tokens[0] = (struct luks2_token){.type = LUKS2_SEAL_TYPE};
	return luks2_json_validate(doc, hdr->hdr_bytes, diag);
}

int luks2_format_begin(struct blkdev *dev, uint64_t data_bytes,
	const struct luks2_format_params *params, const struct secret *passphrase,
	struct luks2 **ret_hdr, struct secret **ret_volume_key, struct diag *diag)
{
	CLEANUP_LUKS2 struct luks2 *hdr = calloc(1, sizeof(*hdr));
	CLEANUP_SECRET struct secret *key = NULL, *area_key = NULL;
	struct plan plan;
	int r = hdr ? crypto_init() : -ENOMEM;

	if (!r)
		r = plan_make(params, data_bytes, &plan, diag);
	if (r)
		return r;
	if (2 * plan.hdr_bytes + plan.keyslots_bytes > dev->size_bytes)
		return diag_set(diag, -SDE_TOO_SMALL, _("the header alone needs %llu bytes"),
			(unsigned long long)(2 * plan.hdr_bytes + plan.keyslots_bytes));
	r = volume_key_make(&plan, &key);
	if (!r)
		r = model_make(params, &plan, key, hdr);
	if (!r)
		r = document_make(hdr, key, diag);
	if (!r)
		r = luks2_judge(NULL, hdr, diag);
	if (!r)
		r = keyslot_derive(&hdr->keyslots[0], passphrase, &area_key, diag);
	/* nothing was written until here: from now on little but the device itself can fail */
	if (!r)
		r = wipe_areas(dev, &plan);
	if (!r)
		r = keyslot_write(&hdr->keyslots[0], dev, area_key, key, diag);
	if (!r)
		r = blkdev_flush(dev);
	if (r)
		return r;
	*ret_hdr = take_ptr(hdr);
	*ret_volume_key = take_ptr(key);
	return 0;
}

int luks2_format_finish(struct blkdev *dev, const struct luks2 *hdr)
{
	int r = write_headers(dev, hdr);

	/* one copy alone would open a drive that was reported as failed */
	if (r && luks2_disk_erase(dev))
		return r;
	return r;
}

int luks2_format(struct blkdev *dev, uint64_t data_bytes, const struct luks2_format_params *params,
	const struct secret *passphrase, struct luks2 **ret_hdr, struct secret **ret_volume_key,
	struct diag *diag)
{
	CLEANUP_LUKS2 struct luks2 *hdr = NULL;
	CLEANUP_SECRET struct secret *key = NULL;
	int r = luks2_format_begin(dev, data_bytes, params, passphrase, &hdr, &key, diag);

	if (!r)
		r = luks2_format_finish(dev, hdr);
	if (r)
		return r;
	*ret_hdr = take_ptr(hdr);
	*ret_volume_key = take_ptr(key);
	return 0;
}
