/*
 * test_pages.c - `index check` accounts for every page: it is in use or free, none twice, none
 *                lost.
 *
 * The tests damage lists of free pages byte by byte while no process has the file open. Files of
 * many shapes, also those that killed writers leave, must be found sound.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "iscc/base32.h"
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { PAGE_BYTES = 4096, LIST_MAX = 500 };

static char directory[64], uri[96], path[128];
static char messages[4096];
static struct isx_options options;

static int set_up(void **state)
{
	(void)state;
	snprintf(directory, sizeof directory, "/tmp/isx-pages-XXXXXX");
	if (!mkdtemp(directory))
		return 1;
	snprintf(uri, sizeof uri, "usearch://%s", directory);
	snprintf(path, sizeof path, "%s/main/index.lmdb", directory);
	isx_options_init(&options);
	options.relaxed = true; /* many writes in a short time */
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

static void id_of(int number, char id[24])
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
	snprintf(id, 24, "ISCC:MAIGHXLN555Y2%c%cA", letters[number / 32 % 32],
		 letters[number % 32]);
}

/* Add or change `count` assets from number `first` on, with this many bytes of metadata each. */
static void add(struct isx_store *store, int first, int count, size_t metadata_bytes)
{
	struct isx_err err;
	struct isx_asset assets[200] = { 0 };
	char ids[200][24], units[200][ISX_UNIT_TEXT_BYTES], metadata[30001];
	const char *unit_lists[200];
	assert_true(count <= 200 && metadata_bytes < sizeof metadata);
	memset(metadata, 'x', metadata_bytes);
	memcpy(metadata, "{\"a\":\"", 6);
	memcpy(metadata + metadata_bytes - 2, "\"}", 3);
	for (int i = 0; i < count; i++) {
		uint8_t body[32];
		uint64_t seed = (uint64_t)(first + i);
		for (size_t b = 0; b < sizeof body; b++)
			body[b] = (uint8_t)test_random(&seed);
		test_unit_text(ISX_CONTENT, body, 32, units[i]);
		id_of(first + i, ids[i]);
		unit_lists[i] = units[i];
		assets[i] = (struct isx_asset){ .iscc_id = ids[i],
						.units = &unit_lists[i],
						.unit_count = 1,
						.metadata = metadata };
	}
	if (isx_add(store, "main", assets, (size_t)count, NULL, &err))
		fail_msg("%s", err.msg);
}

static void remove_assets(struct isx_store *store, int first, int count)
{
	for (int i = first; i < first + count; i++) {
		struct isx_err err;
		char id[24];
		id_of(i, id);
		enum isx_status st = isx_remove(store, "main", id, &err);
		if (st && st != ISX_NOT_FOUND)
			fail_msg("%s", err.msg);
	}
}

static void keep_message(const char *text, void *arg)
{
	(void)arg;
	size_t len = strlen(messages);
	snprintf(messages + len, sizeof messages - len, "%s\n", text);
}

static uint64_t count_findings(void)
{
	struct isx_check report;
	struct isx_err err = { 0 };
	struct isx_store *store = open_store();
	messages[0] = '\0';
	if (isx_index_check(store, "main", &report, keep_message, NULL, &err))
		fail_msg("%s", err.msg);
	isx_close(store);
	return report.findings;
}

static void expect_no_finding(void)
{
	if (count_findings())
		fail_msg("%s", messages);
}

/* --- damage ----------------------------------------------------------------------------------- */

/* The longest list of free pages of the last transaction, and where it lies in the file. */
struct list {
	long place;
	uint64_t count;
	uint64_t pages[LIST_MAX];
	uint64_t root; /* a page in use: the list of tables */
	uint64_t last_page;
};

static void read_at(long place, void *bytes, size_t count)
{
	int fd = open(path, O_RDONLY);
	assert_int_equal(pread(fd, bytes, count, place), count);
	close(fd);
}

static void write_at(long place, const void *bytes, size_t count)
{
	int fd = open(path, O_WRONLY);
	assert_int_equal(pwrite(fd, bytes, count, place), count);
	close(fd);
}

