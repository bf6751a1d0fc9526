/*
 * json_text.c - check JSON text strictly, walk over it, and write its pieces (RFC 8259).
 *
 * The check keeps one bit per open container instead of recursing, so that a text of "[[[[..."
 * cannot use up the stack. The walk and the writers rely on the check: they look for quotes,
 * escapes and brackets only, and are given no other text (but isx_json_repair() and
 * isx_json_quote(), which take any bytes).
 *
 * Pure functions on bytes; bench/README.md has their speed.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "json/json_text.h"

#include "base/limits.h"
#include "base/percent.h"
#include "base/utf8.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* The state of one check. Every check_...() begins with p at the first byte of its part, leaves
 * p behind it and returns true, or leaves p at the wrong byte, sets `expected` and returns
 * false. */
struct checker {
	const char *p;
	const char *end;
	const char *expected; /* for the message: what should stand at p */
	uint32_t depth;
	uint32_t depth_max;
	uint64_t is_object[ISX_JSON_DEPTH_MAX / 64]; /* a bit per open container */
};

/* The blanks of section 2; others of Unicode are errors outside of strings. */
static bool is_blank(char c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* Returns `end` if there are only blanks: callers test for it before they read. */
static const char *skip_blanks(const char *p, const char *end)
{
	while (p < end && is_blank(*p))
		p++;
	return p;
}

/* Set what was expected at p, and return false. */
static bool refuse(struct checker *c, const char *expected)
{
	c->expected = expected;
	return false;
}

/* The UTF-16 unit of the escape \uXXXX that begins at p, or -1 if there is none. */
static int32_t unicode_escape(const char *p, const char *end)
{
	int32_t value = 0;
	if (end - p < 6 || p[0] != '\\' || p[1] != 'u')
		return -1;
	for (int i = 2; i < 6; i++) {
		int digit = isx_hex_value(p[i]);
		if (digit < 0)
			return -1;
		value = value * 16 + digit;
	}
	return value;
}

/* Section 7. A surrogate must be one of a pair: alone it is no character, and could not be
 * written as UTF-8 when the text is stored. */
static bool check_escape(struct checker *c)
{
	if (c->end - c->p < 2)
		return refuse(c, "the rest of an escape");
	if (c->p[1] != 'u') {
		if (!memchr("\"\\/bfnrt", c->p[1], 8))
			return refuse(c, "an escape of \" \\ / b f n r t or u");
		c->p += 2;
		return true;
	}
	int32_t unit = unicode_escape(c->p, c->end);
	if (unit < 0)
		return refuse(c, "four hexadecimal digits after \\u");
	if (unit >= 0xDC00 && unit <= 0xDFFF)
		return refuse(c, "a high surrogate before this low one");
	if (unit >= 0xD800 && unit <= 0xDBFF) { /* a high surrogate: six more bytes belong to it */
		int32_t low = unicode_escape(c->p + 6, c->end);
		if (low < 0xDC00 || low > 0xDFFF)
			return refuse(c, "a low surrogate after this high one");
		c->p += 6;
	}
	c->p += 6;
	return true;
}

/* Section 7. Most bytes of a body are in strings; printable ASCII costs no call. */
static bool check_string(struct checker *c)
{
	c->p++; /* the quote */
	while (c->p < c->end) {
		unsigned char byte = (unsigned char)*c->p;
		if (byte == '"') {
			c->p++;
			return true;
		}
		if (byte == '\\') {
			if (!check_escape(c))
				return false;
		} else if (byte < 0x20) {
			return refuse(c, "an escaped control character");
		} else if (byte < 0x80) {
			c->p++;
		} else {
			size_t len =
				isx_utf8_length((struct isx_span){ c->p, (size_t)(c->end - c->p) });
			if (len == 0)
				return refuse(c, "UTF-8");
			c->p += len;
		}
	}
	return refuse(c, "the end of a string");
}

/* Skip digits; false if there is none. */
static bool skip_digits(struct checker *c)
{
	const char *start = c->p;
	while (c->p < c->end && *c->p >= '0' && *c->p <= '9')
		c->p++;
	return c->p > start;
}

/* Section 6: no plus sign, no leading zeros, digits on both sides of a point. Numbers may have
 * any length: they stay text. */
static bool check_number(struct checker *c)
{
	if (*c->p == '-')
		c->p++;
	if (c->p < c->end && *c->p == '0') /* of "01" the 1 is refused behind the value */
		c->p++;
	else if (!skip_digits(c))
		return refuse(c, "a digit");
	if (c->p < c->end && *c->p == '.') {
		c->p++;
		if (!skip_digits(c))
			return refuse(c, "a digit after the point");
	}
	if (c->p < c->end && (*c->p == 'e' || *c->p == 'E')) {
		c->p++;
		if (c->p < c->end && (*c->p == '+' || *c->p == '-'))
			c->p++;
		if (!skip_digits(c))
			return refuse(c, "a digit of the exponent");
	}
	return true;
}

/* A longer word, as "nullx", is refused by the caller, which expects a comma or a bracket behind
 * it. */
static bool check_word(struct checker *c, const char *word)
{
	size_t len = strlen(word);
	if ((size_t)(c->end - c->p) < len || memcmp(c->p, word, len) != 0)
		return refuse(c, "a value");
	c->p += len;
	return true;
}

/* Anything that is neither an array nor an object, by its first character; p is before the end. */
static bool check_scalar(struct checker *c)
{
	switch (*c->p) {
	case '"':
		return check_string(c);
	case 't':
		return check_word(c, "true");
	case 'f':
		return check_word(c, "false");
	case 'n':
		return check_word(c, "null");
	default:
		if (*c->p == '-' || (*c->p >= '0' && *c->p <= '9'))
			return check_number(c);
		return refuse(c, "a value");
	}
}

/* Is the innermost open container an object? There is one. */
static bool top_is_object(const struct checker *c)
{
	uint32_t top = c->depth - 1;
	return c->is_object[top / 64] >> (top % 64) & 1;
}

/* Step over a bracket and note its kind; c->depth is at least 1 afterwards. */
static bool open_container(struct checker *c)
{
	if (c->depth == c->depth_max)
		return refuse(c, "fewer nested arrays and objects");
	uint64_t bit = 1ull << (c->depth % 64);
	if (*c->p == '{')
		c->is_object[c->depth / 64] |= bit;
	else
		c->is_object[c->depth / 64] &= ~bit;
	c->depth++;
	c->p = skip_blanks(c->p + 1, c->end);
	return true;
}

/* A member's name and its colon; leaves p behind the colon. */
static bool check_name(struct checker *c)
{
	c->p = skip_blanks(c->p, c->end);
	if (c->p == c->end || *c->p != '"')
		return refuse(c, "a member's name in double quotes");
	if (!check_string(c))
		return false;
	c->p = skip_blanks(c->p, c->end);
	if (c->p == c->end || *c->p != ':')
		return refuse(c, "':'");
	c->p++;
	return true;
}

/* Behind a value: close the containers that end here, and step over a comma and, in an object, the
 * name of the next member. Then a value has to follow, so a comma before a bracket is an error
 * there.
 *   done  set to true at the end of the outermost value */
static bool check_after_value(struct checker *c, bool *done)
{
	while (c->depth > 0) {
		c->p = skip_blanks(c->p, c->end);
		bool object = top_is_object(c);
		if (c->p == c->end)
			return refuse(c, object ? "',' or '}'" : "',' or ']'");
		if (*c->p == ',') {
			c->p++;
			return object ? check_name(c) : true;
		}
		if (*c->p != (object ? '}' : ']'))
			return refuse(c, object ? "',' or '}'" : "',' or ']'");
		c->p++;
		c->depth--;
	}
	*done = true;
	return true;
}

/* One value per turn. Empty containers are closed here, as no value stands in them; all others by
 * check_after_value(). */
static bool check_document(struct checker *c)
{
	for (bool done = false; !done;) { /* p is where a value has to begin */
		c->p = skip_blanks(c->p, c->end);
		if (c->p == c->end)
			return refuse(c, "a value");
		if (*c->p == '{' ||
		    *c->p == '[') { /* on with its first value, unless it is empty */
			char closing = *c->p == '{' ? '}' : ']';
			if (!open_container(c))
				return false;
			if (c->p == c->end || *c->p != closing) {
				if (closing == '}' && !check_name(c))
					return false;
				continue;
			}
			c->p++;
			c->depth--;
		} else if (!check_scalar(c)) {
			return false;
		}
		if (!check_after_value(c, &done))
			return false;
	}
	c->p = skip_blanks(c->p, c->end);
	return c->p == c->end || refuse(c, "nothing after the value");
}

/* Does a text look like UTF-16 or UTF-32? They begin with a byte order mark, or, as JSON begins
 * with an ASCII character, have a NUL in one of the first two bytes (RFC 4627, section 3). 0.3.3
 * accepts them, so the message has to name them. */
static bool is_wide(struct isx_span text)
{
	return isx_span_has_prefix(text, "\xFF\xFE") || isx_span_has_prefix(text, "\xFE\xFF") ||
	       (text.len > 1 && (text.ptr[0] == '\0' || text.ptr[1] == '\0'));
}

/* Only a text that is wrong is looked at for its encoding: right ones pay nothing. */
static enum isx_status check_text(struct isx_span text, uint32_t depth_max, size_t *offset,
				  struct isx_err *err)
{
	/* the pointer of an empty text may be NULL, to which nothing can be added */
	struct checker c = { .p = text.ptr,
			     .end = text.len ? text.ptr + text.len : text.ptr,
			     .depth_max = depth_max };
	if (text.len && check_document(&c))
		return ISX_OK;
	if (is_wide(text)) {
		*offset = 0;
		return isx_fail(err, ISX_SCHEMA,
				"JSON: expected UTF-8, but this is UTF-16 or UTF-32: convert it");
	}
	/* an empty text may have a NULL pointer, from which nothing can be subtracted */
	*offset = text.len ? (size_t)(c.p - text.ptr) : 0;
	return isx_fail(err, ISX_SCHEMA, "JSON: expected %s at byte %zu",
			text.len ? c.expected : "a value", *offset);
}

enum isx_status isx_json_check(struct isx_span text, size_t *offset, struct isx_err *err)
{
	return check_text(text, ISX_JSON_DEPTH_MAX, offset, err);
}

/* With one level less, the object around the value is still within the limit when it is read
 * again. */
enum isx_status isx_json_check_member(struct isx_span text, size_t *offset, struct isx_err *err)
{
	return check_text(text, ISX_JSON_DEPTH_MAX - 1, offset, err);
}

/* --- the walk ------------------------------------------------------------------------------- */

/* Skip a checked string: `p` points at its first quote. Returns the byte behind its last one. Behind
 * a backslash any byte is skipped: it may be a quote. Bounded by `end` all the same, as bytes that
 * come from disk may have changed since they were checked. */
static const char *skip_string(const char *p, const char *end)
{
	for (p++; p < end && *p != '"'; p++)
		if (*p == '\\' && end - p > 1)
			p++;
	return p < end ? p + 1 : end;
}

/* The end of the value that begins at p. Brackets are counted without their kind: the check has
 * seen that they match. */
static const char *skip_value(const char *p, const char *end)
{
	if (p < end && *p == '"')
		return skip_string(p, end);
	if (p < end && (*p == '{' || *p == '[')) {
		for (size_t depth = 0; p < end;) {
			char c = *p;
			p = c == '"' ? skip_string(p, end) : p + 1;
			if (c == '{' || c == '[')
				depth++;
			else if ((c == '}' || c == ']') && --depth == 0)
				return p;
		}
		return end;
	}
	/* a number or a word: it ends where something else can begin */
	while (p < end && !is_blank(*p) && *p != ',' && *p != '}' && *p != ']')
		p++;
	return p;
}

/* The walk needs no depth: skip_value() steps over containers inside. */
struct isx_json_walk isx_json_walk_start(struct isx_span value)
{
	const char *end = value.len ? value.ptr + value.len : value.ptr;
	const char *p = value.len ? skip_blanks(value.ptr, end) : end;
	bool container = p < end && (*p == '{' || *p == '[');
	return (struct isx_json_walk){ container ? p + 1 : end, end };
}

/* Move to the next element or name; false at the closing bracket. At the start of a container
 * there is no comma to step over. */
static bool walk_on(struct isx_json_walk *walk)
{
	walk->next = skip_blanks(walk->next, walk->end);
	if (walk->next < walk->end && *walk->next == ',')
		walk->next = skip_blanks(walk->next + 1, walk->end);
	return walk->next < walk->end && *walk->next != ']' && *walk->next != '}';
}

static struct isx_span take_value(struct isx_json_walk *walk)
{
	const char *start = walk->next;
	walk->next = skip_value(start, walk->end);
	return (struct isx_span){ start, (size_t)(walk->next - start) };
}

bool isx_json_next_element(struct isx_json_walk *walk, struct isx_span *value)
{
	if (!walk_on(walk))
		return false;
	*value = take_value(walk);
	return value->len > 0;
}

/* A text that ends early (damaged on disk) ends the walk; no byte behind its end is read. */
bool isx_json_next_member(struct isx_json_walk *walk, struct isx_span *key, struct isx_span *value)
{
	if (!walk_on(walk))
		return false;
	struct isx_span quoted = take_value(walk);
	if (quoted.len < 2)
		return false;
	*key = (struct isx_span){ quoted.ptr + 1, quoted.len - 2 };
	walk->next = skip_blanks(walk->next, walk->end);
	if (walk->next < walk->end) /* at the colon */
		walk->next = skip_blanks(walk->next + 1, walk->end);
	*value = take_value(walk);
	return true;
}

/* Only \u escapes can spell the characters of a name. */
bool isx_json_key_is(struct isx_span key, const char *name)
{
	const char *p = key.ptr;
	const char *end = key.ptr + key.len;
	for (; p < end && *name; name++) {
		int32_t unit = unicode_escape(p, end);
		if (unit >= 0 ? unit != *name : *p != *name)
			return false;
		p += unit >= 0 ? 6 : 1;
	}
	return p == end && *name == '\0';
}

/* Every name is compared with every key, which is cheap for the few names that callers have:
 * mostly the first byte differs. */
static void find_members(struct isx_json_walk *walk, const char *const *names, size_t count,
			 struct isx_span *values)
{
	struct isx_span key, value;
	for (size_t i = 0; i < count; i++)
		values[i] = (struct isx_span){ 0 };
	/* no early end: a later member of the same name replaces an earlier one, as in Python */
	while (isx_json_next_member(walk, &key, &value))
		for (size_t i = 0; i < count; i++)
			if (isx_json_key_is(key, names[i]))
				values[i] = value;
}

void isx_json_find(struct isx_span object, const char *const *names, size_t count,
		   struct isx_span *values)
{
	struct isx_json_walk walk = { 0 };
	object = isx_span_trim(object);
	if (object.len && object.ptr[0] == '{')
		walk = isx_json_walk_start(object);
	find_members(&walk, names, count, values);
}

bool isx_json_next_find(struct isx_json_walk *walk, const char *const *names, size_t count,
			struct isx_span *values, struct isx_span *element)
{
	if (!walk_on(walk))
		return false;
	/* The walk over the members ends at the bracket of the element, so skip_value() is not
	 * needed for an object. */
	const char *start = walk->next;
	struct isx_json_walk members = { 0 };
	if (*start == '{')
		members = (struct isx_json_walk){ start + 1, walk->end };
	else
		walk->next = skip_value(start, walk->end);
	find_members(&members, names, count, values);
	if (*start == '{') /* members.next is at the closing bracket */
		walk->next = members.next < walk->end ? members.next + 1 : walk->end;
	*element = (struct isx_span){ start, (size_t)(walk->next - start) };
	return element->len > 0;
}

struct isx_span isx_json_member(struct isx_span object, const char *name)
{
	struct isx_span value;
	isx_json_find(object, &name, 1, &value);
	return value;
}

/* --- writing -------------------------------------------------------------------------------- */

/* `point` is no surrogate and at most U+10FFFF. */
static void put_utf8(struct isx_buf *buf, uint32_t point)
{
	if (point < 0x80) {
		isx_buf_char(buf, (char)point);
	} else if (point < 0x800) {
		isx_buf_char(buf, (char)(0xC0 | point >> 6));
		isx_buf_char(buf, (char)(0x80 | (point & 0x3F)));
	} else if (point < 0x10000) { /* three bytes, or four from U+10000 on */
		isx_buf_char(buf, (char)(0xE0 | point >> 12));
		isx_buf_char(buf, (char)(0x80 | (point >> 6 & 0x3F)));
		isx_buf_char(buf, (char)(0x80 | (point & 0x3F)));
	} else {
		isx_buf_char(buf, (char)(0xF0 | point >> 18));
		isx_buf_char(buf, (char)(0x80 | (point >> 12 & 0x3F)));
		isx_buf_char(buf, (char)(0x80 | (point >> 6 & 0x3F)));
		isx_buf_char(buf, (char)(0x80 | (point & 0x3F)));
	}
}

void isx_json_unescape(struct isx_buf *buf, struct isx_span text)
{
	/* two lists in the same order: letters of escapes, and the characters that they stand
	 * for */
	static const char letters[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
	const char *end = text.ptr + text.len;
	for (const char *p = text.ptr; p < end;) {
		const char *escape = memchr(p, '\\', (size_t)(end - p));
		isx_buf_add(buf, p, (size_t)((escape ? escape : end) - p));
		if (!escape)
			return;
		p = escape + 2;
		if (escape[1] != 'u') {
			isx_buf_char(buf, meant[strchr(letters, escape[1]) - letters]);
			continue;
		}
		/* the check has seen four digits, and both halves of each pair */
		uint32_t point = (uint32_t)unicode_escape(escape, end);
		p = escape + 6;
		if (point >= 0xD800 && point <= 0xDBFF) {
			point = 0x10000 + ((point - 0xD800) << 10) +
				((uint32_t)unicode_escape(p, end) - 0xDC00);
			p += 6;
		}
		put_utf8(buf, point);
	}
}

/* Copies runs between blanks whole; blanks in strings are part of a run. */
void isx_json_minify(struct isx_buf *buf, struct isx_span value)
{
	const char *end = value.ptr + value.len;
	for (const char *p = value.ptr; p < end;) {
		const char *start = p;
		while (p < end && !is_blank(*p))
			p = *p == '"' ? skip_string(p, end) : p + 1;
		isx_buf_add(buf, start, (size_t)(p - start));
		p = skip_blanks(p, end);
	}
}

/* Copy a string and replace each surrogate that is not one of a pair. Returns the byte behind
 * the string. */
static const char *repair_string(struct isx_buf *buf, const char *p, const char *end)
{
	const char *after = skip_string(p, end);
	/* in steps of whole escapes, so that "\\u0041" is not mistaken for an escape of A */
	while (p < after) {
		int32_t unit = unicode_escape(p, after);
		int32_t next = unit >= 0 ? unicode_escape(p + 6, after) : -1;
		bool high = unit >= 0xD800 && unit <= 0xDBFF;
		/* bytes of this step: \uXXXX, another escape, or one byte */
		size_t len = unit >= 0 ? 6 : *p == '\\' && after - p > 1 ? 2 : 1;
		if (high && next >= 0xDC00 && next <= 0xDFFF) {
			len = 12;
		} else if (unit >= 0xD800 && unit <= 0xDFFF) {
			isx_buf_text(buf, "\\ufffd");
			p += 6;
			continue;
		}
		isx_buf_add(buf, p, len);
		p += len;
	}
	return after;
}

/* Python's json writes NaN and Infinity, and 0.3.3 has stored them in metadata. The text may be
 * damaged besides; it is checked afterwards. */
void isx_json_repair(struct isx_buf *buf, struct isx_span value)
{
	const char *end = value.ptr + value.len;
	for (const char *p = value.ptr; p < end;) {
		if (is_blank(*p)) {
			p++;
		} else if (*p == '"') {
			p = repair_string(buf, p, end);
		} else if (memchr("{}[]:,", *p, 6)) {
			isx_buf_char(buf, *p++);
		} else {
			/* a word or a number; Python writes these three and no other */
			const char *start = p;
			while (p < end && !is_blank(*p) && !memchr("{}[]:,\"", *p, 7))
				p++;
			struct isx_span word = { start, (size_t)(p - start) };
			if (isx_span_is(word, "NaN") || isx_span_is(word, "Infinity") ||
			    isx_span_is(word, "-Infinity"))
				isx_buf_text(buf, "null");
			else
				isx_buf_add(buf, word.ptr, word.len);
		}
	}
}

/* Escape a control character, a quote or a backslash: two characters where JSON has such a form. */
static void quote_special(struct isx_buf *buf, unsigned char c)
{
	/* pairs of a character and the letter of its escape */
	static const char short_forms[] = "\bb\ff\nn\rr\tt\"\"\\\\";
	for (const char *form = short_forms; *form; form += 2) {
		if ((unsigned char)form[0] == c) {
			isx_buf_char(buf, '\\');
			isx_buf_char(buf, form[1]);
			return;
		}
	}
	isx_buf_printf(buf, "\\u%04x", c);
}

/* Takes any bytes: names and messages may come from outside of JSON. Characters beyond ASCII are
 * not escaped, as 0.3.3 does not. */
void isx_json_quote(struct isx_buf *buf, struct isx_span text)
{
	size_t plain = 0; /* bytes from here to `i` are copied as they are, in one piece */
	isx_buf_char(buf, '"');
	for (size_t i = 0; i < text.len;) {
		unsigned char c = (unsigned char)text.ptr[i];
		size_t len = isx_utf8_length(isx_span_skip(text, i));
		if (len > 0 && c >= 0x20 && c != '"' && c != '\\') {
			i += len;
			continue;
		}
		isx_buf_add(buf, text.ptr + plain, i - plain);
		if (len == 0)
			isx_buf_text(buf, "\xEF\xBF\xBD"); /* U+FFFD, for one byte */
		else
			quote_special(buf, c);
		plain = ++i;
	}
	isx_buf_add(buf, text.ptr + plain, text.len - plain);
	isx_buf_char(buf, '"');
}

void isx_json_double(struct isx_buf *buf, double value)
{
	char text[40];
	if (!isfinite(value)) { /* no score is: JSON has no form for it */
		isx_buf_text(buf, "null");
		return;
	}
	/* 15 digits are enough for most scores and print as people expect (0.1); 17 always are */
	for (int digits = 15; digits <= 17; digits++) {
		snprintf(text, sizeof text, "%.*g", digits, value);
		if (strtod(text, NULL) == value)
			break;
	}
	isx_buf_text(buf, text);
	if (!strpbrk(text, ".e")) /* Python prints 1.0, and clients tell floats from integers */
		isx_buf_text(buf, ".0");
}
