/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/event.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/eventlog.h"
#include "base/cleanup.h"
#include "cli/cli.h"
#include "cli/gate.h"
#include "kernel-shim/filedev.h"
#include "keymgr/luks2.h"

static char log_folder[PATH_MAX];

void cli_event_folder(const char *folder)
{
	/* the daemon works in another folder than it was started in */
	if (!realpath(folder, log_folder))
		snprintf(log_folder, sizeof(log_folder), "%s", folder);
}

const char *cli_event_log_folder(void)
{
	return log_folder;
}

/* The drive of a command that may leave nothing to know it by. */
static struct {
	char path[PATH_MAX], uuid[40];
} before;

/* Which drive it is, as far as its header says so now. */
static void look_up(const char *target, char uuid[40])
{
	CLEANUP_BLKDEV struct blkdev *dev = NULL;
	CLEANUP_LUKS2 struct luks2 *hdr = NULL;

	if (filedev_open(target, FILEDEV_NO_LOCK, 0, &dev, NULL) == 0 && luks2_load(dev, 0, &hdr, NULL) == 0)
		memcpy(uuid, hdr->uuid, sizeof(hdr->uuid));
}

static void record(const char *op, const char *target, const char *uuid, int exit_status, json_t *detail)
{
	CLEANUP_FREE char *path = NULL;
	char found[40] = "", real[PATH_MAX];

	if (target && realpath(target, real))
		target = real;

	if (!uuid && target) {
		look_up(target, found);
		uuid = found[0] ? found : strcmp(target, before.path) == 0 ? before.uuid : NULL;
	}
	struct event event = {
		.op = op,
		.target = target,
		.uuid = uuid,
		.exit_status = exit_status,
		.policy = gate_policy_name(),
		.detail = detail,
	};
	int r = eventlog_path(log_folder, &path);

	if (r < 0)
		json_decref(detail);
	else
		r = eventlog_append(path, &event);
	if (r < 0)
		cli_warn(path, _("the event log was not written: %s"), error_text(r));
}

void cli_event(const char *op, const char *target, const char *uuid, int err, json_t *detail)
{
	record(op, target, uuid, error_exit_status(err), detail);
}

/* ---- whole commands ---- */

/* Whether the command opens drives, and leaves it to this file to say when it could not. */
static bool unlocks(int argc, char **argv)
{
	return strcmp(argv[1], "check") == 0 ||
	       (argc > 2 && strcmp(argv[1], "key") == 0 && strcmp(argv[2], "test") == 0);
}

/* Of `key` and `header`, what only looks is no event. */
static bool is_event(int argc, char **argv, char op[64])
{
	static const char *const looking[] = {"list", "test", "check", "--help", "-h"};
	bool family = strcmp(argv[1], "key") == 0 || strcmp(argv[1], "header") == 0;

	if (!family) {
		snprintf(op, 64, "%s", argv[1]);
		return strcmp(argv[1], "erase") == 0 || strcmp(argv[1], "resize") == 0;
	}
	if (argc < 3)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(looking); i++)
		if (strcmp(argv[2], looking[i]) == 0)
			return false;
	snprintf(op, 64, "%s %.40s", argv[1], argv[2]);
	return true;
}

static bool asks_for_help(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (strlen(argv[i]) > 2 && strncmp("--help", argv[i], strlen(argv[i])) == 0)
			return true;
	return false;
}

int cli_event_begin(int argc, char **argv, struct diag *diag)
{
	char op[64];

	if (argc < 2 || !is_event(argc, argv, op) || asks_for_help(argc, argv))
		return 0;
	for (int i = 2; i < argc && !before.uuid[0]; i++)
		if (argv[i][0] != '-' && realpath(argv[i], before.path))
			look_up(before.path, before.uuid);
	return gate_ready(diag);
}

void cli_event_end(int argc, char **argv, int exit_status)
{
	char op[64];

	if (argc < 2 || exit_status == EXIT_USAGE || asks_for_help(argc, argv))
		return;
	/* the command's own argv begins with its name, and getopt has moved the operands to the end */
	int skip = strcmp(argv[1], "key") == 0 || strcmp(argv[1], "header") == 0 ? 2 : 1;

	if (!is_event(argc, argv, op)) {
		if (exit_status != EXIT_SECRET || !unlocks(argc, argv))
			return;
		strcpy(op, "unlock");
	}

	record(op, optind < argc - skip ? argv[skip + optind] : NULL, NULL, exit_status, NULL);
}
