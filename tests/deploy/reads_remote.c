/*
 * reads_remote.c - reads assets back from another server: that of its second argument, and all.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <iscc_search.h>
#include <stdio.h>

int main(int argc, char **argv)
{
	struct isx_store *store = NULL;
	struct isx_cursor *cursor = NULL;
	struct isx_asset *asset = NULL;
	struct isx_err err = { 0 };
	if (argc != 3 || isx_open(argv[1], NULL, &store, &err) ||
	    isx_asset_get(store, "main", argv[2], &asset, &err)) {
		fprintf(stderr, "%s\n", err.msg);
		return 1;
	}
	printf("%s %zu units, %zu simprints\n", asset->iscc_id, asset->unit_count,
	       asset->simprint_count);
	isx_asset_free(asset);
	const struct isx_asset *next = NULL;
	enum isx_status st = isx_cursor_open(store, "main", NULL, &cursor, &err);
	while (!st && !(st = isx_cursor_next(cursor, &next, &err)) && next)
		printf("%s\n", next->iscc_id);
	printf("%s\n", isx_status_name(st));
	isx_cursor_close(cursor);
	isx_close(store);
	return 0;
}
