/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What all sub-commands share: the table, options, messages, passphrases. One file per sub-command. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/i18n.h"
#include "base/secret.h"
#include "keymgr/shamir.h"

struct luks2;

struct command {
	const char *name;
	const char *operands; /* "TARGET [DIR]", N_() */
	const char *summary;  /* one line, N_() */
	const char *options;  /* text of `sealdrive NAME --help` after the usage line, N_() */
	int (*run)(int argc, char **argv); /* argv[0] is the command's name; returns exit status */
};

/* One per file cli/<name>.c; main.c lists them in its table. */
extern const struct command command_format, command_mount, command_unmount, command_status,
	command_info, command_list, command_check, command_resize, command_header;
extern const struct command command_policy, command_audit, command_log, command_manifest;
extern const struct command command_erase;
extern const struct command command_key;

/*
 * Prints "sealdrive: SUBJECT: sentence: detail" and the remedy on stderr and returns the exit
 * status that belongs to err. subject is the drive (or file) as the user named it; NULL: none.
 */
int cli_fail(const char *subject, int err, const struct diag *diag);
/* The same about a file that is no drive: a policy, a log, a report. */
int cli_fail_file(const char *subject, int err, const struct diag *diag);
/* What they were called with last; 0: it was not. */
int cli_last_error(void);
/* Wrong usage: prints the message and a pointer to --help; returns EXIT_USAGE. */
int cli_usage(const struct command *command, const char *fmt, ...) PRINTF(2, 3);
/* printf() of what a command has changed and what stays so, whether or not anybody can read it: when standard
 * output cannot be written, that is worth a warning and no failure. */
void cli_say_done(const char *fmt, ...) PRINTF(1, 2);
bool cli_has_said_done(void);
void cli_warn(const char *subject, const char *fmt, ...) PRINTF(2, 3);
/* `--help`: prints usage to stdout, returns EXIT_DONE. */
int cli_help(const struct command *command);

/*
 * getopt_long() for all commands: options before or after operands, "--" ends them, `long_options`
 * end with a zeroed entry and have no short forms. Returns the option's val, -1 at the end (operands
 * are argv[optind...]), or '?' when a message was printed and the command returns EXIT_USAGE.
 */
int cli_getopt(const struct command *command, int argc, char **argv,
	const struct option *long_options);
/* Checks the number of operands left: false when a message was printed. */
bool cli_operands(const struct command *command, int argc, char **argv, int min, int max);

/* "64G", "512MiB", "1T" (powers of 1024), plain bytes; -EINVAL. */
int cli_parse_size(const char *text, uint64_t *ret_bytes) MUST_CHECK;
/* A decimal number from min to max; -EINVAL. */
int cli_parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *ret_number) MUST_CHECK;
enum { CLI_SIZE_TEXT = 48 };
/* "14.9 GiB" in the user's language, into buf, which it returns. */
const char *cli_format_size(char buf[CLI_SIZE_TEXT], uint64_t bytes);

/* Prints text, then spaces up to width columns of the terminal (which bytes do not tell). */
void cli_put_padded(const char *text, int width);
int cli_display_width(const char *text);

/* Prints text that may come from anywhere, made safe for the terminal. */
void cli_put_safe(const char *text);
/* Prints a path as a shell takes it, and safe to show. */
void cli_put_path(const char *path);

/* Asks on the terminal; false when the answer is not yes or there is no terminal. */
bool cli_confirm(const char *fmt, ...) PRINTF(1, 2);
/* Asks on the terminal for a line, which is shown while it is typed. -SDE_NO_TTY, -SDE_CANCELLED,
 * -errno. The caller frees. */
int cli_ask_line(const char *prompt, char **ret_line) MUST_CHECK;
/* Asks on the terminal, and goes on only when name is typed. -SDE_CONFIRM, -SDE_CANCELLED. */
int cli_confirm_by_typing(const char *name, const char *fmt, ...) PRINTF(2, 3) MUST_CHECK;
/* Whether there is somebody to ask: standard input is a terminal. */
bool cli_can_ask(void);

