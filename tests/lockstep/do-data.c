/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Operations on the data of open files. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tests/lockstep/probe.h"
#include "tests/lockstep/world.h"

static void fill(uint8_t *buf, size_t len, long long seed)
{
	for (size_t i = 0; i < len; i++)
		buf[i] = (uint8_t)(seed + i * 7 + (i >> 8));
}

static size_t length_for(const struct slot *slot, long long len)
{
	return slot->direct ? (size_t)(len + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1) : (size_t)len;
}

static off_t offset_for(const struct slot *slot, long long off)
{
	return slot->direct ? off & ~(off_t)(ALIGNMENT - 1) : off;
}

static long long choose_offset(struct worker *w)
{
	long long off = random_below(w, random_below(w, 3) ? 100000 : FILE_BYTES);

	return random_below(w, 2) ? off & ~4095LL : off;
}

static void choose_range(struct worker *w, struct op *op)
{
	op->n[0] = choose_offset(w);
	op->n[1] = 1 + random_below(w, random_below(w, 3) ? 9000 : IO_BYTES - ALIGNMENT);
	op->n[2] = random_below(w, 256);
}

static void compare_buffers(struct worker *w, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (w->buf[0][i] != w->buf[1][i]) {
			differ(w, "data differ from byte %zu of %zu on: %02x and %02x", i, len,
				w->buf[0][i], w->buf[1][i]);
			return;
		}
}

static void run_pwrite(struct worker *w, const struct op *op)
{
	const struct slot *slot = &w->slot[op->slot];
	size_t len = length_for(slot, op->n[1]);

	fill(w->buf[0], len, op->n[2]);
	BOTH(w, pwrite(slot->fd[side], w->buf[0], len, offset_for(slot, op->n[0])));
}

static void run_pread(struct worker *w, const struct op *op)
{
	const struct slot *slot = &w->slot[op->slot];
	ssize_t got[SIDES] = {0};

	if (BOTH(w, got[side] = pread(slot->fd[side], w->buf[side], length_for(slot, op->n[1]),
			    offset_for(slot, op->n[0]))))
		compare_buffers(w, (size_t)got[0]);
}

/* At the file's position; O_DIRECT wants it aligned. */
static bool position_fits(const struct slot *slot)
{
	return !slot->direct || lseek(slot->fd[0], 0, SEEK_CUR) % ALIGNMENT == 0;
}

static void run_write(struct worker *w, const struct op *op)
{
	const struct slot *slot = &w->slot[op->slot];
	size_t len = length_for(slot, op->n[1]);

	if (!position_fits(slot) || lseek(slot->fd[0], 0, SEEK_CUR) > FILE_BYTES)
		return;
	fill(w->buf[0], len, op->n[2]);
	BOTH(w, write(slot->fd[side], w->buf[0], len));
}

static void run_read(struct worker *w, const struct op *op)
{
	const struct slot *slot = &w->slot[op->slot];
	ssize_t got[SIDES] = {0};

	if (position_fits(slot) &&
		BOTH(w, got[side] = read(slot->fd[side], w->buf[side], length_for(slot, op->n[1]))))
		compare_buffers(w, (size_t)got[0]);
}

/* In pieces of unequal length, one of them empty. */
static int pieces(uint8_t *buf, size_t len, struct iovec iov[4])
{
	size_t third = len / 3;

	iov[0] = (struct iovec){buf, third};
	iov[1] = (struct iovec){buf, 0};
	iov[2] = (struct iovec){buf + third, len - third};
	return 3;
}

static void run_pwritev(struct worker *w, const struct op *op)
{
	const struct slot *slot = &w->slot[op->slot];
	struct iovec iov[4];
	int n = pieces(w->buf[0], (size_t)op->n[1], iov);

	if (slot->direct)
		return;
	fill(w->buf[0], (size_t)op->n[1], op->n[2]);
	BOTH(w, pwritev2(slot->fd[side], iov, n, op->n[0], op->n[2] % 5 == 0 ? RWF_DSYNC : 0));
}

static void run_preadv(struct worker *w, const struct op *op)
{
	const struct slot *slot = &w->slot[op->slot];
	ssize_t got[SIDES] = {0};
	struct iovec iov[4];

	if (!slot->direct &&
		BOTH(w, got[side] = preadv(slot->fd[side], iov,
				    pieces(w->buf[side], (size_t)op->n[1], iov), op->n[0])))
		compare_buffers(w, (size_t)got[0]);
}

