/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/html.h"

#include <stdlib.h>
#include <string.h>

#include "audit/hash256.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "keymgr/base64.h"

void html_text(FILE *out, const char *text)
{
	CLEANUP_FREE char *safe = NULL;

	if (text_sanitize(text, strlen(text), &safe) < 0)
		return;
	for (const char *c = safe; *c; c++) {
		switch (*c) {
		case '&':
			fputs("&amp;", out);
			break;
		case '<':
			fputs("&lt;", out);
			break;
		case '>':
			fputs("&gt;", out);
			break;
		case '"':
			fputs("&quot;", out);
			break;
		case '\'':
			fputs("&#39;", out);
			break;
		default:
			putc(*c, out);
		}
	}
}

static void put_hash(FILE *out, const char *content)
{
	uint8_t digest[HASH256_BYTES];
	char text[BASE64_CHARS(HASH256_BYTES) + 1];

	hash256_of(content, strlen(content), NULL, 0, digest);
	base64_encode(digest, sizeof(digest), text);
	fprintf(out, "'sha256-%s'", text);
}

void html_begin(FILE *out, const char *language, const char *title, const char *style, const char *script)
{
	fprintf(out, "<!DOCTYPE html>\n<html lang=\"%s\">\n<head>\n<meta charset=\"utf-8\">\n", language);
	fputs("<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; base-uri 'none'; "
	      "form-action 'none'; style-src ", out);
	put_hash(out, style);
	fputs("; script-src ", out);
	put_hash(out, script);
	fputs("\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
	      "<meta name=\"referrer\" content=\"no-referrer\">\n<title>", out);
	html_text(out, title);
	fprintf(out, "</title>\n<style>%s</style>\n</head>\n<body>\n", style);
}

void html_end(FILE *out, const char *script)
{
	fprintf(out, "<script>%s</script>\n</body>\n</html>\n", script);
}

/* Six fillings that differ without colour: full, stripes both ways, dots, grid, empty. */
static void put_patterns(FILE *out, const char *id)
{
	static const char *const shapes[] = {
		"<rect width=\"8\" height=\"8\"/>",
		"<path d=\"M0 8 8 0M-2 2 2-2M6 10 10 6\"/>",
		"<circle cx=\"2\" cy=\"2\" r=\"1.4\"/><circle cx=\"6\" cy=\"6\" r=\"1.4\"/>",
		"<path d=\"M0 0 8 8M-2 6 2 10M6-2 10 2\"/>",
		"<path d=\"M0 4H8M4 0V8\"/>",
		"",
	};

	fputs("<defs>", out);
	for (size_t i = 0; i < ARRAY_SIZE(shapes); i++)
		fprintf(out, "<pattern id=\"%s-%zu\" class=\"p%zu\" width=\"8\" height=\"8\" "
			     "patternUnits=\"userSpaceOnUse\">%s</pattern>", id, i, i, shapes[i]);
	fputs("</defs>", out);
}

void html_bars(FILE *out, const char *id, const char *title, const struct html_bar *bars, size_t count)
{
	enum { LABEL = 150, BAR = 190, ROW = 26, WIDTH = LABEL + BAR + 70 };
	unsigned most = 1;

	for (size_t i = 0; i < count; i++)
		most = bars[i].value > most ? bars[i].value : most;
	fputs("<figure><figcaption>", out);
	html_text(out, title);
	fprintf(out, "</figcaption><svg viewBox=\"0 0 %d %zu\" role=\"img\" aria-label=\"", WIDTH, count * ROW + 4);
	html_text(out, title);
	for (size_t i = 0; i < count; i++) {
		fputs(i ? ", " : ": ", out);
		html_text(out, bars[i].label);
		fprintf(out, " %u", bars[i].value);
	}
	fputs("\">", out);
	put_patterns(out, id);
	for (size_t i = 0; i < count; i++) {
		size_t y = i * ROW;

		fprintf(out, "<text x=\"%d\" y=\"%zu\" text-anchor=\"end\">", LABEL - 8, y + 18);
		html_text(out, bars[i].label);
		fprintf(out, "</text><rect class=\"bar\" x=\"%d\" y=\"%zu\" width=\"%u\" height=\"18\" fill=\"url(#%s-%u)\"/>",
			LABEL, y + 4, (unsigned)((unsigned long long)bars[i].value * BAR / most), id,
			bars[i].pattern);
		fprintf(out, "<text class=\"n\" x=\"%u\" y=\"%zu\">%u%s",
			LABEL + 6 + (unsigned)((unsigned long long)bars[i].value * BAR / most), y + 18, bars[i].value,
			bars[i].detail ? " " : "");
		if (bars[i].detail)
			html_text(out, bars[i].detail);
		fputs("</text>", out);
	}
	fputs("</svg></figure>\n", out);
}
