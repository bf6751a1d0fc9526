/*
 * lmdb_kind.h - what storage/ has to know of a kind of index file: one table, filled by its engine.
 *
 * An engine of such files says where they lie, which tables are in them, and how assets are kept in
 * the tables. Opening, naming, locking, verifying, copying, and the frame of each call are
 * implemented in storage/, once for all kinds.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_LMDB_KIND_H
#define ISX_LMDB_KIND_H

#include "engine/engine.h"
#include "iscc/iscc_id.h"
#include "storage/lmdb_add.h"
#include "storage/lmdb_check.h"
#include "storage/lmdb_file.h"

struct isx_lmdb_kind {
	/* --- where the files lie: lmdb_store.c --- */

	/* The index NAME is the entry NAME + suffix of the directory: with `inside` a directory
	 * with this LMDB file in it, with NULL the LMDB file itself. */
	const char *suffix;
	const char *inside;

	/* --- the tables of a file: lmdb_file.c. Called with `opening` held --- */

	const char *scheme;  /* of the URIs that such files are opened by, as in lmdb_format.h */
	size_t tables_bytes; /* of struct isx_lmdb_tables.of_engine that this kind uses */
	/* Open the table called `name` if files of this kind have it (isx_lmdb_open_table()).
	 * Returns a code of LMDB: MDB_INCOMPATIBLE for a file of another kind. */
	int (*open_by_name)(struct isx_lmdb_view *view, const char *name);
	isx_table_shape_fn *shape; /* of its tables */
	/* In a view that writes, create the missing ones of the tables that every index has, and
	 * the metadata of a new index. */
	enum isx_status (*make_tables)(struct isx_lmdb_view *view, struct isx_err *err);
	/* In a view that writes, fill everything derived again: another program wrote last. */
	enum isx_status (*derive)(struct isx_lmdb_view *view, struct isx_err *err);

	/* --- an index as a whole --- */

	/* Add the parts of an index besides "lmdb" (isx_index_part_add()); NULL: there are none. */
	enum isx_status (*describe)(struct isx_lmdb_view *view, struct isx_index_info *info,
				    struct isx_err *err);
	/* Count what the index holds, from a view of everything whose meter has begun; NULL: all
	 * assets are walked through. *stats lives in `arena`. */
	enum isx_status (*stats)(struct isx_lmdb_view *view, const struct isx_options *options,
				 struct isx_arena *arena, struct isx_index_stats *stats,
				 struct isx_err *err);
	/* The realm in __metadata__. *found is false before the first asset. ISX_CORRUPT if it is
	 * neither 0 nor 1: clients must not be told to send ISCC-IDs of such a realm. A number
	 * that is too large is in *realm all the same. */
	enum isx_status (*realm)(struct isx_lmdb_view *view, bool *found, uint32_t *realm,
				 struct isx_err *err);
	enum isx_status (*put_realm)(struct isx_lmdb_view *view, uint32_t realm,
				     struct isx_err *err);

	/* --- assets: lmdb_assets.c --- */

	/* Look an asset up; first verifies the pages that lead to it (isx_lmdb_get_asset()).
	 *   iscc_id  the ISCC-ID as a client has written it; NULL: only `id` counts
	 * Returns a code of LMDB. */
	int (*get)(struct isx_lmdb_view *view, const char *iscc_id, const struct isx_iscc_id *id,
		   MDB_val *json);
	/* One of these two, as in struct isx_engine_ops. `search` answers a query from a view whose
	 * meter has begun; `search_file` answers several, and begins views of its own. */
	enum isx_status (*search)(struct isx_lmdb_view *view, const struct isx_options *options,
				  const struct isx_query *query, struct isx_arena *arena,
				  struct isx_result *result, struct isx_err *err);
	void (*search_file)(struct isx_lmdb_file *file, const struct isx_options *options,
			    struct isx_search_job *jobs, size_t count);
	/* As `duplicates` in struct isx_engine_ops, on open files; NULL: it cannot.
	 *   against  the file of the reference, of the same kind; NULL: pairs within `file` */
	enum isx_status (*duplicates)(struct isx_lmdb_file *file, struct isx_lmdb_file *against,
				      const struct isx_options *options,
				      const struct isx_duplicates_query *query, isx_pair_fn *found,
				      void *arg, struct isx_err *err);

	/* --- changes: lmdb_add.c --- */

	/* Decode the asset add->batch[at], into add->of_kind. Called in the order of the batch, by
	 * the thread of the caller, without a view and without a lock. */
	enum isx_status (*prepare)(struct isx_lmdb_add *add, size_t at, struct isx_err *err);
	/* Put the assets of a prepared batch, of which there is at least one, and fill their
	 * outcomes. Changes nothing else of `add`: it is called again if the transaction fails. */
	enum isx_status (*put)(struct isx_lmdb_add *add, struct isx_lmdb_view *view,
			       struct isx_err *err);
	/* Remove stored assets with all that was derived from them. */
	enum isx_status (*remove)(struct isx_lmdb_view *view, const struct isx_iscc_id *ids,
				  size_t count, struct isx_err *err);
	/* Replace the JSON of a stored asset by one with the same units and simprints. Returns a
	 * code of LMDB. */
	int (*replace)(struct isx_lmdb_view *view, const struct isx_iscc_id *id, MDB_val json);

	/* --- walks: lmdb_walk.c --- */

	/* Find the asset with the least ISCC-ID body of `from` or more, and its stored JSON.
	 * Returns a code of LMDB: MDB_NOTFOUND after the last asset. */
	int (*next)(struct isx_lmdb_view *view, uint64_t from, struct isx_iscc_id *id,
		    MDB_val *json);
	/* Is anything kept of assets beside their JSON? It is in tables of rows. */
	bool (*has_more)(struct isx_lmdb_view *view);
	/* Fill in what is kept of an asset beside its JSON, in `arena`; NULL: nothing ever is, and
	 * has_more() is not called.
	 *   id  its ISCC-ID body */
	enum isx_status (*complete)(struct isx_lmdb_view *view, uint64_t id,
				    struct isx_arena *arena, struct isx_asset *asset,
				    struct isx_err *err);

	/* --- checks: lmdb_check.c. All pages have been verified --- */

	/* Is this the key of an asset of the realm of the index? Then `id` is filled: its ISCC-ID
	 * body, big-endian. */
	bool (*check_key)(MDB_val key, const struct isx_checking *checking, uint8_t *id);
	/* Find the stored JSON of an asset. There may be several keys for one ISCC-ID body: `nth`
	 * counts them from 0. Returns a code of LMDB: MDB_NOTFOUND after the last one. */
	int (*check_find)(const struct isx_checking *checking, const uint8_t *id, unsigned nth,
			  MDB_val *json);
	/* The rows that an asset has to have.
	 *   id    its ISCC-ID body, which outlives `rows`
	 *   rows  filled: *count of them, in `arena`; one may be listed twice
	 * ISX_INVALID: it has none, as it cannot be decoded. */
	enum isx_status (*check_rows)(const struct isx_checking *checking, const uint8_t *id,
				      const struct isx_asset *asset, struct isx_arena *arena,
				      struct isx_checked_row **rows, size_t *count,
				      struct isx_err *err);
	/* List the tables of these rows (room for ISX_CHECKED_TABLES_MAX); returns how many. */
	size_t (*check_tables)(const struct isx_checking *checking,
			       struct isx_checked_table *tables);
	/* Check what only this kind has; NULL: nothing. */
	enum isx_status (*check_rest)(struct isx_checking *checking, struct isx_err *err);
};

#endif
