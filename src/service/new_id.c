/*
 * new_id.c - gives ISCC-IDs to assets that have none: the time in microseconds, and the hub number
 *            of the store.
 *
 * Threads of a process never take the same microsecond: the last one taken is an atomic number.
 * Other processes and hosts may take it. So the transaction that writes the assets also looks
 * whether the index has their ISCC-IDs (is_new in struct isx_asset). If it has, nothing is written,
 * and other ISCC-IDs are tried.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "service/new_id.h"

#include "base/mem.h"
#include "iscc/iscc_id.h"

#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* Two processes that add at once meet in one of their microseconds once or twice; then random
 * distances, which double, keep them apart. */
enum { TRIES = 20, HUB_BITS = 12 };

static atomic_ullong last_us; /* the last microsecond that was taken */

/* Take `count` microseconds in a row that no thread of this process has taken. Returns the first:
 * the time of day plus `ahead_us`, or a later one. */
static uint64_t take_time_us(uint64_t count, uint64_t ahead_us)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	uint64_t from = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000 + ahead_us;
	unsigned long long last = atomic_load(&last_us), first;
	do
		first = from > last ? from : last + 1;
	while (!atomic_compare_exchange_weak(&last_us, &last, first + count - 1));
	return first;
}

/* Give an ISCC-ID to each asset that has none in `given`.
 *   named  filled: the assets with their ISCC-IDs, the texts of which are in `texts` */
static void name_assets(const struct isx_asset *given, size_t count,
			const struct isx_iscc_id *first, struct isx_asset *named, char (*texts)[24])
{
	struct isx_iscc_id id = *first;
	for (size_t i = 0; i < count; i++) {
		named[i] = given[i];
		if (given[i].iscc_id)
			continue;
		isx_iscc_id_print(&id, texts[i]);
		named[i].iscc_id = texts[i];
		named[i].is_new = true;
		id.body += 1u << HUB_BITS;
	}
}

/* The realm of an index: that of its first asset, otherwise that of the first asset to add that has
 * an ISCC-ID, otherwise 0. */
static enum isx_status find_realm(struct isx_engine *engine, const char *name,
				  const struct isx_asset *assets, size_t count, uint32_t *realm,
				  struct isx_err *err)
{
	const struct isx_walk_range all = { .last = UINT64_MAX, .hub = -1 };
	struct isx_walk *walk;
	struct isx_arena arena = { 0 };
	struct isx_asset stored = { 0 };
	struct isx_iscc_id id = { 0 };
	bool more = false;
	enum isx_status st = engine->ops->walk(engine, name, &all, &walk, err);
	if (st)
		return st;
	st = walk->next(walk, &arena, &stored, &more, err);
	walk->close(walk);
	for (size_t i = 0; !st && !more && i < count; i++)
		if (assets[i].iscc_id)
			stored.iscc_id = assets[i].iscc_id, more = true;
	/* an ISCC-ID that cannot be read is reported by the engine, with its position */
	if (!st && more)
		(void)!isx_iscc_id_parse(isx_span_of(stored.iscc_id), &id, NULL);
	*realm = id.realm;
	isx_arena_release(&arena);
	return st;
}

/* Try to add until no ISCC-ID meets another one. */
static enum isx_status add_named(struct isx_engine *engine, const char *name,
				 const struct isx_asset *assets, size_t count,
				 struct isx_asset *named, char (*texts)[24],
				 enum isx_outcome *outcomes, struct isx_err *err)
{
	struct isx_iscc_id first = { .version = 1 };
	struct isx_err why = { 0 };
	uint64_t ahead_us = 0;
	enum isx_status st = find_realm(engine, name, assets, count, &first.realm, err);
	for (int i = 0; !st && i < TRIES; i++) {
		first.body = take_time_us(count, ahead_us) << HUB_BITS | engine->options.hub;
		name_assets(assets, count, &first, named, texts);
		st = engine->ops->add(engine, name, named, count, outcomes, &why);
		/* an ISCC-ID that the caller has given with is_new stays what it is */
		if (st != ISX_EXISTS || why.position >= count || assets[why.position].iscc_id)
			return st ? isx_err_pass(err, &why) : ISX_OK;
		st = ISX_OK;
		ahead_us = randombytes_uniform(1u << (i + 1)) * (uint64_t)count;
	}
	return st ? st
		  : isx_fail(err, ISX_UNAVAILABLE,
			     "other processes take the same ISCC-IDs: try again, and give each "
			     "machine a hub number of its own");
}

enum isx_status isx_add_unnamed(struct isx_engine *engine, const char *name,
				const struct isx_asset *assets, size_t count,
				enum isx_outcome *outcomes, char (*iscc_ids)[24],
				struct isx_err *err)
{
	struct isx_asset *named = isx_mem_array(count, sizeof *named);
	char(*own)[24] = iscc_ids ? NULL : isx_mem_array(count, sizeof *own);
	char(*texts)[24] = iscc_ids ? iscc_ids : own;
	enum isx_status st = named && texts ? ISX_OK : isx_fail_memory(err);
	if (!st && engine->ops->add_unnamed)
		st = engine->ops->add_unnamed(engine, name, assets, count, outcomes, texts, err);
	else if (!st)
		st = add_named(engine, name, assets, count, named, texts, outcomes, err);
	isx_mem_free(named);
	isx_mem_free(own);
	return st;
}
