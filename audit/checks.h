/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The functions behind the catalogue: each looks at one thing of one drive and says what it saw. */
#ifndef AUDIT_CHECKS_H
#define AUDIT_CHECKS_H

#include "audit/finding.h"

typedef void check_run(const struct check_input *in, struct finding *finding);

/* NULL: not computed drive by drive (H-27), or not at an audit (U-05). */
check_run *check_run_of(enum check_id id);

/* check-format.c: the header as such */
void check_copies(const struct check_input *in, struct finding *finding);
void check_document(const struct check_input *in, struct finding *finding);
void check_unbound(const struct check_input *in, struct finding *finding);
void check_words(const struct check_input *in, struct finding *finding);
void check_discards(const struct check_input *in, struct finding *finding);

/* check-cipher.c */
void check_cipher(const struct check_input *in, struct finding *finding);
void check_medium(const struct check_input *in, struct finding *finding);
void check_key_size(const struct check_input *in, struct finding *finding);
void check_xts_key_size(const struct check_input *in, struct finding *finding);
void check_sectors(const struct check_input *in, struct finding *finding);
void check_areas(const struct check_input *in, struct finding *finding);

/* check-kdf.c */
void check_kdf_type(const struct check_input *in, struct finding *finding);
void check_kdf_cost(const struct check_input *in, struct finding *finding);
void check_cheap_slots(const struct check_input *in, struct finding *finding);
void check_hashes(const struct check_input *in, struct finding *finding);
void check_salts(const struct check_input *in, struct finding *finding);

/* check-slots.c */
void check_slot_count(const struct check_input *in, struct finding *finding);
void check_token_types(const struct check_input *in, struct finding *finding);
void check_unattended(const struct check_input *in, struct finding *finding);
void check_recovery(const struct check_input *in, struct finding *finding);
void check_two_factor(const struct check_input *in, struct finding *finding);

/* check-token.c */
void check_wrap_size(const struct check_input *in, struct finding *finding);
void check_padding(const struct check_input *in, struct finding *finding);
void check_uri(const struct check_input *in, struct finding *finding);
void check_fido2(const struct check_input *in, struct finding *finding);
void check_tpm2(const struct check_input *in, struct finding *finding);

/* check-device.c: the drive itself, locked and unlocked */
void check_beside(const struct check_input *in, struct finding *finding);
void check_wiped(const struct check_input *in, struct finding *finding);
void check_registered(const struct check_input *in, struct finding *finding);
void check_key_halves(const struct check_input *in, struct finding *finding);
void check_key_random(const struct check_input *in, struct finding *finding);
void check_fingerprint(const struct check_input *in, struct finding *finding);
void check_file_system(const struct check_input *in, struct finding *finding);
void check_seal(const struct check_input *in, struct finding *finding);

#endif