/* Positions in folders are each file system's own. */
static void run_lseek(struct worker *w, const struct op *op)
{
	const struct slot *slot = &w->slot[op->slot];

	if (slot_regular(slot))
		BOTH(w, lseek(slot->fd[side], op->n[0], (int)op->n[1]));
}

static void choose_lseek(struct worker *w, struct op *op)
{
	op->n[0] = random_below(w, 8) ? choose_offset(w) : -(long long)random_below(w, 10000);
	op->n[1] = random_below(w, 3); /* SEEK_SET, SEEK_CUR, SEEK_END */
}

/* Unwritten extents are data where a page of them is cached, so only what is below counts. */
static bool has_unwritten(int fd)
{
	struct {
		struct fiemap map;
		struct fiemap_extent extent[200];
	} all = {.map = {.fm_length = FIEMAP_MAX_OFFSET, .fm_flags = FIEMAP_FLAG_SYNC, .fm_extent_count = 200}};

	if (ioctl(fd, FS_IOC_FIEMAP, &all.map) < 0 || all.map.fm_mapped_extents == 200)
		return true;
	for (unsigned i = 0; i < all.map.fm_mapped_extents; i++)
		if (all.extent[i].fe_flags & FIEMAP_EXTENT_UNWRITTEN)
			return true;
	return false;
}

/* The kernel's FUSE layer writes pages, so smaller blocks next to the data may come to exist. */
static bool holes_comparable(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_blksize >= ALIGNMENT && !has_unwritten(fd);
}

/* What one side calls a hole must be zero on the other. */
static void check_hole(struct worker *w, int fd, off_t at)
{
	ssize_t n = pread(fd, w->buf[0], 512, at & ~511LL);

	for (ssize_t i = at & 511; i < n; i++)
		if (w->buf[0][i] != 0) {
			differ(w, "a hole at %lld that has data on the other side", (long long)at);
			return;
		}
}

/* The kernel fills holes by the folio when a page of it is written by mapping; so ours may have more. */
static bool plausible(int whence, off_t ours, off_t kernels)
{
	if (ours < 0 || kernels < 0)
		return ours == kernels || (whence == SEEK_DATA && ours < 0);
	return whence == SEEK_HOLE ? ours <= kernels : ours >= kernels;
}

static off_t seek_back(int fd, off_t off, int whence)
{
	off_t was = lseek(fd, 0, SEEK_CUR), at = lseek(fd, off, whence);

	lseek(fd, was, SEEK_SET);
	return at;
}

static void run_seek_data(struct worker *w, const struct op *op)
{
	const struct slot *slot = &w->slot[op->slot];
	const int whence = op->n[1] ? SEEK_HOLE : SEEK_DATA;
	off_t at[SIDES], hole;

	if (!slot_regular(slot))
		return;
	hole = seek_back(slot->fd[0], op->n[0], SEEK_HOLE);
	if (hole >= 0 && !slot->direct)
		check_hole(w, slot->fd[1], hole);
	if (!holes_comparable(slot->fd[1]))
		return;
	for (int side = 0; side < SIDES; side++)
		at[side] = seek_back(slot->fd[side], op->n[0], whence);
	if (!plausible(whence, at[0], at[1]))
		differ(w, "results %lld and %lld", (long long)at[0], (long long)at[1]);
}

static void choose_seek_data(struct worker *w, struct op *op)
{
	op->n[0] = choose_offset(w);
	op->n[1] = random_below(w, 2);
}

static void run_ftruncate(struct worker *w, const struct op *op)
{
	BOTH(w, ftruncate(w->slot[op->slot].fd[side], op->n[0]));
}

static void run_fallocate(struct worker *w, const struct op *op)
{
	BOTH(w, fallocate(w->slot[op->slot].fd[side], (int)op->n[2], op->n[0], op->n[1]));
}

static void choose_fallocate(struct worker *w, struct op *op)
{
	choose_range(w, op);
	op->n[2] = random_below(w, 2) ? FALLOC_FL_KEEP_SIZE : 0;
}

static void choose_punch(struct worker *w, struct op *op)
{
	choose_range(w, op);
	op->n[2] = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
}

static void choose_zero(struct worker *w, struct op *op)
{
	choose_range(w, op);
	op->n[2] = FALLOC_FL_ZERO_RANGE | (random_below(w, 2) ? FALLOC_FL_KEEP_SIZE : 0);
}

