/*
 * service.c - the public interface: functions of iscc_search.h, over the engine that the URI names.
 *
 * Checks everything that is the same for all engines (names, the shape of assets, limits, options),
 * and owns the memory of answers. The HTTP server and the command line call only the functions of
 * this room. A call costs a pass over what it is given; the texts of assets and queries stay borrowed
 * until it returns.
 *
 * Takes no lock: engines do. Out parameters are written on success only, from local variables, as
 * engines may leave theirs half filled. Must not know which engine it has, but in open_engine().
 * SPDX-License-Identifier: Apache-2.0
 */
#include "service/service.h"
#include "service/answer.h"

#include "base/limits.h"
#include "base/uri.h"
#include "engine/asset_batch.h"
#include "engine/engine.h"
#include "engine/paging.h"
#include "iscc/code.h"
#include "service/new_id.h"
#include "service/store.h"
#include "json/pointer.h"
#include "json/wire.h"

#include <math.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

/* Compiled in, so that a program can compare the library that is loaded with its header. */
const char *isx_version(void)
{
	return ISX_VERSION;
}

uint32_t isx_version_number(void)
{
	return ISX_VERSION_NUMBER;
}

/* `size` is that of the program's struct: a program built with an earlier header has a shorter
 * one, behind which nothing may be written; with a later header the rest becomes 0, which means
 * "not set". */
void isx_options_init_sized(struct isx_options *options, size_t size)
{
	/* The one place of these defaults: cli/settings.c takes them from here. Thresholds and exponent
	 * are those of 0.3.3; what is not named is 0, false or NULL. */
	const struct isx_options defaults = { .size = size,
					      .match_threshold_units = 0.75,
					      .match_threshold_simprints = 0.75,
					      .confidence_exponent = 4,
					      .postgres_connections = 8,
					      .postgres_timeout_s = 30,
					      .postgres_patience_s = 10 };
	memset(options, 0, size);
	memcpy(options, &defaults, size < sizeof defaults ? size : sizeof defaults);
}

/* Messages name the option as in struct isx_options: a library knows no environment variables,
 * and the command line checks its settings before. Patience may be 0: then no search waits for a
 * copy. */
static enum isx_status check_options(const struct isx_options *options, struct isx_err *err)
{
	/* "not in range" would let NaN through */
	if (!(options->match_threshold_units >= 0 && options->match_threshold_units <= 1))
		return isx_fail(err, ISX_INVALID, "match_threshold_units: expected 0 to 1");
	if (!(options->match_threshold_simprints >= 0 && options->match_threshold_simprints <= 1))
		return isx_fail(err, ISX_INVALID, "match_threshold_simprints: expected 0 to 1");
	if (options->confidence_exponent < 1)
		return isx_fail(err, ISX_INVALID, "confidence_exponent: expected 1 or more");
	if (options->postgres_connections < 1 ||
	    options->postgres_connections > ISX_PG_CONNECTIONS_MAX)
		return isx_fail(err, ISX_INVALID, "postgres_connections: expected 1 to %d",
				ISX_PG_CONNECTIONS_MAX);
	if (options->postgres_timeout_s < 1 || options->postgres_timeout_s > ISX_PG_SECONDS_MAX)
		return isx_fail(err, ISX_INVALID, "postgres_timeout_s: expected 1 to %d",
				ISX_PG_SECONDS_MAX);
	if (options->postgres_patience_s > ISX_PG_SECONDS_MAX)
		return isx_fail(err, ISX_INVALID, "postgres_patience_s: expected 0 to %d",
				ISX_PG_SECONDS_MAX);
	if (options->rank > ISX_RANK_TIERED)
		return isx_fail(err, ISX_INVALID, "rank: expected a value of enum isx_rank");
	if (!(options->max_expect >= 0 && options->max_expect < (double)INFINITY))
		return isx_fail(err, ISX_INVALID,
				"max_expect: expected a finite number, 0 or more");
	if (options->hub > ISX_HUB_MAX)
		return isx_fail(err, ISX_INVALID, "hub: expected 0 to %d", ISX_HUB_MAX);
	if (options->map_bytes && options->map_bytes < ISX_MAP_BYTES_LEAST)
		return isx_fail(err, ISX_INVALID, "map_bytes: expected at least %u",
				ISX_MAP_BYTES_LEAST);
	return ISX_OK;
}

