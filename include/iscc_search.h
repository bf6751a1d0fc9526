/*
 * iscc_search.h - the public interface of libiscc_search: open a store, keep assets in its indexes,
 *                 and find the assets that are similar to a given ISCC.
 *
 * An index URI names a *store*, which holds any number of named *indexes*. An index holds *assets*:
 * each has an ISCC-ID as its key, ISCC-UNITs, and optionally simprints and metadata. The scheme of
 * the URI selects the engine:
 *
 *	usearch:///dir	similarity search, one LMDB file per index: dir/NAME/index.lmdb
 *	memory://	the same engine on temporary files that are gone when the process ends
 *	lmdb:///dir	search by common prefixes of units, one LMDB file per index: dir/NAME.lmdb
 *	postgresql://...	similarity search for many hosts, on a PostgreSQL server
 *	http://host:8000	an index on another server with the same API (also https://)
 *
 * "0.3.3" is iscc-search 0.3.3, the program in Python whose files and API this library shares.
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
 * Errors: every function that can fail returns a status, 0 for success, and writes a message for
 * the user into `err`, which may be NULL. A call that failed has changed nothing, except
 * isx_add() to an http:// store, which says what stays. Out parameters
 * are written on success only, with three exceptions: `outcomes` of isx_add(), which mean nothing
 * after a failure, the list of isx_loads(), which is empty then, and the report of
 * isx_index_check().
 *
 * Threads: any number of threads may use a store at once. The library starts threads of its own,
 * with all signals blocked, and joins each of them before isx_close() returns:
 *
 *	isx-scan	usearch://, memory:// and followers of postgresql://: up to `threads` - 1
 *			(struct isx_options) while searches compare very much
 *	isx-join	usearch://, memory:// and followers: `threads` while isx_duplicates()
 *			compares
 *	isx-sweep	one per usearch:// and lmdb:// store (and per store of followers), from its
 *			first use on: closes files of indexes that another process has deleted or
 *			replaced
 *	isx-copy	one while isx_index_backup() copies, two while isx_index_compact() does
 *	pg-loader	one per postgresql:// store with followers, from its first search or change
 *			on
 *
 * libcurl may start one more to resolve the host name of an http:// store; that thread has the
 * signal mask of the calling thread.
 *
 * Nothing has to be initialised before isx_open(), which may be called from any thread.
 *
 * Processes: any number of processes may open the same directory, for reading and for writing. Open
 * a store after fork(), not before.
 *
 * Versions: a release that breaks programs which were built with the release before it gets another
 * number in its soname, libiscc_search.so.N. Before 1.0, a release 0.N.0 may break programs; 0.N.1
 * and later ones of the same N never do. From 1.0 on, only a new MAJOR version may: nothing that is
 * declared here changes its meaning, and a declaration is marked as deprecated for at least one
 * minor version before it is removed.
 *
 * Other releases add functions and statuses, and structs grow: struct isx_options at its end, which
 * its member `size` tells the library, and other structs into their `reserved` members. A program
 * leaves `reserved` 0 in structs that it passes, and does not read it in structs that it gets. So
 * clear a struct before you fill it: `struct isx_asset asset = { 0 };`. struct isx_err,
 * isx_simprint, isx_query_simprints, isx_type_min_score, isx_type_score, isx_index_part, isx_logger
 * and isx_index_problem do not grow. Handle a status that this header does not list as a failure.
 *
 * Ownership: a pointer that is passed to a function is *borrowed* until the call returns, unless
 * its comment says otherwise. A pointer that is handed out is *new*: pass it to the function
 * named beside it when you no longer need it. *filled* is memory of the caller that the function
 * writes.
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

/* The result of a call. */
enum isx_status {
	ISX_OK = 0,
	ISX_INVALID, /* wrong content of the input: an ISCC that cannot be decoded, a wrong realm */
	ISX_SCHEMA,  /* wrong shape of the input: a missing field, a number instead of a text */
	ISX_NOT_FOUND,    /* no such index or asset */
	ISX_EXISTS,       /* an index or a file of that name exists already */
	ISX_UNAUTHORIZED, /* an API key is missing or wrong */
	ISX_TOO_LARGE,    /* the input exceeds a limit that the message names */
	ISX_READ_ONLY,    /* the store is read-only, or may not be written by this program */
	ISX_FULL,         /* the disk, or the address space reserved for an index, is used up */
	ISX_UNAVAILABLE,  /* busy, or another server cannot be reached: try again later */
	ISX_CORRUPT,      /* a file is damaged, or an answer of another server is malformed */
	ISX_IO,           /* a call of the operating system failed */
	ISX_NO_MEMORY,    /* memory ran out */
	ISX_CANCELLED,    /* returned by cancel_check() of a query, to end the search */
	ISX_UNSUPPORTED,  /* this engine, or this build of the library, cannot do it */
};

struct isx_err {
	enum isx_status status;
	char msg[256];          /* UTF-8, one line, always terminated */
	size_t position;        /* of the wrong asset in the array that was added, from 0;
				   ISX_NO_POSITION: no asset is wrong, or not known which */
	uint32_t retry_after_s; /* for ISX_UNAVAILABLE: seconds to wait before the next attempt; 0:
				   not known */
};
#define ISX_NO_POSITION SIZE_MAX

/* ISX_API marks functions that the shared library exports, ISX_MUST_CHECK those whose result
 * must not be ignored. */
#if defined(__GNUC__)
#define ISX_API        __attribute__((visibility("default")))
#define ISX_MUST_CHECK __attribute__((warn_unused_result))
#else
#define ISX_API
#define ISX_MUST_CHECK
#endif

/* How matches are ranked. Matches that rank equally are sorted by ISCC-ID. Passages
 * (`chunk_matches` of struct isx_result) are always ranked by their score. */
enum isx_rank {
	ISX_RANK_STORE = 0,    /* in a query: as the option `rank` of the store says */
	ISX_RANK_SCORE,        /* by `score` of struct isx_match, the highest first */
	ISX_RANK_SIGNIFICANCE, /* by `expect` of struct isx_match, the lowest first */
	ISX_RANK_TIERED,       /* by `tier`, then by `tier_score`, the highest first */
};

