/*
 * show.c - prints the result of a search, as JSON or as a table.
 *
 * Texts from outside (metadata, names, the queried file) are printed with say*(), which escapes
 * what a terminal would interpret.
 * The JSON is that of the REST API (json/wire.h). The table is for people only: its form may change.
 *
 * What is shown beside the API's answer, such as names and the text of passages, is found in what
 * is here already: no further request is made, but for the number of assets where nothing matches.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/show.h"

#include "base/limits.h"
#include "cli/say.h"
#include "cli/term.h"
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

/* The name of an asset: the first member of its metadata among name, title and source that is a
 * text that is not empty. Metadata has no schema, so these are guesses, in the order in which they
 * name a work best. Metadata of another server is checked before it is walked through. */
static struct isx_span find_name(const char *metadata, struct isx_arena *arena)
{
	static const char *const names[] = { "name", "title", "source" };
	enum { NAMES = sizeof names / sizeof names[0] };
	struct isx_span object = isx_span_of(metadata), found[NAMES], text = { 0 };
	size_t offset;
	if (!metadata || isx_json_check(object, &offset, NULL))
		return text;
	isx_json_find(object, names, NAMES, found);
	for (size_t i = 0; i < NAMES && text.len == 0; i++)
		if (!isx_json_string(found[i], arena, &text))
			break;
	return text;
}

/* Find the passage of the queried file with the simprint of a matching chunk; NULL if the query is
 * no file. Results have simprints as base64url without padding, files may have other forms: so
 * both are compared in one form. Linear: only the passages of a few shown matches are looked up. */
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
	enum { SHOWN_BYTES = 60, SHOWN_INDENT = 16 };
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
	if (term_width())   /* on a line of its own, which fits */
		printf("\n%*s", SHOWN_INDENT, "");
	else
		printf("  ");
	printf("\"");
	say_text(stdout, text);
	printf("%s\"", cut ? "..." : "");
}

/* The columns of print_row(). */
enum { NAME_COLUMN = 37, UNIT_INDENT = 6, SCORE_WIDTH = 6, BAR_CELLS_MAX = 30 };

/* Types that do not count are shown, too: they tell why a score is not higher. */
void show_explanation(const struct isx_type_explanation *types, size_t count, int indent,
		      const char *const lacks[2])
{
	printf("%*s%sType              Bits  Differ   Score  By chance%s\n", indent, "",
	       term_style(stdout, TERM_BOLD), term_style(stdout, TERM_PLAIN));
	for (size_t i = 0; i < count; i++) {
		const struct isx_type_explanation *one = &types[i];
		say(stdout, "%*s%-16s  ", indent, "", one->type);
		if (one->absent) {
			printf("%s\n", lacks[one->absent == 'b']);
			continue;
		}
		printf("%4u  %6u  %.4f  %9.2g", one->compared_bits, one->distance, one->score,
		       one->expect);
		if (!one->counted)
			printf("  misses by %.4f", one->missed_by);
		printf("\n");
	}
}

/* The types of a match, for a query that asks for them. */
static void print_explanation(const struct isx_match *match)
{
	static const char *const lacks[2] = { "not in the query", "the asset has none" };
	show_explanation(match->explanation, match->explanation_count, UNIT_INDENT, lacks);
}

/* One line for each of the passages that decided, the most decisive first. */
static void print_decisive(const struct isx_chunk_type *type)
{
	size_t decisive[ISX_DECISIVE_MAX];
	size_t count = isx_decisive_chunks(type, decisive);
	printf("        decided by\n");
	for (size_t i = 0; i < count; i++) {
		const struct isx_chunk *chunk = &type->chunks[decisive[i]];
		printf("        %5.1f %% of the score at %u: score %.4f, weight %.4f, in %llu "
		       "asset%s\n",
		       100 * chunk->share, chunk->offset, chunk->score, chunk->weight,
		       (unsigned long long)chunk->freq, chunk->freq == 1 ? "" : "s");
	}
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
	/* A setting of this host has no effect on another server. */
	double max_expect = query->max_expect > 0                  ? query->max_expect
			    : strncmp(target->uri, "http", 4) != 0 ? target->settings.max_expect
								   : 0;
	struct isx_index_info info;
	char count[32];
	if (isx_index_stat(target->store, target->name, &info, NULL)) {
		say_line(stdout, "No match in index '%s'.", target->name);
		return;
	}
	printf("No match");
	if (threshold >= 0)
		printf(" of at least %g", threshold);
	if (max_expect > 0)
		printf("%s at most %g expected by chance", threshold >= 0 ? " and" : " of",
		       max_expect);
	printf(" among ");
	say_line(stdout, "%s asset%s of index '%s'%s.", term_count(info.assets, count),
		 info.assets == 1 ? "" : "s", target->name,
		 query->filter ? " with this filter" : "");
	isx_index_info_release(&info);
}

static void print_heading(void)
{
	printf("%sRank  Score   ISCC-ID                Name%s\n", term_style(stdout, TERM_BOLD),
	       term_style(stdout, TERM_PLAIN));
}

/* On a terminal a name that does not fit is shortened.
 *   rank  0: not known, as on a page behind the first one */
