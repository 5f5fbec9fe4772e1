/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 *	folder made -> mounted -> served by one thread -> unmounted -> folder removed
 *
 * 1. One thread answers all requests, so `buffer` needs no lock. Programs that check file systems wait for
 *    each of their requests anyway.
 * 2. The first failure of the device is kept: the program only sees an errno, and may go on.
 * 3. Unmounting comes first, so that nothing new is opened; then the thread is told to end, as a program
 *    that still has the file open would keep it waiting; with the session the last way in is gone.
 */
#include "fuse/plainfile.h"

#define FUSE_USE_VERSION 312

#include <errno.h>
#include <fcntl.h>
#include <fuse3/fuse_lowlevel.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/bytes.h"
#include "base/secret.h"
#include "fuse/fuselog.h"
#include "fuse/mountpoint.h"

enum {
	REQUEST_MAX = 1024 * 1024,
	FILE_NODE = FUSE_ROOT_ID + 1,
	CACHE_SECONDS = 3600,
};

static const char file_name[] = "volume";

struct plainfile {
	struct blkdev *dev;
	bool read_only, mounted, serving;
	char *folder, *path;
	struct fuse_session *session;
	pthread_t thread;
	struct timespec made;
	atomic_int error; /* invariant 2 */
	char *buffer;
};

/* ---- requests ---- */

static int note(struct plainfile *file, int err)
{
	int none = 0;

	if (err < 0)
		atomic_compare_exchange_strong(&file->error, &none, err);
	return err;
}

/* Project codes never come from a device's reads and writes, but are no errnos either. */
static void reply_result(fuse_req_t req, int err)
{
	fuse_reply_err(req, err <= -SDE_FIRST ? EIO : -err);
}

static bool attributes(const struct plainfile *file, fuse_ino_t node, struct stat *st)
{
	*st = (struct stat){
		.st_ino = node,
		.st_uid = geteuid(),
		.st_gid = getegid(),
		.st_atim = file->made,
		.st_mtim = file->made,
		.st_ctim = file->made,
		.st_blksize = 4096,
	};
	if (node == FUSE_ROOT_ID) {
		st->st_mode = S_IFDIR | 0500;
		st->st_nlink = 2;
		return true;
	}
	st->st_mode = S_IFREG | (file->read_only ? 0400 : 0600);
	st->st_nlink = 1;
	st->st_size = (off_t)file->dev->size_bytes;
	st->st_blocks = (blkcnt_t)(file->dev->size_bytes / 512);
	return node == FILE_NODE;
}

static void plain_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param e = {
		.ino = FILE_NODE, .attr_timeout = CACHE_SECONDS, .entry_timeout = CACHE_SECONDS};

	if (parent != FUSE_ROOT_ID || strcmp(name, file_name) != 0) {
		fuse_reply_err(req, ENOENT);
		return;
	}
	attributes(fuse_req_userdata(req), FILE_NODE, &e.attr);
	fuse_reply_entry(req, &e);
}

static void plain_getattr(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi)
{
	struct stat st;

	if (attributes(fuse_req_userdata(req), node, &st))
		fuse_reply_attr(req, &st, CACHE_SECONDS);
	else
		fuse_reply_err(req, ENOENT);
}

/* resize2fs cuts an image off behind its last whole block; a drive has the size that it has. */
static void plain_setattr(fuse_req_t req, fuse_ino_t node, struct stat *attr, int to_set,
	struct fuse_file_info *fi)
{
	if (to_set & (FUSE_SET_ATTR_MODE | FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID))
		fuse_reply_err(req, EPERM);
	else
		plain_getattr(req, node, fi);
}

static void plain_open(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi)
{
	const struct plainfile *file = fuse_req_userdata(req);

	if (node != FILE_NODE) {
		fuse_reply_err(req, EISDIR);
		return;
	}
	if (file->read_only && (fi->flags & O_ACCMODE) != O_RDONLY) {
		fuse_reply_err(req, EROFS);
		return;
	}
	fi->direct_io = 1;
	fuse_reply_open(req, fi);
}

static void plain_read(fuse_req_t req, fuse_ino_t node, size_t size, off_t off,
	struct fuse_file_info *fi)
{
	struct plainfile *file = fuse_req_userdata(req);
	uint64_t end = file->dev->size_bytes, at = (uint64_t)off;
	int err = 0;

	size = at >= end ? 0 : min_u64(min_u64(size, end - at), REQUEST_MAX);
	if (size > 0)
		err = note(file, blkdev_read(file->dev, file->buffer, size, at));
	if (err < 0)
		reply_result(req, err);
	else
		fuse_reply_buf(req, file->buffer, size);
}

static void plain_write(fuse_req_t req, fuse_ino_t node, const char *data, size_t size, off_t off,
	struct fuse_file_info *fi)
{
	struct plainfile *file = fuse_req_userdata(req);
	int err;

	if (!range_inside((uint64_t)off, size, file->dev->size_bytes)) {
		fuse_reply_err(req, EFBIG);
		return;
	}
	err = size > 0 ? note(file, blkdev_write(file->dev, data, size, (uint64_t)off)) : 0;
	if (err < 0)
		reply_result(req, err);
	else
		fuse_reply_write(req, size);
}

static void plain_fsync(fuse_req_t req, fuse_ino_t node, int data_only, struct fuse_file_info *fi)
{
	struct plainfile *file = fuse_req_userdata(req);

	reply_result(req, file->read_only ? 0 : note(file, blkdev_flush(file->dev)));
}