/* The severity of a log message. */
enum isx_log_level { ISX_LOG_DEBUG, ISX_LOG_INFO, ISX_LOG_WARNING, ISX_LOG_ERROR };

/* Receives messages about events that no call can return: for example, that a follower is loaded
 * again, or that an asset which 0.3.3 has stored cannot be decoded. The library never writes to the
 * standard streams of its program.
 *   fn   called from any thread of the program or of the library, also from several at once; must
 *        not call functions of the store. `message` is one line of UTF-8 without a line end,
 *        borrowed until fn() returns
 *   arg  passed to fn(); borrowed until the store is closed */
typedef void isx_log_fn(enum isx_log_level level, const char *message, void *arg);
struct isx_logger {
	isx_log_fn *fn; /* NULL: messages are dropped */
	void *arg;
};

/* Counters of a store. Its threads add to them with atomic operations: read them with atomic
 * operations, too. The program sets them to 0, or to the values at which they are to go on. */
struct isx_counters {
	uint64_t rows_scanned; /* comparisons of a stored row with a unit or simprint of a query */
	uint64_t commits;      /* transactions that have changed an index */
	uint64_t reserved[6];
};

/* Options of a store. Call isx_options_init() before you set any: options that a later version
 * adds then have their defaults. */
struct isx_options {
	/* Of this struct in the program; set by isx_options_init(). */
	size_t size;
	/* The lowest unit score that is a match, 0 to 1. Default 0.75. */
	double match_threshold_units;
	/* The lowest score of a simprint that is a match, 0 to 1. Default 0.75. */
	double match_threshold_simprints;
	/* The exponent e in the score of an asset, sum(s^e) / sum(s): 1 or more. Default 4. */
	uint32_t confidence_exponent;
	/* Never change an index. A read still takes a slot in the lock file if that can be written,
	 * so that writers do not reuse the pages it reads. Default false. */
	bool read_only;
	/* Do not wait for the disk after each write, but when the store is closed. A process
	 * that is killed loses no data and damages no index; a power failure may damage it.
	 * Default false. */
	bool relaxed;
	/* Address space reserved for an index, which cannot grow larger. All processes that
	 * write to an index should use the same value. Default 0: 1 TiB. */
	uint64_t map_bytes;
	/* Sent as X-API-Key to an http:// store; borrowed until isx_open() returns. Default
	 * NULL: none. */
	const char *api_key;
	/* Where memory:// has its files. Default NULL: /tmp. */
	const char *temporary_directory;

	/* Options of postgresql:// stores. */

	/* The schema of the tables. Default NULL: iscc_search. */
	const char *postgres_schema;
	/* A directory for *followers*: local copies of the indexes that are searched. Default NULL:
	 * none, every search is done by SQL. */
	const char *postgres_followers;
	/* A replica to read from. Default NULL: none. */
	const char *postgres_read_uri;
	/* Connections that are open at once, 1 to 1000. Default 8. */
	uint32_t postgres_connections;
	/* Seconds without any answer after which a server is treated as unreachable, 1 to 3600;
	 * statements that write or read a whole index have 30 times as long. Default 30. */
	uint32_t postgres_timeout_s;
	/* Seconds that a search waits for a local copy that is being loaded, 0 to 3600. Default
	 * 10. */
	uint32_t postgres_patience_s;

	/* Threads that scan at once: those that search, as far as they do not wait for others, and
	 * those that are started for them, at most 63 each. 1: none is started. Searches that wait
	 * share one pass over the rows. Default 0: one per processor. */
	uint32_t threads;
	/* Counters to add to; borrowed until the store is closed. Default NULL: none. */
	struct isx_counters *counters;
	/* Receives messages. Default { NULL, NULL }: they are dropped. */
	struct isx_logger logger;

	/* The hub number in new ISCC-IDs (struct isx_asset), 0 to ISX_HUB_MAX. Machines that give
	 * ISCC-IDs for one registry need different ones. Default 0. An http:// store does not use
	 * it: its server gives new ISCC-IDs. */
	uint32_t hub;

	/* How matches are ranked where a query does not say: enum isx_rank. Default 0:
	 * ISX_RANK_SCORE. */
	uint32_t rank;
	/* `max_expect` of queries that have none. Default 0: no limit. An http:// store uses neither
	 * of the two: its server has its own. */
	double max_expect;
};
#define ISX_HUB_MAX 4095

/* Set every option to its default. In C call isx_options_init(); bindings of other languages pass
 * the size.
 *   size  sizeof *options */
ISX_API void isx_options_init_sized(struct isx_options *options, size_t size);
static inline void isx_options_init(struct isx_options *options)
{
	isx_options_init_sized(options, sizeof *options);
}

/* One passage of an asset: a similarity hash without a header, and its place in the work. A type
 * is 1 to 64 bytes without '/', '\' and control characters, and does not begin with '.' or
 * "assets_"; an index has at most 64 types. */
struct isx_simprint {
	const char *type;     /* for example "CONTENT_TEXT_V0" */
	const char *simprint; /* base64url or base64, with or without padding; at most 256 bits */
	uint32_t offset;      /* start of the passage: bytes of a text, milliseconds of a sound */
	uint32_t size;        /* its length in the same unit */
};

/* One asset. Texts are UTF-8 and terminated. Every engine refuses an asset of another shape than
 * is described here with ISX_INVALID. Metadata is JSON by RFC 8259, nested at most 511 deep. */
struct isx_asset {
	/* The key: "ISCC:" and 16 of A-Z and 2-7. NULL: the asset gets a new ISCC-ID, of the time,
	 * the hub number in struct isx_options, and the realm of the index. Such an asset needs an
	 * iscc_code, units or simprints. */
	const char *iscc_id;
	/* "ISCC:" and 16 or more of A-Z and 2-7, or NULL. An ISCC-CODE must be as long as its
	 * header says. If `units` is empty, the asset is found by the units of the code. */
	const char *iscc_code;
	const char *const *units;             /* ISCC-UNITs as texts, all of which can be decoded */
	size_t unit_count;                    /* at most 64; several may be of one type */
	const struct isx_simprint *simprints; /* entries of one type are neighbours */
	size_t simprint_count;
	const char *metadata; /* a JSON object, given back byte for byte, or NULL */
	/* The index must not have an asset of this iscc_id: otherwise isx_add() fails with
	 * ISX_EXISTS and adds nothing. Not for an http:// store. */
	bool is_new;
	uint64_t reserved[1]; /* 0 */
};

