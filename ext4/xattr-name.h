/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names of extended attributes: with a namespace in front, and as they are stored. */
#ifndef EXT4_XATTR_NAME_H
#define EXT4_XATTR_NAME_H

#include "ext4/xattr-area.h"

/* *ret_name points into text. -EOPNOTSUPP: a namespace that is none, -EINVAL: nothing behind it,
 * -ERANGE: too long. */
int xattr_name_parse(const char *text, struct xattr_name *ret_name) MUST_CHECK;
/* The namespace, "." included, of an entry that may be listed; else NULL. */
const char *xattr_name_prefix(const struct xattr_name *name);
bool xattr_name_is_acl(const struct xattr_name *name);

#endif
