/*
 * result_json.c - write assets, queries, index objects and answers as JSON.
 *
 * Members and their order are those of iscc-search 0.3.3: its clients compare whole texts. Metadata
 * is appended as it is stored, checked when it came in. Buffers are not tested here: a failed one
 * stays failed (base/buf.h).
 *
 * The same functions write what is stored, what the server answers and what the remote engine sends,
 * so that a text is read back by json/entry_json.c and json/query_json.c whoever wrote it. Nothing is
 * sorted or decoded here: order and values are those of the structs. Must not know HTTP.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "json/json_text.h"
#include "json/wire.h"

static void add_text(struct isx_buf *buf, const char *text)
{
	isx_json_quote(buf, isx_span_of(text));
}

/* `"name":`, with a comma in front unless it is the first member. */
static void add_name(struct isx_buf *buf, bool *first, const char *name)
{
	isx_buf_text(buf, *first ? "\"" : ",\"");
	isx_buf_text(buf, name);
	isx_buf_text(buf, "\":");
	*first = false;
}

/* A list may be empty: a query can name units and have none. */
static void add_texts(struct isx_buf *buf, const char *const *texts, size_t count)
{
	isx_buf_char(buf, '[');
	for (size_t i = 0; i < count; i++) {
		if (i)
			isx_buf_char(buf, ',');
		add_text(buf, texts[i]);
	}
	isx_buf_char(buf, ']');
}

/* Simprints of one type are neighbours in an asset: a new type closes the list of the one
 * before. */
static void add_simprints(struct isx_buf *buf, const struct isx_asset *asset)
{
	isx_buf_char(buf, '{');
	for (size_t i = 0; i < asset->simprint_count; i++) {
		const struct isx_simprint *simprint = &asset->simprints[i];
		bool opens = i == 0 || strcmp(simprint->type, asset->simprints[i - 1].type) != 0;
		if (opens) {
			isx_buf_text(buf, i ? "]," : "");
			add_text(buf, simprint->type);
			isx_buf_text(buf, ":[");
		}
		/* simprints go out as they came in: no decoding here */
		isx_buf_text(buf, opens ? "{\"simprint\":" : ",{\"simprint\":");
		add_text(buf, simprint->simprint);
		isx_buf_printf(buf, ",\"offset\":%u,\"size\":%u}", simprint->offset,
			       simprint->size);
	}
	isx_buf_text(buf, asset->simprint_count ? "]}" : "}");
}

/* Fields without a value are left out, and never null: the stored JSON of 0.3.3 has none. */
static void add_asset(struct isx_buf *buf, const struct isx_asset *asset, bool with_simprints)
{
	bool first = true;
	isx_buf_char(buf, '{');
	if (asset->iscc_id) {
		add_name(buf, &first, "iscc_id");
		add_text(buf, asset->iscc_id);
	}
	if (asset->iscc_code) {
		add_name(buf, &first, "iscc_code");
		add_text(buf, asset->iscc_code);
	}
	if (asset->unit_count) {
		add_name(buf, &first, "units");
		add_texts(buf, asset->units, asset->unit_count);
	}
	if (with_simprints && asset->simprint_count) {
		add_name(buf, &first, "simprints");
		add_simprints(buf, asset);
	}
	if (asset->metadata) {
		add_name(buf, &first, "metadata");
		isx_buf_text(buf, asset->metadata);
	}
	isx_buf_char(buf, '}');
}

/* This is the form that engines store and that GET of an asset answers; engines keep simprints in
 * tables of their own. */
void isx_asset_to_json(struct isx_buf *buf, const struct isx_asset *asset)
{
	add_asset(buf, asset, false);
}

/* An asset as POST assets takes it, with its simprints: for exports and for the remote engine. */
void isx_asset_to_request(struct isx_buf *buf, const struct isx_asset *asset)
{
	add_asset(buf, asset, true);
}

/* Write the name of a field that is set or was named by the client, and null for one that is
 * named only. Returns true if the caller has to write the value. */
static bool add_field(struct isx_buf *buf, bool *first, const char *name, bool is_set,
		      bool is_named)
{
	if (!is_set && !is_named)
		return false;
	add_name(buf, first, name);
	if (!is_set)
		isx_buf_text(buf, "null");
	return is_set;
}

/* Members that 0.3.3 does not know: only those that were given. So the query that an answer
 * repeats has only members that its client knows. */
