/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The vocabulary of the rules for a LUKS2 document: fields, references, intervals. Private to
 * luks2-validate*.c. All checks return 0, -SDE_HEADER_INVALID (with diag) or -ENOMEM.
 */
#ifndef KEYMGR_LUKS2_RULES_H
#define KEYMGR_LUKS2_RULES_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

enum { SECTOR_BYTES = 512 };

enum field_type {
	FIELD_STRING, /* not empty */
	FIELD_NUMBER, /* string-uint64 */
	FIELD_INT,
	FIELD_U32,
	FIELD_ARRAY,
	FIELD_STRINGS, /* array of strings */
	FIELD_OBJECT,
	FIELD_OPTIONAL = 1 << 8, /* may be missing; or'ed to one of the others */
};

struct field {
	const char *name;
	unsigned type;
};

/* What is being checked, for messages: "keyslots" and "3", or "config" and NULL. */
struct place {
	const char *section, *id;
	struct diag *diag;
};

/* Returns -SDE_HEADER_INVALID, for the caller to return. field may be NULL. */
int rule_broken(const struct place *place, const char *field, const char *why);

int check_fields(const json_t *object, const struct field *fields, size_t count,
	const struct place *place) MUST_CHECK;
#define CHECK_FIELDS(object, place, ...)                                                           \
	check_fields(object, (const struct field[]){__VA_ARGS__},                                  \
		sizeof((const struct field[]){__VA_ARGS__}) / sizeof(struct field), place)

/* For fields that were checked; "" and 0 stand for what is not there or no number. */
const char *get_string(const json_t *object, const char *name);
uint64_t get_number(const json_t *object, const char *name);

/* object.field is an array of names of objects in section. */
int check_references(const json_t *object, const char *field, const json_t *section,
	const struct place *place) MUST_CHECK;

typedef int section_check(const json_t *doc, const json_t *object, const struct place *place);

/* Runs check on every object of a section; their names are numbers. */
int check_section(
	const json_t *doc, const char *section, section_check *check, struct diag *diag) MUST_CHECK;

struct interval {
	uint64_t start, end;
};

/* Sorts them. */
bool intervals_overlap(struct interval *intervals, size_t count);

/* The rules for keyslots as such, once tokens, digests, segments and config have passed. */
int luks2_validate_keyslots(const json_t *doc, uint64_t hdr_bytes, struct diag *diag) MUST_CHECK;

#endif
