/*
 * pg_write.c - add and remove assets: a group of requests to one index is one transaction.
 *
 *   BEGIN; lock the row of the index                          one round trip
 *   for each request: its statements in a pipeline            one round trip each
 *   log the change, advance the head of the index; COMMIT     one round trip
 *
 * While the row is locked no other transaction changes the index. So changes are numbered in the
 * order of their commits, and a follower that has read up to a number has missed nothing before
 * it. A change has a random token: when the connection is lost while the commit is under way,
 * the next attempt looks for the token in the log, and so knows whether the change was made.
 *
 * The thread of a request composes the values of its statements, without any lock. One thread at
 * a time writes the groups of a queue (engine/commit_queue.h).
 * SPDX-License-Identifier: Apache-2.0
 */
#include "postgres/pg_write.h"

#include "base/array.h"
#include "base/hash.h"
#include "base/mem.h"
#include "engine/asset_batch.h"
#include "engine/asset_units.h"
#include "json/wire.h"

#include <string.h>

enum {
	LOG_IDS_MAX = 1000000, /* changed assets in the log; a follower further behind is loaded */
	PRUNE_EVERY = 64       /* changes between two cuts of the log */
};

/* A request to add assets to an index, to remove some, or to set the metadata of one. Lives on the
 * stack of the thread that waits for it. */
struct pg_change {
	struct isx_commit commit; /* first: the queue hands this back */
	const char *name;         /* of the index */
	const struct isx_asset *assets;
	const char *const *iscc_ids; /* of assets that are there already; NULL: add `assets` */
	bool *removed;               /* remove them; NULL: set the metadata of the first one */
	size_t count;
	enum isx_outcome *outcomes;
	struct isx_batch_asset *batch;         /* sorted by ISCC-ID: what is put or removed */
	struct isx_indexed_simprint **decoded; /* of each asset of the batch that has some */
	struct isx_arena arena;
	/* The parameters of the statements. $1, the index, is set under its lock. */
	struct isx_pg_params ids;   /* $1 the index, $2 the ISCC-IDs */
	struct isx_pg_params fresh; /* the same, of assets that have to be new */
	struct isx_pg_params rows;
	struct isx_pg_params units;
	struct isx_pg_params replaced; /* types of simprints */
	struct isx_pg_params simprints;
	bool has_simprints;
};

/* --- preparing -------------------------------------------------------------------------------- */

/* As 8 bytes, big-endian: a bytea is ordered by bytes, and so as the numbers are. */
static void add_id(struct isx_pg_params *params, uint64_t id)
{
	uint8_t bytes[8];
	isx_store_be64(bytes, id);
	isx_pg_array_bytes(params, bytes, sizeof bytes);
}

/* The ISCC-IDs of the batch as an array; of an asset that is there twice the last one counts. */
static void add_ids(struct isx_pg_params *params, const struct pg_change *change)
{
	isx_pg_array_open(params, ISX_PG_BYTEA);
	for (size_t i = 0; i < change->count; i++)
		if (!change->batch[i].superseded)
			add_id(params, change->batch[i].id.body);
	isx_pg_array_close(params);
}

/* The asset that entry i of the batch stands for: the batch is sorted, the assets are as they
 * were sent. */
static const struct isx_asset *asset_at(const struct pg_change *change, size_t i)
{
	return &change->assets[change->batch[i].position];
}

/* $1 to $4 of ISX_PG_ASSETS_PUT: index (set later), ISCC-IDs, codes, metadata. */
static enum isx_status compose_rows(struct pg_change *change, struct isx_err *err)
{
	struct isx_pg_params *rows = &change->rows;
	struct isx_buf json = { 0 };
	isx_pg_add_i64(rows, 0);
	add_ids(rows, change);
	isx_pg_array_open(rows, ISX_PG_JSON);
	for (size_t i = 0; i < change->count; i++) {
		struct isx_asset codes = *asset_at(change, i);
		if (change->batch[i].superseded)
			continue;
		codes.metadata = NULL;
		isx_buf_clear(&json);
		isx_asset_to_json(&json, &codes);
		isx_pg_array_bytes(rows, json.ptr, json.len);
	}
	isx_pg_array_close(rows);
	enum isx_status st = isx_buf_status(&json, err);
	isx_buf_release(&json);
	isx_pg_array_open(rows, ISX_PG_JSON);
	for (size_t i = 0; i < change->count; i++) {
		const char *metadata = asset_at(change, i)->metadata;
		if (change->batch[i].superseded)
			continue;
		if (metadata)
			isx_pg_array_bytes(rows, metadata, strlen(metadata));
		else
			isx_pg_array_null(rows);
	}
	isx_pg_array_close(rows);
	return st ? st : isx_buf_status(&rows->bytes, err);
}

