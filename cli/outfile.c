/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/outfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/i18n.h"

int outfile_check(const char *path, bool replace, struct diag *diag)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : diag_set(diag, -errno, "%s", path);
	if (!replace)
		return diag_set(diag, -EEXIST, _("%s; --force replaces it"), path);
	/* somebody's /dev/null, say */
	return S_ISREG(st.st_mode) ? 0 : diag_set(diag, -EEXIST, _("%s is not a regular file"), path);
}

int outfile_check_input(const char *path, const char *input, struct diag *diag)
{
	struct stat to, from;

	if (stat(path, &to) < 0 || stat(input, &from) < 0 || to.st_dev != from.st_dev || to.st_ino != from.st_ino)
		return 0;
	return diag_set(diag, -EEXIST, _("%s is what the command is to read"), path);
}

/* Of its own name: what somebody else has put there is neither followed nor overwritten. */
static int open_beside(const char *path, char **ret_temp, FILE **ret_file)
{
	CLEANUP_FREE char *temp = NULL;
	CLEANUP_FD int fd = -1;
	mode_t mask = umask(077);

	umask(mask);
	if (asprintf(&temp, "%s.XXXXXX", path) < 0) {
		temp = NULL;
		return -ENOMEM;
	}
	fd = mkostemp(temp, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	*ret_file = fchmod(fd, 0666 & ~mask) == 0 ? fdopen(fd, "w") : NULL;
	if (!*ret_file) {
		int err = -errno;

		unlink(temp);
		return err;
	}
	(void)take_fd(&fd);
	*ret_temp = take_ptr(temp);
	return 0;
}

static int take_name(const char *temp, const char *path, bool replace)
{
	struct stat st;

	if (replace)
		return rename(temp, path) < 0 ? -errno : 0;
	if (renameat2(AT_FDCWD, temp, AT_FDCWD, path, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL)
		return -errno;
	/* a file system that cannot do this in one step */
	if (lstat(path, &st) == 0)
		return -EEXIST;
	return rename(temp, path) < 0 ? -errno : 0;
}

int outfile_write(const char *path, bool replace, outfile_fn *write, void *ctx, struct diag *diag)
{
	CLEANUP_FREE char *temp = NULL;
	FILE *out;
	int r = outfile_check(path, replace, diag);

	if (r == 0)
		r = open_beside(path, &temp, &out);
	if (r < 0)
		return diag_set(diag, r, "%s", path);
	errno = 0;
	r = write(ctx, out);
	if ((fflush(out) != 0 || fsync(fileno(out)) < 0 || ferror(out)) && r == 0)
		r = errno ? -errno : -EIO;
	if (fclose(out) != 0 && r == 0)
		r = -errno;
	if (r == 0)
		r = take_name(temp, path, replace);
	if (r < 0)
		unlink(temp);
	return r < 0 ? diag_set(diag, r, "%s", path) : 0;
}
