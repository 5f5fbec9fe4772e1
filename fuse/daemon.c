/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 *	opened -> unlocked -> mounted -> serving -> closed
 *
 * 1. The order of closing: no more requests (front_close), then the file system and the drive
 *    (volume), then the word that it may be pulled out (control), and with that the control's
 *    threads end, which use the front (front_free).
 * 2. The control thread asks for the status under `lock` and only while `live`. The drive may have to be
 *    waited for after that, while the volume is finished: it may be given up under `lock` while `may_wait`.
 *
 * 3. A drive that is away has a socket named after this process; one that is back, after what it is
 *    now. It is waited for from the moment it is mounted.
 *
 * Locks: `lock` is outside of all of ext4's, `error_lock` inside of them.
 */
#include "fuse/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "base/i18n.h"
#include "base/text.h"
#include "fuse/control.h"
#include "fuse/front.h"
#include "fuse/mountpoint.h"
#include "fuse/notify.h"

enum {
	GRACE_MS = 5000, /* for programs that still use a drive when a signal ends its service */
	LAST_MOUNT_MS = 3000, /* the kernel's good-bye takes no time */
	LARGE_BYTES = 256 * 1024, /* memory apart from the heap */
};

struct daemon {
	struct daemon_options options; /* without its strings */
	char *target;	   /* canonical; under error_lock once it is mounted */
	char *mount_point; /* canonical; NULL until chosen */
	struct registry_key key;
	struct volume *volume;
	struct front *front;
	struct control *control;
	int64_t since;

	pthread_mutex_t lock;
	bool live; /* under lock: volume may be asked */
	bool may_wait; /* under lock: volume may be waiting for its drive */
	pthread_mutex_t error_lock;
	char error[256]; /* under error_lock */
};

void daemon_block_signals(void)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
}

static int target_key(const char *target, struct registry_key *ret_key)
{
	struct stat st;

	if (stat(target, &st) < 0)
		return -errno;
	registry_key_make(&st, ret_key);
	return 0;
}

int daemon_check_target(const char *target, struct diag *diag)
{
	struct registry_key key;
	struct drive_status status;
	struct sockaddr_un addr;
	int err = target_key(target, &key);

	if (err < 0)
		return err;
	if (!registry_find(geteuid(), &key, &addr) ||
		control_status(addr.sun_path, geteuid(), &status) < 0)
		return 0;
	err = diag_set(diag, -SDE_MOUNTED, "%s", status.mount_point);
	drive_status_clear(&status);
	return err;
}

