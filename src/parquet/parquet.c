/*
 * parquet.c - an open Parquet file: its wanted columns, read in step.
 *
 * Each wanted column has a reader with the page that its next value is in. So memory is that of one page
 * and one dictionary per column, however many rows a row group has.
 * A column that is not wanted costs nothing but its entry in the footer: none of its pages is
 * read.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "parquet/parquet.h"

#include "base/fs.h"
#include "base/limits.h"
#include "parquet/parquet_parts.h"

#include <sys/stat.h>

struct isx_parquet {
	struct isx_footer footer;
	int fd;
	struct isx_parquet_column *columns;
	size_t column_count;
	size_t *leaves;                    /* of each column: its position among the leaves */
	struct isx_column_reader *readers; /* of each column */
	struct isx_column_chunk *chunks;   /* of the present row group, by leaf */
	uint64_t group_rows;               /* left of the present row group */
	struct isx_page_budget budget;
	bool is_checked; /* the wanted columns can be read */
	bool has_failed;
};

/* List the leaves that can be read. */
static enum isx_status list_columns(struct isx_parquet *file, struct isx_err *err)
{
	struct isx_footer *footer = &file->footer;
	size_t count = footer->leaf_count + 1; /* there is always something to allocate */
	file->columns = isx_arena_alloc(&footer->arena, count, sizeof *file->columns);
	file->leaves = isx_arena_alloc(&footer->arena, count, sizeof *file->leaves);
	file->readers = isx_arena_alloc(&footer->arena, count, sizeof *file->readers);
	file->chunks = isx_arena_alloc(&footer->arena, count, sizeof *file->chunks);
	if (!file->columns || !file->leaves || !file->readers || !file->chunks)
		return isx_fail_memory(err);
	for (size_t i = 0; i < footer->leaf_count; i++) {
		const struct isx_leaf *leaf = &footer->leaves[i];
		if (!leaf->kind)
			continue;
		size_t at = file->column_count++;
		file->columns[at] = (struct isx_parquet_column){ .name = leaf->name,
								 .kind = leaf->kind };
		file->leaves[at] = i;
		file->readers[at] = (struct isx_column_reader){ .fd = file->fd,
								.leaf = leaf,
								.budget = &file->budget };
	}
	return ISX_OK;
}

/* On failure nothing stays open but `fd`, which is the caller's. */
enum isx_status isx_parquet_open(int fd, struct isx_parquet **file, struct isx_err *err)
{
	struct stat info;
	if (fstat(fd, &info) != 0)
		return isx_fail_errno(err, "finding out its length", "Parquet file");
	struct isx_parquet *opened = isx_mem_array(1, sizeof *opened);
	if (!opened)
		return isx_fail_memory(err);
	opened->fd = fd;
	opened->budget.left = ISX_PARQUET_PAGES_BYTES_MAX;
	enum isx_status st = isx_footer_read(fd, (uint64_t)info.st_size, &opened->footer, err);
	if (!st)
		st = list_columns(opened, err);
	if (st)
		isx_parquet_close(opened);
	else
		*file = opened;
	return st;
}

void isx_parquet_close(struct isx_parquet *file)
{
	if (!file)
		return;
	for (size_t i = 0; i < file->column_count; i++)
		isx_column_release(&file->readers[i]);
	isx_mem_free(file->budget.packed.bytes);
	isx_arena_release(&file->footer.arena);
	isx_mem_free(file);
}

struct isx_parquet_column *isx_parquet_columns(struct isx_parquet *file, size_t *count)
{
	*count = file->column_count;
	return file->columns;
}

uint64_t isx_parquet_rows(const struct isx_parquet *file)
{
	return file->footer.rows;
}

/* Step to the next row group that has rows; without one `group_rows` stays 0. */
static enum isx_status next_group(struct isx_parquet *file, struct isx_err *err)
{
	while (file->group_rows == 0 && file->footer.groups_left) {
		enum isx_status st = isx_footer_next_group(&file->footer, file->chunks,
							   &file->group_rows, err);
		if (st)
			return st;
		for (size_t i = 0; i < file->column_count; i++)
			isx_column_begin(&file->readers[i], &file->chunks[file->leaves[i]],
					 file->group_rows);
	}
	return ISX_OK;
}

/* Refuse the file before its first row if a wanted column cannot be read, in whatever row group. */
static enum isx_status check_wanted(struct isx_parquet *file, struct isx_err *err)
{
	for (size_t i = 0; !file->is_checked && i < file->column_count; i++) {
		enum isx_status st = ISX_OK;
		if (file->columns[i].is_wanted)
			st = isx_leaf_check(file->readers[i].leaf, err);
		if (st)
			return isx_err_at(err, st, "column '%s'", file->columns[i].name);
	}
	file->is_checked = true;
	return ISX_OK;
}

/* One value of each wanted column. */
static enum isx_status read_row(struct isx_parquet *file, struct isx_parquet_value *values,
				struct isx_err *err)
{
	for (size_t i = 0; i < file->column_count; i++) {
		values[i] = (struct isx_parquet_value){ 0 };
		if (!file->columns[i].is_wanted)
			continue;
		enum isx_status st = isx_column_next(&file->readers[i], &values[i], err);
		if (st)
			return isx_err_at(err, st, "column '%s'", file->columns[i].name);
	}
	return ISX_OK;
}

enum isx_status isx_parquet_next(struct isx_parquet *file, struct isx_parquet_value *values,
				 bool *has_row, struct isx_err *err)
{
	*has_row = false;
	/* Readers that were not reached by the failed row are one row behind the others. */
	if (file->has_failed)
		return isx_fail(err, ISX_INVALID, "reading has failed before");
	enum isx_status st = check_wanted(file, err);
	if (!st)
		st = next_group(file, err);
	if (!st && file->group_rows) {
		st = read_row(file, values, err);
		file->group_rows--;
		*has_row = !st;
	}
	file->has_failed = st != ISX_OK;
	return st;
}
