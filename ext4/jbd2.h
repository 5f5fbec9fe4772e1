/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The journal as it lies on the drive, big-endian throughout.
 * Source: kernel Documentation/filesystems/ext4/journal.rst
 */
#ifndef EXT4_JBD2_H
#define EXT4_JBD2_H

#include "base/bytes.h"

enum { JBD2_MAGIC = (int)0xc03b3998u };

enum jbd2_block_type {
	JBD2_DESCRIPTOR = 1,
	JBD2_COMMIT = 2,
	JBD2_SUPER_V1 = 3,
	JBD2_SUPER_V2 = 4,
	JBD2_REVOKE = 5,
};

enum jbd2_compat { JBD2_COMPAT_CHECKSUM = 0x1 };

enum jbd2_incompat {
	JBD2_INCOMPAT_REVOKE = 0x1,
	JBD2_INCOMPAT_64BIT = 0x2,
	JBD2_INCOMPAT_ASYNC_COMMIT = 0x4,
	JBD2_INCOMPAT_CSUM_V2 = 0x8,
	JBD2_INCOMPAT_CSUM_V3 = 0x10,
	JBD2_INCOMPAT_FAST_COMMIT = 0x20,
};

enum jbd2_tag_flags {
	JBD2_TAG_ESCAPE = 0x1,	  /* the block began with JBD2_MAGIC; it is zero in the log */
	JBD2_TAG_SAME_UUID = 0x2, /* no UUID follows the tag */
	JBD2_TAG_DELETED = 0x4,
	JBD2_TAG_LAST = 0x8,
};

enum {
	JBD2_CHECKSUM_CRC32 = 1,  /* of the oldest format, in commit blocks */
	JBD2_CHECKSUM_CRC32C = 4,
	JBD2_MIN_BLOCKS = 1024,
	JBD2_DEFAULT_FC_BLOCKS = 256,
	JBD2_UUID_BYTES = 16,
	JBD2_TAIL_BYTES = 4, /* checksum at the end of descriptor and revoke blocks */
};

struct jbd2_header {
	be32 magic, type, sequence;
};

struct jbd2_super {
	struct jbd2_header header;
	be32 block_bytes, max_len, first;
	be32 sequence, start; /* start 0: nothing to replay */
	be32 error;
	be32 compat, incompat, ro_compat;
	uint8_t uuid[JBD2_UUID_BYTES];
	be32 users, dynamic_super, max_transaction, max_transaction_data;
	uint8_t checksum_type, padding1[3];
	be32 fc_blocks;
	be32 head; /* of newer kernels; means something only while the journal is empty */
	uint8_t padding2[160];
	be32 checksum;
	uint8_t user_ids[16 * 48];
};
_Static_assert(sizeof(struct jbd2_super) == 1024, "journal super block");

/* With CSUM_V3. */
struct jbd2_tag3 {
	be32 block, flags, block_high, checksum;
};
_Static_assert(sizeof(struct jbd2_tag3) == 16, "journal tag");

/* Without it; 8 bytes, 12 with 64BIT, and 2 more with CSUM_V2. */
struct jbd2_tag {
	be32 block;
	be16 checksum, flags;
	be32 block_high;
};
_Static_assert(sizeof(struct jbd2_tag) == 12, "journal tag");

struct jbd2_revoke_header {
	struct jbd2_header header;
	be32 bytes; /* used, this header included */
};

struct jbd2_commit {
	struct jbd2_header header;
	uint8_t checksum_type, checksum_bytes, padding[2];
	be32 checksum[8];
	be64 seconds;
	be32 nanoseconds;
};
_Static_assert(offsetof(struct jbd2_commit, seconds) == 48, "journal commit block");

#endif
