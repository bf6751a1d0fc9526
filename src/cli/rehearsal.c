/*
 * rehearsal.c - checks assets with the functions that the engines check them with, and looks them
 *               up in the index.
 *
 * Memory is that of a batch, of its assets as the index has them, and of `seen`.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/rehearsal.h"

#include "base/mem.h"
#include "base/span.h"
#include "cli/instance.h"
#include "engine/asset_batch.h"
#include "engine/asset_units.h"
#include "service/store.h"

/* Check one asset, but for its ISCC-ID. */
static enum isx_status check_asset(const struct rehearsal *rehearsal, const struct isx_asset *asset,
				   struct isx_arena *arena, struct isx_err *err)
{
	struct isx_indexed_unit *units;
	struct isx_indexed_simprint *simprints;
	size_t count;
	enum isx_status st = isx_store_check_asset(asset, err);
	if (!st)
		st = isx_asset_units(asset, arena, &units, &count, err);
	if (!st && asset->simprint_count && rehearsal->target->keeps_simprints)
		st = isx_asset_simprints(asset, arena, &simprints, err);
	return st;
}

/* The assets of a part that have an ISCC-ID. */
struct named {
	struct isx_asset *assets;
	const char **ids;
	size_t *positions; /* in the part */
	size_t count;
};

static enum isx_status find_named(const struct isx_asset *assets, size_t count,
				  struct isx_arena *arena, struct named *named, struct isx_err *err)
{
	*named = (struct named){ .assets = isx_arena_alloc(arena, count, sizeof *named->assets),
				 .ids = isx_arena_alloc(arena, count, sizeof *named->ids),
				 .positions = isx_arena_alloc(arena, count,
							      sizeof *named->positions) };
	if (!named->assets || !named->ids || !named->positions)
		return isx_fail_memory(err);
	for (size_t i = 0; i < count; i++) {
		if (!assets[i].iscc_id)
			continue;
		named->assets[named->count] = assets[i];
		named->ids[named->count] = assets[i].iscc_id;
		named->positions[named->count++] = i;
	}
	return ISX_OK;
}

/* Check ISCC-IDs and their realm. That of the index is checked where the assets are looked up.
 *   realm  filled: that of the assets, if there are any */
static enum isx_status check_ids(const struct rehearsal *rehearsal, const struct named *named,
				 struct isx_arena *arena, uint32_t *realm, struct isx_err *err)
{
	struct isx_batch_asset *batch = NULL;
	enum isx_status st = isx_batch_read(named->assets, named->count, arena, &batch, err);
	if (!st && named->count)
		st = isx_batch_check_realm(named->assets, batch, named->count, rehearsal->has_realm,
					   rehearsal->realm, err);
	if (st && err->position < named->count)
		err->position = named->positions[err->position];
	*realm = !st && named->count ? batch[0].id.realm : 0;
	return st;
}

/* Set the outcomes of assets that the index has, as far as it exists. */
static enum isx_status look_up(const struct rehearsal *rehearsal, const struct named *named,
			       enum isx_outcome *outcomes, struct isx_err *err)
{
	const struct target *target = rehearsal->target;
	char **jsons = NULL;
	if (!target->store || !named->count)
		return ISX_OK;
	enum isx_status st = isx_get_many(target->store, target->name, named->ids, named->count,
					  &jsons, err);
	err->position = ISX_NO_POSITION; /* of the list, not of the part */
	for (size_t i = 0; !st && i < named->count; i++)
		if (jsons[i])
			outcomes[named->positions[i]] = ISX_UPDATED;
	isx_texts_free(jsons, st ? 0 : named->count);
	return st;
}

/* Was the same asset in this run before? A line without an ISCC-ID is a new asset each time. */
static bool is_again(struct rehearsal *rehearsal, const struct isx_asset *asset,
		     struct seen_place place)
{
	struct isx_iscc instance;
	struct isx_iscc_id id;
	struct seen_place before;
	if (asset->iscc_id)
		return !isx_iscc_id_parse(isx_span_of(asset->iscc_id), &id, NULL) &&
		       seen_note(&rehearsal->seen, id.body, place, &before);
	return !place.line && !instance_of_asset(asset, &instance, NULL) &&
	       seen_note(&rehearsal->seen, isx_load_be64(instance.body), place, &before);
}

enum isx_status rehearsal_add(struct rehearsal *rehearsal, const struct isx_asset *assets,
			      const struct seen_place *places, size_t count,
			      enum isx_outcome *outcomes, struct isx_err *err)
{
	struct isx_arena arena = { 0 };
	struct named named = { 0 };
	uint32_t realm = 0;
	enum isx_status st = ISX_OK;
	for (size_t i = 0; !st && i < count; i++) {
		outcomes[i] = ISX_CREATED;
		st = check_asset(rehearsal, &assets[i], &arena, err);
		if (st)
			st = isx_batch_err_at(err, st, count, i);
	}
	if (!st)
		st = find_named(assets, count, &arena, &named, err);
	if (!st)
		st = check_ids(rehearsal, &named, &arena, &realm, err);
	if (!st)
		st = look_up(rehearsal, &named, outcomes, err);
	/* The realm of the run is that of assets that could be added, and of no others. */
	if (!st && named.count) {
		rehearsal->has_realm = true;
		rehearsal->realm = realm;
	}
	for (size_t i = 0; !st && i < count; i++)
		if (is_again(rehearsal, &assets[i], places[i]))
			outcomes[i] = ISX_UPDATED;
	isx_arena_release(&arena);
	return st;
}

void rehearsal_release(struct rehearsal *rehearsal)
{
	seen_release(&rehearsal->seen);
}
