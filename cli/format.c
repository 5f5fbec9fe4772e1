/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sealdrive format: an empty drive or container becomes a LUKS2 volume with ext4 inside.
 *
 *	options -> examine -> check -> ask -> passphrase | open -> keyslot -> ext4 -> header
 *
 * Nothing is written left of the bar. The header comes last, so that an interrupted format never
 * leaves a drive that opens.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "cli/cli.h"
#include "cli/format-target.h"
#include "cli/progress.h"
#include "ext4/ext4.h"
#include "keymgr/luks2.h"
#include "kernel-shim/cryptdev.h"

enum {
	DATA_OFFSET_BYTES = 16 * 1024 * 1024, /* of a volume with its header on it */
	HEADER_FILE_BYTES = 16 * 1024 * 1024,
	EXT4_LABEL_BYTES = 16,
	SIGNATURES_BYTES = 1024 * 1024,
	PROGRESS_KEYSLOT = 40, /* per cent of the work when the passphrase is in its key slot */
};

struct format {
	const char *target_path, *header_path;
	uint64_t size_bytes;
	struct luks2_format_params params;
	bool cost_given;
	uint32_t root_uid, root_gid;
	bool force;
	struct cli_passphrase_source source;

	struct format_target target, header; /* header.path is NULL without --header */
	struct diag diag;
	const char *failed; /* which of the two files diag is about */
};

enum option_id {
	OPT_HELP = 1,
	OPT_SIZE,
	OPT_LABEL,
	OPT_CIPHER,
	OPT_KEY_SIZE,
	OPT_SECTOR_SIZE,
	OPT_PBKDF,
	OPT_ITER_TIME,
	OPT_ITERATIONS,
	OPT_MEMORY,
	OPT_PARALLEL,
	OPT_METADATA_SIZE,
	OPT_HEADER,
	OPT_OWNER,
	OPT_FORCE,
	OPT_PASSPHRASE_FILE,
	OPT_KEY_FILE,
};

static const struct option long_options[] = {
	{"help", no_argument, NULL, OPT_HELP},
	{"size", required_argument, NULL, OPT_SIZE},
	{"label", required_argument, NULL, OPT_LABEL},
	{"cipher", required_argument, NULL, OPT_CIPHER},
	{"key-size", required_argument, NULL, OPT_KEY_SIZE},
	{"sector-size", required_argument, NULL, OPT_SECTOR_SIZE},
	{"pbkdf", required_argument, NULL, OPT_PBKDF},
	{"iter-time", required_argument, NULL, OPT_ITER_TIME},
	{"iterations", required_argument, NULL, OPT_ITERATIONS},
	{"memory", required_argument, NULL, OPT_MEMORY},
	{"parallel", required_argument, NULL, OPT_PARALLEL},
	{"metadata-size", required_argument, NULL, OPT_METADATA_SIZE},
	{"header", required_argument, NULL, OPT_HEADER},
	{"owner", required_argument, NULL, OPT_OWNER},
	{"force", no_argument, NULL, OPT_FORCE},
	{"passphrase-file", required_argument, NULL, OPT_PASSPHRASE_FILE},
	{"key-file", required_argument, NULL, OPT_KEY_FILE},
	{NULL, 0, NULL, 0},
};

/* ---- options ---- */

static bool parse_size(const char *name, const char *text, uint64_t *ret_bytes)
{
	if (cli_parse_size(text, ret_bytes) == 0 && *ret_bytes > 0)
		return true;
	cli_usage(&command_format, _("--%s: '%s' is not a size; write for instance 500M, 64G or 2T"),
		name, text);
	return false;
}

static bool parse_number(const char *name, const char *text, uint32_t min, uint32_t max,
	uint32_t *ret_number)
{
	uint64_t v;

	if (cli_parse_number(text, min, max, &v) == 0) {
		*ret_number = v;
		return true;
	}
	cli_usage(&command_format, _("--%s: '%s' is not a number from %u to %u"), name, text, min, max);
	return false;
}

static bool parse_pbkdf(struct format *f, const char *text)
{
	static const enum luks2_kdf_type types[] = {
		LUKS2_KDF_ARGON2ID, LUKS2_KDF_ARGON2I, LUKS2_KDF_PBKDF2};

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (strcmp(text, luks2_kdf_name(types[i])) == 0) {
			f->params.kdf.type = types[i];
			f->params.kdf_default = false;
			return true;
		}
	cli_usage(&command_format, _("--pbkdf: '%s' is none of argon2id, argon2i, pbkdf2"), text);
	return false;
}

