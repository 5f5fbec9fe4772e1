/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/secret.h"
#include "tests/unit.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
static const bool mlock_works = false; /* the sanitizers' own mlock does nothing */
#else
static const bool mlock_works = true;
#endif

/* Signal that ends a child running fn(arg), or its exit status negated, or 0. */
static int child_fate(int (*fn)(uint8_t *arg), uint8_t *arg)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		/* A sanitizer's own handlers would turn the signal into an exit status. */
		signal(SIGSEGV, SIG_DFL);
		signal(SIGBUS, SIG_DFL);
		_exit(fn(arg));
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -255;
	return WIFSIGNALED(status) ? WTERMSIG(status) : -WEXITSTATUS(status);
}

static int touch(uint8_t *p)
{
	*(volatile uint8_t *)p = 1;
	return 0;
}

static int count_nonzero(uint8_t *p)
{
	int n = 0;

	for (size_t i = 0; i < 64; i++)
		n += p[i] != 0;
	return n;
}

static void test_new(void)
{
	static const size_t lens[] = {1, 15, 16, 17, 64, 4095, 4096, 4097, 1 << 20};
	struct secret *secret = (void *)1;

	CU_ASSERT_EQUAL(secret_new(0, &secret), -EINVAL);
	CU_ASSERT_EQUAL(secret_new((16 << 20) + 1, &secret), -EINVAL);
	CU_ASSERT_EQUAL(secret_new(SIZE_MAX, &secret), -EINVAL);
	CU_ASSERT_PTR_EQUAL(secret, (void *)1);
	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		CU_ASSERT_EQUAL_FATAL(secret_new(lens[i], &secret), 0);
		CU_ASSERT_EQUAL(secret_len(secret), lens[i]);
		CU_ASSERT(bytes_all_zero(secret_data(secret), lens[i]));
		CU_ASSERT_EQUAL((uintptr_t)secret_data(secret) % 16, 0);
		memset(secret_data(secret), 0xff, lens[i]);
		secret_free(secret);
	}
	secret_free(NULL);
}

static void test_guard_pages(void)
{
	CLEANUP_SECRET struct secret *secret = NULL;
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	CU_ASSERT_EQUAL_FATAL(secret_new(64, &secret), 0);
	uint8_t *data = secret_data(secret);

	CU_ASSERT_EQUAL(child_fate(touch, data), 0);
	CU_ASSERT_EQUAL(child_fate(touch, data + 63), 0);
	CU_ASSERT_EQUAL(child_fate(touch, data + 64), SIGSEGV);
	CU_ASSERT_EQUAL(child_fate(touch, data + 64 - page), 0);
	CU_ASSERT_EQUAL(child_fate(touch, data + 63 - page), SIGSEGV);
}

static void test_wiped_in_fork(void)
{
	CLEANUP_SECRET struct secret *secret = NULL;

	CU_ASSERT_EQUAL_FATAL(secret_new(64, &secret), 0);
	memset(secret_data(secret), 0xaa, 64);
	CU_ASSERT_EQUAL(child_fate(count_nonzero, secret_data(secret)), 0);
	CU_ASSERT_EQUAL(count_nonzero(secret_data(secret)), 64);
}

/* The flags of the mapping that holds p, as the kernel shows them: "rd wr mr ... lo dd wf". */
static void mapping_flags(const void *p, char *ret_flags, size_t room)
{
	FILE *f = fopen("/proc/self/smaps", "re");
	char line[512];
	unsigned long start, end;
	int inside = 0;

	ret_flags[0] = '\0';
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx", &start, &end) == 2)
			inside = (uintptr_t)p >= start && (uintptr_t)p < end;
		else if (inside && strncmp(line, "VmFlags:", 8) == 0)
			snprintf(ret_flags, room, "%s", line + 8);
	}
	if (f)
		fclose(f);
}

static void test_mapping(void)
{
	CLEANUP_SECRET struct secret *secret = NULL;
	char flags[512];

	CU_ASSERT_EQUAL_FATAL(secret_new(64, &secret), 0);
	mapping_flags(secret_data(secret), flags, sizeof(flags));
	if (!flags[0]) {
		unit_skip("the kernel does not show VmFlags");
		return;
	}
	CU_ASSERT_PTR_NOT_NULL(strstr(flags, " dd"));
	CU_ASSERT_PTR_NOT_NULL(strstr(flags, " wf"));
	CU_ASSERT(!mlock_works || !secret_all_locked() || strstr(flags, " lo"));
}

static void test_truncate(void)
{
	CLEANUP_SECRET struct secret *secret = NULL;

	CU_ASSERT_EQUAL_FATAL(secret_new_copy("0123456789", 10, &secret), 0);
	uint8_t *data = secret_data(secret);

	secret_truncate(secret, 4);
	CU_ASSERT_EQUAL(secret_len(secret), 4);
	CU_ASSERT_EQUAL(memcmp(data, "0123\0\0\0\0\0\0", 10), 0);
	secret_truncate(secret, 8);
	CU_ASSERT_EQUAL(secret_len(secret), 4);
}

static void test_equal(void)
{
	CLEANUP_SECRET struct secret *a = NULL, *b = NULL, *c = NULL, *d = NULL;

	CU_ASSERT_EQUAL_FATAL(secret_new_copy("same", 4, &a), 0);
	CU_ASSERT_EQUAL_FATAL(secret_new_copy("same", 4, &b), 0);
	CU_ASSERT_EQUAL_FATAL(secret_new_copy("samE", 4, &c), 0);
	CU_ASSERT_EQUAL_FATAL(secret_new_copy("same!", 5, &d), 0);
	CU_ASSERT(secret_equal(a, b));
	CU_ASSERT(!secret_equal(a, c));
	CU_ASSERT(!secret_equal(a, d));
	CU_ASSERT(bytes_equal_ct("", "", 0));
	CU_ASSERT(!bytes_equal_ct("\x80", "\x00", 1));
}

static int without_locking(uint8_t *unused)
{
	struct rlimit none = {0, 0};
	struct secret *secret;

	/* root may lock in spite of the limit */
	if (setrlimit(RLIMIT_MEMLOCK, &none) < 0 || (getuid() == 0 && setuid(65534) < 0))
		return 10;
	if (!secret_all_locked())
		return 11;
	if (secret_new(64, &secret) < 0)
		return 12;
	secret_free(secret);
	return secret_all_locked() ? 13 : 0;
}

/* First of all tests: it needs a process in which nothing has failed yet. */
static void test_lock_failure_is_told(void)
{
	CLEANUP_SECRET struct secret *secret = NULL;

	CU_ASSERT_EQUAL_FATAL(secret_new(1, &secret), 0);
	if (!mlock_works || !secret_all_locked()) {
		unit_skip("memory cannot be locked here, or a sanitizer is in the way");
		return;
	}
	CU_ASSERT_EQUAL(child_fate(without_locking, NULL), 0);
	CU_ASSERT(secret_all_locked());
}

int main(void)
{
	return UNIT_RUN(UNIT(test_lock_failure_is_told), UNIT(test_new), UNIT(test_guard_pages),
		UNIT(test_wiped_in_fork), UNIT(test_mapping), UNIT(test_truncate), UNIT(test_equal));
}