static void add_conditions(struct isx_buf *buf, bool *first, const struct isx_query *query)
{
	if (query->has_min_score) {
		add_name(buf, first, "min_score");
		isx_json_double(buf, query->min_score);
	}
	if (query->min_score_count)
		add_name(buf, first, "min_scores");
	for (size_t i = 0; i < query->min_score_count; i++) {
		isx_buf_char(buf, i ? ',' : '{');
		add_text(buf, query->min_scores[i].type);
		isx_buf_char(buf, ':');
		isx_json_double(buf, query->min_scores[i].min_score);
	}
	isx_buf_text(buf, query->min_score_count ? "}" : "");
	if (query->types) {
		add_name(buf, first, "types");
		add_texts(buf, query->types, query->type_count);
	}
	if (query->exponent) {
		add_name(buf, first, "exponent");
		isx_buf_printf(buf, "%u", query->exponent);
	}
	if (query->with) {
		const char *names[3];
		size_t count = 0;
		if (query->with & ISX_WITH_METADATA)
			names[count++] = "metadata";
		if (query->with & ISX_WITH_CODE)
			names[count++] = "code";
		if (query->with & ISX_WITH_UNITS)
			names[count++] = "units";
		add_name(buf, first, "with");
		add_texts(buf, names, count);
	}
	if (query->rank) {
		add_name(buf, first, "rank");
		add_text(buf, isx_rank_word(query->rank));
	}
	if (query->max_expect > 0) {
		add_name(buf, first, "max_expect");
		isx_json_double(buf, query->max_expect);
	}
	if (query->filter) {
		add_name(buf, first, "filter");
		isx_buf_text(buf, query->filter);
	}
	if (query->facets) {
		add_name(buf, first, "facets");
		add_texts(buf, query->facets, query->facet_count);
	}
	if (query->explains) {
		add_name(buf, first, "explain");
		isx_buf_text(buf, "true");
	}
}

/* The fields in the order of the schema of 0.3.3, then the conditions. `named` keeps the nulls that
 * a client has sent: 0.3.3 repeats them, too. */
void isx_query_to_json(struct isx_buf *buf, const struct isx_query *query)
{
	bool first = true;
	isx_buf_char(buf, '{');
	if (add_field(buf, &first, "iscc_id", query->iscc_id, query->named & ISX_QUERY_HAS_ISCC_ID))
		add_text(buf, query->iscc_id);
	if (add_field(buf, &first, "iscc_code", query->iscc_code,
		      query->named & ISX_QUERY_HAS_ISCC_CODE))
		add_text(buf, query->iscc_code);
	if (add_field(buf, &first, "units", query->unit_count, query->named & ISX_QUERY_HAS_UNITS))
		add_texts(buf, query->units, query->unit_count);
	if (add_field(buf, &first, "simprints", query->simprints,
		      query->named & ISX_QUERY_HAS_SIMPRINTS)) {
		isx_buf_char(buf, '{');
		for (size_t i = 0; i < query->simprint_type_count; i++) {
			const struct isx_query_simprints *one = &query->simprints[i];
			isx_buf_text(buf, i ? "," : "");
			add_text(buf, one->type);
			isx_buf_char(buf, ':');
			add_texts(buf, one->values, one->count);
		}
		isx_buf_char(buf, '}');
	}
	add_conditions(buf, &first, query);
	isx_buf_char(buf, '}');
}

/* The words are those of 0.3.3. An ISCC-ID is repeated as it was sent, and not printed anew. */
void isx_outcome_to_json(struct isx_buf *buf, const char *iscc_id, enum isx_outcome outcome)
{
	isx_buf_text(buf, "{\"iscc_id\":");
	add_text(buf, iscc_id);
	isx_buf_text(buf, outcome == ISX_CREATED ? ",\"status\":\"created\"}"
						 : ",\"status\":\"updated\"}");
}

/* At most ISX_OUTCOME_JSON_BYTES for each asset: the server asks for the memory before it adds
 * them. */
void isx_outcomes_to_json(struct isx_buf *buf, const struct isx_asset *assets,
			  const enum isx_outcome *outcomes, size_t count)
{
	isx_buf_char(buf, '[');
	for (size_t i = 0; i < count; i++) {
		isx_buf_text(buf, i ? "," : "");
		isx_outcome_to_json(buf, assets[i].iscc_id, outcomes[i]);
	}
	isx_buf_char(buf, ']');
}

/* The size is rounded down to MiB, and so is each of the parts: their sum may be less than it, as
 * in 0.3.3. */
