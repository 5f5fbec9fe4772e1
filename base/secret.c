/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Secrets: each in a mapping of its own.
 *
 *	| guard page | zeroes ... data | guard page |
 *
 * Invariants:
 * 1. Data ends at the upper guard page, but for the padding that aligns its start to 16 bytes, so
 *    running over the end faults.
 * 2. The pages are never in a core dump (MADV_DONTDUMP) and are zeroes in a forked child
 *    (MADV_WIPEONFORK); where the kernel refuses either, there is no secret (-ENOMEM).
 * 3. Whether the pages are locked depends on the process's limits; the first failure is remembered
 *    for secret_all_locked() and not forgotten.
 * 4. Bytes are wiped before their pages leave the process, whatever the path.
 */
#include "base/secret.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/bytes.h"

enum { SECRET_MAX = 16 * 1024 * 1024, SECRET_ALIGN = 16 };

struct secret {
	uint8_t *map;	  /* lower guard page */
	size_t map_bytes; /* with both guard pages */
	uint8_t *pages;	  /* between the guards */
	size_t pages_bytes;
	uint8_t *data;
	size_t len;
};

static atomic_bool lock_failed;

static int pages_map(struct secret *secret, size_t len)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	secret->pages_bytes = round_up_u64(len, page);
	secret->map_bytes = secret->pages_bytes + 2 * page;
	secret->map = mmap(NULL, secret->map_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (secret->map == MAP_FAILED)
		return -ENOMEM;
	secret->pages = secret->map + page;
	if (mprotect(secret->pages, secret->pages_bytes, PROT_READ | PROT_WRITE) < 0 ||
		madvise(secret->pages, secret->pages_bytes, MADV_DONTDUMP) < 0 ||
		madvise(secret->pages, secret->pages_bytes, MADV_WIPEONFORK) < 0) {
		munmap(secret->map, secret->map_bytes);
		return -ENOMEM;
	}
	if (mlock(secret->pages, secret->pages_bytes) < 0)
		secret_note_unlocked();
	return 0;
}

int secret_new(size_t len, struct secret **ret_secret)
{
	struct secret *secret;
	int r;

	if (len == 0 || len > SECRET_MAX)
		return -EINVAL;
	secret = calloc(1, sizeof(*secret));
	if (!secret)
		return -ENOMEM;
	r = pages_map(secret, len);
	if (r < 0) {
		free(secret);
		return r;
	}
	secret->len = len;
	secret->data = secret->pages + secret->pages_bytes - round_up_u64(len, SECRET_ALIGN);
	*ret_secret = secret;
	return 0;
}

int secret_new_copy(const void *data, size_t len, struct secret **ret_secret)
{
	struct secret *secret;
	int r = secret_new(len, &secret);

	if (r < 0)
		return r;
	memcpy(secret->data, data, len);
	*ret_secret = secret;
	return 0;
}

void secret_free(struct secret *secret)
{
	if (!secret)
		return;
	bytes_wipe(secret->pages, secret->pages_bytes);
	munmap(secret->map, secret->map_bytes);
	free(secret);
}

void *secret_data(struct secret *secret)
{
	return secret->data;
}

const void *secret_data_const(const struct secret *secret)
{
	return secret->data;
}

size_t secret_len(const struct secret *secret)
{
	return secret->len;
}

void secret_truncate(struct secret *secret, size_t len)
{
	if (len >= secret->len)
		return;
	bytes_wipe(secret->data + len, secret->len - len);
	secret->len = len;
}

bool secret_equal(const struct secret *a, const struct secret *b)
{
	return a->len == b->len && bytes_equal_ct(a->data, b->data, a->len);
}

bool bytes_equal_ct(const void *a, const void *b, size_t len)
{
	/* volatile: the compiler may not leave the loop at the first difference */
	const volatile uint8_t *x = a, *y = b;
	uint8_t difference = 0;

	for (size_t i = 0; i < len; i++)
		difference |= x[i] ^ y[i];
	return difference == 0;
}

void bytes_wipe(void *p, size_t len)
{
	explicit_bzero(p, len);
}

bool secret_all_locked(void)
{
	return !atomic_load(&lock_failed);
}

void secret_note_unlocked(void)
{
	atomic_store(&lock_failed, true);
}
