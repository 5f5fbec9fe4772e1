/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Process hardening, called first thing in main(). Not for libraries. */
#ifndef KERNEL_SHIM_HARDEN_H
#define KERNEL_SHIM_HARDEN_H

/* No core dumps, not dumpable or ptraceable by others, umask 077, standard descriptors open,
 * room for locked memory raised as far as the hard limit goes; a limit on file sizes is an error of
 * the write (EFBIG), not a deadly signal. Never fails loudly.
 *
 * Not dumpable also means: the files in /proc/PID belong to root, so another process of the same
 * user can read neither our exe link nor our descriptors. Our own /proc/self/fd, mountinfo and
 * status stay readable, and fusermount3 works. An exec undoes it. */
void harden_process(void);

#endif
