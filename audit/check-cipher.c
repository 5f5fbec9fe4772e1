/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Cipher, mode, key length, sectors: of the data, and of the areas that hold its key. */
#include <string.h>

#include "audit/checks.h"
#include "base/i18n.h"

/* Whether cipher is one of the words, or one of them with a way of making IVs behind it. */
static bool cipher_among(const json_t *words, const char *cipher)
{
	json_t *item;
	size_t i;

	json_array_foreach(words, i, item)
	{
		const char *word = json_string_value(item);
		size_t len = strlen(word);

		if (strncmp(cipher, word, len) == 0 && (!cipher[len] || strchr("-:", cipher[len])))
			return true;
	}
	return false;
}

static bool is_xts(const char *cipher)
{
	return strstr(cipher, "-xts-") != NULL;
}

/* Calls see for every crypt segment; without one there is nothing that encrypts. */
static void each_segment(const struct check_input *in, struct finding *f,
	void (*see)(const struct check_input *in, const struct luks2_segment *segment, const char *at, struct finding *f))
{
	char at[64];
	int count = 0;

	for (int i = 0; i < in->hdr->segment_count; i++) {
		const struct luks2_segment *segment = &in->hdr->segments[i];

		finding_at(at, "segments", segment->id, "");
		if (strcmp(segment->type, "crypt") == 0) {
			see(in, segment, at, f);
			count++;
		} else {
			finding_saw(f, VERDICT_BAD, at, _("segment %d is not encrypted (%s)"), segment->id, segment->type);
		}
	}
	if (!count)
		finding_saw(f, VERDICT_BAD, "/segments", _("no encrypted segment"));
}

static void see_cipher(const struct check_input *in, const struct luks2_segment *segment, const char *at,
	struct finding *f)
{
	const char *cipher = segment->cipher;

	finding_saw(f, cipher_among(rule_words(in->rule, "allow"), cipher)  ? VERDICT_GOOD
		       : cipher_among(rule_words(in->rule, "warn"), cipher) ? VERDICT_ADVICE
									    : VERDICT_BAD,
		at, "%s", cipher[0] ? cipher : _("none that can be read"));
}

void check_cipher(const struct check_input *in, struct finding *f)
{
	CLEANUP_FREE char *allow = words_text(rule_words(in->rule, "allow"));
	CLEANUP_FREE char *warn = words_text(rule_words(in->rule, "warn"));

	if (warn && warn[0])
		finding_want(f, _("%s; with a warning: %s"), allow ? allow : "", warn);
	finding_want(f, "%s", allow ? allow : "");
	each_segment(in, f, see_cipher);
}

static void see_medium(const struct check_input *in, const struct luks2_segment *segment, const char *at,
	struct finding *f)
{
	int rotational = in->facts->device.rotational;
	const json_t *words = rule_words(in->rule, rotational ? "disk" : "flash");

	if (rotational < 0)
		finding_saw(f, VERDICT_UNKNOWN, at, _("%s on a medium of unknown kind"), segment->cipher);
	else
		finding_saw(f, cipher_among(words, segment->cipher) ? VERDICT_GOOD : VERDICT_BAD, at,
			rotational ? _("%s on a hard disk") : _("%s on flash memory"), segment->cipher);
}

void check_medium(const struct check_input *in, struct finding *f)
{
	CLEANUP_FREE char *flash = words_text(rule_words(in->rule, "flash"));
	CLEANUP_FREE char *disk = words_text(rule_words(in->rule, "disk"));

	finding_want(f, _("flash memory: %s; hard disk: %s"), flash ? flash : "", disk ? disk : "");
	each_segment(in, f, see_medium);
}

/* The length of the key of a segment, from the key slots that hold it; 0: none does. */
static uint32_t key_bytes_of(const struct luks2 *hdr, const struct luks2_segment *segment, int *ret_slot)
{
	for (int i = 0; i < hdr->keyslot_count; i++)
		if (hdr->keyslots[i].digest >= 0 && hdr->keyslots[i].digest == segment->digest &&
			hdr->keyslots[i].key_bytes) {
			*ret_slot = hdr->keyslots[i].id;
			return hdr->keyslots[i].key_bytes;
		}
	return 0;
}

static void see_key_size(const struct check_input *in, const struct luks2_segment *segment, const char *at,
	struct finding *f)
{
	uint64_t min = rule_number(in->rule, "min_bytes"), advised = rule_number(in->rule, "advised_bytes");
	char slot_at[64];
	int slot;
	uint32_t bytes = key_bytes_of(in->hdr, segment, &slot);

