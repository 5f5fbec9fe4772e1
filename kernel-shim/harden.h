/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Process hardening, called first thing in main(). */
#ifndef KERNEL_SHIM_HARDEN_H
#define KERNEL_SHIM_HARDEN_H

/* No core dumps, not dumpable or ptraceable by others, umask 077, standard descriptors open,
 * room for locked memory raised as far as the hard limit goes. Never fails loudly. */
void harden_process(void);

#endif
