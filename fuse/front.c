/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The libfuse session.
 *
 * 1. No OPENDIR and FLUSH round trips, and no state behind handles, as every request carries its node id.
 *    OPEN is there for the sake of chattr's flags (ops-open.c), and gives a number, by which a file
 *    that is open knows which losses of data it has heard of (marks.h). A file's blocks live until the
 *    kernel forgets its node (see the node table), so open, deleted files need no handles.
 * 2. The kernel owns sizes and times of regular files (write-back caching) and brings them with
 *    SETATTR; O_TRUNC is a SETATTR too.
 * 3. front_serve() ends when the kernel is done with the mount or front_stop() says so; requests in
 *    work are finished then, as libfuse's threads can only be cancelled while they wait.
 */
#include "fuse/front-state.h"

#include <errno.h>
#include <fcntl.h>
#include <fuse3/fuse_opt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/i18n.h"
#include "fuse/fuselog.h"
#include "fuse/marks.h"
#include "fuse/mountinfo.h"
#include "fuse/rawops.h"
#include "fuse/seek.h"
#include "fuse/turns.h"

static void op_init(void *ctx, struct fuse_conn_info *conn)
{
	const unsigned wanted = FUSE_CAP_ASYNC_READ | FUSE_CAP_WRITEBACK_CACHE |
		FUSE_CAP_PARALLEL_DIROPS | FUSE_CAP_READDIRPLUS | FUSE_CAP_READDIRPLUS_AUTO |
		FUSE_CAP_ASYNC_DIO | FUSE_CAP_IOCTL_DIR | FUSE_CAP_EXPORT_SUPPORT |
		FUSE_CAP_CACHE_SYMLINKS | FUSE_CAP_POSIX_ACL | FUSE_CAP_DONT_MASK;
	struct front *front = ctx;
	struct e4_statfs fs;

	e4_statfs(front->fs, &fs);
	conn->time_gran = fs.time_gran_ns; /* the kernel must not remember more than is stored */
	/* Left out on purpose: ATOMIC_O_TRUNC (invariant 2), AUTO_INVAL_DATA (nobody else changes
	 * the files), HANDLE_KILLPRIV (see killpriv.h). DONT_MASK: a default ACL takes the umask's place. */
	conn->want = conn->capable & wanted;
	conn->max_write = FRONT_REQUEST_MAX;
	conn->max_readahead = FRONT_READAHEAD;
	conn->max_background = FRONT_BACKGROUND_MAX;
	conn->congestion_threshold = FRONT_BACKGROUND_MAX * 3 / 4;
	front->mixes_direct = conn->proto_major > 7 || conn->proto_minor >= 39; /* Linux 6.6 */
	front->opendir_needless = conn->capable & FUSE_CAP_NO_OPENDIR_SUPPORT;
}

/* What is missing here is answered with ENOSYS by libfuse, once, and then not asked again: access,
 * copy_file_range; locks stay in the kernel. */
const struct fuse_lowlevel_ops front_ops = {
	.init = op_init,
	.lookup = op_lookup,
	.forget = op_forget,
	.forget_multi = op_forget_multi,
	.getattr = op_getattr,
	.setattr = op_setattr,
	.readlink = op_readlink,
	.getxattr = op_getxattr,
	.setxattr = op_setxattr,
	.listxattr = op_listxattr,
	.removexattr = op_removexattr,
	.mknod = op_mknod,
	.mkdir = op_mkdir,
	.unlink = op_unlink,
	.rmdir = op_rmdir,
	.symlink = op_symlink,
	.rename = op_rename,
	.link = op_link,
	.open = op_open,
	.create = op_create,
	.read = op_read,
	.write = op_write,
	.flush = op_flush,
	.release = op_release,
	.fsync = op_fsync,
	.opendir = op_opendir,
	.readdir = op_readdir,
	.readdirplus = op_readdirplus,
	.fsyncdir = op_fsync,
	.statfs = op_statfs,
	.fallocate = op_fallocate,
	.lseek = op_lseek,
	.ioctl = op_ioctl,
};

