/*
 * pg_follower.c - loads followers and keeps them current. Of three cases the first that fits:
 *
 *   current    The position in the file is the head: one read of the file, nothing else.
 *   catch up   The position is a change in the database's log. In one snapshot of the database,
 *              the assets of the changes behind it are read, and replace those in the file in
 *              one transaction of the file.
 *   load       Otherwise, and after two failed attempts to catch up: a new file is filled by
 *              COPY. It gets its position with its last rows; until then no search uses it.
 *
 * The thread that updates a follower holds its lock (flock): one process does the work, and the
 * others find it done. A process that dies gives up the lock, and leaves the file as of its last
 * transaction. A search does small amounts of work itself (ASSETS_AT_ONCE, BLOCK_ASSETS); more is
 * left to the loader's thread (pg_loader.c), which also brings followers to what this host has
 * written, before a search needs them. The lock file has the progress of work that takes long.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "postgres/pg_follower.h"

#include "base/array.h"
#include "base/clock.h"
#include "base/log.h"
#include "engine/asset_units.h"
#include "engine/meter.h"
#include "iscc/iscc_id.h"
#include "postgres/pg_loader.h"
#include "postgres/pg_lock.h"
#include "postgres/pg_pool.h"
#include "similarity/sim_add.h"
#include "similarity/sim_calibrate.h"
#include "similarity/sim_rows.h"
#include "similarity/sim_tables.h"
#include "storage/lmdb_add.h"
#include "storage/lmdb_fields.h"
#include "storage/lmdb_verify.h"
#include "storage/lock_file.h"
#include "json/rules.h"
#include "json/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

/* change_seq, change_token and fields of struct isx_pg_head, i64 BE; absent while loading */
#define META_FOLLOWS "isx:follows"

enum {
	POSITION_BYTES = 24,
	BLOCK_ASSETS =
		20000, /* put into the file at once, and asked for in one step of catching up */
	BLOCK_SIMPRINTS = 200000, /* in one transaction of the file, while loading */
	CATCH_UPS_MAX = 2,        /* failed attempts at one position; then the follower is loaded */
	ASSETS_AT_ONCE = 2000,    /* largest index that a search loads in its own thread */
	WORK_STEPS = 16,          /* rows between two looks at the clock */
	SURE_MS = 2000,           /* an estimate counts once the speed was measured for so long */
	WAIT_MS = 30000,          /* longest wait for work that is not long */
	WAIT_STEP_MS = 10,        /* longest pause between two looks at a lock */
	DAMAGE_TOLD = 10          /* damaged rows that one load or catch-up names in the log */
};

/* All members are constant after isx_pg_followers_new(); the engine, the loader and the locks
 * have locks of their own. */
struct isx_pg_followers {
	struct isx_engine *engine;
	struct isx_options options;
	char *directory;
	struct isx_pg_pool *primary;
	struct isx_pg_loader *loader;
	struct isx_pg_locks locks;
};

static isx_pg_load_fn run_request;

enum isx_status isx_pg_followers_new(const char *directory, const struct isx_options *options,
				     struct isx_pg_pool *primary,
				     struct isx_pg_followers **followers, struct isx_err *err)
{
	struct isx_pg_followers *made = isx_mem_array(1, sizeof *made);
	if (!made)
		return isx_fail_memory(err);
	made->options = *options;
	/* A follower is this host's own copy: a store that only reads the database writes it,
	 * too. */
	made->options.read_only = false;
	made->options.relaxed = false; /* a crash must not leave wrong pages */
	made->primary = primary;
	made->directory = isx_mem_text(directory, strlen(directory));
	enum isx_status st = made->directory ? ISX_OK : isx_fail_memory(err);
	isx_pg_locks_init(&made->locks, made->directory);
	if (!st)
		st = isx_sim_open(directory, &made->options, &made->engine, err);
	if (!st)
		st = isx_pg_loader_new(run_request, made, &made->loader, err);
	if (st)
		isx_pg_followers_free(made);
	else
		*followers = made;
	return st;
}

void isx_pg_followers_free(struct isx_pg_followers *followers)
{
	if (!followers)
		return;
	isx_pg_loader_free(followers->loader); /* first: its thread uses the other members */
	if (followers->engine)
		followers->engine->ops->close(followers->engine);
	isx_pg_locks_release(&followers->locks);
	isx_mem_free(followers->directory);
	isx_mem_free(followers);
}

/* --- the position ----------------------------------------------------------------------------- */

struct position {
	bool known;
	int64_t change_seq;
	int64_t change_token;
	int64_t fields;  /* the declared fields whose values the file has, as a hash */
	int64_t changed; /* as in the log at this change; filled by begin_snapshot() */
};

static enum isx_status read_position(struct isx_lmdb_view *view, struct position *position,
				     struct isx_err *err)
{
	MDB_val key = isx_lmdb_val(META_FOLLOWS, strlen(META_FOLLOWS)), value;
	int rc = view->tables.metadata ? mdb_get(view->txn, view->tables.metadata, &key, &value)
				       : MDB_NOTFOUND;
	*position = (struct position){ 0 };
	/* Anything else is no position: the follower is loaded anew. */
	if (rc == 0 && value.mv_size == POSITION_BYTES) {
		position->change_seq = (int64_t)isx_load_be64(value.mv_data);
		position->change_token = (int64_t)isx_load_be64((const char *)value.mv_data + 8);
		position->fields = (int64_t)isx_load_be64((const char *)value.mv_data + 16);
		position->known = position->change_seq >= 0 &&
				  position->change_seq <= ISX_PG_COUNT_MAX;
	}
	return rc == MDB_NOTFOUND ? ISX_OK : isx_lmdb_status(rc, "read the position", err);
}

/* Store the position, and what belongs to the index and not to an asset: realm and counts. Last
 * in the transaction that makes it true. */
static enum isx_status put_position(struct isx_lmdb_view *view, const struct isx_pg_head *head,
				    struct isx_err *err)
{
	uint8_t bytes[POSITION_BYTES], realm[4];
	enum isx_status st = ISX_OK;
	isx_store_be64(bytes, (uint64_t)head->change_seq);
	isx_store_be64(bytes + 8, (uint64_t)head->change_token);
	isx_store_be64(bytes + 16, (uint64_t)head->fields);
	isx_store_be32(realm, head->realm);
	if (head->has_realm)
		st = isx_lmdb_put_meta(view, ISX_META_REALM, realm, sizeof realm, err);
	if (!st)
		st = isx_sim_put_statistics(view, err);
	return st ? st : isx_lmdb_put_meta(view, META_FOLLOWS, bytes, sizeof bytes, err);
}

