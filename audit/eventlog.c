/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writing the event log.
 *
 * 1. A record, or all of one call, is appended under an exclusive lock of the file, by one write, and flushed
 *    before anything else is appended; "seq" rises by one and "prev" is the hash of the line before.
 * 2. A line without its newline is no record: a writer died or the power failed. The next writer cuts it off
 *    and appends a record "log-repaired" with length and hash of what was there, then its own.
 * 3. What is on the disk is never changed otherwise. When a write fails, the file is cut back to what it was.
 * 4. Only the last line is looked at before appending: the cost does not grow with the log. Whether
 *    all of it is whole is `log verify`'s business.
 */
#include "audit/eventlog.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "audit/canon.h"
#include "base/i18n.h"
#include "base/text.h"
#include "kernel-shim/cryptdev.h"
#include "keymgr/luks2-json.h"

#define FILE_NAME "events.jsonl"

/* ---- where ---- */

static int make_folders(char *path)
{
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		int r = mkdir(path, 0700) < 0 && errno != EEXIST ? -errno : 0;

		*slash = '/';
		if (r < 0)
			return r;
	}
	return 0;
}

/* Whether root may write below: not where the user whom root was before can put links. */
static bool is_roots(const char *folder)
{
	CLEANUP_FREE char *path = strdup(folder);
	struct stat st;

	/* of one that is not there yet, where it will be made counts */
	while (path && stat(path, &st) < 0) {
		char *slash = strrchr(path, '/');

		if (!slash || slash == path)
			return true;
		*slash = '\0';
	}
	return path && st.st_uid == 0;
}

static const char *own_folder(const char *folder)
{
	return folder && folder[0] == '/' && (geteuid() != 0 || is_roots(folder)) ? folder : NULL;
}

/* Where sudo leaves HOME as it was, root still has a home of its own. */
static const char *own_home(void)
{
	const char *home = own_folder(getenv("HOME"));
	const struct passwd *entry = home || !getenv("HOME") ? NULL : getpwuid(geteuid());

	return entry ? own_folder(entry->pw_dir) : home;
}

int eventlog_path(const char *folder, char **ret_path)
{
	const char *state = own_folder(getenv("XDG_STATE_HOME")), *home = own_home();
	CLEANUP_FREE char *path = NULL;
	int n, r;

	/* the system's log, unless it is somebody else's */
	if (access(folder, W_OK | X_OK) == 0) {
		if (asprintf(&path, "%s/" FILE_NAME, folder) < 0)
			return -ENOMEM;
		if (access(path, W_OK) == 0 || errno == ENOENT) {
			*ret_path = take_ptr(path);
			return 0;
		}
		free(path);
		path = NULL;
	}
	if (state)
		n = asprintf(&path, "%s/sealdrive/" FILE_NAME, state);
	else if (home)
		n = asprintf(&path, "%s/.local/state/sealdrive/" FILE_NAME, home);
	else
		return -ENOENT;
	if (n < 0) {
		path = NULL;
		return -ENOMEM;
	}
	r = make_folders(path);
	if (r == 0)
		*ret_path = take_ptr(path);
	return r;
}

/* ---- the end of the file ---- */

struct tail {
	off_t end; /* of the last whole line */
	uint64_t seq; /* of the last record; 0: none */
	char hash[HASH256_HEX];
	json_t *torn; /* what the record about a torn line says; NULL: there is none */
};

static int read_at(int fd, void *buf, size_t len, off_t off)
{
	ssize_t n;

	for (char *to = buf; len; to += n, off += n, len -= (size_t)n) {
		n = pread(fd, to, len, off);
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
	}
	return 0;
}

static int note_torn(struct tail *tail, const char *bytes, size_t len)
{
	uint8_t digest[HASH256_BYTES];
	char hex[HASH256_HEX];

	hash256_of(bytes, len, NULL, 0, digest);
	hex_encode(digest, sizeof(digest), hex);
	tail->torn = json_pack("{s:I, s:s}", "bytes", (json_int_t)len, "sha256", hex);
	return tail->torn ? 0 : -ENOMEM;
}

