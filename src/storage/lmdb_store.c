/*
 * lmdb_store.c - a directory of index files: create, delete, list, copy, check, and the calls that
 *                are passed on to an open file.
 *
 * store_folder.c knows where the files lie and locks the directory; open_files.c knows which of
 * them are open. The files of memory:// are unlinked once they are open.
 *
 * Lock order of what is called here: the record lock of a staging path, LMDB's writer lock of a
 * file, the directory's lock (flock). The lock of open_files is taken for moments and never held
 * while another one of these is taken.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "storage/lmdb_store.h"
#include "engine/index_info.h"

#include "base/fs.h"
#include "base/log.h"
#include "base/span.h"
#include "storage/lmdb_add.h"
#include "storage/lmdb_assets.h"
#include "storage/lmdb_check.h"
#include "storage/lmdb_copy.h"
#include "storage/lmdb_fields.h"
#include "storage/lmdb_snapshot.h"
#include "storage/lmdb_verify.h"
#include "storage/lmdb_walk.h"
#include "storage/lock_file.h"
#include "storage/open_files.h"
#include "storage/store_folder.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

struct lmdb_store {
	struct isx_engine engine; /* first member: store_of() */
	const struct isx_lmdb_kind *kind;
	struct isx_store_folder folder;
	struct isx_open_files files; /* borrows `folder` and engine.options: both stay in place */
};

/* All functions of the table get the engine of a store that new_store() has made. */
static struct lmdb_store *store_of(struct isx_engine *engine)
{
	return (struct lmdb_store *)engine;
}

/* --- using an index --------------------------------------------------------------------------- */

/* One call on the pinned file of an index. It is made again when a write finds that the index has
 * another file now, because another process has compacted or replaced it:
 *
 *	struct pinned_index pinned = { .store = store, .name = name };
 *	while (pin_index(&pinned, err))
 *		pinned.status = ...pinned.file...;
 *	return pinned.status;
 */
struct pinned_index {
	struct lmdb_store *store;
	const char *name;
	bool is_probe; /* see isx_open_files_pin() */
	struct isx_open_index *index;
	struct isx_lmdb_file *file;
	uint64_t last_change; /* the file's last transaction, read before the call */
	enum isx_status status;
};

/* Pin the file for the next call. After a call, unpin it first and decide from pinned->status
 * whether to call again; false: pinned->status is final, and no file is pinned. */
static bool pin_index(struct pinned_index *pinned, struct isx_err *err)
{
	if (pinned->index) {
		/* A failed call is not checked: its error stands, whatever was read. */
		if (!pinned->status)
			pinned->status = isx_lmdb_check_unmodified(pinned->file,
								   pinned->last_change, err);
		/* Return the finding by which the file is refused: LMDB's own message says
		 * less. Damage that only showed during the call has all pages verified before
		 * the next one. */
		if (pinned->status == ISX_CORRUPT && atomic_load(&pinned->file->is_damaged))
			isx_fail(err, ISX_CORRUPT, "%s", pinned->file->damage.msg);
		else if (pinned->status == ISX_CORRUPT)
			isx_lmdb_suspect(pinned->file);
		/* Any other ISX_UNAVAILABLE goes to the caller: to wait is the client's
		 * decision. */
		bool again = pinned->status == ISX_UNAVAILABLE && pinned->file->is_replaced;
		isx_open_files_unpin(&pinned->store->files, pinned->index);
		if (!again)
			return false;
	}
	pinned->status = isx_open_files_pin(&pinned->store->files, pinned->name, pinned->is_probe,
					    &pinned->index, &pinned->file, err);
	if (!pinned->status)
		pinned->last_change = isx_lmdb_last_change(pinned->file);
	return pinned->status == ISX_OK;
}

/* Without the loop of pin_index(): the caller keeps the file for longer than a call, and goes on
 * with it when the index gets another file. */
enum isx_status isx_lmdb_store_acquire(struct isx_engine *engine, const char *name,
				       struct isx_open_index **index, struct isx_lmdb_file **file,
				       struct isx_err *err)
{
	return isx_open_files_pin(&store_of(engine)->files, name, false, index, file, err);
}

void isx_lmdb_store_release(struct isx_engine *engine, struct isx_open_index *index)
{
	isx_open_files_unpin(&store_of(engine)->files, index);
}

/* --- creating and deleting -------------------------------------------------------------------- */

/* Make a complete index at `entry`, a staging path, and close it. No lock is needed: no other
 * process looks there. */
static enum isx_status make_index(struct lmdb_store *store, const char *entry, struct isx_err *err)
{
	/* Enough for the first pages: the address space may be used up by open indexes. */
	enum { MAP_BYTES = 16 << 20 };
	char path[PATH_MAX];
	struct isx_lmdb_file *file = NULL;
	struct isx_options options = store->engine.options;
	if (options.map_bytes == 0 || options.map_bytes > MAP_BYTES)
		options.map_bytes = MAP_BYTES;
	if (store->folder.inside && mkdir(entry, 0755) != 0)
		return isx_fail_errno(err, "create", entry);
	if (!isx_store_folder_file_in(&store->folder, entry, path))
		return isx_fail(err, ISX_INVALID, "the path of the index is too long");
	enum isx_status st = isx_lmdb_file_open(path, store->kind, &options, ISX_LMDB_CREATE, &file,
						err);
	isx_lmdb_file_close(file);
	return st;
}

