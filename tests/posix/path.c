/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Resolving paths: every call against every way in which a path can be bad, or only long. */
#include "tests/posix/calls.h"

enum {
	NAME_BYTES = 255,
	PATH_BYTES = PATH_MAX - 1,
};

/* Makes what the call works on. */
static void make_object(const struct call *call, const char *path)
{
	if (call->kind & MAKES)
		return;
	if (call->kind & WANTS_DIR)
		OK(mkdir(path, 0755));
	else if (call->kind & WANTS_LINK)
		OK(symlink("target", path));
	else
		make_file(path);
}

static void works_on(const struct call *call, const char *path)
{
	OK(call->on(path));
}

static void component_missing(const void *arg)
{
	const struct call *call = arg;

	FAILS(ENOENT, call->on("missing/name"));
	OK(symlink("nowhere", "dangling"));
	FAILS(ENOENT, call->on("dangling/name"));
}

static void name_missing(const void *arg)
{
	const struct call *call = arg;

	FAILS(ENOENT, call->on("missing"));
}

static void component_file(const void *arg)
{
	const struct call *call = arg;

	make_file("file");
	FAILS(ENOTDIR, call->on("file/name"));
	FAILS(ENOTDIR, call->on("file/../name"));
	OK(mkfifo("fifo", 0644));
	FAILS(ENOTDIR, call->on("fifo/name"));
}

static void name_long(const void *arg)
{
	const struct call *call = arg;
	char *path;

	FAILS(ENAMETOOLONG, call->on(repeat('n', NAME_BYTES + 1)));
	OK(asprintf(&path, "%s/name", repeat('n', NAME_BYTES + 1)));
	FAILS(ENAMETOOLONG, call->on(path));
}

static void name_longest(const void *arg)
{
	const struct call *call = arg;
	const char *name = repeat('n', NAME_BYTES);

	make_object(call, name);
	works_on(call, name);
}

/* ".////p" of this many bytes */
static char *long_path(size_t bytes)
{
	char *path = repeat('/', bytes);

	path[0] = '.';
	path[bytes - 1] = 'p';
	return path;
}

static void path_long(const void *arg)
{
	const struct call *call = arg;

	FAILS(ENAMETOOLONG, call->on(long_path(PATH_BYTES + 1)));
}

static void path_longest(const void *arg)
{
	const struct call *call = arg;

	make_object(call, "p");
	works_on(call, long_path(PATH_BYTES));
}

static void loop_component(const void *arg)
{
	const struct call *call = arg;

	OK(symlink("two", "one"));
	OK(symlink("one", "two"));
	OK(symlink("self", "self"));
	FAILS(ELOOP, call->on("one/name"));
	FAILS(ELOOP, call->on("self/name"));
}

static void loop_name(const void *arg)
{
	const struct call *call = arg;

	OK(symlink("two", "one"));
	OK(symlink("one", "two"));
	FAILS(ELOOP, call->on("one"));
}

/* Forty links one after the other are followed, one more is not. */
static void links_many(const void *arg)
{
	enum { LINKS_MAX = 40 };
	const struct call *call = arg;
	char name[20], next[20];

	make_object(call, "0");
	for (int i = 1; i <= LINKS_MAX + 1; i++) {
		snprintf(name, sizeof(name), "%d", i);
		snprintf(next, sizeof(next), "%d", i - 1);
		OK(symlink(next, name));
	}
	snprintf(name, sizeof(name), "%d", LINKS_MAX);
	works_on(call, name);
	snprintf(name, sizeof(name), "%d", LINKS_MAX + 1);
	FAILS(ELOOP, call->on(name));
}

static void no_search(const void *arg)
{
	const struct call *call = arg;

	OK(mkdir("closed", 0755));
	make_object(call, "closed/name");
	OK(chmod(".", 0777));
	OK(chmod("closed", 0600));
	become_ordinary();
	FAILS(EACCES, call->on("closed/name"));
	FAILS(EACCES, call->on("closed/missing"));
	FAILS(EACCES, call->on("closed/."));
}

/* The folder can be searched, but not changed. */
static void no_write_in_folder(const void *arg)
{
	const struct call *call = arg;

	OK(mkdir("folder", 0755));
	make_object(call, "folder/name");
	OK(chmod(".", 0777));
	OK(chmod("folder", 0555));
	become_ordinary();
	FAILS(EACCES, call->on("folder/name"));
}

static void not_owner(const void *arg)
{
	const struct call *call = arg;

	OK(chmod(".", 0777));
	make_file("file");
	OK(chmod("file", 0666));
	become_ordinary();
	FAILS(EPERM, call->on("file"));
}

static void bad_address(const void *arg)
{
	const struct call *call = arg;
	const char *volatile nowhere = (const char *)-1L;

	FAILS(EFAULT, call->on(nowhere));
}

static void empty_path(const void *arg)
{
	const struct call *call = arg;

	FAILS(ENOENT, call->on(""));
}

