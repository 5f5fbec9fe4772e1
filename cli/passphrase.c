/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where a passphrase comes from: the terminal, a line of a file, or a binary key file. Bytes go
 * from read() straight into a struct secret.
 */
#include <errno.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <wchar.h>

#include "base/bytes.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/both.h"
#include "cli/gate.h"
#include "cli/secretfile.h"
#include "cli/share.h"
#include "cli/terminal.h"
#include "cli/token.h"
#include "keymgr/luks2.h"
#include "keymgr/quality.h"
#include "keymgr/recovery.h"
#include "keymgr/unicode.h"

enum { PASSPHRASE_TRIES = 3 };

static int check_length(int r, size_t len, struct diag *diag)
{
	if (r == -E2BIG)
		return diag_set(diag, -SDE_USAGE, _("the passphrase is longer than %d bytes"),
			LUKS2_PASSPHRASE_MAX);
	if (r == 0 && len == 0)
		return diag_set(diag, -SDE_USAGE, _("the passphrase is empty"));
	return r;
}

static int ask_secret(int fd, const char *prompt, struct secret **ret_secret, struct diag *diag)
{
	CLEANUP_SECRET struct secret *secret = NULL;
	size_t len = 0;
	int r;

	r = secret_new(LUKS2_PASSPHRASE_MAX, &secret);
	if (r < 0)
		return r;
	/* a key that was pressed once too often is no reason to begin again */
	for (int try = 1; r == 0 && len == 0 && try <= PASSPHRASE_TRIES; try++)
		r = terminal_ask(fd, prompt, false, secret_data(secret), LUKS2_PASSPHRASE_MAX, &len);
	r = check_length(r, len, diag);
	if (r < 0)
		return r;
	secret_truncate(secret, len);
	*ret_secret = take_ptr(secret);
	return 0;
}

static int ask_on_terminal(const char *subject, bool confirm, struct secret **ret_passphrase,
	struct diag *diag)
{
	CLEANUP_SECRET struct secret *first = NULL;
	CLEANUP_SECRET struct secret *second = NULL;
	CLEANUP_FREE char *safe = NULL;
	CLEANUP_FREE char *prompt = NULL;
	CLEANUP_FD int fd = -1;
	int r;

	r = terminal_open(&fd);
	if (r < 0)
		return r;
	r = text_sanitize(subject, strlen(subject), &safe);
	if (r < 0)
		return r;
	if (asprintf(&prompt, confirm ? _("New passphrase for %s: ") : _("Passphrase for %s: "),
		    safe) < 0) {
		prompt = NULL;
		return -ENOMEM;
	}
	r = ask_secret(fd, prompt, &first, diag);
	if (r == 0 && confirm)
		r = ask_secret(fd, _("The same passphrase again: "), &second, diag);
	if (r < 0)
		return r;
	if (confirm && !secret_equal(first, second))
		return -SDE_MISMATCH;
	*ret_passphrase = take_ptr(first);
	return 0;
}

static int read_line(int fd, struct secret **ret_passphrase, struct diag *diag)
{
	CLEANUP_SECRET struct secret *secret = NULL;
	size_t len = 0;
	int r;

	r = secret_new(LUKS2_PASSPHRASE_MAX + 1, &secret);
	if (r < 0)
		return r;
	r = secretfile_read(fd, secret_data(secret), LUKS2_PASSPHRASE_MAX + 1, true, &len);
	r = check_length(r == 0 && len > LUKS2_PASSPHRASE_MAX ? -E2BIG : r, len, diag);
	if (r < 0)
		return r;
	secret_truncate(secret, len);
	*ret_passphrase = take_ptr(secret);
	return 0;
}

static int read_key(int fd, size_t expected, struct secret **ret_passphrase, struct diag *diag)
{
	CLEANUP_SECRET struct secret *secret = NULL;
	size_t cap = min_u64(expected, LUKS2_KEYFILE_MAX) + 1;
	size_t len = 0;
	int r;

	r = secret_new(cap, &secret);
	if (r < 0)
		return r;
	r = secretfile_read(fd, secret_data(secret), cap, false, &len);
	if (r < 0)
		return r;
	if (len == 0)
		return diag_set(diag, -SDE_USAGE, _("the key file is empty"));
	if (len > LUKS2_KEYFILE_MAX)
		return diag_set(diag, -SDE_USAGE, _("the key file is larger than 8 MiB"));
	if (len == cap)
		return diag_set(diag, -EAGAIN, _("the key file has grown while it was read"));
	secret_truncate(secret, len);
	*ret_passphrase = take_ptr(secret);
	return 0;
}

