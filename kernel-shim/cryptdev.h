/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * dm-crypt's job in user space: a blkdev whose sectors are encrypted on a lower blkdev.
 *
 * Source: IEEE 1619 (XTS), NIST SP 800-38E, kernel Documentation/admin-guide/device-mapper/
 * dm-crypt.rst for the names and the IV counting. IVs count 512-byte sectors whatever the sector
 * size is, starting at iv_offset for byte 0 of this device.
 */
#ifndef KERNEL_SHIM_CRYPTDEV_H
#define KERNEL_SHIM_CRYPTDEV_H

#include "base/blkdev.h"
#include "base/secret.h"

struct cryptdev_params {
	const char *cipher;    /* dm-crypt notation: "aes-xts-plain64", "aes-xts-plain",
				* "aes-cbc-essiv:sha256", "aes-cbc-plain64", "aes-cbc-plain" */
	uint32_t sector_bytes; /* 512, 1024, 2048, 4096 */
	uint64_t iv_offset;    /* in 512-byte sectors (LUKS2 iv_tweak) */
	uint64_t offset_bytes; /* start of the data on the lower device */
	uint64_t size_bytes;   /* 0: to the lower device's end, rounded down to whole sectors */
	bool read_only;
	bool allow_discards;
};

/*
 * Whether cipher with a key of key_bytes is on the allow-list of the data path.
 * 0, or -SDE_CIPHER with the reason in diag. Null ciphers and ECB are never on it.
 */
int cryptdev_check_cipher(const char *cipher, size_t key_bytes, struct diag *diag) MUST_CHECK;

/*
 * Stacks the device on lower, which it then owns and closes (on failure it is left to the caller).
 * The key may be freed right after; only libgcrypt's handles hold it (secure memory), and they
 * are wiped at close. Its block_bytes is sector_bytes. Locks on memory do not survive a fork: open
 * the device in the process that uses it. -SDE_CIPHER, -SDE_WEAK_KEY (XTS halves equal), -EINVAL, -ENOMEM, -SDE_CRYPTO.
 */
int cryptdev_open(struct blkdev *lower, const struct cryptdev_params *params,
	const struct secret *key, struct blkdev **ret_dev, struct diag *diag) MUST_CHECK;

struct cryptdev_counts {
	uint64_t reads, read_bytes, writes, write_bytes, flushes; /* that reached the lower device */
};
void cryptdev_counts(struct blkdev *dev, struct cryptdev_counts *ret_counts);

/* The lower device has grown: a device that reaches to its end does so again. No transfers meanwhile. */
void cryptdev_follow(struct blkdev *dev);

/* Initialises libgcrypt (secure memory, version check); safe to call again and from any thread.
 * A process that uses libgcrypt after a fork calls it again, which locks the memory anew. */
int crypto_init(void) MUST_CHECK;

#endif
