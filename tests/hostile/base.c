/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/hostile/base.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "ext4/ext4.h"
#include "tests/hostile/mapdev.h"

const struct base_kind base_kinds[] = {
	{"1k", "-b 1024 -J size=1 -N 512", 6, false},
	{"1k-used", "-b 1024 -J size=1 -N 512", 6, true},
	{"4k", "-b 4096 -J size=4 -N 256", 12, false},
	{"4k-used", "-b 4096 -J size=4 -N 256", 12, true},
	{"no-sums", "-b 1024 -J size=1 -N 256 -O ^metadata_csum,uninit_bg", 6, false},
	{"no-sums-used", "-b 1024 -J size=1 -N 256 -O ^metadata_csum,^64bit", 6, true},
	{"ext2", "-t ext2 -b 1024 -N 256", 4, false},
	{"ext3", "-t ext3 -b 1024 -J size=1 -N 256 -I 128", 6, false},
	{"ext3-used", "-t ext3 -b 1024 -J size=1 -N 256", 6, true},
	{"maps", "-b 1024 -J size=1 -N 256 -O ^extent,^64bit,inline_data", 6, false},
	{"inline", "-b 1024 -J size=1 -N 256 -I 256 -O inline_data", 6, false},
	{"ea-inode", "-b 1024 -J size=1 -N 256 -O ea_inode", 6, false},
	{"all-used", "-b 1024 -J size=1 -N 256 -I 512 -O inline_data,ea_inode,orphan_file,metadata_csum_seed", 6,
		true},
	{"orphan-file", "-b 1024 -J size=1 -N 256 -O orphan_file", 6, false},
	{"orphan-file-used", "-b 1024 -J size=1 -N 256 -O orphan_file", 6, true},
	{"no-journal", "-b 2048 -N 256 -O ^has_journal,large_dir", 6, false},
	{"groups", "-b 1024 -J size=1 -g 1024 -N 512 -O meta_bg,^resize_inode", 8, false},
	{"mmp", "-b 1024 -J size=1 -N 256 -O mmp,large_dir", 6, false},
	{NULL, NULL, 0, false},
};

static void want(bool fine, const char *what)
{
	if (fine)
		return;
	printf("# base image: %s failed\n", what);
	abort();
}

static struct e4_inode *make(struct e4_inode *dir, const char *name, uint32_t mode)
{
	struct e4_create what = {.mode = mode, .symlink_target = "target"};
	struct e4_inode *made = NULL;

	want(e4_create(dir, name, strlen(name), &what, &made) == 0, name);
	return made;
}

static void put_bytes(struct e4_inode *file, size_t len, uint64_t off)
{
	uint8_t *bytes = malloc(len);

	want(bytes != NULL, "malloc");
	memset(bytes, 'a', len);
	want(e4_write(file, bytes, len, off, 0) == (ssize_t)len, "write");
	free(bytes);
}

static void make_file(struct e4_inode *dir, const char *name, size_t len)
{
	struct e4_inode *file = make(dir, name, S_IFREG | 0644);

	if (len)
		put_bytes(file, len, 0);
	e4_iput(file);
}

/* Every other block: as many extents as blocks; a few far ones: all levels of a block map. */
static void make_pieces(struct e4_inode *dir, const char *name, unsigned pieces, size_t block)
{
	struct e4_inode *file = make(dir, name, S_IFREG | 0644);

	for (unsigned i = 0; i < pieces; i++)
		put_bytes(file, block, (uint64_t)i * 2 * block);
	put_bytes(file, 100, (uint64_t)block * 70000);
	(void)!e4_fallocate(file, 0, (uint64_t)block * 3000, block * 3); /* not with a block map */
	e4_iput(file);
}

/* An index with several levels costs no inodes when all names are one file's. */
static void make_big_folder(struct e4_inode *root, const char *name, unsigned names, int width)
{
	struct e4_inode *dir = make(root, name, S_IFDIR | 0755), *file = make(dir, "all", S_IFREG | 0600);
	char link[256];

	for (unsigned i = 0; i < names; i++) {
		snprintf(link, sizeof(link), "%0*u", width, i);
		want(e4_link(file, dir, link, strlen(link), false) == 0, "link");
	}
	e4_iput(file);
	e4_iput(dir);
}

static void make_links(struct e4_inode *root)
{
	struct e4_create what = {.mode = S_IFLNK | 0777};
	char target[900];
	static const unsigned lengths[] = {10, 59, 60, 120, 899};

	for (unsigned i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		struct e4_inode *made;
		char name[20];

		memset(target, 'l', sizeof(target));
		target[lengths[i]] = '\0';
		what.symlink_target = target;
		snprintf(name, sizeof(name), "link%u", i);
		want(e4_create(root, name, strlen(name), &what, &made) == 0, "symlink");
		e4_iput(made);
	}
}

/* What a kind has no room for is left out. */
static void make_xattrs(struct e4_inode *root)
{
	static const uint8_t acl[] = {2, 0, 0, 0, 1, 0, 7, 0, 255, 255, 255, 255, 2, 0, 5, 0, 77, 0, 0, 0, 4, 0,
		5, 0, 255, 255, 255, 255, 16, 0, 7, 0, 255, 255, 255, 255, 32, 0, 4, 0, 255, 255, 255, 255};
	static const size_t lengths[] = {8, 30, 300, 2500};
	uint8_t value[2500];

	memset(value, 'v', sizeof(value));
	for (unsigned i = 0; i < 5; i++) {
		char name[20];
		struct e4_inode *inode;

		snprintf(name, sizeof(name), "with%u", i);
		inode = make(root, name, (i ? S_IFREG : S_IFDIR) | 0644);
		for (unsigned k = 0; k < 4 && k <= i; k++) {
			snprintf(name, sizeof(name), "user.name%u", k);
			(void)!e4_setxattr(inode, name, value, lengths[k], 0);
		}
		if (i < 3)
			(void)!e4_setxattr(inode, "system.posix_acl_access", acl, sizeof(acl), 0);
		if (i == 0)
			(void)!e4_setxattr(inode, "system.posix_acl_default", acl, sizeof(acl), 0);
		e4_iput(inode);
	}
}

