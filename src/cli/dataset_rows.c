/*
 * dataset_rows.c - makes assets of the rows of a Parquet file.
 *
 * Must not know: HTTP, and where the file comes from.
 * Built for files of some million rows: one row is in memory at a time, next to the pages that the
 * Parquet reader holds. Columns are looked up by name for each row and value, as files have some
 * ten of them.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/dataset_rows.h"

#include "base/buf.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/utf8.h"
#include "cli/files.h"
#include "iscc/iscc_id.h"
#include "parquet/parquet.h"
#include "json/json_text.h"

#include <math.h>
#include <sodium.h>
#include <unistd.h>

enum { ISCC_CODE, ISCC_UNITS_FIRST, ISCC_UNITS_END = 6, ISCC_ID = 6, ISCC_COLUMNS };

/* In the order of an ISCC-CODE. */
static const char *const iscc_names[ISCC_COLUMNS] = { "iscc",         "iscc_meta", "iscc_semantic",
						      "iscc_content", "iscc_data", "iscc_instance",
						      "iscc_id" };

/* A file that is being read. */
struct reader {
	struct dataset_rows *rows;
	int fd;
	struct isx_parquet *file;
	struct isx_parquet_column *columns;
	struct isx_parquet_value *values; /* of the present row */
	size_t count;
	size_t at[ISCC_COLUMNS]; /* the columns of iscc_names; `count`: there is none */
	struct isx_buf metadata; /* of the present row */
	bool is_broken;          /* the file cannot be read further */
	bool is_looking;         /* by find_stored(): errors are counted when the file is loaded */
};

/* --- ISCC-IDs --------------------------------------------------------------------------------- */

void dataset_rows_id(const char *repo, const char *file, uint64_t row, char *text)
{
	crypto_hash_sha256_state hash;
	unsigned char digest[crypto_hash_sha256_BYTES];
	crypto_hash_sha256_init(&hash);
	if (repo)
		crypto_hash_sha256_update(&hash, (const unsigned char *)repo, strlen(repo));
	crypto_hash_sha256_update(&hash, (const unsigned char *)"", 1);
	crypto_hash_sha256_update(&hash, (const unsigned char *)file, strlen(file));
	crypto_hash_sha256_final(&hash, digest);
	const struct isx_iscc_id id = { .body = ((isx_load_be64(digest) >> 14) + row) << 12,
					.version = 1 };
	isx_iscc_id_print(&id, text);
}

/* --- columns ---------------------------------------------------------------------------------- */

static bool is_text(const struct isx_parquet_column *column)
{
	return column->kind == ISX_PARQUET_TEXT || column->kind == ISX_PARQUET_BYTES;
}

/* A data set may have a column iscc_id, but it is the author's: 0.3.3 makes it metadata. */
static size_t iscc_column(const struct reader *reader, const struct isx_parquet_column *column)
{
	size_t count = reader->rows->repo ? ISCC_ID : ISCC_COLUMNS;
	for (size_t i = 0; i < count; i++)
		if (strcmp(column->name, iscc_names[i]) == 0)
			return i;
	return ISCC_COLUMNS;
}

/* Without any name, as in --columns '', no column becomes metadata: not the same as without the option. */
enum isx_status dataset_rows_columns(const struct cli_args *args, struct isx_buf *text,
				     struct isx_span *columns, struct isx_err *err)
{
	*columns = (struct isx_span){ 0 };
	if (cli_option_list(args, "--columns", text))
		*columns = (struct isx_span){ text->len ? text->ptr : "", text->len };
	return isx_buf_status(text, err);
}

/* Is `name` one of the columns that the user wants as metadata? */
static bool is_chosen(const struct dataset_rows *rows, const char *name)
{
	struct isx_span rest = rows->columns;
	while (rest.ptr)
		if (isx_span_is(isx_span_trim(isx_span_cut(rest, ',', &rest)), name))
			return name[0] != '\0';
	return !rows->columns.ptr;
}

/* Refuse a file that lacks a column which the user wants: a name that is misspelled would else leave out
 * the metadata of all rows. */
static enum isx_status check_chosen(const struct reader *reader, struct isx_err *err)
{
	struct isx_span name, rest = reader->rows->columns;
	while (rest.ptr) {
		bool is_there = false;
		name = isx_span_trim(isx_span_cut(rest, ',', &rest));
		for (size_t i = 0; !is_there && i < reader->count; i++)
			is_there = reader->columns[i].is_wanted &&
				   isx_span_is(name, reader->columns[i].name);
		if (!is_there && name.len)
			return isx_fail(
				err, ISX_INVALID,
				"--columns: the file has no column '%.*s' of texts, numbers "
				"or bools",
				name.len > 100 ? 100 : (int)name.len, name.ptr);
	}
	return ISX_OK;
}