/* A program may have been built with an earlier or a later header. Options that its header lacks
 * get their defaults; an option that this library lacks may be 0, but is an error if it is set,
 * as it would silently have no effect. */
enum isx_status isx_store_read_options(const struct isx_options *given, struct isx_options *options,
				       struct isx_err *err)
{
	/* the struct of version 0.4.0, the first; a smaller size is a struct that was not
	 * initialised */
	enum { FIRST_SIZE = offsetof(struct isx_options, logger) + sizeof(struct isx_logger) };
	isx_options_init(options);
	if (!given)
		return ISX_OK;
	if (given->size < FIRST_SIZE)
		return isx_fail(err, ISX_INVALID,
				"options: expected a struct that isx_options_init() has filled");
	for (size_t i = sizeof *options; i < given->size;
	     i++) /* bytes that are known to a later version */
		if (((const char *)given)[i])
			return isx_fail(err, ISX_UNSUPPORTED,
					"options: one is set that a later version of the library "
					"has; this is %s",
					ISX_VERSION);
	memcpy(options, given, given->size < sizeof *options ? given->size : sizeof *options);
	options->size = sizeof *options;
	return check_options(options, err);
}

/* Find the directory in "SCHEME:///DIR"; "SCHEME:////DIR" means the same to 0.3.3. A relative one
 * is refused, as it would depend on where the program was started.
 *   directory  filled: points into the URI */
static enum isx_status directory_of(struct isx_span uri, const char *scheme, const char **directory,
				    struct isx_err *err)
{
	struct isx_span rest = isx_span_skip(uri, strlen(scheme) + 3);
	if (isx_span_has_prefix(rest, "//"))
		rest = isx_span_skip(rest, 1);
	if (!isx_span_has_prefix(rest, "/") || rest.len < 2)
		return isx_fail(err, ISX_INVALID,
				"index URI: expected %s:///DIR with an absolute path", scheme);
	*directory = rest.ptr;
	return ISX_OK;
}

/* Engines that a build may leave out (WITH_POSTGRES=0, WITH_REMOTE=0): then their functions must
 * not even be named, as the linker would look for them. */
static enum isx_status open_postgres(const char *uri, const struct isx_options *options,
				     struct isx_engine **engine, struct isx_err *err)
{
#ifdef ISX_WITHOUT_POSTGRES
	(void)uri, (void)options, (void)engine;
	return isx_fail(err, ISX_UNSUPPORTED,
			"this build of iscc-search has no postgresql://: it was made with "
			"WITH_POSTGRES=0");
#else
	return isx_pg_open(uri, options, engine, err);
#endif
}

/* The same for the engine that needs libcurl. */
static enum isx_status open_remote(const char *uri, const struct isx_options *options,
				   struct isx_engine **engine, struct isx_err *err)
{
#ifdef ISX_WITHOUT_REMOTE
	(void)uri, (void)options, (void)engine;
	return isx_fail(err, ISX_UNSUPPORTED,
			"this build of iscc-search has no http:// and https://: it was made with "
			"WITH_REMOTE=0");
#else
	return isx_remote_open(uri, options, engine, err);
#endif
}

/* The one place that tells engines apart. Schemes are those of 0.3.3; the comparison is exact,
 * as there. The message hides a password, which a URI with a mistyped scheme may contain. */
static enum isx_status open_engine(const char *uri, const struct isx_options *options,
				   struct isx_engine **engine, struct isx_err *err)
{
	struct isx_span text = isx_span_of(uri);
	const char *directory = NULL;
	char shown[ISX_URI_SHOWN_BYTES];
	if (isx_span_has_prefix(text, "memory://"))
		return isx_memory_open(options, engine, err);
	if (isx_span_has_prefix(text, "usearch://")) {
		enum isx_status st = directory_of(text, "usearch", &directory, err);
		return st ? st : isx_sim_open(directory, options, engine, err);
	}
	if (isx_span_has_prefix(text, "lmdb://")) {
		enum isx_status st = directory_of(text, "lmdb", &directory, err);
		return st ? st : isx_prefix_open(directory, options, engine, err);
	}
	if (isx_span_has_prefix(text, "postgresql://") || isx_span_has_prefix(text, "postgres://"))
		return open_postgres(uri, options, engine, err);
	if (isx_span_has_prefix(text, "http://") || isx_span_has_prefix(text, "https://"))
		return open_remote(uri, options, engine, err);
	return isx_fail(err, ISX_INVALID,
			"index URI '%s': expected usearch:///DIR, lmdb:///DIR, memory://, "
			"postgresql://... or http://HOST:PORT",
			isx_uri_show(uri, shown));
}

