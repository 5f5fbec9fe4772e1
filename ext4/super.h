/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The super block and the feature gate (design section 2). */
#ifndef EXT4_SUPER_H
#define EXT4_SUPER_H

#include "ext4/txn.h"

bool super_checksum_fits(const struct ext2_super_block *super);
/* Reads and checks everything, fills geometry and features of fs; decides read-only or refusal. */
int super_load(struct e4_fs *fs, struct diag *diag) MUST_CHECK;
/* Called by the commit while no handle is open: puts counters, times and state into the super
 * block's buffer if they changed since the last commit. */
int super_store(struct handle *h) MUST_CHECK;
/* State on the drive while mounted read-write: not cleanly unmounted. Synced when it returns. No journal is
 * in use, neither then nor at the end. */
int super_mark_mounted(struct e4_fs *fs) MUST_CHECK;
/* What else a mount leaves there; in the running transaction. */
int super_count_mount(struct e4_fs *fs) MUST_CHECK;
int super_mark_clean(struct e4_fs *fs) MUST_CHECK;
/* Damage was found: says so on the drive, past the cache and outside of any transaction. Nobody else
 * uses the volume any more. */
int super_mark_errors(struct e4_fs *fs) MUST_CHECK;
/* Switches a feature on the first time it is used (ext_attr; large_file, dir_nlink). */
int super_add_compat(struct handle *h, uint32_t feature) MUST_CHECK;
int super_add_ro_compat(struct handle *h, uint32_t feature) MUST_CHECK;

#endif
