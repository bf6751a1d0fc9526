/*
 * limits.h - ceilings that several files share or that a user meets, each with its unit and its
 *            reason.
 *
 * Most bound numbers that come from outside: from a client, a file, a database or another server. A
 * ceiling that bounds one file alone stands at the top of that file, and one that a format fixes in
 * the header of the format (iscc/header.h, similarity/sim_format.h).
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_LIMITS_H
#define ISX_LIMITS_H

/* --- ISCC ------------------------------------------------------------------------------------- */

#define ISX_BODY_BYTES_MAX     32 /* an ISCC-UNIT has at most 256 bits; longer bodies are cut */
#define ISX_UNIT_TYPE_MAX      32 /* bytes of "SEMANTIC_IMAGE_V0" and its like, with the NUL */
#define ISX_ISCC_ID_TEXT_BYTES 22 /* "ISCC:" + 16 characters + NUL */

/* Characters of one ISCC. No digest is longer than 80 bytes, but an iscc_code that 0.3.3 accepts
 * may be a sequence of units. */
#define ISX_ISCC_TEXT_MAX 8192

/* --- assets and queries ----------------------------------------------------------------------- */

#define ISX_UNITS_MAX          64    /* units of one asset or query; an ISCC-CODE has at most 5 */
#define ISX_LIST_MAX           10000 /* assets of one page or list: some MiB of JSON */
#define ISX_INDEX_NAME_MAX     32    /* characters, as in 0.3.3 */
#define ISX_SIMPRINT_BYTES_MAX 32    /* 256 bits, the longest simprint there is */
#define ISX_SIMPRINT_TYPE_MAX  64    /* bytes of a simprint type's name */
#define ISX_LIMIT_DEFAULT      100   /* matches of a search whose query sets no limit */

/* The least unit score of near-duplicates, unless a query sets another: random units of 256 bits
 * never reach it. */
#define ISX_DUPLICATES_SCORE_DEFAULT 0.9

/* Fields that an index may declare, and bytes of the name of one: a field adds a row to the table of
 * fields for each asset that has it, and the rows repeat no name. */
#define ISX_FIELDS_MAX     32
#define ISX_FIELD_NAME_MAX 256

/* A filter: how deep its conditions may lie in each other, which bounds the stack; conditions, each of
 * which is evaluated over the whole index; and the values, unit types and hub numbers that it lists
 * altogether, which are kept in memory and take 32 bytes each besides their texts. */
#define ISX_FILTER_DEPTH_MAX      16
#define ISX_FILTER_CONDITIONS_MAX 1000
#define ISX_FILTER_VALUES_MAX     10000

/* Different values that a facet lists, the most frequent ones: as many as a person reads. */
#define ISX_FACET_VALUES_MAX 100

/* Milliseconds that a search waits for other searches, at most, before it is begun whatever the
 * processors do. A person hardly notices a quarter of a second; a shorter wait would begin more
 * passes at once over large indexes, which take the caches from each other. */
#define ISX_PASS_WAIT_MS 250

/* The same for a search that shares its pass with no other. It may need much memory of its own, for
 * the hits of a page with each of 10,000 simprints: when many of them come, as few as possible are
 * to run at once. */
#define ISX_ALONE_WAIT_MS 10000

/* Milliseconds between two questions whether a search that waits is still wanted. */
#define ISX_PASS_LOOK_MS 50

/* Units and simprints that the queries of one shared pass have together, at most: 64 queries of an
 * ISCC-CODE with 5 units. It bounds how long a pass takes, and so how long a member waits for the others;
 * the rows are read from memory in a tenth of the time that comparing them with so many takes. Conditions
 * of filters and facets count as four units each, as they may read the rows of all assets. */
#define ISX_PASS_UNITS_MAX 320

/* What an isx_writer gathers for one transaction: so many that the sync at its end is a small
 * part of the work, and so few that a program which checks for cancellation between two assets
 * waits a second at most. */
#define ISX_WRITER_ASSETS 4096
#define ISX_WRITER_BYTES  (8u << 20) /* of texts and simprints */

/* --- the command line ------------------------------------------------------------------------- */

/* Bytes of a file, or of one line of it, that are read at once: as many as a request may have. A
 * file without an end (a device, a pipe) must not take all memory. */
#define ISX_FILE_BYTES_MAX (256 << 20)

/* ISCC-IDs that `add` remembers, to report assets that are given twice: a table of 64 MiB. */
#define ISX_SEEN_MAX (3 << 20)

/* Bytes of a value in .env: ${NAME} puts values into each other, so a short file can spell a
 * long one. */
#define ISX_DOTENV_VALUE_MAX (1 << 16)

/* --- Parquet ----------------------------------------------------------------------------------- */

/* Bytes of a footer: a row group takes some 100 bytes per column, so 16 MiB are those of a data set of
 * 10,000 row groups of 15 columns. Columns: names are compared with each other. */
#define ISX_PARQUET_FOOTER_BYTES_MAX (16 << 20)
#define ISX_PARQUET_COLUMNS_MAX      4096

/* Bytes of the pages and dictionaries of all columns that are read at a time. Most writers make pages of
 * 1 MiB; some make one page of each row group. */
#define ISX_PARQUET_PAGES_BYTES_MAX (512 << 20)

/* --- JSON ------------------------------------------------------------------------------------- */

