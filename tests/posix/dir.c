/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* opendir(3) and its kin: what a listing shows while the folder changes. */
#include "tests/posix/posix.h"

enum { MANY = 500 };

static void make_many(int count)
{
	char name[40];

	OK(mkdir("folder", 0755));
	for (int i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "folder/file-%d", i);
		make_file(name);
	}
}

static DIR *open_folder(const char *path)
{
	DIR *dir = opendir(path);

	OK(dir ? 0 : -1);
	return dir;
}

/* Counts what is listed from here on; seen[i] for file-i. */
static int list_rest(DIR *dir, int *seen)
{
	struct dirent *entry;
	int count = 0, i;

	errno = 0;
	while ((entry = readdir(dir))) {
		count++;
		if (sscanf(entry->d_name, "file-%d", &i) == 1 && i < MANY * 2)
			seen[i]++;
	}
	SAME(errno, 0);
	return count;
}

CASE(dir, all_once, 0, "each name exactly once, '.' and '..' too")
{
	int seen[MANY * 2] = {0};

	make_many(MANY);
	SAME(list_rest(open_folder("folder"), seen), MANY + 2);
	for (int i = 0; i < MANY; i++)
		SAME(seen[i], 1);
}

CASE(dir, inodes_and_types, 0, "d_ino and d_type are what stat says")
{
	struct dirent *entry;
	struct stat st;
	DIR *dir;

	make_file("file");
	OK(mkdir("folder", 0755));
	OK(symlink("x", "link"));
	OK(mkfifo("fifo", 0644));
	OK(mknod("socket", S_IFSOCK | 0644, 0));
	dir = open_folder(".");
	while ((entry = readdir(dir))) {
		st = stat_of(entry->d_name);
		SAME(entry->d_ino, st.st_ino);
		SAME(entry->d_type, IFTODT(st.st_mode));
	}
}

CASE(dir, rewind_sees_new, 0, "rewinddir shows what has come and gone since")
{
	int seen[MANY * 2] = {0};
	DIR *dir;

	make_many(10);
	dir = open_folder("folder");
	SAME(list_rest(dir, seen), 12);
	make_file("folder/file-10");
	OK(unlink("folder/file-3"));
	memset(seen, 0, sizeof(seen));
	rewinddir(dir);
	SAME(list_rest(dir, seen), 12);
	SAME(seen[10], 1);
	SAME(seen[3], 0);
}

CASE(dir, seek_and_tell, 0, "seekdir to what telldir said continues there")
{
	long positions[MANY + 3];
	char names[MANY + 3][20];
	struct dirent *entry;
	int count = 0;
	DIR *dir;

	make_many(MANY);
	dir = open_folder("folder");
	for (;; count++) {
		positions[count] = telldir(dir);
		entry = readdir(dir);
		if (!entry)
			break;
		strcpy(names[count], entry->d_name);
	}
	SAME(count, MANY + 2);
	for (int i = count - 1; i >= 0; i -= 7) {
		seekdir(dir, positions[i]);
		entry = readdir(dir);
		HOLDS(entry && strcmp(entry->d_name, names[i]) == 0);
	}
	seekdir(dir, positions[count]);
	HOLDS(!readdir(dir));
}

CASE(dir, position_survives_removal, 0, "a position stays good when the entries around it go")
{
	int seen[MANY * 2] = {0};
	char names[10][20], path[300];
	DIR *dir;
	long position;

	make_many(MANY);
	dir = open_folder("folder");
	for (int i = 0; i < 10; i++) {
		struct dirent *entry = readdir(dir);

		HOLDS(entry != NULL);
		strcpy(names[i], entry->d_name);
	}
	position = telldir(dir);
	for (int i = 0; i < 10; i++) {
		snprintf(path, sizeof(path), "folder/%s", names[i]);
		if (names[i][0] != '.')
			OK(unlink(path));
	}
	closedir(dir);
	dir = open_folder("folder");
	seekdir(dir, position);
	SAME(list_rest(dir, seen), MANY + 2 - 10);
	for (int i = 0; i < MANY; i++)
		HOLDS(seen[i] <= 1);
}

CASE(dir, remove_while_listing, 0, "rm -r: every name is met though all before it are removed")
{
	struct dirent *entry;
	char path[300];
	int count = 0;
	DIR *dir;

	make_many(MANY);
	dir = open_folder("folder");
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "folder/%s", entry->d_name);
		OK(unlink(path));
		count++;
	}
	SAME(count, MANY);
	OK(rmdir("folder"));
}

