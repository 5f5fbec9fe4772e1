/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libnotify is loaded by name, so that neither building nor running the program needs it. */
#include "fuse/notify.h"

#include <dlfcn.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static const char helper_name[] = "--desktop-message";

enum { HELPER_ARGS = 4, HELPER_SECONDS = 20 };

void notify_show(const char *summary, const char *body)
{
	const char *argv[] = {"sealdrive", helper_name, summary, body, NULL};
	posix_spawnattr_t attr;
	sigset_t none;
	int status;
	pid_t pid;

	sigemptyset(&none);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
	posix_spawnattr_setsigmask(&attr, &none);
	/* exec changes none of these strings */
	if (posix_spawn(&pid, "/proc/self/exe", NULL, &attr, (char **)(uintptr_t)argv, environ) == 0)
		waitpid(pid, &status, 0); /* it goes on in a child of its own */
	posix_spawnattr_destroy(&attr);
}

bool notify_is_helper(int argc, char **argv)
{
	return argc == HELPER_ARGS && strcmp(argv[1], helper_name) == 0;
}

static void show(const char *summary, const char *body)
{
	void *lib = dlopen("libnotify.so.4", RTLD_NOW | RTLD_LOCAL);
	int (*init)(const char *app);
	void *(*make)(const char *summary, const char *body, const char *icon);
	void (*set_urgency)(void *notification, int urgency);
	int (*display)(void *notification, void **error);
	void *notification;

	if (!lib)
		return;
	init = (int (*)(const char *))(uintptr_t)dlsym(lib, "notify_init");
	make = (void *(*)(const char *, const char *, const char *))(uintptr_t)dlsym(lib,
		"notify_notification_new");
	set_urgency = (void (*)(void *, int))(uintptr_t)dlsym(lib, "notify_notification_set_urgency");
	display = (int (*)(void *, void **))(uintptr_t)dlsym(lib, "notify_notification_show");
	if (!init || !make || !set_urgency || !display || !init("Sealdrive"))
		return;
	notification = make(summary, body, "drive-removable-media");
	if (!notification)
		return;
	set_urgency(notification, 2); /* NOTIFY_URGENCY_CRITICAL */
	display(notification, NULL);
}

int notify_helper(char **argv)
{
	pid_t pid = fork();

	if (pid != 0)
		return 0;
	alarm(HELPER_SECONDS); /* a desktop that does not answer */
	show(argv[2], argv[3]);
	return 0;
}
