/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "audit/manifest.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "audit/canon.h"
#include "audit/facts-file.h"
#include "audit/strict.h"
#include "base/i18n.h"
#include "kernel-shim/cryptdev.h"
#include "keymgr/luks2-json.h"

#define TYPE "sealdrive-manifest"

static const struct {
	char kind;
	const char *name;
} kinds[] = {{'-', "file"}, {'d', "folder"}, {'l', "link"}, {'b', "block-device"}, {'c', "character-device"},
	{'p', "fifo"}, {'s', "socket"}};

int manifest_add(struct manifest *manifest, const struct manifest_entry *entry)
{
	if (manifest->count == manifest->room) {
		size_t room = manifest->room ? 2 * manifest->room : 256;
		struct manifest_entry *more = reallocarray(manifest->entries, room, sizeof(*more));

		if (!more)
			return -ENOMEM;
		manifest->entries = more;
		manifest->room = room;
	}
	manifest->entries[manifest->count++] = *entry;
	return 0;
}

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct manifest_entry *)a)->path, ((const struct manifest_entry *)b)->path);
}

void manifest_sort(struct manifest *manifest)
{
	qsort(manifest->entries, manifest->count, sizeof(*manifest->entries), by_path);
}

void manifest_clear(struct manifest *manifest)
{
	for (size_t i = 0; i < manifest->count; i++)
		free(manifest->entries[i].path);
	free(manifest->entries);
	*manifest = (struct manifest){0};
}

/* ---- write ---- */

static const char *kind_name(char kind)
{
	size_t i = 0;

	while (i + 1 < ARRAY_SIZE(kinds) && kinds[i].kind != kind)
		i++;
	return kinds[i].name;
}

static int add_path(json_t *json, const char *path)
{
	json_t *text = json_string(path); /* NULL: no UTF-8 */
	CLEANUP_FREE char *hex = NULL;

	if (text)
		return json_object_set_new(json, "path", text) ? -ENOMEM : 0;
	hex = malloc(2 * strlen(path) + 1);
	if (!hex)
		return -ENOMEM;
	hex_encode((const uint8_t *)path, strlen(path), hex);
	return json_object_set_new(json, "path_hex", json_string(hex)) ? -ENOMEM : 0;
}

static json_t *time_json(const struct timespec *time)
{
	return json_sprintf("%lld.%09ld", (long long)time->tv_sec, time->tv_nsec);
}

static int entry_json(const struct manifest_entry *entry, json_t **ret_json)
{
	char mode[16];

	snprintf(mode, sizeof(mode), "%04o", entry->mode & 07777);
	CLEANUP_JSON json_t *json = json_pack("{s:s, s:s, s:o, s:o}", "kind", kind_name(entry->kind), "mode", mode, "mtime",
		time_json(&entry->mtime), "size", json_sprintf("%" PRIu64, entry->size));

	if (!json || (entry->has_ctime && json_object_set_new(json, "ctime", time_json(&entry->ctime))) ||
		add_path(json, entry->path) < 0 ||
		(entry->sha256[0] && json_object_set_new(json, "sha256", json_string(entry->sha256))))
		return -ENOMEM;
	*ret_json = take_ptr(json);
	return 0;
}

static int put_line(json_t *json, struct hash256 *hash, FILE *out)
{
	CLEANUP_FREE char *text = NULL;
	size_t len;
	int r = json ? canon_print(json, &text, &len) : -ENOMEM;

	json_decref(json);
	if (r < 0)
		return r;
	text[len++] = '\n';
	hash256_update(hash, text, len);
	return fwrite(text, 1, len, out) == len ? 0 : -EIO;
}

int manifest_write(const struct manifest *manifest, int64_t seconds, FILE *out)
{
	CLEANUP_HASH256 struct hash256 hash = {0};
	char ts[32], hex[HASH256_HEX];
	json_t *json;
	int r = hash256_begin(&hash);

	time_text(seconds, ts);
	if (r == 0)
		r = put_line(json_pack("{s:i, s:s, s:s, s:s}", "schema", 1, "type", TYPE, "ts", ts, "uuid", manifest->uuid),
			&hash, out);
	for (size_t i = 0; r == 0 && i < manifest->count; i++) {
		r = entry_json(&manifest->entries[i], &json);
		if (r == 0)
			r = put_line(json, &hash, out);
	}
	if (r < 0)
		return r;
	hash256_hex(&hash, hex);
	return put_line(json_pack("{s:I, s:s}", "entries", (json_int_t)manifest->count, "sha256", hex), &hash, out);
}

/* ---- read ---- */

static const char *get(const json_t *json, const char *name)
{
	const char *text = json_string_value(json_object_get(json, name));

	return text ? text : "";
}

static int bad_line(struct diag *diag, size_t line)
{
	return diag_set(diag, -SDE_FILE_INVALID, _("line %zu: not a line of a manifest, or changed"), line);
}

static char *read_path(const json_t *json)
{
	const char *hex = get(json, "path_hex");
	size_t len = strlen(hex) / 2;
	char *path;

	if (!hex[0])
		return strdup(get(json, "path"));
	path = calloc(1, len + 1);
	if (path && hex_decode(hex, (uint8_t *)path, len) < 0) {
		free(path);
		return NULL;
	}
	return path;
}

static bool read_time(const char *text, struct timespec *ret)
{
	long long seconds;

	if (sscanf(text, "%lld.%9ld", &seconds, &ret->tv_nsec) != 2)
		return false;
	ret->tv_sec = seconds;
	return true;
}

