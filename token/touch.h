/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A security key that waits to be touched goes on waiting, and blinking, when the program that asked it is gone. So between
 * begin and end a signal that ends the process is noted, makes libfido2's read return, and then the key is told.
 */
#ifndef TOKEN_TOUCH_H
#define TOKEN_TOUCH_H

#include <fido.h>
#include <signal.h>

enum { TOUCH_SIGNALS = 4 };

struct touch {
	fido_dev_t *dev;
	sigset_t before;
	struct sigaction actions[TOUCH_SIGNALS];
};

/* One at a time. */
void touch_begin(fido_dev_t *dev, struct touch *ret_touch);
/* Ends the process with the signal that came, if one did. */
void touch_end(struct touch *touch);

#endif
