/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Policies: every refusal at its place, inheritance, and texts that are damaged in every way. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "audit/policy.h"
#include "audit/strict.h"
#include "tests/unit.h"

#define HEAD "\"schema\":1,\"id\":\"x\",\"version\":3,\"title\":{\"en\":\"e\",\"vi\":\"v\"}"
#define WHOLE                                                                                      \
	"\"title\":{\"en\":\"a\",\"vi\":\"b\"},\"severity\":\"high\",\"mode\":\"fail\",\"clause\":\"c\"," \
	"\"remedy\":{\"en\":\"d\",\"vi\":\"e\"}"

static const char parent_text[] =
	"{" HEAD ",\"require_log\":true,\"checks\":{"
	"\"H-01\":{" WHOLE "},"
	"\"H-05\":{" WHOLE ",\"params\":{\"min_bytes\":32,\"advised_bytes\":64}}}}";

static int open_parent(void *ctx, const char *id, char **ret_text, size_t *ret_len)
{
	if (strcmp(id, "x") != 0)
		return -ENOENT;
	*ret_text = strdup(ctx ? ctx : parent_text);
	*ret_len = strlen(*ret_text);
	return *ret_text ? 0 : -ENOMEM;
}

static int parse(const char *text, struct policy **ret_policy, struct diag *diag)
{
	*diag = (struct diag){0};
	*ret_policy = NULL;
	return policy_parse(text, strlen(text), open_parent, NULL, ret_policy, diag);
}

static void refuses(const char *text, const char *where_and_why)
{
	struct policy *policy;
	struct diag diag;

	CU_ASSERT_EQUAL(parse(text, &policy, &diag), -SDE_FILE_INVALID);
	CU_ASSERT_PTR_NULL(policy);
	if (!strstr(diag.detail, where_and_why)) {
		printf("# '%s' is not in '%s'\n", where_and_why, diag.detail);
		CU_FAIL("another reason");
	}
}

static void test_refused(void)
{
	refuses("", "line 1, column 1");
	refuses("[]", "line 1, column 1: an object");
	refuses("{" HEAD ",\n\n  \"checks\":{} ", "line 3, column");
	refuses("{" HEAD ",\"checks\":{}} x", "line 1, column");
	refuses("{" HEAD ",\n \"checks\":{},\n \"id\":\"y\"}", "line 3, column 5: a member appears twice");
	refuses("{" HEAD "}", "line 1, column 1: /checks is missing");
	refuses("{" HEAD ",\n\"checks\":[]}", "line 2, column 10: /checks must be an object");
	refuses("{" HEAD ",\"checks\":{},\n  \"surprise\": 1}", "line 2, column 15: /surprise is not known here");
	refuses("{\"schema\":2,\"id\":\"x\",\"version\":3,\"title\":{\"en\":\"e\",\"vi\":\"v\"},\"checks\":{}}",
		"line 1, column 11: this program knows schema 1 only");
	refuses("{\"schema\":1,\"id\":\"../x\",\"version\":3,\"title\":{\"en\":\"e\",\"vi\":\"v\"},\"checks\":{}}",
		"column 18: an id has");
	refuses("{\"schema\":1,\"id\":\"x\",\"version\":-3,\"title\":{\"en\":\"e\",\"vi\":\"v\"},\"checks\":{}}",
		"/version must be a whole number");
	refuses("{" HEAD ",\"checks\":{\n\"H-99\":{}}}", "line 2, column 8: there is no check 'H-99'");
	refuses("{" HEAD ",\"checks\":{\n\"H-01\":{\"mode\":\n\"maybe\"}}}",
		"line 3, column 1: 'maybe' is not a value of /checks/H-01/mode");
	refuses("{" HEAD ",\"checks\":{\"H-01\":{\"title\":{\"en\":\"x\"}}}}", "/checks/H-01/title/vi is missing");
	refuses("{" HEAD ",\"checks\":{\"H-05\":{\"params\":{\"min_bytes\":\"32\"}}}}",
		"/checks/H-05/params/min_bytes must be a whole number");
	refuses("{" HEAD ",\"checks\":{\"H-05\":{\"params\":{\"max_bytes\":32}}}}",
		"/checks/H-05/params/max_bytes is not known here");
	refuses("{" HEAD ",\"checks\":{\"H-03\":{\"params\":{\"allow\":[\"a\",1]}}}}", "must be an array of strings");
	refuses("{" HEAD ",\"checks\":{\"H-01\":{\"severity\":\"high\",\"mode\":\"fail\"}}}", "/checks/H-01 has no 'title'");
	refuses("{" HEAD ",\"checks\":{\"H-05\":{" WHOLE ",\"params\":{\"min_bytes\":32}}}}",
		"/checks/H-05 has no parameter 'advised_bytes'");
	refuses("{" HEAD ",\"not_after\":\"2026-13-01\",\"checks\":{}}", "not_after is not a date");
	refuses("{" HEAD ",\"not_before\":\"2026-1-1\",\"checks\":{}}", "not_before is not a date");
	refuses("{" HEAD ",\n\"inherits\":\"nobody\",\"checks\":{}}", "line 2, column 12: policy 'nobody' cannot be read");
	refuses("{" HEAD ",\"checks\":{\"H-01\":{" WHOLE ",\"clause\":\"d\"}}}", "a member appears twice");
	refuses("{" HEAD ",\"issuer\":\"\\u0000\",\"checks\":{}}", "line 1, column");
	refuses("{" HEAD ",\"issuer\":\"\xff\",\"checks\":{}}", "line 1, column");
	refuses("{" HEAD ",\"require_log\":1,\"checks\":{}}", "/require_log must be true or false");
}

