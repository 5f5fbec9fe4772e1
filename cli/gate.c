/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A policy that cannot be read binds as one that forbids everything: whoever damages the file must not
 * be rid of it. One that is not in force yet, or not any more, still binds, with a warning: an official
 * must not be able to wait for it to end.
 */
#include "cli/gate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "audit/binding.h"
#include "audit/eventlog.h"
#include "audit/facts-file.h"
#include "audit/policy-seen.h"
#include "base/cleanup.h"
#include "cli/cli.h"
#include "cli/event.h"
#include "keymgr/judge.h"

static struct binding *binding; /* for the life of the process */
static int load_err;
static struct diag load_diag;
static bool loaded;

/* Where it was seen last. NULL: nowhere to remember it; then nothing was remembered. */
static char *seen_path(void)
{
	CLEANUP_FREE char *log = NULL;
	char *path;

	if (eventlog_path(cli_event_log_folder(), &log) < 0)
		return NULL;
	*strrchr(log, '/') = '\0';
	return asprintf(&path, "%s/policy-seen.json", log) < 0 ? NULL : path;
}

/* That the policy is gone is an event, once. */
static void note_none(void)
{
	CLEANUP_FREE char *path = seen_path();
	char id[POLICY_ID_MAX];
	uint64_t version;

	if (path && policy_seen_none(path, id, &version) == 1)
		cli_event("policy", NULL, NULL, 0, json_pack("{s:s, s:I, s:b}", "id", id, "version", (json_int_t)version,
			"removed", 1));
}

/* A newer policy than at the last time is an event; an older one does not bind, and forbids. */
static int compare_with_last(struct diag *diag)
{
	const struct policy *policy = binding_policy(binding);
	CLEANUP_FREE char *path = seen_path();
	bool changed = false;
	int r = path ? policy_seen(path, policy, &changed, diag) : 0;

	if (r == 0 && changed)
		cli_event("policy", NULL, NULL, 0, json_pack("{s:s, s:I, s:s}", "id", policy->id, "version",
			(json_int_t)policy->version, "sha256", policy->sha256));
	return r;
}

static int load(struct diag *diag)
{
	char today[32];

	if (!loaded) {
		time_text(time(NULL), today);
		today[strlen("2026-11-30")] = '\0';
		loaded = true;
		load_err = binding_load(today, &binding, &load_diag);
		if (binding && !binding_in_force(binding))
			cli_warn(NULL, _("the policy of this computer is not in force today; it binds all the same"));
		if (binding)
			load_err = compare_with_last(&load_diag);
		else if (load_err == 0)
			note_none();
	}
	if (load_err < 0)
		return diag_set(diag, -SDE_POLICY, _("the policy of this computer cannot be used: %s"),
			load_diag.detail[0] ? load_diag.detail : error_text(load_err));
	return 0;
}

static int judge(const struct luks2 *before, const struct luks2 *after, struct diag *diag)
{
	int r = load(diag);

	return r < 0 || !binding ? r : binding_judge_header(binding, before, after, diag);
}

void gate_install(void)
{
	luks2_judge_set(judge);
}

static int check_log(struct diag *diag)
{
	CLEANUP_FREE char *path = NULL;
	int r;

	if (!binding || !binding_requires_log(binding))
		return 0;
	r = eventlog_path(cli_event_log_folder(), &path);
	if (r == 0)
		r = eventlog_check(path);
	return r == 0 ? 0 : diag_set(diag, -SDE_POLICY, _("the event log is required and cannot be written: %s"), error_text(r));
}

/* An auditor is not stopped by a policy that is damaged: that is one more thing to audit. */
int gate_log(struct diag *diag)
{
	struct diag why = {0};
	int r = load(&why);

	if (r < 0) {
		cli_warn(NULL, "%s", why.detail);
		return 0;
	}
	return check_log(diag);
}

int gate_ready(struct diag *diag)
{
	int r = load(diag);

	return r < 0 ? r : check_log(diag);
}

int gate_drive(const char *target, const char *header, struct diag *diag)
{
	int r = load(diag);

	return r < 0 || !binding ? r : binding_judge_drive(binding, header ? header : target, diag);
}

/* Code points, as SP 800-63B-4 counts them. */
static size_t characters(const struct secret *passphrase)
{
	const unsigned char *bytes = secret_data_const(passphrase);
	size_t count = 0;

	for (size_t i = 0; i < secret_len(passphrase); i++)
		count += (bytes[i] & 0xc0) != 0x80;
	return count;
}

int gate_passphrase(const struct secret *passphrase, struct diag *diag)
{
	int r = load(diag);

	return r < 0 || !binding ? r : binding_judge_passphrase(binding, characters(passphrase), diag);
}

const char *gate_policy_name(void)
{
	return load(NULL) == 0 && binding ? binding_name(binding) : NULL;
}