void isx_index_to_json(struct isx_buf *buf, const struct isx_index_info *info, bool with_sizes)
{
	enum { MIB = 1 << 20 }; /* the unit of 0.3.3; an index of less shows 0 */
	isx_buf_text(buf, "{\"name\":");
	add_text(buf, info->name);
	isx_buf_printf(buf, ",\"assets\":%llu,\"size\":%llu", (unsigned long long)info->assets,
		       (unsigned long long)(info->bytes / MIB));
	if (with_sizes) {
		isx_buf_text(buf, ",\"sizes\":{");
		for (size_t i = 0; i < info->part_count; i++) {
			isx_buf_text(buf, i ? "," : "");
			add_text(buf, info->parts[i].name);
			isx_buf_printf(buf, ":%llu",
				       (unsigned long long)(info->parts[i].bytes / MIB));
		}
		isx_buf_char(buf, '}');
	}
	isx_buf_char(buf, '}');
}

void isx_fields_to_json(struct isx_buf *buf, const char *const *fields, size_t count)
{
	isx_buf_text(buf, "{\"fields\":");
	add_texts(buf, fields, count);
	isx_buf_char(buf, '}');
}

/* What the query asks for of the asset of a match; without that it is left out, also as null. What
 * was asked for and is missing in the asset is null. The brace ends the match of the caller. */
static void add_carried(struct isx_buf *buf, uint32_t with, const struct isx_asset *asset)
{
	if (isx_wants_metadata(with)) {
		isx_buf_text(buf, ",\"metadata\":");
		isx_buf_text(buf, asset->metadata ? asset->metadata : "null");
	}
	if (with & ISX_WITH_CODE) {
		isx_buf_text(buf, ",\"iscc_code\":");
		if (asset->iscc_code)
			add_text(buf, asset->iscc_code);
		else
			isx_buf_text(buf, "null");
	}
	if (with & ISX_WITH_UNITS) {
		isx_buf_text(buf, ",\"units\":");
		if (asset->unit_count)
			add_texts(buf, asset->units, asset->unit_count);
		else
			isx_buf_text(buf, "null");
	}
	isx_buf_char(buf, '}');
}

/* The numbers of a type that one of the works lacks would all be 0 and mean nothing: they are left
 * out. "in" says which work it is, where either may be. */
static void add_explained_type(struct isx_buf *buf, const struct isx_type_explanation *one,
			       bool names_side)
{
	add_text(buf, one->type);
	if (one->absent) {
		isx_buf_text(buf, ":{\"absent\":true");
		if (names_side)
			isx_buf_printf(buf, ",\"in\":\"%c\"", one->absent);
		isx_buf_char(buf, '}');
		return;
	}
	isx_buf_printf(buf, ":{\"compared_bits\":%u,\"distance\":%u,\"score\":", one->compared_bits,
		       one->distance);
	isx_json_double(buf, one->score);
	isx_buf_text(buf, ",\"expect\":");
	isx_json_double(buf, one->expect);
	isx_buf_text(buf, one->counted ? ",\"counted\":true" : ",\"counted\":false");
	if (!one->counted) {
		isx_buf_text(buf, ",\"missed_by\":");
		isx_json_double(buf, one->missed_by);
	}
	isx_buf_char(buf, '}');
}

/* {"TYPE":{...},...} in the order of the queried types. */
static void add_explanation(struct isx_buf *buf, const struct isx_type_explanation *types,
			    size_t count, bool names_side)
{
	isx_buf_char(buf, '{');
	for (size_t i = 0; i < count; i++) {
		isx_buf_text(buf, i ? "," : "");
		add_explained_type(buf, &types[i], names_side);
	}
	isx_buf_char(buf, '}');
}

void isx_comparison_to_json(struct isx_buf *buf, const struct isx_comparison *comparison)
{
	isx_buf_text(buf, "{\"score\":");
	isx_json_double(buf, comparison->score);
	isx_buf_printf(buf, ",\"exponent\":%u,\"explanation\":", comparison->exponent);
	add_explanation(buf, comparison->types, comparison->type_count, true);
	isx_buf_char(buf, '}');
}

static void add_work(struct isx_buf *buf, const struct isx_work *work)
{
	bool first = true;
	isx_buf_char(buf, '{');
	if (work->iscc) {
		add_name(buf, &first, "iscc");
		add_text(buf, work->iscc);
	} else {
		add_name(buf, &first, "units");
		add_texts(buf, work->units, work->unit_count);
	}
	if (work->index) {
		add_name(buf, &first, "index");
		add_text(buf, work->index);
	}
	isx_buf_char(buf, '}');
}

