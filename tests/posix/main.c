/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 *	posix-suite [-o OTHER] [-k FILE -w WHERE] DIR [FAMILY]
 *	posix-suite -l				lists the cases
 *	posix-suite -p DIR			prepares DIR for the read-only cases
 *
 * Runs the cases in DIR and prints TAP. On a read-only DIR those that are about this, else all
 * others. OTHER is a folder on another file system. FILE is the table of known differences: lines
 * of `WHERE FAMILY/NAME REASON`; those for this WHERE (or `all`) are expected to fail and printed
 * as "# TODO REASON" (so TAP says it), and a case that is listed and passes is a failure of the table.
 */
#include "tests/posix/posix.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <sys/wait.h>

#include "tests/posix/run.h"

enum { KNOWN_MAX = 500 };

static struct posix_case *cases, **last = &cases;

struct known {
	char id[100], reason[300];
	bool met;
};
static struct known known[KNOWN_MAX];
static size_t known_count;

void posix_register(struct posix_case *c)
{
	*last = c;
	last = &c->next;
}

void posix_register_row(const char *family, const char *name, const char *what, unsigned needs,
	void (*run)(const void *arg), const void *arg)
{
	struct posix_case *c = calloc(1, sizeof(*c));

	if (!c)
		abort();
	*c = (struct posix_case){.family = strdup(family),
		.name = strdup(name),
		.what = strdup(what),
		.needs = needs,
		.run = run,
		.arg = arg};
	posix_register(c);
}

static int known_read(const char *path, const char *where)
{
	FILE *file = fopen(path, "r");
	char line[500], at[20];

	if (!file)
		return -1;
	while (fgets(line, sizeof(line), file)) {
		struct known *k = &known[known_count];

		if (line[0] == '#' || line[0] == '\n')
			continue;
		if (known_count == KNOWN_MAX ||
			sscanf(line, "%19s %99s %299[^\n]", at, k->id, k->reason) != 3) {
			fclose(file);
			return -1;
		}
		if (strcmp(at, where) == 0 || strcmp(at, "all") == 0)
			known_count++;
	}
	fclose(file);
	return 0;
}

static struct known *known_find(const char *id)
{
	for (size_t i = 0; i < known_count; i++)
		if (strcmp(known[i].id, id) == 0)
			return &known[i];
	return NULL;
}

static const char *cannot_run(const struct posix_case *c)
{
	if ((c->needs & NEEDS_ROOT) && geteuid() != 0)
		return "needs root";
	if ((c->needs & NEEDS_OTHER) && !other_dir)
		return "needs a folder on another file system";
	if ((c->needs & NEEDS_TIME) && !getenv("SEALDRIVE_LONG"))
		return "takes long: SEALDRIVE_LONG=1 runs it";
	return NULL;
}

static void print_messages(const char *text)
{
	for (const char *end; *text; text = *end ? end + 1 : end) {
		end = strchrnul(text, '\n');
		printf("# %.*s\n", (int)(end - text), text);
	}
}

static void run_and_print(const struct posix_case *c, unsigned number, const char *dir)
{
	char id[200];
	struct known *k;
	const char *skipped = cannot_run(c), *messages = "";
	bool passed = skipped || run_case(c, dir, number, &messages) == PASSED;

	snprintf(id, sizeof(id), "%s/%s", c->family, c->name);
	k = known_find(id);
	if (k)
		k->met = true;
	printf("%s %u - %s: %s", passed ? "ok" : "not ok", number, id, c->what);
	if (skipped)
		printf(" # SKIP %s", skipped);
	else if (k)
		printf(" # TODO %s", k->reason);
	putchar('\n');
	print_messages(messages);
	fflush(stdout);
}

static int run_all(const char *dir, const char *family)
{
	struct statvfs fs;
	unsigned count = 0, which;
	size_t i;

	if (statvfs(dir, &fs) < 0) {
		perror(dir);
		return 2;
	}
	which = fs.f_flag & ST_RDONLY ? READ_ONLY : 0;
	for (const struct posix_case *c = cases; c; c = c->next) {
		if ((c->needs & READ_ONLY) != which || (family && strcmp(family, c->family) != 0))
			continue;
		run_and_print(c, ++count, dir);
	}
	for (i = 0; i < known_count && !family && !which; i++)
		if (!known[i].met)
			printf("not ok %u - known difference %s is no case\n", ++count, known[i].id);
	printf("1..%u\n", count);
	return count == 0;
}

static int list(void)
{
	for (const struct posix_case *c = cases; c; c = c->next)
		printf("%s/%s: %s\n", c->family, c->name, c->what);
	return 0;
}

int main(int argc, char **argv)
{
	const char *where = "", *table = NULL;
	bool prepare = false;
	int opt;

	while ((opt = getopt(argc, argv, "o:k:w:lp")) != -1) {
		if (opt == 'o')
			other_dir = optarg;
		else if (opt == 'k')
			table = optarg;
		else if (opt == 'w')
			where = optarg;
		else if (opt == 'p')
			prepare = true;
		else
			return opt == 'l' ? list() : 2;
	}
	if (optind >= argc || argc - optind > 2) {
		fprintf(stderr, "usage: posix-suite [-o OTHER] [-k FILE -w WHERE] DIR [FAMILY]\n");
		return 2;
	}
	if (table && known_read(table, where) < 0) {
		perror(table);
		return 2;
	}
	if (prepare)
		return prepare_read_only(argv[optind]);
	return run_all(argv[optind], argv[optind + 1]);
}
