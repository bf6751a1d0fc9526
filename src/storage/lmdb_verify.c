/*
 * lmdb_verify.c - which pages of an open file are verified, so that LMDB may read them, and the
 *                 refusal of a damaged file.
 *
 * LMDB maps the file and trusts every byte of it: a flipped bit in a page number is a SIGBUS,
 * which ends the process with all its indexes. So LMDB reads no page before it was verified here
 * (lmdb_pages.c), once for each file that is opened. When a file is opened: what opening and
 * listing read. Before the first search: the tables of rows, which a search reads completely
 * anyway. Before the first write: all pages, and the lists of free pages. Assets, most of a file,
 * are read one by one: the path to each is verified when it is first taken. Pages that are written
 * later are written by processes that have verified what they change.
 *
 * A damaged file is refused from then on, for every caller. So is a file that has become shorter,
 * as no writer makes it shorter. Damage to pages in use while the file is open is not looked for:
 * the system keeps those in memory. But if the file was written without a transaction (a program
 * overwrites it in place), or if LMDB itself notices something, all pages are verified again.
 *
 * Locks: `verifying` is held while pages are walked and guards `damage`; watch.lock is held for
 * moments. The state in `verified`, `is_damaged` and `known` is atomic, as every view reads it.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "storage/lmdb_verify.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "storage/lmdb_kind.h"
#include "storage/lmdb_pages.h"
#include "storage/lmdb_snapshot.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

void isx_finding_keep_first(const char *text, void *arg)
{
	struct isx_first_finding *found = arg;
	if (!found->count++)
		snprintf(found->text, sizeof found->text, "%s", text);
}

enum isx_status isx_lmdb_fail_damaged(const struct isx_lmdb_file *file, const char *what,
				      struct isx_err *err)
{
	return isx_fail(err, ISX_CORRUPT,
			"%s: %s; bring a backup back (iscc-search index check NAME lists what is "
			"wrong)",
			file->path ? file->path : "the index", what);
}

static enum isx_status fail_found(const struct isx_lmdb_file *file,
				  const struct isx_first_finding *findings, bool is_whole,
				  struct isx_err *err)
{
	char what[sizeof findings->text + 80];
	snprintf(what, sizeof what, "the file is %sdamaged (%s%s)",
		 is_whole ? "" : "shorter than it says, or ", findings->text,
		 findings->count > 1 ? ", and more" : "");
	return isx_lmdb_fail_damaged(file, what, err);
}

/* Walk the pages of one snapshot. ISX_CORRUPT: they are damaged.
 *   is_whole  the file is as long as it says; for the message */
static enum isx_status verify_pages(struct isx_lmdb_file *file, enum isx_pages_extent extent,
				    bool is_whole, struct isx_err *err)
{
	enum { TRIES = 100 }; /* snapshots: two commits replace the meta page of one */
	struct isx_first_finding findings = { 0 };
	uint64_t pages, last_change = isx_lmdb_last_change(file);
	enum isx_status st = ISX_UNAVAILABLE;
	for (int i = 0; st == ISX_UNAVAILABLE && i < TRIES; i++) {
		MDB_txn *txn;
		int rc = isx_lmdb_begin_snapshot(file, &txn);
		if (rc == MDB_MAP_RESIZED && !isx_lmdb_pages_heads_fit(file->env))
			return isx_lmdb_fail_damaged(file, "its first pages are damaged", err);
		if (rc)
			return isx_lmdb_status(rc, "read", err);
		st = isx_lmdb_pages_check(txn, file->kind->shape, extent, &pages,
					  isx_finding_keep_first, &findings, err);
		mdb_txn_abort(txn);
	}
	/* No snapshot was readable although no process has written: so it is not fast writers. */
	if (st == ISX_UNAVAILABLE && isx_lmdb_last_change(file) == last_change)
		st = isx_lmdb_fail_damaged(file, "its first pages are damaged", err);
	/* Without a lock file a writer may have used the pages again: that is no damage. */
	if (!st && findings.count)
		st = isx_lmdb_check_unmodified(file, last_change, err);
	return st || !findings.count ? st : fail_found(file, &findings, is_whole, err);
}

/* Refuse the file from now on; the first reason is kept. Called with `verifying` held. `damage` is
 * written before `is_damaged` is set: threads that read it look at that flag first. */
static void note_damage(struct isx_lmdb_file *file, const struct isx_err *cause)
{
	if (!atomic_load(&file->is_damaged)) {
		file->damage = *cause;
		isx_log_to(&file->logger, ISX_LOG_ERROR, "%s", cause->msg);
	}
	atomic_store(&file->is_damaged, true);
}

/* Fail if the file is known to be damaged, or has become shorter: to read what was cut off
 * would be a SIGBUS.
 *   now  filled: the file now */
