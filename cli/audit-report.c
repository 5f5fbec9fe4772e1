/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What all reports say of a drive, and the report for the terminal. */
#include "cli/audit-report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/i18n.h"
#include "base/text.h"
#include "cli/cli.h"

static char *safe_copy(const char *text)
{
	char *safe;

	return text_sanitize(text, strlen(text), &safe) < 0 ? NULL : safe;
}

char *report_label(const struct audit_drive *drive)
{
	return safe_copy(drive->facts->hdr ? drive->facts->hdr->label : "");
}

char *report_uuid(const struct audit_drive *drive)
{
	return safe_copy(drive->facts->hdr ? drive->facts->hdr->uuid : "");
}

char *report_target(const struct audit_drive *drive)
{
	return safe_copy(drive->facts->target);
}

const char *report_cipher(const struct audit_drive *drive)
{
	const struct luks2_segment *segment = drive->facts->hdr ? luks2_data_segment(drive->facts->hdr) : NULL;

	return segment ? segment->cipher : "";
}

const char *report_kdf(const struct audit_drive *drive)
{
	const struct luks2 *hdr = drive->facts->hdr;
	bool argon2 = false, pbkdf2 = false;

	for (int i = 0; hdr && i < hdr->keyslot_count; i++) {
		if (hdr->keyslots[i].usable && hdr->keyslots[i].kdf.type == LUKS2_KDF_PBKDF2)
			pbkdf2 = true;
		else if (hdr->keyslots[i].usable)
			argon2 = true;
	}
	return argon2 && pbkdf2 ? "argon2 + pbkdf2" : argon2 ? "argon2" : pbkdf2 ? "pbkdf2" : "";
}

const char *report_state_word(enum finding_state state)
{
	static const char *const words[] = {
		[STATE_NOT_APPLICABLE] = N_("not applicable"),
		[STATE_PASS] = N_("pass"),
		[STATE_WAIVED] = N_("waived"),
		[STATE_UNKNOWN] = N_("unknown"),
		[STATE_WARN] = N_("warning"),
		[STATE_FAIL] = N_("FAIL"),
	};

	return _(words[state]);
}

const char *report_severity_word(enum severity severity)
{
	static const char *const words[] = {
		[SEVERITY_INFO] = N_("info"),
		[SEVERITY_LOW] = N_("low"),
		[SEVERITY_MEDIUM] = N_("medium"),
		[SEVERITY_HIGH] = N_("high"),
		[SEVERITY_CRITICAL] = N_("critical"),
	};

	return _(words[severity]);
}

/* ---- text ---- */

static const char *colour_of(enum finding_state state)
{
	static const char *const colours[] = {
		[STATE_NOT_APPLICABLE] = "\033[2m",
		[STATE_PASS] = "\033[32m",
		[STATE_WAIVED] = "\033[36m",
		[STATE_UNKNOWN] = "\033[35m",
		[STATE_WARN] = "\033[33m",
		[STATE_FAIL] = "\033[1;31m",
	};

	return colours[state];
}

static void put_padded(FILE *out, const char *text, int width)
{
	int shown = cli_display_width(text);

	fprintf(out, "%s%*s", text, shown < width ? width - shown : 0, "");
}

static void put_state(FILE *out, enum finding_state state, bool colour)
{
	if (colour)
		fputs(colour_of(state), out);
	put_padded(out, report_state_word(state), 15);
	if (colour)
		fputs("\033[0m", out);
}

