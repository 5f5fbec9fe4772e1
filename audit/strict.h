/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Strict JSON for files that people and machines exchange (policies, facts, waivers): RFC 8259 and
 * nothing more, no duplicate members, no unknown ones, the right types, and every refusal with line
 * and column.
 */
#ifndef AUDIT_STRICT_H
#define AUDIT_STRICT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"

enum { STRICT_BYTES_MAX = 64 * 1024 * 1024, STRICT_POINTER_MAX = 256 };

/* A parsed text. text stays the caller's and must outlive this. */
struct strict {
	const char *text;
	size_t len;
	json_t *doc;
	struct diag *diag;
};

enum strict_type {
	STRICT_STRING,
	STRICT_INTEGER, /* not negative */
	STRICT_BOOL,
	STRICT_OBJECT,
	STRICT_ARRAY,
	STRICT_STRINGS,	 /* array of strings */
	STRICT_TEXT,	 /* a string, or an object whose members the caller looks at */
	STRICT_OPTIONAL = 1 << 8,
};

struct strict_field {
	const char *name;
	unsigned type;
};

/* -SDE_FILE_INVALID with diag; -ENOMEM. diag may be NULL; it is used by all calls below. */
int strict_parse(const char *text, size_t len, struct diag *diag, struct strict *ret_strict) MUST_CHECK;
void strict_clear(struct strict *strict);
#define CLEANUP_STRICT CLEANUP(strict_clear)

/*
 * Where the value at pointer (RFC 6901) begins, or, for one that is missing, the object around it.
 * Lines and columns count from 1; columns count characters.
 */
void strict_where(const struct strict *strict, const char *pointer, int *ret_line, int *ret_column);
/* Sets diag to "line L, column C: ..." and returns -SDE_FILE_INVALID. */
int strict_fail(const struct strict *strict, const char *pointer, const char *fmt, ...) PRINTF(3, 4) MUST_CHECK;

/* object, which lies at pointer, has these members, of these types, and no others. */
int strict_fields(const struct strict *strict, const json_t *object, const char *pointer,
	const struct strict_field *fields, size_t count) MUST_CHECK;
/* The value at pointer is of this type. */
int strict_type(const struct strict *strict, const json_t *value, const char *pointer, unsigned type) MUST_CHECK;

/* Every text in it can be shown to people as it is: no control characters, no line breaks, nothing that turns the
 * direction of writing. */
int strict_printable(const struct strict *strict) MUST_CHECK;

/* "parent/name" with name escaped; cut when it is too long, which only makes a message vaguer. */
const char *strict_pointer(char buf[STRICT_POINTER_MAX], const char *parent, const char *name);

/* The whole of a file, with a final zero; -EFBIG over max bytes, -SDE_NOT_REGULAR, -errno. The caller frees. */
int strict_read_file(const char *path, size_t max, char **ret_text, size_t *ret_len) MUST_CHECK;

#endif
