/*
 * parquet_column.c - reads the values of a column, page by page.
 *
 * A chunk is a dictionary page, which may be missing, and data pages. The header of a page has no length of
 * its own: it is read with as many bytes as it turns out to need. A data page has definition levels (1: a
 * value, 0: null) if values may be null, and then the values that are there. In version 1 both are
 * compressed together; in version 2 levels are not compressed.
 * A page usually costs two reads of the file, one for its header and one for its content, and stays in
 * memory as a whole until its last value is read. A value costs no allocation. Must not know rows:
 * parquet.c reads all columns in step.
 *
 * A file is untrusted: every length is compared with what is left of the page or the chunk before
 * memory is taken or a byte is read. Memory is bounded by the budget that all columns share, and
 * by nothing that a header says.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/limits.h"
#include "parquet/parquet_parts.h"

#include <zlib.h>

enum { HEADER_BYTES = 4096, HEADER_BYTES_MAX = 16 << 20 }; /* statistics repeat whole values */
enum { PAGE_DATA = 0, PAGE_DICTIONARY = 2, PAGE_DATA_2 = 3 };

/* Encodings, by the numbers of the format. */
enum {
	PLAIN = 0,
	PLAIN_DICTIONARY = 2,
	RLE = 3,
	DELTA_BINARY_PACKED = 5,
	DELTA_LENGTH_BYTE_ARRAY = 6,
	DELTA_BYTE_ARRAY = 7,
	RLE_DICTIONARY = 8,
	BYTE_STREAM_SPLIT = 9
};

/* The header of a page. */
struct page {
	int64_t type, bytes, packed_bytes, crc;
	bool has_crc, has_head; /* has_head: the part that belongs to its type was there */
	int64_t values, encoding, levels; /* levels: encoding of definition levels, version 1 */
	int64_t definition_bytes, repetition_bytes; /* version 2 */
	bool is_packed;                             /* version 2: values are compressed */
};

/* Damage is ISX_INVALID. The caller adds the name of the column. */
static enum isx_status fail_page(struct isx_err *err, const char *what)
{
	return isx_fail(err, ISX_INVALID, "a page is damaged: %s", what);
}

/* --- memory ----------------------------------------------------------------------------------- */

/* Make room for `len` bytes; what was in it is lost. Pages of all columns share one budget. The
 * old room is freed before the new one is made, so that the budget holds at every moment;
 * realloc() would need both at once, and copy. */
static enum isx_status make_room(struct isx_page_budget *budget, struct isx_page_room *room,
				 size_t len, struct isx_err *err)
{
	if (len <= room->cap)
		return ISX_OK;
	if (len - room->cap > budget->left)
		return isx_fail(err, ISX_TOO_LARGE,
				"the pages of all columns take more than %d MiB at a time",
				ISX_PARQUET_PAGES_BYTES_MAX >> 20);
	isx_mem_free(room->bytes);
	budget->left += room->cap;
	room->cap = 0;
	room->bytes = isx_mem_array(len, 1);
	if (!room->bytes)
		return isx_fail_memory(err);
	room->cap = len;
	budget->left -= len;
	return ISX_OK;
}

/* --- headers of pages ------------------------------------------------------------------------- */

/* Numbers of fields of the three structs of headers; 0: the struct has no such field. */
struct fields {
	int encoding, levels, definition_bytes, repetition_bytes, is_packed;
};

/* One of DataPageHeader, DictionaryPageHeader and DataPageHeaderV2, which hold the same things
 * under different numbers. Field 1 is the number of values in all three. */
static void read_part(struct isx_thrift *thrift, enum isx_thrift_type type,
		      const struct fields *fields, struct page *page)
{
	struct isx_thrift_field field = { 0 };
	isx_thrift_struct(thrift, type);
	page->has_head = true;
	while (isx_thrift_next(thrift, &field)) {
		if (field.id == 1)
			page->values = isx_thrift_int(thrift, field.type);
		else if (field.id == fields->encoding)
			page->encoding = isx_thrift_int(thrift, field.type);
		else if (field.id == fields->levels)
			page->levels = isx_thrift_int(thrift, field.type);
		else if (field.id == fields->definition_bytes)
			page->definition_bytes = isx_thrift_int(thrift, field.type);
		else if (field.id == fields->repetition_bytes)
			page->repetition_bytes = isx_thrift_int(thrift, field.type);
		else if (field.id == fields->is_packed)
			page->is_packed = isx_thrift_bool(thrift, field.type);
		else
			isx_thrift_skip(thrift, field.type);
	}
}