/* Find the columns of ISCCs, and mark what is read. Bytes are read only as ISCCs.
 *   has_any  filled: is there a column of ISCCs? */
static enum isx_status choose_columns(struct reader *reader, bool *has_any, struct isx_err *err)
{
	*has_any = false;
	for (size_t i = 0; i < ISCC_COLUMNS; i++)
		reader->at[i] = reader->count;
	for (size_t i = 0; i < reader->count; i++) {
		struct isx_parquet_column *column = &reader->columns[i];
		size_t which = iscc_column(reader, column);
		column->is_wanted = which < ISCC_COLUMNS || (column->kind != ISX_PARQUET_BYTES &&
							     is_chosen(reader->rows, column->name));
		if (which == ISCC_COLUMNS)
			continue;
		if (!is_text(column))
			return isx_fail(err, ISX_INVALID, "column '%s': expected texts",
					column->name);
		reader->at[which] = i;
		*has_any |= which < ISCC_ID;
	}
	return check_chosen(reader, err);
}

/* --- rows ------------------------------------------------------------------------------------- */

/* The text of a column of iscc_names in the present row; empty if it has none. */
static struct isx_span iscc_value(const struct reader *reader, size_t which)
{
	size_t at = reader->at[which];
	return at < reader->count && reader->values[at].kind ? reader->values[at].bytes
							     : (struct isx_span){ 0 };
}

/* A text of the file lives until the next row, one of an asset until its batch is written: so it
 * is copied. C strings cannot hold a NUL, which would cut an ISCC or ISCC-ID off silently. */
static enum isx_status copy_text(struct isx_span text, const char *name, struct isx_arena *arena,
				 const char **copy, struct isx_err *err)
{
	if (memchr(text.ptr, '\0', text.len))
		return isx_fail(err, ISX_INVALID, "%s: expected a text without NUL", name);
	*copy = isx_arena_text(arena, text.ptr, text.len);
	return *copy ? ISX_OK : isx_fail_memory(err);
}

/* Code and units. With one unit alone it is left out, as 0.3.3 does.
 *   is_asset  filled: false if the row has neither a code nor two units */
static enum isx_status read_isccs(const struct reader *reader, struct isx_arena *arena,
				  struct isx_asset *asset, bool *is_asset, struct isx_err *err)
{
	struct isx_span code = iscc_value(reader, ISCC_CODE);
	const char **units = isx_arena_alloc(arena, ISCC_UNITS_END, sizeof *units);
	size_t count = 0;
	enum isx_status st = units ? ISX_OK : isx_fail_memory(err);
	if (!st && code.len)
		st = copy_text(code, iscc_names[ISCC_CODE], arena, &asset->iscc_code, err);
	for (size_t i = ISCC_UNITS_FIRST; !st && i < ISCC_UNITS_END; i++) {
		struct isx_span unit = iscc_value(reader, i);
		if (unit.len)
			st = copy_text(unit, iscc_names[i], arena, &units[count++], err);
	}
	if (count >= 2) {
		asset->units = units;
		asset->unit_count = count;
	}
	*is_asset = asset->iscc_code || count >= 2;
	return st;
}

/* Parquet files do not guarantee UTF-8, and metadata is JSON: a text that is none is an error of
 * its row. */
static bool is_utf8(struct isx_span text)
{
	while (text.len) {
		size_t len = (unsigned char)text.ptr[0] < 0x80 ? 1 : isx_utf8_length(text);
		if (len == 0)
			return false;
		text = isx_span_skip(text, len);
	}
	return true;
}

/* Infinity and NaN are no JSON: null, as 0.3.3 stores them. */
static void add_value(struct isx_buf *buf, const struct isx_parquet_value *value)
{
	if (value->kind == ISX_PARQUET_BOOL)
		isx_buf_text(buf, value->truth ? "true" : "false");
	else if (value->kind == ISX_PARQUET_INT)
		isx_buf_printf(buf, "%lld", (long long)value->number);
	else if (value->kind == ISX_PARQUET_UINT)
		isx_buf_printf(buf, "%llu", (unsigned long long)value->count);
	else if (value->kind == ISX_PARQUET_FLOAT && !isfinite(value->real))
		isx_buf_text(buf, "null");
	else if (value->kind == ISX_PARQUET_FLOAT)
		isx_json_double(buf, value->real);
	else
		isx_json_quote(buf, value->bytes);
}

/* Does the present row have metadata in this column? */
static bool is_kept(const struct reader *reader, size_t at)
{
	const struct isx_parquet_value *value = &reader->values[at];
	return reader->columns[at].is_wanted && value->kind &&
	       iscc_column(reader, &reader->columns[at]) == ISCC_COLUMNS &&
	       (value->kind != ISX_PARQUET_TEXT || value->bytes.len);
}

