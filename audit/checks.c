/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "audit/checks.h"

static check_run *const runs[CHECK_COUNT] = {
	[H01] = check_copies,
	[H02] = check_document,
	[H03] = check_cipher,
	[H04] = check_medium,
	[H05] = check_key_size,
	[H06] = check_xts_key_size,
	[H07] = check_sectors,
	[H08] = check_kdf_type,
	[H09] = check_kdf_cost,
	[H10] = check_cheap_slots,
	[H11] = check_hashes,
	[H12] = check_salts,
	[H13] = check_areas,
	[H14] = check_slot_count,
	[H15] = check_unbound,
	[H16] = check_token_types,
	[H17] = check_unattended,
	[H18] = check_wrap_size,
	[H19] = check_padding,
	[H20] = check_uri,
	[H21] = check_fido2,
	[H22] = check_tpm2,
	[H23] = check_recovery,
	[H24] = check_two_factor,
	[H25] = check_words,
	[H26] = check_discards,
	[D01] = check_beside,
	[D02] = check_wiped,
	[D03] = check_registered,
	[U01] = check_key_halves,
	[U02] = check_key_random,
	[U03] = check_fingerprint,
	[U04] = check_file_system,
	[U06] = check_seal,
};

check_run *check_run_of(enum check_id id)
{
	return runs[id];
}
