/*
 * rehearsal.h - what an add would do: every check of an asset that needs no writing, and whether
 *               the index has the asset already.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_REHEARSAL_H
#define ISX_REHEARSAL_H

#include "cli/seen.h"
#include "cli/target.h"

/* `{ 0 }` but for `target`, which is borrowed; its store may be NULL: the index does not exist yet. */
struct rehearsal {
	const struct target *target;
	struct seen seen; /* assets of this run, by ISCC-ID; files without one by their INSTANCE */
	bool has_realm;
	uint32_t realm; /* of the first asset of the run */
};

/* As isx_add(), but nothing is written. What only the store can tell is not found out: a full disk, too
 * many types of simprints in one index.
 *   places  where the assets are from: a whole file without an ISCC-ID is recognized by its INSTANCE */
ISX_MUST_CHECK enum isx_status rehearsal_add(struct rehearsal *rehearsal,
					     const struct isx_asset *assets,
					     const struct seen_place *places, size_t count,
					     enum isx_outcome *outcomes, struct isx_err *err);
void rehearsal_release(struct rehearsal *rehearsal);

#endif
