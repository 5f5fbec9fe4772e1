/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libFuzzer on what people exchange: `make fuzz-audit && ./fuzz-audit CORPUS-DIR` (clang). With FUZZ_POLICY=FILE
 * (policy/baseline.json, say) all checks of that policy look at the drives of facts files, too.
 *
 * The first byte of an input says what the rest is: a policy, waivers' or an inventory's text goes the
 * same way through the strict reader, or the drives of a facts file, which gets its frame and its
 * checksum here, so that something lies behind them.
 */
#include <gcrypt.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "audit/audit.h"
#include "audit/canon.h"
#include "audit/facts-file.h"
#include "audit/policy-find.h"
#include "kernel-shim/cryptdev.h"
#include "keymgr/luks2-json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_policy(const char *text, size_t len)
{
	struct policy *policy = NULL;
	struct diag diag = {0};

	if (policy_parse(text, len, NULL, NULL, &policy, &diag) == 0)
		policy_free(policy);
	else if (!diag.detail[0])
		abort();
}

/* Takes the facts. */
static void judge(struct facts **facts, size_t count)
{
	static struct policy *policy;
	const char *path = getenv("FUZZ_POLICY");
	struct audit audit = {.today = "2026-11-30", .count = count};

	if (path && !policy && policy_load(path, &policy, NULL) < 0)
		abort();
	audit.policy = policy;
	audit.drives = calloc(count + 1, sizeof(*audit.drives));
	for (size_t i = 0; i < count; i++)
		audit.drives[i].facts = facts[i];
	if (policy && audit_evaluate(&audit) < 0)
		abort();
	audit_clear(&audit);
}

static void try_facts(const char *text, size_t len)
{
	CLEANUP_JSON json_t *drives = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	CLEANUP_FREE char *whole = NULL;
	CLEANUP_FREE char *bare = NULL;
	struct facts **facts;
	struct diag diag = {0};
	uint8_t digest[HASH256_BYTES];
	char hex[HASH256_HEX];
	size_t n, count;

	if (!json_is_array(drives))
		return;
	CLEANUP_JSON json_t *doc = json_pack("{s:i, s:s, s:s, s:O}", "schema", 1, "type", "sealdrive-facts", "collected",
		"", "drives", drives);

	if (canon_print(doc, &bare, &n) < 0)
		return;
	hash256_of(bare, n, NULL, 0, digest);
	hex_encode(digest, sizeof(digest), hex);
	json_object_set_new(doc, "sha256", json_string(hex));
	if (canon_print(doc, &whole, &n) < 0)
		abort();
	whole[n] = '\n';
	if (facts_file_parse(whole, n + 1, &facts, &count, &diag) < 0)
		return;
	judge(facts, count);
	free(facts);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* a final zero, as files have it when they are read */
	char *text = size ? malloc(size) : NULL;

	if (!text || crypto_init() < 0)
		return 0;
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	if (data[0] & 1)
		try_policy(text, size - 1);
	else
		try_facts(text, size - 1);
	free(text);
	return 0;
}