static uint64_t number_at(long place)
{
	uint64_t number;
	read_at(place, &number, sizeof number);
	return number;
}

/* Offsets are those of mdb.c: behind a page's header a meta page has 24 bytes, two trees of 48 that
 * end with the number of their first page, the last page and the transaction. */
static struct list longest_list(void)
{
	long meta = number_at(16 + 24 + 96 + 8) > number_at(PAGE_BYTES + 16 + 24 + 96 + 8)
			    ? 16
			    : PAGE_BYTES + 16;
	struct list list = { .root = number_at(meta + 24 + 88),
			     .last_page = number_at(meta + 24 + 96) };
	long page = (long)number_at(meta + 24 + 40) * PAGE_BYTES;
	uint16_t flags, lower, offset, node[4];
	read_at(page + 10, &flags, sizeof flags);
	read_at(page + 12, &lower, sizeof lower);
	assert_int_equal(flags, 2); /* one leaf is all of the tree */
	for (long i = 16; i < lower; i += 2) {
		read_at(page + i, &offset, sizeof offset);
		read_at(page + offset, node, sizeof node);
		long place = page + offset + 8 + node[3];
		if (node[2] & 1) /* a long value has pages of its own */
			place = (long)number_at(place) * PAGE_BYTES + 16;
		if (number_at(place) > list.count) {
			list.place = place;
			list.count = number_at(place);
		}
	}
	assert_in_range(list.count, 3, LIST_MAX);
	read_at(list.place + 8, list.pages, list.count * sizeof list.pages[0]);
	return list;
}

static void test_pages__damaged_lists_of_free_pages_are_found(void **state)
{
	struct isx_err err;
	(void)state;
	struct isx_store *store = open_store();
	assert_int_equal(isx_index_create(store, "main", &err), ISX_OK);
	for (int i = 0; i < 6; i++)
		add(store, 0, 200, 500);
	isx_close(store);
	expect_no_finding();
	struct list good = longest_list();
	struct damage {
		uint64_t at, number;
		const char *words;
	} damages[] = {
		{ good.count - 1, 1, "does not exist" },
		{ 0, good.last_page + 1, "does not exist" },
		{ 1, good.pages[0], "is not in order" },
		{ 1, good.pages[2], "is not in order" },
		{ UINT64_MAX, LIST_MAX * 1000, "pages of transaction" },
		{ UINT64_MAX, good.count - 1, "neither in use nor free" },
	};
	for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
		const struct damage *damage = &damages[i];
		long place = good.place + 8 + (long)damage->at * 8;
		uint64_t before = number_at(place);
		write_at(place, &damage->number, sizeof damage->number);
		if (!count_findings() || !strstr(messages, damage->words))
			fail_msg("expected '%s', found: %s", damage->words, messages);
		write_at(place, &before, sizeof before);
		expect_no_finding();
	}
}

/* LMDB would overwrite the page only in a later write: until then every answer is right. */
static void test_pages__a_free_page_that_is_in_use_is_found(void **state)
{
	struct isx_err err;
	char words[80];
	(void)state;
	struct isx_store *store = open_store();
	assert_int_equal(isx_index_create(store, "main", &err), ISX_OK);
	for (int i = 0; i < 6; i++)
		add(store, 0, 200, 500);
	isx_close(store);
	struct list list = longest_list();
	size_t at = 0;
	while (at < list.count && list.pages[at] > list.root)
		at++;
	if (at == list.count)
		at--;
	list.pages[at] = list.root;
	assert_true(at == 0 || list.pages[at - 1] > list.root);
	write_at(list.place + 8, list.pages, list.count * sizeof list.pages[0]);
	assert_true(count_findings() > 0);
	snprintf(words, sizeof words, "page %llu is in use, and in a list of free pages",
		 (unsigned long long)list.root);
	if (!strstr(messages, words))
		fail_msg("expected '%s', found: %s", words, messages);
}

/* --- fields of pages -------------------------------------------------------------------------- */