/* {"hf_dataset": repo, column: value, ...}. A column hf_dataset, too, stands in the first place. */
static enum isx_status make_metadata(struct reader *reader, struct isx_arena *arena,
				     struct isx_asset *asset, struct isx_err *err)
{
	struct isx_buf *buf = &reader->metadata;
	size_t first = reader->count;
	isx_buf_clear(buf);
	for (size_t i = 0; i < reader->count; i++)
		if (reader->rows->repo && is_kept(reader, i) &&
		    strcmp(reader->columns[i].name, "hf_dataset") == 0)
			first = i;
	if (reader->rows->repo)
		isx_buf_text(buf, "{\"hf_dataset\":");
	if (first < reader->count)
		add_value(buf, &reader->values[first]);
	else if (reader->rows->repo)
		isx_json_quote(buf, isx_span_of(reader->rows->repo));
	for (size_t i = 0; i < reader->count; i++) {
		if (i == first || !is_kept(reader, i))
			continue;
		const struct isx_parquet_value *value = &reader->values[i];
		if (value->kind == ISX_PARQUET_TEXT && !is_utf8(value->bytes))
			return isx_fail(err, ISX_INVALID, "%s: expected text in UTF-8",
					reader->columns[i].name);
		isx_buf_char(buf, buf->len ? ',' : '{');
		isx_json_quote(buf, isx_span_of(reader->columns[i].name));
		isx_buf_char(buf, ':');
		add_value(buf, value);
	}
	if (buf->len)
		isx_buf_char(buf, '}');
	if (buf->failed)
		return isx_fail_memory(err);
	asset->metadata = buf->len ? isx_arena_text(arena, buf->ptr, buf->len) : NULL;
	return asset->metadata || !buf->len ? ISX_OK : isx_fail_memory(err);
}

/* The ISCC-ID of the column iscc_id, which is checked when it is stored, or one that is made of
 * the row. */
static enum isx_status set_id(const struct reader *reader, uint64_t row, struct isx_arena *arena,
			      struct isx_asset *asset, struct isx_err *err)
{
	char text[ISX_ISCC_ID_TEXT_BYTES];
	struct isx_span given = iscc_value(reader, ISCC_ID);
	if (given.len)
		return copy_text(given, iscc_names[ISCC_ID], arena, &asset->iscc_id, err);
	dataset_rows_id(reader->rows->repo, reader->rows->file, row, text);
	return copy_text(isx_span_of(text), iscc_names[ISCC_ID], arena, &asset->iscc_id, err);
}

/* Make an asset of the present row, in `arena`.
 *   is_asset  filled: false if the row is left out */
static enum isx_status make_asset(struct reader *reader, uint64_t row, struct isx_arena *arena,
				  struct isx_asset *asset, bool *is_asset, struct isx_err *err)
{
	*asset = (struct isx_asset){ 0 };
	enum isx_status st = read_isccs(reader, arena, asset, is_asset, err);
	if (!st && !*is_asset && !reader->rows->repo)
		st = isx_fail(err, ISX_INVALID,
			      "expected an ISCC-CODE in the column iscc, or two ISCC-UNITs in "
			      "iscc_meta, iscc_content, ...");
	if (!st && *is_asset)
		st = set_id(reader, row, arena, asset, err);
	return !st && *is_asset ? make_metadata(reader, arena, asset, err) : st;
}

/* --- files ------------------------------------------------------------------------------------ */

/* An error of the file is counted, and the file ends; only a lack of memory ends the command. */
static enum isx_status break_file(struct reader *reader, enum isx_status st,
				  const struct isx_err *why, struct isx_err *err)
{
	if (st == ISX_NO_MEMORY)
		return isx_fail_memory(err);
	if (!reader->is_looking)
		loader_error_at(reader->rows->loader, reader->rows->place, why->msg);
	reader->is_broken = true;
	return ISX_OK;
}

/* Also a reader that open_reader() has left half open: `fd` is -1 there, and pointers are NULL. */
static void close_reader(struct reader *reader)
{
	isx_parquet_close(reader->file);
	isx_mem_free(reader->values);
	isx_buf_release(&reader->metadata);
	if (reader->fd >= 0)
		close(reader->fd);
}

