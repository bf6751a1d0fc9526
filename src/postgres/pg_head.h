/*
 * pg_head.h - the head of an index: its row of table index, with the number of its last change.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_PG_HEAD_H
#define ISX_PG_HEAD_H

#include "base/limits.h"
#include "postgres/pg_conn.h"
#include "storage/lmdb_fields.h"

/* A row of table index as one statement saw it. In the database change_seq is called head,
 * change_token head_mark and generation incarnation. */
struct isx_pg_head {
	int64_t index_id;
	int64_t generation;   /* random: a new one when the index was deleted and created again */
	int64_t change_seq;   /* number of the last change; rises by one with each */
	int64_t change_token; /* random number of that change: tells apart diverged histories */
	bool has_realm;
	uint32_t realm;
	int64_t assets;
	int64_t changed; /* sum of the assets in all changes; rises */
	int64_t fields;  /* a hash of the declared fields; 0: none is declared */
	bool is_replica; /* read from a replica: this host's follower may be ahead of it */
	char name[ISX_INDEX_NAME_MAX + 1]; /* as the caller named it */
};

/* Read the head of an index. ISX_NOT_FOUND: no such index. */
ISX_MUST_CHECK enum isx_status isx_pg_head(struct isx_pg_conn *conn, const char *name,
					   struct isx_pg_head *head, struct isx_err *err);

/* Begin a transaction that writes, and lock the row of an index: until the transaction ends no
 * other one changes the index. The statements that follow have the long timeout. ISX_NOT_FOUND:
 * no such index; the transaction is open all the same, and isx_pg_give() ends it.
 *   relaxed  the commit does not wait for the disk (synchronous_commit = off) */
ISX_MUST_CHECK enum isx_status isx_pg_begin_write(struct isx_pg_conn *conn, const char *name,
						  bool relaxed, struct isx_pg_head *head,
						  struct isx_err *err);

/* Begin a transaction that reads one snapshot, and read the head of an index in it. When the
 * connection is closed, the server cancels a statement that is running. The statements that
 * follow have the long timeout. ISX_NOT_FOUND: no such index. */
ISX_MUST_CHECK enum isx_status isx_pg_begin_read(struct isx_pg_conn *conn, const char *name,
						 struct isx_pg_head *head, struct isx_err *err);

/* Read the declared fields of an index, in the transaction of the caller.
 *   fields  filled, in `arena` */
ISX_MUST_CHECK enum isx_status isx_pg_fields_of(struct isx_pg_conn *conn,
						const struct isx_pg_head *head,
						struct isx_arena *arena,
						struct isx_lmdb_fields *fields,
						struct isx_err *err);

/* Read a head from the first row of a result with HEAD_COLUMNS (pg_sql.c). ISX_NOT_FOUND: there
 * is no row. ISX_CORRUPT: its numbers cannot be those of an index. ISX_UNAVAILABLE: the tables
 * have another version.
 *   name  of the index, for the message; NULL: the statement selected it by its number */
ISX_MUST_CHECK enum isx_status isx_pg_read_head(const PGresult *row, const char *name,
						struct isx_pg_head *head, struct isx_err *err);

/* Check that the realm of an ISCC-ID is that of the index. Before its first asset an index has
 * none, and every realm fits. */
ISX_MUST_CHECK enum isx_status isx_pg_check_realm(const struct isx_pg_head *head,
						  const char *iscc_id, uint32_t realm,
						  struct isx_err *err);

/* Read an asset from its row.
 *   id        the body of the row's ISCC-ID
 *   codes     borrowed; JSON
 *   metadata  borrowed; JSON, empty where there is none
 *   asset     filled, in `arena`
 * ISX_CORRUPT: the row is not one that this program writes; the message says why and what to do. */
ISX_MUST_CHECK enum isx_status isx_pg_read_asset(const struct isx_pg_head *head, uint64_t id,
						 struct isx_span codes, struct isx_span metadata,
						 struct isx_arena *arena, struct isx_asset *asset,
						 struct isx_err *err);

/* Copy the metadata of a row into `arena`, in one line: programs that write to the database may store it
 * in several, and there are answers in which each line is an asset or a result. NULL: no memory. */
char *isx_pg_copy_metadata(struct isx_span metadata, struct isx_arena *arena);

/* Read the realm of an index from the first row of a result: NULL before its first asset.
 * ISX_CORRUPT: it is neither 0 nor 1. */
ISX_MUST_CHECK enum isx_status isx_pg_read_realm(const PGresult *row, int column,
						 struct isx_pg_head *head, struct isx_err *err);

/* A random number for change tokens and generations. */
int64_t isx_pg_random(void);

#endif