/* Rename a complete index to its name, with the directory locked alone. */
static enum isx_status publish_index(struct lmdb_store *store, const char *name, const char *made,
				     const char *entry, struct isx_err *err)
{
	int lock;
	enum isx_status st = isx_store_folder_lock(&store->folder, LOCK_EX, &lock, err);
	if (st)
		return st;
	/* A lock file without its index: the new file must not meet it. */
	if (access(entry, F_OK) != 0)
		isx_store_folder_remove_lock_file(&store->folder,
						  entry); /* iscc-search 0.3.3 leaves it behind */
	st = isx_store_folder_vacate(&store->folder, entry, err);
	/* NOREPLACE decides between two processes that create the same index. */
	if (!st && renameat2(AT_FDCWD, made, AT_FDCWD, entry, RENAME_NOREPLACE) != 0)
		st = errno == EEXIST ? isx_fail(err, ISX_EXISTS, "Index '%s' already exists", name)
				     : isx_fail_errno(err, "create", entry);
	isx_store_folder_unlock(lock);
	return st;
}

/* Make the index at a staging path and rename it, so that no process ever opens half an index. */
static enum isx_status create_on_disk(struct lmdb_store *store, const char *name,
				      struct isx_err *err)
{
	char entry[PATH_MAX], path[PATH_MAX];
	struct isx_staging made;
	if (!isx_store_folder_entry(&store->folder, name, entry) ||
	    !isx_store_folder_file_in(&store->folder, entry, path))
		return isx_fail(err, ISX_INVALID, "the path of the index is too long");
	/* Fails early; publish_index() decides. */
	if (access(path, F_OK) == 0)
		return isx_fail(err, ISX_EXISTS, "Index '%s' already exists", name);
	enum isx_status st = isx_staging_begin(&store->folder, name, "new", &made, err);
	if (st)
		return st;
	st = make_index(store, made.path, err);
	if (!st)
		st = publish_index(store, name, made.path, entry, err);
	/* A lock file beside the staging path (not in the entry) is left when the index has
	 * been renamed. */
	if (st) {
		isx_store_folder_remove(&store->folder, made.path);
	} else {
		isx_store_folder_remove_lock_file(&store->folder, made.path);
		isx_sync_folder(store->folder.path);
	}
	isx_staging_end(&made);
	return st;
}

/* Make an index of memory://: a file that loses its name as soon as it is open, so that its
 * room is given back when the process ends, however it ends. */
static enum isx_status create_in_memory(struct lmdb_store *store, const char *name,
					struct isx_err *err)
{
	char directory[PATH_MAX], path[PATH_MAX];
	struct isx_lmdb_file *file;
	const char *parent = store->engine.options.temporary_directory;
	/* mkdtemp() makes a directory that only this user can enter, so the name cannot be
	 * taken over. */
	int len = snprintf(directory, sizeof directory, "%s/iscc-search-XXXXXX",
			   parent ? parent : "/tmp");
	if (len >= (int)sizeof directory || !mkdtemp(directory))
		return isx_fail_errno(err, "create", directory);
	enum isx_status st = ISX_OK;
	if (snprintf(path, sizeof path, "%s/index.lmdb", directory) >= (int)sizeof path)
		st = isx_fail(err, ISX_INVALID, "the path of temporary files is too long");
	if (!st)
		st = isx_lmdb_file_open(path, store->kind, &store->engine.options,
					ISX_LMDB_CREATE | ISX_LMDB_VOLATILE, &file, err);
	/* From here on the file has no name; the mapping keeps it. */
	isx_store_folder_remove(&store->folder, directory);
	return st ? st : isx_open_files_add(&store->files, name, file, err);
}

/* A read-only store is refused before anything is made, not even a staging path. */
static enum isx_status store_create(struct isx_engine *engine, const char *name,
				    struct isx_err *err)
{
	struct lmdb_store *store = store_of(engine);
	if (engine->options.read_only)
		return isx_fail(err, ISX_READ_ONLY, "the store was opened for reading only");
	return store->folder.path ? create_on_disk(store, name, err)
				  : create_in_memory(store, name, err);
}

/* Rename an index to the staging path `doomed`, with the directory locked alone: from then on
 * it is deleted for every process that opens it. */
