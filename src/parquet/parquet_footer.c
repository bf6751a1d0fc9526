/*
 * parquet_footer.c - reads the schema and the row groups of a Parquet file.
 *
 * A file ends with its footer, the length of the footer in four bytes, and "PAR1". The schema lists a tree
 * in pre-order: a node says how many children it has. Row groups are read one after the other when their
 * rows are: a footer of some MiB can announce so many chunks that a table of them would take GiB.
 * Relies on thrift.c for every bound within the footer. Must not know how pages are encoded.
 * Structures of the format have fields that are not read here: they are skipped, so files of newer
 * writers open. Numbers of fields are those of parquet.thrift.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/limits.h"
#include "parquet/parquet_parts.h"

#include <errno.h>
#include <unistd.h>

enum { MAGIC_BYTES = 4, TAIL_BYTES = 8 };
enum { REQUIRED = 0, OPTIONAL = 1 }; /* repetition of a node of the schema */

/* Damage is ISX_INVALID, as the file is the caller's input and no index of ours. */
static enum isx_status fail_footer(struct isx_err *err, const char *what)
{
	return isx_fail(err, ISX_INVALID, "the footer is damaged: %s", what);
}

enum isx_status isx_parquet_read_at(int fd, uint64_t offset, void *bytes, size_t len,
				    struct isx_err *err)
{
	for (size_t done = 0; done < len;) {
		ssize_t got = pread(fd, (char *)bytes + done, len - done, (off_t)(offset + done));
		if (got < 0 && errno != EINTR)
			return isx_fail(err, ISX_IO, "%s", strerror(errno));
		if (got == 0)
			return isx_fail(err, ISX_INVALID, "the file ends within a page");
		done += got > 0 ? (size_t)got : 0;
	}
	return ISX_OK;
}

/* --- the schema ------------------------------------------------------------------------------- */

/* A node of the schema, with those of its members that matter here. */
struct node {
	struct isx_span name;
	int64_t physical, type_length, repetition, children;
	int64_t converted; /* the older annotation of its type; -1: none */
	int logical;       /* the newer one, by the number of its field; 0: none */
	bool is_unsigned;  /* of the newer annotation */
	bool has_physical;
};

/* Annotations of the format: LogicalType by the numbers of its fields, ConvertedType by its values. */
enum { LOGICAL_STRING = 1, LOGICAL_INTEGER = 10, LOGICAL_JSON = 12, LOGICAL_FLOAT16 = 15 };
enum { CONVERTED_UTF8 = 0, CONVERTED_UINT_8 = 11, CONVERTED_INT_8 = 15, CONVERTED_JSON = 19 };

/* INTEGER is {1: bits, 2: is it signed}. */
static bool read_is_unsigned(struct isx_thrift *thrift, enum isx_thrift_type type)
{
	struct isx_thrift_field field = { 0 };
	bool is_unsigned = false;
	isx_thrift_struct(thrift, type);
	while (isx_thrift_next(thrift, &field)) {
		if (field.id == 2)
			is_unsigned = !isx_thrift_bool(thrift, field.type);
		else
			isx_thrift_skip(thrift, field.type);
	}
	return is_unsigned;
}

/* A union: one field, whose number is the type. */
static void read_logical(struct isx_thrift *thrift, enum isx_thrift_type type, struct node *node)
{
	struct isx_thrift_field field = { 0 };
	isx_thrift_struct(thrift, type);
	while (isx_thrift_next(thrift, &field)) {
		node->logical = field.id;
		if (field.id == LOGICAL_INTEGER)
			node->is_unsigned = read_is_unsigned(thrift, field.type);
		else
			isx_thrift_skip(thrift, field.type);
	}
}

/* SchemaElement: {1: type, 2: length of a fixed type, 3: repetition, 4: name, 5: number of
 * children, 6: ConvertedType, 10: LogicalType}. Failures stay in `thrift`; the caller looks
 * there. */
