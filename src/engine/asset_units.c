/*
 * asset_units.c - derive the units and simprints by which an asset is found.
 *
 * Pure functions on memory: no lock, no transaction. Every engine derives by these functions and
 * by no others, so that a row that was written can be composed again, to remove it or to check it.
 * A change of their results needs another ISX_DERIVE_RULE (storage/lmdb_format.h).
 * SPDX-License-Identifier: Apache-2.0
 */
#include "engine/asset_units.h"

#include "base/log.h"
#include "iscc/base32.h"
#include "iscc/code.h"
#include "json/json_text.h"
#include "json/wire.h"

#include <stdlib.h>
#include <string.h>

/* Append a decoded unit to `units`; fails for a header whose type has no name. */
static enum isx_status put_unit(const struct isx_unit *unit, struct isx_indexed_unit *units,
				size_t *count, struct isx_err *err)
{
	struct isx_indexed_unit *one = &units[*count];
	*one = (struct isx_indexed_unit){ .body_bytes = unit->body_bytes,
					  .is_instance = isx_unit_is_instance(unit) };
	enum isx_status st = isx_header_type_name(&unit->header, one->type, err);
	if (st)
		return st;
	memcpy(one->body, unit->body, unit->body_bytes);
	(*count)++;
	return ISX_OK;
}

/* Decode the units of an ISCC-CODE. A text that is no ISCC-CODE gives no units and no error:
 * iscc-search 0.3.3 stores such assets, and they have to stay readable. */
static enum isx_status units_of_code(const char *code, struct isx_arena *arena,
				     struct isx_indexed_unit **units, size_t *count,
				     struct isx_err *err)
{
	struct isx_unit parts[ISX_CODE_UNITS_MAX];
	size_t part_count = 0;
	if (isx_code_read(isx_span_of(code), parts, &part_count, NULL))
		part_count = 0;
	*units = isx_arena_alloc(arena, part_count, sizeof **units);
	if (!*units)
		return isx_fail_memory(err);
	for (size_t i = 0; i < part_count; i++) {
		if (put_unit(&parts[i], *units, count, NULL)) {
			*count = 0; /* a header without a type name: the text is no ISCC-CODE */
			break;
		}
	}
	return ISX_OK;
}

enum isx_status isx_asset_units_all(const struct isx_asset *asset, struct isx_arena *arena,
				    struct isx_indexed_unit **units, size_t *count,
				    struct isx_err *err)
{
	*count = 0;
	if (!asset->unit_count)
		return units_of_code(asset->iscc_code, arena, units, count, err);
	*units = isx_arena_alloc(arena, asset->unit_count, sizeof **units);
	if (!*units)
		return isx_fail_memory(err);
	/* Unlike a code, a listed unit that cannot be decoded is an error: the client named it. */
	for (size_t i = 0; i < asset->unit_count; i++) {
		struct isx_unit unit;
		enum isx_status st = isx_unit_read(isx_span_of(asset->units[i]), &unit, err);
		if (!st)
			st = put_unit(&unit, *units, count, err);
		if (st)
			return isx_err_at(err, st, "units[%zu]", i);
	}
	return ISX_OK;
}

/* By type, then by body; of two bodies where one is the beginning of the other the shorter
 * sorts first. */
static int by_body(const void *left, const void *right)
{
	const struct isx_indexed_unit *a = left, *b = right;
	int order = strcmp(a->type, b->type);
	if (!order)
		order = memcmp(a->body, b->body,
			       a->body_bytes < b->body_bytes ? a->body_bytes : b->body_bytes);
	return order ? order : (a->body_bytes > b->body_bytes) - (a->body_bytes < b->body_bytes);
}

size_t isx_units_keep_longest(struct isx_indexed_unit *units, size_t count)
{
	/* Kept units move to the front of the same array: `kept` never passes `i`. */
	size_t kept = 0;
	if (count)
		qsort(units, count, sizeof *units, by_body);
	/* All bodies that begin with a given body follow it without a gap in this order. So a unit
	 * is the beginning of another one exactly if it is the beginning of its next neighbour. */
	for (size_t i = 0; i < count; i++)
		if (i + 1 == count || strcmp(units[i].type, units[i + 1].type) != 0 ||
		    memcmp(units[i].body, units[i + 1].body, units[i].body_bytes) != 0)
			units[kept++] = units[i];
	return kept;
}

