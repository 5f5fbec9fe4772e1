/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sealdrive key list: the key slots and what unlocks them, without a passphrase. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "cli/info.h"
#include "cli/jsonout.h"
#include "cli/key.h"
#include "keymgr/both.h"
#include "keymgr/custody.h"
#include "keymgr/share-set.h"
#include "keymgr/token.h"

static const struct option long_options[] = {
	KEY_COMMON_OPTIONS,
	{"json", no_argument, NULL, KEY_JSON},
	{0},
};

enum { SLOT_WIDTH = 6, OPENS_WIDTH = 8, PRIORITY_WIDTH = 10, KDF_WIDTH = 40 };

static void print_heading(void)
{
	cli_put_padded(_("Slot"), SLOT_WIDTH);
	cli_put_padded(_("Opens"), OPENS_WIDTH);
	cli_put_padded(_("Priority"), PRIORITY_WIDTH);
	cli_put_padded(_("Key derivation"), KDF_WIDTH);
	printf("%s\n", _("Tokens"));
}

static void print_kdf(const struct luks2_keyslot *slot)
{
	const struct luks2_kdf *kdf = &slot->kdf;
	char memory[CLI_SIZE_TEXT], text[128];

	if (!slot->usable)
		snprintf(text, sizeof(text), "%.32s", slot->type);
	else if (kdf->type == LUKS2_KDF_PBKDF2)
		snprintf(text, sizeof(text), _("%s, %s, %u iterations"), luks2_kdf_name(kdf->type),
			kdf->hash, kdf->iterations);
	else
		snprintf(text, sizeof(text), _("%s, %s, %u times, %u threads"), luks2_kdf_name(kdf->type),
			cli_format_size(memory, kdf->memory_kib * UINT64_C(1024)), kdf->time, kdf->cpus);
	CLEANUP_FREE char *safe = NULL;

	if (text_sanitize(text, strlen(text), &safe) == 0)
		cli_put_padded(safe, KDF_WIDTH);
}

static void print_tokens(const struct luks2 *hdr, int slot_id)
{
	bool any = false;

	for (int i = 0; i < hdr->token_count; i++) {
		CLEANUP_FREE char *safe = NULL;

		if (!(hdr->tokens[i].keyslots >> slot_id & 1) ||
			text_sanitize(hdr->tokens[i].type, strlen(hdr->tokens[i].type), &safe) < 0)
			continue;
		printf("%s%s", any ? ", " : "", safe);
		any = true;
	}
	puts(any ? "" : "-");
}

static void print_field(const char *what, const char *text)
{
	CLEANUP_FREE char *safe = NULL;

	if (text[0] && text_sanitize(text, strlen(text), &safe) == 0)
		printf(", %s: %s", what, safe);
}

static void print_custody(const struct custody *custody, int slot_id)
{
	printf(_("Key slot %d"), slot_id);
	print_field(_("owner"), custody->owner);
	print_field(_("token"), custody->label);
	print_field(_("serial number"), custody->serial);
	print_field(_("enrolled"), custody->enrolled);
	print_field(_("expires"), custody->expires);
	putchar('\n');
}

static const char *part_name(const struct both_part *part)
{
	return part->kind == TOKEN_PKCS11 ? _("a smart card") : part->kind == TOKEN_FIDO2 ? _("a security key") : _("a passphrase");
}

static void print_both(const struct luks2 *hdr, int slot_id)
{
	for (int i = 0; i < hdr->token_count; i++) {
		struct both both;

		if ((hdr->tokens[i].keyslots >> slot_id & 1) && both_read(hdr, hdr->tokens[i].id, &both, NULL) == 0)
			printf(_("Key slot %d needs two together: %s and %s.\n"), slot_id, part_name(&both.parts[0]),
				part_name(&both.parts[1]));
	}
}

/* Who was given what opens the slot (there may be several notes), and what opens those that we do not. */
static void print_notes(const struct luks2 *hdr, int slot_id)
{
	struct share_set set;
	char name[SHARE_SET_CHARS];

	print_both(hdr, slot_id);
	if (share_set_of_keyslot(hdr, slot_id, &set)) {
		share_set_name(set.set, name);
		printf(_("Key slot %d opens with any %u of %u shares"), slot_id, set.threshold, set.count);
		print_field(_("set"), name);
		print_field(_("made"), set.made);
		putchar('\n');
	}
	for (int i = 0; i < hdr->token_count; i++) {
		const char *by = token_opened_by(token_kind(hdr->tokens[i].type));
		struct custody custody;

		if (!(hdr->tokens[i].keyslots >> slot_id & 1))
			continue;
		if (custody_read(hdr, i, &custody))
			print_custody(&custody, slot_id);
		if (by)
			printf(_("Key slot %d opens with %s, not with sealdrive.\n"), slot_id, by);
	}
}

static void print_text(const struct luks2 *hdr)
{
	char number[16];

	print_heading();
	for (int i = 0; i < hdr->keyslot_count; i++) {
		const struct luks2_keyslot *slot = &hdr->keyslots[i];

		snprintf(number, sizeof(number), "%d", slot->id);
		cli_put_padded(number, SLOT_WIDTH);
		cli_put_padded(luks2_keyslot_opens(hdr, slot) ? _("yes") : _("no"), OPENS_WIDTH);
		cli_put_padded(_(key_priority_word(slot->priority)), PRIORITY_WIDTH);
		print_kdf(slot);
		print_tokens(hdr, slot->id);
	}
	for (int i = 0; i < hdr->keyslot_count; i++)
		print_notes(hdr, hdr->keyslots[i].id);
	if (hdr->version == 2)
		printf(_("There is room for %d more.\n"), luks2_keyslots_room(hdr));
}

static void print_json(const struct key_drive *drive)
{
	const struct luks2 *hdr = drive->hdr;
	struct jsonout out = {0};

	jsonout_object(&out, NULL);
	jsonout_string(&out, "path", drive->args->target);
	jsonout_string(&out, "uuid", hdr->uuid);
	jsonout_string(&out, "label", hdr->label);
	jsonout_number(&out, "sequence", hdr->seqid);
	jsonout_number(&out, "room", hdr->version == 2 ? (uint64_t)luks2_keyslots_room(hdr) : 0);
	jsonout_array(&out, "keyslots");
	for (int i = 0; i < hdr->keyslot_count; i++)
		info_json_keyslot(&out, hdr, &hdr->keyslots[i]);
	jsonout_end_array(&out);
	jsonout_end_object(&out);
}

static int run(int argc, char **argv)
{
	struct key_drive drive;
	struct key_args args;
	int r = key_parse(&command_key_list, argc, argv, long_options, &args);

	if (r != EXIT_DONE || args.help)
		return r;
	r = key_drive_open(&args, false, &drive);
	if (r == 0 && args.json)
		print_json(&drive);
	else if (r == 0)
		print_text(drive.hdr);
	return key_drive_close(&drive, r);
}

const struct command command_key_list = {
	.name = "key list",
	.operands = N_("TARGET"),
	.summary = N_("show the key slots of a drive, without a passphrase"),
	.options = N_("TARGET is a drive, a partition, a container file or a header file. It may be\n"
		      "mounted.\n"
		      "\n"
		      "Options:\n"
		      "  --json         print JSON for programs\n"
		      "  --header FILE  the drive's LUKS header is in FILE\n"
		      "  --help         show this help\n"),
	.run = run,
};