static enum isx_status hide_index(struct lmdb_store *store, const char *name, const char *doomed,
				  struct isx_err *err)
{
	char entry[PATH_MAX];
	int lock;
	if (!isx_store_folder_entry(&store->folder, name, entry))
		return isx_fail_no_index(err, name);
	enum isx_status st = isx_store_folder_lock(&store->folder, LOCK_EX, &lock, err);
	if (st)
		return st;
	if (rename(entry, doomed) != 0)
		st = errno == ENOENT ? isx_fail_no_index(err, name)
				     : isx_fail_errno(err, "delete", entry);
	else
		isx_store_folder_remove_lock_file(&store->folder, entry);
	isx_store_folder_unlock(lock);
	return st;
}

/* Rename, then delete: a crash in between leaves a staging path, which the next process to open
 * the store removes, and never half an index under its name. */
static enum isx_status drop_on_disk(struct lmdb_store *store, const char *name, struct isx_err *err)
{
	char path[PATH_MAX];
	struct isx_staging doomed;
	/* Without a file inside it is no index, even if the entry exists: a user's directory is
	 * not deleted. */
	if (!isx_store_folder_file(&store->folder, name, path) || access(path, F_OK) != 0)
		return isx_fail_no_index(err, name);
	enum isx_status st = isx_staging_begin(&store->folder, name, "deleted", &doomed, err);
	if (st)
		return st;
	st = hide_index(store, name, doomed.path, err);
	/* Processes that have the file open go on with it; its room on the disk is free once
	 * they have closed it. */
	if (!st) {
		isx_sync_folder(store->folder.path);
		isx_open_files_sweep(&store->files);
		isx_store_folder_remove(&store->folder, doomed.path);
	}
	isx_staging_end(&doomed);
	return st;
}

static enum isx_status store_drop(struct isx_engine *engine, const char *name, struct isx_err *err)
{
	struct lmdb_store *store = store_of(engine);
	if (engine->options.read_only)
		return isx_fail(err, ISX_READ_ONLY, "the store was opened for reading only");
	return store->folder.path ? drop_on_disk(store, name, err)
				  : isx_open_files_drop(&store->files, name, err);
}

/* --- stat and list ---------------------------------------------------------------------------- */

/* Fill in the numbers of assets and bytes. Bytes are all pages of the file, free ones too. */
static enum isx_status measure(struct isx_lmdb_view *view, struct isx_index_info *info,
			       struct isx_err *err)
{
	MDB_stat stat = { 0 }; /* no table of assets yet: 0 assets */
	MDB_envinfo env;
	int rc = view->tables.assets ? mdb_stat(view->txn, view->tables.assets, &stat) : 0;
	info->assets = stat.ms_entries;
	if (!rc)
		rc = mdb_env_info(view->file->env, &env);
	if (!rc)
		rc = mdb_env_stat(view->file->env, &stat);
	if (rc)
		return isx_lmdb_status(rc, "measure the index", err);
	info->bytes = ((uint64_t)env.me_last_pgno + 1) * stat.ms_psize;
	return ISX_OK;
}

/* Describe a file as it is. If another program wrote last, deriving may take long: that is left
 * to the first real use.
 *   for_search  fail with ISX_READ_ONLY if the file cannot be searched: it is out of date, and
 *               the store must not write */
static enum isx_status describe(const struct pinned_index *pinned, bool for_search,
				struct isx_index_info *info, struct isx_err *err)
{
	const struct isx_lmdb_kind *kind = pinned->store->kind;
	struct isx_lmdb_file *file = pinned->file;
	struct isx_lmdb_view view;
	bool is_derived;
	*info = (struct isx_index_info){ 0 };
	snprintf(info->name, sizeof info->name, "%s", pinned->name);
	enum isx_status st = isx_lmdb_read_as_is(file, &view, &is_derived, err);
	if (st)
		return st;
	st = for_search && file->read_only && !is_derived ? isx_lmdb_fail_stale(err)
							  : measure(&view, info, err);
	if (!st)
		st = isx_index_part_add(info, "lmdb", 0, err);
	if (!st && kind->describe)
		st = kind->describe(&view, info, err);
	isx_lmdb_end(&view);
	if (st) {
		isx_index_info_release(info);
		return st;
	}
	/* After the view has ended, so that this call does not count itself. */
	info->readers = isx_lmdb_count_readers(file);
	/* Whatever no other part claims belongs to "lmdb": assets, metadata and free pages. */
	uint64_t others = 0;
	for (size_t i = 1; i < info->part_count; i++)
		others += info->parts[i].bytes;
	info->parts[0].bytes = info->bytes > others ? info->bytes - others : 0;
	return ISX_OK;
}

/* May be called for an index that cannot be searched yet: nothing is derived for it
 * (describe()). */
static enum isx_status store_stat(struct isx_engine *engine, const char *name,
				  struct isx_index_info *info, struct isx_err *err)
{
	struct pinned_index pinned = { .store = store_of(engine), .name = name };
	*info = (struct isx_index_info){ 0 };
	while (pin_index(&pinned, err))
		pinned.status = describe(&pinned, false, info, err);
	if (pinned.status)
		isx_index_info_release(info);
	return pinned.status;
}