static void fill(struct e4_fs *fs, const struct base_kind *kind)
{
	struct e4_inode *root, *dir;
	struct e4_statfs st;
	bool small;

	e4_statfs(fs, &st);
	small = st.block_bytes == 1024;
	want(e4_iget(fs, E4_ROOT_INO, &root) == 0, "root");
	for (unsigned i = 0; i < 12; i++) {
		char name[20];

		snprintf(name, sizeof(name), "file%u", i);
		make_file(root, name, i * i * 300 + (i == 1 ? 20 : 0));
	}
	make_pieces(root, "pieces", small && kind->mib > 4 ? 400 : 100, st.block_bytes);
	make_big_folder(root, "many", small ? 150 : 100, 40);
	make_big_folder(root, "more", small && kind->mib > 4 ? 900 : 60, 130);
	make_links(root);
	make_xattrs(root);
	e4_iput(make(root, "pipe", S_IFIFO | 0600));
	e4_iput(make(root, "device", S_IFCHR | 0600));
	dir = root;
	for (unsigned i = 0; i < 5; i++) {
		struct e4_inode *below = make(dir, "folder", S_IFDIR | 0755);

		make_file(below, "inside", 40);
		make_file(below, "other", 3000);
		e4_iput(dir);
		dir = below;
	}
	e4_iput(dir);
}

/* Some transactions that only the journal holds, with revokes, and two files without a name. */
static void use(struct e4_fs *fs, struct e4_inode **open)
{
	struct e4_create what = {.mode = S_IFREG | 0600};
	struct e4_inode *root, *gone = NULL;
	struct e4_attr attr = {.size = 5000};

	want(e4_iget(fs, E4_ROOT_INO, &root) == 0, "root");
	make_big_folder(root, "used", 60, 100);
	want(e4_sync(fs) == 0, "sync");
	want(e4_unlink(root, "pieces", 6, &open[0]) == 0, "unlink");
	want(e4_lookup(root, "file9", 5, &gone) == 0, "lookup");
	want(e4_setattr(gone, &attr, E4_SET_SIZE) == 0, "truncate");
	e4_iput(gone);
	want(e4_sync(fs) == 0, "sync");
	want(e4_unlink(root, "with4", 5, &gone) == 0, "unlink");
	e4_iput(gone);
	/* A folder's blocks that the log holds, and that are free again: revoked. */
	e4_iput(make(root, "brief", S_IFDIR | 0700));
	want(e4_sync(fs) == 0, "sync");
	want(e4_rmdir(root, "brief", 5, &gone) == 0, "rmdir");
	e4_iput(gone);
	make_file(root, "late", 2000);
	want(e4_sync(fs) == 0, "sync");
	want(e4_tmpfile(root, &what, &open[1]) == 0, "tmpfile");
	put_bytes(open[1], 3000, 0);
	want(e4_sync(fs) == 0, "sync");
	e4_iput(root);
}

/* What mke2fs puts there itself, for kinds that we only read. */
static void make_tree(const char *tree)
{
	char command[1200];

	snprintf(command, sizeof(command),
		"mkdir -p %s/d/e && cd %s && for i in 1 40 100 150 300 5000; do head -c $i /dev/zero | tr '\\0' x >s$i; "
		"touch d/n$i; done && ln -s s1 link && ln -s \"$(head -c 100 s300)\" d/long && "
		"for i in $(seq 40); do touch d/e/some-name-$i; done && "
		"{ setfattr -n user.a -v 12345678901234567890 s40 d || true; } 2>/dev/null",
		tree, tree);
	want(system(command) == 0, "tree");
}

static struct e4_fs *mount(struct blkdev *dev)
{
	struct e4_mount_options options = {.commit_ms = 3600 * 1000, .mmp_second_ms = 1};
	struct diag diag = {0};
	struct e4_fs *fs = NULL;

	want(e4_mount(dev, &options, &fs, &diag) == 0, diag.detail);
	return fs;
}

void base_make(const struct base_kind *kind, const char *path)
{
	struct e4_inode *open[2];
	struct blkdev *dev;
	struct e4_fs *fs;
	char command[800], tree[200];
	bool written;
	void *now;
	size_t size = (size_t)kind->mib << 20;

	snprintf(tree, sizeof(tree), "%s.tree", path);
	make_tree(tree);
	snprintf(command, sizeof(command), "mke2fs -q -F %s %s -d %s %s %uM >/dev/null 2>&1 && rm -rf %s",
		strstr(kind->options, "-t ext") ? "" : "-t ext4", kind->options, tree, path, kind->mib, tree);
	want(system(command) == 0, command);
	want(mapdev_new(path, false, &dev) == 0, "map");
	fs = mount(dev);
	written = !e4_read_only_reason(fs);
	if (written)
		fill(fs, kind);
	want(e4_unmount(fs) == 0, "unmount");
	if (kind->dirty && written) {
		now = malloc(size);
		want(now != NULL, "malloc");
		fs = mount(dev);
		use(fs, open);
		memcpy(now, mapdev_data(dev), size);
		e4_iput(open[0]);
		e4_iput(open[1]);
		want(e4_unmount(fs) == 0, "unmount");
		memcpy(mapdev_data(dev), now, size);
		free(now);
	}
	blkdev_close(dev);
}
