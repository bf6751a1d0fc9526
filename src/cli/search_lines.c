/*
 * search_lines.c - searches with each line of a file or of standard input.
 *
 * Lines are gathered, searched in one call and answered, some hundred at a time: memory does not grow with
 * their number. When the input pauses, what was gathered is answered. A line that fails has its failure in
 * its place on standard output, and a message with its number on standard error.
 * Relies on isx_search_many() for the order of results. A line with a fault does not end the others,
 * unless it is the first one and looks like no query at all. A failure of the store or of the memory
 * ends all (ends_all()).
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/search_lines.h"

#include "base/limits.h"
#include "cli/question.h"
#include "cli/say.h"
#include "cli/show.h"
#include "json/http_status.h"
#include "json/json_text.h"
#include "json/wire.h"

/* Lines that are searched in one call. */
struct batch {
	size_t count;
	struct question questions[ISX_BATCH_QUERIES];
	size_t numbers[ISX_BATCH_QUERIES];           /* of the lines */
	struct isx_err errs[ISX_BATCH_QUERIES];      /* of reading, then of searching */
	struct isx_query queries[ISX_BATCH_QUERIES]; /* of the lines that could be read */
	struct isx_result *results[ISX_BATCH_QUERIES];
	struct isx_err found_errs[ISX_BATCH_QUERIES];
};

bool search_lines_open(struct search_lines *search)
{
	struct isx_err err = { 0 };
	if (!lines_open(search->path, FILES_ALSO_FIFO, &search->lines, &err))
		return true;
	say_line(stderr, "Error: %s: %s", search->path, err.msg);
	return false;
}

void search_lines_close(struct search_lines *search)
{
	lines_close(&search->lines);
}

/* Read lines until the batch is full or the input pauses.
 *   more  filled: false at the end of the file */
static enum isx_status read_batch(struct search_lines *search, size_t queries_max,
				  struct batch *batch, bool *more, struct isx_err *err)
{
	size_t text_bytes = 0;
	*more = true;
	while (batch->count < queries_max && text_bytes < ISX_BATCH_BYTES) {
		struct isx_span line;
		size_t i = batch->count;
		if (i && !lines_are_waiting(&search->lines))
			break;
		enum isx_status st = lines_next(&search->lines, &line, err);
		*more = !st && line.len;
		if (!*more)
			return st;
		/* A file that begins like this has other things in it than queries. */
		bool is_first = !search->has_begun;
		search->has_begun = true;
		batch->numbers[i] = search->lines.number;
		batch->errs[i] = (struct isx_err){ 0 };
		batch->errs[i].status = question_of_line(line, &batch->questions[i],
							 &batch->errs[i]);
		isx_query_inherit(&batch->questions[i].query, search->defaults);
		if (is_first && batch->errs[i].status && !question_may_begin(line))
			return isx_err_pass(err, &batch->errs[i]);
		batch->count++;
		text_bytes += line.len;
	}
	return ISX_OK;
}

/* An index may refuse only the simprints of a line, because of their length: search its codes without
 * them. */
static void ask_without_simprints(struct search_lines *search, struct target *target,
				  struct batch *batch, size_t i, struct isx_result **result)
{
	struct isx_err *err = &batch->errs[i];
	if (err->status != ISX_INVALID || !question_drop_simprints(&batch->questions[i]))
		return;
	say_line(stderr, "Warning: %s:%zu: passages are not searched: %s", search->path,
		 batch->numbers[i], err->msg);
	err->status = isx_search(target->store, target->name, &batch->questions[i].query, result,
				 err);
}

/* {"status":400,"detail":"..."}, as the batch search of a server answers. */
static void write_failure(struct isx_buf *out, const struct isx_err *err)
{
	isx_buf_printf(out, "{\"status\":%u,\"detail\":", isx_http_from_status(err->status));
	isx_json_quote(out, isx_span_of(err->msg));
	isx_buf_char(out, '}');
}

