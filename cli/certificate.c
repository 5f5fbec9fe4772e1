/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/certificate.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/i18n.h"
#include "cli/cli.h"
#include "cli/html.h"
#include "cli/jsonout.h"

enum { TIME_TEXT = 32 };

static const char *format_time(char text[TIME_TEXT], time_t when)
{
	struct tm utc;

	if (!gmtime_r(&when, &utc) || !strftime(text, TIME_TEXT, "%Y-%m-%dT%H:%M:%SZ", &utc))
		strcpy(text, "-");
	return text;
}

const char *certificate_limits(void)
{
	return _("On flash memory (USB sticks, memory cards, SSDs) the drive itself may keep old copies "
		 "of the overwritten header in places that no program can reach. Whoever takes the drive "
		 "apart, finds such a copy and knows a passphrase or has a token of that time could still "
		 "open the data. That is why this is a Clear, not a Purge. Where that is not enough, sanitise "
		 "the drive with its own command, or destroy it. Backups of the header and copies of a "
		 "container file are not erased by this: destroy them, too.");
}

void certificate_header(struct certificate *certificate, const struct luks2 *hdr)
{
	const struct luks2_segment *segment = luks2_data_segment(hdr);

	certificate->version = hdr->version;
	memcpy(certificate->label, hdr->label, sizeof(certificate->label));
	memcpy(certificate->uuid, hdr->uuid, sizeof(certificate->uuid));
	if (segment)
		memcpy(certificate->cipher, segment->cipher, sizeof(segment->cipher));
	for (int i = 0; i < hdr->keyslot_count; i++)
		if (segment && hdr->keyslots[i].digest == segment->digest)
			certificate->key_bits = hdr->keyslots[i].key_bytes * 8;
	certificate->keyslots = (unsigned)hdr->keyslot_count;
	certificate->tokens = (unsigned)hdr->token_count;
}

/* ---- files ---- */

int certificate_open(const char *path, struct certificate_files *ret_files, struct diag *diag)
{
	struct certificate_files files = CERTIFICATE_FILES_NONE;
	size_t len = strlen(path);
	bool json = len > strlen(".json") && !strcmp(path + len - strlen(".json"), ".json");
	CLEANUP_FREE char *page = NULL;
	int r;

	if (asprintf(&page, "%.*s.html", (int)(json ? len - strlen(".json") : len), path) < 0) {
		page = NULL;
		return -ENOMEM;
	}
	r = newfile_open(path, &files.json, diag);
	if (r == 0)
		r = newfile_open(page, &files.page, diag);
	if (r < 0) {
		certificate_discard(&files);
		return r;
	}
	*ret_files = files;
	return 0;
}

void certificate_discard(struct certificate_files *files)
{
	newfile_discard(&files->json);
	newfile_discard(&files->page);
}

/* Renders into memory, then writes at once. */
static int write_file(const struct certificate *certificate, struct newfile *file,
	void (*render)(const struct certificate *certificate, FILE *to), struct diag *diag)
{
	CLEANUP_FREE char *text = NULL;
	size_t len = 0;
	FILE *to = open_memstream(&text, &len);

	if (!to)
		return -ENOMEM;
	render(certificate, to);
	bool whole = !ferror(to);

	if (fclose(to) != 0 || !whole)
		return -ENOMEM;
	int r = newfile_write(file, text, len, diag);

	return r < 0 ? r : newfile_finish(file, diag);
}

/* ---- JSON ---- */

static void json_media(const struct certificate *c, struct jsonout *out)
{
	jsonout_object(out, "media");
	jsonout_string(out, "manufacturer", c->drive->vendor);
	jsonout_string(out, "model", c->drive->model);
	jsonout_string(out, "serial", c->drive->serial);
	jsonout_string(out, "property_number", NULL);
	jsonout_string(out, "type", c->is_file ? "file" : c->drive->partition ? "partition" : "drive");
	jsonout_number(out, "size_bytes", c->drive->size_bytes);
	jsonout_string(out, "path", c->drive->path);
	jsonout_end_object(out);
}

static void json_volume(const struct certificate *c, struct jsonout *out)
{
	jsonout_object(out, "volume");
	jsonout_string(out, "format", c->version == 1 ? "luks1" : "luks2");
	jsonout_string(out, "label", c->label);
	jsonout_string(out, "uuid", c->uuid);
	jsonout_string(out, "cipher", c->cipher);
	jsonout_number(out, "key_bits", c->key_bits);
	jsonout_string(out, "detached_header", c->header_path);
	jsonout_end_object(out);
}

static void json_sanitization(const struct certificate *c, struct jsonout *out)
{
	char text[TIME_TEXT];

	jsonout_object(out, "sanitization");
	jsonout_string(out, "scope", c->slot < 0 ? "volume" : "keyslot");
	jsonout_string(out, "description", c->slot < 0 ? "Clear" : NULL);
	jsonout_string(out, "method", "cryptographic erase");
	jsonout_string(out, "tool", "sealdrive");
	jsonout_string(out, "tool_version", VERSION);
	if (c->slot < 0) {
		jsonout_number(out, "keyslots_destroyed", c->keyslots);
		jsonout_number(out, "tokens_destroyed", c->tokens);
		jsonout_number(out, "overwritten_bytes", c->erasure.bytes);
		jsonout_bool(out, "discarded", c->erasure.discarded);
	} else {
		jsonout_number(out, "keyslot", (uint64_t)c->slot);
	}
	jsonout_string(out, "started", format_time(text, c->started));
	jsonout_string(out, "ended", format_time(text, c->ended));
	jsonout_object(out, "verification");
	jsonout_string(out, "method", "full");
	jsonout_bool(out, "overwritten_read_back", true);
	jsonout_bool(out, c->slot < 0 ? "header_found_afterwards" : "keyslot_found_afterwards", false);
	jsonout_end_object(out);
	jsonout_string(out, "limits", certificate_limits());
	jsonout_end_object(out);
}