static void plain_flush(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi)
{
	plain_fsync(req, node, 0, fi);
}

/* No fallocate: a program takes a hole that it punched for zeros, which a discarded block need not be. */
static const struct fuse_lowlevel_ops plain_ops = {
	.lookup = plain_lookup,
	.getattr = plain_getattr,
	.setattr = plain_setattr,
	.open = plain_open,
	.read = plain_read,
	.write = plain_write,
	.flush = plain_flush,
	.fsync = plain_fsync,
};

/* ---- mount ---- */

static bool folder_usable(const char *path)
{
	struct stat st;

	return path && path[0] == '/' && lstat(path, &st) == 0 && S_ISDIR(st.st_mode) &&
		st.st_uid == geteuid() && access(path, W_OK | X_OK) == 0;
}

static int folder_make(struct plainfile *file, struct diag *diag)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	const char *parent = folder_usable(runtime) ? runtime : "/tmp";

	if (asprintf(&file->folder, "%s/sealdrive-volume-XXXXXX", parent) < 0) {
		file->folder = NULL;
		return -ENOMEM;
	}
	if (!mkdtemp(file->folder)) {
		int err = diag_set(diag, -errno, "%s", parent);

		free(take_ptr(file->folder));
		return err;
	}
	if (asprintf(&file->path, "%s/%s", file->folder, file_name) < 0) {
		file->path = NULL;
		return -ENOMEM;
	}
	return 0;
}

static int mount_it(struct plainfile *file, struct diag *diag)
{
	char program[] = "sealdrive", option[] = "-o";
	char writable[] = "fsname=sealdrive-volume,subtype=sealdrive-volume,default_permissions,"
		"nosuid,nodev,noexec,noatime";
	char read_only[sizeof(writable) + 3];
	char *argv[] = {program, option, writable, NULL};
	struct fuse_args args = FUSE_ARGS_INIT(3, argv);

	snprintf(read_only, sizeof(read_only), "%s,ro", writable);
	if (file->read_only)
		argv[2] = read_only;
	fuselog_begin();
	file->session = fuse_session_new(&args, &plain_ops, sizeof(plain_ops), file);
	fuse_opt_free_args(&args);
	if (!file->session || fuse_session_mount(file->session, file->folder) != 0)
		return fuselog_failed(diag);
	file->mounted = true;
	return 0;
}

static void *serve(void *arg)
{
	struct plainfile *file = arg;

	/* what went wrong is in file->error, or nobody can read any more, which the program notices */
	if (fuse_session_loop(file->session) < 0)
		return file;
	return NULL;
}

/* Interrupts the thread's wait for a request; it needs no more than that. */
static void wake_up(int signal_number)
{
}

static int serve_start(struct plainfile *file)
{
	struct sigaction action = {.sa_handler = wake_up};
	sigset_t most, old;
	int err;

	sigaction(SIGUSR1, &action, NULL);
	sigfillset(&most);
	sigdelset(&most, SIGUSR1);
	pthread_sigmask(SIG_SETMASK, &most, &old);
	err = pthread_create(&file->thread, NULL, serve, file);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	file->serving = err == 0;
	return -err;
}

/* A signal that comes just before the thread begins to wait is lost, hence several. */
static void serve_stop(struct plainfile *file)
{
	struct timespec until;

	fuse_session_exit(file->session);
	do {
		pthread_kill(file->thread, SIGUSR1);
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += 20 * 1000000L;
		if (until.tv_nsec >= 1000000000L) {
			until.tv_sec++;
			until.tv_nsec -= 1000000000L;
		}
	} while (pthread_timedjoin_np(file->thread, NULL, &until) == ETIMEDOUT);
	file->serving = false;
}

int plainfile_open(struct blkdev *dev, bool read_only, struct plainfile **ret_file,
	struct diag *diag)
{
	struct plainfile *file = calloc(1, sizeof(*file));
	int err;

	if (!file)
		return -ENOMEM;
	file->dev = dev;
	file->read_only = read_only || dev->read_only;
	clock_gettime(CLOCK_REALTIME, &file->made);
	file->buffer = malloc(REQUEST_MAX);
	err = file->buffer ? folder_make(file, diag) : -ENOMEM;
	if (err == 0)
		err = mount_it(file, diag);
	if (err == 0)
		err = serve_start(file);
	if (err < 0) {
		int close_err = plainfile_close(file);

		return close_err < 0 ? close_err : err;
	}
	*ret_file = file;
	return 0;
}

const char *plainfile_path(const struct plainfile *file)
{
	return file->path;
}

int plainfile_close(struct plainfile *file)
{
	bool unmounted;
	int err;

	if (!file)
		return 0;
	unmounted = !file->mounted || mountpoint_unmount(file->folder, true, NULL) == 0;
	if (file->serving)
		serve_stop(file);
	if (!unmounted) /* perhaps libfuse can */
		fuse_session_unmount(file->session);
	if (file->session)
		fuse_session_destroy(file->session);
	if (file->folder)
		rmdir(file->folder);
	if (!file->read_only)
		note(file, blkdev_flush(file->dev));
	err = atomic_load(&file->error);
	if (file->buffer)
		bytes_wipe(file->buffer, REQUEST_MAX);
	free(file->buffer);
	free(file->path);
	free(file->folder);
	free(file);
	return err;
}
