/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Key derivation. A key slot that a token's machine-made key opens may be cheap, a passphrase's may
 * not: which is which is only known from the tokens, so H-08 and H-09 look at the others, and H-10 at
 * what a token excuses.
 */
#include <string.h>

#include "audit/checks.h"
#include "audit/tokens.h"
#include "base/i18n.h"

static void each_slot(const struct check_input *in, struct finding *f, uint32_t not_these,
	void (*see)(const struct check_input *in, const struct luks2_keyslot *slot, const char *at, struct finding *f))
{
	char at[64];

	for (int i = 0; i < in->hdr->keyslot_count; i++) {
		const struct luks2_keyslot *slot = &in->hdr->keyslots[i];

		if (not_these >> slot->id & 1)
			continue;
		finding_at(at, "keyslots", slot->id, "/kdf");
		if (slot->usable)
			see(in, slot, at, f);
		else
			finding_saw(f, VERDICT_UNKNOWN, at, _("key slot %d: type %s"), slot->id, slot->type);
	}
}

static void see_type(const struct check_input *in, const struct luks2_keyslot *slot, const char *at, struct finding *f)
{
	const char *type = luks2_kdf_name(slot->kdf.type);

	finding_saw(f, words_match(rule_words(in->rule, "allow"), type)	 ? VERDICT_GOOD
		       : words_match(rule_words(in->rule, "warn"), type) ? VERDICT_ADVICE
									 : VERDICT_BAD,
		at, _("key slot %d: %s"), slot->id, type);
}

void check_kdf_type(const struct check_input *in, struct finding *f)
{
	CLEANUP_FREE char *allow = words_text(rule_words(in->rule, "allow"));
	CLEANUP_FREE char *warn = words_text(rule_words(in->rule, "warn"));

	if (warn && warn[0])
		finding_want(f, _("%s; with a warning: %s"), allow ? allow : "", warn);
	finding_want(f, "%s", allow ? allow : "");
	each_slot(in, f, token_machine_slots(in->hdr), see_type);
}

/* Digests of 64 bytes cost more a turn; a shorter one, or one that is not on the list, counts as 256. */
static uint64_t pbkdf2_minimum(const struct check_input *in, const char *hash)
{
	return rule_number(in->rule, strcmp(hash, "sha512") == 0 ? "pbkdf2_min_sha512" : "pbkdf2_min_sha256");
}

static void see_cost(const struct check_input *in, const struct luks2_keyslot *slot, const char *at, struct finding *f)
{
	const struct luks2_kdf *kdf = &slot->kdf;

	if (kdf->type == LUKS2_KDF_PBKDF2) {
		uint64_t floor = rule_number(in->rule, "pbkdf2_floor");
		uint64_t min = pbkdf2_minimum(in, kdf->hash);

		finding_saw(f, kdf->iterations >= min	 ? VERDICT_GOOD
			       : kdf->iterations < floor ? VERDICT_BAD
							 : VERDICT_ADVICE,
			at, _("key slot %d: pbkdf2-%s, %u iterations"), slot->id, kdf->hash, kdf->iterations);
		return;
	}
	bool good = kdf->time >= rule_number(in->rule, "argon2_min_time") &&
		    kdf->memory_kib >= rule_number(in->rule, "argon2_min_memory_kib");

	finding_saw(f, good ? VERDICT_GOOD : VERDICT_BAD, at, _("key slot %d: %s, t=%u, %u KiB, p=%u"), slot->id,
		luks2_kdf_name(kdf->type), kdf->time, kdf->memory_kib, kdf->cpus);
}

void check_kdf_cost(const struct check_input *in, struct finding *f)
{
	finding_want(f, _("argon2: t=%llu, %llu KiB; pbkdf2: %llu iterations (sha512: %llu)"),
		(unsigned long long)rule_number(in->rule, "argon2_min_time"),
		(unsigned long long)rule_number(in->rule, "argon2_min_memory_kib"),
		(unsigned long long)rule_number(in->rule, "pbkdf2_min_sha256"),
		(unsigned long long)rule_number(in->rule, "pbkdf2_min_sha512"));
	each_slot(in, f, token_machine_slots(in->hdr), see_cost);
}

static bool on_record(const struct check_input *in, int slot)
{
	json_t *item;
	size_t i;

	json_array_foreach(json_object_get(in->record, "token_slots"), i, item) if (json_integer_value(item) == slot)
		return true;
	return false;
}