/* What an add did to one asset. */
enum isx_outcome { ISX_CREATED, ISX_UPDATED };

/* The simprints of one type in a query. */
struct isx_query_simprints {
	const char *type;
	const char *const *values; /* base64url or base64 */
	size_t count;
};

/* Which fields a client has sent with a query, also as null: the result repeats exactly those. */
enum {
	ISX_QUERY_HAS_ISCC_ID = 1 << 0,
	ISX_QUERY_HAS_ISCC_CODE = 1 << 1,
	ISX_QUERY_HAS_UNITS = 1 << 2,
	ISX_QUERY_HAS_SIMPRINTS = 1 << 3
};

/* The lowest score that counts for one type of units and simprints. */
struct isx_type_min_score {
	const char
		*type; /* for example "CONTENT_TEXT_V0"; a type that is not queried has no effect */
	double min_score; /* 0 to 1 */
};

/* What each match carries besides its ISCC-ID and its scores. */
enum {
	ISX_WITH_NOTHING = 1 << 0, /* alone: neither of the following */
	ISX_WITH_METADATA = 1 << 1,
	ISX_WITH_CODE = 1 << 2,
	ISX_WITH_UNITS = 1 << 3
};

/* A query. If `iscc_id` is set, the units of that asset are searched; otherwise `units`, or the
 * units of `iscc_code` if there are no `units`. `simprints` search for passages, in addition. */
struct isx_query {
	const char *iscc_id;   /* or NULL */
	const char *iscc_code; /* or NULL; an ISCC-CODE must be as long as its header says */
	const char *const *units;
	size_t unit_count; /* at most 64 */
	const struct isx_query_simprints *simprints;
	size_t simprint_type_count;
	bool own_chunks; /* with iscc_id: search the stored simprints of that asset, too */
	uint32_t named;  /* ISX_QUERY_HAS_... of fields sent as null; set fields are known */
	size_t limit;    /* maximum number of matches; 0: 100 */
	/* The lowest score of a unit or simprint that counts, 0 to 1, in place of the store's
	 * match_threshold_units and match_threshold_simprints. lmdb:// has no threshold without
	 * it; the score of a unit is the share of its bits that match there. */
	bool has_min_score;
	double min_score; /* with has_min_score only */
	/* The same for single types, before `min_score` and the store's thresholds; at most 128.
	 * Of two entries of one type the last one counts. */
	const struct isx_type_min_score *min_scores;
	size_t min_score_count;
	/* The unit types that count, at most 64; other units of the query are not searched. NULL:
	 * all of them. Simprints are not affected. */
	const char *const *types;
	size_t type_count;
	/* The exponent e in the score of an asset, in place of the store's confidence_exponent;
	 * lmdb:// has none, and ignores it. 0: the store's. */
	uint32_t exponent;
	uint32_t with; /* ISX_WITH_...: what matches carry; 0: ISX_WITH_METADATA */
	/* enum isx_rank: how matches are ranked, and so which are the best `limit` of them. */
	uint32_t rank;
	/* Leave out matches whose `expect` is larger: those that chance explains. 0: the store's
	 * max_expect. Has no effect on passages. */
	double max_expect;
	bool explains; /* say how each score came about, and what chance and tiers say of it */
	/* Called when the search begins and regularly while it scans or waits for a database or
	 * another server, from any thread that works for the search. Anything but ISX_OK, for
	 * example ISX_CANCELLED, ends the search with that status. NULL: the search cannot be
	 * cancelled. */
	enum isx_status (*cancel_check)(void *cancel_arg, struct isx_err *err);
	/* Called with `begins` true before the search waits for something that takes no
	 * processor time, and with false afterwards, so that a caller with a limited number of
	 * threads can run another search meanwhile. If the first call returns false, the search
	 * does not wait and fails with ISX_UNAVAILABLE. NULL: the search waits. */
	bool (*on_wait)(void *cancel_arg, bool begins);
	void *cancel_arg; /* passed to cancel_check() and on_wait() */
	/* For pages: "" for the first one, then `next` of the result before. Only matches that rank
	 * behind that place are returned, so that pages neither repeat nor lose a match while
	 * nothing is written. NULL: no pages. */
	const char *after;
	bool counts;        /* count all matches, which takes longer */
	const char *filter; /* find only assets for which this JSON object holds
			       (docs/filters.md); NULL: all */
	/* Count the values that all matches have in these fields of their metadata, each of which
	 * the index has to declare (isx_fields_set()); at most 32, each once. */
	const char *const *facets;
	size_t facet_count;
	uint64_t reserved[1]; /* 0 */
};

/* The score of one unit type in one match: 1 - differing bits / compared bits. */
struct isx_type_score {
	const char *type; /* for example "CONTENT_TEXT_V0" */
	double score;     /* 0..1 */
};

/* How the units of one type compare; of several units of the type, the pair with the best score. On
 * lmdb:// the compared bits are those that match, and the score is their share of the bits of the
 * longest queried unit; units that are not the beginning of each other have score 0 there, as have
 * INSTANCE units that differ everywhere. */
struct isx_type_explanation {
	const char *type;       /* for example "CONTENT_TEXT_V0" */
	uint32_t compared_bits; /* the common length of the two units */
	uint32_t distance;      /* how many of these bits differ */
	double score; /* 1 - distance / compared_bits; INSTANCE: 1 if all bits are equal, else 0 */
	/* How many units of the index would be as near to those of the query by chance; of
	 * isx_compare() the probability that two unrelated units of this length are. */
	double expect;
	double missed_by; /* the lowest score that counts, minus `score`; 0: the score counts */
	bool counted;     /* the score is a part of the score of the asset */
	/* 0: both works have units of the type. 'a' or 'b': this work has none, and all numbers
	 * are 0. In a search, the query is a, and the asset b. */
	char absent;
	uint64_t reserved[2];
};