/* PageHeader: {1: type, 2: bytes, 3: bytes with compression, 4: CRC, 5, 7 or 8: the part of its
 * type}. Writers write fields in the order of their numbers, so the type is known before its part.
 * The format says that values of version 2 are compressed where the field is_packed is missing.
 * Members that are not known are skipped: later versions of the format add some. */
static void read_header(struct isx_thrift *thrift, struct page *page)
{
	static const struct fields data = { .encoding = 2, .levels = 3 };
	static const struct fields dictionary = { .encoding = 2 };
	static const struct fields data_2 = {
		.encoding = 4, .definition_bytes = 5, .repetition_bytes = 6, .is_packed = 7
	};
	struct isx_thrift_field field = { 0 };
	*page = (struct page){ .type = -1, .levels = RLE, .is_packed = true };
	while (isx_thrift_next(thrift, &field)) {
		if (field.id == 1)
			page->type = isx_thrift_int(thrift, field.type);
		else if (field.id == 2)
			page->bytes = isx_thrift_int(thrift, field.type);
		else if (field.id == 3)
			page->packed_bytes = isx_thrift_int(thrift, field.type);
		else if (field.id == 4)
			page->crc = isx_thrift_int(thrift, field.type);
		else if (field.id == 5 && page->type == PAGE_DATA)
			read_part(thrift, field.type, &data, page);
		else if (field.id == 7 && page->type == PAGE_DICTIONARY)
			read_part(thrift, field.type, &dictionary, page);
		else if (field.id == 8 && page->type == PAGE_DATA_2)
			read_part(thrift, field.type, &data_2, page);
		else
			isx_thrift_skip(thrift, field.type);
		page->has_crc |= field.id == 4;
	}
}

/* What all pages have in common. A length is a number of 32 bits in the format. */
static enum isx_status check_header(const struct isx_column_reader *column, const struct page *page,
				    struct isx_err *err)
{
	if (page->bytes < 0 || page->bytes > INT32_MAX || page->packed_bytes < 0 ||
	    (uint64_t)page->packed_bytes > column->chunk.end - column->chunk.begin)
		return fail_page(err, "its length");
	if (page->values < 0 || page->values > INT32_MAX)
		return fail_page(err, "its number of values");
	bool is_known = page->type == PAGE_DATA || page->type == PAGE_DICTIONARY ||
			page->type == PAGE_DATA_2;
	return is_known && !page->has_head ? fail_page(err, "its header") : ISX_OK;
}

/* Read the header of the next page, and step behind it. */
static enum isx_status next_header(struct isx_column_reader *column, struct page *page,
				   struct isx_err *err)
{
	uint64_t left = column->chunk.end - column->chunk.begin;
	struct isx_page_room *room = &column->budget->packed;
	/* A header that is cut off is read again with eight times as many bytes, up to
	 * HEADER_BYTES_MAX. The bytes behind the header are those of its page; they are read
	 * again with the page. */
	for (size_t len = HEADER_BYTES; left; len *= 8) {
		struct isx_thrift thrift;
		bool is_all = len >= left;
		enum isx_status st = make_room(column->budget, room, is_all ? (size_t)left : len,
					       err);
		if (!st)
			st = isx_parquet_read_at(column->fd, column->chunk.begin, room->bytes,
						 is_all ? (size_t)left : len, err);
		if (st)
			return st;
		thrift = (struct isx_thrift){ .at = room->bytes,
					      .end = room->bytes + (is_all ? left : len) };
		read_header(&thrift, page);
		if (!thrift.failed) {
			column->chunk.begin += (uint64_t)(thrift.at - room->bytes);
			return check_header(column, page, err);
		}
		if (is_all || !thrift.is_cut || len >= HEADER_BYTES_MAX)
			return fail_page(err, "its header");
	}
	return fail_page(err, "the last one of the row group is missing");
}

