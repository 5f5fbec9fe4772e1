/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Many processes work in one tree without minding each other.
 *
 *	stress [-p PROCESSES] [-t SECONDS] [-s SEED] DIR
 *	stress -v DIR			only looks through all that is there
 *
 * Invariant of the tree: an aligned word of 8 bytes of a file is 0, or what word_at() makes of the
 * file's inode number and the word's offset. So whoever reads can tell whether bytes of another
 * file, of another place or of an older owner of the blocks have come up, whatever the others do
 * at the same time. Errors that such company explains are fine; any other ends the run.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	NAMES = 40,
	FOLDERS = 6,
	WORDS = 16384, /* in one transfer, at most */
	FILE_WORDS = 500000,
	PROCESSES_MAX = 64,
	PATH_BYTES = 256,
};

static uint64_t state;
static uint64_t buf[WORDS];
static unsigned long done, full;

static uint32_t random_below(uint32_t n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (state * 0x2545f4914f6cdd1dULL >> 32) % n;
}

static uint64_t word_at(ino_t ino, uint64_t off)
{
	return ((uint64_t)ino << 32 ^ off) * 0x9e3779b97f4a7c15ULL | 1;
}

__attribute__((format(printf, 1, 2), noreturn)) static void wrong(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	fflush(stdout);
	_exit(1);
}

/* What the company of other processes, or a full drive, explains. */
static void mind(const char *what, const char *path, long long result)
{
	static const int fine[] = {ENOENT, EEXIST, ENOTEMPTY, ENOTDIR, EISDIR, EINVAL, ELOOP, EMLINK, EXDEV,
		EBUSY, ENXIO, EAGAIN, EOPNOTSUPP, EPERM};

	done++;
	if (result >= 0)
		return;
	if (errno == ENOSPC) {
		full++;
		return;
	}
	for (size_t i = 0; i < sizeof(fine) / sizeof(fine[0]); i++)
		if (errno == fine[i])
			return;
	wrong("%s %s: %s", what, path, strerror(errno));
}

static void random_path(char path[PATH_BYTES])
{
	unsigned depth = random_below(3);
	int at = 0;

	for (unsigned i = 0; i < depth; i++)
		at += sprintf(path + at, "d%u/", random_below(FOLDERS));
	if (random_below(4) == 0)
		sprintf(path + at, "d%u", random_below(FOLDERS));
	else
		sprintf(path + at, "file-%0*u", random_below(2) ? 3 : 60, random_below(NAMES));
}

/* A random regular file; -1 when there is none. */
static int open_file(int flags, char path[PATH_BYTES], struct stat *st)
{
	int fd;

	random_path(path);
	fd = open(path, flags | O_NONBLOCK | O_NOFOLLOW, 0644);
	mind("open", path, fd);
	if (fd < 0)
		return -1;
	if (fstat(fd, st) < 0)
		wrong("fstat %s: %s", path, strerror(errno));
	if (S_ISREG(st->st_mode))
		return fd;
	close(fd);
	return -1;
}

static void check_words(const char *path, ino_t ino, const uint64_t *words, ssize_t bytes, uint64_t off)
{
	for (ssize_t i = 0; i < bytes / 8; i++)
		if (words[i] != 0 && words[i] != word_at(ino, off + (uint64_t)i * 8))
			wrong("%s (inode %lu): foreign bytes %016llx at %llu", path, (unsigned long)ino,
				(unsigned long long)words[i], (unsigned long long)(off + (uint64_t)i * 8));
}

static void op_write(void)
{
	char path[PATH_BYTES];
	struct stat st;
	int fd = open_file(O_RDWR | O_CREAT | (random_below(8) ? 0 : O_TRUNC), path, &st);
	uint64_t off = random_below(random_below(2) ? FILE_WORDS : 20000) * 8ULL;
	size_t words = 1 + random_below(random_below(3) ? 2000 : WORDS);

	if (fd < 0)
		return;
	for (size_t i = 0; i < words; i++)
		buf[i] = word_at(st.st_ino, off + i * 8);
	mind("write", path, pwrite(fd, buf, words * 8, (off_t)off));
	if (random_below(20) == 0)
		mind("fsync", path, random_below(2) ? fsync(fd) : fdatasync(fd));
	close(fd);
}

static void op_read(void)
{
	char path[PATH_BYTES];
	struct stat st;
	int fd = open_file(O_RDONLY, path, &st);
	uint64_t off = random_below(FILE_WORDS) * 8ULL;
	ssize_t n;

	if (fd < 0)
		return;
	if (random_below(2))
		off = 0;
	n = pread(fd, buf, sizeof(buf), (off_t)off);
	mind("read", path, n);
	check_words(path, st.st_ino, buf, n, off);
	close(fd);
}

static sigjmp_buf beyond_end;

static void on_bus_error(int sig)
{
	siglongjmp(beyond_end, 1);
}

/* Others may cut the file under the mapping. */
static void op_map(void)
{
	char path[PATH_BYTES];
	struct stat st;
	int fd = open_file(O_RDWR, path, &st);
	uint64_t *map;

	if (fd < 0)
		return;
	map = st.st_size < 8 ? MAP_FAILED
			     : mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map != MAP_FAILED) {
		size_t words = (size_t)st.st_size / 8, at = random_below((uint32_t)words);

		if (sigsetjmp(beyond_end, 1) == 0)
			for (size_t i = at; i < words && i < at + 3000; i++) {
				check_words(path, st.st_ino, &map[i], 8, i * 8);
				map[i] = word_at(st.st_ino, i * 8);
			}
		munmap(map, (size_t)st.st_size);
	}
	close(fd);
}

