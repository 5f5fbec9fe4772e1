/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Preloaded into the program: as long as the file $DRIVE_GONE exists, reads, writes and flushes of
 * files fail as those of a drive whose cable was pulled.
 *
 * The file $DRIVE_BAD holds a range (offset, length) of the drive that does not take what is written: the
 * write succeeds, as it only goes to the kernel's cache, and the flush fails, once.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
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

static _Atomic int bad_written;

static void note_bad(size_t len, uint64_t off)
{
	const char *name = getenv("DRIVE_BAD");
	unsigned long long bad_off = 0, bad_len = 0;
	FILE *f = name ? fopen(name, "re") : NULL;

	if (!f)
		return;
	if (fscanf(f, "%llu %llu", &bad_off, &bad_len) == 2 && off < bad_off + bad_len && bad_off < off + len)
		bad_written = 1;
	fclose(f);
}

static int flush_fails(void)
{
	if (!bad_written)
		return 0;
	bad_written = 0;
	errno = EIO;
	return 1;
}

ssize_t pread64(int fd, void *buf, size_t len, off64_t off)
{
	return gone() ? -1 : NEXT(pread64)(fd, buf, len, off);
}

ssize_t pwrite64(int fd, const void *buf, size_t len, off64_t off)
{
	note_bad(len, (uint64_t)off);
	return gone() ? -1 : NEXT(pwrite64)(fd, buf, len, off);
}

ssize_t pread(int fd, void *buf, size_t len, off_t off)
{
	return gone() ? -1 : NEXT(pread)(fd, buf, len, off);
}

ssize_t pwrite(int fd, const void *buf, size_t len, off_t off)
{
	note_bad(len, (uint64_t)off);
	return gone() ? -1 : NEXT(pwrite)(fd, buf, len, off);
}

int fdatasync(int fd)
{
	return gone() || flush_fails() ? -1 : NEXT(fdatasync)(fd);
}
