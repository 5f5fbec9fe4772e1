/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The cipher device against published vectors, a memory model, faults and many threads. */
#include <errno.h>
#include <gcrypt.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "base/bytes.h"
#include "kernel-shim/cryptdev.h"
#include "tests/dev/faultdev.h"
#include "tests/dev/memdev.h"
#include "tests/unit.h"
#include "tests/vectors-xts.h"

enum { MIB = 1024 * 1024 };

static uint64_t random_state = 88172645463325252u;

/* xorshift64: the same numbers in each run */
static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static void fill_random(void *buf, size_t len)
{
	for (size_t i = 0; i < len; i++)
		((uint8_t *)buf)[i] = (uint8_t)next_random(&random_state);
}

static size_t from_hex(const char *hex, uint8_t *out)
{
	size_t n = strlen(hex) / 2;

	for (size_t i = 0; i < n; i++)
		sscanf(hex + 2 * i, "%2hhx", &out[i]);
	return n;
}

static struct secret *make_key(size_t len)
{
	struct secret *key = NULL;

	CU_ASSERT_EQUAL_FATAL(secret_new(len, &key), 0);
	for (size_t i = 0; i < len; i++)
		((uint8_t *)secret_data(key))[i] = (uint8_t)(3 * i + 7);
	return key;
}

/* A cipher device on a memory device of mem_bytes, the data starting at params->offset_bytes. */
static struct blkdev *open_on_memory(uint64_t mem_bytes, const struct cryptdev_params *params,
	size_t key_len, struct blkdev **ret_mem)
{
	CLEANUP_SECRET struct secret *key = make_key(key_len);
	struct blkdev *dev = NULL;

	CU_ASSERT_EQUAL_FATAL(memdev_new(mem_bytes, 512, ret_mem), 0);
	CU_ASSERT_EQUAL_FATAL(cryptdev_open(*ret_mem, params, key, &dev, NULL), 0);
	return dev;
}

static void check_vector(size_t i)
{
	struct cryptdev_params params = {.cipher = "aes-xts-plain64", .sector_bytes = 512,
		.iv_offset = vectors_xts[i].data_unit};
	CLEANUP_SECRET struct secret *key = NULL;
	CLEANUP_BLKDEV struct blkdev *dev = NULL;
	struct blkdev *mem;
	uint8_t key_bytes[64], plain[512], cipher[512], got[512];

	size_t key_len = from_hex(vectors_xts[i].key, key_bytes);
	CU_ASSERT_EQUAL_FATAL(from_hex(vectors_xts[i].ciphertext, cipher), 512);
	for (size_t k = 0; k < 512; k++)
		plain[k] = (uint8_t)k;
	CU_ASSERT_EQUAL_FATAL(secret_new_copy(key_bytes, key_len, &key), 0);
	CU_ASSERT_EQUAL_FATAL(memdev_new(512, 512, &mem), 0);
	CU_ASSERT_EQUAL_FATAL(cryptdev_open(mem, &params, key, &dev, NULL), 0);
	CU_ASSERT_EQUAL(blkdev_write(dev, plain, 512, 0), 0);
	CU_ASSERT_EQUAL(memcmp(memdev_data(mem), cipher, 512), 0);
	memcpy(memdev_data(mem), cipher, 512);
	CU_ASSERT_EQUAL(blkdev_read(dev, got, 512, 0), 0);
	CU_ASSERT_EQUAL(memcmp(got, plain, 512), 0);
}

static void test_vectors(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(vectors_xts); i++)
		check_vector(i);
}

