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
#include "cli/sign.h"

enum { OPT_HELP = 1, OPT_JSON, OPT_LOG, OPT_DRIVE, OPT_OP, OPT_SINCE, OPT_UNTIL, OPT_CHECKPOINT, OPT_OUTPUT,
	OPT_TRUST, OPT_FROM, OPT_EARLIER };

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

struct args {
	bool json;
	const char *path, *drive, *op, *since, *until, *checkpoint, *output, *trust, *from, *earlier;
	struct sign_args sign;
	int argc; /* operands behind the verb */
	char **argv;
};

enum { CHECKPOINT_BYTES_MAX = 1024 * 1024 };

/* ---- show ---- */

static const char *get(const json_t *doc, const char *name)
{
	const char *text = json_string_value(json_object_get(doc, name));

	return text ? text : "";
}

static bool is_wanted(const struct args *args, const json_t *doc)
{
	const char *ts = get(doc, "ts"), *op = get(doc, "op");
	size_t op_len = args->op ? strlen(args->op) : 0;

	/* "key" is for "key add", too */
	return (!args->drive || strcmp(args->drive, get(doc, "uuid")) == 0 || strcmp(args->drive, get(doc, "target")) == 0) &&
	       (!args->op || (strncmp(op, args->op, op_len) == 0 && (!op[op_len] || op[op_len] == ' '))) &&
	       (!args->since || strncmp(ts, args->since, strlen(args->since)) >= 0) &&
	       (!args->until || strncmp(ts, args->until, strlen(args->until)) <= 0);
}

static const char *result_word(const char *result)
{
	if (strcmp(result, "done") == 0)
		return _("done");
	if (strcmp(result, "refused") == 0)
		return _("refused");
	return strcmp(result, "failed") == 0 ? _("failed") : result;
}

/* A log that somebody else has sent may say anything. */
static void put_column(const char *text, int width)
{
	CLEANUP_FREE char *safe = NULL;

	if (text_sanitize(text, strlen(text), &safe) == 0)
		cli_put_padded(safe, width);
}

static void show_record(const json_t *doc)
{
	printf("%6lld  ", (long long)json_integer_value(json_object_get(doc, "seq")));
	put_column(get(doc, "ts"), 26);
	put_column(get(json_object_get(doc, "actor"), "name"), 12);
	put_column(get(doc, "op"), 16);
	put_column(result_word(get(doc, "result")), 10);
	cli_put_safe(get(doc, "target"));
	printf("  ");
	cli_put_safe(get(doc, "uuid"));
	putchar('\n');
}

static int show(const struct args *args, const struct eventlog *log, struct diag *diag)
{
	for (size_t i = 0; i < log->count; i++) {
		const struct record *record = &log->records[i];

		if (!record->doc) {
			cli_warn(args->path, _("record %zu cannot be read: see 'sealdrive log verify'"), i + 1);
		} else if (is_wanted(args, record->doc)) {
			if (args->json)
				printf("%.*s\n", (int)record->len, record->line);
			else
				show_record(record->doc);
		}
	}
	return 0;
}

/* ---- verify, checkpoint, prove ---- */

static int read_checkpoint(const struct args *args, const char *path, char **ret_text, size_t *ret_len, struct diag *diag)
{
	struct cms_signer signer;
	int r = args->trust ? verify_file(path, NULL, args->trust, &signer, ret_text, ret_len, diag)
			    : strict_read_file(path, CHECKPOINT_BYTES_MAX, ret_text, ret_len);

	return r < 0 ? diag_set(diag, r, "%s", path) : 0;
}

static int verify(const struct args *args, const struct eventlog *log, struct diag *diag)
{
	CLEANUP_FREE char *text = NULL;
	size_t backwards, len;
	int r = eventlog_verify(log, &backwards, diag);

	if (r == 0 && args->checkpoint) {
		r = read_checkpoint(args, args->checkpoint, &text, &len, diag);
		if (r == 0)
			r = checkpoint_verify(log, text, len, diag);
	}
	if (r < 0)
		return r;
	printf(_("%zu records, none changed, missing or swapped\n"), log->count);
	if (backwards)
		printf(_("The clock went back before %zu of them.\n"), backwards);
	if (!args->checkpoint)
		printf(_("Whether the end was cut off shows only against a checkpoint (--checkpoint).\n"));
	return 0;
}

