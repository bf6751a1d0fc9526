/*
 * test_parquet.c - reading Parquet files: what pyarrow has written (fuzz/corpus/parquet), and what is
 *                  damaged, cut, or made to exhaust memory.
 *
 * With paths as arguments it prints their rows as JSON instead, for tests/data/test_parquet.py.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/limits.h"
#include "parquet/bit_runs.h"
#include "parquet/codec.h"
#include "parquet/delta.h"
#include "parquet/parquet.h"
#include "parquet/thrift.h"
#include "json/json_text.h"

#include "support.h"

#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#define CORPUS "fuzz/corpus/parquet/"
enum { CORPUS_ROWS = 24 };

/* --- reading a file --------------------------------------------------------------------------- */

static void add_value(struct isx_buf *buf, const struct isx_parquet_value *value)
{
	switch (value->kind) {
	case ISX_PARQUET_NULL:
		isx_buf_text(buf, "null");
		return;
	case ISX_PARQUET_BOOL:
		isx_buf_text(buf, value->truth ? "true" : "false");
		return;
	case ISX_PARQUET_INT:
		isx_buf_printf(buf, "%lld", (long long)value->number);
		return;
	case ISX_PARQUET_UINT:
		isx_buf_printf(buf, "%llu", (unsigned long long)value->count);
		return;
	case ISX_PARQUET_FLOAT:
		if (isfinite(value->real))
			isx_json_double(buf, value->real);
		else
			isx_buf_printf(buf, "\"%f\"", value->real);
		return;
	case ISX_PARQUET_TEXT:
		isx_json_quote(buf, value->bytes);
		return;
	case ISX_PARQUET_BYTES:
		isx_buf_char(buf, '"');
		for (size_t i = 0; i < value->bytes.len; i++)
			isx_buf_printf(buf, "%02x", (unsigned char)value->bytes.ptr[i]);
		isx_buf_char(buf, '"');
	}
}

/* With dump(): rows are printed at once, so that they take no memory. */
static bool is_dumping;

/* Read a file and append its rows, an object each. *rows counts those that were read. */
static enum isx_status read_file(int fd, struct isx_buf *out, uint64_t *rows, struct isx_err *err)
{
	struct isx_parquet *file;
	size_t count;
	bool has_row = true;
	*rows = 0;
	enum isx_status st = isx_parquet_open(fd, &file, err);
	if (st)
		return st;
	struct isx_parquet_column *columns = isx_parquet_columns(file, &count);
	struct isx_parquet_value *values = calloc(count + 1, sizeof *values);
	for (size_t i = 0; i < count; i++)
		columns[i].is_wanted = true;
	while (!st && has_row) {
		st = isx_parquet_next(file, values, &has_row, err);
		for (size_t i = 0; has_row && i < count; i++) {
			isx_buf_char(out, i ? ',' : '{');
			isx_json_quote(out, isx_span_of(columns[i].name));
			isx_buf_char(out, ':');
			add_value(out, &values[i]);
		}
		isx_buf_text(out, !has_row ? "" : count ? "}\n" : "{}\n");
		*rows += has_row;
		if (is_dumping && out->len) {
			fwrite(out->ptr, 1, out->len, stdout);
			isx_buf_clear(out);
		}
	}
	if (!st)
		assert_int_equal(*rows, isx_parquet_rows(file));
	free(values);
	isx_parquet_close(file);
	return st;
}

static int dump(const char *path)
{
	struct isx_buf out = { 0 };
	struct isx_err err = { 0 };
	uint64_t rows;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	is_dumping = true;
	enum isx_status st = read_file(fd, &out, &rows, &err);
	if (st)
		printf("%s\n", err.msg);
	isx_buf_release(&out);
	close(fd);
	return st ? 1 : 0;
}

/* --- files in memory -------------------------------------------------------------------------- */

