/*
 * serve_export.c - an index as lines of JSON: all of it out, and lines in.
 *
 * Both are streams, so that memory is bounded whatever the size is: a few hundred assets are read and
 * written before the next ones. An export holds one snapshot from its beginning to its end. The
 * lines of an import are added in batches, while the next batch is read; each line is answered by a
 * line.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "http/serve.h"

#include "base/limits.h"
#include "base/thread.h"
#include "http/encoding.h"
#include "http/packing.h"
#include "http/params.h"
#include "http/spool.h"
#include "http/url.h"
#include "service/service.h"
#include "json/http_status.h"
#include "json/json_text.h"

#include <string.h>

/* --- export ----------------------------------------------------------------------------------- */

/* Before packing. The client is looked for between two pieces, and not for each asset. With the last
 * asset of usual size a piece takes no more than ISX_SMALL_BYTES_MAX: so it is not refused because other
 * answers are large, which would cut the export. */
enum { EXPORT_PIECE_BYTES = 48 * 1024 };

struct export
{
	struct http_stream stream; /* first member */
	const struct http_req *req;
	struct isx_cursor *cursor;
	struct isx_packer *packer;
	struct isx_buf text; /* lines that are not packed yet */
	size_t left;         /* assets that may still come */
	bool has_ended;
};

/* Gather lines until there are enough, or the last asset has come. An asset that cannot be read
 * fails the export: a client must not take what is missing for all there is. */
static enum isx_status gather(struct export *export, struct isx_err *err)
{
	const struct isx_asset *asset = NULL;
	enum isx_status st = export->req->cancel_check(export->req->cancel_arg, err);
	while (!st && !export->has_ended && export->text.len < EXPORT_PIECE_BYTES) {
		export->has_ended = export->left == 0;
		if (!export->has_ended)
			st = isx_cursor_next(export->cursor, &asset, err);
		export->has_ended |= !st && !asset;
		if (st || export->has_ended)
			break;
		isx_asset_to_request(&export->text, asset);
		isx_buf_char(&export->text, '\n');
		export->left--;
	}
	return st ? st : isx_buf_status(&export->text, err);
}

/* A packer may keep what it gets: a piece without bytes would be the end of the answer. */
static enum isx_status export_piece(struct http_stream *stream, struct isx_buf *out,
				    struct isx_err *err)
{
	struct export *export = (struct export *)stream;
	enum isx_status st = ISX_OK;
	while (!st && !export->has_ended && out->len == 0) {
		st = gather(export, err);
		if (!st)
			st = isx_packer_add(export->packer,
					    (struct isx_span){ export->text.ptr, export->text.len },
					    export->has_ended, out, err);
		isx_buf_clear(&export->text);
	}
	return st;
}

/* Ends the snapshot, also when the client is gone. All members may still be NULL. */
static void close_export(struct http_stream *stream)
{
	struct export *export = (struct export *)stream;
	isx_cursor_close(export->cursor);
	isx_packer_free(export->packer);
	isx_buf_release(&export->text);
	isx_mem_free(export);
}

/* The index is opened before the status is sent, so that a missing one is a 404. Behind the first
 * piece a failure can only close the connection. */
enum isx_status isx_serve_export(struct http_req *req, struct http_res *res, struct isx_err *err)
{
	static const char *const codings[] = {
		[ISX_PACKING_GZIP] = "gzip", [ISX_PACKING_ZSTD] = "zstd"
	};
	struct export *export = isx_mem_array(1, sizeof *export);
	struct isx_range range;
	enum isx_packing packing = isx_coding_choose(req->accept_encoding);
	if (!export)
		return isx_fail_memory(err);
	*export = (struct export){ .stream = { .more = export_piece, .close = close_export },
				   .req = req,
				   .left = SIZE_MAX };
	res->stream = &export->stream; /* closed with the answer, or when it becomes a failure */
	enum isx_status st = isx_param_limit(req, res, &export->left, err);
	if (!st)
		st = isx_param_range(req, res, &range, err);
	if (!st)
		st = isx_problems_status(&res->problems, err);
	if (!st)
		st = isx_cursor_open_range(req->store, req->index_name, &range, &export->cursor,
					   err);
	if (!st)
		st = isx_packer_new(packing, &export->packer, err);
	if (st)
		return st;
	res->content_type = "application/x-ndjson";
	res->varies_by_coding = true;
	if (packing != ISX_PACKING_NONE)
		isx_http_header(res, "Content-Encoding", codings[packing]);
	return ISX_OK;
}