/* A row of table unit or simprint; what it points to is borrowed. */
struct row {
	uint64_t id;
	const char *type;
	const uint8_t *bits;
	size_t bytes;     /* of the bits */
	int64_t position; /* among the simprints of its asset */
	int64_t start;
	int64_t size;
};

/* What a statement takes of a row, in the order of its parameters. */
enum column { ROW_ID, ROW_TYPE, ROW_BITS, ROW_POSITION, ROW_START, ROW_SIZE };

/* Append one value to the array that is open. A lack of memory stays in the buffer of the
 * parameters. */
static void add_value(struct isx_pg_params *params, enum column column, const struct row *row)
{
	if (column == ROW_ID)
		add_id(params, row->id);
	else if (column == ROW_TYPE)
		isx_pg_array_bytes(params, row->type, strlen(row->type));
	else if (column == ROW_BITS)
		isx_pg_array_bits(params, row->bits, row->bytes);
	else
		isx_pg_array_i64(params, column == ROW_POSITION ? row->position
					 : column == ROW_START  ? row->start
								: row->size);
}

/* The parameters of a statement that puts rows: the index, which is set later, and an array for
 * each column, which the statement joins by unnest(). */
static enum isx_status compose_columns(struct isx_pg_params *params, const enum column *columns,
				       size_t column_count, const struct row *rows, size_t count,
				       struct isx_err *err)
{
	static const enum isx_pg_type types[] = {
		[ROW_ID] = ISX_PG_BYTEA,      [ROW_TYPE] = ISX_PG_TEXT,  [ROW_BITS] = ISX_PG_VARBIT,
		[ROW_POSITION] = ISX_PG_INT8, [ROW_START] = ISX_PG_INT8, [ROW_SIZE] = ISX_PG_INT8
	};
	isx_pg_add_i64(params, 0);
	for (size_t c = 0; c < column_count; c++) {
		isx_pg_array_open(params, types[columns[c]]);
		for (size_t i = 0; i < count; i++)
			add_value(params, columns[c], &rows[i]);
		isx_pg_array_close(params);
	}
	return isx_buf_status(&params->bytes, err);
}

struct row_list {
	struct row *rows;
	size_t count, cap;
};

/* Append the units of an asset to the rows; their bodies are borrowed. */
static enum isx_status add_units(struct row_list *list, uint64_t id,
				 const struct isx_indexed_unit *units, size_t count,
				 struct isx_err *err)
{
	enum isx_status st = isx_array_room(&list->rows, &list->cap, list->count + count,
					    sizeof *list->rows, NULL, err);
	if (st)
		return st;
	for (size_t i = 0; i < count; i++)
		list->rows[list->count++] = (struct row){ .id = id,
							  .type = units[i].type,
							  .bits = units[i].body,
							  .bytes = units[i].body_bytes };
	return ISX_OK;
}

/* The parameters of ISX_PG_UNITS_PUT. Units and simprints of superseded assets are decoded, too:
 * a request with an asset that cannot be decoded is refused, whichever of its assets that is. */
