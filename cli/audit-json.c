/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* docs/AUDIT.md describes the JSON to others: members are added, never changed. */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/audit-report.h"

/* Frees text; NULL stands for "no memory" and makes json_pack fail. */
static json_t *take_string(char *text)
{
	json_t *json = text ? json_string(text) : NULL;

	free(text);
	return json;
}

static json_t *or_empty(const char *text)
{
	return json_string(text ? text : "");
}

static json_t *counts_json(const unsigned counts[STATE_COUNT])
{
	json_t *json = json_object();

	for (int state = STATE_FAIL; json && state >= 0; state--)
		if (json_object_set_new(json, finding_state_name((enum finding_state)state),
			    json_integer(counts[state])))
			return json_decref(json), NULL;
	return json;
}

static json_t *evidence_json(const struct finding *finding)
{
	json_t *json = json_array();

	for (char **pointer = finding->evidence; json && pointer && *pointer; pointer++)
		if (json_array_append_new(json, json_string(*pointer)))
			return json_decref(json), NULL;
	return json;
}

static json_t *waiver_json(const struct waiver *waiver)
{
	return waiver ? json_pack("{s:s, s:s, s:s, s:s}", "id", waiver->id, "reason", waiver->reason, "approved_by",
				waiver->approved_by, "expires", waiver->expires)
		      : json_null();
}

static json_t *finding_json(enum check_id id, const struct rule *rule, const struct finding *finding)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:o, s:o, s:s, s:o, s:s, s:o}", "id", catalogue[id].id, "severity",
		severity_name(finding->severity), "state", finding_state_name(finding->state), "title",
		bilingual_text(rule->title), "observed", or_empty(finding->observed), "threshold",
		or_empty(finding->threshold), "clause", bilingual_text(rule->clause), "evidence", evidence_json(finding), "remedy",
		bilingual_text(rule->remedy), "waiver", waiver_json(finding->waiver));
}

static json_t *drive_json(const struct audit *audit, const struct audit_drive *drive)
{
	const struct facts *facts = drive->facts;
	json_t *findings = json_array();
	json_t *json = json_pack("{s:o, s:s, s:s, s:o, s:o, s:o, s:o, s:s, s:s, s:o, s:o}", "target",
		take_string(report_target(drive)), "kind", facts_kind_name(facts->kind), "header",
		facts_state_name(facts->state), "uuid", take_string(report_uuid(drive)), "label",
		take_string(report_label(drive)), "cipher", or_empty(report_cipher(drive)), "size_bytes",
		json_sprintf("%" PRIu64, facts->size_bytes), "header_sha256", facts->header_sha256, "worst",
		finding_state_name(drive->worst), "counts", counts_json(drive->counts), "findings", findings);

	for (enum check_id id = 0; json && id < CHECK_COUNT; id++)
		if (audit_has(audit, id) &&
			json_array_append_new(findings, finding_json(id, &audit->policy->rules[id], &drive->findings[id])))
			return json_decref(json), NULL;
	return json;
}

static const char *waiver_use(const struct audit *audit, size_t i)
{
	return audit->waiver_uses[i]						  ? "used"
	       : waiver_expired(waivers_at(audit->waivers, i), audit->today) ? "expired"
									  : "unused";
}

static json_t *waivers_json(const struct audit *audit)
{
	json_t *json = json_array();

	for (size_t i = 0; json && i < waivers_count(audit->waivers); i++) {
		const struct waiver *waiver = waivers_at(audit->waivers, i);
		json_t *one = json_pack("{s:s, s:s, s:s?, s:s, s:s, s:I}", "id", waiver->id, "check", waiver->check, "uuid",
			waiver->uuid[0] ? waiver->uuid : NULL, "expires", waiver->expires, "state", waiver_use(audit, i),
			"findings", (json_int_t)audit->waiver_uses[i]);

		if (json_array_append_new(json, one))
			return json_decref(json), NULL;
	}
	return json;
}

/* Drive by drive, so that a thousand of them need the memory of one. */
int report_json(const struct audit *audit, FILE *out)
{
	json_t *head = json_pack("{s:i, s:s, s:{s:s, s:I, s:s, s:b, s:s}, s:o, s:o}", "schema", 1, "date", audit->today,
		"policy", "id", audit->policy->id, "version", (json_int_t)audit->policy->version, "title",
		bilingual_text(audit->policy->title), "provisional", audit->policy->provisional, "sha256",
		audit->policy->sha256, "counts", counts_json(audit->counts), "waivers",
		waivers_json(audit));
	int r = head ? 0 : -ENOMEM;

	putc('{', out);
	if (r == 0 && json_dumpf(head, out, JSON_INDENT(2) | JSON_EMBED))
		r = -EIO;
	json_decref(head);
	fputs(",\n  \"drives\": [", out);
	for (size_t i = 0; r == 0 && i < audit->count; i++) {
		json_t *drive = drive_json(audit, &audit->drives[i]);

		fputs(i ? ",\n" : "\n", out);
		if (!drive)
			r = -ENOMEM;
		else if (json_dumpf(drive, out, JSON_INDENT(2)))
			r = -EIO;
		json_decref(drive);
	}
	fputs("\n]}\n", out);
	return r;
}