/* Close it also on failure. A file without ISCCs is no error in a data set, as in 0.3.3. */
static enum isx_status open_reader(struct dataset_rows *rows, bool is_looking,
				   struct reader *reader, struct isx_err *err)
{
	struct isx_err why = { 0 };
	bool has_any = true;
	*reader = (struct reader){ .rows = rows, .fd = -1, .is_looking = is_looking };
	enum isx_status st = files_open(rows->local, FILES_REGULAR, &reader->fd, &why);
	if (!st)
		st = isx_parquet_open(reader->fd, &reader->file, &why);
	if (st)
		return break_file(reader, st, &why, err);
	reader->columns = isx_parquet_columns(reader->file, &reader->count);
	reader->values = isx_mem_array(reader->count + 1, sizeof *reader->values);
	if (!reader->values)
		return isx_fail_memory(err);
	st = choose_columns(reader, &has_any, &why);
	if (!st && !has_any && !rows->repo)
		st = isx_fail(&why, ISX_INVALID,
			      "no column of ISCCs: expected iscc, iscc_meta, ...");
	if (!st && !has_any) {
		if (!is_looking)
			isx_log(ISX_LOG_WARNING, "%s: skipped: no column of ISCCs", rows->file);
		reader->is_broken = true;
	}
	return st ? break_file(reader, st, &why, err) : ISX_OK;
}

/* Read the next row; false at the end of the file, of the rows that are wanted, or at an error. */
static bool next_row(struct reader *reader, uint64_t row, enum isx_status *st, struct isx_err *err)
{
	struct isx_err why = { 0 };
	bool has_row = false;
	if (reader->is_broken || row >= reader->rows->rows_max)
		return false;
	enum isx_status read = isx_parquet_next(reader->file, reader->values, &has_row, &why);
	if (read)
		*st = break_file(reader, read, &why, err);
	return has_row;
}

/* How many rows an earlier run has stored: of every `step` assets the last one is looked up. Rows are stored
 * in their order, so those before an asset that is there were stored, too, or refused.
 *   skip  filled: 0 without a store */
static enum isx_status find_stored(struct dataset_rows *rows, uint64_t *skip, struct isx_err *err)
{
	struct reader reader;
	struct isx_arena arena = { 0 };
	struct isx_asset asset;
	uint64_t row = 0;
	size_t count = 0;
	bool is_asset, is_there = true;
	*skip = 0;
	if (!rows->store)
		return ISX_OK;
	enum isx_status st = open_reader(rows, true, &reader, err);
	for (size_t i = 0; !st && i < reader.count; i++)
		reader.columns[i].is_wanted &= iscc_column(&reader, &reader.columns[i]) <
					       ISCC_COLUMNS;
	for (bool has_row = true; !st && has_row && is_there;) {
		has_row = next_row(&reader, row, &st, err);
		is_asset = false;
		if (has_row && !st &&
		    make_asset(&reader, row, &arena, &asset, &is_asset, NULL) == ISX_OK)
			count += is_asset;
		if (is_asset && count % rows->step == 0) {
			char *json = NULL;
			loader_look_begin(rows->loader);
			st = isx_get(rows->store, rows->index, asset.iscc_id, &json, err);
			loader_look_end(rows->loader);
			is_there = st == ISX_OK;
			st = st == ISX_NOT_FOUND ? ISX_OK : st;
			*skip = is_there ? row + 1 : *skip;
			isx_text_free(json);
		}
		isx_arena_release(&arena);
		row += has_row;
	}
	close_reader(&reader);
	return st;
}

/* Hand one row over. What is wrong with it is counted at its number, from 1. */
static enum isx_status give_row(struct reader *reader, uint64_t row, struct isx_err *err)
{
	struct dataset_rows *rows = reader->rows;
	struct seen_place place = { rows->place.path, row < UINT32_MAX ? (uint32_t)row + 1 : 0 };
	struct isx_asset asset;
	struct isx_err why = { 0 };
	bool is_asset;
	enum isx_status st = make_asset(reader, row, loader_arena(rows->loader), &asset, &is_asset,
					&why);
	if (st == ISX_NO_MEMORY)
		return isx_fail_memory(err);
	if (st) {
		loader_error_at(rows->loader, place, why.msg);
		return ISX_OK;
	}
	return is_asset ? loader_give(rows->loader, &asset, place, err) : ISX_OK;
}

enum isx_status dataset_rows_load(struct dataset_rows *rows, struct isx_err *err)
{
	enum { PROGRESS_ROWS = 256 };
	struct reader reader;
	uint64_t row = 0;
	rows->rows_read = rows->rows_skipped = 0;
	enum isx_status st = find_stored(rows, &rows->rows_skipped, err);
	if (st)
		return st;
	if (rows->rows_skipped < rows->rows_before)
		rows->rows_skipped = rows->rows_before;
	st = open_reader(rows, false, &reader, err);
	while (!st && next_row(&reader, row, &st, err)) {
		if (row >= rows->rows_skipped)
			st = give_row(&reader, row, err);
		row++;
		if (rows->progress && row % PROGRESS_ROWS == 0)
			rows->progress(rows->progress_arg, row, isx_parquet_rows(reader.file));
	}
	rows->rows_read = row;
	close_reader(&reader);
	return st;
}
