/*
 * pg_head.c - reads heads of indexes and rows of assets, and checks them as data from outside: an
 *             administrator, or a backup that was restored in part, may have changed them.
 *
 * isx_pg_begin_read() and isx_pg_begin_write() open a transaction on the caller's connection; the
 * caller commits, or gives the connection back, which rolls back.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "postgres/pg_head.h"

#include "base/mem.h"
#include "engine/asset_batch.h"
#include "engine/index_info.h"
#include "iscc/iscc_id.h"
#include "postgres/pg_schema.h"
#include "json/wire.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

enum isx_status isx_pg_read_realm(const PGresult *row, int column, struct isx_pg_head *head,
				  struct isx_err *err)
{
	int64_t realm = isx_pg_i64(row, 0, column);
	head->has_realm = !PQgetisnull(row, 0, column);
	head->realm = (uint32_t)realm;
	/* A column of another type has another length, and isx_pg_i64() returned 0 for it. */
	if (isx_pg_field(row, 0, column).len == (head->has_realm ? 8 : 0) && realm >= 0 &&
	    realm <= 1)
		return ISX_OK;
	return isx_fail(err, ISX_CORRUPT,
			"table index of the database: realm is %lld, expected 0 or 1: restore the "
			"database",
			(long long)realm);
}

/* A NULL realm is valid only for an index without assets: the first asset sets it. */
static enum isx_status check_has_realm(const struct isx_pg_head *head, struct isx_err *err)
{
	return head->has_realm || head->assets == 0
		       ? ISX_OK
		       : isx_fail(err, ISX_CORRUPT,
				  "table index of the database: realm is NULL, expected 0 or 1, as "
				  "there are %lld assets: restore the database",
				  (long long)head->assets);
}

/* Check that the counts are 0 to ISX_PG_COUNT_MAX, so that sums and differences of them do not
 * overflow. */
static enum isx_status check_head(const PGresult *row, struct isx_err *err)
{
	static const struct {
		int column;
		const char *name;
	} counts[] = { { 0, "index_id" }, { 2, "head" }, { 5, "assets" }, { 6, "changed" } };
	int64_t count;
	for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
		if (!isx_pg_count(row, 0, counts[i].column, &count))
			return isx_fail(err, ISX_CORRUPT,
					"table index of the database: %s is %lld, expected 0 to "
					"%lld: restore the database",
					counts[i].name, (long long)count, ISX_PG_COUNT_MAX);
	return ISX_OK;
}

enum isx_status isx_pg_read_head(const PGresult *row, const char *name, struct isx_pg_head *head,
				 struct isx_err *err)
{
	/* A statement that selected by number had found the index by its name before. */
	if (PQntuples(row) != 1)
		return name ? isx_fail_no_index(err, name)
			    : isx_fail(err, ISX_NOT_FOUND, "the index is no longer there");
	*head = (struct isx_pg_head){
		.index_id = isx_pg_i64(row, 0, 0),
		.generation = isx_pg_i64(row, 0, 1),
		.change_seq = isx_pg_i64(row, 0, 2),
		.change_token = isx_pg_i64(row, 0, 3),
		.assets = isx_pg_i64(row, 0, 5),
		.changed = isx_pg_i64(row, 0, 6),
		.fields = isx_pg_i64(row, 0, 8),
		.is_replica = isx_pg_bool(row, 0, 9),
	};
	if (name)
		snprintf(head->name, sizeof head->name, "%s", name);
	/* The version first: in tables of another version the columns may mean something else. */
	enum isx_status st = isx_pg_check_version(isx_pg_i64(row, 0, 7), err);
	if (!st)
		st = check_head(row, err);
	if (!st)
		st = isx_pg_read_realm(row, 4, head, err);
	if (!st)
		st = check_has_realm(head, err);
	/* Other statuses already say which index, or concern all of them. */
	return st == ISX_CORRUPT && name ? isx_err_at(err, st, "index '%s'", name) : st;
}

/* One round trip, without a lock: the head may have moved on by the time the caller reads it. */
enum isx_status isx_pg_head(struct isx_pg_conn *conn, const char *name, struct isx_pg_head *head,
			    struct isx_err *err)
{
	struct isx_pg_params params = { 0 };
	PGresult *row = NULL;
	isx_pg_add_text(&params, name);
	enum isx_status st = isx_pg_run(conn, ISX_PG_INDEX_HEAD, &params, &row, err);
	if (!st)
		st = isx_pg_read_head(row, name, head, err);
	PQclear(row);
	isx_pg_params_release(&params);
	return st;
}

/* Begin a transaction by the statement `begin`, set its limits, read a head by `which`, and run
 * `more` (ISX_PG_STATEMENTS: nothing), all in one round trip. A row whose lock
 * is not free within isx_pg_lock_ms() is ISX_UNAVAILABLE. */
static enum isx_status begin_with_head(struct isx_pg_conn *conn, enum isx_pg_statement begin,
				       enum isx_pg_statement which, enum isx_pg_statement more,
				       const char *name, struct isx_pg_head *head,
				       struct isx_err *err)
{
	char lock_timeout[16];
	struct isx_pg_params limits = { 0 }, asked = { 0 };
	PGresult *results[ISX_PG_STEPS_MAX] = { NULL };
	snprintf(lock_timeout, sizeof lock_timeout, "%ums", isx_pg_lock_ms(conn));
	isx_pg_add_text(&limits, lock_timeout);
	isx_pg_add_text(&asked, name);
	struct isx_pg_step steps[ISX_PG_STEPS_MAX] = { { begin, NULL },
						       { ISX_PG_LIMITS, &limits },
						       { which, &asked } };
	size_t count = 3;
	if (more != ISX_PG_STATEMENTS)
		steps[count++] = (struct isx_pg_step){ more, NULL };
	enum isx_status st = isx_pg_run_steps(conn, steps, count, results, err);
	if (!st)
		/* On a failure the transaction remains open: it ends when the caller gives the
		 * connection back. */
		st = isx_pg_read_head(results[2], name, head, err);
	isx_pg_use_long_timeout(conn); /* not before: the trip above is short work */
	isx_pg_clear(results, count);
	isx_pg_params_release(&limits);
	isx_pg_params_release(&asked);
	return st;
}

