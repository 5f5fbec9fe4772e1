/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the program says on stderr: one form for all. Names come from the command line or a drive
 * and are made safe for the terminal first.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>

#include "base/text.h"
#include "cli/cli.h"

static void put_subject(const char *subject)
{
	CLEANUP_FREE char *safe = NULL;

	if (subject && text_sanitize(subject, strlen(subject), &safe) == 0)
		fprintf(stderr, "%s: ", safe);
}

static int last_error;

int cli_last_error(void)
{
	return last_error;
}

/* A detail may be a whole sentence, or end with a remedy that is one. */
static bool ends_with_stop(const char *text)
{
	size_t len = strlen(text);

	return len && text[len - 1] == '.';
}

/* What the remedies of system errors say is about drives; with a file, that would lead astray. */
static const char *file_remedy(int err)
{
	switch (-err) {
	case ENOENT:
	case ENOTDIR:
		return _("Check the name of the file and of its folder.");
	case EISDIR:
		return _("A folder will not do: give a file.");
	case EACCES:
	case EPERM:
	case EROFS:
		return _("Ask whoever the file or its folder belongs to, or choose another place.");
	case EIO:
	case ENXIO:
		return _("It cannot be read or written as it should. Try again, or choose another place.");
	default:
		return error_remedy(err);
	}
}

static int say_failed(const char *subject, int err, const struct diag *diag, const char *remedy)
{
	CLEANUP_FREE char *detail = NULL;

	last_error = err;
	fflush(stdout);
	fputs("sealdrive: ", stderr);
	put_subject(subject);
	fputs(error_text(err), stderr);
	if (diag && diag->detail[0] &&
		text_sanitize(diag->detail, strlen(diag->detail), &detail) == 0)
		fprintf(stderr, ": %s", detail);
	fputs(ends_with_stop(detail ? detail : error_text(err)) ? "\n" : ".\n", stderr);
	if (remedy)
		fprintf(stderr, "  %s\n", remedy);
	return error_exit_status(err);
}

/* Whether it ended with a full stop. */
static bool put_formatted(const char *fmt, va_list args)
{
	CLEANUP_FREE char *text = NULL;
	CLEANUP_FREE char *safe = NULL;

	if (vasprintf(&text, fmt, args) < 0) {
		text = NULL;
		return false;
	}
	if (text_sanitize(text, strlen(text), &safe) == 0)
		fputs(safe, stderr);
	return ends_with_stop(text);
}

int cli_fail(const char *subject, int err, const struct diag *diag)
{
	return say_failed(subject, err, diag, error_remedy(err));
}

int cli_fail_file(const char *subject, int err, const struct diag *diag)
{
	int status = say_failed(subject, err, diag, file_remedy(err));

	/* 7 is for drives that are gone or broken */
	return status == EXIT_IO ? EXIT_FAILED : status;
}

int cli_usage(const struct command *command, const char *fmt, ...)
{
	va_list args;

	fflush(stdout);
	fputs("sealdrive: ", stderr);
	if (command)
		fprintf(stderr, "%s: ", command->name);
	va_start(args, fmt);
	put_formatted(fmt, args);
	va_end(args);
	if (command)
		fprintf(stderr, _(".\n  'sealdrive %s --help' shows how it is used.\n"),
			command->name);
	else
		fputs(_(".\n  'sealdrive --help' shows the commands.\n"), stderr);
	return EXIT_USAGE;
}

void cli_warn(const char *subject, const char *fmt, ...)
{
	va_list args;

	fflush(stdout);
	fputs(_("sealdrive: warning: "), stderr);
	put_subject(subject);
	va_start(args, fmt);
	bool stopped = put_formatted(fmt, args);

	va_end(args);
	fputs(stopped ? "\n" : ".\n", stderr);
}

static bool said_done;

void cli_say_done(const char *fmt, ...)
{
	va_list args;

	said_done = true;
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
}

bool cli_has_said_done(void)
{
	return said_done;
}

int cli_help(const struct command *command)
{
	/* gettext("") would be the catalogue's own header */
	printf(_("Usage: sealdrive %s [OPTION]...%s%s\n"), command->name,
		command->operands[0] ? " " : "", command->operands[0] ? _(command->operands) : "");
	printf("%s\n\n%s", _(command->summary), _(command->options));
	return EXIT_DONE;
}

int cli_display_width(const char *text)
{
	size_t len = mbstowcs(NULL, text, 0);
	CLEANUP_FREE wchar_t *wide = NULL;
	int width;

	if (len != (size_t)-1)
		wide = calloc(len + 1, sizeof(*wide));
	if (!wide)
		return strlen(text);
	mbstowcs(wide, text, len + 1);
	width = wcswidth(wide, len);
	return width < 0 ? (int)len : width;
}

void cli_put_padded(const char *text, int width)
{
	int shown = cli_display_width(text);

	printf("%s%*s", text, shown < width ? width - shown : 0, "");
}

void cli_put_safe(const char *text)
{
	CLEANUP_FREE char *safe = NULL;

	if (text_sanitize(text, strlen(text), &safe) == 0)
		fputs(safe, stdout);
}

void cli_put_path(const char *path)
{
	CLEANUP_FREE char *safe = NULL;

	if (text_sanitize(path, strlen(path), &safe) < 0)
		return;
	if (safe[strcspn(safe, " \t\"'\\$&;|<>()*?[]#~`!{}")] == '\0') {
		fputs(safe, stdout);
		return;
	}
	putchar('\'');
	for (const char *p = safe; *p; p++) {
		if (*p == '\'')
			fputs("'\\''", stdout);
		else
			putchar(*p);
	}
	putchar('\'');
}