static int session_args(const struct front_options *options, struct fuse_args *args)
{
	CLEANUP_FREE char *source = NULL;
	char *opts = NULL;
	int failed;

	if (asprintf(&source, "fsname=%s", options->source) < 0)
		return -ENOMEM;
	failed = fuse_opt_add_opt_escaped(&opts, source) ||
		fuse_opt_add_opt(&opts, "subtype=sealdrive,default_permissions,nosuid,nodev") ||
		(options->read_only && fuse_opt_add_opt(&opts, "ro")) ||
		(options->allow_other && fuse_opt_add_opt(&opts, "allow_other")) ||
		fuse_opt_add_arg(args, "sealdrive") || fuse_opt_add_arg(args, "-o") ||
		fuse_opt_add_arg(args, opts);
	free(opts);
	return failed ? -ENOMEM : 0;
}

/* Interrupts the wait in fuse_session_loop_mt(); it needs no more than that. */
static void wake_up(int signal_number)
{
}

static int session_new(const struct front_options *options, struct front *front, struct diag *diag)
{
	struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
	struct sigaction action = {.sa_handler = wake_up};
	int err = session_args(options, &args);

	if (err == 0) {
		fuselog_begin();
		front->session = fuse_session_new(&args, &front_ops, sizeof(front_ops), front);
		err = front->session ? 0 : fuselog_failed(diag);
	}
	fuse_opt_free_args(&args);
	if (err < 0)
		return err;
	sigaction(SIGUSR1, &action, NULL);
	return 0;
}

int front_new(const struct front_options *options, struct e4_fs *fs, struct front **ret_front,
	struct diag *diag)
{
	struct front *front = calloc(1, sizeof(*front));
	int err;

	if (!front)
		return -ENOMEM;
	front->fs = fs;
	front->owner = options->owner;
	front->thread = pthread_self();
	front->labels_idle = access("/sys/fs/selinux", F_OK) < 0;
	pthread_mutex_init(&front->lock, NULL);
	pthread_cond_init(&front->ended_changed, NULL);
	err = nodes_new(fs, &front->nodes);
	if (err == 0)
		err = marks_new(&front->marks);
	if (err == 0)
		err = marks_new(&front->refused);
	if (err == 0)
		err = seeker_new(front, &front->seeker);
	if (err == 0)
		err = turns_new(FRONT_THREADS_MAX, &front->turns);
	if (err == 0)
		err = session_new(options, front, diag);
	if (err < 0) {
		front_free(front);
		return err;
	}
	*ret_front = front;
	return 0;
}

/*
 * The kernel reads ahead 128 KiB by default, whatever we offer. Only root may raise that; it must
 * happen before the first request is answered.
 */
static void raise_readahead(const struct front *front)
{
	CLEANUP_FD int fd = -1;
	char path[64];

	snprintf(path, sizeof(path), "/sys/class/bdi/%u:%u/read_ahead_kb", front->device_major,
		front->device_minor);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd >= 0)
		dprintf(fd, "%d\n", FRONT_READAHEAD / 1024);
}

int front_mount(struct front *front, const char *mount_point, struct diag *diag)
{
	CLEANUP_FREE char *copy = strdup(mount_point);
	struct mountinfo info;

	if (!copy)
		return -ENOMEM;
	fuselog_begin();
	if (fuse_session_mount(front->session, mount_point) != 0)
		return fuselog_failed(diag);
	if (mountinfo_find(mount_point, &info) < 0) {
		fuse_session_unmount(front->session);
		return diag_set(diag, -SDE_FUSE, "%s", mount_point);
	}
	front->device_major = info.major;
	front->device_minor = info.minor;
	mountinfo_clear(&info);
	if (rawops_install(front->session) < 0) {
		fuse_session_unmount(front->session);
		return fuselog_failed(diag);
	}
	front->mount_point = take_ptr(copy);
	raise_readahead(front);
	return 0;
}

bool front_is_mounted(const struct front *front)
{
	struct mountinfo info;
	bool mounted;

	if (!front->mount_point || mountinfo_find(front->mount_point, &info) < 0)
		return false;
	mounted = info.major == front->device_major && info.minor == front->device_minor;
	mountinfo_clear(&info);
	return mounted;
}

void front_device(const struct front *front, unsigned *ret_major, unsigned *ret_minor)
{
	*ret_major = front->device_major;
	*ret_minor = front->device_minor;
}

void front_counters(struct front *front, struct counters *counters)
{
	counters_add_requests(counters, &front->requests);
}

static void front_set_ended(struct front *front)
{
	pthread_mutex_lock(&front->lock);
	front->ended = true;
	pthread_cond_broadcast(&front->ended_changed);
	pthread_mutex_unlock(&front->lock);
}

