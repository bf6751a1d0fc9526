/*
 * loader.c - adds assets with two batches: one is filled by the reading thread while the writing
 *            thread adds the other.
 *
 * isx_add() stores a batch whole or not at all. So a refused batch is split into halves, their
 * halves, and so on, until the invalid asset is alone: it is reported, and all others are stored.
 * Each invalid asset costs about log2(batch) transactions, each of which waits for the disk.
 * Memory is that of two batches. The lock guards all members that both threads change; it is not
 * held while isx_add() runs. Order of locks: that of a look, the loader's, that of stderr (progress.c).
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/loader.h"

#include "base/clock.h"
#include "base/thread.h"
#include "cli/progress.h"
#include "cli/say.h"
#include "iscc/iscc_id.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { MESSAGES_MAX = 1000 };

struct batch {
	struct isx_arena arena;
	struct isx_asset *assets;
	struct seen_place *places;
	enum isx_outcome *outcomes;
	struct loader_point *points; /* of the assets */
	size_t count;
};

struct loader {
	struct isx_store *store;
	const char *name;
	size_t batch_assets;
	bool verbose;
	struct batch batches[2];
	size_t filling; /* index of the batch that the reading thread fills */
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	pthread_mutex_t look; /* held while the reading thread looks into the store */
	bool writing;         /* the other batch belongs to the writing thread */
	bool ending;
	bool halted; /* the writing thread starts no further batch, and no further part of one */
	bool stops;  /* it is halted by an asset that is refused */
	const struct loader_point *now;
	loader_stored_fn *stored; /* NULL: is not called */
	void *stored_arg;
	struct rehearsal *rehearsal; /* NULL: assets are written */
	const char *paths;
	struct seen seen; /* assets written; used by the writing thread only */
	struct loader_totals totals;
	struct loader_messages messages;
	enum isx_status failed; /* the failure after which nothing more is written */
	struct isx_err why;
};

void loader_add_place(const struct loader *loader, struct isx_buf *buf, struct seen_place place)
{
	const char *path = loader->paths + place.path - 1;
	isx_buf_text(buf, strcmp(path, "-") ? path : "standard input");
	if (place.line)
		isx_buf_printf(buf, ":%u", place.line);
}

/* Keep a message for the report, number `number` of its kind. At most MESSAGES_MAX are kept: a file
 * of millions of invalid lines must not fill the memory. */
static void keep_line(struct isx_buf *kept, size_t number, const struct isx_buf *line)
{
	if (number > MESSAGES_MAX || line->failed)
		return;
	isx_shown_add(kept, (struct isx_span){ line->ptr, line->len });
	isx_buf_char(kept, '\n');
}

/* Count and keep an error, and print it if verbose. Called with the lock. */
static void keep_error(struct loader *loader, struct isx_buf *source, const char *message)
{
	isx_buf_printf(source, ": %s", message);
	if (loader->verbose) {
		progress_line_begin();
		say_line(stderr, "\xE2\x9C\x97 %.*s", (int)source->len, source->ptr);
		progress_line_end();
	}
	keep_line(&loader->messages.errors, ++loader->totals.errors, source);
}

/* Are these the same file or line, found by two patterns? Then the asset is no duplicate. */
static bool is_same_place(const struct loader *loader, struct seen_place a, struct seen_place b)
{
	const char *one = loader->paths + a.path - 1, *other = loader->paths + b.path - 1;
	one += strncmp(one, "./", 2) == 0 ? 2 : 0;
	other += strncmp(other, "./", 2) == 0 ? 2 : 0;
	return a.line == b.line && strcmp(one, other) == 0;
}

/* Note a written asset. If another asset of this run had the same ISCC-ID, report the pair. Called
 * with the lock. */
static void note_written(struct loader *loader, const struct isx_asset *asset,
			 struct seen_place place)
{
	struct isx_iscc_id id;
	struct seen_place before;
	struct isx_buf line = { 0 };
	if (isx_iscc_id_parse(isx_span_of(asset->iscc_id), &id, NULL) ||
	    !seen_note(&loader->seen, id.body, place, &before) ||
	    is_same_place(loader, before, place))
		return;
	isx_buf_printf(&line, "%s: ", asset->iscc_id);
	loader_add_place(loader, &line, before);
	isx_buf_text(&line, ", then ");
	loader_add_place(loader, &line, place);
	keep_line(&loader->messages.duplicates, ++loader->totals.duplicates, &line);
	isx_buf_release(&line);
}

