/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One loop waits for three things: what the program prints, how far it is (e2fsck -C), and signals,
 * which are blocked all the while. It ends when the program has closed its output; only then is it
 * waited for, and only then is the file taken away.
 */
#include "cli/tool.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

#include "base/bytes.h"
#include "base/i18n.h"
#include "base/secret.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/progress.h"
#include "fuse/plainfile.h"

enum {
	OUTPUT_MAX = 1024 * 1024,
	PROGRESS_FD = 3, /* in the program */
	ARGS_MAX = 10,
	PASSES = 5,
};

static const char sbin_folders[] = "/usr/local/sbin:/usr/sbin:/sbin";

struct run {
	const struct tool *tool;
	pid_t pid;
	int output, progress, signals; /* descriptors */
	char *text;
	size_t text_len;
	bool cut; /* there was more */
	char line[128]; /* of progress, so far */
	size_t line_len;
	struct progress shown;
	int stopped_by; /* signal, 0: none */
};

void tool_result_clear(struct tool_result *result)
{
	if (result->output) /* names of files */
		bytes_wipe(result->output, strlen(result->output));
	free(result->output);
	free(result->path);
	*result = (struct tool_result){0};
}

/* ---- starting ---- */

/* An ordinary user's PATH often leaves out the folders where these programs are. */
static bool find_program(const char *name, char *path, size_t size)
{
	const char *lists[] = {getenv("PATH"), sbin_folders};

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		for (const char *p = lists[i] ? lists[i] : ""; *p; p += strcspn(p, ":"), p += *p == ':') {
			int n = snprintf(path, size, "%.*s/%s", (int)strcspn(p, ":"), p, name);

			if (path[0] == '/' && n > 0 && (size_t)n < size && access(path, X_OK) == 0)
				return true;
		}
	}
	return false;
}

int tool_check_installed(const char *program, struct diag *diag)
{
	char path[4096];

	return find_program(program, path, sizeof(path)) ? 0
		: diag_set(diag, -SDE_TOOL, "%s", program);
}

/* The language, and what keeps e2fsprogs from writing anywhere else. */
static const char **environment_make(void)
{
	static const char *const kept[] = {"LANG=", "LANGUAGE=", "LC_", "LOCPATH="};
	static const char *const fixed[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "E2FSCK_CONFIG=/dev/null",
		"E2FSPROGS_UNDO_DIR=none"};
	size_t count = ARRAY_SIZE(fixed) + 1;
	const char **env;

	for (char **e = environ; *e; e++)
		count++;
	env = calloc(count, sizeof(*env));
	if (!env)
		return NULL;
	count = 0;
	for (size_t i = 0; i < ARRAY_SIZE(fixed); i++)
		env[count++] = fixed[i];
	for (char **e = environ; *e; e++)
		for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
			if (strncmp(*e, kept[i], strlen(kept[i])) == 0)
				env[count++] = *e;
	return env;
}

static void arguments_make(const struct run *run, const char *path, const char *argv[ARGS_MAX])
{
	int n = 0;

	argv[n++] = run->tool->program;
	for (const char *const *a = run->tool->arguments; *a; a++)
		argv[n++] = *a;
	if (run->progress >= 0) {
		argv[n++] = "-C";
		argv[n++] = "3";
	}
	argv[n++] = path;
	argv[n] = NULL;
}

/* output and progress: the ends that the program writes into; progress -1: none */
static int spawn(struct run *run, const char *path, int output, int progress)
{
	const char *argv[ARGS_MAX];
	CLEANUP_FREE const char **env = environment_make();
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	char program[4096];
	sigset_t none;
	int err;

	if (!env)
		return -ENOMEM;
	if (!find_program(run->tool->program, program, sizeof(program)))
		return -SDE_TOOL;
	arguments_make(run, path, argv);
	sigemptyset(&none);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO);
	if (progress >= 0)
		posix_spawn_file_actions_adddup2(&actions, progress, PROGRESS_FD);
	/* nothing that we inherited, such as a passphrase's file */
	posix_spawn_file_actions_addclosefrom_np(&actions, PROGRESS_FD + (progress >= 0));
	/* exec changes none of these strings; only its type, older than const, does not say so */
	err = posix_spawn(&run->pid, program, &actions, &attr, (char **)(uintptr_t)argv,
		(char **)(uintptr_t)env);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attr);
	return -err;
}

static int start(struct run *run, const char *path)
{
	bool progress = run->tool->progress && isatty(STDERR_FILENO);
	CLEANUP_FD int output_end = -1;
	CLEANUP_FD int progress_end = -1;
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	run->output = fds[0];
	output_end = fds[1];
	if (progress) {
		if (pipe2(fds, O_CLOEXEC) < 0)
			return -errno;
		run->progress = fds[0];
		progress_end = fds[1];
	}
	return spawn(run, path, output_end, progress_end);
}

/* ---- waiting ---- */

/* false: the end */
static bool take_output(struct run *run)
{
	char buf[4096];
	ssize_t n = read(run->output, buf, sizeof(buf));

	if (n < 0)
		return errno == EINTR;
	if (n > 0) {
		size_t len = min_u64((size_t)n, OUTPUT_MAX - run->text_len);

		memcpy(run->text + run->text_len, buf, len);
		run->text_len += len;
		run->cut |= len < (size_t)n;
	}
	return n > 0;
}

