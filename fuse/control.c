/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The server of the control socket: a thread that waits for requests and signals, and one more
 * while the drive is being unmounted, so that `status` is answered meanwhile.
 *
 *	serving  -> unmounting	(a request, a signal)
 *	unmounting -> serving	(it is in use: everybody who waits is told)
 *	any -> finished		(control_finish: the drive is closed, whoever unmounted it)
 *
 * 1. A client is told that its drive may be pulled out only after control_finish().
 * 2. The socket is gone before that, so that the drive can be mounted again at once.
 * 3. `lock` guards what other threads bring: unmount_done, unmount_err, unmount_diag, finished and
 *    finish_err. All else belongs to the control thread. Nothing is called under it.
 */
#include "fuse/control.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/i18n.h"
#include "fuse/control-msg.h"

enum {
	CLIENT_TIMEOUT_S = 2, /* a client that says nothing must not hold up the others */
	WAITERS_MAX = 16,
	BACKLOG = 16,
};

struct control {
	struct control_ops ops;
	struct sockaddr_un addr;
	int listen_fd, signal_fd, event_fd;
	pthread_t thread;
	bool started;

	int waiters[WAITERS_MAX]; /* clients to be told of the end */
	size_t waiter_count;
	pthread_t unmounter;
	bool unmounting, force, force_wanted;

	pthread_mutex_t lock;
	bool unmount_done, finished;
	int unmount_err, finish_err;
	struct diag unmount_diag;
};

static void control_wake(struct control *control)
{
	eventfd_write(control->event_fd, 1);
}

/* ---- unmounting ---- */

static void *unmounter_main(void *ctx)
{
	struct control *control = ctx;
	struct diag diag = {0};
	int err = control->ops.unmount(control->ops.ctx, control->force, &diag);

	pthread_mutex_lock(&control->lock);
	control->unmount_done = true;
	control->unmount_err = err;
	control->unmount_diag = diag;
	pthread_mutex_unlock(&control->lock);
	control_wake(control);
	return NULL;
}

static int unmount_start(struct control *control, bool force)
{
	int err;

	if (control->unmounting) {
		control->force_wanted |= force;
		return 0;
	}
	control->force = force;
	err = pthread_create(&control->unmounter, NULL, unmounter_main, control);
	if (err != 0)
		return -err;
	control->unmounting = true;
	return 0;
}

static void tell_waiters(struct control *control, int err, const struct diag *diag)
{
	for (size_t i = 0; i < control->waiter_count; i++) {
		/* a client that has gone away does not need to know */
		if (control_send_result(control->waiters[i], err, diag) < 0)
			errno = 0;
		close(control->waiters[i]);
	}
	control->waiter_count = 0;
}

static void unmount_join(struct control *control)
{
	pthread_join(control->unmounter, NULL);
	control->unmounting = false;
	pthread_mutex_lock(&control->lock);
	control->unmount_done = false;
	pthread_mutex_unlock(&control->lock);
}

/* After success there is nothing to say yet: control_finish() comes when the drive is closed. */
static void unmount_finished(struct control *control, int err, const struct diag *diag)
{
	unmount_join(control);
	if (err == 0)
		return;
	tell_waiters(control, err, diag);
	if (control->force_wanted && !control->force)
		unmount_start(control, true);
	control->force_wanted = false;
}

/* ---- requests ---- */

static int client_accept(struct control *control, int *ret_fd)
{
	struct timeval timeout = {.tv_sec = CLIENT_TIMEOUT_S};
	struct ucred peer;
	socklen_t len = sizeof(peer);
	CLEANUP_FD int fd = accept4(control->listen_fd, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return -errno;
	if (peer.uid != geteuid() && peer.uid != 0)
		return -EPERM;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) < 0 ||
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) < 0)
		return -errno;
	*ret_fd = take_fd(&fd);
	return 0;
}

static int answer_status(struct control *control, int fd)
{
	struct drive_status status = {0};
	int err = control->ops.status(control->ops.ctx, &status);

	status.unmounting = control->unmounting;
	err = err < 0 ? control_send_result(fd, err, NULL) : control_send_status(fd, &status);
	drive_status_clear(&status);
	return err;
}

/* Takes *fd when its client has to wait. */
static int handle_unmount(struct control *control, int *fd)
{
	int err = control->waiter_count < WAITERS_MAX ? unmount_start(control, false) : -EBUSY;

	if (err < 0)
		return control_send_result(*fd, err, NULL);
	control->waiters[control->waiter_count++] = take_fd(fd);
	return 0;
}

static int client_handle(struct control *control)
{
	CLEANUP_FD int fd = -1;
	enum control_request request;
	int err = client_accept(control, &fd);

	if (err == 0)
		err = control_receive_request(fd, &request);
	if (err < 0)
		return err;
	switch (request) {
	case CONTROL_STATUS:
		return answer_status(control, fd);
	case CONTROL_GIVE_UP:
		control->ops.give_up(control->ops.ctx);
		return control_send_result(fd, 0, NULL);
	default:
		return handle_unmount(control, &fd);
	}
}

