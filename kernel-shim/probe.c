/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kernel-shim/probe.h"

#include <blkid/blkid.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/cleanup.h"
#include "base/text.h"

static void cleanup_probe(blkid_probe *probe)
{
	blkid_free_probe(*probe);
}

int drive_set(char **field, const char *text)
{
	size_t len = strlen(text);
	char *clean;
	int r;

	while (len > 0 && isspace((unsigned char)text[len - 1]))
		len--;
	while (len > 0 && isspace((unsigned char)*text)) {
		text++;
		len--;
	}
	r = text_sanitize(text, len, &clean);
	if (r < 0)
		return r;
	free(*field);
	*field = clean;
	return 0;
}

static int set_from(blkid_probe probe, const char *name, char **field)
{
	const char *value;

	return blkid_probe_lookup_value(probe, name, &value, NULL) < 0 ? 0 : drive_set(field, value);
}

int probe_content(int fd, struct drive *drive)
{
	CLEANUP(cleanup_probe) blkid_probe probe = blkid_new_probe();
	int r;

	if (!probe)
		return -ENOMEM;
	errno = 0;
	if (blkid_probe_set_device(probe, fd, 0, 0) < 0)
		return errno ? -errno : -EIO;
	blkid_probe_enable_superblocks(probe, 1);
	blkid_probe_set_superblocks_flags(probe, BLKID_SUBLKS_TYPE | BLKID_SUBLKS_LABEL |
		BLKID_SUBLKS_UUID | BLKID_SUBLKS_VERSION);
	blkid_probe_enable_partitions(probe, 1);

	errno = 0;
	r = blkid_do_safeprobe(probe);
	if (r == -2) /* several signatures: certainly not nothing */
		return drive_set(&drive->content, "ambiguous");
	if (r < 0)
		return errno ? -errno : -EIO;
	if (r > 0)
		return 0;
	r = set_from(probe, "PTTYPE", &drive->content);
	if (r == 0)
		r = set_from(probe, "TYPE", &drive->content);
	if (r == 0)
		r = set_from(probe, "VERSION", &drive->content_version);
	if (r == 0)
		r = set_from(probe, "LABEL", &drive->label);
	return r < 0 ? r : set_from(probe, "UUID", &drive->uuid);
}

/* udev writes odd characters as \x20; in place. */
static void udev_decode(char *text)
{
	char *out = text;
	unsigned byte;

	while (*text) {
		if (sscanf(text, "\\x%2x", &byte) == 1 && isxdigit((unsigned char)text[2]) &&
			isxdigit((unsigned char)text[3])) {
			*out++ = (char)byte;
			text += 4;
		} else {
			*out++ = *text++;
		}
	}
	*out = '\0';
}

int probe_udev(dev_t rdev, struct drive *drive)
{
	const struct {
		const char *key;
		char **field;
	} keys[] = {
		{"E:ID_PART_TABLE_TYPE=", &drive->content},
		{"E:ID_FS_TYPE=", &drive->content},
		{"E:ID_FS_VERSION=", &drive->content_version},
		{"E:ID_FS_LABEL_ENC=", &drive->label},
		{"E:ID_FS_UUID_ENC=", &drive->uuid},
	};
	CLEANUP_FILE FILE *f = NULL;
	CLEANUP_FREE char *line = NULL;
	size_t room = 0;
	char path[64];

	snprintf(path, sizeof(path), "/run/udev/data/b%u:%u", major(rdev), minor(rdev));
	f = fopen(path, "re");
	if (!f)
		return 0;
	while (getline(&line, &room, f) > 0)
		for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
			size_t key_len = strlen(keys[i].key);
			int r;

			if (strncmp(line, keys[i].key, key_len) != 0)
				continue;
			udev_decode(line + key_len);
			r = drive_set(keys[i].field, line + key_len);
			if (r < 0)
				return r;
		}
	return 0;
}
