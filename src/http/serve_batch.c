/*
 * serve_batch.c - search with many queries in one request.
 *
 * Queries are the elements of a JSON list, or lines of any number; answers are elements of a list, or
 * lines. Either way the answer is a stream: a few hundred queries are read, searched in one call and
 * answered before the next ones are read, so that memory is bounded whatever their number. A query
 * that fails has its failure in its place.
 *
 * Answers share a ceiling of memory with those of other requests. When it is reached, the same queries are
 * answered again in smaller pieces: a query fails for want of memory only if its own answer finds none, as it
 * would in a request of its own.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "http/serve.h"

#include "base/limits.h"
#include "http/encoding.h"
#include "http/params.h"
#include "http/spool.h"
#include "service/service.h"
#include "json/http_status.h"
#include "json/json_text.h"

struct batch {
	struct http_stream stream; /* first member: batch_of() */
	struct http_req *req;
	struct isx_query defaults; /* of the URL */
	bool answers_lines;
	size_t queries_max; /* of one piece, where there is memory */
	size_t queries_now; /* of the next piece */
	struct place {
		struct isx_json_walk queries; /* if req->lines is NULL */
		size_t position;              /* of the next query in the body */
		bool has_begun;               /* the beginning of the answer is written */
	} at, before;                         /* now, and before the last piece */
	struct isx_err
		refusal; /* why the next query finds no memory for its answer; ISX_OK: it may */
	bool has_ended;  /* the end of the answer is written */
};

/* The queries of one piece. */
struct piece {
	struct isx_arena arena; /* of the queries */
	size_t count;
	size_t bytes;                                    /* of their texts and problems */
	struct isx_query queries[ISX_BATCH_QUERIES];     /* those that could be read */
	struct isx_problems problems[ISX_BATCH_QUERIES]; /* by query, of those that could not */
	struct isx_err errs[ISX_BATCH_QUERIES];        /* by query; of reading, then of searching */
	struct isx_result *results[ISX_BATCH_QUERIES]; /* by query */
	struct isx_result *found[ISX_BATCH_QUERIES];   /* of the queries that could be read */
	struct isx_err found_errs[ISX_BATCH_QUERIES];
};

/* The next query of the body; an empty text at its end. */
static enum isx_status next_text(struct batch *batch, struct isx_span *text, struct isx_err *err)
{
	*text = (struct isx_span){ 0 };
	if (batch->req->lines)
		return isx_spool_line(batch->req->lines, text, err);
	(void)isx_json_next_element(&batch->at.queries, text);
	return ISX_OK;
}

/* Read one query. A fault of it becomes its own failure. */
static enum isx_status read_query(struct batch *batch, struct isx_span text, struct piece *piece,
				  struct isx_err *err)
{
	const struct isx_place body = { .name = "body" };
	const struct isx_place list = { .outer = &body, .name = "queries" };
	const struct isx_place at = { .outer = batch->req->lines ? &body : &list,
				      .position = batch->at.position };
	size_t i = piece->count;
	if (batch->refusal.status) { /* the piece has only this query */
		piece->errs[i] = batch->refusal;
		return ISX_OK;
	}
	piece->errs[i].status = isx_query_from_value(text, batch->req->lines == NULL, &at,
						     &piece->arena, &piece->queries[i],
						     &piece->problems[i], &piece->errs[i]);
	isx_query_inherit(&piece->queries[i], &batch->defaults);
	return piece->errs[i].status == ISX_NO_MEMORY ? isx_fail_memory(err) : ISX_OK;
}