/* What exists must be a folder when a slash follows. */
static void slash_after_file(const void *arg)
{
	const struct call *call = arg;

	make_file("file");
	FAILS(ENOTDIR, call->on("file/"));
	FAILS(ENOTDIR, call->on("file/."));
}

static void slash_after_folder(const void *arg)
{
	const struct call *call = arg;

	OK(mkdir("folder", 0755));
	works_on(call, "folder/");
	if (exists("folder"))
		works_on(call, "folder////");
}

static void through_links(const void *arg)
{
	const struct call *call = arg;

	OK(mkdir("folder", 0755));
	OK(symlink("folder", "link"));
	OK(symlink("link/../link", "link-2"));
	make_object(call, "folder/name");
	works_on(call, "link-2//./name");
}

static void already_there(const void *arg)
{
	const struct call *call = arg;

	make_file("file");
	OK(mkdir("folder", 0755));
	OK(symlink("nowhere", "dangling"));
	OK(mkfifo("fifo", 0644));
	FAILS(EEXIST, call->on("file"));
	FAILS(EEXIST, call->on("folder"));
	FAILS(EEXIST, call->on("dangling"));
	FAILS(EEXIST, call->on("fifo"));
	FAILS(EEXIST, call->on("."));
	FAILS(EEXIST, call->on(".."));
	FAILS(EEXIST, call->on("folder/.."));
	FAILS(EEXIST, call->on("/"));
	SAME(strcmp(names_in("folder"), ""), 0);
}

/* In a folder that is gone nothing can be made. */
static void in_removed_folder(const void *arg)
{
	const struct call *call = arg;
	char *up;

	OK(mkdir("folder", 0755));
	up = getcwd(NULL, 0);
	OK(chdir("folder"));
	OK(asprintf(&up, "%s/folder", up));
	OK(rmdir(up));
	FAILS(ENOENT, call->on("new"));
}

struct fault {
	const char *name, *what;
	unsigned needs;
	void (*run)(const void *arg);
	unsigned only, not; /* kinds of calls; only: one of them, 0: any */
};

/* Which calls each is about. */
static const struct fault faults[] = {
	{"component_missing", "a folder of the path does not exist: ENOENT", 0, component_missing, 0, 0},
	{"name_missing", "the name does not exist: ENOENT", 0, name_missing, 0, MAKES},
	{"component_file", "a component is no folder: ENOTDIR", 0, component_file, 0, 0},
	{"name_long", "a name of 256 bytes: ENAMETOOLONG", 0, name_long, 0, 0},
	{"name_longest", "a name of 255 bytes works", 0, name_longest, 0, 0},
	{"path_long", "a path of 4096 bytes: ENAMETOOLONG", 0, path_long, 0, 0},
	{"path_longest", "a path of 4095 bytes works", 0, path_longest, 0, 0},
	{"loop_component", "links that go round in the path: ELOOP", 0, loop_component, 0, 0},
	{"loop_name", "links that go round at its end: ELOOP", 0, loop_name, FOLLOWS, 0},
	{"links_many", "40 links are followed, 41 not: ELOOP", 0, links_many, FOLLOWS, 0},
	{"no_search", "a folder without the right to search: EACCES", 0, no_search, 0,
		REAL_IDENTITY},
	{"no_write", "a folder without the right to write: EACCES", 0, no_write_in_folder,
		MAKES | REMOVES, 0},
	{"not_owner", "somebody else's file: EPERM", NEEDS_ROOT, not_owner, WANTS_OWNER, 0},
	{"bad_address", "a bad address: EFAULT", 0, bad_address, 0, IN_LIBRARY},
	{"empty", "an empty path: ENOENT", 0, empty_path, 0, 0},
	{"slash_file", "a file with a slash behind: ENOTDIR", 0, slash_after_file, 0, MAKES},
	{"slash_folder", "a folder with slashes behind works", 0, slash_after_folder, WANTS_DIR, 0},
	{"links", "through links and dots", 0, through_links, 0, 0},
	{"exists", "the name exists: EEXIST, whatever it is", 0, already_there, MAKES, REMOVES},
	{"removed", "in a removed folder: ENOENT", 0, in_removed_folder, MAKES,
		WANTS_SOURCE},
};

__attribute__((constructor)) static void register_faults(void)
{
	for (size_t f = 0; f < sizeof(faults) / sizeof(faults[0]); f++) {
		for (size_t c = 0; c < calls_count; c++) {
			const struct fault *fault = &faults[f];
			const struct call *call = &calls[c];
			char name[100], what[200];

			if ((fault->only && !(call->kind & fault->only)) || (call->kind & fault->not))
				continue;
			snprintf(name, sizeof(name), "%s_%s", call->name, fault->name);
			snprintf(what, sizeof(what), "%s: %s", call->name, fault->what);
			posix_register_row("path", name, what, fault->needs, fault->run, call);
		}
	}
}
