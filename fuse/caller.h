/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the program behind a request may do. FUSE brings its user, its first group and its process: the rest
 * is in /proc. Private to fuse/.
 */
#ifndef FUSE_CALLER_H
#define FUSE_CALLER_H

#include "fuse/front-state.h"

/* Whether the caller of req belongs to a group, or may do what its members may. */
bool caller_in_group(fuse_req_t req, gid_t gid);
/* Whether it may use root's reserved blocks. */
bool caller_may_use_reserve(fuse_req_t req);
/* Whether names in "trusted." are for it: root with CAP_SYS_ADMIN. */
bool caller_sees_trusted(fuse_req_t req);

#endif
