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
#include "engine/pass_queue.h"
#include "iscc_search.h"
#include "storage/lmdb_format.h"
#include "storage/lmdb_leaves.h"
#include "storage/lmdb_pages.h"
#include "storage/lmdb_status.h"

#include <lmdb.h>
#include <pthread.h>
#include <stdatomic.h>

/* The handle of the table of tables; LMDB has no name for the number. */
enum { ISX_LMDB_MAIN_TABLE = 1 };

enum { ISX_FIELDS_FLAGS = MDB_DUPSORT | MDB_DUPFIXED }; /* of the table of declared fields */

/* Room in each view for the handles of an engine's own tables. usearch:// needs the most, 5,144
 * bytes: the names and handles of 64 simprint types, and two handles for each of 32 lengths. */
enum { ISX_LMDB_ENGINE_TABLES_BYTES = 5248 };

/* Handles of the tables that exist; 0 for one that does not (LMDB gives named tables 2 and up). */
struct isx_lmdb_tables {
	size_t count; /* named tables in the file when these handles were looked up */
	MDB_dbi metadata;
	MDB_dbi assets;
	MDB_dbi fields; /* lmdb_fields.h */
	/* The engine's own struct (isx_sim_tables(), isx_prefix_tables()): all zeros for no table.
	 * It is copied and compared as bytes. */
	_Alignas(8) unsigned char of_engine[ISX_LMDB_ENGINE_TABLES_BYTES];
};

struct isx_lmdb_kind; /* lmdb_kind.h: which tables a file has, and what is in them */

/* When the file was last written, and by which transaction: detects a program that overwrites the
 * file without a transaction (lmdb_verify.c). */
struct isx_lmdb_watch {
	pthread_mutex_t lock;          /* guards the members below */
	unsigned writing;              /* views of this process that write now */
	int64_t mtime_ns;              /* modification time of the file at the last look */
	uint64_t txn_id;               /* last transaction at the last look */
	uint64_t own_txn_id;           /* last transaction of this process */
	bool others_write;             /* another process has committed a transaction */
	int64_t unexplained_mtime_ns;  /* a modification time without a transaction, */
	uint64_t unexplained_since_ns; /* and when it was first seen (isx_clock_ns()) */
};

struct isx_lmdb_file {
	MDB_env *env;
	const struct isx_lmdb_kind *kind;
	char *path; /* NULL: it has no name (memory://) */
	dev_t device;
	ino_t inode;
	bool read_only;
	bool is_lockless; /* read without its lock file: no other process may have it open */
	struct isx_counters *counters; /* borrowed, or NULL */
	struct isx_logger logger;
	atomic_bool is_replaced;  /* to be opened again: a write found that `path` is no longer this
				  * file, or LMDB has given up after a failed one */
	atomic_uint writes_begun; /* dead readers are looked for at every 32nd write */
	pthread_mutex_t opening;  /* held by the one transaction that may open handles */
	pthread_rwlock_t publishing; /* guards `tables` */
	struct isx_lmdb_tables tables;
	atomic_uint handles_opened; /* counts the changes of `tables` */
	pthread_mutex_t verifying;  /* held while all pages are walked; guards `damage` */
	atomic_int verified;        /* an enum isx_pages_extent */
	atomic_uint forgotten;      /* counts how often `verified` was taken back */
	atomic_bool is_damaged;     /* the file is refused for good, for the reason in `damage` */
	struct isx_err damage;
	struct isx_known_pages *_Atomic known; /* of the table of assets; NULL: none yet */
	atomic_ullong bytes_seen;              /* largest length of the file so far */
	struct isx_lmdb_watch watch;
	atomic_ullong suspected_ns;           /* time of the last isx_lmdb_suspect() that counted */
	struct isx_commit_queue *queue;       /* groups the writes (isx_lmdb_queue_run()) */
	struct isx_pass_queue passes;         /* groups the searches, of a kind that does so */
	struct isx_pass_queue passage_passes; /* groups the searches of simprints */
	struct isx_leaf_lists leaves;         /* where the rows of the last snapshot lie */
};

/* A transaction; one thread uses it, from begin to end. */
struct isx_lmdb_view {
	struct isx_lmdb_file *file;
	MDB_txn *txn;
	bool writes;
	struct isx_lmdb_tables tables;
	struct isx_meter meter; /* counts for the search that reads through this view */
};

/* Flags of opening a file. */
enum {
	ISX_LMDB_CREATE = 1,       /* create the file if it does not exist */
	ISX_LMDB_VOLATILE = 2,     /* the file loses its name once it is open: no syncs */
	ISX_LMDB_WITHOUT_LOCK = 4, /* for reading: the lock file beside it must not be used */
	ISX_LMDB_WHOLE_MAP = 8     /* fail with ISX_NO_MEMORY rather than take less address space */
};

/* Open the file at `path`. options->map_bytes of address space are set aside, or less if there is
 * less.
 *   how   flags of the enum above
 *   file  new, closed with isx_lmdb_file_close() after its last view
 * ISX_CORRUPT: not an index, or one of a later format. ISX_FULL: no address space is left. */
ISX_MUST_CHECK enum isx_status isx_lmdb_file_open(const char *path,
						  const struct isx_lmdb_kind *kind,
						  const struct isx_options *options, unsigned how,
						  struct isx_lmdb_file **file, struct isx_err *err);

