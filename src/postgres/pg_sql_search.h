/*
 * pg_sql_search.h - search in the database server: for hosts without a follower, or whose follower
 *                   fails. The tests compare the answers with those of a follower.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_PG_SQL_SEARCH_H
#define ISX_PG_SQL_SEARCH_H

#include "postgres/pg_store.h"

/* Answer a query in the snapshot that the caller has begun. The metadata of the matches is left
 * to the caller.
 *   name    of the index; `head` is its head in the snapshot
 *   result  filled, in `arena` */
ISX_MUST_CHECK enum isx_status isx_pg_sql_search(struct isx_pg_conn *conn,
						 const struct isx_pg_head *head, const char *name,
						 const struct isx_options *options,
						 const struct isx_query *query,
						 struct isx_arena *arena, struct isx_result *result,
						 struct isx_err *err);

#endif
