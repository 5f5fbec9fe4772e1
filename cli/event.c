/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/event.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/binding.h"
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

void cli_event_path(const char *target, char out[CLI_EVENT_PATH_MAX])
{
	char folder[PATH_MAX], real[PATH_MAX];
	const char *slash = strrchr(target, '/'), *name = slash ? slash + 1 : target;

	if (realpath(target, out))
		return;
	/* a drive that was pulled out, a file that was mistyped: its folder may be there */
	snprintf(folder, sizeof(folder), "%.*s", slash ? (int)(slash - target) + 1 : 1, slash ? target : ".");
	if (name[0] && realpath(folder, real))
		snprintf(out, CLI_EVENT_PATH_MAX, "%s/%s", strcmp(real, "/") == 0 ? "" : real, name);
	else if (target[0] != '/' && getcwd(real, sizeof(real)))
		snprintf(out, CLI_EVENT_PATH_MAX, "%s/%s", real, target);
	else
		snprintf(out, CLI_EVENT_PATH_MAX, "%s", target);
}

static void append(const struct event *events, size_t count)
{
	CLEANUP_FREE char *path = NULL;
	int r = eventlog_path(log_folder, &path);

	for (size_t i = 0; r < 0 && i < count; i++)
		json_decref(events[i].detail);
	if (r == 0)
		r = eventlog_append_all(path, events, count);
	if (r < 0)
		cli_warn(path, _("the event log was not written: %s"), error_text(r));
}

/* Why it was not done; only texts of this program, so that nothing secret can be in it. */
static json_t *add_reason(json_t *detail, int err, int exit_status)
{
	const char *check = exit_status == EXIT_POLICY ? binding_refusal() : NULL;
	const char *reason = err < 0 ? error_plain(err) : "";

	if (!detail && (check || reason[0]))
		detail = json_object();
	if (check)
		(void)json_object_set_new(detail, "check", json_string(check));
	if (reason[0])
		(void)json_object_set_new(detail, "reason", json_string(reason));
	return detail;
}

static void record(const char *op, const char *target, const char *uuid, int err, int exit_status, json_t *detail)
{
	char found[40] = "", path[CLI_EVENT_PATH_MAX];

	if (target) {
		cli_event_path(target, path);
		target = path;
	}
	if (!uuid && target) {
		look_up(target, found);
		uuid = found[0] ? found : strcmp(target, before.path) == 0 ? before.uuid : NULL;
	}
	const struct event event = {
		.op = op,
		.target = target,
		.uuid = uuid,
		.exit_status = exit_status,
		.policy = gate_policy_name(),
		.detail = add_reason(detail, err, exit_status),
	};

	append(&event, 1);
}

void cli_event(const char *op, const char *target, const char *uuid, int err, json_t *detail)
{
	record(op, target, uuid, err, error_exit_status(err), detail);
}

void cli_event_all(const char *op, const struct cli_event_item *items, size_t count)
{
	CLEANUP_FREE struct event *events = calloc(count + 1, sizeof(*events));
	char path[CLI_EVENT_PATH_MAX];

	for (size_t i = 0; events && i < count; i++) {
		cli_event_path(items[i].target, path);
		events[i] = (struct event){
			.op = op,
			.target = strdup(path),
			.uuid = items[i].uuid,
			.exit_status = error_exit_status(items[i].err),
			.policy = gate_policy_name(),
			.detail = add_reason(items[i].detail, items[i].err, error_exit_status(items[i].err)),
		};
	}
	if (events)
		append(events, count);
	else
		cli_warn(NULL, _("the event log was not written: %s"), error_text(-ENOMEM));
	for (size_t i = 0; i < count; i++) {
		if (events)
			free((char *)(uintptr_t)events[i].target);
		else
			json_decref(items[i].detail);
	}
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

	/* a command that has ended well may have said of something smaller that it did not */
	record(op, optind < argc - skip ? argv[skip + optind] : NULL, NULL, exit_status == EXIT_DONE ? 0 : cli_last_error(),
		exit_status, NULL);
}
