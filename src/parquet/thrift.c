/*
 * thrift.c - reads the compact protocol of Apache Thrift.
 *
 * Whole numbers are varints in zigzag order. The header of a field has its type in the low four bits, and
 * above them how much its number is larger than that of the field before; 0: the number follows.
 * Built for footers of some MiB and page headers of some KiB: the bytes are in memory, nothing is
 * allocated, and the cost is linear in the bytes. Must not know what a structure of Parquet means.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "parquet/thrift.h"

enum { DEPTH_MAX = 16 }; /* Parquet's own structures are nested six deep */

/* Only the first failure sets is_cut: later ones follow from it. A caller that has read a part
 * of a file may read more of it and start again if is_cut is set. */
static void fail(struct isx_thrift *thrift, bool is_cut)
{
	thrift->is_cut = thrift->failed ? thrift->is_cut : is_cut;
	thrift->failed = true;
}

static size_t left(const struct isx_thrift *thrift)
{
	return (size_t)(thrift->end - thrift->at);
}

/* The next byte. A reader that has failed gives 0, which is the end of a struct: loops over
 * fields end. */
static uint8_t read_byte(struct isx_thrift *thrift)
{
	if (thrift->failed || thrift->at == thrift->end) {
		fail(thrift, true);
		return 0;
	}
	return *thrift->at++;
}

/* At most ten bytes; the tenth has one bit. */
uint64_t isx_thrift_varint(struct isx_thrift *thrift)
{
	uint64_t value = 0;
	for (unsigned shift = 0; shift < 64; shift += 7) {
		uint8_t byte = read_byte(thrift);
		if (shift == 63 && byte > 1)
			break;
		value |= (uint64_t)(byte & 0x7F) << shift;
		if (byte < 0x80)
			return value;
	}
	fail(thrift, false);
	return 0;
}

