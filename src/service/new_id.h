/*
 * new_id.h - adds assets that have no ISCC-ID yet.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_NEW_ID_H
#define ISX_NEW_ID_H

#include "engine/engine.h"

/* Add assets of which some have no iscc_id: these get new ones, which differ from all that are in
 * the index when the assets are written.
 *   iscc_ids  filled: one per asset; may be NULL */
ISX_MUST_CHECK enum isx_status isx_add_unnamed(struct isx_engine *engine, const char *name,
					       const struct isx_asset *assets, size_t count,
					       enum isx_outcome *outcomes, char (*iscc_ids)[24],
					       struct isx_err *err);

#endif
