/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a new keyslot costs: limits (those of cryptsetup) and calibration on this machine.
 *
 * Argon2 first takes more memory, up to the limit, and only then more time: memory is what makes
 * guessing on special hardware expensive.
 */
#include <errno.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/i18n.h"
#include "keymgr/hash.h"
#include "keymgr/kdf.h"
#include "keymgr/memory.h"

enum {
	PBKDF2_ITERATIONS_MIN = 1000,
	ARGON2_TIME_MIN = 4,
	ARGON2_MEMORY_KIB_MIN = 32,
	ARGON2_MEMORY_KIB_MAX = 4 * 1024 * 1024,
	ARGON2_CPUS_MAX = 4,
	/* 1 GiB on a machine with 4 GiB: the system and a desktop need the rest */
	WEAKEST_SHARE = 4,
	WEAKEST_GIB_DEFAULT = 4,
	/* a busy machine measures too little: RFC 9106's second choice is the least we choose */
	ARGON2_MEMORY_KIB_DEFAULT_MIN = 64 * 1024,
	BENCH_MS = 200, /* shorter runs say too little */
	BENCH_MEMORY_KIB = 64 * 1024,
	BENCH_ITERATIONS = 16 * 1024,
	ESTIMATE_ITERATIONS = 64 * 1024,
	ESTIMATE_MEMORY_KIB = 64 * 1024,
};

static int check_limit(
	uint32_t value, uint32_t min, uint32_t max, const char *what, struct diag *diag)
{
	if (!value || (value >= min && value <= max))
		return 0;
	return diag_set(diag, -SDE_USAGE, _("%s must lie between %u and %u"), what, min, max);
}

int kdf_check_costs(const struct luks2_kdf *kdf, struct diag *diag)
{
	if (kdf->type == LUKS2_KDF_PBKDF2) {
		if (kdf->hash[0] && !hash_algo(kdf->hash))
			return diag_set(diag, -SDE_USAGE, _("the hash is not known"));
		return check_limit(kdf->iterations, PBKDF2_ITERATIONS_MIN, INT32_MAX,
			_("the number of iterations"), diag);
	}
	int r = check_limit(kdf->time, ARGON2_TIME_MIN, INT32_MAX, _("the time cost"), diag);

	if (!r)
		r = check_limit(kdf->memory_kib, ARGON2_MEMORY_KIB_MIN, ARGON2_MEMORY_KIB_MAX,
			_("the memory cost in KiB"), diag);
	if (!r)
		r = check_limit(kdf->cpus, 1, ARGON2_CPUS_MAX, _("the number of threads"), diag);
	return r;
}

static int run_ms(const struct luks2_kdf *kdf, uint32_t key_bytes, uint64_t *ret_ms)
{
	CLEANUP_SECRET struct secret *passphrase = NULL, *key = NULL;
	struct luks2_kdf run = *kdf;
	struct timespec start, end;
	int r = secret_new_copy("calibration", 11, &passphrase);

	if (!r)
		r = secret_new(key_bytes, &key);
	if (r)
		return r;
	run.salt_len = KDF_SALT_BYTES;
	clock_gettime(CLOCK_MONOTONIC, &start);
	r = kdf_derive(&run, passphrase, key, NULL);
	clock_gettime(CLOCK_MONOTONIC, &end);
	if (r)
		return r;
	uint64_t ms = (uint64_t)(end.tv_sec - start.tv_sec) * 1000 +
		      (uint64_t)((end.tv_nsec - start.tv_nsec + 1000000000L) / 1000000) - 1000;

	*ret_ms = max_u64(ms, 1);
	return 0;
}

static int calibrate_pbkdf2(struct luks2_kdf *kdf, uint32_t key_bytes, uint32_t iter_time_ms)
{
	uint64_t ms = 0, iterations = BENCH_ITERATIONS;

	if (!kdf->hash[0])
		strcpy(kdf->hash, "sha256");
	if (kdf->iterations)
		return 0;
	for (;; iterations *= 2) {
		kdf->iterations = (uint32_t)iterations;
		int r = run_ms(kdf, key_bytes, &ms);

		if (r)
			return r;
		if (ms >= min_u64(BENCH_MS, iter_time_ms) || iterations >= INT32_MAX / 2)
			break;
	}
	iterations = iterations * iter_time_ms / ms;
	kdf->iterations = (uint32_t)min_u64(max_u64(iterations, PBKDF2_ITERATIONS_MIN), INT32_MAX);
	return 0;
}

