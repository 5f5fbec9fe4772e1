/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sealdrive log: what this computer's Sealdrive did, and proof that the record of it is whole. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "audit/checkpoint.h"
#include "audit/eventlog.h"
#include "audit/strict.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/event.h"
#include "cli/log-show.h"
#include "cli/outfile.h"
#include "cli/sign.h"

enum { OPT_HELP = 1, OPT_JSON, OPT_LOG, OPT_DRIVE, OPT_OP, OPT_SINCE, OPT_UNTIL, OPT_CHECKPOINT, OPT_OUTPUT,
	OPT_TRUST, OPT_FROM, OPT_EARLIER, OPT_SIGN };

static const struct option long_options[] = {
	{"help", no_argument, NULL, OPT_HELP},
	{"json", no_argument, NULL, OPT_JSON},
	{"log", required_argument, NULL, OPT_LOG},
	{"drive", required_argument, NULL, OPT_DRIVE},
	{"op", required_argument, NULL, OPT_OP},
	{"since", required_argument, NULL, OPT_SINCE},
	{"until", required_argument, NULL, OPT_UNTIL},
	{"checkpoint", required_argument, NULL, OPT_CHECKPOINT},
	{"output", required_argument, NULL, OPT_OUTPUT},
	SIGN_OPTIONS,
	CLI_PIN_OPTIONS,
	{"trust", required_argument, NULL, OPT_TRUST},
	{"from", required_argument, NULL, OPT_FROM},
	{"earlier", required_argument, NULL, OPT_EARLIER},
	{0},
};

#define BIT(option) (1u << (option))

struct args {
	struct log_filter filter;
	const char *path, *checkpoint, *output, *trust, *from, *earlier;
	struct sign_args sign;
	unsigned given; /* options, as bits; of those that sign, OPT_SIGN */
	int argc; /* operands behind the verb */
	char **argv;
	const char *failed; /* the file that an error is about; NULL: the log */
};

enum { CHECKPOINT_BYTES_MAX = 1024 * 1024 };

static int show(struct args *args, const struct eventlog *log, struct diag *diag)
{
	log_show(log, &args->filter, args->path);
	return 0;
}

/* ---- verify, checkpoint, prove ---- */

static int read_checkpoint(struct args *args, const char *path, char **ret_text, size_t *ret_len, struct diag *diag)
{
	struct cms_signer signer;

	args->failed = path;
	return args->trust ? verify_file(path, NULL, args->trust, &signer, ret_text, ret_len, diag)
			   : strict_read_file(path, CHECKPOINT_BYTES_MAX, ret_text, ret_len);
}

/* Somebody's computer lost power, or its disk was full: what was lost then is not in the log. */
static void say_repaired(const struct eventlog *log)
{
	size_t count = 0;

	for (size_t i = 0; i < log->count; i++) {
		const char *op = json_string_value(json_object_get(log->records[i].doc, "op"));

		if (!op || strcmp(op, "log-repaired") != 0)
			continue;
		printf(count++ ? ", %zu" : _("Half-written lines were cut off and noted, in record %zu"), i + 1);
	}
	fputs(count ? ".\n" : "", stdout);
}

static int verify(struct args *args, const struct eventlog *log, struct diag *diag)
{
	CLEANUP_FREE char *text = NULL;
	size_t backwards, len;
	int r = eventlog_verify(log, &backwards, diag);

	if (r == 0 && args->checkpoint) {
		r = read_checkpoint(args, args->checkpoint, &text, &len, diag);
		if (r == 0)
			r = checkpoint_verify(log, text, len, diag);
		if (r == -SDE_LOG)
			args->failed = NULL;
	}
	if (r < 0)
		return r;
	printf(ngettext("%zu record, not changed\n", "%zu records, none changed, missing or swapped\n", log->count), log->count);
	if (backwards)
		printf(_("The clock went back before %zu of them.\n"), backwards);
	say_repaired(log);
	if (!args->checkpoint)
		printf(_("Whether the end was cut off shows only against a checkpoint (--checkpoint).\n"));
	return 0;
}

