/*
 * sim_scan.h - the hits of one queried unit, one after the other in the order of ISCC-IDs.
 *
 * A *stream* walks the rows of the unit's type in one table, page by page as they lie in the file,
 * and keeps no more than the hits of one page. So a search needs the same little memory whatever it
 * finds.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_SIM_SCAN_H
#define ISX_SIM_SCAN_H

#include "base/mem.h"
#include "engine/asset_units.h"
#include "scan/kernel.h"
#include "storage/lmdb_file.h"

struct isx_stream {
	uint64_t id;  /* of the current hit */
	double score; /* of the current hit */
	size_t type;  /* the unit's type, as a position among the query's types */
	bool at_end;  /* there is no current hit */
	const struct isx_kernel *kernel;
	struct isx_lmdb_view *view;
	MDB_cursor *cursor; /* NULL for a stream of ids */
	MDB_val key;
	struct isx_scan scan; /* of the current page */
	uint32_t compared_bits;
	struct isx_hit *hits; /* of the current page */
	size_t hit_count;
	size_t next_hit;
	const uint64_t *ids; /* of a stream of ids, ascending: all score 1.0 */
	size_t id_count;
};

/* Open a stream over the rows of unit->type in the table of bodies of `body_bytes`, and move it to
 * its first hit. `threshold` is the least score of a hit.
 *   unit, view, arena  borrowed until isx_stream_close() */
ISX_MUST_CHECK enum isx_status isx_stream_open(struct isx_stream *stream,
					       struct isx_lmdb_view *view,
					       const struct isx_indexed_unit *unit,
					       size_t body_bytes, double threshold,
					       struct isx_arena *arena, struct isx_err *err);

/* Open a stream over the assets with an INSTANCE body that is a prefix of the unit's body, or that
 * it is a prefix of. */
ISX_MUST_CHECK enum isx_status isx_stream_open_instance(struct isx_stream *stream,
							struct isx_lmdb_view *view,
							const struct isx_indexed_unit *unit,
							struct isx_arena *arena,
							struct isx_err *err);

/* Move to the next hit. */
ISX_MUST_CHECK enum isx_status isx_stream_next(struct isx_stream *stream, struct isx_err *err);

/* Close what an open has opened; safe on a stream that is all zeros. */
void isx_stream_close(struct isx_stream *stream);

#endif
