/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/format-target.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/bytes.h"
#include "cli/cli.h"
#include "fuse/daemon.h"
#include "kernel-shim/filedev.h"

enum {
	EDGE_BYTES = 1024 * 1024, /* where signatures and file headers are */
	SIZE_UNIT = 4096,
};

/* ---- a file that was begun and is not to stay ---- */

enum { UNFINISHED_MAX = 2 }; /* container and header file */
static const int deadly_signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
static const char *volatile unfinished[UNFINISHED_MAX];

static void remove_unfinished(int sig)
{
	for (size_t i = 0; i < UNFINISHED_MAX; i++)
		if (unfinished[i])
			unlink(unfinished[i]);
	signal(sig, SIG_DFL);
	raise(sig);
}

static void guard_unfinished(const char *path)
{
	struct sigaction remove = {.sa_handler = remove_unfinished};
	struct sigaction old;

	for (size_t i = 0; i < UNFINISHED_MAX; i++)
		if (!unfinished[i]) {
			unfinished[i] = path;
			break;
		}
	for (size_t i = 0; i < ARRAY_SIZE(deadly_signals); i++) {
		sigaction(deadly_signals[i], NULL, &old);
		if (old.sa_handler != SIG_IGN)
			sigaction(deadly_signals[i], &remove, NULL);
	}
}

static void unguard_unfinished(const char *path)
{
	for (size_t i = 0; i < UNFINISHED_MAX; i++)
		if (unfinished[i] == path)
			unfinished[i] = NULL;
}

/* ---- examining ---- */

static int edge_is_zero(struct blkdev *dev, uint64_t off, bool *ret_zero)
{
	CLEANUP_FREE uint8_t *buf = malloc(EDGE_BYTES);
	size_t len = min_u64(EDGE_BYTES, dev->size_bytes - off);
	int r;

	if (!buf)
		return -ENOMEM;
	r = blkdev_read(dev, buf, len, off);
	if (r == 0)
		*ret_zero = bytes_all_zero(buf, len);
	return r;
}

/* A document or a drive of a system that libblkid does not know is worth a question, too. */
static int look_for_bytes(const char *path, bool *ret_found, struct diag *diag)
{
	CLEANUP_BLKDEV struct blkdev *dev = NULL;
	bool start_zero = true, end_zero = true;
	int r;

	r = filedev_open(path, FILEDEV_NO_LOCK, 0, &dev, diag);
	if (r == 0)
		r = edge_is_zero(dev, 0, &start_zero);
	if (r == 0 && dev->size_bytes > EDGE_BYTES)
		r = edge_is_zero(dev, dev->size_bytes - EDGE_BYTES, &end_zero);
	if (r == 0)
		*ret_found = !start_zero || !end_zero;
	return r;
}

/* Asked before the passphrase is: whether a file may be made at path. */
static int check_folder(const char *path)
{
	const char *slash = strrchr(path, '/');
	CLEANUP_FREE char *folder = slash ? strndup(path, slash - path + 1) : strdup(".");

	if (!folder)
		return -ENOMEM;
	return faccessat(AT_FDCWD, folder, W_OK | X_OK, AT_EACCESS) < 0 ? -errno : 0;
}

static int examine_new(struct format_target *target, uint64_t size_bytes, struct diag *diag)
{
	int r = check_folder(target->path);

	if (r < 0)
		return diag_set(diag, r, _("no file can be made in this folder"));
	if (size_bytes == 0)
		return diag_set(diag, -ENOENT, _("--size would make a new container file"));
	target->size_bytes = round_down_u64(size_bytes, SIZE_UNIT);
	target->is_file = true;
	return 0;
}

static int examine_size(struct format_target *target, uint64_t size_bytes, struct diag *diag)
{
	target->size_bytes = target->drive.size_bytes;
	if (size_bytes == 0 || size_bytes == target->size_bytes)
		return 0;
	if (!target->is_file)
		return diag_set(diag, -SDE_USAGE, _("--size is for container files, not for drives"));
	if (target->size_bytes > 0)
		return diag_set(diag, -SDE_USAGE,
			_("the container exists and has another size than --size says"));
	target->size_bytes = round_down_u64(size_bytes, SIZE_UNIT);
	target->resize = true;
	return 0;
}

int format_target_examine(const char *path, uint64_t size_bytes, struct format_target *ret_target,
	struct diag *diag)
{
	struct format_target target = {.path = path};
	struct stat st;
	int r;

	if (stat(path, &st) < 0) {
		if (errno != ENOENT)
			return -errno;
		r = examine_new(&target, size_bytes, diag);
		if (r == 0)
			*ret_target = target;
		return r;
	}
	r = daemon_check_target(path, diag);
	if (r == 0)
		r = discover_target(path, &target.drive);
	if (r < 0)
		return r;
	target.exists = true;
	target.is_file = S_ISREG(st.st_mode);
	target.has_data = target.drive.content[0];
	if (target.drive.in_use)
		r = -SDE_BUSY;
	else if (target.drive.read_only || faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) < 0)
		r = -SDE_READ_ONLY;
	else
		r = examine_size(&target, size_bytes, diag);
	if (r == 0 && !target.has_data)
		r = look_for_bytes(path, &target.has_data, diag);
	if (r < 0) {
		drive_clear(&target.drive);
		return r;
	}
	*ret_target = target;
	return 0;
}

/* ---- asking ---- */

