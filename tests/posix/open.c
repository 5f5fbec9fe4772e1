/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* open(2), openat(2), creat(2), close(2), dup(2), umask(2). */
#include "tests/posix/posix.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#ifndef O_TMPFILE
#error "needs the GNU extensions"
#endif

CASE(open, creates_with_mode, 0, "O_CREAT: the mode is the one asked for without umask")
{
	static const mode_t modes[] = {0, 0400, 0644, 0666, 0751, 0777, 01777, 02755, 04755, 07777};

	umask(0);
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		OK(close((int)OK(open("file", O_WRONLY | O_CREAT, modes[i]))));
		SAME(mode_of("file"), modes[i]);
		OK(unlink("file"));
	}
	umask(027);
	OK(close((int)OK(open("file", O_WRONLY | O_CREAT, 0666))));
	SAME(mode_of("file"), 0640);
}

CASE(open, created_file, 0, "a new file is empty, has one link, its maker's ids, and takes no blocks")
{
	struct stat st;

	make_file("file");
	st = stat_of("file");
	HOLDS(S_ISREG(st.st_mode));
	SAME(st.st_size, 0);
	SAME(st.st_nlink, 1);
	SAME(st.st_blocks, 0);
	SAME(st.st_uid, geteuid());
	SAME(st.st_gid, getegid());
}

CASE(open, creat_is_open, 0, "creat: makes, or empties")
{
	int fd = (int)OK(creat("file", 0600));

	SAME(write(fd, "text", 4), 4);
	FAILS(EBADF, read(fd, &(char){0}, 1));
	OK(close(fd));
	OK(close((int)OK(creat("file", 0644))));
	SAME(stat_of("file").st_size, 0);
	SAME(mode_of("file"), 0600);
}

CASE(open, mode_at_once, 0, "a file made without rights is still open for writing")
{
	int fd = (int)OK(open("file", O_RDWR | O_CREAT | O_EXCL, 0));
	char c;

	SAME(write(fd, "x", 1), 1);
	SAME(pread(fd, &c, 1, 0), 1);
	OK(close(fd));
}

CASE(open, existing_mode_kept, 0, "O_CREAT on an existing file leaves its mode")
{
	make_file("file");
	OK(chmod("file", 0600));
	OK(close((int)OK(open("file", O_WRONLY | O_CREAT, 0777))));
	SAME(mode_of("file"), 0600);
}

CASE(open, excl_exists, 0, "O_CREAT|O_EXCL on what exists: EEXIST, links too, even dangling ones")
{
	make_file("file");
	OK(mkdir("folder", 0755));
	OK(symlink("nowhere", "dangling"));
	OK(symlink("file", "link"));
	FAILS(EEXIST, open("file", O_WRONLY | O_CREAT | O_EXCL, 0644));
	FAILS(EEXIST, open("folder", O_WRONLY | O_CREAT | O_EXCL, 0644));
	FAILS(EEXIST, open("dangling", O_WRONLY | O_CREAT | O_EXCL, 0644));
	FAILS(EEXIST, open("link", O_WRONLY | O_CREAT | O_EXCL, 0644));
	HOLDS(!exists("nowhere"));
}

CASE(open, creat_through_link, 0, "O_CREAT through a dangling link makes its target")
{
	OK(symlink("target", "link"));
	OK(close(open_ok("link", O_WRONLY | O_CREAT)));
	HOLDS(S_ISREG(stat_of("target").st_mode));
	HOLDS(S_ISLNK(stat_of("link").st_mode));
}

CASE(open, folder_for_writing, 0, "a folder for writing: EISDIR")
{
	OK(mkdir("folder", 0755));
	FAILS(EISDIR, open("folder", O_WRONLY));
	FAILS(EISDIR, open("folder", O_RDWR));
	FAILS(EISDIR, open("folder", O_RDONLY | O_TRUNC));
	FAILS(EISDIR, open("folder", O_RDONLY | O_CREAT, 0644));
	FAILS(EISDIR, open("folder", O_WRONLY | O_APPEND));
	FAILS(EISDIR, open(".", O_WRONLY));
}

CASE(open, creat_slash, 0, "O_CREAT with a slash behind the name: EISDIR, or ENOTDIR on a file")
{
	make_file("file");
	FAILS(EISDIR, open("new/", O_WRONLY | O_CREAT, 0644));
	FAILS(ENOTDIR, open("file/", O_WRONLY));
	HOLDS(!exists("new"));
}