static int read_from_file(const struct cli_passphrase_source *source,
	struct secret **ret_passphrase, struct diag *diag)
{
	CLEANUP_FD int fd = -1;
	struct stat st;
	int r;

	r = secretfile_open(source->key_file ? source->key_file : source->passphrase_file, &fd, &st, diag);
	if (r < 0)
		return r;
	if (source->key_file)
		return read_key(fd, S_ISREG(st.st_mode) ? (size_t)st.st_size : LUKS2_KEYFILE_MAX,
			ret_passphrase, diag);
	if (isatty(fd))
		return ask_secret(fd, _("Passphrase: "), ret_passphrase, diag);
	return read_line(fd, ret_passphrase, diag);
}

int cli_read_passphrase(const struct cli_passphrase_source *source, const char *prompt_subject,
	bool confirm, struct secret **ret_passphrase, struct diag *diag)
{
	if (source->passphrase_file && source->key_file)
		return diag_set(diag, -SDE_USAGE,
			_("--passphrase-file and --key-file exclude each other"));
	if (source->passphrase_file || source->key_file)
		return read_from_file(source, ret_passphrase, diag);
	return ask_on_terminal(prompt_subject, confirm, ret_passphrase, diag);
}

bool cli_can_ask(void)
{
	CLEANUP_FD int fd = -1;

	/* with standard input from elsewhere it is a script that runs, and nobody expects a question */
	return isatty(STDIN_FILENO) && terminal_open(&fd) == 0;
}

/* Whether answer is one of the words of list, which are separated by '/'. */
static bool one_of(const char *answer, const char *list)
{
	wchar_t typed[32], word[32];
	size_t len;

	if (mbstowcs(typed, answer, ARRAY_SIZE(typed)) >= ARRAY_SIZE(typed))
		return false;
	for (; *list; list += len + (list[len] == '/')) {
		char copy[32] = "";

		len = strcspn(list, "/");
		if (len >= sizeof(copy))
			continue;
		memcpy(copy, list, len);
		if (mbstowcs(word, copy, ARRAY_SIZE(word)) < ARRAY_SIZE(word) &&
			wcscasecmp(typed, word) == 0)
			return true;
	}
	return false;
}

bool cli_confirm(const char *fmt, ...)
{
	CLEANUP_FREE char *question = NULL;
	CLEANUP_FREE char *safe = NULL;
	CLEANUP_FREE char *prompt = NULL;
	CLEANUP_FD int fd = -1;
	char answer[32] = "";
	size_t len = 0;
	va_list args;
	int n;

	va_start(args, fmt);
	n = vasprintf(&question, fmt, args);
	va_end(args);
	if (n < 0) {
		question = NULL;
		return false;
	}
	if (text_sanitize(question, n, &safe) < 0 || terminal_open(&fd) < 0)
		return false;
	if (asprintf(&prompt, _("%s Type 'yes' to go on: "), safe) < 0) {
		prompt = NULL;
		return false;
	}
	fflush(stdout);
	if (terminal_ask(fd, prompt, true, answer, sizeof(answer) - 1, &len) < 0)
		return false;
	answer[len] = '\0';
	/* Translators: the words that mean yes, separated by '/'; 'yes' is always taken, too. */
	return one_of(answer, "yes") || one_of(answer, _("yes/y"));
}

int cli_ask_line(const char *prompt, char **ret_line)
{
	char line[256];
	CLEANUP_FD int fd = -1;
	size_t len = 0;
	int r = terminal_open(&fd);

	fflush(stdout);
	if (r == 0)
		r = terminal_ask(fd, prompt, true, line, sizeof(line) - 1, &len);
	if (r < 0)
		return r;
	line[len] = '\0';
	*ret_line = strdup(line);
	return *ret_line ? 0 : -ENOMEM;
}

