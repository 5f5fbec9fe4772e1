/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/posix/run.h"

#include <signal.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/wait.h>

enum {
	MESSAGE_BYTES = 4096,
	EXIT_FAILED = 1,
	CASE_SECONDS = 120,
};

static char *messages; /* shared with the case's process */

__attribute__((format(printf, 1, 2))) static void message(const char *fmt, ...)
{
	size_t used = strlen(messages);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(messages + used, MESSAGE_BYTES - used, fmt, ap);
	va_end(ap);
}

__attribute__((format(printf, 2, 3))) _Noreturn static void failed(
	struct place at, const char *fmt, ...)
{
	char text[500];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	message("%s:%d: %s: %s\n", strrchr(at.file, '/') + 1, at.line, at.text, text);
	_exit(EXIT_FAILED);
}

long long expect_ok(long long result, struct place at)
{
	if (result < 0)
		failed(at, "failed: %s", strerrorname_np(errno));
	return result;
}

void expect_failure(long long result, int error, struct place at)
{
	if (result != -1)
		failed(at, "returned %lld, wanted %s", result, strerrorname_np(error));
	if (errno != error)
		failed(at, "failed with %s, wanted %s", strerrorname_np(errno),
			strerrorname_np(error));
}

void expect_same(long long got, long long wanted, struct place at)
{
	if (got != wanted)
		failed(at, "%lld (0%llo), wanted %lld (0%llo)", got, got, wanted, wanted);
}

void expect_true(bool holds, struct place at)
{
	if (!holds)
		failed(at, "does not hold");
}

_Noreturn static void run_child(const struct posix_case *c, const char *where)
{
	umask(022);
	alarm(CASE_SECONDS);
	if (chdir(where) < 0) {
		message("%s: %s\n", where, strerror(errno));
		_exit(EXIT_FAILED);
	}
	c->run(c->arg);
	_exit(0);
}

static int remove_tree(int parent, const char *name)
{
	int fd, r;
	DIR *dir;
	struct dirent *entry;

	if (unlinkat(parent, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (fchmodat(parent, name, 0700, 0) < 0)
		return -1;
	fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir)
		return -1;
	while ((entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			remove_tree(fd, entry->d_name);
	r = unlinkat(parent, name, AT_REMOVEDIR);
	closedir(dir);
	return r;
}

static enum outcome outcome_of(int status)
{
	if (WIFSIGNALED(status)) {
		message("killed by signal %d\n", WTERMSIG(status));
		return FAILED;
	}
	return WEXITSTATUS(status) == 0 ? PASSED : FAILED;
}

enum outcome run_case(const struct posix_case *c, const char *dir, unsigned number,
	const char **ret_messages)
{
	bool read_only = c->needs & READ_ONLY;
	char where[PATH_MAX];
	enum outcome outcome;
	int status;
	pid_t pid;

	if (!messages)
		messages = mmap(NULL, MESSAGE_BYTES, PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (messages == MAP_FAILED)
		abort();
	messages[0] = '\0';
	*ret_messages = messages;
	snprintf(where, sizeof(where), read_only ? "%s/prepared" : "%s/case-%u", dir, number);
	if (!read_only && mkdir(where, 0755) < 0) {
		message("%s: %s\n", where, strerror(errno));
		return FAILED;
	}
	pid = fork();
	if (pid == 0)
		run_child(c, where);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		abort();
	outcome = outcome_of(status);
	if (!read_only && remove_tree(AT_FDCWD, where) < 0) {
		message("%s cannot be removed: %s\n", where, strerror(errno));
		outcome = FAILED;
	}
	return outcome;
}