/* --- import ----------------------------------------------------------------------------------- */

enum { IMPORT_LINES = 10000, IMPORT_PIECE_BYTES = 8 << 20 }; /* of one transaction */
enum { OUTCOME_LINE_BYTES = 96 }; /* of the answer to a line that was added */

/* The lines of one batch: 1.1 MB on the heap, and the texts of the assets in the arena. */
struct lines_batch {
	struct isx_arena arena;
	struct isx_asset assets[IMPORT_LINES]; /* of those that could be read */
	uint64_t numbers[IMPORT_LINES];        /* their lines */
	enum isx_outcome outcomes[IMPORT_LINES];
	char iscc_ids[IMPORT_LINES][24];
	size_t count;
	uint64_t last;      /* the number of the last line that was read */
	struct isx_err bad; /* why that line could not be read; ISX_OK: all could be */
	bool is_cut;        /* what comes behind it cannot be read, either */
};

/* A batch is read while the one before it is added, by another thread. */
struct import {
	struct http_stream stream; /* first member */
	const struct http_req *req;
	bool stops; /* on_error=stop */
	/* of the thread that reads */
	struct lines_batch *batch; /* the next to be added; NULL: none was read yet */
	uint64_t read_lines;
	bool is_read;          /* all lines are read */
	struct isx_err failed; /* of the next batch, which could not be read from the disk */
	/* of the thread that adds */
	struct isx_buf answer; /* to lines that were added, as far as it is not sent yet */
	enum isx_status st;
	struct isx_err err;
	uint64_t lines, created, updated, errors;
	bool is_stopped; /* by an error */
	bool has_ended;  /* the last line of the answer is written */
};

/* Answer a line that was refused. In a batch it follows the outcomes of the lines before it. */
static void answer_error(struct import *import, uint64_t line, const struct isx_err *err,
			 struct isx_buf *out)
{
	isx_buf_printf(out, "{\"line\":%llu,\"status\":\"error\",\"error\":%u,\"detail\":",
		       (unsigned long long)line, isx_http_from_status(err->status));
	isx_json_quote(out, isx_span_of(err->msg));
	isx_buf_text(out, "}\n");
	import->errors++;
	import->is_stopped |= import->stops;
	if (import->stops) /* lines behind it have been read, but count for nothing */
		import->lines = line;
}

/* Answer the lines of a part that was added. */
static void answer_added(struct import *import, const struct lines_batch *batch, size_t first,
			 size_t count, struct isx_buf *out)
{
	for (size_t i = first; i < first + count; i++) {
		bool is_new = batch->outcomes[i] == ISX_CREATED;
		isx_buf_printf(out, "{\"line\":%llu,\"iscc_id\":\"%s\",\"status\":\"%s\"}\n",
			       (unsigned long long)batch->numbers[i], batch->iscc_ids[i],
			       is_new ? "created" : "updated");
		import->created += is_new;
		import->updated += !is_new;
	}
}

/* Add a batch: in parts if an asset of it is refused, from left to right, as the last of several
 * assets with one ISCC-ID counts. Each part is a transaction of its own: a few for each refused
 * asset if the engine says which one it is, otherwise more, by halving. An error that is not of an
 * asset, such as a full disk, ends the import; what was added before it stays. */
