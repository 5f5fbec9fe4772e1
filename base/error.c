/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The error table: for every code one sentence, one remedy, one exit status. */
#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/i18n.h"

struct error_entry {
	enum exit_status exit;
	const char *text;   /* N_(), without final stop: a detail may follow after a colon */
	const char *remedy; /* N_(), whole sentences, or NULL */
};

#define ENTRY(code) [(code) - SDE_FIRST]

static const struct error_entry project_errors[SDE_END - SDE_FIRST] = {
	ENTRY(SDE_PASSPHRASE) = {EXIT_SECRET,
		N_("The passphrase does not open this drive"),
		N_("Check Caps Lock and the keyboard layout (Vietnamese input methods change what "
		   "is typed), then try again.")},
	ENTRY(SDE_NOT_LUKS) = {EXIT_NOT_LUKS,
		N_("This is not an encrypted LUKS drive"),
		N_("Check the name with 'sealdrive list'. On a partitioned drive, give the partition "
		   "rather than the whole drive.")},
	ENTRY(SDE_LUKS1) = {EXIT_FEATURE,
		N_("This cannot be done to a drive with the old LUKS version 1 format"),
		N_("Have your IT staff convert it to version 2 first, after making a backup of its "
		   "header: 'sealdrive header convert'.")},
	ENTRY(SDE_HEADER_DAMAGED) = {EXIT_NOT_LUKS,
		N_("Both copies of the LUKS header are damaged"),
		N_("Do not write to this drive. Restore the header from a backup if there is one.")},
	ENTRY(SDE_HEADER_AMBIGUOUS) = {EXIT_NOT_LUKS,
		N_("One copy of the LUKS header is damaged, and the drive holds something else too"),
		N_("Do not write to this drive before you know what it holds. If it is the encrypted "
		   "drive, your IT staff can repair the header with 'sealdrive "
		   "header repair --force'.")},
	ENTRY(SDE_HEADER_INVALID) = {EXIT_NOT_LUKS,
		N_("The LUKS header breaks the rules of the format"),
		N_("Do not write to this drive. Restore the header from a backup, or ask your IT "
		   "staff.")},
	ENTRY(SDE_HEADER_ALONE) = {EXIT_NOT_LUKS,
		N_("This is the header of a drive, and not the drive itself"),
		N_("Name the drive, and this file with --header.")},
	ENTRY(SDE_REQUIREMENT) = {EXIT_FEATURE,
		N_("The LUKS header demands a feature that this program does not have"),
		N_("Open the drive with cryptsetup; if a re-encryption was interrupted, finish it "
		   "there first.")},
	ENTRY(SDE_NO_KEYSLOT) = {EXIT_NOT_LUKS,
		N_("No passphrase can open this drive: it has no usable key slot"),
		N_("If the key slots were erased, the data can only be recovered with a backup of "
		   "the header.")},
	ENTRY(SDE_CIPHER) = {EXIT_FEATURE,
		N_("The cipher is not supported or not safe enough to be used"),
		N_("Supported are AES in XTS mode, and AES in CBC mode to open older drives.")},
	ENTRY(SDE_KDF_MEMORY) = {EXIT_FAILED,
		N_("There is not enough memory to check the passphrase"),
		N_("Close other programs and try again, or use a computer with more memory.")},
	ENTRY(SDE_WEAK_KEY) = {EXIT_NOT_LUKS,
		N_("The drive's encryption key is unsafe: its two halves are equal"),
		N_("Do not store anything on this drive. Copy the data with another program and "
		   "format it anew.")},
	ENTRY(SDE_NOT_EXT4) = {EXIT_NOT_LUKS,
		N_("The drive was decrypted, but holds no ext4 file system"),
		N_("If it was made with another file system, open it with the program that made "
		   "it. If its header was restored, or named with --header, that may be another drive's.")},
	ENTRY(SDE_FS_DAMAGED) = {EXIT_NOT_LUKS,
		N_("The file system on the drive is damaged"),
		N_("Make a copy of the drive if the data matter, then use 'sealdrive check --repair'.")},
	ENTRY(SDE_FS_FEATURE) = {EXIT_FEATURE,
		N_("The file system uses a feature that this program does not have"),
		N_("Use the drive on a Linux computer whose kernel knows this feature.")},
	ENTRY(SDE_JOURNAL_DIRTY) = {EXIT_FEATURE,
		N_("The drive was not unmounted cleanly, and its journal holds fast commits, which this program does not replay"),
		N_("Open the drive once with cryptsetup and mount it, or run e2fsck on it.")},
	ENTRY(SDE_FS_IN_USE) = {EXIT_BUSY,
		N_("Another computer uses the file system on this drive"),
		N_("Unmount it there first. If no computer uses it, because one was switched off or a "
		   "check was stopped, have your IT staff run 'tune2fs -f -E clear_mmp' and e2fsck.")},
	ENTRY(SDE_FS_SIZE) = {EXIT_NOT_LUKS,
		N_("The file system is larger than the drive that holds it"),
		N_("The drive or container was cut off. Restore it from a complete copy.")},
	ENTRY(SDE_DATA_LOST) = {EXIT_IO,
		N_("The drive did not take all that was written: some files are incomplete"),
		N_("The computer's system log has the numbers of these files. Copy what was written last to "
		   "another drive if it is still there, and do not rely on this one any more.")},
	ENTRY(SDE_BUSY) = {EXIT_BUSY,
		N_("The drive is in use by another program"),
		N_("Close or unmount it there first; 'sealdrive status' and 'lsblk' show who has "
		   "it.")},
	ENTRY(SDE_MOUNTED) = {EXIT_BUSY,
		N_("The drive is already mounted"),
		N_("'sealdrive status' shows where. Unmount it with 'sealdrive unmount' first.")},
	ENTRY(SDE_NOT_MOUNTED) = {EXIT_FAILED,
		N_("Nothing is mounted here"),
		N_("'sealdrive status' lists the mounted drives.")},
	ENTRY(SDE_HAS_DATA) = {EXIT_FAILED,
		N_("The target already holds something, and formatting would destroy it"),
		N_("Check that this is the right drive. To destroy what is on it, repeat the "
		   "command with --force.")},
	ENTRY(SDE_TOO_SMALL) = {EXIT_FAILED,
		N_("The target is too small"),
		N_("Use a larger drive, or make the container larger with --size.")},
	ENTRY(SDE_NO_SPACE_HOST) = {EXIT_FAILED,
		N_("There is no space left where the container file is stored"),
		N_("Free some space there, or put the container on another disk.")},
	ENTRY(SDE_READ_ONLY) = {EXIT_FAILED,
		N_("The drive cannot be written"),
		N_("Check its write-protect switch and your permissions. To look at its files, mount it "
		   "with --read-only.")},
	ENTRY(SDE_DRIVE_CHANGED) = {EXIT_IO,
		N_("The drive that was put back is another one, or was changed meanwhile"),
		N_("Put back the drive that was pulled out. If it was used elsewhere meanwhile, unmount "
		   "it and mount it again.")},
	ENTRY(SDE_MOUNTPOINT) = {EXIT_FAILED,
		N_("The drive cannot be mounted at this place"),
		N_("Choose an empty folder of your own, or leave the folder out.")},
	ENTRY(SDE_FUSE) = {EXIT_FAILED,
		N_("Mounting through FUSE is not possible on this computer"),
		N_("Install the package fuse3, and check that you may use /dev/fuse.")},
	ENTRY(SDE_FUSE_REFUSED) = {EXIT_FAILED,
		N_("The drive cannot be mounted there"),
		N_("Choose an empty folder of your own that is not inside of another mounted drive, or leave the folder out.")},
	ENTRY(SDE_OTHER_USER) = {EXIT_FAILED,
		N_("Another user has mounted this drive"),
		N_("Ask them to unmount it, or your IT staff.")},
	ENTRY(SDE_NOT_WRITTEN) = {EXIT_FAILED,
		N_("The drive is unmounted, but not everything could be written to it"),
		N_("What was written last is lost. Free some space where the container lies, mount it, and copy the files once more.")},
	ENTRY(SDE_ALLOW_OTHER) = {EXIT_FAILED,
		N_("Users may not let others into what they mount on this computer (--allow-other)"),
		N_("Leave the option out, or ask your IT staff for the line 'user_allow_other' in /etc/fuse.conf.")},
	ENTRY(SDE_USAGE) = {EXIT_USAGE,
		N_("The command was not used correctly"),
		N_("Run it with --help to see how it is used.")},
	ENTRY(SDE_MISMATCH) = {EXIT_FAILED,
		N_("The two passphrases are not the same"),
		N_("Nothing was changed. Try again and type the same passphrase twice.")},
	ENTRY(SDE_SECRET_FILE) = {EXIT_FAILED,
		N_("The file with the passphrase, key, PIN or share cannot be read"),
		N_("Check its name, and who may read it.")},
	ENTRY(SDE_NO_TTY) = {EXIT_USAGE,
		N_("A passphrase or PIN is needed, but there is no terminal to ask on"),
		N_("Run the command in a terminal, or use --passphrase-file, or --pin-file for the PIN of a "
		   "token.")},
	ENTRY(SDE_CANCELLED) = {EXIT_FAILED, N_("Cancelled; nothing was changed"), NULL},
	ENTRY(SDE_DAEMON) = {EXIT_FAILED,
		N_("The program that serves the drive has ended or does not answer"),
		N_("Unmount the drive with 'sealdrive unmount' and mount it again.")},
	ENTRY(SDE_MEMORY_LOCK) = {EXIT_FAILED,
		N_("Secrets cannot be locked in memory and might be written to swap"),
		N_("Have your IT staff raise the limit on locked memory ('ulimit -l').")},
	ENTRY(SDE_CRYPTO) = {EXIT_FAILED,
		N_("The cryptographic library failed"),
		N_("Check that libgcrypt and libargon2 are installed properly.")},
	ENTRY(SDE_POLICY) = {EXIT_POLICY,
		N_("Refused by your organisation's policy"),
		N_("'sealdrive policy show' explains the rules.")},
	ENTRY(SDE_SIGNATURE) = {EXIT_FAILED,
		N_("The signature is not good"),
		N_("Get file and signature anew from whoever made them, and check which certificate you trust.")},
	ENTRY(SDE_SIGN) = {EXIT_FAILED,
		N_("It could not be signed"),
		N_("Check --sign-key and --sign-cert: both must be of one person, and the token of that key plugged in.")},
	ENTRY(SDE_LOG) = {EXIT_FINDINGS,
		N_("The event log was changed or is damaged"),
		N_("Keep a copy of it as it is, and let your auditor compare it with earlier checkpoints.")},
	ENTRY(SDE_PROOF) = {EXIT_FINDINGS,
		N_("The proof does not hold"),
		N_("Look whether proof and checkpoints belong together. If they do, the log was changed: ask for it, and "
		   "compare it with them by 'sealdrive log verify'.")},
	ENTRY(SDE_FILE_INVALID) = {EXIT_FAILED,
		N_("The file is not valid"),
		N_("Correct it at the place that is named, or get it anew from whoever made it.")},
	ENTRY(SDE_TOKEN) = {EXIT_SECRET,
		N_("The token cannot be used"),
		N_("Take it out and plug it in again, or open the drive in another way; 'sealdrive key list' "
		   "shows what opens it.")},
	ENTRY(SDE_NO_TOKEN) = {EXIT_SECRET,
		N_("No token that opens this drive is plugged in"),
		N_("Plug it in and try again; 'sealdrive key list' shows which tokens there are.")},
	ENTRY(SDE_ENROLL) = {EXIT_SECRET,
		N_("The token cannot be enrolled"),
		N_("Nothing on the drive was changed. 'p11tool --list-all' shows cards and their keys, "
		   "'fido2-token -L' security keys.")},
	ENTRY(SDE_PIN) = {EXIT_SECRET,
		N_("The PIN is wrong"),
		N_("It was not tried again. Too many wrong PINs lock the token.")},
	ENTRY(SDE_NOT_A_PIN) = {EXIT_SECRET,
		N_("What was entered cannot be the PIN"),
		N_("The token was not asked, so that this has cost none of its tries. Try again.")},
	ENTRY(SDE_PIN_LOCKED) = {EXIT_SECRET,
		N_("The token is locked after too many wrong PINs"),
		N_("Your IT staff can unlock it with its PUK. Until then, open the drive in another way.")},
	ENTRY(SDE_SHARE) = {EXIT_SECRET,
		N_("The shares do not open the drive"),
		N_("Compare the share that is named with its sheet, or ask another holder for theirs; 'sealdrive "
		   "key list' shows the set of shares and how many are needed.")},
	ENTRY(SDE_CONVERT) = {EXIT_FAILED,
		N_("This header cannot be converted to LUKS version 2 in place"),
		N_("Nothing was changed. Copy the files to a drive that is formatted anew.")},
	ENTRY(SDE_CONFIRM) = {EXIT_USAGE,
		N_("This has to be confirmed, but there is no terminal to ask on"),
		N_("Nothing was changed. Run the command in a terminal. Where a script may confirm it, too, its "
		   "--help says how.")},
	ENTRY(SDE_OTHER_DRIVE) = {EXIT_FAILED,
		N_("This is not the drive that was named to confirm the command"),
		N_("Nothing was changed. Look at what is connected with 'sealdrive list'.")},
	ENTRY(SDE_TOOL) = {EXIT_FAILED,
		N_("A program that is needed for this is not installed"),
		N_("Install the package e2fsprogs and repeat the command.")},
	ENTRY(SDE_HEADER_CHANGED) = {EXIT_BUSY,
		N_("The header of the drive was changed by another program meanwhile"),
		N_("This command has changed nothing after that. Look at the drive with 'sealdrive key "
		   "list' and repeat what is still needed.")},
	ENTRY(SDE_HEADER_FULL) = {EXIT_FAILED,
		N_("The header of the drive has no room for this"),
		N_("Remove a key slot that is not needed any more with 'sealdrive key remove'.")},
	ENTRY(SDE_SLOT) = {EXIT_FAILED,
		N_("The key slot cannot be used for this"),
		N_("'sealdrive key list' shows the key slots.")},
	ENTRY(SDE_LAST_SLOT) = {EXIT_FAILED,
		N_("Nothing would open the drive any more"),
		N_("Add another passphrase first with 'sealdrive key add'. To destroy all data on the "
		   "drive use 'sealdrive erase'.")},
	ENTRY(SDE_WEAK_PASSPHRASE) = {EXIT_POLICY,
		N_("The new passphrase is easy to guess"),
		N_("Several words that do not belong together are hard to guess and easy to remember. "
		   "--allow-weak takes it nevertheless.")},
	ENTRY(SDE_BACKUP) = {EXIT_FAILED,
		N_("The backup does not fit the header of this drive"),
		N_("Look at both with 'sealdrive info'. To restore it nevertheless, repeat the command with "
		   "--force.")},
	ENTRY(SDE_NOT_REGULAR) = {EXIT_FAILED,
		N_("It is not a regular file"), N_("Give the name of a file, not of a pipe or a device.")},
	ENTRY(SDE_HEADER_SEAL) = {EXIT_NOT_LUKS,
		N_("The LUKS header was changed by somebody or something that did not open the drive"),
		N_("If 'sealdrive header restore' was interrupted, repeat it with --force. If your IT staff changed it "
		   "on purpose with another program, mount it once with --accept-header-change. If nobody knows of "
		   "a change, do not use the drive and show it to them.")},
};

