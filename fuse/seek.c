/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the drive calls data is data. What it calls a hole may lie under dirty pages of the kernel:
 * those are called in (an invalidation notice makes the kernel write them first), and the drive is
 * asked again, until its answer does not change.
 *
 * A write past the kernel's cache leaves there what it held of the same bytes: before Linux 6.6 always,
 * later when somebody reads them at the same time. A page with the end of a file holds zeroes
 * where more is appended. So such pages are called in, too, after the write and before its answer.
 *
 * When held data was refused (refused.h), the kernel has to ask for attributes before it takes more of it.
 *
 * 1. A notice returns when the WRITE requests it causes are answered. The threads that answer them
 *    must therefore never wait for one: a thread of its own sends them, one at a time.
 * 2. Only holes, and what was written past the cache, are called in, so that no page is dropped that
 *    would have to be read again.
 */
#include "fuse/seek.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/list.h"
#include "fuse/reply.h"

enum { ROUNDS_MAX = 100 }; /* against a file that grows as fast as we look */

struct seeker {
	struct front *front;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct list requests; /* under lock */
	bool stopping, ended; /* under lock; ended: the thread answers nothing any more */
};

struct request {
	struct list link;
	fuse_req_t req; /* NULL: the kernel is to forget what it knows of the node's attributes */
	fuse_ino_t node;
	uint64_t off;
	int whence;
	size_t written; /* of a write past the cache; 0: it is a question for data or holes */
	bool too_late;
};

/* The hole that begins at or holds off: up to the next data, or 0 for "to the end". */
static int call_in(struct front *front, fuse_ino_t node, struct e4_inode *inode, uint64_t off)
{
	uint64_t end = 0;
	int err = e4_seek(inode, off, SEEK_DATA, &end);

	if (err == 0 && end <= off)
		return 0;
	if (err < 0 && err != -ENXIO)
		return err;
	err = fuse_lowlevel_notify_inval_inode(front->session, node, (off_t)off,
		err == 0 ? (off_t)(end - off) : 0);
	return err == -ENOENT ? 0 : err; /* not in the kernel's cache: nothing is dirty */
}

/* SEEK_DATA: whether there is data between off and what the drive answers. */
static int find_data(struct front *front, fuse_ino_t node, struct e4_inode *inode, uint64_t off,
	uint64_t *ret_found)
{
	int err = call_in(front, node, inode, off);

	return err < 0 ? err : e4_seek(inode, off, SEEK_DATA, ret_found);
}

/* SEEK_HOLE: whether what the drive answers is one. */
static int find_hole(struct front *front, fuse_ino_t node, struct e4_inode *inode, uint64_t off,
	uint64_t *ret_found)
{
	uint64_t found = off, before;
	int err = 0;

	for (int i = 0; i < ROUNDS_MAX; i++) {
		struct e4_attr attr;

		before = found;
		err = e4_seek(inode, off, SEEK_HOLE, &found);
		if (err == -ENXIO) { /* off is past the size on the drive; not so in the kernel */
			e4_getattr(inode, &attr);
			found = attr.size;
		} else if (err < 0) {
			return err;
		}
		if (i > 0 && found == before)
			break;
		err = call_in(front, node, inode, found);
		if (err < 0)
			return err;
	}
	return e4_seek(inode, off, SEEK_HOLE, ret_found);
}

static void seek_answer(struct front *front, const struct request *request)
{
	CLEANUP_INODE struct e4_inode *inode = NULL;
	uint64_t found = 0;
	int err = front_iget(front, request->node, &inode);

	if (err == 0 && request->whence == SEEK_DATA)
		err = find_data(front, request->node, inode, request->off, &found);
	else if (err == 0)
		err = find_hole(front, request->node, inode, request->off, &found);
	if (err == -ENXIO) /* past the end: not the "device gone" that reply_err() makes of it */
		fuse_reply_err(request->req, ENXIO);
	else if (err < 0)
		reply_err(request->req, err);
	else
		fuse_reply_lseek(request->req, (off_t)found);
}

/* It has been written, whatever becomes of the notice. */
static void written_answer(struct front *front, const struct request *request)
{
	if (!request->too_late)
		(void)fuse_lowlevel_notify_inval_inode(front->session, request->node,
			(off_t)request->off, (off_t)request->written);
	fuse_reply_write(request->req, request->written);
}

