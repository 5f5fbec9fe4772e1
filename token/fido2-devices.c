/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The security keys of this computer, as libfido2 (through udev) finds them. */
#include <string.h>

#include "base/text.h"
#include "token/fido2.h"

static void name_device(const fido_dev_info_t *info, struct fido2_device *device)
{
	const char *maker = fido_dev_info_manufacturer_string(info);
	const char *product = fido_dev_info_product_string(info);
	CLEANUP_FREE char *name = NULL;
	char raw[FIDO2_NAME_MAX];

	snprintf(raw, sizeof(raw), "%s %s", maker ? maker : "", product ? product : "");
	if (text_sanitize(raw, strlen(raw), &name) == 0)
		text_cut(name, device->name, sizeof(device->name));
}

size_t fido2_devices_open(struct fido2_device devices[FIDO2_DEVICES_MAX])
{
	fido_dev_info_t *list = fido_dev_info_new(FIDO2_DEVICES_MAX);
	size_t found = 0, count = 0;

	if (!list)
		return 0;
	fido_init(0);
	if (fido_dev_info_manifest(list, FIDO2_DEVICES_MAX, &found) != FIDO_OK)
		found = 0;
	for (size_t i = 0; i < found && i < FIDO2_DEVICES_MAX; i++) {
		const fido_dev_info_t *info = fido_dev_info_ptr(list, i);
		fido_dev_t *dev = fido_dev_new();

		if (!dev || fido_dev_open(dev, fido_dev_info_path(info)) != FIDO_OK || !fido_dev_is_fido2(dev)) {
			if (dev)
				fido_dev_close(dev);
			fido_dev_free(&dev);
			continue;
		}
		devices[count].dev = dev;
		name_device(info, &devices[count++]);
	}
	fido_dev_info_free(&list, FIDO2_DEVICES_MAX);
	return count;
}

void fido2_devices_close(struct fido2_device *devices, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		fido_dev_close(devices[i].dev);
		fido_dev_free(&devices[i].dev);
	}
}
