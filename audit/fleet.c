/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What only shows when drives are compared: a volume key, a UUID or a salt that two of them share was
 * copied from one to the other. Sorted, not compared in pairs: a thousand drives are no trouble.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "audit/audit.h"
#include "base/i18n.h"

enum mark_kind { MARK_KEY, MARK_UUID, MARK_SALT, MARK_FINGERPRINT };

struct mark {
	enum mark_kind kind;
	const void *bytes;
	size_t len;
	size_t drive;
	const char *section;
	int id;
};

static int compare(const void *pa, const void *pb)
{
	const struct mark *a = pa, *b = pb;
	int r;

	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	if (a->len != b->len)
		return a->len < b->len ? -1 : 1;
	r = memcmp(a->bytes, b->bytes, a->len);
	if (r)
		return r;
	if (a->drive != b->drive)
		return a->drive < b->drive ? -1 : 1;
	return a->id - b->id;
}

static bool same(const struct mark *a, const struct mark *b)
{
	return a->kind == b->kind && a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

static void add(struct mark *marks, size_t *count, enum mark_kind kind, const void *bytes, size_t len, size_t drive,
	const char *section, int id)
{
	if (len)
		marks[(*count)++] = (struct mark){kind, bytes, len, drive, section, id};
}

static void add_drive(struct mark *marks, size_t *count, const struct facts *facts, size_t drive)
{
	const struct luks2 *hdr = facts->hdr;

	add(marks, count, MARK_FINGERPRINT, facts->unlocked.fingerprint, strlen(facts->unlocked.fingerprint), drive,
		"unlocked/fingerprint", -1);
	add(marks, count, MARK_UUID, hdr->uuid, strlen(hdr->uuid), drive, "uuid", -1);
	for (int i = 0; i < hdr->digest_count; i++) {
		const struct luks2_digest *digest = &hdr->digests[i];

		add(marks, count, MARK_KEY, digest->digest, digest->digest_len, drive, "digests", digest->id);
		add(marks, count, MARK_SALT, digest->salt, digest->salt_len, drive, "digests", digest->id);
	}
	for (int i = 0; i < hdr->keyslot_count; i++)
		add(marks, count, MARK_SALT, hdr->keyslots[i].kdf.salt, hdr->keyslots[i].kdf.salt_len, drive, "keyslots",
			hdr->keyslots[i].id);
}

/* A drive and a backup of its header share everything, and rightly so. */
static bool backup_of(const struct facts *a, const struct facts *b)
{
	return (a->kind == FACTS_HEADER) != (b->kind == FACTS_HEADER) && strcmp(a->hdr->uuid, b->hdr->uuid) == 0;
}

static void report(const struct audit *audit, const struct mark *mark, const struct mark *other)
{
	struct finding *findings = audit->drives[mark->drive].findings;
	const char *target = audit->drives[other->drive].facts->target;
	char at[64];

	if (mark->id < 0)
		snprintf(at, sizeof(at), "/%s", mark->section);
	else
		finding_at(at, mark->section, mark->id, "");
	switch (mark->kind) {
	case MARK_KEY:
		if (audit_has(audit, H27))
			finding_saw(&findings[H27], VERDICT_BAD, at, _("the same key as %s"), target);
		break;
	case MARK_UUID:
		if (audit_has(audit, H27))
			finding_saw(&findings[H27], VERDICT_BAD, at, _("the same UUID as %s"), target);
		break;
	case MARK_SALT:
		if (audit_has(audit, H12))
			finding_saw(&findings[H12], VERDICT_BAD, at, _("the same salt as %s"), target);
		break;
	case MARK_FINGERPRINT:
		if (audit_has(audit, U03))
			finding_saw(&findings[U03], VERDICT_BAD, at, _("the same key as %s"), target);
		break;
	}
}

/* Each mark of a run of equal ones is reported once, with the nearest one of another drive. */
static void report_runs(const struct audit *audit, const struct mark *marks, size_t count)
{
	size_t start = 0, end;

	for (; start < count; start = end) {
		for (end = start + 1; end < count && same(&marks[start], &marks[end]); end++)
			;
		for (size_t i = start; i < end; i++) {
			const struct facts *facts = audit->drives[marks[i].drive].facts;

			for (size_t j = start; j < end; j++) {
				if (marks[j].drive == marks[i].drive || backup_of(facts, audit->drives[marks[j].drive].facts))
					continue;
				report(audit, &marks[i], &marks[j]);
				break;
			}
		}
	}
}

static void report_good(const struct audit *audit, size_t with_header)
{
	for (size_t i = 0; i < audit->count && audit_has(audit, H27); i++) {
		struct finding *finding = &audit->drives[i].findings[H27];

		finding_want(finding, _("key and UUID of no other drive"));
		if (!audit->drives[i].facts->hdr)
			finding_saw(finding, VERDICT_UNKNOWN, "/state", _("there is no header to look at"));
		else if (with_header < 2)
			finding_saw(finding, VERDICT_NOT_APPLICABLE, NULL, _("no other drive to compare with"));
		else
			finding_saw(finding, VERDICT_GOOD, NULL,
				ngettext("compared with %zu other", "compared with %zu others", with_header - 1),
				with_header - 1);
		if (finding->no_memory)
			return;
	}
}

int audit_compare_drives(struct audit *audit)
{
	CLEANUP_FREE struct mark *marks = NULL;
	size_t room = 0, count = 0, with_header = 0;

	for (size_t i = 0; i < audit->count; i++) {
		const struct luks2 *hdr = audit->drives[i].facts->hdr;

		with_header += hdr != NULL;
		room += hdr ? 2 + 2 * (size_t)hdr->digest_count + (size_t)hdr->keyslot_count : 0;
	}
	marks = calloc(room + 1, sizeof(*marks));
	if (!marks)
		return -ENOMEM;
	for (size_t i = 0; i < audit->count; i++)
		if (audit->drives[i].facts->hdr)
			add_drive(marks, &count, audit->drives[i].facts, i);
	qsort(marks, count, sizeof(*marks), compare);
	report_good(audit, with_header);
	report_runs(audit, marks, count);
	for (size_t i = 0; i < audit->count; i++)
		if (audit->drives[i].findings[H12].no_memory || audit->drives[i].findings[H27].no_memory ||
			audit->drives[i].findings[U03].no_memory)
			return -ENOMEM;
	return 0;
}