/* Flags of pages, as mdb.c has them. */
enum { BRANCH = 1, LEAF = 2, OVERFLOW = 4, ROWS = 0x22 };

/* The first page of a kind behind page `after`, or 0. In a compact file all are in use. */
static long find_page(int flags, long after)
{
	uint16_t found;
	struct stat file;
	assert_int_equal(stat(path, &file), 0);
	for (long page = after + PAGE_BYTES; page < file.st_size; page += PAGE_BYTES) {
		read_at(page + 10, &found, sizeof found);
		if (found == flags)
			return page;
		if (found == OVERFLOW) { /* its further pages have no header, only the value */
			uint32_t pages;
			read_at(page + 12, &pages, sizeof pages);
			page += (long)(pages - 1) * PAGE_BYTES;
		}
	}
	return 0;
}

/* Read and write in every way: no call may crash or hang. Returns the worst status. */
static enum isx_status use_all(void)
{
	struct isx_err err;
	struct isx_store *store = open_store();
	struct isx_query query = { .iscc_id = "ISCC:MAIGHXLN555Y2AAA", .limit = 5 };
	struct isx_asset asset = { .iscc_id = query.iscc_id,
				   .iscc_code =
					   "ISCC:KACSUWPOD5TDD5MCD2C6GZVXKJVT5KEVY7L42YISB7NPILU"
					   "BZK334UY" };
	struct isx_result *result;
	struct isx_asset *found;
	char *json;
	enum isx_status st = isx_get(store, "main", query.iscc_id, &json, &err), worst = st;
	if (!st)
		isx_text_free(json);
	st = isx_asset_get(store, "main", query.iscc_id, &found, &err);
	if (!st)
		isx_asset_free(found);
	worst = st == ISX_CORRUPT ? st : worst;
	st = isx_search(store, "main", &query, &result, &err);
	if (!st)
		isx_result_free(result);
	worst = st == ISX_CORRUPT ? st : worst;
	st = isx_add(store, "main", &asset, 1, NULL, &err);
	isx_close(store);
	return st == ISX_CORRUPT ? st : worst;
}

/* One field of a page: the number of bytes at `place` in the page, or in its first entry. */
struct field {
	int flags;
	bool in_entry;
	long place;
	size_t bytes;
	uint64_t flip;
};

