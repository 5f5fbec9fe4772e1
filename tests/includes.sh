#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Layers include only downward.
exec "$top_srcdir/scripts/check-includes" "$top_srcdir"
