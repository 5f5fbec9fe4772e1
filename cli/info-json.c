/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* docs/JSON.md describes this form to others: members are added, never changed. */
#include "cli/info.h"

#include "cli/jsonout.h"
#include "keymgr/custody.h"
#include "keymgr/luks2-update.h"
#include "keymgr/luks2-seal.h"
#include "keymgr/share-set.h"

static const char *const copy_states_json[] = {
	[LUKS2_COPY_OK] = "ok",
	[LUKS2_COPY_DAMAGED] = "damaged",
	[LUKS2_COPY_OLD] = "old",
	[LUKS2_COPY_MISSING] = "missing",
};
static const char *const priorities_json[] = {
	[LUKS2_PRIORITY_IGNORE] = "ignore",
	[LUKS2_PRIORITY_NORMAL] = "normal",
	[LUKS2_PRIORITY_HIGH] = "high",
};

static void json_ids(struct jsonout *out, const char *key, uint32_t ids)
{
	jsonout_array(out, key);
	for (int id = 0; id < 32; id++)
		if (ids & (UINT32_C(1) << id))
			jsonout_number(out, NULL, id);
	jsonout_end_array(out);
}

static void json_words(struct jsonout *out, const char *key, char **words)
{
	jsonout_array(out, key);
	for (; words && *words; words++)
		jsonout_string(out, NULL, *words);
	jsonout_end_array(out);
}

/* An id, or null for -1. */
static void json_id(struct jsonout *out, const char *key, int id)
{
	if (id < 0)
		jsonout_string(out, key, NULL);
	else
		jsonout_number(out, key, id);
}

static void json_header(struct jsonout *out, const struct luks2 *hdr)
{
	jsonout_object(out, "header");
	jsonout_number(out, "copy_bytes", hdr->hdr_bytes);
	jsonout_number(out, "keyslots_area_bytes", hdr->keyslots_size);
	/* version 1 has neither checksum nor second copy */
	jsonout_string(out, "checksum", hdr->version == 1 ? NULL : hdr->csum_alg);
	jsonout_string(out, "primary", copy_states_json[hdr->copies[0]]);
	jsonout_string(out, "secondary",
		hdr->version == 1 ? NULL : copy_states_json[hdr->copies[1]]);
	jsonout_end_object(out);
}

static void json_segment(struct jsonout *out, const struct luks2_segment *segment)
{
	jsonout_object(out, NULL);
	jsonout_number(out, "id", segment->id);
	jsonout_string(out, "type", segment->type);
	jsonout_number(out, "offset_bytes", segment->offset);
	if (segment->size)
		jsonout_number(out, "size_bytes", segment->size);
	else
		jsonout_string(out, "size_bytes", NULL);
	jsonout_number(out, "iv_tweak", segment->iv_tweak);
	jsonout_string(out, "cipher", segment->cipher);
	jsonout_number(out, "sector_bytes", segment->sector_bytes);
	jsonout_bool(out, "integrity", segment->integrity);
	json_id(out, "digest", segment->digest);
	jsonout_end_object(out);
}

static void json_kdf(struct jsonout *out, const struct luks2_kdf *kdf)
{
	jsonout_object(out, "kdf");
	jsonout_string(out, "type", luks2_kdf_name(kdf->type));
	if (kdf->type == LUKS2_KDF_PBKDF2) {
		jsonout_string(out, "hash", kdf->hash);
		jsonout_number(out, "iterations", kdf->iterations);
	} else {
		jsonout_number(out, "time", kdf->time);
		jsonout_number(out, "memory_kib", kdf->memory_kib);
		jsonout_number(out, "threads", kdf->cpus);
	}
	jsonout_number(out, "salt_bytes", kdf->salt_len);
	jsonout_end_object(out);
}

static void json_custody_object(struct jsonout *out, const char *key, const struct custody *custody)
{
	jsonout_object(out, key);
	jsonout_string(out, "owner", custody->owner);
	jsonout_string(out, "serial", custody->serial);
	jsonout_string(out, "label", custody->label);
	jsonout_string(out, "model", custody->model);
	jsonout_string(out, "enrolled", custody->enrolled);
	jsonout_string(out, "expires", custody->expires);
	jsonout_end_object(out);
}

/* The first note, and the others: of the second of two tokens, say. */
static void json_custody(struct jsonout *out, const struct luks2 *hdr, int keyslot)
{
	struct custody custody;
	bool any = false;

	if (custody_of_keyslot(hdr, keyslot, &custody))
		json_custody_object(out, "custody", &custody);
	else
		jsonout_string(out, "custody", NULL);
	jsonout_array(out, "more_custody");
	for (int i = 0; i < hdr->token_count; i++) {
		if (!(hdr->tokens[i].keyslots >> keyslot & 1) || !custody_read(hdr, i, &custody))
			continue;
		if (any)
			json_custody_object(out, NULL, &custody);
		any = true;
	}
	jsonout_end_array(out);
}

