/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sealdrive audit: holds drives against a policy.
 *
 * Targets are opened as `info` opens them: no lock, nothing written, so that neither the drive nor
 * whoever uses it notices.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "audit/audit.h"
#include "base/text.h"
#include "audit/facts-file.h"
#include "cli/audit-collect.h"
#include "cli/audit-inputs.h"
#include "cli/audit-report.h"
#include "cli/audit-tell.h"
#include "cli/audit-unlock.h"
#include "cli/cli.h"
#include "cli/gate.h"
#include "cli/outfile.h"
#include "cli/sign.h"

enum { OPT_HELP = 1, OPT_PROFILE, OPT_FORMAT, OPT_OUTPUT, OPT_FACTS, OPT_WAIVERS, OPT_INVENTORY, OPT_DATE,
	OPT_PASSPHRASE_FILE, OPT_KEY_FILE, OPT_TRUST, OPT_FORCE, OPT_FINGERPRINT_KEY };

enum { FINGERPRINT_KEY_MIN = 16 };

static const struct option long_options[] = {
	{"help", no_argument, NULL, OPT_HELP},
	{"profile", required_argument, NULL, OPT_PROFILE},
	{"format", required_argument, NULL, OPT_FORMAT},
	{"output", required_argument, NULL, OPT_OUTPUT},
	{"facts", required_argument, NULL, OPT_FACTS},
	{"waivers", required_argument, NULL, OPT_WAIVERS},
	{"inventory", required_argument, NULL, OPT_INVENTORY},
	{"date", required_argument, NULL, OPT_DATE},
	{"passphrase-file", required_argument, NULL, OPT_PASSPHRASE_FILE},
	{"key-file", required_argument, NULL, OPT_KEY_FILE},
	CLI_TOKEN_OPTION,
	CLI_SHARE_OPTION,
	SIGN_OPTIONS,
	CLI_PIN_OPTIONS,
	{"force", no_argument, NULL, OPT_FORCE},
	{"fingerprint-key", required_argument, NULL, OPT_FINGERPRINT_KEY},
	{"trust", required_argument, NULL, OPT_TRUST},
	{0},
};

static const struct {
	const char *name;
	report_fn *report;
} formats[] = {
	{"text", report_text},
	{"json", report_json},
	{"sarif", report_sarif},
	{"html", report_html},
};

struct args {
	const char *profile, *output, *facts, *waivers, *inventory, *date, *trust, *fingerprint_key;
	bool force;
	struct sign_args sign;
	struct cli_passphrase_source source;
	report_fn *report;
};

/* What an audit needs, and frees. */
struct run {
	struct audit audit;
	struct audit_inputs inputs;
	char today[32];
};

static int parse_option(int option, struct args *args)
{
	switch (option) {
	case OPT_PROFILE:
		args->profile = optarg;
		return 0;
	case OPT_FORMAT:
		for (size_t i = 0; i < ARRAY_SIZE(formats); i++)
			if (strcmp(formats[i].name, optarg) == 0) {
				args->report = formats[i].report;
				return 0;
			}
		return cli_usage(&command_audit, _("--format is 'text', 'json', 'sarif' or 'html', not '%s'"), optarg);
	case OPT_OUTPUT:
		args->output = optarg;
		return 0;
	case OPT_FACTS:
		args->facts = optarg;
		return 0;
	case OPT_WAIVERS:
		args->waivers = optarg;
		return 0;
	case OPT_INVENTORY:
		args->inventory = optarg;
		return 0;
	case OPT_DATE:
		args->date = optarg;
		return text_is_date(optarg)
			       ? 0
			       : cli_usage(&command_audit, _("--date is a date like 2026-12-31, not '%s'"), optarg);
	case OPT_PASSPHRASE_FILE:
		args->source.passphrase_file = optarg;
		return 0;
	case OPT_KEY_FILE:
		args->source.key_file = optarg;
		return 0;
	case OPT_TRUST:
		args->trust = optarg;
		return 0;
	case OPT_FORCE:
		args->force = true;
		return 0;
	case OPT_FINGERPRINT_KEY:
		args->fingerprint_key = optarg;
		return 0;
	}
	return cli_unlock_option(option, &args->source) || sign_option(option, &args->sign) ? 0 : EXIT_USAGE;
}

/* ---- output ---- */

struct output {
	const struct audit *audit;
	report_fn *report;
};

static int put_report(void *ctx, FILE *out)
{
	const struct output *output = ctx;

	return output->report(output->audit, out);
}

static int write_report(const struct args *args, const struct audit *audit)
{
	struct output output = {audit, args->report};
	int r;

	if (args->output)
		return outfile_write(args->output, args->force, put_report, &output, NULL); /* whoever reports it names the file */
	r = args->report(audit, stdout);
	/* that standard output takes no more is said by main() */
	return r == -EIO && ferror(stdout) ? 0 : r;
}