/* One asset that is similar to the query. */
struct isx_match {
	char iscc_id[24];
	/* sum(s^e) / sum(s) over the unit scores s >= threshold; lmdb://: the sum of the unit
	 * scores divided by the number of queried units. */
	double score;
	const struct isx_type_score *types; /* every queried type that the asset has */
	size_t type_count;
	/* With ISX_RANK_SIGNIFICANCE, max_expect or explains: how many assets of the index would match so well
	 * by chance, if none was related to the query (docs/scores.md). */
	bool has_expect;
	double expect; /* with has_expect only */
	/* With ISX_RANK_TIERED or explains: "exact", "near_duplicate", "similar", "corroborated", "title_only",
	 * "weak" or "incoherent", in this order; otherwise NULL. */
	const char *tier;
	/* With `tier` only: the mean of the unit scores, weighted by type; of a "weak" match times how
	 * much its best type says alone. */
	double tier_score;
	/* With `explains` of the query, whose result has the exponent that was used: every queried
	 * type. The scores that count give `score`. */
	const struct isx_type_explanation *explanation;
	size_t explanation_count;
	/* As stored, and only if `with` of the query asks for them. */
	const char *metadata;  /* JSON, or NULL */
	const char *iscc_code; /* or NULL */
	const char *const *units;
	size_t unit_count;
	uint64_t reserved[2];
};

/* One passage of a match that is similar to a passage of the query. */
struct isx_chunk {
	const char *query; /* the query's simprint, base64url */
	const char *match; /* the stored one */
	double score;      /* 0..1 */
	uint64_t freq;     /* assets that hold exactly the stored simprint; counted up to 1,000 */
	uint32_t offset;   /* of the passage in the stored work */
	uint32_t size;
	/* With `explains` of the query: its weight (idf), by which rare passages count more; and
	 * its share of the score of its type: of all chunks together 1. */
	double weight, share;
	uint64_t reserved[1];
};

/* The passages of one simprint type in one match. */
struct isx_chunk_type {
	const char *type;
	double score; /* sum(idf * score) over simprints that matched / sum(idf) over all queried */
	size_t matches;                 /* simprints of the query that matched */
	size_t queried;                 /* simprints of the query */
	const struct isx_chunk *chunks; /* `matches` of them, in the order of the query */
	double weight; /* with `explains` of the query: the sum of the idf of all queried */
	uint64_t reserved[2];
};

/* One asset that shares passages with the query. */
struct isx_chunk_match {
	char iscc_id[24];
	double score; /* the mean over the types that matched */
	const struct isx_chunk_type *types;
	size_t type_count;
	/* As in struct isx_match. */
	const char *metadata;
	const char *iscc_code;
	const char *const *units;
	size_t unit_count;
	uint64_t reserved[2];
};

/* One value of a field, and how many matches have it. */
struct isx_facet_value {
	const char *value; /* JSON: a text in quotes, a number, true, false or null */
	uint64_t count;
};

/* The values of one field among all matches of one list, on all pages: the most frequent first, and of
 * equally frequent ones null, false, true, numbers, then texts (texts that share their first 390 bytes in
 * any order). A match that has a list there counts once for each different value in it; one that has an
 * object or nothing counts for none. */
struct isx_facet {
	const char *field; /* as the query names it */
	const struct isx_facet_value *values;
	size_t value_count; /* at most 100 */
	uint64_t others;    /* the sum of the counts of all further values */
	uint64_t reserved[2];
};

/* The result of a search. Matches are sorted as `rank` of the query says: by score, the highest
 * first, unless another rank was asked for; equal ones by ISCC-ID. */
struct isx_result {
	struct isx_query query; /* as searched, with units and code derived from each other */
	const struct isx_match *matches;
	size_t match_count;
	const struct isx_chunk_match *chunk_matches; /* for the simprints of the query */
	size_t chunk_match_count;
	void *memory; /* of all that the pointers above point to; for isx_result_free() */
	/* With `after` of the query: the place of the next page; NULL: this is the last one. */
	const char *next;
	uint64_t match_total; /* with `counts` of the query: all matches, on all pages */
	uint64_t chunk_match_total;
	/* Something was written to the index since the page before: pages may repeat or lose
	 * matches. */
	bool is_changed;
	/* With `facets` of the query: one for each of them, in the same order. */
	const struct isx_facet *facets;       /* of the matches */
	const struct isx_facet *chunk_facets; /* of the chunk_matches */
	uint64_t reserved[2];
};

/* The size of one part of an index. */
struct isx_index_part {
	char name[80]; /* "lmdb", a unit type, or "SIMPRINT_" and a simprint type */
	uint64_t bytes;
};

/* Facts about an index. */
struct isx_index_info {
	char name[64];
	uint64_t assets;
	uint64_t bytes;   /* on disk, all parts */
	uint32_t readers; /* open read transactions of all processes; 0 also if not known */
	struct isx_index_part *parts; /* the first is "lmdb" */
	size_t part_count;
	uint64_t reserved[4];
};

struct isx_store;

/* Open the store that `uri` names. A missing directory is created.
 *   options  borrowed, NULL for the defaults
 *   store    new, close with isx_close()
 * ISX_INVALID: not an index URI, or an option out of its range. ISX_UNSUPPORTED: the library was
 * built without this engine, or an option of a later version is set. */
ISX_API ISX_MUST_CHECK enum isx_status isx_open(const char *uri, const struct isx_options *options,
						struct isx_store **store, struct isx_err *err);

/* Close a store, after the last call of any thread has returned. A relaxed store is synced to
 * disk. NULL is allowed. */
ISX_API void isx_close(struct isx_store *store);

/* The options of a store, complete with defaults. Their texts may no longer exist: they are the
 * program's. */
ISX_API const struct isx_options *isx_store_options(const struct isx_store *store);

/* Create an empty index. Its name is 1 to 32 characters of a-z and 0-9, a letter first.
 * ISX_EXISTS: there is an index of that name. */
ISX_API ISX_MUST_CHECK enum isx_status isx_index_create(struct isx_store *store, const char *name,
							struct isx_err *err);

/* Delete an index and everything in it. Searches that are running in it still complete. */
ISX_API ISX_MUST_CHECK enum isx_status isx_index_delete(struct isx_store *store, const char *name,
							struct isx_err *err);

/* Facts about one index.
 *   info  filled, release with isx_index_info_release() */
ISX_API ISX_MUST_CHECK enum isx_status isx_index_stat(struct isx_store *store, const char *name,
						      struct isx_index_info *info,
						      struct isx_err *err);
