/*
 * pg_engine.c - the engine of postgresql://: indexes in a database that many hosts read and write.
 *
 * Indexes and assets are in PostgreSQL (pg_sql.c). Each host copies the rows that searches scan
 * into a local file (pg_follower.c). A call is one transaction of the database, or single
 * statements.
 *
 * Work may be repeated after a lost connection (isx_pg_do()). So what creates or deletes an
 * index marks it by its generation, and a repetition recognises what the first attempt has
 * committed.
 *
 * The lock of the store is held only to read the pointer to its followers.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/log.h"
#include "base/mem.h"
#include "engine/engine.h"
#include "engine/index_info.h"
#include "iscc/iscc_id.h"
#include "postgres/pg_fields.h"
#include "postgres/pg_follower.h"
#include "postgres/pg_schema.h"
#include "postgres/pg_search.h"
#include "postgres/pg_store.h"
#include "postgres/pg_walk.h"
#include "postgres/pg_write.h"
#include "json/wire.h"

#include <stdio.h>
#include <string.h>

/* The engine is the first member of the store that isx_pg_open() has made. */
static struct isx_pg_store *store_of(struct isx_engine *engine)
{
	return (struct isx_pg_store *)engine;
}

/* The loads under way; none before the first search or change has opened the followers. */
static enum isx_status store_loads(struct isx_engine *engine, struct isx_load **loads,
				   size_t *count, struct isx_err *err)
{
	struct isx_pg_store *store = store_of(engine);
	pthread_mutex_lock(&store->lock);
	struct isx_pg_followers *followers = store->followers;
	pthread_mutex_unlock(&store->lock);
	return followers ? isx_pg_followers_loads(followers, loads, count, err) : ISX_OK;
}

/* --- indexes ---------------------------------------------------------------------------------- */

/* An index to create. The generation is chosen before the first attempt: a repetition that finds
 * the index with this generation knows that its own first attempt was committed. */
struct create {
	const char *name;
	int64_t generation;
};

/* Check that the server answers, and that the tables have this program's version. */
static enum isx_status ask_store(struct isx_pg_conn *conn, void *arg, struct isx_err *err)
{
	PGresult *store = NULL;
	(void)arg;
	enum isx_status st = isx_pg_run(conn, ISX_PG_STORE_READ, NULL, &store, err);
	if (!st)
		st = isx_pg_check_version(isx_pg_i64(store, 0, 0), err);
	PQclear(store);
	return st;
}

/* Say why an index was neither created nor exists: the tables have another version (the
 * statement checks that), or another transaction that has the name is about to delete it. */
static enum isx_status find_out_why_not(struct isx_pg_conn *conn, const char *name,
					struct isx_err *err)
{
	enum isx_status st = ask_store(conn, NULL, err);
	return st ? st
		  : isx_fail(err, ISX_UNAVAILABLE, "index '%s' is being deleted: try again", name);
}

/* Create an index, or find that it exists. One round trip, and one or two more if it exists. */
static enum isx_status create_index(struct isx_pg_conn *conn, void *arg, struct isx_err *err)
{
	const struct create *create = arg;
	const char *name = create->name;
	struct isx_pg_head head = { 0 };
	struct isx_pg_params params = { 0 };
	PGresult *made = NULL;
	isx_pg_add_text(&params, name);
	isx_pg_add_i64(&params, create->generation);
	isx_pg_add_i64(&params, isx_pg_random());
	isx_pg_add_i64(&params, ISX_PG_VERSION);
	enum isx_status st = isx_pg_run(conn, ISX_PG_INDEX_CREATE, &params, &made, err);
	conn->retryable |= st && conn->broken; /* repeating is safe: the generation tells */
	bool exists = !st && PQntuples(made) != 1;
	if (exists)
		st = isx_pg_head(conn, name, &head, err);
	if (exists && st == ISX_NOT_FOUND)
		st = find_out_why_not(conn, name, err);
	else if (exists && !st &&
		 head.generation != create->generation) /* equal: by the attempt before */
		st = isx_fail(err, ISX_EXISTS, "Index '%s' already exists", name);
	PQclear(made);
	isx_pg_params_release(&params);
	return st;
}

/* Always on the primary; a read-only store is refused before a connection is taken. */
static enum isx_status store_create(struct isx_engine *engine, const char *name,
				    struct isx_err *err)
{
	if (engine->options.read_only)
		return isx_fail(err, ISX_READ_ONLY, "the store was opened for reading only");
	struct create create = { .name = name, .generation = isx_pg_random() };
	return isx_pg_do(store_of(engine)->pool, create_index, &create, err);
}

/* An index to delete. `generation` is that of the index whose deletion was last sent. */
struct drop {
	const char *name;
	int64_t generation;
	bool commit_sent; /* and the connection may have been lost before the answer */
};

