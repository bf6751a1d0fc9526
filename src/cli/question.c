/*
 * question.c - makes a query from the arguments of `search`.
 *
 * Must not know the index: a query is read before it is opened. What is too much or unknown for an
 * engine is found out by the search.
 *
 * Queries come from words, from a file, and from lines of many queries, and all become one struct
 * isx_query here, so that a search does not depend on how it was asked. Memory: the arena of the
 * question, which ends with it; a file of at most ISX_FILE_BYTES_MAX.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/question.h"

#include "base/limits.h"
#include "cli/files.h"
#include "cli/generator.h"
#include "cli/iscc_file.h"
#include "cli/iscc_word.h"
#include "cli/lines.h"
#include "cli/settings.h"
#include "json/json.h"
#include "json/wire.h"

#include <limits.h>
#include <stdio.h>
#include <unistd.h>

/* Of a word with a dot or slash, a file was meant; of another one, anything. */
static const char *not_an_iscc(const char *word)
{
	return strpbrk(word, "./")
		       ? "no such file, and not an ISCC"
		       : "no such file, and not an ISCC: expected an ISCC-CODE, ISCC-UNITs or an "
			 "ISCC-ID (ISCC:...), or a file (.iscc.json, .jsonl)";
}

/* Words are ISCCs: one ISCC-ID, one ISCC-CODE, or one or more ISCC-UNITs. */
static enum isx_status query_of_words(const char *const *words, size_t count,
				      struct isx_arena *arena, struct isx_query *query,
				      struct isx_err *err)
{
	const char **units = isx_arena_alloc(arena, count, sizeof *units);
	if (!units)
		return isx_fail_memory(err);
	for (size_t i = 0; i < count; i++) {
		struct isx_header header = { 0 };
		const char *text = NULL;
		enum isx_status st = iscc_word_read(words[i], not_an_iscc(words[i]), arena, &text,
						    &header, err);
		if (st)
			return st;
		/* Several arguments are ISCC-UNITs of one query; an ISCC-ID or ISCC-CODE is a query
		 * of its own. */
		bool alone = count == 1;
		if (header.maintype == ISX_ID && alone)
			query->iscc_id = text;
		else if (header.maintype == ISX_CODE && alone)
			query->iscc_code = text;
		else if (header.maintype == ISX_ID || header.maintype == ISX_CODE)
			return isx_fail(err, ISX_INVALID,
					"%s: several arguments have to be ISCC-UNITs", text);
		else
			units[query->unit_count++] = text;
	}
	query->units = units;
	return ISX_OK;
}

/* Add the simprints of the asset to the query. Neighbours of one type become one group. Lists of
 * the asset are sorted by type, so one walk makes the groups; values are borrowed from the asset,
 * which lives in the same arena. */
static enum isx_status add_passages(const struct isx_asset *asset, struct question *question,
				    struct isx_err *err)
{
	size_t count = asset->simprint_count;
	struct isx_query *query = &question->query;
	struct isx_query_simprints *types = isx_arena_alloc(&question->arena, count, sizeof *types);
	const char **values = isx_arena_alloc(&question->arena, count, sizeof *values);
	if (!types || !values)
		return isx_fail_memory(err);
	for (size_t i = 0; i < count; i++) {
		const char *type = asset->simprints[i].type;
		values[i] = asset->simprints[i].simprint;
		/* A new group begins where the type changes. */
		if (i == 0 || strcmp(type, asset->simprints[i - 1].type) != 0)
			types[query->simprint_type_count++] =
				(struct isx_query_simprints){ .type = type, .values = &values[i] };
		types[query->simprint_type_count - 1].count++;
	}
	query->simprints = query->simprint_type_count ? types : NULL;
	question->passages = asset->simprints;
	question->passage_count = count;
	return ISX_OK;
}

/* Read the text that "folder/a.iscc.json" was made from: "folder/a.iscc.utf8". It is optional: the
 * table shows the beginning of passages from it. */
static void read_own_text(const char *path, struct isx_buf *text)
{
	char beside[PATH_MAX];
	const char *dot = strrchr(path, '.');
	int len = dot ? snprintf(beside, sizeof beside, "%.*s.utf8", (int)(dot - path), path) : -1;
	if (len > 0 && len < (int)sizeof beside && files_read(beside, FILES_REGULAR, text, NULL))
		isx_buf_clear(text);
}

/* 0: simprints keep their length, unlike in `add --simprint-bits`.
 *   generator  the command that makes the ISCC of a file that is no JSON; NULL: none */
static enum isx_status read_whole_file(const char *path, const char *generator,
				       unsigned long timeout_s, struct isx_arena *arena,
				       struct isx_asset *asset, struct isx_err *err)
{
	struct isx_buf text = { 0 };
	struct generator run;
	bool generates = generator && generator[0] && generator_is_for(path);
	enum isx_status st = generates ? generator_start(generator, path, timeout_s, &run, err)
				       : files_read(path, FILES_REGULAR, &text, err);
	if (!st && generates)
		st = generator_finish(&run, &text, err);
	if (!st)
		st = iscc_file_read((struct isx_span){ text.ptr, text.len }, path, 0, arena, asset,
				    err);
	isx_buf_release(&text);
	return st;
}

