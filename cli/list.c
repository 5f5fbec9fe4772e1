/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sealdrive list: the drives of this computer and what is on them. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/jsonout.h"
#include "kernel-shim/discover.h"

enum { OPT_HELP = 1, OPT_JSON, OPT_ALL };

static const struct option long_options[] = {
	{"help", no_argument, NULL, OPT_HELP},
	{"json", no_argument, NULL, OPT_JSON},
	{"all", no_argument, NULL, OPT_ALL},
	{NULL, 0, NULL, 0},
};

enum column { COL_DRIVE, COL_SIZE, COL_MODEL, COL_CONTENT, COL_LABEL, COL_STATE, COLUMNS };

static const char *const titles[COLUMNS] = {
	N_("DRIVE"), N_("SIZE"), N_("MODEL"), N_("CONTENT"), N_("LABEL"), N_("STATE")};

struct row {
	char text[COLUMNS][160];
};

static bool wanted(const struct drive *drive, bool all)
{
	return all || drive->removable || strcmp(drive->content, "crypto_LUKS") == 0;
}

static void fill_content(const struct drive *drive, char *buf, size_t len)
{
	if (strcmp(drive->content, "crypto_LUKS") == 0)
		snprintf(buf, len, "LUKS%s", drive->content_version);
	else
		snprintf(buf, len, "%s", drive->content);
}

static void fill_row(const struct drive *drive, struct row *row)
{
	char size[CLI_SIZE_TEXT];

	snprintf(row->text[COL_DRIVE], sizeof(row->text[0]), "%s", drive->path);
	snprintf(row->text[COL_SIZE], sizeof(row->text[0]), "%s",
		cli_format_size(size, drive->size_bytes));
	snprintf(row->text[COL_MODEL], sizeof(row->text[0]), "%s%s%s", drive->vendor,
		drive->vendor[0] && drive->model[0] ? " " : "", drive->model);
	fill_content(drive, row->text[COL_CONTENT], sizeof(row->text[0]));
	snprintf(row->text[COL_LABEL], sizeof(row->text[0]), "%s", drive->label);
	snprintf(row->text[COL_STATE], sizeof(row->text[0]), "%s",
		drive->in_use ? _("in use") : drive->read_only ? _("read-only") : "");
}

static void print_row(const struct row *row, const int widths[COLUMNS])
{
	int last = COLUMNS - 1;

	while (last > 0 && !row->text[last][0])
		last--;
	for (int c = 0; c < last; c++) {
		cli_put_padded(row->text[c], widths[c]);
		fputs("  ", stdout);
	}
	puts(row->text[last]);
}

static int print_table(const struct drive *drives, size_t count, bool all)
{
	CLEANUP_FREE struct row *rows = calloc(count + 1, sizeof(*rows));
	int widths[COLUMNS] = {0};
	size_t used = 1;

	if (!rows)
		return cli_fail(NULL, -ENOMEM, NULL);
	for (int c = 0; c < COLUMNS; c++)
		snprintf(rows[0].text[c], sizeof(rows[0].text[c]), "%s", _(titles[c]));
	for (size_t i = 0; i < count; i++)
		if (wanted(&drives[i], all))
			fill_row(&drives[i], &rows[used++]);
	if (used == 1) {
		puts(all ? _("There are no drives.")
			 : _("There are no removable or encrypted drives; --all shows the others."));
		return EXIT_DONE;
	}
	for (size_t i = 0; i < used; i++)
		for (int c = 0; c < COLUMNS; c++) {
			int width = cli_display_width(rows[i].text[c]);

			widths[c] = width > widths[c] ? width : widths[c];
		}
	for (size_t i = 0; i < used; i++)
		print_row(&rows[i], widths);
	return EXIT_DONE;
}

static void print_drive_json(struct jsonout *out, const struct drive *drive)
{
	jsonout_object(out, NULL);
	jsonout_string(out, "path", drive->path);
	jsonout_string(out, "vendor", drive->vendor);
	jsonout_string(out, "model", drive->model);
	jsonout_string(out, "serial", drive->serial);
	jsonout_number(out, "size_bytes", drive->size_bytes);
	jsonout_bool(out, "removable", drive->removable);
	jsonout_bool(out, "read_only", drive->read_only);
	jsonout_bool(out, "partition", drive->partition);
	jsonout_bool(out, "in_use", drive->in_use);
	jsonout_string(out, "content", drive->content);
	jsonout_string(out, "content_version", drive->content_version);
	jsonout_string(out, "label", drive->label);
	jsonout_string(out, "uuid", drive->uuid);
	jsonout_end_object(out);
}

static void print_json(const struct drive *drives, size_t count, bool all)
{
	struct jsonout out = {0};

	jsonout_object(&out, NULL);
	jsonout_array(&out, "drives");
	for (size_t i = 0; i < count; i++)
		if (wanted(&drives[i], all))
			print_drive_json(&out, &drives[i]);
	jsonout_end_array(&out);
	jsonout_end_object(&out);
}

static int run(int argc, char **argv)
{
	bool json = false, all = false;
	struct drive *drives = NULL;
	int status = EXIT_DONE;
	size_t count = 0;
	int option, r;

	while ((option = cli_getopt(&command_list, argc, argv, long_options)) != -1) {
		if (option == OPT_HELP)
			return cli_help(&command_list);
		if (option == '?')
			return EXIT_USAGE;
		json |= option == OPT_JSON;
		all |= option == OPT_ALL;
	}
	if (!cli_operands(&command_list, argc, argv, 0, 0))
		return EXIT_USAGE;
	r = discover_drives(&drives, &count);
	if (r < 0)
		return cli_fail(NULL, r, NULL);
	if (json)
		print_json(drives, count, all);
	else
		status = print_table(drives, count, all);
	drives_free(drives, count);
	return status;
}

const struct command command_list = {
	.name = "list",
	.operands = "",
	.summary = N_("show the removable and the encrypted drives, and what is on them"),
	.options = N_(
		"Options:\n"
		"  --all   show all drives of this computer\n"
		"  --json  print JSON for programs\n"
		"  --help  show this help\n"),
	.run = run,
};
