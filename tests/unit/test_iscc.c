/*
 * test_iscc.c - the values of iscc.h: parsing and printing, taking apart and composing are
 *               inverse, and scores equal those of a search.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "iscc.h"

#include "iscc/iscc_id.h"
#include "iscc/multibase.h"
#include "support.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define CODE_A "ISCC:KACSUWPOD5TDD5MCD2C6GZVXKJVT5KEVY7L42YISB7NPILUBZK334UY"

static const char *const units_a[] = {
	"ISCC:AADSUWPOD5TDD5MCWZX32P6FNFIKILX42MVDHQG3D5J36RXNCKQWZGY",
	"ISCC:EADR5BPDM23VE2Z636LGF3FNDCVML5RBQIE6L4JH6VP4SCSTHAQ7UJA",
	"ISCC:GAD2RFOH27GWCEQPPWM4ZQ3YQLC4ECPEIMNFYTZITVR3KPA6F2SF74Y",
	"ISCC:IAD5V5BOQHFLPPST2ZO33NVBGFPJT5SRPW7W2JM4ZWIOA2GNFBGICUQ"
};
enum { UNITS_A = sizeof units_a / sizeof *units_a };

static struct isx_iscc parse(const char *text)
{
	struct isx_iscc iscc;
	struct isx_err err = { 0 };
	if (isx_iscc_parse(text, &iscc, &err))
		fail_msg("%s: %s", text, err.msg);
	return iscc;
}

static void expect_text(const struct isx_iscc *iscc, const char *wanted)
{
	char text[ISX_ISCC_TEXT_BYTES];
	struct isx_err err = { 0 };
	if (isx_iscc_print(iscc, text, &err))
		fail_msg("%s: %s", wanted, err.msg);
	assert_string_equal(text, wanted);
}

static void random_text(uint32_t maintype, uint32_t body_bytes, uint64_t *seed, char *text)
{
	uint8_t body[32];
	for (size_t i = 0; i < sizeof body; i++)
		body[i] = (uint8_t)test_random(seed);
	test_unit_text(maintype, body, body_bytes, text);
}

static void test_iscc__what_is_read_is_written_again(void **state)
{
	static const uint32_t maintypes[] = { ISX_META, ISX_SEMANTIC, ISX_CONTENT, ISX_DATA,
					      ISX_INSTANCE };
	uint64_t seed = test_seed();
	(void)state;
	for (size_t t = 0; t < sizeof maintypes / sizeof *maintypes; t++) {
		for (uint32_t bytes = 4; bytes <= 32; bytes += 4) {
			char text[ISX_UNIT_TEXT_BYTES];
			random_text(maintypes[t], bytes, &seed, text);
			struct isx_iscc iscc = parse(text);
			assert_int_equal(iscc.maintype, maintypes[t]);
			assert_int_equal(iscc.bits, bytes * 8);
			expect_text(&iscc, text);
		}
	}
	struct isx_iscc code = parse(CODE_A), id = parse("ISCC:MAIGBL22ITF6PICK");
	assert_string_equal(code.type, "ISCC_TEXT_V0");
	assert_string_equal(id.type, "ID_REALM_0_V1");
	assert_string_equal(parse(units_a[1]).type, "CONTENT_TEXT_V0");
	assert_int_equal(code.bits, 256);
	assert_int_equal(id.bits, 64);
	expect_text(&code, CODE_A);
	expect_text(&id, "ISCC:MAIGBL22ITF6PICK");
}

static void test_iscc__each_form_that_people_pass_on_is_read(void **state)
{
	static const char *const forms[] = {
		"iscc:eaa5zpr7tufrsusp",
		"EAA5ZPR7TUFRSUSP",
		" ISCC:EAA5-ZPR7-TUFR-SUSP ",
	};
	uint8_t digest[64];
	char text[128];
	size_t count;
	(void)state;
	for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
		struct isx_iscc iscc = parse(forms[i]);
		expect_text(&iscc, "ISCC:EAA5ZPR7TUFRSUSP");
	}
	assert_int_equal(
		isx_multibase_decode(isx_span_of(forms[1]), digest, sizeof digest, &count, NULL),
		ISX_OK);
	for (const char *base = "fbvzu"; *base; base++) {
		assert_int_equal(
			isx_multibase_encode(*base, digest, count, text, sizeof text, NULL),
			ISX_OK);
		struct isx_iscc iscc = parse(text);
		expect_text(&iscc, "ISCC:EAA5ZPR7TUFRSUSP");
	}
}

static void test_iscc__what_is_no_iscc_is_refused(void **state)
{
	static const char *const wrong[] = {
		"",
		"ISCC:",
		"ISCC:EAA5ZPR7TUFRSUS",      /* too short for its header */
		"ISCC:EAA5ZPR7TUFRSUSPAAAA", /* too long */
		"ISCC:EAA1ZPR7TUFRSUSP",     /* 1 is no base32 */
		"ISCC:PAA5ZPR7TUFRSUSP",     /* of no version */
		"ISCC:MQIGBL22ITF6PICK",     /* of no realm */
		"ISCC:KACSUWPOD5TDD5MCD2C6GZVXKJVT5KEVY7L42YISB7NPILUBZK33", /* cut */
	};
	struct isx_iscc iscc, before;
	struct isx_err err;
	char text[ISX_ISCC_TEXT_BYTES];
	(void)state;
	memset(&iscc, 0xAB, sizeof iscc);
	before = iscc;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		if (isx_iscc_parse(wrong[i], &iscc, &err) != ISX_INVALID)
			fail_msg("'%s' is read", wrong[i]);
		assert_int_equal(err.status, ISX_INVALID);
		assert_true(err.msg[0]);
		assert_memory_equal(&iscc, &before, sizeof iscc);
	}
	char *longest = calloc(1, 10001);
	memset(longest, 'A', 10000);
	assert_int_not_equal(isx_iscc_parse(longest, &iscc, &err), ISX_OK);
	free(longest);
	assert_int_equal(isx_iscc_print(&before, text, &err), ISX_INVALID); /* no header */
	iscc = parse("ISCC:EAA5ZPR7TUFRSUSP");
	iscc.bits = 72;
	assert_int_equal(isx_iscc_print(&iscc, text, &err), ISX_INVALID);
	iscc.bits = 100000;
	assert_int_equal(isx_iscc_print(&iscc, text, &err), ISX_INVALID);
}