/* Equal numbers are not enough: after a restore or a failover the database may have another
 * change with the same number, and then another token. */
static bool is_current(const struct position *position, const struct isx_pg_head *head)
{
	return position->known && position->change_seq == head->change_seq &&
	       position->change_token == head->change_token && position->fields == head->fields;
}

/* Read the position in a transaction of its own. */
static enum isx_status look_at_position(struct isx_pg_follower *follower, struct position *position,
					struct isx_err *err)
{
	struct isx_lmdb_view view;
	enum isx_status st = isx_lmdb_read(follower->file, ISX_PAGES_BRIEF, &view, err);
	if (st)
		return st;
	st = read_position(&view, position, err);
	isx_lmdb_end(&view);
	return st;
}

enum isx_status isx_pg_follower_change_seq(struct isx_pg_follower *follower, int64_t *change_seq,
					   struct isx_err *err)
{
	struct position position = { 0 };
	enum isx_status st = look_at_position(follower, &position, err);
	*change_seq = position.change_seq;
	return st;
}

/* --- work, and what is noted of it ------------------------------------------------------------ */

/* The work of one thread on a follower, while it holds the lock of the follower. */
struct work {
	struct isx_pg_followers *followers;
	struct isx_pg_follower *follower;
	struct isx_pg_conn *conn;
	struct isx_pg_head *head; /* borrowed; moved to the head in the snapshot */
	struct isx_lmdb_view view;
	struct isx_pg_progress progress;
	bool is_loader;           /* runs on the loader's thread, which may work for long */
	bool is_left;             /* the work was left to the loader */
	struct position position; /* of the file, read under the lock */
	unsigned steps;
	size_t damaged; /* rows that were left out */
};

/* Count a row that is left out, and log it if it is among the first ones. */
static void tell_damage(struct work *work, const struct isx_err *why)
{
	if (work->damaged++ < DAMAGE_TOLD)
		isx_log_to(&work->followers->options.logger, ISX_LOG_WARNING,
			   "follower %s leaves out a row: %s", work->follower->name, why->msg);
}

/* Called for each row: counts it, if it is one that `total` counts; every few rows updates the
 * progress, and on the loader's thread checks whether the loader ends. */
static enum isx_status step(struct work *work, bool counts, struct isx_err *err)
{
	work->progress.note.done += counts;
	if (work->steps++ % WORK_STEPS)
		return ISX_OK;
	isx_pg_progress_look(&work->progress);
	return work->is_loader ? isx_pg_loader_goes_on(work->followers->loader, err) : ISX_OK;
}

/* The cancel_check() of the loader's connection. Needed besides step(), as the server may sort for
 * long before the first row comes. */
static enum isx_status goes_on(void *arg, struct isx_err *err)
{
	struct work *work = arg;
	if (work->progress.lock >= 0)
		isx_pg_progress_look(&work->progress);
	return isx_pg_loader_goes_on(work->followers->loader, err);
}

/* --- putting ---------------------------------------------------------------------------------- */

/* Assets that were read and not yet put into the file; their strings are in the arena. */
struct block {
	struct isx_arena arena;
	struct isx_asset *assets;
	enum isx_outcome *outcomes;
	size_t count;
};

/* Add an asset to a block. One whose row is damaged is left out, so that searches find the
 * others. */
static enum isx_status add_to_block(struct work *work, struct block *block, struct isx_span id,
				    struct isx_span codes, struct isx_span metadata,
				    struct isx_err *err)
{
	struct isx_err why = { 0 };
	if (!block->assets) {
		block->assets = isx_arena_alloc(&block->arena, BLOCK_ASSETS, sizeof *block->assets);
		block->outcomes = isx_arena_alloc(&block->arena, BLOCK_ASSETS,
						  sizeof *block->outcomes);
		if (!block->assets || !block->outcomes)
			return isx_fail_memory(err);
	}
	enum isx_status st = id.len == ISX_KEY_BYTES
				     ? isx_pg_read_asset(work->head, isx_load_be64(id.ptr), codes,
							 metadata, &block->arena,
							 &block->assets[block->count], &why)
				     : isx_fail(&why, ISX_CORRUPT,
						"table asset: an iscc_id has %zu bytes", id.len);
	if (!st)
		block->count++;
	else if (st == ISX_CORRUPT)
		tell_damage(work, &why);
	return st == ISX_CORRUPT ? ISX_OK : st ? isx_fail(err, st, "%s", why.msg) : ISX_OK;
}

/* A block that is used again gets new arrays with its first asset (add_to_block()). */
static void release_block(struct block *block)
{
	isx_arena_release(&block->arena);
	*block = (struct block){ 0 };
}

/* Remove the assets whose units cannot be decoded from a block. This program checks that before
 * it adds an asset, so such rows were changed in the database. */
static enum isx_status drop_undecodable(struct work *work, struct block *block, struct isx_err *err)
{
	size_t kept = 0;
	for (size_t i = 0; i < block->count; i++) {
		struct isx_indexed_unit *units;
		struct isx_err why = { 0 };
		size_t count;
		enum isx_status st = isx_asset_units(&block->assets[i], &block->arena, &units,
						     &count, &why);
		if (!st) {
			block->assets[kept++] = block->assets[i];
		} else if (st == ISX_INVALID) {
			isx_err_at(&why, st, "asset %s", block->assets[i].iscc_id);
			tell_damage(work, &why);
		} else {
			return isx_fail(err, st, "%s", why.msg);
		}
	}
	block->count = kept;
	return ISX_OK;
}

/* Put a block into the file, and empty it. An asset that is refused fails the whole block before
 * anything is put; only then each asset is checked on its own. */
static enum isx_status put_block(struct work *work, struct block *block, struct isx_err *err)
{
	enum isx_status st = ISX_OK;
	if (block->count)
		st = isx_lmdb_put_assets(&work->view, block->assets, block->count, block->outcomes,
					 err);
	if (st == ISX_INVALID) { /* nothing was put */
		st = drop_undecodable(work, block, err);
		if (!st && block->count)
			st = isx_lmdb_put_assets(&work->view, block->assets, block->count,
						 block->outcomes, err);
	}
	release_block(block);
	return st;
}

/* Simprints of one type and asset that were read and not yet put into the file. */
struct simprints {
	struct isx_arena arena;
	struct isx_indexed_simprint *items;
	size_t count;
	size_t cap;
	uint64_t id;
	char type[ISX_SIMPRINT_TYPE_MAX + 1];
};

