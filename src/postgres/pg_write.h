/*
 * pg_write.h - add and remove assets: a group of requests to one index is one transaction.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_PG_WRITE_H
#define ISX_PG_WRITE_H

#include "postgres/pg_store.h"

/* As in struct isx_engine_ops. */
ISX_MUST_CHECK enum isx_status isx_pg_add(struct isx_engine *engine, const char *name,
					  const struct isx_asset *assets, size_t count,
					  enum isx_outcome *outcomes, struct isx_err *err);
ISX_MUST_CHECK enum isx_status isx_pg_remove(struct isx_engine *engine, const char *name,
					     const char *const *iscc_ids, size_t count,
					     bool *removed, struct isx_err *err);
ISX_MUST_CHECK enum isx_status isx_pg_set_metadata(struct isx_engine *engine, const char *name,
						   const char *iscc_id, const char *metadata,
						   struct isx_err *err);

/* Write a group of a queue: the isx_commit_fn of the queues of struct isx_pg_store. Always
 * ISX_OK: each request of the group has a status of its own. */
enum isx_status isx_pg_write_group(void *store, struct isx_commit *group, struct isx_err *err);

#endif