static void render_json(const struct certificate *c, FILE *to)
{
	struct jsonout out = {.file = to};

	jsonout_object(&out, NULL);
	jsonout_string(&out, "type", "sealdrive-erasure");
	jsonout_number(&out, "version", 1);
	jsonout_string(&out, "standard", "NIST SP 800-88");
	json_media(c, &out);
	json_volume(c, &out);
	json_sanitization(c, &out);
	jsonout_end_object(&out);
}

/* ---- a page to print ---- */

static void heading(FILE *to, const char *text)
{
	fputs("</table>\n<h2>", to);
	html_text(to, text);
	fputs("</h2>\n<table>\n", to);
}

/* value NULL or "": a line to write on. */
static void row(FILE *to, const char *name, const char *value)
{
	fputs("<tr><th>", to);
	html_text(to, name);
	fputs(value && value[0] ? "</th><td>" : "</th><td class=\"blank\">", to);
	html_text(to, value ? value : "");
	fputs("</td></tr>\n", to);
}

static void row_format(FILE *to, const char *name, const char *fmt, ...) PRINTF(3, 4);
static void row_format(FILE *to, const char *name, const char *fmt, ...)
{
	char value[256];
	va_list args;

	va_start(args, fmt);
	vsnprintf(value, sizeof(value), fmt, args);
	va_end(args);
	row(to, name, value);
}

static void page_media(const struct certificate *c, FILE *to)
{
	char size[CLI_SIZE_TEXT];

	heading(to, _("Medium"));
	row(to, _("Manufacturer"), c->drive->vendor);
	row(to, _("Model"), c->drive->model);
	row(to, _("Serial number"), c->drive->serial);
	row(to, _("Property number"), NULL);
	row(to, _("Kind"), c->is_file ? _("container file") : c->drive->partition ? _("partition") : _("drive"));
	row_format(to, _("Size"), _("%s (%llu bytes)"), cli_format_size(size, c->drive->size_bytes),
		(unsigned long long)c->drive->size_bytes);
	row(to, _("Connected as"), c->drive->path);
	row(to, _("Where it came from"), NULL);
	row(to, _("Classification before"), NULL);
	row(to, _("Classification after"), NULL);
	row(to, _("Where it goes"), NULL);
	heading(to, _("Encrypted volume"));
	row_format(to, _("Format"), "LUKS%u", c->version);
	row(to, _("Label"), c->label[0] ? c->label : "-");
	row(to, "UUID", c->uuid);
	row_format(to, _("Cipher"), _("%s, %u bits"), c->cipher, c->key_bits);
	if (c->header_path)
		row(to, _("Header file"), c->header_path);
}

static void page_erasure(const struct certificate *c, FILE *to)
{
	char text[TIME_TEXT];

	heading(to, _("Sanitisation"));
	if (c->slot < 0) {
		row(to, _("Category"), _("Clear"));
		row(to, _("Method"), _("cryptographic erase: all copies of the key on the medium destroyed"));
		row_format(to, _("Key slots destroyed"), "%u", c->keyslots);
		row_format(to, _("Overwritten"), _("%llu bytes, with random bytes"),
			(unsigned long long)c->erasure.bytes);
		row(to, _("Discarded"), c->erasure.discarded ? _("yes") : _("not offered by the medium"));
		row(to, _("Verification"), _("full: everything that was overwritten was read back; no header "
					     "is found any more"));
	} else {
		row(to, _("Method"), _("one key slot destroyed; the drive stays in use"));
		row_format(to, _("Key slot"), "%d", c->slot);
		row(to, _("Verification"), _("full: everything that was overwritten was read back"));
	}
	row(to, _("Begun"), format_time(text, c->started));
	row(to, _("Ended"), format_time(text, c->ended));
	row(to, _("Program"), "sealdrive " VERSION);
	fputs("</table>\n<p>", to);
	html_text(to, certificate_limits());
	fputs("</p>\n<table>\n", to);
}

static void page_people(FILE *to, const char *who)
{
	heading(to, who);
	row(to, _("Name"), NULL);
	row(to, _("Position"), NULL);
	row(to, _("Place and date"), NULL);
	row(to, _("Telephone"), NULL);
	row(to, _("Signature"), NULL);
}

static void render_page(const struct certificate *c, FILE *to)
{
	fputs("<!DOCTYPE html>\n<html>\n<head>\n<meta charset=\"utf-8\">\n<title>", to);
	html_text(to, _("Certificate of sanitisation"));
	fputs("</title>\n<style>\n"
	      "body { font: 11pt serif; max-width: 18cm; margin: 1cm auto; }\n"
	      "table { border-collapse: collapse; width: 100%; }\n"
	      "th { text-align: left; width: 35%; font-weight: normal; }\n"
	      "th, td { border-bottom: 1px solid #888; padding: 3px; }\n"
	      "td.blank { height: 1.6em; }\n"
	      "h2 { font-size: 12pt; margin-bottom: 2px; }\n"
	      "</style>\n</head>\n<body>\n<h1>", to);
	html_text(to, _("Certificate of sanitisation"));
	fputs("</h1>\n<table>\n", to);
	page_media(c, to);
	page_erasure(c, to);
	page_people(to, _("Sanitised by"));
	page_people(to, _("Verified by"));
	fputs("</table>\n</body>\n</html>\n", to);
}

int certificate_write(const struct certificate *certificate, struct certificate_files *files,
	struct diag *diag)
{
	int r = write_file(certificate, &files->json, render_json, diag);

	return r < 0 ? r : write_file(certificate, &files->page, render_page, diag);
}
