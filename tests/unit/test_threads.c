/*
 * test_threads.c - several threads of one process, through the public interface: each adds,
 *                  changes, searches and removes assets of a shared index, and creates and deletes
 *                  indexes that the others use.
 *
 * tests/crash tests several processes at once. `make tsan` runs this with the thread
 * sanitizer.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "iscc/iscc_id.h"
#include "similarity/sim_engine.h"
#include "storage/lock_file.h"
#include "storage/open_files.h"
#include "support.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { THREADS = 6, TURNS = 400, OWN_ASSETS = 16, TYPES = 3 };

static const uint32_t maintypes[TYPES] = { ISX_META, ISX_CONTENT, ISX_DATA };

struct crowd {
	struct isx_store *store;
	atomic_uint wrong; /* violations seen by all threads */
	char why[256];     /* describes the first violation */
};

/* One asset of a thread: its texts, and whether it is there. */
struct member {
	char id[ISX_ISCC_ID_TEXT_BYTES];
	char units[TYPES][ISX_UNIT_TEXT_BYTES];
	char simprint[24];
	bool is_there;
};

struct actor {
	struct crowd *crowd;
	unsigned number;
	uint64_t random;
	struct member members[OWN_ASSETS];
};

/* With 1 GiB of address space for each file: the thread sanitizer has little. */
static enum isx_status open_store(const char *uri, bool relaxed, struct isx_store **store,
				  struct isx_err *err)
{
	struct isx_options options;
	isx_options_init(&options);
	options.map_bytes = 1ull << 30;
	options.relaxed = relaxed;
	return isx_open(uri, &options, store, err);
}

static void complain(struct crowd *crowd, const char *what, const struct isx_err *err)
{
	if (atomic_fetch_add(&crowd->wrong, 1) == 0)
		snprintf(crowd->why, sizeof crowd->why, "%s: %.200s", what, err ? err->msg : "");
}

/* Give a member new units and a new simprint. */
static void renew(struct actor *actor, struct member *member)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	for (size_t t = 0; t < TYPES; t++) {
		uint64_t words[4];
		for (size_t i = 0; i < 4; i++)
			words[i] = test_random(&actor->random);
		test_unit_text(maintypes[t], (const uint8_t *)words, sizeof words,
			       member->units[t]);
	}
	for (size_t i = 0; i < 20; i++) /* 15 bytes, and the 16th below */
		member->simprint[i] = digits[test_random(&actor->random) % 64];
	memcpy(member->simprint + 20, "AA", 3);
}

static enum isx_status add_member(struct actor *actor, const char *index, struct member *member,
				  struct isx_err *err)
{
	const char *units[TYPES] = { member->units[0], member->units[1], member->units[2] };
	struct isx_simprint simprint = { "CONTENT_TEXT_V0", member->simprint, 0, 10 };
	struct isx_asset asset = { .iscc_id = member->id,
				   .units = units,
				   .unit_count = TYPES,
				   .simprints = &simprint,
				   .simprint_count = 1,
				   .metadata = "{\"name\": \"one of a crowd\"}" };
	return isx_add(actor->crowd->store, index, &asset, 1, NULL, err);
}

/* Check that the member is found by its units and its simprint exactly if it exists. */
static void check_member(struct actor *actor, const struct member *member)
{
	const char *units[TYPES] = { member->units[0], member->units[1], member->units[2] };
	const char *values[] = { member->simprint };
	struct isx_query_simprints simprints = { "CONTENT_TEXT_V0", values, 1 };
	struct isx_query query = { .units = units,
				   .unit_count = TYPES,
				   .simprints = &simprints,
				   .simprint_type_count = 1,
				   .limit = 5 };
	struct isx_result *result;
	struct isx_err err = { 0 };
	if (isx_search(actor->crowd->store, "main", &query, &result, &err)) {
		complain(actor->crowd, "search", &err);
		return;
	}
	bool by_units = result->match_count && result->matches[0].score > 0.999 &&
			strcmp(result->matches[0].iscc_id, member->id) == 0;
	bool by_simprint = result->chunk_match_count && result->chunk_matches[0].score > 0.999 &&
			   strcmp(result->chunk_matches[0].iscc_id, member->id) == 0;
	if (by_units != member->is_there || by_simprint != member->is_there)
		complain(actor->crowd,
			 member->is_there ? "added and not found" : "removed and found", NULL);
	isx_result_free(result);
}