static void test_pages__every_field_of_a_page_is_checked(void **state)
{
	static const struct field fields[] = {
		{ LEAF, false, 0, 8, 1 },      { LEAF, false, 10, 2, 0x10 },
		{ LEAF, false, 10, 2, 0x20 },  { LEAF, false, 10, 2, 1 },
		{ LEAF, false, 12, 2, 2 },     { LEAF, false, 12, 2, 0x8000 },
		{ LEAF, false, 14, 2, 2 },     { LEAF, false, 14, 2, 0x4000 },
		{ LEAF, false, 16, 2, 1 },     { LEAF, false, 16, 2, 0x8000 },
		{ LEAF, true, 0, 2, 0x200 },   { LEAF, true, 2, 2, 1 },
		{ LEAF, true, 4, 2, 2 },       { LEAF, true, 4, 2, 8 },
		{ LEAF, true, 6, 2, 0x200 },   { BRANCH, false, 0, 8, 4 },
		{ BRANCH, false, 10, 2, 3 },   { BRANCH, false, 10, 2, 0x10 },
		{ BRANCH, false, 12, 2, 2 },   { BRANCH, false, 14, 2, 2 },
		{ BRANCH, false, 18, 2, 4 },   { BRANCH, true, 0, 2, 0x8000 },
		{ BRANCH, true, 0, 2, 1 },     { BRANCH, true, 4, 2, 1 },
		{ BRANCH, true, 6, 2, 0x400 }, { ROWS, false, 0, 8, 1 },
		{ ROWS, false, 8, 2, 8 },      { ROWS, false, 10, 2, 0x20 },
		{ ROWS, false, 10, 2, 0x10 },  { ROWS, false, 12, 2, 2 },
		{ ROWS, false, 12, 2, 1 },     { ROWS, false, 14, 2, 2 },
		{ OVERFLOW, false, 0, 8, 1 },  { OVERFLOW, false, 10, 2, 4 },
		{ OVERFLOW, false, 12, 4, 8 }, { OVERFLOW, false, 12, 4, 0x80000000 },
	};
	struct isx_err err;
	struct isx_compaction done;
	size_t tried = 0;
	(void)state;
	struct isx_store *store = open_store();
	assert_int_equal(isx_index_create(store, "main", &err), ISX_OK);
	for (int i = 0; i < 5; i++)
		add(store, i * 200, 200, i == 2 ? 30000 : 300);
	assert_int_equal(isx_index_compact(store, "main", &done, NULL, NULL, &err), ISX_OK);
	isx_close(store);
	expect_no_finding();
	for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
		const struct field *field = &fields[i];
		long page = PAGE_BYTES;
		for (int nth = 0; nth < 3 && (page = find_page(field->flags, page)); nth++) {
			uint16_t entry = 0;
			uint64_t before = 0, after;
			if (field->in_entry)
				read_at(page + 16, &entry, sizeof entry);
			read_at(page + entry + field->place, &before, field->bytes);
			after = before ^ field->flip;
			write_at(page + entry + field->place, &after, field->bytes);
			bool is_found = count_findings() > 0;
			enum isx_status st = use_all();
			if (!is_found || st != ISX_CORRUPT)
				fail_msg("field %zu, page %ld: findings '%s', status %d", i,
					 page / PAGE_BYTES, messages, st);
			write_at(page + entry + field->place, &before, field->bytes);
			tried++;
		}
	}
	assert_true(tried > sizeof fields / sizeof fields[0]);
	expect_no_finding();
}

/* The page that holds the JSON of an asset. */
static long page_of_asset(const char *id)
{
	static char content[4 << 20];
	FILE *file = fopen(path, "rb");
	assert_non_null(file);
	size_t bytes = fread(content, 1, sizeof content, file);
	fclose(file);
	const char *found = memmem(content, bytes, id, strlen(id));
	assert_non_null(found);
	return (found - content) / PAGE_BYTES * PAGE_BYTES;
}

/* Pages are verified along the path to each asset that is read: another asset can still be read
 * before the damage is found; once it is found, the file is refused. */
static void test_pages__the_way_to_an_asset_is_checked(void **state)
{
	struct isx_err err;
	struct isx_compaction done;
	struct isx_asset *asset;
	char first[24], last[24], *json;
	const uint16_t lower = 0x7ffe;
	(void)state;
	struct isx_store *store = open_store();
	assert_int_equal(isx_index_create(store, "main", &err), ISX_OK);
	add(store, 0, 200, 300);
	assert_int_equal(isx_index_compact(store, "main", &done, NULL, NULL, &err), ISX_OK);
	isx_close(store);
	id_of(0, first);
	id_of(199, last);
	write_at(page_of_asset(last) + 12, &lower, sizeof lower);
	store = open_store();
	for (int i = 0; i < 2; i++) {
		assert_int_equal(isx_get(store, "main", first, &json, &err), ISX_OK);
		isx_text_free(json);
		assert_int_equal(isx_asset_get(store, "main", first, &asset, &err), ISX_OK);
		assert_string_equal(asset->iscc_id, first);
		isx_asset_free(asset);
	}
	assert_int_equal(isx_asset_get(store, "main", last, &asset, &err), ISX_CORRUPT);
	if (!strstr(err.msg, "bring a backup back") || !strstr(err.msg, path))
		fail_msg("%s", err.msg);
	assert_int_equal(isx_get(store, "main", last, &json, &err), ISX_CORRUPT);
	if (!strstr(err.msg, "bring a backup back") || !strstr(err.msg, path))
		fail_msg("%s", err.msg);
	assert_int_equal(isx_get(store, "main", first, &json, &err), ISX_CORRUPT);
	isx_close(store);
}

