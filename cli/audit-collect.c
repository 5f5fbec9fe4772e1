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
#include "cli/sign.h"

static int list_add(struct facts_list *list, struct facts *const *facts, size_t count)
{
	struct facts **more = reallocarray(list->facts, list->count + count + 1, sizeof(*more));

	if (!more)
		return -ENOMEM;
	memcpy(more + list->count, facts, count * sizeof(*facts));
	list->facts = more;
	list->count += count;
	return 0;
}

void facts_list_clear(struct facts_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		facts_free(list->facts[i]);
	free(list->facts);
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

static int read_facts_file(const char *trust, const char *path, struct facts_list *list, struct diag *diag)
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
	r = list_add(list, facts, count);
	while (r < 0 && count)
		facts_free(facts[--count]);
	free(facts);
	return r;
}

/* Drives that stand next to each other on the command line are read at once. */
int facts_list_collect(struct facts_list *list, char **targets, int count, const char *trust, const char **ret_failed,
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
			r = list_add(list, facts, (size_t)n);
		for (int j = 0; facts && r < 0 && j < n; j++)
			facts_free(facts[j]);
	}
	return r;
}
