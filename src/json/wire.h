/*
 * wire.h - requests from JSON and answers to JSON: the formats of the REST API and of files.
 *
 * Readers take the payload of a request and report every problem in it, elements in the order of
 * the input and fields in the order of the schema, as pydantic does. Texts and lists live in the
 * caller's arena. Readers check the shape only; the engine finds out whether an ISCC can be
 * decoded. Reading n bytes takes at most ISX_JSON_BYTES_PER_BYTE times n of memory, and that of
 * ISX_PROBLEMS_MAX problems.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_WIRE_H
#define ISX_WIRE_H

#include "base/buf.h"
#include "base/mem.h"
#include "json/json_text.h"
#include "json/schema.h"

/* Messages of pydantic for a body of the wrong kind, and what is added if the Content-Type is wrong. */
#define ISX_NO_OBJECT    "Input should be a valid dictionary or object to extract fields from"
#define ISX_NO_LIST      "Input should be a valid list"
#define ISX_SEND_AS_JSON ". Send it with the header Content-Type: application/json"

/* The body of a request, decompressed. */
struct isx_payload {
	struct isx_span text;
	bool is_json; /* by its content type; any other body is one string, as in 0.3.3 */
};

/* Check that a payload, if it is JSON at all, is well-formed JSON in UTF-8. A byte order mark is
 * removed from payload->text. ISX_SCHEMA: one problem of type json_invalid at ["body", OFFSET]
 * was added. */
ISX_MUST_CHECK enum isx_status isx_payload_check(struct isx_payload *payload,
						 struct isx_problems *problems,
						 struct isx_err *err);

/* Read the body of POST /indexes/{name}/assets, after isx_payload_check(): an array of assets.
 *   assets  filled: *count assets in `arena`. All elements are checked, but those behind a
 *           second element that is too short for an asset are left out: isx_add() refuses the
 *           batch for the first such one */
ISX_MUST_CHECK enum isx_status isx_assets_from_json(const struct isx_payload *payload,
						    struct isx_arena *arena,
						    struct isx_asset **assets, size_t *count,
						    struct isx_problems *problems,
						    struct isx_err *err);

/* Read one asset from a text that has not been checked, a line of a .jsonl file. */
ISX_MUST_CHECK enum isx_status isx_asset_from_json(struct isx_span text, struct isx_arena *arena,
						   struct isx_asset *asset,
						   struct isx_problems *problems,
						   struct isx_err *err);

/* Check an asset that a program has filled and no reader of JSON has checked: the shape of its
 * fields, so that the stored JSON can be read again, and the length of its ISCC-CODE
 * (isx_code_check()). ISX_INVALID names the field. */
ISX_MUST_CHECK enum isx_status isx_asset_check(const struct isx_asset *asset, struct isx_err *err);

/* Read a stored asset, written by isx_asset_to_json() or by 0.3.3: patterns and ranges are not
 * checked, as they may have been others. ISX_CORRUPT: it is not JSON, or a field is of the wrong
 * kind. */
ISX_MUST_CHECK enum isx_status isx_asset_from_stored(struct isx_span text, struct isx_arena *arena,
						     struct isx_asset *asset, struct isx_err *err);

/* The same with the simprints that stand in the JSON, as isx_asset_to_request() writes them. */
ISX_MUST_CHECK enum isx_status isx_asset_from_export(struct isx_span text, struct isx_arena *arena,
						     struct isx_asset *asset, struct isx_err *err);

/* Check that a stored asset is JSON, before its text is sent as it is: bytes may have been
 * damaged on disk. ISX_CORRUPT: it is not. */
ISX_MUST_CHECK enum isx_status isx_stored_check(struct isx_span text, struct isx_err *err);

/* Do matches carry metadata? By default, with ISX_WITH_METADATA, and not with ISX_WITH_NOTHING. */
static inline bool isx_wants_metadata(uint32_t with)
{
	return with == 0 || (with & ISX_WITH_METADATA);
}

/* Let a match carry what was read of its asset. Both kinds of match have these members. */
#define ISX_MATCH_CARRY(match, asset)                                                              \
	((match)->metadata = (asset)->metadata, (match)->iscc_code = (asset)->iscc_code,           \
	 (match)->units = (asset)->units, (match)->unit_count = (asset)->unit_count)