/* Count assets that are on disk now. Takes the lock. */
static void count_written(struct loader *loader, const struct batch *batch, size_t first,
			  size_t count)
{
	pthread_mutex_lock(&loader->lock);
	for (size_t i = first; i < first + count; i++) {
		if (batch->outcomes[i] == ISX_CREATED)
			loader->totals.created++;
		else
			loader->totals.updated++;
		loader->totals.simprints += batch->assets[i].simprint_count;
		if (loader->verbose && !batch->places[i].line) {
			progress_line_begin();
			say_line(stderr, "\xE2\x9C\x93 %s",
				 loader->paths + batch->places[i].path - 1);
			progress_line_end();
		}
		note_written(loader, &batch->assets[i], batch->places[i]);
	}
	const char *last = batch->assets[first + count - 1].iscc_id;
	snprintf(loader->totals.last, sizeof loader->totals.last, "%s", last ? last : "");
	loader->totals.place = batch->places[first + count - 1];
	pthread_mutex_unlock(&loader->lock);
}

/* Does this status mean that an asset is invalid, so that others may be stored? */
static bool is_refusal(enum isx_status status)
{
	return status == ISX_INVALID || status == ISX_SCHEMA || status == ISX_TOO_LARGE;
}

/* The first failure stays: the loader stops after it. */
static void keep_failure(struct loader *loader, enum isx_status status, const struct isx_err *err)
{
	pthread_mutex_lock(&loader->lock);
	loader->failed = status;
	loader->why = *err;
	pthread_mutex_unlock(&loader->lock);
}

/* Write assets, or only check them. */
static enum isx_status add_assets(struct loader *loader, const struct batch *batch, size_t first,
				  size_t count, struct isx_err *err)
{
	if (loader->rehearsal)
		return rehearsal_add(loader->rehearsal, batch->assets + first,
				     batch->places + first, count, batch->outcomes + first, err);
	return isx_add(loader->store, loader->name, batch->assets + first, count,
		       batch->outcomes + first, err);
}

/* Write a part of a batch. An asset that is refused alone is reported; a failure of the store is
 * kept and ends the loader. Called without the lock.
 *   at_fault  filled when the part is refused: the position in it of the asset at fault, or
 *             ISX_NO_POSITION */
static enum isx_status write_piece(struct loader *loader, const struct batch *batch, size_t first,
				   size_t count, size_t *at_fault)
{
	struct isx_err err = { .position = ISX_NO_POSITION };
	enum isx_status st = add_assets(loader, batch, first, count, &err);
	*at_fault = err.position;
	if (!st) {
		count_written(loader, batch, first, count);
	} else if (!is_refusal(st)) {
		keep_failure(loader, st, &err);
	} else if (count == 1) {
		loader_error_at(loader, batch->places[first], err.msg);
		pthread_mutex_lock(&loader->lock);
		loader->halted |= loader->stops;
		pthread_mutex_unlock(&loader->lock);
	}
	return st;
}

/* Checked before each part, so that loader_halt() need not wait for the whole batch. */
static bool may_write(struct loader *loader)
{
	pthread_mutex_lock(&loader->lock);
	bool may = !loader->failed && !loader->halted;
	pthread_mutex_unlock(&loader->lock);
	return may;
}

/* How much of a refused part of `count` assets to try next: what stands before the asset at fault, or
 * that asset alone, whose message then is about itself. An http:// store may not tell which one
 * it is: then the first half. */
static size_t shrink(size_t count, size_t at_fault)
{
	if (at_fault >= count)
		return count / 2;
	return at_fault ? at_fault : 1;
}

/* The first `count` assets of a batch are stored, or refused. A whole batch that is not full is the last
 * one, or is written because the next asset needs it: a small add needs no mark. Only this thread changes
 * the totals of what is stored, so it reads them without the lock. */
static void note_stored(struct loader *loader, const struct batch *batch, size_t count)
{
	if (loader->stored && (count < batch->count || count == loader->batch_assets))
		loader->stored(loader->stored_arg, &batch->points[count - 1], loader->totals.last);
}

/* Write a batch, in parts if an asset of it is refused. Parts are written from left to right, because the
 * last of several assets with one ISCC-ID counts. Invariant: all assets before `first` are done.
 * Behind an asset that was refused parts are small at first: each refusal reads its part in vain, and
 * bad assets come in numbers. */
static void write_batch(struct loader *loader, const struct batch *batch)
{
	enum { PART_AFTER_REFUSAL = 64 };
	size_t first = 0, count = batch->count, part = batch->count, at_fault;
	while (first < batch->count && may_write(loader)) {
		enum isx_status st = write_piece(loader, batch, first, count, &at_fault);
		if (st && !is_refusal(st))
			break;
		if (st && count > 1) {
			count = shrink(count, at_fault);
			part = PART_AFTER_REFUSAL;
			continue;
		}
		first += count;
		part = st ? PART_AFTER_REFUSAL : 2 * part;
		count = batch->count - first < part ? batch->count - first : part;
		/* An asset that ends the run is not done: the next run has to end there, too. */
		if (!st || !loader->stops)
			note_stored(loader, batch, first);
	}
}

