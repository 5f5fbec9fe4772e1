/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Requests that libfuse 3.14 does not know. Private to fuse/. */
#ifndef FUSE_RAWOPS_H
#define FUSE_RAWOPS_H

#include "fuse/front-state.h"

/* Between fuse_session_mount() and serving: from here on such requests are answered. */
/* The bytes of the WRITE request that this thread has in work and to which libfuse gave buf; they may
 * be changed. */
char *rawops_write_data(const char *buf);
int rawops_install(struct fuse_session *session) MUST_CHECK;

#endif