static void test_allow_list(void)
{
	static const struct {
		const char *cipher;
		size_t key_bytes;
		bool allowed;
	} table[] = {
		{"aes-xts-plain64", 32, true}, {"aes-xts-plain64", 64, true},
		{"aes-xts-plain64", 48, false}, {"aes-xts-plain64", 16, false},
		{"aes-xts-plain64", 0, false}, {"aes-xts-plain64", SIZE_MAX, false},
		{"aes-xts-plain", 64, true}, {"aes-xts-plain64be", 64, false},
		{"aes-cbc-essiv:sha256", 16, true}, {"aes-cbc-essiv:sha256", 24, true},
		{"aes-cbc-essiv:sha256", 32, true}, {"aes-cbc-essiv:sha256", 64, false},
		{"aes-cbc-essiv:md5", 32, false}, {"aes-cbc-plain64", 32, true},
		{"aes-cbc-plain", 16, true}, {"aes-cbc-null", 32, false},
		{"aes-ecb", 32, false}, {"aes-ecb-null", 32, false},
		{"cipher_null-ecb", 32, false}, {"cipher_null", 0, false}, {"null", 0, false},
		{"AES-XTS-PLAIN64", 64, false}, {"aes-xts-plain64 ", 64, false}, {"", 64, false},
		{"serpent-xts-plain64", 64, false}, {"aes-xts-essiv:sha256", 64, false},
		{"capi:xts(aes)-plain64", 64, false}, {"\x1b[2Jaes", 64, false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct diag diag = {0};
		int r = cryptdev_check_cipher(table[i].cipher, table[i].key_bytes, &diag);

		CU_ASSERT_EQUAL(r, table[i].allowed ? 0 : -SDE_CIPHER);
		CU_ASSERT_EQUAL(diag.detail[0] == '\0', table[i].allowed);
		CU_ASSERT_PTR_NULL(strchr(diag.detail, '\x1b'));
	}
}

static void test_weak_key(void)
{
	struct cryptdev_params params = {.cipher = "aes-xts-plain64", .sector_bytes = 512};
	CLEANUP_SECRET struct secret *key = NULL;
	CLEANUP_BLKDEV struct blkdev *mem = NULL;
	struct blkdev *dev = NULL;

	CU_ASSERT_EQUAL_FATAL(secret_new(64, &key), 0);
	CU_ASSERT_EQUAL_FATAL(memdev_new(4096, 512, &mem), 0);
	CU_ASSERT_EQUAL(cryptdev_open(mem, &params, key, &dev, NULL), -SDE_WEAK_KEY);
	CU_ASSERT_PTR_NULL(dev);
	/* CBC has no halves */
	secret_truncate(key, 32);
	params.cipher = "aes-cbc-essiv:sha256";
	CU_ASSERT_EQUAL_FATAL(cryptdev_open(mem, &params, key, &dev, NULL), 0);
	mem = NULL;
	blkdev_close(dev);
}

static void test_geometry(void)
{
	static const struct {
		uint32_t sector;
		uint64_t offset, size, expected; /* 0: refused */
	} table[] = {
		{512, 0, 0, 10240}, {4096, 0, 0, 8192}, {4096, 512, 0, 8192}, {1024, 512, 0, 9216},
		{512, 10240, 0, 0}, {512, 10241, 0, 0}, {512, 0, 10752, 0}, {512, 512, 10240, 0},
		{512, UINT64_MAX, 512, 0}, {512, 512, UINT64_MAX, 0}, {512, 0, 1000, 0},
		{4096, 0, 512, 0}, {4096, 8192, 0, 0}, {512, 1024, 512, 512},
		{0, 0, 0, 0}, {256, 0, 0, 0}, {513, 0, 0, 0}, {8192, 0, 0, 0}, {1536, 0, 0, 0},
	};
	CLEANUP_SECRET struct secret *key = make_key(64);

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct cryptdev_params params = {.cipher = "aes-xts-plain64",
			.sector_bytes = table[i].sector, .offset_bytes = table[i].offset,
			.size_bytes = table[i].size};
		CLEANUP_BLKDEV struct blkdev *mem = NULL, *dev = NULL;

		CU_ASSERT_EQUAL_FATAL(memdev_new(10240, 512, &mem), 0);
		int r = cryptdev_open(mem, &params, key, &dev, NULL);

		CU_ASSERT_EQUAL(r, table[i].expected ? 0 : -EINVAL);
		if (r == 0) {
			mem = NULL;
			CU_ASSERT_EQUAL(dev->size_bytes, table[i].expected);
			CU_ASSERT_EQUAL(dev->block_bytes, table[i].sector);
		}
	}
}

