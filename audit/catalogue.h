/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The checks that exist: their ids, what they look at, and the parameters that a policy gives
 * them. Order is the order of all output.
 */
#ifndef AUDIT_CATALOGUE_H
#define AUDIT_CATALOGUE_H

#include <stdbool.h>

enum check_id {
	H01, H02, H03, H04, H05, H06, H07, H08, H09, H10, H11, H12, H13, H14, H15, H16, H17, H18, H19, H20,
	H21, H22, H23, H24, H25, H26, H27,
	D01, D02, D03,
	U01, U02, U03, U04, U05, U06,
	CHECK_COUNT,
};

/* What has to be there for a check to say anything but "unknown". */
enum check_place {
	PLACE_HEADER,	/* the header alone */
	PLACE_FLEET,	/* the headers of all drives of one run */
	PLACE_DEVICE,	/* the drive, without a secret */
	PLACE_UNLOCKED, /* the drive and a passphrase or token */
	PLACE_SETTING,	/* the moment when a passphrase is set */
};

enum param_type { PARAM_NUMBER = 1, PARAM_FLAG, PARAM_WORDS };

struct param {
	const char *name;
	enum param_type type;
};

enum { PARAMS_MAX = 6 };

struct check {
	const char *id; /* "H-01" */
	enum check_place place;
	struct param params[PARAMS_MAX]; /* ends with an empty one, unless full */
};

extern const struct check catalogue[CHECK_COUNT];

/* CHECK_COUNT when there is none of this name. */
enum check_id check_find(const char *id);

#endif
