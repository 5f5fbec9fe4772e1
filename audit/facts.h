/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What was seen of one drive, apart from what a policy thinks of it: so that a later or stricter
 * policy can be held against it without the drive.
 *
 * Collecting only reads: no lock, no exclusive open, not a byte written. Everything here may come
 * from a hostile drive or a hostile facts file.
 */
#ifndef AUDIT_FACTS_H
#define AUDIT_FACTS_H

#include <jansson.h>

#include "audit/hash256.h"
#include "keymgr/luks2-seal.h"

enum facts_kind {
	FACTS_DRIVE,	 /* a block device */
	FACTS_CONTAINER, /* a file with data */
	FACTS_HEADER,	 /* a header backup or detached header: no data */
};

enum facts_state {
	FACTS_OK, /* hdr is there */
	FACTS_NOT_LUKS,
	FACTS_LUKS1, /* so is it, in the model of version 2 */
	FACTS_DAMAGED,
	FACTS_AMBIGUOUS, /* one copy damaged, and something else on the drive */
	FACTS_INVALID,	 /* checksum right, content against the rules */
	FACTS_UNREADABLE,
};

struct facts_device {
	bool known; /* was looked at: a drive or container, not a header or a facts file without it */
	char *vendor, *model, *serial;
	int rotational; /* 1 hard disk, 0 flash, -1 unknown */
	bool beside_known;
	char *beside; /* what lies beside the encrypted part; "" nothing */
	uint32_t samples, plain_samples; /* blocks of the encrypted part; those that do not look random */
};

struct facts_unlocked {
	bool known;
	bool halves_differ;
	bool random;	/* no constant, no pattern, enough different bytes */
	bool published; /* a key of a published test vector */
	char fingerprint[HASH256_HEX]; /* of the volume key, by a key of the organisation's; "": not made */
	int clean;	/* file system: 1 clean, 0 not, -1 unknown */
	bool seal_known;
	enum luks2_seal_state seal;
	char *changed; /* what was changed under a seal, in words; NULL: nothing is known */
};

struct facts {
	char *target; /* as the user named it */
	bool saved;   /* of a file: target may be another drive by now, or a trap, and is not opened */
	char collected[32]; /* of a file: when it was seen; "" now */
	enum facts_kind kind;
	enum facts_state state;
	int err;      /* FACTS_UNREADABLE: why; not in facts files */
	char *detail; /* what else is known of a bad state; "" */
	uint64_t size_bytes;
	enum luks2_copy_state copies[2];
	uint64_t seqids[2];	       /* 0 where a copy is not whole */
	bool equal;		       /* both copies say the same */
	char header_sha256[HASH256_HEX]; /* of both copies as they lie on the drive; "" unknown */
	char *metadata;		       /* the JSON text of the header; NULL unless FACTS_OK */
	json_t *doc;		       /* that text, parsed */
	uint8_t *luks1;		       /* FACTS_LUKS1: LUKS1_HDR_BYTES, the header as it is */
	struct luks2 *hdr;	       /* its model */
	struct facts_device device;
	struct facts_unlocked unlocked;
};

/* Never fails but for memory: what cannot be read is a fact. */
int facts_collect(const char *target, struct facts **ret_facts) MUST_CHECK;
/*
 * What the volume key says, of itself and of the header's seal; the key stays the caller's. weak: luks2_unlock()
 * refused it as such. fingerprint_key: HMAC-SHA-256 with this key is the volume key's fingerprint; NULL: none is
 * made. -SDE_CRYPTO, -ENOMEM.
 */
int facts_add_key(struct facts *facts, const struct secret *volume_key, bool weak,
	const struct secret *fingerprint_key) MUST_CHECK;
void facts_free(struct facts *facts);

/* One drive's facts as a JSON object, and back (facts-json.c). -ENOMEM. */
int facts_to_json(const struct facts *facts, json_t **ret_json) MUST_CHECK;
struct strict;
/* -SDE_FILE_INVALID with the diag of strict. */
int facts_from_json(const struct strict *strict, const json_t *json, const char *pointer,
	struct facts **ret_facts) MUST_CHECK;

/* Names as facts files and reports have them. */
const char *facts_state_name(enum facts_state state);
const char *facts_kind_name(enum facts_kind kind);

#endif
