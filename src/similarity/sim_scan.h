/*
 * sim_scan.h - the rows of one unit type in one table, page by page as they lie in the file; and the
 *              assets with a given INSTANCE.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_SIM_SCAN_H
#define ISX_SIM_SCAN_H

#include "base/mem.h"
#include "engine/id_set.h"
#include "engine/scorer.h"
#include "scan/kernel.h"
#include "storage/lmdb_file.h"

/* A *lane*: the rows of a unit type in the table of one body length. Bodies of different lengths
 * are compared by their common beginning, so a unit is compared with every lane of its type. */
struct isx_lane {
	const char *type;                /* set by the caller */
	size_t body_bytes;               /* set by the caller */
	const struct isx_leaves *leaves; /* set by the caller: its pages; NULL: unknown */
	const uint8_t *rows;             /* the current page, or the part of it from id_min on */
	size_t count;                    /* 0: no rows are left */
	size_t row_bytes;
	MDB_cursor *cursor;
	MDB_val key;
	/* With a filter the pages are those of LMDB in which many assets pass, and then assets that do not
	 * are among them; or the rows that pass of several pages with few of them, copied together. */
	const struct isx_id_set *only; /* set by the caller: the assets that pass; NULL: all */
	uint8_t *room;    /* set by the caller if `only` is: for twice as many rows as a page has */
	size_t room_rows; /* set by the caller: rows of a page, at most */
	uint64_t id_max;  /* set by the caller: no asset behind it is looked for */
	uint64_t looks;   /* pages that were read for this, also those without a row that passes */
	/* Private to sim_scan.c: */
	size_t leaf;     /* of `leaves`: the page that was read last */
	uint64_t sought; /* the current page has all rows from this asset to its last one */
	size_t at;       /* no range of `only` before it has an asset of the rest or later */
	const uint8_t *rest_rows; /* of the page of LMDB that was read last: rows not looked at */
	size_t rest_count;
	unsigned skipped; /* pages in a row without any asset that passes */
};

/* The ISCC-ID body of a row of the current page. */
static inline uint64_t isx_lane_id(const struct isx_lane *lane, size_t row)
{
	return isx_load_be64(lane->rows + row * lane->row_bytes);
}

/* Begin to read the rows of the assets from id_min on (of those in lane->only), with the first page.
 *   view  borrowed until isx_lane_close(), which is called also on failure */
ISX_MUST_CHECK enum isx_status isx_lane_open(struct isx_lane *lane, struct isx_lmdb_view *view,
					     uint64_t id_min, struct isx_err *err);

/* Make the rows of the assets from `id` on the current page. Where the page that was current has the first of them,
 * nothing is looked up. For many assets in rising order; any order is correct. A lane that is sought in has
 * no `only`, and isx_lane_next() is not called. */
ISX_MUST_CHECK enum isx_status isx_lane_seek(struct isx_lane *lane, uint64_t id,
					     struct isx_err *err);

/* Read the next page. */
ISX_MUST_CHECK enum isx_status isx_lane_next(struct isx_lane *lane, struct isx_err *err);

/* How many pages follow the current one that may have assets up to id_max, pages_max at most: 0 also where they
 * are not listed, or a filter leaves out rows. The current page ends at id_max at the latest.
 *   pages  filled: the first of them */
size_t isx_lane_ahead(const struct isx_lane *lane, uint64_t id_max, size_t pages_max,
		      const struct isx_scan_page **pages);

/* Make the page current that follows `count` pages later, one that isx_lane_ahead() has counted. */
void isx_lane_skip(struct isx_lane *lane, size_t count);

/* End reading; safe on a lane that was never opened. */
void isx_lane_close(struct isx_lane *lane);

/* Count the rows of a lane, which need not be open, and find the last ISCC-ID body in it. Costs two
 * lookups. */
ISX_MUST_CHECK enum isx_status isx_lane_measure(const struct isx_lane *lane,
						struct isx_lmdb_view *view, uint64_t *rows,
						uint64_t *id_max, struct isx_err *err);

/* The assets that match one INSTANCE unit. */
struct isx_instances {
	const struct isx_instance {
		uint64_t id;   /* ISCC-ID body */
		uint32_t bits; /* equal bits: those of the shorter body */
	} * items;             /* ascending by ISCC-ID, each once */
	size_t count;
};

/* Find the assets with an INSTANCE body that is a prefix of the unit's body, or that it is a prefix
 * of.
 *   found  filled: lives in `arena` */
ISX_MUST_CHECK enum isx_status isx_instances_find(struct isx_lmdb_view *view,
						  const struct isx_indexed_unit *unit,
						  struct isx_arena *arena,
						  struct isx_instances *found, struct isx_err *err);

/* Raise the evidence of an asset if it is in the list. */
void isx_instances_raise(const struct isx_instances *instances, uint64_t id,
			 struct isx_evidence *evidence);

/* The first position of the list with `id` or a larger ISCC-ID; its count if there is none. */
size_t isx_instances_position(const struct isx_instances *instances, uint64_t id);

#endif