/* All pages are verified first, as rows of every type are read. */
static enum isx_status count_file(struct isx_lmdb_file *file, const struct isx_options *options,
				  const struct isx_meter *meter, struct isx_arena *arena,
				  struct isx_index_stats *stats, struct isx_err *err)
{
	struct isx_lmdb_view view;
	enum isx_status st = isx_lmdb_read(file, ISX_PAGES_SAFE, &view, err);
	if (st)
		return st;
	view.meter = *meter;
	st = file->kind->stats(&view, options, arena, stats, err);
	isx_lmdb_end(&view);
	return st;
}

static enum isx_status store_stats(struct isx_engine *engine, const char *name,
				   const struct isx_meter *meter, struct isx_arena *arena,
				   struct isx_index_stats *stats, struct isx_err *err)
{
	struct pinned_index pinned = { .store = store_of(engine), .name = name };
	if (!pinned.store->kind->stats)
		return isx_fail(err, ISX_UNSUPPORTED, "%s:// counts by walking through all assets",
				pinned.store->kind->scheme);
	while (pin_index(&pinned, err))
		pinned.status = count_file(pinned.file, &engine->options, meter, arena, stats, err);
	return pinned.status;
}

/* Order of qsort(), by bytes: readdir() has no order. */
static int by_name(const void *left, const void *right)
{
	const struct isx_index_info *a = left, *b = right;
	return strcmp(a->name, b->name);
}

/* What a listing of all indexes has found so far. */
struct listing {
	struct isx_index_info *infos;
	size_t count;
	struct isx_index_problem *problems; /* indexes that cannot be used */
	size_t problem_count;
	bool for_search; /* see describe() */
};

static void release_listing(struct listing *listing)
{
	isx_index_list_free(listing->infos, listing->count);
	isx_mem_free(listing->problems);
}

/* Note an index that cannot be used; the listing continues. */
static enum isx_status add_problem(struct listing *listing, const char *name,
				   const struct isx_err *cause, struct isx_err *err)
{
	struct isx_index_problem *grown = isx_mem_resize(listing->problems,
							 listing->problem_count + 1, sizeof *grown);
	if (!grown)
		return isx_fail_memory(err);
	listing->problems = grown;
	grown += listing->problem_count++;
	snprintf(grown->name, sizeof grown->name, "%s", name);
	grown->cause = *cause;
	return ISX_OK;
}

/* Add one index to the listing; an index that has been deleted meanwhile is left out. */
static enum isx_status list_index(struct lmdb_store *store, const char *name,
				  struct listing *listing, struct isx_err *err)
{
	struct isx_index_info info = { 0 };
	struct isx_err cause;
	struct pinned_index pinned = { .store = store, .name = name, .is_probe = true };
	while (pin_index(&pinned, &cause))
		pinned.status = describe(&pinned, listing->for_search, &info, &cause);
	enum isx_status st = pinned.status;
	if (st)
		isx_index_info_release(&info);
	/* No memory is a problem of this process, not of the index. */
	if (st == ISX_NO_MEMORY)
		return isx_fail_memory(err);
	if (st == ISX_NOT_FOUND)
		return ISX_OK;
	if (st)
		return add_problem(listing, name, &cause, err);
	struct isx_index_info *grown = isx_mem_resize(listing->infos, listing->count + 1,
						      sizeof *grown);
	if (!grown) {
		isx_index_info_release(&info);
		return isx_fail_memory(err);
	}
	grown[listing->count++] = info;
	listing->infos = grown;
	return ISX_OK;
}

/* All entries of the directory that can be indexes, in the order of the directory. */
static enum isx_status list_directory(struct lmdb_store *store, struct listing *listing,
				      struct isx_err *err)
{
	struct dirent *entry;
	char name[ISX_INDEX_NAME_MAX + 1];
	enum isx_status st = ISX_OK;
	DIR *directory = opendir(store->folder.path);
	if (!directory)
		return isx_fail_errno(err, "list", store->folder.path);
	/* readdir() while indexes come and go: one that is renamed meanwhile may be missed or
	 * not, as with any listing. */
	while (!st && (entry = readdir(directory)))
		if (isx_store_folder_name_of(&store->folder, entry->d_name, name))
			st = list_index(store, name, listing, err);
	closedir(directory);
	return st;
}

/* memory:// has no directory: its indexes are the open ones. */
static enum isx_status list_open(struct lmdb_store *store, struct listing *listing,
				 struct isx_err *err)
{
	struct isx_buf names = { 0 };
	isx_open_files_names(&store->files, &names);
	enum isx_status st = isx_buf_status(&names, err);
	for (size_t at = 0; !st && at < names.len; at += strlen(names.ptr + at) + 1)
		st = list_index(store, names.ptr + at, listing, err);
	isx_buf_release(&names);
	return st;
}

static enum isx_status list_all(struct lmdb_store *store, struct listing *listing,
				struct isx_err *err)
{
	enum isx_status st = store->folder.path ? list_directory(store, listing, err)
						: list_open(store, listing, err);
	if (!st && listing->count)
		qsort(listing->infos, listing->count, sizeof *listing->infos, by_name);
	return st;
}

