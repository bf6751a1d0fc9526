/*
 * iscc_search.h - the public interface of libiscc_search: open a store, keep assets in its indexes,
 *                 and ask which of them are like a given ISCC.
 *
 * A *store* is what an index URI names; it holds any number of named *indexes*; an index holds
 * *assets*, each known by its ISCC-ID and described by ISCC-UNITs (and, if wanted, simprints and
 * metadata). The URI picks the engine:
 *
 *	usearch:///dir	similarity search, one LMDB file per index: dir/NAME/index.lmdb
 *	memory://	the same engine on files that vanish with the process
 *	lmdb:///dir	units that begin alike, one LMDB file per index: dir/NAME.lmdb
 *	postgresql://...	similarity search for many hosts, on a PostgreSQL server
 *	http://host:8000	another server with the same API (also https://)
 *
 * A first program, examples/search.c:
 *
 *	#include <iscc_search.h>
 *	#include <stdio.h>
 *
 *	static const char *const text[] = {
 *		"ISCC:EADR5BPDM23VE2Z636LGF3FNDCVML5RBQIE6L4JH6VP4SCSTHAQ7UJA"
 *	};
 *	static const char *const edited[] = {
 *		"ISCC:EADR5BHTN235E2Z63OLWF3FNTCVML5RBQIA6L4JH6FP4QCSTHAQ7UJA"
 *	};
 *
 *	static enum isx_status add_and_search(struct isx_store *store, struct isx_err *err)
 *	{
 *		const struct isx_asset assets[] = {
 *			{ .iscc_id = "ISCC:MAIGHXLN555Y2DFF", .units = text, .unit_count = 1 },
 *			{ .iscc_id = "ISCC:MAIGGXO25TIIJR7F", .units = edited, .unit_count = 1 },
 *		};
 *		const struct isx_query query = { .units = text, .unit_count = 1, .limit = 10 };
 *		struct isx_result *result;
 *
 *		enum isx_status st = isx_index_create(store, "default", err);
 *		if (st && st != ISX_EXISTS)
 *			return st;
 *		st = isx_add(store, "default", assets, 2, NULL, err);
 *		if (!st)
 *			st = isx_search(store, "default", &query, &result, err);
 *		if (st)
 *			return st;
 *		for (size_t i = 0; i < result->match_count; i++)
 *			printf("%.4f %s\n", result->matches[i].score, result->matches[i].iscc_id);
 *		isx_result_free(result);
 *		return ISX_OK;
 *	}
 *
 *	int main(int argc, char **argv)
 *	{
 *		struct isx_store *store = NULL;
 *		struct isx_err err;
 *
 *		enum isx_status st = isx_open(argc > 1 ? argv[1] : "memory://", NULL, &store, &err);
 *		if (!st)
 *			st = add_and_search(store, &err);
 *		if (st)
 *			fprintf(stderr, "%s\n", err.msg);
 *		isx_close(store);
 *		return st != ISX_OK;
 *	}
 *
 * Errors: every function that can fail returns a status, 0 for success, and writes what went wrong
 * into `err` (which may be NULL) in words meant for the person who made the call. A call that
 * failed changed nothing. Out parameters are only written on success, but for `outcomes` of isx_add(),
 * which then mean nothing, and the report of isx_index_check().
 *
 * Threads: a store may be used by any number of threads at once. The library starts threads of its
 * own, with all signals blocked, and has joined each of them when isx_close() returns:
 *
 *	isx-scan	usearch://, memory:// and followers of postgresql://: up to `threads` - 1 (struct
 *			isx_options) while a search compares very many simprints
 *	isx-sweep	one per usearch:// and lmdb:// store (and per store of followers), from its first
 *			use on: closes the files of indexes that another process deletes or replaces
 *	isx-copy	one while isx_index_backup() copies, two while isx_index_compact() does
 *	pg-loader	one per postgresql:// store with followers, from its first search or change on
 *
 * libcurl may start one more to resolve the name of an http:// store, with the signals blocked that the
 * calling thread blocks.
 *
 * There is nothing to initialise before isx_open(), which may be called from any thread.
 *
 * Processes: any number of them may open the same directory, for reading and for writing. Open a
 * store after fork(), not before.
 *
 * Versions: a release that a program built with the release before cannot use has another number in its
 * soname, libiscc_search.so.N. Before 1.0 a release 0.N.0 may be one; 0.N.1 and so on never are. From 1.0
 * on only a new MAJOR version is, nothing that is declared here changes its meaning, and what is to go is
 * marked as deprecated for one minor version at least. Between such releases functions and statuses are
 * added, and structs grow: struct isx_options at its end, which its `size` tells, and others into
 * their `reserved` members, which a program leaves 0 in what it hands in and does not read in what it
 * gets. So clear a struct before you fill it: `struct isx_asset asset = { 0 };`. struct isx_err,
 * isx_simprint, isx_query_simprints, isx_type_score, isx_index_part, isx_logger and isx_index_problem
 * stay as they are. Expect a status that this header does not list.
 *
 * Ownership: pointers into this library's functions are *borrowed* until the call returns. What is
 * handed out is *new* and has to be given back to the function named beside it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISCC_SEARCH_H
#define ISCC_SEARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The version of this header. isx_version() and isx_version_number() are those of the library that
 * is loaded, which may be a later one. */