/* Put the simprints collected so far, and empty the list; its memory is used again. */
static enum isx_status put_simprints(struct simprints *all, struct isx_lmdb_view *view,
				     struct isx_err *err)
{
	enum isx_status st = ISX_OK;
	if (all->count)
		st = isx_simprints_put(view, all->id, all->items, all->count, &all->arena, err);
	isx_arena_release(&all->arena);
	all->count = 0;
	return st;
}

/* Drops simprints that were not put: after a failure the file keeps no position, or its old
 * one. */
static void release_simprints(struct simprints *all)
{
	isx_arena_release(&all->arena);
	isx_mem_free(all->items);
}

/* A row of table simprint: its fields in binary form. */
struct simprint_row {
	struct isx_span iscc_id, type, start, size, bits;
};

/* Read a varbit of whole bytes: a 32-bit count of bits, and the bits. */
static bool read_bits(struct isx_span bits, struct isx_indexed_simprint *simprint)
{
	if (bits.len < 4)
		return false;
	simprint->byte_count = isx_load_be32(bits.ptr) / 8;
	if (simprint->byte_count > ISX_SIMPRINT_BYTES_MAX || simprint->byte_count != bits.len - 4)
		return false;
	memcpy(simprint->bytes, bits.ptr + 4, simprint->byte_count);
	return true;
}

/* Read the start or the size of a passage: a bigint that fits 32 bits. */
static bool read_extent(struct isx_span field, uint32_t *extent)
{
	uint64_t value = field.len == 8 ? isx_load_be64(field.ptr) : UINT64_MAX;
	*extent = (uint32_t)value;
	return value <= UINT32_MAX;
}

/* Take one row. Rows are sorted by asset and type, so that a row of another asset or type means
 * that the simprints collected so far are complete. A damaged row is left out. */
static enum isx_status take_simprint(struct work *work, struct simprints *all,
				     const struct simprint_row *row, struct isx_err *err)
{
	struct isx_indexed_simprint one = { 0 };
	if (row->iscc_id.len != ISX_KEY_BYTES || !read_extent(row->start, &one.offset) ||
	    !read_extent(row->size, &one.size) || !read_bits(row->bits, &one)) {
		struct isx_err why = { 0 };
		(void)isx_pg_fail_row(work->conn, "simprint", &why);
		work->conn->failed = false; /* one row is no failure of the database */
		tell_damage(work, &why);
		return ISX_OK;
	}
	if (!isx_is_simprint_type(row->type))
		return ISX_OK; /* not put: an earlier version accepted such names */
	uint64_t id = isx_load_be64(row->iscc_id.ptr);
	if (all->count && (id != all->id || !isx_span_is(row->type, all->type))) {
		enum isx_status st = put_simprints(all, &work->view, err);
		if (st)
			return st;
	}
	enum isx_status st = isx_array_room(&all->items, &all->cap, all->count + 1,
					    sizeof *all->items, NULL, err);
	if (st)
		return st;
	all->id = id;
	memcpy(all->type, row->type.ptr, row->type.len);
	all->type[row->type.len] = '\0';
	one.type = all->type;
	all->items[all->count++] = one;
	return ISX_OK;
}

/* --- loading ---------------------------------------------------------------------------------- */

/* Commit what a load has put so far, and begin the next transaction: LMDB keeps the changed
 * pages of a transaction in memory. The file has no position yet, so no search uses it. */
static enum isx_status commit_part(struct work *work, struct isx_err *err)
{
	enum isx_status st = isx_lmdb_commit(&work->view, err);
	return st ? st : isx_lmdb_write(work->follower->file, &work->view, err);
}

/* Copy the table of assets. The number of the index is part of the text, as COPY takes no
 * parameters. */
static enum isx_status load_assets(struct work *work, struct isx_err *err)
{
	char sql[200];
	struct block block = { 0 };
	struct isx_pg_row row;
	bool more = true;
	snprintf(sql, sizeof sql,
		 "COPY (SELECT iscc_id, codes, %s FROM @.asset WHERE index_id = %lld"
		 " ORDER BY iscc_id) TO STDOUT (FORMAT binary)",
		 work->head->fields ? "metadata" : "NULL::json", (long long)work->head->index_id);
	enum isx_status st = isx_pg_copy_begin(work->conn, sql, err);
	while (!st && !(st = isx_pg_copy_row(work->conn, 3, &row, &more, err)) && more) {
		st = add_to_block(work, &block, row.fields[0], row.fields[1], row.fields[2], err);
		PQfreemem(row.memory);
		if (!st)
			st = step(work, true, err);
		if (st || block.count < BLOCK_ASSETS)
			continue;
		st = put_block(work, &block, err);
		if (!st)
			st = commit_part(work, err);
	}
	if (!st)
		st = put_block(work, &block, err);
	release_block(&block);
	return st;
}

/* Copy the table of simprints, committing every BLOCK_SIMPRINTS rows. */
static enum isx_status load_simprints(struct work *work, struct isx_err *err)
{
	char sql[240];
	struct simprints all = { 0 };
	struct isx_pg_row row;
	bool more = true;
	size_t taken = 0;
	snprintf(sql, sizeof sql,
		 "COPY (SELECT iscc_id, type, start, size, simprint FROM @.simprint"
		 " WHERE index_id = %lld ORDER BY iscc_id, type, position)"
		 " TO STDOUT (FORMAT binary)",
		 (long long)work->head->index_id);
	enum isx_status st = isx_pg_copy_begin(work->conn, sql, err);
	while (!st && !(st = isx_pg_copy_row(work->conn, 5, &row, &more, err)) && more) {
		const struct simprint_row fields = { row.fields[0], row.fields[1], row.fields[2],
						     row.fields[3], row.fields[4] };
		st = take_simprint(work, &all, &fields, err);
		PQfreemem(row.memory);
		if (!st)
			st = step(work, true, err);
		/* The simprints that are still being collected are put in a later transaction. */
		if (!st && ++taken % BLOCK_SIMPRINTS == 0)
			st = commit_part(work, err);
	}
	if (!st)
		st = put_simprints(&all, &work->view, err);
	release_simprints(&all);
	return st;
}

/* Set the number of rows to load, for the progress only. Counting all simprints would read them
 * all: with more than ISX_PG_SAMPLE_ROWS, the simprints per asset of that sample count for all
 * assets. */
