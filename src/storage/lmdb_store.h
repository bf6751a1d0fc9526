/*
 * lmdb_store.h - a directory of index files, whatever their tables: shared by the engines on LMDB.
 *
 * Naming, opening, creating, deleting and listing are implemented here for every kind of file
 * (lmdb_kind.h).
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_LMDB_STORE_H
#define ISX_LMDB_STORE_H

#include "engine/engine.h"
#include "storage/lmdb_kind.h"

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
