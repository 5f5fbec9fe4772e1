/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Pieces of a page that stands alone: no text from outside can become markup, and nothing is loaded
 * from anywhere. The page's policy (CSP) allows only the style and the script whose hashes it names.
 */
#ifndef CLI_HTML_H
#define CLI_HTML_H

#include <stdio.h>

#include "base/error.h"

/* Text for between tags and for attributes in double quotes; made valid UTF-8 without surprises. */
void html_text(FILE *out, const char *text);
/* Everything up to and including <body>. */
void html_begin(FILE *out, const char *language, const char *title, const char *style, const char *script);
/* Script and end of the page. */
void html_end(FILE *out, const char *script);

struct html_bar {
	const char *label, *detail;
	unsigned value;
	unsigned pattern; /* 0 to 5: how it is filled, so that colour is not needed */
};
/* A bar chart with labels and numbers beside the bars. id is unique on the page. */
void html_bars(FILE *out, const char *id, const char *title, const struct html_bar *bars, size_t count);

#endif
