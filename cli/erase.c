/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sealdrive erase TARGET: destroys the header with all its key slots, or one key slot, and certifies
 * it. All that can be checked is checked before anybody is asked, and the files of the certificate are
 * made before anything is destroyed. To destroy one key slot takes a passphrase of another, so that nobody locks himself out.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/text.h"
#include "cli/certificate.h"
#include "cli/cli.h"
#include "fuse/daemon.h"
#include "kernel-shim/filedev.h"
#include "keymgr/luks2-update.h"

enum { OPT_HELP = 1, OPT_HEADER, OPT_CERTIFICATE, OPT_CONFIRM, OPT_FORCE,
	OPT_SLOT, OPT_PASSPHRASE_FILE, OPT_KEY_FILE };

static const struct option long_options[] = {
	{"help", no_argument, NULL, OPT_HELP},
	{"header", required_argument, NULL, OPT_HEADER},
	{"certificate", required_argument, NULL, OPT_CERTIFICATE},
	{"confirm", required_argument, NULL, OPT_CONFIRM},
	{"force", no_argument, NULL, OPT_FORCE},
	{"slot", required_argument, NULL, OPT_SLOT},
	{"passphrase-file", required_argument, NULL, OPT_PASSPHRASE_FILE},
	{"key-file", required_argument, NULL, OPT_KEY_FILE},
	{0},
};

struct erase {
	const char *target, *header, *certificate_path, *confirm;
	struct cli_passphrase_source source; /* with --slot */
	int slot;			     /* -1: everything */
	bool force, last, erased; /* last: nothing else than the slot opens the drive */
	struct drive drive;
	struct blkdev *data, *header_dev;
	struct luks2 *hdr;
	struct secret *volume_key; /* with --slot */
	struct certificate certificate;
	struct certificate_files files;
};

static void erase_clear(struct erase *erase)
{
	certificate_discard(&erase->files);
	luks2_free(erase->hdr);
	secret_free(erase->volume_key);
	blkdev_close(erase->data);
	blkdev_close(erase->header_dev);
	drive_clear(&erase->drive);
}

static struct blkdev *device(const struct erase *erase)
{
	return erase->header_dev ? erase->header_dev : erase->data;
}

/* A header on the drive itself would go on opening it after the one in the file is gone. */
static int check_no_other_header(struct erase *erase, struct diag *diag)
{
	CLEANUP_LUKS2 struct luks2 *own = NULL;
	int r = luks2_load(erase->data, 0, &own, NULL);

	if (r == -SDE_NOT_LUKS)
		return 0;
	if (r == -EIO || r == -ENOMEM || r == -ENODEV)
		return r;
	return diag_set(diag, -SDE_USAGE,
		_("the drive has a header of its own, which would stay: erase that first, without --header"));
}

/* Drive and header file, with nobody else using either. */
static int open_both(struct erase *erase, struct diag *diag)
{
	int r = daemon_check_target(erase->target, diag);

	if (r == 0)
		r = discover_target(erase->target, &erase->drive);
	if (r == 0)
		r = filedev_open(erase->target, erase->header ? FILEDEV_READ_ONLY : 0, 0, &erase->data, diag);
	if (r == 0 && erase->header)
		r = filedev_open(erase->header, 0, 0, &erase->header_dev, diag);
	if (r == 0 && erase->header)
		r = check_no_other_header(erase, diag);
	return r;
}

static int load(struct erase *erase, struct diag *diag)
{
	struct stat st;
	int r = luks2_load(device(erase), 0, &erase->hdr, diag);

	if (r < 0)
		return r;
	filedev_stat(erase->data, &st);
	erase->certificate.drive = &erase->drive;
	erase->certificate.is_file = S_ISREG(st.st_mode);
	erase->certificate.header_path = erase->header;
	certificate_header(&erase->certificate, erase->hdr);
	return 0;
}

/* ---- asking ---- */

/* The label as it can be shown and typed. */
static int label_of(const struct erase *erase, char **ret_label)
{
	return text_sanitize(erase->hdr->label, strlen(erase->hdr->label), ret_label);
}

static bool names_it(const struct erase *erase, const char *label, const char *answer)
{
	return (label[0] && !strcmp(answer, label)) || (erase->hdr->uuid[0] && !strcmp(answer, erase->hdr->uuid));
}