static void change_member(struct actor *actor, struct member *member)
{
	struct isx_err err = { 0 };
	struct member before = *member;
	if (member->is_there && test_random(&actor->random) % 3 == 0) {
		if (isx_remove(actor->crowd->store, "main", member->id, &err))
			complain(actor->crowd, "remove", &err);
		member->is_there = false;
	} else {
		renew(actor, member);
		if (add_member(actor, "main", member, &err))
			complain(actor->crowd, "add", &err);
		member->is_there = true;
		before.is_there = false;
		check_member(actor, &before); /* what was replaced is not found */
	}
	check_member(actor, member);
}

/* Create, use or delete an index that all threads use: each call succeeds, or says that the index
 * exists or does not. */
static void fight_for_index(struct actor *actor)
{
	struct isx_store *store = actor->crowd->store;
	struct isx_err err = { 0 };
	struct isx_index_info info;
	enum isx_status st;
	switch (test_random(&actor->random) % 4) {
	case 0:
		st = isx_index_create(store, "contested", &err);
		break;
	case 1:
		st = isx_index_delete(store, "contested", &err);
		break;
	case 2:
		st = add_member(actor, "contested", &actor->members[0], &err);
		break;
	default:
		st = isx_index_stat(store, "contested", &info, &err);
		if (!st)
			isx_index_info_release(&info);
	}
	if (st && st != ISX_NOT_FOUND && st != ISX_EXISTS)
		complain(actor->crowd, "contested index", &err);
}

static void list_indexes(struct actor *actor)
{
	struct isx_index_info *infos;
	size_t count;
	struct isx_err err = { 0 };
	bool has_main = false;
	if (isx_index_list(actor->crowd->store, &infos, &count, &err)) {
		complain(actor->crowd, "list", &err);
		return;
	}
	for (size_t i = 0; i < count; i++)
		has_main |= strcmp(infos[i].name, "main") == 0;
	if (!has_main)
		complain(actor->crowd, "main is not in the list", NULL);
	isx_index_list_free(infos, count);
}

static void *act(void *arg)
{
	struct actor *actor = arg;
	for (unsigned i = 0; i < OWN_ASSETS; i++) {
		struct isx_iscc_id id = { .body = ((uint64_t)actor->number << 32 | (i + 1)) << 12,
					  .version = 1 };
		isx_iscc_id_print(&id, actor->members[i].id);
		renew(actor, &actor->members[i]);
	}
	for (unsigned turn = 0; turn < TURNS; turn++) {
		struct member *member = &actor->members[test_random(&actor->random) % OWN_ASSETS];
		switch (test_random(&actor->random) % 4) {
		case 0:
			check_member(actor, member);
			break;
		case 1:
			fight_for_index(actor);
			break;
		case 2:
			list_indexes(actor);
			break;
		default:
			change_member(actor, member);
		}
	}
	return NULL;
}

static void run_crowd(const char *uri)
{
	struct crowd crowd = { 0 };
	static struct actor actors[THREADS];
	pthread_t threads[THREADS];
	struct isx_err err = { 0 };
	size_t there = 0;
	if (open_store(uri, false, &crowd.store, &err) ||
	    isx_index_create(crowd.store, "main", &err))
		fail_msg("%s: %s", uri, err.msg);
	for (unsigned i = 0; i < THREADS; i++) {
		actors[i] = (struct actor){ .crowd = &crowd,
					    .number = i + 1,
					    .random = test_seed() + i };
		assert_int_equal(pthread_create(&threads[i], NULL, act, &actors[i]), 0);
	}
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	for (unsigned i = 0; i < THREADS; i++)
		for (unsigned m = 0; m < OWN_ASSETS; m++) {
			there += actors[i].members[m].is_there;
			check_member(&actors[i], &actors[i].members[m]);
		}
	struct isx_index_info info;
	if (isx_index_stat(crowd.store, "main", &info, &err))
		fail_msg("stat: %s", err.msg);
	assert_int_equal(info.assets, there);
	isx_index_info_release(&info);
	isx_close(crowd.store);
	if (crowd.wrong)
		fail_msg("%u wrong (seed %llu), first: %s", crowd.wrong,
			 (unsigned long long)test_seed(), crowd.why);
}

