/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A file system that does nothing: names and attributes are kept in memory, data is forgotten and
 * read as zeroes, every request is answered at once. What scripts/bench measures here is what FUSE
 * itself costs, with the settings that Sealdrive uses. Nodes are never freed; one lock for all.
 *
 *	bench-nullfs DIR
 */
#define FUSE_USE_VERSION 312
#include <fuse3/fuse_lowlevel.h>

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum { REQUEST_MAX = 1 << 20, BUCKETS = 1 << 17, NODES_MAX = 1 << 22, THREADS = 10 };

struct node {
	struct stat st;
	char *target; /* of a symbolic link */
	struct entry *first, *last; /* of a folder, in the order of making */
	uint64_t next_seq;
};

struct entry {
	struct entry *in_bucket, *before, *after;
	uint64_t seq;
	fuse_ino_t parent, node;
	char name[];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct node **nodes;
static fuse_ino_t nodes_count = FUSE_ROOT_ID;
static struct entry *buckets[BUCKETS];
static char zeroes[REQUEST_MAX];

static struct entry **bucket_of(fuse_ino_t parent, const char *name)
{
	uint64_t hash = parent * 0x9e3779b97f4a7c15u;

	for (; *name; name++)
		hash = (hash ^ (uint8_t)*name) * 0x100000001b3u;
	return &buckets[(hash >> 24) % BUCKETS];
}

/* The place that holds the pointer to the entry, or the empty place at the end. */
static struct entry **entry_find(fuse_ino_t parent, const char *name)
{
	struct entry **place = bucket_of(parent, name);

	while (*place && ((*place)->parent != parent || strcmp((*place)->name, name) != 0))
		place = &(*place)->in_bucket;
	return place;
}

static void entry_add(fuse_ino_t parent, const char *name, fuse_ino_t child)
{
	struct node *dir = nodes[parent];
	struct entry **place = entry_find(parent, name);
	struct entry *entry = calloc(1, sizeof(*entry) + strlen(name) + 1);

	if (!entry)
		abort();
	strcpy(entry->name, name);
	entry->parent = parent;
	entry->node = child;
	entry->seq = ++dir->next_seq;
	entry->before = dir->last;
	*(dir->last ? &dir->last->after : &dir->first) = entry;
	dir->last = entry;
	*place = entry;
}

static void entry_remove(struct entry **place)
{
	struct entry *entry = *place;
	struct node *dir = nodes[entry->parent];

	*place = entry->in_bucket;
	*(entry->before ? &entry->before->after : &dir->first) = entry->after;
	*(entry->after ? &entry->after->before : &dir->last) = entry->before;
	free(entry);
}

static fuse_ino_t node_new(mode_t mode)
{
	struct node *node = calloc(1, sizeof(*node));
	fuse_ino_t ino = nodes_count++;

	if (!node || ino >= NODES_MAX)
		abort();
	node->st = (struct stat){.st_ino = ino, .st_mode = mode, .st_nlink = 1, .st_blksize = 4096};
	clock_gettime(CLOCK_REALTIME, &node->st.st_mtim);
	node->st.st_ctim = node->st.st_atim = node->st.st_mtim;
	nodes[ino] = node;
	return ino;
}

static struct fuse_entry_param param_of(fuse_ino_t ino)
{
	return (struct fuse_entry_param){
		.ino = ino,
		.attr = nodes[ino]->st,
		.attr_timeout = 86400,
		.entry_timeout = 86400,
	};
}

static void op_init(void *ctx, struct fuse_conn_info *conn)
{
	conn->want = conn->capable &
		(FUSE_CAP_ASYNC_READ | FUSE_CAP_WRITEBACK_CACHE | FUSE_CAP_PARALLEL_DIROPS |
			FUSE_CAP_READDIRPLUS | FUSE_CAP_READDIRPLUS_AUTO | FUSE_CAP_ASYNC_DIO |
			FUSE_CAP_CACHE_SYMLINKS);
	conn->max_write = conn->max_readahead = REQUEST_MAX;
	conn->max_background = 64;
	conn->congestion_threshold = 48;
}

static void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param param = {.entry_timeout = 86400};
	struct entry *entry;