int cli_confirm_by_typing(const char *name, const char *fmt, ...)
{
	CLEANUP_FREE char *question = NULL, *safe = NULL, *safe_name = NULL, *prompt = NULL, *answer = NULL;
	va_list args;
	int n, r;

	if (!cli_can_ask())
		return -SDE_CONFIRM;
	va_start(args, fmt);
	n = vasprintf(&question, fmt, args);
	va_end(args);
	if (n < 0) {
		question = NULL;
		return -ENOMEM;
	}
	r = text_sanitize(question, n, &safe);
	if (r == 0)
		r = text_sanitize(name, strlen(name), &safe_name);
	if (r < 0)
		return r;
	if (asprintf(&prompt, _("%s Type '%s' to go on: "), safe, safe_name) < 0) {
		prompt = NULL;
		return -ENOMEM;
	}
	r = cli_ask_line(prompt, &answer);
	if (r < 0)
		return r == -E2BIG ? -SDE_CANCELLED : r;
	/* what cannot be shown cannot be typed either: then what was shown is taken */
	return strcmp(answer, safe_name) == 0 ? 0 : -SDE_CANCELLED;
}

/* ---- one that is set ---- */

static int judge(const struct secret *passphrase, const char *label, struct diag *diag)
{
	const struct passwd *user = getpwuid(getuid());
	const char *names[3] = {label && label[0] ? label : NULL};

	names[names[0] != NULL] = user ? user->pw_name : NULL;
	return quality_judge(passphrase, names, diag);
}

/* The form that is stored; what is no text stays as it is. */
static int normalise(struct secret **passphrase, struct diag *diag)
{
	struct secret *form = NULL;
	int r = unicode_form(*passphrase, UNICODE_NFC, &form);

	if (r < 0)
		return r == -EILSEQ ? 0 : r;
	secret_free(*passphrase);
	*passphrase = form;
	return check_length(secret_len(form) > LUKS2_PASSPHRASE_MAX ? -E2BIG : 0, secret_len(form), diag);
}

int cli_read_new_passphrase(const struct cli_passphrase_source *source, const char *prompt_subject,
	const char *label, bool take_weak, struct secret **ret_passphrase, struct diag *diag)
{
	bool asked = !source->passphrase_file && !source->key_file;

	for (int try = 1;; try++) {
		CLEANUP_SECRET struct secret *passphrase = NULL;
		struct diag try_diag = {0};
		int r = cli_read_passphrase(source, prompt_subject, true, &passphrase, &try_diag);

		if (r == 0 && !source->key_file)
			r = normalise(&passphrase, &try_diag);
		if (r == 0 && !source->key_file)
			r = gate_passphrase(passphrase, &try_diag);
		if (r == 0 && !source->key_file && !take_weak)
			r = judge(passphrase, label, &try_diag);
		/* in a file it is somebody's decision, and nobody is there to think of another one; a policy
		 * can forbid it */
		if (r == -SDE_WEAK_PASSPHRASE && !asked) {
			cli_warn(prompt_subject, "%s: %s", error_text(r), try_diag.detail);
			try_diag = (struct diag){0};
			r = 0;
		}
		if (r == 0) {
			*ret_passphrase = take_ptr(passphrase);
			return 0;
		}
		if (r != -SDE_WEAK_PASSPHRASE || !asked || try == PASSPHRASE_TRIES) {
			*diag = try_diag;
			return r;
		}
		cli_fail(prompt_subject, r, &try_diag);
	}
}

/* ---- one that opens ---- */

/* Input methods differ in how they type letters with marks: what was set here is NFC, but other
 * programs store what was typed. A recovery key is the same in capitals and without its dashes. */
int cli_unlock_forms(
	const struct secret *passphrase, cli_unlock_fn unlock, void *ctx, struct diag *diag)
{
	CLEANUP_SECRET struct secret *recovery = NULL, *nfc = NULL, *nfd = NULL;
	struct diag first_diag = {0};
	int err = -SDE_PASSPHRASE;

	if (recovery_normalise(passphrase, &recovery) == 0 && !secret_equal(recovery, passphrase))
		err = unlock(ctx, recovery, -1, &first_diag);
	if (err == -SDE_PASSPHRASE)
		err = unlock(ctx, passphrase, -1, &first_diag);
	if (err == -SDE_PASSPHRASE && unicode_form(passphrase, UNICODE_NFC, &nfc) == 0 &&
		!secret_equal(nfc, passphrase))
		err = unlock(ctx, nfc, -1, diag);
	if (err == -SDE_PASSPHRASE && unicode_form(passphrase, UNICODE_NFD, &nfd) == 0 &&
		!secret_equal(nfd, passphrase))
		err = unlock(ctx, nfd, -1, diag);
	if (err < 0 && first_diag.detail[0])
		*diag = first_diag;
	return err;
}

