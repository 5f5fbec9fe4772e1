/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libgcrypt, initialised once per process.
 *
 * 1. Its secure memory has a fixed size and is never expanded with unlocked pages: when it is used
 *    up, opening one more cipher fails.
 * 2. The pool is left out of core dumps. If it cannot be locked in memory, secret_all_locked()
 *    says so.
 * 3. Locks on memory do not survive a fork: the first crypto_init() in a child locks anew.
 */
#include <errno.h>
#include <gcrypt.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/secret.h"
#include "kernel-shim/cryptdev.h"

enum { SECURE_POOL_BYTES = 512 * 1024 };

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int result;

static pthread_mutex_t pool_lock = PTHREAD_MUTEX_INITIALIZER;
static void *pool_start;
static size_t pool_bytes;
static pid_t pool_locked_by;

/* libgcrypt does not tell where its pool lies: borrow nearly all of it and look. */
static void pool_find(void)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	size_t len = SECURE_POOL_BYTES - page;
	void *all = gcry_malloc_secure(len);

	if (!all)
		return;
	pool_start = (void *)round_down_u64((uintptr_t)all, page);
	pool_bytes = round_up_u64((uintptr_t)all + len, page) - (uintptr_t)pool_start;
	gcry_free(all);
	madvise(pool_start, pool_bytes, MADV_DONTDUMP);
}

static void init(void)
{
	if (!gcry_check_version("1.10.0")) {
		result = -SDE_CRYPTO;
		return;
	}
	if (!gcry_control(GCRYCTL_INITIALIZATION_FINISHED_P)) {
		/* The program has no privileges of its own that libgcrypt could drop, and the
		 * user learns about memory that is not locked from us. */
		gcry_control(GCRYCTL_DISABLE_PRIV_DROP);
		gcry_control(GCRYCTL_DISABLE_SECMEM_WARN);
		if (gcry_control(GCRYCTL_INIT_SECMEM, SECURE_POOL_BYTES, 0))
			secret_note_unlocked();
		else
			pool_locked_by = getpid();
		gcry_control(GCRYCTL_INITIALIZATION_FINISHED, 0);
		pool_find();
	}
	if (gcry_fips_mode_active() && !gcry_control(GCRYCTL_OPERATIONAL_P))
		result = -SDE_CRYPTO;
}

static void pool_lock_anew(void)
{
	pid_t self = getpid();

	pthread_mutex_lock(&pool_lock);
	if (pool_start && pool_locked_by != self) {
		if (mlock(pool_start, pool_bytes) < 0)
			secret_note_unlocked();
		pool_locked_by = self;
	}
	pthread_mutex_unlock(&pool_lock);
}

int crypto_init(void)
{
	if (pthread_once(&once, init))
		return -SDE_CRYPTO;
	if (result == 0)
		pool_lock_anew();
	return result;
}
