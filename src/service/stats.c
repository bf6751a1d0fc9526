/*
 * stats.c - isx_stats(): what an index holds, in numbers.
 *
 * An engine that can count by its tables does so. For the others all assets of one snapshot are
 * walked through, each decoded once, in the calling thread: 4 s for a million assets. Memory:
 * 8 bytes for each asset with an INSTANCE unit. Relies on walks for the order of ISCC-IDs.
 *
 * Two ways give the same numbers (engine/index_stats.h adds up for both): tables are faster, but
 * only the engines that keep them can use them. A walk decodes assets as a search would, so that
 * what is counted here is what a search finds.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/array.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/span.h"
#include "engine/asset_units.h"
#include "engine/index_stats.h"
#include "iscc.h"
#include "iscc/iscc_id.h"
#include "service/answer.h"
#include "service/service.h"
#include "service/store.h"

#include <stdlib.h>
#include <string.h>

/* What a walk collects. */
struct walked {
	struct isx_stats_count count;
	uint64_t *instances; /* the first 64 bits of each INSTANCE unit */
	size_t instance_count, instance_cap;
};

/* The types that an asset has been counted for. */
struct seen_types {
	const char *types[ISX_UNITS_MAX];
	size_t count;
};

/* Count an asset for a type once. An asset may have several units of one type, and is still one
 * asset that has the type. The list is short, so it is walked. */
static enum isx_status count_carrier(struct isx_tallies *assets, struct seen_types *seen,
				     const char *type, struct isx_err *err)
{
	for (size_t i = 0; i < seen->count; i++)
		if (strcmp(seen->types[i], type) == 0)
			return ISX_OK;
	if (seen->count < ISX_UNITS_MAX)
		seen->types[seen->count++] = type;
	return isx_tally_add(assets, type, 0, 1, err);
}

/* The first 64 bits stand for the whole INSTANCE unit: shorter forms of the same unit have no
 * more, and two files with the same 64 bits by chance are not to be expected in any index. Only
 * these are kept, as identical files are known only when all assets were seen. */
static enum isx_status count_unit(struct walked *walked, const struct isx_indexed_unit *unit,
				  struct isx_err *err)
{
	enum isx_status st = isx_tally_add(&walked->count.units, unit->type, unit->body_bytes * 8,
					   1, err);
	if (st || !unit->is_instance)
		return st;
	st = isx_array_room(&walked->instances, &walked->instance_cap, walked->instance_count + 1,
			    sizeof *walked->instances, walked->count.quota, err);
	if (!st)
		walked->instances[walked->instance_count++] = isx_load_be64(unit->body);
	return st;
}

/* The units by which an asset is found. One that cannot be decoded (0.3.3 accepts it) has none. A
 * lack of memory must not look like an asset without units: the numbers would be wrong, and
 * nothing would tell. */
static enum isx_status count_units(struct walked *walked, const struct isx_asset *asset,
				   struct isx_arena *arena, struct isx_err *err)
{
	struct isx_indexed_unit *units = NULL;
	struct seen_types seen = { 0 };
	size_t count = 0;
	struct isx_err why = { 0 };
	if (!asset->unit_count && !asset->iscc_code)
		return ISX_OK;
	enum isx_status st = isx_asset_units(asset, arena, &units, &count, &why);
	if (st)
		return st == ISX_NO_MEMORY ? isx_fail_memory(err) : ISX_OK;
	for (size_t i = 0; !st && i < count; i++) {
		st = count_unit(walked, &units[i], err);
		if (!st)
			st = count_carrier(&walked->count.unit_assets, &seen, units[i].type, err);
	}
	return st;
}

/* A simprint is text in base64, of which 6 bits are in a character: its length is that of the
 * whole bytes. */
static enum isx_status count_simprints(struct walked *walked, const struct isx_asset *asset,
				       struct isx_err *err)
{
	enum isx_status st = ISX_OK;
	for (size_t i = 0; !st && i < asset->simprint_count; i++) {
		const struct isx_simprint *one = &asset->simprints[i];
		size_t chars = strcspn(one->simprint, "=");
		st = isx_tally_add(&walked->count.simprints, one->type,
				   (uint32_t)(chars * 6 / 8 * 8), 1, err);
		/* entries of one type are neighbours */
		if (!st && (i == 0 || strcmp(one->type, one[-1].type) != 0))
			st = isx_tally_add(&walked->count.simprint_assets, one->type, 0, 1, err);
	}
	return st;
}

/* Assets without an ISCC-ID cannot come from a walk; they are passed over rather than counted with
 * a time of 0, which would become the first time of the index. */
static enum isx_status count_asset(struct walked *walked, const struct isx_asset *asset,
				   struct isx_arena *arena, struct isx_err *err)
{
	struct isx_iscc_id id;
	if (!asset->iscc_id || isx_iscc_id_parse(isx_span_of(asset->iscc_id), &id, NULL))
		return ISX_OK;
	isx_stats_count_sampled(&walked->count, asset);
	walked->count.realm = id.realm;
	enum isx_status st = isx_stats_count_id(&walked->count, id.body, err);
	if (!st)
		st = count_units(walked, asset, arena, err);
	return st ? st : count_simprints(walked, asset, err);
}

