/*
 * test_library.c - what an embedding program relies on besides answers: threads, signals,
 *                  messages, and out parameters after a failure.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/limits.h"
#include "base/span.h"
#include "base/thread.h"
#include "iscc/base32.h"
#include "iscc/iscc_id.h"
#include "support.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <unistd.h>

#include <cmocka.h>

static void id_text(uint64_t number, char *text)
{
	struct isx_iscc_id id = { .body = number << 12, .version = 1 };
	isx_iscc_id_print(&id, text);
}

static struct isx_store *open_store(const char *uri, const struct isx_options *options)
{
	struct isx_store *store = NULL;
	struct isx_err err = { 0 };
	if (isx_open(uri, options, &store, &err) || isx_index_create(store, "main", &err))
		fail_msg("%s", err.msg);
	return store;
}

/* --- threads ---------------------------------------------------------------------------------- */

enum { ASSETS = 1000, PER_ASSET = 40, QUERIES = 220 }; /* enough pairs for two threads */

static bool blocks_all_signals(void)
{
	sigset_t blocked;
	bool all = true;
	pthread_sigmask(SIG_SETMASK, NULL, &blocked);
	for (int number = 1; number < 32; number++)
		all &= number == SIGKILL || number == SIGSTOP || sigismember(&blocked, number);
	return all;
}

struct seen {
	pthread_mutex_t stays; /* locked while the thread has to stay alive */
	bool blocks;
};

static void *look_at_signals(void *arg)
{
	struct seen *seen = arg;
	seen->blocks = blocks_all_signals();
	pthread_mutex_lock(&seen->stays);
	pthread_mutex_unlock(&seen->stays);
	return NULL;
}

static void test_thread__blocks_all_signals_and_its_maker_blocks_none_more(void **state)
{
	pthread_t thread;
	struct seen seen = { .stays = PTHREAD_MUTEX_INITIALIZER };
	char name[16] = "";
	(void)state;
	pthread_mutex_lock(&seen.stays);
	assert_int_equal(isx_thread_start(&thread, "test-thread", look_at_signals, &seen), 0);
	pthread_getname_np(thread, name, sizeof name);
	pthread_mutex_unlock(&seen.stays);
	pthread_join(thread, NULL);
	assert_true(seen.blocks);
	assert_string_equal(name, "test-thread");
	assert_false(blocks_all_signals());
}

static void fill_with_simprints(struct isx_store *store, const char **texts)
{
	static struct isx_simprint simprints[ASSETS][PER_ASSET];
	static struct isx_asset assets[ASSETS];
	static char ids[ASSETS][ISX_ISCC_ID_TEXT_BYTES];
	struct isx_err err = { 0 };
	for (size_t a = 0; a < ASSETS; a++) {
		id_text(a + 1, ids[a]);
		for (size_t i = 0; i < PER_ASSET; i++)
			simprints[a][i] = (struct isx_simprint){ "T_V0",
								 texts[(a + i * 7) % QUERIES],
								 (uint32_t)i, 1 };
		assets[a] = (struct isx_asset){ .iscc_id = ids[a],
						.simprints = simprints[a],
						.simprint_count = PER_ASSET };
	}
	if (isx_add(store, "main", assets, ASSETS, NULL, &err))
		fail_msg("%s", err.msg);
}

struct askers {
	pthread_t caller;
	atomic_uint others;       /* calls from threads that the library started */
	atomic_uint with_signals; /* of those, in threads that take signals */
};

static enum isx_status note_thread(void *arg, struct isx_err *err)
{
	struct askers *askers = arg;
	(void)err;
	if (pthread_equal(pthread_self(), askers->caller))
		return ISX_OK;
	atomic_fetch_add(&askers->others, 1);
	if (!blocks_all_signals())
		atomic_fetch_add(&askers->with_signals, 1);
	return ISX_OK;
}

