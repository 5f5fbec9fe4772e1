/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kernel-shim/harden.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* A file opened later must not become descriptor 0, 1 or 2: a message would be written into it. */
static void open_standard_fds(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd > STDERR_FILENO)
		close(fd);
}

void harden_process(void)
{
	struct rlimit limit = {0, 0};

	open_standard_fds();
	setrlimit(RLIMIT_CORE, &limit);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	umask(077);
	if (getrlimit(RLIMIT_MEMLOCK, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_MEMLOCK, &limit);
	}
	/* A limit on file sizes must be an error of the write, not the end of a daemon. */
	signal(SIGXFSZ, SIG_IGN);
}