struct bytes {
	const char *text;
	size_t len;
};

static int put_bytes(void *ctx, FILE *out)
{
	const struct bytes *bytes = ctx;

	return fwrite(bytes->text, 1, bytes->len, out) == bytes->len ? 0 : -EIO;
}

static int write_facts(const struct args *args, const struct facts_list *list, struct diag *diag)
{
	CLEANUP_FREE char *text = NULL;
	struct bytes bytes;
	int r = facts_file_print(list->facts, list->count, time(NULL), &text, &bytes.len);

	bytes.text = text;
	if (r == 0)
		r = outfile_write(args->facts, args->force, put_bytes, &bytes, diag);
	if (r < 0 || !sign_wanted(&args->sign))
		return r;
	r = sign_file(args->facts, &args->sign, NULL, diag);
	if (r < 0)
		cli_warn(args->facts, _("the facts are saved, but not signed: 'sealdrive audit' with this file, --facts and a new name "
					"signs them without the drives"));
	return r;
}

/* Not even --force puts a report in the place of a drive, or of anything else that is read. */
static int check_output(const struct args *args, const char *path, char **targets, int count, struct diag *diag)
{
	const char *const inputs[] = {args->profile, args->waivers, args->inventory, args->trust, args->fingerprint_key,
		args->source.passphrase_file, args->source.key_file};
	int r = outfile_check(path, args->force, diag);

	for (int i = 0; i < count && r == 0; i++)
		r = outfile_check_input(path, targets[i], diag);
	for (size_t i = 0; i < ARRAY_SIZE(inputs) && r == 0; i++)
		r = inputs[i] ? outfile_check_input(path, inputs[i], diag) : 0;
	for (unsigned i = 0; i < args->source.shares.count && r == 0; i++)
		r = outfile_check_input(path, args->source.shares.files[i], diag);
	return r;
}

/* Before drives are read and passphrases asked for. */
static int check_outputs(const struct args *args, char **targets, int count, struct diag *diag)
{
	int r = args->output ? check_output(args, args->output, targets, count, diag) : 0;

	if (r == 0 && args->facts)
		r = check_output(args, args->facts, targets, count, diag);
	return r == 0 ? sign_check(&args->sign, diag) : r;
}

/* ---- the whole ---- */

static int load(const struct args *args, struct run *run, const char **ret_failed, struct diag *diag)
{
	const struct audit_input_names names = {args->profile, args->waivers, args->inventory, args->trust};
	int r = audit_inputs_load(&names, &run->inputs, ret_failed, diag);

	run->audit.policy = run->inputs.policy;
	run->audit.waivers = run->inputs.waivers;
	run->audit.inventory = run->inputs.inventory;
	return r;
}

/* Where no drive could be opened, that has been said, and a table of what is unknown would only hide it. */
static bool nothing_seen(const struct audit *audit, const struct args *args)
{
	size_t unreadable = 0;

	for (size_t i = 0; i < audit->count; i++)
		unreadable += audit->drives[i].facts->state == FACTS_UNREADABLE && audit->drives[i].facts->err;
	return unreadable == audit->count && args->report == report_text && !args->output;
}

static int judge(struct run *run, struct facts_list *list)
{
	run->audit.drives = calloc(list->count + 1, sizeof(*run->audit.drives));
	if (!run->audit.drives)
		return -ENOMEM;
	for (size_t i = 0; i < list->count; i++)
		run->audit.drives[run->audit.count++].facts = list->facts[i];
	list->count = 0;
	return audit_evaluate(&run->audit);
}

static bool may_unlock(const struct args *args)
{
	return args->source.passphrase_file || args->source.key_file || args->source.token.wanted ||
	       args->source.shares.count > 0;
}

static int unlock(const struct args *args, const struct facts_list *list, const char **ret_failed, struct diag *diag)
{
	const struct cli_passphrase_source source = {.key_file = args->fingerprint_key};
	CLEANUP_SECRET struct secret *key = NULL;
	int r = args->fingerprint_key ? cli_read_passphrase(&source, NULL, false, &key, diag) : 0;

	if (r == 0 && key && secret_len(key) < FINGERPRINT_KEY_MIN)
		r = diag_set(diag, -EINVAL, _("a key for fingerprints has at least %d bytes"), FINGERPRINT_KEY_MIN);
	*ret_failed = r < 0 ? args->fingerprint_key : NULL;
	return r < 0 ? r : audit_unlock(list->facts, list->count, &args->source, key, diag);
}