static void test_library__a_search_uses_as_many_threads_as_the_options_say(void **state)
{
	static char texts[QUERIES][16];
	static const char *values[QUERIES];
	uint64_t seed = 7;
	(void)state;
	for (size_t i = 0; i < QUERIES; i++) {
		uint64_t bits = test_random(&seed);
		isx_base64_encode((const uint8_t *)&bits, sizeof bits, texts[i]);
		values[i] = texts[i];
	}
	for (uint32_t threads = 1; threads <= 2; threads++) {
		struct isx_options options;
		struct isx_result *result = NULL;
		struct isx_err err = { 0 };
		isx_options_init(&options);
		options.threads = threads;
		struct isx_store *store = open_store("memory://", &options);
		fill_with_simprints(store, values);
		struct askers askers = { .caller = pthread_self() };
		struct isx_query_simprints type = { "T_V0", values, QUERIES };
		struct isx_query query = { .simprints = &type,
					   .simprint_type_count = 1,
					   .cancel_check = note_thread,
					   .cancel_arg = &askers };
		/* A thread may start too late to get any work, but not each time. */
		for (int tries = 0;
		     tries < (threads > 1 ? 10000 : 10) && !atomic_load(&askers.others); tries++) {
			if (isx_search(store, "main", &query, &result, &err))
				fail_msg("%s", err.msg);
			isx_result_free(result);
		}
		assert_int_equal(atomic_load(&askers.others) > 0, threads > 1);
		assert_int_equal(atomic_load(&askers.with_signals), 0);
		isx_close(store);
	}
}

/* The threads of this process that are called `name`, and how many of them take SIGINT or
 * SIGTERM. */
static size_t count_threads(const char *name, size_t *with_signals)
{
	DIR *tasks = opendir("/proc/self/task");
	size_t count = 0;
	*with_signals = 0;
	for (struct dirent *task; (task = readdir(tasks));) {
		char path[300], line[256], found[64] = "";
		unsigned long long blocked = 0;
		int left = 1; /* of one that has just ended nothing more is told */
		snprintf(path, sizeof path, "/proc/self/task/%s/status", task->d_name);
		FILE *status = task->d_name[0] == '.' ? NULL : fopen(path, "r");
		while (status && fgets(line, sizeof line, status)) {
			sscanf(line, "Name: %63s", found);
			sscanf(line, "Threads: %d", &left);
			sscanf(line, "SigBlk: %llx", &blocked);
		}
		if (status)
			fclose(status);
		if (left && strcmp(found, name) == 0) {
			count++;
			*with_signals += !(blocked >> (SIGINT - 1) & 1) ||
					 !(blocked >> (SIGTERM - 1) & 1);
		}
	}
	closedir(tasks);
	return count;
}

/* Wait for a thread of this name: it gets its name only after it was started. */
static size_t wait_for_thread(const char *name, size_t *with_signals)
{
	size_t count = 0;
	for (int tries = 0; tries < 10000 && !(count = count_threads(name, with_signals)); tries++)
		usleep(1000);
	return count;
}

/* Who looks, again and again, whether a thread of copies takes signals. */
struct looker {
	pthread_t thread;
	atomic_bool ends;
	atomic_size_t most;
	size_t with_signals;
};

static void *look_for_copies(void *arg)
{
	struct looker *looker = arg;
	while (!atomic_load(&looker->ends)) {
		size_t with_signals, count = count_threads("isx-copy", &with_signals);
		if (count > looker->most)
			looker->most = count;
		looker->with_signals += with_signals;
	}
	return NULL;
}

static void note_copy(uint64_t done, uint64_t total, void *arg)
{
	(void)done, (void)total;
	*(pthread_t *)arg = pthread_self();
}