static enum isx_status compose_units(struct pg_change *change, struct isx_err *err)
{
	static const enum column columns[] = { ROW_ID, ROW_TYPE, ROW_BITS };
	struct isx_indexed_unit *units;
	struct row_list list = { 0 };
	size_t unit_count;
	enum isx_status st = ISX_OK;
	for (size_t i = 0; !st && i < change->count; i++) {
		st = isx_asset_units(asset_at(change, i), &change->arena, &units, &unit_count, err);
		if (!st && asset_at(change, i)->simprint_count)
			st = isx_asset_simprints(asset_at(change, i), &change->arena,
						 &change->decoded[i], err);
		if (st)
			st = isx_batch_err_at(err, st, change->count, change->batch[i].position);
		if (!st && !change->batch[i].superseded)
			st = add_units(&list, change->batch[i].id.body, units, unit_count, err);
	}
	if (!st)
		st = compose_columns(&change->units, columns, 3, list.rows, list.count, err);
	isx_mem_free(list.rows);
	return st;
}

/* A row for each simprint of the batch. */
static enum isx_status gather_simprints(struct pg_change *change, struct row **rows, size_t *count,
					struct isx_err *err)
{
	size_t total = 0;
	for (size_t i = 0; i < change->count; i++)
		total += asset_at(change, i)->simprint_count;
	*count = 0;
	*rows = isx_arena_alloc(&change->arena, total, sizeof **rows);
	if (!*rows)
		return isx_fail_memory(err);
	for (size_t i = 0; i < change->count; i++) {
		const struct isx_asset *asset = asset_at(change, i);
		for (size_t k = 0; !change->batch[i].superseded && k < asset->simprint_count; k++) {
			const struct isx_indexed_simprint *simprint = &change->decoded[i][k];
			(*rows)[(*count)++] = (struct row){ .id = change->batch[i].id.body,
							    .type = simprint->type,
							    .bits = simprint->bytes,
							    .bytes = simprint->byte_count,
							    .position = (int64_t)k,
							    .start = simprint->offset,
							    .size = simprint->size };
		}
	}
	return ISX_OK;
}

/* Does row i begin the simprints of another asset or type? */
static bool begins_type(const struct row *rows, size_t i)
{
	return i == 0 || rows[i].id != rows[i - 1].id ||
	       strcmp(rows[i].type, rows[i - 1].type) != 0;
}

/* The parameters of ISX_PG_SIMPRINTS_PUT and _REPLACE: the second removes the stored simprints
 * of each asset and type that the request has. */
static enum isx_status compose_simprints(struct pg_change *change, struct isx_err *err)
{
	static const enum column columns[] = { ROW_ID,    ROW_TYPE, ROW_POSITION,
					       ROW_START, ROW_SIZE, ROW_BITS };
	struct row *rows;
	size_t count, types = 0;
	enum isx_status st = gather_simprints(change, &rows, &count, err);
	if (st || !count)
		return st;
	change->has_simprints = true;
	st = compose_columns(&change->simprints, columns, 6, rows, count, err);
	for (size_t i = 0; i < count; i++) /* keep one row for each asset and type */
		if (begins_type(rows, i))
			rows[types++] = rows[i];
	return st ? st : compose_columns(&change->replaced, columns, 2, rows, types, err);
}

/* The parameters of ISX_PG_ASSETS_FIND; none if no asset has to be new. */
static enum isx_status compose_fresh(struct pg_change *change, struct isx_err *err)
{
	size_t count = 0;
	for (size_t i = 0; i < change->count; i++)
		count += asset_at(change, i)->is_new;
	if (count == 0)
		return ISX_OK;
	isx_pg_add_i64(&change->fresh, 0);
	isx_pg_array_open(&change->fresh, ISX_PG_BYTEA);
	for (size_t i = 0; i < change->count; i++)
		if (asset_at(change, i)->is_new)
			add_id(&change->fresh, change->batch[i].id.body);
	isx_pg_array_close(&change->fresh);
	return isx_buf_status(&change->fresh.bytes, err);
}

/* Compose the parameters of all statements of an add. ISX_INVALID: an asset cannot be stored. */
static enum isx_status prepare_add(struct pg_change *change, struct isx_err *err)
{
	enum isx_status st = isx_batch_read(change->assets, change->count, &change->arena,
					    &change->batch, err);
	change->decoded = isx_arena_alloc(&change->arena, change->count, sizeof *change->decoded);
	if (!st && !change->decoded)
		st = isx_fail_memory(err);
	if (!st)
		st = compose_rows(change, err);
	if (!st)
		st = compose_units(change, err);
	if (!st)
		st = compose_simprints(change, err);
	isx_pg_add_i64(&change->ids, 0);
	if (!st)
		add_ids(&change->ids, change);
	if (!st)
		st = compose_fresh(change, err);
	return st ? st : isx_buf_status(&change->ids.bytes, err);
}

