/*
 * pg_loader.c - a list of wishes, and a thread that fulfils them.
 *
 * One thread only: loads are bound by the disk and by the database, and each holds a connection
 * that searches need, too. What is wished for in the background waits for what a search wishes for,
 * and is done for one index no more often than every REST_MS: a host that writes all the time
 * should not be busy with its follower all the time.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "postgres/pg_loader.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/pool.h"

#include <pthread.h>
#include <stdatomic.h>

enum {
	REQUESTS_MAX = 1024,
	REMEMBER_MS = 2000,    /* a failure: then it is tried again */
	REST_MS = 250,         /* of the background, behind each work for an index */
	REST_FAILED_MS = 10000 /* and behind one that failed: a disk that is full stays so */
};

enum state { WAITING, RUNNING, RESTING, FAILED };

struct entry {
	struct entry *next;
	struct isx_pg_load_request request;
	enum state state;
	bool again;        /* it was wished for while it ran */
	uint64_t until_ns; /* WAITING: not before; RESTING, FAILED: it is kept so long */
	bool at_fault;     /* FAILED: and why */
	struct isx_err cause;
};

struct isx_pg_loader {
	isx_pg_load_fn *fn;
	void *arg;
	pthread_mutex_t lock;   /* guards `entries` */
	pthread_cond_t changed; /* there is something to do */
	struct entry *entries;  /* in the order of their wishes */
	struct isx_pool *pool;  /* of the one thread */
	atomic_bool stops;
};

static isx_pool_fn run_loader;

