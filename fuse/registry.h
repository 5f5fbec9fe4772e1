/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where the control sockets of mounted drives are: one socket for each, in a folder that only its
 * user may enter ($XDG_RUNTIME_DIR/sealdrive, /run/sealdrive for root, else /tmp/sealdrive-UID).
 * A socket's name is the identity of its target, so a drive is found under all of its names.
 */
#ifndef FUSE_REGISTRY_H
#define FUSE_REGISTRY_H

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/un.h>

#include "base/error.h"

enum { REGISTRY_KEY_MAX = 48 };

struct registry_key {
	char name[REGISTRY_KEY_MAX];
};

/* Identity of a block device or container file. */
void registry_key_make(const struct stat *st, struct registry_key *ret_key);

/* The path of a socket to be made, in a folder that exists when this returns. */
int registry_socket_new(const struct registry_key *key, struct sockaddr_un *ret_addr,
	struct diag *diag) MUST_CHECK;

/* The name of a drive's socket while the drive is away: it has no identity then. */
void registry_key_away(pid_t pid, struct registry_key *ret_key);
/* Gives a socket another key. */
int registry_socket_move(struct sockaddr_un *addr, const struct registry_key *key) MUST_CHECK;

/* Returns true to stop. */
typedef bool (*registry_fn)(void *ctx, const char *socket_path);
/* All sockets of user, whose folders are looked at in turn; those that fail are left out. */
void registry_each(uid_t user, registry_fn fn, void *ctx);
/* The socket with this key; false: there is none. */
bool registry_find(uid_t user, const struct registry_key *key, struct sockaddr_un *ret_addr);

#endif
