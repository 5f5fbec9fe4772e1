/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tokens of a header that is being changed. Format section 3.5. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/i18n.h"
#include "keymgr/luks2-update-doc.h"

static json_t *token_get(const json_t *doc, int id)
{
	char name[16];

	snprintf(name, sizeof(name), "%d", id);
	return json_object_get(json_object_get(doc, "tokens"), name);
}

static int free_id(const json_t *doc)
{
	for (int id = 0; id < LUKS2_TOKENS_MAX; id++)
		if (!token_get(doc, id))
			return id;
	return -1;
}

int luks2_token_put(struct luks2_update *update, int id, const char *text, int *ret_id, struct diag *diag)
{
	json_t *doc = luks2_update_doc(update);
	CLEANUP_JSON json_t *token = NULL;
	json_error_t error;
	char name[16];

	if (id < 0)
		id = free_id(doc);
	if (id < 0 || id >= LUKS2_TOKENS_MAX)
		return diag_set(diag, id < 0 ? -SDE_HEADER_FULL : -SDE_SLOT, _("there is no room for another token"));
	token = json_loads(text, JSON_REJECT_DUPLICATES, &error);
	if (!json_is_object(token))
		return diag_set(diag, -SDE_USAGE, _("the token is not a JSON object"));
	snprintf(name, sizeof(name), "%d", id);
	int r = luks2_update_changed(
		update, json_object_set(json_object_get(doc, "tokens"), name, token), diag);

	if (!r && ret_id)
		*ret_id = id;
	return r;
}

int luks2_token_remove(struct luks2_update *update, int id, struct diag *diag)
{
	json_t *doc = luks2_update_doc(update);
	char name[16];

	if (!token_get(doc, id))
		return diag_set(diag, -SDE_SLOT, _("there is no token %d"), id);
	snprintf(name, sizeof(name), "%d", id);
	return luks2_update_changed(update, json_object_del(json_object_get(doc, "tokens"), name), diag);
}

int luks2_token_text(const struct luks2 *hdr, int id, char **ret_text)
{
	const json_t *token = token_get(hdr->json, id);

	if (!token)
		return -SDE_SLOT;
	char *text = json_dumps(token, JSON_COMPACT);

	if (!text)
		return -ENOMEM;
	*ret_text = text;
	return 0;
}
