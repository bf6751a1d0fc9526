/*
 * dotenv.c - reads .env files in one pass. Each read function matches what one regular expression
 *            of parser.py of python-dotenv matches.
 *
 * tests/golden/dotenv.tsv has the results of python-dotenv for the same texts.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cli/dotenv.h"

#include "base/buf.h"
#include "base/limits.h"

struct reader {
	const char *at, *end;
};

/* NAME=VALUE, a name alone, or a comment, which has no name. */
struct statement {
	struct isx_span name;
	struct isx_span value; /* as written, without quotes and comment */
	bool has_value;
	char quote; /* ' or ", or 0 */
};

/* --- characters ------------------------------------------------------------------------------- */

static bool starts_with(const struct reader *reader, const char *text)
{
	return isx_span_has_prefix(
		(struct isx_span){ reader->at, (size_t)(reader->end - reader->at) }, text);
}

static char peek(const struct reader *reader)
{
	return reader->at < reader->end ? *reader->at : '\0';
}

/* The length of the white space character at the reader, or 0. White space is that of Python: a
 * no-break space may be copied with a value from a web page. */
static size_t space_bytes(const struct reader *reader)
{
	static const char *const wide[] = {
		"\xC2\x85",     "\xC2\xA0",     "\xE1\x9A\x80", "\xE2\x80\x80", "\xE2\x80\x81",
		"\xE2\x80\x82", "\xE2\x80\x83", "\xE2\x80\x84", "\xE2\x80\x85", "\xE2\x80\x86",
		"\xE2\x80\x87", "\xE2\x80\x88", "\xE2\x80\x89", "\xE2\x80\x8A", "\xE2\x80\xA8",
		"\xE2\x80\xA9", "\xE2\x80\xAF", "\xE2\x81\x9F", "\xE3\x80\x80"
	};
	unsigned char c = (unsigned char)peek(reader);
	if (c == ' ' || (c >= '\t' && c <= '\r') || (c >= 0x1C && c <= 0x1F))
		return 1;
	for (size_t i = 0; c >= 0x80 && i < sizeof wide / sizeof wide[0]; i++)
		if (starts_with(reader, wide[i]))
			return strlen(wide[i]);
	return 0;
}

/* Skip white space, with `lines` also the ends of lines. False if there was none. */
static bool skip_space(struct reader *reader, bool lines)
{
	const char *start = reader->at;
	size_t bytes;
	while ((lines || peek(reader) != '\n') && (bytes = space_bytes(reader)))
		reader->at += bytes;
	return reader->at > start;
}

/* Move to the end of the line, before the line end. */
static void skip_line(struct reader *reader)
{
	const char *end = memchr(reader->at, '\n', (size_t)(reader->end - reader->at));
	reader->at = end ? end : reader->end;
}

static struct isx_span since(const struct reader *reader, const char *start)
{
	return (struct isx_span){ start, (size_t)(reader->at - start) };
}

/* --- statements ------------------------------------------------------------------------------- */

/* "export" counts only with white space behind it: "exported=1" is a name. */
static void skip_export(struct reader *reader)
{
	struct reader ahead = *reader;
	if (!starts_with(reader, "export"))
		return;
	ahead.at += strlen("export");
	if (skip_space(&ahead, false))
		*reader = ahead;
}

/* A name ends at "=", "#" or white space, or is in single quotes. A comment has an empty name.
 * False if there is none. */
static bool read_name(struct reader *reader, struct isx_span *name)
{
	const char *start = reader->at;
	if (peek(reader) == '#')
		return true;
	if (peek(reader) == '\'') {
		const char *end = memchr(start + 1, '\'', (size_t)(reader->end - start - 1));
		if (!end || end == start + 1)
			return false;
		*name = (struct isx_span){ start + 1, (size_t)(end - start - 1) };
		reader->at = end + 1;
		return true;
	}
	while (reader->at < reader->end && *reader->at != '=' && *reader->at != '#' &&
	       !space_bytes(reader))
		reader->at++;
	*name = since(reader, start);
	return name->len > 0;
}

/* Read a value up to its closing quote. A character behind a backslash never closes it. */
static bool read_quoted(struct reader *reader, struct statement *statement)
{
	const char *start = reader->at + 1;
	for (const char *p = start; p < reader->end; p++) {
		if (*p == *reader->at) {
			statement->quote = *p;
			statement->value = (struct isx_span){ start, (size_t)(p - start) };
			reader->at = p + 1;
			return true;
		}
		if (*p == '\\')
			p++;
	}
	return false;
}