CASE(open, directory_flag, 0, "O_DIRECTORY: folders only, ENOTDIR")
{
	OK(mkdir("folder", 0755));
	make_file("file");
	OK(symlink("file", "link"));
	OK(symlink("folder", "to-folder"));
	OK(mkfifo("fifo", 0644));
	OK(close(open_ok("folder", O_RDONLY | O_DIRECTORY)));
	OK(close(open_ok("to-folder", O_RDONLY | O_DIRECTORY)));
	FAILS(ENOTDIR, open("file", O_RDONLY | O_DIRECTORY));
	FAILS(ENOTDIR, open("link", O_RDONLY | O_DIRECTORY));
	FAILS(ENOTDIR, open("fifo", O_RDONLY | O_DIRECTORY | O_NONBLOCK));
	FAILS(ENOTDIR, open("to-folder", O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
	FAILS(ENOENT, open("missing", O_RDONLY | O_DIRECTORY));
}

CASE(open, nofollow, 0, "O_NOFOLLOW: a link at the end is ELOOP, in the middle it is followed")
{
	make_file("file");
	OK(mkdir("folder", 0755));
	make_file("folder/file");
	OK(symlink("file", "link"));
	OK(symlink("folder", "to-folder"));
	FAILS(ELOOP, open("link", O_RDONLY | O_NOFOLLOW));
	FAILS(ELOOP, open("link", O_WRONLY | O_CREAT | O_NOFOLLOW, 0644));
	OK(close(open_ok("to-folder/file", O_RDONLY | O_NOFOLLOW)));
	OK(close(open_ok("file", O_RDONLY | O_NOFOLLOW)));
	OK(close(open_ok("to-folder/", O_RDONLY | O_NOFOLLOW)));
}

CASE(open, path_flag, 0, "O_PATH: no reading, writing, changing; but stat, openat and links")
{
	int fd, sub;
	struct stat st;
	char target[10];

	write_file("file", "text");
	OK(symlink("file", "link"));
	fd = (int)OK(open("file", O_PATH));
	FAILS(EBADF, read(fd, target, 1));
	FAILS(EBADF, write(fd, target, 1));
	FAILS(EBADF, fchmod(fd, 0600));
	FAILS(EBADF, fchown(fd, geteuid(), getegid()));
	FAILS(EBADF, ftruncate(fd, 0));
	FAILS(EBADF, fsync(fd));
	FAILS(EBADF, lseek(fd, 0, SEEK_SET));
	OK(fstat(fd, &st));
	SAME(st.st_size, 4);
	OK(close(fd));
	fd = (int)OK(open("link", O_PATH | O_NOFOLLOW));
	OK(fstat(fd, &st));
	HOLDS(S_ISLNK(st.st_mode));
	SAME(readlinkat(fd, "", target, sizeof(target)), 4);
	OK(close(fd));
	fd = (int)OK(open(".", O_PATH | O_DIRECTORY));
	sub = (int)OK(openat(fd, "file", O_RDONLY));
	SAME(read(sub, target, sizeof(target)), 4);
}

CASE(open, trunc, 0, "O_TRUNC empties a file, keeps its inode and frees its blocks")
{
	struct stat before, after;

	make_sized("file", 100000);
	OK(close(open_ok("file", O_RDONLY)));
	before = stat_of("file");
	OK(close(open_ok("file", O_WRONLY | O_TRUNC)));
	after = stat_of("file");
	SAME(after.st_ino, before.st_ino);
	SAME(after.st_size, 0);
	SAME(after.st_blocks, 0);
}

CASE(open, trunc_without_right, 0, "O_TRUNC without the right to write: EACCES, nothing is lost")
{
	write_file("file", "text");
	OK(chmod("file", 0444));
	OK(chmod(".", 0777));
	become_ordinary();
	FAILS(EACCES, open("file", O_RDONLY | O_TRUNC));
	FAILS(EACCES, open("file", O_WRONLY | O_TRUNC));
	HOLDS(file_is("file", "text"));
}

CASE(open, access_modes, 0, "reading and writing only as opened: EBADF")
{
	char c = 'x';
	int fd;

	write_file("file", "text");
	fd = open_ok("file", O_RDONLY);
	FAILS(EBADF, write(fd, &c, 1));
	FAILS(EBADF, pwrite(fd, &c, 1, 0));
	FAILS(EINVAL, ftruncate(fd, 0));
	OK(close(fd));
	fd = open_ok("file", O_WRONLY);
	FAILS(EBADF, read(fd, &c, 1));
	FAILS(EBADF, pread(fd, &c, 1, 0));
	OK(close(fd));
	FAILS(EBADF, read(fd, &c, 1));
	FAILS(EBADF, close(fd));
}

CASE(open, rights, NEEDS_ROOT, "rights of owner, group and others, each on its own: EACCES")
{
	static const struct {
		mode_t mode;
		uid_t uid;
		gid_t gid;
		bool read, write;
	} rows[] = {
		{0400, 1001, 1001, true, false}, {0200, 1001, 1001, false, true},
		{0600, 1001, 1001, true, true}, {0077, 1001, 1001, false, false},
		{0040, 1002, 1001, true, false}, {0020, 1002, 1001, false, true},
		{0707, 1002, 1001, false, false}, {0004, 1002, 1002, true, false},
		{0002, 1002, 1002, false, true}, {0770, 1002, 1002, false, false},
		{0000, 0, 0, true, true},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int fd;

		make_file("file");
		OK(chown("file", 1001, 1001));
		OK(chmod("file", rows[i].mode));
		become(rows[i].uid, rows[i].gid);
		fd = open("file", O_RDONLY);
		SAME(fd >= 0 ? 0 : errno, rows[i].read ? 0 : EACCES);
		fd = open("file", O_WRONLY);
		SAME(fd >= 0 ? 0 : errno, rows[i].write ? 0 : EACCES);
		fd = open("file", O_RDWR);
		SAME(fd >= 0 ? 0 : errno, rows[i].read && rows[i].write ? 0 : EACCES);
		SAME(access("file", R_OK), 0); /* the real identity is root's */
		SAME(faccessat(AT_FDCWD, "file", R_OK, AT_EACCESS) == 0, rows[i].read);
		SAME(faccessat(AT_FDCWD, "file", W_OK, AT_EACCESS) == 0, rows[i].write);
		become_root();
		OK(unlink("file"));
	}
}

CASE(open, folder_rights, NEEDS_ROOT, "a folder without r cannot be listed, without w not filled")
{
	OK(mkdir("folder", 0755));
	make_file("folder/file");
	OK(chown("folder", 1001, 1001));
	OK(chmod("folder", 0300));
	become(1001, 1001);
	FAILS(EACCES, open("folder", O_RDONLY));
	OK(close(open_ok("folder/new", O_WRONLY | O_CREAT)));
	OK(chmod("folder", 0500));
	OK(close(open_ok("folder", O_RDONLY)));
	FAILS(EACCES, open("folder/new-2", O_WRONLY | O_CREAT, 0644));
	FAILS(EACCES, open("folder/new-2", O_WRONLY | O_CREAT | O_EXCL, 0644));
	FAILS(EEXIST, open("folder/file", O_WRONLY | O_CREAT | O_EXCL, 0644));
	OK(close(open_ok("folder/file", O_RDONLY | O_CREAT)));
}

CASE(open, noatime_right, NEEDS_ROOT, "O_NOATIME is for the owner and root: EPERM")
{
	write_file("file", "text");
	OK(chmod("file", 0666));
	OK(close(open_ok("file", O_RDONLY | O_NOATIME)));
	become(1001, 1001);
	FAILS(EPERM, open("file", O_RDONLY | O_NOATIME));
}

CASE(open, setgid_folder, NEEDS_ROOT, "in a set-group-id folder files get its group, folders the bit too")
{
	OK(mkdir("folder", 0777));
	OK(chown("folder", 1001, 1005));
	OK(chmod("folder", 02777));
	become(1002, 1003);
	make_file("folder/file");
	OK(mkdir("folder/sub", 0755));
	OK(symlink("x", "folder/link"));
	OK(mkfifo("folder/fifo", 0644));
	SAME(stat_of("folder/file").st_gid, 1005);
	SAME(stat_of("folder/sub").st_gid, 1005);
	SAME(stat_of("folder/link").st_gid, 1005);
	SAME(stat_of("folder/fifo").st_gid, 1005);
	SAME(stat_of("folder/file").st_uid, 1002);
	SAME(mode_of("folder/sub"), 02755);
	SAME(mode_of("folder/file"), 0644);
}

CASE(open, setgid_file_not_member, NEEDS_ROOT,
	"a set-group-id file made in another group's set-group-id folder loses the bit")
{
	OK(mkdir("folder", 0777));
	OK(chown("folder", 1001, 1005));
	OK(chmod("folder", 02777));
	become(1002, 1003);
	umask(0);
	OK(close((int)OK(open("folder/file", O_WRONLY | O_CREAT, 02775))));
	SAME(mode_of("folder/file"), 0775);
	become_with_group(1002, 1003, 1005);
	OK(close((int)OK(open("folder/member", O_WRONLY | O_CREAT, 02775))));
	SAME(mode_of("folder/member"), 02775);
}

CASE(open, no_setgid_folder, NEEDS_ROOT, "elsewhere the group is the maker's effective one")
{
	OK(chown(".", 1001, 1005));
	OK(chmod(".", 0777));
	become_with_group(1002, 1003, 1004);
	make_file("file");
	SAME(stat_of("file").st_gid, 1003);
	SAME(stat_of("file").st_uid, 1002);
}

CASE(open, sticky_creat, NEEDS_ROOT, "sticky folders: another's file is opened with O_CREAT as rights say")
{
	OK(chmod(".", 01777));
	become(1001, 1001);
	make_file("file");
	OK(chmod("file", 0666));
	become(1002, 1002);
	OK(close(open_ok("file", O_RDONLY)));
	OK(close(open_ok("file", O_WRONLY)));
	FAILS(EEXIST, open("file", O_WRONLY | O_CREAT | O_EXCL, 0644));
}

CASE(open, bad_flags, 0, "openat: EBADF and ENOTDIR of the folder's descriptor")
{
	int fd;

	make_file("file");
	fd = open_ok("file", O_RDONLY);
	FAILS(EBADF, openat(-5, "x", O_RDONLY));
	FAILS(EBADF, openat(999, "x", O_RDONLY));
	FAILS(ENOTDIR, openat(fd, "x", O_RDONLY));
	FAILS(ENOENT, openat(fd, "", O_RDONLY));
	OK(openat(fd, "/", O_RDONLY));
}

CASE(open, emfile, 0, "no descriptors left: EMFILE, and nothing is made")
{
	struct rlimit limit = {.rlim_cur = 3, .rlim_max = 3};

	for (int fd = 3; fd < 100; fd++)
		close(fd);
	OK(setrlimit(RLIMIT_NOFILE, &limit));
	FAILS(EMFILE, open("file", O_WRONLY | O_CREAT, 0644));
	HOLDS(!exists("file"));
}

CASE(open, fifo_nonblock, 0, "a FIFO for writing without a reader: ENXIO with O_NONBLOCK")
{
	int reader, writer;
	char c;

	OK(mkfifo("fifo", 0644));
	FAILS(ENXIO, open("fifo", O_WRONLY | O_NONBLOCK));
	reader = open_ok("fifo", O_RDONLY | O_NONBLOCK);
	writer = open_ok("fifo", O_WRONLY | O_NONBLOCK);
	SAME(write(writer, "x", 1), 1);
	SAME(read(reader, &c, 1), 1);
	FAILS(EAGAIN, read(reader, &c, 1));
	OK(close(writer));
	SAME(read(reader, &c, 1), 0);
	SAME(stat_of("fifo").st_size, 0);
	FAILS(ESPIPE, lseek(reader, 0, SEEK_SET));
}

CASE(open, socket, 0, "a socket cannot be opened: ENXIO; connect and bind work by name")
{
	struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "socket"};
	int server = (int)OK(socket(AF_UNIX, SOCK_STREAM, 0));
	int client = (int)OK(socket(AF_UNIX, SOCK_STREAM, 0));

	OK(bind(server, (struct sockaddr *)&address, sizeof(address)));
	HOLDS(S_ISSOCK(stat_of("socket").st_mode));
	SAME(mode_of("socket"), 0755);
	FAILS(ENXIO, open("socket", O_RDONLY));
	FAILS(EADDRINUSE, bind(client, (struct sockaddr *)&address, sizeof(address)));
	FAILS(ECONNREFUSED, connect(client, (struct sockaddr *)&address, sizeof(address)));
	OK(listen(server, 1));
	OK(connect(client, (struct sockaddr *)&address, sizeof(address)));
}

CASE(open, device, NEEDS_ROOT, "a device node is inert on this mount: EACCES")
{
	OK(mknod("null", S_IFCHR | 0666, 0x103));
	FAILS(EACCES, open("null", O_RDONLY));
	OK(mknod("loop", S_IFBLK | 0666, 0x700));
	FAILS(EACCES, open("loop", O_RDONLY));
}

CASE(open, text_busy, 0, "a running program cannot be written, an open file not run: ETXTBSY")
{
	char *const args[] = {(char *)"sleep", (char *)"10", NULL};
	char data[4096];
	int in = open_ok("/bin/sleep", O_RDONLY), fd = open_ok("run", O_WRONLY | O_CREAT), pipes[2];
	ssize_t len;
	pid_t pid;

	while ((len = OK(read(in, data, sizeof(data)))) > 0)
		SAME(write(fd, data, (size_t)len), len);
	OK(fchmod(fd, 0755));
	FAILS(ETXTBSY, execv("run", args));
	OK(close(fd));
	OK(pipe2(pipes, O_CLOEXEC));
	pid = (pid_t)OK(fork());
	if (pid == 0) {
		execv("run", args);
		_exit(1);
	}
	close(pipes[1]);
	SAME(read(pipes[0], data, 1), 0); /* closed by exec */
	FAILS(ETXTBSY, open("run", O_WRONLY));
	FAILS(ETXTBSY, truncate("run", 0));
	OK(close(open_ok("run", O_RDONLY)));
	OK(unlink("run"));
	OK(kill(pid, 9));
	OK(waitpid(pid, NULL, 0));
}

CASE(open, exec_right, 0, "execve: EACCES without x, for a folder too; ENOEXEC for what is no program")
{
	char *const args[] = {(char *)"x", NULL};

	write_file("file", "\177no program");
	OK(mkdir("folder", 0755));
	FAILS(EACCES, execve("file", args, args + 1));
	FAILS(EACCES, execve("folder", args, args + 1));
	OK(chmod("file", 0755));
	FAILS(ENOEXEC, execve("file", args, args + 1));
}

CASE(open, dup_shares_offset, 0, "dup'ed and inherited descriptors share offset and flags, others not")
{
	int fd, copy, other, status;
	char c;
	pid_t pid;

	write_file("file", "abcdef");
	fd = open_ok("file", O_RDONLY);
	copy = (int)OK(dup(fd));
	other = open_ok("file", O_RDONLY);
	SAME(read(fd, &c, 1), 1);
	SAME(read(copy, &c, 1), 1);
	SAME(c, 'b');
	SAME(read(other, &c, 1), 1);
	SAME(c, 'a');
	pid = (pid_t)OK(fork());
	if (pid == 0)
		_exit(read(fd, &c, 1) == 1 && c == 'c' ? 0 : 1);
	OK(waitpid(pid, &status, 0));
	SAME(status, 0);
	SAME(lseek(copy, 0, SEEK_CUR), 3);
	OK(fcntl(fd, F_SETFL, O_APPEND));
	HOLDS(OK(fcntl(copy, F_GETFL)) & O_APPEND);
	HOLDS(!(OK(fcntl(other, F_GETFL)) & O_APPEND));
}

CASE(open, getfl, 0, "F_GETFL: access mode and status flags as opened")
{
	int fd = open_ok("file", O_RDWR | O_CREAT | O_APPEND | O_NONBLOCK | O_SYNC);

	SAME(OK(fcntl(fd, F_GETFL)) & (O_ACCMODE | O_APPEND | O_NONBLOCK | O_SYNC),
		O_RDWR | O_APPEND | O_NONBLOCK | O_SYNC);
}

CASE(open, sync_flags, 0, "O_SYNC and O_DSYNC write as always")
{
	int fd = open_ok("file", O_WRONLY | O_CREAT | O_SYNC);

	SAME(write(fd, "one", 3), 3);
	OK(close(fd));
	fd = open_ok("file", O_WRONLY | O_APPEND | O_DSYNC);
	SAME(write(fd, "two", 3), 3);
	OK(close(fd));
	HOLDS(file_is("file", "onetwo"));
}

CASE(open, umask_everywhere, 0, "umask holds for files, folders, FIFOs and nodes, not for links")
{
	umask(077);
	make_file("file");
	OK(mkdir("folder", 0777));
	OK(mkfifo("fifo", 0666));
	OK(mknod("node", S_IFREG | 0666, 0));
	OK(symlink("x", "link"));
	SAME(mode_of("file"), 0600);
	SAME(mode_of("folder"), 0700);
	SAME(mode_of("fifo"), 0600);
	SAME(mode_of("node"), 0600);
	SAME(mode_of("link"), 0777);
}

CASE(open, append_flag_and_trunc, 0, "O_CREAT|O_TRUNC|O_APPEND on a new and on an old file")
{
	for (int i = 0; i < 2; i++) {
		int fd = open_ok("file", O_WRONLY | O_CREAT | O_TRUNC | O_APPEND);

		SAME(write(fd, "text", 4), 4);
		OK(close(fd));
		HOLDS(file_is("file", "text"));
	}
}
