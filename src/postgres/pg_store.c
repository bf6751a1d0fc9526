/*
 * pg_store.c - what the engine's operations share: which server a read goes to, the followers of
 *              the database, and the heads of indexes that were seen last.
 *
 * `lock` of the store guards the pointer to the followers and the remembered heads. The only
 * slow work under it is opening the followers' directory, once.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "postgres/pg_store.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "postgres/pg_follower.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

/* Only failures of the replica itself are tried again on the primary; a missing index is missing on
 * both. ISX_READ_ONLY is one of them: a replica refuses whatever needs a write or a right there. */
enum isx_status isx_pg_read(struct isx_pg_store *store, isx_pg_fn *fn, void *arg,
			    struct isx_err *err)
{
	if (store->readers) {
		struct isx_err why = { 0 };
		enum isx_status st = isx_pg_do(store->readers, fn, arg, &why);
		if (st != ISX_UNAVAILABLE && st != ISX_READ_ONLY && st != ISX_FULL &&
		    st != ISX_CORRUPT)
			return st ? isx_err_pass(err, &why) : ISX_OK;
		isx_log_to(&store->engine.options.logger, ISX_LOG_DEBUG,
			   "the replica does not serve, the primary does: %s", why.msg);
	}
	return isx_pg_do(store->pool, fn, arg, err);
}

/* Open the followers in a folder named by the database's random number: hosts may use one
 * directory for several databases. Called with the lock. */
static enum isx_status open_followers(struct isx_pg_store *store, struct isx_pg_conn *conn,
				      struct isx_err *err)
{
	char directory[PATH_MAX];
	if (snprintf(directory, sizeof directory, "%s/%016llx", store->followers_path,
		     (unsigned long long)isx_pg_store_id(conn)) >= PATH_MAX)
		return isx_fail(err, ISX_INVALID, "the path of the followers is too long");
	return isx_pg_followers_new(directory, &store->engine.options, store->pool,
				    &store->followers, err);
}

enum isx_status isx_pg_followers_of(struct isx_pg_store *store, struct isx_pg_conn *conn,
				    struct isx_pg_followers **followers, struct isx_err *err)
{
	enum isx_status st = ISX_OK;
	pthread_mutex_lock(&store->lock);
	if (!store->followers)
		st = open_followers(store, conn, err);
	*followers = store->followers;
	pthread_mutex_unlock(&store->lock);
	return st;
}

/* --- known heads ------------------------------------------------------------------------------ */

/* The slot of an index, by a hash of its name. Two indexes may share a slot and overwrite each
 * other; that costs a round trip and no wrong answer. Called with the lock. */
static struct isx_pg_known *known_of(struct isx_pg_store *store, const char *name)
{
	return &store->known[isx_hash(name, strlen(name)) % ISX_PG_KNOWN];
}

void isx_pg_remember(struct isx_pg_store *store, const struct isx_pg_head *head, unsigned pause_ms)
{
	uint64_t now_ns = isx_clock_ns();
	pthread_mutex_lock(&store->lock);
	struct isx_pg_known *known = known_of(store, head->name);
	/* A pause outlives new heads of the same index, and ends when another index takes the
	 * slot. */
	uint64_t until_ns = strcmp(known->name, head->name) == 0 ? known->until_ns : 0;
	*known = (struct isx_pg_known){ .index_id = head->index_id,
					.generation = head->generation,
					.change_seq = head->change_seq,
					.fields = head->fields,
					.until_ns = pause_ms ? now_ns + isx_ms_to_ns(pause_ms)
							     : until_ns };
	memcpy(known->name, head->name, sizeof known->name);
	pthread_mutex_unlock(&store->lock);
}

bool isx_pg_recall(struct isx_pg_store *store, const char *name, struct isx_pg_head *head)
{
	uint64_t now_ns = isx_clock_ns();
	pthread_mutex_lock(&store->lock);
	const struct isx_pg_known *known = known_of(store, name);
	bool is_known = store->followers && strcmp(known->name, name) == 0 &&
			now_ns >= known->until_ns;
	*head = (struct isx_pg_head){ .index_id = known->index_id,
				      .generation = known->generation,
				      .change_seq = known->change_seq,
				      .fields = known->fields };
	memcpy(head->name, known->name, sizeof head->name);
	pthread_mutex_unlock(&store->lock);
	return is_known;
}

/* Never fails: the change is committed, and the next search brings the follower there itself. The
 * follower reads from the replica where there is one, as searches do. */
void isx_pg_wrote(struct isx_pg_store *store, struct isx_pg_conn *conn,
		  const struct isx_pg_head *head)
{
	struct isx_pg_followers *followers;
	struct isx_err err;
	if (!store->followers_path)
		return;
	isx_pg_remember(store, head, 0);
	if (isx_pg_followers_of(store, conn, &followers, &err))
		isx_log_to(&store->engine.options.logger, ISX_LOG_DEBUG,
			   "no follower for what was written: %s", err.msg);
	else
		isx_pg_follow_later(followers, store->readers ? store->readers : store->pool, head);
}

struct isx_commit_queue *isx_pg_queue_of(struct isx_pg_store *store, const char *name)
{
	return store->queues[isx_hash(name, strlen(name)) % ISX_PG_QUEUES];
}
