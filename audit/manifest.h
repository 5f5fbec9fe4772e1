/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A manifest: what files a drive held at one moment. JSON Lines in canonical form (RFC 8785):
 *
 *	{"schema":1,"type":"sealdrive-manifest","ts":...,"uuid":...}
 *	{"ctime":"1796072400.000000000","kind":"file","mode":"0644","mtime":...,"path":"a/b","sha256":...,"size":"5"}
 *	...
 *	{"entries":2,"sha256":...}	of all bytes before this line
 *
 * Entries are sorted by the bytes of their paths. A path that is no UTF-8 is "path_hex".
 */
#ifndef AUDIT_MANIFEST_H
#define AUDIT_MANIFEST_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include "audit/hash256.h"

struct manifest_entry {
	char *path; /* without a leading slash; owned */
	char kind;  /* as ls: - d l b c p s */
	uint32_t mode; /* permissions */
	uint64_t size; /* of files and links */
	struct timespec mtime;
	struct timespec ctime; /* of the last change of content or attributes, which programs cannot set */
	bool has_ctime;	       /* manifests of before do not */
	char sha256[HASH256_HEX]; /* of a file's content, or of a link's target; "" of others */
};

struct manifest {
	char uuid[40];
	struct manifest_entry *entries;
	size_t count, room;
};

int manifest_add(struct manifest *manifest, const struct manifest_entry *entry) MUST_CHECK; /* takes the path */
void manifest_sort(struct manifest *manifest);
void manifest_clear(struct manifest *manifest);
#define CLEANUP_MANIFEST CLEANUP(manifest_clear)

/* Sorted before. -ENOMEM, -EIO. */
int manifest_write(const struct manifest *manifest, int64_t seconds, FILE *out) MUST_CHECK;
/* -SDE_FILE_INVALID with diag: not one, changed, or cut off. -ENOMEM. */
int manifest_parse(const char *text, size_t len, struct manifest *ret_manifest, struct diag *diag) MUST_CHECK;

enum manifest_change { MANIFEST_ADDED, MANIFEST_REMOVED, MANIFEST_CHANGED };
/* Calls see for each path that differs, in order. what: which members of a changed one, "size, sha256". */
void manifest_compare(const struct manifest *before, const struct manifest *now,
	void (*see)(void *ctx, enum manifest_change change, const char *path, const char *what), void *ctx);

#endif