static void describe(const struct erase *erase, const char *label)
{
	const struct drive *drive = &erase->drive;
	const char *uuid = erase->certificate.uuid;
	CLEANUP_FREE char *safe = NULL;
	char size[CLI_SIZE_TEXT];

	if (erase->last)
		cli_warn(erase->target,
			_("key slot %d will be destroyed, and with it EVERYTHING ON THE DRIVE: nothing else opens it"), erase->slot);
	else if (erase->slot >= 0)
		cli_warn(erase->target, _("key slot %d will be destroyed"), erase->slot);
	else
		cli_warn(erase->target,
			_("THE KEYS OF THIS DRIVE WILL BE DESTROYED, and with them everything on it. "
			  "Nothing and nobody can bring it back"));
	if (drive->vendor[0] || drive->model[0])
		fprintf(stderr, _("  What it is:     %s %s, %s\n"), drive->vendor, drive->model,
			cli_format_size(size, drive->size_bytes));
	else
		fprintf(stderr, erase->certificate.is_file ? _("  What it is:     container file, %s\n")
							   : _("  What it is:     drive, %s\n"),
			cli_format_size(size, drive->size_bytes));
	fprintf(stderr, _("  Label:          %s\n"), label[0] ? label : "-");
	if (text_sanitize(uuid, strlen(uuid), &safe) == 0)
		fprintf(stderr, _("  UUID:           %s\n"), safe);
	fprintf(stderr, _("  Key slots:      %u\n"), erase->certificate.keyslots);
}

static int confirm(const struct erase *erase, struct diag *diag)
{
	const char *uuid = erase->certificate.uuid;
	CLEANUP_FREE char *label = NULL;
	int r = label_of(erase, &label);

	if (r < 0)
		return r;
	if (erase->confirm)
		return names_it(erase, label, erase->confirm)
			       ? 0
			       : diag_set(diag, -SDE_OTHER_DRIVE, _("its label is '%s', its UUID is %s"), label, uuid);
	/* who asks for one key slot may not know that it is the drive's last */
	if (erase->force && !erase->last)
		return 0;
	if (!cli_can_ask())
		return -SDE_CONFIRM;
	describe(erase, label);
	r = cli_confirm_by_typing(label[0] ? label : uuid,
		label[0] ? _("The label of the drive confirms it.") : _("The UUID of the drive confirms it."));
	return r == -SDE_CANCELLED ? diag_set(diag, r, _("that is not the name of the drive")) : r;
}

/* ---- one key slot ---- */

static int unlock(void *ctx, const struct secret *passphrase, int slot, struct diag *diag)
{
	struct erase *erase = ctx;
	CLEANUP_SECRET struct secret *key = NULL;
	int used, r = luks2_unlock(erase->hdr, device(erase), passphrase, slot, &key, &used, diag);

	if (r < 0)
		return r;
	if (used == erase->slot && !erase->force)
		return diag_set(diag, -SDE_SLOT, _("the passphrase is that of key slot %d itself; give the one "
						   "that shall still open the drive"), used);
	erase->volume_key = take_ptr(key);
	return 0;
}

static int check_slot(struct erase *erase, struct diag *diag)
{
	const struct luks2_keyslot *slot = luks2_keyslot_by_id(erase->hdr, erase->slot);

	if (!slot)
		return diag_set(diag, -SDE_SLOT, _("there is no key slot %d"), erase->slot);
	erase->last = luks2_keyslots_opening(erase->hdr, device(erase), UINT32_C(1) << erase->slot) == 0;
	if (!erase->force && erase->last)
		return diag_set(diag, -SDE_LAST_SLOT, _("key slot %d is the last one that works"), erase->slot);
	return cli_unlock(&erase->source, erase->target, erase->hdr, -1, unlock, erase, diag);
}

/* ---- doing it ---- */

static int destroy(struct erase *erase, struct diag *diag)
{
	struct certificate *certificate = &erase->certificate;
	int r;

	certificate->slot = erase->slot;
	certificate->started = time(NULL);
	r = erase->slot < 0 ? luks2_erase(device(erase), erase->hdr, &certificate->erasure, diag)
			    : luks2_erase_keyslot(device(erase), erase->hdr, erase->slot, erase->volume_key, diag);
	certificate->ended = time(NULL);
	if (r < 0)
		return r;
	erase->erased = true;
	return erase->certificate_path ? certificate_write(certificate, &erase->files, diag) : 0;
}

