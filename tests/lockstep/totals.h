/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How many inodes the run has taken, on both sides. */
#ifndef LOCKSTEP_TOTALS_H
#define LOCKSTEP_TOTALS_H

struct worker;

void totals_start(void);
/* The same on both sides; waits for what is freed in the background. */
void totals_compare(struct worker *w);

#endif