static enum isx_status count_rows(struct work *work, struct isx_err *err)
{
	struct isx_pg_params params = { 0 };
	PGresult *rows = NULL;
	int64_t simprints, assets;
	isx_pg_add_i64(&params, work->head->index_id);
	enum isx_status st = isx_pg_run(work->conn, ISX_PG_SIMPRINTS_SAMPLE, &params, &rows, err);
	work->progress.note.done = 0;
	work->progress.note.total = (uint64_t)work->head->assets;
	if (!st && isx_pg_count(rows, 0, 0, &simprints) && isx_pg_count(rows, 0, 1, &assets) &&
	    assets > 0)
		work->progress.note.total += simprints < ISX_PG_SAMPLE_ROWS
						     ? (uint64_t)simprints
						     : (uint64_t)((double)work->head->assets *
								  (double)simprints /
								  (double)assets);
	PQclear(rows);
	isx_pg_params_release(&params);
	return st;
}

/* Declare the fields of the index in an empty file: its table then gets the values of the assets that
 * are put. */
static enum isx_status declare_fields(struct work *work, struct isx_err *err)
{
	struct isx_arena arena = { 0 };
	struct isx_lmdb_fields fields = { 0 };
	enum isx_status st = work->head->fields ? isx_pg_fields_of(work->conn, work->head, &arena,
								   &fields, err)
						: ISX_OK;
	if (!st && fields.count)
		st = isx_lmdb_fields_put(&work->view, fields.pointers, fields.count, err);
	isx_arena_release(&arena);
	return st;
}

/* Fill an empty file, from the snapshot that begin_snapshot() has begun. */
static enum isx_status load(struct work *work, struct isx_err *err)
{
	struct isx_pg_follower *follower = work->follower;
	isx_pg_use_long_timeout(work->conn); /* the server sorts before it sends */
	isx_log_to(&work->followers->options.logger, ISX_LOG_INFO,
		   "loading follower %s: %lld assets", follower->name,
		   (long long)work->head->assets);
	enum isx_status st = count_rows(work, err);
	if (!st)
		st = isx_lmdb_write(follower->file, &work->view, err);
	if (!st)
		st = declare_fields(work, err);
	if (!st)
		st = load_assets(work, err);
	if (!st)
		st = load_simprints(work, err);
	if (!st)
		st = put_position(&work->view, work->head, err);
	if (!st)
		st = isx_lmdb_commit(&work->view, err);
	isx_lmdb_end(&work->view);
	return st;
}

/* --- catching up ------------------------------------------------------------------------------ */

/* Why the log cannot bring a follower from its position to the head; NULL if it can.
 *   log  the result of ISX_PG_CHANGE_REACHES for the position */
static const char *find_flaw(const struct isx_pg_head *head, const struct position *position,
			     const PGresult *log)
{
	int64_t changed;
	if (position->fields != head->fields)
		return "the index declares other fields";
	if (position->change_seq > head->change_seq)
		return "it is ahead of the database, which was restored or has failed over";
	if (PQgetisnull(log, 0, 0))
		return "the log no longer reaches back to it";
	if (isx_pg_i64(log, 0, 0) != position->change_token ||
	    (position->change_seq == head->change_seq &&
	     position->change_token != head->change_token))
		return "its history has diverged from that of the database";
	if (isx_pg_i64(log, 0, 2) != head->change_seq - position->change_seq + 1)
		return "the log has a gap";
	if (!isx_pg_count(log, 0, 1, &changed) || changed > head->changed)
		return "the log counts more changed assets than there were";
	return NULL;
}

/* Remove an asset with all of its rows. Those of declared fields follow from what is stored of it. */
static enum isx_status remove_asset(struct work *work, struct isx_field_change *fields,
				    uint64_t number, struct isx_err *err)
{
	const struct isx_iscc_id id = { .body = number, .version = 1 };
	enum isx_status st = ISX_OK;
	MDB_val json;
	if (fields->fields.count && !isx_sim_get(&work->view, NULL, &id, &json))
		st = isx_field_change_asset(fields, number, isx_lmdb_span(json),
					    (struct isx_span){ 0 }, err);
	return st ? st : isx_sim_remove_asset(&work->view, number, err);
}

/* Replace the assets of a range of changes: remove each, and put it again if it still exists. */
static enum isx_status replace_assets(struct work *work, const struct isx_pg_params *range,
				      struct isx_err *err)
{
	struct block block = { 0 };
	struct isx_field_change fields;
	PGresult *row = NULL;
	enum isx_status st = isx_field_change_begin(&fields, &work->view, err);
	if (!st)
		st = isx_pg_rows_begin(work->conn, ISX_PG_CHANGED_ASSETS, range, err);
	while (!st && !(st = isx_pg_rows_next(work->conn, &row, err)) && row) {
		struct isx_span id = isx_pg_field(row, 0, 0);
		if (id.len != ISX_KEY_BYTES)
			st = isx_pg_fail_row(work->conn, "change", err);
		if (!st)
			st = remove_asset(work, &fields, isx_load_be64(id.ptr), err);
		if (!st && !PQgetisnull(row, 0, 1))
			st = add_to_block(work, &block, id, isx_pg_field(row, 0, 1),
					  isx_pg_field(row, 0, 2), err);
		if (!st && block.count == BLOCK_ASSETS)
			st = put_block(work, &block, err);
		PQclear(row);
		if (!st)
			st = step(work, true, err);
	}
	st = isx_field_change_end(&fields, st, err);
	if (!st)
		st = put_block(work, &block, err);
	release_block(&block);
	return st;
}

/* Put the simprints of the same assets; removing an asset has removed its old ones. They do not
 * count as progress: the log does not say how many there are. */
static enum isx_status replace_simprints(struct work *work, const struct isx_pg_params *range,
					 struct isx_err *err)
{
	struct simprints all = { 0 };
	PGresult *row = NULL;
	enum isx_status st = isx_pg_rows_begin(work->conn, ISX_PG_CHANGED_SIMPRINTS, range, err);
	while (!st && !(st = isx_pg_rows_next(work->conn, &row, err)) && row) {
		const struct simprint_row fields = {
			isx_pg_field(row, 0, 0), isx_pg_field(row, 0, 1), isx_pg_field(row, 0, 2),
			isx_pg_field(row, 0, 3), isx_pg_field(row, 0, 4)
		};
		st = take_simprint(work, &all, &fields, err);
		PQclear(row);
		if (!st)
			st = step(work, false, err);
	}
	if (!st)
		st = put_simprints(&all, &work->view, err);
	release_simprints(&all);
	return st;
}

/* Choose the end of one step: the last change up to which no more than BLOCK_ASSETS assets were
 * changed, or the next change, whatever its size.
 *   to  filled: change_seq and changed */