/* LMDB starts one of them by itself. */
static void test_library__threads_of_copies_take_no_signals(void **state)
{
	char directory[] = "/tmp/test_library_XXXXXX", uri[64], path[64];
	const char *values[QUERIES];
	struct looker looker = { 0 };
	struct isx_compaction done;
	struct isx_err err = { 0 };
	pthread_t teller = pthread_self();
	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(uri, sizeof uri, "usearch://%s/store", directory);
	snprintf(path, sizeof path, "%s/copy.lmdb", directory);
	struct isx_store *store = open_store(uri, NULL);
	for (size_t i = 0; i < QUERIES; i++)
		values[i] = "AAAAAAAAAAE";
	fill_with_simprints(store, values);
	assert_int_equal(pthread_create(&looker.thread, NULL, look_for_copies, &looker), 0);
	for (int tries = 0; tries < 10000 && looker.most < 2; tries++)
		if (isx_index_compact(store, "main", &done, note_copy, &teller, &err) ||
		    isx_index_backup(store, "main", path, true, note_copy, &teller, &err))
			fail_msg("%s", err.msg);
	atomic_store(&looker.ends, true);
	pthread_join(looker.thread, NULL);
	assert_int_equal(looker.most, 2);
	assert_int_equal(looker.with_signals, 0);
	assert_true(pthread_equal(teller, pthread_self()));
	isx_close(store);
	test_remove_tree(directory);
}

static void test_library__threads_of_a_store_have_names_and_take_no_signals(void **state)
{
	char directory[] = "/tmp/test_library_XXXXXX", uri[64];
	struct isx_err err = { 0 };
	struct isx_check report;
	size_t with_signals;
	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(uri, sizeof uri, "usearch://%s/store", directory);
	struct isx_store *store = open_store(uri, NULL);
	assert_int_equal(isx_index_check(store, "main", &report, NULL, NULL, &err), ISX_OK);
	assert_int_equal(wait_for_thread("isx-sweep", &with_signals), 1);
	assert_int_equal(with_signals, 0);
	isx_close(store);
	assert_int_equal(count_threads("isx-sweep", &with_signals), 0);
	test_remove_tree(directory);
}

/* --- messages --------------------------------------------------------------------------------- */

struct heard {
	unsigned count;
	enum isx_log_level level;
	char message[1024];
};

static void hear(enum isx_log_level level, const char *message, void *arg)
{
	struct heard *heard = arg;
	heard->count++;
	heard->level = level;
	snprintf(heard->message, sizeof heard->message, "%s", message);
}

/* A store with one good index and a damaged one, which a list leaves out. */
static void list_with_a_damaged_index(const char *directory, struct isx_options *options)
{
	char uri[64], path[64];
	struct isx_index_info *infos = NULL;
	struct isx_err err = { 0 };
	struct isx_store *store = NULL;
	size_t count = 0;
	snprintf(uri, sizeof uri, "usearch://%s", directory);
	snprintf(path, sizeof path, "%s/bad", directory);
	mkdir(path, 0755);
	snprintf(path, sizeof path, "%s/bad/index.lmdb", directory);
	FILE *file = fopen(path, "w");
	for (int i = 0; i < 10000; i++)
		fputs("no index", file);
	fclose(file);
	if (isx_open(uri, options, &store, &err) || isx_index_list(store, &infos, &count, &err))
		fail_msg("%s", err.msg);
	assert_int_equal(count, 0);
	isx_index_list_free(infos, count);
	isx_close(store);
}

static void test_library__messages_go_to_the_function_of_the_options_and_nowhere_else(void **state)
{
	char directory[] = "/tmp/test_library_XXXXXX", path[64];
	struct heard heard = { 0 };
	struct isx_options options;
	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof path, "%s/said", directory);
	int before = dup(STDERR_FILENO);
	assert_non_null(freopen(path, "w", stderr));
	isx_options_init(&options);
	list_with_a_damaged_index(directory, &options);
	options.logger = (struct isx_logger){ hear, &heard };
	list_with_a_damaged_index(directory, &options);
	fflush(stderr);
	off_t written = lseek(STDERR_FILENO, 0, SEEK_END);
	dup2(before, STDERR_FILENO);
	close(before);
	assert_int_equal(written, 0);
	assert_int_equal(heard.count, 1);
	assert_int_equal(heard.level, ISX_LOG_WARNING);
	assert_non_null(strstr(heard.message, "index bad is left out of the list: "));
	assert_null(strchr(heard.message, '\n'));
	test_remove_tree(directory);
}