static void test_iscc__a_code_is_taken_apart_and_put_together(void **state)
{
	struct isx_iscc code = parse(CODE_A), units[ISX_ISCC_UNITS], again, shuffled[UNITS_A];
	struct isx_err err = { 0 };
	size_t count;
	(void)state;
	assert_int_equal(isx_iscc_decompose(&code, units, &count, &err), ISX_OK);
	assert_int_equal(count, UNITS_A);
	for (size_t i = 0; i < UNITS_A; i++) {
		struct isx_iscc whole = parse(units_a[i]);
		assert_string_equal(units[i].type, whole.type);
		assert_int_equal(units[i].bits, 64);
		assert_memory_equal(units[i].body, whole.body, 8);
		shuffled[(i * 3 + 1) % UNITS_A] = whole;
	}
	assert_int_equal(isx_iscc_compose(shuffled, UNITS_A, &again, &err), ISX_OK);
	expect_text(&again, CODE_A);
	assert_int_equal(isx_iscc_compose(units, count, &again, &err), ISX_OK);
	expect_text(&again, CODE_A);
	assert_int_equal(isx_iscc_decompose(&units[0], &again, &count, &err), ISX_OK);
	assert_int_equal(count, 1);
	assert_memory_equal(&again, &units[0], sizeof again);
	/* DATA and INSTANCE of 128 bits and more alone make a wide code. */
	struct isx_iscc sum[] = { parse(units_a[2]), parse(units_a[3]) };
	assert_int_equal(isx_iscc_compose(sum, 2, &again, &err), ISX_OK);
	assert_string_equal(again.type, "ISCC_WIDE_V0");
	assert_int_equal(isx_iscc_decompose(&again, units, &count, &err), ISX_OK);
	assert_int_equal(units[0].bits, 128);
	assert_int_equal(isx_iscc_compose(sum, 1, &again, &err), ISX_INVALID);
	assert_int_equal(isx_iscc_compose(sum, 0, &again, &err), ISX_INVALID);
	sum[1] = sum[0];
	assert_int_equal(isx_iscc_compose(sum, 2, &again, &err), ISX_INVALID);
	sum[1] = code;
	assert_int_equal(isx_iscc_compose(sum, 2, &again, &err), ISX_INVALID);
	sum[0] = parse("ISCC:MAIGBL22ITF6PICK");
	assert_int_equal(isx_iscc_decompose(&sum[0], units, &count, &err), ISX_INVALID);
	assert_non_null(strstr(err.msg, "ISCC-ID"));
}