static enum isx_status store_list(struct isx_engine *engine, struct isx_index_info **infos,
				  size_t *count, struct isx_err *err)
{
	struct listing listing = { 0 };
	enum isx_status st = list_all(store_of(engine), &listing, err);
	for (size_t i = 0; !st && i < listing.problem_count; i++) {
		const struct isx_index_problem *problem = &listing.problems[i];
		/* A passing problem must not look like a deleted index; a lasting one must not keep
		 * the other indexes from being listed. */
		if (problem->cause.status == ISX_UNAVAILABLE)
			st = isx_fail(err, ISX_UNAVAILABLE, "index %s: %s", problem->name,
				      problem->cause.msg);
		else
			isx_log_to(&engine->options.logger, ISX_LOG_WARNING,
				   "index %s is left out of the list: %s", problem->name,
				   problem->cause.msg);
	}
	/* Hand the list over; release_listing() then frees the rest. */
	if (!st) {
		*infos = listing.infos;
		*count = listing.count;
		listing.infos = NULL;
		listing.count = 0;
	}
	release_listing(&listing);
	return st;
}

static enum isx_status store_ready(struct isx_engine *engine, struct isx_index_problem **problems,
				   size_t *count, struct isx_err *err)
{
	/* for_search: an index that is out of date in a read-only store can be listed but not
	 * searched. */
	struct listing listing = { .for_search = true };
	enum isx_status st = list_all(store_of(engine), &listing, err);
	if (!st) {
		*problems = listing.problems;
		*count = listing.problem_count;
		listing.problems = NULL;
	}
	release_listing(&listing);
	return st;
}

/* --- copies and checks ------------------------------------------------------------------------ */

/* Fail unless the name of the index still means `file`, which was copied. The index may have
 * been deleted meanwhile, and even made again: neither its old assets nor the index itself may
 * come back. Called with the directory locked alone. */
static enum isx_status check_unchanged(struct isx_lmdb_file *file, struct isx_err *err)
{
	struct stat named;
	if (stat(file->path, &named) != 0)
		return isx_fail(err, ISX_NOT_FOUND, "the index has been deleted");
	if (named.st_dev == file->device && named.st_ino == file->inode)
		return ISX_OK;
	atomic_store(&file->is_replaced, true);
	return isx_fail(err, ISX_UNAVAILABLE, "the file of the index was replaced: try again");
}

/* Rename the complete file at `made` over `file`; the caller holds the writer lock of `file`.
 * If the process is killed right after the rename, the next one to open the index replaces the
 * old lock file. */
static enum isx_status replace_file(struct lmdb_store *store, const char *made,
				    struct isx_lmdb_file *file, struct isx_err *err)
{
	struct stat copy;
	int lock, rc;
	enum isx_status st = isx_store_folder_lock(&store->folder, LOCK_EX, &lock, err);
	if (st)
		return st;
	/* Under the directory's lock, so that the answer stays true until the rename. */
	st = check_unchanged(file, err);
	if (!st && stat(made, &copy) != 0)
		st = isx_fail_errno(err, "open", made);
	if (!st && rename(made, file->path) != 0)
		st = isx_fail_errno(err, "replace", file->path);
	/* Before any process can open the new file: what is acknowledged then must not vanish with its
	 * name in a power cut. */
	if (!st)
		isx_sync_folder_of(file->path);
	/* The new file has its name already, so a failure here is not one of the call: the next
	 * process to open the index replaces the lock file. */
	if (!st && (rc = isx_lock_file_claim(file->path, copy.st_dev, copy.st_ino)))
		isx_log_to(&file->logger, ISX_LOG_WARNING,
			   "%s: its lock file could not be replaced: %s", file->path, strerror(rc));
	isx_store_folder_unlock(lock);
	return st;
}

/* Refuse to write a backup over an index or a lock file in use: every write since then would be
 * lost. Files are compared by device and inode, as a path may be a link. */
static enum isx_status check_backup_target(struct lmdb_store *store, const char *target,
					   struct isx_err *err)
{
	char name[ISX_INDEX_NAME_MAX + 1], path[PATH_MAX];
	struct stat there, file;
	struct dirent *entry;
	enum isx_status st = ISX_OK;
	if (isx_lock_file_is_at(target))
		return isx_fail(err, ISX_INVALID, "%s is the lock file of an index", target);
	if (stat(target, &there) != 0)
		return ISX_OK;
	DIR *directory = store->folder.path ? opendir(store->folder.path) : NULL;
	while (!st && directory && (entry = readdir(directory)))
		if (isx_store_folder_name_of(&store->folder, entry->d_name, name) &&
		    isx_store_folder_file(&store->folder, name, path) && stat(path, &file) == 0 &&
		    file.st_dev == there.st_dev && file.st_ino == there.st_ino)
			st = isx_fail(err, ISX_INVALID, "%s is the file of the index '%s'", target,
				      name);
	if (directory)
		closedir(directory);
	/* An index of another store: LMDB's lock on its lock file shows that it is open. */
	if (!st && isx_lock_file_is_held(target))
		st = isx_fail(err, ISX_INVALID, "%s is an index that is in use", target);
	return st;
}