static int sodium_code; /* of sodium_init(), below 0: failure; set under pthread_once() */

/* pthread_once() takes a function without arguments and results, hence the variable. */
static void start_sodium(void)
{
	sodium_code = sodium_init();
}

/* Initialise libsodium, once per process, before any other call of it. A host program need not
 * know that it is used. libcurl, libpq and LMDB need nothing here. */
static enum isx_status start_libraries(struct isx_err *err)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, start_sodium);
	return sodium_code < 0 ? isx_fail(err, ISX_IO, "libsodium cannot be initialised") : ISX_OK;
}

/* Nothing is left behind by a failure: engines release what they have opened. */
enum isx_status isx_open(const char *uri, const struct isx_options *options,
			 struct isx_store **store, struct isx_err *err)
{
	struct isx_options chosen;
	enum isx_status st = isx_store_read_options(options, &chosen, err);
	if (!st)
		st = start_libraries(err);
	if (st)
		return st;
	struct isx_store *opened = isx_mem_array(1, sizeof *opened);
	if (!opened)
		return isx_fail_memory(err);
	st = open_engine(uri, &chosen, &opened->engine, err); /* copies the options */
	if (st)
		isx_mem_free(opened);
	else
		*store = opened;
	return st;
}

/* The engine joins its threads, flushes a relaxed store, and frees itself. The caller makes sure
 * that no other call uses the store. */
void isx_close(struct isx_store *store)
{
	if (!store)
		return;
	store->engine->ops->close(store->engine);
	isx_mem_free(store);
}

/* Not a copy: the options do not change while the store is open. */
const struct isx_options *isx_store_options(const struct isx_store *store)
{
	return &store->engine->options;
}

/* Only names that are created are checked: for all others the engine finds no such index. */
enum isx_status isx_index_create(struct isx_store *store, const char *name, struct isx_err *err)
{
	if (!isx_is_index_name(isx_span_of(name)))
		return isx_fail(err, ISX_INVALID,
				"index name '%s': expected 1 to %d of a-z and 0-9, a letter first",
				name, ISX_INDEX_NAME_MAX);
	return store->engine->ops->create(store->engine, name, err);
}

enum isx_status isx_index_delete(struct isx_store *store, const char *name, struct isx_err *err)
{
	return store->engine->ops->drop(store->engine, name, err);
}

enum isx_status isx_index_stat(struct isx_store *store, const char *name,
			       struct isx_index_info *info, struct isx_err *err)
{
	struct isx_index_info found; /* parts are new and go to the caller with the copy */
	enum isx_status st = store->engine->ops->stat(store->engine, name, &found, err);
	if (!st)
		*info = found;
	return st;
}

/* Sorted by the engine, which has to read the names anyway. */
enum isx_status isx_index_list(struct isx_store *store, struct isx_index_info **infos,
			       size_t *count, struct isx_err *err)
{
	struct isx_index_info *found = NULL;
	size_t found_count = 0;
	enum isx_status st = store->engine->ops->list(store->engine, &found, &found_count, err);
	if (!st) {
		*infos = found;
		*count = found_count;
	}
	return st;
}

/* Engines leave these functions NULL where the API of another server, or the database, has no
 * such request. */
static enum isx_status fail_not_local(const char *doing, struct isx_err *err)
{
	return isx_fail(err, ISX_INVALID,
			"%s: the index is on another server; it can be done there only", doing);
}

enum isx_status isx_index_backup(struct isx_store *store, const char *name, const char *path,
				 bool replace, isx_progress_fn *progress, void *arg,
				 struct isx_err *err)
{
	const struct isx_engine_ops *ops = store->engine->ops;
	if (!ops->backup)
		return fail_not_local("backup", err);
	return ops->backup(store->engine, name, path, replace, progress, arg, err);
}

