/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sealdrive header restore TARGET FILE. What will change is shown first, and above all which key slots come
 * back; what does not fit together is refused, but for --force.
 */
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/text.h"
#include "cli/header.h"
#include "fuse/daemon.h"
#include "kernel-shim/filedev.h"
#include "kernel-shim/signature.h"
#include "keymgr/luks2-examine.h"
#include "keymgr/luks2-restore.h"

enum { OPT_HELP = 1, OPT_HEADER, OPT_FORCE };

static const struct option long_options[] = {
	{"help", no_argument, NULL, OPT_HELP},
	{"header", required_argument, NULL, OPT_HEADER},
	{"force", no_argument, NULL, OPT_FORCE},
	{0},
};

struct restore {
	struct header_args args;
	const char *path; /* of the backup */
	bool force;
	struct blkdev *data, *header, *file; /* header: NULL without --header */
	struct luks2 *now, *backup;	     /* now: NULL when there is none */
	struct luks2_restore_diff diff;
	const char *subject; /* what an error is about */
	struct diag diag;
};

static struct blkdev *header_dev(const struct restore *restore)
{
	return restore->header ? restore->header : restore->data;
}

static int open_all(struct restore *restore)
{
	const struct header_args *args = &restore->args;
	int r = daemon_check_target(args->target, &restore->diag);

	restore->subject = args->target;
	if (r == 0)
		r = filedev_open(args->target, args->header ? FILEDEV_READ_ONLY : 0, 0, &restore->data,
			&restore->diag);
	if (r == 0 && args->header) {
		restore->subject = args->header;
		r = filedev_open(args->header, 0, 0, &restore->header, &restore->diag);
	}
	if (r < 0)
		return r;
	restore->subject = restore->path;
	r = filedev_open(restore->path, FILEDEV_NO_LOCK, 0, &restore->file, &restore->diag);
	return r < 0 ? r : luks2_load(restore->file, LUKS2_FOREIGN_OK, &restore->backup, &restore->diag);
}

/* The drive without a header may be none of ours, but somebody's disk with other things on it. */
static int check_foreign(struct restore *restore)
{
	char type[SIGNATURE_TYPE_BYTES];
	bool found;
	int r = signature_find(header_dev(restore), &found, type);

	if (r < 0 || !found || restore->force)
		return r;
	return diag_set(&restore->diag, -SDE_HAS_DATA, "%s", type);
}

static int load_now(struct restore *restore)
{
	struct diag ignored = {0};
	int r = luks2_load(header_dev(restore), LUKS2_FOREIGN_OK, &restore->now, &ignored);

	restore->subject = header_path(&restore->args);
	if (r == -SDE_NOT_LUKS || r == -SDE_HEADER_DAMAGED || r == -SDE_HEADER_INVALID)
		return check_foreign(restore);
	return r;
}

/* Encrypted data look like nothing, so that there is no telling whether something is there: not even
 * --force, which scripts need, writes a header where its own data begin. */
static int check_data(struct restore *restore)
{
	const struct luks2_segment *segment = luks2_data_segment(restore->backup);
	uint64_t areas = luks2_areas_bytes(restore->backup);

	if (restore->header || restore->now || !segment || segment->offset >= areas || restore->data->size_bytes <= areas)
		return 0;
	restore->subject = restore->path;
	return diag_set(&restore->diag, -SDE_USAGE,
		_("it is of a drive with its header in a file, and would be written over the data: name that file with "
		  "--header"));
}

static int compare(struct restore *restore)
{
	const struct luks2_segment *segment = luks2_data_segment(restore->backup);
	uint64_t data_bytes = restore->data->size_bytes;

	/* a header goes into a file that holds nothing else: then the data are not to be seen */
	if (segment && !restore->header && restore->now && luks2_is_backup(restore->now, restore->data))
		data_bytes = segment->offset + max_u64(segment->size, segment->sector_bytes);
	return luks2_restore_compare(header_dev(restore), restore->now, restore->file, restore->backup,
		data_bytes, &restore->diff, &restore->diag);
}

/* --- showing -------------------------------------------------------------------------------- */

static void print_each(uint32_t ids, const char *text)
{
	for (int id = 0; id < 32; id++)
		if (ids >> id & 1) {
			printf("  - ");
			printf(text, id);
			putchar('\n');
		}
}

static void print_line(bool is, const char *text)
{
	if (is)
		printf("  - %s\n", text);
}

static void print_header(const char *path, const struct luks2 *hdr)
{
	CLEANUP_FREE char *safe = NULL, *label = NULL;

	if (text_sanitize(path, strlen(path), &safe) < 0 ||
		text_sanitize(hdr->label, sizeof(hdr->label), &label) < 0)
		return;
	printf(_("%s: label \"%s\", sequence number %llu, key slots: %d\n"), safe, label,
		(unsigned long long)hdr->seqid, hdr->keyslot_count);
}

