/*
 * clusters.h - group near-duplicates: assets that pairs connect, directly or through others.
 *
 * Takes about 150 bytes for each asset that is in a pair, whatever the number of pairs. One thread
 * at a time. Not exported.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_CLUSTERS_H
#define ISX_CLUSTERS_H

#include "base/buf.h"
#include "base/mem.h"

/* `{ 0 }` has no asset. */
struct isx_clusters {
	struct isx_arena arena; /* scores, names of types */
	struct cluster_asset *assets;
	size_t count;
	size_t cap;
	uint32_t *slots; /* a hash table: positions in `assets` + 1, 0: free */
	size_t slot_count;
	const char **types;
	size_t type_count;
};

/* Connect the assets of a pair, which is copied. */
ISX_MUST_CHECK enum isx_status isx_clusters_add(struct isx_clusters *clusters,
						const struct isx_pair *pair, struct isx_err *err);

/* Takes a part of the text; anything but ISX_OK ends the writing with that status. */
typedef enum isx_status isx_clusters_fn(const char *bytes, size_t len, void *arg,
					struct isx_err *err);

/* Write the clusters, one a line, in the order of the ISCC-IDs to keep:
 *
 *	{"keep":"ISCC:A","duplicates":[{"iscc_id":"ISCC:B","match":"ISCC:A","score":...,
 *	 "types":{...}},...]}
 *
 * `keep` is the oldest asset of the cluster, `match` the one that a duplicate is most similar to.
 * Nothing may be added afterwards.
 *   count  filled: clusters */
ISX_MUST_CHECK enum isx_status isx_clusters_write(struct isx_clusters *clusters,
						  isx_clusters_fn *write, void *arg, size_t *count,
						  struct isx_err *err);

/* Free everything; there is no asset then. */
void isx_clusters_release(struct isx_clusters *clusters);

#endif
