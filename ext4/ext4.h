/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ext4 on a block device, in user space: the public face of this folder. It knows no LUKS and no
 * FUSE. On-disk format as in the kernel's Documentation/filesystems/ext4/ and ext2fs/ext2_fs.h.
 *
 * Every function may be called from many threads at once. Results come through ret_ parameters,
 * written only on success; failures are -errno as the kernel's ext4 would give them, -EUCLEAN for
 * metadata that is damaged on the drive. An inode pointer is a counted reference.
 */
#ifndef EXT4_EXT4_H
#define EXT4_EXT4_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "base/blkdev.h"
#include "base/error.h"

struct e4_fs;
struct e4_inode;

enum {
	E4_NAME_MAX = 255,
	E4_ROOT_INO = 2,
};

/* ---- volume ---------------------------------------------------------------------------- */

enum e4_atime { E4_ATIME_RELATIVE, E4_ATIME_NEVER, E4_ATIME_ALWAYS, E4_ATIME_LAZY }; /* atime.c */

struct e4_mount_options {
	bool read_only;
	enum e4_atime atime; /* which accesses change the time of access */
	size_t cache_bytes; /* limit of cached metadata; 0: 40 MiB */
	unsigned commit_ms; /* commit interval of the running transaction; 0: 5000 */
	/* Called once, from any thread, when the volume turns read-only after an error. */
	void (*on_error)(void *ctx, int err, const char *what);
	/* Called from any thread when file data of an inode did not get onto the drive; with on_error_ctx. */
	void (*on_loss)(void *ctx, uint32_t ino);
	void *on_error_ctx;
	/* Called every second while it must be waited for other users of a volume with multiple mount
	 * protection, at most so much longer; false: give up. NULL: wait. */
	bool (*on_wait)(void *ctx, unsigned seconds_left);
	void *on_wait_ctx;
	unsigned mmp_second_ms; /* for tests: how long a second of the above lasts; 0: 1000 */
};

/*
 * Opens the file system on dev (which stays the caller's and must outlive the fs).
 * Errors: -SDE_NOT_EXT4, -SDE_FS_DAMAGED, -SDE_FS_FEATURE (diag names it), -SDE_FS_SIZE,
 * -SDE_JOURNAL_DIRTY, -SDE_FS_IN_USE (on another computer; diag: which), -SDE_CANCELLED (on_wait), I/O.
 * A journal in use is replayed (on a read-only mount in memory only). A volume with unknown ro_compat
 * features, or without a journal and not cleanly unmounted, opens read-only, and
 * e4_read_only_reason() says why.
 */
int e4_mount(struct blkdev *dev, const struct e4_mount_options *options, struct e4_fs **ret_fs,
	struct diag *diag) MUST_CHECK;
/*
 * What the super block says of a volume that is not opened; nothing else is checked. The size may be
 * larger than dev. -SDE_NOT_EXT4, -SDE_FS_DAMAGED, I/O errors.
 */
struct e4_peek {
	uint32_t block_bytes;
	uint64_t size_bytes;
	bool needs_recovery; /* the journal is in use */
	bool sure; /* its checksum is right, or it has none */
};
int e4_peek(struct blkdev *dev, struct e4_peek *ret_peek) MUST_CHECK;

/* Commits, marks clean, frees everything, whatever the result. All inodes must have been put. */
int e4_unmount(struct e4_fs *fs) MUST_CHECK;
/* Everything written and changed so far is on the medium when it returns. */
int e4_sync(struct e4_fs *fs) MUST_CHECK;
/* Where the files are to be seen: stored in the super block with the next commit. */
void e4_set_mounted_on(struct e4_fs *fs, const char *path);
bool e4_is_read_only(const struct e4_fs *fs);
bool e4_has_journal(const struct e4_fs *fs);
/* NULL when writable; "" when the caller asked for it; else a translated sentence. */
const char *e4_read_only_reason(const struct e4_fs *fs);

struct e4_statfs {
	uint32_t block_bytes;
	uint64_t blocks, blocks_free, blocks_avail; /* avail: without root's reserve */
	uint32_t reserve_uid, reserve_gid; /* whose reserve it is, besides root; 0: nobody's */
	uint64_t inodes, inodes_free;
	uint32_t time_gran_ns; /* finest time that inodes store: 1, or a second in small ones */
	uint8_t uuid[16];
	char label[17];
};
void e4_statfs(struct e4_fs *fs, struct e4_statfs *ret_statfs);

/* What has been done since the volume was mounted. */
struct e4_counts {
	uint64_t cache_hits, cache_misses; /* of metadata blocks */
	uint64_t commits, checkpoints;
	uint64_t commit_waits; /* operations that waited for a commit to go on */
};
void e4_counts(struct e4_fs *fs, struct e4_counts *ret_counts);

