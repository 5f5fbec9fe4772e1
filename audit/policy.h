/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A policy: which checks apply to a drive, how severe each is, its thresholds, the clause that asks
 * for it and what to do about it. All of that is data (docs/POLICY.md describes the schema);
 * only what a check looks at is code (audit/catalogue.c).
 *
 * A policy may inherit from another one and change single members of single checks. In memory it is
 * always resolved: a check that a policy has, has every member.
 */
#ifndef AUDIT_POLICY_H
#define AUDIT_POLICY_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "audit/catalogue.h"
#include "base/cleanup.h"
#include "base/error.h"

enum { POLICY_SCHEMA = 1, POLICY_BYTES_MAX = 1024 * 1024, POLICY_DEPTH_MAX = 8 };

enum severity { SEVERITY_INFO, SEVERITY_LOW, SEVERITY_MEDIUM, SEVERITY_HIGH, SEVERITY_CRITICAL };
/* What a drive that breaks the rule gets. */
enum policy_mode { MODE_OFF, MODE_INFO, MODE_WARN, MODE_FAIL };

/* One text in the languages that the project speaks; never NULL. */
struct bilingual {
	const char *en, *vi;
};

struct rule {
	enum severity severity;
	enum policy_mode mode; /* MODE_OFF: the policy does not have the check */
	struct bilingual title, remedy, clause;
	const json_t *params; /* as the catalogue describes them */
};

struct policy {
	const char *id, *issuer, *inherits; /* "" when not given */
	struct bilingual title, note;
	uint64_t version;
	bool provisional;
	const char *not_before, *not_after; /* "YYYY-MM-DD" or "" */
	bool require_log;		     /* a log that cannot be written stops format, key and mount */
	struct rule rules[CHECK_COUNT];
	json_t *doc;	 /* resolved; all strings above lie in it */
	char sha256[65]; /* of the file, and of the files that it inherits from */
	char parent_sha256[65]; /* the same of the policy that it inherits from; "" none */
	bool pinned;		/* it names that hash itself */
};

/* How a policy that is inherited from is found; returns -ENOENT and so on. */
typedef int policy_open_fn(void *ctx, const char *id, char **ret_text, size_t *ret_len);

/*
 * Reads the text of a policy. -SDE_FILE_INVALID with "line L, column C: ..." in diag; what is wrong in an
 * inherited policy names that one. -ENOMEM, -SDE_CRYPTO.
 */
int policy_parse(const char *text, size_t len, policy_open_fn *open, void *ctx, struct policy **ret_policy,
	struct diag *diag) MUST_CHECK;
void policy_free(struct policy *policy);

/* Parameters of a rule, which the parser has checked. */
uint64_t rule_number(const struct rule *rule, const char *name);
bool rule_flag(const struct rule *rule, const char *name);
const json_t *rule_words(const struct rule *rule, const char *name);

const char *severity_name(enum severity severity);
const char *policy_mode_name(enum policy_mode mode);
/* The text in the language of the messages. */
const char *bilingual_text(struct bilingual text);
/* Whether today ("YYYY-MM-DD") lies in the policy's dates. */
bool policy_in_force(const struct policy *policy, const char *today);

static inline void cleanup_policy(struct policy **policy)
{
	policy_free(*policy);
}
#define CLEANUP_POLICY CLEANUP(cleanup_policy)

#endif
