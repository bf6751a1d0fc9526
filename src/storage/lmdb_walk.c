/*
 * lmdb_walk.c - a walk through the assets of one snapshot.
 *
 * Each step searches the next ISCC-ID from the root of the table, about a microsecond, so that a
 * walk keeps a number between steps and no cursor. The walk keeps its file open and its read
 * transaction until it is closed; one thread at a time uses it.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "storage/lmdb_walk.h"

#include "storage/lmdb_assets.h"
#include "storage/lmdb_kind.h"
#include "storage/lmdb_snapshot.h"
#include "json/wire.h"

struct file_walk {
	struct isx_walk walk; /* first member */
	struct isx_open_files *files;
	struct isx_open_index *index;
	struct isx_lmdb_file *file;
	struct isx_lmdb_view view;
	uint64_t last_change; /* the file's last transaction, read before the snapshot began */
	struct isx_walk_range
		range;  /* `first` moves: the next asset has it or more; `from` is not used */
	uint32_t realm; /* of a single asset */
	bool is_single; /* the range is one ISCC-ID */
	bool is_over;
};

/* Read an asset, with what the kind of file keeps beside its JSON. iscc-search 0.3.3 may have
 * stored it without its ISCC-ID, which is then filled in from the key. */
static enum isx_status read_asset(struct file_walk *walk, const struct isx_iscc_id *id,
				  MDB_val json, struct isx_arena *arena, struct isx_asset *asset,
				  struct isx_err *err)
{
	char text[ISX_ISCC_ID_TEXT_BYTES];
	isx_iscc_id_print(id, text);
	enum isx_status st = isx_asset_from_stored(isx_lmdb_span(json), arena, asset, err);
	if (st == ISX_CORRUPT)
		return isx_err_at(err, st, "%s", text);
	if (!st && !asset->iscc_id)
		asset->iscc_id = isx_arena_text(arena, text, ISX_ISCC_ID_TEXT_BYTES - 1);
	if (!st && !asset->iscc_id)
		st = isx_fail_memory(err);
	if (!st && walk->file->kind->complete && walk->range.simprints)
		st = walk->file->kind->complete(&walk->view, id->body, arena, asset, err);
	return st;
}

/* Find the first asset of what is left of the range, or any behind it. A single one is looked up by
 * its key, which verifies the pages that lead to it. Returns a code of LMDB. */
static int look_up(struct file_walk *walk, struct isx_iscc_id *id, MDB_val *json)
{
	const struct isx_lmdb_kind *kind = walk->file->kind;
	if (!walk->is_single)
		return kind->next(&walk->view, walk->range.first, id, json);
	*id = (struct isx_iscc_id){ .body = walk->range.first, .realm = walk->realm, .version = 1 };
	return kind->get(&walk->view, NULL, id, json);
}

/* Find the next asset of the range, and move behind it: an asset that cannot be read must not stop
 * the walk. Of other hub numbers no asset is read, only its key. */
static int find_next(struct file_walk *walk, struct isx_iscc_id *id, MDB_val *json)
{
	struct isx_walk_range *range = &walk->range;
	int rc = walk->view.tables.assets ? 0 : MDB_NOTFOUND;
	do {
		walk->is_over |= rc || !isx_hub_next(range->first, range->hub, &range->first) ||
				 range->first > range->last;
		rc = walk->is_over ? MDB_NOTFOUND : look_up(walk, id, json);
		walk->is_over |= rc || id->body > range->last || id->body == UINT64_MAX;
		if (rc || id->body > range->last)
			return rc ? rc : MDB_NOTFOUND;
		range->first = id->body + 1;
	} while (range->hub >= 0 && isx_iscc_id_hub(id) != (uint32_t)range->hub);
	return 0;
}

static enum isx_status next(struct isx_walk *base, struct isx_arena *arena, struct isx_asset *asset,
			    bool *more, struct isx_err *err)
{
	struct file_walk *walk = (struct file_walk *)base;
	struct isx_iscc_id id;
	MDB_val json;
	int rc = find_next(walk, &id, &json);
	enum isx_status st = ISX_OK;
	*more = rc == 0;
	if (!rc)
		st = read_asset(walk, &id, json, arena, asset, err);
	else if (rc == MDB_CORRUPTED && atomic_load(&walk->file->is_damaged))
		st = isx_err_pass(err, &walk->file->damage); /* says more than LMDB's message */
	else if (rc != MDB_NOTFOUND)
		st = isx_lmdb_status(rc, "read assets", err);
	/* Without a lock file, writers do not respect the snapshot: check after each step. */
	return st ? st : isx_lmdb_check_unmodified(walk->file, walk->last_change, err);
}

static void close_walk(struct isx_walk *base)
{
	struct file_walk *walk = (struct file_walk *)base;
	if (walk->view.file)
		isx_lmdb_end(&walk->view);
	if (walk->index)
		isx_open_files_unpin(walk->files, walk->index);
	isx_mem_free(walk);
}

/* Begin the snapshot, once everything is verified that the walk is going to read. A walk over many
 * assets may read all of the file. A single asset is verified when it is looked up; what is kept
 * beside it lies in tables of rows, if there is anything. Pages are verified before a snapshot of
 * them begins, so a second one begins then. */
static enum isx_status begin_view(struct file_walk *walk, struct isx_err *err)
{
	const struct isx_lmdb_kind *kind = walk->file->kind;
	if (!walk->is_single)
		return isx_lmdb_read(walk->file, ISX_PAGES_SAFE, &walk->view, err);
	enum isx_status st = isx_lmdb_read(walk->file, ISX_PAGES_BRIEF, &walk->view, err);
	if (st || !walk->range.simprints || !kind->complete || !kind->has_more(&walk->view))
		return st;
	isx_lmdb_end(&walk->view);
	return isx_lmdb_read(walk->file, ISX_PAGES_ROWS, &walk->view, err);
}

/* Open the file, begin the snapshot and find the start. On failure close_walk() undoes what was
 * done: view.file says whether there is a snapshot. */
static enum isx_status begin(struct file_walk *walk, const char *name, const char *from,
			     struct isx_err *err)
{
	struct isx_iscc_id id = { 0 };
	bool has_realm;
	uint32_t realm;
	enum isx_status st = isx_open_files_pin(walk->files, name, false, &walk->index, &walk->file,
						err);
	if (st)
		return st;
	/* Taken before the snapshot, so that a write in between counts as a change. */
	walk->last_change = isx_lmdb_last_change(walk->file);
	st = from ? isx_iscc_id_parse(isx_span_of(from), &id, err) : ISX_OK;
	if (!st)
		st = begin_view(walk, err);
	if (st) {
		walk->view.file = NULL;
		return st;
	}
	walk->realm = id.realm;
	st = walk->file->kind->realm(&walk->view, &has_realm, &realm, err);
	return st || !from || !has_realm ? st : isx_check_realm(from, id.realm, realm, err);
}

enum isx_status isx_lmdb_walk(struct isx_open_files *files, const char *name,
			      const struct isx_walk_range *range, struct isx_walk **walk,
			      struct isx_err *err)
{
	struct file_walk *made = isx_mem_array(1, sizeof *made);
	if (!made)
		return isx_fail_memory(err);
	made->walk = (struct isx_walk){ .next = next, .close = close_walk };
	made->files = files;
	made->range = *range;
	made->is_single = range->from && range->first == range->last;
	enum isx_status st = begin(made, name, range->from, err);
	if (st)
		close_walk(&made->walk);
	else
		*walk = &made->walk;
	return st;
}
