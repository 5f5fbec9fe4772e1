/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * keymgr on image files, for the interoperability tests. Prints keys: for tests only.
 *
 *	luks2tool key PASS-FILE IMAGE [DATA-BYTES]	volume key in hexadecimal
 *	luks2tool key-changed PASS-FILE IMAGE		the same of a header that others changed
 *	luks2tool info IMAGE				label, uuid, state of the copies
 *	luks2tool verdict PASS-FILE IMAGE...		for each: load, use, unlock
 *	luks2tool repair IMAGE				loads read-write with LUKS2_REPAIR
 *	luks2tool convert-cuts IMAGE DIR		an image for each moment of converting it to version 2
 *	luks2tool format PASS-FILE IMAGE [NAME=VALUE...]
 *
 * The exit status is the command line's.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "kernel-shim/filedev.h"
#include "keymgr/luks1-convert.h"
#include "tests/dev/faultdev.h"
#include "tests/dev/memdev.h"

static int fail(int err, const struct diag *diag)
{
	fprintf(stderr, "%d: %s%s%s\n", err, error_text(err), diag->detail[0] ? ": " : "",
		diag->detail);
	return error_exit_status(err);
}

static int read_passphrase(const char *path, struct secret **ret_secret)
{
	CLEANUP_FILE FILE *file = fopen(path, "rb");
	char buf[4096];
	size_t len = file ? fread(buf, 1, sizeof(buf), file) : 0;

	return len ? secret_new_copy(buf, len, ret_secret) : -1;
}

static int cmd_key(const struct secret *passphrase, const char *image, const char *data_bytes,
	bool accept_change)
{
	CLEANUP_BLKDEV struct blkdev *dev = NULL;
	CLEANUP_LUKS2 struct luks2 *hdr = NULL;
	CLEANUP_SECRET struct secret *key = NULL;
	struct diag diag = {0};
	int slot, r = filedev_open(image, FILEDEV_READ_ONLY, 0, &dev, &diag);

	if (!r)
		r = luks2_load(dev, 0, &hdr, &diag);
	if (!r)
		r = luks2_check_usable(
			hdr, data_bytes ? strtoull(data_bytes, NULL, 0) : dev->size_bytes, &diag);
	if (!r) {
		hdr->accept_change = accept_change;
		r = luks2_unlock(hdr, dev, passphrase, -1, &key, &slot, &diag);
	}
	if (r)
		return fail(r, &diag);
	for (size_t i = 0; i < secret_len(key); i++)
		printf("%02x", ((const uint8_t *)secret_data_const(key))[i]);
	printf(" %d\n", slot);
	return 0;
}

static int cmd_info(const char *image, unsigned flags)
{
	static const char *const states[] = {"ok", "damaged", "old", "missing"};
	CLEANUP_BLKDEV struct blkdev *dev = NULL;
	CLEANUP_LUKS2 struct luks2 *hdr = NULL;
	struct diag diag = {0};
	int r = filedev_open(image, flags & LUKS2_REPAIR ? 0 : FILEDEV_READ_ONLY, 0, &dev, &diag);

	if (!r)
		r = luks2_load(dev, flags, &hdr, &diag);
	if (r)
		return fail(r, &diag);
	printf("label=%s subsystem=%s uuid=%s seqid=%llu copies=%s,%s\n", hdr->label,
		hdr->subsystem, hdr->uuid, (unsigned long long)hdr->seqid, states[hdr->copies[0]],
		states[hdr->copies[1]]);
	return 0;
}

/* "load use unlock", each "ok", a number, or "-" when it was not tried. */
static void print_verdict(const struct secret *passphrase, const char *image)
{
	CLEANUP_BLKDEV struct blkdev *dev = NULL;
	CLEANUP_LUKS2 struct luks2 *hdr = NULL;
	CLEANUP_SECRET struct secret *key = NULL;
	struct diag diag = {0};
	int load = filedev_open(image, FILEDEV_READ_ONLY, 0, &dev, NULL), use = 1, unlock = 1;

	if (!load)
		load = luks2_load(dev, 0, &hdr, &diag);
	if (!load)
		use = luks2_check_usable(hdr, dev->size_bytes, &diag);
	if (!use)
		unlock = luks2_unlock(hdr, dev, passphrase, -1, &key, NULL, &diag);
	CLEANUP_FREE char *why = NULL;

	if (text_sanitize(diag.detail, strlen(diag.detail), &why))
		exit(99);
	printf("%s %d %d %d %s\n", image, load, use, unlock, why);
}

static bool take_number(const char *arg, const char *name, uint64_t *to)
{
	size_t len = strlen(name);

	if (strncmp(arg, name, len) || arg[len] != '=')
		return false;
	*to = strtoull(arg + len + 1, NULL, 0);
	return true;
}

static bool take_text(const char *arg, const char *name, const char **to)
{
	size_t len = strlen(name);

	if (strncmp(arg, name, len) || arg[len] != '=')
		return false;
	*to = arg + len + 1;
	return true;
}

