/*
 * filter.h - does a filter hold for one asset?
 *
 * The plain way, asset by asset: it defines what an index with tables of values has to find. Engines
 * use it for what their tables cannot say, and postgresql:// without followers for everything.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_FILTER_H
#define ISX_FILTER_H

#include "json/filter_json.h"

/* Check that an index can be asked with a filter.
 *   fields     the pointers that the index declares, `field_count` of them
 *   has_realm  the index has assets, all of the realm `realm`
 * ISX_INVALID: the filter names a field that is not declared, and the message says how to declare it;
 * or ISCC-IDs of another realm. */
ISX_MUST_CHECK enum isx_status isx_filter_check(const struct isx_filter *filter,
						const char *const *fields, size_t field_count,
						bool has_realm, uint32_t realm,
						struct isx_err *err);

/* The same for a field of `facets`.
 *   pointer  filled: which of `fields` it is */
ISX_MUST_CHECK enum isx_status isx_facet_check(const char *name, const char *const *fields,
					       size_t field_count, struct isx_arena *arena,
					       size_t *field, struct isx_err *err);

/* Evaluate a condition on one asset.
 *   id     the body of its ISCC-ID
 *   asset  whose metadata has passed isx_json_check(), or is NULL. Units that cannot be decoded have no
 *          type
 *   arena  for the units, if the condition asks for types
 *   holds  filled
 * ISX_NO_MEMORY. */
ISX_MUST_CHECK enum isx_status isx_filter_holds(const struct isx_filter *filter, uint64_t id,
						const struct isx_asset *asset,
						struct isx_arena *arena, bool *holds,
						struct isx_err *err);

#endif
