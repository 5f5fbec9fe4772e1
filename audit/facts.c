/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "audit/facts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "audit/facts-device.h"
#include "base/bytes.h"
#include "kernel-shim/filedev.h"
#include "keymgr/hkdf.h"
#include "keymgr/luks1-disk.h"
#include "keymgr/luks2-disk.h"
#include "keymgr/luks2-json.h"

static const char *const state_names[] = {
	[FACTS_OK] = "ok",
	[FACTS_NOT_LUKS] = "not-luks",
	[FACTS_LUKS1] = "luks1",
	[FACTS_DAMAGED] = "damaged",
	[FACTS_AMBIGUOUS] = "ambiguous",
	[FACTS_INVALID] = "invalid",
	[FACTS_UNREADABLE] = "unreadable",
};
static const char *const kind_names[] = {
	[FACTS_DRIVE] = "drive",
	[FACTS_CONTAINER] = "container",
	[FACTS_HEADER] = "header",
};

const char *facts_state_name(enum facts_state state)
{
	return state_names[state];
}

const char *facts_kind_name(enum facts_kind kind)
{
	return kind_names[kind];
}

void facts_free(struct facts *facts)
{
	if (!facts)
		return;
	free(facts->target);
	free(facts->detail);
	free(facts->metadata);
	free(facts->luks1);
	free(facts->device.vendor);
	free(facts->device.model);
	free(facts->device.serial);
	free(facts->device.beside);
	free(facts->unlocked.changed);
	json_decref(facts->doc);
	luks2_free(facts->hdr);
	free(facts);
}

static enum facts_state state_of(int err)
{
	static const struct {
		int err;
		enum facts_state state;
	} states[] = {
		{0, FACTS_OK},
		{-SDE_NOT_LUKS, FACTS_NOT_LUKS},
		{-SDE_LUKS1, FACTS_LUKS1},
		{-SDE_HEADER_DAMAGED, FACTS_DAMAGED},
		{-SDE_HEADER_AMBIGUOUS, FACTS_AMBIGUOUS},
		{-SDE_HEADER_INVALID, FACTS_INVALID},
	};

	for (size_t i = 0; i < ARRAY_SIZE(states); i++)
		if (states[i].err == err)
			return states[i].state;
	return FACTS_UNREADABLE;
}

static bool same_copy(const struct luks2_copy *a, const struct luks2_copy *b)
{
	return a->hdr_bytes == b->hdr_bytes && a->seqid == b->seqid && strcmp(a->label, b->label) == 0 &&
	       strcmp(a->subsystem, b->subsystem) == 0 && strcmp(a->uuid, b->uuid) == 0 &&
	       strcmp(a->csum_alg, b->csum_alg) == 0 &&
	       memcmp(a->json, b->json, luks2_copy_json_bytes(a)) == 0;
}

/* The copies as bytes. hdr is good, so at least one of them is; hdr says which. */
static int read_copies(struct blkdev *dev, struct facts *facts)
{
	CLEANUP_LUKS2_COPY struct luks2_copy first = {0};
	CLEANUP_LUKS2_COPY struct luks2_copy second = {0};
	const struct luks2_copy *good;

	int first_err = luks2_disk_read(dev, 0, &first);
	int second_err = luks2_disk_read(dev, facts->hdr->hdr_bytes, &second);

	memcpy(facts->copies, facts->hdr->copies, sizeof(facts->copies));
	facts->seqids[0] = first.seqid;
	facts->seqids[1] = second.seqid;
	facts->equal = first_err == 0 && second_err == 0 && same_copy(&first, &second);
	good = facts->copies[0] == LUKS2_COPY_OK && first.json ? &first : &second;
	if (!good->json)
		return -EIO; /* it changed under our hands */
	facts->metadata = strndup(good->json, luks2_copy_json_bytes(good));
	return facts->metadata ? 0 : -ENOMEM;
}

static int hash_header(struct blkdev *dev, struct facts *facts)
{
	uint64_t len = facts->luks1 ? LUKS1_HDR_BYTES : 2 * facts->hdr->hdr_bytes;
	CLEANUP_FREE uint8_t *bytes = NULL;
	uint8_t digest[HASH256_BYTES];
	int r;

	if (len > dev->size_bytes)
		return 0;
	bytes = malloc(len);
	if (!bytes)
		return -ENOMEM;
	r = blkdev_read(dev, bytes, len, 0);
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	hash256_of(bytes, len, NULL, 0, digest);
	hex_encode(digest, sizeof(digest), facts->header_sha256);
	return 0;
}

/* A header without its data ends where they would begin, or claims that they begin inside of it. */
static enum facts_kind kind_of(struct blkdev *dev, const struct facts *facts)
{
	const struct luks2_segment *segment = facts->hdr ? luks2_data_segment(facts->hdr) : NULL;
	struct stat st;

	filedev_stat(dev, &st);
	if (segment && (segment->offset >= dev->size_bytes || segment->offset < facts->hdr->hdr_bytes * 2))
		return FACTS_HEADER;
	return S_ISBLK(st.st_mode) ? FACTS_DRIVE : FACTS_CONTAINER;
}

