/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The kernel reads files of ordinary users in pieces of 128 KiB, and small files one by one. Who reads
 * past the page cache pays the drive's answering time for each. So where reads follow each other, more
 * is read at once, and the next ones are served from memory: ciphertext, as it lies on the drive.
 *
 *	FREE -- a read that follows no other --> EXPECTED   only `next` is known
 *	EXPECTED -- the next read comes --> FILLING  (its reader reads, without the lock)
 *	any -- the one before it gives out its first bytes --> FILLING  (the helper reads)
 *	FILLING -- done --> FILLED, or EXPECTED when it failed or was forgotten meanwhile
 *	FILLED -- a read behind the end of what is there --> FILLING;  forgotten --> EXPECTED
 *
 * 1. What is given out was read after the last change of these bytes that had ended: who has changed
 *    bytes calls streams_forget(). A stream that is FILLING then is spoilt and gives out nothing.
 * 2. Only who fills the stream touches buf while it is FILLING. Who is given bytes counts as a reader until
 *    he releases them, and a stream with readers is not filled. All else is under the lock.
 * 3. A stream reads more each time, up to STREAM_MAX, so reads that follow each other by accident do
 *    not cost much. Long reads and those that are not aligned are left alone.
 *
 * 4. The helper is a thread that begins with its first work, so in the process that serves, and ends
 *    with streams_free(). Without it only reading ahead of time is missing.
 *
 * Lock order: streams->lock, nothing below it; not held while reading.
 */
#include "kernel-shim/streams.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/iomem.h"

enum {
	STREAMS = 8,
	STREAM_FIRST = 128 * 1024, /* read at first, doubled each time */
	STREAM_MAX = 1024 * 1024,
	GAP_MAX = 64 * 1024, /* left out between two reads: other blocks lie there */
};

enum stream_state { STREAM_FREE, STREAM_EXPECTED, STREAM_FILLING, STREAM_FILLED };

struct stream {
	enum stream_state state;
	bool spoilt;	     /* forgotten while it was FILLING */
	unsigned readers;
	uint64_t next;	     /* where its last read ended */
	uint64_t start, end; /* what is in buf, or will be */
	size_t ahead;	     /* bytes to read next time */
	uint64_t used;	     /* when, by streams->clock */
	uint8_t *buf;	     /* STREAM_MAX bytes of streams->memory; NULL: none yet */
};

struct streams {
	struct fileio *io;
	pthread_t helper;
	bool helper_runs, stop;
	struct stream *work; /* FILLING, and the helper's to fill; NULL: none */
	pthread_cond_t work_changed;
	pthread_mutex_t lock;
	pthread_cond_t filled;
	uint64_t clock;
	uint8_t *memory; /* for all of them; NULL: none yet */
	struct stream list[STREAMS];
};

int streams_new(struct fileio *io, struct streams **ret_streams)
{
	struct streams *streams = calloc(1, sizeof(*streams));

	if (!streams)
		return -ENOMEM;
	pthread_mutex_init(&streams->lock, NULL);
	pthread_cond_init(&streams->filled, NULL);
	pthread_cond_init(&streams->work_changed, NULL);
	streams->io = io;
	*ret_streams = streams;
	return 0;
}

void streams_free(struct streams *streams)
{
	if (!streams)
		return;
	pthread_mutex_lock(&streams->lock);
	streams->stop = true;
	pthread_cond_signal(&streams->work_changed);
	pthread_mutex_unlock(&streams->lock);
	if (streams->helper_runs)
		pthread_join(streams->helper, NULL);
	if (streams->memory)
		iomem_unmap(streams->memory, (size_t)STREAMS * STREAM_MAX);
	pthread_cond_destroy(&streams->work_changed);
	pthread_cond_destroy(&streams->filled);
	pthread_mutex_destroy(&streams->lock);
	free(streams);
}

static bool has_bytes(const struct stream *s)
{
	return s->state == STREAM_FILLING || s->state == STREAM_FILLED;
}

