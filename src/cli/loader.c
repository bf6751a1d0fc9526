/*
 * loader.c - two batches take turns: the reading thread fills one while the writing thread adds the
 *            other.
 *
 * A batch goes in whole or not at all, so a refused one is tried again in halves, their halves and
 * so on: the bad assets are named, the others go in, and each bad one costs about log2(batch)
 * transactions, each of which waits for the disk.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/loader.h"

#include "base/thread.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { MESSAGES_MAX = 1000 };

/* Where an asset came from. */
struct source {
	const char *name;
	bool is_file; /* not a line of one: worth a line of its own when it is in */
};

struct batch {
	struct isx_arena arena;
	struct isx_asset *assets;
	struct source *sources;
	enum isx_outcome *outcomes;
	size_t count;
};

struct loader {
	struct isx_store *store;
	const char *name;
	size_t batch_assets;
	bool verbose;
	struct batch batches[2];
	size_t filling; /* the batch that the reading thread fills */
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool writing; /* the other batch waits for the thread, or is being written */
	bool ending;
	struct loader_totals totals;
	struct isx_buf messages;
	size_t message_count;
	enum isx_status failed; /* why no more can be written, with its message */
	struct isx_err why;
};

/* Count and keep an error, and say so at once if that is wanted. Called with the lock. */
static void keep_error(struct loader *loader, const char *source, const char *message)
{
	if (loader->verbose)
		fprintf(stderr, "\xE2\x9C\x97 %s: %s\n", source, message);
	loader->totals.errors++;
	if (loader->message_count++ < MESSAGES_MAX)
		isx_buf_printf(&loader->messages, "%s: %s\n", source, message);
}

/* Count what is on disk now. */
static void count_written(struct loader *loader, const struct batch *batch, size_t first,
			  size_t count)
{
	pthread_mutex_lock(&loader->lock);
	for (size_t i = first; i < first + count; i++) {
		if (batch->outcomes[i] == ISX_CREATED)
			loader->totals.created++;
		else
			loader->totals.updated++;
		if (loader->verbose && batch->sources[i].is_file)
			fprintf(stderr, "\xE2\x9C\x93 %s\n", batch->sources[i].name);
	}
	pthread_mutex_unlock(&loader->lock);
}

/* Is it the asset that was refused, so that the next one may go in? */
static bool is_refusal(enum isx_status status)
{
	return status == ISX_INVALID || status == ISX_SCHEMA || status == ISX_TOO_LARGE;
}

static void keep_failure(struct loader *loader, enum isx_status status, const struct isx_err *err)
{
	pthread_mutex_lock(&loader->lock);
	loader->failed = status;
	loader->why = *err;
	pthread_mutex_unlock(&loader->lock);
}

/* Write a piece of a batch, or name the asset that is one and was refused. */
static enum isx_status write_piece(struct loader *loader, const struct batch *batch, size_t first,
				   size_t count)
{
	struct isx_err err = { 0 };
	enum isx_status st = isx_add(loader->store, loader->name, batch->assets + first, count,
				     batch->outcomes + first, &err);
	if (!st) {
		count_written(loader, batch, first, count);
	} else if (!is_refusal(st)) {
		keep_failure(loader, st, &err);
	} else if (count == 1) {
		pthread_mutex_lock(&loader->lock);
		keep_error(loader, batch->sources[first].name, err.msg);
		pthread_mutex_unlock(&loader->lock);
	}
	return st;
}

/* Write a batch, in ever smaller pieces where one is refused. Pieces go from left to right, as the
 * last of two assets with one ISCC-ID counts; one that begins at asset i, with all before it done,
 * has as many assets as the lowest bit of i says: the other half of what was split last. */
static void write_batch(struct loader *loader, const struct batch *batch)
{
	size_t first = 0, count = batch->count;
	while (first < batch->count) {
		enum isx_status st = write_piece(loader, batch, first, count);
		if (st && !is_refusal(st))
			break;
		if (st && count > 1) {
			size_t half = 1;
			while (half * 2 < count)
				half *= 2;
			count = half;
			continue;
		}
		first += count;
		count = first & (~first + 1);
		if (count > batch->count - first)
			count = batch->count - first;
	}
}

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
		bool failed = loader->failed != ISX_OK;
		pthread_mutex_unlock(&loader->lock);
		if (!failed)
			write_batch(loader, batch);
		pthread_mutex_lock(&loader->lock);
		loader->writing = false;
		pthread_cond_broadcast(&loader->changed);
	}
	pthread_mutex_unlock(&loader->lock);
	return NULL;
}

/* Make a batch empty, with room for its assets. */
static enum isx_status begin_batch(struct loader *loader, struct batch *batch, struct isx_err *err)
{
	isx_arena_release(&batch->arena);
	batch->count = 0;
	batch->assets = isx_arena_alloc(&batch->arena, loader->batch_assets, sizeof *batch->assets);
	batch->sources = isx_arena_alloc(&batch->arena, loader->batch_assets,
					 sizeof *batch->sources);
	batch->outcomes = isx_arena_alloc(&batch->arena, loader->batch_assets,
					  sizeof *batch->outcomes);
	return batch->assets && batch->sources && batch->outcomes ? ISX_OK : isx_fail_memory(err);
}

enum isx_status loader_new(struct isx_store *store, const char *name, size_t batch_assets,
			   bool verbose, struct loader **loader, struct isx_err *err)
{
	struct loader *made = isx_mem_array(1, sizeof *made);
	if (!made)
		return isx_fail_memory(err);
	made->store = store;
	made->name = name;
	made->batch_assets = batch_assets;
	made->verbose = verbose;
	pthread_mutex_init(&made->lock, NULL);
	pthread_cond_init(&made->changed, NULL);
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

struct isx_arena *loader_arena(struct loader *loader)
{
	return &loader->batches[loader->filling].arena;
}

/* Hand the filled batch to the writing thread, once it is done with the other. */
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

enum isx_status loader_give(struct loader *loader, const struct isx_asset *asset,
			    const char *source, bool is_file, struct isx_err *err)
{
	struct batch *batch = &loader->batches[loader->filling];
	const char *name = isx_arena_text(&batch->arena, source, strlen(source));
	if (!name)
		return isx_fail_memory(err);
	batch->assets[batch->count] = *asset;
	batch->sources[batch->count] = (struct source){ name, is_file };
	batch->count++;
	return batch->count == loader->batch_assets ? hand_over(loader, err) : ISX_OK;
}

void loader_error(struct loader *loader, const char *source, const char *message)
{
	pthread_mutex_lock(&loader->lock);
	keep_error(loader, source, message);
	pthread_mutex_unlock(&loader->lock);
}

size_t loader_written(struct loader *loader)
{
	pthread_mutex_lock(&loader->lock);
	size_t written = loader->totals.created + loader->totals.updated;
	pthread_mutex_unlock(&loader->lock);
	return written;
}

enum isx_status loader_finish(struct loader *loader, struct loader_totals *totals,
			      struct isx_buf *messages, struct isx_err *err)
{
	if (loader->batches[loader->filling].count) {
		if (hand_over(loader, NULL)) /* what was handed over is written all the same */
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
	for (size_t i = 0; i < 2; i++)
		isx_arena_release(&loader->batches[i].arena);
	pthread_cond_destroy(&loader->changed);
	pthread_mutex_destroy(&loader->lock);
	isx_mem_free(loader);
	return st;
}