static enum isx_status plan_step(struct isx_pg_conn *conn, const struct isx_pg_head *head,
				 const struct position *from, struct position *to,
				 struct isx_err *err)
{
	struct isx_pg_params params = { 0 };
	PGresult *step = NULL;
	isx_pg_add_i64(&params, head->index_id);
	isx_pg_add_i64(&params, from->change_seq);
	isx_pg_add_i64(&params, head->change_seq);
	isx_pg_add_i64(&params, from->changed + BLOCK_ASSETS);
	enum isx_status st = isx_pg_run(conn, ISX_PG_CHANGE_STEP, &params, &step, err);
	if (!st && PQntuples(step) != 1)
		st = isx_fail(err, ISX_CORRUPT, "the log has no change behind %lld",
			      (long long)from->change_seq);
	if (!st)
		*to = (struct position){ .change_seq = isx_pg_i64(step, 0, 0) };
	if (!st && !isx_pg_count(step, 0, 1, &to->changed))
		to->changed = from->changed; /* harmless: it only sets the size of the next step */
	PQclear(step);
	isx_pg_params_release(&params);
	return st;
}

/* Replace what changed behind `from`, up to and with `to`. Rows are read one by one, as one
 * change may have millions of them. */
static enum isx_status take_step(struct work *work, const struct position *from,
				 const struct position *to, struct isx_err *err)
{
	struct isx_pg_params range = { 0 };
	isx_pg_add_i64(&range, work->head->index_id);
	isx_pg_add_i64(&range, from->change_seq);
	isx_pg_add_i64(&range, to->change_seq);
	struct isx_pg_params with_fields = { 0 };
	isx_pg_add_i64(&with_fields, work->head->index_id);
	isx_pg_add_i64(&with_fields, from->change_seq);
	isx_pg_add_i64(&with_fields, to->change_seq);
	isx_pg_add_i64(&with_fields, work->head->fields != 0);
	enum isx_status st = isx_buf_status(&range.bytes, err);
	if (!st)
		st = isx_buf_status(&with_fields.bytes, err);
	if (!st)
		st = replace_assets(work, &with_fields, err);
	if (!st)
		st = replace_simprints(work, &range, err);
	isx_pg_params_release(&with_fields);
	isx_pg_params_release(&range);
	return st;
}

/* Bring the file from a position in the log to the head: in one transaction of the file, so that
 * no search sees half of a change, and in steps, so that none holds more than a block in memory.
 * The attempt is counted as failed beforehand, so that it counts also if this process dies in
 * it. */
static enum isx_status catch_up(struct work *work, struct position position, struct isx_err *err)
{
	const struct isx_pg_head *head = work->head;
	isx_pg_use_long_timeout(work->conn);
	work->progress.note.change_seq = position.change_seq;
	work->progress.note.failed++;
	work->progress.note.total = (uint64_t)(head->changed - position.changed);
	isx_pg_progress_note(&work->progress);
	enum isx_status st = isx_lmdb_write(work->follower->file, &work->view, err);
	while (!st && position.change_seq < head->change_seq) {
		struct position next = { 0 };
		st = plan_step(work->conn, head, &position, &next, err);
		if (!st)
			st = take_step(work, &position, &next, err);
		position = next;
	}
	if (!st)
		st = put_position(&work->view, head, err);
	if (!st)
		st = isx_lmdb_commit(&work->view, err);
	isx_lmdb_end(&work->view);
	/* That this program stops says nothing against the follower: after two stops in a long
	 * catch-up a large index would be loaded again for nothing. */
	if (st == ISX_UNAVAILABLE && !work->conn->failed)
		work->progress.note.failed--;
	return st;
}

/* --- one at a time ---------------------------------------------------------------------------- */

/* Create the directory of the followers again, after another program has removed it: opening a
 * store there does that. */
static enum isx_status make_directory(const struct isx_pg_followers *followers, struct isx_err *err)
{
	struct isx_engine *store;
	enum isx_status st = isx_sim_open(followers->directory, &followers->options, &store, err);
	if (!st)
		store->ops->close(store);
	return st;
}

/* As isx_pg_lock_take(), but creates the directory when it is missing. */
static enum isx_status lock_follower(struct isx_pg_followers *followers, const char *name, int how,
				     int *lock, struct isx_pg_note *note, struct isx_err *err)
{
	enum isx_status st = isx_pg_lock_take(&followers->locks, name, how, lock, note, err);
	if (st == ISX_NOT_FOUND)
		st = make_directory(followers, err);
	else
		return st;
	return st ? st : isx_pg_lock_take(&followers->locks, name, how, lock, note, err);
}

void isx_pg_follower_release(struct isx_pg_follower *follower)
{
	if (follower->index)
		isx_lmdb_store_release(follower->engine, follower->index);
	follower->index = NULL;
}

/* Begin to use the file of a follower. ISX_CORRUPT: the part of it that `extent` names is
 * damaged. */
static enum isx_status acquire(struct isx_pg_follower *follower, enum isx_pages_extent extent,
			       struct isx_err *err)
{
	enum isx_status st = isx_lmdb_store_acquire(follower->engine, follower->name,
						    &follower->index, &follower->file, err);
	if (st)
		return st;
	st = isx_lmdb_verify(follower->file, extent, false, err);
	if (st)
		isx_pg_follower_release(follower);
	return st;
}

/* Remove the folder of a follower whose file another program has removed: the store cannot, as
 * it sees no index there. */
static void remove_folder(const struct isx_pg_followers *followers, const char *name)
{
	char path[PATH_MAX];
	if (snprintf(path, sizeof path, "%s/%s/index.lmdb", followers->directory, name) < PATH_MAX)
		isx_lock_file_remove(path);
	if (snprintf(path, sizeof path, "%s/%s", followers->directory, name) < PATH_MAX)
		rmdir(path);
}

/* Replace the file of a follower by a new, empty one, and begin to use it. */
static enum isx_status start_anew(const struct isx_pg_followers *followers,
				  struct isx_pg_follower *follower, struct isx_err *err)
{
	const struct isx_engine_ops *ops = follower->engine->ops;
	isx_pg_follower_release(follower);
	enum isx_status st = ops->drop(follower->engine, follower->name, err);
	if (st == ISX_NOT_FOUND)
		remove_folder(followers, follower->name);
	if (!st || st == ISX_NOT_FOUND)
		st = ops->create(follower->engine, follower->name, err);
	if (!st && acquire(follower, ISX_PAGES_SAFE, err)) /* ISX_NOT_FOUND would mean the index */
		st = isx_fail(err, ISX_UNAVAILABLE, "the new file was removed at once");
	return st;
}

