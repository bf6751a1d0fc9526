/*
 * pg_schema.c - see that the tables are there and are ours.
 *
 * Programs of several hosts may start at once: an advisory lock lets one of them make the tables,
 * in one transaction, and the others find them. Nothing is asked for that is there already, so that
 * a role without the right to create things can serve what an administrator made.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "index/pg_schema.h"

#include "base/log.h"

#include <stdio.h>

static enum isx_status find_schema(struct isx_pg_conn *conn, const char *schema, bool *has_schema,
				   bool *has_tables, struct isx_err *err)
{
	struct isx_pg_params params = { 0 };
	PGresult *found = NULL;
	isx_pg_add_text(&params, schema);
	enum isx_status st = isx_pg_run(conn, ISX_PG_SCHEMA_EXISTS, &params, &found, err);
	if (!st) {
		*has_schema = isx_pg_bool(found, 0, 0);
		*has_tables = isx_pg_bool(found, 0, 1);
	}
	PQclear(found);
	isx_pg_params_release(&params);
	return st;
}

/* Make what is missing, while no other process does. */
static enum isx_status make_tables(struct isx_pg_conn *conn, const char *schema, const char *tables,
				   struct isx_err *err)
{
	char create[128];
	bool has_schema = false, has_tables = false;
	struct isx_pg_params params = { 0 };
	isx_pg_add_text(&params, schema);
	enum isx_status st = isx_pg_run(conn, ISX_PG_BEGIN, NULL, NULL, err);
	if (!st)
		st = isx_pg_run(conn, ISX_PG_SCHEMA_LOCK, &params, NULL, err);
	if (!st)
		st = find_schema(conn, schema, &has_schema, &has_tables, err);
	snprintf(create, sizeof create, "CREATE SCHEMA \"%s\"", schema);
	if (!st && !has_schema)
		st = isx_pg_text(conn, create, err);
	if (!st && !has_tables)
		st = isx_pg_text(conn, tables, err);
	if (!st)
		st = isx_pg_run(conn, ISX_PG_COMMIT, NULL, NULL, err);
	if (!st && !has_tables)
		isx_log(ISX_LOG_INFO, "made the tables in schema %s", schema);
	isx_pg_params_release(&params);
	return st ? isx_err_at(err, st, "make the tables in schema %s", schema) : ISX_OK;
}

enum isx_status isx_pg_schema_ensure(struct isx_pg_conn *conn, const char *schema,
				     const char *tables, int64_t *store_id, struct isx_err *err)
{
	bool has_schema = false, has_tables = false;
	PGresult *store = NULL;
	enum isx_status st = find_schema(conn, schema, &has_schema, &has_tables, err);
	if (!st && !has_tables && !tables)
		st = isx_fail(err, ISX_UNAVAILABLE, "schema %s has no tables yet", schema);
	if (!st && !has_tables)
		st = make_tables(conn, schema, tables, err);
	if (!st)
		st = isx_pg_run(conn, ISX_PG_STORE_READ, NULL, &store, err);
	if (!st && PQntuples(store) != 1)
		st = isx_fail(err, ISX_CORRUPT, "schema %s: table store is empty", schema);
	if (!st && isx_pg_i64(store, 0, 0) > ISX_PG_VERSION)
		st = isx_fail(
			err, ISX_CORRUPT,
			"schema %s has version %lld, this program knows versions up to %d: use "
			"a newer one",
			schema, (long long)isx_pg_i64(store, 0, 0), ISX_PG_VERSION);
	if (!st)
		*store_id = isx_pg_i64(store, 0, 1);
	PQclear(store);
	return st;
}
