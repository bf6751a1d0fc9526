/*
 * lmdb_file.h - one open index file: its environment, the handles of its tables, transactions.
 *
 * A *view* is a transaction with the handles that are valid in it. Before a view is handed out the
 * derived tables are known to be up to date (lmdb_format.h, isx:derived). Values read through it
 * are borrowed until it ends.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_LMDB_FILE_H
#define ISX_LMDB_FILE_H

#include "engine/commit_queue.h"
#include "engine/meter.h"
#include "iscc_search.h"
#include "storage/lmdb_format.h"
#include "storage/lmdb_pages.h"
#include "storage/lmdb_status.h"

#include <lmdb.h>
#include <pthread.h>
#include <stdatomic.h>

/* The handle of the table of tables, which LMDB gives no other number. */
enum { ISX_LMDB_MAIN_TABLE = 1 };

/* Room in each view for the handles of an engine's own tables. usearch:// needs the most, 5,144
 * bytes: the names and handles of 64 simprint types, and two handles for each of 32 lengths. */
enum { ISX_LMDB_ENGINE_TABLES_BYTES = 5248 };

/* Handles of the tables that exist; 0 for one that does not (LMDB gives named tables 2 and up). */
struct isx_lmdb_tables {
	size_t count; /* named tables in the file when these were looked up */
	MDB_dbi metadata;
	MDB_dbi assets;
	/* The engine's own struct (isx_sim_tables(), isx_prefix_tables()): all zeros for no table.
	 * It is copied and compared as bytes. */
	_Alignas(8) unsigned char of_engine[ISX_LMDB_ENGINE_TABLES_BYTES];
};

struct isx_lmdb_view;

/* What the tables of a file are, and how they come about: one for each engine. */
struct isx_lmdb_layout {
	size_t engine_tables_bytes; /* of struct isx_lmdb_tables.of_engine that this engine uses */
	/* Open the table called `name` if it is one of this layout (isx_lmdb_open_table()).
	 * Returns a code of LMDB: MDB_INCOMPATIBLE for a file of another layout. */
	int (*open_by_name)(struct isx_lmdb_view *view, const char *name);
	isx_table_shape_fn *shape; /* of its tables */
	/* Make the tables that every index has, as far as they are missing, in a view that writes,
	 * and what a new index says of itself. */
	enum isx_status (*make_tables)(struct isx_lmdb_view *view, struct isx_err *err);
	/* Fill what is derived again, in a view that writes: another program wrote last. */
	enum isx_status (*derive)(struct isx_lmdb_view *view, struct isx_err *err);
};

/* When the file was last written, and by which transaction: to notice who writes without one
 * (lmdb_verify.c). */
struct isx_lmdb_watch {
	pthread_mutex_t lock; /* guards the rest */
	unsigned writing;     /* views of this process that write now */
	int64_t mtime_ns;     /* the file's own time */
	uint64_t txn_id;
	uint64_t own_txn_id;           /* the last one of this process */
	bool others_write;             /* another process has committed something */
	int64_t unexplained_mtime_ns;  /* a time without a transaction, */
	uint64_t unexplained_since_ns; /* and since when we know of it */
};

struct isx_lmdb_file {
	MDB_env *env;
	const struct isx_lmdb_layout *layout;
	char *path; /* NULL: it has no name (memory://) */
	dev_t device;
	ino_t inode;
	bool read_only;
	bool is_lockless; /* its lock file cannot be written: nobody may have it open beside us */
	struct isx_counters *counters; /* borrowed, or NULL */
	struct isx_logger logger;
	atomic_bool is_replaced;  /* a write found that `path` is no longer this file */
	atomic_uint writes_begun; /* to look for dead readers now and then */
	pthread_mutex_t
		opening; /* held while a transaction may open handles: LMDB wants one at a time */
	pthread_rwlock_t publishing; /* guards `tables` */
	struct isx_lmdb_tables tables;
	atomic_uint handles_opened; /* how often `tables` got more of them */
	pthread_mutex_t verifying;  /* held while all pages are walked; guards `damage` */
	atomic_int verified;        /* an enum isx_pages_extent */
	atomic_uint forgotten;      /* how often `verified` was taken back */
	atomic_bool is_damaged;     /* it is refused: `damage` says why, for good */
	struct isx_err damage;
	struct isx_known_pages *_Atomic known; /* of the table of assets; NULL: none yet */
	atomic_ullong bytes_seen;              /* of the file: it never gets shorter */
	struct isx_lmdb_watch watch;
	atomic_ullong suspected_ns;     /* when LMDB last said that something is wrong */
	struct isx_commit_queue *queue; /* of writes, in groups (isx_lmdb_queue_run()) */
};

struct isx_lmdb_view {
	struct isx_lmdb_file *file;
	MDB_txn *txn;
	bool writes;
	struct isx_lmdb_tables tables;
	struct isx_meter meter; /* of the search that reads through it */
};

/* How a file is opened. */
enum {
	ISX_LMDB_CREATE = 1,       /* it may be new */
	ISX_LMDB_VOLATILE = 2,     /* it loses its name once it is open, and need not be synced */
	ISX_LMDB_WITHOUT_LOCK = 4, /* to read: the lock file beside it must not be used */
	ISX_LMDB_WHOLE_MAP = 8     /* ISX_NO_MEMORY rather than less address space */
};

/* Open the file at `path`. options->map_bytes of address space are set aside, or less where there
 * is less. The file is closed with isx_lmdb_file_close() once no view is left.
 *   how  of the enum above
 * ISX_CORRUPT: not an index, or one of a later format. ISX_FULL: no address space is left. */