enum isx_status isx_index_compact(struct isx_store *store, const char *name,
				  struct isx_compaction *done, isx_progress_fn *progress, void *arg,
				  struct isx_err *err)
{
	const struct isx_engine_ops *ops = store->engine->ops;
	if (!ops->compact)
		return fail_not_local("compact", err);
	struct isx_compaction compacted = { 0 }; /* written to *done on success only */
	enum isx_status st = ops->compact(store->engine, name, &compacted, progress, arg, err);
	if (!st)
		*done = compacted;
	return st;
}

enum isx_status isx_index_check(struct isx_store *store, const char *name, struct isx_check *report,
				isx_finding_fn *found, void *arg, struct isx_err *err)
{
	const struct isx_engine_ops *ops = store->engine->ops;
	*report = (struct isx_check){ 0 }; /* filled also on failure: what was checked until then */
	if (!ops->check)
		return fail_not_local("check", err);
	return ops->check(store->engine, name, report, found, arg, err);
}

enum isx_status isx_ready(struct isx_store *store, struct isx_index_problem **problems,
			  size_t *count, struct isx_err *err)
{
	struct isx_index_info *infos = NULL;
	size_t info_count = 0;
	/* an engine without a function of its own is ready when it can list its indexes */
	if (store->engine->ops->ready)
		return store->engine->ops->ready(store->engine, problems, count, err);
	enum isx_status st = isx_index_list(store, &infos, &info_count, err);
	if (st)
		return st;
	isx_index_list_free(infos, info_count);
	*problems = NULL;
	*count = 0;
	return ISX_OK;
}

/* Engines leave these functions NULL where they have no tables of values. */
static enum isx_status fail_fields(struct isx_err *err)
{
	return isx_fail(err, ISX_UNSUPPORTED,
			"fields: this engine has no fields, filters and facets");
}

void isx_index_problems_free(struct isx_index_problem *problems)
{
	isx_mem_free(problems);
}

enum isx_status isx_loads(struct isx_store *store, struct isx_load **loads, size_t *count,
			  struct isx_err *err)
{
	/* written on failure, too: isx_loads_free(NULL) is allowed */
	*loads = NULL;
	*count = 0;
	return store->engine->ops->loads
		       ? store->engine->ops->loads(store->engine, loads, count, err)
		       : ISX_OK;
}

void isx_loads_free(struct isx_load *loads)
{
	isx_mem_free(loads);
}

/* Members that a later version may give a meaning to must be 0 now, or programs that leave
 * garbage there would break then (iscc_search.h, Versions). */
enum isx_status isx_store_check_asset(const struct isx_asset *asset, struct isx_err *err)
{
	if (asset->reserved[0])
		return isx_fail(err, ISX_INVALID,
				"asset: expected 0 in `reserved`: clear the struct before you fill "
				"it");
	if (!asset->iscc_id && !asset->iscc_code && !asset->unit_count && !asset->simprint_count)
		return isx_fail(err, ISX_INVALID,
				"iscc_id is missing: an asset without one needs an iscc_code, "
				"units or simprints");
	return isx_asset_check(asset, err);
}

/* All of them before the engine gets any: a batch is added whole or not at all. Sets
 * err->position. */
static enum isx_status check_assets(const struct isx_asset *assets, size_t count,
				    struct isx_err *err)
{
	for (size_t i = 0; i < count; i++) {
		enum isx_status st = isx_store_check_asset(&assets[i], err);
		if (st)
			return isx_batch_err_at(err, st, count, i);
	}
	return ISX_OK;
}

/* Returns when the transaction is on disk, or in a relaxed store in the system's memory. Costs one
 * pass over the assets before the engine gets them; none of them is copied here.
 *   iscc_ids  filled: means nothing after a failure */
enum isx_status isx_add_with_ids(struct isx_store *store, const char *name,
				 const struct isx_asset *assets, size_t count,
				 enum isx_outcome *outcomes, char (*iscc_ids)[24],
				 struct isx_err *err)
{
	enum isx_status st = check_assets(assets, count, err);
	bool is_unnamed = false;
	if (st)
		return st;
	for (size_t i = 0; i < count; i++) {
		is_unnamed |= !assets[i].iscc_id;
		if (iscc_ids && assets[i].iscc_id)
			snprintf(iscc_ids[i], sizeof iscc_ids[i], "%s", assets[i].iscc_id);
	}
	/* engines need somewhere to write outcomes, also when the caller does not want them */
	enum isx_outcome *own = outcomes ? NULL : isx_mem_array(count, sizeof *own);
	if (!outcomes && !own)
		return isx_fail_memory(err);
	outcomes = outcomes ? outcomes : own;
	st = is_unnamed
		     ? isx_add_unnamed(store->engine, name, assets, count, outcomes, iscc_ids, err)
		     : store->engine->ops->add(store->engine, name, assets, count, outcomes, err);
	isx_mem_free(own);
	return st;
}

