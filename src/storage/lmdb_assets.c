/*
 * lmdb_assets.c - get and search assets of one open index file.
 *
 * Each call reads one snapshot, and ends its view before the answer is written: a reader that stays
 * open makes the file grow. Nothing is locked: writers go on meanwhile.
 *
 * Must not know the keys of assets, nor their rows: the kind of the file has that (lmdb_kind.h).
 * SPDX-License-Identifier: Apache-2.0
 */
#include "storage/lmdb_assets.h"

#include "base/limits.h"
#include "engine/asset_batch.h"
#include "engine/asset_units.h"
#include "engine/explain.h"
#include "engine/query_plan.h"
#include "engine/scan_slots.h"
#include "storage/lmdb_kind.h"
#include "json/wire.h"

/* --- one asset -------------------------------------------------------------------------------- */

/* The first asset of an index sets its realm, and all others have to share it. */
enum isx_status isx_lmdb_check_realm(struct isx_lmdb_view *view, const char *iscc_id,
				     uint32_t realm, struct isx_err *err)
{
	bool has_realm;
	uint32_t wanted;
	enum isx_status st = view->file->kind->realm(view, &has_realm, &wanted, err);
	return st || !has_realm ? st : isx_check_realm(iscc_id, realm, wanted, err);
}

/* The realm is checked first: an ISCC-ID of another realm is invalid here, and not just unknown. */
enum isx_status isx_lmdb_find(struct isx_lmdb_view *view, const char *iscc_id,
			      struct isx_iscc_id *id, struct isx_span *json, struct isx_err *err)
{
	MDB_val value;
	enum isx_status st = isx_iscc_id_parse(isx_span_of(iscc_id), id, err);
	if (!st)
		st = isx_lmdb_check_realm(view, iscc_id, id->realm, err);
	if (st)
		return st;
	int rc = view->file->kind->get(view, iscc_id, id, &value);
	if (rc == MDB_NOTFOUND)
		return isx_fail(err, ISX_NOT_FOUND, "Asset '%s' not found in index", iscc_id);
	if (!rc)
		*json = isx_lmdb_span(value);
	return isx_lmdb_status(rc, "look up an asset", err);
}

/* The asset is read in the view that is searched: it cannot change between its lookup and the
 * search. */
enum isx_status isx_lmdb_query_of(struct isx_lmdb_view *view, const struct isx_query *query,
				  struct isx_arena *arena, struct isx_query *effective,
				  struct isx_iscc_id *id, struct isx_err *err)
{
	struct isx_asset asset;
	struct isx_span json;
	enum isx_status st = isx_lmdb_find(view, query->iscc_id, id, &json, err);
	if (!st)
		st = isx_asset_from_stored(json, arena, &asset, err);
	if (!st)
		isx_query_of_asset(&asset, query, effective);
	return st;
}

enum isx_status isx_lmdb_carried(struct isx_lmdb_view *view, const struct isx_iscc_id *id,
				 uint32_t with, struct isx_arena *arena, struct isx_asset *asset,
				 struct isx_err *err)
{
	MDB_val value;
	int rc = view->file->kind->get(view, NULL, id, &value);
	if (rc)
		return isx_lmdb_status(rc == MDB_NOTFOUND ? MDB_CORRUPTED : rc, "fetch an asset",
				       err);
	return isx_stored_carried(isx_lmdb_span(value), id->body, with, &view->file->logger, arena,
				  asset, err);
}

/* --- calls on a file -------------------------------------------------------------------------- */

enum isx_status isx_lmdb_explain(struct isx_lmdb_view *view, const struct isx_iscc_id *id,
				 const struct isx_query_plan *plan, struct isx_arena *arena,
				 struct isx_evidence *evidence, struct isx_err *err)
{
	struct isx_asset asset;
	enum isx_status st = isx_lmdb_carried(view, id, ISX_WITH_CODE | ISX_WITH_UNITS, arena,
					      &asset, err);
	return st ? st : isx_explain_unmatched(plan, &asset, arena, evidence, err);
}

enum isx_status isx_lmdb_get(struct isx_lmdb_file *file, const char *iscc_id, struct isx_buf *json,
			     struct isx_err *err)
{
	struct isx_lmdb_view view;
	struct isx_iscc_id id;
	struct isx_span stored;
	enum isx_status st = isx_lmdb_read(file, ISX_PAGES_BRIEF, &view, err);
	if (st)
		return st;
	st = isx_lmdb_find(&view, iscc_id, &id, &stored, err);
	if (!st)
		st = isx_stored_append(json, stored, err);
	isx_lmdb_end(&view);
	return st;
}

/* A search that waits for a slot. */
struct waiting {
	const struct isx_query *query;
	struct isx_err gone; /* why it is no longer wanted */
};

/* False ends the wait for a slot; `gone` then has the status and message of the call. */
static bool is_search_wanted(void *arg)
{
	struct waiting *waiting = arg;
	const struct isx_query *query = waiting->query;
	return !isx_cancel_ask(query->cancel_check, query->cancel_arg, &waiting->gone);
}

/* Search a file of a kind that searches one view. */
static enum isx_status search_view(struct isx_lmdb_file *file, const struct isx_options *options,
				   const struct isx_query *query, struct isx_arena *arena,
				   struct isx_result *result, struct isx_err *err)
{
	struct isx_lmdb_view view;
	struct waiting waiting = { .query = query, .gone = { .position = ISX_NO_POSITION } };
	/* The slot before the view: a search that waits must not hold a snapshot, whose old pages
	 * no writer can use again. */
	if (!isx_scan_slot_take(isx_scan_slots_max(options), ISX_PASS_WAIT_MS, is_search_wanted,
				&waiting))
		return isx_err_pass(err, &waiting.gone);
	enum isx_status st = isx_lmdb_read(file, ISX_PAGES_ROWS, &view, err);
	if (!st) {
		st = isx_meter_start(&view.meter, query, err);
		if (!st)
			st = file->kind->search(&view, options, query, arena, result, err);
		isx_lmdb_end(&view);
	}
	isx_scan_slots_release(1);
	return st;
}

enum isx_status isx_lmdb_search(struct isx_lmdb_file *file, const struct isx_options *options,
				const struct isx_query *query, struct isx_arena *arena,
				struct isx_result *result, struct isx_err *err)
{
	/* One query is a list of one: kinds with search_file() put it into a pass together with
	 * the queries of other callers. */
	struct isx_search_job job = { .query = query,
				      .arena = arena,
				      .result = result,
				      .err = { .position = ISX_NO_POSITION } };
	isx_lmdb_search_many(file, options, &job, 1);
	return job.status ? isx_err_pass(err, &job.err) : ISX_OK;
}

void isx_lmdb_search_many(struct isx_lmdb_file *file, const struct isx_options *options,
			  struct isx_search_job *jobs, size_t count)
{
	if (file->kind->search_file) {
		file->kind->search_file(file, options, jobs, count);
		return;
	}
	for (size_t i = 0; i < count; i++)
		jobs[i].status = search_view(file, options, jobs[i].query, jobs[i].arena,
					     jobs[i].result, &jobs[i].err);
}
