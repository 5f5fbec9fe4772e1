/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/qr.h"

#include <errno.h>
#include <qrencode.h>
#include <string.h>

static void cleanup_code(QRcode **code)
{
	if (*code)
		bytes_wipe((*code)->data, (size_t)(*code)->width * (size_t)(*code)->width);
	QRcode_free(*code);
}

int qr_make(const void *data, size_t len, struct qr *ret_qr)
{
	/* what libqrencode itself leaves in its heap lives as long as the process: no daemon calls this */
	CLEANUP(cleanup_code) QRcode *code = QRcode_encodeData((int)len, data, 0, QR_ECLEVEL_M);
	struct qr qr = {0};

	if (!code)
		return errno == ERANGE ? -E2BIG : -ENOMEM;
	qr.width = (unsigned)code->width;
	int r = secret_new((size_t)qr.width * qr.width, &qr.modules);

	if (r)
		return r;
	uint8_t *to = secret_data(qr.modules);

	for (size_t i = 0; i < secret_len(qr.modules); i++)
		to[i] = code->data[i] & 1;
	*ret_qr = qr;
	return 0;
}

void qr_clear(struct qr *qr)
{
	secret_free(qr->modules);
	*qr = (struct qr){0};
}
