/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rules: acl(5) and POSIX 1003.1e draft 17, section 23. */
#include "ext4/acl.h"

#include <errno.h>

#include "base/bytes.h"

enum acl_tag {
	ACL_USER_OBJ = 0x01,
	ACL_USER = 0x02,
	ACL_GROUP_OBJ = 0x04,
	ACL_GROUP = 0x08,
	ACL_MASK = 0x10,
	ACL_OTHER = 0x20,
};

enum {
	XATTR_VERSION = 2,
	DISK_VERSION = 1,
	VERSION_BYTES = 4,
	SHORT_BYTES = 4, /* tag, permissions */
	FULL_BYTES = 8,	 /* and an id */
	NO_ID = -1,
	PERM_ALL = 7,
};

static bool is_named(uint16_t tag)
{
	return tag == ACL_USER || tag == ACL_GROUP;
}

static bool tag_known(uint16_t tag)
{
	return is_named(tag) || tag == ACL_USER_OBJ || tag == ACL_GROUP_OBJ || tag == ACL_MASK ||
		tag == ACL_OTHER;
}

static uint32_t version_get(const uint8_t *value)
{
	le32 version;

	memcpy(&version, value, sizeof(version));
	return le32_get(version);
}

/* Tag and permissions, and an id if there is one. */
static bool entry_get(const uint8_t *at, bool with_id, struct acl_entry *ret_entry)
{
	le16 tag, perm;
	le32 id = le32_make((uint32_t)NO_ID);

	memcpy(&tag, at, sizeof(tag));
	memcpy(&perm, at + 2, sizeof(perm));
	if (with_id)
		memcpy(&id, at + SHORT_BYTES, sizeof(id));
	*ret_entry = (struct acl_entry){le16_get(tag), le16_get(perm), le32_get(id)};
	if (is_named(ret_entry->tag))
		return ret_entry->id != (uint32_t)NO_ID;
	ret_entry->id = (uint32_t)NO_ID;
	return tag_known(ret_entry->tag);
}

static size_t entry_put(uint8_t *at, bool with_id, const struct acl_entry *entry)
{
	le16 tag = le16_make(entry->tag), perm = le16_make(entry->perm);
	le32 id = le32_make(entry->id);

	memcpy(at, &tag, sizeof(tag));
	memcpy(at + 2, &perm, sizeof(perm));
	if (!with_id)
		return SHORT_BYTES;
	memcpy(at + SHORT_BYTES, &id, sizeof(id));
	return FULL_BYTES;
}

int acl_from_xattr(const void *value, size_t len, struct acl *ret_acl)
{
	const uint8_t *at = value;
	size_t count;

	if (len < VERSION_BYTES)
		return -EINVAL;
	if (version_get(at) != XATTR_VERSION)
		return -EOPNOTSUPP;
	if ((len - VERSION_BYTES) % FULL_BYTES)
		return -EINVAL;
	count = (len - VERSION_BYTES) / FULL_BYTES;
	if (count > ACL_ENTRIES_MAX)
		return -ENOSPC;
	ret_acl->count = (unsigned)count;
	for (size_t i = 0; i < count; i++)
		if (!entry_get(at + VERSION_BYTES + i * FULL_BYTES, true, &ret_acl->entry[i]))
			return -EINVAL;
	return 0;
}

static size_t put(const struct acl *acl, uint8_t *buf, uint32_t version, bool all_ids)
{
	le32 first = le32_make(version);
	size_t len = VERSION_BYTES;

	memcpy(buf, &first, sizeof(first));
	for (unsigned i = 0; i < acl->count; i++)
		len += entry_put(buf + len, all_ids || is_named(acl->entry[i].tag), &acl->entry[i]);
	return len;
}

size_t acl_to_xattr(const struct acl *acl, void *buf)
{
	return put(acl, buf, XATTR_VERSION, true);
}

size_t acl_to_disk(const struct acl *acl, void *buf)
{
	return put(acl, buf, DISK_VERSION, false);
}

