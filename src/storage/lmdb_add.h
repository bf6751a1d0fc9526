/*
 * lmdb_add.h - add, remove and change assets of one open index file, for every kind of file.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_LMDB_ADD_H
#define ISX_LMDB_ADD_H

#include "base/buf.h"
#include "base/mem.h"
#include "engine/asset_batch.h"
#include "storage/lmdb_file.h"

/* Assets to add, with everything prepared that needs no file. It lives on the stack of its caller
 * until the queue has run it. */
struct isx_lmdb_add {
	struct isx_lmdb_change change; /* first member: the queue passes a pointer to it */
	const struct isx_asset *assets;
	enum isx_outcome *outcomes; /* filled: one per asset, by its position in the request */
	size_t count;
	struct isx_batch_asset *batch; /* the assets by ISCC-ID */
	/* The JSON of each, in the order of `batch`. It is known by its position in `json`, which
	 * moves when it grows. */
	struct isx_lmdb_json {
		size_t start, bytes;
	} * places;
	struct isx_buf json;
	void *of_kind; /* what the kind has prepared, in `arena`; NULL before the first asset */
	struct isx_arena arena;
};

/* The JSON to store of the asset batch[at]; empty if another one of the batch supersedes it. */
static inline MDB_val isx_lmdb_add_json(const struct isx_lmdb_add *add, size_t at)
{
	return isx_lmdb_val(add->json.ptr + add->places[at].start, add->places[at].bytes);
}

/* Add or update assets: all or none, durable on return.
 *   outcomes  filled: one per asset */
ISX_MUST_CHECK enum isx_status isx_lmdb_add(struct isx_lmdb_file *file,
					    const struct isx_asset *assets, size_t count,
					    enum isx_outcome *outcomes, struct isx_err *err);

/* Put assets of the right realm, in a view that writes. Never commits.
 *   outcomes  filled: one per asset */
ISX_MUST_CHECK enum isx_status isx_lmdb_put_assets(struct isx_lmdb_view *view,
						   const struct isx_asset *assets, size_t count,
						   enum isx_outcome *outcomes, struct isx_err *err);

/* Remove assets, as isx_remove_many(). */
ISX_MUST_CHECK enum isx_status isx_lmdb_remove(struct isx_lmdb_file *file,
					       const char *const *iscc_ids, size_t count,
					       bool *removed, struct isx_err *err);

/* Replace the metadata of an asset, as isx_metadata_set(). */
ISX_MUST_CHECK enum isx_status isx_lmdb_set_metadata(struct isx_lmdb_file *file,
						     const char *iscc_id, const char *metadata,
						     struct isx_err *err);

#endif
