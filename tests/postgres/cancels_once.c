/*
 * cancels_once.c - a program whose cancel_check() ends a search, and says so once.
 *
 *	./cancels_once URI [FOLLOWERS]
 *
 * It ends the search of the follower's file or, without FOLLOWERS, that of the database. Prints two
 * lines, of a cancel_check() that fills the error and of one that leaves it alone: the name of the
 * status, and the message, the position and the time to retry after of the error. Exits with 1 if
 * the error has another status than the call.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <iscc_search.h>
#include <stdio.h>
#include <unistd.h>

static const char *const units[] = {
	"ISCC:EADR5BPDM23VE2Z636LGF3FNDCVML5RBQIE6L4JH6VP4SCSTHAQ7UJA"
};

struct caller {
	unsigned calls;
	bool fills;
};

/* The first call is that of the search as a whole, the second one that of the follower's file or of
 * the first row. */
static enum isx_status cancel_second(void *cancel_arg, struct isx_err *err)
{
	struct caller *caller = cancel_arg;
	if (++caller->calls != 2)
		return ISX_OK;
	if (caller->fills)
		*err = (struct isx_err){
			.status = ISX_CANCELLED, .msg = "enough", .position = 3, .retry_after_s = 7
		};
	return ISX_CANCELLED;
}

/* Search, and print how the search ends. */
static bool search_once(struct isx_store *store, bool fills)
{
	struct caller caller = { .fills = fills };
	const struct isx_query query = { .units = units,
					 .unit_count = 1,
					 .limit = 1,
					 .cancel_check = cancel_second,
					 .cancel_arg = &caller };
	struct isx_result *result = NULL;
	struct isx_err err = { .msg = "never written" };
	enum isx_status st = isx_search(store, "main", &query, &result, &err);
	printf("%s '%s' %d %u\n", isx_status_name(st), err.msg,
	       err.position == ISX_NO_POSITION ? -1 : (int)err.position, err.retry_after_s);
	isx_result_free(result);
	return err.status == st;
}

/* Search until a search finds the follower where the index is: then its head is remembered. */
static enum isx_status warm_up(struct isx_store *store, struct isx_err *err)
{
	const struct isx_query query = { .units = units, .unit_count = 1, .limit = 1 };
	struct isx_result *result;
	enum isx_status st = ISX_UNAVAILABLE;
	for (int found = 0, tries = 0; found < 3 && tries < 600; tries++) {
		st = isx_search(store, "main", &query, &result, err);
		if (st && st != ISX_UNAVAILABLE)
			return st;
		if (!st)
			isx_result_free(result);
		found += !st;
		usleep(100000);
	}
	return st;
}

int main(int argc, char **argv)
{
	const struct isx_asset asset = { .iscc_id = "ISCC:MAIGHXLN555Y2DFF",
					 .units = units,
					 .unit_count = 1 };
	struct isx_options options;
	struct isx_store *store = NULL;
	struct isx_err err = { 0 };
	isx_options_init(&options);
	options.postgres_followers = argc > 2 ? argv[2] : NULL;
	enum isx_status st = isx_open(argc > 1 ? argv[1] : "", &options, &store, &err);
	if (!st)
		st = isx_index_create(store, "main", &err);
	if (!st)
		st = isx_add(store, "main", &asset, 1, NULL, &err);
	if (!st)
		st = warm_up(store, &err);
	if (st) {
		fprintf(stderr, "%s\n", err.msg);
		return 1;
	}
	bool is_right = search_once(store, true);
	is_right &= search_once(store, false);
	isx_close(store);
	return !is_right;
}
