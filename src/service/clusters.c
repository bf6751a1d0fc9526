/*
 * clusters.c - group near-duplicates by union-find.
 *
 * The root of a cluster is always its oldest asset, so that it is known without a search. Paths are
 * halved where they are walked, which alone bounds a step by the logarithm of the number of assets on
 * average, although the root is chosen by age and not by the size of its tree.
 *
 * Only the best pair of each asset is kept. Writing sorts all assets and takes 40 bytes for each of
 * them in addition. Takes no lock; must not know indexes and files.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "service/clusters.h"

#include "iscc/iscc_id.h"
#include "json/json_text.h"
#include "json/wire.h"

#include <stdlib.h>
#include <string.h>

/* Text is handed over in parts of WRITE_BYTES. Of so many types the name is kept once; a further one
 * is copied for each asset, so that any input works, with more memory. */
enum { WRITE_BYTES = 1 << 16, TYPES_MAX = 128 };

/* An asset that is in a pair, and the best of its pairs. */
struct cluster_asset {
	struct isx_iscc_id id;
	uint32_t parent; /* the asset itself: the root */
	uint32_t match;  /* the other asset of the best pair; of equal ones the first that came */
	double score;    /* -1: no pair yet */
	struct isx_type_score *types;
	uint32_t type_count, type_cap;
};

/* By time; of two realms, realm 0 first. */
static int compare_ids(const struct isx_iscc_id *a, const struct isx_iscc_id *b)
{
	if (a->body != b->body)
		return a->body < b->body ? -1 : 1;
	return (a->realm > b->realm) - (a->realm < b->realm);
}

/* --- assets ----------------------------------------------------------------------------------- */

/* The slot of an asset, or the free one where it belongs. ISCC-IDs are times: multiplied, so that
 * neighbours are apart. The loop ends, as half of the slots are free. */
static uint32_t *find_slot(const struct isx_clusters *clusters, const struct isx_iscc_id *id)
{
	size_t at = (size_t)((id->body + id->realm) * 0x9E3779B97F4A7C15u >> 32);
	for (;; at++) {
		uint32_t *slot = &clusters->slots[at & (clusters->slot_count - 1)];
		if (!*slot || compare_ids(&clusters->assets[*slot - 1].id, id) == 0)
			return slot;
	}
}

/* Double the room, and at most half of the slots are used. The table is filled anew: positions in
 * `assets` stay, slots do not. After a failure both arrays are as they were, or larger. */
static enum isx_status grow(struct isx_clusters *clusters, struct isx_err *err)
{
	size_t cap = clusters->cap ? clusters->cap * 2 : 1024;
	if (cap > UINT32_MAX / 4)
		return isx_fail(err, ISX_TOO_LARGE,
				"clusters: expected at most a thousand million "
				"assets with near-duplicates");
	struct cluster_asset *assets = isx_mem_resize(clusters->assets, cap, sizeof *assets);
	if (!assets)
		return isx_fail_memory(err);
	clusters->assets = assets;
	uint32_t *slots = isx_mem_array(cap * 2, sizeof *slots);
	if (!slots)
		return isx_fail_memory(err);
	isx_mem_free(clusters->slots);
	clusters->slots = slots;
	clusters->slot_count = cap * 2;
	clusters->cap = cap;
	for (size_t i = 0; i < clusters->count; i++)
		*find_slot(clusters, &assets[i].id) = (uint32_t)i + 1;
	return ISX_OK;
}

/* The position of an asset, which is entered if it is new. */
static enum isx_status enter(struct isx_clusters *clusters, const char *iscc_id, uint32_t *at,
			     struct isx_err *err)
{
	struct isx_iscc_id id;
	enum isx_status st = isx_iscc_id_parse(isx_span_of(iscc_id), &id, err);
	if (!st && clusters->count == clusters->cap)
		st = grow(clusters, err);
	if (st)
		return st;
	uint32_t *slot = find_slot(clusters, &id);
	if (!*slot) {
		clusters->assets[clusters->count] = (struct cluster_asset){
			.id = id, .parent = (uint32_t)clusters->count, .score = -1
		};
		*slot = (uint32_t)++clusters->count;
	}
	*at = *slot - 1;
	return ISX_OK;
}

/* The oldest asset of the cluster. Each asset on the way gets the parent of its parent, so that the
 * next walk is half as long. */
static uint32_t root_of(struct isx_clusters *clusters, uint32_t at)
{
	struct cluster_asset *assets = clusters->assets;
	while (assets[at].parent != at) {
		assets[at].parent = assets[assets[at].parent].parent;
		at = assets[at].parent;
	}
	return at;
}

/* --- scores ----------------------------------------------------------------------------------- */

/* The one copy of the name of a type; NULL without memory. */
static const char *keep_type(struct isx_clusters *clusters, const char *type)
{
	for (size_t i = 0; i < clusters->type_count; i++)
		if (strcmp(clusters->types[i], type) == 0)
			return clusters->types[i];
	const char *copy = isx_arena_text(&clusters->arena, type, strlen(type));
	if (!clusters->types)
		clusters->types = isx_arena_alloc(&clusters->arena, TYPES_MAX,
						  sizeof *clusters->types);
	if (copy && clusters->types && clusters->type_count < TYPES_MAX)
		clusters->types[clusters->type_count++] = copy;
	return copy;
}

/* Keep the pair if it is the best one of the asset so far; of equal scores the first one. Its scores
 * overwrite those of the pair before where they fit; otherwise the old list stays in the arena. */