/* Read a value up to the end of the line, or up to white space and "#", which starts a comment. */
static struct isx_span read_bare(struct reader *reader)
{
	const char *start = reader->at, *end = start;
	bool after_space = false;
	while (reader->at < reader->end && *reader->at != '\n' &&
	       !(after_space && *reader->at == '#')) {
		after_space = skip_space(reader, false);
		if (!after_space)
			end = ++reader->at;
	}
	return (struct isx_span){ start, (size_t)(end - start) };
}

/* Read the part behind "=". In "NAME= # text" the value is empty. */
static bool read_value(struct reader *reader, struct statement *statement)
{
	reader->at++; /* = */
	bool spaced = skip_space(reader, false);
	statement->has_value = true;
	if (peek(reader) == '\'' || peek(reader) == '"')
		return read_quoted(reader, statement);
	if (!spaced || peek(reader) != '#')
		statement->value = read_bare(reader);
	return true;
}

/* Read a statement to the end of its line. On failure the reader is at the fault. */
static bool read_statement(struct reader *reader, struct statement *statement)
{
	*statement = (struct statement){ 0 };
	skip_export(reader);
	if (!read_name(reader, &statement->name))
		return false;
	skip_space(reader, false);
	if (peek(reader) == '=' && !read_value(reader, statement))
		return false;
	skip_space(reader, false);
	if (peek(reader) == '#')
		skip_line(reader);
	return reader->at == reader->end || *reader->at == '\n';
}

/* --- values ----------------------------------------------------------------------------------- */

/* The character of an escape, or 0 if the backslash stands for itself. */
static char unescape(char c, char quote)
{
	static const char letters[] = "abfnrtv", controls[] = "\a\b\f\n\r\t\v";
	const char *letter = quote == '"' && c ? strchr(letters, c) : NULL;
	if (letter)
		return controls[letter - letters];
	return c == '\\' || c == '\'' || (c == '"' && quote == '"') ? c : '\0';
}

/* Append a value with its escapes replaced; a bare value has none. */
static void unquote(struct isx_buf *out, const struct statement *statement)
{
	struct isx_span value = statement->value;
	for (size_t i = 0; i < value.len; i++) {
		char c = value.ptr[i], meant = '\0';
		if (c == '\\' && statement->quote && i + 1 < value.len)
			meant = unescape(value.ptr[i + 1], statement->quote);
		i += meant ? 1 : 0;
		isx_buf_char(out, meant ? meant : c);
	}
}

/* What ${NAME} or ${NAME:-default} at `text` names; the default's pointer is NULL if there is none.
 * Returns its bytes, 0 if it is neither. */
static size_t read_variable(struct isx_span text, struct isx_span *name, struct isx_span *fallback)
{
	const char *end = isx_span_has_prefix(text, "${") ? memchr(text.ptr, '}', text.len) : NULL;
	if (!end)
		return 0;
	size_t len = (size_t)(end - text.ptr) - 2;
	const char *colon = memchr(text.ptr + 2, ':', len);
	*name = (struct isx_span){ text.ptr + 2, colon ? (size_t)(colon - text.ptr) - 2 : len };
	*fallback = (struct isx_span){ 0 };
	if (colon && colon[1] != '-')
		return 0;
	if (colon)
		*fallback = (struct isx_span){ colon + 2, (size_t)(end - colon) - 2 };
	return len + 3;
}

static struct isx_dotenv_entry *find_entry(const struct isx_dotenv *file, struct isx_span name)
{
	for (size_t i = 0; i < file->entry_count; i++)
		if (isx_span_is(name, file->entries[i].name))
			return &file->entries[i];
	return NULL;
}

/* Append the value of a variable: of an earlier name of the file, even one without a value; else of
 * `lookup`; else the default. */
static enum isx_status add_variable(struct isx_buf *out, const struct isx_dotenv *file,
				    isx_dotenv_lookup_fn *lookup, struct isx_span name,
				    struct isx_span fallback, struct isx_err *err)
{
	const struct isx_dotenv_entry *entry = find_entry(file, name);
	char *text = entry ? NULL : isx_mem_text(name.ptr, name.len);
	if (!entry && !text)
		return isx_fail_memory(err);
	const char *value = entry ? entry->value : lookup(text);
	isx_mem_free(text);
	if (entry || value)
		isx_buf_text(out, value ? value : "");
	else
		isx_buf_add(out, fallback.ptr, fallback.len);
	return ISX_OK;
}

