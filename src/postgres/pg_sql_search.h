/*
 * pg_sql_search.h - search by SQL alone: for hosts without room for a follower, and what the tests
 *                   compare a follower with.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_PG_SQL_SEARCH_H
#define ISX_PG_SQL_SEARCH_H

#include "postgres/pg_store.h"

/* Answer a query, in a snapshot that the caller has begun, but for the metadata of the matches.
 * Everything in *result lives in `arena`. */
ISX_MUST_CHECK enum isx_status isx_pg_sql_search(struct isx_pg_conn *conn,
						 const struct isx_pg_head *head, const char *name,
						 const struct isx_options *options,
						 const struct isx_query *query,
						 struct isx_arena *arena, struct isx_result *result,
						 struct isx_err *err);

#endif