/* The text of a unit like another, with some bits of its body flipped. */
static void flip_bits(const char *text, uint64_t flips, uint64_t *seed, char *flipped)
{
	struct isx_iscc iscc = parse(text);
	struct isx_err err = { 0 };
	for (uint64_t i = 0; i < flips; i++) {
		uint64_t bit = test_random(seed) % iscc.bits;
		iscc.body[bit / 8] ^= (uint8_t)(1 << (bit % 8));
	}
	if (isx_iscc_print(&iscc, flipped, &err))
		fail_msg("%s", err.msg);
}

static void expect_as_searched(struct isx_store *store, const char *query_text, const char *stored)
{
	struct isx_iscc a = parse(query_text), b = parse(stored);
	struct isx_iscc_comparison comparisons[ISX_ISCC_UNITS];
	struct isx_asset asset = { .iscc_id = "ISCC:MAIGBL22ITF6PICK" };
	struct isx_query query = { 0 };
	struct isx_result *result = NULL;
	struct isx_err err = { 0 };
	size_t count = 0;
	double score = 0;
	asset.iscc_code = b.maintype == ISX_CODE ? stored : NULL;
	asset.units = &stored;
	asset.unit_count = b.maintype != ISX_CODE;
	query.iscc_code = a.maintype == ISX_CODE ? query_text : NULL;
	query.units = &query_text;
	query.unit_count = a.maintype != ISX_CODE;
	if (isx_add(store, "main", &asset, 1, NULL, &err) ||
	    isx_search(store, "main", &query, &result, &err) ||
	    isx_iscc_score(&a, &b, NULL, &score, &err) ||
	    isx_iscc_compare(&a, &b, comparisons, &count, &err))
		fail_msg("%s", err.msg);
	assert_int_equal(result->match_count, score > 0);
	if (result->match_count) {
		const struct isx_match *match = &result->matches[0];
		assert_true(match->score == score);
		for (size_t t = 0; t < match->type_count; t++) {
			size_t i = 0;
			while (i < count && strcmp(comparisons[i].type, match->types[t].type) != 0)
				i++;
			assert_true(i < count && comparisons[i].score == match->types[t].score);
		}
	}
	isx_result_free(result);
}

static void test_iscc__scores_are_those_of_a_search(void **state)
{
	static const uint32_t lengths[] = { 8, 16, 32 };
	struct isx_store *store;
	struct isx_err err = { 0 };
	uint64_t seed = test_seed();
	(void)state;
	if (isx_open("memory://", NULL, &store, &err) || isx_index_create(store, "main", &err))
		fail_msg("%s", err.msg);
	for (size_t i = 0; i < 200; i++) {
		char text[ISX_UNIT_TEXT_BYTES], flipped[ISX_ISCC_TEXT_BYTES];
		random_text((uint32_t)(i % 5), lengths[i % 3], &seed, text);
		flip_bits(text, test_random(&seed) % 20, &seed, flipped);
		expect_as_searched(store, text, flipped);
		expect_as_searched(store, text, text);
		flip_bits(CODE_A, test_random(&seed) % 40, &seed, flipped);
		expect_as_searched(store, CODE_A, flipped);
		expect_as_searched(store, units_a[i % UNITS_A], flipped);
		expect_as_searched(store, flipped, units_a[i % UNITS_A]);
	}
	isx_close(store);
}