static void op_size(void)
{
	static const int modes[] = {0, FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		FALLOC_FL_ZERO_RANGE};
	char path[PATH_BYTES];
	struct stat st;
	int fd = open_file(O_RDWR | O_CREAT, path, &st);
	off_t off = random_below(FILE_WORDS) * 8L;

	if (fd < 0)
		return;
	if (random_below(2))
		mind("ftruncate", path, ftruncate(fd, off));
	else
		mind("fallocate", path, fallocate(fd, modes[random_below(4)], off, 8 + random_below(WORDS) * 8L));
	close(fd);
}

static void op_name(void)
{
	char path[PATH_BYTES], other[PATH_BYTES];

	random_path(path);
	random_path(other);
	switch (random_below(10)) {
	case 0:
	case 1:
		mind("mkdir", path, mkdir(path, 0755));
		break;
	case 2:
		mind("rmdir", path, rmdir(path));
		break;
	case 3:
	case 4:
		mind("unlink", path, unlink(path));
		break;
	case 5:
		mind("link", path, link(path, other));
		break;
	case 6:
		mind("symlink", path, symlink(other, path));
		break;
	case 7:
		mind("exchange", path, renameat2(AT_FDCWD, path, AT_FDCWD, other, RENAME_EXCHANGE));
		break;
	default:
		mind("rename", path, rename(path, other));
	}
}

static void op_list(void)
{
	char path[PATH_BYTES];
	struct stat st;
	DIR *dir;

	random_path(path);
	dir = opendir(random_below(2) ? path : ".");
	if (!dir)
		return;
	while (readdir(dir))
		done++;
	closedir(dir);
	mind("stat", path, lstat(path, &st));
}

/* An open file whose name goes away keeps its bytes. */
static void op_nameless(void)
{
	char path[PATH_BYTES];
	struct stat st;
	int fd = open_file(O_RDWR | O_CREAT | O_EXCL, path, &st);
	ssize_t n;

	if (fd < 0)
		return;
	for (size_t i = 0; i < 4000; i++)
		buf[i] = word_at(st.st_ino, i * 8);
	mind("write", path, pwrite(fd, buf, 32000, 0));
	mind("unlink", path, unlink(path));
	n = pread(fd, buf, sizeof(buf), 0);
	mind("read", path, n);
	check_words(path, st.st_ino, buf, n, 0);
	close(fd);
}

static void work(uint64_t seed, time_t until)
{
	static void (*const ops[])(void) = {op_write, op_write, op_write, op_read, op_read, op_map, op_size,
		op_name, op_name, op_name, op_list, op_nameless};

	state = seed * 0x9e3779b97f4a7c15ULL | 1;
	signal(SIGBUS, on_bus_error);
	while (time(NULL) < until)
		ops[random_below(sizeof(ops) / sizeof(ops[0]))]();
	printf("# %lu calls, %lu without space\n", done, full);
	fflush(stdout);
	_exit(0);
}

static int run(unsigned processes, unsigned seconds, uint64_t seed)
{
	int status, result = 0;

	printf("# seed %llu, %u processes, %u s\n", (unsigned long long)seed, processes, seconds);
	fflush(stdout);
	for (unsigned i = 0; i < processes; i++) {
		pid_t pid = fork();

		if (pid == 0)
			work(seed * PROCESSES_MAX + i, time(NULL) + seconds);
		if (pid < 0)
			return 2;
	}
	while (wait(&status) > 0)
		if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
			result = 1;
	return result;
}

static unsigned long verify(const char *folder);

static unsigned long verify_file(const char *path, const struct stat *st)
{
	int fd = open(path, O_RDONLY | O_NOFOLLOW);
	uint64_t off = 0;
	ssize_t n;

	if (fd < 0)
		wrong("%s: %s", path, strerror(errno));
	while ((n = pread(fd, buf, sizeof(buf), (off_t)off)) > 0) {
		check_words(path, st->st_ino, buf, n, off);
		off += (uint64_t)n;
	}
	if (n < 0 || off != (uint64_t)st->st_size)
		wrong("%s: %llu bytes could be read of %lld", path, (unsigned long long)off,
			(long long)st->st_size);
	close(fd);
	return 1;
}

static unsigned long verify(const char *folder)
{
	DIR *dir = opendir(folder);
	unsigned long seen = 0;
	struct dirent *entry;

	if (!dir)
		wrong("%s: %s", folder, strerror(errno));
	while ((entry = readdir(dir)) != NULL) {
		char path[4096];
		struct stat st;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		if (lstat(path, &st) < 0)
			wrong("%s: %s", path, strerror(errno));
		if (S_ISDIR(st.st_mode))
			seen += 1 + verify(path);
		else
			seen += S_ISREG(st.st_mode) ? verify_file(path, &st) : 1;
	}
	closedir(dir);
	return seen;
}

int main(int argc, char **argv)
{
	unsigned processes = 8, seconds = 10;
	uint64_t seed = (uint64_t)getpid();
	bool only_verify = false;
	int opt;

	while ((opt = getopt(argc, argv, "p:t:s:v")) != -1)
		switch (opt) {
		case 'p':
			processes = strtoul(optarg, NULL, 0);
			break;
		case 't':
			seconds = strtoul(optarg, NULL, 0);
			break;
		case 's':
			seed = strtoull(optarg, NULL, 0);
			break;
		case 'v':
			only_verify = true;
			break;
		default:
			return 2;
		}
	if (argc - optind != 1 || processes == 0 || processes > PROCESSES_MAX || chdir(argv[optind]) < 0) {
		fprintf(stderr, "usage: stress [-p PROCESSES] [-t SECONDS] [-s SEED] [-v] DIR\n");
		return 2;
	}
	if (!only_verify)
		return run(processes, seconds, seed);
	printf("# %lu files and folders are as they should be\n", verify("."));
	return 0;
}