/* Load a follower into a new file. */
static enum isx_status load_anew(struct work *work, struct isx_err *err)
{
	struct isx_pg_follower *follower = work->follower;
	enum isx_status st = start_anew(work->followers, follower, err);
	if (!st)
		st = load(work, err);
	if (st) { /* a part of a follower is of no use, and takes room on a disk that may be full */
		isx_pg_follower_release(follower);
		(void)!follower->engine->ops->drop(follower->engine, follower->name, NULL);
	}
	return st;
}

/* Leave the work to the loader if it is too much for a search; on the loader's thread, mark it
 * as long. */
static enum isx_status leave_if_large(struct work *work, bool is_large, struct isx_err *err)
{
	const struct isx_pg_load_request request = { .pool = work->conn->pool,
						     .head = *work->head };
	work->is_left = is_large && !work->is_loader;
	if (work->is_left)
		return isx_pg_loader_request(work->followers->loader, &request, err);
	if (is_large)
		isx_pg_progress_long(&work->progress);
	return ISX_OK;
}

/* Begin a snapshot of the database and read, in the same round trip, the head of the index and what
 * the log says of the follower's position. The index is selected by its number: one that was
 * deleted and created again under its name is another one. When the connection is closed, the server
 * cancels a statement that is running: it may sort a whole index, and the next attempt sorts it again.
 *   flaw  filled: why the log cannot bring the follower to the head; NULL if it can. Unchanged
 *         when the follower has no position */
static enum isx_status begin_snapshot(struct work *work, const char **flaw, struct isx_err *err)
{
	struct isx_pg_params index = { 0 }, position = { 0 };
	PGresult *results[4] = { NULL };
	const struct isx_pg_step steps[] = { { ISX_PG_BEGIN_SNAPSHOT, NULL },
					     { ISX_PG_WATCH_CLIENT, NULL },
					     { ISX_PG_INDEX_BY_ID, &index },
					     { ISX_PG_CHANGE_REACHES, &position } };
	const struct isx_pg_head was = *work->head;
	isx_pg_add_i64(&index, work->head->index_id);
	isx_pg_add_i64(&position, work->head->index_id);
	isx_pg_add_i64(&position, work->position.change_seq);
	enum isx_status st = isx_pg_run_steps(work->conn, steps, work->position.known ? 4 : 3,
					      results, err);
	if (!st)
		st = isx_pg_read_head(results[2], NULL, work->head, err);
	work->conn->failed |= st == ISX_CORRUPT; /* the database is at fault, not the follower */
	work->head->is_replica &= work->conn->pool != work->followers->primary;
	memcpy(work->head->name, was.name, sizeof was.name);
	if (!st && work->position.known) {
		*flaw = find_flaw(work->head, &work->position, results[3]);
		work->position.changed = isx_pg_i64(results[3], 0, 1);
	}
	isx_pg_clear(results, 4);
	isx_pg_params_release(&index);
	isx_pg_params_release(&position);
	return st;
}

/* Bring the follower to the head, or leave that to the loader. Called with the lock of the
 * follower. */
static enum isx_status follow(struct work *work, struct isx_err *err)
{
	const char *flaw = NULL;
	struct position *position = &work->position;
	struct isx_pg_head *head = work->head;
	enum isx_status st = look_at_position(work->follower, position, err);
	if (!st)
		st = begin_snapshot(work, &flaw, err);
	if (st || is_current(position, head))
		return st;
	/* This host has followed the primary further than the replica has got. Loading the older
	 * state would be undone by the next search; the primary can answer. */
	if (position->known && head->is_replica && position->change_seq > head->change_seq)
		return isx_fail(err, ISX_UNAVAILABLE, "the replica is behind this host");
	/* Failures count at one position only: a follower that moves on makes progress. */
	if (work->progress.note.change_seq != position->change_seq)
		work->progress.note.failed = 0;
	if (position->known && !flaw && work->progress.note.failed >= CATCH_UPS_MAX)
		flaw = "it could not be brought up to date";
	bool is_loaded = !position->known || flaw;
	st = leave_if_large(work,
			    is_loaded ? head->assets > ASSETS_AT_ONCE
				      : head->changed - position->changed > BLOCK_ASSETS,
			    err);
	if (st || work->is_left)
		return st;
	if (flaw)
		isx_log_to(&work->followers->options.logger, ISX_LOG_WARNING,
			   "follower %s is loaded again: %s", work->follower->name, flaw);
	st = is_loaded ? load_anew(work, err) : catch_up(work, *position, err);
	if (!st)
		work->progress.note.failed = 0;
	return st;
}

/* Open the follower. One that is missing or damaged is replaced by an empty file. */
static enum isx_status open_follower(const struct isx_pg_followers *followers,
				     struct isx_pg_follower *follower, struct isx_err *err)
{
	enum isx_status st = acquire(follower, ISX_PAGES_SAFE, err);
	if (st == ISX_NOT_FOUND)
		return start_anew(followers, follower, err);
	if (st == ISX_CORRUPT) {
		isx_log_to(&followers->options.logger, ISX_LOG_WARNING,
			   "follower %s is damaged and is loaded again: %s", follower->name,
			   err->msg);
		return start_anew(followers, follower, err);
	}
	return st;
}

/* Take the lock of the follower and do the work. If another thread or process has the lock, the
 * follower is busy and nothing is done. The position is read again under the lock, as the holder
 * before may have done the work. */
static enum isx_status follow_locked(struct work *work, struct isx_err *err)
{
	struct isx_pg_follower *follower = work->follower;
	enum isx_status st = lock_follower(work->followers, follower->name, LOCK_EX,
					   &work->progress.lock, &work->progress.note, err);
	follower->busy = !st && work->progress.lock < 0;
	if (st || follower->busy)
		return st;
	isx_pg_progress_begin(&work->progress, work->head->name);
	isx_pg_follower_release(follower); /* the file may have been replaced */
	st = open_follower(work->followers, follower, err);
	if (!st)
		st = follow(work, err);
	if (work->damaged)
		isx_log_to(&work->followers->options.logger, ISX_LOG_WARNING,
			   "follower %s leaves out %zu rows that are damaged", work->follower->name,
			   work->damaged);
	if (!st)
		st = isx_pg_run(work->conn, ISX_PG_COMMIT, NULL, NULL, err);
	follower->busy = work->is_left;
	isx_pg_progress_end(&work->progress);
	return st;
}

