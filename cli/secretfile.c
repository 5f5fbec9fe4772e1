/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/secretfile.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli/cli.h"

int secretfile_open(const char *path, int *ret_fd, struct stat *ret_stat, struct diag *diag)
{
	CLEANUP_FD int fd = -1;

	fd = strcmp(path, "-") == 0 ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
				    : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0 || fstat(fd, ret_stat) < 0)
		return diag_set(diag, -SDE_SECRET_FILE, "%s: %s", path, strerror(errno));
	if (S_ISDIR(ret_stat->st_mode))
		return diag_set(diag, -SDE_SECRET_FILE, "%s: %s", path, strerror(EISDIR));
	if (S_ISREG(ret_stat->st_mode) && (ret_stat->st_mode & (S_IRGRP | S_IROTH)))
		cli_warn(path, _("other users may read this file; 'chmod 600' keeps them out"));
	*ret_fd = take_fd(&fd);
	return 0;
}

int secretfile_read(int fd, uint8_t *buf, size_t cap, bool line, size_t *ret_len)
{
	size_t len = 0;

	while (len < cap) {
		ssize_t n = read(fd, buf + len, line ? 1 : cap - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		if (line && buf[len] == '\n')
			break;
		len += n;
	}
	*ret_len = len;
	return 0;
}