/* The thread of the request releases it, after the queue has handed the change back: until then
 * the thread that writes the group reads these parameters, perhaps more than once. */
static void release_change(struct pg_change *change)
{
	isx_pg_params_release(&change->ids);
	isx_pg_params_release(&change->fresh);
	isx_pg_params_release(&change->rows);
	isx_pg_params_release(&change->units);
	isx_pg_params_release(&change->replaced);
	isx_pg_params_release(&change->simprints);
	isx_arena_release(&change->arena);
}

/* --- applying --------------------------------------------------------------------------------- */

/* Set $1, the number of the index, which is known only after its row was locked. */
static void set_index(struct isx_pg_params *params, int64_t index_id)
{
	if (params->count)
		isx_store_be64(params->bytes.ptr + params->starts[0], (uint64_t)index_id);
}

/* For isx_array_lower_bound(): the batch is sorted by this. */
static uint64_t id_in_batch(const void *batch, size_t i)
{
	return ((const struct isx_batch_asset *)batch)[i].id.body;
}

/* Set the outcomes by what the server says of each row. Of several entries with one ISCC-ID the
 * first may have created the asset, the others update it. */
static void read_outcomes(struct pg_change *change, const PGresult *rows, struct isx_pg_head *head)
{
	for (int row = 0; row < PQntuples(rows); row++) {
		uint64_t id = isx_load_be64(isx_pg_field(rows, row, 0).ptr);
		bool existed = isx_pg_bool(rows, row, 1);
		size_t i = isx_array_lower_bound(change->batch, change->count, id, id_in_batch);
		head->assets += !existed;
		for (bool first = true; i < change->count && change->batch[i].id.body == id;
		     i++, first = false)
			change->outcomes[change->batch[i].position] = existed || !first
									      ? ISX_UPDATED
									      : ISX_CREATED;
	}
}

/* Add a batch: one pipeline. Rows that an earlier version of the asset had are removed first. */
static enum isx_status apply_add(struct isx_pg_conn *conn, struct pg_change *change,
				 struct isx_pg_head *head, struct isx_err *err)
{
	PGresult *results[ISX_PG_STEPS_MAX] = { NULL };
	const struct isx_pg_step steps[] = { { ISX_PG_ASSETS_PUT, &change->rows },
					     { ISX_PG_UNITS_DELETE, &change->ids },
					     { ISX_PG_UNITS_PUT, &change->units },
					     { ISX_PG_SIMPRINTS_REPLACE, &change->replaced },
					     { ISX_PG_SIMPRINTS_PUT, &change->simprints } };
	size_t count = change->has_simprints ? 5 : 3;
	enum isx_status st = isx_pg_run_steps(conn, steps, count, results, err);
	if (!st) {
		read_outcomes(change, results[0], head);
		head->has_realm = true;
		head->realm = change->batch[0].id.realm;
	}
	isx_pg_clear(results, count);
	return st;
}

/* Remove assets and their rows: one pipeline. Of several entries with one ISCC-ID the first has
 * removed the asset.
 *   found  filled: whether any was there */
static enum isx_status apply_remove(struct isx_pg_conn *conn, struct pg_change *change,
				    struct isx_pg_head *head, bool *found, struct isx_err *err)
{
	PGresult *results[ISX_PG_STEPS_MAX] = { NULL };
	const struct isx_pg_step steps[] = { { ISX_PG_ASSETS_DELETE, &change->ids },
					     { ISX_PG_UNITS_DELETE, &change->ids },
					     { ISX_PG_SIMPRINTS_DELETE, &change->ids } };
	enum isx_status st = isx_pg_run_steps(conn, steps, 3, results, err);
	int rows = st ? 0 : PQntuples(results[0]);
	for (int row = 0; row < rows; row++) {
		uint64_t id = isx_load_be64(isx_pg_field(results[0], row, 0).ptr);
		size_t i = isx_array_lower_bound(change->batch, change->count, id, id_in_batch);
		if (i < change->count && change->batch[i].id.body == id)
			change->removed[change->batch[i].position] = true;
	}
	*found = rows > 0;
	head->assets -= rows;
	isx_pg_clear(results, 3);
	return st;
}