/* By the generation of the index: one that was deleted and created again must not find the old
 * file. */
static void follower_name(int64_t generation, char name[24])
{
	snprintf(name, 24, "f%016llx", (unsigned long long)generation);
}

/* Does the list of indexes have one of this generation? */
static bool is_listed(const PGresult *indexes, int64_t generation)
{
	for (int i = 0; i < PQntuples(indexes); i++)
		if (isx_pg_i64(indexes, i, 2) == generation)
			return true;
	return false;
}

/* Remove the followers of indexes that other hosts have deleted. The files are listed before the
 * indexes: a follower is created after its index, so each file in the list has its index in the
 * later list. */
static enum isx_status sweep(struct isx_pg_conn *conn, void *arg, struct isx_err *err)
{
	struct isx_pg_followers *followers = arg;
	struct isx_index_info *infos = NULL;
	PGresult *indexes = NULL;
	size_t count = 0;
	/* The name of a file is the generation of its index: f and 16 hex digits. */
	enum isx_status st = followers->engine->ops->list(followers->engine, &infos, &count, err);
	if (st)
		return st;
	if (count)
		st = isx_pg_run(conn, ISX_PG_INDEX_NAMES, NULL, &indexes, err);
	for (size_t i = 0; !st && i < count; i++) {
		unsigned long long generation;
		if (sscanf(infos[i].name, "f%16llx", &generation) == 1 &&
		    !is_listed(indexes, (int64_t)generation))
			isx_pg_follower_drop(followers, (int64_t)generation);
	}
	PQclear(indexes);
	isx_index_list_free(infos, count);
	return st;
}

/* Was the failure caused by the follower, and not by the database or a lack of memory? */
static bool is_at_fault(const struct isx_pg_conn *conn, enum isx_status st)
{
	return st && !conn->failed && st != ISX_NOT_FOUND && st != ISX_UNAVAILABLE &&
	       st != ISX_NO_MEMORY;
}

/* Name the follower of an index; nothing is in use yet. */
static void begin_follow(const struct isx_pg_followers *followers, const struct isx_pg_head *head,
			 struct isx_pg_follower *follower)
{
	*follower = (struct isx_pg_follower){ .engine = followers->engine };
	follower_name(head->generation, follower->name);
}

/* A load request, and its outcome. */
struct long_work {
	struct isx_pg_followers *followers;
	struct isx_pg_head head;
	struct isx_pg_work *done;
};

static enum isx_status follow_for_long(struct isx_pg_conn *conn, void *arg, struct isx_err *err)
{
	struct long_work *of = arg;
	struct isx_pg_follower follower;
	struct work work = { .followers = of->followers,
			     .follower = &follower,
			     .conn = conn,
			     .head = &of->head,
			     .progress = { .lock = -1 },
			     .is_loader = true };
	conn->cancel_check = goes_on;
	/* cppcheck-suppress autoVariables ; isx_pg_give() forgets it */
	conn->cancel_arg = &work;
	begin_follow(of->followers, &of->head, &follower);
	enum isx_status st = follow_locked(&work, err);
	of->done->at_fault = is_at_fault(conn, st);
	of->done->was_busy = follower.busy;
	isx_pg_follower_release(&follower);
	return st;
}

/* Run a load request. Called on the loader's thread. Errors of background requests are logged
 * here, as no search gets them; a server that is away is expected, and logged for debugging
 * only. */
static enum isx_status run_request(void *arg, const struct isx_pg_load_request *request,
				   struct isx_pg_work *done, struct isx_err *err)
{
	struct isx_pg_followers *followers = arg;
	struct long_work work = { .followers = followers, .head = request->head, .done = done };
	if (request->sweeps)
		return isx_pg_do_probe(followers->primary, sweep, followers, err);
	enum isx_status st = isx_pg_do(request->pool, follow_for_long, &work, err);
	if (st && st != ISX_NOT_FOUND && request->is_background)
		isx_log_to(&followers->options.logger,
			   st == ISX_UNAVAILABLE ? ISX_LOG_DEBUG : ISX_LOG_WARNING,
			   "a follower could not be brought up to date: %s", err->msg);
	return st == ISX_NOT_FOUND ? ISX_OK : st; /* a search finds that itself */
}

void isx_pg_follow_later(struct isx_pg_followers *followers, struct isx_pg_pool *pool,
			 const struct isx_pg_head *head)
{
	const struct isx_pg_load_request request = { .pool = pool,
						     .head = *head,
						     .is_background = true };
	struct isx_err err;
	if (isx_pg_loader_request(followers->loader, &request, &err))
		isx_log_to(&followers->options.logger, ISX_LOG_DEBUG,
			   "the next search follows what was written: %s", err.msg);
}

/* Bring a follower to the head, which it has not reached. The error of a load that was left to
 * the loader is returned here, once; while the loader is at the index, the follower is busy. */
static enum isx_status make_current(struct isx_pg_followers *followers, struct isx_pg_conn *conn,
				    struct isx_pg_head *head, struct isx_pg_follower *follower,
				    struct isx_err *err)
{
	struct work work = {
		.followers = followers, .follower = follower, .conn = conn, .head = head
	};
	enum isx_status st = isx_pg_loader_failure(followers->loader, head->generation,
						   &follower->at_fault, err);
	if (st)
		return st;
	follower->busy = isx_pg_loader_is_at(followers->loader, head->generation);
	if (follower->busy)
		return ISX_OK;
	st = follow_locked(&work, err);
	follower->at_fault = is_at_fault(conn, st);
	return st;
}

enum isx_status isx_pg_follow(struct isx_pg_followers *followers, struct isx_pg_conn *conn,
			      struct isx_pg_head *head, struct isx_pg_follower *follower,
			      struct isx_err *err)
{
	const struct isx_pg_load_request cleaning = { .pool = followers->primary, .sweeps = true };
	struct isx_err why = { 0 };
	struct position position = { 0 };
	begin_follow(followers, head, follower);
	enum isx_status st = acquire(follower, ISX_PAGES_ROWS, &why);
	if (st == ISX_NOT_FOUND) /* a new follower: have old ones become useless? */
		(void)!isx_pg_loader_request(followers->loader, &cleaning, NULL);
	if (!st)
		st = look_at_position(follower, &position, &why);
	if (st || !is_current(&position, head))
		st = make_current(followers, conn, head, follower, &why);
	if (st || follower->busy)
		isx_pg_follower_release(follower);
	if (st && isx_fail(err, st, "%s", why.msg) != ISX_NOT_FOUND)
		isx_err_at(err, st, "follower %s", follower->name);
	return st;
}

