/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "tests/lockstep/probe.h"
#include "tests/lockstep/world.h"

enum { LEFT_OUT_MAX = 8 };

static const char probe_file[] = "lockstep-probe";
static const char *left_out[LEFT_OUT_MAX];
static unsigned left_out_count;

static bool can_be_user(int root, int fd)
{
	return geteuid() == 0;
}

static bool can_xattr(int root, int fd)
{
	return fsetxattr(fd, "user.probe", "x", 1, 0) == 0;
}

static bool can_trusted(int root, int fd)
{
	return fsetxattr(fd, "trusted.probe", "x", 1, 0) == 0 &&
	       fsetxattr(fd, "security.probe", "x", 1, 0) == 0;
}

static bool can_acl(int root, int fd)
{
	static const uint8_t acl[] = {2, 0, 0, 0, 1, 0, 6, 0, 255, 255, 255, 255, 2, 0, 4, 0, 1, 0, 0, 0, 4, 0,
		4, 0, 255, 255, 255, 255, 16, 0, 4, 0, 255, 255, 255, 255, 32, 0, 4, 0, 255, 255, 255, 255};

	return fsetxattr(fd, "system.posix_acl_access", acl, sizeof(acl), 0) == 0;
}

static bool can_flags(int root, int fd)
{
	int flags;

	if (ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0)
		return false;
	flags |= FS_NODUMP_FL;
	return ioctl(fd, FS_IOC_SETFLAGS, &flags) == 0;
}

static bool can_tmpfile(int root, int fd)
{
	int tmp = openat(root, ".", O_TMPFILE | O_RDWR, 0600);

	return tmp >= 0 && close(tmp) == 0;
}

static bool can_punch(int root, int fd)
{
	return fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096) == 0;
}

static bool can_zero(int root, int fd)
{
	return fallocate(fd, FALLOC_FL_ZERO_RANGE, 0, 4096) == 0;
}

static bool can_btime(int root, int fd)
{
	struct statx stx;

	return statx(fd, "", AT_EMPTY_PATH, STATX_BTIME, &stx) == 0 && (stx.stx_mask & STATX_BTIME);
}

static bool can_late(int root, int fd)
{
	struct timespec times[2] = {{.tv_sec = RECENT_TO}, {.tv_sec = RECENT_TO}};
	struct stat st;

	return futimens(fd, times) == 0 && fstat(fd, &st) == 0 && st.st_mtim.tv_sec == RECENT_TO;
}

static const struct {
	const char *name;
	unsigned capability;
	bool obligatory; /* for the side under test, where the other has it */
	bool (*probe)(int root, int fd);
} probes[] = {
	{"operations of an ordinary user", CAN_BE_USER, true, can_be_user},
	{"extended attributes", CAN_XATTR, true, can_xattr},
	{"trusted and security attributes", CAN_TRUSTED, true, can_trusted},
	{"access control lists", CAN_ACL, true, can_acl},
	{"file flags (chattr)", CAN_FLAGS, true, can_flags},
	{"O_TMPFILE", CAN_TMPFILE, true, can_tmpfile},
	{"punching holes", CAN_PUNCH, true, can_punch},
	{"zeroing ranges", CAN_ZERO, true, can_zero},
	{"birth times", CAN_BTIME, true, can_btime},
	{"times after 2038", CAN_LATE, true, can_late},
};

static bool probe_one(size_t i, int side)
{
	int fd = openat(root_fd[side], probe_file, O_RDWR | O_CREAT | O_TRUNC, 0600);
	bool can = fd >= 0 && probes[i].probe(root_fd[side], fd);

	if (fd >= 0)
		close(fd);
	unlinkat(root_fd[side], probe_file, 0);
	return can;
}

bool probe_sides(void)
{
	bool good = true;

	for (size_t i = 0; i < sizeof(probes) / sizeof(probes[0]); i++) {
		bool can[SIDES] = {probe_one(i, 0), probe_one(i, 1)};

		if (can[0] && can[1]) {
			capabilities |= probes[i].capability;
			continue;
		}
		printf("# LEFT OUT: %s (%s)\n", probes[i].name,
			can[0] ? "not on the second side" : can[1] ? "not on the first side" : "on no side");
		if (can[1] && probes[i].obligatory) {
			printf("# ... which the first side must have\n");
			good = false;
		}
	}
	return good;
}

bool probe_has(unsigned capability)
{
	return (capabilities & capability) == capability;
}

void probe_leave_out(const char *name)
{
	if (left_out_count == LEFT_OUT_MAX)
		return;
	left_out[left_out_count++] = name;
	printf("# LEFT OUT: %s (as asked for)\n", name);
}

bool probe_allows(const struct op_kind *kind)
{
	for (unsigned i = 0; i < left_out_count; i++)
		if (!strcmp(left_out[i], kind->name))
			return false;
	return probe_has(kind->needs);
}
