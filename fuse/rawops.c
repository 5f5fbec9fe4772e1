/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libfuse answers requests it does not know with ENOSYS. Those that we know and it does not are
 * taken out of the stream before it sees them: libfuse reads from the kernel through a function of
 * ours, which looks at the header, answers such a request itself, and reads the next one.
 *
 * 1. All else passes unchanged, errors of read(2) too. libfuse's threads, their cloned descriptors,
 *    their ending and interrupting stay its own business; the answer goes to the descriptor that
 *    the request came from.
 * 2. libfuse ends its threads by cancelling them, which it allows while they read. So it is not
 *    allowed while one of them does our work, which takes locks.
 * 3. To libfuse a thread that does our work still waits, so it starts no other one for it. Nothing
 *    here may therefore wait for another request of the kernel.
 * 4. The answer to INIT is completed by flags that libfuse cannot set.
 * 5. The bytes of a WRITE request stay out of libfuse's buffer: libfuse passes them on without a
 *    look, to op_write() in the same thread.
 * 6. Not all of libfuse's threads read at once: turns.h.
 * 7. Kernels before 6.2 (TMPFILE) and 6.6 (STATX) never send these requests.
 */
#include "fuse/rawops.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/bytes.h"
#include "fuse/protocol.h"
#include "fuse/reply.h"
#include "fuse/turns.h"

enum { WRITE_HEAD_BYTES = sizeof(struct fuse_in_header) + sizeof(struct fuse_write_in) };

static _Thread_local char *write_data; /* NULL: where libfuse says */

struct raw_request {
	struct front *front;
	int fd;
	struct fuse_in_header head;
	const void *arg;
	size_t arg_len;
};

/* ---- answering ----------------------------------------------------------------------------- */

/* -ENOENT: the request was interrupted, and the kernel did not take the answer. */
static int raw_send(const struct raw_request *request, int err, const void *data, size_t len)
{
	struct fuse_out_header head = {
		.len = (uint32_t)(sizeof(head) + len),
		.error = -reply_errno(err),
		.unique = request->head.unique,
	};
	struct iovec iov[] = {
		{.iov_base = &head, .iov_len = sizeof(head)},
		{.iov_base = (void *)(uintptr_t)data, .iov_len = len},
	};

	return writev(request->fd, iov, len ? 2 : 1) < 0 ? -errno : 0;
}

/* When not even that can be said, the kernel has ended the connection. */
static void raw_fail(const struct raw_request *request, int err)
{
	(void)raw_send(request, err, NULL, 0);
}

/* ---- STATX: attributes and the time of birth ----------------------------------------------- */

static struct protocol_sx_time sx_time(struct timespec time)
{
	return (struct protocol_sx_time){
		.seconds = time.tv_sec,
		.nanoseconds = (uint32_t)time.tv_nsec,
	};
}

static void statx_fill(const struct e4_attr *attr, struct protocol_statx_out *out)
{
	*out = (struct protocol_statx_out){
		.attr_valid_seconds = REPLY_CACHE_SECONDS,
		.mask = STATX_BASIC_STATS | (attr->has_crtime ? STATX_BTIME : 0),
		.nlink = attr->nlink,
		.uid = attr->uid,
		.gid = attr->gid,
		.mode = (uint16_t)attr->mode,
		.ino = attr->ino,
		.size = attr->size,
		.blocks = attr->blocks_512,
		.atime = sx_time(attr->atime),
		.btime = sx_time(attr->crtime),
		.ctime = sx_time(attr->ctime),
		.mtime = sx_time(attr->mtime),
		.rdev_major = major(attr->rdev),
		.rdev_minor = minor(attr->rdev),
	};
}

static void raw_statx(const struct raw_request *request)
{
	CLEANUP_INODE struct e4_inode *inode = NULL;
	struct protocol_statx_out out;
	struct e4_attr attr;
	int err = front_iget(request->front, request->head.nodeid, &inode);

	if (err < 0) {
		raw_fail(request, err);
		return;
	}
	e4_getattr(inode, &attr);
	owner_show(&request->front->owner, &attr);
	statx_fill(&attr, &out);
	(void)raw_send(request, 0, &out, sizeof(out));
}