/* Is an asset there already that has to be new?
 *   found  filled: ISX_EXISTS, or left alone */
static enum isx_status find_existing(struct isx_pg_conn *conn, struct pg_change *change,
				     struct isx_err *found, struct isx_err *err)
{
	PGresult *rows = NULL;
	enum isx_status st = isx_pg_run(conn, ISX_PG_ASSETS_FIND, &change->fresh, &rows, err);
	if (!st && PQntuples(rows)) {
		uint64_t id = isx_load_be64(isx_pg_field(rows, 0, 0).ptr);
		size_t at = isx_array_lower_bound(change->batch, change->count, id, id_in_batch);
		isx_batch_fail_exists(change->assets, change->batch, change->count,
				      at < change->count ? at : 0, found);
	}
	PQclear(rows);
	return st;
}

/* Set the metadata of an asset; its rows do not depend on them.
 *   found  filled: whether it was there */
static enum isx_status apply_metadata(struct isx_pg_conn *conn, struct pg_change *change,
				      bool *found, struct isx_err *err)
{
	PGresult *rows = NULL;
	enum isx_status st = isx_pg_run(conn, ISX_PG_METADATA_PUT, &change->rows, &rows, err);
	*found = !st && PQntuples(rows) == 1;
	PQclear(rows);
	return st;
}

/* Check that all ISCC-IDs of a request are of the realm of the index. */
static enum isx_status check_realms(const struct pg_change *change, const struct isx_pg_head *head,
				    struct isx_err *err)
{
	for (size_t i = 0; i < change->count; i++) {
		size_t position = change->batch[i].position;
		enum isx_status st = isx_pg_check_realm(head, change->iscc_ids[position],
							change->batch[i].id.realm, err);
		if (st)
			return isx_batch_err_at(err, st, change->count, position);
	}
	return ISX_OK;
}

/* Make one change in the open transaction. A request that does not fit the index gets a status
 * of its own and changes nothing, so that the others of the group go on; an error of a statement
 * fails them all.
 *   made  filled: false when nothing was changed */
static enum isx_status apply_change(struct isx_pg_conn *conn, struct pg_change *change,
				    struct isx_pg_head *head, bool *made, struct isx_err *err)
{
	struct isx_commit *own = &change->commit;
	*made = false;
	if (change->count == 0)
		return ISX_OK; /* an empty batch only needs the index to exist */
	if (!change->iscc_ids)
		own->status = isx_batch_check_realm(change->assets, change->batch, change->count,
						    head->has_realm, head->realm, &own->err);
	else
		own->status = check_realms(change, head, &own->err);
	if (own->status)
		return ISX_OK;
	struct isx_pg_params *all[] = { &change->ids,   &change->fresh,    &change->rows,
					&change->units, &change->replaced, &change->simprints };
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		set_index(all[i], head->index_id);
	enum isx_status st;
	if (!change->iscc_ids) {
		st = change->fresh.count ? find_existing(conn, change, &own->err, err) : ISX_OK;
		if (!st)
			own->status = own->err.status;
		if (st || own->status)
			return st;
		st = apply_add(conn, change, head, err);
		*made = !st;
	} else if (change->removed) {
		memset(change->removed, 0, change->count * sizeof *change->removed);
		st = apply_remove(conn, change, head, made, err);
	} else {
		st = apply_metadata(conn, change, made, err);
		if (!st && !*made)
			own->status = isx_fail(&own->err, ISX_NOT_FOUND,
					       "Asset '%s' not found in index",
					       change->iscc_ids[0]);
	}
	return st;
}

/* --- one transaction -------------------------------------------------------------------------- */