/* An asset is read with its simprints, whose rows are verified before they are read. */
static void test_pages__the_simprints_of_an_asset_are_checked(void **state)
{
	enum { SIMPRINTS = 1000 }; /* several pages of rows */
	static char texts[SIMPRINTS][16];
	static struct isx_simprint simprints[SIMPRINTS];
	struct isx_err err;
	struct isx_compaction done;
	struct isx_asset *found;
	char id[24], *json;
	uint64_t seed = test_seed();
	const uint16_t lower = 0x7ffe;
	(void)state;
	struct isx_store *store = open_store();
	assert_int_equal(isx_index_create(store, "main", &err), ISX_OK);
	id_of(0, id);
	for (uint32_t i = 0; i < SIMPRINTS; i++) {
		const uint64_t bits = test_random(&seed);
		isx_base64_encode((const uint8_t *)&bits, sizeof bits, texts[i]);
		simprints[i] = (struct isx_simprint){ "T_V0", texts[i], i, 1 };
	}
	const struct isx_asset asset = { .iscc_id = id,
					 .simprints = simprints,
					 .simprint_count = SIMPRINTS };
	assert_int_equal(isx_add(store, "main", &asset, 1, NULL, &err), ISX_OK);
	assert_int_equal(isx_index_compact(store, "main", &done, NULL, NULL, &err), ISX_OK);
	isx_close(store);
	store = open_store();
	assert_int_equal(isx_asset_get(store, "main", id, &found, &err), ISX_OK);
	assert_int_equal(found->simprint_count, SIMPRINTS);
	isx_asset_free(found);
	isx_close(store);
	const long page = find_page(ROWS, PAGE_BYTES);
	assert_true(page > 0);
	write_at(page + 12, &lower, sizeof lower);
	store = open_store();
	assert_int_equal(isx_get(store, "main", id, &json, &err), ISX_OK);
	isx_text_free(json);
	assert_int_equal(isx_asset_get(store, "main", id, &found, &err), ISX_CORRUPT);
	isx_close(store);
}

/* --- files that are right --------------------------------------------------------------------- */

static void change_at_random(struct isx_store *store, uint64_t *seed, int times)
{
	static const size_t sizes[] = { 10, 1000, 3000, 30000 };
	for (int i = 0; i < times; i++) {
		int first = (int)(test_random(seed) % 800),
		    count = 1 + (int)(test_random(seed) % 60);
		if (test_random(seed) % 3 == 0)
			remove_assets(store, first, count);
		else
			add(store, first, count, sizes[test_random(seed) % 4]);
	}
}

static void test_pages__files_of_many_shapes_are_right(void **state)
{
	struct isx_err err;
	struct isx_compaction done;
	uint64_t seed = test_seed();
	(void)state;
	struct isx_store *store = open_store();
	assert_int_equal(isx_index_create(store, "main", &err), ISX_OK);
	isx_close(store);
	expect_no_finding();
	for (int round = 0; round < 12; round++) {
		store = open_store();
		change_at_random(store, &seed, 12);
		if (round % 4 == 3)
			remove_assets(store, 0, 1024);
		if (round % 5 == 4 && isx_index_compact(store, "main", &done, NULL, NULL, &err))
			fail_msg("%s", err.msg);
		isx_close(store);
		expect_no_finding();
	}
}

/* An open reader keeps LMDB from reusing pages, so there are many lists of free pages, and long
 * ones. */
static void test_pages__files_beside_a_long_reader_are_right(void **state)
{
	struct isx_err err;
	uint64_t seed = test_seed();
	MDB_env *env;
	MDB_txn *reader;
	(void)state;
	struct isx_store *store = open_store();
	assert_int_equal(isx_index_create(store, "main", &err), ISX_OK);
	isx_close(store);
	pid_t pid = fork();
	if (pid == 0) {
		if (mdb_env_create(&env) || mdb_env_set_mapsize(env, 1u << 30) ||
		    mdb_env_open(env, path, MDB_NOSUBDIR, 0644) ||
		    mdb_txn_begin(env, NULL, MDB_RDONLY, &reader))
			_exit(1);
		for (;;)
			pause();
	}
	for (int round = 0; round < 3; round++) {
		store = open_store();
		change_at_random(store, &seed, 40);
		isx_close(store);
		expect_no_finding();
	}
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	store = open_store();
	change_at_random(store, &seed, 40);
	isx_close(store);
	expect_no_finding();
}