/* The two halves of opening. attach() does everything that depends on the names of the file and its
 * lock file, so the caller holds the directory's lock for it. start() reads what is in the file,
 * which may take long on a damaged one, and needs no lock. Only a started file may be used; both
 * are closed. */
ISX_MUST_CHECK enum isx_status isx_lmdb_file_attach(const char *path,
						    const struct isx_lmdb_kind *kind,
						    const struct isx_options *options, unsigned how,
						    struct isx_lmdb_file **file,
						    struct isx_err *err);
ISX_MUST_CHECK enum isx_status isx_lmdb_file_start(struct isx_lmdb_file *file, unsigned how,
						   struct isx_err *err);
void isx_lmdb_file_close(struct isx_lmdb_file *file);

/* Begin to read one snapshot; end with isx_lmdb_end(). If another program wrote last, a write
 * transaction first brings everything derived up to date: the caller must hold no writing view.
 *   extent  the pages to be read: ISX_PAGES_BRIEF or ISX_PAGES_ROWS, both with assets by
 *           isx_lmdb_get_asset(); ISX_PAGES_SAFE for everything */
ISX_MUST_CHECK enum isx_status isx_lmdb_read(struct isx_lmdb_file *file,
					     enum isx_pages_extent extent,
					     struct isx_lmdb_view *view, struct isx_err *err);

/* Begin to read one snapshot as it is; writes nothing.
 *   derived  filled: is everything derived up to date? False: another program wrote last */
ISX_MUST_CHECK enum isx_status isx_lmdb_read_as_is(struct isx_lmdb_file *file,
						   struct isx_lmdb_view *view, bool *derived,
						   struct isx_err *err);

/* Begin one more view of the snapshot of `view`, which reads, for another thread. Never waits for a
 * writer, and ends before or after `view`.
 *   again  filled on success
 * False: a writer has committed since then, or there is no slot for another reader. */
ISX_MUST_CHECK bool isx_lmdb_read_again(const struct isx_lmdb_view *view,
					struct isx_lmdb_view *again);

/* Fail with ISX_READ_ONLY: what is derived is not up to date, and a read-only store must not
 * write. */
enum isx_status isx_lmdb_fail_stale(struct isx_err *err);

/* Begin to write; waits for the writers of all processes. End with isx_lmdb_commit() or
 * isx_lmdb_end() in the same thread: until then it holds LMDB's writer lock and `opening`.
 * ISX_UNAVAILABLE with file->is_replaced set: the name of the index means another file (or none)
 * since this one was opened, or this one has to be opened again, so the caller has to look the index
 * up again. */
ISX_MUST_CHECK enum isx_status isx_lmdb_write(struct isx_lmdb_file *file,
					      struct isx_lmdb_view *view, struct isx_err *err);

/* Make what was written durable and visible. Ends the view, also on failure. */
ISX_MUST_CHECK enum isx_status isx_lmdb_commit(struct isx_lmdb_view *view, struct isx_err *err);

/* One change of an index; begin with `{ .check = ..., .apply = ... }`. */
struct isx_lmdb_change {
	struct isx_commit commit; /* first member: private to the queue */
	/* Fail if the change does not fit this index. Writes nothing. */
	enum isx_status (*check)(struct isx_lmdb_change *change, struct isx_lmdb_view *view,
				 struct isx_err *err);
	/* Make the change. Called again, in a new transaction, if the first one failed. */
	enum isx_status (*apply)(struct isx_lmdb_change *change, struct isx_lmdb_view *view,
				 struct isx_err *err);
};

/* Make a change, in one transaction with the changes of other threads. Returns when it is durable
 * and visible, or has been refused or has failed; then it left nothing behind. */
ISX_MUST_CHECK enum isx_status isx_lmdb_queue_run(struct isx_lmdb_file *file,
						  struct isx_lmdb_change *change,
						  struct isx_err *err);

/* Block the writers of all processes, without writing: takes LMDB's writer lock at a moment when
 * everything derived is up to date. End with isx_lmdb_unblock_writers() in the same thread.
 *   hold  filled: the transaction that holds the lock */
ISX_MUST_CHECK enum isx_status isx_lmdb_block_writers(struct isx_lmdb_file *file, MDB_txn **hold,
						      struct isx_err *err);
void isx_lmdb_unblock_writers(MDB_txn *hold);

/* End a view; what it wrote is discarded. Safe on a view that has ended. */
void isx_lmdb_end(struct isx_lmdb_view *view);

/* Look up the handle of a table unless *table has it. A view that writes creates a missing table.
 * The caller holds `opening`. Returns a code of LMDB. */
int isx_lmdb_open_table(struct isx_lmdb_view *view, const char *name, unsigned flags,
			MDB_dbi *table);

/* Read or write an entry of __metadata__. *found: is it there? */
ISX_MUST_CHECK enum isx_status isx_lmdb_get_u32(struct isx_lmdb_view *view, const char *name,
						bool *found, uint32_t *value, struct isx_err *err);
ISX_MUST_CHECK enum isx_status isx_lmdb_put_meta(struct isx_lmdb_view *view, const char *name,
						 const void *bytes, size_t count,
						 struct isx_err *err);

#endif
