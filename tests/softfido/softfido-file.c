/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * For sealdrive-soft, the program with keys in software: those of the folder SOFTFIDO are plugged in, a file
 * each, with words: pin=1234 retries=8 uv=0 touch=0. How many tries are left is written back.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/softfido/softfido-devices.h"

static struct softfido keys[SOFTFIDO_KEYS_MAX];
static char paths[SOFTFIDO_KEYS_MAX][512];

static void load(struct softfido *key, const char *path, const char *name)
{
	FILE *file = fopen(path, "re");
	int uv = 0, touch = 0;

	memset(key, 0, sizeof(*key));
	snprintf(key->name, sizeof(key->name), "%.31s", name);
	soft_sha256((const uint8_t *)name, strlen(name), key->master);
	key->unplug_after = -1;
	if (!file || fscanf(file, "pin=%63[^ ] retries=%d uv=%d touch=%d", key->pin, &key->retries, &uv, &touch) != 4)
		abort();
	fclose(file);
	key->uv = uv;
	key->touch = touch;
}

void softfido_save(void)
{
	for (size_t i = 0; i < softfido_plugged_count; i++) {
		FILE *file = fopen(paths[i], "we");

		if (!file)
			continue;
		fprintf(file, "pin=%s retries=%d uv=%d touch=%d\n", keys[i].pin, keys[i].retries, keys[i].uv,
			keys[i].touch);
		fclose(file);
	}
}

void softfido_load(void)
{
	const char *folder = getenv("SOFTFIDO");
	DIR *dir = folder ? opendir(folder) : NULL;

	softfido_plugged_count = 0;
	for (struct dirent *entry; dir && (entry = readdir(dir)) && softfido_plugged_count < SOFTFIDO_KEYS_MAX;) {
		size_t n = softfido_plugged_count;

		if (entry->d_name[0] == '.')
			continue;
		snprintf(paths[n], sizeof(paths[n]), "%s/%s", folder, entry->d_name);
		load(&keys[n], paths[n], entry->d_name);
		softfido_plugged[n] = &keys[n];
		softfido_plugged_count++;
	}
	if (dir)
		closedir(dir);
}