ISX_MUST_CHECK enum isx_status isx_lmdb_file_open(const char *path,
						  const struct isx_lmdb_layout *layout,
						  const struct isx_options *options, unsigned how,
						  struct isx_lmdb_file **file, struct isx_err *err);

/* The two halves of opening, for who holds a lock meanwhile: attach() is all that has to do with
 * the names of the file and its lock file; start(), which may take long on a damaged file, looks at
 * what is in it. Only a file that was started may be used; either is closed. */
ISX_MUST_CHECK enum isx_status isx_lmdb_file_attach(const char *path,
						    const struct isx_lmdb_layout *layout,
						    const struct isx_options *options, unsigned how,
						    struct isx_lmdb_file **file,
						    struct isx_err *err);
ISX_MUST_CHECK enum isx_status isx_lmdb_file_start(struct isx_lmdb_file *file, unsigned how,
						   struct isx_err *err);
void isx_lmdb_file_close(struct isx_lmdb_file *file);

/* Begin reading one snapshot. End it with isx_lmdb_end().
 *   extent  what is going to be read: ISX_PAGES_BRIEF or ISX_PAGES_ROWS, both with assets by
 *           isx_lmdb_get_asset() */
ISX_MUST_CHECK enum isx_status isx_lmdb_read(struct isx_lmdb_file *file,
					     enum isx_pages_extent extent,
					     struct isx_lmdb_view *view, struct isx_err *err);

/* The same, also when another program wrote last: *derived says whether what is derived is up to
 * date. Writes nothing. */
ISX_MUST_CHECK enum isx_status isx_lmdb_read_as_is(struct isx_lmdb_file *file,
						   struct isx_lmdb_view *view, bool *derived,
						   struct isx_err *err);

/* Begin a read transaction without a view, to be ended with mdb_txn_abort(): for who verifies the
 * file. Returns a code of LMDB. */
int isx_lmdb_begin_snapshot(struct isx_lmdb_file *file, MDB_txn **txn);

/* Fail as isx_lmdb_read() does where what is derived is not up to date and nothing may be
 * written. */
enum isx_status isx_lmdb_fail_stale(struct isx_err *err);

/* Begin writing; waits for other writers, of any process. End with isx_lmdb_commit() or
 * isx_lmdb_end(), in the same thread. ISX_UNAVAILABLE with file->is_replaced set: the index has got
 * another file (or none) since this one was opened, and has to be looked up again. */
ISX_MUST_CHECK enum isx_status isx_lmdb_write(struct isx_lmdb_file *file,
					      struct isx_lmdb_view *view, struct isx_err *err);

/* Make what was written durable and visible; the view is over, also on failure. */
ISX_MUST_CHECK enum isx_status isx_lmdb_commit(struct isx_lmdb_view *view, struct isx_err *err);

/* One change. `{ .check = ..., .apply = ... }` */
struct isx_lmdb_change {
	struct isx_commit commit; /* first: the queue's own */
	/* May the change be made to this index? Writes nothing. */
	enum isx_status (*check)(struct isx_lmdb_change *change, struct isx_lmdb_view *view,
				 struct isx_err *err);
	/* Make it. May be called again if the first transaction failed. */
	enum isx_status (*apply)(struct isx_lmdb_change *change, struct isx_lmdb_view *view,
				 struct isx_err *err);
};

/* Make a change; returns when it is durable and visible, or refused, or failed: then nothing of it
 * is there. */
ISX_MUST_CHECK enum isx_status isx_lmdb_queue_run(struct isx_lmdb_file *file,
						  struct isx_lmdb_change *change,
						  struct isx_err *err);

/* Hold off the writers of all processes without writing, while everything derived is up to date in
 * the last snapshot. End with isx_lmdb_unblock_writers(), in the same thread. */
ISX_MUST_CHECK enum isx_status isx_lmdb_block_writers(struct isx_lmdb_file *file, MDB_txn **hold,
						      struct isx_err *err);
void isx_lmdb_unblock_writers(MDB_txn *hold);

/* End a view; what it wrote and did not commit is forgotten. Safe on one that has ended. */
void isx_lmdb_end(struct isx_lmdb_view *view);

/* The number of the last transaction that anybody committed. */
uint64_t isx_lmdb_last_change(const struct isx_lmdb_file *file);

/* To be asked behind a call on a file that is read without its lock file: has nobody changed it
 * since `last_change` was the last? Else what was read may be wrong: a writer does not know of the
 * reader, and uses its pages again. */
ISX_MUST_CHECK enum isx_status isx_lmdb_check_unmodified(const struct isx_lmdb_file *file,
							 uint64_t last_change, struct isx_err *err);

/* How many read transactions the file has now, of all processes. */
uint32_t isx_lmdb_count_readers(const struct isx_lmdb_file *file);

/* Look up the handle of a table unless *table has it; a view that writes creates what is missing.
 * Returns a code of LMDB. */
int isx_lmdb_open_table(struct isx_lmdb_view *view, const char *name, unsigned flags,
			MDB_dbi *table);

/* A number in __metadata__: *found says whether it is there. */
ISX_MUST_CHECK enum isx_status isx_lmdb_get_u32(struct isx_lmdb_view *view, const char *name,
						bool *found, uint32_t *value, struct isx_err *err);
ISX_MUST_CHECK enum isx_status isx_lmdb_put_meta(struct isx_lmdb_view *view, const char *name,
						 const void *bytes, size_t count,
						 struct isx_err *err);

#endif