static enum isx_status note_pair(struct isx_clusters *clusters, uint32_t at, uint32_t match,
				 const struct isx_pair *pair, struct isx_err *err)
{
	struct cluster_asset *asset = &clusters->assets[at];
	if (pair->score <= asset->score)
		return ISX_OK;
	if (pair->type_count > asset->type_cap || !asset->types) {
		asset->types = isx_arena_alloc(&clusters->arena, pair->type_count,
					       sizeof *asset->types);
		if (!asset->types)
			return isx_fail_memory(err);
		asset->type_cap = (uint32_t)pair->type_count;
	}
	for (size_t i = 0; i < pair->type_count; i++) {
		const char *type = keep_type(clusters, pair->types[i].type);
		if (!type)
			return isx_fail_memory(err);
		asset->types[i] = (struct isx_type_score){ type, pair->types[i].score };
	}
	asset->type_count = (uint32_t)pair->type_count;
	asset->score = pair->score;
	asset->match = match;
	return ISX_OK;
}

/* A pair of one asset in two indexes connects nothing. */
enum isx_status isx_clusters_add(struct isx_clusters *clusters, const struct isx_pair *pair,
				 struct isx_err *err)
{
	uint32_t one, other;
	if (strcmp(pair->iscc_id, pair->match) == 0)
		return ISX_OK;
	enum isx_status st = enter(clusters, pair->iscc_id, &one, err);
	if (!st)
		st = enter(clusters, pair->match, &other, err);
	if (!st)
		st = note_pair(clusters, one, other, pair, err);
	if (!st)
		st = note_pair(clusters, other, one, pair, err);
	if (st)
		return st;
	uint32_t a = root_of(clusters, one), b = root_of(clusters, other);
	if (compare_ids(&clusters->assets[a].id, &clusters->assets[b].id) < 0)
		clusters->assets[b].parent = a;
	else
		clusters->assets[a].parent = b;
	return ISX_OK;
}

/* --- writing ---------------------------------------------------------------------------------- */

/* An asset in the order of the output. */
struct member {
	struct isx_iscc_id root, id;
	uint32_t at;
};

/* Order of qsort(): clusters by their oldest asset, which comes first. */
static int by_cluster(const void *left, const void *right)
{
	const struct member *a = left, *b = right;
	int order = compare_ids(&a->root, &b->root);
	return order ? order : compare_ids(&a->id, &b->id);
}

/* Hand over the text when there is much of it, or all of it. */
static enum isx_status flush(struct isx_buf *buf, size_t least, isx_clusters_fn *write, void *arg,
			     struct isx_err *err)
{
	enum isx_status st = isx_buf_status(buf, err);
	if (st || buf->len < least || !buf->len)
		return st;
	st = write(buf->ptr, buf->len, arg, err);
	isx_buf_clear(buf);
	return st;
}

/* Append one duplicate of a cluster: with its best pair, which need not be the one with the asset
 * to keep. */
static void add_member(struct isx_buf *buf, const struct isx_clusters *clusters,
		       const struct member *member, bool is_first)
{
	const struct cluster_asset *asset = &clusters->assets[member->at];
	char id[ISX_ISCC_ID_TEXT_BYTES], match[ISX_ISCC_ID_TEXT_BYTES];
	isx_iscc_id_print(&member->id, id);
	isx_iscc_id_print(&clusters->assets[asset->match].id, match);
	isx_buf_printf(buf,
		       "%s{\"iscc_id\":\"%s\",\"match\":\"%s\",\"score\":", is_first ? "" : ",", id,
		       match);
	isx_json_double(buf, asset->score);
	isx_buf_text(buf, ",\"types\":");
	isx_type_scores_to_json(buf, asset->types, asset->type_count);
	isx_buf_char(buf, '}');
}

/* Write the lines of sorted members: the root of a cluster begins its line. */
static enum isx_status write_members(struct isx_clusters *clusters, const struct member *members,
				     isx_clusters_fn *write, void *arg, size_t *count,
				     struct isx_err *err)
{
	struct isx_buf buf = { 0 };
	enum isx_status st = ISX_OK;
	for (size_t i = 0; !st && i < clusters->count; i++) {
		char keep[ISX_ISCC_ID_TEXT_BYTES];
		if (compare_ids(&members[i].root, &members[i].id) != 0) {
			bool is_first = compare_ids(&members[i - 1].id, &members[i].root) == 0;
			add_member(&buf, clusters, &members[i], is_first);
		} else {
			isx_iscc_id_print(&members[i].id, keep);
			isx_buf_printf(&buf, "%s{\"keep\":\"%s\",\"duplicates\":[", i ? "]}\n" : "",
				       keep);
			(*count)++;
		}
		st = flush(&buf, WRITE_BYTES, write, arg, err);
	}
	if (!st && clusters->count)
		isx_buf_text(&buf, "]}\n");
	if (!st)
		st = flush(&buf, 0, write, arg, err);
	isx_buf_release(&buf);
	return st;
}

enum isx_status isx_clusters_write(struct isx_clusters *clusters, isx_clusters_fn *write, void *arg,
				   size_t *count, struct isx_err *err)
{
	struct member *members = isx_mem_array(clusters->count, sizeof *members);
	if (!members)
		return isx_fail_memory(err);
	*count = 0;
	for (size_t i = 0; i < clusters->count; i++) {
		uint32_t root = root_of(clusters, (uint32_t)i);
		members[i] = (struct member){ clusters->assets[root].id, clusters->assets[i].id,
					      (uint32_t)i };
	}
	if (clusters->count)
		qsort(members, clusters->count, sizeof *members, by_cluster);
	enum isx_status st = write_members(clusters, members, write, arg, count, err);
	isx_mem_free(members);
	return st;
}

void isx_clusters_release(struct isx_clusters *clusters)
{
	isx_arena_release(&clusters->arena);
	isx_mem_free(clusters->assets);
	isx_mem_free(clusters->slots);
	*clusters = (struct isx_clusters){ 0 };
}