CASE(dir, add_while_listing, 0, "what was there all the time is listed once though others come")
{
	int seen[MANY * 2] = {0};
	char name[40];
	DIR *dir;

	make_many(MANY);
	dir = open_folder("folder");
	for (int i = 0; i < 5; i++)
		HOLDS(readdir(dir) != NULL);
	rewinddir(dir);
	for (int i = MANY; i < MANY * 2; i++) {
		snprintf(name, sizeof(name), "folder/file-%d", i);
		make_file(name);
	}
	HOLDS(list_rest(dir, seen) >= MANY + 2);
	for (int i = 0; i < MANY; i++)
		SAME(seen[i], 1);
	for (int i = MANY; i < MANY * 2; i++)
		HOLDS(seen[i] <= 1);
}

CASE(dir, rename_while_listing, 0, "renamed entries are listed at most under both names, others once")
{
	int seen[MANY * 2] = {0}, half[MANY * 2] = {0}, i;
	struct dirent *entry;
	char from[40], to[40];
	DIR *dir;

	make_many(MANY);
	dir = open_folder("folder");
	for (int n = 0; n < MANY / 2 && (entry = readdir(dir)); n++)
		if (sscanf(entry->d_name, "file-%d", &i) == 1)
			half[i]++;
	for (i = 0; i < MANY; i += 10) {
		snprintf(from, sizeof(from), "folder/file-%d", i);
		snprintf(to, sizeof(to), "folder/file-%d", i + MANY);
		OK(rename(from, to));
	}
	list_rest(dir, seen);
	for (i = 0; i < MANY; i++)
		if (i % 10)
			SAME(seen[i] + half[i], 1);
}

CASE(dir, several_at_once, 0, "two listings of one folder have positions of their own; dup shares")
{
	int seen[MANY * 2] = {0};
	DIR *one, *two;

	make_many(50);
	one = open_folder("folder");
	two = open_folder("folder");
	for (int i = 0; i < 20; i++)
		HOLDS(readdir(one) != NULL);
	SAME(list_rest(two, seen), 52);
	SAME(list_rest(one, seen), 32);
}

CASE(dir, not_a_folder, 0, "ENOTDIR for a file, EBADF for nothing; reading and writing: EISDIR, EBADF")
{
	char c;
	int fd;

	make_file("file");
	FAILS(ENOTDIR, opendir("file") ? 0 : -1);
	FAILS(ENOTDIR, fdopendir(open_ok("file", O_RDONLY)) ? 0 : -1);
	FAILS(EBADF, fdopendir(-1) ? 0 : -1);
	fd = open_ok(".", O_RDONLY);
	FAILS(EISDIR, read(fd, &c, 1));
	FAILS(EISDIR, pread(fd, &c, 1, 0));
	FAILS(EBADF, write(fd, &c, 1));
}

CASE(dir, getdents_errors, 0, "getdents64: ENOTDIR, EINVAL for a tiny buffer, ENOENT when removed")
{
	char buffer[1000];
	int fd, removed;

	make_file("file");
	fd = open_ok("file", O_RDONLY);
	FAILS(ENOTDIR, syscall(SYS_getdents64, fd, buffer, sizeof(buffer)));
	FAILS(EBADF, syscall(SYS_getdents64, -1, buffer, sizeof(buffer)));
	fd = open_ok(".", O_RDONLY);
	FAILS(EINVAL, syscall(SYS_getdents64, fd, buffer, 4));
	HOLDS(syscall(SYS_getdents64, fd, buffer, sizeof(buffer)) > 0);
	OK(mkdir("folder", 0755));
	removed = open_ok("folder", O_RDONLY);
	OK(rmdir("folder"));
	FAILS(ENOENT, syscall(SYS_getdents64, removed, buffer, sizeof(buffer)));
}

CASE(dir, small_buffers, 0, "getdents64 with room for one name at a time lists all")
{
	char buffer[40];
	int fd, count = 0;

	make_many(30);
	fd = open_ok("folder", O_RDONLY);
	while (OK(syscall(SYS_getdents64, fd, buffer, sizeof(buffer))) > 0)
		count++;
	SAME(count, 32);
}

CASE(dir, every_byte, 0, "names of every byte but '/' and 0, alone and doubled")
{
	bool seen[256] = {false};
	struct dirent *entry;
	DIR *dir;

	OK(mkdir("folder", 0755));
	OK(chdir("folder"));
	for (int i = 1; i < 256; i++) {
		char name[3] = {(char)i, (char)i, '\0'};

		if (i == '/')
			continue;
		if (i != '.')
			make_file(name);
		name[1] = '\0';
		if (i != '.')
			make_file(name);
	}
	dir = open_folder(".");
	while ((entry = readdir(dir))) {
		uint8_t c = (uint8_t)entry->d_name[0];

		HOLDS(c != '/' && strlen(entry->d_name) <= 2);
		seen[c] = true;
		OK(close(open_ok(entry->d_name, O_RDONLY)));
	}
	for (int i = 1; i < 256; i++)
		SAME(seen[i], i != '/');
}

