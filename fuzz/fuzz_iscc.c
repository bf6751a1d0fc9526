/*
 * fuzz_iscc.c - texts that may be ISCCs: no crash; texts that the strict readers accept print
 *               unchanged, and what any reader accepts reads the same after it was printed.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "iscc/base32.h"
#include "iscc/code.h"
#include "iscc/iscc_id.h"
#include "iscc/multibase.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* End the process if a property does not hold: fuzzers and replay_main.c look for crashes. */
static void expect(bool holds)
{
	if (!holds)
		abort();
}

/* A refusal has a reason, in one line. */
static bool accepts(enum isx_status st, const struct isx_err *err)
{
	if (st == ISX_OK)
		return true;
	size_t len = strnlen(err->msg, sizeof err->msg);
	expect(st == ISX_INVALID && err->status == st && len > 0 && len < sizeof err->msg &&
	       !memchr(err->msg, '\n', len));
	return false;
}

/* A unit that was read from anything prints to a text that reads as the same unit. */
static void check_printed_unit(const struct isx_unit *unit)
{
	struct isx_unit again;
	struct isx_err err;
	char text[ISX_UNIT_TEXT_BYTES], name[ISX_UNIT_TYPE_MAX];
	expect(unit->body_bytes >= 1 && unit->body_bytes <= ISX_BODY_BYTES_MAX);
	expect(isx_header_type_name(&unit->header, name, &err) == ISX_OK);
	expect(strlen(name) < ISX_UNIT_TYPE_MAX);
	isx_unit_print(unit, text);
	expect(strlen(text) < ISX_UNIT_TEXT_BYTES);
	expect(isx_unit_read(isx_span_of(text), &again, &err) == ISX_OK);
	expect(memcmp(unit, &again, sizeof again) == 0);
}

static void check_unit(struct isx_span text)
{
	struct isx_unit unit, read;
	struct isx_err err = { 0 };
	char printed[ISX_UNIT_TEXT_BYTES];
	bool is_read = accepts(isx_unit_read(text, &read, &err), &err);
	if (is_read)
		check_printed_unit(&read);
	if (!accepts(isx_unit_parse(text, &unit, &err), &err))
		return;
	isx_unit_print(&unit, printed);
	expect(isx_span_is(text, printed));
	expect(is_read && memcmp(&unit, &read, sizeof unit) == 0);
	expect(isx_header_body_bits(&unit.header) == unit.body_bytes * 8);
}

/* A code composed of any units is well formed; a WIDE one may lack bytes its units announced. */
static void check_composed(const struct isx_unit *units, size_t count)
{
	struct isx_unit again[ISX_CODE_UNITS_MAX];
	struct isx_err err = { 0 };
	char code[ISX_CODE_TEXT_BYTES];
	size_t found;
	if (!isx_code_compose(units, count, code))
		return;
	expect(strlen(code) < ISX_CODE_TEXT_BYTES);
	bool is_wide = strncmp(code, "ISCC:K4", 7) == 0;
	expect(accepts(isx_code_parse(isx_span_of(code), again, &found, &err), &err) || is_wide);
}

static void check_code(struct isx_span text)
{
	struct isx_unit units[ISX_CODE_UNITS_MAX], read[ISX_CODE_UNITS_MAX];
	size_t count = 0, read_count = 0;
	struct isx_err err = { 0 };
	char code[ISX_CODE_TEXT_BYTES];
	bool is_read = accepts(isx_code_read(text, read, &read_count, &err), &err);
	expect(!is_read || (read_count >= 1 && read_count <= ISX_CODE_UNITS_MAX));
	expect(accepts(isx_code_check(text, &err), &err) || !is_read);
	for (size_t i = 0; i < read_count; i++)
		check_printed_unit(&read[i]);
	if (is_read)
		check_composed(read, read_count);
	if (!accepts(isx_code_parse(text, units, &count, &err), &err))
		return;
	expect(isx_code_compose(units, count, code) && isx_span_is(text, code));
	expect(is_read && read_count == count && memcmp(units, read, count * sizeof units[0]) == 0);
}

static void check_id(struct isx_span text)
{
	struct isx_iscc_id id, again;
	struct isx_err err = { 0 };
	char printed[ISX_ISCC_ID_TEXT_BYTES];
	if (!accepts(isx_iscc_id_parse(text, &id, &err), &err))
		return;
	expect(id.realm <= 1 && id.version <= 1);
	isx_iscc_id_print(&id, printed);
	expect(strlen(printed) == ISX_ISCC_ID_TEXT_BYTES - 1);
	expect(isx_iscc_id_parse(isx_span_of(printed), &again, &err) == ISX_OK);
	expect(again.body == id.body && again.realm == id.realm && again.version == 1);
}

static void check_multibase(struct isx_span text)
{
	uint8_t digest[256], again[256];
	size_t count, again_count;
	struct isx_err err = { 0 };
	if (!accepts(isx_multibase_decode(text, digest, sizeof digest, &count, &err), &err))
		return;
	expect(count >= 1 && count <= sizeof digest);
	for (size_t i = 0; i < 5; i++) {
		char form[600];
		expect(isx_multibase_encode("fbvzu"[i], digest, count, form, sizeof form, &err) ==
		       ISX_OK);
		expect(isx_multibase_decode(isx_span_of(form), again, sizeof again, &again_count,
					    &err) == ISX_OK);
		expect(again_count == count && memcmp(digest, again, count) == 0);
	}
}

static void check_base64(struct isx_span text)
{
	uint8_t bytes[256], again[256];
	char printed[400];
	size_t count, again_count;
	struct isx_err err = { 0 };
	if (!accepts(isx_base64_decode(text, bytes, sizeof bytes, &count, &err), &err))
		return;
	isx_base64_encode(bytes, count, printed);
	expect(isx_base64_decode(isx_span_of(printed), again, sizeof again, &again_count, &err) ==
	       ISX_OK);
	expect(again_count == count && memcmp(bytes, again, count) == 0);
}

/* Use the input as a digest too: the fuzzer then reaches headers and bodies without having to
 * guess base32. */
static void check_digest(const uint8_t *data, size_t size)
{
	char text[5 + ISX_BASE32_CHARS(512) + 1] = "ISCC:";
	if (size > 512)
		size = 512;
	isx_base32_encode(data, size, text + 5);
	check_unit(isx_span_of(text));
	check_code(isx_span_of(text));
	check_id(isx_span_of(text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct isx_span text = { (const char *)data, size };
	check_unit(text);
	check_code(text);
	check_id(text);
	check_multibase(text);
	check_base64(text);
	check_digest(data, size);
	return 0;
}