/* UID[:GID]; the group is the user's number when it is not given, as useradd makes them. */
static bool parse_owner(struct format *f, const char *text)
{
	CLEANUP_FREE char *user = strdup(text);
	char *colon = user ? strchr(user, ':') : NULL;
	uint64_t uid = 0, gid = 0;

	if (colon)
		*colon = '\0';
	if (!user || cli_parse_number(user, 0, UINT32_MAX - 1, &uid) < 0 ||
		(colon && cli_parse_number(colon + 1, 0, UINT32_MAX - 1, &gid) < 0)) {
		cli_usage(&command_format, _("--owner: '%s' is not of the form UID or UID:GID"), text);
		return false;
	}
	f->root_uid = uid;
	f->root_gid = colon ? gid : uid;
	return true;
}

static bool parse_key_size(struct format *f, const char *text)
{
	uint32_t bits;

	if (!parse_number("key-size", text, 8, 4096, &bits))
		return false;
	if (bits % 8) {
		cli_usage(&command_format, _("--key-size: the number of bits must be a multiple of 8"));
		return false;
	}
	f->params.key_bytes = bits / 8;
	return true;
}

static bool parse_cost(struct format *f, enum option_id option, const char *text)
{
	switch (option) {
	case OPT_ITERATIONS:
		return parse_number("iterations", text, 1, INT32_MAX, &f->params.kdf.iterations);
	case OPT_MEMORY:
		return parse_number("memory", text, 1, INT32_MAX, &f->params.kdf.memory_kib);
	default:
		return parse_number("parallel", text, 1, INT32_MAX, &f->params.kdf.cpus);
	}
}

static bool parse_option(struct format *f, enum option_id option, const char *value)
{
	switch (option) {
	case OPT_SIZE:
		return parse_size("size", value, &f->size_bytes);
	case OPT_LABEL:
		f->params.label = value[0] ? value : NULL;
		return true;
	case OPT_CIPHER:
		f->params.cipher = value;
		return true;
	case OPT_KEY_SIZE:
		return parse_key_size(f, value);
	case OPT_SECTOR_SIZE:
		return parse_number("sector-size", value, 512, 4096, &f->params.sector_bytes);
	case OPT_PBKDF:
		return parse_pbkdf(f, value);
	case OPT_ITER_TIME:
		return parse_number("iter-time", value, 1, 600000, &f->params.iter_time_ms);
	case OPT_METADATA_SIZE:
		return parse_size("metadata-size", value, &f->params.metadata_bytes);
	case OPT_HEADER:
		f->header_path = value;
		return true;
	case OPT_OWNER:
		return parse_owner(f, value);
	case OPT_FORCE:
		f->force = true;
		return true;
	case OPT_PASSPHRASE_FILE:
		f->source.passphrase_file = value;
		return true;
	case OPT_KEY_FILE:
		f->source.key_file = value;
		return true;
	default:
		f->cost_given = true;
		return parse_cost(f, option, value);
	}
}

/* What the options mean together. */
static bool combine_options(struct format *f)
{
	struct luks2_kdf *kdf = &f->params.kdf;

	if (f->cost_given)
		f->params.kdf_default = false;
	if (kdf->type == LUKS2_KDF_PBKDF2 && (kdf->memory_kib || kdf->cpus)) {
		cli_usage(&command_format, _("--memory and --parallel mean nothing for pbkdf2"));
		return false;
	}
	if (kdf->iterations && f->params.iter_time_ms) {
		cli_usage(&command_format, _("--iterations and --iter-time exclude each other"));
		return false;
	}
	if (f->source.passphrase_file && f->source.key_file) {
		cli_usage(&command_format, _("--passphrase-file and --key-file exclude each other"));
		return false;
	}
	if (kdf->type != LUKS2_KDF_PBKDF2) {
		kdf->time = kdf->iterations;
		kdf->iterations = 0;
	}
	f->params.detached = f->header_path != NULL;
	return true;
}

static bool id_from_environment(const char *name, uint32_t *id)
{
	const char *text = getenv(name);
	uint64_t v;

	if (!text || cli_parse_number(text, 0, UINT32_MAX - 1, &v) < 0)
		return false;
	*id = v;
	return true;
}

/* The files belong to the person at the keyboard, also when sudo or pkexec runs us. */
static void default_owner(struct format *f)
{
	f->root_uid = getuid();
	f->root_gid = getgid();
	if (f->root_uid != 0)
		return;
	if (id_from_environment("SUDO_UID", &f->root_uid))
		id_from_environment("SUDO_GID", &f->root_gid);
	else if (id_from_environment("PKEXEC_UID", &f->root_uid))
		f->root_gid = f->root_uid;
}

