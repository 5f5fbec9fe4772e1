/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a key slot asks of the computer that opens it. */
#include <stdio.h>

#include "cli/cli.h"
#include "cli/info.h"
#include "keymgr/kdf.h"

static void format_time(char *buf, size_t room, uint64_t ms)
{
	if (ms < 1000)
		snprintf(buf, room, _("less than a second"));
	else
		snprintf(buf, room, _("about %llu s"), (unsigned long long)(ms + 500) / 1000);
}

char *info_portability(const struct luks2_keyslot *slot)
{
	const struct luks2_kdf *kdf = &slot->kdf;
	char memory[CLI_SIZE_TEXT], time[64], *text = NULL;
	uint64_t ms;

	if (!slot->usable || kdf_estimate(kdf, slot->area_key_bytes, &ms) < 0)
		return NULL;
	format_time(time, sizeof(time), ms);
	int n = kdf->type == LUKS2_KDF_PBKDF2
			? asprintf(&text, _("takes %s on this computer; hardly any memory"), time)
			: asprintf(&text,
				  _("needs %s of free memory and takes %s on this computer; not possible on one "
				    "in FIPS mode"),
				  cli_format_size(memory, kdf->memory_kib * UINT64_C(1024)), time);

	return n < 0 ? NULL : text;
}
