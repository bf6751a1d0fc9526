/*
 * asset_units.h - the units and simprints by which an asset is found, as every engine derives them.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_ASSET_UNITS_H
#define ISX_ASSET_UNITS_H

#include "base/buf.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/span.h"
#include "iscc/unit.h"

/* One unit as it is indexed. */
struct isx_indexed_unit {
	char type[ISX_UNIT_TYPE_MAX];
	uint8_t body[ISX_BODY_BYTES_MAX];
	uint32_t body_bytes;
	bool is_instance; /* found by identity, others by distance */
};

/* The units of an asset: those it lists, or those of its iscc_code when it lists none. A code that
 * cannot be decoded gives no units: iscc-search 0.3.3 stores such codes without a check.
 *   units  filled: *count of them, in `arena`
 * ISX_INVALID names the unit that cannot be decoded. */
typedef enum isx_status isx_asset_units_fn(const struct isx_asset *asset, struct isx_arena *arena,
					   struct isx_indexed_unit **units, size_t *count,
					   struct isx_err *err);
ISX_MUST_CHECK isx_asset_units_fn isx_asset_units_all;

/* The units of an asset after isx_units_keep_longest(): each of them has a row in the index. */
ISX_MUST_CHECK isx_asset_units_fn isx_asset_units;

/* Remove each unit whose body is the beginning of the body of another unit of the same type: it is
 * a shorter form of that unit, and would match queries that the longer form does not. Units of one
 * type with different bodies stay. Sorts `units` by type and body; returns how many are left. */
size_t isx_units_keep_longest(struct isx_indexed_unit *units, size_t count);

/* The units by which a stored asset is found. An asset with a unit that cannot be decoded
 * (iscc-search 0.3.3 stores such units) has none. */
struct isx_stored_units {
	struct isx_indexed_unit *units;
	size_t count;
	bool is_read;         /* false: the stored JSON is no asset; which rows it has is unknown */
	struct isx_err cause; /* why `count` is 0; its message is empty if there was no error */
};

/* Read the units of an asset as it is stored.
 *   units_of  isx_asset_units_all or isx_asset_units
 *   stored    filled, in `arena`
 * Fails with ISX_NO_MEMORY only; what is wrong with the asset is in stored->cause. */
ISX_MUST_CHECK enum isx_status isx_stored_units(struct isx_span json, isx_asset_units_fn *units_of,
						struct isx_arena *arena,
						struct isx_stored_units *stored,
						struct isx_err *err);

/* One decoded simprint; type borrowed from the asset. */
struct isx_indexed_simprint {
	const char *type;
	uint8_t bytes[ISX_SIMPRINT_BYTES_MAX];
	uint32_t byte_count;
	uint32_t offset;
	uint32_t size;
};

/* Decode the simprints of an asset.
 *   simprints  filled: asset->simprint_count entries in `arena`
 * ISX_INVALID names the simprint that cannot be decoded. */
ISX_MUST_CHECK enum isx_status isx_asset_simprints(const struct isx_asset *asset,
						   struct isx_arena *arena,
						   struct isx_indexed_simprint **simprints,
						   struct isx_err *err);

/* Append the stored JSON of an asset for a client that gets it. ISX_CORRUPT: it is damaged, and
 * nothing was appended: damaged JSON must not reach a client. */
ISX_MUST_CHECK enum isx_status isx_stored_append(struct isx_buf *buf, struct isx_span json,
						 struct isx_err *err);

/* Read what a match carries of its stored asset.
 *   json    the stored JSON of the asset `id` (its ISCC-ID body)
 *   with    ISX_WITH_... of the query: anything else is left out
 *   logger  gets an error when `json` is damaged. The match is then shown without its asset, since
 *           the other matches of the answer are right; isx_get() of the asset fails.
 *   asset   filled, in `arena`: metadata, iscc_code and units */
ISX_MUST_CHECK enum isx_status isx_stored_carried(struct isx_span json, uint64_t id, uint32_t with,
						  const struct isx_logger *logger,
						  struct isx_arena *arena, struct isx_asset *asset,
						  struct isx_err *err);

#endif