/* Print one answer. */
static void show_answer(struct search_lines *search, struct target *target, struct batch *batch,
			size_t i, const struct isx_result *result)
{
	struct isx_buf line = { 0 };
	if (!result) {
		search->has_failed = true;
		say_line(stderr, "Error: %s:%zu: %s", search->path, batch->numbers[i],
			 batch->errs[i].msg);
	}
	search->has_found |= result && (result->match_count || result->chunk_match_count);
	if (!search->as_table) {
		if (result)
			isx_result_to_json(&line, result);
		else
			write_failure(&line, &batch->errs[i]);
		say_json((struct isx_span){ line.ptr, line.len });
		isx_buf_release(&line);
		return;
	}
	if (!result)
		return;
	say_line(stdout, "%s:%zu", search->path, batch->numbers[i]);
	if (result->match_count || result->chunk_match_count)
		show_table(&batch->questions[i], result);
	else
		show_no_match(target, &batch->questions[i].query);
}

/* Is this a failure of all lines and not of one: a server that cannot be reached, a full memory? */
static bool ends_all(enum isx_status status)
{
	return status && status != ISX_INVALID && status != ISX_SCHEMA && status != ISX_NOT_FOUND &&
	       status != ISX_TOO_LARGE && status != ISX_UNSUPPORTED;
}

/* Search with the lines of a batch that could be read, and print all answers in order. */
static enum isx_status answer_batch(struct search_lines *search, struct target *target,
				    struct batch *batch, struct isx_err *err)
{
	size_t count = 0, next = 0;
	for (size_t i = 0; i < batch->count; i++)
		if (!batch->errs[i].status)
			batch->queries[count++] = batch->questions[i].query;
	enum isx_status st = isx_search_many(target->store, target->name, batch->queries, count,
					     batch->results, batch->found_errs, err);
	size_t found = st ? 0 : count;
	for (size_t i = 0; !st && i < batch->count; i++) {
		struct isx_result *result = NULL;
		if (!batch->errs[i].status) {
			result = batch->results[next];
			batch->errs[i] = batch->found_errs[next++];
			ask_without_simprints(search, target, batch, i, &result);
		}
		if (ends_all(batch->errs[i].status))
			st = isx_err_pass(err, &batch->errs[i]);
		else
			show_answer(search, target, batch, i, result);
		isx_result_free(result);
	}
	/* Results behind a failure that has ended all are freed without being shown. */
	for (; next < found; next++)
		isx_result_free(batch->results[next]);
	fflush(stdout);
	return st;
}

/* As many queries at once as their matches allow. */
static size_t count_queries(size_t limit)
{
	size_t count = ISX_BATCH_MATCHES / limit;
	return count < 1 ? 1 : count < ISX_BATCH_QUERIES ? count : ISX_BATCH_QUERIES;
}

int search_lines_run(struct search_lines *search, struct target *target)
{
	struct batch *batch = isx_mem_array(1, sizeof *batch);
	struct isx_err err = { 0 };
	bool more = true;
	enum isx_status st = batch ? ISX_OK : isx_fail_memory(&err);
	while (!st && more) {
		batch->count = 0;
		st = read_batch(search, count_queries(search->defaults->limit), batch, &more, &err);
		if (st)
			st = isx_err_at(&err, st, "%s", search->path);
		struct isx_err why = { 0 };
		enum isx_status answered = batch->count ? answer_batch(search, target, batch, &why)
							: ISX_OK;
		if (answered)
			st = isx_err_pass(&err, &why);
		for (size_t i = 0; i < batch->count; i++)
			question_release(&batch->questions[i]);
	}
	isx_mem_free(batch);
	if (!st && !search->has_begun && strcmp(search->path, "-") != 0)
		st = isx_fail(&err, ISX_SCHEMA,
			      "%s: expected a query in each line, the file is empty", search->path);
	if (st)
		return target_fail(st, &err);
	return search->has_failed ? CLI_ERROR : CLI_OK;
}