static enum isx_status add_batch(struct import *import, struct lines_batch *batch,
				 struct isx_buf *out, struct isx_err *err)
{
	size_t first = 0, count = batch->count;
	while (first < batch->count) {
		enum isx_status st = isx_add_with_ids(
			import->req->store, import->req->index_name, batch->assets + first, count,
			batch->outcomes + first, batch->iscc_ids + first, err);
		bool is_refused = st == ISX_INVALID || st == ISX_SCHEMA || st == ISX_TOO_LARGE;
		if (st && !is_refused)
			return st;
		if (st && count > 1) {
			count = err->position >= count ? count / 2
				: err->position        ? err->position
						       : 1;
			continue;
		}
		if (st)
			answer_error(import, batch->numbers[first], err, out);
		else
			answer_added(import, batch, first, count, out);
		if (import->is_stopped)
			break;
		first += count;
		count = batch->count - first;
	}
	return ISX_OK;
}

/* Read the next lines, up to one that cannot be read. */
static enum isx_status read_lines(struct import *import, struct lines_batch *batch,
				  struct isx_err *err)
{
	size_t bytes = 0;
	while (batch->count < IMPORT_LINES && bytes < IMPORT_PIECE_BYTES && !batch->bad.status) {
		struct isx_problems problems = { 0 };
		struct isx_span line;
		enum isx_status st = isx_spool_line(import->req->lines, &line, &batch->bad);
		if (st && st != ISX_TOO_LARGE && st != ISX_INVALID)
			return isx_err_pass(err, &batch->bad);
		batch->is_cut = st == ISX_INVALID;
		import->is_read = batch->is_cut || (!st && line.len == 0);
		if (!st && line.len == 0)
			break;
		import->read_lines++;
		if (!st)
			st = isx_asset_from_json(line, &batch->arena, &batch->assets[batch->count],
						 &problems, &batch->bad);
		isx_problems_release(&problems);
		if (st == ISX_NO_MEMORY)
			return isx_fail_memory(err);
		batch->numbers[batch->count] = import->read_lines;
		batch->count += !st;
		bytes += line.len;
	}
	batch->last = import->read_lines;
	return ISX_OK;
}

/* Read the next batch.
 *   batch  new, release with release_batch() */
static enum isx_status read_batch(struct import *import, struct lines_batch **batch,
				  struct isx_err *err)
{
	struct lines_batch *made = isx_mem_array(1, sizeof *made);
	*batch = made;
	return made ? read_lines(import, made, err) : isx_fail_memory(err);
}

static void release_batch(struct lines_batch *batch)
{
	if (batch)
		isx_arena_release(&batch->arena);
	isx_mem_free(batch);
}

/* Add and answer a batch. Its lines are answered in their order: first those that were added, then
 * the one that could not be read, which has ended the reading. An empty batch asks whether the index
 * exists. */
static void *run_batch(void *arg)
{
	struct import *import = arg;
	struct lines_batch *batch = import->batch;
	import->lines = batch->last;
	import->st = batch->count ? add_batch(import, batch, &import->answer, &import->err)
				  : isx_add(import->req->store, import->req->index_name, NULL, 0,
					    NULL, &import->err);
	if (!import->st && batch->bad.status && !import->is_stopped) {
		answer_error(import, batch->last, &batch->bad, &import->answer);
		import->is_stopped |= batch->is_cut;
	}
	return NULL;
}

/* Add the batch, and read the next one meanwhile. Memory for the answer is taken before anything is added:
 * lines that are added must not get a 503. */
static enum isx_status add_and_read(struct import *import, struct lines_batch **next,
				    struct isx_err *err)
{
	pthread_t thread;
	if (!isx_buf_reserve(&import->answer, (import->batch->count + 2) * OUTCOME_LINE_BYTES))
		return isx_buf_status(&import->answer, err);
	bool is_apart = !import->is_read &&
			isx_thread_start(&thread, "http-import", run_batch, import) == 0;
	if (!is_apart) /* the last batch, or there is no thread: one after the other */
		run_batch(import);
	/* What is added now is answered first. */
	if (!import->is_read && read_batch(import, next, &import->failed))
		import->is_read = true;
	if (is_apart)
		pthread_join(thread, NULL);
	return import->st ? isx_err_pass(err, &import->err) : ISX_OK;
}

