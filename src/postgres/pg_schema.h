/*
 * pg_schema.h - the schema in PostgreSQL: made by the program itself, and its version.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_PG_SCHEMA_H
#define ISX_PG_SCHEMA_H

#include "postgres/pg_conn.h"

/* See that the tables in `schema` are there and are ours; of another version they are refused. Any
 * number of processes may do so at once.
 *   tables    the statements that make them where they are missing; NULL: that is for others
 *   is_there  they have been found before
 *   store_id  filled: a random number, made with the tables */
ISX_MUST_CHECK enum isx_status isx_pg_schema_ensure(struct isx_pg_conn *conn, const char *schema,
						    const char *tables, bool is_there,
						    int64_t *store_id, struct isx_err *err);

/* Does this program know tables of this version? ISX_UNAVAILABLE: no, and it must leave them
 * alone. */
ISX_MUST_CHECK enum isx_status isx_pg_check_version(int64_t version, struct isx_err *err);

#endif
