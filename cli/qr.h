/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* QR codes, by libqrencode. */
#ifndef CLI_QR_H
#define CLI_QR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/secret.h"

struct qr {
	unsigned width;		/* modules in a row, without the quiet zone */
	struct secret *modules; /* width * width bytes: 1 is dark */
};

/* ISO/IEC 18004, error correction M (15 % may be lost). -E2BIG, -ENOMEM. */
int qr_make(const void *data, size_t len, struct qr *ret_qr) MUST_CHECK;
void qr_clear(struct qr *qr);
#define CLEANUP_QR CLEANUP(qr_clear)

#endif