static enum isx_status store_backup(struct isx_engine *engine, const char *name, const char *path,
				    bool replace, isx_progress_fn *progress, void *arg,
				    struct isx_err *err)
{
	struct pinned_index pinned = { .store = store_of(engine), .name = name };
	enum isx_status st = check_backup_target(pinned.store, path, err);
	if (st)
		return st;
	while (pin_index(&pinned, err))
		pinned.status = isx_lmdb_backup(pinned.file, path, replace, progress, arg, err);
	return pinned.status;
}

/* For the report of a compaction: a file that cannot be looked up counts as 0, and is no
 * failure. */
static uint64_t bytes_of(const char *path)
{
	struct stat file;
	return stat(path, &file) == 0 ? (uint64_t)file.st_size : 0;
}

/* Put a copy without free pages in place of the index's file. The writer lock of the old file is
 * held over the copy *and* the renaming (lmdb_file.c, begin_write()): what was acknowledged is in
 * the copy, and nothing can be written to the old file afterwards. */
static enum isx_status compact_file(struct lmdb_store *store, struct isx_lmdb_file *file,
				    const char *made, isx_progress_fn *progress, void *arg,
				    struct isx_err *err)
{
	/* The check comes before the writer lock, as it takes longer than the copy. */
	MDB_txn *hold;
	enum isx_status st = isx_lmdb_check_to_copy(file, err);
	if (!st)
		st = isx_lmdb_block_writers(file, &hold, err);
	if (st)
		return st;
	st = isx_lmdb_copy_compact(file, made, progress, arg, err);
	if (!st) {
		st = replace_file(store, made, file, err);
		if (st)
			unlink(made);
	}
	isx_lmdb_unblock_writers(hold);
	return st;
}

static enum isx_status store_compact(struct isx_engine *engine, const char *name,
				     struct isx_compaction *done, isx_progress_fn *progress,
				     void *arg, struct isx_err *err)
{
	struct pinned_index pinned = { .store = store_of(engine), .name = name };
	struct isx_store_folder *folder = &pinned.store->folder;
	struct isx_staging made;
	char path[PATH_MAX];
	if (!folder->path)
		return isx_fail(err, ISX_INVALID, "an index of memory:// has no file to compact");
	if (!isx_store_folder_file(folder, name, path))
		return isx_fail_no_index(err, name);
	/* One staging path for all tries: each removes what it made. */
	enum isx_status st = isx_staging_begin(folder, name, "compact", &made, err);
	if (st)
		return st;
	/* In a loop, as every write: another process may have compacted the index meanwhile. */
	while (pin_index(&pinned, err)) {
		done->bytes_before = bytes_of(path);
		pinned.status = compact_file(pinned.store, pinned.file, made.path, progress, arg,
					     err);
	}
	isx_staging_end(&made);
	if (pinned.status)
		return pinned.status;
	done->bytes_after = bytes_of(path);
	isx_sync_folder(folder->path); /* which had the copy under its hidden name */
	return ISX_OK;
}

static enum isx_status store_check(struct isx_engine *engine, const char *name,
				   struct isx_check *report, isx_finding_fn *found, void *arg,
				   struct isx_err *err)
{
	struct pinned_index pinned = { .store = store_of(engine), .name = name };
	char path[PATH_MAX];
	while (pin_index(&pinned, err))
		pinned.status = isx_lmdb_check(pinned.file, report, found, arg, err);
	/* pinned.index is NULL only if the file could not be pinned. */
	if (pinned.status != ISX_CORRUPT || pinned.index || !pinned.store->folder.path ||
	    !isx_store_folder_file(&pinned.store->folder, name, path))
		return pinned.status;
	/* The index was refused when it was opened, with the first finding: list all findings. */
	enum isx_status st = isx_lmdb_check_refused(path, pinned.store->kind, report, found, arg,
						    NULL);
	return !st && report->findings ? ISX_OK : ISX_CORRUPT;
}

/* --- assets ----------------------------------------------------------------------------------- */

/* The loop may queue the same assets again: a write to a file that was replaced is refused before
 * its first put (lmdb_file.c, begin_write()). */
static enum isx_status store_add(struct isx_engine *engine, const char *name,
				 const struct isx_asset *assets, size_t count,
				 enum isx_outcome *outcomes, struct isx_err *err)
{
	struct pinned_index pinned = { .store = store_of(engine), .name = name };
	while (pin_index(&pinned, err))
		pinned.status = isx_lmdb_add(pinned.file, assets, count, outcomes, err);
	return pinned.status;
}