#define ISX_VERSION_MAJOR  0
#define ISX_VERSION_MINOR  4
#define ISX_VERSION_PATCH  0
#define ISX_VERSION        "0.4.0"
#define ISX_VERSION_NUMBER (ISX_VERSION_MAJOR * 10000 + ISX_VERSION_MINOR * 100 + ISX_VERSION_PATCH)

/* What went wrong. */
enum isx_status {
	ISX_OK = 0,
	ISX_INVALID,   /* the content of the input is wrong: an undecodable ISCC, a wrong realm */
	ISX_SCHEMA,    /* the shape of the input is wrong: a missing field, a number for a text */
	ISX_NOT_FOUND, /* no such index or asset */
	ISX_EXISTS,    /* an index of that name is there already */
	ISX_UNAUTHORIZED, /* a key is needed, and this one is not it */
	ISX_TOO_LARGE,    /* the input is over a ceiling that the message names */
	ISX_READ_ONLY,    /* the store was opened for reading, or its disk cannot be written */
	ISX_FULL,         /* the disk or the address space set aside for an index is used up */
	ISX_UNAVAILABLE,  /* busy, or another server cannot be reached: try again later */
	ISX_CORRUPT,      /* a file is not what it should be */
	ISX_IO,           /* the operating system refused */
	ISX_NO_MEMORY,    /* memory ran out */
	ISX_CANCELLED,    /* cancel_check() of the query ended the search */
	ISX_UNSUPPORTED,  /* this kind of store, or this build of the library, cannot do it */
};

struct isx_err {
	enum isx_status status;
	char msg[256];          /* UTF-8, one line, always terminated */
	size_t position;        /* of the asset at fault in the array that was added, from 0, or
			    ISX_NO_POSITION: none is, or it is not known which */
	uint32_t retry_after_s; /* of ISX_UNAVAILABLE: try again in so many seconds; 0: not known */
};
#define ISX_NO_POSITION SIZE_MAX

/* ISX_API marks what the shared library exports, ISX_MUST_CHECK a result that must be looked at. */
#if defined(__GNUC__)
#define ISX_API        __attribute__((visibility("default")))
#define ISX_MUST_CHECK __attribute__((warn_unused_result))
#else
#define ISX_API
#define ISX_MUST_CHECK
#endif

/* How much a message of the log matters. */
enum isx_log_level { ISX_LOG_DEBUG, ISX_LOG_INFO, ISX_LOG_WARNING, ISX_LOG_ERROR };

/* Where a store says what its calls cannot return: that a follower is loaded again, or that an asset of
 * an earlier program cannot be decoded. Without a function the library is silent: it never writes to
 * the standard streams of its program.
 *   fn   called from any thread of the program or of the library, also from several at once; must not
 *        call the store. `message` is one line of UTF-8 without a line end, borrowed until it returns
 *   arg  handed to it; borrowed until the store is closed */
typedef void isx_log_fn(enum isx_log_level level, const char *message, void *arg);
struct isx_logger {
	isx_log_fn *fn; /* NULL: silent */
	void *arg;
};

