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

/* Which drive it is, as far as its header says so now. */
static void look_up(const char *target, char uuid[40])
{
	CLEANUP_BLKDEV struct blkdev *dev = NULL;
	CLEANUP_LUKS2 struct luks2 *hdr = NULL;

	if (filedev_open(target, FILEDEV_NO_LOCK, 0, &dev, NULL) == 0 && luks2_load(dev, 0, &hdr, NULL) == 0)
		memcpy(uuid, hdr->uuid, sizeof(hdr->uuid));
}

void cli_event(const char *op, const char *target, const char *uuid, int err, json_t *detail)
{
	CLEANUP_FREE char *path = NULL;
	char found[40] = "", real[PATH_MAX];

	if (target && realpath(target, real))
		target = real;

	if (!uuid && target) {
		look_up(target, found);
		uuid = found[0] ? found : NULL;
	}
	struct event event = {
		.op = op,
		.target = target,
		.uuid = uuid,
		.err = err < 0 ? err : 0,
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
