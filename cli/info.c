/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sealdrive info: all that a LUKS header says without a secret. It only reads, without any lock,
 * so that it works on a drive that is mounted or write-protected.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "cli/cli.h"
#include "cli/header.h"
#include "cli/info.h"
#include "keymgr/luks2.h"
#include "keymgr/luks2-seal.h"
#include "keymgr/share-set.h"

enum { OPT_HELP = 1, OPT_JSON, OPT_HEADER };

static const struct option long_options[] = {
	{"help", no_argument, NULL, OPT_HELP},
	{"json", no_argument, NULL, OPT_JSON},
	{"header", required_argument, NULL, OPT_HEADER},
	{NULL, 0, NULL, 0},
};

static const char *const copy_names[] = {N_("Primary copy"), N_("Secondary copy")};
static const char *const copy_states[] = {
	[LUKS2_COPY_OK] = N_("good"),
	[LUKS2_COPY_DAMAGED] = N_("DAMAGED"),
	[LUKS2_COPY_OLD] = N_("out of date"),
	[LUKS2_COPY_MISSING] = N_("MISSING"),
};
static const char *const priorities[] = {
	[LUKS2_PRIORITY_IGNORE] = N_("ignore"),
	[LUKS2_PRIORITY_NORMAL] = N_("normal"),
	[LUKS2_PRIORITY_HIGH] = N_("high"),
};

/* ---- text ---- */

enum { INDENT = 2, NAME_WIDTH = 18 };

/* "  Name:             value"; the value may come from the drive. */
static void field(int level, const char *name, const char *fmt, ...) PRINTF(3, 4);
static void field(int level, const char *name, const char *fmt, ...)
{
	CLEANUP_FREE char *value = NULL;
	CLEANUP_FREE char *safe = NULL;
	char title[96];
	va_list args;
	int n;

	va_start(args, fmt);
	n = vasprintf(&value, fmt, args);
	va_end(args);
	if (n < 0) {
		value = NULL;
		return;
	}
	if (text_sanitize(value, n, &safe) < 0)
		return;
	snprintf(title, sizeof(title), "%s:", name);
	printf("%*s", INDENT * level, "");
	cli_put_padded(title, NAME_WIDTH - INDENT * (level - 1));
	printf(" %s\n", safe);
}

static void field_size(int level, const char *name, uint64_t bytes)
{
	char size[CLI_SIZE_TEXT];

	field(level, name, "%s", cli_format_size(size, bytes));
}

/* "0 3 5", or "-" for none */
static void field_ids(int level, const char *name, uint32_t ids)
{
	char list[128] = "";
	size_t len = 0;

	for (int id = 0; id < 32; id++)
		if (ids & (UINT32_C(1) << id))
			len += snprintf(list + len, sizeof(list) - len, "%s%d", len ? " " : "", id);
	field(level, name, "%s", len ? list : "-");
}

static void field_words(int level, const char *name, char **words)
{
	if (!words || !words[0]) {
		field(level, name, "-");
		return;
	}
	for (; *words; words++, name = "")
		field(level, name, "%s", *words);
}

static void print_header(const struct info *info)
{
	const struct luks2 *hdr = info->hdr;

	field(1, _("Format"), hdr->version == 1 ? "LUKS1" : "LUKS2");
	field_size(1, _("Size"), info->size_bytes);
	field(1, "UUID", "%s", hdr->uuid);
	field(1, _("Label"), "%s", hdr->label[0] ? hdr->label : "-");
	if (hdr->subsystem[0])
		field(1, _("Subsystem"), "%s", hdr->subsystem);
	if (hdr->version > 1)
		field(1, _("Sequence number"), "%" PRIu64, hdr->seqid);
	field_size(1, _("Header size"), hdr->hdr_bytes);
	for (int i = 0; i < 2 && hdr->version > 1; i++)
		field(1, _(copy_names[i]), "%s", _(copy_states[hdr->copies[i]]));
	field_size(1, _("Key slots area"), hdr->keyslots_size);
	field_words(1, _("Flags"), hdr->flags);
	field_words(1, _("Requirements"), hdr->requirements);
	if (hdr->version != 1)
		field(1, _("Seal"), "%s", luks2_seal_present(hdr) ? _("yes, verified when it is opened") : _("none"));
	if (info->usable < 0 && info->why_not.detail[0])
		field(1, _("Opens here"), _("no: %s: %s"), error_text(info->usable), info->why_not.detail);
	else if (info->usable < 0)
		field(1, _("Opens here"), _("no: %s"), error_text(info->usable));
	else
		field(1, _("Opens here"), "%s", _("yes"));
}

static void print_segment(const struct luks2_segment *segment)
{
	printf(_("\n  Data segment %d\n"), segment->id);
	field(2, _("Type"), "%s", segment->type);
	field(2, _("Starts at"), _("%llu bytes"), (unsigned long long)segment->offset);
	if (segment->size)
		field_size(2, _("Size"), segment->size);
	else
		field(2, _("Size"), "%s", _("up to the end of the drive"));
	if (segment->cipher[0])
		field(2, _("Cipher"), "%s", segment->cipher);
	field(2, _("Sector size"), _("%llu bytes"), (unsigned long long)segment->sector_bytes);
	if (segment->integrity)
		field(2, _("Integrity"), "%s", _("yes"));
}