ISX_API void isx_index_info_release(struct isx_index_info *info);

/* All indexes, sorted by name.
 *   infos  new array of *count, free with isx_index_list_free() */
ISX_API ISX_MUST_CHECK enum isx_status isx_index_list(struct isx_store *store,
						      struct isx_index_info **infos, size_t *count,
						      struct isx_err *err);
ISX_API void isx_index_list_free(struct isx_index_info *infos, size_t count);

/* Receives the progress of a long copy. */
typedef void isx_progress_fn(uint64_t bytes_done, uint64_t bytes_total, void *arg);

/* Copy one snapshot of an index to the new file `path`, while others read and write the index. The
 * copy gets its name when it is complete, on disk, and has passed isx_index_check(). To restore it,
 * copy the file beside its place in a store, under another name, and rename it to
 * DIR/NAME/index.lmdb (usearch://) or DIR/NAME.lmdb (lmdb://).
 *   replace   may an existing file be replaced?
 *   progress  called regularly in the thread of the caller; may be NULL
 * ISX_EXISTS: the file exists. ISX_INVALID: the store is on another server, or `path` is the
 * file of an index of this store, or of an index in use. ISX_CORRUPT: the index is damaged;
 * there is no copy. */
ISX_API ISX_MUST_CHECK enum isx_status isx_index_backup(struct isx_store *store, const char *name,
							const char *path, bool replace,
							isx_progress_fn *progress, void *arg,
							struct isx_err *err);

/* Return the free space of an index to the system: copy the pages in use to a new file and
 * rename it over the old one. Searches go on meanwhile; writers of all processes wait. Other
 * processes close the old file within a second or two. ISX_CORRUPT: the index is damaged, and
 * stays as it is. */
struct isx_compaction {
	uint64_t bytes_before;
	uint64_t bytes_after;
	uint64_t reserved[4];
};
ISX_API ISX_MUST_CHECK enum isx_status isx_index_compact(struct isx_store *store, const char *name,
							 struct isx_compaction *done,
							 isx_progress_fn *progress, void *arg,
							 struct isx_err *err);

/* Check the integrity of an index: its pages, the order and the lengths of its rows, that every
 * asset can be read and has its rows, and that every row belongs to an asset. Writes nothing. An
 * error in the index is a *finding*, and no failure of the call. */
struct isx_check {
	uint64_t pages;  /* in use */
	uint64_t assets; /* read */
	uint64_t rows;   /* of units, simprints and declared fields, compared with their assets */
	uint64_t unsearchable; /* assets with units that cannot be decoded, which 0.3.3 accepts;
				  these are no findings */
	uint64_t findings;
	bool is_derived; /* false: 0.3.3 has written since. Rows were not compared: the next use
			    of the index makes them again */
	uint64_t reserved[4];
};
typedef void isx_finding_fn(const char *text, void *arg);

/*   report  filled, also when the call fails: with the counts so far
 *   found   called with each finding, one line of text; may be NULL */
ISX_API ISX_MUST_CHECK enum isx_status isx_index_check(struct isx_store *store, const char *name,
						       struct isx_check *report,
						       isx_finding_fn *found, void *arg,
						       struct isx_err *err);

/* An index that cannot be used, and the error that says why. */
struct isx_index_problem {
	char name[64];
	struct isx_err cause;
};

/* Find the indexes that cannot be used. Fails if the indexes cannot even be listed.
 *   problems  new array of *count, free with isx_index_problems_free(); NULL if *count is 0 */
ISX_API ISX_MUST_CHECK enum isx_status isx_ready(struct isx_store *store,
						 struct isx_index_problem **problems, size_t *count,
						 struct isx_err *err);
ISX_API void isx_index_problems_free(struct isx_index_problem *problems);

/* The progress of a *load*: an index of a database that is being copied to a follower on this
 * host. */
struct isx_load {
	char name[64];   /* of the index */
	uint64_t done;   /* rows copied */
	uint64_t total;  /* rows to copy; partly an estimate if there are simprints */
	uint32_t left_s; /* seconds to go, at the speed so far */
};

/* The loads that are running, of all processes of this host. Cheap: may be called every second.
 *   loads  new array of *count (mostly 0), free with isx_loads_free() */
ISX_API ISX_MUST_CHECK enum isx_status isx_loads(struct isx_store *store, struct isx_load **loads,
						 size_t *count, struct isx_err *err);
ISX_API void isx_loads_free(struct isx_load *loads);

/* Get the fields of metadata that an index declares, by which queries may filter and count.
 *   fields  new array of *count JSON pointers ("/license"), free with isx_texts_free()
 * ISX_UNSUPPORTED: this engine, or the server of an http:// store, has none. */
ISX_API ISX_MUST_CHECK enum isx_status isx_fields_get(struct isx_store *store, const char *name,
						      char ***fields, size_t *count,
						      struct isx_err *err);

/* Declare the fields of an index, in place of those that it declares so far. The values that its assets
 * have in them are gathered once, in one transaction: it takes about as long as reading all assets, while
 * searches go on and writers wait. From then on each change of an asset keeps them up to date.
 *   fields    at most 32 members of the metadata ("license") or JSON pointers ("/creator/name"), each
 *             once and of at most 256 bytes; none: nothing is declared any more
 *   progress  called regularly in the thread of the caller with the assets that were read, and all; may
 *             be NULL. An http:// store does not call it
 * ISX_INVALID: a name is no field, or is there twice. ISX_UNSUPPORTED: as isx_fields_get(). */
ISX_API ISX_MUST_CHECK enum isx_status isx_fields_set(struct isx_store *store, const char *name,
						      const char *const *fields, size_t count,
						      isx_progress_fn *progress, void *arg,
						      struct isx_err *err);

/* Add assets, or replace those whose ISCC-ID is in the index already: all of them or, on any error,
 * none. When the call returns, they are on disk (unless the store is relaxed) and are found by
 * every search that starts afterwards, in this process or another. An update replaces all units;
 * stored simprints of a type stay unless the update has simprints of that type. Of two assets with
 * one ISCC-ID the last one counts.
 * An http:// store sends them in lots, each whole or not at all: 100 assets at first, and up to 10,000
 * of 4 MiB while the server answers quickly. When one lot fails, the lots before it stay in the
 * index. Adding all of them again is safe.
 *   outcomes  filled: one per asset, in the same order; may be NULL */
