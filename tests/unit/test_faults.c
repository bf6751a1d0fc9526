/*
 * test_faults.c - resources that run out, and processes that stop midway: the caller gets a
 *                 status, and the data stays as it was.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/log.h"
#include "similarity/sim_engine.h"
#include "storage/lmdb_file.h"
#include "storage/lmdb_snapshot.h"
#include "support.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char directory[64], uri[96], path[128];
static struct isx_options options;

static int set_up(void **state)
{
	(void)state;
	snprintf(directory, sizeof directory, "/tmp/isx-faults-XXXXXX");
	if (!mkdtemp(directory))
		return 1;
	snprintf(uri, sizeof uri, "usearch://%s", directory);
	snprintf(path, sizeof path, "%s/main/index.lmdb", directory);
	isx_options_init(&options);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	test_remove_tree(directory);
	return 0;
}

static struct isx_store *open_store(void)
{
	struct isx_store *store;
	struct isx_err err;
	if (isx_open(uri, &options, &store, &err))
		fail_msg("%s", err.msg);
	return store;
}

static enum isx_status add(struct isx_store *store, int number, struct isx_err *err)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
	static char metadata[20000];
	char id[24];
	snprintf(id, sizeof id, "ISCC:MAIGHXLN555Y2%c%cA", letters[number / 32 % 32],
		 letters[number % 32]);
	memset(metadata, 'x', sizeof metadata - 1);
	memcpy(metadata, "{\"a\":\"", 6);
	memcpy(metadata + sizeof metadata - 3, "\"}", 2);
	struct isx_asset asset = {
		.iscc_id = id,
		.iscc_code = "ISCC:KACSUWPOD5TDD5MCD2C6GZVXKJVT5KEVY7L42YISB7NPILUBZK334UY",
		.metadata = metadata
	};
	return isx_add(store, "main", &asset, 1, NULL, err);
}

static uint64_t count_assets(struct isx_store *store)
{
	struct isx_index_info info;
	struct isx_err err;
	if (isx_index_stat(store, "main", &info, &err))
		fail_msg("%s", err.msg);
	uint64_t count = info.assets;
	isx_index_info_release(&info);
	return count;
}

/* Expect a sound file. Returns whether the derived tables are up to date too. */
static bool is_derived(struct isx_store *store)
{
	struct isx_check report;
	struct isx_err err;
	if (isx_index_check(store, "main", &report, NULL, NULL, &err))
		fail_msg("%s", err.msg);
	assert_int_equal(report.findings, 0);
	return report.is_derived;
}

static void expect_good_file(struct isx_store *store)
{
	(void)is_derived(store);
}

/* --- used up ---------------------------------------------------------------------------------- */

static void test_faults__a_full_map_refuses_writes_and_keeps_everything(void **state)
{
	struct isx_err err = { 0 };
	enum isx_status st = ISX_OK;
	int added = 0;
	(void)state;
	options.map_bytes = 4 << 20;
	struct isx_store *store = open_store();
	assert_int_equal(isx_index_create(store, "main", &err), ISX_OK);
	while (!st && added < 1000)
		if (!(st = add(store, added, &err)))
			added++;
	assert_int_equal(st, ISX_FULL);
	assert_non_null(strstr(err.msg, "(map_bytes)"));
	assert_true(added > 50);
	assert_int_equal(count_assets(store), added);
	expect_good_file(store);
	isx_close(store);
	options.map_bytes = 0; /* with the default size writing continues */
	store = open_store();
	assert_int_equal(add(store, added, &err), ISX_OK);
	assert_int_equal(count_assets(store), added + 1);
	expect_good_file(store);
	isx_close(store);
}

static void test_faults__too_many_open_files_is_said_and_passes(void **state)
{
	struct rlimit before, none;
	struct isx_err err = { 0 };
	struct isx_index_info info, *infos;
	size_t count;
	(void)state;
	struct isx_store *store = open_store();
	assert_int_equal(isx_index_create(store, "main", &err), ISX_OK);
	assert_int_equal(add(store, 0, &err), ISX_OK);
	isx_close(store);
	store = open_store();
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	for (rlim_t limit = 3; limit < 6; limit++) { /* an index needs three more */
		none = (struct rlimit){ limit, before.rlim_max };
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
		enum isx_status stat = isx_index_stat(store, "main", &info, &err);
		if (!stat)
			isx_index_info_release(&info);
		enum isx_status list = isx_index_list(store, &infos, &count, NULL);
		if (!list)
			isx_index_list_free(infos, count);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
		assert_int_equal(stat, ISX_UNAVAILABLE);
		assert_int_equal(list, ISX_UNAVAILABLE);
		assert_non_null(strstr(err.msg, "Too many open files"));
	}
	assert_int_equal(count_assets(store), 1);
	isx_close(store);
}

