/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What can be seen of the drive around and inside the encrypted part, without a secret. */
#ifndef AUDIT_FACTS_DEVICE_H
#define AUDIT_FACTS_DEVICE_H

#include "audit/facts.h"

int facts_collect_device(struct blkdev *dev, const char *target, struct facts *facts) MUST_CHECK;

#endif
