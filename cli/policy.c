/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sealdrive policy: which policies there are, what they demand, and whether one is well-formed. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "audit/policy-find.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/policy.h"

enum { OPT_HELP = 1, OPT_JSON, OPT_TRUST, OPT_SIGNATURE };

static const struct option long_options[] = {
	{"help", no_argument, NULL, OPT_HELP},
	{"json", no_argument, NULL, OPT_JSON},
	SIGN_OPTIONS,
	CLI_PIN_OPTIONS,
	{"trust", required_argument, NULL, OPT_TRUST},
	{"signature", required_argument, NULL, OPT_SIGNATURE},
	{0},
};

static const char *or_dash(const char *text)
{
	return text[0] ? text : "-";
}

static int load(const char *name, struct policy **ret_policy)
{
	struct diag diag = {0};
	int r = policy_load(name, ret_policy, &diag);

	return r < 0 ? cli_fail_file(name, r, &diag) : EXIT_DONE;
}

/* ---- show ---- */

/* "min_bytes=32 allow=aes-xts,aes-gcm" */
static char *params_text(const json_t *params)
{
	CLEANUP_FREE char *text = strdup("");
	json_t *value, *item;
	const char *name;
	size_t i;

	json_object_foreach((json_t *)(uintptr_t)params, name, value)
	{
		CLEANUP_FREE char *words = json_is_array(value) ? strdup("") : json_dumps(value, JSON_ENCODE_ANY);
		char *longer = NULL;

		json_array_foreach(value, i, item)
		{
			if (!words || asprintf(&longer, "%s%s%s", words, i ? "," : "", json_string_value(item)) < 0)
				return NULL;
			free(words);
			words = longer;
		}
		if (!words || !text || asprintf(&longer, "%s%s%s=%s", text, text[0] ? " " : "", name, words) < 0)
			return NULL;
		free(text);
		text = longer;
	}
	return take_ptr(text);
}

static void show_rule_text(enum check_id id, const struct rule *rule)
{
	CLEANUP_FREE char *params = params_text(rule->params);

	printf("%s  ", catalogue[id].id);
	cli_put_padded(policy_mode_name(rule->mode), 5);
	cli_put_padded(severity_name(rule->severity), 9);
	cli_put_safe(bilingual_text(rule->title));
	putchar('\n');
	if (params && params[0]) {
		printf("                     ");
		cli_put_safe(params);
		putchar('\n');
	}
	printf("                     [");
	cli_put_safe(bilingual_text(rule->clause));
	printf("]\n");
}

static void show_head(const struct policy *policy)
{
	printf(_("Policy %s, version %llu%s\n"), policy->id, (unsigned long long)policy->version,
		policy->provisional ? _(" (provisional)") : "");
	cli_put_safe(bilingual_text(policy->title));
	putchar('\n');
	if (bilingual_text(policy->note)[0]) {
		cli_put_safe(bilingual_text(policy->note));
		putchar('\n');
	}
	printf(_("Inherits from: %s\n"), or_dash(policy->inherits));
	if (policy->inherits[0])
		printf(policy->pinned ? _("  with the SHA-256 that it demands: %s\n") : _("  with the SHA-256: %s\n"),
			policy->parent_sha256);
	printf(_("In force: from %s to %s\n"), or_dash(policy->not_before), or_dash(policy->not_after));
	printf(_("Event log required: %s\n"), policy->require_log ? _("yes") : _("no"));
	printf("SHA-256: %s\n\n", policy->sha256);
}

