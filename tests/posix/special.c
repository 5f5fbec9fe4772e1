/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* inotify(7), file handles, descriptors passed on, working folders. */
#include "tests/posix/posix.h"

#include <linux/fs.h>
#include <linux/fscrypt.h>
#include <linux/fsverity.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/statfs.h>

/* The masks of what happened, in order, ended by 0. */
static const uint32_t *events_of(int fd)
{
	static uint32_t masks[100];
	char buffer[10000] __attribute__((aligned(8)));
	ssize_t len = read(fd, buffer, sizeof(buffer));
	int count = 0;

	if (len < 0)
		SAME(errno, EAGAIN);
	for (char *at = buffer; len > 0 && at < buffer + len && count < 99;) {
		struct inotify_event *event = (struct inotify_event *)at;

		masks[count++] = event->mask;
		at += sizeof(*event) + event->len;
	}
	masks[count] = 0;
	return masks;
}

CASE(inotify, file_events, 0, "open, read, write, close, attributes are told")
{
	static const uint32_t wanted[] = {IN_OPEN, IN_MODIFY, IN_CLOSE_WRITE, IN_OPEN, IN_ACCESS,
		IN_CLOSE_NOWRITE, IN_ATTRIB, 0};
	int fd = (int)OK(inotify_init1(IN_NONBLOCK)), file;
	const uint32_t *got;

	make_file("file");
	OK(inotify_add_watch(fd, "file", IN_ALL_EVENTS));
	/* without O_TRUNC, which some kernels tell before the opening */
	file = (int)OK(open("file", O_WRONLY));
	OK(write(file, "text", 4));
	OK(close(file));
	HOLDS(file_is("file", "text"));
	OK(chmod("file", 0600));
	got = events_of(fd);
	for (int i = 0; wanted[i]; i++)
		SAME(got[i], wanted[i]);
}

CASE(inotify, folder_events, 0, "create, move, delete in a folder are told")
{
	static const uint32_t wanted[] = {IN_CREATE, IN_CREATE | IN_ISDIR, IN_MOVED_FROM, IN_MOVED_TO,
		IN_DELETE, IN_DELETE | IN_ISDIR, 0};
	int fd = (int)OK(inotify_init1(IN_NONBLOCK));
	const uint32_t *got;

	OK(inotify_add_watch(fd, ".", IN_CREATE | IN_MOVE | IN_DELETE));
	make_file("file");
	OK(mkdir("folder", 0755));
	OK(rename("file", "new"));
	OK(unlink("new"));
	OK(rmdir("folder"));
	got = events_of(fd);
	for (int i = 0; wanted[i]; i++)
		SAME(got[i], wanted[i]);
}

CASE(inotify, self_events, 0, "a watched file is told of its own end")
{
	int fd = (int)OK(inotify_init1(IN_NONBLOCK));
	const uint32_t *got;

	make_file("file");
	OK(inotify_add_watch(fd, "file", IN_DELETE_SELF | IN_MOVE_SELF));
	OK(rename("file", "new"));
	OK(unlink("new"));
	got = events_of(fd);
	SAME(got[0], IN_MOVE_SELF);
	SAME(got[1], IN_DELETE_SELF);
	SAME(got[2], IN_IGNORED);
}

CASE(special, working_folder_moves, 0, "the working folder is renamed: getcwd says where it is")
{
	char *here;

	OK(mkdir("old", 0755));
	OK(chdir("old"));
	OK(rename("../old", "../new"));
	here = getcwd(NULL, 0);
	HOLDS(here && strcmp(strrchr(here, '/'), "/new") == 0);
	make_file("file");
	OK(chdir(".."));
	HOLDS(exists("new/file"));
}

CASE(special, dotdot_at_root, 0, "a folder's '..' is its parent, after moves as well")
{
	ino_t here = stat_of(".").st_ino;

	OK(mkdir("a", 0755));
	OK(mkdir("a/b", 0755));
	SAME(stat_of("a/b/../..").st_ino, here);
	OK(rename("a/b", "c"));
	SAME(stat_of("c/..").st_ino, here);
	SAME(stat_of("c/../a").st_ino, stat_of("a").st_ino);
}