/* Delete an index and its rows. When the commit was sent and the connection was lost, the
 * repetition finds out what became of it: no such index, or another generation, means that the
 * commit succeeded. */
static enum isx_status drop_index(struct isx_pg_conn *conn, void *arg, struct isx_err *err)
{
	struct drop *drop = arg;
	struct isx_pg_head head;
	struct isx_pg_params params = { 0 };
	enum isx_status st = isx_pg_begin_write(conn, drop->name, false, &head, err);
	if (drop->commit_sent &&
	    (st == ISX_NOT_FOUND || (!st && head.generation != drop->generation)))
		return isx_pg_run(conn, ISX_PG_COMMIT, NULL, NULL, err); /* it was committed */
	if (st)
		return st;
	drop->generation = head.generation;
	drop->commit_sent = false;
	isx_pg_add_i64(&params, head.index_id);
	/* Rows that reference the index before the index. */
	static const enum isx_pg_statement parts[] = {
		ISX_PG_INDEX_DELETE_UNITS, ISX_PG_INDEX_DELETE_SIMPRINTS,
		ISX_PG_INDEX_DELETE_CHANGES, ISX_PG_INDEX_DELETE_ASSETS, ISX_PG_INDEX_DELETE
	};
	for (size_t i = 0; !st && i < sizeof parts / sizeof *parts; i++)
		st = isx_pg_run(conn, parts[i], &params, NULL, err);
	drop->commit_sent = !st;
	if (!st)
		st = isx_pg_run(conn, ISX_PG_COMMIT, NULL, NULL, err);
	conn->retryable |= st && conn->broken && drop->commit_sent; /* repeat: was it committed? */
	isx_pg_params_release(&params);
	return st;
}

/* Delete the index, and the follower of this host; other hosts remove theirs when they next make
 * a follower. */
static enum isx_status store_drop(struct isx_engine *engine, const char *name, struct isx_err *err)
{
	struct isx_pg_store *store = store_of(engine);
	struct drop drop = { .name = name };
	if (engine->options.read_only)
		return isx_fail(err, ISX_READ_ONLY, "the store was opened for reading only");
	enum isx_status st = isx_pg_do(store->pool, drop_index, &drop, err);
	pthread_mutex_lock(&store->lock);
	struct isx_pg_followers *followers = store->followers;
	pthread_mutex_unlock(&store->lock);
	if (!st && followers)
		isx_pg_follower_drop(followers, drop.generation);
	return st;
}

/* --- stat and list ---------------------------------------------------------------------------- */

/* Fill the description of an index. Parts whose name is too long for a type of units or
 * simprints are left out: a name that is cut could end within a character. */
static enum isx_status describe(struct isx_pg_conn *conn, struct isx_span name, int64_t index_id,
				int64_t assets, struct isx_index_info *info, struct isx_err *err)
{
	struct isx_pg_params params = { 0 };
	PGresult *rows = NULL;
	snprintf(info->name, sizeof info->name, "%.*s", (int)name.len, name.ptr);
	info->assets = (uint64_t)assets;
	isx_pg_add_i64(&params, index_id);
	isx_pg_add_i64(&params, assets);
	enum isx_status st = isx_pg_run(conn, ISX_PG_INDEX_SIZE, &params, &rows, err);
	if (!st)
		st = isx_index_part_add(info, "lmdb", 0, err); /* every engine lists this part */
	for (int i = 0; !st && i < PQntuples(rows); i++) {
		char part[sizeof info->parts->name];
		struct isx_span type = isx_pg_field(rows, i, 0);
		int64_t bytes;
		if (type.len >= sizeof part || !isx_pg_count(rows, i, 1, &bytes))
			continue;
		snprintf(part, sizeof part, "%.*s", (int)type.len, type.ptr);
		st = isx_index_part_add(info, part, (uint64_t)bytes, err);
		info->bytes += (uint64_t)bytes;
	}
	PQclear(rows);
	isx_pg_params_release(&params);
	return st;
}

struct listing {
	struct isx_index_info *infos;
	size_t count;
};

/* List the indexes. A row that cannot be an index is logged and left out, so that it does not
 * hide the others. May be called again after a failure, having freed what it had listed. */
