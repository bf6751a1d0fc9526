/*
 * asset_units.h - by which units and simprints an asset is found: what every engine derives from
 * it.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_ASSET_UNITS_H
#define ISX_ASSET_UNITS_H

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

/* The units of an asset: those it lists, or those of its iscc_code when it lists none (a code that
 * cannot be taken apart gives none: its content is never checked, as in 0.3.3).
 *   units  filled: *count of them, in `arena`
 * ISX_INVALID names the unit that cannot be decoded. */
typedef enum isx_status isx_asset_units_fn(const struct isx_asset *asset, struct isx_arena *arena,
					   struct isx_indexed_unit **units, size_t *count,
					   struct isx_err *err);
ISX_MUST_CHECK isx_asset_units_fn isx_asset_units_all;

/* The same as isx_units_keep_longest() leaves them: each has a row. */
ISX_MUST_CHECK isx_asset_units_fn isx_asset_units;

/* Of units of one type whose bodies begin alike, as far as the shorter one goes, keep the longest: the
 * others are forms of the same unit, and would match where it differs. Different units of one type
 * stay. Sorts `units` by type and body; returns how many are left. */
size_t isx_units_keep_longest(struct isx_indexed_unit *units, size_t count);

/* The units by which a stored asset is found. One with a unit that cannot be decoded, as 0.3.3 takes
 * them, is found by none of its units. */
struct isx_stored_units {
	struct isx_indexed_unit *units;
	size_t count;
	bool is_read;       /* false: this is no asset; it may have rows, nobody can say which */
	struct isx_err why; /* why there are none; otherwise its message is empty */
};

/* Read the units of an asset as it is stored.
 *   units_of  which of the two functions above
 *   stored    filled, in `arena`
 * ISX_NO_MEMORY, nothing else. */
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
 * ISX_INVALID names the one that cannot be decoded. */
ISX_MUST_CHECK enum isx_status isx_asset_simprints(const struct isx_asset *asset,
						   struct isx_arena *arena,
						   struct isx_indexed_simprint **simprints,
						   struct isx_err *err);

/* The metadata of a stored asset, for a match.
 *   json    of the asset `id` (its ISCC-ID body)
 *   logger  told when `json` is damaged: the match then has no metadata, as the other matches of the
 *           answer are right. To get the asset itself fails.
 *   text    filled: JSON in `arena`, or NULL where there is none */
ISX_MUST_CHECK enum isx_status isx_stored_metadata(struct isx_span json, uint64_t id,
						   const struct isx_logger *logger,
						   struct isx_arena *arena, const char **text,
						   struct isx_err *err);

#endif
