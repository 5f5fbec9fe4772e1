/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/offline.h"

#include "cli/tool.h"
#include "fuse/daemon.h"
#include "fuse/front.h"

bool offline_option(int option, struct offline_args *args)
{
	switch (option) {
	case OFFLINE_HEADER:
		args->header = optarg;
		return true;
	case OFFLINE_PASSPHRASE_FILE:
		args->source.passphrase_file = optarg;
		return true;
	case OFFLINE_KEY_FILE:
		args->source.key_file = optarg;
		return true;
	default:
		return cli_unlock_option(option, &args->source);
	}
}

int offline_check(const struct offline_args *args, const char *const *programs, struct diag *diag)
{
	int err = daemon_check_target(args->target, diag);

	if (err == 0)
		err = front_check_usable(false, diag);
	for (; err == 0 && *programs; programs++)
		err = tool_check_installed(*programs, diag);
	return err;
}

static int unlock(void *volume, const struct secret *passphrase, int slot, struct diag *diag)
{
	return volume_unlock(volume, passphrase, slot, diag);
}

int offline_unlock(const struct offline_args *args, struct volume *volume, struct diag *diag)
{
	return cli_unlock(&args->source, args->target, volume_header(volume), -1, unlock, volume, diag);
}