/* The ISCC-ID of the asset is ignored: it need not be in the index. */
static enum isx_status question_of_asset(const struct isx_asset *asset, struct question *question,
					 struct isx_err *err)
{
	struct isx_query *query = &question->query;
	query->iscc_code = asset->iscc_code;
	query->units = asset->units;
	query->unit_count = asset->unit_count;
	if (!asset->iscc_code && !asset->unit_count && !asset->simprint_count)
		return isx_fail(err, ISX_INVALID, "has no ISCC-CODE, no units and no simprints");
	return add_passages(asset, question, err);
}

/* The settings are read for the generator only. The path is kept for messages: an index may refuse
 * what the file asks, long after it was read. */
static enum isx_status question_of_file(const struct cli_args *args, struct question *question,
					struct isx_err *err)
{
	const char *path = args->words[0], *given = cli_option_value(args, "--generator");
	struct settings settings;
	struct isx_asset asset = { 0 };
	enum isx_status st = settings_read(&settings, err);
	if (st)
		return st;
	st = read_whole_file(path, given ? given : settings.generator, settings.generator_timeout_s,
			     &question->arena, &asset, err);
	if (!st)
		st = question_of_asset(&asset, question, err);
	if (st)
		return isx_err_at(err, st, "%s", path);
	question->path = path;
	read_own_text(path, &question->text);
	return ISX_OK;
}

/* --- one line --------------------------------------------------------------------------------- */

/* ISCCs with blanks between. */
static enum isx_status question_of_words(struct isx_span line, struct question *question,
					 struct isx_err *err)
{
	const char *words[ISX_UNITS_MAX];
	size_t count = 0;
	char *at = isx_arena_text(&question->arena, line.ptr, line.len), *rest = at;
	if (!at)
		return isx_fail_memory(err);
	while ((at = strtok_r(NULL, " \t", &rest))) {
		if (count == ISX_UNITS_MAX)
			return isx_fail(err, ISX_INVALID, "units: expected at most %d",
					ISX_UNITS_MAX);
		words[count++] = at;
	}
	return query_of_words(words, count, &question->arena, &question->query, err);
}

/* In a query simprints are texts, and in an asset objects. */
static bool has_asset_simprints(struct isx_span object)
{
	struct isx_json_walk types = isx_json_walk_start(isx_json_member(object, "simprints"));
	struct isx_span key, list, first;
	while (isx_json_next_member(&types, &key, &list)) {
		struct isx_json_walk values = isx_json_walk_start(list);
		if (isx_json_next_element(&values, &first))
			return isx_json_kind(first) == ISX_JSON_OBJECT;
	}
	return false;
}

/* A query as in the body of POST /indexes/{name}/search. Messages are those of the API. Codes,
 * units or simprints win over an ISCC-ID, as in a line that is an asset. */
static enum isx_status question_of_query(struct isx_span object, struct question *question,
					 struct isx_err *err)
{
	struct isx_query *query = &question->query;
	struct isx_problems problems = { 0 };
	enum isx_status st = isx_query_from_value(object, true, NULL, &question->arena, query,
						  &problems, err);
	isx_problems_release(&problems);
	query->named &= ISX_QUERY_SAYS_EXPLAIN; /* nulls are not shown */
	if (query->iscc_code || query->unit_count || query->simprints)
		query->iscc_id = NULL;
	return st;
}

/* An ISCC begins with a letter or a digit in each of its forms, a query or an asset with a brace:
 * a line that begins otherwise is none of them. */
bool question_may_begin(struct isx_span line)
{
	unsigned char c = (unsigned char)line.ptr[0], letter = c | 0x20;
	return c == '{' || (c >= '0' && c <= '9') || (letter >= 'a' && letter <= 'z');
}

/* An asset and a query have the same members but for the simprints, so those decide. A line
 * without any is read as a query, which finds the same. */
enum isx_status question_of_line(struct isx_span line, struct question *question,
				 struct isx_err *err)
{
	struct isx_asset asset = { 0 };
	size_t offset;
	*question = (struct question){ 0 };
	if (question_may_begin(line) && line.ptr[0] != '{')
		return question_of_words(line, question, err);
	enum isx_status st = isx_json_check(line, &offset, err);
	if (!st && line.ptr[0] == '{' && !has_asset_simprints(line))
		return question_of_query(line, question, err);
	if (!st)
		st = lines_read_asset(line, &question->arena, &asset, err);
	return st ? st : question_of_asset(&asset, question, err);
}

/* False: nothing would be left to ask, or there are none. */
bool question_drop_simprints(struct question *question)
{
	struct isx_query *query = &question->query;
	if (!query->simprints || (!query->iscc_code && !query->unit_count))
		return false;
	query->simprints = NULL;
	query->simprint_type_count = 0;
	return true;
}

/* A single argument that exists as a file is a file, even if it looks like an ISCC. */
enum isx_status question_read(const struct cli_args *args, struct question *question,
			      struct isx_err *err)
{
	bool is_file = args->word_count == 1 && access(args->words[0], F_OK) == 0;
	*question = (struct question){ 0 };
	return is_file ? question_of_file(args, question, err)
		       : query_of_words(args->words, args->word_count, &question->arena,
					&question->query, err);
}

void question_release(struct question *question)
{
	isx_buf_release(&question->text);
	isx_arena_release(&question->arena);
}
