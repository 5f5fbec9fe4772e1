/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuse/counters.h"

#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "fuse/protocol.h"

static const char *const request_names[COUNTED_OPCODES] = {
	[0] = "other",
	[FUSE_LOOKUP] = "lookup",
	[FUSE_FORGET] = "forget",
	[FUSE_GETATTR] = "getattr",
	[FUSE_SETATTR] = "setattr",
	[FUSE_READLINK] = "readlink",
	[FUSE_SYMLINK] = "symlink",
	[FUSE_MKNOD] = "mknod",
	[FUSE_MKDIR] = "mkdir",
	[FUSE_UNLINK] = "unlink",
	[FUSE_RMDIR] = "rmdir",
	[FUSE_RENAME] = "rename",
	[FUSE_LINK] = "link",
	[FUSE_OPEN] = "open",
	[FUSE_READ] = "read",
	[FUSE_WRITE] = "write",
	[FUSE_STATFS] = "statfs",
	[FUSE_RELEASE] = "release",
	[FUSE_FSYNC] = "fsync",
	[FUSE_SETXATTR] = "setxattr",
	[FUSE_GETXATTR] = "getxattr",
	[FUSE_LISTXATTR] = "listxattr",
	[FUSE_REMOVEXATTR] = "removexattr",
	[FUSE_FLUSH] = "flush",
	[FUSE_INIT] = "init",
	[FUSE_OPENDIR] = "opendir",
	[FUSE_READDIR] = "readdir",
	[FUSE_RELEASEDIR] = "releasedir",
	[FUSE_FSYNCDIR] = "fsyncdir",
	[FUSE_ACCESS] = "access",
	[FUSE_CREATE] = "create",
	[FUSE_INTERRUPT] = "interrupt",
	[FUSE_IOCTL] = "ioctl",
	[FUSE_BATCH_FORGET] = "forget_many",
	[FUSE_FALLOCATE] = "fallocate",
	[FUSE_READDIRPLUS] = "readdirplus",
	[FUSE_RENAME2] = "rename_flags",
	[FUSE_LSEEK] = "lseek",
	[FUSE_COPY_FILE_RANGE] = "copy_file_range",
	[PROTOCOL_TMPFILE] = "tmpfile",
	[PROTOCOL_STATX] = "statx",
};

bool counter_name_valid(const char *name)
{
	size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz_");

	return len > 0 && len < COUNTER_NAME_BYTES && name[len] == '\0';
}

void counters_add(struct counters *counters, const char *name, uint64_t value)
{
	struct counter *counter = &counters->list[counters->count];

	if (counters->count == COUNTERS_MAX)
		return;
	snprintf(counter->name, sizeof(counter->name), "%s", name);
	counter->value = value;
	counters->count++;
}

void counters_add_requests(struct counters *counters, struct request_counts *counts)
{
	char name[COUNTER_NAME_BYTES];
	uint64_t other = 0;

	for (size_t i = 0; i < ARRAY_SIZE(request_names); i++) {
		uint64_t value = atomic_load_explicit(&counts->by_opcode[i], memory_order_relaxed);

		if (i == 0 || !request_names[i]) {
			other += value;
			continue;
		}
		snprintf(name, sizeof(name), "requests_%s", request_names[i]);
		if (value)
			counters_add(counters, name, value);
	}
	if (other)
		counters_add(counters, "requests_other", other);
}