static void test_circle(void)
{
	static char self[] = "{" HEAD ",\"inherits\":\"x\",\"checks\":{}}";
	struct policy *policy = NULL;
	struct diag diag = {0};

	CU_ASSERT_EQUAL(policy_parse(self, strlen(self), open_parent, self, &policy, &diag), -SDE_FILE_INVALID);
	CU_ASSERT_PTR_NOT_NULL(strstr(diag.detail, "circle"));
}

static void test_inheritance(void)
{
	CLEANUP_POLICY struct policy *policy = NULL;
	struct diag diag;

	CU_ASSERT_EQUAL_FATAL(parse("{\"schema\":1,\"id\":\"y\",\"version\":4,\"inherits\":\"x\","
				    "\"title\":{\"en\":\"e\",\"vi\":\"v\"},\"not_before\":\"2026-02-01\",\"not_after\":\"2026-03-31\","
				    "\"checks\":{\"H-05\":{\"mode\":\"warn\",\"params\":{\"min_bytes\":64}},"
				    "\"H-02\":{\"mode\":\"off\"}}}", &policy, &diag), 0);
	CU_ASSERT_EQUAL(policy->version, 4);
	CU_ASSERT_TRUE(policy->require_log);
	CU_ASSERT_EQUAL(policy->rules[H01].mode, MODE_FAIL);
	CU_ASSERT_EQUAL(policy->rules[H02].mode, MODE_OFF);
	CU_ASSERT_EQUAL(policy->rules[H03].mode, MODE_OFF);
	CU_ASSERT_EQUAL(policy->rules[H05].mode, MODE_WARN);
	CU_ASSERT_EQUAL(policy->rules[H05].severity, SEVERITY_HIGH);
	CU_ASSERT_STRING_EQUAL(policy->rules[H05].clause.en, "c");
	CU_ASSERT_STRING_EQUAL(policy->rules[H05].clause.vi, "c");
	CU_ASSERT_EQUAL(rule_number(&policy->rules[H05], "min_bytes"), 64);
	CU_ASSERT_EQUAL(rule_number(&policy->rules[H05], "advised_bytes"), 64);
	CU_ASSERT_FALSE(policy_in_force(policy, "2026-01-31"));
	CU_ASSERT_TRUE(policy_in_force(policy, "2026-02-01"));
	CU_ASSERT_TRUE(policy_in_force(policy, "2026-03-31"));
	CU_ASSERT_FALSE(policy_in_force(policy, "2026-04-01"));
}