struct text {
	const char *bytes;
	size_t len;
};

static int put_text(void *ctx, FILE *out)
{
	const struct text *text = ctx;

	return fwrite(text->bytes, 1, text->len, out) == text->len ? 0 : -EIO;
}

/* That standard output takes no more is said by main(). */
static int write_text(struct args *args, const char *bytes, size_t len)
{
	struct text text = {bytes, len};

	args->failed = args->output;
	if (args->output)
		return outfile_write(args->output, false, put_text, &text, NULL);
	(void)put_text(&text, stdout);
	return 0;
}

static int checkpoint(struct args *args, const struct eventlog *log, struct diag *diag)
{
	CLEANUP_FREE char *text = NULL;
	size_t len, backwards;
	int r = eventlog_verify(log, &backwards, diag);

	if (r == 0 && sign_wanted(&args->sign)) {
		args->failed = args->output;
		r = sign_check(&args->sign, diag);
	}
	if (r == 0)
		r = checkpoint_print(log, time(NULL), &text, &len);
	if (r == 0)
		r = write_text(args, text, len);
	if (r == 0 && sign_wanted(&args->sign))
		r = sign_file(args->output, &args->sign, NULL, diag);
	return r;
}

static int prove(struct args *args, const struct eventlog *log, struct diag *diag)
{
	const char *number = args->from ? args->from : args->argv[0];
	CLEANUP_FREE char *text = NULL;
	size_t len, backwards;
	uint64_t seq;
	int r = eventlog_verify(log, &backwards, diag);

	if (r == 0 && cli_parse_number(number, 1, log->count, &seq) < 0)
		return diag_set(diag, -SDE_USAGE, _("there is no record '%s'; the last one is %zu"), number, log->count);
	if (r == 0)
		r = args->from ? consistency_print(log, seq, &text, &len) : proof_print(log, seq, &text, &len);
	return r == 0 ? write_text(args, text, len) : r;
}

/* What is signed by somebody else holds no more than what was changed. */
static int fail(const char *subject, int r, const struct diag *diag)
{
	int status = cli_fail_file(subject, r, diag);

	return r == -SDE_SIGNATURE ? EXIT_FINDINGS : status;
}

static int verify_consistency(struct args *args, const char *proof, size_t proof_len, struct checkpoint_text later)
{
	CLEANUP_FREE char *text = NULL;
	struct diag diag = {0};
	uint64_t first, size;
	size_t len;
	int r;

	if (!args->earlier)
		return cli_usage(&command_log, _("this proof leads from one checkpoint to another: --earlier names the first"));
	r = read_checkpoint(args, args->earlier, &text, &len, &diag);
	if (r < 0)
		return fail(args->earlier, r, &diag);
	r = consistency_verify(proof, proof_len, (struct checkpoint_text){text, len}, later, &first, &size, &diag);
	if (r < 0)
		return fail(args->argv[0], r, &diag);
	printf(_("The %llu records of the earlier checkpoint are the first of the %llu of the later one, unchanged.\n"),
		(unsigned long long)first, (unsigned long long)size);
	return EXIT_DONE;
}

/* Without the log: for whoever was given the proof, and has the checkpoint. */
static int verify_proof(struct args *args)
{
	CLEANUP_FREE char *proof = NULL, *text = NULL, *record = NULL;
	struct diag diag = {0};
	size_t proof_len, len;
	int r;

	if (!args->checkpoint)
		return cli_usage(&command_log, _("'log verify-proof' needs --checkpoint"));
	r = read_checkpoint(args, args->checkpoint, &text, &len, &diag);
	if (r < 0)
		return fail(args->checkpoint, r, &diag);
	r = strict_read_file(args->argv[0], CHECKPOINT_BYTES_MAX, &proof, &proof_len);
	if (r == 0 && args->earlier && !consistency_claims(proof, proof_len))
		return cli_usage(&command_log, _("this proof is of one record, and --earlier is for those of 'log prove --from'"));
	if (r == 0 && consistency_claims(proof, proof_len))
		return verify_consistency(args, proof, proof_len, (struct checkpoint_text){text, len});
	if (r == 0)
		r = proof_verify(proof, proof_len, text, len, &record, &diag);
	if (r < 0)
		return fail(args->argv[0], r, &diag);
	printf(_("This record was in the log of the checkpoint:\n"));
	cli_put_safe(record);
	putchar('\n');
	return EXIT_DONE;
}

