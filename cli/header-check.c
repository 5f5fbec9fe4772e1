/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sealdrive header check: all that can be said about the health of a header without a secret. It
 * only reads, without a lock, so that it works on a drive that is mounted or write-protected.
 */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "cli/header.h"
#include "cli/jsonout.h"
#include "keymgr/luks2-examine.h"

enum { OPT_HELP = 1, OPT_JSON, OPT_HEADER };

static const struct option long_options[] = {
	{"help", no_argument, NULL, OPT_HELP},
	{"json", no_argument, NULL, OPT_JSON},
	{"header", required_argument, NULL, OPT_HEADER},
	{0},
};

/* docs/JSON.md describes the codes to others: they are added to, never changed. */
static const struct {
	const char *code;
	const char *text; /* N_() */
} kinds[] = {
	[LUKS2_FOUND_COPY_DAMAGED] = {"copy-damaged", N_("The %s copy of the header is damaged")},
	[LUKS2_FOUND_COPY_OLD] = {"copy-old", N_("The %s copy of the header is older than the other one")},
	[LUKS2_FOUND_COPY_MISSING] = {"copy-missing", N_("The %s copy of the header is missing")},
	[LUKS2_FOUND_COPIES_DIFFER] = {"copies-differ",
		N_("The two copies of the header have the same age, but not the same content")},
	[LUKS2_FOUND_FOREIGN] = {"foreign", N_("Something else than LUKS is on it, too")},
	[LUKS2_FOUND_UNUSABLE] = {"unusable", N_("The drive cannot be opened")},
	[LUKS2_FOUND_SLOT_UNUSABLE] = {"keyslot-unusable", N_("Key slot %d cannot be used")},
	[LUKS2_FOUND_SLOT_UNREADABLE] = {"keyslot-unreadable", N_("Key slot %d cannot be read")},
	[LUKS2_FOUND_SLOT_NOT_RANDOM] = {"keyslot-damaged",
		N_("Key slot %d was overwritten: it holds what no encrypted key looks like")},
};

struct header_check {
	struct header_args args;
	bool json;
	unsigned findings;
	struct jsonout out;
};

static void print_finding(const struct luks2_finding *finding)
{
	const char *text = _(kinds[finding->kind].text);
	CLEANUP_FREE char *why = NULL;

	switch (finding->kind) {
	case LUKS2_FOUND_COPY_DAMAGED:
	case LUKS2_FOUND_COPY_OLD:
	case LUKS2_FOUND_COPY_MISSING:
		printf(text, finding->id ? _("second") : _("first"));
		break;
	case LUKS2_FOUND_SLOT_UNUSABLE:
	case LUKS2_FOUND_SLOT_UNREADABLE:
	case LUKS2_FOUND_SLOT_NOT_RANDOM:
		printf(text, finding->id);
		break;
	default:
		fputs(text, stdout);
	}
	if (finding->why.detail[0] &&
		text_sanitize(finding->why.detail, strlen(finding->why.detail), &why) == 0)
		printf(": %s", why);
	puts(".");
}

static void json_finding(struct jsonout *out, const struct luks2_finding *finding)
{
	jsonout_object(out, NULL);
	jsonout_string(out, "code", kinds[finding->kind].code);
	switch (finding->kind) {
	case LUKS2_FOUND_COPY_DAMAGED:
	case LUKS2_FOUND_COPY_OLD:
	case LUKS2_FOUND_COPY_MISSING:
		jsonout_string(out, "copy", finding->id ? "secondary" : "primary");
		break;
	case LUKS2_FOUND_SLOT_UNUSABLE:
	case LUKS2_FOUND_SLOT_UNREADABLE:
	case LUKS2_FOUND_SLOT_NOT_RANDOM:
		jsonout_number(out, "keyslot", (uint64_t)finding->id);
		break;
	default:
		break;
	}
	jsonout_string(out, "detail", finding->why.detail);
	jsonout_end_object(out);
}

static void report(void *ctx, const struct luks2_finding *finding)
{
	struct header_check *check = ctx;

	check->findings++;
	if (check->json)
		json_finding(&check->out, finding);
	else
		print_finding(finding);
}

static void print_good(const struct luks2 *hdr)
{
	if (hdr->version == 1) {
		printf(_("The header (LUKS version 1, which has one copy and no checksum) looks as it should.\n"
			 "Key slots in use: %d.\n"), hdr->keyslot_count);
		return;
	}
	printf(_("The header is in order.\n"
		 "Two equal copies, sequence number %llu; key slots: %d, whose areas look as they should.\n"),
		(unsigned long long)hdr->seqid, hdr->keyslot_count);
}

static int examine(struct header_check *check, struct luks2 **ret_hdr, struct diag *diag)
{
	CLEANUP_BLKDEV struct blkdev *dev = NULL;
	CLEANUP_LUKS2 struct luks2 *hdr = NULL;
	uint64_t data_bytes;
	int r = header_open_to_read(&check->args, &dev, &data_bytes, diag);

	/* a backup holds no data, so their size cannot be wrong */
	if (r == 0 && luks2_load(dev, LUKS2_FOREIGN_OK, &hdr, NULL) == 0 && !check->args.header &&
		luks2_is_backup(hdr, dev))
		data_bytes = 0;
	return r < 0 ? r : luks2_examine(dev, data_bytes, report, check, ret_hdr, diag);
}

static int check_header(struct header_check *check)
{
	CLEANUP_LUKS2 struct luks2 *hdr = NULL;
	struct diag diag = {0};
	int r;

	if (check->json) {
		jsonout_object(&check->out, NULL);
		jsonout_string(&check->out, "path", check->args.target);
		jsonout_array(&check->out, "findings");
	}
	r = examine(check, &hdr, &diag);
	if (check->json) {
		jsonout_end_array(&check->out);
		jsonout_bool(&check->out, "usable", r == 0);
		jsonout_end_object(&check->out);
	}
	if (r < 0)
		return cli_fail(header_path(&check->args), r, &diag);
	if (!check->findings && !check->json)
		print_good(hdr);
	return check->findings ? EXIT_FINDINGS : EXIT_DONE;
}

static int run(int argc, char **argv)
{
	struct header_check check = {0};
	int option;

	while ((option = cli_getopt(&command_header_check, argc, argv, long_options)) != -1) {
		switch (option) {
		case OPT_HELP:
			return cli_help(&command_header_check);
		case OPT_JSON:
			check.json = true;
			break;
		case OPT_HEADER:
			check.args.header = optarg;
			break;
		default:
			return EXIT_USAGE;
		}
	}
	if (!cli_operands(&command_header_check, argc, argv, 1, 1))
		return EXIT_USAGE;
	check.args.target = argv[optind];
	return check_header(&check);
}

const struct command command_header_check = {
	.name = "header check",
	.operands = N_("TARGET"),
	.summary = N_("look for damage in a header, without a passphrase"),
	.options = N_("TARGET is a drive, a partition, a container file, or a backup of a header. Nothing\n"
		      "is changed, and the drive may be mounted. The exit status is 9 when something is\n"
		      "found, and 4 when no copy of the header can be used.\n"
		      "\n"
		      "Options:\n"
		      "  --header FILE  the drive's LUKS header is in FILE\n"
		      "  --json         print JSON for programs\n"
		      "  --help         show this help\n"),
	.run = run,
};
