/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The event log under everything that can happen to a file, and Merkle proofs of all small trees. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "audit/checkpoint.h"
#include "audit/eventlog.h"
#include "audit/merkle.h"
#include "audit/strict.h"
#include "kernel-shim/cryptdev.h"
#include "tests/unit.h"

static char folder[] = "/tmp/sealdrive-unit-log.XXXXXX", path[64];

static int append(const char *target)
{
	const struct event event = {.op = "mount", .target = target, .uuid = "u", .policy = "p/1",
		.detail = json_pack("{s:i}", "n", 1)};

	return eventlog_append(path, &event);
}

static void put(const char *text, size_t len)
{
	FILE *file = fopen(path, "w");

	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	CU_ASSERT_EQUAL(fwrite(text, 1, len, file), len);
	fclose(file);
}

static int verify(size_t *ret_count)
{
	CLEANUP_EVENTLOG struct eventlog log = {0};
	struct diag diag = {0};
	size_t backwards;
	int r = eventlog_read(path, &log);

	if (r == 0)
		r = eventlog_verify(&log, &backwards, &diag);
	if (ret_count)
		*ret_count = log.count;
	return r;
}

/* Against the checkpoint, too: the whole of what an auditor sees. */
static int audit(const char *checkpoint, size_t len)
{
	CLEANUP_EVENTLOG struct eventlog log = {0};
	struct diag diag = {0};
	size_t backwards;
	int r = eventlog_read(path, &log);

	if (r == 0)
		r = eventlog_verify(&log, &backwards, &diag);
	return r == 0 ? checkpoint_verify(&log, checkpoint, len, &diag) : r;
}

static void make_log(int count, char **ret_text, size_t *ret_len, char **ret_checkpoint, size_t *ret_checkpoint_len)
{
	CLEANUP_EVENTLOG struct eventlog log = {0};

	unlink(path);
	for (int i = 0; i < count; i++) {
		char target[32];

		snprintf(target, sizeof(target), "/dev/sd%c é\n", 'a' + i);
		CU_ASSERT_EQUAL_FATAL(append(target), 0);
	}
	CU_ASSERT_EQUAL_FATAL(strict_read_file(path, 1 << 20, ret_text, ret_len), 0);
	CU_ASSERT_EQUAL_FATAL(eventlog_read(path, &log), 0);
	CU_ASSERT_EQUAL(log.count, (size_t)count);
	CU_ASSERT_EQUAL_FATAL(checkpoint_print(&log, 1796072400, ret_checkpoint, ret_checkpoint_len), 0);
}

static void test_every_byte(void)
{
	CLEANUP_FREE char *text = NULL, *checkpoint = NULL;
	size_t len, checkpoint_len;

	make_log(6, &text, &len, &checkpoint, &checkpoint_len);
	CU_ASSERT_EQUAL(audit(checkpoint, checkpoint_len), 0);
	for (size_t i = 0; i < len; i++) {
		text[i] ^= 1;
		put(text, len);
		if (audit(checkpoint, checkpoint_len) != -SDE_LOG) {
			printf("# byte %zu\n", i);
			CU_FAIL("a change was not noticed");
		}
		text[i] ^= 1;
	}
	for (size_t cut = 0; cut < len; cut++) {
		put(text, cut);
		if (audit(checkpoint, checkpoint_len) != -SDE_LOG)
			CU_FAIL("a cut was not noticed");
	}
	put(text, len);
	CU_ASSERT_EQUAL(audit(checkpoint, checkpoint_len), 0);
	for (size_t i = 0; i < checkpoint_len - 1; i++) {
		checkpoint[i] ^= 1;
		/* time and place are for people, and signed when it matters */
		if (audit(checkpoint, checkpoint_len) == 0 && i < (size_t)(strstr(checkpoint, "\"ts") - checkpoint) &&
			!(i > (size_t)(strstr(checkpoint, "station") - checkpoint)))
			CU_FAIL("a changed checkpoint was not noticed");
		checkpoint[i] ^= 1;
	}
}