static void test_read_only_and_discard(void)
{
	struct cryptdev_params params = {.cipher = "aes-xts-plain64", .sector_bytes = 1024,
		.offset_bytes = 4096};
	CLEANUP_BLKDEV struct blkdev *dev = NULL;
	struct blkdev *mem;
	uint8_t *raw;
	uint8_t b[512] = {0};

	dev = open_on_memory(64 * 1024, &params, 64, &mem);
	CU_ASSERT_EQUAL(blkdev_discard(dev, 0, 4096), -EOPNOTSUPP);
	blkdev_close(dev);
	params.allow_discards = true;
	dev = open_on_memory(64 * 1024, &params, 64, &mem);
	raw = memdev_data(mem);
	memset(raw, 0xee, 64 * 1024);
	/* only the whole sectors inside the range: 1024 to 4096 of the device */
	CU_ASSERT_EQUAL(blkdev_discard(dev, 1, 5000 - 1 - 100), 0);
	CU_ASSERT_EQUAL(raw[4096 + 1023], 0xee);
	CU_ASSERT(bytes_all_zero(raw + 4096 + 1024, 3072));
	CU_ASSERT_EQUAL(raw[4096 + 4096], 0xee);
	CU_ASSERT_EQUAL(blkdev_discard(dev, 5, 1030), 0);
	CU_ASSERT_EQUAL(raw[4096 + 1023], 0xee);
	blkdev_close(dev);
	params.read_only = true;
	dev = open_on_memory(64 * 1024, &params, 64, &mem);
	CU_ASSERT_EQUAL(blkdev_write(dev, b, 512, 0), -EROFS);
	CU_ASSERT_EQUAL(blkdev_read(dev, b, 512, 0), 0);
}

static void test_read_only_below(void)
{
	struct cryptdev_params params = {.cipher = "aes-xts-plain64", .sector_bytes = 512};
	CLEANUP_SECRET struct secret *key = make_key(64);
	CLEANUP_BLKDEV struct blkdev *dev = NULL;
	struct blkdev *mem;

	CU_ASSERT_EQUAL_FATAL(memdev_new(4096, 512, &mem), 0);
	mem->read_only = true;
	CU_ASSERT_EQUAL_FATAL(cryptdev_open(mem, &params, key, &dev, NULL), 0);
	CU_ASSERT(dev->read_only);
}

/* valgrind is a hundred times slower */
static size_t stride(void)
{
	const char *preload = getenv("LD_PRELOAD");

	return preload && strstr(preload, "vgpreload") ? 23 : 1;
}

/* Every transfer at every offset over every length up to a bit over two sectors. */
static void test_unaligned(void)
{
	enum { SECTOR = 512, SIZE = 4 * SECTOR, OFFSETS = SECTOR + 3, LENGTHS = 2 * SECTOR + 3 };
	struct cryptdev_params params = {.cipher = "aes-xts-plain64", .sector_bytes = SECTOR,
		.offset_bytes = SECTOR, .size_bytes = SIZE};
	CLEANUP_BLKDEV struct blkdev *dev = NULL;
	struct blkdev *mem;
	uint8_t model[SIZE], got[SIZE], data[LENGTHS], copy[LENGTHS];
	size_t bad = 0;

	dev = open_on_memory(SIZE + 2 * SECTOR, &params, 64, &mem);
	uint8_t *raw = memdev_data(mem);

	fill_random(model, SIZE);
	CU_ASSERT_EQUAL_FATAL(blkdev_write(dev, model, SIZE, 0), 0);
	for (size_t off = 0; off < OFFSETS; off += stride())
		for (size_t len = 1; len < LENGTHS; len++) {
			memset(data, (int)next_random(&random_state), len);
			data[0] = (uint8_t)off;
			data[len - 1] = (uint8_t)len;
			memcpy(model + off, data, len);
			memcpy(copy, data, len);
			if (len & 1) {
				bad += blkdev_write(dev, data, len, off) != 0;
				bad += memcmp(data, copy, len) != 0;
			} else {
				bad += blkdev_write_clobber(dev, data, len, off) != 0;
			}
			size_t at = (off + len * 7) % SECTOR, n = len < SIZE - at ? len : SIZE - at;

			bad += blkdev_read(dev, got, n, at) != 0;
			bad += memcmp(got, model + at, n) != 0;
			if (len % 64 == 0) {
				bad += blkdev_read(dev, got, SIZE, 0) != 0;
				bad += memcmp(got, model, SIZE) != 0;
			}
		}
	CU_ASSERT_EQUAL(bad, 0);
	CU_ASSERT(bytes_all_zero(raw, SECTOR));
	CU_ASSERT(bytes_all_zero(raw + SECTOR + SIZE, SECTOR));
}