/* Neither a second copy nor a document. */
static int read_luks1(struct blkdev *dev, struct facts *facts)
{
	facts->luks1 = malloc(LUKS1_HDR_BYTES);
	if (!facts->luks1)
		return -ENOMEM;
	return blkdev_read(dev, facts->luks1, LUKS1_HDR_BYTES, 0) < 0 ? -EIO : 0;
}

static int collect_header(struct blkdev *dev, struct facts *facts)
{
	struct diag diag = {0};
	int r = luks2_load(dev, 0, &facts->hdr, &diag);

	if (r == -ENOMEM)
		return r;
	facts->state = state_of(r);
	facts->err = r;
	free(facts->detail);
	facts->detail = strdup(diag.detail);
	if (!facts->detail || r < 0)
		return facts->detail ? 0 : -ENOMEM;
	if (facts->hdr->version == 1) {
		facts->state = FACTS_LUKS1;
		r = read_luks1(dev, facts);
	} else {
		facts->doc = json_incref(facts->hdr->json);
		r = read_copies(dev, facts);
	}
	if (r == 0)
		r = hash_header(dev, facts);
	if (r == -EIO) {
		facts->state = FACTS_UNREADABLE;
		facts->err = r;
		luks2_free(facts->hdr);
		facts->hdr = NULL;
		return 0;
	}
	return r;
}

static int collect(const char *target, struct facts *facts)
{
	CLEANUP_BLKDEV struct blkdev *dev = NULL;
	struct diag diag = {0};
	int r = filedev_open(target, FILEDEV_NO_LOCK, 0, &dev, &diag);

	if (r == -ENOMEM)
		return r;
	if (r < 0) {
		facts->state = FACTS_UNREADABLE;
		facts->err = r;
		facts->detail = strdup(diag.detail);
		return facts->detail ? 0 : -ENOMEM;
	}
	facts->size_bytes = dev->size_bytes;
	r = collect_header(dev, facts);
	facts->kind = kind_of(dev, facts);
	if (r == 0 && facts->kind != FACTS_HEADER)
		r = facts_collect_device(dev, target, facts);
	return r;
}

int facts_collect(const char *target, struct facts **ret_facts)
{
	struct facts *facts = calloc(1, sizeof(*facts));
	int r = -ENOMEM;

	if (facts && (facts->target = strdup(target))) {
		facts->device.rotational = facts->unlocked.clean = -1;
		r = collect(target, facts);
	}
	if (r < 0) {
		facts_free(facts);
		return r;
	}
	*ret_facts = facts;
	return 0;
}

/* ---- the volume key ---- */

/* Of published test vectors for XTS: IEEE 1619 annex B, as words that their keys begin with. */
static const uint8_t published[][8] = {
	{0x27, 0x18, 0x28, 0x18, 0x28, 0x45, 0x90, 0x45},
	{0xff, 0xfe, 0xfd, 0xfc, 0xfb, 0xfa, 0xf9, 0xf8},
	{0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11},
	{0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07},
};

static bool looks_random(const uint8_t *key, size_t len)
{
	bool seen[256] = {false};
	size_t different = 0;

	/* of 32 random bytes fewer than 16 differ once in 2^40 keys; of 64, still less often */
	for (size_t i = 0; i < len; i++) {
		different += !seen[key[i]];
		seen[key[i]] = true;
	}
	for (size_t period = 1; period <= len / 2; period++)
		if (memcmp(key, key + period, len - period) == 0)
			return false;
	return different >= (len < 32 ? len / 2 : 16);
}

static int judge_seal(struct facts *facts, const struct secret *volume_key)
{
	struct facts_unlocked *unlocked = &facts->unlocked;
	struct diag why = {0};
	int r = luks2_seal_check(facts->hdr, volume_key, &unlocked->seal, &why);

	if (r < 0)
		return r;
	unlocked->seal_known = true;
	if (why.detail[0])
		unlocked->changed = strdup(why.detail);
	return why.detail[0] && !unlocked->changed ? -ENOMEM : 0;
}

int facts_add_key(struct facts *facts, const struct secret *volume_key, bool weak, const struct secret *fingerprint_key)
{
	struct facts_unlocked *unlocked = &facts->unlocked;
	const uint8_t *key = volume_key ? secret_data_const(volume_key) : NULL;
	size_t len = volume_key ? secret_len(volume_key) : 0;
	uint8_t digest[HMAC_BYTES];
	int r;

	unlocked->known = true;
	unlocked->halves_differ = !weak && (len < 2 || !bytes_equal_ct(key, key + len / 2, len / 2));
	unlocked->random = key && looks_random(key, len);
	for (size_t i = 0; key && i < ARRAY_SIZE(published); i++)
		if (len >= sizeof(published[i]) && bytes_equal_ct(key, published[i], sizeof(published[i])))
			unlocked->published = true;
	r = key ? judge_seal(facts, volume_key) : 0;
	if (r < 0 || !key || !fingerprint_key)
		return r;
	r = hmac_sha256(fingerprint_key, &(struct bytes_part){key, len}, 1, digest);
	if (r == 0)
		hex_encode(digest, sizeof(digest), unlocked->fingerprint);
	return r;
}