/* Zigzag order keeps small negative numbers short: 0, -1, 1, -2 are stored as 0, 1, 2, 3. */
static int64_t read_zigzag(struct isx_thrift *thrift)
{
	uint64_t value = isx_thrift_varint(thrift);
	return (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
}

/* `count` comes from the file. It is compared with the bytes that are left before anything is
 * added to `at`, because a pointer beyond `end` would be undefined already. The span is
 * borrowed. */
static struct isx_span read_bytes(struct isx_thrift *thrift, uint64_t count)
{
	struct isx_span bytes = { (const char *)thrift->at, (size_t)count };
	if (!thrift->failed && count > left(thrift))
		fail(thrift, true);
	if (thrift->failed)
		return (struct isx_span){ 0 };
	thrift->at += count;
	return bytes;
}

bool isx_thrift_next(struct isx_thrift *thrift, struct isx_thrift_field *field)
{
	uint8_t head = read_byte(thrift);
	if (thrift->failed || head == 0)
		return false;
	int64_t id = head >> 4 ? field->id + (head >> 4) : read_zigzag(thrift);
	if (id < INT16_MIN || id > INT16_MAX || (head & 0xF) == 0 || (head & 0xF) > ISX_THRIFT_UUID)
		fail(thrift, false);
	field->id = (int)id;
	field->type = head & 0xF;
	return !thrift->failed;
}

int64_t isx_thrift_int(struct isx_thrift *thrift, enum isx_thrift_type type)
{
	if (type == ISX_THRIFT_I8)
		return (int8_t)read_byte(thrift);
	if (type == ISX_THRIFT_I16 || type == ISX_THRIFT_I32 || type == ISX_THRIFT_I64)
		return read_zigzag(thrift);
	fail(thrift, false);
	return 0;
}

bool isx_thrift_bool(struct isx_thrift *thrift, enum isx_thrift_type type)
{
	if (type != ISX_THRIFT_TRUE && type != ISX_THRIFT_FALSE)
		fail(thrift, false);
	return type == ISX_THRIFT_TRUE;
}

struct isx_span isx_thrift_bytes(struct isx_thrift *thrift, enum isx_thrift_type type)
{
	if (type != ISX_THRIFT_BINARY)
		fail(thrift, false);
	return read_bytes(thrift, isx_thrift_varint(thrift));
}

/* The head of a list or set: its number of elements, each of which takes at least a byte. */
static size_t begin_list(struct isx_thrift *thrift, enum isx_thrift_type *elements)
{
	uint8_t head = read_byte(thrift);
	uint64_t count = head >> 4 < 15 ? head >> 4 : isx_thrift_varint(thrift);
	*elements = head & 0xF;
	if (!thrift->failed && count > left(thrift))
		fail(thrift, true);
	return thrift->failed ? 0 : (size_t)count;
}

size_t isx_thrift_structs(struct isx_thrift *thrift, enum isx_thrift_type type)
{
	enum isx_thrift_type elements = ISX_THRIFT_STRUCT;
	size_t count = type == ISX_THRIFT_LIST ? begin_list(thrift, &elements) : 0;
	if (type != ISX_THRIFT_LIST || (count && elements != ISX_THRIFT_STRUCT))
		fail(thrift, false);
	return thrift->failed ? 0 : count;
}

void isx_thrift_struct(struct isx_thrift *thrift, enum isx_thrift_type type)
{
	if (type != ISX_THRIFT_STRUCT)
		fail(thrift, false);
}

static void skip_value(struct isx_thrift *thrift, enum isx_thrift_type type, unsigned depth);

/* A bool has no bytes as a field, and one as an element. */
static void skip_element(struct isx_thrift *thrift, enum isx_thrift_type type, unsigned depth)
{
	if (type == ISX_THRIFT_TRUE || type == ISX_THRIFT_FALSE)
		read_byte(thrift);
	else
		skip_value(thrift, type, depth);
}

/* An empty map has no byte for its types. */
static void skip_map(struct isx_thrift *thrift, unsigned depth)
{
	uint64_t count = isx_thrift_varint(thrift);
	uint8_t types = count ? read_byte(thrift) : 0;
	/* Every key and value takes a byte at least: whatever `count` is, the loop ends with the
	 * bytes. */
	for (; count && !thrift->failed; count--) {
		skip_element(thrift, types >> 4, depth);
		skip_element(thrift, types & 0xF, depth);
	}
}

/* Calls itself for what is within the value, DEPTH_MAX deep at most. */
static void skip_value(struct isx_thrift *thrift, enum isx_thrift_type type, unsigned depth)
{
	struct isx_thrift_field field = { 0 };
	enum isx_thrift_type elements;
	if (depth == DEPTH_MAX)
		fail(thrift, false);
	if (thrift->failed)
		return;
	switch (type) {
	case ISX_THRIFT_TRUE:
	case ISX_THRIFT_FALSE:
		return;
	case ISX_THRIFT_I8:
		read_byte(thrift);
		return;
	case ISX_THRIFT_I16:
	case ISX_THRIFT_I32:
	case ISX_THRIFT_I64:
		isx_thrift_varint(thrift);
		return;
	case ISX_THRIFT_DOUBLE:
		read_bytes(thrift, 8);
		return;
	case ISX_THRIFT_UUID:
		read_bytes(thrift, 16);
		return;
	case ISX_THRIFT_BINARY:
		read_bytes(thrift, isx_thrift_varint(thrift));
		return;
	case ISX_THRIFT_LIST:
	case ISX_THRIFT_SET:
		for (size_t count = begin_list(thrift, &elements); count && !thrift->failed;
		     count--)
			skip_element(thrift, elements, depth + 1);
		return;
	case ISX_THRIFT_MAP:
		skip_map(thrift, depth + 1);
		return;
	case ISX_THRIFT_STRUCT:
		while (isx_thrift_next(thrift, &field))
			skip_value(thrift, field.type, depth + 1);
		return;
	}
	fail(thrift, false);
}

void isx_thrift_skip(struct isx_thrift *thrift, enum isx_thrift_type type)
{
	skip_value(thrift, type, 0);
}