int front_serve(struct front *front)
{
	struct fuse_loop_config *config = fuse_loop_cfg_create();
	int err = -ENOMEM;

	if (config) {
		fuse_loop_cfg_set_clone_fd(config, 1);
		fuse_loop_cfg_set_max_threads(config, FRONT_THREADS_MAX);
		fuse_loop_cfg_set_idle_threads(config, FRONT_THREADS_MAX);
		err = fuse_session_loop_mt(front->session, config);
		fuse_loop_cfg_destroy(config);
	}
	front_set_ended(front);
	return err < 0 ? err : 0;
}

bool front_wait_ended(struct front *front, unsigned timeout_ms)
{
	struct timespec until;
	bool ended;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += timeout_ms / 1000;
	until.tv_nsec += timeout_ms % 1000 * 1000000L;
	if (until.tv_nsec >= 1000000000L) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000L;
	}
	pthread_mutex_lock(&front->lock);
	while (!front->ended)
		if (pthread_cond_timedwait(&front->ended_changed, &front->lock, &until) == ETIMEDOUT)
			break;
	ended = front->ended;
	pthread_mutex_unlock(&front->lock);
	return ended;
}

void front_stop(struct front *front)
{
	seeker_stop(front->seeker);
	/* A signal that comes just before the loop begins to wait is lost, hence several. */
	while (!front_wait_ended(front, 20)) {
		pthread_mutex_lock(&front->lock);
		if (!front->ended) {
			fuse_session_exit(front->session);
			pthread_kill(front->thread, SIGUSR1);
		}
		pthread_mutex_unlock(&front->lock);
	}
}

void front_close(struct front *front)
{
	front_set_ended(front);
	if (front->seeker)
		seeker_stop(front->seeker);
	/* libfuse unmounts by name: never something else that is mounted there by now */
	if (front_is_mounted(front))
		fuse_session_unmount(front->session);
	if (front->session)
		fuse_session_destroy(front->session);
	front->session = NULL;
	nodes_free(front->nodes);
	front->nodes = NULL;
}

void front_free(struct front *front)
{
	if (!front)
		return;
	front_close(front);
	seeker_free(front->seeker);
	turns_free(front->turns);
	marks_free(front->refused);
	marks_free(front->marks);
	pthread_cond_destroy(&front->ended_changed);
	pthread_mutex_destroy(&front->lock);
	free(front->mount_point);
	free(front);
}

static bool find_fusermount(char *path, size_t size)
{
	const char *dirs = getenv("PATH");

	if (!dirs)
		dirs = "/usr/bin:/bin";
	for (const char *p = dirs; *p; p += strcspn(p, ":"), p += *p == ':') {
		int n = snprintf(path, size, "%.*s/fusermount3", (int)strcspn(p, ":"), p);

		if (n > 0 && (size_t)n < size && access(path, X_OK) == 0)
			return true;
	}
	return false;
}

/* As fusermount3 reads it. A line that we take and it does not is no harm: it has the last word. */
static bool others_allowed(void)
{
	CLEANUP_FILE FILE *file = fopen("/etc/fuse.conf", "re");
	char line[256];

	if (!file)
		return access("/etc/fuse.conf", F_OK) == 0; /* only fusermount3 may read it */
	while (fgets(line, sizeof(line), file)) {
		const char *word = line + strspn(line, " \t");
		size_t len = strcspn(word, " \t\r\n#");

		if (len == strlen("user_allow_other") && strncmp(word, "user_allow_other", len) == 0)
			return true;
	}
	return false;
}

int front_check_usable(bool allow_other, struct diag *diag)
{
	CLEANUP_FD int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	char path[4096];
	struct stat st;

	if (fd < 0 && errno == EACCES)
		return diag_set(diag, -SDE_FUSE, _("you may not open /dev/fuse"));
	if (fd < 0)
		return diag_set(diag, -SDE_FUSE, _("/dev/fuse cannot be opened: %s"),
			strerror(errno));
	if (geteuid() == 0)
		return 0;
	if (!find_fusermount(path, sizeof(path)))
		return diag_set(diag, -SDE_FUSE, _("the program fusermount3 is not installed"));
	if (stat(path, &st) == 0 && (st.st_uid != 0 || !(st.st_mode & S_ISUID)))
		return diag_set(diag, -SDE_FUSE, _("%s is not setuid root"), path);
	return allow_other && !others_allowed() ? -SDE_ALLOW_OTHER : 0;
}
