/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/format-options.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

enum option_id {
	OPT_HELP = 1,
	OPT_SIZE,
	OPT_LABEL,
	OPT_CIPHER,
	OPT_KEY_SIZE,
	OPT_SECTOR_SIZE,
	OPT_METADATA_SIZE,
	OPT_HEADER,
	OPT_OWNER,
	OPT_FORCE,
	OPT_ALLOW_WEAK,
	OPT_PASSPHRASE_FILE,
	OPT_KEY_FILE,
};

static const struct option long_options[] = {
	{"help", no_argument, NULL, OPT_HELP},
	{"size", required_argument, NULL, OPT_SIZE},
	{"label", required_argument, NULL, OPT_LABEL},
	{"cipher", required_argument, NULL, OPT_CIPHER},
	{"key-size", required_argument, NULL, OPT_KEY_SIZE},
	{"sector-size", required_argument, NULL, OPT_SECTOR_SIZE},
	{"metadata-size", required_argument, NULL, OPT_METADATA_SIZE},
	{"header", required_argument, NULL, OPT_HEADER},
	{"owner", required_argument, NULL, OPT_OWNER},
	{"force", no_argument, NULL, OPT_FORCE},
	{"allow-weak", no_argument, NULL, OPT_ALLOW_WEAK},
	KDF_LONG_OPTIONS,
	{"passphrase-file", required_argument, NULL, OPT_PASSPHRASE_FILE},
	{"key-file", required_argument, NULL, OPT_KEY_FILE},
	{NULL, 0, NULL, 0},
};

static bool parse_size(const char *name, const char *text, uint64_t *ret_bytes)
{
	if (cli_parse_size(text, ret_bytes) == 0 && *ret_bytes > 0)
		return true;
	cli_usage(&command_format, _("--%s: '%s' is not a size; write for instance 500M, 64G or 2T"),
		name, text);
	return false;
}

static bool parse_number(const char *name, const char *text, uint32_t min, uint32_t max,
	uint32_t *ret_number)
{
	uint64_t v;

	if (cli_parse_number(text, min, max, &v) == 0) {
		*ret_number = v;
		return true;
	}
	cli_usage(&command_format, _("--%s: '%s' is not a number from %u to %u"), name, text, min, max);
	return false;
}

/* UID[:GID]; the group is the user's number when it is not given, as useradd makes them. */
static bool parse_owner(struct format_options *o, const char *text)
{
	CLEANUP_FREE char *user = strdup(text);
	char *colon = user ? strchr(user, ':') : NULL;
	uint64_t uid = 0, gid = 0;

	if (colon)
		*colon = '\0';
	if (!user || cli_parse_number(user, 0, UINT32_MAX - 1, &uid) < 0 ||
		(colon && cli_parse_number(colon + 1, 0, UINT32_MAX - 1, &gid) < 0)) {
		cli_usage(&command_format, _("--owner: '%s' is not of the form UID or UID:GID"), text);
		return false;
	}
	o->root_uid = uid;
	o->root_gid = colon ? gid : uid;
	return true;
}

static bool parse_key_size(struct format_options *o, const char *text)
{
	uint32_t bits;

	if (!parse_number("key-size", text, 8, 4096, &bits))
		return false;
	if (bits % 8) {
		cli_usage(&command_format, _("--key-size: the number of bits must be a multiple of 8"));
		return false;
	}
	o->params.key_bytes = bits / 8;
	return true;
}

static bool parse_option(struct format_options *o, int option, const char *value)
{
	bool ok;

	switch (option) {
	case OPT_SIZE:
		return parse_size("size", value, &o->size_bytes);
	case OPT_LABEL:
		o->params.label = value[0] ? value : NULL;
		return true;
	case OPT_CIPHER:
		o->params.cipher = value;
		return true;
	case OPT_KEY_SIZE:
		return parse_key_size(o, value);
	case OPT_SECTOR_SIZE:
		return parse_number("sector-size", value, 512, 4096, &o->params.sector_bytes);
	case OPT_METADATA_SIZE:
		return parse_size("metadata-size", value, &o->params.metadata_bytes);
	case OPT_HEADER:
		o->header_path = value;
		return true;
	case OPT_OWNER:
		return parse_owner(o, value);
	case OPT_FORCE:
		o->force = true;
		return true;
	case OPT_ALLOW_WEAK:
		o->allow_weak = true;
		return true;
	case OPT_PASSPHRASE_FILE:
		o->source.passphrase_file = value;
		return true;
	case OPT_KEY_FILE:
		o->source.key_file = value;
		return true;
	default:
		return kdf_option(&command_format, option, value, &o->kdf, &ok) && ok;
	}
}

/* What the options mean together. */
static bool combine_options(struct format_options *o)
{
	if (!kdf_options_combine(&command_format, &o->kdf, &o->params.kdf, &o->params.kdf_default))
		return false;
	o->params.iter_time_ms = o->kdf.iter_time_ms;
	o->params.weakest_bytes = o->kdf.weakest_bytes;
	if (o->source.passphrase_file && o->source.key_file) {
		cli_usage(&command_format, _("--passphrase-file and --key-file exclude each other"));
		return false;
	}
	o->params.detached = o->header_path != NULL;
	return true;
}

static bool id_from_environment(const char *name, uint32_t *id)
{
	const char *text = getenv(name);
	uint64_t v;

	if (!text || cli_parse_number(text, 0, UINT32_MAX - 1, &v) < 0)
		return false;
	*id = v;
	return true;
}

/* The files belong to the person at the keyboard, also when sudo or pkexec runs us. */
static void default_owner(struct format_options *o)
{
	o->root_uid = getuid();
	o->root_gid = getgid();
	if (o->root_uid != 0)
		return;
	if (id_from_environment("SUDO_UID", &o->root_uid))
		id_from_environment("SUDO_GID", &o->root_gid);
	else if (id_from_environment("PKEXEC_UID", &o->root_uid))
		o->root_gid = o->root_uid;
}

int format_options_parse(int argc, char **argv, struct format_options *o)
{
	int option;

	*o = (struct format_options){
		.kdf = KDF_OPTIONS_INIT,
	};
	default_owner(o);
	while ((option = cli_getopt(&command_format, argc, argv, long_options)) != -1) {
		if (option == OPT_HELP) {
			cli_help(&command_format);
			return -1;
		}
		if (option == '?' || !parse_option(o, option, optarg))
			return EXIT_USAGE;
	}
	if (!cli_operands(&command_format, argc, argv, 1, 1) || !combine_options(o))
		return EXIT_USAGE;
	o->target_path = argv[optind];
	return EXIT_DONE;
}
