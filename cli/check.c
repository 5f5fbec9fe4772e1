/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sealdrive check TARGET: the header's copies, then e2fsck on the decrypted volume.
 *
 * A journal in use is no fault, and its file system looks wrong until it has been replayed. So what is
 * checked is the volume as the next mount will make it, which is tried out in memory.
 */
#include <stdio.h>

#include "cli/offline.h"
#include "cli/tool.h"
#include "kernel-shim/overlay.h"

enum { OPT_HELP = 256, OPT_REPAIR };

/* e2fsck's exit status is a sum of these and worse ones. */
enum { E2FSCK_REPAIRED = 1, E2FSCK_REBOOT = 2, E2FSCK_LEFT = 4, E2FSCK_WORST = 16 };

enum { REPAIR_RUNS = 3 };

static const struct option long_options[] = {
	{"help", no_argument, NULL, OPT_HELP},
	{"repair", no_argument, NULL, OPT_REPAIR},
	OFFLINE_OPTIONS,
	{0},
};

struct check {
	struct offline_args args;
	bool repair;
	bool findings;
	struct volume *volume;
};

static const char *copy_fault(enum luks2_copy_state state)
{
	switch (state) {
	case LUKS2_COPY_OLD:
		return _("is older than the other one");
	case LUKS2_COPY_MISSING:
		return _("is missing");
	default:
		return _("is damaged");
	}
}

static void check_header(struct check *check)
{
	const struct luks2 *hdr = volume_header(check->volume);
	bool repaired = check->repair && volume_header_writable(check->volume);

	for (int i = 0; i < 2; i++) {
		if (hdr->copies[i] == LUKS2_COPY_OK)
			continue;
		check->findings = true;
		printf(i == 0 ? _("The first copy of the LUKS header %s; %s.\n")
			      : _("The second copy of the LUKS header %s; %s.\n"),
			copy_fault(hdr->copies[i]),
			repaired ? _("it was repaired from the other one") : _("the other one is good"));
	}
}

/* Does to dev what mounting and unmounting do: replays the journal, frees orphans. */
static int settle(struct blkdev *dev, struct diag *diag)
{
	const struct e4_mount_options options = {0};
	struct e4_fs *fs;
	bool read_only;
	int err = e4_mount(dev, &options, &fs, diag);

	if (err < 0)
		return err;
	read_only = e4_is_read_only(fs);
	if (read_only)
		diag_set(diag, -SDE_FS_FEATURE, "%s", e4_read_only_reason(fs));
	err = e4_unmount(fs);
	return err == 0 && read_only ? -SDE_FS_FEATURE : err;
}

static int run_e2fsck(const char *how, struct blkdev *dev, const char *progress,
	struct tool_result *ret_result, struct diag *diag)
{
	struct tool tool = {
		.program = "e2fsck",
		.arguments = {how},
		.read_only = how[2] == 'n', /* -fn */
		.progress = progress,
	};

	return tool_run(&tool, dev, ret_result, diag);
}

/* Also when there were so many that it gave up, which adds 8. */
static bool is_finding(int status)
{
	return status < E2FSCK_WORST && (status & (E2FSCK_REPAIRED | E2FSCK_REBOOT | E2FSCK_LEFT));
}

/* e2fsck could not do its work. */
static int failed(const struct check *check, const struct tool_result *result, struct diag *diag)
{
	struct e4_peek peek;
	int err = e4_peek(volume_data(check->volume), &peek);

	if (err == -SDE_NOT_EXT4)
		return err;
	tool_print(result, check->args.target);
	return diag_set(diag, -SDE_FS_DAMAGED, _("e2fsck failed with status %d"), result->status);
}

/* The volume as it is, or as its journal makes it; *overlay then holds it. */
static struct blkdev *view_of(struct check *check, struct blkdev **overlay)
{
	struct blkdev *data = volume_data(check->volume);
	struct e4_peek peek;
	struct diag diag = {0};
	int err;

	if (e4_peek(data, &peek) < 0 || !peek.needs_recovery)
		return data;
	err = overlay_new(data, overlay);
	if (err == 0)
		err = settle(*overlay, &diag);
	if (err == 0)
		return *overlay;
	blkdev_close(take_ptr(*overlay));
	check->findings |= error_exit_status(err) == EXIT_NOT_LUKS;
	cli_warn(check->args.target, _("its journal is left out of the check: %s%s%s"), error_text(err),
		diag.detail[0] ? ": " : "", diag.detail);
	return data;
}

static int look(struct check *check, bool *ret_clean, bool *ret_unsettled, struct tool_result *result,
	struct diag *diag)
{
	CLEANUP_BLKDEV struct blkdev *overlay = NULL;
	struct blkdev *view = view_of(check, &overlay);
	int err = run_e2fsck("-fn", view, _("Checking"), result, diag);

	if (err == 0 && result->status != 0 && !is_finding(result->status))
		err = failed(check, result, diag);
	*ret_clean = result->status == 0;
	*ret_unsettled = overlay != NULL;
	return err;
}

