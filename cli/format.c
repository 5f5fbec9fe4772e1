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
#include "cli/event.h"
#include "cli/format-options.h"
#include "cli/format-target.h"
#include "cli/info.h"
#include "cli/gate.h"
#include "cli/progress.h"
#include "ext4/ext4.h"
#include "keymgr/luks2.h"
#include "kernel-shim/cryptdev.h"

enum {
	DATA_OFFSET_BYTES = 16 * 1024 * 1024, /* of a volume with its header on it */
	HEADER_FILE_BYTES = 16 * 1024 * 1024,
	EXT4_LABEL_BYTES = 16,
	PROGRESS_KEYSLOT = 40, /* per cent of the work when the passphrase is in its key slot */
};

struct format {
	struct format_options options;
	struct format_target target, header; /* header.path is NULL without --header */
	struct diag diag;
	struct luks2_keyslot keyslot; /* as it was made */
	const char *failed; /* which of the two files diag is about */
};

/* ---- before the first byte is written ---- */

static bool same_file(const char *a, const char *b)
{
	struct stat st_a, st_b;

	return strcmp(a, b) == 0 || (stat(a, &st_a) == 0 && stat(b, &st_b) == 0 &&
					    st_a.st_dev == st_b.st_dev && st_a.st_ino == st_b.st_ino);
}

static int examine_header(struct format *f)
{
	const char *path = f->options.header_path;
	struct diag *diag = &f->diag;
	int r;

	if (!path)
		return 0;
	f->failed = path;
	if (same_file(f->options.target_path, path))
		return diag_set(diag, -SDE_USAGE, _("--header names the drive itself"));
	r = format_target_examine(path, 0, &f->header, diag);
	if (r == -ENOENT || (r == 0 && f->header.exists && f->header.size_bytes == 0)) {
		diag->detail[0] = '\0';
		drive_clear(&f->header.drive);
		r = format_target_examine(path, HEADER_FILE_BYTES, &f->header, diag);
	}
	if (r == 0 && f->header.size_bytes < HEADER_FILE_BYTES)
		r = diag_set(diag, -SDE_TOO_SMALL, _("a header needs 16 MiB"));
	return r;
}

static int check(struct format *f)
{
	uint64_t data_offset = f->options.header_path ? 0 : DATA_OFFSET_BYTES;
	struct diag *diag = &f->diag;
	int r;

	f->failed = f->options.target_path;
	r = format_target_examine(f->options.target_path, f->options.size_bytes, &f->target, diag);
	if (r < 0)
		return r;
	if (f->target.size_bytes < data_offset + E4_MKFS_MIN_BYTES)
		return diag_set(diag, -SDE_TOO_SMALL, _("at least %llu MiB are needed"),
			(unsigned long long)(data_offset + E4_MKFS_MIN_BYTES) >> 20);
	if (f->options.params.cipher && strncmp(f->options.params.cipher, "aes-xts-", strlen("aes-xts-")) != 0)
		return diag_set(diag, -SDE_CIPHER, _("'%s' is not for new drives"), f->options.params.cipher);
	r = luks2_format_check(&f->options.params, f->target.size_bytes, diag);
	return r < 0 ? r : examine_header(f);
}

static int ask(struct format *f)
{
	int r;

	if (f->options.force)
		return 0;
	f->failed = f->options.target_path;
	r = format_target_confirm(&f->target, &f->diag);
	if (r < 0 || !f->header.path)
		return r;
	f->failed = f->options.header_path;
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
		.min_block_bytes = f->options.params.sector_bytes,
		.root_uid = f->options.root_uid,
		.root_gid = f->options.root_gid,
		.journal = true,
	};

	if (f->options.params.label)
		shorten_label(f->options.params.label, label);
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

	f->options.params.sector_bytes = segment->sector_bytes;
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
	r = luks2_format_begin(header_dev, f->target.dev->size_bytes, &f->options.params, passphrase, &hdr,
		&key, &f->diag);
	progress_show(progress, PROGRESS_KEYSLOT);
	if (r == 0)
		r = wipe_old(f);
	if (r == 0)
		r = fill_volume(f, hdr, key, progress);
	if (r == 0)
		r = luks2_format_finish(header_dev, hdr);
	if (r == 0)
		f->keyslot = hdr->keyslots[0];
	return r;
}

static int open_and_write(struct format *f, const struct secret *passphrase)
{
	struct progress progress = PROGRESS_INIT(_("Formatting"));
	int r;

	f->failed = f->options.target_path;
	r = format_target_open(&f->target, &f->diag);
	if (r == 0 && f->header.path) {
		f->failed = f->options.header_path;
		r = format_target_open(&f->header, &f->diag);
		f->failed = r == 0 ? f->options.target_path : f->options.header_path;
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
	CLEANUP_FREE char *portability = info_portability(&f->keyslot);

	if (portability)
		printf(_("Opening it %s.\n"), portability);
	printf(_("The drive is ready. Mount it with: sealdrive mount "));
	cli_put_path(f->options.target_path);
	putchar('\n');
}

static int run(int argc, char **argv)
{
	struct format f = {.failed = NULL};
	CLEANUP_SECRET struct secret *passphrase = NULL;
	int r;

	r = format_options_parse(argc, argv, &f.options);
	if (r != EXIT_DONE)
		return r < 0 ? EXIT_DONE : r;
	f.failed = f.options.target_path;
	r = gate_ready(&f.diag);
	if (r == 0)
		r = check(&f);
	if (r == 0)
		r = ask(&f);
	if (r == 0) {
		f.failed = f.options.target_path;
		r = cli_read_new_passphrase(&f.options.source, f.options.target_path, f.options.params.label,
			f.options.allow_weak, &passphrase, &f.diag);
	}
	if (r == 0)
		r = open_and_write(&f, passphrase);
	format_target_close(&f.header, r == 0);
	format_target_close(&f.target, r == 0);
	cli_event("format", f.options.header_path ? f.options.header_path : f.options.target_path, NULL, r, NULL);
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
		"  --allow-weak            take a passphrase that is easy to guess\n"
		"  --header FILE           keep the header in FILE, not on TARGET\n"
		"  --owner UID[:GID]       who owns the drive's top folder (default: you)\n"
		"\n"
		"Options for the IT staff:\n"
		"  --cipher CIPHER         aes-xts-plain64 (default) or aes-xts-plain\n"
		"  --key-size BITS         default: 512 for XTS, which is AES-256\n"
		"  --sector-size BYTES     512, 1024, 2048 or 4096; default: 4096\n"
		"  --pbkdf KDF             argon2id (default), argon2i or pbkdf2\n"
		"  --iter-time MS          how long one guess of the passphrase shall take here\n"
		"                          (default: 2000)\n"
		"  --iterations N          this cost instead of --iter-time\n"
		"  --memory KIB            memory for argon2\n"
		"  --parallel N            threads for argon2, 1 to 4\n"
		"  --weakest-computer SIZE memory of the weakest computer that shall open the drive\n"
		"                          (default: 4G)\n"
		"  --metadata-size SIZE    room for one copy of the header, 16K to 4M\n"
		"  --help                  show this help\n"),
	.run = run,
};