/* Read the bytes of a page as they are in the file, check their sum, and step behind them. */
static enum isx_status read_packed(struct isx_column_reader *column, const struct page *page,
				   struct isx_span *packed, struct isx_err *err)
{
	struct isx_page_room *room = &column->budget->packed;
	size_t len = (size_t)page->packed_bytes;
	enum isx_status st = make_room(column->budget, room, len, err);
	if (!st)
		st = isx_parquet_read_at(column->fd, column->chunk.begin, room->bytes, len, err);
	if (st)
		return st;
	column->chunk.begin += len;
	*packed = (struct isx_span){ (const char *)room->bytes, len };
	/* The sum is that of the bytes in the file, so it is compared before a decompressor sees
	 * them. */
	if (page->has_crc &&
	    (uint32_t)page->crc != (uint32_t)crc32_z(crc32_z(0, NULL, 0), room->bytes, len))
		return fail_page(err, "its checksum differs");
	return ISX_OK;
}

/* --- dictionaries ----------------------------------------------------------------------------- */

/* The bytes of a value of fixed length, or 0. */
static size_t fixed_bytes(const struct isx_leaf *leaf)
{
	switch (leaf->physical) {
	case ISX_PHYSICAL_INT32:
	case ISX_PHYSICAL_FLOAT:
		return 4;
	case ISX_PHYSICAL_INT64:
	case ISX_PHYSICAL_DOUBLE:
		return 8;
	case ISX_PHYSICAL_FIXED: /* of all of them only 16-bit floats are read */
		return 2;
	default:
		return 0;
	}
}

/* Cut the next text off: its length in four bytes, little-endian, and its bytes. */
static bool cut_text(struct isx_span *bytes, struct isx_span *text)
{
	uint32_t len;
	if (bytes->len < sizeof len)
		return false;
	memcpy(&len, bytes->ptr, sizeof len);
	*bytes = isx_span_skip(*bytes, sizeof len);
	if (len > bytes->len)
		return false;
	*text = (struct isx_span){ bytes->ptr, len };
	*bytes = isx_span_skip(*bytes, len);
	return true;
}

/* Texts are found by their offsets: 4 bytes for each of them, which has a length of 4 bytes itself. */
static enum isx_status index_texts(struct isx_column_reader *column, struct isx_err *err)
{
	struct isx_span left = column->entries, text;
	if (column->entry_count > left.len / 4)
		return fail_page(err, "the length of its dictionary");
	enum isx_status st = make_room(column->budget, &column->offsets,
				       column->entry_count * sizeof(uint32_t), err);
	for (size_t i = 0; !st && i < column->entry_count; i++) {
		uint32_t offset = (uint32_t)(column->entries.len - left.len);
		memcpy(column->offsets.bytes + i * sizeof offset, &offset, sizeof offset);
		if (!cut_text(&left, &text))
			st = fail_page(err, "a text of its dictionary");
	}
	return st;
}

/* A chunk has at most one dictionary, before its data pages, and bools have none. It stays in
 * memory until the next chunk: indexes of all pages lead into it. Texts are not copied out of it:
 * values are borrowed from it, and its offsets cost 4 bytes each. */
static enum isx_status read_dictionary(struct isx_column_reader *column, const struct page *page,
				       struct isx_err *err)
{
	struct isx_span packed;
	size_t len = (size_t)page->bytes, fixed = fixed_bytes(column->leaf);
	if (column->entries.ptr || column->leaf->physical == ISX_PHYSICAL_BOOL)
		return fail_page(err, "a dictionary that cannot be one");
	if (page->encoding != PLAIN && page->encoding != PLAIN_DICTIONARY)
		return fail_page(err, "the encoding of its dictionary");
	enum isx_status st = read_packed(column, page, &packed, err);
	if (!st)
		st = make_room(column->budget, &column->dictionary, len ? len : 1, err);
	if (!st)
		st = isx_codec_unpack(column->chunk.codec, packed, column->dictionary.bytes, len,
				      err);
	if (st)
		return st;
	column->entries = (struct isx_span){ (const char *)column->dictionary.bytes, len };
	column->entry_count = (size_t)page->values;
	if (!fixed)
		return index_texts(column, err);
	return column->entry_count > len / fixed ? fail_page(err, "the length of its dictionary")
						 : ISX_OK;
}

/* --- data pages ------------------------------------------------------------------------------- */

/* Bools as runs stand behind the length of the runs, in four bytes. */
static enum isx_status begin_runs(struct isx_column_reader *column, struct isx_span values,
				  struct isx_err *err)
{
	struct isx_span runs = { 0 };
	if (values.len && !cut_text(&values, &runs))
		return fail_page(err, "the length of its bools");
	isx_bit_runs_start(&column->runs, runs, 1);
	return ISX_OK;
}

