/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What one check says about one drive. */
#ifndef AUDIT_FINDING_H
#define AUDIT_FINDING_H

#include <jansson.h>

#include "audit/facts.h"
#include "audit/policy.h"

/* What a check saw, from best to worst: the worst of several things it saw counts. */
enum verdict {
	VERDICT_NOT_APPLICABLE,
	VERDICT_GOOD,
	VERDICT_UNKNOWN,
	VERDICT_ADVICE, /* allowed, with a warning */
	VERDICT_BAD,
};

/* What becomes of it under a policy. */
enum finding_state {
	STATE_NOT_APPLICABLE,
	STATE_PASS,
	STATE_WAIVED,
	STATE_UNKNOWN,
	STATE_WARN,
	STATE_FAIL,
};

struct waiver;

struct finding {
	enum verdict verdict;
	enum finding_state state;
	enum severity severity;
	char *observed, *threshold; /* sanitized, in the language of the messages; "" */
	char **evidence;	    /* NULL-terminated: JSON pointers */
	const struct waiver *waiver; /* STATE_WAIVED */
	bool no_memory;
};

/* What a check may look at. hdr and doc are there: without a header no check but the first two runs. */
struct check_input {
	const struct facts *facts;
	const struct luks2 *hdr;
	const json_t *doc;
	const struct rule *rule;
	const json_t *record; /* of the inventory; NULL: none */
	bool inventory;	      /* there is a inventory */
};

/* Adds something seen, with its verdict and, where it stands in the header, the pointer to it. */
void finding_saw(struct finding *finding, enum verdict verdict, const char *pointer, const char *fmt, ...)
	PRINTF(4, 5);
/* Sets the threshold, once. */
void finding_want(struct finding *finding, const char *fmt, ...) PRINTF(2, 3);
/* "/keyslots/3/kdf": the tail may be "". */
const char *finding_at(char buf[64], const char *section, int id, const char *tail);
void finding_clear(struct finding *finding);

/* pass, fail, warn, unknown, not-applicable, waived */
const char *finding_state_name(enum finding_state state);

/* Whether one of the words is name itself, or name's beginning where the word ends in '*'. */
bool words_match(const json_t *words, const char *name);
/* "a, b, c"; the caller frees. NULL: no memory. */
char *words_text(const json_t *words);

#endif