static void test_pages__files_of_killed_writers_are_right(void **state)
{
	struct isx_err err;
	uint64_t seed = test_seed();
	(void)state;
	struct isx_store *store = open_store();
	assert_int_equal(isx_index_create(store, "main", &err), ISX_OK);
	isx_close(store);
	for (int round = 0; round < 25; round++) {
		uint64_t pause_us = 5000 + test_random(&seed) % 60000;
		options.relaxed = round % 2 == 0;
		pid_t pid = fork();
		if (pid == 0) {
			store = open_store();
			for (;;)
				change_at_random(store, &seed, 1);
		}
		usleep((useconds_t)pause_us);
		assert_int_equal(kill(pid, SIGKILL), 0);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		expect_no_finding();
	}
}

/* --- reading ahead ----------------------------------------------------------------------------- */

/* These two take the place of the system's: pages are in memory or not as a test says, and what the
 * program asks for is counted. */
static struct {
	bool is_cold;
	uint64_t pages;
	uint64_t end; /* of the largest request */
} asked;

ssize_t preadv2(int fd, const struct iovec *to, int count, off_t offset, int flags)
{
	(void)fd, (void)to, (void)count, (void)offset;
	assert_int_equal(flags, RWF_NOWAIT);
	errno = EAGAIN;
	return asked.is_cold ? -1 : 1;
}

int posix_fadvise(int fd, off_t offset, off_t len, int advice)
{
	(void)fd;
	assert_int_equal(advice, POSIX_FADV_WILLNEED);
	assert_int_equal(offset % PAGE_BYTES, 0);
	asked.pages += (uint64_t)len / PAGE_BYTES;
	asked.end = (uint64_t)(offset + len) > asked.end ? (uint64_t)(offset + len) : asked.end;
	return 0;
}

static void test_pages__a_file_that_is_not_in_memory_is_read_ahead(void **state)
{
	struct isx_err err;
	struct isx_check report;
	(void)state;
	struct isx_store *store = open_store();
	assert_int_equal(isx_index_create(store, "main", &err), ISX_OK);
	for (int first = 0; first < 1000; first += 200)
		add(store, first, 200, 600);
	isx_close(store);
	asked.is_cold = false;
	asked.pages = asked.end = 0;
	expect_no_finding();
	assert_int_equal(asked.pages, 0);
	asked.is_cold = true;
	store = open_store();
	assert_int_equal(isx_index_check(store, "main", &report, NULL, NULL, &err), ISX_OK);
	isx_close(store);
	assert_int_equal(report.findings, 0);
	/* all but the roots of a few tables; a check walks the file up to twice */
	assert_true(asked.pages >= report.pages * 9 / 10 && asked.pages <= 2 * report.pages);
	assert_true(asked.end <= 2 * report.pages * PAGE_BYTES);
	asked.is_cold = false;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(test_pages__damaged_lists_of_free_pages_are_found),
		TEST(test_pages__a_free_page_that_is_in_use_is_found),
		TEST(test_pages__every_field_of_a_page_is_checked),
		TEST(test_pages__the_way_to_an_asset_is_checked),
		TEST(test_pages__the_simprints_of_an_asset_are_checked),
		TEST(test_pages__files_of_many_shapes_are_right),
		TEST(test_pages__files_beside_a_long_reader_are_right),
		TEST(test_pages__files_of_killed_writers_are_right),
		TEST(test_pages__a_file_that_is_not_in_memory_is_read_ahead),
	};
	printf("seed %llu\n", (unsigned long long)test_seed());
	return cmocka_run_group_tests(tests, NULL, NULL);
}