enum isx_status isx_add(struct isx_store *store, const char *name, const struct isx_asset *assets,
			size_t count, enum isx_outcome *outcomes, struct isx_err *err)
{
	return isx_add_with_ids(store, name, assets, count, outcomes, NULL, err);
}

enum isx_status isx_get_into(struct isx_store *store, const char *name, const char *iscc_id,
			     struct isx_buf *json, struct isx_err *err)
{
	return store->engine->ops->get(store->engine, name, iscc_id, json, err);
}

/* isx_buf_take() releases a failed buffer; the release here is for a status of the engine. */
enum isx_status isx_get(struct isx_store *store, const char *name, const char *iscc_id, char **json,
			struct isx_err *err)
{
	struct isx_buf buf = { 0 };
	enum isx_status st = isx_get_into(store, name, iscc_id, &buf, err);
	char *text = st ? NULL : isx_buf_take(&buf);
	isx_buf_release(&buf);
	if (!st && !text)
		st = isx_fail_memory(err);
	if (!st)
		*json = text;
	return st;
}

void isx_text_free(char *text)
{
	isx_mem_free(text);
}

/* "Not found" may be the index: asked once for a list, at the first asset that is not found. */
enum isx_status isx_find_into(struct isx_store *store, const char *name, const char *iscc_id,
			      struct isx_buf *json, bool *has_index, bool *found,
			      struct isx_err *err)
{
	struct isx_index_info info;
	enum isx_status st = isx_get_into(store, name, iscc_id, json, err);
	*found = !st;
	if (st != ISX_NOT_FOUND || *has_index)
		return st == ISX_NOT_FOUND ? ISX_OK : st;
	st = isx_index_stat(store, name, &info, err);
	if (!st)
		isx_index_info_release(&info);
	*has_index = !st;
	return st;
}

/* One after the other, for an engine without a call for all: each asset in a transaction of its own.
 * After a failure the texts until then are in `jsons`, for the caller to free. */
static enum isx_status get_each(struct isx_store *store, const char *name,
				const char *const *iscc_ids, size_t count, char **jsons,
				struct isx_err *err)
{
	bool has_index = false, found = false;
	enum isx_status st = ISX_OK;
	for (size_t i = 0; !st && i < count; i++) {
		struct isx_buf json = { 0 };
		st = isx_find_into(store, name, iscc_ids[i], &json, &has_index, &found, err);
		if (st)
			isx_batch_err_at(err, st, count, i);
		jsons[i] = found ? isx_buf_take(&json) : NULL;
		if (found && !jsons[i])
			st = isx_fail_memory(err);
		isx_buf_release(&json);
	}
	return st;
}

/* A list of one is read by get(), which every engine and every server has. */
enum isx_status isx_get_many(struct isx_store *store, const char *name, const char *const *iscc_ids,
			     size_t count, char ***jsons, struct isx_err *err)
{
	const struct isx_engine_ops *ops = store->engine->ops;
	char **found = isx_mem_array(count + 1, sizeof *found);
	if (!found)
		return isx_fail_memory(err);
	/* a server of an earlier version has no request for lists */
	enum isx_status st = ISX_UNSUPPORTED;
	if (ops->get_many && count > 1)
		st = ops->get_many(store->engine, name, iscc_ids, count, found, err);
	if (st == ISX_UNSUPPORTED)
		st = get_each(store, name, iscc_ids, count, found, err);
	if (st)
		isx_texts_free(found, count);
	else
		*jsons = found;
	return st;
}

/* A malformed ISCC-ID is reported by the engine, which has to decode it anyway. */
enum isx_status isx_remove_many(struct isx_store *store, const char *name,
				const char *const *iscc_ids, size_t count, bool *removed,
				struct isx_err *err)
{
	return store->engine->ops->remove(store->engine, name, iscc_ids, count, removed, err);
}

