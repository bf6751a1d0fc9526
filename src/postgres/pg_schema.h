/*
 * pg_schema.h - the schema and its tables in PostgreSQL: creating them, and their version.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_PG_SCHEMA_H
#define ISX_PG_SCHEMA_H

#include "postgres/pg_conn.h"

/* Check that `schema` has tables of this program's version, and create them where they are
 * missing. Any number of processes may do so at the same time. ISX_UNAVAILABLE: there are no
 * tables, and this call may not create them. ISX_CORRUPT: the tables have another version, or
 * table store is empty.
 *   tables    the statements that create them; NULL: do not create them
 *   is_there  an earlier connection has seen the tables: saves a round trip
 *   store_id  filled: the random number that was stored when they were created */
ISX_MUST_CHECK enum isx_status isx_pg_schema_ensure(struct isx_pg_conn *conn, const char *schema,
						    const char *tables, bool is_there,
						    int64_t *store_id, struct isx_err *err);

/* Check the version of the tables that a statement has read. ISX_UNAVAILABLE: this program knows
 * another version, and must neither read nor write them. */
ISX_MUST_CHECK enum isx_status isx_pg_check_version(int64_t version, struct isx_err *err);

#endif