static struct isx_buf load(const char *name)
{
	char path[256];
	struct isx_buf bytes = { 0 };
	snprintf(path, sizeof path, CORPUS "%s", name);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	for (;;) {
		char *room = isx_buf_reserve(&bytes, 65536);
		ssize_t got = read(fd, room, 65536);
		assert_true(got >= 0);
		if (got == 0)
			break;
		isx_buf_commit(&bytes, (size_t)got);
	}
	close(fd);
	return bytes;
}

/* Read a file of these bytes. A failure has a message and is none of the caller's mistakes. */
static enum isx_status read_bytes(const char *bytes, size_t len, uint64_t *rows, char *message)
{
	static int fd = -1;
	struct isx_buf out = { 0 };
	struct isx_err err = { 0 };
	if (fd < 0)
		fd = memfd_create("parquet", MFD_CLOEXEC);
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(pwrite(fd, bytes, len, 0), (ssize_t)len);
	enum isx_status st = read_file(fd, &out, rows, &err);
	assert_true(st == ISX_OK || (err.msg[0] && (st == ISX_INVALID || st == ISX_TOO_LARGE)));
	if (message)
		strcpy(message, st ? err.msg : "");
	isx_buf_release(&out);
	return st;
}

static const char *const readable[] = { "plain-1", "plain-2", "words-1", "words-2",  "groups",
					"pages",   "pages-2", "sums",    "deltas-1", "deltas-2" };

/* All of these hold the same rows: what is read must be the same text. */
static void test_parquet__every_way_to_write_rows_gives_the_same_rows(void **state)
{
	struct isx_buf first = { 0 };
	(void)state;
	for (size_t i = 0; i < sizeof readable / sizeof *readable; i++) {
		struct isx_buf out = { 0 };
		struct isx_err err = { 0 };
		char path[256];
		uint64_t rows;
		snprintf(path, sizeof path, CORPUS "%s", readable[i]);
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		if (read_file(fd, &out, &rows, &err))
			fail_msg("%s: %s", path, err.msg);
		close(fd);
		assert_int_equal(rows, CORPUS_ROWS);
		if (i == 0) {
			first = out;
			assert_non_null(
				strstr(first.ptr,
				       "{\"text\":\"\xC3\xA9\",\"same\":\"word\",\"bytes\":\"01\","
				       "\"flag\":false,\"i8\":-11,\"u32\":4294967294,"
				       "\"i64\":-9223372036854775807,\"u64\":18446744073709551614,"
				       "\"f16\":0.25,\"f32\":0.10000000149011612,\"f64\":0.1}\n"));
			continue;
		}
		if (out.len != first.len || memcmp(out.ptr, first.ptr, out.len) != 0)
			fail_msg("%s differs from %s", readable[i], readable[0]);
		isx_buf_release(&out);
	}
	isx_buf_release(&first);
}

static void test_parquet__empty_and_required_columns_are_read(void **state)
{
	uint64_t rows;
	(void)state;
	struct isx_buf empty = load("empty"), required = load("required");
	assert_int_equal(read_bytes(empty.ptr, empty.len, &rows, NULL), ISX_OK);
	assert_int_equal(rows, 0);
	assert_int_equal(read_bytes(required.ptr, required.len, &rows, NULL), ISX_OK);
	assert_int_equal(rows, 3);
	isx_buf_release(&empty);
	isx_buf_release(&required);
}

static void test_parquet__columns_that_are_not_wanted_are_not_read(void **state)
{
	(void)state;
	struct isx_parquet *file;
	struct isx_parquet_value values[16];
	size_t count;
	bool has_row;
	int fd = open(CORPUS "groups", O_RDONLY | O_CLOEXEC);
	assert_int_equal(isx_parquet_open(fd, &file, NULL), ISX_OK);
	struct isx_parquet_column *columns = isx_parquet_columns(file, &count);
	assert_int_equal(count, 11); /* without list, struct and day */
	columns[4].is_wanted = true;
	assert_int_equal(isx_parquet_next(file, values, &has_row, NULL), ISX_OK);
	assert_true(has_row);
	assert_int_equal(values[0].kind, ISX_PARQUET_NULL);
	assert_int_equal(values[4].kind, ISX_PARQUET_INT);
	assert_int_equal(values[4].number, -12);
	isx_parquet_close(file);
	close(fd);
	/* Nor does it matter how they are compressed. */
	fd = open(CORPUS "other", O_RDONLY | O_CLOEXEC);
	assert_int_equal(isx_parquet_open(fd, &file, NULL), ISX_OK);
	assert_int_equal(isx_parquet_next(file, values, &has_row, NULL), ISX_OK);
	assert_true(has_row);
	isx_parquet_close(file);
	close(fd);
}

