/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* After the cipher device is closed, no part of its keys is left anywhere in the process. */
#include <fcntl.h>
#include <gcrypt.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "kernel-shim/cryptdev.h"
#include "tests/dev/memdev.h"
#include "tests/unit.h"

enum { KEY_BYTES = 64, PIECE_BYTES = 16, MASK = 0xa5, WINDOW = 1 << 16 };

/* The key as this test remembers it: masked, so that the memory of the test is no finding. */
static uint8_t masked[KEY_BYTES];
static uint8_t window[WINDOW + PIECE_BYTES];

static struct secret *make_key(size_t len)
{
	struct secret *key = NULL;
	uint8_t *bytes;

	CU_ASSERT_EQUAL_FATAL(secret_new(len, &key), 0);
	bytes = secret_data(key);
	for (size_t i = 0; i < len; i++) {
		masked[i] = (uint8_t)((i + 1) * 41 ^ (i * i));
		bytes[i] = masked[i] ^ MASK;
	}
	return key;
}

static bool is_piece(const uint8_t *at, size_t piece)
{
	for (size_t i = 0; i < PIECE_BYTES; i++)
		if ((at[i] ^ MASK) != masked[piece * PIECE_BYTES + i])
			return false;
	return true;
}

/* Pieces of the key of len bytes in memory from start to end, read through a window. */
static unsigned search_range(int mem, unsigned long start, unsigned long end, size_t len)
{
	unsigned found = 0;

	for (unsigned long at = start; at < end; at += WINDOW) {
		size_t want = end - at < sizeof(window) ? end - at : sizeof(window);
		ssize_t n = pread(mem, window, want, (off_t)at);

		for (ssize_t i = 0; i + PIECE_BYTES <= n && i < WINDOW; i++)
			for (size_t piece = 0; piece < len / PIECE_BYTES; piece++)
				found += is_piece(window + i, piece);
	}
	/* What was found is in the window now. */
	memset(window, 0, sizeof(window));
	return found;
}

static unsigned search_memory(size_t len)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	int mem = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	unsigned long start, end;
	char line[512], mode[8];
	unsigned found = 0;

	while (maps && mem >= 0 && fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx %7s", &start, &end, mode) != 3 || mode[1] != 'w')
			continue;
		if (end - start > 64ul << 20) /* shadow memory of sanitizers */
			continue;
		if ((uintptr_t)window >= start && (uintptr_t)window < end) {
			found += search_range(mem, start, (uintptr_t)window, len);
			start = (uintptr_t)window + sizeof(window);
		}
		found += search_range(mem, start, end, len);
	}
	if (maps)
		fclose(maps);
	if (mem >= 0)
		close(mem);
	return found;
}

static void check_cipher(const char *cipher, size_t len)
{
	struct cryptdev_params params = {.cipher = cipher, .sector_bytes = 512};
	struct secret *key = make_key(len);
	struct blkdev *mem, *dev;
	uint8_t data[3000] = {0};

	CU_ASSERT(search_memory(len) > 0);
	CU_ASSERT_EQUAL_FATAL(memdev_new(1 << 20, 512, &mem), 0);
	CU_ASSERT_EQUAL_FATAL(cryptdev_open(mem, &params, key, &dev, NULL), 0);
	secret_free(key);
	CU_ASSERT(search_memory(len) > 0); /* in the ciphers' handles */
	CU_ASSERT_EQUAL(blkdev_write(dev, data, sizeof(data), 100), 0);
	CU_ASSERT_EQUAL(blkdev_read(dev, data, sizeof(data), 100), 0);
	CU_ASSERT_EQUAL(blkdev_flush(dev), 0);
	blkdev_close(dev);
	CU_ASSERT_EQUAL(search_memory(len), 0);
}

static void test_xts(void)
{
	check_cipher("aes-xts-plain64", 64);
}

static void test_essiv(void)
{
	check_cipher("aes-cbc-essiv:sha256", 32);
}

/* The key of the sector numbers, which is derived from the key of the data. */
static void test_essiv_derived(void)
{
	struct cryptdev_params params = {.cipher = "aes-cbc-essiv:sha256", .sector_bytes = 512};
	struct secret *key = make_key(32);
	struct blkdev *mem, *dev;

	gcry_md_hash_buffer(GCRY_MD_SHA256, masked, secret_data(key), 32);
	for (size_t i = 0; i < 32; i++)
		masked[i] ^= MASK;
	CU_ASSERT_EQUAL_FATAL(memdev_new(1 << 20, 512, &mem), 0);
	CU_ASSERT_EQUAL_FATAL(cryptdev_open(mem, &params, key, &dev, NULL), 0);
	CU_ASSERT(search_memory(32) > 0);
	blkdev_close(dev);
	CU_ASSERT_EQUAL(search_memory(32), 0);
	secret_free(key);
}

static void test_refused(void)
{
	struct cryptdev_params params = {.cipher = "aes-xts-plain64", .sector_bytes = 512,
		.offset_bytes = 1 << 20};
	struct secret *key = make_key(64);
	struct blkdev *mem, *dev;

	CU_ASSERT_EQUAL_FATAL(memdev_new(4096, 512, &mem), 0);
	CU_ASSERT(cryptdev_open(mem, &params, key, &dev, NULL) < 0);
	secret_free(key);
	blkdev_close(mem);
	CU_ASSERT_EQUAL(search_memory(64), 0);
}

int main(void)
{
	return UNIT_RUN(UNIT(test_xts), UNIT(test_essiv), UNIT(test_essiv_derived), UNIT(test_refused));
}
