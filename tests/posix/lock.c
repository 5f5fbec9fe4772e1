/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fcntl(2) locks, open file description locks, flock(2), leases. */
#include "tests/posix/posix.h"

#include <signal.h>
#include <sys/file.h>
#include <sys/wait.h>

static int lock_op(int fd, int op, short type, off_t start, off_t len)
{
	struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = len};

	return fcntl(fd, op, &lock);
}

/* Type of the lock that another process would meet there, F_UNLCK for none. */
static int other_meets(const char *path, short type, off_t start, off_t len)
{
	int status;

	if (OK(fork()) == 0) {
		struct flock lock = {.l_type = type, .l_start = start, .l_len = len};
		int fd = open(path, O_RDWR);

		_exit(fcntl(fd, F_GETLK, &lock) < 0 ? 99 : lock.l_type);
	}
	OK(wait(&status));
	return WEXITSTATUS(status);
}

CASE(lock, read_and_write, 0, "readers share, writers do not")
{
	int fd;

	make_sized("file", 100);
	fd = open_ok("file", O_RDWR);
	OK(lock_op(fd, F_SETLK, F_RDLCK, 0, 10));
	SAME(other_meets("file", F_RDLCK, 0, 10), F_UNLCK);
	SAME(other_meets("file", F_WRLCK, 5, 1), F_RDLCK);
	SAME(other_meets("file", F_WRLCK, 10, 1), F_UNLCK);
	OK(lock_op(fd, F_SETLK, F_WRLCK, 0, 10));
	SAME(other_meets("file", F_RDLCK, 9, 1), F_WRLCK);
	OK(lock_op(fd, F_SETLK, F_UNLCK, 4, 2));
	SAME(other_meets("file", F_WRLCK, 4, 2), F_UNLCK);
	SAME(other_meets("file", F_WRLCK, 6, 1), F_WRLCK);
}

CASE(lock, conflict, 0, "F_SETLK against another's lock: EAGAIN")
{
	int fd, status;

	make_file("file");
	fd = open_ok("file", O_RDWR);
	OK(lock_op(fd, F_SETLK, F_WRLCK, 0, 0));
	if (OK(fork()) == 0) {
		FAILS(EAGAIN, lock_op(fd, F_SETLK, F_RDLCK, 0, 1));
		FAILS(EAGAIN, lock_op(open_ok("file", O_RDWR), F_SETLK, F_WRLCK, 1000000, 1));
		_exit(0);
	}
	OK(wait(&status));
	SAME(status, 0);
}

CASE(lock, waits, 0, "F_SETLKW waits until the lock is gone")
{
	int fd, status, pipes[2];
	char c;

	make_file("file");
	fd = open_ok("file", O_RDWR);
	OK(pipe(pipes));
	OK(lock_op(fd, F_SETLK, F_WRLCK, 0, 0));
	if (OK(fork()) == 0) {
		OK(lock_op(fd, F_SETLKW, F_WRLCK, 0, 0));
		SAME(read(pipes[0], &c, 1), 1);
		_exit(c == 'u' ? 0 : 1);
	}
	nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
	SAME(write(pipes[1], "u", 1), 1);
	OK(lock_op(fd, F_SETLK, F_UNLCK, 0, 0));
	OK(wait(&status));
	SAME(status, 0);
}

CASE(lock, deadlock, 0, "two that wait for each other: EDEADLK")
{
	int fd, status, pipes[2];
	char c;

	make_file("file");
	fd = open_ok("file", O_RDWR);
	OK(pipe(pipes));
	OK(lock_op(fd, F_SETLK, F_WRLCK, 0, 1));
	if (OK(fork()) == 0) {
		OK(lock_op(fd, F_SETLK, F_WRLCK, 1, 1));
		SAME(write(pipes[1], "x", 1), 1);
		OK(lock_op(fd, F_SETLKW, F_WRLCK, 0, 1));
		_exit(0);
	}
	SAME(read(pipes[0], &c, 1), 1);
	nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
	FAILS(EDEADLK, lock_op(fd, F_SETLKW, F_WRLCK, 1, 1));
	OK(lock_op(fd, F_SETLK, F_UNLCK, 0, 0));
	OK(wait(&status));
	SAME(status, 0);
}

CASE(lock, close_releases, 0, "closing any descriptor of the file releases the process's locks")
{
	int fd, other;

	make_file("file");
	fd = open_ok("file", O_RDWR);
	other = open_ok("file", O_RDONLY);
	OK(lock_op(fd, F_SETLK, F_WRLCK, 0, 0));
	SAME(other_meets("file", F_WRLCK, 0, 0), F_WRLCK);
	OK(close(other));
	SAME(other_meets("file", F_WRLCK, 0, 0), F_UNLCK);
}

CASE(lock, exit_releases, 0, "the end of a process releases its locks; a fork does not inherit")
{
	int fd;

	make_file("file");
	fd = open_ok("file", O_RDWR);
	if (OK(fork()) == 0) {
		OK(lock_op(fd, F_SETLK, F_WRLCK, 0, 0));
		_exit(0);
	}
	OK(wait(NULL));
	OK(lock_op(fd, F_SETLK, F_WRLCK, 0, 0));
}

