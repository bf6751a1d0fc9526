/*
 * wire.h - requests from JSON and answers to JSON: the formats of the REST API and of files.
 *
 * Readers take the payload of a request and report every problem it has, in input order and schema
 * order, as pydantic does. What they hand out lives in the caller's arena. Strictly by shape:
 * whether an ISCC can be decoded is not asked here. Reading n bytes takes at most
 * ISX_JSON_BYTES_PER_BYTE times n, and what ISX_PROBLEMS_MAX problems take.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_WIRE_H
#define ISX_WIRE_H

#include "base/buf.h"
#include "base/mem.h"
#include "json/schema.h"

/* What a client sent as body. */
struct isx_payload {
	struct isx_span text;
	bool is_json; /* the content type says so; otherwise the text counts as one string */
};

/* Check that a payload is well-formed JSON in UTF-8 (a byte order mark is allowed and skipped in
 * *text), as far as it has to be. One problem of type json_invalid at ["body", offset] if not. */
ISX_MUST_CHECK enum isx_status isx_payload_check(struct isx_payload *payload,
						 struct isx_problems *problems,
						 struct isx_err *err);

/* Read the body of POST /indexes/{name}/assets, after isx_payload_check(): an array of assets.
 *   assets  filled: *count assets in `arena`. What stands behind a second asset without ISCC-ID may be
 *           left out, after it was checked: isx_add() refuses the batch for the first one */
ISX_MUST_CHECK enum isx_status isx_assets_from_json(const struct isx_payload *payload,
						    struct isx_arena *arena,
						    struct isx_asset **assets, size_t *count,
						    struct isx_problems *problems,
						    struct isx_err *err);

/* Read one asset from one line of text, unchecked (a line of a .jsonl file). */
ISX_MUST_CHECK enum isx_status isx_asset_from_json(struct isx_span text, struct isx_arena *arena,
						   struct isx_asset *asset,
						   struct isx_problems *problems,
						   struct isx_err *err);

/* Check an asset that comes from a program and not from JSON: has it the shape that readers of JSON
 * ask for, so that what is stored can be read again? And is its ISCC-CODE as long as its header says
 * (isx_code_check())? ISX_INVALID names the field. */
ISX_MUST_CHECK enum isx_status isx_asset_check(const struct isx_asset *asset, struct isx_err *err);

/* Read an asset as isx_asset_to_json() or 0.3.3 stored it, whatever its shape: as long as it is JSON
 * and its fields are of the right kind. ISX_CORRUPT if not. */
ISX_MUST_CHECK enum isx_status isx_asset_from_stored(struct isx_span text, struct isx_arena *arena,
						     struct isx_asset *asset, struct isx_err *err);

/* Is the text of an asset as it was stored JSON? It is handed on as it is, and bytes of it may have been
 * damaged on disk. ISX_CORRUPT if not. */
ISX_MUST_CHECK enum isx_status isx_stored_check(struct isx_span text, struct isx_err *err);

/* Read the body of POST /indexes/{name}/search, after isx_payload_check(). `limit` is left 0. */
ISX_MUST_CHECK enum isx_status isx_query_from_json(const struct isx_payload *payload,
						   struct isx_arena *arena, struct isx_query *query,
						   struct isx_problems *problems,
						   struct isx_err *err);

/* Read the body of POST /indexes, after isx_payload_check(): the name of the new index. */
ISX_MUST_CHECK enum isx_status isx_index_from_json(const struct isx_payload *payload,
						   struct isx_arena *arena, const char **name,
						   struct isx_problems *problems,
						   struct isx_err *err);

/* Does a text match ^ISCC:[A-Z2-7]{least,most}$ ? (most = 0: no end) */
bool isx_is_iscc_pattern(struct isx_span text, size_t least, size_t most);

/* Is this a name an index may have: ^[a-z][a-z0-9]*$, at most 32 characters? */
bool isx_is_index_name(struct isx_span text);

/* Append an asset as it is stored and as GET asset gives it: no nulls, no simprints. */
void isx_asset_to_json(struct isx_buf *buf, const struct isx_asset *asset);

/* Append an asset as it is sent to POST assets: with simprints. */
void isx_asset_to_request(struct isx_buf *buf, const struct isx_asset *asset);

/* Append a query as it is sent to POST search. */
void isx_query_to_json(struct isx_buf *buf, const struct isx_query *query);

/* What each asset takes in the answer to POST assets, at most, in bytes; two more stand around all. */
enum { ISX_OUTCOME_JSON_BYTES = 64 };

/* Append the answer to POST assets. */
void isx_outcomes_to_json(struct isx_buf *buf, const struct isx_asset *assets,
			  const enum isx_outcome *outcomes, size_t count);

/* Append an index object, with or without "sizes". Sizes are MiB, rounded down. */
void isx_index_to_json(struct isx_buf *buf, const struct isx_index_info *info, bool with_sizes);

/* Append the answer of a search. */
void isx_result_to_json(struct isx_buf *buf, const struct isx_result *result);

#endif
