/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sealdrive manifest: what files a drive holds, with their hashes, and what has become of them since.
 * The drive is opened read-only, without FUSE, and is not changed.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "audit/strict.h"
#include "cli/cli.h"
#include "cli/event.h"
#include "cli/gate.h"
#include "cli/manifest-walk.h"
#include "cli/offline.h"
#include "cli/sign.h"

enum { OPT_HELP = 1, OPT_OUTPUT, OPT_TRUST, OPT_ACCEPT_HEADER_CHANGE };

static const struct option long_options[] = {
	{"help", no_argument, NULL, OPT_HELP},
	{"output", required_argument, NULL, OPT_OUTPUT},
	SIGN_OPTIONS,
	{"trust", required_argument, NULL, OPT_TRUST},
	{"accept-header-change", no_argument, NULL, OPT_ACCEPT_HEADER_CHANGE},
	OFFLINE_OPTIONS,
	{0},
};

struct args {
	struct offline_args drive;
	struct sign_args sign;
	const char *output, *trust, *before; /* before: the manifest to compare with, or to sign */
	bool accept_header_change;
};

/* ---- the drive ---- */

static int walk(struct volume *volume, struct manifest *manifest, struct diag *diag)
{
	struct progress progress = PROGRESS_INIT(_("Reading"));
	CLEANUP_FREE char *path = NULL;
	int r;

	snprintf(manifest->uuid, sizeof(manifest->uuid), "%s", volume_header(volume)->uuid);
	r = manifest_walk(volume_fs(volume), manifest, &progress, &path);
	progress_end(&progress);
	return r < 0 && path ? diag_set(diag, r, "%s", path) : r;
}

static int read_drive(const struct args *args, struct manifest *manifest, struct diag *diag)
{
	const struct volume_options options = {
		.target = args->drive.target,
		.header = args->drive.header,
		.read_only = true,
		.accept_header_change = args->accept_header_change, /* which seals nothing here: it is not written to */
		.atime = E4_ATIME_NEVER,
	};
	static const char *const no_programs[] = {NULL};
	struct volume *volume = NULL;
	int close_err, r = gate_ready(diag);

	if (r == 0)
		r = gate_drive(args->drive.target, args->drive.header, diag);
	if (r == 0)
		r = offline_check(&args->drive, no_programs, diag);
	if (r == 0)
		r = volume_open(&options, &volume, diag);
	if (r == 0)
		r = offline_unlock(&args->drive, volume, diag);
	if (r == 0)
		r = volume_mount(volume, diag);
	if (r == 0)
		r = walk(volume, manifest, diag);
	close_err = volume_close(volume);
	return r < 0 ? r : close_err;
}

/* ---- make ---- */

static int write_manifest(const struct args *args, const struct manifest *manifest, struct diag *diag)
{
	FILE *out = args->output ? fopen(args->output, "wxe") : stdout;
	int r;

	if (!out)
		return diag_set(diag, -errno, "%s", args->output);
	r = manifest_write(manifest, time(NULL), out);
	if (!args->output)
		return r;
	if ((fflush(out) != 0 || fsync(fileno(out)) < 0) && r == 0)
		r = -errno;
	if (fclose(out) != 0 && r == 0)
		r = -errno;
	if (r < 0)
		unlink(args->output);
	return r < 0 ? diag_set(diag, r, "%s", args->output) : 0;
}

/* Hours of reading must not be for nothing because of one mistyped PIN. */
static int sign_output(const struct args *args)
{
	struct diag diag = {0};
	int r = sign_file(args->output, &args->sign, NULL, &diag), status;

	if (r == 0)
		return EXIT_DONE;
	status = cli_fail_file(args->output, r, &diag);
	fputs(_("  The manifest is written and whole, but not signed. 'sealdrive manifest sign' signs it without the drive.\n"),
		stderr);
	return status;
}

static int make(const struct args *args)
{
	CLEANUP_MANIFEST struct manifest manifest = {0};
	struct diag diag = {0};
	int r = sign_check(&args->sign, &diag);

	if (r < 0)
		return cli_fail_file(args->output, r, &diag);
	r = read_drive(args, &manifest, &diag);
	if (r == 0)
		r = write_manifest(args, &manifest, &diag);
	cli_event("manifest", args->drive.target, NULL, r, NULL);
	if (r < 0)
		return cli_fail(args->drive.target, r, &diag);
	return sign_wanted(&args->sign) ? sign_output(args) : EXIT_DONE;
}

/* ---- verify ---- */

static void show_change(void *count, enum manifest_change change, const char *path, const char *what)
{
	static const char *const words[] = {
		[MANIFEST_ADDED] = N_("added"),
		[MANIFEST_REMOVED] = N_("removed"),
		[MANIFEST_CHANGED] = N_("changed"),
	};

	++*(size_t *)count;
	cli_put_padded(_(words[change]), 10);
	cli_put_path(path);
	if (what[0])
		printf("  (%s)", what);
	putchar('\n');
}

static int read_before(const struct args *args, struct manifest *before, struct diag *diag)
{
	CLEANUP_FREE char *text = NULL;
	struct cms_signer signer;
	size_t len;
	int r = args->trust ? verify_file(args->before, NULL, args->trust, &signer, &text, &len, diag)
			    : strict_read_file(args->before, SIZE_MAX / 4, &text, &len);

	return r == 0 ? manifest_parse(text, len, before, diag) : r;
}

