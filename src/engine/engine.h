/*
 * engine.h - what an engine is: the table of functions behind the public interface.
 *
 * service/service.c checks names and options and calls the engine. tests/unit/test_store.c runs one
 * suite over all engines. Unless said otherwise a function may be called from any thread, and an
 * index that does not exist is ISX_NOT_FOUND with "Index 'NAME' not found".
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_ENGINE_H
#define ISX_ENGINE_H

#include "base/buf.h"
#include "base/mem.h"
#include "engine/meter.h"

struct isx_engine {
	const struct isx_engine_ops *ops;
	struct isx_options options;
};

/* Which assets a walk reads: those with an ISCC-ID body of `first` to `last`. */
struct isx_walk_range {
	const char *from; /* an ISCC-ID, whose realm has to be that of the index; NULL: none */
	uint64_t first;
	uint64_t last;
	int hub;        /* of this hub number only; -1: of any */
	bool simprints; /* read the simprints, too */
};

/* The least ISCC-ID body of `from` or more with hub number `hub` (-1: any); false: there is
 * none. */
static inline bool isx_hub_next(uint64_t from, int hub, uint64_t *next)
{
	enum { HUBS = 1 << 12 }; /* iscc_id.h */
	uint64_t base = from & ~(uint64_t)(HUBS - 1);
	*next = hub < 0 ? from : base | (uint64_t)hub;
	return *next >= from || !__builtin_add_overflow(*next, (uint64_t)HUBS, next);
}

/* A walk through the assets of one snapshot. It is used by one thread at a time. */
struct isx_walk {
	/* Read the next asset into *asset, which lives in `arena`. *more is false after the last
	 * one. ISX_CORRUPT: this asset cannot be read; the next call continues with the one after
	 * it. */
	enum isx_status (*next)(struct isx_walk *walk, struct isx_arena *arena,
				struct isx_asset *asset, bool *more, struct isx_err *err);
	/* End and free the walk. */
	void (*close)(struct isx_walk *walk);
};

/* One of several queries that are searched in one call. */
struct isx_search_job {
	const struct isx_query *query; /* its limit is at least 1 */
	struct isx_arena *arena;       /* of this job alone; *result lives there */
	struct isx_result *result;     /* filled if `status` is ISX_OK */
	enum isx_status status;        /* filled */
	struct isx_err err;            /* filled if `status` is a failure */
};

