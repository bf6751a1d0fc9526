/*
 * asset_copy.c - copies an asset that is borrowed, for a batch that is added later.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/mem.h"
#include "service/service.h"

#include <string.h>

/* A copy of a text; NULL if that is NULL.
 *   failed  set to true when memory ran out, and left alone otherwise */
static const char *copy_text(struct isx_arena *arena, const char *text, size_t *bytes, bool *failed)
{
	size_t len = text ? strlen(text) : 0;
	const char *copy = text ? isx_arena_text(arena, text, len) : NULL;
	*failed |= text && !copy;
	*bytes += len;
	return copy;
}

/* Types of simprints are copied once per type, as neighbours share them. */
enum isx_status isx_asset_copy(const struct isx_asset *asset, struct isx_arena *arena,
			       struct isx_asset *copy, size_t *bytes, struct isx_err *err)
{
	const char **units = isx_arena_alloc(arena, asset->unit_count, sizeof *units);
	struct isx_simprint *simprints = isx_arena_alloc(arena, asset->simprint_count,
							 sizeof *simprints);
	bool failed = !units || !simprints;
	*copy = *asset;
	copy->iscc_id = copy_text(arena, asset->iscc_id, bytes, &failed);
	copy->iscc_code = copy_text(arena, asset->iscc_code, bytes, &failed);
	copy->metadata = copy_text(arena, asset->metadata, bytes, &failed);
	for (size_t i = 0; !failed && i < asset->unit_count; i++)
		units[i] = copy_text(arena, asset->units[i], bytes, &failed);
	for (size_t i = 0; !failed && i < asset->simprint_count; i++) {
		bool is_same = i > 0 &&
			       strcmp(asset->simprints[i].type, asset->simprints[i - 1].type) == 0;
		simprints[i] = asset->simprints[i];
		simprints[i].type = is_same ? simprints[i - 1].type
					    : copy_text(arena, asset->simprints[i].type, bytes,
							&failed);
		simprints[i].simprint = copy_text(arena, asset->simprints[i].simprint, bytes,
						  &failed);
	}
	copy->units = units;
	copy->simprints = simprints;
	*bytes += asset->simprint_count * sizeof *simprints;
	return failed ? isx_fail_memory(err) : ISX_OK;
}