/* ---- TMPFILE: an open file without a name -------------------------------------------------- */

static void attr_fill(const struct stat *st, struct fuse_attr *attr)
{
	*attr = (struct fuse_attr){
		.ino = st->st_ino,
		.size = (uint64_t)st->st_size,
		.blocks = (uint64_t)st->st_blocks,
		.atime = (uint64_t)st->st_atim.tv_sec,
		.mtime = (uint64_t)st->st_mtim.tv_sec,
		.ctime = (uint64_t)st->st_ctim.tv_sec,
		.atimensec = (uint32_t)st->st_atim.tv_nsec,
		.mtimensec = (uint32_t)st->st_mtim.tv_nsec,
		.ctimensec = (uint32_t)st->st_ctim.tv_nsec,
		.mode = st->st_mode,
		.nlink = (uint32_t)st->st_nlink,
		.uid = st->st_uid,
		.gid = st->st_gid,
	};
}

static int tmpfile_make(const struct raw_request *request, struct e4_inode **ret_inode)
{
	const struct fuse_create_in *arg = request->arg;
	const struct front_caller caller = {
		.uid = request->head.uid,
		.gid = request->head.gid,
		.umask = arg->umask,
		.use_reserve = owner_may_use_reserve(
			&request->front->owner, request->head.uid, request->head.gid),
	};
	struct e4_create what = {.mode = S_IFREG | (arg->mode & 07777)};
	CLEANUP_INODE struct e4_inode *dir = NULL;
	int err = front_iget(request->front, request->head.nodeid, &dir);

	if (err < 0)
		return err;
	front_inherit(request->front, &caller, dir, &what);
	return e4_tmpfile(dir, &what, ret_inode);
}

static void raw_tmpfile(const struct raw_request *request)
{
	const struct fuse_create_in *arg = request->arg;
	CLEANUP_INODE struct e4_inode *inode = NULL;
	struct fuse_entry_param e;
	struct {
		struct fuse_entry_out entry;
		struct fuse_open_out open;
	} out = {0};
	int err = -EINVAL;
	bool direct;

	if (request->arg_len >= sizeof(*arg))
		err = tmpfile_make(request, &inode);
	if (err == 0)
		err = entry_fill(request->front, inode, &e);
	if (err < 0) {
		raw_fail(request, err);
		return;
	}
	out.entry.nodeid = e.ino;
	out.entry.generation = e.generation;
	out.entry.entry_valid = out.entry.attr_valid = REPLY_CACHE_SECONDS;
	attr_fill(&e.attr, &out.entry.attr);
	direct = front_open_direct(request->front, e4_get_flags(inode), (int)arg->flags, true);
	out.open.fh = front_handle_new(request->front, inode, (int)arg->flags, direct);
	out.open.open_flags = FOPEN_KEEP_CACHE | (direct ? FOPEN_DIRECT_IO : 0);
	if (raw_send(request, 0, &out, sizeof(out)) == -ENOENT)
		entry_forget(request->front, e4_ino(inode));
}

/* ---- the stream ---------------------------------------------------------------------------- */

static const struct {
	uint32_t opcode;
	void (*answer)(const struct raw_request *request);
} raw_ops[] = {
	{PROTOCOL_STATX, raw_statx},
	{PROTOCOL_TMPFILE, raw_tmpfile},
};

/* Whether the request in buf was one of ours. */
static bool raw_answer(struct front *front, int fd, const char *buf, size_t len)
{
	struct raw_request request = {
		.front = front,
		.fd = fd,
		.arg = buf + sizeof(request.head),
	};
	int old;

	if (len < sizeof(request.head))
		return false;
	memcpy(&request.head, buf, sizeof(request.head));
	request_count(&front->requests, request.head.opcode);
	request.arg_len = len - sizeof(request.head);
	for (size_t i = 0; i < ARRAY_SIZE(raw_ops); i++) {
		if (raw_ops[i].opcode != request.head.opcode)
			continue;
		pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old);
		raw_ops[i].answer(&request);
		pthread_setcancelstate(old, NULL);
		return true;
	}
	return false;
}