struct cli_token_options {
	bool wanted;	      /* --token: nothing else will do */
	bool never;	      /* --no-token: none is looked for */
	const char *uri;      /* which: "pkcs11:...", "fido2", or NULL: any */
	const char *pin_file; /* --pin-file: first line; NULL: the terminal */
	const char *and_pin_file; /* --and-pin-file: of the second of two tokens; NULL: pin_file */
	const char *module;   /* --pkcs11-module: this one, not those that p11-kit knows */
};

struct cli_share_options {
	const char *files[SHAMIR_SHARES_MAX]; /* --share, in their order; "-": standard input or the terminal */
	unsigned count;
};

struct cli_passphrase_source {
	const char *passphrase_file; /* --passphrase-file; "-": standard input; one line */
	const char *key_file;	     /* --key-file: whole file, binary */
	struct cli_token_options token;
	struct cli_share_options shares;
};

/* Options of all commands that open a drive; cli_unlock_option() takes them, and cli_token_option() those of a token. */
enum { CLI_OPT_TOKEN = 900, CLI_OPT_PIN_FILE, CLI_OPT_PKCS11_MODULE, CLI_OPT_SHARE, CLI_OPT_AND_PIN_FILE, CLI_OPT_NO_TOKEN };
#define CLI_TOKEN_OPTION {"token", optional_argument, NULL, CLI_OPT_TOKEN}
#define CLI_PIN_OPTIONS                                                                            \
	{"pin-file", required_argument, NULL, CLI_OPT_PIN_FILE},                                   \
	{"and-pin-file", required_argument, NULL, CLI_OPT_AND_PIN_FILE},                                 \
	{"pkcs11-module", required_argument, NULL, CLI_OPT_PKCS11_MODULE}
#define CLI_SHARE_OPTION {"share", required_argument, NULL, CLI_OPT_SHARE}
#define CLI_NO_TOKEN_OPTION {"no-token", no_argument, NULL, CLI_OPT_NO_TOKEN}
/* Whether option, as cli_getopt() returned it, is one of them, and was taken: of too many shares a message is out. */
bool cli_unlock_option(int option, struct cli_passphrase_source *source);
bool cli_token_option(int option, struct cli_token_options *options);

/*
 * The passphrase, from a file or the terminal (echo off; asked twice when confirm). Never empty.
 * -SDE_NO_TTY, -SDE_MISMATCH, -SDE_CANCELLED, -SDE_USAGE (empty, too long), -errno.
 */
int cli_read_passphrase(const struct cli_passphrase_source *source, const char *prompt_subject,
	bool confirm, struct secret **ret_passphrase, struct diag *diag) MUST_CHECK;

/*
 * A passphrase that is about to be set: typed twice, in the form NFC, not easy to guess unless take_weak:
 * on a terminal another one is asked for, and -SDE_WEAK_PASSPHRASE is the last word; one from a file is
 * taken with a warning. A key file is taken as it is. label: the drive's, or NULL.
 */
int cli_read_new_passphrase(const struct cli_passphrase_source *source, const char *prompt_subject,
	const char *label, bool take_weak, struct secret **ret_passphrase, struct diag *diag) MUST_CHECK;

/* slot: the key slot that it is for; -1: any that the caller has in mind. */
typedef int (*cli_unlock_fn)(void *ctx, const struct secret *passphrase, int slot, struct diag *diag);
/* Calls unlock with the passphrase and, while it opens nothing, with the other forms in which it may
 * have been set: a recovery key's own, NFC, NFD. Not for key files. */
int cli_unlock_forms(const struct secret *passphrase, cli_unlock_fn unlock, void *ctx,
	struct diag *diag) MUST_CHECK;
/*
 * Gets at what opens target and calls unlock with it: shares, the token that is demanded, or what a file holds; with
 * neither, a token that is plugged in and that hdr names for slot (-1: any), then the passphrase, also in its
 * forms NFC and NFD where they are others. On a terminal a mistyped one may be typed again; a PIN never.
 */
int cli_unlock(const struct cli_passphrase_source *source, const char *target, const struct luks2 *hdr, int slot,
	cli_unlock_fn unlock, void *ctx, struct diag *diag) MUST_CHECK;

#endif
