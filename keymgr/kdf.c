/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "keymgr/kdf.h"

#include <argon2.h>
#include <errno.h>
#include <gcrypt.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/i18n.h"
#include "keymgr/hash.h"
#include "keymgr/memory.h"

static const char *const type_names[] = {
	[LUKS2_KDF_PBKDF2] = "pbkdf2",
	[LUKS2_KDF_ARGON2I] = "argon2i",
	[LUKS2_KDF_ARGON2ID] = "argon2id",
};

const char *luks2_kdf_name(enum luks2_kdf_type type)
{
	return type_names[type];
}

bool kdf_type_of(const char *name, enum luks2_kdf_type *ret_type)
{
	for (size_t i = 0; i < ARRAY_SIZE(type_names); i++)
		if (!strcmp(name, type_names[i])) {
			*ret_type = (enum luks2_kdf_type)i;
			return true;
		}
	return false;
}

int kdf_pbkdf2(const char *hash, const struct secret *passphrase, const uint8_t *salt,
	uint32_t salt_len, uint32_t iterations, void *out, size_t out_len)
{
	int algo = hash_algo(hash);

	if (!algo || !iterations || !salt_len)
		return -EINVAL;
	/* with a secure output libgcrypt keeps its intermediate blocks in memory that it wipes */
	void *key = gcry_malloc_secure(out_len);

	if (!key)
		return -ENOMEM;
	gcry_error_t error = gcry_kdf_derive(secret_data_const(passphrase), secret_len(passphrase),
		GCRY_KDF_PBKDF2, algo, salt, salt_len, iterations, out_len, key);

	if (!error)
		memcpy(out, key, out_len);
	bytes_wipe(key, out_len);
	gcry_free(key);
	return error ? -SDE_CRYPTO : 0;
}

/* Argon2's blocks: a mapping of their own, so that nothing of them stays in the heap or a dump. */
static int blocks_map(uint8_t **memory, size_t bytes)
{
	void *map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (map == MAP_FAILED)
		return ARGON2_MEMORY_ALLOCATION_ERROR;
	(void)madvise(map, bytes, MADV_DONTDUMP);
	(void)madvise(map, bytes, MADV_WIPEONFORK);
	(void)madvise(map, bytes, MADV_HUGEPAGE);
	*memory = map;
	return ARGON2_OK;
}

static void blocks_unmap(uint8_t *memory, size_t bytes)
{
	munmap(memory, bytes);
}

static int check_memory(const struct luks2_kdf *kdf, struct diag *diag)
{
	const uint64_t reserve = UINT64_C(32) << 20;
	uint64_t need = (uint64_t)kdf->memory_kib * 1024, have = memory_available();

	if (need + reserve <= have)
		return 0;
	return diag_set(diag, -SDE_KDF_MEMORY,
		_("the key slot needs %llu MiB of memory, and %llu MiB are free"),
		(unsigned long long)(need >> 20), (unsigned long long)(have >> 20));
}

static int argon2_run(const struct luks2_kdf *kdf, const struct secret *passphrase,
	struct secret *key, uint32_t threads)
{
	argon2_context context = {
		.out = secret_data(key),
		.outlen = (uint32_t)secret_len(key),
		.pwd = (uint8_t *)(uintptr_t)secret_data_const(passphrase),
		.pwdlen = (uint32_t)secret_len(passphrase),
		.salt = (uint8_t *)(uintptr_t)kdf->salt,
		.saltlen = kdf->salt_len,
		.t_cost = kdf->time,
		.m_cost = kdf->memory_kib,
		.lanes = kdf->cpus,
		.threads = threads,
		.version = ARGON2_VERSION_13,
		.allocate_cbk = blocks_map,
		.free_cbk = blocks_unmap,
		.flags = ARGON2_DEFAULT_FLAGS,
	};

	return argon2_ctx(&context, kdf->type == LUKS2_KDF_ARGON2I ? Argon2_i : Argon2_id);
}

static int argon2_derive(const struct luks2_kdf *kdf, const struct secret *passphrase,
	struct secret *key, struct diag *diag)
{
	long online = sysconf(_SC_NPROCESSORS_ONLN);
	uint32_t threads = online > 1 ? (uint32_t)min_u64((uint64_t)online, kdf->cpus) : 1;
	int r = check_memory(kdf, diag);

	if (r)
		return r;
	r = argon2_run(kdf, passphrase, key, threads);
	/* the number of threads does not change the result, only the time */
	if (r == ARGON2_THREAD_FAIL)
		r = argon2_run(kdf, passphrase, key, 1);
	switch (r) {
	case ARGON2_OK:
		return 0;
	case ARGON2_MEMORY_ALLOCATION_ERROR:
		return -SDE_KDF_MEMORY;
	case ARGON2_TIME_TOO_SMALL:
	case ARGON2_MEMORY_TOO_LITTLE:
	case ARGON2_MEMORY_TOO_MUCH:
	case ARGON2_LANES_TOO_FEW:
	case ARGON2_LANES_TOO_MANY:
	case ARGON2_SALT_TOO_SHORT:
		return -EINVAL;
	default:
		return -SDE_CRYPTO;
	}
}

int kdf_derive(const struct luks2_kdf *kdf, const struct secret *passphrase, struct secret *key,
	struct diag *diag)
{
	if (kdf->type == LUKS2_KDF_PBKDF2)
		return kdf_pbkdf2(kdf->hash, passphrase, kdf->salt, kdf->salt_len, kdf->iterations,
			secret_data(key), secret_len(key));
	return argon2_derive(kdf, passphrase, key, diag);
}