static int audit(const struct args *args, char **targets, int count, struct run *run)
{
	CLEANUP_FACTS_LIST struct facts_list list = {0};
	struct diag diag = {0};
	const char *failed = NULL;
	int r = gate_log(&diag), status = EXIT_DONE;

	if (r == 0)
		r = check_outputs(args, targets, count, &diag);
	if (r == 0)
		r = load(args, run, &failed, &diag);
	if (r == 0)
		r = facts_list_collect(&list, targets, count, args->trust, &failed, &diag);
	if (r == 0)
		status = audit_tell_unreadable(&list);
	if (r == 0 && args->trust && !args->waivers && !args->inventory)
		audit_tell_untrusted(&list);
	if (r == 0 && may_unlock(args))
		r = unlock(args, &list, &failed, &diag);
	if (r == 0 && args->facts) {
		failed = args->facts;
		r = write_facts(args, &list, &diag);
	}
	if (r == 0)
		r = judge(run, &list);
	if (r == 0) {
		/* before anybody reads the result, and may stop reading */
		audit_record(&run->audit, &list);
		audit_tell_revived(&run->audit, run->today);
		failed = args->output;
		r = nothing_seen(&run->audit, args) ? 0 : write_report(args, &run->audit);
	}
	if (r < 0)
		return cli_fail_file(failed, r, &diag);
	return run->audit.counts[STATE_FAIL] ? EXIT_FINDINGS : status;
}

static int run(int argc, char **argv)
{
	struct args args = {.profile = "baseline", .report = report_text};
	struct run run = {0};
	int option, status;

	while ((option = cli_getopt(&command_audit, argc, argv, long_options)) != -1) {
		if (option == OPT_HELP)
			return cli_help(&command_audit);
		status = parse_option(option, &args);
		if (status != 0)
			return status;
	}
	if (!cli_operands(&command_audit, argc, argv, 1, INT32_MAX))
		return EXIT_USAGE;
	/* one reader of cards and one PIN, for the drives and the signature */
	args.sign.token = args.source.token;
	if (args.output && args.facts && strcmp(args.output, args.facts) == 0)
		return cli_usage(&command_audit, _("--output and --facts are two files"));
	if (args.fingerprint_key && !may_unlock(&args))
		return cli_usage(&command_audit, _("--fingerprint-key needs something that unlocks the drives"));
	if (sign_wanted(&args.sign) && (!sign_complete(&args.sign) || !args.facts))
		return cli_usage(&command_audit, _("--sign-key, --sign-cert and --facts belong together"));
	time_text(time(NULL), run.today);
	run.today[strlen("2026-11-30")] = '\0';
	run.audit.today = args.date ? args.date : run.today;
	status = audit(&args, argv + optind, argc - optind, &run);
	audit_clear(&run.audit);
	audit_inputs_clear(&run.inputs);
	return status;
}

const struct command command_audit = {
	.name = "audit",
	.operands = N_("TARGET..."),
	.summary = N_("hold drives against a policy, from their headers alone"),
	.options = N_(
		"TARGET is a drive, a partition, a container, a header backup, or a file of saved facts.\n"
		"Nothing is locked and nothing is written to it. Exit status 9 when a check has failed.\n"
		"\n"
		"Options:\n"
		"  --profile POLICY        a profile, or a file of your own (default: baseline)\n"
		"  --format FORMAT         text (default), json, sarif or html\n"
		"  --output FILE           write the report to a new FILE\n"
		"  --facts FILE            save what was seen, to be judged again later without the drives\n"
		"  --force                 replace the files of --output and --facts\n"
		"  --waivers FILE          exceptions that somebody has approved\n"
		"  --inventory FILE        your list of drives, to compare with\n"
		"  --date YYYY-MM-DD       judge as of this day (default: today)\n"
		"  --passphrase-file FILE  unlock the drives for the checks U-01 to U-04 and U-06;\n"
		"                          nothing is mounted\n"
		"  --key-file FILE         the same with a binary key\n"
		"  --token[=URI]           the same with a smart card or security key; with --passphrase-file\n"
		"                          for drives that need both\n"
		"  --share FILE            the same with shares of a key: once for each of them\n"
		"  --fingerprint-key FILE  make a fingerprint of each volume key with the secret in FILE, for U-03\n"
		"  --sign-key KEY          sign the saved facts: private key (PEM), or one on a smart card: pkcs11:...\n"
		"  --sign-cert CERT        the certificate of the key (PEM), unless it is on the card\n"
		"  --pin-file FILE         the PIN of the card is in the first line of FILE; - is standard input\n"
		"  --trust CERT            facts, waivers and inventory must be signed by this certificate or CA\n"
		"  --help                  show this help\n"),
	.run = run,
};
