/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/sheet.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/i18n.h"
#include "base/text.h"
#include "cli/qr.h"

enum {
	TEXT_BYTES = 16 * 1024,
	SVG_BYTES = 512 * 1024,
	LINE_CHARS = 36, /* of the key: four groups of eight with their dashes */
	/* millimetres */
	MARGIN = 20,
	QR_TOP = 128,
	QR_SIDE = 70,
};

/* A secret that grows up to its size. */
struct writer {
	struct secret *secret;
	size_t len;
	bool full;
};

static void writer_clear(struct writer *writer)
{
	secret_free(writer->secret);
}
#define CLEANUP_WRITER CLEANUP(writer_clear)

static void put_bytes(struct writer *writer, const char *bytes, size_t len)
{
	char *to = secret_data(writer->secret);

	if (len > secret_len(writer->secret) - writer->len) {
		writer->full = true;
		return;
	}
	memcpy(to + writer->len, bytes, len);
	writer->len += len;
}

static void put(struct writer *writer, const char *text)
{
	put_bytes(writer, text, strlen(text));
}

/* For numbers and what is not secret. */
static void put_format(struct writer *writer, const char *fmt, ...) PRINTF(2, 3);
static void put_format(struct writer *writer, const char *fmt, ...)
{
	char text[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	put(writer, text);
}

static int finish(struct writer *writer, struct secret **ret_text)
{
	if (writer->full)
		return -E2BIG;
	secret_truncate(writer->secret, writer->len);
	*ret_text = take_ptr(writer->secret);
	return 0;
}

size_t sheet_key_line(const struct secret *key, size_t n, const char **ret_line)
{
	size_t from = n * LINE_CHARS, len;

	if (from >= secret_len(key))
		return 0;
	len = min_u64(LINE_CHARS, secret_len(key) - from);
	*ret_line = (const char *)secret_data_const(key) + from;
	/* the dash at the end of a line would be taken for a hyphen */
	return (*ret_line)[len - 1] == '-' ? len - 1 : len;
}

/* ---- text ---- */

static void text_fields(struct writer *writer, const struct sheet *sheet)
{
	for (size_t i = 0; i < sheet->field_count; i++) {
		const char *value = sheet->fields[i].value;
		CLEANUP_FREE char *safe = NULL;

		if (text_sanitize(value, strlen(value), &safe) == 0)
			put_format(writer, "%s: %s\n", sheet->fields[i].name, safe);
	}
}

int sheet_text(const struct sheet *sheet, struct secret **ret_text)
{
	CLEANUP_WRITER struct writer writer = {0};
	const char *line;
	size_t len;
	int r = secret_new(TEXT_BYTES, &writer.secret);

	if (r)
		return r;
	put_format(&writer, "%s\n\n", sheet->title);
	text_fields(&writer, sheet);
	put(&writer, "\n");
	for (size_t i = 0; (len = sheet_key_line(sheet->key, i, &line)) > 0; i++) {
		put(&writer, "    ");
		put_bytes(&writer, line, len);
		put(&writer, "\n");
	}
	put(&writer, "\n");
	for (const char *const *at = sheet->lines; *at; at++)
		put_format(&writer, "%s\n", _(*at));
	return finish(&writer, ret_text);
}

/* ---- SVG ---- */

static void put_escaped(struct writer *writer, const char *text)
{
	CLEANUP_FREE char *safe = NULL;

	if (text_sanitize(text, strlen(text), &safe) < 0)
		return;
	for (const char *c = safe; *c; c++) {
		const char *escape = *c == '<' ? "&lt;" : *c == '>' ? "&gt;" : *c == '&' ? "&amp;" : NULL;

		if (escape)
			put(writer, escape);
		else
			put_bytes(writer, c, 1);
	}
}

static void svg_text(struct writer *writer, int y, int size, const char *text)
{
	put_format(writer, "<text x=\"%d\" y=\"%d\" font-size=\"%d\">", MARGIN, y, size);
	put_escaped(writer, text);
	put(writer, "</text>\n");
}

static int svg_fields(struct writer *writer, const struct sheet *sheet)
{
	int y = 42;

	for (size_t i = 0; i < sheet->field_count; i++, y += 7) {
		put_format(writer, "<text x=\"%d\" y=\"%d\" font-size=\"4.5\">", MARGIN, y);
		put_escaped(writer, sheet->fields[i].name);
		put(writer, ": ");
		put_escaped(writer, sheet->fields[i].value);
		put(writer, "</text>\n");
	}
	return y;
}

static void svg_key(struct writer *writer, const struct secret *key, int y)
{
	const char *line;
	size_t len;

	for (size_t i = 0; (len = sheet_key_line(key, i, &line)) > 0; i++, y += 9) {
		put_format(writer, "<text x=\"%d\" y=\"%d\" font-size=\"7\" font-family=\"monospace\">",
			MARGIN, y);
		put_bytes(writer, line, len);
		put(writer, "</text>\n");
	}
}

/* One path: a rectangle for each run of dark modules. */
static int svg_qr(struct writer *writer, const struct secret *key)
{
	CLEANUP_QR struct qr qr = {0};
	int r = qr_make(secret_data_const(key), secret_len(key), &qr);

	if (r)
		return r;
	const uint8_t *modules = secret_data_const(qr.modules);

	put_format(writer, "<g transform=\"translate(%d %d) scale(%.5f)\"><path d=\"", MARGIN, QR_TOP,
		(double)QR_SIDE / qr.width);
	for (unsigned y = 0; y < qr.width; y++)
		for (unsigned x = 0, run; x < qr.width; x += run) {
			const uint8_t *row = modules + (size_t)y * qr.width;

			for (run = 1; x + run < qr.width && row[x + run] == row[x]; run++)
				;
			if (row[x])
				put_format(writer, "M%u %uh%uv1h-%uz", x, y, run, run);
		}
	put(writer, "\"/></g>\n");
	return 0;
}

int sheet_svg(const struct sheet *sheet, struct secret **ret_text)
{
	CLEANUP_WRITER struct writer writer = {0};
	int r = secret_new(SVG_BYTES, &writer.secret), y;

	if (r)
		return r;
	put(&writer, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		     "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"210mm\" height=\"297mm\" "
		     "viewBox=\"0 0 210 297\" font-family=\"serif\">\n"
		     "<rect width=\"210\" height=\"297\" fill=\"white\"/>\n");
	svg_text(&writer, 28, 9, sheet->title);
	y = svg_fields(&writer, sheet);
	svg_key(&writer, sheet->key, y + 8);
	r = svg_qr(&writer, sheet->key);
	if (r)
		return r;
	y = QR_TOP + QR_SIDE + 14;
	for (const char *const *at = sheet->lines; *at; at++, y += 6)
		svg_text(&writer, y, 4, _(*at));
	put(&writer, "</svg>\n");
	return finish(&writer, ret_text);
}

int sheet_render(const struct sheet *sheet, const char *path, struct secret **ret_text)
{
	size_t len = strlen(path);
	bool svg = len > strlen(".svg") && !strcmp(path + len - strlen(".svg"), ".svg");

	return svg ? sheet_svg(sheet, ret_text) : sheet_text(sheet, ret_text);
}