CASE(special, inode_numbers, 0, "inode numbers: stable, different, of every kind of file")
{
	ino_t numbers[5];

	make_file("file");
	OK(mkdir("folder", 0755));
	OK(symlink("x", "link"));
	OK(mkfifo("fifo", 0644));
	OK(mknod("socket", S_IFSOCK | 0644, 0));
	numbers[0] = stat_of("file").st_ino;
	numbers[1] = stat_of("folder").st_ino;
	numbers[2] = stat_of("link").st_ino;
	numbers[3] = stat_of("fifo").st_ino;
	numbers[4] = stat_of("socket").st_ino;
	for (int i = 0; i < 5; i++)
		for (int k = 0; k < i; k++)
			HOLDS(numbers[i] != numbers[k]);
	OK(rename("file", "new"));
	SAME(stat_of("new").st_ino, numbers[0]);
}

CASE(special, file_handles, NEEDS_ROOT, "name_to_handle_at and open_by_handle_at; ESTALE when gone")
{
	union {
		struct file_handle handle;
		char room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
	} u = {.handle.handle_bytes = MAX_HANDLE_SZ};
	int mount, folder = open_ok(".", O_RDONLY), fd;
	char text[10];

	write_file("file", "text");
	OK(name_to_handle_at(AT_FDCWD, "file", &u.handle, &mount, 0));
	OK(rename("file", "new"));
	fd = (int)OK(open_by_handle_at(folder, &u.handle, O_RDONLY));
	SAME(read(fd, text, sizeof(text)), 4);
	OK(close(fd));
	OK(unlink("new"));
	FAILS(ESTALE, open_by_handle_at(folder, &u.handle, O_RDONLY));
	u.handle.handle_bytes = 1;
	FAILS(EOVERFLOW, name_to_handle_at(AT_FDCWD, ".", &u.handle, &mount, 0));
}

CASE(special, passed_descriptor, 0, "a descriptor passed over a socket is the same open file")
{
	int pair[2], fd, *passed;
	char control[CMSG_SPACE(sizeof(int))] = {0}, c = 'x';
	struct iovec vec = {&c, 1};
	struct msghdr msg = {.msg_iov = &vec, .msg_iovlen = 1, .msg_control = control,
		.msg_controllen = sizeof(control)};
	struct cmsghdr *header = CMSG_FIRSTHDR(&msg);

	OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	write_file("file", "abc");
	fd = open_ok("file", O_RDONLY);
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &fd, sizeof(int));
	SAME(sendmsg(pair[0], &msg, 0), 1);
	OK(unlink("file"));
	OK(close(fd));
	SAME(recvmsg(pair[1], &msg, 0), 1);
	passed = (int *)CMSG_DATA(CMSG_FIRSTHDR(&msg));
	SAME(read(*passed, &c, 1), 1);
	SAME(c, 'a');
}

CASE(special, poll_and_epoll, 0, "a file is always ready for poll, and not for epoll: EPERM")
{
	int fd = open_ok("file", O_RDWR | O_CREAT), epoll = (int)OK(epoll_create1(0));
	struct pollfd poller = {.fd = fd, .events = POLLIN | POLLOUT};
	struct epoll_event event = {.events = EPOLLIN};

	SAME(poll(&poller, 1, 0), 1);
	SAME(poller.revents, POLLIN | POLLOUT);
	FAILS(EPERM, epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event));
}

CASE(special, fionread, 0, "FIONREAD: bytes up to the end; unknown ioctls: ENOTTY")
{
	int fd, left;

	write_file("file", "0123456789");
	fd = open_ok("file", O_RDONLY);
	SAME(lseek(fd, 3, SEEK_SET), 3);
	OK(ioctl(fd, FIONREAD, &left));
	SAME(left, 7);
	FAILS(ENOTTY, ioctl(fd, 0x5401 /* TCGETS */, &(char[100]){0}));
	FAILS(ENOTTY, ioctl(open_ok(".", O_RDONLY), 0x5401, &(char[100]){0}));
}

CASE(special, encryption_and_verity, 0, "encryption and verity, which the file system is without: EOPNOTSUPP")
{
	uint8_t bytes[256] = {0};
	int fd;

	make_file("file");
	fd = open_ok("file", O_RDONLY);
	FAILS(EOPNOTSUPP, ioctl(fd, FS_IOC_GET_ENCRYPTION_POLICY, bytes));
	FAILS(EOPNOTSUPP, ioctl(fd, FS_IOC_GET_ENCRYPTION_POLICY_EX, bytes));
	FAILS(EOPNOTSUPP, ioctl(fd, FS_IOC_GET_ENCRYPTION_NONCE, bytes));
	FAILS(EOPNOTSUPP, ioctl(fd, FS_IOC_GET_ENCRYPTION_KEY_STATUS, bytes));
	FAILS(EOPNOTSUPP, ioctl(fd, FS_IOC_ENABLE_VERITY, bytes));
	FAILS(EOPNOTSUPP, ioctl(fd, FS_IOC_MEASURE_VERITY, bytes));
	FAILS(EOPNOTSUPP, ioctl(fd, FS_IOC_READ_VERITY_METADATA, bytes));
}

