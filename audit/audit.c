/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "audit/audit.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "audit/checks.h"
#include "base/i18n.h"

enum { THREADS_MAX = 8 };

/* ---- collecting ---- */

struct collection {
	char *const *targets;
	struct facts **facts;
	size_t count;
	atomic_size_t next;
	atomic_int err;
};

static void *collect_some(void *ctx)
{
	struct collection *c = ctx;
	size_t i;

	while ((i = atomic_fetch_add(&c->next, 1)) < c->count && atomic_load(&c->err) == 0) {
		int r = facts_collect(c->targets[i], &c->facts[i]);

		if (r < 0)
			atomic_store(&c->err, r);
	}
	return NULL;
}

int audit_collect(char *const *targets, size_t count, struct facts **ret_facts)
{
	struct collection c = {.targets = targets, .facts = ret_facts, .count = count};
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	pthread_t threads[THREADS_MAX];
	size_t started = 0;

	memset(ret_facts, 0, count * sizeof(*ret_facts));
	/* mostly waiting for drives: more threads than processors are worth it */
	while (started < THREADS_MAX && started + 1 < count && (long)started < 2 * cpus &&
		pthread_create(&threads[started], NULL, collect_some, &c) == 0)
		started++;
	collect_some(&c);
	while (started)
		pthread_join(threads[--started], NULL);
	return atomic_load(&c.err);
}

/* ---- judging ---- */

bool audit_has(const struct audit *audit, enum check_id id)
{
	return audit->policy->rules[id].mode != MODE_OFF && catalogue[id].place != PLACE_SETTING;
}

static void run_check(const struct check_input *in, enum check_id id, struct finding *finding)
{
	check_run *run = check_run_of(id);

	if (!run)
		return;
	/* the first two say what is wrong with a header that cannot be used */
	if (!in->hdr && id != H01 && id != H02)
		finding_saw(finding, VERDICT_UNKNOWN, "/state", _("there is no header to look at"));
	else
		run(in, finding);
}

static int judge_drive(const struct audit *audit, struct audit_drive *drive)
{
	struct check_input in = {
		.facts = drive->facts,
		.hdr = drive->facts->hdr,
		.doc = drive->facts->doc,
		.inventory = audit->inventory != NULL,
	};

	if (audit->inventory && in.hdr)
		in.record = inventory_find(audit->inventory, in.hdr->uuid);
	for (enum check_id id = 0; id < CHECK_COUNT; id++) {
		in.rule = &audit->policy->rules[id];
		if (!audit_has(audit, id))
			continue;
		run_check(&in, id, &drive->findings[id]);
		if (drive->findings[id].no_memory)
			return -ENOMEM;
	}
	return 0;
}

/* What the verdict means under the policy. */
static enum finding_state state_of(const struct rule *rule, enum verdict verdict)
{
	switch (verdict) {
	case VERDICT_NOT_APPLICABLE:
		return STATE_NOT_APPLICABLE;
	case VERDICT_GOOD:
		return STATE_PASS;
	case VERDICT_UNKNOWN:
		return STATE_UNKNOWN;
	case VERDICT_ADVICE:
		return STATE_WARN;
	case VERDICT_BAD:
		break;
	}
	return rule->mode == MODE_FAIL ? STATE_FAIL : STATE_WARN;
}

static void settle(struct audit *audit, struct audit_drive *drive)
{
	const char *uuid = drive->facts->hdr ? drive->facts->hdr->uuid : NULL;

	for (enum check_id id = 0; id < CHECK_COUNT; id++) {
		const struct rule *rule = &audit->policy->rules[id];
		struct finding *finding = &drive->findings[id];

		if (!audit_has(audit, id))
			continue;
		finding->state = state_of(rule, finding->verdict);
		finding->severity = rule->mode == MODE_INFO ? SEVERITY_INFO : rule->severity;
		if (uuid && (finding->state == STATE_WARN || finding->state == STATE_FAIL))
			finding->waiver = waivers_find(audit->waivers, catalogue[id].id, uuid, audit->today);
		if (finding->waiver) {
			finding->state = STATE_WAIVED;
			audit->waiver_uses[finding->waiver - waivers_at(audit->waivers, 0)]++;
		}
		drive->counts[finding->state]++;
		audit->counts[finding->state]++;
		audit->by_severity[finding->severity][finding->state]++;
		if (finding->state > drive->worst)
			drive->worst = finding->state;
	}
}

int audit_evaluate(struct audit *audit)
{
	int r;

	audit->waiver_uses = calloc(waivers_count(audit->waivers) + 1, sizeof(*audit->waiver_uses));
	if (!audit->waiver_uses)
		return -ENOMEM;
	for (size_t i = 0; i < audit->count; i++) {
		r = judge_drive(audit, &audit->drives[i]);
		if (r < 0)
			return r;
	}
	r = audit_compare_drives(audit);
	for (size_t i = 0; i < audit->count && r == 0; i++)
		settle(audit, &audit->drives[i]);
	return r;
}

void audit_clear(struct audit *audit)
{
	for (size_t i = 0; i < audit->count; i++) {
		for (enum check_id id = 0; id < CHECK_COUNT; id++)
			finding_clear(&audit->drives[i].findings[id]);
		facts_free(audit->drives[i].facts);
	}
	free(audit->drives);
	free(audit->waiver_uses);
	audit->drives = NULL;
	audit->waiver_uses = NULL;
	audit->count = 0;
}