static void daemon_log(struct daemon *daemon, int priority, const char *fmt, ...) PRINTF(3, 4);
static void daemon_log(struct daemon *daemon, int priority, const char *fmt, ...)
{
	char text[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	pthread_mutex_lock(&daemon->error_lock);
	syslog(LOG_DAEMON | priority, "%s: %s", daemon->target, text);
	pthread_mutex_unlock(&daemon->error_lock);
}

/* The file system has turned read-only. Nobody reads the terminal of a daemon, if it has one. */
static void volume_failed(void *ctx, int err, const char *what)
{
	struct daemon *daemon = ctx;

	daemon_log(daemon, LOG_ERR, "read-only from now on: %s: %s", what, error_text(err));
	pthread_mutex_lock(&daemon->error_lock);
	snprintf(daemon->error, sizeof(daemon->error), "%s: %s", error_text(err), what);
	pthread_mutex_unlock(&daemon->error_lock);
}

/* fsync tells those who have the file open. */
static void data_lost(void *ctx, uint32_t ino)
{
	daemon_log(ctx, LOG_ERR, "data of file number %u could not be written", (unsigned)ino);
}

/* ---- a drive that is pulled out and put back ---- */

static void move_control(struct daemon *daemon, const struct registry_key *key)
{
	int err = daemon->control ? control_move(daemon->control, key) : 0;

	/* it is found by its folder still */
	if (err < 0)
		daemon_log(daemon, LOG_WARNING, "control socket: %s", error_text(err));
}

/* On the desktop, in the user's language. */
static void show_message(struct daemon *daemon, const char *what, const char *body)
{
	CLEANUP_FREE char *name = NULL;
	char summary[256];

	pthread_mutex_lock(&daemon->error_lock);
	if (text_sanitize(daemon->target, strlen(daemon->target), &name) < 0)
		name = NULL;
	pthread_mutex_unlock(&daemon->error_lock);
	snprintf(summary, sizeof(summary), "%s: %s", what, name ? name : "");
	notify_show(summary, body);
}

static void drive_away(struct daemon *daemon)
{
	struct registry_key key;
	char text[400];

	registry_key_away(getpid(), &key);
	move_control(daemon, &key);
	daemon_log(daemon, LOG_WARNING, "it was pulled out; waiting %u seconds for it",
		daemon->options.grace_ms / 1000);
	snprintf(text, sizeof(text), _("It was pulled out before it was unmounted. Programs wait for it "
				       "for %u seconds; then what was not written yet is lost."),
		daemon->options.grace_ms / 1000);
	show_message(daemon, _("Put the drive back"), text);
}

static void drive_back(struct daemon *daemon)
{
	struct registry_key key;
	struct stat st;
	char *target;

	if (volume_target(daemon->volume, &target, &st) < 0)
		return;
	pthread_mutex_lock(&daemon->error_lock);
	free(daemon->target);
	daemon->target = target;
	pthread_mutex_unlock(&daemon->error_lock);
	registry_key_make(&st, &key);
	move_control(daemon, &key);
	daemon_log(daemon, LOG_NOTICE, "it is back");
}

static void drive_event(void *ctx, enum reattach_event event, int err)
{
	struct daemon *daemon = ctx;

	switch (event) {
	case REATTACH_AWAY:
		drive_away(daemon);
		break;
	case REATTACH_REFUSED:
		daemon_log(daemon, LOG_WARNING, "put back, but not taken: %s", error_text(err));
		show_message(daemon, _("This drive is not taken"), error_text(err));
		break;
	case REATTACH_BACK:
		drive_back(daemon);
		break;
	case REATTACH_LOST:
		daemon_log(daemon, LOG_ERR, "it is gone");
		show_message(daemon, _("The drive is gone"),
			_("What was not written to it is lost. Unmount it, and mount it again when it is back."));
		break;
	}
}

static int daemon_open_volume(struct daemon *daemon, const struct daemon_options *options,
	struct diag *diag)
{
	struct volume_options volume_options = {
		.target = options->target,
		.header = options->header,
		.read_only = options->read_only,
		.discard = options->discard,
		.accept_header_change = options->accept_header_change,
		.atime = options->atime,
		.commit_ms = options->commit_ms,
		.on_error = volume_failed,
		.on_loss = data_lost,
		.on_error_ctx = daemon,
		.on_wait = options->on_wait,
		.on_wait_ctx = options->on_wait_ctx,
		.on_reattach = drive_event,
		.on_reattach_ctx = daemon,
	};
	int err;

	daemon->target = realpath(options->target, NULL);
	if (!daemon->target)
		return -errno;
	if (options->mount_point) {
		daemon->mount_point = strdup(options->mount_point);
		if (!daemon->mount_point)
			return -ENOMEM;
	}
	err = target_key(daemon->target, &daemon->key);
	return err < 0 ? err : volume_open(&volume_options, &daemon->volume, diag);
}

int daemon_open(const struct daemon_options *options, struct daemon **ret_daemon,
	struct diag *diag)
{
	struct daemon *daemon = calloc(1, sizeof(*daemon));
	int err, close_err;

	if (!daemon)
		return -ENOMEM;
	pthread_mutex_init(&daemon->lock, NULL);
	pthread_mutex_init(&daemon->error_lock, NULL);
	daemon->options = *options;
	daemon->options.target = daemon->options.header = daemon->options.mount_point = NULL;
	err = daemon_open_volume(daemon, options, diag);
	if (err < 0) {
		close_err = daemon_close(daemon);
		return err < 0 ? err : close_err;
	}
	*ret_daemon = daemon;
	return 0;
}

const struct luks2 *daemon_header(const struct daemon *daemon)
{
	return volume_header(daemon->volume);
}

int daemon_unlock(struct daemon *daemon, const struct secret *passphrase, int slot, struct diag *diag)
{
	return volume_unlock(daemon->volume, passphrase, slot, diag);
}

/* ---- what the control socket asks for ---- */

static char *string_or_empty(const char *text)
{
	return strdup(text ? text : "");
}

static void status_fill(struct daemon *daemon, struct drive_status *status)
{
	const struct luks2 *hdr = volume_header(daemon->volume);
	const struct luks2_segment *segment = luks2_data_segment(hdr);
	struct e4_fs *fs = volume_fs(daemon->volume);
	const char *reason = e4_read_only_reason(fs);
	struct reattach_state reattach;
	struct e4_statfs statfs;

	volume_reattach_state(daemon->volume, &reattach);
	e4_statfs(fs, &statfs);
	*status = (struct drive_status){
		.uuid = string_or_empty(hdr->uuid),
		.label = string_or_empty(statfs.label[0] ? statfs.label : hdr->label),
		.mount_point = string_or_empty(daemon->mount_point),
		.cipher = string_or_empty(segment ? segment->cipher : NULL),
		.owner_view = string_or_empty(owner_view_name(daemon->options.view)),
		.read_only_reason = string_or_empty(reason),
		.pid = getpid(),
		.read_only = e4_is_read_only(fs),
		.memory_locked = secret_all_locked(),
		.size_bytes = statfs.blocks * statfs.block_bytes,
		.free_bytes = statfs.blocks_avail * statfs.block_bytes,
		.since = daemon->since,
		.away = reattach.away,
		.seconds_left = reattach.seconds_left,
		.refused = string_or_empty(reattach.refused ? error_text(reattach.refused) : NULL),
	};
	front_device(daemon->front, &status->device_major, &status->device_minor);
	front_counters(daemon->front, &status->counters);
	volume_counters(daemon->volume, &status->counters);
	pthread_mutex_lock(&daemon->error_lock);
	status->target = string_or_empty(daemon->target);
	status->error = string_or_empty(daemon->error);
	pthread_mutex_unlock(&daemon->error_lock);
}

static int daemon_status(void *ctx, struct drive_status *ret_status)
{
	struct daemon *daemon = ctx;
	int err = -EBUSY;

	pthread_mutex_lock(&daemon->lock);
	if (daemon->live) {
		status_fill(daemon, ret_status);
		err = 0;
	}
	pthread_mutex_unlock(&daemon->lock);
	if (err == 0 && !(ret_status->target && ret_status->uuid && ret_status->label &&
				ret_status->mount_point && ret_status->cipher &&
				ret_status->owner_view && ret_status->read_only_reason &&
				ret_status->error && ret_status->refused))
		return -ENOMEM;
	return err;
}

/* A drive in use that must go: it leaves the folder tree, everything written so far goes to the
 * drive, and after a while those who still use it get errors. */
static int unmount_by_force(struct daemon *daemon, struct diag *diag)
{
	CLEANUP_FD int fd = open(daemon->mount_point, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int err = mountpoint_unmount(daemon->mount_point, true, diag);

	if (fd >= 0 && syncfs(fd) < 0)
		daemon_log(daemon, LOG_ERR, "%s", strerror(errno));
	cleanup_fd(&fd);
	fd = -1;
	if (!front_wait_ended(daemon->front, GRACE_MS))
		front_stop(daemon->front);
	return err;
}

static int still_used(struct diag *diag)
{
	return diag_set(diag, -EBUSY, _("its folder is unmounted, but a program still uses it there"));
}

static void daemon_give_up(void *ctx)
{
	struct daemon *daemon = ctx;

	pthread_mutex_lock(&daemon->lock);
	if (daemon->may_wait)
		volume_give_up(daemon->volume);
	pthread_mutex_unlock(&daemon->lock);
}

static int daemon_unmount(void *ctx, bool force, struct diag *diag)
{
	struct daemon *daemon = ctx;
	int err;

	/* Who ends the service does not wait for a drive that is away. */
	if (force)
		daemon_give_up(daemon);
	if (!front_is_mounted(daemon->front)) {
		if (front_wait_ended(daemon->front, force ? GRACE_MS : 0))
			return 0; /* somebody else was faster */
		if (force)
			front_stop(daemon->front);
		return force ? 0 : still_used(diag);
	}
	err = mountpoint_unmount(daemon->mount_point, false, diag);
	if (err < 0)
		return force ? unmount_by_force(daemon, diag) : err;
	/* The kernel has written everything and let go of us, unless somebody has a copy of the
	 * mount (another mount namespace). */
	if (front_wait_ended(daemon->front, LAST_MOUNT_MS))
		return 0;
	if (!force)
		return still_used(diag);
	front_stop(daemon->front);
	return 0;
}

/* ---- mounting, serving, closing ---- */

static int choose_mount_point(struct daemon *daemon, int *ret_lock, struct diag *diag)
{
	const struct luks2 *hdr = volume_header(daemon->volume);
	struct e4_statfs statfs;

	if (daemon->mount_point)
		return 0;
	e4_statfs(volume_fs(daemon->volume), &statfs);
	return mountpoint_make((const char *[]){statfs.label, hdr->label, hdr->uuid, NULL},
		&daemon->mount_point, ret_lock, diag);
}

static int daemon_new_front(struct daemon *daemon, struct diag *diag)
{
	struct e4_fs *fs = volume_fs(daemon->volume);
	struct front_options options = {
		.source = daemon->target,
		.read_only = e4_is_read_only(fs),
		.allow_other = daemon->options.allow_other,
	};
	int err = owner_init(&options.owner, daemon->options.view, getuid(), getgid(), fs);

	return err < 0 ? err : front_new(&options, fs, &daemon->front, diag);
}

static int daemon_new_control(struct daemon *daemon, struct diag *diag)
{
	struct control_ops ops = {
		.status = daemon_status,
		.unmount = daemon_unmount,
		.give_up = daemon_give_up,
		.ctx = daemon,
	};

	return control_new(&daemon->key, &ops, &daemon->control, diag);
}

/* glibc gives threads heaps of their own, each of which keeps what was freed in it: the metadata cache would take
 * its limit several times over. And tables that grow go back to the kernel when they have moved. */
static void tune_memory(void)
{
	mallopt(M_ARENA_MAX, 1);
	mallopt(M_MMAP_THRESHOLD, LARGE_BYTES);
}

int daemon_mount(struct daemon *daemon, struct diag *diag)
{
	CLEANUP_FD int lock = -1;
	int err;

	tune_memory();
	err = volume_mount(daemon->volume, diag);
	if (err == 0)
		err = daemon_new_control(daemon, diag);
	if (err == 0)
		err = choose_mount_point(daemon, &lock, diag);
	if (err == 0)
		err = daemon_new_front(daemon, diag);
	if (err == 0)
		err = front_mount(daemon->front, daemon->mount_point, diag);
	if (err < 0)
		return err;
	e4_set_mounted_on(volume_fs(daemon->volume), daemon->mount_point);
	daemon->since = time(NULL);
	daemon->live = daemon->may_wait = true;
	volume_set_grace(daemon->volume, daemon->options.grace_ms);
	return control_start(daemon->control);
}

const char *daemon_mount_point(const struct daemon *daemon)
{
	return daemon->mount_point;
}

bool daemon_has_journal(const struct daemon *daemon)
{
	return e4_has_journal(volume_fs(daemon->volume));
}

const char *daemon_read_only_reason(const struct daemon *daemon)
{
	return e4_read_only_reason(volume_fs(daemon->volume));
}

int daemon_serve(struct daemon *daemon)
{
	return front_serve(daemon->front);
}

int daemon_close(struct daemon *daemon)
{
	int err, close_err;

	if (!daemon)
		return 0;
	if (daemon->front)
		front_close(daemon->front);
	pthread_mutex_lock(&daemon->lock);
	daemon->live = false;
	pthread_mutex_unlock(&daemon->lock);
	err = volume_finish(daemon->volume);
	pthread_mutex_lock(&daemon->lock);
	daemon->may_wait = false;
	pthread_mutex_unlock(&daemon->lock);
	close_err = volume_close(daemon->volume);
	err = err < 0 ? err : close_err;
	if (daemon->mount_point)
		mountpoint_remove_made(daemon->mount_point);
	if (err < 0)
		daemon_log(daemon, LOG_ERR, "not closed properly: %s", error_text(err));
	if (daemon->control)
		control_finish(daemon->control, err);
	front_free(daemon->front);
	pthread_mutex_destroy(&daemon->error_lock);
	pthread_mutex_destroy(&daemon->lock);
	free(daemon->mount_point);
	free(daemon->target);
	free(daemon);
	return err;
}
