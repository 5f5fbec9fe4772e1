/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/dev/stick.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

enum { SECTOR = 512, EIO_CALLS = 3 };

struct stick {
	pthread_mutex_t lock;
	uint64_t size;
	uint8_t *medium, *shown; /* shown: with what is in the cache */
	bool *dirty;		 /* by sector: shown, but not on the medium */
	uint64_t random, calls, pull_at, bad_off, bad_len, refused_off, refused_len;
	unsigned plugged; /* how often; devices know theirs */
	bool in, eio;
	unsigned eio_left;
};

struct stick_dev {
	struct blkdev dev;
	struct stick *stick;
	unsigned plugged;
	bool error; /* a flush has failed: sticky, as in filedev */
};

static struct stick_dev *of(struct blkdev *dev)
{
	return container_of(dev, struct stick_dev, dev);
}

static uint64_t next_random(struct stick *s)
{
	s->random ^= s->random << 13;
	s->random ^= s->random >> 7;
	s->random ^= s->random << 17;
	return s->random * 0x2545f4914f6cdd1d;
}

/* lock held */
static void pull(struct stick *s)
{
	if (!s->in)
		return;
	s->in = false;
	s->eio_left = s->eio ? EIO_CALLS : 0;
	for (uint64_t i = 0; i < s->size / SECTOR; i++)
		if (s->dirty[i] && next_random(s) >> 63)
			memcpy(s->medium + i * SECTOR, s->shown + i * SECTOR, SECTOR);
	memset(s->dirty, 0, s->size / SECTOR);
	memcpy(s->shown, s->medium, s->size);
}

/* Counts a call; 0 or the error it fails with. lock held. */
static int hit(struct stick_dev *d)
{
	struct stick *s = d->stick;

	s->calls++;
	if (s->pull_at > 0 && --s->pull_at == 0)
		pull(s);
	if (s->in && d->plugged == s->plugged)
		return 0;
	if (s->eio_left > 0 && d->plugged == s->plugged) {
		s->eio_left--;
		return -EIO;
	}
	return -ENODEV;
}

static int stick_read(struct blkdev *dev, void *buf, size_t len, uint64_t off)
{
	struct stick *s = of(dev)->stick;

	pthread_mutex_lock(&s->lock);
	int r = hit(of(dev));

	if (r == 0)
		memcpy(buf, s->shown + off, len);
	pthread_mutex_unlock(&s->lock);
	return r;
}

static int stick_write(struct blkdev *dev, void *buf, size_t len, uint64_t off,
	const struct blkdev_write *how)
{
	struct stick *s = of(dev)->stick;

	pthread_mutex_lock(&s->lock);
	if (off < s->refused_off + s->refused_len && s->refused_off < off + len) {
		pthread_mutex_unlock(&s->lock);
		return -EIO;
	}
	/* a write in the moment of pulling may have reached the cache */
	memcpy(s->shown + off, buf, len);
	memset(s->dirty + off / SECTOR, 1, (off + len + SECTOR - 1) / SECTOR - off / SECTOR);

	bool was_in = s->in;
	int r = hit(of(dev));

	if (r < 0 && !was_in) {
		memset(s->dirty + off / SECTOR, 0, (off + len + SECTOR - 1) / SECTOR - off / SECTOR);
		memcpy(s->shown + off, s->medium + off, len);
	}
	pthread_mutex_unlock(&s->lock);
	return r;
}

static bool is_bad(const struct stick *s, uint64_t sector)
{
	return sector * SECTOR < s->bad_off + s->bad_len && s->bad_off < (sector + 1) * SECTOR;
}

static int stick_flush(struct blkdev *dev)
{
	struct stick *s = of(dev)->stick;

	pthread_mutex_lock(&s->lock);
	int r = hit(of(dev));

	for (uint64_t i = 0; r == 0 && i < s->size / SECTOR; i++) {
		if (!s->dirty[i])
			continue;
		s->dirty[i] = false;
		if (is_bad(s, i))
			of(dev)->error = true;
		else
			memcpy(s->medium + i * SECTOR, s->shown + i * SECTOR, SECTOR);
	}
	if (r == 0 && of(dev)->error)
		r = -EIO;
	pthread_mutex_unlock(&s->lock);
	return r;
}