/* The cheapest keyslot there is, unless the arguments say otherwise. */
static int parse_params(char **args, struct luks2_format_params *params, uint64_t *data_bytes)
{
	uint64_t key = 0, sector = 0, time = 0, memory = 0, cpus = 0, iterations = 1000,
		 iter_time = 0;
	const char *kdf = "pbkdf2", *hash = "sha256";
	uint64_t detached = 0, kdf_default = 0;

	*params = (struct luks2_format_params){0};
	for (; *args; args++)
		if (!take_number(*args, "key", &key) && !take_number(*args, "sector", &sector) &&
			!take_number(*args, "time", &time) &&
			!take_number(*args, "memory", &memory) &&
			!take_number(*args, "cpus", &cpus) &&
			!take_number(*args, "iterations", &iterations) &&
			!take_number(*args, "iter-time", &iter_time) &&
			!take_number(*args, "detached", &detached) &&
			!take_number(*args, "default", &kdf_default) &&
			!take_number(*args, "metadata", &params->metadata_bytes) &&
			!take_number(*args, "keyslots", &params->keyslots_bytes) &&
			!take_number(*args, "offset", &params->data_offset) &&
			!take_number(*args, "data", data_bytes) &&
			!take_text(*args, "cipher", &params->cipher) &&
			!take_text(*args, "label", &params->label) &&
			!take_text(*args, "subsystem", &params->subsystem) &&
			!take_text(*args, "uuid", &params->uuid) &&
			!take_text(*args, "kdf", &kdf) && !take_text(*args, "hash", &hash))
			return -SDE_USAGE;
	params->key_bytes = (uint32_t)key;
	params->sector_bytes = (uint32_t)sector;
	params->iter_time_ms = (uint32_t)iter_time;
	params->detached = detached;
	params->kdf_default = kdf_default;
	params->kdf.type = !strcmp(kdf, "argon2id")  ? LUKS2_KDF_ARGON2ID
			   : !strcmp(kdf, "argon2i") ? LUKS2_KDF_ARGON2I
						     : LUKS2_KDF_PBKDF2;
	params->kdf.iterations = (uint32_t)iterations;
	params->kdf.time = (uint32_t)time;
	params->kdf.memory_kib = (uint32_t)memory;
	params->kdf.cpus = (uint32_t)cpus;
	snprintf(params->kdf.hash, sizeof(params->kdf.hash), "%s", hash);
	return 0;
}

static int cmd_format(const struct secret *passphrase, const char *image, char **args)
{
	CLEANUP_BLKDEV struct blkdev *dev = NULL;
	CLEANUP_LUKS2 struct luks2 *hdr = NULL;
	CLEANUP_SECRET struct secret *key = NULL;
	struct luks2_format_params params;
	struct diag diag = {0};
	uint64_t data_bytes = 0;
	int r = parse_params(args, &params, &data_bytes);

	if (!r)
		r = filedev_open(image, 0, 0, &dev, &diag);
	if (!r)
		r = luks2_format(dev, data_bytes ? data_bytes : dev->size_bytes, &params,
			passphrase, &hdr, &key, &diag);
	return r ? fail(r, &diag) : 0;
}

static int save(const char *dir, size_t number, const uint8_t *bytes, size_t len)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%03zu.img", dir, number);
	CLEANUP_FILE FILE *file = fopen(path, "wb");

	return file && fwrite(bytes, 1, len, file) == len ? 0 : -EIO;
}

/* As if the power failed after each write, and after the first sector of each. */
static int cmd_convert_cuts(const char *image, const char *dir)
{
	CLEANUP_BLKDEV struct blkdev *file = NULL, *dev = NULL;
	CLEANUP_LUKS2 struct luks2 *hdr = NULL;
	struct blkdev *mem = NULL;
	struct diag diag = {0};
	size_t count, saved = 0;
	int r = filedev_open(image, FILEDEV_READ_ONLY, 0, &file, &diag);

	if (!r)
		r = memdev_new(file->size_bytes, 512, &mem);
	if (!r)
		r = faultdev_new(mem, &dev);
	CLEANUP_FREE uint8_t *bytes = r ? NULL : malloc(file->size_bytes);

	if (!r)
		r = blkdev_read(file, bytes, file->size_bytes, 0);
	if (!r)
		r = blkdev_write(dev, bytes, file->size_bytes, 0);
	faultdev_record(dev, true);
	if (!r)
		r = luks1_convert(dev, &hdr, &diag);
	const struct fault_record *records = r ? NULL : faultdev_records(dev, &count);

	for (size_t i = 0; !r && i < count; i++) {
		if (records[i].op != FAULT_WRITE)
			continue;
		for (int whole = 0; whole < 2 && !r; whole++) {
			memcpy(bytes + records[i].off, records[i].data,
				whole || records[i].len < 512 ? records[i].len : 512);
			r = save(dir, saved++, bytes, file->size_bytes);
		}
	}
	return r ? fail(r, &diag) : 0;
}

int main(int argc, char **argv)
{
	CLEANUP_SECRET struct secret *passphrase = NULL;

	if (argc == 3 && !strcmp(argv[1], "info"))
		return cmd_info(argv[2], 0);
	if (argc == 3 && !strcmp(argv[1], "repair"))
		return cmd_info(argv[2], LUKS2_REPAIR);
	if (argc == 4 && !strcmp(argv[1], "convert-cuts"))
		return cmd_convert_cuts(argv[2], argv[3]);
	if (argc < 4 || read_passphrase(argv[2], &passphrase))
		return EXIT_USAGE;
	if (!strcmp(argv[1], "key") || !strcmp(argv[1], "key-changed"))
		return cmd_key(passphrase, argv[3], argc > 4 ? argv[4] : NULL, strcmp(argv[1], "key"));
	if (!strcmp(argv[1], "format"))
		return cmd_format(passphrase, argv[3], argv + 4);
	if (strcmp(argv[1], "verdict"))
		return EXIT_USAGE;
	for (int i = 3; i < argc; i++)
		print_verdict(passphrase, argv[i]);
	return 0;
}
