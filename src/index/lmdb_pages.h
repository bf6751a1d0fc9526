/*
 * lmdb_pages.h - walk the pages of an LMDB file without LMDB, which trusts every byte of them.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_LMDB_PAGES_H
#define ISX_LMDB_PAGES_H

#include "index/lmdb_status.h"

/* Called with what is wrong. */
typedef void isx_page_fn(const char *text, void *arg);

/* Walk every tree of the snapshot of `txn`, page by page as they lie in the file: page numbers and
 * kinds, the places of their entries, the lengths of trees, each page in one tree only, or else in
 * one list of free pages.
 *   pages  filled: how many are in use
 *   found  called for each finding, at most once for a page
 * ISX_UNAVAILABLE: writers are too fast, so that the snapshot could not be told. */
ISX_MUST_CHECK enum isx_status isx_lmdb_pages_check(MDB_txn *txn, uint64_t *pages,
						    isx_page_fn *found, void *arg,
						    struct isx_err *err);

/* Look at what LMDB is going to read before it is asked for anything: the list of tables, and our
 * metadata. If the file is shorter than its number of pages says, at all pages: LMDB would map what
 * is not there, and SIGBUS would end the process that reads it. */
ISX_MUST_CHECK enum isx_status isx_lmdb_pages_look(MDB_env *env, bool *good, struct isx_err *err);

#endif