void stick_forget_error(struct blkdev *dev)
{
	pthread_mutex_lock(&of(dev)->stick->lock);
	of(dev)->error = false;
	pthread_mutex_unlock(&of(dev)->stick->lock);
}

static void stick_close(struct blkdev *dev)
{
	free(of(dev));
}

static const struct blkdev_ops stick_ops = {
	.read = stick_read,
	.write = stick_write,
	.flush = stick_flush,
	.close = stick_close,
};

int stick_new(uint64_t size_bytes, uint64_t seed, struct stick **ret_stick)
{
	struct stick *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	pthread_mutex_init(&s->lock, NULL);
	s->size = size_bytes;
	s->random = seed * 2 + 1;
	s->medium = calloc(1, size_bytes);
	s->shown = calloc(1, size_bytes);
	s->dirty = calloc(size_bytes / SECTOR, sizeof(*s->dirty));
	s->in = true;
	if (!s->medium || !s->shown || !s->dirty) {
		stick_free(s);
		return -ENOMEM;
	}
	*ret_stick = s;
	return 0;
}

void stick_free(struct stick *s)
{
	if (!s)
		return;
	free(s->medium);
	free(s->shown);
	free(s->dirty);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

uint8_t *stick_medium(struct stick *stick)
{
	return stick->medium;
}

const uint8_t *stick_shown(struct stick *stick)
{
	return stick->shown;
}

int stick_open(struct stick *stick, struct blkdev **ret_dev)
{
	struct stick_dev *d = calloc(1, sizeof(*d));

	if (!d)
		return -ENOMEM;
	pthread_mutex_lock(&stick->lock);
	bool in = stick->in;

	if (in) {
		d->plugged = stick->plugged;
		memset(stick->dirty, 0, stick->size / SECTOR);
		memcpy(stick->shown, stick->medium, stick->size);
	}
	pthread_mutex_unlock(&stick->lock);
	if (!in) {
		free(d);
		return -ENODEV;
	}
	d->dev = (struct blkdev){.ops = &stick_ops, .size_bytes = stick->size, .block_bytes = SECTOR};
	d->stick = stick;
	*ret_dev = &d->dev;
	return 0;
}

void stick_pull(struct stick *stick)
{
	pthread_mutex_lock(&stick->lock);
	pull(stick);
	pthread_mutex_unlock(&stick->lock);
}

void stick_plug(struct stick *stick)
{
	pthread_mutex_lock(&stick->lock);
	if (!stick->in) {
		stick->in = true;
		stick->plugged++;
	}
	pthread_mutex_unlock(&stick->lock);
}

bool stick_is_in(struct stick *stick)
{
	pthread_mutex_lock(&stick->lock);
	bool in = stick->in;

	pthread_mutex_unlock(&stick->lock);
	return in;
}

void stick_pull_at(struct stick *stick, uint64_t nth, bool eio)
{
	pthread_mutex_lock(&stick->lock);
	stick->pull_at = nth;
	stick->eio = eio;
	pthread_mutex_unlock(&stick->lock);
}

uint64_t stick_calls(struct stick *stick)
{
	pthread_mutex_lock(&stick->lock);
	uint64_t calls = stick->calls;

	pthread_mutex_unlock(&stick->lock);
	return calls;
}

bool stick_is_dead(struct blkdev *dev)
{
	struct stick *s = of(dev)->stick;

	pthread_mutex_lock(&s->lock);
	bool dead = of(dev)->plugged != s->plugged || (!s->in && s->eio_left == 0);

	if (!dead && !s->in) /* time passes */
		s->eio_left--;

	pthread_mutex_unlock(&s->lock);
	return dead;
}

void stick_set_bad(struct stick *stick, uint64_t off, uint64_t len)
{
	pthread_mutex_lock(&stick->lock);
	stick->bad_off = off;
	stick->bad_len = len;
	pthread_mutex_unlock(&stick->lock);
}

void stick_set_refused(struct stick *stick, uint64_t off, uint64_t len)
{
	pthread_mutex_lock(&stick->lock);
	stick->refused_off = off;
	stick->refused_len = len;
	pthread_mutex_unlock(&stick->lock);
}