/* The changes of a group to one index, and what an attempt has done: isx_pg_do() may repeat
 * write_index() with the same struct. */
struct pg_write {
	struct isx_pg_store *store;
	const char *name;
	struct isx_commit *group;
	struct isx_commit *only;  /* of the group; NULL: all to the index */
	struct isx_pg_params ids; /* of ISX_PG_CHANGE_PUT */
	int64_t change_token;     /* of the change, chosen anew for each attempt */
	int64_t index_id;         /* where look_for_token() looks */
	int64_t change_seq;
	bool commit_sent;      /* in the attempt before: it may have been made */
	struct isx_pg_head to; /* the head that the changes moved the index to */
};

/* Log the change, advance the head and commit, in one round trip; now and then cut the log. */
static enum isx_status end_write(struct isx_pg_conn *conn, struct pg_write *write,
				 const struct isx_pg_head *head, struct isx_err *err)
{
	struct isx_pg_params advance = { 0 }, prune = { 0 };
	PGresult *results[ISX_PG_STEPS_MAX] = { NULL };
	isx_pg_add_i64(&advance, head->index_id);
	isx_pg_add_i64(&advance, head->change_seq);
	isx_pg_add_i64(&advance, write->change_token);
	isx_pg_add_i64(&advance, head->realm);
	isx_pg_add_i64(&advance, head->assets);
	isx_pg_add_i64(&advance, head->changed);
	isx_pg_add_i64(&prune, head->index_id);
	isx_pg_add_i64(&prune, head->changed - LOG_IDS_MAX);
	const bool prunes = head->change_seq % PRUNE_EVERY == 0;
	struct isx_pg_step steps[ISX_PG_STEPS_MAX] = { { ISX_PG_CHANGE_PUT, &write->ids },
						       { ISX_PG_INDEX_ADVANCE, &advance } };
	size_t count = 2;
	if (prunes)
		steps[count++] = (struct isx_pg_step){ ISX_PG_CHANGE_PRUNE, &prune };
	steps[count++] = (struct isx_pg_step){ ISX_PG_COMMIT, NULL };
	write->index_id = head->index_id;
	write->change_seq = head->change_seq;
	write->to = *head;
	write->to.change_token = write->change_token;
	enum isx_status st = isx_pg_run_steps(conn, steps, count, results, err);
	write->commit_sent =
		!st || conn->broken; /* else the server refused a statement, and nothing was made */
	conn->retryable |= st && write->commit_sent; /* repeat, to look for the token */
	isx_pg_clear(results, count);
	isx_pg_params_release(&advance);
	isx_pg_params_release(&prune);
	return st;
}

/* Was the change of the attempt before committed, on the connection that was lost? Called with
 * the row of the index locked: that transaction has ended, as it held the same lock. */
static enum isx_status look_for_token(struct isx_pg_conn *conn, struct pg_write *write, bool *found,
				      struct isx_err *err)
{
	struct isx_pg_params params = { 0 };
	PGresult *change = NULL;
	isx_pg_add_i64(&params, write->index_id);
	isx_pg_add_i64(&params, write->change_seq);
	isx_pg_add_i64(&params, write->change_token);
	enum isx_status st = isx_pg_run(conn, ISX_PG_CHANGE_FIND, &params, &change, err);
	*found = !st && PQntuples(change) == 1;
	PQclear(change);
	isx_pg_params_release(&params);
	return st;
}

/* Is a request of the group one that `write` writes? */
static bool is_written_here(const struct pg_write *write, const struct isx_commit *one)
{
	return write->only ? one == write->only
			   : strcmp(((const struct pg_change *)one)->name, write->name) == 0;
}

/* Apply the changes of the group, and compose the parameters of ISX_PG_CHANGE_PUT: index,
 * number, token, sum of changed assets (set at the end), ISCC-IDs.
 *   head     moved to what it is after the changes
 *   changes  filled: how many requests changed something */