void streams_forget(struct streams *streams, uint64_t off, uint64_t len)
{
	if (!streams || !len)
		return;
	pthread_mutex_lock(&streams->lock);
	for (size_t i = 0; i < STREAMS; i++) {
		struct stream *s = &streams->list[i];

		if (!has_bytes(s) || off >= s->end || s->start >= off + len)
			continue;
		if (s->state == STREAM_FILLING)
			s->spoilt = true;
		else
			s->state = STREAM_EXPECTED;
	}
	pthread_mutex_unlock(&streams->lock);
}

/* ---- finding; lock held -------------------------------------------------------------------- */

/* The stream that holds, or will hold, all of it. */
static struct stream *holder(struct streams *streams, uint64_t off, size_t len)
{
	for (size_t i = 0; i < STREAMS; i++) {
		struct stream *s = &streams->list[i];

		if (has_bytes(s) && off >= s->start && off + len <= s->end)
			return s;
	}
	return NULL;
}

/* The stream that this read continues. */
static struct stream *continued(struct streams *streams, uint64_t off)
{
	for (size_t i = 0; i < STREAMS; i++) {
		struct stream *s = &streams->list[i];

		if (s->state != STREAM_FREE && s->state != STREAM_FILLING && off >= s->next &&
			off - s->next <= GAP_MAX)
			return s;
	}
	return NULL;
}

/* A place for a new one: the longest unused; NULL when all are being filled or read. */
static struct stream *oldest(struct streams *streams)
{
	struct stream *found = NULL;

	for (size_t i = 0; i < STREAMS; i++) {
		struct stream *s = &streams->list[i];

		if (s->state != STREAM_FILLING && !s->readers && (!found || s->used < found->used))
			found = s;
	}
	return found;
}

static void begin_expecting(struct streams *streams, uint64_t next)
{
	struct stream *s = oldest(streams);

	if (!s)
		return;
	s->state = STREAM_EXPECTED;
	s->next = next;
	s->ahead = STREAM_FIRST;
	s->used = ++streams->clock;
}

/* ---- filling; lock held, released while reading ---------------------------------------------- */

static bool buffer_ready(struct streams *streams, struct stream *s)
{
	if (!streams->memory)
		streams->memory = iomem_map((size_t)STREAMS * STREAM_MAX);
	if (streams->memory)
		s->buf = streams->memory + (size_t)(s - streams->list) * STREAM_MAX;
	return s->buf != NULL;
}

/* From off on, len bytes or more; end: of the file. */
static void fill_begin(struct streams *streams, struct stream *s, size_t len, uint64_t off, uint64_t end)
{
	size_t want = min_u64(max_u64(s->ahead, round_up_u64(len, FILEIO_ALIGN)), STREAM_MAX);

	s->state = STREAM_FILLING;
	s->spoilt = false;
	s->start = s->next = off;
	s->end = off + min_u64(want, round_down_u64(end - off, FILEIO_ALIGN));
	s->ahead = min_u64(2 * want, STREAM_MAX);
	s->used = ++streams->clock;
}

static void fill(struct streams *streams, struct stream *s)
{
	int r;

	pthread_mutex_unlock(&streams->lock);
	r = fileio_read(streams->io, s->buf, s->end - s->start, s->start);
	pthread_mutex_lock(&streams->lock);
	s->state = r == 0 && !s->spoilt ? STREAM_FILLED : STREAM_EXPECTED;
	pthread_cond_broadcast(&streams->filled);
}

static void *helper_main(void *arg)
{
	struct streams *streams = arg;

	pthread_mutex_lock(&streams->lock);
	while (!streams->stop || streams->work) {
		if (streams->work) {
			fill(streams, streams->work);
			streams->work = NULL;
		} else {
			pthread_cond_wait(&streams->work_changed, &streams->lock);
		}
	}
	pthread_mutex_unlock(&streams->lock);
	return NULL;
}