/* What a store has done since its counters were zero. Threads add to them with atomic operations;
 * read them with such, too. */
struct isx_counters {
	uint64_t rows_scanned; /* comparisons of a stored row with a unit or simprint of a query */
	uint64_t commits;      /* transactions that were written to an index */
	uint64_t reserved[6];
};

/* How a store behaves. Fill with isx_options_init() first: what a later version of this struct has more
 * then keeps its default. */
struct isx_options {
	size_t size;                  /* of this struct in the program, set by isx_options_init() */
	double match_threshold_units; /* 0..1, default 0.75: below it a unit score is no match */
	double match_threshold_simprints; /* 0..1, default 0.75: the same for passages */
	uint32_t confidence_exponent;     /* >= 1, default 4: e in sum(s^e) / sum(s) */
	bool read_only; /* default false: never change an index; a slot in the lock file is still
			   taken where that can be written, so that writers keep what is read */
	bool relaxed;   /* default false: do not wait for the disk after each write, but when the
			   store is closed. A process that is killed loses nothing and damages
			   nothing; a power failure may damage the index */
	uint64_t map_bytes; /* default 0: 1 TiB; address space of an index, which it cannot outgrow.
			       All processes that write to an index should agree on it */
	const char *api_key; /* default NULL: sent as X-API-Key to an http:// store; borrowed until
				open */
	const char *temporary_directory; /* default NULL: /tmp; where memory:// has its files */
	const char *
		postgres_schema; /* default NULL: iscc_search; what is below is for postgresql:// */
	const char
		*postgres_followers; /* default NULL: none; a directory for local copies of what is
					   searched; without one every search is done by SQL */
	const char *postgres_read_uri; /* default NULL: none; a replica that reads go to */
	uint32_t postgres_connections; /* default 8: at most so many at once */
	uint32_t postgres_timeout_s; /* default 30: a server silent for so long counts as gone; what
					  writes or reads a whole index has 30 times as long */
	uint32_t
		postgres_patience_s; /* default 10, at most 3600: a search waits so long for a local
					   copy that is being loaded */
	uint32_t
		threads; /* default 0: one per processor, at most 64; how many threads one search of
			     simprints uses, the calling thread among them. 1: it starts none */
	struct isx_counters *counters; /* default NULL: nothing is counted; borrowed until close */
	struct isx_logger logger;      /* default { NULL, NULL }: no messages */
};

/* Set every option to its default.
 *   size  sizeof *options; for bindings of other languages, C has isx_options_init() */
ISX_API void isx_options_init_sized(struct isx_options *options, size_t size);
static inline void isx_options_init(struct isx_options *options)
{
	isx_options_init_sized(options, sizeof *options);
}

/* One passage of an asset: a headerless similarity hash and where in the work it was taken. A type is
 * 1 to 64 bytes without '/', '\' and control characters, and does not begin with '.' or "assets_"; an
 * index has at most 64. */
struct isx_simprint {
	const char *type;     /* for example "CONTENT_TEXT_V0" */
	const char *simprint; /* base64url or base64, with or without padding; at most 256 bits */
	uint32_t offset;      /* start of the passage; bytes for text, milliseconds for sound */
	uint32_t size;        /* its extent in the same unit */
};

/* One asset as it is added. Texts are UTF-8 and terminated. What has not the shape that is said here
 * is refused with ISX_INVALID, by every engine. Metadata is JSON as RFC 8259 has it, nested at most
 * 511 deep. */
struct isx_asset {
	const char *iscc_id;   /* required, the key: "ISCC:" and 16 of A-Z and 2-7 */
	const char *iscc_code; /* "ISCC:" and 16 or more of A-Z and 2-7, or NULL; an ISCC-CODE has
				  to be as long as its header says. Searched by its units, if it has
				  any, where `units` is empty */
	const char *const *units; /* ISCC-UNITs as texts, each of which can be decoded */
	size_t unit_count;        /* at most 64; several of one type may be there */
	const struct isx_simprint *simprints; /* entries of one type are neighbours */
	size_t simprint_count;
	const char *metadata; /* a JSON object, given back byte for byte, or NULL */
	uint64_t reserved[2]; /* 0 */
};

/* What an add did to one asset. */
enum isx_outcome { ISX_CREATED, ISX_UPDATED };