/* EXIT_DONE: go on; -1: help was shown; else what to exit with. */
static int parse_command_line(struct format *f, int argc, char **argv)
{
	int option;

	f->params.kdf_default = true;
	f->params.kdf.type = LUKS2_KDF_ARGON2ID;
	default_owner(f);
	while ((option = cli_getopt(&command_format, argc, argv, long_options)) != -1) {
		if (option == OPT_HELP) {
			cli_help(&command_format);
			return -1;
		}
		if (option == '?' || !parse_option(f, option, optarg))
			return EXIT_USAGE;
	}
	if (!cli_operands(&command_format, argc, argv, 1, 1) || !combine_options(f))
		return EXIT_USAGE;
	f->target_path = argv[optind];
	return EXIT_DONE;
}

/* ---- before the first byte is written ---- */

static int same_file(const struct format *f)
{
	struct stat target, header;

	return strcmp(f->target_path, f->header_path) == 0 ||
	       (stat(f->target_path, &target) == 0 && stat(f->header_path, &header) == 0 &&
		       target.st_dev == header.st_dev && target.st_ino == header.st_ino);
}

static int examine_header(struct format *f)
{
	struct diag *diag = &f->diag;
	int r;

	if (!f->header_path)
		return 0;
	f->failed = f->header_path;
	if (same_file(f))
		return diag_set(diag, -SDE_USAGE, _("--header names the drive itself"));
	r = format_target_examine(f->header_path, 0, &f->header, diag);
	if (r == -ENOENT || (r == 0 && f->header.exists && f->header.size_bytes == 0)) {
		diag->detail[0] = '\0';
		drive_clear(&f->header.drive);
		r = format_target_examine(f->header_path, HEADER_FILE_BYTES, &f->header, diag);
	}
	if (r == 0 && f->header.size_bytes < HEADER_FILE_BYTES)
		r = diag_set(diag, -SDE_TOO_SMALL, _("a header needs 16 MiB"));
	return r;
}

static int check(struct format *f)
{
	uint64_t data_offset = f->header_path ? 0 : DATA_OFFSET_BYTES;
	struct diag *diag = &f->diag;
	int r;

	f->failed = f->target_path;
	r = format_target_examine(f->target_path, f->size_bytes, &f->target, diag);
	if (r < 0)
		return r;
	r = luks2_format_check(&f->params, f->target.size_bytes, diag);
	if (r == 0 && f->target.size_bytes < data_offset + E4_MKFS_MIN_BYTES)
		r = diag_set(diag, -SDE_TOO_SMALL, _("at least %llu MiB are needed"),
			(unsigned long long)(data_offset + E4_MKFS_MIN_BYTES) >> 20);
	return r < 0 ? r : examine_header(f);
}

static int ask(struct format *f)
{
	int r;

	if (f->force)
		return 0;
	f->failed = f->target_path;
	r = format_target_confirm(&f->target, &f->diag);
	if (r < 0 || !f->header.path)
		return r;
	f->failed = f->header_path;
	return format_target_confirm(&f->header, &f->diag);
}

/* ---- writing ---- */

/* At most 16 bytes, cut between two characters, not behind a space. */
static void shorten_label(const char *label, char buf[EXT4_LABEL_BYTES + 1])
{
	size_t len = strlen(label);

	if (len > EXT4_LABEL_BYTES)
		for (len = EXT4_LABEL_BYTES; len > 0 && (label[len] & 0xc0) == 0x80;)
			len--;
	while (len > 0 && label[len - 1] == ' ')
		len--;
	memcpy(buf, label, len);
	buf[len] = '\0';
}

static void report_mkfs(void *ctx, int percent)
{
	progress_show(ctx, PROGRESS_KEYSLOT + percent * (100 - PROGRESS_KEYSLOT) / 100);
}

static int make_file_system(struct format *f, struct progress *progress)
{
	char label[EXT4_LABEL_BYTES + 1] = "";
	struct e4_mkfs_params params = {
		.label = label,
		.min_block_bytes = f->params.sector_bytes,
		.root_uid = f->root_uid,
		.root_gid = f->root_gid,
		.journal = true,
	};

	if (f->params.label)
		shorten_label(f->params.label, label);
	return e4_mkfs(f->target.top, &params, report_mkfs, progress, &f->diag);
}

static int fill_volume(struct format *f, const struct luks2 *hdr, const struct secret *key,
	struct progress *progress)
{
	const struct luks2_segment *segment = luks2_data_segment(hdr);
	struct cryptdev_params params = {
		.cipher = segment->cipher,
		.sector_bytes = segment->sector_bytes,
		.iv_offset = segment->iv_tweak,
		.offset_bytes = segment->offset,
	};
	int r;

	f->params.sector_bytes = segment->sector_bytes;
	r = cryptdev_open(f->target.dev, &params, key, &f->target.top, &f->diag);
	if (r == 0)
		r = make_file_system(f, progress);
	return r < 0 ? r : blkdev_flush(f->target.top);
}