static bool helper_ready(struct streams *streams)
{
	sigset_t all, old;

	if (streams->helper_runs)
		return true;
	sigfillset(&all); /* signals are for other threads */
	pthread_sigmask(SIG_SETMASK, &all, &old);
	streams->helper_runs = pthread_create(&streams->helper, NULL, helper_main, streams) == 0;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return streams->helper_runs;
}

/* What lies before off is being read: what comes behind it is read meanwhile, into a stream of its own. */
static void fill_behind(struct streams *streams, uint64_t off, uint64_t end)
{
	struct stream *behind;

	if (streams->work || end - off < FILEIO_ALIGN || holder(streams, off, FILEIO_ALIGN))
		return;
	behind = oldest(streams);
	if (!behind || !buffer_ready(streams, behind) || !helper_ready(streams))
		return;
	behind->ahead = STREAM_MAX;
	fill_begin(streams, behind, STREAM_MAX, off, end);
	streams->work = behind;
	pthread_cond_signal(&streams->work_changed);
}

/* ---- reading ------------------------------------------------------------------------------- */

/* *ret_from: as in streams_read(). Lock held. */
static bool give_out(struct streams *streams, struct stream *s, size_t len, uint64_t off,
	const void **ret_from)
{
	if (s->state != STREAM_FILLED || off < s->start || off + len > s->end)
		return false;
	s->readers++;
	s->next = max_u64(s->next, off + len);
	s->used = ++streams->clock;
	*ret_from = s->buf + (off - s->start);
	return true;
}

/* The stream that holds all of it and is not FILLING; NULL: none. Lock held, and released while waiting. */
static struct stream *filled_holder(struct streams *streams, size_t len, uint64_t off)
{
	struct stream *s;

	while ((s = holder(streams, off, len)) && s->state == STREAM_FILLING)
		pthread_cond_wait(&streams->filled, &streams->lock);
	return s;
}

/* The stream that was filled with it, or could not be; NULL: none is to be. Lock held, and released while
 * reading. */
static struct stream *fill_for(struct streams *streams, size_t len, uint64_t off, uint64_t end)
{
	struct stream *s = continued(streams, off);
	size_t ahead = s ? s->ahead : 0;

	if (s && s->readers)
		s = oldest(streams);
	if (!ahead || !s || !buffer_ready(streams, s)) {
		begin_expecting(streams, off + len);
		return NULL;
	}
	s->ahead = ahead;
	fill_begin(streams, s, len, off, end);
	fill(streams, s);
	return s;
}

/* The stream that has given it out, NULL: read it alone. Lock held. */
static struct stream *read_stream(struct streams *streams, size_t len, uint64_t off, uint64_t end,
	const void **ret_from)
{
	struct stream *s = filled_holder(streams, len, off);

	if (!s)
		s = fill_for(streams, len, off, end);
	/* What cannot be read ahead may still be readable alone; if not, the caller is told then. */
	if (!s || !give_out(streams, s, len, off, ret_from))
		return NULL;
	if (s->ahead >= STREAM_MAX)
		fill_behind(streams, s->end, end);
	return s;
}

int streams_read(struct streams *streams, void *buf, size_t len, uint64_t off, uint64_t end,
	const void **ret_from, struct stream **ret_stream)
{
	struct stream *s = NULL;
	const void *from = buf;
	int r = 0;

	if (len <= STREAM_MAX / 2 && (off | len) % FILEIO_ALIGN == 0) {
		pthread_mutex_lock(&streams->lock);
		s = read_stream(streams, len, off, end, &from);
		pthread_mutex_unlock(&streams->lock);
	}
	if (!s)
		r = fileio_read(streams->io, buf, len, off);
	if (r < 0)
		return r;
	*ret_from = from;
	*ret_stream = s;
	return 0;
}

void streams_release(struct streams *streams, struct stream *stream)
{
	if (!stream)
		return;
	pthread_mutex_lock(&streams->lock);
	stream->readers--;
	pthread_mutex_unlock(&streams->lock);
}
