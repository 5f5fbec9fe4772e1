/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "fuse/control-msg.h"

enum {
	STATUS_TIMEOUT_S = 5,
	SILENCE_MS = 1000, /* until a waiting user is told what takes so long */
};

/* Who listens is asked of the kernel: a socket in a user's folder could be anybody's. */
static int check_peer(int fd, uid_t server_user)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return -errno;
	return peer.uid == server_user || peer.uid == 0 ? 0 : -SDE_DAEMON;
}

static int client_connect(const char *socket_path, uid_t server_user, int *ret_fd)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	CLEANUP_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int n = snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", socket_path), err;

	if (fd < 0)
		return -errno;
	if (n < 0 || (size_t)n >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	if (connect(fd, (const struct sockaddr *)&addr, sizeof(addr)) < 0)
		return errno == ENOENT ? -ENOENT : -SDE_DAEMON;
	err = check_peer(fd, server_user);
	if (err < 0)
		return err;
	*ret_fd = take_fd(&fd);
	return 0;
}

int control_status(const char *socket_path, uid_t server_user, struct drive_status *ret_status)
{
	struct timeval timeout = {.tv_sec = STATUS_TIMEOUT_S};
	CLEANUP_FD int fd = -1;
	int err = client_connect(socket_path, server_user, &fd);

	if (err < 0)
		return err;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) < 0 ||
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) < 0)
		return -errno;
	err = control_send_request(fd, CONTROL_STATUS);
	if (err < 0)
		return -SDE_DAEMON;
	return control_receive_answer(fd, ret_status, NULL);
}

int control_unmount(const char *socket_path, uid_t server_user, void (*waiting)(void),
	struct diag *diag)
{
	CLEANUP_FD int fd = -1;
	struct pollfd answer;
	int err = client_connect(socket_path, server_user, &fd);

	if (err < 0)
		return err;
	err = control_send_request(fd, CONTROL_UNMOUNT);
	if (err < 0)
		return -SDE_DAEMON;
	answer = (struct pollfd){.fd = fd, .events = POLLIN};
	if (poll(&answer, 1, SILENCE_MS) == 0 && waiting)
		waiting();
	return control_receive_answer(fd, NULL, diag);
}

int control_give_up(const char *socket_path, uid_t server_user)
{
	CLEANUP_FD int fd = -1;
	int err = client_connect(socket_path, server_user, &fd);

	if (err < 0)
		return err;
	err = control_send_request(fd, CONTROL_GIVE_UP);
	return err < 0 ? -SDE_DAEMON : control_receive_answer(fd, NULL, NULL);
}