/* An engine removes what is there and says so; a missing asset is made an error here. */
enum isx_status isx_remove(struct isx_store *store, const char *name, const char *iscc_id,
			   struct isx_err *err)
{
	bool removed = false;
	enum isx_status st = isx_remove_many(store, name, &iscc_id, 1, &removed, err);
	if (!st && !removed)
		st = isx_fail(err, ISX_NOT_FOUND, "Asset '%s' not found in index", iscc_id);
	return st;
}

/* The metadata is checked as that of an asset that has nothing else, so that the two rules cannot
 * differ. */
enum isx_status isx_metadata_set(struct isx_store *store, const char *name, const char *iscc_id,
				 const char *metadata, struct isx_err *err)
{
	const struct isx_asset asset = { .metadata = metadata };
	enum isx_status st = isx_asset_check(&asset, err);
	return st ? st
		  : store->engine->ops->set_metadata(store->engine, name, iscc_id, metadata, err);
}

enum isx_status isx_fields_get(struct isx_store *store, const char *name, char ***fields,
			       size_t *count, struct isx_err *err)
{
	const struct isx_engine_ops *ops = store->engine->ops;
	char **found = NULL; /* written to *fields on success only */
	size_t found_count = 0;
	if (!ops->fields_get)
		return fail_fields(err);
	enum isx_status st = ops->fields_get(store->engine, name, &found, &found_count, err);
	if (!st) {
		*fields = found;
		*count = found_count;
	}
	return st;
}

/* Names become JSON pointers here, so that engines store one form. */
enum isx_status isx_fields_set(struct isx_store *store, const char *name, const char *const *fields,
			       size_t count, isx_progress_fn *progress, void *arg,
			       struct isx_err *err)
{
	const struct isx_engine_ops *ops = store->engine->ops;
	struct isx_arena arena = { 0 };
	const char *const *pointers;
	size_t wrong;
	if (!ops->fields_set)
		return fail_fields(err);
	enum isx_status st = isx_pointers_read(fields, count, &arena, &pointers, &wrong, err);
	if (st == ISX_INVALID)
		isx_err_at(err, st, wrong < count ? "fields[%zu]" : "fields", wrong);
	if (!st)
		st = ops->fields_set(store->engine, name, pointers, count, progress, arg, err);
	isx_arena_release(&arena);
	return st;
}

/* Conditions of a program; those from JSON have passed their rules already. */
static enum isx_status check_conditions(const struct isx_query *query, struct isx_err *err)
{
	/* "not in range" would let NaN through */
	if (query->has_min_score && !(query->min_score >= 0 && query->min_score <= 1))
		return isx_fail(err, ISX_INVALID, "min_score: expected 0 to 1");
	if (query->min_score_count > ISX_TYPE_NAMES_MAX)
		return isx_fail(err, ISX_INVALID, "min_scores: expected at most %d, found %zu",
				ISX_TYPE_NAMES_MAX, query->min_score_count);
	for (size_t i = 0; i < query->min_score_count; i++)
		if (!(query->min_scores[i].min_score >= 0 && query->min_scores[i].min_score <= 1))
			return isx_fail(err, ISX_INVALID, "min_scores.%s: expected 0 to 1",
					query->min_scores[i].type);
	if (query->type_count > ISX_UNITS_MAX)
		return isx_fail(err, ISX_INVALID, "types: expected at most %d, found %zu",
				ISX_UNITS_MAX, query->type_count);
	if (query->rank > ISX_RANK_TIERED)
		return isx_fail(err, ISX_INVALID, "rank: expected a value of enum isx_rank");
	if (!(query->max_expect >= 0 && query->max_expect < (double)INFINITY))
		return isx_fail(err, ISX_INVALID,
				"max_expect: expected a finite number, 0 or more");
	if (query->facet_count > ISX_FIELDS_MAX)
		return isx_fail(err, ISX_INVALID, "facets: expected at most %d, found %zu",
				ISX_FIELDS_MAX, query->facet_count);
	return ISX_OK;
}

