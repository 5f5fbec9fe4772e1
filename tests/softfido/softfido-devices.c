/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/softfido/softfido-devices.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "token/fido2.h"

enum { CTAPHID_INIT = 0x06, CTAPHID_CBOR = 0x10, CTAPHID_CANCEL = 0x11, INIT_ANSWER = 17, CAP_CBOR = 0x04, CAP_NO_MSG = 0x08 };

struct softfido *softfido_plugged[SOFTFIDO_KEYS_MAX];
size_t softfido_plugged_count;

static void *key_open(const char *path)
{
	return softfido_plugged[atoi(path)];
}

static void key_close(void *handle)
{
}

static int key_read(void *handle, unsigned char *buf, size_t len, int ms)
{
	return -1; /* whole messages only */
}

static int key_write(void *handle, const unsigned char *buf, size_t len)
{
	return -1;
}

static bool gone(struct softfido *key)
{
	if (key->unplug_after > 0)
		key->unplug_after--;
	return key->unplug_after == 0;
}

static int key_tx(fido_dev_t *dev, uint8_t command, const unsigned char *buf, size_t len)
{
	struct softfido *key = fido_dev_io_handle(dev);

	if (gone(key))
		return -1;
	if (command == CTAPHID_CANCEL && key->blinks) {
		key->touch = SOFTFIDO_CANCELLED;
		softfido_save();
		return 0;
	}
	key->answer_command = command;
	if (command == CTAPHID_INIT) {
		memset(key->answer, 0, INIT_ANSWER);
		memcpy(key->answer, buf, len < 8 ? len : 8);
		key->answer[11] = 1; /* channel */
		key->answer[12] = 2; /* protocol version */
		key->answer[16] = CAP_CBOR | CAP_NO_MSG;
		key->answer_len = INIT_ANSWER;
		return 0;
	}
	if (command != CTAPHID_CBOR)
		return -1;
	softfido_command(key, buf, len);
	if (key->blinks) {
		key->touch = SOFTFIDO_BLINKS;
		softfido_save();
	}
	return 0;
}

/* As a real one: until a signal comes, which libfido2 lets in only here. */
static int blink(void)
{
	const struct timespec long_time = {.tv_sec = 60};
	sigset_t none;

	sigemptyset(&none);
	ppoll(NULL, 0, &long_time, &none);
	return -1;
}

static int key_rx(fido_dev_t *dev, uint8_t command, unsigned char *buf, size_t len, int ms)
{
	struct softfido *key = fido_dev_io_handle(dev);

	if (gone(key) || command != key->answer_command || key->answer_len > len)
		return -1;
	if (key->blinks)
		return blink();
	memcpy(buf, key->answer, key->answer_len);
	return (int)key->answer_len;
}

size_t fido2_devices_open(struct fido2_device devices[FIDO2_DEVICES_MAX])
{
	static const fido_dev_io_t io = {key_open, key_close, key_read, key_write};
	static const fido_dev_transport_t transport = {key_rx, key_tx};
	size_t count = 0;

	softfido_load();
	fido_init(0);
	for (size_t i = 0; i < softfido_plugged_count; i++) {
		fido_dev_t *dev = fido_dev_new();
		char path[24];

		snprintf(path, sizeof(path), "%zu", i);
		softfido_reset_session(softfido_plugged[i]);
		if (!dev || fido_dev_set_io_functions(dev, &io) != FIDO_OK ||
			fido_dev_set_transport_functions(dev, &transport) != FIDO_OK ||
			fido_dev_open(dev, path) != FIDO_OK) {
			fido_dev_free(&dev);
			continue;
		}
		devices[count].dev = dev;
		snprintf(devices[count++].name, FIDO2_NAME_MAX, "%s", softfido_plugged[i]->name);
	}
	return count;
}

void fido2_devices_close(struct fido2_device *devices, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		fido_dev_close(devices[i].dev);
		fido_dev_free(&devices[i].dev);
	}
	softfido_save();
}