/* --- damage ----------------------------------------------------------------------------------- */

static void test_parquet__every_cut_file_is_refused(void **state)
{
	uint64_t rows;
	(void)state;
	for (size_t i = 0; i < sizeof readable / sizeof *readable; i++) {
		struct isx_buf bytes = load(readable[i]);
		for (size_t len = 0; len < bytes.len; len += 1 + len % 23)
			assert_int_not_equal(read_bytes(bytes.ptr, len, &rows, NULL), ISX_OK);
		isx_buf_release(&bytes);
	}
}

/* Every third byte of each file: an answer, never a crash. */
static void test_parquet__no_changed_byte_does_harm(void **state)
{
	static const unsigned char flips[] = { 0x01, 0x80, 0xFF };
	uint64_t rows;
	(void)state;
	for (size_t i = 0; i < sizeof readable / sizeof *readable; i++) {
		struct isx_buf bytes = load(readable[i]);
		for (size_t at = i % 3; at < bytes.len; at += 3) {
			char *byte = bytes.ptr + at;
			*byte = (char)(*byte ^ flips[at / 3 % 3]);
			if (!read_bytes(bytes.ptr, bytes.len, &rows, NULL))
				assert_int_equal(rows, CORPUS_ROWS);
			*byte = (char)(*byte ^ flips[at / 3 % 3]);
		}
		isx_buf_release(&bytes);
	}
}

/* Random damage of several bytes at a time. */
static void test_parquet__random_damage_does_no_harm(void **state)
{
	uint64_t seed = test_seed(), rows;
	(void)state;
	for (size_t round = 0; round < 1000; round++) {
		struct isx_buf bytes =
			load(readable[test_random(&seed) % (sizeof readable / sizeof *readable)]);
		for (size_t k = test_random(&seed) % 6; k < 6; k++)
			bytes.ptr[test_random(&seed) % bytes.len] = (char)test_random(&seed);
		(void)!read_bytes(bytes.ptr, bytes.len, &rows, NULL);
		isx_buf_release(&bytes);
	}
}

static void test_parquet__a_wrong_checksum_is_seen(void **state)
{
	uint64_t rows;
	char message[256];
	(void)state;
	struct isx_buf bytes = load("sums");
	char *word = memmem(bytes.ptr, bytes.len, "\4\0\0\0word", 8); /* an entry of a dictionary */
	assert_non_null(word);
	word[4] = 'W';
	assert_int_equal(read_bytes(bytes.ptr, bytes.len, &rows, message), ISX_INVALID);
	assert_non_null(strstr(message, "checksum"));
	isx_buf_release(&bytes);
}

static void test_parquet__messages_name_what_is_not_read(void **state)
{
	static const char *const all_wrong[][2] = {
		{ "", "not a Parquet file" },
		{ "PAR1 and nothing more", "not a whole Parquet file" },
		{ "PAR1\0\0\0\0PARE", "encrypted" },
		{ "PAR1\xFF\xFF\xFF\x7FPAR1", "longer than the file" },
		{ "PAR1\0\0\0\0\0PAR1", "not a whole Parquet file" },
	};
	static const size_t lens[] = { 0, 21, 12, 12, 13 };
	char message[256];
	uint64_t rows;
	(void)state;
	for (size_t i = 0; i < sizeof lens / sizeof *lens; i++) {
		assert_int_equal(read_bytes(all_wrong[i][0], lens[i], &rows, message), ISX_INVALID);
		if (!strstr(message, all_wrong[i][1]) && i != 4)
			fail_msg("%s", message);
	}
	struct isx_buf brotli = load("other");
	assert_int_equal(read_bytes(brotli.ptr, brotli.len, &rows, message), ISX_INVALID);
	assert_non_null(strstr(message, "column 'text': compressed with Brotli"));
	isx_buf_release(&brotli);
}