static enum isx_status list_indexes(struct isx_pg_conn *conn, void *arg, struct isx_err *err)
{
	struct listing *listing = arg;
	PGresult *rows = NULL;
	enum isx_status st = isx_pg_run(conn, ISX_PG_INDEX_NAMES, NULL, &rows, err);
	if (st)
		return st;
	size_t count = (size_t)PQntuples(rows);
	struct isx_index_info *infos = isx_mem_array(count + 1, sizeof *infos);
	st = infos ? ISX_OK : isx_fail_memory(err);
	size_t told = 0; /* of the rows, those that are indexes */
	for (int i = 0; !st && i < (int)count; i++) {
		struct isx_span name = isx_pg_field(rows, i, 0);
		int64_t assets;
		if (!isx_is_index_name(name) || !isx_pg_count(rows, i, 3, &assets))
			isx_log_to(isx_pg_logger(conn), ISX_LOG_WARNING,
				   "table index of the database: the row of index '%.*s' is not as "
				   "this "
				   "program writes it: the index is not listed",
				   (int)(name.len < 64 ? name.len : 64), name.ptr ? name.ptr : "");
		else
			st = describe(conn, name, isx_pg_i64(rows, i, 1), assets, &infos[told++],
				      err);
	}
	PQclear(rows);
	if (st)
		isx_index_list_free(infos, infos ? told : 0);
	else
		*listing = (struct listing){ infos, told };
	return st;
}

/* From the replica, if there is one: an index that was just created may be missing from the
 * list. */
static enum isx_status store_list(struct isx_engine *engine, struct isx_index_info **infos,
				  size_t *count, struct isx_err *err)
{
	struct listing listing = { 0 };
	enum isx_status st = isx_pg_read(store_of(engine), list_indexes, &listing, err);
	if (st)
		return st;
	*infos = listing.infos;
	*count = listing.count;
	return ISX_OK;
}

/* stat: an attempt that is repeated frees what the one before has filled. */
struct measuring {
	const char *name;
	struct isx_index_info info;
};

/* For isx_pg_read(), which may call it again on another connection. Two round trips: the head,
 * then the sizes. */
static enum isx_status measure_index(struct isx_pg_conn *conn, void *arg, struct isx_err *err)
{
	struct measuring *measuring = arg;
	struct isx_pg_head head;
	isx_index_info_release(&measuring->info); /* what an earlier attempt has filled */
	measuring->info = (struct isx_index_info){ 0 };
	enum isx_status st = isx_pg_head(conn, measuring->name, &head, err);
	return st ? st
		  : describe(conn, isx_span_of(measuring->name), head.index_id, head.assets,
			     &measuring->info, err);
}

/* `info` is filled only on success; what a failed attempt has listed is released here. */
static enum isx_status store_stat(struct isx_engine *engine, const char *name,
				  struct isx_index_info *info, struct isx_err *err)
{
	struct measuring measuring = { .name = name };
	enum isx_status st = isx_pg_read(store_of(engine), measure_index, &measuring, err);
	if (st)
		isx_index_info_release(&measuring.info);
	else
		*info = measuring.info;
	return st;
}

/* --- assets ----------------------------------------------------------------------------------- */

struct getting {
	const char *name;
	const char *iscc_id;
	struct isx_buf *json;
};

/* One round trip: the statement returns a row for an index without the asset, and none without
 * the index. */
static enum isx_status get_asset(struct isx_pg_conn *conn, void *arg, struct isx_err *err)
{
	const struct getting *getting = arg;
	struct isx_pg_params params = { 0 };
	struct isx_pg_head head = { 0 };
	struct isx_iscc_id id;
	struct isx_arena arena = { 0 };
	struct isx_asset asset;
	PGresult *row = NULL;
	uint8_t bytes[8];
	enum isx_status known = isx_iscc_id_parse(isx_span_of(getting->iscc_id), &id, err);
	/* An ISCC-ID that cannot be parsed is sent as 0, to learn whether the index exists. */
	isx_store_be64(bytes, known ? 0 : id.body);
	isx_pg_add_text(&params, getting->name);
	isx_pg_add_bytes(&params, bytes, sizeof bytes);
	enum isx_status st = isx_pg_run(conn, ISX_PG_ASSET_GET, &params, &row, known ? NULL : err);
	if (!st && PQntuples(row) == 0)
		st = isx_fail_no_index(err, getting->name);
	st = st ? st : known; /* a missing index is reported before a wrong ISCC-ID */
	if (!st)
		st = isx_pg_read_realm(row, 0, &head, err);
	if (!st)
		st = isx_pg_check_realm(&head, getting->iscc_id, id.realm, err);
	if (!st && PQgetisnull(row, 0, 1))
		st = isx_fail(err, ISX_NOT_FOUND, "Asset '%s' not found in index",
			      getting->iscc_id);
	if (!head.has_realm)
		head.realm = id.realm;
	if (!st)
		st = isx_pg_read_asset(&head, id.body, isx_pg_field(row, 0, 1),
				       isx_pg_field(row, 0, 2), &arena, &asset, err);
	if (!st) {
		isx_asset_to_json(getting->json, &asset);
		st = isx_buf_status(getting->json, err);
	}
	isx_arena_release(&arena);
	PQclear(row);
	isx_pg_params_release(&params);
	return st;
}