static void see_cheap(const struct check_input *in, const struct luks2_keyslot *slot, const char *at, struct finding *f)
{
	if (slot->kdf.type != LUKS2_KDF_PBKDF2 || slot->kdf.iterations >= rule_number(in->rule, "cheap_below"))
		return;
	if (!(token_machine_slots(in->hdr) >> slot->id & 1))
		finding_saw(f, VERDICT_BAD, at, _("key slot %d: %u iterations, and no token explains it"), slot->id,
			slot->kdf.iterations);
	else if (!rule_flag(in->rule, "require_record") || on_record(in, slot->id))
		finding_saw(f, VERDICT_GOOD, at, _("key slot %d: %u iterations, of a token"), slot->id,
			slot->kdf.iterations);
	else
		finding_saw(f, in->inventory ? VERDICT_BAD : VERDICT_UNKNOWN, at,
			in->inventory ? _("key slot %d: %u iterations, of a token that is not on record")
				     : _("key slot %d: %u iterations, of a token; no inventory was given"),
			slot->id, slot->kdf.iterations);
}

void check_cheap_slots(const struct check_input *in, struct finding *f)
{
	finding_want(f, _("below %llu iterations only for tokens on record"),
		(unsigned long long)rule_number(in->rule, "cheap_below"));
	f->verdict = VERDICT_GOOD;
	each_slot(in, f, 0, see_cheap);
}

/* ---- hashes and salts ---- */

static void see_hash(const struct check_input *in, struct finding *f, const char *at, const char *hash)
{
	if (hash[0])
		finding_saw(f, words_match(rule_words(in->rule, "allow"), hash) ? VERDICT_GOOD : VERDICT_BAD, at, "%s",
			hash);
	else
		finding_saw(f, VERDICT_UNKNOWN, at, _("none that can be read"));
}

void check_hashes(const struct check_input *in, struct finding *f)
{
	CLEANUP_FREE char *allow = words_text(rule_words(in->rule, "allow"));
	char at[64];

	finding_want(f, "%s", allow ? allow : "");
	for (int i = 0; i < in->hdr->keyslot_count; i++) {
		const struct luks2_keyslot *slot = &in->hdr->keyslots[i];

		see_hash(in, f, finding_at(at, "keyslots", slot->id, "/af/hash"), slot->af_hash);
		if (!slot->usable || slot->kdf.type == LUKS2_KDF_PBKDF2)
			see_hash(in, f, finding_at(at, "keyslots", slot->id, "/kdf/hash"), slot->kdf.hash);
	}
	for (int i = 0; i < in->hdr->digest_count; i++)
		see_hash(in, f, finding_at(at, "digests", in->hdr->digests[i].id, "/hash"), in->hdr->digests[i].hash);
	/* version 1 has no checksum at all, which H-01 is about */
	if (in->hdr->version != 1)
		see_hash(in, f, "/checksum", in->hdr->csum_alg);
}

struct salt {
	const uint8_t *bytes;
	uint32_t len;
	const char *section;
	int id;
};

static int list_salts(const struct luks2 *hdr, struct salt salts[LUKS2_KEYSLOTS_MAX + LUKS2_DIGESTS_MAX])
{
	int count = 0;

	for (int i = 0; i < hdr->keyslot_count; i++)
		salts[count++] = (struct salt){hdr->keyslots[i].kdf.salt, hdr->keyslots[i].kdf.salt_len, "keyslots",
			hdr->keyslots[i].id};
	for (int i = 0; i < hdr->digest_count; i++)
		salts[count++] = (struct salt){hdr->digests[i].salt, hdr->digests[i].salt_len, "digests",
			hdr->digests[i].id};
	return count;
}

void check_salts(const struct check_input *in, struct finding *f)
{
	struct salt salts[LUKS2_KEYSLOTS_MAX + LUKS2_DIGESTS_MAX];
	uint64_t min = rule_number(in->rule, "min_bytes");
	int count = list_salts(in->hdr, salts);
	char at[64];

	finding_want(f, _("at least %llu bytes, none twice"), (unsigned long long)min);
	for (int i = 0; i < count; i++) {
		const struct salt *salt = &salts[i];

		finding_at(at, salt->section, salt->id, salt->section[0] == 'k' ? "/kdf/salt" : "/salt");
		if (!salt->len)
			finding_saw(f, VERDICT_UNKNOWN, at, _("none that can be read"));
		else
			finding_saw(f, salt->len < min ? VERDICT_BAD : VERDICT_GOOD, at, _("%u bytes"), salt->len);
		for (int j = 0; j < i; j++)
			if (salt->len && salts[j].len == salt->len && memcmp(salts[j].bytes, salt->bytes, salt->len) == 0)
				finding_saw(f, VERDICT_BAD, at, _("the same salt twice"));
	}
}