static void add_relaxed(struct isx_lmdb_file **file)
{
	struct isx_lmdb_view view;
	struct isx_err err;
	options.relaxed = true;
	options.logger.fn = isx_log_message; /* to standard error */
	if (isx_lmdb_file_open(path, &isx_sim_kind, &options, 0, file, &err) ||
	    isx_lmdb_write(*file, &view, &err) || isx_lmdb_commit(&view, &err))
		fail_msg("%s", err.msg);
}

/* Replace the descriptor of the file by one that cannot be synced. */
static void test_faults__a_last_sync_that_fails_is_said(void **state)
{
	struct isx_err err = { 0 };
	struct isx_lmdb_file *file;
	char said[300] = "";
	int pipe_of[2], fd;
	(void)state;
	struct isx_store *store = open_store();
	assert_int_equal(isx_index_create(store, "main", &err), ISX_OK);
	isx_close(store);
	add_relaxed(&file);
	assert_int_equal(pipe(pipe_of), 0);
	assert_int_equal(mdb_env_get_fd(file->env, &fd), 0);
	assert_true(dup2(pipe_of[1], fd) == fd);
	int before = dup(2);
	assert_true(dup2(pipe_of[1], 2) == 2);
	isx_lmdb_file_close(file);
	assert_true(dup2(before, 2) == 2);
	close(before);
	close(pipe_of[1]);
	assert_true(read(pipe_of[0], said, sizeof said - 1) > 0);
	close(pipe_of[0]);
	assert_non_null(strstr(said, "may not be on disk"));
}

/* --- another program -------------------------------------------------------------------------- */

static void write_as_another_program(void)
{
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi metadata;
	MDB_val key = { 1, "x" };
	assert_int_equal(mdb_env_create(&env), 0);
	assert_int_equal(mdb_env_set_maxdbs(env, 4), 0);
	assert_int_equal(mdb_env_open(env, path, MDB_NOSUBDIR, 0644), 0);
	assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
	assert_int_equal(mdb_dbi_open(txn, ISX_TABLE_METADATA, 0, &metadata), 0);
	assert_int_equal(mdb_put(txn, metadata, &key, &key, 0), 0);
	assert_int_equal(mdb_txn_commit(txn), 0);
	mdb_env_close(env);
}

static enum isx_status get_first(struct isx_store *store, struct isx_err *err)
{
	char *json;
	enum isx_status st = isx_get(store, "main", "ISCC:MAIGHXLN555Y2AAA", &json, err);
	if (!st)
		isx_text_free(json);
	return st;
}

static size_t count_problems(struct isx_store *store)
{
	struct isx_index_problem *problems;
	struct isx_err err;
	size_t count;
	if (isx_ready(store, &problems, &count, &err))
		fail_msg("%s", err.msg);
	isx_index_problems_free(problems);
	return count;
}

static void test_faults__what_others_wrote_cannot_be_read_without_writing(void **state)
{
	struct isx_err err = { 0 };
	(void)state;
	struct isx_store *store = open_store();
	assert_int_equal(isx_index_create(store, "main", &err), ISX_OK);
	assert_int_equal(add(store, 0, &err), ISX_OK);
	isx_close(store);
	write_as_another_program();
	options.read_only = true;
	store = open_store();
	assert_int_equal(get_first(store, &err), ISX_READ_ONLY);
	assert_non_null(strstr(err.msg, "last written by another program"));
	assert_int_equal(count_assets(store), 1);
	assert_int_equal(count_problems(store), 1);
	assert_false(is_derived(store));
	assert_int_equal(add(store, 1, &err), ISX_READ_ONLY);
	isx_close(store);
	options.read_only = false;
	store = open_store();
	assert_int_equal(get_first(store, &err), ISX_OK);
	assert_true(is_derived(store));
	isx_close(store);
}