static uint32_t default_memory_max(uint64_t weakest_bytes)
{
	uint64_t weakest_kib = weakest_bytes ? weakest_bytes / 1024
					     : (uint64_t)WEAKEST_GIB_DEFAULT * 1024 * 1024;
	uint64_t half_kib = memory_total() / 2 / 1024, free_kib = memory_available() / 1024;

	/* it has to open here as well, and now: to be calibrated and written */
	half_kib = min_u64(half_kib, free_kib / 2);
	return (uint32_t)max_u64(
		min_u64(min_u64(half_kib, weakest_kib / WEAKEST_SHARE), ARGON2_MEMORY_KIB_MAX),
		ARGON2_MEMORY_KIB_MIN);
}

/* Memory for iter_time_ms at the least time cost, found by growing runs. */
static int calibrate_memory(
	struct luks2_kdf *kdf, uint32_t key_bytes, uint32_t iter_time_ms, uint64_t weakest_bytes,
	uint64_t *ret_ms)
{
	uint64_t max = default_memory_max(weakest_bytes), memory = min_u64(BENCH_MEMORY_KIB, max), ms;

	for (;;) {
		kdf->memory_kib = (uint32_t)memory;
		int r = run_ms(kdf, key_bytes, &ms);

		if (r)
			return r;
		if (ms >= min_u64(BENCH_MS, iter_time_ms) || memory >= max)
			break;
		memory = min_u64(memory * 2, max);
	}
	uint64_t wanted = memory * iter_time_ms / ms;

	wanted = min_u64(max_u64(wanted, ARGON2_MEMORY_KIB_DEFAULT_MIN), max);
	*ret_ms = max_u64(ms * wanted / memory, 1);
	kdf->memory_kib = (uint32_t)wanted;
	return 0;
}

static int calibrate_argon2(struct luks2_kdf *kdf, uint32_t key_bytes, uint32_t iter_time_ms,
	uint64_t weakest_bytes)
{
	long online = sysconf(_SC_NPROCESSORS_ONLN);
	bool time_given = kdf->time, memory_given = kdf->memory_kib;
	uint64_t ms;
	int r;

	if (!kdf->cpus)
		kdf->cpus = online > 1 ? (uint32_t)min_u64((uint64_t)online, ARGON2_CPUS_MAX) : 1;
	if (time_given && memory_given)
		return 0;
	if (!time_given)
		kdf->time = ARGON2_TIME_MIN;
	r = memory_given ? run_ms(kdf, key_bytes, &ms)
			 : calibrate_memory(kdf, key_bytes, iter_time_ms, weakest_bytes, &ms);
	if (r || time_given)
		return r;
	kdf->time = (uint32_t)min_u64(
		max_u64((uint64_t)kdf->time * iter_time_ms / ms, ARGON2_TIME_MIN), INT32_MAX);
	return 0;
}

int kdf_calibrate(struct luks2_kdf *kdf, uint32_t key_bytes, uint32_t iter_time_ms, uint64_t weakest_bytes)
{
	return kdf->type == LUKS2_KDF_PBKDF2
		       ? calibrate_pbkdf2(kdf, key_bytes, iter_time_ms)
		       : calibrate_argon2(kdf, key_bytes, iter_time_ms, weakest_bytes);
}

/* Both take time in proportion to their costs. */
int kdf_estimate(const struct luks2_kdf *kdf, uint32_t key_bytes, uint64_t *ret_ms)
{
	struct luks2_kdf part = *kdf;
	uint64_t ms, whole, tried;

	if (kdf->type == LUKS2_KDF_PBKDF2) {
		part.iterations = (uint32_t)min_u64(kdf->iterations, ESTIMATE_ITERATIONS);
		whole = kdf->iterations;
		tried = part.iterations;
	} else {
		part.time = 1;
		part.memory_kib = (uint32_t)min_u64(kdf->memory_kib, ESTIMATE_MEMORY_KIB);
		whole = (uint64_t)kdf->time * kdf->memory_kib;
		tried = part.memory_kib;
	}
	int r = tried ? run_ms(&part, key_bytes, &ms) : -EINVAL;

	if (r)
		return r;
	*ret_ms = (uint64_t)((double)ms * (double)whole / (double)tried);
	return 0;
}