ISX_API ISX_MUST_CHECK enum isx_status isx_add(struct isx_store *store, const char *name,
					       const struct isx_asset *assets, size_t count,
					       enum isx_outcome *outcomes, struct isx_err *err);

/* As isx_add(), and tell the ISCC-IDs of the assets: of those that have none the new ones. These
 * differ from all in the index, whichever process, host or thread adds at the same time; those of
 * one call rise in the order of its assets.
 *   iscc_ids  filled: one text of 24 bytes per asset, in the same order; may be NULL */
ISX_API ISX_MUST_CHECK enum isx_status isx_add_with_ids(struct isx_store *store, const char *name,
							const struct isx_asset *assets,
							size_t count, enum isx_outcome *outcomes,
							char (*iscc_ids)[24], struct isx_err *err);

/* Add assets one by one: a *writer* copies them and adds a few thousand at a time, each batch whole
 * or not at all, as isx_add() does.
 *
 *	isx_writer_open(store, "default", &writer, &err);
 *	while (has_more(&asset) && !is_cancelled())
 *		if (isx_writer_put(writer, &asset, &err) && err.status == ISX_INVALID)
 *			report(&asset, err.msg);
 *	isx_writer_flush(writer, &err);
 *	isx_writer_close(writer);
 *
 * Only one thread at a time may use a writer, and it must be closed before its store.
 *   writer  new, close with isx_writer_close() */
struct isx_writer;
ISX_API ISX_MUST_CHECK enum isx_status isx_writer_open(struct isx_store *store, const char *name,
						       struct isx_writer **writer,
						       struct isx_err *err);

/* Copy an asset into the writer. A call that fails has not taken this asset, and changes nothing
 * about the assets before it. ISX_INVALID is about this asset alone: go on with the next one. If
 * the assets before it could not be added, the message says so; the call can be repeated. */
ISX_API ISX_MUST_CHECK enum isx_status isx_writer_put(struct isx_writer *writer,
						      const struct isx_asset *asset,
						      struct isx_err *err);

/* Add the assets that are waiting: after ISX_OK all assets that were put are on disk and are
 * found. After a failure none of the waiting ones is, and they still wait: call again, or close
 * the writer. err->position counts from the first asset that was put. */
ISX_API ISX_MUST_CHECK enum isx_status isx_writer_flush(struct isx_writer *writer,
							struct isx_err *err);

/* The progress of a writer. */
struct isx_writer_counts {
	uint64_t created; /* assets that were added */
	uint64_t updated; /* assets that have replaced stored ones */
	uint64_t waiting; /* assets that were put and are not added yet */
	uint64_t reserved[5];
};
ISX_API void isx_writer_count(const struct isx_writer *writer, struct isx_writer_counts *counts);

/* Close a writer. Assets that are waiting are dropped: closing without isx_writer_flush()
 * cancels the rest. NULL is allowed. */
ISX_API void isx_writer_close(struct isx_writer *writer);

/* Get one asset as a JSON object: the fields that were added, without simprints.
 *   json  new, terminated, free with isx_text_free() */
ISX_API ISX_MUST_CHECK enum isx_status isx_get(struct isx_store *store, const char *name,
					       const char *iscc_id, char **json,
					       struct isx_err *err);
ISX_API void isx_text_free(char *text);

/* Get one asset with everything that is stored of it, ready to be added again. Simprints are
 * base64url without padding, sorted by offset and size within their type. From a server of an earlier
 * version (http://) the asset comes without simprints.
 *   asset  new, free with isx_asset_free() */
ISX_API ISX_MUST_CHECK enum isx_status isx_asset_get(struct isx_store *store, const char *name,
						     const char *iscc_id, struct isx_asset **asset,
						     struct isx_err *err);
ISX_API void isx_asset_free(struct isx_asset *asset);

/* Iterate over the assets of an index in the order of their ISCC-IDs, which is the order of time,
 * with everything that is stored of them. A *cursor* reads one snapshot: changes after it was
 * opened do not show.
 *
 *	isx_cursor_open(store, "default", NULL, &cursor, &err);
 *	while (!isx_cursor_next(cursor, &asset, &err) && asset)
 *		printf("%s\n", asset->iscc_id);
 *	isx_cursor_close(cursor);
 *
 * Only one thread at a time may use a cursor, and it must be closed before its store. While it is
 * open, writers cannot reuse free space and the file grows with each write: close it soon. A cursor
 * of postgresql:// holds one connection of the store, and fails with ISX_UNAVAILABLE after a minute
 * without use.
 *   from    an ISCC-ID, which need not be stored: begin there; NULL: at the first asset
 *   cursor  new, close with isx_cursor_close()
 * ISX_INVALID: `from` is not an ISCC-ID, or of another realm than the index. ISX_UNSUPPORTED: an
 * http:// store whose server has no such request (0.3.3). */
struct isx_cursor;
ISX_API ISX_MUST_CHECK enum isx_status isx_cursor_open(struct isx_store *store, const char *name,
						       const char *from, struct isx_cursor **cursor,
						       struct isx_err *err);

/* A part of an index: all conditions hold at once. `{ 0 }` is all of it. An ISCC-ID is the time at
 * which it was issued, and the number of the hub that has issued it. */
struct isx_range {
	const char *after;    /* assets behind this ISCC-ID, which need not be stored; NULL: all */
	uint64_t from_us;     /* issued at this time or later: microseconds since 1970 */
	uint64_t to_us;       /* issued before this time; 0: at any later time */
	bool has_hub;         /* issued by `hub` only */
	bool no_simprints;    /* leave out the simprints of assets: reading is faster without */
	uint32_t hub;         /* 0 to ISX_HUB_MAX */
	uint64_t reserved[4]; /* 0 */
};

/* As isx_cursor_open(), over a part of the index. ISX_INVALID also: `hub` is out of its range. */
ISX_API ISX_MUST_CHECK enum isx_status isx_cursor_open_range(struct isx_store *store,
							     const char *name,
							     const struct isx_range *range,
							     struct isx_cursor **cursor,
							     struct isx_err *err);

