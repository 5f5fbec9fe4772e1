/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An opened target and what is stacked on it.
 *
 *	opened      target (and header_dev) locked, hdr checked
 *	unlocked    + crypt, which owns target from then on; the volume key is already wiped. With
 *		    on_reattach, target is then the device that waits for a drive that was pulled out
 *	mounted     + fs
 *
 * Every state is left only by volume_close(). Not for several threads at once; what it hands out
 * (fs, data device) is.
 */
#include "fuse/volume.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/i18n.h"
#include "fuse/counters.h"
#include "kernel-shim/comeback.h"
#include "kernel-shim/cryptdev.h"
#include "kernel-shim/filedev.h"
#include "keymgr/luks2-update.h"

struct volume {
	struct volume_options options; /* strings stay the caller's and are not used after open */
	char *path; /* of the target */
	bool is_container, finished;
	struct blkdev *target;
	struct blkdev *header_dev; /* NULL: the header is on target */
	struct blkdev *crypt;
	struct luks2 *hdr;
	struct comeback *comeback; /* used by target; NULL: no such layer */
	struct e4_fs *fs;
};

static struct blkdev *volume_header_dev(const struct volume *volume)
{
	return volume->header_dev ? volume->header_dev : volume->target;
}

/* A header file that cannot be written still opens its drive; only its repair is left out. */
static int header_open(const struct volume_options *options, struct blkdev **ret_dev,
	struct diag *diag)
{
	int err;

	if (!options->read_only) {
		err = filedev_open(options->header, FILEDEV_SHARE_HEADER, 0, ret_dev, NULL);
		if (err != -SDE_READ_ONLY)
			goto out;
	}
	err = filedev_open(options->header, FILEDEV_SHARE_HEADER | FILEDEV_READ_ONLY, 0, ret_dev, NULL);
out:
	if (err < 0)
		return diag_set(diag, err, _("header file %s"), options->header);
	return 0;
}

/* Data where the header lies are another device's. Its size says nothing: a file that holds a header may be large. */
static bool data_elsewhere(const struct luks2 *hdr)
{
	unsigned copies = hdr->version == 1 ? 1 : 2;

	return hdr->segment_count > 0 && hdr->segments[0].offset < copies * hdr->hdr_bytes;
}

static int volume_load(struct volume *volume, const struct volume_options *options,
	struct diag *diag)
{
	struct blkdev *dev;
	struct stat st;
	int err;

	err = filedev_open(options->target,
		FILEDEV_DIRECT | FILEDEV_SHARE_HEADER | (options->read_only ? FILEDEV_READ_ONLY : 0), 0,
		&volume->target, diag);
	if (err < 0)
		return err;
	filedev_stat(volume->target, &st);
	volume->is_container = S_ISREG(st.st_mode);
	volume->path = strdup(options->target);
	if (!volume->path)
		return -ENOMEM;
	if (options->header) {
		err = header_open(options, &volume->header_dev, diag);
		if (err < 0)
			return err;
	}
	dev = volume_header_dev(volume);
	err = luks2_load(dev, dev->read_only ? 0 : LUKS2_REPAIR, &volume->hdr, diag);
	if (err < 0 && options->header && diag && !diag->detail[0])
		return diag_set(diag, err, _("header file %s"), options->header);
	if (err < 0)
		return err;
	if (!options->header && data_elsewhere(volume->hdr))
		return -SDE_HEADER_ALONE;
	return luks2_check_usable(volume->hdr, volume->target->size_bytes, diag);
}

static void volume_free(struct volume *volume)
{
	if (volume->crypt)
		blkdev_close(volume->crypt); /* and with it the target */
	else
		blkdev_close(volume->target);
	blkdev_close(volume->header_dev);
	comeback_free(volume->comeback);
	free(volume->path);
	luks2_free(volume->hdr);
	free(volume);
}