/* --- structs that grow ------------------------------------------------------------------------ */

static enum isx_status open_and_close(const struct isx_options *options, struct isx_err *err)
{
	struct isx_store *const untouched = (struct isx_store *)&open_and_close, *store = untouched;
	enum isx_status st = isx_open("memory://", options, &store, err);
	if (st)
		assert_ptr_equal(store, untouched);
	else
		isx_close(store);
	return st;
}

static void test_library__options_of_a_later_header_are_taken_where_they_have_their_defaults(
	void **state)
{
	struct later_options {
		struct isx_options known;
		uint64_t later;
	} later;
	struct isx_err err;
	(void)state;
	memset(&later, 0xFF, sizeof later);
	isx_options_init_sized(&later.known, sizeof later);
	assert_int_equal(later.known.size, sizeof later);
	assert_int_equal(later.known.confidence_exponent, 4);
	assert_int_equal(later.later, 0);
	assert_int_equal(open_and_close(&later.known, &err), ISX_OK);
	later.later = (uint64_t)1 << 40;
	assert_int_equal(open_and_close(&later.known, &err), ISX_UNSUPPORTED);
	assert_non_null(strstr(err.msg, "later version"));
}

static void test_library__options_of_an_earlier_header_are_not_written_past_their_end(void **state)
{
	struct isx_options options;
	(void)state;
	memset(&options, 0xFF, sizeof options);
	isx_options_init_sized(&options, offsetof(struct isx_options, logger));
	assert_int_equal(options.threads, 0);
	assert_true(options.logger.fn != NULL);
}

static void test_library__options_that_nothing_has_filled_are_refused(void **state)
{
	struct isx_options options;
	struct isx_err err;
	(void)state;
	memset(&options, 0, sizeof options);
	assert_int_equal(open_and_close(&options, &err), ISX_INVALID);
	assert_non_null(strstr(err.msg, "isx_options_init()"));
}

static void test_library__structs_that_nobody_has_cleared_are_refused(void **state)
{
	struct isx_store *store = open_store("memory://", NULL);
	struct isx_result *result = NULL;
	struct isx_err err;
	(void)state;
	for (size_t i = 0; i < sizeof((struct isx_asset){ 0 }.reserved) / sizeof(uint64_t); i++) {
		struct isx_asset asset = { .iscc_id = "ISCC:MAIGBL22ITF6PICK" };
		asset.reserved[i] = 1;
		assert_int_equal(isx_add(store, "main", &asset, 1, NULL, &err), ISX_INVALID);
		assert_non_null(strstr(err.msg, "reserved"));
	}
	for (size_t i = 0; i < sizeof((struct isx_query){ 0 }.reserved) / sizeof(uint64_t); i++) {
		struct isx_query query = { .iscc_id = "ISCC:MAIGBL22ITF6PICK" };
		query.reserved[i] = 1;
		assert_int_equal(isx_search(store, "main", &query, &result, &err), ISX_INVALID);
		assert_non_null(strstr(err.msg, "reserved"));
	}
	isx_close(store);
}

/* --- what is told of a failure ---------------------------------------------------------------- */