/* The writing thread. It releases the lock while it writes; the batch is its own as long as
 * `writing` is set. */
static void *write_batches(void *arg)
{
	struct loader *loader = arg;
	pthread_mutex_lock(&loader->lock);
	for (;;) {
		while (!loader->writing && !loader->ending)
			pthread_cond_wait(&loader->changed, &loader->lock);
		if (!loader->writing)
			break;
		struct batch *batch = &loader->batches[loader->filling ^ 1];
		pthread_mutex_unlock(&loader->lock);
		write_batch(loader, batch);
		pthread_mutex_lock(&loader->lock);
		loader->writing = false;
		pthread_cond_broadcast(&loader->changed);
	}
	pthread_mutex_unlock(&loader->lock);
	return NULL;
}

/* Empty a batch and reserve room for its assets. */
static enum isx_status begin_batch(struct loader *loader, struct batch *batch, struct isx_err *err)
{
	isx_arena_release(&batch->arena);
	batch->count = 0;
	batch->assets = isx_arena_alloc(&batch->arena, loader->batch_assets, sizeof *batch->assets);
	batch->places = isx_arena_alloc(&batch->arena, loader->batch_assets, sizeof *batch->places);
	batch->points = isx_arena_alloc(&batch->arena, loader->batch_assets, sizeof *batch->points);
	batch->outcomes = isx_arena_alloc(&batch->arena, loader->batch_assets,
					  sizeof *batch->outcomes);
	return batch->assets && batch->places && batch->points && batch->outcomes
		       ? ISX_OK
		       : isx_fail_memory(err);
}

enum isx_status loader_new(struct isx_store *store, const char *name, size_t batch_assets,
			   const char *paths, bool verbose, struct loader **loader,
			   struct isx_err *err)
{
	struct loader *made = isx_mem_array(1, sizeof *made);
	if (!made)
		return isx_fail_memory(err);
	made->store = store;
	made->name = name;
	made->batch_assets = batch_assets;
	made->paths = paths;
	made->verbose = verbose;
	pthread_mutex_init(&made->lock, NULL);
	pthread_mutex_init(&made->look, NULL);
	isx_clock_cond_init(&made->changed);
	enum isx_status st = begin_batch(made, &made->batches[0], err);
	if (!st && isx_thread_start(&made->thread, "loader", write_batches, made) != 0)
		st = isx_fail(err, ISX_UNAVAILABLE, "no thread could be started");
	if (st) {
		isx_arena_release(&made->batches[0].arena);
		isx_mem_free(made);
		return st;
	}
	*loader = made;
	return ISX_OK;
}

/* Without the lock, as loader_set_stops(). */
void loader_set_stored(struct loader *loader, const struct loader_point *now,
		       loader_stored_fn *stored, void *stored_arg)
{
	loader->now = now;
	loader->stored = stored;
	loader->stored_arg = stored_arg;
}

/* Without the lock, as loader_set_stops(): set before the writing thread has got a batch. */
void loader_set_rehearsal(struct loader *loader, struct rehearsal *rehearsal)
{
	loader->rehearsal = rehearsal;
}

/* Without the lock: it is set before the writing thread has got a batch. */
void loader_set_stops(struct loader *loader, bool stops)
{
	loader->stops = stops;
}

bool loader_has_stopped(struct loader *loader)
{
	pthread_mutex_lock(&loader->lock);
	bool stopped = loader->stops && loader->halted;
	pthread_mutex_unlock(&loader->lock);
	return stopped;
}

struct isx_arena *loader_arena(struct loader *loader)
{
	return &loader->batches[loader->filling].arena;
}

/* Give the filled batch to the writing thread, after it has finished the other one. Fails if the
 * loader has failed; `err` may be NULL. */
static enum isx_status hand_over(struct loader *loader, struct isx_err *err)
{
	pthread_mutex_lock(&loader->lock);
	while (loader->writing)
		pthread_cond_wait(&loader->changed, &loader->lock);
	loader->filling ^= 1;
	loader->writing = true;
	enum isx_status st = loader->failed;
	if (st)
		st = isx_fail(err, st, "%s", loader->why.msg);
	pthread_cond_broadcast(&loader->changed);
	pthread_mutex_unlock(&loader->lock);
	enum isx_status began = begin_batch(loader, &loader->batches[loader->filling],
					    st ? NULL : err);
	return st ? st : began;
}

/* The asset is copied, its texts are not: they stay in the arena of the batch until it is
 * written. */
