/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "keymgr/quality.h"

#include <ctype.h>
#include <errno.h>
#include <pwquality.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/i18n.h"
#include "keymgr/unicode.h"

enum { DISTINCT_MIN = 5 };

/* What is typed first by whoever guesses, and what the dictionaries of libpwquality do not have: what
 * people here choose. Lower case, without what is put before and behind them. */
static const char *const common[] = {"password", "passwd", "passphrase", "qwerty", "qwertyuiop", "asdfghjkl",
	"asdf", "zxcvbnm", "iloveyou", "letmein", "welcome", "admin", "administrator", "root", "test",
	"secret", "changeme", "abc", "abcd", "abcdef", "abcdefgh", "matkhau", "mat khau", "mật khẩu",
	"mậtkhẩu", "bimat", "bi mat", "bí mật", "anhyeuem", "emyeuanh", "anh yeu em", "yeuem", "khongbiet",
	"khong biet", "khongco", "vietnam", "viet nam", "việt nam", "hanoi", "saigon", "vanphong",
	"coquan", "congan", "taptin", "dulieu", "thayquen", "motconvit", "chungta", "sealdrive", "ubnd"};

/* The part between what is neither letter nor (as in UTF-8) above ASCII. */
static size_t core_of(const char *text, size_t len, const char **ret_start)
{
	size_t start = 0;

	while (start < len && (unsigned char)text[start] < 0x80 && !isalpha((unsigned char)text[start]))
		start++;
	while (len > start && (unsigned char)text[len - 1] < 0x80 && !isalpha((unsigned char)text[len - 1]))
		len--;
	*ret_start = text + start;
	return len - start;
}

static bool is_word(const char *core, size_t len, const char *word)
{
	return strlen(word) == len && strncasecmp(core, word, len) == 0;
}

static size_t distinct_bytes(const uint8_t *text, size_t len)
{
	bool seen[256] = {false};
	size_t count = 0;

	for (size_t i = 0; i < len; i++) {
		count += !seen[text[i]];
		seen[text[i]] = true;
	}
	bytes_wipe(seen, sizeof(seen));
	return count;
}

static int weak(struct diag *diag, const char *why)
{
	return diag_set(diag, -SDE_WEAK_PASSPHRASE, "%s", why);
}

static int judge_ourselves(const char *text, size_t len, const char *const *names, struct diag *diag)
{
	const char *core;
	size_t core_len = core_of(text, len, &core);

	if (distinct_bytes((const uint8_t *)text, len) < DISTINCT_MIN)
		return weak(diag, _("it repeats a few characters"));
	for (size_t i = 0; i < ARRAY_SIZE(common); i++)
		if (is_word(core, core_len, common[i]))
			return weak(diag, _("it is one of those that are tried first"));
	for (; *names; names++) {
		const char *name;
		size_t name_len = core_of(*names, strlen(*names), &name);

		if (name_len > 0 && core_len == name_len && strncasecmp(core, name, name_len) == 0)
			return weak(diag, _("it is the name of the drive or of its user"));
	}
	return 0;
}

/* libpwquality with the dictionaries of cracklib; where there are none, they are left out. */
static int judge_by_library(const char *text, struct diag *diag)
{
	pwquality_settings_t *settings = pwquality_default_settings();
	char buf[PWQ_MAX_ERROR_MESSAGE_LEN];
	void *detail = NULL;

	if (!settings)
		return -ENOMEM;
	pwquality_set_int_value(settings, PWQ_SETTING_MIN_LENGTH, QUALITY_CHARS_MIN);
	int r = pwquality_check(settings, text, NULL, NULL, &detail);

	if (r == PWQ_ERROR_CRACKLIB_CHECK && access("/var/cache/cracklib/cracklib_dict.pwd", R_OK) < 0) {
		free(detail);
		detail = NULL;
		pwquality_set_int_value(settings, PWQ_SETTING_DICT_CHECK, 0);
		r = pwquality_check(settings, text, NULL, NULL, &detail);
	}
	pwquality_free_settings(settings);
	if (r == PWQ_ERROR_MEM_ALLOC || r == PWQ_ERROR_FATAL_FAILURE)
		return -ENOMEM;
	/* frees detail */
	return r >= 0 ? 0 : weak(diag, pwquality_strerror(buf, sizeof(buf), r, detail));
}

int quality_judge(const struct secret *passphrase, const char *const *names, struct diag *diag)
{
	CLEANUP_SECRET struct secret *copy = NULL;
	size_t len = secret_len(passphrase);
	int r;

	if (unicode_length(passphrase) < QUALITY_CHARS_MIN)
		return diag_set(diag, -SDE_WEAK_PASSPHRASE, _("it has fewer than %d characters"),
			QUALITY_CHARS_MIN);
	r = secret_new(len + 1, &copy);
	if (r < 0)
		return r;
	memcpy(secret_data(copy), secret_data_const(passphrase), len);
	r = judge_ourselves(secret_data_const(copy), len, names, diag);
	/* a zero inside would hide the rest from the library */
	if (r == 0 && !memchr(secret_data_const(passphrase), '\0', len))
		r = judge_by_library(secret_data_const(copy), diag);
	return r;
}