void info_json_keyslot(struct jsonout *out, const struct luks2 *hdr, const struct luks2_keyslot *slot)
{
	jsonout_object(out, NULL);
	jsonout_number(out, "id", slot->id);
	jsonout_string(out, "type", slot->type);
	jsonout_bool(out, "usable", slot->usable);
	jsonout_bool(out, "opens", luks2_keyslot_opens(hdr, slot));
	jsonout_array(out, "tokens");
	for (int i = 0; i < hdr->token_count; i++)
		if (hdr->tokens[i].keyslots >> slot->id & 1)
			jsonout_number(out, NULL, hdr->tokens[i].id);
	jsonout_end_array(out);
	json_custody(out, hdr, slot->id);
	if (slot->usable) {
		jsonout_string(out, "priority", priorities_json[slot->priority]);
		jsonout_number(out, "key_bits", slot->key_bytes * UINT64_C(8));
		jsonout_object(out, "area");
		jsonout_number(out, "offset_bytes", slot->area_offset);
		jsonout_number(out, "size_bytes", slot->area_size);
		jsonout_string(out, "cipher", slot->area_cipher);
		jsonout_number(out, "key_bits", slot->area_key_bytes * UINT64_C(8));
		jsonout_end_object(out);
		jsonout_object(out, "af");
		jsonout_string(out, "hash", slot->af_hash);
		jsonout_number(out, "stripes", slot->af_stripes);
		jsonout_end_object(out);
		json_kdf(out, &slot->kdf);
		json_id(out, "digest", slot->digest);
	}
	jsonout_end_object(out);
}

static void json_digest(struct jsonout *out, const struct luks2_digest *digest)
{
	jsonout_object(out, NULL);
	jsonout_number(out, "id", digest->id);
	jsonout_string(out, "type", digest->type);
	jsonout_string(out, "hash", digest->hash);
	jsonout_number(out, "iterations", digest->iterations);
	json_ids(out, "keyslots", digest->keyslots);
	json_ids(out, "segments", digest->segments);
	jsonout_end_object(out);
}

static void json_share_set(struct jsonout *out, const struct luks2 *hdr, int token)
{
	struct share_set set;
	char name[SHARE_SET_CHARS];

	if (!share_set_read(hdr, token, &set))
		return;
	share_set_name(set.set, name);
	jsonout_object(out, "shares");
	jsonout_string(out, "set", name);
	jsonout_number(out, "count", set.count);
	jsonout_number(out, "threshold", set.threshold);
	jsonout_string(out, "made", set.made);
	jsonout_end_object(out);
}

static void json_token(struct jsonout *out, const struct luks2 *hdr, const struct luks2_token *token)
{
	jsonout_object(out, NULL);
	jsonout_number(out, "id", token->id);
	jsonout_string(out, "type", token->type);
	json_ids(out, "keyslots", token->keyslots);
	json_share_set(out, hdr, token->id);
	jsonout_end_object(out);
}

static void json_lists(struct jsonout *out, const struct luks2 *hdr)
{
	jsonout_array(out, "segments");
	for (int i = 0; i < hdr->segment_count; i++)
		json_segment(out, &hdr->segments[i]);
	jsonout_end_array(out);
	jsonout_array(out, "keyslots");
	for (int i = 0; i < hdr->keyslot_count; i++)
		info_json_keyslot(out, hdr, &hdr->keyslots[i]);
	jsonout_end_array(out);
	jsonout_array(out, "tokens");
	for (int i = 0; i < hdr->token_count; i++)
		json_token(out, hdr, &hdr->tokens[i]);
	jsonout_end_array(out);
	jsonout_array(out, "digests");
	for (int i = 0; i < hdr->digest_count; i++)
		json_digest(out, &hdr->digests[i]);
	jsonout_end_array(out);
}

void info_print_json(const struct info *info)
{
	const struct luks2 *hdr = info->hdr;
	struct jsonout out = {0};

	jsonout_object(&out, NULL);
	jsonout_string(&out, "path", info->path);
	jsonout_string(&out, "format", hdr->version == 1 ? "luks1" : "luks2");
	jsonout_number(&out, "size_bytes", info->size_bytes);
	jsonout_string(&out, "uuid", hdr->uuid);
	jsonout_string(&out, "label", hdr->label);
	jsonout_string(&out, "subsystem", hdr->subsystem);
	jsonout_number(&out, "sequence", hdr->seqid);
	jsonout_bool(&out, "usable", info->usable >= 0);
	jsonout_bool(&out, "sealed", luks2_seal_present(hdr));
	json_header(&out, hdr);
	json_words(&out, "flags", hdr->flags);
	json_words(&out, "requirements", hdr->requirements);
	json_lists(&out, hdr);
	jsonout_end_object(&out);
}
