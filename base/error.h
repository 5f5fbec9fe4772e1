/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One table of errors for the whole project.
 *
 * A function that can fail returns int: 0 or positive is fine, negative is a failure, either
 * -errno or one of the project's codes below. Every code has, in error.c, one sentence, one
 * remedy and the exit status of the command-line contract.
 *
 * Where the code alone is not enough (which feature? which field of which keyslot?) functions
 * take a `struct diag *` (NULL allowed) and put the detail there. Libraries never print.
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

enum error_code {
	SDE_FIRST = 5000,
	SDE_PASSPHRASE = SDE_FIRST, /* no keyslot opens with this passphrase */
	SDE_NOT_LUKS,		    /* no LUKS magic at either place */
	SDE_LUKS1,		    /* LUKS version 1, which can only be read and converted */
	SDE_HEADER_DAMAGED,	    /* LUKS magic, but no copy with a right checksum */
	SDE_HEADER_AMBIGUOUS,	    /* one copy damaged, and a foreign signature besides */
	SDE_HEADER_INVALID,	    /* checksum right, content breaks the specification */
	SDE_HEADER_ALONE,	    /* the data are on another device than the header */
	SDE_REQUIREMENT,	    /* header demands a feature we do not have (reencryption, ...) */
	SDE_NO_KEYSLOT,		    /* nothing in the header can be opened by a passphrase */
	SDE_CIPHER,		    /* cipher not on the allow-list, or null cipher */
	SDE_KDF_MEMORY,		    /* not enough memory for the key derivation */
	SDE_WEAK_KEY,		    /* XTS key halves are equal */
	SDE_NOT_EXT4,		    /* decrypted, but holds no ext2/3/4 file system */
	SDE_FS_DAMAGED,		    /* super block or other metadata damaged */
	SDE_FS_FEATURE,		    /* incompatible ext4 feature */
	SDE_JOURNAL_DIRTY,	    /* the journal holds fast commits to replay */
	SDE_FS_IN_USE,		    /* another computer uses the file system (MMP) */
	SDE_FS_SIZE,		    /* file system larger than the device */
	SDE_DATA_LOST,		    /* file data that the drive did not take, and nobody has heard of it */
	SDE_BUSY,		    /* locked by another program */
	SDE_MOUNTED,		    /* already mounted */
	SDE_NOT_MOUNTED,	    /* unmount/status of something that is not mounted */
	SDE_HAS_DATA,		    /* format refused: target holds something */
	SDE_TOO_SMALL,		    /* target too small to format */
	SDE_NO_SPACE_HOST,	    /* container's own file system is full */
	SDE_READ_ONLY,		    /* target cannot be written */
	SDE_DRIVE_CHANGED,	    /* a drive that came back is not as it was left */
	SDE_MOUNTPOINT,		    /* mount point not empty, not ours, not a folder */
	SDE_FUSE,		    /* /dev/fuse or fusermount3 not usable */
	SDE_FUSE_REFUSED,	    /* FUSE is usable, but not at this mount point */
	SDE_OTHER_USER,		    /* somebody else has mounted it */
	SDE_NOT_WRITTEN,	    /* unmounted, and what was written last is lost */
	SDE_ALLOW_OTHER,	    /* this user may not mount for others */
	SDE_USAGE,		    /* wrong usage */
	SDE_MISMATCH,		    /* the two typed passphrases differ */
	SDE_SECRET_FILE,	    /* a file with a secret for the command is not there, or no file */
	SDE_NO_TTY,		    /* a passphrase is needed and there is no terminal */
	SDE_CANCELLED,		    /* the user said no */
	SDE_DAEMON,		    /* the mount daemon died or does not answer */
	SDE_MEMORY_LOCK,	    /* secrets cannot be locked in memory */
	SDE_CRYPTO,		    /* libgcrypt or libargon2 failed */
	SDE_POLICY,		    /* refused by policy */
	SDE_SIGNATURE,		    /* a signature is missing, wrong, or somebody else's */
	SDE_SIGN,		    /* nothing can be signed with this key and certificate */
	SDE_LOG,		    /* the event log is not what it should be */
	SDE_PROOF,		    /* what is to be proved of a log does not follow */
	SDE_FILE_INVALID,	    /* a policy, facts or similar file is not what it should be */
	SDE_TOKEN,		    /* a token, or what the header says of one, cannot be used */
	SDE_NO_TOKEN,		    /* the token is not plugged in */
	SDE_ENROLL,		    /* a token cannot be made to open a drive */
	SDE_PIN,		    /* wrong PIN */
	SDE_NOT_A_PIN,		    /* no token has such a PIN */
	SDE_PIN_LOCKED,		    /* too many wrong PINs */
	SDE_SHARE,		    /* a share is wrong, damaged, of another set, or missing */
	SDE_TOOL,		    /* a program that is run is not installed */
	SDE_HEADER_CHANGED,	    /* another program changed the header meanwhile */
	SDE_HEADER_FULL,	    /* no room for more in the header or its key slots area */
	SDE_SLOT,		    /* no such key slot or token, or it is taken */
	SDE_CONVERT,		    /* a header of version 1 cannot be converted in place */
	SDE_CONFIRM,		    /* a question has to be answered, and nobody is there */
	SDE_OTHER_DRIVE,	    /* not the drive that was named to confirm */
	SDE_LAST_SLOT,		    /* nothing would open the drive any more */
	SDE_WEAK_PASSPHRASE,	    /* a new passphrase is easy to guess */
	SDE_HEADER_SEAL,	    /* the header was changed by somebody without the volume key */
	SDE_BACKUP,		    /* a header's backup does not fit the header that is there */
	SDE_NOT_REGULAR,	    /* not a regular file, where one is wanted */
	SDE_END,
};

/* Exit statuses of the command line: see the man page. */
enum exit_status {
	EXIT_DONE = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_SECRET = 3,
	EXIT_NOT_LUKS = 4,
	EXIT_POLICY = 5,
	EXIT_BUSY = 6,
	EXIT_IO = 7,
	EXIT_FEATURE = 8,
	EXIT_FINDINGS = 9,
};

/* The sentence for a (negative) error, translated; for -errno the system's own text. */
const char *error_text(int err);
/* The same for records that people of any language read later: in English; for -errno its name. */
const char *error_plain(int err);
/* What the user should do next, translated; NULL where there is nothing to add. */
const char *error_remedy(int err);
/* Exit status for a (negative) error; EXIT_DONE for err >= 0. */
enum exit_status error_exit_status(int err);

/*
 * Detail of one failure. `detail` is a short translated phrase without final stop, made with
 * _("..."); empty when there is none. The first failure wins: a diag that is set stays.
 */
struct diag {
	int err;
	char detail[480];
};

/* Sets detail (if diag is not NULL and still empty) and returns err, so callers can return it. */
int diag_set(struct diag *diag, int err, const char *fmt, ...) PRINTF(3, 4);

#endif
