/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "keymgr/custody.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "keymgr/luks2-json.h"

static void copy_text(const json_t *json, const char *name, char *out, size_t room)
{
	const json_t *value = json_object_get(json, name);
	const char *text = json_string_value(value);

	if (text && json_string_length(value) < room && strlen(text) == json_string_length(value))
		strcpy(out, text);
}

static void copy_date(const json_t *json, const char *name, char out[CUSTODY_DATE_MAX])
{
	copy_text(json, name, out, CUSTODY_DATE_MAX);
	if (!text_is_date(out))
		out[0] = '\0';
}

static void from_json(const json_t *json, struct custody *custody)
{
	*custody = (struct custody){0};
	copy_text(json, "owner", custody->owner, sizeof(custody->owner));
	copy_text(json, "serial", custody->serial, sizeof(custody->serial));
	copy_text(json, "label", custody->label, sizeof(custody->label));
	copy_text(json, "model", custody->model, sizeof(custody->model));
	copy_date(json, "enrolled", custody->enrolled);
	copy_date(json, "expires", custody->expires);
}

bool custody_read(const struct luks2 *hdr, int i, struct custody *ret_custody)
{
	const struct luks2_token *token = &hdr->tokens[i];
	char name[16];

	if (strcmp(token->type, CUSTODY_TYPE) != 0)
		return false;
	snprintf(name, sizeof(name), "%d", token->id);
	from_json(json_object_get(json_object_get(hdr->json, "tokens"), name), ret_custody);
	return true;
}

bool custody_of_keyslot(const struct luks2 *hdr, int keyslot, struct custody *ret_custody)
{
	for (int i = 0; i < hdr->token_count; i++)
		if ((hdr->tokens[i].keyslots >> keyslot & 1) && custody_read(hdr, i, ret_custody))
			return true;
	return false;
}

/* Cards and command lines may say anything, but JSON is UTF-8. */
static bool put(json_t *json, const char *name, const char *text)
{
	CLEANUP_FREE char *safe = NULL;
	char shorter[CUSTODY_TEXT_MAX];

	if (!text[0])
		return true;
	if (text_sanitize(text, strlen(text), &safe) < 0)
		return false;
	text_cut(safe, shorter, sizeof(shorter));
	return json_object_set_new(json, name, json_string(shorter)) == 0;
}

int custody_write(const struct custody *custody, int keyslot, char **ret_text)
{
	CLEANUP_JSON json_t *json = NULL;
	char slot[16];

	snprintf(slot, sizeof(slot), "%d", keyslot);
	json = json_pack("{s:s, s:[s]}", "type", CUSTODY_TYPE, "keyslots", slot);
	if (!json || !put(json, "owner", custody->owner) || !put(json, "serial", custody->serial) ||
		!put(json, "label", custody->label) || !put(json, "model", custody->model) ||
		!put(json, "enrolled", custody->enrolled) || !put(json, "expires", custody->expires))
		return -ENOMEM;
	*ret_text = json_dumps(json, JSON_COMPACT);
	return *ret_text ? 0 : -ENOMEM;
}
