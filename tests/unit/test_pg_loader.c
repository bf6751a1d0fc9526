/*
 * test_pg_loader.c - requests to load followers, and their failures.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "postgres/pg_loader.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <unistd.h>

#include <cmocka.h>

enum { REQUESTS = 1024 }; /* there is room for */

static atomic_uint tried;

static enum isx_status fail_request(void *arg, const struct isx_pg_load_request *request,
				    struct isx_pg_work *work, struct isx_err *err)
{
	(void)arg, (void)request, (void)work;
	atomic_fetch_add(&tried, 1);
	return isx_fail(err, ISX_IO, "it failed");
}

static enum isx_status want(struct isx_pg_loader *loader, int64_t generation)
{
	const struct isx_pg_load_request request = { .head = { .generation = generation } };
	return isx_pg_loader_request(loader, &request, NULL);
}

/* Searches whose clients have gone do not ask how it went. */
static void test_loader__failures_nobody_asks_for_take_no_room_for_ever(void **state)
{
	struct isx_pg_loader *loader;
	struct isx_err err = { 0 };
	enum isx_status st = ISX_UNAVAILABLE;
	bool at_fault = true;
	(void)state;
	assert_int_equal(isx_pg_loader_new(fail_request, NULL, &loader, &err), ISX_OK);
	for (int64_t i = 1; i <= REQUESTS; i++)
		assert_int_equal(want(loader, i), ISX_OK);
	for (int tries = 0; tries < 30000 && atomic_load(&tried) < REQUESTS; tries++)
		usleep(1000);
	assert_int_equal(atomic_load(&tried), REQUESTS);
	for (int tries = 0; tries < 30000 && st == ISX_UNAVAILABLE; tries++) {
		st = want(loader, REQUESTS + 1);
		usleep(1000);
	}
	assert_int_equal(st, ISX_OK);
	for (int tries = 0; tries < 30000 && atomic_load(&tried) == REQUESTS; tries++)
		usleep(1000);
	while (isx_pg_loader_is_at(loader, REQUESTS + 1))
		usleep(1000);
	assert_int_equal(isx_pg_loader_failure(loader, REQUESTS + 1, &at_fault, &err), ISX_IO);
	assert_false(at_fault);
	assert_int_equal(isx_pg_loader_failure(loader, REQUESTS + 1, &at_fault, &err), ISX_OK);
	isx_pg_loader_free(loader);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_loader__failures_nobody_asks_for_take_no_room_for_ever),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
