/*
 * pg_schema.h - the schema in PostgreSQL: made and upgraded by the program itself.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_PG_SCHEMA_H
#define ISX_PG_SCHEMA_H

#include "index/pg_conn.h"

/* Make the tables in `schema` where they are missing, by the statements `tables` (NULL: that is for others), and refuse those
 * of a later version. Any number of processes may do so at once.
 *   store_id  filled: a random number, made with the tables */
ISX_MUST_CHECK enum isx_status isx_pg_schema_ensure(struct isx_pg_conn *conn, const char *schema,
						    const char *tables, int64_t *store_id,
						    struct isx_err *err);

#endif