/* All ciphers and sector sizes, random transfers up to 3 MiB, the model beside them. */
static void check_random_transfers(const char *cipher, size_t key_len, uint32_t sector)
{
	enum { SIZE = 4 * MIB };
	struct cryptdev_params params = {.cipher = cipher, .sector_bytes = sector,
		.iv_offset = 0xfffffff0, .size_bytes = SIZE};
	CLEANUP_BLKDEV struct blkdev *dev = NULL;
	CLEANUP_FREE uint8_t *model = calloc(1, SIZE), *data = malloc(SIZE);
	struct blkdev *mem;
	size_t bad = 0;

	CU_ASSERT_FATAL(model && data);
	dev = open_on_memory(SIZE, &params, key_len, &mem);
	CU_ASSERT_EQUAL_FATAL(blkdev_write(dev, model, SIZE, 0), 0);
	for (unsigned i = 0; i < unit_times(40, 8); i++) {
		size_t len = 1 + next_random(&random_state) % (i % 2 ? 3 * MIB : 9000);
		size_t off = next_random(&random_state) % (SIZE - len);

		memset(data, (int)i + 1, len);
		memcpy(model + off, data, len);
		bad += (i % 3 ? blkdev_write(dev, data, len, off)
			      : blkdev_write_clobber(dev, data, len, off)) != 0;
		bad += i % 3 && !(data[0] == (int)i + 1 && memcmp(data, data + 1, len - 1) == 0);
	}
	bad += blkdev_read(dev, data, SIZE, 0) != 0;
	CU_ASSERT_EQUAL(bad, 0);
	CU_ASSERT_EQUAL(memcmp(data, model, SIZE), 0);
	CU_ASSERT_NOT_EQUAL(memcmp(memdev_data(mem), model, SIZE), 0);
}

static void test_random_transfers(void)
{
	check_random_transfers("aes-xts-plain64", 64, 4096);
	check_random_transfers("aes-xts-plain64", 32, 1024);
	check_random_transfers("aes-xts-plain", 64, 512);
	check_random_transfers("aes-cbc-essiv:sha256", 32, 512);
	check_random_transfers("aes-cbc-plain64", 24, 2048);
	check_random_transfers("aes-cbc-plain", 16, 512);
}

/* The number a sector is encrypted with counts 512 bytes, from iv_offset: two devices agree. */
static void test_iv_counting(void)
{
	struct cryptdev_params all = {.cipher = "aes-xts-plain64", .sector_bytes = 4096};
	struct cryptdev_params tail = {.cipher = "aes-xts-plain64", .sector_bytes = 4096,
		.iv_offset = 24, .offset_bytes = 3 * 4096};
	CLEANUP_BLKDEV struct blkdev *a = NULL, *b = NULL;
	struct blkdev *mem_a, *mem_b;
	uint8_t data[4096], got[4096];

	a = open_on_memory(8 * 4096, &all, 64, &mem_a);
	b = open_on_memory(8 * 4096, &tail, 64, &mem_b);
	fill_random(data, sizeof(data));
	CU_ASSERT_EQUAL(blkdev_write(a, data, 4096, 5 * 4096), 0);
	memcpy(memdev_data(mem_b), memdev_data(mem_a), 8 * 4096);
	CU_ASSERT_EQUAL(blkdev_read(b, got, 4096, 2 * 4096), 0);
	CU_ASSERT_EQUAL(memcmp(got, data, 4096), 0);
}

