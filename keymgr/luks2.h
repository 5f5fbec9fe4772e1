/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * LUKS2 volumes: read, validate, unlock, format. Source: LUKS2 On-Disk Format 1.1.4. LUKS version 1
 * can be read and unlocked in the same model.
 *
 * A header is parsed once into the typed model below, validated as a whole (agreeing with
 * cryptsetup 2.6 on what is accepted), then used. Sizes and offsets are in bytes. Unknown token
 * types and unknown JSON members are kept in `json` for rewriting.
 */
#ifndef KEYMGR_LUKS2_H
#define KEYMGR_LUKS2_H

#include <stdbool.h>
#include <stdint.h>

#include "base/blkdev.h"
#include "base/error.h"
#include "base/secret.h"

enum {
	LUKS2_KEYSLOTS_MAX = 32,
	LUKS2_TOKENS_MAX = 32,
	LUKS2_SEGMENTS_MAX = 32,
	LUKS2_DIGESTS_MAX = 8,
	LUKS2_LABEL_MAX = 47, /* bytes, without the final zero */
	LUKS2_SALT_MAX = 64,
	LUKS2_DIGEST_MAX = 64,
	LUKS2_PASSPHRASE_MAX = 512,	   /* as typed, as cryptsetup */
	LUKS2_KEYFILE_MAX = 8 * 1024 * 1024, /* bytes, as cryptsetup */
};

enum luks2_kdf_type { LUKS2_KDF_PBKDF2, LUKS2_KDF_ARGON2I, LUKS2_KDF_ARGON2ID };

struct luks2_kdf {
	enum luks2_kdf_type type;
	char hash[32];	     /* pbkdf2 only, libgcrypt/cryptsetup name: "sha256" */
	uint32_t iterations; /* pbkdf2 */
	uint32_t time, memory_kib, cpus; /* argon2 */
	uint8_t salt[LUKS2_SALT_MAX];
	uint32_t salt_len;
};

enum luks2_priority {
	LUKS2_PRIORITY_IGNORE = 0,
	LUKS2_PRIORITY_NORMAL = 1,
	LUKS2_PRIORITY_HIGH = 2,
};

struct luks2_keyslot {
	int id;
	char type[32]; /* "luks2"; others are listed, not used */
	bool usable;   /* type luks2 with everything we can do */
	enum luks2_priority priority;
	uint32_t key_bytes;
	char area_cipher[64];
	uint32_t area_key_bytes;
	uint64_t area_offset, area_size;
	char af_hash[32];
	uint32_t af_stripes;
	struct luks2_kdf kdf;
	int digest; /* id of the digest that names it, -1: none */
};

struct luks2_segment {
	int id;
	char type[32]; /* "crypt", "linear", ... */
	uint64_t offset;
	uint64_t size; /* 0: dynamic, to the end of the device */
	uint64_t iv_tweak;
	char cipher[64];
	uint32_t sector_bytes;
	bool integrity;
	uint32_t flags_count;
	int digest;
};

struct luks2_digest {
	int id;
	char type[32];
	char hash[32];
	uint32_t iterations;
	uint8_t salt[LUKS2_SALT_MAX];
	uint32_t salt_len;
	uint8_t digest[LUKS2_DIGEST_MAX];
	uint32_t digest_len;
	uint32_t keyslots, segments; /* bit masks of ids */
};

struct luks2_token {
	int id;
	char type[80];
	uint32_t keyslots;
};

enum luks2_copy_state { LUKS2_COPY_OK, LUKS2_COPY_DAMAGED, LUKS2_COPY_OLD, LUKS2_COPY_MISSING };

struct luks2 {
	unsigned version;   /* 2; or 1: one copy without label, seqid and JSON, never written */
	uint64_t hdr_bytes; /* one copy: binary header + JSON area, 16 KiB to 4 MiB */
	uint64_t seqid;
	char label[48], subsystem[48], uuid[40], csum_alg[32];
	enum luks2_copy_state copies[2]; /* primary, secondary, as found */
	uint64_t keyslots_size;
	char **flags;	     /* config flags, NULL-terminated */
	char **requirements; /* NULL-terminated */
	bool has_unknown_requirement;
	int keyslot_count, segment_count, digest_count, token_count;
	struct luks2_keyslot keyslots[LUKS2_KEYSLOTS_MAX];
	struct luks2_segment segments[LUKS2_SEGMENTS_MAX];
	struct luks2_digest digests[LUKS2_DIGESTS_MAX];
	struct luks2_token tokens[LUKS2_TOKENS_MAX];
	char *json_text; /* as it lies on the medium, a C string; NULL: not read from one */
	bool accept_change; /* set by the caller: luks2_unlock() does not mind a broken seal */
	void *json; /* the whole document (jansson json_t), private to keymgr; NULL in version 1 */
};