/* ---- INIT: what the kernel and we agree on ------------------------------------------------- */

/* See killpriv.h. */
static const uint32_t init_flags = FUSE_HANDLE_KILLPRIV_V2;

static void init_seen(struct front *front, const char *buf, size_t len)
{
	struct fuse_in_header head;
	struct fuse_init_in in;

	if (len < sizeof(head) + offsetof(struct fuse_init_in, flags) + sizeof(in.flags))
		return;
	memcpy(&head, buf, sizeof(head));
	memcpy(&in.flags, buf + sizeof(head) + offsetof(struct fuse_init_in, flags), sizeof(in.flags));
	if (head.opcode == FUSE_INIT && (in.flags & init_flags) == init_flags)
		front->init_request = head.unique;
}

/* Whether this is the answer, which then is *out. */
static bool init_answer(struct front *front, const struct iovec *iov, int count,
	struct fuse_init_out *out)
{
	const struct fuse_out_header *head = iov[0].iov_base;
	uint64_t request = front->init_request;

	if (!request || iov[0].iov_len < sizeof(*head) || head->unique != request)
		return false;
	front->init_request = 0;
	if (count != 2 || head->error || iov[1].iov_len > sizeof(*out) ||
		iov[1].iov_len < offsetof(struct fuse_init_out, max_background))
		return false;
	memcpy(out, iov[1].iov_base, iov[1].iov_len);
	out->flags |= init_flags;
	return true;
}

/*
 * A request: its head to buf, the rest to a buffer that begins with a page. So the pages of a WRITE
 * are copied one to one, and may go past the page cache without being copied again. The rest of
 * all others, which is short, is put where libfuse expects it.
 */
static ssize_t request_read(int fd, char *buf, size_t size)
{
	char *rest = front_buffer();
	struct iovec iov[] = {
		{.iov_base = buf, .iov_len = WRITE_HEAD_BYTES},
		{.iov_base = rest, .iov_len = FRONT_BUFFER_BYTES},
	};
	struct fuse_in_header head;
	ssize_t len;

	write_data = NULL;
	if (!rest || size < WRITE_HEAD_BYTES + FRONT_REQUEST_MAX)
		return read(fd, buf, size);
	iov[1].iov_len = min_u64(FRONT_BUFFER_BYTES, size - WRITE_HEAD_BYTES);
	len = readv(fd, iov, 2);
	if (len <= (ssize_t)WRITE_HEAD_BYTES)
		return len;
	memcpy(&head, buf, sizeof(head));
	if (head.opcode == FUSE_WRITE)
		write_data = rest;
	else
		memcpy(buf + WRITE_HEAD_BYTES, rest, (size_t)len - WRITE_HEAD_BYTES);
	return len;
}

char *rawops_write_data(const char *buf)
{
	return write_data ? write_data : (char *)(uintptr_t)buf;
}

static ssize_t raw_read(int fd, void *buf, size_t size, void *ctx)
{
	struct front *front = ctx;
	ssize_t len;
	int err;

	do {
		turns_begin(front->turns);
		len = request_read(fd, buf, size);
		err = errno;
		turns_end(front->turns);
	} while (len > 0 && raw_answer(front, fd, buf, (size_t)len));
	if (len > 0)
		init_seen(front, buf, (size_t)len);
	errno = err;
	return len;
}

static ssize_t raw_writev(int fd, struct iovec *iov, int count, void *front)
{
	struct fuse_init_out out;
	struct iovec completed[2];

	if (!init_answer(front, iov, count, &out))
		return writev(fd, iov, count);
	completed[0] = iov[0];
	completed[1] = (struct iovec){.iov_base = &out, .iov_len = iov[1].iov_len};
	return writev(fd, completed, 2);
}

int rawops_install(struct fuse_session *session)
{
	static const struct fuse_custom_io io = {.read = raw_read, .writev = raw_writev};

	return fuse_session_custom_io(session, &io, fuse_session_fd(session));
}
