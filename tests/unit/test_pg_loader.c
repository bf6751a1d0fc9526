/*
 * test_pg_loader.c - wishes for followers, and how they failed.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "postgres/pg_loader.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <unistd.h>

#include <cmocka.h>

enum { WISHES = 1024 }; /* there is room for */

static atomic_uint tried;

static enum isx_status fail_wish(void *arg, const struct isx_pg_wish *wish,
				 struct isx_pg_work *work, struct isx_err *err)
{
	(void)arg, (void)wish, (void)work;
	atomic_fetch_add(&tried, 1);
	return isx_fail(err, ISX_IO, "it failed");
}

static enum isx_status want(struct isx_pg_loader *loader, int64_t incarnation)
{
	const struct isx_pg_wish wish = { .head = { .incarnation = incarnation } };
	return isx_pg_loader_want(loader, &wish, NULL);
}

/* Searches whose clients have gone do not ask how it went. */
static void test_loader__failures_nobody_asks_for_take_no_room_for_ever(void **state)
{
	struct isx_pg_loader *loader;
	struct isx_err err = { 0 };
	enum isx_status st = ISX_UNAVAILABLE;
	bool at_fault = true;
	(void)state;
	assert_int_equal(isx_pg_loader_new(fail_wish, NULL, &loader, &err), ISX_OK);
	for (int64_t i = 1; i <= WISHES; i++)
		assert_int_equal(want(loader, i), ISX_OK);
	for (int tries = 0; tries < 30000 && atomic_load(&tried) < WISHES; tries++)
		usleep(1000);
	assert_int_equal(atomic_load(&tried), WISHES);
	for (int tries = 0; tries < 30000 && st == ISX_UNAVAILABLE; tries++) {
		st = want(loader, WISHES + 1);
		usleep(1000);
	}
	assert_int_equal(st, ISX_OK);
	for (int tries = 0; tries < 30000 && atomic_load(&tried) == WISHES; tries++)
		usleep(1000);
	while (isx_pg_loader_is_at(loader, WISHES + 1))
		usleep(1000);
	assert_int_equal(isx_pg_loader_failure(loader, WISHES + 1, &at_fault, &err), ISX_IO);
	assert_false(at_fault);
	assert_int_equal(isx_pg_loader_failure(loader, WISHES + 1, &at_fault, &err), ISX_OK);
	isx_pg_loader_free(loader);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_loader__failures_nobody_asks_for_take_no_room_for_ever),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
