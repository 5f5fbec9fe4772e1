/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Judging seals, and saying what was changed when they are wrong. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/i18n.h"
#include "keymgr/luks2-seal-mac.h"
#include "keymgr/luks2-wipe.h"

enum change { CHANGE_ADDED, CHANGE_REMOVED, CHANGE_CHANGED };

static const char *const section_changes[SEAL_SECTIONS][3] = {
	{N_("key slot %s was added"), N_("key slot %s was removed"), N_("key slot %s was changed")},
	{N_("token %s was added"), N_("token %s was removed"), N_("token %s was changed")},
	{N_("data segment %s was added"), N_("data segment %s was removed"),
		N_("data segment %s was changed (where the data are, or how they are encrypted)")},
	{N_("digest %s was added"), N_("digest %s was removed"), N_("digest %s was changed")},
};

/* Phrases one after the other, as far as there is room. */
struct explanation {
	const struct secret *key;
	const json_t *parts;
	char text[400];
	size_t len;
};

static void explain(struct explanation *to, const char *phrase, const char *id)
{
	char text[240];

	snprintf(text, sizeof(text), phrase, id);
	if (to->len + strlen(text) + 8 >= sizeof(to->text))
		text[0] = '\0';
	if (!text[0] && to->len && strcmp(to->text + to->len - 3, "...") == 0)
		return;
	to->len += (size_t)snprintf(to->text + to->len, sizeof(to->text) - to->len, "%s%s",
		to->len ? ", " : "", text[0] ? text : "...");
}

static int tag_right(const struct explanation *to, const json_t *tags, const char *name,
	const char *id, const void *data, size_t len, bool *ret_right)
{
	uint8_t was[SEAL_TAG_BYTES], is[SEAL_TAG_BYTES];
	int r = seal_part_tag(to->key, name, id, data, len, is);

	*ret_right = !r && seal_take_bytes(tags, id ? id : name, was, sizeof(was)) &&
		     bytes_equal_ct(was, is, sizeof(is));
	return r;
}

static int json_right(const struct explanation *to, const json_t *tags, const char *name,
	const char *id, const json_t *json, bool *ret_right)
{
	CLEANUP_FREE char *text = seal_canonical(json);

	return text ? tag_right(to, tags, name, id, text, strlen(text), ret_right) : -ENOMEM;
}

static int explain_section(struct explanation *to, size_t section, const json_t *objects)
{
	const json_t *tags = json_object_get(to->parts, seal_sections[section]);
	const char *id;
	json_t *object;
	bool right;
	int r = 0;

	json_object_foreach((json_t *)(uintptr_t)objects, id, object)
	{
		if (seal_is(object))
			continue;
		r = json_right(to, tags, seal_sections[section], id, object, &right);
		if (r)
			return r;
		if (!right)
			explain(to,
				_(section_changes[section][json_object_get(tags, id)
								   ? CHANGE_CHANGED
								   : CHANGE_ADDED]),
				id);
	}
	json_object_foreach((json_t *)(uintptr_t)tags, id, object)
	{
		if (!json_object_get(objects, id))
			explain(to, _(section_changes[section][CHANGE_REMOVED]), id);
	}
	return 0;
}

static int explain_text(struct explanation *to, const char *name, const char *text, const char *phrase)
{
	bool right;
	int r = tag_right(to, to->parts, name, NULL, text, strlen(text), &right);

	if (!r && !right)
		explain(to, phrase, "");
	return r;
}

static int explain_members(struct explanation *to, const json_t *doc)
{
	const char *name;
	json_t *member;
	bool right;
	int r = 0;

	json_object_foreach((json_t *)(uintptr_t)doc, name, member)
	{
		if (seal_is_section(name))
			continue;
		r = json_right(to, to->parts, name, NULL, member, &right);
		if (r)
			return r;
		if (!right)
			explain(to,
				strcmp(name, "config") ? _("the member \"%s\" was changed")
						       : _("flags or requirements were changed"),
				name);
	}
	return 0;
}