/* Get the next asset.
 *   asset  filled: borrowed until the next call with this cursor; NULL after the last asset
 * ISX_CORRUPT: this asset cannot be read; the next call gets the one after it. */
ISX_API ISX_MUST_CHECK enum isx_status isx_cursor_next(struct isx_cursor *cursor,
						       const struct isx_asset **asset,
						       struct isx_err *err);

/* Close a cursor. NULL is allowed. */
ISX_API void isx_cursor_close(struct isx_cursor *cursor);

/* Get several assets, as isx_get() gives one.
 *   jsons  new array of `count` texts, in the order of `iscc_ids`, free with isx_texts_free(); the
 *          text of an asset that is not in the index is NULL */
ISX_API ISX_MUST_CHECK enum isx_status isx_get_many(struct isx_store *store, const char *name,
						    const char *const *iscc_ids, size_t count,
						    char ***jsons, struct isx_err *err);
ISX_API void isx_texts_free(char **texts, size_t count);

/* Remove several assets, in one transaction (http://: 10,000 in each).
 *   removed  filled: one per ISCC-ID; false: it was not in the index, or stands in the list before
 * ISX_INVALID: an ISCC-ID that cannot be decoded, or of another realm; nothing is removed. */
ISX_API ISX_MUST_CHECK enum isx_status isx_remove_many(struct isx_store *store, const char *name,
						       const char *const *iscc_ids, size_t count,
						       bool *removed, struct isx_err *err);

/* Replace the metadata of an asset and nothing else of it.
 *   metadata  a JSON object; NULL: the asset has none any more
 * ISX_NOT_FOUND: no such index or asset. */
ISX_API ISX_MUST_CHECK enum isx_status isx_metadata_set(struct isx_store *store, const char *name,
							const char *iscc_id, const char *metadata,
							struct isx_err *err);

/* Remove one asset and everything that is stored of it. */
ISX_API ISX_MUST_CHECK enum isx_status isx_remove(struct isx_store *store, const char *name,
						  const char *iscc_id, struct isx_err *err);

/* Find the assets that are most similar to the query. The search is exact: every asset whose score
 * reaches the threshold is considered.
 *   result  new, free with isx_result_free()
 * ISX_NOT_FOUND: no such index, or the index has no asset of the query's iscc_id. */
ISX_API ISX_MUST_CHECK enum isx_status isx_search(struct isx_store *store, const char *name,
						  const struct isx_query *query,
						  struct isx_result **result, struct isx_err *err);
ISX_API void isx_result_free(struct isx_result *result);

/* Search with several queries in one call, which reads the rows of the index once for many of them.
 * A query that fails does not touch the others. Use a few hundred at a time: all results are in
 * memory together.
 *   results  filled: one per query, in the same order, each new, free with isx_result_free(); NULL:
 *            this query has failed
 *   errs     filled: one per query, with the status ISX_OK or the failure of that query; may be
 *            NULL
 * Fails, and hands out no result, only if no query could be searched: ISX_NOT_FOUND: no such index.
 * ISX_NO_MEMORY. */
ISX_API ISX_MUST_CHECK enum isx_status isx_search_many(struct isx_store *store, const char *name,
						       const struct isx_query *queries,
						       size_t count, struct isx_result **results,
						       struct isx_err *errs, struct isx_err *err);

/* --- statistics ------------------------------------------------------------------------------- */

#define ISX_STATS_TYPE_BYTES 80 /* of the longest name of a type, with the NUL */

/* The units or simprints of one type and one length. */
struct isx_stats_length {
	uint32_t bits;
	uint64_t count;
};

/* How far apart units of one type are which were compared over so many bits, measured between
 * sampled assets of the index. Pairs that are related by another type are left out. */
struct isx_stats_distances {
	uint32_t bits;
	uint64_t pairs;          /* that were compared */
	const uint64_t *counts;  /* `bits` + 1 of them: pairs at each distance */
	uint32_t match_distance; /* the largest distance that the threshold of the store counts */
	/* The probability that an unrelated unit is so near: of random codes, and as measured. */
	double match_chance_random, match_chance;
	uint64_t reserved[2];
};

/* One type of units or simprints. */
struct isx_stats_type {
	const char *type;
	/* Assets that have the type; all others are without it. Of INSTANCE units beyond 4 million in
	 * usearch:// each counts as that of an asset of its own. */
	uint64_t assets;
	const struct isx_stats_length *lengths; /* ascending */
	size_t length_count;
	const struct isx_stats_distances *distances; /* of units only */
	size_t distances_count; /* 0: few units, or an engine that measures none */
	uint64_t reserved[2];
};

/* The assets of one period of time: a year, month, day or hour, as their times span. */
struct isx_stats_period {
	char name[16]; /* "2025", "2025-01", "2025-01-31" or "2025-01-31T12" */
	uint64_t assets;
};

struct isx_stats_hub {
	uint32_t hub;
	uint64_t assets;
};

/* What an index holds, in numbers, all of one snapshot. */
struct isx_index_stats {
	uint64_t assets;
	uint32_t realm;                         /* this and both times are 0 without assets */
	uint64_t first_us, last_us;             /* times of the first and the last ISCC-ID */
	const struct isx_stats_period *periods; /* those with assets, ascending */
	size_t period_count;
	const struct isx_stats_hub *hubs; /* those with assets, ascending */
	size_t hub_count;
	const struct isx_stats_type *units; /* by name */
	size_t unit_type_count;
	const struct isx_stats_type *simprints;
	size_t simprint_type_count;
	/* Files that are in the index more than once: groups of assets with the same first 64 bits
	 * of INSTANCE, and their assets beyond the first one of each. */
	uint64_t identical_groups, identical_duplicates;
	/* Of `sampled` assets, evenly spaced, so many have an ISCC-CODE and so many metadata. All
	 * assets are sampled where there are 10,000 or fewer. */
	uint64_t sampled, with_code, with_metadata;
	const char *const *fields; /* declared fields */
	size_t field_count;
	void *memory; /* of all that the pointers above point to; for isx_stats_free() */
	uint64_t reserved[4];
};