static void print_changes(const struct restore *restore)
{
	const struct luks2_restore_diff *diff = &restore->diff;

	print_header(restore->path, restore->backup);
	if (restore->now)
		print_header(header_path(&restore->args), restore->now);
	printf(_("What will change on the drive:\n"));
	print_line(diff->moved, _("its data will be looked for elsewhere, or decrypted in another way: none of them can be read then"));
	print_line(diff->other_key && !diff->no_header,
		_("its volume key may become another one: then nothing that is on the drive can be read"));
	print_line(diff->no_header, _("it gets the whole header of the backup, with all its key slots"));
	print_each(diff->slots_back,
		_("key slot %d comes back to life: whoever has its key can open the drive again"));
	print_each(diff->slots_gone, _("key slot %d is destroyed: its key opens nothing any more"));
	print_each(diff->slots_changed,
		_("key slot %d becomes what it was: the key of that time opens it, not the one of today"));
	print_each(diff->tokens_back, _("token %d comes back"));
	print_each(diff->tokens_gone, _("token %d is removed"));
	print_each(diff->tokens_changed, _("token %d becomes what it was"));
	print_line(diff->label, _("the label becomes that of the backup"));
	print_line(diff->uuid, _("the UUID becomes that of the backup"));
	print_line(diff->rest, _("flags or other settings become those of the backup"));
	fflush(stdout);
}

/* --- deciding ------------------------------------------------------------------------------- */

static int check_fit(struct restore *restore)
{
	const struct luks2_restore_diff *diff = &restore->diff;

	if (restore->force)
		return 0;
	restore->subject = restore->path;
	if (diff->foreign)
		return diag_set(&restore->diag, -SDE_BACKUP, _("it is of another drive: the UUIDs differ"));
	if (diff->moved)
		return diag_set(&restore->diag, -SDE_BACKUP,
			_("with it, the data would be elsewhere or encrypted in another way"));
	if (diff->other_key)
		return diag_set(&restore->diag, -SDE_BACKUP,
			_("its volume key may be another one; with a wrong one the data cannot be read"));
	if (diff->older)
		return diag_set(&restore->diag, -SDE_BACKUP, _("the header was changed after it was made"));
	return 0;
}

static int confirm(struct restore *restore)
{
	restore->subject = header_path(&restore->args);
	if (restore->diff.unsafe)
		cli_warn(restore->subject, _("there is no room to do this safely: if the power fails meanwhile, "
					     "repeat the command"));
	if (restore->force)
		return 0;
	if (!cli_can_ask())
		return -SDE_CONFIRM;
	return cli_confirm(_("The header of %s will be replaced."), restore->subject) ? 0 : -SDE_CANCELLED;
}

static int restore_header(struct restore *restore)
{
	int r = open_all(restore);

	if (r == 0)
		r = load_now(restore);
	if (r == 0)
		r = check_data(restore);
	if (r == 0)
		r = compare(restore);
	if (r < 0)
		return r;
	if (luks2_restore_same(&restore->diff)) {
		printf(_("Nothing to do: the header of the drive is that of the backup.\n"));
		return 0;
	}
	print_changes(restore);
	r = check_fit(restore);
	if (r == 0)
		r = confirm(restore);
	if (r == 0)
		r = luks2_restore(header_dev(restore), restore->now, restore->file, restore->backup,
			&restore->diag);
	if (r == 0)
		cli_say_done(_("The header was restored.\n"));
	return r;
}

static int run(int argc, char **argv)
{
	struct restore restore = {0};
	int option, r;

	while ((option = cli_getopt(&command_header_restore, argc, argv, long_options)) != -1) {
		switch (option) {
		case OPT_HELP:
			return cli_help(&command_header_restore);
		case OPT_HEADER:
			restore.args.header = optarg;
			break;
		case OPT_FORCE:
			restore.force = true;
			break;
		default:
			return EXIT_USAGE;
		}
	}
	if (!cli_operands(&command_header_restore, argc, argv, 2, 2))
		return EXIT_USAGE;
	restore.args.target = argv[optind];
	restore.path = argv[optind + 1];
	r = restore_header(&restore);
	blkdev_close(restore.file);
	blkdev_close(restore.header);
	blkdev_close(restore.data);
	luks2_free(restore.now);
	luks2_free(restore.backup);
	return r < 0 ? cli_fail(restore.subject, r, &restore.diag) : EXIT_DONE;
}

const struct command command_header_restore = {
	.name = "header restore",
	.operands = N_("TARGET FILE"),
	.summary = N_("put the header back that is saved in a file"),
	.options = N_("FILE is a backup by 'sealdrive header backup' or cryptsetup. What will change is shown\n"
		      "first. A backup of another drive, or one that is older than the last change of the\n"
		      "header, is refused. The drive must not be mounted.\n"
		      "\n"
		      "Options:\n"
		      "  --header FILE  the drive's LUKS header is in this file\n"
		      "  --force        neither refuse nor ask\n"
		      "  --help         show this help\n"),
	.run = run,
};
