/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Preloaded into the program: as long as the file $DRIVE_GONE exists, reads, writes and flushes of
 * files fail as those of a drive whose cable was pulled.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

static int gone(void)
{
	const char *flag = getenv("DRIVE_GONE");

	if (!flag || access(flag, F_OK) < 0)
		return 0;
	errno = ENODEV;
	return 1;
}

#define NEXT(name) ((__typeof__(&(name)))(uintptr_t)dlsym(RTLD_NEXT, #name))

ssize_t pread64(int fd, void *buf, size_t len, off64_t off)
{
	return gone() ? -1 : NEXT(pread64)(fd, buf, len, off);
}

ssize_t pwrite64(int fd, const void *buf, size_t len, off64_t off)
{
	return gone() ? -1 : NEXT(pwrite64)(fd, buf, len, off);
}

ssize_t pread(int fd, void *buf, size_t len, off_t off)
{
	return gone() ? -1 : NEXT(pread)(fd, buf, len, off);
}

ssize_t pwrite(int fd, const void *buf, size_t len, off_t off)
{
	return gone() ? -1 : NEXT(pwrite)(fd, buf, len, off);
}

int fdatasync(int fd)
{
	return gone() ? -1 : NEXT(fdatasync)(fd);
}
