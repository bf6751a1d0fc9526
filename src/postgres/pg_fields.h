/*
 * pg_fields.h - the declared fields of an index in PostgreSQL, and what a search by SQL does with them.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_PG_FIELDS_H
#define ISX_PG_FIELDS_H

#include "engine/engine.h"
#include "engine/id_set.h"
#include "engine/query_plan.h"
#include "engine/score.h"
#include "postgres/pg_head.h"

/* As in struct isx_engine_ops. */
ISX_MUST_CHECK enum isx_status isx_pg_fields_get(struct isx_engine *engine, const char *name,
						 char ***fields, size_t *count,
						 struct isx_err *err);
ISX_MUST_CHECK enum isx_status isx_pg_fields_set(struct isx_engine *engine, const char *name,
						 const char *const *fields, size_t count,
						 isx_progress_fn *progress, void *arg,
						 struct isx_err *err);

/* Find the assets for which a filter holds, by reading all of them. It takes as long as the index is
 * large; a follower has tables.
 *   query  asked now and then whether to go on
 *   set    filled, release with isx_id_set_release()
 * ISX_INVALID: the filter names a field that is not declared, or ISCC-IDs of another realm. */
ISX_MUST_CHECK enum isx_status isx_pg_filter(struct isx_pg_conn *conn,
					     const struct isx_pg_head *head,
					     const struct isx_filter *filter,
					     const struct isx_query *query,
					     const struct isx_quota *quota, struct isx_id_set *set,
					     struct isx_err *err);

/* Count the values of fields among all matches, by reading their metadata.
 *   ranking  whose ids are the matches; NULL: there are none
 *   facets   filled: query->facet_count of them, in `arena`
 * ISX_INVALID: a field is not declared. */
ISX_MUST_CHECK enum isx_status isx_pg_facets(struct isx_pg_conn *conn,
					     const struct isx_pg_head *head,
					     const struct isx_query *query,
					     const struct isx_ranking *ranking,
					     struct isx_arena *arena,
					     const struct isx_facet **facets, struct isx_err *err);

#endif