enum isx_status isx_pg_follower_use(struct isx_pg_followers *followers, struct isx_pg_head *known,
				    struct isx_pg_follower *follower, bool *found,
				    struct isx_err *err)
{
	struct position position = { 0 };
	begin_follow(followers, known, follower);
	enum isx_status st = acquire(follower, ISX_PAGES_ROWS, err);
	if (!st)
		st = look_at_position(follower, &position, err);
	/* Ahead of *known is fine: the caller compares with the head that it reads afterwards. */
	*found = !st && position.known && position.change_seq >= known->change_seq &&
		 position.fields == known->fields;
	if (*found) {
		known->change_seq = position.change_seq;
		known->change_token = position.change_token;
	} else {
		isx_pg_follower_release(follower);
	}
	/* The caller goes on with isx_pg_follow(), which replaces a damaged follower. */
	return st == ISX_NOT_FOUND || st == ISX_CORRUPT ? ISX_OK : st;
}

/* Is a follower being updated, or is that queued with the loader? While it is queued the note
 * has no progress.
 *   busy, note  filled */
static enum isx_status look_at_work(struct isx_pg_followers *followers, int64_t generation,
				    bool *busy, struct isx_pg_note *note, struct isx_err *err)
{
	char name[24];
	int lock = -1;
	follower_name(generation, name);
	enum isx_status st = lock_follower(followers, name, LOCK_SH, &lock, note, err);
	*busy = !st && lock < 0;
	if (lock >= 0) {
		close(lock);
		*busy = isx_pg_loader_is_at(followers->loader, generation);
		*note = (struct isx_pg_note){ .is_long = *busy };
	}
	return st;
}

/* Fail because a load takes too long to wait for, with its progress and the seconds to try again
 * after. */
static enum isx_status fail_loading(struct isx_pg_followers *followers, struct isx_pg_note note,
				    struct isx_err *err)
{
	struct isx_load *loads = NULL;
	size_t count = 0;
	enum isx_status st;
	if (note.sure_ms) {
		st = isx_fail(err, ISX_UNAVAILABLE,
			      "the index is being loaded by this host (%llu of %llu rows, %u s are "
			      "left): try again",
			      (unsigned long long)note.done, (unsigned long long)note.total,
			      isx_pg_seconds(note.left_ms));
	} else { /* queued, perhaps behind other loads: add up their times */
		st = isx_fail(err, ISX_UNAVAILABLE,
			      "the index is being loaded by this host: try again");
		if (isx_pg_locks_loads(&followers->locks, &loads, &count, NULL))
			count = 0;
		for (size_t i = 0; i < count; i++)
			note.left_ms += loads[i].left_s * 1000;
		isx_mem_free(loads);
	}
	if (err)
		err->retry_after_s = isx_pg_seconds(note.left_ms);
	return st;
}

/* May a search go on waiting? For postgres_patience_s since its begin, and at least WAIT_MS for
 * work that is not long. Not if the estimate, once it is reliable, is more than twice the time
 * that is left. */
static bool is_worth_waiting(const struct isx_pg_followers *followers,
			     const struct isx_pg_note *note, uint64_t waited_ms)
{
	uint64_t wait_max_ms = (uint64_t)followers->options.postgres_patience_s * 1000;
	if (!note->is_long && wait_max_ms < WAIT_MS)
		wait_max_ms = WAIT_MS;
	if (waited_ms >= wait_max_ms)
		return false;
	return !note->is_long || note->sure_ms < SURE_MS ||
	       note->left_ms / 2 <= wait_max_ms - waited_ms;
}

/* Poll the lock of the follower until it is free. There is no signal between processes. */
static enum isx_status wait_for_work(struct isx_pg_followers *followers, int64_t generation,
				     const struct isx_query *query, uint64_t since_ns,
				     struct isx_err *err)
{
	struct timespec pause = { .tv_nsec = 500000 }; /* doubled up to WAIT_STEP_MS */
	struct isx_pg_note note = { 0 };
	bool busy;
	enum isx_status st = look_at_work(followers, generation, &busy, &note, err);
	while (!st && busy) {
		if (!is_worth_waiting(followers, &note, isx_ns_to_ms(isx_clock_ns() - since_ns)))
			st = fail_loading(followers, note, err);
		else
			st = isx_cancel_ask(query->cancel_check, query->cancel_arg, err);
		if (st)
			break;
		nanosleep(&pause, NULL);
		if (pause.tv_nsec < WAIT_STEP_MS * 1000000)
			pause.tv_nsec *= 2;
		st = look_at_work(followers, generation, &busy, &note, err);
	}
	return st;
}

enum isx_status isx_pg_follower_wait(struct isx_pg_followers *followers, int64_t generation,
				     const struct isx_query *query, uint64_t since_ns,
				     struct isx_err *err)
{
	struct isx_pg_note note = { 0 };
	bool busy;
	/* on_wait() says whether the query may wait: the server bounds how many do, and lends
	 * their threads to other requests meanwhile. */
	if (!query->on_wait || query->on_wait(query->cancel_arg, true)) {
		enum isx_status st = wait_for_work(followers, generation, query, since_ns, err);
		if (query->on_wait)
			query->on_wait(query->cancel_arg, false);
		return st;
	}
	enum isx_status st = look_at_work(followers, generation, &busy, &note, err);
	return st || !busy ? st : fail_loading(followers, note, err);
}

enum isx_status isx_pg_followers_loads(struct isx_pg_followers *followers, struct isx_load **loads,
				       size_t *count, struct isx_err *err)
{
	return isx_pg_locks_loads(&followers->locks, loads, count, err);
}

void isx_pg_follower_discard(struct isx_pg_followers *followers, int64_t generation)
{
	char name[24];
	struct isx_err err;
	follower_name(generation, name);
	enum isx_status st = followers->engine->ops->drop(followers->engine, name, &err);
	if (st && st != ISX_NOT_FOUND)
		isx_log_to(&followers->options.logger, ISX_LOG_WARNING,
			   "follower %s could not be removed: %s", name, err.msg);
}

void isx_pg_follower_drop(struct isx_pg_followers *followers, int64_t generation)
{
	char name[24], path[PATH_MAX];
	follower_name(generation, name);
	isx_pg_follower_discard(followers, generation);
	if (snprintf(path, sizeof path, "%s/.%s.lock", followers->directory, name) < PATH_MAX)
		unlink(path);
}
