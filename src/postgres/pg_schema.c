/*
 * pg_schema.c - checks the tables, and creates them where they are missing.
 *
 * Servers on several hosts may start at the same time: under an advisory lock one of them
 * creates the tables, in one transaction, and the others then find them. What exists is not
 * created again (not even by IF NOT EXISTS, which needs the right to create), so that a role
 * without that right can serve tables that an administrator made.
 *
 * Tables of version 1 are upgraded by the first program of this version that may create tables. An
 * upgrade holds the same advisory lock, begins with LOCK TABLE index IN EXCLUSIVE MODE, and sets
 * store.version in that transaction. Each transaction that writes locks a row of table index
 * first, and reads the version in the same statement. So programs of the old version complete
 * what they have begun, and write nothing afterwards.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "postgres/pg_schema.h"

#include "base/log.h"
#include "base/mem.h"

#include <stdio.h>

/* Does the schema exist, and do its tables? Table store stands for all: one transaction creates
 * them. */
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

/* Create what is missing, under the advisory lock. It is looked for again with the lock held, as
 * another process may have created it meanwhile. A failure leaves the transaction open; the
 * caller closes the connection, which rolls back. */
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

/* Bring tables of version 1 to the current one, unless another process has done so meanwhile: then the
 * statement that adds the column fails, and so the version is read first, with the lock held. */
static enum isx_status upgrade_tables(struct isx_pg_conn *conn, const char *schema,
				      struct isx_err *err)
{
	struct isx_pg_params params = { 0 };
	PGresult *store = NULL;
	char *sql = isx_pg_sql_text(isx_pg_upgrade, schema);
	isx_pg_add_text(&params, schema);
	enum isx_status st = sql ? isx_pg_run(conn, ISX_PG_BEGIN, NULL, NULL, err)
				 : isx_fail_memory(err);
	if (!st)
		st = isx_pg_run(conn, ISX_PG_SCHEMA_LOCK, &params, NULL, err);
	if (!st)
		st = isx_pg_run(conn, ISX_PG_STORE_READ, NULL, &store, err);
	bool is_old = !st && PQntuples(store) == 1 && isx_pg_i64(store, 0, 0) == 1;
	if (is_old)
		st = isx_pg_text(conn, sql, err);
	if (!st)
		st = isx_pg_run(conn, ISX_PG_COMMIT, NULL, NULL, err);
	if (!st && is_old)
		isx_log_to(isx_pg_logger(conn), ISX_LOG_INFO,
			   "upgraded the tables in schema %s to version %d", schema,
			   ISX_PG_VERSION);
	PQclear(store);
	isx_mem_free(sql);
	isx_pg_params_release(&params);
	return st ? isx_err_at(err, st, "upgrade the tables in schema %s", schema) : ISX_OK;
}

/* Read the version of the tables and the number of the store.
 *   store  new */
static enum isx_status read_store(struct isx_pg_conn *conn, const char *schema, PGresult **store,
				  struct isx_err *err)
{
	enum isx_status st = isx_pg_run(conn, ISX_PG_STORE_READ, NULL, store, err);
	if (!st && PQntuples(*store) != 1)
		st = isx_fail(err, ISX_CORRUPT, "schema %s: table store is empty", schema);
	return st;
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
		st = read_store(conn, schema, &store, err);
	if (!st && tables && isx_pg_i64(store, 0, 0) == 1) {
		PQclear(store);
		store = NULL;
		st = upgrade_tables(conn, schema, err);
		if (!st)
			st = read_store(conn, schema, &store, err);
	}
	if (!st && isx_pg_check_version(isx_pg_i64(store, 0, 0), err))
		st = isx_err_at(err, ISX_CORRUPT, "schema %s",
				schema); /* not ISX_UNAVAILABLE: waiting does not help */
	if (!st)
		*store_id = isx_pg_i64(store, 0, 1);
	PQclear(store);
	return st;
}
