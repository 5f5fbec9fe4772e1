/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuse/caller.h"

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