static void read_node(struct isx_thrift *thrift, struct node *node)
{
	struct isx_thrift_field field = { 0 };
	*node = (struct node){ .converted = -1 };
	while (isx_thrift_next(thrift, &field)) {
		if (field.id == 1) {
			node->physical = isx_thrift_int(thrift, field.type);
			node->has_physical = true;
		} else if (field.id == 2) {
			node->type_length = isx_thrift_int(thrift, field.type);
		} else if (field.id == 3) {
			node->repetition = isx_thrift_int(thrift, field.type);
		} else if (field.id == 4) {
			node->name = isx_thrift_bytes(thrift, field.type);
		} else if (field.id == 5) {
			node->children = isx_thrift_int(thrift, field.type);
		} else if (field.id == 6) {
			node->converted = isx_thrift_int(thrift, field.type);
		} else if (field.id == 10) {
			read_logical(thrift, field.type, node);
		} else {
			isx_thrift_skip(thrift, field.type);
		}
	}
}

/* Whole numbers with an annotation that is none of an integer are times, dates or decimals. */
static enum isx_parquet_kind integer_kind(const struct node *node)
{
	if (node->logical)
		return node->logical != LOGICAL_INTEGER ? ISX_PARQUET_NULL
		       : node->is_unsigned              ? ISX_PARQUET_UINT
							: ISX_PARQUET_INT;
	if (node->converted < 0)
		return ISX_PARQUET_INT;
	if (node->converted < CONVERTED_UINT_8 || node->converted >= CONVERTED_JSON)
		return ISX_PARQUET_NULL;
	return node->converted < CONVERTED_INT_8 ? ISX_PARQUET_UINT : ISX_PARQUET_INT;
}

/* Bytes with an annotation other than a text (decimals, BSON, enums) have no kind; without any
 * annotation they are bytes, as older writers leave them even for texts. */
static enum isx_parquet_kind bytes_kind(const struct node *node)
{
	if (node->logical == LOGICAL_STRING || node->logical == LOGICAL_JSON ||
	    (!node->logical &&
	     (node->converted == CONVERTED_UTF8 || node->converted == CONVERTED_JSON)))
		return ISX_PARQUET_TEXT;
	return node->logical || node->converted >= 0 ? ISX_PARQUET_NULL : ISX_PARQUET_BYTES;
}

/* INT96 holds times of old writers, and fixed lengths hold UUIDs, decimals and intervals: they
 * have no kind and are not listed. Floats of 16 bits are the exception. */
static enum isx_parquet_kind kind_of(const struct node *node)
{
	switch (node->physical) {
	case ISX_PHYSICAL_BOOL:
		return ISX_PARQUET_BOOL;
	case ISX_PHYSICAL_INT32:
	case ISX_PHYSICAL_INT64:
		return integer_kind(node);
	case ISX_PHYSICAL_FLOAT:
	case ISX_PHYSICAL_DOUBLE:
		return ISX_PARQUET_FLOAT;
	case ISX_PHYSICAL_BYTES:
		return bytes_kind(node);
	case ISX_PHYSICAL_FIXED:
		return node->logical == LOGICAL_FLOAT16 && node->type_length == 2
			       ? ISX_PARQUET_FLOAT
			       : ISX_PARQUET_NULL;
	default:
		return ISX_PARQUET_NULL;
	}
}

/* Add a leaf: `is_top` if it is a child of the root. */
static enum isx_status add_leaf(struct isx_footer *footer, const struct node *node, bool is_top,
				struct isx_err *err)
{
	struct isx_leaf *leaf = &footer->leaves[footer->leaf_count];
	if (!node->has_physical || node->physical < 0 || node->physical > ISX_PHYSICAL_FIXED)
		return fail_footer(err, "a column has no type that is known");
	leaf->name = isx_arena_text(&footer->arena, node->name.ptr, node->name.len);
	if (!leaf->name)
		return isx_fail_memory(err);
	leaf->physical = (enum isx_physical)node->physical;
	leaf->is_optional = node->repetition == OPTIONAL;
	/* A name with a NUL could be mistaken for the shorter one before it, so its column has
	 * no kind. */
	bool is_flat = is_top && (node->repetition == REQUIRED || leaf->is_optional);
	leaf->kind = is_flat && strlen(leaf->name) == node->name.len ? kind_of(node)
								     : ISX_PARQUET_NULL;
	footer->leaf_count++;
	return ISX_OK;
}

/* Two columns of one name could not be told apart. */
static enum isx_status check_names(const struct isx_footer *footer, struct isx_err *err)
{
	for (size_t i = 0; i < footer->leaf_count; i++)
		for (size_t k = 0; footer->leaves[i].kind && k < i; k++)
			if (footer->leaves[k].kind &&
			    strcmp(footer->leaves[i].name, footer->leaves[k].name) == 0)
				return isx_fail(err, ISX_INVALID, "two columns are called '%s'",
						footer->leaves[i].name);
	return ISX_OK;
}

