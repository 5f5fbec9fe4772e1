/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/dev/volume.h"

#include <errno.h>

#include "tests/dev/image.h"

static void on_error(void *ctx, int err, const char *what)
{
	struct volume *volume = ctx;

	volume->errors++;
	printf("# volume error %d: %s\n", err, what);
}

int volume_mount(struct volume *volume)
{
	struct e4_mount_options options = {
		.cache_bytes = volume->cache_bytes,
		.atime = volume->atime,
		.on_error = on_error,
		.on_error_ctx = volume,
	};
	struct diag diag = {0};
	int r = e4_mount(volume->top, &options, &volume->fs, &diag);

	volume->errors = 0;
	if (r < 0) {
		printf("# mount: %d %s\n", r, diag.detail);
		volume->fs = NULL;
		return r;
	}
	return e4_iget(volume->fs, E4_ROOT_INO, &volume->root);
}

int volume_unmount(struct volume *volume)
{
	e4_iput(volume->root);

	int r = e4_unmount(volume->fs);

	volume->root = NULL;
	volume->fs = NULL;
	return r;
}

int volume_make(
	struct volume *volume, uint64_t size_bytes, const char *options, const char *request)
{
	*volume = (struct volume){0};

	int r = image_make(size_bytes, options, &volume->dev);

	if (r == 0 && request)
		r = image_debugfs(volume->dev, request, true);
	volume->top = volume->dev;
	return r < 0 ? r : volume_mount(volume);
}

int volume_judge(struct volume *volume)
{
	int r = volume_unmount(volume);

	if (r == 0 && volume->errors)
		r = -EIO;
	if (r == 0)
		r = image_check(volume->dev);
	return r ? r : volume_mount(volume);
}

void volume_close(struct volume *volume)
{
	if (volume->fs && volume_unmount(volume) < 0 && !volume->errors)
		printf("# unmount failed\n");
	blkdev_close(volume->top);
}

int volume_create(struct e4_inode *dir, const char *name, uint32_t mode)
{
	struct e4_create what = {.mode = mode, .symlink_target = "target"};
	struct e4_inode *inode;
	int r = e4_create(dir, name, strlen(name), &what, &inode);

	if (r == 0)
		e4_iput(inode);
	return r;
}

int volume_mkdir(struct e4_inode *dir, const char *name, struct e4_inode **ret_dir)
{
	struct e4_create what = {.mode = S_IFDIR | 0755};

	return e4_create(dir, name, strlen(name), &what, ret_dir);
}

static int drop(int r, struct e4_inode *gone)
{
	if (r == 0 && gone)
		e4_iput(gone);
	return r;
}

int volume_unlink(struct e4_inode *dir, const char *name)
{
	struct e4_inode *gone = NULL;
	int r = e4_unlink(dir, name, strlen(name), &gone);

	return drop(r, gone);
}

int volume_rmdir(struct e4_inode *dir, const char *name)
{
	struct e4_inode *gone = NULL;
	int r = e4_rmdir(dir, name, strlen(name), &gone);

	return drop(r, gone);
}

int volume_rename(struct e4_inode *from_dir, const char *from, struct e4_inode *to_dir,
	const char *to, unsigned flags)
{
	struct e4_inode *gone = NULL;
	int r = e4_rename(from_dir, from, strlen(from), to_dir, to, strlen(to), flags, &gone);

	return drop(r, gone);
}

int64_t volume_ino(struct e4_inode *dir, const char *name)
{
	struct e4_inode *inode;
	int r = e4_lookup(dir, name, strlen(name), &inode);

	if (r < 0)
		return r;

	int64_t ino = e4_ino(inode);

	e4_iput(inode);
	return ino;
}

uint32_t volume_nlink(struct e4_inode *inode)
{
	struct e4_attr attr;

	e4_getattr(inode, &attr);
	return attr.nlink;
}
