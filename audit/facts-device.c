/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "audit/facts-device.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "audit/strict.h"
#include "base/bytes.h"
#include "base/i18n.h"
#include "kernel-shim/discover.h"
#include "kernel-shim/filedev.h"
#include "kernel-shim/signature.h"
#include "keymgr/randomness.h"

enum { SAMPLES = 64, SAMPLE_BYTES = RANDOMNESS_BYTES, TAIL_BYTES_MAX = 1024 * 1024 };

static int sample(struct blkdev *dev, struct facts *facts)
{
	const struct luks2_segment *segment = facts->hdr ? luks2_data_segment(facts->hdr) : NULL;
	uint8_t block[SAMPLE_BYTES];
	uint64_t end, blocks;

	if (!segment || segment->offset >= dev->size_bytes)
		return 0;
	end = segment->size && range_inside(segment->offset, segment->size, dev->size_bytes)
		      ? segment->offset + segment->size
		      : dev->size_bytes;
	blocks = (end - segment->offset) / SAMPLE_BYTES;
	for (uint64_t i = 0; i < SAMPLES && i < blocks; i++) {
		/* spread evenly, always in the same places */
		uint64_t at = blocks <= SAMPLES ? i : blocks / SAMPLES * i;

		if (blkdev_read(dev, block, sizeof(block), segment->offset + at * SAMPLE_BYTES) < 0)
			continue;
		facts->device.samples++;
		facts->device.plain_samples += !randomness_likely(block);
	}
	return 0;
}

static int add_beside(struct facts *facts, const char *what)
{
	char *longer;

	if (asprintf(&longer, "%s%s%s", facts->device.beside, facts->device.beside[0] ? ", " : "", what) < 0)
		return -ENOMEM;
	free(facts->device.beside);
	facts->device.beside = longer;
	return 0;
}

static int add_partition(struct facts *facts, const char *name)
{
	CLEANUP_FREE char *path = NULL;
	CLEANUP_FREE char *what = NULL;
	struct drive drive = {0};
	int r;

	if (asprintf(&path, "/dev/%s", name) < 0)
		return -ENOMEM;
	if (discover_target(path, &drive) < 0)
		return 0;
	r = drive.content[0] && strcmp(drive.content, "crypto_LUKS") != 0 &&
			    asprintf(&what, "%s: %s", name, drive.content) < 0
		    ? -ENOMEM
		    : 0;
	drive_clear(&drive);
	return what ? add_beside(facts, what) : r;
}

/* Other partitions of the drive that the target is a partition of. */
static int look_at_partitions(struct facts *facts, const struct stat *st)
{
	char link[64], real[PATH_MAX], path[PATH_MAX + 300];
	struct dirent **entries;
	char *own;
	int count, r = 0;

	snprintf(link, sizeof(link), "/sys/dev/block/%u:%u", major(st->st_rdev), minor(st->st_rdev));
	if (!realpath(link, real))
		return 0;
	snprintf(path, sizeof(path), "%s/partition", real);
	if (access(path, F_OK) < 0)
		return 0;
	own = strrchr(real, '/');
	*own++ = '\0';
	count = scandir(real, &entries, NULL, alphasort);
	for (int i = 0; i < count; i++) {
		snprintf(path, sizeof(path), "%s/%s/partition", real, entries[i]->d_name);
		if (r == 0 && strcmp(entries[i]->d_name, own) != 0 && access(path, F_OK) == 0)
			r = add_partition(facts, entries[i]->d_name);
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
	return r;
}

static int look_beside(struct blkdev *dev, struct facts *facts)
{
	const struct luks2_segment *segment = facts->hdr ? luks2_data_segment(facts->hdr) : NULL;
	char type[SIGNATURE_TYPE_BYTES];
	struct stat st;
	bool found;
	int r = signature_find(dev, &found, type);

	if (r < 0)
		return r == -ENOMEM ? r : 0;
	facts->device.beside_known = true;
	if (found)
		r = add_beside(facts, type);
	/* partitions often end on an odd place; what is larger than that is room for something */
	if (r == 0 && segment && segment->size && range_inside(segment->offset, segment->size, dev->size_bytes) &&
		dev->size_bytes - segment->offset - segment->size > TAIL_BYTES_MAX)
		r = add_beside(facts, _("room behind the encrypted part"));
	filedev_stat(dev, &st);
	return r == 0 && S_ISBLK(st.st_mode) ? look_at_partitions(facts, &st) : r;
}

static int rotational(const struct stat *st)
{
	CLEANUP_FREE char *text = NULL;
	char path[96];
	size_t len;

	/* a partition has no queue of its own */
	for (int up = 0; up < 2; up++) {
		snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/%squeue/rotational", major(st->st_rdev),
			minor(st->st_rdev), up ? "../" : "");
		if (strict_read_file(path, 8192, &text, &len) == 0)
			return text[0] == '1' ? 1 : text[0] == '0' ? 0 : -1;
	}
	return -1;
}

static int look_at_device(struct blkdev *dev, const char *target, struct facts *facts)
{
	struct drive drive = {0};
	struct stat st;

	filedev_stat(dev, &st);
	if (!S_ISBLK(st.st_mode) || discover_target(target, &drive) < 0)
		return 0;
	facts->device.rotational = rotational(&st);
	facts->device.vendor = strdup(drive.vendor);
	facts->device.model = strdup(drive.model);
	facts->device.serial = strdup(drive.serial);
	drive_clear(&drive);
	return facts->device.vendor && facts->device.model && facts->device.serial ? 0 : -ENOMEM;
}

int facts_collect_device(struct blkdev *dev, const char *target, struct facts *facts)
{
	int r;

	facts->device.known = true;
	facts->device.beside = strdup("");
	if (!facts->device.beside)
		return -ENOMEM;
	r = look_at_device(dev, target, facts);
	if (r == 0)
		r = look_beside(dev, facts);
	return r == 0 ? sample(dev, facts) : r;
}