/* Indexes stand behind their number of bits; without values not even that is there. */
static enum isx_status begin_indexes(struct isx_column_reader *column, struct isx_span values,
				     struct isx_err *err)
{
	if (!column->entries.ptr)
		return fail_page(err, "its dictionary is missing");
	unsigned width = values.len ? (unsigned char)values.ptr[0] : 0;
	if (!isx_bit_runs_start(&column->runs, isx_span_skip(values, 1), width))
		return fail_page(err, "the width of its indexes");
	return ISX_OK;
}

/* Differences, and what stands behind them: texts, or, with `prefixes`, the lengths of texts and
 * the texts. Differences of a later part begin where those before end, which only a walk over
 * their blocks tells (isx_delta_rest()). */
static enum isx_status begin_deltas(struct isx_column_reader *column, struct isx_span values,
				    struct isx_err *err)
{
	column->text_len = 0;
	if (column->layout == ISX_LAYOUT_SUFFIXES && (!isx_delta_start(&column->prefixes, values) ||
						      !isx_delta_rest(&column->prefixes, &values)))
		return fail_page(err, "the prefixes of its texts");
	if (!isx_delta_start(&column->deltas, values) ||
	    !isx_delta_rest(&column->deltas, &column->plain))
		return fail_page(err, "its differences");
	/* Every text is made of suffixes before it, so it is not longer than all of them. */
	return column->layout == ISX_LAYOUT_SUFFIXES
		       ? make_room(column->budget, &column->text,
				   column->plain.len ? column->plain.len : 1, err)
		       : ISX_OK;
}

/* A page of an encoding that is not read, or that a column of this type cannot have. */
static enum isx_status fail_encoding(struct isx_err *err, int64_t encoding)
{
	static const char *const names[] = { "PLAIN",
					     "GROUP_VAR_INT",
					     "PLAIN_DICTIONARY",
					     "RLE",
					     "BIT_PACKED",
					     "DELTA_BINARY_PACKED",
					     "DELTA_LENGTH_BYTE_ARRAY",
					     "DELTA_BYTE_ARRAY",
					     "RLE_DICTIONARY",
					     "BYTE_STREAM_SPLIT" };
	bool is_named = encoding >= 0 && encoding < (int64_t)(sizeof names / sizeof *names);
	return isx_fail(err, ISX_INVALID,
			"encoding %s (%lld) is not read for columns of this type: write the file "
			"again with PLAIN or a dictionary",
			is_named ? names[encoding] : "unknown", (long long)encoding);
}

/* How the values of a page are stored. False if a column of this type cannot have the encoding. A
 * table and no switch, so that what is read can be compared with the table of encodings in the
 * format, line by line. */
static bool find_layout(const struct isx_leaf *leaf, int64_t encoding, enum isx_layout *layout)
{
	const bool is_bool = leaf->physical == ISX_PHYSICAL_BOOL,
		   is_bytes = leaf->physical == ISX_PHYSICAL_BYTES,
		   is_fixed = leaf->physical == ISX_PHYSICAL_FIXED,
		   is_int = leaf->physical == ISX_PHYSICAL_INT32 ||
			    leaf->physical == ISX_PHYSICAL_INT64;
	const struct {
		int64_t encoding;
		enum isx_layout layout;
		bool is_possible;
	} all[] = {
		{ PLAIN, ISX_LAYOUT_PLAIN, true },
		{ PLAIN_DICTIONARY, ISX_LAYOUT_INDEXED, !is_bool },
		{ RLE_DICTIONARY, ISX_LAYOUT_INDEXED, !is_bool },
		{ RLE, ISX_LAYOUT_RUNS, is_bool },
		{ DELTA_BINARY_PACKED, ISX_LAYOUT_DELTAS, is_int },
		{ DELTA_LENGTH_BYTE_ARRAY, ISX_LAYOUT_TEXTS, is_bytes },
		{ DELTA_BYTE_ARRAY, ISX_LAYOUT_SUFFIXES, is_bytes || is_fixed },
		{ BYTE_STREAM_SPLIT, ISX_LAYOUT_STREAMS, !is_bool && !is_bytes },
	};
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		*layout = all[i].layout;
		if (all[i].encoding == encoding)
			return all[i].is_possible;
	}
	return false;
}