/* "PASS DONE ALL NAME": the passes take about these shares of the time. */
static void show_line(struct run *run)
{
	static const int share_start[PASSES + 1] = {0, 70, 90, 92, 95, 100};
	unsigned long done, all;
	int pass;

	run->line[run->line_len] = '\0';
	if (sscanf(run->line, "%d %lu %lu", &pass, &done, &all) != 3 || pass < 1 || pass > PASSES ||
		all == 0 || done > all)
		return;
	progress_show(&run->shown, share_start[pass - 1] +
		(int)((share_start[pass] - share_start[pass - 1]) * (done * 1.0 / all)));
}

static bool take_progress(struct run *run)
{
	char buf[256];
	ssize_t n = read(run->progress, buf, sizeof(buf));

	for (ssize_t i = 0; i < n; i++) {
		if (buf[i] == '\n') {
			show_line(run);
			run->line_len = 0;
		} else if (run->line_len < sizeof(run->line) - 1) {
			run->line[run->line_len++] = buf[i];
		}
	}
	return n > 0 || (n < 0 && errno == EINTR);
}

/* e2fsck ends in order on SIGINT; who asks twice gets it harder, but never in the middle of a write. */
static void take_signal(struct run *run)
{
	struct signalfd_siginfo info;

	if (read(run->signals, &info, sizeof(info)) != sizeof(info))
		return;
	if (run->tool->not_now) {
		progress_end(&run->shown);
		fprintf(stderr, "%s\n", run->tool->not_now);
		return;
	}
	kill(run->pid, run->stopped_by ? SIGTERM : SIGINT);
	run->stopped_by = (int)info.ssi_signo;
}

static void wait_for_end(struct run *run)
{
	struct pollfd fds[] = {
		{.fd = run->output, .events = POLLIN},
		{.fd = run->progress, .events = POLLIN},
		{.fd = run->signals, .events = POLLIN},
	};

	for (;;) {
		if (poll(fds, ARRAY_SIZE(fds), -1) < 0)
			continue; /* EINTR */
		if (fds[2].revents)
			take_signal(run);
		if (fds[1].revents && !take_progress(run))
			fds[1].fd = -1;
		if (fds[0].revents && !take_output(run))
			break;
	}
	progress_end(&run->shown);
}

static int wait_for_status(const struct run *run)
{
	int status;

	while (waitpid(run->pid, &status, 0) < 0)
		if (errno != EINTR)
			return 255;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int run_on(struct run *run, const char *path, struct tool_result *result)
{
	int err;

	run->text = calloc(1, OUTPUT_MAX + 1);
	result->output = run->text;
	result->path = strdup(path);
	err = run->text && result->path ? start(run, path) : -ENOMEM;
	if (err == 0) {
		wait_for_end(run);
		result->status = wait_for_status(run);
		result->cut = run->cut;
	}
	if (run->output >= 0)
		close(run->output);
	if (run->progress >= 0)
		close(run->progress);
	return err;
}

static void signals_block(sigset_t *ret_set, sigset_t *ret_old)
{
	static const int ending[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

	sigemptyset(ret_set);
	for (size_t i = 0; i < ARRAY_SIZE(ending); i++)
		sigaddset(ret_set, ending[i]);
	pthread_sigmask(SIG_BLOCK, ret_set, ret_old);
}

int tool_run(const struct tool *tool, struct blkdev *dev, struct tool_result *ret_result,
	struct diag *diag)
{
	struct run run = {.tool = tool, .output = -1, .progress = -1,
		.shown = PROGRESS_INIT(tool->progress)};
	struct plainfile *file = NULL;
	sigset_t ending, old;
	int err, close_err;

	*ret_result = (struct tool_result){0};
	signals_block(&ending, &old);
	run.signals = signalfd(-1, &ending, SFD_CLOEXEC);
	err = run.signals < 0 ? -errno : plainfile_open(dev, tool->read_only, &file, diag);
	if (err == 0)
		err = run_on(&run, plainfile_path(file), ret_result);
	close_err = plainfile_close(file);
	if (run.signals >= 0)
		close(run.signals);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (run.stopped_by)
		raise(run.stopped_by);
	return err < 0 ? err : close_err;
}

/* ---- showing ---- */

static void print_safe(const char *text, size_t len)
{
	CLEANUP_FREE char *safe = NULL;

	if (text_sanitize(text, len, &safe) == 0)
		fputs(safe, stdout);
}

static void print_line(const struct tool_result *result, const char *target, const char *line,
	size_t len)
{
	const char *end = line + len, *name;

	fputs("  ", stdout);
	while ((name = memmem(line, (size_t)(end - line), result->path, strlen(result->path)))) {
		print_safe(line, (size_t)(name - line));
		print_safe(target, strlen(target));
		line = name + strlen(result->path);
	}
	print_safe(line, (size_t)(end - line));
	putchar('\n');
}

void tool_print(const struct tool_result *result, const char *target)
{
	if (!result->output || !result->path)
		return;
	for (const char *line = result->output; *line; line += strcspn(line, "\n"), line += *line == '\n')
		if (*line != '\n')
			print_line(result, target, line, strcspn(line, "\n"));
	if (result->cut)
		printf(_("(it said more than is shown here)\n"));
}
