/*
 * prefix_engine.c - the engine of lmdb://: exact prefixes of units, in files of prefix_format.h.
 *
 * An index is the file DIR/NAME.lmdb, which iscc-search 0.3.3 reads and writes too. This file only
 * fills the table of functions by which storage/ opens, checks and searches it.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "engine/engine.h"
#include "prefix/prefix_add.h"
#include "prefix/prefix_check.h"
#include "prefix/prefix_derive.h"
#include "prefix/prefix_file.h"
#include "prefix/prefix_search.h"
#include "prefix/prefix_walk.h"
#include "storage/lmdb_store.h"

static const struct isx_lmdb_kind prefixes = {
	.suffix = ".lmdb",
	.inside = NULL,
	.scheme = ISX_SCHEME_PREFIX,
	.tables_bytes = sizeof(struct isx_prefix_tables),
	.open_by_name = isx_prefix_open_table_by_name,
	.shape = isx_prefix_table_shape,
	.make_tables = isx_prefix_make_tables,
	.derive = isx_prefix_derive,
	.describe = NULL,
	.realm = isx_prefix_realm,
	.put_realm = isx_prefix_put_realm,
	.get = isx_prefix_get,
	.search = isx_prefix_search,
	.prepare = isx_prefix_prepare,
	.put = isx_prefix_put,
	.remove = isx_prefix_remove,
	.replace = isx_prefix_replace,
	.next = isx_prefix_next,
	.complete = NULL,
	.check_key = isx_prefix_check_key,
	.check_find = isx_prefix_check_find,
	.check_rows = isx_prefix_check_rows,
	.check_tables = isx_prefix_check_tables,
	.check_rest = NULL,
};

enum isx_status isx_prefix_open(const char *directory, const struct isx_options *options,
				struct isx_engine **engine, struct isx_err *err)
{
	return isx_lmdb_store_open(&prefixes, directory, options, engine, err);
}