enum isx_status loader_give(struct loader *loader, const struct isx_asset *asset,
			    struct seen_place place, struct isx_err *err)
{
	struct batch *batch = &loader->batches[loader->filling];
	batch->assets[batch->count] = *asset;
	batch->places[batch->count] = place;
	if (loader->now) {
		batch->points[batch->count] = *loader->now;
		batch->points[batch->count].line = place.line;
	}
	batch->count++;
	return batch->count == loader->batch_assets ? hand_over(loader, err) : ISX_OK;
}

/* The batch is handed over and the writing thread waited for. The asset that is being read has memory in the arena of
 * the batch that was written: the arenas change places, and the caller goes on with the same one. */
enum isx_status loader_flush(struct loader *loader, struct isx_err *err)
{
	struct batch *batch = &loader->batches[loader->filling];
	size_t written = loader->filling;
	enum isx_status st = batch->count ? hand_over(loader, err) : ISX_OK;
	pthread_mutex_lock(&loader->lock);
	while (loader->writing)
		pthread_cond_wait(&loader->changed, &loader->lock);
	if (written != loader->filling) {
		struct batch empty = loader->batches[loader->filling];
		loader->batches[loader->filling] = loader->batches[written];
		loader->batches[loader->filling].count = 0;
		loader->batches[written] = empty;
	}
	if (!st && loader->failed)
		st = isx_fail(err, loader->failed, "%s", loader->why.msg);
	pthread_mutex_unlock(&loader->lock);
	return st;
}

void loader_error(struct loader *loader, const char *source, const char *message)
{
	struct isx_buf line = { 0 };
	isx_buf_text(&line, source);
	pthread_mutex_lock(&loader->lock);
	keep_error(loader, &line, message);
	pthread_mutex_unlock(&loader->lock);
	isx_buf_release(&line);
}

void loader_error_at(struct loader *loader, struct seen_place place, const char *message)
{
	struct isx_buf line = { 0 };
	loader_add_place(loader, &line, place);
	pthread_mutex_lock(&loader->lock);
	keep_error(loader, &line, message);
	pthread_mutex_unlock(&loader->lock);
	isx_buf_release(&line);
}

/* A batch that is being written is finished: halted only keeps its next part, or the next batch,
 * from starting. */
void loader_halt(struct loader *loader, unsigned wait_ms, struct loader_totals *totals,
		 size_t *pending)
{
	uint64_t until = isx_clock_after_ms(wait_ms);
	pthread_mutex_lock(&loader->lock);
	loader->halted = true;
	while (loader->writing && isx_clock_wait(&loader->changed, &loader->lock, until))
		;
	*totals = loader->totals;
	*pending = loader->writing ? loader->batches[loader->filling ^ 1].count : 0;
	pthread_mutex_unlock(&loader->lock);
}

void loader_look_begin(struct loader *loader)
{
	pthread_mutex_lock(&loader->look);
}

void loader_look_end(struct loader *loader)
{
	pthread_mutex_unlock(&loader->look);
}

/* The lock is never released: the reading thread waits for it until the process exits. */
void loader_close_store(struct loader *loader, unsigned wait_ms)
{
	if (isx_clock_lock(&loader->look, isx_clock_after_ms(wait_ms)))
		isx_close(loader->store);
}

void loader_messages_release(struct loader_messages *messages)
{
	isx_buf_release(&messages->errors);
	isx_buf_release(&messages->duplicates);
}

size_t loader_written(struct loader *loader)
{
	pthread_mutex_lock(&loader->lock);
	size_t written = loader->totals.created + loader->totals.updated;
	pthread_mutex_unlock(&loader->lock);
	return written;
}

/* Writes the last, partly filled batch, and joins the thread. Afterwards no lock is needed. */
enum isx_status loader_finish(struct loader *loader, struct loader_totals *totals,
			      struct loader_messages *messages, struct isx_err *err)
{
	if (loader->batches[loader->filling].count) {
		if (hand_over(loader, NULL)) /* the batch is written all the same */
			loader->batches[loader->filling].count = 0;
	}
	pthread_mutex_lock(&loader->lock);
	loader->ending = true;
	pthread_cond_broadcast(&loader->changed);
	pthread_mutex_unlock(&loader->lock);
	pthread_join(loader->thread, NULL);
	*totals = loader->totals;
	*messages = loader->messages;
	enum isx_status st = loader->failed;
	if (st)
		st = isx_fail(err, st, "%s", loader->why.msg);
	loader->messages = (struct loader_messages){ 0 };
	return st;
}

void loader_free(struct loader *loader)
{
	if (!loader)
		return;
	for (size_t i = 0; i < 2; i++)
		isx_arena_release(&loader->batches[i].arena);
	seen_release(&loader->seen);
	pthread_cond_destroy(&loader->changed);
	pthread_mutex_destroy(&loader->lock);
	pthread_mutex_destroy(&loader->look);
	isx_mem_free(loader);
}
