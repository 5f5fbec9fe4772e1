/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sealdrive info: all that a LUKS2 header says without a secret. It only reads, without any lock,
 * so that it works on a drive that is mounted or write-protected.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "cli/cli.h"
#include "cli/jsonout.h"
#include "keymgr/luks2.h"
#include "kernel-shim/filedev.h"

enum { OPT_HELP = 1, OPT_JSON };

static const struct option long_options[] = {
	{"help", no_argument, NULL, OPT_HELP},
	{"json", no_argument, NULL, OPT_JSON},
	{NULL, 0, NULL, 0},
};

struct info {
	const char *path;
	uint64_t size_bytes;
	const struct luks2 *hdr;
	int usable; /* what luks2_check_usable() says */
	struct diag why_not;
};

static const char *const copy_names[] = {N_("Primary copy"), N_("Secondary copy")};
static const char *const copy_states[] = {
	[LUKS2_COPY_OK] = N_("good"),
	[LUKS2_COPY_DAMAGED] = N_("DAMAGED"),
	[LUKS2_COPY_OLD] = N_("out of date"),
	[LUKS2_COPY_MISSING] = N_("MISSING"),
};
static const char *const copy_states_json[] = {
	[LUKS2_COPY_OK] = "ok",
	[LUKS2_COPY_DAMAGED] = "damaged",
	[LUKS2_COPY_OLD] = "old",
	[LUKS2_COPY_MISSING] = "missing",
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

	field(1, _("Format"), "LUKS2");
	field_size(1, _("Size"), info->size_bytes);
	field(1, "UUID", "%s", hdr->uuid);
	field(1, _("Label"), "%s", hdr->label[0] ? hdr->label : "-");
	if (hdr->subsystem[0])
		field(1, _("Subsystem"), "%s", hdr->subsystem);
	field(1, _("Sequence number"), "%" PRIu64, hdr->seqid);
	field_size(1, _("Header size"), hdr->hdr_bytes);
	for (int i = 0; i < 2; i++)
		field(1, _(copy_names[i]), "%s", _(copy_states[hdr->copies[i]]));
	field_size(1, _("Key slots area"), hdr->keyslots_size);
	field_words(1, _("Flags"), hdr->flags);
	field_words(1, _("Requirements"), hdr->requirements);
	if (info->usable < 0)
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
		field(2, _("Opens here"), "%s", _("no: its type is not known"));
		return;
	}
	field(2, _("Priority"), "%s", _(priorities[slot->priority]));
	field(2, _("Key size"), _("%u bits"), slot->key_bytes * 8);
	print_kdf(&slot->kdf);
	field(2, _("Stored with"), _("%s, %u bits"), slot->area_cipher, slot->area_key_bytes * 8);
	field(2, _("Split into"), _("%u stripes, %s"), slot->af_stripes, slot->af_hash);
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

/* ---- JSON: docs/JSON.md ---- */

static void json_ids(struct jsonout *out, const char *key, uint32_t ids)
{
	jsonout_array(out, key);
	for (int id = 0; id < 32; id++)
		if (ids & (UINT32_C(1) << id))
			jsonout_number(out, NULL, id);
	jsonout_end_array(out);
}

static void json_words(struct jsonout *out, const char *key, char **words)
{
	jsonout_array(out, key);
	for (; words && *words; words++)
		jsonout_string(out, NULL, *words);
	jsonout_end_array(out);
}

/* An id, or null for -1. */
static void json_id(struct jsonout *out, const char *key, int id)
{
	if (id < 0)
		jsonout_string(out, key, NULL);
	else
		jsonout_number(out, key, id);
}

static void json_header(struct jsonout *out, const struct luks2 *hdr)
{
	jsonout_object(out, "header");
	jsonout_number(out, "copy_bytes", hdr->hdr_bytes);
	jsonout_number(out, "keyslots_area_bytes", hdr->keyslots_size);
	jsonout_string(out, "checksum", hdr->csum_alg);
	jsonout_string(out, "primary", copy_states_json[hdr->copies[0]]);
	jsonout_string(out, "secondary", copy_states_json[hdr->copies[1]]);
	jsonout_end_object(out);
}

static void json_segment(struct jsonout *out, const struct luks2_segment *segment)
{
	jsonout_object(out, NULL);
	jsonout_number(out, "id", segment->id);
	jsonout_string(out, "type", segment->type);
	jsonout_number(out, "offset_bytes", segment->offset);
	if (segment->size)
		jsonout_number(out, "size_bytes", segment->size);
	else
		jsonout_string(out, "size_bytes", NULL);
	jsonout_number(out, "iv_tweak", segment->iv_tweak);
	jsonout_string(out, "cipher", segment->cipher);
	jsonout_number(out, "sector_bytes", segment->sector_bytes);
	jsonout_bool(out, "integrity", segment->integrity);
	json_id(out, "digest", segment->digest);
	jsonout_end_object(out);
}

static void json_kdf(struct jsonout *out, const struct luks2_kdf *kdf)
{
	jsonout_object(out, "kdf");
	jsonout_string(out, "type", luks2_kdf_name(kdf->type));
	if (kdf->type == LUKS2_KDF_PBKDF2) {
		jsonout_string(out, "hash", kdf->hash);
		jsonout_number(out, "iterations", kdf->iterations);
	} else {
		jsonout_number(out, "time", kdf->time);
		jsonout_number(out, "memory_kib", kdf->memory_kib);
		jsonout_number(out, "threads", kdf->cpus);
	}
	jsonout_number(out, "salt_bytes", kdf->salt_len);
	jsonout_end_object(out);
}