/* The root comes first. `open` counts the nodes that are still to come below the present child of the
 * root: at 0 the next node is a child of the root. */
static enum isx_status read_schema(struct isx_footer *footer, struct isx_thrift *thrift,
				   enum isx_thrift_type type, struct isx_err *err)
{
	size_t count = isx_thrift_structs(thrift, type);
	int64_t open = 0;
	struct node node;
	enum isx_status st = ISX_OK;
	if (count > ISX_PARQUET_COLUMNS_MAX)
		return isx_fail(err, ISX_TOO_LARGE, "more than %d columns",
				ISX_PARQUET_COLUMNS_MAX);
	footer->leaves = isx_arena_alloc(&footer->arena, count + 1, sizeof *footer->leaves);
	if (!footer->leaves)
		return isx_fail_memory(err);
	for (size_t i = 0; !st && i < count; i++) {
		read_node(thrift, &node);
		if (thrift->failed || node.children < 0 || node.children > (int64_t)(count - i))
			return fail_footer(err, "its schema");
		if (i == 0)
			continue;
		if (node.children == 0)
			st = add_leaf(footer, &node, open == 0, err);
		open += node.children - (open > 0);
	}
	if (!st && (count == 0 || open > 0))
		st = fail_footer(err, "its schema");
	return st ? st : check_names(footer, err);
}

/* --- row groups ------------------------------------------------------------------------------- */

/* The members of a chunk that matter here. */
struct chunk_data {
	int64_t physical, codec, values, bytes, data_at, dictionary_at;
	bool is_elsewhere, is_encrypted, has_data;
};

/* ColumnMetaData: {1: type, 4: codec, 5: values, 7: bytes with compression, 9: offset of data,
 * 11: offset of the dictionary}. Sizes, statistics and encodings are skipped: headers of pages
 * say the same again. */
static void read_chunk_data(struct isx_thrift *thrift, enum isx_thrift_type type,
			    struct chunk_data *data)
{
	struct isx_thrift_field field = { 0 };
	isx_thrift_struct(thrift, type);
	while (isx_thrift_next(thrift, &field)) {
		if (field.id == 1)
			data->physical = isx_thrift_int(thrift, field.type);
		else if (field.id == 4)
			data->codec = isx_thrift_int(thrift, field.type);
		else if (field.id == 5)
			data->values = isx_thrift_int(thrift, field.type);
		else if (field.id == 7)
			data->bytes = isx_thrift_int(thrift, field.type);
		else if (field.id == 9)
			data->data_at = isx_thrift_int(thrift, field.type);
		else if (field.id == 11)
			data->dictionary_at = isx_thrift_int(thrift, field.type);
		else
			isx_thrift_skip(thrift, field.type);
	}
	data->has_data = true;
}

/* ColumnChunk: {1: path of another file, 3: metadata, 8: encryption, ...}. The presence of 1 or
 * 8 is enough to refuse a column: what is in them does not matter. */
static void read_chunk(struct isx_thrift *thrift, struct chunk_data *data)
{
	struct isx_thrift_field field = { 0 };
	*data = (struct chunk_data){ 0 };
	while (isx_thrift_next(thrift, &field)) {
		if (field.id == 3) {
			read_chunk_data(thrift, field.type, data);
			continue;
		}
		data->is_elsewhere |= field.id == 1;
		data->is_encrypted |= field.id == 8;
		isx_thrift_skip(thrift, field.type);
	}
}

enum isx_status isx_leaf_check(const struct isx_leaf *leaf, struct isx_err *err)
{
	if (leaf->is_encrypted)
		return isx_fail(err, ISX_INVALID,
				"encrypted: expected a file without encryption: write the file "
				"again without it");
	if (leaf->is_elsewhere)
		return isx_fail(err, ISX_INVALID,
				"its values are in another file: write the file again as one");
	return isx_codec_check(leaf->codec, err);
}

/* Check what the footer says about a chunk, and where its pages are. The dictionary, if there is one,
 * stands before the data; some writers say 0 for none. Of a chunk that cannot be read nothing else matters. */
