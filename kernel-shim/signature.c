/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libblkid wants a file descriptor, which a stacked device does not have: what it looks at, the
 * start and the end of the device, is copied to a sparse file in memory.
 */
#include "kernel-shim/signature.h"

#include <blkid/blkid.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/bytes.h"

enum { END_BYTES = 1024 * 1024 };

static void cleanup_probe(blkid_probe *probe)
{
	blkid_free_probe(*probe);
}

static int copy_range(struct blkdev *dev, int fd, uint8_t *buf, uint64_t start, uint64_t end)
{
	size_t len = end - start;
	int r = len ? blkdev_read(dev, buf, len, start) : 0;

	if (r)
		return r;
	for (size_t done = 0; done < len;) {
		ssize_t n = pwrite(fd, buf + done, len - done, (off_t)(start + done));

		if (n < 0)
			return -errno;
		done += (size_t)n;
	}
	return 0;
}

static int ends_copy(struct blkdev *dev, int *ret_fd)
{
	CLEANUP_FREE uint8_t *buf = malloc(END_BYTES);
	CLEANUP_FD int fd = memfd_create("signature", MFD_CLOEXEC);
	uint64_t head = min_u64(dev->size_bytes, END_BYTES);
	uint64_t tail = max_u64(head, dev->size_bytes - head);

	if (!buf)
		return -ENOMEM;
	if (fd < 0 || ftruncate(fd, (off_t)dev->size_bytes) < 0)
		return -errno;
	int r = copy_range(dev, fd, buf, 0, head);

	if (!r)
		r = copy_range(dev, fd, buf, tail, dev->size_bytes);
	if (!r)
		*ret_fd = take_fd(&fd);
	return r;
}

static int probe_other(blkid_probe probe, int fd, bool *ret_found, char type[SIGNATURE_TYPE_BYTES])
{
	char luks[] = "crypto_LUKS", *ignored[] = {luks, NULL};
	const char *name = "ambiguous";

	errno = 0;
	if (blkid_probe_set_device(probe, fd, 0, 0) < 0)
		return errno ? -errno : -EIO;
	blkid_probe_enable_superblocks(probe, 1);
	blkid_probe_set_superblocks_flags(probe, BLKID_SUBLKS_TYPE);
	blkid_probe_filter_superblocks_type(probe, BLKID_FLTR_NOTIN, ignored);
	blkid_probe_enable_partitions(probe, 1);
	int r = blkid_do_safeprobe(probe);

	if (r == -1)
		return errno ? -errno : -EIO;
	if (r == 0 && blkid_probe_lookup_value(probe, "TYPE", &name, NULL) < 0)
		(void)blkid_probe_lookup_value(probe, "PTTYPE", &name, NULL);
	*ret_found = r != 1;
	if (*ret_found)
		snprintf(type, SIGNATURE_TYPE_BYTES, "%s", name);
	return 0;
}

int signature_find(struct blkdev *dev, bool *ret_found, char type[SIGNATURE_TYPE_BYTES])
{
	CLEANUP(cleanup_probe) blkid_probe probe = blkid_new_probe();
	CLEANUP_FD int fd = -1;
	int r = probe ? ends_copy(dev, &fd) : -ENOMEM;

	return r ? r : probe_other(probe, fd, ret_found, type);
}