static enum isx_status check_sound(struct isx_lmdb_file *file, struct stat *now,
				   struct isx_err *err)
{
	struct isx_err cause;
	int fd;
	/* Compare with the length before this fstat(): another thread may record a larger one that
	 * it saw later. */
	const unsigned long long before = atomic_load(&file->bytes_seen);
	*now = (struct stat){ 0 };
	if (!atomic_load(&file->is_damaged) && !mdb_env_get_fd(file->env, &fd) &&
	    fstat(fd, now) == 0) {
		unsigned long long seen = before, bytes = (unsigned long long)now->st_size;
		while (bytes > seen &&
		       !atomic_compare_exchange_weak(&file->bytes_seen, &seen, bytes))
			;
		if (bytes >= before)
			return ISX_OK;
		(void)isx_lmdb_fail_damaged(file, "the file has become shorter", &cause);
		pthread_mutex_lock(&file->verifying);
		note_damage(file, &cause);
		pthread_mutex_unlock(&file->verifying);
	}
	return isx_fail(err, ISX_CORRUPT, "%s", file->damage.msg);
}

/* --- writes without a transaction ------------------------------------------------------------- */

static int64_t mtime_ns(const struct stat *file)
{
	return (int64_t)file->st_mtim.tv_sec * 1000000000 + file->st_mtim.tv_nsec;
}

void isx_lmdb_watch_begin(struct isx_lmdb_file *file)
{
	pthread_mutex_lock(&file->watch.lock);
	/* Called with `opening` held, so there is one writer at a time; the lock is for
	 * is_overwritten(), which readers call. */
	file->watch.writing++;
	pthread_mutex_unlock(&file->watch.lock);
}

void isx_lmdb_watch_end(struct isx_lmdb_file *file, uint64_t txn_id)
{
	struct stat now;
	int fd;
	struct isx_lmdb_watch *watch = &file->watch;
	pthread_mutex_lock(&watch->lock);
	watch->writing--;
	if (!mdb_env_get_fd(file->env, &fd) && fstat(fd, &now) == 0)
		watch->mtime_ns = mtime_ns(&now); /* an aborted write may have written pages, too */
	if (txn_id)
		watch->txn_id = watch->own_txn_id = txn_id;
	pthread_mutex_unlock(&watch->lock);
}

/* Was the file written since the last look without a transaction? Then another program has
 * overwritten some of it. Where other processes write, the modification time may belong to a
 * commit that is not visible yet: a time without a transaction counts only after commit_ns. */
static bool is_overwritten(struct isx_lmdb_file *file, const struct stat *now)
{
	/* 0.1 s: a commit that takes longer costs one verification for nothing. */
	const uint64_t commit_ns = 100000000;
	struct isx_lmdb_watch *watch = &file->watch;
	struct stat again;
	bool overwritten = false;
	int fd;
	pthread_mutex_lock(&watch->lock);
	const uint64_t txn_id = isx_lmdb_last_change(file);
	bool is_first = watch->mtime_ns == 0;
	int64_t time_ns = mtime_ns(now);
	/* A commit may lie between that look and the lock: a time must not be older than its
	 * number. */
	if ((txn_id != watch->txn_id || time_ns != watch->mtime_ns) &&
	    !mdb_env_get_fd(file->env, &fd) && fstat(fd, &again) == 0)
		time_ns = mtime_ns(&again);
	if (txn_id != watch->txn_id || is_first) {
		bool is_own = is_first || watch->writing || txn_id == watch->own_txn_id;
		overwritten = !is_own && !isx_lmdb_pages_heads_fit(file->env);
		watch->others_write |= !is_own && !overwritten;
		watch->txn_id = txn_id;
		watch->mtime_ns = time_ns;
	} else if (time_ns != watch->mtime_ns && !watch->writing) {
		if (watch->unexplained_mtime_ns != time_ns) {
			watch->unexplained_mtime_ns = time_ns;
			watch->unexplained_since_ns = isx_clock_ns();
		}
		overwritten = !watch->others_write ||
			      isx_clock_ns() - watch->unexplained_since_ns > commit_ns;
		if (overwritten)
			watch->mtime_ns = time_ns;
	}
	pthread_mutex_unlock(&watch->lock);
	return overwritten;
}

/* Have all pages verified again. Views that have begun are not interrupted. */
static void forget_verified(struct isx_lmdb_file *file)
{
	struct isx_known_pages *known = atomic_load(&file->known);
	atomic_fetch_add(&file->forgotten, 1);
	atomic_store(&file->verified, ISX_PAGES_NONE);
	for (uint64_t i = 0; known && i < known->count / 8; i++)
		__atomic_store_n(&known->bits[i], 0, __ATOMIC_RELAXED);
}

void isx_lmdb_suspect(struct isx_lmdb_file *file)
{
	const unsigned long long pause_ns = 60000000000u;
	unsigned long long now = isx_clock_ns(), last = atomic_load(&file->suspected_ns);
	if ((last == 0 || now - last > pause_ns) &&
	    atomic_compare_exchange_strong(&file->suspected_ns, &last, now))
		forget_verified(file);
}

