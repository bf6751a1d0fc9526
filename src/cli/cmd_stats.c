/*
 * cmd_stats.c - the command `stats`: what an index holds, in numbers.
 *
 * One pass over all assets, of one snapshot. Memory: 8 bytes for each asset with an INSTANCE unit.
 * Built for indexes of some million assets: every asset is decoded once, in the main thread.
 * Relies on cursors for the order of ISCC-IDs (include/iscc_search.h). Must not know engines.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/array.h"
#include "base/buf.h"
#include "base/span.h"
#include "cli/commands.h"
#include "cli/say.h"
#include "cli/target.h"
#include "cli/term.h"
#include "iscc.h"
#include "json/json_pretty.h"
#include "json/json_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A type, or a type and a length, and how often it occurs. */
struct tally {
	char type[ISX_ISCC_TYPE_BYTES + 64];
	uint32_t bits;
	uint64_t count;
};

struct tallies {
	struct tally *items;
	size_t count, cap;
};

struct stats {
	uint64_t assets, with_code, with_metadata;
	struct tallies units, simprints;
	uint64_t first_us, last_us;
	uint64_t hubs[4096];
	uint32_t realm;
	uint64_t *instances; /* the first 64 bits of each INSTANCE unit */
	size_t instance_count, instance_cap;
	uint64_t groups, extra; /* of identical files, and their assets beyond the first */
};

/* There are few types, so the list is searched from its beginning. */
static enum isx_status tally_add(struct tallies *tallies, const char *type, uint32_t bits,
				 struct isx_err *err)
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
		tallies->items[i] = (struct tally){ .bits = bits };
		snprintf(tallies->items[i].type, sizeof tallies->items[i].type, "%s", type);
		tallies->count++;
	}
	tallies->items[i].count++;
	return ISX_OK;
}

/* Identical files are found by the first 64 bits, as a unit from an ISCC-CODE has no more. */
static enum isx_status count_unit(struct stats *stats, const struct isx_iscc *unit,
				  struct isx_err *err)
{
	enum isx_status st = tally_add(&stats->units, unit->type, unit->bits, err);
	if (st || unit->maintype != ISX_INSTANCE)
		return st;
	st = isx_array_room(&stats->instances, &stats->instance_cap, stats->instance_count + 1,
			    sizeof *stats->instances, NULL, err);
	if (!st)
		stats->instances[stats->instance_count++] = isx_load_be64(unit->body);
	return st;
}

/* What cannot be decoded (0.3.3 accepts it) is counted as no unit. */
static enum isx_status count_units(struct stats *stats, const struct isx_asset *asset,
				   struct isx_err *err)
{
	struct isx_iscc iscc, units[ISX_ISCC_UNITS];
	size_t count = 0;
	enum isx_status st = ISX_OK;
	for (size_t i = 0; !st && i < asset->unit_count; i++)
		if (!isx_iscc_parse(asset->units[i], &iscc, NULL))
			st = count_unit(stats, &iscc, err);
	if (asset->unit_count || !asset->iscc_code ||
	    isx_iscc_parse(asset->iscc_code, &iscc, NULL) ||
	    isx_iscc_decompose(&iscc, units, &count, NULL))
		return st;
	for (size_t i = 0; !st && i < count; i++)
		st = count_unit(stats, &units[i], err);
	return st;
}

/* An index holds one realm, so that of the last asset is that of all. A simprint is text in
 * base64, of which 6 bits are in a character: its length is that of the whole bytes. */
static enum isx_status count_asset(struct stats *stats, const struct isx_asset *asset,
				   struct isx_err *err)
{
	struct isx_iscc iscc;
	struct isx_iscc_id_parts parts;
	enum isx_status st = count_units(stats, asset, err);
	stats->with_code += asset->iscc_code != NULL;
	stats->with_metadata += asset->metadata != NULL;
	if (!isx_iscc_parse(asset->iscc_id, &iscc, NULL) &&
	    !isx_iscc_id_decompose(&iscc, &parts, NULL)) {
		stats->first_us = stats->assets ? stats->first_us : parts.time_us;
		stats->last_us = parts.time_us; /* assets come in the order of their ISCC-IDs */
		stats->realm = parts.realm;
		stats->hubs[parts.hub & 4095]++;
	}
	stats->assets++;
	for (size_t i = 0; !st && i < asset->simprint_count; i++) {
		size_t chars = strcspn(asset->simprints[i].simprint, "=");
		st = tally_add(&stats->simprints, asset->simprints[i].type,
			       (uint32_t)(chars * 6 / 8 * 8), err);
	}
	return st;
}