static void test_threads__share_one_store_on_disk(void **state)
{
	char directory[] = "/tmp/isx-test-XXXXXX", uri[64];
	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(uri, sizeof uri, "usearch://%s", directory);
	run_crowd(uri);
	test_remove_tree(directory);
}

static void test_threads__share_one_store_in_memory(void **state)
{
	(void)state;
	run_crowd("memory://");
}

/* --- more indexes than may be open ------------------------------------------------------------ */

enum { INDEXES = 12, ADDS = 40 };

static void *add_everywhere(void *arg)
{
	struct actor *actor = arg;
	struct isx_err err;
	char name[16];
	for (unsigned i = 0; i < ADDS * INDEXES && !actor->crowd->wrong; i++) {
		struct member *member = &actor->members[0];
		struct isx_index_info info;
		snprintf(name, sizeof name, "i%u", (i + actor->number) % INDEXES);
		struct isx_iscc_id id = { .body = (uint64_t)actor->number << 32 | (i + 1) << 12,
					  .version = 1 };
		isx_iscc_id_print(&id, member->id);
		renew(actor, member);
		if (add_member(actor, name, member, &err))
			complain(actor->crowd, "add", &err);
		if (isx_index_stat(actor->crowd->store, name, &info, &err))
			complain(actor->crowd, "stat", &err);
		else
			isx_index_info_release(&info);
		if (i % 97 == 0)
			list_indexes(actor);
	}
	return NULL;
}

