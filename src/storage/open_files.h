/*
 * open_files.h - the index files that a store has open: each once, counted, closed when it has gone.
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
	const struct isx_lmdb_layout *layout;
	const struct isx_options *options;
	pthread_mutex_t lock; /* guards all that is below it */
	pthread_cond_t changed;
	struct isx_open_index *first;
	uint64_t uses;         /* a clock for which of them was used last */
	size_t open_max;       /* beyond so many, those that nobody uses are closed */
	bool map_size_reduced; /* there is not the address space for even one as large as asked for */
	pthread_t sweeper;
	pthread_cond_t closing_now; /* the sweeper is to end */
	bool sweeps;                /* there is a sweeper */
	bool closing;
};

/* Nothing is open at first; release() closes what is, which nobody may be using any more. */
void isx_open_files_init(struct isx_open_files *files, const struct isx_store_folder *folder,
			 const struct isx_lmdb_layout *layout, const struct isx_options *options);
void isx_open_files_release(struct isx_open_files *files);

/* Begin to use the file that has the name of an index now, opening it if need be. End with
 * isx_open_files_unpin().
 *   is_probe    it is looked at with all others: no reason to keep it open rather than another
 *   index, file  filled; borrowed until then */
ISX_MUST_CHECK enum isx_status isx_open_files_pin(struct isx_open_files *files, const char *name,
						  bool is_probe, struct isx_open_index **index,
						  struct isx_lmdb_file **file, struct isx_err *err);
void isx_open_files_unpin(struct isx_open_files *files, struct isx_open_index *index);

/* Add a file that has no name on disk.
 *   file  taken, also on failure
 * ISX_EXISTS: there is one of that name. */
ISX_MUST_CHECK enum isx_status isx_open_files_add(struct isx_open_files *files, const char *name,
						  struct isx_lmdb_file *file, struct isx_err *err);

/* Let go of an index without a name on disk. ISX_NOT_FOUND. */
ISX_MUST_CHECK enum isx_status isx_open_files_drop(struct isx_open_files *files, const char *name,
						   struct isx_err *err);

/* Close what was deleted or replaced on disk, now or when its last user is done. */
void isx_open_files_sweep(struct isx_open_files *files);

/* Append the names of all that is open, each with its NUL. */
void isx_open_files_names(struct isx_open_files *files, struct isx_buf *names);

#endif
