/*
 * limits.h - every ceiling of the program, with its unit and its reason.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_LIMITS_H
#define ISX_LIMITS_H

/* ISCC */
#define ISX_BODY_BYTES_MAX 32 /* an ISCC-UNIT has at most 256 bits; longer bodies are cut */
#define ISX_UNIT_TYPE_MAX  32 /* bytes of "SEMANTIC_IMAGE_V0" and its like, with the NUL */
#define ISX_ISCC_TEXT_MAX                                                                          \
	8192 /* characters of one ISCC: no digest is longer than 80 bytes, but a                   \
		code may be a sequence of units */
#define ISX_ISCC_ID_TEXT_BYTES 22 /* "ISCC:" + 16 characters + NUL */

/* Assets and queries */
#define ISX_UNITS_MAX          64  /* units of one asset or query; an ISCC-CODE has at most 5 */
#define ISX_INDEX_NAME_MAX     32  /* characters, as in 0.3.3 */
#define ISX_SIMPRINT_BYTES_MAX 32  /* 256 bits, the longest simprint there is */
#define ISX_SIMPRINT_TYPE_MAX  64  /* bytes of a simprint type's name */
#define ISX_LIMIT_DEFAULT      100 /* matches of a search that does not say */

/* What a writer gathers for one transaction: enough that its sync is a small part of the work, so little
 * that a caller who looks between two assets whether to go on waits a second at most. */
#define ISX_WRITER_ASSETS 4096
#define ISX_WRITER_BYTES  (8u << 20) /* of texts and simprints */

/* Files of the command line */
#define ISX_FILE_BYTES_MAX                                                                         \
	(256                                                                                       \
	 << 20) /* that are read at once, a file or a line of one, as of a request: a file     \
		       without an end must not take all memory */

#define ISX_SEEN_MAX (3 << 20) /* ISCC-IDs of one run that are looked for again: 64 MiB of them */

/* .env */
#define ISX_DOTENV_VALUE_MAX (1 << 16) /* bytes of a value, which others may make grow by ${NAME} */

/* JSON */
#define ISX_JSON_DEPTH_MAX 512 /* nested arrays and objects; keeps every walk's stack small */
#define ISX_JSON_BYTES_PER_BYTE                                                                    \
	4 /* memory that reading a text takes for each of its bytes, at most, whatever it is:      \
		values stay where they stand in the text, and texts are copied once */
#define ISX_REQUEST_BYTES_PER_BYTE                                                                 \
	16 /* memory that a request takes for each byte of its body, at most: the body, reading it, \
		decoded units, what is written, the answer. 13 was measured for the shortest units. \
		LMDB adds the pages it changes, up to 512 MiB */
#define ISX_PROBLEMS_MAX   1000 /* listed of one body; how many more there are is said instead */
#define ISX_TYPE_NAMES_MAX 128  /* of one object; an index has at most 64 types of simprints */

/* Answers of other servers */
#define ISX_ANSWER_BYTES_MAX       (256u << 20) /* of a search, or an asset: as large as a body */
#define ISX_SHORT_ANSWER_BYTES_MAX (4u << 20)   /* of everything else: 10,000 indexes */

/* HTTP */
#define ISX_BODY_MIB_DEFAULT 256  /* of one request */
#define ISX_PARAMS_MAX       256  /* of one query, which is searched for each that a route knows */
#define ISX_BULK_MATCHES     1000 /* a search for more runs in a pool of its own: it takes long */
#define ISX_QUEUE_DEFAULT    4096 /* requests that wait for a thread; beyond them: 503 */
#define ISX_PAYLOADS_MAX     4    /* bodies of the largest size that may be in memory at once */
#define ISX_SMALL_BYTES_MAX                                                                        \
	(64u *                                                                                     \
	 1024) /* a body, or an answer that waits to be sent, that each connection has       \
		room for: it is taken whatever the others hold */
#define ISX_WORK_BYTES_FREE                                                                        \
	(1u                                                                                        \
	 << 20) /* that each thread has room for while it makes an answer: 100 matches take 100 KiB */
#define ISX_UNAUTHENTICATED_BODY_MAX (64u * 1024) /* of a body without the key: shows its JSON */
#define ISX_UNAUTHENTICATED_BYTES_MAX                                                              \
	(8u << 20) /* of all bodies without the key; beyond them they are not looked at */
#define ISX_ANSWERS_MIB_DEFAULT    256   /* all answers that are made or wait to be sent */
#define ISX_CONNECTIONS_DEFAULT    16384 /* of each process, if it may have so many open files */
#define ISX_CLIENT_TIMEOUT_DEFAULT 30    /* seconds in which a client has to move something */
#define ISX_CLIENT_BYTES_MIN                                                                       \
	(32u * 1024) /* that a body or an answer has to move in that time: 1 KiB/s is no modem */
#define ISX_GZIP_BYTES_MIN 1024 /* of an answer worth encoding: less fits in one packet anyway */

/* LMDB */
#define ISX_MAP_BYTES          (1ull << 40) /* address space of an index file: never remapped */
#define ISX_MAP_BYTES_VOLATILE (1ull << 36) /* of memory://, whose files have to stay open */
#define ISX_OPEN_INDEXES_MAX   96 /* of a store, unless more are in use: 128 TiB is all there is */
#define ISX_MAP_BYTES_MIN      (1ull << 30) /* the least we go down to where address space is short */
#define ISX_MAP_BYTES_LEAST    (1u << 20) /* that one may ask for: an empty index needs some of it */
#define ISX_LMDB_READERS_MAX   1022       /* slots of concurrent read transactions, all processes */
#define ISX_LMDB_TABLES_MAX    512 /* named tables of one file: 3, 32 lengths twice, simprints */

/* PostgreSQL */
#define ISX_PG_COUNT_MAX                                                                           \
	(1ll                                                                                       \
	 << 48) /* assets of an index, or changes: a thousand changes a second for 8,000       \
		       years; counts below it can be added and subtracted */

#endif