static enum isx_status place_chunk(const struct isx_footer *footer, struct isx_leaf *leaf,
				   const struct chunk_data *data, struct isx_column_chunk *chunk,
				   struct isx_err *err)
{
	*chunk = (struct isx_column_chunk){ 0 };
	leaf->is_encrypted |= data->is_encrypted;
	leaf->is_elsewhere |= data->is_elsewhere || !data->has_data;
	if (isx_codec_check(data->codec, NULL))
		leaf->codec = data->codec;
	if (isx_leaf_check(leaf, NULL))
		return ISX_OK;
	if (data->physical != (int64_t)leaf->physical)
		return fail_footer(err, "a type differs from that of the schema");
	if (data->values == 0) /* there need not be a page: offsets may be 0 */
		return ISX_OK;
	int64_t begin = data->dictionary_at > 0 && data->dictionary_at < data->data_at
				? data->dictionary_at
				: data->data_at;
	int64_t data_end = (int64_t)footer->data_end;
	if (begin < MAGIC_BYTES || begin > data_end || data->bytes < 0 ||
	    data->bytes > data_end - begin)
		return fail_footer(err, "pages are not within the file");
	*chunk = (struct isx_column_chunk){ (enum isx_codec)data->codec, (uint64_t)begin,
					    (uint64_t)(begin + data->bytes) };
	return ISX_OK;
}

/* Leaves without a kind are not read, so nothing about their chunks matters. *rows is the number of values
 * of all others, or -1 before the first one. */
static enum isx_status read_chunks(const struct isx_footer *footer, struct isx_thrift *thrift,
				   enum isx_thrift_type type, struct isx_column_chunk *chunks,
				   int64_t *rows, struct isx_err *err)
{
	size_t count = isx_thrift_structs(thrift, type);
	if (thrift->failed || count != footer->leaf_count)
		return fail_footer(err, "a row group has not the columns of the schema");
	for (size_t i = 0; i < count; i++) {
		struct isx_leaf *leaf = &footer->leaves[i];
		struct chunk_data data;
		read_chunk(thrift, &data);
		if (thrift->failed)
			return fail_footer(err, "its row groups");
		if (!leaf->kind)
			continue;
		enum isx_status st = place_chunk(footer, leaf, &data, &chunks[i], err);
		if (st)
			return isx_err_at(err, st, "column '%s'", leaf->name);
		if (!data.has_data) /* its numbers are encrypted, too */
			continue;
		if (data.values < 0 || (*rows >= 0 && data.values != *rows))
			return fail_footer(err, "columns have different numbers of rows");
		*rows = data.values;
	}
	return ISX_OK;
}

/* RowGroup: {1: chunks, 3: rows, ...}. A file without flat columns has row groups with a number
 * of rows only, so `values` stays -1 and nothing is compared with it. */
enum isx_status isx_footer_next_group(struct isx_footer *footer, struct isx_column_chunk *chunks,
				      uint64_t *rows, struct isx_err *err)
{
	struct isx_thrift_field field = { 0 };
	struct isx_thrift *thrift = &footer->groups;
	int64_t values = -1, announced = -1;
	bool has_chunks = false;
	while (isx_thrift_next(thrift, &field)) {
		if (field.id == 1 && !has_chunks) {
			has_chunks = true;
			enum isx_status st = read_chunks(footer, thrift, field.type, chunks,
							 &values, err);
			if (st)
				return st;
		} else if (field.id == 3) {
			announced = isx_thrift_int(thrift, field.type);
		} else {
			isx_thrift_skip(thrift, field.type);
		}
	}
	if (thrift->failed || !has_chunks || announced < 0)
		return fail_footer(err, "its row groups");
	if (values >= 0 && values != announced)
		return fail_footer(err, "columns have not as many rows as their row group");
	*rows = (uint64_t)announced;
	footer->groups_left--;
	return ISX_OK;
}

/* --- the footer ------------------------------------------------------------------------------- */