static void test_faults(void)
{
	struct cryptdev_params params = {.cipher = "aes-xts-plain64", .sector_bytes = 512};
	CLEANUP_SECRET struct secret *key = make_key(64);
	CLEANUP_BLKDEV struct blkdev *dev = NULL;
	struct blkdev *mem, *fault;
	static uint8_t data[4096], got[4096], before[8192];

	CU_ASSERT_EQUAL_FATAL(memdev_new(8192, 512, &mem), 0);
	CU_ASSERT_EQUAL_FATAL(faultdev_new(mem, &fault), 0);
	CU_ASSERT_EQUAL_FATAL(cryptdev_open(fault, &params, key, &dev, NULL), 0);
	fill_random(data, sizeof(data));
	CU_ASSERT_EQUAL(blkdev_write(dev, data, 4096, 0), 0);
	memcpy(before, memdev_data(mem), 8192);

	/* The read of a read-modify-write fails: nothing is written. */
	uint64_t writes = faultdev_calls(fault, FAULT_WRITE);

	faultdev_fail_once(fault, FAULT_READ, 1, -EIO);
	CU_ASSERT_EQUAL(blkdev_write(dev, "x", 1, 1000), -EIO);
	CU_ASSERT_EQUAL(faultdev_calls(fault, FAULT_WRITE), writes);
	/* Its write fails: the old bytes stay. */
	faultdev_fail_once(fault, FAULT_WRITE, 1, -ENOSPC);
	CU_ASSERT_EQUAL(blkdev_write(dev, "x", 1, 1000), -ENOSPC);
	CU_ASSERT_EQUAL(memcmp(memdev_data(mem), before, 8192), 0);
	/* The tail's read fails: an error, though head and middle are written. */
	faultdev_fail_once(fault, FAULT_READ, 2, -EIO);
	CU_ASSERT_EQUAL(blkdev_write(dev, data, 2048, 100), -EIO);
	faultdev_fail_once(fault, FAULT_WRITE, 2, -EIO);
	CU_ASSERT_EQUAL(blkdev_write_clobber(dev, got, 2048, 100), -EIO);
	/* Reads, flushes, and the device that is gone. */
	faultdev_fail_once(fault, FAULT_READ, 1, -EIO);
	CU_ASSERT_EQUAL(blkdev_read(dev, got, 512, 512), -EIO);
	faultdev_fail_once(fault, FAULT_READ, 3, -EIO);
	CU_ASSERT_EQUAL(blkdev_read(dev, got, 2048, 100), -EIO);
	faultdev_fail_once(fault, FAULT_FLUSH, 1, -EIO);
	CU_ASSERT_EQUAL(blkdev_flush(dev), -EIO);
	faultdev_set_gone(fault, true);
	CU_ASSERT_EQUAL(blkdev_read(dev, got, 10, 10), -ENODEV);
	CU_ASSERT_EQUAL(blkdev_write(dev, got, 10, 10), -ENODEV);
	CU_ASSERT_EQUAL(blkdev_flush(dev), -ENODEV);
	faultdev_set_gone(fault, false);
	/* No lock, cipher or buffer was lost on the way. */
	for (int i = 0; i < 100; i++) {
		faultdev_fail_once(fault, FAULT_WRITE, 1, -EIO);
		CU_ASSERT_EQUAL(blkdev_write(dev, data, 4096, 0), -EIO);
		faultdev_fail_once(fault, FAULT_WRITE, 1, -EIO);
		CU_ASSERT_EQUAL(blkdev_write(dev, data, 7, 3), -EIO);
	}
	CU_ASSERT_EQUAL(blkdev_write(dev, data, 4096, 0), 0);
	CU_ASSERT_EQUAL(blkdev_read(dev, got, 4096, 0), 0);
	CU_ASSERT_EQUAL(memcmp(got, data, 4096), 0);
	CU_ASSERT_EQUAL(blkdev_flush(dev), 0);
}

/* An aligned write is one write below, of the same length; a read is one read. */
static void test_one_pass(void)
{
	struct cryptdev_params params = {.cipher = "aes-xts-plain64", .sector_bytes = 512};
	CLEANUP_SECRET struct secret *key = make_key(64);
	CLEANUP_BLKDEV struct blkdev *dev = NULL;
	CLEANUP_FREE uint8_t *data = calloc(1, MIB);
	struct blkdev *mem, *fault;

	CU_ASSERT_FATAL(data != NULL);
	CU_ASSERT_EQUAL_FATAL(memdev_new(2 * MIB, 512, &mem), 0);
	CU_ASSERT_EQUAL_FATAL(faultdev_new(mem, &fault), 0);
	CU_ASSERT_EQUAL_FATAL(cryptdev_open(fault, &params, key, &dev, NULL), 0);
	CU_ASSERT_EQUAL(blkdev_write(dev, data, MIB, 512), 0);
	CU_ASSERT_EQUAL(blkdev_write_clobber(dev, data, MIB, 512), 0);
	CU_ASSERT_EQUAL(faultdev_calls(fault, FAULT_WRITE), 2);
	CU_ASSERT_EQUAL(faultdev_calls(fault, FAULT_READ), 0);
	CU_ASSERT_EQUAL(blkdev_read(dev, data, MIB, 512), 0);
	CU_ASSERT_EQUAL(faultdev_calls(fault, FAULT_READ), 1);
	CU_ASSERT(bytes_all_zero(data, MIB));
}

/* A lower device that has what is read and written in memory of its own, and wants it in pieces. */
struct keeper {
	struct blkdev dev;
	uint8_t *memory;
	unsigned given, taken, fails; /* pieces; fails: which taking or giving, from 1; 0: none */
};

enum { PIECE = 3 * 4096 };

static struct keeper *keeper_of(struct blkdev *dev)
{
	return container_of(dev, struct keeper, dev);
}

