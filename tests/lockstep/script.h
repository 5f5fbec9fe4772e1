/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sequences of operations: made up and recorded, or read. */
#ifndef LOCKSTEP_SCRIPT_H
#define LOCKSTEP_SCRIPT_H

#include <stdint.h>

/* Random operations by several threads; what is done is written to the file, unless NULL. */
int script_random(unsigned threads, unsigned long operations, uint64_t seed, const char *record);
/* The operations of all threads in one, in the order of the file. */
int script_replay(const char *file);

#endif
