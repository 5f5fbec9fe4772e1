/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Parent and child share a pipe. The child writes one answer: head, secret, data. The parent believes
 * none of it: a module may have done anything to the child.
 */
#include "token/helper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/i18n.h"
#include "base/text.h"

enum { ANSWER_SECRET_MAX = 4096 };

struct answer {
	int32_t err;
	uint32_t secret_len, data_len;
	char detail[sizeof(((struct diag *)NULL)->detail)];
};

static int write_all(int fd, const void *data, size_t len)
{
	const uint8_t *p = data;

	while (len > 0) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -EPIPE;
		p += n;
		len -= n;
	}
	return 0;
}

/* A process that a module has started may keep the other end for ever: what counts is the child. */
static void wait_readable(int fd, int child_fd)
{
	struct pollfd fds[] = {{.fd = fd, .events = POLLIN}, {.fd = child_fd, .events = POLLIN}};

	while (poll(fds, 2, -1) < 0 && errno == EINTR)
		;
}

static int read_all(int fd, int child_fd, void *data, size_t len)
{
	uint8_t *p = data;

	while (len > 0) {
		ssize_t n;

		wait_readable(fd, child_fd);
		n = read(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) /* also EAGAIN: the child is dead, and nothing is left */
			return -EPIPE;
		p += n;
		len -= n;
	}
	return 0;
}

/* Everything but the standard descriptors and the pipe, which becomes number 3. */
static int keep_only(int fd)
{
	const int pipe_fd = STDERR_FILENO + 1;

	if (fd != pipe_fd && dup3(fd, pipe_fd, O_CLOEXEC) < 0)
		return -errno;
	return close_range(pipe_fd + 1, ~0U, 0) < 0 ? -errno : pipe_fd;
}

static int answer_send(int fd, int err, const struct diag *diag, const struct secret *secret,
	const void *data, size_t data_len)
{
	struct answer answer = {.err = err, .data_len = data_len};
	int r;

	answer.secret_len = secret ? secret_len(secret) : 0;
	snprintf(answer.detail, sizeof(answer.detail), "%s", diag->detail);
	r = write_all(fd, &answer, sizeof(answer));
	if (r == 0 && secret)
		r = write_all(fd, secret_data_const(secret), answer.secret_len);
	return r == 0 ? write_all(fd, data, data_len) : r;
}

static _Noreturn void child_run(helper_fn fn, void *ctx, int fd, size_t data_room)
{
	CLEANUP_SECRET struct secret *secret = NULL;
	CLEANUP_FREE void *data = calloc(1, data_room + 1);
	struct diag diag = {0};
	size_t data_len = 0;
	int r;

	fd = keep_only(fd);
	if (fd < 0)
		_exit(EXIT_FAILURE);
	signal(SIGPIPE, SIG_IGN);
	r = data ? fn(ctx, &secret, data, data_room, &data_len, &diag) : -ENOMEM;
	fflush(NULL);
	r = answer_send(fd, r, &diag, secret, data, data_len);
	secret_free(take_ptr(secret));
	/* no atexit() handlers: they are the parent's, or those of a module */
	_exit(r < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
}

static int answer_receive(int fd, int child_fd, struct secret **ret_secret, void *data, size_t data_room,
	size_t *ret_data_len, struct diag *diag)
{
	CLEANUP_SECRET struct secret *secret = NULL;
	CLEANUP_FREE char *detail = NULL;
	struct answer answer;
	int r;

	if (read_all(fd, child_fd, &answer, sizeof(answer)) < 0)
		return diag_set(diag, -SDE_TOKEN, _("the program for the token ended unexpectedly"));
	if (answer.err > 0 || answer.err <= -SDE_END || answer.secret_len > ANSWER_SECRET_MAX || answer.data_len > data_room)
		return diag_set(diag, -SDE_TOKEN, _("the program for the token gave a wrong answer"));
	r = text_sanitize(answer.detail, sizeof(answer.detail) - 1, &detail);
	if (r < 0)
		return r;
	if (answer.err < 0)
		return detail[0] ? diag_set(diag, answer.err, "%s", detail) : answer.err;
	if (answer.secret_len > 0) {
		r = secret_new(answer.secret_len, &secret);
		r = r < 0 ? r : read_all(fd, child_fd, secret_data(secret), answer.secret_len);
	}
	r = r < 0 ? r : read_all(fd, child_fd, data, answer.data_len);
	if (r < 0)
		return r == -EPIPE ? -SDE_TOKEN : r;
	*ret_secret = take_ptr(secret);
	*ret_data_len = answer.data_len;
	return 0;
}

/* It has answered or died; what a module may still want to do in it has had its time. */
static void end(pid_t child)
{
	kill(child, SIGKILL);
	while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
}

int helper_run(helper_fn fn, void *ctx, struct secret **ret_secret, void *data, size_t data_room,
	size_t *ret_data_len, struct diag *diag)
{
	CLEANUP_FD int child_fd = -1;
	pid_t parent = getpid(), child;
	int fds[2], r;

	if (data_room > HELPER_DATA_MAX)
		return -EINVAL;
	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	fflush(NULL); /* what is buffered would be written twice */
	child = fork();
	if (child < 0) {
		r = -errno;
		close(fds[0]);
		close(fds[1]);
		return r;
	}
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(EXIT_FAILURE);
		child_run(fn, ctx, fds[1], data_room);
	}
	close(fds[1]);
	child_fd = pidfd_open(child, 0);
	/* without it, read() itself waits */
	if (child_fd >= 0 && fcntl(fds[0], F_SETFL, O_NONBLOCK) < 0)
		close(take_fd(&child_fd));
	r = answer_receive(fds[0], child_fd, ret_secret, data, data_room, ret_data_len, diag);
	close(fds[0]);
	end(child);
	return r;
}
