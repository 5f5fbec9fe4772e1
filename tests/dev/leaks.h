/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the tools that watch memory have to be told, for tests of code that uses libgcrypt. */
#ifndef TESTS_DEV_LEAKS_H
#define TESTS_DEV_LEAKS_H

#include <gcrypt.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>

/* libgcrypt's random generator keeps a pointer to its buffer in secure memory only, where the leak
 * check does not look by itself. After crypto_init(). */
static inline void leaks_know_secure_memory(void)
{
	void *inside = gcry_malloc_secure(16);
	FILE *maps = fopen("/proc/self/maps", "re");
	unsigned long start, end;
	char line[512];

	while (maps && fgets(line, sizeof(line), maps))
		if (sscanf(line, "%lx-%lx", &start, &end) == 2 && (uintptr_t)inside >= start &&
			(uintptr_t)inside < end)
			__lsan_register_root_region((void *)start, end - start);
	if (maps)
		fclose(maps);
	gcry_free(inside);
}
#else
static inline void leaks_know_secure_memory(void)
{
}
#endif

/* valgrind keeps the program's registers in memory, and with them the bytes last moved. */
static inline bool leaks_under_valgrind(void)
{
	const char *preload = getenv("LD_PRELOAD");

	return preload && strstr(preload, "vgpreload");
}

#endif