static void report(const struct erase *erase)
{
	if (erase->slot >= 0)
		cli_say_done(_("Key slot %d is destroyed. That was read back.\n"), erase->slot);
	else
		cli_say_done(_("The drive is erased: %u key slots and both copies of the header are destroyed, and no\n"
			 "passphrase, key or token opens it any more. That was read back.\n"),
			erase->certificate.keyslots);
	printf(_("\nOn flash memory (USB sticks, memory cards, SSDs) old copies of this may be left where no\n"
		 "program reaches. Whoever takes such a drive apart, finds one, and knows a passphrase or has\n"
		 "a token of that time could still open the drive. Where that is not enough, use the drive's\n"
		 "own command for sanitising, or destroy it. Backups of the header and copies of a container\n"
		 "file open as before: destroy them, too.\n"));
}

static int erase_drive(struct erase *erase, struct diag *diag)
{
	int r = open_both(erase, diag);

	if (r == 0)
		r = load(erase, diag);
	if (r == 0 && erase->slot >= 0)
		r = check_slot(erase, diag);
	if (r == 0)
		r = confirm(erase, diag);
	/* what cannot be certified is not begun */
	if (r == 0 && erase->certificate_path)
		r = certificate_open(erase->certificate_path, &erase->files, diag);
	if (r == 0)
		r = destroy(erase, diag);
	return r;
}

static bool parse_slot(const char *text, int *ret_slot)
{
	uint64_t number;

	if (cli_parse_number(text, 0, LUKS2_KEYSLOTS_MAX - 1, &number) == 0) {
		*ret_slot = (int)number;
		return true;
	}
	cli_usage(&command_erase, _("--%s: '%s' is not a number from %u to %u"), "slot", text, 0u,
		LUKS2_KEYSLOTS_MAX - 1u);
	return false;
}

static bool parse_option(int option, struct erase *erase)
{
	switch (option) {
	case OPT_HEADER:
		erase->header = optarg;
		return true;
	case OPT_CERTIFICATE:
		erase->certificate_path = optarg;
		return true;
	case OPT_CONFIRM:
		erase->confirm = optarg;
		return true;
	case OPT_FORCE:
		erase->force = true;
		return true;
	case OPT_PASSPHRASE_FILE:
		erase->source.passphrase_file = optarg;
		return true;
	case OPT_KEY_FILE:
		erase->source.key_file = optarg;
		return true;
	case OPT_SLOT:
		return parse_slot(optarg, &erase->slot);
	default:
		return false;
	}
}

static int run(int argc, char **argv)
{
	CLEANUP(erase_clear) struct erase erase = {.files = CERTIFICATE_FILES_NONE, .slot = -1};
	struct diag diag = {0};
	int option, r;

	while ((option = cli_getopt(&command_erase, argc, argv, long_options)) != -1) {
		if (option == OPT_HELP)
			return cli_help(&command_erase);
		if (!parse_option(option, &erase))
			return EXIT_USAGE;
	}
	if (!cli_operands(&command_erase, argc, argv, 1, 1))
		return EXIT_USAGE;
	erase.target = argv[optind];
	r = erase_drive(&erase, &diag);
	if (erase.erased)
		report(&erase);
	return r < 0 ? cli_fail(erase.target, r, &diag) : EXIT_DONE;
}

const struct command command_erase = {
	.name = "erase",
	.operands = N_("TARGET"),
	.summary = N_("destroy the keys of a drive, so that nobody can ever open it again"),
	.options = N_("The header with all key slots is overwritten, discarded where the drive can, and read\n"
		      "back. The label of the drive (its UUID when it has none) has to be typed. The drive must\n"
		      "not be mounted.\n"
		      "\n"
		      "Options:\n"
		      "  --certificate FILE  write a certificate: JSON into FILE, and a page to print and\n"
		      "                      sign beside it, with the ending .html; neither may exist yet\n"
		      "  --confirm LABEL     for scripts: erase without asking if this is the drive's label\n"
		      "                      or UUID\n"
		      "  --force             do not ask at all; with --slot: the last one, too (asks)\n"
		      "  --header FILE       the drive's LUKS header is in FILE, and that is destroyed\n"
		      "  --slot N            destroy this key slot only; takes a passphrase of another one\n"
		      "  --passphrase-file FILE, --key-file FILE  where that one is\n"
		      "  --help              show this help\n"),
	.run = run,
};