/* The simprints of one type in a query. */
struct isx_query_simprints {
	const char *type;
	const char *const *values; /* base64url or base64 */
	size_t count;
};

/* Which fields of a query a client named, if only to say null: a result repeats exactly those. */
enum {
	ISX_QUERY_HAS_ISCC_ID = 1 << 0,
	ISX_QUERY_HAS_ISCC_CODE = 1 << 1,
	ISX_QUERY_HAS_UNITS = 1 << 2,
	ISX_QUERY_HAS_SIMPRINTS = 1 << 3
};

/* A question. `iscc_id` wins over everything else ("more like this one"); otherwise `units`, or the
 * units of `iscc_code` where there are none; `simprints` ask for passages beside either. */
struct isx_query {
	const char *iscc_id;   /* or NULL */
	const char *iscc_code; /* or NULL; an ISCC-CODE has to be as long as its header says */
	const char *const *units;
	size_t unit_count; /* at most 64 */
	const struct isx_query_simprints *simprints;
	size_t simprint_type_count;
	bool own_chunks; /* with iscc_id: also search the simprints that asset has stored */
	uint32_t named;  /* ISX_QUERY_HAS_...; set fields count as named without it */
	size_t limit;    /* at most so many matches; 0 for the default of 100 */
	/* Called when the search begins and regularly while it scans or waits for a database, from
	 * any thread that works for the search; an http:// store does not call it. Anything but
	 * ISX_OK, for example ISX_CANCELLED, ends the search with that status. NULL: the search
	 * cannot be cancelled. */
	enum isx_status (*cancel_check)(void *cancel_arg, struct isx_err *err);
	/* The search begins or ends to wait for something that takes no processor, so that who counts
	 * threads can let another one run meanwhile. False, when it begins: it must not wait, and fails
	 * with ISX_UNAVAILABLE. NULL: nobody counts. */
	bool (*waits)(void *cancel_arg, bool begins);
	void *cancel_arg;     /* handed to cancel_check() and waits() */
	uint64_t reserved[3]; /* 0 */
};

/* The score of one unit type in one match: 1 - differing bits / compared bits. */
struct isx_type_score {
	const char *type; /* for example "CONTENT_TEXT_V0" */
	double score;     /* 0..1 */
};

/* One asset that is like the query. */
struct isx_match {
	char iscc_id[24];
	double score; /* sum(s^e) / sum(s) over the unit scores s >= threshold; lmdb://: their mean */
	const struct isx_type_score *types; /* every queried type the asset carries */
	size_t type_count;
	const char *metadata; /* JSON, or NULL */
	uint64_t reserved[2];
};

/* One passage of a match that is like one of the query. */
struct isx_chunk {
	const char *query; /* the query's simprint, base64url */
	const char *match; /* the stored one */
	double score;      /* 0..1 */
	uint64_t freq;     /* assets that hold exactly the stored simprint; counted up to 1,000 */
	uint32_t offset;   /* of the passage in the stored work */
	uint32_t size;
	uint64_t reserved[1];
};

/* The passages of one simprint type in one match. */
struct isx_chunk_type {
	const char *type;
	double score;   /* sum(idf * score) over what matched / sum(idf) over what was asked */
	size_t matches; /* simprints of the query that matched */
	size_t queried; /* simprints of the query */
	const struct isx_chunk *chunks; /* `matches` of them, in the order of the query */
	uint64_t reserved[2];
};

/* One asset that shares passages with the query. */
struct isx_chunk_match {
	char iscc_id[24];
	double score; /* the mean over the types that matched */
	const struct isx_chunk_type *types;
	size_t type_count;
	const char *metadata; /* JSON, or NULL */
	uint64_t reserved[2];
};

/* An answer: matches by falling score, equal scores by rising ISCC-ID. */
struct isx_result {
	struct isx_query query; /* as it was understood, with derived units or code */
	const struct isx_match *matches;
	size_t match_count;
	const struct isx_chunk_match *chunk_matches; /* of the query's simprints */
	size_t chunk_match_count;
	void *memory; /* what all pointers above point into */
	uint64_t reserved[4];
};

