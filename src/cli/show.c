/*
 * show.c - prints the result of a search, as JSON or as a table.
 *
 * Texts from outside (metadata, names, the queried file) are printed with say*(), which escapes
 * what a terminal would interpret.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/show.h"

#include "base/limits.h"
#include "cli/say.h"
#include "iscc/base32.h"
#include "json/json.h"
#include "json/json_pretty.h"
#include "json/wire.h"

#include <stdio.h>

void show_json(const struct isx_result *result)
{
	struct isx_buf compact = { 0 }, pretty = { 0 };
	isx_result_to_json(&compact, result);
	isx_json_pretty(&pretty, (struct isx_span){ compact.ptr, compact.len }, true);
	say_json((struct isx_span){ pretty.ptr, pretty.len });
	isx_buf_release(&compact);
	isx_buf_release(&pretty);
}

/* Print the name of an asset: the first member of its metadata among name, title and source that is
 * a text that is not empty. */
static void print_name(const char *metadata)
{
	static const char *const names[] = { "name", "title", "source" };
	enum { NAMES = sizeof names / sizeof names[0] };
	struct isx_span object = isx_span_of(metadata), found[NAMES], text = { 0 };
	struct isx_arena arena = { 0 };
	size_t offset;
	if (!metadata || isx_json_check(object, &offset, NULL))
		return;
	isx_json_find(object, names, NAMES, found);
	for (size_t i = 0; i < NAMES && text.len == 0; i++)
		if (!isx_json_string(found[i], &arena, &text))
			break;
	say_text(stdout, text);
	isx_arena_release(&arena);
}

/* Find the passage of the queried file with the simprint of a matching chunk; NULL if the query is
 * no file. Results have simprints as base64url without padding, files may have other forms: so both
 * are compared in one form. */
static const struct isx_simprint *own_passage(const struct question *question, const char *simprint)
{
	char text[2 * ISX_SIMPRINT_BYTES_MAX];
	uint8_t bytes[ISX_SIMPRINT_BYTES_MAX];
	size_t count;
	for (size_t i = 0; i < question->passage_count; i++) {
		const struct isx_simprint *passage = &question->passages[i];
		struct isx_span given = isx_span_of(passage->simprint);
		if (isx_base64_decode(given, bytes, sizeof bytes, &count, NULL))
			continue;
		isx_base64_encode(bytes, count, text);
		if (strcmp(text, simprint) == 0)
			return passage;
	}
	return NULL;
}

/* Print the beginning of a passage of the queried file, on one line. Nothing if its offset is
 * behind the text: offset and size are in bytes of UTF-8, but the file may not belong to this
 * text. */
static void print_own_text(const struct question *question, const struct isx_simprint *passage)
{
	enum { SHOWN_BYTES = 60 };
	struct isx_span text = { question->text.ptr, question->text.len };
	if (passage->offset >= text.len)
		return;
	text = isx_span_skip(text, passage->offset);
	if (text.len > passage->size)
		text.len = passage->size;
	/* SHOWN_BYTES keep the line within a terminal. */
	bool cut = text.len > SHOWN_BYTES;
	if (cut)
		text.len = SHOWN_BYTES;
	while (cut && text.len && ((unsigned char)text.ptr[text.len] & 0xC0) == 0x80)
		text.len--; /* back to the beginning of a character */
	printf("  \"");
	say_text(stdout, text);
	printf("%s\"", cut ? "..." : "");
}

/* One line per simprint type, then one per passage, in query order. */
static void print_chunks(const struct question *question, const struct isx_chunk_type *type)
{
	say_line(stdout, "      %s %.4f, %zu of %zu passages", type->type, type->score,
		 type->matches, type->queried);
	for (size_t i = 0; i < type->matches; i++) {
		const struct isx_chunk *chunk = &type->chunks[i];
		const struct isx_simprint *own = own_passage(question, chunk->query);
		printf("        %.4f  at %u, size %u", chunk->score, chunk->offset, chunk->size);
		if (own) {
			printf("; in the query at %u, size %u", own->offset, own->size);
			print_own_text(question, own);
		}
		printf("\n");
	}
}

/* Print a number with commas between groups of three digits, whatever the locale. */
static void print_count(uint64_t count)
{
	char digits[24];
	int len = snprintf(digits, sizeof digits, "%llu", (unsigned long long)count);
	for (int i = 0; i < len; i++)
		printf("%s%c", i && (len - i) % 3 == 0 ? "," : "", digits[i]);
}

/* The lowest score of a match. A query of simprints alone uses the threshold of passages. With units and
 * simprints the lower threshold is named, which holds for every kind. Negative: it is not known here, as it
 * is a setting of another server, the engine has none, or the types have different ones. */
static double threshold_of(const struct target *target, const struct isx_query *query)
{
	const struct settings *settings = &target->settings;
	bool has_units = query->iscc_id || query->iscc_code || query->unit_count;
	bool has_passages = query->simprint_type_count > 0 || query->own_chunks;
	double threshold = has_units ? settings->match_threshold_units
				     : settings->match_threshold_simprints;
	if (query->min_score_count)
		return -1;
	if (query->has_min_score)
		return query->min_score;
	if (has_passages && settings->match_threshold_simprints < threshold)
		threshold = settings->match_threshold_simprints;
	return target->has_thresholds ? threshold : -1;
}

/* The search has succeeded, so a failure to count the assets is only a number that is missing. */
void show_no_match(const struct target *target, const struct isx_query *query)
{
	double threshold = threshold_of(target, query);
	struct isx_index_info info;
	if (isx_index_stat(target->store, target->name, &info, NULL)) {
		say_line(stdout, "No match in index '%s'.", target->name);
		return;
	}
	printf("No match");
	if (threshold >= 0)
		printf(" of at least %g", threshold);
	printf(" among ");
	print_count(info.assets);
	say_line(stdout, " asset%s of index '%s'.", info.assets == 1 ? "" : "s", target->name);
	isx_index_info_release(&info);
}

/* The columns of print_row(). */
static void print_heading(void)
{
	printf("Rank  Score   ISCC-ID                Name\n");
}

static void print_row(size_t rank, double score, const char *iscc_id, const char *metadata)
{
	say(stdout, "%4zu  %.4f  %-21s  ", rank, score, iscc_id);
	print_name(metadata);
	printf("\n");
}

/* Two lines per match: the row, and the scores of its units. */
static void print_matches(const struct isx_result *result)
{
	if (result->match_count)
		print_heading();
	for (size_t i = 0; i < result->match_count; i++) {
		const struct isx_match *match = &result->matches[i];
		print_row(i + 1, match->score, match->iscc_id, match->metadata);
		printf("      ");
		for (size_t k = 0; k < match->type_count; k++)
			say(stdout, "%s%s %.4f", k ? ", " : "", match->types[k].type,
			    match->types[k].score);
		printf("\n");
	}
}

void show_table(const struct question *question, const struct isx_result *result)
{
	print_matches(result);
	if (result->chunk_match_count) {
		printf("%sPassages found in:\n", result->match_count ? "\n" : "");
		print_heading();
	}
	for (size_t i = 0; i < result->chunk_match_count; i++) {
		const struct isx_chunk_match *match = &result->chunk_matches[i];
		print_row(i + 1, match->score, match->iscc_id, match->metadata);
		for (size_t k = 0; k < match->type_count; k++)
			print_chunks(question, &match->types[k]);
	}
}
