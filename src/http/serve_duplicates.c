/*
 * serve_duplicates.c - stream all near-duplicates of an index: GET /indexes/{name}/duplicates.
 *
 * A *join* compares in a pool of its own, for as long as it takes, and puts lines into a buffer; the
 * answer is composed from the buffer when the client has taken what came before. A full buffer
 * makes the join wait, so a slow client costs no processor time. When the client goes, the answer is
 * closed, and the join ends at its next check, within milliseconds; whichever of the two ends last
 * frees what they share.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "http/serve.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/pool.h"
#include "engine/scan_slots.h"
#include "http/params.h"
#include "http/url.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

enum {
	BUFFER_BYTES_MAX = 256 * 1024, /* of lines that wait for the client */
	PIECE_BYTES = 32 * 1024        /* of lines that are sent at once */
};

#define LOOK_NS   100000000u   /* 100 ms between two checks whether the client is still there */
#define GATHER_NS 500000000u   /* half a second: lines wait so long for others to fill a piece */
#define SILENT_NS 10000000000u /* 10 s without a line: an empty line shows that the join goes on */

struct duplicates {
	struct http_stream stream; /* first member: duplicates_of() */
	struct http_req *req;      /* while the answer is open: not for the join */
	struct isx_store *store;
	const atomic_bool *is_stopping; /* the server; borrowed from it */
	const char *name;
	struct isx_duplicates_query query;
	struct isx_arena arena; /* of `name` and `query`, which outlive the request */
	atomic_bool is_closed;  /* there is no answer any more */
	pthread_mutex_t lock;   /* guards the members below */
	pthread_cond_t moved;   /* one of them has changed */
	unsigned users;         /* the answer, and the join once it is queued */
	bool has_begun;
	bool is_over;
	struct isx_buf lines;
	struct isx_err err; /* of the join that is over */
};

/* Joins that run or wait to run, in this process. */
static atomic_uint joins;

static struct duplicates *duplicates_of(struct http_stream *stream)
{
	return (struct duplicates *)stream;
}

/* The answer or the join ends its use. */
static void let_go(struct duplicates *run)
{
	pthread_mutex_lock(&run->lock);
	bool is_last = --run->users == 0;
	pthread_cond_broadcast(&run->moved);
	pthread_mutex_unlock(&run->lock);
	if (!is_last)
		return;
	pthread_cond_destroy(&run->moved);
	pthread_mutex_destroy(&run->lock);
	isx_buf_release(&run->lines);
	isx_arena_release(&run->arena);
	isx_mem_free(run);
}

/* --- the join --------------------------------------------------------------------------------- */

static enum isx_status fail_closed(struct isx_err *err)
{
	return isx_fail(err, ISX_CANCELLED, "the client has gone");
}

static enum isx_status fail_stopping(struct isx_err *err)
{
	return isx_fail(err, ISX_UNAVAILABLE, "the server stops: try again later");
}

/* Called by every thread of the join. */
static enum isx_status check_closed(void *arg, struct isx_err *err)
{
	struct duplicates *run = arg;
	if (atomic_load_explicit(run->is_stopping, memory_order_relaxed))
		return fail_stopping(err);
	return atomic_load_explicit(&run->is_closed, memory_order_relaxed) ? fail_closed(err)
									   : ISX_OK;
}

/* An isx_pair_fn: wait for room, and put a line into the buffer. */
static enum isx_status take_pair(const struct isx_pair *pair, void *arg, struct isx_err *err)
{
	struct duplicates *run = arg;
	pthread_mutex_lock(&run->lock);
	while (run->lines.len >= BUFFER_BYTES_MAX && !check_closed(run, err))
		(void)isx_clock_wait(&run->moved, &run->lock, isx_clock_ns() + LOOK_NS);
	isx_pair_to_json(&run->lines, pair);
	isx_buf_char(&run->lines, '\n');
	enum isx_status st = isx_buf_status(&run->lines, err);
	if (run->lines.len >= PIECE_BYTES)
		pthread_cond_broadcast(&run->moved);
	pthread_mutex_unlock(&run->lock);
	return st ? st : check_closed(run, err);
}

/* The job of the pool of joins. */
static void run_join(void *arg)
{
	struct duplicates *run = arg;
	struct isx_err err = { 0 };
	enum isx_status st = check_closed(run, &err);
	if (!st)
		st = isx_duplicates(run->store, run->name, &run->query, take_pair, run, &err);
	pthread_mutex_lock(&run->lock);
	run->is_over = true;
	if (st)
		run->err = err;
	pthread_mutex_unlock(&run->lock);
	atomic_fetch_sub(&joins, 1);
	let_go(run);
}

/* Queue the join. Each takes threads and memory, so there are few. */
static enum isx_status begin_join(struct duplicates *run, struct isx_err *err)
{
	if (atomic_fetch_add(&joins, 1) >= ISX_HTTP_JOINS_MAX) {
		atomic_fetch_sub(&joins, 1);
		return isx_fail(
			err, ISX_UNAVAILABLE,
			"%d other requests for near-duplicates are running: try again later",
			ISX_HTTP_JOINS_MAX);
	}
	run->has_begun = true;
	run->users++;
	if (isx_pool_put(run->req->joins, run_join, run))
		return ISX_OK;
	run->users--;
	atomic_fetch_sub(&joins, 1);
	return fail_stopping(err);
}