static void put_finding(FILE *out, enum check_id id, const struct rule *rule, const struct finding *finding, bool colour)
{
	fprintf(out, "  %s  ", catalogue[id].id);
	put_state(out, finding->state, colour);
	put_padded(out, report_severity_word(finding->severity), 14);
	fprintf(out, "%s\n", bilingual_text(rule->title));
	if (finding->state == STATE_PASS || finding->state == STATE_NOT_APPLICABLE)
		return;
	fprintf(out, _("        seen:   %s\n"), finding->observed ? finding->observed : "-");
	fprintf(out, _("        wanted: %s\n"), finding->threshold ? finding->threshold : "-");
	fprintf(out, _("        clause: %s\n"), bilingual_text(rule->clause));
	if (finding->waiver)
		fprintf(out, _("        waived: %s, until %s: %s (%s)\n"), finding->waiver->id, finding->waiver->expires,
			finding->waiver->reason, finding->waiver->approved_by);
	else if (finding->state != STATE_UNKNOWN)
		fprintf(out, _("        remedy: %s\n"), bilingual_text(rule->remedy));
}

static void put_counts(FILE *out, const unsigned counts[STATE_COUNT])
{
	for (int state = STATE_FAIL; state > STATE_NOT_APPLICABLE; state--)
		fprintf(out, "%s%u %s", state == STATE_FAIL ? "" : ", ", counts[state],
			report_state_word((enum finding_state)state));
	putc('\n', out);
}

static int put_drive(FILE *out, const struct audit *audit, const struct audit_drive *drive, bool colour)
{
	CLEANUP_FREE char *target = report_target(drive), *label = report_label(drive), *uuid = report_uuid(drive);

	if (!target || !label || !uuid)
		return -ENOMEM;
	/* a label may be anything, also what looks like a UUID or a path */
	fprintf(out, "%s%s%s%s%s%s\n", target, label[0] ? "  \"" : "", label, label[0] ? "\"" : "", uuid[0] ? "  " : "", uuid);
	/* the first two checks say what is wrong; that all the others know nothing is one sentence */
	if (!drive->facts->hdr) {
		for (enum check_id id = H01; id <= H02; id++)
			if (audit_has(audit, id))
				put_finding(out, id, &audit->policy->rules[id], &drive->findings[id], colour);
		fputs(_("  There is no header that the other checks could look at.\n  "), out);
		put_counts(out, drive->counts);
		putc('\n', out);
		return 0;
	}
	for (int state = STATE_FAIL; state >= STATE_NOT_APPLICABLE; state--)
		for (enum check_id id = 0; id < CHECK_COUNT; id++)
			if (audit_has(audit, id) && (int)drive->findings[id].state == state)
				put_finding(out, id, &audit->policy->rules[id], &drive->findings[id], colour);
	fputs("  ", out);
	put_counts(out, drive->counts);
	putc('\n', out);
	return 0;
}

/* What somebody answers for, and nothing here needs: it may be for another drive than was meant, or of the past. */
static void put_idle_waivers(FILE *out, const struct audit *audit)
{
	for (size_t i = 0; i < waivers_count(audit->waivers); i++) {
		const struct waiver *waiver = waivers_at(audit->waivers, i);

		if (audit->waiver_uses[i])
			continue;
		fprintf(out, waiver_expired(waiver, audit->today) ? _("Waiver %s (%s) has expired on %s.\n")
								   : _("Waiver %s (%s, until %s) was needed by no drive of this audit.\n"),
			waiver->id, waiver->check, waiver->expires);
	}
}

int report_text(const struct audit *audit, FILE *out)
{
	bool colour = isatty(fileno(out)) && !getenv("NO_COLOR");

	fprintf(out, ngettext("Audit of %zu drive by policy %s, version %llu%s, %s\n\n",
			     "Audit of %zu drives by policy %s, version %llu%s, %s\n\n", audit->count), audit->count, audit->policy->id,
		(unsigned long long)audit->policy->version, audit->policy->provisional ? _(" (provisional)") : "",
		audit->today);
	for (size_t i = 0; i < audit->count; i++) {
		int r = put_drive(out, audit, &audit->drives[i], colour);

		if (r < 0)
			return r;
	}
	if (audit->count > 1) {
		fputs(_("All drives: "), out);
		put_counts(out, audit->counts);
	}
	put_idle_waivers(out, audit);
	return 0;
}
