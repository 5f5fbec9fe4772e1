/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The drive around the header, and what only shows when it is unlocked. */
#include <stdio.h>
#include <string.h>

#include "audit/checks.h"
#include "base/bytes.h"
#include "base/i18n.h"

static const char *or_empty(const char *text)
{
	return text ? text : "";
}

void check_beside(const struct check_input *in, struct finding *f)
{
	const struct facts_device *device = &in->facts->device;

	finding_want(f, _("nothing"));
	if (!device->beside_known)
		finding_saw(f, VERDICT_UNKNOWN, NULL, _("the drive was not looked at"));
	else if (device->beside[0])
		finding_saw(f, VERDICT_BAD, "/device/beside", "%s", device->beside);
	else
		finding_saw(f, VERDICT_GOOD, NULL, _("nothing"));
}

void check_wiped(const struct check_input *in, struct finding *f)
{
	const struct facts_device *device = &in->facts->device;
	uint64_t max = min_u64(rule_number(in->rule, "max_plain_permille"), 1000);

	finding_want(f, _("at most %llu of 1000 samples"), (unsigned long long)max);
	if (!device->samples)
		finding_saw(f, VERDICT_UNKNOWN, NULL, _("no samples were taken"));
	else
		finding_saw(f, (uint64_t)device->plain_samples * 1000 > max * device->samples ? VERDICT_BAD : VERDICT_GOOD,
			"/device/samples", _("%u of %u samples do not look random"), device->plain_samples,
			device->samples);
}

void check_registered(const struct check_input *in, struct finding *f)
{
	const struct facts_device *device = &in->facts->device;
	const char *serial = json_string_value(json_object_get(in->record, "serial"));
	const json_t *size = json_object_get(in->record, "size_bytes");

	finding_want(f, _("on record, with this serial number and size"));
	if (in->facts->kind == FACTS_HEADER || !device->known) {
		finding_saw(f, VERDICT_UNKNOWN, NULL, _("the drive was not looked at"));
		return;
	}
	if (!in->inventory) {
		finding_saw(f, VERDICT_UNKNOWN, NULL, _("no inventory was given"));
		return;
	}
	if (!in->record) {
		finding_saw(f, VERDICT_BAD, "/uuid", _("not on record"));
		return;
	}
	finding_saw(f, VERDICT_GOOD, "/uuid", _("on record"));
	if (serial && strcmp(serial, or_empty(device->serial)) != 0)
		finding_saw(f, VERDICT_BAD, "/device/serial", _("serial number '%s', on record '%s'"),
			or_empty(device->serial), serial);
	if (size && (uint64_t)json_integer_value(size) != in->facts->size_bytes)
		finding_saw(f, VERDICT_BAD, "/size_bytes", _("%llu bytes, on record %lld"),
			(unsigned long long)in->facts->size_bytes, (long long)json_integer_value(size));
	if (!serial && !size)
		finding_saw(f, VERDICT_UNKNOWN, NULL, _("the record has neither serial number nor size"));
}

static bool unlocked(const struct check_input *in, struct finding *f)
{
	if (!in->facts->unlocked.known)
		finding_saw(f, VERDICT_UNKNOWN, NULL, _("the drive was not unlocked"));
	return in->facts->unlocked.known;
}

void check_key_halves(const struct check_input *in, struct finding *f)
{
	const struct luks2_segment *segment = luks2_data_segment(in->hdr);
	bool differ = in->facts->unlocked.halves_differ;

	finding_want(f, _("different"));
	if (!segment || !strstr(segment->cipher, "-xts-"))
		finding_saw(f, VERDICT_NOT_APPLICABLE, NULL, _("not XTS"));
	else if (unlocked(in, f))
		finding_saw(f, differ ? VERDICT_GOOD : VERDICT_BAD, NULL, differ ? _("different") : _("equal"));
}

void check_key_random(const struct check_input *in, struct finding *f)
{
	const struct facts_unlocked *key = &in->facts->unlocked;

	finding_want(f, _("random, not published"));
	if (!unlocked(in, f))
		return;
	if (key->published)
		finding_saw(f, VERDICT_BAD, NULL, _("the key of a published test"));
	finding_saw(f, key->random ? VERDICT_GOOD : VERDICT_BAD, NULL, key->random ? _("random") : _("a pattern"));
}

/* That no other drive has it is added by audit_compare_drives(). */
void check_fingerprint(const struct check_input *in, struct finding *f)
{
	const char *fingerprint = in->facts->unlocked.fingerprint;
	const char *recorded = json_string_value(json_object_get(in->record, "key_fingerprint"));

	finding_want(f, _("as on record, and that of no other drive"));
	if (!unlocked(in, f))
		return;
	if (!fingerprint[0])
		finding_saw(f, VERDICT_UNKNOWN, NULL, _("no key for fingerprints was given"));
	else if (!in->inventory)
		finding_saw(f, VERDICT_UNKNOWN, "/unlocked/fingerprint", _("%s; no inventory was given"), fingerprint);
	else if (!in->record)
		finding_saw(f, VERDICT_BAD, "/unlocked/fingerprint", _("%s; the drive is not on record"), fingerprint);
	else if (!recorded)
		finding_saw(f, VERDICT_UNKNOWN, "/unlocked/fingerprint", _("%s; the record has none"), fingerprint);
	else if (strcmp(recorded, fingerprint) != 0)
		finding_saw(f, VERDICT_BAD, "/unlocked/fingerprint", _("%s, on record %s"), fingerprint, recorded);
	else
		finding_saw(f, VERDICT_GOOD, "/unlocked/fingerprint", "%s", fingerprint);
}

void check_file_system(const struct check_input *in, struct finding *f)
{
	int clean = in->facts->unlocked.clean;

	finding_want(f, _("clean"));
	if (unlocked(in, f))
		finding_saw(f, clean < 0 ? VERDICT_UNKNOWN : clean ? VERDICT_GOOD : VERDICT_BAD, NULL,
			clean < 0 ? _("not looked at") : clean ? _("clean") : _("not clean"));
}

/* Where the seal is, or was. */
static const char *seal_place(const struct check_input *in, char buf[64])
{
	for (int id = 0; id < LUKS2_TOKENS_MAX; id++) {
		char name[16];

		snprintf(name, sizeof(name), "%d", id);
		const json_t *token = json_object_get(json_object_get(in->doc, "tokens"), name);
		const char *type = json_string_value(json_object_get(token, "type"));

		if (type && strcmp(type, LUKS2_SEAL_TYPE) == 0)
			return finding_at(buf, "tokens", id, "");
	}
	return "/tokens";
}

void check_seal(const struct check_input *in, struct finding *f)
{
	const struct facts_unlocked *key = &in->facts->unlocked;
	char at[64];

	finding_want(f, _("as whoever has the volume key has sealed it"));
	if (!unlocked(in, f))
		return;
	if (!key->seal_known) {
		finding_saw(f, VERDICT_UNKNOWN, NULL, _("the seal was not looked at"));
		return;
	}
	switch (key->seal) {
	case LUKS2_SEAL_NONE:
		finding_saw(f, VERDICT_UNKNOWN, "/tokens", _("the header has no seal: whether it was changed cannot be known"));
		break;
	case LUKS2_SEAL_RIGHT:
		finding_saw(f, VERDICT_GOOD, seal_place(in, at), _("as it was sealed"));
		break;
	case LUKS2_SEAL_BROKEN:
	case LUKS2_SEAL_REMOVED:
		finding_saw(f, VERDICT_BAD, seal_place(in, at), _("changed by somebody without the volume key: %s"),
			key->changed ? key->changed : "?");
	}
}
