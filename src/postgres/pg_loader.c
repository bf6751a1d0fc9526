/*
 * pg_loader.c - a queue of load requests, and the thread that runs them.
 *
 * One thread only: loads are bound by the disk and by the database, and each holds a connection
 * that searches need, too. Requests of searches come before background ones. Background work for
 * one index starts at most every REST_MS: a host that writes all the time must not spend all its
 * time on its follower.
 *
 * An entry goes WAITING -> RUNNING -> RESTING -> removed, or back to WAITING when it was
 * requested again; after the failed request of a search it is FAILED until the error was handed
 * out. `lock` guards the entries; it is not held while a request runs. Only the thread removes
 * an entry that is RUNNING.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "postgres/pg_loader.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/pool.h"

#include <pthread.h>
#include <stdatomic.h>

enum {
	REQUESTS_MAX = 1024, /* entries: the list is searched from its begin */
	REMEMBER_MS = 2000,  /* how long the error of a request is kept for a search */
	REST_MS = 250,       /* pause of background work behind each work for the same index */
	REST_FAILED_MS =
		10000 /* the same behind work that failed: a full disk stays full for long */
};

enum state { WAITING, RUNNING, RESTING, FAILED };

struct entry {
	struct entry *next;
	struct isx_pg_load_request request;
	enum state state;
	bool again;        /* a background request came while it ran: run once more */
	uint64_t until_ns; /* WAITING: do not start before; RESTING, FAILED: kept until then */
	bool at_fault;     /* FAILED: by the follower or not, and the error */
	struct isx_err cause;
};

struct isx_pg_loader {
	isx_pg_load_fn *fn;
	void *arg;
	pthread_mutex_t lock;   /* guards `entries` */
	pthread_cond_t changed; /* signalled when an entry was added or changed, and at the end */
	struct entry *entries;  /* a list, oldest first */
	struct isx_pool *pool;  /* the one thread */
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

/* Find the entry of an index, or the one that sweeps: the pointer to it in the list, which at
 * the end of the list points to NULL. Called with the lock. */
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

/* The entry to run next, NULL if none is due: the oldest that a search waits for, else the oldest.
 * Removes entries whose rest is over, and errors too old to hand out. Called with the lock.
 *   wake_ns  filled: when to call again if nothing changes before, in a minute at the latest */
static struct entry *find_due(struct isx_pg_loader *loader, uint64_t *wake_ns)
{
	const uint64_t now_ns = isx_clock_ns();
	struct entry *due = NULL;
	*wake_ns = isx_clock_after_ms(60000);
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

/* A request has ended: keep its error for the search that waits, or rest until the next
 * background request for the index. Called with the lock. */
static void end_entry(struct isx_pg_loader *loader, struct entry *entry, enum isx_status st,
		      const struct isx_pg_work *work, const struct isx_err *why)
{
	/* Another process may be at an earlier change than the one of this request. */
	entry->again |= entry->request.is_background && work->was_busy;
	if (st && !entry->request.is_background && !entry->request.sweeps) {
		entry->state = FAILED;
		entry->at_fault = work->at_fault;
		entry->cause = *why;
		entry->until_ns = isx_clock_after_ms(REMEMBER_MS);
	} else if (entry->request.sweeps) {
		remove_entry(find_entry(loader, true, 0));
	} else {
		entry->state = entry->again ? WAITING : RESTING;
		entry->request.is_background = true;
		entry->again = false;
		entry->until_ns = isx_clock_after_ms(st ? REST_FAILED_MS : REST_MS);
	}
}

/* The thread. The request is copied, as merging may change the entry's while it runs without the
 * lock. */
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
		end_entry(loader, entry, st, &work,
			  &why); /* still in the list: no other thread removes a RUNNING entry */
	}
	pthread_mutex_unlock(&loader->lock);
}

/* Append an entry. Called with the lock. */
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

/* Merge a request into the entry of its index. A search's request takes the place of a
 * background one, and need not rest; a RUNNING one serves the search that comes meanwhile, too.
 * Called with the lock. */
static void merge_request(struct entry *entry, const struct isx_pg_load_request *request)
{
	if (entry->state == RUNNING) {
		entry->again |= request->is_background;
	} else if (entry->state == RESTING) { /* until_ns stays: background work rests on */
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
	/* A search that requests again ends the memory of the failure; background work waits for
	 * its end. */
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
			st = isx_err_pass(err, &(*at)->cause);
		}
		remove_entry(at);
	}
	pthread_mutex_unlock(&loader->lock);
	return st;
}