/* The chain by itself, of somebody who has no checkpoint: all but the last record is held by the next one. */
static void test_chain(void)
{
	CLEANUP_FREE char *text = NULL, *checkpoint = NULL, *wide = NULL;
	size_t len, checkpoint_len, last;

	make_log(4, &text, &len, &checkpoint, &checkpoint_len);
	last = (size_t)((char *)memrchr(text, '\n', len - 1) + 1 - text);
	for (size_t i = 0; i < last; i += unit_step()) {
		text[i] ^= 1;
		put(text, len);
		if (verify(NULL) != -SDE_LOG) {
			printf("# byte %zu\n", i);
			CU_FAIL("a change was not noticed");
		}
		text[i] ^= 1;
	}
	/* the same record, written in another way */
	CU_ASSERT_TRUE_FATAL(asprintf(&wide, "%.*s{ %s", (int)last, text, text + last + 1) > 0);
	put(wide, len + 1);
	CU_ASSERT_EQUAL(verify(NULL), -SDE_LOG);
	put(text, len);
	CU_ASSERT_EQUAL(verify(NULL), 0);
}

/* Records are in the order in which they were written, whatever the clock says; how often it went back is told. */
static void test_clock(void)
{
	CLEANUP_FREE char *text = NULL, *checkpoint = NULL;
	CLEANUP_EVENTLOG struct eventlog log = {0};
	struct diag diag = {0};
	size_t len, checkpoint_len, backwards = 0;
	char *ts;

	make_log(3, &text, &len, &checkpoint, &checkpoint_len);
	ts = strstr((char *)memrchr(text, '\n', len - 1), "\"ts\":\"");
	CU_ASSERT_PTR_NOT_NULL_FATAL(ts);
	memcpy(ts + 6, "1999", 4);
	put(text, len);
	CU_ASSERT_EQUAL(append("after"), 0);
	CU_ASSERT_EQUAL_FATAL(eventlog_read(path, &log), 0);
	CU_ASSERT_EQUAL(eventlog_verify(&log, &backwards, &diag), 0);
	CU_ASSERT_EQUAL(log.count, 4);
	CU_ASSERT_EQUAL(backwards, 1);
}

/* What lies in the place of the log is not followed. */
static void test_link(void)
{
	char victim[300];
	struct stat st;

	snprintf(victim, sizeof(victim), "%s/victim", folder);
	unlink(path);
	CU_ASSERT_EQUAL_FATAL(symlink(victim, path), 0);
	CU_ASSERT_EQUAL(append("x"), -ELOOP);
	CU_ASSERT_TRUE(lstat(victim, &st) < 0);
	FILE *file = fopen(victim, "w");

	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	fclose(file);
	CU_ASSERT_EQUAL(append("x"), -ELOOP);
	CU_ASSERT_EQUAL(stat(victim, &st), 0);
	CU_ASSERT_EQUAL(st.st_size, 0);
	unlink(victim);
	unlink(path);
}

static void test_lines(void)
{
	CLEANUP_FREE char *text = NULL, *checkpoint = NULL;
	CLEANUP_FREE char *changed = NULL;
	char *lines[8], *to;
	size_t len, checkpoint_len, count = 0;

	make_log(6, &text, &len, &checkpoint, &checkpoint_len);
	changed = malloc(2 * len);
	for (char *p = text; p < text + len; p = strchr(p, '\n') + 1)
		lines[count++] = p;
	lines[count] = text + len;
	for (size_t i = 0; i < count; i++) {
		/* one is missing; the last one only shows against the checkpoint */
		to = mempcpy(changed, text, (size_t)(lines[i] - text));
		to = mempcpy(to, lines[i + 1], (size_t)(text + len - lines[i + 1]));
		put(changed, (size_t)(to - changed));
		CU_ASSERT_EQUAL(verify(NULL), i + 1 < count ? -SDE_LOG : 0);
		CU_ASSERT_EQUAL(audit(checkpoint, checkpoint_len), -SDE_LOG);
		/* twice */
		to = mempcpy(changed, text, (size_t)(lines[i + 1] - text));
		to = mempcpy(to, lines[i], (size_t)(text + len - lines[i]));
		put(changed, (size_t)(to - changed));
		CU_ASSERT_EQUAL(verify(NULL), -SDE_LOG);
		if (i + 1 == count)
			continue;
		/* swapped with the next */
		to = mempcpy(changed, text, (size_t)(lines[i] - text));
		to = mempcpy(to, lines[i + 1], (size_t)(lines[i + 2] - lines[i + 1]));
		to = mempcpy(to, lines[i], (size_t)(lines[i + 1] - lines[i]));
		to = mempcpy(to, lines[i + 2], (size_t)(text + len - lines[i + 2]));
		put(changed, (size_t)(to - changed));
		CU_ASSERT_EQUAL(verify(NULL), -SDE_LOG);
	}
}