/* The last line of the answer has the sums. */
static void answer_end(struct import *import, struct isx_buf *out)
{
	isx_buf_printf(out,
		       "{\"lines\":%llu,\"created\":%llu,\"updated\":%llu,\"errors\":%llu,"
		       "\"stopped\":%s}\n",
		       (unsigned long long)import->lines, (unsigned long long)import->created,
		       (unsigned long long)import->updated, (unsigned long long)import->errors,
		       import->is_stopped ? "true" : "false");
	import->has_ended = true;
}

/* Add and answer one batch. A piece without bytes would be the end of the answer, so the sums follow
 * at once if there was no line to answer. */
static enum isx_status answer_batch(struct import *import, struct isx_err *err)
{
	struct isx_buf *out = &import->answer;
	struct lines_batch *next = NULL;
	enum isx_status st = ISX_OK;
	if (import->failed.status && !import->is_stopped)
		return isx_err_pass(err, &import->failed);
	if (!import->batch && import->is_read) {
		answer_end(import, out);
		return isx_buf_status(out, err);
	}
	if (!import->batch)
		st = read_batch(import, &import->batch, err);
	if (!st)
		st = add_and_read(import, &next, err);
	release_batch(import->batch);
	import->batch = next;
	if (import->is_stopped) {
		import->is_read = true;
		release_batch(import->batch);
		import->batch = NULL;
	}
	if (!st && out->len == 0)
		answer_end(import, out);
	return st ? st : isx_buf_status(out, err);
}

/* The next batch is added when the answer to the one before it is sent. */
static enum isx_status import_piece(struct http_stream *stream, struct isx_buf *out,
				    struct isx_err *err)
{
	struct import *import = (struct import *)stream;
	enum isx_status st = ISX_OK;
	if (!import->answer.len && !import->has_ended)
		st = answer_batch(import, err);
	if (!st)
		isx_http_move_piece(&import->answer, out);
	return st ? st : isx_buf_status(out, err);
}

/* No thread is left: each piece waits for its own. */
static void close_import(struct http_stream *stream)
{
	struct import *import = (struct import *)stream;
	release_batch(import->batch);
	isx_buf_release(&import->answer);
	isx_mem_free(import);
}

/* `on_error` is skip or stop. */
static enum isx_status read_on_error(struct http_req *req, struct http_res *res, bool *stops,
				     struct isx_err *err)
{
	struct isx_span value;
	enum isx_status st = isx_url_param(req->query, "on_error", &req->arena, &value, err);
	if (st || !value.ptr)
		return st;
	*stops = isx_span_is(value, "stop");
	if (!*stops && !isx_span_is(value, "skip"))
		isx_param_problem(res, "literal_error", "on_error", "Expected skip or stop", value);
	return ISX_OK;
}

/* The lines are all in the spool when this is called: an import begins when the client has sent its
 * last one. */
enum isx_status isx_serve_import(struct http_req *req, struct http_res *res, struct isx_err *err)
{
	struct import *import = isx_mem_array(1, sizeof *import);
	if (!import)
		return isx_fail_memory(err);
	import->stream = (struct http_stream){ .more = import_piece, .close = close_import };
	import->req = req;
	res->stream = &import->stream;
	enum isx_status st = read_on_error(req, res, &import->stops, err);
	if (!st)
		st = isx_problems_status(&res->problems, err);
	if (!st && !req->lines)
		return isx_fail(err, ISX_INVALID,
				"expected one asset a line, with Content-Type: "
				"application/x-ndjson");
	res->content_type = "application/x-ndjson";
	return st;
}
