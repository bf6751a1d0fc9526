/*
 * stats_json.c - the statistics of an index as JSON: written for clients, and read from the answer of
 *                another server.
 *
 * What another server sends is untrusted: memory is bounded by the length of its text, and a value
 * of a wrong kind is an error or 0, as in answer_json.c.
 *
 * Texts are written one by one into a buffer, without a tree. Names of members are quoted, as some
 * of them are types and fields that clients have chosen. The order of members is fixed, so that
 * two answers can be compared as texts. A statistic that was not measured is left out instead of
 * null or 0: 0 would be a measurement.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/limits.h"
#include "base/timestamp.h"
#include "json/json.h"
#include "json/json_text.h"
#include "json/wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* --- writing ---------------------------------------------------------------------------------- */

/* `"NAME":`, with a comma in front unless it is the first member. */
static void add_name(struct isx_buf *buf, bool is_first, const char *name)
{
	isx_buf_text(buf, is_first ? "" : ",");
	isx_json_quote(buf, isx_span_of(name));
	isx_buf_char(buf, ':');
}

static void add_count(struct isx_buf *buf, bool is_first, const char *name, uint64_t count)
{
	add_name(buf, is_first, name);
	isx_buf_printf(buf, "%llu", (unsigned long long)count);
}

/* Microseconds only where there are some. In UTC, with the "Z" of RFC 3339. gmtime_r() and not
 * gmtime(): the server has many threads. */
static void add_time(struct isx_buf *buf, const char *name, uint64_t time_us)
{
	time_t seconds = (time_t)(time_us / 1000000);
	struct tm parts;
	char text[32];
	gmtime_r(&seconds, &parts);
	strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
	add_name(buf, false, name);
	isx_buf_printf(buf, "\"%s", text);
	if (time_us % 1000000)
		isx_buf_printf(buf, ".%06u", (unsigned)(time_us % 1000000));
	isx_buf_text(buf, "Z\"");
}

/* {"TYPE":{"64":12,"256":3},...} Lengths are names and not elements of an array: a client asks for
 * one of them, and most lengths do not exist. */
static void add_lengths(struct isx_buf *buf, const char *name, const struct isx_stats_type *types,
			size_t count)
{
	add_name(buf, false, name);
	isx_buf_char(buf, '{');
	for (size_t i = 0; i < count; i++) {
		add_name(buf, i == 0, types[i].type);
		isx_buf_char(buf, '{');
		for (size_t k = 0; k < types[i].length_count; k++) {
			char bits[16];
			snprintf(bits, sizeof bits, "%u", types[i].lengths[k].bits);
			add_count(buf, k == 0, bits, types[i].lengths[k].count);
		}
		isx_buf_char(buf, '}');
	}
	isx_buf_char(buf, '}');
}

/* {"TYPE":3,...}: how many assets lack each type. The assets that lack a type are those that a
 * search for it cannot find, which is what a user wants to know; the number of assets that have it
 * follows from the total. */
static void add_without(struct isx_buf *buf, const char *name, uint64_t assets,
			const struct isx_stats_type *types, size_t count)
{
	add_name(buf, false, name);
	isx_buf_char(buf, '{');
	for (size_t i = 0; i < count; i++)
		add_count(buf, i == 0, types[i].type, assets - types[i].assets);
	isx_buf_char(buf, '}');
}

/* Distances that no pair has are left out. Of 257 possible distances of 256 bits most real ones
 * lie in a narrow band. The two chances stand side by side: real codes of unrelated works are
 * nearer than random ones. */
static void add_measured(struct isx_buf *buf, const struct isx_stats_distances *one)
{
	bool is_first = true;
	isx_buf_printf(buf, "{\"pairs\":%llu,\"match_distance\":%u,\"match_chance_random\":",
		       (unsigned long long)one->pairs, one->match_distance);
	isx_json_double(buf, one->match_chance_random);
	isx_buf_text(buf, ",\"match_chance\":");
	isx_json_double(buf, one->match_chance);
	isx_buf_text(buf, ",\"counts\":{");
	for (uint32_t d = 0; d <= one->bits; d++) {
		char distance[16];
		if (!one->counts[d])
			continue;
		snprintf(distance, sizeof distance, "%u", d);
		add_count(buf, is_first, distance, one->counts[d]);
		is_first = false;
	}
	isx_buf_text(buf, "}}");
}