static void test_library__an_error_names_the_position_of_the_asset_at_fault(void **state)
{
	static const char *const good[] = { "ISCC:EAA5ZPR7TUFRSUSP" }, *const bad[] = {
		"ISCC:EAAQ"
	};
	static const char *const uris[] = { "memory://", "lmdb" };
	static const struct {
		struct isx_asset asset;
		enum isx_status status;
	} faults[] = {
		{ { .iscc_id = "ISCC:MAIGBL22ITF6PICK", .units = bad, .unit_count = 1 },
		  ISX_INVALID },
		{ { .iscc_id = "ISCC:MAIG" }, ISX_INVALID },
		{ { .iscc_id = NULL }, ISX_INVALID },
		{ { .iscc_id = "ISCC:MAIGBL22ITF6PICK", .metadata = "{" }, ISX_INVALID },
		{ { .iscc_id = "ISCC:MEIGBL22ITF6PICK" }, ISX_INVALID }, /* of realm 1 */
	};
	char directory[] = "/tmp/test_library_XXXXXX", uri[64];
	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(uri, sizeof uri, "lmdb://%s", directory);
	for (size_t u = 0; u < sizeof uris / sizeof *uris; u++) {
		struct isx_store *store = open_store(u ? uri : uris[u], NULL);
		for (size_t f = 0; f < sizeof faults / sizeof *faults; f++) {
			for (size_t position = 1; position < 3; position++) {
				struct isx_err err = { 0 };
				struct isx_asset assets[3];
				char ids[3][ISX_ISCC_ID_TEXT_BYTES];
				for (size_t i = 0; i < 3; i++) {
					id_text(100 - i, ids[i]);
					assets[i] = (struct isx_asset){ .iscc_id = ids[i],
									.units = good,
									.unit_count = 1 };
				}
				assets[position] = faults[f].asset;
				assert_int_equal(isx_add(store, "main", assets, 3, NULL, &err),
						 faults[f].status);
				assert_int_equal(err.position, position);
			}
		}
		struct isx_err err = { 0 };
		assert_int_equal(isx_add(store, "other", NULL, 0, NULL, &err), ISX_NOT_FOUND);
		assert_true(err.position == ISX_NO_POSITION);
		isx_close(store);
	}
	test_remove_tree(directory);
}

static void test_library__out_parameters_are_not_written_by_a_call_that_fails(void **state)
{
	struct isx_store *store = open_store("memory://", NULL);
	struct isx_index_info info, info_before;
	struct isx_compaction done, done_before;
	struct isx_result *result = (struct isx_result *)&store;
	struct isx_query query = { .iscc_id = "ISCC:MAIGBL22ITF6PICK" };
	char *json = "json";
	(void)state;
	memset(&info, 0xAB, sizeof info);
	memset(&done, 0xAB, sizeof done);
	info_before = info;
	done_before = done;
	assert_int_equal(isx_index_stat(store, "other", &info, NULL), ISX_NOT_FOUND);
	assert_memory_equal(&info, &info_before, sizeof info);
	assert_int_equal(isx_index_compact(store, "main", &done, NULL, NULL, NULL), ISX_INVALID);
	assert_memory_equal(&done, &done_before, sizeof done);
	assert_int_equal(isx_get(store, "main", query.iscc_id, &json, NULL), ISX_NOT_FOUND);
	assert_string_equal(json, "json");
	assert_int_equal(isx_search(store, "main", &query, &result, NULL), ISX_NOT_FOUND);
	assert_ptr_equal(result, &store);
	isx_close(store);
}

/* --- a writer --------------------------------------------------------------------------------- */

static uint64_t assets_of(struct isx_store *store)
{
	struct isx_index_info info;
	struct isx_err err = { 0 };
	if (isx_index_stat(store, "main", &info, &err))
		fail_msg("%s", err.msg);
	uint64_t assets = info.assets;
	isx_index_info_release(&info);
	return assets;
}

/* Put the asset of this number. Its texts are overwritten afterwards: the writer must have copied
 * them. */
static enum isx_status put(struct isx_writer *writer, uint64_t number, struct isx_err *err)
{
	char id[ISX_ISCC_ID_TEXT_BYTES], metadata[40], unit[] = "ISCC:EAA5ZPR7TUFRSUSP",
						       print[] = "AAAAAAAAAAA", type[] = "T_V0";
	const char *units[] = { unit };
	struct isx_simprint simprints[] = { { type, print, 0, 1 }, { type, print, 1, 1 } };
	id_text(number, id);
	snprintf(metadata, sizeof metadata, "{\"n\":%llu}", (unsigned long long)number);
	struct isx_asset asset = { .iscc_id = id,
				   .units = units,
				   .unit_count = 1,
				   .simprints = simprints,
				   .simprint_count = 2,
				   .metadata = metadata };
	enum isx_status st = isx_writer_put(writer, &asset, err);
	memset(id, 'x', sizeof id);
	memset(metadata, 'x', sizeof metadata);
	memset(unit, 'x', sizeof unit);
	memset(print, 'x', sizeof print);
	memset(type, 'x', sizeof type);
	return st;
}

