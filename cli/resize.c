/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sealdrive resize TARGET: the container larger, if asked for, then the file system as large as what it
 * lies on.
 *
 * In this order, and each only when the one before was fine: everything given is checked, the file system
 * is checked, the container grows, the file system grows. Stopped between any two of them, the same
 * command goes on from there.
 */
#include <errno.h>
#include <stdio.h>

#include "base/bytes.h"
#include "cli/offline.h"
#include "cli/tool.h"

enum { OPT_HELP = 256, OPT_SIZE };

enum {
	SIZE_UNIT = 4096, /* of containers, as format makes them */
	E2FSCK_REPAIRED_MAX = 1, /* with -p: fine, or something harmless was put in order */
};

static const struct option long_options[] = {
	{"help", no_argument, NULL, OPT_HELP},
	{"size", required_argument, NULL, OPT_SIZE},
	OFFLINE_OPTIONS,
	{0},
};

struct resize {
	struct offline_args args;
	uint64_t size_bytes; /* of the container; 0: as it is */
	struct volume *volume;
};

/* Before the passphrase is asked for. */
static int check_size(const struct resize *resize, struct diag *diag)
{
	uint64_t now = volume_target_bytes(resize->volume);

	if (resize->size_bytes == 0)
		return 0;
	if (!volume_is_container(resize->volume))
		return diag_set(diag, -SDE_USAGE, _("--size is for container files, not for drives"));
	if (resize->size_bytes < now)
		return diag_set(diag, -SDE_USAGE,
			_("the container is larger than --size says, and is never made smaller"));
	if (resize->size_bytes > now && !volume_follows_target(resize->volume))
		return diag_set(diag, -SDE_USAGE,
			_("its header gives the data a fixed size, so a larger container would be of no use"));
	return resize->size_bytes > now ? volume_check_grow(resize->volume, resize->size_bytes) : 0;
}

static int fs_look(const struct resize *resize, struct e4_peek *ret_peek, struct diag *diag)
{
	const struct blkdev *data = volume_data(resize->volume);
	int err = e4_peek(volume_data(resize->volume), ret_peek);

	if (err == 0 && ret_peek->size_bytes > data->size_bytes)
		return diag_set(diag, -SDE_FS_SIZE, _("%llu of %llu bytes"),
			(unsigned long long)data->size_bytes, (unsigned long long)ret_peek->size_bytes);
	return err;
}

/* Replays the journal, too, which resize2fs does not. */
static int check_fs(const struct resize *resize, struct diag *diag)
{
	const struct tool tool = {.program = "e2fsck", .arguments = {"-fp"}, .progress = _("Checking")};
	CLEANUP_TOOL_RESULT struct tool_result result = {0};
	int err = tool_run(&tool, volume_data(resize->volume), &result, diag);

	if (err < 0 || result.status <= E2FSCK_REPAIRED_MAX)
		return err;
	tool_print(&result, resize->args.target);
	return diag_set(diag, -SDE_FS_DAMAGED, _("it is not resized before it is repaired"));
}

static int grow_fs(const struct resize *resize, struct diag *diag)
{
	const struct tool tool = {
		.program = "resize2fs",
		.not_now = _("The file system is being moved and must not be left half-way. Please wait."),
	};
	CLEANUP_TOOL_RESULT struct tool_result result = {0};
	int err = tool_run(&tool, volume_data(resize->volume), &result, diag);

	if (err < 0 || result.status == 0)
		return err;
	tool_print(&result, resize->args.target);
	return diag_set(diag, -SDE_FS_DAMAGED, _("resize2fs failed with status %d"), result.status);
}

static int resize_unlocked(const struct resize *resize, struct diag *diag)
{
	struct blkdev *data = volume_data(resize->volume);
	bool larger = resize->size_bytes > volume_target_bytes(resize->volume);
	char fs[CLI_SIZE_TEXT], room[CLI_SIZE_TEXT];
	struct e4_peek before, after;
	int err = fs_look(resize, &before, diag);

	if (err < 0)
		return err;
	if (!larger && data->size_bytes - before.size_bytes < before.block_bytes) {
		printf(_("Nothing to do: the file system of %s fills its room of %s.\n"),
			cli_format_size(fs, before.size_bytes), cli_format_size(room, data->size_bytes));
		return 0;
	}
	err = check_fs(resize, diag);
	if (err == 0 && larger)
		err = volume_grow(resize->volume, resize->size_bytes);
	if (err < 0)
		return err;
	printf(_("Before: a file system of %s in a room of %s.\n"),
		cli_format_size(fs, before.size_bytes), cli_format_size(room, data->size_bytes));
	fflush(stdout);
	err = grow_fs(resize, diag);
	if (err == 0)
		err = fs_look(resize, &after, diag);
	if (err == 0)
		cli_say_done(_("Now:    a file system of %s in a room of %s.\n"),
			cli_format_size(fs, after.size_bytes), cli_format_size(room, data->size_bytes));
	return err;
}

static void say_fixed(const struct resize *resize)
{
	const struct luks2_segment *segment = luks2_data_segment(volume_header(resize->volume));

	if (!volume_follows_target(resize->volume) &&
		volume_target_bytes(resize->volume) > segment->offset + segment->size)
		cli_warn(resize->args.target, _("its header gives the data a fixed size, which is less than "
						"there is; the rest stays unused"));
}

static int resize_volume(struct resize *resize)
{
	const struct volume_options options = {
		.target = resize->args.target,
		.header = resize->args.header,
	};
	struct diag diag = {0};
	int close_err, err = volume_open(&options, &resize->volume, &diag);

	if (err == 0)
		err = check_size(resize, &diag);
	if (err == 0) {
		say_fixed(resize);
		err = offline_unlock(&resize->args, resize->volume, &diag);
	}
	if (err == 0)
		err = resize_unlocked(resize, &diag);
	close_err = volume_close(resize->volume);
	if (err < 0)
		return cli_fail(resize->args.target, err, &diag);
	return close_err < 0 ? cli_fail(resize->args.target, close_err, NULL) : EXIT_DONE;
}

static int run(int argc, char **argv)
{
	static const char *const programs[] = {"e2fsck", "resize2fs", NULL};
	struct resize resize = {0};
	struct diag diag = {0};
	int option, err;

	while ((option = cli_getopt(&command_resize, argc, argv, long_options)) != -1) {
		if (option == OPT_HELP)
			return cli_help(&command_resize);
		if (option == OPT_SIZE) {
			if (cli_parse_size(optarg, &resize.size_bytes) < 0 || resize.size_bytes < SIZE_UNIT)
				return cli_usage(&command_resize,
					_("--%s: '%s' is not a size; write for instance 500M, 64G or 2T"),
					"size", optarg);
		} else if (!offline_option(option, &resize.args)) {
			return EXIT_USAGE;
		}
	}
	if (!cli_operands(&command_resize, argc, argv, 1, 1))
		return EXIT_USAGE;
	resize.size_bytes = round_down_u64(resize.size_bytes, SIZE_UNIT);
	resize.args.target = argv[optind];
	err = offline_check(&resize.args, programs, &diag);
	if (err < 0)
		return cli_fail(resize.args.target, err, &diag);
	return resize_volume(&resize);
}

const struct command command_resize = {
	.name = "resize",
	.operands = N_("TARGET"),
	.summary = N_("make the file system as large as its container or drive"),
	.options = N_("The drive must not be mounted. The file system is checked first, and nothing is\n"
		      "done to one with errors. Nothing is ever made smaller.\n"
		      "\n"
		      "Options:\n"
		      "  --size SIZE             make the container file this large first\n"
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