enum isx_status isx_pg_loader_new(isx_pg_load_fn *fn, void *arg, struct isx_pg_loader **loader,
				  struct isx_err *err)
{
	struct isx_pg_loader *made = isx_mem_array(1, sizeof *made);
	if (!made)
		return isx_fail_memory(err);
	made->fn = fn;
	made->arg = arg;
	pthread_mutex_init(&made->lock, NULL);
	isx_clock_cond_init(&made->changed);
	enum isx_status st = isx_pool_new("pg-loader", 1, 1, &made->pool, err);
	if (!st && !isx_pool_put(made->pool, run_loader, made))
		st = isx_fail(err, ISX_UNAVAILABLE, "the loader could not be started");
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
	pthread_mutex_lock(&loader->lock);
	atomic_store(&loader->stops, true);
	pthread_cond_broadcast(&loader->changed);
	pthread_mutex_unlock(&loader->lock);
	isx_pool_free(loader->pool);
	while (loader->entries) {
		struct entry *entry = loader->entries;
		loader->entries = entry->next;
		isx_mem_free(entry);
	}
	pthread_cond_destroy(&loader->changed);
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
static struct entry **find_entry(struct isx_pg_loader *loader, bool sweeps, int64_t generation)
{
	struct entry **at = &loader->entries;
	while (*at && ((*at)->request.sweeps != sweeps ||
		       (!sweeps && (*at)->request.head.generation != generation)))
		at = &(*at)->next;
	return at;
}

static void remove_entry(struct entry **at)
{
	struct entry *gone = *at;
	*at = gone->next;
	isx_mem_free(gone);
}

/* A time of isx_clock_ns(). */
static uint64_t in_ms(unsigned ms)
{
	return isx_clock_ns() + (uint64_t)ms * 1000000;
}

/* What is to be done next, NULL if nothing is yet: what searches wait for comes first. Entries that
 * have rested go, and failures that are not told any more. *wake_ns is when to look again. Called
 * with the lock. */
static struct entry *find_due(struct isx_pg_loader *loader, uint64_t *wake_ns)
{
	const uint64_t now_ns = isx_clock_ns();
	struct entry *due = NULL;
	*wake_ns = in_ms(60000);
	for (struct entry **at = &loader->entries; *at;) {
		struct entry *entry = *at;
		bool is_done = entry->state == RESTING || entry->state == FAILED;
		if (is_done && entry->until_ns <= now_ns) {
			remove_entry(at);
			continue;
		}
		at = &entry->next;
		if (entry->state == WAITING && entry->until_ns <= now_ns) {
			if (!due || (due->request.is_background && !entry->request.is_background))
				due = entry;
		} else if (entry->until_ns < *wake_ns) {
			*wake_ns = entry->until_ns;
		}
	}
	return due;
}

/* Work for a wish has ended. Called with the lock. */
static void end_entry(struct isx_pg_loader *loader, struct entry *entry, enum isx_status st,
		      const struct isx_pg_work *work, const struct isx_err *why)
{
	entry->again |= entry->request.is_background && work->was_busy;
	if (st && !entry->request.is_background && !entry->request.sweeps) {
		entry->state = FAILED;
		entry->at_fault = work->at_fault;
		entry->cause = *why;
		entry->until_ns = in_ms(REMEMBER_MS);
	} else if (entry->request.sweeps) {
		remove_entry(find_entry(loader, true, 0));
	} else {
		entry->state = entry->again ? WAITING : RESTING;
		entry->request.is_background = true;
		entry->again = false;
		entry->until_ns = in_ms(st ? REST_FAILED_MS : REST_MS);
	}
}

/* The thread. */
static void run_loader(void *arg)
{
	struct isx_pg_loader *loader = arg;
	pthread_mutex_lock(&loader->lock);
	while (!atomic_load(&loader->stops)) {
		uint64_t wake_ns;
		struct entry *entry = find_due(loader, &wake_ns);
		if (!entry) {
			(void)isx_clock_wait(&loader->changed, &loader->lock, wake_ns);
			continue;
		}
		struct isx_err why = { 0 };
		struct isx_pg_work work = { 0 };
		struct isx_pg_load_request request = entry->request;
		entry->state = RUNNING;
		entry->until_ns = UINT64_MAX;
		pthread_mutex_unlock(&loader->lock);
		enum isx_status st = loader->fn(loader->arg, &request, &work, &why);
		pthread_mutex_lock(&loader->lock);
		end_entry(loader, entry, st, &work, &why); /* nobody else removes what runs */
	}
	pthread_mutex_unlock(&loader->lock);
}

/* Add an entry behind the others. Called with the lock. */
static enum isx_status add_entry(struct isx_pg_loader *loader,
				 const struct isx_pg_load_request *request, struct isx_err *err)
{
	struct entry **at = &loader->entries;
	size_t count = 0;
	for (; *at; at = &(*at)->next)
		count++;
	if (count >= REQUESTS_MAX)
		return isx_fail(err, ISX_UNAVAILABLE,
				"too many followers are to be loaded: try again later");
	*at = isx_mem_array(1, sizeof **at);
	if (!*at)
		return isx_fail_memory(err);
	**at = (struct entry){ .request = *request, .state = WAITING };
	return ISX_OK;
}

/* Wish for what there is an entry of. Called with the lock. */
static void merge_request(struct entry *entry, const struct isx_pg_load_request *request)
{
	if (entry->state == RUNNING) {
		entry->again |= request->is_background;
	} else if (entry->state == RESTING) { /* `until_ns` stays */
		entry->state = WAITING;
		entry->request = *request;
	} else if (!request->is_background) {
		entry->request = *request;
	}
	if (entry->state == WAITING && !request->is_background)
		entry->until_ns = 0;
}

enum isx_status isx_pg_loader_request(struct isx_pg_loader *loader,
				      const struct isx_pg_load_request *request,
				      struct isx_err *err)
{
	enum isx_status st = ISX_OK;
	pthread_mutex_lock(&loader->lock);
	struct entry **at = find_entry(loader, request->sweeps, request->head.generation);
	if (*at && (*at)->state == FAILED &&
	    (!request->is_background || (*at)->until_ns <= isx_clock_ns()))
		remove_entry(at);
	struct entry *entry = *find_entry(loader, request->sweeps, request->head.generation);
	if (entry)
		merge_request(entry, request);
	else
		st = add_entry(loader, request, err);
	pthread_cond_signal(&loader->changed);
	pthread_mutex_unlock(&loader->lock);
	return st;
}

bool isx_pg_loader_is_at(struct isx_pg_loader *loader, int64_t generation)
{
	pthread_mutex_lock(&loader->lock);
	const struct entry *entry = *find_entry(loader, false, generation);
	bool is_at = entry && (entry->state == RUNNING ||
			       (entry->state == WAITING && !entry->request.is_background));
	pthread_mutex_unlock(&loader->lock);
	return is_at;
}

enum isx_status isx_pg_loader_failure(struct isx_pg_loader *loader, int64_t generation,
				      bool *at_fault, struct isx_err *err)
{
	enum isx_status st = ISX_OK;
	pthread_mutex_lock(&loader->lock);
	struct entry **at = find_entry(loader, false, generation);
	if (*at && (*at)->state == FAILED) {
		if (isx_clock_ns() < (*at)->until_ns) {
			*at_fault = (*at)->at_fault;
			st = isx_fail(err, (*at)->cause.status, "%s", (*at)->cause.msg);
		}
		remove_entry(at);
	}
	pthread_mutex_unlock(&loader->lock);
	return st;
}
