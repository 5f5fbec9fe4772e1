/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sealdrive mount TARGET [DIR] */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/background.h"
#include "cli/cli.h"
#include "cli/event.h"
#include "cli/gate.h"
#include "cli/token.h"
#include "cli/unmount.h"
#include "fuse/daemon.h"
#include "fuse/front.h"
#include "fuse/mountpoint.h"

struct mount_args {
	const char *target, *dir;
	struct daemon_options options;
	struct cli_passphrase_source source;
	bool foreground;
	bool waiting; /* the user knows */
	char holder[PATH_MAX]; /* of the header, wherever the daemon works; "" when it is not there */
	char uuid[40]; /* of the drive; "" while it is not known */
};

enum { COMMIT_SECONDS_MAX = 300, GRACE_SECONDS = 60, GRACE_SECONDS_MAX = 3600 };

enum {
	OPT_HELP = 256,
	OPT_READ_ONLY,
	OPT_OWNER,
	OPT_ATIME,
	OPT_COMMIT,
	OPT_GRACE,
	OPT_ALLOW_OTHER,
	OPT_DISCARD,
	OPT_ACCEPT_HEADER_CHANGE,
	OPT_HEADER,
	OPT_PASSPHRASE_FILE,
	OPT_KEY_FILE,
	OPT_FOREGROUND,
};

static const struct option long_options[] = {
	{"help", no_argument, NULL, OPT_HELP},
	{"read-only", no_argument, NULL, OPT_READ_ONLY},
	{"owner", required_argument, NULL, OPT_OWNER},
	{"atime", required_argument, NULL, OPT_ATIME},
	{"commit", required_argument, NULL, OPT_COMMIT},
	{"grace", required_argument, NULL, OPT_GRACE},
	{"allow-other", no_argument, NULL, OPT_ALLOW_OTHER},
	{"discard", no_argument, NULL, OPT_DISCARD},
	{"accept-header-change", no_argument, NULL, OPT_ACCEPT_HEADER_CHANGE},
	{"header", required_argument, NULL, OPT_HEADER},
	{"passphrase-file", required_argument, NULL, OPT_PASSPHRASE_FILE},
	{"key-file", required_argument, NULL, OPT_KEY_FILE},
	CLI_TOKEN_OPTION,
	CLI_PIN_OPTIONS,
	CLI_SHARE_OPTION,
	CLI_NO_TOKEN_OPTION,
	{"foreground", no_argument, NULL, OPT_FOREGROUND},
	{0},
};

static bool parse_owner(const char *text, enum owner_view *ret_view)
{
	for (enum owner_view view = OWNER_ME; view <= OWNER_DISK; view++) {
		if (strcmp(text, owner_view_name(view)) == 0) {
			*ret_view = view;
			return true;
		}
	}
	return false;
}

/* The words of mount(8). */
static bool parse_atime(const char *text, enum e4_atime *ret_atime)
{
	static const char *const names[] = {
		[E4_ATIME_RELATIVE] = "relatime",
		[E4_ATIME_NEVER] = "noatime",
		[E4_ATIME_ALWAYS] = "strictatime",
		[E4_ATIME_LAZY] = "lazytime",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (strcmp(text, names[i]) == 0) {
			*ret_atime = (enum e4_atime)i;
			return true;
		}
	}
	return false;
}

/* EXIT_DONE or EXIT_USAGE */
static int parse_seconds(const char *option, uint64_t min, uint64_t max, unsigned *ret_ms)
{
	uint64_t seconds;

	if (cli_parse_number(optarg, min, max, &seconds) < 0)
		return cli_usage(&command_mount, _("--%s: '%s' is not a number of seconds from %u to %u"),
			option, optarg, (unsigned)min, (unsigned)max);
	*ret_ms = (unsigned)seconds * 1000;
	return 0;
}

