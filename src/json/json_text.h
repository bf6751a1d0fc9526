/*
 * json_text.h - JSON as text: is it well-formed, where are its parts, and how is it written.
 *
 * The text of a request is checked once, strictly (RFC 8259: UTF-8, no NaN, no lone surrogates, no
 * trailing commas, bounded depth). What is checked can then be walked as text, which is how
 * metadata is kept byte for byte: no number is ever read and written again.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_JSON_TEXT_H
#define ISX_JSON_TEXT_H

#include "base/buf.h"

/* Is `text` one JSON value, with nothing but blanks around it?
 *   offset  filled on failure: the byte at which it stops being JSON
 * ISX_SCHEMA says what was expected there. */
ISX_MUST_CHECK enum isx_status isx_json_check(struct isx_span text, size_t *offset,
					      struct isx_err *err);

/* The same for the value of an object's member, which may be nested one level less. */
ISX_MUST_CHECK enum isx_status isx_json_check_member(struct isx_span text, size_t *offset,
						     struct isx_err *err);

/* A walk over the elements of an array or the members of an object. The text must have passed
 * isx_json_check(); spans handed out point into it. */
struct isx_json_walk {
	const char *next;
	const char *end;
};

/* Start a walk at a value that begins with '[' or '{'; any other value gives an empty walk. */
struct isx_json_walk isx_json_walk_start(struct isx_span value);

/* The next element; false at the end. */
bool isx_json_next_element(struct isx_json_walk *walk, struct isx_span *value);

/* The next member; `key` is the text between the quotes, escapes and all. */
bool isx_json_next_member(struct isx_json_walk *walk, struct isx_span *key, struct isx_span *value);

/* Find members of an object in one walk, as there may be any number of them.
 *   names   plain ASCII
 *   values  filled: of each name the last member that has it (duplicates: the last one wins); an
 *           empty span if there is none, or if `object` is none */
void isx_json_find(struct isx_span object, const char *const *names, size_t count,
		   struct isx_span *values);

/* The next element of an array, and, if it is an object, its members with these names: as
 * isx_json_next_element() and isx_json_find(), in one walk. False at the end. */
bool isx_json_next_find(struct isx_json_walk *walk, const char *const *names, size_t count,
			struct isx_span *values, struct isx_span *element);

/* The member with this name, as isx_json_find(). */
struct isx_span isx_json_member(struct isx_span object, const char *name);

/* `p` points at the quote that begins a checked string; returns the byte behind the one that ends it. */
const char *isx_json_skip_string(const char *p, const char *end);

/* Append what a checked string means: `text` is what stands between its quotes. */
void isx_json_unescape(struct isx_buf *buf, struct isx_span text);

/* Append a checked value without the blanks between its tokens. */
void isx_json_minify(struct isx_buf *buf, struct isx_span value);

/* Append what 0.3.3 may have stored as JSON and is not: NaN and Infinity become null, lone
 * surrogates U+FFFD; blanks go as in isx_json_minify(). */
void isx_json_repair(struct isx_buf *buf, struct isx_span value);

/* Append a string in quotes, escaped as little as JSON allows; invalid UTF-8 becomes U+FFFD. */
void isx_json_quote(struct isx_buf *buf, struct isx_span text);

/* Append a finite number as a JSON float that reads back as the same double: 1.0, never 1. */
void isx_json_double(struct isx_buf *buf, double value);

#endif