static void print_kdf(const struct luks2_kdf *kdf)
{
	char memory[CLI_SIZE_TEXT];

	field(2, _("Key derivation"), "%s", luks2_kdf_name(kdf->type));
	if (kdf->type == LUKS2_KDF_PBKDF2) {
		field(2, _("Hash"), "%s", kdf->hash);
		field(2, _("Iterations"), "%" PRIu32, kdf->iterations);
		return;
	}
	field(2, _("Time cost"), "%" PRIu32, kdf->time);
	field(2, _("Memory"), "%s", cli_format_size(memory, kdf->memory_kib * UINT64_C(1024)));
	field(2, _("Threads"), "%" PRIu32, kdf->cpus);
}

static void print_keyslot(const struct luks2_keyslot *slot)
{
	printf(_("\n  Key slot %d\n"), slot->id);
	field(2, _("Type"), "%s", slot->type);
	if (!slot->usable) {
		field(2, _("Opens here"), "%s", _("no: its type or one of its methods is not known"));
		return;
	}
	field(2, _("Priority"), "%s", _(priorities[slot->priority]));
	field(2, _("Key size"), _("%u bits"), slot->key_bytes * 8);
	print_kdf(&slot->kdf);
	CLEANUP_FREE char *portability = info_portability(slot);

	if (portability)
		field(2, _("Opening it"), "%s", portability);
	field(2, _("Stored with"), _("%s, %u bits"), slot->area_cipher, slot->area_key_bytes * 8);
	field(2, _("Split into"), _("%u stripes, %s"), slot->af_stripes, slot->af_hash);
}

static void print_share_set(const struct luks2 *hdr, int token)
{
	struct share_set set;
	char name[SHARE_SET_CHARS];

	if (!share_set_read(hdr, token, &set))
		return;
	share_set_name(set.set, name);
	field(2, _("Shares"), _("%u, of which %u are needed"), set.count, set.threshold);
	field(2, _("Set"), "%s", name);
	field(2, _("Made"), "%s", set.made[0] ? set.made : "-");
}

static void print_text(const struct info *info)
{
	const struct luks2 *hdr = info->hdr;
	CLEANUP_FREE char *path = NULL;

	if (text_sanitize(info->path, strlen(info->path), &path) == 0)
		puts(path);
	print_header(info);
	for (int i = 0; i < hdr->segment_count; i++)
		print_segment(&hdr->segments[i]);
	for (int i = 0; i < hdr->keyslot_count; i++)
		print_keyslot(&hdr->keyslots[i]);
	for (int i = 0; i < hdr->token_count; i++) {
		printf(_("\n  Token %d\n"), hdr->tokens[i].id);
		field(2, _("Type"), "%s", hdr->tokens[i].type);
		field_ids(2, _("Key slots"), hdr->tokens[i].keyslots);
		print_share_set(hdr, hdr->tokens[i].id);
	}
	for (int i = 0; i < hdr->digest_count; i++) {
		printf(_("\n  Digest %d\n"), hdr->digests[i].id);
		field(2, _("Type"), "%s", hdr->digests[i].type);
		field(2, _("Hash"), "%s", hdr->digests[i].hash);
		field(2, _("Iterations"), "%" PRIu32, hdr->digests[i].iterations);
		field_ids(2, _("Key slots"), hdr->digests[i].keyslots);
		field_ids(2, _("Segments"), hdr->digests[i].segments);
	}
}

/* ---- command ---- */

static void warn_of_damage(const char *path, const struct luks2 *hdr)
{
	for (int i = 0; i < 2; i++)
		if (hdr->copies[i] != LUKS2_COPY_OK)
			cli_warn(path, _("%s of the header: %s. The other copy is used; the next "
					 "mount that may write repairs it"),
				_(copy_names[i]), _(copy_states[hdr->copies[i]]));
}

static int show(const struct header_args *args, bool json)
{
	CLEANUP_BLKDEV struct blkdev *dev = NULL;
	CLEANUP_LUKS2 struct luks2 *hdr = NULL;
	struct info info = {.path = args->target};
	struct diag diag = {0};
	int r;

	r = header_open_to_read(args, &dev, &info.size_bytes, &diag);
	if (r == 0)
		r = luks2_load(dev, 0, &hdr, &diag);
	if (r < 0)
		return cli_fail(args->target, r, &diag);
	info.hdr = hdr;
	info.usable = luks2_check_usable(hdr, info.size_bytes, &info.why_not);
	warn_of_damage(header_path(args), hdr);
	if (json)
		info_print_json(&info);
	else
		print_text(&info);
	return EXIT_DONE;
}

static int run(int argc, char **argv)
{
	struct header_args args = {0};
	bool json = false;
	int option;

	while ((option = cli_getopt(&command_info, argc, argv, long_options)) != -1) {
		if (option == OPT_HELP)
			return cli_help(&command_info);
		if (option == OPT_HEADER)
			args.header = optarg;
		else if (option == OPT_JSON)
			json = true;
		else
			return EXIT_USAGE;
	}
	if (!cli_operands(&command_info, argc, argv, 1, 1))
		return EXIT_USAGE;
	args.target = argv[optind];
	return show(&args, json);
}

const struct command command_info = {
	.name = "info",
	.operands = N_("TARGET"),
	.summary = N_("show all that the header of a drive says, without a passphrase"),
	.options = N_(
		"TARGET is a drive, a partition, a container file or a header file.\n"
		"\n"
		"Options:\n"
		"  --header FILE  the drive's LUKS header is in FILE\n"
		"  --json         print JSON for programs\n"
		"  --help         show this help\n"),
	.run = run,
};
