/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What `sealdrive` and the program that serves a drive say to each other: a length (be32), then as
 * many bytes of JSON, one object. One request and one answer per connection. Private to fuse/.
 *
 *	{"request": "status"}		{"status": {...}}
 *	{"request": "unmount"}		{}			when the drive is closed
 *					{"error": N, "detail": "..."}
 *	{"request": "give-up"}		{}
 */
#ifndef FUSE_CONTROL_MSG_H
#define FUSE_CONTROL_MSG_H

#include "fuse/control.h"

enum control_request { CONTROL_STATUS, CONTROL_UNMOUNT, CONTROL_GIVE_UP };

int control_send_request(int fd, enum control_request request) MUST_CHECK;
/* -EBADMSG for anything that is not a request. */
int control_receive_request(int fd, enum control_request *ret_request) MUST_CHECK;

int control_send_status(int fd, const struct drive_status *status) MUST_CHECK;
/* err: 0 (done) or a failure, with diag (NULL allowed) */
int control_send_result(int fd, int err, const struct diag *diag) MUST_CHECK;
/* The failure that was sent, or that of the connection (-SDE_DAEMON when it ended early). ret_status
 * is NULL where none is expected. */
int control_receive_answer(int fd, struct drive_status *ret_status, struct diag *diag) MUST_CHECK;

#endif
