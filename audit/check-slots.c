/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who can open the drive: how many, by what, and whether that is explained. */
#include <string.h>

#include "audit/checks.h"
#include "audit/tokens.h"
#include "base/i18n.h"

static uint32_t slot_mask(const struct luks2 *hdr)
{
	uint32_t mask = 0;

	for (int i = 0; i < hdr->keyslot_count; i++)
		mask |= UINT32_C(1) << hdr->keyslots[i].id;
	return mask;
}

void check_slot_count(const struct check_input *in, struct finding *f)
{
	uint64_t max = rule_number(in->rule, "max_slots");
	int count = in->hdr->keyslot_count;
	char at[64];

	finding_want(f, _("at most %llu"), (unsigned long long)max);
	finding_saw(f, (uint64_t)count > max ? VERDICT_BAD : VERDICT_GOOD, "/keyslots", _("%d key slots"), count);
	for (int i = 0; i < count; i++)
		if (in->hdr->keyslots[i].priority == LUKS2_PRIORITY_IGNORE)
			finding_saw(f, VERDICT_GOOD, finding_at(at, "keyslots", in->hdr->keyslots[i].id, "/priority"),
				_("key slot %d is to be ignored unless it is named"), in->hdr->keyslots[i].id);
}

void check_token_types(const struct check_input *in, struct finding *f)
{
	const json_t *allow = rule_words(in->rule, "allow");
	CLEANUP_FREE char *words = words_text(allow);
	char at[64];

	finding_want(f, _("tokens: %s; each with a key slot; key slots of type luks2"), words ? words : "");
	f->verdict = VERDICT_GOOD;
	FOR_EACH_TOKEN(in, token)
	{
		bool known = words_match(allow, token->type), ours = token_kind_of(token->type) == TOKEN_OURS;

		finding_at(at, "tokens", token->id, "");
		finding_saw(f, known ? VERDICT_GOOD : VERDICT_BAD, at, _("token %d: %s"), token->id, token->type);
		/* a note of ours need not belong to a key slot */
		if (!(token->keyslots & slot_mask(in->hdr)) && !ours)
			finding_saw(f, VERDICT_BAD, at, _("token %d has no key slot"), token->id);
	}
	for (int i = 0; i < in->hdr->keyslot_count && in->hdr->version != 1; i++)
		if (strcmp(in->hdr->keyslots[i].type, "luks2") != 0)
			finding_saw(f, VERDICT_BAD, finding_at(at, "keyslots", in->hdr->keyslots[i].id, "/type"),
				_("key slot %d: type %s"), in->hdr->keyslots[i].id, in->hdr->keyslots[i].type);
}

void check_unattended(const struct check_input *in, struct finding *f)
{
	char at[64];

	finding_want(f, _("none"));
	f->verdict = VERDICT_GOOD;
	FOR_EACH_TOKEN(in, token)
	{
		enum token_kind kind = token_kind_of(token->type);

		finding_at(at, "tokens", token->id, "");
		if (token_unattended(kind, token_json(in->doc, token)))
			finding_saw(f, VERDICT_BAD, at, _("token %d: %s"), token->id, token->type);
		else if (kind == TOKEN_UNKNOWN)
			finding_saw(f, VERDICT_UNKNOWN, at, _("token %d: unknown type %s"), token->id, token->type);
	}
}

void check_recovery(const struct check_input *in, struct finding *f)
{
	uint32_t slots = slot_mask(in->hdr);
	int count = 0;
	char at[64];

	finding_want(f, _("exactly one"));
	FOR_EACH_TOKEN(in, token)
	{
		if (token_kind_of(token->type) != TOKEN_RECOVERY)
			continue;
		finding_at(at, "tokens", token->id, "");
		if (__builtin_popcount(token->keyslots & slots) == 1) {
			count++;
			finding_saw(f, VERDICT_GOOD, at, _("token %d: %s"), token->id, token->type);
		} else {
			finding_saw(f, VERDICT_BAD, at, _("token %d does not name one key slot"), token->id);
		}
	}
	if (count != 1)
		finding_saw(f, VERDICT_BAD, "/tokens", _("%d recovery keys"), count);
}

void check_two_factor(const struct check_input *in, struct finding *f)
{
	uint32_t slots = slot_mask(in->hdr), two = 0, machine = token_machine_slots(in->hdr);
	bool forbid = rule_flag(in->rule, "forbid_passphrase_only");
	char at[64];

	finding_want(f, forbid ? _("a key slot with two factors, and none that a passphrase alone opens")
			       : _("a key slot with two factors"));
	FOR_EACH_TOKEN(in, token)
	{
		if (!(token->keyslots & slots) ||
			!token_two_factor(token_kind_of(token->type), token_json(in->doc, token)))
			continue;
		two |= token->keyslots & slots;
		finding_saw(f, VERDICT_GOOD, finding_at(at, "tokens", token->id, ""), _("token %d: %s"), token->id,
			token->type);
	}
	if (!two)
		finding_saw(f, VERDICT_BAD, "/keyslots", _("no key slot with two factors"));
	for (int i = 0; forbid && i < in->hdr->keyslot_count; i++)
		if (!(machine >> in->hdr->keyslots[i].id & 1))
			finding_saw(f, VERDICT_BAD, finding_at(at, "keyslots", in->hdr->keyslots[i].id, ""),
				_("key slot %d: a passphrase alone"), in->hdr->keyslots[i].id);
}
