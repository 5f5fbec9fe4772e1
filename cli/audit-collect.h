/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What an audit looks at: facts from drives, and from files of facts. */
#ifndef CLI_AUDIT_COLLECT_H
#define CLI_AUDIT_COLLECT_H

#include "audit/facts.h"
#include "base/cleanup.h"

struct facts_list {
	struct facts **facts;
	const char **origins; /* the target that each is of: a drive, or a file of facts */
	size_t count;
};

/*
 * Adds the facts of all targets, in their order. trust: files of facts must be signed by this certificate or CA; NULL:
 * need not. ret_failed is the target that an error is about; a drive that cannot be read is none.
 */
int facts_list_collect(struct facts_list *list, char **targets, int count, const char *trust, const char **ret_failed,
	struct diag *diag) MUST_CHECK;
void facts_list_clear(struct facts_list *list);
#define CLEANUP_FACTS_LIST CLEANUP(facts_list_clear)

#endif
