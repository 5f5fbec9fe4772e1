/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Everything but path and stat belongs to the thread that looks for the drive; those two are also asked for
 * by others, under `lock`.
 */
#include "kernel-shim/comeback.h"

#include <errno.h>
#include <limits.h>
#include <mntent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "kernel-shim/discover.h"
#include "kernel-shim/filedev.h"

static const char mounts[] = "/proc/self/mounts";

struct comeback {
	uint64_t size_bytes;
	bool is_block;
	unsigned flags;
	char *uuid;
	char *inside; /* path of a container in its file system: "folder/file.img"; NULL: not known */
	void (*event)(void *ctx, enum reattach_event event, int err);
	void *ctx;

	char **paths; /* of one look around */
	size_t count;

	pthread_mutex_t lock;
	char *path;
	struct stat st;
};

/* ---- where it may be ----------------------------------------------------------------------- */

/* The mount that path is in has the longest name. */
static char *path_inside(const char *path)
{
	FILE *f = setmntent(mounts, "re");
	size_t longest = 0;
	struct mntent *m;

	while (f && (m = getmntent(f))) {
		size_t len = strlen(m->mnt_dir);

		while (len > 0 && m->mnt_dir[len - 1] == '/')
			len--;
		if (len > longest && strncmp(path, m->mnt_dir, len) == 0 && path[len] == '/')
			longest = len;
	}
	if (f)
		endmntent(f);
	return longest > 0 ? strdup(path + longest + 1) : NULL;
}

static int path_add(struct comeback *c, char *path)
{
	char **more = path ? realloc(c->paths, (c->count + 1) * sizeof(*more)) : NULL;

	if (!more) {
		free(path);
		return -ENOMEM;
	}
	c->paths = more;
	c->paths[c->count++] = path;
	return 0;
}

/* Its file system may be mounted somewhere else now. */
static int look_in_mounts(struct comeback *c)
{
	FILE *f = c->inside ? setmntent(mounts, "re") : NULL;
	struct mntent *m;
	int r = 0;

	while (f && r == 0 && (m = getmntent(f))) {
		char *path = NULL;

		/* a server that does not answer, which may be our own, would hold us up */
		if (strncmp(m->mnt_fsname, "/dev/", 5) != 0 || strcmp(m->mnt_type, "fuse") == 0 ||
			strncmp(m->mnt_type, "fuse.", 5) == 0)
			continue;
		if (asprintf(&path, "%s/%s", m->mnt_dir, c->inside) < 0)
			path = NULL;
		r = path_add(c, path);
	}
	if (f)
		endmntent(f);
	return r;
}

static void paths_drop(struct comeback *c)
{
	discover_paths_free(c->paths, c->count);
	c->paths = NULL;
	c->count = 0;
}

static int look_around(struct comeback *c)
{
	int r;

	paths_drop(c);
	if (c->is_block)
		return discover_paths_of_size(c->size_bytes, &c->paths, &c->count);
	r = path_add(c, strdup(c->path));
	return r < 0 ? r : look_in_mounts(c);
}

/* ---- whether it is it ---------------------------------------------------------------------- */

/* 1: this header is ours; 0: there is none to tell; -ENXIO: it is another drive. */
static int check_name(const struct comeback *c, const char *path)
{
	struct drive drive;
	struct stat st;
	int r;

	if (stat(path, &st) < 0 || (c->is_block ? !S_ISBLK(st.st_mode) :
		!S_ISREG(st.st_mode) || (uint64_t)st.st_size / 512 * 512 != c->size_bytes))
		return -ENXIO;
	r = discover_target(path, &drive);
	if (r < 0)
		return -ENXIO;
	r = !c->uuid[0] ? 0 : strcmp(drive.uuid, c->uuid) == 0 ? 1 : -ENXIO;
	drive_clear(&drive);
	return r;
}

static int comeback_candidate(void *ctx, unsigned n, struct blkdev **ret_dev)
{
	struct comeback *c = ctx;
	int sure, r = n == 0 ? look_around(c) : 0;

	if (r < 0 || n >= c->count)
		return -ENOENT;
	sure = check_name(c, c->paths[n]);
	if (sure < 0)
		return sure;
	r = filedev_open(c->paths[n], c->flags, 0, ret_dev, NULL);
	if (r < 0)
		return sure > 0 ? r : -ENXIO;
	return sure;
}

static void comeback_accepted(void *ctx, unsigned n, struct blkdev *dev)
{
	struct comeback *c = ctx;
	char *path = strdup(c->paths[n]);

	pthread_mutex_lock(&c->lock);
	filedev_stat(dev, &c->st);
	if (path) {
		free(c->path);
		c->path = path;
	}
	pthread_mutex_unlock(&c->lock);
	paths_drop(c);
}

/* A container's path leads elsewhere, or nowhere: its file system was unmounted, or it was removed. */
static bool file_gone(struct comeback *c)
{
	struct stat now;
	bool gone;

	pthread_mutex_lock(&c->lock);
	gone = stat(c->path, &now) < 0 || now.st_dev != c->st.st_dev || now.st_ino != c->st.st_ino;
	pthread_mutex_unlock(&c->lock);
	return gone;
}

static bool comeback_is_gone(void *ctx, struct blkdev *dev)
{
	struct comeback *c = ctx;

	return filedev_is_gone(dev) || (!c->is_block && file_gone(c));
}

static void comeback_forget_error(void *ctx, struct blkdev *dev)
{
	filedev_forget_error(dev);
}

static void comeback_event(void *ctx, enum reattach_event event, int err)
{
	struct comeback *c = ctx;

	c->event(c->ctx, event, err);
}

const struct reattach_ops comeback_ops = {
	.is_gone = comeback_is_gone,
	.forget_error = comeback_forget_error,
	.candidate = comeback_candidate,
	.accepted = comeback_accepted,
	.event = comeback_event,
};

/* ---- */

int comeback_target(struct comeback *comeback, char **ret_path, struct stat *ret_stat)
{
	char *path;

	pthread_mutex_lock(&comeback->lock);
	path = strdup(comeback->path);
	*ret_stat = comeback->st;
	pthread_mutex_unlock(&comeback->lock);
	if (!path)
		return -ENOMEM;
	*ret_path = path;
	return 0;
}

void comeback_free(struct comeback *comeback)
{
	if (!comeback)
		return;
	paths_drop(comeback);
	pthread_mutex_destroy(&comeback->lock);
	free(comeback->uuid);
	free(comeback->inside);
	free(comeback->path);
	free(comeback);
}

int comeback_new(struct blkdev *file, const struct comeback_params *params,
	struct comeback **ret_comeback)
{
	struct comeback *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	pthread_mutex_init(&c->lock, NULL);
	filedev_stat(file, &c->st);
	c->size_bytes = file->size_bytes;
	c->is_block = S_ISBLK(c->st.st_mode);
	c->flags = FILEDEV_DIRECT | FILEDEV_SHARE_HEADER | (params->read_only ? FILEDEV_READ_ONLY : 0);
	c->event = params->event;
	c->ctx = params->ctx;
	c->uuid = strdup(params->uuid);
	c->path = realpath(params->path, NULL);
	if (!c->uuid || !c->path) {
		comeback_free(c);
		return -ENOMEM;
	}
	if (!c->is_block)
		c->inside = path_inside(c->path);
	*ret_comeback = c;
	return 0;
}