/* Count what an index holds. usearch:// and memory:// read the keys of assets and the rows of
 * units, half a second for a million assets; other engines read every asset, and take 8 bytes of
 * memory for each. An http:// store asks its server, or reads all assets of one of an earlier
 * version.
 *   stats  new, free with isx_stats_free()
 * ISX_NOT_FOUND: no such index. */
ISX_API ISX_MUST_CHECK enum isx_status isx_stats(struct isx_store *store, const char *name,
						 struct isx_index_stats **stats,
						 struct isx_err *err);
ISX_API void isx_stats_free(struct isx_index_stats *stats);

/* --- comparing ---------------------------------------------------------------------------------- */

/* One of two works to compare: an ISCC, an asset of an index, or units. */
struct isx_work {
	/* An ISCC-CODE, an ISCC-UNIT, or the ISCC-ID of an asset of `index`, in any form that
	 * isx_iscc_parse() reads; NULL: `units` are compared. */
	const char *iscc;
	const char *index; /* of an ISCC-ID; otherwise not used */
	const char *const *units;
	size_t unit_count;    /* at most 64 */
	uint64_t reserved[2]; /* 0 */
};

/* How alike two works are. */
struct isx_comparison {
	/* The score with which a similarity search for the first work finds the second one; 0: it
	 * does not, as no type reaches the lowest score that counts. */
	double score;
	uint32_t exponent;                        /* that of the score */
	const struct isx_type_explanation *types; /* that either work has, those of `a` first */
	size_t type_count;
	void *memory; /* of all that the pointers above point to; for isx_comparison_free() */
	uint64_t reserved[4];
};

/* Compare two works. An http:// store asks its server, whose thresholds then count; a server of an
 * earlier version is asked for the assets alone.
 *   store       NULL: neither work is an ISCC-ID, and the options of a store are the defaults
 *   conditions  has_min_score and min_score, min_scores, types and exponent are used, and all else
 *               is ignored; NULL: none
 *   comparison  new, free with isx_comparison_free()
 * ISX_INVALID: a work is no ISCC, has no units, or is an ISCC-ID without an index. ISX_NOT_FOUND:
 * no such index or asset. */
ISX_API ISX_MUST_CHECK enum isx_status isx_compare(struct isx_store *store,
						   const struct isx_work *a,
						   const struct isx_work *b,
						   const struct isx_query *conditions,
						   struct isx_comparison **comparison,
						   struct isx_err *err);
ISX_API void isx_comparison_free(struct isx_comparison *comparison);

/* --- near-duplicates ---------------------------------------------------------------------------- */

/* Which pairs of assets isx_duplicates() finds. */
struct isx_duplicates_query {
	/* The *reference*: an index to compare with, of the same store or of `against_store`. NULL:
	 * the assets of the index are compared with each other. */
	const char *against;
	struct isx_store *against_store; /* NULL: the same store */
	/* The unit types that count, for example "CONTENT_TEXT_V0". None: all. */
	const char *const *types;
	size_t type_count;
	/* The lowest unit score that counts, 0 to 1; false: 0.9. */
	bool has_min_score;
	double min_score; /* with has_min_score only */
	uint32_t threads; /* that compare; 0: the option `threads` of the store */
	/* Begin with the assets of this ISCC-ID or a larger one, which need not be stored: to
	 * continue after a part of the pairs. NULL: with the first asset. */
	const char *from;
	/* Called about ten times a second in the thread of the caller, with the number of pairs of
	 * assets that were compared, and of all. NULL: not called. */
	isx_progress_fn *progress;
	/* Called as often, between two pairs: all pairs of the assets before this ISCC-ID were handed
	 * over, and none of the assets behind, so `from` can continue there. NULL: not called; an
	 * http:// store calls neither. */
	void (*reached)(const char *iscc_id, void *progress_arg);
	void *progress_arg; /* passed to progress() and reached() */
	/* As in struct isx_query. */
	enum isx_status (*cancel_check)(void *cancel_arg, struct isx_err *err);
	void *cancel_arg;
	uint64_t reserved[4]; /* 0 */
};

/* Two assets that are near-duplicates. */
struct isx_pair {
	char iscc_id[24]; /* without a reference: of the older asset, whose ISCC-ID is smaller */
	char match[24];   /* of the other asset, which is in the reference if there is one */
	double score;     /* as of struct isx_match */
	const struct isx_type_score *types; /* every type that counts and both assets have */
	size_t type_count;
	uint64_t reserved[2];
};

/* Takes a pair, which is borrowed until fn() returns. Anything but ISX_OK, for example
 * ISX_CANCELLED, ends isx_duplicates() with that status. */
typedef enum isx_status isx_pair_fn(const struct isx_pair *pair, void *arg, struct isx_err *err);

/* Find every pair of assets that are near-duplicates, exactly: two assets are a pair if the units
 * of one type score min_score or more, or if INSTANCE units of one type are equal over their common
 * length. So a search for one of them by its iscc_id, with a threshold of min_score, finds the
 * other one, with the same score. Scores are symmetric: it does not matter which of the two is
 * searched. Each pair is found once, in the order of `iscc_id`, then `match`. With a reference,
 * every asset of the index is compared with every asset of the reference, also with one of the same
 * ISCC-ID.
 *
 * All pairs are of one snapshot of each index. It is held until the call returns: writers go on,
 * but cannot reuse free space, so the file grows with each write. The call takes all cores (option
 * `threads`) for a time that grows with the square of the number of assets, and 7 MiB for each.
 *   found  called in the thread of the caller
 * ISX_INVALID: the reference is the index itself, or min_score is out of its range.
 * ISX_UNSUPPORTED: this engine cannot do it (lmdb://, and postgresql:// without followers), or the
 * two indexes are of different engines. */
ISX_API ISX_MUST_CHECK enum isx_status isx_duplicates(struct isx_store *store, const char *name,
						      const struct isx_duplicates_query *query,
						      isx_pair_fn *found, void *arg,
						      struct isx_err *err);

/* The version of the loaded library: "MAJOR.MINOR.PATCH", and MAJOR * 10000 + MINOR * 100 +
 * PATCH. */
ISX_API const char *isx_version(void);
ISX_API uint32_t isx_version_number(void);

/* The short name of a status, for logs: "not_found". "unknown" for any other number. Static. */
ISX_API const char *isx_status_name(enum isx_status status);

#ifdef __cplusplus
}
#endif
#endif
