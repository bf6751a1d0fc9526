/*
 * pg_search.h - search an index on PostgreSQL: in its follower, or in the database server.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_PG_SEARCH_H
#define ISX_PG_SEARCH_H

#include "postgres/pg_store.h"

/* As in struct isx_engine_ops. */
ISX_MUST_CHECK enum isx_status isx_pg_search(struct isx_engine *engine, const char *name,
					     const struct isx_query *query, struct isx_arena *arena,
					     struct isx_result *result, struct isx_err *err);

/* `search_many` in struct isx_engine_ops: the jobs share the passes over the follower. */
void isx_pg_search_many(struct isx_engine *engine, const char *name, struct isx_search_job *jobs,
			size_t count);

/* Find near-duplicates in the followers: `duplicates` in struct isx_engine_ops. */
ISX_MUST_CHECK enum isx_status isx_pg_duplicates(struct isx_engine *engine, const char *name,
						 struct isx_engine *reference,
						 const struct isx_duplicates_query *query,
						 isx_pair_fn *found, void *arg,
						 struct isx_err *err);

#endif