void isx_compare_to_json(struct isx_buf *buf, const struct isx_work *a, const struct isx_work *b,
			 const struct isx_query *conditions)
{
	bool first = true;
	isx_buf_char(buf, '{');
	add_name(buf, &first, "a");
	add_work(buf, a);
	add_name(buf, &first, "b");
	add_work(buf, b);
	add_conditions(buf, &first, conditions);
	isx_buf_char(buf, '}');
}

/* "types" has every queried type the asset carries, also those below the threshold
 * (engine/score.c). */
static void add_match(struct isx_buf *buf, uint32_t with, const struct isx_match *match)
{
	const struct isx_asset asset = { .metadata = match->metadata,
					 .iscc_code = match->iscc_code,
					 .units = match->units,
					 .unit_count = match->unit_count };
	isx_buf_text(buf, "{\"iscc_id\":");
	add_text(buf, match->iscc_id);
	isx_buf_text(buf, ",\"score\":");
	isx_json_double(buf, match->score);
	if (match->has_expect) {
		isx_buf_text(buf, ",\"expect\":");
		isx_json_double(buf, match->expect);
	}
	if (match->tier) {
		isx_buf_text(buf, ",\"tier\":");
		add_text(buf, match->tier);
		isx_buf_text(buf, ",\"tier_score\":");
		isx_json_double(buf, match->tier_score);
	}
	isx_buf_text(buf, ",\"types\":");
	isx_type_scores_to_json(buf, match->types, match->type_count);
	if (match->explanation) {
		isx_buf_text(buf, ",\"explanation\":");
		add_explanation(buf, match->explanation, match->explanation_count, false);
	}
	add_carried(buf, with, &asset);
}

/* "content" is always null, as in 0.3.3: passages are not stored. */
static void add_chunk(struct isx_buf *buf, const struct isx_chunk *chunk, bool explains)
{
	isx_buf_text(buf, "{\"query\":");
	add_text(buf, chunk->query);
	isx_buf_text(buf, ",\"match\":");
	add_text(buf, chunk->match);
	isx_buf_text(buf, ",\"score\":");
	isx_json_double(buf, chunk->score);
	isx_buf_printf(buf, ",\"freq\":%llu,\"offset\":%u,\"size\":%u,\"content\":null",
		       (unsigned long long)chunk->freq, chunk->offset, chunk->size);
	if (explains) {
		isx_buf_text(buf, ",\"weight\":");
		isx_json_double(buf, chunk->weight);
		isx_buf_text(buf, ",\"share\":");
		isx_json_double(buf, chunk->share);
	}
	isx_buf_char(buf, '}');
}

/* The position of the passage with the largest share of those with less than `before`, or with as much
 * and behind the position `last`; the number of passages if none is left. */
static size_t next_decisive(const struct isx_chunk_type *type, double before, size_t last)
{
	size_t best = type->matches;
	for (size_t i = 0; i < type->matches; i++) {
		double share = type->chunks[i].share;
		bool is_left = share < before || (share == before && i > last);
		if (is_left && (best == type->matches || share > type->chunks[best].share))
			best = i;
	}
	return best;
}

/* Selected one by one: the list is short, and needs no memory. */
size_t isx_decisive_chunks(const struct isx_chunk_type *type, size_t *decisive)
{
	double before = 2; /* more than any share */
	size_t count = 0, last = 0;
	while (count < ISX_DECISIVE_MAX &&
	       (last = next_decisive(type, before, last)) < type->matches) {
		before = type->chunks[last].share;
		decisive[count++] = last;
	}
	return count;
}

/* The positions in "chunks" of the passages that decided. */
static void add_decisive(struct isx_buf *buf, const struct isx_chunk_type *type)
{
	size_t decisive[ISX_DECISIVE_MAX];
	size_t count = isx_decisive_chunks(type, decisive);
	isx_buf_text(buf, ",\"decisive\":[");
	for (size_t i = 0; i < count; i++)
		isx_buf_printf(buf, "%s%zu", i ? "," : "", decisive[i]);
	isx_buf_char(buf, ']');
}

/* Append the passages of one simprint type. `chunks` has one element for each query simprint that
 * was found, `matches` of them; `queried` is how many the query has. */