static int keeper_read_to(struct blkdev *dev, void *buf, blkdev_take_fn fn, void *ctx, size_t len,
	uint64_t off)
{
	struct keeper *k = keeper_of(dev);
	int r = 0;

	for (size_t at = 0, n; r == 0 && at < len; at += n) {
		n = min_u64(PIECE, len - at);
		r = ++k->given == k->fails ? -EIO : fn(ctx, k->memory + off + at, n, at);
	}
	return r;
}

static int keeper_write_from(struct blkdev *dev, blkdev_fill_fn fn, void *ctx, size_t len, uint64_t off,
	const struct blkdev_write *how)
{
	struct keeper *k = keeper_of(dev);
	int r = 0;

	for (size_t at = 0, n; r == 0 && at < len; at += n) {
		n = min_u64(PIECE, len - at);
		r = ++k->taken == k->fails ? -EIO : fn(ctx, k->memory + off + at, n, at);
	}
	return r;
}

static void keeper_close(struct blkdev *dev)
{
	free(keeper_of(dev)->memory);
	free(dev);
}

static const struct blkdev_ops keeper_ops = {
	.read_to = keeper_read_to,
	.write_from = keeper_write_from,
	.close = keeper_close,
};

static struct keeper *keeper_new(uint64_t size_bytes)
{
	struct keeper *k = calloc(1, sizeof(*k));

	CU_ASSERT_PTR_NOT_NULL_FATAL(k);
	k->memory = calloc(1, size_bytes);
	CU_ASSERT_PTR_NOT_NULL_FATAL(k->memory);
	k->dev = (struct blkdev){.ops = &keeper_ops, .size_bytes = size_bytes, .block_bytes = 512};
	return k;
}

/* The same ciphertext, whoever has it in memory; the plain bytes of a write stay as they are. */
static void test_memory_below(void)
{
	enum { SIZE = MIB, OFFSET = 8192 };
	struct cryptdev_params params = {.cipher = "aes-xts-plain64", .sector_bytes = 4096, .offset_bytes = OFFSET};
	CLEANUP_SECRET struct secret *key = make_key(64);
	CLEANUP_BLKDEV struct blkdev *dev = NULL, *kept = NULL;
	CLEANUP_FREE uint8_t *data = malloc(SIZE), *got = malloc(SIZE);
	struct keeper *keeper = keeper_new(SIZE + OFFSET);
	struct blkdev *mem;
	size_t bad = 0;

	CU_ASSERT_FATAL(data && got);
	dev = open_on_memory(SIZE + OFFSET, &params, 64, &mem);
	CU_ASSERT_EQUAL_FATAL(cryptdev_open(&keeper->dev, &params, key, &kept, NULL), 0);
	fill_random(data, SIZE);
	CU_ASSERT_EQUAL(blkdev_write(dev, data, SIZE, 0), 0);
	CU_ASSERT_EQUAL(blkdev_write(kept, data, SIZE, 0), 0);
	for (unsigned i = 0; i < 60; i++) {
		size_t len = 1 + next_random(&random_state) % (i % 2 ? SIZE / 2 : 9000);
		size_t off = next_random(&random_state) % (SIZE - len);

		if (i % 4 == 0)
			len = round_up_u64(len, 4096), off = round_down_u64(off, 4096);
		memset(data, (int)i + 1, len);
		bad += blkdev_write(dev, data, len, off) != 0;
		bad += blkdev_write(kept, data, len, off) != 0;
		bad += memcmp(data, data + 1, len - 1) != 0;
		bad += blkdev_read(kept, got, len, off) != 0 || memcmp(got, data, len) != 0;
	}
	CU_ASSERT_EQUAL(bad, 0);
	CU_ASSERT_EQUAL(memcmp(memdev_data(mem), keeper->memory, SIZE + OFFSET), 0);
	keeper->fails = ++keeper->taken + 2;
	CU_ASSERT_EQUAL(blkdev_write(kept, data, SIZE, 0), -EIO);
	keeper->fails = ++keeper->given + 2;
	CU_ASSERT_EQUAL(blkdev_read(kept, data, SIZE, 0), -EIO);
}

/*
 * A lower device that takes its time: a transfer moves in halves, and others get the CPU in
 * between, so that a missing lock shows.
 */
struct slowdev {
	struct blkdev dev;
	struct blkdev *lower;
};

static struct blkdev *lower_of(struct blkdev *dev)
{
	return container_of(dev, struct slowdev, dev)->lower;
}