/* The values of a page begin here. */
static enum isx_status begin_values(struct isx_column_reader *column, const struct page *page,
				    struct isx_span values, struct isx_err *err)
{
	column->plain = values;
	column->bit = 0;
	column->stream_at = 0;
	if (!find_layout(column->leaf, page->encoding, &column->layout))
		return fail_encoding(err, page->encoding);
	switch (column->layout) {
	case ISX_LAYOUT_RUNS:
		return begin_runs(column, values, err);
	case ISX_LAYOUT_INDEXED:
		return begin_indexes(column, values, err);
	case ISX_LAYOUT_DELTAS:
	case ISX_LAYOUT_TEXTS:
	case ISX_LAYOUT_SUFFIXES:
		/* A page of nulls alone may have no values, not even a header. */
		column->deltas = column->prefixes = (struct isx_delta){ 0 };
		return values.len ? begin_deltas(column, values, err) : ISX_OK;
	case ISX_LAYOUT_STREAMS:
		return values.len % fixed_bytes(column->leaf) ? fail_page(err, "its length")
							      : ISX_OK;
	default:
		return ISX_OK;
	}
}

/* Version 1: everything is compressed, and levels begin with their length in four bytes. */
static enum isx_status begin_page_1(struct isx_column_reader *column, const struct page *page,
				    struct isx_span packed, struct isx_err *err)
{
	size_t len = (size_t)page->bytes;
	enum isx_status st = make_room(column->budget, &column->page, len ? len : 1, err);
	if (!st)
		st = isx_codec_unpack(column->chunk.codec, packed, column->page.bytes, len, err);
	if (st)
		return st;
	struct isx_span values = { (const char *)column->page.bytes, len }, levels = { 0 };
	if (column->leaf->is_optional && page->levels != RLE)
		return isx_fail(
			err, ISX_INVALID,
			"definition levels of encoding %lld (4 is BIT_PACKED): expected RLE: "
			"write the file again with a newer program",
			(long long)page->levels);
	if (column->leaf->is_optional && !cut_text(&values, &levels))
		return fail_page(err, "the length of its definition levels");
	isx_bit_runs_start(&column->levels, levels, 1);
	return begin_values(column, page, values, err);
}

/* Version 2: levels without a length stand before the values, and are not compressed. */
static enum isx_status begin_page_2(struct isx_column_reader *column, const struct page *page,
				    struct isx_span packed, struct isx_err *err)
{
	size_t len = (size_t)page->bytes;
	/* Columns within lists have repetition levels; those columns have no kind and never come
	 * here. */
	if (page->repetition_bytes != 0 || page->definition_bytes < 0 ||
	    page->definition_bytes > page->bytes || page->definition_bytes > page->packed_bytes)
		return fail_page(err, "the length of its definition levels");
	size_t levels_len = (size_t)page->definition_bytes;
	enum isx_status st = make_room(column->budget, &column->page, len ? len : 1, err);
	if (st)
		return st;
	char *bytes = (char *)column->page.bytes;
	if (levels_len)
		memcpy(bytes, packed.ptr, levels_len);
	st = isx_codec_unpack(page->is_packed ? column->chunk.codec : ISX_CODEC_NONE,
			      isx_span_skip(packed, levels_len), column->page.bytes + levels_len,
			      len - levels_len, err);
	if (st)
		return st;
	isx_bit_runs_start(&column->levels, (struct isx_span){ bytes, levels_len }, 1);
	return begin_values(column, page, (struct isx_span){ bytes + levels_len, len - levels_len },
			    err);
}

/* Step to the next data page that has rows. Pages of other types are skipped. */
static enum isx_status next_page(struct isx_column_reader *column, struct isx_err *err)
{
	struct page page;
	struct isx_span packed;
	while (column->page_rows == 0) {
		enum isx_status st = next_header(column, &page, err);
		if (st)
			return st;
		if (page.type == PAGE_DICTIONARY) {
			st = read_dictionary(column, &page, err);
		} else if (page.type != PAGE_DATA && page.type != PAGE_DATA_2) {
			column->chunk.begin += (uint64_t)page.packed_bytes;
		} else {
			if ((uint64_t)page.values > column->rows_left)
				return fail_page(err, "more values than its row group has");
			st = read_packed(column, &page, &packed, err);
			if (!st)
				st = page.type == PAGE_DATA
					     ? begin_page_1(column, &page, packed, err)
					     : begin_page_2(column, &page, packed, err);
			column->page_rows = (uint32_t)page.values;
			column->rows_left -= column->page_rows;
		}
		if (st)
			return st;
	}
	return ISX_OK;
}

