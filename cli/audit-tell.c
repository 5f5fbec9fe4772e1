/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/audit-tell.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "cli/cli.h"
#include "cli/event.h"

/* Whoever judges as of an earlier day must not do so in silence when that is what makes the result. */
void audit_tell_revived(const struct audit *audit, const char *today)
{
	for (size_t i = 0; i < waivers_count(audit->waivers); i++) {
		const struct waiver *waiver = waivers_at(audit->waivers, i);

		if (audit->waiver_uses[i] && waiver_expired(waiver, today))
			cli_warn(NULL, _("waiver '%s' expired on %s and counts only because of --date %s"), waiver->id,
				waiver->expires, audit->today);
	}
}

/* What could not be read is said at once, and is in the report as "unknown". */
int audit_tell_unreadable(const struct facts_list *list)
{
	int status = EXIT_DONE;

	for (size_t i = 0; i < list->count; i++) {
		const struct facts *facts = list->facts[i];
		struct diag diag = {0};

		if (facts->state != FACTS_UNREADABLE || !facts->err)
			continue;
		snprintf(diag.detail, sizeof(diag.detail), "%s", facts->detail);
		status = cli_fail(facts->target, facts->err, &diag);
	}
	return status;
}

void audit_tell_untrusted(const struct facts_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->facts[i]->saved)
			return;
	cli_warn(NULL, _("--trust had nothing to verify: drives are not signed"));
}

/* Of each drive, so that its log can be asked who audited it; of saved facts, that they were. */
void audit_record(const struct audit *audit, const struct facts_list *list)
{
	CLEANUP_FREE struct cli_event_item *items = calloc(audit->count + 1, sizeof(*items));

	for (size_t i = 0; items && i < audit->count; i++) {
		const struct audit_drive *drive = &audit->drives[i];

		items[i] = (struct cli_event_item){
			.target = list->origins[i],
			.uuid = drive->facts->hdr ? drive->facts->hdr->uuid : NULL,
			.err = drive->facts->state == FACTS_UNREADABLE ? drive->facts->err : 0,
			.detail = json_pack("{s:s, s:I, s:I, s:I}", "profile", audit->policy->id, "version",
				(json_int_t)audit->policy->version, "drives", (json_int_t)audit->count, "failures",
				(json_int_t)drive->counts[STATE_FAIL]),
		};
		if (!drive->facts->saved && drive->facts->unlocked.known)
			(void)json_object_set_new(items[i].detail, "unlocked", json_true());
	}
	if (items)
		cli_event_all("audit", items, audit->count);
	else
		cli_warn(NULL, _("the event log was not written: %s"), error_text(-ENOMEM));
}
