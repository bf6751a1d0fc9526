/*
 * pg_sql.h - the texts of the tables and of the statements that are sent to PostgreSQL.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_PG_SQL_H
#define ISX_PG_SQL_H

#include "base/status.h"

enum isx_pg_statement {
	ISX_PG_BEGIN,
	ISX_PG_BEGIN_SNAPSHOT,
	ISX_PG_COMMIT,
	ISX_PG_RELAX,
	ISX_PG_LIMITS,
	ISX_PG_WATCH_CLIENT,
	ISX_PG_SCHEMA_EXISTS,
	ISX_PG_SCHEMA_LOCK,
	ISX_PG_STORE_READ,
	ISX_PG_INDEX_NAMES,
	ISX_PG_INDEX_HEAD,
	ISX_PG_INDEX_BY_ID,
	ISX_PG_INDEX_LOCK,
	ISX_PG_INDEX_CREATE,
	ISX_PG_INDEX_DELETE,
	ISX_PG_INDEX_DELETE_UNITS,
	ISX_PG_INDEX_DELETE_SIMPRINTS,
	ISX_PG_INDEX_DELETE_CHANGES,
	ISX_PG_INDEX_DELETE_ASSETS,
	ISX_PG_INDEX_SIZE,
	ISX_PG_INDEX_ADVANCE,
	ISX_PG_FIELDS_GET,
	ISX_PG_FIELDS_PUT,
	ISX_PG_ASSETS_SCAN,
	ISX_PG_ASSETS_PUT,
	ISX_PG_ASSETS_DELETE,
	ISX_PG_ASSETS_FIND,
	ISX_PG_METADATA_PUT,
	ISX_PG_ASSET_GET,
	ISX_PG_ASSETS_METADATA,
	ISX_PG_ASSETS_PAGE,
	ISX_PG_SIMPRINTS_PAGE,
	ISX_PG_ASSETS_CHANGED,
	ISX_PG_UNITS_PUT,
	ISX_PG_UNITS_DELETE,
	ISX_PG_SIMPRINTS_SAMPLE,
	ISX_PG_SIMPRINTS_PUT,
	ISX_PG_SIMPRINTS_DELETE,
	ISX_PG_SIMPRINTS_REPLACE,
	ISX_PG_CHANGE_PUT,
	ISX_PG_CHANGE_PRUNE,
	ISX_PG_CHANGE_FIND,
	ISX_PG_CHANGE_REACHES,
	ISX_PG_CHANGE_STEP,
	ISX_PG_CHANGED_ASSETS,
	ISX_PG_CHANGED_SIMPRINTS,
	ISX_PG_SEARCH_UNITS,
	ISX_PG_COUNT_UNITS,
	ISX_PG_SCORE_UNITS,
	ISX_PG_SIMPRINTS_OF_ASSET,
	ISX_PG_COUNT_SIMPRINTS,
	ISX_PG_SEARCH_SIMPRINTS,
	ISX_PG_STATEMENTS
};

/* The text of a statement; "@." stands for the schema. */
extern const char *const isx_pg_statements[ISX_PG_STATEMENTS];

/* The statements, in one text, that create the tables of the current version in an empty schema. */
extern const char isx_pg_tables[];

/* The statements that make tables of version 1 those of the current version. */
extern const char isx_pg_upgrade[];

/* A copy of `sql` with the name of the schema, quoted, in place of every "@.".
 *   schema  letters, digits and _ only, as isx_pg_pool_new() checks
 * Returns new memory, isx_mem_free(); NULL: no memory. */
char *isx_pg_sql_text(const char *sql, const char *schema);

enum {
	ISX_PG_VERSION = 2,
	ISX_PG_SAMPLE_ROWS = 20000 /* at most, that ISX_PG_SIMPRINTS_SAMPLE counts (its LIMIT) */
};

#endif