static int wipe_old(struct format *f)
{
	if (!f->target.exists)
		return 0;
	/* where the header goes, luks2_format_begin() has wiped; a drive that gets a header elsewhere
	 * must not keep its old one, nor that one's keyslots */
	return format_target_wipe(&f->target, f->header.path ? DATA_OFFSET_BYTES : 0);
}

static int write_volume(struct format *f, const struct secret *passphrase,
	struct progress *progress)
{
	struct blkdev *header_dev = f->header.path ? f->header.dev : f->target.dev;
	CLEANUP_LUKS2 struct luks2 *hdr = NULL;
	CLEANUP_SECRET struct secret *key = NULL;
	int r;

	progress_show(progress, 0);
	r = luks2_format_begin(header_dev, f->target.dev->size_bytes, &f->params, passphrase, &hdr,
		&key, &f->diag);
	progress_show(progress, PROGRESS_KEYSLOT);
	if (r == 0)
		r = wipe_old(f);
	if (r == 0)
		r = fill_volume(f, hdr, key, progress);
	if (r == 0)
		r = luks2_format_finish(header_dev, hdr);
	return r;
}

static int open_and_write(struct format *f, const struct secret *passphrase)
{
	struct progress progress = PROGRESS_INIT(_("Formatting"));
	int r;

	f->failed = f->target_path;
	r = format_target_open(&f->target, &f->diag);
	if (r == 0 && f->header.path) {
		f->failed = f->header_path;
		r = format_target_open(&f->header, &f->diag);
		f->failed = r == 0 ? f->target_path : f->header_path;
	}
	if (r == 0)
		r = write_volume(f, passphrase, &progress);
	progress_end(&progress);
	if (r == -ENOSPC && (f->target.is_file || f->header.is_file))
		r = -SDE_NO_SPACE_HOST;
	return r;
}

static void report_done(const struct format *f)
{
	if (!isatty(STDOUT_FILENO))
		return;
	printf(_("%s is ready. Mount it with: sealdrive mount %s\n"), f->target_path, f->target_path);
}

static int run(int argc, char **argv)
{
	struct format f = {.params = {.kdf_default = true}};
	CLEANUP_SECRET struct secret *passphrase = NULL;
	int r;

	r = parse_command_line(&f, argc, argv);
	if (r != EXIT_DONE)
		return r < 0 ? EXIT_DONE : r;
	r = check(&f);
	if (r == 0)
		r = ask(&f);
	if (r == 0) {
		f.failed = f.target_path;
		r = cli_read_passphrase(&f.source, f.target_path, true, &passphrase, &f.diag);
	}
	if (r == 0)
		r = open_and_write(&f, passphrase);
	format_target_close(&f.header, r == 0);
	format_target_close(&f.target, r == 0);
	if (r < 0)
		return cli_fail(f.failed, r, &f.diag);
	report_done(&f);
	return EXIT_DONE;
}

const struct command command_format = {
	.name = "format",
	.operands = N_("TARGET"),
	.summary = N_("make an encrypted drive or container file; destroys what is on it"),
	.options = N_(
		"TARGET is a drive, a partition, or a container file; a file that does not exist is\n"
		"made when --size is given.\n"
		"\n"
		"Options:\n"
		"  --size SIZE             size of a new container, for instance 500M, 64G, 2T\n"
		"  --label LABEL           name of the drive, up to 47 bytes\n"
		"  --force                 do not ask before destroying what is on TARGET\n"
		"  --passphrase-file FILE  take the passphrase from the first line of FILE\n"
		"                          ('-': standard input)\n"
		"  --key-file FILE         take the whole of FILE as the key\n"
		"  --header FILE           keep the header in FILE, not on TARGET\n"
		"  --owner UID[:GID]       who owns the drive's top folder (default: you)\n"
		"\n"
		"Options for the IT staff:\n"
		"  --cipher CIPHER         default: aes-xts-plain64\n"
		"  --key-size BITS         default: 512 for XTS, which is AES-256\n"
		"  --sector-size BYTES     512, 1024, 2048 or 4096; default: 4096\n"
		"  --pbkdf KDF             argon2id (default), argon2i or pbkdf2\n"
		"  --iter-time MS          how long one guess of the passphrase shall take here\n"
		"                          (default: 2000)\n"
		"  --iterations N          this cost instead of --iter-time\n"
		"  --memory KIB            memory for argon2\n"
		"  --parallel N            threads for argon2, 1 to 4\n"
		"  --metadata-size SIZE    room for one copy of the header, 16K to 4M\n"
		"  --help                  show this help\n"),
	.run = run,
};
