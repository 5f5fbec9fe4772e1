/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel-shim/harden.h"
#include "tests/unit.h"

/* Exit status of fn() in a child: what was done to the process ends with it. */
static int in_child(int (*fn)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(fn());
	return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status)
									       : 255;
}

static int limits(void)
{
	struct rlimit limit = {4096, 8192};

	setrlimit(RLIMIT_MEMLOCK, &limit);
	umask(0);
	harden_process();
	if (getrlimit(RLIMIT_CORE, &limit) < 0 || limit.rlim_cur != 0 || limit.rlim_max != 0)
		return 1;
	if (getrlimit(RLIMIT_MEMLOCK, &limit) < 0 || limit.rlim_cur != 8192)
		return 2;
	if (prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0)
		return 3;
	return umask(0) == 077 ? 0 : 4;
}

static int closed_fds(void)
{
	close(0);
	close(1);
	close(2);
	harden_process();
	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			return 1;
	return open("/dev/null", O_RDONLY) == 3 ? 0 : 2;
}

static int one_closed_fd(void)
{
	close(1);
	harden_process();
	return fcntl(1, F_GETFL) >= 0 && fcntl(3, F_GETFL) < 0 ? 0 : 1;
}

static int file_size_limit(void)
{
	struct rlimit limit = {4096, 4096};
	char path[] = "/tmp/sealdrive-XXXXXX";
	int fd;

	harden_process();
	setrlimit(RLIMIT_FSIZE, &limit);
	fd = mkstemp(path);
	unlink(path);
	return fd >= 0 && pwrite(fd, "x", 1, 8192) < 0 && errno == EFBIG ? 0 : 1;
}

static void test_limits(void)
{
	CU_ASSERT_EQUAL(in_child(limits), 0);
}

static void test_standard_fds(void)
{
	CU_ASSERT_EQUAL(in_child(closed_fds), 0);
	CU_ASSERT_EQUAL(in_child(one_closed_fd), 0);
}

static void test_file_size_limit(void)
{
	CU_ASSERT_EQUAL(in_child(file_size_limit), 0);
}

int main(void)
{
	/* Only the standard descriptors, whatever the test runner has left open. */
	for (int fd = 3; fd < 64; fd++)
		close(fd);
	return UNIT_RUN(UNIT(test_limits), UNIT(test_standard_fds), UNIT(test_file_size_limit));
}