static int run_show(int argc, char **argv, bool json)
{
	CLEANUP_POLICY struct policy *policy = NULL;
	struct diag diag = {0};
	int r;

	if (argc > 0) {
		r = load(argv[0], &policy);
		if (r)
			return r;
	} else {
		r = policy_load_bound(&policy, &diag);
		if (r < 0)
			return cli_fail_file(_("this computer's policy"), r, &diag);
		if (!policy) {
			printf(_("No policy binds this computer. 'sealdrive policy list' shows the profiles.\n"));
			return EXIT_DONE;
		}
	}
	if (json) {
		CLEANUP_FREE char *text = json_dumps(policy->doc, JSON_INDENT(2));

		if (!text)
			return cli_fail_file(argc > 0 ? argv[0] : NULL, -ENOMEM, NULL);
		puts(text);
		return EXIT_DONE;
	}
	show_head(policy);
	for (enum check_id i = 0; i < CHECK_COUNT; i++)
		if (policy->rules[i].mode != MODE_OFF)
			show_rule_text(i, &policy->rules[i]);
	return EXIT_DONE;
}

/* ---- check ---- */

static int run_check(int argc, char **argv, bool json)
{
	int status = EXIT_DONE;

	for (int i = 0; i < argc; i++) {
		CLEANUP_POLICY struct policy *policy = NULL;
		CLEANUP_FREE char *here = NULL;
		int r;

		/* a file in this folder before a profile of that name: it is files that are checked */
		if (!strchr(argv[i], '/') && access(argv[i], F_OK) == 0 && asprintf(&here, "./%s", argv[i]) < 0)
			here = NULL;
		r = load(here ? here : argv[i], &policy);
		if (r) {
			status = r;
			continue;
		}
		cli_put_path(argv[i]);
		printf(_(": good: policy %s, version %llu, %u checks\n"), policy->id,
			(unsigned long long)policy->version, policy_count_rules(policy));
	}
	return status;
}

/* ---- diff ---- */

static void diff_line(const char *id, const char *what, const char *a, const char *b)
{
	printf("%s  ", id);
	cli_put_padded(what, 22);
	cli_put_safe(or_dash(a));
	printf("  ->  ");
	cli_put_safe(or_dash(b));
	putchar('\n');
}

static bool diff_text(const char *id, const char *what, const char *a, const char *b)
{
	if (strcmp(a, b) == 0)
		return false;
	diff_line(id, what, a, b);
	return true;
}

static bool diff_rule(enum check_id i, const struct rule *a, const struct rule *b)
{
	const char *id = catalogue[i].id;
	bool differ = diff_text(id, "mode", policy_mode_name(a->mode), policy_mode_name(b->mode));

	if (a->mode == MODE_OFF || b->mode == MODE_OFF)
		return differ;
	differ |= diff_text(id, "title", bilingual_text(a->title), bilingual_text(b->title));
	differ |= diff_text(id, "severity", severity_name(a->severity), severity_name(b->severity));
	differ |= diff_text(id, "clause", bilingual_text(a->clause), bilingual_text(b->clause));
	differ |= diff_text(id, "remedy", bilingual_text(a->remedy), bilingual_text(b->remedy));
	for (const struct param *p = catalogue[i].params; p < catalogue[i].params + PARAMS_MAX && p->name; p++) {
		CLEANUP_FREE char *old = json_dumps(json_object_get(a->params, p->name), JSON_ENCODE_ANY);
		CLEANUP_FREE char *new = json_dumps(json_object_get(b->params, p->name), JSON_ENCODE_ANY);

		differ |= diff_text(id, p->name, old ? old : "", new ? new : "");
	}
	return differ;
}

static int run_diff(int argc, char **argv, bool json)
{
	CLEANUP_POLICY struct policy *a = NULL;
	CLEANUP_POLICY struct policy *b = NULL;
	bool differ = false;
	int r = load(argv[0], &a);

	if (!r)
		r = load(argv[1], &b);
	if (r)
		return r;
	differ |= diff_text("----", "not_before", a->not_before, b->not_before);
	differ |= diff_text("----", "not_after", a->not_after, b->not_after);
	differ |= diff_text("----", "require_log", a->require_log ? "true" : "false", b->require_log ? "true" : "false");
	for (enum check_id i = 0; i < CHECK_COUNT; i++)
		differ |= diff_rule(i, &a->rules[i], &b->rules[i]);
	if (!differ)
		printf(_("Both demand the same.\n"));
	return differ ? EXIT_FINDINGS : EXIT_DONE;
}

