/*
 * test_golden.c - the codec agrees with iscc-core and iscc-search 0.3.3 on thousands of ISCCs.
 *
 * tests/golden/make_vectors.py makes the vectors and describes their fields. ISX_GOLDEN names
 * another folder than tests/golden, relative to the root of the repository.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "iscc/base32.h"
#include "iscc/code.h"
#include "iscc/iscc_id.h"
#include "iscc/multibase.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { FIELDS_MAX = 16, LINE_MAX_CHARS = 4096, VECTORS_MIN = 2000, RECORDED_MIN = 86 };

static size_t wrong_lengths; /* composites that 0.3.3 takes apart and this program refuses */

/* One line, cut into fields. */
struct vector {
	size_t number;
	size_t field_count;
	char *fields[FIELDS_MAX]; /* "" for one that is "-" */
};

typedef void vector_check(const struct vector *vector);

static void fail_vector(const struct vector *vector, const char *what)
{
	fail_msg("line %zu, %s: %s", vector->number, vector->fields[1], what);
}

static struct isx_span field(const struct vector *vector, size_t i)
{
	if (i >= vector->field_count)
		fail_vector(vector, "too few fields");
	return isx_span_of(vector->fields[i]);
}

static uint64_t number_field(const struct vector *vector, size_t i)
{
	uint64_t value = 0;
	if (!isx_span_uint(field(vector, i), UINT64_MAX, &value))
		fail_vector(vector, "a field should be a number");
	return value;
}

static void expect_hex(const struct vector *vector, size_t i, const uint8_t *bytes, size_t count)
{
	struct isx_span hex = field(vector, i);
	char text[2 * 1024 + 1] = "";
	assert_true(count <= 1024);
	for (size_t k = 0; k < count; k++)
		snprintf(text + 2 * k, 3, "%02x", bytes[k]);
	if (!isx_span_is(hex, text))
		fail_vector(vector, text);
}

static void expect_text(const struct vector *vector, size_t i, const char *text)
{
	if (!isx_span_is(field(vector, i), text))
		fail_vector(vector, text);
}

static void expect_ok(const struct vector *vector, enum isx_status st, const struct isx_err *err)
{
	if (st)
		fail_vector(vector, err->msg);
}

/* The five multibase forms of a digest stand in the fields from `first` on, and are read back. */
static void check_multibase(const struct vector *vector, size_t first, const char *text)
{
	uint8_t digest[64], again[64];
	size_t count, again_count;
	struct isx_err err;
	expect_ok(vector,
		  isx_multibase_decode(isx_span_of(text), digest, sizeof digest, &count, &err),
		  &err);
	for (size_t i = 0; i < 5; i++) {
		char form[200];
		expect_ok(vector,
			  isx_multibase_encode("fbvzu"[i], digest, count, form, sizeof form, &err),
			  &err);
		expect_text(vector, first + i, form);
		expect_ok(vector,
			  isx_multibase_decode(isx_span_of(form), again, sizeof again, &again_count,
					       &err),
			  &err);
		if (again_count != count || memcmp(digest, again, count) != 0)
			fail_vector(vector, form);
	}
}

/* Units are printed as the list in field `i`. */
static void expect_units(const struct vector *vector, size_t i, const struct isx_unit *units,
			 size_t count)
{
	char list[ISX_CODE_UNITS_MAX * ISX_UNIT_TEXT_BYTES] = "";
	for (size_t k = 0, at = 0; k < count; k++) {
		if (k)
			list[at++] = ',';
		isx_unit_print(&units[k], list + at);
		at += strlen(list + at);
	}
	expect_text(vector, i, list);
}

static void check_header(const struct vector *vector)
{
	struct isx_header header, again;
	uint8_t bytes[ISX_HEADER_BYTES_MAX];
	struct isx_err err;
	size_t used;
	header = (struct isx_header){ (uint32_t)number_field(vector, 1),
				      (uint32_t)number_field(vector, 2),
				      (uint32_t)number_field(vector, 3),
				      (uint32_t)number_field(vector, 4) };
	size_t count = isx_header_write(&header, bytes);
	expect_hex(vector, 5, bytes, count);
	expect_ok(vector, isx_header_read(bytes, count, &again, &used, &err), &err);
	if (used != count || memcmp(&header, &again, sizeof header) != 0)
		fail_vector(vector, "the header reads differently");
}

