/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The command line: options, operands, numbers and sizes. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "cli/cli.h"

/* getopt says only '?' for all that is wrong; the word it stopped at tells the rest. */
static void explain_bad_option(const struct command *command, const char *word,
	const struct option *long_options)
{
	size_t len = strcspn(word, "=");
	int matches = 0;

	if (strncmp(word, "--", 2) != 0) {
		cli_usage(command, _("unknown option '%s'"), word);
		return;
	}
	for (const struct option *o = long_options; o->name; o++) {
		if (strncmp(o->name, word + 2, len - 2) != 0)
			continue;
		matches++;
		if (o->has_arg == no_argument && word[len] == '=' && matches == 1) {
			cli_usage(command, _("option '--%s' takes no value"), o->name);
			return;
		}
	}
	if (matches > 1)
		cli_usage(command, _("option '%.*s' is ambiguous"), (int)len, word);
	else
		cli_usage(command, _("unknown option '%.*s'"), (int)len, word);
}

/* What each of several people has. */
static bool is_repeatable(const char *name)
{
	return !strcmp(name, "share") || !strcmp(name, "share-for") || !strcmp(name, "share-pin-file");
}

/* Whether the option with a value at this place of the table was there before: which value is meant? */
static bool given_twice(const struct command *command, const struct option *long_options, int index, bool first)
{
	static uint64_t seen;
	const struct option *option = &long_options[index];
	uint64_t bit = UINT64_C(1) << (index & 63);

	if (first)
		seen = 0;
	if (index < 0 || option->has_arg == no_argument || is_repeatable(option->name))
		return false;
	if (seen & bit) {
		cli_usage(command, _("option '--%s' is given twice"), option->name);
		return true;
	}
	seen |= bit;
	return false;
}

/* What --token takes; "list" is for those who look for it. */
static bool is_token(const char *value)
{
	return strncmp(value, "pkcs11:", strlen("pkcs11:")) == 0 || strcmp(value, "fido2") == 0 ||
	       strcmp(value, "list") == 0;
}

int cli_getopt(const struct command *command, int argc, char **argv,
	const struct option *long_options)
{
	bool first = optind <= 1;
	int c, index = -1;

	opterr = 0;
	c = getopt_long(argc, argv, ":", long_options, &index);
	if (given_twice(command, long_options, index, first))
		return '?';
	if (c == ':') {
		cli_usage(command, _("option '%s' needs a value"), argv[optind - 1]);
		return '?';
	}
	/* getopt would only take --token=URI */
	if (c == CLI_OPT_TOKEN && !optarg && optind < argc && is_token(argv[optind]))
		optarg = argv[optind++];
	if (c == CLI_OPT_TOKEN && optarg && !is_token(optarg)) {
		cli_usage(command, _("--token is 'pkcs11:...' or 'fido2', not '%s'"), optarg);
		return '?';
	}
	if (c == '?')
		/* with a cluster like -xy optind has not moved on yet */
		explain_bad_option(command,
			optopt && optind < argc && argv[optind][0] == '-' && argv[optind][1] != '-'
				? argv[optind] : argv[optind - 1], long_options);
	return c;
}

bool cli_operands(const struct command *command, int argc, char **argv, int min, int max)
{
	if (argc - optind < min) {
		cli_usage(command, _("an operand is missing: %s"), _(command->operands));
		return false;
	}
	if (argc - optind > max) {
		cli_usage(command, _("unexpected operand '%s'"), argv[optind + max]);
		return false;
	}
	for (int i = optind; i < argc; i++)
		if (argv[i][0] == '\0') {
			cli_usage(command, _("an operand is empty"));
			return false;
		}
	return true;
}

static int parse_digits(const char **text, uint64_t *ret_number)
{
	uint64_t v = 0;

	if (**text < '0' || **text > '9')
		return -EINVAL;
	for (; **text >= '0' && **text <= '9'; ++*text)
		if (!mul_u64(v, 10, &v) || !add_u64(v, **text - '0', &v))
			return -EINVAL;
	*ret_number = v;
	return 0;
}

int cli_parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *ret_number)
{
	uint64_t v;

	if (parse_digits(&text, &v) < 0 || *text || v < min || v > max)
		return -EINVAL;
	*ret_number = v;
	return 0;
}

int cli_parse_size(const char *text, uint64_t *ret_bytes)
{
	static const char units[] = "kmgtpe";
	uint64_t v;
	unsigned shift = 0;

	if (parse_digits(&text, &v) < 0)
		return -EINVAL;
	if (*text) {
		const char *unit = strchr(units, *text | 0x20);

		if (unit) {
			shift = 10 * (unit - units + 1);
			text++;
			if (*text && strcasecmp(text, "b") != 0 && strcasecmp(text, "ib") != 0)
				return -EINVAL;
		} else if (strcasecmp(text, "b") != 0) {
			return -EINVAL;
		}
	}
	return mul_u64(v, 1ULL << shift, ret_bytes) ? 0 : -EINVAL;
}

const char *cli_format_size(char buf[CLI_SIZE_TEXT], uint64_t bytes)
{
	static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	uint64_t tenths;
	unsigned unit = 0;

	if (bytes < 1024) {
		snprintf(buf, CLI_SIZE_TEXT, _("%u bytes"), (unsigned)bytes);
		return buf;
	}
	/* in tenths, rounded: what rounds up to 1024 belongs to the next unit */
	for (;; unit++, bytes /= 1024) {
		tenths = bytes / 1024 * 10 + (bytes % 1024 * 10 + 512) / 1024;
		if (tenths < 10240 || unit + 1 == ARRAY_SIZE(units))
			break;
	}
	if (tenths % 10)
		snprintf(buf, CLI_SIZE_TEXT, "%llu.%llu %s", (unsigned long long)tenths / 10,
			(unsigned long long)tenths % 10, units[unit]);
	else
		snprintf(buf, CLI_SIZE_TEXT, "%llu %s", (unsigned long long)tenths / 10, units[unit]);
	return buf;
}
