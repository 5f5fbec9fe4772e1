/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Regular files and block devices. How bytes are moved is in fileio.c.
 *
 * 1. What is opened is a regular file or a block device, checked on the open descriptor; nothing
 *    else is even opened (a FIFO would block, a tape would rewind). Nothing is ever truncated.
 * 2. Until close the target is ours: O_EXCL on block devices, flock on everything. The loop driver
 *    knows no flock, so a file that backs a loop device is not opened for writing either. Opened for its
 *    header alone it is not ours, but while blkdev_lock() is held the header is: headerlock.h.
 * 3. A transfer is whole or it failed. A block device whose size has fallen under what it was is
 *    gone, whatever errno the kernel found for that.
 * 4. A failed flush is sticky: the kernel has dropped what it could not write, so that a later,
 *    successful fsync would prove nothing; unless somebody has written all of it again. Flushes run one at
 *    a time, because only one of two at once would be told of the failure.
 */
#include "kernel-shim/filedev.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <pthread.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>

#include "base/bytes.h"
#include "base/i18n.h"
#include "kernel-shim/fileio.h"
#include "kernel-shim/headerlock.h"
#include "kernel-shim/inuse.h"
#include "kernel-shim/streams.h"

enum {
	FILE_BLOCK_BYTES = 4096,
	SIZE_UNIT = 512, /* of a container, what hangs over its last sector is not used */
	/* udev probes a device that was just closed under a short shared lock of its own */
	LOCK_TRIES = 60,
	/* somebody is changing the key slots, which includes deriving a key */
	LOCK_TRIES_HEADER = 300,
	LOCK_WAIT_MS = 50,
};

struct filedev {
	struct blkdev dev;
	int fd;
	struct fileio io;
	struct streams *streams; /* NULL: the page cache reads ahead */
	struct stat st;
	pthread_mutex_t flush_lock; /* flush_error; held over the flush itself, see 4 */
	int flush_error;
	bool locked; /* by lock_target() */
	unsigned header_locks; /* calls of lock without their unlock */
	struct headerlock header_lock;
};

static struct filedev *filedev_of(struct blkdev *dev)
{
	return container_of(dev, struct filedev, dev);
}

static bool is_block(const struct filedev *file)
{
	return S_ISBLK(file->st.st_mode);
}

/* A disk that is taken away has no size any more; its partitions keep theirs. */
static bool device_gone(const struct filedev *file)
{
	uint64_t now_bytes;
	char path[64];

	if (!is_block(file))
		return false;
	if (ioctl(file->fd, BLKGETSIZE64, &now_bytes) < 0 || now_bytes < file->dev.size_bytes)
		return true;
	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u", major(file->st.st_rdev),
		minor(file->st.st_rdev));
	return access(path, F_OK) < 0 && access("/sys/dev/block", F_OK) == 0;
}

/* code: positive errno of a failed transfer; ENODATA for one that unexpectedly met the end */
static int transfer_error(const struct filedev *file, int code)
{
	if (device_gone(file) || code == ENXIO)
		return -ENODEV;
	return code == ENODATA ? -EIO : -code;
}

static int filedev_read_to(struct blkdev *dev, void *buf, blkdev_take_fn fn, void *ctx, size_t len,
	uint64_t off)
{
	struct filedev *file = filedev_of(dev);
	const void *from = buf;
	struct stream *stream = NULL;
	int r = file->streams ?
		streams_read(file->streams, buf, len, off, dev->size_bytes, &from, &stream) :
		fileio_read(&file->io, buf, len, off);

	if (r < 0)
		return transfer_error(file, -r);
	r = fn(ctx, from, len, 0);
	streams_release(file->streams, stream);
	return r;
}

static int filedev_write(struct blkdev *dev, void *buf, size_t len, uint64_t off,
	const struct blkdev_write *how)
{
	struct filedev *file = filedev_of(dev);
	int r = fileio_write(&file->io, buf, len, off);

	streams_forget(file->streams, off, len);
	return r < 0 ? transfer_error(file, -r) : 0;
}