static void test_writer__adds_all_it_was_given_and_refuses_bad_ones_alone(void **state)
{
	static const char *const bad_unit[] = { "ISCC:EAAQ" };
	static const struct isx_simprint bad_simprint[] = { { "T_V0", "?", 0, 1 } };
	const struct isx_asset bad[] = {
		{ .iscc_id = NULL },
		{ .iscc_id = "ISCC:MAIG" },
		{ .iscc_id = "ISCC:MEIGBL22ITF6PICK" }, /* of another realm */
		{ .iscc_id = "ISCC:MAIGBL22ITF6PICK", .units = bad_unit, .unit_count = 1 },
		{ .iscc_id = "ISCC:MAIGBL22ITF6PICK", .metadata = "{" },
		{ .iscc_id = "ISCC:MAIGBL22ITF6PICK",
		  .simprints = bad_simprint,
		  .simprint_count = 1 },
		{ .iscc_id = "ISCC:MAIGBL22ITF6PICK", .reserved = { 1 } },
	};
	enum { COUNT = ISX_WRITER_ASSETS * 2 + 100 };
	struct isx_store *store = open_store("memory://", NULL);
	struct isx_writer_counts counts;
	struct isx_writer *writer;
	struct isx_asset *asset;
	struct isx_err err = { 0 };
	(void)state;
	assert_int_equal(isx_writer_open(store, "main", &writer, &err), ISX_OK);
	for (uint64_t i = 0; i < COUNT; i++) {
		assert_int_equal(put(writer, i + 1, &err), ISX_OK);
		if (i % 1000 == 0)
			for (size_t b = 0; b < sizeof bad / sizeof *bad; b++)
				assert_int_equal(isx_writer_put(writer, &bad[b], &err),
						 ISX_INVALID);
	}
	isx_writer_count(writer, &counts);
	assert_int_equal(counts.created, ISX_WRITER_ASSETS * 2);
	assert_int_equal(counts.waiting, 100);
	assert_int_equal(assets_of(store), ISX_WRITER_ASSETS * 2);
	assert_int_equal(put(writer, 1, &err), ISX_OK);
	assert_int_equal(isx_writer_flush(writer, &err), ISX_OK);
	isx_writer_count(writer, &counts);
	assert_int_equal(counts.created, COUNT);
	assert_int_equal(counts.updated, 1);
	assert_int_equal(counts.waiting, 0);
	assert_int_equal(assets_of(store), COUNT);
	assert_int_equal(isx_writer_flush(writer, &err), ISX_OK); /* nothing to flush */
	isx_writer_close(writer);
	char id[ISX_ISCC_ID_TEXT_BYTES];
	id_text(COUNT, id);
	assert_int_equal(isx_asset_get(store, "main", id, &asset, &err), ISX_OK);
	assert_string_equal(asset->metadata, "{\"n\":8292}");
	assert_int_equal(asset->simprint_count, 2);
	assert_string_equal(asset->simprints[1].type, "T_V0");
	isx_asset_free(asset);
	isx_close(store);
}

static void test_writer__that_is_closed_early_adds_no_more(void **state)
{
	struct isx_store *store = open_store("memory://", NULL);
	struct isx_writer *writer;
	struct isx_err err = { 0 };
	(void)state;
	assert_int_equal(isx_writer_open(store, "main", &writer, &err), ISX_OK);
	for (uint64_t i = 0; i < ISX_WRITER_ASSETS + 1; i++)
		assert_int_equal(put(writer, i + 1, &err), ISX_OK);
	isx_writer_close(writer);
	assert_int_equal(assets_of(store), ISX_WRITER_ASSETS);
	isx_writer_close(NULL);
	isx_close(store);
}

