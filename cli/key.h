/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the sub-commands of `sealdrive key` share; one file per sub-command. */
#ifndef CLI_KEY_H
#define CLI_KEY_H

#include "cli/cli.h"
#include "cli/kdf-options.h"
#include "keymgr/luks2-update.h"
#include "token/pkcs11-unlock.h"

extern const struct command command_key_list, command_key_add, command_key_change, command_key_remove,
	command_key_test, command_key_recovery, command_key_enroll, command_key_revoke;

struct key_args {
	const char *target, *header; /* header: the file that --header names, or NULL */
	struct cli_passphrase_source source, new_source;
	struct kdf_options kdf;
	int slot, new_slot; /* -1: not given */
	int priority;	    /* enum luks2_priority, -1: not given */
	const char *sheet, *output; /* of a recovery key */
	int shares, threshold; /* 0: not given */
	const char *share_folder;
	const char *share_for[SHAMIR_SHARES_MAX], *share_pins[SHAMIR_SHARES_MAX]; /* tokens of holders, files with their PINs */
	int share_for_count, share_pin_count;
	bool force, allow_weak, json, replace, help, accept_header_change;
	/* enroll */
	const char *new_token; /* "fido2" or a PKCS #11 URI */
	const char *new_pin_file; /* its PIN: not that of a token which opens the drive */
	const char *and_token; /* as well */
	bool and_passphrase;
	const char *serial, *owner, *and_serial, *and_owner, *expires;
	enum pkcs11_paddings paddings;
	bool no_pin, no_touch, verification;
};

/* Values of their options; each command lists those that it has. */
enum {
	KEY_HELP = 400, KEY_HEADER, KEY_PASSPHRASE_FILE, KEY_KEY_FILE, KEY_NEW_PASSPHRASE_FILE,
	KEY_NEW_KEY_FILE, KEY_SLOT, KEY_NEW_SLOT, KEY_PRIORITY, KEY_FORCE, KEY_ALLOW_WEAK, KEY_JSON,
	KEY_SHEET, KEY_OUTPUT, KEY_REPLACE, KEY_ACCEPT_HEADER_CHANGE,
	KEY_NEW_TOKEN, KEY_NEW_PIN_FILE, KEY_SERIAL, KEY_OWNER, KEY_AND_SERIAL, KEY_AND_OWNER, KEY_EXPIRES, KEY_PADDING, KEY_NO_PIN, KEY_NO_TOUCH, KEY_VERIFICATION,
	KEY_SHARES, KEY_THRESHOLD, KEY_SHARE_OUT, KEY_SHARE_FOR, KEY_SHARE_PIN_FILE, KEY_AND_TOKEN, KEY_AND_PASSPHRASE,
};
#define KEY_COMMON_OPTIONS                                                                         \
	{"help", no_argument, NULL, KEY_HELP}, {"header", required_argument, NULL, KEY_HEADER}
#define KEY_OLD_OPTIONS                                                                            \
	{"passphrase-file", required_argument, NULL, KEY_PASSPHRASE_FILE},                         \
	{"key-file", required_argument, NULL, KEY_KEY_FILE},                                       \
	{"accept-header-change", no_argument, NULL, KEY_ACCEPT_HEADER_CHANGE}, CLI_PIN_OPTIONS, \
	CLI_SHARE_OPTION, CLI_NO_TOKEN_OPTION
#define KEY_NEW_OPTIONS                                                                            \
	{"new-passphrase-file", required_argument, NULL, KEY_NEW_PASSPHRASE_FILE},                 \
	{"new-key-file", required_argument, NULL, KEY_NEW_KEY_FILE},                               \
	{"allow-weak", no_argument, NULL, KEY_ALLOW_WEAK}

/* EXIT_DONE: go on; else what to exit with (also after the help, when args->help is set). */
int key_parse(const struct command *command, int argc, char **argv, const struct option *options,
	struct key_args *ret_args);

/* The thing that holds the header, for messages. */
const char *key_path(const struct key_args *args);

/* A drive whose keys are looked at or changed. */
struct key_drive {
	const struct key_args *args;
	struct blkdev *dev; /* what holds the header */
	struct luks2 *hdr;
	struct secret *volume_key; /* after key_drive_unlock() */
	int slot; /* that opened; -1 before */
	struct secret *passphrase; /* that opened it, when it was a passphrase or a key file */
	struct diag diag;
};
/* Opens what holds the header, also while the drive is mounted; for changing: checks that the header
 * can be. */
int key_drive_open(const struct key_args *args, bool change, struct key_drive *ret_drive) MUST_CHECK;
/* Asks for a passphrase that opens slot (-1: any). */
int key_drive_unlock(struct key_drive *drive, int slot) MUST_CHECK;
/* The other key slots, as bits, that open with what has opened key slot id. Takes as long as guessing: to be asked before
 * anything is changed, so that whoever does not want to wait has changed nothing. */
uint32_t key_find_same(const struct key_drive *drive, int id);
/* It has been taken from its key slot. */
void key_warn_of_same(const struct key_drive *drive, uint32_t same);
/* Reports err, when it is one, and frees everything; returns the exit status. */
int key_drive_close(struct key_drive *drive, int err);

/* Writing the header has failed: whether the one that is on the medium may have the new key slot all the same. (It was
 * free before.) What its key is written to must not be removed then. */
bool key_may_be_stored(struct key_drive *drive, int new_slot);

/* The new passphrase or key, judged; prepared as args say. */
int key_prepare_new(struct key_drive *drive, struct luks2_new_keyslot **ret_new,
	struct secret **ret_passphrase) MUST_CHECK;

/* The secret of a new key slot is divided among several people, as args say; the key slot's number. */
int key_add_shares(struct key_drive *drive, int *ret_id) MUST_CHECK;
/* EXIT_DONE, or what to exit with when the options do not go together. */
int key_check_shares(const struct command *command, const struct key_args *args);

/* What a removed key may leave, for the user. */
void key_tell_remains(void);
/* The word for a priority in a table. */
const char *key_priority_word(enum luks2_priority priority);

#endif
