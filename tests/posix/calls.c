/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/posix/calls.h"

#include <linux/stat.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/un.h>
#include <sys/xattr.h>

/* What a call opened is not needed; its result is. */
static int closed(int fd)
{
	return fd < 0 ? -1 : close(fd);
}

static int on_open(const char *path)
{
	return closed(open(path, O_RDONLY));
}

static int on_open_write(const char *path)
{
	return closed(open(path, O_WRONLY));
}

static int on_open_trunc(const char *path)
{
	return closed(open(path, O_RDWR | O_TRUNC));
}

static int on_open_path(const char *path)
{
	return closed(open(path, O_PATH));
}

static int on_creat(const char *path)
{
	return closed(open(path, O_WRONLY | O_CREAT | O_EXCL, 0644));
}

static int on_mkdir(const char *path)
{
	return mkdir(path, 0755);
}

static int on_mkfifo(const char *path)
{
	return mkfifo(path, 0644);
}

static int on_mknod(const char *path)
{
	return mknod(path, S_IFREG | 0644, 0);
}

static int on_symlink(const char *path)
{
	return symlink("target", path);
}

static int on_link_to(const char *path)
{
	static bool made;

	if (!made)
		make_file("link-source");
	made = true;
	return link("link-source", path);
}

static int on_link_from(const char *path)
{
	return link(path, "link-made");
}

static int on_unlink(const char *path)
{
	return unlink(path);
}

static int on_rmdir(const char *path)
{
	return rmdir(path);
}

static int on_rename_from(const char *path)
{
	return rename(path, "renamed");
}

static int on_rename_to(const char *path)
{
	int fd = open("rename-source", O_WRONLY | O_CREAT, 0644);

	return closed(fd) < 0 ? -2 : rename("rename-source", path);
}

static int on_truncate(const char *path)
{
	return truncate(path, 10);
}

static int on_chmod(const char *path)
{
	return chmod(path, 0755);
}

static int on_chown(const char *path)
{
	return chown(path, geteuid(), getegid());
}

static int on_lchown(const char *path)
{
	return lchown(path, geteuid(), getegid());
}

static int on_utimensat(const char *path)
{
	const struct timespec times[2] = {{.tv_sec = 1}, {.tv_sec = 2}};

	return utimensat(AT_FDCWD, path, times, 0);
}

static int on_access(const char *path)
{
	return access(path, F_OK);
}

static int on_faccessat(const char *path)
{
	return faccessat(AT_FDCWD, path, F_OK, AT_EACCESS);
}

static int on_stat(const char *path)
{
	struct stat st;

	return stat(path, &st);
}

static int on_lstat(const char *path)
{
	struct stat st;

	return lstat(path, &st);
}

static int on_statx(const char *path)
{
	struct statx st;

	return (int)syscall(SYS_statx, AT_FDCWD, path, 0, STATX_BASIC_STATS, &st);
}

static int on_readlink(const char *path)
{
	char target[PATH_MAX];

	return readlink(path, target, sizeof(target)) < 0 ? -1 : 0;
}

static int on_opendir(const char *path)
{
	DIR *dir = opendir(path);

	return dir ? closedir(dir) : -1;
}

static int on_chdir(const char *path)
{
	int here = open(".", O_RDONLY), r = chdir(path), error = errno;

	if (r == 0 && fchdir(here) < 0)
		r = -2;
	close(here);
	errno = error;
	return r;
}

static int on_statvfs(const char *path)
{
	struct statvfs fs;

	return statvfs(path, &fs);
}

static int on_getxattr(const char *path)
{
	char value[10];

	return getxattr(path, "user.none", value, sizeof(value)) < 0 && errno != ENODATA ? -1 : 0;
}

static int on_setxattr(const char *path)
{
	return setxattr(path, "user.some", "value", 5, 0);
}

static int on_listxattr(const char *path)
{
	char names[1000];

	return listxattr(path, names, sizeof(names)) < 0 ? -1 : 0;
}

static int on_inotify(const char *path)
{
	int fd = inotify_init1(IN_CLOEXEC), r = inotify_add_watch(fd, path, IN_MODIFY);
	int error = errno;

	close(fd);
	errno = error;
	return r < 0 ? -1 : 0;
}

static int on_name_to_handle(const char *path)
{
	union {
		struct file_handle handle;
		char room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
	} u = {.handle.handle_bytes = MAX_HANDLE_SZ};
	int mount;

	return name_to_handle_at(AT_FDCWD, path, &u.handle, &mount, 0);
}

const struct call calls[] = {
	{"open", FOLLOWS, on_open},
	{"open_write", FOLLOWS | CHANGES, on_open_write},
	{"open_trunc", FOLLOWS | CHANGES, on_open_trunc},
	{"open_path", FOLLOWS, on_open_path},
	{"creat", MAKES, on_creat},
	{"mkdir", MAKES, on_mkdir},
	{"mkfifo", MAKES, on_mkfifo},
	{"mknod", MAKES, on_mknod},
	{"symlink", MAKES, on_symlink},
	{"link_to", MAKES | WANTS_SOURCE, on_link_to},
	{"link_from", 0, on_link_from},
	{"unlink", REMOVES, on_unlink},
	{"rmdir", WANTS_DIR | REMOVES, on_rmdir},
	{"rename_from", REMOVES, on_rename_from},
	{"rename_to", MAKES | REMOVES | WANTS_SOURCE, on_rename_to},
	{"truncate", FOLLOWS | CHANGES, on_truncate},
	{"chmod", FOLLOWS | WANTS_OWNER | CHANGES, on_chmod},
	{"chown", FOLLOWS | WANTS_OWNER | CHANGES, on_chown},
	{"lchown", WANTS_OWNER | CHANGES, on_lchown},
	{"utimensat", FOLLOWS | WANTS_OWNER | CHANGES, on_utimensat},
	{"access", FOLLOWS | REAL_IDENTITY, on_access},
	{"faccessat", FOLLOWS, on_faccessat},
	{"stat", FOLLOWS, on_stat},
	{"lstat", 0, on_lstat},
	{"statx", FOLLOWS, on_statx},
	{"readlink", WANTS_LINK, on_readlink},
	{"opendir", FOLLOWS | WANTS_DIR | IN_LIBRARY, on_opendir},
	{"chdir", FOLLOWS | WANTS_DIR, on_chdir},
	{"statvfs", FOLLOWS, on_statvfs},
	{"getxattr", FOLLOWS, on_getxattr},
	{"setxattr", FOLLOWS | CHANGES, on_setxattr},
	{"listxattr", FOLLOWS, on_listxattr},
	{"inotify", FOLLOWS, on_inotify},
	{"name_to_handle", 0, on_name_to_handle},
};
const size_t calls_count = sizeof(calls) / sizeof(calls[0]);
