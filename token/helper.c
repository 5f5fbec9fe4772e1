/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Parent and child share a pipe. The child writes one answer: head, secret, data. The parent believes
 * none of it: a module may have done anything to the child.
 *
 * A signal that would end the parent waits until the child has ended: that may be asking for a PIN, and
 * puts the terminal in order first. Only then the parent gets it, as if it had come just now.
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
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/i18n.h"
#include "base/text.h"

enum {
	ANSWER_SECRET_MAX = 4096,
	GRACE_MS = 2000, /* for a child that was told to end */
};

static const int deadly_signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

/* The parent's view. */
struct helper {
	pid_t child;
	int fd;			  /* its answer */
	int child_fd, signal_fd;  /* readable when it has ended, when a deadly signal came; -1: not known */
	sigset_t mask;		  /* to go back to */
	int caught;		  /* the signal that came */
};

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

/* Ends the child as the signal would have ended us; what it cannot know yet, it is told. */
static int pass_on(struct helper *helper)
{
	struct pollfd ended = {.fd = helper->child_fd, .events = POLLIN};
	struct signalfd_siginfo info;

	if (read(helper->signal_fd, &info, sizeof(info)) != sizeof(info))
		return 0;
	helper->caught = (int)info.ssi_signo;
	kill(helper->child, helper->caught);
	while (poll(&ended, 1, GRACE_MS) < 0 && errno == EINTR)
		;
	return -EINTR;
}

/* A process that a module has started may keep the other end for ever: what counts is the child. */
static int wait_readable(struct helper *helper)
{
	struct pollfd fds[] = {
		{.fd = helper->fd, .events = POLLIN},
		{.fd = helper->child_fd, .events = POLLIN},
		{.fd = helper->signal_fd, .events = POLLIN},
	};

	while (poll(fds, ARRAY_SIZE(fds), -1) < 0 && errno == EINTR)
		;
	return fds[2].revents & POLLIN ? pass_on(helper) : 0;
}

static int read_all(struct helper *helper, void *data, size_t len)
{
	uint8_t *p = data;

	while (len > 0) {
		ssize_t n;
		int r = wait_readable(helper);

		if (r < 0)
			return r;
		n = read(helper->fd, p, len);
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

static int answer_receive(struct helper *helper, struct secret **ret_secret, void *data, size_t data_room,
	size_t *ret_data_len, struct diag *diag)
{
	CLEANUP_SECRET struct secret *secret = NULL;
	CLEANUP_FREE char *detail = NULL;
	struct answer answer;
	int r;

	if (read_all(helper, &answer, sizeof(answer)) < 0)
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
		r = r < 0 ? r : read_all(helper, secret_data(secret), answer.secret_len);
	}
	r = r < 0 ? r : read_all(helper, data, answer.data_len);
	if (r < 0)
		return r == -EPIPE ? -SDE_TOKEN : r;
	*ret_secret = take_ptr(secret);
	*ret_data_len = answer.data_len;
	return 0;
}

/* It has answered or died; what a module may still want to do in it has had its time. */
static void end(struct helper *helper)
{
	kill(helper->child, SIGKILL);
	while (waitpid(helper->child, NULL, 0) < 0 && errno == EINTR)
		;
	if (helper->child_fd >= 0)
		close(helper->child_fd);
	if (helper->signal_fd >= 0)
		close(helper->signal_fd);
	close(helper->fd);
	sigprocmask(SIG_SETMASK, &helper->mask, NULL);
	if (helper->caught)
		raise(helper->caught);
}

/* From here on they are seen by pass_on() alone. Those that are ignored (nohup) stay ignored. */
static void hold_signals(struct helper *helper)
{
	struct sigaction action;
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(deadly_signals); i++)
		if (sigaction(deadly_signals[i], NULL, &action) == 0 && action.sa_handler != SIG_IGN)
			sigaddset(&set, deadly_signals[i]);
	helper->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (helper->signal_fd < 0)
		sigemptyset(&set);
	sigprocmask(SIG_BLOCK, &set, &helper->mask);
}

/* Forks; the child never comes back from child_run(). */
static int start(struct helper *helper, helper_fn fn, void *ctx, size_t data_room)
{
	pid_t parent = getpid();
	int fds[2], err;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	fflush(NULL); /* what is buffered would be written twice */
	helper->child = fork();
	if (helper->child < 0) {
		err = -errno;
		close(fds[0]);
		close(fds[1]);
		return err;
	}
	if (helper->child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(EXIT_FAILURE);
		sigprocmask(SIG_SETMASK, &helper->mask, NULL);
		child_run(fn, ctx, fds[1], data_room);
	}
	close(fds[1]);
	helper->fd = fds[0];
	helper->child_fd = pidfd_open(helper->child, 0);
	/* without it, read() itself waits */
	if (helper->child_fd >= 0 && fcntl(helper->fd, F_SETFL, O_NONBLOCK) < 0)
		close(take_fd(&helper->child_fd));
	return 0;
}

int helper_run(helper_fn fn, void *ctx, struct secret **ret_secret, void *data, size_t data_room,
	size_t *ret_data_len, struct diag *diag)
{
	struct helper helper = {.child_fd = -1};
	int r;

	if (data_room > HELPER_DATA_MAX)
		return -EINVAL;
	hold_signals(&helper);
	r = start(&helper, fn, ctx, data_room);
	if (r < 0) {
		if (helper.signal_fd >= 0)
			close(helper.signal_fd);
		sigprocmask(SIG_SETMASK, &helper.mask, NULL);
		return r;
	}
	r = answer_receive(&helper, ret_secret, data, data_room, ret_data_len, diag);
	end(&helper);
	return helper.caught ? -SDE_CANCELLED : r;
}