	if (!bytes) {
		finding_saw(f, VERDICT_UNKNOWN, at, _("no key slot tells"));
		return;
	}
	/* the thresholds are for XTS, whose key is two keys */
	uint64_t scale = is_xts(segment->cipher) ? 1 : 2;

	finding_saw(f, bytes * scale < min	 ? VERDICT_BAD
		       : bytes * scale < advised ? VERDICT_ADVICE
						 : VERDICT_GOOD,
		finding_at(slot_at, "keyslots", slot, "/key_size"), _("%u bytes"), bytes);
}

void check_key_size(const struct check_input *in, struct finding *f)
{
	unsigned long long min = rule_number(in->rule, "min_bytes"), advised = rule_number(in->rule, "advised_bytes");

	if (advised > min)
		finding_want(f, _("at least %llu bytes for XTS, better %llu; half of that for other modes"), min, advised);
	finding_want(f, _("at least %llu bytes for XTS; half of that for other modes"), min);
	each_segment(in, f, see_key_size);
}

static void see_xts_key(const struct check_input *in, const struct luks2_segment *segment, const char *at,
	struct finding *f)
{
	char slot_at[64];
	int slot;
	uint32_t bytes = key_bytes_of(in->hdr, segment, &slot);

	if (!is_xts(segment->cipher))
		return;
	if (!bytes)
		finding_saw(f, VERDICT_UNKNOWN, at, _("no key slot tells"));
	else
		finding_saw(f, bytes == 32 || bytes == 64 ? VERDICT_GOOD : VERDICT_BAD,
			finding_at(slot_at, "keyslots", slot, "/key_size"), _("%u bytes"), bytes);
}

void check_xts_key_size(const struct check_input *in, struct finding *f)
{
	finding_want(f, _("32 or 64 bytes"));
	each_segment(in, f, see_xts_key);
}

static void see_sectors(const struct check_input *in, const struct luks2_segment *segment, const char *at,
	struct finding *f)
{
	uint32_t bytes = segment->sector_bytes;
	bool small = bytes < rule_number(in->rule, "min_sector_bytes");
	bool large = bytes > rule_number(in->rule, "max_sector_bytes");
	const char *cipher = segment->cipher, *iv = strrchr(cipher, '-');
	uint64_t end = segment->size ? segment->size : in->facts->size_bytes;

	finding_saw(f, small || large ? VERDICT_BAD : VERDICT_GOOD, at, _("sectors of %u bytes, %s"), bytes, cipher);
	if (!iv || strcmp(iv, "-plain") != 0)
		return;
	if (strstr(cipher, "-cbc-"))
		finding_saw(f, VERDICT_BAD, at, _("CBC with plain initialisation vectors"));
	else if (in->facts->kind == FACTS_HEADER && !segment->size)
		finding_saw(f, VERDICT_UNKNOWN, at, _("'plain' on a drive of unknown size"));
	else if (end > rule_number(in->rule, "plain_iv_max_bytes"))
		finding_saw(f, VERDICT_BAD, at, _("'plain' on a drive where it repeats"));
}

void check_sectors(const struct check_input *in, struct finding *f)
{
	finding_want(f, _("sectors of %llu to %llu bytes; 'plain' up to %llu bytes, never with CBC"),
		(unsigned long long)rule_number(in->rule, "min_sector_bytes"),
		(unsigned long long)rule_number(in->rule, "max_sector_bytes"),
		(unsigned long long)rule_number(in->rule, "plain_iv_max_bytes"));
	each_segment(in, f, see_sectors);
}

void check_areas(const struct check_input *in, struct finding *f)
{
	uint64_t stripes = rule_number(in->rule, "stripes");
	char at[64];

	finding_want(f, _("a key as long as the volume key, XTS, %llu stripes"), (unsigned long long)stripes);
	for (int i = 0; i < in->hdr->keyslot_count; i++) {
		const struct luks2_keyslot *slot = &in->hdr->keyslots[i];
		bool good = is_xts(slot->area_cipher) && slot->area_key_bytes >= slot->key_bytes &&
			    slot->af_stripes == stripes;

		finding_at(at, "keyslots", slot->id, "/area");
		if (!slot->usable)
			finding_saw(f, VERDICT_UNKNOWN, at, _("key slot %d: type %s"), slot->id, slot->type);
		else
			finding_saw(f, good ? VERDICT_GOOD : VERDICT_BAD, at, _("key slot %d: %s, %u bytes, %u stripes"),
				slot->id, slot->area_cipher, slot->area_key_bytes, slot->af_stripes);
	}
	if (!in->hdr->keyslot_count)
		f->verdict = VERDICT_NOT_APPLICABLE;
}