static void test_half_written(void)
{
	CLEANUP_FREE char *text = NULL, *checkpoint = NULL;
	CLEANUP_EVENTLOG struct eventlog log = {0};
	size_t len, checkpoint_len, count;

	make_log(3, &text, &len, &checkpoint, &checkpoint_len);
	for (size_t cut = 1; cut < 200; cut += 7) {
		put(text, len - cut);
		CU_ASSERT_EQUAL(verify(NULL), -SDE_LOG);
		CU_ASSERT_EQUAL(append("after"), 0);
		CU_ASSERT_EQUAL(verify(&count), 0);
		CU_ASSERT_EQUAL(count, 4); /* two whole ones, the note, the new one */
	}
	CU_ASSERT_EQUAL_FATAL(eventlog_read(path, &log), 0);
	CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(log.records[2].doc, "op")), "log-repaired");
	/* what ends in no record at all is left alone */
	put("nonsense\n", 9);
	CU_ASSERT_EQUAL(append("x"), -SDE_LOG);
	CU_ASSERT_EQUAL(eventlog_check(path), -SDE_LOG);
}

static void test_many_writers(void)
{
	enum { WRITERS = 6, EACH = 20 };
	size_t count;

	unlink(path);
	for (int w = 0; w < WRITERS; w++)
		if (fork() == 0) {
			for (int i = 0; i < EACH; i++)
				if (append("x") < 0)
					_exit(1);
			_exit(0);
		}
	for (int w = 0, status; w < WRITERS; w++) {
		wait(&status);
		CU_ASSERT_EQUAL(status, 0);
	}
	CU_ASSERT_EQUAL(verify(&count), 0);
	CU_ASSERT_EQUAL(count, WRITERS * EACH);
}

/* A file that may not grow behaves like a disk that is full. */
static void test_full(void)
{
	CLEANUP_FREE char *text = NULL, *checkpoint = NULL, *after = NULL;
	size_t len, checkpoint_len, after_len;
	struct rlimit old, limit;

	make_log(3, &text, &len, &checkpoint, &checkpoint_len);
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &old);
	for (size_t room = 0; room < 200; room += 50) {
		limit = (struct rlimit){len + room, old.rlim_max};
		setrlimit(RLIMIT_FSIZE, &limit);
		CU_ASSERT_TRUE(append("x") < 0);
	}
	setrlimit(RLIMIT_FSIZE, &old);
	CU_ASSERT_EQUAL_FATAL(strict_read_file(path, 1 << 20, &after, &after_len), 0);
	CU_ASSERT_EQUAL(after_len, len);
	CU_ASSERT_EQUAL(memcmp(after, text, len), 0);
	CU_ASSERT_EQUAL(append("x"), 0);
	CU_ASSERT_EQUAL(verify(NULL), 0);
}

static void test_place(void)
{
	CLEANUP_FREE char *system = NULL, *own = NULL;
	char below[96];

	CU_ASSERT_EQUAL_FATAL(eventlog_path(folder, &system), 0);
	snprintf(below, sizeof(below), "%s/events.jsonl", folder);
	CU_ASSERT_STRING_EQUAL(system, below);
	setenv("XDG_STATE_HOME", folder, 1);
	CU_ASSERT_EQUAL_FATAL(eventlog_path("/nonexistent", &own), 0);
	snprintf(below, sizeof(below), "%s/sealdrive/events.jsonl", folder);
	CU_ASSERT_STRING_EQUAL(own, below);
	*strrchr(below, '/') = '\0';
	CU_ASSERT_EQUAL(rmdir(below), 0);
	/* root with a user's environment writes nothing that the user could lead elsewhere */
	if (geteuid() == 0 && chown(folder, 65534, 65534) == 0) {
		free(own);
		own = NULL;
		unsetenv("HOME");
		CU_ASSERT_EQUAL(eventlog_path("/nonexistent", &own), -ENOENT);
		snprintf(below, sizeof(below), "%s/not/there", folder);
		setenv("XDG_STATE_HOME", below, 1);
		CU_ASSERT_EQUAL(eventlog_path("/nonexistent", &own), -ENOENT);
		CU_ASSERT_EQUAL(chown(folder, 0, 0), 0);
	}
	unsetenv("XDG_STATE_HOME");
	unsetenv("HOME");
	CU_ASSERT_EQUAL(eventlog_path("/nonexistent", &own), -ENOENT);
}

