/*
 * pg_follower.h - the local copy of what is searched: an index file of the similarity engine
 *                 (sim_format.h) whose assets have codes but no metadata.
 *
 * A follower holds, in the same transaction as its rows, the head (number and mark) up to which it
 * has followed. It is used only when that is the head of the database, so it is never wrong; where
 * its past is not the database's (a backup was restored) or the log does not reach back to it, it
 * is made anew. The processes of a host share it.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_PG_FOLLOWER_H
#define ISX_PG_FOLLOWER_H

#include "postgres/pg_head.h"
#include "storage/lmdb_store.h"

struct isx_pg_followers;

/* The followers in a directory, made if need be.
 *   options    of the engine
 *   primary    borrowed: knows which indexes there are
 *   followers  new, free with isx_pg_followers_free() (NULL is allowed) */
ISX_MUST_CHECK enum isx_status isx_pg_followers_new(const char *directory,
						    const struct isx_options *options,
						    struct isx_pg_pool *primary,
						    struct isx_pg_followers **followers,
						    struct isx_err *err);
void isx_pg_followers_free(struct isx_pg_followers *followers);

/* A follower in use. */
struct isx_pg_follower {
	bool busy;     /* filled: it is being brought up to date by somebody else */
	bool at_fault; /* filled on failure: it (its disk, its file) and not the database */
	struct isx_engine *engine; /* that has the file */
	char name[24];             /* of the index in it */
	struct isx_open_index *index;
	struct isx_lmdb_file *file;
};

/* Bring the follower of an index up to `head` or beyond, loading it if there is none; `head` is
 * moved on to where it is then. What takes long is left to a thread of its own. End its use with
 * isx_pg_follower_release(). ISX_NOT_FOUND: the index is no longer there.
 *   follower  filled; if it is busy give the connection back, isx_pg_follower_wait(), and begin
 *             again */
ISX_MUST_CHECK enum isx_status isx_pg_follow(struct isx_pg_followers *followers,
					     struct isx_pg_conn *conn, struct isx_pg_head *head,
					     struct isx_pg_follower *follower, struct isx_err *err);
void isx_pg_follower_release(struct isx_pg_follower *follower);

/* Use the follower as it is, if it is at least at `head` of the index that *known tells; *known is
 * moved to where it is. End its use with isx_pg_follower_release().
 *   found  filled: false when there is none, or it is behind: then nothing is in use */
ISX_MUST_CHECK enum isx_status isx_pg_follower_use(struct isx_pg_followers *followers,
						   struct isx_pg_head *known,
						   struct isx_pg_follower *follower, bool *found,
						   struct isx_err *err);

/* How far a follower in use has come by now: at or behind what was just read from it. */
ISX_MUST_CHECK enum isx_status isx_pg_follower_change_seq(struct isx_pg_follower *follower,
							  int64_t *change_seq, struct isx_err *err);

/* Wait until nobody brings this follower up to date, as long as the query may go on and the
 * patience of the options lasts; not even so long once it is known that this takes much longer.
 * ISX_UNAVAILABLE: try again, with the time that is left.
 *   since_ns  when the search began, of isx_clock_ns() */
ISX_MUST_CHECK enum isx_status isx_pg_follower_wait(struct isx_pg_followers *followers,
						    int64_t generation,
						    const struct isx_query *query,
						    uint64_t since_ns, struct isx_err *err);

/* Bring the follower of an index to its head in the background: this host has written to it. */
void isx_pg_follow_later(struct isx_pg_followers *followers, struct isx_pg_pool *pool,
			 const struct isx_pg_head *head);

/* As isx_loads(). */
ISX_MUST_CHECK enum isx_status isx_pg_followers_loads(struct isx_pg_followers *followers,
						      struct isx_load **loads, size_t *count,
						      struct isx_err *err);

/* The follower is damaged: the next one to need it loads it again. */
void isx_pg_follower_discard(struct isx_pg_followers *followers, int64_t generation);

/* The index is gone: so is its follower. */
void isx_pg_follower_drop(struct isx_pg_followers *followers, int64_t generation);

#endif