/* text is the last whole line, without its newline. */
static int read_last(struct tail *tail, const char *text, size_t len)
{
	static const uint8_t leaf = 0;
	CLEANUP_JSON json_t *doc = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	json_int_t seq = json_integer_value(json_object_get(doc, "seq"));
	uint8_t digest[HASH256_BYTES];

	if (seq < 1)
		return -SDE_LOG;
	hash256_of(&leaf, 1, text, len, digest);
	hex_encode(digest, sizeof(digest), tail->hash);
	tail->seq = (uint64_t)seq;
	return 0;
}

static int read_tail(int fd, struct tail *tail)
{
	CLEANUP_FREE char *buf = malloc(2 * EVENT_LINE_MAX);
	struct stat st;
	char *end, *start;
	size_t len;
	int r;

	memset(tail->hash, '0', sizeof(tail->hash) - 1);
	tail->hash[sizeof(tail->hash) - 1] = '\0';
	if (!buf)
		return -ENOMEM;
	if (fstat(fd, &st) < 0)
		return -errno;
	len = (size_t)(st.st_size < 2 * EVENT_LINE_MAX ? st.st_size : 2 * EVENT_LINE_MAX);
	r = read_at(fd, buf, len, st.st_size - (off_t)len);
	if (r < 0 || !len)
		return r;
	end = memrchr(buf, '\n', len);
	if (!end && st.st_size > (off_t)len)
		return -SDE_LOG;
	tail->end = st.st_size - (off_t)len + (end ? end + 1 - buf : 0);
	if (tail->end < st.st_size)
		r = note_torn(tail, end ? end + 1 : buf, (size_t)(st.st_size - tail->end));
	if (r < 0 || !end)
		return r;
	start = memrchr(buf, '\n', (size_t)(end - buf));
	if (!start && st.st_size > (off_t)len)
		return -SDE_LOG;
	start = start ? start + 1 : buf;
	return read_last(tail, start, (size_t)(end - start));
}

/* ---- records ---- */

static json_t *safe_string(const char *text)
{
	CLEANUP_FREE char *safe = NULL;

	return text && text_sanitize(text, strlen(text), &safe) == 0 ? json_string(safe) : json_null();
}

