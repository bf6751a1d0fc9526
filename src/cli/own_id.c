/*
 * own_id.c - finds the assets of files without an ISCC-ID, by a search for their INSTANCE.
 *
 * Costs one search of the index for each file without an ISCC-ID. Relies on the loader
 * (loader_flush()) to make assets of this run visible to that search.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/own_id.h"

#include "base/span.h"
#include "cli/instance.h"

/* Copies of one file that other hubs have registered: beyond so many, an own one is not found. */
enum { COPIES_MAX = 1000 };

/* Is this match the same file, under an ISCC-ID of this machine? */
static bool is_own(const struct isx_match *match, uint32_t hub)
{
	struct isx_iscc id;
	struct isx_iscc_id_parts parts;
	bool is_same = false;
	for (size_t k = 0; k < match->type_count; k++)
		is_same |= strncmp(match->types[k].type, "INSTANCE_", 9) == 0 &&
			   match->types[k].score >= 1;
	return is_same && !isx_iscc_parse(match->iscc_id, &id, NULL) &&
	       !isx_iscc_id_decompose(&id, &parts, NULL) && parts.hub == hub;
}

/* Find the stored asset of this file under an ISCC-ID of this machine. *iscc_id stays NULL if
 * there is none; otherwise it is copied into `arena`, as the result is freed. */
static enum isx_status search(struct target *target, const char *unit, struct isx_arena *arena,
			      const char **iscc_id, struct isx_err *err)
{
	const struct isx_query query = { .units = &unit, .unit_count = 1, .limit = COPIES_MAX };
	struct isx_result *result;
	enum isx_status st = isx_search(target->store, target->name, &query, &result, err);
	if (st)
		return st;
	for (size_t i = 0; !st && !*iscc_id && i < result->match_count; i++) {
		const struct isx_match *match = &result->matches[i];
		if (!is_own(match, (uint32_t)target->settings.hub))
			continue;
		*iscc_id = isx_arena_text(arena, match->iscc_id, strlen(match->iscc_id));
		if (!*iscc_id)
			st = isx_fail_memory(err);
	}
	isx_result_free(result);
	return st;
}

/* A copy in the same run may wait to be written: then it is written first. The pending list is by the first 64 bits;
 * two files that share only these cost one wait. */
enum isx_status own_ids_find(struct own_ids *ids, struct target *target, struct loader *loader,
			     struct isx_asset *asset, struct seen_place place, struct isx_err *err)
{
	struct isx_iscc instance;
	struct seen_place before;
	char text[ISX_ISCC_TEXT_BYTES];
	enum isx_status st = instance_of_asset(asset, &instance, err);
	if (!st)
		st = isx_iscc_print(&instance, text, err);
	if (st)
		return st;
	if (seen_note(&ids->pending, isx_load_be64(instance.body), place, &before)) {
		st = loader_flush(loader, err);
		seen_release(&ids->pending);
	}
	if (st || !target->store)
		return st;
	loader_look_begin(loader);
	st = search(target, text, loader_arena(loader), &asset->iscc_id, err);
	loader_look_end(loader);
	return st;
}

void own_ids_release(struct own_ids *ids)
{
	seen_release(&ids->pending);
}
