/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Set-id bits and capabilities of a file that somebody changes. Private to fuse/.
 *
 * Without FUSE_HANDLE_KILLPRIV_V2 the kernel would do this alone, but ask for the attribute
 * "security.capability" before each write(2) into its cache. With it, it asks once for each file and
 * takes capabilities away itself when it has found some; set-id bits are ours, and it passes on to
 * us at once what is written to a file that has them. libfuse 3.14 does not know the flag: rawops.c
 * puts it into the answer to INIT.
 */
#ifndef FUSE_KILLPRIV_H
#define FUSE_KILLPRIV_H

#include "fuse/front-state.h"

/* What e4_setattr() is to take off (E4_SET_KILL_*) when the caller of req changes the content of
 * inode (owner false), or its owner or group. */
unsigned killpriv_mask(fuse_req_t req, struct e4_inode *inode, bool owner);
/* Before the caller of req writes to the inode past the cache, or allocates. */
int killpriv_write(fuse_req_t req, fuse_ino_t node, struct e4_inode *inode) MUST_CHECK;

#endif