static void now(char out[40])
{
	struct timespec ts;
	struct tm tm;
	size_t len;

	clock_gettime(CLOCK_REALTIME, &ts);
	gmtime_r(&ts.tv_sec, &tm);
	len = strftime(out, 40, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(out + len, 40 - len, ".%03ldZ", ts.tv_nsec / 1000000);
}

static json_t *actor(void)
{
	const struct passwd *entry = getpwuid(getuid());

	return json_pack("{s:I, s:o}", "uid", (json_int_t)getuid(), "name", safe_string(entry ? entry->pw_name : NULL));
}

static const char *result_of(int exit_status)
{
	return exit_status == EXIT_DONE ? "done" : exit_status == EXIT_POLICY ? "refused" : "failed";
}

static int event_line(const struct event *event, struct tail *tail, char **ret_line, size_t *ret_len)
{
	CLEANUP_FREE char *line = NULL;
	char station[256] = "", ts[40];
	size_t len;
	int r;

	gethostname(station, sizeof(station) - 1);
	now(ts);
	CLEANUP_JSON json_t *doc = json_pack("{s:i, s:I, s:s, s:s, s:o, s:o, s:s, s:o, s:o, s:s, s:o, s:O*}", "v", 1, "seq",
		(json_int_t)(tail->seq + 1), "prev", tail->hash, "ts", ts, "actor", actor(), "station",
		safe_string(station), "op", event->op, "target", safe_string(event->target), "uuid",
		safe_string(event->uuid), "result", result_of(event->exit_status),
		"policy", safe_string(event->policy), "detail", event->detail);

	if (!doc || (event->exit_status && json_object_set_new(doc, "exit", json_integer(event->exit_status))))
		return -ENOMEM;
	r = canon_print(doc, &line, &len);
	if (r < 0)
		return r;
	if (len + 1 > EVENT_LINE_MAX)
		return -E2BIG;
	line[len++] = '\n'; /* in the place of the final zero */
	*ret_line = take_ptr(line);
	*ret_len = len;
	return 0;
}

static int write_lines(int fd, const char *lines, size_t len, off_t end)
{
	ssize_t n = pwrite(fd, lines, len, end);
	int r = 0;

	if (n < 0 || (size_t)n < len || fsync(fd) < 0) {
		r = n < 0 || (size_t)n == len ? -errno : -ENOSPC;
		/* where that fails, too, the next writer cuts off what is half a line; whole ones are records */
		if (ftruncate(fd, end) == 0)
			(void)fsync(fd);
	}
	return r;
}

static int put_events(int fd, const struct event *events, size_t count, struct tail *tail)
{
	CLEANUP_FREE char *lines = NULL;
	size_t total = 0, len;
	FILE *out = open_memstream(&lines, &total);
	int r = out ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < count; i++) {
		CLEANUP_FREE char *line = NULL;

		r = event_line(&events[i], tail, &line, &len);
		if (r == 0 && fwrite(line, 1, len, out) != len)
			r = -ENOMEM;
		if (r == 0)
			r = read_last(tail, line, len - 1);
	}
	if (out && fclose(out) != 0 && r == 0)
		r = -ENOMEM;
	if (r == 0)
		r = write_lines(fd, lines, total, tail->end);
	if (r == 0)
		tail->end += (off_t)total;
	return r;
}

static int put_all(int fd, const struct event *events, size_t count)
{
	struct tail tail = {0};
	int r = read_tail(fd, &tail);

	if (r == 0 && tail.torn) {
		const struct event repaired = {.op = "log-repaired", .policy = events[0].policy, .detail = tail.torn};

		r = ftruncate(fd, tail.end) < 0 ? -errno : put_events(fd, &repaired, 1, &tail);
	}
	json_decref(tail.torn);
	return r == 0 ? put_events(fd, events, count, &tail) : r;
}

static int sync_folder(const char *path)
{
	CLEANUP_FREE char *folder = strdup(path);
	char *slash = folder ? strrchr(folder, '/') : NULL;

	if (!folder)
		return -ENOMEM;
	if (slash)
		*slash = '\0';
	CLEANUP_FD int fd = open(slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

static int open_log(const char *path, int *ret_fd)
{
	CLEANUP_FD int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	bool made = fd >= 0;

	if (fd < 0 && errno == EEXIST)
		fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || flock(fd, LOCK_EX) < 0)
		return -errno;
	int r = made ? sync_folder(path) : 0;

	if (r == 0)
		*ret_fd = take_fd(&fd);
	return r;
}

int eventlog_append_all(const char *path, const struct event *events, size_t count)
{
	CLEANUP_FD int fd = -1;
	int r = count ? crypto_init() : 0;

	if (r == 0 && count)
		r = open_log(path, &fd);
	if (r == 0 && count)
		r = put_all(fd, events, count);
	for (size_t i = 0; i < count; i++)
		json_decref(events[i].detail);
	return r;
}

int eventlog_append(const char *path, const struct event *event)
{
	return eventlog_append_all(path, event, 1);
}

int eventlog_check(const char *path)
{
	struct tail tail = {0};
	CLEANUP_FD int fd = -1;
	int r = crypto_init();

	if (r == 0)
		r = open_log(path, &fd);
	if (r == 0)
		r = read_tail(fd, &tail);
	json_decref(tail.torn);
	return r;
}