struct e4_trim {
	uint64_t off, len; /* bytes of the volume; len may reach past its end */
	uint64_t min_len;  /* shorter free runs are left alone */
	/* Asked now and then whether to end early (-EINTR); may be NULL. */
	bool (*stop)(void *ctx);
	void *stop_ctx;
};
/* Discards free blocks on the device, all that are no longer part of a transaction. -EOPNOTSUPP
 * when the device cannot or must not, -EINVAL, -EROFS. *ret_bytes: how much. */
int e4_trim(struct e4_fs *fs, const struct e4_trim *what, uint64_t *ret_bytes) MUST_CHECK;

/* ---- inodes ---------------------------------------------------------------------------- */

/* -ENOENT: no such inode in use; -EUCLEAN: damaged. */
int e4_iget(struct e4_fs *fs, uint32_t ino, struct e4_inode **ret_inode) MUST_CHECK;
/* The same for a number that was not read from the drive: whatever it is, -ENOENT says that no file has it. */
int e4_iget_handle(struct e4_fs *fs, uint32_t ino, struct e4_inode **ret_inode) MUST_CHECK;
struct e4_inode *e4_iref(struct e4_inode *inode);
/* Drops a reference; the last one of an inode without links frees it on the drive. */
void e4_iput(struct e4_inode *inode);
/* The same for who has kept only the number of the inode that he holds a reference to. */
void e4_iput_number(struct e4_fs *fs, uint32_t ino);
uint32_t e4_ino(const struct e4_inode *inode);
uint32_t e4_generation(const struct e4_inode *inode);

struct e4_attr {
	uint32_t ino, generation;
	uint32_t mode; /* S_IFMT | permissions */
	uint32_t uid, gid, nlink;
	uint32_t flags; /* EXT4_*_FL */
	uint64_t size;
	uint64_t blocks_512;
	uint32_t rdev; /* makedev() */
	struct timespec atime, mtime, ctime, crtime;
	bool has_crtime; /* small inodes have no room for it */
};
void e4_getattr(struct e4_inode *inode, struct e4_attr *ret_attr);

/* Somebody has read the file, listed the folder, followed the link: changes atime if the volume's
 * policy and the inode's flags say so. */
void e4_accessed(struct e4_inode *inode);

enum e4_set_mask {
	E4_SET_MODE = 1 << 0,
	E4_SET_UID = 1 << 1,
	E4_SET_GID = 1 << 2,
	E4_SET_SIZE = 1 << 3,
	E4_SET_ATIME = 1 << 4,
	E4_SET_MTIME = 1 << 5,
	E4_SET_CTIME = 1 << 6,
	/* not fields: */
	E4_SET_GIVEN_TIMES = 1 << 7, /* atime and mtime are not both "now": not if append-only */
	E4_SET_KILL_SUID = 1 << 9, /* the set-id bits go, whatever the mode is then */
	E4_SET_KILL_SGID = 1 << 10,
	E4_SET_HELD = 1 << 8, /* times of writes taken from a program earlier, as E4_WRITE_HELD */
};
/* Fields named in mask; ctime becomes now unless it is named. Size: truncates or extends. */
int e4_setattr(struct e4_inode *inode, const struct e4_attr *attr, unsigned mask) MUST_CHECK;

/*
 * How the blocks of a file, folder or link are mapped: true: by an extent tree (chattr +e, that is
 * FS_IOC_SETFLAGS with EXT4_EXTENTS_FL where it was not set; EXT4_IOC_MIGRATE), false: by the block
 * map of ext2 and ext3 (chattr -e). The caller checks who may do it, tells whether EXT4_EXTENTS_FL
 * differs from e4_getattr()'s flags, and sets other flags and ctime itself; what the kernel has
 * not written back yet need not be here. -EINVAL: the volume has no extents, it is so already, the
 * data is in the inode. -EOPNOTSUPP: only what has one extent within its first twelve blocks gets a
 * block map. -ENOSPC: the tree does not fit on the volume, or its making into one transaction.
 */
int e4_set_extents(struct e4_inode *inode, bool extents) MUST_CHECK;
/*
 * The flags of chattr(1), EXT4_*_FL as FS_IOC_GETFLAGS shows them. The caller has seen to the
 * permission: only root sets or clears EXT4_IMMUTABLE_FL and EXT4_APPEND_FL. -EOPNOTSUPP: not for this kind
 * of inode; -EPERM: immutable, and to stay so.
 */
uint32_t e4_get_flags(struct e4_inode *inode);
int e4_set_flags(struct e4_inode *inode, uint32_t flags) MUST_CHECK;
/* -ENOTTY on volumes with checksums. */
int e4_set_generation(struct e4_inode *inode, uint32_t generation) MUST_CHECK;