#define ISX_JSON_DEPTH_MAX 512  /* nested arrays and objects; bounds the stack of every walk */
#define ISX_PROBLEMS_MAX   1000 /* reported for one body; the number of all others follows them */
#define ISX_TYPE_NAMES_MAX 128  /* of one object; an index has at most 64 types of simprints */

/* Memory that reading a JSON text takes for each of its bytes, at most, whatever the text is:
 * values stay where they stand in the text, and texts are copied once. */
#define ISX_JSON_BYTES_PER_BYTE 4

/* Memory that a request takes for each byte of its body, at most: the body itself, reading it,
 * decoded units, what is written, and the answer. 13 was measured for the shortest units. LMDB
 * adds the pages that the transaction changes, up to 512 MiB. */
#define ISX_REQUEST_BYTES_PER_BYTE 16

/* --- answers of other servers ----------------------------------------------------------------- */

#define ISX_ANSWER_BYTES_MAX       (256u << 20) /* a search or an asset: as a body */
#define ISX_SHORT_ANSWER_BYTES_MAX (4u << 20) /* all other answers: a list of 10,000 indexes fits */

/* Bytes of the status line and headers of such an answer: our servers and their proxies send less
 * than 8 KiB. */
#define ISX_ANSWER_HEAD_BYTES_MAX (64 * 1024)

#define ISX_REDIRECTS_MAX 8 /* of one download: from the name of a file to a host that has it */

/* --- HTTP ------------------------------------------------------------------------------------- */

#define ISX_BODY_MIB_DEFAULT       256  /* of one request */
#define ISX_PARAMS_MAX             256  /* of one URL, which are searched one by one */
#define ISX_BULK_MATCHES           1000 /* a search for more matches runs in a pool of its own */
#define ISX_QUEUE_DEFAULT          4096 /* requests that wait for a worker; beyond: 503 */
#define ISX_PAYLOADS_MAX           4 /* bodies of the largest size that may be in memory at once */
#define ISX_ANSWERS_MIB_DEFAULT    256   /* all answers that are composed or wait to be sent */
#define ISX_CONNECTIONS_DEFAULT    16384 /* of each process, if it may open so many files */
#define ISX_CLIENT_TIMEOUT_DEFAULT 30    /* seconds; see ISX_CLIENT_BYTES_MIN */

/* Bytes of a body or an answer that a client has to move within its timeout: 1 KiB/s with the
 * default. */
#define ISX_CLIENT_BYTES_MIN (32u * 1024)

/* A body, or an answer that waits to be sent, of this size is taken whatever the others hold: each
 * connection has room for one. */
#define ISX_SMALL_BYTES_MAX (64u * 1024)

/* Memory that each worker may use for an answer whatever the others hold: 100 matches take 100
 * KiB. */
#define ISX_WORK_BYTES_FREE (1u << 20)

/* A request without the key is refused, but its JSON is checked before, as 0.3.3 does: up to so
 * many bytes of one body, and of all such bodies at a time; beyond that the body is not read. */
#define ISX_UNAUTHENTICATED_BODY_MAX  (64u * 1024)
#define ISX_UNAUTHENTICATED_BYTES_MAX (8u << 20)

/* Bytes of one line of a body that is read line by line: a query with 10,000 simprints of each of some
 * types fits. Each such request keeps one line in memory. */
#define ISX_LINE_BYTES_MAX (4 << 20)

/* Queries of a batch that are searched in one call, and bytes of their texts: enough for one pass over
 * the rows to serve many of them, and so few that their matches, 100 of each, take some MiB. */
#define ISX_BATCH_QUERIES 256
#define ISX_BATCH_MATCHES (ISX_BATCH_QUERIES * ISX_LIMIT_DEFAULT)
#define ISX_BATCH_BYTES   (1 << 20)

/* Requests for near-duplicates that a process works on at once. Each takes half of the processors for
 * as long as it takes, and 7 MiB of memory for each of these. */
#define ISX_HTTP_JOINS_MAX 2

#define ISX_GZIP_BYTES_MIN 1024 /* of an answer: a shorter one fits in one packet as it is */

/* --- LMDB ------------------------------------------------------------------------------------- */

#define ISX_MAP_BYTES          (1ull << 40) /* address space of an index file: never remapped */
#define ISX_MAP_BYTES_VOLATILE (1ull << 36) /* of memory://, whose files all stay open */
#define ISX_MAP_BYTES_MIN      (1ull << 30) /* least tried where address space is short */
#define ISX_MAP_BYTES_LEAST    (1u << 20) /* of the option map_bytes: an empty index needs a part */

/* Open files of a store, unless more are in use at once: a process has 128 TiB of address space,
 * enough for 128 maps of 1 TiB. */
#define ISX_OPEN_INDEXES_MAX 96

#define ISX_LMDB_READERS_MAX 1022 /* concurrent read transactions of a file, in all processes */

/* Named tables of one file: 3, units and simprints of 32 lengths each, and two tables of 0.3.3
 * for each of 64 simprint types are 195. */
#define ISX_LMDB_TABLES_MAX 512

/* --- PostgreSQL ------------------------------------------------------------------------------- */

/* Of the options of postgresql://, and of the settings that set them. A server has 100 connections by
 * default; a period of more than an hour is one in milliseconds by mistake. */
#define ISX_PG_CONNECTIONS_MAX 1000
#define ISX_PG_SECONDS_MAX     3600

/* Assets of an index, or changes of it: a thousand changes a second for 8,000 years. Counts
 * below it can be added and subtracted without overflow. */
#define ISX_PG_COUNT_MAX (1ll << 48)

#endif
