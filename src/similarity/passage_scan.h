/*
 * passage_scan.h - the hits of the simprints of many queries in one table, asset by asset.
 *
 * Simprints of an asset are neighbours in the file, and assets come in the order of their ISCC-IDs.
 * Each page is compared with the simprints of all queries while it is in the processor's cache, and
 * no more is kept than the hits of one page and of one asset, whatever the data.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_PASSAGE_SCAN_H
#define ISX_PASSAGE_SCAN_H

#include "base/mem.h"
#include "engine/id_set.h"
#include "scan/kernel.h"
#include "storage/lmdb_file.h"

/* One simprint of a query. */
struct isx_query_passage {
	uint8_t bytes[ISX_SIMPRINT_BYTES_MAX];
	uint32_t byte_count;
	uint64_t freq; /* assets that hold exactly this simprint */
};

/* The simprints of one type in a query. */
struct isx_passage_query {
	const char *type;
	const struct isx_query_passage *passages;
	size_t count;
	double threshold; /* the lowest score of a hit */
};

/* One stored simprint near one of a query; `row` is borrowed until the view ends. */
struct isx_passage_hit {
	struct isx_passage_query *query; /* as it was given to isx_passage_open() */
	const uint8_t *row;              /* ISCC-ID body, offset, size, simprint (sim_format.h) */
	uint32_t passage;                /* position in the query */
	uint32_t distance;
	uint32_t compared_bits;
	uint32_t stored_bytes;
};

struct isx_passage_stream {
	uint64_t id; /* of the current asset */
	bool at_end;
	struct isx_passage_hit *hits; /* of the current asset, in the order of its rows */
	size_t hit_count;
	size_t hit_cap;
	/* Called before a page is read; may lower id_max of this stream, not below page_id, and drop
	 * queries. NULL: not called. Set before the stream is opened. */
	void (*before_page)(void *arg);
	void *before_page_arg;
	uint64_t page_id; /* the last ISCC-ID body of the current page; 0 before the first one */
	uint64_t row_sum; /* rows that were compared so far */
	/* Read no page without an asset of this set, and compare few rows of other assets; NULL: all. Set
	 * before the stream is opened. */
	const struct isx_id_set *only;
	/* Private to passage_scan.c: */
	struct isx_lmdb_view *view;
	MDB_cursor *cursor;
	MDB_val key;
	uint64_t id_max; /* the last asset it may deliver */
	size_t stored_bytes;
	size_t row_bytes;
	size_t only_at; /* no range of `only` before it has an asset of the current page or later */
	const uint8_t *page;
	size_t row_count;
	struct isx_scan_query *asked;   /* the simprints that can match here, with their hits */
	struct isx_passage_hit *askers; /* of each of them: what all its hits have in common */
	size_t *before;                 /* of each of them: hits in the rows compared before */
	size_t asked_count;
	uint32_t *row_hits;            /* room for a number for each row of a page, and one more */
	struct isx_passage_hit *found; /* in the page, in the order of rows */
	size_t next_found, found_count, found_cap;
	bool no_more_pages;
};

/* Open a stream over the simprints of `type` in the table of `stored_bytes`, for the assets from
 * id_min to id_max, and move it to the first asset with a hit.
 *   queries  of this type, query_count of them; they and view and arena are borrowed until
 *            isx_passage_close() */
ISX_MUST_CHECK enum isx_status isx_passage_open(struct isx_passage_stream *stream,
						struct isx_lmdb_view *view, const char *type,
						struct isx_passage_query *const *queries,
						size_t query_count, size_t stored_bytes,
						uint64_t id_min, uint64_t id_max,
						struct isx_arena *arena, struct isx_err *err);

/* Look no longer for the simprints of a query. Hits in the current page may still be delivered. */
void isx_passage_drop(struct isx_passage_stream *stream, const struct isx_passage_query *query);

/* Move to the next asset that has a hit. */
ISX_MUST_CHECK enum isx_status isx_passage_next(struct isx_passage_stream *stream,
						struct isx_err *err);

/* Close what an open has opened; safe on a stream that is all zeros. */
void isx_passage_close(struct isx_passage_stream *stream);

#endif
