/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sealdrive header COMMAND: a table of sub-commands of its own. */
#include "cli/header.h"

#include "cli/group.h"
#include "kernel-shim/filedev.h"

/* In the order of the help. Their names are "header NAME". */
static const struct command *const commands[] = {
	&command_header_check,
	&command_header_backup,
	&command_header_restore,
	&command_header_repair,
	&command_header_convert,
	NULL,
};

static int run(int argc, char **argv)
{
	return group_run(&command_header, commands, argc, argv);
}

const struct command command_header = {
	.name = "header",
	.operands = N_("COMMAND TARGET"),
	.summary = N_("check, back up, restore, repair or convert the LUKS header of a drive"),
	.options = "",
	.run = run,
};

int header_open_to_read(const struct header_args *args, struct blkdev **ret_dev,
	uint64_t *ret_data_bytes, struct diag *diag)
{
	CLEANUP_BLKDEV struct blkdev *data = NULL, *dev = NULL;
	int r = filedev_open(args->target, FILEDEV_NO_LOCK, 0, &data, diag);

	if (r == 0 && args->header) {
		r = filedev_open(args->header, FILEDEV_NO_LOCK, 0, &dev, diag);
		if (r < 0)
			diag_set(diag, r, _("header file %s"), args->header);
	}
	if (r < 0)
		return r;
	*ret_data_bytes = data->size_bytes;
	*ret_dev = dev ? take_ptr(dev) : take_ptr(data);
	return 0;
}
