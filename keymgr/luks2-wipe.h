/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Key material that no header names any more: overwritten, and remembered until it is.
 *
 * Between the moment when a key slot leaves the header and the moment when its area is overwritten power
 * may fail. So the header that does not name the slot any more holds a token of type "sealdrive-wipe" with
 * the areas; whoever changes the header next finishes. Other programs keep the token. Areas that a key
 * slot uses by then are left alone.
 *
 *	{"type":"sealdrive-wipe","keyslots":[],"areas":[["32768","258048"]]}
 */
#ifndef KEYMGR_LUKS2_WIPE_H
#define KEYMGR_LUKS2_WIPE_H

#include "keymgr/luks2-json.h"

/* Takes all such tokens out of doc and appends their areas to wipes. */
int luks2_wipe_take(json_t *doc, json_t *wipes) MUST_CHECK;
/* Puts one in, where there is room for a token. */
int luks2_wipe_note(json_t *doc, const json_t *wipes) MUST_CHECK;
/* Appends an area. */
int luks2_wipe_add(json_t *wipes, uint64_t offset, uint64_t size) MUST_CHECK;
/* Overwrites those areas that lie in the keyslots area and meet no key slot of doc; flushes. */
int luks2_wipe_run(struct blkdev *dev, const struct luks2 *hdr, const json_t *wipes) MUST_CHECK;

/*
 * Random bytes over [start, end): what lay there is gone, and unused areas cannot be told from used
 * ones. read_back: flushes, and compares what the medium holds then (-EIO).
 */
int luks2_wipe_random(struct blkdev *dev, uint64_t start, uint64_t end, bool read_back) MUST_CHECK;

#endif
