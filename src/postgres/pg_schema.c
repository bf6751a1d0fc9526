/*
 * pg_schema.c - see that the tables are there and are ours.
 *
 * Programs of several hosts may start at once: an advisory lock lets one of them make the tables,
 * in one transaction, and the others find them. Nothing is asked for that is there already, so that
 * a role without the right to create things can serve what an administrator made.
 *
 * There is one version of the tables so far, and so nothing that upgrades them. What will do it has
 * to hold the same advisory lock, to begin with LOCK TABLE index IN EXCLUSIVE MODE, and to set
 * store.version in that transaction: each transaction that writes locks a row of that table first,
 * and reads the version by the same statement, so that programs that know the old tables end what
 * they have begun, and write nothing afterwards.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "postgres/pg_schema.h"

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
		isx_log_to(isx_pg_logger(conn), ISX_LOG_INFO, "made the tables in schema %s",
			   schema);
	isx_pg_params_release(&params);
	return st ? isx_err_at(err, st, "make the tables in schema %s", schema) : ISX_OK;
}

enum isx_status isx_pg_check_version(int64_t version, struct isx_err *err)
{
	if (version == ISX_PG_VERSION)
		return ISX_OK;
	return isx_fail(err, ISX_UNAVAILABLE,
			"the tables in PostgreSQL have version %lld, this program knows version "
			"%d: use %s one",
			(long long)version, ISX_PG_VERSION,
			version > ISX_PG_VERSION ? "a newer" : "another");
}

enum isx_status isx_pg_schema_ensure(struct isx_pg_conn *conn, const char *schema,
				     const char *tables, bool is_there, int64_t *store_id,
				     struct isx_err *err)
{
	bool has_schema = is_there, has_tables = is_there;
	PGresult *store = NULL;
	enum isx_status st = is_there ? ISX_OK
				      : find_schema(conn, schema, &has_schema, &has_tables, err);
	if (!st && !has_tables && !tables)
		st = isx_fail(err, ISX_UNAVAILABLE, "schema %s has no tables yet", schema);
	if (!st && !has_tables)
		st = make_tables(conn, schema, tables, err);
	if (!st)
		st = isx_pg_run(conn, ISX_PG_STORE_READ, NULL, &store, err);
	if (!st && PQntuples(store) != 1)
		st = isx_fail(err, ISX_CORRUPT, "schema %s: table store is empty", schema);
	if (!st && isx_pg_check_version(isx_pg_i64(store, 0, 0), err))
		st = isx_err_at(err, ISX_CORRUPT, "schema %s", schema); /* waiting does not help */
	if (!st)
		*store_id = isx_pg_i64(store, 0, 1);
	PQclear(store);
	return st;
}
