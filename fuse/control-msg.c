/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuse/control-msg.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/text.h"

enum { MESSAGE_BYTES_MAX = 65536 };

static const char *const request_names[] = {
	[CONTROL_STATUS] = "status",
	[CONTROL_UNMOUNT] = "unmount",
	[CONTROL_GIVE_UP] = "give-up",
};

static void cleanup_json(json_t **json)
{
	json_decref(*json);
}
#define CLEANUP_JSON CLEANUP(cleanup_json)

static int send_all(int fd, const void *data, size_t len)
{
	const char *p = data;

	while (len > 0) {
		ssize_t n = send(fd, p, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

static int receive_all(int fd, void *data, size_t len)
{
	char *p = data;

	while (len > 0) {
		ssize_t n = recv(fd, p, len, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		if (n == 0)
			return -ECONNRESET;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

/* Takes message, which may be NULL when there was no memory for it. */
static int message_send(int fd, json_t *message)
{
	CLEANUP_JSON json_t *own = message;
	CLEANUP_FREE char *text = message ? json_dumps(message, JSON_COMPACT) : NULL;
	be32 len;
	int err;

	if (!text)
		return -ENOMEM;
	if (strlen(text) > MESSAGE_BYTES_MAX)
		return -EMSGSIZE;
	len = be32_make((uint32_t)strlen(text));
	err = send_all(fd, &len, sizeof(len));
	return err < 0 ? err : send_all(fd, text, strlen(text));
}

static int message_receive(int fd, json_t **ret_message)
{
	CLEANUP_FREE char *text = NULL;
	uint32_t len;
	be32 raw;
	int err = receive_all(fd, &raw, sizeof(raw));

	if (err < 0)
		return err;
	len = be32_get(raw);
	if (len == 0 || len > MESSAGE_BYTES_MAX)
		return -EBADMSG;
	text = malloc(len);
	if (!text)
		return -ENOMEM;
	err = receive_all(fd, text, len);
	if (err < 0)
		return err;
	*ret_message = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	return json_is_object(*ret_message) ? 0 : -EBADMSG;
}

int control_send_request(int fd, enum control_request request)
{
	return message_send(fd, json_pack("{s:s}", "request", request_names[request]));
}

int control_receive_request(int fd, enum control_request *ret_request)
{
	CLEANUP_JSON json_t *message = NULL;
	const char *name;
	int err = message_receive(fd, &message);

	if (err < 0)
		return err;
	if (json_unpack_ex(message, NULL, JSON_STRICT, "{s:s}", "request", &name) < 0)
		return -EBADMSG;
	for (size_t i = 0; i < ARRAY_SIZE(request_names); i++) {
		if (strcmp(name, request_names[i]) == 0) {
			*ret_request = (enum control_request)i;
			return 0;
		}
	}
	return -EBADMSG;
}

/* A member of struct drive_status and its name in JSON. */
static const struct {
	const char *name;
	size_t offset;
} status_strings[] = {
	{"target", offsetof(struct drive_status, target)},
	{"uuid", offsetof(struct drive_status, uuid)},
	{"label", offsetof(struct drive_status, label)},
	{"mount_point", offsetof(struct drive_status, mount_point)},
	{"cipher", offsetof(struct drive_status, cipher)},
	{"owner_view", offsetof(struct drive_status, owner_view)},
	{"read_only_reason", offsetof(struct drive_status, read_only_reason)},
	{"error", offsetof(struct drive_status, error)},
	{"refused", offsetof(struct drive_status, refused)},
};

static char **status_string(struct drive_status *status, size_t i)
{
	return (char **)((char *)status + status_strings[i].offset);
}

void drive_status_clear(struct drive_status *status)
{
	for (size_t i = 0; i < ARRAY_SIZE(status_strings); i++)
		free(*status_string(status, i));
	*status = (struct drive_status){0};
}

static int put_string(json_t *object, const char *name, const char *value)
{
	CLEANUP_FREE char *safe = NULL;
	int err = text_sanitize(value, strlen(value), &safe);

	if (err < 0)
		return err;
	return json_object_set_new(object, name, json_string(safe)) < 0 ? -ENOMEM : 0;
}

static int put_counters(json_t *status, const struct counters *counters)
{
	json_t *object = json_object();

	for (unsigned i = 0; i < counters->count; i++)
		if (json_object_set_new(object, counters->list[i].name,
			    json_integer((json_int_t)counters->list[i].value)) < 0)
			break;
	if (json_object_size(object) < counters->count) {
		json_decref(object);
		return -ENOMEM;
	}
	return json_object_set_new(status, "counters", object) < 0 ? -ENOMEM : 0;
}

/* What is none of ours is left out. */
static void counters_parse(json_t *object, struct counters *ret_counters)
{
	const char *name;
	json_t *value;

	*ret_counters = (struct counters){0};
	json_object_foreach(object, name, value) {
		if (counter_name_valid(name) && json_integer_value(value) > 0)
			counters_add(ret_counters, name, (uint64_t)json_integer_value(value));
	}
}

int control_send_status(int fd, const struct drive_status *status)
{
	json_t *object = json_pack("{s:i, s:i, s:i, s:b, s:b, s:b, s:b, s:I, s:I, s:I, s:I}",
		"pid", (int)status->pid,
		"device_major", (int)status->device_major,
		"device_minor", (int)status->device_minor,
		"read_only", status->read_only,
		"memory_locked", status->memory_locked,
		"unmounting", status->unmounting,
		"away", status->away,
		"seconds_left", (json_int_t)status->seconds_left,
		"size_bytes", (json_int_t)status->size_bytes,
		"free_bytes", (json_int_t)status->free_bytes,
		"since", (json_int_t)status->since);

	for (size_t i = 0; object && i < ARRAY_SIZE(status_strings); i++) {
		struct drive_status *own = (struct drive_status *)(uintptr_t)status;

		if (put_string(object, status_strings[i].name, *status_string(own, i)) < 0) {
			json_decref(object);
			return -ENOMEM;
		}
	}
	if (object && put_counters(object, &status->counters) < 0) {
		json_decref(object);
		return -ENOMEM;
	}
	return message_send(fd, json_pack("{s:o}", "status", object));
}

int control_send_result(int fd, int err, const struct diag *diag)
{
	CLEANUP_FREE char *detail = NULL;

	if (err >= 0)
		return message_send(fd, json_object());
	if (text_sanitize(diag ? diag->detail : "", diag ? strlen(diag->detail) : 0, &detail) < 0)
		return -ENOMEM;
	return message_send(fd, json_pack("{s:i, s:s}", "error", err, "detail", detail));
}

static int status_parse(json_t *object, struct drive_status *ret_status)
{
	int pid, dev_major, dev_minor, read_only, locked, unmounting, away;
	json_int_t size, free_bytes, since, left;
	struct drive_status status = {0};

	if (json_unpack_ex(object, NULL, 0, "{s:i, s:i, s:i, s:b, s:b, s:b, s:b, s:I, s:I, s:I, s:I}",
		    "pid", &pid, "device_major", &dev_major, "device_minor", &dev_minor,
		    "read_only", &read_only, "memory_locked", &locked, "unmounting", &unmounting,
		    "away", &away, "seconds_left", &left,
		    "size_bytes", &size, "free_bytes", &free_bytes, "since", &since) < 0)
		return -EBADMSG;
	for (size_t i = 0; i < ARRAY_SIZE(status_strings); i++) {
		const char *value = json_string_value(json_object_get(object, status_strings[i].name));

		*status_string(&status, i) = value ? strdup(value) : NULL;
		if (!*status_string(&status, i)) {
			drive_status_clear(&status);
			return value ? -ENOMEM : -EBADMSG;
		}
	}
	status.pid = pid;
	status.device_major = (unsigned)dev_major;
	status.device_minor = (unsigned)dev_minor;
	status.read_only = read_only;
	status.memory_locked = locked;
	status.unmounting = unmounting;
	status.away = away;
	status.seconds_left = (unsigned)left;
	status.size_bytes = (uint64_t)size;
	status.free_bytes = (uint64_t)free_bytes;
	status.since = since;
	counters_parse(json_object_get(object, "counters"), &status.counters);
	*ret_status = status;
	return 0;
}

int control_receive_answer(int fd, struct drive_status *ret_status, struct diag *diag)
{
	CLEANUP_JSON json_t *message = NULL;
	const char *detail = "";
	int err = message_receive(fd, &message), sent;

	if (err < 0)
		return err == -ENOMEM ? err : -SDE_DAEMON;
	if (json_object_get(message, "error")) {
		if (json_unpack_ex(message, NULL, JSON_STRICT, "{s:i, s:s}", "error", &sent,
			    "detail", &detail) < 0 || sent >= 0)
			return -SDE_DAEMON;
		return detail[0] ? diag_set(diag, sent, "%s", detail) : sent;
	}
	if (!ret_status)
		return json_object_size(message) == 0 ? 0 : -SDE_DAEMON;
	err = status_parse(json_object_get(message, "status"), ret_status);
	return err == -EBADMSG ? -SDE_DAEMON : err;
}