static enum isx_status apply_group(struct isx_pg_conn *conn, struct pg_write *write,
				   struct isx_pg_head *head, size_t *changes, struct isx_err *err)
{
	enum isx_status st = ISX_OK;
	*changes = 0;
	isx_pg_params_release(&write->ids);
	isx_pg_add_i64(&write->ids, head->index_id);
	isx_pg_add_i64(&write->ids, head->change_seq + 1);
	isx_pg_add_i64(&write->ids, write->change_token);
	isx_pg_add_i64(&write->ids, 0);
	isx_pg_array_open(&write->ids, ISX_PG_BYTEA);
	for (struct isx_commit *one = write->group; one && !st; one = one->next) {
		struct pg_change *change = (struct pg_change *)one;
		bool made = false;
		if (is_written_here(write, one))
			st = apply_change(conn, change, head, &made, err);
		for (size_t i = 0; made && i < change->count; i++) {
			if (change->batch[i].superseded)
				continue;
			add_id(&write->ids, change->batch[i].id.body);
			head->changed++;
		}
		*changes += made;
	}
	isx_pg_array_close(&write->ids);
	if (!st)
		st = isx_buf_status(&write->ids.bytes, err);
	if (!st)
		isx_store_be64(write->ids.bytes.ptr + write->ids.starts[3],
			       (uint64_t)head->changed);
	head->change_seq++;
	return st;
}

/* Write the changes to one index in one transaction. When the attempt before was committed
 * although its connection was lost, there is nothing left to do. */
static enum isx_status write_index(struct isx_pg_conn *conn, void *arg, struct isx_err *err)
{
	struct pg_write *write = arg;
	struct isx_pg_head head;
	size_t changes = 0;
	bool found = false;
	enum isx_status st = isx_pg_begin_write(conn, write->name,
						write->store->engine.options.relaxed, &head, err);
	if (!st && write->commit_sent)
		st = look_for_token(conn, write, &found, err);
	if (!st && !found) {
		write->commit_sent = false;
		write->change_token = isx_pg_random();
		st = apply_group(conn, write, &head, &changes, err);
	}
	if (!st)
		st = changes ? end_write(conn, write, &head, err)
			     : isx_pg_run(conn, ISX_PG_COMMIT, NULL, NULL, err);
	if (!st && (changes || found))
		isx_pg_wrote(write->store, conn, &write->to);
	return st;
}

/* Write what `write` names, and set the statuses of its requests. False: nothing is written and
 * no status is set, as one request may be at fault; the caller writes each alone. */
static bool write_and_tell(struct pg_write *write)
{
	struct isx_err why = { 0 };
	enum isx_status st = isx_pg_do(write->store->pool, write_index, write, &why);
	/* The same would happen to each request alone; or the changes may have been made, and would be made
	 * again: an asset that was removed would not be found. */
	bool is_final = st == ISX_OK || st == ISX_NOT_FOUND || st == ISX_UNAVAILABLE ||
			write->commit_sent;
	if (st && write->commit_sent)
		isx_err_at(&why, st, "it is not known whether the change was made");
	isx_pg_params_release(&write->ids);
	if (!st || (!is_final && !write->only))
		return is_final;
	for (struct isx_commit *one = write->group; one; one = one->next) {
		if (is_written_here(write, one)) {
			one->status = st;
			one->err = why;
		}
	}
	return true;
}

/* Is `one` the first request of its group to its index? */
static bool is_first_of_index(const struct isx_commit *group, const struct isx_commit *one)
{
	const char *name = ((const struct pg_change *)one)->name;
	for (; group != one; group = group->next)
		if (strcmp(((const struct pg_change *)group)->name, name) == 0)
			return false;
	return true;
}

/* A queue serves several indexes; each is written in a transaction of its own. If one request
 * makes a transaction fail, each request of that index gets its own. */
enum isx_status isx_pg_write_group(void *arg, struct isx_commit *group, struct isx_err *err)
{
	/* Each request gets a status of its own, so the group as a whole never fails. */
	(void)err;
	for (struct isx_commit *one = group; one; one = one->next) {
		struct pg_write write = { .store = arg,
					  .group = group,
					  .name = ((struct pg_change *)one)->name };
		if (!is_first_of_index(group, one) || write_and_tell(&write))
			continue;
		for (struct isx_commit *each = one; each; each = each->next) {
			struct pg_write alone = {
				.store = arg, .group = each, .only = each, .name = write.name
			};
			if (is_written_here(&write, each))
				write_and_tell(&alone);
		}
	}
	return ISX_OK;
}

