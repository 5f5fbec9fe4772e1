/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The header as such: both copies, the document, what is unbound, texts, flags. */
#include <ctype.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>
#include <wctype.h>

#include "audit/checks.h"
#include "base/i18n.h"

static const char *const copy_states[] = {
	[LUKS2_COPY_OK] = N_("good"),
	[LUKS2_COPY_DAMAGED] = N_("DAMAGED"),
	[LUKS2_COPY_OLD] = N_("out of date"),
	[LUKS2_COPY_MISSING] = N_("MISSING"),
};

/* Runs without a header, too. */
void check_copies(const struct check_input *in, struct finding *f)
{
	static const char *const where[] = {"/copies/0", "/copies/1"};
	const struct facts *facts = in->facts;

	finding_want(f, _("LUKS2, both copies good, of one sequence number, equal"));
	switch (facts->state) {
	case FACTS_OK:
		break;
	case FACTS_NOT_LUKS:
		finding_saw(f, VERDICT_BAD, "/state", _("not an encrypted LUKS drive"));
		return;
	case FACTS_LUKS1:
		finding_saw(f, VERDICT_BAD, "/state", _("LUKS version 1"));
		return;
	case FACTS_DAMAGED:
	case FACTS_AMBIGUOUS:
		finding_saw(f, VERDICT_BAD, "/state", "%s", error_text(facts->state == FACTS_DAMAGED
							? -SDE_HEADER_DAMAGED : -SDE_HEADER_AMBIGUOUS));
		return;
	case FACTS_INVALID:
		finding_saw(f, VERDICT_UNKNOWN, "/state", _("the header breaks the rules: see H-02"));
		return;
	case FACTS_UNREADABLE:
		finding_saw(f, VERDICT_UNKNOWN, "/state", _("cannot be read: %s"),
			facts->detail[0] ? facts->detail : facts->err ? error_text(facts->err) : "?");
		return;
	}
	for (int i = 0; i < 2; i++)
		finding_saw(f, facts->copies[i] == LUKS2_COPY_OK ? VERDICT_GOOD : VERDICT_BAD, where[i],
			i ? _("secondary copy: %s, sequence number %llu") : _("primary copy: %s, sequence number %llu"),
			_(copy_states[facts->copies[i]]), (unsigned long long)facts->seqids[i]);
	if (!facts->equal)
		finding_saw(f, VERDICT_BAD, "/equal", _("the copies differ"));
}

void check_document(const struct check_input *in, struct finding *f)
{
	const struct facts *facts = in->facts;
	char at[64];

	finding_want(f, _("no rule of the format broken, no unknown requirement"));
	if (facts->state == FACTS_INVALID) {
		finding_saw(f, VERDICT_BAD, "/state", "%s", facts->detail[0] ? facts->detail
									     : error_text(-SDE_HEADER_INVALID));
		return;
	}
	if (!in->hdr) {
		finding_saw(f, VERDICT_UNKNOWN, "/state", _("there is no header to look at"));
		return;
	}
	finding_saw(f, VERDICT_GOOD, NULL, _("%d key slots, %d segments, %d tokens, %d digests"), in->hdr->keyslot_count,
		in->hdr->segment_count, in->hdr->token_count, in->hdr->digest_count);
	if (in->hdr->has_unknown_requirement)
		for (char **name = in->hdr->requirements; *name; name++)
			finding_saw(f, VERDICT_BAD, "/config/requirements/mandatory", _("requirement '%s'"), *name);
	/* others may open the drive by it, and what cannot be judged would be a way past every check of key slots */
	for (int i = 0; i < in->hdr->keyslot_count; i++)
		if (!in->hdr->keyslots[i].usable)
			finding_saw(f, VERDICT_BAD, finding_at(at, "keyslots", in->hdr->keyslots[i].id, ""),
				_("key slot %d is of a kind that cannot be judged"), in->hdr->keyslots[i].id);
	/* names such as "07" are in the document and nowhere else; version 1 has none */
	if (in->hdr->version == 1)
		return;
	if ((int)json_object_size(json_object_get(in->doc, "keyslots")) != in->hdr->keyslot_count ||
		(int)json_object_size(json_object_get(in->doc, "tokens")) != in->hdr->token_count)
		finding_saw(f, VERDICT_BAD, "/keyslots", _("key slots or tokens have names that are no usual numbers"));
}

static void look_at_digests(const struct check_input *in, struct finding *f)
{
	char at[64];

	for (int i = 0; i < in->hdr->digest_count; i++) {
		const struct luks2_digest *digest = &in->hdr->digests[i];

		finding_at(at, "digests", digest->id, "");
		if (!digest->segments)
			finding_saw(f, VERDICT_BAD, at, _("digest %d belongs to no data"), digest->id);
		if (!digest->keyslots)
			finding_saw(f, VERDICT_BAD, at, _("digest %d has no key slot"), digest->id);
	}
}