/* Where the footer begins and ends, and that the file has both of its marks. */
static enum isx_status find_footer(int fd, uint64_t size, uint64_t *begin, size_t *len,
				   struct isx_err *err)
{
	char mark[MAGIC_BYTES], tail[TAIL_BYTES];
	if (size < MAGIC_BYTES + TAIL_BYTES)
		return isx_fail(err, ISX_INVALID, "not a Parquet file: it has only %llu bytes",
				(unsigned long long)size);
	enum isx_status st = isx_parquet_read_at(fd, 0, mark, sizeof mark, err);
	if (!st)
		st = isx_parquet_read_at(fd, size - TAIL_BYTES, tail, sizeof tail, err);
	if (st)
		return st;
	if (memcmp(tail + 4, "PARE", 4) == 0)
		return isx_fail(err, ISX_INVALID,
				"the footer is encrypted: expected a file without encryption");
	if (memcmp(mark, "PAR1", 4) != 0 || memcmp(tail + 4, "PAR1", 4) != 0)
		return isx_fail(err, ISX_INVALID,
				"not a whole Parquet file: expected 'PAR1' at its beginning and at "
				"its end");
	uint32_t found;
	memcpy(&found, tail, sizeof found); /* little-endian, as this machine is (base/span.h) */
	if (found > size - MAGIC_BYTES - TAIL_BYTES)
		return fail_footer(err, "it is longer than the file");
	if (found > ISX_PARQUET_FOOTER_BYTES_MAX)
		return isx_fail(err, ISX_TOO_LARGE, "the footer is larger than %d MiB",
				ISX_PARQUET_FOOTER_BYTES_MAX >> 20);
	*len = found;
	*begin = size - TAIL_BYTES - found;
	return ISX_OK;
}

/* Walk through all row groups, so that a file is refused before anything of it is stored. */
static enum isx_status check_groups(const struct isx_footer *footer, struct isx_err *err)
{
	/* The copy moves through the row groups; the footer itself stays at the first one. Only
	 * the copy allocates, and rewinding its arena gives that back. */
	struct isx_footer walk = *footer;
	uint64_t total = 0, rows;
	enum isx_status st = ISX_OK;
	struct isx_column_chunk *chunks = isx_arena_alloc(&walk.arena, walk.leaf_count + 1,
							  sizeof *chunks);
	if (!chunks)
		st = isx_fail_memory(err);
	while (!st && walk.groups_left) {
		st = isx_footer_next_group(&walk, chunks, &rows, err);
		if (!st && __builtin_add_overflow(total, rows, &total))
			st = fail_footer(err, "its number of rows");
	}
	isx_arena_rewind(&walk.arena, &footer->arena);
	if (!st && total != footer->rows)
		st = fail_footer(err, "row groups have not as many rows as the file");
	return st;
}

/* FileMetaData: {2: schema, 3: number of rows, 4: row groups, ...}. The schema comes before what refers to
 * it in all files, as writers write fields in the order of their numbers. */
static enum isx_status read_members(struct isx_footer *footer, struct isx_thrift *thrift,
				    struct isx_err *err)
{
	struct isx_thrift_field field = { 0 };
	int64_t rows = -1;
	enum isx_status st = ISX_OK;
	while (!st && isx_thrift_next(thrift, &field)) {
		if (field.id == 2 && !footer->leaves) {
			st = read_schema(footer, thrift, field.type, err);
		} else if (field.id == 3) {
			rows = isx_thrift_int(thrift, field.type);
		} else if (field.id == 4 && !footer->groups.at) {
			/* A second reader stays at the first row group, while the first one
			 * skips them all: that checks that the list ends within the footer. */
			struct isx_thrift groups = *thrift;
			footer->groups_left = isx_thrift_structs(&groups, field.type);
			footer->groups = groups;
			isx_thrift_skip(thrift, field.type);
		} else {
			isx_thrift_skip(thrift, field.type);
		}
	}
	if (!st && (thrift->failed || !footer->leaves || rows < 0 || !footer->groups.at))
		st = fail_footer(err, "schema, number of rows or row groups");
	footer->rows = (uint64_t)rows;
	return st;
}

/* The bytes of the footer stay in the arena: the reader of row groups points into them. */
enum isx_status isx_footer_read(int fd, uint64_t size, struct isx_footer *footer,
				struct isx_err *err)
{
	size_t len = 0;
	*footer = (struct isx_footer){ 0 };
	enum isx_status st = find_footer(fd, size, &footer->data_end, &len, err);
	if (st)
		return st;
	char *bytes = isx_arena_bytes(&footer->arena, len ? len : 1);
	if (!bytes)
		return isx_fail_memory(err);
	st = isx_parquet_read_at(fd, footer->data_end, bytes, len, err);
	struct isx_thrift thrift = { .at = (const uint8_t *)bytes,
				     .end = (const uint8_t *)bytes + len };
	if (!st)
		st = read_members(footer, &thrift, err);
	return st ? st : check_groups(footer, err);
}
