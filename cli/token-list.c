/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What --token list shows: the tokens that are plugged in, without any PIN. In a process of its own. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cli/aside.h"
#include "cli/patience.h"
#include "cli/token.h"
#include "token/fido2.h"
#include "token/pkcs11.h"

struct list {
	const struct cli_token_options *options;
	char *text; /* lines */
	size_t room, len;
};

static void add(struct list *list, const char *fmt, ...) PRINTF(2, 3);
static void add(struct list *list, const char *fmt, ...)
{
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(list->text + list->len, list->room - list->len, fmt, args);
	va_end(args);
	/* a line that does not fit is left out */
	if (n >= 0 && (size_t)n < list->room - list->len)
		list->len += (size_t)n;
}

static int add_cards(struct list *list, struct diag *diag)
{
	CLEANUP_FREE struct pkcs11_token *tokens = calloc(PKCS11_TOKENS_MAX, sizeof(*tokens));
	CLEANUP_PKCS11_MODULES struct pkcs11_modules *modules = NULL;
	int r = tokens ? pkcs11_load(list->options->module, &modules, diag) : -ENOMEM;
	size_t count = r < 0 ? 0 : pkcs11_find_tokens(modules, NULL, tokens);

	for (size_t i = 0; i < count; i++) {
		CLEANUP_FREE char *uri = NULL;

		if (pkcs11_uri_for_key(&tokens[i].info, NULL, NULL, &uri) == 0)
			add(list, "%s\t%s\n", uri, tokens[i].name);
	}
	return r;
}

static void add_keys(struct list *list)
{
	struct fido2_device devices[FIDO2_DEVICES_MAX] = {0};
	size_t count = fido2_devices_open(devices);

	for (size_t i = 0; i < count; i++)
		add(list, "fido2\t%s\n", devices[i].name);
	fido2_devices_close(devices, count);
}

static int list_in_helper(void *ctx, struct secret **ret_secret, void *data, size_t room, size_t *ret_len,
	struct diag *diag)
{
	struct list *list = ctx;
	int r;

	(void)ret_secret;
	patience_begin(false);
	list->text = data;
	list->room = room;
	/* without a module there may be security keys; one that was named has to be there */
	r = add_cards(list, diag);
	if (r < 0 && list->options->module)
		return r;
	add_keys(list);
	*ret_len = list->len;
	return 0;
}

static void print_line(char *line)
{
	char *name = strchr(line, '\t');
	CLEANUP_FREE char *safe_uri = NULL, *safe_name = NULL;

	if (!name)
		return;
	*name++ = '\0';
	if (text_sanitize(line, strlen(line), &safe_uri) == 0 && text_sanitize(name, strlen(name), &safe_name) == 0)
		printf("%s\n    %s\n", safe_name, safe_uri);
}

int cli_token_list(const struct cli_token_options *options)
{
	CLEANUP_FREE char *text = calloc(1, HELPER_DATA_MAX + 1);
	CLEANUP_SECRET struct secret *none = NULL;
	struct list list = {.options = options};
	struct diag diag = {0};
	size_t len = 0;
	int r = text ? aside_run(list_in_helper, &list, &none, text, HELPER_DATA_MAX, &len, &diag) : -ENOMEM;

	if (r < 0)
		return cli_fail(NULL, r, &diag);
	if (len == 0)
		return cli_fail(NULL, -SDE_NO_TOKEN, NULL);
	for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1) {
		*end = '\0';
		print_line(line);
	}
	return EXIT_DONE;
}