static void check_unit(const struct vector *vector)
{
	struct isx_unit unit, read;
	char text[ISX_UNIT_TEXT_BYTES], name[ISX_UNIT_TYPE_MAX];
	struct isx_err err;
	expect_ok(vector, isx_unit_parse(field(vector, 1), &unit, &err), &err);
	if (unit.header.maintype != number_field(vector, 2) ||
	    unit.header.subtype != number_field(vector, 3) ||
	    unit.header.version != number_field(vector, 4) ||
	    unit.header.length != number_field(vector, 5) ||
	    isx_header_body_bits(&unit.header) != unit.body_bytes * 8)
		fail_vector(vector, "the header differs");
	expect_ok(vector, isx_header_type_name(&unit.header, name, &err), &err);
	expect_text(vector, 6, name);
	expect_hex(vector, 7, unit.body, unit.body_bytes);
	isx_unit_print(&unit, text);
	expect_text(vector, 1, text);
	expect_ok(vector, isx_unit_read(field(vector, 1), &read, &err), &err);
	assert_memory_equal(&unit, &read, sizeof unit);
	check_multibase(vector, 8, text);
}

static void check_code(const struct vector *vector)
{
	struct isx_unit units[ISX_CODE_UNITS_MAX], read[ISX_CODE_UNITS_MAX];
	size_t count, read_count;
	char text[ISX_CODE_TEXT_BYTES];
	struct isx_err err;
	expect_ok(vector, isx_code_parse(field(vector, 1), units, &count, &err), &err);
	expect_units(vector, 4, units, count);
	if (!isx_code_compose(units, count, text))
		fail_vector(vector, "not composed again");
	expect_text(vector, 1, text);
	expect_ok(vector, isx_code_read(field(vector, 1), read, &read_count, &err), &err);
	assert_int_equal(count, read_count);
	assert_memory_equal(units, read, count * sizeof *units);
	check_multibase(vector, 5, text);
}

static void check_id(const struct vector *vector)
{
	struct isx_iscc_id id, again;
	char text[ISX_ISCC_ID_TEXT_BYTES];
	uint8_t body[8];
	struct isx_err err;
	expect_ok(vector, isx_iscc_id_parse(field(vector, 1), &id, &err), &err);
	isx_store_be64(body, id.body);
	expect_hex(vector, 4, body, sizeof body);
	if (id.realm != number_field(vector, 2) || id.version != number_field(vector, 3) ||
	    isx_iscc_id_time_us(&id) != number_field(vector, 5) ||
	    isx_iscc_id_hub(&id) != number_field(vector, 6))
		fail_vector(vector, "its parts differ");
	isx_iscc_id_print(&id, text);
	expect_text(vector, 7, text);
	expect_ok(vector, isx_iscc_id_parse(isx_span_of(text), &again, &err), &err);
	assert_true(again.body == id.body && again.realm == id.realm && again.version == 1);
}

static void check_multi(const struct vector *vector)
{
	uint8_t digest[64];
	size_t count;
	struct isx_err err;
	expect_ok(vector,
		  isx_multibase_decode(field(vector, 1), digest, sizeof digest, &count, &err),
		  &err);
	expect_hex(vector, 2, digest, count);
}

static void check_read(const struct vector *vector)
{
	struct isx_unit unit;
	char text[ISX_UNIT_TEXT_BYTES], name[ISX_UNIT_TYPE_MAX];
	struct isx_err err;
	expect_ok(vector, isx_unit_read(field(vector, 1), &unit, &err), &err);
	expect_ok(vector, isx_header_type_name(&unit.header, name, &err), &err);
	expect_text(vector, 2, name);
	expect_hex(vector, 3, unit.body, unit.body_bytes);
	isx_unit_print(&unit, text);
	expect_text(vector, 4, text);
}

/* Is it a composite whose body is not as long as its header says? */
static bool is_of_wrong_length(struct isx_span text)
{
	uint8_t digest[512];
	struct isx_header header;
	size_t count, used;
	if (isx_base32_decode_iscc(text, ISX_AS_033, digest, sizeof digest, &count, NULL) ||
	    isx_header_read(digest, count, &header, &used, NULL))
		return false;
	return header.maintype == ISX_CODE && isx_header_body_bits(&header) != (count - used) * 8;
}

static void check_split(const struct vector *vector)
{
	struct isx_unit units[ISX_CODE_UNITS_MAX];
	size_t count;
	struct isx_err err;
	if (is_of_wrong_length(field(vector, 1))) { /* 0.3.3 misplaces its DATA and INSTANCE */
		if (isx_code_read(field(vector, 1), units, &count, &err) != ISX_INVALID ||
		    !strstr(err.msg, "characters behind 'ISCC:'"))
			fail_vector(vector, "is not refused for its length");
		wrong_lengths++;
		return;
	}
	expect_ok(vector, isx_code_read(field(vector, 1), units, &count, &err), &err);
	expect_units(vector, 2, units, count);
}