static int slow_read(struct blkdev *dev, void *buf, size_t len, uint64_t off)
{
	size_t half = len / 2;
	int r = blkdev_read(lower_of(dev), buf, half, off);

	sched_yield();
	return r < 0 ? r : blkdev_read(lower_of(dev), (uint8_t *)buf + half, len - half, off + half);
}

static int slow_write(struct blkdev *dev, void *buf, size_t len, uint64_t off,
	const struct blkdev_write *how)
{
	size_t half = len / 2;
	int r = blkdev_write(lower_of(dev), buf, half, off);

	sched_yield();
	return r < 0 ? r : blkdev_write(lower_of(dev), (uint8_t *)buf + half, len - half, off + half);
}

static void slow_close(struct blkdev *dev)
{
	blkdev_close(lower_of(dev));
	free(dev);
}

static const struct blkdev_ops slow_ops = {
	.read = slow_read,
	.write = slow_write,
	.close = slow_close,
};

static struct blkdev *slow_new(uint64_t size_bytes)
{
	struct slowdev *slow = calloc(1, sizeof(*slow));

	CU_ASSERT_PTR_NOT_NULL_FATAL(slow);
	CU_ASSERT_EQUAL_FATAL(memdev_new(size_bytes, 512, &slow->lower), 0);
	slow->dev = *slow->lower;
	slow->dev.ops = &slow_ops;
	return &slow->dev;
}

/* Threads own interleaved stretches of bytes, many to a sector, and write them unaligned. */
enum { THREADS = 8, STRETCH = 37, SHARED_BYTES = 4096 };

struct worker {
	struct blkdev *dev;
	unsigned index;
	size_t bad;
	uint8_t model[SHARED_BYTES];
};

static void *share_sectors(void *arg)
{
	struct worker *w = arg;
	uint64_t state = 1000 + w->index;
	size_t count = SHARED_BYTES / STRETCH / THREADS;
	uint8_t bytes[STRETCH], got[STRETCH];

	for (unsigned i = 0; i < unit_times(1000, 100); i++) {
		size_t off = (next_random(&state) % count * THREADS + w->index) * STRETCH;

		memset(bytes, (int)next_random(&state), STRETCH);
		memcpy(w->model + off, bytes, STRETCH);
		w->bad += (i & 1 ? blkdev_write(w->dev, bytes, STRETCH, off)
				 : blkdev_write_clobber(w->dev, bytes, STRETCH, off)) != 0;
		off = (next_random(&state) % count * THREADS + w->index) * STRETCH;
		w->bad += blkdev_read(w->dev, got, STRETCH, off) != 0;
		w->bad += memcmp(got, w->model + off, STRETCH) != 0;
	}
	return NULL;
}

static void check_threads(const char *cipher, size_t key_len, uint32_t sector)
{
	struct cryptdev_params params = {.cipher = cipher, .sector_bytes = sector,
		.size_bytes = SHARED_BYTES};
	CLEANUP_SECRET struct secret *key = make_key(key_len);
	CLEANUP_BLKDEV struct blkdev *dev = NULL;
	static struct worker workers[THREADS];
	static uint8_t all[SHARED_BYTES];
	pthread_t threads[THREADS];

	CU_ASSERT_EQUAL_FATAL(cryptdev_open(slow_new(SHARED_BYTES), &params, key, &dev, NULL), 0);
	memset(all, 0, sizeof(all));
	CU_ASSERT_EQUAL_FATAL(blkdev_write(dev, all, SHARED_BYTES, 0), 0);
	for (unsigned i = 0; i < THREADS; i++) {
		memset(&workers[i], 0, sizeof(workers[i]));
		workers[i].dev = dev;
		workers[i].index = i;
		CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, share_sectors, &workers[i]), 0);
	}
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	CU_ASSERT_EQUAL(blkdev_read(dev, all, SHARED_BYTES, 0), 0);
	for (unsigned i = 0; i < THREADS; i++) {
		for (size_t off = i * STRETCH; off + STRETCH <= SHARED_BYTES; off += THREADS * STRETCH)
			workers[i].bad += memcmp(all + off, workers[i].model + off, STRETCH) != 0;
		CU_ASSERT_EQUAL(workers[i].bad, 0);
	}
}

static void test_threads_share_sectors(void)
{
	check_threads("aes-xts-plain64", 64, 512);
	check_threads("aes-xts-plain64", 32, 4096);
	check_threads("aes-cbc-essiv:sha256", 32, 512);
}

/* More threads than ciphers and bounce buffers, each with large requests of its own. */
enum { CROWD = 40, CROWD_BYTES = 256 * 1024 };

