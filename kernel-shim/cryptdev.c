/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The cipher layer.
 *
 * 1. What reaches the lower device is ciphertext, in whole sectors.
 * 2. Reads decrypt into the caller's buffer, from where the lower device has the bytes. Writes encrypt into
 *    the lower device's own memory if it has some for them, else in the caller's buffer if they may, else
 *    from it into a bounce buffer; both therefore only ever hold ciphertext.
 * 3. A cipher handle is borrowed for the computing only, never over device I/O: as many handles as
 *    CPUs are enough. A bounce buffer is borrowed over one write.
 * 4. A sector that is read or written in part (only the first and the last of a transfer can be) is
 *    handled under its stripe's lock, so that neighbours in one sector neither lose each other's
 *    bytes nor see a half-written sector. Whole sectors are moved without any lock.
 *
 * Lock order: stripe, then a pool's own lock. No thread waits for a stripe while it holds another
 * stripe, a cipher or a bounce buffer.
 */
#include "kernel-shim/cryptdev.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

#include "base/bytes.h"
#include "base/i18n.h"
#include "kernel-shim/cipher.h"
#include "kernel-shim/fileio.h"
#include "kernel-shim/pool.h"

enum {
	SECTOR_MIN = 512,
	SECTOR_MAX = 4096,
	BOUNCE_BYTES = 1024 * 1024,
	BOUNCE_COUNT = 32,
	CIPHERS_MAX = 16,
	STRIPES = 64,
};

struct cryptdev {
	struct blkdev dev;
	struct blkdev *lower;
	uint32_t sector_bytes;
	uint64_t offset_bytes, iv_offset;
	_Atomic uint64_t reads, read_bytes, writes, write_bytes, flushes;
	struct pool ciphers;
	struct pool bounces;
	pthread_mutex_t stripes[STRIPES];
};

static struct cryptdev *cryptdev_of(struct blkdev *dev)
{
	return container_of(dev, struct cryptdev, dev);
}

static void count_read(struct cryptdev *cd, size_t len)
{
	atomic_fetch_add_explicit(&cd->reads, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&cd->read_bytes, len, memory_order_relaxed);
}

static int lower_read(struct cryptdev *cd, void *buf, size_t len, uint64_t off)
{
	count_read(cd, len);
	return blkdev_read(cd->lower, buf, len, cd->offset_bytes + off);
}

static void count_write(struct cryptdev *cd, size_t len)
{
	atomic_fetch_add_explicit(&cd->writes, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&cd->write_bytes, len, memory_order_relaxed);
}

/* Ciphertext, of which the lower device may make what it likes. */
static int lower_write(struct cryptdev *cd, void *buf, size_t len, uint64_t off, uint32_t owner)
{
	struct blkdev_write how = {.may_clobber = true, .owner = owner};

	count_write(cd, len);
	return blkdev_write_how(cd->lower, buf, len, cd->offset_bytes + off, &how);
}

static int decrypt(struct cryptdev *cd, void *out, const void *in, size_t len, uint64_t off)
{
	struct cipher *cipher = pool_get(&cd->ciphers);
	int r = cipher_decrypt(cipher, out, in, len, cd->sector_bytes,
		cd->iv_offset + off / SECTOR_MIN);

	pool_put(&cd->ciphers, cipher);
	return r;
}

static int encrypt(struct cryptdev *cd, void *out, const void *in, size_t len, uint64_t off)
{
	struct cipher *cipher = pool_get(&cd->ciphers);
	int r = cipher_encrypt(cipher, out, in, len, cd->sector_bytes,
		cd->iv_offset + off / SECTOR_MIN);

	pool_put(&cd->ciphers, cipher);
	return r;
}

/* Where a read wants its plain bytes. */
struct wanted {
	struct cryptdev *cd;
	uint8_t *buf;
	uint64_t off;
};

static int decrypt_from(void *ctx, const void *from, size_t len, size_t at)
{
	const struct wanted *wanted = ctx;

	return decrypt(wanted->cd, wanted->buf + at, from, len, wanted->off + at);
}

static int read_whole(struct cryptdev *cd, void *buf, size_t len, uint64_t off)
{
	struct wanted wanted = {.cd = cd, .buf = buf, .off = off};

	count_read(cd, len);
	return blkdev_read_to(cd->lower, buf, decrypt_from, &wanted, len, cd->offset_bytes + off);
}