/* ---- file data ------------------------------------------------------------------------- */

/* Bytes read (0 at the end) or a failure. Holes read as zeroes. Nothing behind what was read changes. */
ssize_t e4_read(struct e4_inode *inode, void *buf, size_t len, uint64_t off) MUST_CHECK;
/* The same, faster: buf has room bytes (len or more), and those behind what was read may change. */
ssize_t e4_read_room(struct e4_inode *inode, void *buf, size_t len, size_t room, uint64_t off) MUST_CHECK;
enum e4_write_flags {
	E4_WRITE_MAY_CLOBBER = 1 << 0, /* buf's content is garbage afterwards */
	E4_WRITE_HELD = 1 << 1, /* taken from a program earlier: goes where it belongs even if the
				 * file has become immutable meanwhile; whoever held it back
				 * knows the times, and sets them */
	E4_WRITE_USE_RESERVE = 1 << 2, /* for somebody who may use root's reserved blocks */
	E4_WRITE_WHOLE = 1 << 3, /* fewer than all bytes is a failure: -ENOSPC or -EFBIG */
};
/* All len bytes; fewer when the volume or the file got full on the way; or a failure (-ENOSPC: not one byte,
 * -EFBIG, -EROFS, -EIO ...: part may have been written). */
ssize_t e4_write(struct e4_inode *inode, void *buf, size_t len, uint64_t off, unsigned flags) MUST_CHECK;
enum { E4_FALLOC_USE_RESERVE = 1 << 30 }; /* as E4_WRITE_USE_RESERVE */
/* mode: that, and FALLOC_FL_* as fallocate(2): none, PUNCH_HOLE or ZERO_RANGE, each with KEEP_SIZE or (but for
 * PUNCH_HOLE) without; others -EOPNOTSUPP. -ENOSPC: nothing has changed. */
int e4_fallocate(struct e4_inode *inode, int mode, uint64_t off, uint64_t len) MUST_CHECK;
int e4_fsync(struct e4_inode *inode, bool datasync) MUST_CHECK;
/*
 * Data that had been written, and then did not get onto the drive: -EIO once for each who has the file
 * open. Each keeps a mark, which begins with what e4_loss_mark() says when he opens it. What counts are
 * losses found by syncs before the call, by whomever.
 */
uint64_t e4_loss_mark(struct e4_inode *inode);
int e4_loss_check(struct e4_inode *inode, uint64_t *mark) MUST_CHECK;
/* whence SEEK_DATA or SEEK_HOLE; -ENXIO past the end. */
int e4_seek(struct e4_inode *inode, uint64_t off, int whence, uint64_t *ret_off) MUST_CHECK;
/* Target of a symbolic link into buf, terminated; bytes without the zero. buf_len >= 4097. */
ssize_t e4_readlink(struct e4_inode *inode, char *buf, size_t buf_len) MUST_CHECK;

/* ---- extended attributes --------------------------------------------------------------- */
/*
 * Names with their namespace ("user.x"), terminated. Values of "system.posix_acl_access" and
 * "..._default" are in the form that programs and the kernel exchange. Who may do what is the
 * caller's business, but for files that are immutable or append-only.
 */

/* Bytes of the value; with size 0 only how many there are. -ENODATA, -ERANGE (size too small),
 * -EOPNOTSUPP (no such namespace), -EINVAL. */
ssize_t e4_getxattr(struct e4_inode *inode, const char *name, void *buf, size_t size) MUST_CHECK;
enum e4_list_flags {
	E4_LIST_TRUSTED = 1 << 0, /* names in "trusted." too */
};
/* Bytes of the list of terminated names; size as above. */
ssize_t e4_listxattr(struct e4_inode *inode, char *buf, size_t size, unsigned flags) MUST_CHECK;
enum e4_xattr_flags {
	E4_XATTR_CREATE = 1 << 0,    /* -EEXIST when it is there */
	E4_XATTR_REPLACE = 1 << 1,   /* -ENODATA when it is not */
	E4_XATTR_KILL_SGID = 1 << 2, /* an access ACL: the file's set-group-ID bit goes */
	E4_XATTR_USE_RESERVE = 1 << 3, /* as E4_WRITE_USE_RESERVE */
};
/* -ENOSPC: neither in the inode nor in its block; -EPERM; an ACL that is wrong: -EINVAL. An access ACL
 * changes the mode, and is not stored when the mode says as much. */
int e4_setxattr(struct e4_inode *inode, const char *name, const void *value, size_t len,
	unsigned flags) MUST_CHECK;
/* flags: 0 or E4_XATTR_USE_RESERVE, as what is left may need a block of its own. */
int e4_removexattr(struct e4_inode *inode, const char *name, unsigned flags) MUST_CHECK;