/* --- a file that is made to do harm ------------------------------------------------------------ */

static void add_varint(struct isx_buf *buf, uint64_t value)
{
	for (; value >= 0x80; value >>= 7)
		isx_buf_char(buf, (char)(value | 0x80));
	isx_buf_char(buf, (char)value);
}

/* A field with the number `delta` above the one before, and a whole number as its value. */
static void add_int(struct isx_buf *buf, unsigned delta, uint64_t value)
{
	isx_buf_char(buf, (char)(delta << 4 | ISX_THRIFT_I64));
	add_varint(buf, value << 1); /* zigzag */
}

/* How a page is written, by the numbers of the format. */
struct way {
	unsigned codec, encoding, levels; /* levels: their encoding */
};
static const struct way plain = { .levels = 3 };

/* A file of one row group and one optional column of texts, whose only page announces `bytes` and holds
 * `content`. */
static struct isx_buf make_file(uint64_t rows, uint64_t bytes, struct way way,
				struct isx_span content)
{
	struct isx_buf file = { 0 };
	isx_buf_text(&file, "PAR1");
	add_int(&file, 1, 0); /* data page */
	add_int(&file, 1, bytes);
	add_int(&file, 1, content.len);
	isx_buf_add(&file, "\x2C", 1); /* field 5: a struct */
	add_int(&file, 1, rows);
	add_int(&file, 1, way.encoding);
	add_int(&file, 1, way.levels);
	isx_buf_add(&file, "\0\0", 2);
	isx_buf_add(&file, content.ptr, content.len);
	size_t footer = file.len;
	add_int(&file, 1, 1);                                 /* version */
	isx_buf_add(&file, "\x19\x2C\x48\x01s\x15\x02\0", 8); /* schema: root "s" with a child */
	isx_buf_add(&file, "\x15\x0C\x25\x02\x18\x01t\x25\0\0",
		    10); /* "t": BYTE_ARRAY, optional, UTF8 */
	add_int(&file, 1, rows);
	isx_buf_add(&file, "\x19\x1C\x19\x1C\x3C", 5); /* a row group, its chunk, its field 3 */
	add_int(&file, 1, 6);
	add_int(&file, 3, way.codec);
	add_int(&file, 1, rows);
	add_int(&file, 2, footer - 4);
	add_int(&file, 2, 4);
	isx_buf_add(&file, "\0\0", 2); /* ends of field 3 and of the chunk */
	add_int(&file, 2, rows);
	isx_buf_add(&file, "\0\0", 2); /* ends of the row group and of the footer */
	uint32_t len = (uint32_t)(file.len - footer);
	isx_buf_add(&file, &len, 4);
	isx_buf_text(&file, "PAR1");
	return file;
}

static void test_parquet__a_page_never_takes_more_than_the_ceiling(void **state)
{
	char message[256];
	uint64_t rows;
	(void)state;
	/* 100 bytes that say they become 2 GiB */
	char zeros[100] = { 0 };
	struct isx_buf bomb = make_file(10, INT32_MAX, (struct way){ 6, 0, 3 },
					(struct isx_span){ zeros, sizeof zeros });
	assert_int_equal(read_bytes(bomb.ptr, bomb.len, &rows, message), ISX_TOO_LARGE);
	assert_non_null(strstr(message, "column 't': the pages of all columns take more than 512"));
	isx_buf_release(&bomb);
}