static struct policy_sign_args signing;

static int run_sign(int argc, char **argv, bool json)
{
	signing.path = argv[0];
	return policy_sign(&signing);
}

static int run_verify(int argc, char **argv, bool json)
{
	signing.path = argv[0];
	return policy_verify(&signing);
}

static const struct verb {
	const char *name, *usage;
	int min, max;
	bool json;
	int (*run)(int argc, char **argv, bool json);
} verbs[] = {
	{"list", "list [--json]", 0, 0, true, policy_list},
	{"show", "show [--json] [POLICY]", 0, 1, true, run_show},
	{"check", "check FILE...", 1, 1000, false, run_check},
	{"diff", "diff POLICY POLICY", 2, 2, false, run_diff},
	{"sign", "sign --sign-key KEY --sign-cert CERT [--signature FILE] FILE", 1, 1, false, run_sign},
	{"verify", "verify --trust CERT [--signature FILE] FILE", 1, 1, false, run_verify},
};

static const struct verb *find_verb(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	return NULL;
}

/* 'policy show --help' is about show, wherever --help stands. */
static int help(int argc, char **argv)
{
	const struct verb *verb = NULL;

	for (int i = 1; i < argc && !verb; i++)
		verb = find_verb(argv[i]);
	if (!verb)
		return cli_help(&command_policy);
	printf(_("Usage: sealdrive policy %s\n"), verb->usage);
	printf(_("'sealdrive policy --help' explains the commands and options.\n"));
	return EXIT_DONE;
}

static int run(int argc, char **argv)
{
	const struct verb *verb;
	bool json = false;
	int option;

	while ((option = cli_getopt(&command_policy, argc, argv, long_options)) != -1) {
		if (option == OPT_HELP)
			return help(argc, argv);
		switch (option) {
		case OPT_JSON:
			json = true;
			break;
		case OPT_TRUST:
			signing.trust = optarg;
			break;
		case OPT_SIGNATURE:
			signing.signature = optarg;
			break;
		default:
			if (!sign_option(option, &signing.by))
				return EXIT_USAGE;
		}
	}
	if (!cli_operands(&command_policy, argc, argv, 1, 1001))
		return EXIT_USAGE;
	argc -= optind + 1;
	argv += optind + 1;
	verb = find_verb(argv[-1]);
	if (!verb)
		return cli_usage(&command_policy, _("unknown command '%s'"), argv[-1]);
	if (argc < verb->min || argc > verb->max || (json && !verb->json))
		return cli_usage(&command_policy, _("it is used like this: sealdrive policy %s"), verb->usage);
	return verb->run(argc, argv, json);
}

const struct command command_policy = {
	.name = "policy",
	.operands = N_("list|show|check|diff|sign|verify [POLICY]..."),
	.summary = N_("show and compare the policies that drives are held against"),
	.options = N_(
		"POLICY is the name of a profile, or a file when it has a slash or ends in .json.\n"
		"\n"
		"  list         the profiles, and the policy that binds this computer\n"
		"  show [P]     every check of P (or of the binding policy): mode, severity, thresholds, clause\n"
		"  check FILE   whether FILE is a policy; errors are named by line and column\n"
		"  diff A B     what B changes; exit status 9 when there is a difference\n"
		"  sign FILE    write a detached signature (CMS) of FILE to FILE.p7s\n"
		"  verify FILE  whether the signature is that of somebody trusted\n"
		"\n"
		"Options:\n"
		"  --json            list, show: print JSON for programs\n"
		"  --sign-key KEY    sign: private key (PEM), or one on a smart card: pkcs11:...\n"
		"  --sign-cert CERT  sign: the certificate of the key (PEM), unless it is on the card\n"
		"  --pin-file FILE   the card's PIN is in the first line of FILE; - is standard input\n"
		"  --trust CERT      verify: certificate of the signer, or of the CA that issued it (PEM)\n"
		"  --signature FILE  sign, verify: the signature, when it is not in FILE.p7s\n"
		"  --help            show this help\n"),
	.run = run,
};