/* --- values ----------------------------------------------------------------------------------- */

/* IEEE 754 binary16: 1 bit of sign, 5 of exponent, 10 of mantissa. */
static double half_to_double(uint16_t half)
{
	unsigned exponent = half >> 10 & 0x1F, mantissa = half & 0x3FF;
	double value;
	if (exponent == 0x1F)
		value = mantissa ? __builtin_nan("") : __builtin_inf();
	else
		value = __builtin_ldexp(exponent ? mantissa + 0x400 : mantissa,
					(exponent ? (int)exponent : 1) - 25);
	return half >> 15 ? -value : value;
}

/* The value in `bytes`, which has as many as values of this column have. */
static void decode_value(const struct isx_leaf *leaf, struct isx_span bytes,
			 struct isx_parquet_value *value)
{
	uint16_t half;
	uint32_t small = 0;
	uint64_t large = 0;
	float single;
	value->kind = leaf->kind;
	if (bytes.len == sizeof small)
		memcpy(&small, bytes.ptr, sizeof small);
	else if (bytes.len == sizeof large)
		memcpy(&large, bytes.ptr, sizeof large);
	switch (leaf->physical) {
	case ISX_PHYSICAL_INT32:
		if (leaf->kind == ISX_PARQUET_UINT)
			value->count = small;
		else
			value->number = (int32_t)small;
		return;
	case ISX_PHYSICAL_INT64:
		value->count = large; /* the same bits in `number` */
		return;
	case ISX_PHYSICAL_FLOAT:
		memcpy(&single, &small, sizeof single);
		value->real = (double)single;
		return;
	case ISX_PHYSICAL_DOUBLE:
		memcpy(&value->real, &large, sizeof large);
		return;
	case ISX_PHYSICAL_FIXED:
		memcpy(&half, bytes.ptr, sizeof half);
		value->real = half_to_double(half);
		return;
	default:
		value->bytes = bytes;
	}
}

/* The entry of the dictionary to which the next index leads. */
static enum isx_status read_indexed(struct isx_column_reader *column,
				    struct isx_parquet_value *value, struct isx_err *err)
{
	uint32_t index, offset;
	size_t fixed = fixed_bytes(column->leaf);
	struct isx_span bytes;
	if (!isx_bit_runs_next(&column->runs, &index))
		return fail_page(err, "its indexes");
	if (index >= column->entry_count)
		return fail_page(err, "an index beyond its dictionary");
	if (fixed) {
		bytes = (struct isx_span){ column->entries.ptr + index * fixed, fixed };
	} else {
		memcpy(&offset, column->offsets.bytes + index * sizeof offset, sizeof offset);
		struct isx_span from = isx_span_skip(column->entries, offset);
		if (!cut_text(&from, &bytes))
			return fail_page(err, "a text of its dictionary");
	}
	decode_value(column->leaf, bytes, value);
	return ISX_OK;
}

/* Plain bools are bits, from the lowest one on. */
static enum isx_status read_bool(struct isx_column_reader *column, struct isx_parquet_value *value,
				 struct isx_err *err)
{
	uint32_t found = 0;
	if (column->layout == ISX_LAYOUT_RUNS) {
		if (!isx_bit_runs_next(&column->runs, &found))
			return fail_page(err, "its bools");
	} else {
		if (column->plain.len == 0)
			return fail_page(err, "fewer values than announced");
		found = (unsigned char)column->plain.ptr[0] >> column->bit & 1;
		column->bit = (column->bit + 1) % 8;
		if (column->bit == 0)
			column->plain = isx_span_skip(column->plain, 1);
	}
	value->kind = ISX_PARQUET_BOOL;
	value->truth = found;
	return ISX_OK;
}

/* A value of the encoding PLAIN: of fixed length, or with its length in front. Bytes are
 * borrowed from the page, which stays until isx_column_next() reads the next one. */
static enum isx_status read_plain(struct isx_column_reader *column, struct isx_parquet_value *value,
				  struct isx_err *err)
{
	size_t fixed = fixed_bytes(column->leaf);
	struct isx_span bytes = { column->plain.ptr, fixed };
	bool is_there = fixed ? column->plain.len >= fixed : cut_text(&column->plain, &bytes);
	if (!is_there)
		return fail_page(err, "fewer values than announced");
	if (fixed)
		column->plain = isx_span_skip(column->plain, fixed);
	decode_value(column->leaf, bytes, value);
	return ISX_OK;
}