/* --- verifying -------------------------------------------------------------------------------- */

/* A file that is shorter than its last page is not always damaged: pages at its end that were
 * free when they should have been written never are. So the trees are walked to see which pages
 * have to be there. */
enum isx_status isx_lmdb_verify_opening(struct isx_lmdb_file *file, struct isx_err *err)
{
	MDB_envinfo info;
	MDB_stat stat;
	struct stat found;
	int rc = mdb_env_info(file->env, &info);
	if (!rc)
		rc = mdb_env_stat(file->env, &stat);
	enum isx_status st = rc ? isx_lmdb_status(rc, file->path, err)
				: check_sound(file, &found, err);
	if (st)
		return st;
	(void)is_overwritten(file, &found); /* records the time: changes count from now on */
	bool is_whole = (uint64_t)found.st_size / stat.ms_psize > info.me_last_pgno;
	st = verify_pages(file, is_whole ? ISX_PAGES_BRIEF : ISX_PAGES_SAFE, is_whole, err);
	if (!st)
		atomic_store(&file->verified, is_whole ? ISX_PAGES_BRIEF : ISX_PAGES_SAFE);
	return st;
}

enum isx_status isx_lmdb_verify(struct isx_lmdb_file *file, enum isx_pages_extent extent,
				bool again, struct isx_err *err)
{
	struct isx_err cause = { 0 };
	struct stat now;
	enum isx_status st = check_sound(file, &now, err);
	if (!st && is_overwritten(file, &now)) {
		isx_log_to(&file->logger, ISX_LOG_DEBUG,
			   "%s was written without a transaction so far: its pages are verified "
			   "again",
			   file->path ? file->path : "an index");
		forget_verified(file);
	}
	if (st || (atomic_load(&file->verified) >= (int)extent && !again))
		return st;
	pthread_mutex_lock(&file->verifying); /* one walk: others would wait for the same disk */
	const unsigned forgotten = atomic_load(&file->forgotten);
	if (again || atomic_load(&file->verified) < (int)extent)
		st = verify_pages(file, extent, true, &cause);
	if (!st && atomic_load(&file->verified) < (int)extent)
		atomic_store(&file->verified, (int)extent);
	if (atomic_load(&file->forgotten) != forgotten) /* meanwhile */
		atomic_store(&file->verified, ISX_PAGES_NONE);
	if (st == ISX_CORRUPT)
		note_damage(file, &cause);
	pthread_mutex_unlock(&file->verifying);
	return st ? isx_fail(err, st, "%s", cause.msg) : ISX_OK;
}

/* The bits for pages of the table of assets that were verified; NULL: no memory, every path is
 * verified then. Sized for the file as it is now: if it grows, a process has written that has
 * verified all of it. */
static struct isx_known_pages *known_pages(struct isx_lmdb_file *file)
{
	MDB_stat stat;
	struct isx_known_pages *none = NULL, *known = atomic_load(&file->known);
	if (known || mdb_env_stat(file->env, &stat))
		return known;
	size_t bytes = (size_t)(atomic_load(&file->bytes_seen) / stat.ms_psize / 8 + 1);
	known = isx_mem_array(1, sizeof *known + bytes);
	if (!known)
		return NULL;
	known->count = (uint64_t)bytes * 8;
	if (atomic_compare_exchange_strong(&file->known, &none, known))
		return known;
	isx_mem_free(known); /* another thread has set it meanwhile */
	return none;
}

int isx_lmdb_get_asset(struct isx_lmdb_view *view, MDB_val *key, MDB_val *value)
{
	struct isx_lmdb_file *file = view->file;
	struct isx_first_finding findings = { 0 };
	struct isx_err cause = { 0 };
	if (!view->tables.assets)
		return MDB_NOTFOUND;
	/* A view that writes has verified everything before it began. */
	if (atomic_load(&file->verified) < ISX_PAGES_SAFE && !view->writes) {
		enum isx_status st = isx_lmdb_pages_path(view->txn, ISX_TABLE_ASSETS, *key,
							 known_pages(file), isx_finding_keep_first,
							 &findings, &cause);
		if (st)
			return st == ISX_NO_MEMORY ? ENOMEM : MDB_CORRUPTED;
	}
	if (!findings.count)
		return mdb_get(view->txn, view->tables.assets, key, value);
	/* Perhaps a writer has used the page again: isx_lmdb_check_unmodified() decides. */
	if (file->is_lockless)
		return MDB_CORRUPTED;
	fail_found(file, &findings, true, &cause);
	pthread_mutex_lock(&file->verifying);
	note_damage(file, &cause);
	pthread_mutex_unlock(&file->verifying);
	return MDB_CORRUPTED;
}
