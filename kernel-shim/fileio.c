/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Two descriptors of one file: through the page cache, and past it.
 *
 * Past it costs no copy, no fresh pages and no second cache of what the kernel's FUSE has cached in
 * plain; several writers of one file do not wait for each other, an error is told at once, and a
 * flush finds nothing left to be written. Short writes are better collected by the page cache.
 *
 * 1. Aligned reads always go past the cache: what is read was never copied into the cache by us, so
 *    nothing there can have become stale. The kernel writes out what is dirty in their range first.
 * 2. Without readahead, pages of the cache hold what was transferred through it and nothing beside
 *    it. So a long write past the cache, which drops its range from it, meets no page that is kept
 *    for the sake of a neighbour. (The kernel would report that as a failed flush.)
 * 3. Only where this is known to hold: block devices, ext2 to ext4, XFS. A first EINVAL ends it.
 */
#include "kernel-shim/fileio.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#ifndef XFS_SUPER_MAGIC
#define XFS_SUPER_MAGIC 0x58465342
#endif

void fileio_init(struct fileio *io, int fd)
{
	*io = (struct fileio){.fd = fd, .direct_fd = -1};
}

static bool known_well(int fd)
{
	struct stat st;
	struct statfs fs;

	if (fstat(fd, &st) < 0 || fstatfs(fd, &fs) < 0)
		return false;
	return S_ISBLK(st.st_mode) || fs.f_type == EXT4_SUPER_MAGIC || fs.f_type == XFS_SUPER_MAGIC;
}

bool fileio_use_direct(struct fileio *io)
{
	int mode = fcntl(io->fd, F_GETFL) & O_ACCMODE;
	char again[64];

	if (!known_well(io->fd))
		return false;
	/* By its path it might be another file by now. */
	snprintf(again, sizeof(again), "/proc/self/fd/%d", io->fd);
	io->direct_fd = open(again, mode | O_DIRECT | O_CLOEXEC | O_NONBLOCK);
	if (io->direct_fd >= 0)
		posix_fadvise(io->fd, 0, 0, POSIX_FADV_RANDOM);
	return io->direct_fd >= 0;
}

void fileio_end(struct fileio *io)
{
	if (io->direct_fd >= 0)
		close(io->direct_fd);
	io->direct_fd = -1;
}

static bool goes_direct(struct fileio *io, const void *buf, size_t len, uint64_t off)
{
	return io->direct_fd >= 0 && ((uintptr_t)buf | len | off) % FILEIO_ALIGN == 0 &&
		!atomic_load_explicit(&io->direct_refused, memory_order_relaxed);
}

/* One system call's result: bytes moved, 0 to try again, -errno. */
static ssize_t outcome(struct fileio *io, ssize_t n, bool direct)
{
	if (n > 0)
		return n;
	if (n == 0)
		return -ENODATA;
	if (errno == EINTR)
		return 0;
	if (errno != EINVAL || !direct)
		return -errno;
	atomic_store(&io->direct_refused, true);
	return 0;
}

int fileio_read(struct fileio *io, void *buf, size_t len, uint64_t off)
{
	uint8_t *p = buf;

	while (len > 0) {
		bool direct = goes_direct(io, p, len, off);
		ssize_t n = outcome(io,
			pread(direct ? io->direct_fd : io->fd, p, len, (off_t)off), direct);

		if (n < 0)
			return (int)n;
		p += n;
		off += (size_t)n;
		len -= (size_t)n;
	}
	return 0;
}

int fileio_write(struct fileio *io, const void *buf, size_t len, uint64_t off)
{
	const uint8_t *p = buf;
	bool large = len >= FILEIO_LARGE;

	while (len > 0) {
		bool direct = large && goes_direct(io, p, len, off);
		ssize_t n = outcome(io,
			pwrite(direct ? io->direct_fd : io->fd, p, len, (off_t)off), direct);

		if (n < 0)
			return (int)n;
		p += n;
		off += (size_t)n;
		len -= (size_t)n;
	}
	return 0;
}