/* Append a stored asset with other metadata; NULL: without any. ISX_CORRUPT: it cannot be read. */
ISX_MUST_CHECK enum isx_status isx_stored_with_metadata(struct isx_buf *buf, struct isx_span text,
							const char *metadata, struct isx_err *err);

/* Read the body of POST /indexes/{name}/assets/get and /remove, after isx_payload_check(): an
 * array of 1 to ISX_LIST_MAX ISCC-IDs.
 *   ids  filled: *count texts in `arena` */
ISX_MUST_CHECK enum isx_status isx_ids_from_json(const struct isx_payload *payload,
						 struct isx_arena *arena, const char *const **ids,
						 size_t *count, struct isx_problems *problems,
						 struct isx_err *err);

/* Read the body of PATCH /indexes/{name}/assets/{iscc_id}, after isx_payload_check(): an object
 * with "metadata", and no other field of an asset.
 *   metadata  filled: JSON text in `arena`; NULL for null */
ISX_MUST_CHECK enum isx_status isx_metadata_from_json(const struct isx_payload *payload,
						      struct isx_arena *arena,
						      const char **metadata,
						      struct isx_problems *problems,
						      struct isx_err *err);

/* Read the body of POST /indexes/{name}/search, after isx_payload_check(). `limit` is left 0. */
ISX_MUST_CHECK enum isx_status isx_query_from_json(const struct isx_payload *payload,
						   struct isx_arena *arena, struct isx_query *query,
						   struct isx_problems *problems,
						   struct isx_err *err);

/* Read the body of POST /compare, after isx_payload_check().
 *   a, b        filled: the works, in `arena`
 *   conditions  filled: those of a query */
ISX_MUST_CHECK enum isx_status isx_compare_from_json(const struct isx_payload *payload,
						     struct isx_arena *arena, struct isx_work *a,
						     struct isx_work *b,
						     struct isx_query *conditions,
						     struct isx_problems *problems,
						     struct isx_err *err);

/* The first member of a JSON object that no query has, for the message to a client whose query is
 * empty.
 *   name  filled: as it stands there; empty: none */
void isx_query_unknown_member(struct isx_span object, struct isx_span *name);

/* Read the body of POST /indexes/{name}/search/batch, after isx_payload_check().
 *   queries  filled: a walk over the elements of "queries" */
ISX_MUST_CHECK enum isx_status isx_batch_from_json(const struct isx_payload *payload,
						   struct isx_json_walk *queries,
						   struct isx_problems *problems,
						   struct isx_err *err);

/* Read one query of a batch.
 *   text   a JSON value, which is checked here if `is_checked` is false
 *   root   of the places of problems */
ISX_MUST_CHECK enum isx_status isx_query_from_value(struct isx_span text, bool is_checked,
						    const struct isx_place *root,
						    struct isx_arena *arena,
						    struct isx_query *query,
						    struct isx_problems *problems,
						    struct isx_err *err);

/* Conditions of a query as texts, from a URL or a command line. A span with ptr NULL is not given;
 * lists have commas between their elements. */
struct isx_query_texts {
	struct isx_span min_score;
	struct isx_span min_scores; /* "TYPE:SCORE,..." */
	struct isx_span types;
	struct isx_span exponent;
	struct isx_span with;
	struct isx_span rank;
	struct isx_span max_expect;
	struct isx_span filter; /* JSON */
	struct isx_span facets;
	struct isx_span explain; /* "true" or "false" */
};

/* Read conditions by the rules of the members of a query that have the same names.
 *   root   of the places of problems, or NULL
 *   query  only its conditions are written; the lists live in `arena` */
ISX_MUST_CHECK enum isx_status isx_conditions_from_texts(const struct isx_query_texts *texts,
							 const char *root, struct isx_arena *arena,
							 struct isx_query *query,
							 struct isx_problems *problems,
							 struct isx_err *err);

/* The words of enum isx_rank: "score", "significance", "tiered".
 *   rank  ISX_RANK_SCORE or a later one */
const char *isx_rank_word(uint32_t rank);

/* The rank that a word means; 0: none. */
uint32_t isx_rank_of_word(struct isx_span word);

