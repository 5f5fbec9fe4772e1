/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Answers to the kernel. Every request gets exactly one. Private to fuse/. */
#ifndef FUSE_REPLY_H
#define FUSE_REPLY_H

#include "fuse/front-state.h"

/* We are the drive's only owner: what the kernel knows stays true until the kernel changes it. */
enum { REPLY_CACHE_SECONDS = 86400 };

/* err: 0, or a failure of this project (negative). The one place where failures become errnos. */
int reply_errno(int err);
void reply_err(fuse_req_t req, int err);

/* Attributes as they are shown. */
void reply_attr(fuse_req_t req, struct e4_inode *inode);
/* The inode's entry, which makes it known to the kernel. */
void reply_entry(fuse_req_t req, struct e4_inode *inode);
/* "No such name", which the kernel may remember. */
void reply_negative(fuse_req_t req);

/* Fills *e and counts the lookup; entry_forget() takes it back when the kernel did not get it. */
int entry_fill(struct front *front, struct e4_inode *inode, struct fuse_entry_param *e) MUST_CHECK;
void entry_forget(struct front *front, uint32_t ino);

#endif