int volume_open(const struct volume_options *options, struct volume **ret_volume, struct diag *diag)
{
	struct volume *volume = calloc(1, sizeof(*volume));
	int err;

	if (!volume)
		return -ENOMEM;
	volume->options = *options;
	err = volume_load(volume, options, diag);
	if (err < 0) {
		volume_free(volume);
		return err;
	}
	volume->options.target = volume->options.header = NULL;
	*ret_volume = volume;
	return 0;
}

const struct luks2 *volume_header(const struct volume *volume)
{
	return volume->hdr;
}

bool volume_header_writable(const struct volume *volume)
{
	return !volume_header_dev(volume)->read_only;
}

/* Puts the device that waits for a drive between the target and all else. */
static int stack_reattach(struct volume *volume)
{
	struct comeback_params where = {
		.path = volume->path,
		.uuid = volume->header_dev ? "" : volume->hdr->uuid,
		.read_only = volume->options.read_only,
		.event = volume->options.on_reattach,
		.ctx = volume->options.on_reattach_ctx,
	};
	struct reattach_params params = {.ops = &comeback_ops};
	struct blkdev *dev;
	int err = comeback_new(volume->target, &where, &volume->comeback);

	if (err < 0)
		return err;
	params.ctx = volume->comeback;
	err = reattach_new(volume->target, &params, &dev);
	if (err < 0)
		return err;
	volume->target = dev;
	/* The header is not watched: keys may be added and removed while the drive is mounted. */
	return 0;
}

/* The header was changed by another program, and its user knows: it is sealed as it is. */
static int volume_reseal(struct volume *volume, const struct secret *key, struct diag *diag)
{
	CLEANUP_LUKS2_UPDATE struct luks2_update *update = NULL;
	struct blkdev *dev = volume_header_dev(volume);
	int err;

	if (dev->read_only || volume->hdr->version == 1)
		return 0;
	err = luks2_update_begin(dev, volume->hdr, &update, diag);
	return err < 0 ? err : luks2_update_commit(update, key, diag);
}

int volume_unlock(struct volume *volume, const struct secret *passphrase, int key_slot, struct diag *diag)
{
	const struct luks2_segment *segment = luks2_data_segment(volume->hdr);
	CLEANUP_SECRET struct secret *key = NULL;
	struct cryptdev_params params;
	int slot, err;

	if (volume->crypt || !segment)
		return -EINVAL;
	volume->hdr->accept_change = volume->options.accept_header_change;
	err = luks2_unlock(volume->hdr, volume_header_dev(volume), passphrase, key_slot, &key, &slot, diag);
	if (err == 0 && volume->options.accept_header_change)
		err = volume_reseal(volume, key, diag);
	if (err < 0)
		return err;
	params = (struct cryptdev_params){
		.cipher = segment->cipher,
		.sector_bytes = segment->sector_bytes,
		.iv_offset = segment->iv_tweak,
		.offset_bytes = segment->offset,
		.size_bytes = segment->size,
		.read_only = volume->options.read_only,
		.allow_discards = volume->options.discard ||
			luks2_has_flag(volume->hdr, "allow-discards"),
	};
	if (volume->options.on_reattach && !volume->comeback) {
		err = stack_reattach(volume);
		if (err < 0)
			return err;
	}
	return cryptdev_open(volume->target, &params, key, &volume->crypt, diag);
}

int volume_mount(struct volume *volume, struct diag *diag)
{
	struct e4_mount_options options = {
		.read_only = volume->options.read_only,
		.atime = volume->options.atime,
		.cache_bytes = volume->options.cache_bytes,
		.commit_ms = volume->options.commit_ms,
		.on_error = volume->options.on_error,
		.on_loss = volume->options.on_loss,
		.on_error_ctx = volume->options.on_error_ctx,
		.on_wait = volume->options.on_wait,
		.on_wait_ctx = volume->options.on_wait_ctx,
	};

	if (!volume->crypt || volume->fs)
		return -EINVAL;
	return e4_mount(volume->crypt, &options, &volume->fs, diag);
}

