/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Taking a mount away: umount2(2) as root, else fusermount3, which may do it for its user. */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "base/i18n.h"
#include "fuse/mountinfo.h"
#include "fuse/mountpoint.h"

static int unmount_as_root(const char *path, bool lazy, struct diag *diag)
{
	if (umount2(path, UMOUNT_NOFOLLOW | (lazy ? MNT_DETACH : 0)) == 0)
		return 0;
	if (errno == EBUSY)
		return -EBUSY;
	return diag_set(diag, -SDE_FUSE, "%s: %s", path, strerror(errno));
}

/* What is written into fd, without its last newline. */
static void read_message(int fd, char *buf, size_t size)
{
	size_t len = 0;

	while (len < size - 1) {
		ssize_t n = read(fd, buf + len, size - 1 - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	while (len > 0 && buf[len - 1] == '\n')
		len--;
	buf[len] = '\0';
}

/* Runs fusermount3 in the C locale, with nothing of ours but a pipe for what it says. */
static int run_fusermount(const char *path, bool lazy, char *message, size_t size)
{
	const char *argv[] = {"fusermount3", lazy ? "-uz" : "-u", "--", path, NULL};
	const char *envp[] = {"LC_ALL=C", "PATH=/usr/local/bin:/usr/bin:/bin", NULL};
	CLEANUP_FD int reader = -1;
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none;
	int fds[2], status, err;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	reader = fds[0];
	sigemptyset(&none);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, fds[1], STDERR_FILENO);
	/* exec changes none of these strings; only its type, older than const, does not say so */
	err = posix_spawnp(&pid, argv[0], &actions, &attr, (char **)(uintptr_t)argv,
		(char **)(uintptr_t)envp);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attr);
	close(fds[1]);
	if (err != 0)
		return -err;
	read_message(reader, message, size);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EIO;
}

static int unmount_as_user(const char *path, bool lazy, struct diag *diag)
{
	char message[256] = "";
	int err = run_fusermount(path, lazy, message, sizeof(message));

	if (err == 0)
		return 0;
	if (strstr(message, "busy"))
		return -EBUSY;
	if (message[0])
		return diag_set(diag, -SDE_FUSE, "%s", message);
	return diag_set(diag, -SDE_FUSE, "fusermount3: %s", strerror(-err));
}

int mountpoint_unmount(const char *path, bool lazy, struct diag *diag)
{
	if (geteuid() == 0)
		return unmount_as_root(path, lazy, diag);
	return unmount_as_user(path, lazy, diag);
}