/* ---- */

static const struct verb {
	const char *name;
	int operands;
	unsigned options; /* those that mean something to it */
	int (*run)(struct args *args, const struct eventlog *log, struct diag *diag); /* NULL: verify-proof */
} verbs[] = {
	{"show", 0, BIT(OPT_LOG) | BIT(OPT_JSON) | BIT(OPT_DRIVE) | BIT(OPT_OP) | BIT(OPT_SINCE) | BIT(OPT_UNTIL), show},
	{"verify", 0, BIT(OPT_LOG) | BIT(OPT_CHECKPOINT) | BIT(OPT_TRUST), verify},
	{"checkpoint", 0, BIT(OPT_LOG) | BIT(OPT_OUTPUT) | BIT(OPT_SIGN), checkpoint},
	{"prove", 1, BIT(OPT_LOG) | BIT(OPT_OUTPUT) | BIT(OPT_FROM), prove},
	{"verify-proof", 1, BIT(OPT_CHECKPOINT) | BIT(OPT_TRUST) | BIT(OPT_EARLIER), NULL},
};

/* An option that means nothing there was meant to do something. */
static int check_options(const struct verb *verb, const struct args *args)
{
	for (const struct option *option = long_options; option->name; option++)
		if (option->val < OPT_SIGN && args->given & BIT(option->val) & ~verb->options)
			return cli_usage(&command_log, _("'log %s' has no option --%s"), verb->name, option->name);
	if (args->given & BIT(OPT_SIGN) & ~verb->options)
		return cli_usage(&command_log, _("'log %s' signs nothing"), verb->name);
	if (args->trust && !args->checkpoint)
		return cli_usage(&command_log, _("--trust is about the signature of a checkpoint, and needs --checkpoint"));
	if (args->filter.since[0] && args->filter.until[0] &&
		strncmp(args->filter.since, args->filter.until, strlen(args->filter.until)) > 0)
		return cli_usage(&command_log, _("--since is later than --until"));
	return 0;
}

static int run_verb(const struct verb *verb, struct args *args)
{
	CLEANUP_EVENTLOG struct eventlog log = {0};
	CLEANUP_FREE char *path = NULL;
	struct diag diag = {0};
	int r = 0;

	if (!verb->run)
		return verify_proof(args);
	if (!args->path) {
		r = eventlog_path(cli_event_log_folder(), &path);
		args->path = path;
	}
	if (r == 0)
		r = eventlog_read(args->path, &log);
	if (r == -ENOENT && verb->run == show && path)
		r = 0; /* nothing has happened yet */
	if (r == 0)
		r = verb->run(args, &log, &diag);
	if (r == -ENOENT && path && !args->failed)
		diag_set(&diag, r, _("nothing was recorded yet"));
	return r < 0 ? fail(args->failed ? args->failed : args->path, r, &diag) : EXIT_DONE;
}

static int parse_time(const char *name, const char *text, char ret_time[LOG_TIME_MAX])
{
	return log_time_parse(text, ret_time) == 0
		       ? 0
		       : cli_usage(&command_log, _("--%s is a time like 2026-11-30T14:05 or the beginning of one, not '%s'"), name, text);
}

