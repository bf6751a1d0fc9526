/*
 * dataset_rows.h - the rows of a Parquet file as assets.
 *
 * The columns iscc, iscc_meta, iscc_semantic, iscc_content, iscc_data and iscc_instance are those of the data
 * sets that are published with ISCCs. All other columns of texts, numbers and bools become metadata.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_DATASET_ROWS_H
#define ISX_DATASET_ROWS_H

#include "cli/args.h"
#include "cli/loader.h"

/* An option of the commands that load rows, for their tables. */
#define DATASET_ROWS_OPTION                                                                        \
	{                                                                                          \
		"--columns", 0, "COLUMNS",                                                         \
			"Keep these columns of Parquet files as metadata (default: all)"           \
	}

/* Where rows come from, and what is done with them. */
struct dataset_rows {
	const char *repo;  /* data set: becomes metadata.hf_dataset; NULL: a file of the user */
	const char *file;  /* path in the data set, or absolute path: rows are numbered within it */
	const char *local; /* path to open */
	struct loader *loader;
	struct seen_place place; /* of the file, for messages */
	uint64_t rows_max;       /* rows that are read */
	/* Columns that become metadata, with commas between their names; without a pointer all
	 * do. */
	struct isx_span columns;
	uint64_t rows_before; /* rows to leave out, as an earlier run has stored them */
	/* To find that out: rows that are stored under their ISCC-IDs are left out; NULL: everything is loaded. */
	struct isx_store *store;
	const char *index;
	size_t step; /* assets that are stored together: one of so many is looked up */
	/* Called now and then with the rows that have been read. NULL: not called. */
	void (*progress)(void *progress_arg, uint64_t rows_done, uint64_t rows_total);
	void *progress_arg;
	uint64_t rows_read;    /* filled */
	uint64_t rows_skipped; /* filled: of those, how many were stored before */
};

/* Read the option --columns, which may be given several times.
 *   text  a buffer of the caller that `columns` stays in; released by the caller
 *   columns  filled, as in struct dataset_rows */
ISX_MUST_CHECK enum isx_status dataset_rows_columns(const struct cli_args *args,
						    struct isx_buf *text, struct isx_span *columns,
						    struct isx_err *err);

/* Hand the rows to the loader. An ISCC-ID is made of repository, file and row, so that the same row is always
 * the same asset; a file of the user may have a column iscc_id instead. A row of a data set without an ISCC-CODE and with
 * fewer than two ISCC-UNITs is left out; in a file of the user it is an error. So is, of a file, a
 * column of `columns` that it does not have.
 * Errors of the file and of rows are counted by the loader. Fails if the store fails, or memory. */
ISX_MUST_CHECK enum isx_status dataset_rows_load(struct dataset_rows *rows, struct isx_err *err);

/* The ISCC-ID of a row: realm 0, hub number 0, and as its time the row, counted in microseconds from a moment
 * that is made of the first 50 bits of SHA-256(repo, NUL, file): before September 2005, when there were
 * no ISCC-IDs, so that it is never that of an asset which a hub has declared.
 *   repo  NULL: empty
 *   text  filled: ISX_ISCC_ID_TEXT_BYTES */
void dataset_rows_id(const char *repo, const char *file, uint64_t row, char *text);

#endif