CASE(dir, not_utf8, 0, "names that are not UTF-8 are taken and come back as they are")
{
	static const char *const names[] = {"\xff\xfe", "\xc0\x80", "\xed\xa0\x80", "\x80",
		"a\xcc\x81", "\xc3\xa1", "A\xcc\x81", " ", "  ", "\n", "\\", "*", "-", "~", "..."};
	size_t count = sizeof(names) / sizeof(names[0]), found = 0;
	struct dirent *entry;
	DIR *dir;

	for (size_t i = 0; i < count; i++)
		write_file(names[i], names[i]);
	for (size_t i = 0; i < count; i++)
		HOLDS(file_is(names[i], names[i]));
	dir = open_folder(".");
	while ((entry = readdir(dir)))
		for (size_t i = 0; i < count; i++)
			found += strcmp(entry->d_name, names[i]) == 0;
	SAME(found, count);
}

CASE(dir, case_matters, 0, "names differ by case, and by composition")
{
	make_file("name");
	OK(close(open_ok("NAME", O_WRONLY | O_CREAT | O_EXCL)));
	OK(close(open_ok("Name", O_WRONLY | O_CREAT | O_EXCL)));
	SAME(strcmp(names_in("."), "NAME Name name "), 0);
}

CASE(dir, long_names, 0, "a folder of names of all lengths from 1 to 255")
{
	int count = 0;
	struct dirent *entry;
	DIR *dir;

	for (size_t len = 1; len <= 255; len++)
		make_file(repeat('n', len));
	dir = open_folder(".");
	while ((entry = readdir(dir)))
		count += entry->d_name[0] == 'n';
	SAME(count, 255);
	for (size_t len = 1; len <= 255; len++)
		OK(unlink(repeat('n', len)));
	SAME(strcmp(names_in("."), ""), 0);
}

CASE(dir, deep, 0, "a tree deeper than PATH_MAX, by chdir: made, used, removed")
{
	enum { LEVELS = 40 };
	const char *name = repeat('d', 250);
	char cwd[100];

	for (int i = 0; i < LEVELS; i++) {
		OK(mkdir(name, 0755));
		OK(chdir(name));
	}
	write_file("file", "deep");
	HOLDS(file_is("file", "deep"));
	FAILS(ERANGE, getcwd(cwd, sizeof(cwd)) ? 0 : -1);
	OK(unlink("file"));
	for (int i = 0; i < LEVELS; i++) {
		OK(chdir(".."));
		OK(rmdir(name));
	}
}

CASE(dir, deep_at, 0, "200 levels by openat, and '..' all the way back")
{
	enum { LEVELS = 200 };
	ino_t top = stat_of(".").st_ino;
	struct stat st;
	int fd = open_ok(".", O_RDONLY), next;

	for (int i = 0; i < LEVELS; i++) {
		OK(mkdirat(fd, "d", 0755));
		next = (int)OK(openat(fd, "d", O_RDONLY | O_DIRECTORY));
		OK(close(fd));
		fd = next;
	}
	for (int i = 0; i < LEVELS; i++) {
		next = (int)OK(openat(fd, "..", O_RDONLY | O_DIRECTORY));
		OK(unlinkat(next, "d", AT_REMOVEDIR));
		OK(close(fd));
		fd = next;
	}
	OK(fstat(fd, &st));
	SAME(st.st_ino, top);
}

CASE(dir, big, 0, "3000 names: each found, none missing, all removed")
{
	char name[300];

	OK(mkdir("folder", 0755));
	for (int i = 0; i < 3000; i++) {
		snprintf(name, sizeof(name), "folder/%0200d", i);
		make_file(name);
	}
	for (int i = 0; i < 3000; i += 37) {
		snprintf(name, sizeof(name), "folder/%0200d", i);
		HOLDS(exists(name));
		snprintf(name, sizeof(name), "folder/%0201d", i);
		HOLDS(!exists(name));
	}
	FAILS(ENOTEMPTY, rmdir("folder"));
	for (int i = 0; i < 3000; i++) {
		snprintf(name, sizeof(name), "folder/%0200d", i);
		OK(unlink(name));
	}
	OK(rmdir("folder"));
}

CASE(dir, fsync_folder, 0, "fsync and fdatasync of a folder")
{
	int fd = open_ok(".", O_RDONLY);

	make_file("file");
	OK(fsync(fd));
	OK(fdatasync(fd));
}

CASE(dir, many_subfolders, 0, "1000 folders in one: link count, then none")
{
	nlink_t before = stat_of(".").st_nlink;
	char name[20];

	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "%d", i);
		OK(mkdir(name, 0755));
	}
	SAME(stat_of(".").st_nlink, before + 1000);
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "%d", i);
		OK(rmdir(name));
	}
	SAME(stat_of(".").st_nlink, before);
}