/* What one part of an index takes up. */
struct isx_index_part {
	char name[80]; /* "lmdb", a unit type, or "SIMPRINT_" and a simprint type */
	uint64_t bytes;
};

/* What is known of an index. */
struct isx_index_info {
	char name[64];
	uint64_t assets;
	uint64_t bytes;   /* on disk, all parts */
	uint32_t readers; /* read transactions in it now, of all processes; 0: not known */
	struct isx_index_part *parts; /* the first is "lmdb" */
	size_t part_count;
	uint64_t reserved[4];
};

struct isx_store;

/* Open the store that `uri` names; a directory that is missing is created.
 *   options  borrowed, NULL for the defaults
 *   store    new, close with isx_close()
 * ISX_INVALID: not an index URI, or an option out of its range. ISX_UNSUPPORTED: an engine that this
 * library was built without, or an option of a later version. */
ISX_API ISX_MUST_CHECK enum isx_status isx_open(const char *uri, const struct isx_options *options,
						struct isx_store **store, struct isx_err *err);

/* Close a store that no thread uses any more: what a relaxed one still owes the disk is written.
 * NULL is allowed. */
ISX_API void isx_close(struct isx_store *store);

/* The options it was opened with. Texts in them may be gone. */
ISX_API const struct isx_options *isx_store_options(const struct isx_store *store);

/* Create an empty index. Its name is 1 to 32 of a-z and 0-9, a letter first. */
ISX_API ISX_MUST_CHECK enum isx_status isx_index_create(struct isx_store *store, const char *name,
							struct isx_err *err);

/* Delete an index and everything in it. Searches that run in it end undisturbed. */
ISX_API ISX_MUST_CHECK enum isx_status isx_index_delete(struct isx_store *store, const char *name,
							struct isx_err *err);

/* What is known of one index. `info` is filled; release it with isx_index_info_release(). */
ISX_API ISX_MUST_CHECK enum isx_status isx_index_stat(struct isx_store *store, const char *name,
						      struct isx_index_info *info,
						      struct isx_err *err);
ISX_API void isx_index_info_release(struct isx_index_info *info);

/* All indexes by name.
 *   infos  new array of *count, free with isx_index_list_free() */
ISX_API ISX_MUST_CHECK enum isx_status isx_index_list(struct isx_store *store,
						      struct isx_index_info **infos, size_t *count,
						      struct isx_err *err);
ISX_API void isx_index_list_free(struct isx_index_info *infos, size_t count);

/* How far a long copy has come. */
typedef void isx_progress_fn(uint64_t bytes_done, uint64_t bytes_total, void *arg);

/* Copy an index, as it is at one moment, to the new file `path`, while others read and write it. The
 * copy appears under its name when it is complete, on disk, and right (as isx_index_check() has it). An
 * index is brought back by copying
 * the file beside its place in a store and renaming it: to DIR/NAME/index.lmdb (usearch://) or to
 * DIR/NAME.lmdb (lmdb://).
 *   replace   whether a file of that name may be replaced
 *   progress  called now and then by the thread of the caller; may be NULL
 * ISX_EXISTS: the file is there. ISX_INVALID: a store of another server, or `path` is the file of an
 * index of this store, or of one in use. ISX_CORRUPT: the index is damaged; there is no copy. */
ISX_API ISX_MUST_CHECK enum isx_status isx_index_backup(struct isx_store *store, const char *name,
							const char *path, bool replace,
							isx_progress_fn *progress, void *arg,
							struct isx_err *err);

/* Give back the free space of an index: copy what is in use to a new file, which takes the place of
 * the old one. Others may read meanwhile; writers of all processes wait. Other processes let
 * go of the old file within a second or two. ISX_CORRUPT: the index is damaged, and stays as it is. */
struct isx_compaction {
	uint64_t bytes_before;
	uint64_t bytes_after;
	uint64_t reserved[4];
};
ISX_API ISX_MUST_CHECK enum isx_status isx_index_compact(struct isx_store *store, const char *name,
							 struct isx_compaction *done,
							 isx_progress_fn *progress, void *arg,
							 struct isx_err *err);

/* Check everything that has to be true of an index's file: its pages, the order and the lengths of
 * its rows, that every asset can be read and has its rows, and that every row belongs to an asset.
 * Writes nothing. What is wrong is a *finding*, not a failure of the call. */