static int write_text(const struct args *args, const char *text, size_t len, struct diag *diag)
{
	FILE *out = args->output ? fopen(args->output, "wxe") : stdout;
	int r = 0;

	if (!out)
		return diag_set(diag, -errno, "%s", args->output);
	if (fwrite(text, 1, len, out) != len)
		r = -EIO;
	if (args->output && (fflush(out) != 0 || fsync(fileno(out)) < 0) && r == 0)
		r = -errno;
	if (args->output && fclose(out) != 0 && r == 0)
		r = -errno;
	return r < 0 && args->output ? diag_set(diag, r, "%s", args->output) : r;
}

static int checkpoint(const struct args *args, const struct eventlog *log, struct diag *diag)
{
	CLEANUP_FREE char *text = NULL;
	size_t len, backwards;
	int r = eventlog_verify(log, &backwards, diag);

	if (r == 0)
		r = sign_check(&args->sign, diag);
	if (r == 0)
		r = checkpoint_print(log, time(NULL), &text, &len);
	if (r == 0)
		r = write_text(args, text, len, diag);
	if (r == 0 && sign_wanted(&args->sign))
		r = sign_file(args->output, &args->sign, NULL, diag);
	return r;
}

static int prove(const struct args *args, const struct eventlog *log, struct diag *diag)
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
	return r == 0 ? write_text(args, text, len, diag) : r;
}

static int verify_consistency(const struct args *args, const char *proof, size_t proof_len, struct checkpoint_text later)
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
		return cli_fail(args->earlier, r, &diag);
	r = consistency_verify(proof, proof_len, (struct checkpoint_text){text, len}, later, &first, &size, &diag);
	if (r < 0)
		return cli_fail(args->argv[0], r, &diag);
	printf(_("The %llu records of the earlier checkpoint are the first of the %llu of the later one, unchanged.\n"),
		(unsigned long long)first, (unsigned long long)size);
	return EXIT_DONE;
}

/* Without the log: for whoever was given the proof, and has the checkpoint. */
static int verify_proof(const struct args *args)
{
	CLEANUP_FREE char *proof = NULL, *text = NULL, *record = NULL;
	struct diag diag = {0};
	size_t proof_len, len;
	int r;

	if (!args->checkpoint)
		return cli_usage(&command_log, _("'log verify-proof' needs --checkpoint"));
	r = read_checkpoint(args, args->checkpoint, &text, &len, &diag);
	if (r < 0)
		return cli_fail(args->checkpoint, r, &diag);
	r = strict_read_file(args->argv[0], CHECKPOINT_BYTES_MAX, &proof, &proof_len);
	if (r == 0 && consistency_claims(proof, proof_len))
		return verify_consistency(args, proof, proof_len, (struct checkpoint_text){text, len});
	if (r == 0)
		r = proof_verify(proof, proof_len, text, len, &record, &diag);
	if (r < 0)
		return cli_fail(args->argv[0], r, &diag);
	printf(_("This record was in the log of the checkpoint:\n"));
	cli_put_safe(record);
	putchar('\n');
	return EXIT_DONE;
}

/* ---- */

static const struct verb {
	const char *name;
	int operands;
	int (*run)(const struct args *args, const struct eventlog *log, struct diag *diag); /* NULL: verify-proof */
} verbs[] = {
	{"show", 0, show},
	{"verify", 0, verify},
	{"checkpoint", 0, checkpoint},
	{"prove", 1, prove},
	{"verify-proof", 1, NULL},
};

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
	return r < 0 ? cli_fail(args->path, r, &diag) : EXIT_DONE;
}

static int run(int argc, char **argv)
{
	struct args args = {0};
	int option;

	while ((option = cli_getopt(&command_log, argc, argv, long_options)) != -1) {
		switch (option) {
		case OPT_HELP:
			return cli_help(&command_log);
		case OPT_JSON:
			args.json = true;
			break;
		case OPT_LOG:
			args.path = optarg;
			break;
		case OPT_DRIVE:
			args.drive = optarg;
			break;
		case OPT_OP:
			args.op = optarg;
			break;
		case OPT_SINCE:
			args.since = optarg;
			break;
		case OPT_UNTIL:
			args.until = optarg;
			break;
		case OPT_CHECKPOINT:
			args.checkpoint = optarg;
			break;
		case OPT_OUTPUT:
			args.output = optarg;
			break;
		case OPT_TRUST:
			args.trust = optarg;
			break;
		case OPT_FROM:
			args.from = optarg;
			break;
		case OPT_EARLIER:
			args.earlier = optarg;
			break;
		default:
			if (!sign_option(option, &args.sign))
				return EXIT_USAGE;
		}
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
		return run_verb(&verbs[i], &args);
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