static void add_chunk_type(struct isx_buf *buf, const struct isx_chunk_type *type, bool explains)
{
	add_text(buf, type->type);
	isx_buf_text(buf, ":{\"score\":");
	isx_json_double(buf, type->score);
	if (explains) {
		isx_buf_text(buf, ",\"weight\":");
		isx_json_double(buf, type->weight);
		add_decisive(buf, type);
	}
	isx_buf_printf(buf, ",\"matches\":%zu,\"queried\":%zu,\"chunks\":[", type->matches,
		       type->queried);
	for (size_t i = 0; i < type->matches; i++) {
		isx_buf_text(buf, i ? "," : "");
		add_chunk(buf, &type->chunks[i], explains);
	}
	isx_buf_text(buf, "]}");
}

/* "source" repeats metadata.source if that is a string, byte for byte; otherwise it is null. It is left
 * out with the metadata. */
static void add_chunk_match(struct isx_buf *buf, const struct isx_query *query,
			    const struct isx_chunk_match *match)
{
	struct isx_span source = isx_json_member(isx_span_of(match->metadata), "source");
	bool is_text = source.len && source.ptr[0] == '"';
	const struct isx_asset asset = { .metadata = match->metadata,
					 .iscc_code = match->iscc_code,
					 .units = match->units,
					 .unit_count = match->unit_count };
	isx_buf_text(buf, "{\"iscc_id\":");
	add_text(buf, match->iscc_id);
	isx_buf_text(buf, ",\"score\":");
	isx_json_double(buf, match->score);
	isx_buf_text(buf, ",\"types\":{");
	for (size_t i = 0; i < match->type_count; i++) {
		isx_buf_text(buf, i ? "," : "");
		add_chunk_type(buf, &match->types[i], query->explains);
	}
	isx_buf_char(buf, '}');
	if (isx_wants_metadata(query->with)) {
		isx_buf_text(buf, ",\"source\":");
		isx_buf_add(buf, is_text ? source.ptr : "null", is_text ? source.len : 4);
	}
	add_carried(buf, query->with, &asset);
}

/* What only a query for pages or counts is answered with: 0.3.3 has none of it. */
static void add_page(struct isx_buf *buf, const struct isx_result *result)
{
	if (result->query.counts)
		isx_buf_printf(buf, ",\"count\":%llu,\"chunk_count\":%llu",
			       (unsigned long long)result->match_total,
			       (unsigned long long)result->chunk_match_total);
	if (!result->query.after)
		return;
	isx_buf_text(buf, ",\"next\":");
	if (result->next)
		add_text(buf, result->next);
	else
		isx_buf_text(buf, "null");
	isx_buf_text(buf, result->is_changed ? ",\"changed\":true" : ",\"changed\":false");
}

/* {"license":[{"value":"CC0","count":12},{"others":3}]}: the last element only if there are more values
 * than the list has. */
static void add_facets(struct isx_buf *buf, const char *name, const struct isx_query *query,
		       const struct isx_facet *facets)
{
	isx_buf_printf(buf, ",\"%s\":{", name);
	for (size_t i = 0; i < query->facet_count; i++) {
		isx_buf_text(buf, i ? "," : "");
		add_text(buf, facets[i].field);
		isx_buf_text(buf, ":[");
		for (size_t k = 0; k < facets[i].value_count; k++)
			isx_buf_printf(buf, "%s{\"value\":%s,\"count\":%llu}", k ? "," : "",
				       facets[i].values[k].value,
				       (unsigned long long)facets[i].values[k].count);
		if (facets[i].others)
			isx_buf_printf(buf, ",{\"others\":%llu}",
				       (unsigned long long)facets[i].others);
		isx_buf_char(buf, ']');
	}
	isx_buf_char(buf, '}');
}

/* Both lists are always there, also when they are empty. */
void isx_result_to_json(struct isx_buf *buf, const struct isx_result *result)
{
	isx_buf_text(buf, "{\"query\":");
	isx_query_to_json(buf, &result->query);
	isx_buf_text(buf, ",\"global_matches\":[");
	for (size_t i = 0; i < result->match_count; i++) {
		isx_buf_text(buf, i ? "," : "");
		add_match(buf, result->query.with, &result->matches[i]);
	}
	isx_buf_text(buf, "],\"chunk_matches\":[");
	for (size_t i = 0; i < result->chunk_match_count; i++) {
		isx_buf_text(buf, i ? "," : "");
		add_chunk_match(buf, &result->query, &result->chunk_matches[i]);
	}
	isx_buf_char(buf, ']');
	add_page(buf, result);
	if (result->query.facets) {
		add_facets(buf, "facets", &result->query, result->facets);
		add_facets(buf, "chunk_facets", &result->query, result->chunk_facets);
	}
	isx_buf_char(buf, '}');
}