	pthread_mutex_lock(&lock);
	entry = *entry_find(parent, name);
	if (entry)
		param = param_of(entry->node);
	pthread_mutex_unlock(&lock);
	fuse_reply_entry(req, &param);
}

static void op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t count)
{
	fuse_reply_none(req);
}

static void op_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
	fuse_reply_none(req);
}

static void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct stat st;

	pthread_mutex_lock(&lock);
	st = nodes[ino]->st;
	pthread_mutex_unlock(&lock);
	fuse_reply_attr(req, &st, 86400);
}

static void op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *st, int to_set,
	struct fuse_file_info *fi)
{
	struct stat *own = &nodes[ino]->st, shown;

	pthread_mutex_lock(&lock);
	if (to_set & FUSE_SET_ATTR_MODE)
		own->st_mode = (own->st_mode & S_IFMT) | (st->st_mode & 07777);
	if (to_set & FUSE_SET_ATTR_UID)
		own->st_uid = st->st_uid;
	if (to_set & FUSE_SET_ATTR_GID)
		own->st_gid = st->st_gid;
	if (to_set & FUSE_SET_ATTR_SIZE)
		own->st_size = st->st_size;
	if (to_set & FUSE_SET_ATTR_MTIME)
		own->st_mtim = st->st_mtim;
	if (to_set & FUSE_SET_ATTR_CTIME)
		own->st_ctim = st->st_ctim;
	shown = *own;
	pthread_mutex_unlock(&lock);
	fuse_reply_attr(req, &shown, 86400);
}

static struct fuse_entry_param node_make(fuse_ino_t parent, const char *name, mode_t mode,
	const char *target)
{
	struct fuse_entry_param param;
	fuse_ino_t ino;

	pthread_mutex_lock(&lock);
	ino = node_new(mode);
	if (target) {
		nodes[ino]->target = strdup(target);
		nodes[ino]->st.st_size = (off_t)strlen(target);
	}
	entry_add(parent, name, ino);
	param = param_of(ino);
	pthread_mutex_unlock(&lock);
	return param;
}

static void op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev)
{
	struct fuse_entry_param param = node_make(parent, name, mode, NULL);

	fuse_reply_entry(req, &param);
}

static void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	op_mknod(req, parent, name, S_IFDIR | mode, 0);
}

static void op_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param param = node_make(parent, name, S_IFLNK | 0777, target);

	fuse_reply_entry(req, &param);
}

static void op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
	struct fuse_file_info *fi)
{
	struct fuse_entry_param param = node_make(parent, name, S_IFREG | mode, NULL);

	fi->keep_cache = 1;
	fuse_reply_create(req, &param, fi);
}

static void op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param param;

	pthread_mutex_lock(&lock);
	entry_add(parent, name, ino);
	nodes[ino]->st.st_nlink++;
	param = param_of(ino);
	pthread_mutex_unlock(&lock);
	fuse_reply_entry(req, &param);
}

static void op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct entry **place;
	int err = ENOENT;

	pthread_mutex_lock(&lock);
	place = entry_find(parent, name);
	if (*place && nodes[(*place)->node]->first) {
		err = ENOTEMPTY;
	} else if (*place) {
		nodes[(*place)->node]->st.st_nlink--;
		entry_remove(place);
		err = 0;
	}
	pthread_mutex_unlock(&lock);
	fuse_reply_err(req, err);
}

static void op_readlink(fuse_req_t req, fuse_ino_t ino)
{
	fuse_reply_readlink(req, nodes[ino]->target);
}

static void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	fuse_reply_buf(req, zeroes, size);
}