static void json_keyslot(struct jsonout *out, const struct luks2_keyslot *slot)
{
	jsonout_object(out, NULL);
	jsonout_number(out, "id", slot->id);
	jsonout_string(out, "type", slot->type);
	jsonout_bool(out, "usable", slot->usable);
	if (slot->usable) {
		jsonout_string(out, "priority", priorities[slot->priority]);
		jsonout_number(out, "key_bits", slot->key_bytes * UINT64_C(8));
		jsonout_object(out, "area");
		jsonout_number(out, "offset_bytes", slot->area_offset);
		jsonout_number(out, "size_bytes", slot->area_size);
		jsonout_string(out, "cipher", slot->area_cipher);
		jsonout_number(out, "key_bits", slot->area_key_bytes * UINT64_C(8));
		jsonout_end_object(out);
		jsonout_object(out, "af");
		jsonout_string(out, "hash", slot->af_hash);
		jsonout_number(out, "stripes", slot->af_stripes);
		jsonout_end_object(out);
		json_kdf(out, &slot->kdf);
		json_id(out, "digest", slot->digest);
	}
	jsonout_end_object(out);
}

static void json_digest(struct jsonout *out, const struct luks2_digest *digest)
{
	jsonout_object(out, NULL);
	jsonout_number(out, "id", digest->id);
	jsonout_string(out, "type", digest->type);
	jsonout_string(out, "hash", digest->hash);
	jsonout_number(out, "iterations", digest->iterations);
	json_ids(out, "keyslots", digest->keyslots);
	json_ids(out, "segments", digest->segments);
	jsonout_end_object(out);
}

static void json_token(struct jsonout *out, const struct luks2_token *token)
{
	jsonout_object(out, NULL);
	jsonout_number(out, "id", token->id);
	jsonout_string(out, "type", token->type);
	json_ids(out, "keyslots", token->keyslots);
	jsonout_end_object(out);
}

static void json_lists(struct jsonout *out, const struct luks2 *hdr)
{
	jsonout_array(out, "segments");
	for (int i = 0; i < hdr->segment_count; i++)
		json_segment(out, &hdr->segments[i]);
	jsonout_end_array(out);
	jsonout_array(out, "keyslots");
	for (int i = 0; i < hdr->keyslot_count; i++)
		json_keyslot(out, &hdr->keyslots[i]);
	jsonout_end_array(out);
	jsonout_array(out, "tokens");
	for (int i = 0; i < hdr->token_count; i++)
		json_token(out, &hdr->tokens[i]);
	jsonout_end_array(out);
	jsonout_array(out, "digests");
	for (int i = 0; i < hdr->digest_count; i++)
		json_digest(out, &hdr->digests[i]);
	jsonout_end_array(out);
}

static void print_json(const struct info *info)
{
	const struct luks2 *hdr = info->hdr;
	struct jsonout out = {0};

	jsonout_object(&out, NULL);
	jsonout_string(&out, "path", info->path);
	jsonout_string(&out, "format", "luks2");
	jsonout_number(&out, "size_bytes", info->size_bytes);
	jsonout_string(&out, "uuid", hdr->uuid);
	jsonout_string(&out, "label", hdr->label);
	jsonout_string(&out, "subsystem", hdr->subsystem);
	jsonout_number(&out, "sequence", hdr->seqid);
	jsonout_bool(&out, "usable", info->usable >= 0);
	json_header(&out, hdr);
	json_words(&out, "flags", hdr->flags);
	json_words(&out, "requirements", hdr->requirements);
	json_lists(&out, hdr);
	jsonout_end_object(&out);
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

static int show(const char *path, bool json)
{
	CLEANUP_BLKDEV struct blkdev *dev = NULL;
	CLEANUP_LUKS2 struct luks2 *hdr = NULL;
	struct info info = {.path = path};
	struct diag diag = {0};
	int r;

	r = filedev_open(path, FILEDEV_NO_LOCK, 0, &dev, &diag);
	if (r == 0)
		r = luks2_load(dev, 0, &hdr, &diag);
	if (r < 0)
		return cli_fail(path, r, &diag);
	info.hdr = hdr;
	info.size_bytes = dev->size_bytes;
	info.usable = luks2_check_usable(hdr, dev->size_bytes, &info.why_not);
	warn_of_damage(path, hdr);
	if (json)
		print_json(&info);
	else
		print_text(&info);
	return EXIT_DONE;
}

static int run(int argc, char **argv)
{
	bool json = false;
	int option;

	while ((option = cli_getopt(&command_info, argc, argv, long_options)) != -1) {
		if (option == OPT_HELP)
			return cli_help(&command_info);
		if (option == '?')
			return EXIT_USAGE;
		json = true;
	}
	if (!cli_operands(&command_info, argc, argv, 1, 1))
		return EXIT_USAGE;
	return show(argv[optind], json);
}

const struct command command_info = {
	.name = "info",
	.operands = N_("TARGET"),
	.summary = N_("show all that the header of a drive says, without a passphrase"),
	.options = N_(
		"TARGET is a drive, a partition, a container file or a header file.\n"
		"\n"
		"Options:\n"
		"  --json  print JSON for programs\n"
		"  --help  show this help\n"),
	.run = run,
};
