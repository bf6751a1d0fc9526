/*
 * search.c - the example of iscc_search.h: adds two assets to a store, and searches for the units of
 *            one, which finds both.
 *
 *	cc search.c $(pkg-config --cflags --libs iscc_search) -o search && ./search usearch:///tmp/store
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <iscc_search.h>
#include <stdio.h>

static const char *const text[] = {
	"ISCC:EADR5BPDM23VE2Z636LGF3FNDCVML5RBQIE6L4JH6VP4SCSTHAQ7UJA"
};
static const char *const edited[] = {
	"ISCC:EADR5BHTN235E2Z63OLWF3FNTCVML5RBQIA6L4JH6FP4QCSTHAQ7UJA"
};

static enum isx_status add_and_search(struct isx_store *store, struct isx_err *err)
{
	const struct isx_asset assets[] = {
		{ .iscc_id = "ISCC:MAIGHXLN555Y2DFF", .units = text, .unit_count = 1 },
		{ .iscc_id = "ISCC:MAIGGXO25TIIJR7F", .units = edited, .unit_count = 1 },
	};
	const struct isx_query query = { .units = text, .unit_count = 1, .limit = 10 };
	struct isx_result *result;

	enum isx_status st = isx_index_create(store, "default", err);
	if (st && st != ISX_EXISTS)
		return st;
	st = isx_add(store, "default", assets, 2, NULL, err);
	if (!st)
		st = isx_search(store, "default", &query, &result, err);
	if (st)
		return st;
	for (size_t i = 0; i < result->match_count; i++)
		printf("%.4f %s\n", result->matches[i].score, result->matches[i].iscc_id);
	isx_result_free(result);
	return ISX_OK;
}

int main(int argc, char **argv)
{
	struct isx_store *store = NULL;
	struct isx_err err;

	enum isx_status st = isx_open(argc > 1 ? argv[1] : "memory://", NULL, &store, &err);
	if (!st)
		st = add_and_search(store, &err);
	if (st)
		fprintf(stderr, "%s\n", err.msg);
	isx_close(store);
	return st != ISX_OK;
}
