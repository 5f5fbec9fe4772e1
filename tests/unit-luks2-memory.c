/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where in this process a volume key and the key of a keyslot's area are: in their secrets, and nowhere else. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "kernel-shim/cryptdev.h"
#include "keymgr/keyslot.h"
#include "tests/dev/leaks.h"
#include "tests/luks2-small.h"

enum { WINDOW = 1 << 16, PIECE = 16, MASK = 0xa5 };
static uint8_t masked[64], window[WINDOW + PIECE];

static bool piece_at(const uint8_t *at, size_t piece)
{
	for (size_t i = 0; i < PIECE; i++)
		if ((at[i] ^ MASK) != masked[piece * PIECE + i])
			return false;
	return true;
}

static unsigned pieces_in(int mem, unsigned long start, unsigned long end)
{
	unsigned found = 0;

	for (unsigned long at = start; at < end; at += WINDOW) {
		size_t want = end - at < sizeof(window) ? end - at : sizeof(window);
		ssize_t n = pread(mem, window, want, (off_t)at);

		for (ssize_t i = 0; i + PIECE <= n && i < WINDOW; i++)
			for (size_t piece = 0; piece < sizeof(masked) / PIECE; piece++)
				found += piece_at(window + i, piece);
	}
	memset(window, 0, sizeof(window));
	return found;
}

/* How often a piece of the key lies in the writable memory of this process. */
static unsigned pieces_in_memory(void)
{
	CLEANUP_FILE FILE *maps = fopen("/proc/self/maps", "re");
	CLEANUP_FD int mem = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	unsigned long start, end;
	char line[512], mode[8];
	unsigned found = 0;

	CU_ASSERT_FATAL(maps && mem >= 0);
	while (fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx %7s", &start, &end, mode) != 3 || mode[1] != 'w' ||
			end - start > 64ul << 20) /* shadow memory of sanitizers */
			continue;
		if ((uintptr_t)window >= start && (uintptr_t)window < end) {
			found += pieces_in(mem, start, (uintptr_t)window);
			start = (uintptr_t)window + sizeof(window);
		}
		found += pieces_in(mem, start, end);
	}
	return found;
}

static void remember(const struct secret *key)
{
	for (size_t i = 0; i < sizeof(masked); i++)
		masked[i] = ((const uint8_t *)secret_data_const(key))[i] ^ MASK;
}

static void check_memory_of(enum luks2_kdf_type type)
{
	CLEANUP_SECRET struct secret *passphrase = secret_of("a passphrase of some length"), *area_key = NULL;
	CLEANUP_BLKDEV struct blkdev *dev = memory();
	CLEANUP_LUKS2 struct luks2 *hdr = NULL;
	struct luks2_format_params params = small;
	struct secret *key = NULL;
	int slot;

	if (leaks_under_valgrind()) {
		unit_skip("valgrind keeps registers in memory");
		return;
	}
	params.kdf = (struct luks2_kdf){
		.type = type, .iterations = 1000, .time = 4, .memory_kib = 32, .cpus = 2};
	if (type == LUKS2_KDF_PBKDF2)
		strcpy(params.kdf.hash, "sha512"); /* one block holds the whole area key */
	CU_ASSERT_EQUAL_FATAL(luks2_format(dev, SIZE_BYTES, &params, passphrase, &hdr, &key, NULL), 0);
	remember(key);
	CU_ASSERT_EQUAL(pieces_in_memory(), 4); /* in the secret, and nowhere else */
	secret_free(key);
	CU_ASSERT_EQUAL(pieces_in_memory(), 0);

	CU_ASSERT_EQUAL_FATAL(luks2_unlock(hdr, dev, passphrase, -1, &key, &slot, NULL), 0);
	CU_ASSERT_EQUAL(pieces_in_memory(), 4);

	/* nor is the key of the keyslot's area left, which opens the keyslot as well */
	CU_ASSERT_EQUAL_FATAL(keyslot_derive(&hdr->keyslots[0], passphrase, &area_key, NULL), 0);
	remember(area_key);
	CU_ASSERT_EQUAL(pieces_in_memory(), 4);
	secret_free(key);
}

static void test_memory_pbkdf2(void)
{
	check_memory_of(LUKS2_KDF_PBKDF2);
}

static void test_memory_argon2id(void)
{
	check_memory_of(LUKS2_KDF_ARGON2ID);
}

int main(void)
{
	if (crypto_init())
		return 99;
	leaks_know_secure_memory();
	return UNIT_RUN(UNIT(test_memory_pbkdf2), UNIT(test_memory_argon2id));
}