CASE(lock, errors, 0, "EBADF by access mode, EINVAL, EOVERFLOW free ranges")
{
	int read_only, write_only;

	make_file("file");
	read_only = open_ok("file", O_RDONLY);
	write_only = open_ok("file", O_WRONLY);
	FAILS(EBADF, lock_op(read_only, F_SETLK, F_WRLCK, 0, 0));
	FAILS(EBADF, lock_op(write_only, F_SETLK, F_RDLCK, 0, 0));
	FAILS(EBADF, lock_op(-1, F_SETLK, F_WRLCK, 0, 0));
	FAILS(EINVAL, lock_op(write_only, F_SETLK, 77, 0, 0));
	FAILS(EINVAL, lock_op(write_only, F_SETLK, F_WRLCK, -1, 0));
	FAILS(EINVAL, lock_op(write_only, F_SETLK, F_WRLCK, 0, -1));
	OK(lock_op(write_only, F_SETLK, F_WRLCK, 100, -50));
	SAME(other_meets("file", F_WRLCK, 50, 1), F_WRLCK);
	SAME(other_meets("file", F_WRLCK, 49, 1), F_UNLCK);
	SAME(other_meets("file", F_WRLCK, 100, 1), F_UNLCK);
}

CASE(lock, ofd, 0, "open file description locks: between descriptors of one process, kept by dup")
{
	int one, two, copy;

	make_file("file");
	one = open_ok("file", O_RDWR);
	two = open_ok("file", O_RDWR);
	OK(lock_op(one, F_OFD_SETLK, F_WRLCK, 0, 10));
	FAILS(EAGAIN, lock_op(two, F_OFD_SETLK, F_WRLCK, 0, 10));
	OK(lock_op(two, F_OFD_SETLK, F_WRLCK, 10, 10));
	FAILS(EAGAIN, lock_op(one, F_SETLK, F_WRLCK, 0, 1));
	copy = (int)OK(dup(one));
	OK(close(one));
	FAILS(EAGAIN, lock_op(two, F_OFD_SETLK, F_WRLCK, 0, 10));
	OK(close(copy));
	OK(lock_op(two, F_OFD_SETLK, F_WRLCK, 0, 10));
}

CASE(lock, whole_file, 0, "flock: shared and exclusive, upgraded, EWOULDBLOCK")
{
	int one, two;

	make_file("file");
	one = open_ok("file", O_RDONLY);
	two = open_ok("file", O_RDONLY);
	OK(flock(one, LOCK_SH));
	OK(flock(two, LOCK_SH | LOCK_NB));
	FAILS(EWOULDBLOCK, flock(one, LOCK_EX | LOCK_NB));
	OK(flock(two, LOCK_UN));
	OK(flock(one, LOCK_EX | LOCK_NB));
	FAILS(EWOULDBLOCK, flock(two, LOCK_SH | LOCK_NB));
	OK(close(one));
	OK(flock(two, LOCK_EX | LOCK_NB));
	FAILS(EINVAL, flock(two, 77));
	FAILS(EBADF, flock(-1, LOCK_EX));
}

CASE(lock, flock_dup, 0, "flock belongs to the description: dup and fork share it")
{
	int one, copy, two, status;

	make_file("file");
	one = open_ok("file", O_RDWR);
	two = open_ok("file", O_RDWR);
	copy = (int)OK(dup(one));
	OK(flock(one, LOCK_EX));
	if (OK(fork()) == 0)
		_exit(flock(copy, LOCK_EX | LOCK_NB) == 0 ? 0 : 1);
	OK(wait(&status));
	SAME(status, 0);
	OK(close(one));
	FAILS(EWOULDBLOCK, flock(two, LOCK_EX | LOCK_NB));
	OK(close(copy));
	OK(flock(two, LOCK_EX | LOCK_NB));
}

CASE(lock, flock_folder, 0, "folders can be locked, too")
{
	int one = open_ok(".", O_RDONLY), two = open_ok(".", O_RDONLY);

	OK(flock(one, LOCK_EX));
	FAILS(EWOULDBLOCK, flock(two, LOCK_EX | LOCK_NB));
}

CASE(lock, lockf, 0, "lockf: F_TLOCK, F_TEST, F_ULOCK from the offset on")
{
	int fd, status;

	make_sized("file", 100);
	fd = open_ok("file", O_RDWR);
	SAME(lseek(fd, 50, SEEK_SET), 50);
	OK(lockf(fd, F_TLOCK, 10));
	if (OK(fork()) == 0) {
		int other = open_ok("file", O_RDWR);

		OK(lockf(other, F_TEST, 50));
		SAME(lseek(other, 55, SEEK_SET), 55);
		_exit(lockf(other, F_TEST, 1) < 0 && (errno == EAGAIN || errno == EACCES) ? 0 : 1);
	}
	OK(wait(&status));
	SAME(status, 0);
	OK(lockf(fd, F_ULOCK, 10));
	SAME(other_meets("file", F_WRLCK, 50, 10), F_UNLCK);
}

CASE(lock, lease, 0, "a lease is taken when nobody else has the file open, else EAGAIN")
{
	int fd, other;

	make_file("file");
	fd = open_ok("file", O_RDONLY);
	SAME(fcntl(fd, F_GETLEASE), F_UNLCK);
	OK(fcntl(fd, F_SETLEASE, F_RDLCK));
	SAME(fcntl(fd, F_GETLEASE), F_RDLCK);
	OK(fcntl(fd, F_SETLEASE, F_UNLCK));
	other = open_ok("file", O_RDWR);
	FAILS(EAGAIN, fcntl(fd, F_SETLEASE, F_RDLCK));
	OK(close(other));
}