/* In query->named of a query that was read, until isx_query_inherit(): it says "explain", perhaps false. */
#define ISX_QUERY_SAYS_EXPLAIN (1u << 31)

/* Give a query the conditions of `defaults` that it does not set itself, and the limit and all other
 * members that are not read from JSON. */
void isx_query_inherit(struct isx_query *query, const struct isx_query *defaults);

enum { ISX_DECISIVE_MAX = 10 };

/* Find the passages of one type that have the largest shares of its score, for a query that explains.
 *   decisive  filled: positions in type->chunks, the largest share first; room for
 *             ISX_DECISIVE_MAX
 * Returns how many there are. */
size_t isx_decisive_chunks(const struct isx_chunk_type *type, size_t *decisive);

/* Append unit types and their scores: {"CONTENT_TEXT_V0":0.97}. */
void isx_type_scores_to_json(struct isx_buf *buf, const struct isx_type_score *types, size_t count);

/* Append a pair of near-duplicates: {"iscc_id": ..., "match": ..., "score": ..., "types": {...}},
 * without a line end. */
void isx_pair_to_json(struct isx_buf *buf, const struct isx_pair *pair);

/* Read such a pair, which need not have been checked.
 *   pair  filled: its types live in `arena`
 * ISX_SCHEMA: it is none. */
ISX_MUST_CHECK enum isx_status isx_pair_from_json(struct isx_span line, struct isx_arena *arena,
						  struct isx_pair *pair, struct isx_err *err);

/* Read the body of POST /indexes, after isx_payload_check(): the name of the new index. */
ISX_MUST_CHECK enum isx_status isx_index_from_json(const struct isx_payload *payload,
						   struct isx_arena *arena, const char **name,
						   struct isx_problems *problems,
						   struct isx_err *err);

/* Read the body of PUT /indexes/{name}/fields, after isx_payload_check(): a list of fields, or an object
 * with that list as "fields". Shorter than isx_fields_set() takes, and each once.
 *   fields  filled: *count texts in `arena` */
ISX_MUST_CHECK enum isx_status isx_fields_from_json(const struct isx_payload *payload,
						    struct isx_arena *arena,
						    const char *const **fields, size_t *count,
						    struct isx_problems *problems,
						    struct isx_err *err);

/* Append the answer to GET and PUT /indexes/{name}/fields: {"fields":["/license"]}. */
void isx_fields_to_json(struct isx_buf *buf, const char *const *fields, size_t count);

/* Does a text match ^ISCC:[A-Z2-7]{least,most}$ ? most = 0: any number from `least` on. */
bool isx_is_iscc_pattern(struct isx_span text, size_t least, size_t most);

/* Is this a valid name of an index: ^[a-z][a-z0-9]*$, at most 32 characters? */
bool isx_is_index_name(struct isx_span text);

/* Append an asset as it is stored, and as GET of an asset answers: no nulls, no simprints. */
void isx_asset_to_json(struct isx_buf *buf, const struct isx_asset *asset);

/* Append an asset with its simprints, as POST assets of another server takes it. */
void isx_asset_to_request(struct isx_buf *buf, const struct isx_asset *asset);

/* Append a query: as POST search of another server takes it, and as answers repeat it. */
void isx_query_to_json(struct isx_buf *buf, const struct isx_query *query);

/* Bytes that each asset takes in the answer to POST assets, at most; the brackets take two more. */
enum { ISX_OUTCOME_JSON_BYTES = 64 };

/* Append what became of one asset. */
void isx_outcome_to_json(struct isx_buf *buf, const char *iscc_id, enum isx_outcome outcome);

/* Append the answer to POST assets. */
void isx_outcomes_to_json(struct isx_buf *buf, const struct isx_asset *assets,
			  const enum isx_outcome *outcomes, size_t count);

/* Append an index object, with or without "sizes". Sizes are MiB, rounded down. */
void isx_index_to_json(struct isx_buf *buf, const struct isx_index_info *info, bool with_sizes);

/* Append the body of POST /compare, as another server takes it. */
void isx_compare_to_json(struct isx_buf *buf, const struct isx_work *a, const struct isx_work *b,
			 const struct isx_query *conditions);

/* Append a comparison: the answer to POST /compare. */
void isx_comparison_to_json(struct isx_buf *buf, const struct isx_comparison *comparison);