/* Not a subtraction, as a difference of 64 bits does not fit into an int. */
static int compare_keys(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

/* Count identical files, which stand side by side after sorting. Sorted in place: the list is not
 * needed in its order any more. A hash table would take several times as much memory for the same
 * answer. */
static void count_instances(struct walked *walked)
{
	if (walked->instance_count)
		qsort(walked->instances, walked->instance_count, sizeof *walked->instances,
		      compare_keys);
	for (size_t i = 0; i < walked->instance_count; i++)
		isx_stats_count_instance(&walked->count, walked->instances[i]);
}

/* Walk through all assets. One that cannot be read is left out, with a warning in the log. Each
 * asset has an arena of its own that ends with it, so memory does not grow with the index. The
 * meter is copied, as its count belongs to one use; it is asked after each asset, so that a client
 * that has gone away ends the walk. */
static enum isx_status walk_all(struct isx_engine *engine, const char *name,
				const struct isx_meter *meter, struct walked *walked,
				struct isx_err *err)
{
	const struct isx_walk_range all = { .last = UINT64_MAX, .hub = -1, .simprints = true };
	struct isx_walk *walk;
	struct isx_meter asks = *meter;
	struct isx_err own = { 0 };
	bool more = true;
	err = err ? err : &own;
	enum isx_status st = engine->ops->walk(engine, name, &all, &walk, err);
	if (st)
		return st;
	while (!st && more) {
		struct isx_arena arena = { 0 };
		struct isx_asset asset = { 0 };
		st = walk->next(walk, &arena, &asset, &more, err);
		if (st == ISX_CORRUPT) {
			isx_log_to(&engine->options.logger, ISX_LOG_WARNING,
				   "an asset is left out of the statistics: %s", err->msg);
			st = ISX_OK;
			more = true;
		} else if (!st && more) {
			st = count_asset(walked, &asset, &arena, err);
		}
		isx_arena_release(&arena);
		if (!st)
			st = isx_meter_work(&asks, ISX_METER_ASSET, err);
	}
	walk->close(walk);
	return st;
}

/* On the heap, as the counts of all hubs would fill a good part of the stack of a worker. */
static enum isx_status count_by_walk(struct isx_engine *engine, const char *name,
				     const struct isx_meter *meter, struct isx_arena *arena,
				     struct isx_index_stats *stats, struct isx_err *err)
{
	struct walked *walked = isx_mem_array(1, sizeof *walked); /* 32 KiB */
	if (!walked)
		return isx_fail_memory(err);
	walked->count.quota = arena->quota;
	enum isx_status st = walk_all(engine, name, meter, walked, err);
	if (!st) {
		count_instances(walked);
		st = isx_stats_fill(&walked->count, arena, stats, err);
	}
	isx_stats_count_release(&walked->count);
	isx_mem_free(walked->instances);
	isx_mem_free(walked);
	return st;
}

/* Add the declared fields, unless another server has told them. An engine without any has none.
 * The list of an engine is new texts, each freed alone, and the statistics are one block: so the
 * texts are copied. An engine that has no declared fields says ISX_UNSUPPORTED, which is an empty
 * list here. */
static enum isx_status add_fields(struct isx_engine *engine, const char *name,
				  struct isx_arena *arena, struct isx_index_stats *stats,
				  struct isx_err *err)
{
	char **fields = NULL;
	size_t count = 0;
	if (stats->fields || !engine->ops->fields_get)
		return ISX_OK;
	enum isx_status st = engine->ops->fields_get(engine, name, &fields, &count, err);
	if (st)
		return st == ISX_UNSUPPORTED ? ISX_OK : st;
	const char **copies = isx_arena_alloc(arena, count, sizeof *copies);
	st = copies ? ISX_OK : isx_fail_memory(err);
	for (size_t i = 0; !st && i < count; i++) {
		copies[i] = isx_arena_text(arena, fields[i], strlen(fields[i]));
		st = copies[i] ? ISX_OK : isx_fail_memory(err);
	}
	stats->fields = copies;
	stats->field_count = count;
	isx_texts_free(fields, count);
	return st;
}

/* ISX_UNSUPPORTED stands for "not counted yet" here, and each way is tried only as long as it is. */
enum isx_status isx_stats_within(struct isx_store *store, const char *name,
				 const struct isx_meter *meter, const struct isx_quota *quota,
				 struct isx_index_stats **stats, struct isx_err *err)
{
	struct isx_engine *engine = store->engine;
	struct isx_answer answer;
	enum isx_status st = isx_answer_begin(&answer, sizeof(struct isx_index_stats), quota, err);
	if (st)
		return st;
	struct isx_index_stats *made = answer.result;
	struct isx_arena *arena = answer.arena;
	st = ISX_UNSUPPORTED;
	if (engine->ops->stats)
		st = engine->ops->stats(engine, name, meter, arena, made, err);
	if (st == ISX_UNSUPPORTED)
		st = count_by_walk(engine, name, meter, arena, made, err);
	if (!st)
		st = add_fields(engine, name, arena, made, err);
	st = isx_answer_end(&answer, st, err);
	if (st)
		return st;
	made->memory = arena;
	*stats = made;
	return ISX_OK;
}

enum isx_status isx_stats(struct isx_store *store, const char *name, struct isx_index_stats **stats,
			  struct isx_err *err)
{
	const struct isx_meter never = { 0 };
	return isx_stats_within(store, name, &never, NULL, stats, err);
}

void isx_stats_free(struct isx_index_stats *stats)
{
	if (stats)
		isx_answer_free(stats, stats->memory);
}
