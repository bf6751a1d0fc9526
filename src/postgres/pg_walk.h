/*
 * pg_walk.h - iterate over all assets of an index on PostgreSQL, in the order of their ISCC-IDs.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_PG_WALK_H
#define ISX_PG_WALK_H

#include "postgres/pg_store.h"

/* As in struct isx_engine_ops. */
ISX_MUST_CHECK enum isx_status isx_pg_walk(struct isx_engine *engine, const char *name,
					   const struct isx_walk_range *range,
					   struct isx_walk **walk, struct isx_err *err);

#endif