/* Not a subtraction, as a difference of 64 bits does not fit into an int. */
static int compare_keys(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

static int compare_tallies(const void *a, const void *b)
{
	const struct tally *x = a, *y = b;
	int order = strcmp(x->type, y->type);
	return order ? order : x->bits < y->bits ? -1 : x->bits > y->bits;
}

static void sort_tallies(struct tallies *tallies)
{
	if (tallies->count)
		qsort(tallies->items, tallies->count, sizeof *tallies->items, compare_tallies);
}

/* After sorting, equal INSTANCE units stand side by side: a group begins where a value equals
 * the one before and not the one before that. */
static void find_duplicates(struct stats *stats)
{
	const uint64_t *all = stats->instances;
	if (stats->instance_count)
		qsort(stats->instances, stats->instance_count, sizeof *all, compare_keys);
	for (size_t i = 1; i < stats->instance_count; i++) {
		stats->extra += all[i] == all[i - 1];
		stats->groups += all[i] == all[i - 1] && (i == 1 || all[i - 2] != all[i]);
	}
}

/* An asset that cannot be read is skipped, with a warning. */
static enum isx_status count_all(struct target *target, struct stats *stats, struct isx_err *err)
{
	struct isx_cursor *cursor;
	const struct isx_asset *asset = NULL;
	enum isx_status st = isx_cursor_open(target->store, target->name, NULL, &cursor, err);
	if (st)
		return st;
	do {
		st = isx_cursor_next(cursor, &asset, err);
		if (st == ISX_CORRUPT) {
			say_line(stderr, "Warning: %s", err->msg);
			st = ISX_OK;
		} else if (!st && asset) {
			st = count_asset(stats, asset, err);
		}
	} while (!st && asset);
	isx_cursor_close(cursor);
	sort_tallies(&stats->units);
	sort_tallies(&stats->simprints);
	find_duplicates(stats);
	return st;
}

/* --- printing --------------------------------------------------------------------------------- */

static void print_time(uint64_t time_us, char text[32])
{
	time_t seconds = (time_t)(time_us / 1000000);
	struct tm parts;
	gmtime_r(&seconds, &parts);
	strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", &parts);
}

/* {"TYPE":{"64":12,"256":3},...}: the list is sorted by type. */
static void add_tallies(struct isx_buf *json, const struct tallies *tallies)
{
	isx_buf_char(json, '{');
	for (size_t i = 0; i < tallies->count; i++) {
		const struct tally *one = &tallies->items[i];
		bool is_first = i == 0 || strcmp(one[-1].type, one->type) != 0;
		bool is_last = i + 1 == tallies->count || strcmp(one[1].type, one->type) != 0;
		if (is_first) {
			isx_buf_text(json, i ? "," : "");
			isx_json_quote(json, isx_span_of(one->type));
			isx_buf_text(json, ":{");
		}
		isx_buf_printf(json, "%s\"%u\":%llu%s", is_first ? "" : ",", one->bits,
			       (unsigned long long)one->count, is_last ? "}" : "");
	}
	isx_buf_char(json, '}');
}

/* Realm and times are left out without assets: there is no first ISCC-ID. */
static void print_as_json(const char *name, const struct stats *stats)
{
	struct isx_buf json = { 0 }, pretty = { 0 };
	char first[32], last[32];
	bool is_first = true;
	print_time(stats->first_us, first);
	print_time(stats->last_us, last);
	isx_buf_text(&json, "{\"index\":");
	isx_json_quote(&json, isx_span_of(name));
	isx_buf_printf(&json, ",\"assets\":%llu,\"with_iscc_code\":%llu,\"with_metadata\":%llu,",
		       (unsigned long long)stats->assets, (unsigned long long)stats->with_code,
		       (unsigned long long)stats->with_metadata);
	isx_buf_text(&json, "\"units\":");
	add_tallies(&json, &stats->units);
	isx_buf_text(&json, ",\"simprints\":");
	add_tallies(&json, &stats->simprints);
	if (stats->assets)
		isx_buf_printf(&json, ",\"realm\":%u,\"first\":\"%s\",\"last\":\"%s\"",
			       stats->realm, first, last);
	isx_buf_text(&json, ",\"hubs\":{");
	for (size_t i = 0; i < sizeof stats->hubs / sizeof stats->hubs[0]; i++) {
		if (!stats->hubs[i])
			continue;
		isx_buf_printf(&json, "%s\"%zu\":%llu", is_first ? "" : ",", i,
			       (unsigned long long)stats->hubs[i]);
		is_first = false;
	}
	isx_buf_printf(&json, "},\"identical\":{\"groups\":%llu,\"duplicates\":%llu}}",
		       (unsigned long long)stats->groups, (unsigned long long)stats->extra);
	isx_json_pretty(&pretty, (struct isx_span){ json.ptr, json.len }, false);
	say_json((struct isx_span){ pretty.ptr, pretty.len });
	isx_buf_release(&json);
	isx_buf_release(&pretty);
}

/* One line for each type and length; no heading without any. */
static void print_tallies(const char *title, const struct tallies *tallies)
{
	char count[32];
	if (tallies->count)
		printf("%s%s%s\n", term_style(stdout, TERM_BOLD), title,
		       term_style(stdout, TERM_PLAIN));
	for (size_t i = 0; i < tallies->count; i++)
		say_line(stdout, "  %-24s  %3u bits  %14s", tallies->items[i].type,
			 tallies->items[i].bits, term_count(tallies->items[i].count, count));
}

/* "Hubs: 3 (1,200), 0 (17)": those with the most assets first. */
static void print_hubs(const struct stats *stats)
{
	enum { HUBS = sizeof stats->hubs / sizeof stats->hubs[0], SHOWN_HUBS = 5 };
	bool is_shown[HUBS] = { false };
	size_t hubs = 0;
	char count[32];
	for (size_t i = 0; i < HUBS; i++)
		hubs += stats->hubs[i] > 0;
	printf("Hubs: ");
	for (size_t shown = 0; shown < hubs && shown < SHOWN_HUBS; shown++) {
		size_t best = HUBS;
		for (size_t i = 0; i < HUBS; i++)
			if (stats->hubs[i] && !is_shown[i] &&
			    (best == HUBS || stats->hubs[i] > stats->hubs[best]))
				best = i;
		is_shown[best] = true;
		printf("%s%zu (%s)", shown ? ", " : "", best, term_count(stats->hubs[best], count));
	}
	if (hubs > SHOWN_HUBS)
		printf(" and %s more", term_count(hubs - SHOWN_HUBS, count));
	printf("\n");
}

/* Two numbers in one call need two buffers: term_count() returns the one that it fills. */
static void print_as_table(const char *name, const struct stats *stats)
{
	char first[32], last[32], count[32], other[32];
	print_time(stats->first_us, first);
	print_time(stats->last_us, last);
	say_line(stdout, "Index '%s': %s asset%s", name, term_count(stats->assets, count),
		 stats->assets == 1 ? "" : "s");
	print_tallies("Units", &stats->units);
	print_tallies("Simprints", &stats->simprints);
	if (!stats->assets)
		return;
	printf("Realm %u, from %s to %s\n", stats->realm, first, last);
	print_hubs(stats);
	printf("Identical files (INSTANCE): %s group%s, %s asset%s beyond the first of each\n",
	       term_count(stats->groups, count), stats->groups == 1 ? "" : "s",
	       term_count(stats->extra, other), stats->extra == 1 ? "" : "s");
}

/* The struct is too large for a stack frame. What was counted before a failure is not printed,
 * as it would look like a whole result. */
static int run_stats(const struct cli_args *args)
{
	static struct stats stats; /* 32 KiB */
	struct target target;
	struct isx_err err = { 0 };
	int code = CLI_ERROR;
	if (target_open(args, &target)) {
		enum isx_status st = count_all(&target, &stats, &err);
		code = st ? target_fail(st, &err) : CLI_OK;
		bool as_table = cli_option_value(args, "--table") || term_width();
		if (!st && (cli_option_value(args, "--json") || !as_table))
			print_as_json(target.name, &stats);
		else if (!st)
			print_as_table(target.name, &stats);
	}
	isx_mem_free(stats.units.items);
	isx_mem_free(stats.simprints.items);
	isx_mem_free(stats.instances);
	target_close(&target);
	return code;
}

static const struct cli_option options[] = {
	{ "--json", 'j', NULL, "Print JSON (the default when output is piped)" },
	{ "--table", 't', NULL, "Print a table (the default on a terminal)" },
	TARGET_OPTIONS,
};

const struct cli_command command_stats = {
	.name = "stats",
	.summary = "Show what an index holds: types, lengths, times, hubs",
	.text = "Counts the units and simprints of each type and length, the hubs of the ISCC-IDs, "
		"and the assets that are identical files (the same INSTANCE). All assets are "
		"read, of one moment.\n\n"
		"Examples:\n"
		"  iscc-search stats\n"
		"  iscc-search stats --json --uri usearch:///srv/iscc --index main\n",
	.options = options,
	.option_count = sizeof options / sizeof options[0],
	.run = run_stats,
};
