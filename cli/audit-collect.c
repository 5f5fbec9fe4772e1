/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/audit-collect.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/audit.h"
#include "audit/facts-file.h"
#include "audit/strict.h"
#include "base/i18n.h"
#include "cli/cli.h"
#include "cli/sign.h"

static int list_make_room(struct facts_list *list, size_t count)
{
	struct facts **facts = reallocarray(list->facts, list->count + count + 1, sizeof(*facts));
	const char **origins;

	if (!facts)
		return -ENOMEM;
	list->facts = facts;
	origins = reallocarray(list->origins, list->count + count + 1, sizeof(*origins));
	if (!origins)
		return -ENOMEM;
	list->origins = origins;
	return 0;
}

/* step 1: each is of the target of the same place; 0: all are of one. */
static int list_add(struct facts_list *list, struct facts *const *facts, size_t count, char *const *targets, size_t step)
{
	int r = list_make_room(list, count);

	for (size_t i = 0; r == 0 && i < count; i++) {
		list->facts[list->count] = facts[i];
		list->origins[list->count++] = targets[i * step];
	}
	return r;
}

void facts_list_clear(struct facts_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		facts_free(list->facts[i]);
	free(list->facts);
	free(list->origins);
}

static bool is_facts_file(const char *path)
{
	/* a fifo in the folder is no reason to wait for ever */
	CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	char first[32];
	struct stat st;
	ssize_t len = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? pread(fd, first, sizeof(first), 0) : 0;

	return len > 0 && facts_file_claims(first, (size_t)len);
}

static int read_facts_file(const char *trust, char *path, struct facts_list *list, struct diag *diag)
{
	struct cms_signer signer;
	CLEANUP_FREE char *text = NULL;
	struct facts **facts;
	size_t len, count;
	int r = trust ? verify_file(path, NULL, trust, &signer, &text, &len, diag)
			    : strict_read_file(path, STRICT_BYTES_MAX, &text, &len);

	if (r == 0)
		r = facts_file_parse(text, len, &facts, &count, diag);
	if (r < 0)
		return r;
	r = list_add(list, facts, count, &path, 0);
	while (r < 0 && count)
		facts_free(facts[--count]);
	free(facts);
	return r;
}

/* ---- a target that was given twice, under one name or two, is one ---- */

struct identity {
	bool block;
	dev_t dev; /* the drive itself, or where the file is */
	ino_t ino;
	int at; /* place on the command line; -1: not known */
};

static int compare(const void *pa, const void *pb)
{
	const struct identity *a = pa, *b = pb;

	if (a->block != b->block)
		return a->block ? -1 : 1;
	if (a->dev != b->dev)
		return a->dev < b->dev ? -1 : 1;
	if (a->ino != b->ino)
		return a->ino < b->ino ? -1 : 1;
	return a->at - b->at;
}

static struct identity identify(const char *target, int at)
{
	struct stat st;

	if (stat(target, &st) < 0)
		return (struct identity){.at = -1};
	if (S_ISBLK(st.st_mode))
		return (struct identity){.block = true, .dev = st.st_rdev, .at = at};
	return (struct identity){.dev = st.st_dev, .ino = st.st_ino, .at = at};
}

/* Whether it was given before; two are compared by what they are. */
static int find_repeated(char **targets, int count, bool *ret_repeated)
{
	CLEANUP_FREE struct identity *all = calloc((size_t)count, sizeof(*all));

	if (!all)
		return -ENOMEM;
	for (int i = 0; i < count; i++)
		all[i] = identify(targets[i], i);
	qsort(all, (size_t)count, sizeof(*all), compare);
	for (int i = 1, first = 0; i < count; i++) {
		struct identity *a = &all[first], *b = &all[i];

		if (a->at < 0 || b->at < 0 || a->block != b->block || a->dev != b->dev || a->ino != b->ino) {
			first = i;
			continue;
		}
		ret_repeated[b->at] = true;
		cli_warn(targets[b->at], _("this is %s once more, which is audited once"), targets[a->at]);
	}
	return 0;
}

/* Drives that stand next to each other on the command line are read at once. */
static int collect_all(struct facts_list *list, char **targets, int count, const char *trust, const char **ret_failed,
	struct diag *diag)
{
	int r = 0;

	for (int i = 0, n; i < count && r == 0; i += n) {
		CLEANUP_FREE struct facts **facts = NULL;

		n = 1;
		*ret_failed = targets[i];
		if (is_facts_file(targets[i])) {
			r = read_facts_file(trust, targets[i], list, diag);
			continue;
		}
		while (i + n < count && !is_facts_file(targets[i + n]))
			n++;
		facts = calloc((size_t)n, sizeof(*facts));
		r = facts ? audit_collect(&targets[i], (size_t)n, facts) : -ENOMEM;
		if (r == 0)
			r = list_add(list, facts, (size_t)n, &targets[i], 1);
		for (int j = 0; facts && r < 0 && j < n; j++)
			facts_free(facts[j]);
	}
	return r;
}

int facts_list_collect(struct facts_list *list, char **targets, int count, const char *trust, const char **ret_failed,
	struct diag *diag)
{
	CLEANUP_FREE bool *repeated = calloc((size_t)count, sizeof(*repeated));
	CLEANUP_FREE char **once = calloc((size_t)count, sizeof(*once));
	int r = repeated && once ? find_repeated(targets, count, repeated) : -ENOMEM, n = 0;

	for (int i = 0; r == 0 && i < count; i++)
		if (!repeated[i])
			once[n++] = targets[i];
	return r == 0 ? collect_all(list, once, n, trust, ret_failed, diag) : r;
}