static void ct_leaves(hash256_value *leaves, size_t count)
{
	static const struct {
		const char *bytes;
		size_t len;
	} inputs[] = {{"", 0}, {"\x00", 1}, {"\x10", 1}, {"\x20\x21", 2}, {"\x30\x31", 2}, {"\x40\x41\x42\x43", 4},
		{"\x50\x51\x52\x53\x54\x55\x56\x57", 8},
		{"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f", 16}};

	for (size_t i = 0; i < count; i++)
		hash256_of("", 1, inputs[i % 8].bytes, inputs[i % 8].len, leaves[i]);
}

/* The test vectors of Certificate Transparency, and all proofs of all small trees. */
static void test_merkle(void)
{
	hash256_value leaves[80], root, top, proof[MERKLE_PATH_MAX];
	char hex[HASH256_HEX];

	ct_leaves(leaves, 8);
	merkle_root(leaves, 0, root);
	hex_encode(root, sizeof(root), hex);
	CU_ASSERT_STRING_EQUAL(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	merkle_root(leaves, 8, root);
	hex_encode(root, sizeof(root), hex);
	CU_ASSERT_STRING_EQUAL(hex, "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328");
	for (size_t i = 0; i < 80; i++)
		memset(leaves[i], (int)i, sizeof(leaves[i]));
	for (size_t count = 1; count < 80; count++) {
		merkle_root(leaves, count, root);
		for (size_t i = 0; i < count; i++) {
			size_t len = merkle_path(leaves, count, i, proof);

			if (merkle_climb(leaves[i], i, count, (const hash256_value *)proof, len, top) < 0 ||
				memcmp(top, root, sizeof(top)) != 0)
				CU_FAIL("a proof does not hold");
			if (count > 1 && merkle_climb(leaves[i], i ^ 1, count, (const hash256_value *)proof, len, top) == 0 &&
				memcmp(top, root, sizeof(top)) == 0)
				CU_FAIL("a proof holds for another place");
			if (len && merkle_climb(leaves[i], i, count, (const hash256_value *)proof, len - 1, top) == 0)
				CU_FAIL("a short proof");
			if (merkle_climb(leaves[i], i, count, (const hash256_value *)proof, len + 1, top) == 0)
				CU_FAIL("a long proof");
		}
	}
	CU_ASSERT_EQUAL(merkle_climb(leaves[0], 1, 1, NULL, 0, top), -EINVAL);
}

static void consistency_is(const hash256_value *leaves, size_t first, size_t count, const char *wanted)
{
	hash256_value proof[MERKLE_PATH_MAX];
	char hex[MERKLE_PATH_MAX * HASH256_HEX] = "";
	size_t len = merkle_consistency(leaves, first, count, proof);

	for (size_t i = 0; i < len; i++)
		hex_encode(proof[i], 4, hex + 8 * i); /* their beginnings tell them apart */
	CU_ASSERT_STRING_EQUAL(hex, wanted);
}

/* Whether the proof leads from the one root to the other. */
static bool climbs(size_t first, size_t count, const hash256_value old, const hash256_value new, hash256_value *proof, size_t len)
{
	hash256_value got_old, got_new;

	return merkle_climb_both(first, count, old, (const hash256_value *)proof, len, got_old, got_new) == 0 &&
	       memcmp(got_old, old, HASH256_BYTES) == 0 && memcmp(got_new, new, HASH256_BYTES) == 0;
}

static void consistency_of(const hash256_value *leaves, size_t first, size_t count)
{
	hash256_value old, new, proof[MERKLE_PATH_MAX + 1] = {{0}};
	size_t len = merkle_consistency(leaves, first, count, proof);

	merkle_root(leaves, first, old);
	merkle_root(leaves, count, new);
	if (!climbs(first, count, old, new, proof, len))
		CU_FAIL("a consistency proof does not hold");
	if (first == count)
		return;
	if (climbs(first, count, old, new, proof, len - 1) || climbs(first, count, old, new, proof, len + 1))
		CU_FAIL("one of another length holds");
	if (climbs(first + 1, count, old, new, proof, len) || (first > 1 && climbs(first - 1, count, old, new, proof, len)))
		CU_FAIL("one for another beginning holds");
	for (size_t i = 0; i < len; i++) {
		proof[i][i % HASH256_BYTES] ^= 1;
		if (climbs(first, count, old, new, proof, len))
			CU_FAIL("a changed one holds");
		proof[i][i % HASH256_BYTES] ^= 1;
	}
	old[5] ^= 1;
	if (climbs(first, count, old, new, proof, len))
		CU_FAIL("one for another earlier root holds");
	old[5] ^= 1;
	new[5] ^= 1;
	if (climbs(first, count, old, new, proof, len))
		CU_FAIL("one for another later root holds");
}

/* The vectors of Certificate Transparency for its eight leaves, and all pairs of small trees. */
static void test_consistency(void)
{
	hash256_value leaves[70];

	ct_leaves(leaves, 8);
	consistency_is(leaves, 1, 1, "");
	consistency_is(leaves, 1, 8, "96a296d25f083f0a6b47aaf2");
	consistency_is(leaves, 6, 8, "0ebc5d34ca854ea1d37ee418");
	consistency_is(leaves, 2, 5, "5f083f0abc1a0643");
	for (size_t i = 0; i < ARRAY_SIZE(leaves); i++)
		memset(leaves[i], (int)i, sizeof(leaves[i]));
	for (size_t count = 1; count <= unit_times(ARRAY_SIZE(leaves), 20); count++)
		for (size_t first = 1; first <= count; first++)
			consistency_of(leaves, first, count);
}

/* One that would be longer than a reader takes is not written, and the log goes on. */
static void test_too_long(void)
{
	static char target[EVENT_LINE_MAX];
	size_t count = 0;

	unlink(path);
	memset(target, 'x', sizeof(target) - 1);
	CU_ASSERT_EQUAL(append("a.img"), 0);
	CU_ASSERT_EQUAL(append(target), -E2BIG);
	CU_ASSERT_EQUAL(append("b.img"), 0);
	CU_ASSERT_EQUAL(verify(&count), 0);
	CU_ASSERT_EQUAL(count, 2);
}

/* Many at once are a chain like any other, all of them or none. */
static void test_at_once(void)
{
	static char target[EVENT_LINE_MAX];
	CLEANUP_FREE char *text = NULL, *after = NULL;
	struct event events[5] = {{0}};
	size_t count = 0, len, after_len;

	unlink(path);
	CU_ASSERT_EQUAL(append("a.img"), 0);
	CU_ASSERT_EQUAL(eventlog_append_all(path, NULL, 0), 0);
	for (size_t i = 0; i < ARRAY_SIZE(events); i++)
		events[i] = (struct event){.op = "audit", .target = i ? "b.img" : NULL, .detail = i ? json_pack("{s:i}", "n", (int)i) : NULL};
	CU_ASSERT_EQUAL(eventlog_append_all(path, events, ARRAY_SIZE(events)), 0);
	CU_ASSERT_EQUAL(append("c.img"), 0);
	CU_ASSERT_EQUAL(verify(&count), 0);
	CU_ASSERT_EQUAL(count, 7);
	CU_ASSERT_EQUAL_FATAL(strict_read_file(path, 1 << 20, &text, &len), 0);
	memset(target, 'x', sizeof(target) - 1);
	for (size_t i = 0; i < ARRAY_SIZE(events); i++)
		events[i] = (struct event){.op = "audit", .target = i == 3 ? target : "b.img"};
	CU_ASSERT_EQUAL(eventlog_append_all(path, events, ARRAY_SIZE(events)), -E2BIG);
	CU_ASSERT_EQUAL_FATAL(strict_read_file(path, 1 << 20, &after, &after_len), 0);
	CU_ASSERT(len == after_len && memcmp(text, after, len) == 0);
}

int main(void)
{
	int r;

	if (!mkdtemp(folder) || crypto_init() < 0)
		return 99;
	snprintf(path, sizeof(path), "%s/log", folder);
	r = UNIT_RUN(UNIT(test_too_long), UNIT(test_at_once), UNIT(test_every_byte), UNIT(test_chain), UNIT(test_clock), UNIT(test_link), UNIT(test_lines), UNIT(test_half_written), UNIT(test_many_writers),
		UNIT(test_full), UNIT(test_merkle), UNIT(test_consistency), UNIT(test_place));
	unlink(path);
	rmdir(folder);
	return r;
}
