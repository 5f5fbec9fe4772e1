/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Stands in for token/fido2-devices.c: the keys that are "plugged in" are those of this list. */
#ifndef TESTS_SOFTFIDO_DEVICES_H
#define TESTS_SOFTFIDO_DEVICES_H

#include "tests/softfido/softfido.h"

enum { SOFTFIDO_KEYS_MAX = 4 };

extern struct softfido *softfido_plugged[SOFTFIDO_KEYS_MAX];
extern size_t softfido_plugged_count;

/* Called before keys are opened and after they are closed; unit tests leave them empty. */
void softfido_load(void);
void softfido_save(void);

#endif
