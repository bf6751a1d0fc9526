/*
 * pg_head.h - the head of an index: which one it is, and how far its changes have come.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_PG_HEAD_H
#define ISX_PG_HEAD_H

#include "base/limits.h"
#include "postgres/pg_conn.h"

/* An index as the database has it at some moment. */
struct isx_pg_head {
	int64_t index_id;
	int64_t generation;   /* another one when it was deleted and made again */
	int64_t change_seq;   /* number of its last change */
	int64_t change_token; /* random number of that change: tells it from one of another past */
	bool has_realm;
	uint32_t realm;
	int64_t assets;
	int64_t changed; /* assets changed in all its changes */
	bool is_replica; /* read from a replica beside a primary: this host may be ahead of it */
	char name[ISX_INDEX_NAME_MAX + 1]; /* as it was asked for */
};

/* Read the head of an index. ISX_NOT_FOUND: no such index. */
ISX_MUST_CHECK enum isx_status isx_pg_head(struct isx_pg_conn *conn, const char *name,
					   struct isx_pg_head *head, struct isx_err *err);

/* Begin a transaction that writes, and lock an index: until it ends nobody else changes it. What
 * follows may take long. ISX_NOT_FOUND: no such index; the transaction has begun all the same.
 *   relaxed  the commit need not wait for the disk */
ISX_MUST_CHECK enum isx_status isx_pg_begin_write(struct isx_pg_conn *conn, const char *name,
						  bool relaxed, struct isx_pg_head *head,
						  struct isx_err *err);

/* Begin to read one snapshot, and read the head of an index in it; the search is ended in the
 * database when its connection is closed. ISX_NOT_FOUND: no such index. */
ISX_MUST_CHECK enum isx_status isx_pg_begin_read(struct isx_pg_conn *conn, const char *name,
						 struct isx_pg_head *head, struct isx_err *err);

/* Read a head from the first row of a result. ISX_NOT_FOUND: there is none. ISX_CORRUPT: its numbers
 * cannot be those of an index.
 *   name  of the index, for the message; NULL: it is known by its number */
ISX_MUST_CHECK enum isx_status isx_pg_read_head(const PGresult *row, const char *name,
						struct isx_pg_head *head, struct isx_err *err);

/* Does the realm of an ISCC-ID fit an index? */
ISX_MUST_CHECK enum isx_status isx_pg_check_realm(const struct isx_pg_head *head,
						  const char *iscc_id, uint32_t realm,
						  struct isx_err *err);

/* Read an asset from its row.
 *   id        of the row
 *   codes     borrowed, and so is `metadata`, which is empty where there is none
 *   asset     filled, in `arena`
 * ISX_CORRUPT: the row is not as this program writes it; the message says why and what to do. */
ISX_MUST_CHECK enum isx_status isx_pg_read_asset(const struct isx_pg_head *head, uint64_t id,
						 struct isx_span codes, struct isx_span metadata,
						 struct isx_arena *arena, struct isx_asset *asset,
						 struct isx_err *err);

/* Read the realm of an index from the first row of a result: NULL before its first asset.
 * ISX_CORRUPT: it is none. */
ISX_MUST_CHECK enum isx_status isx_pg_read_realm(const PGresult *row, int column,
						 struct isx_pg_head *head, struct isx_err *err);

/* A random number for marks and incarnations. */
int64_t isx_pg_random(void);

#endif
