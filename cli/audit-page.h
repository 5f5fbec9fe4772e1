/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Style and script of the report as a page. */
#ifndef CLI_AUDIT_PAGE_H
#define CLI_AUDIT_PAGE_H

extern const char audit_page_style[], audit_page_script[];

#endif