void check_unbound(const struct check_input *in, struct finding *f)
{
	const struct luks2_segment *segment = luks2_data_segment(in->hdr);
	char at[64];

	finding_want(f, _("every key slot and digest belongs to the data; no re-encryption"));
	f->verdict = VERDICT_GOOD;
	for (int i = 0; i < in->hdr->keyslot_count; i++) {
		const struct luks2_keyslot *slot = &in->hdr->keyslots[i];

		finding_at(at, "keyslots", slot->id, "");
		if (strcmp(slot->type, "reencrypt") == 0)
			finding_saw(f, VERDICT_BAD, at, _("a re-encryption is under way"));
		else if (!segment || slot->digest != segment->digest || slot->digest < 0)
			finding_saw(f, VERDICT_BAD, at, _("key slot %d opens no data"), slot->id);
	}
	for (char **name = in->hdr->requirements; name && *name; name++)
		if (strstr(*name, "reencrypt"))
			finding_saw(f, VERDICT_BAD, "/config/requirements/mandatory", "%s", *name);
	look_at_digests(in, f);
}

/* ---- words ---- */

enum { TEXT_MAX = 256 };

/* Small letters with one space before and after each word, so that words can be looked for whole. */
static void fold(const char *text, wchar_t *out, locale_t utf8)
{
	locale_t before = uselocale(utf8);
	mbstate_t state = {0};
	size_t at = 0, len = strlen(text);
	wchar_t c;

	out[at++] = L' ';
	while (len && at < TEXT_MAX - 2) {
		size_t n = mbrtowc(&c, text, len, &state);

		if (n == 0 || n > len) {
			n = 1;
			c = L' ';
			state = (mbstate_t){0};
		}
		text += n;
		len -= n;
		if (iswalnum(c))
			out[at++] = towlower(c);
		else if (out[at - 1] != L' ')
			out[at++] = c == L'@' ? c : L' ';
	}
	if (out[at - 1] != L' ')
		out[at++] = L' ';
	out[at] = L'\0';
	uselocale(before);
}

struct words {
	const json_t *forbidden;
	struct finding *finding;
	locale_t utf8;
};

static void look_for_words(struct words *w, const char *text, const char *pointer)
{
	wchar_t folded[TEXT_MAX], word[TEXT_MAX];
	json_t *item;
	size_t i;

	fold(text, folded, w->utf8);
	json_array_foreach(w->forbidden, i, item)
	{
		fold(json_string_value(item), word, w->utf8);
		if (word[0] && word[1] && wcsstr(folded, word))
			finding_saw(w->finding, VERDICT_BAD, pointer, "'%s': %s", text, json_string_value(item));
	}
	if (wcschr(folded, L'@'))
		finding_saw(w->finding, VERDICT_BAD, pointer, _("'%s': an e-mail address"), text);
}

static void look_at_tokens(const struct check_input *in, struct words *w)
{
	const char *id, *name;
	json_t *token, *value;
	char at[64];

	json_object_foreach(json_object_get(in->doc, "tokens"), id, token)
	{
		snprintf(at, sizeof(at), "/tokens/%.40s", id);
		json_object_foreach(token, name, value)
			/* what is longer is key material */
			if (json_is_string(value) && json_string_length(value) < TEXT_MAX)
				look_for_words(w, json_string_value(value), at);
	}
}

void check_words(const struct check_input *in, struct finding *f)
{
	struct words w = {rule_words(in->rule, "forbidden"), f, newlocale(LC_CTYPE_MASK, "C.UTF-8", NULL)};
	CLEANUP_FREE char *words = words_text(w.forbidden);

	finding_want(f, _("none of: %s; no e-mail address"), words ? words : "");
	if (!w.utf8) {
		finding_saw(f, VERDICT_UNKNOWN, NULL, _("the locale C.UTF-8 is missing"));
		return;
	}
	finding_saw(f, VERDICT_GOOD, "/label", _("label '%s', subsystem '%s'"), in->hdr->label, in->hdr->subsystem);
	look_for_words(&w, in->hdr->label, "/label");
	look_for_words(&w, in->hdr->subsystem, "/subsystem");
	look_at_tokens(in, &w);
	freelocale(w.utf8);
}

void check_discards(const struct check_input *in, struct finding *f)
{
	bool set = luks2_has_flag(in->hdr, "allow-discards");

	finding_want(f, _("not set"));
	finding_saw(f, set ? VERDICT_BAD : VERDICT_GOOD, set ? "/config/flags" : NULL, set ? _("set") : _("not set"));
}