struct isx_engine_ops {
	/* Close and free the engine. The caller makes sure that no other call runs. */
	void (*close)(struct isx_engine *engine);
	/* All indexes by name, as isx_index_list(). */
	enum isx_status (*list)(struct isx_engine *engine, struct isx_index_info **infos,
				size_t *count, struct isx_err *err);
	/* As isx_ready(); NULL: ready when the indexes can be listed. */
	enum isx_status (*ready)(struct isx_engine *engine, struct isx_index_problem **problems,
				 size_t *count, struct isx_err *err);
	/* As isx_loads(); NULL: nothing is ever loaded. */
	enum isx_status (*loads)(struct isx_engine *engine, struct isx_load **loads, size_t *count,
				 struct isx_err *err);
	enum isx_status (*create)(struct isx_engine *engine, const char *name, struct isx_err *err);
	enum isx_status (*drop)(struct isx_engine *engine, const char *name, struct isx_err *err);
	enum isx_status (*stat)(struct isx_engine *engine, const char *name,
				struct isx_index_info *info, struct isx_err *err);
	/* As isx_stats(), but for the fields. NULL, or ISX_UNSUPPORTED: the service walks through
	 * all assets.
	 *   meter  asks whether to go on
	 *   stats  filled; everything in it lives in `arena` */
	enum isx_status (*stats)(struct isx_engine *engine, const char *name,
				 const struct isx_meter *meter, struct isx_arena *arena,
				 struct isx_index_stats *stats, struct isx_err *err);
	/* All or nothing; durable when it returns. outcomes: filled, one per asset, never NULL. */
	enum isx_status (*add)(struct isx_engine *engine, const char *name,
			       const struct isx_asset *assets, size_t count,
			       enum isx_outcome *outcomes, struct isx_err *err);
	/* The same for assets of which some have no iscc_id, where the engine has them given;
	 * NULL: the service gives them.
	 *   iscc_ids  filled: one per asset */
	enum isx_status (*add_unnamed)(struct isx_engine *engine, const char *name,
				       const struct isx_asset *assets, size_t count,
				       enum isx_outcome *outcomes, char (*iscc_ids)[24],
				       struct isx_err *err);
	/* Append the stored JSON of an asset. */
	enum isx_status (*get)(struct isx_engine *engine, const char *name, const char *iscc_id,
			       struct isx_buf *json, struct isx_err *err);
	/* As isx_get_many(); NULL: get() is called for each. */
	enum isx_status (*get_many)(struct isx_engine *engine, const char *name,
				    const char *const *iscc_ids, size_t count, char **jsons,
				    struct isx_err *err);
	/* As isx_remove_many(). */
	enum isx_status (*remove)(struct isx_engine *engine, const char *name,
				  const char *const *iscc_ids, size_t count, bool *removed,
				  struct isx_err *err);
	/* As isx_metadata_set(). */
	enum isx_status (*set_metadata)(struct isx_engine *engine, const char *name,
					const char *iscc_id, const char *metadata,
					struct isx_err *err);
	/* The next three are as in the public interface; NULL: the store is on another server. */
	enum isx_status (*backup)(struct isx_engine *engine, const char *name, const char *path,
				  bool replace, isx_progress_fn *progress, void *arg,
				  struct isx_err *err);
	enum isx_status (*compact)(struct isx_engine *engine, const char *name,
				   struct isx_compaction *done, isx_progress_fn *progress,
				   void *arg, struct isx_err *err);
	enum isx_status (*check)(struct isx_engine *engine, const char *name,
				 struct isx_check *report, isx_finding_fn *found, void *arg,
				 struct isx_err *err);
	/* As isx_fields_get() and isx_fields_set(), whose `fields` are JSON pointers, each once. NULL:
	 * the engine has no fields. */
	enum isx_status (*fields_get)(struct isx_engine *engine, const char *name, char ***fields,
				      size_t *count, struct isx_err *err);
	enum isx_status (*fields_set)(struct isx_engine *engine, const char *name,
				      const char *const *fields, size_t count,
				      isx_progress_fn *progress, void *arg, struct isx_err *err);
	/* Does search() obey `filter` and `facets` of a query? If not, the service refuses them. */
	bool filters;
	/* Begin a walk over the assets of a range, in the order of their ISCC-IDs. ISX_UNSUPPORTED: a
	 * server of an earlier version.
	 *   range  copied, but for its text
	 *   walk   new, closed before the engine is */
	enum isx_status (*walk)(struct isx_engine *engine, const char *name,
				const struct isx_walk_range *range, struct isx_walk **walk,
				struct isx_err *err);
	/* As isx_duplicates(); query->min_score is set. NULL: the engine cannot.
	 *   reference  the engine of query->against; NULL: there is no reference */
	enum isx_status (*duplicates)(struct isx_engine *engine, const char *name,
				      struct isx_engine *reference,
				      const struct isx_duplicates_query *query, isx_pair_fn *found,
				      void *arg, struct isx_err *err);
	/* As isx_compare(), where another server compares; NULL: the service does. Everything in
	 * *comparison lives in `arena`. ISX_UNSUPPORTED: a server of an earlier version. */
	enum isx_status (*compare)(struct isx_engine *engine, const struct isx_work *a,
				   const struct isx_work *b, const struct isx_query *conditions,
				   struct isx_arena *arena, struct isx_comparison *comparison,
				   struct isx_err *err);
	/* query->limit is at least 1. Everything in *result lives in `arena`. */
	enum isx_status (*search)(struct isx_engine *engine, const char *name,
				  const struct isx_query *query, struct isx_arena *arena,
				  struct isx_result *result, struct isx_err *err);
	/* Search with several queries; each job gets its own status. The threads of the engine may
	 * work on several jobs at once. NULL: isx_engine_search_many() searches one by one. */
	void (*search_many)(struct isx_engine *engine, const char *name,
			    struct isx_search_job *jobs, size_t count);
};

/* Search an index with several queries, of any number. A query that fails does not touch the
 * others: each job gets its own status. */
static inline void isx_engine_search_many(struct isx_engine *engine, const char *name,
					  struct isx_search_job *jobs, size_t count)
{
	if (engine->ops->search_many) {
		engine->ops->search_many(engine, name, jobs, count);
		return;
	}
	for (size_t i = 0; i < count; i++)
		jobs[i].status = engine->ops->search(engine, name, jobs[i].query, jobs[i].arena,
						     jobs[i].result, &jobs[i].err);
}

/* Open the store that a URI names: one function for each engine.
 *   engine  new, closed by its ops->close */
ISX_MUST_CHECK enum isx_status isx_sim_open(const char *directory,
					    const struct isx_options *options,
					    struct isx_engine **engine, struct isx_err *err);
ISX_MUST_CHECK enum isx_status isx_prefix_open(const char *directory,
					       const struct isx_options *options,
					       struct isx_engine **engine, struct isx_err *err);
ISX_MUST_CHECK enum isx_status isx_memory_open(const struct isx_options *options,
					       struct isx_engine **engine, struct isx_err *err);
ISX_MUST_CHECK enum isx_status isx_remote_open(const char *url, const struct isx_options *options,
					       struct isx_engine **engine, struct isx_err *err);
ISX_MUST_CHECK enum isx_status isx_pg_open(const char *uri, const struct isx_options *options,
					   struct isx_engine **engine, struct isx_err *err);

#endif
