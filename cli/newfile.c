/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/newfile.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/i18n.h"

static int fail(const struct newfile *file, int err, struct diag *diag)
{
	return diag_set(diag, err, _("the file '%s' cannot be written"), file->path);
}

int newfile_open(const char *path, struct newfile *ret_file, struct diag *diag)
{
	struct newfile file = {.path = strdup(path)};

	if (!file.path)
		return -ENOMEM;
	file.fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0600);
	if (file.fd < 0) {
		int r = fail(&file, -errno, diag);

		free(file.path);
		return r;
	}
	*ret_file = file;
	return 0;
}

int newfile_write(struct newfile *file, const void *data, size_t len, struct diag *diag)
{
	const char *at = data;

	while (len > 0) {
		ssize_t n = write(file->fd, at, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail(file, -errno, diag);
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

/* The name itself survives a power failure, where the file system can do that: some cannot, and the folder may be one
 * that nobody can list. */
static int sync_folder(const char *path)
{
	const char *slash = strrchr(path, '/');
	CLEANUP_FREE char *folder = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
	CLEANUP_FD int fd = folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

	return fd >= 0 && fsync(fd) < 0 && errno == EIO ? -EIO : 0;
}

static void release(struct newfile *file)
{
	free(file->path);
	*file = (struct newfile)NEWFILE_NONE;
}

int newfile_sync(struct newfile *file, struct diag *diag)
{
	int r = fsync(file->fd) < 0 ? -errno : sync_folder(file->path);

	return r < 0 ? fail(file, r, diag) : 0;
}

void newfile_keep(struct newfile *file)
{
	if (file->fd >= 0)
		close(file->fd);
	release(file);
}

int newfile_finish(struct newfile *file, struct diag *diag)
{
	int r = newfile_sync(file, diag);

	if (r < 0)
		return r;
	r = close(file->fd) < 0 ? -errno : 0;
	file->fd = -1;
	if (r < 0)
		return fail(file, r, diag);
	release(file);
	return 0;
}

void newfile_discard(struct newfile *file)
{
	struct stat ours, now;

	if (!file->path)
		return;
	/* it may have been replaced meanwhile: only our own is removed */
	if (fstat(file->fd, &ours) == 0 && lstat(file->path, &now) == 0 &&
		ours.st_dev == now.st_dev && ours.st_ino == now.st_ino)
		unlink(file->path);
	close(file->fd);
	release(file);
}