/* READ COMMITTED: a statement that waited for the lock sees what the holder before committed. */
enum isx_status isx_pg_begin_write(struct isx_pg_conn *conn, const char *name, bool relaxed,
				   struct isx_pg_head *head, struct isx_err *err)
{
	return begin_with_head(conn, ISX_PG_BEGIN, ISX_PG_INDEX_LOCK,
			       relaxed ? ISX_PG_RELAX : ISX_PG_STATEMENTS, name, head, err);
}

/* REPEATABLE READ: all statements up to the commit see the database as the first one does. */
enum isx_status isx_pg_begin_read(struct isx_pg_conn *conn, const char *name,
				  struct isx_pg_head *head, struct isx_err *err)
{
	return begin_with_head(conn, ISX_PG_BEGIN_SNAPSHOT, ISX_PG_INDEX_HEAD, ISX_PG_STATEMENTS,
			       name, head, err);
}

/* Read the list of a row of table index; NULL: no field is declared. */
static enum isx_status parse_list(const PGresult *rows, const char *name, struct isx_arena *arena,
				  struct isx_lmdb_fields *fields, struct isx_err *err)
{
	bool is_read = true;
	*fields = (struct isx_lmdb_fields){ 0 };
	if (PQntuples(rows) == 0)
		return isx_fail_no_index(err, name);
	if (PQgetisnull(rows, 0, 0))
		return ISX_OK;
	enum isx_status st = isx_lmdb_fields_parse(isx_pg_field(rows, 0, 0), arena, fields,
						   &is_read, err);
	if (st || is_read)
		return st;
	return isx_fail(err, ISX_CORRUPT,
			"table index of the database: fields of index '%s' is no list of fields: "
			"declare them again",
			name);
}

enum isx_status isx_pg_fields_of(struct isx_pg_conn *conn, const struct isx_pg_head *head,
				 struct isx_arena *arena, struct isx_lmdb_fields *fields,
				 struct isx_err *err)
{
	struct isx_pg_params params = { 0 };
	PGresult *rows = NULL;
	isx_pg_add_i64(&params, head->index_id);
	enum isx_status st = isx_pg_run(conn, ISX_PG_FIELDS_GET, &params, &rows, err);
	if (!st)
		st = parse_list(rows, head->name, arena, fields, err);
	PQclear(rows);
	isx_pg_params_release(&params);
	return st;
}

enum isx_status isx_pg_check_realm(const struct isx_pg_head *head, const char *iscc_id,
				   uint32_t realm, struct isx_err *err)
{
	return head->has_realm ? isx_check_realm(iscc_id, realm, head->realm, err) : ISX_OK;
}

/* A line break in JSON is always between its tokens, as strings have none. */
char *isx_pg_copy_metadata(struct isx_span metadata, struct isx_arena *arena)
{
	char *copy = isx_arena_text(arena, metadata.ptr, metadata.len);
	for (char *at = copy; at && (at = strpbrk(at, "\r\n"));)
		*at++ = ' ';
	return copy;
}

enum isx_status isx_pg_read_asset(const struct isx_pg_head *head, uint64_t id,
				  struct isx_span codes, struct isx_span metadata,
				  struct isx_arena *arena, struct isx_asset *asset,
				  struct isx_err *err)
{
	struct isx_iscc_id own = { .body = id, .realm = head->realm, .version = 1 }, told;
	char text[ISX_ISCC_ID_TEXT_BYTES];
	const char *kept = isx_arena_text(arena, codes.ptr, codes.len);
	enum isx_status st = kept ? isx_asset_from_stored((struct isx_span){ kept, codes.len },
							  arena, asset, err)
				  : isx_fail_memory(err);
	/* JSON null is stored as it was sent, and means no metadata. */
	if (!st && metadata.len && !isx_span_is(metadata, "null")) {
		asset->metadata = isx_pg_copy_metadata(metadata, arena);
		st = asset->metadata ? ISX_OK : isx_fail_memory(err);
	}
	if (!st)
		st = isx_asset_check(asset, err);
	/* The ISCC-ID stands in the row's key and in its JSON; they differ only if one was
	 * changed. */
	if (!st &&
	    (!asset->iscc_id || isx_iscc_id_parse(isx_span_of(asset->iscc_id), &told, NULL) ||
	     told.body != id || told.realm != head->realm))
		st = isx_fail(err, ISX_CORRUPT, "codes: expected the iscc_id of the row");
	/* Whatever else failed, the row is at fault: name the asset, by the key of the row. */
	if (!st || st == ISX_NO_MEMORY)
		return st;
	isx_iscc_id_print(&own, text);
	return isx_err_at(
		err, ISX_CORRUPT,
		"the row of '%s' in table asset of the database is damaged (add the asset "
		"again, or remove it)",
		text);
}

/* From the system's generator: hosts that were started at the same time must not choose the
 * same. */
int64_t isx_pg_random(void)
{
	int64_t number;
	randombytes_buf(&number, sizeof number);
	return number;
}