/* EXIT_DONE or EXIT_USAGE */
static int parse_option(int option, struct mount_args *args)
{
	switch (option) {
	case OPT_READ_ONLY:
		args->options.read_only = true;
		return 0;
	case OPT_OWNER:
		if (parse_owner(optarg, &args->options.view))
			return 0;
		return cli_usage(&command_mount, _("--owner is 'me' or 'disk', not '%s'"), optarg);
	case OPT_ATIME:
		if (parse_atime(optarg, &args->options.atime))
			return 0;
		return cli_usage(&command_mount,
			_("--atime is 'relatime', 'noatime', 'strictatime' or 'lazytime', not '%s'"), optarg);
	case OPT_COMMIT:
		return parse_seconds("commit", 1, COMMIT_SECONDS_MAX, &args->options.commit_ms);
	case OPT_GRACE:
		return parse_seconds("grace", 0, GRACE_SECONDS_MAX, &args->options.grace_ms);
	case OPT_ALLOW_OTHER:
		args->options.allow_other = true;
		return 0;
	case OPT_DISCARD:
		args->options.discard = true;
		return 0;
	case OPT_ACCEPT_HEADER_CHANGE:
		args->options.accept_header_change = true;
		return 0;
	case OPT_HEADER:
		args->options.header = optarg;
		return 0;
	case OPT_PASSPHRASE_FILE:
		args->source.passphrase_file = optarg;
		return 0;
	case OPT_KEY_FILE:
		args->source.key_file = optarg;
		return 0;
	case OPT_FOREGROUND:
		args->foreground = true;
		return 0;
	default:
		return cli_unlock_option(option, &args->source) ? 0 : EXIT_USAGE;
	}
}

/* The drive is where its header is. Once it is known it is not opened again to see which one it is:
 * after it was unmounted it is free, and may be gone. */
static void note(const struct mount_args *args, const char *op, int err)
{
	const char *holder = args->options.header ? args->options.header : args->target;

	cli_event(op, args->holder[0] ? args->holder : holder, args->uuid[0] ? args->uuid : NULL, err,
		args->options.read_only ? json_pack("{s:b}", "read_only", 1) : NULL);
}

/* After the program that served the drive has died, mounting it again is all that the user has to do. A left-over
 * that cannot be taken away stays: check_place() or the choice of a folder deals with it. */
static void take_dead_away(const char *target)
{
	struct mounted_drive drive;

	if (drives_find(target, &drive) < 0)
		return;
	if (drive.dead)
		(void)!unmount_left_over(target, &drive, NULL);
	mounted_drive_clear(&drive);
}

/* What can be said before anything is opened, so that nobody types a passphrase for nothing. */
static int check_place(const struct mount_args *args, char **ret_mount_point)
{
	struct diag diag = {0};
	int err = daemon_check_target(args->target, &diag);

	if (err == 0)
		err = gate_ready(&diag);
	if (err == 0)
		err = gate_drive(args->target, args->options.header, &diag);
	if (err == -SDE_POLICY)
		note(args, "mount", err);
	if (err == 0)
		err = front_check_usable(args->options.allow_other, &diag);
	if (err == 0)
		take_dead_away(args->target);
	if (err == 0 && args->dir)
		err = mountpoint_check(args->dir, ret_mount_point, &diag);
	return err < 0 ? cli_fail(args->target, err, &diag) : EXIT_DONE;
}

static int unlock(void *daemon, const struct secret *passphrase, int slot, struct diag *diag)
{
	return daemon_unlock(daemon, passphrase, slot, diag);
}

static void print_mounted(const struct daemon *daemon, const struct mount_args *args)
{
	const char *reason = daemon_read_only_reason(daemon);

	if (reason && reason[0])
		cli_warn(args->target, _("mounted read-only: %s"), reason);
	if (!reason && !daemon_has_journal(daemon))
		cli_warn(args->target, _("it has no journal: if it is pulled out before it is unmounted, "
					 "it must be checked before it can be written again"));
	if (!secret_all_locked())
		cli_warn(args->target, "%s", error_text(-SDE_MEMORY_LOCK));
	cli_say_done("%s", reason ? _("Your files are here, read-only: ") : _("Your files are here: "));
	cli_put_path(daemon_mount_point(daemon));
	printf(_("\nBefore you pull the drive out: sealdrive unmount "));
	cli_put_path(daemon_mount_point(daemon));
	putchar('\n');
	fflush(stdout);
}

/* Reports the first failure; a drive that could not be closed counts even after success. */
static int finish(struct daemon *daemon, const struct mount_args *args, int err,
	const struct diag *diag)
{
	int close_err = daemon_close(daemon);

	if (err < 0)
		return cli_fail(args->target, err, diag);
	return close_err < 0 ? cli_fail(args->target, close_err, NULL) : EXIT_DONE;
}

/* The signals that end a daemon are blocked by now. */
static bool interrupted(void)
{
	sigset_t pending;

	return sigpending(&pending) == 0 && (sigismember(&pending, SIGINT) || sigismember(&pending, SIGTERM) ||
						    sigismember(&pending, SIGHUP));
}

static bool wait_for_others(void *ctx, unsigned seconds_left)
{
	struct mount_args *args = ctx;

	if (!args->waiting && seconds_left > 1)
		cli_warn(args->target, _("waiting %u seconds to see whether another computer uses it"),
			seconds_left);
	args->waiting = true;
	return !interrupted();
}

