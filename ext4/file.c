/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ext4/fs.h"