/* --- the answer ------------------------------------------------------------------------------- */

/* Is there something to send? A piece is sent when it is full, or when its first line has waited. */
static bool is_due(const struct duplicates *run, uint64_t waited_ns)
{
	return run->is_over || run->lines.len >= PIECE_BYTES ||
	       (run->lines.len && waited_ns >= GATHER_NS) || waited_ns >= SILENT_NS;
}

/* Wait for lines; asks regularly whether the client is still there. Called with the lock. */
static enum isx_status wait_for_lines(struct duplicates *run, struct isx_err *err)
{
	uint64_t begin_ns = isx_clock_ns(), now_ns = begin_ns;
	enum isx_status st = ISX_OK;
	while (!st && !is_due(run, now_ns - begin_ns)) {
		(void)isx_clock_wait(&run->moved, &run->lock, now_ns + LOOK_NS);
		pthread_mutex_unlock(&run->lock);
		st = run->req->cancel_check(run->req->cancel_arg, err);
		now_ns = isx_clock_ns();
		pthread_mutex_lock(&run->lock);
	}
	return st;
}

/* Compose the next piece. The worker waits without a processor, so it lends its place in the pool.
 * Lines that were found before a failure are sent first. */
static enum isx_status next_piece(struct http_stream *stream, struct isx_buf *out,
				  struct isx_err *err)
{
	struct duplicates *run = duplicates_of(stream);
	bool lends = run->req->on_wait && run->req->on_wait(run->req->cancel_arg, true);
	pthread_mutex_lock(&run->lock);
	enum isx_status st = run->has_begun ? ISX_OK : begin_join(run, err);
	if (!st)
		st = wait_for_lines(run, err);
	if (!st && run->lines.len)
		isx_http_move_piece(&run->lines, out);
	else if (!st && run->is_over && run->err.status)
		st = isx_err_pass(err, &run->err);
	else if (!st && !run->is_over)
		isx_buf_char(out, '\n');
	pthread_cond_broadcast(&run->moved);
	pthread_mutex_unlock(&run->lock);
	if (lends)
		(void)run->req->on_wait(run->req->cancel_arg, false);
	return st ? st : isx_buf_status(out, err);
}

/* Does not wait for the join: the event loop may call this. */
static void close_duplicates(struct http_stream *stream)
{
	struct duplicates *run = duplicates_of(stream);
	atomic_store(&run->is_closed, true);
	let_go(run);
}

/* A copy of a text that outlives the request; NULL without memory. */
static enum isx_status keep(struct duplicates *run, struct isx_span text, const char **copy,
			    struct isx_err *err)
{
	*copy = isx_arena_text(&run->arena, text.ptr, text.len);
	return *copy ? ISX_OK : isx_fail_memory(err);
}

/* Read the parameters. Wrong ones become problems of the answer. */
static enum isx_status read_params(struct duplicates *run, struct http_res *res,
				   struct isx_err *err)
{
	struct http_req *req = run->req;
	struct isx_query_texts texts = { 0 };
	struct isx_query conditions = { 0 };
	struct isx_span against = { 0 }, from = { 0 };
	struct isx_duplicates_query *query = &run->query;
	enum isx_status st = isx_url_param(req->query, "against", &req->arena, &against, err);
	if (!st)
		st = isx_url_param(req->query, "from", &req->arena, &from, err);
	if (!st)
		st = isx_url_param(req->query, "min_score", &req->arena, &texts.min_score, err);
	if (!st)
		st = isx_url_list(req->query, "types", &req->arena, &texts.types, err);
	if (!st)
		st = isx_conditions_from_texts(&texts, "query", &run->arena, &conditions,
					       &res->problems, err);
	if (!st && against.ptr)
		st = keep(run, against, &query->against, err);
	if (!st && from.ptr)
		st = keep(run, from, &query->from, err);
	if (!st)
		st = keep(run, isx_span_of(req->index_name), &run->name, err);
	query->types = conditions.types;
	query->type_count = conditions.type_count;
	query->has_min_score = conditions.has_min_score;
	query->min_score = conditions.min_score;
	query->cancel_check = check_closed;
	query->cancel_arg = run;
	return st;
}

enum isx_status isx_serve_duplicates(struct http_req *req, struct http_res *res,
				     struct isx_err *err)
{
	struct duplicates *run = isx_mem_array(1, sizeof *run);
	if (!run)
		return isx_fail_memory(err);
	run->stream = (struct http_stream){ .more = next_piece, .close = close_duplicates };
	run->req = req;
	run->store = req->store;
	run->is_stopping = req->is_stopping;
	run->users = 1;
	pthread_mutex_init(&run->lock, NULL);
	isx_clock_cond_init(&run->moved);
	res->stream = &run->stream; /* closed with the answer, or when it becomes a failure */
	/* Searches keep half of the processors. */
	run->query.threads = (isx_scan_slots_max(isx_store_options(req->store)) + 1) / 2;
	enum isx_status st = read_params(run, res, err);
	if (!st)
		res->content_type = "application/x-ndjson";
	return st;
}