/* Read the queries of the next piece. A line that is too long is a query that fails. */
static enum isx_status read_piece(struct batch *batch, struct piece *piece, struct isx_err *err)
{
	struct isx_span text;
	while (piece->count < batch->queries_now && piece->bytes < ISX_BATCH_BYTES) {
		struct isx_err *own = &piece->errs[piece->count];
		enum isx_status st = next_text(batch, &text, own);
		if (st && st != ISX_TOO_LARGE)
			return isx_err_pass(err, own);
		if (!st && !text.len)
			break;
		if (!st)
			st = read_query(batch, text, piece, err);
		if (st && st != ISX_TOO_LARGE)
			return st;
		/* A problem may take a hundred times the bytes of what is wrong. */
		piece->bytes += text.len + piece->problems[piece->count].items.len;
		piece->count++;
		batch->at.position++;
	}
	return ISX_OK;
}

/* Search with those queries that could be read. They move to the front, and their results back. */
static enum isx_status search_piece(struct batch *batch, struct piece *piece, struct isx_err *err)
{
	size_t count = 0;
	for (size_t i = 0; i < piece->count; i++)
		if (!piece->errs[i].status)
			piece->queries[count++] = piece->queries[i];
	enum isx_status st = isx_search_many_within(batch->req->store, batch->req->index_name,
						    piece->queries, count, batch->req->quota,
						    piece->found, piece->found_errs, err);
	/* The index may be deleted behind the first piece. */
	if (st && batch->at.has_begun && err->status == ISX_NOT_FOUND)
		for (size_t i = 0; i < count; i++) {
			piece->found[i] = NULL;
			piece->found_errs[i] = *err;
		}
	else if (st)
		return st;
	for (size_t i = 0, next = 0; i < piece->count; i++) {
		if (piece->errs[i].status)
			continue;
		piece->results[i] = piece->found[next];
		piece->errs[i] = piece->found_errs[next++];
	}
	return ISX_OK;
}

/* {"status": 422, "detail": ...}, with the status and the detail of the same query alone. */
static void write_failure(struct isx_buf *out, const struct isx_err *err,
			  const struct isx_problems *problems)
{
	isx_buf_printf(out, "{\"status\":%u,\"detail\":", isx_http_from_status(err->status));
	if (err->status == ISX_SCHEMA && problems->count)
		isx_problems_to_json(out, problems);
	else
		isx_json_quote(out, isx_span_of(err->msg));
	isx_buf_char(out, '}');
}

/* Write the answers of a piece. A client that has gone, or a server that stops, ends the batch; any other
 * failure is one of its query. */
static enum isx_status write_piece(struct batch *batch, const struct piece *piece,
				   struct isx_buf *out, struct isx_err *err)
{
	if (!batch->at.has_begun && !batch->answers_lines)
		isx_buf_text(out, "{\"results\":[");
	for (size_t i = 0; i < piece->count; i++) {
		enum isx_status st = batch->defaults.cancel_check(batch->defaults.cancel_arg, err);
		if (!st && piece->errs[i].status == ISX_CANCELLED)
			st = isx_err_pass(err, &piece->errs[i]);
		if (st)
			return st;
		if (!batch->answers_lines && (i || batch->at.has_begun))
			isx_buf_char(out, ',');
		if (piece->results[i])
			isx_result_to_json(out, piece->results[i]);
		else
			write_failure(out, &piece->errs[i], &piece->problems[i]);
		if (batch->answers_lines)
			isx_buf_char(out, '\n');
	}
	batch->at.has_begun |= piece->count > 0;
	return isx_buf_status(out, err);
}

static void release_piece(struct piece *piece)
{
	for (size_t i = 0; i < ISX_BATCH_QUERIES; i++) { /* also of one that was read in part */
		isx_problems_release(&piece->problems[i]);
		isx_result_free(piece->results[i]);
	}
	isx_arena_release(&piece->arena);
	isx_mem_free(piece);
}

static struct batch *batch_of(struct http_stream *stream)
{
	return (struct batch *)stream;
}

