/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "audit/catalogue.h"

#include <string.h>

#define NUMBER(name) {name, PARAM_NUMBER}
#define FLAG(name) {name, PARAM_FLAG}
#define WORDS(name) {name, PARAM_WORDS}

const struct check catalogue[CHECK_COUNT] = {
	[H01] = {"H-01", PLACE_HEADER, {{NULL}}},
	[H02] = {"H-02", PLACE_HEADER, {{NULL}}},
	[H03] = {"H-03", PLACE_HEADER, {WORDS("allow"), WORDS("warn")}},
	[H04] = {"H-04", PLACE_HEADER, {WORDS("flash"), WORDS("disk")}},
	[H05] = {"H-05", PLACE_HEADER, {NUMBER("min_bytes"), NUMBER("advised_bytes")}},
	[H06] = {"H-06", PLACE_HEADER, {{NULL}}},
	[H07] = {"H-07", PLACE_HEADER,
		{NUMBER("min_sector_bytes"), NUMBER("max_sector_bytes"), NUMBER("plain_iv_max_bytes")}},
	[H08] = {"H-08", PLACE_HEADER, {WORDS("allow"), WORDS("warn")}},
	[H09] = {"H-09", PLACE_HEADER,
		{NUMBER("argon2_min_time"), NUMBER("argon2_min_memory_kib"), NUMBER("pbkdf2_min_sha256"),
			NUMBER("pbkdf2_min_sha512"), NUMBER("pbkdf2_floor")}},
	[H10] = {"H-10", PLACE_HEADER, {NUMBER("cheap_below"), FLAG("require_record")}},
	[H11] = {"H-11", PLACE_HEADER, {WORDS("allow")}},
	[H12] = {"H-12", PLACE_FLEET, {NUMBER("min_bytes")}},
	[H13] = {"H-13", PLACE_HEADER, {NUMBER("stripes")}},
	[H14] = {"H-14", PLACE_HEADER, {NUMBER("max_slots")}},
	[H15] = {"H-15", PLACE_HEADER, {{NULL}}},
	[H16] = {"H-16", PLACE_HEADER, {WORDS("allow")}},
	[H17] = {"H-17", PLACE_HEADER, {{NULL}}},
	[H18] = {"H-18", PLACE_HEADER,
		{NUMBER("min_rsa_bits"), NUMBER("advised_rsa_bits"), NUMBER("min_ec_bits")}},
	[H19] = {"H-19", PLACE_HEADER, {WORDS("allow")}},
	[H20] = {"H-20", PLACE_HEADER, {{NULL}}},
	[H21] = {"H-21", PLACE_HEADER, {WORDS("rp"), FLAG("require_verification")}},
	[H22] = {"H-22", PLACE_HEADER, {{NULL}}},
	[H23] = {"H-23", PLACE_HEADER, {{NULL}}},
	[H24] = {"H-24", PLACE_HEADER, {FLAG("forbid_passphrase_only")}},
	[H25] = {"H-25", PLACE_HEADER, {WORDS("forbidden")}},
	[H26] = {"H-26", PLACE_HEADER, {{NULL}}},
	[H27] = {"H-27", PLACE_FLEET, {{NULL}}},
	[D01] = {"D-01", PLACE_DEVICE, {{NULL}}},
	[D02] = {"D-02", PLACE_DEVICE, {NUMBER("max_plain_permille")}},
	[D03] = {"D-03", PLACE_DEVICE, {{NULL}}},
	[U01] = {"U-01", PLACE_UNLOCKED, {{NULL}}},
	[U02] = {"U-02", PLACE_UNLOCKED, {{NULL}}},
	[U03] = {"U-03", PLACE_UNLOCKED, {{NULL}}},
	[U04] = {"U-04", PLACE_UNLOCKED, {{NULL}}},
	[U05] = {"U-05", PLACE_SETTING, {NUMBER("min_characters")}},
	[U06] = {"U-06", PLACE_UNLOCKED, {{NULL}}},
};

enum check_id check_find(const char *id)
{
	enum check_id i = 0;

	while (i < CHECK_COUNT && strcmp(catalogue[i].id, id) != 0)
		i++;
	return i;
}