/* Which parts have no right tag. In order of what it may mean. */
static int explain_all(struct explanation *to, const struct luks2 *hdr)
{
	int r = 0;

	for (size_t i = 0; !r && i < SEAL_SECTIONS; i++)
		r = explain_section(to, i, json_object_get(hdr->json, seal_sections[i]));
	if (!r)
		r = explain_members(to, hdr->json);
	if (!r)
		r = explain_text(to, "label", hdr->label, _("the label was changed"));
	if (!r)
		r = explain_text(to, "subsystem", hdr->subsystem, _("the subsystem was changed"));
	if (!r)
		r = explain_text(to, "uuid", hdr->uuid, _("the UUID was changed"));
	return r;
}

static int seal_explain(const struct luks2 *hdr, const json_t *token, const struct secret *key,
	struct diag *why)
{
	struct explanation to = {.key = key, .parts = json_object_get(token, "parts")};
	int r = to.parts ? explain_all(&to, hdr) : 0;

	if (!r && !to.parts)
		explain(&to, _("what was changed cannot be told"), "");
	else if (!r && !to.len)
		explain(&to, _("the seal itself was changed"), "");
	if (!r)
		diag_set(why, 0, "%s", to.text);
	return r;
}

static int mac_matches(const struct luks2 *hdr, const json_t *doc, const struct secret *key,
	const uint8_t was[HMAC_BYTES], bool *ret_right)
{
	uint8_t is[HMAC_BYTES];
	int r = seal_header_mac(hdr, doc, key, is);

	if (!r)
		*ret_right = bytes_equal_ct(was, is, sizeof(is));
	return r;
}

/*
 * Who puts a backup back has no volume key, and cannot seal the note of what is still to be
 * overwritten. Whoever else adds such a note gets free areas overwritten and nothing more.
 */
static int mac_matches_without_notes(const struct luks2 *hdr, const struct secret *key,
	const uint8_t was[HMAC_BYTES], bool *ret_right)
{
	CLEANUP_JSON json_t *doc = json_deep_copy(hdr->json), *wipes = json_array();
	int r = doc && wipes ? luks2_wipe_take(doc, wipes) : -ENOMEM;

	return r ? r : mac_matches(hdr, doc, key, was, ret_right);
}

static int check_token(const struct luks2 *hdr, const json_t *token,
	const struct secret *volume_key, enum luks2_seal_state *ret_state, struct diag *why)
{
	CLEANUP_SECRET struct secret *key = NULL;
	uint8_t salt[LUKS2_SEAL_SALT_BYTES], was[HMAC_BYTES];
	bool right = false;
	int r;

	*ret_state = LUKS2_SEAL_BROKEN;
	if (json_integer_value(json_object_get(token, "version")) != SEAL_VERSION) {
		diag_set(why, 0, "%s", _("the seal is of a version that is not known"));
		return 0;
	}
	if (!seal_take_bytes(token, "salt", salt, sizeof(salt)) ||
		!seal_take_bytes(token, "mac", was, sizeof(was))) {
		diag_set(why, 0, "%s", _("the seal itself was changed"));
		return 0;
	}
	r = seal_key(volume_key, salt, &key);
	if (!r)
		r = mac_matches(hdr, hdr->json, key, was, &right);
	if (!r && !right)
		r = mac_matches_without_notes(hdr, key, was, &right);
	if (r)
		return r;
	if (!right)
		return seal_explain(hdr, token, key, why);
	*ret_state = LUKS2_SEAL_RIGHT;
	return 0;
}

int luks2_seal_check(const struct luks2 *hdr, const struct secret *volume_key,
	enum luks2_seal_state *ret_state, struct diag *why)
{
	enum luks2_seal_state state = LUKS2_SEAL_NONE;
	char id[16];
	const json_t *token = seal_find(hdr->json, id);
	bool marked = false;
	int r = token ? check_token(hdr, token, volume_key, &state, why)
		      : seal_digest_marked(seal_data_digest(hdr), volume_key, &marked);

	if (r)
		return r;
	if (marked) {
		state = LUKS2_SEAL_REMOVED;
		diag_set(why, 0, "%s", _("the seal was removed"));
	}
	*ret_state = state;
	return 0;
}
