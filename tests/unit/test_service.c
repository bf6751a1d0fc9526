/*
 * test_service.c - the memory of an answer is asked for before it is taken, and a refusal is
 *                  passed on.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "service/service.h"

#include "iscc/iscc_id.h"
#include "support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { ASSETS = 3000, METADATA_BYTES = 200 };

static const char simprint[] = "AAAAAAAAAAAAAAAAAAAAAA";
static char unit[ISX_UNIT_TEXT_BYTES];

/* A quota of this many bytes. */
struct keeper {
	size_t left;
	size_t taken;
};

static enum isx_status may_take(void *arg, size_t bytes, struct isx_err *err)
{
	struct keeper *keeper = arg;
	if (bytes > keeper->left)
		return isx_fail(err, ISX_UNAVAILABLE, "enough");
	keeper->left -= bytes;
	keeper->taken += bytes;
	return ISX_OK;
}

/* A store of an engine with assets that are all alike. */
static struct isx_store *make_store(const char *uri)
{
	static char metadata[METADATA_BYTES], ids[ASSETS][24];
	static struct isx_asset assets[ASSETS];
	const char *units[] = { unit };
	const struct isx_simprint passage = { "CONTENT_TEXT_V0", simprint, 0, 1 };
	struct isx_store *store = NULL;
	struct isx_err err;
	memset(metadata, ' ', METADATA_BYTES);
	memcpy(metadata, "{\"a\":0", 6);
	memcpy(metadata + METADATA_BYTES - 2, "}", 2);
	for (size_t i = 0; i < ASSETS; i++) {
		const struct isx_iscc_id id = { .body = i + 1, .version = 1 };
		isx_iscc_id_print(&id, ids[i]);
		assets[i] = (struct isx_asset){ .iscc_id = ids[i],
						.units = units,
						.unit_count = 1,
						.simprints = &passage,
						.simprint_count = 1,
						.metadata = metadata };
	}
	if (isx_open(uri, NULL, &store, &err) || isx_index_create(store, "main", &err) ||
	    isx_add(store, "main", assets, ASSETS, NULL, &err))
		fail_msg("%s: %s", uri, err.msg);
	return store;
}

/* Raise the quota step by step: searches are refused until it is enough for the answer. */
static void check_search(struct isx_store *store, const struct isx_query *query, size_t least)
{
	enum isx_status st = ISX_UNAVAILABLE;
	size_t refused = 0;
	for (size_t room = 1; st; room *= 2) {
		struct keeper keeper = { .left = room };
		struct isx_quota quota = { .may_take = may_take, .keeper = &keeper };
		struct isx_result *result = NULL;
		struct isx_err err = { 0 };
		st = isx_search_within(store, "main", query, &quota, &result, &err);
		if (st) {
			assert_int_equal(st, ISX_UNAVAILABLE);
			assert_string_equal(err.msg, "enough");
			assert_null(result);
			refused++;
			continue;
		}
		assert_true(keeper.taken >= least);
		assert_int_equal(result->match_count + result->chunk_match_count, ASSETS);
		isx_result_free(result);
	}
	assert_true(refused > 10);
}

static void test_service__a_search_takes_memory_within_its_quota(void **state)
{
	char directory[] = "/tmp/isx-test-XXXXXX", uri[128];
	const char *units[] = { unit };
	const struct isx_query query = { .units = units, .unit_count = 1, .limit = INT32_MAX };
	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(uri, sizeof uri, "lmdb://%s", directory);
	const char *const uris[] = { "memory://", uri };
	for (size_t i = 0; i < 2; i++) {
		struct isx_store *store = make_store(uris[i]);
		check_search(store, &query, ASSETS * METADATA_BYTES);
		isx_close(store);
	}
	test_remove_tree(directory);
}

static void test_service__so_does_a_search_of_passages(void **state)
{
	struct isx_store *store = make_store("memory://");
	const char *values[] = { simprint };
	const struct isx_query_simprints passages = { "CONTENT_TEXT_V0", values, 1 };
	const struct isx_query query = { .simprints = &passages,
					 .simprint_type_count = 1,
					 .limit = INT32_MAX };
	(void)state;
	check_search(store, &query, ASSETS * METADATA_BYTES);
	isx_close(store);
}

static void test_service__an_asset_is_fetched_within_the_quota_of_its_buffer(void **state)
{
	struct isx_store *store = make_store("memory://");
	struct keeper keeper = { .left = METADATA_BYTES };
	struct isx_quota quota = { .may_take = may_take, .keeper = &keeper };
	struct isx_buf json = { .quota = &quota };
	const struct isx_iscc_id id = { .body = 7, .version = 1 };
	struct isx_err err;
	char text[24];
	(void)state;
	isx_iscc_id_print(&id, text);
	assert_int_equal(isx_get_into(store, "main", text, &json, &err), ISX_UNAVAILABLE);
	assert_string_equal(err.msg, "enough");
	isx_buf_clear(&json);
	keeper.left = 10 * METADATA_BYTES;
	assert_int_equal(isx_get_into(store, "main", text, &json, &err), ISX_OK);
	assert_true(json.len > METADATA_BYTES && keeper.taken >= json.len);
	isx_buf_release(&json);
	isx_close(store);
}

static int set_up(void **state)
{
	const uint8_t body[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };
	(void)state;
	test_unit_text(2, body, sizeof body, unit);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_service__a_search_takes_memory_within_its_quota),
		cmocka_unit_test(test_service__so_does_a_search_of_passages),
		cmocka_unit_test(test_service__an_asset_is_fetched_within_the_quota_of_its_buffer),
	};
	return cmocka_run_group_tests(tests, set_up, NULL);
}