static enum isx_status store_get(struct isx_engine *engine, const char *name, const char *iscc_id,
				 struct isx_buf *json, struct isx_err *err)
{
	struct pinned_index pinned = { .store = store_of(engine), .name = name };
	while (pin_index(&pinned, err))
		pinned.status = isx_lmdb_get(pinned.file, iscc_id, json, err);
	return pinned.status;
}

static enum isx_status store_remove(struct isx_engine *engine, const char *name,
				    const char *const *iscc_ids, size_t count, bool *removed,
				    struct isx_err *err)
{
	struct pinned_index pinned = { .store = store_of(engine), .name = name };
	while (pin_index(&pinned, err))
		pinned.status = isx_lmdb_remove(pinned.file, iscc_ids, count, removed, err);
	return pinned.status;
}

static enum isx_status store_set_metadata(struct isx_engine *engine, const char *name,
					  const char *iscc_id, const char *metadata,
					  struct isx_err *err)
{
	struct pinned_index pinned = { .store = store_of(engine), .name = name };
	while (pin_index(&pinned, err))
		pinned.status = isx_lmdb_set_metadata(pinned.file, iscc_id, metadata, err);
	return pinned.status;
}

/* --- declared fields -------------------------------------------------------------------------- */

static enum isx_status store_fields_get(struct isx_engine *engine, const char *name, char ***fields,
					size_t *count, struct isx_err *err)
{
	struct pinned_index pinned = { .store = store_of(engine), .name = name };
	while (pin_index(&pinned, err))
		pinned.status = isx_lmdb_fields_get(pinned.file, fields, count, err);
	return pinned.status;
}

static enum isx_status store_fields_set(struct isx_engine *engine, const char *name,
					const char *const *fields, size_t count,
					isx_progress_fn *progress, void *arg, struct isx_err *err)
{
	struct pinned_index pinned = { .store = store_of(engine), .name = name };
	while (pin_index(&pinned, err))
		pinned.status = isx_lmdb_fields_set(pinned.file, fields, count, progress, arg, err);
	return pinned.status;
}

/* --- searches --------------------------------------------------------------------------------- */

static enum isx_status store_search(struct isx_engine *engine, const char *name,
				    const struct isx_query *query, struct isx_arena *arena,
				    struct isx_result *result, struct isx_err *err)
{
	struct pinned_index pinned = { .store = store_of(engine), .name = name };
	while (pin_index(&pinned, err))
		pinned.status = isx_lmdb_search(pinned.file, &engine->options, query, arena, result,
						err);
	return pinned.status;
}

/* Both files stay pinned for longer than a call, as in a walk: an index that is deleted or replaced
 * meanwhile is compared as it was. */
static enum isx_status store_duplicates(struct isx_engine *engine, const char *name,
					struct isx_engine *reference,
					const struct isx_duplicates_query *query,
					isx_pair_fn *found, void *arg, struct isx_err *err)
{
	const struct isx_lmdb_kind *kind = store_of(engine)->kind;
	struct isx_open_index *index, *other = NULL;
	struct isx_lmdb_file *file, *against = NULL;
	if (!kind->duplicates)
		return isx_fail(err, ISX_UNSUPPORTED,
				"near-duplicates are pairs of similar units: expected an index of "
				"usearch://, not of lmdb://, which compares prefixes");
	if (reference && (reference->ops != engine->ops || store_of(reference)->kind != kind))
		return isx_fail(err, ISX_UNSUPPORTED,
				"the reference '%s' is kept by another engine than '%s': expected "
				"two indexes of usearch://",
				query->against, name);
	enum isx_status st = isx_lmdb_store_acquire(engine, name, &index, &file, err);
	if (st)
		return st;
	if (reference)
		st = isx_lmdb_store_acquire(reference, query->against, &other, &against, err);
	if (!st)
		st = kind->duplicates(file, against, &engine->options, query, found, arg, err);
	if (other)
		isx_lmdb_store_release(reference, other);
	isx_lmdb_store_release(engine, index);
	return st;
}

/* Prepare the jobs that a search could not answer, as the index has another file now, for that file.
 *   answered  filled: jobs before this one keep their answers
 * False: there are none. */
static bool begin_again(const struct pinned_index *pinned, struct isx_search_job *jobs,
			size_t count, size_t *answered)
{
	size_t first = *answered;
	while (first < count && jobs[first].status != ISX_UNAVAILABLE)
		first++;
	if (first == count || !atomic_load(&pinned->file->is_replaced))
		return false;
	for (size_t i = first; i < count; i++)
		*jobs[i].result = (struct isx_result){ .memory = jobs[i].result->memory };
	*answered = first;
	return true;
}

/* Damage that a job has found is the finding by which the file is refused; any other failure of the
 * index fails all jobs. */