static int filedev_flush(struct blkdev *dev)
{
	struct filedev *file = filedev_of(dev);
	int r;

	if (dev->read_only)
		return 0;
	pthread_mutex_lock(&file->flush_lock);
	/* The size only changes in filedev_grow(), so fdatasync leaves out nothing that reading the data needs; on a
	 * block device it empties the drive's own cache too. */
	if (file->flush_error == 0 && fdatasync(file->fd) < 0)
		file->flush_error = transfer_error(file, errno);
	r = file->flush_error;
	pthread_mutex_unlock(&file->flush_lock);
	return r;
}

static int filedev_discard(struct blkdev *dev, uint64_t off, uint64_t len)
{
	struct filedev *file = filedev_of(dev);
	uint64_t first = round_up_u64(off, dev->block_bytes);
	uint64_t last = round_down_u64(off + len, dev->block_bytes);
	int r;

	if (first >= last)
		return 0;
	do {
		if (is_block(file))
			r = ioctl(file->fd, BLKDISCARD, (uint64_t[2]){first, last - first});
		else
			r = fallocate(file->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				(off_t)first, (off_t)(last - first));
	} while (r < 0 && errno == EINTR);
	r = r < 0 ? transfer_error(file, errno) : 0;
	streams_forget(file->streams, first, last - first);
	return r;
}

static int filedev_lock(struct blkdev *dev)
{
	struct filedev *file = filedev_of(dev);
	int r = 0;

	if (file->header_locks == 0)
		r = headerlock_take(file->fd, &file->st, file->locked, dev->read_only, &file->header_lock);
	if (r == 0)
		file->header_locks++;
	return r;
}

static void filedev_unlock(struct blkdev *dev)
{
	struct filedev *file = filedev_of(dev);

	if (file->header_locks > 0 && --file->header_locks == 0)
		headerlock_drop(file->fd, &file->header_lock);
}

static void filedev_close(struct blkdev *dev)
{
	struct filedev *file = filedev_of(dev);

	while (file->header_locks)
		filedev_unlock(dev);
	/* with this lock the drive's own goes, which alone keeps cryptsetup out of what changes now */
	if (file->locked)
		headerlock_wait(file->fd);
	streams_free(file->streams);
	fileio_end(&file->io);
	if (file->fd >= 0)
		close(file->fd);
	pthread_mutex_destroy(&file->flush_lock);
	free(file);
}

/* Advice, but clean pages that nobody maps are dropped; what is not written yet stays. */
static int filedev_refresh(struct blkdev *dev, size_t len, uint64_t off)
{
	uint64_t first = round_down_u64(off, FILE_BLOCK_BYTES);

	streams_forget(filedev_of(dev)->streams, off, len);
	return -posix_fadvise(filedev_of(dev)->fd, (off_t)first,
		(off_t)(round_up_u64(off + len, FILE_BLOCK_BYTES) - first), POSIX_FADV_DONTNEED);
}

static const struct blkdev_ops filedev_ops = {
	.read_to = filedev_read_to,
	.write = filedev_write,
	.flush = filedev_flush,
	.discard = filedev_discard,
	.refresh = filedev_refresh,
	.lock = filedev_lock,
	.unlock = filedev_unlock,
	.close = filedev_close,
};

static int lock_target(struct filedev *file, unsigned flags)
{
	struct timespec wait = {.tv_nsec = LOCK_WAIT_MS * 1000000L};

	for (int tries = 1;; tries++) {
		if (flock(file->fd, (file->dev.read_only ? LOCK_SH : LOCK_EX) | LOCK_NB) == 0)
			break;
		if (errno != EWOULDBLOCK && errno != EINTR)
			return -errno;
		if (tries >= (headerlock_is_held(file->fd) ? LOCK_TRIES_HEADER
				     : is_block(file)	   ? LOCK_TRIES
							   : 1))
			return -SDE_BUSY;
		nanosleep(&wait, NULL);
	}
	if (flags & FILEDEV_SHARE_HEADER)
		headerlock_mark(file->fd);
	file->locked = true;
	return 0;
}