static int mount_and_serve(struct mount_args *args)
{
	struct daemon *daemon = NULL;
	struct diag diag = {0};
	int err = daemon_open(&args->options, &daemon, &diag), status;
	bool served = false;

	if (err == 0) {
		snprintf(args->uuid, sizeof(args->uuid), "%s", daemon_header(daemon)->uuid);
		err = cli_unlock(&args->source, args->target, daemon_header(daemon), -1, unlock, daemon,
			&diag);
		if (error_exit_status(err) == EXIT_SECRET)
			note(args, "unlock", err);
	}
	if (err == 0) {
		daemon_block_signals();
		err = daemon_mount(daemon, &diag);
	}
	if (err == 0) {
		served = true;
		note(args, "mount", 0);
		print_mounted(daemon, args);
		if (!args->foreground)
			background_detach();
		err = daemon_serve(daemon);
	}
	status = finish(daemon, args, err, &diag);
	if (served)
		note(args, "unmount", status == EXIT_DONE ? 0 : err < 0 ? err : -EIO);
	return status;
}

static int run(int argc, char **argv)
{
	struct mount_args args = {.options = {.view = geteuid() == 0 ? OWNER_DISK : OWNER_ME}};
	CLEANUP_FREE char *mount_point = NULL;
	int option, status;

	args.options.allow_other = geteuid() == 0;
	args.options.grace_ms = GRACE_SECONDS * 1000;
	while ((option = cli_getopt(&command_mount, argc, argv, long_options)) != -1) {
		if (option == OPT_HELP)
			return cli_help(&command_mount);
		status = parse_option(option, &args);
		if (status != 0)
			return status;
	}
	if (cli_token_is_list(args.source.token.uri))
		return cli_token_list(&args.source.token);
	if (!cli_operands(&command_mount, argc, argv, 1, 2))
		return EXIT_USAGE;
	args.target = args.options.target = argv[optind];
	args.dir = argv[optind + 1];
	if (!realpath(args.options.header ? args.options.header : args.target, args.holder))
		args.holder[0] = '\0';
	status = check_place(&args, &mount_point);
	if (status != EXIT_DONE)
		return status;
	args.options.mount_point = mount_point;
	args.options.on_wait = wait_for_others;
	args.options.on_wait_ctx = &args;
	if (!args.foreground && !background_start(&status))
		return status;
	return mount_and_serve(&args);
}

const struct command command_mount = {
	.name = "mount",
	.operands = N_("TARGET [DIR]"),
	.summary = N_("unlock a drive and make its files accessible"),
	.options = N_("Without DIR the files appear in a new folder in ~/Sealdrive.\n"
		      "\n"
		      "Options:\n"
		      "  --read-only             change nothing on the drive\n"
		      "  --owner me|disk         show all files as yours, or as owned by whoever the\n"
		      "                          drive says (default: me, for root: disk)\n"
		      "  --atime WHEN            which reading changes the time of access: relatime\n"
		      "                          (default), noatime, strictatime or lazytime\n"
		      "  --commit SECONDS        write what was changed to the drive at least this often\n"
		      "                          (1 to 300, default: 5)\n"
		      "  --grace SECONDS         how long to wait for a drive that was pulled out to be\n"
		      "                          put back, before all of its files give errors (0 to\n"
		      "                          3600, default: 60)\n"
		      "  --allow-other           let other users in, too, as far as the files' modes\n"
		      "                          allow (always so for root)\n"
		      "  --discard               let fstrim tell the drive which blocks are free; shows\n"
		      "                          how full it is to whoever examines it\n"
		      "  --header FILE           the drive's LUKS header is in FILE\n"
		      "  --accept-header-change  its header was changed with another program, on purpose:\n"
		      "                          open it, and seal the header as it is\n"
		      "  --passphrase-file FILE  read the passphrase from the first line of FILE;\n"
		      "                          - is standard input\n"
		      "  --key-file FILE         use the whole FILE as the key\n"
		      "  --token [TOKEN]         open it with a token and nothing else: any, or fido2,\n"
		      "                          or the one that a PKCS #11 URI describes; --token list\n"
		      "                          shows those that are plugged in\n"
		      "  --no-token              look for no token, and ask for the passphrase\n"
		      "  --pin-file FILE         read the token's PIN from the first line of FILE\n"
		      "  --and-pin-file FILE     that of the second token, where two are needed together\n"
		      "  --share FILE            open it with shares of a key: once for each of them; those\n"
		      "                          that are missing are asked for (all of them: --share -)\n"
		      "  --foreground            stay in the foreground; Ctrl-C unmounts\n"
		      "  --help                  show this help\n"),
	.run = run,
};
