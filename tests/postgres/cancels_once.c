/*
 * cancels_once.c - a program whose cancel_check() ends the search of a follower, and says so once.
 *
 *	./cancels_once URI FOLLOWERS
 *
 * Prints the status of the search by its name.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <iscc_search.h>
#include <stdio.h>
#include <unistd.h>

static const char *const units[] = {
	"ISCC:EADR5BPDM23VE2Z636LGF3FNDCVML5RBQIE6L4JH6VP4SCSTHAQ7UJA"
};

/* The first call is that of the search as a whole, the second one that of the follower's file. */
static enum isx_status cancel_second(void *cancel_arg, struct isx_err *err)
{
	unsigned *calls = cancel_arg;
	if (++*calls != 2)
		return ISX_OK;
	*err = (struct isx_err){ .status = ISX_CANCELLED };
	return ISX_CANCELLED;
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
	unsigned calls = 0;
	const struct isx_query query = { .units = units,
					 .unit_count = 1,
					 .limit = 1,
					 .cancel_check = cancel_second,
					 .cancel_arg = &calls };
	struct isx_options options;
	struct isx_store *store = NULL;
	struct isx_result *result = NULL;
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
	printf("%s\n", isx_status_name(isx_search(store, "main", &query, &result, &err)));
	isx_result_free(result);
	isx_close(store);
	return 0;
}
