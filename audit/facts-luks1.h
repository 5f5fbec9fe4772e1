/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The header of LUKS version 1 in a file of facts: its bytes, from which the model is made anew. */
#ifndef AUDIT_FACTS_LUKS1_H
#define AUDIT_FACTS_LUKS1_H

#include "audit/facts.h"
#include "keymgr/luks1-disk.h"

/* The model of the bytes, as if they began a drive of size_bytes. As luks2_load(). */
int facts_luks1_model(const uint8_t bytes[LUKS1_HDR_BYTES], uint64_t size_bytes, struct luks2 **ret_hdr,
	struct diag *diag) MUST_CHECK;

#endif