static void check_compose(const struct vector *vector)
{
	struct isx_unit units[ISX_CODE_UNITS_MAX];
	char text[ISX_CODE_TEXT_BYTES] = "";
	struct isx_span list = field(vector, 1);
	struct isx_err err;
	size_t count = 0;
	while (list.len) {
		const char *comma = memchr(list.ptr, ',', list.len);
		struct isx_span one = { list.ptr, comma ? (size_t)(comma - list.ptr) : list.len };
		expect_ok(vector, isx_unit_read(one, &units[count++], &err), &err);
		list = isx_span_skip(list, one.len + 1);
	}
	if (!isx_code_compose(units, count, text))
		text[0] = '\0';
	expect_text(vector, 2, text);
}

/* Expect that a text which iscc-core or iscc-search refuses is refused, with a reason. */
static void check_refuse(const struct vector *vector)
{
	struct isx_unit units[ISX_CODE_UNITS_MAX];
	struct isx_iscc_id id;
	uint8_t digest[512];
	size_t count;
	struct isx_span who = field(vector, 1), text = field(vector, 2);
	struct isx_err err = { 0 };
	enum isx_status st = ISX_OK;
	if (isx_span_is(who, "unit"))
		st = isx_unit_parse(text, units, &err);
	else if (isx_span_is(who, "code"))
		st = isx_code_parse(text, units, &count, &err);
	else if (isx_span_is(who, "id"))
		st = isx_iscc_id_parse(text, &id, &err);
	else if (isx_span_is(who, "read"))
		st = isx_unit_read(text, units, &err);
	else if (isx_span_is(who, "split"))
		st = isx_code_read(text, units, &count, &err);
	else if (isx_span_is(who, "multi"))
		st = isx_multibase_decode(text, digest, sizeof digest, &count, &err);
	if (st != ISX_INVALID || !err.msg[0])
		fail_vector(vector, vector->fields[2]);
}

static const struct {
	const char *kind;
	vector_check *check;
} kinds[] = {
	{ "header", check_header }, { "unit", check_unit },       { "code", check_code },
	{ "id", check_id },         { "multi", check_multi },     { "read", check_read },
	{ "split", check_split },   { "compose", check_compose }, { "refuse", check_refuse },
};

static void check_vector(const struct vector *vector)
{
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		if (isx_span_is(field(vector, 0), kinds[i].kind)) {
			kinds[i].check(vector);
			return;
		}
	}
	fail_vector(vector, "an unknown kind");
}

/* Cut a line at its tabs. */
static void cut_line(char *line, struct vector *vector)
{
	line[strcspn(line, "\n")] = '\0';
	vector->field_count = 0;
	while (line && vector->field_count < FIELDS_MAX) {
		char *end = strchr(line, '\t');
		if (end)
			*end++ = '\0';
		vector->fields[vector->field_count++] = strcmp(line, "-") == 0 ? line + 1 : line;
		line = end;
	}
}

/* Check every vector of a file; returns how many there are. */
static size_t check_file(const char *name)
{
	const char *folder = getenv("ISX_GOLDEN");
	char path[1024], line[LINE_MAX_CHARS];
	struct vector vector = { 0 };
	size_t checked = 0;
	snprintf(path, sizeof path, "%s/%s", folder ? folder : "tests/golden", name);
	FILE *file = fopen(path, "r");
	if (!file)
		fail_msg("%s: cannot be read; run this in the root of the repository, "
			 "or set ISX_GOLDEN",
			 path);
	while (fgets(line, sizeof line, file)) {
		vector.number++;
		if (line[0] == '#')
			continue;
		cut_line(line, &vector);
		check_vector(&vector);
		checked++;
	}
	fclose(file);
	return checked;
}

static void test_golden__every_vector_reads_and_prints_as_iscc_core_says(void **state)
{
	(void)state;
	wrong_lengths = 0;
	size_t checked = check_file("iscc_vectors.tsv");
	if (checked < VECTORS_MIN)
		fail_msg("%zu vectors: expected at least %d", checked, VECTORS_MIN);
	assert_in_range(wrong_lengths, 50, 200); /* of 408 */
}

static void test_golden__recorded_queries_split_and_compose_as_0_3_3_did(void **state)
{
	(void)state;
	size_t checked = check_file("recorded_codes.tsv");
	if (checked < RECORDED_MIN)
		fail_msg("%zu vectors: expected at least %d", checked, RECORDED_MIN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden__every_vector_reads_and_prints_as_iscc_core_says),
		cmocka_unit_test(test_golden__recorded_queries_split_and_compose_as_0_3_3_did),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