static void run_copy_range(struct worker *w, const struct op *op)
{
	const struct slot *from = &w->slot[op->slot], *to = &w->slot[op->slot2];

	if (from->direct || to->direct)
		return;
	BOTH(w, ({
		loff_t in = op->n[0], out = op->n[1];
		ssize_t n, sum = 0;

		/* a short copy is no difference, its end is */
		while ((n = copy_file_range(from->fd[side], &in, to->fd[side], &out,
				(size_t)(op->n[2] - sum), 0)) > 0 && (sum += n) < op->n[2])
			;
		n < 0 ? n : sum;
	}));
}

static void choose_copy(struct worker *w, struct op *op)
{
	op->n[0] = choose_offset(w);
	op->n[1] = choose_offset(w);
	op->n[2] = 1 + random_below(w, IO_BYTES);
}

/* Not into a FIFO: what stands in it then are the file's pages, not their bytes at the time (splice(2)), so a later
 * write to the file shows there, or does not, as the page is still the file's, or is not. */
static void run_sendfile(struct worker *w, const struct op *op)
{
	const struct slot *from = &w->slot[op->slot], *to = &w->slot[op->slot2];

	if (from->direct || to->direct || !slot_regular(from) || !slot_regular(to) ||
		lseek(to->fd[0], 0, SEEK_CUR) > FILE_BYTES)
		return;
	BOTH(w, ({
		off_t in = op->n[0];
		ssize_t n, sum = 0;

		while ((n = sendfile(to->fd[side], from->fd[side], &in, (size_t)(op->n[1] - sum))) > 0 &&
			(sum += n) < op->n[1])
			;
		n < 0 ? n : sum;
	}));
}

static void choose_sendfile(struct worker *w, struct op *op)
{
	op->n[0] = choose_offset(w);
	op->n[1] = 1 + random_below(w, 50000);
}

static void run_sync(struct worker *w, const struct op *op)
{
	static int (*const how[])(int) = {fsync, fdatasync, syncfs};

	BOTH(w, how[op->n[0] % 3](w->slot[op->slot].fd[side]));
}

static void choose_sync(struct worker *w, struct op *op)
{
	op->n[0] = random_below(w, 3);
}

static void run_sync_range(struct worker *w, const struct op *op)
{
	BOTH(w, sync_file_range(w->slot[op->slot].fd[side], op->n[0], op->n[1],
			SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER));
}

static void run_forget(struct worker *w, const struct op *op)
{
	BOTH(w, posix_fadvise(w->slot[op->slot].fd[side], 0, 0, POSIX_FADV_DONTNEED));
}

const struct op_kind data_kinds[] = {
	{"pwrite", "s", {"off", "len", "fill"}, 30, 0, run_pwrite, choose_range},
	{"pread", "s", {"off", "len", "fill"}, 20, 0, run_pread, choose_range},
	{"write", "s", {"off", "len", "fill"}, 12, 0, run_write, choose_range},
	{"read", "s", {"off", "len", "fill"}, 8, 0, run_read, choose_range},
	{"pwritev", "s", {"off", "len", "fill"}, 6, 0, run_pwritev, choose_range},
	{"preadv", "s", {"off", "len", "fill"}, 4, 0, run_preadv, choose_range},
	{"lseek", "s", {"off", "whence"}, 6, 0, run_lseek, choose_lseek},
	{"seek-data", "s", {"off", "hole"}, 6, 0, run_seek_data, choose_seek_data},
	{"ftruncate", "s", {"off"}, 8, 0, run_ftruncate, choose_range},
	{"fallocate", "s", {"off", "len", "mode"}, 8, 0, run_fallocate, choose_fallocate},
	{"punch", "s", {"off", "len", "mode"}, 8, CAN_PUNCH, run_fallocate, choose_punch},
	{"zero-range", "s", {"off", "len", "mode"}, 8, CAN_ZERO, run_fallocate, choose_zero},
	{"copy-range", "sr", {"in", "out", "len"}, 6, 0, run_copy_range, choose_copy},
	{"sendfile", "sr", {"in", "len"}, 4, 0, run_sendfile, choose_sendfile},
	{"sync", "s", {"how"}, 4, 0, run_sync, choose_sync},
	{"sync-range", "s", {"off", "len"}, 2, 0, run_sync_range, choose_range},
	{"forget", "s", {NULL}, 3, 0, run_forget, NULL},
	{NULL},
};