/* Whether the target is refused because of writing only. */
static bool only_writing_refused(const char *path, int code)
{
	return code == EROFS || code == EPERM ||
		(code == EACCES && faccessat(AT_FDCWD, path, R_OK, AT_EACCESS) == 0);
}

static int open_existing(struct filedev *file, const char *path, unsigned flags, struct diag *diag)
{
	int mode = O_CLOEXEC | O_NONBLOCK | O_NOCTTY | (file->dev.read_only ? O_RDONLY : O_RDWR);
	struct stat before;

	if (stat(path, &before) < 0)
		return -errno;
	if (!S_ISREG(before.st_mode) && !S_ISBLK(before.st_mode))
		return -ENOTBLK;
	if (S_ISBLK(before.st_mode) && !(flags & (FILEDEV_NO_LOCK | FILEDEV_HEADER)))
		mode |= O_EXCL;
	file->fd = open(path, mode);
	if (file->fd < 0 && !file->dev.read_only && only_writing_refused(path, errno))
		return -SDE_READ_ONLY;
	if (file->fd < 0)
		return errno == EBUSY ? -SDE_BUSY : -errno;
	if (fstat(file->fd, &file->st) < 0)
		return -errno;
	if (before.st_dev != file->st.st_dev || before.st_ino != file->st.st_ino ||
		before.st_rdev != file->st.st_rdev || before.st_mode != file->st.st_mode)
		return diag_set(diag, -SDE_BUSY, _("it was replaced while it was being opened"));
	if (flags & FILEDEV_NO_LOCK)
		return 0;
	if (!is_block(file) && !file->dev.read_only && inuse_loop_backing(&file->st))
		return diag_set(diag, -SDE_BUSY, _("a loop device uses the file"));
	return flags & FILEDEV_HEADER ? 0 : lock_target(file, flags);
}

/* Makes the new name itself survive a power failure, where the file system can do that. */
static void sync_parent(const char *path)
{
	const char *slash = strrchr(path, '/');
	CLEANUP_FREE char *parent = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
	CLEANUP_FD int fd = -1;

	if (parent)
		fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0 && fsync(fd) < 0)
		return;
}

static int create_file(struct filedev *file, const char *path, uint64_t create_bytes)
{
	int r;

	if (create_bytes > INT64_MAX)
		return -EFBIG;
	file->fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOCTTY, 0600);
	if (file->fd < 0)
		return errno == EROFS ? -SDE_READ_ONLY : -errno;
	r = lock_target(file, 0);
	if (r == 0 && (ftruncate(file->fd, (off_t)create_bytes) < 0 || fstat(file->fd, &file->st) < 0))
		r = -errno;
	if (r < 0)
		unlink(path);
	else
		sync_parent(path);
	return r;
}

static unsigned long long read_number(const char *path)
{
	CLEANUP_FILE FILE *f = fopen(path, "re");
	unsigned long long number;

	return f && fscanf(f, "%llu", &number) == 1 ? number : 0;
}

static bool device_discards(const struct stat *st)
{
	char of_disk[96], of_partition[96];

	snprintf(of_disk, sizeof(of_disk), "/sys/dev/block/%u:%u/queue/discard_max_bytes",
		major(st->st_rdev), minor(st->st_rdev));
	snprintf(of_partition, sizeof(of_partition),
		"/sys/dev/block/%u:%u/../queue/discard_max_bytes", major(st->st_rdev),
		minor(st->st_rdev));
	return read_number(of_disk) > 0 || read_number(of_partition) > 0;
}