/* The ceiling stops values that double with each line: A=${B}${B}. */
static enum isx_status expand(struct isx_buf *out, const struct isx_dotenv *file,
			      isx_dotenv_lookup_fn *lookup, struct isx_span value,
			      struct isx_err *err)
{
	enum isx_status st = ISX_OK;
	while (!st && value.len) {
		struct isx_span name, fallback;
		size_t taken = read_variable(value, &name, &fallback);
		if (taken)
			st = add_variable(out, file, lookup, name, fallback, err);
		else
			isx_buf_char(out, value.ptr[0]);
		value = isx_span_skip(value, taken ? taken : 1);
		if (!st && out->len > ISX_DOTENV_VALUE_MAX)
			st = isx_fail(err, ISX_TOO_LARGE, "a value has more than %d bytes",
				      ISX_DOTENV_VALUE_MAX);
	}
	return st ? st : isx_buf_status(out, err);
}

/* --- the file --------------------------------------------------------------------------------- */

/* Store a statement. A later statement of the same name replaces the value, and keeps the
 * position. */
static enum isx_status keep(const struct statement *statement, isx_dotenv_lookup_fn *lookup,
			    struct isx_arena *arena, struct isx_dotenv *file, struct isx_err *err)
{
	struct isx_buf plain = { 0 }, expanded = { 0 };
	struct isx_dotenv_entry *entry = find_entry(file, statement->name);
	const char *name = entry ? entry->name
				 : isx_arena_text(arena, statement->name.ptr, statement->name.len);
	const char *value = NULL;
	enum isx_status st = name ? ISX_OK : isx_fail_memory(err);
	if (!st && statement->has_value) {
		unquote(&plain, statement);
		st = isx_buf_status(&plain, err);
		if (!st)
			st = expand(&expanded, file, lookup,
				    (struct isx_span){ plain.ptr, plain.len }, err);
		if (!st)
			value = isx_arena_text(arena, expanded.len ? expanded.ptr : "",
					       expanded.len);
		if (!st && !value)
			st = isx_fail_memory(err);
	}
	if (!st && !entry)
		entry = &file->entries[file->entry_count++];
	if (!st)
		*entry = (struct isx_dotenv_entry){ name, value };
	isx_buf_release(&plain);
	isx_buf_release(&expanded);
	return st;
}

/* A copy with the line ends CR LF and CR turned into LF, as Python reads texts; `lines` counts the
 * lines. */
static char *copy_lines(struct isx_span text, struct isx_arena *arena, size_t *len, size_t *lines)
{
	char *copy = isx_arena_alloc(arena, text.len + 1, 1);
	*len = 0;
	*lines = 1;
	for (size_t i = 0; copy && i < text.len; i++) {
		char c = text.ptr[i];
		if (c == '\r' && i + 1 < text.len && text.ptr[i + 1] == '\n')
			continue;
		copy[(*len)++] = c == '\r' ? '\n' : c;
		*lines += c == '\r' || c == '\n';
	}
	return copy;
}

enum isx_status isx_dotenv_parse(struct isx_span text, isx_dotenv_lookup_fn *lookup,
				 struct isx_arena *arena, struct isx_dotenv *file,
				 struct isx_err *err)
{
	enum isx_status st = ISX_OK;
	size_t len, lines, line = 1;
	*file = (struct isx_dotenv){ 0 };
	if (isx_span_has_prefix(text, "\xEF\xBB\xBF"))
		text = isx_span_skip(text, 3);
	if (text.len && memchr(text.ptr, '\0', text.len))
		return isx_fail(err, ISX_INVALID, "expected a text in UTF-8");
	const char *copy = copy_lines(text, arena, &len, &lines);
	/* At most one statement per line: no array can overflow. */
	file->entries = isx_arena_alloc(arena, lines, sizeof *file->entries);
	file->bad = isx_arena_alloc(arena, lines, sizeof *file->bad);
	if (!copy || !file->entries || !file->bad)
		return isx_fail_memory(err);
	struct reader reader = { copy, copy + len };
	const char *counted = copy; /* line ends up to here are counted */
	while (!st && (skip_space(&reader, true), reader.at < reader.end)) {
		struct statement statement;
		const char *start = reader.at;
		for (; counted < start; counted++)
			line += *counted == '\n';
		if (!read_statement(&reader, &statement)) {
			skip_line(&reader);
			file->bad[file->bad_count++] =
				(struct isx_dotenv_bad){ since(&reader, start), line };
		} else if (statement.name.len) {
			st = keep(&statement, lookup, arena, file, err);
			st = st ? isx_err_at(err, st, "line %zu", line) : ISX_OK;
		}
	}
	return st;
}
