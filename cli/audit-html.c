/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The report as one page: summary, charts, a table of all drives that sorts and filters, and a section
 * per drive. Without the script everything is there as well, in the order of the command line.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/i18n.h"
#include "cli/audit-page.h"
#include "cli/audit-report.h"
#include "cli/html.h"

enum { KINDS_MAX = 12 };

static void cell(FILE *out, const char *tag, const char *text)
{
	fprintf(out, "<%s>", tag);
	html_text(out, text);
	/* the tag's name, without its attributes */
	fprintf(out, "</%.*s>", (int)strcspn(tag, " "), tag);
}

/* Sign and word: a state is read, not seen as a colour. */
static void put_state(FILE *out, enum finding_state state)
{
	static const char *const signs[] = {
		[STATE_NOT_APPLICABLE] = "–",
		[STATE_PASS] = "✓",
		[STATE_WAIVED] = "◇",
		[STATE_UNKNOWN] = "?",
		[STATE_WARN] = "▲",
		[STATE_FAIL] = "✕",
	};

	fprintf(out, "<span class=\"s %s\"><b aria-hidden=\"true\">%s</b> ", finding_state_name(state), signs[state]);
	html_text(out, report_state_word(state));
	fputs("</span>", out);
}

/* ---- head ---- */

static void put_counts(FILE *out, const unsigned counts[STATE_COUNT])
{
	fputs("<ul class=\"counts\">", out);
	for (int state = STATE_FAIL; state > STATE_NOT_APPLICABLE; state--) {
		fprintf(out, "<li><strong>%u</strong> ", counts[state]);
		put_state(out, (enum finding_state)state);
		fputs("</li>", out);
	}
	fputs("</ul>\n", out);
}

static void put_head(FILE *out, const struct audit *audit)
{
	const struct policy *policy = audit->policy;

	fputs("<header><h1>", out);
	html_text(out, _("Audit of encrypted drives"));
	fputs("</h1>\n<p>", out);
	fprintf(out, ngettext("%zu drive, %s", "%zu drives, %s", audit->count), audit->count, audit->today);
	fputs("</p>\n<p><strong>", out);
	html_text(out, bilingual_text(policy->title));
	fputs("</strong> ", out);
	fprintf(out, _("(policy %s, version %llu)"), policy->id, (unsigned long long)policy->version);
	fputs("</p>\n", out);
	if (policy->provisional) {
		fputs("<p class=\"note\">", out);
		html_text(out, _("This policy is provisional."));
		fputs("</p>\n", out);
	}
	if (bilingual_text(policy->note)[0])
		cell(out, "p", bilingual_text(policy->note));
	fprintf(out, "<p class=\"hash\">SHA-256 %s</p></header>\n", policy->sha256);
	put_counts(out, audit->counts);
}

/* ---- charts ---- */

static void chart_severities(FILE *out, const struct audit *audit)
{
	struct html_bar bars[SEVERITY_COUNT];
	size_t count = 0;

	for (int severity = SEVERITY_CRITICAL; severity >= SEVERITY_INFO; severity--)
		bars[count++] = (struct html_bar){report_severity_word((enum severity)severity), NULL,
			audit->by_severity[severity][STATE_FAIL] + audit->by_severity[severity][STATE_WARN],
			(unsigned)(SEVERITY_CRITICAL - severity)};
	html_bars(out, "severity", _("Failures and warnings by severity"), bars, count);
}

static void chart_drives(FILE *out, const struct audit *audit)
{
	struct html_bar bars[STATE_COUNT];
	unsigned counts[STATE_COUNT] = {0};
	size_t count = 0;

	for (size_t i = 0; i < audit->count; i++)
		counts[audit->drives[i].worst]++;
	for (int state = STATE_FAIL; state > STATE_NOT_APPLICABLE; state--)
		bars[count++] = (struct html_bar){report_state_word((enum finding_state)state), NULL, counts[state],
			(unsigned)(STATE_FAIL - state)};
	html_bars(out, "drives", _("Drives by their worst finding"), bars, count);
}

/* How often each word occurs; what is more than the chart holds goes together into the last bar. */
static void chart_words(FILE *out, const struct audit *audit, const char *id, const char *title,
	const char *(*word)(const struct audit_drive *drive))
{
	struct html_bar bars[KINDS_MAX];
	size_t count = 0;

	for (size_t i = 0; i < audit->count; i++) {
		const char *text = word(&audit->drives[i]);
		size_t b = 0;

		if (!text[0])
			text = _("unknown");
		while (b < count && strcmp(bars[b].label, text) != 0)
			b++;
		if (b == KINDS_MAX) {
			b--;
			bars[b].label = _("others");
		} else if (b == count) {
			bars[count++] = (struct html_bar){text, NULL, 0, (unsigned)(b % 6)};
		}
		bars[b].value++;
	}
	html_bars(out, id, title, bars, count);
}

