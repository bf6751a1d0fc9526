/*
 * writer.c - add assets one by one: they are copied until there are enough for one transaction.
 *
 * isx_writer_put() makes the checks that the engine would make, so that an asset with an error is
 * refused alone. The engine adds a batch whole or not at all: one bad asset in it would refuse all
 * others. The price is that ISCC-IDs, units and simprints are decoded twice.
 *
 * One thread at a time uses a writer. No lock or transaction is held between its calls.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/limits.h"
#include "engine/asset_units.h"
#include "iscc/iscc_id.h"
#include "service/service.h"
#include "service/store.h"

#include <string.h>

struct isx_writer {
	struct isx_store *store; /* borrowed */
	char *name;
	struct isx_asset *assets; /* the batch: room for ISX_WRITER_ASSETS, `count` are waiting */
	enum isx_outcome *outcomes;
	size_t count;
	size_t bytes; /* of texts and simprints of the batch; at ISX_WRITER_BYTES it is written */
	struct isx_arena arena; /* the texts of the batch */
	bool has_realm;
	uint32_t realm; /* of the first asset put that has an ISCC-ID, and so of all */
	struct isx_writer_counts counts; /* `waiting` is not kept: it is `count` */
};

enum isx_status isx_writer_open(struct isx_store *store, const char *name,
				struct isx_writer **writer, struct isx_err *err)
{
	/* fails early for an index that does not exist, and not after 4,096 assets */
	struct isx_index_info info;
	enum isx_status st = isx_index_stat(store, name, &info, err);
	if (st)
		return st;
	isx_index_info_release(&info);
	struct isx_writer *opened = isx_mem_array(1, sizeof *opened);
	if (!opened)
		return isx_fail_memory(err);
	opened->store = store;
	opened->name = isx_mem_text(name, strlen(name));
	opened->assets = isx_mem_array(ISX_WRITER_ASSETS, sizeof *opened->assets);
	opened->outcomes = isx_mem_array(ISX_WRITER_ASSETS, sizeof *opened->outcomes);
	if (!opened->name || !opened->assets || !opened->outcomes) {
		isx_writer_close(opened);
		return isx_fail_memory(err);
	}
	*writer = opened;
	return ISX_OK;
}

/* --- checking --------------------------------------------------------------------------------- */

/* Check that an asset is of the realm of the assets before it. For the first one the index is asked
 * for that asset: an ISCC-ID of another realm than the index's is an error there, and "not found"
 * is none.
 *   id  filled */
static enum isx_status check_realm(const struct isx_writer *writer, const struct isx_asset *asset,
				   struct isx_iscc_id *id, struct isx_err *err)
{
	struct isx_engine *engine = writer->store->engine;
	struct isx_buf stored = { 0 };
	*id = (struct isx_iscc_id){ 0 };
	if (!asset->iscc_id) /* it gets one of the realm of the others */
		return ISX_OK;
	enum isx_status st = isx_iscc_id_parse(isx_span_of(asset->iscc_id), id, err);
	if (!st && !writer->has_realm) {
		st = engine->ops->get(engine, writer->name, asset->iscc_id, &stored, err);
		isx_buf_release(&stored);
		return st == ISX_NOT_FOUND ? ISX_OK : st;
	}
	if (!st && writer->has_realm && id->realm != writer->realm)
		st = isx_fail(err, ISX_INVALID,
			      "%s is of realm %u, but all assets of an index are of one realm, "
			      "here %u",
			      asset->iscc_id, id->realm, writer->realm);
	return st;
}

/* Decode everything as the engine will, into an arena that is released at once: only errors
 * count. */
static enum isx_status check(const struct isx_writer *writer, const struct isx_asset *asset,
			     struct isx_iscc_id *id, struct isx_err *err)
{
	struct isx_arena arena = { 0 };
	struct isx_indexed_unit *units;
	struct isx_indexed_simprint *simprints;
	size_t count;
	enum isx_status st = isx_store_check_asset(asset, err);
	if (!st)
		st = check_realm(writer, asset, id, err);
	if (!st)
		st = isx_asset_units_all(asset, &arena, &units, &count, err);
	if (!st && asset->simprint_count)
		st = isx_asset_simprints(asset, &arena, &simprints, err);
	isx_arena_release(&arena);
	return st;
}

/* --- writing ---------------------------------------------------------------------------------- */

enum isx_status isx_writer_flush(struct isx_writer *writer, struct isx_err *err)
{
	enum isx_status st = isx_add(writer->store, writer->name, writer->assets, writer->count,
				     writer->outcomes, err);
	if (st) {
		/* the batch stays as it is: the call can be repeated */
		if (err && err->position != ISX_NO_POSITION)
			err->position += writer->counts.created + writer->counts.updated;
		return st;
	}
	for (size_t i = 0; i < writer->count; i++)
		*(writer->outcomes[i] == ISX_CREATED ? &writer->counts.created
						     : &writer->counts.updated) += 1;
	writer->count = 0;
	writer->bytes = 0;
	isx_arena_release(&writer->arena);
	return ISX_OK;
}

enum isx_status isx_writer_put(struct isx_writer *writer, const struct isx_asset *asset,
			       struct isx_err *err)
{
	struct isx_iscc_id id;
	enum isx_status st = check(writer, asset, &id, err);
	/* Before the asset is taken, so that a failure leaves it to the caller, who puts it
	 * again. */
	if (!st && (writer->count == ISX_WRITER_ASSETS || writer->bytes >= ISX_WRITER_BYTES))
		if ((st = isx_writer_flush(writer, err)))
			isx_err_at(err, st, "adding the assets before this one");
	if (st)
		return st;
	st = isx_asset_copy(asset, &writer->arena, &writer->assets[writer->count], &writer->bytes,
			    err);
	if (st) /* what was copied stays in the arena until the next flush, and is not counted */
		return st;
	if (asset->iscc_id)
		writer->realm = id.realm;
	writer->has_realm |= asset->iscc_id != NULL;
	writer->count++;
	return ISX_OK;
}

void isx_writer_count(const struct isx_writer *writer, struct isx_writer_counts *counts)
{
	*counts = writer->counts;
	counts->waiting = writer->count;
}

void isx_writer_close(struct isx_writer *writer)
{
	if (!writer)
		return;
	isx_arena_release(&writer->arena);
	isx_mem_free(writer->assets);
	isx_mem_free(writer->outcomes);
	isx_mem_free(writer->name);
	isx_mem_free(writer);
}