static void op_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size, off_t off,
	struct fuse_file_info *fi)
{
	pthread_mutex_lock(&lock);
	if (nodes[ino]->st.st_size < off + (off_t)size)
		nodes[ino]->st.st_size = off + (off_t)size;
	pthread_mutex_unlock(&lock);
	fuse_reply_write(req, size);
}

static void op_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
	fuse_reply_err(req, 0);
}

/* Left to the kernel from the first answer on. */
static void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	fuse_reply_err(req, ENOSYS);
}

static void list(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, bool plus)
{
	char *buf = malloc(size);
	size_t used = 0;

	if (!buf)
		abort();
	pthread_mutex_lock(&lock);
	for (struct entry *e = nodes[ino]->first; e; e = e->after) {
		struct fuse_entry_param param = param_of(e->node);
		size_t need;

		if ((off_t)e->seq <= off)
			continue;
		need = plus ? fuse_add_direntry_plus(req, buf + used, size - used, e->name, &param,
				      (off_t)e->seq)
			    : fuse_add_direntry(req, buf + used, size - used, e->name, &param.attr,
				      (off_t)e->seq);
		if (need > size - used)
			break;
		used += need;
	}
	pthread_mutex_unlock(&lock);
	fuse_reply_buf(req, buf, used);
	free(buf);
}

static void op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
	struct fuse_file_info *fi)
{
	list(req, ino, size, off, false);
}

static void op_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
	struct fuse_file_info *fi)
{
	list(req, ino, size, off, true);
}

static void op_statfs(fuse_req_t req, fuse_ino_t ino)
{
	struct statvfs vfs = {.f_bsize = 4096,
		.f_frsize = 4096,
		.f_blocks = 1 << 28,
		.f_bfree = 1 << 28,
		.f_bavail = 1 << 28,
		.f_namemax = 255};

	fuse_reply_statfs(req, &vfs);
}

/* What is missing (flush, extended attributes, locks) is answered once, with ENOSYS. */
static const struct fuse_lowlevel_ops ops = {
	.init = op_init,
	.lookup = op_lookup,
	.forget = op_forget,
	.forget_multi = op_forget_multi,
	.getattr = op_getattr,
	.setattr = op_setattr,
	.mknod = op_mknod,
	.mkdir = op_mkdir,
	.symlink = op_symlink,
	.create = op_create,
	.link = op_link,
	.unlink = op_unlink,
	.rmdir = op_unlink,
	.readlink = op_readlink,
	.open = op_open,
	.opendir = op_open,
	.read = op_read,
	.write = op_write,
	.fsync = op_fsync,
	.readdir = op_readdir,
	.readdirplus = op_readdirplus,
	.statfs = op_statfs,
};

int main(int argc, char **argv)
{
	char option[] = "-o", options[] = "default_permissions,fsname=nullfs,subtype=nullfs";
	char *fuse_argv[] = {argv[0], option, options};
	struct fuse_args args = FUSE_ARGS_INIT(3, fuse_argv);
	struct fuse_loop_config *config = fuse_loop_cfg_create();
	struct fuse_session *session;
	int result;

	if (argc != 2 || !config)
		return 2;
	nodes = calloc(NODES_MAX, sizeof(*nodes));
	if (!nodes)
		return 1;
	node_new(S_IFDIR | 0755);
	memset(zeroes, 0, sizeof(zeroes));
	fuse_loop_cfg_set_clone_fd(config, 1);
	fuse_loop_cfg_set_max_threads(config, THREADS);
	fuse_loop_cfg_set_idle_threads(config, THREADS);
	session = fuse_session_new(&args, &ops, sizeof(ops), NULL);
	if (!session || fuse_session_mount(session, argv[1]) != 0)
		return 1;
	if (fuse_daemonize(0) != 0)
		return 1;
	result = fuse_session_loop_mt(session, config);
	fuse_session_unmount(session);
	fuse_session_destroy(session);
	fuse_loop_cfg_destroy(config);
	return result;
}