/* {"TYPE":{"256":{...}},...}, of the types that were measured. Types with few units have no sample
 * and are left out: their chances would be guesses. */
static void add_distances(struct isx_buf *buf, const struct isx_index_stats *stats)
{
	bool is_first = true;
	add_name(buf, false, "distances");
	isx_buf_char(buf, '{');
	for (size_t i = 0; i < stats->unit_type_count; i++) {
		const struct isx_stats_type *type = &stats->units[i];
		if (!type->distances_count)
			continue;
		add_name(buf, is_first, type->type);
		for (size_t k = 0; k < type->distances_count; k++) {
			isx_buf_printf(buf, "%c\"%u\":", k ? ',' : '{', type->distances[k].bits);
			add_measured(buf, &type->distances[k]);
		}
		isx_buf_char(buf, '}');
		is_first = false;
	}
	isx_buf_char(buf, '}');
}

/* Realm and times are left out without assets: there is no first ISCC-ID. Nothing is computed
 * here, so that the command, the server and a store that reads from another server show the same
 * numbers. */
void isx_stats_to_json(struct isx_buf *buf, const char *index, const struct isx_index_stats *stats)
{
	isx_buf_text(buf, "{\"index\":");
	isx_json_quote(buf, isx_span_of(index));
	add_count(buf, false, "assets", stats->assets);
	if (stats->assets) {
		add_count(buf, false, "realm", stats->realm);
		add_time(buf, "first", stats->first_us);
		add_time(buf, "last", stats->last_us);
	}
	isx_buf_text(buf, ",\"periods\":{");
	for (size_t i = 0; i < stats->period_count; i++)
		add_count(buf, i == 0, stats->periods[i].name, stats->periods[i].assets);
	isx_buf_text(buf, "},\"hubs\":{");
	for (size_t i = 0; i < stats->hub_count; i++) {
		char hub[16];
		snprintf(hub, sizeof hub, "%u", stats->hubs[i].hub);
		add_count(buf, i == 0, hub, stats->hubs[i].assets);
	}
	isx_buf_char(buf, '}');
	add_lengths(buf, "units", stats->units, stats->unit_type_count);
	add_without(buf, "without", stats->assets, stats->units, stats->unit_type_count);
	add_lengths(buf, "simprints", stats->simprints, stats->simprint_type_count);
	add_without(buf, "without_simprints", stats->assets, stats->simprints,
		    stats->simprint_type_count);
	isx_buf_printf(buf, ",\"identical\":{\"groups\":%llu,\"duplicates\":%llu}",
		       (unsigned long long)stats->identical_groups,
		       (unsigned long long)stats->identical_duplicates);
	add_count(buf, false, "sampled", stats->sampled);
	add_count(buf, false, "with_iscc_code", stats->with_code);
	add_count(buf, false, "with_metadata", stats->with_metadata);
	isx_buf_text(buf, ",\"fields\":[");
	for (size_t i = 0; i < stats->field_count; i++) {
		isx_buf_text(buf, i ? "," : "");
		isx_json_quote(buf, isx_span_of(stats->fields[i]));
	}
	isx_buf_char(buf, ']');
	add_distances(buf, stats);
	isx_buf_char(buf, '}');
}

/* --- reading ---------------------------------------------------------------------------------- */

/* 0 for a negative number and for what is no whole number. */
static uint64_t count_of(struct isx_span value)
{
	int64_t count = isx_json_int(value);
	return count > 0 ? (uint64_t)count : 0;
}

/* The number that the name of a member is: a length, a hub or a distance. What is no number, or
 * larger than `max`, is 0 and not an error: a caller may use it as an index into an array of max +
 * 1 entries. */
static uint32_t number_of(struct isx_span key, uint32_t max)
{
	uint64_t number = 0;
	return isx_span_uint(key, max, &number) ? (uint32_t)number : 0;
}

/* Memory for the members of an object, at most of the size of their text times a constant: each
 * has five characters at least. NULL: no memory. Counting first costs a second walk over the text,
 * but no memory that grows and is copied. */
static void *room_for(struct isx_span object, size_t size, struct isx_arena *arena)
{
	struct isx_json_walk walk = isx_json_walk_start(object);
	struct isx_span key, value;
	size_t count = 0;
	while (isx_json_next_member(&walk, &key, &value))
		count++;
	return isx_arena_alloc(arena, count, size);
}