static void *large_requests(void *arg)
{
	struct worker *w = arg;
	CLEANUP_FREE uint8_t *data = malloc(CROWD_BYTES), *got = malloc(CROWD_BYTES);

	for (unsigned i = 0; data && got && i < unit_times(10, 2); i++) {
		memset(data, (int)(w->index * 10 + i), CROWD_BYTES);
		w->bad += blkdev_write(w->dev, data, CROWD_BYTES, w->index * CROWD_BYTES) != 0;
		w->bad += blkdev_read(w->dev, got, CROWD_BYTES, w->index * CROWD_BYTES) != 0;
		w->bad += memcmp(got, data, CROWD_BYTES) != 0;
		w->bad += blkdev_write_clobber(w->dev, data, CROWD_BYTES, w->index * CROWD_BYTES) != 0;
		w->bad += blkdev_read(w->dev, data, CROWD_BYTES, w->index * CROWD_BYTES) != 0;
		w->bad += memcmp(got, data, CROWD_BYTES) != 0;
	}
	w->bad += !data || !got;
	return NULL;
}

static void test_threads_crowd(void)
{
	struct cryptdev_params params = {.cipher = "aes-xts-plain64", .sector_bytes = 4096};
	CLEANUP_BLKDEV struct blkdev *dev = NULL;
	static struct worker workers[CROWD];
	struct blkdev *mem;
	pthread_t threads[CROWD];

	dev = open_on_memory(CROWD * CROWD_BYTES, &params, 64, &mem);
	for (unsigned i = 0; i < CROWD; i++) {
		workers[i].dev = dev;
		workers[i].index = i;
		CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, large_requests, &workers[i]), 0);
	}
	for (unsigned i = 0; i < CROWD; i++) {
		pthread_join(threads[i], NULL);
		CU_ASSERT_EQUAL(workers[i].bad, 0);
	}
}

/* Secure memory has an end: opening fails or makes do, and what is open goes on working. */
static void test_secure_memory_used_up(void)
{
	enum { MANY = 200 };
	struct cryptdev_params params = {.cipher = "aes-xts-plain64", .sector_bytes = 512};
	CLEANUP_SECRET struct secret *key = make_key(64);
	struct blkdev *devs[MANY], *mem;
	uint8_t data[512] = {1}, got[512];
	unsigned opened = 0;
	int r = 0;

	while (r == 0 && opened < MANY) {
		CU_ASSERT_EQUAL_FATAL(memdev_new(4096, 512, &mem), 0);
		r = cryptdev_open(mem, &params, key, &devs[opened], NULL);
		if (r == 0)
			opened++;
		else
			blkdev_close(mem);
	}
	CU_ASSERT_EQUAL(r, -ENOMEM);
	CU_ASSERT_FATAL(opened >= 8);
	/* Room for less than one cipher per CPU: fewer will do. */
	blkdev_close(devs[--opened]);
	void *hog = gcry_malloc_secure(2048);

	CU_ASSERT_EQUAL_FATAL(memdev_new(4096, 512, &mem), 0);
	CU_ASSERT_EQUAL_FATAL(cryptdev_open(mem, &params, key, &devs[opened++], NULL), 0);
	gcry_free(hog);
	for (unsigned i = 0; i < opened; i++) {
		CU_ASSERT_EQUAL(blkdev_write(devs[i], data, 512, 512), 0);
		CU_ASSERT_EQUAL(blkdev_read(devs[i], got, 512, 512), 0);
		CU_ASSERT_EQUAL(memcmp(data, got, 512), 0);
		blkdev_close(devs[i]);
	}
	CU_ASSERT_EQUAL_FATAL(memdev_new(4096, 512, &mem), 0);
	CU_ASSERT_EQUAL_FATAL(cryptdev_open(mem, &params, key, &devs[0], NULL), 0);
	blkdev_close(devs[0]);
}

int main(void)
{
	return UNIT_RUN(UNIT(test_vectors), UNIT(test_allow_list), UNIT(test_weak_key),
		UNIT(test_geometry), UNIT(test_read_only_and_discard), UNIT(test_read_only_below),
		UNIT(test_unaligned),
		UNIT(test_random_transfers), UNIT(test_iv_counting), UNIT(test_faults),
		UNIT(test_one_pass), UNIT(test_memory_below), UNIT(test_threads_share_sectors), UNIT(test_threads_crowd),
		UNIT(test_secure_memory_used_up));
}
