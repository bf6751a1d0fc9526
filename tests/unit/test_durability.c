/*
 * test_durability.c - acknowledged writes have been synced, and writes that could not be synced
 *                     are gone.
 *
 * kill -9 cannot show this, as the page cache keeps what a killed process wrote. So this program
 * defines fdatasync(), fsync() and pwrite() itself, in front of the C library's, and LMDB calls them too.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#define CODE "ISCC:KACSUWPOD5TDD5MCD2C6GZVXKJVT5KEVY7L42YISB7NPILUBZK334UY"

static int syncs;        /* calls since the test set it to 0 */
static int syncs_failed; /* calls that failed with `sync_error` */
static int sync_error;   /* errno of the next calls; 0: they succeed */

int fdatasync(int fd)
{
	syncs++;
	if (!sync_error)
		return (int)syscall(SYS_fdatasync, fd);
	syncs_failed++;
	errno = sync_error;
	return -1;
}

static bool heads_fail; /* the first two pages, which make a commit visible, cannot be written */

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset)
{
	if (!heads_fail || offset >= 2 * sysconf(_SC_PAGESIZE))
		return syscall(SYS_pwrite64, fd, bytes, count, offset);
	errno = EIO;
	return -1;
}

static char directory[64], uri[96];
static const char *scheme;
static int folders_synced; /* while the store's directory was locked, so that no index was opened */

int fsync(int fd)
{
	struct stat synced;
	int lock = open(directory, O_RDONLY | O_DIRECTORY);
	bool is_locked = lock >= 0 && flock(lock, LOCK_SH | LOCK_NB) != 0;
	if (lock >= 0)
		close(lock);
	folders_synced += is_locked && fstat(fd, &synced) == 0 && S_ISDIR(synced.st_mode);
	return (int)syscall(SYS_fsync, fd);
}

static int set_up(void **state)
{
	(void)state;
	snprintf(directory, sizeof directory, "/tmp/isx-sync-XXXXXX");
	if (!mkdtemp(directory))
		return 1;
	snprintf(uri, sizeof uri, "%s://%s", scheme, directory);
	sync_error = 0;
	heads_fail = false;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	test_remove_tree(directory);
	return 0;
}

static struct isx_store *open_store(bool relaxed)
{
	struct isx_options options;
	struct isx_store *store;
	struct isx_err err;
	isx_options_init(&options);
	options.relaxed = relaxed;
	if (isx_open(uri, &options, &store, &err) || isx_index_create(store, "main", &err))
		fail_msg("%s", err.msg);
	return store;
}

static enum isx_status add(struct isx_store *store, const char *id)
{
	struct isx_asset asset = { .iscc_id = id, .iscc_code = CODE };
	return isx_add(store, "main", &asset, 1, NULL, NULL);
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

static void test_durability__a_change_is_synced_before_it_is_acknowledged(void **state)
{
	(void)state;
	struct isx_store *store = open_store(false);
	syncs = 0;
	assert_int_equal(add(store, "ISCC:MAIGHXLN555Y2DFF"), ISX_OK);
	assert_true(syncs > 0);
	syncs = 0;
	assert_int_equal(isx_remove(store, "main", "ISCC:MAIGHXLN555Y2DFF", NULL), ISX_OK);
	assert_true(syncs > 0);
	isx_close(store);
}

static void test_durability__a_disk_that_fails_leaves_the_index_as_it_was(void **state)
{
	static const int errors[] = { EIO, ENOSPC, EDQUOT };
	struct isx_check report;
	(void)state;
	struct isx_store *store = open_store(false);
	assert_int_equal(add(store, "ISCC:MAIGHXLN555Y2DFF"), ISX_OK);
	for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
		sync_error = errors[i];
		syncs_failed = 0;
		assert_int_equal(add(store, "ISCC:MAIGGXZHLG2AP2Q3"),
				 errors[i] == EIO ? ISX_IO : ISX_FULL);
		assert_true(syncs_failed > 0);
		sync_error = 0;
		assert_int_equal(count_assets(store), 1);
	}
	assert_int_equal(add(store, "ISCC:MAIGGXZHLG2AP2Q3"), ISX_OK);
	assert_int_equal(count_assets(store), 2);
	assert_int_equal(isx_index_check(store, "main", &report, NULL, NULL, NULL), ISX_OK);
	assert_int_equal(report.findings, 0);
	isx_close(store);
}

/* LMDB then refuses every transaction of the process, of readers too. */
static void test_durability__an_index_goes_on_after_a_commit_that_failed_at_its_end(void **state)
{
	struct isx_check report;
	(void)state;
	struct isx_store *store = open_store(false);
	assert_int_equal(add(store, "ISCC:MAIGHXLN555Y2DFF"), ISX_OK);
	for (int i = 0; i < 3; i++) {
		heads_fail = true;
		assert_int_equal(add(store, "ISCC:MAIGGXZHLG2AP2Q3"), ISX_IO);
		heads_fail = false;
		if (i == 0) /* the first call is a read, */
			assert_int_equal(count_assets(store), 1);
		if (i == 1) /* a check, which reads all pages, */
			assert_int_equal(isx_index_check(store, "main", &report, NULL, NULL, NULL),
					 ISX_OK);
	}
	/* or a write. */
	assert_int_equal(add(store, "ISCC:MAIGGXZHLG2AP2Q3"), ISX_OK);
	assert_int_equal(count_assets(store), 2);
	assert_int_equal(isx_index_check(store, "main", &report, NULL, NULL, NULL), ISX_OK);
	assert_int_equal(report.findings, 0);
	isx_close(store);
}

/* Otherwise a power cut could bring the old file back, without what was written to the new one. */
static void test_durability__a_compacted_index_is_named_on_disk_before_it_is_opened(void **state)
{
	struct isx_compaction done;
	(void)state;
	struct isx_store *store = open_store(false);
	assert_int_equal(add(store, "ISCC:MAIGHXLN555Y2DFF"), ISX_OK);
	folders_synced = 0;
	assert_int_equal(isx_index_compact(store, "main", &done, NULL, NULL, NULL), ISX_OK);
	assert_true(folders_synced > 0);
	isx_close(store);
}

static void test_durability__relaxed_changes_are_synced_at_the_end(void **state)
{
	(void)state;
	struct isx_store *store = open_store(true);
	syncs = 0;
	assert_int_equal(add(store, "ISCC:MAIGHXLN555Y2DFF"), ISX_OK);
	assert_int_equal(syncs, 0);
	isx_close(store);
	assert_true(syncs > 0);
}

int main(void)
{
	static const char *const schemes[] = { "usearch", "lmdb" };
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(test_durability__a_change_is_synced_before_it_is_acknowledged),
		TEST(test_durability__a_disk_that_fails_leaves_the_index_as_it_was),
		TEST(test_durability__an_index_goes_on_after_a_commit_that_failed_at_its_end),
		TEST(test_durability__a_compacted_index_is_named_on_disk_before_it_is_opened),
		TEST(test_durability__relaxed_changes_are_synced_at_the_end),
	};
	int failed = 0;
	for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
		scheme = schemes[i];
		failed += cmocka_run_group_tests_name(scheme, tests, NULL, NULL);
	}
	return failed;
}