/* The few system errors that mean more here than the system's own text says. */
static const struct {
	int code;
	enum exit_status exit;
	const char *remedy;
} system_errors[] = {
	{EIO, EXIT_IO,
		N_("Check the cable and the port. If it happens again, the drive may be failing: "
		   "copy what you can.")},
	{ENODEV, EXIT_IO, N_("The drive is gone. Plug it in again and repeat the command.")},
	{ENXIO, EXIT_IO, N_("The drive is gone. Plug it in again and repeat the command.")},
	{ENOMEDIUM, EXIT_IO, N_("Insert the medium and repeat the command.")},
	{EREMOTEIO, EXIT_IO, N_("Check the cable and the port.")},
	{ETIMEDOUT, EXIT_IO, N_("Check the cable and the port.")},
	{EBUSY, EXIT_BUSY, N_("Close the programs that use the drive, or unmount it there first.")},
	{EAGAIN, EXIT_BUSY, N_("Close the programs that use the drive, or unmount it there first.")},
	{ETXTBSY, EXIT_BUSY, N_("Close the programs that use the drive, or unmount it there first.")},
	{EUCLEAN, EXIT_NOT_LUKS,
		N_("Make a copy of the drive if the data matter, then use 'sealdrive check --repair'.")},
	{EOPNOTSUPP, EXIT_FEATURE, NULL},
	{ENOSYS, EXIT_FEATURE, NULL},
	{ENOTBLK, EXIT_FAILED, N_("Give a drive, a partition or a container file.")},
	{EISDIR, EXIT_FAILED, N_("A folder will not do: give a file, a drive or a partition.")},
	{ENOTDIR, EXIT_FAILED, N_("Name a folder there, not a file.")},
	{ENOENT, EXIT_FAILED, N_("Check the name. 'sealdrive list' shows which drives there are.")},
	{EEXIST, EXIT_FAILED, N_("An existing file is never overwritten. Choose another name.")},
	{EACCES, EXIT_FAILED,
		N_("You may not open it. Ask your IT staff for access to this drive.")},
	{EPERM, EXIT_FAILED, N_("You may not do this. Ask your IT staff for access to this drive.")},
	{EROFS, EXIT_FAILED, N_("Check the write-protect switch. To look at its files, mount it with --read-only.")},
	{ENOSPC, EXIT_FAILED, N_("Free some space and repeat the command.")},
	{EFBIG, EXIT_FAILED,
		N_("Take a smaller size, or store the container where larger files are possible, on XFS for instance.")},
	{ENOMEM, EXIT_FAILED, N_("Close other programs and try again.")},
};