static int geometry_of_device(struct filedev *file)
{
	unsigned physical_bytes = 0;
	int read_only = 0;

	if (ioctl(file->fd, BLKGETSIZE64, &file->dev.size_bytes) < 0 ||
		ioctl(file->fd, BLKROGET, &read_only) < 0)
		return -errno;
	if (read_only && !file->dev.read_only)
		return -SDE_READ_ONLY;
	if (ioctl(file->fd, BLKPBSZGET, &physical_bytes) < 0 || !is_power_of_2(physical_bytes))
		physical_bytes = FILE_BLOCK_BYTES;
	file->dev.block_bytes = (uint32_t)min_u64(max_u64(physical_bytes, 512), 65536);
	file->dev.discards = !file->dev.read_only && device_discards(&file->st);
	return 0;
}

static int read_geometry(struct filedev *file)
{
	int r = 0;

	if (is_block(file)) {
		r = geometry_of_device(file);
	} else {
		file->dev.size_bytes = (uint64_t)file->st.st_size;
		file->dev.block_bytes = FILE_BLOCK_BYTES;
		file->dev.discards = !file->dev.read_only;
	}
	file->dev.size_bytes = round_down_u64(file->dev.size_bytes, SIZE_UNIT);
	return r;
}

static void cleanup_filedev(struct filedev **file)
{
	if (*file)
		filedev_close(&(*file)->dev);
}

int filedev_open(const char *path, unsigned flags, uint64_t create_bytes,
	struct blkdev **ret_dev, struct diag *diag)
{
	CLEANUP(cleanup_filedev) struct filedev *file = calloc(1, sizeof(*file));
	int r;

	if (!file)
		return -ENOMEM;
	file->fd = -1;
	fileio_init(&file->io, -1);
	file->header_lock = (struct headerlock)HEADERLOCK_INIT;
	pthread_mutex_init(&file->flush_lock, NULL);
	file->dev.ops = &filedev_ops;
	file->dev.read_only = flags & (FILEDEV_READ_ONLY | FILEDEV_NO_LOCK);

	if (flags & FILEDEV_CREATE)
		r = create_file(file, path, create_bytes);
	else
		r = open_existing(file, path, flags, diag);
	if (r == 0)
		r = read_geometry(file);
	if (r < 0)
		return r;
	fileio_init(&file->io, file->fd);
	if (flags & FILEDEV_DIRECT && fileio_use_direct(&file->io))
		r = streams_new(&file->io, &file->streams);
	if (r < 0)
		return r;
	*ret_dev = &take_ptr(file)->dev;
	return 0;
}

void filedev_stat(struct blkdev *dev, struct stat *ret_stat)
{
	*ret_stat = filedev_of(dev)->st;
}

int filedev_fd(struct blkdev *dev)
{
	return filedev_of(dev)->fd;
}

/* The host's drive of a container can be seen to be gone where the file system has just one. */
static bool host_gone(const struct filedev *file)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u", major(file->st.st_dev),
		minor(file->st.st_dev));
	return major(file->st.st_dev) != 0 && access(path, F_OK) < 0 &&
		access("/sys/dev/block", F_OK) == 0;
}

bool filedev_is_gone(struct blkdev *dev)
{
	const struct filedev *file = filedev_of(dev);

	return is_block(file) ? device_gone(file) : host_gone(file);
}

void filedev_forget_error(struct blkdev *dev)
{
	struct filedev *file = filedev_of(dev);

	pthread_mutex_lock(&file->flush_lock);
	file->flush_error = 0;
	pthread_mutex_unlock(&file->flush_lock);
}

int filedev_grow(struct blkdev *dev, uint64_t size_bytes)
{
	struct filedev *file = filedev_of(dev);

	if (is_block(file))
		return -ENOTBLK;
	if (size_bytes < (uint64_t)file->st.st_size || size_bytes > INT64_MAX || dev->read_only)
		return -EINVAL;
	if (ftruncate(file->fd, (off_t)size_bytes) < 0 || fsync(file->fd) < 0 ||
		fstat(file->fd, &file->st) < 0)
		return -errno;
	return read_geometry(file);
}