/* One that could not be signed when it was made. What is no manifest, or was changed, is not signed. */
static int sign(const struct args *args)
{
	CLEANUP_MANIFEST struct manifest manifest = {0};
	struct diag diag = {0};
	int r = read_before(args, &manifest, &diag);

	if (r == 0)
		r = sign_file(args->before, &args->sign, NULL, &diag);
	if (r < 0)
		return cli_fail_file(args->before, r, &diag);
	printf(_("Signed: a manifest of drive "));
	cli_put_safe(manifest.uuid);
	putchar('\n');
	return EXIT_DONE;
}

static int verify(const struct args *args)
{
	CLEANUP_MANIFEST struct manifest before = {0};
	CLEANUP_MANIFEST struct manifest now = {0};
	struct diag diag = {0};
	size_t count = 0;
	int r = read_before(args, &before, &diag);

	if (r < 0)
		return cli_fail_file(args->before, r, &diag);
	r = read_drive(args, &now, &diag);
	if (r < 0)
		return cli_fail(args->drive.target, r, &diag);
	bool other = strcmp(before.uuid, now.uuid) != 0;

	if (other)
		cli_warn(args->drive.target, _("the manifest is of another drive (%s)"), before.uuid);
	manifest_compare(&before, &now, show_change, &count);
	if (count == 0 && !other)
		printf(ngettext("%zu file or folder, as it was\n", "%zu files and folders, all as they were\n", now.count),
			now.count);
	return count || other ? EXIT_FINDINGS : EXIT_DONE;
}

/* ---- */

static int parse_option(int option, struct args *args)
{
	switch (option) {
	case OPT_OUTPUT:
		args->output = optarg;
		return 0;
	case OPT_TRUST:
		args->trust = optarg;
		return 0;
	case OPT_ACCEPT_HEADER_CHANGE:
		args->accept_header_change = true;
		return 0;
	default:
		return offline_option(option, &args->drive) || sign_option(option, &args->sign) ? 0 : EXIT_USAGE;
	}
}

static int run_sign(struct args *args, const char *file)
{
	if (!sign_complete(&args->sign) || args->output || args->trust || args->drive.header || args->drive.source.passphrase_file)
		return cli_usage(&command_manifest, _("'manifest sign FILE' needs --sign-key and --sign-cert, and no drive"));
	args->before = file;
	return sign(args);
}

static int run(int argc, char **argv)
{
	struct args args = {.drive.read_only = true};
	int option, status;

	while ((option = cli_getopt(&command_manifest, argc, argv, long_options)) != -1) {
		if (option == OPT_HELP)
			return cli_help(&command_manifest);
		status = parse_option(option, &args);
		if (status != 0)
			return status;
	}
	if (!cli_operands(&command_manifest, argc, argv, 1, 3))
		return EXIT_USAGE;
	/* one reader of cards and one PIN, for the drive and the signature */
	args.sign.token = args.drive.source.token;
	if (argc - optind == 2 && strcmp(argv[optind], "sign") == 0)
		return run_sign(&args, argv[optind + 1]);
	if (sign_wanted(&args.sign) && (!sign_complete(&args.sign) || !args.output))
		return cli_usage(&command_manifest, _("--sign-key, --sign-cert and --output belong together"));
	if (argc - optind == 1) {
		if (args.trust)
			return cli_usage(&command_manifest, _("--trust is for 'manifest verify'"));
		args.drive.target = argv[optind];
		return make(&args);
	}
	if (argc - optind != 3 || strcmp(argv[optind], "verify") != 0)
		return cli_usage(&command_manifest, _("unexpected operand '%s'"), argv[argc - 1]);
	if (args.output || sign_wanted(&args.sign))
		return cli_usage(&command_manifest, _("'manifest verify' writes and signs nothing"));
	args.before = argv[optind + 1];
	args.drive.target = argv[optind + 2];
	return verify(&args);
}

const struct command command_manifest = {
	.name = "manifest",
	.operands = N_("TARGET | verify FILE TARGET | sign FILE"),
	.summary = N_("list all files of a drive with their hashes, and what has changed since"),
	.options = N_(
		"The drive must not be mounted, and is only read. 'manifest verify' compares it with an earlier\n"
		"manifest and lists what was added, removed and changed; exit status 9 when there is any.\n"
		"'manifest sign' signs one that was made without a signature.\n"
		"\n"
		"Options:\n"
		"  --output FILE           write the manifest to a new FILE\n"
		"  --sign-key KEY          sign it: private key (PEM, or pkcs11:... on a smart card); the signature goes\n"
		"                          to FILE.p7s\n"
		"  --sign-cert CERT        the certificate of the key (PEM), unless it is on the card\n"
		"  --trust CERT            verify: the manifest must be signed by this certificate or CA\n"
		"  --passphrase-file FILE  read the passphrase from the first line of FILE;\n"
		"                          - is standard input\n"
		"  --key-file FILE         use the whole FILE as the key\n"
		"  --token[=URI]           unlock with a smart card or security key\n"
		"  --pin-file FILE         the PIN of the card is in the first line of FILE\n"
		"  --header FILE           the drive's LUKS header is in FILE\n"
		"  --accept-header-change  its header was changed with another program, on purpose: open it; the\n"
		"                          header stays as it is\n"
		"  --help                  show this help\n"),
	.run = run,
};
