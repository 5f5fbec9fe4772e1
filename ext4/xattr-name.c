/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ext4/xattr-name.h"

#include <errno.h>

enum { NAME_MAX_BYTES = 255 };

static const struct {
	uint8_t index;
	bool whole; /* there is nothing behind it */
	const char *text;
} prefixes[] = {
	{XATTR_INDEX_USER, false, "user."},
	{XATTR_INDEX_TRUSTED, false, "trusted."},
	{XATTR_INDEX_SECURITY, false, "security."},
	{XATTR_INDEX_HURD, false, "gnu."},
	{XATTR_INDEX_ACL_ACCESS, true, "system.posix_acl_access"},
	{XATTR_INDEX_ACL_DEFAULT, true, "system.posix_acl_default"},
};

int xattr_name_parse(const char *text, struct xattr_name *ret_name)
{
	if (strlen(text) > NAME_MAX_BYTES)
		return -ERANGE;
	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++) {
		size_t len = strlen(prefixes[i].text);
		const char *rest = text + len;

		if (strncmp(text, prefixes[i].text, len) != 0 || (prefixes[i].whole && *rest))
			continue;
		if (!prefixes[i].whole && !*rest)
			return -EINVAL;
		*ret_name = (struct xattr_name){prefixes[i].index, (uint8_t)strlen(rest), rest};
		return 0;
	}
	return -EOPNOTSUPP;
}

const char *xattr_name_prefix(const struct xattr_name *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
		if (prefixes[i].index == name->index && prefixes[i].whole == (name->len == 0))
			return prefixes[i].text;
	return NULL;
}

bool xattr_name_is_acl(const struct xattr_name *name)
{
	return name->index == XATTR_INDEX_ACL_ACCESS || name->index == XATTR_INDEX_ACL_DEFAULT;
}