CASE(special, flags_ioctl, 0, "FS_IOC_GETFLAGS, FS_IOC_SETFLAGS: nodump set and cleared")
{
	int fd = open_ok("file", O_RDWR | O_CREAT), flags = 0, set;

	OK(ioctl(fd, FS_IOC_GETFLAGS, &flags));
	set = flags | FS_NODUMP_FL;
	OK(ioctl(fd, FS_IOC_SETFLAGS, &set));
	set = 0;
	OK(ioctl(fd, FS_IOC_GETFLAGS, &set));
	SAME(set, flags | FS_NODUMP_FL);
	OK(ioctl(fd, FS_IOC_SETFLAGS, &flags));
}

CASE(special, immutable, NEEDS_ROOT, "an immutable file: nothing changes it: EPERM")
{
	int fd = open_ok("file", O_RDWR | O_CREAT), flags, set;

	OK(ioctl(fd, FS_IOC_GETFLAGS, &flags));
	set = flags | FS_IMMUTABLE_FL;
	OK(ioctl(fd, FS_IOC_SETFLAGS, &set));
	FAILS(EPERM, open("file", O_WRONLY));
	FAILS(EPERM, truncate("file", 10));
	FAILS(EPERM, unlink("file"));
	FAILS(EPERM, rename("file", "new"));
	FAILS(EPERM, link("file", "new"));
	FAILS(EPERM, chmod("file", 0600));
	FAILS(EPERM, chown("file", 1, 1));
	FAILS(EPERM, utimensat(AT_FDCWD, "file", (struct timespec[2]){{1, 1}, {1, 1}}, 0));
	OK(ioctl(fd, FS_IOC_SETFLAGS, &flags));
	OK(unlink("file"));
}

/* Sets what is set, and something else. */
static void immutable_again(int fd, int expected)
{
	int flags, set;

	OK(ioctl(fd, FS_IOC_GETFLAGS, &flags));
	set = flags | FS_IMMUTABLE_FL;
	OK(ioctl(fd, FS_IOC_SETFLAGS, &set));
	SAME(ioctl(fd, FS_IOC_SETFLAGS, &set) < 0 ? errno : 0, expected);
	set |= FS_NODUMP_FL;
	FAILS(EPERM, ioctl(fd, FS_IOC_SETFLAGS, &set));
	OK(ioctl(fd, FS_IOC_SETFLAGS, &flags));
}

CASE(special, immutable_flags, NEEDS_ROOT, "flags of what is immutable and stays it: EPERM, of an indexed folder even the same ones")
{
	char name[300];

	OK(mkdir("folder", 0755));
	immutable_again(open_ok("folder", O_RDONLY), 0);
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "folder/%0200d", i);
		make_file(name);
	}
	immutable_again(open_ok("folder", O_RDONLY), EPERM);
}

CASE(special, append_only, NEEDS_ROOT, "an append-only file: O_APPEND only, no truncation: EPERM")
{
	int fd = open_ok("file", O_RDWR | O_CREAT), flags, set;

	SAME(write(fd, "old", 3), 3);
	OK(ioctl(fd, FS_IOC_GETFLAGS, &flags));
	set = flags | FS_APPEND_FL;
	OK(ioctl(fd, FS_IOC_SETFLAGS, &set));
	FAILS(EPERM, open("file", O_WRONLY));
	FAILS(EPERM, open("file", O_WRONLY | O_APPEND | O_TRUNC));
	FAILS(EPERM, truncate("file", 1));
	FAILS(EPERM, unlink("file"));
	FAILS(EPERM, rename("file", "new"));
	SAME(write(open_ok("file", O_WRONLY | O_APPEND), "new", 3), 3);
	OK(ioctl(fd, FS_IOC_SETFLAGS, &flags));
	HOLDS(file_is("file", "oldnew"));
}

CASE(special, reopened_by_proc, 0, "a descriptor is opened again through /proc with other rights")
{
	int fd = open_ok("file", O_RDONLY | O_CREAT), again;
	char *path;

	OK(asprintf(&path, "/proc/self/fd/%d", fd));
	again = (int)OK(open(path, O_RDWR));
	SAME(write(again, "x", 1), 1);
	SAME(lseek(fd, 0, SEEK_CUR), 0);
	HOLDS(file_is("file", "x"));
}