static int repair_once(struct check *check, bool *ret_whole, struct diag *diag)
{
	CLEANUP_TOOL_RESULT struct tool_result result = {0}, again = {0};
	int err = run_e2fsck("-fy", volume_data(check->volume), _("Repairing"), &result, diag);

	if (err == 0 && result.status != 0 && !is_finding(result.status))
		return failed(check, &result, diag);
	tool_print(&result, check->args.target);
	if (err == 0)
		err = run_e2fsck("-fn", volume_data(check->volume), _("Checking"), &again, diag);
	*ret_whole = again.status == 0;
	return err;
}

/* What one run mends lets the next one see further: after it took a backup of the super block, for instance. */
static int repair(struct check *check, struct diag *diag)
{
	bool whole = false;
	int err = 0;

	for (int i = 0; err == 0 && !whole && i < REPAIR_RUNS; i++)
		err = repair_once(check, &whole, diag);
	if (err < 0)
		return err;
	if (whole)
		printf(_("The file system had errors; they were repaired.\n"
			 "What belonged to no folder any more is in lost+found.\n"));
	else
		printf(_("The file system has errors that e2fsck could not repair.\n"));
	return 0;
}

/* e2fsck would begin to repair what only the missing part of the drive makes whole. */
static int check_size(struct check *check, struct diag *diag)
{
	struct blkdev *data = volume_data(check->volume);
	struct e4_peek peek;

	if (e4_peek(data, &peek) < 0 || !peek.sure || peek.size_bytes <= data->size_bytes)
		return 0;
	return diag_set(diag, -SDE_FS_SIZE, _("the file system has %llu bytes, the device %llu"),
		(unsigned long long)peek.size_bytes, (unsigned long long)data->size_bytes);
}

static int check_fs(struct check *check, struct diag *diag)
{
	CLEANUP_TOOL_RESULT struct tool_result result = {0};
	bool clean, unsettled;
	int err = check_size(check, diag);

	if (err == 0)
		err = look(check, &clean, &unsettled, &result, diag);
	if (err < 0)
		return err;
	if (clean) {
		printf(_("The file system has no errors.\n"));
		if (!unsettled)
			return 0;
		if (check->repair)
			return settle(volume_data(check->volume), diag);
		printf(_("It was not unmounted; its journal will be replayed at the next mount, and was so "
			 "for this check.\n"));
		return 0;
	}
	check->findings = true;
	if (check->repair)
		return repair(check, diag);
	tool_print(&result, check->args.target);
	printf(_("The file system has errors; nothing was changed.\n"
		 "Make a copy of the drive if the data matter, then use 'sealdrive check --repair'.\n"));
	return 0;
}

static int check_volume(struct check *check)
{
	const struct volume_options options = {
		.target = check->args.target,
		.header = check->args.header,
		.read_only = !check->repair,
	};
	struct diag diag = {0};
	int close_err, err = volume_open(&options, &check->volume, &diag);

	if (err == 0) {
		check_header(check);
		err = offline_unlock(&check->args, check->volume, &diag);
	}
	if (err == 0)
		err = check_fs(check, &diag);
	close_err = volume_close(check->volume);
	if (err < 0)
		return cli_fail(check->args.target, err, &diag);
	if (close_err < 0)
		return cli_fail(check->args.target, close_err, NULL);
	return check->findings ? EXIT_FINDINGS : EXIT_DONE;
}

static int run(int argc, char **argv)
{
	static const char *const programs[] = {"e2fsck", NULL};
	struct check check = {0};
	struct diag diag = {0};
	int option, err;

	while ((option = cli_getopt(&command_check, argc, argv, long_options)) != -1) {
		if (option == OPT_HELP)
			return cli_help(&command_check);
		if (option == OPT_REPAIR)
			check.repair = true;
		else if (!offline_option(option, &check.args))
			return EXIT_USAGE;
	}
	if (!cli_operands(&command_check, argc, argv, 1, 1))
		return EXIT_USAGE;
	check.args.target = argv[optind];
	err = offline_check(&check.args, programs, &diag);
	if (err < 0)
		return cli_fail(check.args.target, err, &diag);
	return check_volume(&check);
}

const struct command command_check = {
	.name = "check",
	.operands = N_("TARGET"),
	.summary = N_("look for errors in the header and the file system"),
	.options = N_("The drive must not be mounted. Nothing on it is changed without --repair. What\n"
		      "e2fsck says is shown when it finds errors; the exit status is 9 then, also when\n"
		      "they were repaired.\n"
		      "\n"
		      "Options:\n"
		      "  --repair                repair what can be repaired; make a copy of the drive\n"
		      "                          first if the data matter\n"
		      "  --header FILE           the drive's LUKS header is in FILE\n"
		      "  --passphrase-file FILE  read the passphrase from the first line of FILE;\n"
		      "                          - is standard input\n"
		      "  --key-file FILE         use the whole FILE as the key\n"
		      "  --token [TOKEN]         open it with a token and nothing else: any, or fido2,\n"
		      "                          or the one that a PKCS #11 URI describes\n"
		      "  --no-token              look for no token, and ask for the passphrase\n"
		      "  --pin-file FILE         read the token's PIN from the first line of FILE\n"
		      "  --share FILE            open it with shares of a key: once for each of them\n"
		      "  --help                  show this help\n"),
	.run = run,
};
