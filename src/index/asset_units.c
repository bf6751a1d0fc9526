/*
 * asset_units.c - derive from an asset what it is found by.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "index/asset_units.h"

#include "iscc/base32.h"
#include "iscc/code.h"

#include <string.h>

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

enum isx_status isx_asset_units_all(const struct isx_asset *asset, struct isx_indexed_unit *units,
				    size_t *count, struct isx_err *err)
{
	_Static_assert(ISX_CODE_UNITS_MAX <= ISX_UNITS_MAX, "the units of a code fit");
	struct isx_unit parts[ISX_CODE_UNITS_MAX];
	size_t part_count = 0;
	*count = 0;
	if (asset->unit_count > ISX_UNITS_MAX)
		return isx_fail(err, ISX_INVALID, "units: expected at most %d, found %zu",
				ISX_UNITS_MAX, asset->unit_count);
	for (size_t i = 0; i < asset->unit_count; i++) {
		enum isx_status st = isx_unit_read(isx_span_of(asset->units[i]), &parts[0], err);
		if (!st)
			st = put_unit(&parts[0], units, count, err);
		if (st)
			return isx_err_at(err, st, "units[%zu]", i);
	}
	if (asset->unit_count || !asset->iscc_code ||
	    isx_code_read(isx_span_of(asset->iscc_code), parts, &part_count, NULL))
		return ISX_OK;
	for (size_t i = 0; i < part_count; i++) {
		if (put_unit(&parts[i], units, count, NULL)) {
			*count = 0; /* a code of parts that do not exist is no code */
			break;
		}
	}
	return ISX_OK;
}

enum isx_status isx_asset_units(const struct isx_asset *asset, struct isx_indexed_unit *units,
				size_t *count, struct isx_err *err)
{
	size_t all, kept = 0;
	enum isx_status st = isx_asset_units_all(asset, units, &all, err);
	for (size_t i = 0; !st && i < all; i++) {
		size_t at = units[i].is_instance ? kept : 0;
		while (at < kept && strcmp(units[at].type, units[i].type) != 0)
			at++;
		units[at] = units[i];
		kept += at == kept;
	}
	*count = kept;
	return st;
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