static void test_iscc__distances_are_counted_over_the_common_length(void **state)
{
	struct isx_iscc a = parse(units_a[1]), b = a, code = parse(CODE_A),
			other = parse(units_a[0]);
	struct isx_iscc id = parse("ISCC:MAIGBL22ITF6PICK");
	struct isx_options options;
	struct isx_err err = { 0 };
	uint32_t distance = 7, bits = 7;
	double score;
	(void)state;
	b.body[0] ^= 0x81;
	b.body[31] ^= 0x10;
	assert_int_equal(isx_iscc_distance(&a, &b, &distance, &bits, &err), ISX_OK);
	assert_int_equal(distance, 3);
	assert_int_equal(bits, 256);
	assert_int_equal(isx_iscc_distance(&code, &b, &distance, &bits, &err), ISX_OK);
	assert_int_equal(distance, 2); /* in the 64 bits that the code has */
	assert_int_equal(bits, 64);
	assert_int_equal(isx_iscc_distance(&code, &code, &distance, NULL, &err), ISX_OK);
	assert_int_equal(distance, 0);
	assert_int_equal(isx_iscc_distance(&a, &other, &distance, &bits, &err), ISX_INVALID);
	assert_int_equal(isx_iscc_distance(&a, &id, &distance, &bits, &err), ISX_INVALID);
	assert_int_equal(isx_iscc_distance(&id, &id, &distance, &bits, &err), ISX_INVALID);
	assert_int_equal(distance + bits, 64);
	assert_int_equal(isx_iscc_score(&a, &other, NULL, &score, &err), ISX_OK);
	assert_true(score == 0);
	assert_int_equal(isx_iscc_score(&a, &id, NULL, &score, &err), ISX_INVALID);
	isx_options_init(&options);
	options.confidence_exponent = 1;
	assert_int_equal(isx_iscc_score(&a, &b, &options, &score, &err), ISX_OK);
	assert_true(score == 1);
	options.match_threshold_units = 0.999;
	assert_int_equal(isx_iscc_score(&a, &b, &options, &score, &err), ISX_OK);
	assert_true(score == 0);
	options.match_threshold_units = 2;
	assert_int_equal(isx_iscc_score(&a, &b, &options, &score, &err), ISX_INVALID);
}

static void test_iscc__an_id_has_a_time_a_hub_and_a_realm(void **state)
{
	static const struct isx_iscc_id_parts all[] = {
		{ 0, 0, 0 },
		{ 1700000000000000, 1, 0 },
		{ 1700000000000001, 0, 0 },
		{ ((uint64_t)1 << 52) - 1, 4095, 0 },
		{ 5, 6, 1 },
	};
	static const struct isx_iscc_id_parts wrong[] = { { (uint64_t)1 << 52, 0, 0 },
							  { 0, 4096, 0 },
							  { 0, 0, 2 } };
	struct isx_iscc last, id, unit = parse(units_a[0]);
	struct isx_iscc_id_parts parts;
	struct isx_err err = { 0 };
	(void)state;
	for (size_t i = 0; i < sizeof all / sizeof *all; i++, last = id) {
		assert_int_equal(isx_iscc_id_compose(&all[i], &id, &err), ISX_OK);
		assert_int_equal(isx_iscc_id_decompose(&id, &parts, &err), ISX_OK);
		assert_true(parts.time_us == all[i].time_us && parts.hub == all[i].hub &&
			    parts.realm == all[i].realm);
		assert_int_equal(isx_iscc_order(&id, &id), 0);
		if (i > 0) {
			assert_true(isx_iscc_order(&last, &id) < 0);
			assert_true(isx_iscc_order(&id, &last) > 0);
		}
	}
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		assert_int_equal(isx_iscc_id_compose(&wrong[i], &id, &err), ISX_INVALID);
	assert_int_equal(isx_iscc_id_decompose(&unit, &parts, &err), ISX_INVALID);
	assert_true(isx_iscc_order(&unit, &id) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_iscc__what_is_read_is_written_again),
		cmocka_unit_test(test_iscc__each_form_that_people_pass_on_is_read),
		cmocka_unit_test(test_iscc__what_is_no_iscc_is_refused),
		cmocka_unit_test(test_iscc__a_code_is_taken_apart_and_put_together),
		cmocka_unit_test(test_iscc__scores_are_those_of_a_search),
		cmocka_unit_test(test_iscc__distances_are_counted_over_the_common_length),
		cmocka_unit_test(test_iscc__an_id_has_a_time_a_hub_and_a_realm),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