/* Whether the units of a query can be decoded is checked by the engine, which decodes them. */
enum isx_status isx_store_complete_query(struct isx_query *query, struct isx_err *err)
{
	for (size_t i = 0; i < sizeof query->reserved / sizeof query->reserved[0]; i++)
		if (query->reserved[i])
			return isx_fail(err, ISX_INVALID,
					"query: expected 0 in `reserved`: clear the struct before "
					"you fill it");
	if (isx_page_check(query->after, ISX_RANK_STORE, err))
		return ISX_INVALID;
	if (query->unit_count > ISX_UNITS_MAX)
		return isx_fail(err, ISX_INVALID, "units: expected at most %d, found %zu",
				ISX_UNITS_MAX, query->unit_count);
	enum isx_status st = check_conditions(query, err);
	if (!st && query->iscc_code && isx_code_check(isx_span_of(query->iscc_code), err))
		st = isx_err_at(err, ISX_INVALID, "iscc_code");
	if (query->limit == 0)
		query->limit = ISX_LIMIT_DEFAULT;
	return st;
}

/* One of several queries. */
struct search {
	struct isx_query query; /* the caller's is const; its texts stay borrowed */
	struct isx_answer answer;
};

/* The result and everything it points to live in one arena, which isx_result_free() releases. The arena is
 * in memory of its own, so that its address can be kept in result->memory. */
static enum isx_status begin_search(struct isx_store *store, struct search *search,
				    const struct isx_query *query, const struct isx_quota *quota,
				    struct isx_err *err)
{
	*search = (struct search){ .query = *query };
	enum isx_status st = isx_store_complete_query(&search->query, err);
	if (!st && (query->filter || query->facets) && !store->engine->ops->filters)
		st = fail_fields(err);
	if (st)
		return st;
	return isx_answer_begin(&search->answer, sizeof(struct isx_result), quota, err);
}

/* Hand out the result of a search, or drop it. The status may differ from `st`: an engine sees only
 * that memory was refused, and the quota knows why.
 *   result  filled on success; new, free with isx_result_free() */
static enum isx_status end_search(struct search *search, enum isx_status st,
				  struct isx_result **result, struct isx_err *err)
{
	st = isx_answer_end(&search->answer, st, err);
	if (st)
		return st;
	*result = search->answer.result;
	(*result)->memory = search->answer.arena;
	return ISX_OK;
}

/* One search on this thread; the engine may use its other threads meanwhile, and `quota` has to
 * allow that. */
enum isx_status isx_search_within(struct isx_store *store, const char *name,
				  const struct isx_query *query, struct isx_quota *quota,
				  struct isx_result **result, struct isx_err *err)
{
	struct search search;
	enum isx_status st = begin_search(store, &search, query, quota, err);
	if (st)
		return st;
	st = store->engine->ops->search(store->engine, name, &search.query, search.answer.arena,
					search.answer.result, err);
	return end_search(&search, st, result, err);
}

/* Search with the queries that passed their checks: errs[i].status is not ISX_OK for the others.
 * Jobs are those queries without gaps, in the same order.
 *   jobs  room for `count` of them */
static void run_searches(struct isx_store *store, const char *name, struct search *searches,
			 struct isx_search_job *jobs, size_t count, struct isx_result **results,
			 struct isx_err *errs)
{
	size_t job_count = 0, next = 0;
	for (size_t i = 0; i < count; i++)
		if (!errs[i].status)
			jobs[job_count++] =
				(struct isx_search_job){ .query = &searches[i].query,
							 .arena = searches[i].answer.arena,
							 .result = searches[i].answer.result };
	isx_engine_search_many(store->engine, name, jobs, job_count);
	for (size_t i = 0; i < count; i++) {
		if (errs[i].status)
			continue;
		struct isx_search_job *job = &jobs[next++];
		enum isx_status st = end_search(&searches[i], job->status, &results[i], &job->err);
		if (st) /* an engine may have left a message of something that it got over */
			errs[i] = job->err;
		errs[i].status = st;
	}
}

/* Engines report a missing index for each query, in words that no other failure has. */
static bool is_without_index(const char *name, const struct isx_err *err)
{
	char msg[sizeof err->msg];
	snprintf(msg, sizeof msg, "Index '%s' not found", name);
	return err->status == ISX_NOT_FOUND && strcmp(err->msg, msg) == 0;
}

/* Fails as a whole only without memory, or if the index is missing or cannot be read. Any other
 * failure is that of one query, in errs[i], and leaves results[i] NULL. */