static void test_fault_in_parent(void)
{
	static char parent[] = "{" HEAD ",\n\"checks\":{\"H-01\":{\"mode\":1}}}";
	static const char child[] = "{\"schema\":1,\"id\":\"y\",\"version\":4,\"inherits\":\"x\","
				    "\"title\":{\"en\":\"e\",\"vi\":\"v\"},\"checks\":{}}";
	struct policy *policy = NULL;
	struct diag diag = {0};

	CU_ASSERT_EQUAL(policy_parse(child, strlen(child), open_parent, parent, &policy, &diag), -SDE_FILE_INVALID);
	CU_ASSERT_PTR_NOT_NULL(strstr(diag.detail, "x: line 2, column 26"));
}

static int open_profile(void *ctx, const char *id, char **ret_text, size_t *ret_len)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/policy/%s.json", (const char *)ctx, id);
	return strict_read_file(path, POLICY_BYTES_MAX, ret_text, ret_len);
}

/* Nothing but "valid" and "not valid" comes of any damage, and no error of memory (sanitizers). */
static void test_damaged(void)
{
	const char *top = getenv("top_srcdir");
	CLEANUP_FREE char *text = NULL;
	size_t len;
	int valid = 0;

	CU_ASSERT_EQUAL_FATAL(open_profile((void *)(uintptr_t)(top ? top : "."), "nist", &text, &len), 0);
	srandom(20261130);
	for (int round = 0; round < 4000; round++) {
		CLEANUP_FREE char *bad = malloc(len + 1);
		struct policy *policy = NULL;
		struct diag diag = {0};
		size_t cut = round % 7 == 0 ? (size_t)random() % len : len;

		memcpy(bad, text, len + 1);
		for (long i = random() % 4; i >= 0; i--)
			bad[(size_t)random() % len] = "{}[]\",:\\0\n\xff z"[random() % 14];
		int r = policy_parse(bad, cut, open_profile, (void *)(uintptr_t)(top ? top : "."), &policy, &diag);

		if (r == 0)
			valid++;
		else if (r != -SDE_FILE_INVALID || strncmp(diag.detail, "line ", 5) != 0)
			CU_FAIL("neither valid nor refused at a place");
		policy_free(policy);
	}
	CU_ASSERT_TRUE(valid < 4000);
}

static void test_profiles(void)
{
	static const char *const ids[] = {"baseline", "nist", "bsi", "vn-qcvn"};
	const char *top = getenv("top_srcdir");

	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		CLEANUP_POLICY struct policy *policy = NULL;
		CLEANUP_FREE char *text = NULL;
		struct diag diag = {0};
		size_t len;

		CU_ASSERT_EQUAL_FATAL(open_profile((void *)(uintptr_t)(top ? top : "."), ids[i], &text, &len), 0);
		int r = policy_parse(text, len, open_profile, (void *)(uintptr_t)(top ? top : "."), &policy, &diag);

		if (r < 0)
			printf("# %s: %s\n", ids[i], diag.detail);
		CU_ASSERT_EQUAL_FATAL(r, 0);
		CU_ASSERT_EQUAL(policy->provisional, strcmp(ids[i], "vn-qcvn") == 0);
		for (enum check_id c = 0; c < CHECK_COUNT; c++)
			if (policy->rules[c].mode != MODE_OFF && (!policy->rules[c].title.vi[0] || !policy->rules[c].remedy.vi[0]))
				CU_FAIL("a text is missing");
	}
}

int main(void)
{
	return UNIT_RUN(UNIT(test_refused), UNIT(test_circle), UNIT(test_inheritance), UNIT(test_fault_in_parent),
		UNIT(test_damaged), UNIT(test_profiles));
}
