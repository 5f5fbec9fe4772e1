/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Parent and child share a pipe that nobody else has: a byte in it means success. The fork comes
 * before the first thread, secret and lock, so the child starts with nothing it should not have.
 */
#include "cli/background.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/cli.h"

enum { INHERITED_MAX = 1024 };

static int ready_fd = -1;
static int inherited[INHERITED_MAX]; /* descriptors of whoever started us */
static int inherited_count;

/* They may be needed yet (--passphrase-file /dev/fd/5), but a daemon must not keep them: somebody
 * may wait for the other end of a pipe. */
static void note_inherited(void)
{
	for (int fd = STDERR_FILENO + 1; fd < INHERITED_MAX; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			inherited[inherited_count++] = fd;
}

static int wait_for_child(pid_t child, int fd)
{
	int status;
	char byte;
	ssize_t n;

	do {
		n = read(fd, &byte, 1);
	} while (n < 0 && errno == EINTR);
	if (n == 1)
		return EXIT_DONE;
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return EXIT_FAILED;
	if (WIFEXITED(status) && WEXITSTATUS(status) != EXIT_DONE)
		return WEXITSTATUS(status);
	if (WIFSIGNALED(status)) { /* end as it did: Ctrl-C must stop a script that calls us */
		signal(WTERMSIG(status), SIG_DFL);
		raise(WTERMSIG(status));
	}
	return EXIT_FAILED;
}

/* The terminal's signals reach the child too; it puts the terminal in order before it ends. */
static int parent_run(pid_t child, int fd)
{
	signal(SIGINT, SIG_IGN);
	signal(SIGQUIT, SIG_IGN);
	return wait_for_child(child, fd);
}

bool background_start(int *ret_status)
{
	pid_t parent = getpid(), child;
	int fds[2];

	note_inherited();
	fflush(stdout);
	if (pipe2(fds, O_CLOEXEC) < 0 || (child = fork()) < 0) {
		*ret_status = cli_fail(NULL, -errno, NULL);
		return false;
	}
	if (child > 0) {
		close(fds[1]);
		*ret_status = parent_run(child, fds[0]);
		return false;
	}
	close(fds[0]);
	ready_fd = fds[1];
	/* nobody would see a drive that is mounted after its command was killed */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(EXIT_FAILED);
	return true;
}

void background_detach(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	prctl(PR_SET_PDEATHSIG, 0);
	setsid();
	if (chdir("/") < 0)
		return; /* cannot happen; the daemon would keep its folder in use */
	fflush(stdout);
	for (int i = 0; i < inherited_count; i++)
		close(inherited[i]);
	for (int fd = STDIN_FILENO; null >= 0 && fd <= STDERR_FILENO; fd++)
		dup2(null, fd);
	if (null > STDERR_FILENO)
		close(null);
	while (write(ready_fd, "", 1) < 0 && errno == EINTR)
		;
	close(ready_fd);
	ready_fd = -1;
}