/* At the end of the queries the end of the answer is the last piece. */
static enum isx_status answer_piece(struct http_stream *stream, struct isx_buf *out,
				    struct isx_err *err)
{
	struct batch *batch = batch_of(stream);
	struct piece *piece = batch->has_ended ? NULL : isx_mem_array(1, sizeof *piece);
	if (batch->has_ended)
		return ISX_OK;
	if (!piece)
		return isx_fail_memory(err);
	piece->arena.quota = batch->req->quota;
	batch->before = batch->at;
	if (batch->req->lines)
		isx_spool_mark(batch->req->lines);
	enum isx_status st = read_piece(batch, piece, err);
	if (!st &&
	    (piece->count || !batch->at.has_begun)) /* an empty batch asks for the index, too */
		st = search_piece(batch, piece, err);
	if (!st)
		st = write_piece(batch, piece, out, err);
	if (!st && !piece->count) {
		isx_buf_text(out, batch->answers_lines ? "" : "]}");
		batch->has_ended = true;
	}
	release_piece(piece);
	return st;
}

/* Go back to the beginning of the last piece, for one of half as many queries; a single one fails then. Later
 * pieces get larger again. A batch that cannot go back sends the failures that it has. */
static bool settle_piece(struct http_stream *stream, const struct isx_err *refusal)
{
	struct batch *batch = batch_of(stream);
	const size_t count = batch->at.position - batch->before.position;
	const bool goes_back = refusal && !batch->has_ended && !batch->refusal.status &&
			       (!batch->req->lines || isx_spool_rewind(batch->req->lines));
	batch->refusal = (struct isx_err){ 0 };
	if (goes_back) {
		batch->at = batch->before;
		batch->queries_now = count > 1 ? count / 2 : 1;
		if (count < 2)
			batch->refusal = *refusal;
	} else if (batch->queries_now < batch->queries_max) {
		batch->queries_now += batch->queries_now / 8 + 1;
		if (batch->queries_now > batch->queries_max)
			batch->queries_now = batch->queries_max;
	}
	return goes_back;
}

static void close_batch(struct http_stream *stream)
{
	isx_mem_free(batch_of(stream));
}

/* Queries for more matches come in smaller pieces. */
static size_t count_queries(size_t limit)
{
	size_t count = ISX_BATCH_MATCHES / (limit ? limit : ISX_LIMIT_DEFAULT);
	return count < 1 ? 1 : count < ISX_BATCH_QUERIES ? count : ISX_BATCH_QUERIES;
}

/* Lines are answered by lines, unless the client asks for JSON. */
static bool wants_lines(const struct http_req *req)
{
	return isx_accepts_lines(req->accept) || (req->lines && !isx_accepts_json(req->accept));
}

enum isx_status isx_serve_search_batch(struct http_req *req, struct http_res *res,
				       struct isx_err *err)
{
	struct batch *batch = isx_mem_array(1, sizeof *batch);
	if (!batch)
		return isx_fail_memory(err);
	batch->stream = (struct http_stream){ .more = answer_piece,
					      .settle = settle_piece,
					      .close = close_batch };
	batch->req = req;
	batch->answers_lines = wants_lines(req);
	res->stream = &batch->stream; /* closed with the answer, or when it becomes a failure */
	res->varies_by_accept = true;
	enum isx_status st = isx_param_bool(req, res, "chunks", &batch->defaults.own_chunks, err);
	if (!st)
		st = isx_param_search(req, res, &batch->defaults, err);
	if (!st && batch->defaults.after) /* each query has places of its own */
		isx_param_problem(res, "extra_forbidden", "after", "Pages are of single searches",
				  isx_span_of(batch->defaults.after));
	if (!st && !req->lines)
		st = isx_http_need_payload(req, res, err);
	if (!st && !req->lines)
		st = isx_batch_from_json(&req->payload, &batch->at.queries, &res->problems, err);
	if (!st)
		st = isx_problems_status(&res->problems, err);
	batch->queries_max = batch->queries_now = count_queries(batch->defaults.limit);
	if (!st && batch->answers_lines)
		res->content_type = "application/x-ndjson";
	return st;
}