/* The longest forms only; on an error there are none. */
enum isx_status isx_asset_units(const struct isx_asset *asset, struct isx_arena *arena,
				struct isx_indexed_unit **units, size_t *count, struct isx_err *err)
{
	/* `units` are in the arena: those that are not kept stay there unused. */
	size_t all = 0;
	enum isx_status st = isx_asset_units_all(asset, arena, units, &all, err);
	*count = st ? 0 : isx_units_keep_longest(*units, all);
	return st;
}

enum isx_status isx_stored_units(struct isx_span json, isx_asset_units_fn *units_of,
				 struct isx_arena *arena, struct isx_stored_units *stored,
				 struct isx_err *err)
{
	struct isx_asset asset;
	*stored = (struct isx_stored_units){ 0 };
	enum isx_status st = isx_asset_from_stored(json, arena, &asset, &stored->cause);
	stored->is_read = !st;
	if (!st)
		st = units_of(&asset, arena, &stored->units, &stored->count, &stored->cause);
	/* A stored unit that cannot be decoded is not an error of this call: `cause` has it,
	 * and the asset gets no rows. Only a lack of memory must not pass for "no units". */
	if (st)
		stored->count = 0;
	return st == ISX_NO_MEMORY ? isx_fail_memory(err) : ISX_OK;
}

enum isx_status isx_asset_simprints(const struct isx_asset *asset, struct isx_arena *arena,
				    struct isx_indexed_simprint **simprints, struct isx_err *err)
{
	struct isx_indexed_simprint *all = isx_arena_alloc(arena, asset->simprint_count,
							   sizeof *all);
	if (!all)
		return isx_fail_memory(err);
	for (size_t i = 0; i < asset->simprint_count; i++) {
		const struct isx_simprint *given = &asset->simprints[i];
		/* The types need no check here: isx_asset_check() (json/rules.c) has refused
		 * wrong ones. */
		size_t count = 0;
		enum isx_status st = isx_base64_decode(isx_span_of(given->simprint), all[i].bytes,
						       sizeof all[i].bytes, &count, err);
		if (!st && count == 0)
			st = isx_fail(err, ISX_INVALID, "a simprint has at least one byte");
		if (st)
			return isx_err_at(err, st, "simprints.%s[%zu]", given->type, i);
		all[i].type = given->type;
		all[i].byte_count = (uint32_t)count;
		all[i].offset = given->offset;
		all[i].size = given->size;
	}
	*simprints = all;
	return ISX_OK;
}

/* One pass over the text for each asset that is read: a damaged one must not become a part of an
 * answer, which would be no JSON then. */
enum isx_status isx_stored_append(struct isx_buf *buf, struct isx_span json, struct isx_err *err)
{
	enum isx_status st = isx_stored_check(json, err);
	if (st)
		return st;
	isx_buf_add(buf, json.ptr, json.len);
	return isx_buf_status(buf, err);
}

/* A damaged asset does not fail a search that finds it: its match has no metadata, and the log says
 * why. */
enum isx_status isx_stored_carried(struct isx_span json, uint64_t id, uint32_t with,
				   const struct isx_logger *logger, struct isx_arena *arena,
				   struct isx_asset *asset, struct isx_err *err)
{
	struct isx_err flaw;
	struct isx_span metadata = { 0 };
	enum isx_status st = ISX_OK;
	*asset = (struct isx_asset){ 0 };
	if (isx_wants_metadata(with))
		st = isx_stored_check(json, &flaw);
	/* Copied as text, not as a parsed value: numbers keep their digits. */
	if (!st && isx_wants_metadata(with))
		metadata = isx_json_member(json, "metadata");
	if (!st && (with & (ISX_WITH_CODE | ISX_WITH_UNITS)))
		st = isx_asset_from_stored(json, arena, asset, &flaw);
	if (st == ISX_NO_MEMORY)
		return isx_fail_memory(err);
	if (st) {
		isx_log_to(logger, ISX_LOG_ERROR, "asset %016llx is shown without metadata: %s",
			   (unsigned long long)id, flaw.msg);
		*asset = (struct isx_asset){ 0 };
		return ISX_OK;
	}
	asset->metadata = NULL;
	if (!(with & ISX_WITH_CODE))
		asset->iscc_code = NULL;
	if (!(with & ISX_WITH_UNITS))
		asset->unit_count = 0;
	if (metadata.len == 0 || isx_span_is(metadata, "null"))
		return ISX_OK;
	asset->metadata = isx_arena_text(arena, metadata.ptr, metadata.len);
	return asset->metadata ? ISX_OK : isx_fail_memory(err);
}
