/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuse/caller.h"

#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

enum { GROUPS_MAX = 256 };

bool caller_in_group(fuse_req_t req, gid_t gid)
{
	const struct fuse_ctx *ctx = fuse_req_ctx(req);
	gid_t groups[GROUPS_MAX];
	int count;

	if (ctx->uid == 0 || ctx->gid == gid)
		return true;
	count = fuse_req_getgroups(req, GROUPS_MAX, groups);
	for (int i = 0; i < count && i < GROUPS_MAX; i++)
		if (groups[i] == gid)
			return true;
	return false;
}

bool caller_may_use_reserve(fuse_req_t req)
{
	const struct owner *owner = &front_of(req)->owner;
	const struct fuse_ctx *ctx = fuse_req_ctx(req);
	gid_t gid = owner_reserve_group(owner);

	return owner_may_use_reserve(owner, ctx->uid, ctx->gid) || (gid && caller_in_group(req, gid));
}

/* Effective capabilities of a process or thread, as proc(5) shows them. */
static bool read_capabilities(pid_t pid, uint64_t *ret_set)
{
	static const char field[] = "CapEff:";
	char path[40], line[256];

	snprintf(path, sizeof(path), "/proc/%ld/status", (long)pid);

	CLEANUP_FILE FILE *file = fopen(path, "re");

	while (file && fgets(line, sizeof(line), file)) {
		if (strncmp(line, field, strlen(field)) != 0)
			continue;
		*ret_set = strtoull(line + strlen(field), NULL, 16);
		return true;
	}
	return false;
}

/*
 * The kernel asks for the capability, in the first user namespace. Root of a container may be without it. Who
 * has it and is not root may have it in a namespace of his own making, which cannot be told from here.
 */
bool caller_sees_trusted(fuse_req_t req)
{
	const struct fuse_ctx *ctx = fuse_req_ctx(req);
	uint64_t set;

	if (ctx->uid != 0)
		return false;
	return !read_capabilities(ctx->pid, &set) || (set >> CAP_SYS_ADMIN & 1);
}