/* Append the statistics of an index: the answer to GET /indexes/{name}/stats. */
void isx_stats_to_json(struct isx_buf *buf, const char *index, const struct isx_index_stats *stats);

/* Append the answer of a search. */
void isx_result_to_json(struct isx_buf *buf, const struct isx_result *result);

/* Readers of the answers of another server, whose JSON was checked by isx_json_check() and has no
 * white space around it (isx_span_trim()). A server can send anything: what is not as the API says
 * is ISX_IO, by isx_fail_answer(). */

/* Refuse an answer with a status of success whose content cannot be used: ISX_IO. The caller adds
 * which server it was.
 *   expected  what should stand there, as a noun */
enum isx_status isx_fail_answer(struct isx_err *err, const char *expected);

/* Fail with the status that an HTTP status of 400 or more stands for (isx_http_to_status()), and
 * with the message that the server has in "detail". The place of a problem in a list of assets
 * becomes the position of the error.
 *   answer  the body, which need not be JSON: a proxy may answer with HTML */
enum isx_status isx_fail_http_status(long code, struct isx_span answer, struct isx_err *err);

/* Check that an answer is about the ISCC-ID `asked`, in any case of its letters.
 *   value  "iscc_id" of the answer; empty: missing, and ISX_IO */
ISX_MUST_CHECK enum isx_status isx_answer_check_id(struct isx_span value, const char *asked,
						   struct isx_err *err);

/* Check that an answer is about the index `asked`.
 *   value  "name" of the answer; empty: missing, and ISX_IO */
ISX_MUST_CHECK enum isx_status isx_answer_check_name(struct isx_span value, const char *asked,
						     struct isx_err *err);

/* Read an index object, of which only the name is required. Sizes are whole MiB on the wire.
 *   info  filled, with bytes; also after a failure the caller frees it with
 *         isx_index_info_release() */
ISX_MUST_CHECK enum isx_status isx_index_from_answer(struct isx_span object,
						     struct isx_index_info *info,
						     struct isx_err *err);

/* Read the answer to GET /indexes.
 *   infos  filled: *count objects; also after a failure the caller frees them with
 *          isx_index_list_free() */
ISX_MUST_CHECK enum isx_status isx_index_list_from_answer(struct isx_span list,
							  struct isx_index_info **infos,
							  size_t *count, struct isx_err *err);

/* Read the answer to POST assets, an outcome for each of the `count` assets that were sent.
 *   outcomes  filled: `count`
 *   iscc_ids  filled for assets without an iscc_id; NULL: all have one */
ISX_MUST_CHECK enum isx_status isx_outcomes_from_answer(struct isx_span list,
							const struct isx_asset *assets,
							size_t count, enum isx_outcome *outcomes,
							char (*iscc_ids)[24], struct isx_err *err);

/* Read the answer to GET /indexes/{name}/stats.
 *   stats  filled, in `arena` */
ISX_MUST_CHECK enum isx_status isx_stats_from_answer(struct isx_span text, struct isx_arena *arena,
						     struct isx_index_stats *stats,
						     struct isx_err *err);

/* Read the answer to POST /compare.
 *   comparison  filled, in `arena`; zeroed before */
ISX_MUST_CHECK enum isx_status isx_comparison_from_answer(struct isx_span text,
							  struct isx_arena *arena,
							  struct isx_comparison *comparison,
							  struct isx_err *err);

/* Read the answer to GET and PUT /indexes/{name}/fields.
 *   fields  new array of *count texts, also after a failure; free with isx_texts_free() */
ISX_MUST_CHECK enum isx_status isx_fields_from_answer(struct isx_span answer, char ***fields,
						      size_t *count, struct isx_err *err);

/* Read the answer to a search.
 *   asked   the query; the answer has at most asked->limit matches of each kind. What the server
 *           repeats unchanged is borrowed from it
 *   result  filled, in `arena`; zeroed before
 * ISX_UNSUPPORTED: the server is older, and ignores a condition or pages of `asked`. */
ISX_MUST_CHECK enum isx_status isx_result_from_answer(struct isx_span text,
						      const struct isx_query *asked,
						      struct isx_arena *arena,
						      struct isx_result *result,
						      struct isx_err *err);

#endif