/* Filling the derived tables may take long, so a client that only lists indexes must not cause
 * it. */
static void test_faults__a_look_at_what_others_wrote_changes_nothing(void **state)
{
	struct isx_err err = { 0 };
	struct isx_index_info *infos;
	size_t count;
	(void)state;
	struct isx_store *store = open_store();
	assert_int_equal(isx_index_create(store, "main", &err), ISX_OK);
	assert_int_equal(add(store, 0, &err), ISX_OK);
	isx_close(store);
	write_as_another_program();
	store = open_store();
	assert_int_equal(count_assets(store), 1);
	assert_int_equal(isx_index_list(store, &infos, &count, &err), ISX_OK);
	assert_int_equal(count, 1);
	isx_index_list_free(infos, count);
	assert_int_equal(count_problems(store), 0);
	assert_false(is_derived(store));
	assert_int_equal(get_first(store, &err), ISX_OK);
	assert_true(is_derived(store));
	isx_close(store);
}

/* --- readers that are gone -------------------------------------------------------------------- */

/* In a child process: begin to read, report it, and never end. */
static pid_t start_reader(void)
{
	int ready[2];
	char byte;
	assert_int_equal(pipe(ready), 0);
	pid_t pid = fork();
	if (pid == 0) {
		struct isx_lmdb_file *file;
		struct isx_lmdb_view view;
		if (isx_lmdb_file_open(path, &isx_sim_kind, &options, 0, &file, NULL) ||
		    isx_lmdb_read(file, ISX_PAGES_BRIEF, &view, NULL) ||
		    write(ready[1], "r", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	close(ready[1]);
	return pid;
}

static long file_bytes(void)
{
	struct stat file;
	assert_int_equal(stat(path, &file), 0);
	return (long)file.st_size;
}

static void overwrite(struct isx_store *store, int times)
{
	struct isx_err err;
	for (int i = 0; i < times; i++)
		if (add(store, i % 10, &err))
			fail_msg("%s", err.msg);
}

static void test_readers__a_killed_one_does_not_pin_the_file(void **state)
{
	struct isx_err err = { 0 };
	(void)state;
	options.relaxed = true; /* many writes in a short time */
	struct isx_store *store = open_store();
	assert_int_equal(isx_index_create(store, "main", &err), ISX_OK);
	overwrite(store, 100);
	pid_t stopped = start_reader();
	assert_int_equal(kill(stopped, SIGSTOP), 0);
	long before = file_bytes();
	overwrite(store, 200);
	long pinned = file_bytes(); /* a living reader pins its snapshot: the file grows */
	assert_true(pinned > before + 200 * 20000);
	assert_int_equal(kill(stopped, SIGKILL), 0);
	assert_int_equal(waitpid(stopped, NULL, 0), stopped);
	overwrite(store, 40); /* every 32nd write looks for dead readers */
	long afterwards = file_bytes();
	overwrite(store, 1000);
	assert_true(file_bytes() <= afterwards + 40 * 20000);
	isx_close(store);
	options.relaxed = false;
	store = open_store();
	expect_good_file(store);
	isx_close(store);
}

static void take_all_slots(void)
{
	pid_t pid = fork();
	if (pid == 0) { /* take every reader slot and die */
		MDB_env *env;
		MDB_txn *txn;
		if (mdb_env_create(&env) || mdb_env_set_maxdbs(env, 16) ||
		    mdb_env_open(env, path, MDB_NOSUBDIR | MDB_NOTLS, 0644))
			_exit(1);
		int count = 0;
		while (mdb_txn_begin(env, NULL, MDB_RDONLY, &txn) == 0)
			count++;
		_exit(count > 900 ? 0 : 2);
	}
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_readers__all_slots_of_the_dead_are_used_again(void **state)
{
	struct isx_err err = { 0 };
	(void)state;
	struct isx_store *store = open_store();
	assert_int_equal(isx_index_create(store, "main", &err), ISX_OK);
	assert_int_equal(count_assets(store), 0);
	take_all_slots();
	assert_int_equal(count_assets(store), 0);
	isx_close(store);
}

/* Slots of dead readers are freed before the file is read the first time. */
static void test_readers__a_file_whose_slots_all_the_dead_have_is_opened(void **state)
{
	struct isx_err err = { 0 };
	(void)state;
	struct isx_store *store = open_store();
	assert_int_equal(isx_index_create(store, "main", &err), ISX_OK);
	isx_close(store);
	struct isx_lmdb_file *file; /* keeps the lock file in use */
	assert_int_equal(isx_lmdb_file_open(path, &isx_sim_kind, &options, 0, &file, &err), ISX_OK);
	take_all_slots();
	pid_t pid = fork();
	if (pid == 0) {
		struct isx_index_info info;
		options.read_only = true;
		if (isx_open(uri, &options, &store, NULL) ||
		    isx_index_stat(store, "main", &info, NULL))
			_exit(1);
		_exit(0);
	}
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), 0);
	isx_lmdb_file_close(file);
}

/* A writer that has ended leaves no lock behind; only the number of the last transaction tells of
 * it. */
static void test_readers__without_a_lock_file_learn_of_a_writer_afterwards(void **state)
{
	struct isx_err err = { 0 };
	struct isx_lmdb_file *file;
	(void)state;
	struct isx_store *store = open_store();
	assert_int_equal(isx_index_create(store, "main", &err), ISX_OK);
	isx_close(store);
	options.read_only = true;
	assert_int_equal(isx_lmdb_file_open(path, &isx_sim_kind, &options, ISX_LMDB_WITHOUT_LOCK,
					    &file, &err),
			 ISX_OK);
	uint64_t before = isx_lmdb_last_change(file);
	assert_int_equal(isx_lmdb_check_unmodified(file, before, &err), ISX_OK);
	pid_t pid = fork();
	if (pid == 0) {
		options.read_only = false;
		store = open_store();
		if (add(store, 1, NULL))
			_exit(1);
		isx_close(store);
		_exit(0);
	}
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_int_equal(isx_lmdb_check_unmodified(file, before, &err), ISX_UNAVAILABLE);
	assert_non_null(strstr(err.msg, "has written"));
	assert_int_equal(isx_lmdb_check_unmodified(file, isx_lmdb_last_change(file), &err), ISX_OK);
	isx_lmdb_file_close(file);
}

/* --- beside a writer -------------------------------------------------------------------------- */

static atomic_bool has_written;
static atomic_uint messages;

static void count_message(enum isx_log_level level, const char *message, void *arg)
{
	(void)level, (void)message, (void)arg;
	atomic_fetch_add(&messages, 1);
}

static void *look_on(void *store)
{
	while (!atomic_load(&has_written))
		(void)count_assets(store);
	return NULL;
}

/* That all is verified again is a message. */
static void test_readers__take_no_commit_for_overwriting(void **state)
{
	enum { WRITES = 8000, READERS = 4 };
	pthread_t readers[READERS];
	struct isx_err err = { 0 };
	(void)state;
	options.relaxed = true;
	options.logger.fn = count_message;
	struct isx_store *store = open_store();
	assert_int_equal(isx_index_create(store, "main", &err), ISX_OK);
	for (size_t i = 0; i < READERS; i++)
		assert_int_equal(pthread_create(&readers[i], NULL, look_on, store), 0);
	overwrite(store, WRITES);
	atomic_store(&has_written, true);
	for (size_t i = 0; i < READERS; i++)
		pthread_join(readers[i], NULL);
	isx_close(store);
	assert_int_equal(atomic_load(&messages), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(test_faults__a_full_map_refuses_writes_and_keeps_everything),
		TEST(test_faults__too_many_open_files_is_said_and_passes),
		TEST(test_faults__a_last_sync_that_fails_is_said),
		TEST(test_faults__what_others_wrote_cannot_be_read_without_writing),
		TEST(test_faults__a_look_at_what_others_wrote_changes_nothing),
		TEST(test_readers__a_killed_one_does_not_pin_the_file),
		TEST(test_readers__all_slots_of_the_dead_are_used_again),
		TEST(test_readers__a_file_whose_slots_all_the_dead_have_is_opened),
		TEST(test_readers__without_a_lock_file_learn_of_a_writer_afterwards),
		TEST(test_readers__take_no_commit_for_overwriting),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