static void print_row(size_t rank, double score, const char *iscc_id, const char *metadata)
{
	struct isx_arena arena = { 0 };
	struct isx_buf name = { 0 };
	struct isx_span text = find_name(metadata, &arena);
	size_t width = term_width();
	if (rank)
		printf("%4zu", rank);
	else
		printf("    ");
	say(stdout, "  %.4f  %-21s  ", score, iscc_id);
	if (width)
		term_add_shortened(&name, text, width > NAME_COLUMN ? width - NAME_COLUMN : 0);
	else
		isx_shown_add(&name, text);
	printf("%.*s\n", (int)name.len, name.len ? name.ptr : "");
	isx_buf_release(&name);
	isx_arena_release(&arena);
}

/* Below a threshold of 0.75 similarity may be chance, above 0.9 hardly anything differs. */
static enum term_style style_of(double score)
{
	return score >= 0.9 ? TERM_GOOD : score >= 0.75 ? TERM_FAIR : TERM_DIM;
}

/* One line per unit, with a bar that leaves room for the name and the number. */
static void print_bars(const struct isx_match *match, size_t width)
{
	size_t widest = 0;
	for (size_t k = 0; k < match->type_count; k++)
		if (strlen(match->types[k].type) > widest)
			widest = strlen(match->types[k].type);
	size_t taken = UNIT_INDENT + widest + 2 + SCORE_WIDTH + 2;
	size_t cells = width > taken ? width - taken : 0;
	for (size_t k = 0; k < match->type_count; k++) {
		struct isx_buf bar = { 0 };
		term_add_bar(&bar, match->types[k].score,
			     cells < BAR_CELLS_MAX ? cells : BAR_CELLS_MAX);
		while (bar.len && bar.ptr[bar.len - 1] == ' ')
			bar.len--;
		say(stdout, "%*s%-*s  %.4f  ", UNIT_INDENT, "", (int)widest, match->types[k].type,
		    match->types[k].score);
		printf("%s%.*s%s\n", term_style(stdout, style_of(match->types[k].score)),
		       (int)bar.len, bar.len ? bar.ptr : "", term_style(stdout, TERM_PLAIN));
		isx_buf_release(&bar);
	}
}

/* In a pipe the scores of the units stand on one line, so that a match is always two lines. */
static void print_scores(const struct isx_match *match)
{
	printf("%*s", UNIT_INDENT, "");
	for (size_t k = 0; k < match->type_count; k++)
		say(stdout, "%s%s %.4f", k ? ", " : "", match->types[k].type,
		    match->types[k].score);
	printf("\n");
}

/* What the match is ranked by, if it is not its score. */
static void print_rank(const struct isx_match *match)
{
	if (!match->tier && !match->has_expect)
		return;
	printf("%*s", UNIT_INDENT, "");
	if (match->tier)
		say(stdout, "%s %.4f%s", match->tier, match->tier_score,
		    match->has_expect ? ", " : "");
	if (match->has_expect)
		printf("%.2g expected by chance", match->expect);
	printf("\n");
}

/* On a terminal a line with a bar for each unit, in a pipe one line of scores for each match. */
static void print_matches(const struct isx_result *result)
{
	size_t width = term_width();
	bool is_first = !result->query.after || !result->query.after[0];
	if (result->match_count)
		print_heading();
	for (size_t i = 0; i < result->match_count; i++) {
		const struct isx_match *match = &result->matches[i];
		print_row(is_first ? i + 1 : 0, match->score, match->iscc_id, match->metadata);
		print_rank(match);
		if (match->explanation)
			print_explanation(match);
		else if (width)
			print_bars(match, width);
		else
			print_scores(match);
	}
}

/* A text is shown without its quotes, so that it reads like the word that --where takes. */
static void print_value(const char *json)
{
	struct isx_arena arena = { 0 };
	struct isx_span value = isx_span_of(json), text = value;
	if (isx_json_kind(value) == ISX_JSON_STRING && !isx_json_string(value, &arena, &text))
		text = value;
	say_text(stdout, text);
	printf("\n");
	isx_arena_release(&arena);
}

/* Below each field its values and how many of all matches have them. */
static void print_facets(const struct isx_facet *facets, size_t count, const char *of)
{
	char number[32];
	for (size_t i = 0; i < count; i++) {
		printf("\n");
		say_line(stdout, "%s of all %s:", facets[i].field, of);
		for (size_t k = 0; k < facets[i].value_count; k++) {
			printf("%10s  ", term_count(facets[i].values[k].count, number));
			print_value(facets[i].values[k].value);
		}
		if (facets[i].others)
			printf("%10s  (other values)\n", term_count(facets[i].others, number));
		if (!facets[i].value_count)
			printf("%10s  (no value)\n", "0");
	}
}

void show_table(const struct question *question, const struct isx_result *result)
{
	bool is_first = !result->query.after || !result->query.after[0];
	print_matches(result);
	if (result->chunk_match_count) {
		printf("%sPassages found in:\n", result->match_count ? "\n" : "");
		print_heading();
	}
	for (size_t i = 0; i < result->chunk_match_count; i++) {
		const struct isx_chunk_match *match = &result->chunk_matches[i];
		print_row(is_first ? i + 1 : 0, match->score, match->iscc_id, match->metadata);
		for (size_t k = 0; k < match->type_count; k++) {
			print_chunks(question, &match->types[k]);
			if (result->query.explains)
				print_decisive(&match->types[k]);
		}
	}
	print_facets(result->facets, result->match_count ? result->query.facet_count : 0,
		     "matches");
	print_facets(result->chunk_facets,
		     result->chunk_match_count ? result->query.facet_count : 0,
		     "assets that share passages");
}
