/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A fuzzer's function on every file that is named, without libFuzzer; prints how many there were. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void replay(const char *path)
{
	FILE *file = fopen(path, "rb");
	struct stat st;

	if (!file || fstat(fileno(file), &st) < 0) {
		perror(path);
		exit(99);
	}
	/* of exactly this length, so that a sanitizer sees what reads beyond it */
	uint8_t *data = malloc(st.st_size ? (size_t)st.st_size : 1);

	if (!data || fread(data, 1, (size_t)st.st_size, file) != (size_t)st.st_size)
		exit(99);
	fclose(file);
	LLVMFuzzerTestOneInput(data, (size_t)st.st_size);
	free(data);
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		fprintf(stderr, "%s\n", argv[i]);
		replay(argv[i]);
	}
	printf("%d\n", argc - 1);
	return 0;
}
