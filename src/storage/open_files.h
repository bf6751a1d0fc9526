/*
 * open_files.h - the index files that a store has open: each once, counted, and closed when its
 * name
 *                means another file.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_OPEN_FILES_H
#define ISX_OPEN_FILES_H

#include "base/buf.h"
#include "storage/lmdb_file.h"
#include "storage/store_folder.h"

#include <pthread.h>

struct isx_open_index;

struct isx_open_files {
	const struct isx_store_folder *folder; /* borrowed, as the next two are */
	const struct isx_lmdb_kind *kind;
	const struct isx_options *options;
	pthread_mutex_t lock;         /* guards all members below */
	pthread_cond_t changed;       /* an entry was opened, refused or removed */
	struct isx_open_index *first; /* the list of entries */
	uint64_t uses;                /* counts uses: orders the entries by their last one */
	size_t open_max;              /* beyond this number, unused files are closed */
	bool map_size_reduced; /* not even one file gets the address space that options ask for */
	pthread_t sweeper;
	pthread_cond_t closing_now; /* the sweeper has to end */
	bool sweeps;                /* the sweeper was started */
	bool closing;
};

/* Begin with no open file. isx_open_files_release() ends the sweeper and closes all files; no
 * thread may use one any more. */
void isx_open_files_init(struct isx_open_files *files, const struct isx_store_folder *folder,
			 const struct isx_lmdb_kind *kind, const struct isx_options *options);
void isx_open_files_release(struct isx_open_files *files);

/* Pin the file that has the name of an index now: it stays open until isx_open_files_unpin(). Opens
 * the file if necessary, and waits while another thread opens or closes it.
 *   is_probe     the file is looked at along with all others (list, readiness): this does not count
 *                as a use, which decides what is closed first
 *   index, file  filled; borrowed until isx_open_files_unpin()
 * ISX_CORRUPT: the file is damaged, and refused until it changes. */
ISX_MUST_CHECK enum isx_status isx_open_files_pin(struct isx_open_files *files, const char *name,
						  bool is_probe, struct isx_open_index **index,
						  struct isx_lmdb_file **file, struct isx_err *err);
void isx_open_files_unpin(struct isx_open_files *files, struct isx_open_index *index);

/* Add a file that has no name on disk.
 *   file  taken, also on failure
 * ISX_EXISTS: there is one of that name. */
ISX_MUST_CHECK enum isx_status isx_open_files_add(struct isx_open_files *files, const char *name,
						  struct isx_lmdb_file *file, struct isx_err *err);

/* Remove an index that has no name on disk; its file is closed once it is not pinned.
 * ISX_NOT_FOUND. */
ISX_MUST_CHECK enum isx_status isx_open_files_drop(struct isx_open_files *files, const char *name,
						   struct isx_err *err);

/* Close each file whose name was deleted or replaced on disk: now, or when it is not pinned any
 * more. */
void isx_open_files_sweep(struct isx_open_files *files);

/* Append the names of all open indexes, each with its NUL. */
void isx_open_files_names(struct isx_open_files *files, struct isx_buf *names);

#endif