/* Open the store with a low limit of descriptors, so that it keeps few files open. */
static struct isx_store *open_small_store(const char *uri)
{
	struct rlimit before, few;
	struct isx_store *store;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	few = (struct rlimit){ 24, before.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	enum isx_status st = open_store(uri, false, &store, NULL);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(st, ISX_OK);
	return store;
}

/* Files are closed and opened all the time, while other threads use them. */
static void test_threads__share_more_indexes_than_are_open(void **state)
{
	char directory[] = "/tmp/isx-test-XXXXXX", uri[64], name[16];
	static struct actor actors[THREADS];
	struct crowd crowd = { 0 };
	pthread_t threads[THREADS];
	struct isx_err err;
	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(uri, sizeof uri, "usearch://%s", directory);
	crowd.store = open_small_store(uri);
	assert_int_equal(isx_index_create(crowd.store, "main", &err), ISX_OK);
	for (unsigned i = 0; i < INDEXES; i++) {
		snprintf(name, sizeof name, "i%u", i);
		assert_int_equal(isx_index_create(crowd.store, name, &err), ISX_OK);
	}
	for (unsigned i = 0; i < THREADS; i++) {
		actors[i] = (struct actor){ .crowd = &crowd, .number = i + 1, .random = i };
		assert_int_equal(pthread_create(&threads[i], NULL, add_everywhere, &actors[i]), 0);
	}
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	if (crowd.wrong)
		fail_msg("%u wrong, first: %s", crowd.wrong, crowd.why);
	for (unsigned i = 0; i < INDEXES; i++) {
		struct isx_check report;
		snprintf(name, sizeof name, "i%u", i);
		assert_int_equal(isx_index_check(crowd.store, name, &report, NULL, NULL, &err),
				 ISX_OK);
		assert_int_equal(report.findings, 0);
		assert_int_equal(report.assets, THREADS * ADDS);
	}
	isx_close(crowd.store);
	test_remove_tree(directory);
}

/* --- tables that another process makes -------------------------------------------------------- */

enum { ROUNDS = 40, NEW_TYPES = 40, SEARCHERS = 3, ADDERS = 2 };

struct round {
	struct crowd *crowd;
	const char *index;
	uint64_t first_id; /* of an adder; 0: it searches */
	atomic_bool *is_over;
};

/* Add an asset with a simprint of a type: the first of its type makes two tables. */
static enum isx_status add_typed(struct isx_store *store, const char *index, uint64_t number,
				 struct isx_err *err)
{
	char text[ISX_ISCC_ID_TEXT_BYTES], type[16];
	struct isx_iscc_id id = { .body = number << 12, .version = 1 };
	isx_iscc_id_print(&id, text);
	snprintf(type, sizeof type, "TYPE_%u", (unsigned)(number % NEW_TYPES));
	struct isx_simprint simprint = { type, "Mzdq5tYCKD4w4Pc4xv8T1A", 0, 9 };
	struct isx_asset asset = { .iscc_id = text, .simprints = &simprint, .simprint_count = 1 };
	return isx_add(store, index, &asset, 1, NULL, err);
}

static void *search_or_add(void *arg)
{
	const struct round *round = arg;
	for (uint64_t i = 0; !atomic_load(round->is_over); i++) {
		struct isx_query query = { .iscc_code = "ISCC:KACSUWPOD5TDD5MCD2C6GZVXKJVT5KEVY7L42"
							"YISB7NPILUBZK334UY",
					   .limit = 1 };
		struct isx_result *result;
		struct isx_err err = { 0 };
		if (round->first_id) {
			if (add_typed(round->crowd->store, round->index, round->first_id + i, &err))
				complain(round->crowd, "add", &err);
		} else if (isx_search(round->crowd->store, round->index, &query, &result, &err)) {
			complain(round->crowd, "search", &err);
		} else {
			isx_result_free(result);
		}
	}
	return NULL;
}

/* The other process: it makes tables in each index that appears, then creates an index as a
 * signal. */
static int make_tables(const char *uri)
{
	const struct timespec moment = { .tv_nsec = 300000 };
	struct isx_store *store;
	if (open_store(uri, true, &store, NULL))
		return 1;
	for (unsigned i = 0; i < ROUNDS; i++) {
		char index[16], done[16];
		struct isx_index_info info;
		snprintf(index, sizeof index, "r%u", i);
		snprintf(done, sizeof done, "d%u", i);
		while (isx_index_stat(store, index, &info, NULL))
			nanosleep(&moment, NULL);
		isx_index_info_release(&info);
		for (unsigned type = 0; type < NEW_TYPES; type++) {
			if (add_typed(store, index, type + 1, NULL))
				return 1;
			nanosleep(&moment, NULL);
		}
		if (isx_index_create(store, done, NULL))
			return 1;
	}
	isx_close(store);
	return 0;
}

/* Has a child process ended? Leaves it to be waited for. */
static bool has_ended(pid_t pid)
{
	siginfo_t info = { 0 };
	return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid;
}

static void play_round(struct crowd *crowd, unsigned number, pid_t other)
{
	const struct timespec moment = { .tv_nsec = 1000000 };
	char index[16], done[16];
	struct round rounds[SEARCHERS + ADDERS];
	pthread_t threads[SEARCHERS + ADDERS];
	struct isx_index_info info;
	atomic_bool is_over = false;
	snprintf(index, sizeof index, "r%u", number);
	snprintf(done, sizeof done, "d%u", number);
	assert_int_equal(isx_index_create(crowd->store, index, NULL), ISX_OK);
	for (unsigned i = 0; i < SEARCHERS + ADDERS; i++) {
		uint64_t first_id = i < SEARCHERS ? 0 : i * 1000000ull;
		rounds[i] = (struct round){ crowd, index, first_id, &is_over };
		assert_int_equal(pthread_create(&threads[i], NULL, search_or_add, &rounds[i]), 0);
	}
	while (isx_index_stat(crowd->store, done, &info, NULL)) {
		nanosleep(&moment, NULL);
		info = (struct isx_index_info){ 0 };
		if (has_ended(other))
			break;
	}
	isx_index_info_release(&info);
	atomic_store(&is_over, true);
	for (unsigned i = 0; i < SEARCHERS + ADDERS; i++)
		pthread_join(threads[i], NULL);
}

/* A write waits for the other process. When it gets the writer lock there are new tables, which
 * readers of its own process open at the same moment. */
static void test_threads__learn_of_tables_that_another_process_makes(void **state)
{
	char directory[] = "/tmp/isx-test-XXXXXX", uri[64];
	struct crowd crowd = { 0 };
	int ended = 0;
	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(uri, sizeof uri, "usearch://%s", directory);
	pid_t other = fork(); /* before there are threads */
	if (other == 0)
		_exit(make_tables(uri));
	assert_int_equal(open_store(uri, true, &crowd.store, NULL), ISX_OK);
	for (unsigned i = 0; i < ROUNDS; i++)
		play_round(&crowd, i, other);
	assert_int_equal(waitpid(other, &ended, 0), other);
	assert_int_equal(ended, 0);
	isx_close(crowd.store);
	test_remove_tree(directory);
	if (crowd.wrong)
		fail_msg("%u wrong, first: %s", crowd.wrong, crowd.why);
}

/* Another process, which makes a table. */
static int make_table(const char *uri)
{
	struct isx_store *store;
	if (open_store(uri, true, &store, NULL) || add_typed(store, "main", 1, NULL))
		return 1;
	isx_close(store);
	return 0;
}

struct reading {
	struct isx_lmdb_file *file;
	atomic_bool is_over;
	enum isx_status status;
};

static void *begin_and_end_a_view(void *arg)
{
	struct reading *reading = arg;
	struct isx_lmdb_view view;
	struct isx_err err;
	reading->status = isx_lmdb_read(reading->file, ISX_PAGES_ROWS, &view, &err);
	if (!reading->status)
		isx_lmdb_end(&view);
	atomic_store(&reading->is_over, true);
	return NULL;
}

/* Does a reader that has been started end, while a write goes on? */
static bool is_soon_over(struct reading *reading, pthread_t reader)
{
	const struct timespec moment = { .tv_nsec = 1000000 };
	for (int i = 0; i < 30000 && !atomic_load(&reading->is_over); i++)
		nanosleep(&moment, NULL);
	if (!atomic_load(&reading->is_over))
		return false;
	pthread_join(reader, NULL);
	return reading->status == ISX_OK;
}

/* A write that is the first in its process to learn of a new table may take long. */
static void test_threads__a_reader_waits_for_no_writer_that_finds_new_tables(void **state)
{
	char directory[] = "/tmp/isx-test-XXXXXX", uri[64], path[96];
	const struct timespec while_it_copies = { .tv_nsec = 50000000 };
	struct isx_options options;
	struct isx_store *store;
	struct isx_lmdb_view view;
	struct isx_err err;
	struct reading reading = { 0 };
	pthread_t reader;
	int ended = 0;
	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(uri, sizeof uri, "usearch://%s", directory);
	snprintf(path, sizeof path, "%s/main/index.lmdb", directory);
	if (open_store(uri, true, &store, &err) || isx_index_create(store, "main", &err))
		fail_msg("%s", err.msg);
	isx_close(store);
	isx_options_init(&options);
	options.map_bytes = 1ull << 30;
	if (isx_lmdb_file_open(path, &isx_sim_kind, &options, 0, &reading.file, &err))
		fail_msg("%s", err.msg);
	pid_t other = fork();
	if (other == 0)
		_exit(make_table(uri));
	assert_int_equal(waitpid(other, &ended, 0), other);
	assert_int_equal(ended, 0);
	if (isx_lmdb_write(reading.file, &view, &err))
		fail_msg("%s", err.msg);
	assert_int_equal(pthread_create(&reader, NULL, begin_and_end_a_view, &reading), 0);
	assert_true(is_soon_over(&reading, reader));
	/* A reader that has copied the handles a moment before the commit that made the table. */
	pthread_rwlock_wrlock(&reading.file->publishing);
	reading.file->tables.count--;
	pthread_rwlock_unlock(&reading.file->publishing);
	atomic_store(&reading.is_over, false);
	assert_int_equal(pthread_create(&reader, NULL, begin_and_end_a_view, &reading), 0);
	nanosleep(&while_it_copies, NULL);
	pthread_rwlock_wrlock(&reading.file->publishing);
	reading.file->tables.count++;
	pthread_rwlock_unlock(&reading.file->publishing);
	atomic_fetch_add(&reading.file->handles_opened, 1);
	assert_true(is_soon_over(&reading, reader));
	isx_lmdb_end(&view);
	isx_lmdb_file_close(reading.file);
	test_remove_tree(directory);
}

/* Do other processes see that this one has the index open? Whether a process holds a lock itself, it
 * cannot ask. */
static bool is_held_for_others(const char *path)
{
	int ended = 0;
	pid_t other = fork();
	if (other == 0)
		_exit(isx_lock_file_is_held(path));
	assert_int_equal(waitpid(other, &ended, 0), other);
	return ended != 0;
}

/* Pin an index and unpin it again; returns its file. */
static struct isx_lmdb_file *look_at(struct isx_open_files *files, const char *name)
{
	struct isx_open_index *index;
	struct isx_lmdb_file *file;
	struct isx_err err;
	if (isx_open_files_pin(files, name, false, &index, &file, &err))
		fail_msg("%s: %s", name, err.msg);
	isx_open_files_unpin(files, index);
	return file;
}

/* An index is renamed while it is open, and used under its new name before the old one is swept; and
 * an index has two names. When the file was open twice, closing it once gave up its locks, and
 * another process made the lock file anew under the readers and writers of this one. */
static void test_threads__a_file_with_another_name_is_not_opened_twice(void **state)
{
	char directory[] = "/tmp/isx-test-XXXXXX", uri[64], one[96], two[96], alias[96], path[128];
	struct isx_store_folder folder = { .path = directory,
					   .suffix = isx_sim_kind.suffix,
					   .inside = isx_sim_kind.inside };
	struct isx_options options;
	struct isx_store *store;
	struct isx_open_files files;
	struct isx_open_index *index, *none;
	struct isx_lmdb_file *file;
	struct isx_err err;
	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(uri, sizeof uri, "usearch://%s", directory);
	snprintf(one, sizeof one, "%s/one", directory);
	snprintf(two, sizeof two, "%s/two", directory);
	snprintf(alias, sizeof alias, "%s/alias", directory);
	snprintf(path, sizeof path, "%s/index.lmdb", two);
	if (open_store(uri, true, &store, &err) || isx_index_create(store, "one", &err))
		fail_msg("%s", err.msg);
	isx_close(store);
	isx_options_init(&options);
	options.map_bytes = 1ull << 30;
	isx_open_files_init(&files, &folder, &isx_sim_kind, &options);
	(void)look_at(&files, "one");
	assert_int_equal(rename(one, two), 0);
	(void)look_at(&files, "two");
	isx_open_files_sweep(&files);
	assert_true(is_held_for_others(path));
	assert_int_equal(symlink("two", alias), 0);
	assert_ptr_equal(look_at(&files, "alias"), look_at(&files, "two"));
	assert_int_equal(unlink(alias), 0);
	isx_open_files_sweep(&files);
	assert_true(is_held_for_others(path));
	/* In use under the old name: the new one cannot be used yet, and no thread waits for ever. */
	if (isx_open_files_pin(&files, "two", false, &index, &file, &err))
		fail_msg("%s", err.msg);
	assert_int_equal(rename(two, one), 0);
	assert_int_equal(isx_open_files_pin(&files, "one", false, &none, &file, &err),
			 ISX_UNAVAILABLE);
	isx_open_files_unpin(&files, index);
	(void)look_at(&files, "one");
	isx_open_files_release(&files);
	test_remove_tree(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_threads__share_one_store_on_disk),
		cmocka_unit_test(test_threads__share_one_store_in_memory),
		cmocka_unit_test(test_threads__share_more_indexes_than_are_open),
		cmocka_unit_test(test_threads__learn_of_tables_that_another_process_makes),
		cmocka_unit_test(test_threads__a_reader_waits_for_no_writer_that_finds_new_tables),
		cmocka_unit_test(test_threads__a_file_with_another_name_is_not_opened_twice),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