/* ---- names ----------------------------------------------------------------------------- */
/* Names are byte strings of name_len (no '/' or NUL inside). "." and ".." only in lookup. */

int e4_lookup(struct e4_inode *dir, const char *name, size_t name_len, struct e4_inode **ret_inode) MUST_CHECK;

struct e4_create {
	uint32_t mode; /* with S_IFMT: regular, directory, symlink, fifo, socket, char, block */
	uint32_t umask; /* permissions taken off, unless the folder's default ACL says what to give */
	uint32_t uid, gid;
	uint32_t rdev;
	const char *symlink_target; /* terminated, S_IFLNK only */
	bool use_reserve; /* as E4_WRITE_USE_RESERVE */
};
/* -EEXIST, -ENOSPC, -EDQUOT, -EMLINK, -ENAMETOOLONG, -ENOENT (dir already removed) ... */
int e4_create(struct e4_inode *dir, const char *name, size_t name_len,
	const struct e4_create *what, struct e4_inode **ret_inode) MUST_CHECK;
/* A regular file (or a device, see e4_rename_marked()) without a name, with the group and flags that dir gives to new ones. It goes with
 * its last reference, unless e4_link() has named it. */
int e4_tmpfile(struct e4_inode *dir, const struct e4_create *what, struct e4_inode **ret_inode) MUST_CHECK;
/* -ENOENT for an inode that has lost all its names. use_reserve: as E4_WRITE_USE_RESERVE. */
int e4_link(struct e4_inode *inode, struct e4_inode *dir, const char *name, size_t name_len,
	bool use_reserve) MUST_CHECK;
/*
 * unlink, rmdir, rename: *ret_gone is the inode whose name went away, or NULL (rename over
 * nothing); the caller puts it. With no links left it is freed on the last put.
 */
int e4_unlink(struct e4_inode *dir, const char *name, size_t name_len, struct e4_inode **ret_gone) MUST_CHECK;
int e4_rmdir(struct e4_inode *dir, const char *name, size_t name_len, struct e4_inode **ret_gone) MUST_CHECK;
enum { E4_RENAME_USE_RESERVE = 1 << 30 }; /* as E4_WRITE_USE_RESERVE */
/* flags: 0, RENAME_NOREPLACE or RENAME_EXCHANGE, each with that or without. */
int e4_rename(struct e4_inode *from_dir, const char *from, size_t from_len,
	struct e4_inode *to_dir, const char *to, size_t to_len, unsigned flags,
	struct e4_inode **ret_gone) MUST_CHECK;
/* The same without RENAME_EXCHANGE; from stands for mark then, which e4_tmpfile() has made
 * (RENAME_WHITEOUT). Nothing is renamed, and mark gets no name, if both names are one inode. */
int e4_rename_marked(struct e4_inode *from_dir, const char *from, size_t from_len,
	struct e4_inode *to_dir, const char *to, size_t to_len, unsigned flags,
	struct e4_inode *mark, struct e4_inode **ret_gone) MUST_CHECK;

struct e4_dirent {
	uint32_t ino;
	uint8_t type; /* DT_* of <dirent.h> */
	size_t name_len;
	const char *name; /* not terminated; valid during the call */
	uint64_t next_cookie; /* position after this entry */
};
/* Returns true to stop: the entry was not taken. */
typedef bool (*e4_readdir_fn)(void *ctx, const struct e4_dirent *entry);
/*
 * Entries from cookie on (0: the beginning; "." and ".." included). Cookies are positions that stay
 * valid while others create and delete names: no entry that exists throughout is missed or doubled.
 * fn is called without any lock held, so what it is told of may be gone by then. -ENOENT: removed.
 */
int e4_readdir(struct e4_inode *dir, uint64_t cookie, e4_readdir_fn fn, void *ctx) MUST_CHECK;

/* ---- mkfs ------------------------------------------------------------------------------ */

struct e4_mkfs_params {
	const char *label;	/* up to 16 bytes, NULL: none */
	uint32_t block_bytes;	/* 0: 4096 (1024 only for volumes below 512 MiB on small sectors) */
	uint32_t min_block_bytes; /* the device's sector size: never a smaller block */
	uint32_t root_uid, root_gid;
	bool journal;
};
/* Smallest device e4_mkfs() accepts. */
enum { E4_MKFS_MIN_BYTES = 1 << 20 };
/* Makes a file system with the features of the gate; the time does not depend on the size.
 * progress may be NULL; it is called with 0..100. */
int e4_mkfs(struct blkdev *dev, const struct e4_mkfs_params *params,
	void (*progress)(void *ctx, int percent), void *ctx, struct diag *diag) MUST_CHECK;

#endif
