/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the request handlers share. Private to fuse/. */
#ifndef FUSE_FRONT_STATE_H
#define FUSE_FRONT_STATE_H

#define FUSE_USE_VERSION 312
#include <fuse3/fuse_lowlevel.h>
#include <pthread.h>
#include <stdatomic.h>

#include "ext4/ext4.h"
#include "fuse/counters.h"
#include "fuse/front.h"
#include "fuse/nodes.h"
#include "fuse/owner.h"

enum {
	FRONT_REQUEST_MAX = 1 << 20, /* bytes of one read or write */
	FRONT_BUFFER_BYTES = FRONT_REQUEST_MAX + 4096, /* any request but its first bytes */
	/* Of what the kernel reads ahead. Half of that is decrypted and given out while the rest is read
	 * (kernel-shim/streams.c), which is faster than 1 MiB at a time. */
	FRONT_READAHEAD = 512 * 1024,
	FRONT_THREADS_MAX = 10,
	FRONT_BACKGROUND_MAX = 64, /* requests nobody waits for, on their way at once */
};

struct marks;
struct seeker;
struct turns;

struct front {
	struct e4_fs *fs;
	struct nodes *nodes;
	struct seeker *seeker;
	struct turns *turns;
	struct marks *marks;   /* by handle */
	struct marks *refused; /* by node */
	_Atomic uint64_t handles; /* opened so far */
	struct owner owner;
	struct fuse_session *session; /* used by other threads only under lock while !ended */
	pthread_t thread; /* the one that serves */
	char *mount_point; /* NULL until mounted; then constant, as are the two behind it */
	unsigned device_major, device_minor;
	_Atomic uint64_t init_request; /* the INIT whose answer rawops.c completes, 0: none */
	struct request_counts requests;
	bool opendir_needless; /* the kernel can do without OPENDIR */
	bool labels_idle; /* no SELinux in this kernel */
	bool mixes_direct; /* it minds its cache when a file is written past it */

	pthread_mutex_t lock;
	pthread_cond_t ended_changed;
	bool ended; /* under lock: front_serve() has returned */
};

static inline struct front *front_of(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

static inline void cleanup_inode(struct e4_inode **inode)
{
	if (*inode)
		e4_iput(*inode);
}
#define CLEANUP_INODE CLEANUP(cleanup_inode)

/*
 * Node ids are inode numbers, but for the root folder, which FUSE numbers 1 and ext4 2; ext4's
 * inode 1 (bad blocks) is never shown.
 */
static inline fuse_ino_t node_of_ino(uint32_t ino)
{
	return ino == E4_ROOT_INO ? FUSE_ROOT_ID : ino;
}

/* A reference to the inode of a node id. -ESTALE when there is none. */
int front_iget(struct front *front, fuse_ino_t node, struct e4_inode **ret_inode) MUST_CHECK;
/* strlen(name), or -ENAMETOOLONG: the kernel passes names longer than ext4's. */
int front_name_len(const char *name) MUST_CHECK;
/* Who makes something new. */
struct front_caller {
	uid_t uid;
	gid_t gid;
	mode_t umask;
	bool use_reserve;
};
/* What something new in dir takes over from its maker and from dir. */
void front_inherit(const struct front *front, const struct front_caller *caller,
	struct e4_inode *dir, struct e4_create *what);
/* Makes something new for the caller of req. */
int front_create(fuse_req_t req, fuse_ino_t parent, const char *name, struct e4_create *what,
	struct e4_inode **ret_inode) MUST_CHECK;
/* Opened with the O_* flags, writes must come here one by one: inode_flags are FS_*_FL. */
bool front_open_direct(struct front *front, uint32_t inode_flags, int flags, bool is_new);
/* A number for a file that is being opened; it ends with op_release(). */
uint64_t front_handle_new(struct front *front, struct e4_inode *inode, int flags, bool direct);
/* The kernel may have taken data through this handle (NULL: none). */
bool front_handle_writes(const struct fuse_file_info *fi);
/* Opened to write past the kernel's cache. */
bool front_handle_direct(const struct fuse_file_info *fi);
/* -EPERM: such a descriptor may not write to an append-only file. */
int front_check_write(struct e4_inode *inode, const struct fuse_file_info *fi) MUST_CHECK;
/* fsync of an open file: -EIO, once, also when its data was lost before. */
int front_fsync(struct front *front, struct e4_inode *inode, const struct fuse_file_info *fi,
	bool datasync) MUST_CHECK;
/* FRONT_BUFFER_BYTES of the calling thread, aligned to a page; NULL when there is no memory. */
char *front_buffer(void);

/* Handlers, by file. */
struct fuse_lowlevel_ops;
extern const struct fuse_lowlevel_ops front_ops;

void op_read(fuse_req_t req, fuse_ino_t node, size_t size, off_t off, struct fuse_file_info *fi);
void op_write(fuse_req_t req, fuse_ino_t node, const char *buf, size_t size, off_t off,
	struct fuse_file_info *fi);
void op_fsync(fuse_req_t req, fuse_ino_t node, int datasync, struct fuse_file_info *fi);
void op_fallocate(fuse_req_t req, fuse_ino_t node, int mode, off_t off, off_t len,
	struct fuse_file_info *fi);
void op_lseek(fuse_req_t req, fuse_ino_t node, off_t off, int whence, struct fuse_file_info *fi);
void op_ioctl(fuse_req_t req, fuse_ino_t node, unsigned cmd, void *arg, struct fuse_file_info *fi,
	unsigned flags, const void *in, size_t in_bytes, size_t out_bytes);

void op_open(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi);
void op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
	struct fuse_file_info *fi);
void op_release(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi);
void op_flush(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi);

void op_opendir(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi);
void op_readdir(fuse_req_t req, fuse_ino_t node, size_t size, off_t off, struct fuse_file_info *fi);
void op_readdirplus(fuse_req_t req, fuse_ino_t node, size_t size, off_t off,
	struct fuse_file_info *fi);

void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name);
void op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev);
void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode);
void op_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name);
void op_link(fuse_req_t req, fuse_ino_t node, fuse_ino_t parent, const char *name);
void op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name);
void op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name);
void op_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t to_parent,
	const char *to_name, unsigned flags);

void op_forget(fuse_req_t req, fuse_ino_t node, uint64_t count);
void op_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets);
void op_getattr(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi);
void op_setattr(fuse_req_t req, fuse_ino_t node, struct stat *st, int to_set,
	struct fuse_file_info *fi);
void op_getxattr(fuse_req_t req, fuse_ino_t node, const char *name, size_t size);
void op_listxattr(fuse_req_t req, fuse_ino_t node, size_t size);
void op_setxattr(fuse_req_t req, fuse_ino_t node, const char *name, const char *value, size_t size,
	int flags);
void op_removexattr(fuse_req_t req, fuse_ino_t node, const char *name);
void op_readlink(fuse_req_t req, fuse_ino_t node);
void op_statfs(fuse_req_t req, fuse_ino_t node);

#endif