/* "Kingston DataTraveler, 14.5 GiB": what the user can compare with the thing in the hand. */
static void describe_thing(const struct format_target *target, char *buf, size_t len)
{
	const struct drive *drive = &target->drive;
	char size[CLI_SIZE_TEXT];

	cli_format_size(size, target->size_bytes);
	if (target->is_file)
		snprintf(buf, len, _("file, %s"), size);
	else if (drive->vendor[0] || drive->model[0])
		snprintf(buf, len, "%s%s%s, %s", drive->vendor,
			drive->vendor[0] && drive->model[0] ? " " : "", drive->model, size);
	else
		snprintf(buf, len, drive->partition ? _("partition, %s") : _("drive, %s"), size);
}

static void describe_content(const struct format_target *target, char *buf, size_t len)
{
	const struct drive *drive = &target->drive;

	if (!target->has_data)
		snprintf(buf, len, "%s", _("nothing known"));
	else if (!drive->content[0])
		snprintf(buf, len, "%s", _("data of an unknown kind"));
	else if (drive->label[0])
		snprintf(buf, len, "%s \"%s\"", drive->content, drive->label);
	else
		snprintf(buf, len, "%s", drive->content);
}

int format_target_confirm(const struct format_target *target, struct diag *diag)
{
	char thing[256], content[256];

	/* an empty file loses nothing; a drive without signatures may still be the wrong one */
	if (!target->has_data && (!target->exists || target->is_file))
		return 0;
	describe_thing(target, thing, sizeof(thing));
	describe_content(target, content, sizeof(content));
	if (!cli_can_ask())
		return target->has_data
			? diag_set(diag, -SDE_HAS_DATA, _("%s; found on it: %s"), thing, content) : 0;
	fprintf(stderr, _("%s\n  What it is:     %s\n  Found on it:    %s\n"), target->path, thing,
		content);
	if (!cli_confirm(_("EVERYTHING on %s will be destroyed."), target->path))
		return -SDE_CANCELLED;
	return 0;
}

/* ---- writing ---- */

static int open_existing(struct format_target *target, struct diag *diag)
{
	struct stat st;
	int r;

	r = filedev_open(target->path, 0, 0, &target->dev, diag);
	if (r < 0 || !target->resize)
		return r;
	/* somebody else may have filled it since it was examined; now it is locked */
	filedev_stat(target->dev, &st);
	if (st.st_size != 0)
		return diag_set(diag, -SDE_BUSY, _("it changes while it is being formatted"));
	if (ftruncate(filedev_fd(target->dev), target->size_bytes) < 0)
		return -errno;
	blkdev_close(target->dev);
	target->dev = NULL;
	return filedev_open(target->path, 0, 0, &target->dev, diag);
}

/* A sparse container takes its space while it is written to; the host may have promised too much. */
static void warn_of_space(const struct format_target *target)
{
	struct statvfs vfs;
	char space[CLI_SIZE_TEXT];

	if (fstatvfs(filedev_fd(target->dev), &vfs) < 0 ||
		(uint64_t)vfs.f_bavail * vfs.f_frsize >= target->size_bytes)
		return;
	cli_format_size(space, (uint64_t)vfs.f_bavail * vfs.f_frsize);
	cli_warn(target->path, _("only %s are free where the container is stored; writing to the drive "
				 "will fail when that space is used up"), space);
}

int format_target_open(struct format_target *target, struct diag *diag)
{
	int r;

	if (target->exists) {
		r = open_existing(target, diag);
	} else {
		r = filedev_open(target->path, FILEDEV_CREATE, target->size_bytes, &target->dev, diag);
		target->created = r == 0;
		if (target->created) {
			guard_unfinished(target->path);
			warn_of_space(target);
		}
	}
	if (r == 0 && target->dev->size_bytes != round_down_u64(target->size_bytes, 512))
		r = diag_set(diag, -SDE_BUSY, _("it changes while it is being formatted"));
	/* key slots may be changed while a drive is in use, but not now; until it is closed */
	return r == 0 ? blkdev_lock(target->dev) : r;
}

static int wipe_range(struct blkdev *dev, uint64_t off, uint64_t end)
{
	CLEANUP_FREE uint8_t *zeroes = calloc(1, EDGE_BYTES);
	int r = zeroes ? 0 : -ENOMEM;

	for (uint64_t len; r == 0 && off < end; off += len) {
		len = min_u64(EDGE_BYTES, end - off);
		r = blkdev_write(dev, zeroes, len, off);
	}
	return r;
}

int format_target_wipe(const struct format_target *target, uint64_t start_bytes)
{
	uint64_t size_bytes = target->dev->size_bytes;
	int r;

	r = wipe_range(target->dev, 0, min_u64(start_bytes, size_bytes));
	if (r == 0 && size_bytes > EDGE_BYTES)
		r = wipe_range(target->dev, size_bytes - EDGE_BYTES, size_bytes);
	return r < 0 ? r : blkdev_flush(target->dev);
}

/* The file may have been replaced meanwhile: only our own is removed. */
static void remove_created(const struct format_target *target)
{
	struct stat ours, now;

	filedev_stat(target->dev, &ours);
	if (stat(target->path, &now) == 0 && ours.st_dev == now.st_dev && ours.st_ino == now.st_ino)
		unlink(target->path);
}

void format_target_close(struct format_target *target, bool keep)
{
	if (target->created) {
		unguard_unfinished(target->path);
		if (!keep)
			remove_created(target);
	} else if (target->dev && target->resize && !keep) {
		/* as empty as it was; when that fails, too, the error is told already */
		if (ftruncate(filedev_fd(target->dev), 0) < 0)
			cli_warn(target->path, _("the file is left with its new size"));
	}
	blkdev_close(target->top ? target->top : target->dev);
	drive_clear(&target->drive);
	*target = (struct format_target){.path = NULL};
}