/* Reads from the replica, if there is one: an asset that was just added may not be there yet. */
static enum isx_status store_get(struct isx_engine *engine, const char *name, const char *iscc_id,
				 struct isx_buf *json, struct isx_err *err)
{
	struct getting getting = { name, iscc_id, json };
	return isx_pg_read(store_of(engine), get_asset, &getting, err);
}

/* --- opening and closing ---------------------------------------------------------------------- */

/* Also closes a store whose opening failed in the middle. Followers before pools: their loader's
 * thread uses a connection. */
static void store_close(struct isx_engine *engine)
{
	struct isx_pg_store *store = store_of(engine);
	for (size_t i = 0; i < ISX_PG_QUEUES; i++)
		isx_commit_queue_free(store->queues[i]);
	isx_pg_followers_free(store->followers); /* stops the loader */
	isx_pg_pool_free(store->readers);
	isx_pg_pool_free(store->pool);
	isx_mem_free(store->followers_path);
	pthread_mutex_destroy(&store->lock);
	isx_mem_free(store);
}

/* One short statement, whose cost does not depend on the indexes. A server that may write needs
 * the primary; for one that only reads, the replica is enough. */
static enum isx_status store_ready(struct isx_engine *engine, struct isx_index_problem **troubles,
				   size_t *count, struct isx_err *err)
{
	struct isx_pg_store *store = store_of(engine);
	*troubles = NULL;
	*count = 0;
	if (engine->options.read_only && store->readers &&
	    isx_pg_do_probe(store->readers, ask_store, NULL, NULL) == ISX_OK)
		return ISX_OK;
	return isx_pg_do_probe(store->pool, ask_store, NULL, err);
}

static const struct isx_engine_ops store_ops = {
	.close = store_close,
	.list = store_list,
	.ready = store_ready,
	.loads = store_loads,
	.create = store_create,
	.drop = store_drop,
	.stat = store_stat,
	.add = isx_pg_add,
	.get = store_get,
	.remove = isx_pg_remove,
	.set_metadata = isx_pg_set_metadata,
	.fields_get = isx_pg_fields_get,
	.fields_set = isx_pg_fields_set,
	.filters = true,
	.search = isx_pg_search,
	.search_many = isx_pg_search_many,
	.duplicates = isx_pg_duplicates,
	.walk = isx_pg_walk,
};

/* Connect once, so that a wrong URI or a wrong schema is an error at the start. A database
 * server that is away is not: this host may have been started before it. */
static enum isx_status try_connection(struct isx_pg_store *store, struct isx_err *err)
{
	struct isx_pg_conn *conn;
	enum isx_status st = isx_pg_take(store->pool, &conn, err);
	if (!st)
		isx_pg_give(conn);
	return st == ISX_UNAVAILABLE ? ISX_OK : st;
}

/* Make the pools and the queues. The replica's pool never creates tables, as a standby cannot. */
static enum isx_status set_up(struct isx_pg_store *store, const char *uri, struct isx_err *err)
{
	const struct isx_options *options = &store->engine.options;
	const char *schema = options->postgres_schema ? options->postgres_schema : "iscc_search";
	struct isx_pg_pool_options pool = { .uri = uri,
					    .schema = schema,
					    .conns_max = options->postgres_connections,
					    .timeout_s = options->postgres_timeout_s,
					    .may_create_schema = !options->read_only,
					    .logger = options->logger };
	enum isx_status st = isx_pg_pool_new(&pool, &store->pool, err);
	/* The same options for the replica but for these two. */
	pool.uri = options->postgres_read_uri;
	pool.may_create_schema = false;
	if (!st && pool.uri)
		st = isx_pg_pool_new(&pool, &store->readers, err);
	for (size_t i = 0; !st && i < ISX_PG_QUEUES; i++)
		st = isx_commit_queue_new(isx_pg_write_group, store, &store->queues[i], err);
	if (!st && options->postgres_followers) {
		store->followers_path = isx_mem_text(options->postgres_followers,
						     strlen(options->postgres_followers));
		if (!store->followers_path)
			st = isx_fail_memory(err);
	}
	return st ? st : try_connection(store, err);
}

enum isx_status isx_pg_open(const char *uri, const struct isx_options *options,
			    struct isx_engine **engine, struct isx_err *err)
{
	struct isx_pg_store *store = isx_mem_array(1, sizeof *store);
	if (!store)
		return isx_fail_memory(err);
	store->engine.ops = &store_ops;
	store->engine.options = *options;
	pthread_mutex_init(&store->lock, NULL);
	enum isx_status st = set_up(store, uri, err);
	if (st)
		store_close(&store->engine);
	else
		*engine = &store->engine;
	return st;
}