/* ---- the thread ---- */

static void signals_handle(struct control *control)
{
	struct signalfd_siginfo info;

	if (read(control->signal_fd, &info, sizeof(info)) == sizeof(info))
		unmount_start(control, true);
}

/* Whether the thread may end. */
static bool events_handle(struct control *control)
{
	bool done, finished;
	struct diag diag;
	eventfd_t count;
	int err;

	eventfd_read(control->event_fd, &count);
	pthread_mutex_lock(&control->lock);
	done = control->unmount_done;
	err = control->unmount_err;
	diag = control->unmount_diag;
	finished = control->finished;
	pthread_mutex_unlock(&control->lock);
	if (!finished && done)
		unmount_finished(control, err, &diag);
	return finished;
}

static void finish(struct control *control)
{
	struct diag diag = {0};
	int err = control->finish_err;

	if (control->unmounting)
		unmount_join(control);
	unlink(control->addr.sun_path);
	if (err == -ENOSPC)
		err = diag_set(&diag, -SDE_NOT_WRITTEN, "%s", strerror(ENOSPC));
	else if (err < 0)
		err = diag_set(&diag, err,
			_("it is unmounted, but not everything could be written to it"));
	tell_waiters(control, err, &diag);
}

static void *control_main(void *ctx)
{
	struct control *control = ctx;
	struct pollfd fds[] = {
		{.fd = control->event_fd, .events = POLLIN},
		{.fd = control->signal_fd, .events = POLLIN},
		{.fd = control->listen_fd, .events = POLLIN},
	};

	for (;;) {
		if (poll(fds, ARRAY_SIZE(fds), -1) < 0)
			continue;
		if (fds[0].revents && events_handle(control))
			break;
		if (fds[1].revents)
			signals_handle(control);
		/* a client's fault is its own */
		if (fds[2].revents && client_handle(control) < 0)
			continue;
	}
	finish(control);
	return NULL;
}

/* ---- making and ending ---- */

static bool somebody_answers(const struct sockaddr_un *addr)
{
	CLEANUP_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return fd >= 0 && connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) == 0;
}

/* A lock on the folder makes "look whether it is dead, remove, bind" one step. */
static int socket_bind(int fd, const struct sockaddr_un *addr)
{
	CLEANUP_FREE char *folder = strdup(addr->sun_path);
	CLEANUP_FD int lock = -1;

	if (!folder)
		return -ENOMEM;
	*strrchr(folder, '/') = '\0';
	lock = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (lock < 0 || flock(lock, LOCK_EX) < 0)
		return -errno;
	if (bind(fd, (const struct sockaddr *)addr, sizeof(*addr)) < 0) {
		if (errno != EADDRINUSE)
			return -errno;
		if (somebody_answers(addr))
			return -SDE_MOUNTED;
		if (unlink(addr->sun_path) < 0 && errno != ENOENT)
			return -errno;
		if (bind(fd, (const struct sockaddr *)addr, sizeof(*addr)) < 0)
			return -errno;
	}
	return listen(fd, BACKLOG) < 0 ? -errno : 0;
}

static void control_free(struct control *control)
{
	cleanup_fd(&control->listen_fd);
	cleanup_fd(&control->signal_fd);
	cleanup_fd(&control->event_fd);
	pthread_mutex_destroy(&control->lock);
	free(control);
}

static int control_open(struct control *control, const struct registry_key *key, struct diag *diag)
{
	sigset_t signals;
	int err = registry_socket_new(key, &control->addr, diag);

	if (err < 0)
		return err;
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	control->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	control->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	control->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (control->signal_fd < 0 || control->event_fd < 0 || control->listen_fd < 0)
		return -errno;
	err = socket_bind(control->listen_fd, &control->addr);
	if (err < 0 && err != -SDE_MOUNTED)
		return diag_set(diag, err, "%s", control->addr.sun_path);
	return err;
}

int control_new(const struct registry_key *key, const struct control_ops *ops,
	struct control **ret_control, struct diag *diag)
{
	struct control *control = calloc(1, sizeof(*control));
	int err;

	if (!control)
		return -ENOMEM;
	control->ops = *ops;
	control->listen_fd = control->signal_fd = control->event_fd = -1;
	pthread_mutex_init(&control->lock, NULL);
	err = control_open(control, key, diag);
	if (err < 0) {
		control_free(control);
		return err;
	}
	*ret_control = control;
	return 0;
}

int control_start(struct control *control)
{
	int err = pthread_create(&control->thread, NULL, control_main, control);

	if (err != 0)
		return -err;
	control->started = true;
	return 0;
}

int control_move(struct control *control, const struct registry_key *key)
{
	return registry_socket_move(&control->addr, key);
}

void control_finish(struct control *control, int err)
{
	pthread_mutex_lock(&control->lock);
	control->finished = true;
	control->finish_err = err;
	pthread_mutex_unlock(&control->lock);
	if (control->started) {
		control_wake(control);
		pthread_join(control->thread, NULL);
	} else {
		finish(control);
	}
	control_free(control);
}