/* Drops no page. */
static void attributes_forget(struct front *front, const struct request *request)
{
	if (!request->too_late)
		(void)fuse_lowlevel_notify_inval_inode(front->session, request->node, -1, 0);
}

static void request_answer(struct front *front, const struct request *request)
{
	if (!request->req)
		attributes_forget(front, request);
	else if (request->written)
		written_answer(front, request);
	else if (request->too_late)
		reply_err(request->req, -EIO);
	else
		seek_answer(front, request);
}

/* Once it is stopping: all that are left, then NULL. */
static struct request *request_next(struct seeker *seeker)
{
	struct request *request = NULL;

	pthread_mutex_lock(&seeker->lock);
	while (list_empty(&seeker->requests) && !seeker->stopping)
		pthread_cond_wait(&seeker->changed, &seeker->lock);
	if (!list_empty(&seeker->requests)) {
		request = list_first(&seeker->requests, struct request, link);
		request->too_late = seeker->stopping;
		list_remove(&request->link);
	}
	pthread_mutex_unlock(&seeker->lock);
	return request;
}

static void *seeker_main(void *ctx)
{
	struct seeker *seeker = ctx;
	struct request *request;

	while ((request = request_next(seeker))) {
		request_answer(seeker->front, request);
		free(request);
	}
	pthread_mutex_lock(&seeker->lock);
	seeker->ended = true;
	pthread_cond_broadcast(&seeker->changed);
	pthread_mutex_unlock(&seeker->lock);
	return NULL;
}

int seeker_new(struct front *front, struct seeker **ret_seeker)
{
	struct seeker *seeker = calloc(1, sizeof(*seeker));
	int err;

	if (!seeker)
		return -ENOMEM;
	seeker->front = front;
	list_init(&seeker->requests);
	pthread_mutex_init(&seeker->lock, NULL);
	pthread_cond_init(&seeker->changed, NULL);
	err = pthread_create(&seeker->thread, NULL, seeker_main, seeker);
	if (err != 0) {
		pthread_cond_destroy(&seeker->changed);
		pthread_mutex_destroy(&seeker->lock);
		free(seeker);
		return -err;
	}
	*ret_seeker = seeker;
	return 0;
}

static void request_add(struct seeker *seeker, const struct request *what)
{
	struct request *request = malloc(sizeof(*request));
	struct request late = *what;
	bool stopping;

	if (!request) {
		if (what->req)
			reply_err(what->req, -ENOMEM);
		return;
	}
	*request = *what;
	pthread_mutex_lock(&seeker->lock);
	stopping = seeker->stopping;
	if (!stopping) {
		list_add_tail(&seeker->requests, &request->link);
		pthread_cond_broadcast(&seeker->changed);
	}
	pthread_mutex_unlock(&seeker->lock);
	if (stopping) {
		free(request);
		late.too_late = true;
		request_answer(seeker->front, &late);
	}
}

void seeker_add(struct seeker *seeker, fuse_req_t req, fuse_ino_t node, off_t off, int whence)
{
	request_add(seeker,
		&(struct request){.req = req, .node = node, .off = (uint64_t)off, .whence = whence});
}

void seeker_add_written(struct seeker *seeker, fuse_req_t req, fuse_ino_t node, off_t off, size_t len)
{
	request_add(seeker,
		&(struct request){.req = req, .node = node, .off = (uint64_t)off, .written = len});
}

void seeker_forget_attributes(struct seeker *seeker, fuse_ino_t node)
{
	request_add(seeker, &(struct request){.node = node});
}

void seeker_stop(struct seeker *seeker)
{
	pthread_mutex_lock(&seeker->lock);
	seeker->stopping = true;
	pthread_cond_broadcast(&seeker->changed);
	while (!seeker->ended)
		pthread_cond_wait(&seeker->changed, &seeker->lock);
	pthread_mutex_unlock(&seeker->lock);
}

void seeker_free(struct seeker *seeker)
{
	if (!seeker)
		return;
	seeker_stop(seeker);
	pthread_join(seeker->thread, NULL);
	pthread_cond_destroy(&seeker->changed);
	pthread_mutex_destroy(&seeker->lock);
	free(seeker);
}
