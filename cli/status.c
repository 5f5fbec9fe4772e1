/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sealdrive status [--json] */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/text.h"
#include "cli/cli.h"
#include "cli/jsonout.h"
#include "fuse/drives.h"

enum { OPT_HELP = 256, OPT_JSON };

static const struct option long_options[] = {
	{"help", no_argument, NULL, OPT_HELP},
	{"json", no_argument, NULL, OPT_JSON},
	{0},
};

static const char *state_name(const struct mounted_drive *drive)
{
	if (drive->dead)
		return "dead";
	return drive->status.unmounting ? "unmounting" : "mounted";
}

static bool drive_json(void *ctx, const struct mounted_drive *drive)
{
	const struct drive_status *status = &drive->status;
	struct jsonout *out = ctx;

	jsonout_object(out, NULL);
	jsonout_string(out, "target", status->target);
	jsonout_string(out, "mount_point", status->mount_point);
	jsonout_string(out, "state", state_name(drive));
	if (!drive->dead) {
		jsonout_string(out, "uuid", status->uuid);
		jsonout_string(out, "label", status->label);
		jsonout_string(out, "cipher", status->cipher);
		jsonout_string(out, "owner", status->owner_view);
		jsonout_bool(out, "read_only", status->read_only);
		jsonout_string(out, "read_only_reason", status->read_only_reason);
		jsonout_string(out, "error", status->error);
		jsonout_number(out, "size_bytes", status->size_bytes);
		jsonout_number(out, "free_bytes", status->free_bytes);
		jsonout_bool(out, "memory_locked", status->memory_locked);
		jsonout_number(out, "since", (uint64_t)status->since);
		jsonout_number(out, "pid", (uint64_t)status->pid);
		jsonout_bool(out, "away", status->away);
		jsonout_number(out, "seconds_left", status->seconds_left);
		jsonout_string(out, "refused", status->refused);
		jsonout_object(out, "counters");
		for (unsigned i = 0; i < status->counters.count; i++)
			jsonout_number(out, status->counters.list[i].name, status->counters.list[i].value);
		jsonout_end_object(out);
	}
	jsonout_end_object(out);
	return false;
}

static void print_line(const char *name, const char *value)
{
	CLEANUP_FREE char *safe = NULL;

	if (text_sanitize(value, strlen(value), &safe) == 0)
		printf("  %s %s\n", name, safe);
}

static void print_title(const struct drive_status *status)
{
	CLEANUP_FREE char *target = NULL;
	CLEANUP_FREE char *label = NULL;

	if (text_sanitize(status->target, strlen(status->target), &target) < 0)
		return;
	if (status->label && status->label[0] &&
		text_sanitize(status->label, strlen(status->label), &label) == 0)
		printf("%s (%s)\n", target, label);
	else
		printf("%s\n", target);
}

static void print_space(const struct drive_status *status)
{
	char free_text[CLI_SIZE_TEXT], size_text[CLI_SIZE_TEXT], text[3 * CLI_SIZE_TEXT];

	snprintf(text, sizeof(text), _("%s free of %s"),
		cli_format_size(free_text, status->free_bytes),
		cli_format_size(size_text, status->size_bytes));
	print_line(_("Space:     "), text);
}

static void print_since(const struct drive_status *status)
{
	time_t since = (time_t)status->since;
	struct tm tm;
	char text[80];

	if (localtime_r(&since, &tm) && strftime(text, sizeof(text), "%F %R", &tm) > 0)
		print_line(_("Since:     "), text);
}

static void print_away(const struct drive_status *status)
{
	char text[120];

	snprintf(text, sizeof(text), _("it was pulled out: put it back, %u s left"),
		status->seconds_left);
	print_line(_("Attention: "), text);
	if (status->refused[0])
		print_line(_("Attention: "), status->refused);
}

static bool drive_text(void *ctx, const struct mounted_drive *drive)
{
	const struct drive_status *status = &drive->status;
	bool *any = ctx;

	if (*any)
		putchar('\n');
	*any = true;
	print_title(status);
	print_line(_("Files:     "), status->mount_point);
	if (drive->dead) {
		print_line(_("Attention: "), _("the program that served it has died; unmount it"));
		return false;
	}
	if (status->away)
		print_away(status);
	if (status->unmounting)
		print_line(_("Attention: "), _("it is being unmounted; do not pull it out yet"));
	print_space(status);
	print_line(_("Cipher:    "), status->cipher);
	print_since(status);
	if (status->read_only)
		print_line(_("Read-only: "),
			status->read_only_reason[0] ? status->read_only_reason : _("as you asked for"));
	if (status->error[0])
		print_line(_("Error:     "), status->error);
	if (!status->memory_locked)
		print_line(_("Attention: "), error_text(-SDE_MEMORY_LOCK));
	return false;
}

static int print_json(void)
{
	struct jsonout out = {0};
	int err;

	jsonout_object(&out, NULL);
	jsonout_array(&out, "drives");
	err = drives_each(drive_json, &out);
	jsonout_end_array(&out);
	jsonout_end_object(&out);
	return err;
}

static int print_text(void)
{
	bool any = false;
	int err = drives_each(drive_text, &any);

	if (err == 0 && !any)
		printf(_("No drive is mounted.\n"));
	return err;
}

static int run(int argc, char **argv)
{
	bool json = false;
	int option, err;

	while ((option = cli_getopt(&command_status, argc, argv, long_options)) != -1) {
		if (option == OPT_HELP)
			return cli_help(&command_status);
		if (option != OPT_JSON)
			return EXIT_USAGE;
		json = true;
	}
	if (!cli_operands(&command_status, argc, argv, 0, 0))
		return EXIT_USAGE;
	err = json ? print_json() : print_text();
	return err < 0 ? cli_fail(NULL, err, NULL) : EXIT_DONE;
}

const struct command command_status = {
	.name = "status",
	.operands = "",
	.summary = N_("show the drives that you have mounted"),
	.options = N_("Options:\n"
		      "  --json  as JSON\n"
		      "  --help  show this help\n"),
	.run = run,
};
