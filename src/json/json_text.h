/*
 * json_text.h - JSON as text: check it, find its parts, and write it.
 *
 * The text of a request is checked once, strictly (RFC 8259: UTF-8, no NaN, no lone surrogates, no
 * trailing commas, bounded depth). A checked text can be walked without building a tree, and
 * metadata is stored as text: no number is ever parsed and printed again, so it keeps its digits.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ISX_JSON_TEXT_H
#define ISX_JSON_TEXT_H

#include "base/buf.h"

/* Check that `text` is one JSON value with nothing but blanks around it.
 *   offset  filled on failure: the byte at which the text is wrong, from 0
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

/* Is a key, as isx_json_next_member() hands it out, this name? Escapes count as what they stand for:
 * "\u0075rl" is "url".
 *   name  ASCII without control characters, '"' and '\' */
bool isx_json_key_is(struct isx_span key, const char *name);

/* Find members of an object, all names in one walk: an object may have any number of members.
 *   names   plain ASCII
 *   values  filled: for each name the value of the last member that has it; an empty span if no
 *           member has, or if `object` is not an object */
void isx_json_find(struct isx_span object, const char *const *names, size_t count,
		   struct isx_span *values);

/* The next element of an array and, if it is an object, its members with these names: the same as
 * isx_json_next_element() and isx_json_find(), but each byte is read once. False at the end. */
bool isx_json_next_find(struct isx_json_walk *walk, const char *const *names, size_t count,
			struct isx_span *values, struct isx_span *element);

/* The value of the last member with this name; an empty span if there is none. */
struct isx_span isx_json_member(struct isx_span object, const char *name);

/* Append a checked string decoded: `text` is the part between its quotes. */
void isx_json_unescape(struct isx_buf *buf, struct isx_span text);

/* Append a checked value without the blanks between its tokens. */
void isx_json_minify(struct isx_buf *buf, struct isx_span value);

/* Append a text that 0.3.3 has stored as JSON, made valid: NaN and Infinity become null, lone
 * surrogates U+FFFD; blanks are removed as by isx_json_minify(). */
void isx_json_repair(struct isx_buf *buf, struct isx_span value);

/* Append a string in quotes, escaped as little as JSON allows; invalid UTF-8 becomes U+FFFD. */
void isx_json_quote(struct isx_buf *buf, struct isx_span text);

/* Append a finite number as a JSON float that reads back as the same double: 1.0, never 1. */
void isx_json_double(struct isx_buf *buf, double value);

#endif
