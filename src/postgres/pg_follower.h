/*
 * pg_follower.h - the local copy of the rows that searches scan: an index file of the similarity
 *                 engine (similarity/sim_format.h) whose assets have codes, and metadata only where the
 *                 index declares fields.
 *
 * A follower stores its position, the number and the token of the last change that is in it, in the
 * same transaction as its rows. An answer is given only if that was the head of the index in the
 * database, so a follower may be late but never wrong. Where its history has diverged from the
 * database's (a backup was restored), or the log does not reach back to its position, it is loaded
 * anew. All processes of a host share it.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_PG_FOLLOWER_H
#define ISX_PG_FOLLOWER_H

#include "postgres/pg_head.h"
#include "storage/lmdb_store.h"

struct isx_pg_followers;

/* Open the followers in a directory, which is created if need be.
 *   options    of the engine
 *   primary    borrowed: lists the indexes, to find followers of deleted ones
 *   followers  new, free with isx_pg_followers_free() (NULL is allowed) */
ISX_MUST_CHECK enum isx_status isx_pg_followers_new(const char *directory,
						    const struct isx_options *options,
						    struct isx_pg_pool *primary,
						    struct isx_pg_followers **followers,
						    struct isx_err *err);
void isx_pg_followers_free(struct isx_pg_followers *followers);

/* A follower in use: while `index` is not NULL, its file stays open. */
struct isx_pg_follower {
	bool busy;     /* filled: another thread or process is updating it */
	bool at_fault; /* filled on failure: the follower (disk, file) failed, not the database */
	struct isx_engine *engine; /* that the file was opened by */
	char name[24]; /* of its folder: f and the generation of the index, 16 hex digits */
	struct isx_open_index *index;
	struct isx_lmdb_file *file;
};

/* Bring the follower of an index to `head` or beyond, loading it if there is none. Work that
 * takes long is left to the loader's thread. End its use with isx_pg_follower_release().
 * ISX_NOT_FOUND: the index was deleted.
 *   head      moved to the change that the follower has reached
 *   follower  filled; if it is busy, nothing is in use: give the connection back, call
 *             isx_pg_follower_wait(), and begin again */
ISX_MUST_CHECK enum isx_status isx_pg_follow(struct isx_pg_followers *followers,
					     struct isx_pg_conn *conn, struct isx_pg_head *head,
					     struct isx_pg_follower *follower, struct isx_err *err);
void isx_pg_follower_release(struct isx_pg_follower *follower);

/* Use the follower as it is, without asking the database, if it has reached the change that
 * *known tells. End its use with isx_pg_follower_release().
 *   known  moved to the change that the follower has reached
 *   found  filled: false when there is no follower or it is behind; then nothing is in use */
ISX_MUST_CHECK enum isx_status isx_pg_follower_use(struct isx_pg_followers *followers,
						   struct isx_pg_head *known,
						   struct isx_pg_follower *follower, bool *found,
						   struct isx_err *err);

/* The change that a follower in use has reached now. Another process may have moved it on since
 * it was searched, so this is an upper limit of what the search has seen.
 *   change_seq  filled */
ISX_MUST_CHECK enum isx_status isx_pg_follower_change_seq(struct isx_pg_follower *follower,
							  int64_t *change_seq, struct isx_err *err);

/* Wait until no thread and no process updates this follower. Ends with an error when the query
 * is cancelled, and with ISX_UNAVAILABLE and retry_after_s when postgres_patience_s is over, or
 * earlier when the estimate says that the load takes more than twice the time that is left. Must
 * be called without a connection, as the loader needs one.
 *   since_ns  when the search began, of isx_clock_ns() */
ISX_MUST_CHECK enum isx_status isx_pg_follower_wait(struct isx_pg_followers *followers,
						    int64_t generation,
						    const struct isx_query *query,
						    uint64_t since_ns, struct isx_err *err);

/* Request that the follower of an index is brought to `head` in the background, after this host has
 * written to the index. */
void isx_pg_follow_later(struct isx_pg_followers *followers, struct isx_pg_pool *pool,
			 const struct isx_pg_head *head);

/* As isx_loads(). */
ISX_MUST_CHECK enum isx_status isx_pg_followers_loads(struct isx_pg_followers *followers,
						      struct isx_load **loads, size_t *count,
						      struct isx_err *err);

/* Remove the file of a follower, because it is damaged. The next search loads it again. */
void isx_pg_follower_discard(struct isx_pg_followers *followers, int64_t generation);

/* Remove a follower and its lock file, because its index was deleted. */
void isx_pg_follower_drop(struct isx_pg_followers *followers, int64_t generation);

#endif