struct plain {
	struct cryptdev *cd;
	const uint8_t *buf;
	uint64_t off;
};

static int encrypt_to(void *ctx, void *to, size_t len, size_t at)
{
	const struct plain *plain = ctx;

	return encrypt(plain->cd, to, plain->buf + at, len, plain->off + at);
}

static int write_below(struct cryptdev *cd, const void *buf, size_t len, uint64_t off, uint32_t owner)
{
	struct plain plain = {.cd = cd, .buf = buf, .off = off};
	struct blkdev_write how = {.owner = owner};

	count_write(cd, len);
	return blkdev_write_from(cd->lower, encrypt_to, &plain, len, cd->offset_bytes + off, &how);
}

static int write_clobber(struct cryptdev *cd, void *buf, size_t len, uint64_t off, uint32_t owner)
{
	int r = encrypt(cd, buf, buf, len, off);

	return r < 0 ? r : lower_write(cd, buf, len, off, owner);
}

static int write_bounced(struct cryptdev *cd, const void *buf, size_t len, uint64_t off,
	uint32_t owner)
{
	const uint8_t *from = buf;
	void *bounce = pool_get(&cd->bounces);
	int r = 0;

	for (size_t done = 0, part; done < len && r == 0; done += part) {
		part = min_u64(len - done, BOUNCE_BYTES);
		r = encrypt(cd, bounce, from + done, part, off + done);
		if (r == 0)
			r = lower_write(cd, bounce, part, off + done, owner);
	}
	pool_put(&cd->bounces, bounce);
	return r;
}

/* What is long may go past the page cache, out of aligned memory, and costs no more that way. */
static int write_whole(struct cryptdev *cd, void *buf, size_t len, uint64_t off,
	const struct blkdev_write *how)
{
	bool in_place = how->may_clobber &&
		(len < FILEIO_LARGE || (uintptr_t)buf % FILEIO_ALIGN == 0);

	if (cd->lower->ops->write_from)
		return write_below(cd, buf, len, off, how->owner);
	return in_place ? write_clobber(cd, buf, len, off, how->owner)
			: write_bounced(cd, buf, len, off, how->owner);
}

static pthread_mutex_t *stripe_of(struct cryptdev *cd, uint64_t sector_off)
{
	return &cd->stripes[sector_off / cd->sector_bytes % STRIPES];
}

/* Part of one sector: len bytes at off, not across its end. */
static int read_part(struct cryptdev *cd, void *buf, size_t len, uint64_t off)
{
	uint64_t start = round_down_u64(off, cd->sector_bytes);
	pthread_mutex_t *stripe = stripe_of(cd, start);
	uint8_t sector[SECTOR_MAX];
	int r;

	pthread_mutex_lock(stripe);
	r = lower_read(cd, sector, cd->sector_bytes, start);
	pthread_mutex_unlock(stripe);
	if (r == 0)
		r = decrypt(cd, sector, sector, cd->sector_bytes, start);
	if (r == 0)
		memcpy(buf, sector + (off - start), len);
	bytes_wipe(sector, sizeof(sector));
	return r;
}

static int write_part(struct cryptdev *cd, const void *buf, size_t len, uint64_t off,
	uint32_t owner)
{
	uint64_t start = round_down_u64(off, cd->sector_bytes);
	pthread_mutex_t *stripe = stripe_of(cd, start);
	uint8_t sector[SECTOR_MAX];
	int r;

	pthread_mutex_lock(stripe);
	r = read_whole(cd, sector, cd->sector_bytes, start);
	if (r == 0) {
		memcpy(sector + (off - start), buf, len);
		r = write_clobber(cd, sector, cd->sector_bytes, start, owner);
	}
	pthread_mutex_unlock(stripe);
	bytes_wipe(sector, sizeof(sector));
	return r;
}

/* How many bytes of a transfer lie before its first whole sector, and in whole sectors. */
static size_t part_len(const struct cryptdev *cd, size_t len, uint64_t off)
{
	size_t into = off & (cd->sector_bytes - 1);

	return into || len < cd->sector_bytes ? min_u64(len, cd->sector_bytes - into) : 0;
}

static size_t whole_len(const struct cryptdev *cd, size_t len)
{
	return round_down_u64(len, cd->sector_bytes);
}