/* Read {"64":12,...} of one type. */
static enum isx_status read_lengths(struct isx_span object, struct isx_arena *arena,
				    struct isx_stats_type *type, struct isx_err *err)
{
	struct isx_json_walk walk = isx_json_walk_start(object);
	struct isx_span key, value;
	struct isx_stats_length *made = room_for(object, sizeof *made, arena);
	if (!made)
		return isx_fail_memory(err);
	while (isx_json_next_member(&walk, &key, &value))
		made[type->length_count++] = (struct isx_stats_length){ number_of(key, UINT32_MAX),
									count_of(value) };
	type->lengths = made;
	return ISX_OK;
}

/* Read units or simprints. The answer says how many assets lack a type; the struct says how many
 * have it. A number of lacking assets beyond all assets would wrap, so it becomes 0. */
static enum isx_status read_types(struct isx_span object, struct isx_span without, uint64_t assets,
				  struct isx_arena *arena, const struct isx_stats_type **types,
				  size_t *count, struct isx_err *err)
{
	struct isx_json_walk walk = isx_json_walk_start(object);
	struct isx_span key, value, lacking;
	struct isx_stats_type *made = room_for(object, sizeof *made, arena);
	enum isx_status st = made ? ISX_OK : isx_fail_memory(err);
	while (!st && isx_json_next_member(&walk, &key, &value)) {
		struct isx_stats_type *type = &made[(*count)++];
		type->type = isx_json_name(key, arena);
		if (!type->type)
			return isx_fail_memory(err);
		lacking = isx_json_member(without, type->type);
		type->assets = assets > count_of(lacking) ? assets - count_of(lacking) : 0;
		st = read_lengths(value, arena, type, err);
	}
	*types = made;
	return st;
}

/* Read the members of `periods` and `hubs`. A name that is longer than its room is cut: this
 * program sends none. */
static enum isx_status read_periods(struct isx_span periods, struct isx_span hubs,
				    struct isx_arena *arena, struct isx_index_stats *stats,
				    struct isx_err *err)
{
	struct isx_json_walk walk = isx_json_walk_start(periods);
	struct isx_span key, value;
	struct isx_stats_period *period = room_for(periods, sizeof *period, arena);
	struct isx_stats_hub *hub = room_for(hubs, sizeof *hub, arena);
	if (!period || !hub)
		return isx_fail_memory(err);
	while (isx_json_next_member(&walk, &key, &value)) {
		struct isx_stats_period *one = &period[stats->period_count++];
		snprintf(one->name, sizeof one->name, "%.*s", key.len < 15 ? (int)key.len : 15,
			 key.ptr);
		one->assets = count_of(value);
	}
	walk = isx_json_walk_start(hubs);
	while (isx_json_next_member(&walk, &key, &value))
		hub[stats->hub_count++] = (struct isx_stats_hub){ number_of(key, ISX_HUB_MAX),
								  count_of(value) };
	stats->periods = period;
	stats->hubs = hub;
	return ISX_OK;
}

/* Read the distances of one type and one length. bits is read with a ceiling before memory is
 * taken for the counts, and each distance with that of bits: an answer can neither ask for much
 * memory nor write beyond the array. */
static enum isx_status read_measured(struct isx_span key, struct isx_span object,
				     struct isx_arena *arena, struct isx_stats_distances *one,
				     struct isx_err *err)
{
	enum { PAIRS, DISTANCE, RANDOM, MEASURED, COUNTS, FIELDS };
	static const char *const names[FIELDS] = { "pairs", "match_distance", "match_chance_random",
						   "match_chance", "counts" };
	struct isx_span found[FIELDS], distance, count;
	isx_json_find(object, names, FIELDS, found);
	one->bits = number_of(key, ISX_BODY_BYTES_MAX * 8);
	one->pairs = count_of(found[PAIRS]);
	one->match_distance = (uint32_t)count_of(found[DISTANCE]);
	uint64_t *counts = isx_arena_alloc(arena, one->bits + 1, sizeof *counts);
	if (!counts || !isx_json_number(found[RANDOM], &one->match_chance_random) ||
	    !isx_json_number(found[MEASURED], &one->match_chance))
		return isx_fail_memory(err);
	struct isx_json_walk walk = isx_json_walk_start(found[COUNTS]);
	while (isx_json_next_member(&walk, &distance, &count))
		counts[number_of(distance, one->bits)] += count_of(count);
	one->counts = counts;
	return ISX_OK;
}