/* For isx_pg_do(): only whether the index exists. */
static enum isx_status find_index(struct isx_pg_conn *conn, void *arg, struct isx_err *err)
{
	struct isx_pg_head head;
	return isx_pg_head(conn, arg, &head, err);
}

/* A request is invalid: return that, unless the index does not exist, which is reported first as
 * by the other engines. */
static enum isx_status index_first(struct isx_pg_store *store, const char *name,
				   enum isx_status status, struct isx_err *err)
{
	struct isx_err why = { 0 };
	enum isx_status st = isx_pg_do(store->pool, find_index, (void *)(uintptr_t)name, &why);
	return st == ISX_NOT_FOUND ? isx_fail(err, st, "%s", why.msg) : status;
}

enum isx_status isx_pg_add(struct isx_engine *engine, const char *name,
			   const struct isx_asset *assets, size_t count, enum isx_outcome *outcomes,
			   struct isx_err *err)
{
	struct isx_pg_store *store = (struct isx_pg_store *)engine;
	struct pg_change change = {
		.name = name, .assets = assets, .count = count, .outcomes = outcomes
	};
	if (engine->options.read_only)
		return isx_fail(err, ISX_READ_ONLY, "the store was opened for reading only");
	enum isx_status st = prepare_add(&change, err);
	if (st == ISX_INVALID) /* found before any lock was taken */
		st = index_first(store, name, st, err);
	if (!st)
		st = isx_commit_queue_run(isx_pg_queue_of(store, name), &change.commit, err);
	release_change(&change);
	return st;
}

/* Run a change of assets that are there already.
 *   change  complete but for its batch and `ids` */
static enum isx_status run_change(struct isx_pg_store *store, struct pg_change *change,
				  struct isx_err *err)
{
	enum isx_status st = isx_batch_ids(change->iscc_ids, change->count, &change->arena,
					   &change->batch, err);
	if (store->engine.options.read_only)
		st = isx_fail(err, ISX_READ_ONLY, "the store was opened for reading only");
	if (st == ISX_INVALID)
		st = index_first(store, change->name, st, err);
	isx_pg_add_i64(&change->ids, 0);
	if (!st)
		add_ids(&change->ids, change);
	if (!st)
		st = isx_buf_status(&change->ids.bytes, err);
	if (!st)
		st = isx_commit_queue_run(isx_pg_queue_of(store, change->name), &change->commit,
					  err);
	release_change(change);
	return st;
}

enum isx_status isx_pg_remove(struct isx_engine *engine, const char *name,
			      const char *const *iscc_ids, size_t count, bool *removed,
			      struct isx_err *err)
{
	struct pg_change change = {
		.name = name, .iscc_ids = iscc_ids, .count = count, .removed = removed
	};
	return run_change((struct isx_pg_store *)engine, &change, err);
}

enum isx_status isx_pg_set_metadata(struct isx_engine *engine, const char *name,
				    const char *iscc_id, const char *metadata, struct isx_err *err)
{
	struct pg_change change = { .name = name, .iscc_ids = &iscc_id, .count = 1 };
	struct isx_iscc_id id = { 0 };
	uint8_t bytes[8];
	(void)!isx_iscc_id_parse(isx_span_of(iscc_id), &id, NULL); /* run_change() reports it */
	isx_store_be64(bytes, id.body);
	isx_pg_add_i64(&change.rows, 0);
	isx_pg_add_bytes(&change.rows, bytes, sizeof bytes);
	if (metadata)
		isx_pg_add_bytes(&change.rows, metadata, strlen(metadata));
	else
		isx_pg_add_null(&change.rows);
	enum isx_status st = isx_buf_status(&change.rows.bytes, err);
	if (!st)
		return run_change((struct isx_pg_store *)engine, &change, err);
	release_change(&change);
	return st;
}
