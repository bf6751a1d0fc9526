/*
 * pg_loader.c - a list of wishes, and a pool of one thread that fulfils them.
 *
 * One thread only: loads are bound by the disk and by the database, and each holds a connection
 * that searches need, too.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "index/pg_loader.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/pool.h"

#include <pthread.h>

enum {
	WISHES_MAX = 1024,
	REMEMBER_MS = 2000 /* a failure: then it is tried again */
};

struct entry {
	struct isx_pg_loader *loader;
	struct entry *next;
	struct isx_pg_wish wish;
	bool has_failed;
	bool at_fault;
	struct isx_err why;
	uint64_t until_ns; /* the failure is told */
};

struct isx_pg_loader {
	isx_pg_wish_fn *fn;
	void *arg;
	pthread_mutex_t lock; /* guards `entries` */
	struct entry *entries;
	struct isx_pool *pool;
	atomic_bool stops;
};

enum isx_status isx_pg_loader_new(isx_pg_wish_fn *fn, void *arg, struct isx_pg_loader **loader,
				  struct isx_err *err)
{
	struct isx_pg_loader *made = isx_mem_array(1, sizeof *made);
	if (!made)
		return isx_fail_memory(err);
	made->fn = fn;
	made->arg = arg;
	pthread_mutex_init(&made->lock, NULL);
	enum isx_status st = isx_pool_new("pg-loader", 1, WISHES_MAX, &made->pool, err);
	if (st)
		isx_pg_loader_free(made);
	else
		*loader = made;
	return st;
}

void isx_pg_loader_free(struct isx_pg_loader *loader)
{
	if (!loader)
		return;
	atomic_store(&loader->stops, true);
	isx_pool_free(loader->pool);
	while (loader->entries) {
		struct entry *entry = loader->entries;
		loader->entries = entry->next;
		isx_mem_free(entry);
	}
	pthread_mutex_destroy(&loader->lock);
	isx_mem_free(loader);
}

enum isx_status isx_pg_loader_goes_on(void *loader, struct isx_err *err)
{
	return atomic_load(&((struct isx_pg_loader *)loader)->stops)
		       ? isx_fail(err, ISX_UNAVAILABLE, "the server stops: try again later")
		       : ISX_OK;
}

/* The place of an entry in the list, or of the NULL at its end. Called with the lock. */
static struct entry **find_entry(struct isx_pg_loader *loader, bool sweeps, int64_t incarnation)
{
	struct entry **at = &loader->entries;
	while (*at && ((*at)->wish.sweeps != sweeps ||
		       (!sweeps && (*at)->wish.head.incarnation != incarnation)))
		at = &(*at)->next;
	return at;
}

static void remove_entry(struct entry **at)
{
	struct entry *gone = *at;
	*at = gone->next;
	isx_mem_free(gone);
}

/* The thread's job. */
static void fulfil(void *arg)
{
	struct entry *entry = arg;
	struct isx_pg_loader *loader = entry->loader;
	struct isx_err why = { 0 };
	bool at_fault = false;
	enum isx_status st = isx_pg_loader_goes_on(loader, &why);
	if (!st)
		st = loader->fn(loader->arg, &entry->wish, &at_fault, &why);
	pthread_mutex_lock(&loader->lock);
	if (st && !entry->wish.sweeps) {
		entry->has_failed = true;
		entry->at_fault = at_fault;
		entry->why = why;
		entry->until_ns = isx_clock_ns() + (uint64_t)REMEMBER_MS * 1000000;
	} else {
		remove_entry(find_entry(loader, entry->wish.sweeps, entry->wish.head.incarnation));
	}
	pthread_mutex_unlock(&loader->lock);
}

enum isx_status isx_pg_loader_want(struct isx_pg_loader *loader, const struct isx_pg_wish *wish,
				   struct isx_err *err)
{
	enum isx_status st = ISX_OK;
	pthread_mutex_lock(&loader->lock);
	struct entry **at = find_entry(loader, wish->sweeps, wish->head.incarnation);
	if (*at && (*at)->has_failed)
		remove_entry(at);
	if (!*find_entry(loader, wish->sweeps, wish->head.incarnation)) {
		struct entry *entry = isx_mem_array(1, sizeof *entry);
		if (entry)
			*entry = (struct entry){ .loader = loader,
						 .next = loader->entries,
						 .wish = *wish };
		if (!entry) {
			st = isx_fail_memory(err);
		} else if (isx_pool_put(loader->pool, fulfil, entry)) {
			loader->entries = entry; /* it cannot end before we give the lock back */
		} else {
			isx_mem_free(entry);
			st = isx_fail(err, ISX_UNAVAILABLE,
				      "too many followers are to be loaded: try again later");
		}
	}
	pthread_mutex_unlock(&loader->lock);
	return st;
}

bool isx_pg_loader_is_at(struct isx_pg_loader *loader, int64_t incarnation)
{
	pthread_mutex_lock(&loader->lock);
	const struct entry *entry = *find_entry(loader, false, incarnation);
	bool is_at = entry && !entry->has_failed;
	pthread_mutex_unlock(&loader->lock);
	return is_at;
}

enum isx_status isx_pg_loader_failure(struct isx_pg_loader *loader, int64_t incarnation,
				      bool *at_fault, struct isx_err *err)
{
	enum isx_status st = ISX_OK;
	pthread_mutex_lock(&loader->lock);
	struct entry **at = find_entry(loader, false, incarnation);
	if (*at && (*at)->has_failed) {
		if (isx_clock_ns() < (*at)->until_ns) {
			*at_fault = (*at)->at_fault;
			st = isx_fail(err, (*at)->why.status, "%s", (*at)->why.msg);
		}
		remove_entry(at);
	}
	pthread_mutex_unlock(&loader->lock);
	return st;
}
