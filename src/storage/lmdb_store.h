/*
 * lmdb_store.h - a directory of index files, whatever their tables: shared by the engines on LMDB.
 *
 * An engine describes in a *kind* where its files lie and what each call does with an open file;
 * naming, opening, creating, deleting and listing are implemented here for all of them.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_LMDB_STORE_H
#define ISX_LMDB_STORE_H

#include "engine/engine.h"
#include "storage/lmdb_file.h"

struct isx_lmdb_kind {
	/* The index NAME is the entry NAME + suffix of the directory: with `inside` a directory
	 * with this LMDB file in it, with NULL the LMDB file itself. */
	const char *suffix;
	const char *inside;
	const struct isx_lmdb_layout *layout;
	/* Add the parts of an index besides "lmdb" (isx_index_part_add()); NULL: there are none. */
	enum isx_status (*describe)(struct isx_lmdb_view *view, struct isx_index_info *info,
				    struct isx_err *err);
	/* The next four are as in struct isx_engine_ops, on an open file. */
	enum isx_status (*add)(struct isx_lmdb_file *file, const struct isx_asset *assets,
			       size_t count, enum isx_outcome *outcomes, struct isx_err *err);
	enum isx_status (*get)(struct isx_lmdb_file *file, const char *iscc_id,
			       struct isx_buf *json, struct isx_err *err);
	enum isx_status (*remove)(struct isx_lmdb_file *file, const char *iscc_id,
				  struct isx_err *err);
	enum isx_status (*search)(struct isx_lmdb_file *file, const struct isx_options *options,
				  const struct isx_query *query, struct isx_arena *arena,
				  struct isx_result *result, struct isx_err *err);
	const struct isx_check_rules *check; /* lmdb_check.h */
	const struct isx_walk_rules *walk;   /* lmdb_walk.h */
};

/* Open a directory of indexes of this kind; creates the directory unless the store is read-only.
 *   directory  NULL: indexes without names on disk, which vanish with the process
 *   kind    borrowed until the engine is closed
 *   engine  new, closed by its ops->close */
ISX_MUST_CHECK enum isx_status isx_lmdb_store_open(const struct isx_lmdb_kind *kind,
						   const char *directory,
						   const struct isx_options *options,
						   struct isx_engine **engine, struct isx_err *err);

/* Pin the file of an index: it stays open until isx_lmdb_store_release(). For calls that keep a
 * file longer than one operation (a walk, a follower).
 *   index, file  filled; borrowed from the engine until then */
struct isx_open_index;
ISX_MUST_CHECK enum isx_status isx_lmdb_store_acquire(struct isx_engine *engine, const char *name,
						      struct isx_open_index **index,
						      struct isx_lmdb_file **file,
						      struct isx_err *err);
void isx_lmdb_store_release(struct isx_engine *engine, struct isx_open_index *index);

#endif