static int parse_option(int option, struct args *args)
{
	args->given |= BIT(option < OPT_SIGN ? option : OPT_SIGN);
	switch (option) {
	case OPT_JSON:
		args->filter.json = true;
		return 0;
	case OPT_LOG:
		args->path = optarg;
		return 0;
	case OPT_DRIVE:
		args->filter.drive = optarg;
		return 0;
	case OPT_OP:
		args->filter.op = optarg;
		return log_op_known(optarg) ? 0 : cli_usage(&command_log, _("there is no operation '%s'; there are: %s"), optarg, log_ops());
	case OPT_SINCE:
		return parse_time("since", optarg, args->filter.since);
	case OPT_UNTIL:
		return parse_time("until", optarg, args->filter.until);
	case OPT_CHECKPOINT:
		args->checkpoint = optarg;
		return 0;
	case OPT_OUTPUT:
		args->output = optarg;
		return 0;
	case OPT_TRUST:
		args->trust = optarg;
		return 0;
	case OPT_FROM:
		args->from = optarg;
		return 0;
	case OPT_EARLIER:
		args->earlier = optarg;
		return 0;
	default:
		return sign_option(option, &args->sign) ? 0 : EXIT_USAGE;
	}
}

static int run(int argc, char **argv)
{
	struct args args = {0};
	int option, status;

	while ((option = cli_getopt(&command_log, argc, argv, long_options)) != -1) {
		if (option == OPT_HELP)
			return cli_help(&command_log);
		status = parse_option(option, &args);
		if (status)
			return status;
	}
	if (!cli_operands(&command_log, argc, argv, 1, 2))
		return EXIT_USAGE;
	if (sign_wanted(&args.sign) && (!sign_complete(&args.sign) || !args.output))
		return cli_usage(&command_log, _("--sign-key, --sign-cert and --output belong together"));
	args.argc = argc - optind - 1;
	args.argv = argv + optind + 1;
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		if (strcmp(verbs[i].name, args.argv[-1]) != 0)
			continue;
		/* a proof is of one record, or of all up to one */
		if (args.argc != (args.from ? 0 : verbs[i].operands) || (args.from && verbs[i].run != prove))
			return cli_usage(&command_log, _("'log %s' is not used like that"), verbs[i].name);
		status = check_options(&verbs[i], &args);
		return status ? status : run_verb(&verbs[i], &args);
	}
	return cli_usage(&command_log, _("unknown command '%s'"), args.argv[-1]);
}

const struct command command_log = {
	.name = "log",
	.operands = N_("show|verify|checkpoint|prove N|prove --from SIZE|verify-proof FILE"),
	.summary = N_("what this computer did with drives, and proof of it"),
	.options = N_(
		"  show               the events, oldest first\n"
		"  verify             whether a record was changed, removed or swapped\n"
		"  checkpoint         how the log is now, in one line, to be kept elsewhere\n"
		"  prove N            proof that record N is in the log as it is now\n"
		"  prove --from SIZE  proof that the first SIZE records are still its beginning\n"
		"  verify-proof FILE  whether a proof holds against a checkpoint; needs no log\n"
		"\n"
		"Options:\n"
		"  --drive UUID|PATH  show: this drive only\n"
		"  --op OPERATION     show: this operation only, for instance mount, or key for all of them\n"
		"  --since TIME       show: from this time on, for instance 2026-11 or 2026-11-30T14\n"
		"  --until TIME       show: up to the end of this time\n"
		"  --json             show: the records as they are\n"
		"  --checkpoint FILE  verify, verify-proof: a checkpoint of the log\n"
		"  --earlier FILE     verify-proof of prove --from: the checkpoint with SIZE records\n"
		"  --output FILE      checkpoint, prove: write to a new FILE\n"
		"  --sign-key KEY     checkpoint: sign it with this private key (PEM, or pkcs11:... on a smart card),\n"
		"                     into FILE.p7s\n"
		"  --sign-cert CERT   the certificate of the key (PEM), unless it is on the card\n"
		"  --pin-file FILE    the card's PIN is in the first line of FILE; - is standard input\n"
		"  --trust CERT       the checkpoint must be signed by this certificate or CA\n"
		"  --log FILE         another log than that of this computer or user\n"
		"  --help             show this help\n"),
	.run = run,
};