static const struct error_entry *project_error(int err)
{
	if (err > -SDE_FIRST || err <= -SDE_END)
		return NULL;
	return &project_errors[-err - SDE_FIRST];
}

const char *error_text(int err)
{
	const struct error_entry *entry = project_error(err);

	if (entry)
		return _(entry->text);
	if (err >= 0)
		return _("No error");
	if (err == -ENOTBLK)
		return _("Neither a drive nor a container file");
	if (err == -EUCLEAN)
		return error_text(-SDE_FS_DAMAGED);
	return strerror(-err);
}

const char *error_plain(int err)
{
	const struct error_entry *entry = project_error(err);
	const char *name;

	if (entry)
		return entry->text;
	name = err < 0 ? strerrorname_np(-err) : NULL;
	return name ? name : "";
}

const char *error_remedy(int err)
{
	const struct error_entry *entry = project_error(err);

	if (entry)
		return entry->remedy ? _(entry->remedy) : NULL;
	for (size_t i = 0; i < sizeof(system_errors) / sizeof(system_errors[0]); i++)
		if (err == -system_errors[i].code)
			return system_errors[i].remedy ? _(system_errors[i].remedy) : NULL;
	return NULL;
}

enum exit_status error_exit_status(int err)
{
	const struct error_entry *entry = project_error(err);

	if (entry)
		return entry->exit;
	if (err >= 0)
		return EXIT_DONE;
	for (size_t i = 0; i < sizeof(system_errors) / sizeof(system_errors[0]); i++)
		if (err == -system_errors[i].code)
			return system_errors[i].exit;
	return EXIT_FAILED;
}

int diag_set(struct diag *diag, int err, const char *fmt, ...)
{
	va_list args;

	if (!diag || diag->detail[0])
		return err;
	diag->err = err;
	va_start(args, fmt);
	vsnprintf(diag->detail, sizeof(diag->detail), fmt, args);
	va_end(args);
	return err;
}
