/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Translated text: _("...") where it is used, N_("...") in tables that are translated later. */
#ifndef BASE_I18N_H
#define BASE_I18N_H

#include <libintl.h>

#define _(text) gettext(text)
#define N_(text) (text)

#endif