/* RFC 3986: what may stand in a path stays, and so do the slashes. */
static json_t *uri_json(const struct audit_drive *drive)
{
	const char *path = drive->facts->target;
	CLEANUP_FREE char *uri = malloc(3 * strlen(path) + 1);
	char *to = uri;

	if (!uri)
		return NULL;
	for (; *path; path++) {
		if (isalnum((unsigned char)*path) || strchr("/-._~", *path))
			*to++ = *path;
		else
			to += sprintf(to, "%%%02X", (unsigned char)*path);
	}
	*to = '\0';
	return json_string(uri);
}

/* ---- SARIF 2.1.0 (OASIS): what is neither pass nor not applicable is a result ---- */

static const char *sarif_level(const struct finding *finding)
{
	return finding->state == STATE_FAIL ? "error" : finding->state == STATE_WARN ? "warning" : "note";
}

static const char *sarif_kind(const struct finding *finding)
{
	switch (finding->state) {
	case STATE_PASS:
		return "pass";
	case STATE_NOT_APPLICABLE:
		return "notApplicable";
	case STATE_UNKNOWN:
		return "open";
	default:
		return "fail";
	}
}

static json_t *sarif_rule(enum check_id id, const struct rule *rule)
{
	return json_pack("{s:s, s:s, s:{s:s}, s:{s:s}, s:{s:s, s:s}}", "id", catalogue[id].id, "name", catalogue[id].id,
		"shortDescription", "text", bilingual_text(rule->title), "help", "text", bilingual_text(rule->remedy),
		"properties", "clause", bilingual_text(rule->clause), "severity", severity_name(rule->severity));
}

static json_t *sarif_result(const struct audit_drive *drive, enum check_id id, const struct finding *finding)
{
	/* a level goes with the kind "fail" only (section 3.27.10) */
	bool fail = sarif_kind(finding)[0] == 'f';
	json_t *json = json_pack("{s:s, s:s, s:s, s:{s:o}, s:[{s:{s:{s:o}}, s:[{s:o}]}], s:{s:s, s:o, s:o}}", "ruleId",
		catalogue[id].id, "kind", sarif_kind(finding), "level", fail ? sarif_level(finding) : "none", "message",
		"text", json_sprintf("%s (%s)", finding->observed ? finding->observed : "-",
				finding->threshold ? finding->threshold : "-"),
		"locations", "physicalLocation", "artifactLocation", "uri", uri_json(drive),
		"logicalLocations", "fullyQualifiedName",
		json_string(finding->evidence ? finding->evidence[0] : "/"), "properties", "severity",
		severity_name(finding->severity), "evidence", evidence_json(finding), "uuid",
		take_string(report_uuid(drive)));

	if (json && finding->waiver &&
		json_object_set_new(json, "suppressions", json_pack("[{s:s, s:s, s:s}]", "kind", "external", "status",
					"accepted", "justification", finding->waiver->reason)))
		return json_decref(json), NULL;
	return json;
}

int report_sarif(const struct audit *audit, FILE *out)
{
	json_t *rules = json_array(), *results = json_array();
	json_t *doc = json_pack("{s:s, s:s, s:[{s:{s:{s:s, s:s, s:o}}, s:o, s:{s:s, s:I, s:s}}]}", "$schema",
		"https://json.schemastore.org/sarif-2.1.0.json", "version", "2.1.0", "runs", "tool", "driver", "name",
		"sealdrive", "version", VERSION, "rules", rules, "results", results, "properties", "policy",
		audit->policy->id, "policyVersion", (json_int_t)audit->policy->version, "date", audit->today);
	int r = doc ? 0 : -ENOMEM;

	for (enum check_id id = 0; r == 0 && id < CHECK_COUNT; id++)
		if (audit_has(audit, id) && json_array_append_new(rules, sarif_rule(id, &audit->policy->rules[id])))
			r = -ENOMEM;
	for (size_t i = 0; r == 0 && i < audit->count; i++)
		for (enum check_id id = 0; r == 0 && id < CHECK_COUNT; id++)
			if (audit_has(audit, id) && json_array_append_new(results,
				    sarif_result(&audit->drives[i], id, &audit->drives[i].findings[id])))
				r = -ENOMEM;
	if (r == 0 && json_dumpf(doc, out, JSON_INDENT(2)))
		r = -EIO;
	if (r == 0)
		putc('\n', out);
	json_decref(doc);
	return r;
}