static void store_search_many(struct isx_engine *engine, const char *name,
			      struct isx_search_job *jobs, size_t count)
{
	struct pinned_index pinned = { .store = store_of(engine), .name = name };
	struct isx_err err = { 0 };
	bool is_damaged = false;
	size_t answered = 0;
	while (pin_index(&pinned, &err)) {
		isx_lmdb_search_many(pinned.file, &engine->options, jobs + answered,
				     count - answered);
		for (size_t i = answered; i < count; i++)
			is_damaged |= jobs[i].status == ISX_CORRUPT;
		pinned.status = is_damaged                                     ? ISX_CORRUPT
				: begin_again(&pinned, jobs, count, &answered) ? ISX_UNAVAILABLE
									       : ISX_OK;
	}
	/* Jobs that were answered keep their results when another one of them has met damage. */
	for (size_t i = answered; err.status && i < count; i++) {
		if (is_damaged && jobs[i].status != ISX_CORRUPT)
			continue;
		jobs[i].status = err.status;
		jobs[i].err = err;
	}
}

static enum isx_status store_walk(struct isx_engine *engine, const char *name,
				  const struct isx_walk_range *range, struct isx_walk **walk,
				  struct isx_err *err)
{
	/* A walk pins the file itself, and for longer than a call. */
	return isx_lmdb_walk(&store_of(engine)->files, name, range, walk, err);
}

/* --- opening and closing ---------------------------------------------------------------------- */

/* The caller of isx_close() makes sure that no other call runs. */
static void store_close(struct isx_engine *engine)
{
	struct lmdb_store *store = store_of(engine);
	isx_open_files_release(&store->files);
	isx_mem_free(store->folder.path);
	isx_mem_free(store);
}

static const struct isx_engine_ops store_ops = {
	.close = store_close,
	.list = store_list,
	.ready = store_ready,
	.create = store_create,
	.drop = store_drop,
	.stat = store_stat,
	.stats = store_stats,
	.add = store_add,
	.get = store_get,
	.remove = store_remove,
	.set_metadata = store_set_metadata,
	.fields_get = store_fields_get,
	.fields_set = store_fields_set,
	.filters = true,
	.search = store_search,
	.duplicates = store_duplicates,
	.search_many = store_search_many,
	.walk = store_walk,
	.backup = store_backup,
	.compact = store_compact,
	.check = store_check,
};

/* NULL without memory. The store is never moved, as its `files` borrow members of it. */
static struct lmdb_store *new_store(const struct isx_lmdb_kind *kind,
				    const struct isx_options *options)
{
	struct lmdb_store *store = isx_mem_array(1, sizeof *store);
	if (store) {
		store->engine.ops = &store_ops;
		store->engine.options = *options;
		store->kind = kind;
		store->folder.suffix = kind->suffix;
		store->folder.inside = kind->inside;
		store->folder.logger = options->logger;
		isx_open_files_init(&store->files, &store->folder, kind, &store->engine.options);
	}
	return store;
}

/* Create `path` and the missing directories above it, as `mkdir -p` does. */
static enum isx_status make_directories(const char *path, struct isx_err *err)
{
	char partial[PATH_MAX];
	size_t len = strlen(path);
	if (len >= sizeof partial)
		return isx_fail(err, ISX_INVALID, "the path of the store is too long");
	for (size_t i = 1; i <= len; i++) {
		if (path[i] != '/' && path[i] != '\0')
			continue;
		memcpy(partial, path, i);
		partial[i] = '\0';
		/* EISDIR: some systems say it for "/". */
		if (mkdir(partial, 0755) != 0 && errno != EEXIST && errno != EISDIR)
			return isx_fail_errno(err, "create", partial);
	}
	return ISX_OK;
}

/* Make sure that the directory of the store exists; a read-only store creates nothing. */
static enum isx_status check_directory(const char *directory, bool read_only, struct isx_err *err)
{
	struct stat found;
	enum isx_status st = read_only ? ISX_OK : make_directories(directory, err);
	if (st)
		return st;
	if (stat(directory, &found) != 0)
		return isx_fail_errno(err, "open", directory);
	if (!S_ISDIR(found.st_mode))
		return isx_fail(err, ISX_INVALID, "%s is not a directory", directory);
	return ISX_OK;
}

enum isx_status isx_lmdb_store_open(const struct isx_lmdb_kind *kind, const char *directory,
				    const struct isx_options *options, struct isx_engine **engine,
				    struct isx_err *err)
{
	enum isx_status st = directory ? check_directory(directory, options->read_only, err)
				       : ISX_OK;
	if (st)
		return st;
	struct lmdb_store *store = new_store(kind, options);
	if (!store)
		return isx_fail_memory(err);
	if (!directory) {
		/* Indexes of memory:// can only come from this process: a read-only one would
		 * stay empty. */
		store->engine.options.read_only = false;
	} else {
		store->folder.path = isx_mem_text(directory, strlen(directory));
		if (!store->folder.path) {
			store_close(&store->engine);
			return isx_fail_memory(err);
		}
	}
	/* Every process that opens the store cleans up; the first one after a crash has
	 * something to do. */
	if (directory && !options->read_only)
		isx_store_folder_clean(&store->folder);
	*engine = &store->engine;
	return ISX_OK;
}
