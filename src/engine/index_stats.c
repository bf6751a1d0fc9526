/*
 * index_stats.c - counts of an index by type, time and hub.
 *
 * Times are counted by the hour while ISCC-IDs come in their order, and are joined to days, months
 * or years at the end, when it is known how long a time they span: so that a list is neither empty
 * nor too long to read. Memory: 16 bytes for each hour with an asset.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "engine/index_stats.h"

#include "base/array.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { HOUR_S = 3600, HUB_BITS = 12 };
#define HOUR_US (HOUR_S * 1000000ull)

enum isx_status isx_tally_add(struct isx_tallies *tallies, const char *type, uint32_t bits,
			      uint64_t count, struct isx_err *err)
{
	size_t i = 0;
	while (i < tallies->count &&
	       (tallies->items[i].bits != bits || strcmp(tallies->items[i].type, type) != 0))
		i++;
	if (i == tallies->count) {
		enum isx_status st = isx_array_room(&tallies->items, &tallies->cap, i + 1,
						    sizeof *tallies->items, NULL, err);
		if (st)
			return st;
		tallies->items[i] = (struct isx_tally){ .bits = bits };
		snprintf(tallies->items[i].type, sizeof tallies->items[i].type, "%s", type);
		tallies->count++;
	}
	tallies->items[i].count += count;
	return ISX_OK;
}

enum isx_status isx_stats_count_id(struct isx_stats_count *count, uint64_t id, struct isx_err *err)
{
	uint64_t hour = (id >> HUB_BITS) / HOUR_US;
	if (count->hour_count == 0 || count->hours[count->hour_count - 1].hour != hour) {
		enum isx_status st = isx_array_room(&count->hours, &count->hour_cap,
						    count->hour_count + 1, sizeof *count->hours,
						    count->quota, err);
		if (st)
			return st;
		count->hours[count->hour_count++] = (struct isx_stats_hour){ .hour = hour };
	}
	count->hours[count->hour_count - 1].count++;
	count->hubs[id & ISX_HUB_MAX]++;
	count->first = count->assets ? count->first : id;
	count->last = id;
	count->assets++;
	return ISX_OK;
}

/* Identical files are known by the first 64 bits, as a unit from an ISCC-CODE has no more. A group
 * begins where a value equals the one before and not the one before that. */
void isx_stats_count_instance(struct isx_stats_count *count, uint64_t bits)
{
	bool is_equal = count->instances > 0 && bits == count->before[0];
	count->duplicates += is_equal;
	count->groups += is_equal && !(count->instances > 1 && bits == count->before[1]);
	count->before[1] = count->before[0];
	count->before[0] = bits;
	count->instances++;
}

void isx_stats_count_sampled(struct isx_stats_count *count, const struct isx_asset *asset)
{
	count->sampled++;
	count->with_code += asset->iscc_code != NULL;
	count->with_metadata += asset->metadata != NULL;
}

/* --- the result ------------------------------------------------------------------------------- */

static int by_type(const void *left, const void *right)
{
	const struct isx_tally *a = left, *b = right;
	int order = strcmp(a->type, b->type);
	return order ? order : a->bits < b->bits ? -1 : a->bits > b->bits;
}

/* The number of assets with a type. */
static uint64_t assets_of(const struct isx_tallies *assets, const char *type)
{
	uint64_t found = 0;
	for (size_t i = 0; i < assets->count; i++)
		if (strcmp(assets->items[i].type, type) == 0)
			found += assets->items[i].count;
	return found;
}

/* Lay out counts as one element for each type, with its lengths. */
static enum isx_status fill_types(struct isx_tallies *tallies, const struct isx_tallies *assets,
				  struct isx_arena *arena, const struct isx_stats_type **types,
				  size_t *type_count, struct isx_err *err)
{
	struct isx_stats_type *made = isx_arena_alloc(arena, tallies->count, sizeof *made);
	struct isx_stats_length *lengths = isx_arena_alloc(arena, tallies->count, sizeof *lengths);
	if (!made || !lengths)
		return isx_fail_memory(err);
	if (tallies->count)
		qsort(tallies->items, tallies->count, sizeof *tallies->items, by_type);
	for (size_t i = 0; i < tallies->count; i++) {
		const struct isx_tally *one = &tallies->items[i];
		lengths[i] = (struct isx_stats_length){ .bits = one->bits, .count = one->count };
		if (i == 0 || strcmp(one[-1].type, one->type) != 0) {
			const char *type = isx_arena_text(arena, one->type, strlen(one->type));
			if (!type)
				return isx_fail_memory(err);
			made[(*type_count)++] =
				(struct isx_stats_type){ .type = type,
							 .assets = assets_of(assets, type),
							 .lengths = &lengths[i] };
		}
		made[*type_count - 1].length_count++;
	}
	*types = made;
	return ISX_OK;
}