static void test_writer__keeps_what_could_not_be_added(void **state)
{
	struct isx_store *store = open_store("memory://", NULL);
	struct isx_writer *const untouched = (struct isx_writer *)&store, *writer = untouched;
	struct isx_writer_counts counts;
	struct isx_err err = { 0 };
	(void)state;
	assert_int_equal(isx_writer_open(store, "other", &writer, &err), ISX_NOT_FOUND);
	assert_ptr_equal(writer, untouched);
	assert_int_equal(isx_writer_open(store, "main", &writer, &err), ISX_OK);
	for (uint64_t i = 0; i < ISX_WRITER_ASSETS; i++)
		assert_int_equal(put(writer, i + 1, &err), ISX_OK);
	assert_int_equal(isx_index_delete(store, "main", &err), ISX_OK);
	assert_int_equal(isx_writer_flush(writer, &err), ISX_NOT_FOUND);
	assert_int_equal(put(writer, 1, &err), ISX_NOT_FOUND);
	assert_non_null(strstr(err.msg, "before this one"));
	isx_writer_count(writer, &counts);
	assert_int_equal(counts.waiting, ISX_WRITER_ASSETS);
	assert_int_equal(isx_index_create(store, "main", &err), ISX_OK);
	assert_int_equal(isx_writer_flush(writer, &err), ISX_OK);
	assert_int_equal(assets_of(store), ISX_WRITER_ASSETS);
	isx_writer_close(writer);
	isx_close(store);
}

static void test_writer__refuses_the_first_asset_of_another_realm_than_the_index(void **state)
{
	struct isx_store *store = open_store("memory://", NULL);
	struct isx_writer *writer;
	struct isx_asset other = { .iscc_id = "ISCC:MEIGBL22ITF6PICK" };
	struct isx_asset same = { .iscc_id = "ISCC:MAIGBL22ITF6PICK" };
	struct isx_err err = { 0 };
	(void)state;
	assert_int_equal(isx_add(store, "main", &same, 1, NULL, &err), ISX_OK);
	assert_int_equal(isx_writer_open(store, "main", &writer, &err), ISX_OK);
	assert_int_equal(isx_writer_put(writer, &other, &err), ISX_INVALID);
	assert_non_null(strstr(err.msg, "realm"));
	assert_int_equal(isx_writer_put(writer, &same, &err), ISX_OK);
	assert_int_equal(isx_writer_flush(writer, &err), ISX_OK);
	isx_writer_close(writer);
	isx_close(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_thread__blocks_all_signals_and_its_maker_blocks_none_more),
		cmocka_unit_test(test_library__a_search_uses_as_many_threads_as_the_options_say),
		cmocka_unit_test(test_library__threads_of_a_store_have_names_and_take_no_signals),
		cmocka_unit_test(test_library__threads_of_copies_take_no_signals),
		cmocka_unit_test(
			test_library__messages_go_to_the_function_of_the_options_and_nowhere_else),
		cmocka_unit_test(
			test_library__options_of_a_later_header_are_taken_where_they_have_their_defaults),
		cmocka_unit_test(
			test_library__options_of_an_earlier_header_are_not_written_past_their_end),
		cmocka_unit_test(test_library__options_that_nothing_has_filled_are_refused),
		cmocka_unit_test(test_library__structs_that_nobody_has_cleared_are_refused),
		cmocka_unit_test(test_library__an_error_names_the_position_of_the_asset_at_fault),
		cmocka_unit_test(test_library__out_parameters_are_not_written_by_a_call_that_fails),
		cmocka_unit_test(test_writer__adds_all_it_was_given_and_refuses_bad_ones_alone),
		cmocka_unit_test(test_writer__that_is_closed_early_adds_no_more),
		cmocka_unit_test(test_writer__keeps_what_could_not_be_added),
		cmocka_unit_test(
			test_writer__refuses_the_first_asset_of_another_realm_than_the_index),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