/* The shortest element bounds memory by the length of the text: 257 counts are 2 KiB. */
static enum isx_status read_distances(struct isx_span object, struct isx_arena *arena,
				      struct isx_index_stats *stats, struct isx_err *err)
{
	enum { LENGTHS_MAX = 32 };
	enum isx_status st = ISX_OK;
	for (size_t i = 0; !st && i < stats->unit_type_count; i++) {
		struct isx_stats_type *type = (struct isx_stats_type *)&stats->units[i];
		struct isx_span lengths = isx_json_member(object, type->type), key, value;
		struct isx_json_walk walk = isx_json_walk_start(lengths);
		struct isx_stats_distances *made = room_for(lengths, sizeof *made, arena);
		if (!made)
			return isx_fail_memory(err);
		while (!st && type->distances_count < LENGTHS_MAX &&
		       isx_json_next_member(&walk, &key, &value))
			st = read_measured(key, value, arena, &made[type->distances_count++], err);
		type->distances = made;
	}
	return st;
}

/* What is no text is left out. The texts live in the arena with the rest of the answer. */
static enum isx_status read_fields(struct isx_span list, struct isx_arena *arena,
				   struct isx_index_stats *stats, struct isx_err *err)
{
	struct isx_json_walk walk = isx_json_walk_start(list);
	struct isx_span element, text;
	const char **made = isx_arena_alloc(arena, isx_json_length(list), sizeof *made);
	if (!made)
		return isx_fail_memory(err);
	while (isx_json_next_element(&walk, &element)) {
		if (!isx_json_string(element, arena, &text))
			return isx_fail_memory(err);
		if (text.ptr)
			made[stats->field_count++] = text.ptr;
	}
	stats->fields = made;
	return ISX_OK;
}

/* Only the number of assets is required: an index may be empty. */
enum isx_status isx_stats_from_answer(struct isx_span text, struct isx_arena *arena,
				      struct isx_index_stats *stats, struct isx_err *err)
{
	enum {
		ASSETS,
		REALM,
		FIRST,
		LAST,
		PERIODS,
		HUBS,
		UNITS,
		WITHOUT,
		SIMPRINTS,
		WITHOUT_SIMPRINTS,
		IDENTICAL,
		SAMPLED,
		CODE,
		METADATA,
		DECLARED,
		DISTANCES,
		FIELDS
	};
	static const char *const names[FIELDS] = {
		"assets",    "realm",   "first",          "last",          "periods",
		"hubs",      "units",   "without",        "simprints",     "without_simprints",
		"identical", "sampled", "with_iscc_code", "with_metadata", "fields",
		"distances"
	};
	struct isx_span found[FIELDS], first, last;
	isx_json_find(text, names, FIELDS, found);
	*stats = (struct isx_index_stats){ .assets = count_of(found[ASSETS]),
					   .realm = (uint32_t)count_of(found[REALM]),
					   .sampled = count_of(found[SAMPLED]),
					   .with_code = count_of(found[CODE]),
					   .with_metadata = count_of(found[METADATA]) };
	if (isx_json_kind(found[ASSETS]) != ISX_JSON_INT)
		return isx_fail_answer(err, "a number of assets");
	stats->identical_groups = count_of(isx_json_member(found[IDENTICAL], "groups"));
	stats->identical_duplicates = count_of(isx_json_member(found[IDENTICAL], "duplicates"));
	if (!isx_json_string(found[FIRST], arena, &first) ||
	    !isx_json_string(found[LAST], arena, &last))
		return isx_fail_memory(err);
	if (stats->assets && (!isx_timestamp_parse(first, &stats->first_us) ||
			      !isx_timestamp_parse(last, &stats->last_us)))
		return isx_fail_answer(err, "the times of the first and the last asset");
	enum isx_status st = read_types(found[UNITS], found[WITHOUT], stats->assets, arena,
					&stats->units, &stats->unit_type_count, err);
	if (!st)
		st = read_types(found[SIMPRINTS], found[WITHOUT_SIMPRINTS], stats->assets, arena,
				&stats->simprints, &stats->simprint_type_count, err);
	if (!st)
		st = read_periods(found[PERIODS], found[HUBS], arena, stats, err);
	if (!st)
		st = read_distances(found[DISTANCES], arena, stats, err);
	return st ? st : read_fields(found[DECLARED], arena, stats, err);
}
