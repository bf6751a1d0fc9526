/*
 * json_pretty.c - indent JSON text, value by value.
 *
 * Scalars are copied byte for byte, so numbers keep their digits. Open containers are on a stack of
 * walks in the caller's frame (9 KiB) instead of in recursion: input may be nested
 * ISX_JSON_DEPTH_MAX deep.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "json/json_pretty.h"

#include "base/limits.h"
#include "json/json_text.h"

struct printer {
	struct isx_buf *buf;
	bool drop_nulls;
	size_t depth; /* open containers; the arrays below have an entry for each */
	struct isx_json_walk walks[ISX_JSON_DEPTH_MAX];
	bool is_object[ISX_JSON_DEPTH_MAX];
	bool has_items[ISX_JSON_DEPTH_MAX];
};

static void new_line(struct printer *printer)
{
	isx_buf_char(printer->buf, '\n');
	for (size_t i = 0; i < printer->depth; i++)
		isx_buf_text(printer->buf, "  ");
}

/* Print a scalar, or the bracket that opens a container. At the depth limit, which a checked
 * text does not exceed, a container is printed as it is. */
static void print_value(struct printer *printer, struct isx_span value)
{
	bool is_object = value.len && value.ptr[0] == '{';
	bool is_array = value.len && value.ptr[0] == '[';
	if ((!is_object && !is_array) || printer->depth == ISX_JSON_DEPTH_MAX) {
		isx_buf_add(printer->buf, value.ptr, value.len);
		return;
	}
	isx_buf_char(printer->buf, value.ptr[0]);
	printer->walks[printer->depth] = isx_json_walk_start(value);
	printer->is_object[printer->depth] = is_object;
	printer->has_items[printer->depth] = false;
	printer->depth++;
}

/* An empty container stays on its line: "[]". */
static void close_container(struct printer *printer)
{
	printer->depth--;
	if (printer->has_items[printer->depth])
		new_line(printer);
	isx_buf_char(printer->buf, printer->is_object[printer->depth] ? '}' : ']');
}

/* The next value of the innermost container, and its name in an object; false at the end. */
static bool next_item(struct printer *printer, struct isx_span *key, struct isx_span *value)
{
	size_t top = printer->depth - 1;
	if (!printer->is_object[top])
		return isx_json_next_element(&printer->walks[top], value);
	do {
		if (!isx_json_next_member(&printer->walks[top], key, value))
			return false;
	} while (printer->drop_nulls && isx_span_is(*value, "null"));
	return true;
}

void isx_json_pretty(struct isx_buf *buf, struct isx_span value, bool drop_nulls)
{
	struct printer printer = { .buf = buf, .drop_nulls = drop_nulls };
	struct isx_span key, item;
	print_value(&printer, isx_span_trim(value));
	while (printer.depth > 0) {
		size_t top = printer.depth - 1;
		if (!next_item(&printer, &key, &item)) {
			close_container(&printer);
			continue;
		}
		if (printer.has_items[top])
			isx_buf_char(buf, ',');
		printer.has_items[top] = true;
		new_line(&printer);
		if (printer.is_object[top]) {
			isx_buf_char(buf, '"');
			isx_buf_add(buf, key.ptr, key.len);
			isx_buf_text(buf, "\": ");
		}
		print_value(&printer, item);
	}
}