struct e4_fs *volume_fs(struct volume *volume)
{
	return volume->fs;
}

struct blkdev *volume_data(struct volume *volume)
{
	return volume->crypt;
}

uint64_t volume_target_bytes(const struct volume *volume)
{
	return volume->target->size_bytes;
}

bool volume_is_container(const struct volume *volume)
{
	return volume->is_container;
}

int volume_target(struct volume *volume, char **ret_path, struct stat *ret_stat)
{
	return comeback_target(volume->comeback, ret_path, ret_stat);
}

void volume_set_grace(struct volume *volume, unsigned grace_ms)
{
	reattach_set_grace(volume->target, grace_ms);
}

void volume_reattach_state(struct volume *volume, struct reattach_state *ret_state)
{
	reattach_get_state(volume->target, ret_state);
}

void volume_give_up(struct volume *volume)
{
	reattach_give_up(volume->target);
}

bool volume_follows_target(const struct volume *volume)
{
	const struct luks2_segment *segment = luks2_data_segment(volume->hdr);

	return segment && segment->size == 0;
}

/* A full host while the file system is being moved would leave it half-way. Inode tables take a 64th
 * of an ext4 volume with mke2fs' defaults. */
static bool host_has_room(const struct volume *volume, uint64_t added_bytes)
{
	uint64_t needed = added_bytes / 32 + 16 * 1024 * 1024;
	struct statvfs vfs;

	return fstatvfs(filedev_fd(volume->target), &vfs) < 0 ||
		(uint64_t)vfs.f_bavail * vfs.f_frsize >= needed;
}

int volume_check_grow(const struct volume *volume, uint64_t target_bytes)
{
	uint64_t now = volume->target->size_bytes;

	if (!volume_is_container(volume))
		return -ENOTBLK;
	if (target_bytes < now || !volume_follows_target(volume))
		return -EINVAL;
	return host_has_room(volume, target_bytes - now) ? 0 : -SDE_NO_SPACE_HOST;
}

int volume_grow(struct volume *volume, uint64_t target_bytes)
{
	int err = volume_check_grow(volume, target_bytes);

	if (err == 0 && (!volume->crypt || volume->fs))
		err = -EINVAL;
	if (err == 0)
		err = filedev_grow(volume->target, target_bytes);
	if (err == 0)
		cryptdev_follow(volume->crypt);
	return err;
}

void volume_counters(struct volume *volume, struct counters *counters)
{
	struct cryptdev_counts drive;
	struct e4_counts fs;

	e4_counts(volume->fs, &fs);
	cryptdev_counts(volume->crypt, &drive);
	counters_add(counters, "cache_hits", fs.cache_hits);
	counters_add(counters, "cache_misses", fs.cache_misses);
	counters_add(counters, "commits", fs.commits);
	counters_add(counters, "commit_waits", fs.commit_waits);
	counters_add(counters, "checkpoints", fs.checkpoints);
	counters_add(counters, "drive_reads", drive.reads);
	counters_add(counters, "drive_read_bytes", drive.read_bytes);
	counters_add(counters, "drive_writes", drive.writes);
	counters_add(counters, "drive_write_bytes", drive.write_bytes);
	counters_add(counters, "drive_flushes", drive.flushes);
}

int volume_finish(struct volume *volume)
{
	int err = 0, flush_err = 0;

	if (!volume || volume->finished)
		return 0;
	volume->finished = true;
	if (volume->fs)
		err = e4_unmount(volume->fs);
	volume->fs = NULL;
	/* mkfs writes through volume_data() without a file system of ours */
	if (volume->crypt && !volume->options.read_only)
		flush_err = blkdev_flush(volume->crypt);
	return err < 0 ? err : flush_err;
}

int volume_close(struct volume *volume)
{
	int err = volume_finish(volume);

	if (volume)
		volume_free(volume);
	return err;
}