/* The period of an hour, as text: "2025", "2025-01", "2025-01-31" or "2025-01-31T12". */
static void name_period(uint64_t hour, const char *form, char *name, size_t room)
{
	time_t seconds = (time_t)(hour * HOUR_S);
	struct tm parts;
	gmtime_r(&seconds, &parts);
	strftime(name, room, form, &parts);
}

/* Join hours to periods. Which kind of period depends on how long a time there is to show. */
static enum isx_status fill_periods(const struct isx_stats_count *count, struct isx_arena *arena,
				    struct isx_index_stats *stats, struct isx_err *err)
{
	enum { DAY = 24, MONTH = 30 * DAY, YEAR = 365 * DAY };
	uint64_t span = count->hour_count
				? count->hours[count->hour_count - 1].hour - count->hours[0].hour
				: 0;
	const char *form = span > 5ull * YEAR ? "%Y"
			   : span > 2 * MONTH ? "%Y-%m"
			   : span > 2 * DAY   ? "%Y-%m-%d"
					      : "%Y-%m-%dT%H";
	struct isx_stats_period *made = isx_arena_alloc(arena, count->hour_count, sizeof *made);
	if (!made)
		return isx_fail_memory(err);
	for (size_t i = 0; i < count->hour_count; i++) {
		char name[sizeof made->name];
		name_period(count->hours[i].hour, form, name, sizeof name);
		size_t last = stats->period_count;
		if (last == 0 || strcmp(made[last - 1].name, name) != 0) {
			memcpy(made[last].name, name, sizeof name);
			last = ++stats->period_count;
		}
		made[last - 1].assets += count->hours[i].count;
	}
	stats->periods = made;
	return ISX_OK;
}

static enum isx_status fill_hubs(const struct isx_stats_count *count, struct isx_arena *arena,
				 struct isx_index_stats *stats, struct isx_err *err)
{
	size_t hubs = 0;
	for (size_t i = 0; i <= ISX_HUB_MAX; i++)
		hubs += count->hubs[i] > 0;
	struct isx_stats_hub *made = isx_arena_alloc(arena, hubs, sizeof *made);
	if (!made)
		return isx_fail_memory(err);
	for (size_t i = 0; i <= ISX_HUB_MAX; i++)
		if (count->hubs[i])
			made[stats->hub_count++] = (struct isx_stats_hub){ (uint32_t)i,
									   count->hubs[i] };
	stats->hubs = made;
	return ISX_OK;
}

enum isx_status isx_stats_fill(struct isx_stats_count *count, struct isx_arena *arena,
			       struct isx_index_stats *stats, struct isx_err *err)
{
	*stats = (struct isx_index_stats){ .assets = count->assets,
					   .realm = count->realm,
					   .first_us = count->first >> HUB_BITS,
					   .last_us = count->last >> HUB_BITS,
					   .sampled = count->sampled,
					   .with_code = count->with_code,
					   .with_metadata = count->with_metadata,
					   .identical_groups = count->groups,
					   .identical_duplicates = count->duplicates };
	enum isx_status st = fill_types(&count->units, &count->unit_assets, arena, &stats->units,
					&stats->unit_type_count, err);
	if (!st)
		st = fill_types(&count->simprints, &count->simprint_assets, arena,
				&stats->simprints, &stats->simprint_type_count, err);
	if (!st)
		st = fill_periods(count, arena, stats, err);
	return st ? st : fill_hubs(count, arena, stats, err);
}

void isx_stats_count_release(struct isx_stats_count *count)
{
	isx_mem_free(count->units.items);
	isx_mem_free(count->simprints.items);
	isx_mem_free(count->unit_assets.items);
	isx_mem_free(count->simprint_assets.items);
	isx_mem_free(count->hours);
}