/* ---- table ---- */

static void put_filter(FILE *out)
{
	fputs("<p class=\"filter\"><label>", out);
	html_text(out, _("Filter:"));
	fputs(" <input id=\"filter\" type=\"search\" autocomplete=\"off\"></label> <label>", out);
	html_text(out, _("Result:"));
	fputs(" <select id=\"state\"><option value=\"\">", out);
	html_text(out, _("all"));
	fputs("</option>", out);
	for (int state = STATE_FAIL; state > STATE_NOT_APPLICABLE; state--) {
		fprintf(out, "<option value=\"%s\">", finding_state_name((enum finding_state)state));
		html_text(out, report_state_word((enum finding_state)state));
		fputs("</option>", out);
	}
	fputs("</select></label> <output id=\"shown\"></output></p>\n", out);
}

static int put_row(FILE *out, const struct audit_drive *drive, size_t i)
{
	CLEANUP_FREE char *target = report_target(drive), *label = report_label(drive), *uuid = report_uuid(drive);

	if (!target || !label || !uuid)
		return -ENOMEM;
	fprintf(out, "<tr data-state=\"%s\"><td><a href=\"#d%zu\">", finding_state_name(drive->worst), i);
	html_text(out, target);
	fputs("</a></td>", out);
	fprintf(out, "<td data-key=\"%d\">", STATE_FAIL - (int)drive->worst);
	put_state(out, drive->worst);
	fprintf(out, "</td><td class=\"n\">%u</td><td class=\"n\">%u</td><td class=\"n\">%u</td>",
		drive->counts[STATE_FAIL], drive->counts[STATE_WARN], drive->counts[STATE_UNKNOWN]);
	cell(out, "td", label);
	cell(out, "td class=\"mono\"", uuid);
	cell(out, "td", report_cipher(drive));
	cell(out, "td", report_kdf(drive));
	fputs("</tr>\n", out);
	return 0;
}

static int put_table(FILE *out, const struct audit *audit)
{
	/* what a phone shows without scrolling comes first */
	static const struct {
		const char *name;
		bool number;
	} columns[] = {{N_("Drive"), false}, {N_("Result"), false}, {N_("Failures"), true}, {N_("Warnings"), true},
		{N_("Unknown"), true}, {N_("Label"), false}, {"UUID", false}, {N_("Cipher"), false},
		{N_("Key derivation"), false}};
	int r = 0;

	fputs("<h2 id=\"all\">", out);
	html_text(out, _("All drives"));
	fputs("</h2>\n", out);
	put_filter(out);
	fputs("<div class=\"scroll\"><table id=\"fleet\"><thead><tr>", out);
	for (size_t i = 0; i < ARRAY_SIZE(columns); i++) {
		fprintf(out, "<th scope=\"col\"%s><button type=\"button\">", columns[i].number ? " class=\"n\"" : "");
		html_text(out, _(columns[i].name));
		fputs("</button></th>", out);
	}
	fputs("</tr></thead><tbody>\n", out);
	for (size_t i = 0; r == 0 && i < audit->count; i++)
		r = put_row(out, &audit->drives[i], i);
	fputs("</tbody></table></div>\n", out);
	return r;
}

/* ---- drives ---- */

static void put_evidence(FILE *out, const struct finding *finding)
{
	if (!finding->evidence)
		return;
	fputs("<p class=\"evidence\">", out);
	html_text(out, _("Evidence:"));
	for (char **pointer = finding->evidence; *pointer; pointer++) {
		fputs(" <code>", out);
		html_text(out, *pointer);
		fputs("</code>", out);
	}
	fputs("</p>", out);
}

static void put_waiver(FILE *out, const struct waiver *waiver)
{
	if (!waiver)
		return;
	fputs("<p>", out);
	html_text(out, _("Waived:"));
	putc(' ', out);
	html_text(out, waiver->id);
	fputs(" – ", out);
	html_text(out, waiver->reason);
	fputs(" (", out);
	html_text(out, waiver->approved_by);
	fputs(", ", out);
	html_text(out, waiver->expires);
	fputs(")</p>", out);
}

/* Where the columns stand one below the other, their heads are out of sight. */
static void put_labelled(FILE *out, const char *label, const char *text)
{
	fputs("<td data-label=\"", out);
	html_text(out, label);
	fputs("\">", out);
	html_text(out, text ? text : "–");
	fputs("</td>", out);
}