/* A whole number that is the sum of differences; a column of 32 bits takes the lowest ones. */
static enum isx_status read_delta(struct isx_column_reader *column, struct isx_parquet_value *value,
				  struct isx_err *err)
{
	uint64_t number;
	if (!isx_delta_next(&column->deltas, &number))
		return fail_page(err, "its differences");
	decode_value(column->leaf,
		     (struct isx_span){ (const char *)&number, fixed_bytes(column->leaf) }, value);
	return ISX_OK;
}

/* A text whose length stands before all texts. With ISX_LAYOUT_SUFFIXES it continues the beginning
 * of the one before. The text of a suffix is made in a room of its own, over the one before: it is
 * valid until the next one is read, as other values are. */
static enum isx_status read_text(struct isx_column_reader *column, struct isx_parquet_value *value,
				 struct isx_err *err)
{
	uint64_t len, kept = 0;
	size_t fixed = fixed_bytes(column->leaf);
	if (!isx_delta_next(&column->deltas, &len) || len > column->plain.len)
		return fail_page(err, "the length of a text");
	struct isx_span bytes = { column->plain.ptr, (size_t)len };
	column->plain = isx_span_skip(column->plain, bytes.len);
	if (column->layout == ISX_LAYOUT_SUFFIXES) {
		if (!isx_delta_next(&column->prefixes, &kept) || kept > column->text_len)
			return fail_page(err, "the prefix of a text");
		if (bytes.len)
			memcpy(column->text.bytes + kept, bytes.ptr, bytes.len);
		column->text_len = (size_t)kept + bytes.len;
		bytes = (struct isx_span){ (const char *)column->text.bytes, column->text_len };
	}
	if (fixed && bytes.len != fixed)
		return fail_page(err, "the length of a value");
	decode_value(column->leaf, bytes, value);
	return ISX_OK;
}

/* A value whose bytes lie in one stream each. */
static enum isx_status read_streams(struct isx_column_reader *column,
				    struct isx_parquet_value *value, struct isx_err *err)
{
	char bytes[8];
	size_t fixed = fixed_bytes(column->leaf), count = column->plain.len / fixed;
	if (column->stream_at >= count)
		return fail_page(err, "fewer values than announced");
	for (size_t i = 0; i < fixed; i++)
		bytes[i] = column->plain.ptr[i * count + column->stream_at];
	column->stream_at++;
	decode_value(column->leaf, (struct isx_span){ bytes, fixed }, value);
	return ISX_OK;
}

/* Rooms are kept: pages of the next chunk are about as large. The dictionary of the last chunk
 * is forgotten, so that an index without a dictionary page before it is found out. */
void isx_column_begin(struct isx_column_reader *column, const struct isx_column_chunk *chunk,
		      uint64_t rows)
{
	column->chunk = *chunk;
	column->rows_left = rows;
	column->page_rows = 0;
	column->entries = (struct isx_span){ 0 };
	column->entry_count = 0;
}

/* A null has a definition level and takes no bytes among the values. */
enum isx_status isx_column_next(struct isx_column_reader *column, struct isx_parquet_value *value,
				struct isx_err *err)
{
	uint32_t level = 1;
	enum isx_status st = next_page(column, err);
	if (st)
		return st;
	column->page_rows--;
	*value = (struct isx_parquet_value){ 0 };
	if (column->leaf->is_optional && !isx_bit_runs_next(&column->levels, &level))
		return fail_page(err, "its definition levels");
	if (level == 0)
		return ISX_OK;
	switch (column->layout) {
	case ISX_LAYOUT_INDEXED:
		return read_indexed(column, value, err);
	case ISX_LAYOUT_DELTAS:
		return read_delta(column, value, err);
	case ISX_LAYOUT_TEXTS:
	case ISX_LAYOUT_SUFFIXES:
		return read_text(column, value, err);
	case ISX_LAYOUT_STREAMS:
		return read_streams(column, value, err);
	default:
		return column->leaf->physical == ISX_PHYSICAL_BOOL ? read_bool(column, value, err)
								   : read_plain(column, value, err);
	}
}

void isx_column_release(struct isx_column_reader *column)
{
	isx_mem_free(column->dictionary.bytes);
	isx_mem_free(column->page.bytes);
	isx_mem_free(column->offsets.bytes);
	isx_mem_free(column->text.bytes);
	*column = (struct isx_column_reader){ 0 };
}