static int cryptdev_read(struct blkdev *dev, void *buf, size_t len, uint64_t off)
{
	struct cryptdev *cd = cryptdev_of(dev);
	uint8_t *p = buf;

	while (len > 0) {
		size_t part = part_len(cd, len, off), n = part ? part : whole_len(cd, len);
		int r = part ? read_part(cd, p, n, off) : read_whole(cd, p, n, off);

		if (r < 0)
			return r;
		p += n;
		off += n;
		len -= n;
	}
	return 0;
}

static int cryptdev_write(struct blkdev *dev, void *buf, size_t len, uint64_t off,
	const struct blkdev_write *how)
{
	struct cryptdev *cd = cryptdev_of(dev);
	uint8_t *p = buf;

	while (len > 0) {
		size_t part = part_len(cd, len, off), n = part ? part : whole_len(cd, len);
		int r = part ? write_part(cd, p, n, off, how->owner) : write_whole(cd, p, n, off, how);

		if (r < 0)
			return r;
		p += n;
		off += n;
		len -= n;
	}
	return 0;
}

static int cryptdev_flush(struct blkdev *dev)
{
	struct cryptdev *cd = cryptdev_of(dev);

	atomic_fetch_add_explicit(&cd->flushes, 1, memory_order_relaxed);
	return blkdev_flush(cd->lower);
}

struct lost_above {
	struct cryptdev *cd;
	blkdev_lost_fn fn;
	void *ctx;
};

static void lost_below(void *ctx, const struct blkdev_lost *lost)
{
	struct lost_above *above = ctx;
	struct blkdev_lost ours = *lost;

	if (ours.len != UINT64_MAX)
		ours.off -= above->cd->offset_bytes;
	above->fn(above->ctx, &ours);
}

static int cryptdev_lost(struct blkdev *dev, blkdev_lost_fn fn, void *ctx)
{
	struct lost_above above = {.cd = cryptdev_of(dev), .fn = fn, .ctx = ctx};

	return blkdev_lost(above.cd->lower, lost_below, &above);
}

/* In whole sectors, as they lie on the lower device. */
static int cryptdev_watch(struct blkdev *dev, uint64_t len, uint64_t off)
{
	struct cryptdev *cd = cryptdev_of(dev);
	uint64_t first = round_down_u64(off, cd->sector_bytes);
	uint64_t end = round_up_u64(off + len, cd->sector_bytes);

	return blkdev_watch(cd->lower, end - first, cd->offset_bytes + first);
}

static int cryptdev_discard(struct blkdev *dev, uint64_t off, uint64_t len)
{
	struct cryptdev *cd = cryptdev_of(dev);
	uint64_t first = round_up_u64(off, cd->sector_bytes);
	uint64_t last = round_down_u64(off + len, cd->sector_bytes);

	return first < last ? blkdev_discard(cd->lower, cd->offset_bytes + first, last - first) : 0;
}

static void *bounce_make(void)
{
	void *bounce = mmap(NULL, BOUNCE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		-1, 0);

	return bounce == MAP_FAILED ? NULL : bounce;
}

static void bounce_drop(void *bounce)
{
	bytes_wipe(bounce, BOUNCE_BYTES);
	munmap(bounce, BOUNCE_BYTES);
}

static void cipher_drop(void *cipher)
{
	cipher_free(cipher);
}

static void cryptdev_free(struct cryptdev *cd)
{
	pool_end(&cd->ciphers, cipher_drop);
	pool_end(&cd->bounces, bounce_drop);
	for (size_t i = 0; i < STRIPES; i++)
		pthread_mutex_destroy(&cd->stripes[i]);
	free(cd);
}

static int cryptdev_refresh(struct blkdev *dev, size_t len, uint64_t off)
{
	struct cryptdev *cd = cryptdev_of(dev);

	return blkdev_refresh(cd->lower, len, cd->offset_bytes + off);
}

static void cryptdev_close(struct blkdev *dev)
{
	struct cryptdev *cd = cryptdev_of(dev);

	blkdev_close(cd->lower);
	cryptdev_free(cd);
}

static const struct blkdev_ops cryptdev_ops = {
	.read = cryptdev_read,
	.write = cryptdev_write,
	.flush = cryptdev_flush,
	.discard = cryptdev_discard,
	.refresh = cryptdev_refresh,
	.lost = cryptdev_lost,
	.watch = cryptdev_watch,
	.close = cryptdev_close,
};