static void put_finding(FILE *out, enum check_id id, const struct rule *rule, const struct finding *finding)
{
	bool quiet = finding->state == STATE_PASS || finding->state == STATE_NOT_APPLICABLE;

	fprintf(out, "<tr%s><th scope=\"row\">%s</th><td>", quiet ? " class=\"quiet\"" : "", catalogue[id].id);
	put_state(out, finding->state);
	fputs("</td>", out);
	cell(out, "td", report_severity_word(finding->severity));
	fputs("<td><strong>", out);
	html_text(out, bilingual_text(rule->title));
	fputs("</strong>", out);
	if (!quiet) {
		cell(out, "p class=\"clause\"", bilingual_text(rule->clause));
		if (finding->state != STATE_UNKNOWN)
			cell(out, "p", bilingual_text(rule->remedy));
		put_waiver(out, finding->waiver);
		put_evidence(out, finding);
	}
	fputs("</td>", out);
	put_labelled(out, _("Seen"), finding->observed);
	put_labelled(out, _("Wanted"), finding->threshold);
	fputs("</tr>\n", out);
}

static int put_drive(FILE *out, const struct audit *audit, const struct audit_drive *drive, size_t i)
{
	static const char *const columns[] = {N_("Check"), N_("Result"), N_("Severity"), N_("What is asked"), N_("Seen"),
		N_("Wanted")};
	CLEANUP_FREE char *target = report_target(drive), *label = report_label(drive), *uuid = report_uuid(drive);

	if (!target || !label || !uuid)
		return -ENOMEM;
	fprintf(out, "<section id=\"d%zu\"><h2>", i);
	html_text(out, target);
	fputs("</h2>\n<p>", out);
	html_text(out, label);
	fputs(" <span class=\"mono\">", out);
	html_text(out, uuid);
	fprintf(out, "</span></p>\n<p class=\"hash\">SHA-256 %s</p>\n", drive->facts->header_sha256);
	put_counts(out, drive->counts);
	fputs("<div class=\"scroll\"><table><thead><tr>", out);
	for (size_t c = 0; c < ARRAY_SIZE(columns); c++)
		cell(out, "th scope=\"col\"", _(columns[c]));
	fputs("</tr></thead><tbody>\n", out);
	for (int state = STATE_FAIL; state >= STATE_NOT_APPLICABLE; state--)
		for (enum check_id id = 0; id < CHECK_COUNT; id++)
			if (audit_has(audit, id) && (int)drive->findings[id].state == state)
				put_finding(out, id, &audit->policy->rules[id], &drive->findings[id]);
	fputs("</tbody></table></div>\n<p><a href=\"#all\">", out);
	html_text(out, _("All drives"));
	fputs("</a></p></section>\n", out);
	return 0;
}

static void put_idle_waivers(FILE *out, const struct audit *audit)
{
	size_t idle = 0;

	for (size_t i = 0; i < waivers_count(audit->waivers); i++) {
		const struct waiver *waiver = waivers_at(audit->waivers, i);
		bool expired = waiver_expired(waiver, audit->today);

		if (audit->waiver_uses[i])
			continue;
		if (!idle++) {
			fputs("<h2>", out);
			html_text(out, _("Waivers that no drive needed"));
			fputs("</h2>\n<ul class=\"idle\">", out);
		}
		fputs("<li>", out);
		html_text(out, waiver->id);
		fprintf(out, " (%s, ", waiver->check);
		html_text(out, waiver->expires);
		fputs("): ", out);
		html_text(out, expired ? _("has expired") : _("was not needed"));
		fputs("</li>\n", out);
	}
	fputs(idle ? "</ul>\n" : "", out);
}

int report_html(const struct audit *audit, FILE *out)
{
	/* the language that policies are shown in is that of the page */
	const char *language = bilingual_text((struct bilingual){"en", "vi"});
	int r;

	html_begin(out, language, _("Audit of encrypted drives"), audit_page_style, audit_page_script);
	put_head(out, audit);
	fputs("<div class=\"charts\">\n", out);
	chart_drives(out, audit);
	chart_severities(out, audit);
	chart_words(out, audit, "cipher", _("Ciphers"), report_cipher);
	chart_words(out, audit, "kdf", _("Key derivations"), report_kdf);
	fputs("</div>\n", out);
	r = put_table(out, audit);
	put_idle_waivers(out, audit);
	for (size_t i = 0; r == 0 && i < audit->count; i++)
		r = put_drive(out, audit, &audit->drives[i], i);
	html_end(out, audit_page_script);
	return r;
}
