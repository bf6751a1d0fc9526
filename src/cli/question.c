/*
 * question.c - makes a query from the arguments of `search`.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/question.h"

#include "base/limits.h"
#include "cli/files.h"
#include "cli/iscc_file.h"
#include "cli/iscc_word.h"
#include "cli/lines.h"

#include <limits.h>
#include <stdio.h>
#include <unistd.h>

/* Arguments are ISCCs: one ISCC-ID, one ISCC-CODE, or one or more ISCC-UNITs. */
static enum isx_status query_of_words(const struct cli_args *args, struct isx_arena *arena,
				      struct isx_query *query, struct isx_err *err)
{
	const char **units = isx_arena_alloc(arena, args->word_count, sizeof *units);
	if (!units)
		return isx_fail_memory(err);
	for (size_t i = 0; i < args->word_count; i++) {
		struct isx_header header = { 0 };
		const char *text = NULL;
		enum isx_status st = iscc_word_read(args->words[i], arena, &text, &header, err);
		if (st)
			return st;
		/* Several arguments are ISCC-UNITs of one query; an ISCC-ID or ISCC-CODE is a query
		 * of its own. */
		bool alone = args->word_count == 1;
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

/* Add the simprints of the asset to the query. Neighbours of one type become one group. */
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

/* The first asset of a file with one asset per line. */
static enum isx_status read_first_line(const char *path, struct isx_arena *arena,
				       struct isx_asset *asset, struct isx_err *err)
{
	struct lines lines;
	struct isx_span line = { 0 };
	enum isx_status st = lines_open(path, FILES_ALSO_FIFO, &lines, err);
	if (!st)
		st = lines_next(&lines, &line, err);
	if (!st && line.len == 0)
		st = isx_fail(err, ISX_SCHEMA, "expected an asset, the file is empty");
	if (!st)
		st = lines_read_asset(line, arena, asset, err);
	lines_close(&lines);
	return st;
}

/* 0: simprints keep their length, unlike in `add --simprint-bits`. */
static enum isx_status read_whole_file(const char *path, struct isx_arena *arena,
				       struct isx_asset *asset, struct isx_err *err)
{
	struct isx_buf text = { 0 };
	enum isx_status st = files_read(path, FILES_REGULAR, &text, err);
	if (!st)
		st = iscc_file_read((struct isx_span){ text.ptr, text.len }, path, 0, arena, asset,
				    err);
	isx_buf_release(&text);
	return st;
}

/* The ISCC-ID of the file is ignored: the asset need not be in the index. */
static enum isx_status question_of_file(const char *path, struct question *question,
					struct isx_err *err)
{
	struct isx_query *query = &question->query;
	struct isx_asset asset = { 0 };
	enum isx_status st = lines_are_in(path)
				     ? read_first_line(path, &question->arena, &asset, err)
				     : read_whole_file(path, &question->arena, &asset, err);
	if (st)
		return isx_err_at(err, st, "%s", path);
	query->iscc_code = asset.iscc_code;
	query->units = asset.units;
	query->unit_count = asset.unit_count;
	if (!asset.iscc_code && !asset.unit_count && !asset.simprint_count)
		return isx_fail(err, ISX_INVALID, "%s: has no ISCC-CODE, no units and no simprints",
				path);
	read_own_text(path, &question->text);
	return add_passages(&asset, question, err);
}

/* A single argument that exists as a file is a file, even if it looks like an ISCC. */
enum isx_status question_read(const struct cli_args *args, struct question *question,
			      struct isx_err *err)
{
	bool is_file = args->word_count == 1 && access(args->words[0], F_OK) == 0;
	*question = (struct question){ 0 };
	question->query.own_chunks = cli_option_value(args, "--chunks") != NULL;
	return is_file ? question_of_file(args->words[0], question, err)
		       : query_of_words(args, &question->arena, &question->query, err);
}

void question_release(struct question *question)
{
	isx_buf_release(&question->text);
	isx_arena_release(&question->arena);
}