static int unlock_by_shares(const struct cli_passphrase_source *source, const struct luks2 *hdr, int slot,
	cli_unlock_fn unlock, void *ctx, struct diag *diag)
{
	CLEANUP_SECRET struct secret *passphrase = NULL;
	int found = -1, r = cli_share_passphrase(source, hdr, slot, &passphrase, &found, diag);

	if (r == 0)
		r = unlock(ctx, passphrase, found, diag);
	return r == -SDE_PASSPHRASE ? diag_set(diag, -SDE_SHARE, _("what they make together opens nothing here")) : r;
}

/* One that opens alone is less trouble than two together. */
static int unlock_by_token(const struct cli_passphrase_source *source, const char *target, const struct luks2 *hdr,
	int slot, cli_unlock_fn unlock, void *ctx, struct diag *diag)
{
	CLEANUP_SECRET struct secret *passphrase = NULL;
	struct diag alone = {0};
	int found, r = cli_token_passphrase(&source->token, hdr, slot, &passphrase, &found, &alone);

	if (r == -SDE_NO_TOKEN && cli_both_enrolled(hdr, slot))
		return cli_both_unlock(source, target, hdr, slot, unlock, ctx, diag);
	if (alone.detail[0])
		*diag = alone;
	if (r == 0)
		r = unlock(ctx, passphrase, found, diag);
	return r == -SDE_PASSPHRASE ? diag_set(diag, -SDE_TOKEN, _("what it gives does not open the key slot")) : r;
}

/* Offered first, but no obstacle. */
static bool unlock_by_present_token(const struct cli_passphrase_source *source, const char *target,
	const struct luks2 *hdr, int slot, cli_unlock_fn unlock, void *ctx)
{
	struct diag diag = {0};
	int r;

	if (!hdr || source->token.never || (!cli_token_enrolled(hdr, slot) && !cli_both_enrolled(hdr, slot)) || (!cli_can_ask() && !source->token.pin_file))
		return false;
	r = unlock_by_token(source, target, hdr, slot, unlock, ctx, &diag);
	if (r < 0 && r != -SDE_NO_TOKEN && r != -SDE_CANCELLED)
		cli_fail(target, r, &diag);
	return r == 0;
}

static int unlock_by_passphrase(const struct cli_passphrase_source *source, const char *target,
	cli_unlock_fn unlock, void *ctx, struct diag *diag)
{
	CLEANUP_SECRET struct secret *passphrase = NULL;
	const char *file = source->key_file ? source->key_file : source->passphrase_file;
	int err = cli_read_passphrase(source, target, false, &passphrase, diag);

	if (err == 0)
		err = source->key_file ? unlock(ctx, passphrase, -1, diag)
				       : cli_unlock_forms(passphrase, unlock, ctx, diag);
	return err == -SDE_PASSPHRASE && file && strcmp(file, "-") != 0
		       ? diag_set(diag, err, _("it was read from '%s'"), file)
		       : err;
}

int cli_unlock(const struct cli_passphrase_source *source, const char *target, const struct luks2 *hdr, int slot,
	cli_unlock_fn unlock, void *ctx, struct diag *diag)
{
	bool asked = !source->passphrase_file && !source->key_file;
	int err;

	if (source->token.wanted && source->token.never)
		return diag_set(diag, -SDE_USAGE, _("--token and --no-token exclude each other"));
	if (source->shares.count > 0 && (source->token.wanted || !asked))
		return diag_set(diag, -SDE_USAGE, _("--share excludes --token, --passphrase-file and --key-file"));
	if (source->shares.count > 0)
		return unlock_by_shares(source, hdr, slot, unlock, ctx, diag);
	if (source->token.wanted)
		return hdr ? unlock_by_token(source, target, hdr, slot, unlock, ctx, diag) : -SDE_NO_TOKEN;
	if (asked && unlock_by_present_token(source, target, hdr, slot, unlock, ctx))
		return 0;
	for (int try = 1;; try++) {
		struct diag try_diag = {0};

		err = unlock_by_passphrase(source, target, unlock, ctx, &try_diag);
		if (err == 0 || err != -SDE_PASSPHRASE || !asked || try == PASSPHRASE_TRIES) {
			*diag = try_diag;
			return err;
		}
		cli_fail(target, err, &try_diag);
	}
}
