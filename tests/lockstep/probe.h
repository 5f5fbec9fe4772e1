/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What both sides can do. An operation that one side lacks is left out, which is said; what is in
 * the table as obligatory makes the run fail instead.
 */
#ifndef LOCKSTEP_PROBE_H
#define LOCKSTEP_PROBE_H

#include <stdbool.h>

struct op_kind;

enum probe_capability {
	CAN_BE_USER = 1 << 0, /* root here, so that other users can be played */
	CAN_XATTR = 1 << 1,
	CAN_TRUSTED = 1 << 2, /* trusted.* and security.* */
	CAN_ACL = 1 << 3,
	CAN_FLAGS = 1 << 4, /* chattr */
	CAN_TMPFILE = 1 << 5,
	CAN_PUNCH = 1 << 6,
	CAN_ZERO = 1 << 7,
	CAN_BTIME = 1 << 8,
	CAN_LATE = 1 << 9, /* times after January 2038: inodes of 128 bytes have no room for them */
};

/* Times that programs set are outside of this, what is "now" is inside. */
#define RECENT_FROM 1600000000LL
#define RECENT_TO 5000000000LL

/* Probes both sides; false when one lacks what it must have. */
bool probe_sides(void);
bool probe_has(unsigned capability);
bool probe_allows(const struct op_kind *kind);
/* The kind of this name is not for this run; said like what a side lacks. */
void probe_leave_out(const char *name);

#endif
