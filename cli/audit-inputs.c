/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/audit-inputs.h"

#include "audit/policy-find.h"
#include "audit/strict.h"
#include "base/cleanup.h"
#include "cli/sign.h"

/* The text that is judged by is the one that was verified, and not what the file is by then. */
static int read_text(const char *path, const char *trust, char **ret_text, size_t *ret_len, struct diag *diag)
{
	struct cms_signer signer;

	return trust ? verify_file(path, NULL, trust, &signer, ret_text, ret_len, diag)
		     : strict_read_file(path, STRICT_BYTES_MAX, ret_text, ret_len);
}

static int load_waivers(const struct audit_input_names *names, struct waivers **ret_waivers, struct diag *diag)
{
	CLEANUP_FREE char *text = NULL;
	size_t len;
	int r = read_text(names->waivers, names->trust, &text, &len, diag);

	return r < 0 ? r : waivers_parse(text, len, ret_waivers, diag);
}

static int load_inventory(const struct audit_input_names *names, struct inventory **ret_inventory, struct diag *diag)
{
	CLEANUP_FREE char *text = NULL;
	size_t len;
	int r = read_text(names->inventory, names->trust, &text, &len, diag);

	return r < 0 ? r : inventory_parse(text, len, ret_inventory, diag);
}

int audit_inputs_load(const struct audit_input_names *names, struct audit_inputs *ret_inputs, const char **ret_failed,
	struct diag *diag)
{
	int r;

	*ret_failed = names->profile;
	r = policy_load(names->profile, &ret_inputs->policy, diag);
	if (r == 0 && names->waivers) {
		*ret_failed = names->waivers;
		r = load_waivers(names, &ret_inputs->waivers, diag);
	}
	if (r == 0 && names->inventory) {
		*ret_failed = names->inventory;
		r = load_inventory(names, &ret_inputs->inventory, diag);
	}
	return r;
}

void audit_inputs_clear(struct audit_inputs *inputs)
{
	waivers_free(inputs->waivers);
	inventory_free(inputs->inventory);
	policy_free(inputs->policy);
}
