/*
 * asset_batch.h - the assets of one request in the order in which they are put: by ISCC-ID, and of
 *                 those with the same ISCC-ID only the last.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_ASSET_BATCH_H
#define ISX_ASSET_BATCH_H

#include "base/mem.h"
#include "iscc/iscc_id.h"

struct isx_batch_asset {
	struct isx_iscc_id id;
	size_t position; /* in the request */
	bool superseded; /* a later asset of the request has the same ISCC-ID */
};

/* Read the ISCC-IDs of a request and sort it.
 *   batch  filled: `count` of them, in `arena`
 * ISX_INVALID names the asset whose ISCC-ID is missing or cannot be decoded, ISX_EXISTS one that has
 * to be new and is in the request twice. */
ISX_MUST_CHECK enum isx_status isx_batch_read(const struct isx_asset *assets, size_t count,
					      struct isx_arena *arena,
					      struct isx_batch_asset **batch, struct isx_err *err);

/* Record at which asset of a request of `count` an error occurred: in err->position, and, if the
 * request has several assets, in the message. Returns `status`. */
enum isx_status isx_batch_err_at(struct isx_err *err, enum isx_status status, size_t count,
				 size_t position);

/* The same for a list of ISCC-IDs of assets that are there already. */
ISX_MUST_CHECK enum isx_status isx_batch_ids(const char *const *iscc_ids, size_t count,
					     struct isx_arena *arena,
					     struct isx_batch_asset **batch, struct isx_err *err);

/* Check that all assets are of one realm: that of the index (has_realm), otherwise that of the
 * first asset of the request. ISX_INVALID: err->position is an asset of another realm. */
ISX_MUST_CHECK enum isx_status isx_batch_check_realm(const struct isx_asset *assets,
						     const struct isx_batch_asset *batch,
						     size_t count, bool has_realm, uint32_t realm,
						     struct isx_err *err);

/* Fail with ISX_EXISTS: the asset batch[at] has to be new, and is not. Sets err->position. */
enum isx_status isx_batch_fail_exists(const struct isx_asset *assets,
				      const struct isx_batch_asset *batch, size_t count, size_t at,
				      struct isx_err *err);

/* Check that `realm`, which is that of the ISCC-ID `iscc_id`, is the realm of the index. */
ISX_MUST_CHECK enum isx_status isx_check_realm(const char *iscc_id, uint32_t realm,
					       uint32_t index_realm, struct isx_err *err);

#endif
