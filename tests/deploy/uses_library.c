/*
 * uses_library.c - a program of somebody else's: it knows the installed header and the .pc file, in C
 *                  or in C++. Adds an asset to the store that its argument names, and finds it.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <iscc_search.h>
#include <stdio.h>
#include <string.h>

static const char *const units[] = { "ISCC:EAA5ZPR7TUFRSUSP" };

static enum isx_status add_and_find(struct isx_store *store, struct isx_err *err)
{
	struct isx_asset asset;
	struct isx_query query;
	struct isx_result *result = NULL;
	enum isx_outcome outcome;
	memset(&asset, 0, sizeof asset);
	memset(&query, 0, sizeof query);
	asset.iscc_id = "ISCC:MAIGBL22ITF6PICK";
	asset.units = query.units = units;
	asset.unit_count = query.unit_count = 1;
	asset.metadata = "{\"name\": \"mine\"}";
	enum isx_status st = isx_index_create(store, "main", err);
	if (!st)
		st = isx_add(store, "main", &asset, 1, &outcome, err);
	if (!st)
		st = isx_search(store, "main", &query, &result, err);
	if (!st)
		printf("%s: %zu match, %s, %.2f, %s\n", isx_version(), result->match_count,
		       result->matches[0].iscc_id, result->matches[0].score,
		       result->matches[0].metadata);
	isx_result_free(result);
	return st;
}

int main(int argc, char **argv)
{
	struct isx_options options;
	struct isx_store *store = NULL;
	struct isx_err err;
	isx_options_init(&options);
	enum isx_status st = isx_open(argc > 1 ? argv[1] : "memory://", &options, &store, &err);
	if (!st)
		st = add_and_find(store, &err);
	isx_close(store);
	if (st)
		fprintf(stderr, "%s\n", err.msg);
	return st != ISX_OK;
}