struct isx_check {
	uint64_t pages;        /* in use */
	uint64_t assets;       /* read */
	uint64_t rows;         /* of units and simprints, compared with their assets */
	uint64_t unsearchable; /* assets with units that cannot be decoded, as 0.3.3 takes them: no
				  findings */
	uint64_t findings;
	bool is_derived; /* false: 0.3.3 wrote last, and rows were not compared, as they will be
			    made again at the next use */
	uint64_t reserved[4];
};
typedef void isx_finding_fn(const char *text, void *arg);

/*   report  filled, also when the call fails: what was checked until then
 *   found   called with each finding, one line of text; may be NULL */
ISX_API ISX_MUST_CHECK enum isx_status isx_index_check(struct isx_store *store, const char *name,
						       struct isx_check *report,
						       isx_finding_fn *found, void *arg,
						       struct isx_err *err);

/* An index that cannot be used, and why. */
struct isx_index_problem {
	char name[64];
	struct isx_err cause;
};

/* Can the store be used? Fails where its indexes cannot even be listed.
 *   problems  new array of *count (often 0), free with isx_index_problems_free() */
ISX_API ISX_MUST_CHECK enum isx_status isx_ready(struct isx_store *store,
						 struct isx_index_problem **problems, size_t *count,
						 struct isx_err *err);
ISX_API void isx_index_problems_free(struct isx_index_problem *problems);

/* What this host copies from a database so that it can be searched here, while it takes long. */
struct isx_load {
	char name[64];   /* of the index */
	uint64_t done;   /* rows so far */
	uint64_t total;  /* rows there will be; of passages an estimate */
	uint32_t left_s; /* seconds it will still take, at the speed so far */
};

/* Which loads are under way, by all processes of this host; cheap.
 *   loads  new array of *count (mostly 0), free with isx_loads_free() */
ISX_API ISX_MUST_CHECK enum isx_status isx_loads(struct isx_store *store, struct isx_load **loads,
						 size_t *count, struct isx_err *err);
ISX_API void isx_loads_free(struct isx_load *loads);

/* Add assets, or replace those whose ISCC-ID is there already: all of them or, on any error, none.
 * When the call returns they are on disk (unless the store is relaxed) and found by every search
 * that starts afterwards, in this process or another. An update replaces all units; simprints stay
 * unless the update has some of their type. Of two assets with one ISCC-ID the last one counts.
 *   outcomes  filled: one per asset, in their order; may be NULL */
ISX_API ISX_MUST_CHECK enum isx_status isx_add(struct isx_store *store, const char *name,
					       const struct isx_asset *assets, size_t count,
					       enum isx_outcome *outcomes, struct isx_err *err);

/* Add assets one by one: the writer copies them and adds a few thousand at a time, each lot as isx_add()
 * does it, whole or not at all.
 *
 *	isx_writer_open(store, "default", &writer, &err);
 *	while (has_more(&asset) && !is_cancelled())
 *		if (isx_writer_put(writer, &asset, &err) && err.status == ISX_INVALID)
 *			report(&asset, err.msg);
 *	isx_writer_flush(writer, &err);
 *	isx_writer_close(writer);
 *
 * A writer is used by one thread at a time and closed before its store.
 *   writer  new, close with isx_writer_close() */
struct isx_writer;
ISX_API ISX_MUST_CHECK enum isx_status isx_writer_open(struct isx_store *store, const char *name,
						       struct isx_writer **writer,
						       struct isx_err *err);

/* Take an asset. A call that fails has not taken it, and everything taken before is as it was: after
 * ISX_INVALID, which is said of this asset alone, go on with the next one. A failure to add the assets
 * that were taken before says so; the call may be made again. */
ISX_API ISX_MUST_CHECK enum isx_status isx_writer_put(struct isx_writer *writer,
						      const struct isx_asset *asset,
						      struct isx_err *err);

/* Add what was taken: when this returns ISX_OK, all of it is on disk and found. After a failure
 * none of what was waiting is, and it still waits: call again, or close the writer. err->position counts
 * all assets that were taken. */
ISX_API ISX_MUST_CHECK enum isx_status isx_writer_flush(struct isx_writer *writer,
							struct isx_err *err);

