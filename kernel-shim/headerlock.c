/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kernel-shim/headerlock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"

/* Not at the start: some file systems enforce such locks, and then nobody could read there. */
enum lock_byte { MARK_BYTE, HEADER_BYTE };
static const off_t bytes_start = (off_t)1 << 62;

enum {
	TRIES = 60,
	/* one of ours is at work: longer than deriving a key takes on a slow machine */
	TRIES_HEADER = 300,
	TRIES_SHARED = 40,
	WAIT_MS = 50,
};

static const char lock_folder[] = "/run/cryptsetup";

static void pause_shortly(void)
{
	struct timespec wait = {.tv_nsec = WAIT_MS * 1000000L};

	nanosleep(&wait, NULL);
}

static struct flock byte_lock(enum lock_byte byte, short type)
{
	return (struct flock){.l_type = type, .l_whence = SEEK_SET, .l_start = bytes_start + byte, .l_len = 1};
}

static int byte_set(int fd, enum lock_byte byte, short type)
{
	struct flock lock = byte_lock(byte, type);

	return fcntl(fd, F_OFD_SETLK, &lock) < 0 ? -errno : 0;
}

/* Whether another open file holds the byte. */
static bool byte_is_held(int fd, enum lock_byte byte)
{
	struct flock lock = byte_lock(byte, F_WRLCK);

	return fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

void headerlock_mark(int fd)
{
	if (byte_set(fd, MARK_BYTE, F_RDLCK) < 0)
		return;
}

bool headerlock_is_held(int fd)
{
	return byte_is_held(fd, HEADER_BYTE);
}

void headerlock_wait(int fd)
{
	for (int tries = 0; tries < TRIES_HEADER && headerlock_is_held(fd); tries++)
		pause_shortly();
}

static bool held_elsewhere(int err)
{
	return err == -EAGAIN || err == -EACCES || err == -EINTR;
}

/* flock on the file. One of ours that has it open for its data holds that for good, which keeps cryptsetup
 * out of files; on devices cryptsetup does not look at it. */
static int file_lock(int fd, int how, struct headerlock *lock)
{
	if (flock(fd, how | LOCK_NB) == 0)
		lock->flocked = true;
	else if (errno == EINTR || (errno == EWOULDBLOCK && !byte_is_held(fd, MARK_BYTE)))
		return -EAGAIN;
	else if (errno != EWOULDBLOCK)
		return -errno;
	return 0;
}

/* Opens and locks the lock file; -EAGAIN also when somebody has unlinked it meanwhile. */
static int device_lock_in(int folder, int how, struct headerlock *lock)
{
	CLEANUP_FD int fd = openat(folder, lock->cryptsetup_name,
		O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0700);
	struct stat opened, now;

	if (fd < 0)
		return -errno;
	if (flock(fd, how | LOCK_NB) < 0)
		return -errno;
	if (fstat(fd, &opened) < 0 || fstatat(folder, lock->cryptsetup_name, &now, AT_SYMLINK_NOFOLLOW) < 0 ||
		opened.st_ino != now.st_ino || opened.st_dev != now.st_dev)
		return -EAGAIN;
	lock->cryptsetup_fd = take_fd(&fd);
	return 0;
}

static int device_lock(const struct stat *st, int how, struct headerlock *lock)
{
	CLEANUP_FD int folder = -1;

	if (geteuid() != 0)
		return 0;
	if (mkdir(lock_folder, 0700) < 0 && errno != EEXIST)
		return 0;
	folder = open(lock_folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (folder < 0)
		return 0;
	snprintf(lock->cryptsetup_name, sizeof(lock->cryptsetup_name), "L_%u:%u", major(st->st_rdev),
		minor(st->st_rdev));
	int r = device_lock_in(folder, how, lock);

	/* a machine whose /run cannot be written has no cryptsetup that could, either */
	return r == -EROFS || r == -EPERM ? 0 : r;
}

static void device_unlock(struct headerlock *lock)
{
	CLEANUP_FD int folder = open(lock_folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat opened, now;

	/* the last one removes the file, as cryptsetup does */
	flock(lock->cryptsetup_fd, LOCK_UN);
	if (folder >= 0 && flock(lock->cryptsetup_fd, LOCK_EX | LOCK_NB) == 0 &&
		fstat(lock->cryptsetup_fd, &opened) == 0 &&
		fstatat(folder, lock->cryptsetup_name, &now, AT_SYMLINK_NOFOLLOW) == 0 &&
		opened.st_ino == now.st_ino && opened.st_dev == now.st_dev)
		unlinkat(folder, lock->cryptsetup_name, 0);
	close(lock->cryptsetup_fd);
	lock->cryptsetup_fd = -1;
}

static int take_once(int fd, const struct stat *st, bool has_flock, bool shared, struct headerlock *lock)
{
	int how = shared ? LOCK_SH : LOCK_EX;
	int r = byte_set(fd, HEADER_BYTE, shared ? F_RDLCK : F_WRLCK);
	bool no_bytes = r < 0 && !held_elsewhere(r);

	if (r < 0 && !no_bytes)
		return -EAGAIN;
	r = has_flock ? 0 : file_lock(fd, how, lock);
	if (r == 0 && S_ISBLK(st->st_mode))
		r = device_lock(st, how, lock);
	/* on a file system that has no locks on bytes, flock alone has to do */
	if (r == 0 && no_bytes && !has_flock && !lock->flocked)
		r = -EAGAIN;
	if (r < 0)
		headerlock_drop(fd, lock);
	return r;
}

int headerlock_take(int fd, const struct stat *st, bool has_flock, bool shared, struct headerlock *lock)
{
	for (int tries = 0;; tries++) {
		int r = take_once(fd, st, has_flock, shared, lock);

		if (r == 0 || !held_elsewhere(r))
			return r;
		if (tries >= (shared ? TRIES_SHARED : headerlock_is_held(fd) ? TRIES_HEADER : TRIES))
			return -SDE_BUSY;
		pause_shortly();
	}
}

void headerlock_drop(int fd, struct headerlock *lock)
{
	if (lock->cryptsetup_fd >= 0)
		device_unlock(lock);
	if (lock->flocked)
		flock(fd, LOCK_UN);
	lock->flocked = false;
	/* it may not have been taken, on a file system that has none */
	if (byte_set(fd, HEADER_BYTE, F_UNLCK) < 0)
		return;
}