static bool read_entry(const json_t *json, struct manifest_entry *entry)
{
	size_t kind = 0;

	while (kind < ARRAY_SIZE(kinds) && strcmp(kinds[kind].name, get(json, "kind")) != 0)
		kind++;
	entry->has_ctime = json_object_get(json, "ctime") != NULL;
	if (kind == ARRAY_SIZE(kinds) || !read_time(get(json, "mtime"), &entry->mtime) ||
		(entry->has_ctime && !read_time(get(json, "ctime"), &entry->ctime)) ||
		sscanf(get(json, "mode"), "%o", &entry->mode) != 1 ||
		!luks2_json_u64(json_object_get(json, "size"), &entry->size) || strlen(get(json, "sha256")) >= HASH256_HEX)
		return false;
	entry->kind = kinds[kind].kind;
	strcpy(entry->sha256, get(json, "sha256"));
	entry->path = read_path(json);
	return entry->path && entry->path[0];
}

static int read_line(const char *text, size_t len, size_t line, struct manifest *manifest, struct diag *diag)
{
	CLEANUP_JSON json_t *json = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	struct manifest_entry entry = {0};

	if (line == 1) {
		if (strcmp(get(json, "type"), TYPE) != 0)
			return diag_set(diag, -SDE_FILE_INVALID, _("this is not a file of type %s"), TYPE);
		if (json_integer_value(json_object_get(json, "schema")) != 1)
			return diag_set(diag, -SDE_FILE_INVALID, _("this program knows schema %d only"), 1);
		snprintf(manifest->uuid, sizeof(manifest->uuid), "%s", get(json, "uuid"));
		return 0;
	}
	if (!read_entry(json, &entry)) {
		free(entry.path);
		return bad_line(diag, line);
	}
	int r = manifest_add(manifest, &entry);

	if (r < 0)
		free(entry.path);
	return r;
}

/* text up to and without the last line is what its hash is of. */
static int check_last(const char *text, size_t before, const char *last, size_t len, size_t count, struct diag *diag)
{
	CLEANUP_JSON json_t *json = json_loadb(last, len, JSON_REJECT_DUPLICATES, NULL);
	uint8_t digest[HASH256_BYTES];
	char hex[HASH256_HEX];

	hash256_of(text, before, NULL, 0, digest);
	hex_encode(digest, sizeof(digest), hex);
	if (!json_is_integer(json_object_get(json, "entries")))
		return diag_set(diag, -SDE_FILE_INVALID, _("its end is missing"));
	if (json_object_size(json) != 2 || strcmp(get(json, "sha256"), hex) != 0 ||
		(size_t)json_integer_value(json_object_get(json, "entries")) != count)
		return diag_set(diag, -SDE_FILE_INVALID, _("the checksum is wrong: it was changed after it was made"));
	return 0;
}

int manifest_parse(const char *text, size_t len, struct manifest *ret_manifest, struct diag *diag)
{
	CLEANUP_MANIFEST struct manifest manifest = {0};
	const char *p = text, *end = text + len, *newline;
	size_t line = 0;
	int r = crypto_init();

	while (r == 0) {
		newline = p < end ? memchr(p, '\n', (size_t)(end - p)) : NULL;
		if (!newline)
			return diag_set(diag, -SDE_FILE_INVALID, _("its end is missing"));
		line++;
		if (newline + 1 == end)
			break;
		r = read_line(p, (size_t)(newline - p), line, &manifest, diag);
		p = newline + 1;
	}
	if (r == 0)
		r = check_last(text, (size_t)(p - text), p, (size_t)(newline - p), manifest.count, diag);
	for (size_t i = 1; r == 0 && i < manifest.count; i++)
		if (by_path(&manifest.entries[i - 1], &manifest.entries[i]) >= 0)
			r = bad_line(diag, i + 2);
	if (r < 0)
		return r;
	*ret_manifest = manifest;
	manifest = (struct manifest){0};
	return 0;
}

/* ---- compare ---- */

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static bool differ(const struct manifest_entry *a, const struct manifest_entry *b, char what[64])
{
	snprintf(what, 64, "%s%s%s%s%s%s", a->kind != b->kind ? ", kind" : "", a->mode != b->mode ? ", mode" : "",
		a->size != b->size ? ", size" : "",
		same_time(&a->mtime, &b->mtime) ? "" : ", mtime",
		!a->has_ctime || !b->has_ctime || same_time(&a->ctime, &b->ctime) ? "" : ", ctime",
		strcmp(a->sha256, b->sha256) != 0 ? ", sha256" : "");
	return what[0] != '\0';
}

void manifest_compare(const struct manifest *before, const struct manifest *now,
	void (*see)(void *ctx, enum manifest_change change, const char *path, const char *what), void *ctx)
{
	size_t i = 0, j = 0;
	char what[64];

	while (i < before->count || j < now->count) {
		int order = i == before->count ? 1 : j == now->count ? -1 : by_path(&before->entries[i], &now->entries[j]);

		if (order < 0) {
			see(ctx, MANIFEST_REMOVED, before->entries[i++].path, "");
		} else if (order > 0) {
			see(ctx, MANIFEST_ADDED, now->entries[j++].path, "");
		} else {
			if (differ(&before->entries[i], &now->entries[j], what))
				see(ctx, MANIFEST_CHANGED, now->entries[j].path, what + 2);
			i++;
			j++;
		}
	}
}