enum isx_status isx_search_many_within(struct isx_store *store, const char *name,
				       const struct isx_query *queries, size_t count,
				       struct isx_quota *quota, struct isx_result **results,
				       struct isx_err *errs, struct isx_err *err)
{
	struct isx_index_info info;
	struct search *searches = isx_mem_array(count, sizeof *searches);
	struct isx_search_job *jobs = isx_mem_array(count, sizeof *jobs);
	size_t found = 0, refused = 0;
	enum isx_status st = searches && jobs ? ISX_OK : isx_fail_memory(err);
	for (size_t i = 0; !st && i < count; i++) {
		results[i] = NULL;
		errs[i] = (struct isx_err){ 0 };
		errs[i].status = begin_search(store, &searches[i], &queries[i], quota, &errs[i]);
		refused += errs[i].status != ISX_OK;
	}
	if (!st)
		run_searches(store, name, searches, jobs, count, results, errs);
	isx_mem_free(searches);
	isx_mem_free(jobs);
	if (st)
		return st;
	for (size_t i = 0; i < count; i++) {
		found += results[i] != NULL;
		if (is_without_index(name, &errs[i]))
			st = isx_err_pass(err, &errs[i]);
	}
	/* No engine has looked for the index: no query reached it. */
	if (refused == count) {
		st = isx_index_stat(store, name, &info, err);
		if (!st)
			isx_index_info_release(&info);
	}
	/* An index that was deleted meanwhile: what was found before still counts. */
	return found ? ISX_OK : st;
}

/* Without `errs` a query that failed is known by its result, which is NULL. */
enum isx_status isx_search_many(struct isx_store *store, const char *name,
				const struct isx_query *queries, size_t count,
				struct isx_result **results, struct isx_err *errs,
				struct isx_err *err)
{
	struct isx_err *own = errs ? NULL : isx_mem_array(count, sizeof *own);
	if (!errs && !own)
		return isx_fail_memory(err);
	enum isx_status st = isx_search_many_within(store, name, queries, count, NULL, results,
						    errs ? errs : own, err);
	isx_mem_free(own);
	return st;
}

/* Without a quota: a host program bounds the memory of a result by `limit`. */
enum isx_status isx_search(struct isx_store *store, const char *name, const struct isx_query *query,
			   struct isx_result **result, struct isx_err *err)
{
	return isx_search_within(store, name, query, NULL, result, err);
}

/* result->memory is the arena; without a quota, as it was borrowed for the search. */
void isx_result_free(struct isx_result *result)
{
	if (result)
		isx_answer_free(result, result->memory);
}

/* The index itself is refused as its reference: every asset would be a pair with itself. */
static enum isx_status check_duplicates(const struct isx_store *store, const char *name,
					const struct isx_duplicates_query *query,
					struct isx_err *err)
{
	const struct isx_store *other = query->against_store ? query->against_store : store;
	for (size_t i = 0; i < sizeof query->reserved / sizeof query->reserved[0]; i++)
		if (query->reserved[i])
			return isx_fail(err, ISX_INVALID,
					"duplicates: expected 0 in `reserved`: clear the struct "
					"before you fill it");
	if (query->has_min_score &&
	    !(query->min_score >= 0 && query->min_score <= 1)) /* NaN, too */
		return isx_fail(err, ISX_INVALID, "min_score: expected 0 to 1");
	if (query->against && other == store && strcmp(query->against, name) == 0)
		return isx_fail(err, ISX_INVALID,
				"against: '%s' is the index itself: leave the reference out to "
				"compare its assets with each other",
				name);
	return ISX_OK;
}

/* Engines always get a min_score: the default is the same for all of them. */
enum isx_status isx_duplicates(struct isx_store *store, const char *name,
			       const struct isx_duplicates_query *query, isx_pair_fn *found,
			       void *arg, struct isx_err *err)
{
	struct isx_engine *engine = store->engine, *reference = NULL;
	struct isx_duplicates_query asked = *query;
	enum isx_status st = check_duplicates(store, name, query, err);
	if (st)
		return st;
	if (!engine->ops->duplicates)
		return isx_fail(err, ISX_UNSUPPORTED,
				"this engine cannot find near-duplicates: expected an index of "
				"usearch://");
	if (!asked.has_min_score)
		asked.min_score = ISX_DUPLICATES_SCORE_DEFAULT;
	if (asked.against)
		reference = asked.against_store ? asked.against_store->engine : engine;
	return engine->ops->duplicates(engine, name, reference, &asked, found, arg, err);
}