enum luks2_load_flags {
	LUKS2_REPAIR = 1 << 0, /* rewrite a damaged or old copy from the good one (dev is writable) */
	LUKS2_FOREIGN_OK = 1 << 1, /* do not ask libblkid: the caller, or its user, knows what it is */
};

/*
 * Reads and validates. dev holds the header (the drive itself or a detached header).
 * -SDE_NOT_LUKS, -SDE_HEADER_DAMAGED, -SDE_HEADER_AMBIGUOUS (one copy is damaged, and
 * libblkid finds something else), -SDE_HEADER_INVALID (diag: which field and why), or an I/O error.
 * Label, subsystem and UUID are as found: sanitize before showing. The size of the data device is
 * checked by luks2_check_usable().
 */
int luks2_load(struct blkdev *dev, unsigned flags, struct luks2 **ret_hdr,
	struct diag *diag) MUST_CHECK;
void luks2_free(struct luks2 *hdr);

static inline void cleanup_luks2(struct luks2 **hdr)
{
	luks2_free(*hdr);
}
#define CLEANUP_LUKS2 CLEANUP(cleanup_luks2)

/*
 * Whether the volume may be used: one crypt segment, cipher on the allow-list, no unknown
 * requirement, no integrity, segment inside data_bytes, at least one usable keyslot.
 * -SDE_REQUIREMENT, -SDE_CIPHER, -SDE_HEADER_INVALID, -SDE_NO_KEYSLOT. Called before any
 * passphrase is asked for.
 */
int luks2_check_usable(const struct luks2 *hdr, uint64_t data_bytes, struct diag *diag) MUST_CHECK;

/*
 * Tries the passphrase on slot (-1: all usable slots of the default segment, high priority first,
 * "ignore" slots never) and returns the volume key. -SDE_PASSPHRASE, -SDE_NO_KEYSLOT,
 * -SDE_KDF_MEMORY, -SDE_WEAK_KEY, I/O errors. -SDE_HEADER_SEAL: the passphrase is right, but the
 * header was changed by somebody who has no key (diag: what); see keymgr/luks2-seal.h.
 */
int luks2_unlock(const struct luks2 *hdr, struct blkdev *dev, const struct secret *passphrase,
	int slot, struct secret **ret_volume_key, int *ret_slot, struct diag *diag) MUST_CHECK;

struct luks2_format_params {
	const char *cipher;	/* NULL: aes-xts-plain64 */
	uint32_t key_bytes;	/* 0: 64 for xts, 32 for cbc */
	uint32_t sector_bytes;	/* 0: 4096 where the data size is a multiple of it, else 512 */
	struct luks2_kdf kdf;	/* type, and hash/costs where not 0; salt is made here */
	uint32_t iter_time_ms;	/* 0: 2000; used where kdf gives no cost */
	uint64_t weakest_bytes; /* memory of the weakest computer that shall open it; 0: 4 GiB */
	bool kdf_default;	/* kdf not given: argon2id sized for a 4 GiB machine */
	const char *label, *subsystem, *uuid; /* NULL: none, none, random */
	uint64_t metadata_bytes; /* one header copy; 0: 16384 */
	uint64_t keyslots_bytes; /* 0: up to the data offset */
	uint64_t data_offset;	/* 0: 16 MiB; detached header: 0 */
	bool detached;		/* dev is a header file, the data start at data_offset of another */
};

/*
 * Everything that can be checked without writing: cipher, sizes, label (UTF-8, length), kdf
 * limits, and that data_bytes (size of the data device) leaves room. -SDE_CIPHER, -SDE_TOO_SMALL,
 * -SDE_USAGE with diag.
 */
int luks2_format_check(const struct luks2_format_params *params, uint64_t data_bytes,
	struct diag *diag) MUST_CHECK;
/*
 * Writes a new header with one keyslot (0) for passphrase, and returns model and volume key.
 * The header becomes valid (primary magic) only after everything else is on the medium.
 */
int luks2_format(struct blkdev *dev, uint64_t data_bytes, const struct luks2_format_params *params,
	const struct secret *passphrase, struct luks2 **ret_hdr, struct secret **ret_volume_key,
	struct diag *diag) MUST_CHECK;
/*
 * The same in two steps, so that the volume can be filled in between: after begin nothing on dev
 * opens, neither the old header nor the new one, which finish writes.
 */
int luks2_format_begin(struct blkdev *dev, uint64_t data_bytes,
	const struct luks2_format_params *params, const struct secret *passphrase,
	struct luks2 **ret_hdr, struct secret **ret_volume_key, struct diag *diag) MUST_CHECK;
int luks2_format_finish(struct blkdev *dev, const struct luks2 *hdr) MUST_CHECK;

/* The segment that holds the data; NULL when there is none. */
const struct luks2_segment *luks2_data_segment(const struct luks2 *hdr);
bool luks2_has_flag(const struct luks2 *hdr, const char *flag);
const char *luks2_kdf_name(enum luks2_kdf_type type);

#endif