/* How far a writer has come. */
struct isx_writer_counts {
	uint64_t created; /* assets on disk that were new */
	uint64_t updated; /* assets on disk that have replaced others */
	uint64_t waiting; /* assets taken, not yet on disk */
	uint64_t reserved[5];
};
ISX_API void isx_writer_count(const struct isx_writer *writer, struct isx_writer_counts *counts);

/* End. What was not flushed is forgotten: closing a writer early cancels the rest. NULL is allowed. */
ISX_API void isx_writer_close(struct isx_writer *writer);

/* One asset as a JSON object: the fields that were added, without simprints.
 *   json  new, terminated, free with isx_text_free() */
ISX_API ISX_MUST_CHECK enum isx_status isx_get(struct isx_store *store, const char *name,
					       const char *iscc_id, char **json,
					       struct isx_err *err);
ISX_API void isx_text_free(char *text);

/* One asset with everything that is stored of it, as it could be added again. A simprint comes as
 * base64url without padding, in the order of offset and size within its type. From another server
 * (http://) it comes without its simprints.
 *   asset  new, free with isx_asset_free() */
ISX_API ISX_MUST_CHECK enum isx_status isx_asset_get(struct isx_store *store, const char *name,
						     const char *iscc_id, struct isx_asset **asset,
						     struct isx_err *err);
ISX_API void isx_asset_free(struct isx_asset *asset);

/* Go through the assets of an index in the order of their ISCC-IDs, which is that of time, with
 * everything that is stored of them: one snapshot, whatever is added and removed meanwhile.
 *
 *	isx_cursor_open(store, "default", NULL, &cursor, &err);
 *	while (!isx_cursor_next(cursor, &asset, &err) && asset)
 *		printf("%s\n", asset->iscc_id);
 *	isx_cursor_close(cursor);
 *
 * A cursor is used by one thread at a time and closed before its store. While it is open, space that
 * writers free is not used again and the file grows by what is written: close it soon. One of
 * postgresql:// holds one of the store's connections, and ends with ISX_UNAVAILABLE when it is not
 * used for a minute.
 *   from    an ISCC-ID, which need not be stored: the assets before it are left out; NULL: none are
 *   cursor  new, close with isx_cursor_close()
 * ISX_INVALID: `from` is no ISCC-ID, or of another realm than the index. ISX_UNSUPPORTED: an http://
 * store, whose API has no such request. */
struct isx_cursor;
ISX_API ISX_MUST_CHECK enum isx_status isx_cursor_open(struct isx_store *store, const char *name,
						       const char *from, struct isx_cursor **cursor,
						       struct isx_err *err);

/* The next asset.
 *   asset  filled: borrowed until the next call with this cursor; NULL behind the last one
 * ISX_CORRUPT: this one cannot be read; the next call goes on behind it. */
ISX_API ISX_MUST_CHECK enum isx_status isx_cursor_next(struct isx_cursor *cursor,
						       const struct isx_asset **asset,
						       struct isx_err *err);

/* NULL is allowed. */
ISX_API void isx_cursor_close(struct isx_cursor *cursor);

/* Remove one asset and all that was derived from it. */
ISX_API ISX_MUST_CHECK enum isx_status isx_remove(struct isx_store *store, const char *name,
						  const char *iscc_id, struct isx_err *err);

/* The assets most like the query, exactly: nothing that reaches the threshold is overlooked.
 *   result  new, free with isx_result_free()
 * ISX_NOT_FOUND: no such index, or no asset of the query's iscc_id. */
ISX_API ISX_MUST_CHECK enum isx_status isx_search(struct isx_store *store, const char *name,
						  const struct isx_query *query,
						  struct isx_result **result, struct isx_err *err);
ISX_API void isx_result_free(struct isx_result *result);

/* The version of the library that is loaded: "MAJOR.MINOR.PATCH", and MAJOR * 10000 + MINOR * 100 +
 * PATCH. */
ISX_API const char *isx_version(void);
ISX_API uint32_t isx_version_number(void);

/* The short name of a status, for logs: "not_found"; "unknown" for a number that is none. */
ISX_API const char *isx_status_name(enum isx_status status);

#ifdef __cplusplus
}
#endif
#endif