int acl_from_disk(const void *value, size_t len, struct acl *ret_acl)
{
	const uint8_t *bytes = value;
	size_t at = VERSION_BYTES;

	if (len < VERSION_BYTES || version_get(bytes) != DISK_VERSION)
		return -EINVAL;
	for (ret_acl->count = 0; at < len; ret_acl->count++) {
		bool named;

		if (ret_acl->count == ACL_ENTRIES_MAX || len - at < SHORT_BYTES)
			return -EINVAL;
		named = bytes[at + 1] == 0 && is_named(bytes[at]);
		if (named && len - at < FULL_BYTES)
			return -EINVAL;
		if (!entry_get(bytes + at, named, &ret_acl->entry[ret_acl->count]))
			return -EINVAL;
		at += named ? FULL_BYTES : SHORT_BYTES;
	}
	return 0;
}

/* What may come after a tag: owner, named users, group, named groups, mask, others. The mask is
 * needed as soon as anybody is named. */
static bool may_follow(uint16_t last, uint16_t tag, bool named)
{
	switch (tag) {
	case ACL_USER_OBJ:
		return last == 0;
	case ACL_USER:
		return last == ACL_USER_OBJ || last == ACL_USER;
	case ACL_GROUP_OBJ:
		return last == ACL_USER_OBJ || last == ACL_USER;
	case ACL_GROUP:
		return last == ACL_GROUP_OBJ || last == ACL_GROUP;
	case ACL_MASK:
		return last == ACL_GROUP_OBJ || last == ACL_GROUP;
	case ACL_OTHER:
		return last == ACL_MASK || (last == ACL_GROUP_OBJ && !named);
	default:
		return false;
	}
}

bool acl_valid(const struct acl *acl)
{
	uint16_t last = 0;
	bool named = false;

	for (unsigned i = 0; i < acl->count; i++) {
		const struct acl_entry *entry = &acl->entry[i];

		if (entry->perm & ~PERM_ALL || !may_follow(last, entry->tag, named))
			return false;
		named |= is_named(entry->tag);
		last = entry->tag;
	}
	return last == ACL_OTHER;
}

static struct acl_entry *find(struct acl *acl, uint16_t tag)
{
	for (unsigned i = 0; i < acl->count; i++)
		if (acl->entry[i].tag == tag)
			return &acl->entry[i];
	return NULL;
}

/* The entry that the mode's group bits stand for. */
static struct acl_entry *group_class(struct acl *acl)
{
	struct acl_entry *mask = find(acl, ACL_MASK);

	return mask ? mask : find(acl, ACL_GROUP_OBJ);
}

static unsigned mode_shift(uint16_t tag)
{
	return tag == ACL_USER_OBJ ? 6 : tag == ACL_OTHER ? 0 : 3;
}

bool acl_to_mode(const struct acl *acl, uint32_t *mode)
{
	uint32_t group = 0, mask = 0, rest = 0;
	bool masked = false, same = true;

	for (unsigned i = 0; i < acl->count; i++) {
		const struct acl_entry *entry = &acl->entry[i];

		if (entry->tag == ACL_GROUP_OBJ) {
			group = entry->perm;
		} else if (entry->tag == ACL_MASK) {
			masked = true;
			mask = entry->perm;
		} else if (is_named(entry->tag)) {
			same = false;
		} else {
			rest |= (uint32_t)entry->perm << mode_shift(entry->tag);
		}
	}
	*mode = (*mode & ~0777u) | rest | (masked ? mask : group) << 3;
	return same && !masked;
}

void acl_chmod(struct acl *acl, uint32_t mode)
{
	struct acl_entry *entries[] = {
		find(acl, ACL_USER_OBJ), group_class(acl), find(acl, ACL_OTHER)};

	for (size_t i = 0; i < ARRAY_SIZE(entries); i++)
		if (entries[i])
			entries[i]->perm = mode >> mode_shift(entries[i]->tag) & PERM_ALL;
}

bool acl_create(struct acl *acl, uint32_t *mode)
{
	struct acl_entry *entries[] = {
		find(acl, ACL_USER_OBJ), group_class(acl), find(acl, ACL_OTHER)};

	for (size_t i = 0; i < ARRAY_SIZE(entries); i++)
		if (entries[i])
			entries[i]->perm &= *mode >> mode_shift(entries[i]->tag) & PERM_ALL;
	return acl_to_mode(acl, mode);
}