int cryptdev_check_cipher(const char *cipher, size_t key_bytes, struct diag *diag)
{
	return cipher_spec_find(cipher, key_bytes, diag) ? 0 : -SDE_CIPHER;
}

static int set_geometry(struct cryptdev *cd, struct blkdev *lower, const struct cryptdev_params *params,
	struct diag *diag)
{
	uint64_t size = params->size_bytes;

	if (!is_power_of_2(params->sector_bytes) || params->sector_bytes < SECTOR_MIN ||
		params->sector_bytes > SECTOR_MAX)
		return diag_set(diag, -EINVAL, _("encryption sectors of %u bytes"),
			params->sector_bytes);
	if (!range_inside(params->offset_bytes, size, lower->size_bytes))
		return diag_set(diag, -EINVAL, _("the encrypted data would end behind the drive's end"));
	if (size == 0)
		size = round_down_u64(lower->size_bytes - params->offset_bytes, params->sector_bytes);
	if (size == 0 || size % params->sector_bytes)
		return diag_set(diag, -EINVAL, _("the encrypted data are not whole sectors"));

	cd->sector_bytes = params->sector_bytes;
	cd->offset_bytes = params->offset_bytes;
	cd->iv_offset = params->iv_offset;
	cd->dev = (struct blkdev){
		.ops = &cryptdev_ops,
		.size_bytes = size,
		.block_bytes = params->sector_bytes,
		.read_only = params->read_only || lower->read_only,
		.discards = params->allow_discards && lower->discards,
	};
	return 0;
}

/* One cipher per CPU; if secure memory is short, fewer will do, but for the first. */
static int fill_pools(struct cryptdev *cd, const struct cipher_spec *spec, const struct secret *key)
{
	int r = 0;
	void *bounce = bounce_make();

	if (!bounce)
		return -ENOMEM;
	pool_add(&cd->bounces, bounce);
	while (r == 0 && cd->ciphers.made < cd->ciphers.max) {
		struct cipher *cipher;

		r = cipher_new(spec, key, &cipher);
		if (r == 0)
			pool_add(&cd->ciphers, cipher);
	}
	return r == -ENOMEM && cd->ciphers.made > 0 ? 0 : r;
}

int cryptdev_open(struct blkdev *lower, const struct cryptdev_params *params,
	const struct secret *key, struct blkdev **ret_dev, struct diag *diag)
{
	const struct cipher_spec *spec = cipher_spec_find(params->cipher, secret_len(key), diag);
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	struct cryptdev *cd;
	int r = spec ? crypto_init() : -SDE_CIPHER;

	if (r < 0)
		return r;
	cd = calloc(1, sizeof(*cd));
	if (!cd)
		return -ENOMEM;
	r = set_geometry(cd, lower, params, diag);
	if (r < 0) {
		free(cd);
		return r;
	}
	pool_init(&cd->ciphers, cpus < 1 ? 1 : (unsigned)min_u64((uint64_t)cpus, CIPHERS_MAX), NULL);
	pool_init(&cd->bounces, BOUNCE_COUNT, bounce_make);
	for (size_t i = 0; i < STRIPES; i++)
		pthread_mutex_init(&cd->stripes[i], NULL);
	r = fill_pools(cd, spec, key);
	if (r < 0) {
		cryptdev_free(cd);
		return r;
	}
	cd->lower = lower;
	*ret_dev = &cd->dev;
	return 0;
}

void cryptdev_counts(struct blkdev *dev, struct cryptdev_counts *ret_counts)
{
	struct cryptdev *cd = cryptdev_of(dev);

	*ret_counts = (struct cryptdev_counts){
		.reads = atomic_load(&cd->reads),
		.read_bytes = atomic_load(&cd->read_bytes),
		.writes = atomic_load(&cd->writes),
		.write_bytes = atomic_load(&cd->write_bytes),
		.flushes = atomic_load(&cd->flushes),
	};
}

void cryptdev_follow(struct blkdev *dev)
{
	struct cryptdev *cd = cryptdev_of(dev);

	dev->size_bytes = round_down_u64(cd->lower->size_bytes - cd->offset_bytes, cd->sector_bytes);
}
