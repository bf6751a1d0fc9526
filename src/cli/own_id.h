/*
 * own_id.h - recognizes files without an ISCC-ID that an earlier add has stored.
 *
 * Such a file gets an ISCC-ID of this machine: the realm of the index, ISCC_SEARCH_HUB_NUMBER, and the time at which it
 * is added. The same file again is an update: an asset of the same INSTANCE, under an ISCC-ID of that hub number, is
 * the same file. One that another hub has registered is not touched.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_OWN_ID_H
#define ISX_OWN_ID_H

#include "cli/loader.h"
#include "cli/target.h"

/* `{ 0 }` is empty. */
struct own_ids {
	struct seen pending; /* INSTANCE units of assets that may not be written yet */
};

/* Find the ISCC-ID of a stored asset with the INSTANCE of `asset`, which has no iscc_id.
 *   asset  its iscc_id is filled, in `arena`; or stays NULL: isx_add() gives it a new one
 * Without a store (struct target) there is none. ISX_INVALID: it has no INSTANCE, so the same file again could not be recognized. */
ISX_MUST_CHECK enum isx_status own_ids_find(struct own_ids *ids, struct target *target,
					    struct loader *loader, struct isx_asset *asset,
					    struct seen_place place, struct isx_err *err);
void own_ids_release(struct own_ids *ids);

#endif
