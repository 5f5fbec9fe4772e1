/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * POSIX ACLs in memory, in the form that ext4 stores and in the one that programs and the kernel
 * exchange (getxattr(2) of "system.posix_acl_access"). Both forms: a version, then entries; stored
 * ones leave out the id where it means nothing. Nothing here knows inodes.
 */
#ifndef EXT4_ACL_H
#define EXT4_ACL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/error.h"

enum {
	ACL_ENTRIES_MAX = 512, /* more do not fit into a block */
	ACL_BYTES_MAX = 4 + 8 * ACL_ENTRIES_MAX,
};

struct acl_entry {
	uint16_t tag, perm;
	uint32_t id; /* of a named user or group */
};

struct acl {
	unsigned count; /* 0: no ACL */
	struct acl_entry entry[ACL_ENTRIES_MAX];
};

/* -EINVAL: malformed; -EOPNOTSUPP: another version; -ENOSPC: too long. */
int acl_from_xattr(const void *value, size_t len, struct acl *ret_acl) MUST_CHECK;
/* Bytes written into buf, which has ACL_BYTES_MAX. */
size_t acl_to_xattr(const struct acl *acl, void *buf);
/* -EINVAL: malformed. */
int acl_from_disk(const void *value, size_t len, struct acl *ret_acl) MUST_CHECK;
size_t acl_to_disk(const struct acl *acl, void *buf);

/* Whether the entries are complete and in order. */
bool acl_valid(const struct acl *acl);
/* Puts the permissions into *mode; whether that says as much as the ACL. */
bool acl_to_mode(const struct acl *acl, uint32_t *mode);
/* After a chmod: owner, others and mask (or group) as in mode. */
void acl_chmod(struct acl *acl, uint32_t mode);
/* A default ACL becomes the access ACL of something new that asks for *mode: both lose what the other
 * does not allow. Whether *mode says as much as the ACL then. */
bool acl_create(struct acl *acl, uint32_t *mode);

#endif