static void test_parquet__a_page_that_is_not_what_it_announces_is_refused(void **state)
{
	char message[256];
	uint64_t rows;
	(void)state;
	/* 5 nulls, and then values that are not there */
	static const char nulls[] = "\x02\0\0\0\x0A\0";
	struct isx_buf good = make_file(5, 6, plain, (struct isx_span){ nulls, 6 });
	assert_int_equal(read_bytes(good.ptr, good.len, &rows, message), ISX_OK);
	assert_int_equal(rows, 5);
	isx_buf_release(&good);
	static const char *const wrong[] = { "its definition levels",
					     "fewer values than announced" };
	static const char *const content[] = { "\x02\0\0\0\x08\0", "\x02\0\0\0\x0A\x01" };
	for (size_t i = 0; i < 2; i++) {
		struct isx_buf bad = make_file(5, 6, plain, (struct isx_span){ content[i], 6 });
		assert_int_equal(read_bytes(bad.ptr, bad.len, &rows, message), ISX_INVALID);
		if (!strstr(message, wrong[i]))
			fail_msg("%s", message);
		isx_buf_release(&bad);
	}
}

/* What this reader does not know is named, with its number, and is never taken for something else. */
static void test_parquet__an_encoding_that_is_not_read_is_named(void **state)
{
	static const struct {
		struct way way;
		const char *said;
	} all[] = {
		{ { .encoding = 1, .levels = 3 }, "encoding GROUP_VAR_INT (1)" },
		{ { .encoding = 3, .levels = 3 }, "encoding RLE (3)" },
		{ { .encoding = 4, .levels = 3 }, "encoding BIT_PACKED (4)" },
		{ { .encoding = 5, .levels = 3 }, "encoding DELTA_BINARY_PACKED (5)" },
		{ { .encoding = 9, .levels = 3 }, "encoding BYTE_STREAM_SPLIT (9)" },
		{ { .encoding = 10, .levels = 3 }, "encoding unknown (10)" },
		{ { .encoding = UINT32_MAX, .levels = 3 }, "encoding unknown (4294967295)" },
		{ { .levels = 4 }, "definition levels of encoding 4 (4 is BIT_PACKED)" },
		{ { .codec = 3, .levels = 3 }, "compressed with LZO (codec 3)" },
		{ { .codec = 4, .levels = 3 }, "compressed with Brotli (codec 4)" },
		{ { .codec = 5, .levels = 3 }, "compressed with LZ4 (codec 5)" },
		{ { .codec = 7, .levels = 3 }, "compressed with LZ4_RAW (codec 7)" },
		{ { .codec = 8, .levels = 3 }, "compressed with an unknown codec (codec 8)" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		char message[256];
		uint64_t rows;
		struct isx_buf file = make_file(1, 7, all[i].way,
						(struct isx_span){ "\x02\0\0\0\x02\1x", 7 });
		assert_int_equal(read_bytes(file.ptr, file.len, &rows, message), ISX_INVALID);
		if (!strstr(message, all[i].said) || !strstr(message, "write the file again"))
			fail_msg("%s", message);
		isx_buf_release(&file);
	}
}

/* Lengths and prefixes that lead out of a page. */
static void test_parquet__texts_beyond_their_page_are_refused(void **state)
{
	static const struct {
		unsigned encoding;
		const char *content; /* behind the levels */
		size_t len;
		const char *said; /* NULL: they are read */
	} all[] = {
		/* block 128, 4 miniblocks, 1 value, and it is 2 (zigzag 4) */
		{ 6, "\x80\x01\4\1\4ab", 7, NULL },
		{ 6, "\x80\x01\4\1\6ab", 7, "the length of a text" },
		{ 6, "\x80\x01\4\1\3ab", 7, "the length of a text" }, /* -2 */
		{ 6, "\x80\x01\4\0\4ab", 7, "the length of a text" }, /* of no value */
		{ 6, "\x80\x01\4\2\4", 5, "its differences" },        /* without a block */
		{ 6, "\x80\x01\0\1\4ab", 7, "its differences" },
		{ 6, "\x81\x01\1\1\4ab", 7, "its differences" },
		{ 7, "\x80\x01\4\1\0\x80\x01\4\1\4ab", 12, NULL },
		{ 7, "\x80\x01\4\1\2\x80\x01\4\1\4ab", 12, "the prefix of a text" },
		{ 7, "\x80\x01\4\0\0\x80\x01\4\1\4ab", 12, "the prefix of a text" },
		{ 7, "\x80\x01\4\2\0", 5, "the prefixes of its texts" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		char message[256];
		uint64_t rows;
		struct isx_buf content = { 0 };
		isx_buf_add(&content, "\x02\0\0\0\x02\1", 6);
		isx_buf_add(&content, all[i].content, all[i].len);
		struct isx_buf file = make_file(1, content.len,
						(struct way){ 0, all[i].encoding, 3 },
						(struct isx_span){ content.ptr, content.len });
		enum isx_status st = read_bytes(file.ptr, file.len, &rows, message);
		if (all[i].said ? !strstr(message, all[i].said) : st || rows != 1)
			fail_msg("%zu: %s", i, message);
		isx_buf_release(&content);
		isx_buf_release(&file);
	}
}

/* --- parts ------------------------------------------------------------------------------------ */

static void test_thrift__what_is_nested_without_end_is_refused(void **state)
{
	uint8_t lists[100000];
	(void)state;
	memset(lists, 0x19, sizeof lists); /* a list of one list of one list ... */
	struct isx_thrift thrift = { .at = lists, .end = lists + sizeof lists };
	isx_thrift_skip(&thrift, ISX_THRIFT_LIST);
	assert_true(thrift.failed);
	assert_false(thrift.is_cut);
}

static void test_thrift__a_list_longer_than_its_bytes_is_refused(void **state)
{
	static const uint8_t many[] = { 0xFC, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F };
	struct isx_thrift thrift = { .at = many, .end = many + sizeof many };
	(void)state;
	assert_int_equal(isx_thrift_structs(&thrift, ISX_THRIFT_LIST), 0);
	assert_true(thrift.failed);
}

static void test_bit_runs__runs_and_packed_values_are_read(void **state)
{
	/* 3 times 5, then 8 packed values of 3 bits: 0 to 7 (the example of the format) */
	static const char bytes[] = "\x06\x05\x03\x88\xC6\xFA";
	static const uint32_t expected[] = { 5, 5, 5, 0, 1, 2, 3, 4, 5, 6, 7 };
	struct isx_bit_runs runs;
	uint32_t value;
	(void)state;
	assert_true(isx_bit_runs_start(&runs, (struct isx_span){ bytes, 6 }, 3));
	for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
		assert_true(isx_bit_runs_next(&runs, &value));
		assert_int_equal(value, expected[i]);
	}
	assert_false(isx_bit_runs_next(&runs, &value));
	assert_false(isx_bit_runs_start(&runs, (struct isx_span){ bytes, 6 }, 33));
	/* a value with more bits than the width */
	assert_true(isx_bit_runs_start(&runs, (struct isx_span){ "\x06\x08", 2 }, 3));
	assert_false(isx_bit_runs_next(&runs, &value));
}

/* Every width, packed by the definition: value i is i in its lowest bits. */
static void test_bit_runs__every_width_is_read(void **state)
{
	(void)state;
	for (unsigned width = 0; width <= 32; width++) {
		uint8_t bytes[1 + 4 * 64] = { 64 / 8 << 1 | 1 };
		struct isx_bit_runs runs;
		uint32_t value, mask = width == 32 ? UINT32_MAX : (1u << width) - 1;
		for (unsigned i = 0; i < 64 * width; i++) {
			uint32_t number = (i / width) * 0x9E3779B9u & mask;
			bytes[1 + i / 8] |= (uint8_t)((number >> i % width & 1) << i % 8);
		}
		assert_true(isx_bit_runs_start(
			&runs, (struct isx_span){ (char *)bytes, 1 + 8 * width }, width));
		for (uint32_t i = 0; i < 64; i++) {
			assert_true(isx_bit_runs_next(&runs, &value));
			assert_int_equal(value, i * 0x9E3779B9u & mask);
		}
		assert_false(isx_bit_runs_next(&runs, &value));
	}
}

/* Two miniblocks of 32 in a block, and 100 differences: the second block is not full. Packed by the
 * definition, with every width, and a least difference that makes sums wrap around. */
static void test_delta__every_width_is_read(void **state)
{
	enum { COUNT = 101, MINIS = 2, MINI = 32 };
	uint64_t seed = test_seed();
	(void)state;
	for (unsigned width = 0; width <= 64; width++) {
		struct isx_buf bytes = { 0 };
		struct isx_delta delta;
		struct isx_span rest;
		uint64_t expected[COUNT] = { test_random(&seed) }, value;
		add_varint(&bytes, MINIS * MINI);
		add_varint(&bytes, MINIS);
		add_varint(&bytes, COUNT);
		add_varint(&bytes, expected[0] << 1 ^ (uint64_t)((int64_t)expected[0] >> 63));
		for (size_t block = 0; block < 2; block++) {
			uint64_t least = test_random(&seed);
			add_varint(&bytes, least << 1 ^ (uint64_t)((int64_t)least >> 63));
			isx_buf_char(&bytes, (char)width);
			isx_buf_char(&bytes, (char)width);
			uint8_t packed[8 * MINIS * MINI] = { 0 };
			for (size_t i = 0; i < MINIS * MINI; i++) {
				uint64_t number = width == 0 ? 0
							     : test_random(&seed) >> (64 - width);
				size_t nth = 1 + block * MINIS * MINI + i;
				for (size_t b = 0; b < width; b++)
					packed[(i * width + b) / 8] |=
						(uint8_t)((number >> b & 1) << (i * width + b) % 8);
				if (nth < COUNT)
					expected[nth] = expected[nth - 1] + least + number;
			}
			isx_buf_add(&bytes, packed, (size_t)8 * width);
		}
		isx_buf_text(&bytes, "rest");
		struct isx_span all = { bytes.ptr, bytes.len };
		assert_true(isx_delta_start(&delta, all));
		assert_true(isx_delta_rest(&delta, &rest));
		assert_true(isx_span_is(rest, "rest"));
		for (size_t i = 0; i < COUNT; i++) {
			assert_true(isx_delta_next(&delta, &value));
			assert_true(value == expected[i]);
		}
		assert_false(isx_delta_next(&delta, &value));
		/* Of a page that is cut, no number is made up. */
		for (size_t len = 0; len < bytes.len - 4; len++) {
			size_t read = 0;
			struct isx_span cut = { bytes.ptr, len };
			if (!isx_delta_start(&delta, cut))
				continue;
			assert_false(isx_delta_rest(&delta, &rest));
			for (; isx_delta_next(&delta, &value); read++)
				assert_true(value == expected[read]);
			assert_true(read < COUNT);
		}
		isx_buf_release(&bytes);
	}
}

static void test_codec__only_the_announced_length_is_taken(void **state)
{
	/* "aaaaaaaaaa" compressed by each codec */
	static const struct {
		enum isx_codec codec;
		const char *bytes;
		size_t len;
	} packed[] = {
		{ ISX_CODEC_NONE, "aaaaaaaaaa", 10 },
		{ ISX_CODEC_SNAPPY, "\x0A\x00\x61\x22\x01\x00", 6 },
		{ ISX_CODEC_GZIP,
		  "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\x4b\x4c\x84\x01\x00\xf0\xcd\x11\x4c\x0a"
		  "\x00\x00\x00",
		  23 },
		{ ISX_CODEC_ZSTD, "\x28\xb5\x2f\xfd\x20\x0a\x53\x00\x00\x61", 10 },
	};
	uint8_t room[16];
	struct isx_err err;
	(void)state;
	for (size_t i = 0; i < sizeof packed / sizeof *packed; i++) {
		struct isx_span bytes = { packed[i].bytes, packed[i].len };
		memset(room, 'x', sizeof room);
		if (isx_codec_unpack(packed[i].codec, bytes, room, 10, &err))
			fail_msg("codec %d: %s", packed[i].codec, err.msg);
		assert_memory_equal(room, "aaaaaaaaaaxxxxxx", 16);
		for (size_t len = 0; len < 16; len++)
			if (len != 10 && (len || packed[i].codec == ISX_CODEC_NONE))
				assert_int_equal(
					isx_codec_unpack(packed[i].codec, bytes, room, len, &err),
					ISX_INVALID);
		bytes.len--;
		assert_int_equal(isx_codec_unpack(packed[i].codec, bytes, room, 10, &err),
				 ISX_INVALID);
	}
}

static void test_parquet__no_memory_is_a_status(void **state)
{
	struct isx_buf bytes = load(*state);
	enum isx_status st = ISX_NO_MEMORY;
	int fd = memfd_create("parquet", MFD_CLOEXEC);
	assert_int_equal(pwrite(fd, bytes.ptr, bytes.len, 0), (ssize_t)bytes.len);
	for (size_t nth = 1; st; nth++) {
		struct isx_parquet *file;
		struct isx_parquet_value values[16];
		size_t count;
		bool has_row = true;
		isx_mem_fail_after(nth);
		st = isx_parquet_open(fd, &file, NULL);
		if (!st) {
			struct isx_parquet_column *columns = isx_parquet_columns(file, &count);
			for (size_t i = 0; i < count; i++)
				columns[i].is_wanted = true;
			while (!st && has_row)
				st = isx_parquet_next(file, values, &has_row, NULL);
			isx_parquet_close(file);
		}
		isx_mem_fail_after(0);
		assert_true(st == ISX_OK || st == ISX_NO_MEMORY);
		assert_true(nth < 1000);
	}
	close(fd);
	isx_buf_release(&bytes);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parquet__every_way_to_write_rows_gives_the_same_rows),
		cmocka_unit_test(test_parquet__empty_and_required_columns_are_read),
		cmocka_unit_test(test_parquet__columns_that_are_not_wanted_are_not_read),
		cmocka_unit_test(test_parquet__every_cut_file_is_refused),
		cmocka_unit_test(test_parquet__no_changed_byte_does_harm),
		cmocka_unit_test(test_parquet__random_damage_does_no_harm),
		cmocka_unit_test(test_parquet__a_wrong_checksum_is_seen),
		cmocka_unit_test(test_parquet__messages_name_what_is_not_read),
		cmocka_unit_test(test_parquet__a_page_never_takes_more_than_the_ceiling),
		cmocka_unit_test(test_parquet__a_page_that_is_not_what_it_announces_is_refused),
		cmocka_unit_test(test_parquet__an_encoding_that_is_not_read_is_named),
		cmocka_unit_test(test_parquet__texts_beyond_their_page_are_refused),
		cmocka_unit_test_prestate(test_parquet__no_memory_is_a_status, (void *)"words-2"),
		cmocka_unit_test_prestate(test_parquet__no_memory_is_a_status, (void *)"deltas-1"),
		cmocka_unit_test(test_thrift__what_is_nested_without_end_is_refused),
		cmocka_unit_test(test_thrift__a_list_longer_than_its_bytes_is_refused),
		cmocka_unit_test(test_bit_runs__runs_and_packed_values_are_read),
		cmocka_unit_test(test_bit_runs__every_width_is_read),
		cmocka_unit_test(test_delta__every_width_is_read),
		cmocka_unit_test(test_codec__only_the_announced_length_is_taken),
	};
	int failed = 0;
	for (int i = 1; i < argc; i++)
		failed |= dump(argv[i]);
	return argc > 1 ? failed : cmocka_run_group_tests(tests, NULL, NULL);
}
