/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How fast is the cipher device, compared with libgcrypt's bare loop over the same sectors?
 *
 *	bench-cryptdev [MIB]
 *
 * Not a test: prints MiB/s and the ratio for each sector size, reading and writing 1 MiB requests.
 */
#include <gcrypt.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/bytes.h"
#include "kernel-shim/cryptdev.h"
#include "tests/dev/memdev.h"

enum { REQUEST = 1024 * 1024, DEVICE = 4 * REQUEST };

static uint8_t key_bytes[64];
static uint8_t buffer[REQUEST] __attribute__((aligned(4096)));
static uint8_t other[REQUEST] __attribute__((aligned(4096)));

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* One key schedule, one pass; the copy is what the memory device does below the cipher device. */
static double bare(unsigned requests, uint32_t sector_bytes, bool encrypt)
{
	gcry_cipher_hd_t handle;
	double start;
	gcry_error_t err = gcry_cipher_open(&handle, GCRY_CIPHER_AES256, GCRY_CIPHER_MODE_XTS, 0);

	if (!err)
		err = gcry_cipher_setkey(handle, key_bytes, sizeof(key_bytes));
	start = now();
	for (unsigned i = 0; i < requests && !err; i++) {
		if (!encrypt)
			memcpy(buffer, other, REQUEST);
		for (uint32_t off = 0; off < REQUEST && !err; off += sector_bytes) {
			le64 iv[2] = {le64_make(off / 512), le64_make(0)};

			err = gcry_cipher_setiv(handle, iv, sizeof(iv));
			if (!err && encrypt)
				err = gcry_cipher_encrypt(handle, buffer + off, sector_bytes, NULL, 0);
			else if (!err)
				err = gcry_cipher_decrypt(handle, buffer + off, sector_bytes, NULL, 0);
		}
		if (encrypt)
			memcpy(other, buffer, REQUEST);
	}
	gcry_cipher_close(handle);
	return err ? 0 : requests / (now() - start);
}

enum way { READ, WRITE, WRITE_CLOBBER };

static double device(unsigned requests, uint32_t sector_bytes, enum way way)
{
	struct cryptdev_params params = {.cipher = "aes-xts-plain64", .sector_bytes = sector_bytes};
	CLEANUP_SECRET struct secret *key = NULL;
	CLEANUP_BLKDEV struct blkdev *mem = NULL, *dev = NULL;
	double start;
	int r = 0;

	if (secret_new_copy(key_bytes, sizeof(key_bytes), &key) < 0 ||
		memdev_new(DEVICE, 512, &mem) < 0 || cryptdev_open(mem, &params, key, &dev, NULL) < 0)
		return 0;
	mem = NULL;
	start = now();
	for (unsigned i = 0; i < requests && r == 0; i++) {
		uint64_t off = i % (DEVICE / REQUEST) * (uint64_t)REQUEST;

		if (way == READ)
			r = blkdev_read(dev, buffer, REQUEST, off);
		else if (way == WRITE)
			r = blkdev_write(dev, buffer, REQUEST, off);
		else
			r = blkdev_write_clobber(dev, buffer, REQUEST, off);
	}
	return r < 0 ? 0 : requests / (now() - start);
}

int main(int argc, char **argv)
{
	unsigned requests = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 2048;

	if (crypto_init() < 0 || requests == 0)
		return 1;
	for (size_t i = 0; i < sizeof(key_bytes); i++)
		key_bytes[i] = (uint8_t)(i * 7 + 1);
	for (uint32_t sector = 512; sector <= 4096; sector *= 2) {
		double dec = bare(requests, sector, false), enc = bare(requests, sector, true);
		double rd = device(requests, sector, READ), wr = device(requests, sector, WRITE);
		double clobber = device(requests, sector, WRITE_CLOBBER);

		if (!(dec > 0 && enc > 0 && rd > 0 && wr > 0 && clobber > 0))
			return 1;
		printf("sector %4u: bare decrypt %5.0f encrypt %5.0f | read %5.0f (%.2f)  "
		       "write %5.0f (%.2f)  in place %5.0f (%.2f) MiB/s\n",
			sector, dec, enc, rd, rd / dec, wr, wr / enc, clobber, clobber / enc);
	}
	return 0;
}
